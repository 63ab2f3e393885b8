/* verify.c - `log verify`: every seal, chain and signature of this desk's store, from a snapshot.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node_int.h"

#define PROBLEMS_MAX 100

struct check_feed {
    struct opening opening;
    uint32_t alias;
    uint64_t seq;
    struct floor floor;
    uint8_t sign_pk[KEY_BYTES];
    char desk[DESK_NAME_MAX + 1];
};

struct verify_job {
    struct job job; /* first */
    struct http_request *rq;
    uint8_t branch[BRANCH_ID_BYTES];
    struct check_feed *feeds;
    unsigned n_feeds;
    uint64_t values, blocks, records;
    json_t *problems;
};

static void problem(struct verify_job *v, const char *text)
{
    if (json_array_size(v->problems) < PROBLEMS_MAX)
        json_array_append_new(v->problems, json_string(text));
}

static void check_feed(struct verify_job *v, struct store_reader *r, const struct check_feed *f)
{
    const struct disk *d = store_reader_disk(r);
    struct buf raw = { 0 };
    uint8_t h[HASH_BYTES];
    uint64_t seq = f->floor.seq;
    char text[512];

    if (seq > 0) /* what lay below is erased; its author signed where it ended */
        memcpy(h, f->floor.hash, sizeof h);
    else
        feed_h0(v->branch, &f->opening, h);
    if (seq > 0 && !head_ok(v->branch, &f->opening.id, seq, h, f->sign_pk, f->floor.sig))
        problem(v, "a feed's floor is not signed by its author");
    while (seq < f->seq) {
        struct block b;
        struct errmsg msg = { .text = "" };
        size_t known;
        if (feeds_block(d, f->alias, seq + 1, &raw, &b, &msg) != ERR_OK ||
            block_check(&b, v->branch, f->sign_pk, seq, h, &known, &msg) != ERR_OK) {
            snprintf(text, sizeof text, "%s/%u/%04llu: %s", f->desk, f->opening.number,
                     (unsigned long long)seq + 1, msg.text[0] ? msg.text : "the block is missing");
            problem(v, text);
            break;
        }
        seq = block_last(&b);
        v->blocks++;
        if (v->blocks % 64 == 0)
            store_reader_renew(r);
    }
    v->records += seq - f->floor.seq;
    buf_free(&raw);
}

static void verify_run(struct job *j)
{
    struct verify_job *v = (struct verify_job *)j;
    struct store_reader *r = NULL;
    struct errmsg msg = { .text = "" };

    v->problems = json_array();
    if (store_reader_open(j->node->store, &r, &msg) != ERR_OK) {
        problem(v, msg.text);
        return;
    }
    if (store_verify(r, &v->values, &msg) != ERR_OK)
        problem(v, msg.text);
    for (unsigned i = 0; i < v->n_feeds; i++)
        check_feed(v, r, &v->feeds[i]);
    store_reader_close(r);
}

static void verify_done(struct job *j)
{
    struct verify_job *v = (struct verify_job *)j;

    api_json(v->rq, 200,
             json_pack("{s:i, s:b, s:i, s:I, s:I, s:I, s:o}", "schema", 1, "ok",
                       json_array_size(v->problems) == 0, "feeds", v->n_feeds, "records",
                       (json_int_t)v->records, "blocks", (json_int_t)v->blocks, "values",
                       (json_int_t)v->values, "problems", v->problems));
    free(v->feeds);
    free(v);
}

void verify_start(struct node *n, struct http_request *rq)
{
    const struct feeds *fs = core_feeds(n->core);
    struct errmsg msg = { .text = "" };
    struct verify_job *v = calloc(1, sizeof *v);

    if (!v || (v->feeds = calloc(fs->n ? fs->n : 1, sizeof *v->feeds)) == NULL) {
        free(v);
        err_set(&msg, ERR_NOMEM, "out of memory");
        api_error(n, rq, ERR_NOMEM, &msg);
        return;
    }
    memcpy(v->branch, roster_branch(core_roster(n->core)), sizeof v->branch);
    for (unsigned i = 0; i < fs->n; i++) {
        struct check_feed *f = &v->feeds[v->n_feeds];
        const struct desk *d = roster_find(core_roster(n->core), &fs->v[i].opening.id.desk);
        if (!d)
            continue;
        f->opening = fs->v[i].opening;
        f->alias = fs->v[i].alias;
        f->seq = fs->v[i].seq;
        f->floor = fs->v[i].floor;
        memcpy(f->sign_pk, d->sign_pk, KEY_BYTES);
        snprintf(f->desk, sizeof f->desk, "%s", d->name);
        v->n_feeds++;
    }
    v->rq = rq;
    v->job.run = verify_run;
    v->job.done = verify_done;
    node_start_job(n, &v->job);
}
