/* noflush.c - LD_PRELOAD: a system whose flushes do nothing. The control of the power-cut test:
 * with this between the program and its disk, that test must find what is missing. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/types.h>

int fsync(int fd)
{
    (void)fd;
    return 0;
}

int fdatasync(int fd)
{
    (void)fd;
    return 0;
}

int msync(void *p, size_t n, int flags)
{
    (void)p;
    (void)n;
    (void)flags;
    return 0;
}

static int open_lazily(const char *name, int dir, const char *path, int flags, mode_t mode)
{
    int (*next)(int, const char *, int, ...) =
        (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, name);

    return next(dir, path, flags & ~(O_DSYNC | O_SYNC), mode);
}

#define MODE_OF(flags, mode)                                                                       \
    va_list rest;                                                                                  \
    va_start(rest, flags);                                                                         \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0;                      \
    va_end(rest)

int open(const char *path, int flags, ...)
{
    MODE_OF(flags, mode);
    return open_lazily("openat", AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_OF(flags, mode);
    return open_lazily("openat64", AT_FDCWD, path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    MODE_OF(flags, mode);
    return open_lazily("openat", dir, path, flags, mode);
}
