/* test_pack.c - packed messages: what comes out is what went in, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"
#include "wire.h"

/* Like records: a few words again and again, with something new in between. */
static void fill(uint8_t *p, size_t n, unsigned noise)
{
    srandom(1);
    for (size_t i = 0; i < n; i++)
        p[i] = i % 64 < noise ? (uint8_t)random() : (uint8_t)(i % 64);
}

static bool opens(const uint8_t *p, size_t n, struct buf *out)
{
    struct mp m = mp_over(p, n);
    bool good;

    assert_int_equal(wire_open(&m), WIRE_PACKED);
    good = message_unpack(&m, out);
    assert_int_equal(good, !m.bad);
    return good;
}

static void comes_back(const uint8_t *p, size_t n)
{
    struct buf packed = { 0 }, whole = { 0 };

    assert_true(message_pack(p, n, &packed));
    assert_true(packed.len <= n - n / 8 + 16);
    assert_true(opens(packed.p, packed.len, &whole));
    assert_int_equal(whole.len, n);
    assert_memory_equal(whole.p, p, n);
    buf_free(&packed);
    buf_free(&whole);
}

static void all_sizes_come_back(void **state)
{
    static uint8_t p[WIRE_BYTES_MAX];
    static const size_t sizes[] = {
        PACK_BYTES_MIN, 513, 4096, 65535, 65536, 70000, WIRE_BYTES_MAX
    };

    (void)state;
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        fill(p, sizes[i], 16);
        comes_back(p, sizes[i]);
    }
}

static void what_does_not_pay_stays(void **state)
{
    static uint8_t p[WIRE_BYTES_MAX + 1];
    struct buf out = { 0 };

    (void)state;
    assert_false(message_pack(p, PACK_BYTES_MIN - 1, &out)); /* however well it would do */
    assert_false(message_pack(p, WIRE_BYTES_MAX + 1, &out));
    fill(p, 4096, 64);
    assert_false(message_pack(p, 4096, &out)); /* nothing but noise */
    assert_int_equal(out.len, 0);
    buf_free(&out);
}

static bool opened(uint64_t whole, const void *lz4, size_t n)
{
    struct buf msg = { 0 }, out = { 0 };
    bool r;

    wire_begin(&msg, WIRE_PACKED, 2);
    mp_put_u64(&msg, whole);
    mp_put_bin(&msg, lz4, n);
    r = opens(msg.p, msg.len, &out);
    assert_true(out.len <= WIRE_BYTES_MAX);
    buf_free(&msg);
    buf_free(&out);
    return r;
}

/* An LZ4 block of one byte and a run of it: 15 in the token's low half, then 255 for each 255 more.
 * It ends with five literals, as the format wants. */
static size_t bomb(uint8_t *p, size_t steps)
{
    uint8_t *at = p;

    *at++ = 0x1f;
    *at++ = 'x';
    *at++ = 1;
    *at++ = 0;
    memset(at, 255, steps);
    at += steps;
    *at++ = 0;
    *at++ = 0x50;
    memcpy(at, "xxxxx", 5);
    return (size_t)(at + 5 - p);
}

static void hostile_ones_are_broken(void **state)
{
    static uint8_t p[8192];
    size_t n = bomb(p, 10), whole = 1 + 19 + 255 * 10 + 5;

    (void)state;
    assert_true(opened(whole, p, n));
    assert_false(opened(whole - 1, p, n)); /* another length than it says */
    assert_false(opened(whole + 1, p, n));
    assert_false(opened(whole, p, n - 1)); /* cut short */
    assert_false(opened(whole, p, 0));
    assert_false(opened(UINT64_MAX, p, n));
    n = bomb(p, 4300); /* a megabyte out of four thousand bytes is a message still ... */
    assert_true(opened(1 + 19 + 255 * 4300 + 5, p, n));
    n = bomb(p, 5000);
    assert_false(opened(1 + 19 + 255 * 5000 + 5, p, n));
    assert_false(opened(WIRE_BYTES_MAX, p, n));
}

static void one_inside_another_is_broken(void **state)
{
    static uint8_t p[65536];
    struct buf once = { 0 }, long_one = { 0 }, twice = { 0 }, out = { 0 };

    (void)state;
    assert_true(message_pack(p, sizeof p, &once));
    buf_add(&long_one, once.p,
            once.len); /* bytes behind the fields are nobody's: it may be packed */
    memset(buf_grow(&long_one, 4096), 0, 4096);
    assert_true(message_pack(long_one.p, long_one.len, &twice));
    assert_false(opens(twice.p, twice.len, &out));
    buf_free(&out);
    wire_begin(&out, WIRE_PACKED, 0); /* its fields are missing */
    buf_reset(&twice);
    buf_add(&twice, out.p, out.len);
    buf_reset(&out);
    assert_false(opens(twice.p, twice.len, &out));
    buf_free(&once);
    buf_free(&long_one);
    buf_free(&twice);
    buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_sizes_come_back),
        cmocka_unit_test(what_does_not_pay_stays),
        cmocka_unit_test(hostile_ones_are_broken),
        cmocka_unit_test(one_inside_another_is_broken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
