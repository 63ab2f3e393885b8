/* pool.h - one log out of files that other programs wrote: order, duplicates, conflicts.
 *
 * `tideover merge` without a node. Events of up to POOL_FILES_MAX files go in, in any order; out
 * they come in merged order, each with the verdict that merge.h would give it (rules R1, R3 to R8,
 * R11: node/MANUAL.md, "Merging files"; the rules on one item are the same code). The memory does not grow
 * with the number of events: everything is sorted by runs.h, in files that the caller lends. */
#ifndef TIDEOVER_POOL_H
#define TIDEOVER_POOL_H

#include "format.h"
#include "merge.h"
#include "runs.h"

#define POOL_FILES_MAX 64                  /* desks of a branch, a file each */
#define POOL_DESKS_MAX 1024                /* different stations in them */
#define POOL_LINES_MAX (UINT64_C(1) << 30) /* of one file */
#define POOL_CONFLICTS 65536               /* cards registered twice, differently: no accident */
#define POOL_SPILLS    6
#define POOL_SAMPLES   64                /* differences of two files' clocks that are remembered */
#define POOL_SAMPLE_MS (2 * 3600 * 1000) /* farther apart it is not one event */

struct pool_job {
    const struct policy *policy; /* rules and windows; must outlive the pool, as the offsets */
    unsigned n_files;
    const int64_t *offset_ms; /* of each file: added to what its clock says */
    struct spill spill[POOL_SPILLS];
    merge_yield yield; /* NULL: nobody asks */
    void *yield_ctx;
};

struct pool;
enum err pool_new(const struct pool_job *job, struct pool **out, struct errmsg *msg);
void pool_free(struct pool *p); /* NULL is fine */

/* When it happened, by the file's offset. */
int64_t pool_time(const struct pool *p, unsigned file, const struct format_event *ev);
/* An event as a reader hands it on. ERR_FULL: too many stations or lines. */
enum err pool_event(struct pool *p, unsigned file, const struct format_event *ev,
                    struct errmsg *msg);
/* After the last one. ERR_NOMEM, ERR_BUSY, and what the spills say. */
enum err pool_judge(struct pool *p, struct errmsg *msg);

struct pooled {
    struct merged m;  /* feed is the file, seq the line in it; other_* too */
    const char *desk; /* as the file names it; borrowed from the pool */
    bool out_twice;   /* R5: lent while the loan of twice_* to somebody else is open */
    unsigned twice_feed;
    uint64_t twice_seq;
    bool new_card; /* registered in these files before */
};
/* The next in merged order; ERR_MISSING behind the last. */
enum err pool_next(struct pool *p, struct pooled *out, struct errmsg *msg);

unsigned pool_desks(const struct pool *p);
const char *pool_desk(const struct pool *p, unsigned i);

/* How far file b's clock is ahead of file a's, by what both recorded: the median of the last
 * samples. False: too few, or they do not agree. */
struct pool_clock {
    uint64_t shared;              /* events that both have */
    int64_t median_ms, spread_ms; /* spread: between the quartiles */
};
bool pool_clock(const struct pool *p, unsigned a, unsigned b, struct pool_clock *out);

#endif
