/* replies.c - answers that wait: for the commit that makes them true, or for a second copy. */
#include <stdlib.h>
#include <string.h>

#include "node_int.h"

#define COPIES_WAIT_MS 800 /* a person waits for a slip no longer */

void replies_begin(struct node *n)
{
    n->replies = NULL;
    n->replies_end = &n->replies;
}

void node_reply_later(struct node *n, struct http_request *rq, unsigned status, const char *type,
                      struct buf *body)
{
    struct reply *r = calloc(1, sizeof *r);

    if (!r) {
        http_answer(rq, 503, type, NULL);
        return;
    }
    r->rq = rq;
    r->status = status;
    r->type = type;
    r->body = *body;
    memset(body, 0, sizeof *body);
    *n->replies_end = r;
    n->replies_end = &r->next;
}

void node_reply_copies(struct node *n, struct http_request *rq, const struct record_ref *ref,
                       json_t *more)
{
    struct reply *r = calloc(1, sizeof *r);

    if (!r) {
        json_decref(more);
        http_answer(rq, 503, "application/json", NULL);
        return;
    }
    r->rq = rq;
    r->status = 200;
    r->type = "application/json";
    r->copies = true;
    r->more = more;
    r->ref = *ref;
    r->until_ms = node_now().boot_ms + COPIES_WAIT_MS;
    *n->replies_end = r;
    n->replies_end = &r->next;
}

static json_t *more_of(struct reply *r)
{
    json_t *more = r->more;

    r->more = NULL;
    return more;
}

static bool any_peer_is_online(const struct node *n, const struct moment *now)
{
    bool any = false;

    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view v;
        core_peer_view(n->core, now, i, &v);
        any |= v.state == PEER_ONLINE;
    }
    return any;
}

/* Durable here; is there a second copy, or is there nothing to wait for? */
static bool copies_are_told(struct node *n, struct reply *r)
{
    struct moment now = node_now();

    if (!r->copies)
        return true;
    r->durable = true;
    if (!n->stopped && core_copies(n->core, &r->ref) < 2 && now.boot_ms < r->until_ms &&
        any_peer_is_online(n, &now))
        return false;
    api_recorded(n, &r->ref, more_of(r), &r->body);
    return true;
}

/* They stand in the order in which they came. */
uint64_t replies_until(const struct node *n)
{
    const struct reply *r = n->replies;

    while (r && !r->copies)
        r = r->next;
    return r ? r->until_ms : UINT64_MAX;
}

void replies_release(struct node *n, bool durable)
{
    struct reply *all = n->replies;

    n->replies = NULL;
    n->replies_end = &n->replies;
    while (all) {
        struct reply *r = all;
        all = r->next;
        r->next = NULL;
        if (durable || r->durable) {
            if (!copies_are_told(n, r)) {
                *n->replies_end = r;
                n->replies_end = &r->next;
                continue;
            }
            http_answer(r->rq, r->status, r->type, &r->body);
        } else {
            struct errmsg msg = { .text = "" };
            err_why(&msg, ERR_DISK, "not_saving", "",
                    "STOP: this PC cannot save (%s). Write on paper until it can", n->stop_reason);
            api_error(n, r->rq, ERR_DISK, &msg);
            json_decref(r->more);
            buf_free(&r->body);
        }
        free(r);
    }
    while (n->door_replies) {
        struct door_reply *d = n->door_replies;
        n->door_replies = d->next;
        if (durable)
            net_door_answer(n->net, d->door, d->client, d->bytes.p, d->bytes.len);
        buf_free(&d->bytes);
        free(d);
    }
}

void replies_end(struct node *n)
{
    while (n->replies) { /* durable, and waiting for a copy */
        struct reply *r = n->replies;
        n->replies = r->next;
        if (r->copies && r->durable)
            api_recorded(n, &r->ref, more_of(r), &r->body);
        http_answer(r->rq, r->durable ? 200 : 503, r->type, &r->body);
        json_decref(r->more);
        free(r);
    }
}
