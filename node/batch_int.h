/* batch_int.h - long work over a merged batch: a job with its own copy of what to merge, its own
 * snapshot of the store, and its own counts. Shared by upload.c, report.c and stream.c. */
#ifndef TIDEOVER_BATCH_INT_H
#define TIDEOVER_BATCH_INT_H

#include <stdio.h>

#include "aside.h"
#include "decisions.h"
#include "export.h"
#include "node_int.h"
#include "policy_check.h"
#include "sink.h"
#include "spill_file.h"

struct batch_job {
    struct job job; /* first: a job is one */
    struct merge_job merge;
    struct spill_file spill; /* of the merge */
    struct store_reader *reader;
    enum err err;
    struct errmsg msg;
    struct export_result result;
    struct http_request *rq; /* plan, report, export, list */
    uint64_t number;         /* build: the effect's */
    struct asides aside;
    FILE *out;                /* export, list: an unlinked file beside our state */
    unsigned wanted_part;     /* export: 0 users, 1 all of the log */
    uint64_t n, after, limit; /* list */
    struct unsent unsent;     /* plan, report: voids of these undo nothing; never_sent: how many */
    uint64_t never_sent;
    struct slot_ruling
        *late; /* report: leads' words that came too late; what 0: and change nothing */
    unsigned n_late;
    uint64_t as_they_stand; /* plan, report: sent, unless a lead decides otherwise */
    json_t *lists;          /* report: duplicates and others, by verdict */
    json_t *more;           /* plan, report: fields that the loop's thread knows */
    const char *state_sent;
    uint64_t slot;
};

/* Over a draft or decided intent, or (NULL) over all that is pending. NULL with msg. */
struct batch_job *batch_new(struct node *n, const struct intent *in, struct errmsg *msg);
void batch_free(struct batch_job *b);
/* A lead may rule on it, or did: it stands among the matters of a review. */
bool batch_is_for_a_lead(const struct merged *m);
/* The merge_yield of all of them: shows progress, renews the snapshot. ctx is the job. */
bool batch_go_on(void *ctx, uint64_t done, uint64_t total);
/* A snapshot and a new file to sort in, for one merge; both on the job's thread, for to let go of a file of
 * half a gigabyte takes a fifth of a second. */
enum err batch_start_reading(struct batch_job *b); /* err and msg are the job's */
void batch_end_reading(struct batch_job *b);
/* At the end of a job that listed as JSON, with mem_refused() of its beginning: JSON that got no memory
 * says nothing, and the list has holes. */
void batch_had_memory(struct batch_job *b, unsigned long refused);
/* Runs the export into `to`; err, msg and result are the job's. On the job's thread. */
void batch_export(struct batch_job *b, const struct export_out *to);
/* Answers the request with the job's error (ERR_BUSY if there is no job), and frees the job. */
void batch_refuse(struct node *n, struct batch_job *b, struct http_request *rq, struct errmsg *msg);

#endif
