/* test_leadkey.c - the sealed lead key reaches every lead desk and nobody else. */
#include "../world.h"

#include <sodium.h>

/* Adds what a lead signed at desk i, as its node would. */
static void sign_at(struct world *w, unsigned i, struct buf *op)
{
    struct moment now = moment(w, i);
    struct errmsg msg = { .text = "" };

    if (core_roster_add(w->v[i].core, &now, op->p, op->len, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    buf_free(op);
    finish(w, i);
}

static void set_roles(struct world *w, unsigned by, unsigned i, unsigned roles)
{
    const struct roster *r = core_roster(w->v[by].core);
    struct buf op = { 0 };

    op_set(r, &w->b.desk[i].id, roster_find(r, &w->b.desk[i].id)->name, roles, w->b.lead.sign_sk,
           &op);
    sign_at(w, by, &op);
}

/* A key sealed anew at desk i: any bytes do, for nobody opens them here. */
static void seal_at(struct world *w, unsigned i, uint8_t fill)
{
    struct buf op = { 0 };
    uint8_t sealed[64], hash[HASH_BYTES];

    memset(sealed, fill, sizeof sealed);
    sealed_key_hash(sealed, sizeof sealed, hash);
    op_key(core_roster(w->v[i].core), w->b.lead.sign_pk, hash, w->b.lead.sign_sk, &op);
    sign_at(w, i, &op);
    core_lead_key(w->v[i].core, sealed, sizeof sealed, true);
    finish(w, i);
}

static struct world *two_lead_desks_of_three(void)
{
    struct world *w = world_new(3, 3);

    set_roles(w, 0, 0, ROLE_DESK | ROLE_LEAD);
    set_roles(w, 0, 1, ROLE_DESK | ROLE_ADMIN);
    run(w, 3000);
    return w;
}

static void sealed_key_in_use_reaches_the_lead_desks_alone(void **state)
{
    struct world *w = two_lead_desks_of_three();

    (void)state;
    seal_at(w, 0, 7);
    run(w, 6000);
    assert_int_equal(w->v[1].lead_key, 7);
    assert_int_equal(w->v[1].lead_keys, 1);
    assert_false(core_lead_key_is_old(w->v[1].core));
    assert_int_equal(w->v[2].lead_keys, 0);
    world_free(w);
}

static void a_desk_that_was_off_knows_that_its_key_is_old_before_it_gets_the_new_one(void **state)
{
    struct world *w = two_lead_desks_of_three();

    (void)state;
    seal_at(w, 0, 7);
    run(w, 6000);
    cut(w, 0, 1, true);
    seal_at(w, 0, 8);
    run(w, 6000); /* the news comes by desk 3, which has no key to give */
    assert_true(core_lead_key_is_old(w->v[1].core));
    assert_int_equal(w->v[1].lead_key, 7);
    cut(w, 0, 1, false);
    run(w, 6000);
    assert_int_equal(w->v[1].lead_key, 8);
    assert_false(core_lead_key_is_old(w->v[1].core));
    world_free(w);
}

static void a_new_lead_desk_gets_the_key_and_one_that_is_none_any_more_gives_it_up(void **state)
{
    struct world *w = two_lead_desks_of_three();
    size_t n;

    (void)state;
    seal_at(w, 0, 7);
    run(w, 6000);
    set_roles(w, 0, 2, ROLE_DESK | ROLE_LEAD);
    run(w, 6000);
    assert_int_equal(w->v[2].lead_key, 7);
    set_roles(w, 0, 2, ROLE_DESK);
    run(w, 6000);
    assert_int_equal(w->v[2].lead_keys, 2);
    assert_int_equal(w->v[2].lead_key, 0); /* told to remove it */
    core_lead_key_sealed(w->v[2].core, &n);
    assert_int_equal(n, 0);
    world_free(w);
}

static void a_key_that_the_roster_does_not_name_is_not_taken(void **state)
{
    struct world *w = two_lead_desks_of_three();
    struct buf b = { 0 };
    uint8_t forged[64];

    (void)state;
    seal_at(w, 0, 7);
    cut(w, 0, 1, true);
    run(w, 3000);
    memset(forged, 9, sizeof forged);
    wire_begin(&b, WIRE_KEY, 1);
    mp_put_bin(&b, forged, sizeof forged);
    hear(w, 2, 1, b.p, b.len);
    assert_int_equal(w->v[1].lead_keys, 0);
    buf_free(&b);
    world_free(w);
}

static void the_only_lead_desk_keeps_what_it_has(void **state)
{
    struct world *w = world_new(2, 2);
    size_t n;

    (void)state;
    set_roles(w, 0, 0, ROLE_DESK | ROLE_LEAD);
    seal_at(w, 0, 7);
    set_roles(w, 0, 0, ROLE_DESK); /* nobody else is a lead: the key must not be lost by this */
    run(w, 6000);
    core_lead_key_sealed(w->v[0].core, &n);
    assert_int_equal(n, 64);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealed_key_in_use_reaches_the_lead_desks_alone),
        cmocka_unit_test(a_desk_that_was_off_knows_that_its_key_is_old_before_it_gets_the_new_one),
        cmocka_unit_test(a_new_lead_desk_gets_the_key_and_one_that_is_none_any_more_gives_it_up),
        cmocka_unit_test(a_key_that_the_roster_does_not_name_is_not_taken),
        cmocka_unit_test(the_only_lead_desk_keeps_what_it_has),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
