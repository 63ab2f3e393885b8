/* test_release.c - what was set aside goes again: by name, on a lead's word, once for each. */
#include "../uploads.h"

#include "core_int.h"

/* A word that releases everything that this upload set aside, as this desk sees it. */
static unsigned release_all(struct world *w, unsigned desk, uint64_t slot)
{
    struct record_ref at = { .seq = 0 };
    struct aside_view v;
    struct buf refs = { 0 };
    unsigned n = 0;

    while (core_aside_next(w->v[desk].core, &at, &v))
        if (v.slot == slot && aside_may_go_again(v.what)) {
            struct word_ref r = { .ref = v.ref };
            memcpy(r.id, v.id, MACHINE_ID);
            word_put_ref(&refs, &r);
            n++;
        }
    if (n > 0)
        say_of(w, desk, WORD_RELEASE, slot, &refs, n);
    buf_free(&refs);
    return n;
}

static uint64_t decided(const struct world *w)
{
    return ledger_decided(core_ledger(w->v[0].core));
}

/* Of the newest slot. */
static void newest(const struct world *w, struct intent *in)
{
    struct buf b = { 0 };
    struct receipt r;

    assert_int_equal(ledger_receipt(core_ledger(w->v[0].core), decided(w), &b), ERR_OK);
    assert_int_equal(receipt_decode(b.p, b.len, &r, NULL), ERR_OK);
    assert_int_equal(intent_decode(r.intent, r.intent_len, in, NULL), ERR_OK);
    buf_free(&b);
}

static void publish(struct world *w, const char *extra)
{
    struct moment now = moment(w, 0);
    struct buf text = { 0 }, op = { 0 };

    branch_policy_text(extra, &text);
    op_policy(core_roster(w->v[0].core), (const char *)text.p, text.len, w->b.lead.sign_sk, &op);
    assert_int_equal(core_roster_add(w->v[0].core, &now, op.p, op.len, NULL), ERR_OK);
    finish(w, 0);
    run(w, 3000);
    buf_free(&text);
    buf_free(&op);
}

static struct record_ref register_card(struct world *w, unsigned desk, unsigned n, const char *name)
{
    struct record r = { .kind = RECORD_USER };
    struct record_ref ref;

    barcode('2', n, r.user);
    snprintf(r.reg.last, sizeof r.reg.last, "%s", name);
    assert_int_equal(enter(w, desk, &r, &ref), ERR_OK);
    finish(w, desk);
    return ref;
}

static struct record_ref lend_to(struct world *w, unsigned desk, unsigned item, unsigned user)
{
    struct record r = { .kind = RECORD_CHECKOUT };
    struct record_ref ref;

    barcode('3', item, r.item);
    barcode('2', user, r.user);
    assert_int_equal(enter(w, desk, &r, &ref), ERR_OK);
    finish(w, desk);
    return ref;
}

static void what_was_held_goes_again_once_on_a_leads_word(void **state)
{
    struct world *w = branch_of(3);
    char held[BARCODE_MAX + 1];
    struct intent in;

    (void)state;
    for (unsigned n = 0; n < 6; n++)
        record_nth(w, n % 2, n);
    run(w, 2000);
    upload(w, 0);
    barcode('3', 2, held);
    assert_int_equal(built_with(held), 0);
    assert_int_equal(core_aside_count(w->v[2].core, ASIDE_HELD), 2);
    assert_int_equal(release_all(w, 2, decided(w)), 2);
    run(w, 4000);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(view(w, i).released, 2);
    upload(w, 1); /* nothing new was recorded: the released ones alone are an upload */
    assert_int_equal(built_with(held), 1);
    newest(w, &in);
    assert_int_equal(in.n_ranges, 0);
    assert_int_equal(in.n_released, 2);
    assert_int_equal(in.records, 2);
    assert_int_equal(in.released[0].what, ASIDE_HELD);
    intent_free(&in);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(view(w, i).set_aside, 0);
        assert_int_equal(view(w, i).released, 0);
    }
    lend_to(w, 0, 77, 7);
    run(w, 2000);
    upload(w, 0);
    assert_int_equal(built_with(held), 0);
    newest(w, &in);
    assert_int_equal(in.n_released, 0);
    intent_free(&in);
    world_free(w);
}

static void a_word_on_another_upload_or_on_what_was_sent_releases_nothing(void **state)
{
    struct world *w = branch_of(2);
    struct buf refs = { 0 };
    struct word_ref sent = { .id = { 0 } };
    struct aside_view v;
    struct record_ref at = { .seq = 0 };

    (void)state;
    for (unsigned n = 0; n < 3; n++)
        sent.ref = record_nth(w, 0, n % 2);
    run(w, 2000);
    upload(w, 0);
    record_nth(w, 0, 5);
    run(w, 2000);
    upload(w, 0);
    word_put_ref(&refs, &sent);
    say_of(w, 0, WORD_RELEASE, 1, &refs, 1);
    assert_true(core_aside_next(w->v[0].core, &at, &v));
    assert_int_equal(v.slot, 2);
    buf_reset(&refs);
    sent.ref = v.ref;
    memcpy(sent.id, v.id, MACHINE_ID);
    word_put_ref(&refs, &sent);
    say_of(w, 0, WORD_RELEASE, 1, &refs, 1); /* it was held in 2 */
    sent.id[0] ^= 1;
    buf_reset(&refs);
    word_put_ref(&refs, &sent);
    say_of(w, 0, WORD_RELEASE, 2, &refs, 1); /* another history's */
    run(w, 4000);
    assert_int_equal(view(w, 0).released, 0);
    buf_free(&refs);
    world_free(w);
}

static enum err ask(struct world *w, unsigned i, struct intent *in, bool adopted)
{
    struct core *c = w->v[i].core;

    in->records = in->n_released;
    return c->ask.holds(c->ask.ctx, in, adopted, NULL);
}

static void a_seat_takes_only_what_a_lead_released_here_as_it_stands(void **state)
{
    struct world *w = branch_of(2);
    struct core *c;
    struct aside_view v;
    struct record_ref at = { .seq = 0 };
    struct slot_released r = { .slot = 1 };
    struct intent in = { .type = SLOT_UPLOAD, .slot = 2, .released = &r, .n_released = 1 };

    (void)state;
    for (unsigned n = 0; n < 3; n++)
        record_nth(w, 0, n);
    run(w, 2000);
    upload(w, 0);
    c = w->v[1].core;
    assert_true(core_aside_next(c, &at, &v));
    r.ref = v.ref;
    r.what = (uint8_t)v.what;
    memcpy(r.id, v.id, MACHINE_ID);
    assert_int_equal(ask(w, 1, &in, false), ERR_REFUSED); /* no word */
    assert_int_equal(ask(w, 1, &in, true), ERR_OK); /* others agreed on it: it holds the record */
    release_all(w, 0, 1);
    run(w, 4000);
    assert_int_equal(ask(w, 1, &in, false), ERR_OK);
    r.what = ASIDE_WAITS;
    assert_int_equal(ask(w, 1, &in, false), ERR_REFUSED);
    r.what = ASIDE_HELD;
    r.id[3] ^= 1;
    assert_int_equal(ask(w, 1, &in, false), ERR_REFUSED);
    r.id[3] ^= 1;
    r.ref.seq--;
    assert_int_equal(ask(w, 1, &in, false), ERR_REFUSED); /* that one was sent */
    r.ref.seq++;
    in.cards = 1;
    assert_int_equal(ask(w, 1, &in, false), ERR_REFUSED); /* nobody said that cards exist */
    in.cards = 0;
    upload(w, 0);
    assert_int_equal(ask(w, 1, &in, false), ERR_REFUSED); /* it went */
    r.ref.seq = 1000;
    assert_int_equal(ask(w, 1, &in, true), ERR_REFUSED);
    world_free(w);
}

static void
what_was_erased_around_it_can_still_be_released_and_is_read_until_confirmed(void **state)
{
    struct world *w = branch_of(3);
    char held[BARCODE_MAX + 1], at_b[BARCODE_MAX + 1];
    uint64_t slot;

    (void)state;
    for (unsigned n = 0; n < 6; n++)
        record_nth(w, n % 2, n);
    run(w, 2000);
    upload(w, 0);
    slot = decided(w);
    say(w, 0, WORD_CONFIRM, slot);
    days(w, 31);
    barcode('3', 2, held);
    barcode('3', 5, at_b);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(rows(w, i, TABLE_BLOCKS), 0);
        assert_int_equal(rows(w, i, TABLE_KEPT), 2);
    }
    assert_int_equal(release_all(w, 0, slot), 2);
    run(w, 4000);
    stop(w, 2);
    start(w, 2);
    run(w, 8000);
    upload(w, 2);
    assert_int_equal(built_with(held), 1);
    assert_int_equal(built_with(at_b), 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(view(w, i).set_aside, 0);
    days(w, 40);
    for (unsigned i = 0; i < 3; i++)
        assert_false(is_nowhere(w, i, held)); /* nobody confirmed that it arrived */
    say(w, 1, WORD_CONFIRM, decided(w));
    days(w, 31);
    run(w, 20000);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(is_nowhere(w, i, held));
        assert_int_equal(rows(w, i, TABLE_KEPT), 0);
        assert_int_equal(rows(w, i, TABLE_ASIDE), 0);
    }
    world_free(w);
}

static void cards_that_exist_let_go_what_waits_for_them_then_and_later(void **state)
{
    struct world *w = branch_of(2);
    struct intent in;
    char user[BARCODE_MAX + 1], item[BARCODE_MAX + 1];

    (void)state;
    register_card(w, 0, 5, "Reader");
    lend_to(w, 0, 1, 5);
    lend_to(w, 1, 2, 5);
    run(w, 2000);
    upload(w, 0);
    barcode('2', 5, user);
    barcode('3', 1, item);
    assert_int_equal(core_aside_count(w->v[1].core, ASIDE_WAITS), 2);
    assert_int_equal(built_with(item), 0);
    say(w, 1, WORD_CARDS, 1);
    lend_to(w, 1, 3, 5);
    run(w, 4000);
    upload(w, 1);
    assert_int_equal(built_with(item), 1);
    assert_int_equal(built_with(user), 3);
    newest(w, &in);
    assert_int_equal(in.cards, 1);
    assert_int_equal(in.n_released, 2);
    intent_free(&in);
    lend_to(w, 0, 4, 5); /* and without a further word */
    run(w, 2000);
    upload(w, 0);
    assert_int_equal(built_with(user), 1);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(view(w, i).set_aside, 0);
    world_free(w);
}

static void a_card_that_the_format_cannot_say_is_to_be_made_by_hand(void **state)
{
    struct world *w = branch_of(2);
    char user[BARCODE_MAX + 1];
    uint64_t slot;

    (void)state;
    publish(w, "registration = none\n");
    register_card(w, 0, 5, "Reader");
    lend_to(w, 0, 1, 5);
    run(w, 2000);
    upload(w, 0);
    barcode('2', 5, user);
    assert_int_equal(built_with(user), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(core_aside_count(w->v[i].core, ASIDE_BY_HAND), 1);
        assert_int_equal(core_aside_count(w->v[i].core, ASIDE_WAITS), 1);
    }
    say(w, 0, WORD_CONFIRM, 1);
    days(w, 31); /* it does not vanish either */
    assert_int_equal(core_aside_count(w->v[1].core, ASIDE_BY_HAND), 1);
    assert_int_equal(release_all(w, 0, 1),
                     2); /* in vain: it stands aside again, with another upload */
    run(w, 4000);
    upload(w, 0);
    assert_int_equal(core_aside_count(w->v[1].core, ASIDE_BY_HAND), 1);
    assert_int_equal(view(w, 1).set_aside, 1);
    slot = decided(w);
    assert_int_equal(view(w, 1).released, 0); /* the word was for the first one */
    publish(w, "registration = jy\n");
    assert_int_equal(release_all(w, 1, slot), 1);
    run(w, 4000);
    upload(w, 0);
    assert_int_equal(built_with(user), 1);
    assert_int_equal(view(w, 1).set_aside, 0);
    world_free(w);
}

static void a_void_takes_back_what_was_released_too(void **state)
{
    struct world *w = branch_of(2);
    struct record loan = { .kind = RECORD_CHECKOUT }, back = { .kind = RECORD_VOID };
    struct record_ref ref;
    struct slot_released r = { .slot = 1, .what = ASIDE_WAITS };
    struct intent in = { .type = SLOT_UPLOAD, .slot = 2, .released = &r, .n_released = 1 };
    struct merge_job job;
    struct merge *m;
    struct merged *out = calloc(1, sizeof *out);

    (void)state;
    barcode('3', 9, loan.item);
    barcode('2', 9, loan.user);
    assert_int_equal(enter(w, 0, &loan, &ref), ERR_OK);
    back.target = r.ref = ref;
    assert_int_equal(enter(w, 0, &back, &ref), ERR_OK);
    finish(w, 0);
    run(w, 2000);
    in.ranges = &(struct slot_range){ .feed = ref.feed, .from = 1, .to = 2 };
    in.n_ranges = 1;
    memcpy(in.policy, roster_policy_hash(core_roster(w->v[0].core)), HASH_BYTES);
    in.slot = 1;
    assert_int_equal(feeds_hash_at(core_feeds(w->v[0].core),
                                   feeds_find(core_feeds(w->v[0].core), &ref.feed), 2,
                                   (uint8_t[HASH_BYTES]){ 0 }),
                     ERR_OK);
    in.n_ranges = 0;
    assert_int_equal(core_merge_job(w->v[0].core, &in, &job, NULL), ERR_OK);
    for (unsigned i = 0; i < job.n_feeds; i++) { /* the loan is decided, its void comes now */
        job.feeds[i].from = 2;
        job.feeds[i].to = 2;
    }
    assert_int_equal(merge_open(&job, memdisk_reader(w->v[0].disk), NULL, NULL, &m, NULL), ERR_OK);
    assert_int_equal(merge_next(m, out, NULL), ERR_OK);
    assert_int_equal(out->verdict, VERDICT_VOIDED);
    assert_non_null(out->again);
    assert_int_equal(merge_next(m, out, NULL), ERR_OK);
    assert_int_equal(out->verdict, VERDICT_VOID);
    assert_null(out->again);
    assert_int_equal(merge_next(m, out, NULL), ERR_MISSING);
    merge_close(m);
    merge_job_free(&job);
    free(out);
    world_free(w);
}

static void settled_by_hand_is_not_released_any_more(void **state)
{
    struct world *w = branch_of(2);

    (void)state;
    for (unsigned n = 0; n < 3; n++)
        record_nth(w, 0, n);
    run(w, 2000);
    upload(w, 0);
    release_all(w, 0, 1);
    run(w, 4000);
    assert_int_equal(view(w, 1).released, 1);
    say(w, 1, WORD_DONE, 1);
    run(w, 4000);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(view(w, i).released, 0);
        assert_int_equal(view(w, i).set_aside, 0);
    }
    world_free(w);
}

static void a_seat_that_was_away_holds_up_nothing(void **state)
{
    struct world *w = branch_of(3);
    struct intent in;
    uint64_t slot;

    (void)state;
    for (unsigned n = 0; n < 3; n++)
        record_nth(w, 0, n);
    run(w, 2000);
    stop(w, 2);
    upload(w, 0);
    slot = decided(w);
    assert_int_equal(release_all(w, 0, slot), 1);
    stop(w, 1); /* it has the list, and no words yet */
    start(w, 2);
    start(w, 1);
    run(w, 100);
    press(w, 0);
    run(w, 20000);
    newest(w, &in);
    assert_int_equal(in.slot, slot + 1);
    assert_int_equal(in.n_released, 1);
    intent_free(&in);
    world_free(w);
}

/* A change of seats ends with a RESIGN, too. Who has not heard all for a minute must not conclude from it that
 * nothing is left to send, while there are released records. */
static void a_press_for_released_records_outlives_a_resigning_desk(void **state)
{
    struct world *w = branch_of(3);
    struct moment now;
    struct ledger_view v;
    struct buf b = { 0 };

    (void)state;
    for (unsigned n = 0; n < 3; n++)
        record_nth(w, 0, n);
    run(w, 2000);
    upload(w, 0);
    assert_int_equal(release_all(w, 0, decided(w)), 1);
    run(w, 4000);
    stop(w, 1);
    stop(w, 2);
    press(w, 0);
    run(w, 70000);
    now = moment(w, 0);
    core_ledger_view(w->v[0].core, &now, &v);
    assert_true(v.triggered);
    wire_begin(&b, WIRE_RESIGN, 6);
    epoch_put(&b, &v.epoch);
    mp_put_u64(&b, v.term + 1);
    mp_put_u64(&b, v.slot - 1);
    mp_put_u64(&b, TROUBLE_NONE);
    mp_put_str(&b, "");
    core_message(w->v[0].core, &now, &w->b.desk[1].id, "", b.p, b.len);
    finish(w, 0);
    run(w, 10000);
    core_ledger_view(w->v[0].core, &now, &v);
    assert_true(v.triggered);
    buf_free(&b);
    world_free(w);
}

static void a_failure_at_any_write_loses_no_outcome(void **state)
{
    struct world *w = branch_of(1);
    bool failed = true;
    unsigned k;

    (void)state;
    for (unsigned n = 0; n < 9; n++)
        record_nth(w, 0, n);
    upload(w, 0);
    release_all(w, 0, 1);
    run(w, 4000);
    lend_to(w, 0, 70, 7);
    press(w, 0);
    for (k = 1; failed; k++) {
        assert_true(k < 300);
        failed = dies_at_write(w, k);
        if (failed)
            assert_int_equal(rows(w, 0, TABLE_ASIDE), 3);
    }
    run(w, 20000);
    assert_int_equal(decided(w), 2);
    assert_int_equal(core_aside_count(w->v[0].core, ASIDE_AGAIN), 3);
    assert_int_equal(view(w, 0).set_aside, 0);
    assert_int_equal(view(w, 0).released, 0);
    assert_true(k > 5);
    world_free(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_held_goes_again_once_on_a_leads_word),
        cmocka_unit_test(a_word_on_another_upload_or_on_what_was_sent_releases_nothing),
        cmocka_unit_test(a_seat_takes_only_what_a_lead_released_here_as_it_stands),
        cmocka_unit_test(
            what_was_erased_around_it_can_still_be_released_and_is_read_until_confirmed),
        cmocka_unit_test(cards_that_exist_let_go_what_waits_for_them_then_and_later),
        cmocka_unit_test(a_card_that_the_format_cannot_say_is_to_be_made_by_hand),
        cmocka_unit_test(a_void_takes_back_what_was_released_too),
        cmocka_unit_test(settled_by_hand_is_not_released_any_more),
        cmocka_unit_test(a_seat_that_was_away_holds_up_nothing),
        cmocka_unit_test(a_press_for_released_records_outlives_a_resigning_desk),
        cmocka_unit_test(a_failure_at_any_write_loses_no_outcome),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("release", tests, NULL, NULL);
}
