/* quarantine.c - `tideover quarantine list`, `admit`: what counts for nothing until a lead says so.
 */
#include "client.h"

#include <stdlib.h>
#include <string.h>

static const char *const heading[] = { "FEED", "RECORDS", "FROM", "TO", "WHY", "HISTORY", "HERE" };
#define COLUMNS (sizeof heading / sizeof heading[0])

static void add_row(struct table *t, const json_t *q)
{
    char records[32];

    words_number(j_int(q, "records", 0), records);
    table_cell(t, "%s", j_text(q, "feed", "-"));
    table_cell(t, "%s", records);
    table_cell(t, "%lld", (long long)j_int(q, "from", 0));
    table_cell(t, "%lld", (long long)j_int(q, "to", 0));
    table_cell(t, "%s", strcmp(j_text(q, "why", ""), "forked") == 0 ? "two histories" : "revoked");
    table_cell(t, "%s", j_text(q, "history", "-"));
    table_cell(t, "%s", j_is(q, "here") ? "yes" : "another desk");
}

int cmd_quarantine_list(struct cli *c)
{
    struct client *cl = NULL;
    struct table t;
    json_t *answer = NULL, *q;
    size_t i;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/quarantine", NULL, NULL, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0 && json_array_size(json_object_get(answer, "quarantine")) == 0) {
        printf("Nothing waits for a lead.\n");
    } else if (rc == 0) {
        table_begin(&t, heading, COLUMNS);
        json_array_foreach(json_object_get(answer, "quarantine"), i, q) add_row(&t, q);
        table_end(&t);
        cli_note(c, "To let records count: tideover quarantine admit FEED --to N\n");
    }
    json_decref(answer);
    client_close(cl);
    return rc;
}

int cmd_quarantine_admit(struct cli *c)
{
    json_t *answer = NULL, *o;
    char *end = NULL;
    long long to = strtoll(c->value[OPT_TO], &end, 10);
    int rc;

    if (*end != '\0' || to <= 0)
        return cli_usage(c, "--to takes the number of the last record that is to count");
    if ((o = json_pack("{s:s, s:I}", "feed", c->argv[0], "to", (json_int_t)to)) == NULL)
        return cli_usage(c, "the feed's name is not well-formed text");
    if (c->value[OPT_HISTORY] != NULL)
        json_object_set_new(o, "history", json_string(c->value[OPT_HISTORY]));
    rc = cli_call_as_lead(c, "/api/v1/quarantine", o, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("%s counts up to record %lld. It goes with the next upload.\n", c->argv[0], to);
    json_decref(answer);
    return rc;
}
