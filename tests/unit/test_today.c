/* test_today.c - a desk's own records as its staff see them: today.h. */
#include "../world.h"

#include "day.h"
#include "today.h"

static struct record_ref enter_kind(struct world *w, unsigned i, unsigned kind, unsigned item)
{
    struct record r = { .kind = (uint8_t)kind, .count = kind == RECORD_INHOUSE };
    struct record_ref ref;

    if (kind == RECORD_CHECKOUT)
        snprintf(r.user, sizeof r.user, "20000000000006");
    for (unsigned d = 0; d < 10 && (d == 0 || !mod10_is_valid(r.item)); d++)
        snprintf(r.item, sizeof r.item, "3000000000%03u%u", item, d);
    assert_int_equal(enter(w, i, &r, &ref), ERR_OK);
    finish(w, i);
    pump(w);
    return ref;
}

static struct record_ref take_back(struct world *w, unsigned i, struct record_ref target)
{
    struct record r = { .kind = RECORD_VOID, .target = target };
    struct record_ref ref;

    assert_int_equal(enter(w, i, &r, &ref), ERR_OK);
    finish(w, i);
    pump(w);
    return ref;
}

static void look(struct world *w, unsigned i, struct today *t)
{
    struct moment now = moment(w, i);

    core_today(w->v[i].core, &now, t);
}

static void counts_what_stands_and_reads_only_what_is_new(void **state)
{
    struct world *w = world_new(2, 2);
    struct today t = { 0 }, anew = { 0 };
    struct record_ref first;

    (void)state;
    look(w, 0, &t);
    assert_int_equal(t.counts[RECORD_CHECKOUT], 0);
    first = enter_kind(w, 0, RECORD_CHECKOUT, 1);
    enter_kind(w, 0, RECORD_CHECKOUT, 2);
    enter_kind(w, 0, RECORD_DISCHARGE, 3);
    enter_kind(w, 1, RECORD_DISCHARGE, 4); /* another desk's */
    look(w, 0, &t);
    assert_int_equal(t.counts[RECORD_CHECKOUT], 2);
    assert_int_equal(t.counts[RECORD_DISCHARGE], 1);
    take_back(w, 0, first);
    enter_kind(w, 0, RECORD_INHOUSE, 5);
    look(w, 0, &t);
    assert_int_equal(t.counts[RECORD_CHECKOUT], 1);
    assert_int_equal(t.counts[RECORD_INHOUSE], 1);
    assert_int_equal(t.counts[RECORD_VOID], 0);
    look(w, 0, &anew); /* as if it had been read at once */
    assert_memory_equal(&t, &anew, sizeof t);
    world_free(w);
}

static void a_new_feed_counts_on_and_midnight_begins_anew(void **state)
{
    struct world *w = world_new(1, 2);
    struct today t = { 0 };

    (void)state;
    enter_kind(w, 0, RECORD_CHECKOUT, 1);
    look(w, 0, &t);
    stop(w, 0);
    start(w, 0);
    enter_kind(w, 0, RECORD_CHECKOUT, 2);
    look(w, 0, &t);
    assert_int_equal(t.counts[RECORD_CHECKOUT], 2);
    run(w, 500);
    w->v[0].wall_step = 24 * 3600 * 1000;
    look(w, 0, &t);
    assert_int_equal(t.counts[RECORD_CHECKOUT], 0);
    enter_kind(w, 0, RECORD_CHECKOUT, 3);
    look(w, 0, &t);
    assert_int_equal(t.counts[RECORD_CHECKOUT], 1);
    world_free(w);
}

struct seen {
    unsigned n, most;
    struct record_ref ref[64];
};

static bool see(void *ctx, const struct record_ref *ref, const struct record *r)
{
    struct seen *s = ctx;

    (void)r;
    if (s->n == s->most)
        return false;
    s->ref[s->n++] = *ref;
    return true;
}

static void newest_first_across_blocks_and_feeds(void **state)
{
    struct world *w = world_new(1, 2);
    struct seen s = { .most = 64 };
    struct record_ref made[4];

    (void)state;
    lend(w, 0, 3); /* one block of three */
    made[0] = enter_kind(w, 0, RECORD_CHECKOUT, 10);
    stop(w, 0);
    start(w, 0);
    made[1] = enter_kind(w, 0, RECORD_DISCHARGE, 11);
    made[2] = enter_kind(w, 0, RECORD_DISCHARGE, 12);
    core_own_newest(w->v[0].core, see, &s);
    assert_int_equal(s.n, 6);
    assert_memory_equal(&s.ref[0], &made[2], sizeof made[2]);
    assert_memory_equal(&s.ref[1], &made[1], sizeof made[1]);
    assert_memory_equal(&s.ref[2], &made[0], sizeof made[0]);
    for (unsigned i = 3; i < 6; i++)
        assert_int_equal(s.ref[i].seq, 6 - i);
    s = (struct seen){ .most = 2 };
    core_own_newest(w->v[0].core, see, &s);
    assert_int_equal(s.n, 2);
    world_free(w);
}

static void a_row_is_saved_then_voided(void **state)
{
    struct world *w = world_new(1, 2);
    struct record_ref ref = enter_kind(w, 0, RECORD_CHECKOUT, 1);

    (void)state;
    assert_string_equal(own_state_name(core_own_state(w->v[0].core, &ref)), "saved");
    take_back(w, 0, ref);
    assert_string_equal(own_state_name(core_own_state(w->v[0].core, &ref)), "voided");
    world_free(w);
}

/* The answer that was lost promised a day: the same request promises the same. */
static void a_repeated_request_gets_the_day_that_was_promised(void **state)
{
    struct world *w = world_new(1, 2);
    struct record r = checkout(), again = checkout();
    struct record_ref a, b;
    struct moment now = moment(w, 0);
    struct told_note note;
    bool repeated;

    (void)state;
    r.due = 20280105;
    memset(r.key, 7, sizeof r.key);
    memcpy(again.key, r.key, sizeof r.key);
    again.due = 20280301;
    assert_int_equal(enter(w, 0, &r, &a), ERR_OK);
    finish(w, 0);
    stop(w, 0);
    start(w, 0);
    assert_int_equal(
        core_record_telling(w->v[0].core, &now, &again, ASK, &note, &b, &repeated, NULL), ERR_OK);
    assert_true(repeated);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(again.due, 20280105);
    world_free(w);
}

/* Both came in one breath: the first waits for its block still. */
static void a_request_repeated_at_once_gets_the_day_that_was_promised(void **state)
{
    struct world *w = world_new(1, 2);
    struct record r = checkout(), again = checkout();
    struct record_ref a, b;

    (void)state;
    r.due = 20280105;
    memset(r.key, 7, sizeof r.key);
    memcpy(again.key, r.key, sizeof r.key);
    assert_int_equal(enter(w, 0, &r, &a), ERR_OK);
    assert_int_equal(enter(w, 0, &again, &b), ERR_OK);
    assert_memory_equal(&a, &b, sizeof a);
    assert_int_equal(again.due, 20280105);
    finish(w, 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_stands_and_reads_only_what_is_new),
        cmocka_unit_test(a_new_feed_counts_on_and_midnight_begins_anew),
        cmocka_unit_test(newest_first_across_blocks_and_feeds),
        cmocka_unit_test(a_row_is_saved_then_voided),
        cmocka_unit_test(a_repeated_request_gets_the_day_that_was_promised),
        cmocka_unit_test(a_request_repeated_at_once_gets_the_day_that_was_promised),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
