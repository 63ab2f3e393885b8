/* test_pool.c - events of many files: the branch's own merge gives the same verdicts on the same
 * events; copies, conflicts and clocks are noticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "feeds.h"
#include "merge.h"
#include "pool.h"

#include "../memdisk.h"

#define FILES 3
#define T0    INT64_C(1795442700000)

struct file { /* a spill in memory */
    struct buf b;
};

static struct policy policy;
static struct file spills[POOL_SPILLS];
static int64_t offsets[FILES];

static enum err append(void *ctx, const void *p, size_t n, struct errmsg *msg)
{
    (void)msg;
    buf_add(&((struct file *)ctx)->b, p, n);
    return ERR_OK;
}

static enum err read_at(void *ctx, uint64_t at, void *p, size_t n, struct errmsg *msg)
{
    const struct file *f = ctx;

    if (at + n > f->b.len)
        return err_set(msg, ERR_DISK, "behind the end");
    memcpy(p, f->b.p + at, n);
    return ERR_OK;
}

static int set_up(void **state)
{
    struct buf text = { 0 };
    enum err e;

    (void)state;
    policy_default_text("MAIN", "America/New_York", "EST5EDT,M3.2.0,M11.1.0", &text);
    e = policy_parse((char *)text.p, text.len, &policy, NULL);
    buf_free(&text);
    policy.discharges = DISCHARGES_EXPORT;
    policy.symphony.registration = REGISTRATION_JY;
    memset(offsets, 0, sizeof offsets);
    return e == ERR_OK ? 0 : -1;
}

static struct pool *new_pool(void)
{
    struct pool_job job = { .policy = &policy, .n_files = FILES, .offset_ms = offsets };
    struct pool *p = NULL;

    for (unsigned i = 0; i < POOL_SPILLS; i++)
        job.spill[i] = (struct spill){ &spills[i], append, read_at };
    assert_int_equal(pool_new(&job, &p, NULL), ERR_OK);
    return p;
}

static void end_pool(struct pool *p)
{
    pool_free(p);
    for (unsigned i = 0; i < POOL_SPILLS; i++) {
        buf_free(&spills[i].b);
        memset(&spills[i], 0, sizeof spills[i]);
    }
}

static struct record make(unsigned kind, unsigned item, unsigned user, uint32_t due, int64_t ms)
{
    struct record r = { .kind = (uint8_t)kind, .due = due, .at_ms = T0 + ms };

    if (kind != RECORD_USER)
        snprintf(r.item, sizeof r.item, "3999900000%04u", item);
    if (kind != RECORD_DISCHARGE && kind != RECORD_INHOUSE)
        snprintf(r.user, sizeof r.user, "2999900000%04u", user);
    if (kind == RECORD_USER)
        snprintf(r.reg.last, sizeof r.reg.last, "Okafor %u", item);
    return r;
}

static void add(struct pool *p, unsigned file, uint64_t line, const char *desk,
                const struct record *r)
{
    struct format_event ev = { .rec = *r, .line = line, .desk = desk };

    assert_int_equal(pool_event(p, file, &ev, NULL), ERR_OK);
}

static void say(struct buf *out, const struct merged *m)
{
    buf_printf(out, "%u.%llu %s %s", m->feed, (unsigned long long)m->seq, verdict_name(m->verdict),
               m->rule);
    if (m->has_other)
        buf_printf(out, " of %u.%llu", m->other_feed, (unsigned long long)m->other_seq);
    if (m->due != m->rec.due)
        buf_printf(out, " due %u", m->due);
    if (m->early)
        buf_text(out, " early");
    buf_printf(out, " at %lld\n", (long long)(m->time_ms - T0));
}

/* All that comes out of the pool, as text. */
static const char *pooled_with(struct pool *p, struct buf *out, bool twice)
{
    struct pooled *one = calloc(1, sizeof *one);
    enum err e;

    buf_reset(out);
    assert_int_equal(pool_judge(p, NULL), ERR_OK);
    while ((e = pool_next(p, one, NULL)) == ERR_OK) {
        say(out, &one->m);
        if (twice && one->out_twice)
            buf_printf(out, "  twice with %u.%llu\n", one->twice_feed,
                       (unsigned long long)one->twice_seq);
    }
    assert_int_equal(e, ERR_MISSING);
    buf_add(out, "", 1);
    free(one);
    return (char *)out->p;
}

static const char *pooled(struct pool *p, struct buf *out)
{
    return pooled_with(p, out, true);
}

/* ---- the branch's own merge, on the same events ---- */

struct branch {
    struct memdisk *mem;
    struct feeds feeds;
    struct merge_job job;
    uint8_t id[16];
};

static void feed_id_of(unsigned desk, struct feed_id *out)
{
    memset(out, 0, sizeof *out);
    out->desk.b[0] = (uint8_t)(desk + 1);
    out->name[0] = (uint8_t)(0x10 + desk);
}

static void put(struct branch *b, unsigned desk, const struct record *r)
{
    struct opening o = { .number = 1 };
    struct feed *f;
    struct buf bytes = { 0 }, records = { 0 };
    struct block blk = { 0 };
    uint8_t h[HASH_BYTES];

    feed_id_of(desk, &o.id);
    assert_int_equal(feeds_open(&b->feeds, &o, &f, NULL), ERR_OK);
    assert_int_equal(record_encode(r, &bytes, NULL), ERR_OK);
    mp_put_bin(&records, bytes.p, bytes.len);
    memcpy(h, f->hash, sizeof h);
    feed_next_hash(h, bytes.p, bytes.len);
    blk = (struct block){
        .feed = o.id, .first = f->seq + 1, .count = 1, .records = records.p, .len = records.len
    };
    assert_int_equal(feeds_append(&b->feeds, f, &blk, 0, h, NULL), ERR_OK);
    b->job.feeds[desk].alias = f->alias;
    b->job.feeds[desk].to = f->seq;
    buf_free(&bytes);
    buf_free(&records);
}

static void open_branch(struct branch *b)
{
    memset(b, 0, sizeof *b);
    b->mem = memdisk_new();
    assert_int_equal(feeds_load(&b->feeds, memdisk_disk(b->mem), b->id, NULL, NULL), ERR_OK);
    b->job.feeds = calloc(FILES, sizeof *b->job.feeds);
    b->job.n_feeds = FILES;
    b->job.slot = 1;
    b->job.policy = policy;
    for (unsigned d = 0; d < FILES; d++) {
        feed_id_of(d, &b->job.feeds[d].feed);
        b->job.feeds[d].number = 1;
        b->job.feeds[d].from = 1;
        b->job.feeds[d].correction_ms = offsets[d];
    }
}

static const char *branch_merged(struct branch *b, struct buf *out)
{
    struct merged *m = calloc(1, sizeof *m);
    struct merge *merge = NULL;
    enum err e;

    buf_reset(out);
    assert_int_equal(merge_open(&b->job, memdisk_disk(b->mem), NULL, NULL, &merge, NULL), ERR_OK);
    while ((e = merge_next(merge, m, NULL)) == ERR_OK)
        say(out, m);
    assert_int_equal(e, ERR_MISSING);
    merge_close(merge);
    buf_add(out, "", 1);
    free(m);
    feeds_free(&b->feeds);
    merge_job_free(&b->job);
    memdisk_free(b->mem);
    return (char *)out->p;
}

static uint32_t dice(uint32_t *seed, uint32_t sides)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % sides;
}

/* A day of few items, so that every rule meets every other. Users 7 to 9 have new cards. */
static struct record any_record(uint32_t *seed, int64_t ms)
{
    static const uint8_t kinds[] = { RECORD_CHECKOUT,  RECORD_CHECKOUT,  RECORD_CHECKOUT,
                                     RECORD_DISCHARGE, RECORD_DISCHARGE, RECORD_RENEW,
                                     RECORD_RENEW,     RECORD_INHOUSE };
    static const uint32_t dues[] = { 0, 20261207, 20261214, 20261221 };
    unsigned kind = kinds[dice(seed, sizeof kinds)];

    return make(kind, dice(seed, 4), 1 + dice(seed, 2) * 6 + dice(seed, 3),
                kind == RECORD_CHECKOUT || kind == RECORD_RENEW ? dues[dice(seed, 4)] : 0, ms);
}

static void fill_both(struct pool *p, struct branch *b, uint32_t seed)
{
    static const char *const desks[FILES] = { "MAIN-1", "MAIN-2", "KIDS-1" };
    uint64_t line[FILES] = { 0 };
    unsigned reg_feed[10] = { 0 };
    bool has_reg[10] = { false };
    int64_t ms = 0;

    for (unsigned i = 0; i < 60; i++) {
        unsigned file = dice(&seed, FILES);
        struct record r = any_record(&seed, 0);
        ms += dice(&seed, 3) == 0 ? 0 : 1000 * dice(&seed, 30);
        if (dice(&seed, 10) == 0) { /* a new card, perhaps again */
            unsigned user = 7 + dice(&seed, 3);
            r = make(RECORD_USER, dice(&seed, 8) == 0, user, 0, 0);
            file = has_reg[user] ? reg_feed[user]
                                 : file; /* which of two equal ones is pulled differs */
            has_reg[user] = true;
            reg_feed[user] = file;
        }
        r.at_ms = T0 + ms;
        put(b, file, &r);
        add(p, file, ++line[file], desks[file], &r);
    }
}

/* Line by line. R5: without a lead nobody can be asked, so files are written as they are; of those
 * records only the places are compared. */
static bool same_verdicts(const char *branch, const char *files)
{
    while (*branch != 0 && *files != 0) {
        size_t b = strcspn(branch, "\n"), f = strcspn(files, "\n"), id = strcspn(branch, " ");
        const char *rule = strstr(branch, " R5 ");
        bool reviewed = rule && rule < branch + b;

        if (strncmp(branch, files, reviewed ? id + 1 : b + 1) != 0 || (!reviewed && b != f))
            return false;
        branch += b + (branch[b] != 0);
        files += f + (files[f] != 0);
    }
    return *branch == *files;
}

static void the_branch_and_the_files_get_the_same_verdicts(void **state)
{
    struct buf ours = { 0 }, theirs = { 0 };

    (void)state;
    for (uint32_t seed = 1; seed <= 3000; seed++) {
        struct pool *p;
        struct branch b;
        const char *want, *got;

        policy.discharges = seed % 2 == 0 ? DISCHARGES_HOLD : DISCHARGES_EXPORT;
        offsets[1] = seed % 3 == 0 ? -7000 : 0;
        p = new_pool();
        open_branch(&b);
        fill_both(p, &b, seed);
        want = branch_merged(&b, &theirs);
        got = pooled_with(p, &ours, false);
        if (!same_verdicts(want, got))
            fail_msg("seed %u: of the branch\n%s\nof the files\n%s", seed, want, got);
        end_pool(p);
    }
    offsets[1] = 0;
    policy.discharges = DISCHARGES_EXPORT;
    buf_free(&ours);
    buf_free(&theirs);
}

/* ---- what only files have ---- */

static void a_copy_of_a_log_adds_nothing_even_within_one_second(void **state)
{
    struct buf out = { 0 };
    struct pool *p = new_pool();
    struct record a = make(RECORD_CHECKOUT, 1, 1, 0, 0), b = make(RECORD_DISCHARGE, 1, 0, 0, 0);

    (void)state;
    for (unsigned file = 0; file < 2; file++) {
        add(p, file, 1, "0042", &a);
        add(p, file, 2, "0042", &b);
        add(p, file, 3, "0042", &a);
    }
    assert_string_equal(pooled(p, &out), "0.1 send  at 0\n0.2 send  at 0\n0.3 send  at 0\n"
                                         "1.1 duplicate R1 of 0.1 at 0\n"
                                         "1.2 duplicate R1 of 0.2 at 0\n"
                                         "1.3 duplicate R1 of 0.3 at 0\n");
    end_pool(p);
    buf_free(&out);
}

static void two_stations_in_one_file_are_two_desks(void **state)
{
    struct buf out = { 0 };
    struct pool *p = new_pool();
    struct record a = make(RECORD_INHOUSE, 1, 0, 0, 0), b = make(RECORD_INHOUSE, 1, 0, 0, 30000),
                  c = make(RECORD_INHOUSE, 1, 0, 0, 40000);

    (void)state;
    add(p, 0, 1, "0042", &a);
    add(p, 0, 2, "0043", &b); /* within same_event */
    add(p, 0, 3, "0042", &c); /* not within double_scan of the one that is kept */
    assert_string_equal(pooled(p, &out), "0.1 send  at 0\n0.2 duplicate R3 of 0.1 at 30000\n"
                                         "0.3 send  at 40000\n");
    end_pool(p);
    buf_free(&out);
}

static void an_item_lent_twice_is_said_with_both_sides(void **state)
{
    struct buf out = { 0 };
    struct pool *p = new_pool();
    struct record a = make(RECORD_CHECKOUT, 1, 1, 0, 0),
                  b = make(RECORD_CHECKOUT, 1, 2, 0, 3600000);

    (void)state;
    add(p, 0, 5, "", &a);
    add(p, 1, 9, "", &b);
    assert_string_equal(pooled(p, &out), "0.5 send  at 0\n1.9 send  at 3600000\n"
                                         "  twice with 0.5\n");
    end_pool(p);
    buf_free(&out);
}

static void clocks_that_differ_are_measured_and_an_offset_mends_them(void **state)
{
    struct buf out = { 0 };

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        struct pool_clock c;
        struct pool *p;

        offsets[1] = round == 0 ? 0 : -600000; /* file 1 is ten minutes ahead */
        p = new_pool();
        for (unsigned i = 0; i < 9; i++) {
            struct record a = make(RECORD_CHECKOUT, i, i, 0, 50000 * i), b = a;
            b.at_ms += 600000 + 1000 * (i % 3);
            add(p, 0, i + 1, "A", &a);
            add(p, 1, i + 1, "B", &b);
        }
        assert_int_equal(strstr(pooled(p, &out), "duplicate") != NULL, round);
        assert_true(pool_clock(p, 0, 1, &c));
        assert_int_equal(c.shared, 9);
        assert_int_equal(c.median_ms, round == 0 ? 601000 : 1000);
        assert_true(pool_clock(p, 1, 0, &c));
        assert_int_equal(c.median_ms, round == 0 ? -601000 : -1000);
        assert_false(pool_clock(p, 0, 2, &c));
        end_pool(p);
    }
    offsets[1] = 0;
    buf_free(&out);
}

static void what_does_not_fit_the_memory_gives_the_same(void **state)
{
    struct pooled *one = calloc(1, sizeof *one);
    uint64_t sent = 0, duplicates = 0;
    struct pool *p = new_pool();
    int64_t last = INT64_MIN;
    enum err e;

    (void)state;
    for (unsigned file = 0; file < 2; file++) /* B has every third of A's, a second later */
        for (unsigned i = 0; i < 60000; i += file == 0 ? 1 : 3) {
            struct record r =
                make(RECORD_CHECKOUT, i % 9999, i, 0, 2000 * (int64_t)i + 1000 * file);
            snprintf(r.item, sizeof r.item, "39999%09u", i);
            add(p, file, i + 1, file == 0 ? "A" : "B", &r);
        }
    assert_int_equal(pool_judge(p, NULL), ERR_OK);
    while ((e = pool_next(p, one, NULL)) == ERR_OK) {
        assert_true(one->m.time_ms >= last);
        last = one->m.time_ms;
        sent += one->m.verdict == VERDICT_SEND;
        duplicates += one->m.verdict == VERDICT_DUPLICATE && one->m.other_seq == one->m.seq &&
                      one->m.feed == 1 && one->m.other_feed == 0;
    }
    assert_int_equal(e, ERR_MISSING);
    assert_int_equal(sent, 60000);
    assert_int_equal(duplicates, 20000);
    assert_true(spills[0].b.len > 0);
    free(one);
    end_pool(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_branch_and_the_files_get_the_same_verdicts),
        cmocka_unit_test(a_copy_of_a_log_adds_nothing_even_within_one_second),
        cmocka_unit_test(two_stations_in_one_file_are_two_desks),
        cmocka_unit_test(an_item_lent_twice_is_said_with_both_sides),
        cmocka_unit_test(clocks_that_differ_are_measured_and_an_offset_mends_them),
        cmocka_unit_test(what_does_not_fit_the_memory_gives_the_same),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
