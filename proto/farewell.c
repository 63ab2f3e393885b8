/* farewell.c - a revoked desk is told so, in the operations that say it, and then left alone.
 *
 * It is not heard any more: the transport refuses it, and each message that comes over a connection
 * that stood before. But we still reach it, and it believes the roster alone: so whoever it knocks
 * at sends it the operations up to its revocation, which change its own view, and it falls silent.
 */
#include <stdlib.h>

#include "mem.h"

#include "core_int.h"

#define AGAIN_MS 10000 /* one that does not listen is told again, as seldom as this */
#define STAYS_MS 3000  /* then the connection is closed */
#define OPS_MAX  256   /* the newest ones before its revocation; it knows the older ones */

bool peer_is_revoked(const struct core *c, const struct peer *p)
{
    const struct desk *d = roster_find(c->roster, &p->id);

    return d && d->state == DESK_REVOKED;
}

bool farewell_is_ours(const struct core *c)
{
    const struct desk *me = roster_find(c->roster, &c->conf.me->id);

    return me && me->state == DESK_REVOKED;
}

static void tell(struct core *c, struct peer *p)
{
    unsigned *chain = mem_alloc(OPS_MAX * sizeof *chain);
    unsigned n = chain ? roster_up_to_revocation(c->roster, &p->id, chain, OPS_MAX) : 0;

    for (unsigned i = 0; i < n; i++) { /* parents come before their children */
        struct buf b = { 0 };
        size_t len;
        const uint8_t *op = roster_op(c->roster, chain[i], &len);
        wire_begin(&b, WIRE_ROSTER_OPS, 1);
        mp_put_bin(&b, op, len);
        peer_send(c, p, &b);
    }
    p->told_ms = c->now_ms;
    free(chain);
}

/* It knocks, or was just revoked. */
void farewell_begin(struct core *c, struct peer *p)
{
    if (farewell_is_ours(c) || (p->farewell_ms != 0 && c->now_ms - p->farewell_ms < AGAIN_MS))
        return;
    p->farewell_ms = c->now_ms;
    p->told_ms = 0;
    p->let_go = false;
    if (p->up)
        tell(c, p);
    else
        peer_connect(c, p);
}

void farewell_peer_up(struct core *c, struct peer *p)
{
    if (p->farewell_ms != 0 && p->told_ms == 0)
        tell(c, p);
}

void farewell_tick(struct core *c, struct peer *p)
{
    if (p->farewell_ms == 0 || c->now_ms - p->farewell_ms < STAYS_MS || p->let_go)
        return;
    p->let_go = true;
    p->up = false;
    effects_add(&c->fx, EFFECT_DISCONNECT, &p->id, 0, NULL);
}

void core_knocked(struct core *c, const struct moment *now, const struct desk_id *id)
{
    struct peer *p = sync_peer(c, id);

    c->now_ms = now->boot_ms;
    if (p && peer_is_revoked(c, p))
        farewell_begin(c, p);
}
