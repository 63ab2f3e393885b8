/* test_override_lost.c - a desk dies with records that it uploaded and that nobody else holds: the others
 * go on by an override (O5), and if it was not dead after all, nothing goes twice. */
#include "../uploads.h"

#include "override.h"

static bool blocks_are_lost; /* all that are sent */

static bool lossy_work(struct world *w, unsigned i, struct effect *e)
{
    if (e->type == EFFECT_SEND && wire_type_of(&e->bytes) == WIRE_BLOCKS)
        return blocks_are_lost;
    return real_work(w, i, e);
}

static struct ledger_view ledger_at(const struct world *w, unsigned i)
{
    struct moment now = moment(w, i);
    struct ledger_view v;

    core_ledger_view(w->v[i].core, &now, &v);
    return v;
}

/* One seat, at desk 0, that uploads alone; desk 1 hears of the upload and gets none of its records. */
static struct world *an_upload_whose_records_only_desk_0_has(void)
{
    struct world *w = branch_of(2);

    w->hook = lossy_work;
    blocks_are_lost = true;
    assert_int_equal(ledger_at(w, 0).n_seats, 1);
    stop(w, 1);
    for (unsigned n = 0; n < 3; n++)
        record_nth(w, 0, 3 * n);
    run(w, 2000);
    upload(w, 0);
    start(w, 1);
    run(w, 5000);
    assert_int_equal(ledger_decided(core_ledger(w->v[1].core)), 1);
    assert_int_equal(held(w, 1), 0);
    stop(w, 0);
    blocks_are_lost = false;
    return w;
}

static void override(struct world *w, unsigned i)
{
    struct override_plan *p = calloc(1, sizeof *p);
    struct moment now = moment(w, i);
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };

    if (core_override_plan(w->v[i].core, &now, p, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    assert_int_equal(p->draft.base, 0);
    snprintf(p->draft.reason, sizeof p->draft.reason, "burnt");
    memcpy(p->draft.lead_pk, w->b.lead.sign_pk, KEY_BYTES);
    override_sign(roster_branch(w->b.r), &p->draft, w->b.lead.sign_sk, &b);
    if (core_override(w->v[i].core, &now, b.p, b.len, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    finish(w, i);
    buf_free(&b);
    free(p);
}

static void the_rest_of_the_branch_uploads_again(void **state)
{
    struct world *w = an_upload_whose_records_only_desk_0_has();

    (void)state;
    record_nth(w, 1, 30);
    run(w, 20000);
    override(w, 1);
    run(w, 2000);
    upload(w, 1);
    assert_int_equal(view(w, 1).pending, 0);
    assert_int_equal(ledger_at(w, 1).evidence, 1);
    world_free(w);
}

static void what_it_had_sent_does_not_go_again_if_it_comes_back(void **state)
{
    struct world *w = an_upload_whose_records_only_desk_0_has();
    unsigned sent;

    (void)state;
    record_nth(w, 1, 30);
    run(w, 20000);
    override(w, 1);
    run(w, 2000);
    upload(w, 1);
    start(w, 0);
    run(w, 20000);
    assert_equal_sets(w, 0, 1);
    sent = w->delivered;
    record_nth(w, 0, 60);
    run(w, 2000);
    upload(w, 0);
    assert_int_equal(w->delivered, sent + 1);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(ledger_at(w, i).epoch.number, 1);
        assert_int_equal(ledger_at(w, i).evidence, 1);
        assert_int_equal(ledger_at(w, i).doubled, 0);
        assert_int_equal(view(w, i).pending, 0);
    }
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rest_of_the_branch_uploads_again),
        cmocka_unit_test(what_it_had_sent_does_not_go_again_if_it_comes_back),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
