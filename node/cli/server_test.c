/* server_test.c - `tideover server test`: what the SIP2 server of the policy really does. Talks to
 * it from this desk, with this desk's credentials. */
#include "client.h"

#include <string.h>

#include <sodium.h>

#include "policy.h"
#include "sip2_test.h"

struct loan {
    char item[BARCODE_MAX + 2], user[BARCODE_MAX + 2];
};

static int get_policy(const struct cli *c, struct policy *out)
{
    struct errmsg msg = { .text = "" };
    struct client *cl = NULL;
    json_t *answer = NULL;
    int rc = cli_connect(c, &cl);
    const char *text;
    enum err e;

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/policy", NULL, NULL, &answer);
    text = j_text(answer, "text", "");
    if (rc == 0 && (e = policy_parse(text, strlen(text), out, &msg)) != ERR_OK)
        rc = cli_err(c, e, &msg);
    json_decref(answer);
    client_close(cl);
    return rc;
}

/* Barcodes never stand in arguments, where every program on this PC could read them. */
static bool read_barcode(const char *question, char *out, size_t room)
{
    if (term_can_ask()) {
        if (!term_ask_secret(question, out, room))
            return false;
    } else if (fgets(out, (int)room, stdin) == NULL) {
        return false;
    }
    out[strcspn(out, "\r\n")] = '\0';
    return barcode_is_clean(out);
}

static int get_loan(const struct cli *c, struct loan *l)
{
    if (!c->value[OPT_LOAN])
        return 0;
    if (!read_barcode("Item for the test loan", l->item, sizeof l->item) ||
        !read_barcode("User for the test loan", l->user, sizeof l->user))
        return cli_usage(c, "--loan wants two lines on standard input: the number of an item of "
                            "yours that is not on loan, and that of a test user");
    if (c->value[OPT_YES])
        return 0;
    if (!term_can_ask())
        return cli_usage(c, "without a terminal --loan needs --yes");
    return term_ask_yes(
               "This lends that item to that user in the library system, and takes it back "
               "at once. Go on?")
               ? 0
               : cli_fail(c, err_exit(ERR_MISSING), "nothing_done", "nothing was lent");
}

static void show(const struct cli *c, const struct policy *p, const struct sip2_report *r)
{
    if (c->json) {
        cli_json(r->facts);
    } else {
        fwrite(r->words.p, 1, r->words.len, stdout);
        if (p->sip2.canary[0] == '\0')
            printf("No canary is set: an upload could not tell a library system that is down from "
                   "unknown items. Set canary in [sip2].\n");
        if (!c->value[OPT_LOAN])
            printf("What it does with loans was not tried: tideover server test --loan\n");
    }
    cli_note(c, "kept in %s", r->path);
}

int cmd_server_test(struct cli *c)
{
    struct policy policy;
    struct errmsg msg = { .text = "" };
    struct sip2_report r = { .facts = NULL };
    struct loan loan = { .item = "" };
    int rc = get_policy(c, &policy);
    enum err e;

    if (rc == 0)
        rc = get_loan(c, &loan);
    if (rc == 0) {
        e = sip2_test(c->state, &policy, loan.item[0] != '\0' ? loan.item : NULL, loan.user, &r,
                      &msg);
        if (e == ERR_OK)
            show(c, &policy, &r);
        rc = e != ERR_OK ? cli_err(c, e, &msg) : r.broke_off ? err_exit(ERR_PEER) : 0;
    }
    sip2_report_free(&r);
    sodium_memzero(&loan, sizeof loan);
    return rc;
}
