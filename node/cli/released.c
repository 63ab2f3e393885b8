/* released.c - `tideover upload aside`, `release` and `cards`: what uploads set aside, and what a
 * lead sends again of it. */
#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KNOWN_TRIES 50 /* five a second */

static const char *const heading[] = {
    "ID", "OP", "ITEM", "USER", "NAME", "AT", "UPLOAD", "REASON"
};
#define COLUMNS (sizeof heading / sizeof heading[0])

static bool is_number(const char *s)
{
    return *s != 0 && strlen(s) <= 18 && s[strspn(s, "0123456789")] == 0;
}

/* "?slot=3&reason=held" */
static int ask(const struct cli *c, struct client *cl, json_t **out)
{
    const char *slot = c->value[OPT_SLOT], *reason = c->value[OPT_ASIDE];
    char path[128];

    if (slot != NULL && !is_number(slot))
        return cli_usage(c, "--slot must be a number, not \"%s\"", slot);
    if (reason != NULL &&
        (strlen(reason) > 15 || reason[strspn(reason, "abcdefghijklmnopqrstuvwxyz_")] != 0))
        return cli_usage(c, "a reason is held, waits, review, late_void, unwritable, behind, "
                            "by_hand, refused, quarantined, kept_back or in_doubt");
    snprintf(path, sizeof path, "/api/v1/upload/aside?slot=%s&reason=%s", slot ? slot : "0",
             reason ? reason : "");
    for (unsigned i = 0;; i++) { /* just after an upload the list is being computed */
        int rc = cli_call(c, cl, path, NULL, NULL, out);
        if (rc != 0 || j_is(*out, "known") || i == KNOWN_TRIES)
            return rc;
        json_decref(*out);
        *out = NULL;
        nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
    }
}

static void add_row(struct table *t, const json_t *o, bool full)
{
    char user[40], at[32], item[48];
    const char *last = full ? j_text(o, "last", "") : "",
               *first = full ? j_text(o, "first", "") : "";

    words_barcode(j_text(o, "user", ""), full, user);
    words_time(json_object_get(o, "at"), true, at);
    words_item(o, item);
    table_cell(t, "%s", j_text(o, "id", "-"));
    table_cell(t, "%s", j_text(o, "op", "-"));
    table_cell(t, "%s", item);
    table_cell(t, "%s", *user != 0 ? user : "-");
    table_cell(t, "%s%s%s", *last != 0 ? last : "-", *first != 0 ? ", " : "", first);
    table_cell(t, "%s", at);
    table_cell(t, "%lld", j_int(o, "slot", 0));
    table_cell(t, "%s%s", j_text(o, "reason", "-"), j_is(o, "released") ? ", released" : "");
}

/* Each reason once, with what to do. */
static void print_next_steps(const json_t *records)
{
    const json_t *o, *before;
    size_t i, k;

    json_array_foreach(records, i, o)
    {
        bool said = false;
        for (k = 0; k < i && !said; k++) {
            before = json_array_get(records, k);
            said = strcmp(j_text(before, "reason", ""), j_text(o, "reason", "")) == 0;
        }
        if (!said)
            printf("%s: %s\n", j_text(o, "reason", "-"), j_text(o, "next", "-"));
    }
}

static void print_aside(const struct cli *c, const json_t *answer)
{
    const json_t *records = json_object_get(answer, "records"), *o;
    long long total = j_int(answer, "total", 0);
    struct table t;
    size_t i;

    if (total == 0) {
        puts("Nothing is set aside.");
        return;
    }
    table_begin(&t, heading, COLUMNS);
    json_array_foreach(records, i, o) add_row(&t, o, c->value[OPT_FULL] != NULL);
    table_print(&t);
    table_end(&t);
    if (total > (long long)i)
        printf("%lld more: ask with --slot or --reason\n", total - (long long)i);
    print_next_steps(records);
}

int cmd_upload_aside(struct cli *c)
{
    struct client *cl = NULL;
    json_t *answer = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = ask(c, cl, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        print_aside(c, answer);
    json_decref(answer);
    client_close(cl);
    return rc;
}

/* ---- release ---- */

static bool is_named(const struct cli *c, const json_t *o)
{
    for (int i = 0; i < c->argc; i++)
        if (strcmp(c->argv[i], j_text(o, "id", "")) == 0)
            return true;
    return c->argc == 0;
}

static bool may_go(const json_t *o)
{
    return strcmp(j_text(o, "reason", ""), "late_void") != 0 &&
           strcmp(j_text(o, "reason", ""), "unknown") != 0;
}

/* What would go: shown before anything is asked or signed. */
static json_t *plan_of(const struct cli *c, const json_t *answer)
{
    json_t *plan = json_pack("{s:i, s:o}", "schema", 1, "records", json_array());
    const json_t *o;
    size_t i;

    json_array_foreach(json_object_get(answer, "records"), i,
                       o) if (is_named(c, o) && may_go(o) && !j_is(o, "released"))
        json_array_append(json_object_get(plan, "records"), (json_t *)(uintptr_t)o);
    json_object_set_new(
        plan, "total", json_integer((json_int_t)json_array_size(json_object_get(plan, "records"))));
    return plan;
}

static int release(const struct cli *c, json_t **answer)
{
    json_t *o = json_object(), *ids = json_array();

    for (int i = 0; i < c->argc; i++)
        json_array_append_new(ids, json_string(c->argv[i]));
    json_object_set_new(o, "ids", ids);
    if (c->value[OPT_SLOT] != NULL)
        json_object_set_new(o, "slot", json_integer(strtoll(c->value[OPT_SLOT], NULL, 10)));
    if (c->value[OPT_ASIDE] != NULL)
        json_object_set_new(o, "reason", json_string(c->value[OPT_ASIDE]));
    return cli_call_as_lead(c, "/api/v1/upload/release", o, answer);
}

static int show_and_ask(const struct cli *c, const json_t *plan)
{
    long long total = j_int(plan, "total", 0);

    if (total == 0 && c->argc == 0) {
        if (c->json)
            cli_json(plan);
        else
            puts("Nothing to release: see \"tideover upload aside\".");
        return 1;
    }
    if (!c->json && total > 0) {
        print_aside(c, plan);
        printf("%lld record%s would go with the next upload, as recorded, once.\n", total,
               total == 1 ? "" : "s");
    }
    fflush(stdout);
    if (c->value[OPT_YES] != NULL || (!c->json && term_can_ask() && term_ask_yes("Release?")))
        return 0;
    if (c->json)
        cli_json(plan);
    else
        puts("Nothing was released. To do it: the same command with --yes");
    return 1;
}

int cmd_upload_release(struct cli *c)
{
    bool some = c->value[OPT_SLOT] != NULL || c->value[OPT_ASIDE] != NULL;
    struct client *cl = NULL;
    json_t *all = NULL, *plan = NULL, *answer = NULL;
    int rc = 0;

    if ((c->argc > 0) == some)
        rc = cli_usage(c, "name the records, or an upload with --slot and perhaps a --reason");
    if (rc == 0)
        rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = ask(c, cl, &all);
    if (rc == 0) {
        plan = plan_of(c, all);
        rc = show_and_ask(c, plan);
    }
    if (rc == 0)
        rc = release(c, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("%lld record%s released%s, to go with the next upload (tideover upload plan).\n",
               j_int(answer, "records", 0), j_int(answer, "records", 0) == 1 ? " is" : "s are",
               j_is(answer, "more") ? ", the rest with the same command again" : "");
    json_decref(all);
    json_decref(plan);
    json_decref(answer);
    client_close(cl);
    return rc;
}

/* ---- cards ---- */

int cmd_upload_cards(struct cli *c)
{
    const char *slot = c->value[OPT_SLOT];
    json_t *o = json_object(), *answer = NULL;
    int rc;

    if (slot != NULL && !is_number(slot)) {
        json_decref(o);
        return cli_usage(c, "--slot must be a number, not \"%s\"", slot);
    }
    if (slot != NULL)
        json_object_set_new(o, "slot", json_integer(strtoll(slot, NULL, 10)));
    rc = cli_call_as_lead(c, "/api/v1/upload/cards", o, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf(
            "The cards registered up to upload %lld exist: %lld record%s that waited go%s with the "
            "next upload.\n",
            j_int(answer, "slot", 0), j_int(answer, "records", 0),
            j_int(answer, "records", 0) == 1 ? "" : "s",
            j_int(answer, "records", 0) == 1 ? "es" : "");
    json_decref(answer);
    return rc;
}
