/* test_feed.c - chains, blocks, heads, and the feed's clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "feed.h"

static const uint8_t branch[BRANCH_ID_BYTES] = "a branch of ours";

struct sample { /* a feed of five records in one block */
    struct ident me;
    struct opening o;
    uint8_t h[6][HASH_BYTES]; /* h(0) .. h(5) */
    struct buf records;
    size_t start[6]; /* where record i + 1 begins in records */
    struct block b;
};

static void chain(struct sample *s)
{
    uint8_t seed[3 * SEED_BYTES] = { 7 };

    memset(s, 0, sizeof *s);
    ident_from_seed(seed, &s->me);
    s->o.id.desk = s->me.id;
    memcpy(s->o.id.name, "feedname", FEED_NAME_BYTES);
    s->o.number = 3;
    s->o.at_ms = 1795500000000;
    feed_h0(branch, &s->o, s->h[0]);
    for (unsigned i = 1; i <= 5; i++) {
        char rec[16] = "record number 0";
        rec[14] = (char)('0' + i);
        memcpy(s->h[i], s->h[i - 1], HASH_BYTES);
        feed_next_hash(s->h[i], (const uint8_t *)rec, 15);
        mp_put_bin(&s->records, rec, 15);
        s->start[i] = s->records.len;
    }
    s->b = (struct block){
        .feed = s->o.id, .first = 1, .count = 5, .records = s->records.p, .len = s->records.len
    };
    memcpy(s->b.hash, s->h[5], HASH_BYTES);
    head_sign(branch, &s->b.feed, 5, s->h[5], s->me.sign_sk, s->b.sig);
}

static enum err check(const struct sample *s, const struct block *b, uint64_t seq, uint8_t *h_out,
                      size_t *known)
{
    uint8_t h[HASH_BYTES];
    enum err e;

    memcpy(h, s->h[seq], sizeof h);
    e = block_check(b, branch, s->me.sign_pk, seq, h, known, NULL);
    if (h_out)
        memcpy(h_out, h, sizeof h);
    return e;
}

static void opening_comes_back_and_no_part_of_it_does(void **state)
{
    struct sample s;
    struct opening o;
    struct buf b = { 0 };

    (void)state;
    chain(&s);
    s.o.prev = s.o.id;
    s.o.prev_seq = 77;
    opening_encode(&s.o, &b);
    assert_true(opening_decode(b.p, b.len, &o));
    assert_memory_equal(&o.id, &s.o.id, sizeof o.id);
    assert_int_equal(o.number, 3);
    assert_int_equal(o.prev_seq, 77);
    assert_int_equal(o.at_ms, s.o.at_ms);
    for (size_t n = 0; n < b.len; n++)
        assert_false(opening_decode(b.p, n, &o));
    buf_free(&b);
    buf_free(&s.records);
}

static void chain_begins_with_branch_and_opening(void **state)
{
    struct sample s;
    uint8_t h[HASH_BYTES];

    (void)state;
    chain(&s);
    feed_h0((const uint8_t *)"another branch!!", &s.o, h);
    assert_memory_not_equal(h, s.h[0], sizeof h);
    s.o.prev_seq = 1;
    feed_h0(branch, &s.o, h);
    assert_memory_not_equal(h, s.h[0], sizeof h);
    buf_free(&s.records);
}

static void block_comes_back_and_no_part_of_it_does(void **state)
{
    struct sample s;
    struct block b;
    struct buf bytes = { 0 };

    (void)state;
    chain(&s);
    block_encode(&s.b, &bytes);
    assert_int_equal(block_decode(bytes.p, bytes.len, &b, NULL), ERR_OK);
    assert_int_equal(block_last(&b), 5);
    assert_int_equal(b.len, s.b.len);
    assert_memory_equal(b.records, s.b.records, b.len);
    assert_memory_equal(b.sig, s.b.sig, SIG_BYTES);
    for (size_t n = 0; n < bytes.len; n++)
        assert_int_equal(block_decode(bytes.p, n, &b, NULL), ERR_MALFORMED);
    buf_free(&bytes);
    buf_free(&s.records);
}

static void block_out_of_bounds_is_refused(void **state)
{
    static const struct {
        uint64_t first;
        uint32_t count;
    } bad[] = { { 0, 1 }, { 1, 0 }, { 1, BLOCK_RECORDS_MAX + 1 }, { UINT64_MAX, 1 } };
    struct sample s;
    struct block b;

    (void)state;
    chain(&s);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf bytes = { 0 };
        s.b.first = bad[i].first;
        s.b.count = bad[i].count;
        block_encode(&s.b, &bytes);
        assert_int_equal(block_decode(bytes.p, bytes.len, &b, NULL), ERR_MALFORMED);
        buf_free(&bytes);
    }
    buf_free(&s.records);
}

static void walk_names_each_record_by_its_place(void **state)
{
    struct sample s;
    struct block_walk w;
    const uint8_t *p;
    size_t n;
    unsigned i = 0;

    (void)state;
    chain(&s);
    w = block_walk(&s.b);
    while ((p = block_next(&w, &n)) != NULL) {
        assert_int_equal(w.seq, ++i);
        assert_int_equal(n, 15);
        assert_int_equal(p[14], '0' + i);
    }
    assert_int_equal(i, 5);
    buf_free(&s.records);
}

static void block_continues_the_chain_from_any_place_inside(void **state)
{
    struct sample s;
    uint8_t h[HASH_BYTES];
    size_t known;

    (void)state;
    chain(&s);
    for (uint64_t seq = 0; seq < 5; seq++) {
        assert_int_equal(check(&s, &s.b, seq, h, &known), ERR_OK);
        assert_memory_equal(h, s.h[5], sizeof h);
        assert_int_equal(known, s.start[seq]);
    }
    assert_int_equal(check(&s, &s.b, 5, NULL, &known), ERR_PEER); /* nothing new in it */
    buf_free(&s.records);
}

static void block_behind_a_gap_is_refused(void **state)
{
    struct sample s;
    size_t known;

    (void)state;
    chain(&s);
    s.b.first = 2;
    assert_int_equal(check(&s, &s.b, 0, NULL, &known), ERR_PEER);
    buf_free(&s.records);
}

static void any_changed_bit_breaks_the_block(void **state)
{
    struct sample s;
    size_t known;

    (void)state;
    chain(&s);
    for (size_t i = 0; i < s.records.len; i++) {
        s.records.p[i] ^= 4;
        assert_int_equal(check(&s, &s.b, 0, NULL, &known), ERR_PEER);
        s.records.p[i] ^= 4;
    }
    for (size_t i = 0; i < SIG_BYTES; i++) {
        s.b.sig[i] ^= 4;
        assert_int_equal(check(&s, &s.b, 0, NULL, &known), ERR_PEER);
        s.b.sig[i] ^= 4;
    }
    assert_int_equal(check(&s, &s.b, 0, NULL, &known), ERR_OK);
    buf_free(&s.records);
}

static void count_that_does_not_fit_the_records_is_refused(void **state)
{
    struct sample s;
    size_t known;

    (void)state;
    chain(&s);
    s.b.count = 4; /* bytes behind the last */
    assert_int_equal(check(&s, &s.b, 0, NULL, &known), ERR_PEER);
    s.b.count = 6;
    assert_int_equal(check(&s, &s.b, 0, NULL, &known), ERR_PEER);
    buf_free(&s.records);
}

static void head_speaks_of_one_branch_feed_place_and_key(void **state)
{
    struct sample s;
    struct feed_id other;
    uint8_t seed[3 * SEED_BYTES] = { 8 };
    struct ident stranger;

    (void)state;
    chain(&s);
    other = s.o.id;
    other.name[0] ^= 1;
    ident_from_seed(seed, &stranger);
    assert_true(head_ok(branch, &s.o.id, 5, s.h[5], s.me.sign_pk, s.b.sig));
    assert_false(head_ok(branch, &s.o.id, 4, s.h[5], s.me.sign_pk, s.b.sig));
    assert_false(head_ok(branch, &s.o.id, 5, s.h[4], s.me.sign_pk, s.b.sig));
    assert_false(head_ok(branch, &other, 5, s.h[5], s.me.sign_pk, s.b.sig));
    assert_false(
        head_ok((const uint8_t *)"another branch!!", &s.o.id, 5, s.h[5], s.me.sign_pk, s.b.sig));
    assert_false(head_ok(branch, &s.o.id, 5, s.h[5], stranger.sign_pk, s.b.sig));
    buf_free(&s.records);
}

static void machine_name_depends_on_place_and_content(void **state)
{
    struct sample s;
    uint8_t a[16], b[16];

    (void)state;
    chain(&s);
    record_machine_id(branch, &s.o.id, 2, s.h[2], a);
    record_machine_id(branch, &s.o.id, 2, s.h[2], b);
    assert_memory_equal(a, b, 16);
    record_machine_id(branch, &s.o.id, 3, s.h[2], b);
    assert_memory_not_equal(a, b, 16);
    record_machine_id(branch, &s.o.id, 2, s.h[3], b);
    assert_memory_not_equal(a, b, 16);
    buf_free(&s.records);
}

static void clock_follows_boot_time_and_ends_with_a_step(void **state)
{
    const struct feed_clock c = { 1000000, 5000 };
    int64_t now;

    (void)state;
    assert_true(feed_clock_now(&c, 6000, 1001000, &now));
    assert_int_equal(now, 1001000);
    assert_true(feed_clock_now(&c, 6000, 1001000 + FEED_STEP_MS, &now));
    assert_int_equal(now, 1001000); /* drift does not move it */
    assert_false(feed_clock_now(&c, 6000, 1001000 + FEED_STEP_MS + 1, &now));
    assert_true(feed_clock_now(&c, 6000, 1001000 - FEED_STEP_MS, &now));
    assert_false(feed_clock_now(&c, 6000, 1001000 - FEED_STEP_MS - 1, &now));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_comes_back_and_no_part_of_it_does),
        cmocka_unit_test(chain_begins_with_branch_and_opening),
        cmocka_unit_test(block_comes_back_and_no_part_of_it_does),
        cmocka_unit_test(block_out_of_bounds_is_refused),
        cmocka_unit_test(walk_names_each_record_by_its_place),
        cmocka_unit_test(block_continues_the_chain_from_any_place_inside),
        cmocka_unit_test(block_behind_a_gap_is_refused),
        cmocka_unit_test(any_changed_bit_breaks_the_block),
        cmocka_unit_test(count_that_does_not_fit_the_records_is_refused),
        cmocka_unit_test(head_speaks_of_one_branch_feed_place_and_key),
        cmocka_unit_test(machine_name_depends_on_place_and_content),
        cmocka_unit_test(clock_follows_boot_time_and_ends_with_a_step),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
