/* troubles.c - what befalls a machine, and the end of all troubles. Rows of verbs.c. */
#include "deeds.h"
#include "pause.h"

#define CLOCK_OFF_MS 3600000

#define SETTLE_US (1500 * SECOND) /* two answers lost, GATHER_MAX, quiet, elections */

void deed_crash(struct sim *s, const struct args *a)
{
    uint64_t back_ms = a->num[0] > 0 ? a->num[0] : 1000;

    if (s->script->setup.loose && s->desk[a->desk[0]].forgot)
        return;
    if (s->desk[a->desk[0]].core)
        station_crash(s, a->desk[0], back_ms * MS, "by itself");
}

void deed_die(struct sim *s, const struct args *a)
{
    s->desk[a->desk[0]].crash_at = (int)(a->num[0] % 64);
}

void deed_off(struct sim *s, const struct args *a)
{
    struct station *d = &s->desk[a->desk[0]];

    d->off = true;
    if (d->core)
        station_crash(s, a->desk[0], 0, "for good: off");
}

void deed_on(struct sim *s, const struct args *a)
{
    s->desk[a->desk[0]].off = false;
    sim_put(s, 0, EV_RESTART, a->desk[0]);
}

void deed_crashes(struct sim *s, const struct args *a)
{
    s->crash_step = (unsigned)a->num[0];
}

void deed_freeze(struct sim *s, const struct args *a)
{
    s->desk[a->desk[0]].paused_until = s->now_us + a->num[0] * MS;
    sim_trace(s, a->desk[0], "freezes for %.1f s", (double)a->num[0] / 1000);
}

void deed_slow(struct sim *s, const struct args *a)
{
    s->desk[a->desk[0]].slow_us = a->num[0] * MS;
    sim_trace(s, a->desk[0], "computes for %.1f s longer", (double)a->num[0] / 1000);
}

/* Forwards by so many seconds if the second number is 0, else back. */
void deed_clock(struct sim *s, const struct args *a)
{
    int64_t by = (int64_t)a->num[0];

    s->desk[a->desk[0]].wall_base_ms += a->num[1] ? -by : by;
    sim_trace(s, a->desk[0], "its clock is set %s by %.1f s", a->num[1] ? "back" : "forward",
              (double)by / 1000);
}

void deed_server(struct sim *s, const struct args *a)
{
    s->server_known = true;
    s->server_up = a->num[0] != 0;
    for (unsigned i = 0; i < s->n; i++)
        station_look(s, (int)i);
}

/* Somebody reads the clocks: one that is hours off may keep its desk from agreeing to erase what
 * is over by the others' clocks (seed 47033). */
static void set_clock_right(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    int64_t off = d->wall_base_ms - WALL_START_MS;

    if (off > -CLOCK_OFF_MS && off < CLOCK_OFF_MS)
        return;
    d->wall_base_ms = WALL_START_MS;
    sim_trace(s, desk, "its clock is set right");
}

void deed_heal(struct sim *s, const struct args *a)
{
    (void)a;
    sim_trace(s, -1, "healed");
    s->healed = true;
    s->deadline_us = s->now_us + SETTLE_US;
    net_heal(s);
    for (unsigned i = 0; i < s->n; i++) {
        struct station *d = &s->desk[i];
        d->paused_until = d->slow_us = 0;
        set_clock_right(s, (int)i);
        if (d->core)
            core_pause(d->core, &(struct moment){ 0 }, false, NULL);
        d->crash_at = -1;
        if (d->off && !d->gone) {
            d->off = false;
            sim_put(s, 0, EV_RESTART, (int)i);
        }
    }
    sim_put(s, 5 * SECOND, EV_JUDGE, -1);
}

void deed_end(struct sim *s, const struct args *a)
{
    (void)a;
    s->over = true;
}
