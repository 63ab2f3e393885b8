/* session.c - a sink that collects in a session, executes it once, and then says what became of it;
 * its items are delivery.h's: create, load, execute, read. As Evergreen's script does it:
 *
 *   - a load that broke off lies there uncounted, so a file is loaded into a session once, by the
 *     process that made it; one that is not full is left behind, and another one filled
 *   - its "yes" to execute means that a child was started; only later that begins, books, and sets
 *     the marks that others see. A second "execute" before the marks is a second child
 *   - the child may die in the middle; what it wrote last is lost
 *   - sessions that were not executed are cleared away now and then
 *
 * D1: no record is booked twice (but by a person's wrong word). D10: what is executed is known to a
 * majority by its key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deeds.h"
#include "delivery.h"

#define PATIENCE_US (6 * SECOND) /* without any mark it never began */
#define WORK_MAX_US (4 * SECOND)
#define BUFFER      2 /* results that a child has not written when it dies, at most */

struct session { /* its key is its place here, from 1 */
    uint64_t upload, lines;
    int maker; /* the desk, in that life, that may load into it */
    unsigned maker_life;
    bool full, cleared;
    bool begun, broke, given_up; /* given up: all its lines were called in doubt */
    uint64_t children, ended_us, booked;
    uint64_t doubt_from; /* broke: from here to booked + 1 nobody can tell */
    int asker;           /* who watches it without seeing any change, and since when */
    unsigned asker_life;
    uint64_t asked_us;
};

struct sessions {
    struct session *v;
    unsigned n, room;
};

void sessions_free(struct sim *s)
{
    if (s->sessions)
        free(s->sessions->v);
    free(s->sessions);
    s->sessions = NULL;
}

static struct session *by_key(const struct sim *s, const char *key)
{
    unsigned long k = strtoul(key, NULL, 10);

    return s->sessions && k >= 1 && k <= s->sessions->n ? &s->sessions->v[k - 1] : NULL;
}

static void say_key(const struct sim *s, const struct session *x, struct told *told)
{
    snprintf(told->key, sizeof told->key, "%u", (unsigned)(x - s->sessions->v) + 1);
}

/* Marks that anybody sees. */
static struct session *begun(const struct sim *s, uint64_t upload)
{
    for (unsigned i = 0; s->sessions && i < s->sessions->n; i++)
        if (s->sessions->v[i].upload == upload && s->sessions->v[i].begun)
            return &s->sessions->v[i];
    return NULL;
}

/* The truth, which only a person at the server can find out: a child without marks counts. */
bool session_is_executed(const struct sim *s, uint64_t upload)
{
    for (unsigned i = 0; s->sessions && i < s->sessions->n; i++)
        if (s->sessions->v[i].upload == upload && s->sessions->v[i].children > 0)
            return true;
    return false;
}

bool session_waits_for_child(const struct sim *s)
{
    for (unsigned i = 0; s->sessions && i < s->sessions->n; i++)
        if (s->sessions->v[i].children > 0 && !s->sessions->v[i].begun)
            return true;
    return false;
}

void deed_child(struct sim *s, const struct args *a)
{
    s->child_us = a->num[0] * MS;
}

/* After a person's wrong "no". */
void session_allow_again(struct sim *s, uint64_t upload)
{
    uint64_t lines = 0;

    for (unsigned i = 0; s->sessions && i < s->sessions->n; i++)
        if (s->sessions->v[i].upload == upload)
            lines = s->sessions->v[i].lines;
    for (uint64_t k = 1; k <= lines; k++)
        steps_item(s, upload, k)->allowed++;
}

/* May this line be said to be so, by what became of the session? */
bool session_fits(const struct sim *s, const char *key, uint64_t line, enum answer a)
{
    const struct session *x = by_key(s, key);

    if (!x)
        return false;
    if (x->given_up && a == ANSWER_DOUBT)
        return true;
    return x->broke &&
           (a == ANSWER_HELD ? line > x->booked + 1
                             : a == ANSWER_DOUBT && line >= x->doubt_from && line <= x->booked + 1);
}

static bool may_fail(struct sim *s, unsigned per_mille)
{
    return !s->healed && s->sink_fails > 0 && rng_chance(&s->dice, per_mille);
}

/* ---- create, load ---- */

static struct session *create(struct sim *s, const struct event *e)
{
    struct session *x;

    if (!s->sessions && (s->sessions = calloc(1, sizeof *s->sessions)) == NULL)
        abort();
    s->sessions->v =
        sim_grow(s->sessions->v, s->sessions->n, &s->sessions->room, sizeof *s->sessions->v);
    x = &s->sessions->v[s->sessions->n++];
    *x = (struct session){ .upload = steps_upload(e->parcel->hash),
                           .lines = e->parcel->n_lines,
                           .maker = e->desk,
                           .maker_life = e->life,
                           .asker = DESK_NONE };
    return x;
}

static void fill(struct sim *s, struct session *x)
{
    x->maker = DESK_NONE; /* once, whatever comes of it */
    x->full = !may_fail(s, 200);
}

static enum delivery fill_another(struct sim *s, const struct event *e, struct told *told)
{
    struct session *x = create(s, e);

    fill(s, x);
    say_key(s, x, told);
    sim_trace(s, e->desk, "session %s takes the place of \"%s\"%s", told->key, e->parcel->key,
              x->full ? "" : ", and is torn");
    return x->full ? DELIVERY_DONE : DELIVERY_RETRY;
}

static enum delivery load(struct sim *s, const struct event *e, struct session *x,
                          struct told *told)
{
    if (x && x->maker == e->desk && x->maker_life == e->life)
        fill(s, x);
    return x && x->full && !x->cleared && x->children == 0 ? DELIVERY_DONE
                                                           : fill_another(s, e, told);
}

/* ---- execute ---- */

/* D9: looked at once more before the request leaves. */
static bool may_send(struct sim *s, const struct event *e)
{
    const struct station *d = &s->desk[e->desk];
    struct moment now = sim_moment(s, e->desk);
    struct ledger_view v;

    if (!d->core || d->life != e->life)
        return false;
    core_ledger_view(d->core, &now, &v);
    return v.sending == e->number && now.boot_ms < v.sending_until_ms;
}

static bool knows(const struct station *d, const char *key, uint64_t slot)
{
    return d->dec_ever >= slot || d->forgot || strcmp(d->acc_at.key, key) == 0;
}

static void known_to_majority(struct sim *s, const struct event *e, const char *key)
{
    const struct ledger_view *v = &s->desk[e->desk].view;
    unsigned n = 0;

    for (unsigned i = 0; i < v->n_seats; i++) {
        int k = sim_desk_of(s, &v->seats[i]);
        n += k >= 0 && knows(&s->desk[k], key, e->parcel->intent.slot);
    }
    if (n < v->n_seats / 2 + 1)
        sim_fail(s, "D10", "%s executes session %s, which %u of %u seats know",
                 s->desk[e->desk].name, key, n, v->n_seats);
}

/* All that can be asked was asked: the request leaves, and arrives within its life. */
static void send_execute(struct sim *s, struct event *e)
{
    uint64_t life = steps_life_us(s);
    struct event *x;

    known_to_majority(s, e, e->parcel->key);
    if (!e->answers && rng_chance(&s->dice, 700)) /* it is waited for no longer */
        sink_answer(s, e->desk, e->number, rng_between(&s->dice, MS, SECOND), DELIVERY_DOUBT);
    x = sim_put(s, s->healed ? MS : rng_between(&s->dice, MS, life), EV_EXECUTE, e->desk);
    x->life = e->life;
    x->number = e->number;
    x->answers = e->answers;
    x->parcel = e->parcel;
    e->parcel = NULL;
}

/* False: it is under way, and answered when it arrived. */
static bool execute(struct sim *s, struct event *e, struct session *x, enum delivery *how,
                    struct told *told)
{
    struct session *there = begun(s, steps_upload(e->parcel->hash));

    *how = DELIVERY_RETRY;
    if (there) {
        say_key(s, there, told);
        *how = DELIVERY_DONE;
    } else if (!x || x->cleared || !x->full) {
        fill_another(s, e, told);
    } else if (may_send(s, e)) {
        send_execute(s, e);
        return false;
    }
    return true;
}

static uint64_t child_begins_in(struct sim *s)
{
    return s->child_us > 0    ? s->child_us
           : may_fail(s, 200) ? 2 * PATIENCE_US
                              : rng_between(&s->dice, MS, PATIENCE_US / 2);
}

static void server_executes(struct sim *s, const struct event *e)
{
    struct session *x = by_key(s, e->parcel->key);
    struct told *told = calloc(1, sizeof *told);
    enum delivery how = DELIVERY_DONE;
    struct event *child;

    sim_trace(s, e->desk, "\"execute session %s\" arrives", e->parcel->key);
    if (may_fail(s, 200)) { /* its parent breaks: nothing was started */
        sim_trace(s, e->desk, "its parent breaks");
        how = DELIVERY_RETRY;
        fill_another(s, e, told);
    } else if (!x->begun) {
        x->children++;
        child = sim_put(s, child_begins_in(s), EV_BEGIN, DESK_NONE);
        child->parcel = calloc(1, sizeof *child->parcel);
        if (!child->parcel)
            abort();
        memcpy(child->parcel->key, e->parcel->key, sizeof child->parcel->key);
    }
    if (e->answers && s->desk[e->desk].life == e->life)
        sink_answer(s, e->desk, e->number, rng_between(&s->dice, MS, 300 * MS), how)->told = told;
    else
        free(told);
}

/* Books line by line, until it dies. */
static void child_begins(struct sim *s, const struct event *e)
{
    struct session *x = by_key(s, e->parcel->key);
    uint64_t all = x->lines;

    sim_trace(s, DESK_NONE, "the server begins session %s", e->parcel->key);
    x->begun = true;
    x->ended_us = s->now_us + (s->healed ? MS : rng_between(&s->dice, MS, WORK_MAX_US));
    if (may_fail(s, 400)) {
        x->broke = true;
        all = rng_between(&s->dice, 0, x->lines - 1);
        x->doubt_from = all + 1 - rng_between(&s->dice, 0, all < BUFFER ? all : BUFFER);
    }
    x->booked = all;
    if (x->broke)
        sim_trace(s, DESK_NONE, "and dies after %llu of %llu lines", (unsigned long long)all,
                  (unsigned long long)x->lines);
    for (uint64_t k = 1; k <= all; k++) {
        struct item *i = steps_item(s, x->upload, k);
        steps_judge(s, i);
        i->times += i->verdict != ANSWER_REFUSED;
        if (s->overrides)
            overrides_at_sink(s, x->upload, i->times > 1);
        else if (i->times > 1 + i->allowed)
            sim_fail(s, "D1", "line %llu of session %s is booked %u times", (unsigned long long)k,
                     e->parcel->key, i->times);
    }
}

void session_event(struct sim *s, const struct event *e)
{
    if (e->type == EV_EXECUTE)
        server_executes(s, e);
    else
        child_begins(s, e);
}

/* ---- look, read ---- */

static bool patience_ends(struct sim *s, const struct event *e, struct session *x)
{
    if (x->asker != e->desk || x->asker_life != e->life) {
        x->asker = e->desk;
        x->asker_life = e->life;
        x->asked_us = s->now_us;
    }
    return s->now_us - x->asked_us >= PATIENCE_US;
}

static enum delivery look(struct sim *s, const struct event *e, struct session *x,
                          struct told *told)
{
    struct session *there = begun(s, steps_upload(e->parcel->hash));

    if (e->parcel->item != SESSION_EXECUTE)
        return DELIVERY_ABSENT; /* it may simply be done again */
    if (there) {
        say_key(s, there, told);
        sim_trace(s, e->desk, "session %s has begun, it sees", told->key);
        return DELIVERY_DONE;
    }
    if (x && !patience_ends(s, e, x))
        return DELIVERY_LATER;
    sim_trace(s, e->desk, "nobody can tell whether session %s is executed", e->parcel->key);
    return DELIVERY_UNPROVEN;
}

static enum delivery all_in_doubt(struct sim *s, const struct parcel *p, struct session *x,
                                  struct told *told)
{
    sim_trace(s, DESK_NONE, "session %s never began: all in doubt", p->key);
    x->given_up = true;
    for (uint64_t k = 1; k <= p->n_lines; k++)
        steps_tell(s, p, k, ANSWER_DOUBT, told);
    return DELIVERY_DONE;
}

static enum delivery read_answers(struct sim *s, const struct event *e, struct session *x,
                                  struct told *told)
{
    const struct parcel *p = e->parcel;
    bool ends = patience_ends(s, e, x);

    if (!x->begun)
        return ends ? all_in_doubt(s, p, x, told) : DELIVERY_LATER;
    if (s->now_us < x->ended_us || (x->broke && !ends))
        return DELIVERY_LATER;
    for (uint64_t k = 1; k <= p->n_lines; k++)
        steps_tell(s, p, k,
                   k > x->booked + 1                ? ANSWER_HELD
                   : x->broke && k >= x->doubt_from ? ANSWER_DOUBT
                                                    : steps_item(s, x->upload, k)->verdict,
                   told);
    return DELIVERY_DONE;
}

/* ---- an item arrives ---- */

/* Of a desk that is frozen everything stands still. */
static bool waits_for_desk(struct sim *s, struct event *e)
{
    const struct station *d = &s->desk[e->desk];
    struct event *x;

    if (!d->core || d->life != e->life || d->paused_until <= s->now_us)
        return false;
    x = sim_put(s, d->paused_until - s->now_us, EV_DELIVER, e->desk);
    x->number = e->number;
    x->answers = e->answers;
    x->parcel = e->parcel;
    e->parcel = NULL;
    return true;
}

bool session_arrive(struct sim *s, struct event *e, enum delivery *how, struct told *told)
{
    struct session *x = by_key(s, e->parcel->key);

    if (waits_for_desk(s, e))
        return false;
    if (x && x->children == 0 && may_fail(s, 60))
        x->cleared = true;
    if (e->parcel->look) {
        *how = look(s, e, x, told);
        return true;
    }
    switch (e->parcel->item) {
    case SESSION_CREATE:
        say_key(s, create(s, e), told);
        *how = DELIVERY_DONE;
        return true;
    case SESSION_LOAD:
        *how = load(s, e, x, told);
        return true;
    case SESSION_EXECUTE:
        return execute(s, e, x, how, told);
    default:
        if (!x)
            sim_fail(s, "D10", "the answers of session \"%s\" are asked for", e->parcel->key);
        *how = x ? read_answers(s, e, x, told) : DELIVERY_STOP;
        return true;
    }
}
