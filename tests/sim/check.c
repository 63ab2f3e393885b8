/* check.c - what must hold after every step: the invariants I1 to I8 (PROTOCOL.md, "Ledger"), and
 * the promises about records.
 *
 * The ledger's state is read from the disk, as a restart would: what a desk merely believes proves
 * nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "wire.h"

struct known_feed *check_feed(struct sim *s, const struct feed_id *id)
{
    struct known_feed *f;

    for (unsigned i = 0; i < s->n_feeds; i++)
        if (feed_id_eq(&s->feed[i].id, id))
            return &s->feed[i];
    s->feed = sim_grow(s->feed, s->n_feeds, &s->feeds_room, sizeof *s->feed);
    f = &s->feed[s->n_feeds++];
    *f = (struct known_feed){ .id = *id };
    return f;
}

/* ---- the ledger ---- */

/* One intent for a slot, wherever it is called decided or delivered. */
static void one_hash(struct sim *s, uint64_t slot, const uint8_t hash[HASH_BYTES],
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
    }
    s->n_slots = in->slot;
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
    one_hash(s, slot, hash, "receipts");
    if (in.slot != slot || slot != s->desk[desk].dec + 1)
        sim_fail(s, "I5", "%s stores a receipt for slot %llu after %llu", s->desk[desk].name,
                 (unsigned long long)slot, (unsigned long long)s->desk[desk].dec);
    s->desk[desk].dec = slot;
    if (slot == s->n_slots + 1)
        decided_first(s, &in);
    if (in.type == SLOT_UPLOAD && slot > s->n_at_sink && in.n_parts > 0)
        sim_fail(s, "I3", "slot %llu is settled and the sink never saw it",
                 (unsigned long long)slot);
    intent_free(&in);
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
        if (!feeds_holds(fs, &r->feed, r->to, r->hash))
            sim_fail(s, "L3", "%s accepted slot %llu without holding its very records",
                     s->desk[desk].name, (unsigned long long)in.slot);
    }
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

struct watching {
    struct sim *s;
    int desk;
};

static void watch(void *ctx, enum table t, const uint8_t *key, size_t n, const uint8_t *val,
                  size_t len)
{
    const struct watching *w = ctx;

    if (t == TABLE_SLOTS && n == 8)
        watch_slot(w->s, w->desk, get_be64(key), val, len);
    else if (t == TABLE_META && n == 1 && key[0] == 'L' && val)
        watch_ledger(w->s, w->desk, val, len);
}

/* ---- records ---- */

static void note_held(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    const struct feeds *fs = core_feeds(d->core);

    if (fs->records == d->held_records)
        return;
    d->held_records = fs->records;
    for (unsigned i = 0; i < fs->n; i++) { /* aliases are given once: the order is stable */
        if (i == d->n_held) {
            d->held = sim_grow(d->held, d->n_held, &d->held_room, sizeof *d->held);
            d->held[d->n_held++] = (struct held){ fs->v[i].opening.id, 0 };
        }
        d->held[i].seq = fs->v[i].seq;
    }
}

void check_durable(struct sim *s, int desk)
{
    struct watching w = { s, desk };

    memdisk_commit(s->desk[desk].disk, watch, &w);
    note_held(s, desk);
}

void check_acknowledged(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];

    for (unsigned i = 0; i < d->n_fresh; i++) {
        struct known_feed *f = check_feed(s, &d->fresh[i].feed);
        const struct feed *mine = feeds_find(core_feeds(d->core), &d->fresh[i].feed);
        if (!mine || mine->seq < d->fresh[i].seq)
            sim_fail(s, "G1", "%s acknowledges record %llu and does not hold it", d->name,
                     (unsigned long long)d->fresh[i].seq);
        if (f->acked < d->fresh[i].seq)
            f->acked = d->fresh[i].seq;
        d->last = d->fresh[i];
        s->records++;
    }
    d->n_fresh = 0;
}

void check_restart(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    const struct feeds *fs = core_feeds(d->core);

    for (unsigned i = 0; i < d->n_held; i++) {
        const struct feed *f = feeds_find(fs, &d->held[i].feed);
        if (d->held[i].seq > 0 && (!f || f->seq < d->held[i].seq))
            sim_fail(s, "G1", "%s lost records over a restart", d->name);
    }
    if (ledger_decided(core_ledger(d->core)) != d->dec)
        sim_fail(s, "I8", "%s knew %llu decided slots, after a restart %llu", d->name,
                 (unsigned long long)d->dec,
                 (unsigned long long)ledger_decided(core_ledger(d->core)));
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
    if (d->dec >= slot) /* receipts were compared when they were stored */
        return memcmp(s->slot_hash[slot % 1024], hash, HASH_BYTES) == 0;
    return d->has_acc && memcmp(d->acc_hash, hash, HASH_BYTES) == 0;
}

static void delivery_begins(struct sim *s, int desk, const struct effect *e)
{
    struct moment now = sim_moment(s, desk);
    struct ledger_view v;
    struct intent in;
    uint8_t hash[HASH_BYTES];
    unsigned stored = 0;

    if (intent_decode(e->bytes.p, e->bytes.len, &in, NULL) != ERR_OK)
        return; /* sink.c complains */
    intent_hash(e->bytes.p, e->bytes.len, hash);
    one_hash(s, in.slot, hash, "delivered");
    core_ledger_view(s->desk[desk].core, &now, &v);
    for (unsigned i = 0; i < v.n_seats; i++)
        stored += seat_stored(s, &v.seats[i], in.slot, hash);
    if (stored < v.n_seats / 2 + 1)
        sim_fail(s, "I3", "%s sends slot %llu, which %u of %u seats stored", s->desk[desk].name,
                 (unsigned long long)in.slot, stored, v.n_seats);
    intent_free(&in);
}

void check_effect(struct sim *s, int desk, const struct effect *e)
{
    if (e->type == EFFECT_SEND)
        vote_leaves(s, desk, e);
    else if (e->type == EFFECT_DELIVER)
        delivery_begins(s, desk, e);
}

/* I7. After a change of seats the old seats may still elect somebody who has not heard of it: he
 * can only finish that change again, so leases given by different seats are not compared. */
void check_leases(struct sim *s)
{
    struct ledger_view first, v;
    int holder = -1;

    for (int i = 0; i < (int)s->n; i++) {
        struct moment now = sim_moment(s, i);
        if (!s->desk[i].core)
            continue;
        core_ledger_view(s->desk[i].core, &now, &v);
        if (!v.is_uploader)
            continue;
        if (holder >= 0 && v.n_seats == first.n_seats)
            sim_fail(s, "I7", "%s (term %llu) and %s (term %llu) both hold the lease",
                     s->desk[holder].name, (unsigned long long)first.term, s->desk[i].name,
                     (unsigned long long)v.term);
        if (holder < 0) {
            holder = i;
            first = v;
        }
    }
}

/* ---- the end ---- */

/* No disk is ever wiped or restored here: whoever says so is wrong. */
static unsigned peers_doubted(const struct sim *s, int desk)
{
    struct moment now = sim_moment(s, desk);
    unsigned n = 0;

    for (unsigned i = 0; i < core_peers(s->desk[desk].core); i++) {
        struct peer_view p;
        core_peer_view(s->desk[desk].core, &now, i, &p);
        n += p.memory_lost;
    }
    return n;
}

bool check_is_settled(const struct sim *s, char why[200])
{
    for (unsigned i = 0; i < s->n; i++) {
        struct moment now = sim_moment(s, (int)i);
        const struct station *d = &s->desk[i];
        struct ledger_view v;
        struct core_view c;
        if (!d->core) {
            snprintf(why, 200, "%s is down", d->name);
            return false;
        }
        core_ledger_view(d->core, &now, &v);
        core_view(d->core, &now, &c);
        if (c.memory_lost || peers_doubted(s, (int)i) > 0) {
            snprintf(why, 200, "%s believes in a lost memory", d->name);
            return false;
        }
        if (v.slot != s->n_slots + 1 || v.open || v.triggered || c.pending > 0 ||
            c.held != s->desk[0].held_records) {
            snprintf(why, 200,
                     "%s: next slot %llu of %llu, %s%s%s, %llu pending, %llu held, may vote %d: "
                     "%.80s",
                     d->name, (unsigned long long)v.slot, (unsigned long long)s->n_slots + 1,
                     ledger_state_name(v.state), v.open ? ", open" : "",
                     v.triggered ? ", triggered" : "", (unsigned long long)c.pending,
                     (unsigned long long)c.held, v.may_vote, v.problem);
            return false;
        }
    }
    return true;
}

static void same_everywhere(struct sim *s)
{
    for (unsigned i = 1; i < s->n; i++) {
        struct feeds *a = (struct feeds *)(uintptr_t)core_feeds(s->desk[0].core);
        struct feeds *b = (struct feeds *)(uintptr_t)core_feeds(s->desk[i].core);
        if (memcmp(feeds_hash(a), feeds_hash(b), 16) != 0)
            sim_fail(s, "G3", "%s and %s hold different sets", s->desk[0].name, s->desk[i].name);
    }
}

void check_end(struct sim *s)
{
    const struct feeds *fs = core_feeds(s->desk[0].core);
    uint64_t total = 0;

    same_everywhere(s);
    for (unsigned i = 0; i < s->n_feeds; i++) {
        const struct known_feed *k = &s->feed[i];
        const struct feed *f = feeds_find(fs, &k->id);
        uint64_t seq = f ? f->seq : 0;
        if (seq < k->acked)
            sim_fail(s, "G1", "an acknowledged record is nowhere");
        if (k->in_slot != seq || k->at_sink != seq)
            sim_fail(s, "G5", "a feed of %llu records, %llu decided, %llu at the sink",
                     (unsigned long long)seq, (unsigned long long)k->in_slot,
                     (unsigned long long)k->at_sink);
        total += seq;
    }
    if (total != fs->records)
        sim_fail(s, "G5", "%llu records, %llu of them seen by a slot",
                 (unsigned long long)fs->records, (unsigned long long)total);
}
