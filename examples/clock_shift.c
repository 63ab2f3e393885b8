/* clock_shift.c - LD_PRELOAD: a PC whose wall clock is CLOCK_SHIFT seconds ahead. Built by
 * desk_day.py and a test. The address sanitizer wants to be loaded first: its builds go without. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static time_t shift(void)
{
    const char *s = getenv("CLOCK_SHIFT");

    return s ? (time_t)atoll(s) : 0;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
    int rc = (int)syscall(SYS_clock_gettime, id, t);

    if (rc == 0 && id == CLOCK_REALTIME)
        t->tv_sec += shift();
    return rc;
}

time_t time(time_t *out)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    if (out)
        *out = t.tv_sec;
    return t.tv_sec;
}
