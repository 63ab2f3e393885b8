/* clocks.h - how wrong the clock of each feed is, by what this desk measured itself.
 *
 * Nobody adopts another desk's time. A feed keeps the clock it began with, and the upload that takes
 * it adds one correction, which the intent names. This is what a desk proposes it from, and judges
 * another's proposal by:
 *
 *   branch time   the median of the clocks of the desks that are heard (C1 to C3)
 *   ahead         a feed's clock minus our own boot time, which no setting of clocks moves
 *   correction    branch time minus the feed's clock
 *
 * C1 median    more than half of the clocks lie within CLOCK_APART_MS of it, else nobody knows
 * C2 nonsense  where C1 fails, clocks before CLOCK_EPOCH_MS are left out, and C1 asked once more
 * C3 alone     one clock is no measurement, unless the branch has one desk
 * C4 best      a correction is replaced by one of which as many clocks or more were compared
 * C5 jump      a feed's clock that moved against ours is never believed again
 *
 * Times are milliseconds. Where the measurements come from: PROTOCOL.md, "Clocks". */
#ifndef TIDEOVER_CLOCKS_H
#define TIDEOVER_CLOCKS_H

#include "disk.h"
#include "feed.h"
#include "slot.h"

#define CLOCK_EPOCH_MS  INT64_C(1767225600000) /* 2026-01-01: there was no tideover before */
#define CLOCK_RIGHT_MS  1000                   /* nearer than that a clock counts as right */
#define CLOCK_APART_MS  600000                 /* further apart, two halves do not make a median */
#define CLOCK_MONTH_MS  INT64_C(2592000000)    /* further off: no drift, a wrong date */
#define CLOCK_JUMP_MS   1000                   /* from beat to beat, beside drift */
#define CLOCK_SHIFT_MS  250                    /* a smaller change of a correction is none */
#define CLOCK_AGREE_MS  1500                   /* as near two desks' measurements agree .. */
#define CLOCK_REFUSE_MS 3000 /* .. and so far from its own a seat accepts no correction */
#define CLOCK_DESKS_MAX (ROSTER_DESKS_MAX + 1)

struct branch_time {
    bool known;
    unsigned desks;   /* compared */
    int64_t ahead_ms; /* of our boot time */
};
/* ahead: of each clock, ours too, to our boot time; put in order here. */
void clocks_branch_time(int64_t *ahead, unsigned n, uint64_t boot_ms, struct branch_time *out);

struct clock_row {
    struct feed_id feed;
    int64_t correction_ms;
    unsigned desks; /* compared then; 0: not measured */
    bool jumped;
    /* gone with a restart */
    bool live; /* heard since: */
    int64_t ahead_ms;
    uint64_t heard_ms;
};

struct clocks {
    struct clock_row *v; /* owned; sorted by feed */
    unsigned n, room;
};

enum err clocks_load(struct clocks *k, const struct disk *d, struct errmsg *msg);
void clocks_free(struct clocks *k);
const struct clock_row *clocks_find(const struct clocks *k,
                                    const struct feed_id *feed); /* or NULL */

/* A feed's clock was heard; error_ms: as wrong as that may be. False: no memory. */
bool clocks_hear(struct clocks *k, const struct disk *d, const struct feed_id *feed,
                 int64_t ahead_ms, uint64_t boot_ms, uint64_t error_ms);
/* Corrects all that were heard since the start; writes what changed. lone: C3. */
void clocks_correct(struct clocks *k, const struct disk *d, const struct branch_time *t, bool lone);

/* Another desk's word, or our own row. */
struct clock_word {
    struct feed_id feed;
    int64_t correction_ms;
    unsigned desks;
    bool jumped;
};
#define CLOCK_WORD_FIELDS 4
void clock_word_put(const struct clock_word *w, struct buf *b);
bool clock_word_get(struct mp *m, struct clock_word *out);

/* What the words say of one feed: class and correction of a range. Of those that compared most
 * clocks the median, if more than half of all words agree with it. v is put in order. */
void clocks_judge(struct clock_word *v, unsigned n, int64_t opened_ms, struct slot_range *out);
/* Does a word speak against that range? Of what is uncorrected none does. */
bool clock_word_denies(const struct clock_word *w, const struct slot_range *r,
                       int64_t tolerance_ms);

const char *clock_class_name(enum clock_class c); /* "ok", "corrected", "suspect", "impossible" */
/* "95 s fast", "3 min slow", "11 years slow": of a clock that is so much ahead. */
#define CLOCK_WORDS_MAX 40
void clock_words(int64_t ahead_ms, char out[CLOCK_WORDS_MAX]);

#endif
