/* reader.c - snapshots for other threads, and the check of every seal. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_int.h"

struct store_reader {
    struct store *s;
    struct ring *ring; /* of the snapshot: no value in it is under a later key */
    struct view view;  /* txn NULL: the last renewal failed, with `lost` */
    enum err lost;
    struct disk disk;
};

/* ---- taking and leaving a snapshot ---- */

static struct ring *ring_take(struct store *s)
{
    struct ring *ring;

    pthread_mutex_lock(&s->gate.mutex);
    ring = s->ring;
    ring->refs++;
    pthread_mutex_unlock(&s->gate.mutex);
    return ring;
}

static bool ring_is_current(struct store *s, const struct ring *ring)
{
    bool same;

    pthread_mutex_lock(&s->gate.mutex);
    same = s->ring == ring;
    pthread_mutex_unlock(&s->gate.mutex);
    return same;
}

static void ring_give(struct store *s, struct ring *ring)
{
    bool last;

    pthread_mutex_lock(&s->gate.mutex);
    last = --ring->refs == 0;
    pthread_mutex_unlock(&s->gate.mutex);
    if (last)
        ring_free(ring);
}

static void leave(struct store_reader *r)
{
    if (r->view.txn == NULL)
        return;
    view_close_cursors(&r->view);
    mdb_txn_abort(r->view.txn);
    r->view.txn = NULL;
    ring_give(r->s, r->ring);
    gate_leave(&r->s->gate);
}

/* Keys come (before the first value under them) and go (after the last): the snapshot is taken
 * between two looks at one ring, so that it has just the keys of its values. */
static int take_snapshot(struct store_reader *r)
{
    struct store *s = r->s;
    int rc;

    for (;;) {
        r->ring = ring_take(s);
        if ((rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &r->view.txn)) != 0) {
            ring_give(s, r->ring);
            return rc;
        }
        if (ring_is_current(s, r->ring))
            return 0;
        mdb_txn_abort(r->view.txn);
        ring_give(s, r->ring);
    }
}

static enum err enter(struct store_reader *r, struct errmsg *msg)
{
    struct store *s = r->s;
    int rc;

    gate_enter(&s->gate);
    if ((r->lost = (enum err)s->failed) != ERR_OK) {
        err_set(msg, r->lost, "the store has failed and was not opened again");
    } else if ((rc = take_snapshot(r)) != 0) {
        r->view.txn = NULL;
        r->lost = err_lmdb(msg, rc, "read the store");
    } else {
        r->view.s = s;
        r->view.ring = r->ring;
        return ERR_OK;
    }
    gate_leave(&s->gate);
    return r->lost;
}

/* ---- its disk ---- */

static enum err reader_get(void *ctx, enum table t, const void *key, size_t n, struct buf *val)
{
    struct store_reader *r = ctx;

    return r->view.txn ? view_get(&r->view, t, key, n, val) : r->lost;
}

static enum err reader_seek(void *ctx, enum table t, const void *key, size_t n, int dir,
                            uint8_t *key_out, size_t *key_len, struct buf *val)
{
    struct store_reader *r = ctx;
    enum find how = dir > 0 ? FIND_FROM : FIND_BEFORE;

    return r->view.txn ? view_seek(&r->view, t, key, n, how, key_out, key_len, val) : r->lost;
}

static enum err reader_put(void *ctx, enum table t, const void *key, size_t n, const void *val,
                           size_t len)
{
    (void)ctx, (void)t, (void)key, (void)n, (void)val, (void)len;
    return ERR_BUG;
}

static enum err reader_del(void *ctx, enum table t, const void *key, size_t n)
{
    (void)ctx, (void)t, (void)key, (void)n;
    return ERR_BUG;
}

enum err store_reader_open(struct store *s, struct store_reader **out, struct errmsg *msg)
{
    struct store_reader *r = calloc(1, sizeof *r);
    enum err e;

    if (r == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    r->s = s;
    r->disk = (struct disk){ r, reader_get, reader_seek, reader_put, reader_del };
    if ((e = enter(r, msg)) != ERR_OK) {
        free(r);
        return e;
    }
    *out = r;
    return ERR_OK;
}

void store_reader_close(struct store_reader *r)
{
    if (r == NULL)
        return;
    leave(r);
    free(r);
}

const struct disk *store_reader_disk(struct store_reader *r)
{
    return &r->disk;
}

/* A new transaction, not a renewed one: behind the gate the environment may be another. */
enum err store_reader_renew(struct store_reader *r)
{
    leave(r);
    return enter(r, NULL);
}

/* ---- the check of every seal ---- */

static enum err name_bad(enum table t, const uint8_t *key, size_t n, struct errmsg *msg)
{
    char hex[2 * DISK_KEY_MAX + 1] = "";

    for (size_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", key[i]);
    return err_why(msg, ERR_DENIED, "damaged", "",
                   "table %s, key %s: the value does not open: damaged, moved, or its key erased",
                   table_rows[t].name, hex);
}

static enum err verify_table(struct store_reader *r, enum table t, uint64_t *checked,
                             struct buf *val, struct errmsg *msg)
{
    uint8_t key[DISK_KEY_MAX];
    uint64_t since_ms = gate_now_ms();
    size_t n = 0;

    while (r->view.txn != NULL) {
        size_t found = 0; /* stays 0 when LMDB itself stumbles */
        enum err e = view_seek(&r->view, t, key, n, FIND_AFTER, key, &found, val);
        if (e == ERR_MISSING)
            return ERR_OK;
        *checked += found > 0;
        if (e == ERR_DENIED && found > 0)
            return name_bad(t, key, found, msg);
        if (e != ERR_OK)
            return err_set(msg, e, "table %s cannot be read: %s", table_rows[t].name, err_text(e));
        n = found;
        if (gate_now_ms() - since_ms >= RENEW_MS) {
            store_reader_renew(r);
            since_ms = gate_now_ms();
        }
    }
    return err_set(msg, r->lost, "the snapshot is lost: %s", err_text(r->lost));
}

enum err store_verify(struct store_reader *r, uint64_t *checked, struct errmsg *msg)
{
    struct buf val = { 0 };
    enum err e = ERR_OK;

    *checked = 0;
    for (unsigned t = 0; t < TABLE_COUNT && e == ERR_OK; t++)
        e = verify_table(r, (enum table)t, checked, &val, msg);
    buf_wipe(&val);
    return e;
}
