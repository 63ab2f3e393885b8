/* record.c - `tideover record OP`: one durable record. */
#include "client.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    enum cli_opt option;
    const char *key;
} fields[] = {
    { OPT_USER, "user" },     { OPT_ITEM, "item" },   { OPT_DUE, "due" },
    { OPT_AT, "at" },         { OPT_FIRST, "first" }, { OPT_LAST, "last" },
    { OPT_BIRTH, "birth" },   { OPT_PHONE, "phone" }, { OPT_EMAIL, "email" },
    { OPT_STREET, "street" }, { OPT_CITY, "city" },   { OPT_POSTCODE, "postcode" },
    { OPT_TYPE, "type" },     { OPT_KIND, "kind" },   { OPT_LABEL, "label" },
};

static int record_json(const struct cli *c, json_t **out)
{
    json_t *o = json_object();
    bool good = o != NULL && j_put(o, "op", c->command->object);

    for (unsigned i = 0; i < sizeof fields / sizeof fields[0] && good; i++) {
        good = j_put(o, fields[i].key, c->value[fields[i].option]);
        if (!good) {
            json_decref(o);
            return cli_fail(c, err_exit(ERR_INVALID), "invalid", "--%s is not well-formed text",
                            option_row(fields[i].option)->name);
        }
    }
    if (c->value[OPT_KEEP])
        json_object_set_new(o, "confirm", json_true());
    if (c->value[OPT_PIECES])
        json_object_set_new(o, "count", json_integer(strtol(c->value[OPT_PIECES], NULL, 10)));
    *out = o;
    return o ? 0 : cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
}

static int record_plain(struct cli *c, json_t *o, json_t **answer)
{
    struct client *cl = NULL;
    struct buf body = { 0 };
    int rc =
        j_body(o, NULL, &body) ? 0 : cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");

    if (rc == 0)
        rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/records", &body, NULL, answer);
    buf_wipe(&body);
    client_close(cl);
    return rc;
}

static void print_saved(const struct cli *c, const json_t *answer)
{
    const json_t *note = json_object_get(answer, "note");
    long long copies = j_int(answer, "copies", 1);

    printf("%s", j_text(answer, "id", "-"));
    if (!c->quiet)
        printf("  saved on %lld desk%s", copies, copies == 1 ? "" : "s");
    if (!c->quiet && json_object_get(answer, "due"))
        printf(", due %s", j_text(answer, "due", "-"));
    putchar('\n');
    if (!c->quiet && note)
        printf("note: %s\n", j_text(note, "message", ""));
    if (json_object_get(answer, "warning"))
        cli_note(c, "tideover: %s\n", j_text(json_object_get(answer, "warning"), "message", "-"));
}

/* Of a checkout either the item or a kind. */
static int check_pieces(const struct cli *c)
{
    const char *count = c->value[OPT_PIECES];

    if (strcmp(c->command->object, "checkout") == 0 && !c->value[OPT_ITEM] == !c->value[OPT_KIND])
        return cli_usage(c, "say --item NUMBER, or --kind KIND for things without a barcode");
    if (count != NULL && (*count == 0 || strlen(count) > 2 || count[strspn(count, "0123456789")]))
        return cli_usage(c, "--count is 1 to 99, not \"%s\"", count);
    return 0;
}

int cmd_record(struct cli *c)
{
    json_t *answer = NULL, *o = NULL;
    int rc;

    if (c->command->object == NULL)
        return batch_run(c, c->value[OPT_BATCH]);
    if ((rc = check_pieces(c)) != 0)
        return rc;
    rc = record_json(c, &o);
    if (rc == 0)
        rc = c->value[OPT_OVERRIDE] ? cli_call_as_lead(c, "/api/v1/records/override", o, &answer)
                                    : record_plain(c, o, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        print_saved(c, answer);
    json_decref(answer);
    return rc;
}
