/* void.c - `tideover void ID`: take one record back. */
#include "client.h"

int cmd_void(struct cli *c)
{
    struct client *cl = NULL;
    struct buf body = { 0 };
    json_t *answer = NULL, *o = json_pack("{s:s}", "id", c->argv[0]);
    int rc;

    if (o == NULL)
        return cli_usage(c, "a record's id looks like MAIN-1/3/0042");
    if (!j_body(o, NULL, &body))
        return cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/records/void", &body, NULL, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("%s  takes back %s\n", j_text(answer, "id", "-"), c->argv[0]);
    json_decref(answer);
    buf_free(&body);
    client_close(cl);
    return rc;
}
