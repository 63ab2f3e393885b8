/* check_order.c - M1: the log is in the order of true times: typed from paper, else the feed's clock
 * and its correction. */
#include "order.h"

#include <stdlib.h>
#include <string.h>

#define CLOCKS_MS 3000 /* two clocks that count as right, two measurements, a round trip each */

/* NULL: nothing is known of it but what it says itself. */
static const struct happened *happened(const struct order *k, const struct merged *m)
{
    for (unsigned i = 0; i < k->s->n_happened; i++) {
        const struct happened *h = &k->s->happened[i];
        if (h->ref.seq == m->seq && feed_id_eq(&h->ref.feed, &k->job->feeds[m->feed].feed))
            return h;
    }
    return NULL;
}

/* Where most clocks are right, whatever the others show: C2, each was measured, and C1, all stands
 * in the order in which it was done. */
static void true_order(struct order *k, const struct merged *m, const struct happened *h)
{
    if (!h || h->paper_ms != 0 || !k->s->script->setup.steady)
        return;
    if (!k->job->feeds[m->feed].clock_known)
        sim_fail(k->s, "C2", "slot %llu has a feed of %s whose clock nobody measured",
                 (unsigned long long)k->job->slot, k->job->feeds[m->feed].desk);
    if (h->true_ms + CLOCKS_MS < k->last_true_ms)
        sim_fail(k->s, "C1", "slot %llu has something %lld ms behind what was done after it",
                 (unsigned long long)k->job->slot, (long long)(k->last_true_ms - h->true_ms));
    if (h->true_ms > k->last_true_ms)
        k->last_true_ms = h->true_ms;
}

/* After a registration that was pulled before its card's first use, order begins anew. */
static void record(void *ctx, const struct merged *m, enum outcome o, unsigned part, uint64_t line,
                   const uint8_t *bytes, size_t n, const char *why)
{
    struct order *k = ctx;
    const struct happened *h = happened(k, m);
    int64_t correction = k->job->feeds[m->feed].correction_ms;
    int64_t time = h && h->paper_ms != 0 ? h->paper_ms : m->rec.at_ms + correction;

    (void)bytes, (void)n, (void)why;
    if (o == OUTCOME_SENT && line > 0 && k->lines) {
        unsigned w = part > 0;
        k->line[w] = sim_grow(k->line[w], (unsigned)k->n[w], &k->room[w], sizeof *k->line[w]);
        k->line[w][k->n[w]++] = (struct sent_line){ .ref = { k->job->feeds[m->feed].feed, m->seq },
                                                    .kind = m->rec.kind };
    }
    rulings_look(k->s, k->job, m, o);
    if (m->early)
        return;
    if (time < k->last_ms)
        sim_fail(k->s, "M1", "slot %llu is not in the order of true times",
                 (unsigned long long)k->job->slot);
    if (m->rec.kind > RECORD_KIND_LAST)
        sim_fail(k->s, "I3", "slot %llu has a record of unknown kind",
                 (unsigned long long)k->job->slot);
    k->last_ms = time;
    true_order(k, m, h);
}

void order_lines(struct order *k, struct parcel *p)
{
    if (p && k->lines && k->n[0] + k->n[1] > 0) {
        p->n_lines = k->n[0] + k->n[1];
        if ((p->line = calloc(p->n_lines, sizeof *p->line)) == NULL)
            abort();
        if (k->n[0] > 0)
            memcpy(p->line, k->line[0], k->n[0] * sizeof *p->line);
        if (k->n[1] > 0)
            memcpy(p->line + k->n[0], k->line[1], k->n[1] * sizeof *p->line);
    }
    free(k->line[0]);
    free(k->line[1]);
}

struct export_out order_check(struct order *k, struct sim *s, const struct merge_job *job)
{
    *k = (struct order){ .s = s, .job = job, .last_ms = INT64_MIN, .last_true_ms = INT64_MIN };
    return (struct export_out){ .ctx = k, .record = record };
}
