/* test_dat.c - writer, judge and reader of Alma's and Aleph's .dat files. */
#include "format_bench.h"

#define I1    "39999000005015"
#define I2    "39999000005023"
#define U1    "29999000001016"
#define PAD66 "                                                                  " /* 66 blanks */
#define R2    "202611230906R" I2 PAD66 "\r\n"
#define L1    "202611230905L" I1 PAD66 U1 "\r\n"

static int set_up(void **state)
{
    *state = bench_new(&format_alma, "[upload]\nformat = alma\n");
    return 0;
}

static void a_loan_and_a_return_are_written_byte_for_byte(void **state)
{
    struct bench *b = *state;

    record(b, RECORD_CHECKOUT, I1, U1, 0);
    assert_int_equal(add(b, "2026-11-23T09:05:00-05:00", "MAIN-1"), ERR_OK);
    record(b, RECORD_DISCHARGE, I2, "", 0);
    assert_int_equal(add(b, "2026-11-23T09:06:59-05:00", "MAIN-2"), ERR_OK);
    wrote_golden(b, "alma_two.dat");
    assert_memory_equal(b->out.p, L1 R2, b->out.len);
    accepted(b, 2);
}

static void what_was_written_is_read_back_but_for_what_is_lost(void **state)
{
    struct bench *b = *state;

    record(b, RECORD_CHECKOUT, I1, U1, 20261214);
    assert_int_equal(loses(b), 1u << LOSS_SECONDS | 1u << LOSS_DUE);
    assert_int_equal(add(b, "2026-11-23T09:05:31-05:00", "MAIN-1"), ERR_OK);
    record(b, RECORD_RENEW, I2, U1, 0);
    assert_int_equal(loses(b), 1u << LOSS_SECONDS | 1u << LOSS_RENEW_AS_OUT);
    assert_int_equal(add(b, "2026-11-23T09:05:40-05:00", "MAIN-1"), ERR_OK);
    record(b, RECORD_DISCHARGE, "AB 1", "", 0);
    assert_int_equal(loses(b), 1u << LOSS_SECONDS);
    assert_int_equal(add(b, "2026-07-23T09:06:00-04:00", "MAIN-1"), ERR_OK);
    buf_add(&b->out, "", 1);
    reads(b, (const char *)b->out.p, 3, "");
    event_is(b, 0, RECORD_CHECKOUT, I1, U1, 0, "2026-11-23T09:05:00-05:00");
    event_is(b, 1, RECORD_CHECKOUT, I2, U1, 0, "2026-11-23T09:05:00-05:00");
    assert_int_equal(b->event[0].utc_off_min, -300);
    assert_int_equal(b->event[2].kind, RECORD_DISCHARGE);
    assert_string_equal(b->event[2].item, "AB 1");
    assert_int_equal(b->line[2], 3);
}

static void a_record_that_does_not_fit_leaves_nothing_behind(void **state)
{
    struct bench *b = *state;

    record(b, RECORD_CHECKOUT, I1, "", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "user");
    record(b, RECORD_RENEW, I1, "", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "user");
    record(b, RECORD_CHECKOUT, "", U1, 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "item");
    record(b, RECORD_DISCHARGE, " 1", "", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "item");
    record(b, RECORD_DISCHARGE, "1 ", "", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "item");
    record(b, RECORD_DISCHARGE, "1  2", "", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "item");
    record(b, RECORD_DISCHARGE, I1, "", 0); /* a PC whose battery is dead: its judge refuses 1970 */
    cannot_add(b, "1970-01-02T00:05:00-05:00", "at");
    record(b, RECORD_INHOUSE, I1, "", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "kind");
    record(b, RECORD_USER, "", U1, 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "kind");
    record(b, RECORD_DISCHARGE, I1, "", 0); /* the minutes of refused ones do not count */
    assert_int_equal(add(b, "2026-11-23T09:04:00-05:00", "MAIN-1"), ERR_OK);
    assert_memory_equal(b->out.p, "202611230904R", 13);
}

static void renewals_are_left_to_people_if_the_policy_says_so(void **state)
{
    struct bench *b = *state;

    assert_true(format_alma.carries(&b->p, RECORD_RENEW));
    b->p.alma.renewals_by_hand = true;
    for (unsigned k = 0; k <= 255; k++)
        assert_int_equal(format_alma.carries(&b->p, k),
                         k == RECORD_CHECKOUT || k == RECORD_DISCHARGE);
    assert_true(format_aleph.carries(&b->p, RECORD_RENEW));
}

static void in_the_repeated_hour_minutes_go_on(void **state)
{
    static const char *const at[] = { "2026-11-01T01:58:00-04:00", "2026-11-01T01:00:00-05:00",
                                      "2026-11-01T01:01:00-05:00", "2026-11-01T01:01:30-05:00",
                                      "2026-11-01T02:05:00-05:00" };
    static const char *const minutes[] = { "202611010158", "202611010159", "202611010200",
                                           "202611010200", "202611010205" };
    struct bench *b = *state;

    for (unsigned i = 0; i < 5; i++) {
        size_t from = b->out.len;

        record(b, RECORD_DISCHARGE, i == 3 ? I2 : I1, "", 0);
        b->rec.item[0] = '3';
        struct format_item it = item_of(b, at[i], "MAIN-1");
        it.tick_s -= it.tick_s % 60; /* as E2 does */
        assert_int_equal(b->f->write(&b->p, &b->st, &it, &b->out, &b->msg), ERR_OK);
        assert_memory_equal(b->out.p + from, minutes[i], 12);
    }
    accepted(b, 5);
}

static void the_judge_names_what_is_wrong(void **state)
{
    struct bench *b = *state;

    refused(b, "202611230906R" I2 PAD66 "\n", "line 1: ends without CR");
    refused(b, L1 "\r\n", "line 2: shorter than its columns");
    refused(b, L1 "\n", "line 2: ends without CR");
    refused(b, "202611230906R" I2 "\r\n", "line 1: shorter");
    refused(b, "202611230906R" I2 PAD66 " \r\n", "line 1: a return with something");
    refused(b, "202611230905L" I1 PAD66 "\r\n", "line 1: the user is empty");
    refused(b, "202611230905L" I1 PAD66 " 2\r\n", "line 1: the user is empty");
    refused(b, "202611230905L" I1 PAD66 "123456789012345678901234567890123\r\n", "the user is");
    refused(b, "202611230905L" PAD66 "              2\r\n", "line 1: the item is empty");
    refused(b, "202611230905L " I1 PAD66 "\r\n", "line 1: the item is empty");
    refused(b, "202611230905X" I1 PAD66 U1 "\r\n", "line 1: neither L nor R");
    refused(b, "202611310905R" I1 PAD66 "\r\n", "line 1: it does not begin with a minute");
    refused(b, "202611232405R" I1 PAD66 "\r\n", "line 1: it does not begin with a minute");
    refused(b, "202611230960R" I1 PAD66 "\r\n", "line 1: it does not begin with a minute");
    refused(b,
            "202611230905R\xe9" I1 "                                                        "
            "         \r\n",
            "line 1: a byte that is not plain ASCII");
    refused(b, R2 L1, "line 2: the time runs back");
    refused(b, L1 "202611230905R" I1 PAD66 "\r\n", "line 2: two events on one item in one minute");
    refused(b, L1 "2026", "line 2: the file ends in the middle");
}

static void any_cut_but_at_a_line_end_is_refused(void **state)
{
    struct bench *b = *state;
    uint64_t n;

    for (size_t cut = 0; cut <= strlen(L1 R2); cut++)
        assert_int_equal(judge_by(b, L1 R2, cut, 1000, &n),
                         cut == 0 || cut == strlen(L1) || cut == strlen(L1 R2) ? ERR_OK
                                                                               : ERR_MALFORMED);
}

static void the_reader_takes_every_variant_and_keeps_the_rest(void **state)
{
    struct bench *b = *state;

    /* byte order mark, LF alone, padded returns, no padding at all, the last line cut short */
    reads(b,
          "\xef\xbb\xbf" L1 "202611230906R" I2 "\n\n202611230907L" I1 " " U1
          "  \n202611230908R" I2 PAD66 "     \r\r\n"
          "202611230909L" I1 "\n202611230910X1 2\nhello\n202611230911R1 2\n202602300911R1\n"
          "202611230912L" I1 PAD66 U1 "\r",
          5,
          "3: an empty line: \n"
          "6: the user is empty, too long or impossible: 202611230909L" I1 "\n"
          "7: neither L nor R after the time: 202611230910X1 2\n"
          "8: it does not begin with a minute: hello\n"
          "9: a return with a user: 202611230911R1 2\n"
          "10: it does not begin with a minute: 202602300911R1\n");
    event_is(b, 1, RECORD_DISCHARGE, I2, "", 0, "2026-11-23T09:06:00-05:00");
    event_is(b, 2, RECORD_CHECKOUT, I1, U1, 0, "2026-11-23T09:07:00-05:00");
    event_is(b, 3, RECORD_DISCHARGE, I2, "", 0, "2026-11-23T09:08:00-05:00");
    event_is(b, 4, RECORD_CHECKOUT, I1, U1, 0, "2026-11-23T09:12:00-05:00");
}

/* Half a number is a number: nothing in it tells that it was cut. */
static void of_a_line_that_was_cut_nothing_is_guessed(void **state)
{
    struct bench *b = *state;

    reads(b, L1 "202611230906L" I2 PAD66 "29999", 1,
          "2: the file ends within this line: perhaps it was cut: 202611230906L" I2 PAD66
          "29999\n");
    reads(b, L1 "202611230906R39999", 1,
          "2: the file ends within this line: perhaps it was cut: 202611230906R39999\n");
    reads(b, L1 "202611230906R" I2 PAD66, 2, ""); /* its columns are all there */
    reads(b, "202611230905L3999" L1 "202611230906R39" R2, 0,
          "1: two lines in one: the first was cut: 202611230905L3999202611230905L" I1 PAD66 U1 "\n"
          "2: two lines in one: the first was cut: 202611230906R39202611230906R" I2 PAD66 "\n");
    reads(b, "999912312359R1\n190001010000R1\n", 0,
          "1: it does not begin with a minute: 999912312359R1\n"
          "2: it does not begin with a minute: 190001010000R1\n");
}

static void the_hour_that_comes_twice_is_read_as_the_first(void **state)
{
    struct bench *b = *state;

    reads(b, "202611010130R1\n202603080230R1\n202603080330R1\n", 3, "");
    event_is(b, 0, RECORD_DISCHARGE, "1", "", 0, "2026-11-01T01:30:00-04:00");
    event_is(b, 1, RECORD_DISCHARGE, "1", "", 0, "2026-03-08T02:30:00-05:00");
    event_is(b, 2, RECORD_DISCHARGE, "1", "", 0, "2026-03-08T03:30:00-04:00");
}

static void a_line_without_end_costs_no_memory_and_is_kept(void **state)
{
    struct bench *b = *state;
    size_t n = 1 << 20, kept = 0;
    char *text = malloc(n);

    memset(text, '7', n);
    memcpy(text + n - 17, "\n202611230906R1\r\n", 17);
    read_by(b, text, n, 1000);
    assert_int_equal(b->n_events, 1);
    assert_int_equal(b->line[0], 2);
    for (size_t i = 0; i < b->unknown.len; i++)
        kept += b->unknown.p[i] == '7';
    assert_int_equal(kept, n - 17);
    free(text);
}

static void alephs_width_is_the_policys_and_blanks_part_its_columns(void **state)
{
    struct bench *b = *state;

    b->f = &format_aleph;
    b->p.aleph.item_width = 32;
    record(b, RECORD_CHECKOUT, "1 2", U1, 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "item");
    record(b, RECORD_CHECKOUT, "12", "3 4", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "user");
    record(b, RECORD_CHECKOUT, I1, U1, 0);
    assert_int_equal(add(b, "2026-11-23T09:05:00-05:00", "MAIN-1"), ERR_OK);
    accepted(b, 1);
    buf_add(&b->out, "", 1);
    assert_string_equal((const char *)b->out.p, "202611230905L" I1 "                  " U1 "\r\n");
    reads(b, (const char *)b->out.p, 1, "");
    event_is(b, 0, RECORD_CHECKOUT, I1, U1, 0, "2026-11-23T09:05:00-05:00");
    refused(b, "202611230905L1 2                             " U1 "\r\n", "the item is empty");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_loan_and_a_return_are_written_byte_for_byte),
        TEST(what_was_written_is_read_back_but_for_what_is_lost),
        TEST(a_record_that_does_not_fit_leaves_nothing_behind),
        TEST(renewals_are_left_to_people_if_the_policy_says_so),
        TEST(in_the_repeated_hour_minutes_go_on),
        TEST(the_judge_names_what_is_wrong),
        TEST(any_cut_but_at_a_line_end_is_refused),
        TEST(the_reader_takes_every_variant_and_keeps_the_rest),
        TEST(of_a_line_that_was_cut_nothing_is_guessed),
        TEST(the_hour_that_comes_twice_is_read_as_the_first),
        TEST(a_line_without_end_costs_no_memory_and_is_kept),
        TEST(alephs_width_is_the_policys_and_blanks_part_its_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
