/* check_doubts.c - nobody is called a desk that lost its memory who did not. */
#include <stdio.h>

#include "sim.h"

static bool settled(const struct sim *s, char why[200])
{
    for (unsigned i = 0; i < s->n; i++) {
        struct moment now = sim_moment(s, (int)i);
        struct core_view c;
        if (!sim_counts(s, (int)i) || !s->desk[i].core)
            continue;
        core_view(s->desk[i].core, &now, &c);
        c.memory_lost &= !s->desk[i].forgot;
        for (unsigned k = 0; !c.memory_lost && k < core_peers(s->desk[i].core); k++) {
            struct peer_view p;
            core_peer_view(s->desk[i].core, &now, k, &p);
            c.memory_lost = p.memory_lost && !s->desk[sim_desk_of(s, &p.id)].forgot;
        }
        if (c.memory_lost) {
            snprintf(why, 200, "%s believes in a lost memory", s->desk[i].name);
            return false;
        }
    }
    return true;
}

const struct check check_doubts = { .name = "doubts", .settled = settled };
