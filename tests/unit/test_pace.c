/* test_pace.c - how often a desk wants to be called by the clock alone. */
#include "../uploads.h"

static unsigned ticks(struct world *w, unsigned i, uint64_t ms)
{
    uint64_t at = core_next_tick(w->v[i].core);
    unsigned n = 0;

    for (uint64_t end = w->now_ms + ms; w->now_ms < end;) {
        run(w, 100);
        n += core_next_tick(w->v[i].core) != at;
        at = core_next_tick(w->v[i].core);
    }
    return n;
}

static void a_desk_at_rest_is_called_for_its_beats_and_little_more(void **state)
{
    struct world *w = world_new(3, 3);
    unsigned n;

    (void)state;
    run(w, 10000);
    n = ticks(w, 0, 10000);
    assert_in_range(n, 10, 30);
    world_free(w);
}

static void an_upload_is_not_kept_waiting(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    lend(w, 0, 1);
    run(w, 10000);
    while (core_next_tick(w->v[0].core) <= w->now_ms + 200)
        run(w, 100);
    press(w, 0);
    for (unsigned i = 0; w->delivered == 0; i++) {
        assert_in_range(i, 0, 400);
        assert_true(core_next_tick(w->v[0].core) <= w->now_ms + 100);
        run(w, 100);
    }
    run(w, 5000);
    assert_in_range(ticks(w, 0, 10000), 10, 30);
    world_free(w);
}

static void a_desk_that_is_off_is_looked_for_and_no_more(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    run(w, 5000);
    stop(w, 1);
    run(w, 2000);
    assert_in_range(ticks(w, 0, 10000), 20, 60);
    world_free(w);
}

/* Nobody can look for it: who hears where it is, connects at once. */
static void a_desk_of_which_no_address_is_known_disturbs_no_rest(void **state)
{
    struct world *w = world_new(2, 2);
    struct moment now;
    struct buf op = { 0 };

    (void)state;
    run(w, 5000);
    now = moment(w, 0);
    op_add(core_roster(w->v[0].core), &w->b.desk[2], "DESK-3", ROLE_DESK, false, w->b.lead.sign_sk,
           &op);
    assert_int_equal(core_roster_add(w->v[0].core, &now, op.p, op.len, NULL), ERR_OK);
    finish(w, 0);
    buf_free(&op);
    run(w, 5000);
    assert_in_range(ticks(w, 0, 10000), 10, 30);
    world_free(w);
}

static void a_desk_that_lost_its_memory_does_not_rest(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    lend(w, 1, 3);
    run(w, 5000);
    stop(w, 1);
    wipe(w, 1);
    start(w, 1);
    run(w, 5000);
    assert_true(view(w, 1).memory_lost);
    assert_int_equal(ticks(w, 1, 1000), 10);
    world_free(w);
}

static unsigned beats; /* of desk 1 */

static bool count_beats(struct world *w, unsigned i, struct effect *e)
{
    (void)w;
    beats += i == 1 && e->type == EFFECT_SEND && wire_type_of(&e->bytes) == WIRE_BEAT;
    return false;
}

/* It greets every second, for nobody confirms its start. */
static void a_desk_that_lost_its_memory_beats_all_the_same(void **state)
{
    struct world *w = world_new(2, 2);

    (void)state;
    lend(w, 1, 3);
    run(w, 5000);
    stop(w, 1);
    wipe(w, 1);
    start(w, 1);
    run(w, 5000);
    assert_true(view(w, 1).memory_lost);
    w->hook = count_beats;
    beats = 0;
    run(w, 20000);
    assert_in_range(beats, 15, 21);
    world_free(w);
}

static void a_lead_who_says_it_again_at_another_desk_does_not_wait(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    lend(w, 1, 1);
    run(w, 10000);
    press(w, 0);
    stop(w, 0); /* it was to stand first */
    run(w, 300);
    press(w, 1);
    for (unsigned i = 0; w->delivered == 0; i++) {
        assert_in_range(i, 0, 45); /* of 100 ms; 60 with the wait for the desk that is gone */
        run(w, 100);
    }
    world_free(w);
}

/* 32 blocks a tick: of a month of single scans it would take an hour else. */
static void erasing_takes_every_tick_until_it_is_done(void **state)
{
    enum { BLOCKS = 640 };
    struct world *w = branch_of(3);
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < BLOCKS; i++)
        record_nth(w, 0, i);
    run(w, 5000);
    upload(w, 0);
    say(w, 1, WORD_CONFIRM, ledger_decided(core_ledger(w->v[0].core)));
    for (unsigned i = 0; i < 3; i++)
        w->v[i].wall_step += 31 * DAY;
    while (view(w, 0).held == BLOCKS && n++ < 600)
        run(w, 100);
    for (n = 0; view(w, 0).held > 0 && n < 600; n++)
        run(w, 100);
    assert_in_range(n, BLOCKS / 32 - 2, BLOCKS / 32 + 5);
    run(w, 5000);
    assert_in_range(ticks(w, 0, 10000), 10, 30); /* and then it rests */
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_desk_at_rest_is_called_for_its_beats_and_little_more),
        cmocka_unit_test(an_upload_is_not_kept_waiting),
        cmocka_unit_test(a_desk_that_is_off_is_looked_for_and_no_more),
        cmocka_unit_test(a_desk_of_which_no_address_is_known_disturbs_no_rest),
        cmocka_unit_test(a_desk_that_lost_its_memory_does_not_rest),
        cmocka_unit_test(a_desk_that_lost_its_memory_beats_all_the_same),
        cmocka_unit_test(a_lead_who_says_it_again_at_another_desk_does_not_wait),
        cmocka_unit_test(erasing_takes_every_tick_until_it_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
