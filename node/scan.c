/* scan.c - POST /api/v1/scan: one raw scan, and the box that it was made in. Rules: scan.h, box.h.
 *
 * The box comes with the request and goes back with the answer: nothing of it lives here. A request
 * that is repeated with its key and its old box is answered as before and records nothing. */
#include <stdio.h>
#include <string.h>

#include "box.h"
#include "desk.h"
#include "node_int.h"
#include "record_json.h"

struct scanning {
    struct node *n;
    const struct policy *p;
    struct box box;
    char last[RECORD_ID_TEXT]; /* this box's last record: what undo takes back */
    uint32_t practice;         /* P4: the practice that the box is of; 0: it is real */
    bool repeated;             /* in practice: this very request was judged before */
    uint8_t key[RECORD_KEY_BYTES];
    bool has_key;
    int64_t paper_ms; /* D6: when it happened, if that was written on paper; else 0 */
    unsigned steps;   /* held scans that follow have keys of their own */
    json_t *answers;
};

/* ---- the box as JSON ---- */

static enum err take_text(const json_t *o, const char *name, char *out, size_t room,
                          struct errmsg *msg)
{
    const json_t *v = json_object_get(o, name);
    const char *s = v ? json_string_value(v) : "";

    if (s == NULL || strlen(s) >= room)
        return err_why(msg, ERR_INVALID, "bad_box", "box",
                       "%s of the box is not as an answer gave it", name);
    memcpy(out, s, strlen(s) + 1);
    return ERR_OK;
}

static enum err take_held(const json_t *o, struct box *b, struct errmsg *msg)
{
    const json_t *all = json_object_get(o, "held");

    if (json_array_size(all) > BOX_HELD_MAX)
        return err_why(msg, ERR_INVALID, "bad_box", "box", "the box holds too many scans");
    for (size_t i = 0; i < json_array_size(all); i++) {
        const json_t *one = json_array_get(all, i);
        struct box_held *h = &b->held[b->n_held++];
        enum err e = take_text(one, "scan", h->text, sizeof h->text, msg);

        if (e != ERR_OK)
            return e;
        h->typed = json_is_true(json_object_get(one, "typed"));
    }
    return ERR_OK;
}

static bool number_is_clean(const char *s)
{
    return s[0] == 0 || barcode_is_clean(s);
}

static enum err box_of_json(const json_t *o, struct scanning *s, struct errmsg *msg)
{
    struct box *b = &s->box;
    char mode[16] = "";
    json_int_t count = json_integer_value(json_object_get(o, "count"));
    json_int_t practice = json_integer_value(json_object_get(o, "practice"));
    enum err e;

    s->practice = practice > 0 && practice <= UINT32_MAX ? (uint32_t)practice : 0;
    box_init(b);
    if (o == NULL)
        return ERR_OK;
    if ((e = take_text(o, "mode", mode, sizeof mode, msg)) != ERR_OK ||
        (e = take_text(o, "user", b->user, sizeof b->user, msg)) != ERR_OK ||
        (e = take_text(o, "item", b->item, sizeof b->item, msg)) != ERR_OK ||
        (e = take_text(o, "asks", b->asks, sizeof b->asks, msg)) != ERR_OK ||
        (e = take_text(o, "last", s->last, sizeof s->last, msg)) != ERR_OK ||
        (e = take_held(o, b, msg)) != ERR_OK)
        return e;
    if (mode[0])
        b->mode = (uint8_t)record_kind_by_name(mode, strlen(mode));
    b->asks_typed = json_is_true(json_object_get(o, "asks_typed"));
    b->asks_branch = json_is_true(json_object_get(o, "asks_branch"));
    b->piece = json_is_true(json_object_get(o, "piece"));
    b->count = count > 0 && count < 100000 ? (unsigned)count : 0;
    if (b->mode == 0 || b->mode == RECORD_VOID || !number_is_clean(b->user) ||
        !number_is_clean(b->item) || !number_is_clean(b->asks))
        return err_why(msg, ERR_INVALID, "bad_box", "box",
                       "the box is not as an answer gave it: leave it out to begin anew");
    return ERR_OK;
}

static json_t *box_to_json(const struct scanning *s)
{
    const struct box *b = &s->box;
    json_t *held = json_array(), *o;

    for (unsigned i = 0; i < b->n_held; i++)
        json_array_append_new(
            held, json_pack("{s:s, s:b}", "scan", b->held[i].text, "typed", b->held[i].typed));
    o = json_pack("{s:s, s:s, s:s, s:i, s:b, s:s, s:b, s:b, s:s, s:o}", "mode",
                  record_kind_name(b->mode), "user", b->user, "item", b->item, "count",
                  (int)b->count, "piece", b->piece, "asks", b->asks, "asks_typed", b->asks_typed,
                  "asks_branch", b->asks_branch, "last", s->last, "held", held);
    if (s->practice)
        json_object_set_new(o, "practice", json_integer(s->practice));
    return o;
}

/* ---- doing ---- */

static void put_number(json_t *o, const char *name, const char *value)
{
    if (value[0])
        json_object_set_new(o, name, json_string(value));
}

static json_t *answer_json(const struct box_answer *a)
{
    json_t *o =
        json_pack("{s:b, s:s, s:b}", "ok", 1, "act", box_act_name(a->act), "typed", a->typed);
    char groups[SCAN_GROUPS_MAX];

    put_number(o, "user", a->user);
    put_number(o, "item", a->item);
    put_number(o, "kind", a->piece_kind);
    if (a->value[0]) {
        scan_groups(a->value, groups);
        put_number(o, "shown", groups);
    }
    if (a->layout)
        put_number(o, "keyboard", a->layout);
    if (a->closed[0])
        json_object_set_new(
            o, "closed", json_pack("{s:s, s:i}", "user", a->closed, "count", (int)a->closed_count));
    return o;
}

/* P1: made up, shown, forgotten. */
static enum err practise(struct scanning *s, struct record *r, json_t *o, struct errmsg *msg)
{
    enum err e = practice_record(&s->n->practice, s->p, &s->n->session, session_desk(s->n),
                                 node_now().wall_ms, r, s->last, msg);

    if (e != ERR_OK)
        return e;
    json_object_set_new(o, "op", json_string(record_kind_name(r->kind)));
    json_object_set_new(o, "id", json_string(s->last));
    api_put_due(r->due, s->p, o, "due");
    return ERR_OK;
}

static enum err record(struct scanning *s, struct record *r, json_t *o, struct told_note *note,
                       struct errmsg *msg)
{
    struct moment now = node_now();
    struct record_ref ref;
    json_t *told;
    bool again;
    enum err e;

    memset(note, 0, sizeof *note);
    if (s->practice)
        return practise(s, r, o, msg);
    if (s->has_key) {
        memcpy(r->key, s->key, sizeof r->key);
        r->key[RECORD_KEY_BYTES - 1] ^= (uint8_t)s->steps;
    }
    session_apply(&s->n->session, s->p, session_desk(s->n), now.wall_ms, r);
    e = gate_record(s->n, &now, r, ASK, note, &ref, &again, msg);
    if ((told = note_json(s->n, note)) != NULL)
        json_object_set_new(o, "note", told);
    if (e != ERR_OK)
        return e;
    core_id_text(s->n->core, &ref, s->last);
    json_object_set_new(o, "op", json_string(record_kind_name(r->kind)));
    json_object_set_new(o, "id", json_string(s->last));
    record_put_paper(r, &s->p->zone, o);
    if (!again)
        metrics_recorded(&s->n->metrics, r->kind);
    api_put_due(r->due, s->p, o, "due");
    return ERR_OK;
}

static enum err record_scan(struct scanning *s, const struct box_answer *a, json_t *o,
                            struct errmsg *msg)
{
    struct record r = { .kind = a->kind,
                        .due = DUE_BY_RULE,
                        .paper_ms = s->paper_ms,
                        .count = a->kind == RECORD_INHOUSE || a->piece_kind[0] != 0,
                        .flags = (a->typed ? RECORD_TYPED : 0u) |
                                 (a->confirmed ? RECORD_CONFIRMED : 0u) };
    struct told_note note;
    enum err e;

    memcpy(r.user, a->user, sizeof r.user);
    memcpy(r.item, a->item, sizeof r.item);
    memcpy(r.piece_kind, a->piece_kind, sizeof r.piece_kind);
    e = record(s, &r, o, &note, msg);
    if (e == ERR_OK) {
        box_recorded(&s->box, a);
    } else if (note.what != LATELY_NOTHING) {
        box_doubt(&s->box, a);
        json_object_set_new(o, "act", json_string(box_act_name(BOX_ASKS)));
        e = ERR_OK;
    }
    return e;
}

static enum err undo(struct scanning *s, json_t *o, struct errmsg *msg)
{
    struct record r = { .kind = RECORD_VOID };
    struct told_note note;
    enum err e;

    if (s->last[0] == 0)
        return err_why(msg, ERR_INVALID, "nothing_to_undo", "",
                       "there is nothing to undo: only the last record can be taken back here; "
                       "others with tideover void ID");
    json_object_set_new(o, "voids", json_string(s->last));
    if (s->practice || (e = core_id_parse(s->n->core, s->last, &r.target, msg)) == ERR_OK)
        e = record(s, &r, o, &note, msg);
    if (e == ERR_OK)
        s->last[0] = 0;
    return e;
}

static enum err choose_due(struct scanning *s, unsigned days, json_t *o, struct errmsg *msg)
{
    struct session next = s->n->session;
    char text[16];
    enum err e;

    snprintf(text, sizeof text, "%ud", days);
    e = session_set_due(&next, s->p,
                        days == SCAN_DUE_NONE   ? "none"
                        : days == SCAN_DUE_RULE ? "rule"
                                                : text,
                        ymd_at(&s->p->zone, node_now().wall_ms), msg);
    if (e == ERR_OK && !s->practice)
        e = session_keep(s->n, &next, msg);
    json_object_set_new(o, "choice",
                        days == SCAN_DUE_NONE   ? json_string("none")
                        : days == SCAN_DUE_RULE ? json_string("rule")
                                                : json_string(text));
    return e;
}

/* What the box says is done; a refusal is an answer like the others. */
static void carry_out(struct scanning *s, enum err e, const struct box_answer *a,
                      const struct box *before, struct errmsg *msg)
{
    json_t *o = e == ERR_OK ? answer_json(a) : NULL;

    if (e == ERR_OK && a->act == BOX_RECORD)
        e = record_scan(s, a, o, msg);
    else if (e == ERR_OK && a->act == BOX_UNDO)
        e = undo(s, o, msg);
    else if (e == ERR_OK && a->act == BOX_DUE)
        e = choose_due(s, a->days, o, msg);
    if (e != ERR_OK) {
        if (!s->practice)
            metrics_rejected(&s->n->metrics, msg->why);
        json_decref(o);
        o = json_pack("{s:b, s:o}", "ok", 0, "error", api_error_json(e, msg));
        if (a->act == BOX_UNDO)
            s->box = *before;
    }
    if (s->practice)
        json_object_set_new(o, "practice",
                            practice_judged(s->n, s->p, &s->box, !s->repeated, e, msg->why, a));
    json_array_append_new(s->answers, o);
    s->steps++;
}

static void scan_all(struct scanning *s, const char *raw, size_t len, bool typed)
{
    struct errmsg msg = { .text = "" };
    struct box before = s->box;
    struct box_answer a;
    enum err e = box_take(&s->box, s->p, raw, len, typed, &a, &msg);

    if (e == ERR_OK && !typed && (a.layout || a.value[0])) /* what is held was not read yet */
        s->n->keyboard = a.layout;
    carry_out(s, e, &a, &before, &msg);
    for (;;) {
        msg = (struct errmsg){ .text = "" };
        before = s->box;
        if (!box_take_held(&s->box, s->p, &a, &e, &msg))
            return;
        carry_out(s, e, &a, &before, &msg);
    }
}

/* Before anything is done with the scan: also one that records nothing is refused. */
static enum err take_at(const json_t *at, struct scanning *s, struct errmsg *msg)
{
    struct record r = { .paper_ms = 0 };
    enum err e =
        record_take_at(s->n->core, json_is_string(at) ? json_string_value(at) : "", &r, msg);

    s->paper_ms = r.paper_ms;
    return e == ERR_OK ? desk_check_paper(r.paper_ms, node_now().wall_ms, msg) : e;
}

static enum err take_request(const json_t *body, struct scanning *s, bool *typed,
                             struct errmsg *msg)
{
    const json_t *key = json_object_get(body, "key"), *box = json_object_get(body, "box");
    const json_t *at = json_object_get(body, "at");
    enum err e;

    if (!json_is_string(json_object_get(body, "scan")))
        return err_why(msg, ERR_INVALID, "missing_field", "scan",
                       "scan is missing: what the scanner typed, as text");
    if (box && !json_is_object(box))
        return err_why(msg, ERR_INVALID, "bad_box", "box", "the box is not an object");
    s->has_key = key != NULL;
    if (key && (!json_is_string(key) || !hex_decode(json_string_value(key), s->key, sizeof s->key)))
        return err_why(msg, ERR_INVALID, "bad_key", "key", "a key has 32 hex digits");
    if (at && (e = take_at(at, s, msg)) != ERR_OK)
        return e;
    *typed = json_is_true(json_object_get(body, "typed")) ||
             json_integer_value(json_object_get(body, "key_ms")) > SCAN_TYPED_MS;
    return box_of_json(box, s, msg);
}

void scan_post(struct node *n, struct http_request *rq, json_t *body)
{
    struct scanning s = { .n = n, .p = roster_policy(core_roster(n->core)) };
    const json_t *scan = json_object_get(body, "scan");
    struct errmsg msg = { .text = "" };
    struct moment now = node_now();
    char warning[256];
    bool typed = false;
    json_t *o;
    enum err e = s.p ? take_request(body, &s, &typed, &msg)
                     : err_why(&msg, ERR_CONFIG, "policy", "",
                               "this version cannot read the branch's policy: update tideover");

    if (e == ERR_OK)
        e = practice_enter(n, json_object_get(body, "box") != NULL, &s.practice, &msg);
    if (e == ERR_OK && s.practice)
        s.repeated = practice_is_repeat(n, s.has_key ? s.key : NULL, &s.box);
    if (e == ERR_OK) {
        s.answers = json_array();
        scan_all(&s, json_string_value(scan), json_string_length(scan), typed);
        if (!typed && json_is_true(json_object_get(json_array_get(s.answers, 0), "ok")))
            practice_scanned(n, now.wall_ms);
        o = json_pack("{s:i, s:o, s:o}", "schema", 1, "answers", s.answers, "box", box_to_json(&s));
        if (clock_warning(n, &now, warning))
            json_object_set_new(o, "warning",
                                json_pack("{s:s, s:s}", "code", "clock_off", "message", warning));
        api_json_later(n, rq, o);
    } else {
        api_error(n, rq, e, &msg);
    }
    json_decref(body);
}
