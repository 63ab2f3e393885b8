/* format_bench.h - one format on a bench: write, judge, read back. For the tests of formats. */
#ifndef FORMAT_BENCH_H
#define FORMAT_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"

#ifndef GOLDEN_DIR
#define GOLDEN_DIR "tests/golden"
#endif

#define BENCH_HEAD                                                                                 \
    "[branch]\ncode = MAIN\nzone = America/New_York\nzone_rule = EST5EDT,M3.2.0,M11.1.0\n"
#define BENCH_EVENTS 64

struct bench {
    const struct format *f;
    struct policy p;
    struct format_state st;
    struct buf out;
    struct errmsg msg;
    struct record rec; /* of the next line */
    /* what the reader gave back */
    unsigned n_events, n_unknown;
    struct record event[BENCH_EVENTS];
    char desk[BENCH_EVENTS][32];
    uint64_t line[BENCH_EVENTS];
    struct buf unknown; /* "line: why: bytes" and LF for each */
};

static struct bench *bench_new(const struct format *f, const char *policy)
{
    struct bench *b = calloc(1, sizeof *b);
    struct buf text = { 0 };
    struct errmsg msg = { .text = "" };

    b->f = f;
    buf_text(&text, BENCH_HEAD);
    buf_text(&text, policy);
    if (policy_parse((const char *)text.p, text.len, &b->p, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    buf_free(&text);
    return b;
}

static int bench_free(void **state)
{
    struct bench *b = *state;

    buf_free(&b->out);
    buf_free(&b->unknown);
    free(b);
    return 0;
}

static inline int64_t utc(const char *local) /* "2026-03-09T10:15:32-04:00" */
{
    int64_t ms;
    int off;

    assert_int_equal(rfc3339_parse(local, &ms, &off, NULL), ERR_OK);
    return ms / 1000;
}

static inline void record(struct bench *b, unsigned kind, const char *item, const char *user,
                          uint32_t due)
{
    memset(&b->rec, 0, sizeof b->rec);
    b->rec.kind = (uint8_t)kind;
    strcpy(b->rec.item, item);
    strcpy(b->rec.user, user);
    b->rec.due = due;
}

static inline struct format_item item_of(const struct bench *b, const char *local, const char *desk)
{
    return (struct format_item){
        .rec = &b->rec, .id = "MAIN-1/1/0001", .desk = desk, .tick_s = utc(local), .due = b->rec.due
    };
}

static inline enum err add(struct bench *b, const char *local, const char *desk)
{
    struct format_item it = item_of(b, local, desk);

    return b->f->write(&b->p, &b->st, &it, &b->out, &b->msg);
}

static inline void cannot_add(struct bench *b, const char *local, const char *field)
{
    size_t before = b->out.len;

    assert_int_equal(add(b, local, "MAIN-1"), ERR_INVALID);
    assert_string_equal(b->msg.field, field);
    assert_null(strstr(b->msg.text, "9999")); /* no barcode in a message */
    assert_int_equal(b->out.len, before);
}

static inline unsigned loses(const struct bench *b)
{
    struct format_item it = item_of(b, "2026-11-23T09:05:00-05:00", "MAIN-1");

    return b->f->loses(&b->p, &it);
}

static inline enum err judge_by(struct bench *b, const void *text, size_t n, size_t step,
                                uint64_t *records)
{
    struct format_check *c = b->f->check_new(&b->p);
    enum err e = ERR_OK;

    memset(&b->msg, 0, sizeof b->msg);
    assert_non_null(c);
    for (size_t at = 0; at < n && e == ERR_OK; at += step)
        e = b->f->check_add(c, (const uint8_t *)text + at, at + step < n ? step : n - at, &b->msg);
    if (e == ERR_OK)
        e = b->f->check_end(c, records, &b->msg);
    b->f->check_free(c);
    return e;
}

static inline void accepted(struct bench *b, uint64_t records)
{
    uint64_t n = 0;

    for (size_t step = 1; step < b->out.len + 13; step += 13) {
        if (judge_by(b, b->out.p, b->out.len, step, &n) != ERR_OK)
            fail_msg("%s", b->msg.text);
        assert_int_equal(n, records);
    }
}

static inline void refused(struct bench *b, const char *text, const char *because)
{
    uint64_t n;

    for (size_t step = 1; step < 100; step += 33) {
        assert_int_equal(judge_by(b, text, strlen(text), step, &n), ERR_MALFORMED);
        if (strstr(b->msg.text, because) == NULL)
            fail_msg("said: %s; wanted: %s", b->msg.text, because);
    }
}

static inline void wrote_golden(struct bench *b, const char *name)
{
    char path[512], wanted[4096];
    size_t n;
    FILE *f;

    snprintf(path, sizeof path, GOLDEN_DIR "/%s", name);
    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(wanted, 1, sizeof wanted, f);
    fclose(f);
    assert_int_equal(b->out.len, n);
    assert_memory_equal(b->out.p, wanted, n);
}

/* ---- reading ---- */

static inline enum err on_event(void *ctx, const struct format_event *ev, struct errmsg *msg)
{
    struct bench *b = ctx;

    (void)msg;
    assert_in_range(b->n_events, 0, BENCH_EVENTS - 1);
    b->event[b->n_events] = ev->rec;
    b->line[b->n_events] = ev->line;
    snprintf(b->desk[b->n_events++], 32, "%s", ev->desk);
    return ERR_OK;
}

static inline enum err on_unknown(void *ctx, uint64_t line, const uint8_t *p, size_t n,
                                  const char *why, struct errmsg *msg)
{
    struct bench *b = ctx;

    (void)msg;
    b->n_unknown++;
    buf_printf(&b->unknown, "%llu: %s: ", (unsigned long long)line, why);
    buf_add(&b->unknown, p, n);
    buf_text(&b->unknown, "\n");
    return ERR_OK;
}

static inline void read_by(struct bench *b, const void *text, size_t n, size_t step)
{
    struct format_read to = { .ctx = b, .event = on_event, .unknown = on_unknown };
    struct format_reader *r = b->f->read_new(&b->p, &to);

    b->n_events = b->n_unknown = 0;
    memset(b->event, 0, sizeof b->event);
    buf_reset(&b->unknown);
    assert_non_null(r);
    for (size_t at = 0; at < n; at += step)
        assert_int_equal(
            b->f->read_add(r, (const uint8_t *)text + at, at + step < n ? step : n - at, &b->msg),
            ERR_OK);
    assert_int_equal(b->f->read_end(r, &b->msg), ERR_OK);
    b->f->read_free(r);
}

/* However it is cut into chunks, the same comes of it. */
static inline void reads(struct bench *b, const char *text, unsigned events, const char *unknown)
{
    for (size_t step = 1; step < 200; step += 49) {
        read_by(b, text, strlen(text), step);
        buf_add(&b->unknown, "", 1);
        assert_string_equal((const char *)b->unknown.p, unknown);
        assert_int_equal(b->n_events, events);
    }
}

static inline void event_is(const struct bench *b, unsigned i, unsigned kind, const char *item,
                            const char *user, uint32_t due, const char *local)
{
    assert_in_range(i, 0, b->n_events - 1);
    assert_int_equal(b->event[i].kind, kind);
    assert_string_equal(b->event[i].item, item);
    assert_string_equal(b->event[i].user, user);
    assert_int_equal(b->event[i].due, due);
    assert_int_equal(b->event[i].at_ms, local ? utc(local) * 1000 : 0);
}

#endif
