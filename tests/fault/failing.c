/* failing.c - LD_PRELOAD: the k-th allocation, write to a file or flush fails, once.
 *
 *     FAULT_CALL   alloc, write or flush
 *     FAULT_AT     k, from 1; 0 only counts
 *     FAULT_OURS   only calls that the main program itself makes (libzmq aborts when it gets no
 * memory) FAULT_TOLD   a file: "reached" is written when the call failed, "count N" at the end
 *
 * Only once, because a program that asks again must not be told that all is well: after a failed
 * flush the kernel forgets what was not written (Rebello et al., ATC 2020). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

enum call { CALL_NONE, CALL_ALLOC, CALL_WRITE, CALL_FLUSH };

static enum call wanted; /* CALL_NONE until the program's libraries are loaded */
static unsigned long at;
static bool ours;
static const char *told;
static atomic_ulong counted;
static uintptr_t text_begin, text_end; /* of the main program */

static int find_text(struct dl_phdr_info *info, size_t size, void *ctx)
{
    (void)size;
    (void)ctx;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type == PT_LOAD && (h->p_flags & PF_X) != 0) {
            text_begin = info->dlpi_addr + h->p_vaddr;
            text_end = text_begin + h->p_memsz;
        }
    }
    return 1; /* the first one is the program */
}

static void tell(const char *text)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, told, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (fd < 0)
        return;
    syscall(SYS_write, fd, text, strlen(text));
    syscall(SYS_close, fd);
}

__attribute__((constructor)) static void begin(void)
{
    const char *call = getenv("FAULT_CALL"), *k = getenv("FAULT_AT");

    ours = getenv("FAULT_OURS") != NULL;
    told = getenv("FAULT_TOLD");
    if (call == NULL || k == NULL || told == NULL)
        return;
    dl_iterate_phdr(find_text, NULL);
    at = strtoul(k, NULL, 10);
    wanted = strcmp(call, "alloc") == 0   ? CALL_ALLOC
             : strcmp(call, "write") == 0 ? CALL_WRITE
                                          : CALL_FLUSH;
}

__attribute__((destructor)) static void end(void)
{
    char text[40];

    if (wanted == CALL_NONE)
        return;
    wanted = CALL_NONE;
    snprintf(text, sizeof text, "count %lu\n", atomic_load(&counted));
    tell(text);
}

static bool fails(enum call call, const void *caller)
{
    uintptr_t from = (uintptr_t)caller;

    if (call != wanted || (ours && (from < text_begin || from >= text_end)))
        return false;
    if (atomic_fetch_add(&counted, 1) + 1 != at)
        return false;
    tell("reached\n");
    return true;
}

#define CALLER __builtin_return_address(0)

/* ---- memory ---- */

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t n)
{
    return fails(CALL_ALLOC, CALLER) ? no_memory() : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails(CALL_ALLOC, CALLER) ? no_memory() : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return fails(CALL_ALLOC, CALLER) ? no_memory() : __libc_realloc(p, n);
}

/* ---- files; sockets and eventfds are other tests' matter ---- */

static bool write_fails(int fd, const void *caller)
{
    struct stat st;

    if (wanted != CALL_WRITE || fd == STDOUT_FILENO || fd == STDERR_FILENO || fstat(fd, &st) != 0 ||
        !S_ISREG(st.st_mode) || !fails(CALL_WRITE, caller))
        return false;
    errno = EIO;
    return true;
}

ssize_t write(int fd, const void *p, size_t n)
{
    return write_fails(fd, CALLER) ? -1 : (ssize_t)syscall(SYS_write, fd, p, n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t where)
{
    return write_fails(fd, CALLER) ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, p, n, where);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t where)
{
    return write_fails(fd, CALLER) ? -1 : (ssize_t)syscall(SYS_pwrite64, fd, p, n, where);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    return write_fails(fd, CALLER) ? -1 : (ssize_t)syscall(SYS_writev, fd, v, n);
}

ssize_t pwritev(int fd, const struct iovec *v, int n, off_t where)
{
    return write_fails(fd, CALLER) ? -1 : (ssize_t)syscall(SYS_pwritev, fd, v, n, where, 0);
}

/* ---- flushes ---- */

static bool flush_fails(const void *caller)
{
    if (!fails(CALL_FLUSH, caller))
        return false;
    errno = EIO;
    return true;
}

int fsync(int fd)
{
    return flush_fails(CALLER) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
    return flush_fails(CALLER) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int msync(void *p, size_t n, int flags)
{
    return flush_fails(CALLER) ? -1 : (int)syscall(SYS_msync, p, n, flags);
}
