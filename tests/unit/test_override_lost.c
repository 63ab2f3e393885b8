/* test_override_lost.c - a desk dies with records that it uploaded and that nobody else holds: the others
 * go on by an override (O5), and if it was not dead after all, nothing goes twice. */
#include "../uploads.h"

#include "bundle.h"
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
    record_nth(w, 0, 62); /* a return, which the policy holds */
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

static void override_from(struct world *w, unsigned i, uint64_t base)
{
    struct override_plan *p = calloc(1, sizeof *p);
    struct moment now = moment(w, i);
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };

    if (core_override_plan(w->v[i].core, &now, p, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    assert_int_equal(p->draft.base, base);
    assert_int_equal(p->behind, 1);
    assert_int_equal(p->unlisted, base == 0);
    snprintf(p->draft.reason, sizeof p->draft.reason, "burnt");
    memcpy(p->draft.lead_pk, w->b.lead.sign_pk, KEY_BYTES);
    override_sign(roster_branch(w->b.r), &p->draft, w->b.lead.sign_sk, &b);
    if (core_override(w->v[i].core, &now, b.p, b.len, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    finish(w, i);
    buf_free(&b);
    free(p);
}

static void override(struct world *w, unsigned i)
{
    override_from(w, i, 0);
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

/* Slot numbers are used again after an override: a lead's word on a whole upload is of the one that he saw. */
static void what_a_lead_settled_by_hand_was_of_the_upload_that_stayed_behind(void **state)
{
    struct world *w = an_upload_whose_records_only_desk_0_has();

    (void)state;
    say(w, 1, WORD_DONE, 1);
    record_nth(w, 1, 32); /* a return, which the policy holds */
    record_nth(w, 1, 30);
    run(w, 20000);
    override(w, 1);
    run(w, 2000);
    upload(w, 1);
    assert_int_equal(ledger_decided(core_ledger(w->v[1].core)), 1);
    assert_int_equal(core_aside_count(w->v[1].core, ASIDE_HELD), 1);
    say(w, 1, WORD_DONE, 1);
    run(w, 4000);
    assert_int_equal(core_aside_count(w->v[1].core, ASIDE_HELD), 0);
    world_free(w);
}

static unsigned released_in(const struct world *w, unsigned i, uint64_t slot)
{
    struct buf b = { 0 };
    struct receipt r;
    struct intent in;
    unsigned n;

    assert_int_equal(ledger_receipt(core_ledger(w->v[i].core), slot, &b), ERR_OK);
    assert_int_equal(receipt_decode(b.p, b.len, &r, NULL), ERR_OK);
    assert_int_equal(intent_decode(r.intent, r.intent_len, &in, NULL), ERR_OK);
    n = in.n_released;
    intent_free(&in);
    buf_free(&b);
    return n;
}

static void release_held(struct world *w, unsigned i)
{
    struct record_ref at = { .seq = 0 };
    struct aside_view v;
    struct word_ref r;
    struct buf refs = { 0 };

    assert_true(core_aside_next(w->v[i].core, &at, &v));
    r.ref = v.ref;
    memcpy(r.id, v.id, MACHINE_ID);
    word_put_ref(&refs, &r);
    say_of(w, i, WORD_RELEASE, v.slot, &refs, 1);
    buf_free(&refs);
}

/* Slot 2, which took along what a lead had released, stays behind: desk 1 goes on from slot 1. */
static struct world *a_second_upload_whose_records_only_desk_0_has(void)
{
    struct world *w = branch_of(2);

    w->hook = lossy_work;
    record_nth(w, 1, 32);
    run(w, 4000);
    upload(w, 0);
    release_held(w, 1);
    run(w, 4000);
    assert_int_equal(view(w, 0).released, 1);
    stop(w, 1);
    blocks_are_lost = true;
    record_nth(w, 0, 0);
    upload(w, 0);
    start(w, 1);
    run(w, 5000);
    stop(w, 0);
    blocks_are_lost = false;
    assert_int_equal(released_in(w, 1, 2), 1);
    record_nth(w, 1, 30);
    run(w, 20000);
    override_from(w, 1, 1);
    run(w, 2000);
    return w;
}

/* What the receipt shows is not done again. */
static void what_was_released_once_does_not_go_again(void **state)
{
    struct world *w = a_second_upload_whose_records_only_desk_0_has();

    (void)state;
    assert_int_equal(view(w, 1).released, 0);
    upload(w, 1);
    assert_int_equal(ledger_decided(core_ledger(w->v[1].core)), 2);
    assert_int_equal(released_in(w, 1, 2), 0);
    world_free(w);
}

/* Whose disk is new and whose network is dead: evidence is proven by the receipts below it. */
static void one_stick_brings_the_evidence_too(void **state)
{
    struct world *w = a_second_upload_whose_records_only_desk_0_has();
    struct bundle_at at = { 0 };
    bool last = false;

    (void)state;
    upload(w, 1);
    wipe(w, 0);
    cut(w, 0, 1, true);
    start(w, 0);
    while (!last) {
        struct moment now = moment(w, 0);
        struct buf part = { 0 };
        struct bundle_taken t;
        assert_int_equal(core_bundle(w->v[1].core, &at, &part, &last, NULL), ERR_OK);
        assert_int_equal(core_bundle_take(w->v[0].core, &now, part.p, part.len, &t, NULL), ERR_OK);
        assert_int_equal(t.refused, 0);
        finish(w, 0);
        buf_free(&part);
    }
    assert_int_equal(ledger_at(w, 0).slot, ledger_at(w, 1).slot);
    assert_int_equal(ledger_at(w, 0).evidence, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rest_of_the_branch_uploads_again),
        cmocka_unit_test(what_it_had_sent_does_not_go_again_if_it_comes_back),
        cmocka_unit_test(what_a_lead_settled_by_hand_was_of_the_upload_that_stayed_behind),
        cmocka_unit_test(what_was_released_once_does_not_go_again),
        cmocka_unit_test(one_stick_brings_the_evidence_too),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
