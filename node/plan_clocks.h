/* plan_clocks.h - a batch's account of clocks that were not right: [{desk, feed, class, ahead_ms,
 * records, reordered, began, corrected, words}]. ahead_ms and corrected are null where nobody knows.
 * A feed whose clock was right is not in it. */
#ifndef TIDEOVER_PLAN_CLOCKS_H
#define TIDEOVER_PLAN_CLOCKS_H

#include "merge.h"
#include "node_int.h"

/* After the merge, which counted what it put in another order. */
json_t *plan_clocks(const struct merge_job *m);

#endif
