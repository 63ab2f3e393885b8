/* spill_file.c - a temporary file that nobody else can read. */
#include "spill_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#define CHUNK 16384
#define BLOCK 64 /* of the cipher: its counter counts these */
_Static_assert(SPILL_KEY_BYTES == crypto_stream_xchacha20_KEYBYTES &&
                   SPILL_NONCE_BYTES == crypto_stream_xchacha20_NONCEBYTES,
               "the cipher's sizes");

/* Of n bytes, CHUNK at most, that stand at `at` in the file. */
static void encipher(const struct spill_file *f, uint64_t at, const uint8_t *in, uint8_t *out,
                     size_t n)
{
    uint8_t b[BLOCK + CHUNK] = { 0 };
    size_t skip = (size_t)(at % BLOCK);

    memcpy(b + skip, in, n);
    crypto_stream_xchacha20_xor_ic(b, b, skip + n, f->nonce, at / BLOCK, f->key);
    memcpy(out, b + skip, n);
    sodium_memzero(b, skip + n);
}

static enum err refusal(int why)
{
    return why == ENOSPC || why == EDQUOT ? ERR_FULL : ERR_DISK;
}

static enum err make(struct spill_file *f, struct errmsg *msg)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s/.sorting-XXXXXX", f->dir) >= (int)sizeof path)
        return err_set(msg, ERR_INVALID, "the directory's name is too long");
    if ((f->fd = mkostemp(path, O_CLOEXEC)) < 0) /* mode 0600 */
        return err_set(msg, refusal(errno), "cannot make a temporary file in %.120s: %s", f->dir,
                       strerror(errno));
    unlink(path);
    randombytes_buf(f->key, sizeof f->key);
    randombytes_buf(f->nonce, sizeof f->nonce);
    return ERR_OK;
}

static enum err write_all(struct spill_file *f, const uint8_t *p, size_t n, struct errmsg *msg)
{
    while (n > 0) {
        ssize_t done = pwrite(f->fd, p, n, (off_t)f->bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return err_set(msg, refusal(errno), "no room for a temporary file in %.120s: %s",
                           f->dir, strerror(errno));
        f->bytes += (uint64_t)done;
        p += done;
        n -= (size_t)done;
    }
    return ERR_OK;
}

static enum err append(void *ctx, const void *p, size_t n, struct errmsg *msg)
{
    struct spill_file *f = ctx;
    const uint8_t *b = p;
    uint8_t chunk[CHUNK];
    enum err e = f->fd < 0 ? make(f, msg) : ERR_OK;

    while (e == ERR_OK && n > 0) {
        size_t some = n < CHUNK ? n : CHUNK;
        encipher(f, f->bytes, b, chunk, some);
        e = write_all(f, chunk, some, msg);
        b += some;
        n -= some;
    }
    return e;
}

static enum err read_all(const struct spill_file *f, uint64_t at, uint8_t *p, size_t n,
                         struct errmsg *msg)
{
    while (n > 0) {
        ssize_t got = pread(f->fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_set(msg, ERR_DISK, "a temporary file cannot be read: %s",
                           got < 0 ? strerror(errno) : "it is too short");
        at += (uint64_t)got;
        p += got;
        n -= (size_t)got;
    }
    return ERR_OK;
}

static enum err read_back(void *ctx, uint64_t at, void *p, size_t n, struct errmsg *msg)
{
    const struct spill_file *f = ctx;
    uint8_t *b = p;
    enum err e = ERR_OK;

    while (e == ERR_OK && n > 0) {
        size_t some = n < CHUNK ? n : CHUNK;
        if ((e = read_all(f, at, b, some, msg)) == ERR_OK)
            encipher(f, at, b, b, some);
        at += some;
        b += some;
        n -= some;
    }
    return e;
}

const struct spill *spill_file_init(struct spill_file *f, const char *dir)
{
    *f = (struct spill_file){ .dir = dir, .fd = -1 };
    f->lent = (struct spill){ f, append, read_back };
    return &f->lent;
}

void spill_file_close(struct spill_file *f)
{
    if (f->dir && f->fd >= 0)
        close(f->fd);
    sodium_memzero(f, sizeof *f);
}
