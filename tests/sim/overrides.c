/* overrides.c - a lead who overrides, and what must hold of branches in which one did.
 *
 * A script with the verb `override` is judged by this file where slot numbers alone no longer say
 * what was decided: an intent is known by its hash, a decision by its epoch and slot.
 *
 * O1 in the end all desks are in one epoch, and hold the same chain and the same evidence.
 * O2 in one epoch a slot has one content; it is sent only once a majority of seats had stored it.
 * O3 every record reached the sink. Of the records that were known where an override was signed, no
 *    more went twice than its plan said, but for what an uploader had sent without an answer.
 * O4 what two decided uploads sent is listed, on every desk. What a seat has a receipt for, of
 *    whatever epoch, it does not let go again in a fresh upload. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deeds.h"
#include "wire.h"

struct seen { /* an intent, wherever it was met */
    uint8_t hash[HASH_BYTES];
    uint8_t accepted[SIM_STATIONS_MAX / 8];   /* desks whose disk ever had it */
    uint8_t decided_at[SIM_STATIONS_MAX / 8]; /* that ever had its receipt */
    uint64_t slot;
    bool is_upload, at_sink;
    bool whole; /* its sink takes it whole, under one name or key; else item by item */
    bool twice; /* some of its items were told twice */
    unsigned n_ranges;
    struct slot_range *ranges; /* owned */
};

struct settled_slot {
    struct epoch epoch;
    uint64_t slot;
    uint8_t hash[HASH_BYTES];
};

struct overrides {
    struct seen *v;
    unsigned n, room;
    struct settled_slot *d;
    unsigned n_decided, decided_room;
    uint64_t may_double;
    struct held *known; /* per feed: how far it was known where an override was signed */
    unsigned n_known, known_room;
    unsigned in_force; /* overrides signed */
};

void overrides_begin(struct sim *s)
{
    const struct verb *verb = verb_named("override");

    for (unsigned i = 0; i < s->n_lines && !s->overrides; i++)
        if (s->line[i].verb == verb && (s->overrides = calloc(1, sizeof *s->overrides)) == NULL)
            abort();
}

void overrides_free(struct sim *s)
{
    for (unsigned i = 0; s->overrides && i < s->overrides->n; i++)
        free(s->overrides->v[i].ranges);
    if (s->overrides) {
        free(s->overrides->v);
        free(s->overrides->known);
        free(s->overrides->d);
    }
    free(s->overrides);
    s->overrides = NULL;
}

static struct seen *seen_before(const struct sim *s, const uint8_t hash[HASH_BYTES])
{
    const struct overrides *o = s->overrides;

    for (unsigned i = o->n; i-- > 0;)
        if (memcmp(o->v[i].hash, hash, HASH_BYTES) == 0)
            return &o->v[i];
    return NULL;
}

/* Good until another one is met. */
static struct seen *seen(struct sim *s, const uint8_t *p, size_t n)
{
    struct overrides *o = s->overrides;
    struct intent in;
    uint8_t hash[HASH_BYTES];
    struct seen *x;

    intent_hash(p, n, hash);
    if ((x = seen_before(s, hash)) != NULL)
        return x;
    o->v = sim_grow(o->v, o->n, &o->room, sizeof *o->v);
    x = &o->v[o->n++];
    memset(x, 0, sizeof *x);
    memcpy(x->hash, hash, HASH_BYTES);
    if (intent_decode(p, n, &in, NULL) != ERR_OK) {
        sim_fail(s, "O2", "an intent that does not parse");
        return x;
    }
    x->slot = in.slot;
    x->is_upload = in.type == SLOT_UPLOAD;
    x->whole = !sink_has_steps(sink_class_of(in.sink));
    x->n_ranges = in.n_ranges;
    x->ranges = in.ranges;
    in.ranges = NULL;
    intent_free(&in);
    return x;
}

/* ---- what a lead does ---- */

static uint64_t known_to(const struct overrides *o, const struct feed_id *id)
{
    for (unsigned i = 0; i < o->n_known; i++)
        if (feed_id_eq(&o->known[i].feed, id))
            return o->known[i].seq;
    return 0;
}

static void note_known(struct sim *s, const struct feeds *fs)
{
    struct overrides *o = s->overrides;

    for (unsigned k = 0; k < fs->n; k++) {
        unsigned i = 0;
        while (i < o->n_known && !feed_id_eq(&o->known[i].feed, &fs->v[k].opening.id))
            i++;
        if (i == o->n_known) {
            o->known = sim_grow(o->known, o->n_known, &o->known_room, sizeof *o->known);
            o->known[o->n_known++] = (struct held){ fs->v[k].opening.id, 0 };
        }
        if (o->known[i].seq < fs->v[k].seq)
            o->known[i].seq = fs->v[k].seq;
    }
}

void deed_override(struct sim *s, const struct args *a)
{
    int desk = a->desk[0];
    struct core *c = s->desk[desk].core;
    struct override_plan *p = malloc(sizeof *p);
    struct moment now = sim_moment(s, desk);
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };

    if (!p)
        abort();
    if (core_override_plan(c, &now, p, &msg) == ERR_OK) {
        snprintf(p->draft.reason, sizeof p->draft.reason, "sim");
        memcpy(p->draft.lead_pk, s->lead_pk, KEY_BYTES);
        override_sign(roster_branch(core_roster(c)), &p->draft, s->lead_sk, &b);
        if (core_override(c, &now, b.p, b.len, &msg) == ERR_OK) {
            s->overrides->may_double += p->may_double;
            s->overrides->in_force++;
            note_known(s, core_feeds(c));
            sim_trace(s, desk, "override %u: %u reached, %u not, up to %llu doubles",
                      p->draft.epoch.number, p->n_reached, p->draft.n_missing,
                      (unsigned long long)p->may_double);
        }
    }
    if (msg.text[0] != '\0')
        sim_trace(s, desk, "no override: %s", msg.text);
    buf_free(&b);
    free(p);
}

/* ---- the sink ---- */

/* Of a sink that takes it item by item: some of it. Twice: a desk of the lost epoch went on with it,
 * too. */
void overrides_at_sink(struct sim *s, uint64_t upload, bool twice)
{
    struct overrides *o = s->overrides;

    if (twice && o->in_force == 0)
        sim_fail(s, "D1", "something reaches the sink twice, and nobody overrode");
    for (unsigned i = 0; i < o->n; i++) {
        struct seen *x = &o->v[i];
        if (steps_upload(x->hash) != upload)
            continue;
        x->at_sink = true;
        x->twice |= twice;
        if (x->slot > s->n_at_sink)
            s->n_at_sink = x->slot;
    }
}

/* ---- after every step ---- */

static void one_content(struct sim *s, int desk, uint64_t slot, const uint8_t hash[HASH_BYTES])
{
    struct overrides *o = s->overrides;
    struct epoch e = ledger_epoch_at(core_ledger(s->desk[desk].core), slot);
    struct settled_slot *d;

    for (unsigned i = 0; i < o->n_decided; i++) {
        d = &o->d[i];
        if (d->slot != slot || !epoch_eq(&d->epoch, &e))
            continue;
        if (memcmp(d->hash, hash, HASH_BYTES) != 0)
            sim_fail(s, "I2", "slot %llu has two contents in epoch %u", (unsigned long long)slot,
                     e.number);
        return;
    }
    o->d = sim_grow(o->d, o->n_decided, &o->decided_room, sizeof *o->d);
    d = &o->d[o->n_decided++];
    *d = (struct settled_slot){ .epoch = e, .slot = slot };
    memcpy(d->hash, hash, HASH_BYTES);
}

static void watch_slot(struct sim *s, int desk, uint64_t slot, const uint8_t *val, size_t len)
{
    struct receipt r;
    struct intent in;
    struct seen *x;

    if (receipt_decode(val, len, &r, NULL) != ERR_OK ||
        intent_decode(r.intent, r.intent_len, &in, NULL) != ERR_OK) {
        sim_fail(s, "I8", "%s stores a receipt that does not parse", s->desk[desk].name);
        return;
    }
    x = seen(s, r.intent, r.intent_len);
    x->decided_at[desk / 8] |= (uint8_t)(1u << desk % 8);
    if (slot > s->desk[desk].dec_ever)
        s->desk[desk].dec_ever = slot;
    one_content(s, desk, slot, x->hash);
    if (in.slot != slot)
        sim_fail(s, "I5", "%s stores the receipt of slot %llu as %llu's", s->desk[desk].name,
                 (unsigned long long)in.slot, (unsigned long long)slot);
    if (in.type == SLOT_UPLOAD && in.n_parts > 0 && x->whole && !x->at_sink)
        sim_fail(s, "I3", "slot %llu is settled and the sink never saw it",
                 (unsigned long long)slot);
    intent_free(&in);
}

/* Nobody accepted it before: so it must not overlap what this desk's disk proves was delivered. */
static void is_fresh(struct sim *s, int desk, const struct seen *x)
{
    const struct disk *d = memdisk_reader(s->desk[desk].disk);
    uint8_t key[DISK_KEY_MAX] = { 0 };
    struct buf val = { 0 };
    size_t n = 0;

    while (d->seek(d->ctx, TABLE_EVIDENCE, key, n, 1, key, &n, &val) == ERR_OK) {
        struct receipt r;
        const struct seen *sent;
        uint8_t hash[HASH_BYTES];
        key[n++] = 0; /* behind this key */
        if (receipt_decode(val.p, val.len, &r, NULL) != ERR_OK)
            continue;
        intent_hash(r.intent, r.intent_len, hash);
        sent = seen_before(s, hash); /* its receipt was durable somewhere */
        for (unsigned i = 0; sent && sent->is_upload && i < sent->n_ranges; i++)
            for (unsigned k = 0; k < x->n_ranges; k++)
                if (feed_id_eq(&sent->ranges[i].feed, &x->ranges[k].feed) &&
                    sent->ranges[i].from <= x->ranges[k].to &&
                    x->ranges[k].from <= sent->ranges[i].to)
                    sim_fail(s, "O4", "%s accepts again what it has a receipt for",
                             s->desk[desk].name);
    }
    buf_free(&val);
}

static void watch_accepted(struct sim *s, int desk, const uint8_t *val, size_t len)
{
    struct mp m = mp_over(val, len);
    const uint8_t *acc;
    struct seen *x;
    bool first = true;
    size_t n = 0;

    mp_get_array(&m);
    for (unsigned i = 0; i < 6; i++) /* form, epoch, its hash, term, vote, accepted term */
        mp_skip(&m);
    acc = mp_get_bin(&m, &n);
    if (m.bad || n == 0)
        return;
    x = seen(s, acc, n);
    for (unsigned i = 0; i < sizeof x->accepted; i++)
        first &= x->accepted[i] == 0;
    if (first && x->is_upload)
        is_fresh(s, desk, x);
    x->accepted[desk / 8] |= (uint8_t)(1u << desk % 8);
}

static void durable(struct sim *s, int desk, enum table t, const uint8_t *key, size_t n,
                    const uint8_t *val, size_t len)
{
    if (!s->overrides || !val)
        return;
    if (t == TABLE_SLOTS && n == 8)
        watch_slot(s, desk, get_be64(key), val, len);
    else if (t == TABLE_META && n == 1 && key[0] == 'L')
        watch_accepted(s, desk, val, len);
}

static void committed(struct sim *s, int desk)
{
    if (s->overrides && s->desk[desk].core)
        s->desk[desk].dec = ledger_decided(core_ledger(s->desk[desk].core));
}

static void effect(struct sim *s, int desk, const struct effect *e)
{
    struct moment now = sim_moment(s, desk);
    struct ledger_view v;
    const struct seen *x;
    unsigned stored = 0;

    if (!s->overrides || e->type != EFFECT_DELIVER)
        return;
    x = seen(s, e->bytes.p, e->bytes.len);
    core_ledger_view(s->desk[desk].core, &now, &v);
    for (unsigned i = 0; i < v.n_seats; i++) {
        int seat = sim_desk_of(s, &v.seats[i]);
        stored += seat >= 0 && (x->accepted[seat / 8] >> seat % 8 & 1);
    }
    if (stored < v.n_seats / 2 + 1)
        sim_fail(s, "I3", "%s sends what %u of %u seats stored", s->desk[desk].name, stored,
                 v.n_seats);
}

/* ---- in the end ---- */

static bool settled(const struct sim *s, char why[200])
{
    const struct station *a = s->overrides ? &s->desk[sim_first(s)] : NULL;
    struct ledger_view first, v;
    struct core_view c;
    bool stuck = a && check_is_stuck(s); /* one more override, by people, is all that helps */

    if (!a || !a->core)
        return !a;
    first = a->view;
    for (int i = 0; i < (int)s->n; i++) {
        struct moment now = sim_moment(s, i);
        if (!sim_counts(s, i) || !s->desk[i].core)
            continue;
        core_ledger_view(s->desk[i].core, &now, &v);
        core_view(s->desk[i].core, &now, &c);
        if (epoch_eq(&v.epoch, &first.epoch) && v.slot == first.slot &&
            v.evidence == first.evidence && v.doubled == first.doubled &&
            (stuck || (!v.open && !v.triggered && !v.behind &&
                       c.pending <= check_behind_unknown(s, s->desk[i].core))))
            continue;
        snprintf(why, 200,
                 "O1: %s: epoch %u of %u, slot %llu of %llu, evidence %u of %u, doubled %llu, %llu "
                 "pending%s%s%s: %.60s",
                 s->desk[i].name, v.epoch.number, first.epoch.number, (unsigned long long)v.slot,
                 (unsigned long long)first.slot, v.evidence, first.evidence,
                 (unsigned long long)v.doubled, (unsigned long long)c.pending,
                 v.open ? ", open" : "", v.triggered ? ", triggered" : "",
                 v.behind ? ", behind" : "", v.problem);
        return false;
    }
    return true;
}

static int by_from(const void *a, const void *b)
{
    const struct slot_range *x = a, *y = b;

    return x->from < y->from ? -1 : x->from > y->from;
}

struct cover {
    uint64_t to, doubled; /* without a gap from 1; so many up to `most` more than once */
};

/* By somebody who can still tell: a desk that was revoked in an epoch of its own, or whose disk is gone,
 * tells nobody of it (seed 7170). */
static bool is_decided(const struct sim *s, const struct seen *x)
{
    for (int i = 0; i < (int)s->n; i++)
        if ((x->decided_at[i / 8] >> i % 8 & 1) && sim_counts(s, i) && !s->desk[i].forgot)
            return true;
    return false;
}

enum which { SENT, REACHED, DECIDED };

/* What a sink takes item by item has reached it once it is decided: D1 looks at the items. */
static bool counts(const struct sim *s, const struct seen *x, enum which which)
{
    switch (which) {
    case SENT:
        return x->at_sink;
    case REACHED:
        return x->whole ? x->at_sink : is_decided(s, x);
    case DECIDED:
        break;
    }
    return is_decided(s, x);
}

/* Of one feed. */
static struct cover cover_of(const struct sim *s, const struct feed_id *id, enum which which,
                             uint64_t most)
{
    const struct overrides *o = s->overrides;
    struct slot_range *v = NULL;
    unsigned n = 0, room = 0;
    uint64_t doubled_to = 0, reach = 0;
    struct cover c = { 0, 0 };

    for (unsigned i = 0; i < o->n; i++)
        for (unsigned k = 0; o->v[i].is_upload && k < o->v[i].n_ranges; k++) {
            if (!feed_id_eq(&o->v[i].ranges[k].feed, id) || !counts(s, &o->v[i], which))
                continue;
            for (unsigned times = which == SENT && o->v[i].twice ? 2 : 1; times > 0; times--) {
                v = sim_grow(v, n, &room, sizeof *v);
                v[n++] = o->v[i].ranges[k];
            }
        }
    if (n > 0)
        qsort(v, n, sizeof *v, by_from);
    for (unsigned i = 0; i < n; i++) {
        uint64_t to = v[i].to < reach ? v[i].to : reach;
        to = to < most ? to : most;
        uint64_t from = v[i].from > doubled_to ? v[i].from : doubled_to + 1;
        if (from <= to) {
            c.doubled += to - from + 1;
            doubled_to = to;
        }
        if (v[i].from <= c.to + 1 && v[i].to > c.to)
            c.to = v[i].to;
        reach = v[i].to > reach ? v[i].to : reach;
    }
    free(v);
    return c;
}

static uint64_t unanswered(const struct sim *s)
{
    const struct overrides *o = s->overrides;
    uint64_t n = 0;

    for (unsigned i = 0; i < o->n; i++)
        for (unsigned k = 0; o->v[i].at_sink && !is_decided(s, &o->v[i]) && k < o->v[i].n_ranges;
             k++)
            n += o->v[i].ranges[k].to - o->v[i].ranges[k].from + 1;
    return n;
}

static void end(struct sim *s)
{
    uint64_t doubled = 0, decided_twice = 0, most;
    const struct core *first;

    if (!s->overrides)
        return;
    first = s->desk[sim_first(s)].core;
    for (unsigned i = 0; i < s->n_feeds; i++) {
        const struct known_feed *k = &s->feed[i];
        const struct feed *f = feeds_find(core_feeds(first), &k->id);
        uint64_t trusted = roster_trusted_to(core_roster(first), &k->id);
        uint64_t to = cover_of(s, &k->id, REACHED, UINT64_MAX).to;
        if (k->unknown_from > 0 && trusted >= k->unknown_from)
            trusted = k->unknown_from - 1;
        if (f && to < f->seq && to < trusted && !check_is_stuck(s))
            sim_fail(s, "O3", "a feed of %llu records reached the sink up to %llu",
                     (unsigned long long)f->seq, (unsigned long long)to);
        doubled += cover_of(s, &k->id, SENT, known_to(s->overrides, &k->id)).doubled;
        decided_twice += cover_of(s, &k->id, DECIDED, UINT64_MAX).doubled;
    }
    most = s->overrides->may_double + unanswered(s);
    if (doubled > most)
        sim_fail(s, "O3", "%llu records went twice, the plans said %llu at most",
                 (unsigned long long)doubled, (unsigned long long)most);
    for (int i = 0; i < (int)s->n; i++)
        if (sim_counts(s, i) && s->desk[i].view.doubled != decided_twice)
            sim_fail(s, "O4", "%s lists %llu records that went twice, there are %llu",
                     s->desk[i].name, (unsigned long long)s->desk[i].view.doubled,
                     (unsigned long long)decided_twice);
    s->count.overrides += s->overrides->in_force;
    s->count.doubled += doubled;
}

const struct check check_overrides = { .name = "overrides",
                                       .durable = durable,
                                       .committed = committed,
                                       .effect = effect,
                                       .settled = settled,
                                       .end = end };
