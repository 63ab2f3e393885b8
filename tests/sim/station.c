/* station.c - a desk's life: starting, batches, commits, effects, crashes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define TICK_US      (100 * MS)
#define BATCH_MAX_US (10 * MS)

static void desk_dice(void *ctx, void *out, size_t n)
{
    rng_fill(ctx, out, n);
}

void station_make(struct sim *s, unsigned i)
{
    struct station *d = &s->desk[i];
    uint8_t seed[3 * SEED_BYTES];

    rng_fill(&s->dice, seed, sizeof seed);
    ident_from_seed(seed, &d->me);
    snprintf(d->name, sizeof d->name, "DESK-%u", i + 1);
    d->disk = memdisk_new();
    d->dice.s = rng_next(&s->dice);
    d->crash_at = -1;
    d->ppm = rng_chance(&s->dice, 500) ? (rng_chance(&s->dice, 500) ? 20000 : -20000)
                                       : (int)rng_between(&s->dice, 0, 40000) - 20000;
    d->wall_base_ms = WALL_START_MS + (int64_t)rng_between(&s->dice, 0, 1200000) - 600000;
    if (s->script->setup.steady) {
        d->ppm = 0;
        d->wall_base_ms = WALL_START_MS + (d->wall_base_ms - WALL_START_MS) / 1500;
    }
}

/* Which of its starts a majority remembers: deed_restore() asks. */
void station_note_confirmed(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    struct moment now = sim_moment(s, desk);
    struct core_view v;

    if (!d->core)
        return;
    core_view(d->core, &now, &v);
    if (v.mark_confirmed)
        d->confirmed_life = d->life;
}

void station_crash(struct sim *s, int desk, uint64_t back_in_us, const char *when)
{
    struct station *d = &s->desk[desk];

    sim_trace(s, desk, "crashes %s", when);
    s->count.crashes++;
    station_note_confirmed(s, desk);
    memdisk_abort(d->disk);
    core_close(d->core);
    d->core = NULL;
    d->n_fresh = 0;
    d->batch_open = false;
    d->paused_until = 0;
    d->crash_at = -1;
    memset(&d->view, 0, sizeof d->view);
    net_desk_died(s, desk);
    if (!d->off)
        sim_put(s, back_in_us, EV_RESTART, desk);
}

static uint64_t soon_again(struct sim *s)
{
    bool quick = rng_chance(&s->dice, 500);

    return rng_between(&s->dice, 50 * MS, quick ? 800 * MS : 25 * SECOND);
}

/* After half of the crashes the PC starts anew too, and counts its boot time from nothing. */
/* As many looks in a row as change any mind: patience is watch.c's, and tested there. */
void station_look(struct sim *s, int desk)
{
    struct watch_check check = { .primary = s->server_up };
    struct moment now = sim_moment(s, desk);

    for (unsigned i = 0; i < 10 && s->desk[desk].core && s->server_known; i++)
        core_server(s->desk[desk].core, &now, &check);
}

void station_start(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    struct core_config conf = { .me = &d->me,
                                .disk = memdisk_disk(d->disk),
                                .dice = desk_dice,
                                .dice_ctx = &d->dice,
                                .software = "sim" };
    struct errmsg msg = { .text = "" };
    struct moment now;

    if (d->core || d->off)
        return;
    if (d->life++ == 0 || rng_chance(&s->dice, 500)) {
        d->booted_us = s->now_us;
        d->boot_base_ms = rng_between(&s->dice, 1000, 1000000);
    }
    now = sim_moment(s, desk);
    snprintf(conf.address, sizeof conf.address, "10.0.0.%d:7411", desk + 1);
    if (core_open(&conf, &now, &d->core, &msg) != ERR_OK) {
        sim_fail(s, "start", "%s does not start: %s", d->name, msg.text);
        return;
    }
    checks_commit(s, desk);
    checks_started(s, desk);
    sim_trace(s, desk, "starts, life %u", d->life);
    for (unsigned i = 0; i < s->n; i++) {
        char address[ADDR_TEXT_MAX];
        snprintf(address, sizeof address, "10.0.0.%u:7411", i + 1);
        core_hint(d->core, &s->desk[i].me.id, address);
    }
    station_look(s, desk);
    condition_say(s, desk);
    station_finish(s, desk);
    sim_put(s, rng_between(&s->dice, 0, TICK_US), EV_TICK, desk);
}

/* D9, as the shell does it: a desk may have been frozen since it decided to deliver. */
static bool is_too_late(struct sim *s, int desk, const struct effect *e)
{
    struct moment now = sim_moment(s, desk);
    struct ledger_view v;

    core_ledger_view(s->desk[desk].core, &now, &v);
    return v.sending != e->number || now.boot_ms >= v.sending_until_ms;
}

static void carry_out(struct sim *s, int desk, struct effect *e)
{
    int to = sim_desk_of(s, &e->to);

    if (e->type == EFFECT_DELIVER && is_too_late(s, desk, e)) {
        sink_too_late(s, desk, e);
        return;
    }
    checks_effect(s, desk, e);
    switch (e->type) {
    case EFFECT_SEND:
        if (to >= 0)
            net_send(s, desk, to, &e->bytes);
        break;
    case EFFECT_CONNECT:
        if (to >= 0)
            net_connect(s, desk, to);
        break;
    case EFFECT_DISCONNECT:
        break;
    case EFFECT_BUILD:
        sink_build(s, desk, e);
        break;
    case EFFECT_DELIVER:
    case EFFECT_LOOK:
        sim_trace(s, desk, "delivers, number %llu", (unsigned long long)e->number);
        sink_deliver(s, desk, e);
        break;
    case EFFECT_LEAD_KEY:
    case EFFECT_PERIOD: /* sealing is below the model */
        break;
    case EFFECT_ASIDE:
        sim_put(s, s->desk[desk].slow_us + rng_between(&s->dice, MS, SECOND), EV_ASIDE, desk)
            ->number = e->number;
        break;
    case EFFECT_FORGET:
        sim_put(s, rng_between(&s->dice, MS, 3 * SECOND), EV_FORGOTTEN, desk)->number = e->number;
        break;
    case EFFECT_EVENT:
        sim_trace(s, desk, "- %s", (const char *)e->bytes.p);
        break;
    }
}

/* The effects of a batch, until the desk dies between two of them. */
static void carry_out_all(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    struct effects *fx = core_effects(d->core);

    for (unsigned i = 0; i < fx->n && !s->over; i++) {
        if (d->crash_at == (int)i + 1) {
            station_crash(s, desk, soon_again(s), i == 0 ? "after the commit" : "between effects");
            return;
        }
        carry_out(s, desk, &fx->v[i]);
    }
    effects_clear(fx);
}

static void draw_crash(struct sim *s, struct station *d)
{
    unsigned fate = s->crash_step > 0 ? (unsigned)rng_between(&s->dice, 0, 99999) : 0;

    if (d->crash_at < 0 && !s->healed && !d->forgot && fate < s->crash_step)
        d->crash_at = (int)rng_between(&s->dice, 0, 3);
}

/* The end of a batch: seal, commit, effects; a crash may come between any two. One that is due
 * after more effects than this batch has waits for a batch that has them. */
void station_finish(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    struct errmsg msg = { .text = "" };

    d->batch_open = false;
    draw_crash(s, d);
    if (d->crash_at == 0) {
        station_crash(s, desk, soon_again(s), "before the commit");
        return;
    }
    if (core_seal(d->core, &msg) != ERR_OK)
        sim_fail(s, "seal", "%s: %s", d->name, msg.text);
    checks_commit(s, desk);
    if (d->crash_at == 1) {
        station_crash(s, desk, soon_again(s), "after the commit");
        return;
    }
    check_acknowledged(s, desk);
    carry_out_all(s, desk);
}

/* Some batches stay open for the next events to join. */
void station_after_event(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];

    if (!d->batch_open && rng_chance(&s->dice, 150)) {
        d->batch_open = true;
        sim_put(s, rng_between(&s->dice, 0, BATCH_MAX_US), EV_COMMIT, desk);
    } else if (!d->batch_open) {
        station_finish(s, desk);
    }
}
