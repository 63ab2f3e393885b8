/* invite.c - `tideover invite`: a one-time code for one more desk. */
#include "cli_int.h"

#include <string.h>

#define EXPIRES_S     1800
#define EXPIRES_MAX_S 86400 /* a code that lies about for longer is found by somebody */

/* "30m", "2h", "90s". 0: none of these, or too long. */
static long expires_s(const char *s)
{
    long n = 0;

    if (s == NULL)
        return EXPIRES_S;
    for (; *s >= '0' && *s <= '9' && n <= EXPIRES_MAX_S; s++)
        n = n * 10 + (*s - '0');
    if (strcmp(s, "m") == 0)
        n *= 60;
    else if (strcmp(s, "h") == 0)
        n *= 3600;
    else if (strcmp(s, "s") != 0)
        n = 0;
    return n <= EXPIRES_MAX_S ? n : 0;
}

int cmd_invite(struct cli *c)
{
    const char *role = c->value[OPT_ROLE] != NULL ? c->value[OPT_ROLE] : "desk";
    long seconds = expires_s(c->value[OPT_EXPIRES]);
    json_t *answer = NULL, *o;
    int rc;

    if (strcmp(role, "desk") != 0 && strcmp(role, "lead") != 0 && strcmp(role, "admin") != 0)
        return cli_usage(c, "--role must be desk, lead or admin, not \"%s\"", role);
    if (seconds == 0)
        return cli_usage(c, "--expires must be a time like 30m or 2h, a day at most");
    o = json_pack("{s:s,s:s,s:I}", "desk", c->value[OPT_DESK], "role", role, "expires_s",
                  (json_int_t)seconds);
    if (o == NULL)
        return cli_usage(c, "the desk's name is not well-formed text");
    rc = cli_call_as_lead(c, "/api/v1/invites", o, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        printf("%s\n", j_text(answer, "code", ""));
        fflush(stdout);
        cli_note(c, "Branch key   %s\n", j_text(answer, "words", "-"));
        cli_note(c, seconds % 60 == 0 ? "valid %ld minutes" : "valid %ld seconds",
                 seconds % 60 == 0 ? seconds / 60 : seconds);
        cli_note(c, ", once, for %s; on the new desk: tideover join CODE\n", c->value[OPT_DESK]);
    }
    json_decref(answer);
    return rc;
}
