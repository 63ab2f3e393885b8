/* condition.c - B3: how a PC fares is told, and in the end everybody knows of every other what that
 * one said last. Row of verbs.c.
 *
 * It decides nothing (condition.h), so all that can go wrong is that somebody is told something
 * else, or nothing. */
#include <stdio.h>

#include "deeds.h"

static const char *const problems[] = { "disk_low", "clock_off", "vote_waits" };

/* As the shell does once it has looked: it forgets it when it stops, and says it again. */
void condition_say(struct sim *s, int desk)
{
    if (s->desk[desk].fares_known && s->desk[desk].core)
        core_condition(s->desk[desk].core, &s->desk[desk].fares);
}

/* So many hundredths of a disk free, and as many problems as divide the number. */
void deed_condition(struct sim *s, const struct args *a)
{
    struct station *d = &s->desk[a->desk[0]];
    struct condition c = { .disk_free = a->num[0] << 30, .commit_us = 100 * a->num[0] };

    for (unsigned i = 0; i < sizeof problems / sizeof problems[0]; i++)
        if (a->num[0] % (i + 2) == 0)
            condition_add(&c, problems[i]);
    d->fares = c;
    d->fares_known = true;
    sim_trace(s, a->desk[0], "fares with %llu GiB free and %u problems",
              (unsigned long long)a->num[0], c.n);
    condition_say(s, a->desk[0]);
}

static bool settled(const struct sim *s, char why[200])
{
    for (int i = 0; i < (int)s->n; i++)
        for (unsigned k = 0; sim_counts(s, i) && s->desk[i].core && k < core_peers(s->desk[i].core);
             k++) {
            struct moment now = sim_moment(s, i);
            struct peer_view p;
            int of;
            core_peer_view(s->desk[i].core, &now, k, &p);
            of = sim_desk_of(s, &p.id);
            if (of < 0 || !sim_counts(s, of) || !s->desk[of].core || !s->desk[of].fares_known ||
                (p.has_condition && !condition_differs(&p.condition, &s->desk[of].fares)))
                continue;
            snprintf(why, 200, "B3: %s does not know how %s fares", s->desk[i].name,
                     s->desk[of].name);
            return false;
        }
    return true;
}

const struct check check_condition = { .name = "condition", .settled = settled };
