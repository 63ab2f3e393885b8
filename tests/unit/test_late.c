/* test_late.c - rule R9, and what R2, R3, R5, R11 see of earlier uploads. */
#include "merge_branch.h"

/* All that lies on the disk now went with an upload, asked for at `seconds`. */
static void uploaded(int seconds)
{
    b.job.slot++;
    b.job.pressed_ms = T0 + (int64_t)seconds * 1000;
    for (unsigned d = 0; d < DESKS; d++)
        b.job.feeds[d].from = b.job.feeds[d].to + 1;
}

static void what_was_recorded_after_the_upload_is_not_late(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 10);
    uploaded(100);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 110);
    add(1, RECORD_CHECKOUT, "39999000005031", U1, 0, 100); /* in that very moment */
    assert_string_equal(merged(), "1.1 send; 0.2 send");
}

static void what_comes_late_goes_and_is_marked(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 10);
    uploaded(100);
    add(1, RECORD_CHECKOUT, I2, U2, 0, 50);
    add(1, RECORD_INHOUSE, "39999000005031", "", 0, 51);
    add_user(1, U3, "Okafor", 60);
    assert_string_equal(merged(), "1.1 send R9; 1.2 send R9; 1.3 send R9");
}

static void a_late_discharge_is_held_whatever_the_policy_says(void **state)
{
    (void)state;
    set_policy("export");
    add(0, RECORD_CHECKOUT, I1, U1, 0, 10);
    uploaded(100);
    add(1, RECORD_DISCHARGE, I1, "", 0, 50);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 60); /* R8 would send it in its place: never by itself */
    assert_string_equal(merged(), "1.1 held R9; 1.2 send R9");
}

static void a_late_loan_that_was_uploaded_from_another_desk_is_its_duplicate(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 30);
    uploaded(100);
    add(1, RECORD_CHECKOUT, I1, U1, 0, 10); /* twenty seconds before, by another clock */
    add(2, RECORD_CHECKOUT, I1, U1, 0, 90); /* sixty behind it */
    assert_string_equal(merged(), "1.1 duplicate R3 of 0.1; 2.1 duplicate R3 of 0.1");
}

static void a_late_loan_of_an_item_that_somebody_else_has_since_is_for_the_lead(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 50);
    uploaded(100);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 10);
    assert_string_equal(merged(), "1.1 review R9 of 0.1");
}

static void nor_does_it_go_by_itself_after_the_return_of_its_item(void **state)
{
    (void)state;
    set_policy("export");
    add(0, RECORD_INHOUSE, I1, "", 0, 20); /* says nothing of who has it */
    add(0, RECORD_DISCHARGE, I1, "", 0, 50);
    uploaded(100);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 10);
    add(1, RECORD_RENEW, I1, U2, 20261207, 15);
    assert_string_equal(merged(), "1.1 review R9 of 0.2; 1.2 review R9 of 0.2");
}

static void a_loan_behind_an_uploaded_one_to_somebody_else_goes_and_is_listed(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 10);
    uploaded(100);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 50);
    add(2, RECORD_CHECKOUT, I1, U3, 0, 150); /* and one that is not late */
    assert_string_equal(merged(), "1.1 review R5 of 2.1; 2.1 send R5 of 1.1");
}

static void a_renewal_after_an_uploaded_return_is_for_the_lead(void **state)
{
    (void)state;
    set_policy("export");
    add(0, RECORD_CHECKOUT, I1, U1, 0, 10);
    add(0, RECORD_DISCHARGE, I1, "", 0, 20);
    uploaded(100);
    add(1, RECORD_RENEW, I1, U1, 20261207, 120);
    assert_string_equal(merged(), "1.1 review R11 of 0.2");
}

static void a_double_scan_over_the_cut_is_one_event(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 100);
    uploaded(98);
    add(0, RECORD_CHECKOUT, I1, U1, 0, 103);
    assert_string_equal(merged(), "0.2 duplicate R3 of 0.1");
}

static void a_day_later_nothing_is_known_of_what_the_branch_did_meanwhile(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 10);
    uploaded(100);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 86400 + 11);
    assert_string_equal(merged(), "1.1 send");
    add(2, RECORD_CHECKOUT, I2, U2, 0, 200); /* the record before is far, the batch reaches back */
    assert_string_equal(merged(), "2.1 send; 1.1 send");
}

static void what_lies_under_the_horizon_is_not_read(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 50);
    uploaded(100);
    b.job.feeds[0].back = 2;
    add(1, RECORD_CHECKOUT, I1, U2, 0, 10);
    assert_string_equal(merged(), "1.1 send R9");
}

static void a_record_that_was_taken_back_is_no_event_for_what_comes_late(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 50);
    add_void(0, 0, 1, 52);
    uploaded(100);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 10);
    add_void(0, 0, 1, 130); /* a second void: that is known already */
    assert_string_equal(merged(), "1.1 send R9; 0.3 idle_void R2 of 0.1");
}

static void a_void_that_comes_too_late_ends_the_loan_for_the_rules(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 50);
    uploaded(100);
    add_void(0, 0, 1, 130);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 140);
    assert_string_equal(merged(), "0.2 late_void R2 of 0.1; 1.1 send");
}

static void what_a_lead_took_back_before_has_no_twin_and_lent_nothing(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 50);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 51);
    uploaded(100);
    b.job.rulings = calloc(2, sizeof *b.job.rulings);
    b.job.n_rulings = 2;
    b.job.rulings[0] = (struct merge_ruling){ .feed = 0, .seq = 1, .what = WORD_VOID };
    b.job.rulings[1] = (struct merge_ruling){ .feed = 0, .seq = 2, .what = WORD_VOID };
    add(1, RECORD_CHECKOUT, I1, U1, 0, 105); /* the same once more */
    add(1, RECORD_CHECKOUT, I2, U2, 0, 106); /* another user */
    assert_string_equal(merged(), "1.1 send; 1.2 send");
}

static void a_lead_may_send_what_came_late(void **state)
{
    (void)state;
    set_policy("export");
    add(0, RECORD_CHECKOUT, I1, U1, 0, 50);
    uploaded(100);
    add(1, RECORD_CHECKOUT, I1, U2, 0, 10);
    add(1, RECORD_DISCHARGE, I2, "", 0, 20);
    b.job.rulings = calloc(2, sizeof *b.job.rulings);
    b.job.n_rulings = 2;
    b.job.rulings[0] = (struct merge_ruling){ .feed = 1, .seq = 1, .what = WORD_SEND };
    b.job.rulings[1] = (struct merge_ruling){ .feed = 1, .seq = 2, .what = WORD_SEND };
    assert_string_equal(merged(), "1.1 send lead; 1.2 send lead");
}

static void a_feeds_earlier_correction_counts_for_what_was_uploaded(void **state)
{
    (void)state;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 50);
    uploaded(100);
    b.job.feeds[0].back_correction_ms = -45000; /* it was 5, not 50: before the late loan */
    add(1, RECORD_CHECKOUT, I1, U2, 0, 10);
    assert_string_equal(merged(), "1.1 send R5 of 0.1");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_was_recorded_after_the_upload_is_not_late),
        T(what_comes_late_goes_and_is_marked),
        T(a_late_discharge_is_held_whatever_the_policy_says),
        T(a_late_loan_that_was_uploaded_from_another_desk_is_its_duplicate),
        T(a_late_loan_of_an_item_that_somebody_else_has_since_is_for_the_lead),
        T(nor_does_it_go_by_itself_after_the_return_of_its_item),
        T(a_loan_behind_an_uploaded_one_to_somebody_else_goes_and_is_listed),
        T(a_renewal_after_an_uploaded_return_is_for_the_lead),
        T(a_double_scan_over_the_cut_is_one_event),
        T(a_day_later_nothing_is_known_of_what_the_branch_did_meanwhile),
        T(what_lies_under_the_horizon_is_not_read),
        T(a_record_that_was_taken_back_is_no_event_for_what_comes_late),
        T(a_void_that_comes_too_late_ends_the_loan_for_the_rules),
        T(what_a_lead_took_back_before_has_no_twin_and_lent_nothing),
        T(a_lead_may_send_what_came_late),
        T(a_feeds_earlier_correction_counts_for_what_was_uploaded),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
