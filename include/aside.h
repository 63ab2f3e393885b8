/* aside.h - what a batch left without a final outcome: which records, and why.
 *
 * Every desk computes the list of each decided upload for itself, from the intent and the records,
 * and compares its hash with the intent's. What stands in it lives on when the rest is erased, and
 * may be sent again, by name. */
#ifndef TIDEOVER_ASIDE_H
#define TIDEOVER_ASIDE_H

#include "export.h"
#include "word.h"

#define ASIDE_HASH_BYTES SLOT_ASIDE_BYTES

enum aside_what { /* on the disk and under the hash: numbers are for ever */
                  ASIDE_NONE = 0,
                  ASIDE_HELD = 1,        /* R8 */
                  ASIDE_WAITS = 2,       /* R7 */
                  ASIDE_REVIEW = 3,      /* R5, R6, R11 */
                  ASIDE_LATE_VOID = 4,   /* R2 */
                  ASIDE_UNWRITABLE = 5,  /* E5 */
                  ASIDE_BEHIND = 6,      /* E5 */
                  ASIDE_BY_HAND = 7,     /* a new card that the format has no way to say */
                  ASIDE_REFUSED = 8,     /* answer.h: the ILS did not book it */
                  ASIDE_QUARANTINED = 9, /* breaks the ILS's connection each time */
                  ASIDE_KEPT_BACK = 10,  /* not sent, behind one of those */
                  ASIDE_DOUBT = 11,      /* sent once; nobody can tell whether it was booked */
                  ASIDE_NOT_LOADED = 12, /* as the system's own load report says: loaded.c */
                  ASIDE_AGAIN = 254,     /* released and sent: readable until that is confirmed */
                  ASIDE_UNKNOWN = 255,   /* this desk could not compute the list of its slot */
};
#define ASIDE_KINDS 256                          /* for tables by it */
const char *aside_name(enum aside_what w);       /* "held" .. */
enum aside_what aside_by_name(const char *name); /* ASIDE_NONE: no such word */
const char *aside_next_step(enum aside_what w);  /* for a lead, a sentence without its full stop */
/* Can it be sent again, if a lead says so? */
bool aside_may_go_again(enum aside_what w);

struct aside {
    struct record_ref ref;
    enum aside_what what;
    uint8_t id[MACHINE_ID];
    bool known; /* the id: of a released record, which may be erased from its chain */
};

struct asides {
    struct aside *v; /* owned; ordered by feed and sequence once finished */
    unsigned n, room;
    bool failed; /* out of memory */
};

void asides_free(struct asides *a);
/* One record of the batch, as export_run() meets it: listed if its outcome is not final. */
void asides_note(struct asides *a, const struct merge_job *job, const struct merged *m,
                 enum outcome o);
/* After the last: orders them and computes their machine ids from the feeds' chains. */
enum err asides_finish(struct asides *a, const struct merge_job *job, const struct disk *disk,
                       struct errmsg *msg);
void asides_hash(const struct asides *a, uint8_t out[ASIDE_HASH_BYTES]); /* none: zeros */

#endif
