/* api.c - the local API: requests in, JSON out. Documented in API.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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
    if (!text)
        out->failed = true; /* an empty answer would be believed */
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

/* ---- recording ---- */

struct recorded { /* what became of one request to record */
    enum err err;
    struct errmsg msg;
    struct record_ref ref;
    struct told_note note;
    uint32_t due; /* as it stands in the record; 0: none */
    bool again;
};

static void record_one(struct node *n, const char *text, size_t len, enum ask ask,
                       struct recorded *out)
{
    const struct policy *p = roster_policy(core_roster(n->core));
    struct record *r = malloc(sizeof *r);
    struct moment now = node_now();

    out->err = r ? record_of_text(n->core, text, len, r, &out->msg) : ERR_NOMEM;
    if (out->err == ERR_OK && p)
        session_apply(&n->session, p, session_desk(n), now.wall_ms, r);
    if (out->err == ERR_OK)
        out->err = gate_record(n, &now, r, ask, &out->note, &out->ref, &out->again, &out->msg);
    if (out->err == ERR_OK) {
        out->due = r->due;
        if (!out->again)
            metrics_recorded(&n->metrics, r->kind);
    }
    if (out->err != ERR_OK)
        metrics_rejected(&n->metrics, out->msg.why);
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
    n->recorded += done.err == ERR_OK;
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

/* ---- routes ---- */

static void get_list(struct node *n, struct http_request *rq)
{
    stream_list(n, rq, query_number(rq->query, "pending", 0) == 1,
                query_number(rq->query, "after", 0), query_number(rq->query, "limit", UINT64_MAX));
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
    { "POST", "/api/v1/login-code", HTTP_DESK, NULL, entry_code },
    { "POST", "/api/v1/session", HTTP_NOBODY, NULL, entry_trade },
    { "GET", "/api/v1/session", HTTP_NOBODY, entry_again, NULL },
    { "POST", "/api/v1/session/touch", HTTP_DESK, NULL, entry_touch },
    { "POST", "/api/v1/session/lock", HTTP_DESK, NULL, pin_lock },
    { "POST", "/api/v1/session/end", HTTP_DESK, NULL, entry_leave },
    { "POST", "/api/v1/pin", HTTP_DESK, NULL, pin_try },
    { "POST", "/api/v1/pin/set", HTTP_CTL, NULL, pin_change },
    { "GET", "/api/v1/changes", HTTP_DESK, changes_get, NULL },
    { "GET", "/api/v1/events", HTTP_DESK, events_get, NULL },
    { "GET", "/api/v1/settings", HTTP_CTL, reload_settings, NULL },
    { "POST", "/api/v1/settings", HTTP_CTL, NULL, reload_post },
    { "GET", "/api/v1/support", HTTP_CTL, support_get, NULL },
    { "POST", "/api/v1/records", HTTP_DESK, record_single, NULL },
    { "POST", "/api/v1/records/batch", HTTP_DESK, record_batch, NULL },
    { "POST", "/api/v1/records/void", HTTP_DESK, record_void, NULL },
    { "POST", "/api/v1/scan", HTTP_DESK, NULL, scan_post },
    { "GET", "/api/v1/desk", HTTP_DESK, shift_get, NULL },
    { "GET", "/api/v1/session-settings", HTTP_DESK, session_get, NULL },
    { "POST", "/api/v1/session-settings", HTTP_DESK, NULL, session_put },
    { "GET", "/api/v1/practice", HTTP_DESK, practice_get, NULL },
    { "POST", "/api/v1/practice", HTTP_DESK, NULL, practice_post },
    { "POST", "/api/v1/records/override", HTTP_CTL, NULL, lead_override_block },
    { "GET", "/api/v1/blocklist", HTTP_DESK, blocklist_get, NULL },
    { "POST", "/api/v1/blocklist/begin", HTTP_CTL, NULL, blocklist_begin },
    { "POST", "/api/v1/blocklist/lines", HTTP_CTL, NULL, blocklist_lines },
    { "POST", "/api/v1/blocklist/end", HTTP_CTL, NULL, blocklist_end },
    { "POST", "/api/v1/blocklist/test", HTTP_DESK, NULL, blocklist_test },
    { "GET", "/metrics", HTTP_NOBODY, metrics_get, NULL },
    { "GET", "/api/v1/status", HTTP_DESK, status_get, NULL },
    { "GET", "/api/v1/peers", HTTP_DESK, status_peers, NULL },
    { "GET", "/api/v1/readiness", HTTP_DESK, readiness_get, NULL },
    { "GET", "/api/v1/records", HTTP_CTL, get_list, NULL },
    { "GET", "/api/v1/conflicts", HTTP_CTL, stream_conflicts, NULL },
    { "POST", "/api/v1/conflicts", HTTP_CTL, NULL, conflicts_rule },
    { "GET", "/api/v1/worklist", HTTP_DESK, worklist_get, NULL },
    { "POST", "/api/v1/worklist/done", HTTP_CTL, NULL, worklist_tick },
    { "GET", "/api/v1/policy", HTTP_DESK, status_policy, NULL },
    { "GET", "/api/v1/upload/status", HTTP_DESK, status_upload, NULL },
    { "GET", "/api/v1/upload/plan", HTTP_CTL, report_plan, NULL },
    { "GET", "/api/v1/upload/report", HTTP_CTL, get_report, NULL },
    { "GET", "/api/v1/export", HTTP_CTL, get_export, NULL },
    { "GET", "/api/v1/outage", HTTP_DESK, outage_get, NULL },
    { "GET", "/api/v1/bundle", HTTP_CTL, bundle_get, NULL },
    { "POST", "/api/v1/bundle", HTTP_CTL, NULL, bundle_put },
    { "POST", "/api/v1/log/verify", HTTP_CTL, verify_start, NULL },
    { "GET", "/api/v1/invites", HTTP_CTL, invite_list, NULL },
    { "POST", "/api/v1/invites", HTTP_CTL, NULL, lead_invite },
    { "POST", "/api/v1/invites/withdraw", HTTP_CTL, NULL, invite_withdraw },
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
    { "GET", "/api/v1/key", HTTP_DESK, keyring_show, NULL },
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
    { "GET", "/api/v1/upload/lines", HTTP_CTL, loaded_lines, NULL },
    { "GET", "/api/v1/upload/loaded", HTTP_DESK, loaded_get, NULL },
    { "POST", "/api/v1/upload/loaded", HTTP_CTL, NULL, loaded_say },
    { "POST", "/api/v1/upload/done", HTTP_CTL, NULL, word_done },
    { "GET", "/api/v1/upload/aside", HTTP_CTL, aside_list, NULL },
    { "GET", "/api/v1/upload/exceptions", HTTP_CTL, exceptions_list, NULL },
    { "POST", "/api/v1/upload/release", HTTP_CTL, NULL, aside_release },
    { "POST", "/api/v1/upload/cards", HTTP_CTL, NULL, aside_cards },
    { "GET", "/api/v1/erasing", HTTP_DESK, word_erasing, NULL },
    { "POST", "/api/v1/upload/decide", HTTP_CTL, NULL, lead_decide },
    { "POST", "/api/v1/upload/pause", HTTP_CTL, NULL, pause_post },
};

/* A POST that writes no record: a page must open to show the STOP. */
/* Also while this PC cannot save. */
static bool needs_no_disk(const struct route *r)
{
    return r->handle_json == entry_code || r->handle_json == entry_trade ||
           r->handle_json == entry_touch || r->handle_json == entry_leave ||
           r->handle_json == pin_try || r->handle_json == pin_lock || r->handle_json == reload_post;
}

static void call(struct node *n, struct http_request *rq, const struct route *r)
{
    struct errmsg msg = { .text = "" };
    json_t *body;

    if (rq->right < r->right) {
        if (rq->session != 0)
            err_why(&msg, ERR_DENIED, "locked", "pin", "this needs the PIN of the page");
        else
            err_why(&msg, ERR_DENIED, "not_allowed", "", "this needs the rights of the ctl token");
        api_error(n, rq, ERR_DENIED, &msg);
    } else if (n->stopped && strcmp(rq->method, "POST") == 0 && !needs_no_disk(r)) {
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
            node_log(n, 3, "%s %s", routes[i].method,
                     routes[i].path); /* no query: it may name users */
            call(n, rq, &routes[i]);
            return;
        }
    err_why(&msg, ERR_MISSING, "no_such_page", "", "there is nothing at %s", rq->path);
    api_error(n, rq, ERR_MISSING, &msg);
}
