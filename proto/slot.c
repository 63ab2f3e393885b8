/* slot.c - what is signed around an intent: the trigger of a lead, the ACCEPTED of seats, the
 * receipt. */
#include "slot.h"

#include <string.h>

static const char accepted_domain[] = "tideover accepted v1";
static const char receipt_domain[] = "tideover receipt v1";
static const char trigger_domain[] = "tideover trigger v1";

void epoch_put(struct buf *b, const struct epoch *e)
{
    mp_put_u64(b, e->number);
    mp_put_bin(b, e->hash, HASH_BYTES);
}

void epoch_get(struct mp *m, struct epoch *e)
{
    e->number = (uint32_t)mp_get_u64(m);
    mp_get_raw(m, e->hash, HASH_BYTES);
}

void trigger_sign(const uint8_t branch[BRANCH_ID_BYTES], const struct trigger *t,
                  const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf inner = { 0 };

    mp_put_array(&inner, 8);
    mp_put_u64(&inner, 1);
    mp_put_bin(&inner, branch, BRANCH_ID_BYTES);
    epoch_put(&inner, &t->epoch);
    mp_put_u64(&inner, t->slot);
    mp_put_i64(&inner, t->made_ms);
    mp_put_bin(&inner, t->desk.b, DESK_ID_BYTES);
    mp_put_bin(&inner, t->lead_pk, KEY_BYTES);
    signed_put(trigger_domain, &inner, lead_sk, out);
}

enum err trigger_open(const uint8_t *p, size_t n, const uint8_t branch[BRANCH_ID_BYTES],
                      struct trigger *out, struct errmsg *msg)
{
    uint8_t sig[SIG_BYTES], theirs[BRANCH_ID_BYTES];
    size_t len = 0;
    const uint8_t *inner = signed_get(p, n, &len, sig);
    struct mp m = mp_over(inner, len);

    memset(out, 0, sizeof *out);
    if (!inner || mp_get_array(&m) != 8 || mp_get_u64(&m) != 1)
        return err_set(msg, ERR_MALFORMED, "not a trigger of this version");
    mp_get_raw(&m, theirs, sizeof theirs);
    epoch_get(&m, &out->epoch);
    out->slot = mp_get_u64(&m);
    out->made_ms = mp_get_i64(&m);
    mp_get_raw(&m, out->desk.b, DESK_ID_BYTES);
    mp_get_raw(&m, out->lead_pk, KEY_BYTES);
    if (!mp_done(&m) || memcmp(theirs, branch, sizeof theirs) != 0)
        return err_set(msg, ERR_MALFORMED, "a trigger that does not parse");
    if (!sign_ok(trigger_domain, inner, len, out->lead_pk, sig))
        return err_set(msg, ERR_DENIED, "a trigger whose signature is not right");
    return ERR_OK;
}

#define ACCEPTED_BYTES (BRANCH_ID_BYTES + 8 + 8 + HASH_BYTES)

/* The epoch is in the intent, hence under its hash. */
static void accepted_bytes(const uint8_t branch[BRANCH_ID_BYTES], uint64_t slot, uint64_t term,
                           const uint8_t hash[HASH_BYTES], uint8_t out[ACCEPTED_BYTES])
{
    memcpy(out, branch, BRANCH_ID_BYTES);
    put_be64(out + BRANCH_ID_BYTES, slot);
    put_be64(out + BRANCH_ID_BYTES + 8, term);
    memcpy(out + BRANCH_ID_BYTES + 16, hash, HASH_BYTES);
}

void accepted_sign(const uint8_t branch[BRANCH_ID_BYTES], uint64_t slot, uint64_t term,
                   const uint8_t hash[HASH_BYTES], const uint8_t sk[SIGN_SK_BYTES],
                   uint8_t sig[SIG_BYTES])
{
    uint8_t b[ACCEPTED_BYTES];

    accepted_bytes(branch, slot, term, hash, b);
    sign_bytes(accepted_domain, b, sizeof b, sk, sig);
}

bool accepted_ok(const uint8_t branch[BRANCH_ID_BYTES], uint64_t slot, uint64_t term,
                 const uint8_t hash[HASH_BYTES], const uint8_t pk[KEY_BYTES],
                 const uint8_t sig[SIG_BYTES])
{
    uint8_t b[ACCEPTED_BYTES];

    accepted_bytes(branch, slot, term, hash, b);
    return sign_ok(accepted_domain, b, sizeof b, pk, sig);
}

void receipt_encode(const struct receipt *r, const uint8_t sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf inner = { 0 };

    mp_put_array(&inner, 8);
    mp_put_u64(&inner, 1);
    mp_put_bin(&inner, r->intent, r->intent_len);
    mp_put_u64(&inner, r->term);
    mp_put_bin(&inner, r->desk.b, DESK_ID_BYTES);
    mp_put_i64(&inner, r->at_ms);
    mp_put_array(&inner, r->n_accepted);
    for (unsigned i = 0; i < r->n_accepted; i++) {
        mp_put_array(&inner, 2);
        mp_put_bin(&inner, r->accepted[i].desk.b, DESK_ID_BYTES);
        mp_put_bin(&inner, r->accepted[i].sig, SIG_BYTES);
    }
    mp_put_str(&inner, r->evidence);
    mp_put_bin(&inner, r->progress, r->progress_len);
    signed_put(receipt_domain, &inner, sk, out);
}

static enum err decode(const uint8_t *inner, size_t len, struct receipt *out, struct errmsg *msg)
{
    struct mp m = mp_over(inner, len);
    uint32_t n;

    memset(out, 0, sizeof *out);
    if (mp_get_array(&m) != 8 || mp_get_u64(&m) != 1)
        return err_set(msg, ERR_MALFORMED, "not a receipt of this version");
    out->intent = mp_get_bin(&m, &out->intent_len);
    out->term = mp_get_u64(&m);
    mp_get_raw(&m, out->desk.b, DESK_ID_BYTES);
    out->at_ms = mp_get_i64(&m);
    n = mp_get_array(&m);
    if (n > SEATS_MAX)
        m.bad = true;
    for (; out->n_accepted < n && !m.bad; out->n_accepted++) {
        if (mp_get_array(&m) != 2)
            m.bad = true;
        mp_get_raw(&m, out->accepted[out->n_accepted].desk.b, DESK_ID_BYTES);
        mp_get_raw(&m, out->accepted[out->n_accepted].sig, SIG_BYTES);
    }
    mp_get_str(&m, out->evidence, sizeof out->evidence);
    out->progress = mp_get_bin(&m, &out->progress_len);
    return mp_done(&m) ? ERR_OK : err_set(msg, ERR_MALFORMED, "a receipt that does not parse");
}

enum err receipt_decode(const uint8_t *p, size_t n, struct receipt *out, struct errmsg *msg)
{
    uint8_t sig[SIG_BYTES];
    size_t len = 0;
    const uint8_t *inner = signed_get(p, n, &len, sig);

    return inner ? decode(inner, len, out, msg) : err_set(msg, ERR_MALFORMED, "not a receipt");
}

static bool seat_accepted(const struct receipt *r, const struct roster *roster,
                          const struct desk_id *seat, uint64_t slot, const uint8_t hash[HASH_BYTES])
{
    const struct desk *d = roster_find(roster, seat);

    for (unsigned i = 0; d && i < r->n_accepted; i++)
        if (desk_id_eq(&r->accepted[i].desk, seat) &&
            accepted_ok(roster_branch(roster), slot, r->term, hash, d->sign_pk, r->accepted[i].sig))
            return true;
    return false;
}

enum err receipt_open(const uint8_t *p, size_t n, const struct roster *roster,
                      const struct desk_id *seats, unsigned n_seats, struct receipt *out,
                      struct errmsg *msg)
{
    uint8_t sig[SIG_BYTES], hash[HASH_BYTES];
    size_t len = 0;
    const uint8_t *inner = signed_get(p, n, &len, sig);
    const struct desk *uploader;
    struct intent in;
    unsigned yes = 0;
    enum err e;

    if (!inner || (e = decode(inner, len, out, msg)) != ERR_OK)
        return err_set(msg, ERR_MALFORMED, "not a receipt");
    if ((uploader = roster_find(roster, &out->desk)) == NULL ||
        !sign_ok(receipt_domain, inner, len, uploader->sign_pk, sig))
        return err_set(msg, ERR_DENIED, "a receipt that its uploader did not sign");
    if ((e = intent_decode(out->intent, out->intent_len, &in, msg)) != ERR_OK)
        return e;
    intent_hash(out->intent, out->intent_len, hash);
    for (unsigned i = 0; i < n_seats; i++)
        yes += seat_accepted(out, roster, &seats[i], in.slot, hash);
    intent_free(&in);
    if (yes < n_seats / 2 + 1)
        return err_set(msg, ERR_DENIED, "a receipt with %u of %u needed signatures", yes,
                       n_seats / 2 + 1);
    return ERR_OK;
}
