/* loaded.c - `tideover upload loaded` and `unconfirmed`: what the library's system reported of
 * loading an upload's file, read from its list of results. */
#include "client.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define RESULTS_MAX   (4u << 20)
#define UNKNOWN_SHOWN 5
#define IDS_AT_ONCE   768 /* in one request, whose body has at most 64 KiB: three words */
#define REASONS_MAX   40  /* each is a word that the branch keeps for ever */

/* ---- the list of results ---- */

struct results {
    const json_t *lines;               /* what was sent, in order: id, line, part, item, user */
    json_t *by_id, *by_line, *by_item; /* of lines: index; an item with two lines: -1 */
    json_t *loaded, *refused;          /* ids; words -> ids */
    char *told;                        /* of each line: enum told; owned */
    unsigned n_loaded, n_refused, unknown;
};
enum told { TOLD_NOT, TOLD_LOADED, TOLD_REFUSED };

static void results_index(struct results *r)
{
    const json_t *o;
    size_t i;
    char key[32];

    r->by_id = json_object();
    r->by_line = json_object();
    r->by_item = json_object();
    r->loaded = json_array();
    r->refused = json_object();
    r->told = calloc(json_array_size(r->lines) + 1, 1);
    json_array_foreach(r->lines, i, o)
    {
        const char *item = j_text(o, "item", "");
        json_object_set_new(r->by_id, j_text(o, "id", ""), json_integer((json_int_t)i));
        snprintf(key, sizeof key, "%lld", j_int(o, "line", 0));
        if (j_int(o, "part", 0) > 0) /* the users' file has its own: those go by their ids */
            json_object_set_new(r->by_line, key, json_integer((json_int_t)i));
        if (*item)
            json_object_set_new(
                r->by_item, item,
                json_integer(json_object_get(r->by_item, item) ? -1 : (json_int_t)i));
    }
}

static void results_free(struct results *r)
{
    json_decref(r->by_id);
    json_decref(r->by_line);
    json_decref(r->by_item);
    json_decref(r->loaded);
    json_decref(r->refused);
    free(r->told);
}

/* A line of Symphony's own log with its answer: ^NQ is the item, ^MN the number of the message. */
static bool field(const char *line, const char *code, char *out, size_t n)
{
    const char *at = strstr(line, code);
    size_t k = 0;

    if (!at)
        return false;
    for (at += strlen(code); *at && *at != '^' && *at != ',' && k + 1 < n; at++)
        out[k++] = *at;
    out[k] = 0;
    return k > 0;
}

static const char *trim(char *s)
{
    char *end = s + strlen(s);

    while (end > s && isspace((unsigned char)end[-1]))
        *--end = 0;
    while (isspace((unsigned char)*s))
        s++;
    return s;
}

static bool says_loaded(const char *status)
{
    static const char *const good[] = { "ok", "loaded", "accepted", "success", "0", "yes" };

    for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++)
        if (strcasecmp(status, good[i]) == 0)
            return true;
    return false;
}

/* A record counts once, however often the list names it; refused once, it is not loaded. */
static void take(struct results *r, json_int_t at, bool loaded, char *words)
{
    const json_t *id = json_object_get(json_array_get(r->lines, (size_t)at), "id");
    char *told = r->told ? &r->told[at] : NULL;
    json_t *ids;

    if (!told || *told == TOLD_REFUSED || (loaded && *told == TOLD_LOADED))
        return;
    if (loaded) {
        *told = TOLD_LOADED;
        r->n_loaded++;
        return;
    }
    r->n_loaded -= *told == TOLD_LOADED;
    *told = TOLD_REFUSED;
    r->n_refused++;
    text_mend(words);
    text_hide_numbers(words);
    if ((ids = json_object_get(r->refused, words)) == NULL &&
        json_object_size(r->refused) >= REASONS_MAX)
        ids = json_object_get(r->refused, words = "refused");
    if (ids == NULL)
        json_object_set_new(r->refused, words, ids = json_array());
    json_array_append(ids, (json_t *)(uintptr_t)id);
}

static void gather_loaded(struct results *r)
{
    const json_t *o;
    size_t i;

    json_array_foreach(r->lines, i, o) if (r->told && r->told[i] == TOLD_LOADED)
        json_array_append(r->loaded, json_object_get(o, "id"));
}

/* "ID or line number, status, words", split by comma, semicolon or TAB; or a line of a Symphony log
 * with ^NQ and ^MN. False: it names nothing that was sent. */
static bool read_line(struct results *r, char *line)
{
    char item[64], number[32], words[200];
    char *status, *rest;
    const json_t *at;
    const char *name;

    if (field(line, "^NQ", item, sizeof item)) {
        at = json_object_get(r->by_item, item);
        snprintf(words, sizeof words, "message %s",
                 field(line, "^MN", number, sizeof number) ? number : "unknown");
        if (!at || json_integer_value(at) < 0)
            return false;
        take(r, json_integer_value(at), false, words);
        return true;
    }
    status = line + strcspn(line, ",;\t");
    rest = *status ? status + 1 + strcspn(status + 1, ",;\t") : status;
    if (*rest)
        *rest++ = 0;
    if (*status)
        *status++ = 0;
    name = trim(line);
    at = json_object_get(strchr(name, '/') ? r->by_id : r->by_line, name);
    if (!at || *trim(status) == 0)
        return false;
    snprintf(words, sizeof words, "%.120s%s%.60s", trim(status), *rest ? ": " : "", trim(rest));
    take(r, json_integer_value(at), says_loaded(trim(status)), words);
    return true;
}

static int read_results(const struct cli *c, const char *path, struct results *r)
{
    struct errmsg msg = { .text = "" };
    struct buf text = { 0 };
    unsigned number = 0;
    enum err e = file_read(path, RESULTS_MAX, &text, &msg);

    if (e == ERR_OK && text.len > 0 && memchr(text.p, 0, text.len))
        e = err_set(&msg, ERR_MALFORMED, "%.120s is no plain text: save the list as UTF-8", path);
    buf_add(&text, "", 1);
    if (e != ERR_OK || text.failed) {
        buf_free(&text);
        return cli_err(c, e == ERR_OK ? ERR_NOMEM : e, &msg);
    }
    for (char *s = (char *)text.p; *s;) {
        char *next = s + strcspn(s, "\r\n");
        bool last = *next == 0;
        *next = 0;
        number++;
        if (*trim(s) && !read_line(r, s) && r->unknown++ < UNKNOWN_SHOWN && !c->json)
            fprintf(stderr, "tideover: line %u names no record of this upload\n", number);
        s = last ? next : next + 1;
    }
    buf_free(&text);
    gather_loaded(r);
    return 0;
}

/* ---- saying it ---- */

static int ask_lines(const struct cli *c, struct client *cl, const char *slot, json_t **out)
{
    struct errmsg msg = { .text = "" };
    struct reply r;
    char path[96];
    enum err e;
    int rc = 0;

    snprintf(path, sizeof path, "/api/v1/upload/lines?slot=%s", slot);
    e = client_send(cl, &(struct request){ .path = path, .waiting = "merging" }, &r, &msg);
    if (e != ERR_OK)
        return cli_err(c, e, &msg);
    *out = json_array();
    if (r.status != 200)
        rc = cli_refused(c, r.status, (const char *)r.body.p, r.body.len);
    for (size_t at = 0; rc == 0 && at < r.body.len;) {
        const char *s = (const char *)r.body.p + at, *lf = memchr(s, '\n', r.body.len - at);
        size_t n = lf ? (size_t)(lf - s) : r.body.len - at;
        json_array_append_new(*out, json_loadb(s, n, 0, NULL));
        at += n + 1;
    }
    reply_free(&r);
    return rc;
}

static void print_said(const json_t *o)
{
    char n[32];

    words_number(j_int(o, "lines", 0), n);
    printf("Upload %lld: %s record%s sent, %lld refused by the load", j_int(o, "slot", 0), n,
           j_int(o, "lines", 0) == 1 ? "" : "s", j_int(o, "refused", 0));
    if (j_is(o, "settled"))
        puts(", nothing waits to be confirmed any more.");
    else
        printf(", %lld not confirmed yet.\n", j_int(o, "unconfirmed", 0));
    if (j_int(o, "refused", 0) > 0)
        printf("To see what to do: tideover upload exceptions --slot %lld\n", j_int(o, "slot", 0));
}

static json_t *new_request(const char *slot, bool all)
{
    return json_pack("{s:I, s:b, s:[], s:[]}", "slot", (json_int_t)strtoll(slot, NULL, 10), "all",
                     all, "refused", "loaded");
}

/* Ids from `*at` on, as many as one request has room for. */
static json_t *some_ids(const json_t *ids, size_t *at)
{
    json_t *some = json_array();

    for (; *at < json_array_size(ids) && json_array_size(some) < IDS_AT_ONCE; (*at)++)
        json_array_append(some, json_array_get(ids, *at));
    return some;
}

/* What was refused goes first: it is never all right in between. The last one says "all". */
static json_t *requests_of(const char *slot, const struct results *r, bool all)
{
    json_t *list = json_array(), *ids, *o;
    const char *words;

    json_object_foreach(r->refused, words, ids) for (size_t at = 0; at < json_array_size(ids);)
    {
        o = new_request(slot, false);
        json_array_append_new(json_object_get(o, "refused"),
                              json_pack("{s:s, s:o}", "words", words, "ids", some_ids(ids, &at)));
        json_array_append_new(list, o);
    }
    for (size_t at = 0; !all && at < json_array_size(r->loaded);) {
        o = new_request(slot, false);
        json_object_set_new(o, "loaded", some_ids(r->loaded, &at));
        json_array_append_new(list, o);
    }
    if (all)
        json_array_append_new(list, new_request(slot, true));
    return list;
}

static int say(struct cli *c, const char *slot, const struct results *r)
{
    bool all = c->value[OPT_ALL] != NULL ||
               (r->unknown == 0 && r->n_loaded + r->n_refused == json_array_size(r->lines));
    json_t *answer = NULL;
    int rc = cli_call_as_lead_all(c, "/api/v1/upload/loaded", requests_of(slot, r, all), &answer);

    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        print_said(answer);
    json_decref(answer);
    return rc;
}

int cmd_upload_loaded(struct cli *c)
{
    const char *slot = c->value[OPT_SLOT];
    struct results r = { .lines = NULL };
    struct client *cl = NULL;
    json_t *lines = NULL;
    int rc;

    if (*slot == 0 || strlen(slot) > 18 || slot[strspn(slot, "0123456789")] != 0)
        return cli_usage(c, "--slot must be a number, not \"%s\"", slot);
    if (c->argc == 0 && c->value[OPT_ALL] == NULL)
        return cli_usage(c, "name the list of results, or say --all: everything was loaded");
    if (c->argc == 0)
        return say(c, slot, &r);
    rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = ask_lines(c, cl, slot, &lines);
    client_close(cl);
    r.lines = lines;
    results_index(&r);
    if (rc == 0)
        rc = read_results(c, c->argv[0], &r);
    if (rc == 0 && r.n_loaded + r.n_refused == 0)
        rc = cli_fail(c, err_exit(ERR_INVALID), "no_results",
                      "%s names no record of upload %s: a line is a record's ID or the number of "
                      "its line, a comma, and \"ok\" or what was wrong",
                      c->argv[0], slot);
    if (rc == 0)
        rc = say(c, slot, &r);
    results_free(&r);
    json_decref(lines);
    return rc;
}

int cmd_upload_unconfirmed(struct cli *c)
{
    struct client *cl = NULL;
    json_t *answer = NULL, *o;
    size_t i, open = 0;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/loaded", NULL, NULL, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    json_array_foreach(json_object_get(answer, "uploads"), i, o)
    {
        char at[80] = "";
        if (c->json || j_is(o, "settled"))
            continue;
        open++;
        if (json_is_string(json_object_get(o, "expected")))
            words_span(json_object_get(o, "expected"), json_object_get(o, "expected"), at);
        printf("Upload %lld  %lld of %lld records not confirmed yet%s%s%s\n", j_int(o, "slot", 0),
               j_int(o, "unconfirmed", 0), j_int(o, "lines", 0),
               *at ? (j_is(o, "overdue") ? "; its load was due " : "; its load is expected ") : "",
               at, j_is(o, "overdue") ? ": look for the report" : "");
    }
    if (rc == 0 && !c->json)
        puts(open > 0 ? "Once the load's report is there: tideover upload loaded --slot N FILE, or "
                        "--all"
                      : "Nothing waits for the report of a load.");
    json_decref(answer);
    client_close(cl);
    return rc;
}
