/* credential.c - finding, reading and writing secrets that lie in files. */
#include "credential.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

bool credential_name_is_valid(const char *s)
{
    return *s != '\0' && *s != '.' && strlen(s) <= CREDENTIAL_NAME_MAX &&
           s[strspn(s, NAME_CHARS)] == '\0';
}

static enum err file_name(const char *name, const char *kind, char out[CREDENTIAL_NAME_MAX + 1],
                          struct errmsg *msg)
{
    char all[2 * CREDENTIAL_NAME_MAX];
    bool has_kind = kind && *kind != '\0';

    snprintf(all, sizeof all, "%s%s%s", name, has_kind ? "." : "", has_kind ? kind : "");
    if (*name == '\0' || !credential_name_is_valid(all))
        return err_set(msg, ERR_CONFIG,
                       "a credential's name is made of letters, digits, . _ and -, %d at most",
                       CREDENTIAL_NAME_MAX);
    memcpy(out, all, strlen(all) + 1);
    return ERR_OK;
}

static bool ends_in(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);

    return n > k && strcmp(s + n - k, end) == 0;
}

/* systemd gives its files to the service by an access list, which shows in the group's read bit;
 * the directory is the service's own. */
static mode_t may_not_be(const char *file, bool from_systemd)
{
    if (ends_in(file, ".ca")) /* no secret; but whoever may write it decides whom we trust */
        return 022;
    return from_systemd ? 037 : 077;
}

static enum err is_safe(int fd, const char *file, bool from_systemd, struct errmsg *msg)
{
    struct stat st;

    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return err_set(msg, ERR_CONFIG, "the credential %s is not a file", file);
    if ((st.st_mode & may_not_be(file, from_systemd)) != 0 ||
        (st.st_uid != geteuid() && st.st_uid != 0))
        return err_set(msg, ERR_CONFIG,
                       "others on this PC can read or change the credential %s: make it the "
                       "service's own (chmod 600), and renew what it holds",
                       file);
    if (st.st_size == 0 || st.st_size > CREDENTIAL_BYTES_MAX)
        return err_set(msg, ERR_CONFIG, "the credential %s is %s", file,
                       st.st_size == 0 ? "empty" : "too long");
    return ERR_OK;
}

/* An open descriptor of what may be used, or -1 with *e: ERR_MISSING if there is none. */
static int open_in(const char *dir, const char *file, bool from_systemd, char path[4096],
                   enum err *e, struct errmsg *msg)
{
    int fd, n = snprintf(path, 4096, "%s/%s", dir, file);

    if (n < 0 || n >= 4096) {
        *e = err_set(msg, ERR_CONFIG, "the name of the credentials' directory is too long");
        return -1;
    }
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        *e = errno == ENOENT || errno == ENOTDIR ? ERR_MISSING : ERR_CONFIG;
        if (errno == ELOOP)
            err_set(msg, *e, "the credential %s is a link: put the file itself there", file);
        else
            err_set(msg, *e, "cannot read the credential %s: %s", file, strerror(errno));
        return -1;
    }
    if ((*e = is_safe(fd, file, from_systemd, msg)) == ERR_OK)
        return fd;
    close(fd);
    return -1;
}

/* As open_in, in both places. */
static int open_any(const char *state_dir, const char *name, const char *kind, char path[4096],
                    enum err *e, struct errmsg *msg)
{
    const char *systemd = getenv("CREDENTIALS_DIRECTORY");
    char dir[4096], file[CREDENTIAL_NAME_MAX + 1];
    int fd = -1;

    if ((*e = file_name(name, kind, file, msg)) != ERR_OK)
        return -1;
    *e = ERR_MISSING;
    if (systemd && *systemd == '/')
        fd = open_in(systemd, file, true, path, e, msg);
    if (fd >= 0 || *e != ERR_MISSING)
        return fd;
    snprintf(dir, sizeof dir, "%s/credentials", state_dir);
    fd = open_in(dir, file, false, path, e, msg);
    if (*e == ERR_MISSING)
        err_set(msg, *e,
                "this desk has no credential %s: put it there with tideover credential set %s",
                file, file);
    return fd;
}

enum err credential_find(const char *state_dir, const char *name, const char *kind, char path[4096],
                         struct errmsg *msg)
{
    enum err e = ERR_OK;
    int fd = open_any(state_dir, name, kind, path, &e, msg);

    if (fd >= 0)
        close(fd);
    return e;
}

static size_t read_all(int fd, char *out, size_t room)
{
    size_t n = 0;
    ssize_t k;

    while (n < room && (k = read(fd, out + n, room - n)) != 0) {
        if (k < 0 && errno != EINTR)
            return 0;
        n += k > 0 ? (size_t)k : 0;
    }
    return n;
}

/* Takes the line's end away. What is left must be one line that a header or a login can carry. */
static bool is_one_line(char *s, size_t *n)
{
    if (*n > 0 && s[*n - 1] == '\n')
        (*n)--;
    if (*n > 0 && s[*n - 1] == '\r')
        (*n)--;
    for (size_t i = 0; i < *n; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
            return false;
    return *n > 0 && *n <= CREDENTIAL_LINE_MAX;
}

enum err credential_read(const char *state_dir, const char *name, const char *kind,
                         char out[CREDENTIAL_LINE_MAX + 1], struct errmsg *msg)
{
    char path[4096], text[CREDENTIAL_LINE_MAX + 3];
    enum err e = ERR_OK;
    int fd = open_any(state_dir, name, kind, path, &e, msg);
    size_t n;

    if (fd < 0)
        return e;
    n = read_all(fd, text, sizeof text);
    close(fd);
    if (is_one_line(text, &n)) {
        memcpy(out, text, n);
        out[n] = '\0';
    } else {
        e = err_set(msg, ERR_CONFIG, "the credential %s must be one line of text, %d bytes at most",
                    strrchr(path, '/') + 1, CREDENTIAL_LINE_MAX);
    }
    sodium_memzero(text, sizeof text);
    return e;
}

/* ---- writing ---- */

static bool begins(const char *p, size_t n, const char *with)
{
    return n > strlen(with) && memcmp(p, with, strlen(with)) == 0;
}

static enum err check_content(const char *file, const char *p, size_t n, struct errmsg *msg)
{
    char line[CREDENTIAL_LINE_MAX + 3];
    bool good;

    if (ends_in(file, ".key"))
        return begins(p, n, "-----BEGIN ")
                   ? ERR_OK
                   : err_set(msg, ERR_INVALID,
                             "that is no private SSH key: give the file that ssh-keygen wrote "
                             "without .pub");
    if (ends_in(file, ".ca"))
        return n > 0 && memmem(p, n, "-----BEGIN CERTIFICATE-----", 27)
                   ? ERR_OK
                   : err_set(msg, ERR_INVALID, "that is no certificate in PEM form");
    if (n > sizeof line)
        n = sizeof line;
    memcpy(line, p, n);
    good = is_one_line(line, &n);
    sodium_memzero(line, sizeof line);
    return good ? ERR_OK
                : err_set(msg, ERR_INVALID, "a secret is one line of text, 1 to %d bytes",
                          CREDENTIAL_LINE_MAX);
}

static bool write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno != EINTR)
            return false;
        p += k > 0 ? k : 0;
        n -= k > 0 ? (size_t)k : 0;
    }
    return true;
}

/* root may set what the service will read. */
static bool give_to_owner(int fd, const char *state_dir)
{
    struct stat st;

    return geteuid() != 0 || (stat(state_dir, &st) == 0 && fchown(fd, st.st_uid, st.st_gid) == 0);
}

static int open_dir(const char *state_dir)
{
    char dir[4096];
    int fd;

    snprintf(dir, sizeof dir, "%s/credentials", state_dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return -1;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && (!give_to_owner(fd, state_dir) || fchmod(fd, 0700) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

enum err credential_set(const char *state_dir, const char *name, const char *kind, const void *p,
                        size_t n, struct errmsg *msg)
{
    char file[CREDENTIAL_NAME_MAX + 1], aside[CREDENTIAL_NAME_MAX + 8];
    enum err e = file_name(name, kind, file, msg);
    int dir, fd = -1;
    bool good;

    if (e == ERR_OK)
        e = check_content(file, p, n, msg);
    if (e != ERR_OK)
        return e;
    snprintf(aside, sizeof aside, ".%s.new", file);
    if ((dir = open_dir(state_dir)) >= 0) {
        unlinkat(dir, aside, 0);
        fd = openat(dir, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    }
    good = fd >= 0 && give_to_owner(fd, state_dir) && write_all(fd, p, n) && fsync(fd) == 0;
    good = good && renameat(dir, aside, dir, file) == 0 && fsync(dir) == 0;
    if (!good) {
        e = err_set(msg, ERR_DISK, "cannot write into %.150s/credentials: %s", state_dir,
                    strerror(errno));
        if (fd >= 0)
            unlinkat(dir, aside, 0);
    }
    if (fd >= 0)
        close(fd);
    if (dir >= 0)
        close(dir);
    return e;
}

/* ---- listing ---- */

static enum err each_in(const char *dir, bool from_systemd, credential_each_fn *each, void *ctx,
                        struct errmsg *msg)
{
    DIR *d = opendir(dir);
    const struct dirent *entry;

    if (!d && errno == ENOENT)
        return ERR_OK;
    if (!d)
        return err_set(msg, ERR_DISK, "cannot look into %.180s: %s", dir, strerror(errno));
    while ((entry = readdir(d)) != NULL) {
        struct errmsg why = { .text = "" };
        char path[4096];
        enum err e;
        int fd;

        if (!credential_name_is_valid(entry->d_name))
            continue;
        if ((fd = open_in(dir, entry->d_name, from_systemd, path, &e, &why)) >= 0)
            close(fd);
        each(ctx, entry->d_name, from_systemd, why.text);
    }
    closedir(d);
    return ERR_OK;
}

enum err credential_each(const char *state_dir, credential_each_fn *each, void *ctx,
                         struct errmsg *msg)
{
    const char *systemd = getenv("CREDENTIALS_DIRECTORY");
    char dir[4096];
    enum err e = ERR_OK;

    if (systemd && *systemd == '/')
        e = each_in(systemd, true, each, ctx, msg);
    snprintf(dir, sizeof dir, "%s/credentials", state_dir);
    return e == ERR_OK ? each_in(dir, false, each, ctx, msg) : e;
}
