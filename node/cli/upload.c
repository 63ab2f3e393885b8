/* upload.c - `tideover upload plan`, `run`, `status` and `report`. */
#include "client.h"

#include <sodium.h>
#include <string.h>

#include "setup.h"

/* ---- words ---- */

/* "2 new users (first), 401 checkouts, 18 renewals" */
static void add_kinds(struct buf *b, const json_t *send)
{
    static const struct {
        const char *key, *one, *many;
    } kinds[] = { { "user", "new user (first)", "new users (first)" },
                  { "checkout", "checkout", "checkouts" },
                  { "renew", "renewal", "renewals" },
                  { "discharge", "discharge", "discharges" },
                  { "inhouse", "in-house use", "in-house uses" } };
    bool first = true;
    char n[32];

    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        long long v = j_int(send, kinds[i].key, 0);
        if (v == 0)
            continue;
        words_number(v, n);
        buf_printf(b, "%s%s %s", first ? ": " : ", ", n, v == 1 ? kinds[i].one : kinds[i].many);
        first = false;
    }
}

static void print_line(const char *label, long long n, const char *what)
{
    char number[32];

    if (n == 0)
        return;
    words_number(n, number);
    printf("  %-10s %s%s\n", label, number, what);
}

/* "538 records from 4 desks, 09:12:04 - 13:58:40; 6 duplicates, ... leave 524" */
static void print_total(const json_t *p)
{
    static const char *const fates[] = { "send_total", "held",      "waits",
                                         "review",     "duplicates", "voided",
                                         "superseded", "uncarried",  "unwritable" };
    long long total = j_int(p, "total", 0), rest = total, desks = (long long)j_count(p, "desks"),
              duplicates = j_int(p, "duplicates", 0), voided = j_int(p, "voided", 0);
    char n[32], first[32], last[32];

    for (unsigned i = 0; i < sizeof fates / sizeof fates[0]; i++)
        rest -= j_int(p, fates[i], 0);
    words_number(total, n);
    printf("%s record%s from %lld desk%s", n, total == 1 ? "" : "s", desks, desks == 1 ? "" : "s");
    words_time(json_object_get(p, "first"), false, first);
    words_time(json_object_get(p, "last"), false, last);
    if (total > 0)
        printf(", %s - %s", first, last);
    if (duplicates > 0 || voided > 0 || rest > 0) {
        long long left = total - duplicates - voided - (rest > 0 ? rest : 0);

        printf("; %lld duplicate%s, %lld voided", duplicates, duplicates == 1 ? "" : "s", voided);
        if (rest > 0)
            printf(" (and %s%lld void%s)", rest == voided ? "their " : "", rest,
                   rest == 1 ? "" : "s");
        words_number(left, n);
        printf(" leave %s", n);
    }
    putchar('\n');
}

static void print_texts(const struct cli *c, enum hue h, const char *label, const json_t *texts)
{
    const json_t *t;
    size_t i;

    json_array_foreach(texts, i, t)
        printf("%s%s%s%s\n", hue(c, h), label,
               json_is_string(t) ? json_string_value(t) : j_text(t, "message", "-"),
               hue(c, HUE_OFF));
}

static void print_missing(const struct cli *c, const json_t *missing)
{
    const json_t *m;
    char ago[32];
    size_t i;

    json_array_foreach(missing, i, m) {
        words_ago(j_int(m, "last_seen_s", -1), ago);
        printf("%s# %s is away (last seen: %s) and may have more than the %lld records known%s\n",
               hue(c, HUE_WARN), j_text(m, "desk", "a desk"), ago, j_int(m, "records_known", 0),
               hue(c, HUE_OFF));
    }
}

void plan_print(const struct cli *c, const json_t *p)
{
    struct buf kinds = { 0 };

    print_texts(c, HUE_BAD, "# Problem: ", json_object_get(p, "problems"));
    print_missing(c, json_object_get(p, "missing"));
    print_total(p);
    add_kinds(&kinds, json_object_get(p, "send"));
    buf_add(&kinds, "", 1);
    if (j_int(p, "send_total", 0) > 0 && !kinds.failed)
        print_line("to upload", j_int(p, "send_total", 0), (const char *)kinds.p);
    else
        printf("  to upload  nothing\n");
    print_line("held", j_int(p, "held", 0), " discharges (discharges = hold): to be checked by hand");
    print_line("wait", j_int(p, "waits", 0), " behind the registration of their card");
    print_line("review", j_int(p, "review", 0), " not sent until a lead decides");
    print_line("replaced", j_int(p, "superseded", 0), " by a later due date of the same loan");
    print_line("not sent", j_int(p, "uncarried", 0), " that the format cannot say");
    print_line("unwritable", j_int(p, "unwritable", 0), " with a value the format cannot hold");
    print_texts(c, HUE_WARN, "  note       ", json_object_get(p, "losses"));
    if (j_text(p, "sink", NULL) != NULL)
        printf("  goes to    %s, as %s\n", j_text(p, "sink", "-"), j_text(p, "format", "-"));
    buf_free(&kinds);
}

/* "slot 3: 421 records in FILE by MAIN-1, 2026-11-23 14:05:10" */
static void print_last(const json_t *last)
{
    char at[32], n[32];

    if (!json_is_object(last))
        return;
    words_time(json_object_get(last, "at"), true, at);
    words_number(j_int(last, "records", 0), n);
    printf("Last upload: slot %lld, %s records, %s, by %s, %s\n", j_int(last, "slot", 0), n,
           j_text(last, "file", "-"), j_text(last, "desk", "-"), at);
}

/* ---- plan, status, report ---- */

int cmd_upload_plan(struct cli *c)
{
    struct client *cl = NULL;
    json_t *plan = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/plan", NULL, "merging", &plan);
    if (rc == 0 && c->json) {
        cli_json(plan);
    } else if (rc == 0) {
        plan_print(c, plan);
        puts("Nothing was sent. To send: tideover upload run");
    }
    json_decref(plan);
    client_close(cl);
    return rc;
}

int cmd_upload_status(struct cli *c)
{
    struct client *cl = NULL;
    json_t *s = NULL;
    char n[32];
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/status", NULL, NULL, &s);
    if (rc == 0 && c->json) {
        cli_json(s);
    } else if (rc == 0) {
        const char *state = j_text(s, "state", "-");
        long long total = j_int(s, "total", 0);

        if (strcmp(state, "failed") == 0)
            printf("%s# Problem: %s%s\n", hue(c, HUE_BAD), j_text(s, "message", "it failed"),
                   hue(c, HUE_OFF));
        printf("Upload       %s (slot %lld)", state, j_int(s, "slot", 0));
        if (total > 0)
            printf(", %lld / %lld", j_int(s, "done", 0), total);
        if (j_text(s, "uploader", NULL) != NULL)
            printf(", by %s (term %lld)", j_text(s, "uploader", "-"), j_int(s, "term", 0));
        words_number(j_int(s, "pending", 0), n);
        printf("\nNot uploaded %s records\n", n);
        print_last(json_object_get(s, "last"));
    }
    json_decref(s);
    client_close(cl);
    return rc;
}

static void print_names(const char *label, const json_t *names)
{
    const json_t *t;
    size_t i;

    if (json_array_size(names) == 0)
        return;
    fputs(label, stdout);
    json_array_foreach(names, i, t)
        printf("%s%s", i > 0 ? ", " : "",
               json_is_string(t) ? json_string_value(t) : j_text(t, "desk", "-"));
    putchar('\n');
}

/* What was sent and who answers for it. */
static void print_delivered(const json_t *r)
{
    char n[32];

    words_number(j_int(r, "send_total", j_int(r, "records", 0)), n);
    printf("  records    %s\n  file       %s\n  SHA-256    %s\n", n, j_text(r, "file", "-"),
           j_text(r, "sha256", "-"));
    printf("  sent by    %s\n", j_text(r, "desk", "-"));
    print_names("  accepted   ", json_object_get(r, "accepted_by"));
}

static void print_duplicates(const json_t *list)
{
    const json_t *d;
    size_t i;

    if (json_array_size(list) > 0)
        puts("Left out as the same event:");
    json_array_foreach(list, i, d)
        printf("  %s is %s (%s)\n", j_text(d, "id", "-"), j_text(d, "of", "-"),
               j_text(d, "rule", "-"));
}

/* In a report "duplicates" is the list; the plan's words want its number. */
static json_t *report_as_plan(const json_t *r)
{
    json_t *p = json_copy((json_t *)(uintptr_t)r);

    if (p != NULL && json_is_array(json_object_get(r, "duplicates")))
        json_object_set_new(p, "duplicates",
                            json_integer((json_int_t)j_count(r, "duplicates")));
    json_object_del(p, "sink");
    return p;
}

int cmd_upload_report(struct cli *c)
{
    const char *slot = c->value[OPT_SLOT];
    struct client *cl = NULL;
    json_t *r = NULL, *plan;
    char path[96] = "/api/v1/upload/report";
    int rc;

    if (slot != NULL && (*slot == 0 || strlen(slot) > 18 || slot[strspn(slot, "0123456789")] != 0))
        return cli_usage(c, "--slot must be a number, not \"%s\"", slot);
    if (slot != NULL)
        snprintf(path, sizeof path, "/api/v1/upload/report?slot=%s", slot);
    rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = cli_call(c, cl, path, NULL, "merging", &r);
    if (rc == 0 && c->json) {
        cli_json(r);
    } else if (rc == 0) {
        printf("Upload %lld\n", j_int(r, "slot", 0));
        print_delivered(r);
        print_names("  seats      ", json_object_get(r, "seats"));
        plan = report_as_plan(r);
        plan_print(c, plan);
        json_decref(plan);
        print_duplicates(json_object_get(r, "duplicates"));
    }
    json_decref(r);
    client_close(cl);
    return rc;
}

/* ---- run ---- */

static int nothing_to_upload(const struct cli *c, const json_t *answer)
{
    if (c->json) {
        cli_json(answer);
        return 0;
    }
    puts("Nothing to upload: every record of the branch has its outcome.");
    print_last(json_object_get(answer, "last"));
    return 0;
}

/* Delivered: who, what, where. The report is the promise; the status line stands in for it. */
static int tell_delivered(const struct cli *c, struct client *cl, long long slot)
{
    json_t *r = NULL;
    char path[96];
    int rc;

    snprintf(path, sizeof path, "/api/v1/upload/report?slot=%lld", slot);
    rc = cli_call(c, cl, path, NULL, "writing the report", &r);
    if (rc == 0 && c->json) {
        cli_json(r);
    } else if (rc == 0) {
        printf("%sDelivered: upload %lld%s\n", hue(c, HUE_GOOD), slot, hue(c, HUE_OFF));
        print_delivered(r);
    }
    json_decref(r);
    return rc;
}

/* Under way already, by another command, page or desk: no second trigger is needed. */
static bool is_under_way(const json_t *status)
{
    const char *state = j_text(status, "state", "");

    return strcmp(state, "gathering") == 0 || strcmp(state, "agreed") == 0 ||
           strcmp(state, "sending") == 0;
}

static int start(const struct cli *c, struct client *cl, json_t **answer)
{
    char passphrase[SETUP_WORDS] = "";
    struct buf body = { 0 };
    int rc = passphrase_get(c, passphrase);

    if (rc == 0 && !j_body(json_object(), passphrase, &body))
        rc = cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    sodium_memzero(passphrase, sizeof passphrase);
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/run", &body, "unlocking the lead key", answer);
    buf_wipe(&body);
    return rc;
}

/* 0: go on. The plan is shown before anything is asked. */
static int show_and_ask(const struct cli *c, const json_t *plan)
{
    if (!c->json)
        plan_print(c, plan);
    fflush(stdout);
    if (c->value[OPT_YES] != NULL)
        return 0;
    if (!c->json && term_can_ask() && term_ask_yes("Upload this?"))
        return 0;
    if (c->json)
        cli_json(plan);
    else
        puts("Nothing was sent. To send: tideover upload run --yes");
    return 1;
}

static int run(const struct cli *c, struct client *cl, json_t *status, json_t *plan,
               json_t **answer)
{
    long long slot = j_int(status, "slot", 0);
    int rc;

    if (is_under_way(status)) {
        cli_note(c, "Upload %lld is under way already.\n", slot);
    } else {
        if (j_int(plan, "total", 0) == 0)
            return nothing_to_upload(c, status);
        rc = show_and_ask(c, plan);
        if (rc == 0)
            rc = start(c, cl, answer);
        if (rc != 0)
            return rc;
        if (j_is(*answer, "nothing"))
            return nothing_to_upload(c, *answer);
        slot = j_int(*answer, "slot", slot);
    }
    rc = upload_follow(c, cl, slot);
    return rc == 0 ? tell_delivered(c, cl, slot) : rc;
}

int cmd_upload_run(struct cli *c)
{
    struct client *cl = NULL;
    json_t *status = NULL, *plan = NULL, *answer = NULL;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/status", NULL, NULL, &status);
    if (rc == 0 && !is_under_way(status))
        rc = cli_call(c, cl, "/api/v1/upload/plan", NULL, "merging", &plan);
    if (rc == 0)
        rc = run(c, cl, status, plan, &answer);
    json_decref(status);
    json_decref(plan);
    json_decref(answer);
    client_close(cl);
    return rc;
}
