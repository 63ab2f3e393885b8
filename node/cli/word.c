/* word.c - `tideover upload confirm`: what people say of an upload that was delivered. */
#include "client.h"

#include <stdlib.h>
#include <string.h>

static int slot_value(const struct cli *c, long long *slot)
{
    const char *s = c->value[OPT_SLOT];

    if (*s == 0 || strlen(s) > 18 || s[strspn(s, "0123456789")] != 0)
        return cli_usage(c, "--slot must be a number, not \"%s\"", s);
    *slot = strtoll(s, NULL, 10);
    return 0;
}

static int call_plain(const struct cli *c, const char *path, json_t *o, json_t **answer)
{
    struct client *cl = NULL;
    struct buf body = { 0 };
    int rc;

    if (!j_body(o, NULL, &body))
        return cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    if ((rc = cli_connect(c, &cl)) == 0)
        rc = cli_call(c, cl, path, &body, "looking", answer);
    buf_free(&body);
    client_close(cl);
    return rc;
}

int cmd_upload_confirm(struct cli *c)
{
    json_t *answer = NULL;
    bool check = c->value[OPT_CHECK] != NULL;
    long long slot = 0;
    int rc = slot_value(c, &slot);

    if (rc == 0 && check)
        rc = call_plain(c, "/api/v1/upload/confirm",
                        json_pack("{s:I, s:b}", "slot", (json_int_t)slot, "check", 1), &answer);
    else if (rc == 0)
        rc = cli_call_as_lead(c, "/api/v1/upload/confirm",
                              json_pack("{s:I}", "slot", (json_int_t)slot), &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("Upload %lld is confirmed%s.\n", slot,
               check ? ": this desk found the file with the content that was agreed on" : "");
    json_decref(answer);
    return rc;
}
