/* test_record.c - a record's bytes, both ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <msgpack.h>
#include <string.h>

#include "record.h"

static struct record full_record(void)
{
    struct record r = { .kind = RECORD_USER,
                        .count = 99,
                        .flags = UINT32_MAX,
                        .due = 20261207,
                        .at_ms = 253402300799999,
                        .paper_ms = 253402300799999,
                        .utc_off_min = -300,
                        .target = { .seq = UINT64_MAX } };

    memset(r.item, '3', BARCODE_MAX);
    memset(r.user, '2', BARCODE_MAX);
    memset(r.staff, 's', STAFF_MAX);
    memset(&r.target.feed, 7, sizeof r.target.feed);
    memset(r.key, 9, sizeof r.key);
    memset(r.reg.first, 'f', REG_TEXT_MAX);
    memset(r.reg.last, 'l', REG_TEXT_MAX);
    memset(r.reg.email, 'e', REG_TEXT_MAX);
    memset(r.reg.street, 't', REG_TEXT_MAX);
    memset(r.reg.city, 'c', REG_TEXT_MAX);
    memset(r.reg.note, 'n', REG_TEXT_MAX);
    memset(r.reg.guardian, 'g', REG_TEXT_MAX);
    memset(r.reg.phone, '5', sizeof r.reg.phone - 1);
    memset(r.reg.postcode, '4', sizeof r.reg.postcode - 1);
    memset(r.reg.type, 'A', sizeof r.reg.type - 1);
    memset(r.reg.pin, '1', sizeof r.reg.pin - 1);
    r.reg.birth = 19880714;
    return r;
}

static void read_one_after_the_other_they_leave_nothing_behind(void **state)
{
    struct record full = full_record(), bare = { .kind = RECORD_DISCHARGE, .item = "399" }, out,
                  alone;
    const struct record *turns[] = { &bare, &bare, &full, &bare, &full, &full, &bare, NULL, &bare };
    bool none = false; /* what out holds is anything */

    (void)state;
    memset(&out, 0xa5, sizeof out);
    for (unsigned i = 0; i < sizeof turns / sizeof turns[0]; i++) {
        struct buf b = { 0 };
        enum err e;
        if (turns[i])
            assert_int_equal(record_encode(turns[i], &b, NULL), ERR_OK);
        else
            assert_int_equal(record_encode(&full, &b, NULL), ERR_OK);
        b.len -= turns[i] == NULL; /* cut off within its registration */
        e = record_decode_next(b.p, b.len, &out, &none, NULL);
        assert_int_equal(e, turns[i] ? ERR_OK : ERR_MALFORMED);
        assert_int_equal(record_decode(b.p, b.len, &alone, NULL), e);
        assert_memory_equal(&out, &alone, sizeof out);
        assert_int_equal(none, turns[i] != &full);
        buf_free(&b);
    }
}

static void a_checkout_has_these_bytes(void **state)
{
    static const uint8_t wanted[] = "\x85\x01\x01\x02\xcf\x00\x00\x01\x9a\xae\xf3\x78\x40"
                                    "\x03\xd1\xfe\xd4\x04\xa3"
                                    "399\x05\xa3"
                                    "299";
    struct record r = { .kind = RECORD_CHECKOUT,
                        .at_ms = 0x19aaef37840,
                        .utc_off_min = -300,
                        .item = "399",
                        .user = "299" };
    struct buf b = { 0 };

    (void)state;
    assert_int_equal(record_encode(&r, &b, NULL), ERR_OK);
    assert_int_equal(b.len, sizeof wanted - 1);
    assert_memory_equal(b.p, wanted, b.len);
    buf_free(&b);
}

static void a_full_record_comes_back_and_stays_below_its_limit(void **state)
{
    struct record r = full_record(), back;
    struct buf b = { 0 };

    (void)state;
    assert_int_equal(record_encode(&r, &b, NULL), ERR_OK);
    assert_true(b.len < RECORD_BYTES_MAX);
    assert_int_equal(record_decode(b.p, b.len, &back, NULL), ERR_OK);
    assert_memory_equal(&back, &r, sizeof r);
    buf_free(&b);
}

static void msgpack_c_reads_a_record_as_a_map_of_ascending_tags(void **state)
{
    struct record r = full_record();
    struct buf b = { 0 };
    msgpack_unpacked u;
    uint64_t last = 0;

    (void)state;
    assert_int_equal(record_encode(&r, &b, NULL), ERR_OK);
    msgpack_unpacked_init(&u);
    assert_int_equal(msgpack_unpack_next(&u, (char *)b.p, b.len, NULL), MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(u.data.type, MSGPACK_OBJECT_MAP);
    assert_int_equal(u.data.via.map.size, 26);
    for (unsigned i = 0; i < u.data.via.map.size; i++) {
        assert_true(u.data.via.map.ptr[i].key.via.u64 > last);
        last = u.data.via.map.ptr[i].key.via.u64;
    }
    msgpack_unpacked_destroy(&u);
    buf_free(&b);
}

static void truncated_at_any_byte_it_is_refused(void **state)
{
    struct record r = full_record(), back;
    struct buf b = { 0 };
    struct errmsg m;

    (void)state;
    assert_int_equal(record_encode(&r, &b, NULL), ERR_OK);
    for (size_t n = 0; n < b.len; n++) {
        assert_int_equal(record_decode(b.p, n, &back, &m), ERR_MALFORMED);
        assert_int_equal(back.kind, 0);
    }
    buf_add(&b, "\xc0", 1);
    assert_int_equal(record_decode(b.p, b.len, &back, &m), ERR_MALFORMED); /* trailing byte */
    buf_free(&b);
}

#define DECODES(bytes, out) record_decode((const uint8_t *)(bytes), sizeof(bytes) - 1, out, NULL)

static void unknown_tags_are_skipped_and_unknown_kinds_kept(void **state)
{
    struct record r;

    (void)state;
    assert_int_equal(DECODES("\x84\x01\x01\x04\xa1x\x20\x92\x01\xa1y\xcc\xc8\xc0", &r), ERR_OK);
    assert_int_equal(r.kind, RECORD_CHECKOUT);
    assert_string_equal(r.item, "x");
    assert_int_equal(DECODES("\x82\x01\xcc\xc8\x04\xa1x", &r), ERR_OK);
    assert_int_equal(r.kind, 200);
    assert_string_equal(record_kind_name(r.kind), "unknown");
}

static void what_must_not_be_in_a_record_is_refused(void **state)
{
    struct record r;

    (void)state;
    assert_int_equal(DECODES("\x80", &r), ERR_MALFORMED);                         /* no kind */
    assert_int_equal(DECODES("\x81\x01\x00", &r), ERR_MALFORMED);                 /* kind 0 */
    assert_int_equal(DECODES("\x81\x01\xcd\x01\x01", &r), ERR_MALFORMED);         /* kind 257 */
    assert_int_equal(DECODES("\x82\x01\x01\x01\x01", &r), ERR_MALFORMED);         /* twice */
    assert_int_equal(DECODES("\x82\x04\xa1x\x01\x01", &r), ERR_MALFORMED);        /* order */
    assert_int_equal(DECODES("\x82\x01\x01\x04\xa1^", &r), ERR_MALFORMED);        /* barcode */
    assert_int_equal(DECODES("\x82\x01\x01\x02\xff", &r), ERR_MALFORMED);         /* time -1 */
    assert_int_equal(DECODES("\x82\x01\x01\x03\xcd\x10\x00", &r), ERR_MALFORMED); /* offset */
    assert_int_equal(DECODES("\x82\x01\x01\x06\x05", &r), ERR_MALFORMED);         /* due: day 5 */
    assert_int_equal(DECODES("\x82\x01\x01\x07\xa2\xc3(", &r), ERR_MALFORMED);    /* UTF-8 */
    assert_int_equal(DECODES("\x82\x01\x01\x0a\x64", &r), ERR_MALFORMED);         /* count 100 */
    assert_int_equal(DECODES("\x82\x01\x01\x0b\xc4\x01x", &r), ERR_MALFORMED);    /* short id */
    assert_int_equal(DECODES("\x82\x01\x01\xa1x\x01", &r), ERR_MALFORMED);        /* text tag */
    assert_int_equal(DECODES("\x91\x01", &r), ERR_MALFORMED);                     /* no map */
}

static void the_bomb_and_the_overlong_are_refused(void **state)
{
    static uint8_t bytes[RECORD_BYTES_MAX + 1];
    struct record r;

    (void)state;
    for (unsigned i = 0; i < 31; i++)
        memcpy(bytes + 5 * i, "\xdd\xff\xff\xff\xff", 5);
    assert_int_equal(record_decode(bytes, 155, &r, NULL), ERR_MALFORMED);
    memcpy(bytes, "\x82\x01\x01\x20", 4); /* under an unknown tag */
    assert_int_equal(record_decode(bytes, 155, &r, NULL), ERR_MALFORMED);
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, "\x82\x01\x01\x20\xc5\x0f\xfa", 7);
    assert_int_equal(record_decode(bytes, sizeof bytes, &r, NULL), ERR_MALFORMED);
    memcpy(bytes, "\x82\x01\x01\x20\xc5\x0f\xf9", 7);
    assert_int_equal(record_decode(bytes, sizeof bytes - 1, &r, NULL), ERR_OK);
}

static void encode_refuses_a_field_over_its_limit_and_appends_nothing(void **state)
{
    struct record r = { .kind = RECORD_CHECKOUT, .item = "1", .user = "2" };
    struct buf b = { 0 };
    struct errmsg m;

    (void)state;
    memset(r.item, '3', sizeof r.item);
    assert_int_equal(record_encode(&r, &b, &m), ERR_INVALID);
    assert_string_equal(m.field, "item");
    strcpy(r.item, "a^b");
    assert_int_equal(record_encode(&r, &b, &m), ERR_INVALID);
    strcpy(r.item, "ab");
    r.count = 100;
    assert_int_equal(record_encode(&r, &b, &m), ERR_INVALID);
    assert_string_equal(m.field, "count");
    r.count = 0;
    r.due = 20260230;
    assert_int_equal(record_encode(&r, &b, &m), ERR_INVALID);
    r.due = 0;
    r.kind = 0;
    assert_int_equal(record_encode(&r, &b, &m), ERR_INVALID);
    assert_int_equal(b.len, 0);
    buf_free(&b);
}

static void random_flips_never_crash_and_what_decodes_encodes(void **state)
{
    struct record r = full_record(), back;
    struct buf b = { 0 }, again = { 0 };
    uint32_t seed = 99;

    (void)state;
    assert_int_equal(record_encode(&r, &b, NULL), ERR_OK);
    for (unsigned round = 0; round < 50000; round++) {
        size_t at;
        uint8_t old;

        seed = seed * 1664525 + 1013904223;
        at = (seed >> 8) % b.len;
        old = b.p[at];
        b.p[at] ^= (uint8_t)(1u << (seed & 7));
        if (record_decode(b.p, b.len, &back, NULL) == ERR_OK) {
            buf_reset(&again);
            assert_int_equal(record_encode(&back, &again, NULL), ERR_OK);
        }
        b.p[at] = old;
    }
    buf_free(&b);
    buf_free(&again);
}

static void text_is_clean_only_as_well_formed_utf8_without_controls(void **state)
{
    static const char *const dirty[] = { "\x1f",
                                         "\x7f",
                                         "\xc2\x85",
                                         "\x80",
                                         "\xc0\xaf",
                                         "\xe0\x9f\xbf",
                                         "\xed\xa0\x80",
                                         "\xc3",
                                         "\xe2\x82",
                                         "\xf0\x8f\xbf\xbf",
                                         "\xf4\x90\x80\x80",
                                         "\xf5\x80\x80\x80",
                                         "a\tb",
                                         "\xff" };

    (void)state;
    assert_true(text_is_clean(""));
    assert_true(text_is_clean("Zo\xc3\xab \xe2\x82\xac \xf0\x9f\x93\x9a \xc2\xa0"));
    for (unsigned i = 0; i < sizeof dirty / sizeof dirty[0]; i++)
        assert_false(text_is_clean(dirty[i]));
    assert_true(barcode_is_clean("AZaz09 .$/+%-"));
    assert_false(barcode_is_clean(""));
    assert_false(barcode_is_clean("123456789012345678901234567890123"));
    assert_false(barcode_is_clean("\xc3\xa9"));
}

static void time_is_what_was_typed_else_the_corrected_clock(void **state)
{
    struct record r = { .kind = RECORD_RENEW, .at_ms = 1000 };

    (void)state;
    assert_true(record_time(&r, -300) == 700);
    r.paper_ms = 5;
    assert_true(record_time(&r, -300) == 5);
}

static void kinds_have_names_both_ways_and_feeds_an_order(void **state)
{
    struct feed_id a = { 0 }, b = { 0 };

    (void)state;
    for (unsigned k = 1; k <= RECORD_KIND_LAST; k++)
        assert_int_equal(record_kind_by_name(record_kind_name(k), strlen(record_kind_name(k))), k);
    assert_int_equal(record_kind_by_name("checkouts", 9), 0);
    assert_int_equal(record_kind_by_name("check", 5), 0);
    assert_string_equal(record_kind_name(0), "unknown");
    assert_true(feed_id_eq(&a, &b));
    b.name[7] = 0x80;
    assert_true(feed_id_cmp(&a, &b) < 0);
    a.desk.b[0] = 1;
    assert_true(feed_id_cmp(&a, &b) > 0);
    assert_false(desk_id_eq(&a.desk, &b.desk));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_one_after_the_other_they_leave_nothing_behind),
        cmocka_unit_test(a_checkout_has_these_bytes),
        cmocka_unit_test(a_full_record_comes_back_and_stays_below_its_limit),
        cmocka_unit_test(msgpack_c_reads_a_record_as_a_map_of_ascending_tags),
        cmocka_unit_test(truncated_at_any_byte_it_is_refused),
        cmocka_unit_test(unknown_tags_are_skipped_and_unknown_kinds_kept),
        cmocka_unit_test(what_must_not_be_in_a_record_is_refused),
        cmocka_unit_test(the_bomb_and_the_overlong_are_refused),
        cmocka_unit_test(encode_refuses_a_field_over_its_limit_and_appends_nothing),
        cmocka_unit_test(random_flips_never_crash_and_what_decodes_encodes),
        cmocka_unit_test(text_is_clean_only_as_well_formed_utf8_without_controls),
        cmocka_unit_test(time_is_what_was_typed_else_the_corrected_clock),
        cmocka_unit_test(kinds_have_names_both_ways_and_feeds_an_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
