/* test_ruling.c - what leads say of records that no upload has yet. */
#include "../uploads.h"

#include "core_int.h"
#include "today.h"

static uint64_t decided(const struct world *w)
{
    return ledger_decided(core_ledger(w->v[0].core));
}

static void newest(const struct world *w, struct intent *in)
{
    struct buf b = { 0 };
    struct receipt r;

    assert_int_equal(ledger_receipt(core_ledger(w->v[0].core), decided(w), &b), ERR_OK);
    assert_int_equal(receipt_decode(b.p, b.len, &r, NULL), ERR_OK);
    assert_int_equal(intent_decode(r.intent, r.intent_len, in, NULL), ERR_OK);
    buf_free(&b);
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

static void rule(struct world *w, unsigned desk, enum word_kind kind, const struct record_ref *ref)
{
    struct word_ref named;
    struct buf refs = { 0 };

    assert_int_equal(core_rule_ref(w->v[desk].core, ref, &named, NULL), ERR_OK);
    word_put_ref(&refs, &named);
    say_of(w, desk, kind, decided(w) + 1, &refs, 1);
    buf_free(&refs);
}

static unsigned sent_to(unsigned user)
{
    char text[BARCODE_MAX + 1];

    barcode('2', user, text);
    return built_with(text);
}

struct twice { /* one item, out to users 5 and 6 */
    struct world *w;
    struct record_ref first, second;
};

static struct twice out_twice(void)
{
    struct twice t = { .w = branch_of(3) };

    t.first = lend_to(t.w, 0, 1, 5);
    run(t.w, 90000);
    t.second = lend_to(t.w, 1, 1, 6);
    run(t.w, 3000);
    return t;
}

static void undecided_the_later_goes_and_the_earlier_waits(void **state)
{
    struct twice t = out_twice();

    (void)state;
    upload(t.w, 0);
    assert_int_equal(sent_to(5), 0);
    assert_int_equal(sent_to(6), 1);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(core_aside_count(t.w->v[i].core, ASIDE_REVIEW), 1);
    world_free(t.w);
}

static void a_lead_keeps_both_and_nothing_is_set_aside(void **state)
{
    struct twice t = out_twice();
    struct intent in;

    (void)state;
    rule(t.w, 2, WORD_SEND, &t.first);
    run(t.w, 3000);
    upload(t.w, 0);
    assert_int_equal(sent_to(5), 1);
    assert_int_equal(sent_to(6), 1);
    newest(t.w, &in);
    assert_int_equal(in.n_rulings, 1);
    assert_int_equal(in.rulings[0].what, WORD_SEND);
    assert_int_equal(in.set_aside, 0);
    intent_free(&in);
    world_free(t.w);
}

static void a_lead_voids_another_desks_record_and_the_other_goes_alone(void **state)
{
    struct twice t = out_twice();

    (void)state;
    rule(t.w, 0, WORD_VOID, &t.second);
    run(t.w, 3000);
    upload(t.w, 2);
    assert_int_equal(sent_to(5), 1);
    assert_int_equal(sent_to(6), 0);
    assert_int_equal(core_aside_count(t.w->v[1].core, ASIDE_REVIEW), 0);
    world_free(t.w);
}

static void of_two_leads_apart_the_later_word_stands_everywhere(void **state)
{
    struct twice t = out_twice();
    struct intent in;

    (void)state;
    rule(t.w, 0, WORD_VOID, &t.first);
    run(t.w, 2000);
    rule(t.w, 2, WORD_SEND, &t.first);
    run(t.w, 3000);
    upload(t.w, 1);
    assert_int_equal(sent_to(5), 1);
    assert_int_equal(sent_to(6), 1);
    newest(t.w, &in);
    assert_int_equal(in.n_rulings, 1);
    intent_free(&in);
    world_free(t.w);
}

static void a_word_for_another_history_or_after_the_upload_rules_nothing(void **state)
{
    struct twice t = out_twice();
    struct word_ref named;
    struct buf refs = { 0 };
    struct intent in;

    (void)state;
    assert_int_equal(core_rule_ref(t.w->v[0].core, &t.second, &named, NULL), ERR_OK);
    named.id[0] ^= 1;
    word_put_ref(&refs, &named);
    say_of(t.w, 0, WORD_VOID, 1, &refs, 1);
    run(t.w, 3000);
    upload(t.w, 0);
    assert_int_equal(sent_to(6), 1);
    newest(t.w, &in);
    assert_int_equal(in.n_rulings, 0);
    intent_free(&in);
    assert_int_equal(core_rule_ref(t.w->v[0].core, &t.second, &named, NULL), ERR_REFUSED);
    buf_free(&refs);
    world_free(t.w);
}

static void a_word_that_came_too_late_is_told(void **state)
{
    struct twice t = out_twice();
    struct slot_ruling *late = NULL;
    struct record_ref third;
    struct word_ref named;
    struct buf refs = { 0 };
    struct intent in;
    unsigned n = 0;

    (void)state;
    third = lend_to(t.w, 2, 3, 7);
    run(t.w, 3000);
    rule(t.w, 2, WORD_VOID, &third);
    run(t.w, 3000);
    /* Said at a desk that has not heard of the upload. */
    assert_int_equal(core_rule_ref(t.w->v[2].core, &t.second, &named, NULL), ERR_OK);
    word_put_ref(&refs, &named);
    upload(t.w, 0);
    newest(t.w, &in);
    assert_int_equal(core_late_rulings(t.w->v[0].core, &in, &late, &n, NULL), ERR_OK);
    assert_int_equal(n, 0); /* the one that it knew is none */
    free(late);
    late = NULL;
    say_of(t.w, 2, WORD_VOID, 1, &refs, 1);
    run(t.w, 3000);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(core_late_rulings(t.w->v[i].core, &in, &late, &n, NULL), ERR_OK);
        assert_int_equal(n, 1);
        assert_true(ref_cmp(&late[0].ref, &t.second) == 0);
        assert_int_equal(late[0].what, WORD_VOID);
        free(late);
        late = NULL;
    }
    intent_free(&in);
    buf_free(&refs);
    world_free(t.w);
}

/* R2: the others agreed on the loan while its desk, cut off, took it back. */
static void a_void_that_came_too_late_is_not_shown_as_done(void **state)
{
    struct world *w = branch_of(3);
    struct record v = { .kind = RECORD_VOID };
    struct record_ref loan = lend_to(w, 0, 1, 5), voider;
    struct buf refs = { 0 };
    struct word_ref named;

    (void)state;
    run(w, 3000);
    cut(w, 0, 1, true);
    cut(w, 0, 2, true);
    v.target = loan;
    assert_int_equal(enter(w, 0, &v, &voider), ERR_OK);
    finish(w, 0);
    assert_int_equal(core_own_state(w->v[0].core, &loan), OWN_VOIDED);
    run(w, 10000);
    upload(w, 1);
    assert_int_equal(sent_to(5), 1);
    cut(w, 0, 1, false);
    cut(w, 0, 2, false);
    run(w, 10000);
    assert_int_equal(core_own_state(w->v[0].core, &loan), OWN_VOIDED_LATE);
    upload(w, 1); /* the void goes where it is listed */
    assert_int_equal(core_aside_count(w->v[0].core, ASIDE_LATE_VOID), 1);
    assert_int_equal(core_own_state(w->v[0].core, &loan), OWN_VOIDED_LATE);
    assert_int_equal(core_sent_ref(w->v[0].core, decided(w), &voider, &named, NULL), ERR_OK);
    word_put_ref(&refs, &named);
    say_of(w, 0, WORD_DONE, decided(w), &refs, 1); /* a lead undid it in the ILS */
    run(w, 5000);
    assert_int_equal(core_own_state(w->v[0].core, &loan), OWN_VOIDED);
    buf_free(&refs);
    world_free(w);
}

/* L2: at the scan, too, a lead's void takes back. */
static void what_a_lead_voided_is_not_told_at_the_scan(void **state)
{
    struct world *w = branch_of(2);
    struct record_ref first = lend_to(w, 0, 1, 5), ref;
    struct record r = { .kind = RECORD_CHECKOUT };
    struct moment now;
    struct told_note note;
    bool again;

    (void)state;
    run(w, 3000);
    barcode('3', 1, r.item);
    barcode('2', 6, r.user);
    now = moment(w, 1);
    assert_int_equal(core_record_telling(w->v[1].core, &now, &r, ASK, &note, &ref, &again, NULL),
                     ERR_REFUSED);
    assert_int_equal(note.what, LATELY_TO_ANOTHER);
    rule(w, 0, WORD_VOID, &first);
    run(w, 3000);
    now = moment(w, 1);
    assert_int_equal(core_record_telling(w->v[1].core, &now, &r, ASK, &note, &ref, &again, NULL),
                     ERR_OK);
    assert_int_equal(note.what, LATELY_NOTHING);
    finish(w, 1);
    world_free(w);
}

/* A desk that agreed to an upload knows that it is too late. */
static void what_is_on_its_way_is_not_ruled_on(void **state)
{
    struct twice t = out_twice();
    struct word_ref named;
    struct errmsg msg = { .text = "" };

    (void)state;
    assert_int_equal(core_may_rule(t.w->v[0].core, &t.second, &named, &msg), ERR_OK);
    press(t.w, 0);
    for (unsigned i = 0;
         i < 100 && !ledger_covers(core_ledger(t.w->v[0].core), &t.second.feed, t.second.seq); i++)
        run(t.w, 20);
    assert_int_equal(core_may_rule(t.w->v[0].core, &t.second, &named, &msg), ERR_REFUSED);
    assert_string_equal(msg.why, "uploaded");
    world_free(t.w);
}

static void a_seat_accepts_only_what_a_lead_said_there(void **state)
{
    struct twice t = out_twice();
    struct core *c = t.w->v[1].core;
    struct intent in = { .type = SLOT_UPLOAD, .slot = 1 };

    (void)state;
    rule(t.w, 0, WORD_VOID, &t.first);
    run(t.w, 3000);
    assert_int_equal(c->ask.cut(c->ask.ctx, &in, NULL), ERR_OK);
    assert_int_equal(in.n_rulings, 1);
    assert_int_equal(c->ask.holds(c->ask.ctx, &in, false, NULL), ERR_OK);
    in.rulings[0].what = WORD_SEND; /* he said VOID */
    assert_int_equal(c->ask.holds(c->ask.ctx, &in, false, NULL), ERR_REFUSED);
    in.rulings[0].what = WORD_VOID;
    in.rulings[0].ref = t.second; /* not of that record */
    assert_int_equal(c->ask.holds(c->ask.ctx, &in, false, NULL), ERR_REFUSED);
    in.rulings[0].ref = t.first;
    in.rulings[0].word[0] ^= 1; /* nobody said that */
    assert_int_equal(c->ask.holds(c->ask.ctx, &in, false, NULL), ERR_REFUSED);
    assert_int_equal(c->ask.holds(c->ask.ctx, &in, true, NULL), ERR_OK); /* agreed on before */
    in.rulings[0].ref.seq = 1000;
    assert_int_equal(c->ask.holds(c->ask.ctx, &in, true, NULL), ERR_REFUSED);
    intent_free(&in);
    world_free(t.w);
}

static void an_intent_with_rulings_is_read_back_and_bounded(void **state)
{
    struct slot_ruling v[2] = { { .ref = { .seq = 3 }, .what = WORD_VOID },
                                { .ref = { .seq = 4 }, .what = WORD_SEND } };
    struct intent in = { .type = SLOT_UPLOAD, .slot = 1, .rulings = v, .n_rulings = 2 }, got;
    struct buf b = { 0 };

    (void)state;
    v[1].word[5] = 7;
    intent_encode(&in, &b);
    assert_int_equal(intent_decode(b.p, b.len, &got, NULL), ERR_OK);
    assert_int_equal(got.n_rulings, 2);
    assert_memory_equal(got.rulings[1].word, v[1].word, SLOT_WORD_ID);
    assert_int_equal(got.rulings[1].what, WORD_SEND);
    intent_free(&got);
    v[1].ref.seq = 3; /* one record twice */
    buf_reset(&b);
    intent_encode(&in, &b);
    assert_int_equal(intent_decode(b.p, b.len, &got, NULL), ERR_MALFORMED);
    v[1].ref.seq = 4;
    v[1].what = WORD_RELEASE;
    buf_reset(&b);
    intent_encode(&in, &b);
    assert_int_equal(intent_decode(b.p, b.len, &got, NULL), ERR_MALFORMED);
    buf_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(undecided_the_later_goes_and_the_earlier_waits),
        cmocka_unit_test(a_lead_keeps_both_and_nothing_is_set_aside),
        cmocka_unit_test(a_lead_voids_another_desks_record_and_the_other_goes_alone),
        cmocka_unit_test(of_two_leads_apart_the_later_word_stands_everywhere),
        cmocka_unit_test(a_word_for_another_history_or_after_the_upload_rules_nothing),
        cmocka_unit_test(a_word_that_came_too_late_is_told),
        cmocka_unit_test(a_void_that_came_too_late_is_not_shown_as_done),
        cmocka_unit_test(what_a_lead_voided_is_not_told_at_the_scan),
        cmocka_unit_test(what_is_on_its_way_is_not_ruled_on),
        cmocka_unit_test(a_seat_accepts_only_what_a_lead_said_there),
        cmocka_unit_test(an_intent_with_rulings_is_read_back_and_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
