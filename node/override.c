/* override.c - the local API of overrides: the plan, a lead's signature, what was sent twice. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "lead_int.h"

#define LISTED_MAX 1000 /* records; the count is always whole */

static const char *name_of(const struct node *n, const struct desk_id *id)
{
    const struct desk *d = roster_find(core_roster(n->core), id);

    return d ? d->name : "?";
}

static json_t *names_json(const struct node *n, const struct desk_id *v, unsigned count)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < count; i++)
        json_array_append_new(all, json_string(name_of(n, &v[i])));
    return all;
}

static json_t *missing_json(const struct node *n, const struct override_plan *p)
{
    struct moment now = node_now();
    json_t *all = json_array();

    for (unsigned i = 0; i < p->draft.n_missing; i++) {
        json_t *o =
            json_pack("{s:s, s:n}", "desk", name_of(n, &p->draft.missing[i]), "last_seen_s");
        for (unsigned k = 0; k < core_peers(n->core); k++) {
            struct peer_view v;
            core_peer_view(n->core, &now, k, &v);
            if (desk_id_eq(&v.id, &p->draft.missing[i]) && v.ever_heard)
                json_object_set_new(o, "last_seen_s", json_integer((json_int_t)v.silent_ms / 1000));
        }
        json_array_append_new(all, o);
    }
    return all;
}

static json_t *plan_json(const struct node *n, const struct override_plan *p)
{
    struct moment now = node_now();
    struct core_view v;

    core_view(n->core, &now, &v);
    return json_pack("{s:i, s:i, s:I, s:o, s:o, s:o, s:o, s:b, s:I, s:I, s:I, s:I}", "schema", 1,
                     "epoch", (int)p->draft.epoch.number, "base", (json_int_t)p->draft.base,
                     "seats", names_json(n, p->old, p->n_old), "reached",
                     names_json(n, p->reached, p->n_reached), "missing", missing_json(n, p),
                     "new_seats", names_json(n, p->draft.seats, p->draft.n_seats), "open", p->open,
                     "may_double", (json_int_t)p->may_double, "pending", (json_int_t)v.pending,
                     "behind", (json_int_t)p->behind, "unlisted", (json_int_t)p->unlisted);
}

void override_plan_get(struct node *n, struct http_request *rq)
{
    struct override_plan *p = malloc(sizeof *p);
    struct moment now = node_now();
    struct errmsg msg = { .text = "" };
    enum err e = p ? core_override_plan(n->core, &now, p, &msg) : ERR_NOMEM;
    json_t *o;

    if (!p) {
        api_error(n, rq, e, &msg);
        return;
    }
    o = plan_json(n, p);
    json_object_set_new(o, "allowed", json_boolean(e == ERR_OK));
    json_object_set_new(o, "code", e == ERR_OK ? json_null() : json_string(msg.why));
    json_object_set_new(o, "message", e == ERR_OK ? json_null() : json_string(msg.text));
    api_json(rq, 200, o);
    free(p);
}

/* ---- signing ---- */

static enum err check_reason(const char *reason, struct errmsg *msg)
{
    if (reason[0] == '\0' || strlen(reason) >= OVERRIDE_REASON_BYTES)
        return err_why(msg, ERR_INVALID, "no_reason", "reason",
                       "say in 1 to %d characters why: it stays in the branch's records",
                       OVERRIDE_REASON_BYTES - 1);
    for (const char *c = reason; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return err_why(msg, ERR_INVALID, "no_reason", "reason",
                           "the reason is one line of plain text");
    return ERR_OK;
}

static enum err sign_override(struct node *n, struct lead_job *l, json_t **answer)
{
    struct override_plan *p = malloc(sizeof *p);
    struct moment now = node_now();
    struct buf b = { 0 };
    const char *reason = lead_text(l, "reason");
    enum err e = p ? check_reason(reason, &l->msg) : ERR_NOMEM;

    if (e == ERR_OK)
        e = core_override_plan(n->core, &now, p, &l->msg);
    if (e == ERR_OK) {
        snprintf(p->draft.reason, sizeof p->draft.reason, "%s", reason);
        crypto_sign_ed25519_sk_to_pk(p->draft.lead_pk, l->sk);
        override_sign(roster_branch(core_roster(n->core)), &p->draft, l->sk, &b);
        e = core_override(n->core, &now, b.p, b.len, &l->msg);
    }
    if (e == ERR_OK)
        *answer = plan_json(n, p);
    buf_free(&b);
    free(p);
    return e;
}

void lead_override(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_override);
}

/* ---- what was sent twice ---- */

struct listing {
    const struct node *n;
    json_t *all;
};

static json_t *sent_json(const struct sent_in *s)
{
    return json_pack("{s:I, s:i}", "slot", (json_int_t)s->slot, "epoch", (int)s->epoch);
}

static void list_overlap(void *ctx, const struct overlap *o)
{
    struct listing *l = ctx;
    char id[RECORD_ID_TEXT];

    for (uint64_t seq = o->from; seq <= o->to && json_array_size(l->all) < LISTED_MAX; seq++) {
        core_id_text(l->n->core, &(struct record_ref){ o->feed, seq }, id);
        json_array_append_new(l->all,
                              json_pack("{s:s, s:o, s:o}", "id", id, "in", sent_json(&o->first),
                                        "again_in", sent_json(&o->again)));
    }
}

void overlaps_get(struct node *n, struct http_request *rq)
{
    struct listing l = { n, json_array() };
    uint64_t total = ledger_overlaps(core_ledger(n->core), list_overlap, &l);

    api_json(
        rq, 200,
        json_pack("{s:i, s:I, s:o}", "schema", 1, "total", (json_int_t)total, "overlaps", l.all));
}
