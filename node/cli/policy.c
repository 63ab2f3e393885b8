/* policy.c - `tideover policy show` and `publish`. */
#include "client.h"

int cmd_policy_show(struct cli *c)
{
    struct client *cl = NULL;
    json_t *answer = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/policy", NULL, NULL, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        fputs(j_text(answer, "text", ""), stdout);
    json_decref(answer);
    client_close(cl);
    return rc;
}

/* What it will run into, while there is time to mend it. */
static void print_remarks(const struct cli *c, const json_t *remarks)
{
    const json_t *r;
    size_t i;

    json_array_foreach(remarks, i, r)
        printf("%s# %s%s\n", hue(c, HUE_WARN), j_text(r, "message", "-"), hue(c, HUE_OFF));
}

int cmd_policy_publish(struct cli *c)
{
    struct buf text = { 0 };
    json_t *answer = NULL, *o = NULL;
    int rc = policy_load(c, c->argv[0], &text);

    if (rc == 0) {
        o = json_pack("{s:s}", "text", (const char *)text.p);
        rc = o != NULL ? cli_call_as_lead(c, "/api/v1/policy", o, &answer)
                       : cli_fail(c, err_exit(ERR_CONFIG), "config", "%s is not UTF-8", c->argv[0]);
    }
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        printf("Published; every desk of the branch follows %s once it has heard.\n", c->argv[0]);
        print_remarks(c, json_object_get(answer, "remarks"));
    }
    json_decref(answer);
    buf_free(&text);
    return rc;
}
