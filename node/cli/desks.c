/* desks.c - `tideover retire`, `rename`, `role`, `roster conflicts`: the branch's desks as leads
 * set them. */
#include "client.h"

#include <string.h>

void print_seats_left(const json_t *answer)
{
    long long seats = j_int(answer, "seats", 0), left = j_int(answer, "seats_left", 0);

    if (!j_is(answer, "had_seat"))
        return;
    printf(
        "It had one of the %lld seats. That stays empty, so an upload needs %lld of the %lld that "
        "are left.\n",
        seats, seats / 2 + 1, left);
    if (left < seats / 2 + 1)
        printf("These are too few: no upload is possible until a lead overrides (tideover upload "
               "override --plan).\n");
}

int cmd_retire(struct cli *c)
{
    json_t *answer = NULL, *o = json_pack("{s:s}", "desk", c->argv[0]);
    int rc;

    if (o == NULL)
        return cli_usage(c, "the desk's name is not well-formed text");
    rc = cli_call_as_lead(c, "/api/v1/retire", o, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        printf("%s is retired. Leave its PC on until \"tideover status\" there says that other "
               "desks have all its records.\n",
               j_text(answer, "desk", c->argv[0]));
        print_seats_left(answer);
    }
    json_decref(answer);
    return rc;
}

int cmd_rename(struct cli *c)
{
    json_t *answer = NULL, *o = json_pack("{s:s, s:s}", "desk", c->argv[0], "name", c->argv[1]);
    int rc;

    if (o == NULL)
        return cli_usage(c, "a desk's name is not well-formed text");
    rc = cli_call_as_lead(c, "/api/v1/rename", o, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("%s is called %s now. Its record numbers and its line in [stations] stay %s.\n",
               c->argv[0], j_text(answer, "desk", c->argv[1]), j_text(answer, "joined", "-"));
    json_decref(answer);
    return rc;
}

int cmd_role(struct cli *c)
{
    json_t *answer = NULL, *o = json_pack("{s:s, s:s}", "desk", c->argv[0], "roles", c->argv[1]);
    int rc;

    if (o == NULL)
        return cli_usage(c, "the desk's name is not well-formed text");
    rc = cli_call_as_lead(c, "/api/v1/role", o, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        const char *desk = j_text(answer, "desk", c->argv[0]);
        bool held = j_is(answer, "held_lead_key"), holds = j_is(answer, "holds_lead_key");

        printf("%s is %s now.\n", desk, c->argv[1]);
        if (!held && holds)
            printf("It gets the sealed lead key from another lead desk once both are on.\n");
        if (held && !holds)
            printf("It gives its copy of the lead key up once it hears. If you do not trust that, "
                   "change the passphrase or make a new lead key.\n");
    }
    json_decref(answer);
    return rc;
}

/* ---- conflicts ---- */

static void join_roles(const json_t *roles, char *out, size_t room)
{
    const json_t *v;
    size_t i, n = 0;

    out[0] = 0;
    json_array_foreach(roles, i, v) n +=
        (size_t)snprintf(out + n, n < room ? room - n : 0, "%s%s", i ? "," : "",
                         json_is_string(v) ? json_string_value(v) : "?");
}

static void print_conflict(const json_t *o)
{
    const char *kind = j_text(o, "kind", "");
    char wanted[64], is[64];

    if (strcmp(kind, "desk") == 0) {
        join_roles(json_object_get(o, "wanted_roles"), wanted, sizeof wanted);
        join_roles(json_object_get(o, "roles"), is, sizeof is);
        printf("%s is %s; another lead wanted it to be called %s, as %s. Say which with: tideover "
               "rename, tideover role\n",
               j_text(o, "desk", "-"), is, j_text(o, "wanted_name", "-"), wanted);
    } else if (strcmp(kind, "policy") == 0) {
        printf(
            "Another policy was published apart from the one in force. Look at \"tideover policy "
            "show\" and publish the right one again.\n");
    } else if (strcmp(kind, "passphrase") == 0) {
        printf(
            "The lead's passphrase was changed at two desks apart from each other; one of the two "
            "stands. Change it once more where it opens: tideover passphrase\n");
    } else {
        printf("Two desks are called %s. Rename the newer one: tideover rename %s NAME\n",
               j_text(o, "desk", "-"), j_text(o, "id", "-"));
    }
}

int cmd_roster_conflicts(struct cli *c)
{
    struct client *cl = NULL;
    json_t *answer = NULL, *o;
    size_t i;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/roster/conflicts", NULL, NULL, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        json_array_foreach(json_object_get(answer, "conflicts"), i, o) print_conflict(o);
        if (j_count(answer, "conflicts") == 0)
            cli_note(c, "The leads agree; nothing waits for a person.\n");
    }
    json_decref(answer);
    client_close(cl);
    return rc;
}
