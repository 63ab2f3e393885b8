/* test_practice.c - the drill: its steps, what ends it, its numbers, its reports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "desk.h"
#include "practice.h"

#define NOON   INT64_C(1795694400000) /* 2026-11-26, 07:00 in New York */
#define DAY_MS INT64_C(86400000)

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

struct drilling {
    struct policy policy;
    struct practice p;
    struct session session;
    struct box box;
    struct practice_moment now;
    struct errmsg msg;
};

static struct drilling begun(void)
{
    struct drilling d = { .policy = policy_of(""), .now = { 1000, NOON } };

    assert_int_equal(practice_begin(&d.p, &d.now, WATCH_ONLINE, "Ana", 7, &d.msg), ERR_OK);
    box_init(&d.box);
    return d;
}

/* One scan as the node carries it out. True: that finished the drill. */
static bool scan(struct drilling *d, const char *raw)
{
    struct box before = d->box;
    struct box_answer a;
    char id[RECORD_ID_TEXT] = "";
    enum err e;

    d->msg = (struct errmsg){ .text = "" };
    d->now.boot_ms += 2000;
    practice_settle(&d->p, &d->box);
    e = box_take(&d->box, &d->policy, raw, strlen(raw), false, &a, &d->msg);
    if (e == ERR_OK && a.act == BOX_RECORD) {
        struct record r = { .kind = a.kind, .due = DUE_BY_RULE };
        memcpy(r.user, a.user, sizeof r.user);
        memcpy(r.item, a.item, sizeof r.item);
        e = practice_record(&d->p, &d->policy, &d->session, "MAIN-1", NOON, &r, id, &d->msg);
        if (e == ERR_OK)
            box_recorded(&d->box, &a);
    }
    if (e == ERR_OK && a.act == BOX_UNDO && before.item[0] == 0)
        e = err_why(&d->msg, ERR_INVALID, "nothing_to_undo", "", "nothing");
    if (e != ERR_OK)
        d->box = before;
    return practice_judge(&d->p, d->now.boot_ms, &d->box, e, d->msg.why, &a);
}

#define USER   d.policy.practice_user
#define ITEM   d.policy.practice_item[0]
#define SECOND d.policy.practice_item[1]

static void P6_seven_steps_without_a_mistake(void **state)
{
    struct drilling d = begun();
    struct drill kept;

    (void)state;
    assert_string_equal(practice_shown(&d.p, &d.box, &d.policy), USER);
    assert_string_equal(practice_key(&d.p, NULL), "practice_card");
    assert_false(scan(&d, USER));
    assert_string_equal(practice_shown(&d.p, &d.box, &d.policy), ITEM);
    assert_false(scan(&d, ITEM));
    assert_false(scan(&d, SECOND));
    assert_string_equal(practice_shown(&d.p, &d.box, &d.policy), "*UNDO");
    assert_false(scan(&d, "*UNDO"));
    assert_false(scan(&d, "*DISCHARGE"));
    assert_int_equal(d.p.drill.step, PRACTICE_WRONG);
    assert_false(scan(&d, USER));
    assert_string_equal(d.msg.why, "wrong_slot");
    assert_true(scan(&d, ITEM));
    assert_string_equal(practice_sentence(&d.p, &d.box), "you are ready");
    assert_int_equal(drill_mistakes(&d.p.drill), 0);
    assert_int_equal(d.p.drill.took_ms, 14000);
    assert_string_equal(d.p.drill.staff, "Ana");
    assert_false(scan(&d, USER)); /* free from here on */
    assert_int_equal(drill_mistakes(&d.p.drill), 0);
    assert_false(practice_end(&d.p, &d.now, PRACTICE_OFF, &kept)); /* reported when it was done */
}

/* Follows what the drill says, whatever happened before; at most so many scans. */
static unsigned follow(struct drilling *d)
{
    for (unsigned n = 1; n < 20; n++)
        if (scan(d, practice_shown(&d->p, &d->box, &d->policy)))
            return n;
    fail_msg("the way does not lead to its end: step %u", d->p.drill.step);
    return 0;
}

static void P6_what_does_not_lead_on_is_a_mistake_and_the_way_is_found_again(void **state)
{
    static const char *const strays[] = {
        "x",         "*NEXT",    "*UNDO",          "*RENEW",
        "*NEWUSER",  "*INHOUSE", "29999000001016", "39999000005015",
        "*CHECKOUT", "*OK",      "*DUE14",         "*DISCHARGE"
    };
    const unsigned many = sizeof strays / sizeof strays[0];

    (void)state;
    for (unsigned at = 0; at < 7; at++)
        for (unsigned i = 0; i < many; i++)
            for (unsigned k = 0; k < many; k++) {
                struct drilling d = begun();
                for (unsigned n = 0; n < at; n++)
                    scan(&d, practice_shown(&d.p, &d.box, &d.policy));
                scan(&d, strays[i]);
                if (!scan(&d, strays[k]) && d.p.drill.step < PRACTICE_READY)
                    follow(&d);
                assert_int_equal(d.p.drill.step, PRACTICE_READY);
            }
}

static void P6_mistakes_are_counted_at_their_step(void **state)
{
    struct drilling d = begun();

    (void)state;
    scan(&d, ITEM); /* no user is open */
    scan(&d, USER);
    scan(&d, "39999000005016"); /* check digit */
    scan(&d, "*DUE14");         /* no mistake */
    scan(&d, ITEM);
    scan(&d, ITEM); /* the same again */
    scan(&d, SECOND);
    assert_int_equal(d.p.drill.mistakes[PRACTICE_CARD], 1);
    assert_int_equal(d.p.drill.mistakes[PRACTICE_ITEM], 1);
    assert_int_equal(d.p.drill.mistakes[PRACTICE_SECOND], 1);
    assert_int_equal(drill_mistakes(&d.p.drill), 3);
    assert_int_equal(d.p.drill.step, PRACTICE_UNDO);
}

static void P6_a_lost_box_leads_back_to_the_card(void **state)
{
    struct drilling d = begun();

    (void)state;
    scan(&d, USER);
    scan(&d, ITEM);
    box_init(&d.box); /* the page was loaded anew */
    practice_settle(&d.p, &d.box);
    assert_int_equal(d.p.drill.step, PRACTICE_CARD);
    follow(&d);
    assert_int_equal(drill_mistakes(&d.p.drill), 0);
}

static void P2_it_does_not_begin_in_an_outage(void **state)
{
    static const enum watch_state no[] = { WATCH_OFFLINE, WATCH_BACK },
                                  yes[] = { WATCH_UNKNOWN, WATCH_ONLINE, WATCH_BACKUP };
    struct practice_moment now = { 5, NOON };
    struct errmsg msg = { .text = "" };
    struct practice p = { .on = false };

    (void)state;
    for (unsigned i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_int_equal(practice_begin(&p, &now, no[i], "", 1, &msg), ERR_REFUSED);
        assert_string_equal(msg.why, "outage");
        assert_false(p.on);
    }
    for (unsigned i = 0; i < sizeof yes / sizeof yes[0]; i++)
        assert_int_equal(practice_begin(&p, &now, yes[i], "", 1, &msg), ERR_OK);
}

static void P3_an_outage_or_an_hour_ends_it(void **state)
{
    struct drilling d = begun();
    struct drill kept;

    (void)state;
    assert_int_equal(practice_due(&d.p, 1000 + PRACTICE_MS - 1, WATCH_ONLINE), PRACTICE_GOES_ON);
    assert_int_equal(practice_due(&d.p, 1000 + PRACTICE_MS, WATCH_ONLINE), PRACTICE_HOUR);
    assert_int_equal(practice_due(&d.p, 2000, WATCH_OFFLINE), PRACTICE_OUTAGE);
    assert_int_equal(practice_due(&d.p, 2000, WATCH_BACK), PRACTICE_OUTAGE);
    assert_int_equal(practice_due(&d.p, 2000, WATCH_UNKNOWN), PRACTICE_GOES_ON);
    scan(&d, USER);
    assert_true(practice_end(&d.p, &d.now, PRACTICE_OUTAGE, &kept));
    assert_int_equal(kept.step, PRACTICE_ITEM);
    assert_int_equal(kept.took_ms, 2000);
    assert_int_equal(practice_due(&d.p, 2000, WATCH_OFFLINE), PRACTICE_GOES_ON); /* once */
    assert_string_equal(practice_end_name(d.p.ended), "outage");
}

static void a_drill_that_nobody_began_is_no_drill(void **state)
{
    struct drilling d = begun();
    struct drill kept;

    (void)state;
    assert_false(practice_end(&d.p, &d.now, PRACTICE_OFF, &kept));
}

static void P5_numbers_fit_the_branchs_patterns_and_are_never_recorded(void **state)
{
    static const char *const policies[] = {
        "",
        "[scan]\ncheck_digit = none\n",
        "[scan]\ncheck_digit = none\nuser_pattern = P[0-9]{6}\nitem_pattern = [A-Z]{2}[0-9]{6,8}\n",
        "[scan]\ncheck_digit = none\nuser_pattern = [0-9]{10}\nitem_pattern = [0-9]{10}\n",
        "[scan]\nuser_pattern = [0-9]{8}\nitem_pattern = [0-9]{8}\n",
        "[scan]\ncheck_digit = none\nitem_pattern = XB [0-9]{4}\n",
    };

    (void)state;
    for (unsigned i = 0; i < sizeof policies / sizeof policies[0]; i++) {
        struct policy p = policy_of(policies[i]);
        struct record r = { .kind = RECORD_DISCHARGE };
        struct scan s;

        assert_int_equal(scan_read(&p, p.practice_user, strlen(p.practice_user), false, &s, NULL),
                         ERR_OK);
        assert_true(s.what == SCAN_USER || s.what == SCAN_EITHER);
        for (unsigned k = 0; k < 2; k++) {
            const char *item = p.practice_item[k];
            assert_int_equal(scan_read(&p, item, strlen(item), false, &s, NULL), ERR_OK);
            assert_true(s.what == SCAN_ITEM || s.what == SCAN_EITHER);
            assert_string_not_equal(item, p.practice_user);
            memcpy(r.item, item, sizeof r.item);
            assert_true(desk_is_practice(&p, &r));
        }
        assert_string_not_equal(p.practice_item[0], p.practice_item[1]);
        memcpy(r.item, "39999000005015", 15);
        assert_false(desk_is_practice(&p, &r));
        memcpy(r.user, p.practice_user, sizeof r.user);
        assert_true(desk_is_practice(&p, &r));
    }
}

static void P5_patterns_without_a_number_to_spare_have_none(void **state)
{
    struct policy p = policy_of("[scan]\ncheck_digit = none\nuser_pattern = P1\nitem_pattern = "
                                "P[1-2]\n");
    struct record r = { .kind = RECORD_DISCHARGE };

    (void)state;
    assert_string_equal(p.practice_user, "P1");
    assert_string_equal(p.practice_item[0], "P2");
    assert_string_equal(p.practice_item[1], "");
    assert_false(desk_is_practice(&p, &r));              /* "" is no number */
    p = policy_of("[scan]\nuser_pattern = P[0-9]{6}\n"); /* letters have no check digit */
    assert_string_equal(p.practice_user, "");
}

static void samples_are_the_highest_first(void **state)
{
    char out[BARCODE_MAX + 1];

    (void)state;
    assert_true(pattern_sample("2[0-9]{3}", 0, out));
    assert_string_equal(out, "2999");
    assert_true(pattern_sample("2[0-9]{3}", 12, out));
    assert_string_equal(out, "2987");
    assert_true(pattern_sample("[A-Z0-9]{0,3}[A-C]", 1, out));
    assert_string_equal(out, "B");
    assert_true(pattern_sample("2[0-9]{3}", 999, out));
    assert_string_equal(out, "2000");
    assert_false(pattern_sample("2[0-9]{3}", 1000, out));
    assert_false(pattern_sample("[0-9]{40}", 0, out));
    assert_false(pattern_sample("[0-9]{0,4}", 0, out));
    assert_false(pattern_sample("[", 0, out));
}

/* ---- reports ---- */

static struct drill drill_at(int64_t at_ms, unsigned step)
{
    struct drill d = { .staff = "Ana", .at_ms = at_ms, .took_ms = 72000, .step = (uint8_t)step };

    d.mistakes[PRACTICE_SECOND] = 2;
    return d;
}

static void reports_go_after_their_days_and_the_date_of_the_last_stays(void **state)
{
    static struct drills d;
    struct drill one = drill_at(NOON, PRACTICE_READY);

    (void)state;
    memset(&d, 0, sizeof d);
    drills_add(&d, &one);
    one = drill_at(NOON + 1000, PRACTICE_UNDO);
    drills_add(&d, &one);
    assert_int_equal(d.last_ms, NOON + 72000);
    assert_false(drills_forget(&d, NOON + DAY_MS - 1, 1));
    assert_true(drills_forget(&d, NOON + DAY_MS, 1));
    assert_int_equal(d.n, 1);
    assert_int_equal(d.v[0].step, PRACTICE_UNDO);
    assert_int_equal(d.v[1].staff[0], 0); /* the name is gone from memory, too */
    assert_true(drills_forget(&d, NOON - 2 * DAY_MS, 1));
    assert_int_equal(d.n, 0);
    assert_int_equal(d.last_ms, NOON + 72000);
    one = drill_at(NOON, PRACTICE_READY);
    drills_add(&d, &one);
    assert_true(drills_forget(&d, NOON, 0));
}

static void reports_are_read_back_as_written_and_never_half(void **state)
{
    static struct drills d, back;
    struct buf b = { 0 };

    (void)state;
    memset(&d, 0, sizeof d);
    for (unsigned i = 0; i < DRILLS_MAX + 3; i++) {
        struct drill one = drill_at(NOON + i, i % (PRACTICE_STEPS + 1));
        memset(one.staff, 'x', STAFF_MAX);
        one.staff[STAFF_MAX] = 0;
        drills_add(&d, &one);
    }
    assert_int_equal(d.v[0].at_ms, NOON + 3);
    drills_write(&d, &b);
    assert_true(b.len <= DRILLS_BYTES);
    assert_int_equal(drills_read(b.p, b.len, &back, NULL), ERR_OK);
    assert_int_equal(back.n, DRILLS_MAX);
    assert_int_equal(back.last_ms, d.last_ms);
    assert_memory_equal(&back.v[DRILLS_MAX - 1], &d.v[DRILLS_MAX - 1], sizeof d.v[0]);
    for (size_t n = 0; n < b.len; n += 97) {
        assert_int_equal(drills_read(b.p, n, &back, NULL), ERR_MALFORMED);
        assert_int_equal(back.n, 0);
    }
    b.p[1] = 2; /* version */
    assert_int_equal(drills_read(b.p, b.len, &back, NULL), ERR_MALFORMED);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(P6_seven_steps_without_a_mistake),
        cmocka_unit_test(P6_what_does_not_lead_on_is_a_mistake_and_the_way_is_found_again),
        cmocka_unit_test(P6_mistakes_are_counted_at_their_step),
        cmocka_unit_test(P6_a_lost_box_leads_back_to_the_card),
        cmocka_unit_test(P2_it_does_not_begin_in_an_outage),
        cmocka_unit_test(P3_an_outage_or_an_hour_ends_it),
        cmocka_unit_test(a_drill_that_nobody_began_is_no_drill),
        cmocka_unit_test(P5_numbers_fit_the_branchs_patterns_and_are_never_recorded),
        cmocka_unit_test(P5_patterns_without_a_number_to_spare_have_none),
        cmocka_unit_test(samples_are_the_highest_first),
        cmocka_unit_test(reports_go_after_their_days_and_the_date_of_the_last_stays),
        cmocka_unit_test(reports_are_read_back_as_written_and_never_half),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
