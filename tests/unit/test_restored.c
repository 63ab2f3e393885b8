/* test_restored.c - a lead gives a desk that lost its memory its vote back. Three whole cores. */
#include "../world.h"

static enum err draft(const struct world *w, unsigned at, unsigned whose, struct word *word,
                      struct buf *refs, struct errmsg *msg)
{
    return core_draft_restore(w->v[at].core, &w->b.desk[whose].id, word, refs, msg);
}

/* As a lead's, or as another key says it. */
static enum err give_back(struct world *w, unsigned at, unsigned whose, const uint8_t *pk,
                          const uint8_t *sk)
{
    struct moment now = moment(w, at);
    struct buf refs = { 0 }, bytes = { 0 };
    struct word word;
    enum err e;

    assert_int_equal(draft(w, at, whose, &word, &refs, NULL), ERR_OK);
    memcpy(word.key, pk, KEY_BYTES);
    word.at_ms = now.wall_ms;
    word_sign(roster_branch(w->b.r), &word, &refs, sk, &bytes);
    e = core_say(w->v[at].core, &now, bytes.p, bytes.len, NULL);
    finish(w, at);
    buf_free(&refs);
    buf_free(&bytes);
    return e;
}

static void refused(const struct world *w, unsigned at, unsigned whose, const char *why)
{
    struct errmsg msg = { .text = "" };
    struct buf refs = { 0 };
    struct word word;

    assert_int_not_equal(draft(w, at, whose, &word, &refs, &msg), ERR_OK);
    assert_string_equal(msg.why, why);
    buf_free(&refs);
}

static struct ledger_view ledger(const struct world *w, unsigned i)
{
    struct moment now = moment(w, i);
    struct ledger_view l;

    core_ledger_view(w->v[i].core, &now, &l);
    return l;
}

/* Three seats; desk 1 recorded, started twice and was elected; then its disk is new. */
static struct world *world_that_lost(void)
{
    struct world *w = world_new(3, 3);

    stop(w, 1);
    start(w, 1);
    run(w, 8000);
    lend(w, 1, 3);
    run(w, 1000);
    press(w, 1);
    run(w, 20000);
    assert_int_equal(w->delivered, 1);
    assert_int_equal(ledger(w, 0).n_seats, 3);
    lend(w, 1, 2);
    run(w, 1000);
    wipe(w, 1);
    start(w, 1);
    run(w, 40000);
    assert_true(view(w, 1).memory_lost);
    assert_true(peer(w, 0, 1).memory_lost);
    return w;
}

static void it_votes_again_and_counts_again_over_a_restart_too(void **state)
{
    struct world *w = world_that_lost();
    uint64_t term = ledger(w, 0).term, start_before = view(w, 1).start;
    struct record_ref ref;

    (void)state;
    assert_true(view(w, 1).restorable);
    assert_true(peer(w, 0, 1).restorable);
    assert_int_equal(give_back(w, 0, 1, w->b.lead.sign_pk, w->b.lead.sign_sk), ERR_OK);
    run(w, 20000);
    assert_false(view(w, 1).memory_lost);
    assert_true(view(w, 1).mark_confirmed);
    assert_false(peer(w, 0, 1).memory_lost);
    assert_false(peer(w, 2, 1).memory_lost);
    assert_true(ledger(w, 1).may_vote);
    assert_true(ledger(w, 1).term > term);        /* not its own, which was 0 */
    assert_true(view(w, 1).start > start_before); /* above what the others remembered */
    stop(w, 1);
    start(w, 1);
    run(w, 12000);
    assert_false(view(w, 1).memory_lost);
    assert_true(ledger(w, 1).may_vote);
    ref = lend(w, 0, 1);
    run(w, 1000);
    assert_int_equal(core_copies(w->v[0].core, &ref), 3);
    stop(w, 2); /* now nothing goes without it */
    press(w, 0);
    run(w, 30000);
    assert_int_equal(w->delivered, 2);
    world_free(w);
}

static void one_word_counts_for_one_start_and_once(void **state)
{
    struct world *w = world_that_lost();
    uint64_t decided;

    (void)state;
    cut(w, 0, 1, true);
    cut(w, 1, 2, true);
    assert_int_equal(give_back(w, 0, 1, w->b.lead.sign_pk, w->b.lead.sign_sk), ERR_OK);
    run(w, 15000); /* decided, or not: it cannot be heard for long */
    stop(w, 1);
    start(w, 1);
    cut(w, 0, 1, false);
    cut(w, 1, 2, false);
    run(w, 20000);
    decided = ledger(w, 0).slot;
    assert_true(view(w, 1).memory_lost); /* another start */
    run(w, 30000);
    assert_int_equal(ledger(w, 0).slot, decided);
    assert_int_equal(give_back(w, 2, 1, w->b.lead.sign_pk, w->b.lead.sign_sk), ERR_OK);
    run(w, 20000);
    assert_false(view(w, 1).memory_lost);
    assert_int_equal(ledger(w, 0).slot, decided + 1);
    world_free(w);
}

static void a_lead_may_say_it_at_the_desk_itself(void **state)
{
    struct world *w = world_that_lost();

    (void)state;
    assert_int_equal(give_back(w, 1, 1, w->b.lead.sign_pk, w->b.lead.sign_sk), ERR_OK);
    run(w, 20000);
    assert_false(view(w, 1).memory_lost);
    world_free(w);
}

static void nobody_else_may_say_it(void **state)
{
    struct world *w = world_that_lost();

    (void)state;
    assert_int_equal(give_back(w, 1, 1, w->b.desk[1].sign_pk, w->b.desk[1].sign_sk), ERR_MISSING);
    run(w, 20000);
    assert_true(view(w, 1).memory_lost);
    world_free(w);
}

static void what_stands_against_it_is_said(void **state)
{
    struct world *w = world_that_lost();

    (void)state;
    refused(w, 0, 2, "not_lost");
    refused(w, 0, 0, "not_lost");
    stop(w, 1);
    run(w, 10000);
    refused(w, 0, 1, "not_heard");
    start(w, 1);
    refused(w, 1, 1, "catching_up"); /* nobody told it anything yet */
    run(w, 40000);
    wipe(w, 2);
    start(w, 2);
    run(w, 40000);
    refused(w, 0, 1, "no_majority");
    world_free(w);
}

static void while_it_may_be_two_pcs_nothing_is_signed(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    stop(w, 1);
    start(w, 1);
    run(w, 13000);
    wipe(w, 1);
    start(w, 1);
    run(w, 5000);
    assert_true(peer(w, 0, 1).cloned);
    refused(w, 0, 1, "cloned");
    run(w, 35000);
    assert_int_equal(give_back(w, 0, 1, w->b.lead.sign_pk, w->b.lead.sign_sk), ERR_OK);
    run(w, 20000);
    assert_false(view(w, 1).memory_lost);
    world_free(w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_votes_again_and_counts_again_over_a_restart_too),
        cmocka_unit_test(one_word_counts_for_one_start_and_once),
        cmocka_unit_test(a_lead_may_say_it_at_the_desk_itself),
        cmocka_unit_test(nobody_else_may_say_it),
        cmocka_unit_test(while_it_may_be_two_pcs_nothing_is_signed),
        cmocka_unit_test(what_stands_against_it_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
