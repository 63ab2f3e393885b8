/* override.c - bytes of an override's certificate, and which of two epochs goes on. */
#include "override.h"

#include <stdio.h>
#include <string.h>

static const char domain[] = "tideover override v1";

bool epoch_eq(const struct epoch *a, const struct epoch *b)
{
    return a->number == b->number && memcmp(a->hash, b->hash, HASH_BYTES) == 0;
}

bool epoch_wins(const struct epoch *a, const struct epoch *b)
{
    if (a->number != b->number)
        return a->number > b->number;
    return memcmp(a->hash, b->hash, HASH_BYTES) < 0;
}

static void put_desks(struct buf *b, const struct desk_id *v, unsigned n)
{
    mp_put_array(b, n);
    for (unsigned i = 0; i < n; i++)
        mp_put_bin(b, v[i].b, DESK_ID_BYTES);
}

static unsigned get_desks(struct mp *m, struct desk_id *v, unsigned max)
{
    uint32_t n = mp_get_array(m);

    if (n > max)
        m->bad = true;
    for (uint32_t i = 0; i < n && !m->bad; i++)
        mp_get_raw(m, v[i].b, DESK_ID_BYTES);
    return m->bad ? 0 : n;
}

void override_sign(const uint8_t branch[BRANCH_ID_BYTES], const struct override *o,
                   const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf inner = { 0 };

    mp_put_array(&inner, 12);
    mp_put_u64(&inner, 1);
    mp_put_bin(&inner, branch, BRANCH_ID_BYTES);
    mp_put_u64(&inner, o->epoch.number);
    mp_put_bin(&inner, o->prev, HASH_BYTES);
    mp_put_u64(&inner, o->base);
    mp_put_bin(&inner, o->base_hash, HASH_BYTES);
    put_desks(&inner, o->seats, o->n_seats);
    put_desks(&inner, o->missing, o->n_missing);
    mp_put_str(&inner, o->reason);
    mp_put_i64(&inner, o->made_ms);
    mp_put_bin(&inner, o->desk.b, DESK_ID_BYTES);
    mp_put_bin(&inner, o->lead_pk, KEY_BYTES);
    signed_put(domain, &inner, lead_sk, out);
}

static bool seats_are_good(const struct override *o)
{
    for (unsigned i = 0; i < o->n_seats; i++)
        for (unsigned k = 0; k < i; k++)
            if (desk_id_eq(&o->seats[i], &o->seats[k]))
                return false;
    return o->n_seats % 2 == 1;
}

enum err override_open(const uint8_t *p, size_t n, const uint8_t branch[BRANCH_ID_BYTES],
                       struct override *out, struct errmsg *msg)
{
    uint8_t sig[SIG_BYTES], theirs[BRANCH_ID_BYTES];
    size_t len = 0;
    const uint8_t *inner = n <= OVERRIDE_BYTES_MAX ? signed_get(p, n, &len, sig) : NULL;
    struct mp m = mp_over(inner, len);
    uint64_t number;

    memset(out, 0, sizeof *out);
    if (!inner || mp_get_array(&m) != 12 || mp_get_u64(&m) != 1)
        return err_set(msg, ERR_MALFORMED, "not an override of this version");
    mp_get_raw(&m, theirs, sizeof theirs);
    number = mp_get_u64(&m);
    out->epoch.number = (uint32_t)number;
    mp_get_raw(&m, out->prev, HASH_BYTES);
    out->base = mp_get_u64(&m);
    mp_get_raw(&m, out->base_hash, HASH_BYTES);
    out->n_seats = get_desks(&m, out->seats, SEATS_MAX);
    out->n_missing = get_desks(&m, out->missing, ROSTER_DESKS_MAX);
    mp_get_str(&m, out->reason, sizeof out->reason);
    out->made_ms = mp_get_i64(&m);
    mp_get_raw(&m, out->desk.b, DESK_ID_BYTES);
    mp_get_raw(&m, out->lead_pk, KEY_BYTES);
    if (!mp_done(&m) || memcmp(theirs, branch, sizeof theirs) != 0 || number == 0 ||
        number > OVERRIDES_MAX || out->base > UINT64_MAX / 2 || !seats_are_good(out))
        return err_set(msg, ERR_MALFORMED, "an override that does not parse");
    if (!sign_ok(domain, inner, len, out->lead_pk, sig))
        return err_set(msg, ERR_DENIED, "an override whose signature is not right");
    hash_parts(domain, &(struct part){ p, n }, 1, out->epoch.hash, HASH_BYTES);
    return ERR_OK;
}
