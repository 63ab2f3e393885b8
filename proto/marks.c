/* marks.c - start marks: what desks remember of each other's starts, by which one that lost its memory, or
 * was copied, is known. */
#include <string.h>

#include "core_int.h"

#define CLONE_MS 30000 /* two starts of one desk heard within this: two PCs */

/* Those that an override named as not reached are not waited for. */
static unsigned others_expected(const struct core *c)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n_peers; i++)
        n += peer_is_active(c, &c->peers[i]) && !ledger_was_missing(c->ledger, &c->peers[i].id);
    return n;
}

/* A majority of seats, the desk itself not counted, must remember this very start: two such
 * majorities, before and after a lost memory, have a desk in common that notices. */
bool sync_mark_confirmed(const struct core *c)
{
    struct ledger_view v;
    unsigned seats = 0, others = 0, need;
    struct ledger_moment now = { c->now_ms, 0 };

    if (c->memory_lost)
        return false;
    ledger_view(c->ledger, &now, &v);
    for (unsigned i = 0; i < c->n_peers; i++) {
        const struct peer *p = &c->peers[i];
        if (!p->confirms || p->memory_lost || !peer_is_active(c, p))
            continue;
        others++;
        seats += ledger_is_seat(c->ledger, &p->id);
    }
    if (roster_active(c->roster) <= 1)
        return true; /* nobody else is there to remember */
    need = v.n_seats / 2 + 1;
    if (v.n_seats <= 1) { /* no seat is left to ask: a majority of the other desks stands in */
        unsigned expected = others_expected(c);
        return expected == 0 || others >= expected / 2 + 1;
    }
    return seats >= (need < v.n_seats ? need : v.n_seats - 1);
}

static void remember_mark(struct core *c, struct peer *p, const struct mark *m)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[1 + DESK_ID_BYTES];
    struct buf b = { 0 };

    p->mark = *m;
    p->has_mark = true;
    p->memory_lost = false;
    peer_meta_key('M', &p->id, key);
    mp_put_array(&b, 2);
    mp_put_u64(&b, m->number);
    mp_put_bin(&b, m->random, MARK_BYTES);
    d->put(d->ctx, TABLE_META, key, sizeof key, b.p, b.len);
    buf_free(&b);
}

/* Both starts speak: no message of a dead process is so late, and again and again. */
bool peer_is_cloned(const struct core *c, const struct peer *p)
{
    return p->older_ms > 0 && c->now_ms - p->older_ms < CLONE_MS &&
           c->now_ms - p->newest_ms < CLONE_MS;
}

/* An older mark than we remember may be a message of an earlier start that comes late, so the desk itself
 * judges, by what we tell it, and says `lost` from then on. */
bool mark_take(struct core *c, struct peer *p, const struct mark *m, bool lost)
{
    bool same = p->has_mark && m->number == p->mark.number &&
                memcmp(m->random, p->mark.random, MARK_BYTES) == 0;
    bool newer = !p->has_mark || m->number > p->mark.number;

    if (newer) {
        remember_mark(c, p, m);
        p->mark_ms = c->now_ms;
    }
    if (newer || same)
        p->newest_ms = c->now_ms;
    else if (p->mark_ms > 0 && c->now_ms - p->mark_ms > PEER_AWAY_MS)
        p->older_ms = c->now_ms;
    if (lost && !p->memory_lost)
        effects_event(&c->fx, "a desk started with memory we have seen the end of: its copies and "
                              "its vote do not count");
    if (lost || same)
        p->memory_lost = lost;
    if (lost && memcmp(p->lost_mark.random, m->random, MARK_BYTES) != 0) {
        p->lost_mark = *m;
        if (p->n_have > 0) /* what it held before says nothing now */
            memset(p->have, 0, p->n_have * sizeof *p->have);
    }
    return !same;
}

static const uint8_t lost_key[] = { 'F' };

bool sync_memory_was_lost(const struct disk *d)
{
    struct buf b = { 0 };
    enum err e = d->get(d->ctx, TABLE_META, lost_key, sizeof lost_key, &b);

    buf_free(&b);
    return e == ERR_OK;
}

/* One desk may lie; until more say so, its silence alone keeps our vote back. */
static bool most_say_lost(const struct core *c)
{
    unsigned lost = 0, others = 0;

    for (unsigned i = 0; i < c->n_peers; i++) {
        others += peer_is_active(c, &c->peers[i]);
        lost += c->peers[i].says_lost && peer_is_active(c, &c->peers[i]);
    }
    return lost >= others / 2 + 1;
}

void mark_confirm(struct core *c, struct peer *p, const struct mark *ours)
{
    bool same =
        ours->number == c->mark.number && memcmp(ours->random, c->mark.random, MARK_BYTES) == 0;

    if (ours->number == 0)
        return;
    /* Once lost, nobody confirms: so HELLO goes on telling everybody. */
    p->confirms = same && !p->says_lost && !c->memory_lost;
    if (ours->number > c->mark.number || (ours->number == c->mark.number && !same))
        peer_says_lost(c, p);
}

enum err core_forgot(const struct disk *d)
{
    return d->put(d->ctx, TABLE_META, lost_key, sizeof lost_key, "",
                  0); /* restarts do not heal it */
}

void sync_memory_is_lost(struct core *c)
{
    if (c->memory_lost)
        return;
    effects_event(&c->fx, "other desks remember more of this desk than it does: its disk was "
                          "restored or cloned; it has no vote until a lead restores it");
    c->memory_lost = true;
    for (unsigned i = 0; i < c->n_peers; i++)
        c->peers[i].confirms = false; /* who confirmed this start before does not know */
    core_forgot(c->conf.disk);
}

enum err sync_memory_is_back(struct core *c)
{
    enum err e = c->conf.disk->del(c->conf.disk->ctx, TABLE_META, lost_key, sizeof lost_key);

    if (e != ERR_OK)
        return e;
    c->memory_lost = false;
    for (unsigned i = 0; i < c->n_peers; i++)
        c->peers[i].says_lost = c->peers[i].confirms = false;
    return ERR_OK;
}

/* It remembers of us what we do not. Its confirmation is worth nothing then; that most of the
 * others agree makes it certain. */
void peer_says_lost(struct core *c, struct peer *p)
{
    p->says_lost = true;
    p->confirms = false;
    if (most_say_lost(c))
        sync_memory_is_lost(c);
}
