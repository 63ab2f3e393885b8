/* peers.c - `tideover peers`: the branch's desks, and what each lacks. */
#include "client.h"

#include <string.h>

static const char *const heading[] = { "NAME",    "ID",    "STATE", "LAST SEEN", "BEHIND",
                                       "MISSING", "CLOCK", "DISK",  "VERSION",   "ADDRESS" };
#define COLUMNS (sizeof heading / sizeof heading[0])

static void clock_words(const json_t *p, char out[32])
{
    const json_t *ms = json_object_get(p, "clock_ms");

    if (json_is_integer(ms))
        snprintf(out, 32, "%+.1fs", (double)json_integer_value(ms) / 1000);
    else
        snprintf(out, 32, "-");
}

/* Free, where its store lies. */
static void disk_words(const json_t *p, char out[32])
{
    const json_t *bytes = json_object_get(p, "disk_free_bytes");
    long long mib = json_integer_value(bytes) >> 20;

    if (!json_is_integer(bytes))
        snprintf(out, 32, "-");
    else if (mib < 1024)
        snprintf(out, 32, "%lld M !", mib);
    else
        snprintf(out, 32, "%lld G", mib >> 10);
}

static void add_peer(struct table *t, const json_t *p)
{
    bool this = j_is(p, "this");
    char ago[32], clock[32], behind[32], missing[32], disk[32];
    const char *why = j_text(json_object_get(p, "last_error"), "message", ""),
               *address = j_text(p, "address", "");

    words_ago(j_int(p, "last_seen_s", -1), ago);
    clock_words(p, clock);
    disk_words(p, disk);
    words_number(j_int(p, "behind", 0), behind);
    words_number(j_int(p, "missing", 0), missing);
    table_cell(t, "%s%s", j_text(p, "name", "-"), j_is(p, "seat") ? "*" : "");
    table_cell(t, "%.8s", j_text(p, "id", "-"));
    table_cell(t, "%s", this ? "(this)" : j_text(p, "state", "-"));
    table_cell(t, "%s", this ? "-" : ago);
    table_cell(t, "%s", this ? "-" : behind);
    table_cell(t, "%s", this ? "-" : missing);
    table_cell(t, "%s", this ? "-" : clock);
    table_cell(t, "%s", disk);
    table_cell(t, "%s", j_text(p, "version", "-"));
    table_cell(t, "%s%s%s%s", *address ? address : "-", *why ? " (" : "", why, *why ? ")" : "");
}

int cmd_peers(struct cli *c)
{
    struct client *cl = NULL;
    struct table t;
    json_t *answer = NULL, *p;
    size_t i;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/peers", NULL, NULL, &answer);
    if (rc == 0 && c->json) {
        cli_json(answer);
    } else if (rc == 0) {
        table_begin(&t, heading, COLUMNS);
        json_array_foreach(json_object_get(answer, "peers"), i, p) add_peer(&t, p);
        table_end(&t);
        if (t.aligned)
            cli_note(c, "* has a seat: one of the desks that decide what is uploaded\n");
    }
    json_decref(answer);
    client_close(cl);
    return rc;
}
