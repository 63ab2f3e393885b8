/* test_koha.c - rows for Koha's service and plugin, and what their answers mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "koha.h"

static struct koha_row row(const char *text)
{
    struct koha_row r;

    assert_int_equal(koha_row((const uint8_t *)text, strlen(text), &r), ERR_OK);
    return r;
}

static void rows_are_read_strictly(void **state)
{
    static const char *const bad[] = {
        "",
        "Version=1.0\tGenerator=tideover\tGeneratorVersion=1.0",
        "2026-11-23 09:05:00 012\tissue\t29999000001016",
        "2026-11-23 09:05:00 012\treturn\t29999000001016\t39999000005015",
        "2026-11-23 09:05:00 012\tpayment\t29999000001016\t1.00",
        "2026-11-23 09:05:00 012 issue 29999000001016 39999000005015",
        "2026-02-30 09:05:00 012\treturn\t39999000005015",
        "2026-11-23 24:05:00 012\treturn\t39999000005015",
        "2026-11-23T09:05:00\treturn\t39999000005015",
        "2026-11-23 09:05:00\treturn\t",
        "2026-11-23 09:05:00\treturn\t3999\"9",
    };
    struct koha_row r = row("2026-11-23 09:05:00 012\tissue\t29999000001016\t39999000005015\n");

    (void)state;
    assert_true(r.issue);
    assert_string_equal(r.card, "29999000001016");
    assert_string_equal(r.item, "39999000005015");
    r = row("2026-11-23 09:06:01\treturn\t39999000005023\r\n");
    assert_false(r.issue);
    assert_string_equal(r.item, "39999000005023");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(koha_row((const uint8_t *)bad[i], strlen(bad[i]), &r), ERR_MALFORMED);
}

static void times_are_utc_or_as_they_stand(void **state)
{
    static const struct {
        const char *row, *utc;
    } times[] = {
        { "2026-11-23 09:05:00 012\treturn\t3", "2026-11-23T14:05:00Z" }, /* winter */
        { "2026-07-01 09:05:00 012\treturn\t3", "2026-07-01T13:05:00Z" }, /* summer */
        { "2026-11-01 01:30:00 012\treturn\t3", "2026-11-01T05:30:00Z" }, /* twice: the first */
        { "2026-11-01 02:00:00 012\treturn\t3", "2026-11-01T07:00:00Z" },
        { "2026-03-08 02:30:00 012\treturn\t3", "2026-03-08T07:30:00Z" }, /* never */
        { "2026-12-31 23:59:59 999\treturn\t3", "2027-01-01T04:59:59Z" },
    };
    struct zone z;
    char out[24];

    (void)state;
    assert_int_equal(zone_parse("EST5EDT,M3.2.0,M11.1.0", &z, NULL), ERR_OK);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        struct koha_row r = row(times[i].row);
        koha_time(&r, &z, true, out);
        assert_string_equal(out, times[i].utc);
        koha_time(&r, &z, false, out);
        assert_memory_equal(out, times[i].row, 19);
        assert_int_equal(strlen(out), 19);
    }
}

static void only_koha_s_exact_words_count(void **state)
{
    static const struct {
        const char *body;
        bool issue;
        enum koha_says says;
        enum answer answer;
    } bodies[] = {
        { "Success.", true, KOHA_ANSWERED, ANSWER_ACCEPTED },
        { "Success.\r\n", false, KOHA_ANSWERED, ANSWER_ACCEPTED },
        { "Added.", true, KOHA_QUEUED, ANSWER_ACCEPTED },
        { "Item not issued.", false, KOHA_ANSWERED, ANSWER_ALREADY },
        { "Item not issued.", true, KOHA_ANSWERED, ANSWER_REFUSED },
        { "Item not found.", false, KOHA_ANSWERED, ANSWER_REFUSED },
        { "Barcode not found.", true, KOHA_ANSWERED, ANSWER_REFUSED },
        { "Borrower not found.", true, KOHA_ANSWERED, ANSWER_REFUSED },
        { "", true, KOHA_ANSWERED, ANSWER_REFUSED },
        { "Authentication failed.", true, KOHA_STOP, ANSWER_REFUSED },
        { "<auth_status>failed</auth_status>", true, KOHA_STOP, ANSWER_REFUSED },
        { "success.", true, KOHA_UNKNOWN, ANSWER_DOUBT },
        { "Success. Or not", true, KOHA_UNKNOWN, ANSWER_DOUBT },
        { "<html>Maintenance</html>", true, KOHA_UNKNOWN, ANSWER_DOUBT },
    };

    (void)state;
    for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
        enum answer a;
        assert_int_equal(koha_body(bodies[i].body, strlen(bodies[i].body), bodies[i].issue, &a),
                         bodies[i].says);
        assert_int_equal(a, bodies[i].answer);
    }
}

static void a_batch_is_the_plugin_s_json(void **state)
{
    struct koha_row one = row("2026-11-23 09:05:00 012\tissue\t29999000001016\t39999000005015\n");
    struct koha_row two = row("2026-11-23 09:06:01 005\treturn\t39999000005023\n");
    struct buf b = { 0 };
    struct zone z;

    (void)state;
    assert_int_equal(zone_parse("EST5EDT,M3.2.0,M11.1.0", &z, NULL), ERR_OK);
    koha_batch_begin(&b, "MAIN", true);
    koha_batch_row(&b, &one, &z, true);
    koha_batch_row(&b, &two, &z, false);
    koha_batch_end(&b);
    buf_add(&b, "", 1);
    assert_string_equal(
        (const char *)b.p,
        "{\"branchcode\":\"MAIN\",\"pending\":true,\"transactions\":["
        "{\"timestamp\":\"2026-11-23T14:05:00Z\",\"action\":\"issue\",\"cardnumber\":"
        "\"29999000001016\",\"barcode\":\"39999000005015\"},"
        "{\"timestamp\":\"2026-11-23T14:06:01Z\",\"action\":\"return\",\"barcode\":"
        "\"39999000005023\"}]}");
    buf_free(&b);
}

struct seen {
    size_t n;
    enum koha_says says[8];
    enum answer answer[8];
    char words[8][ANSWER_WORDS_MAX + 1];
};

static void see(void *ctx, size_t i, enum koha_says s, enum answer a, const char *words)
{
    struct seen *seen = ctx;

    assert_int_equal(i, seen->n);
    seen->says[i] = s;
    seen->answer[i] = a;
    snprintf(seen->words[i], sizeof seen->words[i], "%s", words);
    seen->n++;
}

static void each_row_has_its_result_or_none_has(void **state)
{
    static const char text[] =
        "{\"results\":[{\"status\":\"processed\",\"message\":\"Success.\"},"
        "{\"status\":\"queued\",\"message\":\"Added.\"},{\"status\":\"skipped\"},"
        "{\"status\":\"error\",\"message\":\"Borrower not found.\"},{\"status\":\"odd\"}]}";
    struct seen s = { 0 };

    (void)state;
    assert_int_equal(koha_results(text, strlen(text), 4, &s, see), ERR_MALFORMED);
    assert_int_equal(koha_results(text, strlen(text), 6, &s, see), ERR_MALFORMED);
    assert_int_equal(s.n, 0);
    assert_int_equal(koha_results(text, strlen(text), 5, &s, see), ERR_OK);
    assert_int_equal(s.n, 5);
    assert_true(s.answer[0] == ANSWER_ACCEPTED && s.says[0] == KOHA_ANSWERED);
    assert_true(s.answer[1] == ANSWER_ACCEPTED && s.says[1] == KOHA_QUEUED);
    assert_true(s.answer[2] == ANSWER_ALREADY && s.says[2] == KOHA_ANSWERED);
    assert_true(s.answer[3] == ANSWER_REFUSED && s.says[3] == KOHA_ANSWERED);
    assert_true(s.answer[4] == ANSWER_DOUBT && s.says[4] == KOHA_UNKNOWN);
    assert_string_equal(s.words[3], "Borrower not found.");
    assert_string_equal(s.words[2], "skipped");
    assert_int_equal(koha_results("[]", 2, 0, &s, see), ERR_MALFORMED);
}

static void a_token_is_text_of_bounded_length(void **state)
{
    char token[8];

    (void)state;
    assert_int_equal(koha_token("{\"access_token\":\"abc\"}", 22, token, sizeof token), ERR_OK);
    assert_string_equal(token, "abc");
    assert_int_equal(koha_token("{\"access_token\":\"abcdefgh\"}", 27, token, sizeof token),
                     ERR_MALFORMED);
    assert_int_equal(koha_token("{\"access_token\":7}", 18, token, sizeof token), ERR_MALFORMED);
    assert_int_equal(koha_token("", 0, token, sizeof token), ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_read_strictly),
        cmocka_unit_test(times_are_utc_or_as_they_stand),
        cmocka_unit_test(only_koha_s_exact_words_count),
        cmocka_unit_test(a_batch_is_the_plugin_s_json),
        cmocka_unit_test(each_row_has_its_result_or_none_has),
        cmocka_unit_test(a_token_is_text_of_bounded_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
