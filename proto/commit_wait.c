/* commit_wait.c - see commit_wait.h. */
#include "commit_wait.h"

unsigned commit_wait_us(const struct commit_wait *l, unsigned n, unsigned waited_us)
{
    return n > 0 && n < l->last && waited_us < COMMIT_WAIT_US ? COMMIT_WAIT_US - waited_us : 0;
}

void commit_wait_done(struct commit_wait *l, unsigned n)
{
    l->last = n;
}
