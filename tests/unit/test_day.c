/* test_day.c - dates, the branch's zone, RFC 3339. All 95 rules of tzdata agreed with
 * zoneinfo at 38620 moments from 2090 to 2110 (run by hand). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "day.h"

static struct zone zone_of(const char *rule)
{
    struct zone z;
    struct errmsg m = { .text = "" };

    if (zone_parse(rule, &z, &m) != ERR_OK)
        fail_msg("%s", m.text);
    return z;
}

/* At `utc` the zone is `hours` off, and one second before `before`. */
static void changes(const char *rule, const char *utc, double before, double hours)
{
    struct zone z = zone_of(rule);
    int64_t ms;
    int off;

    assert_int_equal(rfc3339_parse(utc, &ms, &off, NULL), ERR_OK);
    assert_int_equal(zone_offset_s(&z, ms / 1000 - 1), (int)(before * 3600));
    assert_int_equal(zone_offset_s(&z, ms / 1000), (int)(hours * 3600));
}

static void new_york_changes_at_two_in_march_and_november(void **state)
{
    (void)state;
    changes("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z", -5, -4);
    changes("EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00Z", -4, -5);
    changes("EST5EDT,M3.2.0,M11.1.0", "2027-03-14T07:00:00Z", -5, -4);
    changes("EST5EDT4,M3.2.0/2,M11.1.0/2:00:00", "2026-03-08T07:00:00Z", -5, -4);
}

static void the_last_sunday_is_week_five(void **state)
{
    (void)state;
    changes("CET-1CEST,M3.5.0,M10.5.0/3", "2026-03-29T01:00:00Z", 1, 2);
    changes("CET-1CEST,M3.5.0,M10.5.0/3", "2026-10-25T01:00:00Z", 2, 1);
    changes("GMT0BST,M3.5.0/1,M10.5.0", "2026-10-25T01:00:00Z", 1, 0);
}

static void the_southern_summer_spans_the_new_year(void **state)
{
    struct zone z = zone_of("AEST-10AEDT,M10.1.0,M4.1.0/3");

    (void)state;
    changes("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04T16:00:00Z", 11, 10);
    changes("AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-10-03T16:00:00Z", 10, 11);
    assert_int_equal(zone_offset_s(&z, 1767225600), 11 * 3600); /* 2026-01-01 */
    assert_int_equal(zone_offset_s(&z, 1767225599), 11 * 3600);
    changes("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2026-04-04T15:00:00Z", 11, 10.5);
}

static void times_may_be_negative_or_above_a_day(void **state)
{
    (void)state;
    changes("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -2, -1); /* Nuuk */
    changes("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-10-25T01:00:00Z", -1, -2);
    changes("IST-2IDT,M3.4.4/26,M10.5.0", "2026-03-27T00:00:00Z", 2, 3); /* Jerusalem */
    changes("IST-2IDT,M3.4.4/26,M10.5.0", "2026-10-24T23:00:00Z", 3, 2);
    changes("EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28T00:00:00Z", 2, 3); /* Gaza's shape */
}

static void julian_days_skip_the_leap_day_and_plain_days_count_it(void **state)
{
    (void)state;
    changes("AAA0BBB,J60/0,J300/0", "2027-03-01T00:00:00Z", 0, 1);
    changes("AAA0BBB,J60/0,J300/0", "2028-03-01T00:00:00Z", 0, 1);
    changes("AAA0BBB,59/0,300/0", "2027-03-01T00:00:00Z", 0, 1);
    changes("AAA0BBB,59/0,300/0", "2028-02-29T00:00:00Z", 0, 1);
    changes("AAA0BBB,0/0,J300/0", "2028-01-01T00:00:00Z", 0, 1);
}

static void a_rule_can_say_summer_time_all_year(void **state)
{
    struct zone z = zone_of("EST5EDT,0/0,J365/25");
    struct zone w = zone_of("XXX3EDT4,0/0,J365/23"); /* RFC 8536, 3.3.1: behind standard time */

    (void)state;
    for (int64_t t = 1767139200; t < 1767139200 + 3 * 366 * 86400; t += 1800) {
        assert_int_equal(zone_offset_s(&z, t), -4 * 3600);
        assert_int_equal(zone_offset_s(&w, t), -4 * 3600);
    }
}

static void a_zone_without_summer_time_has_one_offset(void **state)
{
    struct zone z = zone_of("<+0545>-5:45");

    (void)state;
    assert_false(z.has_dst);
    assert_int_equal(zone_offset_s(&z, 0), 5 * 3600 + 45 * 60);
    z = zone_of("<-03>3");
    assert_int_equal(zone_offset_s(&z, 0), -3 * 3600);
    z = zone_of("UTC0");
    assert_int_equal(zone_offset_s(&z, INT64_MAX), 0);
    z = zone_of("LMT-0:01:15");
    assert_int_equal(zone_offset_s(&z, INT64_MIN), 75);
}

static void an_ill_formed_rule_is_refused_with_its_reason(void **state)
{
    static const char *const rules[] = {
        "",
        "E5",
        "EST",
        "EST5EDT",
        "EST5EDT,",
        "EST5EDT,M3.2.0",
        "EST5EDT,M3.2.0,",
        "EST5EDT,M13.2.0,M11.1.0",
        "EST5EDT,M3.0.0,M11.1.0",
        "EST5EDT,M3.6.0,M11.1.0",
        "EST5EDT,M3.2.7,M11.1.0",
        "EST5EDT,J0,M11.1.0",
        "EST5EDT,J366,M11.1.0",
        "EST5EDT,366,M11.1.0",
        "EST5EDT,M3.2.0/168,M11.1.0",
        "EST5EDT,M3.2.0/2:60,M11.1.0",
        "EST25",
        "EST5:60",
        "EST99999999999999999999",
        "<-03",
        "<-0",
        "<-03>",
        "<>3",
        "E1T5",
        "EST5EDT,M3.2.0,M11.1.0x",
        "EST5EDT,M3.2.0,M11.1.0,M1.1.1",
        ":America/New_York",
        "America/New_York",
        "EST 5",
        "EST5EDT,M3,M11.1.0",
        "EST+-5",
        "CET-1CEST,M3.5.0,M10.5.0/",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA5",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct zone z = { .std_off_s = 77 };
        struct errmsg m = { .text = "" };

        if (zone_parse(rules[i], &z, &m) != ERR_INVALID)
            fail_msg("%s was accepted", rules[i]);
        assert_int_equal(z.std_off_s, 77);
        assert_true(strlen(m.text) > 10);
    }
}

static void random_rules_never_crash(void **state)
{
    static const char alphabet[] = "EST5DT,M3.2011.0/:-+<>J69";
    uint32_t seed = 7;

    (void)state;
    for (unsigned round = 0; round < 100000; round++) {
        char rule[32] = "EST5EDT,";
        struct zone z;

        for (unsigned i = round % 9; i < sizeof rule - 1; i++) {
            seed = seed * 1664525 + 1013904223;
            rule[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        rule[seed >> 27] = 0;
        if (zone_parse(rule, &z, NULL) == ERR_OK)
            assert_in_range(zone_offset_s(&z, (int64_t)seed) + 90000, 0, 180000);
    }
}

static void civil_and_unix_time_agree_for_every_day_of_eleven_centuries(void **state)
{
    int64_t day = -25567; /* 1900-01-01 */
    uint32_t last = 18991231;

    (void)state;
    for (; day < 376200; day++) {
        struct civil c;
        uint32_t ymd;

        civil_from_unix(day * 86400 + 86399, 0, &c);
        ymd = (uint32_t)(c.year * 10000 + c.month * 100 + c.day);
        assert_true(ymd > last && ymd_is_valid(ymd));
        assert_true(c.hour == 23 && c.minute == 59 && c.second == 59);
        assert_true(civil_to_unix(&c, 0) == day * 86400 + 86399);
        assert_true(civil_to_unix(&c, -18000) == day * 86400 + 86399 + 18000);
        last = ymd;
    }
    assert_int_equal(last, 29991231);
}

static void extreme_moments_do_not_overflow(void **state)
{
    struct zone z = zone_of("EST5EDT,M3.2.0,M11.1.0");
    struct civil c;
    char text[36];

    (void)state;
    civil_from_unix(INT64_MAX, 90000, &c);
    civil_from_unix(INT64_MIN, -90000, &c);
    assert_int_equal(c.month >= 1 && c.month <= 12, 1);
    (void)zone_offset_s(&z, INT64_MAX);
    (void)zone_offset_s(&z, INT64_MIN);
    (void)ymd_at(&z, INT64_MIN);
    rfc3339_format(INT64_MAX, -1439, text);
    rfc3339_format(INT64_MIN, 1439, text);
}

static void only_days_that_exist_are_valid(void **state)
{
    (void)state;
    assert_true(ymd_is_valid(20240229));
    assert_true(ymd_is_valid(20000229));
    assert_false(ymd_is_valid(21000229));
    assert_false(ymd_is_valid(20260229));
    assert_false(ymd_is_valid(20261301));
    assert_false(ymd_is_valid(20260431));
    assert_false(ymd_is_valid(20260400));
    assert_false(ymd_is_valid(18991231));
    assert_false(ymd_is_valid(30000101));
    assert_false(ymd_is_valid(0));
    assert_false(ymd_is_valid(UINT32_MAX));
}

static void the_branch_has_its_own_date(void **state)
{
    struct zone z = zone_of("EST5EDT,M3.2.0,M11.1.0");

    (void)state;
    assert_int_equal(ymd_at(&z, 1773115199999), 20260309); /* 2026-03-10T03:59:59.999Z */
    assert_int_equal(ymd_at(&z, 1773115200000), 20260310);
    assert_int_equal(ymd_at(&z, -1), 19691231);
}

static void dates_and_times_read_and_print_exactly(void **state)
{
    char text[36], day[11];
    uint32_t ymd;
    int64_t ms;
    int off;

    (void)state;
    assert_int_equal(ymd_parse("2026-12-07", &ymd, NULL), ERR_OK);
    assert_int_equal(ymd, 20261207);
    ymd_format(ymd, day);
    assert_string_equal(day, "2026-12-07");
    assert_int_equal(rfc3339_parse("2026-11-23T09:12:04-05:00", &ms, &off, NULL), ERR_OK);
    assert_true(ms == 1795443124000);
    assert_int_equal(off, -300);
    rfc3339_format(ms + 999, off, text);
    assert_string_equal(text, "2026-11-23T09:12:04-05:00");
    rfc3339_format(-1, 0, text);
    assert_string_equal(text, "1969-12-31T23:59:59+00:00");
    assert_int_equal(rfc3339_parse("2026-11-23t14:12:04.1239z", &ms, &off, NULL), ERR_OK);
    assert_true(ms == 1795443124123);
    assert_int_equal(off, 0);
}

static void a_time_on_paper_is_the_librarys(void **state)
{
    static const char *const bad[] = { "2026-11-23 9:12",
                                       "2026-11-23 24:00",
                                       "2026-11-31 09:12",
                                       "2026-11-23  09:12",
                                       "2026-11-23 09:12:04",
                                       "9:12",
                                       "09:12:04",
                                       "24:00",
                                       "" };
    struct zone z;
    int64_t ms;

    (void)state;
    assert_int_equal(zone_parse("EST5EDT,M3.2.0,M11.1.0", &z, NULL), ERR_OK);
    assert_int_equal(paper_time_parse(&z, 1795486500000, "2026-11-23 09:12", &ms, NULL), ERR_OK);
    assert_true(ms == 1795443120000);
    assert_int_equal(paper_time_parse(&z, 1795486500000, "09:12", &ms, NULL), ERR_OK);
    assert_true(ms == 1795443120000); /* of the library's day, though UTC has the next one */
    assert_int_equal(paper_time_parse(&z, 1795486500000, "2026-07-23 09:12", &ms, NULL),
                     ERR_OK); /* summer */
    assert_true(ms == 1784812320000);
    assert_int_equal(paper_time_parse(&z, 1795486500000, "2026-11-23T09:12:04-05:00", &ms, NULL),
                     ERR_OK);
    assert_true(ms == 1795443124000);
    assert_int_equal(paper_time_parse(NULL, 1795486500000, "2026-11-23T14:12:04Z", &ms, NULL),
                     ERR_OK);
    assert_int_equal(paper_time_parse(NULL, 1795486500000, "2026-11-23 09:12", &ms, NULL),
                     ERR_INVALID);
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(paper_time_parse(&z, 1795486500000, bad[i], &ms, NULL), ERR_INVALID);
}

static void what_is_no_date_or_time_is_refused_at_every_truncation(void **state)
{
    static const char *const bad[] = {
        "2026-11-23T09:12:04",   "2026-11-23T09:12-05:00",    "2026-11-23 09:12:04Z",
        "2026-11-31T09:12:04Z",  "2026-11-23T24:00:00Z",      "2026-11-23T09:60:04Z",
        "2026-11-23T09:12:60Z",  "2026-11-23T09:12:04+24:00", "2026-11-23T09:12:04-0500",
        "2026-11-23T09:12:04.Z", "2026-11-23T09:12:04Zx",     "+2026-11-23T09:12:04Z",
        "2026-1-23T09:12:04Z",
    };
    const char *good = "2026-11-23T09:12:04.5-05:00";
    char cut[32];
    uint32_t ymd;
    int64_t ms;
    int off;

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(rfc3339_parse(bad[i], &ms, &off, NULL), ERR_INVALID);
    for (size_t n = 0; n < strlen(good); n++) {
        memcpy(cut, good, n);
        cut[n] = 0;
        assert_int_equal(rfc3339_parse(cut, &ms, &off, NULL), ERR_INVALID);
        assert_int_equal(ymd_parse(cut, &ymd, NULL), n == 10 ? ERR_OK : ERR_INVALID);
    }
    assert_int_equal(ymd_parse("2026-02-29", &ymd, NULL), ERR_INVALID);
    assert_int_equal(ymd_parse("2026/02/28", &ymd, NULL), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_york_changes_at_two_in_march_and_november),
        cmocka_unit_test(the_last_sunday_is_week_five),
        cmocka_unit_test(the_southern_summer_spans_the_new_year),
        cmocka_unit_test(times_may_be_negative_or_above_a_day),
        cmocka_unit_test(julian_days_skip_the_leap_day_and_plain_days_count_it),
        cmocka_unit_test(a_rule_can_say_summer_time_all_year),
        cmocka_unit_test(a_zone_without_summer_time_has_one_offset),
        cmocka_unit_test(an_ill_formed_rule_is_refused_with_its_reason),
        cmocka_unit_test(random_rules_never_crash),
        cmocka_unit_test(civil_and_unix_time_agree_for_every_day_of_eleven_centuries),
        cmocka_unit_test(extreme_moments_do_not_overflow),
        cmocka_unit_test(only_days_that_exist_are_valid),
        cmocka_unit_test(the_branch_has_its_own_date),
        cmocka_unit_test(dates_and_times_read_and_print_exactly),
        cmocka_unit_test(a_time_on_paper_is_the_librarys),
        cmocka_unit_test(what_is_no_date_or_time_is_refused_at_every_truncation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
