/* commit_wait.h - how long a commit waits for company.
 *
 * Who recorded together will do so again: 32 clients whose answers left at one moment ask again
 * within moments of each other, and without a pause half of them miss the commit that the first
 * one begins. Alone, nobody waits. */
#ifndef TIDEOVER_COMMIT_WAIT_H
#define TIDEOVER_COMMIT_WAIT_H

#define COMMIT_WAIT_US 300 /* at most, all in all: a flush takes longer */

struct commit_wait {
    unsigned last; /* requests in the commit before; begin with 0 */
};

/* How many microseconds to wait for more, now that n are here and the first of them has waited
 * that long; 0: commit. */
unsigned commit_wait_us(const struct commit_wait *l, unsigned n, unsigned waited_us);
void commit_wait_done(struct commit_wait *l, unsigned n);

#endif
