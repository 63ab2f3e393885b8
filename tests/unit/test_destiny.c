/* test_destiny.c - writer, judge and reader of Destiny's text file. */
#include "format_bench.h"

#define I1 "39999000005015"
#define I2 "39999000005023"
#define I3 "39999000005031"
#define I4 "39999000005049"
#define U1 "29999000001016"
#define U2 "29999000001024"

static int set_up(void **state)
{
    *state = bench_new(&format_destiny, "[upload]\nformat = destiny\n");
    return 0;
}

static void out(struct bench *b, const char *item, const char *user)
{
    record(b, user[0] ? RECORD_CHECKOUT : RECORD_DISCHARGE, item, user, 0);
    assert_int_equal(add(b, "2026-11-23T09:05:00-05:00", "MAIN-1"), ERR_OK);
}

static void a_day(struct bench *b)
{
    out(b, I1, U1);
    out(b, I2, U1);
    out(b, I3, U2);
    out(b, I1, "");
    out(b, I4, "");
    out(b, I1, U2); /* U2 had the last checkout, but check-ins stand between */
}

static void a_day_is_written_byte_for_byte(void **state)
{
    struct bench *b = *state;

    a_day(b);
    wrote_golden(b, "destiny_day.txt");
    accepted(b, 6);
}

static void what_was_written_is_read_back_without_its_time(void **state)
{
    struct bench *b = *state;

    a_day(b);
    buf_add(&b->out, "", 1);
    reads(b, (const char *)b->out.p, 6, "");
    event_is(b, 0, RECORD_CHECKOUT, I1, U1, 0, NULL);
    event_is(b, 1, RECORD_CHECKOUT, I2, U1, 0, NULL);
    event_is(b, 2, RECORD_CHECKOUT, I3, U2, 0, NULL);
    event_is(b, 3, RECORD_DISCHARGE, I1, "", 0, NULL);
    event_is(b, 5, RECORD_CHECKOUT, I1, U2, 0, NULL);
    record(b, RECORD_CHECKOUT, I1, U1, 20261214);
    assert_int_equal(loses(b), 1u << LOSS_DAY | 1u << LOSS_DUE);
}

static bool splits(struct bench *b, const char *local)
{
    struct format_item it = item_of(b, local, "MAIN-1");

    return format_destiny.splits(&b->p, &b->st, &it);
}

static void each_day_of_the_branch_has_a_file(void **state)
{
    struct bench *b = *state;

    assert_false(splits(b, "2026-11-23T09:05:00-05:00")); /* nothing is there yet */
    out(b, I1, U1);
    assert_false(splits(b, "2026-11-23T23:59:59-05:00"));
    assert_true(splits(b, "2026-11-24T00:00:00-05:00"));
    assert_false(splits(b, "2026-11-22T23:59:59-05:00")); /* local time ran back */
}

static void a_record_that_does_not_fit_leaves_nothing_behind(void **state)
{
    struct bench *b = *state;

    record(b, RECORD_CHECKOUT, "%C127L", U1, 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "item");
    record(b, RECORD_CHECKOUT, I1, "%", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "user");
    record(b, RECORD_CHECKOUT, I1, "", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "user");
    for (unsigned k = 0; k <= 255; k++)
        assert_int_equal(format_destiny.carries(&b->p, k),
                         k == RECORD_CHECKOUT || k == RECORD_DISCHARGE);
    record(b, RECORD_RENEW, I1, U1, 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "kind");
}

static void the_judge_names_what_is_wrong(void **state)
{
    struct bench *b = *state;

    refused(b, I1 "\r\n", "line 1: a number before any code");
    refused(b, "%C123H\r\n%C127L\r\n", "line 2: a code before the one above had its item");
    refused(b, "%C123H\r\n1\r\n%C127L\r\n", "line 3: a code before the one above had its item");
    refused(b, "%C127L\r\n%C123H\r\n", "line 2: a code before the one above had its item");
    refused(b, "%C123H\r\n1\r\n", "line 2: the file ends with a code that has no item");
    refused(b, "%C123H\r\n", "line 1: the file ends with a code that has no item");
    refused(b, "%C121Q\r\n1\r\n", "line 1: a code that is not one of ours");
    refused(b, "%C127\r\n1\r\n", "line 1: a code that is not one of ours");
    refused(b, "%C127L\r\n\r\n", "line 2: a number that is empty");
    refused(b, "%C127L\r\n1 \r\n", "line 2: a number that is empty");
    refused(b, "%C127L\r\n\xe9\r\n", "line 2: a number that is empty");
    refused(b, "%C127L\n1\n", "line 1: ends without CR");
    refused(b, "%C127L\r\n1\r", "line 2: the file ends in the middle");
    b->p.destiny.lf = true;
    refused(b, "%C127L\r\n1\r\n", "line 1: a code that is not one of ours");
    out(b, I1, U1);
    accepted(b, 1);
}

static void the_reader_takes_every_variant_and_keeps_the_rest(void **state)
{
    struct bench *b = *state;

    reads(b,
          "\xef\xbb\xbf" I1 "\n%C127L\n" I1 "\r\n\n%C121Q\n77\n%C123H\n" U1 "\n" I2 "\n%C999\n1\n"
          "%C123H\n\xe9\n" I3 "\n%C127L\n\xe9\n" I4 "\n" I3 "%C127L\n3999",
          3,
          "1: a number before any code: " I1 "\n"
          "4: an empty line: \n"
          "5: a code of resources or textbooks: %C121Q\n"
          "6: under a code that is none of ours: 77\n"
          "10: a code that is not known: %C999\n"
          "11: under a code that is none of ours: 1\n"
          "13: the user is too long or impossible: \xe9\n"
          "14: under a code that is none of ours: " I3 "\n"
          "16: the item is too long or impossible: \xe9\n"
          "18: the item is too long or impossible: " I3 "%C127L\n"
          "19: the file ends within this line: perhaps it was cut: 3999\n");
    event_is(b, 0, RECORD_DISCHARGE, I1, "", 0, NULL);
    event_is(b, 1, RECORD_CHECKOUT, I2, U1, 0, NULL);
    event_is(b, 2, RECORD_DISCHARGE, I4, "", 0, NULL);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_day_is_written_byte_for_byte),
        TEST(what_was_written_is_read_back_without_its_time),
        TEST(each_day_of_the_branch_has_a_file),
        TEST(a_record_that_does_not_fit_leaves_nothing_behind),
        TEST(the_judge_names_what_is_wrong),
        TEST(the_reader_takes_every_variant_and_keeps_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
