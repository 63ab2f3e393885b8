/* session.c - `tideover session show|set|end`: who works at this desk, and the chosen due date. */
#include "client.h"

#include <string.h>

static void print_due(const json_t *due)
{
    const char *by = j_text(due, "by", "rule");

    if (strcmp(by, "none") == 0)
        printf("Due      none, until midnight: the library system decides\n");
    else if (strcmp(by, "rule") != 0)
        printf("Due      %s, until midnight\n", j_text(due, "date", "-"));
    else
        printf("Due      by the policy's rules%s\n",
               j_is(due, "forgotten") ? " (what was chosen before today is forgotten)" : "");
}

/* Before the first scan of a session; a clock that is right needs no line. */
static void print_clock(const json_t *clock)
{
    const char *warning = j_text(json_object_get(clock, "warning"), "message", NULL);

    if (warning != NULL)
        printf("Clock    %s\n", warning);
}

static int ask(struct cli *c, const struct buf *body)
{
    struct client *cl = NULL;
    json_t *answer = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/session-settings", body, NULL, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0 && !c->quiet) {
        const json_t *branch = json_object_get(answer, "branch");

        j_scrub(answer);
        printf("Staff    %s\n", *j_text(answer, "staff", "") ? j_text(answer, "staff", "") : "-");
        print_due(json_object_get(answer, "due"));
        print_clock(json_object_get(answer, "clock"));
        printf("Uploads  as %s, library %s, station %lld (policy)\n",
               j_text(branch, "user_access", "-"), j_text(branch, "library", "-"),
               j_int(branch, "station", 0));
    }
    json_decref(answer);
    client_close(cl);
    return rc;
}

static int change(struct cli *c, const char *staff, const char *due)
{
    struct buf body = { 0 };
    json_t *o = json_object();
    int rc;

    if (!j_put(o, "staff", staff) || !j_put(o, "due", due)) {
        json_decref(o);
        return cli_fail(c, err_exit(ERR_INVALID), "bad_text", "that is not well-formed text");
    }
    rc = j_body(o, NULL, &body) ? ask(c, &body)
                                : cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    buf_wipe(&body);
    return rc;
}

int cmd_session_show(struct cli *c)
{
    return ask(c, NULL);
}

int cmd_session_set(struct cli *c)
{
    if (c->value[OPT_STAFF] == NULL && c->value[OPT_DUE] == NULL)
        return cli_usage(c, "say --staff NAME, --due D or both");
    return change(c, c->value[OPT_STAFF], c->value[OPT_DUE]);
}

int cmd_session_end(struct cli *c)
{
    return change(c, "", "rule");
}
