/* test_watch.c - patience with a server that comes and goes. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "watch.h"

#define OFF  3
#define BACK 5

/* '+': the primary answers, 'b': only the backup does, '-': neither. */
static enum watch_state after(struct watch *w, const char *looks)
{
    for (; *looks; looks++) {
        struct watch_check c = { .primary = *looks == '+', .backup = *looks == 'b' };
        if (*looks != '+')
            snprintf(c.why, sizeof c.why, "refused");
        watch_take(w, OFF, BACK, &c, w->checked_ms + 1000);
    }
    return w->seen;
}

static void first_good_look_is_enough(void **state)
{
    struct watch w = { 0 };

    (void)state;
    assert_int_equal(after(&w, ""), WATCH_UNKNOWN);
    assert_int_equal(after(&w, "+"), WATCH_ONLINE);
    assert_int_equal(w.since_ms, 1000);
}

static void a_start_without_a_server_takes_its_time(void **state)
{
    struct watch w = { 0 };

    (void)state;
    assert_int_equal(after(&w, "--"), WATCH_UNKNOWN);
    assert_int_equal(after(&w, "-"), WATCH_OFFLINE);
}

static void single_failures_and_single_answers_change_nothing(void **state)
{
    struct watch w = { 0 };

    (void)state;
    assert_int_equal(after(&w, "+--+--+--"), WATCH_ONLINE);
    assert_int_equal(after(&w, "-"), WATCH_OFFLINE);
    assert_int_equal(after(&w, "++++-++++-++++"), WATCH_OFFLINE);
    assert_string_equal(w.why, "refused");
    assert_int_equal(after(&w, "+"), WATCH_ONLINE);
    assert_string_equal(w.why, "");
    assert_int_equal(w.checks, 25);
    assert_int_equal(w.failures, 9);
}

static void the_backup_is_tried_before_offline(void **state)
{
    struct watch w = { 0 };

    (void)state;
    after(&w, "+");
    assert_int_equal(after(&w, "bb"), WATCH_ONLINE);
    assert_int_equal(after(&w, "b"), WATCH_BACKUP);
    assert_int_equal(after(&w, "--"), WATCH_BACKUP);
    assert_int_equal(after(&w, "-"), WATCH_OFFLINE);
    assert_int_equal(after(&w, "bbbb"), WATCH_OFFLINE);
    assert_int_equal(after(&w, "b"), WATCH_BACKUP);
    assert_int_equal(after(&w, "++++"), WATCH_BACKUP);
    assert_int_equal(after(&w, "+"), WATCH_ONLINE);
}

static void upload_first(void **state)
{
    struct watch w = { 0 };

    (void)state;
    after(&w, "---");
    assert_int_equal(watch_shown(&w, true, false), WATCH_OFFLINE);
    after(&w, "+++++");
    assert_int_equal(watch_shown(&w, true, false), WATCH_BACK);
    assert_int_equal(watch_shown(&w, true, true), WATCH_ONLINE);
    assert_int_equal(watch_shown(&w, false, false), WATCH_ONLINE);
    after(&w, "bbb");
    assert_int_equal(watch_shown(&w, true, false), WATCH_BACK);
    assert_int_equal(watch_shown(&w, false, false), WATCH_BACKUP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_good_look_is_enough),
        cmocka_unit_test(a_start_without_a_server_takes_its_time),
        cmocka_unit_test(single_failures_and_single_answers_change_nothing),
        cmocka_unit_test(the_backup_is_tried_before_offline),
        cmocka_unit_test(upload_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
