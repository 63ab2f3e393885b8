/* sim.c - the world and its clock: events in their order, the invariants after each. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX   UINT64_C(400000) /* for each desk; an honest run needs a tenth */
#define WAITING_MAX 4000             /* events for each desk; likewise */

/* ---- small things ---- */

void *sim_grow(void *v, unsigned n, unsigned *room, size_t size)
{
    if (n < *room)
        return v;
    *room = *room ? 2 * *room : 32;
    if ((v = realloc(v, *room * size)) == NULL)
        abort();
    return v;
}

void sim_fail(struct sim *s, const char *invariant, const char *fmt, ...)
{
    char what[300];
    va_list ap;

    if (s->failure[0] != '\0')
        return; /* the first one is the cause */
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    snprintf(s->failure, sizeof s->failure, "%s at %llu.%03llu s: %s", invariant,
             (unsigned long long)(s->now_us / SECOND), (unsigned long long)(s->now_us / MS % 1000),
             what);
    s->over = true;
}

void sim_trace(const struct sim *s, int desk, const char *fmt, ...)
{
    va_list ap;

    if (!s->trace)
        return;
    printf("%5llu.%03llu %-8s ", (unsigned long long)(s->now_us / SECOND),
           (unsigned long long)(s->now_us / MS % 1000), desk >= 0 ? s->desk[desk].name : "");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

struct moment sim_moment(const struct sim *s, int desk)
{
    const struct station *d = &s->desk[desk];
    int64_t up = (int64_t)(s->now_us - d->booted_us), all = (int64_t)s->now_us;

    return (struct moment){ d->boot_base_ms + (uint64_t)(up + up * d->ppm / 1000000) / 1000,
                            d->wall_base_ms + (all + all * d->ppm / 1000000) / 1000, -300 };
}

static unsigned cell_of(const struct sim *s, const struct desk_id *id)
{
    unsigned n = 4 * SIM_STATIONS_MAX, at = (id->b[0] | (unsigned)id->b[1] << 8) % n;

    while (s->by_id[at] > 0 && !desk_id_eq(&s->desk[s->by_id[at] - 1].me.id, id))
        at = (at + 1) % n;
    return at;
}

int sim_desk_of(const struct sim *s, const struct desk_id *id)
{
    return (int)s->by_id[cell_of(s, id)] - 1;
}

int sim_any_desk(struct sim *s)
{
    int i;

    do
        i = (int)rng_between(&s->dice, 0, s->n - 1);
    while (!s->desk[i].member);
    return i;
}

bool sim_counts(const struct sim *s, int desk)
{
    const struct station *d = &s->desk[desk];

    return d->member && !d->revoked && !d->gone;
}

int sim_first(const struct sim *s)
{
    for (int i = 0; i < (int)s->n; i++)
        if (sim_counts(s, i))
            return i;
    return -1;
}

int sim_uploader(const struct sim *s)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->desk[i].core && s->desk[i].view.is_uploader)
            return (int)i;
    return -1;
}

/* ---- steps ---- */

/* Of what a desk took in since its last commit its disk does not tell (seed 132469). */
static bool any_batch_is_open(const struct sim *s)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->desk[i].core && s->desk[i].batch_open)
            return true;
    return false;
}

static void judge(struct sim *s)
{
    char why[200] = "";

    members_strand(s);
    if (sim_first(s) < 0) { /* all of them revoked or lost: nothing is promised */
        s->over = true;
        return;
    }
    if (any_batch_is_open(s)) {
        sim_put(s, 10 * MS, EV_JUDGE, -1);
        return;
    }
    if (checks_settled(s, why) && script_is_done(s, why)) {
        checks_end(s);
        s->over = true;
        return;
    }
    if (s->now_us > s->deadline_us) {
        sim_fail(s, "settle", "%s", why);
        return;
    }
    if (s->now_us - s->last_press_us > 20 * SECOND) {
        struct args a = { .desk = { sim_any_desk(s), DESK_NONE } };
        s->last_press_us = s->now_us;
        if (s->desk[a.desk[0]].core) {
            verb_named("press")->run(s, &a);
            verb_named("decide")->run(s, &a);
            station_after_event(s, a.desk[0]);
        }
    }
    sim_put(s, SECOND, EV_JUDGE, -1);
}

static void at_desk(struct sim *s, struct event *e, const struct moment *now)
{
    struct station *d = &s->desk[e->desk];
    const struct desk_id *from = &s->desk[e->from].me.id;

    switch (e->type) {
    case EV_TICK:
        if (now->boot_ms >= core_next_tick(d->core))
            core_tick(d->core, now);
        sim_put(s, 100 * MS, EV_TICK, e->desk);
        break;
    case EV_MESSAGE:
        if (e->from != e->desk && net_link(s, e->from, e->desk)->cut)
            return;
        core_message(d->core, now, from, "", e->bytes.p, e->bytes.len);
        break;
    case EV_LINK:
        if (!net_try(s, e->desk, e->from, (unsigned)e->number))
            return;
        core_peer_up(d->core, now, from);
        break;
    case EV_LINK_LOST:
        if (!net_link(s, e->desk, e->from)->up)
            return;
        net_lost(s, e->desk, e->from);
        core_peer_down(d->core, from);
        break;
    case EV_BUILT:
        core_built(d->core, now, e->number, e->parcel->parts, e->parcel->n_parts, &e->parcel->aside,
                   NULL);
        break;
    case EV_DELIVERED:
        if (s->last_sent.desk == e->desk)
            s->last_sent.answered = true;
        core_delivered(d->core, now, e->number, e->how, "sim", e->told);
        break;
    case EV_ASIDE:
        sink_aside(s, e->desk, now, e->number);
        break;
    case EV_FORGOTTEN:
        core_forgotten(d->core, e->number);
        break;
    case EV_SCAN:
        people_scan(s, e->desk, (unsigned)e->number);
        break;
    case EV_COMMIT:
        if (d->batch_open)
            station_finish(s, e->desk);
        return;
    case EV_RESTART:
    case EV_DELIVER:
    case EV_EXECUTE:
    case EV_BEGIN:
    case EV_LINE:
    case EV_LATE:
    case EV_JUDGE:
        return;
    }
    if (!s->over)
        station_after_event(s, e->desk);
}

/* Returns whether the event is kept for later: a frozen desk finds all of it when it wakes. */
static bool reach_desk(struct sim *s, struct event *e)
{
    struct station *d = &s->desk[e->desk];
    struct moment now;

    if (!d->core || (d->life != e->life && e->type != EV_MESSAGE && e->type != EV_SCAN))
        return false;
    if (d->paused_until > s->now_us) {
        queue_again(s, d->paused_until - s->now_us, e);
        return true;
    }
    now = sim_moment(s, e->desk);
    at_desk(s, e, &now);
    return false;
}

static bool step(struct sim *s, struct event *e)
{
    switch (e->type) {
    case EV_LINE:
    case EV_LATE:
        script_event(s, e);
        return false;
    case EV_JUDGE:
        judge(s);
        return false;
    case EV_RESTART:
        station_start(s, e->desk);
        return false;
    case EV_DELIVER:
        sink_arrive(s, e);
        return false;
    case EV_EXECUTE:
    case EV_BEGIN:
        session_event(s, e);
        return false;
    case EV_COMMIT:
    case EV_TICK:
    case EV_MESSAGE:
    case EV_LINK:
    case EV_LINK_LOST:
    case EV_BUILT:
    case EV_ASIDE:
    case EV_FORGOTTEN:
    case EV_DELIVERED:
    case EV_SCAN:
        break;
    }
    return reach_desk(s, e);
}

static void begin(struct sim *s)
{
    const struct setup *o = &s->script->setup;

    s->n = (unsigned)(o->desks + o->spare);
    s->dice.s = o->dice;
    s->desk = calloc(s->n, sizeof *s->desk);
    s->links = calloc((size_t)s->n * s->n, sizeof *s->links);
    if (!s->desk || !s->links)
        abort();
    for (unsigned i = 0; i < s->n; i++) {
        s->desk[i].member = i < o->desks;
        station_make(s, i);
        s->by_id[cell_of(s, &s->desk[i].me.id)] = (uint16_t)(i + 1);
    }
    if (o->liar)
        liar_make(s);
    branch_found(s);
    for (unsigned i = 0; i < o->desks; i++)
        sim_put(s, rng_between(&s->dice, 0, SECOND), EV_RESTART, (int)i);
    script_start(s);
    overrides_begin(s);
}

bool sim_run(struct sim *s, const struct script *script, bool trace)
{
    struct event *e;

    memset(s, 0, sizeof *s);
    s->script = script;
    s->trace = trace;
    begin(s);
    while (!s->over && (e = queue_take(s)) != NULL) {
        int desk = e->desk;
        if (++s->count.steps > STEPS_MAX * s->n || s->queue.n > WAITING_MAX * s->n)
            sim_fail(s, "storm", "desks answer each other without end");
        if (!step(s, e))
            queue_done(s, e);
        if (desk >= 0 && s->desk[desk].core)
            checks_step(s, desk);
        if (s->n_armed > 0)
            script_step(s);
    }
    s->count.slots = s->n_slots;
    s->count.us = s->now_us;
    return s->failure[0] == '\0';
}

void sim_free(struct sim *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        core_close(s->desk[i].core);
        memdisk_free(s->desk[i].disk);
        memdisk_free(s->desk[i].image);
        free(s->desk[i].held);
    }
    liar_free(s);
    releases_free(s);
    rulings_free(s);
    sticks_free(s);
    sessions_free(s);
    queue_free(s);
    overrides_free(s);
    free(s->desk);
    free(s->links);
    free(s->line);
    free(s->armed);
    free(s->feed);
    free(s->file);
    free(s->happened);
    free(s->item);
    free(s->vote);
}
