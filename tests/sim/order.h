/* order.h - watches a payload while it is made: check_order.c. */
#ifndef TIDEOVER_SIM_ORDER_H
#define TIDEOVER_SIM_ORDER_H

#include "export.h"
#include "sim.h"

struct order {
    struct sim *s;
    const struct merge_job *job;
    int64_t last_ms;
};
struct export_out order_check(struct order *k, struct sim *s, const struct merge_job *job);

#endif
