/* session.c - `tideover session show|set|end`: who works at this desk, and the chosen due date. */
#include "client.h"

#include <string.h>

static void print_due(const json_t *due)
{
    const char *by = j_text(due, "by", "rule");

    if (strcmp(by, "none") == 0)
        printf("Due      none, until midnight: the library system decides\n");
    else if (strcmp(by, "rule") != 0)
        printf("Due      %s, until midnight%s%s\n", j_text(due, "date", "-"),
               json_object_get(due, "warning") ? ": " : "",
               j_text(json_object_get(due, "warning"), "message", ""));
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
        const json_t *branch = json_object_get(answer, "branch"),
                     *place = json_object_get(answer, "place");

        j_scrub(answer);
        printf("Staff    %s\n", *j_text(answer, "staff", "") ? j_text(answer, "staff", "") : "-");
        print_due(json_object_get(answer, "due"));
        print_clock(json_object_get(answer, "clock"));
        printf("Uploads  as %s, library %s, station %lld%s\n", j_text(place, "user_access", "-"),
               j_text(place, "library", "-"), j_int(place, "station", 0),
               json_equal(place, branch) ? " (policy)" : "");
        if (json_is_false(json_object_get(answer, "block_list")))
            puts("Blocks   the block list is not asked, until midnight");
    }
    json_decref(answer);
    client_close(cl);
    return rc;
}

static const struct {
    enum cli_opt option;
    const char *key;
} fields[] = { { OPT_STAFF, "staff" },
               { OPT_DUE, "due" },
               { OPT_LIBRARY, "library" },
               { OPT_USER_ACCESS, "user_access" },
               { OPT_STATION, "station" } };
#define FIELDS (sizeof fields / sizeof fields[0])

static int send(struct cli *c, json_t *o)
{
    struct buf body = { 0 };
    int rc = j_body(o, NULL, &body) ? ask(c, &body)
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
    const char *list = c->value[OPT_BLOCK_LIST];
    json_t *o = json_object();
    bool good = true;

    for (unsigned i = 0; i < FIELDS; i++)
        good = good && j_put(o, fields[i].key, c->value[fields[i].option]);
    if (list != NULL)
        json_object_set_new(o, "block_list", json_boolean(strcmp(list, "on") == 0));
    if (good && json_object_size(o) > 0 &&
        (list == NULL || strcmp(list, "on") == 0 || strcmp(list, "off") == 0))
        return send(c, o);
    good = good && json_object_size(o) == 0;
    json_decref(o);
    return good   ? cli_usage(c, "say what to set: --staff NAME, --due D, --library CODE ..")
           : list ? cli_usage(c, "--block-list is on or off")
                  : cli_fail(c, err_exit(ERR_INVALID), "bad_text", "that is not well-formed text");
}

int cmd_session_end(struct cli *c)
{
    return send(c, json_pack("{s:s, s:s, s:b}", "staff", "", "due", "rule", "block_list", 1));
}
