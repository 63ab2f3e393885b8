/* Rules C1 to C5 (clocks.h): the branch's time, what is measured of feeds, what is made of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "clocks.h"
#include "../memdisk.h"

#define BOOT 5000000u
#define WALL INT64_C(1795500000000)
#define NOON (WALL - (int64_t)BOOT) /* ahead of our boot time: a clock that is right */
#define YEAR INT64_C(31557600000)

static struct branch_time of(unsigned n, const int64_t *ahead)
{
    int64_t copy[16];
    struct branch_time t;

    if (n > 0)
        memcpy(copy, ahead, n * sizeof *copy);
    clocks_branch_time(copy, n, BOOT, &t);
    return t;
}
#define TIME_OF(...)                                                                               \
    of(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t), (int64_t[]){ __VA_ARGS__ })

static void the_branchs_time_is_the_median(void **state)
{
    struct branch_time t = TIME_OF(NOON + 95000, NOON, NOON + 20);

    (void)state;
    assert_true(t.known && t.desks == 3);
    assert_true(t.ahead_ms == NOON + 20);
    t = TIME_OF(NOON, NOON + 95000);
    assert_true(t.known && t.ahead_ms == NOON + 47500); /* of two nobody knows which is right */
    t = TIME_OF(NOON, NOON + 11 * YEAR, NOON - 50);
    assert_true(t.known && t.ahead_ms == NOON);
}

static void two_halves_far_apart_are_no_median(void **state)
{
    (void)state;
    assert_false(TIME_OF(NOON, NOON + 2 * CLOCK_APART_MS + 2).known);
    assert_false(TIME_OF(NOON, NOON + YEAR, NOON + 2 * YEAR).known);
    assert_false(of(0, NULL).known);
    assert_true(TIME_OF(NOON).known);
}

static void a_date_before_there_was_a_tideover_breaks_the_tie(void **state)
{
    struct branch_time t = TIME_OF(NOON, NOON - 11 * YEAR);

    (void)state;
    assert_true(t.known && t.ahead_ms == NOON && t.desks == 2);
    assert_false(TIME_OF(NOON - 11 * YEAR, NOON - 20 * YEAR).known);
}

struct bed {
    struct memdisk *mem;
    const struct disk *d;
    struct clocks k;
    struct feed_id feed;
};

static void open_bed(struct bed *b)
{
    memset(b, 0, sizeof *b);
    b->mem = memdisk_new();
    b->d = memdisk_disk(b->mem);
    memset(&b->feed, 7, sizeof b->feed);
}

static void close_bed(struct bed *b)
{
    clocks_free(&b->k);
    memdisk_free(b->mem);
}

static const struct clock_row *measure(struct bed *b, int64_t feed_ahead, unsigned desks,
                                       int64_t time)
{
    struct branch_time t = { true, desks, time };

    assert_true(clocks_hear(&b->k, b->d, &b->feed, feed_ahead, BOOT, 0));
    clocks_correct(&b->k, b->d, &t, false);
    return clocks_find(&b->k, &b->feed);
}

static void a_correction_survives_a_restart(void **state)
{
    struct bed b;
    struct clocks again = { 0 };
    const struct clock_row *row;

    (void)state;
    open_bed(&b);
    assert_true(measure(&b, NOON + 95000, 3, NOON)->correction_ms == -95000);
    assert_int_equal(clocks_load(&again, b.d, NULL), ERR_OK);
    row = clocks_find(&again, &b.feed);
    assert_true(row && row->correction_ms == -95000 && row->desks == 3 && !row->live);
    clocks_free(&again);
    close_bed(&b);
}

/* The feed may be over by then: what was heard of its clock stays true, our boot time goes on. */
static void more_clocks_correct_better(void **state)
{
    struct bed b;
    struct branch_time t = { true, 3, NOON };

    (void)state;
    open_bed(&b);
    assert_true(measure(&b, NOON + 95000, 2, NOON + 47500)->correction_ms == -47500);
    clocks_correct(&b.k, b.d, &t, false);
    assert_true(clocks_find(&b.k, &b.feed)->correction_ms == -95000);
    t = (struct branch_time){ true, 2, NOON + 30000 };
    clocks_correct(&b.k, b.d, &t, false);
    assert_true(clocks_find(&b.k, &b.feed)->correction_ms == -95000);
    close_bed(&b);
}

static void one_clock_is_no_measurement(void **state)
{
    struct bed b;
    struct branch_time t = { true, 1, NOON };

    (void)state;
    open_bed(&b);
    assert_int_equal(measure(&b, NOON, 1, NOON)->desks, 0);
    clocks_correct(&b.k, b.d, &t, true); /* a branch of one desk */
    assert_int_equal(clocks_find(&b.k, &b.feed)->desks, 1);
    close_bed(&b);
}

static void a_clock_that_jumped_is_never_believed_again(void **state)
{
    struct bed b;

    (void)state;
    open_bed(&b);
    measure(&b, NOON, 3, NOON);
    clocks_hear(&b.k, b.d, &b.feed, NOON + 900, BOOT + 1000, 0);
    assert_false(clocks_find(&b.k, &b.feed)->jumped);
    clocks_hear(&b.k, b.d, &b.feed, NOON - 900, BOOT + 2000, 0);
    assert_true(clocks_find(&b.k, &b.feed)->jumped);
    clocks_hear(&b.k, b.d, &b.feed, NOON, BOOT + 3000, 0);
    assert_true(clocks_find(&b.k, &b.feed)->jumped);
    close_bed(&b);
}

static struct slot_range judged(unsigned n, const struct clock_word *v)
{
    struct clock_word copy[8];
    struct slot_range r = { 0 };

    if (n > 0)
        memcpy(copy, v, n * sizeof *v);
    clocks_judge(copy, n, WALL, &r);
    return r;
}
#define SAYS(ms, of)                                                                               \
    {                                                                                              \
        .correction_ms = (ms), .desks = (of)                                                       \
    }
#define JUDGED(...)                                                                                \
    judged(sizeof((struct clock_word[]){ __VA_ARGS__ }) / sizeof(struct clock_word),               \
           (struct clock_word[]){ __VA_ARGS__ })

static void classes(void **state)
{
    struct slot_range r = JUDGED(SAYS(-900, 3), SAYS(-950, 3));
    struct clock_word odd = SAYS(0, 3);

    (void)state;
    assert_true(r.clock == CLOCK_OK && r.correction_ms == 0);
    r = JUDGED(SAYS(-95000, 3), SAYS(-95010, 3), SAYS(-47500, 2));
    assert_true(r.clock == CLOCK_CORRECTED && r.correction_ms == -95005);
    r = JUDGED(SAYS(11 * YEAR, 3));
    assert_true(r.clock == CLOCK_IMPOSSIBLE && r.correction_ms == 11 * YEAR);
    r = JUDGED(SAYS(-95000, 3), SAYS(0, 3));
    assert_true(r.clock == CLOCK_SUSPECT && r.correction_ms == 0);
    odd.jumped = true;
    r = judged(1, &odd);
    assert_int_equal(r.clock, CLOCK_SUSPECT);
    assert_int_equal(judged(0, NULL).clock, CLOCK_SUSPECT);
    clocks_judge(NULL, 0, CLOCK_EPOCH_MS - 1, &r);
    assert_true(r.clock == CLOCK_IMPOSSIBLE && !slot_clock_is_known(&r));
}

static void a_word_speaks_against_a_far_correction_alone(void **state)
{
    struct clock_word w = SAYS(-95000, 3);
    struct slot_range r = { .correction_ms = -93000, .clock = CLOCK_CORRECTED };

    (void)state;
    assert_false(clock_word_denies(&w, &r, CLOCK_REFUSE_MS));
    r.correction_ms = 0;
    r.clock = CLOCK_OK;
    assert_true(clock_word_denies(&w, &r, CLOCK_REFUSE_MS));
    r.clock = CLOCK_SUSPECT; /* uncorrected, and said so */
    assert_false(clock_word_denies(&w, &r, CLOCK_REFUSE_MS));
}

static void words_travel_whole_or_not_at_all(void **state)
{
    struct clock_word w = SAYS(-95000, 3), back;
    struct buf b = { 0 };
    struct mp m;

    (void)state;
    memset(&w.feed, 5, sizeof w.feed);
    w.jumped = true;
    clock_word_put(&w, &b);
    for (size_t n = 0; n < b.len; n++) {
        m = mp_over(b.p, n);
        assert_false(clock_word_get(&m, &back));
    }
    m = mp_over(b.p, b.len);
    assert_true(clock_word_get(&m, &back) && mp_done(&m));
    assert_memory_equal(&back.feed, &w.feed, sizeof w.feed);
    assert_true(back.correction_ms == -95000 && back.desks == 3 && back.jumped);
    w.correction_ms = RECORD_TIME_MAX + 1;
    buf_reset(&b);
    clock_word_put(&w, &b);
    m = mp_over(b.p, b.len);
    assert_false(clock_word_get(&m, &back));
    buf_free(&b);
}

static void people_read_a_length_of_time(void **state)
{
    char s[CLOCK_WORDS_MAX];

    (void)state;
    clock_words(95000, s);
    assert_string_equal(s, "95 s fast");
    clock_words(-179000, s);
    assert_string_equal(s, "2 min slow");
    clock_words(-11 * YEAR, s);
    assert_string_equal(s, "11 years slow");
    clock_words(3 * 86400000, s);
    assert_string_equal(s, "3 days fast");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_branchs_time_is_the_median),
        cmocka_unit_test(two_halves_far_apart_are_no_median),
        cmocka_unit_test(a_date_before_there_was_a_tideover_breaks_the_tie),
        cmocka_unit_test(a_correction_survives_a_restart),
        cmocka_unit_test(more_clocks_correct_better),
        cmocka_unit_test(one_clock_is_no_measurement),
        cmocka_unit_test(a_clock_that_jumped_is_never_believed_again),
        cmocka_unit_test(classes),
        cmocka_unit_test(a_word_speaks_against_a_far_correction_alone),
        cmocka_unit_test(words_travel_whole_or_not_at_all),
        cmocka_unit_test(people_read_a_length_of_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
