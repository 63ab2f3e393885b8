/* check_roster.c - what a revoked desk wrote beyond what is trusted gets into no fresh slot; in the
 * end all know the same operations. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

static void not_beyond_trust(struct sim *s, int desk, const uint8_t *acc, size_t n, uint64_t term)
{
    const struct station *d = &s->desk[desk];
    const struct roster *r = core_roster(d->core);
    uint8_t hash[HASH_BYTES];
    struct intent in;

    intent_hash(acc, n, hash);
    if (memcmp(hash, d->acc_hash, HASH_BYTES) == 0 || intent_decode(acc, n, &in, NULL) != ERR_OK)
        return; /* accepted before */
    for (unsigned i = 0; i < in.n_ranges && in.term == term; i++)
        if (in.ranges[i].to > roster_trusted_to(r, &in.ranges[i].feed))
            sim_fail(s, "L3", "%s accepts records of a revoked desk in slot %llu", d->name,
                     (unsigned long long)in.slot);
    intent_free(&in);
}

/* A seat that knew of the revocation before this batch takes such records only in an intent that is
 * carried on from an earlier term. */
static void durable(struct sim *s, int desk, enum table t, const uint8_t *key, size_t n,
                    const uint8_t *val, size_t len)
{
    struct station *d = &s->desk[desk];
    struct mp m = mp_over(val, len);
    uint8_t epoch[HASH_BYTES];
    const uint8_t *acc;
    uint64_t term;

    if (s->revoked == 0 || t != TABLE_META || n != 1 || key[0] != 'L' || !val ||
        d->ops != roster_ops(core_roster(d->core)))
        return;
    mp_get_array(&m);
    mp_get_u64(&m);
    mp_get_u64(&m);
    mp_get_raw(&m, epoch, sizeof epoch);
    mp_get_u64(&m);
    mp_get_bin(&m, &n);
    term = mp_get_u64(&m);
    acc = mp_get_bin(&m, &n);
    if (!m.bad && n > 0)
        not_beyond_trust(s, desk, acc, n, term);
}

static void committed(struct sim *s, int desk)
{
    s->desk[desk].ops = roster_ops(core_roster(s->desk[desk].core));
}

static bool settled(const struct sim *s, char why[200])
{
    int first = sim_first(s);

    for (int i = first; i < (int)s->n; i++)
        if (sim_counts(s, i) && s->desk[i].core && s->desk[first].core &&
            memcmp(roster_hash(core_roster(s->desk[first].core)),
                   roster_hash(core_roster(s->desk[i].core)), HASH_BYTES) != 0) {
            snprintf(why, 200, "%s has another roster than %s", s->desk[i].name,
                     s->desk[first].name);
            return false;
        }
    return true;
}

const struct check check_roster = {
    .name = "roster", .durable = durable, .committed = committed, .settled = settled
};
