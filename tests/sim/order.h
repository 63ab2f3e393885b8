/* order.h - watches a payload while it is made: check_order.c. */
#ifndef TIDEOVER_SIM_ORDER_H
#define TIDEOVER_SIM_ORDER_H

#include "export.h"
#include "sim.h"

struct order {
    struct sim *s;
    const struct merge_job *job;
    int64_t last_ms, last_true_ms; /* true: of what was not typed, the latest so far */
    bool lines;                    /* note what is sent, users and log apart */
    struct sent_line *line[2];
    uint64_t n[2];
    unsigned room[2];
};
/* rulings.c: V1, of each record of a payload */
void rulings_look(struct sim *s, const struct merge_job *job, const struct merged *m,
                  enum outcome o);
void order_lines(struct order *k, struct parcel *p); /* gives them to p, or frees them */
struct export_out order_check(struct order *k, struct sim *s, const struct merge_job *job);

#endif
