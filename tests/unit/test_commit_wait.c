/* test_commit_wait.c - who comes together is kept together; who comes alone waits for nobody. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "commit_wait.h"

static void who_is_alone_never_waits(void **state)
{
    struct commit_wait l = { 0 };

    (void)state;
    assert_int_equal(commit_wait_us(&l, 0, 0), 0);
    assert_int_equal(commit_wait_us(&l, 1, 0), 0);
    commit_wait_done(&l, 1);
    assert_int_equal(commit_wait_us(&l, 1, 0), 0);
}

static void the_group_of_before_is_waited_for_but_not_long(void **state)
{
    struct commit_wait l = { 0 };

    (void)state;
    commit_wait_done(&l, 32);
    assert_int_equal(commit_wait_us(&l, 0, 0), 0); /* nothing to commit */
    assert_int_equal(commit_wait_us(&l, 1, 0), COMMIT_WAIT_US);
    assert_int_equal(commit_wait_us(&l, 31, 100), COMMIT_WAIT_US - 100);
    assert_int_equal(commit_wait_us(&l, 32, 100), 0);
    assert_int_equal(commit_wait_us(&l, 40, 0), 0);
    assert_int_equal(commit_wait_us(&l, 5, COMMIT_WAIT_US), 0);
    commit_wait_done(&l, 5); /* the others are gone */
    assert_int_equal(commit_wait_us(&l, 5, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_alone_never_waits),
        cmocka_unit_test(the_group_of_before_is_waited_for_but_not_long),
    };

    return cmocka_run_group_tests_name("commit_wait", tests, NULL, NULL);
}
