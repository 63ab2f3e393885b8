/* backup.c - the bytes of a backup. */
#include "backup.h"

#include <string.h>

#include <sodium.h>

void backup_encode(const struct ident *me, const struct backup *b, struct buf *out)
{
    mp_put_array(out, 8);
    mp_put_u64(out, 1);
    mp_put_bin(out, me->sign_sk, SEED_BYTES); /* an Ed25519 secret key begins with its seed */
    mp_put_bin(out, me->curve_sk, KEY_BYTES);
    mp_put_u64(out, b->start);
    mp_put_array(out, roster_ops(b->roster));
    for (unsigned i = 0; i < roster_ops(b->roster); i++) {
        size_t n;
        const uint8_t *op = roster_op(b->roster, i, &n);
        mp_put_bin(out, op, n);
    }
    mp_put_bin(out, b->addresses.p, b->addresses.len);
    mp_put_bin(out, b->lead_key.p, b->lead_key.len);
    mp_put_bin(out, b->conf.p, b->conf.len);
}

static void take_bin(struct mp *m, struct buf *out)
{
    size_t n = 0;
    const uint8_t *p = mp_get_bin(m, &n);

    if (p)
        buf_add(out, p, n);
}

static enum err take_roster(struct mp *m, struct roster *r, struct errmsg *msg)
{
    uint32_t n = mp_get_array(m);

    for (uint32_t i = 0; i < n; i++) {
        size_t len = 0;
        const uint8_t *op = mp_get_bin(m, &len);
        bool fresh;
        if (!op || roster_add(r, op, len, &fresh, NULL) != ERR_OK)
            return err_set(msg, ERR_MALFORMED, "the roster in the backup does not hold");
    }
    return ERR_OK;
}

/* The roster of the backup's day; what happened since comes from the other desks. */
static enum err check_desk(const struct backup *b, struct errmsg *msg)
{
    uint8_t seed[3 * SEED_BYTES] = { 0 };
    struct ident me;
    const struct desk *d;
    enum err e = ERR_OK;

    memcpy(seed, b->sign_seed, SEED_BYTES);
    memcpy(seed + SEED_BYTES, b->curve_sk, KEY_BYTES);
    ident_from_seed(seed, &me);
    d = roster_find(b->roster, &me.id);
    if (!d || memcmp(d->curve_pk, me.curve_pk, KEY_BYTES) != 0)
        e = err_set(msg, ERR_MALFORMED, "the backup's desk is not in its roster");
    else if (d->state != DESK_ACTIVE)
        e = err_why(msg, ERR_DENIED, "not_active", "",
                    "%s was taken out of the branch before this backup was made", d->name);
    ident_wipe(&me);
    sodium_memzero(seed, sizeof seed);
    return e;
}

enum err backup_decode(const uint8_t *p, size_t n, struct backup *out, struct errmsg *msg)
{
    struct mp m = mp_over(p, n);
    enum err e;

    memset(out, 0, sizeof *out);
    if (mp_get_array(&m) != 8 || mp_get_u64(&m) != 1)
        return err_set(msg, ERR_MALFORMED, "the backup is damaged or of a newer version");
    mp_get_raw(&m, out->sign_seed, SEED_BYTES);
    mp_get_raw(&m, out->curve_sk, KEY_BYTES);
    out->start = mp_get_u64(&m);
    if ((out->roster = roster_new()) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    if ((e = take_roster(&m, out->roster, msg)) != ERR_OK)
        return e;
    take_bin(&m, &out->addresses);
    take_bin(&m, &out->lead_key);
    take_bin(&m, &out->conf);
    if (!mp_done(&m) || out->start > UINT64_MAX / 2)
        return err_set(msg, ERR_MALFORMED, "the backup is damaged");
    if (out->addresses.failed || out->lead_key.failed || out->conf.failed)
        return err_set(msg, ERR_NOMEM, "out of memory");
    return check_desk(out, msg);
}

void backup_free(struct backup *b)
{
    sodium_memzero(b->sign_seed, sizeof b->sign_seed);
    sodium_memzero(b->curve_sk, sizeof b->curve_sk);
    roster_free(b->roster);
    buf_free(&b->addresses);
    buf_wipe(&b->lead_key);
    buf_free(&b->conf);
    b->roster = NULL;
}
