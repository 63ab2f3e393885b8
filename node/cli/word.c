/* word.c - `tideover upload confirm` and `done`, `erase`: what people say of uploads that were
 * delivered, and what becomes of their records. */
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

/* The last upload that this desk knows of; it is named to whoever confirms it. */
static int last_slot(const struct cli *c, long long *slot)
{
    struct client *cl = NULL;
    json_t *s = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/status", NULL, NULL, &s);
    *slot = j_int(json_object_get(s, "last"), "slot", 0);
    if (rc == 0 && *slot == 0)
        rc = cli_fail(c, err_exit(ERR_MISSING), "no_upload", "nothing has been uploaded yet");
    json_decref(s);
    client_close(cl);
    return rc;
}

int cmd_upload_confirm(struct cli *c)
{
    json_t *answer = NULL;
    bool check = c->value[OPT_CHECK] != NULL;
    long long slot = 0;
    int rc = c->value[OPT_SLOT] != NULL ? slot_value(c, &slot) : last_slot(c, &slot);

    if (rc == 0 && c->value[OPT_SLOT] == NULL)
        cli_note(c, "Upload %lld arrived:\n", slot);

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

int cmd_upload_done(struct cli *c)
{
    json_t *answer = NULL, *o = json_object(), *ids = json_array();
    long long slot = 0;
    int rc = 0;

    if ((c->argc > 0) == (c->value[OPT_SLOT] != NULL))
        rc = cli_usage(c, "name the records, or one upload with --slot");
    else if (c->value[OPT_SLOT] != NULL)
        rc = slot_value(c, &slot);
    for (int i = 0; i < c->argc; i++)
        json_array_append_new(ids, json_string(c->argv[i]));
    if (slot > 0)
        json_object_set_new(o, "slot", json_integer(slot));
    json_object_set_new(o, "ids", ids);
    if (rc == 0)
        rc = cli_call_as_lead(c, "/api/v1/upload/done", o, &answer);
    else
        json_decref(o);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0 && slot > 0)
        printf("What upload %lld set aside is settled.\n", slot);
    else if (rc == 0)
        printf(j_int(answer, "records", 0) == 1 ? "%lld record is settled.\n"
                                                : "%lld records are settled.\n",
               j_int(answer, "records", 0));
    json_decref(answer);
    return rc;
}

int cmd_restore_seat(struct cli *c)
{
    json_t *answer = NULL, *o = json_pack("{s:s}", "desk", c->argv[0]);
    int rc;

    if (o == NULL)
        return cli_usage(c, "the desk's name is not well-formed text");
    rc = cli_call_as_lead(c, "/api/v1/restore-seat", o, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("%s gets its vote back%s. It must stay on until then. To look: tideover status\n",
               j_text(answer, "desk", c->argv[0]),
               j_is(answer, "waits") ? " once the upload that is under way is delivered"
                                     : " in a moment");
    json_decref(answer);
    return rc;
}

static void print_fate(const json_t *u, bool going)
{
    char at[32];

    printf("Upload %lld  ", j_int(u, "slot", 0));
    if (j_is(u, "erased") && going) {
        puts("is being erased");
    } else if (j_is(u, "erased")) {
        puts(j_is(u, "all_kept") ? "erased; this desk kept what it could not judge" : "erased");
    } else if (json_is_string(json_object_get(u, "due"))) {
        words_time(json_object_get(u, "due"), true, at);
        printf("readable, erased after %s\n", at);
    } else {
        printf("readable, kept until somebody confirms it: tideover upload confirm --slot %lld\n",
               j_int(u, "slot", 0));
    }
}

int cmd_erase(struct cli *c)
{
    struct client *cl = NULL;
    json_t *s = NULL, *u;
    char n[32];
    size_t i;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/erasing", NULL, NULL, &s);
    if (rc == 0 && c->json) {
        cli_json(s);
    } else if (rc == 0) {
        json_array_foreach(json_object_get(s, "uploads"), i, u)
        {
            print_fate(u, j_is(s, "dropping_keys"));
        }
        if (i == 0)
            puts("Nothing has been uploaded yet.");
        words_number(j_int(s, "set_aside", 0), n);
        printf("Kept whatever happens: what is not uploaded, and %s set-aside records.\n", n);
    }
    json_decref(s);
    client_close(cl);
    return rc;
}
