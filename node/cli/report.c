/* report.c - `tideover report`: the outage for the director, gathered from what the node says. */
#include "client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "paper.h"

/* Only what a report needs: never names, addresses, notes; nor the system's own words, which may
 * have the user's in them. */
static json_t *exception_facts(const json_t *list, bool full)
{
    static const char *const keys[] = {
        "id", "desk", "slot", "op", "at", "answer", "means", "open"
    };
    json_t *out = json_array(), *o, *v;
    char user[40], item[40];
    size_t i;

    json_array_foreach(list, i, o)
    {
        json_t *kept = json_object();
        for (unsigned k = 0; k < sizeof keys / sizeof keys[0]; k++)
            if ((v = json_object_get(o, keys[k])) != NULL)
                json_object_set(kept, keys[k], v);
        words_barcode(j_text(o, "user", ""), full, user);
        words_barcode(j_text(o, "item", ""), full, item);
        json_object_set_new(kept, "user", json_string(user));
        json_object_set_new(kept, "item", json_string(item));
        json_array_append_new(out, kept);
    }
    return out;
}

static int add_upload(const struct cli *c, struct client *cl, long long slot, json_t *facts)
{
    json_t *r = NULL, *e = NULL;
    char path[96];
    int rc;

    snprintf(path, sizeof path, "/api/v1/upload/report?slot=%lld", slot);
    rc = cli_call(c, cl, path, NULL, "merging", &r);
    if (rc == 0)
        json_object_set(facts, "upload", r);
    snprintf(path, sizeof path, "/api/v1/upload/exceptions?slot=%lld", slot);
    if (rc == 0 && (rc = cli_call(c, cl, path, NULL, NULL, &e)) == 0) {
        json_object_set_new(
            facts, "exceptions",
            exception_facts(json_object_get(e, "exceptions"), c->value[OPT_FULL] != NULL));
        json_object_set(facts, "exceptions_open", json_object_get(e, "open"));
        json_object_set(facts, "exceptions_more", json_object_get(e, "more"));
    }
    json_decref(r);
    json_decref(e);
    return rc;
}

/* slot 0: the newest upload, if there is one. */
static int gather(const struct cli *c, struct client *cl, long long slot, json_t *facts)
{
    json_t *outage = NULL, *plan = NULL, *status = NULL, *loaded = NULL;
    int rc = cli_call(c, cl, "/api/v1/outage", NULL, NULL, &outage);

    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/status", NULL, NULL, &status);
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/loaded", NULL, NULL, &loaded);
    if (rc == 0)
        rc = cli_call(c, cl, "/api/v1/upload/plan", NULL, "merging", &plan);
    if (rc == 0) {
        json_object_set(facts, "branch", json_object_get(outage, "branch"));
        json_object_set(facts, "made", json_object_get(outage, "now"));
        json_object_set(facts, "server", json_object_get(outage, "sightings"));
        json_object_set(facts, "pending", json_object_get(status, "pending"));
        json_object_set(facts, "set_aside", json_object_get(status, "set_aside"));
        json_object_set(facts, "desks", json_object_get(plan, "desks"));
        json_object_set(facts, "uploads", json_object_get(loaded, "uploads"));
        if (slot == 0)
            slot = j_int(json_object_get(status, "last"), "slot", 0);
        if (slot > 0)
            rc = add_upload(c, cl, slot, facts);
    }
    json_decref(outage);
    json_decref(plan);
    json_decref(status);
    json_decref(loaded);
    return rc;
}

static int write_page(const struct cli *c, const json_t *paper)
{
    struct target t = { .path = c->value[OPT_HTML], .fd = -1 };
    FILE *f = NULL;
    int rc = target_open(c, &t);

    if (rc == 0 && (f = fdopen(dup(t.fd), "w")) == NULL)
        rc = cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    if (f != NULL) {
        bool bad;
        paper_html(paper, f);
        bad = ferror(f) != 0;
        if (fclose(f) != 0 || bad)
            rc = cli_fail(c, err_exit(ERR_DISK), "cannot_write", "cannot write %s: %s", t.path,
                          strerror(errno));
    }
    if (rc == 0 && !t.is_stdout)
        rc = target_keep(c, &t);
    if (rc == 0 && !t.is_stdout)
        cli_note(c, "%s: open it in a browser, or print it\n", t.path);
    target_close(&t);
    return rc;
}

int cmd_report(struct cli *c)
{
    const char *text = c->value[OPT_SLOT];
    json_t *facts = json_pack("{s:i}", "schema", 1), *paper = NULL;
    struct client *cl = NULL;
    int rc;

    if (text != NULL &&
        (*text == 0 || strlen(text) > 18 || text[strspn(text, "0123456789")] != 0)) {
        json_decref(facts);
        return cli_usage(c, "--slot must be a number, not \"%s\"", text);
    }
    rc = cli_connect(c, &cl);
    if (rc == 0)
        rc = gather(c, cl, text ? strtoll(text, NULL, 10) : 0, facts);
    if (rc == 0 && c->value[OPT_HTML] == NULL && c->json) {
        cli_json(facts);
    } else if (rc == 0) {
        paper = paper_of(facts);
        if (c->value[OPT_HTML] != NULL)
            rc = write_page(c, paper);
        else
            paper_text(paper, stdout);
    }
    json_decref(paper);
    json_decref(facts);
    client_close(cl);
    return rc;
}
