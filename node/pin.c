/* pin.c - the PINs of the lead's and the admin's page: Argon2id in a file of the state directory,
 * tried one at a time on a thread of its own. */
#include "pin.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys.h"
#include "node_int.h"

static void file_name(enum keeper_page page, char out[16])
{
    snprintf(out, 16, "pin.%s", keeper_page_name(page));
}

bool pin_is_set(const char *dir, enum keeper_page page)
{
    char path[4096], name[16];

    file_name(page, name);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return access(path, F_OK) == 0;
}

enum err pin_set(const char *dir, enum keeper_page page, const char *pin, struct errmsg *msg)
{
    char hash[crypto_pwhash_STRBYTES], name[16];
    enum err e;

    if (strlen(pin) < PIN_MIN || strlen(pin) > PIN_MAX)
        return err_why(msg, ERR_INVALID, "bad_pin", "pin",
                       "a PIN has %d to %d characters, best six or more", PIN_MIN, PIN_MAX);
    if (crypto_pwhash_str(hash, pin, strlen(pin), crypto_pwhash_OPSLIMIT_INTERACTIVE,
                          crypto_pwhash_MEMLIMIT_INTERACTIVE) != 0)
        return err_set(msg, ERR_NOMEM, "this PC has no memory left for the PIN");
    file_name(page, name);
    e = small_file_write(dir, name, hash, strlen(hash), 0600, msg);
    sodium_memzero(hash, sizeof hash);
    return e;
}

enum err pin_check(const char *dir, enum keeper_page page, const char *pin, struct errmsg *msg)
{
    struct buf b = { 0 };
    char hash[crypto_pwhash_STRBYTES] = "", name[16];
    enum err e;

    file_name(page, name);
    e = small_file_read(dir, name, sizeof hash - 1, &b, msg);
    if (e == ERR_NOFILE)
        e = err_why(msg, ERR_MISSING, "no_pin", "pin",
                    "this page has no PIN yet. On this PC: tideover pin set %s",
                    keeper_page_name(page));
    if (e == ERR_OK) {
        memcpy(hash, b.p, b.len);
        if (crypto_pwhash_str_verify(hash, pin, strlen(pin)) != 0)
            e = err_why(msg, ERR_DENIED, "wrong_pin", "pin", "that is not the PIN");
    }
    sodium_memzero(hash, sizeof hash);
    buf_wipe(&b);
    return e;
}

/* ---- requests ---- */

struct pin_job {
    struct job job; /* first */
    struct http_request *rq;
    enum keeper_page page;
    bool set;
    char pin[PIN_MAX + 2];
    enum err err;
    struct errmsg msg;
};

static void pin_run(struct job *j)
{
    struct pin_job *p = (struct pin_job *)j;

    p->err = p->set ? pin_set(j->node->dir, p->page, p->pin, &p->msg)
                    : pin_check(j->node->dir, p->page, p->pin, &p->msg);
    sodium_memzero(p->pin, sizeof p->pin);
}

static void pin_done(struct job *j)
{
    struct pin_job *p = (struct pin_job *)j;
    struct node *n = j->node;

    n->unlocking = false;
    if (!p->set && (p->err == ERR_OK || p->err == ERR_DENIED))
        http_keeper_pin_tried(n->http, p->page, p->err == ERR_OK);
    if (!p->set && p->err == ERR_OK)
        http_keeper_lift(n->http, p->rq->session);
    if (p->err == ERR_OK)
        api_json(p->rq, 200,
                 json_pack("{s:i, s:s, s:i}", "schema", 1, "page", keeper_page_name(p->page),
                           "idle_s", KEEPER_LIFT_MS / 1000));
    else
        api_error(n, p->rq, p->err, &p->msg);
    free(p);
}

/* Fills p from the body. */
static enum err read_body(const json_t *body, struct pin_job *p)
{
    const char *page = json_string_value(json_object_get(body, "page"));
    const char *pin = json_string_value(json_object_get(body, "pin"));

    if (!page || !keeper_page_by_name(page, &p->page) || p->page == KEEPER_DESK)
        return err_why(&p->msg, ERR_INVALID, "bad_page", "page", "only lead and admin have a PIN");
    if (!pin || strlen(pin) > PIN_MAX)
        return err_why(&p->msg, ERR_INVALID, "bad_pin", "pin", "a PIN has %d to %d characters",
                       PIN_MIN, PIN_MAX);
    snprintf(p->pin, sizeof p->pin, "%s", pin);
    return ERR_OK;
}

static enum err may_try(struct node *n, const struct http_request *rq, struct pin_job *p)
{
    uint64_t wait = http_keeper_pin_wait(n->http, p->page);

    if (p->set && rq->session != 0)
        return err_why(&p->msg, ERR_DENIED, "not_allowed", "",
                       "a PIN is set on this PC, not on a page: tideover pin set %s",
                       keeper_page_name(p->page));
    if (!p->set && rq->session == 0)
        return err_why(&p->msg, ERR_DENIED, "no_session", "", "a PIN opens a page, not a command");
    if (!p->set && wait > 0)
        return err_why(&p->msg, ERR_BUSY, "pin_waits", "pin",
                       "the PIN was wrong too often: try again in %llu s",
                       (unsigned long long)(wait + 999) / 1000);
    if (n->unlocking)
        return err_why(&p->msg, ERR_BUSY, "unlocking", "",
                       "another passphrase or PIN is being tried: wait a moment");
    return ERR_OK;
}

static void start(struct node *n, struct http_request *rq, json_t *body, bool set)
{
    struct pin_job *p = calloc(1, sizeof *p);

    if (p == NULL) {
        json_decref(body);
        api_error(n, rq, ERR_NOMEM, &(struct errmsg){ .text = "" });
        return;
    }
    p->rq = rq;
    p->set = set;
    if ((p->err = read_body(body, p)) == ERR_OK)
        p->err = may_try(n, rq, p);
    json_decref(body);
    if (p->err != ERR_OK) {
        sodium_memzero(p->pin, sizeof p->pin);
        api_error(n, rq, p->err, &p->msg);
        free(p);
        return;
    }
    n->unlocking = true;
    p->job.run = pin_run;
    p->job.done = pin_done;
    node_start_job(n, &p->job);
}

void pin_try(struct node *n, struct http_request *rq, json_t *body)
{
    start(n, rq, body, false);
}

void pin_change(struct node *n, struct http_request *rq, json_t *body)
{
    start(n, rq, body, true);
}

/* The page is left alone: the PIN again. */
void pin_lock(struct node *n, struct http_request *rq, json_t *body)
{
    json_decref(body);
    http_keeper_lower(n->http, rq->session);
    api_json(rq, 200, json_pack("{s:i}", "schema", 1));
}
