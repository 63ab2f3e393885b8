/* core_held.c - what is known of one desk's own records that no upload has yet, and whether more of
 * them may lie where this desk cannot look. */
#include <string.h>

#include "core_int.h"

static const struct peer *peer_of(const struct core *c, const struct desk_id *id)
{
    for (unsigned i = 0; i < c->n_peers; i++)
        if (desk_id_eq(&c->peers[i].id, id))
            return &c->peers[i];
    return NULL;
}

static uint64_t known_to(const struct core *c, unsigned feed)
{
    uint64_t most = c->feeds.v[feed].seq;

    for (unsigned i = 0; i < c->n_peers; i++)
        if (sync_have(&c->peers[i], feed) > most)
            most = sync_have(&c->peers[i], feed);
    return most;
}

/* "Heard" is not enough: it must have said lately what it holds. */
static bool has_told_all(const struct core *c, const struct peer *p)
{
    return p && sync_is_online(c, p) && c->now_ms - p->vector_ms <= 2 * PEER_QUIET_MS &&
           sync_missing(c, p) == 0;
}

void core_desk_held(const struct core *c, const struct moment *now, const struct desk_id *id,
                    struct desk_held *out)
{
    const struct desk *d = roster_find(c->roster, id);
    const struct peer *p = peer_of(c, id);

    memset(out, 0, sizeof *out);
    out->self = desk_id_eq(id, &c->conf.me->id);
    out->ever_heard = out->self || (p && p->ever_heard);
    out->silent_ms = p && p->ever_heard ? now->boot_ms - p->heard_ms : 0;
    for (unsigned i = 0; i < c->feeds.n; i++) {
        const struct feed *f = &c->feeds.v[i];
        uint64_t cut = feeds_cut(&c->feeds, &f->opening.id), known = known_to(c, i);
        if (!desk_id_eq(&f->opening.id.desk, id))
            continue;
        out->held += f->seq > cut ? f->seq - cut : 0;
        out->known += known > cut ? known - cut : 0;
    }
    out->complete = out->self || has_told_all(c, p) ||
                    (d && d->state != DESK_ACTIVE && out->held == out->known);
}
