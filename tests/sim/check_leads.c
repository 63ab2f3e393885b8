/* check_leads.c - in the end one set of operations is one roster: the same tip, policy, names,
 * roles and open questions everywhere, however the leads worked apart; and every policy there was
 * is known, for something may have been agreed under it. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

static bool same_desks(const struct roster *a, const struct roster *b)
{
    if (roster_desks(a) != roster_desks(b))
        return false;
    for (unsigned i = 0; i < roster_desks(a); i++) {
        const struct desk *x = roster_desk(a, i), *y = roster_find(b, &x->id);
        if (!y || strcmp(x->name, y->name) != 0 || strcmp(x->joined, y->joined) != 0 ||
            x->roles != y->roles || x->state != y->state)
            return false;
    }
    return true;
}

static bool same_roster(const struct roster *a, const struct roster *b)
{
    return memcmp(roster_tip(a), roster_tip(b), HASH_BYTES) == 0 &&
           memcmp(roster_policy_hash(a), roster_policy_hash(b), HASH_BYTES) == 0 &&
           roster_conflicts(a, NULL, 0) == roster_conflicts(b, NULL, 0) &&
           roster_policy_by_hash(a, roster_policy_hash(b)) != NULL && same_desks(a, b);
}

static void end(struct sim *s)
{
    int first = sim_first(s);

    for (int i = 0; first >= 0 && i < (int)s->n; i++)
        if (sim_counts(s, i) && s->desk[i].core && s->desk[first].core && s->healed &&
            memcmp(roster_hash(core_roster(s->desk[first].core)),
                   roster_hash(core_roster(s->desk[i].core)), HASH_BYTES) == 0 &&
            !same_roster(core_roster(s->desk[first].core), core_roster(s->desk[i].core)))
            sim_fail(s, "roster", "%s reads the same operations as another roster than %s",
                     s->desk[i].name, s->desk[first].name);
}

const struct check check_leads = { .name = "leads", .end = end };
