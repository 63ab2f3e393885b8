/* today.c - a desk's own feeds, read backwards: what its staff did today, and last. */
#include "today.h"

#include <string.h>

#include "core_int.h"

/* The own feed before this one, by number; of two with one number (a restored PC) the one that
 * came here later goes first. NULL: none. */
static const struct feed *own_before(const struct core *c, const struct feed *f)
{
    const struct feed *best = NULL;

    for (unsigned i = 0; i < c->feeds.n; i++) {
        const struct feed *g = &c->feeds.v[i];
        bool older = !f || g->opening.number < f->opening.number ||
                     (g->opening.number == f->opening.number && g->alias < f->alias);
        bool newest = !best || g->opening.number > best->opening.number ||
                      (g->opening.number == best->opening.number && g->alias > best->alias);
        if (desk_id_eq(&g->opening.id.desk, &c->conf.me->id) && older && newest)
            best = g;
    }
    return best;
}

/* ---- walking back ---- */

struct walk {
    const struct core *c;
    bool (*row)(void *ctx, const struct record_ref *ref, const struct record *r);
    void *ctx;
    struct buf raw;
    struct {
        const uint8_t *p;
        size_t n;
    } at[BLOCK_RECORDS_MAX]; /* of the block in hand */
    unsigned read;
};

static bool walk_block(struct walk *w, const struct block *b, uint64_t above)
{
    struct block_walk bw = block_walk(b);
    struct record_ref ref = { b->feed, 0 };
    unsigned n = 0;

    while (n < BLOCK_RECORDS_MAX && (w->at[n].p = block_next(&bw, &w->at[n].n)) != NULL)
        n++;
    while (n-- > 0) {
        struct record r;
        ref.seq = b->first + n;
        if (ref.seq <= above || ++w->read > TODAY_READ_MAX)
            return false;
        if (record_decode(w->at[n].p, w->at[n].n, &r, NULL) == ERR_OK && !w->row(w->ctx, &ref, &r))
            return false;
    }
    return true;
}

/* False: enough. above: of this feed, what is read no more. */
static bool walk_feed(struct walk *w, const struct feed *f, uint64_t above)
{
    struct block b;

    for (uint64_t seq = f->seq; seq > f->base && seq > above; seq = b.first - 1)
        if (feeds_block(w->c->conf.disk, f->alias, seq, &w->raw, &b, NULL) != ERR_OK)
            break; /* behind a gap that a floor bridges */
        else if (!walk_block(w, &b, above))
            return false;
    return true;
}

void core_own_newest(const struct core *c,
                     bool (*row)(void *ctx, const struct record_ref *ref, const struct record *r),
                     void *ctx)
{
    struct walk w = { .c = c, .row = row, .ctx = ctx };
    const struct feed *f = NULL;

    while ((f = own_before(c, f)) != NULL && walk_feed(&w, f, 0))
        ;
    buf_free(&w.raw);
}

/* ---- today ---- */

struct counting {
    const struct core *c;
    const struct zone *zone;
    struct today *t;
    struct buf raw;
};

/* A void of today takes back what was counted, or will be: the order does not matter. */
static void uncount(struct counting *k, const struct record_ref *target)
{
    const struct feed *f = feeds_find(&k->c->feeds, &target->feed);
    struct record r;

    if (f && feeds_record(k->c->conf.disk, f->alias, target->seq, &k->raw, &r, NULL) == ERR_OK &&
        r.kind <= RECORD_KIND_LAST && ymd_at(k->zone, r.at_ms) == k->t->ymd)
        k->t->counts[r.kind]--;
}

static bool count(void *ctx, const struct record_ref *ref, const struct record *r)
{
    struct counting *k = ctx;
    uint32_t day = ymd_at(k->zone, r->at_ms);

    (void)ref;
    if (day < k->t->ymd)
        return false;
    if (day > k->t->ymd) /* the clock was ahead then */
        return true;
    if (r->kind == RECORD_VOID)
        uncount(k, &r->target);
    else if (r->kind < RECORD_VOID)
        k->t->counts[r->kind]++;
    return true;
}

void core_today(const struct core *c, const struct moment *now, struct today *t)
{
    const struct policy *p = roster_policy(c->roster);
    const struct feed *newest = own_before(c, NULL);
    struct counting k = { .c = c, .zone = p ? &p->zone : NULL, .t = t };
    struct walk w = { .c = c, .row = count, .ctx = &k };
    uint32_t ymd = p ? ymd_at(&p->zone, now->wall_ms) : 0;

    if (p && newest && t->ymd == ymd && t->alias == newest->alias && t->seq <= newest->seq) {
        walk_feed(&w, newest, t->seq);
    } else {
        memset(t, 0, sizeof *t);
        t->ymd = ymd;
        for (const struct feed *f = newest; p && f && walk_feed(&w, f, 0); f = own_before(c, f))
            ;
    }
    t->alias = newest ? newest->alias : 0;
    t->seq = newest ? newest->seq : 0;
    buf_free(&w.raw);
    buf_free(&k.raw);
}

/* ---- what became of one ---- */

const char *own_state_name(enum own_state s)
{
    static const char *const names[] = { "saved", "sending", "uploaded",
                                         "aside", "voided",  "voided_late" };

    return names[s];
}

/* Was it sent, as far as is known here? What is set aside was not, unless it is in doubt. */
static bool was_sent(const struct core *c, const struct record_ref *ref)
{
    struct aside_view aside;

    return !core_aside_of(c, ref, &aside) || aside.what == ASIDE_DOUBT ||
           aside.what == ASIDE_UNKNOWN;
}

/* R2. An upload was agreed on that has the record and not its void; once a lead said that it is
 * undone in the ILS it is as if the void had come in time. */
static bool void_is_late(const struct core *c, const struct record_ref *ref,
                         const struct record_ref *voider)
{
    struct aside_view aside;

    if (ref->seq > feeds_cut(&c->feeds, &ref->feed))
        return ledger_covers(c->ledger, &ref->feed, ref->seq) &&
               !ledger_covers(c->ledger, &voider->feed, voider->seq);
    if (voider->seq <= feeds_cut(&c->feeds, &voider->feed) &&
        !(core_aside_of(c, voider, &aside) && aside.what == ASIDE_LATE_VOID))
        return false;
    return was_sent(c, ref);
}

enum own_state core_own_state(const struct core *c, const struct record_ref *ref)
{
    struct record_ref voider;
    struct aside_view aside;

    if (feeds_void_of(c->conf.disk, ref, &voider) == ERR_OK)
        return void_is_late(c, ref, &voider) ? OWN_VOIDED_LATE : OWN_VOIDED;
    if (ref->seq <= feeds_cut(&c->feeds, &ref->feed))
        return core_aside_of(c, ref, &aside) ? OWN_ASIDE : OWN_UPLOADED;
    return ledger_covers(c->ledger, &ref->feed, ref->seq) ? OWN_SENDING : OWN_SAVED;
}
