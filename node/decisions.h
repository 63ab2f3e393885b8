/* decisions.h - what leads ruled of a batch's records, and which earlier records were never sent. */
#ifndef TIDEOVER_DECISIONS_H
#define TIDEOVER_DECISIONS_H

#include "merge.h"
#include "node_int.h"

#define DECISIONS_LISTED 1000 /* a report is for people */

/* [{id, say, at, lead, is}], on the loop's thread: all that leads said of its records; lead: the
 * words of the key. `is` is "overruled" if another word on that record stands. */
json_t *decisions_json(const struct node *n, const struct merge_job *m);

/* Of core_late_rulings(): the same, of those whose what is not 0. */
json_t *decisions_late_json(const struct node *n, const struct zone *zone,
                            const struct slot_ruling *late, unsigned many);

/* What is set aside and open, and was not sent: a void of it has nothing to undo in the ILS. Begin
 * with zeros; free v. */
struct unsent {
    struct record_ref *v; /* owned; sorted */
    unsigned n;
};
bool unsent_load(const struct node *n, struct unsent *u); /* false: no memory */
bool unsent_has(const struct unsent *u, const struct record_ref *ref);

#endif
