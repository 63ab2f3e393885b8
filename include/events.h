/* events.h - what happened to this desk and its branch since the node began, for people who look
 * later: a ring of the newest EVENTS_MAX, numbered without gaps. Pure: it compares what is with
 * what was. No event names a user, an item or a member of staff. */
#ifndef TIDEOVER_EVENTS_H
#define TIDEOVER_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "core.h"

#define EVENTS_MAX     512  /* of a bad day at 200 desks, an hour; of a quiet month, all */
#define EVENT_CLOCK_MS 5000 /* so far off a desk's clock is worth a word; half of it ends that */
#define EVENT_DISK_LOW (1ull << 30) /* bytes free; twice as many end that */

enum event_kind { /* word: a state; number: a term or slot */
                  EVENT_STARTED,
                  EVENT_SERVER,   /* word: of watch_state_name() */
                  EVENT_UPLOADER, /* desk, number: elected in this term */
                  EVENT_NO_UPLOADER,
                  EVENT_DESK_BACK, /* desk */
                  EVENT_DESK_LOST,
                  EVENT_DESK_JOINED,
                  EVENT_DESK_REVOKED,
                  EVENT_DESK_RETIRED,
                  EVENT_UPLOAD, /* word: the upload's state; number: slot */
                  EVENT_NOT_SAVING,
                  EVENT_SAVING,
                  EVENT_DISK_LOW_NOW,
                  EVENT_DISK_FINE,
                  EVENT_CLOCK_OFF, /* desk; number: seconds, absolute */
                  EVENT_CLOCK_RIGHT,
                  EVENT_PRACTICE, /* word: on, off */
                  EVENT_KINDS
};
const char *event_code(enum event_kind k); /* "desk_lost": the API's stable word */

struct event {
    uint64_t id; /* 1, 2, .. since the node began */
    int64_t at_ms;
    enum event_kind kind;
    bool has_desk;
    struct desk_id desk;
    char word[16];
    uint64_t number;
};

/* What is, at one moment. Desks in any order; ours is not among them. */
struct sight {
    enum watch_state server;
    bool has_uploader, stopped, practice;
    struct desk_id uploader;
    uint64_t term, slot;
    const char *upload;   /* its state; "idle": nothing is under way */
    int64_t delivered_ms; /* when the newest upload was; 0: none */
    uint64_t disk_free;
    unsigned n_desks;
    struct sight_desk {
        struct desk_id id;
        enum peer_state state;
        bool has_clock;
        int64_t clock_ms;
    } desk[ROSTER_DESKS_MAX];
};

struct events {
    struct event ring[EVENTS_MAX];
    uint64_t last; /* id of the newest; 0: none */
    struct sight was;
    char was_upload[16];
    bool seen, disk_low;
    struct { /* beside was.desk */
        bool lost, clock_off;
    } told[ROSTER_DESKS_MAX];
};

void events_see(struct events *e, int64_t wall_ms, const struct sight *s);
uint64_t events_first(const struct events *e); /* the oldest that is kept; last + 1: none */
const struct event *events_at(const struct events *e, uint64_t id); /* NULL: not kept */

#endif
