/* status.c - `tideover status`: one screen, problems first. */
#include "client.h"

#include <string.h>

static void print_problem(const struct cli *c, const json_t *p)
{
    const char *text = json_is_string(p) ? json_string_value(p) : j_text(p, "message", NULL);
    const char *desk = j_text(p, "desk", NULL);

    printf("%s# Problem: %s%s%s%s%s\n", hue(c, HUE_BAD),
           text != NULL ? text : j_text(p, "code", "unknown"),
           text == NULL && desk != NULL ? " (" : "", text == NULL && desk != NULL ? desk : "",
           text == NULL && desk != NULL ? ")" : "", hue(c, HUE_OFF));
}

static void print_records(const json_t *records)
{
    static const struct {
        const char *key, *words;
    } parts[] = { { "local", "recorded here" },
                  { "replicated", "of them also on other desks" },
                  { "held", "of the branch on this PC" },
                  { "pending", "not uploaded yet" } };
    long long known = j_int(records, "union", 0), held = j_int(records, "held", 0);
    bool first = true;
    char n[32];

    fputs("Records   ", stdout);
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        long long v = j_int(records, parts[i].key, -1);

        if (v < 0)
            continue;
        words_number(v, n);
        printf("%s%s %s", first ? "" : ", ", n, parts[i].words);
        first = false;
    }
    if (known > held) {
        words_number(known - held, n);
        printf(", %s on the way", n);
    }
    putchar('\n');
}

static void print_set_aside(const json_t *records)
{
    struct buf why = { 0 };
    char n[32];

    if (j_int(records, "set_aside", 0) == 0)
        return;
    words_number(j_int(records, "set_aside", 0), n);
    words_aside(json_object_get(records, "aside"), &why);
    printf("Set aside %s%s%s: tideover upload aside\n", n, why.len > 1 ? ": " : "",
           why.len > 1 ? (const char *)why.p : "");
    buf_free(&why);
}

static void print_upload(const json_t *status)
{
    const json_t *uploader = json_object_get(status, "uploader");
    const json_t *upload = json_object_get(status, "upload");
    long long term = j_int(uploader, "term", -1);

    if (json_is_string(uploader))
        printf("Uploader  %s\n", json_string_value(uploader));
    else if (j_text(uploader, "desk", NULL) != NULL && term >= 0)
        printf("Uploader  %s (term %lld)\n", j_text(uploader, "desk", "-"), term);
    else
        printf("Uploader  none elected\n");
    if (json_is_string(upload))
        printf("Upload    %s\n", json_string_value(upload));
    else if (json_is_object(upload))
        printf("Upload    %s\n", j_text(upload, "state", "-"));
}

static void print_store(const json_t *store)
{
    long long disk = j_int(store, "disk_free_bytes", -1), used = j_int(store, "used_bytes", -1);

    if (used < 0 && disk < 0)
        return;
    fputs("Store    ", stdout);
    if (used >= 0)
        printf(" %lld KiB used%s", used / 1024, disk >= 0 ? "," : "");
    if (disk >= 0)
        printf(" %lld GiB free on the disk", disk >> 30);
    putchar('\n');
}

static void print_practice(const struct cli *c, const json_t *s)
{
    const json_t *practice = json_object_get(s, "practice");
    char at[32];

    if (j_is(practice, "on")) {
        words_time(json_object_get(practice, "until"), false, at);
        printf("%sPractice  on until %s: nothing is recorded here (to end: tideover practice "
               "off)%s\n",
               hue(c, HUE_WARN), at, hue(c, HUE_OFF));
    } else if (json_is_string(json_object_get(s, "last_drill"))) {
        words_time(json_object_get(s, "last_drill"), true, at);
        printf("Practice  last drill here %s\n", at);
    }
}

int cmd_status(struct cli *c)
{
    struct client *cl = NULL;
    json_t *s = NULL, *problem;
    size_t i;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/status", NULL, NULL, &s);
    if (rc == 0 && c->json) {
        cli_json(s);
    } else if (rc == 0) {
        json_array_foreach(json_object_get(s, "problems"), i, problem) print_problem(c, problem);
        printf("Branch    %s\nThis desk %s%s%s\n", j_text(s, "branch", "-"), j_text(s, "desk", "-"),
               j_text(s, "id", NULL) != NULL ? "  " : "", j_text(s, "id", ""));
        print_practice(c, s);
        print_server(c, json_object_get(s, "server"));
        print_records(json_object_get(s, "records"));
        print_set_aside(json_object_get(s, "records"));
        print_upload(s);
        print_store(json_object_get(s, "store"));
    }
    json_decref(s);
    client_close(cl);
    return rc;
}
