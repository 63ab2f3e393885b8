/* test_slot.c - bytes of intents, triggers and receipts; what makes a receipt good. */
#include "../branch.h"

#include <sodium.h>

#include "slot.h"

static struct intent sample_intent(const struct branch *b)
{
    struct intent in = { .slot = 7,
                         .term = 5,
                         .type = SLOT_UPLOAD,
                         .rules = 1,
                         .n_ranges = 2,
                         .records = 12,
                         .n_parts = 1 };

    memcpy(in.branch, roster_branch(b->r), BRANCH_ID_BYTES);
    in.epoch.number = 2;
    memset(in.epoch.hash, 0xee, HASH_BYTES);
    memset(in.prev, 0xaa, HASH_BYTES);
    in.desk = b->desk[0].id;
    memcpy(in.policy, roster_policy_hash(b->r), HASH_BYTES);
    snprintf(in.sink, sizeof in.sink, "file:/drop");
    in.ranges = calloc(2, sizeof *in.ranges);
    memset(&in.ranges[0].feed, 1, sizeof in.ranges[0].feed);
    memset(&in.ranges[1].feed, 2, sizeof in.ranges[1].feed);
    in.ranges[0].from = 1;
    in.ranges[0].to = 10;
    in.ranges[0].correction_ms = -1234;
    in.ranges[0].clock = CLOCK_CORRECTED;
    in.ranges[1].from = in.ranges[1].to = 99;
    in.ranges[1].to = 100;
    snprintf(in.parts[0].suffix, sizeof in.parts[0].suffix, "log");
    in.parts[0].bytes = 1000;
    in.parts[0].lines = 12;
    memset(in.parts[0].sha256, 0x55, 32);
    buf_add(&in.trigger, "trigger", 7);
    return in;
}

static void intent_comes_back_as_it_was(void **state)
{
    struct branch b;
    struct intent in, out;
    struct buf one = { 0 }, two = { 0 };

    (void)state;
    branch_new(&b, 3, 3);
    in = sample_intent(&b);
    intent_encode(&in, &one);
    assert_int_equal(intent_decode(one.p, one.len, &out, NULL), ERR_OK);
    assert_int_equal(out.slot, 7);
    assert_int_equal(out.term, 5);
    assert_int_equal(out.epoch.number, 2);
    assert_int_equal(out.n_ranges, 2);
    assert_int_equal(out.ranges[0].correction_ms, -1234);
    assert_int_equal(out.ranges[0].clock, CLOCK_CORRECTED);
    assert_int_equal(out.ranges[1].to, 100);
    assert_string_equal(out.parts[0].suffix, "log");
    assert_memory_equal(out.trigger.p, "trigger", 7);
    intent_encode(&out, &two);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.p, two.p, one.len);
    assert_int_equal(one.p[0], 0xdc); /* array16 of INTENT_FIELDS */
    assert_int_equal(one.p[1] << 8 | one.p[2], 24);
    intent_free(&in);
    intent_free(&out);
    buf_free(&one);
    buf_free(&two);
    branch_free(&b);
}

static void change_of_seats_comes_back(void **state)
{
    struct branch b;
    struct intent in = { .slot = 1, .term = 1, .type = SLOT_SEATS, .n_seats = 3 }, out;
    struct buf bytes = { 0 };

    (void)state;
    branch_new(&b, 3, 3);
    for (unsigned i = 0; i < 3; i++)
        in.seats[i] = b.desk[i].id;
    intent_encode(&in, &bytes);
    assert_int_equal(intent_decode(bytes.p, bytes.len, &out, NULL), ERR_OK);
    assert_int_equal(out.type, SLOT_SEATS);
    assert_int_equal(out.n_seats, 3);
    assert_memory_equal(out.seats, in.seats, 3 * sizeof in.seats[0]);
    intent_free(&out);
    buf_free(&bytes);
    branch_free(&b);
}

static void cut_off_intent_is_refused_at_every_byte(void **state)
{
    struct branch b;
    struct intent in, out;
    struct buf bytes = { 0 };

    (void)state;
    branch_new(&b, 3, 3);
    in = sample_intent(&b);
    intent_encode(&in, &bytes);
    for (size_t n = 0; n < bytes.len; n++) {
        uint8_t *exact = malloc(n ? n : 1);
        memcpy(exact, bytes.p, n);
        assert_int_equal(intent_decode(exact, n, &out, NULL), ERR_MALFORMED);
        free(exact);
    }
    buf_add(&bytes, "", 1);
    assert_int_equal(intent_decode(bytes.p, bytes.len, &out, NULL), ERR_MALFORMED);
    intent_free(&in);
    buf_free(&bytes);
    branch_free(&b);
}

static void assert_no_intent(struct intent *in)
{
    struct intent out;
    struct buf bytes = { 0 };

    intent_encode(in, &bytes);
    assert_int_equal(intent_decode(bytes.p, bytes.len, &out, NULL), ERR_MALFORMED);
    buf_free(&bytes);
}

static void intent_with_ranges_that_make_no_sense_is_refused(void **state)
{
    struct branch b;
    struct intent in;
    struct slot_range keep;

    (void)state;
    branch_new(&b, 3, 3);
    in = sample_intent(&b);
    keep = in.ranges[1];
    in.ranges[1].feed = in.ranges[0].feed; /* one feed twice */
    assert_no_intent(&in);
    in.ranges[1] = keep;
    in.ranges[1].from = 0;
    assert_no_intent(&in);
    in.ranges[1] = keep;
    in.ranges[1].to = in.ranges[1].from - 1;
    assert_no_intent(&in);
    in.ranges[1] = keep;
    in.ranges[1].to = UINT64_MAX;
    assert_no_intent(&in);
    in.ranges[1] = keep;
    in.ranges[1].correction_ms = INT64_MIN;
    assert_no_intent(&in);
    in.ranges[1] = keep;
    in.slot = 0;
    assert_no_intent(&in);
    intent_free(&in);
    branch_free(&b);
}

static struct trigger sample_trigger(const struct branch *b)
{
    struct trigger t = { .slot = 3, .made_ms = 1795500000000, .desk = b->desk[1].id };

    memcpy(t.lead_pk, b->lead.sign_pk, KEY_BYTES);
    return t;
}

static void trigger_comes_back_and_is_signed(void **state)
{
    struct branch b;
    struct trigger t, out;
    struct buf bytes = { 0 };
    const uint8_t *branch;

    (void)state;
    branch_new(&b, 2, 2);
    branch = roster_branch(b.r);
    t = sample_trigger(&b);
    trigger_sign(branch, &t, b.lead.sign_sk, &bytes);
    assert_int_equal(trigger_open(bytes.p, bytes.len, branch, &out, NULL), ERR_OK);
    assert_int_equal(out.slot, 3);
    assert_int_equal(out.made_ms, 1795500000000);
    assert_true(desk_id_eq(&out.desk, &b.desk[1].id));
    assert_memory_equal(out.lead_pk, b.lead.sign_pk, KEY_BYTES);
    for (size_t n = 0; n < bytes.len; n++)
        assert_int_equal(trigger_open(bytes.p, n, branch, &out, NULL), ERR_MALFORMED);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.p[i] ^= 2;
        assert_int_not_equal(trigger_open(bytes.p, bytes.len, branch, &out, NULL), ERR_OK);
        bytes.p[i] ^= 2;
    }
    assert_int_not_equal(trigger_open(bytes.p, bytes.len, b.desk[0].id.b, &out, NULL), ERR_OK);
    buf_reset(&bytes);
    trigger_sign(branch, &t, b.desk[0].sign_sk, &bytes); /* says the lead, signed by a desk */
    assert_int_equal(trigger_open(bytes.p, bytes.len, branch, &out, NULL), ERR_DENIED);
    buf_free(&bytes);
    branch_free(&b);
}

static void acceptance_is_for_one_slot_term_and_intent(void **state)
{
    struct branch b;
    uint8_t sig[SIG_BYTES], hash[HASH_BYTES] = { 1 }, other[HASH_BYTES] = { 2 };
    const uint8_t *branch;

    (void)state;
    branch_new(&b, 2, 2);
    branch = roster_branch(b.r);
    accepted_sign(branch, 4, 9, hash, b.desk[0].sign_sk, sig);
    assert_true(accepted_ok(branch, 4, 9, hash, b.desk[0].sign_pk, sig));
    assert_false(accepted_ok(branch, 5, 9, hash, b.desk[0].sign_pk, sig));
    assert_false(accepted_ok(branch, 4, 8, hash, b.desk[0].sign_pk, sig));
    assert_false(accepted_ok(branch, 4, 9, other, b.desk[0].sign_pk, sig));
    assert_false(accepted_ok(branch, 4, 9, hash, b.desk[1].sign_pk, sig));
    assert_false(accepted_ok(b.desk[0].id.b, 4, 9, hash, b.desk[0].sign_pk, sig));
    branch_free(&b);
}

struct paper { /* a receipt in the making */
    struct branch b;
    struct buf intent, bytes;
    uint8_t hash[HASH_BYTES];
    struct desk_id seats[3];
    struct receipt r;
};

static void paper_new(struct paper *p)
{
    struct intent in;

    memset(p, 0, sizeof *p);
    branch_new(&p->b, 5, 3);
    in = sample_intent(&p->b);
    intent_encode(&in, &p->intent);
    intent_free(&in);
    intent_hash(p->intent.p, p->intent.len, p->hash);
    for (unsigned i = 0; i < 3; i++)
        p->seats[i] = p->b.desk[i].id;
    p->r = (struct receipt){ .intent = p->intent.p,
                             .intent_len = p->intent.len,
                             .term = 6,
                             .desk = p->b.desk[4].id,
                             .at_ms = 1795500000000 };
    snprintf(p->r.evidence, sizeof p->r.evidence, "MAIN.log");
}

static void paper_free(struct paper *p)
{
    buf_free(&p->intent);
    buf_free(&p->bytes);
    branch_free(&p->b);
}

/* Desk `signer` signs for slot, term and hash as given; it is entered as desk `as`. */
static void accept(struct paper *p, unsigned as, unsigned signer, uint64_t slot, uint64_t term)
{
    struct accepted *a = &p->r.accepted[p->r.n_accepted++];

    a->desk = p->b.desk[as].id;
    accepted_sign(roster_branch(p->b.r), slot, term, p->hash, p->b.desk[signer].sign_sk, a->sig);
}

static enum err open_it(struct paper *p, const struct ident *uploader)
{
    struct receipt out;

    buf_reset(&p->bytes);
    receipt_encode(&p->r, uploader->sign_sk, &p->bytes);
    return receipt_open(p->bytes.p, p->bytes.len, p->b.r, p->seats, 3, &out, NULL);
}

static void receipt_of_a_majority_is_good(void **state)
{
    struct paper p;
    struct receipt out;

    (void)state;
    paper_new(&p);
    accept(&p, 0, 0, 7, 6);
    accept(&p, 2, 2, 7, 6);
    assert_int_equal(open_it(&p, &p.b.desk[4]), ERR_OK);
    assert_int_equal(receipt_decode(p.bytes.p, p.bytes.len, &out, NULL), ERR_OK);
    assert_int_equal(out.term, 6);
    assert_int_equal(out.n_accepted, 2);
    assert_string_equal(out.evidence, "MAIN.log");
    assert_int_equal(out.intent_len, p.intent.len);
    assert_memory_equal(out.intent, p.intent.p, out.intent_len);
    paper_free(&p);
}

static void receipt_with_too_few_signatures_is_refused(void **state)
{
    struct paper p;

    (void)state;
    paper_new(&p);
    assert_int_equal(open_it(&p, &p.b.desk[4]), ERR_DENIED);
    accept(&p, 0, 0, 7, 6);
    assert_int_equal(open_it(&p, &p.b.desk[4]), ERR_DENIED);
    paper_free(&p);
}

static void one_seat_twice_is_no_majority(void **state)
{
    struct paper p;

    (void)state;
    paper_new(&p);
    accept(&p, 0, 0, 7, 6);
    accept(&p, 0, 0, 7, 6);
    accept(&p, 0, 0, 7, 6);
    assert_int_equal(open_it(&p, &p.b.desk[4]), ERR_DENIED);
    paper_free(&p);
}

static void desk_without_a_seat_does_not_count(void **state)
{
    struct paper p;

    (void)state;
    paper_new(&p);
    accept(&p, 0, 0, 7, 6);
    accept(&p, 3, 3, 7, 6);
    accept(&p, 4, 4, 7, 6);
    assert_int_equal(open_it(&p, &p.b.desk[4]), ERR_DENIED);
    paper_free(&p);
}

static void acceptance_of_another_term_slot_or_by_another_hand_does_not_count(void **state)
{
    struct paper p;

    (void)state;
    paper_new(&p);
    accept(&p, 0, 0, 7, 6);
    accept(&p, 1, 1, 7, 5);
    assert_int_equal(open_it(&p, &p.b.desk[4]), ERR_DENIED);
    p.r.n_accepted = 1;
    accept(&p, 1, 1, 8, 6);
    assert_int_equal(open_it(&p, &p.b.desk[4]), ERR_DENIED);
    p.r.n_accepted = 1;
    accept(&p, 1, 2, 7, 6);
    assert_int_equal(open_it(&p, &p.b.desk[4]), ERR_DENIED);
    p.r.n_accepted = 1;
    accept(&p, 1, 1, 7, 6);
    assert_int_equal(open_it(&p, &p.b.desk[4]), ERR_OK);
    paper_free(&p);
}

static void receipt_that_its_uploader_did_not_sign_is_refused(void **state)
{
    struct paper p;

    (void)state;
    paper_new(&p);
    accept(&p, 0, 0, 7, 6);
    accept(&p, 1, 1, 7, 6);
    assert_int_equal(open_it(&p, &p.b.desk[3]), ERR_DENIED);
    p.r.desk = p.b.desk[7].id; /* nobody of this branch */
    assert_int_equal(open_it(&p, &p.b.desk[7]), ERR_DENIED);
    paper_free(&p);
}

static void cut_off_or_changed_receipt_is_refused(void **state)
{
    struct paper p;
    struct receipt out;

    (void)state;
    paper_new(&p);
    accept(&p, 0, 0, 7, 6);
    accept(&p, 1, 1, 7, 6);
    assert_int_equal(open_it(&p, &p.b.desk[4]), ERR_OK);
    for (size_t n = 0; n < p.bytes.len; n++) {
        uint8_t *exact = malloc(n ? n : 1);
        memcpy(exact, p.bytes.p, n);
        assert_int_equal(receipt_open(exact, n, p.b.r, p.seats, 3, &out, NULL), ERR_MALFORMED);
        assert_int_equal(receipt_decode(exact, n, &out, NULL), ERR_MALFORMED);
        free(exact);
    }
    for (size_t i = 0; i < p.bytes.len; i++) {
        p.bytes.p[i] ^= 8;
        assert_int_not_equal(receipt_open(p.bytes.p, p.bytes.len, p.b.r, p.seats, 3, &out, NULL),
                             ERR_OK);
        p.bytes.p[i] ^= 8;
    }
    paper_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intent_comes_back_as_it_was),
        cmocka_unit_test(change_of_seats_comes_back),
        cmocka_unit_test(cut_off_intent_is_refused_at_every_byte),
        cmocka_unit_test(intent_with_ranges_that_make_no_sense_is_refused),
        cmocka_unit_test(trigger_comes_back_and_is_signed),
        cmocka_unit_test(acceptance_is_for_one_slot_term_and_intent),
        cmocka_unit_test(receipt_of_a_majority_is_good),
        cmocka_unit_test(receipt_with_too_few_signatures_is_refused),
        cmocka_unit_test(one_seat_twice_is_no_majority),
        cmocka_unit_test(desk_without_a_seat_does_not_count),
        cmocka_unit_test(acceptance_of_another_term_slot_or_by_another_hand_does_not_count),
        cmocka_unit_test(receipt_that_its_uploader_did_not_sign_is_refused),
        cmocka_unit_test(cut_off_or_changed_receipt_is_refused),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
