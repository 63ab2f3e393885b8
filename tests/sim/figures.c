/* figures.c - what a branch of many desks costs: messages, bytes and virtual time, from one line of a
 * script to the next. `sim --figures 40,200` plays one day's quiet beginning of each size. */
#include <stdio.h>
#include <string.h>

#include "deeds.h"

/* Everybody sees everybody. */
bool figures_met(struct sim *s, const struct args *a)
{
    (void)a;
    for (unsigned i = 0; i < s->n; i++) {
        struct moment now = sim_moment(s, (int)i);
        const struct core *c = s->desk[i].core;
        struct peer_view p;
        if (!sim_counts(s, (int)i))
            continue;
        if (!c)
            return false;
        for (unsigned k = 0; k < core_peers(c); k++) {
            core_peer_view(c, &now, k, &p);
            if (p.state != PEER_ONLINE)
                return false;
        }
    }
    return true;
}

bool figures_same(struct sim *s, const struct args *a)
{
    for (unsigned i = 0; i < s->n; i++)
        if (sim_counts(s, (int)i) &&
            (!s->desk[i].core || s->desk[i].held_records < a->num[0] ||
             s->desk[i].held_records != s->desk[sim_first(s)].held_records))
            return false;
    return true;
}

void deed_figures(struct sim *s, const struct args *a)
{
    double seconds = (double)(s->now_us - s->figures.us) / (double)SECOND;
    double desks = (double)s->script->setup.desks;
    double messages = (double)(s->count.messages - s->figures.messages) / desks;
    double bytes = (double)(s->count.bytes - s->figures.bytes) / desks;

    if (a->word[0] != '-')
        printf("%4.0f desks  %-6s %7.2f s  a desk: %8.1f messages, %10.0f bytes\n", desks, a->word,
               seconds, messages, bytes);
    s->figures = s->count;
    s->figures.us = s->now_us;
}

bool figures_script(unsigned desks, struct script *sc, char why[200])
{
    char text[600];

    snprintf(text, sizeof text,
             "desks %u\nsteady 1\nat 0 when met: figures met\n+ 5 figures -\n+ 0 scan DESK-1 250\n"
             "+ 0 when same 250: figures spread\n+ 5 figures -\n+ 30 figures idle\n+ 0 end\n",
             desks);
    return script_read(sc, text, why);
}
