/* exceptions.c - `tideover upload exceptions`: what the ILS did not book as it was sent, and what
 * to do about each. */
#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KNOWN_TRIES 50 /* five a second */

static const char *const heading[] = {
    "ID", "AT", "DESK", "STAFF", "OP", "ITEM", "USER", "ANSWER"
};
#define COLUMNS (sizeof heading / sizeof heading[0])

/* All pages in one; "known" of the last. */
static int ask(const struct cli *c, struct client *cl, json_t **out)
{
    const char *slot = c->value[OPT_SLOT];
    json_t *all = NULL;
    char path[128];
    int rc;

    if (slot != NULL && (*slot == 0 || strlen(slot) > 18 || slot[strspn(slot, "0123456789")] != 0))
        return cli_usage(c, "--slot must be a number, not \"%s\"", slot);
    for (unsigned tries = 0;;) {
        json_t *page = NULL, *list = json_object_get(all, "exceptions");
        snprintf(path, sizeof path, "/api/v1/upload/exceptions?slot=%s&after=%zu",
                 slot ? slot : "0", json_array_size(list));
        if ((rc = cli_call(c, cl, path, NULL, NULL, &page)) != 0)
            break;
        if (all == NULL) {
            all = page;
        } else {
            json_array_extend(list, json_object_get(page, "exceptions"));
            json_object_set(all, "more", json_object_get(page, "more"));
            json_decref(page);
        }
        if (!j_is(all, "known") && tries++ < KNOWN_TRIES) { /* just after an upload */
            json_decref(all);
            all = NULL;
            nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
        } else if (j_int(all, "more", 0) == 0) {
            break;
        }
    }
    if (rc == 0)
        *out = all;
    else
        json_decref(all);
    return rc;
}

/* ---- for a spreadsheet ---- */

static void print_csv(const json_t *list)
{
    static const char *const columns[] = { "id",   "at",  "desk",   "staff", "op",    "item",
                                           "user", "due", "answer", "words", "means", "next" };
    const unsigned n = sizeof columns / sizeof columns[0];
    const json_t *o;
    char item[48];
    size_t i;

    fputs("upload,open", stdout);
    for (unsigned k = 0; k < n; k++)
        printf(",%s", columns[k]);
    fputs("\r\n", stdout);
    json_array_foreach(list, i, o)
    {
        printf("%lld,%s,", j_int(o, "slot", 0), j_is(o, "open") ? "yes" : "no");
        words_item(o, item);
        for (unsigned k = 0; k < n; k++)
            csv_cell(strcmp(columns[k], "item") == 0 ? item : j_text(o, columns[k], ""),
                     k + 1 == n);
    }
}

/* ---- for people ---- */

static void add_row(struct table *t, const json_t *o, bool full)
{
    char user[40], at[32], item[48];

    words_barcode(j_text(o, "user", ""), full, user);
    words_time(json_object_get(o, "at"), true, at);
    words_item(o, item);
    table_cell(t, "%s", j_text(o, "id", "-"));
    table_cell(t, "%s", at);
    table_cell(t, "%s", j_text(o, "desk", "-"));
    table_cell(t, "%s", *j_text(o, "staff", "") != 0 ? j_text(o, "staff", "") : "-");
    table_cell(t, "%s", j_text(o, "op", "-"));
    table_cell(t, "%s", item);
    table_cell(t, "%s", *user != 0 ? user : "-");
    table_cell(t, "%s%s", j_text(o, "answer", "-"), j_is(o, "released") ? ", released" : "");
}

static bool is_meant(const json_t *o, bool open)
{
    return open ? j_is(o, "open") : strcmp(j_text(o, "answer", ""), "deviating") == 0;
}

/* The table, and then what the ILS said and what to do, record by record. */
static size_t print_those(const struct cli *c, const json_t *list, bool open)
{
    const json_t *o;
    struct table t;
    size_t i, n = 0;

    json_array_foreach(list, i, o) n += is_meant(o, open);
    if (n == 0)
        return 0;
    table_begin(&t, heading, COLUMNS);
    json_array_foreach(list, i, o) if (is_meant(o, open))
        add_row(&t, o, c->value[OPT_FULL] != NULL);
    table_print(&t);
    table_end(&t);
    json_array_foreach(list, i, o)
    {
        const char *words = j_text(o, "words", "");
        if (!is_meant(o, open))
            continue;
        printf("\n%s: %s%s%s%s.\n  %s.\n", j_text(o, "id", "-"), j_text(o, "means", "-"),
               *words != 0 ? " (\"" : "", words, *words != 0 ? "\")" : "", j_text(o, "next", "-"));
    }
    return n;
}

static void print_exceptions(const struct cli *c, const json_t *answer)
{
    const json_t *list = json_object_get(answer, "exceptions");
    size_t open = print_those(c, list, true), deviating;

    if (open == 0)
        puts("No exception is open.");
    else
        printf(
            "\n%zu open. Settled by hand: tideover upload done ID... Send again: tideover upload "
            "release ID...\n",
            open);
    if (c->value[OPT_SLOT] == NULL)
        return; /* of all uploads together they would hide what is to be done */
    fputs("\n", stdout);
    deviating = print_those(c, list, false);
    if (deviating > 0)
        printf("\n%zu booked otherwise than sent.\n", deviating);
}

int cmd_upload_exceptions(struct cli *c)
{
    struct client *cl = NULL;
    json_t *answer = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = ask(c, cl, &answer);
    if (rc == 0 && !j_is(answer, "known") && !c->json)
        fputs("tideover: some answers are still on their way to this desk: ask again in a moment\n",
              stderr);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0 && c->value[OPT_CSV] != NULL)
        print_csv(json_object_get(answer, "exceptions"));
    else if (rc == 0)
        print_exceptions(c, answer);
    json_decref(answer);
    client_close(cl);
    return rc;
}
