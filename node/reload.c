/* reload.c - tideover.conf read again while the node runs: by SIGHUP, or POST /api/v1/settings;
 * GET says what is in force, and what the file says otherwise.
 *
 * All keys are taken at once but the addresses that were bound at the start. A file that is wrong
 * changes nothing. */
#include <stdio.h>
#include <string.h>

#include "node_int.h"
#include "service.h"

struct changed {
    json_t *taken, *waits;
};

static void note(void *ctx, const char *section, const char *key, bool at_start)
{
    struct changed *c = ctx;
    char name[64];

    snprintf(name, sizeof name, "[%s] %s", section, key);
    json_array_append_new(at_start ? c->waits : c->taken, json_string(name));
}

static void say(struct node *n, const json_t *names, const char *what)
{
    size_t i;
    const json_t *name;

    json_array_foreach(names, i, name)
        node_log(n, 2, "tideover.conf: %s %s", json_string_value(name), what);
}

static void take(struct node *n, const struct conf *fresh)
{
    struct conf c = *fresh;
    bool discovery = n->conf.discovery;

    memcpy(c.listen, n->conf.listen, sizeof c.listen);
    memcpy(c.web, n->conf.web, sizeof c.web);
    n->conf = c;
    n->hint_ms = 0; /* new addresses are tried now */
    if (c.discovery != discovery) {
        beacon_stop(n->beacon);
        n->beacon = beacon_start(n);
    }
}

/* What the file says otherwise than the node does. The lists of c are the caller's to release. */
static enum err compare(struct node *n, struct changed *c, struct conf *fresh, struct errmsg *msg)
{
    enum err e = conf_read(n->dir, fresh, msg);

    c->taken = json_array();
    c->waits = json_array();
    if (e == ERR_OK)
        conf_compare(&n->conf, fresh, note, c);
    return e;
}

static void release(struct changed *c)
{
    json_decref(c->taken);
    json_decref(c->waits);
}

static enum err reload(struct node *n, struct changed *c, struct errmsg *msg)
{
    struct conf fresh;
    enum err e;

    service_reloading();
    if ((e = compare(n, c, &fresh, msg)) == ERR_OK) {
        take(n, &fresh);
        if (json_array_size(c->taken) + json_array_size(c->waits) == 0)
            node_log(n, 2, "tideover.conf: nothing in it changed");
        say(n, c->taken, "is in force now");
        say(n, c->waits, "needs a restart, and stays as it was until then");
    } else {
        node_log(n, 1, "%s; the settings stay as they were", msg->text);
    }
    service_ready();
    return e;
}

void reload_by_signal(struct node *n)
{
    struct errmsg msg = { .text = "" };
    struct changed c;

    reload(n, &c, &msg);
    release(&c);
}

void reload_post(struct node *n, struct http_request *rq, json_t *body)
{
    struct errmsg msg = { .text = "" };
    struct changed c;
    enum err e = reload(n, &c, &msg);

    json_decref(body);
    if (e == ERR_OK)
        api_json(rq, 200,
                 json_pack("{s:i, s:O, s:O}", "schema", 1, "taken", c.taken, "restart", c.waits));
    else
        api_error(n, rq, e, &msg);
    release(&c);
}

void reload_settings(struct node *n, struct http_request *rq)
{
    struct errmsg msg = { .text = "" };
    struct changed c;
    struct conf fresh;
    enum err e = compare(n, &c, &fresh, &msg);

    api_json(rq, 200,
             json_pack("{s:i, s:o, s:O, s:O, s:s?}", "schema", 1, "settings", support_settings(n),
                       "changed", c.taken, "restart", c.waits, "problem",
                       e == ERR_OK ? NULL : msg.text));
    release(&c);
}
