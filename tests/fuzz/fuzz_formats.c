/* fuzz_formats.c - what reads files that an ILS wrote or will read: the line reader of Symphony
 * logs, and of every format the validator and the importer, which must give one verdict, and the
 * same events, however the file is cut into chunks.
 *
 * Input: two bytes (which format, 255 the Symphony line; size of a chunk), then the file. */
#include "fuzz.h"

#include "format.h"

#ifndef GOLDEN_DIR
#define GOLDEN_DIR "tests/golden"
#endif

static const struct policy *policy(void)
{
    static const char text[] = "[branch]\ncode = MAIN\nzone = UTC\nzone_rule = UTC0\n"
                               "[symphony]\nlibrary = RVR\ndefault_station = 42\n"
                               "registration = jy\n[stations]\nDESK-1 = 43\n"
                               "[csv]\nwrite_pin = yes\n[ndjson]\nwrite_pin = yes\n"
                               "[evergreen]\nprofile = 2\nhome_ou = 4\nident_type = 3\n"
                               "country = US\nwrite_pin = yes\n[profiles]\nCHILD = 5\n";
    static struct policy p;
    static bool is_there;

    if (!is_there)
        must_hold(policy_parse(text, sizeof text - 1, &p, NULL) == ERR_OK);
    is_there = true;
    return &p;
}

static enum err verdict(const struct format *f, const uint8_t *p, size_t n, size_t chunk,
                        uint64_t *records, struct errmsg *msg)
{
    struct format_check *c = f->check_new(policy());
    enum err e = ERR_OK;

    must_hold(c != NULL);
    *records = 0;
    for (size_t at = 0; e == ERR_OK && at < n; at += chunk) {
        size_t len = n - at < chunk ? n - at : chunk;
        uint8_t *piece = fuzz_copy(p + at, len);
        e = f->check_add(c, piece, len, msg);
        free(piece);
    }
    if (e == ERR_OK)
        e = f->check_end(c, records, msg);
    f->check_free(c);
    return e;
}

static void try_check(const struct format *f, const uint8_t *p, size_t n, size_t chunk)
{
    struct errmsg msg = { .text = "" }, other = { .text = "" };
    uint64_t records, again;
    enum err e = verdict(f, p, n, n > 0 ? n : 1, &records, &msg);

    must_hold(verdict(f, p, n, chunk, &again, &other) == e);
    must_hold(e != ERR_OK || records == again);
    must_hold(e == ERR_OK || (msg.text[0] != '\0' && text_is_clean(msg.text)));
}

/* ---- importers ---- */

struct told { /* a digest of all that was handed on, in order */
    uint64_t hash, events, unknown;
};

static void add(struct told *t, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        t->hash = (t->hash ^ ((const uint8_t *)p)[i]) * 1099511628211u; /* FNV-1a */
}

static enum err on_event(void *ctx, const struct format_event *ev, struct errmsg *msg)
{
    struct told *t = ctx;
    struct buf b = { 0 };

    (void)msg;
    must_hold(ev->line > 0 && ev->desk != NULL && strlen(ev->desk) <= DESK_NAME_MAX);
    must_hold(ev->rec.kind >= RECORD_CHECKOUT && ev->rec.kind <= RECORD_INHOUSE);
    must_hold(record_encode(&ev->rec, &b, NULL) == ERR_OK && b.len <= RECORD_BYTES_MAX);
    add(t, b.p, b.len);
    add(t, ev->desk, strlen(ev->desk));
    add(t, &ev->line, sizeof ev->line);
    t->events++;
    buf_free(&b);
    return ERR_OK;
}

static enum err on_unknown(void *ctx, uint64_t line, const uint8_t *p, size_t n, const char *why,
                           struct errmsg *msg)
{
    struct told *t = ctx;

    (void)msg;
    must_hold(line > 0 && (why == NULL ? t->unknown > 0 : why[0] != '\0' && text_is_clean(why)));
    add(t, p, n);
    if (why != NULL)
        add(t, why, strlen(why));
    t->unknown++;
    return ERR_OK;
}

static enum err import(const struct format *f, const uint8_t *p, size_t n, size_t chunk,
                       struct told *t, struct errmsg *msg)
{
    struct format_read to = { .ctx = t, .event = on_event, .unknown = on_unknown };
    struct format_reader *r = f->read_new(policy(), &to);
    enum err e = ERR_OK;

    must_hold(r != NULL);
    for (size_t at = 0; e == ERR_OK && at < n; at += chunk) {
        size_t len = n - at < chunk ? n - at : chunk;
        uint8_t *piece = fuzz_copy(p + at, len);
        e = f->read_add(r, piece, len, msg);
        free(piece);
    }
    if (e == ERR_OK)
        e = f->read_end(r, msg);
    f->read_free(r);
    return e;
}

static void try_import(const struct format *f, const uint8_t *p, size_t n, size_t chunk)
{
    struct errmsg msg = { .text = "" }, other = { .text = "" };
    struct told whole = { 0 }, cut = { 0 };
    enum err e = import(f, p, n, n > 0 ? n : 1, &whole, &msg);

    must_hold(import(f, p, n, chunk, &cut, &other) == e);
    must_hold(memcmp(&whole, &cut, sizeof cut) == 0);
    must_hold(e == ERR_OK || e == ERR_MALFORMED);
    must_hold(e == ERR_OK || (msg.text[0] != '\0' && text_is_clean(msg.text)));
}

static void try_line(const char *line, size_t n)
{
    struct symphony_line *l = calloc(1, sizeof *l);
    struct errmsg msg = { .text = "" };

    must_hold(l != NULL);
    if (symphony_parse(line, n, l, &msg) == ERR_OK) {
        must_hold(l->n_fields <= sizeof l->field / sizeof l->field[0]);
        for (unsigned i = 0; i < l->n_fields; i++) {
            must_hold(l->field[i].value >= line);
            must_hold(l->field[i].value + l->field[i].len <= line + n);
        }
    } else {
        must_hold(msg.text[0] != '\0');
    }
    free(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct fuzz_in in = { p, n };
    unsigned which = fuzz_byte(&in), rows = 0;
    size_t chunk = 1 + fuzz_byte(&in);
    uint8_t *copy = fuzz_copy(in.p, in.n);
    const struct format *f;

    while (format_at(rows) != NULL)
        rows++;
    f = format_at(which % rows);
    if (which == 255) {
        try_line((const char *)copy, in.n);
    } else {
        try_check(f, copy, in.n, chunk);
        if (f->read_new != NULL)
            try_import(f, copy, in.n, chunk);
    }
    free(copy);
    return 0;
}

/* A golden file for its format; each of its lines alone for the reader of lines. */
static void seed_file(const char *format, const char *name, bool lines)
{
    uint8_t first[2] = { 0, 40 };
    char path[512], line[4096];
    struct buf b = { 0 };
    FILE *f;

    while (strcmp(format_at(first[0])->name, format) != 0)
        first[0]++;
    snprintf(path, sizeof path, GOLDEN_DIR "/%s", name);
    must_hold((f = fopen(path, "rb")) != NULL);
    buf_add(&b, first, 2);
    while (fgets(line, sizeof line, f) != NULL) {
        buf_text(&b, line);
        if (lines) {
            struct buf one = { 0 };
            buf_add(&one, "\377\0", 2);
            buf_add(&one, line, strcspn(line, "\r\n"));
            fuzz_seed_buf(&one);
        }
    }
    fclose(f);
    fuzz_seed_buf(&b);
}

void fuzz_seeds(void)
{
    seed_file("symphony", "symphony_a_to_h.log", true);
    seed_file("ldflat", "ldflat_one_user.flat", false);
    seed_file("alma", "alma_two.dat", false);
    seed_file("aleph", "alma_two.dat", false);
    seed_file("sierra", "sierra_two.rdy", false);
    seed_file("destiny", "destiny_day.txt", false);
    seed_file("evergreen", "evergreen.xacts", false);
    seed_file("koha", "koha.koc", false);
    seed_file("koha-json", "koha.json", false);
    seed_file("csv", "own.csv", false);
    seed_file("ndjson", "own.ndjson", false);
}
