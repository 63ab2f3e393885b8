/* api.c - the local API: requests in, JSON out. Documented in README, "Local API". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "credential.h"
#include "day.h"
#include "keys.h"
#include "node_int.h"
#include "query.h"
#include "record_json.h"

/* ---- answering ---- */

static unsigned http_status(enum err e)
{
    switch (e) {
    case ERR_OK:
        return 200;
    case ERR_MALFORMED:
    case ERR_INVALID:
    case ERR_USAGE:
        return 400;
    case ERR_DENIED:
        return 403;
    case ERR_MISSING:
    case ERR_NOFILE:
        return 404;
    case ERR_REFUSED:
    case ERR_EXISTS:
    case ERR_CONFIG:
        return 409;
    case ERR_BUSY:
    case ERR_DISK:
    case ERR_FULL:
    case ERR_OFFLINE:
        return 503;
    case ERR_BUG:
    case ERR_NOMEM:
    case ERR_PEER:
        return 500;
    }
    return 500;
}

static json_t *error_json(enum err e, const struct errmsg *msg, bool with_exit)
{
    json_t *o = json_pack("{s:s, s:s}", "code", msg->why[0] ? msg->why : err_word(e), "message",
                          msg->text[0] ? msg->text : err_text(e));

    if (msg->field[0])
        json_object_set_new(o, "field", json_string(msg->field));
    if (with_exit)
        json_object_set_new(o, "exit", json_integer(err_exit(e)));
    return o;
}

json_t *api_error_json(enum err e, const struct errmsg *msg)
{
    return error_json(e, msg, false);
}

static void json_bytes(json_t *j, struct buf *out)
{
    char *text = json_dumps(j, JSON_COMPACT);

    if (text)
        buf_text(out, text);
    buf_text(out, "\n");
    free(text);
    json_decref(j);
}

void api_json(struct http_request *rq, unsigned status, json_t *j)
{
    struct buf b = { 0 };

    json_bytes(j, &b);
    http_answer(rq, status, "application/json", &b);
}

void api_json_later(struct node *n, struct http_request *rq, json_t *j)
{
    char *text = json_dumps(j, JSON_COMPACT);
    struct buf b = { 0 };

    buf_text(&b, text ? text : "{}");
    free(text);
    json_decref(j);
    node_reply_later(n, rq, 200, "application/json", &b);
}

void api_error(struct node *n, struct http_request *rq, enum err e, const struct errmsg *msg)
{
    (void)n;
    api_json(rq, http_status(e),
             json_pack("{s:i, s:o}", "schema", 1, "error", error_json(e, msg, true)));
}

static json_t *time_json(int64_t ms)
{
    char text[36];

    rfc3339_format(ms, 0, text);
    return json_string(text);
}

static const char *desk_name(const struct node *n, const struct desk_id *id)
{
    const struct desk *d = roster_find(core_roster(n->core), id);

    return d ? d->name : "?";
}

/* ---- recording ---- */

struct recorded { /* what became of one request to record */
    enum err err;
    struct errmsg msg;
    struct record_ref ref;
    struct told_note note;
    uint32_t due; /* as it stands in the record; 0: none, or one made before */
    bool again;
};

static void record_one(struct node *n, const char *text, size_t len, enum ask ask,
                       struct recorded *out)
{
    const struct policy *p = roster_policy(core_roster(n->core));
    struct record *r = malloc(sizeof *r);
    json_t *o = r ? json_object_of(text, len, &out->msg) : NULL;
    struct moment now = node_now();

    out->err = !r ? ERR_NOMEM : !o ? ERR_INVALID : record_of_json(n->core, o, r, &out->msg);
    json_decref(o);
    if (out->err == ERR_OK && p)
        session_apply(&n->session, p, now.wall_ms, r);
    if (out->err == ERR_OK)
        out->err = core_record_telling(n->core, &now, r, ask, &out->note, &out->ref, &out->again,
                                       &out->msg);
    if (out->err == ERR_OK && !out->again)
        out->due = r->due;
    free(r);
}

void api_put_due(uint32_t due, const struct policy *p, json_t *o, const char *name)
{
    char day[11], warning[256];

    if (due == 0 || p == NULL)
        return;
    ymd_format(due, day);
    due_warning(&p->due, due, warning);
    json_object_set_new(o, name, json_string(day));
    if (warning[0])
        json_object_set_new(o, "warning",
                            json_pack("{s:s, s:s}", "code", "closed_day", "message", warning));
}

/* What an answer says beside the record's number. */
static json_t *more_json(const struct node *n, const struct recorded *done)
{
    json_t *o = json_object(), *note = note_json(n, &done->note);

    if (note)
        json_object_set_new(o, "note", note);
    api_put_due(done->due, roster_policy(core_roster(n->core)), o, "due");
    return o;
}

/* A client with one record waits a moment for its first copy elsewhere: that is what a slip says.
 */
static void answer_record(struct node *n, struct http_request *rq, const char *p, size_t len)
{
    struct recorded done = { .msg = { .text = "" } };

    record_one(n, p, len, ASK, &done);
    if (done.err == ERR_OK)
        node_reply_copies(n, rq, &done.ref, more_json(n, &done));
    else if (done.note.what != LATELY_NOTHING)
        api_json(rq, http_status(done.err),
                 json_pack("{s:i, s:o, s:o, s:b}", "schema", 1, "error",
                           error_json(done.err, &done.msg, true), "note", note_json(n, &done.note),
                           "confirm", 1));
    else
        api_error(n, rq, done.err, &done.msg);
}

static void recorded_json(const struct node *n, const struct record_ref *ref, unsigned copies,
                          json_t *more, struct buf *out)
{
    char id[RECORD_ID_TEXT];
    json_t *o;

    core_id_text(n->core, ref, id);
    o = json_pack("{s:i, s:b, s:s, s:i}", "schema", 1, "ok", 1, "id", id, "copies", (int)copies);
    if (more)
        json_object_update(o, more);
    json_decref(more);
    json_bytes(o, out);
}

void api_recorded(struct node *n, const struct record_ref *ref, json_t *more, struct buf *out)
{
    recorded_json(n, ref, core_copies(n->core, ref), more, out);
}

static void record_single(struct node *n, struct http_request *rq)
{
    answer_record(n, rq, (const char *)rq->body, rq->body_len);
}

static void record_batch(struct node *n, struct http_request *rq)
{
    const char *p = (const char *)rq->body, *end = p + rq->body_len;
    struct buf b = { 0 };

    while (p && p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        size_t len = (size_t)((nl ? nl : end) - p);
        struct recorded done = { .msg = { .text = "" } };
        unsigned copies;
        char id[RECORD_ID_TEXT];
        record_one(n, p, len, ASK_NOT, &done);
        /* the answer leaves after the commit, and is written before it */
        copies = done.err == ERR_OK && done.again ? core_copies(n->core, &done.ref) : 1;
        if (done.err == ERR_OK && done.note.what != LATELY_NOTHING) {
            recorded_json(n, &done.ref, copies, more_json(n, &done), &b);
        } else if (done.err == ERR_OK) {
            core_id_text(n->core, &done.ref, id);
            /* written plainly: a number of ours needs no escapes, and this line is the hot one */
            buf_printf(&b, "{\"ok\":true,\"id\":\"%s\",\"copies\":%u}\n", id, copies);
        } else {
            json_bytes(
                json_pack("{s:b, s:o}", "ok", 0, "error", error_json(done.err, &done.msg, false)),
                &b);
        }
        p += len + 1;
    }
    node_reply_later(n, rq, 200, "application/x-ndjson", &b);
}

static void record_void(struct node *n, struct http_request *rq)
{
    struct errmsg msg = { .text = "" };
    json_t *o = json_object_of((const char *)rq->body, rq->body_len, &msg);
    char *text;

    if (!o) {
        api_error(n, rq, ERR_INVALID, &msg);
        return;
    }
    json_object_set_new(o, "op", json_string("void"));
    text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    answer_record(n, rq, text ? text : "", text ? strlen(text) : 0);
    free(text);
}

/* ---- looking ---- */

static void add_problem(json_t *all, const char *code, const char *desk, const char *text)
{
    json_t *p = json_pack("{s:s, s:s}", "code", code, "message", text);

    if (desk)
        json_object_set_new(p, "desk", json_string(desk));
    json_array_append_new(all, p);
}

#define REFUSED_MANY 10 /* messages; one or two may come of a fork in good faith */

static void peer_problems(const struct node *n, const struct moment *now, json_t *all)
{
    char text[256];

    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view v;
        const char *name;
        core_peer_view(n->core, now, i, &v);
        name = desk_name(n, &v.id);
        if (v.state == PEER_UNREACHABLE && v.ever_heard && v.silent_ms >= n->conf.away_after_ms) {
            snprintf(text, sizeof text, "%s has not been seen for %llu s; it may hold more", name,
                     (unsigned long long)v.silent_ms / 1000);
            add_problem(all, "peer_away", name, text);
        }
        if (v.memory_lost && v.state != PEER_REVOKED && v.state != PEER_RETIRED) {
            snprintf(
                text, sizeof text,
                v.restorable
                    ? "%s started with an older disk than the branch remembers: its copies and "
                      "its vote do not count. A lead gives them back: tideover restore-seat %s"
                    : "%s started with an older disk than the branch remembers: its copies and "
                      "its vote do not count. A lead can give them back once it is on and has "
                      "its own records again (tideover restore-seat %s)",
                name, name);
            add_problem(all, "peer_memory_lost", name, text);
        }
        if (v.cloned) {
            snprintf(text, sizeof text,
                     "two PCs run as %s, as after a restored backup: stop the one that is not to "
                     "be it",
                     name);
            add_problem(all, "peer_cloned", name, text);
        }
        if (v.refused >= REFUSED_MANY && v.state != PEER_REVOKED) {
            snprintf(text, sizeof text,
                     "%llu of its messages were refused, as no honest desk sends them: its program "
                     "is another version, or somebody lies with its keys; look at that PC, and if "
                     "it is not yours any more: tideover revoke %s",
                     (unsigned long long)v.refused, name);
            add_problem(all, "peer_refused", name, text);
        }
        if (v.inbound_only && now->boot_ms - n->started_ms > PEER_AWAY_MS)
            add_problem(all, "peer_inbound_blocked", name,
                        "it reaches us, we do not reach it: look at its firewall and address");
    }
}

static void override_problems(const struct ledger_view *l, json_t *all)
{
    char text[256];

    if (l->doubled > 0) {
        snprintf(text, sizeof text,
                 "%llu records may have reached the server twice, before and after an override: "
                 "tideover upload overlaps",
                 (unsigned long long)l->doubled);
        add_problem(all, "sent_twice", NULL, text);
    }
    if (l->behind) {
        snprintf(text, sizeof text,
                 "this desk follows an override that rests on upload %llu, and waits for it from "
                 "another desk",
                 (unsigned long long)l->base);
        add_problem(all, "override_behind", NULL, text);
    }
}

static void store_problem(const struct node *n, json_t *all)
{
    char text[256], aside[80];

    if (!damage_lies_here(n->dir, aside))
        return;
    snprintf(
        text, sizeof text,
        "the store of this desk was damaged and lies in %s. A new one was filled from the other "
        "desks; what no other desk had is only in the damaged one. Delete that folder when "
        "nothing is missed",
        aside);
    add_problem(all, "store_damaged", NULL, text);
}

static void credential_problem(const struct node *n, json_t *all)
{
    const struct policy *p = roster_policy(core_roster(n->core));
    char words[256];

    if (!p)
        return;
    credential_lacks(n->dir, p, words);
    if (words[0])
        add_problem(all, "credential_missing", NULL, words);
}

static json_t *problems(const struct node *n, const struct moment *now)
{
    json_t *all = json_array();
    struct core_view v;
    struct ledger_view l;

    core_view(n->core, now, &v);
    core_ledger_view(n->core, now, &l);
    if (n->stopped)
        add_problem(all, "not_saving", NULL, n->stop_reason);
    if (v.revoked)
        add_problem(
            all, "revoked", NULL,
            "this desk was revoked: it is no longer part of the branch and records nothing. "
            "Ask a lead; to use this PC again, join with a new code under another --state");
    if (v.quarantined > 0)
        add_problem(
            all, "quarantined", NULL,
            "records of a revoked desk, or of one that signed two histories, wait for a lead: "
            "tideover quarantine list");
    if (v.retired)
        add_problem(
            all, "retired", NULL,
            v.replicated == v.local
                ? "this desk was retired, and other desks have all its records: this PC can "
                  "go"
                : "this desk was retired and records no more; leave it on until other desks "
                  "have all its records");
    if (v.memory_lost)
        add_problem(
            all, "memory_lost", NULL,
            "this desk forgot what the others remember of it: it was restored from a backup, "
            "its disk was set back or damaged, or another PC runs with its keys. It "
            "records, but has no vote and its copies do not count");
    if (v.memory_lost && v.restorable)
        add_problem(all, "vote_restorable", NULL,
                    "it has its own records again: a lead gives it its vote back with tideover "
                    "restore-seat");
    if (!v.mark_confirmed && !v.memory_lost && !v.revoked && !v.retired &&
        ledger_is_seat(core_ledger(n->core), &n->me.id) &&
        now->boot_ms - n->started_ms > PEER_AWAY_MS)
        add_problem(all, "vote_waits", NULL,
                    "this desk was restarted and has no vote in an upload until enough other desks "
                    "with a seat have been on at the same time once");
    if (v.contested)
        add_problem(all, "contested", NULL,
                    "two leads worked apart from each other and not all they did could stand: look "
                    "at \"tideover roster conflicts\"");
    if (core_lead_key_is_old(n->core))
        add_problem(all, "lead_key_old", NULL,
                    "the lead's passphrase was changed, or a new lead key made, at another desk: "
                    "this desk gets it once it meets a lead desk that has it");
    store_problem(n, all);
    credential_problem(n, all);
    if (keys_root_is_here(n->dir))
        add_problem(all, "root_key_here", NULL,
                    "the branch root key still lies on this PC: move root-key-backup off it");
    if (l.problem[0])
        add_problem(all, l.stopped ? "upload_stopped" : "upload_waits", NULL, l.problem);
    override_problems(&l, all);
    peer_problems(n, now, all);
    return all;
}

/* How the other desks see it: one whose own cable is out sees another server than the rest. */
static json_t *server_seen(const struct node *n, const struct moment *now)
{
    json_t *by = json_object();

    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view p;
        core_peer_view(n->core, now, i, &p);
        if (p.state == PEER_ONLINE)
            json_object_set_new(by, desk_name(n, &p.id), json_string(watch_state_name(p.sees)));
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
        json_object_set_new(o, "since",
                            time_json(now->wall_ms - (int64_t)(now->boot_ms - v.watch.since_ms)));
    if (v.watch.checked_ms > 0)
        json_object_set_new(o, "checked",
                            time_json(now->wall_ms - (int64_t)(now->boot_ms - v.watch.checked_ms)));
    return o;
}

static json_t *ledger_json(const struct node *n, const struct core_view *v,
                           const struct ledger_view *l)
{
    json_t *seats = json_array(), *o;

    for (unsigned i = 0; i < l->n_seats; i++)
        json_array_append_new(seats, json_string(desk_name(n, &l->seats[i])));
    o = json_pack("{s:I, s:o, s:b, s:b, s:b, s:b}", "slot", (json_int_t)l->slot, "seats", seats,
                  "open", l->open, "may_vote", l->may_vote, "triggered", l->triggered,
                  "start_confirmed", v->mark_confirmed);
    json_object_update_new(o,
                           json_pack("{s:i, s:i, s:I}", "epoch", (int)l->epoch.number, "evidence",
                                     (int)l->evidence, "doubled", (json_int_t)l->doubled));
    return o;
}

static void get_status(struct node *n, struct http_request *rq)
{
    struct moment now = node_now();
    struct core_view v;
    struct ledger_view l;
    struct store_stats st;
    unsigned online = 0;
    json_t *o;

    core_view(n->core, &now, &v);
    core_ledger_view(n->core, &now, &l);
    store_stats(n->store, &st);
    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view p;
        core_peer_view(n->core, &now, i, &p);
        online += p.state == PEER_ONLINE;
    }
    o = json_pack("{s:i, s:s, s:s, s:s, s:o}", "schema", 1, "branch",
                  roster_code(core_roster(n->core)), "desk", desk_name(n, &n->me.id), "version",
                  TIDEOVER_VERSION, "server", server_json(n, &now));
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
                        l.has_uploader ? json_pack("{s:s, s:I}", "desk", desk_name(n, &l.uploader),
                                                   "term", (json_int_t)l.term)
                                       : json_null());
    json_object_set_new(o, "ledger", ledger_json(n, &v, &l));
    json_object_set_new(o, "store",
                        json_pack("{s:I, s:I, s:I, s:I, s:I}", "used_bytes",
                                  (json_int_t)st.used_bytes, "map_bytes", (json_int_t)st.map_bytes,
                                  "disk_free_bytes", (json_int_t)st.disk_free_bytes, "commits",
                                  (json_int_t)st.commits, "commit_failures",
                                  (json_int_t)st.commit_failures));
    json_object_set_new(o, "refused",
                        json_pack("{s:I, s:I, s:I}", "messages", (json_int_t)v.refused,
                                  "handshakes", (json_int_t)net_refused(n->net), "requests",
                                  (json_int_t)http_refused(n->http)));
    json_object_set_new(o, "start", json_integer((json_int_t)v.start));
    json_object_set_new(o, "problems", problems(n, &now));
    api_json(rq, 200, o);
}

json_t *api_roles(unsigned roles)
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
    char brief[8];

    desk_id_short(id, brief);
    return json_pack("{s:s, s:s, s:s, s:o, s:b}", "name", d ? d->name : "?", "joined",
                     d ? d->joined : "?", "id", brief, "roles", api_roles(d ? d->roles : 0), "seat",
                     ledger_is_seat(core_ledger(n->core), id));
}

static void get_peers(struct node *n, struct http_request *rq)
{
    struct moment now = node_now();
    json_t *all = json_array(), *me = desk_json(n, &n->me.id);

    json_object_update_new(me, json_pack("{s:s, s:b, s:i, s:i, s:i, s:i, s:s, s:s}", "state",
                                         "online", "this", 1, "last_seen_s", 0, "behind", 0,
                                         "missing", 0, "clock_ms", 0, "version", TIDEOVER_VERSION,
                                         "address", n->conf.listen));
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
        json_array_append_new(all, o);
    }
    api_json(rq, 200, json_pack("{s:i, s:o}", "schema", 1, "peers", all));
}

static void get_policy(struct node *n, struct http_request *rq)
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
                          "sha256", sha, "file", r.evidence, "desk", desk_name(n, &r.desk),
                          "records", (json_int_t)in.records, "lines",
                          (json_int_t)(in.n_parts ? in.parts[in.n_parts - 1].lines : 0), "at",
                          time_json(r.at_ms));
        }
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

static void get_upload_status(struct node *n, struct http_request *rq)
{
    struct moment now = node_now();
    struct ledger_view l;
    struct core_view v;
    const char *state;
    json_t *o, *last = last_upload(n);

    core_ledger_view(n->core, &now, &l);
    core_view(n->core, &now, &v);
    if (l.doubt.waits)
        state = ledger_state_name(LEDGER_PERSON);
    else if (l.state != LEDGER_IDLE)
        state = ledger_state_name(l.state);
    else if (l.stopped)
        state = "failed";
    else if (l.triggered || l.open)
        state = "gathering";
    else
        state = json_is_null(last) || v.pending > 0 ? "idle" : "delivered";
    if (strcmp(state, "electing") == 0)
        state = "gathering";
    o = json_pack("{s:i, s:s, s:I, s:I, s:I, s:I, s:o}", "schema", 1, "state", state, "slot",
                  (json_int_t)l.slot, "pending", (json_int_t)v.pending, "set_aside",
                  (json_int_t)v.set_aside, "term", (json_int_t)l.term, "last", last);
    json_object_set_new(o, "released", json_integer((json_int_t)v.released));
    json_object_set_new(o, "aside", aside_counts_json(n));
    json_object_set_new(o, "uploader",
                        l.has_uploader ? json_string(desk_name(n, &l.uploader)) : json_null());
    json_object_set_new(o, "epoch", json_integer((json_int_t)l.epoch.number));
    json_object_set_new(o, "doubled", json_integer((json_int_t)l.doubled));
    json_object_set_new(o, "doubt", doubt_json(&l.doubt));
    json_object_set_new(o, "message", l.problem[0] ? json_string(l.problem) : json_null());
    json_object_set_new(o, "done",
                        json_integer(n->upload_job ? (json_int_t)n->upload_job->progress : 0));
    json_object_set_new(o, "total",
                        json_integer(n->upload_job ? (json_int_t)n->upload_job->total : 0));
    api_json(rq, 200, o);
}

/* ---- routes ---- */

static void get_list(struct node *n, struct http_request *rq)
{
    stream_list(n, rq, query_number(rq->query, "after", 0),
                query_number(rq->query, "limit", UINT64_MAX));
}

static void get_report(struct node *n, struct http_request *rq)
{
    report_slot(n, rq, query_number(rq->query, "slot", 0));
}

static void get_export(struct node *n, struct http_request *rq)
{
    char format[32];

    query_text(rq->query, "format", format, sizeof format);
    stream_export(n, rq, format);
}

static const struct route {
    const char *method, *path;
    enum http_right right;
    void (*handle)(struct node *n, struct http_request *rq);
    void (*handle_json)(struct node *n, struct http_request *rq, json_t *body); /* takes body */
} routes[] = {
    { "POST", "/api/v1/records", HTTP_DESK, record_single, NULL },
    { "POST", "/api/v1/records/batch", HTTP_DESK, record_batch, NULL },
    { "POST", "/api/v1/records/void", HTTP_DESK, record_void, NULL },
    { "POST", "/api/v1/scan", HTTP_DESK, NULL, scan_post },
    { "GET", "/api/v1/session-settings", HTTP_DESK, session_get, NULL },
    { "POST", "/api/v1/session-settings", HTTP_DESK, NULL, session_put },
    { "GET", "/api/v1/status", HTTP_DESK, get_status, NULL },
    { "GET", "/api/v1/peers", HTTP_DESK, get_peers, NULL },
    { "GET", "/api/v1/records", HTTP_CTL, get_list, NULL },
    { "GET", "/api/v1/conflicts", HTTP_CTL, stream_conflicts, NULL },
    { "POST", "/api/v1/conflicts", HTTP_CTL, NULL, conflicts_rule },
    { "GET", "/api/v1/policy", HTTP_DESK, get_policy, NULL },
    { "GET", "/api/v1/upload/status", HTTP_DESK, get_upload_status, NULL },
    { "GET", "/api/v1/upload/plan", HTTP_CTL, report_plan, NULL },
    { "GET", "/api/v1/upload/report", HTTP_CTL, get_report, NULL },
    { "GET", "/api/v1/export", HTTP_CTL, get_export, NULL },
    { "POST", "/api/v1/log/verify", HTTP_CTL, verify_start, NULL },
    { "POST", "/api/v1/invites", HTTP_CTL, NULL, lead_invite },
    { "POST", "/api/v1/revoke", HTTP_CTL, NULL, lead_revoke },
    { "GET", "/api/v1/quarantine", HTTP_CTL, quarantine_list, NULL },
    { "POST", "/api/v1/quarantine", HTTP_CTL, NULL, lead_admit },
    { "POST", "/api/v1/restore-seat", HTTP_CTL, NULL, word_restore },
    { "POST", "/api/v1/server/online", HTTP_CTL, NULL, word_online },
    { "POST", "/api/v1/retire", HTTP_CTL, NULL, lead_retire },
    { "POST", "/api/v1/rename", HTTP_CTL, NULL, lead_rename },
    { "POST", "/api/v1/role", HTTP_CTL, NULL, lead_role },
    { "POST", "/api/v1/backup", HTTP_CTL, NULL, backup_start },
    { "POST", "/api/v1/passphrase", HTTP_CTL, NULL, lead_passphrase },
    { "GET", "/api/v1/leads", HTTP_DESK, keyring_list, NULL },
    { "POST", "/api/v1/leads", HTTP_CTL, NULL, lead_new },
    { "POST", "/api/v1/leads/drop", HTTP_CTL, NULL, lead_drop },
    { "GET", "/api/v1/roster", HTTP_DESK, keyring_log, NULL },
    { "GET", "/api/v1/roster/conflicts", HTTP_DESK, desks_conflicts, NULL },
    { "POST", "/api/v1/policy", HTTP_CTL, NULL, lead_policy },
    { "POST", "/api/v1/upload/run", HTTP_CTL, NULL, lead_upload },
    { "GET", "/api/v1/upload/override", HTTP_CTL, override_plan_get, NULL },
    { "POST", "/api/v1/upload/override", HTTP_CTL, NULL, lead_override },
    { "GET", "/api/v1/upload/overlaps", HTTP_CTL, overlaps_get, NULL },
    { "POST", "/api/v1/upload/confirm", HTTP_CTL, NULL, word_confirm },
    { "POST", "/api/v1/upload/done", HTTP_CTL, NULL, word_done },
    { "GET", "/api/v1/upload/aside", HTTP_CTL, aside_list, NULL },
    { "GET", "/api/v1/upload/exceptions", HTTP_CTL, exceptions_list, NULL },
    { "POST", "/api/v1/upload/release", HTTP_CTL, NULL, aside_release },
    { "POST", "/api/v1/upload/cards", HTTP_CTL, NULL, aside_cards },
    { "GET", "/api/v1/erasing", HTTP_DESK, word_erasing, NULL },
    { "POST", "/api/v1/upload/decide", HTTP_CTL, NULL, lead_decide },
};

static void call(struct node *n, struct http_request *rq, const struct route *r)
{
    struct errmsg msg = { .text = "" };
    json_t *body;

    if (rq->right < r->right) {
        err_why(&msg, ERR_DENIED, "not_allowed", "", "this needs the rights of the ctl token");
        api_error(n, rq, ERR_DENIED, &msg);
    } else if (n->stopped && strcmp(rq->method, "POST") == 0) {
        err_why(&msg, ERR_DISK, "not_saving", "",
                "STOP: this PC cannot save (%.120s). Write on paper until it can", n->stop_reason);
        api_error(n, rq, ERR_DISK, &msg);
    } else if (r->handle) {
        r->handle(n, rq);
    } else if ((body = json_object_of((const char *)rq->body, rq->body_len, &msg)) == NULL) {
        api_error(n, rq, ERR_INVALID, &msg);
    } else {
        r->handle_json(n, rq, body);
    }
}

void api_handle(struct node *n, struct http_request *rq)
{
    struct errmsg msg = { .text = "" };

    for (unsigned i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (strcmp(routes[i].method, rq->method) == 0 && strcmp(routes[i].path, rq->path) == 0) {
            call(n, rq, &routes[i]);
            return;
        }
    err_why(&msg, ERR_MISSING, "no_such_page", "", "there is nothing at %s", rq->path);
    api_error(n, rq, ERR_MISSING, &msg);
}
