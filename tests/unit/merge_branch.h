/* merge_branch.h - one disk that holds the feeds of three desks, and its merged log as text: for the
 * tests of the merge. */
#ifndef TIDEOVER_TEST_MERGE_BRANCH_H
#define TIDEOVER_TEST_MERGE_BRANCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "export.h"
#include "feeds.h"
#include "merge.h"
#include "word.h"

#include "../memdisk.h"

#define DESKS 3
#define T0    INT64_C(1795442700000) /* 2026-11-23 09:05:00 in New York */
#define U1    "29999000001016"
#define U2    "29999000001024"
#define U3    "29999000001032"
#define I1    "39999000005015"
#define I2    "39999000005023"

struct branch { /* one disk that holds three desks' feeds */
    struct memdisk *mem;
    struct feeds feeds;
    struct merge_job job;
    uint8_t id[16];
    unsigned opened;
};

static struct branch b;

static const char *const desk_names[DESKS] = { "MAIN-1", "MAIN-2", "KIDS-1" };

static void feed_id_of(unsigned desk, struct feed_id *out)
{
    memset(out, 0, sizeof *out);
    out->desk.b[0] = (uint8_t)(desk + 1);
    out->name[0] = (uint8_t)(0x10 + desk);
}

static void set_policy(const char *extra)
{
    struct buf text = { 0 };
    struct errmsg msg = { .text = "" };

    policy_default_text("MAIN", "America/New_York", "EST5EDT,M3.2.0,M11.1.0", &text);
    assert_int_equal(policy_parse((char *)text.p, text.len, &b.job.policy, &msg), ERR_OK);
    buf_free(&text);
    b.job.policy.discharges = strstr(extra, "export") ? DISCHARGES_EXPORT : DISCHARGES_HOLD;
    b.job.policy.symphony.registration =
        strstr(extra, "flat") ? REGISTRATION_FLAT : REGISTRATION_JY;
    snprintf(b.job.policy.symphony.library, sizeof b.job.policy.symphony.library, "MAIN");
    b.job.policy.symphony.default_station = 42;
}

static int setup(void **state)
{
    (void)state;
    memset(&b, 0, sizeof b);
    b.mem = memdisk_new();
    assert_int_equal(feeds_load(&b.feeds, memdisk_disk(b.mem), b.id, NULL, NULL), ERR_OK);
    b.job.feeds = calloc(DESKS, sizeof *b.job.feeds);
    b.job.n_feeds = DESKS;
    b.job.slot = 1;
    snprintf(b.job.code, sizeof b.job.code, "MAIN");
    for (unsigned d = 0; d < DESKS; d++) {
        struct merge_feed *f = &b.job.feeds[d];
        feed_id_of(d, &f->feed);
        snprintf(f->desk, sizeof f->desk, "%s", desk_names[d]);
        f->number = 1;
        f->from = 1;
    }
    set_policy("");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    feeds_free(&b.feeds);
    merge_job_free(&b.job);
    memdisk_free(b.mem);
    return 0;
}

/* Appends a record to a desk's feed as the wire would, in a block of its own. */
static uint64_t put(unsigned desk, const struct record *r)
{
    struct opening o = { .number = 1 };
    struct feed *f;
    struct buf bytes = { 0 }, records = { 0 };
    struct block blk = { 0 };
    uint8_t h[HASH_BYTES];

    feed_id_of(desk, &o.id);
    assert_int_equal(feeds_open(&b.feeds, &o, &f, NULL), ERR_OK);
    assert_int_equal(record_encode(r, &bytes, NULL), ERR_OK);
    mp_put_bin(&records, bytes.p, bytes.len);
    memcpy(h, f->hash, sizeof h);
    feed_next_hash(h, bytes.p, bytes.len);
    blk = (struct block){
        .feed = o.id, .first = f->seq + 1, .count = 1, .records = records.p, .len = records.len
    };
    assert_int_equal(feeds_append(&b.feeds, f, &blk, 0, h, NULL), ERR_OK);
    b.job.feeds[desk].alias = f->alias;
    b.job.feeds[desk].to = f->seq;
    buf_free(&bytes);
    buf_free(&records);
    return f->seq;
}

static struct record make(unsigned kind, const char *item, const char *user, uint32_t due,
                          int seconds)
{
    struct record r = { .kind = (uint8_t)kind, .due = due, .at_ms = T0 + (int64_t)seconds * 1000 };

    snprintf(r.item, sizeof r.item, "%s", item);
    snprintf(r.user, sizeof r.user, "%s", user);
    return r;
}

static uint64_t add(unsigned desk, unsigned kind, const char *item, const char *user, uint32_t due,
                    int seconds)
{
    struct record r = make(kind, item, user, due, seconds);

    return put(desk, &r);
}

static uint64_t add_void(unsigned desk, unsigned of_desk, uint64_t of_seq, int seconds)
{
    struct record r = make(RECORD_VOID, "", "", 0, seconds);

    feed_id_of(of_desk, &r.target.feed);
    r.target.seq = of_seq;
    return put(desk, &r);
}

static uint64_t add_user(unsigned desk, const char *user, const char *last, int seconds)
{
    struct record r = make(RECORD_USER, "", user, 0, seconds);

    snprintf(r.reg.last, sizeof r.reg.last, "%s", last);
    snprintf(r.reg.first, sizeof r.reg.first, "Marta");
    return put(desk, &r);
}

/* The merged log as text: "MAIN-1/1/0001 send; ..." with rule, other and early marks. */
static const char *merged(void)
{
    static char out[4096];
    struct merge *m = NULL;
    struct merged *r = malloc(sizeof *r);
    struct errmsg msg = { .text = "" };
    size_t n = 0;
    enum err e;

    out[0] = '\0';
    assert_int_equal(merge_open(&b.job, memdisk_disk(b.mem), NULL, NULL, &m, &msg), ERR_OK);
    while ((e = merge_next(m, r, &msg)) == ERR_OK) {
        n += (size_t)snprintf(out + n, sizeof out - n, "%s%u.%llu %s%s%s", n ? "; " : "", r->feed,
                              (unsigned long long)r->seq, verdict_name(r->verdict),
                              r->rule[0] ? " " : "", r->rule);
        if (r->has_other)
            n += (size_t)snprintf(out + n, sizeof out - n, " of %u.%llu", r->other_feed,
                                  (unsigned long long)r->other_seq);
        if (r->due != r->rec.due)
            n += (size_t)snprintf(out + n, sizeof out - n, " due %u", r->due);
        if (r->early)
            n += (size_t)snprintf(out + n, sizeof out - n, " early");
    }
    assert_int_equal(e, ERR_MISSING);
    merge_close(m);
    free(r);
    return out;
}

#endif
