/* sierra_check.c - the judge of a finished rdy file (E5): knows the file, not the writer. */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum { PREFIX, AT, ITEM, USER, DUE, GROUP, FIELDS };

struct format_check {
    struct check_lines lines;
    bool crlf;
    char minute[10 + 1];
    struct seen_set seen;
};

struct field {
    const char *p;
    size_t n;
};

static enum err bad(struct errmsg *msg, const char *what)
{
    return err_set(msg, ERR_MALFORMED, "%s", what);
}

static bool split(const char *line, size_t n, struct field f[FIELDS])
{
    unsigned k = 0;

    f[0] = (struct field){ line, 0 };
    for (size_t i = 0; i < n; i++) {
        if (line[i] != ':')
            f[k].n++;
        else if (++k == FIELDS)
            return false;
        else
            f[k] = (struct field){ line + i + 1, 0 };
    }
    return k == FIELDS - 1;
}

static bool minute_is_good(const struct field *f)
{
    char full[12] = "20";
    struct civil at;

    if (f->n != 10)
        return false;
    memcpy(full + 2, f->p, 10);
    return digits_to_minute(full, 12, &at);
}

static bool number_is_good(const struct field *f, char out[BARCODE_MAX + 1])
{
    return f->n > 1 && f->p[0] == 'b' && copy_barcode(f->p + 1, f->n - 1, out);
}

static bool group_is_good(const struct field *f)
{
    for (size_t i = 0; i < f->n; i++)
        if (f->p[i] < '0' || f->p[i] > '9')
            return false;
    return f->n >= 1 && f->n <= 4 && f->p[0] != '0';
}

/* The item is in a minute once (E2), and minutes do not run back. */
static enum err check_minute(struct format_check *c, const struct field *at, const char *item,
                             struct errmsg *msg)
{
    int order = memcmp(at->p, c->minute, 10);

    if (order < 0)
        return bad(msg, "the time runs back");
    if (order > 0)
        seen_forget(&c->seen);
    memcpy(c->minute, at->p, 10);
    return seen_event(&c->seen, item, "", false, "minute", msg);
}

static enum err check_one(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    char item[BARCODE_MAX + 1], user[BARCODE_MAX + 1];
    struct field f[FIELDS];
    bool loan;

    if (c->crlf && (n == 0 || line[--n] != '\r'))
        return bad(msg, "ends without CR");
    if (!split(line, n, f))
        return bad(msg, "not five colons");
    loan = f[PREFIX].n == 1 && f[PREFIX].p[0] == 'o';
    if (!loan && (f[PREFIX].n != 1 || f[PREFIX].p[0] != 'i'))
        return bad(msg, "neither o nor i in front");
    if (!minute_is_good(&f[AT]))
        return bad(msg, "the time is none");
    if (!number_is_good(&f[ITEM], item))
        return bad(msg, "the item is empty, too long or impossible");
    if (loan && !number_is_good(&f[USER], user))
        return bad(msg, "the user is empty, too long or impossible");
    if (loan && (!minute_is_good(&f[DUE]) || memcmp(f[DUE].p, f[AT].p, 10) < 0))
        return bad(msg, "the due date is missing, impossible or before the loan");
    if (!loan && (f[USER].n > 0 || f[DUE].n > 0))
        return bad(msg, "a check-in with a user or a due date");
    if (!group_is_good(&f[GROUP]))
        return bad(msg, "the statistics group is no number from 1 to 9999");
    return check_minute(c, &f[AT], item, msg);
}

struct format_check *sierra_check_new(const struct policy *p)
{
    struct format_check *c = mem_zero(1, sizeof *c);

    if (c != NULL)
        c->crlf = p->sierra.crlf;
    return c;
}

enum err sierra_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return check_lines_add(&c->lines, c, check_one, p, n, msg);
}

enum err sierra_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg)
{
    enum err e = check_lines_end(&c->lines, msg);

    *records = e == ERR_OK ? c->lines.lines : 0;
    return e;
}

void sierra_check_free(struct format_check *c)
{
    if (c != NULL)
        seen_free(&c->seen);
    free(c);
}
