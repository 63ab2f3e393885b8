/* merge.h - one log out of many feeds: order, duplicates, voids, what is sent and what is not.
 *
 * The order is by (time, feed, sequence), where time is the feed's clock plus the feed's one
 * correction, or the true time typed from paper. Two passes over the same order: a survey that
 * finds what depends on later records, then a walk that yields every record with its verdict.
 * Blocks are opened one per feed at a time. The survey sorts what happened by item (runs.h), in a file
 * that the caller lends: what it keeps in memory grows with new cards and anomalies, not with the log or
 * its items. Rules R1 to R12: proto/formats/README.md. */
#ifndef TIDEOVER_MERGE_H
#define TIDEOVER_MERGE_H

#include "helper.h"
#include "policy.h"
#include "record.h"
#include "slot.h"

struct disk;
struct spill;

enum verdict {
    VERDICT_SEND,
    VERDICT_DUPLICATE,  /* R3: `other` is the one that is kept. R6 for equal registrations */
    VERDICT_VOIDED,     /* R2: `other` is the void */
    VERDICT_VOID,       /* R2: a void that took back `other` */
    VERDICT_LATE_VOID,  /* R2: its target `other` was sent before: to be undone in the ILS */
    VERDICT_IDLE_VOID,  /* R2: nothing to take back: a second void, or not the desk's own record */
    VERDICT_HELD,       /* R8: a discharge on the HOLD-CHECK worklist */
    VERDICT_WAITS,      /* R7: its new card must be known to the server first */
    VERDICT_SUPERSEDED, /* R11: a later due date of the same loan is sent: `other` */
    VERDICT_REVIEW,     /* R5, R6, R11: not sent until a lead decides */
};
#define VERDICT_COUNT (VERDICT_REVIEW + 1)
const char *verdict_name(enum verdict v); /* "send", "duplicate", ... */

struct merge_feed {
    struct feed_id feed;
    uint32_t alias;
    uint64_t from, to; /* to < from: nothing of it in this slot; from = what went before + 1 */
    uint64_t back;     /* nothing before it is looked at: it lies under the horizon */
    int64_t back_correction_ms; /* of records before `from` */
    uint64_t carded;            /* cards registered up to here exist in the ILS, as a lead said */
    uint64_t base;              /* erased up to here, and h there */
    uint8_t base_hash[HASH_BYTES];
    int64_t correction_ms;
    enum clock_class clock;
    bool clock_known;   /* by measurement; else correction_ms is 0 */
    uint64_t reordered; /* counted by the merge: events that its correction put before, or behind,
                           another desk's on their item */
    int64_t opened_ms;  /* the feed's clock at its start */
    uint32_t number;
    char suffix;
    char desk[DESK_NAME_MAX + 1];
};

struct merge_released { /* set aside by an earlier upload; goes with this one on a lead's word */
    unsigned feed;      /* index in job.feeds */
    uint64_t seq;
    uint64_t slot; /* of its last outcome, and which: enum aside_what */
    uint8_t what, id[MACHINE_ID];
};

struct merge_ruling { /* a lead's word on a record of the ranges; VOID: of an earlier upload, too */
    unsigned feed;
    uint64_t seq;
    uint8_t what; /* enum word_kind: SEND or VOID */
    uint8_t word[SLOT_WORD_ID];
};

struct merge_job {
    struct merge_feed *feeds; /* owned; all feeds known, sorted by feed id */
    unsigned n_feeds;
    struct policy policy;
    uint8_t branch[16];
    char code[16];
    uint64_t slot;
    uint32_t epoch;
    uint64_t records;   /* under the ranges and released */
    int64_t pressed_ms; /* R9: a lead asked for an earlier upload then; older is late */
    struct merge_released *released; /* owned; sorted by feed and sequence */
    unsigned n_released;
    struct merge_ruling *rulings; /* owned; in any order */
    unsigned n_rulings;
    const struct spill *spill;   /* runs.h, borrowed: where the survey may sort; NULL, or it says
                                  ERR_FULL: in memory */
    const struct helper *helper; /* borrowed; NULL: nobody helps */
};
void merge_job_free(struct merge_job *j);
/* The feed of that id, or NULL. */
struct merge_feed *merge_feed_of(const struct merge_job *j, const struct feed_id *id);
/* "KIDS-1/3b/0042", as on the slip. */
void merge_id_text(const struct merge_feed *f, uint64_t seq, char out[RECORD_ID_TEXT]);

struct merged {
    struct record rec;
    unsigned feed; /* index in job.feeds */
    uint64_t seq;
    int64_t time_ms;
    enum verdict verdict;
    const char *rule; /* "R3" or "" */
    bool has_other;
    unsigned other_feed;
    uint64_t other_seq;
    uint32_t due;                       /* to be sent; may be a duplicate's later one (R3) */
    bool late;                          /* R9: its time was uploaded before it came */
    bool early;                         /* R7: a registration pulled before its card's first use */
    const struct merge_released *again; /* released by a lead; NULL: of this slot's ranges */
};

/* Called every few hundred records; false stops the merge with ERR_BUSY. */
typedef bool (*merge_yield)(void *ctx, uint64_t done, uint64_t total);

struct merge;
/* Runs the survey. disk may be a reader's; job is borrowed. ERR_NOMEM, ERR_BUSY, ERR_DISK: a record
 * under the cut is not here. */
enum err merge_open(const struct merge_job *job, const struct disk *disk, merge_yield yield,
                    void *yield_ctx, struct merge **out, struct errmsg *msg);
void merge_close(struct merge *m);
/* The next record in merged order; ERR_MISSING after the last. */
enum err merge_next(struct merge *m, struct merged *out, struct errmsg *msg);

#endif
