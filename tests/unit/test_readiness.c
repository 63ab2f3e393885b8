/* What readiness.h judges: each fact alone, from a desk that lacks nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

#include "practice.h"
#include "readiness.h"

#define NOW INT64_C(1795500000000)
#define DAY INT64_C(86400000)

static struct readiness_facts fine(void)
{
    return (struct readiness_facts){
        .saving = true,
        .commit_us = 900,
        .disk_free = 5 * READY_DISK_LOW,
        .ground = GROUND_DISK,
        .outlived = true,
        .clock_kept = true,
        .clock_known = true,
        .clock_warn_ms = 5000,
        .watched = true,
        .has_list = true,
        .list_age_ms = DAY,
        .list_warn_ms = 7 * DAY,
        .now_ms = NOW,
        .scan_ms = NOW - 2 * DAY,
        .drill_ms = NOW - 20 * DAY,
        .backup_ms = NOW - 300 * DAY,
        .lead_desks = 2,
        .others = 3,
        .online = 2,
        .has_sink = true,
    };
}

/* The only row that is not good, or that of `check`. */
static struct ready_row found(const struct readiness_facts *f, const char *check)
{
    struct ready_row row[READY_ROWS], out = { READY_GOOD, "", "", 0, 0 };
    unsigned n = readiness_judge(f, row);

    assert_in_range(n, 1, READY_ROWS);
    for (unsigned i = 0; i < n; i++)
        if (check ? strcmp(row[i].check, check) == 0 : row[i].state != READY_GOOD) {
            assert_string_equal(out.check, "");
            out = row[i];
        }
    return out;
}

static void a_desk_that_lacks_nothing_is_ready(void **state)
{
    struct readiness_facts f = fine();

    (void)state;
    assert_string_equal(found(&f, NULL).check, "");
    assert_int_equal(found(&f, "copies").n, 2);
    assert_int_equal(found(&f, "drill").n, 20);
    assert_true(found(&f, "drill").at_ms == NOW - 20 * DAY);
}

#define LACKS(change, what, how)                                                                   \
    do {                                                                                           \
        struct readiness_facts f = fine();                                                         \
        change;                                                                                    \
        assert_string_equal(found(&f, NULL).code, what);                                           \
        assert_int_equal(found(&f, NULL).state, how);                                              \
    } while (0)

static void each_lack_is_one_row(void **state)
{
    (void)state;
    LACKS(f.saving = false, "not_saving", READY_BAD);
    LACKS(f.commit_us = READY_WRITE_US + 1, "write_slow", READY_WARN);
    LACKS(f.disk_free = READY_DISK_LOW - 1, "disk_low", READY_WARN);
    LACKS(f.ground = GROUND_MEMORY, "ground_memory", READY_BAD);
    LACKS(f.outlived = false, "restart_unknown", READY_WARN);
    LACKS((f.outlived = false, f.ground = GROUND_LAYERED), "ground_layered", READY_WARN);
    LACKS(f.forgot = true, "restart_forgot", READY_WARN);
    LACKS(f.clock_kept = false, "clock_unkept", READY_WARN);
    LACKS(f.ahead_ms = -95000, "clock_off", READY_WARN);
    LACKS(f.clock_impossible = true, "clock_impossible", READY_BAD);
    LACKS(f.watched = false, "server_unwatched", READY_WARN);
    LACKS(f.has_sink = false, "sink_none", READY_WARN);
    LACKS(f.online = 0, "copies_none", READY_WARN);
    LACKS(f.others = f.online = 0, "alone", READY_WARN);
    LACKS(f.has_list = false, "list_none", READY_WARN);
    LACKS(f.list_age_ms = 7 * DAY, "list_old", READY_WARN);
    LACKS(f.scan_ms = 0, "scan_never", READY_WARN);
    LACKS(f.scan_ms = NOW - 32 * DAY, "scan_old", READY_WARN);
    LACKS(f.drill_ms = 0, "drill_never", READY_WARN);
    LACKS(f.drill_ms = NOW - 32 * DAY, "drill_old", READY_WARN);
    LACKS(f.backup_ms = 0, "backup_never", READY_WARN);
    LACKS(f.backup_ms = NOW - 401 * DAY, "backup_old", READY_WARN);
    LACKS(f.lead_desks = 1, "leads_one", READY_WARN);
}

static void a_date_in_the_future_is_today(void **state)
{
    struct readiness_facts f = fine();

    (void)state;
    f.drill_ms = NOW + 5 * DAY; /* the clock was set back since */
    assert_int_equal(found(&f, "drill").n, 0);
    assert_int_equal(found(&f, "drill").state, READY_GOOD);
}

static void a_scan_is_noted_once_an_hour(void **state)
{
    static struct drills d, back;
    struct buf b = { 0 };

    (void)state;
    assert_true(drills_scanned(&d, NOW));
    assert_false(drills_scanned(&d, NOW + 3599000));
    assert_true(drills_scanned(&d, NOW + 3600000));
    assert_true(drills_scanned(&d, NOW - DAY)); /* the clock was set back */
    drills_write(&d, &b);
    assert_int_equal(drills_read(b.p, b.len, &back, NULL), ERR_OK);
    assert_true(back.scan_ms == NOW - DAY);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_desk_that_lacks_nothing_is_ready),
        cmocka_unit_test(each_lack_is_one_row),
        cmocka_unit_test(a_date_in_the_future_is_today),
        cmocka_unit_test(a_scan_is_noted_once_an_hour),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
