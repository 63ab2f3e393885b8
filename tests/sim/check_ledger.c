/* check_ledger.c - I1 to I8, L3 and L4: terms, votes, intents, receipts, leases. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "wire.h"

void check_one_intent(struct sim *s, uint64_t slot, const uint8_t hash[HASH_BYTES],
                      const char *where)
{
    static const uint8_t none[HASH_BYTES];

    if (slot >= sizeof s->slot_hash / sizeof s->slot_hash[0])
        return;
    if (memcmp(s->slot_hash[slot], none, HASH_BYTES) == 0)
        memcpy(s->slot_hash[slot], hash, HASH_BYTES);
    else if (memcmp(s->slot_hash[slot], hash, HASH_BYTES) != 0)
        sim_fail(s, "I2", "slot %llu has two intents (%s)", (unsigned long long)slot, where);
}

static void decided_first(struct sim *s, const struct intent *in)
{
    for (unsigned i = 0; i < in->n_ranges; i++) {
        const struct slot_range *r = &in->ranges[i];
        struct known_feed *f = check_feed(s, &r->feed);
        if (r->from != f->in_slot + 1)
            sim_fail(s, "I6", "slot %llu has records %llu.. of a feed that is decided up to %llu",
                     (unsigned long long)in->slot, (unsigned long long)r->from,
                     (unsigned long long)f->in_slot);
        f->in_slot = r->to;
        if (f->unknown_from > 0 && r->to >= f->unknown_from)
            sim_fail(s, "L3", "slot %llu passes over a record of unknown kind",
                     (unsigned long long)in->slot);
    }
    s->n_slots = in->slot;
}

/* After its term, which the next one's receipt proves to be over, an answer is evidence, no
 * receipt. A batch may have stood open while its desk was frozen. */
static void written_in_term(struct sim *s, int desk, const struct receipt *r, uint64_t slot)
{
    uint64_t *term = &s->slot_term[slot % 1024];
    int64_t ago_ms = sim_moment(s, desk).wall_ms - r->at_ms;
    bool now =
        ago_ms > -100 && ago_ms < 100; /* else its own is back, from another disk (seed 3564) */

    if (now && r->term < *term && sim_desk_of(s, &r->desk) == desk)
        sim_fail(s, "L4", "%s writes a receipt of slot %llu in term %llu, after one of term %llu",
                 s->desk[desk].name, (unsigned long long)slot, (unsigned long long)r->term,
                 (unsigned long long)*term);
    *term = r->term > *term ? r->term : *term;
}

static void watch_slot(struct sim *s, int desk, uint64_t slot, const uint8_t *val, size_t len)
{
    struct receipt r;
    struct intent in;
    uint8_t hash[HASH_BYTES];

    if (!val) {
        sim_fail(s, "I8", "%s forgets the receipt of slot %llu", s->desk[desk].name,
                 (unsigned long long)slot);
        return;
    }
    if (receipt_decode(val, len, &r, NULL) != ERR_OK ||
        intent_decode(r.intent, r.intent_len, &in, NULL) != ERR_OK) {
        sim_fail(s, "I8", "%s stores a receipt that does not parse", s->desk[desk].name);
        return;
    }
    intent_hash(r.intent, r.intent_len, hash);
    check_one_intent(s, slot, hash, "receipts");
    written_in_term(s, desk, &r, slot);
    if (in.slot != slot || slot != s->desk[desk].dec + 1)
        sim_fail(s, "I5", "%s stores a receipt for slot %llu after %llu", s->desk[desk].name,
                 (unsigned long long)slot, (unsigned long long)s->desk[desk].dec);
    s->desk[desk].dec = slot;
    if (slot > s->desk[desk].dec_ever)
        s->desk[desk].dec_ever = slot;
    if (slot == s->n_slots + 1) {
        decided_first(s, &in);
        steps_settled(s, &in, &r);
    }
    if (in.type == SLOT_UPLOAD && slot > s->n_at_sink && in.n_parts > 0)
        sim_fail(s, "I3", "slot %llu is settled and the sink never saw it",
                 (unsigned long long)slot);
    intent_free(&in);
}

/* Looked at here, not asked of the rules. */
static bool leads_to(const struct feeds *fs, const struct slot_range *r)
{
    const struct feed *f = feeds_find(fs, &r->feed);
    uint8_t h[HASH_BYTES];

    return f && f->seq >= r->to && feeds_hash_at(fs, f, r->to, h) == ERR_OK &&
           memcmp(h, r->hash, sizeof r->hash) == 0;
}

/* L3: who accepts an intent holds all that is under its cut. */
static void holds_all(struct sim *s, int desk, const uint8_t *acc, size_t n)
{
    const struct feeds *fs = core_feeds(s->desk[desk].core);
    struct intent in;

    if (intent_decode(acc, n, &in, NULL) != ERR_OK) {
        sim_fail(s, "L3", "%s accepted what does not parse", s->desk[desk].name);
        return;
    }
    for (unsigned i = 0; i < in.n_ranges; i++) {
        const struct slot_range *r = &in.ranges[i];
        if (!leads_to(fs, r))
            sim_fail(s, "L3", "%s accepted slot %llu without holding its very records",
                     s->desk[desk].name, (unsigned long long)in.slot);
    }
    s->desk[desk].acc_slot = in.slot;
    if (in.slot != ledger_decided(core_ledger(s->desk[desk].core)) + 1)
        sim_fail(s, "I5", "%s accepted slot %llu, out of turn", s->desk[desk].name,
                 (unsigned long long)in.slot);
    intent_free(&in);
}

static void watch_ledger(struct sim *s, int desk, const uint8_t *val, size_t len)
{
    struct station *d = &s->desk[desk];
    struct mp m = mp_over(val, len);
    uint8_t epoch[HASH_BYTES], hash[HASH_BYTES];
    struct desk_id vote = { { 0 } };
    const uint8_t *p, *acc;
    size_t n = 0, acc_n = 0;
    uint64_t term;
    bool voted;

    mp_get_array(&m);
    mp_get_u64(&m);
    mp_get_u64(&m);
    mp_get_raw(&m, epoch, sizeof epoch);
    term = mp_get_u64(&m);
    p = mp_get_bin(&m, &n);
    if ((voted = n == DESK_ID_BYTES))
        memcpy(vote.b, p, n);
    mp_get_u64(&m);
    acc = mp_get_bin(&m, &acc_n);
    if (m.bad) {
        sim_fail(s, "I1", "%s stores a ledger state that does not parse", d->name);
        return;
    }
    if (term < d->term)
        sim_fail(s, "I1", "%s goes back from term %llu to %llu", d->name,
                 (unsigned long long)d->term, (unsigned long long)term);
    if (term == d->term && d->voted && (!voted || !desk_id_eq(&vote, &d->voted_for)))
        sim_fail(s, "I1", "%s changes its vote in term %llu", d->name, (unsigned long long)term);
    d->term = term;
    d->voted = voted;
    d->voted_for = vote;
    d->has_acc = acc_n > 0;
    if (acc_n == 0)
        return;
    intent_hash(acc, acc_n, hash);
    if (memcmp(hash, d->acc_hash, HASH_BYTES) != 0)
        holds_all(s, desk, acc, acc_n);
    memcpy(d->acc_hash, hash, HASH_BYTES);
}

static void durable(struct sim *s, int desk, enum table t, const uint8_t *key, size_t n,
                    const uint8_t *val, size_t len)
{
    if (t == TABLE_SLOTS && n == 8 && !s->overrides)
        watch_slot(s, desk, get_be64(key), val, len);
    else if (t == TABLE_META && n == 1 && key[0] == 'L' && val)
        watch_ledger(s, desk, val, len);
}

static void started(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    uint64_t dec = ledger_decided(core_ledger(d->core));

    if (d->new_memory)
        d->dec = dec;
    if (dec != d->dec)
        sim_fail(s, "I8", "%s knew %llu decided slots, after a restart %llu", d->name,
                 (unsigned long long)d->dec, (unsigned long long)dec);
}

/* ---- effects ---- */

static void vote_leaves(struct sim *s, int desk, const struct effect *e)
{
    struct mp m = mp_over(e->bytes.p, e->bytes.len);
    uint8_t hash[HASH_BYTES];
    uint64_t term;
    int to = sim_desk_of(s, &e->to);

    if (wire_open(&m) != WIRE_VOTED)
        return;
    mp_get_u64(&m);
    mp_get_raw(&m, hash, sizeof hash);
    term = mp_get_u64(&m);
    mp_get_u64(&m);
    if (!mp_get_bool(&m) || m.bad)
        return;
    if (roster_active(core_roster(s->desk[desk].core)) <= 1)
        return; /* nobody is left to remember what it said (seeds 35697, 139229) */
    if (s->desk[desk].votes_forgotten > 0)
        sim_fail(s, "I9", "%s votes in term %llu, after it forgot earlier votes",
                 s->desk[desk].name, (unsigned long long)term);
    for (unsigned i = s->n_votes; i-- > 0;) {
        const struct vote *v = &s->vote[i];
        if (v->term != term || v->voter != desk)
            continue;
        if (v->candidate != to)
            sim_fail(s, "I1", "%s votes twice in term %llu", s->desk[desk].name,
                     (unsigned long long)term);
        return;
    }
    s->vote = sim_grow(s->vote, s->n_votes, &s->votes_room, sizeof *s->vote);
    s->vote[s->n_votes++] = (struct vote){ term, desk, to };
}

static bool seat_stored(const struct sim *s, const struct desk_id *seat, uint64_t slot,
                        const uint8_t hash[HASH_BYTES])
{
    int i = sim_desk_of(s, seat);
    const struct station *d = &s->desk[i];

    if (i < 0)
        return false;
    if (d->dec_ever >= slot) /* receipts were compared when they were stored */
        return memcmp(s->slot_hash[slot % 1024], hash, HASH_BYTES) == 0;
    return (d->has_acc || d->forgot) && memcmp(d->acc_hash, hash, HASH_BYTES) == 0;
}

/* What another desk handed over before may be under way for as long as the policy's quiet time; the
 * clocks may run apart by 2 %. Who froze over his lease comes late with what he began in it: no
 * quiet time is long enough for that, only the name at the sink. At a sink with steps nothing is under
 * way once there is an answer: a pause between two items makes a successor go on at once (D3). */
static void is_quiet(struct sim *s, int desk, uint64_t slot, uint64_t term)
{
    uint64_t quiet_us = s->script->setup.quiet * SECOND * 96 / 100;
    bool over = s->last_sent.answered && s->script->setup.sink > 1;

    if (!over && s->last_sent.slot == slot && s->last_sent.desk != desk &&
        term > s->last_sent.term && s->now_us - s->last_sent.at_us < quiet_us)
        sim_fail(s, "quiet", "%s sends slot %llu, %.1f s after %s did", s->desk[desk].name,
                 (unsigned long long)slot,
                 (double)(s->now_us - s->last_sent.at_us) / (double)SECOND,
                 s->desk[s->last_sent.desk].name);
    s->last_sent = (struct sent){ slot, term, desk, s->now_us, false };
}

static void delivery_begins(struct sim *s, int desk, const struct effect *e)
{
    struct moment now = sim_moment(s, desk);
    struct ledger_view v;
    struct intent in;
    uint8_t hash[HASH_BYTES];
    unsigned stored = 0;

    if (s->overrides || intent_decode(e->bytes.p, e->bytes.len, &in, NULL) != ERR_OK)
        return; /* overrides.c looks; sink.c complains */
    intent_hash(e->bytes.p, e->bytes.len, hash);
    check_one_intent(s, in.slot, hash, "delivered");
    core_ledger_view(s->desk[desk].core, &now, &v);
    for (unsigned i = 0; i < v.n_seats; i++)
        stored += seat_stored(s, &v.seats[i], in.slot, hash);
    if (stored < v.n_seats / 2 + 1)
        sim_fail(s, "I3", "%s sends slot %llu, which %u of %u seats stored", s->desk[desk].name,
                 (unsigned long long)in.slot, stored, v.n_seats);
    if (v.is_uploader)
        is_quiet(s, desk, in.slot, v.term);
    intent_free(&in);
}

static void effect(struct sim *s, int desk, const struct effect *e)
{
    if (e->type == EFFECT_SEND)
        vote_leaves(s, desk, e);
    else if (e->type == EFFECT_DELIVER)
        delivery_begins(s, desk, e);
}

const struct check check_ledger = {
    .name = "ledger", .durable = durable, .effect = effect, .started = started
};

/* I7. Whoever gains or renews the lease is compared with the others. After a change of seats the
 * old seats may still elect somebody who has not heard of it: he can only finish that change again,
 * so leases given by different seats are not compared. */
static void leases(struct sim *s, int desk)
{
    const struct ledger_view *mine = &s->desk[desk].view;

    if (!mine->is_uploader)
        return;
    for (int i = 0; i < (int)s->n; i++) {
        struct moment now = sim_moment(s, i);
        struct ledger_view v;
        if (i == desk || !s->desk[i].core || !s->desk[i].view.is_uploader)
            continue;
        core_ledger_view(s->desk[i].core, &now, &v);
        if (v.is_uploader && v.n_seats == mine->n_seats && epoch_eq(&v.epoch, &mine->epoch))
            sim_fail(s, "I7", "%s (term %llu) and %s (term %llu) both hold the lease",
                     s->desk[desk].name, (unsigned long long)mine->term, s->desk[i].name,
                     (unsigned long long)v.term);
    }
}

const struct check check_leases = { .name = "leases", .step = leases };
