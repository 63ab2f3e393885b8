/* desks.c - what a lead signs about one desk: its name, its roles, its leaving in honour; and what
 * two leads apart left undecided. (Revoking: lead.c.) */
#include <string.h>

#include "lead_int.h"

/* "desk", "lead", "admin", or some of them with commas; every desk has the role desk. 0: none. */
static unsigned roles_of(const char *s)
{
    static const struct {
        const char *word;
        unsigned role;
    } known[] = { { "desk", ROLE_DESK }, { "lead", ROLE_LEAD }, { "admin", ROLE_ADMIN } };
    unsigned roles = 0;

    while (*s) {
        size_t n = strcspn(s, ",");
        unsigned found = 0;
        for (unsigned i = 0; i < 3; i++)
            if (strlen(known[i].word) == n && strncmp(s, known[i].word, n) == 0)
                found = known[i].role;
        if (!found)
            return 0;
        roles |= found;
        s += n + (s[n] == ',');
    }
    return roles ? roles | ROLE_DESK : 0;
}

static bool holds_lead_key(unsigned roles)
{
    return (roles & (ROLE_LEAD | ROLE_ADMIN)) != 0;
}

/* Without one, nobody could upload, invite or revoke. */
static bool is_last_lead_desk(const struct node *n, const struct desk *d)
{
    const struct roster *r = core_roster(n->core);

    if (d->state != DESK_ACTIVE || !holds_lead_key(d->roles))
        return false;
    for (unsigned i = 0; i < roster_desks(r); i++) {
        const struct desk *o = roster_desk(r, i);
        if (o != d && o->state == DESK_ACTIVE && holds_lead_key(o->roles))
            return false;
    }
    return true;
}

static enum err last_lead(struct lead_job *l, const struct desk *d)
{
    return err_why(&l->msg, ERR_REFUSED, "last_lead_desk", "desk",
                   "%s is the only desk with the lead key: give another desk the role lead first",
                   d->name);
}

static enum err must_be_active(struct lead_job *l, const struct desk *d)
{
    if (!d)
        return ERR_MISSING;
    if (d->state != DESK_ACTIVE)
        return err_why(&l->msg, ERR_REFUSED, "not_active", "desk", "%s was %s before", d->name,
                       d->state == DESK_REVOKED ? "revoked" : "retired");
    return ERR_OK;
}

/* A desk that leaves leaves its seat empty: how many are still filled. */
void lead_tell_seats(const struct node *n, const struct desk_id *gone, json_t *answer)
{
    struct moment now = node_now();
    struct ledger_view l;
    unsigned left = 0;

    core_ledger_view(n->core, &now, &l);
    for (unsigned i = 0; i < l.n_seats; i++) {
        const struct desk *d = roster_find(core_roster(n->core), &l.seats[i]);
        left += d && d->state == DESK_ACTIVE && !desk_id_eq(&d->id, gone);
    }
    json_object_update_new(answer, json_pack("{s:b, s:i, s:i}", "had_seat",
                                             ledger_is_seat(core_ledger(n->core), gone), "seats",
                                             (int)l.n_seats, "seats_left", (int)left));
}

/* ---- retiring ---- */

static enum err sign_retire(struct node *n, struct lead_job *l, json_t **answer)
{
    const struct desk *d = lead_desk(n, l);
    struct buf op = { 0 };
    enum err e = must_be_active(l, d);

    if (e == ERR_OK && is_last_lead_desk(n, d))
        e = last_lead(l, d);
    if (e != ERR_OK)
        return e;
    op_retire(core_roster(n->core), &d->id, l->sk, &op);
    if ((e = lead_add(n, l, &op)) == ERR_OK)
        *answer = json_pack("{s:i, s:s, s:b}", "schema", 1, "desk", d->name, "held_lead_key",
                            holds_lead_key(d->roles));
    if (e == ERR_OK)
        lead_tell_seats(n, &d->id, *answer);
    return e;
}

void lead_retire(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_retire);
}

/* ---- names and roles ---- */

static enum err sign_rename(struct node *n, struct lead_job *l, json_t **answer)
{
    const char *name = lead_text(l, "name");
    const struct desk *d = lead_desk(n, l);
    struct buf op = { 0 };
    enum err e = must_be_active(l, d);

    if (e != ERR_OK)
        return e;
    if (!desk_name_ok(name))
        return err_why(&l->msg, ERR_INVALID, "bad_desk", "name",
                       "a desk name has 1 to %d letters, digits, - or _", DESK_NAME_MAX);
    if (roster_name_taken(core_roster(n->core), name, &d->id))
        return err_why(&l->msg, ERR_EXISTS, "desk_exists", "name",
                       "%s is in the branch already: choose another name", name);
    op_set(core_roster(n->core), &d->id, name, d->roles, l->sk, &op);
    if ((e = lead_add(n, l, &op)) == ERR_OK)
        *answer = json_pack("{s:i, s:s, s:s}", "schema", 1, "desk", name, "joined", d->joined);
    return e;
}

void lead_rename(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_rename);
}

static enum err sign_role(struct node *n, struct lead_job *l, json_t **answer)
{
    unsigned roles = roles_of(lead_text(l, "roles"));
    const struct desk *d = lead_desk(n, l);
    struct buf op = { 0 };
    enum err e = must_be_active(l, d);
    bool held;

    if (e != ERR_OK)
        return e;
    if (roles == 0)
        return err_why(&l->msg, ERR_INVALID, "bad_role", "roles",
                       "roles are desk, lead and admin, with commas between them");
    if (!holds_lead_key(roles) && is_last_lead_desk(n, d))
        return last_lead(l, d);
    held = holds_lead_key(d->roles);
    op_set(core_roster(n->core), &d->id, d->name, roles, l->sk, &op);
    if ((e = lead_add(n, l, &op)) == ERR_OK)
        *answer = json_pack("{s:i, s:s, s:b, s:b}", "schema", 1, "desk", d->name, "held_lead_key",
                            held, "holds_lead_key", holds_lead_key(roles));
    return e;
}

void lead_role(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_role);
}

/* ---- what was left undecided ---- */

#define CONFLICTS_SHOWN 64

static const char *conflict_name(enum op_type t)
{
    return t == OP_SET ? "desk" : t == OP_POLICY ? "policy" : t == OP_KEY ? "passphrase" : "name";
}

static json_t *conflict_json(const struct node *n, const struct roster_conflict *c)
{
    const struct desk *d = roster_find(core_roster(n->core), &c->desk);
    json_t *o = json_pack("{s:s}", "kind", conflict_name(c->type));
    char brief[8];

    if (c->type == OP_SET && d)
        json_object_update_new(o, json_pack("{s:s, s:s, s:o, s:o}", "desk", d->name, "wanted_name",
                                            c->name, "wanted_roles", status_roles(c->roles),
                                            "roles", status_roles(d->roles)));
    if (c->type == OP_ADD) {
        desk_id_short(&c->desk, brief);
        json_object_update_new(o, json_pack("{s:s, s:s}", "desk", c->name, "id", brief));
    }
    return o;
}

void desks_conflicts(struct node *n, struct http_request *rq)
{
    struct roster_conflict v[CONFLICTS_SHOWN];
    unsigned total = roster_conflicts(core_roster(n->core), v, CONFLICTS_SHOWN);
    json_t *all = json_array();

    for (unsigned i = 0; i < total && i < CONFLICTS_SHOWN; i++)
        json_array_append_new(all, conflict_json(n, &v[i]));
    api_json(
        rq, 200,
        json_pack("{s:i, s:I, s:o}", "schema", 1, "total", (json_int_t)total, "conflicts", all));
}
