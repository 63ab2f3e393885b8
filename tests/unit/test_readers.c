/* test_readers.c - every importer against what files go through: editors, mail, a crash, a mix-up.
 * What is whole is read as before, the rest is handed back as it is, and nothing is guessed. */
#include "format_file.h"

#include <sys/resource.h>

#define EVENTS_MAX 64
#define PIECE      65536

static const struct {
    const char *format, *file;
    bool whole; /* one document, not lines: what is cut or mixed in is another thing altogether */
} readers[] = {
    { "symphony", "symphony_a_to_h.log", false },
    { "ldflat", "ldflat_one_user.flat", false },
    { "alma", "alma_two.dat", false },
    { "sierra", "sierra_two.rdy", false },
    { "destiny", "destiny_day.txt", false },
    { "evergreen", "evergreen.xacts", false },
    { "koha", "koha.koc", false },
    { "koha-json", "koha.json", true },
    { "csv", "own.csv", false },
    { "ndjson", "own.ndjson", false },
};
#define READERS (sizeof readers / sizeof readers[0])

struct told {
    unsigned n, n_unknown;
    size_t unknown_bytes;
    uint64_t unknown_line; /* the last */
    struct record event[EVENTS_MAX];
};

static enum err on_event(void *ctx, const struct format_event *ev, struct errmsg *msg)
{
    struct told *t = ctx;

    (void)msg;
    assert_in_range(t->n, 0, EVENTS_MAX - 1);
    t->event[t->n++] = ev->rec;
    return ERR_OK;
}

static enum err on_unknown(void *ctx, uint64_t line, const uint8_t *p, size_t n, const char *why,
                           struct errmsg *msg)
{
    struct told *t = ctx;

    (void)msg, (void)p;
    assert_true(line > 0);
    if (why == NULL)
        assert_int_equal(line, t->unknown_line); /* more of it */
    else
        assert_true(why[0] != '\0');
    t->n_unknown += why != NULL;
    t->unknown_line = line;
    t->unknown_bytes += n;
    return ERR_OK;
}

static struct policy *policy(void)
{
    struct policy *p = calloc(1, sizeof *p);

    assert_non_null(p);
    file_policy(p, "");
    return p;
}

static enum err read_text(unsigned k, const struct buf *text, size_t piece, struct told *t)
{
    struct format_read to = { .ctx = t, .event = on_event, .unknown = on_unknown };
    struct policy *p = policy();
    struct errmsg msg = { .text = "" };
    enum err e;

    memset(t, 0, sizeof *t);
    e = file_read(format_by_name(readers[k].format), p, &to, text->p, text->len, piece, &msg);
    assert_true(e == ERR_OK || (e == ERR_MALFORMED && msg.text[0] != '\0'));
    free(p);
    return e;
}

static void load(unsigned k, struct buf *out)
{
    char path[512], bytes[8192];
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, GOLDEN_DIR "/%s", readers[k].file);
    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    assert_in_range(n, 1, sizeof bytes - 1);
    buf_add(out, bytes, n);
}

/* The events before `n` are the same ones, but for the clock of formats that say none. */
static void same_events(const struct told *a, const struct told *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        assert_int_equal(a->event[i].kind, b->event[i].kind);
        assert_string_equal(a->event[i].item, b->event[i].item);
        assert_string_equal(a->event[i].user, b->event[i].user);
        assert_int_equal(a->event[i].due, b->event[i].due);
        assert_int_equal(a->event[i].at_ms, b->event[i].at_ms);
        assert_int_equal(a->event[i].count, b->event[i].count);
        assert_memory_equal(&a->event[i].reg, &b->event[i].reg, sizeof a->event[i].reg);
    }
}

static void every_format_that_is_read_stands_in_this_table(void **state)
{
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; format_at(i); i++)
        n += format_at(i)->read_new != NULL && strcmp(format_at(i)->name, "aleph") != 0;
    assert_int_equal(n, READERS); /* aleph is alma in other widths: test_dat.c */
}

static void an_editors_mark_line_ends_and_blank_lines_change_nothing(void **state)
{
    (void)state;
    for (unsigned k = 0; k < READERS; k++) {
        struct buf plain = { 0 }, edited = { 0 };
        struct told was, is;

        load(k, &plain);
        buf_text(&edited, "\xef\xbb\xbf");
        for (size_t i = 0; i < plain.len; i++) {
            if (plain.p[i] == '\n' && (i == 0 || plain.p[i - 1] != '\r'))
                buf_text(&edited, "\r");
            buf_add(&edited, plain.p + i, 1);
            if (plain.p[i] == '\n')
                buf_text(&edited, "\r\n");
        }
        assert_int_equal(read_text(k, &plain, PIECE, &was), ERR_OK);
        assert_true(was.n > 0);
        for (size_t piece = 1; piece < 100; piece += 31) {
            if (read_text(k, &edited, piece, &is) != ERR_OK || is.n != was.n)
                fail_msg("%s: %u events, not %u", readers[k].format, is.n, was.n);
            same_events(&was, &is, was.n);
        }
        buf_free(&plain);
        buf_free(&edited);
    }
}

static void a_file_that_was_cut_gives_what_is_whole(void **state)
{
    (void)state;
    for (unsigned k = 0; k < READERS; k++) {
        struct buf plain = { 0 };
        struct told was, is;

        load(k, &plain);
        assert_int_equal(read_text(k, &plain, PIECE, &was), ERR_OK);
        for (size_t less = 1; less < plain.len; less++) {
            struct buf part = { .p = plain.p, .len = plain.len - less };
            enum err e = read_text(k, &part, PIECE, &is);
            assert_true(e == ERR_OK || is.n == 0 || readers[k].whole);
            assert_true(is.n <= was.n);
            if (strcmp(readers[k].format, "ldflat") != 0 || part.p[part.len - 1] != '\n')
                same_events(&was, &is, is.n); /* half a number is none; fewer tags may be all */
        }
        buf_free(&plain);
    }
}

/* Where the second line begins: all formats have a line that counts behind it. */
static size_t second_line(const struct buf *b)
{
    const uint8_t *lf = memchr(b->p, '\n', b->len);

    return lf ? (size_t)(lf - b->p) + 1 : b->len;
}

static void lines_of_something_else_are_handed_back(void **state)
{
    static const struct {
        const char *p;
        size_t n;
    } odd[] = {
#define ODD(text) { text, sizeof text - 1 }
        ODD("\xff\xfe\x80 not UTF-8\n"),
        ODD("nobody knows this\n"),
        ODD("a\0NUL\n"),
        ODD("2026-13-45 25:61:61 000\tissue\t1\t2\n"),
        ODD("<html><body>Not logged in</body></html>\n"),
    };

    (void)state;
    for (unsigned k = 0; k < READERS; k++) {
        struct buf plain = { 0 }, mixed = { 0 };
        struct told was, is;

        load(k, &plain);
        assert_int_equal(read_text(k, &plain, PIECE, &was), ERR_OK);
        for (unsigned i = 0; i < sizeof odd / sizeof odd[0] && !readers[k].whole; i++) {
            buf_reset(&mixed);
            buf_add(&mixed, plain.p, plain.len);
            buf_add(&mixed, odd[i].p, odd[i].n); /* behind all: in between it may end a block */
            if (read_text(k, &mixed, 7, &is) != ERR_OK || is.n != was.n ||
                is.n_unknown <= was.n_unknown)
                fail_msg("%s, odd line %u: %u events, not %u; %u unknown", readers[k].format, i,
                         is.n, was.n, is.n_unknown);
            same_events(&was, &is, was.n);
        }
        buf_free(&plain);
        buf_free(&mixed);
    }
}

static size_t peak_kib(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (size_t)u.ru_maxrss;
}

/* Longer than memory may be: handed back in pieces, and what follows is read. */
static void a_line_without_an_end_costs_no_memory(void **state)
{
    const size_t line = 64u << 20;
    uint8_t *as = malloc(PIECE);

    (void)state;
    memset(as, 'A', PIECE);
    for (unsigned k = 0; k < READERS; k++) {
        const struct format *f = format_by_name(readers[k].format);
        struct buf plain = { 0 };
        struct told was, is = { 0 };
        struct format_read to = { .ctx = &is, .event = on_event, .unknown = on_unknown };
        struct policy *p = policy();
        struct format_reader *r = f->read_new(p, &to);
        struct errmsg msg = { .text = "" };
        size_t at, before;
        enum err e;

        load(k, &plain);
        at = readers[k].whole ? 0 : second_line(&plain);
        assert_int_equal(read_text(k, &plain, PIECE, &was), ERR_OK);
        before = peak_kib();
        e = f->read_add(r, plain.p, at, &msg);
        for (size_t n = 0; n < line && e == ERR_OK; n += PIECE)
            e = f->read_add(r, as, PIECE, &msg);
        if (e == ERR_OK)
            e = f->read_add(r, (const uint8_t *)"\n", 1, &msg);
        if (e == ERR_OK)
            e = f->read_add(r, plain.p + at, plain.len - at, &msg);
        if (e == ERR_OK)
            e = f->read_end(r, &msg);
        assert_true(peak_kib() - before < 8192);
        if (readers[k].whole)
            assert_int_equal(e, ERR_MALFORMED);
        else if (e != ERR_OK || is.unknown_bytes < line || is.n + 1 < was.n)
            fail_msg("%s: %s; %u events, not %u", f->name, msg.text, is.n, was.n);
        else if (strcmp(f->name, "ldflat") != 0 && strcmp(f->name, "destiny") != 0) {
            assert_int_equal(is.n_unknown, was.n_unknown + 1); /* a line, however many pieces */
            assert_int_equal(is.unknown_bytes, was.unknown_bytes + line);
        }
        f->read_free(r);
        buf_free(&plain);
        free(p);
    }
    free(as);
}

/* The one file among many that is of another kind: no line of it becomes an event of ours, unless
 * that kind is a subset of ours. */
static void a_file_of_another_kind_is_not_read_as_ours(void **state)
{
    (void)state;
    for (unsigned k = 0; k < READERS; k++)
        for (unsigned other = 0; other < READERS; other++) {
            struct buf text = { 0 };
            struct told is;

            load(other, &text);
            if (other != k &&
                strcmp(readers[k].format, "destiny") != 0) { /* any line is a barcode */
                (void)read_text(k, &text, PIECE, &is);
                if (is.n > 0)
                    fail_msg("%s read as %s: %u events", readers[other].file, readers[k].format,
                             is.n);
            }
            buf_free(&text);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_format_that_is_read_stands_in_this_table),
        cmocka_unit_test(an_editors_mark_line_ends_and_blank_lines_change_nothing),
        cmocka_unit_test(a_file_that_was_cut_gives_what_is_whole),
        cmocka_unit_test(lines_of_something_else_are_handed_back),
        cmocka_unit_test(a_line_without_an_end_costs_no_memory),
        cmocka_unit_test(a_file_of_another_kind_is_not_read_as_ours),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
