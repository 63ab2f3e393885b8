/* test_words.c - the list of words that are read aloud. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "words.h"

/* One letter changed, or one added. */
static bool differ_by_one_letter(const char *a, const char *b)
{
    size_t na = strlen(a), nb = strlen(b), same = 0;

    if (na > nb) {
        const char *t = a;
        a = b;
        b = t;
        na = strlen(a);
        nb = strlen(b);
    }
    while (same < na && a[same] == b[same])
        same++;
    if (na == nb)
        return same < na && strcmp(a + same + 1, b + same + 1) == 0;
    return nb == na + 1 && strcmp(a + same, b + same + 1) == 0;
}

static void there_are_1024_words_for_ten_bits(void **state)
{
    (void)state;
    assert_int_equal(sizeof words_list / sizeof words_list[0], 1024);
    for (unsigned i = 0; i < WORDS_COUNT; i++)
        assert_non_null(words_list[i]);
}

static void each_word_has_three_to_seven_small_letters(void **state)
{
    (void)state;
    for (unsigned i = 0; i < WORDS_COUNT; i++) {
        size_t n = strlen(words_list[i]);
        if (n < 3 || n > 7 || strspn(words_list[i], "abcdefghijklmnopqrstuvwxyz") != n)
            fail_msg("%s", words_list[i]);
    }
}

static void words_are_sorted_and_none_is_there_twice(void **state)
{
    (void)state;
    for (unsigned i = 1; i < WORDS_COUNT; i++)
        if (strcmp(words_list[i - 1], words_list[i]) >= 0)
            fail_msg("%s, %s", words_list[i - 1], words_list[i]);
}

static void no_two_words_differ_by_one_letter(void **state)
{
    (void)state;
    assert_true(differ_by_one_letter("coach", "couch"));
    assert_true(differ_by_one_letter("early", "yearly"));
    assert_true(differ_by_one_letter("badger", "badge"));
    assert_false(differ_by_one_letter("acorn", "acorn"));
    assert_false(differ_by_one_letter("acorn", "actor"));
    for (unsigned i = 0; i < WORDS_COUNT; i++)
        for (unsigned j = i + 1; j < WORDS_COUNT; j++)
            if (differ_by_one_letter(words_list[i], words_list[j]))
                fail_msg("%s, %s", words_list[i], words_list[j]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_are_1024_words_for_ten_bits),
        cmocka_unit_test(each_word_has_three_to_seven_small_letters),
        cmocka_unit_test(words_are_sorted_and_none_is_there_twice),
        cmocka_unit_test(no_two_words_differ_by_one_letter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
