/* destiny_check.c - the judge of a finished Destiny file (E5): knows the file, not the writer.
 *
 *   START --%C123H--> USER --user--> FIRST --item--> OUT --item--> OUT
 *   START --%C127L--> FIRST --item--> IN --item--> IN          OUT and IN take either code, too */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum place { START, USER, FIRST, ITEMS };

struct format_check {
    struct check_lines lines;
    bool crlf;
    enum place place;
    uint64_t items;
};

static enum err bad(struct errmsg *msg, const char *what)
{
    return err_set(msg, ERR_MALFORMED, "%s", what);
}

static enum err check_code(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    bool out = n == 6 && memcmp(line, "%C123H", 6) == 0;

    if (!out && (n != 6 || memcmp(line, "%C127L", 6) != 0))
        return bad(msg, "a code that is not one of ours");
    if (c->place != START && c->place != ITEMS)
        return bad(msg, "a code before the one above had its item");
    c->place = out ? USER : FIRST;
    return ERR_OK;
}

static enum err check_one(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    char barcode[BARCODE_MAX + 1];

    if (c->crlf && (n == 0 || line[--n] != '\r'))
        return bad(msg, "ends without CR");
    if (n > 0 && line[0] == '%')
        return check_code(c, line, n, msg);
    if (!copy_barcode(line, n, barcode))
        return bad(msg, "a number that is empty, too long or impossible");
    switch (c->place) {
    case START:
        return bad(msg, "a number before any code");
    case USER:
        c->place = FIRST;
        return ERR_OK;
    case FIRST:
    case ITEMS:
        c->place = ITEMS;
        c->items++;
        return ERR_OK;
    }
    return ERR_BUG;
}

struct format_check *destiny_check_new(const struct policy *p)
{
    struct format_check *c = mem_zero(1, sizeof *c);

    if (c != NULL)
        c->crlf = !p->destiny.lf;
    return c;
}

enum err destiny_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return check_lines_add(&c->lines, c, check_one, p, n, msg);
}

enum err destiny_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg)
{
    enum err e = check_lines_end(&c->lines, msg);
    struct errmsg why;

    if (e == ERR_OK && c->place != START && c->place != ITEMS) {
        bad(&why, "the file ends with a code that has no item");
        e = check_lines_fail(&c->lines, &why, msg);
    }
    *records = e == ERR_OK ? c->items : 0;
    return e;
}

void destiny_check_free(struct format_check *c)
{
    free(c);
}
