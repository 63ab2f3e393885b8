/* invites.c - `tideover invites list` and `withdraw`: the codes of this desk that may be used yet. */
#include "client.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"

static const char *const heading[] = { "NUMBER", "DESK", "STATE", "UNTIL", "JOINED", "REFUSED" };

static void add_invite(struct table *t, const json_t *i)
{
    table_cell(t, "%lld", j_int(i, "number", 0));
    table_cell(t, "%s", j_text(i, "desk", "-"));
    table_cell(t, "%s", j_text(i, "state", "-"));
    table_cell(t, "%s", j_text(i, "expires", "-"));
    table_cell(t, "%s", j_text(i, "joined", "-"));
    table_cell(t, "%lld",
               j_int(i, "wrong", 0) + j_int(i, "late", 0) + j_int(i, "again", 0) +
                   j_int(i, "taken", 0));
}

int cmd_invites_list(struct cli *c)
{
    struct client *cl = NULL;
    struct table t;
    json_t *answer = NULL, *i;
    size_t k;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/invites", NULL, NULL, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0 && json_array_size(json_object_get(answer, "invites")) == 0) {
        puts("No code was made at this desk since its node began: tideover invite --desk NAME");
    } else if (rc == 0) {
        table_begin(&t, heading, sizeof heading / sizeof heading[0]);
        json_array_foreach(json_object_get(answer, "invites"), k, i) add_invite(&t, i);
        table_end(&t);
    }
    json_decref(answer);
    client_close(cl);
    return rc;
}

int cmd_invites_withdraw(struct cli *c)
{
    struct client *cl = NULL;
    struct buf body = { 0 };
    json_t *answer = NULL;
    char *end;
    long long number = strtoll(c->argv[0], &end, 10);
    int rc;

    if (*end != '\0' || number < 1)
        return cli_usage(c, "an invite's number is the one that \"tideover invites list\" shows");
    rc = cli_connect(c, &cl);
    if (rc == 0 && !j_body(json_pack("{s:I}", "number", (json_int_t)number), NULL, &body))
        rc = cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/invites/withdraw", &body, NULL, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("The code for %s is good no more.\n", j_text(answer, "desk", "-"));
    json_decref(answer);
    buf_free(&body);
    client_close(cl);
    return rc;
}
