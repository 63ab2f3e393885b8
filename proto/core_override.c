/* core_override.c - may a lead begin a new epoch now, with which seats, and at what risk? */
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#include "core_int.h"

/* ---- what the ledger asks ---- */

void override_replay(void *ctx, bool begins)
{
    struct core *c = ctx;

    c->replaying = begins;
    past_replay(c, begins);
    if (!begins) {
        forks_pin(c, NULL);
        return;
    }
    restored_replay(c);
    c->feeds.n_cuts = 0;
    c->short_of_memory = false;
}

enum err override_found(void *ctx, struct intent *in, const struct shown *v, unsigned n)
{
    const struct core *c = ctx;

    free(in->ranges);
    if ((in->ranges = mem_zero(n ? n : 1, sizeof *in->ranges)) == NULL)
        return ERR_NOMEM;
    in->n_ranges = 0;
    in->records = 0;
    in->back_to = c->past.back_to;
    for (unsigned i = 0; i < n && in->n_ranges < SLOT_RANGES_MAX; i++) {
        const struct feed *f = feeds_find(&c->feeds, &v[i].feed);
        struct slot_range *r = &in->ranges[in->n_ranges];
        uint8_t h[HASH_BYTES];
        r->feed = v[i].feed;
        r->from = feeds_cut(&c->feeds, &r->feed) + 1;
        r->to = f && f->seq < v[i].to ? f->seq : v[i].to;
        if (!f || r->to < r->from || feeds_hash_at(&c->feeds, f, r->to, h) != ERR_OK ||
            (r->to == v[i].to && memcmp(h, v[i].hash, sizeof v[i].hash) != 0))
            continue; /* another history of the feed was delivered than is held here */
        memcpy(r->hash, h, sizeof r->hash);
        in->records += r->to - r->from + 1;
        in->n_ranges++;
    }
    return ERR_OK;
}

/* Of erased records, or of those for which a floor was taken, nothing needs to be read. */
static bool holds_range(const struct core *c, const struct slot_range *r)
{
    const struct feed *f = feeds_find(&c->feeds, &r->feed);

    return (f && f->floor.seq >= r->to) || feeds_holds(&c->feeds, &r->feed, r->to, r->hash);
}

static bool holds_slot(const struct core *c, uint64_t slot)
{
    struct buf b = { 0 };
    struct receipt r;
    struct intent in;
    bool all = true;

    if (ledger_receipt(c->ledger, slot, &b) == ERR_OK &&
        receipt_decode(b.p, b.len, &r, NULL) == ERR_OK &&
        intent_decode(r.intent, r.intent_len, &in, NULL) == ERR_OK) {
        for (unsigned i = 0; i < in.n_ranges && all; i++)
            all = holds_range(c, &in.ranges[i]);
        intent_free(&in);
    }
    buf_free(&b);
    return all;
}

uint64_t override_held_to(void *ctx)
{
    struct core *c = ctx;
    uint64_t slot = 1, decided = ledger_decided(c->ledger);

    if (feeds_hold_cuts(&c->feeds))
        return decided;
    while (slot <= decided && holds_slot(c, slot))
        slot++;
    return slot - 1;
}

bool override_reached(void *ctx, const struct desk_id *id)
{
    const struct core *c = ctx;
    const struct peer *p = sync_peer(c, id);

    return desk_id_eq(id, &c->conf.me->id) || (p && !p->memory_lost && sync_is_online(c, p));
}

/* ---- the plan ---- */

static bool heard_lately(const struct core *c, const struct desk_id *id)
{
    const struct peer *p = sync_peer(c, id);

    return desk_id_eq(id, &c->conf.me->id) ||
           (p && p->ever_heard && c->now_ms - p->heard_ms < OVERRIDE_AWAY_MS);
}

static bool can_vote(const struct core *c, const struct ledger_view *v, const struct desk_id *id)
{
    const struct peer *p = sync_peer(c, id);

    return desk_id_eq(id, &c->conf.me->id) ? v->may_vote
                                           : p && !p->memory_lost && p->standing.votes;
}

static uint64_t accepted_term(const struct core *c, const struct ledger_view *v,
                              const struct desk_id *id)
{
    const struct peer *p = sync_peer(c, id);

    return desk_id_eq(id, &c->conf.me->id)                ? v->acc_term
           : p && epoch_eq(&p->standing.epoch, &v->epoch) ? p->standing.acc_term
                                                          : 0;
}

/* Who knows most of an upload that may be under way comes first, then who had a seat, can vote,
 * was named for a seat by a lead. */
static uint64_t worth(const struct core *c, const struct ledger_view *v, const struct desk_id *id)
{
    const struct desk *d = roster_find(c->roster, id);

    return 8 * accepted_term(c, v, id) + 4 * ledger_is_seat(c->ledger, id) +
           2 * can_vote(c, v, id) + (d && d->seat);
}

static void choose_seats(const struct core *c, const struct ledger_view *v,
                         struct override_plan *out)
{
    unsigned want = out->n_reached <= 2 ? 1 : out->n_reached <= 4 ? 3 : 5;
    bool taken[ROSTER_DESKS_MAX] = { false };

    while (out->draft.n_seats < want) {
        int best = -1;
        for (unsigned i = 0; i < out->n_reached; i++)
            if (!taken[i] &&
                (best < 0 || worth(c, v, &out->reached[i]) > worth(c, v, &out->reached[best])))
                best = (int)i;
        taken[best] = true;
        out->draft.seats[out->draft.n_seats++] = out->reached[best];
    }
}

static void sort_desks(const struct core *c, struct override_plan *out)
{
    for (unsigned i = 0; i < roster_desks(c->roster); i++) {
        const struct desk *d = roster_desk(c->roster, i);
        if (d->state != DESK_ACTIVE)
            continue;
        if (override_reached((void *)(uintptr_t)c, &d->id))
            out->reached[out->n_reached++] = d->id;
        else
            out->draft.missing[out->draft.n_missing++] = d->id;
    }
}

/* Whatever of the pending records another desk may hold, it may be sending. That it holds one of
 * which nobody here knows does no harm: then nobody here sends it. */
static uint64_t may_double(const struct core *c)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < c->feeds.n; i++) {
        const struct feed *f = &c->feeds.v[i];
        uint64_t cut = feeds_cut(&c->feeds, &f->opening.id), most = f->seq;
        for (unsigned k = 0; k < c->n_peers; k++)
            if (sync_have(&c->peers[k], i) > most)
                most = sync_have(&c->peers[k], i);
        n += most > cut ? most - cut : 0;
    }
    return n;
}

/* O5 */
static void count_behind(const struct core *c, struct override_plan *out)
{
    struct buf b = { 0 };

    for (uint64_t slot = out->draft.base + 1; slot <= ledger_decided(c->ledger); slot++) {
        struct receipt r;
        struct intent in;
        if (ledger_receipt(c->ledger, slot, &b) != ERR_OK ||
            receipt_decode(b.p, b.len, &r, NULL) != ERR_OK ||
            intent_decode(r.intent, r.intent_len, &in, NULL) != ERR_OK)
            continue;
        out->behind += in.type == SLOT_UPLOAD;
        out->unlisted += in.set_aside;
        intent_free(&in);
    }
    buf_free(&b);
}

static enum err is_allowed(const struct core *c, const struct ledger_view *v, struct errmsg *msg)
{
    const struct desk *me = roster_find(c->roster, &c->conf.me->id);
    unsigned able = 0;

    for (unsigned i = 0; i < v->n_seats; i++)
        able += heard_lately(c, &v->seats[i]) && can_vote(c, v, &v->seats[i]);
    if (c->memory_lost)
        return err_why(msg, ERR_REFUSED, "memory_lost", "",
                       "this desk's disk was set back: sign the override at another desk");
    if (!me || me->state != DESK_ACTIVE)
        return err_why(msg, ERR_REFUSED, "revoked", "", "this desk does not belong to the branch");
    if (able >= v->n_seats / 2 + 1)
        return err_why(msg, ERR_REFUSED, "not_needed", "",
                       "%u of %u seats can be reached: no override is needed. Use: tideover upload "
                       "run",
                       able, v->n_seats);
    if (c->now_ms - c->opened_ms < OVERRIDE_LOOK_MS)
        return err_why(msg, ERR_BUSY, "just_started", "",
                       "this desk started a moment ago and is still looking for the others: wait "
                       "%u seconds",
                       (unsigned)((OVERRIDE_LOOK_MS - (c->now_ms - c->opened_ms)) / 1000 + 1));
    if (v->epoch.number >= OVERRIDES_MAX)
        return err_why(msg, ERR_FULL, "too_many", "",
                       "this branch had %d overrides, the most there "
                       "can be: found it anew",
                       OVERRIDES_MAX);
    if (!sync_gathered(c))
        return err_why(msg, ERR_BUSY, "catching_up", "",
                       "the desks that can be reached do not hold the same records yet: try again "
                       "in a moment");
    return ERR_OK;
}

enum err core_override_plan(const struct core *c, const struct moment *now,
                            struct override_plan *out, struct errmsg *msg)
{
    struct ledger_view v;

    core_ledger_view(c, now, &v);
    memset(out, 0, sizeof *out);
    ledger_draft_override(c->ledger, &out->draft);
    out->draft.made_ms = now->wall_ms;
    out->draft.desk = c->conf.me->id;
    out->n_old = v.n_seats;
    memcpy(out->old, v.seats, sizeof out->old);
    out->open = v.open;
    out->may_double = may_double(c);
    count_behind(c, out);
    sort_desks(c, out);
    if (out->n_reached > 0)
        choose_seats(c, &v, out);
    return is_allowed(c, &v, msg);
}

enum err core_override(struct core *c, const struct moment *now, const uint8_t *p, size_t n,
                       struct errmsg *msg)
{
    struct ledger_moment lnow = ledger_now(now);

    c->now_ms = now->boot_ms;
    return ledger_override(c->ledger, &lnow, p, n, msg);
}
