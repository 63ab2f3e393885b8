/* test_buf.c - the buffer, msgpack out and in; msgpack-c is the second opinion on both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "err.h"

static void every_code_has_its_word_sentence_and_exit_code(void **state)
{
#define NAME(code, text, exit_code) #code,
    static const char *const names[] = { "ERR_OK", ERR_MAP(NAME) };

    (void)state;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *word = err_word((enum err)i);

        assert_int_equal(strlen(word), strlen(names[i]) - 4);
        for (size_t k = 0; word[k] != 0; k++)
            assert_int_equal(toupper((unsigned char)word[k]), names[i][k + 4]);
        assert_true(strlen(err_text((enum err)i)) > 5);
        assert_true(i == 0 ? err_exit(ERR_OK) == 0 : err_exit((enum err)i) > 0);
    }
    assert_int_equal(err_exit(ERR_CONFIG), 78);
    assert_string_equal(err_word((enum err)999), "unknown");
    assert_int_equal(err_exit((enum err) - 1), 70);
}

static void a_message_is_cut_between_characters_and_a_missing_one_is_fine(void **state)
{
    struct errmsg m;
    char text[256 + 1] = "";

    (void)state;
    assert_int_equal(err_set(NULL, ERR_FULL, "%d", 1), ERR_FULL);
    assert_int_equal(err_why(&m, ERR_REFUSED, "wrong_slot", "item", "%s", "no"), ERR_REFUSED);
    assert_string_equal(m.why, "wrong_slot");
    assert_string_equal(m.field, "item");
    memset(text, 'a', 254);
    strcat(text, "\xc3\xa9");
    assert_int_equal(err_set(&m, ERR_FULL, "%s", text), ERR_FULL);
    assert_int_equal(strlen(m.text), 254);
    assert_string_equal(m.why, "");
    err_set(&m, ERR_FULL, "%.2s in quotes\n", "a\xc3\xa9"); /* JSON of half a character is none */
    assert_string_equal(m.text, "a in quotes");
    err_set(&m, ERR_FULL, "one");
    err_set(&m, ERR_FULL, "two, after %s", m.text); /* its own text as argument */
    assert_string_equal(m.text, "two, after one");
}

static void a_buffer_grows_and_keeps_its_bytes(void **state)
{
    struct buf b = { 0 };

    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        buf_printf(&b, "%03u,", i);
    assert_false(b.failed);
    assert_int_equal(b.len, 4000);
    assert_memory_equal(b.p + 3996, "999,", 4);
    buf_reset(&b);
    buf_text(&b, "x");
    buf_add(&b, "", 0);
    assert_int_equal(b.len, 1);
    assert_null(buf_grow(&b, SIZE_MAX)); /* cannot be had */
    buf_text(&b, "ignored");
    assert_true(b.failed);
    assert_int_equal(b.len, 1);
    buf_wipe(&b);
    assert_null(b.p);
    buf_free(&b);
}

/* ---- against msgpack-c ---- */

static msgpack_object unpack(msgpack_zone *z, const struct buf *b)
{
    msgpack_object o;
    size_t at = 0;

    assert_false(b->failed);
    assert_int_equal(msgpack_unpack((const char *)b->p, b->len, &at, z, &o),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(at, b->len);
    return o;
}

static const uint64_t edges[] = { 0,          1,         31,         32,        127,
                                  128,        255,       256,        32767,     32768,
                                  65535,      65536,     INT32_MAX,  1u << 31,  UINT32_MAX,
                                  1ull << 32, INT64_MAX, 1ull << 63, UINT64_MAX };
#define EDGES (sizeof edges / sizeof edges[0])

static void msgpack_c_reads_the_numbers_we_write(void **state)
{
    msgpack_zone z;
    struct buf b = { 0 };

    (void)state;
    msgpack_zone_init(&z, 1024);
    for (unsigned i = 0; i < EDGES; i++) {
        msgpack_object o;

        buf_reset(&b);
        mp_put_u64(&b, edges[i]);
        o = unpack(&z, &b);
        assert_int_equal(o.type, MSGPACK_OBJECT_POSITIVE_INTEGER);
        assert_true(o.via.u64 == edges[i]);
        if (edges[i] > INT64_MAX)
            continue;
        buf_reset(&b);
        mp_put_i64(&b, -1 - (int64_t)edges[i]);
        o = unpack(&z, &b);
        assert_int_equal(o.type, MSGPACK_OBJECT_NEGATIVE_INTEGER);
        assert_true(o.via.i64 == -1 - (int64_t)edges[i]);
    }
    msgpack_zone_destroy(&z);
    buf_free(&b);
}

static void msgpack_c_reads_the_strings_maps_and_bins_we_write(void **state)
{
    static const size_t sizes[] = { 0, 1, 31, 32, 255, 256, 65535, 65536 };
    msgpack_zone z;
    struct buf b = { 0 };
    char *text = malloc(65537);

    (void)state;
    msgpack_zone_init(&z, 1024);
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        msgpack_object o;

        memset(text, 'q', sizes[i]);
        text[sizes[i]] = 0;
        buf_reset(&b);
        mp_put_array(&b, 4);
        mp_put_str(&b, text);
        mp_put_bin(&b, text, sizes[i]);
        mp_put_map(&b, 1);
        mp_put_u64(&b, 7);
        mp_put_bool(&b, true);
        mp_put_bool(&b, false);
        o = unpack(&z, &b);
        assert_int_equal(o.via.array.size, 4);
        assert_int_equal(o.via.array.ptr[0].type, MSGPACK_OBJECT_STR);
        assert_int_equal(o.via.array.ptr[0].via.str.size, sizes[i]);
        assert_int_equal(o.via.array.ptr[1].type, MSGPACK_OBJECT_BIN);
        assert_int_equal(o.via.array.ptr[1].via.bin.size, sizes[i]);
        assert_int_equal(o.via.array.ptr[2].type, MSGPACK_OBJECT_MAP);
        assert_true(o.via.array.ptr[2].via.map.ptr[0].val.via.boolean);
        assert_false(o.via.array.ptr[3].via.boolean);
    }
    msgpack_zone_destroy(&z);
    buf_free(&b);
    free(text);
}

static void our_cursor_reads_what_msgpack_c_writes(void **state)
{
    msgpack_sbuffer s;
    msgpack_packer pk;
    struct mp m;

    (void)state;
    msgpack_sbuffer_init(&s);
    msgpack_packer_init(&pk, &s, msgpack_sbuffer_write);
    for (unsigned i = 0; i < EDGES; i++) {
        msgpack_pack_uint64(&pk, edges[i]);
        msgpack_pack_int64(&pk, (int64_t)edges[i]);
        msgpack_pack_fix_uint64(&pk, edges[i]); /* wider than needed is fine */
        msgpack_pack_fix_int64(&pk, -1 - (int64_t)(edges[i] / 2));
        msgpack_pack_fix_int16(&pk, -2);
    }
    m = mp_over(s.data, s.size);
    for (unsigned i = 0; i < EDGES; i++) {
        assert_true(mp_get_u64(&m) == edges[i]);
        assert_true(mp_get_i64(&m) == (int64_t)edges[i]);
        assert_true(mp_get_u64(&m) == edges[i]);
        assert_true(mp_get_i64(&m) == -1 - (int64_t)(edges[i] / 2));
        assert_true(mp_get_i64(&m) == -2);
        assert_false(m.bad);
    }
    assert_true(mp_done(&m));
    msgpack_sbuffer_destroy(&s);
}

static void skip_steps_over_every_type_msgpack_c_writes(void **state)
{
    msgpack_sbuffer s;
    msgpack_packer pk;
    struct mp m;
    unsigned n = 0;

    (void)state;
    msgpack_sbuffer_init(&s);
    msgpack_packer_init(&pk, &s, msgpack_sbuffer_write);
    for (size_t len = 0; len <= 70000; len = len * 3 + 1, n += 3) {
        char *body = calloc(1, len + 1);

        msgpack_pack_str_with_body(&pk, body, len);
        msgpack_pack_bin_with_body(&pk, body, len);
        msgpack_pack_ext_with_body(&pk, body, len, 5);
        free(body);
    }
    for (size_t len = 1; len <= 16; len *= 2, n++)
        msgpack_pack_ext_with_body(&pk, "0123456789abcdef", len, 1);
    msgpack_pack_nil(&pk);
    msgpack_pack_float(&pk, 1.5f);
    msgpack_pack_double(&pk, 1.5);
    msgpack_pack_array(&pk, 20);
    for (unsigned i = 0; i < 20; i++) {
        msgpack_pack_map(&pk, 1);
        msgpack_pack_int(&pk, -1000);
        msgpack_pack_array(&pk, 0);
    }
    msgpack_pack_true(&pk);
    n += 5;
    m = mp_over(s.data, s.size);
    for (unsigned i = 0; i < n; i++) {
        mp_skip(&m);
        assert_false(m.bad);
    }
    assert_true(mp_done(&m));
    for (size_t cut = 0; cut < s.size; cut += 1 + (cut > 2000) * 997) {
        m = mp_over(s.data, cut);
        for (unsigned i = 0; i < n; i++)
            mp_skip(&m);
        assert_true(m.bad); /* truncated anywhere, the last object is missing */
    }
    msgpack_sbuffer_destroy(&s);
}

/* ---- hostile bytes ---- */

static void the_bomb_of_nested_arrays_is_refused(void **state)
{
    uint8_t bomb[155];
    struct mp m;

    (void)state;
    for (unsigned i = 0; i < 31; i++)
        memcpy(bomb + 5 * i, "\xdd\xff\xff\xff\xff", 5);
    m = mp_over(bomb, sizeof bomb);
    mp_skip(&m);
    assert_true(m.bad);
    m = mp_over(bomb, sizeof bomb);
    assert_int_equal(mp_get_array(&m), 0);
    assert_true(m.bad);
    for (unsigned i = 0; i < 31; i++) /* counts that fit, depth that does not */
        memcpy(bomb + 5 * i, "\xdd\x00\x00\x00\x01", 5);
    m = mp_over(bomb, sizeof bomb);
    mp_skip(&m);
    assert_true(m.bad);
}

static void a_count_or_length_above_what_is_left_is_refused(void **state)
{
    static const char *const bytes[] = { "\x92\x01",         "\xdc\x00\x03\x01\x01",
                                         "\x82\x01\x01\x01", "\xdf\x80\x00\x00\x00\x01\x01\x01",
                                         "\xc4\x05\x01",     "\xc6\xff\xff\xff\xff\x01",
                                         "\xa3zz",           "\xdb\xff\xff\xff\xff\x01" };
    static const size_t lens[] = { 2, 5, 4, 8, 3, 6, 3, 6 };
    char text[8];
    size_t n;

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        struct mp a = mp_over(bytes[i], lens[i]), b = a, c = a, d = a, e = a;

        assert_int_equal(mp_get_array(&a), 0);
        assert_int_equal(mp_get_map(&b), 0);
        assert_null(mp_get_bin(&c, &n));
        assert_int_equal(n, 0);
        assert_false(mp_get_str(&d, text, sizeof text));
        mp_skip(&e);
        assert_true(a.bad && b.bad && c.bad && d.bad && e.bad);
    }
}

static void a_getter_refuses_another_type_and_stays_bad(void **state)
{
    struct mp m = mp_over("\xa1x\x01", 3);
    char text[4];
    uint8_t raw[2] = { 9, 9 };

    (void)state;
    assert_int_equal(mp_get_u64(&m), 0);
    assert_true(m.bad);
    assert_int_equal(mp_get_u64(&m), 0);
    assert_false(mp_get_bool(&m));
    assert_false(mp_done(&m));
    m = mp_over("\xff", 1);
    assert_int_equal(mp_get_u64(&m), 0); /* -1 */
    assert_true(m.bad);
    m = mp_over("\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9);
    assert_int_equal(mp_get_i64(&m), 0);
    assert_true(m.bad);
    m = mp_over("\xc4\x01x", 3);
    assert_false(mp_get_raw(&m, raw, 2));
    assert_int_equal(raw[0], 0);
    m = mp_over("\xa4quit", 5);
    assert_false(mp_get_str(&m, text, sizeof text)); /* no room for the NUL */
    assert_string_equal(text, "");
    m = mp_over("\xa2x\n", 3);
    assert_false(mp_get_str(&m, text, sizeof text));
    m = mp_over("\xa2x\0", 3);
    assert_false(mp_get_str(&m, text, sizeof text));
    m = mp_over("\xc1", 1);
    mp_skip(&m);
    assert_true(m.bad);
    m = mp_over(NULL, 0);
    assert_true(mp_done(&m));
    mp_skip(&m);
    assert_true(m.bad);
}

static void random_bytes_never_take_the_cursor_past_the_end(void **state)
{
    uint32_t seed = 12345;
    uint8_t bytes[64];

    (void)state;
    for (unsigned round = 0; round < 50000; round++) {
        struct mp m;

        for (unsigned i = 0; i < sizeof bytes; i++) {
            seed = seed * 1664525 + 1013904223;
            bytes[i] = (uint8_t)(seed >> 24);
        }
        m = mp_over(bytes, round % (sizeof bytes + 1));
        while (!m.bad && m.p < m.end)
            mp_skip(&m);
        assert_true(m.p <= m.end);
    }
}

/* A peer's "software" goes into our JSON, which jansson makes of well-formed UTF-8 only. */
static void a_string_that_is_no_clean_utf8_is_bad(void **state)
{
    static const char *const bad[] = { "\xa1\xff", "\xa2\xc3(", "\xa3\xed\xa0\x80", "\xa1\x1b",
                                       "\xa2\xc2\x85" };
    char text[8];
    struct mp m;

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        m = mp_over(bad[i], strlen(bad[i]));
        assert_false(mp_get_str(&m, text, sizeof text));
        assert_true(m.bad);
        assert_string_equal(text, "");
    }
    m = mp_over("\xa2\xc3\xa9", 3);
    assert_true(mp_get_str(&m, text, sizeof text));
    assert_string_equal(text, "\xc3\xa9");
    m = mp_over("\xa2\xc3\xa9", 3); /* a place for one byte and the NUL */
    assert_false(mp_get_str(&m, text, 2));
}

static void keys_are_big_endian(void **state)
{
    uint8_t p[8];

    (void)state;
    put_be32(p, 0x01020304);
    assert_memory_equal(p, "\1\2\3\4", 4);
    assert_int_equal(get_be32(p), 0x01020304);
    put_be64(p, 0xfedcba9876543210);
    assert_memory_equal(p, "\xfe\xdc\xba\x98\x76\x54\x32\x10", 8);
    assert_true(get_be64(p) == 0xfedcba9876543210);
}

static void a_number_has_at_least_so_many_digits(void **state)
{
    static const struct {
        uint64_t n;
        unsigned width;
        const char *text;
    } cases[] = { { 0, 1, "0" },      { 0, 0, "0" },
                  { 7, 2, "07" },     { 7, 1, "7" },
                  { 123, 2, "123" },  { 20261126, 8, "20261126" },
                  { 5, 6, "000005" }, { UINT64_MAX, 1, "18446744073709551615" } };

    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf b = { 0 };
        buf_number(&b, cases[i].n, cases[i].width);
        assert_int_equal(b.len, strlen(cases[i].text));
        assert_memory_equal(b.p, cases[i].text, b.len);
        buf_free(&b);
    }
}

static void what_is_printed_is_whole_however_long(void **state)
{
    char want[1000];

    (void)state;
    memset(want, 'x', sizeof want);
    for (int n = 0; n < 400; n++) {
        struct buf b = { 0 };
        buf_text(&b, "<");
        buf_printf(&b, "%.*s>", n, want);
        buf_printf(&b, "%d", n);
        assert_int_equal(b.len, (size_t)n + 2 + (n > 99 ? 3 : n > 9 ? 2 : 1));
        assert_memory_equal(b.p + 1, want, n);
        assert_int_equal(b.p[n + 1], '>');
        buf_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_word_sentence_and_exit_code),
        cmocka_unit_test(a_message_is_cut_between_characters_and_a_missing_one_is_fine),
        cmocka_unit_test(a_buffer_grows_and_keeps_its_bytes),
        cmocka_unit_test(msgpack_c_reads_the_numbers_we_write),
        cmocka_unit_test(msgpack_c_reads_the_strings_maps_and_bins_we_write),
        cmocka_unit_test(our_cursor_reads_what_msgpack_c_writes),
        cmocka_unit_test(skip_steps_over_every_type_msgpack_c_writes),
        cmocka_unit_test(the_bomb_of_nested_arrays_is_refused),
        cmocka_unit_test(a_count_or_length_above_what_is_left_is_refused),
        cmocka_unit_test(a_getter_refuses_another_type_and_stays_bad),
        cmocka_unit_test(random_bytes_never_take_the_cursor_past_the_end),
        cmocka_unit_test(a_string_that_is_no_clean_utf8_is_bad),
        cmocka_unit_test(keys_are_big_endian),
        cmocka_unit_test(a_number_has_at_least_so_many_digits),
        cmocka_unit_test(what_is_printed_is_whole_however_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
