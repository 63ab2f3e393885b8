/* batch.c - what all long work over a batch has in common. */
#include <stdlib.h>
#include <string.h>

#include "batch_int.h"
#include "helper_thread.h"
#include "mem.h"

bool batch_is_for_a_lead(const struct merged *m)
{
    return m->verdict == VERDICT_REVIEW || m->late || strcmp(m->rule, "R5") == 0 ||
           strcmp(m->rule, "lead") == 0 ||
           (m->verdict == VERDICT_SEND &&
            (strcmp(m->rule, "R8") == 0 || strcmp(m->rule, "R6") == 0)) ||
           (m->verdict == VERDICT_VOIDED && !m->has_other);
}

bool batch_go_on(void *ctx, uint64_t done, uint64_t total)
{
    struct batch_job *b = ctx;

    atomic_store(&b->job.progress, done);
    atomic_store(&b->job.total, total);
    return store_reader_renew(b->reader) == ERR_OK;
}

struct batch_job *batch_new(struct node *n, const struct intent *in, struct errmsg *msg)
{
    struct batch_job *b = calloc(1, sizeof *b);

    if (!b) {
        err_set(msg, ERR_NOMEM, "out of memory");
        return NULL;
    }
    if (core_merge_job(n->core, in, &b->merge, msg) != ERR_OK) {
        free(b);
        return NULL;
    }
    b->job.node = n;
    return b;
}

void batch_free(struct batch_job *b)
{
    if (b->out)
        fclose(b->out);
    merge_job_free(&b->merge);
    asides_free(&b->aside);
    free(b->unsent.v);
    free(b->late);
    json_decref(b->lists);
    json_decref(b->more);
    free(b);
}

enum err batch_start_reading(struct batch_job *b)
{
    b->err = store_reader_open(b->job.node->store, &b->reader, &b->msg);
    if (b->err == ERR_OK)
        b->merge.spill = spill_file_init(&b->spill, b->job.node->dir);
    return b->err;
}

void batch_end_reading(struct batch_job *b)
{
    store_reader_close(b->reader);
    b->reader = NULL;
    spill_file_close(&b->spill);
    b->merge.spill = NULL;
}

void batch_export(struct batch_job *b, const struct export_out *to)
{
    const struct format *f = format_by_name(b->merge.policy.format);
    struct helper_thread thread;

    if (!f) {
        b->err = err_set(&b->msg, ERR_CONFIG, "this version cannot write the format of the policy");
        return;
    }
    if (batch_start_reading(b) != ERR_OK)
        return;
    b->merge.helper = helper_thread_init(&thread);
    b->err = export_run(&b->merge, store_reader_disk(b->reader), f, batch_go_on, b, to, &b->result,
                        &b->msg);
    helper_thread_close(&thread);
    b->merge.helper = NULL; /* it was this function's */
    batch_end_reading(b);
}

void batch_had_memory(struct batch_job *b, unsigned long refused)
{
    if (b->err == ERR_OK && mem_refused() != refused)
        b->err = err_set(&b->msg, ERR_NOMEM, "out of memory");
}

void batch_refuse(struct node *n, struct batch_job *b, struct http_request *rq, struct errmsg *msg)
{
    api_error(n, rq, b ? b->err : ERR_BUSY, msg);
    if (b)
        batch_free(b);
}
