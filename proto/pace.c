/* pace.c - when the clock alone gives this desk something to do, so that one at rest sleeps until
 * then. What comes from outside wakes it anyway, and is answered at once. */
#include "core_int.h"

#define TICK_MS 100 /* between two ticks, while something goes on */
#define REST_MS 500 /* for what has no hour of its own: what is asked again, looked at, let go */

/* Something has a hurry that no beat tells of: an election, an upload, a start that nobody confirmed
 * yet (this desk's own, or one that forgot), or long work that goes on by a piece a tick. */
static bool in_a_hurry(const struct core *c)
{
    return !c->confirmed || c->memory_lost || c->unsettled || !ledger_is_idle(c->ledger) ||
           past_is_at_work(c) || erase_is_at_work(c);
}

void pace_set(struct core *c)
{
    c->ticked_ms = c->now_ms;
    c->wake_ms = c->now_ms + REST_MS;
    if (c->beat_ms < c->wake_ms)
        c->wake_ms = c->beat_ms;
    for (unsigned i = 0; i < c->n_peers; i++) {
        uint64_t at = peer_wake_ms(c, &c->peers[i]);
        if (at < c->wake_ms)
            c->wake_ms = at;
    }
}

void pace_hurry(struct core *c)
{
    c->wake_ms = 0;
}

uint64_t core_next_tick(const struct core *c)
{
    uint64_t soon = c->ticked_ms + TICK_MS;

    return in_a_hurry(c) || c->wake_ms < soon ? soon : c->wake_ms;
}
