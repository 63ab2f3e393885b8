/* test_answers.c - bytes and chain of what was said about records; which lines wait for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "answers.h"

static const uint8_t branch[BRANCH_ID_BYTES] = { 7 };

static struct answer_row row_of(const char *words)
{
    struct answer_row r = {
        .line = 3, .kind = RECORD_CHECKOUT, .answer = ANSWER_REFUSED, .ref.seq = 42
    };

    memset(&r.ref.feed, 0x11, sizeof r.ref.feed);
    snprintf(r.words, sizeof r.words, "%s", words);
    return r;
}

static void a_row_has_just_these_bytes(void **state)
{
    static const uint8_t want[] = "\x96\x03\xc4\x18\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11"
                                  "\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x11\x2a\x01\x04"
                                  "\xa2no";
    struct answer_row r = row_of("no"), out;
    struct buf b = { 0 };

    (void)state;
    answer_row_encode(&r, &b);
    assert_int_equal(b.len, sizeof want - 1);
    assert_memory_equal(b.p, want, b.len);
    assert_int_equal(answer_row_decode(b.p, b.len, &out), ERR_OK);
    assert_memory_equal(&r, &out, sizeof r);
    for (size_t n = 0; n < b.len; n++)
        assert_int_not_equal(answer_row_decode(b.p, n, &out), ERR_OK);
    buf_free(&b);
}

static void accepted_and_unknown_answers_are_no_rows(void **state)
{
    struct answer_row r = row_of(""), out;
    struct buf b = { 0 };

    (void)state;
    for (unsigned a = 0; a < 12; a++) {
        bool fine = a >= ANSWER_DEVIATING && a <= ANSWER_LAST;
        buf_reset(&b);
        r.answer = (enum answer)a;
        answer_row_encode(&r, &b);
        assert_int_equal(answer_row_decode(b.p, b.len, &out) == ERR_OK, fine);
    }
    r = row_of("");
    r.line = 0;
    buf_reset(&b);
    answer_row_encode(&r, &b);
    assert_int_equal(answer_row_decode(b.p, b.len, &out), ERR_MALFORMED);
    buf_free(&b);
}

static void words_are_cut_at_a_character_and_cleaned(void **state)
{
    struct answer_row r = row_of(""), out;
    struct told t = { 0 };
    struct mp m;
    const uint8_t *p;
    size_t n;

    (void)state;
    memset(r.words, 'x', sizeof r.words - 1);
    r.words[0] = '\t';
    r.words[sizeof r.words - 2] = '\xc3'; /* the first half of an umlaut */
    told_add(&t, &r);
    assert_int_equal(t.n, 1);
    m = mp_over(t.rows.p, t.rows.len);
    p = mp_get_bin(&m, &n);
    assert_true(n <= ANSWER_BYTES_LIMIT);
    assert_int_equal(answer_row_decode(p, n, &out), ERR_OK);
    assert_int_equal(strlen(out.words), ANSWER_WORDS_MAX - 2);
    told_free(&t);
}

static void the_chain_begins_at_the_intent_and_knows_order(void **state)
{
    uint8_t intent[HASH_BYTES] = { 1 }, other[HASH_BYTES] = { 2 }, a[HASH_BYTES], b[HASH_BYTES];

    (void)state;
    answers_begin(intent, a);
    answers_begin(other, b);
    assert_memory_not_equal(a, b, sizeof a);
    answers_begin(intent, b);
    answers_chain(a, (const uint8_t *)"1", 1);
    answers_chain(a, (const uint8_t *)"2", 1);
    answers_chain(b, (const uint8_t *)"2", 1);
    answers_chain(b, (const uint8_t *)"1", 1);
    assert_memory_not_equal(a, b, sizeof a);
}

/* ---- holds ---- */

static struct holds *h;

static void tell(unsigned kind, const char *item, const char *user, enum answer a)
{
    uint8_t i[HOLD_DIGEST], u[HOLD_DIGEST];

    holds_digest(branch, 'i', item, i);
    holds_digest(branch, 'c', user, u);
    holds_tell(h, kind, i, u, a);
}

static bool waits(const char *item, const char *user)
{
    uint8_t i[HOLD_DIGEST], u[HOLD_DIGEST];

    holds_digest(branch, 'i', item, i);
    holds_digest(branch, 'c', user, u);
    return holds_line(h, i, u);
}

static void a_plain_refusal_or_doubt_holds_nothing(void **state)
{
    (void)state;
    h = holds_new();
    tell(RECORD_CHECKOUT, "book", "ann", ANSWER_REFUSED);
    tell(RECORD_DISCHARGE, "book", "", ANSWER_DOUBT);
    tell(RECORD_RENEW, "book", "ann", ANSWER_DEVIATING);
    tell(RECORD_USER, "", "ann", ANSWER_ALREADY);
    assert_false(waits("book", "ann") || waits("book", ""));
    holds_free(h);
}

static void a_quarantined_record_holds_its_item_and_what_waits_holds_on(void **state)
{
    (void)state;
    h = holds_new();
    tell(RECORD_CHECKOUT, "book", "ann", ANSWER_QUARANTINED);
    assert_true(waits("book", "") && waits("book", "bob"));
    assert_false(waits("disc", "ann") || waits("", "book") || waits("", ""));
    holds_free(h);
}

static void a_registration_that_is_not_booked_holds_its_card_and_so_its_items(void **state)
{
    static const enum answer not_booked[] = { ANSWER_REFUSED, ANSWER_QUARANTINED, ANSWER_HELD,
                                              ANSWER_DOUBT };

    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        h = holds_new();
        tell(RECORD_USER, "", "ann", not_booked[k]);
        assert_true(waits("book", "ann") && !waits("book", "bob"));
        tell(RECORD_CHECKOUT, "book", "ann", ANSWER_HELD); /* so the return of it waits, too */
        assert_true(waits("book", "") && waits("book", "bob") && !waits("disc", "bob"));
        holds_free(h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_has_just_these_bytes),
        cmocka_unit_test(accepted_and_unknown_answers_are_no_rows),
        cmocka_unit_test(words_are_cut_at_a_character_and_cleaned),
        cmocka_unit_test(the_chain_begins_at_the_intent_and_knows_order),
        cmocka_unit_test(a_plain_refusal_or_doubt_holds_nothing),
        cmocka_unit_test(a_quarantined_record_holds_its_item_and_what_waits_holds_on),
        cmocka_unit_test(a_registration_that_is_not_booked_holds_its_card_and_so_its_items),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
