/* restored.c - a lead gives a desk that lost its memory its vote back.
 *
 * A signed word names the desk's very start. Some desk that hears the word has a slot decided that
 * carries it. That slot was opened and decided by desks that remember, after the loss: all that the
 * desk forgot belongs to slots before it. So from its receipt on the desk can vote as one that
 * never voted; it goes on under a start mark, and in a term, above all that others remember of it.
 */
#include <string.h>

#include "core_int.h"

#define MARK_NUMBER_MAX (UINT64_C(1) << 40) /* restored desks count by the clock in seconds */

_Static_assert(MACHINE_ID == MARK_BYTES, "a word names a start by the id of its one record");

static bool mark_eq(const struct mark *a, const struct mark *b)
{
    return a->number == b->number && memcmp(a->random, b->random, MARK_BYTES) == 0;
}

static bool named_by(const struct word *w, struct desk_id *id, struct mark *m)
{
    struct word_walk walk = word_refs(w);
    struct word_ref r;

    if (w->kind != WORD_RESTORE || !word_ref_next(&walk, &r))
        return false;
    *id = r.ref.feed.desk;
    m->number = r.ref.seq;
    memcpy(m->random, r.id, MARK_BYTES);
    return true;
}

/* ---- is it ready? ---- */

/* Does it say to hold all of its own records that lie here? */
static bool has_its_own(const struct core *c, const struct peer *p)
{
    for (unsigned i = 0; i < c->feeds.n; i++)
        if (desk_id_eq(&c->feeds.v[i].opening.id.desk, &p->id) && !c->feeds.v[i].forked &&
            sync_have(p, i) < c->feeds.v[i].seq)
            return false;
    return true;
}

static bool has_more_of_us(const struct core *c, const struct peer *p)
{
    for (unsigned i = 0; i < c->feeds.n; i++)
        if (desk_id_eq(&c->feeds.v[i].opening.id.desk, &c->conf.me->id) && !c->feeds.v[i].forked &&
            sync_have(p, i) > c->feeds.v[i].stored)
            return true;
    return false;
}

/* So many told what they remember of us that they cannot call us lost again over it. */
bool restored_is_ready(const struct core *c)
{
    unsigned told = 0, others = 0;

    for (unsigned i = 0; i < c->n_peers; i++) {
        const struct peer *p = &c->peers[i];
        if (!peer_is_active(c, p))
            continue;
        others++;
        told += p->greeted && p->vector_ms > 0;
        if (has_more_of_us(c, p))
            return false;
    }
    return told >= others / 2 + 1;
}

static bool is_ready(const struct core *c, const struct peer *p)
{
    return p->memory_lost && p->lost_mark.number > 0 && has_its_own(c, p);
}

bool restored_peer_is_ready(const struct core *c, const struct peer *p)
{
    return is_ready(c, p) && sync_is_online(c, p) && !peer_is_cloned(c, p);
}

/* ---- the slot ---- */

static bool stands_in(const struct intent *in, const uint8_t *word, size_t n)
{
    struct mp m = mp_over(in->restored.p, in->restored.len);

    for (unsigned i = 0; i < in->n_restored; i++) {
        size_t len = 0;
        const uint8_t *p = mp_get_bin(&m, &len);
        if (p && len == n && memcmp(p, word, n) == 0)
            return true;
    }
    return false;
}

static bool is_wanted(const struct core *c, const struct word *w)
{
    const struct peer *p;
    struct desk_id id;
    struct mark m;

    return named_by(w, &id, &m) && (p = sync_peer(c, &id)) != NULL &&
           restored_peer_is_ready(c, p) && mark_eq(&m, &p->lost_mark) && !mark_eq(&m, &p->spent) &&
           roster_is_lead(c->roster, w->key);
}

unsigned restored_wanted(void *ctx, struct intent *in)
{
    const struct core *c = ctx;
    bool any = false;
    unsigned n = 0;

    for (unsigned i = 0; i < c->n_peers && !any; i++)
        any = c->peers[i].memory_lost;
    for (unsigned i = 0; any && i < c->said.n && n < SEATS_MAX; i++) {
        const struct buf *bytes = &c->said.v[i].bytes;
        struct word w;
        if (!said_word(&c->said, i, &w) || !is_wanted(c, &w))
            continue;
        n++;
        if (!in || stands_in(in, bytes->p, bytes->len))
            continue;
        mp_put_bin(&in->restored, bytes->p, bytes->len);
        in->n_restored++;
    }
    return n;
}

/* Only what stays so: an intent that one seat accepted must stay acceptable to the others, whatever
 * the desk does meanwhile. Whether it still is the start that was named it judges itself. */
enum err restored_ok(void *ctx, const struct intent *in, struct errmsg *msg)
{
    const struct core *c = ctx;
    struct mp m = mp_over(in->restored.p, in->restored.len);

    for (unsigned i = 0; i < in->n_restored; i++) {
        size_t n = 0;
        const uint8_t *p = mp_get_bin(&m, &n);
        struct desk_id id;
        struct mark mark;
        struct word w;
        enum err e = m.bad ? ERR_MALFORMED : word_open(p, n, roster_branch(c->roster), &w, msg);
        if (e != ERR_OK)
            return e;
        if (!named_by(&w, &id, &mark) || !roster_find(c->roster, &id) ||
            !roster_was_lead(c->roster, w.key))
            return err_set(msg, ERR_DENIED, "no lead gave this desk its vote back");
    }
    return ERR_OK;
}

void restored_decided(struct core *c, const struct receipt *r, const struct intent *in)
{
    struct mp m = mp_over(in->restored.p, in->restored.len);

    for (unsigned i = 0; i < in->n_restored; i++) {
        size_t n = 0;
        const uint8_t *p = mp_get_bin(&m, &n);
        struct peer *peer;
        struct desk_id id;
        struct mark mark;
        struct word w;
        if (m.bad || word_open(p, n, roster_branch(c->roster), &w, NULL) != ERR_OK ||
            !named_by(&w, &id, &mark))
            return;
        if ((peer = sync_peer(c, &id)) != NULL)
            peer->spent = mark;
        if (!c->memory_lost || !desk_id_eq(&id, &c->conf.me->id) || !mark_eq(&mark, &c->mark))
            continue;
        c->returning = true;
        c->return_term = r->term;
        c->return_to = r->desk;
    }
}

/* An override tells the decided slots anew. */
void restored_replay(struct core *c)
{
    c->returning = false;
    for (unsigned i = 0; i < c->n_peers; i++)
        memset(&c->peers[i].spent, 0, sizeof c->peers[i].spent);
}

/* ---- the desk itself ---- */

void restored_hear(struct core *c, const struct mark *ours, uint64_t term)
{
    if (ours->number > c->heard_number && ours->number < MARK_NUMBER_MAX)
        c->heard_number = ours->number;
    if (term > c->heard_term && term <= ledger_term(c->ledger) + TERM_LEAP_MAX)
        c->heard_term = term;
}

/* A word of what it heard here, from before it was back, may be on its way and must not count. So
 * it goes on as a start that all of them are older than. */
void restored_tick(struct core *c)
{
    struct ledger_moment now = { c->now_ms, c->wall_ms };
    bool known = c->heard_term <= c->return_term;

    if (!c->returning || !c->memory_lost || !restored_is_ready(c))
        return;
    if (c->mark.number < c->heard_number)
        c->mark.number = c->heard_number;
    c->confirmed = false;
    if (core_new_mark(c) != ERR_OK || sync_memory_is_back(c) != ERR_OK)
        return;
    c->returning = false;
    ledger_regain(c->ledger, &now, known ? c->return_term : c->heard_term,
                  known ? &c->return_to : &c->conf.me->id);
    effects_event(&c->fx, "a lead gave this desk its vote back");
}

/* ---- the lead ---- */

static unsigned seats_that_remember(const struct core *c, unsigned *of)
{
    struct ledger_moment now = { c->now_ms, 0 };
    struct ledger_view v;
    unsigned n = 0;

    ledger_view(c->ledger, &now, &v);
    *of = v.n_seats;
    for (unsigned i = 0; i < v.n_seats; i++) {
        const struct peer *p = sync_peer(c, &v.seats[i]);
        n += p ? !p->memory_lost && peer_is_active(c, p)
               : desk_id_eq(&v.seats[i], &c->conf.me->id) && !c->memory_lost;
    }
    return n;
}

/* What the desk's state says against it; ERR_OK: nothing. */
static enum err state_allows(const struct core *c, const struct peer *p, struct errmsg *msg)
{
    bool lost = p ? p->memory_lost : c->memory_lost;

    if (!lost)
        return err_why(msg, ERR_REFUSED, "not_lost", "desk",
                       "this desk has not lost its memory, as far as is known here: it needs "
                       "nothing");
    if (p && peer_is_cloned(c, p))
        return err_why(msg, ERR_REFUSED, "cloned", "desk",
                       "two PCs run as this desk: stop the one that is not to be it, and try again "
                       "in a minute");
    if (p && (!sync_is_online(c, p) || p->lost_mark.number == 0))
        return err_why(msg, ERR_BUSY, "not_heard", "desk",
                       "this desk cannot be heard now: turn it on and try again");
    if (p ? !has_its_own(c, p) : !restored_is_ready(c))
        return err_why(msg, ERR_BUSY, "catching_up", "desk",
                       "this desk is still getting its own records back from the others: try again "
                       "in a moment");
    return ERR_OK;
}

enum err core_draft_restore(const struct core *c, const struct desk_id *id, struct word *w,
                            struct buf *refs, struct errmsg *msg)
{
    const struct peer *p = sync_peer(c, id);
    const struct desk *d = roster_find(c->roster, id);
    const struct mark *m = p ? &p->lost_mark : &c->mark;
    struct word_ref r = { .ref = { .seq = m->number } };
    unsigned seats, able = seats_that_remember(c, &seats);
    enum err e;

    if (!d || d->state != DESK_ACTIVE)
        return err_why(msg, ERR_REFUSED, "revoked", "desk",
                       "this desk does not belong to the branch any more");
    if ((e = state_allows(c, p, msg)) != ERR_OK)
        return e;
    if (able < seats / 2 + 1)
        return err_why(
            msg, ERR_REFUSED, "no_majority", "",
            "only %u of %u seats can be reached and remember what was decided, and this needs %u: "
            "switch on more of the desks with a seat; if they are gone for good, look at "
            "\"tideover upload override --plan\" at another desk",
            able, seats, seats / 2 + 1);
    memcpy(r.id, m->random, MARK_BYTES);
    r.ref.feed.desk = *id;
    *w = (struct word){ .kind = WORD_RESTORE, .slot = ledger_decided(c->ledger) + 1, .n_refs = 1 };
    word_put_ref(refs, &r);
    return refs->failed ? err_set(msg, ERR_NOMEM, "out of memory") : ERR_OK;
}
