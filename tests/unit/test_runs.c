/* test_runs.c - the external sort: order, stability, runs in order, failing files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "runs.h"

struct file {
    struct buf b;
    unsigned appends, fail_at; /* the append that is refused; 0: none */
};

static enum err append(void *ctx, const void *p, size_t n, struct errmsg *msg)
{
    struct file *f = ctx;

    if (++f->appends == f->fail_at)
        return err_set(msg, ERR_FULL, "no room");
    buf_add(&f->b, p, n);
    return ERR_OK;
}

static enum err read_at(void *ctx, uint64_t at, void *p, size_t n, struct errmsg *msg)
{
    struct file *f = ctx;

    if (at + n > f->b.len)
        return err_set(msg, ERR_DISK, "behind the end");
    memcpy(p, f->b.p + at, n);
    return ERR_OK;
}

static uint32_t dice(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Entry: key of 9 bytes (value, low byte of it), number of the entry, and a tail. */
static enum err add(struct runs *r, uint64_t value, uint32_t number, size_t tail)
{
    uint8_t b[RUNS_ENTRY_MAX] = { 0 };

    put_be64(b, value / 7);
    b[8] = (uint8_t)(value % 7);
    put_be32(b + 9, number);
    return runs_add(r, b, 13 + tail, NULL);
}

/* Sorted by value, equal ones by number, and all of them. */
static void must_be_sorted(struct runs *r, uint32_t count)
{
    const uint8_t *p;
    uint64_t last = 0;
    uint32_t n = 0, last_number = 0, sum = 0;
    size_t len;
    enum err e;

    assert_int_equal(runs_sort(r, NULL), ERR_OK);
    while ((e = runs_next(r, &p, &len, NULL)) == ERR_OK) {
        uint64_t value = get_be64(p) * 7 + p[8];
        uint32_t number = get_be32(p + 9);
        assert_true(value > last || n == 0 || (value == last && number > last_number));
        last = value;
        last_number = number;
        sum += number;
        n++;
    }
    assert_int_equal(e, ERR_MISSING);
    assert_int_equal(n, count);
    assert_int_equal(sum, count * (count - 1) / 2);
}

static void any_order_comes_out_sorted_and_stable(void **state)
{
    static const struct {
        uint32_t count, values;
        size_t budget, tail;
    } cases[] = { { 0, 1, 4096, 0 },        { 1, 1, 4096, 0 },           { 1000, 50, 1 << 20, 9 },
                  { 20000, 300, 4096, 20 }, { 3000, 3000, 20000, 1900 }, { 50, 9, 4096, 8000 } };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct file f = { 0 };
        struct spill spill = { &f, append, read_at };
        struct runs *r = runs_new(9, cases[i].budget, &spill);
        uint32_t seed = (uint32_t)i + 1;

        for (uint32_t k = 0; k < cases[i].count; k++)
            assert_int_equal(add(r, dice(&seed) % cases[i].values, k,
                                 cases[i].tail ? dice(&seed) % cases[i].tail : 0),
                             ERR_OK);
        must_be_sorted(r, cases[i].count);
        must_be_sorted(r, cases[i].count); /* and again */
        runs_free(r);
        buf_free(&f.b);
    }
}

static void what_fits_the_budget_never_touches_the_file(void **state)
{
    struct file f = { 0 };
    struct spill spill = { &f, append, read_at };
    struct runs *r = runs_new(9, 1 << 20, &spill);

    (void)state;
    for (uint32_t k = 0; k < 5000; k++)
        assert_int_equal(add(r, 5000 - k, k, 10), ERR_OK);
    assert_int_equal(runs_sort(r, NULL), ERR_OK);
    assert_int_equal(f.appends, 0);
    runs_free(r);
}

static void input_in_order_is_written_once(void **state)
{
    struct file f = { 0 };
    struct spill spill = { &f, append, read_at };
    struct runs *r = runs_new(9, 4096, &spill); /* 400 batches: more than are merged at once */
    uint64_t bytes = 0;

    (void)state;
    for (uint32_t k = 0; k < 40000; k++) {
        assert_int_equal(add(r, k, k, 0), ERR_OK);
        bytes += 15;
    }
    must_be_sorted(r, 40000);
    assert_int_equal(f.b.len, bytes);
    runs_free(r);
    buf_free(&f.b);
}

static void a_file_that_refuses_is_told_and_nothing_leaks(void **state)
{
    (void)state;
    for (unsigned k = 1; k < 40; k++) {
        struct file f = { .fail_at = k };
        struct spill spill = { &f, append, read_at };
        struct runs *r = runs_new(9, 4096, &spill);
        enum err e = ERR_OK;
        uint32_t seed = 3;

        for (uint32_t i = 0; i < 3000 && e == ERR_OK; i++)
            e = add(r, dice(&seed), i, 30);
        if (e == ERR_OK)
            e = runs_sort(r, NULL);
        assert_int_equal(e, f.appends >= k ? ERR_FULL : ERR_OK);
        runs_free(r);
        buf_free(&f.b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_comes_out_sorted_and_stable),
        cmocka_unit_test(what_fits_the_budget_never_touches_the_file),
        cmocka_unit_test(input_in_order_is_written_once),
        cmocka_unit_test(a_file_that_refuses_is_told_and_nothing_leaks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
