/* changes.c - GET /api/v1/changes: a page waits until something that it shows has changed.
 *
 * What it shows is the status, the desks and the upload: while somebody waits, four times a second
 * they are made as they would be answered, without what changes all the time (ages, bytes on the
 * disk), and compared. What these answers get in time is thereby followed as well. Nobody waits:
 * nothing is done. */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "events_int.h"
#include "query.h"

#define WAIT_MS 25000 /* well under the 30 s after which a silent connection is cut */
#define LOOK_MS 250

struct waiter {
    struct http_request *rq;
    uint64_t since, until_ms;
    bool events; /* waits for the next event, not for a change */
    struct waiter *next;
};

struct changes {
    uint64_t now; /* grows; begins at the wall clock, so that no older run had the same */
    uint8_t hash[32];
    uint64_t looked_ms;
    struct waiter *first;
};

/* Of any depth: what is never the same for long, and no reason to draw a page anew; that it becomes
 * known is one. */
static const char *const restless[] = { "checked",    "checks",    "failures",        "last_seen_s",
                                        "clock_ms",   "refused",   "disk_free_bytes", "used_bytes",
                                        "map_bytes",  "commits",   "message",         "age_days",
                                        "next_try_s", "commit_ms", "silent_s",        "messages",
                                        "days" };

static void calm(json_t *j)
{
    const char *name;
    json_t *v;
    size_t i;

    for (i = 0; json_is_object(j) && i < sizeof restless / sizeof restless[0]; i++)
        if (!json_is_null(json_object_get(j, restless[i])))
            json_object_del(j, restless[i]);
    if (json_is_object(j))
        json_object_foreach(j, name, v) calm(v);
    else
        json_array_foreach(j, i, v) calm(v);
}

static void add_to(crypto_generichash_state *st, json_t *j)
{
    char *text;

    calm(j);
    if ((text = json_dumps(j, JSON_COMPACT)) != NULL)
        crypto_generichash_update(st, (const uint8_t *)text, strlen(text));
    free(text);
    json_decref(j);
}

static void look(struct node *n, const struct moment *now)
{
    struct changes *c = n->changes;
    crypto_generichash_state st;
    uint8_t hash[sizeof c->hash];

    if (c->looked_ms != 0 && now->boot_ms - c->looked_ms < LOOK_MS)
        return;
    c->looked_ms = now->boot_ms;
    crypto_generichash_init(&st, NULL, 0, sizeof hash);
    add_to(&st, status_json(n));
    add_to(&st, status_peers_json(n));
    add_to(&st, status_upload_json(n));
    add_to(&st, json_pack("{s:I}", "event", (json_int_t)events_last(n)));
    crypto_generichash_final(&st, hash, sizeof hash);
    if (memcmp(hash, c->hash, sizeof hash) == 0)
        return;
    memcpy(c->hash, hash, sizeof hash);
    c->now++;
}

enum err changes_open(struct node *n, struct errmsg *msg)
{
    if ((n->changes = calloc(1, sizeof *n->changes)) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    n->changes->now = (uint64_t)node_now().wall_ms;
    return ERR_OK;
}

static void answer(struct node *n, struct waiter *w)
{
    http_keeper_poll_end(n->http, w->rq->session);
    if (w->events)
        api_json(w->rq, 200, events_json(n, w->since, events_limit(w->rq)));
    else
        api_json(w->rq, 200,
                 json_pack("{s:i, s:I}", "schema", 1, "now", (json_int_t)n->changes->now));
    free(w);
}

void changes_round(struct node *n, const struct moment *now)
{
    struct changes *c = n->changes;
    struct waiter **at = &c->first;
    bool any = false;

    for (const struct waiter *w = c->first; w; w = w->next)
        any |= !w->events;
    if (any)
        look(n, now);
    while (*at) {
        struct waiter *w = *at;
        if (w->since == (w->events ? events_last(n) : c->now) && now->boot_ms < w->until_ms) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        answer(n, w);
    }
}

bool changes_awaited(const struct node *n)
{
    return n->changes->first != NULL;
}

void changes_close(struct node *n)
{
    while (n->changes && n->changes->first) {
        struct waiter *w = n->changes->first;
        n->changes->first = w->next;
        answer(n, w);
    }
    free(n->changes);
    n->changes = NULL;
}

/* A page that was loaded again leaves a request behind, which nobody reads any more: the oldest of
 * its session makes room, or of all. */
static void make_room(struct node *n, uint64_t session)
{
    struct waiter **oldest = NULL, *w;

    for (struct waiter **at = &n->changes->first; *at; at = &(*at)->next)
        if ((*at)->rq->session == session)
            oldest = at;
    for (struct waiter **at = &n->changes->first; !oldest && *at; at = &(*at)->next)
        if ((*at)->next == NULL)
            oldest = at;
    if (oldest == NULL)
        return;
    w = *oldest;
    *oldest = w->next;
    answer(n, w);
}

static void begin(struct node *n, struct http_request *rq, uint64_t wait_ms, bool events)
{
    struct errmsg msg = { .text = "" };
    struct waiter *w;
    bool room = true;

    if (!http_keeper_poll_begin(n->http, rq->session)) {
        make_room(n, rq->session);
        room = http_keeper_poll_begin(n->http, rq->session);
    }
    if (!room) {
        err_why(&msg, ERR_BUSY, "too_many_polls", "", "too many pages wait already");
        api_error(n, rq, ERR_BUSY, &msg);
        return;
    }
    if ((w = calloc(1, sizeof *w)) == NULL) {
        http_keeper_poll_end(n->http, rq->session);
        api_error(n, rq, ERR_NOMEM, &msg);
        return;
    }
    w->rq = rq;
    w->since = query_number(rq->query, "since", 0);
    w->until_ms = node_now().boot_ms + wait_ms;
    w->events = events;
    w->next = n->changes->first;
    n->changes->first = w;
}

void changes_get(struct node *n, struct http_request *rq)
{
    begin(n, rq, WAIT_MS, false);
}

void changes_wait_event(struct node *n, struct http_request *rq, uint64_t timeout_s)
{
    begin(n, rq, timeout_s < WAIT_MS / 1000 ? timeout_s * 1000 : WAIT_MS, true);
}
