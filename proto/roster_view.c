/* roster_view.c - what people ask of the roster: desks by word, lead keys, what was left undecided.
 */
#include "roster_int.h"

#include <string.h>

const struct desk *roster_find_word(const struct roster *r, const char *word, bool *many)
{
    const struct desk *named = NULL;
    unsigned active = 0;

    *many = false;
    for (unsigned i = 0; i < r->n_desks; i++) {
        const struct desk *d = &r->desks[i];
        char brief[8];
        desk_id_short(&d->id, brief);
        if (strcmp(brief, word) == 0)
            return d;
        if (strcmp(d->name, word) != 0)
            continue;
        active += d->state == DESK_ACTIVE;
        if (!named || named->state != DESK_ACTIVE)
            named = d; /* the active one, else the newest */
    }
    *many = active > 1;
    return *many ? NULL : named;
}

const struct desk *roster_find_joined(const struct roster *r, const char *name)
{
    for (unsigned i = 0; i < roster_desks(r); i++) {
        const struct desk *d = roster_desk(r, i);
        if (d->state == DESK_ACTIVE && strcmp(d->joined, name) == 0)
            return d;
    }
    return NULL;
}

bool roster_name_taken(const struct roster *r, const char *name, const struct desk_id *but)
{
    for (unsigned i = 0; i < r->n_desks; i++) {
        const struct desk *d = &r->desks[i];
        if (d->state == DESK_ACTIVE && !(but && desk_id_eq(&d->id, but)) &&
            (strcmp(d->name, name) == 0 || strcmp(d->joined, name) == 0))
            return true;
    }
    return false;
}

/* ---- lead keys ---- */

unsigned roster_leads(const struct roster *r)
{
    return r->n_leads;
}

/* Of an ADD made with an invite the lead who signed that. */
static void who_signed(const struct op *o, uint8_t pk[KEY_BYTES])
{
    struct invite_power power;
    uint8_t branch[BRANCH_ID_BYTES];

    if (o->power_n == 0 || !power_decode(o->power, o->power_n, &power, branch, pk))
        memcpy(pk, o->signer, KEY_BYTES);
}

void roster_entry(const struct roster *r, unsigned i, struct roster_entry *out)
{
    const struct op *o = &r->ops[i];
    struct mp m = mp_over(o->body, o->body_n);
    uint8_t sign_pk[KEY_BYTES];

    memset(out, 0, sizeof *out);
    out->type = o->type;
    out->count = o->count;
    out->counts = o->counts;
    out->winning = o->winning;
    memcpy(out->hash, o->hash, HASH_BYTES);
    who_signed(o, out->signer);
    mp_get_array(&m);
    if (o->type == OP_ADD && mp_get_raw(&m, sign_pk, sizeof sign_pk)) {
        desk_id_of(sign_pk, &out->desk);
        out->has_desk = true;
    } else if (o->type == OP_SET || o->type == OP_REVOKE || o->type == OP_RETIRE) {
        out->has_desk = mp_get_raw(&m, out->desk.b, sizeof out->desk.b);
    }
}

void roster_lead(const struct roster *r, unsigned i, struct roster_lead *out)
{
    const struct lead *l = &r->leads[i];
    const struct op *newest = NULL;

    memset(out, 0, sizeof *out);
    memcpy(out->pk, l->pk, KEY_BYTES);
    out->dropped = l->dropped;
    if (l->dropped)
        memcpy(out->last, l->last, HASH_BYTES);
    for (unsigned k = 0; k < r->n_ops; k++) {
        const struct op *o = &r->ops[k];
        uint8_t signer[KEY_BYTES];
        who_signed(o, signer);
        if (memcmp(signer, l->pk, KEY_BYTES) != 0)
            continue;
        out->signed_ops++;
        out->void_ops += !o->counts;
        if (!newest || o->count > newest->count)
            newest = o;
    }
    if (newest)
        memcpy(out->newest, newest->hash, HASH_BYTES);
}

/* ---- a revocation, for the desk itself ---- */

static int first_revocation(const struct roster *r, const struct desk_id *desk)
{
    int first = -1;

    for (unsigned i = 0; i < r->n_ops; i++) {
        const struct op *o = &r->ops[i];
        struct mp m = mp_over(o->body, o->body_n);
        struct desk_id id;
        if (o->type != OP_REVOKE || !o->counts)
            continue;
        mp_get_array(&m);
        if (mp_get_raw(&m, id.b, sizeof id.b) && desk_id_eq(&id, desk) &&
            (first < 0 || o->count < r->ops[first].count))
            first = (int)i;
    }
    return first;
}

unsigned roster_up_to_revocation(const struct roster *r, const struct desk_id *desk, unsigned *out,
                                 unsigned room)
{
    unsigned n = 0;

    for (int i = first_revocation(r, desk); i >= 0 && n < room; i = r->ops[i].parent_at)
        out[n++] = (unsigned)i;
    for (unsigned k = 0; k < n / 2; k++) {
        unsigned t = out[k];
        out[k] = out[n - 1 - k];
        out[n - 1 - k] = t;
    }
    return n;
}

/* ---- conflicts ---- */

/* SET speaks of its desk; POLICY and KEY each of the one there is. */
static bool same_matter(const struct op *a, const struct op *b)
{
    struct mp x = mp_over(a->body, a->body_n), y = mp_over(b->body, b->body_n);
    struct desk_id one, two;

    if (a->type != b->type)
        return false;
    if (a->type != OP_SET)
        return true;
    mp_get_array(&x);
    mp_get_array(&y);
    mp_get_raw(&x, one.b, sizeof one.b);
    mp_get_raw(&y, two.b, sizeof two.b);
    return !x.bad && !y.bad && desk_id_eq(&one, &two);
}

/* A lead has spoken again since on the branch that wins, or the winner says the very same. */
static bool is_settled(const struct roster *r, const struct op *loser)
{
    const struct op *in_force = NULL;

    for (unsigned i = 0; i < r->n_ops; i++) {
        const struct op *o = &r->ops[i];
        if (!o->winning || !o->counts || !same_matter(o, loser))
            continue;
        if (o->weight > loser->weight)
            return true;
        if (!in_force || o->weight > in_force->weight)
            in_force = o;
    }
    return in_force && in_force->body_n == loser->body_n &&
           memcmp(in_force->body, loser->body, loser->body_n) == 0;
}

/* Only the last word of the branch that lost is worth a look. */
static bool was_changed_again(const struct roster *r, const struct op *loser)
{
    for (unsigned i = 0; i < r->n_ops; i++) {
        const struct op *o = &r->ops[i];
        if (o == loser || o->winning || !o->counts || !same_matter(o, loser))
            continue;
        for (int k = o->parent_at; k >= 0 && !r->ops[k].winning; k = r->ops[k].parent_at)
            if (&r->ops[k] == loser)
                return true;
    }
    return false;
}

static void put_conflict(struct roster_conflict *out, const struct op *o)
{
    struct mp m = mp_over(o->body, o->body_n);

    memset(out, 0, sizeof *out);
    out->type = o->type;
    memcpy(out->hash, o->hash, HASH_BYTES);
    if (o->type != OP_SET)
        return;
    mp_get_array(&m);
    mp_get_raw(&m, out->desk.b, sizeof out->desk.b);
    mp_get_str(&m, out->name, sizeof out->name);
    out->roles = (unsigned)mp_get_u64(&m);
}

static bool name_is_taken(const struct roster *r, unsigned i)
{
    for (unsigned k = 0; k < i; k++)
        if (r->desks[k].state == DESK_ACTIVE && strcmp(r->desks[k].name, r->desks[i].name) == 0)
            return true;
    return false;
}

unsigned roster_conflicts(const struct roster *r, struct roster_conflict *out, unsigned room)
{
    unsigned n = 0;

    for (unsigned i = 0; i < r->n_ops; i++) {
        const struct op *o = &r->ops[i];
        if (o->winning || !o->counts ||
            (o->type != OP_SET && o->type != OP_POLICY && o->type != OP_KEY) || is_settled(r, o) ||
            was_changed_again(r, o))
            continue;
        if (n < room)
            put_conflict(&out[n], o);
        n++;
    }
    for (unsigned i = 0; i < r->n_desks; i++) {
        if (r->desks[i].state != DESK_ACTIVE || !name_is_taken(r, i))
            continue;
        if (n < room) {
            out[n] = (struct roster_conflict){ .type = OP_ADD, .desk = r->desks[i].id };
            memcpy(out[n].name, r->desks[i].name, sizeof out[n].name);
        }
        n++;
    }
    return n;
}
