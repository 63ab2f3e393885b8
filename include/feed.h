/* feed.h - a desk's append-only chain of records, and the signed blocks it travels in.
 *
 *   h(0) = BLAKE2b-256(domain, branch, opening)      the opening names desk, feed and predecessor
 *   h(n) = BLAKE2b-256(h(n-1) || bytes of record n)
 *   head = Ed25519(domain, branch || feed || n || h(n))          one per block, not per record
 *
 * A block is a run of records that ends at a signed head. It has one byte form, on the wire and on
 * the disk: proto/PROTOCOL.md, "Block". Signed bytes are never encoded a second time. */
#ifndef TIDEOVER_FEED_H
#define TIDEOVER_FEED_H

#include "ident.h"
#include "record.h"

#define BLOCK_RECORDS_MAX 512          /* a signature per 512 records costs under 0.2 us each */
#define BLOCK_BYTES_MAX   (128 * 1024) /* of records; bounds what a merge holds per feed */
#define FEED_SEQ_MAX      (UINT64_C(1) << 40) /* nobody writes so many; sums of claims fit 64 bits */

struct opening {
    struct feed_id id;
    uint32_t number;     /* for people: the desk's 1st, 2nd ... feed as far as it knew */
    int64_t at_ms;       /* the feed's clock at its start */
    struct feed_id prev; /* the desk's feed before, zeros if none */
    uint64_t prev_seq;
    uint8_t prev_hash[HASH_BYTES];
    uint8_t sig[SIG_BYTES]; /* by the desk, over the head at 0: proves all the rest when the records
                               are gone */
};

struct block {
    struct feed_id feed;
    uint64_t first;
    uint32_t count;
    const uint8_t *records; /* borrowed: count msgpack bins, one record each */
    size_t len;
    uint8_t hash[HASH_BYTES]; /* h(last); stored blocks carry it, wire blocks do too as a hint */
    uint8_t sig[SIG_BYTES];   /* by the desk, over the head at `last` */
};

static inline uint64_t block_last(const struct block *b)
{
    return b->first + b->count - 1;
}

void opening_encode(const struct opening *o, struct buf *out);
bool opening_decode(const uint8_t *p, size_t n, struct opening *out);
void opening_sign(const uint8_t branch[BRANCH_ID_BYTES], struct opening *o,
                  const uint8_t sk[SIGN_SK_BYTES]);
bool opening_ok(const uint8_t branch[BRANCH_ID_BYTES], const struct opening *o,
                const uint8_t pk[KEY_BYTES]);
void feed_h0(const uint8_t branch[BRANCH_ID_BYTES], const struct opening *o, uint8_t h[HASH_BYTES]);
void feed_next_hash(uint8_t h[HASH_BYTES], const uint8_t *record, size_t n); /* h(n-1) -> h(n) */

void head_sign(const uint8_t branch[BRANCH_ID_BYTES], const struct feed_id *feed, uint64_t seq,
               const uint8_t h[HASH_BYTES], const uint8_t sk[SIGN_SK_BYTES],
               uint8_t sig[SIG_BYTES]);
bool head_ok(const uint8_t branch[BRANCH_ID_BYTES], const struct feed_id *feed, uint64_t seq,
             const uint8_t h[HASH_BYTES], const uint8_t pk[KEY_BYTES],
             const uint8_t sig[SIG_BYTES]);

/* BLAKE2b-128 over branch, feed, sequence and h(n): the record's name for machines, for ever. */
void record_machine_id(const uint8_t branch[BRANCH_ID_BYTES], const struct feed_id *feed,
                       uint64_t seq, const uint8_t h[HASH_BYTES], uint8_t out[16]);

void block_encode(const struct block *b, struct buf *out);
/* Bounds only; b borrows p. ERR_MALFORMED. */
enum err block_decode(const uint8_t *p, size_t n, struct block *b, struct errmsg *msg);

/* Walks the records of a block: NULL after the last. seq starts at b->first. */
struct block_walk {
    struct mp m;
    uint64_t seq;
    uint32_t left;
};
struct block_walk block_walk(const struct block *b);
const uint8_t *block_next(struct block_walk *w, size_t *n); /* w->seq is that record's */

/* Checks a block that begins at or before seq+1 against the chain so far: skips what is known,
 * hashes the rest and checks the signature at its end. On ERR_OK *h is h(last), and *known_bytes is
 * where in b->records the first new record starts. ERR_PEER: does not continue this chain. */
enum err block_check(const struct block *b, const uint8_t branch[BRANCH_ID_BYTES],
                     const uint8_t pk[KEY_BYTES], uint64_t seq, uint8_t h[HASH_BYTES],
                     size_t *known_bytes, struct errmsg *msg);

/* ---- the feed's one clock ---- */
#define FEED_STEP_MS 2000 /* a wall clock that jumps further ends the feed */

struct feed_clock {
    int64_t wall_ms;  /* at the feed's start */
    uint64_t boot_ms; /* CLOCK_BOOTTIME then */
};
/* The moment by this clock; false: the wall clock stepped away, the next record opens a new feed.
 */
bool feed_clock_now(const struct feed_clock *c, uint64_t boot_ms, int64_t wall_ms, int64_t *now_ms);

#endif
