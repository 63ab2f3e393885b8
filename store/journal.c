/* journal.c - the file that makes a commit durable by one flush.
 *
 * LMDB flushes twice for each commit, its pages and then its meta page, and writes every page on
 * the way from the root. So a small batch is written here, and LMDB's transaction stays open until
 * many have gathered (batch.c). The file was written full of zeros once: a flush then writes data
 * alone, no sizes. Nothing is ever taken away: an entry names its round, a number in LMDB that
 * rises in the very commit that has all entries of the round before. An entry begins with a block
 * of its own, so that no sector that was acknowledged is ever written again. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "store_int.h"

#define FILE_NAME "journal"
#define MAGIC     "TIDEJRNL"
#define SIGNED    24 /* magic, round, number, length; then the hash */
#define HEAD      (SIGNED + HASH)
#define HASH      sizeof(((struct journal *)0)->hash)

static size_t blocks(size_t n)
{
    return (HEAD + n + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
}

static void make_head(const struct journal *j, const uint8_t *ops, size_t n, uint8_t head[HEAD])
{
    crypto_generichash_state st;

    memcpy(head, MAGIC, 8);
    put_be64(head + 8, j->round);
    put_be32(head + 16, j->n);
    put_be32(head + 20, (uint32_t)n);
    crypto_generichash_init(&st, NULL, 0, HASH);
    crypto_generichash_update(&st, j->hash, HASH);
    crypto_generichash_update(&st, head, SIGNED);
    crypto_generichash_update(&st, ops, n);
    crypto_generichash_final(&st, head + SIGNED, HASH);
}

static void step(struct journal *j, const uint8_t head[HEAD], size_t n)
{
    j->at += blocks(n);
    j->n++;
    memcpy(j->hash, head + SIGNED, HASH);
}

/* ---- the file ---- */

static enum err fill(int fd, int env_fd, struct errmsg *msg)
{
    static const uint8_t zeros[1 << 16];

    errno = ENOSPC; /* for a write that stops half way */
    for (off_t at = 0; at < JOURNAL_BYTES; at += (off_t)sizeof zeros)
        if (pwrite(fd, zeros, sizeof zeros, at) != (ssize_t)sizeof zeros)
            return err_errno(msg, errno, "make the journal of the store");
    if (ftruncate(fd, JOURNAL_BYTES) != 0 || fsync(fd) != 0 || fsync(env_fd) != 0)
        return err_errno(msg, errno, "flush the journal of the store");
    return ERR_OK;
}

enum err journal_open(struct journal *j, const char *env_path, bool fresh, struct errmsg *msg)
{
    int env_fd = open(env_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (fresh ? O_CREAT : 0);
    struct stat st;
    enum err e = ERR_OK;

    if (env_fd < 0)
        return err_errno(msg, errno, "open the folder of the store");
    journal_close(j);
    if ((j->fd = openat(env_fd, FILE_NAME, flags, 0600)) < 0 || fstat(j->fd, &st) != 0)
        e = errno == ENOENT ? err_why(msg, ERR_DENIED, "damaged", "",
                                      "the store is damaged: its file " FILE_NAME " is missing")
                            : err_errno(msg, errno, "open the journal of the store");
    else if (fresh)
        e = fill(j->fd, env_fd, msg);
    else if (st.st_size != JOURNAL_BYTES)
        e = err_why(msg, ERR_DENIED, "damaged", "",
                    "the store is damaged: its file " FILE_NAME " has another length");
    close(env_fd);
    return e;
}

void journal_close(struct journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    j->fd = -1;
}

void journal_begin(struct journal *j, uint64_t round)
{
    j->round = round;
    j->n = 0;
    j->at = 0;
    memset(j->hash, 0, HASH);
}

/* ---- writing ---- */

bool journal_has_room(const struct journal *j, size_t n)
{
    return n < JOURNAL_BYTES && blocks(n) <= JOURNAL_BYTES - j->at;
}

enum err journal_add(struct journal *j, const uint8_t *ops, size_t n, struct errmsg *msg)
{
    uint8_t head[HEAD];
    struct iovec v[] = { { head, HEAD }, { (void *)ops, n } };

    make_head(j, ops, n, head);
    errno = EIO; /* for a write that stops half way: the room is there */
    if (pwritev(j->fd, v, 2, (off_t)j->at) != (ssize_t)(HEAD + n))
        return err_errno(msg, errno, "write the journal of the store");
    if (fdatasync(j->fd) != 0) /* size and place have been there since the file was made */
        return err_errno(msg, errno, "flush the journal of the store");
    step(j, head, n);
    return ERR_OK;
}

/* What was written behind and not acknowledged is not found later. That may fail: the disk did. */
void journal_cut(const struct journal *j)
{
    static const uint8_t zeros[HEAD];

    if (journal_has_room(j, 0) && pwrite(j->fd, zeros, HEAD, (off_t)j->at) == (ssize_t)HEAD)
        fdatasync(j->fd);
}

/* ---- reading ---- */

enum err journal_load(const struct journal *j, struct buf *all, struct errmsg *msg)
{
    uint8_t *p;

    buf_reset(all);
    if ((p = buf_grow(all, JOURNAL_BYTES)) == NULL)
        return err_set(msg, ERR_NOMEM, "no memory for the journal of the store");
    errno = EIO;
    if (pread(j->fd, p, JOURNAL_BYTES, 0) != JOURNAL_BYTES)
        return err_errno(msg, errno, "read the journal of the store");
    return ERR_OK;
}

/* The next entry is written once this one is flushed: so the last one may be torn, and was never
 * acknowledged then, but none before it. A later round follows a commit that LMDB has lost. */
static enum err end(const struct journal *j, const struct buf *all, struct errmsg *msg)
{
    for (size_t at = 0; at < all->len; at += JOURNAL_BLOCK) {
        const uint8_t *p = all->p + at;
        uint64_t round = get_be64(p + 8);
        if (memcmp(p, MAGIC, 8) == 0 &&
            (round > j->round || (round == j->round && get_be32(p + 16) > j->n)))
            return err_why(msg, ERR_DENIED, "damaged", "",
                           "the store is damaged: its journal does not follow");
    }
    return ERR_MISSING;
}

enum err journal_next(struct journal *j, const struct buf *all, const uint8_t **ops, size_t *n,
                      struct errmsg *msg)
{
    const uint8_t *p = all->p + j->at;
    uint8_t head[HEAD];

    if (!journal_has_room(j, 0) || !journal_has_room(j, *n = get_be32(p + 20)))
        return end(j, all, msg);
    make_head(j, p + HEAD, *n, head);
    if (memcmp(head, p, HEAD) != 0)
        return end(j, all, msg);
    *ops = p + HEAD;
    step(j, head, *n);
    return ERR_OK;
}
