/* koc_read.c - reader of .koc files, from Koha's desktop client, its plugins or us (E11). */
#include "koc.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

struct format_reader {
    struct read_lines lines;
    struct format_read to;
    struct zone zone;
    int64_t last_s; /* of the last event: the file goes on in time */
    struct format_event ev;
};

static bool no(const char **why, const char *what)
{
    *why = what;
    return false;
}

static bool number(const char **s, unsigned n, int *out)
{
    *out = 0;
    for (; n > 0; n--, ++*s) {
        if (**s < '0' || **s > '9')
            return false;
        *out = *out * 10 + (**s - '0');
    }
    return true;
}

static bool mark(const char **s, const char *any)
{
    if (**s == 0 || strchr(any, **s) == NULL)
        return false;
    ++*s;
    return true;
}

/* "2026-11-23 09:05:00 012"; the desktop client writes 09-05-00, others leave out the last part. */
static bool take_time(struct format_reader *r, const char *s, const char **why)
{
    struct civil c = { 0 };
    int ms = 0, offset_s;
    int64_t at;

    if (!number(&s, 4, &c.year) || !mark(&s, "-") || !number(&s, 2, &c.month) || !mark(&s, "-") ||
        !number(&s, 2, &c.day) || !mark(&s, " ") || !number(&s, 2, &c.hour) || !mark(&s, ":-") ||
        !number(&s, 2, &c.minute) || !mark(&s, ":-") || !number(&s, 2, &c.second) ||
        !ymd_is_valid((uint32_t)(c.year * 10000 + c.month * 100 + c.day)) || c.hour > 23 ||
        c.minute > 59 || c.second > 59)
        return no(why, "no time like 2026-11-23 09:05:00 012");
    if (*s != 0 && (!mark(&s, " .") || !number(&s, 3, &ms) || *s != 0))
        return no(why, "no time like 2026-11-23 09:05:00 012");
    at = zone_unix_after_s(&r->zone, &c, r->last_s, &offset_s);
    if (!time_is_good(at * 1000))
        return no(why, TIME_IS_BAD);
    r->ev.rec.at_ms = at * 1000 + ms;
    r->ev.rec.utc_off_min = offset_s / 60;
    return true;
}

static bool take_barcode(const char *s, char out[BARCODE_MAX + 1], const char **why)
{
    if (s == NULL || s[0] == 0)
        return no(why, "a card or barcode is missing");
    if (strlen(s) > BARCODE_MAX || !barcode_is_clean(s))
        return no(why, "a card or barcode with a character that none has, or too long");
    memcpy(out, s, strlen(s) + 1);
    return true;
}

/* Tabs become ends; *n is how many fields there are. */
static bool split(char *line, char *field[5], unsigned *n)
{
    for (*n = 0; *n < 5; line++) {
        field[(*n)++] = line;
        line += strcspn(line, "\t");
        if (*line == 0)
            return true;
        *line = 0;
    }
    return false;
}

static bool take_row(struct format_reader *r, char *line, const char **why)
{
    char *field[5];
    unsigned n;

    if (!split(line, field, &n) || n < 3)
        return no(why, n < 3 ? "no row of time, action and barcode, with tabs between"
                             : "more fields than a row has");
    memset(&r->ev, 0, sizeof r->ev);
    r->ev.desk = "";
    if (strcmp(field[1], "payment") == 0)
        return no(why, "a payment: enter it by hand");
    r->ev.rec.kind = strcmp(field[1], "issue") == 0    ? RECORD_CHECKOUT
                     : strcmp(field[1], "return") == 0 ? RECORD_DISCHARGE
                                                       : 0;
    if (r->ev.rec.kind == 0)
        return no(why, "the action is neither issue nor return");
    if (n != (r->ev.rec.kind == RECORD_CHECKOUT ? 4 : 3))
        return no(why, "an issue has card and barcode, a return a barcode alone");
    return (r->ev.rec.kind == RECORD_DISCHARGE || take_barcode(field[2], r->ev.rec.user, why)) &&
           take_barcode(field[n - 1], r->ev.rec.item, why) && take_time(r, field[0], why);
}

/* "Version=1.0", and what generated the file, which is of interest to nobody. */
static bool is_header(const char *line, const char **why)
{
    if (strncmp(line, "Version=", 8) != 0)
        return false;
    if (strncmp(line + 8, "1.0", 3) != 0 || (line[11] != '\t' && line[11] != 0))
        *why = "another version of the form than 1.0";
    return true;
}

static enum err read_one(struct format_reader *r, uint64_t at, const char *line, size_t n,
                         struct errmsg *msg)
{
    char copy[CHECK_LINE_MAX + 1];
    const char *why = NULL;

    memcpy(copy, line, n);
    copy[n] = 0;
    if (at == 1 && is_header(copy, &why)) {
        if (why == NULL)
            return ERR_OK;
    } else if (r->lines.cut) {
        why = CUT_LINE;
    } else if (strlen(copy) != n) {
        why = "a NUL byte";
    } else if (take_row(r, copy, &why)) {
        r->last_s = r->ev.rec.at_ms / 1000;
        r->ev.line = at;
        return r->to.event(r->to.ctx, &r->ev, msg);
    }
    return r->to.unknown(r->to.ctx, at, (const uint8_t *)line, n, why, msg);
}

struct format_reader *koc_read_new(const struct policy *p, const struct format_read *to)
{
    struct format_reader *r = mem_zero(1, sizeof *r);

    if (r != NULL) {
        r->to = *to;
        r->zone = p->zone;
    }
    return r;
}

enum err koc_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return read_lines_add(&r->lines, r, read_one, &r->to, p, n, msg);
}

enum err koc_read_end(struct format_reader *r, struct errmsg *msg)
{
    return read_lines_end(&r->lines, r, read_one, &r->to, msg);
}

void koc_read_free(struct format_reader *r)
{
    free(r);
}
