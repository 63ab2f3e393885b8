/* evidence.c - receipts of epochs that were lost: what they show was delivered is not sent again,
 * and what was sent in both is named.
 *
 * Evidence of an epoch is taken in the order of its slots, each checked with the seats that it had
 * then; so its ranges have no gap above what the branch has in common with that epoch. */
#include "ledger_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define EVIDENCE_AT_ONCE 16 /* messages to one desk in answer to a beat */

static void evidence_key(const struct epoch *e, uint64_t slot, uint8_t key[EVIDENCE_KEY])
{
    put_be32(key, e->number);
    memcpy(key + 4, e->hash, HASH_BYTES);
    put_be64(key + 4 + HASH_BYTES, slot);
}

static uint64_t of_key(const uint8_t key[EVIDENCE_KEY], struct epoch *e)
{
    e->number = get_be32(key);
    memcpy(e->hash, key + 4, HASH_BYTES);
    return get_be64(key + 4 + HASH_BYTES);
}

/* Decided in a part of that epoch that our own chain keeps: no evidence then, but a receipt. */
static bool is_ours(const struct ledger *l, const struct epoch *e, uint64_t slot)
{
    struct epoch own = ledger_epoch_at(l, slot);

    return epoch_eq(e, &own);
}

void evidence_store(struct ledger *l, const struct epoch *e, uint64_t slot, const uint8_t *p,
                    size_t n)
{
    uint8_t key[EVIDENCE_KEY];

    evidence_key(e, slot, key);
    l->disk->put(l->disk->ctx, TABLE_EVIDENCE, key, sizeof key, p, n);
}

/* ---- walking ---- */

struct walk {
    const struct ledger *l;
    uint8_t from[EVIDENCE_KEY]; /* where the next look begins */
    size_t n_from;
    struct epoch epoch;
    uint64_t slot;
    struct buf bytes; /* the receipt */
};

static bool walk_next(struct walk *w)
{
    const struct disk *d = w->l->disk;
    uint8_t key[DISK_KEY_MAX];
    size_t n = 0;

    while (d->seek(d->ctx, TABLE_EVIDENCE, w->from, w->n_from, 1, key, &n, &w->bytes) == ERR_OK &&
           n == EVIDENCE_KEY) {
        w->slot = of_key(key, &w->epoch);
        evidence_key(&w->epoch, w->slot + 1, w->from);
        w->n_from = EVIDENCE_KEY;
        if (!is_ours(w->l, &w->epoch, w->slot))
            return true;
    }
    return false;
}

static bool intent_of(const struct buf *receipt, struct intent *in, uint8_t hash[HASH_BYTES])
{
    struct receipt r;

    if (receipt_decode(receipt->p, receipt->len, &r, NULL) != ERR_OK ||
        intent_decode(r.intent, r.intent_len, in, NULL) != ERR_OK)
        return false;
    intent_hash(r.intent, r.intent_len, hash);
    return true;
}

/* ---- what was shown to be delivered ---- */

static void show(struct ledger *l, const struct slot_range *r)
{
    bool there;
    unsigned at = feed_place(l->shown, l->n_shown, sizeof *l->shown, &r->feed, &there);
    struct shown *grown;

    if (there) {
        if (l->shown[at].to < r->to) {
            l->shown[at].to = r->to;
            memcpy(l->shown[at].hash, r->hash, sizeof r->hash);
        }
        return;
    }
    if ((grown = mem_room(l->shown, l->n_shown, &l->shown_room, sizeof *grown)) == NULL) {
        l->blind = true;
        return;
    }
    l->shown = grown;
    memmove(l->shown + at + 1, l->shown + at, (l->n_shown - at) * sizeof *l->shown);
    l->n_shown++;
    l->shown[at] = (struct shown){ r->feed, r->to, { 0 } };
    memcpy(l->shown[at].hash, r->hash, sizeof r->hash);
}

static void count_in(struct ledger *l, const struct epoch *e, uint64_t slot,
                     const struct intent *in)
{
    uint8_t key[EVIDENCE_KEY], h[16];

    evidence_key(e, slot, key);
    hash_parts("tideover evidence v1", &(struct part){ key, sizeof key }, 1, h, sizeof h);
    for (unsigned i = 0; i < sizeof h; i++)
        l->evidence_hash[i] ^= h[i];
    l->n_evidence++;
    for (unsigned i = 0; in->type == SLOT_UPLOAD && i < in->n_ranges; i++)
        show(l, &in->ranges[i]);
}

void evidence_review(struct ledger *l)
{
    struct walk w = { .l = l };
    struct intent in;
    uint8_t hash[HASH_BYTES];

    memset(l->evidence_hash, 0, sizeof l->evidence_hash);
    l->n_evidence = l->n_shown = 0;
    l->blind = false;
    while (walk_next(&w)) {
        if (!intent_of(&w.bytes, &in, hash))
            continue;
        count_in(l, &w.epoch, w.slot, &in);
        intent_free(&in);
    }
    buf_free(&w.bytes);
    l->found_at = 0;
    evidence_count_doubled(l);
}

void evidence_released(const struct ledger *l,
                       void (*each)(void *ctx, const struct slot_released *sent), void *ctx)
{
    struct walk w = { .l = l };
    struct intent in;
    uint8_t hash[HASH_BYTES];

    while (l->n_evidence > 0 && walk_next(&w)) {
        if (!intent_of(&w.bytes, &in, hash))
            continue;
        for (unsigned i = 0; i < in.n_released; i++)
            each(ctx, &in.released[i]);
        intent_free(&in);
    }
    buf_free(&w.bytes);
}

static bool is_of(const struct buf *receipt, const uint8_t intent[HASH_BYTES])
{
    uint8_t hash[HASH_BYTES];
    struct receipt r;

    if (receipt_decode(receipt->p, receipt->len, &r, NULL) != ERR_OK)
        return false;
    intent_hash(r.intent, r.intent_len, hash);
    return memcmp(hash, intent, HASH_BYTES) == 0;
}

bool ledger_was_decided(const struct ledger *l, uint64_t slot, const uint8_t intent[HASH_BYTES])
{
    struct walk w = { .l = l };
    bool yes =
        slot <= l->dec && ledger_receipt(l, slot, &w.bytes) == ERR_OK && is_of(&w.bytes, intent);

    while (!yes && l->n_evidence > 0 && walk_next(&w))
        yes = w.slot == slot && is_of(&w.bytes, intent);
    buf_free(&w.bytes);
    return yes;
}

uint64_t evidence_shown(const struct ledger *l, const struct feed_id *feed)
{
    bool there;
    unsigned at = feed_place(l->shown, l->n_shown, sizeof *l->shown, feed, &there);

    return there ? l->shown[at].to : 0;
}

/* ---- checking ---- */

/* The receipt of a slot of any chain, wherever it lies here. */
static enum err receipt_in(const struct ledger *l, const struct override *line, unsigned n,
                           uint64_t slot, struct buf *out)
{
    struct epoch e = epochs_epoch(line, epochs_at(line, n, slot));
    uint8_t key[EVIDENCE_KEY];

    if (is_ours(l, &e, slot))
        return ledger_receipt(l, slot, out);
    evidence_key(&e, slot, key);
    return l->disk->get(l->disk->ctx, TABLE_EVIDENCE, key, sizeof key, out);
}

struct seating { /* who decides a slot, and what it must follow */
    unsigned n;
    struct desk_id seats[SEATS_MAX];
    uint8_t prev[HASH_BYTES];
};

/* Replays the chain that ends in this epoch up to the slot before. ERR_MISSING: something of it is
 * not here. */
static enum err seating_of(const struct ledger *l, const struct override *line, unsigned n,
                           uint64_t slot, struct seating *out)
{
    struct buf b = { 0 };
    uint64_t from = n > 0 ? line[n - 1].base : 0;
    enum err e = ERR_OK;

    memset(out, 0, sizeof *out);
    if (n > 0) {
        out->n = line[n - 1].n_seats;
        memcpy(out->seats, line[n - 1].seats, sizeof out->seats);
    } else if (roster_desks(l->roster) > 0) {
        out->n = 1;
        out->seats[0] = roster_desk(l->roster, 0)->id;
    }
    for (uint64_t s = from > 0 ? from : 1; s < slot && e == ERR_OK; s++) {
        struct intent in;
        uint8_t hash[HASH_BYTES];
        if ((e = receipt_in(l, line, n, s, &b)) != ERR_OK)
            break;
        if (!intent_of(&b, &in, hash)) {
            e = ERR_MALFORMED;
            break;
        }
        if (s == from && memcmp(hash, line[n - 1].base_hash, HASH_BYTES) != 0)
            e = ERR_REFUSED;
        if (s > from && in.type == SLOT_SEATS) {
            out->n = in.n_seats;
            memcpy(out->seats, in.seats, sizeof out->seats);
        }
        memcpy(out->prev, hash, HASH_BYTES);
        intent_free(&in);
    }
    buf_free(&b);
    return e;
}

static enum err check(const struct ledger *l, const struct epoch *e, uint64_t slot,
                      const uint8_t *p, size_t n, struct intent *in, struct errmsg *msg)
{
    struct override *line = NULL;
    struct seating at;
    struct receipt r;
    unsigned n_line = 0;
    enum err rc = epochs_line(l, e, &line, &n_line);

    if (rc == ERR_OK && epochs_at(line, n_line, slot) != n_line)
        rc = err_set(msg, ERR_REFUSED, "a slot that is not of its epoch");
    if (rc == ERR_OK && (rc = seating_of(l, line, n_line, slot, &at)) == ERR_OK &&
        (rc = receipt_open(p, n, l->roster, at.seats, at.n, &r, msg)) == ERR_OK &&
        (rc = intent_decode(r.intent, r.intent_len, in, msg)) == ERR_OK &&
        (in->slot != slot || memcmp(in->prev, at.prev, HASH_BYTES) != 0)) {
        intent_free(in);
        rc = err_set(msg, ERR_REFUSED, "a receipt that does not follow its epoch's last");
    }
    free(line);
    return rc;
}

/* ---- spreading ---- */

void evidence_send(struct ledger *l, const struct desk_id *to, unsigned *cursor)
{
    struct walk w = { .l = l };
    struct epoch chain = { 0 };
    unsigned at = 0, sent = 0;

    if (*cursor >= l->n_evidence)
        *cursor = 0;
    while (sent < EVIDENCE_AT_ONCE && walk_next(&w)) {
        struct buf b = { 0 };
        if (at++ < *cursor)
            continue;
        if (w.epoch.number > 0 && !epoch_eq(&w.epoch, &chain))
            epochs_send(l, to, &w.epoch);
        chain = w.epoch;
        wire_begin(&b, WIRE_EVIDENCE, 4);
        epoch_put(&b, &w.epoch);
        mp_put_u64(&b, w.slot);
        mp_put_bin(&b, w.bytes.p, w.bytes.len);
        ledger_send(l, to, &b);
        sent++;
    }
    *cursor += sent;
    buf_free(&w.bytes);
}

void evidence_on_receipt(struct ledger *l, const struct ledger_moment *now, struct mp *m)
{
    struct epoch e;
    struct intent in;
    struct errmsg msg = { .text = "" };
    struct buf known = { 0 };
    uint8_t key[EVIDENCE_KEY];
    size_t n = 0;
    uint64_t number = mp_get_u64(m), slot;
    const uint8_t *p;
    enum err rc;

    e.number = (uint32_t)number;
    mp_get_raw(m, e.hash, HASH_BYTES);
    slot = mp_get_u64(m);
    p = mp_get_bin(m, &n);
    if (m->bad || number > OVERRIDES_MAX || slot == 0 || slot > UINT64_MAX / 2) {
        m->bad = true;
        return;
    }
    evidence_key(&e, slot, key);
    rc = l->disk->get(l->disk->ctx, TABLE_EVIDENCE, key, sizeof key, &known);
    buf_free(&known);
    if (rc == ERR_OK || is_ours(l, &e, slot))
        return;
    if ((rc = check(l, &e, slot, p, n, &in, &msg)) != ERR_OK) {
        if (rc != ERR_MISSING) /* what is missing comes before it the next time */
            ledger_refuse(l, now, "evidence", msg.text);
        return;
    }
    if (l->n_evidence >= EVIDENCE_MAX) { /* what it cannot keep in mind it might send again */
        l->blind = true;
        ledger_set_problem(l,
                           "lost epochs decided more uploads than this desk can keep in mind, so "
                           "it agrees to no further one: a record might be sent twice. Found the "
                           "branch anew");
        intent_free(&in);
        return;
    }
    evidence_store(l, &e, slot, p, n);
    count_in(l, &e, slot, &in);
    effects_event(l->fx, "a lost epoch decided slot %llu too: %llu records",
                  (unsigned long long)slot, (unsigned long long)in.records);
    intent_free(&in);
    l->found_at = 0;
    l->next_try = now->boot_ms + ledger_roll(l, 200, 700);
    evidence_count_doubled(l);
}

/* ---- the FOUND slot ---- */

/* O4: fills the ranges above the cuts that evidence shows were delivered and that we hold. */
bool evidence_fill(const struct ledger *l, struct intent *in)
{
    return l->n_shown > 0 && l->ask->found &&
           l->ask->found(l->ask->ctx, in, l->shown, l->n_shown) == ERR_OK && in->n_ranges > 0;
}

/* Looked at once a second, and when something was decided or shown. */
void evidence_tick(struct ledger *l, const struct ledger_moment *now)
{
    struct intent in = { 0 };

    if (now->boot_ms < l->found_at)
        return;
    l->found_due = evidence_fill(l, &in);
    l->found_at = now->boot_ms + 1000;
    intent_free(&in);
}

/* ---- what was sent in two epochs ---- */

struct sent { /* a range of an upload, of our chain or of a lost one */
    struct slot_range range;
    struct sent_in in;
};

struct sents {
    struct sent *v;
    unsigned n, room;
    uint8_t (*seen)[HASH_BYTES]; /* intents: one that both chains decided was sent once */
    unsigned n_seen, seen_room;
    bool failed;
};

static bool is_new(struct sents *s, const uint8_t hash[HASH_BYTES])
{
    uint8_t(*grown)[HASH_BYTES];

    for (unsigned i = 0; i < s->n_seen; i++)
        if (memcmp(s->seen[i], hash, HASH_BYTES) == 0)
            return false;
    if ((grown = mem_room(s->seen, s->n_seen, &s->seen_room, sizeof *grown)) == NULL) {
        s->failed = true;
        return false;
    }
    s->seen = grown;
    memcpy(s->seen[s->n_seen++], hash, HASH_BYTES);
    return true;
}

static void add_sent(struct sents *s, const struct buf *receipt, uint32_t epoch)
{
    struct intent in;
    uint8_t hash[HASH_BYTES];

    if (!intent_of(receipt, &in, hash))
        return;
    for (unsigned i = 0; in.type == SLOT_UPLOAD && (i > 0 || is_new(s, hash)) && i < in.n_ranges;
         i++) {
        struct sent *grown = mem_room(s->v, s->n, &s->room, sizeof *grown);
        if (!grown) {
            s->failed = true;
            break;
        }
        s->v = grown;
        s->v[s->n++] = (struct sent){ in.ranges[i], { epoch, in.slot } };
    }
    intent_free(&in);
}

static int by_feed(const void *a, const void *b)
{
    const struct sent *x = a, *y = b;
    int c = feed_id_cmp(&x->range.feed, &y->range.feed);

    if (c != 0)
        return c;
    return x->range.from < y->range.from ? -1 : x->range.from > y->range.from;
}

/* Sorted by feed and beginning, a range overlaps earlier ones up to the furthest of them. */
static uint64_t sweep(const struct sents *s, void (*each)(void *ctx, const struct overlap *o),
                      void *ctx)
{
    uint64_t total = 0, doubled_to = 0;
    const struct sent *furthest = NULL;

    for (unsigned i = 0; i < s->n; i++) {
        const struct sent *x = &s->v[i];
        if (!furthest || !feed_id_eq(&furthest->range.feed, &x->range.feed)) {
            furthest = x;
            doubled_to = 0;
            continue;
        }
        struct overlap o = { .feed = x->range.feed, .first = furthest->in, .again = x->in };
        o.from = x->range.from > doubled_to ? x->range.from : doubled_to + 1;
        o.to = x->range.to < furthest->range.to ? x->range.to : furthest->range.to;
        if (o.from <= o.to) {
            total += o.to - o.from + 1;
            doubled_to = o.to;
            if (each)
                each(ctx, &o);
        }
        if (x->range.to > furthest->range.to)
            furthest = x;
    }
    return total;
}

uint64_t ledger_overlaps(const struct ledger *l, void (*each)(void *ctx, const struct overlap *o),
                         void *ctx)
{
    struct sents s = { 0 };
    struct walk w = { .l = l };
    struct buf b = { 0 };
    uint64_t total, least = UINT64_MAX;

    while (l->n_evidence > 0 && walk_next(&w)) {
        least = w.slot < least ? w.slot : least;
        add_sent(&s, &w.bytes, w.epoch.number);
    }
    for (uint64_t i = least; i <= l->dec; i++)
        if (ledger_receipt(l, i, &b) == ERR_OK)
            add_sent(&s, &b, ledger_epoch_at(l, i).number);
    if (s.n > 0)
        qsort(s.v, s.n, sizeof *s.v, by_feed);
    total = sweep(&s, each, ctx);
    buf_free(&b);
    buf_free(&w.bytes);
    free(s.v);
    free(s.seen);
    return total;
}

void evidence_count_doubled(struct ledger *l)
{
    l->doubled = l->n_evidence > 0 ? ledger_overlaps(l, NULL, NULL) : 0;
}
