/* events.c - what changed between two looks. */
#include "events.h"

#include <stdio.h>
#include <string.h>

static const char *const codes[EVENT_KINDS] = {
    [EVENT_STARTED] = "started",           [EVENT_SERVER] = "server",
    [EVENT_UPLOADER] = "elected",          [EVENT_NO_UPLOADER] = "no_uploader",
    [EVENT_DESK_BACK] = "desk_back",       [EVENT_DESK_LOST] = "desk_lost",
    [EVENT_DESK_JOINED] = "desk_joined",   [EVENT_DESK_REVOKED] = "desk_revoked",
    [EVENT_DESK_RETIRED] = "desk_retired", [EVENT_UPLOAD] = "upload",
    [EVENT_NOT_SAVING] = "not_saving",     [EVENT_SAVING] = "saving",
    [EVENT_DISK_LOW_NOW] = "disk_low",     [EVENT_DISK_FINE] = "disk_fine",
    [EVENT_CLOCK_OFF] = "clock_off",       [EVENT_CLOCK_RIGHT] = "clock_right",
    [EVENT_PRACTICE] = "practice",
};

const char *event_code(enum event_kind k)
{
    return codes[k];
}

uint64_t events_first(const struct events *e)
{
    return e->last > EVENTS_MAX ? e->last - EVENTS_MAX + 1 : 1;
}

const struct event *events_at(const struct events *e, uint64_t id)
{
    return id >= events_first(e) && id <= e->last ? &e->ring[id % EVENTS_MAX] : NULL;
}

static struct event *add(struct events *e, int64_t wall_ms, enum event_kind kind,
                         const struct desk_id *desk)
{
    struct event *v = &e->ring[++e->last % EVENTS_MAX];

    memset(v, 0, sizeof *v);
    v->id = e->last;
    v->at_ms = wall_ms;
    v->kind = kind;
    if (desk) {
        v->has_desk = true;
        v->desk = *desk;
    }
    return v;
}

/* ---- desks ---- */

/* Where it stood in the look before, or n_desks. */
static unsigned place_of(const struct sight *s, const struct desk_id *id, unsigned likely)
{
    if (likely < s->n_desks && desk_id_eq(&s->desk[likely].id, id))
        return likely;
    for (unsigned i = 0; i < s->n_desks; i++)
        if (desk_id_eq(&s->desk[i].id, id))
            return i;
    return s->n_desks;
}

static void see_state(struct events *e, int64_t wall_ms, const struct sight_desk *d,
                      enum peer_state was, bool *lost)
{
    if (d->state == PEER_REVOKED && was != PEER_REVOKED)
        add(e, wall_ms, EVENT_DESK_REVOKED, &d->id);
    else if (d->state == PEER_RETIRED && was != PEER_RETIRED)
        add(e, wall_ms, EVENT_DESK_RETIRED, &d->id);
    else if (d->state == PEER_UNREACHABLE && !*lost && e->seen)
        add(e, wall_ms, EVENT_DESK_LOST, &d->id);
    else if (d->state == PEER_ONLINE && *lost)
        add(e, wall_ms, EVENT_DESK_BACK, &d->id);
    if (d->state != PEER_QUIET) /* silent for a moment is neither */
        *lost = d->state == PEER_UNREACHABLE;
}

static void see_clock(struct events *e, int64_t wall_ms, const struct sight_desk *d, bool *off)
{
    int64_t by = d->clock_ms < 0 ? -d->clock_ms : d->clock_ms;

    if (!d->has_clock || d->state != PEER_ONLINE)
        return;
    if (!*off && by > EVENT_CLOCK_MS)
        add(e, wall_ms, EVENT_CLOCK_OFF, &d->id)->number = (uint64_t)by / 1000;
    else if (*off && by < EVENT_CLOCK_MS / 2)
        add(e, wall_ms, EVENT_CLOCK_RIGHT, &d->id);
    else
        return;
    *off = !*off;
}

/* A desk seen for the first time has joined, unless this is the first look at all; then it counts
 * as lost until it is met: a node that begins finds everybody away. */
static void see_desks(struct events *e, int64_t wall_ms, const struct sight *s)
{
    struct {
        bool lost, clock_off;
    } told[ROSTER_DESKS_MAX];

    for (unsigned i = 0; i < s->n_desks; i++) {
        const struct sight_desk *d = &s->desk[i];
        unsigned at = place_of(&e->was, &d->id, i);
        bool is_new = !e->seen || at == e->was.n_desks;

        told[i].lost = is_new || e->told[at].lost;
        told[i].clock_off = !is_new && e->told[at].clock_off;
        if (is_new && e->seen)
            add(e, wall_ms, EVENT_DESK_JOINED, &d->id);
        see_state(e, wall_ms, d, is_new ? d->state : e->was.desk[at].state, &told[i].lost);
        see_clock(e, wall_ms, d, &told[i].clock_off);
    }
    for (unsigned i = 0; i < s->n_desks; i++) {
        e->told[i].lost = told[i].lost;
        e->told[i].clock_off = told[i].clock_off;
    }
}

/* ---- the rest ---- */

static void see_upload(struct events *e, int64_t wall_ms, const struct sight *s)
{
    struct event *v;

    if (e->seen && s->delivered_ms != e->was.delivered_ms) {
        v = add(e, wall_ms, EVENT_UPLOAD, NULL);
        snprintf(v->word, sizeof v->word, "delivered");
        v->number = s->slot;
    }
    if (strcmp(s->upload, e->was_upload) == 0)
        return;
    if (strcmp(s->upload, "idle") != 0) {
        v = add(e, wall_ms, EVENT_UPLOAD, NULL);
        snprintf(v->word, sizeof v->word, "%s", s->upload);
        v->number = s->slot;
    }
    snprintf(e->was_upload, sizeof e->was_upload, "%s", s->upload);
}

static void see_disk(struct events *e, int64_t wall_ms, const struct sight *s)
{
    if (s->stopped != (e->seen && e->was.stopped))
        add(e, wall_ms, s->stopped ? EVENT_NOT_SAVING : EVENT_SAVING, NULL);
    if (!e->disk_low && s->disk_free < EVENT_DISK_LOW)
        add(e, wall_ms, EVENT_DISK_LOW_NOW, NULL)->number = s->disk_free >> 20;
    else if (e->disk_low && s->disk_free >= 2 * EVENT_DISK_LOW)
        add(e, wall_ms, EVENT_DISK_FINE, NULL);
    else
        return;
    e->disk_low = !e->disk_low;
}

static bool same_uploader(const struct sight *a, const struct sight *b)
{
    return a->has_uploader == b->has_uploader &&
           (!a->has_uploader || (a->term == b->term && desk_id_eq(&a->uploader, &b->uploader)));
}

void events_see(struct events *e, int64_t wall_ms, const struct sight *s)
{
    if (!e->seen)
        add(e, wall_ms, EVENT_STARTED, NULL);
    if (s->server != e->was.server) { /* unknown at first: that is none */
        struct event *v = add(e, wall_ms, EVENT_SERVER, NULL);
        snprintf(v->word, sizeof v->word, "%s", watch_state_name(s->server));
    }
    if (!same_uploader(s, &e->was)) {
        struct event *v = add(e, wall_ms, s->has_uploader ? EVENT_UPLOADER : EVENT_NO_UPLOADER,
                              s->has_uploader ? &s->uploader : NULL);
        v->number = s->term;
    }
    if (s->practice != e->was.practice) {
        struct event *v = add(e, wall_ms, EVENT_PRACTICE, NULL);
        snprintf(v->word, sizeof v->word, "%s", s->practice ? "on" : "off");
    }
    see_desks(e, wall_ms, s);
    see_upload(e, wall_ms, s);
    see_disk(e, wall_ms, s);
    e->was = *s;
    e->was.upload = NULL; /* the caller's text may go */
    e->seen = true;
}
