/* test_sierra.c - writer, judge and reader of the rdy file of Sierra and Millennium. */
#include "format_bench.h"
#include "export.h"

#define I1 "39999000005015"
#define I2 "39999000005023"
#define U1 "29999000001016"
#define O1 "o:2611230905:b" I1 ":b" U1 ":2612142359:104\n"

static int set_up(void **state)
{
    *state = bench_new(&format_sierra, "[upload]\nformat = sierra\n[sierra]\ndue_days = 21\n"
                                       "[groups]\nMAIN-1 = 104\nMAIN-2 = 7\n");
    return 0;
}

static void a_checkout_and_a_check_in_are_written_byte_for_byte(void **state)
{
    struct bench *b = *state;

    record(b, RECORD_CHECKOUT, I1, U1, 20261214);
    assert_int_equal(add(b, "2026-11-23T09:05:00-05:00", "MAIN-1"), ERR_OK);
    record(b, RECORD_DISCHARGE, I2, "", 0);
    assert_int_equal(add(b, "2026-11-23T09:06:59-05:00", "MAIN-1"), ERR_OK);
    wrote_golden(b, "sierra_two.rdy");
    accepted(b, 2);
}

static void a_loan_without_due_date_gets_the_policys_and_that_is_counted(void **state)
{
    struct bench *b = *state;

    record(b, RECORD_RENEW, I1, U1, 0);
    assert_int_equal(loses(b), 1u << LOSS_SECONDS | 1u << LOSS_DUE_RULE | 1u << LOSS_RENEW_AS_OUT);
    assert_int_equal(add(b, "2028-02-20T23:59:00-05:00", "MAIN-2"), ERR_OK);
    accepted(b, 1);
    buf_add(&b->out, "", 1);
    assert_string_equal((const char *)b->out.p, "o:2802202359:b" I1 ":b" U1 ":2803122359:7\n");
    record(b, RECORD_CHECKOUT, I1, U1, 20261214);
    assert_int_equal(loses(b), 1u << LOSS_SECONDS);
    record(b, RECORD_DISCHARGE, I1, "", 0);
    assert_int_equal(loses(b), 1u << LOSS_SECONDS);
}

static void a_policy_without_the_rule_is_refused_when_it_is_published(void **state)
{
    static const char text[] = FILE_BRANCH "[upload]\nformat = sierra\n";
    struct bench *b = *state;

    assert_int_equal(policy_parse(text, sizeof text - 1, &b->p, &b->msg), ERR_CONFIG);
    assert_non_null(strstr(b->msg.text, "\"due_days\" in [sierra]"));
    b->p.sierra.due_days = 0; /* an export by another policy's format */
    record(b, RECORD_CHECKOUT, I1, U1, 0);
    assert_int_equal(add(b, "2026-11-23T09:05:00-05:00", "MAIN-1"), ERR_CONFIG);
    assert_int_equal(b->out.len, 0);
}

static void a_desk_without_a_group_stops_the_batch(void **state)
{
    struct bench *b = *state;

    assert_null(format_sierra.desk_lacks(&b->p, "MAIN-1"));
    assert_string_equal(format_sierra.desk_lacks(&b->p, "BUS"),
                        "a statistics group: add it to [groups]");
    record(b, RECORD_DISCHARGE, I1, "", 0);
    assert_int_equal(add(b, "2026-11-23T09:05:00-05:00", "BUS"), ERR_CONFIG);
    assert_string_equal(b->msg.why, "no_group");
    b->p.sierra.default_group = 9;
    assert_int_equal(add(b, "2026-11-23T09:05:00-05:00", "BUS"), ERR_OK);
    buf_add(&b->out, "", 1);
    assert_string_equal((const char *)b->out.p, "i:2611230905:b" I1 ":::9\n");
}

static void a_record_that_does_not_fit_leaves_nothing_behind(void **state)
{
    struct bench *b = *state;

    record(b, RECORD_DISCHARGE, I1, "", 0);
    cannot_add(b, "1999-11-23T09:05:00-05:00", "at");
    record(b, RECORD_CHECKOUT, I1, "", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "user");
    record(b, RECORD_RENEW, I1, "", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "user");
    record(b, RECORD_CHECKOUT, "1:2", U1, 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "item");
    record(b, RECORD_CHECKOUT, I1, U1, 20261122);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "due");
    strcpy(b->p.sierra.due_time, "09:04");
    record(b, RECORD_CHECKOUT, I1, U1, 20261123);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "due");
    strcpy(b->p.sierra.due_time, "09:05");
    assert_int_equal(add(b, "2026-11-23T09:05:00-05:00", "MAIN-1"), ERR_OK);
    accepted(b, 1);
    record(b, RECORD_INHOUSE, I1, "", 0);
    cannot_add(b, "2026-11-23T09:05:00-05:00", "kind");
    record(b, RECORD_DISCHARGE, I1, "", 0);
    cannot_add(b, "2100-11-23T09:05:00-05:00", "at");
}

static void the_judge_names_what_is_wrong(void **state)
{
    struct bench *b = *state;

    refused(b, O1 "\n", "line 2: not five colons");
    refused(b, "o:2611230905:b" I1 ":b" U1 ":104\n", "line 1: not five colons");
    refused(b, "i:2611230905:b" I1 "::::104\n", "line 1: not five colons");
    refused(b, "r:2611230905:b" I1 ":::104\n", "line 1: neither o nor i");
    refused(b, "i:2611310905:b" I1 ":::104\n", "line 1: the time is none");
    refused(b, "i:26112309051:b" I1 ":::104\n", "line 1: the time is none");
    refused(b, "i:2611230905:" I1 ":::104\n", "line 1: the item is empty");
    refused(b, "i:2611230905:b:::104\n", "line 1: the item is empty");
    refused(b, "i:2611230905:b\xe9:::104\n", "line 1: the item is empty");
    refused(b, "o:2611230905:b1::2612142359:104\n", "line 1: the user is empty");
    refused(b, "o:2611230905:b1:b2::104\n", "line 1: the due date is missing");
    refused(b, "o:2611230905:b1:b2:2611230904:104\n", "line 1: the due date is missing");
    refused(b, "i:2611230905:b1:b2::104\n", "line 1: a check-in with a user");
    refused(b, "i:2611230905:b1::2612142359:104\n", "line 1: a check-in with a user");
    refused(b, "i:2611230905:b1:::\n", "line 1: the statistics group");
    refused(b, "i:2611230905:b1:::0\n", "line 1: the statistics group");
    refused(b, "i:2611230905:b1:::104 \n", "line 1: the statistics group");
    refused(b, "i:2611230905:b1:::104\r\n", "line 1: the statistics group");
    refused(b, O1 "i:2611230904:b1:::104\n", "line 2: the time runs back");
    refused(b, O1 "i:2611230905:b" I1 ":::104\n", "line 2: two events on one item in one minute");
    refused(b, O1 "i", "line 2: the file ends in the middle");
    b->p.sierra.crlf = true;
    refused(b, O1, "line 1: ends without CR");
}

static void the_reader_takes_every_variant_and_keeps_the_rest(void **state)
{
    struct bench *b = *state;

    reads(b,
          "\xef\xbb\xbf" O1 "i:2611230906:" I2 ":::7\r\n\r\no:2607230907:" I1 ":" U1
          "\no:2611230908:b1:b2::\nr:2611230908:b1:::\ni:2611230909:b1:b2::\no:2611230909:b1:::\n"
          "i:2611230909:b1::::\ni:2611230910:b1\n"
          "o:2611230911:b1:b2",
          5,
          "3: an empty line: \n"
          "6: neither o nor i in front: r:2611230908:b1:::\n"
          "7: a check-in with a user or a due date: i:2611230909:b1:b2::\n"
          "8: the user is empty, too long or impossible: o:2611230909:b1:::\n"
          "9: more than five colons: i:2611230909:b1::::\n"
          "11: the file ends within this line: perhaps it was cut: o:2611230911:b1:b2\n");
    event_is(b, 0, RECORD_CHECKOUT, I1, U1, 20261214, "2026-11-23T09:05:00-05:00");
    assert_string_equal(b->desk[0], "104");
    event_is(b, 1, RECORD_DISCHARGE, I2, "", 0, "2026-11-23T09:06:00-05:00");
    assert_string_equal(b->desk[1], "7");
    event_is(b, 2, RECORD_CHECKOUT, I1, U1, 0, "2026-07-23T09:07:00-04:00");
    event_is(b, 3, RECORD_CHECKOUT, "1", "2", 0, "2026-11-23T09:08:00-05:00");
    event_is(b, 4, RECORD_DISCHARGE, "1", "", 0, "2026-11-23T09:10:00-05:00");
    assert_string_equal(b->desk[4], "");
    reads(b, "o:2611230905:b1:b2:2611231130:\no:2611230906:b3:b2:2611232359:\n", 2, "");
    assert_int_equal(b->left_out[0], LEFT_DUE_TIME);
    assert_int_equal(b->left_out[1], 0);
}

static void the_files_name_is_rdy_and_letters_and_digits(void **state)
{
    struct bench *b = *state;
    struct format_name n = {
        .library = "MAIN-2_B", .suffix = "rdy", .hash = "1a2b3c4d", .day = 20261123, .slot = 7
    };
    char name[FORMAT_NAME_MAX];

    (void)b;
    format_sierra.file_name(&n, name);
    assert_string_equal(name, "rdy20261123MAIN2Be0s0000071a2b3c4d");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, bench_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_checkout_and_a_check_in_are_written_byte_for_byte),
        TEST(a_loan_without_due_date_gets_the_policys_and_that_is_counted),
        TEST(a_policy_without_the_rule_is_refused_when_it_is_published),
        TEST(a_desk_without_a_group_stops_the_batch),
        TEST(a_record_that_does_not_fit_leaves_nothing_behind),
        TEST(the_judge_names_what_is_wrong),
        TEST(the_reader_takes_every_variant_and_keeps_the_rest),
        TEST(the_files_name_is_rdy_and_letters_and_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
