/* service.h - what a service manager is told: sd_notify(3) without its library, one datagram each.
 *
 * Nothing happens where $NOTIFY_SOCKET is not set. Loop's thread only. */
#ifndef TIDEOVER_SERVICE_H
#define TIDEOVER_SERVICE_H

struct node;
struct moment;

/* From time to time before READY: what takes so long, and that it goes on. */
void service_starting(const char *what);
void service_ready(void); /* at the start, and after service_reloading() */
void service_reloading(void);
void service_stopping(void);
/* After a round of the loop: that it still turns, and in a line what it does; as often as the
 * manager's watchdog asks ($WATCHDOG_USEC), else every 10 s. A node that cannot save turns all the
 * same: a restart would not mend its disk, and it says STOP to those who scan. */
void service_round(const struct node *n, const struct moment *now);

#endif
