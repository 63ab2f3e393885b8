/* pause.c - `tideover upload pause` and `resume`: the upload under way waits, or goes on. */
#include "client.h"

#include "buf.h"

static int say(const struct cli *c, bool yes, json_t **answer)
{
    struct client *cl = NULL;
    struct buf body = { 0 };
    int rc = cli_connect(c, &cl);

    if (rc == 0 && !j_body(json_pack("{s:b}", "pause", yes), NULL, &body))
        rc = cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/pause", &body, NULL, answer);
    buf_free(&body);
    client_close(cl);
    return rc;
}

int cmd_upload_pause(struct cli *c)
{
    json_t *answer = NULL;
    int rc = say(c, true, &answer);

    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("Upload %lld waits before its next step; what was begun is finished first.\n"
               "It goes on by itself after an hour, or with: tideover upload resume\n",
               j_int(answer, "slot", 0));
    json_decref(answer);
    return rc;
}

int cmd_upload_resume(struct cli *c)
{
    json_t *answer = NULL;
    int rc = say(c, false, &answer);
    const json_t *by = json_object_get(answer, "paused_by");

    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0 && json_array_size(by) > 0)
        printf("%s still wants it to wait: say it there, too.\n",
               json_string_value(json_array_get(by, 0)));
    else if (rc == 0)
        puts("It goes on.");
    json_decref(answer);
    return rc;
}
