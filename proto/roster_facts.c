/* roster_facts.c - what the other modules ask of the roster that needs no working out. */
#include "roster_int.h"

#include <string.h>

unsigned roster_ops(const struct roster *r)
{
    return r->n_ops;
}

const uint8_t *roster_op(const struct roster *r, unsigned i, size_t *n)
{
    *n = r->ops[i].n;
    return r->ops[i].bytes;
}

const uint8_t *roster_op_hash(const struct roster *r, unsigned i)
{
    return r->ops[i].hash;
}

const uint8_t *roster_hash(const struct roster *r)
{
    return r->set_hash;
}

const uint8_t *roster_tip(const struct roster *r)
{
    return r->ops[r->tip].hash;
}

const uint8_t *roster_branch(const struct roster *r)
{
    return r->branch;
}

const uint8_t *roster_root(const struct roster *r)
{
    return r->root;
}

const char *roster_code(const struct roster *r)
{
    return r->code;
}

unsigned roster_desks(const struct roster *r)
{
    return r->n_desks;
}

const struct desk *roster_desk(const struct roster *r, unsigned i)
{
    return &r->desks[i];
}

const struct desk *roster_find_curve(const struct roster *r, const uint8_t curve_pk[KEY_BYTES])
{
    for (unsigned i = 0; i < r->n_desks; i++)
        if (memcmp(r->desks[i].curve_pk, curve_pk, KEY_BYTES) == 0)
            return &r->desks[i];
    return NULL;
}

bool roster_key(const struct roster *r, uint8_t lead_pk[KEY_BYTES], uint8_t hash[HASH_BYTES])
{
    memcpy(lead_pk, r->key_pk, KEY_BYTES);
    memcpy(hash, r->key_hash, HASH_BYTES);
    return r->has_key;
}

unsigned roster_active(const struct roster *r)
{
    unsigned n = 0;

    for (unsigned i = 0; i < r->n_desks; i++)
        n += r->desks[i].state == DESK_ACTIVE;
    return n;
}

bool roster_is_lead(const struct roster *r, const uint8_t pk[KEY_BYTES])
{
    for (unsigned i = 0; i < r->n_leads; i++)
        if (memcmp(r->leads[i].pk, pk, KEY_BYTES) == 0)
            return !r->leads[i].dropped;
    return false;
}

unsigned roster_seats_wanted(const struct roster *r, const struct desk_id *now, unsigned n_now,
                             struct desk_id out[SEATS_MAX])
{
    unsigned active = roster_active(r), want = active <= 2 ? 1 : active <= 4 ? 3 : 5, n = 0;

    for (unsigned i = 0; i < n_now; i++)
        out[n++] = now[i];
    for (unsigned i = 0; i < r->n_desks && n < want; i++) {
        bool has = false;
        for (unsigned k = 0; k < n; k++)
            has |= desk_id_eq(&out[k], &r->desks[i].id);
        if (!has && r->desks[i].seat && r->desks[i].state == DESK_ACTIVE)
            out[n++] = r->desks[i].id;
    }
    return n > 0 && n % 2 == 0 ? n - 1 : n; /* two or four are no safer than one or three */
}

const struct policy *roster_policy(const struct roster *r)
{
    return r->policy && r->policy->policy.rules > 0 ? &r->policy->policy : NULL;
}

const uint8_t *roster_policy_hash(const struct roster *r)
{
    static const uint8_t none[HASH_BYTES];

    return r->policy ? r->policy->hash : none;
}

const char *roster_policy_text(const struct roster *r, size_t *n)
{
    *n = r->policy ? r->policy->n : 0;
    return r->policy ? r->policy->text : "";
}
