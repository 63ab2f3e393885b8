/* batch.c - the writer's side: puts and dels that become durable together or not at all.
 *
 * The batch is written twice, into LMDB's transaction and into a log in memory. LMDB ends a
 * transaction that meets the end of the map, and a map cannot grow under one; so such a batch is
 * dropped, the map doubled, and the batch played again from the log. Values are sealed straight
 * into the log, from where LMDB copies them into its page. */
#include <errno.h>
#include <string.h>

#include "store_int.h"

#define LOG_KEEP    (256u << 10) /* a larger log is given back after its commit */
#define NEARLY_FULL (1u << 20)

struct op {
    uint32_t len; /* of the sealed value */
    uint8_t table, n;
    bool del;
};

/* ---- failing for good ---- */

enum err store_fail(struct store *s, enum err code)
{
    s->failed = code;
    return code;
}

static enum err usable(const struct store *s)
{
    return s->failed ? (enum err)s->failed : s->batch_err;
}

/* LMDB reports a short write as EIO; on a full disk that is what it was. */
static int tell_full(const struct store *s, int rc)
{
    return rc == EIO && env_disk_free(s) < NEARLY_FULL ? ENOSPC : rc;
}

/* ---- the log ---- */

static void log_reset(struct store *s)
{
    if (s->log.cap > LOG_KEEP)
        buf_free(&s->log);
    else
        buf_reset(&s->log);
    s->batch_bytes = 0;
    s->batch_puts = 0;
    s->batch_err = ERR_OK;
}

static int apply(struct store *s, size_t *at)
{
    struct op op;
    uint8_t *p = s->log.p + *at + sizeof op;
    MDB_val k, v;
    int rc;

    memcpy(&op, s->log.p + *at, sizeof op);
    *at += sizeof op + op.n + op.len;
    k = (MDB_val){ op.n, p };
    v = (MDB_val){ op.len, p + op.n };
    if (!op.del)
        return mdb_put(s->batch, s->dbi[op.table], &k, &v, 0);
    rc = mdb_del(s->batch, s->dbi[op.table], &k, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int replay(struct store *s)
{
    int rc = mdb_txn_begin(s->env, NULL, 0, &s->batch);

    for (size_t at = 0; rc == 0 && at < s->log.len;)
        rc = apply(s, &at);
    return rc;
}

static void drop_txn(struct store *s)
{
    mdb_txn_abort(s->batch); /* NULL is fine */
    s->batch = NULL;
}

/* The map is full: make it larger until the whole log fits, or say that it cannot. */
static int rescue(struct store *s)
{
    int rc = MDB_MAP_FULL;

    while (rc == MDB_MAP_FULL) {
        drop_txn(s);
        if (env_grow(s, NULL) != ERR_OK)
            break;
        rc = replay(s);
    }
    return rc;
}

/* ---- puts and dels ---- */

/* The core may not look at what put returns; so a refusal spoils the batch, and no half of an
 * event ever becomes durable. */
static enum err refuse(struct store *s, enum err code)
{
    drop_txn(s);
    s->batch_err = code;
    return code;
}

static enum err add(struct store *s, struct op op, const void *key, const void *val, size_t len)
{
    struct place at = { table_rows[op.table].number, key, op.n };
    const struct period *now = &s->ring->v[s->ring->n - 1];
    size_t start = s->log.len;
    uint8_t *p;
    int rc = 0;

    if (s->batch == NULL && (rc = mdb_txn_begin(s->env, NULL, 0, &s->batch)) != 0)
        return refuse(s, err_lmdb(NULL, rc, ""));
    if ((p = buf_grow(&s->log, sizeof op + op.n + op.len)) == NULL)
        return refuse(s, ERR_NOMEM);
    memcpy(p, &op, sizeof op);
    memcpy(p + sizeof op, key, op.n);
    if (!op.del)
        seal_value(p + sizeof op + op.n, now->number, now->key, &at, val, len);
    s->batch_bytes += len;
    s->batch_puts++;
    rc = apply(s, &start);
    if (rc == MDB_MAP_FULL)
        rc = rescue(s);
    return rc == 0 ? ERR_OK : refuse(s, err_lmdb(NULL, tell_full(s, rc), ""));
}

static enum err check(const struct store *s, size_t n, size_t len)
{
    if (n == 0 || n > DISK_KEY_MAX || len > DISK_VALUE_MAX)
        return ERR_BUG;
    if (len > BATCH_BYTES_MAX - s->batch_bytes || s->batch_puts == BATCH_PUTS_MAX)
        return ERR_FULL;
    return ERR_OK;
}

static enum err writer_put(void *ctx, enum table t, const void *key, size_t n, const void *val,
                           size_t len)
{
    struct store *s = ctx;
    struct op op = { .table = (uint8_t)t, .n = (uint8_t)n, .len = (uint32_t)(len + SEAL_EXTRA) };
    enum err e = usable(s);

    if (e != ERR_OK)
        return e;
    e = check(s, n, len);
    return e == ERR_OK ? add(s, op, key, val, len) : refuse(s, e);
}

static enum err writer_del(void *ctx, enum table t, const void *key, size_t n)
{
    struct store *s = ctx;
    struct op op = { .table = (uint8_t)t, .n = (uint8_t)n, .del = true };
    enum err e = usable(s);

    if (e != ERR_OK)
        return e;
    e = check(s, n, 0);
    return e == ERR_OK ? add(s, op, key, NULL, 0) : refuse(s, e);
}

/* ---- reads of the writer: they see the batch, or else what is durable now ---- */

static enum err read_begin(struct store *s, struct view *v)
{
    enum err e = usable(s);
    int rc;

    *v = (struct view){ .s = s, .ring = s->ring, .txn = s->batch };
    if (e != ERR_OK || v->txn != NULL)
        return e;
    rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &v->txn);
    return rc == 0 ? ERR_OK : err_lmdb(NULL, rc, "");
}

static void read_end(struct store *s, struct view *v)
{
    view_close_cursors(v);
    if (v->txn != s->batch)
        mdb_txn_abort(v->txn);
}

static enum err writer_get(void *ctx, enum table t, const void *key, size_t n, struct buf *val)
{
    struct view v;
    enum err e = read_begin(ctx, &v);

    if (e != ERR_OK)
        return e;
    e = view_get(&v, t, key, n, val);
    read_end(ctx, &v);
    return e;
}

static enum err writer_seek(void *ctx, enum table t, const void *key, size_t n, int dir,
                            uint8_t *key_out, size_t *key_len, struct buf *val)
{
    struct view v;
    enum err e = read_begin(ctx, &v);

    if (e != ERR_OK)
        return e;
    e = view_seek(&v, t, key, n, dir > 0 ? FIND_FROM : FIND_BEFORE, key_out, key_len, val);
    read_end(ctx, &v);
    return e;
}

void batch_init(struct store *s)
{
    s->disk = (struct disk){ s, writer_get, writer_seek, writer_put, writer_del };
}

const struct disk *store_disk(struct store *s)
{
    return &s->disk;
}

/* ---- the end of a batch ---- */

static int commit_txn(struct store *s)
{
    int rc;

    do {
        rc = mdb_txn_commit(s->batch);
        s->batch = NULL; /* LMDB frees it even when commit fails */
    } while (rc == MDB_MAP_FULL && (rc = rescue(s)) == 0 && s->batch != NULL);
    return rc;
}

enum err store_commit(struct store *s, struct errmsg *msg)
{
    enum err e = s->batch_err;
    int rc;

    if (s->failed) {
        if (msg != NULL)
            *msg = s->failure;
        return (enum err)s->failed;
    }
    if (e != ERR_OK) {
        err_set(&s->failure, e, "the batch was refused: %s", err_text(e));
    } else if (s->batch == NULL) {
        return ERR_OK;
    } else if ((rc = commit_txn(s)) != 0) {
        e = err_lmdb(&s->failure, tell_full(s, rc), "write the store");
    }
    store_abort(s);
    if (e != ERR_OK) {
        s->commit_failures++;
        if (msg != NULL)
            *msg = s->failure;
        return store_fail(s, e);
    }
    s->commits++;
    env_measure(s);
    s->acked_txn = s->last_txn;
    if (s->used_bytes > s->grow_at)
        env_grow(s, NULL); /* refused: there is room left, and rescue() tries again */
    return ERR_OK;
}

void store_abort(struct store *s)
{
    drop_txn(s);
    log_reset(s);
}

bool store_batch_is_open(const struct store *s)
{
    return s->batch != NULL || s->batch_err != ERR_OK;
}
