/* forks.c - a desk that signed two histories of one feed: what is proven, and what counts. How it
 * is found: fork_search.c.
 *
 * A forked feed has milestones, each a sequence and the hash there: where its histories part; how
 * far decided slots went (that history is the branch's, whoever likes the other); then what an open
 * slot or a lead's ADMIT names. A desk counts the feed up to the furthest milestone that its own
 * blocks lead to. Blocks that lead elsewhere are set aside (tails.c) and the right ones asked for
 * again, from a desk that says it is there. */
#include <stdlib.h>
#include <string.h>

#include "core_int.h"

struct milestone {
    uint64_t to;
    uint8_t hash[HASH_SHORT_BYTES];
};

/* ---- what counts ---- */

/* base: what is settled. goal: what may be added to it, else the same. */
static void milestones(const struct core *c, const struct feed *f, struct milestone *base,
                       struct milestone *goal)
{
    const struct feed_cut *cut = feeds_cut_of(&c->feeds, &f->opening.id);
    struct milestone admitted;

    *base = (struct milestone){ .to = f->fork_at };
    if (cut && cut->to > f->fork_at) {
        base->to = cut->to;
        memcpy(base->hash, cut->hash, sizeof base->hash);
    }
    *goal = *base;
    if (f->pin_to > base->to) {
        goal->to = f->pin_to;
        memcpy(goal->hash, f->pin_hash, sizeof goal->hash);
    } else if (roster_admitted(c->roster, &f->opening.id, &admitted.to, admitted.hash) &&
               admitted.to > base->to) {
        *goal = admitted;
    }
}

static bool leads_to(const struct core *c, const struct feed *f, const struct milestone *m)
{
    uint8_t h[HASH_BYTES];

    return f->stored >= m->to &&
           (m->to == f->fork_at || (feeds_hash_at(&c->feeds, f, m->to, h) == ERR_OK &&
                                    memcmp(h, m->hash, sizeof m->hash) == 0));
}

/* growing: what is stored came from a desk that holds the next milestone, so it may stand between
 * two. Else nobody knows which history that is. */
static void settle(struct core *c, struct feed *f, bool growing)
{
    struct milestone base, goal;
    uint64_t level;
    bool whole;

    milestones(c, f, &base, &goal);
    if (leads_to(c, f, &goal)) {
        level = goal.to;
    } else if (f->stored >= base.to && leads_to(c, f, &base)) {
        level = growing && f->stored < goal.to ? f->stored : base.to;
    } else if (f->stored <= f->fork_at || (growing && f->stored < base.to)) {
        level = f->stored;
    } else { /* another history than the branch's */
        whole = feeds_cut_back(&c->feeds, f, f->fork_at) == ERR_OK;
        c->unsettled |= !whole;
        level = f->stored < f->fork_at ? f->stored : f->fork_at;
    }
    feeds_set_level(&c->feeds, f, level);
}

void forks_settle(struct core *c)
{
    c->unsettled = false;
    for (unsigned i = 0; i < c->feeds.n && c->n_forks > 0; i++)
        if (c->feeds.v[i].forked)
            settle(c, &c->feeds.v[i], false);
}

uint64_t forks_counts_to(const struct core *c, const struct feed *f)
{
    struct milestone base, goal;

    if (!f->forked)
        return f->seq;
    milestones(c, f, &base, &goal);
    return f->seq >= goal.to ? goal.to : f->seq >= base.to ? base.to : f->seq;
}

uint64_t forks_claim(const struct core *c, const struct feed *f, uint64_t seq, const uint8_t *hash)
{
    struct milestone base, goal;

    if (!f->forked || seq <= f->fork_at)
        return seq;
    milestones(c, f, &base, &goal);
    if (hash && ((seq == goal.to && memcmp(hash, goal.hash, sizeof goal.hash) == 0) ||
                 (seq == base.to && memcmp(hash, base.hash, sizeof base.hash) == 0)))
        return seq;
    return f->fork_at;
}

bool forks_takes(struct core *c, const struct peer *p, struct feed *f, const struct block *b)
{
    struct milestone base, goal;
    uint64_t next;

    if (!f->forked)
        return true;
    milestones(c, f, &base, &goal);
    next = f->seq < base.to ? base.to : goal.to;
    if (c->unsettled || f->seq >= next || (next > f->fork_at && sync_have(p, f->alias - 1) < next))
        return false;
    if (f->stored > f->seq && feeds_cut_back(&c->feeds, f, f->seq) != ERR_OK)
        return false;
    return b->first <= f->seq + 1;
}

void forks_grown(struct core *c, struct feed *f)
{
    if (f->forked)
        settle(c, f, true);
}

void forks_pin(struct core *c, const struct intent *in)
{
    for (unsigned i = 0; i < c->feeds.n; i++)
        c->feeds.v[i].pin_to = 0;
    for (unsigned i = 0; in && i < in->n_ranges; i++) {
        struct feed *f = feeds_find(&c->feeds, &in->ranges[i].feed);
        if (!f)
            continue;
        f->pin_to = in->ranges[i].to;
        memcpy(f->pin_hash, in->ranges[i].hash, sizeof f->pin_hash);
    }
    forks_settle(c);
}

/* ---- a proof ---- */

static void clamp_peers(struct core *c, const struct feed *f)
{
    unsigned i = f->alias - 1;

    for (unsigned k = 0; k < c->n_peers; k++) {
        struct peer *p = &c->peers[k];
        if (i < p->n_have && p->have[i] > f->fork_at)
            p->have[i] = p->sent[i] = f->fork_at;
    }
}

static void mark_forked(struct core *c, struct feed *f, uint64_t at)
{
    c->n_forks += !f->forked;
    f->forked = true;
    f->fork_at = at;
    f->want_peer = -1;
    c->feeds.hash_is_stale = true;
    clamp_peers(c, f);
}

static void tell(struct core *c, const struct feed *f)
{
    char id[RECORD_ID_TEXT];

    feeds_id_text(f, c->roster, f->fork_at, id);
    effects_event(&c->fx,
                  "two histories of one feed are proven: nothing behind %s counts until a lead "
                  "admits it; see: tideover quarantine",
                  id);
}

static struct feed *feed_of_proof(struct core *c, const struct fork *k)
{
    struct feed *f = feeds_find(&c->feeds, &k->feed);
    struct opening o;

    if (!f && k->run[0].opening_n > 0 && opening_decode(k->run[0].opening, k->run[0].opening_n, &o))
        feeds_open(&c->feeds, &o, &f, NULL);
    return f; /* NULL: its first records come first, the next vector shows the fork again */
}

/* Of several proofs of one feed the one that parts earliest stands, so that all desks agree. */
enum err forks_take_proof(struct core *c, const struct fork *k, const uint8_t *p, size_t n)
{
    const struct disk *d = c->conf.disk;
    struct feed *f = feed_of_proof(c, k);
    bool own;
    enum err e;

    if (!f || (f->forked && f->fork_at <= k->at))
        return ERR_OK;
    own = desk_id_eq(&k->feed.desk, &c->conf.me->id);
    if (own && (int)f->alias - 1 == c->own) {
        if ((e = core_seal(c, NULL)) != ERR_OK)
            return e;
        c->own = -1; /* the next record begins another feed */
    }
    if ((e = d->put(d->ctx, TABLE_FORKS, &k->feed, sizeof k->feed, p, n)) != ERR_OK)
        return e;
    mark_forked(c, f, k->at);
    settle(c, f, false);
    tell(c, f);
    if (own)
        sync_memory_is_lost(c); /* somebody else has our key: a clone, or worse */
    return ERR_OK;
}

enum err forks_open_proof(const struct core *c, const uint8_t *p, size_t n, struct fork *k,
                          struct errmsg *msg)
{
    const struct desk *author;
    enum err e = fork_decode(p, n, k, msg);

    if (e != ERR_OK)
        return e;
    if ((author = roster_find(c->roster, &k->feed.desk)) == NULL)
        return err_set(msg, ERR_PEER, "a fork proof about a desk that is not on the roster");
    return fork_check(k, roster_branch(c->roster), author->sign_pk, msg);
}

enum err forks_proof(const struct core *c, const struct feed_id *feed, struct buf *raw,
                     struct fork *out)
{
    const struct disk *d = c->conf.disk;
    enum err e = d->get(d->ctx, TABLE_FORKS, feed, sizeof *feed, raw);

    return e != ERR_OK ? e : forks_open_proof(c, raw->p, raw->len, out, NULL);
}

enum err forks_load(struct core *c, struct errmsg *msg)
{
    struct buf raw = { 0 };
    struct intent in;
    enum err e = ERR_OK;

    for (unsigned i = 0; i < c->feeds.n && e == ERR_OK; i++) {
        struct feed *f = &c->feeds.v[i];
        struct fork k;
        e = forks_proof(c, &f->opening.id, &raw, &k);
        if (e == ERR_OK)
            mark_forked(c, f, k.at);
        e = e == ERR_MISSING ? ERR_OK : e;
    }
    buf_free(&raw);
    if (e != ERR_OK)
        return err_set(msg, e, "the table of forks cannot be read");
    if (ledger_open_intent(c->ledger, &in)) {
        forks_pin(c, &in);
        intent_free(&in);
    } else {
        forks_settle(c);
    }
    return ERR_OK;
}
