/* test_worklist.c - which discharges stand on the HOLD-CHECK worklist. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worklist.h"

static enum worklist of(uint8_t kind, enum verdict v, const char *rule, bool again)
{
    static struct merge_released released;
    struct merged *m = calloc(1, sizeof *m);
    enum worklist w;

    assert_non_null(m);
    m->rec.kind = kind;
    m->verdict = v;
    m->rule = rule;
    m->again = again ? &released : NULL;
    w = worklist_of_merged(m);
    free(m);
    return w;
}

static void W1_a_held_discharge_waits_for_its_upload(void **state)
{
    (void)state;
    assert_int_equal(of(RECORD_DISCHARGE, VERDICT_HELD, "R8", false), WORKLIST_WAITS);
    assert_int_equal(of(RECORD_DISCHARGE, VERDICT_HELD, "R8", true), WORKLIST_NOT);
    assert_int_equal(of(RECORD_DISCHARGE, VERDICT_SEND, "", false), WORKLIST_NOT); /* export */
    assert_int_equal(of(RECORD_DISCHARGE, VERDICT_SEND, "lead", false), WORKLIST_NOT);
    assert_int_equal(of(RECORD_DISCHARGE, VERDICT_VOIDED, "R2", false), WORKLIST_NOT);
    assert_int_equal(of(RECORD_DISCHARGE, VERDICT_DUPLICATE, "R3", false), WORKLIST_NOT);
    assert_int_equal(of(RECORD_CHECKOUT, VERDICT_SEND, "", false), WORKLIST_NOT);
}

static void W2_what_an_upload_held_is_due_until_it_is_released(void **state)
{
    (void)state;
    assert_int_equal(worklist_of_aside(ASIDE_HELD, false), WORKLIST_DUE);
    assert_int_equal(worklist_of_aside(ASIDE_HELD, true), WORKLIST_NOT);
    for (unsigned w = 0; w < ASIDE_KINDS; w++)
        if (w != ASIDE_HELD)
            assert_int_equal(worklist_of_aside((enum aside_what)w, false), WORKLIST_NOT);
}

static void W3_one_between_two_loans_goes_by_itself(void **state)
{
    (void)state;
    assert_int_equal(of(RECORD_DISCHARGE, VERDICT_SEND, "R8", false), WORKLIST_GOES);
}

static void each_state_has_a_name_and_a_next_step(void **state)
{
    (void)state;
    for (enum worklist w = WORKLIST_WAITS; w <= WORKLIST_GOES; w++)
        assert_true(worklist_name(w)[0] && worklist_next_step(w)[0]);
    assert_string_equal(worklist_name(WORKLIST_NOT), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(W1_a_held_discharge_waits_for_its_upload),
        cmocka_unit_test(W2_what_an_upload_held_is_due_until_it_is_released),
        cmocka_unit_test(W3_one_between_two_loans_goes_by_itself),
        cmocka_unit_test(each_state_has_a_name_and_a_next_step),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
