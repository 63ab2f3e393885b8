/* checks.c - everything that must hold, one row each; PROTOCOL.md, "Ledger", says what they mean.
 *
 * The ledger's state is read from the disk, as a restart would: what a desk merely believes proves
 * nothing. */
#include "sim.h"

extern const struct check check_overrides, check_ledger, check_leases, check_records, check_doubts,
    check_roster, check_liar, check_leads, check_erase, check_regain, check_answers, check_releases,
    check_blocklist, check_rulings, check_condition, check_loaded;

const struct check *const checks[] = { &check_overrides,
                                       &check_roster,
                                       &check_ledger,
                                       &check_leases,
                                       &check_records,
                                       &check_doubts,
                                       &check_liar,
                                       &check_leads,
                                       &check_erase,
                                       &check_regain,
                                       &check_answers,
                                       &check_releases,
                                       &check_blocklist,
                                       &check_rulings,
                                       &check_condition,
                                       &check_loaded,
                                       NULL };

struct watching {
    struct sim *s;
    int desk;
};

static void watch(void *ctx, enum table t, const uint8_t *key, size_t n, const uint8_t *val,
                  size_t len)
{
    const struct watching *w = ctx;

    for (const struct check *const *c = checks; *c; c++)
        if ((*c)->durable)
            (*c)->durable(w->s, w->desk, t, key, n, val, len);
}

void checks_commit(struct sim *s, int desk)
{
    struct watching w = { s, desk };

    memdisk_commit(s->desk[desk].disk, watch, &w);
    for (const struct check *const *c = checks; *c; c++)
        if ((*c)->committed)
            (*c)->committed(s, desk);
}

void checks_effect(struct sim *s, int desk, const struct effect *e)
{
    for (const struct check *const *c = checks; *c; c++)
        if ((*c)->effect)
            (*c)->effect(s, desk, e);
}

void checks_started(struct sim *s, int desk)
{
    for (const struct check *const *c = checks; *c; c++)
        if ((*c)->started)
            (*c)->started(s, desk);
    s->desk[desk].new_memory = false;
}

void checks_step(struct sim *s, int desk)
{
    struct moment now = sim_moment(s, desk);

    core_ledger_view(s->desk[desk].core, &now, &s->desk[desk].view);
    for (const struct check *const *c = checks; *c; c++)
        if ((*c)->step)
            (*c)->step(s, desk);
}

bool checks_settled(const struct sim *s, char why[200])
{
    for (const struct check *const *c = checks; *c; c++)
        if ((*c)->settled && !(*c)->settled(s, why))
            return false;
    return true;
}

void checks_end(struct sim *s)
{
    for (const struct check *const *c = checks; *c; c++)
        if ((*c)->end)
            (*c)->end(s);
}
