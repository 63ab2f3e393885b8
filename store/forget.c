/* forget.c - forgetting for good: what is left under old periods is sealed anew, then their keys
 * go.
 *
 * A key goes only once no value in the store stands under it; that is looked at, not believed. With
 * the keys goes the desk key that wrapped them: the next one is a hash of it, and no later one says
 * what an earlier one was, so an old copy of `periods` does not open with today's desk key. Cut
 * short between any two steps, store_open() finds the file and the check value one step apart and
 * finishes. */
#include <sodium.h>
#include <string.h>

#include "store_int.h"

static const char next_domain[] = "tideover desk key v1";

void key_next(uint8_t key[STORE_KEY_BYTES])
{
    uint8_t next[STORE_KEY_BYTES];

    crypto_generichash(next, sizeof next, (const uint8_t *)next_domain, sizeof next_domain - 1, key,
                       STORE_KEY_BYTES);
    memcpy(key, next, sizeof next);
    sodium_memzero(next, sizeof next);
}

/* ---- sealing anew ---- */

enum err store_forget_begin(struct store *s, struct errmsg *msg)
{
    uint32_t upto = store_period(s);
    enum err e;

    if ((e = store_settle(s, msg)) != ERR_OK || (e = store_period_begin(s, msg)) != ERR_OK)
        return e;
    s->forget_upto = upto;
    s->forget_table = 0;
    s->forget_len = 0;
    return ERR_OK;
}

/* The next key whose value is under a period that goes; the value itself is not opened. */
static int next_old(struct store *s, MDB_cursor *c, MDB_val *k, MDB_val *v)
{
    bool first = s->forget_len == 0;
    int rc;

    *k = (MDB_val){ s->forget_len, s->forget_key };
    rc = mdb_cursor_get(c, k, v, first ? MDB_FIRST : MDB_SET_RANGE);
    if (rc == 0 && !first && k->mv_size == s->forget_len &&
        memcmp(k->mv_data, s->forget_key, s->forget_len) == 0)
        rc = mdb_cursor_get(c, k, v, MDB_NEXT);
    while (rc == 0 && (v->mv_size < 4 || get_be32(v->mv_data) > s->forget_upto))
        rc = mdb_cursor_get(c, k, v, MDB_NEXT);
    return rc;
}

/* Finds one in its own look at what LMDB has: journal and batch hold only values under newer keys.
 */
static enum err find_old(struct store *s, bool *found, struct errmsg *msg)
{
    MDB_txn *txn = NULL;
    MDB_cursor *c = NULL;
    MDB_val k, v;
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

    *found = false;
    while (rc == 0 && s->forget_table < TABLE_COUNT) {
        if ((rc = mdb_cursor_open(txn, s->dbi[s->forget_table], &c)) != 0)
            break;
        rc = next_old(s, c, &k, &v);
        if (rc == 0) {
            *found = k.mv_size <= DISK_KEY_MAX;
            s->forget_len = k.mv_size;
            if (*found)
                memcpy(s->forget_key, k.mv_data, k.mv_size);
        }
        mdb_cursor_close(c);
        if (rc != MDB_NOTFOUND)
            break;
        s->forget_table++;
        s->forget_len = 0;
        rc = 0;
    }
    mdb_txn_abort(txn);
    return rc == 0 ? ERR_OK : err_lmdb(msg, rc, "read the store");
}

enum err store_forget_step(struct store *s, size_t bytes, bool *done, struct errmsg *msg)
{
    struct buf val = { 0 };
    size_t moved = 0;
    enum err e = s->failed ? (enum err)s->failed : ERR_OK;

    *done = false;
    while (e == ERR_OK && moved < bytes) {
        enum table t;
        bool found;
        if ((e = find_old(s, &found, msg)) != ERR_OK)
            break;
        if (!found) {
            *done = true;
            break;
        }
        t = (enum table)s->forget_table;
        e = s->disk.get(s->disk.ctx, t, s->forget_key, s->forget_len, &val);
        if (e == ERR_MISSING) { /* the open batch deletes it */
            e = ERR_OK;
            continue;
        }
        if (e == ERR_OK)
            e = s->disk.put(s->disk.ctx, t, s->forget_key, s->forget_len, val.p, val.len);
        if (e != ERR_OK)
            err_set(msg, e, "a value of table %s cannot be sealed anew: %s", table_rows[t].name,
                    err_text(e));
        moved += val.len + SEAL_EXTRA;
    }
    buf_wipe(&val);
    return e;
}

/* ---- the keys ---- */

static enum err nothing_is_left(struct store *s, struct errmsg *msg)
{
    bool found;
    enum err e;

    s->forget_table = 0;
    s->forget_len = 0;
    if ((e = find_old(s, &found, msg)) != ERR_OK)
        return e;
    if (!found)
        return ERR_OK;
    err_set(msg, ERR_BUSY, "a value of table %s still stands under an old key",
            table_rows[s->forget_table].name);
    s->forget_table = 0;
    s->forget_len = 0;
    return ERR_BUSY;
}

enum err store_forget_end(struct store *s, struct errmsg *msg)
{
    struct ring *left;
    uint8_t next[STORE_KEY_BYTES];
    enum err e;

    if (s->failed || store_batch_is_open(s))
        return err_set(msg, ERR_BUSY, "a batch is open");
    if ((e = store_settle(s, msg)) != ERR_OK || (e = nothing_is_left(s, msg)) != ERR_OK)
        return e;
    if ((left = ring_after(s->ring, s->forget_upto)) == NULL)
        return err_set(msg, ERR_NOMEM, "no memory for the period keys");
    memcpy(next, s->desk_key, sizeof next);
    key_next(next);
    if ((e = periods_save(s->dir_fd, next, left, msg)) != ERR_OK) {
        ring_free(left);
    } else {
        store_swap_ring(s, left);
        if ((e = env_check_renew(s, next, msg)) == ERR_OK)
            memcpy(s->desk_key, next, sizeof next);
    }
    sodium_memzero(next, sizeof next);
    return e;
}

const uint8_t *store_desk_key(const struct store *s)
{
    return s->desk_key;
}
