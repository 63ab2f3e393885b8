/* check_order.c - the log is in the order of true times: typed from paper, else the feed's clock. */
#include "order.h"

/* After a registration that was pulled before its card's first use, order begins anew. */
static void record(void *ctx, const struct merged *m, enum outcome o, unsigned part, uint64_t line,
                   const uint8_t *bytes, size_t n, const char *why)
{
    struct order *k = ctx;
    int64_t time = m->rec.paper_ms != 0 ? m->rec.paper_ms : m->rec.at_ms;

    (void)o, (void)part, (void)line, (void)bytes, (void)n, (void)why;
    if (m->early)
        return;
    if (time < k->last_ms)
        sim_fail(k->s, "E1", "slot %llu is not in the order of true times",
                 (unsigned long long)k->slot);
    if (m->rec.kind > RECORD_KIND_LAST)
        sim_fail(k->s, "I3", "slot %llu has a record of unknown kind",
                 (unsigned long long)k->slot);
    k->last_ms = time;
}

struct export_out order_check(struct order *k, struct sim *s, uint64_t slot)
{
    *k = (struct order){ s, slot, INT64_MIN };
    return (struct export_out){ .ctx = k, .record = record };
}
