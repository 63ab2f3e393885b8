/* test_helper.c - a merge with a second pair of hands is the merge without one, to the last byte and word. */
#include "merge_branch.h"

#include "helper_thread.h"
#include "mem.h"
#include "runs.h"

#define MANY 3000 /* lines of some 120 bytes: six times what is handed over at once */

/* ---- helpers ---- */

/* Puts off until it must: what a rule reads too early is not there yet, every time. */
struct last_moment {
    struct helper lent;
    void (*work)(void *arg);
    void *arg;
    unsigned pieces;
};

static void put_off(void *ctx, void (*work)(void *arg), void *arg)
{
    struct last_moment *l = ctx;

    assert_null(l->work);
    l->work = work;
    l->arg = arg;
    l->pieces++;
}

static void do_it_now(void *ctx)
{
    struct last_moment *l = ctx;

    if (l->work)
        l->work(l->arg);
    l->work = NULL;
}

static struct last_moment last_moment(void)
{
    return (struct last_moment){ .lent = { NULL, put_off, do_it_now } };
}

static void append(void *arg)
{
    struct buf *out = arg;

    buf_number(out, out->len, 6);
}

static void work_is_done_piece_by_piece_and_waited_for(void **state)
{
    struct buf with = { 0 }, without = { 0 };
    struct helper_thread t;
    const struct helper *h = helper_thread_init(&t);

    (void)state;
    helper_wait(h); /* nothing was begun */
    for (unsigned i = 0; i < 500; i++) {
        helper_begin(h, append, &with);
        helper_begin(NULL, append, &without);
        assert_int_equal(without.len, (i + 1) * 6);
        helper_wait(h);
        assert_int_equal(with.len, (i + 1) * 6);
    }
    helper_begin(h, append, &with);
    helper_thread_close(&t);
    assert_int_equal(with.len, 501 * 6);
    assert_memory_equal(with.p, without.p, without.len);
    helper_thread_init(&t);
    helper_thread_close(&t);
    buf_free(&with);
    buf_free(&without);
}

/* ---- one branch, merged with each of them ---- */

/* Two loans of each item, now and then to two users (R5), some to new cards (R7). */
static void fill_branch(void)
{
    for (unsigned i = 0; i < MANY; i++) {
        char item[16], user[16];
        snprintf(item, sizeof item, "3999900%07u", i % (MANY / 2));
        snprintf(user, sizeof user, "2999900%07u", i % 20 ? i % 5 : i % 7);
        if (i % 100 == 7)
            snprintf(user, sizeof user, "2888800%07u", i);
        if (i % 100 == 7)
            add_user(i % DESKS, user, "Meier", (int)i);
        add(i % DESKS, RECORD_CHECKOUT, item, user, 0, (int)i);
    }
}

static enum err collect(void *ctx, unsigned file, const uint8_t *p, size_t n, struct errmsg *msg)
{
    (void)msg;
    buf_printf(ctx, "%u:", file);
    buf_add(ctx, p, n);
    return ERR_OK;
}

static void describe(void *ctx, const struct merged *m, enum outcome o, unsigned file,
                     uint64_t line, const uint8_t *bytes, size_t n, const char *why)
{
    (void)bytes;
    buf_printf(ctx, "%u.%llu %s %s %s %u %llu %zu %s\n", m->feed, (unsigned long long)m->seq,
               verdict_name(m->verdict), m->rule, outcome_name(o), file, (unsigned long long)line,
               n, why);
}

static enum err merge_with(const struct helper *h, const struct format *f, struct buf *all,
                           struct export_result *r, struct errmsg *msg)
{
    struct export_out to = { .ctx = all, .bytes = collect, .record = describe };

    b.job.helper = h;
    return export_run(&b.job, memdisk_disk(b.mem), f, NULL, NULL, &to, r, msg);
}

static void same_merge(const struct helper *h, const struct buf *wanted,
                       const struct export_result *result)
{
    struct buf all = { 0 };
    struct export_result r;
    struct errmsg msg;

    assert_int_equal(merge_with(h, &format_symphony, &all, &r, &msg), ERR_OK);
    assert_int_equal(all.len, wanted->len);
    assert_memory_equal(all.p, wanted->p, all.len);
    assert_memory_equal(&r, result, sizeof r); /* digests, too */
    buf_free(&all);
}

static void a_merge_is_the_same_whoever_helps(void **state)
{
    struct last_moment late = last_moment();
    struct buf alone = { 0 };
    struct export_result r;
    struct helper_thread t;
    struct errmsg msg;

    (void)state;
    late.lent.ctx = &late;
    set_policy("flat"); /* registrations in a file of their own */
    fill_branch();
    assert_int_equal(merge_with(NULL, &format_symphony, &alone, &r, &msg), ERR_OK);
    assert_true(r.outcomes[OUTCOME_SENT] > MANY / 2);
    assert_true(r.verdicts[VERDICT_REVIEW] > 0 && r.verdicts[VERDICT_WAITS] > 0);
    assert_int_equal(r.n_parts, 2);
    same_merge(&late.lent, &alone, &r);
    assert_true(late.pieces > 8); /* of the survey, of both files */
    same_merge(helper_thread_init(&t), &alone, &r);
    helper_thread_close(&t);
    buf_free(&alone);
}

static void a_few_records_wait_for_the_end_of_the_survey(void **state)
{
    struct last_moment late = last_moment();

    (void)state;
    late.lent.ctx = &late;
    b.job.helper = &late.lent;
    add(0, RECORD_CHECKOUT, I1, U1, 0, 0);
    add(1, RECORD_CHECKOUT, I1, U1, 0, 2);
    add(0, RECORD_CHECKOUT, I2, U1, 0, 4);
    add_void(0, 0, 2, 6);
    assert_string_equal(merged(), "0.1 send; 1.1 duplicate R3 of 0.1; 0.2 voided R2 of 0.3; "
                                  "0.3 void R2 of 0.2");
    assert_int_equal(late.pieces, 1);
}

/* ---- a writer that makes a mistake ---- */

static unsigned wrong_line;

static enum err write_wrongly(const struct policy *p, struct format_state *st,
                              const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    enum err e = format_symphony.write(p, st, it, out, msg);

    if (e == ERR_OK && --wrong_line == 0)
        out->p[out->len - 10] ^= 1; /* ^^O and the length stand behind it */
    return e;
}

static void a_wrong_line_stops_the_export_with_the_same_words(void **state)
{
    static const unsigned at[] = { 1, 2, 700, 1200, 1201, 2000 };
    struct format broken = format_symphony;

    (void)state;
    set_policy("export");
    fill_branch();
    broken.write = write_wrongly;
    for (unsigned i = 0; i < sizeof at / sizeof at[0]; i++) {
        struct last_moment late = last_moment();
        struct helper_thread t;
        const struct helper *helpers[] = { NULL, &late.lent, helper_thread_init(&t) };
        size_t len = 0;
        late.lent.ctx = &late;
        for (unsigned h = 0; h < 3; h++) {
            struct buf all = { 0 };
            struct export_result r;
            struct errmsg msg = { .text = "" };
            char wanted[32];
            wrong_line = at[i];
            assert_int_equal(merge_with(helpers[h], &broken, &all, &r, &msg), ERR_MALFORMED);
            snprintf(wanted, sizeof wanted, "line %u: ", at[i]);
            assert_memory_equal(msg.text, wanted, strlen(wanted));
            assert_true(h == 0 || all.len == len); /* found out at the same place */
            len = all.len;
            buf_free(&all);
        }
        assert_null(late.work);
        helper_thread_close(&t);
    }
}

/* ---- memory runs out ---- */

const char *__asan_default_options(void);
const char *__asan_default_options(void) /* a refusal is what is tested, not a mistake */
{
    return "allocator_may_return_null=1";
}

/* Says nothing of it, as a rule may that can do without. */
static enum err check_without_memory(struct format_check *c, const uint8_t *p, size_t n,
                                     struct errmsg *msg)
{
    assert_null(mem_alloc(SIZE_MAX / 2));
    return format_symphony.check_add(c, p, n, msg);
}

static void memory_that_is_refused_at_the_helper_is_missed_here(void **state)
{
    struct format poor = format_symphony;
    struct helper_thread t;
    const struct helper *helpers[] = { NULL, helper_thread_init(&t) };

    (void)state;
    set_policy("export");
    fill_branch();
    poor.check_add = check_without_memory;
    for (unsigned h = 0; h < 2; h++) {
        struct buf all = { 0 };
        struct export_result r;
        struct errmsg msg;
        assert_int_equal(merge_with(helpers[h], &poor, &all, &r, &msg), ERR_NOMEM);
        buf_free(&all);
    }
    helper_thread_close(&t);
}

/* ---- a survey that fails, or is given up ---- */

static enum err refuses(void *ctx, const void *p, size_t n, struct errmsg *msg)
{
    (void)ctx;
    (void)p;
    (void)n;
    return err_set(msg, ERR_DISK, "the disk refused");
}

static bool give_up(void *ctx, uint64_t done, uint64_t total)
{
    (void)total;
    return done < *(uint64_t *)ctx;
}

static void a_merge_that_is_given_up_leaves_no_work_behind(void **state)
{
    struct export_out to = { .bytes = NULL };
    struct export_result r;

    (void)state;
    fill_branch();
    b.job.records = MANY;
    for (uint64_t after = 256; after < 2 * MANY; after += 1024) {
        struct last_moment late = last_moment();
        struct helper_thread t;
        late.lent.ctx = &late;
        b.job.helper = &late.lent;
        assert_int_equal(export_run(&b.job, memdisk_disk(b.mem), &format_symphony, give_up, &after,
                                    &to, &r, NULL),
                         ERR_BUSY);
        assert_null(late.work);
        b.job.helper = helper_thread_init(&t);
        assert_int_equal(export_run(&b.job, memdisk_disk(b.mem), &format_symphony, give_up, &after,
                                    &to, &r, NULL),
                         ERR_BUSY);
        helper_thread_close(&t);
    }
}

static void what_the_survey_meets_at_the_helper_is_said(void **state)
{
    const struct spill spill = { NULL, refuses, NULL };
    struct errmsg msg = { .text = "" };
    struct helper_thread t;
    struct merge *m;

    (void)state;
    for (unsigned i = 0; i < 45000; i++) /* above what the survey sorts in memory */
        add(i % DESKS, RECORD_CHECKOUT, I1, U1, 0, (int)i);
    b.job.spill = &spill;
    b.job.helper = helper_thread_init(&t);
    assert_int_equal(merge_open(&b.job, memdisk_disk(b.mem), NULL, NULL, &m, &msg), ERR_DISK);
    assert_string_equal(msg.text, "the disk refused");
    helper_thread_close(&t);
}

static int init(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(work_is_done_piece_by_piece_and_waited_for),
        TEST(a_merge_is_the_same_whoever_helps),
        TEST(a_few_records_wait_for_the_end_of_the_survey),
        TEST(a_wrong_line_stops_the_export_with_the_same_words),
        TEST(memory_that_is_refused_at_the_helper_is_missed_here),
        TEST(a_merge_that_is_given_up_leaves_no_work_behind),
        TEST(what_the_survey_meets_at_the_helper_is_said),
    };

    return cmocka_run_group_tests(tests, init, NULL);
}
