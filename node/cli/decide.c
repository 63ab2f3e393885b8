/* decide.c - `tideover upload decide`: a lead's word on a file of which nobody knows whether it was
 * loaded. */
#include "client.h"

#include <stdlib.h>
#include <string.h>

/* What is in doubt, before anybody is asked. */
static void print_doubt(const json_t *d)
{
    char n[32];

    words_number(j_int(d, "lines", 0), n);
    printf("Upload %lld: nobody can tell whether this file arrived.\n", j_int(d, "slot", 0));
    printf("  file       %s\n", j_text(d, "file", "")[0] ? j_text(d, "file", "") : "-");
    printf("  records    %s\n  SHA-256    %s\n", n, j_text(d, "sha256", "-"));
}

/* 0: go on. */
static int ask(const struct cli *c, const json_t *doubt, bool arrived)
{
    if (!c->json)
        print_doubt(doubt);
    fflush(stdout);
    if (c->value[OPT_YES] != NULL)
        return 0;
    if (!c->json && term_can_ask() &&
        term_ask_yes(arrived ? "It arrived: it is never sent again?"
                             : "It did not arrive: it is sent once more?"))
        return 0;
    if (!c->json)
        puts("Nothing was decided. To decide without a question: --yes");
    return 1;
}

static int decide(struct cli *c, const json_t *doubt, long long slot, bool arrived)
{
    json_t *answer = NULL;
    int rc = ask(c, doubt, arrived);

    if (rc == 0)
        rc = cli_call_as_lead(c, "/api/v1/upload/decide",
                              json_pack("{s:I, s:b}", "slot", (json_int_t)slot, "arrived", arrived),
                              &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        puts(arrived ? "Noted: it counts as delivered. To look at it: tideover upload status"
                     : "Noted: it is sent once more. To look at it: tideover upload status");
    json_decref(answer);
    return rc;
}

int cmd_upload_decide(struct cli *c)
{
    const char *slot = c->value[OPT_SLOT], *word = c->value[OPT_ARRIVED];
    struct client *cl = NULL;
    json_t *status = NULL, *doubt;
    int rc;

    if (*slot == 0 || strlen(slot) > 18 || slot[strspn(slot, "0123456789")] != 0)
        return cli_usage(c, "--slot must be a number, not \"%s\"", slot);
    if (strcmp(word, "yes") != 0 && strcmp(word, "no") != 0)
        return cli_usage(c, "--arrived must be yes or no, not \"%s\"", word);
    rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/status", NULL, NULL, &status);
    client_close(cl);
    doubt = json_object_get(status, "doubt");
    if (rc == 0 && !json_is_object(doubt))
        rc = cli_fail(c, err_exit(ERR_MISSING), "nothing_in_doubt",
                      "nothing waits for a lead's decision; look at: tideover upload status");
    else if (rc == 0 && j_int(doubt, "slot", 0) != strtoll(slot, NULL, 10))
        rc = cli_fail(c, err_exit(ERR_REFUSED), "other_slot",
                      "it is slot %lld that waits for a decision", j_int(doubt, "slot", 0));
    if (rc == 0)
        rc = decide(c, doubt, strtoll(slot, NULL, 10), strcmp(word, "yes") == 0);
    json_decref(status);
    return rc;
}
