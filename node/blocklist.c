/* blocklist.c - the branch's list of blocked users over the local API; never the numbers. */
#include <stdio.h>
#include <string.h>

#include "day.h"
#include "lead_int.h"
#include "record_json.h"

#define DAY_MS INT64_C(86400000)

long long blocklist_age_days(const struct node *n)
{
    const struct blocklist_head *h = core_blocklist(n->core);
    int64_t age = h ? node_now().wall_ms - h->date_ms : 0;

    return age > 0 ? age / DAY_MS : 0;
}

/* NULL: there is none. */
json_t *blocklist_json(const struct node *n)
{
    const struct blocklist_head *h = core_blocklist(n->core);
    const struct desk *d = h ? roster_find(core_roster(n->core), &h->desk) : NULL;
    json_t *by = json_object();

    for (unsigned i = 1; h && i < BLOCKED_KINDS; i++)
        if (h->by_status[i] > 0)
            json_object_set_new(by, blocked_name((enum blocked)i),
                                json_integer((json_int_t)h->by_status[i]));
    if (!h) {
        json_decref(by);
        return NULL;
    }
    return json_pack("{s:o, s:o, s:s, s:I, s:o, s:I}", "date", status_time(n, h->date_ms),
                     "imported", status_time(n, h->imported_ms), "desk", d ? d->name : "?", "users",
                     (json_int_t)h->rows, "by_status", by, "age_days",
                     (json_int_t)blocklist_age_days(n));
}

bool blocklist_is_old(const struct node *n, char text[256])
{
    const struct blocklist_head *h = core_blocklist(n->core);
    const struct policy *p = roster_policy(core_roster(n->core));
    int64_t age = h ? node_now().wall_ms - h->date_ms : 0;

    if (!h || !p || age < (int64_t)p->blocklist_warn_ms)
        return false;
    snprintf(text, 256,
             "the list of blocked users is %lld days old: who was blocked since then is not on it; "
             "import a new one (tideover blocklist import)",
             (long long)(age / DAY_MS));
    return true;
}

void blocklist_get(struct node *n, struct http_request *rq)
{
    json_t *list = blocklist_json(n);

    api_json(rq, 200, json_pack("{s:i, s:o}", "schema", 1, "list", list ? list : json_null()));
}

static void answer(struct node *n, struct http_request *rq, json_t *body, enum err e,
                   const struct errmsg *msg)
{
    json_t *list = blocklist_json(n);

    json_decref(body);
    if (e != ERR_OK) {
        json_decref(list);
        api_error(n, rq, e, msg);
    } else {
        api_json_later(n, rq,
                       json_pack("{s:i, s:o}", "schema", 1, "list", list ? list : json_null()));
    }
}

void blocklist_begin(struct node *n, struct http_request *rq, json_t *body)
{
    const char *format = json_string_value(json_object_get(body, "format"));
    const char *date = json_string_value(json_object_get(body, "date"));
    struct moment now = node_now();
    struct errmsg msg = { .text = "" }, inner = { .text = "" };
    enum blocklist_format f = BLOCKLIST_PLAIN;
    int64_t date_ms = 0;
    enum err e = ERR_OK;
    int off;

    if (format && !blocklist_format_by_name(format, &f))
        e = err_why(&msg, ERR_INVALID, "unknown_format", "format",
                    "a block list is plain, symphony or evergreen");
    else if (!date || rfc3339_parse(date, &date_ms, &off, &inner) != ERR_OK)
        e = err_why(&msg, ERR_INVALID, "bad_date", "date", "the list's date is missing: %.160s",
                    date ? inner.text : "when did the system make it?");
    else
        e = core_blocklist_begin(n->core, &now, f, date_ms, &msg);
    answer(n, rq, body, e, &msg);
}

void blocklist_lines(struct node *n, struct http_request *rq, json_t *body)
{
    const json_t *text = json_object_get(body, "text");
    struct errmsg msg = { .text = "" };
    enum err e =
        json_is_string(text)
            ? core_blocklist_lines(n->core, json_string_value(text), json_string_length(text), &msg)
            : err_why(&msg, ERR_INVALID, "missing_field", "text", "text is missing");

    answer(n, rq, body, e, &msg);
}

void blocklist_end(struct node *n, struct http_request *rq, json_t *body)
{
    struct moment now = node_now();
    struct errmsg msg = { .text = "" };

    answer(n, rq, body, core_blocklist_end(n->core, &now, &msg), &msg);
}

void blocklist_test(struct node *n, struct http_request *rq, json_t *body)
{
    const char *user = json_string_value(json_object_get(body, "user"));
    struct errmsg msg = { .text = "" };
    enum blocked is;

    if (user == NULL || !barcode_is_clean(user)) {
        err_why(&msg, ERR_INVALID, "bad_barcode", "user", "that is no user's number");
        api_error(n, rq, ERR_INVALID, &msg);
    } else {
        is = core_blocked(n->core, user);
        api_json(rq, 200,
                 json_pack("{s:i, s:b, s:s, s:s}", "schema", 1, "blocked", is != BLOCKED_NOT,
                           "status", blocked_name(is), "message", blocked_words(is)));
    }
    json_decref(body);
}

/* ---- a lead lets a blocked user borrow ---- */

static enum err override_one(struct node *n, struct lead_job *l, json_t **out)
{
    const struct policy *p = roster_policy(core_roster(n->core));
    struct moment now = node_now();
    struct record r;
    struct record_ref ref;
    struct told_note note;
    char id[RECORD_ID_TEXT];
    json_t *told;
    bool again;
    enum err e;

    json_object_del(l->body, "passphrase"); /* wiped, and no field of a record */
    if (!p || !p->blocklist_override)
        return err_why(&l->msg, ERR_REFUSED, "no_override", "",
                       "the branch's policy allows nobody to override its block list "
                       "([blocklist] override = no)");
    if ((e = record_of_json(n->core, l->body, &r, &l->msg)) != ERR_OK)
        return e;
    if (core_blocked(n->core, r.user) != BLOCKED_NOT)
        r.flags |= RECORD_OVERRIDE;
    session_apply(&n->session, p, session_desk(n), now.wall_ms, &r);
    e = gate_record(n, &now, &r, ASK_NOT, &note, &ref, &again, &l->msg);
    if (e != ERR_OK)
        return e;
    if (!again)
        metrics_recorded(&n->metrics, r.kind);
    core_id_text(n->core, &ref, id);
    /* Answered once it is on this disk; the others get it afterwards. */
    *out = json_pack("{s:i, s:b, s:s, s:i}", "schema", 1, "ok", 1, "id", id, "copies", 1);
    if ((told = note_json(n, &note)) != NULL)
        json_object_set_new(*out, "note", told);
    api_put_due(r.due, p, *out, "due");
    return ERR_OK;
}

void lead_override_block(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, override_one);
}
