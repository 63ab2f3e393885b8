/* dat_read.c - reader of Alma's and Aleph's .dat files: wider than what we write (E11).
 *
 * Alma's columns are known: what stands in them is taken as it is. Where a line does not keep to
 * them, and in Aleph's files always, blanks part item and user. */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define HEAD 13 /* minute and letter */

struct format_reader {
    struct read_lines lines;
    struct format_read to;
    struct zone zone;
    size_t width; /* of the item's column; 0: blanks decide */
};

struct text {
    const char *p;
    size_t n;
};

static struct text trimmed(const char *p, size_t n)
{
    while (n > 0 && *p == ' ') {
        p++;
        n--;
    }
    while (n > 0 && p[n - 1] == ' ')
        n--;
    return (struct text){ p, n };
}

/* Item up to the first blank, the rest is the user. */
static void by_blanks(struct text both, struct text *item, struct text *user)
{
    const char *blank = both.n > 0 ? memchr(both.p, ' ', both.n) : NULL;

    item->p = both.p;
    item->n = blank != NULL ? (size_t)(blank - both.p) : both.n;
    *user = trimmed(both.p + item->n, both.n - item->n);
}

static bool by_columns(const struct format_reader *r, const char *line, size_t n, struct text *item,
                       struct text *user)
{
    char barcode[BARCODE_MAX + 1];

    if (r->width == 0 || n < HEAD + r->width)
        return false;
    *item = trimmed(line + HEAD, r->width);
    *user = trimmed(line + HEAD + r->width, n - HEAD - r->width);
    return copy_barcode(item->p, item->n, barcode) && (user->n > 0) == (line[12] == 'L');
}

/* Where a line was cut, and the program that wrote it went on: the head of the next one. */
static bool holds_a_head(const char *s, size_t n)
{
    struct civil at;

    for (size_t i = 0; i + HEAD <= n; i++)
        if ((s[i + 12] == 'L' || s[i + 12] == 'R') && digits_to_minute(s + i, 12, &at))
            return true;
    return false;
}

/* NULL: an event; else why the line is none. */
static const char *read_event(const struct format_reader *r, const char *line, size_t n,
                              struct format_event *ev)
{
    struct text item, user;
    struct civil at;

    if (n < HEAD || !digits_to_minute(line, 12, &at))
        return "it does not begin with a minute";
    if (line[12] != 'L' && line[12] != 'R')
        return "neither L nor R after the time";
    if (r->lines.cut && (line[12] == 'L' || n != HEAD + r->width))
        return CUT_LINE;
    if (holds_a_head(line + HEAD, n - HEAD))
        return "two lines in one: the first was cut";
    if (!by_columns(r, line, n, &item, &user))
        by_blanks(trimmed(line + HEAD, n - HEAD), &item, &user);
    if (!copy_barcode(item.p, item.n, ev->rec.item))
        return "the item is empty, too long or impossible";
    if (line[12] == 'R' && user.n > 0)
        return "a return with a user";
    if (line[12] == 'L' && !copy_barcode(user.p, user.n, ev->rec.user))
        return "the user is empty, too long or impossible";
    ev->rec.kind = line[12] == 'L' ? RECORD_CHECKOUT : RECORD_DISCHARGE;
    event_time(ev, &r->zone, &at);
    return time_is_good(ev->rec.at_ms) ? NULL : TIME_IS_BAD;
}

static enum err take(struct format_reader *r, uint64_t line, const char *text, size_t n,
                     struct errmsg *msg)
{
    struct format_event ev = { .line = line, .desk = "" };
    const char *why = read_event(r, text, n, &ev);

    return why == NULL ? r->to.event(r->to.ctx, &ev, msg)
                       : r->to.unknown(r->to.ctx, line, (const uint8_t *)text, n, why, msg);
}

static struct format_reader *read_new(const struct policy *p, const struct format_read *to,
                                      size_t width)
{
    struct format_reader *r = mem_zero(1, sizeof *r);

    if (r != NULL) {
        r->to = *to;
        r->zone = p->zone;
        r->width = width;
    }
    return r;
}

struct format_reader *alma_read_new(const struct policy *p, const struct format_read *to)
{
    return read_new(p, to, p->alma.item_width);
}

struct format_reader *aleph_read_new(const struct policy *p, const struct format_read *to)
{
    return read_new(p, to, 0);
}

enum err dat_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return read_lines_add(&r->lines, r, take, &r->to, p, n, msg);
}

enum err dat_read_end(struct format_reader *r, struct errmsg *msg)
{
    return read_lines_end(&r->lines, r, take, &r->to, msg);
}

void dat_read_free(struct format_reader *r)
{
    free(r);
}
