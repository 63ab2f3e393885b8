/* test_rest.c - how long a node's loop may sleep. */
#define node simulated /* both have a struct of that name */
#include "../world.h"
#undef node

#include "node_int.h"

/* A node around a core that is at rest and has just been called. */
static struct world *at_rest(struct node *n)
{
    struct world *w = world_new(2, 2);

    memset(n, 0, sizeof *n);
    run(w, 10000);
    while (core_next_tick(w->v[0].core) < w->now_ms + 200)
        run(w, 100);
    n->core = w->v[0].core;
    assert_int_equal(changes_open(n, NULL), ERR_OK);
    return w;
}

static void at_rest_it_sleeps_as_long_as_the_core(void **state)
{
    static struct node n;
    struct world *w = at_rest(&n);

    (void)state;
    assert_int_equal(node_patience(&n, w->now_ms), core_next_tick(n.core) - w->now_ms);
    assert_int_equal(node_patience(&n, w->now_ms + 60000), 0);
    changes_close(&n);
    world_free(w);
}

static void nobody_waits_longer_for_a_second_copy_than_was_said(void **state)
{
    static struct node n;
    struct world *w = at_rest(&n);
    struct reply second = { .copies = true, .until_ms = w->now_ms + 90 };
    struct reply first = { .copies = true, .until_ms = w->now_ms + 50, .next = &second };
    struct reply plain = { .next = &first };

    (void)state;
    n.replies = &plain;
    assert_int_equal(node_patience(&n, w->now_ms), 50);
    assert_int_equal(node_patience(&n, w->now_ms + 50), 0);
    plain.next = &second;
    assert_int_equal(node_patience(&n, w->now_ms), 90);
    changes_close(&n);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_rest_it_sleeps_as_long_as_the_core),
        cmocka_unit_test(nobody_waits_longer_for_a_second_copy_than_was_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
