/* test_session.c - what a desk remembers of who works there, and what it forgets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"
#include "session.h"

#define DAY_MS INT64_C(86400000)
#define NOON   INT64_C(1795694400000) /* 2026-11-26, 07:00 in New York */

static struct policy policy_of(const char *sections)
{
    struct errmsg msg = { .text = "" };
    char text[1024];
    struct policy p;

    snprintf(text, sizeof text,
             "[branch]\ncode = MAIN\nzone = America/New_York\nzone_rule = "
             "EST5EDT,M3.2.0,M11.1.0\n%s",
             sections);
    if (policy_parse(text, strlen(text), &p, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    return p;
}

static uint32_t due_of(const struct session *s, const struct policy *p, int64_t now_ms)
{
    struct record r = { .kind = RECORD_CHECKOUT, .due = DUE_BY_RULE, .at_ms = now_ms };

    session_apply(s, p, "MAIN-1", now_ms, &r);
    desk_settle_due(p, &r, now_ms);
    return r.due;
}

static void B8_a_chosen_due_date_is_forgotten_at_the_branchs_midnight(void **state)
{
    struct policy p = policy_of("[due]\ndefault = 14d\n");
    int64_t midnight = NOON + 17 * INT64_C(3600000); /* of New York */
    struct session s = { .staff = "" };

    (void)state;
    assert_int_equal(due_of(&s, &p, NOON), 20261210);
    assert_int_equal(session_set_due(&s, &p, "7d", 20261126, NULL), ERR_OK);
    assert_int_equal(due_of(&s, &p, NOON), 20261203);
    assert_int_equal(due_of(&s, &p, midnight - 1), 20261203);
    assert_int_equal(due_of(&s, &p, midnight), 20261211);
    assert_int_equal(session_set_due(&s, &p, "2026-12-24", 20261126, NULL), ERR_OK);
    assert_int_equal(due_of(&s, &p, NOON), 20261224);
    assert_int_equal(due_of(&s, &p, midnight), 20261211);
    assert_int_equal(session_set_due(&s, &p, "none", 20261126, NULL), ERR_OK);
    assert_int_equal(due_of(&s, &p, NOON), 0);
    assert_int_equal(due_of(&s, &p, midnight), 20261211);
    assert_int_equal(session_set_due(&s, &p, "rule", 20261126, NULL), ERR_OK);
    assert_int_equal(due_of(&s, &p, NOON), 20261210);
}

/* Days of 23 and of 25 hours: midnight is the branch's, whatever the offset was when it was chosen. */
static void B8_midnight_is_the_branchs_on_the_days_that_clocks_change(void **state)
{
    static const struct {
        uint32_t day, chosen, next;
        int64_t midnight_ms; /* that ends it */
    } rows[] = {
        { 20260308, 20260315, 20260323, INT64_C(1773028800000) }, /* 04:00 UTC, 23 hours later */
        { 20261101, 20261108, 20261116, INT64_C(1793595600000) }, /* 05:00 UTC, 25 hours later */
    };
    struct policy p = policy_of("[due]\ndefault = 14d\n");

    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct session s = { .staff = "" };

        assert_int_equal(session_set_due(&s, &p, "7d", rows[i].day, NULL), ERR_OK);
        assert_int_equal(due_of(&s, &p, rows[i].midnight_ms - 1), rows[i].chosen);
        assert_int_equal(due_of(&s, &p, rows[i].midnight_ms), rows[i].next);
    }
}

static void a_clock_set_back_does_not_bring_an_old_date_to_life(void **state)
{
    struct policy p = policy_of("");
    struct session s = { .staff = "" };

    (void)state;
    assert_int_equal(session_set_due(&s, &p, "7d", 20261127, NULL), ERR_OK);
    assert_int_equal(due_of(&s, &p, NOON), 0);
}

static void B7_the_staff_name_stands_in_records_that_name_none(void **state)
{
    struct policy p = policy_of("");
    struct session s = { .staff = "" };
    struct record r = { .kind = RECORD_DISCHARGE, .due = DUE_BY_RULE };

    (void)state;
    assert_int_equal(session_set_staff(&s, "Ana M.", NULL), ERR_OK);
    assert_int_equal(session_set_due(&s, &p, "7d", 20261126, NULL), ERR_OK);
    session_apply(&s, &p, "MAIN-1", NOON, &r);
    assert_string_equal(r.staff, "Ana M.");
    assert_int_equal(r.due, DUE_BY_RULE); /* a discharge has none: desk_settle_due() */
    assert_int_equal(session_set_staff(&s, "Ben", NULL), ERR_OK);
    session_apply(&s, &p, "MAIN-1", NOON, &r);
    assert_string_equal(r.staff, "Ana M.");
    assert_int_equal(due_of(&s, &p, NOON), 20261203); /* the new one's, too */
    session_apply(&s, &p, "MAIN-1", NOON + 40 * DAY_MS, &(struct record){ .kind = RECORD_VOID });
}

static void a_date_given_by_hand_wins(void **state)
{
    struct policy p = policy_of("");
    struct session s = { .staff = "" };
    struct record r = { .kind = RECORD_CHECKOUT, .due = 20261201 };

    (void)state;
    assert_int_equal(session_set_due(&s, &p, "7d", 20261126, NULL), ERR_OK);
    session_apply(&s, &p, "MAIN-1", NOON, &r);
    assert_int_equal(r.due, 20261201);
}

static void what_is_written_is_read(void **state)
{
    static const char *const dues[] = { "rule", "none", "21d", "2026-12-24" };
    struct policy p = policy_of("");

    (void)state;
    for (unsigned i = 0; i < sizeof dues / sizeof dues[0]; i++) {
        struct session s = { .staff = "" }, back;
        struct errmsg msg = { .text = "" };
        struct buf b = { 0 };

        assert_int_equal(session_set_staff(&s, i ? "Zoë = [x] # y" : "", &msg), ERR_OK);
        assert_int_equal(session_set_due(&s, &p, dues[i], 20261126, &msg), ERR_OK);
        session_text(&s, &b);
        assert_true(b.len <= SESSION_TEXT_MAX);
        if (session_parse((const char *)b.p, b.len, &back, &msg) != ERR_OK)
            fail_msg("%s", msg.text);
        assert_memory_equal(&s, &back, sizeof s);
        buf_free(&b);
    }
}

static void what_is_refused_changes_nothing(void **state)
{
    struct policy p = policy_of("");
    struct session s = { .staff = "Ana" }, before = s;
    struct errmsg msg = { .text = "" };
    char longer[STAFF_MAX + 2];

    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    assert_int_equal(session_set_staff(&s, longer, &msg), ERR_INVALID);
    assert_int_equal(session_set_staff(&s, "A\nB", &msg), ERR_INVALID);
    assert_int_equal(session_set_staff(&s, " A", &msg), ERR_INVALID);
    assert_int_equal(session_set_due(&s, &p, "2026-11-25", 20261126, &msg), ERR_INVALID);
    assert_string_equal(msg.why, "due_in_past");
    assert_int_equal(session_set_due(&s, &p, "blank", 20261126, &msg), ERR_INVALID);
    assert_int_equal(session_parse("[session]\ndue = days\n", 21, &s, &msg), ERR_CONFIG);
    assert_memory_equal(&s, &before, sizeof s);
}

#define PLACES                                                                                     \
    "[symphony]\nuser_access = OFFLINE\nother_libraries = BUS, KIDS\n"                             \
    "other_user_accesses = OFF LINE 2\nother_stations = 43, 44\n[stations]\nMAIN-1 = 42\n"

static void B10_what_the_policy_allows_may_be_chosen_and_stands_in_each_record(void **state)
{
    struct policy p = policy_of(PLACES), later = policy_of("[stations]\nMAIN-1 = 42\n");
    struct session s = { .staff = "" }, back;
    struct record r = { .kind = RECORD_DISCHARGE };
    struct errmsg msg = { .text = "" };
    struct buf text = { 0 };

    (void)state;
    assert_int_equal(session_set_place(&s, &p, "MAIN-1", "library", "BUS", &msg), ERR_OK);
    assert_int_equal(session_set_place(&s, &p, "MAIN-1", "user_access", "OFF LINE 2", &msg),
                     ERR_OK);
    assert_int_equal(session_set_place(&s, &p, "MAIN-1", "station", "44", &msg), ERR_OK);
    assert_int_equal(session_set_place(&s, &p, "MAIN-1", "library", "MALL", &msg), ERR_INVALID);
    assert_string_equal(msg.why, "bad_place");
    assert_string_equal(msg.field, "library");
    assert_int_equal(session_set_place(&s, &p, "MAIN-1", "station", "45", &msg), ERR_INVALID);
    assert_int_equal(session_set_place(&s, &p, "MAIN-1", "station", "x", &msg), ERR_INVALID);
    assert_int_equal(session_set_place(&s, &p, "MAIN-1", "station", "42", &msg), ERR_OK); /* own */
    assert_int_equal(session_set_place(&s, &p, "MAIN-2", "station", "42", &msg), ERR_INVALID);
    assert_int_equal(session_set_place(&s, &p, "MAIN-1", "station", "43", &msg), ERR_OK);
    session_text(&s, &text);
    assert_int_equal(session_parse((char *)text.p, text.len, &back, &msg), ERR_OK);
    buf_free(&text);
    session_apply(&back, &p, "MAIN-1", NOON, &r);
    assert_string_equal(r.library, "BUS");
    assert_string_equal(r.user_access, "OFF LINE 2");
    assert_int_equal(r.station, 43);
    assert_int_equal(desk_check_place(&p, "MAIN-1", &r, &msg), ERR_OK);

    r = (struct record){ .kind = RECORD_DISCHARGE, .library = "KIDS" }; /* a record's own wins */
    session_apply(&s, &p, "MAIN-1", NOON, &r);
    assert_string_equal(r.library, "KIDS");
    assert_int_equal(desk_check_place(&later, "MAIN-1", &r, &msg), ERR_INVALID);

    r = (struct record){ .kind = RECORD_DISCHARGE };
    session_apply(&s, &later, "MAIN-1", NOON, &r); /* taken out of the policy: back to its own */
    assert_string_equal(r.library, "");
    assert_string_equal(r.user_access, "");
    assert_int_equal(r.station, 0);
    assert_int_equal(session_set_place(&s, &p, "MAIN-1", "library", "", &msg), ERR_OK);
    assert_string_equal(s.library, "");
}

static void B10_the_policy_checks_what_may_be_chosen(void **state)
{
    static const char *const bad[] = {
        "other_libraries = bus",
        "other_libraries = B,",
        "other_libraries = ABCDEFGHIJKLMNOP",
        "other_user_accesses = A^B",
        "other_stations = 0",
        "other_stations = 10000",
        "other_stations = 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
    };
    struct policy p;
    char text[512];

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct errmsg msg = { .text = "" };
        snprintf(text, sizeof text,
                 "[branch]\ncode = MAIN\nzone = UTC\nzone_rule = UTC0\n[symphony]\n%s\n", bad[i]);
        if (policy_parse(text, strlen(text), &p, &msg) != (i == 1 ? ERR_OK : ERR_CONFIG))
            fail_msg("%s: %s", bad[i], msg.text);
    }
}

static void B11_the_block_list_is_asked_again_from_midnight(void **state)
{
    struct policy p = policy_of("");
    struct session s = { .unchecked = 20261126 };
    struct record r = { .kind = RECORD_CHECKOUT };

    (void)state;
    session_apply(&s, &p, "MAIN-1", NOON, &r);
    assert_int_equal(r.flags, RECORD_UNCHECKED);
    r = (struct record){ .kind = RECORD_DISCHARGE }; /* asks no list anyway */
    session_apply(&s, &p, "MAIN-1", NOON, &r);
    assert_int_equal(r.flags, 0);
    r = (struct record){ .kind = RECORD_CHECKOUT };
    session_apply(&s, &p, "MAIN-1", NOON + DAY_MS, &r);
    assert_int_equal(r.flags, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(B8_a_chosen_due_date_is_forgotten_at_the_branchs_midnight),
        cmocka_unit_test(B8_midnight_is_the_branchs_on_the_days_that_clocks_change),
        cmocka_unit_test(a_clock_set_back_does_not_bring_an_old_date_to_life),
        cmocka_unit_test(B7_the_staff_name_stands_in_records_that_name_none),
        cmocka_unit_test(a_date_given_by_hand_wins),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(what_is_refused_changes_nothing),
        cmocka_unit_test(B10_what_the_policy_allows_may_be_chosen_and_stands_in_each_record),
        cmocka_unit_test(B10_the_policy_checks_what_may_be_chosen),
        cmocka_unit_test(B11_the_block_list_is_asked_again_from_midnight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
