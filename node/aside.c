/* aside.c - what decided uploads set aside: the list of it, and the leads' words that send it
 * again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "day.h"
#include "lead_int.h"
#include "query.h"
#include "record_json.h"

#define LIST_MAX 1000 /* for people; narrower questions show the rest */

/* ---- the list ---- */

struct choice {           /* which rows are meant */
    uint64_t slot;        /* 0: of any upload */
    enum aside_what what; /* ASIDE_NONE: for any reason */
};

static bool is_meant(const struct choice *c, const struct aside_view *v)
{
    return (c->slot == 0 || v->slot == c->slot) && (c->what == ASIDE_NONE || v->what == c->what);
}

static bool choose(const char *reason, uint64_t slot, struct choice *out, struct errmsg *msg)
{
    out->slot = slot;
    out->what = aside_by_name(reason);
    if (reason[0] == '\0' || (out->what != ASIDE_NONE && out->what != ASIDE_AGAIN))
        return true;
    err_why(msg, ERR_INVALID, "bad_reason", "reason",
            "a reason is held, waits, review, late_void, unwritable, behind, by_hand, refused, "
            "quarantined, kept_back or in_doubt");
    return false;
}

/* What a void came too late for may never have been sent: then there is nothing to undo. */
static void tell_void(const struct node *n, const struct record *r, json_t *o)
{
    struct aside_view of;
    char id[RECORD_ID_TEXT], next[160];
    bool unsent = core_aside_of(n->core, &r->target, &of) && of.what != ASIDE_DOUBT &&
                  of.what != ASIDE_UNKNOWN;

    core_id_text(n->core, &r->target, id);
    json_object_set_new(o, "of", json_string(id));
    json_object_set_new(o, "never_sent", json_boolean(unsent));
    if (!unsent)
        return;
    snprintf(next, sizeof next,
             "%s, which it takes back, was never sent: nothing to undo in the ILS. Say \"upload "
             "done\" of both",
             id);
    json_object_set_new(o, "next", json_string(next));
}

static json_t *one_json(const struct node *n, const struct aside_view *v)
{
    struct record *r = calloc(1, sizeof *r);
    char id[RECORD_ID_TEXT];
    const struct desk *d = roster_find(core_roster(n->core), &v->ref.feed.desk);
    json_t *o;

    core_id_text(n->core, &v->ref, id);
    o = json_pack("{s:s, s:s, s:I, s:s, s:b, s:s}", "id", id, "desk", d ? d->name : "?", "slot",
                  (json_int_t)v->slot, "reason", aside_name(v->what), "released", v->released,
                  "next", aside_next_step(v->what));
    if (r && core_aside_record(n->core, &v->ref, r, NULL) == ERR_OK)
        record_to_json(r, status_zone(n), o);
    if (r && v->what == ASIDE_LATE_VOID)
        tell_void(n, r, o);
    free(r);
    return o;
}

json_t *aside_counts_json(const struct node *n)
{
    json_t *o = json_object();

    for (unsigned w = ASIDE_HELD; w < ASIDE_KINDS; w++)
        if (w != ASIDE_AGAIN && aside_name((enum aside_what)w)[0])
            json_object_set_new(
                o, aside_name((enum aside_what)w),
                json_integer((json_int_t)core_aside_count(n->core, (enum aside_what)w)));
    return o;
}

void aside_list(struct node *n, struct http_request *rq)
{
    struct errmsg msg = { .text = "" };
    struct record_ref at = { .seq = 0 };
    struct aside_view v;
    struct choice c;
    char reason[16];
    json_t *list = json_array();
    json_int_t total = 0, released = 0;

    query_text(rq->query, "reason", reason, sizeof reason);
    if (!choose(reason, query_number(rq->query, "slot", 0), &c, &msg)) {
        json_decref(list);
        api_error(n, rq, ERR_INVALID, &msg);
        return;
    }
    while (core_aside_next(n->core, &at, &v)) {
        if (!is_meant(&c, &v))
            continue;
        released += v.released;
        if (total++ < LIST_MAX)
            json_array_append_new(list, one_json(n, &v));
    }
    api_json(rq, 200,
             json_pack("{s:i, s:b, s:I, s:I, s:o, s:o}", "schema", 1, "known",
                       core_asides_known(n->core), "total", total, "released", released, "reasons",
                       aside_counts_json(n), "records", list));
}

/* ---- released ---- */

struct picked { /* in the order of the uploads */
    struct aside_view v[SLOT_RELEASED_MAX];
    unsigned n;
    bool more;
};

static void pick(struct picked *p, const struct aside_view *v)
{
    if (p->n == SLOT_RELEASED_MAX)
        p->more = true;
    else
        p->v[p->n++] = *v;
}

static enum err pick_named(const struct node *n, const json_t *ids, struct picked *p,
                           struct errmsg *msg)
{
    const json_t *id;
    size_t i;

    json_array_foreach(ids, i, id)
    {
        const char *text = json_is_string(id) ? json_string_value(id) : "";
        struct record_ref ref;
        struct aside_view v;
        enum err e = core_id_parse(n->core, text, &ref, msg);
        if (e != ERR_OK)
            return e;
        if (!core_aside_of(n->core, &ref, &v))
            return err_why(
                msg, ERR_MISSING, "not_set_aside", "ids",
                "%.60s is not set aside: it was sent, is settled, or is not uploaded yet", text);
        if (!aside_may_go_again(v.what))
            return err_why(msg, ERR_REFUSED, "cannot_go", "ids",
                           "%.60s cannot be sent again: %.80s", text, aside_next_step(v.what));
        pick(p, &v);
    }
    return ERR_OK;
}

static void pick_meant(const struct node *n, const struct choice *c, struct picked *p)
{
    struct record_ref at = { .seq = 0 };
    struct aside_view v;

    while (core_aside_next(n->core, &at, &v))
        if (is_meant(c, &v) && aside_may_go_again(v.what) && !v.released)
            pick(p, &v);
}

static int by_slot(const void *x, const void *y)
{
    const struct aside_view *a = x, *b = y;

    return a->slot != b->slot ? (a->slot < b->slot ? -1 : 1) : ref_cmp(&a->ref, &b->ref);
}

/* A word speaks of one upload, and names so many records at most. */
static enum err say_picked(struct node *n, struct picked *p, const uint8_t sk[SIGN_SK_BYTES],
                           struct errmsg *msg)
{
    struct buf refs = { 0 };
    enum err e = ERR_OK;

    qsort(p->v, p->n, sizeof *p->v, by_slot);
    for (unsigned i = 0; i < p->n && e == ERR_OK;) {
        struct word w = { .kind = WORD_RELEASE, .slot = p->v[i].slot };
        buf_reset(&refs);
        for (; i < p->n && p->v[i].slot == w.slot && w.n_refs < WORD_REFS_MAX; i++) {
            struct word_ref r = { .ref = p->v[i].ref };
            memcpy(r.id, p->v[i].id, MACHINE_ID);
            word_put_ref(&refs, &r);
            w.n_refs++;
        }
        e = word_say(n, &w, &refs, sk, msg);
    }
    buf_free(&refs);
    return e;
}

static enum err sign_release(struct node *n, struct lead_job *l, json_t **answer)
{
    const json_t *ids = json_object_get(l->body, "ids");
    json_int_t slot = json_integer_value(json_object_get(l->body, "slot"));
    struct picked *p = calloc(1, sizeof *p);
    struct choice c;
    enum err e = p ? ERR_OK : err_set(&l->msg, ERR_NOMEM, "out of memory");

    if (e == ERR_OK && !core_asides_known(n->core))
        e = err_set(&l->msg, ERR_BUSY,
                    "what the last upload set aside is being computed: try again in a moment");
    if (e == ERR_OK && json_array_size(ids) > 0)
        e = pick_named(n, ids, p, &l->msg);
    else if (e == ERR_OK &&
             !choose(lead_text(l, "reason"), slot > 0 ? (uint64_t)slot : 0, &c, &l->msg))
        e = ERR_INVALID;
    else if (e == ERR_OK)
        pick_meant(n, &c, p);
    if (e == ERR_OK)
        e = say_picked(n, p, l->sk, &l->msg);
    if (e == ERR_OK)
        *answer =
            json_pack("{s:i, s:I, s:b}", "schema", 1, "records", (json_int_t)p->n, "more", p->more);
    free(p);
    return e;
}

void aside_release(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_release);
}

/* ---- cards ---- */

static enum err sign_cards(struct node *n, struct lead_job *l, json_t **answer)
{
    json_int_t slot = json_integer_value(json_object_get(l->body, "slot"));
    uint64_t decided = ledger_decided(core_ledger(n->core));
    struct word w = { .kind = WORD_CARDS, .slot = slot > 0 ? (uint64_t)slot : decided };
    struct record_ref at = { .seq = 0 };
    struct aside_view v;
    json_int_t waiting = 0;
    struct progress p;
    enum err e;

    if (w.slot == 0 || w.slot > decided)
        return err_why(&l->msg, ERR_MISSING, "no_upload", "slot",
                       w.slot == 0 ? "nothing has been uploaded yet"
                                   : "there is no upload %llu: see \"tideover upload status\"",
                       (unsigned long long)w.slot);
    if (!core_answers_of(n->core, w.slot, w.intent, &p))
        return err_set(&l->msg, ERR_DISK, "the receipt of that upload cannot be read");
    while (core_aside_next(n->core, &at, &v))
        waiting += v.what == ASIDE_WAITS && v.slot <= w.slot;
    if ((e = word_say(n, &w, NULL, l->sk, &l->msg)) == ERR_OK)
        *answer = json_pack("{s:i, s:I, s:I}", "schema", 1, "slot", (json_int_t)w.slot, "records",
                            waiting);
    return e;
}

void aside_cards(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_cards);
}
