/* service.c - READY, STATUS, WATCHDOG and STOPPING to the service manager. */
#include "service.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "node_int.h"

#define EVERY_MS    10000
#define EXTEND_USEC 60000000 /* by then the next one came, or it hangs */

static uint64_t next_ms;

static void say(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    size_t n = path ? strlen(path) : 0;
    int fd;

    if (n < 2 || n >= sizeof to.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(to.sun_path, path, n);
    if (path[0] == '@')
        to.sun_path[0] = '\0'; /* an abstract name */
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&to,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    close(fd);
}

void service_ready(void)
{
    next_ms = 0; /* what it did before is over */
    say("READY=1");
}

void service_reloading(void)
{
    char text[64];
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)t.tv_sec * 1000000 + (unsigned long long)t.tv_nsec / 1000);
    say(text);
}

void service_stopping(void)
{
    say("STOPPING=1");
}

/* A third of what the manager allows. */
static uint64_t every_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    uint64_t ms = usec ? strtoull(usec, NULL, 10) / 1000 / 3 : 0;

    return ms > 0 && ms < EVERY_MS ? ms : EVERY_MS;
}

/* WATCHDOG: after a damage that was found while it ran, the same process starts anew. */
void service_starting(const char *what)
{
    uint64_t now_ms = node_now().boot_ms;
    char text[160];

    if (now_ms < next_ms)
        return;
    next_ms = now_ms + every_ms();
    snprintf(text, sizeof text, "WATCHDOG=1\nEXTEND_TIMEOUT_USEC=%d\nSTATUS=%s", EXTEND_USEC, what);
    say(text);
}

void service_round(const struct node *n, const struct moment *now)
{
    struct core_view v;
    char text[256];
    unsigned online = 0;

    if (now->boot_ms < next_ms || getenv("NOTIFY_SOCKET") == NULL)
        return;
    next_ms = now->boot_ms + every_ms();
    core_view(n->core, now, &v);
    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view p;
        core_peer_view(n->core, now, i, &p);
        online += p.state == PEER_ONLINE;
    }
    snprintf(text, sizeof text,
             "WATCHDOG=1\nSTATUS=%sserver %s, %llu records wait, %u of %u other desks here",
             n->stopped ? "STOP: cannot save; " : "", watch_state_name(v.server),
             (unsigned long long)v.pending, online, core_peers(n->core));
    say(text);
}
