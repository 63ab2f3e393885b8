/* koc_check.c - the judge of a finished .koc (E5): knows the file, not the writer.
 *
 * A blank line, an unknown action or blanks for a tab kill Koha's page after the rows above are
 * booked; without its header the first loan vanishes. */
#include "koc.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

struct format_check {
    struct check_lines lines;
    struct seen_set seen; /* in the current second */
    char stamp[24];       /* of the last line: sorts as text */
};

/* YYYY-MM-DD SP HH:MM:SS SP mmm */
static bool is_stamp(const char *s, size_t n)
{
    static const char form[] = "dddd-dd-dd dd:dd:dd ddd";
    char day[9];

    if (n != sizeof form - 1)
        return false;
    for (size_t i = 0; i < n; i++)
        if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
            return false;
    memcpy(day, s, 4);
    memcpy(day + 4, s + 5, 2);
    memcpy(day + 6, s + 8, 2);
    return digits_to_ymd(day, 8) != 0 && memcmp(s + 11, "24", 2) < 0 && s[14] < '6' && s[17] < '6';
}

static bool take_barcode(const char *s, size_t n, char out[BARCODE_MAX + 1])
{
    if (n == 0 || n > KOHA_BARCODE_MAX || memchr(s, 0, n) != NULL)
        return false;
    memcpy(out, s, n);
    out[n] = 0;
    return barcode_is_clean(out);
}

static enum err check_row(struct format_check *c, const char *const field[4], const size_t len[4],
                          unsigned n, struct errmsg *msg)
{
    char item[BARCODE_MAX + 1], card[BARCODE_MAX + 1] = "";
    bool issue = n > 1 && len[1] == 5 && memcmp(field[1], "issue", 5) == 0;
    bool back = n > 1 && len[1] == 6 && memcmp(field[1], "return", 6) == 0;
    int order;

    if (!is_stamp(field[0], len[0]))
        return err_set(msg, ERR_MALFORMED, "no time YYYY-MM-DD HH:MM:SS mmm");
    if (!issue && !back)
        return err_set(msg, ERR_MALFORMED, "the action is neither issue nor return");
    if (n != (issue ? 4 : 3))
        return err_set(msg, ERR_MALFORMED,
                       issue ? "an issue is time, issue, card and barcode"
                             : "a return is time, return and barcode");
    if (!take_barcode(field[n - 1], len[n - 1], item) ||
        (issue && !take_barcode(field[2], len[2], card)))
        return err_set(msg, ERR_MALFORMED, "a card or barcode is empty, none, or longer than %d",
                       KOHA_BARCODE_MAX);
    order = memcmp(field[0], c->stamp, 23);
    if (c->stamp[0] != 0 && order < 0)
        return err_set(msg, ERR_MALFORMED, "the time runs back");
    if (memcmp(field[0], c->stamp, 19) != 0)
        seen_forget(&c->seen);
    memcpy(c->stamp, field[0], 23);
    return seen_event(&c->seen, item, card, false, "second", msg);
}

static enum err check_one(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    const char *field[4];
    size_t len[4], at = 0;
    unsigned k = 0;

    if (c->lines.lines == 1)
        return n == sizeof KOC_HEADER - 1 && memcmp(line, KOC_HEADER, n) == 0
                   ? ERR_OK
                   : err_set(msg, ERR_MALFORMED, "the header is not ours");
    for (;; k++) {
        const char *tab = memchr(line + at, '\t', n - at);
        size_t end = tab != NULL ? (size_t)(tab - line) : n;

        if (k == 4)
            return err_set(msg, ERR_MALFORMED, "more than four fields");
        field[k] = line + at;
        len[k] = end - at;
        if (tab == NULL)
            return check_row(c, field, len, k + 1, msg);
        at = end + 1;
    }
}

struct format_check *koc_check_new(const struct policy *p)
{
    (void)p;
    return mem_zero(1, sizeof(struct format_check));
}

enum err koc_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return check_lines_add(&c->lines, c, check_one, p, n, msg);
}

enum err koc_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg)
{
    enum err e = check_lines_end(&c->lines, msg);

    *records = e == ERR_OK && c->lines.lines > 0 ? c->lines.lines - 1 : 0;
    return e;
}

void koc_check_free(struct format_check *c)
{
    if (c != NULL)
        seen_free(&c->seen);
    free(c);
}
