/* check_order.c - the log is in the order of true times: typed from paper, else the feed's clock
 * and its correction. */
#include "order.h"

#include <stdlib.h>
#include <string.h>

/* As the person typed it, whatever the record says now; 0: not typed. */
static int64_t typed_time(const struct order *k, const struct merged *m)
{
    for (unsigned i = 0; i < k->s->n_typed; i++) {
        const struct typed *t = &k->s->typed[i];
        if (t->ref.seq == m->seq && feed_id_eq(&t->ref.feed, &k->job->feeds[m->feed].feed))
            return t->paper_ms;
    }
    return 0;
}

/* After a registration that was pulled before its card's first use, order begins anew. */
static void record(void *ctx, const struct merged *m, enum outcome o, unsigned part, uint64_t line,
                   const uint8_t *bytes, size_t n, const char *why)
{
    struct order *k = ctx;
    int64_t typed = typed_time(k, m), correction = k->job->feeds[m->feed].correction_ms;
    int64_t time = typed != 0 ? typed : m->rec.at_ms + correction;

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
        sim_fail(k->s, "E1", "slot %llu is not in the order of true times",
                 (unsigned long long)k->job->slot);
    if (m->rec.kind > RECORD_KIND_LAST)
        sim_fail(k->s, "I3", "slot %llu has a record of unknown kind",
                 (unsigned long long)k->job->slot);
    k->last_ms = time;
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
    *k = (struct order){ .s = s, .job = job, .last_ms = INT64_MIN };
    return (struct export_out){ .ctx = k, .record = record };
}
