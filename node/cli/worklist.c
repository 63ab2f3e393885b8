/* worklist.c - `tideover worklist` and `worklist done`: discharges that are held, for HOLD-CHECK.
 */
#include "client.h"

#include <string.h>
#include <time.h>

#define KNOWN_TRIES 50 /* five a second */

static const char *const heading[] = { "ID", "ITEM", "AT", "DESK", "STAFF", "STATE" };
#define COLUMNS (sizeof heading / sizeof heading[0])

static int ask(const struct cli *c, struct client *cl, json_t **out)
{
    for (unsigned i = 0;; i++) { /* just after an upload the list is being computed */
        int rc = cli_call(c, cl, "/api/v1/worklist", NULL, "merging", out);
        if (rc != 0 || j_is(*out, "known") || i == KNOWN_TRIES)
            return rc;
        json_decref(*out);
        *out = NULL;
        nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
    }
}

/* "2026-11-23T09:12:04-05:00", the library's own time, as "2026-11-23 09:12:04". */
static void local_time(const json_t *o, char out[20])
{
    const char *at = j_text(o, "at", "-");

    snprintf(out, 20, "%.19s", at);
    if (strlen(out) == 19)
        out[10] = ' ';
}

static const char *text_or_dash(const json_t *o, const char *key)
{
    const char *s = j_text(o, key, "");

    return *s != 0 ? s : "-";
}

static void add_row(struct table *t, const json_t *o)
{
    char at[20];

    local_time(o, at);
    table_cell(t, "%s", text_or_dash(o, "id"));
    table_cell(t, "%s", text_or_dash(o, "item"));
    table_cell(t, "%s", at);
    table_cell(t, "%s", text_or_dash(o, "desk"));
    table_cell(t, "%s", text_or_dash(o, "staff"));
    table_cell(t, "%s", text_or_dash(o, "state"));
}

/* Each state once, with what to do. */
static void print_next_steps(const json_t *rows)
{
    static const char *const states[] = { "due", "waits", "goes" };
    const json_t *o;
    size_t i;

    for (unsigned k = 0; k < sizeof states / sizeof states[0]; k++)
        json_array_foreach(rows, i, o) if (strcmp(j_text(o, "state", ""), states[k]) == 0)
        {
            printf("%s: %s.\n", states[k], j_text(o, "next", "-"));
            break;
        }
}

static void print_people(const json_t *answer)
{
    const json_t *rows = json_object_get(answer, "records"), *o;
    long long total = j_int(answer, "total", 0);
    struct table t;
    size_t i;

    if (total == 0) {
        puts("No discharge is held.");
        return;
    }
    table_begin(&t, heading, COLUMNS);
    json_array_foreach(rows, i, o) add_row(&t, o);
    table_print(&t);
    table_end(&t);
    if (total > (long long)i)
        printf("%lld more: they follow once these are done\n", total - (long long)i);
    print_next_steps(rows);
}

static void print_csv(const json_t *rows)
{
    static const char *const columns[] = { "item", "at", "desk", "staff", "id", "state", "next" };
    const unsigned n = sizeof columns / sizeof columns[0];
    const json_t *o;
    size_t i;

    for (unsigned k = 0; k < n; k++)
        printf("%s%s", k > 0 ? "," : "", columns[k]);
    fputs("\r\n", stdout);
    json_array_foreach(rows, i, o)
    {
        char at[20];

        local_time(o, at);
        for (unsigned k = 0; k < n; k++)
            csv_cell(strcmp(columns[k], "at") == 0 ? at : j_text(o, columns[k], ""), k + 1 == n);
    }
}

int cmd_worklist(struct cli *c)
{
    struct client *cl = NULL;
    json_t *answer = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = ask(c, cl, &answer);
    if (rc == 0 && !j_is(answer, "known") && !c->json)
        fputs("tideover: what the last upload held is being computed: ask again in a moment\n",
              stderr);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        j_scrub(answer);
        if (c->value[OPT_CSV] != NULL)
            print_csv(json_object_get(answer, "records"));
        else
            print_people(answer);
    }
    json_decref(answer);
    client_close(cl);
    return rc;
}

int cmd_worklist_done(struct cli *c)
{
    json_t *answer = NULL, *ids = json_array();
    int rc;

    for (int i = 0; i < c->argc; i++)
        json_array_append_new(ids, json_string(c->argv[i]));
    rc = cli_call_as_lead(c, "/api/v1/worklist/done", json_pack("{s:o}", "ids", ids), &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf(j_int(answer, "records", 0) == 1
                   ? "%lld discharge is done, on every desk's list.\n"
                   : "%lld discharges are done, on every desk's list.\n",
               j_int(answer, "records", 0));
    json_decref(answer);
    return rc;
}
