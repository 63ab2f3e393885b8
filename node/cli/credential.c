/* credential.c - `tideover credential set` and `list`: this desk's secrets for the library's
 * systems. No node is needed, and no content is ever shown. */
#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "credential.h"
#include "policy.h"

static bool is_file_kind(const char *name, const char *kind)
{
    const char *dot = strrchr(name, '.');
    const char *k = kind != NULL ? kind : dot != NULL ? dot + 1 : "";

    return strcmp(k, "key") == 0 || strcmp(k, "ca") == 0;
}

/* A line that is asked for without echo, or all of standard input. */
static int take_secret(const struct cli *c, bool whole_file, struct buf *out)
{
    char line[CREDENTIAL_LINE_MAX + 1] = "";
    struct errmsg msg = { .text = "" };
    enum err e;
    int rc = 0;

    if (!term_can_ask() || whole_file) {
        e = isatty(STDIN_FILENO)
                ? err_set(&msg, ERR_USAGE, "give the file on standard input: < FILE")
                : file_read("-", CREDENTIAL_BYTES_MAX, out, &msg);
        return e == ERR_OK ? 0 : cli_err(c, e, &msg);
    }
    if (term_ask_secret("The secret, one line", line, sizeof line))
        buf_text(out, line);
    else
        rc = cli_fail(c, err_exit(ERR_INVALID), "invalid", "nothing was given");
    sodium_memzero(line, sizeof line);
    return rc;
}

/* Of the node's policy; "" where no node runs, which this verb does not need. */
static void find_sink(const struct cli *c, char sink[POLICY_TEXT_VALUE])
{
    static const struct request policy = { .path = "/api/v1/policy" };
    struct client *cl = NULL;
    struct reply r = { 0 };
    struct policy *p = calloc(1, sizeof *p);
    json_t *o = NULL;
    const char *text;

    sink[0] = '\0';
    if (p && client_open(c->state, c, &cl, NULL) == ERR_OK &&
        client_send(cl, &policy, &r, NULL) == ERR_OK && r.status == 200) {
        o = json_loadb((const char *)r.body.p, r.body.len, 0, NULL);
        text = j_text(o, "text", "");
        if (policy_parse(text, strlen(text), p, NULL) == ERR_OK)
            snprintf(sink, POLICY_TEXT_VALUE, "%s", p->sink);
    }
    json_decref(o);
    reply_free(&r);
    client_close(cl);
    free(p);
}

static enum err check_kind(const struct cli *c, const char *name, const char *kind,
                           struct errmsg *msg)
{
    char sink[POLICY_TEXT_VALUE];

    if (credential_check_kind(name, kind, "", msg) == ERR_OK)
        return ERR_OK;
    find_sink(c, sink);
    return credential_check_kind(name, kind, sink, msg);
}

int cmd_credential_set(struct cli *c)
{
    const char *name = c->argv[0], *kind = c->argc > 1 ? c->argv[1] : NULL;
    struct errmsg msg = { .text = "" };
    struct buf secret = { 0 };
    int rc;

    if (access(c->state, X_OK) != 0)
        return cli_fail(c, err_exit(ERR_NOFILE), "nofile", "there is no desk in %s", c->state);
    if (check_kind(c, name, kind, &msg) != ERR_OK)
        return cli_err(c, ERR_INVALID, &msg);
    rc = take_secret(c, is_file_kind(name, kind), &secret);
    if (rc == 0) {
        enum err e = credential_set(c->state, name, kind, secret.p, secret.len, &msg);
        rc = e == ERR_OK ? 0 : cli_err(c, e, &msg);
    }
    buf_wipe(&secret);
    if (rc == 0)
        printf("%s%s%s is set on this desk. Set it on every desk that may upload.\n", name,
               kind != NULL ? "." : "", kind != NULL ? kind : "");
    return rc;
}

/* ---- list ---- */

struct listing {
    json_t *rows;
};

static void add(void *ctx, const char *file, bool from_systemd, const char *problem)
{
    struct listing *l = ctx;

    json_array_append_new(l->rows, json_pack("{s:s, s:s, s:s?}", "name", file, "from",
                                             from_systemd ? "systemd" : "desk", "problem",
                                             *problem != '\0' ? problem : NULL));
}

static void print_rows(const json_t *rows)
{
    static const char *const heading[] = { "NAME", "FROM", "STATE" };
    struct table t;
    const json_t *r;
    size_t i;

    if (json_array_size(rows) == 0) {
        printf("This desk has no credentials.\n");
        return;
    }
    table_begin(&t, heading, 3);
    json_array_foreach(rows, i, r)
    {
        const char *problem = json_string_value(json_object_get(r, "problem"));
        table_cell(&t, "%s", json_string_value(json_object_get(r, "name")));
        table_cell(&t, "%s", json_string_value(json_object_get(r, "from")));
        table_cell(&t, "%s", problem != NULL ? problem : "good");
    }
    table_end(&t);
}

int cmd_credential_list(struct cli *c)
{
    struct listing l = { json_array() };
    struct errmsg msg = { .text = "" };
    enum err e = credential_each(c->state, add, &l, &msg);
    json_t *o;

    if (e == ERR_OK && c->json &&
        (o = json_pack("{s:i, s:O}", "schema", 1, "credentials", l.rows))) {
        cli_json(o);
        json_decref(o);
    } else if (e == ERR_OK) {
        print_rows(l.rows);
    }
    json_decref(l.rows);
    return e == ERR_OK ? 0 : cli_err(c, e, &msg);
}
