/* periods.c - the period keys, in memory and in the file `periods` beside LMDB.
 *
 * Beside it, because LMDB copies on write: a key deleted there would live on in a free page. Here
 * the file is written whole, and the old bytes are overwritten before they are let go. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_int.h"

#define FILE_NAME  "periods"
#define FILE_ASIDE "periods.new"
#define MAGIC      "TIDEKEYS"
#define HEAD       9 /* magic, version: in clear, and associated data */
#define ENTRY      (4 + STORE_KEY_BYTES)
/* A period ends with a settled upload, a few in each outage: centuries of them. */
#define PERIODS_MAX 65536u
#define FILE_MAX    (HEAD + SEAL_NONCE + 4 + PERIODS_MAX * ENTRY + SEAL_TAG)

/* ---- in memory ---- */

static struct ring *ring_alloc(uint32_t n)
{
    size_t bytes = sizeof(struct ring) + n * sizeof(struct period);
    struct ring *r;

    /* sodium_malloc() puts the end at a page's end: keep the start aligned. It locks the pages
     * where it may and goes on where it may not. */
    r = n > PERIODS_MAX ? NULL : sodium_malloc((bytes + 15) & ~(size_t)15);
    if (r != NULL) {
        r->refs = 1;
        r->n = n;
    }
    return r;
}

struct ring *ring_with_fresh(const struct ring *old)
{
    uint32_t n = old ? old->n : 0;
    struct ring *r = ring_alloc(n + 1);

    if (r == NULL)
        return NULL;
    if (n > 0)
        memcpy(r->v, old->v, n * sizeof r->v[0]);
    r->v[n].number = n > 0 ? old->v[n - 1].number + 1 : 1;
    randombytes_buf(r->v[n].key, STORE_KEY_BYTES);
    return r;
}

struct ring *ring_after(const struct ring *old, uint32_t upto)
{
    uint32_t first = 0;
    struct ring *r;

    while (first < old->n - 1 && old->v[first].number <= upto) /* the current one always stays */
        first++;
    if ((r = ring_alloc(old->n - first)) != NULL)
        memcpy(r->v, old->v + first, (old->n - first) * sizeof r->v[0]);
    return r;
}

void ring_free(struct ring *r)
{
    sodium_free(r);
}

const uint8_t *ring_key(const struct ring *r, uint32_t number)
{
    uint32_t lo = 0, hi = r->n;

    if (r->v[hi - 1].number == number) /* nearly always */
        return r->v[hi - 1].key;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (r->v[mid].number == number)
            return r->v[mid].key;
        if (r->v[mid].number < number)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* ---- bytes ---- */

static enum err encode(const struct ring *r, const uint8_t *desk_key, struct buf *file)
{
    size_t len = 4 + (size_t)r->n * ENTRY;
    uint8_t *p = buf_grow(file, HEAD + SEAL_NONCE + len + SEAL_TAG), *text;

    if (p == NULL)
        return ERR_NOMEM;
    memcpy(p, MAGIC, 8);
    p[8] = STORE_VERSION;
    randombytes_buf(p + HEAD, SEAL_NONCE);
    text = p + HEAD + SEAL_NONCE; /* sealed where it stands */
    put_be32(text, r->n);
    for (uint32_t i = 0; i < r->n; i++) {
        put_be32(text + 4 + i * ENTRY, r->v[i].number);
        memcpy(text + 8 + i * ENTRY, r->v[i].key, STORE_KEY_BYTES);
    }
    crypto_aead_xchacha20poly1305_ietf_encrypt(text, NULL, text, len, p, HEAD, NULL, p + HEAD,
                                               desk_key);
    return ERR_OK;
}

static enum err decode_entries(const uint8_t *text, size_t len, struct ring **out,
                               struct errmsg *msg)
{
    uint32_t n = get_be32(text), last = 0;
    bool good = n > 0 && n <= PERIODS_MAX && len == 4 + (size_t)n * ENTRY;
    struct ring *r = good ? ring_alloc(n) : NULL;

    if (good && r == NULL)
        return err_set(msg, ERR_NOMEM, "no memory for the period keys");
    for (uint32_t i = 0; good && i < n; i++) {
        r->v[i].number = get_be32(text + 4 + i * ENTRY);
        memcpy(r->v[i].key, text + 8 + i * ENTRY, STORE_KEY_BYTES);
        good = r->v[i].number > last;
        last = r->v[i].number;
    }
    if (!good) {
        ring_free(r);
        return err_why(msg, ERR_DENIED, "damaged", "", "the file " FILE_NAME " makes no sense");
    }
    *out = r;
    return ERR_OK;
}

static enum err decode(uint8_t *p, size_t n, const uint8_t *desk_key, struct ring **out,
                       struct errmsg *msg)
{
    uint8_t *text = p + HEAD + SEAL_NONCE;
    size_t len;

    if (n > HEAD && memcmp(p, MAGIC, 8) == 0 && p[8] > STORE_VERSION)
        return err_why(msg, ERR_MALFORMED, "newer", "",
                       "the file " FILE_NAME " was made by a newer tideover (form %u)", p[8]);
    if (n < HEAD + SEAL_NONCE + 4 + SEAL_TAG || memcmp(p, MAGIC, 8) != 0 || p[8] != STORE_VERSION)
        return err_why(msg, ERR_DENIED, "damaged", "", "the file " FILE_NAME " is damaged");
    len = n - HEAD - SEAL_NONCE - SEAL_TAG;
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(text, NULL, NULL, text, len + SEAL_TAG, p, HEAD,
                                                   p + HEAD, desk_key) != 0)
        return err_why(msg, ERR_DENIED, "damaged", "",
                       "the file " FILE_NAME " does not open: damaged, or of another desk key");
    return decode_entries(text, len, out, msg);
}

/* ---- the file ---- */

static bool write_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(fd, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return false;
        p += w;
        n -= (size_t)w;
    }
    return true;
}

static bool read_all(int fd, uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t r = read(fd, p, n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return false;
        p += r;
        n -= (size_t)r;
    }
    return true;
}

/* As far as the file system overwrites in place; many an SSD does not (FORMAT.md says so). */
static void overwrite(int fd)
{
    static const uint8_t zeros[4096];
    struct stat st;

    if (fstat(fd, &st) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        return;
    for (off_t left = st.st_size; left > 0; left -= (off_t)sizeof zeros)
        if (!write_all(fd, zeros, left < (off_t)sizeof zeros ? (size_t)left : sizeof zeros))
            return;
    fsync(fd);
}

enum err periods_load(int dir_fd, const uint8_t desk_key[STORE_KEY_BYTES], struct ring **out,
                      struct errmsg *msg)
{
    int fd = openat(dir_fd, FILE_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct buf file = { 0 };
    struct stat st;
    uint8_t *p;
    enum err e;

    if (fd < 0)
        return errno == ENOENT ? ERR_NOFILE : err_errno(msg, errno, "open the file " FILE_NAME);
    if (fstat(fd, &st) != 0)
        e = err_errno(msg, errno, "look at the file " FILE_NAME);
    else if (st.st_size > (off_t)FILE_MAX)
        e = err_why(msg, ERR_DENIED, "damaged", "", "the file " FILE_NAME " is far too long");
    else if ((p = buf_grow(&file, (size_t)st.st_size)) == NULL)
        e = err_set(msg, ERR_NOMEM, "no memory for the file " FILE_NAME);
    else if (!read_all(fd, p, file.len))
        e = err_set(msg, ERR_DISK, "the file " FILE_NAME " cannot be read");
    else
        e = decode(p, file.len, desk_key, out, msg);
    buf_wipe(&file);
    close(fd);
    return e;
}

static enum err write_aside(int dir_fd, const struct buf *file, struct errmsg *msg)
{
    int fd =
        openat(dir_fd, FILE_ASIDE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    enum err e = ERR_OK;

    if (fd < 0)
        return err_errno(msg, errno, "write the file " FILE_ASIDE);
    errno = ENOSPC; /* for a write that says nothing */
    if (!write_all(fd, file->p, file->len) || fsync(fd) != 0)
        e = err_errno(msg, errno, "write the file " FILE_ASIDE);
    close(fd);
    return e;
}

enum err periods_save(int dir_fd, const uint8_t desk_key[STORE_KEY_BYTES], const struct ring *r,
                      struct errmsg *msg)
{
    int old = openat(dir_fd, FILE_NAME, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    struct buf file = { 0 };
    enum err e;

    if ((e = encode(r, desk_key, &file)) != ERR_OK) {
        err_set(msg, e, "no memory for the file " FILE_NAME);
    } else if ((e = write_aside(dir_fd, &file, msg)) != ERR_OK) {
        periods_drop_leftover(dir_fd);
    } else if (renameat(dir_fd, FILE_ASIDE, dir_fd, FILE_NAME) != 0 || fsync(dir_fd) != 0) {
        e = err_errno(msg, errno, "put the new file " FILE_NAME " in place");
    } else if (old >= 0) {
        overwrite(old); /* only now: until the directory was flushed it was the only true one */
    }
    buf_wipe(&file);
    if (old >= 0)
        close(old);
    return e;
}

void periods_drop_leftover(int dir_fd)
{
    int fd = openat(dir_fd, FILE_ASIDE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return;
    overwrite(fd);
    close(fd);
    unlinkat(dir_fd, FILE_ASIDE, 0);
}
