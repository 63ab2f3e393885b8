/* batch.c - the writer's side: puts and dels that become durable together or not at all.
 *
 * A batch is written twice, into LMDB's transaction and into a log in memory. A commit appends its
 * part of the log to the journal and flushes that; LMDB's transaction stays open, and is committed
 * ("settled") when the log has grown, when a batch is too large for the journal, and when somebody
 * wants a snapshot. The log serves a full map, too: LMDB ends a transaction that meets the end of
 * the map, and a map cannot grow under one; so it is dropped, the map doubled, and everything
 * played again. Values are sealed straight into the log, from where LMDB copies them into its page.
 */
#include <errno.h>
#include <string.h>

#include "store_int.h"

#define LOG_KEEP     (256u << 10) /* a larger log is given back after its commit */
#define SETTLE_BYTES (128u << 10) /* of the log: LMDB holds its pages in memory until then */
#define SETTLE_PUTS  8192u /* with a whole batch behind them still below BATCH_PUTS_MAX's bound */
#define NEARLY_FULL  (1u << 20)

/* In the log and in the journal: table (its number in FORMAT.md), length of the key, 1 for a del,
 * length of the sealed value be32; key; sealed value. */
#define OP_HEAD 7

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

/* What the log has by now is durable. */
static void batch_begin(struct store *s)
{
    s->log_acked = s->log.len;
    s->batch_bytes = 0;
    s->batch_puts = 0;
    s->batch_err = ERR_OK;
}

static void log_reset(struct store *s)
{
    if (s->log.cap > LOG_KEEP)
        buf_free(&s->log);
    else
        buf_reset(&s->log);
    s->txn_puts = 0;
    batch_begin(s);
}

static void put_op(const struct op *op, uint8_t *p)
{
    p[0] = table_rows[op->table].number;
    p[1] = (uint8_t)op->n;
    p[2] = op->del;
    put_be32(p + 3, (uint32_t)op->len);
    memcpy(p + OP_HEAD, op->key, op->n);
}

bool op_get(const uint8_t **p, const uint8_t *end, struct op *op)
{
    const uint8_t *head = *p;
    size_t left = (size_t)(end - head);
    unsigned t = 0;

    if (left < OP_HEAD)
        return false;
    while (t < TABLE_COUNT && table_rows[t].number != head[0])
        t++;
    *op = (struct op){ .table = (enum table)t,
                       .key = head + OP_HEAD,
                       .n = head[1],
                       .del = head[2],
                       .len = get_be32(head + 3) };
    left -= OP_HEAD;
    if (t == TABLE_COUNT || op->n == 0 || op->n > DISK_KEY_MAX || op->n > left ||
        op->len > left - op->n)
        return false;
    op->box = op->key + op->n;
    *p = op->box + op->len;
    return true;
}

/* One op of the log. */
static int apply(struct store *s, const uint8_t **p)
{
    struct op op;
    MDB_val k, v;
    int rc;

    if (!op_get(p, s->log.p + s->log.len, &op))
        return MDB_CORRUPTED;
    k = (MDB_val){ op.n, (void *)op.key };
    v = (MDB_val){ op.len, (void *)op.box };
    if (!op.del)
        return mdb_put(s->batch, s->dbi[op.table], &k, &v, 0);
    rc = mdb_del(s->batch, s->dbi[op.table], &k, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int replay(struct store *s)
{
    int rc = mdb_txn_begin(s->env, NULL, 0, &s->batch);
    const uint8_t *p = s->log.p, *end = p + s->log.len;

    while (rc == 0 && p < end)
        rc = apply(s, &p);
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

static enum err add(struct store *s, const struct op *op, const void *val, size_t len)
{
    struct place at = { table_rows[op->table].number, op->key, op->n };
    const struct period *now = &s->ring->v[s->ring->n - 1];
    const uint8_t *start;
    uint8_t *p;
    int rc = 0;

    if (s->batch == NULL && (rc = mdb_txn_begin(s->env, NULL, 0, &s->batch)) != 0)
        return refuse(s, err_lmdb(NULL, rc, ""));
    if ((p = buf_grow(&s->log, OP_HEAD + op->n + op->len)) == NULL)
        return refuse(s, ERR_NOMEM);
    put_op(op, p);
    if (!op->del)
        seal_value(p + OP_HEAD + op->n, now->number, now->key, &at, val, len);
    s->batch_bytes += len;
    s->batch_puts++;
    s->txn_puts++;
    start = p;
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
    struct op op = { .table = t, .key = key, .n = n, .len = len + SEAL_EXTRA };
    enum err e = usable(s);

    if (e != ERR_OK)
        return e;
    e = check(s, n, len);
    return e == ERR_OK ? add(s, &op, val, len) : refuse(s, e);
}

static enum err writer_del(void *ctx, enum table t, const void *key, size_t n)
{
    struct store *s = ctx;
    struct op op = { .table = t, .key = key, .n = n, .del = true };
    enum err e = usable(s);

    if (e != ERR_OK)
        return e;
    e = check(s, n, 0);
    return e == ERR_OK ? add(s, &op, NULL, 0) : refuse(s, e);
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

/* LMDB's own commit, which makes the journal's entries old. */
static int commit_txn(struct store *s)
{
    int rc = s->batch == NULL ? mdb_txn_begin(s->env, NULL, 0, &s->batch) : 0;

    while (rc == 0) {
        if ((rc = env_put_round(s->batch, s->own, s->journal.round + 1)) == 0) {
            rc = mdb_txn_commit(s->batch);
            s->batch = NULL; /* LMDB frees it even when commit fails */
            if (rc == 0)
                return 0;
        }
        if (rc == MDB_MAP_FULL)
            rc = rescue(s);
    }
    return rc;
}

static enum err settle(struct store *s)
{
    int rc = commit_txn(s);

    if (rc != 0)
        return err_lmdb(&s->failure, tell_full(s, rc), "write the store");
    journal_begin(&s->journal, s->journal.round + 1);
    s->settle_next = false;
    log_reset(s);
    env_measure(s);
    s->acked_txn = s->last_txn;
    s->acked_round = s->journal.round;
    s->acked_entries = 0;
    if (s->used_bytes > s->grow_at)
        env_grow(s, NULL); /* refused: there is room left, and rescue() tries again */
    return ERR_OK;
}

static enum err make_durable(struct store *s, bool settles)
{
    size_t n = s->log.len - s->log_acked;
    enum err e;

    if (settles || s->settle_next || s->log.len > SETTLE_BYTES || s->txn_puts > SETTLE_PUTS ||
        !journal_has_room(&s->journal, n))
        return settle(s);
    if ((e = journal_add(&s->journal, s->log.p + s->log_acked, n, &s->failure)) != ERR_OK)
        return e;
    s->acked_entries = s->journal.n;
    batch_begin(s);
    return ERR_OK;
}

static enum err commit(struct store *s, bool settles, struct errmsg *msg)
{
    enum err e = s->batch_err;

    if (s->failed) {
        if (msg != NULL)
            *msg = s->failure;
        return (enum err)s->failed;
    }
    if (e != ERR_OK)
        err_set(&s->failure, e, "the batch was refused: %s", err_text(e));
    else if (s->log.len == (settles ? 0 : s->log_acked))
        return ERR_OK;
    else
        e = make_durable(s, settles);
    if (e == ERR_OK) {
        s->commits++;
        return ERR_OK;
    }
    s->commit_failures++;
    if (msg != NULL)
        *msg = s->failure;
    store_fail(s, e);
    store_abort(s);
    return e;
}

enum err store_commit(struct store *s, struct errmsg *msg)
{
    return commit(s, false, msg);
}

enum err store_settle(struct store *s, struct errmsg *msg)
{
    return commit(s, true, msg);
}

void store_abort(struct store *s)
{
    bool had_batch = store_batch_is_open(s);
    int rc;

    if (!s->failed && !had_batch)
        return;
    drop_txn(s);
    if (s->failed)
        s->log_acked = 0; /* it is read from the journal again */
    s->log.len = s->log_acked;
    batch_begin(s);
    if (s->log.len == 0)
        log_reset(s);
    else if ((rc = replay(s)) != 0 && (rc != MDB_MAP_FULL || (rc = rescue(s)) != 0))
        store_fail(s, err_lmdb(&s->failure, tell_full(s, rc), "write the store"));
}

/* Before LMDB is closed under it; what was acknowledged is read from the journal again. */
void batch_leave(struct store *s)
{
    drop_txn(s);
    log_reset(s);
}

void batch_close(struct store *s)
{
    store_abort(s);
    store_settle(s, NULL); /* or the next start takes it up from the journal */
    drop_txn(s);
    buf_free(&s->log);
    journal_close(&s->journal);
}

bool store_batch_is_open(const struct store *s)
{
    return s->log.len > s->log_acked || s->batch_err != ERR_OK;
}

/* ---- taking up the journal ---- */

static enum err lost(struct errmsg *msg)
{
    return err_why(msg, ERR_DENIED, "damaged", "", "the disk lost what it had acknowledged");
}

/* How many entries there have to be; in a new process whatever there is. */
static enum err begin_round(struct store *s, bool goes_on, uint32_t *entries, struct errmsg *msg)
{
    MDB_txn *txn = NULL;
    uint64_t round = 0;
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

    if (rc == 0)
        rc = env_get_round(txn, s->own, &round);
    mdb_txn_abort(txn);
    if (rc != 0)
        return err_lmdb(msg, rc, "read the store");
    *entries = goes_on ? s->acked_entries : UINT32_MAX;
    if (goes_on && round == s->acked_round + 1)
        *entries = 0; /* the commit that failed had all of them, and is there */
    else if (goes_on && round != s->acked_round)
        return lost(msg);
    journal_begin(&s->journal, round);
    return journal_open(&s->journal, s->env_path, round == 0, msg);
}

static enum err take_entries(struct store *s, uint32_t entries, struct errmsg *msg)
{
    struct buf all = { 0 };
    const uint8_t *ops;
    size_t n;
    enum err e = journal_load(&s->journal, &all, msg);

    while (e == ERR_OK && s->journal.n < entries &&
           (e = journal_next(&s->journal, &all, &ops, &n, msg)) == ERR_OK)
        buf_add(&s->log, ops, n);
    buf_free(&all);
    if (e == ERR_MISSING)
        return entries == UINT32_MAX ? ERR_OK : lost(msg);
    return e;
}

enum err batch_recover(struct store *s, bool goes_on, struct errmsg *msg)
{
    uint32_t entries = 0;
    enum err e = begin_round(s, goes_on, &entries, msg);
    int rc = 0;

    if (e != ERR_OK || (e = take_entries(s, entries, msg)) != ERR_OK)
        return e;
    if (s->log.failed)
        return err_set(msg, ERR_NOMEM, "no memory for the journal of the store");
    if (goes_on && s->journal.round == s->acked_round) /* else LMDB may lose its newest yet */
        journal_cut(&s->journal);
    s->acked_round = s->journal.round;
    s->acked_entries = s->journal.n;
    if (s->log.len > 0 && (rc = replay(s)) == MDB_MAP_FULL)
        rc = rescue(s);
    batch_begin(s);
    s->settle_next = true;
    return rc == 0 ? ERR_OK : err_lmdb(msg, tell_full(s, rc), "take up the journal of the store");
}
