/* entry.c - how a page comes in: a one-time code from whoever may read a token of run/, traded for
 * a session, and lifted by a PIN. What holds when: keeper.h. */
#include <stdio.h>
#include <string.h>

#include "ident.h"
#include "keys.h"
#include "node_int.h"
#include "pin.h"

void entry_cookie_name(const struct node *n, char out[40])
{
    char brief[8];

    desk_id_short(&n->me.id, brief);
    snprintf(out, 40, "tideover_%s", brief);
}

/* A page goes on when a node that was killed is started again; an orderly stop removes the file.
 * Without it the page has to be opened again, no more. */
static void keep_sessions(struct node *n)
{
    char run[4096];
    struct buf b = { 0 };

    snprintf(run, sizeof run, "%s/run", n->dir);
    http_keeper_write(n->http, node_now().wall_ms, &b);
    small_file_write(run, "sessions", b.p, b.len, 0600, NULL);
    buf_wipe(&b);
}

void entry_sessions(const struct node *n, struct buf *out)
{
    char run[4096];

    snprintf(run, sizeof run, "%s/run", n->dir);
    if (small_file_read(run, "sessions", KEEPER_SESSIONS * KEEPER_SESSION_BYTES, out, NULL) !=
        ERR_OK)
        buf_reset(out);
}

/* A page is told what it may, and whether there is a PIN to ask for. */
static void answer_session(struct node *n, struct http_request *rq)
{
    char token[2 * KEEPER_SECRET_BYTES + 1];
    struct errmsg msg = { .text = "" };

    if (!http_keeper_token(n->http, rq->session, token)) {
        err_why(&msg, ERR_DENIED, "no_session", "", "this page was closed: tideover open");
        api_error(n, rq, ERR_DENIED, &msg);
        return;
    }
    api_json(rq, 200,
             json_pack("{s:i, s:s, s:b, s:{s:b, s:b}, s:s, s:s}", "schema", 1, "token", token,
                       "lifted", http_keeper_is_lifted(n->http, rq->session), "pins", "lead",
                       pin_is_set(n->dir, KEEPER_LEAD), "admin", pin_is_set(n->dir, KEEPER_ADMIN),
                       "desk", status_desk_name(n, &n->me.id), "branch",
                       roster_code(core_roster(n->core))));
    memset(token, 0, sizeof token);
}

void entry_code(struct node *n, struct http_request *rq, json_t *body)
{
    const char *name = json_string_value(json_object_get(body, "page"));
    char code[2 * KEEPER_CODE_BYTES + 1], address[256];
    enum keeper_page page = KEEPER_DESK;
    struct errmsg msg = { .text = "" };

    if (rq->session != 0) { /* a page makes no further pages */
        err_why(&msg, ERR_DENIED, "not_allowed", "", "this needs a token of the run directory");
        api_error(n, rq, ERR_DENIED, &msg);
    } else if (name && !keeper_page_by_name(name, &page)) {
        err_why(&msg, ERR_INVALID, "bad_page", "page", "a page is desk, lead or admin");
        api_error(n, rq, ERR_INVALID, &msg);
    } else {
        http_keeper_code(n->http, code);
        snprintf(address, sizeof address, "http://%s/%s#%s", n->conf.web, keeper_page_name(page),
                 code);
        api_json(rq, 200,
                 json_pack("{s:i, s:s, s:s, s:i}", "schema", 1, "code", code, "address", address,
                           "expires_s", KEEPER_CODE_MS / 1000));
    }
    json_decref(body);
}

void entry_trade(struct node *n, struct http_request *rq, json_t *body)
{
    const char *code = json_string_value(json_object_get(body, "code"));
    struct errmsg msg = { .text = "" };

    if (code && http_keeper_enter(n->http, code, rq)) {
        keep_sessions(n);
        answer_session(n, rq);
    } else {
        err_why(&msg, ERR_DENIED, "bad_code", "code",
                "this code was used already or is too old: tideover open makes another one");
        api_error(n, rq, ERR_DENIED, &msg);
    }
    json_decref(body);
}

void entry_again(struct node *n, struct http_request *rq)
{
    answer_session(n, rq);
}

/* A person is there: the ten minutes of the PIN begin anew, as with every change. */
void entry_touch(struct node *n, struct http_request *rq, json_t *body)
{
    json_decref(body);
    answer_session(n, rq);
}

void entry_leave(struct node *n, struct http_request *rq, json_t *body)
{
    json_decref(body);
    http_keeper_leave(n->http, rq->session);
    keep_sessions(n);
    api_json(rq, 200, json_pack("{s:i}", "schema", 1));
}
