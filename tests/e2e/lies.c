/* lies.c - what the liar says: a table of lies, each a few messages to one honest desk. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "fork.h"
#include "liar.h"

#define STANDING_FIELDS 6 /* of HELLO, at its end: said as the honest desk said it of itself */

static const uint64_t huge[] = { 0,          1,         UINT32_MAX, 1ull << 32,
                                 1ull << 62, INT64_MAX, 1ull << 63, UINT64_MAX };
#define HUGES (sizeof huge / sizeof huge[0])

/* ---- HELLO ---- */

static uint64_t wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void put_addresses(const struct liar *l, bool wrong, struct buf *b)
{
    mp_put_array(b, wrong ? l->peers : 0);
    for (unsigned k = 0; wrong && k < l->peers; k++) {
        mp_put_array(b, 2);
        mp_put_bin(b, l->peer[k].id.b, DESK_ID_BYTES);
        mp_put_str(b, "127.0.0.1:9");
    }
}

/* Its own start mark, theirs said back, and a vector hash that nobody has: they tell all they hold.
 */
void say_hello(struct liar *l, unsigned k, bool wrong_addresses)
{
    const struct buf *theirs = &l->peer[k].hello;
    struct mp m = mp_over(theirs->p, theirs->len);
    uint8_t mark[16] = { 0 }, roster[HASH_BYTES], vector[16];
    uint64_t number, decided;
    const uint8_t *standing;
    struct buf b = { 0 };

    wire_open(&m);
    for (unsigned i = 0; i < 4; i++)
        mp_skip(&m); /* versions, software, branch */
    number = mp_get_u64(&m);
    mp_get_raw(&m, mark, sizeof mark);
    for (unsigned i = 0; i < 4; i++)
        mp_skip(&m); /* my mark, the term heard, memory lost */
    mp_get_raw(&m, roster, sizeof roster);
    mp_skip(&m);
    decided = mp_get_u64(&m);
    for (unsigned i = 0; i < 3; i++)
        mp_skip(&m); /* clock, addresses */
    standing = m.p;
    randombytes_buf(vector, sizeof vector);
    wire_begin(&b, WIRE_HELLO, 16 + STANDING_FIELDS);
    mp_put_u64(&b, WIRE_VERSION_MIN);
    mp_put_u64(&b, WIRE_VERSION);
    mp_put_str(&b, "liar");
    mp_put_bin(&b, l->branch, sizeof l->branch);
    mp_put_u64(&b, 1000000);
    mp_put_bin(&b, l->mark, sizeof l->mark);
    mp_put_u64(&b, number);
    mp_put_bin(&b, mark, sizeof mark);
    mp_put_u64(&b, 0);
    mp_put_bool(&b, false);
    mp_put_bin(&b, roster, sizeof roster);
    mp_put_bin(&b, vector, sizeof vector);
    mp_put_u64(&b, decided);
    mp_put_i64(&b, (int64_t)wall_ms());
    mp_put_str(&b, l->listen);
    put_addresses(l, wrong_addresses, &b);
    buf_add(&b, standing, (size_t)(m.end - standing));
    say(l, k, &b);
}

static bool wrong_addresses(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    say_hello(l, k, true);
    return true;
}

/* ---- blocks ---- */

void say_block(struct liar *l, unsigned k, const struct opening *o, uint64_t head,
               const struct buf *block)
{
    struct buf msg = { 0 }, opening = { 0 };

    if (o)
        opening_encode(o, &opening);
    wire_begin(&msg, WIRE_BLOCKS, 3);
    mp_put_bin(&msg, opening.p, opening.len);
    mp_put_u64(&msg, head);
    mp_put_bin(&msg, block->p, block->len);
    buf_free(&opening);
    say(l, k, &msg);
}

static bool opening_of(const struct liar *l, const struct feed_id *feed, struct opening *o)
{
    for (unsigned i = 0; i < l->n_heard; i++)
        if (opening_decode(l->heard[i].opening.p, l->heard[i].opening.len, o) &&
            feed_id_eq(&o->id, feed))
            return true;
    return false;
}

/* A record that anybody who looks for lies finds by its item: 3666, history, number. */
static void put_record(unsigned history, uint64_t seq, struct buf *records, uint8_t h[HASH_BYTES])
{
    struct record r = { .kind = RECORD_CHECKOUT, .at_ms = (int64_t)wall_ms() };
    struct buf one = { 0 };

    snprintf(r.item, sizeof r.item, "3666%u%09u", history % 10, (unsigned)seq);
    snprintf(r.user, sizeof r.user, "29999000000018");
    record_encode(&r, &one, NULL);
    mp_put_bin(records, one.p, one.len);
    feed_next_hash(h, one.p, one.len);
    buf_free(&one);
}

/* Where the honest desks say that the liar's own feed ends. */
static bool own_end(const struct liar *l, struct feed_id *feed, uint64_t *seq,
                    uint8_t h[HASH_BYTES])
{
    const struct heard *last = heard_of(l, true);
    struct block b;

    if (!last || block_decode(last->block.p, last->block.len, &b, NULL) != ERR_OK)
        return false;
    *feed = b.feed;
    *seq = block_last(&b);
    memcpy(h, b.hash, HASH_BYTES);
    return true;
}

/* One signed block of n records that goes on from (seq, h); both then stand at its end. */
static void signed_block(const struct liar *l, const struct feed_id *feed, unsigned history,
                         unsigned n, uint64_t *seq, uint8_t h[HASH_BYTES], struct buf *out)
{
    struct buf records = { 0 };
    struct block b = { .feed = *feed, .first = *seq + 1, .count = n };

    for (unsigned i = 0; i < n; i++)
        put_record(history, ++*seq, &records, h);
    b.records = records.p;
    b.len = records.len;
    memcpy(b.hash, h, HASH_BYTES);
    head_sign(l->branch, feed, *seq, h, l->me.sign_sk, b.sig);
    buf_reset(out);
    block_encode(&b, out);
    buf_free(&records);
}

/* fork PEER HISTORY RECORDS: each history goes on from where its own feed stood at first. */
static bool fork_feed(struct liar *l, unsigned k, uint64_t which, uint64_t n)
{
    static struct feed_id feed;
    struct history *h = &l->history[which % HISTORIES];

    if (!h->began) {
        struct history *other = &l->history[(which + 1) % HISTORIES];
        if (!own_end(l, &feed, &h->seq, h->h))
            return false;
        if (other->began) /* the blocks heard by now may be the other history's */
            return false;
        *other = *h;
        other->began = h->began = true;
    }
    signed_block(l, &feed, (unsigned)(which % HISTORIES), n % 400 ? (unsigned)(n % 400) : 1,
                 &h->seq, h->h, &h->last);
    say_block(l, k, NULL, h->seq, &h->last);
    return true;
}

/* A head that the liar signed, over a hash that no chain of its records gives. */
static bool broken_chain(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    struct feed_id feed;
    struct buf block = { 0 };
    uint8_t h[HASH_BYTES];
    uint64_t seq;

    (void)a, (void)b;
    if (!own_end(l, &feed, &seq, h))
        return false;
    h[0] ^= 1;
    signed_block(l, &feed, 9, 3, &seq, h, &block);
    say_block(l, k, NULL, seq, &block);
    buf_free(&block);
    return true;
}

/* New records under a signature that it gave earlier, and the old block as a new one. */
static bool old_signature(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    const struct heard *last = heard_of(l, true);
    struct feed_id feed;
    struct buf fresh = { 0 }, out = { 0 };
    uint8_t h[HASH_BYTES];
    struct block old, next;
    uint64_t seq;

    (void)a, (void)b;
    if (!last || !own_end(l, &feed, &seq, h) ||
        block_decode(last->block.p, last->block.len, &old, NULL) != ERR_OK)
        return false;
    signed_block(l, &feed, 9, old.count, &seq, h, &fresh);
    block_decode(fresh.p, fresh.len, &next, NULL);
    memcpy(next.sig, old.sig, SIG_BYTES);
    block_encode(&next, &out);
    say_block(l, k, NULL, block_last(&next), &out);
    old.first = next.first; /* the same bytes once more, behind themselves */
    buf_reset(&out);
    block_encode(&old, &out);
    say_block(l, k, NULL, block_last(&old), &out);
    buf_free(&fresh);
    buf_free(&out);
    return true;
}

/* A copy of bytes with one bit of block b's records another. */
static void bend(struct block *b, struct buf *copy)
{
    buf_reset(copy);
    buf_add(copy, b->records, b->len);
    if (copy->len > 4)
        copy->p[copy->len - 1 - randombytes_uniform((uint32_t)copy->len / 2)] ^= 1;
    b->records = copy->p;
}

/* Every block of the others it heard, altered: at its place, behind its place, in a feed of their
 * name that they never began, and signed anew with the wrong key. */
static bool altered(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    for (unsigned i = 0; i < l->n_heard; i++) {
        struct buf copy = { 0 }, out = { 0 };
        struct opening o;
        struct block x;
        bool has = block_decode(l->heard[i].block.p, l->heard[i].block.len, &x, NULL) == ERR_OK &&
                   opening_of(l, &x.feed, &o);
        if (!has || desk_id_eq(&x.feed.desk, &l->me.id))
            continue;
        bend(&x, &copy);
        block_encode(&x, &out);
        say_block(l, k, &o, l->heard[i].head, &out);
        for (unsigned how = 0; how < 3; how++) {
            struct block y = x;
            struct opening p = o;
            if (how == 0)
                y.first = block_last(&x) + 1;
            else
                randombytes_buf(y.feed.name, sizeof y.feed.name), p.id = y.feed, y.first = 1;
            if (how == 2)
                opening_sign(l->branch, &p, l->me.sign_sk);
            head_sign(l->branch, &y.feed, block_last(&y), y.hash, l->me.sign_sk, y.sig);
            buf_reset(&out);
            block_encode(&y, &out);
            say_block(l, k, &p, block_last(&y), &out);
        }
        buf_free(&copy);
        buf_free(&out);
    }
    return heard_of(l, false) != NULL;
}

/* Counts and sequences that no block has, signed or not. */
static bool counts(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    const struct heard *mine = heard_of(l, true);
    struct block x;

    (void)a, (void)b;
    if (!mine || block_decode(mine->block.p, mine->block.len, &x, NULL) != ERR_OK)
        return false;
    for (unsigned i = 0; i < HUGES; i++)
        for (unsigned which = 0; which < 3; which++) {
            struct buf raw = { 0 };
            uint8_t sig[SIG_BYTES];
            uint64_t first = which == 0 ? huge[i] : x.first, count = which == 1 ? huge[i] : x.count;
            head_sign(l->branch, &x.feed, first + count - 1, x.hash, l->me.sign_sk, sig);
            mp_put_array(&raw, 6);
            mp_put_bin(&raw, &x.feed, sizeof x.feed);
            mp_put_u64(&raw, first);
            mp_put_u64(&raw, count);
            mp_put_bin(&raw, x.records, x.len);
            mp_put_bin(&raw, x.hash, HASH_BYTES);
            mp_put_bin(&raw, sig, SIG_BYTES);
            say_block(l, k, NULL, which == 2 ? huge[i] : first + count - 1, &raw);
            buf_free(&raw);
        }
    return true;
}

/* ---- questions and claims without measure ---- */

static bool ranges(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    for (unsigned h = 0; h < l->n_heard; h++)
        for (unsigned i = 0; i < HUGES * HUGES; i++) {
            struct buf msg = { 0 };
            struct block x;
            if (block_decode(l->heard[h].block.p, l->heard[h].block.len, &x, NULL) != ERR_OK ||
                (h > 3 && i > 0))
                break;
            wire_begin(&msg, WIRE_WANT, 3);
            mp_put_bin(&msg, &x.feed, sizeof x.feed);
            mp_put_u64(&msg, huge[i / HUGES]);
            mp_put_u64(&msg, huge[i % HUGES]);
            say(l, k, &msg);
        }
    return l->n_heard > 0;
}

static void put_entry(struct buf *b, const struct feed_id *feed, uint64_t seq, uint64_t fork)
{
    uint8_t h[HASH_SHORT_BYTES];

    randombytes_buf(h, sizeof h);
    mp_put_array(b, 4);
    mp_put_bin(b, feed, sizeof *feed);
    mp_put_u64(b, seq);
    mp_put_bin(b, h, sizeof h);
    mp_put_u64(b, fork);
}

/* Every feed it heard of, with each size; then a thousand feeds of each desk that nobody began. */
static bool vectors(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    struct buf many = { 0 };

    (void)a, (void)b;
    for (unsigned i = 0; i < HUGES; i++)
        for (unsigned forked = 0; forked < 2; forked++) {
            struct buf msg = { 0 }, acks = { 0 };
            wire_begin(&msg, WIRE_VECTOR, 1);
            wire_begin(&acks, WIRE_ACK, 1);
            mp_put_array(&msg, l->n_heard);
            mp_put_array(&acks, l->n_heard);
            for (unsigned h = 0; h < l->n_heard; h++) {
                struct block x;
                block_decode(l->heard[h].block.p, l->heard[h].block.len, &x, NULL);
                put_entry(&msg, &x.feed, huge[i], forked ? huge[(i + h) % HUGES] : 0);
                mp_put_array(&acks, 2);
                mp_put_bin(&acks, &x.feed, sizeof x.feed);
                mp_put_u64(&acks, huge[i]);
            }
            say(l, k, &msg);
            say(l, k, &acks);
        }
    wire_begin(&many, WIRE_VECTOR, 1);
    mp_put_array(&many, 1000 * l->peers);
    for (unsigned i = 0; i < 1000 * l->peers; i++) {
        struct feed_id id = { .desk = l->peer[i % l->peers].id };
        randombytes_buf(id.name, sizeof id.name);
        put_entry(&many, &id, 1ull << 62, i % 7 ? 0 : 1);
    }
    say(l, k, &many);
    return l->n_heard > 0;
}

/* ---- forks that are none ---- */

static void say_proof(struct liar *l, unsigned k, const struct fork *f)
{
    struct buf proof = { 0 }, msg = { 0 };

    if (f)
        fork_encode(f, &proof);
    else
        mp_put_array(&proof, 7);
    wire_begin(&msg, WIRE_FORK_PROOF, 3);
    mp_put_bin(&msg, proof.p, proof.len);
    mp_put_bin(&msg, NULL, 0);
    mp_put_bin(&msg, NULL, 0);
    buf_free(&proof);
    say(l, k, &msg);
}

static struct fork_run run_of(const struct heard *h, const struct buf *block)
{
    return (struct fork_run){
        .opening = h->opening.p, .opening_n = h->opening.len, .bytes = block->p, .n = block->len
    };
}

/* "That honest desk signed two histories": the same twice, one altered, one signed by the liar. */
static bool proofs(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    for (unsigned i = 0; i < l->n_heard; i++) {
        const struct heard *h = &l->heard[i];
        struct buf copy = { 0 }, bent = { 0 };
        struct fork f;
        struct block x;
        if (block_decode(h->block.p, h->block.len, &x, NULL) != ERR_OK || x.first != 1 ||
            desk_id_eq(&x.feed.desk, &l->me.id))
            continue;
        f = (struct fork){ .feed = x.feed, .run = { run_of(h, &h->block), run_of(h, &h->block) } };
        say_proof(l, k, &f);
        bend(&x, &copy);
        block_encode(&x, &bent);
        f.run[1] = run_of(h, &bent);
        say_proof(l, k, &f);
        head_sign(l->branch, &x.feed, block_last(&x), x.hash, l->me.sign_sk, x.sig);
        buf_reset(&bent);
        block_encode(&x, &bent);
        f.run[1] = run_of(h, &bent);
        say_proof(l, k, &f);
        f.feed.desk = l->me.id; /* another's blocks, said to be of its own feed */
        say_proof(l, k, &f);
        buf_free(&copy);
        buf_free(&bent);
    }
    say_proof(l, k, NULL);
    return heard_of(l, false) != NULL;
}

/* Questions about forks: points out of order, beyond the end, too many. */
static bool points(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    (void)a, (void)b;
    for (unsigned i = 0; i < l->n_heard; i++)
        for (unsigned n = 0; n < 40; n += 13) {
            struct buf msg = { 0 };
            uint8_t h[HASH_SHORT_BYTES] = { 0 };
            struct block x;
            if (block_decode(l->heard[i].block.p, l->heard[i].block.len, &x, NULL) != ERR_OK)
                continue;
            wire_begin(&msg, WIRE_FORK_ASK, 3);
            mp_put_bin(&msg, &x.feed, sizeof x.feed);
            mp_put_u64(&msg, huge[n % HUGES]);
            mp_put_array(&msg, n);
            for (unsigned p = 0; p < n; p++) {
                mp_put_array(&msg, 2);
                mp_put_u64(&msg, huge[p % HUGES]);
                mp_put_bin(&msg, h, sizeof h);
            }
            say(l, k, &msg);
        }
    return l->n_heard > 0;
}

/* In turn: nothing, "nothing to show", a run that nobody signed, another desk's run. */
void answer_fork_ask(struct liar *l, unsigned k)
{
    const struct heard *h = heard_of(l, l->asked % 4 != 3);
    struct buf copy = { 0 }, block = { 0 }, msg = { 0 };
    struct block x;

    if (l->asked++ % 4 == 0)
        return;
    if (h && l->asked % 4 != 2 && block_decode(h->block.p, h->block.len, &x, NULL) == ERR_OK) {
        bend(&x, &copy);
        block_encode(&x, &block);
    }
    wire_begin(&msg, WIRE_FORK_PROOF, 3);
    mp_put_bin(&msg, NULL, 0);
    mp_put_bin(&msg, h ? h->opening.p : NULL, h ? h->opening.len : 0);
    mp_put_bin(&msg, block.p, block.len);
    buf_free(&copy);
    buf_free(&block);
    say(l, k, &msg);
}

/* ---- what is no message ---- */

static void say_bytes(struct liar *l, unsigned k, const void *p, size_t n)
{
    struct buf b = { 0 };

    buf_add(&b, p, n);
    say(l, k, &b);
}

/* Every type with nothing, with noise and with arrays that announce the world; every beginning of
 * a good message; nothing at all; a megabyte of one byte. */
static bool garbage(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    const struct buf *good = &l->peer[k].hello;
    struct buf big = { 0 };

    (void)a, (void)b;
    for (unsigned type = 0; type < 256; type++)
        for (unsigned how = 0; how < 3; how++) {
            uint8_t noise[64] = { 0xdd, 0xff, 0xff, 0xff, 0xff, 0xdd, 0xff, 0xff, 0xff, 0xff };
            struct buf msg = { 0 };
            if (type == WIRE_BYE)
                continue; /* would say that it goes */
            wire_begin(&msg, (enum wire_type)type, how == 0 ? 0 : 20);
            if (how == 1)
                randombytes_buf(noise, sizeof noise);
            if (how > 0)
                buf_add(&msg, noise, sizeof noise);
            say(l, k, &msg);
        }
    for (size_t n = 0; n < good->len; n++)
        say_bytes(l, k, good->p, n);
    for (unsigned i = 0; i < 1 << 20; i++)
        buf_add(&big, "\xdf", 1);
    say(l, k, &big);
    return true;
}

/* ---- the ledger: it is a seat ---- */

/* Terms of its own choosing, a vote and a promise for itself, "not now", and receipts of nothing.
 */
static bool ledger(struct liar *l, unsigned k, uint64_t term, uint64_t decided)
{
    static const enum wire_type types[] = {
        WIRE_PREVOTE, WIRE_PREVOTED, WIRE_VOTED,   WIRE_RENEW,
        WIRE_RENEWED, WIRE_ACCEPTED, WIRE_REFUSED, WIRE_RESIGN
    };
    uint8_t zeros[HASH_BYTES] = { 0 };
    struct buf receipt = { 0 };

    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct buf b = { 0 };
        wire_begin(&b, types[i], 6);
        mp_put_u64(&b, 0);
        mp_put_bin(&b, zeros, sizeof zeros);
        mp_put_u64(&b, term);
        mp_put_u64(&b, decided);
        mp_put_bool(&b, true);
        mp_put_u64(&b, UINT64_MAX);
        mp_put_bin(&b, zeros, sizeof zeros);
        mp_put_bin(&b, zeros, sizeof zeros);
        say(l, k, &b);
    }
    wire_begin(&receipt, WIRE_RECEIPT, 2);
    mp_put_u64(&receipt, decided + 1);
    mp_put_bin(&receipt, zeros, sizeof zeros);
    say(l, k, &receipt);
    return true;
}

/* ---- all together ---- */

static bool flood(struct liar *l, unsigned k, uint64_t n, uint64_t b)
{
    (void)b;
    for (uint64_t i = 0; i < n; i++) {
        vectors(l, k, 0, 0);
        ranges(l, k, 0, 0);
        counts(l, k, 0, 0);
        points(l, k, 0, 0);
        proofs(l, k, 0, 0);
    }
    return l->n_heard > 0;
}

static const struct {
    const char *name;
    bool (*say)(struct liar *l, unsigned k, uint64_t a, uint64_t b);
} lies[] = {
    { "fork", fork_feed },
    { "broken-chain", broken_chain },
    { "old-signature", old_signature },
    { "altered", altered },
    { "counts", counts },
    { "ranges", ranges },
    { "vectors", vectors },
    { "proofs", proofs },
    { "points", points },
    { "garbage", garbage },
    { "ledger", ledger },
    { "flood", flood },
    { "addresses", wrong_addresses },
    { "packed", lie_packed },
    { "words", lie_words },
    { "blocklists", lie_blocklists },
    { "overrides", lie_overrides },
    { "claims", lie_claims },
};

bool lie(struct liar *l, const char *name, unsigned k, uint64_t a, uint64_t b)
{
    for (unsigned i = 0; i < sizeof lies / sizeof lies[0]; i++)
        if (strcmp(lies[i].name, name) == 0)
            return lies[i].say(l, k, a, b);
    return false;
}
