/* test_merge.c - the order of the merged log and rules R1 to R8, R11, E2, E3, E5. */
#include "merge_branch.h"

#include "aside.h"
#include "runs.h"

#include "../../proto/merge_int.h"

/* ---- order ---- */

static void records_are_merged_by_time_then_feed_then_sequence(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 10);
    add(1, RECORD_CHECKOUT, I2, U2, 0, 5);
    add(2, RECORD_INHOUSE, I1, "", 0, 10);
    add(0, RECORD_INHOUSE, I2, "", 0, 10);
    assert_string_equal(merged(), "1.1 send; 0.1 send; 0.2 send; 2.1 send");
}

static void a_feeds_correction_moves_its_records_but_not_typed_times(void **state)
{
    struct record typed = make(RECORD_CHECKOUT, I2, U2, 0, 100);

    (void)state;
    typed.paper_ms = T0 + 1000;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 10);
    put(0, &typed);
    add(1, RECORD_INHOUSE, I1, "", 0, 12);
    b.job.feeds[0].correction_ms = 5000;
    assert_string_equal(merged(), "0.2 send; 1.1 send; 0.1 send");
}

static void the_cut_bounds_what_is_merged(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 1);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 2);
    add(0, RECORD_CHECKOUT, "39999000005031", U1, 0, 3);
    b.job.feeds[0].from = 2;
    b.job.feeds[0].to = 2;
    assert_string_equal(merged(), "0.2 send");
}

/* ---- typed from paper: R12 ---- */

static void rule(unsigned feed, uint64_t seq, uint8_t what)
{
    b.job.rulings = calloc(1, sizeof *b.job.rulings);
    b.job.n_rulings = 1;
    b.job.rulings[0] = (struct merge_ruling){ .feed = feed, .seq = seq, .what = what };
}

static void add_typed(unsigned feed, uint8_t kind, const char *item, const char *user, int at_s,
                      int typed_s)
{
    struct record r = make(kind, item, user, 0, typed_s);

    r.paper_ms = T0 + 1000 * (int64_t)at_s;
    put(feed, &r);
}

static void what_was_typed_does_not_cross_another_desks_event_without_a_lead(void **state)
{
    (void)state;
    add_typed(0, RECORD_CHECKOUT, I1, U1, 10, 1000);
    add(1, RECORD_RENEW, I1, U1, 20260401, 500);
    add(1, RECORD_RENEW, I2, U2, 20260401, 501);
    assert_string_equal(merged(), "0.1 review R12 of 1.1; 1.1 send; 1.2 send");
    rule(0, 1, WORD_SEND);
    assert_string_equal(merged(), "0.1 send lead; 1.1 send; 1.2 send");
}

/* It would have ended the first loan; until a lead says so nobody knows that it did. */
static void what_waits_for_a_lead_ends_no_loan(void **state)
{
    (void)state;
    set_policy("export");
    add(1, RECORD_CHECKOUT, I1, U1, 0, 0);
    add_typed(0, RECORD_DISCHARGE, I1, "", 100, 1000);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 500);
    assert_string_equal(merged(),
                        "1.1 review R5 of 1.2; 0.1 review R12 of 1.2; 1.2 send R5 of 1.1");
    rule(0, 1, WORD_SEND);
    assert_string_equal(merged(), "1.1 send; 0.1 send lead; 1.2 send");
}

static void typed_entries_stand_where_they_cross_nothing(void **state)
{
    (void)state;
    add(0, RECORD_RENEW, I1, U1, 20260401, 500); /* the desk that types knows its own day */
    add_typed(0, RECORD_CHECKOUT, I1, U1, 10, 1000);
    add(1, RECORD_CHECKOUT, I1, U1, 0, 40);       /* the same loan, seen twice (R3) */
    add(1, RECORD_INHOUSE, I1, "", 0, 400);       /* says nothing of where the item is */
    add(2, RECORD_RENEW, I1, U1, 20260402, 1001); /* after the typing */
    assert_string_equal(merged(), "0.2 send; 1.1 duplicate R3 of 0.2; 1.2 send; "
                                  "0.1 superseded R11 of 2.1; 2.1 send");
}

/* A branch that wrote a morning on paper: the order of the sheets is that of their times. */
static void what_other_desks_typed_from_paper_too_is_not_crossed(void **state)
{
    (void)state;
    set_policy("export");
    add_typed(0, RECORD_CHECKOUT, I1, U1, 10, 1000);
    add_typed(1, RECORD_DISCHARGE, I1, "", 400, 1001);
    add_typed(0, RECORD_CHECKOUT, I1, U2, 500, 1002);
    add(1, RECORD_CHECKOUT, I1, U1, 0, 1100);
    assert_string_equal(merged(), "0.1 send; 1.1 send; 0.2 review R5 of 1.2; 1.2 send R5 of 0.2");
}

static void a_typed_entry_that_was_taken_back_crosses_nothing(void **state)
{
    (void)state;
    add_typed(0, RECORD_CHECKOUT, I1, U1, 10, 1000);
    add_void(0, 0, 1, 1001);
    add(1, RECORD_RENEW, I1, U1, 20260401, 500);
    assert_string_equal(merged(), "0.1 voided R2 of 0.2; 1.1 send; 0.2 void R2 of 0.1");
}

static void a_correction_that_changes_an_order_is_counted(void **state)
{
    (void)state;
    b.job.feeds[0].correction_ms = -95000;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 100);
    add(1, RECORD_RENEW, I1, U1, 20260401, 50);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 101); /* alone on its item */
    assert_string_equal(merged(), "0.1 send; 0.2 send; 1.1 send");
    assert_true(b.job.feeds[0].reordered >= 1 && b.job.feeds[1].reordered == 0);
}

/* ---- R2 ---- */

static void a_void_removes_its_target_and_the_pair_is_listed(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 1);
    add_void(0, 0, 1, 9);
    assert_string_equal(merged(), "0.1 voided R2 of 0.2; 0.2 void R2 of 0.1");
}

static void a_void_after_the_upload_is_an_exception(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 1);
    add_void(0, 0, 1, 9);
    b.job.feeds[0].from = 2; /* record 1 went with an earlier slot */
    assert_string_equal(merged(), "0.2 late_void R2 of 0.1");
}

static void a_second_void_and_another_desks_void_change_nothing(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 1);
    add_void(0, 0, 1, 2);
    add_void(0, 0, 1, 3);
    add(1, RECORD_CHECKOUT, I2, U2, 0, 4);
    add_void(0, 1, 1, 5);
    assert_string_equal(merged(), "0.1 voided R2 of 0.2; 0.2 void R2 of 0.1; 0.3 idle_void R2 of "
                                  "0.1; 1.1 send; 0.4 idle_void R2");
}

static void a_voided_record_is_no_event_of_its_item(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(0, RECORD_DISCHARGE, I1, "", 0, 1); /* typed by mistake, taken back */
    add_void(0, 0, 2, 2);
    add(0, RECORD_CHECKOUT, I1, U1, 0, 3); /* hence a double scan of the first */
    assert_string_equal(merged(), "0.1 send; 0.2 voided R2 of 0.3; 0.3 void R2 of 0.2; "
                                  "0.4 duplicate R3 of 0.1");
}

/* ---- R3, R4 ---- */

static void a_double_scan_at_one_desk_counts_once_within_five_seconds(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(0, RECORD_CHECKOUT, I1, U1, 0, 5);
    add(0, RECORD_CHECKOUT, I1, U1, 0, 6); /* six seconds after the one that is kept */
    assert_string_equal(merged(), "0.1 send; 0.2 duplicate R3 of 0.1; 0.3 send");
}

static void the_same_event_at_two_desks_counts_once_within_a_minute(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(1, RECORD_CHECKOUT, I1, U1, 0, 60);
    add(2, RECORD_CHECKOUT, I1, U1, 0, 61);
    assert_string_equal(merged(), "0.1 send; 1.1 duplicate R3 of 0.1; 2.1 send");
}

static void of_two_promised_due_dates_the_later_one_stands(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 20261207, 0);
    add(1, RECORD_CHECKOUT, I1, U1, 20261214, 30);
    assert_string_equal(merged(), "0.1 send due 20261214; 1.1 duplicate R3 of 0.1");
}

static void another_event_between_makes_it_two_events(void **state)
{
    (void)state;
    set_policy("export");
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(0, RECORD_DISCHARGE, I1, "", 0, 1);
    add(0, RECORD_CHECKOUT, I1, U1, 0, 2); /* R4 */
    assert_string_equal(merged(), "0.1 send; 0.2 send; 0.3 send");
}

static void registrations_are_not_collapsed_as_double_scans_but_as_equal(void **state)
{
    (void)state;
    add_user(0, U3, "Okafor", 0);
    add_user(1, U3, "Okafor", 500);
    assert_string_equal(merged(), "0.1 send; 1.1 duplicate R6 of 0.1");
}

static void two_different_registrations_of_a_card_wait_for_the_lead(void **state)
{
    (void)state;
    add_user(0, U3, "Okafor", 0);
    add_user(1, U3, "Miller", 500);
    add(1, RECORD_CHECKOUT, I1, U3, 0, 600);
    assert_string_equal(merged(), "0.1 review R6; 1.1 review R6; 1.2 waits R6");
}

static uint64_t add_person(unsigned desk, const char *user, const char *last, uint32_t birth,
                           int seconds)
{
    struct record r = make(RECORD_USER, "", user, 0, seconds);

    snprintf(r.reg.last, sizeof r.reg.last, "%s", last);
    snprintf(r.reg.first, sizeof r.reg.first, "Marta");
    r.reg.birth = birth;
    return put(desk, &r);
}

static void a_person_with_two_new_cards_at_two_desks_is_shown_and_both_go(void **state)
{
    (void)state;
    add_person(0, U1, "Okafor", 20110502, 0);
    add_person(1, U2, "OKAFOR", 20110502, 500);
    add_person(1, U3, "Okafor", 20110503, 600); /* a sister */
    assert_string_equal(merged(), "0.1 send R6 of 1.1; 1.1 send R6 of 0.1; 1.2 send");
    b.job.rulings = calloc(1, sizeof *b.job.rulings);
    b.job.rulings[b.job.n_rulings++] =
        (struct merge_ruling){ .feed = 1, .seq = 1, .what = WORD_VOID };
    assert_string_equal(merged(), "0.1 send; 1.1 voided R2; 1.2 send");
}

static void nor_are_two_cards_at_one_desk_or_without_a_birth_date_a_person_twice(void **state)
{
    (void)state;
    add_person(0, U1, "Okafor", 20110502, 0);
    add_person(0, U2, "Okafor", 20110502, 500);
    add_person(1, U3, "Okafor", 0, 600);
    assert_string_equal(merged(), "0.1 send; 0.2 send; 1.1 send");
}

/* ---- R7 ---- */

static void in_one_log_a_registration_moves_before_its_cards_first_use(void **state)
{
    (void)state;
    add(1, RECORD_CHECKOUT, I1, U3, 0, 5);
    add_user(0, U3, "Okafor", 20);
    add(1, RECORD_CHECKOUT, I2, U3, 0, 30);
    assert_string_equal(merged(), "0.1 send early; 1.1 send; 1.2 send");
}

static void with_a_flat_file_records_of_a_new_card_wait(void **state)
{
    (void)state;
    set_policy("flat");
    add_user(0, U3, "Okafor", 0);
    add(1, RECORD_CHECKOUT, I1, U3, 0, 5);
    add(1, RECORD_CHECKOUT, I2, U1, 0, 6);
    assert_string_equal(merged(), "0.1 send; 1.1 waits R7; 1.2 send");
}

static uint64_t add_pieces(unsigned desk, const char *user, const char *kind, int seconds)
{
    struct record r = make(RECORD_CHECKOUT, "", user, 0, seconds);

    snprintf(r.piece_kind, sizeof r.piece_kind, "%s", kind);
    r.count = 2;
    return put(desk, &r);
}

static void pieces_without_a_barcode_wait_for_their_card_and_are_never_duplicates(void **state)
{
    (void)state;
    set_policy("flat");
    add_user(0, U3, "Okafor", 0);
    add_pieces(1, U3, "paperback", 5);
    add_pieces(1, U1, "paperback", 6);
    add_pieces(1, U1, "paperback", 7); /* two piles, for all that anybody knows */
    add_pieces(2, U2, "paperback", 8);
    assert_string_equal(merged(), "0.1 send; 1.1 waits R7; 1.2 send; 1.3 send; 2.1 send");
}

static void in_one_log_a_card_moves_before_its_first_pieces(void **state)
{
    (void)state;
    add_pieces(1, U3, "paperback", 5);
    add_user(0, U3, "Okafor", 10);
    assert_string_equal(merged(), "0.1 send early; 1.1 send");
}

/* Else the ILS hears of the loan after its return, or takes the book from whoever has it now. */
static void what_follows_on_the_item_of_a_waiting_record_waits_too(void **state)
{
    (void)state;
    set_policy("flat export");
    add_user(0, U3, "Okafor", 0);
    add(1, RECORD_CHECKOUT, I1, U3, 0, 5);
    add(1, RECORD_DISCHARGE, I1, "", 0, 100);
    add(2, RECORD_CHECKOUT, I1, U1, 0, 200);
    add(2, RECORD_CHECKOUT, I2, U1, 0, 201);
    assert_string_equal(merged(), "0.1 send; 1.1 waits R7; 1.2 waits R7; 2.1 waits R7; 2.2 send");
}

static void a_held_return_between_a_waiting_loan_and_another_waits_with_them(void **state)
{
    (void)state;
    set_policy("flat");
    add_user(0, U3, "Okafor", 0);
    add(1, RECORD_CHECKOUT, I1, U3, 0, 5);
    add(1, RECORD_DISCHARGE, I1, "", 0, 100);
    add(1, RECORD_CHECKOUT, I1, U1, 0, 200);
    add(1, RECORD_DISCHARGE, I1, "", 0, 300);
    assert_string_equal(merged(),
                        "0.1 send; 1.1 waits R7; 1.2 waits R7; 1.3 waits R7; 1.4 held R8");
}

static void what_went_before_on_the_item_does_not_wait(void **state)
{
    (void)state;
    set_policy("flat");
    add_user(0, U3, "Okafor", 0);
    add(1, RECORD_CHECKOUT, I1, U1, 0, 5);
    add(1, RECORD_DISCHARGE, I1, "", 0, 100);
    add(1, RECORD_CHECKOUT, I1, U3, 0, 200);
    assert_string_equal(merged(), "0.1 send; 1.1 send; 1.2 send R8; 1.3 waits R7");
}

/* R5 lets the later of two loans go; that of a card that nobody knows must not. */
static void of_two_loans_without_a_return_the_one_of_a_new_card_waits_all_the_same(void **state)
{
    (void)state;
    set_policy("flat");
    add_user(0, U3, "Okafor", 0);
    add(1, RECORD_CHECKOUT, I1, U1, 0, 5);
    add(1, RECORD_CHECKOUT, I1, U3, 0, 100);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 200); /* goes after it, or not at all */
    assert_string_equal(merged(),
                        "0.1 send; 1.1 review R5 of 1.2; 1.2 review R5 of 1.3; 1.3 waits R7");
}

static void a_loan_of_a_new_card_waits_after_anothers_that_never_ended(void **state)
{
    (void)state;
    set_policy("flat");
    add_user(0, U3, "Okafor", 0);
    add(1, RECORD_CHECKOUT, I1, U1, 0, 5);
    add(1, RECORD_CHECKOUT, I1, U3, 0, 100);
    assert_string_equal(merged(), "0.1 send; 1.1 review R5 of 1.2; 1.2 waits R7");
}

static void a_waiting_loan_that_was_scanned_twice_waits_once(void **state)
{
    (void)state;
    set_policy("flat");
    add_user(0, U3, "Okafor", 0);
    add(1, RECORD_CHECKOUT, I1, U3, 0, 5);
    add(1, RECORD_CHECKOUT, I1, U3, 0, 7);
    assert_string_equal(merged(), "0.1 send; 1.1 waits R7; 1.2 duplicate R3 of 1.1");
}

static void a_card_of_an_earlier_slot_still_waits_with_a_flat_file(void **state)
{
    (void)state;
    set_policy("flat");
    add_user(0, U3, "Okafor", 0);
    add(0, RECORD_CHECKOUT, I1, U3, 0, 5);
    b.job.feeds[0].from = 2;
    assert_string_equal(merged(), "0.2 waits R7");
}

static void a_voided_registration_is_no_new_card(void **state)
{
    (void)state;
    set_policy("flat");
    add_user(0, U3, "Okafor", 0);
    add_void(0, 0, 1, 1);
    add(0, RECORD_CHECKOUT, I1, U3, 0, 5);
    assert_string_equal(merged(), "0.1 voided R2 of 0.2; 0.2 void R2 of 0.1; 0.3 send");
}

/* ---- R5 ---- */

static void
of_two_loans_without_a_discharge_the_later_is_sent_and_the_earlier_reviewed(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 100);
    assert_string_equal(merged(), "0.1 review R5 of 1.1; 1.1 send R5 of 0.1");
}

static void the_renewal_of_a_loan_under_review_is_reviewed_with_it(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(0, RECORD_RENEW, I1, U1, 20261221, 50);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 100);
    add(1, RECORD_RENEW, I1, U2, 20261228, 150);
    assert_string_equal(merged(), "0.1 review R5 of 1.1; 0.2 review R5 of 1.1; "
                                  "1.1 send R5 of 0.1; 1.2 send");
}

static void of_three_loans_the_last_is_sent(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 100);
    add(2, RECORD_CHECKOUT, I1, U3, 0, 200);
    assert_string_equal(merged(), "0.1 review R5 of 1.1; 1.1 review R5 of 2.1; 2.1 send R5 of 1.1");
}

static void a_later_loan_whose_card_is_awaited_goes_later_and_the_earlier_is_reviewed(void **state)
{
    (void)state;
    set_policy("flat");
    add_user(1, U2, "Reader", 0);
    add(0, RECORD_CHECKOUT, I1, U1, 0, 10);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 100);
    assert_string_equal(merged(), "1.1 send; 0.1 review R5 of 1.2; 1.2 waits R7");
}

static void what_a_lead_says_goes_and_what_he_voids_does_not(void **state)
{
    static const struct { /* of the loans of U1 and U2 */
        uint8_t first, second;
        const char *then;
    } cases[] = {
        { 0, 0, "0.1 review R5 of 1.1; 1.1 send R5 of 0.1; 0.2 held R8" },
        { WORD_SEND, 0, "0.1 send lead; 1.1 send; 0.2 held R8" },
        { WORD_SEND, WORD_SEND, "0.1 send lead; 1.1 send lead; 0.2 held R8" },
        { 0, WORD_SEND, "0.1 review R5 of 1.1; 1.1 send lead; 0.2 held R8" },
        { WORD_VOID, 0, "0.1 voided R2; 1.1 send; 0.2 held R8" },
        { WORD_VOID, WORD_SEND, "0.1 voided R2; 1.1 send lead; 0.2 held R8" },
        { 0, WORD_VOID, "0.1 send; 1.1 voided R2; 0.2 held R8" },
        { WORD_VOID, WORD_VOID, "0.1 voided R2; 1.1 voided R2; 0.2 held R8" },
    };

    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 100);
    add(0, RECORD_DISCHARGE, I1, "", 0, 200);
    b.job.rulings = calloc(2, sizeof *b.job.rulings);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        b.job.n_rulings = 0;
        if (cases[i].first)
            b.job.rulings[b.job.n_rulings++] =
                (struct merge_ruling){ .feed = 0, .seq = 1, .what = cases[i].first };
        if (cases[i].second)
            b.job.rulings[b.job.n_rulings++] =
                (struct merge_ruling){ .feed = 1, .seq = 1, .what = cases[i].second };
        assert_string_equal(merged(), cases[i].then);
    }
}

static void a_lead_sends_a_held_discharge_a_duplicate_and_a_late_renewal(void **state)
{
    (void)state;
    add(0, RECORD_DISCHARGE, I1, "", 0, 0);
    add(0, RECORD_RENEW, I1, U1, 0, 100);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 200);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 201);
    assert_string_equal(merged(),
                        "0.1 held R8; 0.2 review R11 of 0.1; 0.3 send; 0.4 duplicate R3 of 0.3");
    b.job.rulings = calloc(3, sizeof *b.job.rulings);
    b.job.n_rulings = 3;
    b.job.rulings[0] = (struct merge_ruling){ .feed = 0, .seq = 1, .what = WORD_SEND };
    b.job.rulings[1] = (struct merge_ruling){ .feed = 0, .seq = 2, .what = WORD_SEND };
    b.job.rulings[2] = (struct merge_ruling){ .feed = 0, .seq = 4, .what = WORD_SEND };
    assert_string_equal(merged(), "0.1 send lead; 0.2 send lead; 0.3 send; 0.4 send lead");
}

static void of_two_registrations_the_one_that_is_left_goes_and_its_card_with_it(void **state)
{
    (void)state;
    add_user(0, U1, "Reader", 0);
    add_user(1, U1, "Raeder", 10);
    add(0, RECORD_CHECKOUT, I1, U1, 0, 20);
    assert_string_equal(merged(), "0.1 review R6; 1.1 review R6; 0.2 waits R6");
    b.job.rulings = calloc(1, sizeof *b.job.rulings);
    b.job.n_rulings = 1;
    b.job.rulings[0] = (struct merge_ruling){ .feed = 1, .seq = 1, .what = WORD_VOID };
    assert_string_equal(merged(), "0.1 send; 1.1 voided R2; 0.2 send");
    free(b.job.rulings); /* and the one that he sends once more */
    b.job.rulings = calloc(2, sizeof *b.job.rulings);
    b.job.n_rulings = 2;
    b.job.rulings[0] = (struct merge_ruling){ .feed = 0, .seq = 1, .what = WORD_VOID };
    b.job.rulings[1] = (struct merge_ruling){ .feed = 1, .seq = 1, .what = WORD_SEND };
    assert_string_equal(merged(), "0.1 voided R2; 1.1 send lead; 0.2 send");
}

static void a_lead_cannot_send_what_its_own_desk_took_back(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add_void(0, 0, 1, 9);
    b.job.rulings = calloc(1, sizeof *b.job.rulings);
    b.job.n_rulings = 1;
    b.job.rulings[0] = (struct merge_ruling){ .feed = 0, .seq = 1, .what = WORD_SEND };
    assert_string_equal(merged(), "0.1 voided R2 of 0.2; 0.2 void R2 of 0.1");
}

static void a_voided_loan_is_no_conflict(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 100);
    add_void(1, 1, 1, 120);
    assert_string_equal(merged(), "0.1 send; 1.1 voided R2 of 1.2; 1.2 void R2 of 1.1");
}

static void lent_again_to_the_same_user_is_no_conflict(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(1, RECORD_CHECKOUT, I1, U1, 0, 4000);
    assert_string_equal(merged(), "0.1 send; 1.1 send");
}

/* ---- R8 ---- */

static void discharges_are_held_by_default(void **state)
{
    (void)state;
    add(0, RECORD_DISCHARGE, I1, "", 0, 0);
    assert_string_equal(merged(), "0.1 held R8");
}

static void a_discharge_between_two_users_loans_is_sent_in_its_place(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(1, RECORD_DISCHARGE, I1, "", 0, 100);
    add(2, RECORD_CHECKOUT, I1, U2, 0, 200);
    add(2, RECORD_DISCHARGE, I1, "", 0, 300);
    assert_string_equal(merged(), "0.1 send; 1.1 send R8; 2.1 send; 2.2 held R8");
}

/* ---- R11 ---- */

static void of_several_renewals_of_a_loan_the_latest_due_date_is_sent(void **state)
{
    (void)state;
    add(0, RECORD_RENEW, I1, U1, 20261207, 0);
    add(0, RECORD_RENEW, I1, U1, 20261221, 1000);
    add(0, RECORD_RENEW, I1, U1, 20261214, 2000);
    assert_string_equal(merged(), "0.1 superseded R11 of 0.2; 0.2 send; 0.3 superseded R11 of 0.2");
}

static void a_renewal_after_the_discharge_goes_to_the_lead(void **state)
{
    (void)state;
    add(0, RECORD_DISCHARGE, I1, "", 0, 0);
    add(0, RECORD_RENEW, I1, U1, 0, 100);
    assert_string_equal(merged(), "0.1 held R8; 0.2 review R11 of 0.1");
}

static void a_new_loan_begins_new_renewals(void **state)
{
    (void)state;
    set_policy("export");
    add(0, RECORD_RENEW, I1, U1, 20261207, 0);
    add(0, RECORD_DISCHARGE, I1, "", 0, 100);
    add(0, RECORD_CHECKOUT, I1, U2, 0, 200);
    add(0, RECORD_RENEW, I1, U2, 20261201, 300);
    assert_string_equal(merged(), "0.1 send; 0.2 send; 0.3 send; 0.4 send");
}

/* ---- more than the memory for sorting ---- */

#define MANY 45000 /* events: above the 4 MiB that the survey sorts in (survey_item.c) */

static struct buf spilled;

static enum err spill_append(void *ctx, const void *p, size_t n, struct errmsg *msg)
{
    (void)ctx;
    (void)msg;
    buf_add(&spilled, p, n);
    return spilled.failed ? ERR_NOMEM : ERR_OK;
}

/* Takes one run, and not the next. */
static enum err spill_append_until_full(void *ctx, const void *p, size_t n, struct errmsg *msg)
{
    if (spilled.len > 3000000)
        return err_set(msg, ERR_FULL, "no room for a temporary file");
    return spill_append(ctx, p, n, msg);
}

static enum err spill_read(void *ctx, uint64_t at, void *p, size_t n, struct errmsg *msg)
{
    (void)ctx;
    (void)msg;
    assert_true(at + n <= spilled.len);
    memcpy(p, spilled.p + at, n);
    return ERR_OK;
}

static void many_verdicts(struct buf *out)
{
    struct merged *m = calloc(1, sizeof *m);
    struct merge *merge;
    enum err e;

    assert_int_equal(merge_open(&b.job, memdisk_disk(b.mem), NULL, NULL, &merge, NULL), ERR_OK);
    while ((e = merge_next(merge, m, NULL)) == ERR_OK)
        buf_printf(out, "%u.%llu%d%s,%u.%llu;", m->feed, (unsigned long long)m->seq, m->verdict,
                   m->rule, m->other_feed, (unsigned long long)m->other_seq);
    assert_int_equal(e, ERR_MISSING);
    merge_close(merge);
    free(m);
}

static void a_log_that_does_not_fit_the_memory_is_judged_alike(void **state)
{
    struct spill spill = { NULL, spill_append, spill_read };
    struct buf in_memory = { 0 }, in_file = { 0 }, full = { 0 };

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        char item[16], user[16];
        snprintf(item, sizeof item, "3999900%07u", i * 7919 % (MANY / 3));
        snprintf(user, sizeof user, "2999900%07u", i % 7);
        add(i % DESKS, i % 4 ? RECORD_CHECKOUT : RECORD_DISCHARGE, item, i % 4 ? user : "", 0,
            (int)i);
    }
    many_verdicts(&in_memory);
    assert_int_equal(spilled.len, 0);
    b.job.spill = &spill;
    many_verdicts(&in_file);
    assert_true(spilled.len > 0);
    assert_non_null(memmem(in_file.p, in_file.len, "R5", 2));
    assert_int_equal(in_file.len, in_memory.len);
    assert_memory_equal(in_file.p, in_memory.p, in_memory.len);
    buf_reset(&spilled);
    spill.append = spill_append_until_full;
    many_verdicts(&full);
    assert_true(spilled.len > 3000000);
    assert_int_equal(full.len, in_memory.len);
    assert_memory_equal(full.p, in_memory.p, in_memory.len);
    buf_free(&in_memory);
    buf_free(&in_file);
    buf_free(&full);
    buf_free(&spilled);
}

/* ---- no memory ---- */

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__) /* theirs is their own */
void *__libc_realloc(void *p, size_t n);

static size_t refused_bytes; /* a growth to so many is refused; 0: none */

void *realloc(void *p, size_t n)
{
    return n > 0 && n == refused_bytes ? NULL : __libc_realloc(p, n);
}

/* Each is found twice: held, and marked as late (R9). The second look must not find room that is not
 * there. */
static void findings_that_memory_does_not_hold_are_not_written(void **state)
{
    struct merge *m = NULL;
    enum err e;

    (void)state;
    b.job.pressed_ms = T0 + 1000000;
    for (int i = 0; i < 40; i++) {
        char item[24];
        snprintf(item, sizeof item, "390000000000%02d", i);
        add(0, RECORD_DISCHARGE, item, "", 0, i);
    }
    refused_bytes = 64 * sizeof(struct finding);
    e = merge_open(&b.job, memdisk_disk(b.mem), NULL, NULL, &m, NULL);
    refused_bytes = 0;
    assert_int_equal(e, ERR_NOMEM);
}
#endif

/* ---- the batch ---- */

static struct buf log_bytes, users_bytes;

static enum err collect(void *ctx, unsigned part, const uint8_t *p, size_t n, struct errmsg *msg)
{
    (void)ctx;
    (void)msg;
    buf_add(part == 1 ? &log_bytes : &users_bytes, p, n);
    return ERR_OK;
}

static struct export_result export_all(void)
{
    struct export_out to = { .bytes = collect };
    struct export_result r;
    struct errmsg msg = { .text = "" };

    buf_reset(&log_bytes);
    buf_reset(&users_bytes);
    if (export_run(&b.job, memdisk_disk(b.mem), &format_symphony, NULL, NULL, &to, &r, &msg))
        fail_msg("%s", msg.text);
    buf_add(&log_bytes, "", 1);
    buf_add(&users_bytes, "", 1);
    return r;
}

static void two_events_on_one_item_never_share_a_second(void **state)
{
    struct export_result r;

    (void)state;
    set_policy("export");
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(0, RECORD_DISCHARGE, I1, "", 0, 0);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 0);
    r = export_all();
    assert_int_equal(r.outcomes[OUTCOME_SENT], 3);
    assert_int_equal(r.moved, 2);
    assert_non_null(strstr((char *)log_bytes.p, "E202611230905000042R ^S01CV"));
    assert_non_null(strstr((char *)log_bytes.p, "E202611230905010042R ^S02EV"));
    assert_non_null(strstr((char *)log_bytes.p, "E202611230905010042R ^S03CV"));
}

static void a_new_card_is_used_a_second_after_its_registration(void **state)
{
    (void)state;
    add_user(0, U3, "Okafor", 0);
    add(0, RECORD_CHECKOUT, I1, U3, 0, 0);
    export_all();
    assert_non_null(strstr((char *)log_bytes.p, "E202611230905000042R ^S01JY"));
    assert_non_null(strstr((char *)log_bytes.p, "E202611230905010042R ^S02CV"));
}

static void in_house_use_is_counted_as_not_carried(void **state)
{
    struct export_result r;
    struct record use = make(RECORD_INHOUSE, I1, "", 0, 0);

    (void)state;
    use.count = 3;
    put(0, &use);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 1);
    r = export_all();
    assert_int_equal(r.outcomes[OUTCOME_UNCARRIED], 1);
    assert_int_equal(r.outcomes[OUTCOME_SENT], 1);
    assert_int_equal(r.n_parts, 1);
    assert_int_equal(r.parts[0].lines, 1);
}

static void what_cannot_be_written_holds_the_later_records_of_its_item(void **state)
{
    struct export_result r;

    (void)state;
    add(1, RECORD_CHECKOUT, I1, U1, 20260101, 0); /* due before it was lent: a server refuses it */
    add(0, RECORD_RENEW, I1, U1, 0, 100);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 101);
    r = export_all();
    assert_int_equal(r.outcomes[OUTCOME_UNWRITABLE], 1);
    assert_int_equal(r.outcomes[OUTCOME_BEHIND], 1);
    assert_int_equal(r.outcomes[OUTCOME_SENT], 1);
}

static void pieces_that_a_format_cannot_say_are_entered_by_hand_and_hold_nothing_up(void **state)
{
    struct asides aside = { .n = 0 };
    struct export_out to = { .aside = &aside };
    struct export_result r;
    struct errmsg msg = { .text = "" };

    (void)state;
    add_pieces(0, U1, "paperback", 0);
    add_pieces(0, U1, "toy", 1);
    add(0, RECORD_CHECKOUT, I1, U1, 0, 2);
    assert_int_equal(
        export_run(&b.job, memdisk_disk(b.mem), &format_symphony, NULL, NULL, &to, &r, &msg),
        ERR_OK);
    assert_int_equal(r.outcomes[OUTCOME_UNWRITABLE], 2);
    assert_int_equal(r.outcomes[OUTCOME_BEHIND], 0);
    assert_int_equal(r.outcomes[OUTCOME_SENT], 1);
    assert_int_equal(aside.n, 2);
    assert_int_equal(aside.v[0].what, ASIDE_UNWRITABLE);
    asides_free(&aside);
    assert_int_equal(
        export_run(&b.job, memdisk_disk(b.mem), &format_csv, NULL, NULL, &to, &r, &msg), ERR_OK);
    assert_int_equal(r.outcomes[OUTCOME_SENT], 3);
    assert_int_equal(aside.n, 0);
}

static void what_waits_behind_an_unwritable_card_holds_its_item_too(void **state)
{
    struct export_result r;
    struct record user = make(RECORD_USER, "", U3, 0, 0);

    (void)state;
    set_policy("export");
    snprintf(user.reg.last, sizeof user.reg.last, "Okafor^"); /* has no escape in the log */
    put(0, &user);
    add(0, RECORD_CHECKOUT, I1, U3, 0, 5);
    add(0, RECORD_DISCHARGE, I1, "", 0, 100);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 101);
    r = export_all();
    assert_int_equal(r.outcomes[OUTCOME_UNWRITABLE], 1);
    assert_int_equal(r.outcomes[OUTCOME_BEHIND], 2);
    assert_int_equal(r.outcomes[OUTCOME_SENT], 1);
}

static void a_desk_without_a_station_stops_the_batch_before_anything_is_agreed(void **state)
{
    struct export_out nowhere = { 0 };
    struct export_result r;
    struct errmsg msg = { .text = "" };

    (void)state;
    b.job.policy.symphony.default_station = 0;
    add(1, RECORD_CHECKOUT, I1, U1, 0, 0);
    assert_int_equal(
        export_run(&b.job, memdisk_disk(b.mem), &format_symphony, NULL, NULL, &nowhere, &r, &msg),
        ERR_CONFIG);
    assert_non_null(strstr(msg.text, "MAIN-2 has no station number"));
}

static void flat_registrations_are_a_part_of_their_own_before_the_log(void **state)
{
    struct export_result r;
    char name[96];

    (void)state;
    set_policy("flat");
    add_user(0, U3, "Okafor", 0);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 5);
    r = export_all();
    assert_int_equal(r.n_parts, 2);
    assert_string_equal(r.parts[0].suffix, "flat");
    assert_string_equal(r.parts[1].suffix, "log");
    assert_non_null(strstr((char *)users_bytes.p, ".USER_ID.   |a29999000001032"));
    export_file_name(&b.job, &r, 1, name);
    assert_int_equal(strncmp(name, "MAIN-20261123-e0-s000001-", 25), 0);
    strcpy(b.job.policy.symphony.file_name, "standlog.901");
    export_file_name(&b.job, &r, 1, name);
    assert_string_equal(name, "standlog.901");
    b.job.policy.symphony.file_name[0] = 0;
}

static void a_format_without_times_has_a_file_for_each_day_named_by_it(void **state)
{
    struct export_out nowhere = { 0 };
    struct export_result r;
    struct errmsg msg = { .text = "" };
    char name[FORMAT_NAME_MAX];
    enum err e;

    (void)state;
    strcpy(b.job.policy.format, "destiny");
    for (int day = 0; day < SLOT_PARTS_MAX - 1; day++)
        add(0, RECORD_CHECKOUT, day % 2 ? I1 : I2, U1, 0, 86400 * day);
    assert_int_equal(
        export_run(&b.job, memdisk_disk(b.mem), &format_destiny, NULL, NULL, &nowhere, &r, &msg),
        ERR_OK);
    assert_int_equal(r.n_parts, SLOT_PARTS_MAX - 1);
    assert_int_equal(r.parts[0].day, 20261123);
    assert_int_equal(r.parts[8].day, 20261201);
    export_file_name(&b.job, &r, 8, name);
    assert_int_equal(strncmp(name, "MAIN-20261201-e0-s000001-", 25), 0);
    assert_string_equal(name + strlen(name) - 4, ".txt");
    add(0, RECORD_CHECKOUT, I1, U1, 0, 86400 * SLOT_PARTS_MAX);
    e = export_run(&b.job, memdisk_disk(b.mem), &format_destiny, NULL, NULL, &nowhere, &r, &msg);
    assert_int_equal(e, ERR_CONFIG);
    assert_non_null(strstr(msg.text, "destiny needs a file per day, and an upload has at most 63"));
}

static void the_digest_is_that_of_the_bytes_and_the_same_every_time(void **state)
{
    struct export_result first, again;
    uint8_t sha[32];

    (void)state;
    for (int i = 0; i < 50; i++)
        add((unsigned)i % DESKS, RECORD_CHECKOUT, i % 2 ? I1 : I2, i % 3 ? U1 : U2, 0, 70 * i);
    first = export_all();
    crypto_hash_sha256(sha, log_bytes.p, log_bytes.len - 1);
    assert_memory_equal(sha, first.parts[0].sha256, 32);
    again = export_all();
    assert_memory_equal(again.parts[0].sha256, first.parts[0].sha256, 32);
}

/* The same records, arrived in another order and hence with other aliases and blocks. */
static void the_payload_does_not_depend_on_the_order_of_arrival(void **state)
{
    uint8_t sha[32];

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned k = 0; k < DESKS; k++) {
            unsigned d = round ? DESKS - 1 - k : k;
            for (int i = 0; i < 40; i++) {
                struct record r =
                    make(RECORD_CHECKOUT, i % 2 ? I1 : I2, i % 3 ? U1 : U3, 0, 61 * i + (int)d);
                if (i % 5 == 0)
                    r.paper_ms = r.at_ms - 600000;
                put(d, &r);
            }
            add_user(d, U3, "Okafor", 3000);
        }
        if (round == 0) {
            memcpy(sha, export_all().parts[0].sha256, 32);
            teardown(NULL);
            setup(NULL);
        } else {
            assert_memory_equal(export_all().parts[0].sha256, sha, 32);
        }
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(records_are_merged_by_time_then_feed_then_sequence),
        T(a_feeds_correction_moves_its_records_but_not_typed_times),
        T(the_cut_bounds_what_is_merged),
        T(what_was_typed_does_not_cross_another_desks_event_without_a_lead),
        T(what_waits_for_a_lead_ends_no_loan),
        T(typed_entries_stand_where_they_cross_nothing),
        T(what_other_desks_typed_from_paper_too_is_not_crossed),
        T(a_typed_entry_that_was_taken_back_crosses_nothing),
        T(a_correction_that_changes_an_order_is_counted),
        T(a_void_removes_its_target_and_the_pair_is_listed),
        T(a_void_after_the_upload_is_an_exception),
        T(a_second_void_and_another_desks_void_change_nothing),
        T(a_voided_record_is_no_event_of_its_item),
        T(a_double_scan_at_one_desk_counts_once_within_five_seconds),
        T(the_same_event_at_two_desks_counts_once_within_a_minute),
        T(of_two_promised_due_dates_the_later_one_stands),
        T(another_event_between_makes_it_two_events),
        T(registrations_are_not_collapsed_as_double_scans_but_as_equal),
        T(two_different_registrations_of_a_card_wait_for_the_lead),
        T(a_person_with_two_new_cards_at_two_desks_is_shown_and_both_go),
        T(nor_are_two_cards_at_one_desk_or_without_a_birth_date_a_person_twice),
        T(in_one_log_a_registration_moves_before_its_cards_first_use),
        T(with_a_flat_file_records_of_a_new_card_wait),
        T(pieces_without_a_barcode_wait_for_their_card_and_are_never_duplicates),
        T(in_one_log_a_card_moves_before_its_first_pieces),
        T(pieces_that_a_format_cannot_say_are_entered_by_hand_and_hold_nothing_up),
        T(what_follows_on_the_item_of_a_waiting_record_waits_too),
        T(a_held_return_between_a_waiting_loan_and_another_waits_with_them),
        T(what_went_before_on_the_item_does_not_wait),
        T(of_two_loans_without_a_return_the_one_of_a_new_card_waits_all_the_same),
        T(a_loan_of_a_new_card_waits_after_anothers_that_never_ended),
        T(a_waiting_loan_that_was_scanned_twice_waits_once),
        T(a_card_of_an_earlier_slot_still_waits_with_a_flat_file),
        T(a_voided_registration_is_no_new_card),
        T(of_two_loans_without_a_discharge_the_later_is_sent_and_the_earlier_reviewed),
        T(the_renewal_of_a_loan_under_review_is_reviewed_with_it),
        T(of_three_loans_the_last_is_sent),
        T(a_voided_loan_is_no_conflict),
        T(a_later_loan_whose_card_is_awaited_goes_later_and_the_earlier_is_reviewed),
        T(what_a_lead_says_goes_and_what_he_voids_does_not),
        T(a_lead_sends_a_held_discharge_a_duplicate_and_a_late_renewal),
        T(of_two_registrations_the_one_that_is_left_goes_and_its_card_with_it),
        T(a_lead_cannot_send_what_its_own_desk_took_back),
        T(lent_again_to_the_same_user_is_no_conflict),
        T(discharges_are_held_by_default),
        T(a_discharge_between_two_users_loans_is_sent_in_its_place),
        T(of_several_renewals_of_a_loan_the_latest_due_date_is_sent),
        T(a_renewal_after_the_discharge_goes_to_the_lead),
        T(a_new_loan_begins_new_renewals),
        T(a_log_that_does_not_fit_the_memory_is_judged_alike),
        T(two_events_on_one_item_never_share_a_second),
        T(a_new_card_is_used_a_second_after_its_registration),
        T(in_house_use_is_counted_as_not_carried),
        T(what_cannot_be_written_holds_the_later_records_of_its_item),
        T(what_waits_behind_an_unwritable_card_holds_its_item_too),
        T(a_desk_without_a_station_stops_the_batch_before_anything_is_agreed),
        T(flat_registrations_are_a_part_of_their_own_before_the_log),
        T(a_format_without_times_has_a_file_for_each_day_named_by_it),
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        T(findings_that_memory_does_not_hold_are_not_written),
#endif
        T(the_digest_is_that_of_the_bytes_and_the_same_every_time),
        T(the_payload_does_not_depend_on_the_order_of_arrival),
    };
    int failed;

    if (sodium_init() < 0)
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&log_bytes);
    buf_free(&users_bytes);
    return failed;
}
