/* slot.c - bytes of intents, triggers and receipts. */
#include "slot.h"

#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "mem.h"
#include "word.h"

_Static_assert(SLOT_RANGES_MAX *INTENT_RANGE_MAX + SLOT_RELEASED_MAX * INTENT_RELEASED_MAX +
                       SLOT_RULINGS_MAX * INTENT_RULING_MAX + 20480 <
                   DISK_VALUE_MAX,
               "a receipt is stored");

static const char accepted_domain[] = "tideover accepted v1";
static const char receipt_domain[] = "tideover receipt v1";
static const char trigger_domain[] = "tideover trigger v1";

void signed_put(const char *domain, struct buf *inner, const uint8_t sk[SIGN_SK_BYTES],
                struct buf *out)
{
    uint8_t sig[SIG_BYTES];

    sign_bytes(domain, inner->p, inner->len, sk, sig);
    mp_put_array(out, 2);
    mp_put_bin(out, inner->p, inner->len);
    mp_put_bin(out, sig, sizeof sig);
    buf_free(inner);
}

const uint8_t *signed_get(const uint8_t *p, size_t n, size_t *len, uint8_t sig[SIG_BYTES])
{
    struct mp m = mp_over(p, n);
    const uint8_t *inner;

    if (mp_get_array(&m) != 2)
        return NULL;
    inner = mp_get_bin(&m, len);
    mp_get_raw(&m, sig, SIG_BYTES);
    return mp_done(&m) ? inner : NULL;
}

static void put_epoch(struct buf *b, const struct epoch *e)
{
    mp_put_u64(b, e->number);
    mp_put_bin(b, e->hash, HASH_BYTES);
}

static void get_epoch(struct mp *m, struct epoch *e)
{
    e->number = (uint32_t)mp_get_u64(m);
    mp_get_raw(m, e->hash, HASH_BYTES);
}

#define INTENT_FIELDS 24 /* counted by test_slot */

void intent_encode(const struct intent *in, struct buf *out)
{
    mp_put_array(out, INTENT_FIELDS);
    mp_put_u64(out, 1);
    mp_put_bin(out, in->branch, BRANCH_ID_BYTES);
    put_epoch(out, &in->epoch);
    mp_put_u64(out, in->slot);
    mp_put_bin(out, in->prev, HASH_BYTES);
    mp_put_u64(out, in->term);
    mp_put_bin(out, in->desk.b, DESK_ID_BYTES);
    mp_put_u64(out, in->type);
    mp_put_array(out, in->n_seats);
    for (unsigned i = 0; i < in->n_seats; i++)
        mp_put_bin(out, in->seats[i].b, DESK_ID_BYTES);
    mp_put_bin(out, in->policy, HASH_BYTES);
    mp_put_u64(out, in->rules);
    mp_put_str(out, in->sink);
    mp_put_array(out, in->n_ranges);
    for (unsigned i = 0; i < in->n_ranges; i++) {
        const struct slot_range *r = &in->ranges[i];
        mp_put_array(out, 6);
        mp_put_bin(out, &r->feed, sizeof r->feed);
        mp_put_u64(out, r->from);
        mp_put_u64(out, r->to);
        mp_put_bin(out, r->hash, sizeof r->hash);
        mp_put_i64(out, r->correction_ms);
        mp_put_u64(out, r->clock);
    }
    mp_put_u64(out, in->records);
    mp_put_u64(out, in->set_aside);
    mp_put_bin(out, in->aside, sizeof in->aside);
    mp_put_u64(out, in->back_to);
    mp_put_array(out, in->n_parts);
    for (unsigned i = 0; i < in->n_parts; i++) {
        mp_put_array(out, 5);
        mp_put_str(out, in->parts[i].suffix);
        mp_put_u64(out, in->parts[i].day);
        mp_put_u64(out, in->parts[i].bytes);
        mp_put_u64(out, in->parts[i].lines);
        mp_put_bin(out, in->parts[i].sha256, 32);
    }
    mp_put_array(out, in->n_rulings);
    for (unsigned i = 0; i < in->n_rulings; i++) {
        const struct slot_ruling *r = &in->rulings[i];
        mp_put_array(out, 4);
        mp_put_bin(out, &r->ref.feed, sizeof r->ref.feed);
        mp_put_u64(out, r->ref.seq);
        mp_put_u64(out, r->what);
        mp_put_bin(out, r->word, sizeof r->word);
    }
    mp_put_array(out, in->n_released);
    for (unsigned i = 0; i < in->n_released; i++) {
        const struct slot_released *r = &in->released[i];
        mp_put_array(out, 5);
        mp_put_bin(out, &r->ref.feed, sizeof r->ref.feed);
        mp_put_u64(out, r->ref.seq);
        mp_put_u64(out, r->slot);
        mp_put_u64(out, r->what);
        mp_put_bin(out, r->id, sizeof r->id);
    }
    mp_put_u64(out, in->cards);
    mp_put_bin(out, in->trigger.p, in->trigger.len);
    mp_put_array(out, in->n_restored);
    buf_add(out, in->restored.p, in->restored.len);
}

static void get_restored(struct mp *m, struct intent *out)
{
    uint32_t n = mp_get_array(m);

    if (n > SEATS_MAX || (n > 0 && out->type != SLOT_SEATS))
        m->bad = true;
    for (; out->n_restored < n && !m->bad; out->n_restored++) {
        size_t len = 0;
        const uint8_t *word = mp_get_bin(m, &len);
        if (m->bad || len > SLOT_WORD_MAX)
            m->bad = true;
        else
            mp_put_bin(&out->restored, word, len);
    }
}

static void get_ranges(struct mp *m, struct intent *out)
{
    uint32_t n = mp_get_array(m);

    if (m->bad || n > SLOT_RANGES_MAX ||
        (out->ranges = mem_zero(n ? n : 1, sizeof *out->ranges)) == NULL) {
        m->bad = true;
        return;
    }
    for (out->n_ranges = 0; out->n_ranges < n && !m->bad; out->n_ranges++) {
        struct slot_range *r = &out->ranges[out->n_ranges];
        uint64_t class;
        if (mp_get_array(m) != 6)
            m->bad = true;
        mp_get_raw(m, &r->feed, sizeof r->feed);
        r->from = mp_get_u64(m);
        r->to = mp_get_u64(m);
        mp_get_raw(m, r->hash, sizeof r->hash);
        r->correction_ms = mp_get_i64(m);
        class = mp_get_u64(m);
        if (class > CLOCK_IMPOSSIBLE || r->from == 0 || r->to < r->from || r->to > UINT64_MAX / 2 ||
            r->correction_ms > INT64_MAX / 4 || r->correction_ms < INT64_MIN / 4 ||
            (out->n_ranges > 0 && feed_id_cmp(&r[-1].feed, &r->feed) >= 0))
            m->bad = true; /* sorted, so that no feed stands in it twice */
        r->clock = (enum clock_class) class;
    }
}

static bool in_order(const struct record_ref *a, const struct record_ref *b)
{
    int c = feed_id_cmp(&a->feed, &b->feed);

    return c < 0 || (c == 0 && a->seq < b->seq);
}

static void get_rulings(struct mp *m, struct intent *out)
{
    uint32_t n = mp_get_array(m);

    if (m->bad || n > SLOT_RULINGS_MAX || (n > 0 && out->type != SLOT_UPLOAD) ||
        (n > 0 && (out->rulings = mem_zero(n, sizeof *out->rulings)) == NULL)) {
        m->bad = true;
        return;
    }
    for (; out->n_rulings < n && !m->bad; out->n_rulings++) {
        struct slot_ruling *r = &out->rulings[out->n_rulings];
        uint64_t what;
        if (mp_get_array(m) != 4)
            m->bad = true;
        mp_get_raw(m, &r->ref.feed, sizeof r->ref.feed);
        r->ref.seq = mp_get_u64(m);
        what = mp_get_u64(m);
        mp_get_raw(m, r->word, sizeof r->word);
        if (r->ref.seq == 0 || r->ref.seq > UINT64_MAX / 2 ||
            (what != WORD_SEND && what != WORD_VOID) ||
            (out->n_rulings > 0 && !in_order(&r[-1].ref, &r->ref)))
            m->bad = true; /* sorted, so that no record stands in it twice */
        r->what = (uint8_t)what;
    }
}

static void get_released(struct mp *m, struct intent *out)
{
    uint32_t n = mp_get_array(m);

    if (m->bad || n > SLOT_RELEASED_MAX || (n > 0 && out->type != SLOT_UPLOAD) ||
        (n > 0 && (out->released = mem_zero(n, sizeof *out->released)) == NULL)) {
        m->bad = true;
        return;
    }
    for (; out->n_released < n && !m->bad; out->n_released++) {
        struct slot_released *r = &out->released[out->n_released];
        uint64_t what;
        if (mp_get_array(m) != 5)
            m->bad = true;
        mp_get_raw(m, &r->ref.feed, sizeof r->ref.feed);
        r->ref.seq = mp_get_u64(m);
        r->slot = mp_get_u64(m);
        what = mp_get_u64(m);
        mp_get_raw(m, r->id, sizeof r->id);
        if (r->ref.seq == 0 || r->ref.seq > UINT64_MAX / 2 || r->slot == 0 ||
            r->slot >= out->slot || what == 0 || what > UINT8_MAX ||
            (out->n_released > 0 && !in_order(&r[-1].ref, &r->ref)))
            m->bad = true; /* sorted, so that no record stands in it twice */
        r->what = (uint8_t)what;
    }
}

static void get_parts(struct mp *m, struct intent *out)
{
    uint32_t n = mp_get_array(m);

    if (n > SLOT_PARTS_MAX)
        m->bad = true;
    for (out->n_parts = 0; out->n_parts < n && !m->bad; out->n_parts++) {
        struct slot_part *p = &out->parts[out->n_parts];
        uint64_t day;
        if (mp_get_array(m) != 5)
            m->bad = true;
        mp_get_str(m, p->suffix, sizeof p->suffix);
        if ((day = mp_get_u64(m)) > 99991231)
            m->bad = true;
        p->day = (uint32_t)day;
        p->bytes = mp_get_u64(m);
        p->lines = mp_get_u64(m);
        mp_get_raw(m, p->sha256, 32);
    }
}

enum err intent_decode(const uint8_t *p, size_t n, struct intent *out, struct errmsg *msg)
{
    struct mp m = mp_over(p, n);
    const uint8_t *trigger;
    size_t trigger_n = 0;
    uint64_t type;
    uint32_t seats;

    memset(out, 0, sizeof *out);
    if (mp_get_array(&m) != INTENT_FIELDS || mp_get_u64(&m) != 1)
        return err_set(msg, ERR_MALFORMED, "not an intent of this version");
    mp_get_raw(&m, out->branch, BRANCH_ID_BYTES);
    get_epoch(&m, &out->epoch);
    out->slot = mp_get_u64(&m);
    mp_get_raw(&m, out->prev, HASH_BYTES);
    out->term = mp_get_u64(&m);
    mp_get_raw(&m, out->desk.b, DESK_ID_BYTES);
    type = mp_get_u64(&m);
    seats = mp_get_array(&m);
    if (seats > SEATS_MAX || type < SLOT_UPLOAD || type > SLOT_HORIZON)
        m.bad = true;
    out->type = (enum slot_type)type;
    for (; out->n_seats < seats && !m.bad; out->n_seats++)
        mp_get_raw(&m, out->seats[out->n_seats].b, DESK_ID_BYTES);
    mp_get_raw(&m, out->policy, HASH_BYTES);
    out->rules = (unsigned)mp_get_u64(&m);
    mp_get_str(&m, out->sink, sizeof out->sink);
    get_ranges(&m, out);
    out->records = mp_get_u64(&m);
    out->set_aside = mp_get_u64(&m);
    mp_get_raw(&m, out->aside, sizeof out->aside);
    out->back_to = mp_get_u64(&m);
    get_parts(&m, out);
    get_rulings(&m, out);
    get_released(&m, out);
    out->cards = mp_get_u64(&m);
    if (out->cards >= out->slot && out->cards != 0)
        m.bad = true;
    trigger = mp_get_bin(&m, &trigger_n);
    get_restored(&m, out);
    if (mp_done(&m))
        buf_add(&out->trigger, trigger, trigger_n);
    if (!mp_done(&m) || out->trigger.failed || out->restored.failed || out->slot == 0) {
        intent_free(out);
        return err_set(msg, ERR_MALFORMED, "an intent that does not parse");
    }
    return ERR_OK;
}

void intent_free(struct intent *in)
{
    free(in->ranges);
    free(in->released);
    free(in->rulings);
    in->ranges = NULL;
    in->released = NULL;
    in->rulings = NULL;
    in->n_ranges = in->n_released = in->n_rulings = 0;
    buf_free(&in->trigger);
    buf_free(&in->restored);
    in->n_restored = 0;
}

bool intent_sends_nothing(const struct intent *in)
{
    return in->n_ranges == 0 && in->n_released == 0;
}

void intent_hash(const uint8_t *p, size_t n, uint8_t out[HASH_BYTES])
{
    hash_parts("tideover intent v1", &(struct part){ p, n }, 1, out, HASH_BYTES);
}

void trigger_sign(const uint8_t branch[BRANCH_ID_BYTES], const struct trigger *t,
                  const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf inner = { 0 };

    mp_put_array(&inner, 8);
    mp_put_u64(&inner, 1);
    mp_put_bin(&inner, branch, BRANCH_ID_BYTES);
    put_epoch(&inner, &t->epoch);
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
    get_epoch(&m, &out->epoch);
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
