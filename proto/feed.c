/* feed.c - chaining, signing and checking a desk's records. */
#include "feed.h"

#include <string.h>

#include <sodium.h>

static void put_fields(const struct opening *o, unsigned n, struct buf *out)
{
    mp_put_array(out, n);
    mp_put_bin(out, o->id.desk.b, DESK_ID_BYTES);
    mp_put_bin(out, o->id.name, FEED_NAME_BYTES);
    mp_put_u64(out, o->number);
    mp_put_i64(out, o->at_ms);
    mp_put_bin(out, &o->prev, sizeof o->prev);
    mp_put_u64(out, o->prev_seq);
    mp_put_bin(out, o->prev_hash, HASH_BYTES);
}

void opening_encode(const struct opening *o, struct buf *out)
{
    put_fields(o, 8, out);
    mp_put_bin(out, o->sig, SIG_BYTES);
}

bool opening_decode(const uint8_t *p, size_t n, struct opening *out)
{
    struct mp m = mp_over(p, n);

    memset(out, 0, sizeof *out);
    if (mp_get_array(&m) != 8)
        return false;
    mp_get_raw(&m, out->id.desk.b, DESK_ID_BYTES);
    mp_get_raw(&m, out->id.name, FEED_NAME_BYTES);
    out->number = (uint32_t)mp_get_u64(&m);
    out->at_ms = mp_get_i64(&m);
    mp_get_raw(&m, &out->prev, sizeof out->prev);
    out->prev_seq = mp_get_u64(&m);
    mp_get_raw(&m, out->prev_hash, HASH_BYTES);
    mp_get_raw(&m, out->sig, SIG_BYTES);
    return mp_done(&m);
}

void feed_h0(const uint8_t branch[BRANCH_ID_BYTES], const struct opening *o, uint8_t h[HASH_BYTES])
{
    struct buf b = { 0 };

    put_fields(o, 7, &b);
    hash_parts("tideover feed v1", (struct part[]){ { branch, BRANCH_ID_BYTES }, { b.p, b.len } },
               2, h, HASH_BYTES);
    buf_free(&b);
}

void feed_next_hash(uint8_t h[HASH_BYTES], const uint8_t *record, size_t n)
{
    crypto_generichash_state st;

    crypto_generichash_init(&st, NULL, 0, HASH_BYTES);
    crypto_generichash_update(&st, h, HASH_BYTES);
    crypto_generichash_update(&st, record, n);
    crypto_generichash_final(&st, h, HASH_BYTES);
}

#define HEAD_BYTES (BRANCH_ID_BYTES + sizeof(struct feed_id) + 8 + HASH_BYTES)

static void head_bytes(const uint8_t branch[BRANCH_ID_BYTES], const struct feed_id *feed,
                       uint64_t seq, const uint8_t h[HASH_BYTES], uint8_t out[HEAD_BYTES])
{
    uint8_t *p = out;

    memcpy(p, branch, BRANCH_ID_BYTES);
    memcpy(p += BRANCH_ID_BYTES, feed, sizeof *feed);
    put_be64(p += sizeof *feed, seq);
    memcpy(p + 8, h, HASH_BYTES);
}

void head_sign(const uint8_t branch[BRANCH_ID_BYTES], const struct feed_id *feed, uint64_t seq,
               const uint8_t h[HASH_BYTES], const uint8_t sk[SIGN_SK_BYTES], uint8_t sig[SIG_BYTES])
{
    uint8_t b[HEAD_BYTES];

    head_bytes(branch, feed, seq, h, b);
    sign_bytes("tideover head v1", b, sizeof b, sk, sig);
}

bool head_ok(const uint8_t branch[BRANCH_ID_BYTES], const struct feed_id *feed, uint64_t seq,
             const uint8_t h[HASH_BYTES], const uint8_t pk[KEY_BYTES], const uint8_t sig[SIG_BYTES])
{
    uint8_t b[HEAD_BYTES];

    head_bytes(branch, feed, seq, h, b);
    return sign_ok("tideover head v1", b, sizeof b, pk, sig);
}

void opening_sign(const uint8_t branch[BRANCH_ID_BYTES], struct opening *o,
                  const uint8_t sk[SIGN_SK_BYTES])
{
    uint8_t h[HASH_BYTES];

    feed_h0(branch, o, h);
    head_sign(branch, &o->id, 0, h, sk, o->sig);
}

bool opening_ok(const uint8_t branch[BRANCH_ID_BYTES], const struct opening *o,
                const uint8_t pk[KEY_BYTES])
{
    uint8_t h[HASH_BYTES];

    feed_h0(branch, o, h);
    return head_ok(branch, &o->id, 0, h, pk, o->sig);
}

void record_machine_id(const uint8_t branch[BRANCH_ID_BYTES], const struct feed_id *feed,
                       uint64_t seq, const uint8_t h[HASH_BYTES], uint8_t out[16])
{
    uint8_t b[HEAD_BYTES];

    head_bytes(branch, feed, seq, h, b);
    hash_parts("tideover record v1", &(struct part){ b, sizeof b }, 1, out, 16);
}

void block_encode(const struct block *b, struct buf *out)
{
    mp_put_array(out, 6);
    mp_put_bin(out, &b->feed, sizeof b->feed);
    mp_put_u64(out, b->first);
    mp_put_u64(out, b->count);
    mp_put_bin(out, b->records, b->len);
    mp_put_bin(out, b->hash, HASH_BYTES);
    mp_put_bin(out, b->sig, SIG_BYTES);
}

enum err block_decode(const uint8_t *p, size_t n, struct block *b, struct errmsg *msg)
{
    struct mp m = mp_over(p, n);
    uint64_t count;

    memset(b, 0, sizeof *b);
    if (mp_get_array(&m) != 6)
        return err_set(msg, ERR_MALFORMED, "not a block");
    mp_get_raw(&m, &b->feed, sizeof b->feed);
    b->first = mp_get_u64(&m);
    count = mp_get_u64(&m);
    b->records = mp_get_bin(&m, &b->len);
    mp_get_raw(&m, b->hash, HASH_BYTES);
    mp_get_raw(&m, b->sig, SIG_BYTES);
    if (!mp_done(&m) || count == 0 || count > BLOCK_RECORDS_MAX || b->first == 0 ||
        b->first > FEED_SEQ_MAX || b->len > BLOCK_BYTES_MAX)
        return err_set(msg, ERR_MALFORMED, "a block out of bounds");
    b->count = (uint32_t)count;
    return ERR_OK;
}

struct block_walk block_walk(const struct block *b)
{
    return (struct block_walk){ mp_over(b->records, b->len), b->first - 1, b->count };
}

const uint8_t *block_next(struct block_walk *w, size_t *n)
{
    if (w->left == 0)
        return NULL;
    w->left--;
    w->seq++;
    return mp_get_bin(&w->m, n);
}

enum err block_check(const struct block *b, const uint8_t branch[BRANCH_ID_BYTES],
                     const uint8_t pk[KEY_BYTES], uint64_t seq, uint8_t h[HASH_BYTES],
                     size_t *known_bytes, struct errmsg *msg)
{
    struct block_walk w = block_walk(b);
    const uint8_t *rec, *start = b->records;
    size_t n;

    if (b->first > seq + 1 || block_last(b) <= seq)
        return err_set(msg, ERR_PEER, "a block that does not continue the feed");
    while ((rec = block_next(&w, &n)) != NULL) {
        if (n == 0 || n > RECORD_BYTES_MAX)
            return err_set(msg, ERR_PEER, "a record out of bounds");
        if (w.seq <= seq)
            start = w.m.p;
        else
            feed_next_hash(h, rec, n);
    }
    if (!mp_done(&w.m))
        return err_set(msg, ERR_PEER, "a block whose records do not fit its count");
    if (!head_ok(branch, &b->feed, block_last(b), h, pk, b->sig))
        return err_why(msg, ERR_PEER, "bad_signature", "", "a block whose signature is not right");
    *known_bytes = (size_t)(start - b->records);
    return ERR_OK;
}

bool feed_clock_now(const struct feed_clock *c, uint64_t boot_ms, int64_t wall_ms, int64_t *now_ms)
{
    int64_t step;

    *now_ms = c->wall_ms + (int64_t)(boot_ms - c->boot_ms);
    step = wall_ms - *now_ms;
    return step >= -FEED_STEP_MS && step <= FEED_STEP_MS;
}
