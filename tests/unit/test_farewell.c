/* test_farewell.c - a revoked desk hears that it is, and a retired one hands over what it has. */
#include "../world.h"

#include <sodium.h>

static void sign_at(struct world *w, unsigned i, struct buf *op)
{
    struct moment now = moment(w, i);
    struct errmsg msg = { .text = "" };

    if (core_roster_add(w->v[i].core, &now, op->p, op->len, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    buf_free(op);
    finish(w, i);
}

static void revoke(struct world *w, unsigned by, unsigned i)
{
    struct trusted *v;
    unsigned n;
    uint64_t records;
    struct buf op = { 0 };

    assert_int_equal(core_trusted_now(w->v[by].core, &w->b.desk[i].id, &v, &n, &records), ERR_OK);
    op_revoke(core_roster(w->v[by].core), &w->b.desk[i].id, v, n, "stolen", w->b.lead.sign_sk, &op);
    free(v);
    sign_at(w, by, &op);
}

static void revoked_desk_is_told_over_the_connection_that_stands(void **state)
{
    struct world *w = world_new(3, 3);
    struct record r = checkout();
    struct record_ref ref;
    uint64_t refused;

    (void)state;
    run(w, 1000);
    revoke(w, 0, 2);
    run(w, 2000);
    assert_true(view(w, 2).revoked);
    assert_int_equal(enter(w, 2, &r, &ref), ERR_DENIED);
    run(w, 3000);
    assert_true(w->v[0].disconnected[2]);
    refused = view(w, 0).refused + view(w, 1).refused;
    run(w, 20000); /* it knows, and is silent */
    assert_int_equal(view(w, 0).refused + view(w, 1).refused, refused);
    world_free(w);
}

static void one_that_was_away_is_told_by_whomever_it_meets(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    run(w, 1000);
    cut(w, 0, 2, true);
    cut(w, 1, 2, true);
    run(w, 5000);
    revoke(w, 0, 2);
    lend(w, 2, 2); /* it does not know, and goes on */
    run(w, 5000);
    assert_false(view(w, 2).revoked);
    cut(w, 1, 2, false); /* it meets desk 2 alone, who heard of it from desk 1 */
    run(w, 15000);
    assert_true(view(w, 2).revoked);
    assert_int_equal(held(w, 1), 0);
    world_free(w);
}

static void retired_desk_hands_over_and_is_not_looked_for(void **state)
{
    struct world *w = world_new(3, 3);
    struct buf op = { 0 };
    struct record r = checkout();
    struct record_ref ref;

    (void)state;
    run(w, 1000);
    cut(w, 0, 2, true);
    cut(w, 1, 2, true);
    lend(w, 2, 3);
    run(w, 5000);
    op_retire(core_roster(w->v[0].core), &w->b.desk[2].id, w->b.lead.sign_sk, &op);
    sign_at(w, 0, &op);
    run(w, 2000);
    cut(w, 0, 2, false);
    cut(w, 1, 2, false);
    run(w, 10000);
    assert_true(view(w, 2).retired);
    assert_int_equal(enter(w, 2, &r, &ref), ERR_DENIED);
    assert_int_equal(held(w, 0), 3);
    assert_int_equal(held(w, 1), 3);
    assert_int_equal(view(w, 2).replicated, 3);
    assert_int_equal(peer(w, 0, 2).state, PEER_RETIRED);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(revoked_desk_is_told_over_the_connection_that_stands),
        cmocka_unit_test(one_that_was_away_is_told_by_whomever_it_meets),
        cmocka_unit_test(retired_desk_hands_over_and_is_not_looked_for),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
