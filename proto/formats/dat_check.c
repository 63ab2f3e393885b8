/* dat_check.c - the judge of a finished Alma or Aleph file (E5): knows the file, not the writer. */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define HEAD 13 /* minute and letter */

struct format_check {
    struct check_lines lines;
    size_t width;     /* of the item's column */
    bool blanks_part; /* no blank may stand in a number */
    char minute[12 + 1];
    struct seen_set seen;
};

static enum err bad(struct errmsg *msg, const char *what)
{
    return err_set(msg, ERR_MALFORMED, "%s", what);
}

static size_t without_blanks(const char *s, size_t n)
{
    while (n > 0 && s[n - 1] == ' ')
        n--;
    return n;
}

static bool number_is_good(const struct format_check *c, const char *s, size_t n)
{
    char text[BARCODE_MAX + 1];

    return copy_barcode(s, n, text) && !(c->blanks_part && has_blank(text));
}

/* The item is in a minute once (E2), and minutes do not run back. */
static enum err check_minute(struct format_check *c, const char *line, const char *item, size_t n,
                             struct errmsg *msg)
{
    char text[BARCODE_MAX + 1];
    struct civil at;
    int order;

    if (!digits_to_minute(line, 12, &at))
        return bad(msg, "it does not begin with a minute");
    order = memcmp(line, c->minute, 12);
    if (order < 0)
        return bad(msg, "the time runs back");
    if (order > 0)
        seen_forget(&c->seen);
    memcpy(c->minute, line, 12);
    copy_barcode(item, n, text);
    return seen_event(&c->seen, text, "", false, "minute", msg);
}

static enum err check_one(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    size_t user = HEAD + c->width, item;

    if (n == 0 || line[--n] != '\r')
        return bad(msg, "ends without CR");
    for (size_t i = 0; i < n; i++)
        if (line[i] < 0x20 || line[i] > 0x7e)
            return bad(msg, "a byte that is not plain ASCII");
    if (n < user)
        return bad(msg, "shorter than its columns");
    if (line[12] != 'L' && line[12] != 'R')
        return bad(msg, "neither L nor R after the time");
    item = without_blanks(line + HEAD, c->width);
    if (!number_is_good(c, line + HEAD, item))
        return bad(msg, "the item is empty, too long or impossible");
    if (line[12] == 'R' && n != user)
        return bad(msg, "a return with something after its columns");
    if (line[12] == 'L' && !number_is_good(c, line + user, n - user))
        return bad(msg, "the user is empty, too long or impossible");
    return check_minute(c, line, line + HEAD, item, msg);
}

static struct format_check *check_new(const struct dat_profile *d, bool blanks_part)
{
    struct format_check *c = mem_zero(1, sizeof *c);

    if (c != NULL) {
        c->width = d->item_width;
        c->blanks_part = blanks_part;
    }
    return c;
}

struct format_check *alma_check_new(const struct policy *p)
{
    return check_new(&p->alma, false);
}

struct format_check *aleph_check_new(const struct policy *p)
{
    return check_new(&p->aleph, true);
}

enum err dat_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return check_lines_add(&c->lines, c, check_one, p, n, msg);
}

enum err dat_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg)
{
    enum err e = check_lines_end(&c->lines, msg);

    *records = e == ERR_OK ? c->lines.lines : 0;
    return e;
}

void dat_check_free(struct format_check *c)
{
    if (c != NULL)
        seen_free(&c->seen);
    free(c);
}
