/* roster_apply.c - what each operation does: desks join, leave and are renamed, policies and the
 * lead key come into force, feeds are trusted. In which order, and whose count, roster.c says. */
#include "roster_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

void roster_apply_none(struct roster *r)
{
    for (unsigned i = 0; i < r->n_desks; i++)
        free((void *)(uintptr_t)r->desks[i].trusted);
    r->n_desks = 0;
    memset(r->by_id, 0, sizeof r->by_id);
    r->n_admits = 0;
    r->policy = NULL;
    r->has_key = false;
}

/* Where the id stands in by_id, or the free cell where it would: half of the cells stay free. An id
 * is a hash already. */
static unsigned cell_of(const struct roster *r, const struct desk_id *id)
{
    unsigned n = 2 * ROSTER_DESKS_MAX, at = (id->b[0] | (unsigned)id->b[1] << 8) % n;

    while (r->by_id[at] > 0 && !desk_id_eq(&r->desks[r->by_id[at] - 1].id, id))
        at = (at + 1) % n;
    return at;
}

const struct desk *roster_find(const struct roster *r, const struct desk_id *id)
{
    unsigned at = r->by_id[cell_of(r, id)];

    return at > 0 ? &r->desks[at - 1] : NULL;
}

static struct desk *desk_by_id(struct roster *r, const struct desk_id *id)
{
    return (struct desk *)(uintptr_t)roster_find(r, id);
}

static bool invite_was_used(const struct roster *r, unsigned before, const uint8_t pk[KEY_BYTES])
{
    /* One invite adds one desk. Which, of two, must not hang on the order of arrival: the one with
     * fewer operations below it, then the smaller hash. */
    const struct op *mine = &r->ops[before];

    for (unsigned i = 0; i < r->n_ops; i++) {
        const struct op *o = &r->ops[i];
        if (i == before || o->type != OP_ADD || o->power_n == 0 ||
            memcmp(o->signer, pk, KEY_BYTES) != 0)
            continue;
        if (o->count < mine->count ||
            (o->count == mine->count && memcmp(o->hash, mine->hash, HASH_BYTES) < 0))
            return true;
    }
    return false;
}

void roster_apply_add(struct roster *r, unsigned i)
{
    const struct op *o = &r->ops[i];
    struct mp m = mp_over(o->body, o->body_n);
    struct desk d = { .state = DESK_ACTIVE };

    if (mp_get_array(&m) != 5)
        return;
    mp_get_raw(&m, d.sign_pk, KEY_BYTES);
    mp_get_raw(&m, d.curve_pk, KEY_BYTES);
    mp_get_str(&m, d.name, sizeof d.name);
    d.roles = (unsigned)mp_get_u64(&m);
    d.seat = mp_get_bool(&m);
    desk_id_of(d.sign_pk, &d.id);
    if (!mp_done(&m) || desk_by_id(r, &d.id) || r->n_desks == ROSTER_DESKS_MAX)
        return;
    if (o->power_n > 0) {
        struct invite_power power;
        uint8_t branch[BRANCH_ID_BYTES], lead[KEY_BYTES];
        if (!power_decode(o->power, o->power_n, &power, branch, lead) ||
            memcmp(power.invite_pk, o->signer, KEY_BYTES) != 0 || strcmp(power.name, d.name) != 0 ||
            power.roles != d.roles || power.seat != d.seat || invite_was_used(r, i, o->signer))
            return;
    }
    memcpy(d.joined, d.name, sizeof d.joined);
    r->by_id[cell_of(r, &d.id)] = (uint16_t)(r->n_desks + 1);
    r->desks[r->n_desks++] = d;
}

static void apply_revoke(struct roster *r, const struct op *o)
{
    struct mp m = mp_over(o->body, o->body_n);
    struct desk_id id;
    struct desk *d;
    struct trusted *v;
    uint32_t n;

    if (mp_get_array(&m) != 3)
        return;
    mp_get_raw(&m, id.b, sizeof id.b);
    if ((d = desk_by_id(r, &id)) == NULL || d->state == DESK_REVOKED)
        return; /* the first revocation stands; a second may not trust it further */
    n = mp_get_array(&m);
    if (m.bad || (v = mem_zero(n ? n : 1, sizeof *v)) == NULL)
        return;
    for (uint32_t i = 0; i < n; i++) {
        if (mp_get_array(&m) != 2)
            m.bad = true;
        mp_get_raw(&m, v[i].feed, FEED_NAME_BYTES);
        v[i].seq = mp_get_u64(&m);
    }
    d->state = DESK_REVOKED;
    d->trusted = v;
    d->n_trusted = m.bad ? 0 : n;
}

static void apply_set(struct roster *r, const struct op *o)
{
    struct mp m = mp_over(o->body, o->body_n);
    struct desk_id id;
    struct desk *d;
    char name[DESK_NAME_MAX + 1];
    unsigned roles;

    mp_get_array(&m);
    mp_get_raw(&m, id.b, sizeof id.b);
    mp_get_str(&m, name, sizeof name);
    roles = (unsigned)mp_get_u64(&m);
    if (mp_done(&m) && desk_name_ok(name) && (d = desk_by_id(r, &id)) != NULL) {
        memcpy(d->name, name, sizeof name);
        d->roles = roles;
    }
}

static void apply_retire(struct roster *r, const struct op *o)
{
    struct mp m = mp_over(o->body, o->body_n);
    struct desk_id id;
    struct desk *d;

    mp_get_array(&m);
    mp_get_raw(&m, id.b, sizeof id.b);
    if (mp_done(&m) && (d = desk_by_id(r, &id)) != NULL && d->state == DESK_ACTIVE)
        d->state = DESK_RETIRED;
}

static struct admit *find_admit(const struct roster *r, const struct feed_id *feed)
{
    for (unsigned i = 0; i < r->n_admits; i++)
        if (feed_id_eq(&r->admits[i].feed, feed))
            return &r->admits[i];
    return NULL;
}

/* Of several the furthest stands, of those the smaller hash: whatever their order. */
static void apply_admit(struct roster *r, const struct op *o)
{
    struct mp m = mp_over(o->body, o->body_n);
    struct admit a, *known, *grown;

    if (mp_get_array(&m) != 3)
        return;
    mp_get_raw(&m, &a.feed, sizeof a.feed);
    a.to = mp_get_u64(&m);
    mp_get_raw(&m, a.hash, sizeof a.hash);
    if (!mp_done(&m) || a.to > UINT64_MAX / 2)
        return;
    if ((known = find_admit(r, &a.feed)) != NULL) {
        if (a.to > known->to ||
            (a.to == known->to && memcmp(a.hash, known->hash, sizeof a.hash) < 0))
            *known = a;
        return;
    }
    if ((grown = mem_more(r->admits, (r->n_admits + 1) * sizeof *grown)) == NULL)
        return;
    r->admits = grown;
    r->admits[r->n_admits++] = a;
}

static const struct past_policy *find_policy(const struct roster *r, const uint8_t h[HASH_BYTES])
{
    for (unsigned i = 0; i < r->n_policies; i++)
        if (memcmp(r->policies[i]->hash, h, HASH_BYTES) == 0)
            return r->policies[i];
    return NULL;
}

static void policy_hash(const char *text, size_t n, uint8_t h[HASH_BYTES])
{
    hash_parts("tideover policy v1", &(struct part){ text, n }, 1, h, HASH_BYTES);
}

/* Of every POLICY there ever was, whether it stands or not: an intent that was agreed under one on
 * the branch that lost is carried on all the same. NULL: out of memory. */
static const struct past_policy *learn_policy(struct roster *r, const char *text, size_t n)
{
    struct past_policy *p, **grown;
    const struct past_policy *known;
    uint8_t h[HASH_BYTES];

    policy_hash(text, n, h);
    if ((known = find_policy(r, h)) != NULL)
        return known;
    if ((grown = mem_more(r->policies, (r->n_policies + 1) * sizeof *grown)) == NULL)
        return NULL;
    r->policies = grown;
    if ((p = mem_zero(1, sizeof *p)) == NULL)
        return NULL;
    memcpy(p->hash, h, HASH_BYTES);
    p->text = text;
    p->n = n;
    if (policy_parse(text, n, &p->policy, NULL) != ERR_OK)
        p->policy.rules = 0;
    return r->policies[r->n_policies++] = p;
}

/* A policy that this version cannot read stays unknown: it is in force, and nothing is uploaded
 * under it by this desk. */
static void apply_policy(struct roster *r, const struct op *o)
{
    struct mp m = mp_over(o->body, o->body_n);
    const struct past_policy *p;
    const char *text;
    size_t n = 0;

    mp_get_array(&m);
    text = (const char *)mp_get_bin(&m, &n);
    if (mp_done(&m) && (p = learn_policy(r, text, n)) != NULL && o->counts && o->winning)
        r->policy = p;
}

/* Which sealed lead key is the one in use: by its hash, for the bytes are for lead desks alone. */
static void apply_key(struct roster *r, const struct op *o)
{
    struct mp m = mp_over(o->body, o->body_n);
    uint8_t pk[KEY_BYTES], hash[HASH_BYTES];
    const struct lead *l;

    mp_get_array(&m);
    mp_get_raw(&m, pk, sizeof pk);
    mp_get_raw(&m, hash, sizeof hash);
    if (!mp_done(&m) || (l = roster_lead_by_key(r, pk)) == NULL || l->dropped)
        return;
    memcpy(r->key_pk, pk, sizeof pk);
    memcpy(r->key_hash, hash, sizeof hash);
    r->has_key = true;
}

void roster_apply(struct roster *r, const struct op *o)
{
    switch (o->type) {
    case OP_SET:
        if (o->winning)
            apply_set(r, o);
        break;
    case OP_REVOKE:
        apply_revoke(r, o);
        break;
    case OP_RETIRE:
        apply_retire(r, o);
        break;
    case OP_POLICY:
        apply_policy(r, o);
        break;
    case OP_KEY:
        if (o->winning)
            apply_key(r, o);
        break;
    case OP_ADMIT:
        apply_admit(r, o);
        break;
    } /* a type of a newer version is kept and passed on */
}

bool roster_admitted(const struct roster *r, const struct feed_id *feed, uint64_t *to,
                     uint8_t hash[HASH_SHORT_BYTES])
{
    const struct admit *a = find_admit(r, feed);

    if (!a)
        return false;
    *to = a->to;
    memcpy(hash, a->hash, sizeof a->hash);
    return true;
}

uint64_t roster_trusted_to(const struct roster *r, const struct feed_id *feed)
{
    const struct desk *d = roster_find(r, &feed->desk);
    const struct admit *a = find_admit(r, feed);
    uint64_t to = a ? a->to : 0;

    if (!d)
        return 0;
    if (d->state != DESK_REVOKED)
        return UINT64_MAX;
    for (unsigned i = 0; i < d->n_trusted; i++)
        if (memcmp(d->trusted[i].feed, feed->name, FEED_NAME_BYTES) == 0 && d->trusted[i].seq > to)
            to = d->trusted[i].seq;
    return to;
}

const struct policy *roster_policy_by_hash(const struct roster *r, const uint8_t hash[HASH_BYTES])
{
    const struct past_policy *p = find_policy(r, hash);

    return p && p->policy.rules > 0 ? &p->policy : NULL;
}
