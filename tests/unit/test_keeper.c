/* test_keeper.c - who may use the pages: codes, sessions, limits, PINs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "keeper.h"

#define HOUR 3600000ull

static const uint8_t *bytes(uint8_t c)
{
    static uint8_t all[4][KEEPER_SECRET_BYTES];
    static unsigned at;

    at = (at + 1) % 4;
    memset(all[at], c, KEEPER_SECRET_BYTES);
    return all[at];
}

static uint64_t enter(struct keeper *k, uint64_t now, uint8_t cookie)
{
    keeper_add_code(k, now, bytes(99));
    return keeper_enter(k, now, bytes(99), bytes(cookie), bytes((uint8_t)(cookie + 100)));
}

static void a_code_opens_once_and_within_a_minute(void **state)
{
    struct keeper k = { .last_id = 0 };

    (void)state;
    keeper_add_code(&k, 1000, bytes(1));
    keeper_add_code(&k, 1000, bytes(2));
    assert_int_equal(keeper_enter(&k, 1001, bytes(3), bytes(10), bytes(11)), 0);
    assert_int_equal(keeper_enter(&k, 1001, bytes(1), bytes(10), bytes(11)), 1);
    assert_int_equal(keeper_enter(&k, 1002, bytes(1), bytes(10), bytes(11)), 0);
    assert_int_equal(keeper_enter(&k, 1000 + KEEPER_CODE_MS, bytes(2), bytes(10), bytes(11)), 0);
    /* a slot that holds no code is no code of zeros */
    assert_int_equal(keeper_enter(&k, 1003, bytes(0), bytes(10), bytes(11)), 0);
}

static void the_oldest_code_goes_when_there_are_too_many(void **state)
{
    struct keeper k = { .last_id = 0 };

    (void)state;
    for (uint8_t i = 0; i <= KEEPER_CODES; i++)
        keeper_add_code(&k, 1000 + i, bytes((uint8_t)(i + 1)));
    assert_int_equal(keeper_enter(&k, 1100, bytes(1), bytes(10), bytes(11)), 0);
    for (uint8_t i = 1; i <= KEEPER_CODES; i++)
        assert_int_not_equal(keeper_enter(&k, 1100, bytes((uint8_t)(i + 1)), bytes(i), bytes(11)),
                             0);
}

static void a_session_needs_both_its_secrets_and_ends_after_a_day(void **state)
{
    struct keeper k = { .last_id = 0 };
    uint64_t a = enter(&k, 5, 1), b = enter(&k, 5, 2);

    (void)state;
    assert_int_equal(keeper_who(&k, 6, bytes(1), bytes(101)), a);
    assert_int_equal(keeper_who(&k, 6, bytes(2), bytes(102)), b);
    assert_int_equal(keeper_who(&k, 6, bytes(1), bytes(102)), 0);
    assert_int_equal(keeper_who(&k, 6, bytes(1), NULL), a); /* for its token */
    assert_int_equal(keeper_who(&k, 6, bytes(0), bytes(0)), 0);
    assert_memory_equal(keeper_token(&k, a), bytes(101), KEEPER_SECRET_BYTES);
    keeper_leave(&k, a);
    assert_int_equal(keeper_who(&k, 7, bytes(1), bytes(101)), 0);
    assert_null(keeper_token(&k, a));
    assert_int_equal(keeper_who(&k, 4 + KEEPER_SESSION_MS, bytes(2), bytes(102)), b);
    assert_int_equal(keeper_who(&k, 5 + KEEPER_SESSION_MS, bytes(2), bytes(102)), 0);
}

static void the_session_unused_for_longest_makes_room(void **state)
{
    struct keeper k = { .last_id = 0 };

    (void)state;
    for (uint8_t i = 0; i < KEEPER_SESSIONS; i++)
        enter(&k, 10 + i, (uint8_t)(i + 1));
    assert_int_equal(keeper_who(&k, 50, bytes(1), bytes(101)), 1); /* used: the second is older */
    enter(&k, 60, 77);
    assert_int_equal(keeper_who(&k, 61, bytes(1), bytes(101)), 1);
    assert_int_equal(keeper_who(&k, 61, bytes(2), bytes(102)), 0);
    assert_int_equal(keeper_who(&k, 61, bytes(77), bytes(177)), KEEPER_SESSIONS + 1);
}

static void twenty_changes_a_second_and_four_polls(void **state)
{
    struct keeper k = { .last_id = 0 };
    uint64_t a = enter(&k, 0, 1), b = enter(&k, 0, 2), c;

    (void)state;
    for (unsigned i = 0; i < KEEPER_CHANGES_S; i++)
        assert_true(keeper_change(&k, 5000 + i, a));
    assert_false(keeper_change(&k, 5999, a));
    assert_true(keeper_change(&k, 5999, b));
    assert_true(keeper_change(&k, 6000, a));
    for (unsigned i = 0; i < KEEPER_POLLS; i++)
        assert_true(keeper_poll_begin(&k, a));
    assert_false(keeper_poll_begin(&k, a));
    keeper_poll_end(&k, a);
    assert_true(keeper_poll_begin(&k, a));
    for (unsigned i = 0; i < KEEPER_POLLS; i++)
        assert_true(keeper_poll_begin(&k, b));
    c = enter(&k, 0, 3);
    for (unsigned i = 2 * KEEPER_POLLS; i < KEEPER_POLLS_ALL; i++)
        assert_true(keeper_poll_begin(&k, c));
    assert_false(keeper_poll_begin(&k, 0)); /* all of them: connections are left for the rest */
    keeper_leave(&k, a);
    for (unsigned i = 0; i < KEEPER_POLLS; i++)
        keeper_poll_end(&k, a); /* its requests end after it */
    assert_int_equal(k.polls, KEEPER_POLLS_ALL - KEEPER_POLLS);
}

static void a_pin_lifts_for_ten_minutes_without_a_touch(void **state)
{
    struct keeper k = { .last_id = 0 };
    uint64_t a = enter(&k, 0, 1), b = enter(&k, 0, 2);

    (void)state;
    assert_false(keeper_is_lifted(&k, 1, a));
    keeper_touch(&k, 1, a);
    assert_false(keeper_is_lifted(&k, 1, a));
    keeper_lift(&k, 1000, a);
    assert_true(keeper_is_lifted(&k, 999 + KEEPER_LIFT_MS, a));
    assert_false(keeper_is_lifted(&k, 1000, b));
    keeper_touch(&k, 500000, a);
    assert_true(keeper_is_lifted(&k, 499999 + KEEPER_LIFT_MS, a));
    assert_false(keeper_is_lifted(&k, 500000 + KEEPER_LIFT_MS, a));
    keeper_touch(&k, 500000 + KEEPER_LIFT_MS, a); /* too late */
    assert_false(keeper_is_lifted(&k, 500000 + KEEPER_LIFT_MS, a));
    keeper_lift(&k, HOUR, a);
    keeper_lower(&k, a);
    assert_false(keeper_is_lifted(&k, HOUR, a));
}

static void after_five_wrong_pins_the_wait_grows(void **state)
{
    static const uint64_t wait[] = { 30000, 60000, 120000, 240000, 480000, 900000, 900000 };
    struct keeper k = { .last_id = 0 };
    uint64_t now = 1000;

    (void)state;
    for (unsigned i = 0; i < KEEPER_PIN_FREE; i++) {
        assert_int_equal(keeper_pin_wait(&k, now, KEEPER_LEAD), 0);
        keeper_pin_tried(&k, now, KEEPER_LEAD, false);
    }
    for (unsigned i = 0; i < sizeof wait / sizeof wait[0]; i++) {
        assert_int_equal(keeper_pin_wait(&k, now, KEEPER_LEAD), wait[i]);
        now += wait[i];
        assert_int_equal(keeper_pin_wait(&k, now - 1, KEEPER_LEAD), 1);
        assert_int_equal(keeper_pin_wait(&k, now, KEEPER_LEAD), 0);
        keeper_pin_tried(&k, now, KEEPER_LEAD, false);
    }
    assert_int_equal(keeper_pin_wait(&k, now, KEEPER_ADMIN), 0);
    keeper_pin_tried(&k, now + HOUR, KEEPER_LEAD, true);
    keeper_pin_tried(&k, now + HOUR, KEEPER_LEAD, false);
    assert_int_equal(keeper_pin_wait(&k, now + HOUR, KEEPER_LEAD), 0);
}

static void sessions_outlive_a_crash_but_not_their_day(void **state)
{
    struct keeper k = { .last_id = 0 }, next = { .last_id = 0 };
    struct buf b = { 0 };
    int64_t wall = 1800000000000;
    uint64_t a = enter(&k, 5 * HOUR, 1), c;

    (void)state;
    keeper_lift(&k, 5 * HOUR, a);
    enter(&k, 7 * HOUR, 2);
    keeper_write(&k, 8 * HOUR, wall, &b);
    assert_int_equal(b.len, 2 * KEEPER_SESSION_BYTES);
    /* the PC was started anew an hour later: its other clock stands at a minute */
    keeper_read(&next, 60000, wall + (int64_t)HOUR, b.p, b.len);
    assert_int_equal(c = keeper_who(&next, 60000, bytes(1), bytes(101)), 1);
    assert_false(keeper_is_lifted(&next, 60000, c));
    assert_int_equal(keeper_who(&next, 59999 + 8 * HOUR, bytes(1), bytes(101)), 1);
    assert_int_equal(keeper_who(&next, 60000 + 8 * HOUR, bytes(1), bytes(101)), 0);
    assert_int_equal(keeper_who(&next, 60000 + 8 * HOUR, bytes(2), bytes(102)), 2);
    /* a day later, or by a clock that was set back, or cut short: nobody */
    memset(&next, 0, sizeof next);
    keeper_read(&next, 60000, wall + 12 * (int64_t)HOUR, b.p, b.len);
    keeper_read(&next, 60000, wall - 6 * (int64_t)HOUR, b.p, b.len);
    keeper_read(&next, 60000, wall, b.p, KEEPER_SESSION_BYTES - 1);
    assert_int_equal(next.last_id, 0);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_opens_once_and_within_a_minute),
        cmocka_unit_test(the_oldest_code_goes_when_there_are_too_many),
        cmocka_unit_test(a_session_needs_both_its_secrets_and_ends_after_a_day),
        cmocka_unit_test(the_session_unused_for_longest_makes_room),
        cmocka_unit_test(twenty_changes_a_second_and_four_polls),
        cmocka_unit_test(a_pin_lifts_for_ten_minutes_without_a_touch),
        cmocka_unit_test(after_five_wrong_pins_the_wait_grows),
        cmocka_unit_test(sessions_outlive_a_crash_but_not_their_day),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
