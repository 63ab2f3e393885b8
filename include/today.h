/* today.h - this desk's own records as its staff see them: how many of each kind today, and the
 * newest ones with what became of them. Reads the lent disk, decides nothing. */
#ifndef TIDEOVER_TODAY_H
#define TIDEOVER_TODAY_H

#include "core.h"

#define TODAY_READ_MAX 20000 /* records of one look; a busy desk has 2,000 a day */

/* Kept by the caller from one look to the next, so that only what is new is read; zeros at first.
 * By the branch's day. What was taken back does not count, nor do voids. */
struct today {
    uint32_t ymd;
    int counts[RECORD_KIND_LAST + 1]; /* by kind */
    uint32_t alias;                   /* counted up to here: of this feed */
    uint64_t seq;
};
void core_today(const struct core *c, const struct moment *now, struct today *t);

enum own_state {
    OWN_SAVED,
    OWN_SENDING,  /* in an upload that is agreed on and not settled */
    OWN_UPLOADED, /* in a settled one, with the outcome that was to be */
    OWN_ASIDE,    /* in a settled one, and set aside: held, under review, refused .. */
    OWN_VOIDED,
    OWN_VOIDED_LATE /* R2: taken back, but it is in an upload without that: to be undone in the ILS */
};
const char *own_state_name(enum own_state s); /* "saved" .. */
enum own_state core_own_state(const struct core *c, const struct record_ref *ref);

/* The newest records of this desk, newest first, without voids: what they took back says so.
 * Goes on while row() says true, at most TODAY_READ_MAX records far. */
void core_own_newest(const struct core *c,
                     bool (*row)(void *ctx, const struct record_ref *ref, const struct record *r),
                     void *ctx);

#endif
