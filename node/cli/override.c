/* override.c - `tideover upload override` and `overlaps`: going on without the missing seats. */
#include "client.h"

#include <sodium.h>
#include <string.h>

#include "setup.h"

static void print_desks(const char *label, const json_t *list)
{
    const json_t *t;
    size_t i;

    fputs(label, stdout);
    json_array_foreach(list, i, t)
    {
        char ago[32];
        printf("%s%s", i > 0 ? ", " : "",
               json_is_string(t) ? json_string_value(t) : j_text(t, "desk", "-"));
        if (!json_is_object(t))
            continue;
        words_ago(j_int(t, "last_seen_s", -1), ago);
        if (j_int(t, "last_seen_s", -1) >= 0)
            printf(" (last seen: %s)", ago);
        else
            fputs(" (not seen since this desk started)", stdout);
    }
    puts(json_array_size(list) == 0 ? "none" : "");
}

/* O5: what a lead would find out too late. */
static void print_behind(const struct cli *c, const json_t *p)
{
    long long uploads = j_int(p, "behind", 0);
    char n[32];

    if (uploads == 0)
        return;
    words_number(j_int(p, "unlisted", 0), n);
    printf("%s  %lld decided upload%s stay%s behind: no desk that is reached holds all their "
           "records. What they "
           "sent\n  is not sent again; what they set aside (records: %s) is in no list afterwards. "
           "If a desk "
           "that has\n  those records can come back, wait for it.%s\n",
           hue(c, HUE_WARN), uploads, uploads == 1 ? "" : "s", uploads == 1 ? "s" : "", n,
           hue(c, HUE_OFF));
}

static void print_plan(const struct cli *c, const json_t *p)
{
    char n[32];

    if (j_is(p, "allowed"))
        printf("Override %lld: the desks that can be reached go on without the others.\n",
               j_int(p, "epoch", 0));
    print_desks("  reached      ", json_object_get(p, "reached"));
    print_desks("  NOT reached  ", json_object_get(p, "missing"));
    print_desks("  seats now    ", json_object_get(p, "seats"));
    if (!j_is(p, "allowed")) /* what it would bring is of no use to anybody now */
        return;
    print_desks("  new seats    ", json_object_get(p, "new_seats"));
    if (j_is(p, "open"))
        puts("  An upload that was agreed on here may be under way; it is finished under its own "
             "name.");
    print_behind(c, p);
    words_number(j_int(p, "may_double", 0), n);
    printf("%s  Up to %s records may reach the server twice if one of the desks that are not "
           "reached\n  is uploading now. Go and look at them first, if you can.%s\n",
           hue(c, HUE_WARN), n, hue(c, HUE_OFF));
}

/* 0: go on. */
static int show_and_ask(const struct cli *c, const json_t *plan)
{
    if (!c->json)
        print_plan(c, plan);
    fflush(stdout);
    if (c->value[OPT_YES] != NULL)
        return 0;
    if (!c->json && term_can_ask() && term_ask_yes("Sign this override?"))
        return 0;
    if (c->json)
        cli_json(plan);
    else
        puts("Nothing was signed. To sign: tideover upload override --reason TEXT --yes");
    return 1;
}

static int sign(const struct cli *c)
{
    json_t *answer = NULL, *o = json_object();
    int rc;

    if (!j_put(o, "reason", c->value[OPT_REASON])) {
        json_decref(o);
        return cli_usage(c, "the reason is not well-formed text");
    }
    rc = cli_call_as_lead(c, "/api/v1/upload/override", o, &answer);
    if (rc == 0 && c->json)
        cli_json(answer);
    else if (rc == 0)
        printf("%sOverride %lld is in force.%s To send what is pending: tideover upload run\n"
               "When a missing desk is back, look once at: tideover upload overlaps\n",
               hue(c, HUE_GOOD), j_int(answer, "epoch", 0), hue(c, HUE_OFF));
    json_decref(answer);
    return rc;
}

int cmd_upload_override(struct cli *c)
{
    bool only_plan = c->value[OPT_PLAN] != NULL;
    const char *reason = c->value[OPT_REASON];
    struct client *cl = NULL;
    json_t *plan = NULL;
    int rc;

    if (!only_plan && (reason == NULL || *reason == 0))
        return cli_usage(c, "upload override needs --reason TEXT (or --plan, to look first)");
    rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/override", NULL, NULL, &plan);
    client_close(cl);
    if (rc == 0 && only_plan) {
        if (c->json)
            cli_json(plan);
        else
            print_plan(c, plan);
        if (!c->json)
            printf("%s%s\n",
                   j_is(plan, "allowed") ? "Nothing was signed. To sign: tideover upload "
                                           "override --reason TEXT"
                                         : "No override now: ",
                   j_is(plan, "allowed") ? "" : j_text(plan, "message", "-"));
    } else if (rc == 0 && !j_is(plan, "allowed")) {
        rc = cli_fail(c, err_exit(ERR_REFUSED), j_text(plan, "code", "refused"), "%s",
                      j_text(plan, "message", "an override is not possible now"));
    } else if (rc == 0) {
        rc = show_and_ask(c, plan);
        rc = rc == 0 ? sign(c) : rc;
    }
    json_decref(plan);
    return rc;
}

int cmd_upload_overlaps(struct cli *c)
{
    struct client *cl = NULL;
    json_t *o = NULL, *x;
    char n[32];
    size_t i;
    int rc = cli_connect(c, &cl);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/overlaps", NULL, NULL, &o);
    if (rc == 0 && c->json) {
        cli_json(o);
    } else if (rc == 0 && j_int(o, "total", 0) == 0) {
        puts("No record was sent in two uploads, as far as this desk knows.");
    } else if (rc == 0) {
        words_number(j_int(o, "total", 0), n);
        printf("%s records stood in two uploads. Look each up in the server; what is there twice, "
               "undo once.\n",
               n);
        json_array_foreach(json_object_get(o, "overlaps"), i, x)
        {
            const json_t *a = json_object_get(x, "in"), *b = json_object_get(x, "again_in");
            printf("  %-18s upload %lld of epoch %lld, upload %lld of epoch %lld\n",
                   j_text(x, "id", "-"), j_int(a, "slot", 0), j_int(a, "epoch", 0),
                   j_int(b, "slot", 0), j_int(b, "epoch", 0));
        }
        if ((long long)j_count(o, "overlaps") < j_int(o, "total", 0))
            puts("  ... and more: the manifests beside the two uploads name them all.");
    }
    json_decref(o);
    client_close(cl);
    return rc;
}
