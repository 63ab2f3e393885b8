/* test_put.c - what an upload's answer means, for each status and each promise of a server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "put.h"

#define NAME "MAIN-20260105-e0-s000001-1a2b3c4d.log"

static char words[PUT_WORDS];

static enum delivery judge(enum put_promise p, unsigned status, bool *compare)
{
    struct put_answer a = { .end = PUT_ANSWERED, .status = status };

    words[0] = '?';
    return put_judge(p, &a, compare, words);
}

/* A sentence, with something to do where a person is asked. */
static void assert_said(enum delivery d)
{
    assert_true(strlen(words) < PUT_WORDS - 1);
    if (d == DELIVERY_DONE)
        assert_string_equal(words, "");
    else
        assert_true(strlen(words) > 20);
    if (d == DELIVERY_STOP)
        assert_true(strstr(words, "then run the upload again") || strstr(words, "look") ||
                    strstr(words, "publish") || strchr(words, '?') || strstr(words, "let it") ||
                    strstr(words, "must be"));
}

static void every_status_means_what_the_table_says(void **state)
{
    enum {
        done = DELIVERY_DONE,
        retry = DELIVERY_RETRY,
        stop = DELIVERY_STOP,
        doubt = DELIVERY_DOUBT,
        denied = DELIVERY_DENIED
    };
    static const struct {
        unsigned from, to;
        int means[3]; /* nothing, exclusive, keyed */
    } table[] = {
        { 200, 201, { done, done, done } },    { 202, 203, { doubt, retry, retry } },
        { 204, 204, { done, done, done } },    { 205, 299, { doubt, retry, retry } },
        { 300, 302, { stop, stop, stop } },    { 303, 303, { doubt, retry, retry } },
        { 304, 400, { stop, stop, stop } },    { 401, 401, { denied, denied, denied } },
        { 402, 402, { stop, stop, stop } },    { 403, 403, { denied, denied, denied } },
        { 404, 407, { stop, stop, stop } },    { 408, 408, { retry, retry, retry } },
        { 409, 409, { stop, stop, retry } },   { 410, 411, { stop, stop, stop } },
        { 413, 422, { stop, stop, stop } },    { 423, 423, { retry, retry, retry } },
        { 424, 424, { stop, stop, stop } },    { 425, 425, { retry, retry, retry } },
        { 426, 428, { stop, stop, stop } },    { 429, 429, { retry, retry, retry } },
        { 430, 499, { stop, stop, stop } },    { 500, 500, { doubt, retry, retry } },
        { 501, 501, { stop, stop, stop } },    { 502, 504, { doubt, retry, retry } },
        { 505, 505, { stop, stop, stop } },    { 506, 506, { doubt, retry, retry } },
        { 507, 507, { retry, retry, retry } }, { 508, 599, { doubt, retry, retry } },
    };
    unsigned next = 200;

    (void)state;
    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        assert_true(table[i].from == next || (next == 412 && table[i].from == 413));
        next = table[i].to + 1;
        for (unsigned s = table[i].from; s <= table[i].to; s++)
            for (int p = PUT_NOTHING; p <= PUT_KEYED; p++) {
                bool compare = true;
                enum delivery d = judge((enum put_promise)p, s, &compare);
                assert_int_equal(d, table[i].means[p]);
                assert_false(compare);
                assert_said(d);
            }
    }
    assert_int_equal(next, 600);
}

static void a_name_that_is_taken_is_compared(void **state)
{
    static const enum delivery means[3][5] = {
        /* equal, other, not there, unreadable, no answer */
        { DELIVERY_DONE, DELIVERY_STOP, DELIVERY_DOUBT, DELIVERY_DOUBT, DELIVERY_DOUBT },
        { DELIVERY_DONE, DELIVERY_STOP, DELIVERY_STOP, DELIVERY_STOP, DELIVERY_RETRY },
        { DELIVERY_DONE, DELIVERY_STOP, DELIVERY_STOP, DELIVERY_STOP, DELIVERY_RETRY },
    };

    (void)state;
    for (int p = PUT_NOTHING; p <= PUT_KEYED; p++) {
        bool compare = false;
        judge((enum put_promise)p, 412, &compare);
        assert_true(compare);
        for (int t = THERE_EQUAL; t <= THERE_UNKNOWN; t++) {
            enum delivery d = put_compared((enum put_promise)p, (enum put_there)t, NAME, words);
            assert_int_equal(d, means[p][t]);
            assert_said(d);
        }
    }
}

static void what_never_left_is_no_doubt_and_what_left_is(void **state)
{
    struct put_answer a = { .detail = "Connection refused" };
    bool compare;

    (void)state;
    for (int p = PUT_NOTHING; p <= PUT_KEYED; p++) {
        a.end = PUT_NOT_SENT;
        assert_int_equal(put_judge((enum put_promise)p, &a, &compare, words), DELIVERY_RETRY);
        assert_non_null(strstr(words, "Connection refused"));
        a.end = PUT_BARRED;
        assert_int_equal(put_judge((enum put_promise)p, &a, &compare, words), DELIVERY_STOP);
        a.end = PUT_LOST;
        assert_int_equal(put_judge((enum put_promise)p, &a, &compare, words),
                         p == PUT_NOTHING ? DELIVERY_DOUBT : DELIVERY_RETRY);
    }
}

static void a_look_proves_only_what_it_sees(void **state)
{
    static const enum delivery looked[] = { DELIVERY_DONE, DELIVERY_STOP, DELIVERY_UNPROVEN,
                                            DELIVERY_UNPROVEN, DELIVERY_RETRY };
    static const enum delivery back[] = { DELIVERY_DONE, DELIVERY_STOP, DELIVERY_STOP,
                                          DELIVERY_STOP, DELIVERY_RETRY };

    (void)state;
    for (int t = THERE_EQUAL; t <= THERE_UNKNOWN; t++) {
        enum delivery d = put_looked((enum put_there)t, NAME, words);
        assert_int_equal(d, looked[t]);
        if (d == DELIVERY_DONE || d == DELIVERY_UNPROVEN)
            assert_string_equal(words, NAME);
        d = put_read_back((enum put_there)t, NAME, words);
        assert_int_equal(d, back[t]);
        assert_said(d);
    }
    assert_int_equal(put_there_of(200, true), THERE_EQUAL);
    assert_int_equal(put_there_of(200, false), THERE_OTHER);
    assert_int_equal(put_there_of(404, true), THERE_NOT);
    assert_int_equal(put_there_of(410, true), THERE_NOT);
    for (unsigned s = 0; s < 600; s++)
        if (s != 200 && s != 404 && s != 410) {
            enum put_there t = put_there_of(s, true);
            assert_true(t == (s == 408 || s == 429 || (s >= 500 && s != 501) ? THERE_UNKNOWN
                                                                             : THERE_UNREADABLE));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_means_what_the_table_says),
        cmocka_unit_test(a_name_that_is_taken_is_compared),
        cmocka_unit_test(what_never_left_is_no_doubt_and_what_left_is),
        cmocka_unit_test(a_look_proves_only_what_it_sees),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
