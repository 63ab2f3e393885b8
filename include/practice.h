/* practice.h - the monthly drill: a guided way through the desk's own scan box (rules P1 to P6).
 *
 * P1 apart     practice makes no records: a scan goes through the rules of scan.h, box.h, due.h and
 *              desk.h like any other, and is forgotten. Nothing here knows the core
 * P2 alone     while it is on the desk records nothing; where an outage is on, or was and its
 *              upload waits, it does not begin
 * P3 ends      by itself: when the server goes away, after an hour, and when the node stops
 * P4 marked    its boxes carry its number: a scan of a practice that is over is refused, not
 *              recorded
 * P5 numbers   made up after the branch's patterns and check digit, the highest there are; a desk
 *              never records them. Real cards may be used, too: none is kept
 * P6 steps     seven, in order; what does not lead on is a mistake, what hurts nothing is none. Who
 *              leaves the way (another mode, the user closed) is led back to it */
#ifndef TIDEOVER_PRACTICE_H
#define TIDEOVER_PRACTICE_H

#include "box.h"
#include "session.h"
#include "watch.h"

#define PRACTICE_MS  UINT64_C(3600000) /* P3: a drill takes five minutes */
#define DRILLS_MAX   200               /* a staff of fifty, four times a day */
#define DRILLS_BYTES 65536             /* bounds what is read back */

enum practice_step {
    PRACTICE_CARD,
    PRACTICE_ITEM,
    PRACTICE_SECOND,
    PRACTICE_UNDO,
    PRACTICE_MODE,  /* to Discharge */
    PRACTICE_WRONG, /* a user card there, on purpose */
    PRACTICE_RETURN,
    PRACTICE_READY
};
#define PRACTICE_STEPS PRACTICE_READY

struct drill { /* who, when, how long, how well */
    char staff[STAFF_MAX + 1];
    int64_t at_ms; /* wall clock when it began */
    uint32_t took_ms;
    uint8_t step; /* where it ended; PRACTICE_READY: all done */
    uint16_t mistakes[PRACTICE_STEPS];
};
unsigned drill_mistakes(const struct drill *d); /* of all steps */

enum practice_end { PRACTICE_GOES_ON, PRACTICE_OFF, PRACTICE_OUTAGE, PRACTICE_HOUR };

struct practice {
    bool on;
    uint32_t number;             /* P4: not 0 while it is on */
    uint64_t began_ms, drill_ms; /* boot time, of this practice and of this drill */
    unsigned records;            /* made and forgotten: numbers them on the screen */
    enum practice_end ended;     /* why the last one did; PRACTICE_GOES_ON: there was none */
    struct drill drill;          /* under way, or the last one */
};

struct practice_moment {
    uint64_t boot_ms;
    int64_t wall_ms;
};

/* number: random, not 0. ERR_REFUSED: code outage (P2). */
enum err practice_begin(struct practice *p, const struct practice_moment *now,
                        enum watch_state server, const char *staff, uint32_t number,
                        struct errmsg *msg);
void practice_again(struct practice *p, const struct practice_moment *now); /* from step one */
/* *kept: the drill as it is to be reported; false: nothing was done in it, or it is reported. */
bool practice_end(struct practice *p, const struct practice_moment *now, enum practice_end why,
                  struct drill *kept);
/* P3: what ends it now. */
enum practice_end practice_due(const struct practice *p, uint64_t boot_ms, enum watch_state server);

/* What a scan did: before a record is made up, and once all is known. True: that was the last step,
 * and the drill is to be reported. */
void practice_settle(struct practice *p, const struct box *b); /* P6: back to the way */
bool practice_judge(struct practice *p, uint64_t boot_ms, const struct box *after, enum err e,
                    const char *why, const struct box_answer *a);
/* P1: as core_record() would check and date it; nothing is kept. id: "PRACTICE/2". */
enum err practice_record(struct practice *p, const struct policy *policy, const struct session *s,
                         const char *desk, int64_t wall_ms, struct record *r,
                         char id[RECORD_ID_TEXT], struct errmsg *msg);

/* What is to be done next, in this box (NULL: none yet): key for translations, and a sentence
 * without its full stop. */
const char *practice_key(const struct practice *p, const struct box *b);
const char *practice_sentence(const struct practice *p, const struct box *b);
/* The number to scan then, of the policy's made-up ones; "": none. */
const char *practice_shown(const struct practice *p, const struct box *b,
                           const struct policy *policy);
const char *practice_step_name(unsigned step); /* "card" .. "ready" */
const char *practice_end_name(enum practice_end e);

/* ---- drills of the last days ---- */

struct drills {
    unsigned n;
    struct drill v[DRILLS_MAX]; /* oldest first */
    int64_t last_ms;            /* when the last whole one ended, nameless: stays; 0: none yet */
    int64_t scan_ms;            /* when a scanner last read something here: stays, too */
};
void drills_add(struct drills *d, const struct drill *one); /* the oldest gives way */
bool drills_forget(struct drills *d, int64_t wall_ms, unsigned keep_days); /* true: some went */
bool drills_scanned(struct drills *d, int64_t wall_ms); /* true: worth keeping; once an hour */
void drills_write(const struct drills *d, struct buf *out);
/* ERR_MALFORMED; *out is then empty. */
enum err drills_read(const uint8_t *p, size_t n, struct drills *out, struct errmsg *msg);

#endif
