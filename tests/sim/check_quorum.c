/* check_quorum.c - when nobody can decide any more, by the rules: too many seats forgot or are
 * gone.
 *
 * L7: a seat votes only if a majority of seats, itself not counted, confirmed its start, and a desk
 * that lost its memory confirms nothing. What then remains is the override. */
#include "sim.h"

static bool is_able(const struct sim *s, int desk)
{
    return desk >= 0 && sim_counts(s, desk) && !s->desk[desk].forgot;
}

static const struct ledger_view *newest_view(const struct sim *s)
{
    const struct station *best = NULL;

    for (int i = 0; i < (int)s->n; i++)
        if (sim_counts(s, i) && s->desk[i].core && (!best || s->desk[i].dec > best->dec))
            best = &s->desk[i];
    return best ? &best->view : NULL;
}

/* With one seat, the other desks confirm. */
static unsigned confirming(const struct sim *s, const struct ledger_view *v, unsigned able)
{
    unsigned n = 0;

    if (v->n_seats > 1)
        return able - 1;
    for (int i = 0; i < (int)s->n; i++)
        n += is_able(s, i) && i != sim_desk_of(s, &v->seats[0]);
    return n;
}

static unsigned active(const struct sim *s)
{
    unsigned n = s->liar != NULL; /* counted, and confirms nobody */

    for (int i = 0; i < (int)s->n; i++)
        n += s->desk[i].member && !s->desk[i].revoked;
    return n;
}

bool check_is_stuck(const struct sim *s)
{
    const struct ledger_view *v = newest_view(s);
    unsigned able = 0, may = 0, majority, need;

    if (!v || v->n_seats == 0)
        return true;
    majority = v->n_seats / 2 + 1;
    for (unsigned i = 0; i < v->n_seats; i++) {
        int desk = sim_desk_of(s, &v->seats[i]);
        able += is_able(s, desk);
        may += is_able(s, desk) && s->desk[desk].view.may_vote;
    }
    if (able < majority)
        return true;
    need = v->n_seats == 1         ? (active(s) > 1 ? (active(s) - 1) / 2 + 1 : 0)
           : majority < v->n_seats ? majority
                                   : v->n_seats - 1;
    return confirming(s, v, able) < need && may < majority;
}
