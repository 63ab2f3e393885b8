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
        if (f->acked < d->fresh[i].seq)
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

    for (unsigned i = 0; i < d->n_held; i++) {
        const struct feed *f = feeds_find(fs, &d->held[i].feed);
        if (d->held[i].seq > 0 && (!f || f->seq < d->held[i].seq))
            sim_fail(s, "G1", "%s lost records over a restart", d->name);
    }
}

static bool settled(const struct sim *s, char why[200])
{
    for (unsigned i = 0; i < s->n; i++) {
        struct moment now = sim_moment(s, (int)i);
        const struct station *d = &s->desk[i];
        struct ledger_view v;
        struct core_view c;
        if (!d->member)
            continue;
        if (!d->core) {
            snprintf(why, 200, "%s is down", d->name);
            return false;
        }
        core_ledger_view(d->core, &now, &v);
        core_view(d->core, &now, &c);
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
        struct feeds *b;
        if (!s->desk[i].member)
            continue;
        b = (struct feeds *)(uintptr_t)core_feeds(s->desk[i].core);
        if (memcmp(feeds_hash(a), feeds_hash(b), 16) != 0)
            sim_fail(s, "G3", "%s and %s hold different sets", s->desk[0].name, s->desk[i].name);
    }
}

static void end(struct sim *s)
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

const struct check check_records = {
    .name = "records", .committed = note_held, .started = started, .settled = settled, .end = end
};
