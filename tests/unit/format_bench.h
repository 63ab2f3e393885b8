/* format_bench.h - one format on a bench: write, judge, read back. For the tests of formats. */
#ifndef FORMAT_BENCH_H
#define FORMAT_BENCH_H

#include "format_file.h"

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
    unsigned left_out[BENCH_EVENTS];
    struct buf unknown; /* "line: why: bytes" and LF for each */
};

static struct bench *bench_new(const struct format *f, const char *policy)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    b->f = f;
    file_policy(&b->p, policy);
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
    return file_judge(b->f, &b->p, text, n, step, records, &b->msg);
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
    file_is_golden(&b->out, name);
}

/* ---- reading ---- */

static inline enum err on_event(void *ctx, const struct format_event *ev, struct errmsg *msg)
{
    struct bench *b = ctx;

    (void)msg;
    assert_in_range(b->n_events, 0, BENCH_EVENTS - 1);
    b->event[b->n_events] = ev->rec;
    b->line[b->n_events] = ev->line;
    b->left_out[b->n_events] = ev->left_out;
    snprintf(b->desk[b->n_events++], 32, "%s", ev->desk);
    return ERR_OK;
}

static inline enum err on_unknown(void *ctx, uint64_t line, const uint8_t *p, size_t n,
                                  const char *why, struct errmsg *msg)
{
    struct bench *b = ctx;

    (void)msg;
    b->n_unknown++;
    buf_printf(&b->unknown, "%llu: %s: ", (unsigned long long)line, why ? why : "more of it");
    buf_add(&b->unknown, p, n);
    buf_text(&b->unknown, "\n");
    return ERR_OK;
}

static inline void read_by(struct bench *b, const void *text, size_t n, size_t step)
{
    struct format_read to = { .ctx = b, .event = on_event, .unknown = on_unknown };

    b->n_events = b->n_unknown = 0;
    memset(b->event, 0, sizeof b->event);
    buf_reset(&b->unknown);
    assert_int_equal(file_read(b->f, &b->p, &to, text, n, step, &b->msg), ERR_OK);
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
