/* forks.c - a desk that signed two histories of one feed: finding it, proving it, and what counts.
 *
 * A forked feed has milestones, each a sequence and the hash there: where its histories part; how
 * far decided slots went (that history is the branch's, whoever likes the other); then what an open
 * slot or a lead's ADMIT names. A desk counts the feed up to the furthest milestone that its own
 * blocks lead to. Blocks that lead elsewhere are set aside (tails.c) and the right ones asked for
 * again, from a desk that says it is there. */
#include <stdlib.h>
#include <string.h>

#include "core_int.h"

#define SEARCH_POINTS   32
#define SEARCH_AGAIN_MS 1000
#define SILENCES_MAX    3
#define ANSWERS_MAX     16 /* to one peer in SEARCH_AGAIN_MS: each may read 64 blocks */

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
static enum err take_proof(struct core *c, const struct fork *k, const uint8_t *p, size_t n)
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

static enum err open_proof(const struct core *c, const uint8_t *p, size_t n, struct fork *k,
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

    return e != ERR_OK ? e : open_proof(c, raw->p, raw->len, out, NULL);
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

/* ---- the search: where do two desks' copies of a feed part? ---- */

static void put_points(const struct core *c, const struct feed *f, uint64_t lo, struct buf *b)
{
    uint64_t span = f->stored - lo;
    unsigned n = span < SEARCH_POINTS ? (unsigned)span + 1 : SEARCH_POINTS;

    mp_put_array(b, n);
    for (unsigned i = 0; i < n; i++) {
        uint64_t seq = n == 1 ? lo : lo + span / (n - 1) * i;
        uint8_t h[HASH_BYTES] = { 0 };
        if (i == n - 1)
            seq = f->stored;
        feeds_hash_at(&c->feeds, f, seq, h);
        mp_put_array(b, 2);
        mp_put_u64(b, seq);
        mp_put_bin(b, h, HASH_SHORT_BYTES);
    }
}

static void ask(struct core *c, struct peer *p, const struct feed_id *id, const struct feed *f,
                bool search, uint64_t lo)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_FORK_ASK, 3);
    mp_put_bin(&b, id, sizeof *id);
    mp_put_u64(&b, f && f->forked ? f->fork_at + 1 : 0);
    if (search)
        put_points(c, f, lo, &b);
    else
        mp_put_array(&b, 0);
    peer_send(c, p, &b);
}

void forks_ask_proof(struct core *c, struct peer *p, const struct feed_id *id)
{
    ask(c, p, id, feeds_find(&c->feeds, id), false, 0);
}

bool forks_search(struct core *c, struct peer *p, const struct feed *f)
{
    if (p->search_ms != 0 && c->now_ms - p->search_ms < SEARCH_AGAIN_MS)
        return false;
    if (p->searching && ++p->silences >= SILENCES_MAX) { /* once may be a lost message */
        peer_refuse(c, p, "blocks that do not fit, and no answer why");
        p->silences = 0;
    }
    p->search_ms = c->now_ms;
    p->search_feed = f->opening.id;
    p->search_lo = 0;
    p->searching = true;
    ask(c, p, &f->opening.id, f, true, 0);
    return true;
}

static void answer(struct core *c, const struct peer *p, const struct buf *proof, const struct feed *f,
                   const struct block *run)
{
    struct buf b = { 0 }, opening = { 0 }, block = { 0 };

    if (run && run->first == 1)
        opening_encode(&f->opening, &opening);
    if (run)
        block_encode(run, &block);
    wire_begin(&b, WIRE_FORK_PROOF, 3);
    mp_put_bin(&b, proof ? proof->p : NULL, proof ? proof->len : 0);
    mp_put_bin(&b, opening.p, opening.len);
    mp_put_bin(&b, block.p, block.len);
    peer_send(c, p, &b);
    buf_free(&opening);
    buf_free(&block);
}

/* The last of their points that lies on our chain; 0 also if none does. *differ: one does not. */
static uint64_t last_common(const struct core *c, const struct feed *f, struct mp *m)
{
    uint32_t n = mp_get_array(m);
    uint64_t common = 0;
    bool differ = false;

    for (uint32_t i = 0; i < n && !m->bad; i++) {
        uint8_t theirs[HASH_SHORT_BYTES], h[HASH_BYTES];
        uint64_t seq;
        if (i == SEARCH_POINTS || mp_get_array(m) != 2)
            m->bad = true;
        seq = mp_get_u64(m);
        mp_get_raw(m, theirs, sizeof theirs);
        if (m->bad || differ || seq > f->stored)
            continue;
        differ =
            feeds_hash_at(&c->feeds, f, seq, h) != ERR_OK || memcmp(h, theirs, sizeof theirs) != 0;
        if (!differ)
            common = seq;
    }
    return common;
}

static void answer_run(struct core *c, struct peer *p, const struct feed *f, uint64_t common)
{
    struct buf raw = { 0 }, records = { 0 };
    struct block b;

    if (f->stored > common &&
        feeds_range(c->conf.disk, f->alias, common + 1, common + BLOCK_RECORDS_MAX, &raw, &records,
                    &b, NULL) == ERR_OK)
        answer(c, p, NULL, f, &b);
    else
        answer(c, p, NULL, NULL, NULL);
    buf_free(&raw);
    buf_free(&records);
}

void forks_send_proof(struct core *c, const struct peer *p, const struct feed *f)
{
    struct buf proof = { 0 };
    struct fork k;

    if (forks_proof(c, &f->opening.id, &proof, &k) == ERR_OK)
        answer(c, p, &proof, NULL, NULL);
    buf_free(&proof);
}

void forks_on_ask(struct core *c, struct peer *p, struct mp *m)
{
    struct feed_id id;
    struct buf proof = { 0 };
    struct fork k;
    uint64_t theirs, common;
    struct mp look;
    bool search;
    const struct feed *f;

    mp_get_raw(m, &id, sizeof id);
    theirs = mp_get_u64(m);
    look = *m;
    search = mp_get_array(&look) > 0;
    if (m->bad || look.bad) {
        m->bad = true;
        return;
    }
    if (c->now_ms - p->answers_ms >= SEARCH_AGAIN_MS) {
        p->answers_ms = c->now_ms;
        p->answers = 0;
    }
    if ((f = feeds_find(&c->feeds, &id)) == NULL || ++p->answers > ANSWERS_MAX)
        return;
    if (f->forked && (theirs == 0 || theirs > f->fork_at + 1) &&
        forks_proof(c, &id, &proof, &k) == ERR_OK) {
        answer(c, p, &proof, NULL, NULL);
    } else if (search) {
        common = last_common(c, f, m);
        if (!m->bad)
            answer_run(c, p, f, common);
    }
    buf_free(&proof);
}

/* Our run beside theirs; ERR_MISSING: they do not part before the shorter one ends, at *to. */
static enum err prove(struct core *c, const struct feed *f, const struct fork_run *theirs,
                      uint64_t *to)
{
    struct buf raw = { 0 }, records = { 0 }, mine = { 0 }, own = { 0 }, proof = { 0 };
    struct fork k = { .feed = f->opening.id };
    uint64_t first = theirs->block.first;
    struct block b;
    enum err e = feeds_range(c->conf.disk, f->alias, first, first + BLOCK_RECORDS_MAX - 1, &raw,
                             &records, &b, NULL);

    *to = block_last(&theirs->block);
    if (e == ERR_OK && block_last(&b) < *to)
        *to = block_last(&b);
    if (e == ERR_OK && first > 1)
        e = feeds_hash_at(&c->feeds, f, first - 1, k.before);
    if (e == ERR_OK) {
        block_encode(&b, &mine);
        if (first == 1)
            opening_encode(&f->opening, &own);
        k.run[0] = (struct fork_run){
            .opening = own.p, .opening_n = own.len, .bytes = mine.p, .n = mine.len
        };
        k.run[1] = *theirs;
        fork_encode(&k, &proof);
        e = proof.failed ? ERR_NOMEM : open_proof(c, proof.p, proof.len, &k, NULL);
        if (e == ERR_OK)
            e = take_proof(c, &k, proof.p, proof.len);
        else if (e == ERR_PEER)
            e = ERR_MISSING;
    }
    buf_free(&raw);
    buf_free(&records);
    buf_free(&mine);
    buf_free(&own);
    buf_free(&proof);
    return e;
}

/* A run of theirs that begins where we agree. It must be signed as it stands on our chain. */
static bool run_is_signed(const struct core *c, const struct feed *f, const struct fork_run *r)
{
    const struct desk *author = roster_find(c->roster, &f->opening.id.desk);
    const struct block *b = &r->block;
    uint8_t h[HASH_BYTES];
    struct opening o;
    size_t known;

    if (!author || b->first - 1 > f->stored || (b->first == 1) != (r->opening_n > 0))
        return false;
    if (b->first == 1) {
        if (!opening_decode(r->opening, r->opening_n, &o) || !feed_id_eq(&o.id, &f->opening.id))
            return false;
        feed_h0(roster_branch(c->roster), &o, h);
    } else if (feeds_hash_at(&c->feeds, f, b->first - 1, h) != ERR_OK) {
        return false;
    }
    return block_check(b, roster_branch(c->roster), author->sign_pk, b->first - 1, h, &known,
                       NULL) == ERR_OK;
}

bool forks_evident(struct core *c, const struct feed *f, const struct fork_run *run)
{
    uint64_t to;

    return (!f->forked || run->block.first <= f->fork_at) && run_is_signed(c, f, run) &&
           prove(c, f, run, &to) == ERR_OK;
}

static void take_run(struct core *c, struct peer *p, const uint8_t *opening, size_t opening_n,
                     const uint8_t *bytes, size_t n)
{
    const struct feed *f = feeds_find(&c->feeds, &p->search_feed);
    struct fork_run r = { .opening = opening, .opening_n = opening_n, .bytes = bytes, .n = n };

    p->searching = false;
    p->silences = 0;
    if (!f || n == 0) {
        peer_refuse(c, p, "a block that does not fit, and no other history to show for it");
        return;
    }
    if (block_decode(bytes, n, &r.block, NULL) != ERR_OK ||
        !feed_id_eq(&r.block.feed, &p->search_feed) || r.block.first <= p->search_lo ||
        !run_is_signed(c, f, &r)) {
        peer_refuse(c, p, "another history that its desk did not sign");
        return;
    }
    if (prove(c, f, &r, &p->search_lo) != ERR_MISSING)
        return;
    p->searching = p->search_lo < f->stored; /* else all of ours is theirs too */
    if (p->searching)
        ask(c, p, &p->search_feed, f, true, p->search_lo);
}

void forks_on_proof(struct core *c, struct peer *p, struct mp *m)
{
    size_t n = 0, opening_n = 0, block_n = 0;
    const uint8_t *proof = mp_get_bin(m, &n);
    const uint8_t *opening = mp_get_bin(m, &opening_n);
    const uint8_t *block = mp_get_bin(m, &block_n);
    struct errmsg msg = { .text = "" };
    struct fork k;

    if (m->bad)
        return;
    if (n > 0)
        p->searching = false;
    if (n > 0 && open_proof(c, proof, n, &k, &msg) != ERR_OK)
        peer_refuse(c, p, msg.text);
    else if (n > 0)
        take_proof(c, &k, proof, n);
    else if (p->searching)
        take_run(c, p, opening, opening_n, block, block_n);
}
