/* format_rig.h - one format as a whole file: written, judged, read back. */
#ifndef FORMAT_RIG_H
#define FORMAT_RIG_H

#include "format_file.h"

#define BENCH_EVENTS 32

struct bench {
    const struct format *f;
    struct policy p;
    struct format_state st;
    struct buf out; /* the file so far */
    unsigned lines;
    struct errmsg msg;
    struct record rec; /* of the next line */
    struct format_event event[BENCH_EVENTS];
    char desk[BENCH_EVENTS][DESK_NAME_MAX + 1];
    unsigned n_events, n_unknown;
    struct {
        uint64_t line;
        char text[256], why[128];
    } unknown[BENCH_EVENTS];
};

/* more: further sections of the policy. */
static inline struct bench *bench_new(const struct format *f, const char *more)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    b->f = f;
    file_policy(&b->p, more);
    return b;
}

static inline void bench_free(struct bench *b)
{
    buf_free(&b->out);
    free(b);
}

static inline struct record *bench_record(struct bench *b, unsigned kind, const char *item,
                                          const char *user)
{
    memset(&b->rec, 0, sizeof b->rec);
    b->rec.kind = (uint8_t)kind;
    snprintf(b->rec.item, sizeof b->rec.item, "%s", item);
    snprintf(b->rec.user, sizeof b->rec.user, "%s", user);
    return &b->rec;
}

static inline struct registration *bench_okafor(struct bench *b)
{
    struct registration *r = &bench_record(b, RECORD_USER, "", "29999000001040")->reg;

    strcpy(r->first, "Zo\xc3\xab");
    strcpy(r->last, "Okafor");
    strcpy(r->pin, "7315");
    r->birth = 19880714;
    strcpy(r->street, "12 Mill Lane");
    strcpy(r->city, "Rivermouth, OH");
    strcpy(r->postcode, "44654");
    return r;
}

static inline int64_t bench_ms(const char *at)
{
    int64_t ms;
    int off;

    if (rfc3339_parse(at, &ms, &off, NULL) != ERR_OK)
        fail_msg("%s", at);
    return ms;
}

/* The next line: of the record at that time (also its desk's clock, if that is not set), by the
 * second that E2 gave it (NULL: its own). */
static inline enum err bench_add_moved(struct bench *b, const char *id, const char *at,
                                       const char *tick)
{
    const char *slash = strchr(id, '/');
    char desk[DESK_NAME_MAX + 1];
    struct buf line = { 0 };
    struct format_item it = { .rec = &b->rec, .id = id, .desk = desk, .due = b->rec.due };
    enum err e;

    snprintf(desk, sizeof desk, "%.*s", slash ? (int)(slash - id) : (int)strlen(id), id);
    it.time_ms = bench_ms(at);
    it.tick_s = bench_ms(tick ? tick : at) / 1000 / b->f->tick_s * b->f->tick_s;
    if (b->rec.at_ms == 0) {
        b->rec.at_ms = it.time_ms;
        b->rec.utc_off_min = -300;
    }
    memset(&b->msg, 0, sizeof b->msg);
    e = b->f->write(&b->p, &b->st, &it, &line, &b->msg);
    assert_true(e == ERR_OK || line.len == 0);
    if (e == ERR_OK && b->lines++ == 0 && b->f->begin)
        assert_int_equal(b->f->begin(&b->p, &b->st, &b->out, &b->msg), ERR_OK);
    buf_add(&b->out, line.p, line.len);
    buf_free(&line);
    return e;
}

static inline void bench_add(struct bench *b, const char *id, const char *at)
{
    if (bench_add_moved(b, id, at, NULL) != ERR_OK)
        fail_msg("%s", b->msg.text);
}

static inline void bench_refuses(struct bench *b, const char *at, const char *field)
{
    assert_int_equal(bench_add_moved(b, "MAIN-1/7/0099", at, NULL), ERR_INVALID);
    assert_string_equal(b->msg.field, field);
}

static inline void bench_finish(struct bench *b)
{
    if (b->f->finish)
        assert_int_equal(b->f->finish(&b->p, &b->st, &b->out, &b->msg), ERR_OK);
}

static inline void bench_is_golden(struct bench *b, const char *name)
{
    file_is_golden(&b->out, name);
}

/* Judges text in pieces of that size; on refusal the message is in b->msg. */
static inline enum err bench_judge(struct bench *b, const void *text, size_t n, size_t piece,
                                   uint64_t *records)
{
    return file_judge(b->f, &b->p, text, n, piece, records, &b->msg);
}

static inline void bench_is_good(struct bench *b, unsigned lines)
{
    for (size_t piece = 1; piece <= b->out.len; piece = piece * 3 + 1) {
        uint64_t n = 0;
        if (bench_judge(b, b->out.p, b->out.len, piece, &n) != ERR_OK)
            fail_msg("%s", b->msg.text);
        assert_int_equal(n, lines);
    }
}

/* The file with `from`, which is in it once at least, changed to `to` is refused, and why. */
static inline void bench_refused(struct bench *b, const char *from, const char *to,
                                 const char *because)
{
    char *text = calloc(1, b->out.len + strlen(to) + 1), *at;
    uint64_t n = 0;

    memcpy(text, b->out.p, b->out.len);
    at = strstr(text, from);
    if (at == NULL)
        fail_msg("%s is not in the file", from);
    memmove(at + strlen(to), at + strlen(from), strlen(at + strlen(from)) + 1);
    memcpy(at, to, strlen(to));
    assert_int_equal(bench_judge(b, text, strlen(text), 7, &n), ERR_MALFORMED);
    if (strstr(b->msg.text, because) == NULL)
        fail_msg("%s -> %s: said %s", from, to, b->msg.text);
    free(text);
}

static inline enum err bench_event(void *ctx, const struct format_event *ev, struct errmsg *msg)
{
    struct bench *b = ctx;

    (void)msg;
    assert_true(b->n_events < BENCH_EVENTS);
    b->event[b->n_events] = *ev;
    snprintf(b->desk[b->n_events], sizeof b->desk[0], "%s", ev->desk);
    b->event[b->n_events].desk = b->desk[b->n_events];
    b->n_events++;
    return ERR_OK;
}

static inline enum err bench_unknown(void *ctx, uint64_t line, const uint8_t *p, size_t n,
                                     const char *why, struct errmsg *msg)
{
    struct bench *b = ctx;

    (void)msg;
    assert_true(b->n_unknown < BENCH_EVENTS);
    b->unknown[b->n_unknown].line = line;
    snprintf(b->unknown[b->n_unknown].text, sizeof b->unknown[0].text, "%.*s", (int)n,
             (const char *)p);
    snprintf(b->unknown[b->n_unknown].why, sizeof b->unknown[0].why, "%s",
             why ? why : "more of it");
    b->n_unknown++;
    return ERR_OK;
}

static inline enum err bench_read(struct bench *b, const void *text, size_t n, size_t piece)
{
    struct format_read to = { .ctx = b, .event = bench_event, .unknown = bench_unknown };

    b->n_events = b->n_unknown = 0;
    return file_read(b->f, &b->p, &to, text, n, piece, &b->msg);
}

static inline void bench_reads(struct bench *b, const char *text)
{
    if (bench_read(b, text, strlen(text), 5) != ERR_OK)
        fail_msg("%s", b->msg.text);
}

/* The text (of one line, if need be behind others) is handed on as unknown, and why. */
static inline void bench_is_unknown(struct bench *b, const char *text, const char *because)
{
    bench_reads(b, text);
    if (b->n_unknown != 1 || strstr(b->unknown[0].why, because) == NULL)
        fail_msg("%s: %u unknown, %u events, said %s", text, b->n_unknown, b->n_events,
                 b->unknown[0].why);
}

#endif
