/* support.c - `tideover support FILE`: what somebody who helps from afar needs to see. */
#include "client.h"

#include <string.h>

int cmd_support(struct cli *c)
{
    struct target t = { .path = c->argv[0], .fd = -1 };
    struct client *cl = NULL;
    json_t *answer = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/support", NULL, NULL, &answer);
    client_close(cl);
    if (rc == 0 && (rc = target_open(c, &t)) == 0) {
        if (json_dumpfd(answer, t.fd, JSON_INDENT(1)) != 0)
            rc = cli_fail(c, err_exit(ERR_DISK), "disk", "cannot write %s", t.path);
        else if (!t.is_stdout)
            rc = target_keep(c, &t);
    }
    target_close(&t);
    if (rc == 0)
        cli_note(c,
                 "%s: no user, item, staff name or secret is in it; read it before you send "
                 "it.\n",
                 t.path);
    json_decref(answer);
    return rc;
}
