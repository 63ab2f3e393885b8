/* fork_search.c - where do two desks' copies of a feed part? One asks with points of its chain, the
 * other answers with the run behind the last one that both have; both runs side by side are the
 * proof. */
#include <string.h>

#include "core_int.h"

#define SEARCH_POINTS   32
#define SEARCH_AGAIN_MS 1000
#define SILENCES_MAX    3
#define ANSWERS_MAX     16 /* to one peer in SEARCH_AGAIN_MS: each may read 64 blocks */

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

static void answer(struct core *c, const struct peer *p, const struct buf *proof,
                   const struct feed *f, const struct block *run)
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
        e = proof.failed ? ERR_NOMEM : forks_open_proof(c, proof.p, proof.len, &k, NULL);
        if (e == ERR_OK)
            e = forks_take_proof(c, &k, proof.p, proof.len);
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
    if (n > 0 && forks_open_proof(c, proof, n, &k, &msg) != ERR_OK)
        peer_refuse(c, p, msg.text);
    else if (n > 0)
        forks_take_proof(c, &k, proof, n);
    else if (p->searching)
        take_run(c, p, opening, opening_n, block, block_n);
}
