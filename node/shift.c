/* shift.c - GET /api/v1/desk: what the Desk page shows beside the answers to its scans: this desk's
 * newest records and what became of them, today's counts, and how this PC wants its slips. */
#include <sodium.h>
#include <string.h>

#include "day.h"
#include "node_int.h"
#include "query.h"
#include "record_json.h"

#define ROWS_DEFAULT 20
#define ROWS_MAX     50

struct rows {
    const struct node *n;
    const struct policy *p;
    json_t *list;
    unsigned left;
};

static void put_text(json_t *o, const char *name, const char *value)
{
    if (value[0])
        json_object_set_new(o, name, json_string(value));
}

/* Of a user the last four digits, as on the slip. */
static const char *end_of(const char *user)
{
    size_t n = strlen(user);

    return n > 4 ? user + n - 4 : user;
}

static bool add_row(void *ctx, const struct record_ref *ref, const struct record *r)
{
    struct rows *w = ctx;
    enum own_state state;
    struct aside_view aside;
    char id[RECORD_ID_TEXT], at[36], due[11] = "";
    json_t *o;

    if (r->kind == RECORD_VOID)
        return true;
    if (w->left == 0)
        return false;
    w->left--;
    state = core_own_state(w->n->core, ref);
    core_id_text(w->n->core, ref, id);
    rfc3339_at(&w->p->zone, r->at_ms, at);
    o = json_pack("{s:s, s:s, s:s, s:s, s:i, s:b}", "id", id, "op", record_kind_name(r->kind), "at",
                  at, "state", own_state_name(state), "copies", (int)core_copies(w->n->core, ref),
                  "typed", (r->flags & RECORD_TYPED) != 0);
    if (state == OWN_ASIDE && core_aside_of(w->n->core, ref, &aside))
        json_object_set_new(o, "aside", json_string(aside_name(aside.what)));
    record_put_paper(r, &w->p->zone, o); /* its time, not that of the typing */
    put_text(o, "item", r->item);
    put_text(o, "kind", r->piece_kind);
    put_text(o, "label", r->piece_label);
    if (r->count > 0)
        json_object_set_new(o, "count", json_integer(r->count));
    put_text(o, "user_end", end_of(r->user));
    put_text(o, "staff", r->staff);
    if (r->due > 0)
        ymd_format(r->due, due);
    put_text(o, "due", due);
    json_array_append_new(w->list, o);
    return true;
}

static json_t *counts_json(struct node *n, const struct moment *now)
{
    json_t *o = json_object();

    core_today(n->core, now, &n->today);
    for (unsigned k = RECORD_CHECKOUT; k < RECORD_VOID; k++)
        json_object_set_new(o, record_kind_name(k),
                            json_integer(n->today.counts[k] > 0 ? n->today.counts[k] : 0));
    return o;
}

static json_t *slip_json(const struct node *n)
{
    static const char *const papers[] = { "80mm", "58mm", "a4", "off" };
    const char *title = n->conf.slip_title;

    return json_pack("{s:s, s:b, s:s, s:s}", "paper", papers[n->conf.slip], "auto",
                     n->conf.slip_auto, "title",
                     title[0] ? title : roster_code(core_roster(n->core)), "ask", n->conf.slip_ask);
}

static json_t *kinds_json(const struct policy *p)
{
    json_t *a = json_array();

    for (unsigned i = 0; i < p->n_pieces; i++)
        json_array_append_new(a, json_string(p->piece[i].name));
    return a;
}

static json_t *types_json(const struct policy *p)
{
    json_t *a = json_array();

    for (unsigned i = 0; i < p->evergreen.n_types; i++)
        json_array_append_new(a, json_string(p->evergreen.type[i].name));
    return a;
}

/* Under it the page seals what a reload must not lose, so that what a browser writes into its
 * profile says nothing to whoever has no session here. The same after a restart of the node. */
static json_t *page_key(const struct node *n)
{
    const struct part of = { n->me.sign_sk, sizeof n->me.sign_sk };
    uint8_t key[32];
    char hex[2 * sizeof key + 1];
    json_t *text;

    hash_parts("tideover page v1", &of, 1, key, sizeof key);
    hex_encode(key, sizeof key, hex);
    text = json_string(hex);
    sodium_memzero(key, sizeof key);
    sodium_memzero(hex, sizeof hex);
    return text;
}

/* Seconds until the branch's next day begins: then a chosen due date is forgotten. */
static json_int_t day_ends_s(const struct policy *p, const struct moment *now)
{
    int64_t s = now->wall_ms / 1000;
    struct civil day;

    civil_from_unix(s, zone_offset_s(&p->zone, s), &day);
    return 86400 - (day.hour * 3600 + day.minute * 60 + day.second);
}

void shift_get(struct node *n, struct http_request *rq)
{
    struct moment now = node_now();
    struct rows w = { .n = n, .p = roster_policy(core_roster(n->core)), .list = json_array() };
    uint64_t rows = query_number(rq->query, "rows", ROWS_DEFAULT);
    char today[11];
    json_t *o;

    if (w.p == NULL) {
        struct errmsg msg;
        err_why(&msg, ERR_CONFIG, "policy", "",
                "this version cannot read the branch's policy: update tideover");
        json_decref(w.list);
        api_error(n, rq, ERR_CONFIG, &msg);
        return;
    }
    w.left = rows < ROWS_MAX ? (unsigned)rows : ROWS_MAX;
    core_own_newest(n->core, add_row, &w);
    ymd_format(ymd_at(&w.p->zone, now.wall_ms), today);
    o = json_pack("{s:i, s:s, s:I, s:o, s:o, s:o, s:b, s:o, s:o}", "schema", 1, "today", today,
                  "day_ends_s", day_ends_s(w.p, &now), "counts", counts_json(n, &now), "rows",
                  w.list, "slip", slip_json(n), "sounds", n->conf.sounds, "user_types",
                  types_json(w.p), "page_key", page_key(n));
    json_object_set_new(o, "kinds", kinds_json(w.p));
    json_object_set_new(o, "discharges",
                        json_string(w.p->discharges == DISCHARGES_HOLD ? "hold" : "export"));
    api_json(rq, 200, o);
}
