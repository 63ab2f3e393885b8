/* metrics.h - what this node counted since it started, for GET /metrics.
 *
 * Text format 0.0.4 of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/).
 * Names, units and labels: node/MANUAL.md, "Monitoring". Never a user's or an item's number; the only label
 * that grows is `peer`, with the number of desks. Loop's thread only. */
#ifndef TIDEOVER_METRICS_H
#define TIDEOVER_METRICS_H

#include "core.h"

#define COMMIT_BUCKETS 11
#define REJECTED_KINDS 48 /* codes; what comes after them counts as "other" */

struct http_request;
struct node;

struct metrics {
    uint64_t recorded[RECORD_KIND_LAST + 1];
    struct {
        char code[32];
        uint64_t times;
    } rejected[REJECTED_KINDS];
    uint64_t commit_le[COMMIT_BUCKETS], commits; /* each bucket alone, not yet summed up */
    double commit_seconds;
    uint64_t term, elections; /* terms seen to change */
    bool failing;             /* the upload under way stands still, and was counted */
    uint64_t upload_failures, uploaded;
    bool begun; /* decided and term are of this node's start or later */
    uint64_t decided;
    uint64_t lag_count, lag_ms; /* when asked last: own records that were to be safe, and since when
                                   (boot time; 0: all were) */
    int64_t uploaded_at_ms;     /* 0: none since the start of the branch */
};

void metrics_recorded(struct metrics *m, unsigned kind);
void metrics_rejected(struct metrics *m, const char *code);
void metrics_commit(struct metrics *m, double seconds);
/* After each round: what became of elections and uploads. */
void metrics_watch(struct metrics *m, const struct core *c, const struct ledger_view *v);
void metrics_get(struct node *n, struct http_request *rq);

#endif
