/* conflicts.c - `tideover conflicts`: what desks disagree about before it is uploaded, and what a
 * lead says of it. */
#include "client.h"

#include <string.h>

static const char *const heading[] = { "", "ID", "OP", "ITEM", "USER", "AT", "GOES" };
#define COLUMNS    (sizeof heading / sizeof heading[0])
#define ROWS_SHOWN 10 /* of one matter; --full shows all */

static const struct {
    const char *kind, *words;
} kinds[] = {
    { "out_twice", "an item out to two users, with no return between (R5)" },
    { "renew_after_return", "a renewal after the return of its item (R11)" },
    { "card_twice", "one card registered twice, with different content (R6)" },
    { "person_twice", "one person, by name and birth date, with two new cards (R6)" },
    { "held_between", "a return between two loans, sent though returns are held (R8)" },
    { "paper", "typed from paper, and its place lies before what was done since (R12)" },
    { "late", "recorded before an earlier upload, and not in it (R9)" },
    { "decided", "decided by a lead" },
};

static const char *words_of(const char *kind)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].kind, kind) == 0)
            return kinds[i].words;
    return kind;
}

static const char *goes(const json_t *o)
{
    const char *state = j_text(o, "state", "");

    if (strcmp(state, "pending") == 0)
        return json_object_get(o, "decided") != NULL ? "yes, a lead says" : "yes";
    if (strcmp(state, "duplicate") == 0)
        return "no, it was sent from another desk";
    return strcmp(state, "voided") == 0 ? "no, a lead voided it" : "no, unless a lead says so";
}

/* "2026-11-23 09:12:04", in the library's zone, corrected: what the merge goes by. */
static void time_of(const json_t *o, char out[20])
{
    snprintf(out, 20, "%.19s", j_text(o, "time", "-"));
    if (strlen(out) > 10)
        out[10] = ' ';
}

static void add_row(struct table *t, const json_t *o, bool full)
{
    const char *clock = j_text(o, "clock", "ok");
    char user[40], at[20], item[48];

    words_barcode(j_text(o, "user", ""), full, user);
    time_of(o, at);
    words_item(o, item);
    table_cell(t, "  ");
    table_cell(t, "%s", j_text(o, "id", "-"));
    table_cell(t, "%s", j_text(o, "op", "-"));
    table_cell(t, "%s", item);
    table_cell(t, "%s", *user != 0 ? user : "-");
    table_cell(t, "%s%s%s", at, j_is(o, "from_paper") ? " (from paper)" : "",
               strcmp(clock, "ok") == 0          ? ""
               : strcmp(clock, "corrected") == 0 ? " (corrected)"
                                                 : " (clock?)");
    table_cell(t, "%s", goes(o));
}

static void print_said(const json_t *o, const json_t *d, const char *more)
{
    char at[80];

    words_span(json_object_get(d, "at"), json_object_get(d, "at"), at);
    printf("   %s: %s by the lead %s, %s%s\n", j_text(o, "id", "-"),
           strcmp(j_text(d, "say", ""), "void") == 0 ? "voided" : "sent", j_text(d, "lead", "-"),
           at, more);
}

static void print_decided(const json_t *o)
{
    const json_t *d = json_object_get(o, "decided");
    size_t i;

    if (json_is_object(d))
        print_said(o, d, "");
    json_array_foreach(json_object_get(o, "overruled"), i, d)
        print_said(o, d, ", and overruled since");
}

/* Two leads apart from each other may have taken back one side each. */
static bool is_all_voided(const json_t *rows, size_t from, size_t to)
{
    size_t n = 0;

    for (size_t i = from; i < to; i++)
        n += strcmp(j_text(json_array_get(rows, i), "state", ""), "voided") == 0;
    return n == to - from && n > 1;
}

/* What is undisputed, or uploaded, stands in no row of its own. */
static void print_other(const json_t *o, bool full)
{
    const json_t *side = json_object_get(o, "other_side");
    char user[40], item[48], at[20];

    if (!json_is_object(side))
        return;
    words_barcode(j_text(side, "user", ""), full, user);
    words_item(side, item);
    time_of(side, at);
    printf("   the other side, %s%s: %s  %s  %s  %s%s\n", j_text(side, "id", "-"),
           j_is(side, "uploaded") ? ", is of an earlier upload" : "", j_text(side, "op", "-"), item,
           *user != 0 ? user : "-", at, j_is(side, "from_paper") ? " (from paper)" : "");
}

/* All rows of one matter, from the first. Returns behind the last. */
static size_t print_matter(const json_t *rows, size_t i, bool full)
{
    const json_t *first = json_array_get(rows, i);
    long long number = j_int(first, "matter", 0);
    struct table t;
    size_t k;

    printf("%lld  %s%s%s\n", number, words_of(j_text(first, "kind", "-")),
           strcmp(j_text(first, "kind", ""), "late") == 0 ? ": " : "",
           strcmp(j_text(first, "kind", ""), "late") == 0 ? j_text(first, "desk", "-") : "");
    table_begin(&t, heading, COLUMNS);
    for (k = i; j_int(json_array_get(rows, k), "matter", 0) == number; k++)
        if (full || k - i < ROWS_SHOWN)
            add_row(&t, json_array_get(rows, k), full);
    table_print(&t);
    table_end(&t);
    for (size_t j = i; j < k && (full || j - i < ROWS_SHOWN); j++) {
        print_other(json_array_get(rows, j), full);
        print_decided(json_array_get(rows, j));
    }
    if (is_all_voided(rows, i, k))
        printf("   nothing of this will be sent: every side was voided\n");
    if (!full && k - i > ROWS_SHOWN)
        printf("   and %zu more: tideover conflicts list --full\n", k - i - ROWS_SHOWN);
    return k;
}

static void print_all(const struct cli *c, const struct buf *body)
{
    const char *s = (const char *)body->p, *end = s + body->len;
    json_t *rows = json_array();

    while (s < end) {
        const char *lf = memchr(s, '\n', (size_t)(end - s));
        size_t len = lf != NULL ? (size_t)(lf - s) : (size_t)(end - s);
        json_t *o = len > 0 ? json_loadb(s, len, 0, NULL) : NULL;

        if (json_is_object(o) && c->json) {
            cli_json(o);
        } else if (json_is_object(o)) {
            j_scrub(o);
            json_array_append(rows, o);
        }
        json_decref(o);
        s += len + 1;
    }
    for (size_t i = 0; i < json_array_size(rows);)
        i = print_matter(rows, i, c->value[OPT_FULL] != NULL);
    if (json_array_size(rows) > 0)
        puts("To change what goes: \"tideover conflicts send ID\", \"tideover conflicts void ID\". "
             "Times are the library's, clocks corrected.");
    else if (!c->json)
        puts("No conflicts in what waits to be uploaded.");
    json_decref(rows);
}

int cmd_conflicts_list(struct cli *c)
{
    struct errmsg msg = { .text = "" };
    struct client *cl = NULL;
    struct reply r;
    enum err e;
    int rc = cli_connect(c, &cl);

    if (rc != 0)
        return rc;
    e = client_send(cl, &(struct request){ .path = "/api/v1/conflicts", .waiting = "merging" }, &r,
                    &msg);
    if (e != ERR_OK) {
        rc = cli_err(c, e, &msg);
    } else {
        if (r.status == 200)
            print_all(c, &r.body);
        else
            rc = cli_refused(c, r.status, (const char *)r.body.p, r.body.len);
        reply_free(&r);
    }
    client_close(cl);
    return rc;
}

static int rule(struct cli *c, const char *say)
{
    json_t *o = json_pack("{s:s}", "say", say), *ids = json_array(), *answer = NULL;
    int rc;

    for (int i = 0; i < c->argc; i++)
        json_array_append_new(ids, json_string(c->argv[i]));
    json_object_set_new(o, "ids", ids);
    rc = cli_call_as_lead(c, "/api/v1/conflicts", o, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("%lld record%s %s with the next upload, on every desk.\n",
               j_int(answer, "records", 0), j_int(answer, "records", 0) == 1 ? "" : "s",
               strcmp(say, "send") == 0 ? "will be sent" : "will not be sent");
    json_decref(answer);
    return rc;
}

int cmd_conflicts_send(struct cli *c)
{
    return rule(c, "send");
}

int cmd_conflicts_void(struct cli *c)
{
    return rule(c, "void");
}
