/* call.c - the node's answers as the verbs want them, and its refusals as people read them. */
#include "client.h"

#include <sodium.h>
#include <string.h>

#include "setup.h"

int cli_connect(const struct cli *c, struct client **out)
{
    struct errmsg msg = { .text = "" };
    enum err e = client_open(c->state, c, out, &msg);

    return e == ERR_OK ? 0 : cli_err(c, e, &msg);
}

int cli_refused(const struct cli *c, unsigned status, const char *body, size_t n)
{
    json_t *o = json_loadb(body, n, 0, NULL), *error = json_object_get(o, "error");
    int exit_code;

    if (!json_is_object(error)) {
        json_decref(o);
        return cli_fail(c, err_exit(ERR_PEER), "peer", "the node answered %u and no reason",
                        status);
    }
    if (c->json)
        cli_json(o);
    j_scrub(o);
    fprintf(stderr, "tideover: %s%s\n", j_text(error, "message", "the node refused"),
            j_is(o, "confirm") ? " (say it again with --keep)" : "");
    exit_code = (int)j_int(error, "exit", status == 401 || status == 403 ? 77 : 65);
    json_decref(o);
    return exit_code > 0 && exit_code < 126 ? exit_code : 70;
}

int cli_call(const struct cli *c, struct client *cl, const char *path, const struct buf *body,
             const char *waiting, json_t **out)
{
    struct request rq = { .path = path, .waiting = waiting };
    struct errmsg msg = { .text = "" };
    struct reply r;
    enum err e;
    int rc = 0;

    if (body != NULL) {
        rq.type = "application/json";
        rq.body = body->p;
        rq.body_len = body->len;
    }
    e = client_send(cl, &rq, &r, &msg);
    if (e != ERR_OK)
        return cli_err(c, e, &msg);
    if (r.status < 200 || r.status > 299) {
        rc = cli_refused(c, r.status, (const char *)r.body.p, r.body.len);
    } else {
        *out = json_loadb((const char *)r.body.p, r.body.len, JSON_REJECT_DUPLICATES, NULL);
        if (!json_is_object(*out)) {
            json_decref(*out);
            *out = NULL;
            rc = cli_fail(c, err_exit(ERR_PEER), "peer", "the node's answer is not JSON");
        } else if (!c->json) {
            j_scrub(*out);
        }
    }
    reply_free(&r);
    return rc;
}

int cli_call_with(const struct cli *c, const char *path, json_t *o, const struct secret *v,
                  unsigned count, json_t **out)
{
    struct client *cl = NULL;
    struct buf body = { 0 };
    int rc = cli_connect(c, &cl);

    if (rc != 0)
        json_decref(o);
    else if (!j_body_secrets(o, v, count, &body))
        rc = cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    if (rc == 0)
        rc = cli_call(c, cl, path, &body, "working with the lead key", out);
    buf_wipe(&body);
    client_close(cl);
    return rc;
}

int cli_can_sign(const struct cli *c, struct client *cl)
{
    json_t *leads = NULL;
    int rc = cli_call(c, cl, "/api/v1/leads", NULL, NULL, &leads);

    if (rc == 0 && j_text(leads, "message", NULL) != NULL)
        rc = cli_fail(c, err_exit(ERR_DENIED), "no_lead_key", "%s", j_text(leads, "message", ""));
    json_decref(leads);
    return rc;
}

int cli_call_as_lead_all(const struct cli *c, const char *path, json_t *list, json_t **out)
{
    char passphrase[SETUP_WORDS] = "";
    struct client *cl = NULL;
    struct buf body = { 0 };
    int rc = cli_connect(c, &cl); /* before asking: no node, no question */

    if (rc == 0 && list == NULL)
        rc = cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    if (rc == 0)
        rc = cli_can_sign(c, cl);
    if (rc == 0)
        rc = passphrase_get(c, passphrase);
    for (size_t i = 0; rc == 0 && i < json_array_size(list); i++) {
        json_decref(*out);
        *out = NULL;
        if (!j_body(json_incref(json_array_get(list, i)), passphrase, &body))
            rc = cli_fail(c, err_exit(ERR_NOMEM), "nomem", "out of memory");
        else
            rc = cli_call(c, cl, path, &body, "unlocking the lead key", out);
        buf_wipe(&body);
    }
    sodium_memzero(passphrase, sizeof passphrase);
    client_close(cl);
    json_decref(list);
    return rc;
}

int cli_call_as_lead(const struct cli *c, const char *path, json_t *o, json_t **out)
{
    *out = NULL;
    return cli_call_as_lead_all(c, path, json_pack("[o]", o), out);
}
