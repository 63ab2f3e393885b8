/* ndjson.c - our own format for programs: one JSON object per line, the keys of own.c, UTF-8. */
#include "own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "mem.h"

/* ---- written ---- */

static enum err ndjson_write(const struct policy *p, struct format_state *state,
                             const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    struct own_state *st = (struct own_state *)state->b;
    struct own_values values;
    enum err e = own_fill(p, p->ndjson_pin, it, st, &values, msg);

    if (e != ERR_OK)
        return e;
    for (unsigned c = 0; c < OWN_COLUMNS; c++) {
        const char *v = values.v[c];
        if (v[0] == 0)
            continue;
        buf_printf(out, "%s\"%s\":", c > 0 ? "," : "{", own_columns[c].name); /* id comes first */
        if (own_columns[c].type == OWN_FLAG)
            buf_text(out, "true");
        else if (own_columns[c].type == OWN_NUMBER || own_columns[c].type == OWN_STATION)
            buf_text(out, v);
        else
            json_put_text(out, v, false); /* own_fill() found it clean */
    }
    buf_text(out, "}\n");
    return out->failed ? err_set(msg, ERR_NOMEM, "no memory for a line") : ERR_OK;
}

static unsigned ndjson_loses(const struct policy *p, const struct format_item *it)
{
    return it->rec->reg.pin[0] != 0 && !p->ndjson_pin ? 1u << LOSS_USER_FIELDS : 0;
}

/* ---- one line ---- */

struct taken {
    bool no_memory, foreign; /* foreign: a key that is none of ours */
    const char *why;
};

static bool take_value(struct own_row *row, unsigned column, const json_t *v, const char **why)
{
    enum own_type type = own_columns[column].type;
    char digits[8];

    if (json_is_null(v) || json_is_false(v) || (json_is_string(v) && json_string_length(v) == 0))
        return true;
    if (type == OWN_FLAG && json_is_true(v))
        return own_take(row, column, "yes", 3, why);
    if ((type == OWN_NUMBER || type == OWN_STATION) && json_is_integer(v) &&
        json_integer_value(v) >= 0 && json_integer_value(v) < 100000) {
        snprintf(digits, sizeof digits, "%d", (int)json_integer_value(v));
        return own_take(row, column, digits, strlen(digits), why);
    }
    if (type == OWN_BARCODE && json_is_number(v))
        *why = "a barcode is text in quotes: as a number it loses its zeros";
    else if (!json_is_string(v) || type == OWN_FLAG)
        *why = "a value of the wrong type";
    else
        return own_take(row, column, json_string_value(v), json_string_length(v), why);
    return false;
}

static bool take_line(struct own_row *row, const char *line, size_t n, struct taken *t)
{
    json_error_t error;
    json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error), *v;
    const char *name;
    bool good = json_is_object(o);

    memset(row, 0, sizeof *row);
    memset(t, 0, sizeof *t);
    if (!good) {
        t->no_memory = o == NULL && json_error_code(&error) == json_error_out_of_memory;
        t->why = o == NULL ? "not JSON, or not UTF-8" : "JSON, but not an object";
    }
    json_object_foreach(o, name, v)
    {
        int c = own_column_by_name(name, strlen(name));
        t->foreign |= c < 0;
        if (good && c >= 0)
            good = take_value(row, (unsigned)c, v, &t->why);
    }
    json_decref(o);
    return good && own_complete(row, &t->why);
}

/* ---- read ---- */

struct format_reader {
    struct read_lines lines;
    struct format_read to;
    struct own_row row;
    bool told_foreign;
};

static enum err read_one(struct format_reader *r, uint64_t number, const char *line, size_t n,
                         struct errmsg *msg)
{
    struct taken t;
    enum err e = ERR_OK;

    if (!take_line(&r->row, line, n, &t)) {
        if (t.no_memory)
            return err_set(msg, ERR_NOMEM, "no memory to read a line");
        return r->to.unknown(r->to.ctx, number, (const uint8_t *)line, n, t.why, msg);
    }
    if (t.foreign && !r->told_foreign) {
        r->told_foreign = true;
        e = r->to.unknown(r->to.ctx, number, (const uint8_t *)line, n,
                          "read, but it has keys that are none of ours: they are left out", msg);
    }
    return e == ERR_OK ? own_event(&r->to, number, &r->row, msg) : e;
}

static struct format_reader *ndjson_read_new(const struct policy *p, const struct format_read *to)
{
    struct format_reader *r = mem_zero(1, sizeof *r);

    (void)p;
    if (r != NULL)
        r->to = *to;
    return r;
}

static enum err ndjson_read_add(struct format_reader *r, const uint8_t *p, size_t n,
                                struct errmsg *msg)
{
    return read_lines_add(&r->lines, r, read_one, &r->to, p, n, msg);
}

static enum err ndjson_read_end(struct format_reader *r, struct errmsg *msg)
{
    return read_lines_end(&r->lines, r, read_one, &r->to, msg);
}

static void ndjson_read_free(struct format_reader *r)
{
    free(r);
}

/* ---- checked ---- */

struct format_check {
    struct check_lines lines;
    struct own_judge judge;
};

static enum err check_one(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    struct taken t;

    if (n < 2 || line[0] != '{' || line[n - 1] != '}')
        return err_set(msg, ERR_MALFORMED, "not one JSON object");
    if (!take_line(&c->judge.row, line, n, &t))
        return t.no_memory ? ERR_NOMEM : err_set(msg, ERR_MALFORMED, "%s", t.why);
    if (t.foreign)
        return err_set(msg, ERR_MALFORMED, "a key that is none of ours");
    return own_judge(&c->judge, msg);
}

static struct format_check *ndjson_check_new(const struct policy *p)
{
    struct format_check *c = mem_zero(1, sizeof *c);

    if (c != NULL) {
        c->judge.zone = p->zone;
        c->judge.pin = p->ndjson_pin;
    }
    return c;
}

static enum err ndjson_check_add(struct format_check *c, const uint8_t *p, size_t n,
                                 struct errmsg *msg)
{
    return check_lines_add(&c->lines, c, check_one, p, n, msg);
}

static enum err ndjson_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg)
{
    enum err e = check_lines_end(&c->lines, msg);

    *records = e == ERR_OK ? c->lines.lines : 0;
    return e;
}

static void ndjson_check_free(struct format_check *c)
{
    if (c != NULL)
        seen_free(&c->judge.seen);
    free(c);
}

const struct format format_ndjson = {
    .name = "ndjson",
    .suffix = "ndjson",
    .tick_s = 1,
    .carries = own_carries,
    .pieces = own_pieces,
    .places = true,
    .loses = ndjson_loses,
    .write = ndjson_write,
    .check_new = ndjson_check_new,
    .check_add = ndjson_check_add,
    .check_end = ndjson_check_end,
    .check_free = ndjson_check_free,
    .read_new = ndjson_read_new,
    .read_add = ndjson_read_add,
    .read_end = ndjson_read_end,
    .read_free = ndjson_read_free,
};
