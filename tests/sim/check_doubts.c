/* check_doubts.c - nobody is called a desk that lost its memory who did not, and of those that know
 * it of themselves everybody knows it. */
#include <stdio.h>

#include "sim.h"

static bool says_lost(const struct sim *s, int desk)
{
    struct moment now = sim_moment(s, desk);
    struct core_view c;

    core_view(s->desk[desk].core, &now, &c);
    return c.memory_lost;
}

static bool knows(const struct sim *s, int desk, unsigned peer, char why[200])
{
    struct moment now = sim_moment(s, desk);
    struct peer_view p;
    int of;

    core_peer_view(s->desk[desk].core, &now, peer, &p);
    of = sim_desk_of(s, &p.id);
    if (p.memory_lost && !s->desk[of].forgot)
        snprintf(why, 200, "%s believes in a lost memory of %s", s->desk[desk].name,
                 s->desk[of].name);
    else if (!p.memory_lost && of >= 0 && sim_counts(s, of) && s->desk[of].core && says_lost(s, of))
        snprintf(why, 200, "%s does not know that %s lost its memory", s->desk[desk].name,
                 s->desk[of].name);
    else
        return true;
    return false;
}

static bool settled(const struct sim *s, char why[200])
{
    for (int i = 0; i < (int)s->n; i++) {
        if (!sim_counts(s, i) || !s->desk[i].core)
            continue;
        if (says_lost(s, i) && !s->desk[i].forgot) {
            snprintf(why, 200, "%s believes in its lost memory", s->desk[i].name);
            return false;
        }
        for (unsigned k = 0; k < core_peers(s->desk[i].core); k++)
            if (!knows(s, i, k, why))
                return false;
    }
    return true;
}

const struct check check_doubts = { .name = "doubts", .settled = settled };
