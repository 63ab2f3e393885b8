/* csv.c - our own format for spreadsheets: RFC 4180 with a header, every column of own.c.
 *
 * A cell that begins with = + - @ or ', or looks like 1E+05, gets a ' in front, so that no
 * spreadsheet takes it for a formula or a number; it is taken away again when the file is read. */
#include "own.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define FORMULA "=+-@'"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A spreadsheet makes 3.9999E+13 of a barcode of digits: what it was nobody can tell. A barcode that
 * has this form is marked. */
static bool is_number_of_a_spreadsheet(const char *s, size_t n)
{
    size_t at = 0;

    while (at < n && (is_digit(s[at]) || s[at] == '.'))
        at++;
    if (at == 0 || at + 2 >= n || (s[at] != 'E' && s[at] != 'e') || s[at + 1] != '+')
        return false;
    for (at += 2; at < n && is_digit(s[at]); at++)
        continue;
    return at == n;
}

static bool wants_mark(const char *s, size_t n)
{
    return n > 0 &&
           ((s[0] != 0 && strchr(FORMULA, s[0]) != NULL) || is_number_of_a_spreadsheet(s, n));
}

/* ---- written ---- */

static enum err csv_begin(const struct policy *p, struct format_state *st, struct buf *out,
                          struct errmsg *msg)
{
    (void)p, (void)st;
    for (unsigned c = 0; c < OWN_COLUMNS; c++)
        buf_printf(out, "%s%s", c > 0 ? "," : "", own_columns[c].name);
    buf_text(out, "\r\n");
    return out->failed ? err_set(msg, ERR_NOMEM, "no memory for a line") : ERR_OK;
}

static void put_cell(struct buf *out, const char *value)
{
    bool quoted = strpbrk(value, ",\"") != NULL;

    if (quoted)
        buf_text(out, "\"");
    if (wants_mark(value, strlen(value)))
        buf_text(out, "'");
    for (size_t n; *value != 0; value += n) {
        n = strcspn(value, "\"");
        buf_add(out, value, n);
        if (value[n] == '"') {
            buf_text(out, "\"\"");
            n++;
        }
    }
    if (quoted)
        buf_text(out, "\"");
}

static enum err csv_write(const struct policy *p, struct format_state *state,
                          const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    struct own_state *st = (struct own_state *)state->b;
    struct own_values values;
    enum err e = own_fill(p, p->csv_pin, it, st, &values, msg);

    for (unsigned c = 0; e == ERR_OK && c < OWN_COLUMNS; c++) {
        if (c > 0)
            buf_text(out, ",");
        put_cell(out, values.v[c]);
    }
    if (e == ERR_OK)
        buf_text(out, "\r\n");
    return e == ERR_OK && out->failed ? err_set(msg, ERR_NOMEM, "no memory for a line") : e;
}

static unsigned csv_loses(const struct policy *p, const struct format_item *it)
{
    return it->rec->reg.pin[0] != 0 && !p->csv_pin ? 1u << LOSS_USER_FIELDS : 0;
}

/* ---- one line's cells ---- */

struct cells {
    unsigned n;
    bool unmarked; /* a cell that a spreadsheet would take for something else */
    bool marked[OWN_COLUMNS * 2];
    const char *v[OWN_COLUMNS * 2]; /* unquoted, in `text`; more is no file of ours */
    size_t len[OWN_COLUMNS * 2];
    char text[CHECK_LINE_MAX + 1];
};

static bool is_text_mark(const char *cell, size_t n)
{
    return n > 1 && cell[0] == '\'' && wants_mark(cell + 1, n - 1);
}

/* One cell, which moves *at behind it; *why on what RFC 4180 does not allow. */
static bool take_cell(struct cells *cells, const char *line, size_t n, char comma, size_t *at,
                      char **into, const char **why)
{
    bool quoted = *at < n && line[*at] == '"';
    char *from = *into;

    *at += quoted;
    for (; *at < n && (quoted || line[*at] != comma); ++*at) {
        if (line[*at] == '"' && !(quoted && *at + 1 < n && line[*at + 1] == '"'))
            break;
        *at += line[*at] == '"';
        *(*into)++ = line[*at];
    }
    if (quoted && (*at == n || line[*at] != '"')) {
        *why = "a quotation mark that is not closed";
        return false;
    }
    *at += quoted;
    if (*at < n && line[*at] != comma) {
        *why = "a quotation mark in the middle of a cell";
        return false;
    }
    if (cells->n == sizeof cells->v / sizeof cells->v[0]) {
        *why = "more cells than there can be";
        return false;
    }
    cells->marked[cells->n] = is_text_mark(from, (size_t)(*into - from));
    from += cells->marked[cells->n];
    cells->unmarked |= !cells->marked[cells->n] && wants_mark(from, (size_t)(*into - from));
    cells->v[cells->n] = from;
    cells->len[cells->n++] = (size_t)(*into - from);
    return true;
}

static bool split_line(struct cells *cells, const char *line, size_t n, char comma,
                       const char **why)
{
    char *into = cells->text;
    size_t at = 0;

    cells->n = 0;
    cells->unmarked = false;
    do {
        if (!take_cell(cells, line, n, comma, &at, &into, why))
            return false;
    } while (at++ < n);
    return true;
}

/* ---- read ---- */

struct format_reader {
    struct read_lines lines;
    struct format_read to;
    struct own_row row;
    char comma; /* 0: no header yet */
    unsigned n_columns;
    int column[OWN_COLUMNS * 2]; /* by cell; -1: not ours, left out */
    struct cells cells;
};

static bool has_column(const struct format_reader *r, const char *name)
{
    for (unsigned i = 0; i < r->n_columns; i++)
        if (r->column[i] >= 0 && strcmp(own_columns[r->column[i]].name, name) == 0)
            return true;
    return false;
}

/* The columns may stand in any order, and spreadsheets write semicolons or tabs for commas. */
static enum err read_header(struct format_reader *r, const char *line, size_t n, struct errmsg *msg)
{
    const char *why = NULL;
    bool foreign = false;

    r->comma = memchr(line, ';', n) != NULL ? ';' : memchr(line, '\t', n) != NULL ? '\t' : ',';
    if (!split_line(&r->cells, line, n, r->comma, &why))
        return err_set(msg, ERR_MALFORMED, "the first line has to name the columns: %s", why);
    for (unsigned i = 0; i < r->cells.n; i++) {
        int c = own_column_by_name(r->cells.v[i], r->cells.len[i]);
        if (c >= 0 && has_column(r, own_columns[c].name))
            return err_set(msg, ERR_MALFORMED, "the column %s is there twice", own_columns[c].name);
        foreign |= c < 0;
        r->column[r->n_columns++] = c;
    }
    if (!has_column(r, "op") || !has_column(r, "at"))
        return err_set(msg, ERR_MALFORMED,
                       "the first line has to name the columns, at least op and at");
    return foreign ? r->to.unknown(r->to.ctx, r->lines.lines, (const uint8_t *)line, n,
                                   "columns that are none of ours: they are left out", msg)
                   : ERR_OK;
}

static bool lost_its_digits(const struct cells *cells, unsigned i, unsigned column)
{
    return own_columns[column].type == OWN_BARCODE && !cells->marked[i] &&
           is_number_of_a_spreadsheet(cells->v[i], cells->len[i]);
}

static bool read_row(struct format_reader *r, const char *line, size_t n, const char **why)
{
    memset(&r->row, 0, sizeof r->row);
    if (r->lines.cut) {
        *why = CUT_LINE;
        return false;
    }
    if (!split_line(&r->cells, line, n, r->comma, why))
        return false;
    if (r->cells.n != r->n_columns) {
        *why = "fewer or more cells than the first line has";
        return false;
    }
    for (unsigned i = 0; i < r->cells.n; i++) {
        if (r->column[i] < 0 || r->cells.len[i] == 0)
            continue;
        if (lost_its_digits(&r->cells, i, (unsigned)r->column[i])) {
            *why = "a spreadsheet made a number of a barcode: its digits are gone";
            return false;
        }
        if (!own_take(&r->row, (unsigned)r->column[i], r->cells.v[i], r->cells.len[i], why))
            return false;
    }
    return own_complete(&r->row, why);
}

static enum err read_one(struct format_reader *r, uint64_t number, const char *line, size_t n,
                         struct errmsg *msg)
{
    const char *why = NULL;

    if (r->comma == 0)
        return read_header(r, line, n, msg);
    if (!read_row(r, line, n, &why))
        return r->to.unknown(r->to.ctx, number, (const uint8_t *)line, n, why, msg);
    return own_event(&r->to, number, &r->row, msg);
}

static struct format_reader *csv_read_new(const struct policy *p, const struct format_read *to)
{
    struct format_reader *r = mem_zero(1, sizeof *r);

    (void)p;
    if (r != NULL)
        r->to = *to;
    return r;
}

static enum err csv_read_add(struct format_reader *r, const uint8_t *p, size_t n,
                             struct errmsg *msg)
{
    return read_lines_add(&r->lines, r, read_one, &r->to, p, n, msg);
}

static enum err csv_read_end(struct format_reader *r, struct errmsg *msg)
{
    return read_lines_end(&r->lines, r, read_one, &r->to, msg);
}

static void csv_read_free(struct format_reader *r)
{
    free(r);
}

/* ---- checked: the bytes of ours have one form only ---- */

struct format_check {
    struct check_lines lines;
    struct own_judge judge;
    struct cells cells;
};

static bool is_header(const struct cells *cells)
{
    for (unsigned c = 0; c < OWN_COLUMNS; c++)
        if (cells->n != OWN_COLUMNS || own_column_by_name(cells->v[c], cells->len[c]) != (int)c)
            return false;
    return true;
}

static enum err check_one(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    struct own_row *row = &c->judge.row;
    const char *why = NULL;

    if (n == 0 || line[n - 1] != '\r')
        return err_set(msg, ERR_MALFORMED, "ends without CR");
    if (!split_line(&c->cells, line, n - 1, ',', &why))
        return err_set(msg, ERR_MALFORMED, "%s", why);
    if (c->lines.lines == 1)
        return is_header(&c->cells) ? ERR_OK
                                    : err_set(msg, ERR_MALFORMED, "the header is not ours");
    if (c->cells.n != OWN_COLUMNS)
        return err_set(msg, ERR_MALFORMED, "%u cells, not %d", c->cells.n, OWN_COLUMNS);
    if (c->cells.unmarked)
        return err_set(msg, ERR_MALFORMED, "a cell that a spreadsheet takes for a formula");
    memset(row, 0, sizeof *row);
    for (unsigned i = 0; i < OWN_COLUMNS; i++)
        if (c->cells.len[i] > 0 && !own_take(row, i, c->cells.v[i], c->cells.len[i], &why))
            return err_set(msg, ERR_MALFORMED, "%s: %s", own_columns[i].name, why);
    if (!own_complete(row, &why))
        return err_set(msg, ERR_MALFORMED, "%s", why);
    return own_judge(&c->judge, msg);
}

static struct format_check *csv_check_new(const struct policy *p)
{
    struct format_check *c = mem_zero(1, sizeof *c);

    if (c != NULL) {
        c->judge.zone = p->zone;
        c->judge.pin = p->csv_pin;
    }
    return c;
}

static enum err csv_check_add(struct format_check *c, const uint8_t *p, size_t n,
                              struct errmsg *msg)
{
    return check_lines_add(&c->lines, c, check_one, p, n, msg);
}

static enum err csv_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg)
{
    enum err e = check_lines_end(&c->lines, msg);

    *records = e == ERR_OK && c->lines.lines > 0 ? c->lines.lines - 1 : 0;
    return e;
}

static void csv_check_free(struct format_check *c)
{
    if (c != NULL)
        seen_free(&c->judge.seen);
    free(c);
}

const struct format format_csv = {
    .name = "csv",
    .suffix = "csv",
    .tick_s = 1,
    .carries = own_carries,
    .pieces = own_pieces,
    .places = true,
    .begin = csv_begin,
    .loses = csv_loses,
    .write = csv_write,
    .check_new = csv_check_new,
    .check_add = csv_check_add,
    .check_end = csv_check_end,
    .check_free = csv_check_free,
    .read_new = csv_read_new,
    .read_add = csv_read_add,
    .read_end = csv_read_end,
    .read_free = csv_read_free,
};
