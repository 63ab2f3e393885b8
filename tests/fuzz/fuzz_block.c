/* fuzz_block.c - openings and blocks: bounds first, then what a malicious desk signs itself. */
#include "fuzz.h"

#include "feed.h"

static void keys(uint8_t branch[BRANCH_ID_BYTES], struct ident *me)
{
    uint8_t seed[3 * SEED_BYTES];

    memset(branch, 7, BRANCH_ID_BYTES);
    memset(seed, 9, sizeof seed);
    ident_from_seed(seed, me);
}

/* Hashes the records of b and signs the end, as its author would. */
static void sign_block(struct block *b, const uint8_t h0[HASH_BYTES],
                       const uint8_t branch[BRANCH_ID_BYTES], const struct ident *me)
{
    struct block_walk w = block_walk(b);
    const uint8_t *p;
    size_t n;

    memcpy(b->hash, h0, HASH_BYTES);
    while ((p = block_next(&w, &n)) != NULL)
        feed_next_hash(b->hash, p, n);
    head_sign(branch, &b->feed, block_last(b), b->hash, me->sign_sk, b->sig);
}

static void check_signed(struct block *b)
{
    uint8_t branch[BRANCH_ID_BYTES], h0[HASH_BYTES], h[HASH_BYTES];
    struct opening o = { .number = 1, .at_ms = 1795500000000 };
    struct block_walk w = block_walk(b);
    struct ident me;
    size_t known = 0, n;
    uint32_t count = 0;

    while (block_next(&w, &n) != NULL)
        count++;
    keys(branch, &me);
    o.id = b->feed;
    feed_h0(branch, &o, h0);
    memcpy(h, h0, sizeof h);
    must_hold(block_check(b, branch, me.sign_pk, b->first - 1, h, &known, NULL) != ERR_OK);
    sign_block(b, h0, branch, &me);
    memcpy(h, h0, sizeof h);
    if (block_check(b, branch, me.sign_pk, b->first - 1, h, &known, NULL) == ERR_OK) {
        must_hold(count == b->count && known == 0 && memcmp(h, b->hash, sizeof h) == 0);
        memcpy(h, h0, sizeof h); /* with a record known already the same end must not be proven */
        must_hold(b->first == UINT64_MAX ||
                  block_check(b, branch, me.sign_pk, b->first, h, &known, NULL) != ERR_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t *copy = fuzz_copy(p, n);
    struct opening o, same;
    struct errmsg msg = { .text = "" };
    struct buf out = { 0 };
    struct block b;

    if (opening_decode(copy, n, &o)) {
        opening_encode(&o, &out);
        must_hold(opening_decode(out.p, out.len, &same) && memcmp(&o, &same, sizeof o) == 0);
    }
    if (block_decode(copy, n, &b, &msg) == ERR_OK) {
        must_hold(b.count >= 1 && b.count <= BLOCK_RECORDS_MAX && b.len <= BLOCK_BYTES_MAX);
        must_hold(b.first >= 1 && block_last(&b) >= b.first);
        buf_reset(&out);
        block_encode(&b, &out);
        check_signed(&b);
        must_hold(block_decode(out.p, out.len, &b, &msg) == ERR_OK);
    } else {
        must_hold(msg.text[0] != '\0');
    }
    buf_free(&out);
    free(copy);
    return 0;
}

void fuzz_seeds(void)
{
    uint8_t branch[BRANCH_ID_BYTES], h0[HASH_BYTES];
    struct opening o = { .number = 1, .at_ms = 1795500000000, .prev_seq = 3 };
    struct block b = { .first = 1 };
    struct buf records = { 0 }, out = { 0 };
    struct ident me;

    keys(branch, &me);
    o.id.desk = me.id;
    memset(o.id.name, 5, sizeof o.id.name);
    opening_encode(&o, &out);
    fuzz_seed_buf(&out);
    feed_h0(branch, &o, h0);
    b.feed = o.id;
    for (b.count = 1; b.count <= 3; b.count++) {
        mp_put_bin(&records, "\x81\x01\x01", 3);
        b.records = records.p;
        b.len = records.len;
        sign_block(&b, h0, branch, &me);
        block_encode(&b, &out);
        fuzz_seed_buf(&out);
    }
    buf_free(&records);
}
