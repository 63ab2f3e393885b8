/* revoke.c - `tideover revoke DESK`: a lost or stolen PC is trusted no longer. */
#include "cli_int.h"

int cmd_revoke(struct cli *c)
{
    json_t *answer = NULL, *o = json_pack("{s:s}", "desk", c->argv[0]);
    char records[32];
    int rc;

    if (o == NULL)
        return cli_usage(c, "the desk's name is not well-formed text");
    rc = cli_call_as_lead(c, "/api/v1/revoke", o, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        words_number(j_int(answer, "records_trusted", 0), records);
        printf(
            "%s is revoked. Its %s records known so far still count; later ones are set aside.\n",
            j_text(answer, "desk", c->argv[0]), records);
    }
    json_decref(answer);
    return rc;
}
