/* condition.h - how the PC under a desk fares: its disk, how long a record takes, what is wrong.
 *
 * Each desk says its own to the others (CONDITION), so that whoever looks after the branch sees a
 * full disk at the far end from any desk. It decides nothing: a desk that lies here spoils only
 * its own line. Codes only, no sentences: nothing of a user or an item can stand in it. */
#ifndef TIDEOVER_CONDITION_H
#define TIDEOVER_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

#define CONDITION_PROBLEMS_MAX 12
#define CONDITION_CODE_MAX     32 /* with the NUL; a code has a-z, 0-9 and _ */

struct condition {
    uint64_t disk_free; /* bytes, where the store lies */
    uint64_t commit_us; /* from a record to the flushed disk, the mean; 0: nothing written yet */
    unsigned n;         /* problems, the most urgent first; more than the most: left out */
    char problem[CONDITION_PROBLEMS_MAX][CONDITION_CODE_MAX];
};

/* False: it is full already, or this is no code. */
bool condition_add(struct condition *c, const char *code);
/* Would somebody who reads the old one be misled? A byte more or less on the disk misleads nobody. */
bool condition_differs(const struct condition *old, const struct condition *fresh);

/* The fields of the message. Errors: m->bad. */
#define CONDITION_FIELDS 3
void condition_put(const struct condition *c, struct buf *b);
void condition_get(struct mp *m, struct condition *out);

#endif
