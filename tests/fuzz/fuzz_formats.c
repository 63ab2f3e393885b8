/* fuzz_formats.c - what reads files that an ILS wrote or will read: the line reader of Symphony
 * logs and the validators, which must give one verdict however the file is cut into chunks.
 *
 * Input: one byte (which, and size of a chunk), then the file. */
#include "fuzz.h"

#include "format.h"

#ifndef GOLDEN_DIR
#define GOLDEN_DIR "tests/golden"
#endif

static const struct policy *policy(void)
{
    static const char text[] = "[branch]\ncode = MAIN\nzone = UTC\nzone_rule = UTC0\n"
                               "[symphony]\nlibrary = RVR\ndefault_station = 42\n"
                               "registration = jy\n[stations]\nDESK-1 = 43\n";
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
    unsigned how = n > 0 ? p[0] : 0;
    size_t len = n - (n > 0), chunk = 1 + how / 3;
    uint8_t *copy = fuzz_copy(p + (n > 0), len);

    if (how % 3 == 0)
        try_line((const char *)copy, len);
    else
        try_check(how % 3 == 1 ? &format_symphony : &format_ldflat, copy, len, chunk);
    free(copy);
    return 0;
}

static void seed_file(const char *name, uint8_t what)
{
    char path[512], line[4096];
    struct buf b = { 0 };
    FILE *f;

    snprintf(path, sizeof path, GOLDEN_DIR "/%s", name);
    must_hold((f = fopen(path, "rb")) != NULL);
    buf_add(&b, &what, 1);
    while (fgets(line, sizeof line, f) != NULL) {
        buf_text(&b, line);
        if (what == 1) { /* each line alone too */
            struct buf one = { 0 };
            buf_add(&one, "", 1);
            buf_add(&one, line, strcspn(line, "\r\n"));
            fuzz_seed_buf(&one);
        }
    }
    fclose(f);
    fuzz_seed_buf(&b);
}

void fuzz_seeds(void)
{
    seed_file("symphony_a_to_h.log", 1);
    seed_file("ldflat_one_user.flat", 2);
}
