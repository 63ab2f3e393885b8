/* check_records.c - G1, G3, G5: what was acknowledged is held, everywhere in the end, sent once. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

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
        if (fs->v[i].seq < d->held[i].seq && !fs->v[i].forked && !d->new_memory)
            sim_fail(s, "G1", "%s held record %llu of a feed, and now %llu at most", d->name,
                     (unsigned long long)d->held[i].seq, (unsigned long long)fs->v[i].seq);
        d->held[i].seq = fs->v[i].seq;
    }
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
        if (f->acked < d->fresh[i].seq && !d->revoked) /* what it holds then is taken by nobody */
            f->acked = d->fresh[i].seq;
        d->last = d->fresh[i];
        s->count.records++;
    }
    d->n_fresh = 0;
}

static void started(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    const struct feeds *fs = core_feeds(d->core);

    for (unsigned i = 0; i < d->n_held && !d->new_memory; i++) {
        const struct feed *f = feeds_find(fs, &d->held[i].feed);
        if (d->held[i].seq > 0 && (!f || (f->seq < d->held[i].seq && !f->forked)))
            sim_fail(s, "G1", "%s lost records over a restart", d->name);
    }
}

static uint64_t held_by(const struct station *d, const struct feed_id *id)
{
    for (unsigned i = 0; i < d->n_held; i++)
        if (feed_id_eq(&d->held[i].feed, id))
            return d->held[i].seq;
    return 0;
}

/* An acknowledged record may be gone only if no other disk of the branch holds it. */
void check_disk_lost(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];

    d->n_held = 0;
    d->held_records = 0;
    for (unsigned k = 0; k < s->n_feeds; k++) {
        uint64_t most = 0;
        for (int i = 0; i < (int)s->n; i++) {
            uint64_t seq = sim_counts(s, i) ? held_by(&s->desk[i], &s->feed[k].id) : 0;
            most = seq > most ? seq : most;
        }
        if (s->feed[k].acked > most)
            s->feed[k].acked = most;
    }
}

/* What stands behind a record that nobody knows waits for a later version. */
uint64_t check_behind_unknown(const struct sim *s, const struct core *c)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < s->n_feeds; i++) {
        const struct feed *f = feeds_find(core_feeds(c), &s->feed[i].id);
        if (s->feed[i].unknown_from > 0 && f && f->seq >= s->feed[i].unknown_from)
            n += f->seq - s->feed[i].unknown_from + 1;
    }
    return n;
}

/* The end of a forked feed counts for the desks that accepted an intent which names it, and for no
 * other until that is decided; too few seats to decide it are left. */
static bool fork_in_open_slot(const struct sim *s)
{
    bool pinned = false;

    for (int i = 0; i < (int)s->n && check_is_stuck(s); i++) {
        const struct core *c = s->desk[i].core;
        for (unsigned k = 0; c && sim_counts(s, i) && k < core_feeds(c)->n; k++) {
            const struct feed *f = &core_feeds(c)->v[k];
            pinned |= f->forked && f->pin_to > f->fork_at;
        }
    }
    return pinned;
}

static bool holds_the_same(const struct sim *s, int a, int b)
{
    struct feeds *fa = (struct feeds *)(uintptr_t)core_feeds(s->desk[a].core);
    struct feeds *fb = (struct feeds *)(uintptr_t)core_feeds(s->desk[b].core);

    return memcmp(feeds_hash(fa), feeds_hash(fb), 16) == 0;
}

/* The same, of all feeds with one history. */
static bool holds_all_whole(const struct sim *s, int a, int b)
{
    const struct feeds *fa = core_feeds(s->desk[a].core), *fb = core_feeds(s->desk[b].core);

    for (unsigned i = 0; i < fa->n; i++) {
        const struct feed *f = feeds_find(fb, &fa->v[i].opening.id);
        if (!fa->v[i].forked && (!f || (!f->forked && f->seq != fa->v[i].seq)))
            return false;
    }
    return true;
}

static bool up_to_date(const struct sim *s, int desk, char why[200])
{
    struct moment now = sim_moment(s, desk);
    const struct station *d = &s->desk[desk];
    struct ledger_view v;
    struct core_view c;
    bool stuck = check_is_stuck(s);

    core_ledger_view(d->core, &now, &v);
    core_view(d->core, &now, &c);
    if ((holds_the_same(s, sim_first(s), desk) ||
         (fork_in_open_slot(s) && holds_all_whole(s, sim_first(s), desk) &&
          holds_all_whole(s, desk, sim_first(s)))) &&
        (stuck || s->overrides ||
         (v.slot == s->n_slots + 1 && !v.open && !v.triggered &&
          c.pending <= check_behind_unknown(s, d->core))))
        return true;
    snprintf(why, 200,
             "%s: next slot %llu of %llu, %s%s%s, %llu pending, %llu held, may vote %d: %.80s",
             d->name, (unsigned long long)v.slot, (unsigned long long)s->n_slots + 1,
             ledger_state_name(v.state), v.open ? ", open" : "", v.triggered ? ", triggered" : "",
             (unsigned long long)c.pending, (unsigned long long)c.held, v.may_vote, v.problem);
    return false;
}

static bool settled(const struct sim *s, char why[200])
{
    for (int i = 0; i < (int)s->n; i++) {
        if (!sim_counts(s, i))
            continue;
        if (!s->desk[i].core) {
            snprintf(why, 200, "%s is down", s->desk[i].name);
            return false;
        }
        if (!up_to_date(s, i, why))
            return false;
    }
    return true;
}

static void same_everywhere(struct sim *s)
{
    int first = sim_first(s);

    if (fork_in_open_slot(s))
        return;
    for (int i = first + 1; i < (int)s->n; i++) {
        if (sim_counts(s, i) && !holds_the_same(s, first, i))
            sim_fail(s, "G3", "%s and %s hold different sets", s->desk[first].name,
                     s->desk[i].name);
    }
}

/* Of a revoked desk only what is trusted must go; more may have gone before that was known. */
static void feed_is_done(struct sim *s, const struct known_feed *k)
{
    const struct core *c = s->desk[sim_first(s)].core;
    const struct feed *f = feeds_find(core_feeds(c), &k->id);
    uint64_t seq = f ? f->seq : 0, trusted = roster_trusted_to(core_roster(c), &k->id);
    uint64_t must = seq < trusted ? seq : trusted;

    if (k->unknown_from > 0 && must >= k->unknown_from)
        must = k->unknown_from - 1;
    if (seq < k->acked && seq < trusted)
        sim_fail(s, "G1", "an acknowledged record is nowhere");
    if (check_is_stuck(s) || s->overrides)
        return;
    if (k->in_slot < must || k->in_slot > seq || k->at_sink != k->in_slot)
        sim_fail(s, "G5", "a feed of %llu records, %llu to be sent, %llu decided, %llu at the sink",
                 (unsigned long long)seq, (unsigned long long)must, (unsigned long long)k->in_slot,
                 (unsigned long long)k->at_sink);
}

static void end(struct sim *s)
{
    const struct feeds *fs = core_feeds(s->desk[sim_first(s)].core);

    same_everywhere(s);
    for (unsigned i = 0; i < fs->n; i++)
        check_feed(s, &fs->v[i].opening.id);
    for (unsigned i = 0; i < s->n_feeds; i++)
        feed_is_done(s, &s->feed[i]);
}

const struct check check_records = {
    .name = "records", .committed = note_held, .started = started, .settled = settled, .end = end
};
