/* past_horizon.c - which uploads are so old that nothing needs to be read of them any more: when
 * the time of each is over, what this desk agrees to, what a majority of seats does. */
#include <stdlib.h>
#include <string.h>

#include "core_int.h"

#define DAY_MS INT64_C(86400000)
/* Retention counts days; desks whose clocks are minutes apart should not wait for each other. */
#define CLOCKS_APART_MS 3600000

static const uint8_t agreed_key[] = { 'G' };

enum err past_load_agreed(struct core *c)
{
    return past_load_number(c, agreed_key, sizeof agreed_key, &c->past.agreed);
}

/* When its time is over; 0: not before somebody confirms it. */
static int64_t due(const struct core *c, const struct policy *p, const struct past_slot *s,
                   int64_t *confirmed)
{
    int64_t said = said_confirmed(&c->said, s->slot, s->intent, &s->uploader, NULL), from;

    *confirmed = said;
    if (said == 0 && p->unconfirmed_days == POLICY_NEVER)
        return 0;
    from = said > s->at_ms ? said : s->at_ms;
    return from + DAY_MS * (said != 0 ? p->keep_days : p->unconfirmed_days);
}

static bool is_over(const struct core *c, const struct policy *p, const struct past_slot *s)
{
    int64_t confirmed, ms = due(c, p, s, &confirmed);

    return ms != 0 && c->wall_ms + CLOCKS_APART_MS >= ms;
}

/* The first slot that this desk still wants to be able to read. */
static uint64_t agrees_to(const struct core *c)
{
    const struct policy *p = roster_policy(c->roster);
    uint64_t to = c->past.back_to;

    for (unsigned i = 0; p && i < c->past.n; i++) {
        const struct past_slot *s = &c->past.v[i];
        if (s->slot < c->past.back_to)
            continue;
        if (!is_over(c, p, s))
            break;
        to = s->slot + 1;
    }
    return to;
}

/* What it said once it keeps to: a clock that is set, or a policy that is changed, after somebody
 * counted on it would leave a slot open that nobody can close. */
void past_learn_agrees(struct core *c)
{
    const struct disk *d = c->conf.disk;
    uint64_t to = agrees_to(c);
    uint8_t value[8];

    if (to > c->past.agreed) {
        put_be64(value, to);
        if (d->put(d->ctx, TABLE_META, agreed_key, sizeof agreed_key, value, sizeof value) !=
            ERR_OK)
            return;
        c->past.agreed = to;
    }
    c->past.agrees = to;
}

static int larger_first(const void *x, const void *y)
{
    const uint64_t *a = x, *b = y;

    return *a < *b ? 1 : -(*a > *b);
}

/* What a majority of seats said it would agree to: to propose more would leave a slot open that
 * nobody can close. */
uint64_t past_wants_horizon(const struct core *c)
{
    struct ledger_view v;
    struct ledger_moment now = { c->now_ms, c->wall_ms };
    uint64_t to[SEATS_MAX] = { 0 }, want;

    if (c->past.agrees <= c->past.back_to)
        return 0;
    ledger_view(c->ledger, &now, &v);
    for (unsigned i = 0; i < v.n_seats; i++) {
        const struct peer *p = sync_peer(c, &v.seats[i]);
        if (desk_id_eq(&v.seats[i], &c->conf.me->id))
            to[i] = c->past.agrees;
        else if (p && sync_is_online(c, p) && !p->memory_lost && peer_is_active(c, p))
            to[i] = p->agrees; /* one that lost its memory agrees to nothing */
    }
    qsort(to, v.n_seats, sizeof *to, larger_first);
    want = v.n_seats > 0 ? to[v.n_seats / 2] : 0;
    if (want > c->past.agrees)
        want = c->past.agrees;
    return want > c->past.back_to ? want : 0;
}

enum err past_horizon_ok(const struct core *c, const struct intent *in, struct errmsg *msg)
{
    if (in->back_to <= c->past.back_to || in->back_to > in->slot)
        return err_set(msg, ERR_REFUSED, "a horizon that does not go forward");
    if (in->back_to > c->past.agreed && in->back_to > agrees_to(c))
        return err_set(msg, ERR_REFUSED,
                       "an upload that is not confirmed, or not kept long enough "
                       "yet, is not to be erased");
    return ERR_OK;
}

unsigned core_past(const struct core *c)
{
    return c->past.n;
}

void core_past_view(const struct core *c, unsigned i, struct past_view *out)
{
    const struct past_slot *s = &c->past.v[i];
    const struct policy *p = roster_policy(c->roster);

    memset(out, 0, sizeof *out);
    out->slot = s->slot;
    out->at_ms = s->at_ms;
    out->due_ms = p ? due(c, p, s, &out->confirmed_ms) : 0;
    out->erased = s->slot < c->past.back_to;
    out->unknown = s->n_unknown > 0;
}
