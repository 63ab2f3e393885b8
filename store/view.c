/* view.c - finding and opening values inside one LMDB transaction, the batch's or a snapshot's. */
#include <assert.h>
#include <string.h>

#include "store_int.h"

/* The value replaces what is in *val (NULL: only look). */
static enum err unseal(const struct view *v, const struct place *at, const MDB_val *box,
                       struct buf *val)
{
    const uint8_t *key, *p = box->mv_data;
    uint8_t *out;

    if (val == NULL)
        return ERR_OK;
    buf_reset(val);
    if (box->mv_size < SEAL_EXTRA || (key = ring_key(v->ring, get_be32(p))) == NULL) {
        v->s->unopened = true;
        return ERR_DENIED;
    }
    if ((out = buf_grow(val, box->mv_size - SEAL_EXTRA)) == NULL)
        return ERR_NOMEM;
    if (seal_unseal(out, key, at, p, box->mv_size))
        return ERR_OK;
    v->s->unopened = true;
    buf_reset(val);
    return ERR_DENIED;
}

enum err view_get(struct view *v, enum table t, const void *key, size_t n, struct buf *val)
{
    MDB_val k = { n, (void *)key }, box;
    struct place at = { table_rows[t].number, key, n };
    int rc;

    if (n == 0 || n > DISK_KEY_MAX)
        return ERR_BUG;
    if ((rc = mdb_get(v->txn, v->s->dbi[t], &k, &box)) != 0)
        return err_lmdb(NULL, rc, "");
    return unseal(v, &at, &box, val);
}

static int find(MDB_cursor *c, const void *key, size_t n, enum find how, MDB_val *k, MDB_val *box)
{
    int rc;

    if (n == 0) /* LMDB knows no empty key, and everything is after it */
        return how == FIND_BEFORE ? MDB_NOTFOUND : mdb_cursor_get(c, k, box, MDB_FIRST);
    *k = (MDB_val){ n, (void *)key };
    rc = mdb_cursor_get(c, k, box, MDB_SET_RANGE);
    switch (how) {
    case FIND_FROM:
        break;
    case FIND_AFTER:
        if (rc == 0 && k->mv_size == n && memcmp(k->mv_data, key, n) == 0)
            rc = mdb_cursor_get(c, k, box, MDB_NEXT);
        break;
    case FIND_BEFORE:
        if (rc == 0)
            rc = mdb_cursor_get(c, k, box, MDB_PREV);
        else if (rc == MDB_NOTFOUND)
            rc = mdb_cursor_get(c, k, box, MDB_LAST);
        break;
    }
    return rc;
}

/* The key is handed out also when its value does not open, so that it can be named. */
enum err view_seek(struct view *v, enum table t, const void *key, size_t n, enum find how,
                   uint8_t *key_out, size_t *key_len, struct buf *val)
{
    struct place at;
    MDB_val k, box;
    int rc = 0;

    if (n > DISK_KEY_MAX)
        return ERR_BUG;
    if (v->cursor[t] == NULL)
        rc = mdb_cursor_open(v->txn, v->s->dbi[t], &v->cursor[t]);
    if (rc == 0)
        rc = find(v->cursor[t], key, n, how, &k, &box);
    if (rc != 0)
        return err_lmdb(NULL, rc, "");
    if (k.mv_size > DISK_KEY_MAX)
        return ERR_DENIED; /* we never wrote that */
    memmove(key_out, k.mv_data, k.mv_size);
    *key_len = k.mv_size;
    at = (struct place){ table_rows[t].number, key_out, k.mv_size };
    return unseal(v, &at, &box, val);
}

void view_close_cursors(struct view *v)
{
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        if (v->cursor[t] != NULL) {
            mdb_cursor_close(v->cursor[t]);
            v->cursor[t] = NULL;
        }
}
