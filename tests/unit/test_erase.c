/* test_erase.c - what is erased, when, on every desk; and what lives on. */
#include "../uploads.h"

static void a_confirmed_upload_is_erased_everywhere_after_its_time(void **state)
{
    struct world *w = branch_of(3);
    char sent[BARCODE_MAX + 1], kept[BARCODE_MAX + 1];

    (void)state;
    for (unsigned n = 0; n < 9; n++)
        record_nth(w, n % 2, n);
    run(w, 2000);
    upload(w, 0);
    barcode('3', 4, sent);
    barcode('3', 5, kept);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(view(w, i).set_aside, 3);
        assert_int_equal(rows(w, i, TABLE_ASIDE), 3);
    }
    days(w, 40);
    for (unsigned i = 0; i < 3; i++)
        assert_false(is_nowhere(w, i, sent)); /* nobody confirmed it */
    say(w, 1, WORD_CONFIRM, ledger_decided(core_ledger(w->v[0].core)));
    days(w, 29);
    for (unsigned i = 0; i < 3; i++)
        assert_false(is_nowhere(w, i, sent));
    days(w, 2);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(is_nowhere(w, i, sent));
        assert_false(is_nowhere(w, i, kept));
        assert_int_equal(rows(w, i, TABLE_BLOCKS), 0);
        assert_int_equal(rows(w, i, TABLE_KEPT), 3);
        assert_int_equal(view(w, i).held, 0);
        assert_int_equal(view(w, i).set_aside, 3);
        assert_equal_sets(w, 0, i);
    }
    assert_int_equal(forgets, 3);
    for (unsigned i = 0; i < 3; i++) { /* and over a restart */
        stop(w, i);
        start(w, i);
        assert_int_equal(view(w, i).set_aside, 3);
        assert_int_equal(held(w, i), 9);
    }
    record_nth(w, 0, 20);
    run(w, 8000);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(view(w, i).held, 1);
        assert_equal_sets(w, 0, i);
    }
    assert_int_equal(forgets, 3);
    world_free(w);
}

static void nobody_says_that_all_is_erased_before_it_is(void **state)
{
    struct world *w = branch_of(3);
    unsigned said = 0;

    (void)state;
    for (unsigned n = 0; n < 9; n++)
        record_nth(w, n % 2, n);
    run(w, 2000);
    upload(w, 0);
    say(w, 1, WORD_CONFIRM, ledger_decided(core_ledger(w->v[0].core)));
    for (unsigned i = 0; i < 3; i++)
        w->v[i].wall_step += 31 * DAY;
    for (unsigned k = 0; k < 1000 && said < 3; k++) {
        run(w, 100); /* a tick, then what the others say: a horizon is decided between two ticks */
        said = 0;
        for (unsigned i = 0; i < 3; i++) {
            struct core_view v = view(w, i);
            if (v.back_to <= 1 || v.erase_owed)
                continue;
            assert_int_equal(v.held, 0);
            said++;
        }
    }
    assert_int_equal(said, 3);
    world_free(w);
}

static void what_a_lead_settled_by_hand_goes_too(void **state)
{
    struct world *w = branch_of(2);
    uint64_t slot;
    char kept[BARCODE_MAX + 1];

    (void)state;
    for (unsigned n = 0; n < 6; n++)
        record_nth(w, 0, n);
    run(w, 2000);
    upload(w, 0);
    slot = ledger_decided(core_ledger(w->v[0].core));
    say(w, 0, WORD_CONFIRM, slot);
    days(w, 31);
    barcode('3', 5, kept);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(rows(w, i, TABLE_KEPT), 2);
    say(w, 1, WORD_DONE, slot);
    run(w, 5000);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(rows(w, i, TABLE_KEPT), 0);
        assert_int_equal(rows(w, i, TABLE_ASIDE), 0);
        assert_int_equal(view(w, i).set_aside, 0);
        assert_true(is_nowhere(w, i, kept));
    }
    assert_int_equal(forgets, 4); /* the keys of what was kept go too */
    world_free(w);
}

static struct record_ref barred_ref; /* by the library's system, of the next delivery */

static bool refuses_one(struct world *w, unsigned i, struct effect *e)
{
    struct answer_row row = { .line = 1, .ref = barred_ref, .kind = RECORD_CHECKOUT };
    struct moment now = moment(w, i);
    struct told t = { 0 };

    if (e->type != EFFECT_DELIVER)
        return real_work(w, i, e);
    row.answer = ANSWER_REFUSED;
    snprintf(row.words, sizeof row.words, "card is barred");
    told_add(&t, &row);
    w->delivered++;
    core_delivered(w->v[i].core, &now, e->number, DELIVERY_DONE, "x", &t);
    told_free(&t);
    return true;
}

/* A thief has the third desk: what it wrote behind its first record waits for a lead. */
static void revoke_third(struct world *w, const struct record_ref *last_trusted)
{
    struct trusted trusted = { .seq = last_trusted->seq };
    struct moment now = moment(w, 0);
    struct buf op = { 0 };

    memcpy(trusted.feed, last_trusted->feed.name, FEED_NAME_BYTES);
    op_revoke(core_roster(w->v[0].core), &w->b.desk[2].id, &trusted, 1, "stolen", w->b.lead.sign_sk,
              &op);
    assert_int_equal(core_roster_add(w->v[0].core, &now, op.p, op.len, NULL), ERR_OK);
    finish(w, 0);
    buf_free(&op);
    run(w, 3000);
}

static void what_the_system_refused_and_what_is_quarantined_lives_on(void **state)
{
    struct world *w = branch_of(3);
    char sent[BARCODE_MAX + 1], barred[BARCODE_MAX + 1], stolen[BARCODE_MAX + 1];
    struct record_ref trusted;

    (void)state;
    barcode('3', 0, sent);
    barcode('3', 1, barred);
    barcode('3', 4, stolen);
    record_nth(w, 0, 0);
    barred_ref = record_nth(w, 0, 1);
    trusted = record_nth(w, 2, 3);
    record_nth(w, 2, 4);
    run(w, 8000);
    revoke_third(w, &trusted);
    stop(w, 2);
    w->n = 2;
    w->hook = refuses_one;
    upload(w, 0);
    say(w, 1, WORD_CONFIRM, ledger_decided(core_ledger(w->v[0].core)));
    days(w, 31);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(is_nowhere(w, i, sent));
        assert_false(is_nowhere(w, i, barred));
        assert_false(is_nowhere(w, i, stolen));
        assert_int_equal(view(w, i).set_aside, 1);
        assert_int_equal(view(w, i).quarantined, 1);
    }
    w->n = 3; /* the revoked one has a disk to be freed */
    world_free(w);
}

static void what_is_not_uploaded_stays(void **state)
{
    struct world *w = branch_of(2);
    char later[BARCODE_MAX + 1];

    (void)state;
    record_nth(w, 0, 1);
    run(w, 2000);
    upload(w, 0);
    say(w, 0, WORD_CONFIRM, ledger_decided(core_ledger(w->v[0].core)));
    record_nth(w, 0, 3);
    run(w, 2000);
    days(w, 31);
    barcode('3', 3, later);
    for (unsigned i = 0; i < 2; i++) {
        assert_false(is_nowhere(w, i, later));
        assert_int_equal(view(w, i).held, 1);
        assert_int_equal(view(w, i).pending, 1);
    }
    upload(w, 1); /* and its upload can be built over the floor */
    assert_int_equal(view(w, 0).pending, 0);
    world_free(w);
}

static void a_desk_back_after_months_takes_floors_and_offers_what_lies_above(void **state)
{
    struct world *w = branch_of(3);
    struct record_ref ref;

    (void)state;
    for (unsigned n = 0; n < 9; n++)
        record_nth(w, n % 3, n);
    run(w, 2000);
    stop(w, 2);
    for (unsigned n = 9; n < 15; n++)
        record_nth(w, 0, n); /* which it never saw */
    run(w, 2000);
    upload(w, 0);
    say(w, 0, WORD_CONFIRM, ledger_decided(core_ledger(w->v[0].core)));
    days(w, 31);
    assert_int_equal(rows(w, 0, TABLE_BLOCKS), 0);
    start(w, 2);
    ref = record_nth(w, 2, 100);
    run(w, 1500);
    stop(w, 2); /* what it cannot know it still keeps after a restart */
    start(w, 2);
    run(w, 15000);
    assert_equal_sets(w, 0, 2);
    assert_int_equal(view(w, 2).held, 1);
    assert_int_equal(core_copies(w->v[0].core, &ref), 3);
    assert_int_equal(view(w, 2).pending, 1);
    assert_int_equal(rows(w, 2, TABLE_BLOCKS), 1);
    /* it never learned what of it was held: all of that it had stays with it */
    assert_int_equal(rows(w, 2, TABLE_KEPT), 9);
    assert_false(view(w, 2).memory_lost);
    upload(w, 2);
    world_free(w);
}

static void a_new_desk_learns_feeds_whose_records_are_gone(void **state)
{
    struct world *w = branch_of(2);

    (void)state;
    for (unsigned n = 0; n < 6; n++)
        record_nth(w, 0, n);
    run(w, 2000);
    upload(w, 0);
    say(w, 0, WORD_CONFIRM, ledger_decided(core_ledger(w->v[0].core)));
    days(w, 31);
    record_nth(w, 0, 50);
    run(w, 1000);
    wipe(w, 1);
    start(w, 1);
    run(w, 10000);
    assert_equal_sets(w, 0, 1);
    world_free(w);
}

/* ---- what a liar may say ---- */

static void floor_of(struct world *w, const struct ident *author, struct opening *o, uint64_t seq,
                     const struct ident *signer, struct buf *out)
{
    struct buf opening = { 0 };
    uint8_t h[HASH_BYTES] = { 7 }, sig[SIG_BYTES];

    o->id.desk = author->id;
    opening_sign(roster_branch(w->b.r), o, signer->sign_sk);
    head_sign(roster_branch(w->b.r), &o->id, seq, h, signer->sign_sk, sig);
    opening_encode(o, &opening);
    buf_reset(out);
    wire_begin(out, WIRE_FLOOR, 4);
    mp_put_bin(out, opening.p, opening.len);
    mp_put_u64(out, seq);
    mp_put_bin(out, h, sizeof h);
    mp_put_bin(out, sig, sizeof sig);
    buf_free(&opening);
}

static void a_floor_counts_only_below_our_own_horizon_and_with_its_authors_hand(void **state)
{
    struct world *w = branch_of(2);
    struct opening o = { .id.name = "liar", .number = 9, .at_ms = 1 };
    struct buf b = { 0 };
    uint64_t refused;

    (void)state;
    record_nth(w, 0, 1);
    run(w, 2000);
    upload(w, 0);
    floor_of(w, &w->b.desk[1], &o, 5, &w->b.desk[1], &b); /* honest hand, nothing decided */
    hear(w, 1, 0, b.p, b.len);
    assert_int_equal(core_feeds(w->v[0].core)->n, 1);
    o = core_feeds(w->v[0].core)->v[0].opening; /* decided, but not under a horizon */
    floor_of(w, &w->b.desk[0], &o, 1, &w->b.desk[0], &b);
    hear(w, 1, 0, b.p, b.len);
    assert_int_equal(core_feeds(w->v[0].core)->v[0].floor.seq, 0);
    refused = peer(w, 0, 1).refused;
    floor_of(w, &w->b.desk[0], &o, 1, &w->b.desk[1], &b); /* another's hand */
    hear(w, 1, 0, b.p, b.len);
    assert_int_equal(peer(w, 0, 1).refused, refused + 1);
    buf_free(&b);
    world_free(w);
}

/* ---- the disk fails at the k-th write ---- */

static void a_failure_at_any_write_keeps_what_is_open(void **state)
{
    struct world *w = branch_of(1);
    bool failed = true;
    unsigned k;

    (void)state;
    for (unsigned n = 0; n < 9; n++)
        record_nth(w, 0, n);
    upload(w, 0);
    say(w, 0, WORD_CONFIRM, ledger_decided(core_ledger(w->v[0].core)));
    for (k = 1; failed; k++) {
        assert_true(k < 300);
        w->v[0].wall_step = 31 * DAY;
        failed = dies_at_write(w, k);
        if (failed) {
            assert_int_equal(rows(w, 0, TABLE_ASIDE), 3);
            assert_true(rows(w, 0, TABLE_KEPT) + (unsigned)view(w, 0).held / 3 >= 3);
        }
    }
    run(w, 10000);
    assert_int_equal(rows(w, 0, TABLE_BLOCKS), 0);
    assert_int_equal(rows(w, 0, TABLE_KEPT), 3);
    assert_true(k > 5);
    world_free(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_confirmed_upload_is_erased_everywhere_after_its_time),
        cmocka_unit_test(nobody_says_that_all_is_erased_before_it_is),
        cmocka_unit_test(what_a_lead_settled_by_hand_goes_too),
        cmocka_unit_test(what_the_system_refused_and_what_is_quarantined_lives_on),
        cmocka_unit_test(what_is_not_uploaded_stays),
        cmocka_unit_test(a_desk_back_after_months_takes_floors_and_offers_what_lies_above),
        cmocka_unit_test(a_new_desk_learns_feeds_whose_records_are_gone),
        cmocka_unit_test(a_floor_counts_only_below_our_own_horizon_and_with_its_authors_hand),
        cmocka_unit_test(a_failure_at_any_write_keeps_what_is_open),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("erase", tests, NULL, NULL);
}
