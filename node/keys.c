/* keys.c - key files, and small files in general. */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#define KEY_FILE_MAX 4096

static void path_of(const char *dir, const char *name, char out[4096])
{
    snprintf(out, 4096, "%s/%s", dir, name);
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        p += k;
        n -= (size_t)k;
    }
    return true;
}

static enum err flush_dir(const char *dir, struct errmsg *msg)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

    if (fd < 0)
        return err_set(msg, ERR_DISK, "cannot open %s: %s", dir, strerror(errno));
    rc = fsync(fd);
    close(fd);
    return rc == 0 ? ERR_OK : err_set(msg, ERR_DISK, "cannot flush %s: %s", dir, strerror(errno));
}

enum err small_file_write(const char *dir, const char *name, const void *p, size_t n, unsigned mode,
                          struct errmsg *msg)
{
    char path[4096], aside[4096 + 8];
    int fd;
    bool ok;

    path_of(dir, name, path);
    snprintf(aside, sizeof aside, "%s.new", path);
    unlink(aside);
    fd = open(aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0)
        return err_set(msg, ERR_DISK, "cannot write %s: %s", path, strerror(errno));
    ok = write_all(fd, p, n) && fchmod(fd, (mode_t)mode) == 0 && fsync(fd) == 0;
    if (close(fd) != 0 || !ok || rename(aside, path) != 0) {
        int why = errno;
        unlink(aside);
        return err_set(msg, why == ENOSPC ? ERR_FULL : ERR_DISK, "cannot write %s: %s", path,
                       strerror(why));
    }
    return flush_dir(dir, msg);
}

enum err small_file_read(const char *dir, const char *name, size_t max, struct buf *out,
                         struct errmsg *msg)
{
    char path[4096];
    uint8_t chunk[4096];
    ssize_t k;
    int fd;

    path_of(dir, name, path);
    buf_reset(out);
    if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
        return errno == ENOENT || errno == ENOTDIR
                   ? err_set(msg, ERR_NOFILE, "there is no %s", path)
                   : err_set(msg, errno == EACCES ? ERR_DENIED : ERR_DISK, "cannot read %s: %s",
                             path, strerror(errno));
    while ((k = read(fd, chunk, sizeof chunk)) > 0 && out->len + (size_t)k <= max)
        buf_add(out, chunk, (size_t)k);
    close(fd);
    sodium_memzero(chunk, sizeof chunk);
    if (k != 0)
        return k < 0 ? err_set(msg, ERR_DISK, "cannot read %s: %s", path, strerror(errno))
                     : err_set(msg, ERR_MALFORMED, "%s is longer than it can be", path);
    return out->failed ? err_set(msg, ERR_NOMEM, "out of memory") : ERR_OK;
}

enum err keys_write_desk(const char *dir, const uint8_t seed[3 * SEED_BYTES], struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e;

    mp_put_array(&b, 2);
    mp_put_u64(&b, 1);
    mp_put_bin(&b, seed, 3 * SEED_BYTES);
    e = small_file_write(dir, "desk.key", b.p, b.len, 0600, msg);
    buf_wipe(&b);
    return e;
}

enum err keys_read_desk(const char *dir, struct ident *out, struct errmsg *msg)
{
    struct buf b = { 0 };
    uint8_t seed[3 * SEED_BYTES];
    struct mp m;
    enum err e = small_file_read(dir, "desk.key", KEY_FILE_MAX, &b, msg);

    if (e == ERR_NOFILE)
        return err_set(msg, e,
                       "no desk lives in %s: found a branch with \"tideover init\" or join "
                       "one with \"tideover join CODE\"",
                       dir);
    if (e == ERR_OK) {
        m = mp_over(b.p, b.len);
        if (mp_get_array(&m) == 2 && mp_get_u64(&m) == 1)
            mp_get_raw(&m, seed, sizeof seed);
        else
            m.bad = true;
        if (!mp_done(&m))
            e = err_set(msg, ERR_MALFORMED, "%s/desk.key is damaged or of a newer version", dir);
        else
            ident_from_seed(seed, out);
        sodium_memzero(seed, sizeof seed);
    }
    buf_wipe(&b);
    return e;
}

/* As far as the file system overwrites in place (store/FORMAT.md, "Erasing"). */
static void overwrite(int fd, size_t n)
{
    static const uint8_t zeros[KEY_FILE_MAX];

    if (fd >= 0 && n <= sizeof zeros && lseek(fd, 0, SEEK_SET) == 0 && write_all(fd, zeros, n))
        fsync(fd);
}

enum err keys_replace_store_key(const char *dir, const uint8_t key[KEY_BYTES], struct errmsg *msg)
{
    char path[4096];
    struct buf b = { 0 };
    uint8_t seed[3 * SEED_BYTES];
    struct mp m;
    int old;
    enum err e = small_file_read(dir, "desk.key", KEY_FILE_MAX, &b, msg);

    if (e != ERR_OK)
        return e;
    path_of(dir, "desk.key", path);
    old = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    m = mp_over(b.p, b.len);
    mp_get_array(&m);
    mp_get_u64(&m);
    if (!mp_get_raw(&m, seed, sizeof seed)) {
        e = err_set(msg, ERR_MALFORMED, "%s is damaged", path);
    } else {
        memcpy(seed + 2 * SEED_BYTES, key, KEY_BYTES);
        if ((e = keys_write_desk(dir, seed, msg)) == ERR_OK)
            overwrite(old, b.len);
    }
    if (old >= 0)
        close(old);
    sodium_memzero(seed, sizeof seed);
    buf_wipe(&b);
    return e;
}

enum err keys_write_lead(const char *dir, const uint8_t *box, size_t n, struct errmsg *msg)
{
    return small_file_write(dir, "lead.key", box, n, 0600, msg);
}

enum err keys_read_lead(const char *dir, const char *name, struct buf *out, struct errmsg *msg)
{
    return small_file_read(dir, name, KEY_FILE_MAX, out, msg);
}

void keys_remove(const char *dir, const char *name)
{
    char path[4096];

    path_of(dir, name, path);
    if (unlink(path) == 0)
        flush_dir(dir, NULL);
}

enum err keys_write_root(const char *dir, const uint8_t seed[SEED_BYTES], struct errmsg *msg)
{
    char hex[2 * SEED_BYTES + 1], text[1024];
    int n;
    enum err e;

    hex_encode(seed, SEED_BYTES, hex);
    n = snprintf(text, sizeof text,
                 "tideover branch root key, version 1\n%s\n"
                 "Whoever holds this file is above every lead of the branch. Move it off this PC\n"
                 "(two sticks, two drawers) and delete it here. It is needed only if the lead\n"
                 "passphrase is lost or a lead key is stolen.\n",
                 hex);
    e = small_file_write(dir, "root-key-backup", text, (size_t)n, 0600, msg);
    sodium_memzero(hex, sizeof hex);
    sodium_memzero(text, sizeof text);
    return e;
}

bool keys_root_is_here(const char *dir)
{
    char path[4096];

    path_of(dir, "root-key-backup", path);
    return access(path, F_OK) == 0;
}
