/* revoke.c - `tideover revoke DESK`: a lost or stolen PC is trusted no longer. */
#include "cli_int.h"

#include <sodium.h>
#include <string.h>

/* It held the lead key, and the root key is at hand: a new lead key in the same act. */
static int revoke_and_renew(const struct cli *c, json_t *o, json_t **answer)
{
    struct new_passphrase next = { .path = NULL };
    char root[65] = "";
    int rc = root_key_get(c, root);

    if (rc == 0 && (rc = passphrase_new(c, c->value[OPT_NEW_PASSPHRASE], &next)) == 0) {
        struct secret v[] = { { "root", root }, { "new", next.words } };
        rc = cli_call_with(c, "/api/v1/revoke", o, v, 2, answer);
    } else {
        json_decref(o);
    }
    passphrase_new_end(c, &next, rc);
    sodium_memzero(root, sizeof root);
    return rc;
}

static void print_lead_key(const struct cli *c, const json_t *answer)
{
    if (j_is(answer, "new_lead_key"))
        printf("A new lead key was made with the new passphrase, and the old ones ended.\n");
    else if (j_is(answer, "held_lead_key"))
        cli_note(c,
                 "It held the lead key, sealed by the passphrase. If the PC may be in wrong hands, "
                 "fetch the root key: tideover lead new --root-key-file FILE --drop-others\n");
}

int cmd_revoke(struct cli *c)
{
    json_t *answer = NULL, *o = json_pack("{s:s}", "desk", c->argv[0]);
    char records[32];
    int rc;

    if (o == NULL)
        return cli_usage(c, "the desk's name is not well-formed text");
    if (c->value[OPT_NEW_PASSPHRASE] != NULL && c->value[OPT_ROOT_KEY] == NULL) {
        json_decref(o);
        return cli_usage(c, "a new passphrase needs --root-key-file as well");
    }
    rc = c->value[OPT_ROOT_KEY] != NULL ? revoke_and_renew(c, o, &answer)
                                        : cli_call_as_lead(c, "/api/v1/revoke", o, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        words_number(j_int(answer, "records_trusted", 0), records);
        printf(
            "%s is revoked. Its %s records known so far still count; later ones are set aside.\n",
            j_text(answer, "desk", c->argv[0]), records);
        print_seats_left(answer);
        print_lead_key(c, answer);
    }
    json_decref(answer);
    return rc;
}
