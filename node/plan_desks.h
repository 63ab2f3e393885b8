/* plan_desks.h - a plan's account of each desk: [{desk, records, held, known, last_seen_s, state,
 * complete, words}]. */
#ifndef TIDEOVER_PLAN_DESKS_H
#define TIDEOVER_PLAN_DESKS_H

#include "merge.h"
#include "node_int.h"

/* On the loop's thread. complete: nothing that any desk recorded can be missing, for each was heard
 * just now and compared. */
json_t *plan_desks(const struct node *n, const struct merge_job *m, bool *complete);

#endif
