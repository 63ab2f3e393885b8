/* koha_json_read.c - reader of batches for Koha's plugin (E11), however they are broken into lines:
 * rows are cut out by counting brackets, so that a batch may be of any length.
 *
 *   OUTSIDE --{--> HEAD --[--> ROWS --{--> ROW --its }--> ROWS --]--> OUTSIDE */
#include "koc.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "mem.h"

enum where { OUTSIDE, HEAD, ROWS, ROW };

struct format_reader {
    struct format_read to;
    enum where where;
    uint64_t line, from; /* the one under way, from 1; where the text began */
    unsigned depth;      /* of brackets in a row */
    unsigned n_mark;     /* bytes of a byte order mark that were seen */
    bool quoted, escaped, too_long, any;
    size_t len;
    char text[CHECK_LINE_MAX];
    struct format_event ev;
};

static bool no(const char **why, const char *what)
{
    *why = what;
    return false;
}

/* All of it, or what is left of something too long. */
static enum err give_back(struct format_reader *r, const char *why, struct errmsg *msg)
{
    size_t n = r->len;

    if (r->too_long)
        why = NULL;
    r->len = 0;
    r->too_long = false;
    return r->to.unknown(r->to.ctx, r->from, (const uint8_t *)r->text, n, why, msg);
}

/* ---- one row ---- */

static bool take_barcode(const json_t *o, const char *name, char out[BARCODE_MAX + 1],
                         const char **why)
{
    const char *s = json_string_value(json_object_get(o, name));

    if (s == NULL || s[0] == 0)
        return no(why, "a row without its card or its barcode in quotes");
    if (strlen(s) > BARCODE_MAX || !barcode_is_clean(s))
        return no(why, "a card or barcode with a character that none has, or too long");
    memcpy(out, s, strlen(s) + 1);
    return true;
}

static bool take_row(struct format_reader *r, const json_t *o, const char **why)
{
    const char *action = json_string_value(json_object_get(o, "action"));
    const char *at = json_string_value(json_object_get(o, "timestamp"));
    struct record *rec = &r->ev.rec;
    int off;

    memset(&r->ev, 0, sizeof r->ev);
    r->ev.desk = "";
    if (action != NULL && strcmp(action, "payment") == 0)
        return no(why, "a payment: enter it by hand");
    rec->kind = action == NULL                  ? 0
                : strcmp(action, "issue") == 0  ? RECORD_CHECKOUT
                : strcmp(action, "return") == 0 ? RECORD_DISCHARGE
                                                : 0;
    if (rec->kind == 0)
        return no(why, "the action is neither issue nor return");
    if (at == NULL || rfc3339_parse(at, &rec->at_ms, &off, NULL) != ERR_OK ||
        !time_is_good(rec->at_ms))
        return no(why, "no timestamp like 2026-11-23T14:05:00Z");
    rec->utc_off_min = off;
    if (json_object_size(o) > (rec->kind == RECORD_DISCHARGE ? 3u : 4u))
        r->ev.left_out = LEFT_FIELDS;
    return (rec->kind == RECORD_DISCHARGE || take_barcode(o, "cardnumber", rec->user, why)) &&
           take_barcode(o, "barcode", rec->item, why);
}

static enum err end_row(struct format_reader *r, struct errmsg *msg)
{
    json_error_t error;
    const char *why = "not JSON";
    json_t *o;
    bool good;

    r->where = ROWS;
    if (r->too_long)
        return give_back(r, NULL, msg);
    o = json_loadb(r->text, r->len, JSON_REJECT_DUPLICATES, &error);
    if (o == NULL && json_error_code(&error) == json_error_out_of_memory)
        return err_set(msg, ERR_NOMEM, "no memory to read a row");
    good = json_is_object(o) && take_row(r, o, &why);
    json_decref(o);
    if (!good)
        return give_back(r, why, msg);
    r->len = 0;
    r->ev.line = r->from;
    return r->to.event(r->to.ctx, &r->ev, msg);
}

/* ---- bytes ---- */

static enum err keep(struct format_reader *r, char c, struct errmsg *msg)
{
    enum err e = ERR_OK;

    if (r->len == 0)
        r->from = r->line;
    if (r->len == sizeof r->text) {
        e = give_back(r, "longer than any row", msg);
        r->too_long = true;
    }
    r->text[r->len++] = c;
    return e;
}

/* Is c a bracket, and not one within quotes? */
static bool is_bracket(struct format_reader *r, char c)
{
    if (r->quoted) {
        if (r->escaped)
            r->escaped = false;
        else if (c == '\\')
            r->escaped = true;
        else if (c == '"')
            r->quoted = false;
        return false;
    }
    r->quoted = c == '"';
    return strchr("{}[]", c) != NULL && c != 0;
}

static enum err not_a_batch(struct errmsg *msg)
{
    return err_set(msg, ERR_MALFORMED,
                   "not a batch for Koha's plugin: it begins with {\"branchcode\":..,"
                   "\"transactions\":[");
}

/* What stands before the rows must be the beginning of an object with a list of transactions. */
static enum err end_head(struct format_reader *r, struct errmsg *msg)
{
    json_t *o;
    bool good;

    if (r->len + 2 > sizeof r->text || r->too_long)
        return not_a_batch(msg);
    memcpy(r->text + r->len, "]}", 2);
    o = json_loadb(r->text, r->len + 2, JSON_REJECT_DUPLICATES, NULL);
    good = json_is_array(json_object_get(o, "transactions"));
    json_decref(o);
    r->len = 0;
    r->where = ROWS;
    return good ? ERR_OK : not_a_batch(msg);
}

static enum err take_byte(struct format_reader *r, char c, struct errmsg *msg)
{
    bool blank = c == ' ' || c == '\t' || c == '\r' || c == '\n', bracket;
    enum err e;

    switch (r->where) {
    case OUTSIDE:
        if (blank)
            return ERR_OK;
        if (!r->any && r->n_mark < 3 && c == "\xef\xbb\xbf"[r->n_mark]) { /* an editor's */
            r->n_mark++;
            return ERR_OK;
        }
        if (r->any || c != '{') /* what stands behind a batch */
            return r->any ? keep(r, c, msg) : not_a_batch(msg);
        r->where = HEAD;
        r->any = true;
        return keep(r, c, msg);
    case HEAD:
        bracket = is_bracket(r, c);
        if (r->len == sizeof r->text || (bracket && c != '['))
            return not_a_batch(msg);
        if ((e = keep(r, c, msg)) != ERR_OK || !bracket)
            return e;
        return end_head(r, msg);
    case ROWS:
        if (c == '{' || c == ']') {
            if (r->len > 0 && (e = give_back(r, "between the rows", msg)) != ERR_OK)
                return e;
            r->where = c == '{' ? ROW : OUTSIDE;
            r->depth = 1;
            r->quoted = r->escaped = false;
            return c == '{' ? keep(r, c, msg) : ERR_OK;
        }
        return blank || c == ',' ? ERR_OK : keep(r, c, msg);
    case ROW:
        bracket = is_bracket(r, c);
        if ((e = keep(r, c, msg)) != ERR_OK || !bracket)
            return e;
        r->depth += c == '{' || c == '[' ? 1u : -1u;
        return r->depth == 0 ? end_row(r, msg) : ERR_OK;
    }
    return ERR_OK;
}

struct format_reader *koha_json_read_new(const struct policy *p, const struct format_read *to)
{
    struct format_reader *r = mem_zero(1, sizeof *r);

    (void)p;
    if (r != NULL) {
        r->to = *to;
        r->line = 1;
    }
    return r;
}

enum err koha_json_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg)
{
    enum err e = ERR_OK;

    for (size_t i = 0; i < n && e == ERR_OK; i++) {
        e = take_byte(r, (char)p[i], msg);
        r->line += p[i] == '\n';
    }
    return e;
}

enum err koha_json_read_end(struct format_reader *r, struct errmsg *msg)
{
    bool behind = r->where == OUTSIDE && r->len == 1 && r->text[0] == '}';

    if (!r->any)
        return ERR_OK; /* an empty file */
    if (behind)
        return ERR_OK;
    if (r->len == 0)
        r->from = r->line;
    return give_back(r,
                     r->where == OUTSIDE ? "the batch does not end as one"
                                         : "the file ends within the batch: perhaps it was cut",
                     msg);
}

void koha_json_read_free(struct format_reader *r)
{
    free(r);
}
