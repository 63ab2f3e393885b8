/* test_due.c - when an item is due: rules, closed days, dates by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"

static enum err parse(const char *sections, struct policy *p, struct errmsg *msg)
{
    char text[8192];

    snprintf(text, sizeof text, "[branch]\ncode = MAIN\nzone = UTC\nzone_rule = UTC0\n%s",
             sections);
    return policy_parse(text, strlen(text), p, msg);
}

static struct policy policy_of(const char *sections)
{
    struct errmsg msg = { .text = "" };
    struct policy p;

    if (parse(sections, &p, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    return p;
}

static void days_are_counted_over_months_years_and_leap_days(void **state)
{
    (void)state;
    assert_int_equal(ymd_after(20261123, 14), 20261207);
    assert_int_equal(ymd_after(20261231, 1), 20270101);
    assert_int_equal(ymd_after(20280228, 1), 20280229);
    assert_int_equal(ymd_after(20270228, 1), 20270301);
    assert_int_equal(ymd_weekday(20261126), 4);
    assert_int_equal(ymd_weekday(19691231), 3);
}

static void without_a_section_the_ILS_decides(void **state)
{
    struct policy p = policy_of("");

    (void)state;
    assert_int_equal(due_by_rule(&p.due, "39999000005015", 20261123, 20261123), 0);
    assert_int_equal(p.due.n_presets, 4);
    assert_int_equal(p.due.preset[3], 28);
}

static void D8_the_longest_prefix_decides(void **state)
{
    struct policy p =
        policy_of("[due]\ndefault = 14d\n3999 = 21d\n39998 = 7d\n39997 = blank\npresets = 7,21\n");

    (void)state;
    assert_int_equal(due_by_rule(&p.due, "31234000000001", 20261123, 20261123), 20261207);
    assert_int_equal(due_by_rule(&p.due, "39999000005015", 20261123, 20261123), 20261214);
    assert_int_equal(due_by_rule(&p.due, "39998000000001", 20261123, 20261123), 20261130);
    assert_int_equal(due_by_rule(&p.due, "39997000000001", 20261123, 20261123), 0);
    assert_int_equal(p.due.n_presets, 2);
}

static void D9_a_date_by_rule_falls_on_the_next_open_day(void **state)
{
    struct policy p = policy_of("[due]\ndefault = 14d\n[closed]\nweekdays = sat, sun\n"
                                "12-25 = Christmas Day\n2026-12-28 = Stocktaking\n");
    const char *why;

    (void)state;
    assert_int_equal(due_by_rule(&p.due, "3", 20261204, 20261204), 20261218);
    assert_int_equal(due_by_rule(&p.due, "3", 20261205, 20261205), 20261221); /* a Saturday */
    assert_int_equal(due_by_rule(&p.due, "3", 20261211, 20261211), 20261229); /* Christmas to Tue */
    assert_true(due_day_is_closed(&p.due, 20301225, &why));
    assert_string_equal(why, "Christmas Day");
    assert_true(due_day_is_closed(&p.due, 20261206, &why));
    assert_string_equal(why, "Sunday");
    assert_false(due_day_is_closed(&p.due, 20271228, NULL));
}

static void D9_a_loan_from_paper_is_never_due_before_today(void **state)
{
    struct policy p = policy_of("[due]\ndefault = 7d\n[closed]\nweekdays = sun\n");

    (void)state;
    assert_int_equal(due_by_rule(&p.due, "3", 20261101, 20261123), 20261123);
    assert_int_equal(due_by_rule(&p.due, "3", 20261101, 20261122), 20261123); /* a Sunday */
    assert_int_equal(due_by_rule(&p.due, "3", 20261120, 20261123), 20261127);
}

static void a_calendar_without_open_days_leaves_the_date(void **state)
{
    struct policy p = policy_of("[closed]\nweekdays = sun,mon,tue,wed,thu,fri\n");

    (void)state;
    assert_int_equal(due_open_day(&p.due, 20261123), 20261128);
    p.due.closed_weekday[6] = true; /* no policy can say so */
    assert_int_equal(due_open_day(&p.due, 20261123), 20261123);
}

static void D9_a_date_by_hand_stays_and_a_closed_day_is_said(void **state)
{
    struct policy p = policy_of("[closed]\n12-25 = Christmas Day\nweekdays = sat\n");
    struct errmsg msg = { .text = "" };
    char warning[256];
    uint32_t due;

    (void)state;
    assert_int_equal(due_parse(&p.due, "2026-12-25", 20261123, &due, &msg), ERR_OK);
    assert_int_equal(due, 20261225);
    due_warning(&p.due, due, warning);
    assert_string_equal(
        warning, "the library is closed on 2026-12-25 (Christmas Day); it opens on 2026-12-27");
    assert_int_equal(due_parse(&p.due, "32d", 20261123, &due, &msg), ERR_OK);
    assert_int_equal(due, 20261227); /* days are not a date by hand */
    due_warning(&p.due, due, warning);
    assert_string_equal(warning, "");
    assert_int_equal(due_parse(&p.due, "none", 20261123, &due, &msg), ERR_OK);
    assert_int_equal(due, 0);
}

static void dates_that_cannot_be_are_refused(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        { "2026-11-22", "due_in_past" },
        { "2026-02-30", "bad_due" },
        { "soon", "bad_due" },
        { "0d", "bad_due" },
        { "3651d", "bad_due" },
        { "", "bad_due" },
        { "14", "bad_due" },
        { "blank", "bad_due" },
    };
    struct policy p = policy_of("");
    uint32_t due = 1;

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct errmsg msg = { .text = "" };
        assert_int_equal(due_parse(&p.due, rows[i].text, 20261123, &due, &msg), ERR_INVALID);
        assert_string_equal(msg.why, rows[i].why);
    }
    assert_int_equal(due, 1);
}

static void a_policy_says_what_is_wrong_with_its_days(void **state)
{
    static const struct {
        const char *text, *part;
    } rows[] = {
        { "[due]\ndefault = 14\n", "must be days from 1d" },
        { "[due]\ndefault = 1d\ndefault = 2d\n", "twice" },
        { "[due]\n39 = 1d\n39 = 2d\n", "twice" },
        { "[due]\n3_9 = 1d\n", "how the item's number begins" },
        { "[due]\npresets = 7, x\n", "numbers of days" },
        { "[due]\npresets = 1,2,3,4,5,6,7,8,9\n", "room for 8" },
        { "[due]\npresets =\n", "numbers of days" },
        { "[closed]\nweekdays = sunday\n", "must be weekdays" },
        { "[closed]\nweekdays = sun,mon,tue,wed,thu,fri,sat\n", "never opens" },
        { "[closed]\n13-01 = X\n", "must be weekdays" },
        { "[closed]\n12-25 =\n", "needs a name" },
        { "[closed]\n12-25 = A\n12-25 = B\n", "twice" },
    };

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct errmsg msg = { .text = "" };
        struct policy p;
        assert_int_equal(parse(rows[i].text, &p, &msg), ERR_CONFIG);
        if (!strstr(msg.text, rows[i].part))
            fail_msg("%s: %s", rows[i].text, msg.text);
    }
}

static void D8_the_day_is_promised_when_the_record_is_made(void **state)
{
    struct policy p = policy_of("[due]\ndefault = 14d\n");
    struct record r = { .kind = RECORD_CHECKOUT, .due = DUE_BY_RULE, .item = "39999000005015" };
    int64_t now_ms = INT64_C(1795651200000); /* 2026-11-26 */

    (void)state;
    r.at_ms = now_ms;
    desk_settle_due(&p, &r, now_ms);
    assert_int_equal(r.due, 20261210);
    r.due = 0; /* "none" */
    desk_settle_due(&p, &r, now_ms);
    assert_int_equal(r.due, 0);
    r.kind = RECORD_DISCHARGE;
    r.due = DUE_BY_RULE;
    desk_settle_due(&p, &r, now_ms);
    assert_int_equal(r.due, 0);
    r.kind = RECORD_RENEW;
    r.due = DUE_BY_RULE;
    r.paper_ms = now_ms - 2 * INT64_C(86400000);
    desk_settle_due(&p, &r, now_ms);
    assert_int_equal(r.due, 20261208);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(days_are_counted_over_months_years_and_leap_days),
        cmocka_unit_test(without_a_section_the_ILS_decides),
        cmocka_unit_test(D8_the_longest_prefix_decides),
        cmocka_unit_test(D9_a_date_by_rule_falls_on_the_next_open_day),
        cmocka_unit_test(D9_a_loan_from_paper_is_never_due_before_today),
        cmocka_unit_test(a_calendar_without_open_days_leaves_the_date),
        cmocka_unit_test(D9_a_date_by_hand_stays_and_a_closed_day_is_said),
        cmocka_unit_test(D8_the_day_is_promised_when_the_record_is_made),
        cmocka_unit_test(dates_that_cannot_be_are_refused),
        cmocka_unit_test(a_policy_says_what_is_wrong_with_its_days),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
