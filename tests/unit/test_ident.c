/* test_ident.c - keys, names derived from them, words, base32, sealed keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "ident.h"

static void numbered(unsigned n, struct ident *out)
{
    uint8_t seed[3 * SEED_BYTES];

    for (unsigned i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(n + i);
    ident_from_seed(seed, out);
}

static void one_seed_makes_one_identity(void **state)
{
    struct ident a, b, c;
    struct desk_id id;

    (void)state;
    numbered(1, &a);
    numbered(1, &b);
    numbered(2, &c);
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_not_equal(a.sign_pk, c.sign_pk, KEY_BYTES);
    assert_memory_not_equal(a.sign_pk, a.curve_pk, KEY_BYTES);
    desk_id_of(a.sign_pk, &id);
    assert_true(desk_id_eq(&id, &a.id));
    assert_false(desk_id_eq(&id, &c.id));
}

static void wiped_keys_are_zero(void **state)
{
    static const struct ident zero;
    struct ident a;

    (void)state;
    numbered(1, &a);
    ident_wipe(&a);
    assert_memory_equal(&a, &zero, sizeof a);
}

static void hash_depends_on_where_parts_end(void **state)
{
    uint8_t a[32], b[32], c[32];

    (void)state;
    hash_parts("d", (struct part[]){ { "ab", 2 }, { "c", 1 } }, 2, a, sizeof a);
    hash_parts("d", (struct part[]){ { "a", 1 }, { "bc", 2 } }, 2, b, sizeof b);
    hash_parts("d", (struct part[]){ { "abc", 3 } }, 1, c, sizeof c);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
    hash_parts("e", (struct part[]){ { "ab", 2 }, { "c", 1 } }, 2, b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
}

static void branch_and_desk_of_one_key_differ(void **state)
{
    struct ident a;
    uint8_t branch[BRANCH_ID_BYTES];

    (void)state;
    numbered(1, &a);
    branch_id_of(a.sign_pk, branch);
    assert_memory_not_equal(branch, a.id.b, sizeof branch);
}

static void signature_is_good_for_its_purpose_only(void **state)
{
    struct ident a, b;
    uint8_t sig[SIG_BYTES];

    (void)state;
    numbered(1, &a);
    numbered(2, &b);
    sign_bytes("purpose", "text", 4, a.sign_sk, sig);
    assert_true(sign_ok("purpose", "text", 4, a.sign_pk, sig));
    assert_false(sign_ok("other", "text", 4, a.sign_pk, sig));
    assert_false(sign_ok("purpose", "texT", 4, a.sign_pk, sig));
    assert_false(sign_ok("purpose", "text", 3, a.sign_pk, sig));
    assert_false(sign_ok("purpose", "text", 4, b.sign_pk, sig));
    for (unsigned i = 0; i < SIG_BYTES; i++) {
        sig[i] ^= 1;
        assert_false(sign_ok("purpose", "text", 4, a.sign_pk, sig));
        sig[i] ^= 1;
    }
}

static void base32_comes_back_for_every_length(void **state)
{
    uint8_t in[40], out[40];
    char text[80];

    (void)state;
    for (unsigned n = 1; n <= sizeof in; n++) {
        for (unsigned i = 0; i < n; i++)
            in[i] = (uint8_t)(255 - i * 37 - n);
        assert_int_equal(base32_encode(in, n, text, sizeof text), (n * 8 + 4) / 5);
        assert_int_equal(base32_decode(text, out, sizeof out), n);
        assert_memory_equal(in, out, n);
        assert_int_equal(base32_encode(in, n, text, (n * 8 + 4) / 5), 0); /* no room for the NUL */
        assert_int_equal(base32_decode(text, out, n - 1), 0);
    }
}

static void base32_reads_what_people_write(void **state)
{
    uint8_t out[8];
    char text[8];

    (void)state;
    assert_int_equal(base32_encode((const uint8_t *)"\xff\x00", 2, text, sizeof text), 4);
    assert_string_equal(text, "ZW00");
    assert_int_equal(base32_decode("zw-oO", out, sizeof out), 2);
    assert_memory_equal(out, "\xff\x00", 2);
    assert_int_equal(base32_decode("iL", out, sizeof out), 0); /* 1 1: padding bits are set */
    assert_int_equal(base32_decode("i0", out, sizeof out), 1);
    assert_int_equal(out[0], 8);
    assert_int_equal(base32_decode("U0", out, sizeof out), 0);
    assert_int_equal(base32_decode("0!", out, sizeof out), 0);
    assert_int_equal(base32_decode("ZW0", out, sizeof out), 0); /* a character too many */
    assert_int_equal(base32_decode("", out, sizeof out), 0);
}

static void hex_wants_exactly_its_digits(void **state)
{
    uint8_t out[3];
    char text[7];

    (void)state;
    hex_encode((const uint8_t *)"\x00\xab\xff", 3, text);
    assert_string_equal(text, "00abff");
    assert_true(hex_decode("00ABff", out, 3));
    assert_memory_equal(out, "\x00\xab\xff", 3);
    assert_false(hex_decode("00abf", out, 3));
    assert_false(hex_decode("00abff0", out, 3));
    assert_false(hex_decode("00abfg", out, 3));
}

static unsigned count_words(const char *s)
{
    unsigned n = 1;

    for (; *s; s++)
        n += *s == ' ';
    return n;
}

static void words_are_four_and_six_and_fit(void **state)
{
    struct ident a, b;
    char one[64], two[64];
    const uint8_t all_ones[8] = { 255, 255, 255, 255, 255, 255, 255, 255 };

    (void)state;
    numbered(1, &a);
    numbered(2, &b);
    key_words(a.sign_pk, one);
    key_words(b.sign_pk, two);
    assert_int_equal(count_words(one), 4);
    assert_string_not_equal(one, two);
    passphrase_words(all_ones, one);
    assert_int_equal(count_words(one), 6);
    assert_true(strlen(one) < sizeof one);
}

static void short_name_is_six_digits_with_a_dash(void **state)
{
    const struct desk_id id = { { 0xff, 0xff, 0xff, 0xff, 0xff } };
    char name[8];

    (void)state;
    desk_id_short(&id, name);
    assert_string_equal(name, "ZZZZ-ZZ");
}

static void sealed_key_opens_with_its_passphrase_only(void **state)
{
    uint8_t seed[SEED_BYTES] = "thirty-two bytes of lead's seed", random[KEYBOX_RANDOM] = { 3 },
            out[SEED_BYTES];
    struct buf box = { 0 };

    (void)state;
    assert_int_equal(keybox_seal(seed, "river candle", random, &box, NULL), ERR_OK);
    assert_int_equal(keybox_open(box.p, box.len, "river candle", out, NULL), ERR_OK);
    assert_memory_equal(out, seed, sizeof seed);
    assert_int_equal(keybox_open(box.p, box.len, "river candel", out, NULL), ERR_DENIED);
    box.p[box.len - 1] ^= 1;
    assert_int_equal(keybox_open(box.p, box.len, "river candle", out, NULL), ERR_DENIED);
    buf_wipe(&box);
}

static void cut_off_key_file_is_damaged_not_denied(void **state)
{
    uint8_t seed[SEED_BYTES] = { 1 }, random[KEYBOX_RANDOM] = { 4 }, out[SEED_BYTES];
    struct buf box = { 0 };

    (void)state;
    assert_int_equal(keybox_seal(seed, "x", random, &box, NULL), ERR_OK);
    for (size_t n = 0; n < box.len; n++)
        assert_int_equal(keybox_open(box.p, n, "x", out, NULL), ERR_MALFORMED);
    buf_wipe(&box);
}

static void key_file_cannot_ask_for_all_memory(void **state)
{
    uint8_t out[SEED_BYTES], random[KEYBOX_RANDOM] = { 0 }, box[48] = { 0 };
    struct buf b = { 0 };

    (void)state;
    mp_put_array(&b, 5);
    mp_put_u64(&b, 1);
    mp_put_u64(&b, 3);
    mp_put_u64(&b, UINT64_MAX / 2);
    mp_put_bin(&b, random, sizeof random);
    mp_put_bin(&b, box, sizeof box);
    assert_int_equal(keybox_open(b.p, b.len, "x", out, NULL), ERR_MALFORMED);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_seed_makes_one_identity),
        cmocka_unit_test(wiped_keys_are_zero),
        cmocka_unit_test(hash_depends_on_where_parts_end),
        cmocka_unit_test(branch_and_desk_of_one_key_differ),
        cmocka_unit_test(signature_is_good_for_its_purpose_only),
        cmocka_unit_test(base32_comes_back_for_every_length),
        cmocka_unit_test(base32_reads_what_people_write),
        cmocka_unit_test(hex_wants_exactly_its_digits),
        cmocka_unit_test(words_are_four_and_six_and_fit),
        cmocka_unit_test(short_name_is_six_digits_with_a_dash),
        cmocka_unit_test(sealed_key_opens_with_its_passphrase_only),
        cmocka_unit_test(cut_off_key_file_is_damaged_not_denied),
        cmocka_unit_test(key_file_cannot_ask_for_all_memory),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
