/* sierra_read.c - reader of rdy files: wider than what we write (E11). The b before a number, the
 * due date and the group may be missing. The group is all that tells where it happened. */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define FIELDS    6
#define GROUP_MAX 15

struct format_reader {
    struct read_lines lines;
    struct format_read to;
    struct zone zone;
    char due_time[5]; /* of the policy, "2359" */
};

struct event {
    struct format_event ev;
    char group[GROUP_MAX + 1];
};

/* The next field of what is left of the line; empty when nothing is. */
static const char *next(const char **at, const char *end, size_t *n)
{
    const char *p = *at, *colon = p < end ? memchr(p, ':', (size_t)(end - p)) : NULL;

    *n = (size_t)((colon != NULL ? colon : end) - p);
    *at = colon != NULL ? colon + 1 : end;
    return p;
}

static bool read_minute(const char *s, size_t n, struct civil *out)
{
    char full[12] = "20";

    if (n != 10)
        return false;
    memcpy(full + 2, s, 10);
    return digits_to_minute(full, 12, out);
}

static bool read_number(const char *s, size_t n, char out[BARCODE_MAX + 1])
{
    bool b = n > 0 && s[0] == 'b';

    return copy_barcode(s + b, n - b, out);
}

static bool read_group(const char *s, size_t n, char out[GROUP_MAX + 1])
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9')
            return false;
    if (n > GROUP_MAX)
        return false;
    memcpy(out, s, n);
    return true;
}

/* NULL: an event; else why the line is none. */
static const char *read_event(const struct format_reader *r, const char *line, size_t n,
                              struct event *e)
{
    struct {
        const char *p;
        size_t n;
    } f[FIELDS];
    const char *at = line, *end = line + n;
    unsigned colons = 0;
    struct civil when, due;
    bool loan;

    if (r->lines.cut)
        return CUT_LINE;
    for (size_t i = 0; i < n; i++)
        colons += line[i] == ':';
    for (unsigned i = 0; i < FIELDS; i++)
        f[i].p = next(&at, end, &f[i].n);
    if (colons >= FIELDS)
        return "more than five colons";
    loan = f[0].n == 1 && f[0].p[0] == 'o';
    if (!loan && (f[0].n != 1 || f[0].p[0] != 'i'))
        return "neither o nor i in front";
    if (!read_minute(f[1].p, f[1].n, &when))
        return "the time is none";
    if (!read_number(f[2].p, f[2].n, e->ev.rec.item))
        return "the item is empty, too long or impossible";
    if (loan && !read_number(f[3].p, f[3].n, e->ev.rec.user))
        return "the user is empty, too long or impossible";
    if (!loan && (f[3].n > 0 || f[4].n > 0))
        return "a check-in with a user or a due date";
    if (f[4].n > 0 && !read_minute(f[4].p, f[4].n, &due))
        return "the due date is none";
    if (!read_group(f[5].p, f[5].n, e->group))
        return "the statistics group is no number";
    e->ev.rec.kind = loan ? RECORD_CHECKOUT : RECORD_DISCHARGE;
    e->ev.rec.due = f[4].n > 0 ? civil_ymd(&due) : 0;
    if (f[4].n > 0 && memcmp(f[4].p + 6, r->due_time, 4) != 0 && memcmp(f[4].p + 6, "2359", 4) != 0)
        e->ev.left_out |= LEFT_DUE_TIME;
    event_time(&e->ev, &r->zone, &when);
    return NULL;
}

static enum err take(struct format_reader *r, uint64_t line, const char *text, size_t n,
                     struct errmsg *msg)
{
    struct event e = { .ev = { .line = line } };
    const char *why = read_event(r, text, n, &e);

    e.ev.desk = e.group;
    return why == NULL ? r->to.event(r->to.ctx, &e.ev, msg)
                       : r->to.unknown(r->to.ctx, line, (const uint8_t *)text, n, why, msg);
}

struct format_reader *sierra_read_new(const struct policy *p, const struct format_read *to)
{
    struct format_reader *r = mem_zero(1, sizeof *r);

    if (r != NULL) {
        r->to = *to;
        r->zone = p->zone;
        memcpy(r->due_time, p->sierra.due_time, 2);
        memcpy(r->due_time + 2, p->sierra.due_time + 3, 2);
    }
    return r;
}

enum err sierra_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return read_lines_add(&r->lines, r, take, &r->to, p, n, msg);
}

enum err sierra_read_end(struct format_reader *r, struct errmsg *msg)
{
    return read_lines_end(&r->lines, r, take, &r->to, msg);
}

void sierra_read_free(struct format_reader *r)
{
    free(r);
}
