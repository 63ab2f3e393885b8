/* script.c - a script runs: each line at its time, when its condition holds. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

bool cond_holds(struct sim *s, const struct cond *c)
{
    struct args a = c->args;

    if (a.desk[0] == DESK_UPLOADER && (a.desk[0] = sim_uploader(s)) < 0)
        return false;
    if (a.desk[0] == DESK_ANY)
        a.desk[0] = DESK_NONE;
    return c->kind->holds(s, &a);
}

static void arm(struct sim *s, unsigned i)
{
    s->armed[s->n_armed++] = i;
}

static void done(struct sim *s, unsigned i)
{
    s->line[i].done = true;
    if (i + 1 < s->n_lines && s->line[i + 1].follows) {
        struct event *e = sim_put(s, s->line[i + 1].at_ms * MS, EV_LINE, -1);
        e->number = i + 1;
    }
}

static bool find_desk(struct sim *s, int *desk)
{
    if (*desk == DESK_UPLOADER)
        *desk = sim_uploader(s);
    else if (*desk == DESK_ANY)
        *desk = sim_any_desk(s);
    else
        return true;
    return *desk >= 0;
}

/* Returns whether the desk can do it now; a frozen one does it when it wakes. */
static bool desk_can(struct sim *s, unsigned i, int desk)
{
    struct station *d = &s->desk[desk];

    if (!d->core) {
        if (!s->script->setup.loose)
            sim_fail(s, "script", "line %u: %s is down", s->line[i].number, d->name);
        done(s, i);
        return false;
    }
    if (d->paused_until > s->now_us) {
        struct event *e = sim_put(s, d->paused_until - s->now_us, EV_LINE, -1);
        e->number = i;
        return false;
    }
    return true;
}

static void expect(struct sim *s, unsigned i)
{
    struct event *e = sim_put(s, s->line[i].args.num[0] * MS, EV_LATE, -1);

    e->number = i;
    arm(s, i);
}

static void fire(struct sim *s, unsigned i)
{
    const struct line *l = &s->line[i];
    struct args a = l->args;

    if (strcmp(l->verb->name, "never") == 0) {
        arm(s, i);
        done(s, i);
        return;
    }
    if (strcmp(l->verb->name, "expect") == 0) {
        expect(s, i);
        return;
    }
    if ((l->verb->flags & VERB_TROUBLE) && s->healed) {
        done(s, i);
        return;
    }
    if (!find_desk(s, &a.desk[0]) || !find_desk(s, &a.desk[1])) {
        if (!s->script->setup.loose)
            sim_fail(s, "script", "line %u: nobody is that desk now", l->number);
        done(s, i);
        return;
    }
    if ((l->verb->flags & VERB_AT_DESK) && !desk_can(s, i, a.desk[0]))
        return;
    s->count.troubles += (l->verb->flags & VERB_TROUBLE) != 0;
    l->verb->run(s, &a);
    done(s, i);
    if ((l->verb->flags & VERB_AT_DESK) && !s->over && s->desk[a.desk[0]].core)
        station_after_event(s, a.desk[0]);
}

/* What waits for its condition, and what is expected: one list, since both end when it holds. */
void script_step(struct sim *s)
{
    for (unsigned k = 0; k < s->n_armed && !s->over; k++) {
        unsigned i = s->armed[k];
        struct line *l = &s->line[i];
        bool never = strcmp(l->verb->name, "never") == 0;
        const struct cond *c = l->when.kind ? &l->when : &l->expect;
        if (!cond_holds(s, c))
            continue;
        if (never && !l->when.kind) {
            sim_fail(s, "script", "line %u: it came to pass", l->number);
            return;
        }
        memmove(s->armed + k, s->armed + k + 1, (s->n_armed - k - 1) * sizeof *s->armed);
        s->n_armed--;
        k--;
        if (l->when.kind) {
            l->when.kind = NULL;
            fire(s, i);
        } else {
            sim_trace(s, -1, "line %u is met", l->number);
            done(s, i);
        }
    }
}

void script_event(struct sim *s, const struct event *e)
{
    unsigned i = (unsigned)e->number;

    if (e->type == EV_LATE) {
        if (!s->line[i].done)
            sim_fail(s, "script", "line %u: it did not come to pass", s->line[i].number);
    } else if (s->line[i].when.kind) {
        arm(s, i);
    } else {
        fire(s, i);
    }
}

void script_start(struct sim *s)
{
    const struct script *sc = s->script;

    s->n_lines = sc->n;
    s->line = calloc(sc->n + 1, sizeof *s->line);
    s->armed = calloc(sc->n + 1, sizeof *s->armed);
    if (!s->line || !s->armed)
        abort();
    if (sc->n > 0)
        memcpy(s->line, sc->v, sc->n * sizeof *sc->v);
    for (unsigned i = 0; i < sc->n; i++) {
        struct event *e;
        if (i > 0 && sc->v[i].follows)
            continue;
        e = sim_put(s, sc->v[i].at_ms * MS, EV_LINE, -1);
        e->number = i;
    }
}

bool script_is_done(const struct sim *s, char why[200])
{
    for (unsigned i = 0; i < s->n_lines && !s->script->setup.loose; i++)
        if (!s->line[i].done) {
            snprintf(why, 200, "line %u of the script is still to come", s->line[i].number);
            return false;
        }
    return true;
}
