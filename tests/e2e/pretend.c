/* pretend.c - LD_PRELOAD: a PC with a fault. FLUSH_MS: its disk takes so long for each flush, 0: it
 * says at once that it did. FLUSH_FAILS: each flush fails while there is a file of that name.
 * CLOCK_KEPT: 1, a time service keeps its clock; 0, none does. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

static int flush(long call, int fd)
{
    const char *ms = getenv("FLUSH_MS"), *fails = getenv("FLUSH_FAILS");

    if (fails && access(fails, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    if (ms && atoi(ms) == 0)
        return 0;
    if (ms)
        usleep((useconds_t)atoi(ms) * 1000);
    return (int)syscall(call, fd);
}

int fsync(int fd)
{
    return flush(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return flush(SYS_fdatasync, fd);
}

int adjtimex(struct timex *t)
{
    const char *kept = getenv("CLOCK_KEPT");
    int rc = (int)syscall(SYS_adjtimex, t);

    if (rc >= 0 && kept)
        t->status = atoi(kept) ? t->status & ~STA_UNSYNC : t->status | STA_UNSYNC;
    return rc;
}
