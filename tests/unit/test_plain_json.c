/* test_plain_json.c - what the quick reader takes it reads as the real parser does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "plain_json.h"

static struct plain_json o;

static bool reads(const char *text)
{
    return plain_json_read(text, strlen(text), &o);
}

/* Every field as jansson has it, in its order. */
static void same_as_jansson(const char *text, size_t n)
{
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);

    assert_non_null(j);
    assert_int_equal(json_object_size(j), o.n);
    for (unsigned i = 0; i < o.n; i++) {
        const json_t *v = json_object_get(j, o.v[i].name);
        switch (o.v[i].type) {
        case PLAIN_TEXT:
            assert_string_equal(json_string_value(v), o.v[i].text);
            break;
        case PLAIN_NUMBER:
            assert_true(json_is_integer(v));
            assert_int_equal(json_integer_value(v), o.v[i].number);
            break;
        case PLAIN_TRUTH:
            assert_true(json_is_boolean(v));
            assert_int_equal(json_is_true(v), o.v[i].number);
            break;
        case PLAIN_NEITHER:
            fail();
        }
    }
    json_decref(j);
}

static void what_a_desk_sends_is_plain(void **state)
{
    static const char line[] =
        "{\"op\":\"checkout\",\"user\":\"29999000001016\", \"count\" : 3,\r\n"
        "\t\"typed\":true,\"confirm\":false,\"staff\":\"\"}\n";

    (void)state;
    assert_true(reads(line));
    assert_int_equal(o.n, 6);
    assert_string_equal(o.v[1].name, "user");
    assert_string_equal(o.v[1].text, "29999000001016");
    assert_int_equal(o.v[2].number, 3);
    same_as_jansson(line, sizeof line - 1);
}

static void what_needs_thought_is_left_to_the_parser(void **state)
{
    static const char *const lines[] = {
        "",
        "{",
        "{}",
        "[]",
        "{\"a\":1",
        "{\"a\":1}}",
        "{\"a\":1},",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{a:1}",
        "{\"a\":\"\\u0041\"}",
        "{\"a\":\"\xc3\xa9\"}",
        "{\"a\":\"\x01\"}",
        "{\"a\":\"\t\"}",
        "{\"a\\n\":1}",
        "{\"a\":1,\"a\":2}",
        "{\"a\":null}",
        "{\"a\":1.5}",
        "{\"a\":1e3}",
        "{\"a\":-1}",
        "{\"a\":01}",
        "{\"a\":1234567890}",
        "{\"a\":{}}",
        "{\"a\":[1]}",
        "{\"a\":truely}",
        "{\"a\":tru}",
        "{\"a\":}",
        "{\"a\":\"b}",
        "{\"a",
        "null",
        "{\"a\":\"\x7f\"}",
    };
    char many[PLAIN_BYTES_MAX + 16] = "{", *p = many + 1;

    (void)state;
    for (unsigned i = 0; i < sizeof lines / sizeof lines[0]; i++)
        if (reads(lines[i]))
            fail_msg("read: %s", lines[i]);
    assert_false(plain_json_read("{\"a\":\"b\0c\"}", 11, &o));
    assert_false(plain_json_read(NULL, 0, &o)); /* an empty body has no bytes at all */
    for (unsigned i = 0; i < PLAIN_FIELDS_MAX + 1; i++)
        p += sprintf(p, "%s\"f%u\":%u", i ? "," : "", i, i);
    strcpy(p, "}");
    assert_false(reads(many));
    memset(many, ' ', sizeof many - 1);
    memcpy(many, "{\"a\":1}", 7);
    assert_false(plain_json_read(many, PLAIN_BYTES_MAX, &o));
    assert_true(plain_json_read(many, PLAIN_BYTES_MAX - 1, &o));
}

/* A sound line with bytes changed, put in and taken out: what is read is what jansson reads. */
static void whatever_is_read_is_read_alike(void **state)
{
    static const char line[] =
        "{\"op\":\"renew\",\"n\":120,\"t\":true,\"item\":\"39999000005015\"}";
    static const char bytes[] = "\"\"\"{}:,0123truefals\\ \n\t\x01\xc3\xa9-.e[]";
    uint64_t dice = 1;
    unsigned plain = 0;

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        char text[sizeof line + 4];
        size_t n = sizeof line - 1;
        memcpy(text, line, n);
        for (unsigned k = 0; k < 1 + i % 3; k++) {
            size_t at;
            dice = dice * 6364136223846793005u + 1442695040888963407u;
            at = (size_t)(dice >> 33) % n;
            if ((dice >> 60) % 3 == 0) {
                memmove(text + at, text + at + 1, --n - at);
            } else {
                if ((dice >> 60) % 3 == 1 && n < sizeof text - 1)
                    memmove(text + at + 1, text + at, n++ - at);
                text[at] = bytes[(dice >> 20) % (sizeof bytes - 1)];
            }
        }
        if (plain_json_read(text, n, &o)) {
            same_as_jansson(text, n);
            plain++;
        }
    }
    assert_true(plain > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_desk_sends_is_plain),
        cmocka_unit_test(what_needs_thought_is_left_to_the_parser),
        cmocka_unit_test(whatever_is_read_is_read_alike),
    };

    return cmocka_run_group_tests_name("plain_json", tests, NULL, NULL);
}
