/* events.c - looks once a second at what events.h compares, and answers GET /api/v1/events. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "events_int.h"
#include "query.h"

#define LOOK_MS   1000
#define LIMIT     100
#define LIMIT_MAX EVENTS_MAX

/* ---- looking ---- */

static void see_peers(const struct node *n, const struct moment *now, struct sight *s)
{
    for (unsigned i = 0; i < core_peers(n->core) && s->n_desks < ROSTER_DESKS_MAX; i++) {
        struct sight_desk *d = &s->desk[s->n_desks++];
        struct peer_view v;

        core_peer_view(n->core, now, i, &v);
        *d = (struct sight_desk){ v.id, v.state, v.has_clock, v.clock_ms };
    }
}

static void look(struct node *n, const struct moment *now)
{
    struct sight *s = calloc(1, sizeof *s);
    struct core_view v;
    struct ledger_view l;
    struct store_stats st;

    if (s == NULL)
        return; /* the next second will do */
    core_view(n->core, now, &v);
    core_ledger_view(n->core, now, &l);
    store_stats(n->store, &st);
    s->server = v.server;
    s->has_uploader = l.has_uploader;
    s->uploader = l.uploader;
    s->term = l.term;
    s->slot = ledger_decided(core_ledger(n->core));
    s->upload = status_upload_state(n, &l);
    if (strcmp(s->upload, "idle") != 0)
        s->slot = l.slot;
    s->delivered_ms = n->metrics.uploaded_at_ms;
    s->stopped = n->stopped;
    s->practice = n->practice.on;
    s->disk_free = st.disk_free_bytes;
    see_peers(n, now, s);
    events_see(&n->events->all, now->wall_ms, s);
    free(s);
}

enum err events_open(struct node *n, struct errmsg *msg)
{
    n->events = calloc(1, sizeof *n->events);
    if (n->events == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    n->events->run = (uint64_t)node_now().wall_ms;
    return ERR_OK;
}

void events_close(struct node *n)
{
    free(n->events);
    n->events = NULL;
}

void events_round(struct node *n, const struct moment *now)
{
    if (n->events->looked_ms != 0 && now->boot_ms - n->events->looked_ms < LOOK_MS)
        return;
    n->events->looked_ms = now->boot_ms;
    look(n, now);
}

uint64_t events_last(const struct node *n)
{
    return n->events->all.last;
}

/* ---- telling ---- */

/* For the command line and scripts; the pages say it from the code, in their language. */
static void words_of(const struct node *n, const struct event *v, char out[160])
{
    const char *desk = v->has_desk ? status_desk_name(n, &v->desk) : "";
    unsigned long long number = v->number;

    switch (v->kind) {
    case EVENT_STARTED:
        snprintf(out, 160, "this node began");
        break;
    case EVENT_SERVER:
        snprintf(out, 160, "the library's server: %s", v->word);
        break;
    case EVENT_UPLOADER:
        snprintf(out, 160, "%s was elected to upload (term %llu)", desk, number);
        break;
    case EVENT_NO_UPLOADER:
        snprintf(out, 160, "no desk is the uploader any more");
        break;
    case EVENT_DESK_BACK:
        snprintf(out, 160, "%s is here", desk);
        break;
    case EVENT_DESK_LOST:
        snprintf(out, 160, "%s is out of reach", desk);
        break;
    case EVENT_DESK_JOINED:
        snprintf(out, 160, "%s joined the branch", desk);
        break;
    case EVENT_DESK_REVOKED:
        snprintf(out, 160, "%s was revoked", desk);
        break;
    case EVENT_DESK_RETIRED:
        snprintf(out, 160, "%s was retired", desk);
        break;
    case EVENT_UPLOAD:
        snprintf(out, 160, "upload %llu: %s", number, v->word);
        break;
    case EVENT_NOT_SAVING:
        snprintf(out, 160, "STOP: this PC cannot save");
        break;
    case EVENT_SAVING:
        snprintf(out, 160, "this PC saves again");
        break;
    case EVENT_DISK_LOW_NOW:
        snprintf(out, 160, "little room on the disk: %llu MiB are free", number);
        break;
    case EVENT_DISK_FINE:
        snprintf(out, 160, "there is room on the disk again");
        break;
    case EVENT_CLOCK_OFF:
        snprintf(out, 160, "the clocks of this desk and of %s are %llu s apart", desk, number);
        break;
    case EVENT_CLOCK_RIGHT:
        snprintf(out, 160, "the clocks of this desk and of %s agree again", desk);
        break;
    case EVENT_PRACTICE:
        snprintf(out, 160, "practice: %s", v->word);
        break;
    case EVENT_KINDS:
        out[0] = '\0';
        break;
    }
}

static json_t *one_json(const struct node *n, const struct event *v)
{
    char words[160];
    json_t *o;

    words_of(n, v, words);
    o = json_pack("{s:I, s:o, s:s, s:s}", "id", (json_int_t)v->id, "at", status_time(n, v->at_ms),
                  "code", event_code(v->kind), "message", words);
    if (v->has_desk)
        json_object_set_new(o, "desk", json_string(status_desk_name(n, &v->desk)));
    if (v->word[0])
        json_object_set_new(o, "word", json_string(v->word));
    if (v->number)
        json_object_set_new(o, "number", json_integer((json_int_t)v->number));
    return o;
}

json_t *events_json(const struct node *n, uint64_t since, uint64_t limit)
{
    const struct events *e = &n->events->all;
    uint64_t first = events_first(e), id = since + 1 > first ? since + 1 : first;
    json_t *list = json_array();

    for (; id <= e->last && json_array_size(list) < limit; id++)
        json_array_append_new(list, one_json(n, events_at(e, id)));
    return json_pack("{s:i, s:I, s:I, s:I, s:o}", "schema", 1, "run", (json_int_t)n->events->run,
                     "first", (json_int_t)first, "last", (json_int_t)e->last, "events", list);
}

uint64_t events_limit(const struct http_request *rq)
{
    uint64_t limit = query_number(rq->query, "limit", LIMIT);

    return limit < 1 ? 1 : limit > LIMIT_MAX ? LIMIT_MAX : limit;
}

void events_get(struct node *n, struct http_request *rq)
{
    uint64_t since = query_number(rq->query, "since", 0);

    if (since == events_last(n) && query_number(rq->query, "timeout", 0) > 0)
        changes_wait_event(n, rq, query_number(rq->query, "timeout", 0));
    else
        api_json(rq, 200, events_json(n, since, events_limit(rq)));
}
