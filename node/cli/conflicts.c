/* conflicts.c - `tideover conflicts`: what desks disagree about before it is uploaded, and what a
 * lead says of it. */
#include "client.h"

#include <string.h>

static const char *const heading[] = { "ID", "OP", "ITEM", "USER", "AT", "RULE", "GOES", "OTHER" };
#define COLUMNS (sizeof heading / sizeof heading[0])

static const char *goes(const json_t *o)
{
    const char *state = j_text(o, "state", "");

    if (strcmp(state, "pending") == 0)
        return strcmp(j_text(o, "rule", ""), "lead") == 0 ? "yes, a lead says" : "yes";
    return strcmp(state, "voided") == 0 ? "no, a lead voided it" : "no, unless a lead says so";
}

static void add_row(struct table *t, const json_t *o, bool full)
{
    char user[40], at[32], item[48];

    words_barcode(j_text(o, "user", ""), full, user);
    words_time(json_object_get(o, "at"), true, at);
    words_item(o, item);
    table_cell(t, "%s", j_text(o, "id", "-"));
    table_cell(t, "%s", j_text(o, "op", "-"));
    table_cell(t, "%s", item);
    table_cell(t, "%s", *user != 0 ? user : "-");
    table_cell(t, "%s%s", at, j_is(o, "from_paper") ? " (from paper)" : "");
    table_cell(t, "%s", j_text(o, "rule", "-"));
    table_cell(t, "%s", goes(o));
    table_cell(t, "%s", j_text(o, "other", "-"));
}

static void print_all(const struct cli *c, const struct buf *body)
{
    const char *s = (const char *)body->p, *end = s + body->len;
    struct table t;
    unsigned n = 0;

    table_begin(&t, heading, COLUMNS);
    while (s < end) {
        const char *lf = memchr(s, '\n', (size_t)(end - s));
        size_t len = lf != NULL ? (size_t)(lf - s) : (size_t)(end - s);
        json_t *o = len > 0 ? json_loadb(s, len, 0, NULL) : NULL;

        if (json_is_object(o) && c->json) {
            cli_json(o);
        } else if (json_is_object(o)) {
            j_scrub(o);
            add_row(&t, o, c->value[OPT_FULL] != NULL);
            n++;
        }
        json_decref(o);
        s += len + 1;
    }
    if (n > 0) {
        table_print(&t);
        puts(
            "To change what goes: \"tideover conflicts send ID\", \"tideover conflicts void ID\".");
    } else if (!c->json) {
        puts("No conflicts in what waits to be uploaded.");
    }
    table_end(&t);
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
