/* leads.c - `tideover passphrase`, `lead list`, `lead new`, `lead drop`, `roster log`. */
#include "client.h"

#include <sodium.h>
#include <string.h>

static void print_others(const json_t *answer)
{
    const json_t *v;
    size_t i;

    json_array_foreach(json_object_get(answer, "lead_desks"), i, v)
        printf("%s%s", i == 0 ? "Other lead desks get it once they are on with this one: " : ", ",
               json_is_string(v) ? json_string_value(v) : "?");
    if (j_count(answer, "lead_desks") > 0)
        printf(".\n");
}

int cmd_passphrase(struct cli *c)
{
    char old[SETUP_WORDS_MAX] = "";
    struct new_passphrase next = { .path = NULL };
    struct client *cl = NULL;
    json_t *answer = NULL;
    int rc = cli_connect(c, &cl); /* no node, no question */

    if (rc == 0)
        rc = cli_can_sign(c, cl);
    client_close(cl);
    if (rc == 0)
        rc = passphrase_get(c, old);
    if (rc == 0 && (rc = passphrase_new(c, c->value[OPT_NEW_PASSPHRASE], &next)) == 0) {
        struct secret v[] = { { "passphrase", old }, { "new", next.words } };
        rc = cli_call_with(c, "/api/v1/passphrase", json_object(), v, 2, &answer);
    }
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        printf("The lead's passphrase is changed; the old one opens nothing here any more.\n");
        print_others(answer);
    }
    passphrase_new_end(c, &next, rc);
    sodium_memzero(old, sizeof old);
    json_decref(answer);
    return rc;
}

int cmd_lead_list(struct cli *c)
{
    struct client *cl = NULL;
    json_t *answer = NULL, *o;
    size_t i;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/leads", NULL, NULL, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        json_array_foreach(json_object_get(answer, "leads"), i, o)
        {
            printf("%s  %s; signed %lld operations", j_text(o, "key", "-"),
                   j_is(o, "dropped")  ? "dropped"
                   : j_is(o, "in_use") ? "in use"
                                       : "stands, and no desk is told to keep it",
                   j_int(o, "operations", 0));
            if (j_int(o, "void", 0) > 0)
                printf(", %lld of them void", j_int(o, "void", 0));
            putchar('\n');
        }
    }
    json_decref(answer);
    client_close(cl);
    return rc;
}

int cmd_lead_new(struct cli *c)
{
    struct new_passphrase next = { .path = NULL };
    char root[65] = "";
    json_t *answer = NULL;
    int rc = root_key_get(c, root);

    if (rc == 0 && (rc = passphrase_new(c, c->value[OPT_NEW_PASSPHRASE], &next)) == 0) {
        struct secret v[] = { { "root", root }, { "new", next.words } };
        rc = cli_call_with(c, "/api/v1/leads",
                           json_pack("{s:b}", "drop_others", c->value[OPT_DROP_OTHERS] != NULL), v,
                           2, &answer);
    }
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        printf("The branch has a new lead key: %s. This desk keeps it.\n",
               j_text(answer, "key", "-"));
        print_others(answer);
        printf(j_is(answer, "dropped_others")
                   ? "All other lead keys ended; what they signed until now stands.\n"
                   : "The lead keys before it stand: see \"tideover lead list\", and drop one that "
                     "was lost.\n");
    }
    passphrase_new_end(c, &next, rc);
    sodium_memzero(root, sizeof root);
    json_decref(answer);
    return rc;
}

int cmd_lead_drop(struct cli *c)
{
    char root[65] = "";
    json_t *answer = NULL, *o = json_pack("{s:s}", "key", c->argv[0]);
    int rc = o == NULL || !j_put(o, "last", c->value[OPT_LAST_OP])
                 ? cli_usage(c, "the key's name is not well-formed text")
                 : root_key_get(c, root);

    if (rc == 0) {
        struct secret v[] = { { "root", root } };
        rc = cli_call_with(c, "/api/v1/leads/drop", o, v, 1, &answer);
    } else {
        json_decref(o);
    }
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("%s is dropped; %lld of its operations are void.\n", c->argv[0],
               j_int(answer, "voided", 0));
    sodium_memzero(root, sizeof root);
    json_decref(answer);
    return rc;
}

int cmd_roster_log(struct cli *c)
{
    static const char *const heading[] = { "OPERATION", "N", "WHAT", "DESK", "BY", "EFFECT" };
    struct client *cl = NULL;
    struct table t;
    json_t *answer = NULL, *o;
    size_t i;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/roster", NULL, NULL, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        table_begin(&t, heading, 6);
        json_array_foreach(json_object_get(answer, "operations"), i, o)
        {
            table_cell(&t, "%s", j_text(o, "operation", "-"));
            table_cell(&t, "%lld", j_int(o, "count", 0));
            table_cell(&t, "%s", j_text(o, "what", "-"));
            table_cell(&t, "%s", j_text(o, "desk", "-"));
            table_cell(&t, "%s", j_text(o, "by", "-"));
            table_cell(&t, "%s", !j_is(o, "counts") ? "void" : j_is(o, "wins") ? "-" : "aside");
        }
        table_end(&t);
    }
    json_decref(answer);
    client_close(cl);
    return rc;
}
