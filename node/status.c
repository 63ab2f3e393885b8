/* status.c - the local API's answers about what is: status, peers, policy, upload. */
#include <errno.h>
#include <string.h>

#include "day.h"
#include "node_int.h"
#include "pause.h"

const struct zone *status_zone(const struct node *n)
{
    const struct policy *p = roster_policy(core_roster(n->core));

    return p ? &p->zone : NULL;
}

json_t *status_time(const struct node *n, int64_t ms)
{
    const struct zone *zone = status_zone(n);
    char text[36];

    rfc3339_format(ms, zone ? zone_offset_s(zone, ms / 1000) / 60 : 0, text);
    return json_string(text);
}

const char *status_desk_name(const struct node *n, const struct desk_id *id)
{
    const struct desk *d = roster_find(core_roster(n->core), id);

    return d ? d->name : "?";
}

/* How the other desks see it: one whose own cable is out sees another server than the rest. */
static json_t *server_seen(const struct node *n, const struct moment *now)
{
    json_t *by = json_object();

    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view p;
        core_peer_view(n->core, now, i, &p);
        if (p.state == PEER_ONLINE)
            json_object_set_new(by, status_desk_name(n, &p.id),
                                json_string(watch_state_name(p.sees)));
    }
    return by;
}

static json_t *server_json(const struct node *n, const struct moment *now)
{
    struct core_view v;
    json_t *o;

    core_view(n->core, now, &v);
    o = json_pack("{s:s, s:s, s:s, s:I, s:I, s:o}", "state", watch_state_name(v.server), "sees",
                  watch_state_name(v.watch.seen), "why", v.watch.why, "checks",
                  (json_int_t)v.watch.checks, "failures", (json_int_t)v.watch.failures, "peers",
                  server_seen(n, now));
    if (v.watch.seen != WATCH_UNKNOWN)
        json_object_set_new(
            o, "since", status_time(n, now->wall_ms - (int64_t)(now->boot_ms - v.watch.since_ms)));
    if (v.watch.checked_ms > 0)
        json_object_set_new(
            o, "checked",
            status_time(n, now->wall_ms - (int64_t)(now->boot_ms - v.watch.checked_ms)));
    return o;
}

static json_t *ledger_json(const struct node *n, const struct core_view *v,
                           const struct ledger_view *l)
{
    json_t *seats = json_array(), *o;

    for (unsigned i = 0; i < l->n_seats; i++)
        json_array_append_new(seats, json_string(status_desk_name(n, &l->seats[i])));
    o = json_pack("{s:I, s:o, s:b, s:b, s:b, s:b}", "slot", (json_int_t)l->slot, "seats", seats,
                  "open", l->open, "may_vote", l->may_vote, "triggered", l->triggered,
                  "start_confirmed", v->mark_confirmed);
    json_object_update_new(o,
                           json_pack("{s:i, s:i, s:I}", "epoch", (int)l->epoch.number, "evidence",
                                     (int)l->evidence, "doubled", (json_int_t)l->doubled));
    return o;
}

json_t *status_json(struct node *n)
{
    struct moment now = node_now();
    struct core_view v;
    struct ledger_view l;
    struct store_stats st;
    unsigned online = 0;
    json_t *o, *list;

    core_view(n->core, &now, &v);
    core_ledger_view(n->core, &now, &l);
    store_stats(n->store, &st);
    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view p;
        core_peer_view(n->core, &now, i, &p);
        online += p.state == PEER_ONLINE;
    }
    o = json_pack("{s:i, s:s, s:s, s:s, s:o}", "schema", 1, "branch",
                  roster_code(core_roster(n->core)), "desk", status_desk_name(n, &n->me.id),
                  "version", TIDEOVER_VERSION, "server", server_json(n, &now));
    json_object_set_new(
        o, "records",
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "local", (json_int_t)v.local, "held",
                  (json_int_t)v.held, "union", (json_int_t)v.known, "replicated",
                  (json_int_t)v.replicated, "pending", (json_int_t)v.pending, "set_aside",
                  (json_int_t)v.set_aside, "quarantined", (json_int_t)v.quarantined));
    json_object_set_new(json_object_get(o, "records"), "aside", aside_counts_json(n));
    json_object_set_new(json_object_get(o, "records"), "released",
                        json_integer((json_int_t)v.released));
    json_object_set_new(o, "peers",
                        json_pack("{s:i, s:i}", "online", online, "total", core_peers(n->core)));
    json_object_set_new(o, "uploader",
                        l.has_uploader
                            ? json_pack("{s:s, s:I}", "desk", status_desk_name(n, &l.uploader),
                                        "term", (json_int_t)l.term)
                            : json_null());
    json_object_set_new(o, "ledger", ledger_json(n, &v, &l));
    json_object_set_new(o, "store",
                        json_pack("{s:I, s:I, s:I, s:I, s:I}", "used_bytes",
                                  (json_int_t)st.used_bytes, "map_bytes", (json_int_t)st.map_bytes,
                                  "disk_free_bytes", (json_int_t)st.disk_free_bytes, "commits",
                                  (json_int_t)st.commits, "commit_failures",
                                  (json_int_t)st.commit_failures));
    if (n->metrics.commits > 0) /* the mean of all: what staff wait for at each scan */
        json_object_set_new(
            json_object_get(o, "store"), "commit_ms",
            json_real(n->metrics.commit_seconds * 1000 / (double)n->metrics.commits));
    json_object_set_new(o, "refused",
                        json_pack("{s:I, s:I, s:I}", "messages", (json_int_t)v.refused,
                                  "handshakes", (json_int_t)net_refused(n->net), "requests",
                                  (json_int_t)http_refused(n->http)));
    if ((list = blocklist_json(n)) == NULL)
        list = json_null();
    json_object_set_new(o, "block_list", list);
    json_object_set_new(o, "practice", practice_status(n));
    json_object_set_new(o, "last_drill", practice_last_drill(n));
    json_object_set_new(o, "clock", clock_json(n, &now));
    json_object_set_new(o, "start", json_integer((json_int_t)v.start));
    json_object_set_new(o, "problems", status_problems(n, &now));
    return o;
}

void status_get(struct node *n, struct http_request *rq)
{
    api_json(rq, 200, status_json(n));
}

json_t *status_roles(unsigned roles)
{
    json_t *a = json_array();

    if (roles & ROLE_DESK)
        json_array_append_new(a, json_string("desk"));
    if (roles & ROLE_LEAD)
        json_array_append_new(a, json_string("lead"));
    if (roles & ROLE_ADMIN)
        json_array_append_new(a, json_string("admin"));
    return a;
}

static json_t *desk_json(const struct node *n, const struct desk_id *id)
{
    const struct desk *d = roster_find(core_roster(n->core), id);
    struct moment now = node_now();
    struct desk_held h;
    char brief[8];

    core_desk_held(n->core, &now, id, &h);

    desk_id_short(id, brief);
    return json_pack("{s:s, s:s, s:s, s:o, s:b, s:I, s:I, s:b}", "name", d ? d->name : "?",
                     "joined", d ? d->joined : "?", "id", brief, "roles",
                     status_roles(d ? d->roles : 0), "seat",
                     ledger_is_seat(core_ledger(n->core), id), "held", (json_int_t)h.held, "known",
                     (json_int_t)h.known, "complete", h.complete);
}

/* Of its PC, as it said; null: it never did. */
static void put_condition(json_t *o, const struct condition *c)
{
    json_t *problems = json_array();

    for (unsigned i = 0; c && i < c->n; i++)
        json_array_append_new(problems, json_string(c->problem[i]));
    json_object_set_new(o, "disk_free_bytes",
                        c ? json_integer((json_int_t)c->disk_free) : json_null());
    json_object_set_new(o, "commit_ms",
                        c && c->commit_us > 0 ? json_real((double)c->commit_us / 1000)
                                              : json_null());
    json_object_set_new(o, "problems", problems);
}

/* Why this desk does not reach it: null while it does, or nothing is known. */
static json_t *last_error(const struct node *n, const struct peer_view *v)
{
    static const struct {
        int err;
        const char *code, *message;
    } rows[] = {
        { ECONNREFUSED, "not_running", "that PC is on, and tideover does not run there" },
        { EHOSTUNREACH, "no_route",
          "no way leads to that address: is the PC off, or a cable out?" },
        { ENETUNREACH, "no_network", "this PC has no network" },
        { ETIMEDOUT, "timed_out",
          "nothing answers at that address: is the PC off, or does a firewall drop it?" },
    };
    int err;
    enum net_why why = net_why(n->net, &v->id, &err);

    if (v->state == PEER_RETIRED || v->state == PEER_REVOKED)
        return json_null();
    if (v->state == PEER_UNREACHABLE && v->address[0] == '\0')
        return json_pack("{s:s, s:s}", "code", "no_address", "message",
                         "nobody has said yet where it is: it does so itself once it is on");
    if (why == NET_FINE)
        return json_null();
    if (why == NET_OTHER_KEY)
        return json_pack("{s:s, s:s}", "code", "other_desk_there", "message",
                         "another program, or another desk, answers at that address");
    if (why == NET_NOT_ADMITTED)
        return json_pack("{s:s, s:s}", "code", "not_admitted", "message",
                         "it does not let this desk in");
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].err == err)
            return json_pack("{s:s, s:s}", "code", rows[i].code, "message", rows[i].message);
    return json_pack("{s:s, s:s}", "code", "no_answer", "message",
                     err ? strerror(err) : "nobody answers at that address");
}

json_t *status_peers_json(struct node *n)
{
    struct moment now = node_now();
    json_t *all = json_array(), *me = desk_json(n, &n->me.id);
    struct condition mine;

    json_object_update_new(me, json_pack("{s:s, s:b, s:i, s:i, s:i, s:i, s:s, s:s}", "state",
                                         "online", "this", 1, "last_seen_s", 0, "behind", 0,
                                         "missing", 0, "clock_ms", 0, "version", TIDEOVER_VERSION,
                                         "address", n->conf.listen));
    condition_here(n, &now, &mine);
    json_object_set_new(me, "last_error", json_null());
    put_condition(me, &mine);
    json_array_append_new(all, me);
    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view v;
        json_t *o;
        core_peer_view(n->core, &now, i, &v);
        o = desk_json(n, &v.id);
        json_object_update_new(o, json_pack("{s:s, s:b, s:I, s:I, s:s, s:s, s:I}", "state",
                                            peer_state_name(v.state), "this", 0, "behind",
                                            (json_int_t)v.behind, "missing", (json_int_t)v.missing,
                                            "version", v.software, "address", v.address, "refused",
                                            (json_int_t)v.refused));
        json_object_set_new(o, "last_seen_s",
                            v.ever_heard ? json_integer((json_int_t)v.silent_ms / 1000)
                                         : json_null());
        json_object_set_new(o, "clock_ms",
                            v.has_clock ? json_integer((json_int_t)v.clock_ms) : json_null());
        put_condition(o, v.has_condition ? &v.condition : NULL);
        json_object_set_new(o, "last_error", last_error(n, &v));
        json_array_append_new(all, o);
    }
    return json_pack("{s:i, s:o}", "schema", 1, "peers", all);
}

void status_peers(struct node *n, struct http_request *rq)
{
    api_json(rq, 200, status_peers_json(n));
}

void status_policy(struct node *n, struct http_request *rq)
{
    size_t len;
    const char *text = roster_policy_text(core_roster(n->core), &len);
    char hex[2 * HASH_BYTES + 1];

    hex_encode(roster_policy_hash(core_roster(n->core)), HASH_BYTES, hex);
    api_json(rq, 200, json_pack("{s:i, s:s, s:s%}", "schema", 1, "hash", hex, "text", text, len));
}

/* The newest upload among the decided slots, or null. */
static json_t *last_upload(const struct node *n)
{
    struct buf b = { 0 };
    json_t *o = NULL;

    for (uint64_t s = ledger_decided(core_ledger(n->core)); s > 0 && !o; s--) {
        struct receipt r;
        struct intent in;
        if (ledger_receipt(core_ledger(n->core), s, &b) != ERR_OK ||
            receipt_decode(b.p, b.len, &r, NULL) != ERR_OK ||
            intent_decode(r.intent, r.intent_len, &in, NULL) != ERR_OK)
            break;
        if (in.type == SLOT_UPLOAD) {
            char sha[65] = "";
            if (in.n_parts > 0)
                hex_encode(in.parts[in.n_parts - 1].sha256, 32, sha);
            o = json_pack("{s:I, s:s, s:s, s:s, s:I, s:I, s:o}", "slot", (json_int_t)in.slot,
                          "sha256", sha, "file", r.evidence, "desk", status_desk_name(n, &r.desk),
                          "records", (json_int_t)in.records, "lines",
                          (json_int_t)(in.n_parts ? in.parts[in.n_parts - 1].lines : 0), "at",
                          status_time(n, r.at_ms));
            json_object_set_new(o, "settled", settled_json(n, &r, &in));
            json_object_set_new(o, "confirmed", word_confirmed_json(n, &r, in.slot));
        }
        if (o)
            json_object_set_new(o, "loaded", loaded_json(n, in.slot));
        intent_free(&in);
    }
    buf_free(&b);
    return o ? o : json_null();
}

/* What a lead has to decide, or null. */
static json_t *doubt_json(const struct doubt *d)
{
    char sha[65];

    if (!d->waits)
        return json_null();
    hex_encode(d->sha256, sizeof d->sha256, sha);
    return json_pack("{s:I, s:I, s:s, s:I, s:s}", "slot", (json_int_t)d->slot, "step",
                     (json_int_t)d->step, "file", d->name, "lines", (json_int_t)d->lines, "sha256",
                     sha);
}

/* Of the work that goes on here, or as its uploader tells this seat. */
static void put_progress(const struct node *n, const struct ledger_view *l, json_t *o)
{
    uint64_t done = l->done, total = l->items > 1 ? l->items : 0;

    if (n->upload_job) {
        done = n->upload_job->progress;
        total = n->upload_job->total;
    }
    json_object_set_new(o, "done", json_integer((json_int_t)done));
    json_object_set_new(o, "total", json_integer((json_int_t)total));
}

/* As the API's errors are. */
static json_t *failure_json(const struct ledger_view *l)
{
    bool denied = l->trouble == TROUBLE_DENIED;

    return json_pack("{s:s, s:s, s:i}", "code", denied ? "login_refused" : "upload_failed",
                     "message", l->problem, "exit", err_exit(denied ? ERR_DENIED : ERR_DISK));
}

const char *status_upload_state(const struct node *n, const struct ledger_view *l)
{
    const char *state = ledger_upload_word(l);
    struct desk_id by;

    return strcmp(state, "sending") == 0 && core_paused_by(n->core, &by, 1) > 0
               ? ledger_state_name(LEDGER_PAUSED)
               : state;
}

json_t *status_upload_json(struct node *n)
{
    struct moment now = node_now();
    struct ledger_view l;
    struct core_view v;
    const char *state;
    json_t *o, *last = last_upload(n);

    core_ledger_view(n->core, &now, &l);
    core_view(n->core, &now, &v);
    state = status_upload_state(n, &l);
    if (strcmp(state, "idle") == 0 && !json_is_null(last) && v.pending == 0)
        state = json_is_object(json_object_get(last, "settled")) ? "settled" : "delivered";
    o = json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:o}", "schema", 1, "state", state, "slot",
                  (json_int_t)l.slot, "pending", (json_int_t)v.pending, "set_aside",
                  (json_int_t)v.set_aside, "term", (json_int_t)l.term, "last", last);
    json_object_set_new(o, "released", json_integer((json_int_t)v.released));
    json_object_set_new(o, "aside", aside_counts_json(n));
    json_object_set_new(o, "uploader",
                        l.has_uploader ? json_string(status_desk_name(n, &l.uploader))
                                       : json_null());
    json_object_set_new(o, "epoch", json_integer((json_int_t)l.epoch.number));
    json_object_set_new(o, "doubled", json_integer((json_int_t)l.doubled));
    json_object_set_new(o, "doubt", doubt_json(&l.doubt));
    json_object_set_new(o, "message", l.problem[0] ? json_string(l.problem) : json_null());
    json_object_set_new(o, "paused_by", pause_json(n));
    json_object_set_new(o, "next_try_s",
                        l.trouble == TROUBLE_WAITS
                            ? json_integer((json_int_t)(l.next_try_ms + 999) / 1000)
                            : json_null());
    json_object_set_new(o, "error", strcmp(state, "failed") == 0 ? failure_json(&l) : json_null());
    put_progress(n, &l, o);
    return o;
}

void status_upload(struct node *n, struct http_request *rq)
{
    api_json(rq, 200, status_upload_json(n));
}
