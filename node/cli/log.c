/* log.c - `tideover log list` and `log verify`. */
#include "client.h"

#include <string.h>

#define PAGE 500 /* records a request: some 100 KiB, and Ctrl-C is felt at once */

static const char *const heading[] = { "ID", "OP", "ITEM", "USER", "DUE", "AT", "DESK", "STATE" };
#define COLUMNS (sizeof heading / sizeof heading[0])

static void add_record(struct table *t, const json_t *o, bool full)
{
    const char *rule = j_text(o, "rule", ""), *target = j_text(o, "target", "");
    const char *was = j_text(o, "was", "");
    char user[40], at[32], item[48], again[64] = "";

    words_barcode(j_text(o, "user", ""), full, user);
    words_time(json_object_get(o, "at"), true, at);
    table_cell(t, "%s", j_text(o, "id", "-"));
    table_cell(t, "%s", j_text(o, "op", "-"));
    words_item(o, item);
    table_cell(t, "%s", item);
    table_cell(t, "%s", *user != 0 ? user : "-");
    table_cell(t, "%s", *j_text(o, "due", "") != 0 ? j_text(o, "due", "") : "-");
    table_cell(t, "%s%s", at, j_is(o, "from_paper") ? " (from paper)" : "");
    table_cell(t, "%s", j_text(o, "desk", "-"));
    if (*was != 0)
        snprintf(again, sizeof again, ", was %.16s in upload %lld", was, j_int(o, "was_in", 0));
    table_cell(t, "%s%s%s%s%s%s%s%s", j_text(o, "state", "-"), *rule != 0 ? " " : "", rule,
               *target != 0 ? " of " : "", target, again,
               j_is(o, "override") ? ", a lead overrode the block list" : "",
               json_is_false(json_object_get(o, "block_list")) ? ", block list not asked" : "");
}

/* One page's lines; *after becomes the last one's number. Returns how many. */
static unsigned take_page(const struct cli *c, const struct buf *body, struct table *t,
                          long long *after)
{
    const char *s = (const char *)body->p, *end = s + body->len;
    unsigned count = 0;

    while (s < end) {
        const char *lf = memchr(s, '\n', (size_t)(end - s));
        size_t n = lf != NULL ? (size_t)(lf - s) : (size_t)(end - s);
        json_t *o = n > 0 ? json_loadb(s, n, 0, NULL) : NULL;

        if (json_is_object(o)) {
            *after = j_int(o, "n", *after);
            count++;
            if (c->json) {
                cli_json(o);
            } else {
                j_scrub(o);
                add_record(t, o, c->value[OPT_FULL] != NULL);
            }
        }
        json_decref(o);
        s += n + 1;
    }
    return count;
}

static int list_page(const struct cli *c, struct client *cl, struct table *t, long long *after,
                     unsigned *count)
{
    struct errmsg msg = { .text = "" };
    struct reply r;
    char path[96];
    long long before = *after;
    enum err e;
    int rc = 0;

    snprintf(path, sizeof path, "/api/v1/records?after=%lld&limit=%d", *after, PAGE);
    e = client_send(cl, &(struct request){ .path = path, .waiting = "merging" }, &r, &msg);
    if (e != ERR_OK)
        return cli_err(c, e, &msg);
    if (r.status == 200) {
        *count = take_page(c, &r.body, t, after);
        if (*count > 0 && *after <= before) /* or we would ask for the same page for ever */
            rc = cli_fail(c, err_exit(ERR_PEER), "peer", "the node's pages do not go on");
    } else {
        rc = cli_refused(c, r.status, (const char *)r.body.p, r.body.len);
    }
    reply_free(&r);
    return rc;
}

int cmd_log_list(struct cli *c)
{
    struct client *cl = NULL;
    struct table t;
    long long after = 0;
    unsigned count = 1;
    int rc = cli_connect(c, &cl);

    if (rc != 0)
        return rc;
    table_begin(&t, heading, COLUMNS);
    while (rc == 0 && count > 0 && !ferror(stdout)) {
        count = 0;
        rc = list_page(c, cl, &t, &after, &count);
        if (rc == 0 && !c->json && (count > 0 || after > 0))
            table_print(&t);
    }
    if (rc == 0 && after == 0 && !c->json)
        cli_note(c, "No records yet.\n");
    buf_free(&t.cells);
    client_close(cl);
    return rc;
}

static void print_verified(const struct cli *c, const json_t *o)
{
    char feeds[32], records[32], blocks[32], values[32];
    const json_t *p;
    size_t i;

    json_array_foreach(json_object_get(o, "problems"), i, p)
        printf("%s# Problem: %s%s\n", hue(c, HUE_BAD),
               json_is_string(p) ? json_string_value(p) : j_text(p, "message", "unknown"),
               hue(c, HUE_OFF));
    words_number(j_int(o, "feeds", 0), feeds);
    words_number(j_int(o, "records", 0), records);
    words_number(j_int(o, "blocks", 0), blocks);
    words_number(j_int(o, "values", 0), values);
    printf("%s: records %s, feeds %s, signed blocks %s, sealed values %s\n",
           j_is(o, "ok") ? "All is well" : "Damaged", records, feeds, blocks, values);
}

int cmd_log_verify(struct cli *c)
{
    struct client *cl = NULL;
    struct buf body = { 0 };
    json_t *o = NULL;
    int rc = cli_connect(c, &cl);

    buf_text(&body, "{}");
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/log/verify", &body, "checking chains, signatures, seals", &o);
    if (rc == 0 && c->json)
        cli_json(o);
    else if (rc == 0)
        print_verified(c, o);
    if (rc == 0 && !j_is(o, "ok"))
        rc = err_exit(ERR_MALFORMED);
    json_decref(o);
    buf_free(&body);
    client_close(cl);
    return rc;
}
