/* worklist.c - GET /api/v1/worklist and POST /api/v1/worklist/done: held discharges, before and
 * after their upload. Rules: worklist.h. */
#include "worklist.h"

#include <stdlib.h>
#include <string.h>

#include "batch_int.h"
#include "day.h"
#include "mem.h"
#include "record_json.h"
#include "word_int.h"

#define ROWS_MAX 5000 /* of one answer, the oldest; a shelf holds fewer */

struct row {
    int64_t ms;
    json_t *o;
};

struct worklist_job {
    struct batch_job b; /* first */
    struct row *v;      /* owned, with their objects */
    size_t n, room;
    bool full; /* later rows than full_ms are counted only */
    int64_t full_ms;
    json_int_t all, total[WORKLIST_GOES + 1];
};

static int by_time(const void *x, const void *y)
{
    const struct row *a = x, *b = y;

    return a->ms != b->ms ? (a->ms < b->ms ? -1 : 1) : 0;
}

/* Only the first are ever answered: a branch may hold millions. */
static void keep_first(struct worklist_job *w)
{
    qsort(w->v, w->n, sizeof *w->v, by_time);
    for (; w->n > ROWS_MAX; w->n--)
        json_decref(w->v[w->n - 1].o);
    w->full_ms = w->v[ROWS_MAX - 1].ms;
    w->full = true;
}

static void add_row(struct worklist_job *w, enum worklist what, const char *id, const char *desk,
                    uint64_t slot, const struct record *r, int64_t ms)
{
    char at[36];
    json_t *o;

    w->total[what]++;
    w->all++;
    if (w->n == 2 * ROWS_MAX)
        keep_first(w);
    if (w->full && ms >= w->full_ms)
        return;
    if (w->n == w->room) {
        size_t room = w->room ? 2 * w->room : 64;
        struct row *grown = realloc(w->v, room * sizeof *grown);
        if (!grown) {
            w->b.err = err_set(&w->b.msg, ERR_NOMEM, "out of memory");
            return;
        }
        w->v = grown;
        w->room = room;
    }
    o = json_pack("{s:s, s:s, s:s, s:s}", "id", id, "desk", desk, "state", worklist_name(what),
                  "next", worklist_next_step(what));
    record_to_json(r, NULL, o);
    rfc3339_at(&w->b.merge.policy.zone, ms, at); /* the library's time, whatever this PC's is */
    json_object_set_new(o, "at", json_string(at));
    if (slot > 0)
        json_object_set_new(o, "slot", json_integer((json_int_t)slot));
    w->v[w->n++] = (struct row){ ms, o };
}

/* ---- after the upload: on the loop's thread ---- */

static void add_asides(struct node *n, struct worklist_job *w)
{
    struct record_ref at = { .seq = 0 };
    struct record *r = malloc(sizeof *r);
    struct aside_view v;
    char id[RECORD_ID_TEXT];

    if (!r)
        w->b.err = err_set(&w->b.msg, ERR_NOMEM, "out of memory");
    while (r && w->b.err == ERR_OK && core_aside_next(n->core, &at, &v)) {
        const struct merge_feed *f = merge_feed_of(&w->b.merge, &v.ref.feed);
        if (worklist_of_aside(v.what, v.released) == WORKLIST_NOT)
            continue;
        memset(r, 0, sizeof *r);
        core_aside_record(n->core, &v.ref, r, NULL);
        core_id_text(n->core, &v.ref, id);
        add_row(w, WORKLIST_DUE, id, status_desk_name(n, &v.ref.feed.desk), v.slot, r,
                record_time(r, f ? f->back_correction_ms : 0));
    }
    free(r);
}

/* ---- before it: on the job's thread ---- */

static void worklist_run(struct job *j)
{
    struct worklist_job *w = (struct worklist_job *)j;
    struct batch_job *b = &w->b;
    struct merge *m = NULL;
    struct merged *r = malloc(sizeof *r);
    unsigned long refused = mem_refused();
    char id[RECORD_ID_TEXT];

    if (!r)
        b->err = err_set(&b->msg, ERR_NOMEM, "out of memory");
    if (b->err != ERR_OK || batch_start_reading(b) != ERR_OK) {
        free(r);
        return;
    }
    b->err = merge_open(&b->merge, store_reader_disk(b->reader), batch_go_on, b, &m, &b->msg);
    while (b->err == ERR_OK && (b->err = merge_next(m, r, &b->msg)) == ERR_OK) {
        const struct merge_feed *f = &b->merge.feeds[r->feed];
        enum worklist what = worklist_of_merged(r);

        if (what == WORKLIST_NOT)
            continue;
        merge_id_text(f, r->seq, id);
        add_row(w, what, id, f->desk, 0, &r->rec, r->time_ms);
    }
    if (b->err == ERR_MISSING)
        b->err = ERR_OK;
    batch_had_memory(b, refused);
    merge_close(m);
    batch_end_reading(b);
    free(r);
}

static void worklist_done(struct job *j)
{
    struct worklist_job *w = (struct worklist_job *)j;
    unsigned long refused = mem_refused();
    json_t *rows = json_array();

    if (w->n > 0)
        qsort(w->v, w->n, sizeof *w->v, by_time);
    for (size_t i = 0; i < w->n; i++)
        if (w->b.err == ERR_OK && i < ROWS_MAX)
            json_array_append_new(rows, w->v[i].o);
        else
            json_decref(w->v[i].o);
    free(w->v);
    batch_had_memory(&w->b, refused);
    if (w->b.err != ERR_OK) {
        json_decref(rows);
        batch_refuse(j->node, &w->b, w->b.rq, &w->b.msg);
        return;
    }
    api_json(w->b.rq, 200,
             json_pack("{s:i, s:b, s:I, s:I, s:I, s:I, s:o}", "schema", 1, "known",
                       core_asides_known(j->node->core), "total", (json_int_t)w->all, "due",
                       w->total[WORKLIST_DUE], "waits", w->total[WORKLIST_WAITS], "goes",
                       w->total[WORKLIST_GOES], "records", rows));
    batch_free(&w->b);
}

void worklist_get(struct node *n, struct http_request *rq)
{
    struct errmsg msg = { .text = "" };
    struct worklist_job *w = calloc(1, sizeof *w);
    enum err e = w ? core_merge_job(n->core, NULL, &w->b.merge, &msg) : ERR_NOMEM;

    if (e != ERR_OK) {
        free(w);
        api_error(n, rq, e, &msg);
        return;
    }
    w->b.job.node = n;
    w->b.rq = rq;
    w->b.job.run = worklist_run;
    w->b.job.done = worklist_done;
    add_asides(n, w);
    node_start_job(n, &w->b.job);
}

/* ---- ticked off ---- */

/* DONE ends whatever it names; here only what stands on the list as due (W1, W2). */
static enum err may_be_done(const struct node *n, const char *id, struct errmsg *msg)
{
    struct record_ref ref;
    struct aside_view v;
    enum err e = core_id_parse(n->core, id, &ref, msg);

    if (e != ERR_OK)
        return e;
    if (core_aside_of(n->core, &ref, &v))
        return worklist_of_aside(v.what, v.released) == WORKLIST_DUE
                   ? ERR_OK
                   : err_why(msg, ERR_REFUSED, "not_on_list", "ids",
                             "%.60s is no held discharge: see \"tideover upload aside\"", id);
    if (ref.seq <= feeds_cut(core_feeds(n->core), &ref.feed))
        return err_why(msg, ERR_MISSING, "not_on_list", "ids",
                       "%.60s is not on the worklist any more: it was sent, or is done", id);
    return err_why(msg, ERR_REFUSED, "not_uploaded", "ids",
                   "%.60s waits for the upload: its loan has to reach the ILS first, then "
                   "discharge it there",
                   id);
}

static enum err sign_worklist(struct node *n, struct lead_job *l, json_t **answer)
{
    const json_t *ids = json_object_get(l->body, "ids"), *id;
    enum err e = ERR_OK;
    size_t i;

    if (json_array_size(ids) == 0)
        return err_why(&l->msg, ERR_INVALID, "missing_field", "ids", "name the records");
    if (!core_asides_known(n->core))
        return err_set(&l->msg, ERR_BUSY,
                       "what the last upload set aside is being computed: try again in a moment");
    json_array_foreach(ids, i, id) if (e == ERR_OK) e =
        may_be_done(n, json_is_string(id) ? json_string_value(id) : "", &l->msg);
    return e == ERR_OK ? word_sign_done(n, l, answer) : e;
}

void worklist_tick(struct node *n, struct http_request *rq, json_t *body)
{
    lead_start(n, rq, body, sign_worklist);
}
