/* pause.c - a lead asks the uploader to wait before its next step. See pause.h. */
#include "pause.h"

#include "core_int.h"
#include "ledger_int.h"

/* ---- the ledger's part ---- */

enum err ledger_pause(struct ledger *l, const struct ledger_moment *now, bool yes,
                      struct errmsg *msg)
{
    if (!yes) {
        l->pause_slot = 0;
        return ERR_OK;
    }
    if (l->acc.len == 0 && l->trigger.len == 0 && !ledger_leads(l))
        return err_why(msg, ERR_MISSING, "no_upload", "", "no upload is under way");
    l->pause_slot = l->dec + 1;
    l->pause_until = now->boot_ms + PAUSE_MS;
    return ERR_OK;
}

uint64_t pause_slot(const struct ledger *l)
{
    return l->pause_slot == l->dec + 1 ? l->pause_slot : 0;
}

void pause_tick(struct ledger *l, const struct ledger_moment *now)
{
    if (now->boot_ms >= l->pause_until || pause_slot(l) == 0)
        l->pause_slot = 0;
}

bool pause_is_on(const struct ledger *l)
{
    return pause_slot(l) > 0 || (l->ask->paused && l->ask->paused(l->ask->ctx, l->dec + 1));
}

/* ---- the core's part: what other desks say ---- */

static bool may_pause(const struct core *c, const struct desk_id *id)
{
    const struct desk *d = roster_find(c->roster, id);

    return d && d->state == DESK_ACTIVE && (d->roles & (ROLE_LEAD | ROLE_ADMIN)) != 0;
}

static bool asks(const struct core *c, const struct peer *p, uint64_t slot)
{
    return p->standing.pause == slot && sync_is_online(c, p) && may_pause(c, &p->id);
}

bool core_ask_paused(void *ctx, uint64_t slot)
{
    const struct core *c = ctx;

    for (unsigned i = 0; i < c->n_peers; i++)
        if (asks(c, &c->peers[i], slot))
            return true;
    return false;
}

enum err core_pause(struct core *c, const struct moment *now, bool yes, struct errmsg *msg)
{
    struct ledger_moment lnow = { now->boot_ms, now->wall_ms };
    enum err e;

    if (yes && !may_pause(c, &c->conf.me->id))
        return err_why(msg, ERR_DENIED, "lead_desk", "",
                       "an upload is paused at the desk of a lead or an admin");
    if ((e = ledger_pause(c->ledger, &lnow, yes, msg)) == ERR_OK)
        c->beat_ms = 0; /* the others hear of it with the next tick */
    return e;
}

unsigned core_paused_by(const struct core *c, struct desk_id *out, unsigned max)
{
    uint64_t slot = ledger_decided(c->ledger) + 1;
    unsigned n = 0;

    if (pause_slot(c->ledger) == slot && n < max)
        out[n++] = c->conf.me->id;
    for (unsigned i = 0; i < c->n_peers && n < max; i++)
        if (asks(c, &c->peers[i], slot))
            out[n++] = c->peers[i].id;
    return n;
}
