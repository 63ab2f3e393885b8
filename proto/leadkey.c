/* leadkey.c - the sealed lead key among the lead desks: the roster names the one in use by its hash
 * (KEY), whoever lacks it asks for it, whoever holds it gives it to desks with the role for it.
 *
 * So a changed passphrase and a new lead key reach every lead desk, and nobody else. The roster
 * itself never carries the bytes: it is kept for ever on every desk, and an old passphrase would go
 * on opening what it sealed. */
#include <string.h>

#include "core_int.h"

#define ASK_MS     2000
#define SEALED_MAX 1024

static bool is_lead_desk(const struct desk *d)
{
    return d && d->state == DESK_ACTIVE && (d->roles & (ROLE_LEAD | ROLE_ADMIN)) != 0;
}

static bool is_in_use(const struct core *c, const uint8_t hash[HASH_BYTES])
{
    uint8_t pk[KEY_BYTES], named[HASH_BYTES];

    return roster_key(c->roster, pk, named) && memcmp(named, hash, HASH_BYTES) == 0;
}

static bool other_lead_desks(const struct core *c)
{
    for (unsigned i = 0; i < c->n_peers; i++)
        if (is_lead_desk(roster_find(c->roster, &c->peers[i].id)))
            return true;
    return false;
}

static void hold(struct core *c, const uint8_t *sealed, size_t n)
{
    buf_reset(&c->lead_key);
    buf_add(&c->lead_key, sealed, n);
    sealed_key_hash(sealed, n, c->lead_key_hash);
}

void core_lead_key(struct core *c, const uint8_t *sealed, size_t n, bool fresh)
{
    struct buf b = { 0 };

    hold(c, sealed, n);
    if (!fresh)
        return;
    buf_add(&b, sealed, n);
    effects_add(&c->fx, EFFECT_LEAD_KEY, NULL, 0, &b);
}

const uint8_t *core_lead_key_sealed(const struct core *c, size_t *n)
{
    *n = c->lead_key.len;
    return c->lead_key.p;
}

bool core_lead_key_is_old(const struct core *c)
{
    uint8_t pk[KEY_BYTES], named[HASH_BYTES];

    return roster_key(c->roster, pk, named) && other_lead_desks(c) &&
           is_lead_desk(roster_find(c->roster, &c->conf.me->id)) &&
           (c->lead_key.len == 0 || memcmp(named, c->lead_key_hash, HASH_BYTES) != 0);
}

static void give_up(struct core *c)
{
    if (c->lead_key.len == 0)
        return;
    buf_wipe(&c->lead_key);
    effects_event(&c->fx, "this desk is no lead desk any more: its copy of the lead key goes");
    effects_add(&c->fx, EFFECT_LEAD_KEY, NULL, 0, NULL);
}

void leadkey_tick(struct core *c)
{
    uint8_t pk[KEY_BYTES], named[HASH_BYTES];
    struct buf b = { 0 };

    if (c->now_ms < c->lead_key_ms)
        return;
    c->lead_key_ms = c->now_ms + ASK_MS;
    if (!is_lead_desk(roster_find(c->roster, &c->conf.me->id)) && other_lead_desks(c))
        give_up(c);
    if (!core_lead_key_is_old(c) || !roster_key(c->roster, pk, named))
        return;
    for (unsigned i = 0; i < c->n_peers; i++) {
        const struct peer *p = &c->peers[i];
        if (!sync_is_online(c, p) || !is_lead_desk(roster_find(c->roster, &p->id)))
            continue;
        wire_begin(&b, WIRE_KEY_WANT, 1);
        mp_put_bin(&b, named, sizeof named);
        peer_send(c, p, &b);
    }
}

void leadkey_on_want(struct core *c, struct peer *p, struct mp *m)
{
    uint8_t hash[HASH_BYTES];
    struct buf b = { 0 };

    if (!mp_get_raw(m, hash, sizeof hash) || !is_lead_desk(roster_find(c->roster, &p->id)) ||
        c->lead_key.len == 0 || memcmp(hash, c->lead_key_hash, sizeof hash) != 0)
        return;
    wire_begin(&b, WIRE_KEY, 1);
    mp_put_bin(&b, c->lead_key.p, c->lead_key.len);
    peer_send(c, p, &b);
}

/* From whomever: the roster says which bytes are the right ones. */
void leadkey_on_key(struct core *c, struct mp *m)
{
    size_t n = 0;
    const uint8_t *sealed = mp_get_bin(m, &n);
    uint8_t hash[HASH_BYTES];

    if (m->bad || n == 0 || n > SEALED_MAX || !core_lead_key_is_old(c))
        return;
    sealed_key_hash(sealed, n, hash);
    if (!is_in_use(c, hash))
        return;
    core_lead_key(c, sealed, n, true);
    effects_event(&c->fx, "the lead key in use came from another lead desk");
}
