/* koha_json_check.c - the judge of a finished batch for Koha's plugin (E5): one row per line, so
 * that no batch has to be in memory as a whole. */
#include "koc.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "mem.h"

struct format_check {
    struct check_lines lines;
    struct seen_set seen; /* in the current second */
    struct koha_service service;
    int64_t last_s;
    uint64_t rows;
    bool any, closed;
};

static json_t *parse(const char *text, size_t n, enum err *e, struct errmsg *msg)
{
    json_error_t error;
    json_t *o = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);

    if (json_is_object(o))
        return o;
    *e = o == NULL && json_error_code(&error) == json_error_out_of_memory
             ? ERR_NOMEM
             : err_set(msg, ERR_MALFORMED, "not JSON");
    json_decref(o);
    return NULL;
}

/* {"branchcode":"MAIN","pending":true,"transactions":[ */
static enum err check_head(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    char closed[256];
    json_t *o, *pending;
    const char *branch;
    enum err e = ERR_OK;

    if (n + 2 > sizeof closed || n == 0 || line[n - 1] != '[')
        return err_set(msg, ERR_MALFORMED, "the batch does not begin as one");
    memcpy(closed, line, n);
    memcpy(closed + n, "]}", 2);
    if ((o = parse(closed, n + 2, &e, msg)) == NULL)
        return e;
    branch = json_string_value(json_object_get(o, "branchcode"));
    pending = json_object_get(o, "pending");
    if (json_object_size(o) != 3 || !json_is_array(json_object_get(o, "transactions")))
        e = err_set(msg, ERR_MALFORMED, "the batch does not begin as one");
    else if (branch == NULL || branch[0] == 0 || strcmp(branch, c->service.branchcode) != 0)
        e = err_set(msg, ERR_MALFORMED, "the branchcode is not the policy's");
    else if (!json_is_boolean(pending) || json_is_true(pending) != c->service.pending)
        e = err_set(msg, ERR_MALFORMED, "pending is not as the policy says");
    json_decref(o);
    return e;
}

static bool is_barcode(const json_t *v)
{
    const char *s = json_string_value(v);

    return s != NULL && strlen(s) == json_string_length(v) && strlen(s) <= KOHA_BARCODE_MAX &&
           barcode_is_clean(s);
}

/* 2026-11-23T14:05:00Z */
static bool read_time(const json_t *v, int64_t *unix_s)
{
    const char *s = json_string_value(v);
    int64_t ms;
    int off;

    if (s == NULL || strlen(s) != 20 || s[19] != 'Z' || rfc3339_parse(s, &ms, &off, NULL) != ERR_OK)
        return false;
    *unix_s = ms / 1000;
    return true;
}

static enum err judge_row(struct format_check *c, const json_t *o, struct errmsg *msg)
{
    const char *action = json_string_value(json_object_get(o, "action"));
    const json_t *card = json_object_get(o, "cardnumber"), *item = json_object_get(o, "barcode");
    bool issue = action != NULL && strcmp(action, "issue") == 0;
    int64_t s;

    if (!issue && (action == NULL || strcmp(action, "return") != 0))
        return err_set(msg, ERR_MALFORMED, "the action is neither issue nor return");
    if (json_object_size(o) != (issue ? 4 : 3) || (card != NULL) != issue)
        return err_set(msg, ERR_MALFORMED, "a row with too many keys, or too few");
    if (!is_barcode(item) || (issue && !is_barcode(card)))
        return err_set(msg, ERR_MALFORMED,
                       "a card or barcode that is empty, none, or longer than %d",
                       KOHA_BARCODE_MAX);
    if (!read_time(json_object_get(o, "timestamp"), &s))
        return err_set(msg, ERR_MALFORMED, "no timestamp YYYY-MM-DDTHH:MM:SSZ");
    if (c->any && s < c->last_s)
        return err_set(msg, ERR_MALFORMED, "the timestamp runs back");
    if (!c->any || s != c->last_s)
        seen_forget(&c->seen);
    c->any = true;
    c->last_s = s;
    return seen_event(&c->seen, json_string_value(item), issue ? json_string_value(card) : "",
                      false, "second", msg);
}

static enum err check_one(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    bool more = n > 1 && line[n - 1] == ',';
    bool last = n > 3 && memcmp(line + n - 2, "]}", 2) == 0;
    enum err e = ERR_OK;
    json_t *o;

    if (c->lines.lines == 1)
        return check_head(c, line, n, msg);
    if (c->closed)
        return err_set(msg, ERR_MALFORMED, "bytes behind the end of the batch");
    if (n < 3 || line[0] != ' ' || line[1] != '{' || (!more && !last))
        return err_set(msg, ERR_MALFORMED, "not one row");
    if ((o = parse(line + 1, n - (more ? 2 : 3), &e, msg)) == NULL)
        return e;
    e = judge_row(c, o, msg);
    json_decref(o);
    c->rows++;
    c->closed = last;
    return e;
}

struct format_check *koha_json_check_new(const struct policy *p)
{
    struct format_check *c = mem_zero(1, sizeof *c);

    if (c != NULL)
        c->service = p->koha_service;
    return c;
}

enum err koha_json_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return check_lines_add(&c->lines, c, check_one, p, n, msg);
}

enum err koha_json_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg)
{
    struct errmsg why;
    enum err e = check_lines_end(&c->lines, msg);

    if (e == ERR_OK && c->lines.lines > 0 && !c->closed) {
        err_set(&why, ERR_MALFORMED, "the batch has no end");
        e = check_lines_fail(&c->lines, &why, msg);
    }
    *records = e == ERR_OK ? c->rows : 0;
    return e;
}

void koha_json_check_free(struct format_check *c)
{
    if (c != NULL)
        seen_free(&c->seen);
    free(c);
}
