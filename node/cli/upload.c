/* upload.c - `tideover upload plan`, `run`, `status` and `report`. */
#include "client.h"

#include <sodium.h>
#include <string.h>

#include "setup.h"

/* "slot 3, 421 of 538 records sent, FILE, by MAIN-1, 2026-11-23 14:05:10" */
static void print_last(const json_t *last)
{
    long long records = j_int(last, "records", 0), lines = j_int(last, "lines", records);
    char at[32], n[32], sent[40] = "";

    if (!json_is_object(last))
        return;
    words_time(json_object_get(last, "at"), true, at);
    words_number(records, n);
    if (lines < records) {
        words_number(lines, sent);
        strcat(sent, " of ");
    }
    printf("Last upload: slot %lld, %s%s record%s sent, %s, by %s, %s\n", j_int(last, "slot", 0),
           sent, n, records == 1 ? "" : "s", j_text(last, "file", "-"), j_text(last, "desk", "-"),
           at);
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
        puts(j_int(plan, "total", 0) == 0 ? "No record of the branch is pending."
                                          : "Nothing was sent. To send: tideover upload run");
    }
    json_decref(plan);
    client_close(cl);
    return rc;
}

/* Decided, but not done with: a person or a later slot has the last word on them. */
static void print_set_aside(const json_t *answer)
{
    struct buf why = { 0 };
    char n[32];

    if (j_int(answer, "set_aside", 0) == 0)
        return;
    words_number(j_int(answer, "set_aside", 0), n);
    words_aside(json_object_get(answer, "aside"), &why);
    printf("Set aside    %s record%s%s%s: tideover upload aside\n", n,
           j_int(answer, "set_aside", 0) == 1 ? "" : "s", why.len > 1 ? ", " : "",
           why.len > 1 ? (const char *)why.p : "");
    if (j_int(answer, "released", 0) > 0)
        printf("Released     %lld of them, to go with the next upload\n",
               j_int(answer, "released", 0));
    buf_free(&why);
}

static void print_override(const json_t *s)
{
    char n[32];

    if (j_int(s, "epoch", 0) > 0)
        printf("Override     number %lld is in force\n", j_int(s, "epoch", 0));
    words_number(j_int(s, "doubled", 0), n);
    if (j_int(s, "doubled", 0) > 0)
        printf("Sent twice   %s record%s: tideover upload overlaps\n", n,
               j_int(s, "doubled", 0) == 1 ? "" : "s");
}

/* "waiting (slot 3), next try in 4 s", and below it why. */
static void print_waiting(const json_t *s)
{
    long long next = j_int(s, "next_try_s", 0);

    if (next > 0)
        printf(", next try in %lld s", next);
    else
        printf(", trying");
    printf("\n  why        %s", j_text(s, "message", "-"));
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
        printf("Upload       %s", state);
        if (strcmp(state, "delivered") != 0 &&
            strcmp(state, "settled") != 0) /* then its slot is that of the next one */
            printf(" (slot %lld)", j_int(s, "slot", 0));
        if (total > 0)
            printf(", %lld / %lld", j_int(s, "done", 0), total);
        if (j_text(s, "uploader", NULL) != NULL)
            printf(", by %s (term %lld)", j_text(s, "uploader", "-"), j_int(s, "term", 0));
        if (strcmp(state, "waiting") == 0)
            print_waiting(s);
        words_number(j_int(s, "pending", 0), n);
        printf("\nNot uploaded %s record%s\n", n, j_int(s, "pending", 0) == 1 ? "" : "s");
        print_set_aside(s);
        print_override(s);
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

/* Handed over is one thing, what became of it another. */
static void print_settled(const json_t *r)
{
    const char *how = j_text(json_object_get(r, "settled"), "how", "");

    printf("  settled    %s\n",
           strcmp(how, "answers") == 0        ? "yes: the server answered for each record"
           : strcmp(how, "loaded") == 0       ? "yes: the system's load report was read"
           : strcmp(how, "word") == 0         ? "yes: somebody looked, and confirmed it"
           : strcmp(how, "nothing_sent") == 0 ? "yes: nothing was to be sent"
                                              : "not yet: delivered, and nobody has said yet what "
                                                "became of it there");
}

static void print_confirmed(const json_t *r)
{
    const json_t *by = json_object_get(r, "confirmed");
    char at[80];

    if (!json_is_object(by)) {
        printf("  confirmed  not yet: tideover upload confirm --slot %lld\n", j_int(r, "slot", 0));
        return;
    }
    words_span(json_object_get(by, "at"), json_object_get(by, "at"), at);
    printf("  confirmed  by %s, %s\n", j_text(by, "by", "-"), at);
}

/* What the ILS said of single records, where it says anything. */
static void print_answers(const json_t *r)
{
    const json_t *answers = json_object_get(r, "answers");
    struct buf words = { 0 };

    if (json_object_size(answers) == 0)
        return;
    words_aside(answers, &words);
    printf("  answers    %s: tideover upload exceptions --slot %lld\n", (const char *)words.p,
           j_int(r, "slot", 0));
    buf_free(&words);
}

/* What was sent and who answers for it. */
static void print_delivered(const json_t *r)
{
    char n[32], at[80];

    words_number(j_int(r, "send_total", j_int(r, "records", 0)), n);
    printf("  records    %s\n  file       %s\n  SHA-256    %s\n", n, j_text(r, "file", "-"),
           j_text(r, "sha256", "-"));
    printf("  in         %s\n", j_text(r, "sink", "-"));
    words_span(json_object_get(r, "at"), json_object_get(r, "at"), at);
    printf("  sent by    %s, %s\n", j_text(r, "desk", "-"), at);
    print_names("  accepted   ", json_object_get(r, "accepted_by"));
    print_answers(r);
    print_settled(r);
    print_confirmed(r);
}

static void print_open(const json_t *r)
{
    if (j_int(r, "open", 0) > 0)
        printf("Of what it set aside %lld %s still open: tideover upload aside --slot %lld\n",
               j_int(r, "open", 0), j_int(r, "open", 0) == 1 ? "is" : "are", j_int(r, "slot", 0));
}

static void print_list(const char *label, const json_t *list)
{
    const json_t *d;
    size_t i;

    json_array_foreach(list, i, d)
    {
        const char *of = j_text(d, "of", ""), *rule = j_text(d, "rule", ""),
                   *why = j_text(d, "why", "");

        if (*j_text(d, "was", "") != 0) {
            printf("  %-10s %s by a lead, was %s in upload %lld\n", label, j_text(d, "id", "-"),
                   j_text(d, "was", ""), j_int(d, "in", 0));
            continue;
        }
        printf("  %-10s %s%s%s%s%s%s%s%s\n", label, j_text(d, "id", "-"), *of != 0 ? " of " : "",
               of, *rule != 0 ? " (" : "", rule, *rule != 0 ? ")" : "", *why != 0 ? ": " : "", why);
    }
}

/* What was not sent, record by record. */
static void print_lists(const json_t *report)
{
    json_t *lists = json_object_get(report, "lists"), *list;
    const char *name;

    json_object_foreach(lists, name, list) print_list(name, list);
}

/* The plan's words, without where it would go. */
static json_t *report_as_plan(const json_t *r)
{
    json_t *p = json_copy((json_t *)(uintptr_t)r);

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
        if (j_is(r, "erased"))
            puts("Its records are erased: it was confirmed, and kept as long as the policy says.");
        else
            plan_print(c, plan);
        json_decref(plan);
        print_lists(r);
        print_open(r);
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
    puts("Nothing to upload: no record of the branch is pending.");
    print_set_aside(answer);
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

/* Under way already, by another command, page or desk: no second trigger is needed. "gathering" may
 * as well be a change of seats; then the trigger is. */
static bool is_under_way(const json_t *status)
{
    const char *state = j_text(status, "state", "");

    return (strcmp(state, "waiting") == 0 && j_text(status, "uploader", NULL) != NULL) ||
           strcmp(state, "agreed") == 0 || strcmp(state, "sending") == 0 ||
           strcmp(state, "deciding") == 0 || strcmp(state, "paused") == 0;
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
        rc = cli_can_sign(c, cl);
        if (rc == 0)
            rc = show_and_ask(c, plan);
        if (rc == 0)
            rc = start(c, cl, answer);
        if (rc != 0)
            return rc;
        if (j_is(*answer, "nothing"))
            return nothing_to_upload(c, *answer);
        slot = j_int(*answer, "slot", slot);
    }
    rc = upload_follow(c, cl, &slot);
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
