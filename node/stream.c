/* stream.c - answers too long for memory (export, list), through an unlinked file beside our state.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "batch_int.h"
#include "clocks.h"
#include "day.h"
#include "matters.h"
#include "mem.h"
#include "record_json.h"

static FILE *scratch(const struct node *n)
{
    char path[4096 + 32];
    int fd;
    FILE *f;

    snprintf(path, sizeof path, "%s/.scratch-XXXXXX", n->dir);
    if ((fd = mkostemp(path, O_CLOEXEC)) < 0)
        return NULL;
    unlink(path);
    if ((f = fdopen(fd, "w+b")) == NULL)
        close(fd);
    return f;
}

static void answer_scratch(struct batch_job *b, const char *type)
{
    int fd = -1;
    off_t size;

    if (b->err == ERR_OK && fflush(b->out) == 0 && !ferror(b->out)) /* no line was lost, either */
        fd = dup(fileno(b->out));
    if (fd < 0 || (size = lseek(fd, 0, SEEK_END)) < 0 || lseek(fd, 0, SEEK_SET) != 0) {
        if (fd >= 0)
            close(fd);
        if (b->err == ERR_OK)
            b->err = err_set(&b->msg, ERR_DISK, "no room for the answer: %s", strerror(errno));
        batch_refuse(b->job.node, b, b->rq, &b->msg);
        return;
    }
    http_answer_fd(b->rq, type, fd, (uint64_t)size);
    batch_free(b);
}

/* One answer is one file: what a format spreads over several has to be asked for by number. */
static enum err out_bytes(void *ctx, unsigned part, const uint8_t *p, size_t n, struct errmsg *msg)
{
    struct batch_job *b = ctx;

    if (part > 1 && b->wanted_part > 0)
        return err_why(msg, ERR_REFUSED, "several_files", "format",
                       "%s needs a file per day, and these records are of several days: an export "
                       "is one file; hand them over to a folder (sink = file:DIR)",
                       b->merge.policy.format);
    if (part == b->wanted_part && fwrite(p, 1, n, b->out) != n)
        return err_set(msg, ERR_DISK, "no room for the export: %s", strerror(errno));
    return ERR_OK;
}

static void export_job_run(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct export_out to = { .ctx = b, .bytes = out_bytes };

    batch_export(b, &to);
}

static void export_job_done(struct job *j)
{
    answer_scratch((struct batch_job *)j, "application/octet-stream");
}

/* The export of one format: the log by that format, whatever the policy's is, or the file of
 * registrations that the policy's format has beside it. */
static enum err choose_format(struct batch_job *b, const char *name, struct errmsg *msg)
{
    struct policy *p = &b->merge.policy;
    const struct format *f = format_by_name(name), *own = format_by_name(p->format);
    char names[FORMAT_NAMES_MAX];

    if (!f)
        return err_why(msg, ERR_INVALID, "unknown_format", "format",
                       "this version writes the formats %s", format_names(false, names));
    b->wanted_part = f->carries(p, RECORD_CHECKOUT) ? 1 : 0;
    if (b->wanted_part == 0 && !(own && own->users && own->users(p) == f))
        return err_why(msg, ERR_INVALID, "no_user_file", "format",
                       "by the branch's policy registrations do not go into a file of the format "
                       "%s",
                       name);
    if (b->wanted_part == 0)
        return ERR_OK;
    snprintf(p->format, sizeof p->format, "%s", f->name);
    return f->needs ? f->needs(p, msg) : ERR_OK;
}

void stream_export(struct node *n, struct http_request *rq, const char *format)
{
    struct errmsg msg = { .text = "" };
    struct batch_job *b;

    if ((b = batch_new(n, NULL, &msg)) == NULL || (b->out = scratch(n)) == NULL) {
        if (b)
            b->err = err_set(&msg, ERR_DISK, "no room beside the state: %s", strerror(errno));
        batch_refuse(n, b, rq, &msg);
        return;
    }
    if ((b->err = choose_format(b, format, &msg)) != ERR_OK) {
        batch_refuse(n, b, rq, &msg);
        return;
    }
    b->rq = rq;
    b->job.run = export_job_run;
    b->job.done = export_job_done;
    node_start_job(n, &b->job);
}

/* The list is every decided slot in turn and then what is pending, each in merged order. */
struct list_job {
    struct batch_job b;          /* first */
    struct slot_released *again; /* owned, sorted: listed where they went last */
    unsigned n_again, again_room;
    unsigned n_jobs;
    struct merge_job *jobs;
    bool conflicts; /* only what a lead may rule on, or did */
    struct matters matters;
    struct beside { /* a row of them, and the record that it names */
        size_t row;
        unsigned feed;
        uint64_t seq;
    } * beside; /* owned */
    size_t n_beside, beside_room;
    bool lines; /* of one upload: what was sent, by line */
};

static const char *list_state(const struct batch_job *b, const struct merged *m, enum outcome o)
{
    switch (o) {
    case OUTCOME_SENT:
        return b->state_sent;
    case OUTCOME_NOT_SENT:
        return verdict_name(m->verdict);
    case OUTCOME_UNCARRIED:
    case OUTCOME_UNWRITABLE:
    case OUTCOME_BEHIND:
        return outcome_name(o);
    }
    return "";
}

static int by_place(const void *x, const void *y)
{
    const struct slot_released *a = x, *b = y;
    int c = ref_cmp(&a->ref, &b->ref);

    return c != 0 ? c : a->slot < b->slot ? -1 : a->slot > b->slot;
}

/* A record of this slot that a later one took along. */
static bool went_again(const struct list_job *l, const struct merged *m)
{
    struct slot_released key = { .ref = { l->b.merge.feeds[m->feed].feed, m->seq },
                                 .slot = l->b.merge.slot };

    return l->n_again > 0 &&
           bsearch(&key, l->again, l->n_again, sizeof *l->again, by_place) != NULL;
}

static bool note_again(struct list_job *l, const struct slot_released *v, unsigned n)
{
    if (l->n_again + n > l->again_room) {
        unsigned room = 2 * (l->n_again + n);
        struct slot_released *grown = realloc(l->again, room * sizeof *grown);
        if (!grown)
            return false;
        l->again = grown;
        l->again_room = room;
    }
    if (n > 0)
        memcpy(l->again + l->n_again, v, n * sizeof *v);
    l->n_again += n;
    return true;
}

/* And those that go next. */
static bool note_pending(struct list_job *l)
{
    const struct merge_job *j = &l->b.merge;
    bool ok = true;

    for (unsigned i = 0; i < j->n_released && ok; i++) {
        const struct merge_released *r = &j->released[i];
        struct slot_released v = { .ref = { j->feeds[r->feed].feed, r->seq }, .slot = r->slot };
        ok = note_again(l, &v, 1);
    }
    return ok;
}

static void print_line(struct batch_job *b, const struct merged *m, unsigned part, uint64_t line)
{
    char id[RECORD_ID_TEXT], *text;
    json_t *e;

    merge_id_text(&b->merge.feeds[m->feed], m->seq, id);
    e = json_pack("{s:s, s:s, s:I, s:I}", "id", id, "desk", b->merge.feeds[m->feed].desk, "line",
                  (json_int_t)line, "part", (json_int_t)part);
    record_to_json(&m->rec, &b->merge.policy.zone, e);
    if ((text = json_dumps(e, JSON_COMPACT)) != NULL)
        fprintf(b->out, "%s\n", text);
    free(text);
    json_decref(e);
}

static void add_matter(struct list_job *l, const struct merged *m, json_t *row)
{
    const struct batch_job *b = &l->b;
    char at[36];

    rfc3339_at(&b->merge.policy.zone, m->time_ms, at);
    json_object_set_new(row, "time", json_string(at));
    json_object_set_new(row, "clock", json_string(clock_class_name(b->merge.feeds[m->feed].clock)));
    if (m->has_other && l->n_beside == l->beside_room) {
        size_t room = l->beside_room ? 2 * l->beside_room : 64;
        struct beside *grown = mem_more(l->beside, room * sizeof *grown);
        l->beside = grown ? grown : l->beside;
        l->beside_room = grown ? room : l->beside_room;
    }
    if (m->has_other && l->n_beside < l->beside_room)
        l->beside[l->n_beside++] =
            (struct beside){ json_array_size(l->matters.rows), m->other_feed, m->other_seq };
    matters_add(&l->matters, row);
}

/* A lead sees both sides: the other one may be on its way undisputed, or uploaded. */
static void add_other_side(struct list_job *l, const struct beside *at, struct record *r)
{
    const struct batch_job *b = &l->b;
    const struct merge_feed *f = &b->merge.feeds[at->feed];
    bool uploaded = at->seq < f->from;
    struct buf room = { 0 };
    char id[RECORD_ID_TEXT], time[36];
    json_t *o;

    merge_id_text(f, at->seq, id);
    if (json_object_get(l->matters.by_id, id) == NULL &&
        feeds_record(store_reader_disk(b->reader), f->alias, at->seq, &room, r, NULL) == ERR_OK) {
        o = json_pack("{s:s, s:s, s:b}", "id", id, "desk", f->desk, "uploaded", uploaded);
        record_to_json(r, &b->merge.policy.zone, o);
        rfc3339_at(&b->merge.policy.zone,
                   record_time(r, uploaded ? f->back_correction_ms : f->correction_ms), time);
        json_object_set_new(o, "time", json_string(time));
        json_object_set_new(json_array_get(l->matters.rows, at->row), "other_side", o);
    }
    buf_free(&room);
}

static void list_line(void *ctx, const struct merged *m, enum outcome o, unsigned part,
                      uint64_t line, const uint8_t *bytes, size_t n, const char *why)
{
    struct batch_job *b = ctx;
    struct list_job *l = ctx;
    json_t *e;
    char id[RECORD_ID_TEXT], *text;

    (void)bytes;
    (void)n;
    (void)why;
    if (l->lines && line > 0)
        print_line(b, m, part, line);
    if (l->lines)
        return;
    if (went_again(l, m) || (l->conflicts && !batch_is_for_a_lead(m)))
        return;
    if (++b->n <= b->after || b->n - b->after > b->limit)
        return;
    merge_id_text(&b->merge.feeds[m->feed], m->seq, id);
    e = json_pack("{s:I, s:s, s:s, s:s, s:I}", "n", (json_int_t)b->n, "id", id, "desk",
                  b->merge.feeds[m->feed].desk, "state", list_state(b, m, o), "slot",
                  (json_int_t)b->merge.slot);
    record_to_json(&m->rec, &b->merge.policy.zone, e);
    if (m->again) {
        json_object_set_new(e, "was", json_string(aside_name((enum aside_what)m->again->what)));
        json_object_set_new(e, "was_in", json_integer((json_int_t)m->again->slot));
    }
    if (m->late)
        json_object_set_new(e, "late", json_true());
    if (m->rule[0])
        json_object_set_new(e, "rule", json_string(m->rule));
    if (m->has_other) {
        merge_id_text(&b->merge.feeds[m->other_feed], m->other_seq, id);
        json_object_set_new(e, "other", json_string(id));
    }
    if (l->conflicts) {
        add_matter(l, m, e);
        return;
    }
    if ((text = json_dumps(e, JSON_COMPACT)) != NULL)
        fprintf(b->out, "%s\n", text);
    free(text);
    json_decref(e);
}

/* What is pending is listed without the format: a policy that cannot be exported yet (no station
 * numbers on the first day) must not hide the records. */
static void list_pending(struct list_job *l)
{
    struct batch_job *b = &l->b;
    const struct format *f = format_by_name(b->merge.policy.format);
    const struct format *users = f && f->users ? f->users(&b->merge.policy) : NULL;
    struct merge *m = NULL;
    struct merged *r = malloc(sizeof *r);

    if (!r)
        b->err = err_set(&b->msg, ERR_NOMEM, "out of memory");
    if (b->err != ERR_OK || batch_start_reading(b) != ERR_OK) {
        free(r);
        return;
    }
    b->err = merge_open(&b->merge, store_reader_disk(b->reader), batch_go_on, b, &m, &b->msg);
    while (b->err == ERR_OK && (b->err = merge_next(m, r, &b->msg)) == ERR_OK) {
        bool carried = (f && f->carries(&b->merge.policy, r->rec.kind)) ||
                       (users && users->carries(&b->merge.policy, r->rec.kind));
        list_line(b, r,
                  r->verdict != VERDICT_SEND ? OUTCOME_NOT_SENT
                  : carried                  ? OUTCOME_SENT
                                             : OUTCOME_UNCARRIED,
                  0, 0, NULL, 0, "");
    }
    if (b->err == ERR_MISSING)
        b->err = ERR_OK;
    merge_close(m);
    for (size_t i = 0; b->err == ERR_OK && i < l->n_beside; i++)
        add_other_side(l, &l->beside[i], &r->rec);
    batch_end_reading(b);
    free(r);
}

static void list_run(struct job *j)
{
    struct list_job *l = (struct list_job *)j;
    struct export_out to = { .ctx = &l->b, .record = list_line };
    unsigned long refused = mem_refused();

    l->b.state_sent = "delivered";
    for (unsigned i = 0; i < l->n_jobs && l->b.err == ERR_OK; i++) {
        struct merge_job keep = l->b.merge;
        l->b.merge = l->jobs[i];
        batch_export(&l->b, &to);
        l->b.merge = keep;
    }
    l->b.state_sent = "pending";
    if (l->b.err == ERR_OK && !l->lines)
        list_pending(l);
    if (l->b.err == ERR_OK && l->conflicts)
        matters_write(&l->matters, l->b.out);
    batch_had_memory(&l->b, refused);
}

static void list_done(struct job *j)
{
    struct list_job *l = (struct list_job *)j;

    for (unsigned i = 0; i < l->n_jobs; i++)
        merge_job_free(&l->jobs[i]);
    free(l->jobs);
    free(l->again);
    free(l->beside);
    matters_free(&l->matters);
    l->jobs = NULL;
    answer_scratch(&l->b, "application/x-ndjson");
}

static enum err add_slot(struct node *n, struct list_job *l, uint64_t slot, struct errmsg *msg)
{
    struct buf bytes = { 0 };
    struct receipt r;
    struct intent in;
    enum err e = ledger_receipt(core_ledger(n->core), slot, &bytes);

    if (e == ERR_OK && (e = receipt_decode(bytes.p, bytes.len, &r, msg)) == ERR_OK &&
        (e = intent_decode(r.intent, r.intent_len, &in, msg)) == ERR_OK) {
        if (!note_again(l, in.released, in.n_released))
            e = err_set(msg, ERR_NOMEM, "out of memory");
        else if (in.type != SLOT_SEATS &&
                 (e = core_merge_job(n->core, &in, &l->jobs[l->n_jobs], msg)) == ERR_OK)
            l->n_jobs++;
        if (e == ERR_BUSY || e == ERR_MISSING)
            e = ERR_OK; /* its records are still on their way to this desk, or erased */
        intent_free(&in);
    }
    buf_free(&bytes);
    return e;
}

enum what { LIST_ALL, LIST_PENDING, LIST_CONFLICTS, LIST_LINES };

/* limit: of LIST_LINES the upload. */
static void start_list(struct node *n, struct http_request *rq, uint64_t after, uint64_t limit,
                       enum what what)
{
    struct errmsg msg = { .text = "" };
    struct list_job *l = calloc(1, sizeof *l);
    uint64_t slots = what == LIST_ALL ? ledger_decided(core_ledger(n->core)) : 0;
    enum err e = l ? core_merge_job(n->core, NULL, &l->b.merge, &msg) : ERR_NOMEM;

    if (e == ERR_OK && ((l->jobs = calloc(slots ? slots : 1, sizeof *l->jobs)) == NULL ||
                        (l->b.out = scratch(n)) == NULL))
        e = err_set(&msg, ERR_DISK, "no room for the list: %s", strerror(errno));
    for (uint64_t s = 1; e == ERR_OK && s <= slots; s++)
        e = add_slot(n, l, s, &msg);
    if (e == ERR_OK && what == LIST_LINES && add_slot(n, l, limit, &msg) != ERR_OK)
        e = err_why(&msg, ERR_MISSING, "no_upload", "slot", "there is no such upload");
    if (e == ERR_OK && !note_pending(l))
        e = err_set(&msg, ERR_NOMEM, "out of memory");
    if (e != ERR_OK) {
        for (unsigned i = 0; l && i < l->n_jobs; i++)
            merge_job_free(&l->jobs[i]);
        if (l) {
            free(l->jobs);
            free(l->again);
            batch_free(&l->b);
        }
        api_error(n, rq, e, &msg);
        return;
    }
    if (l->n_again > 0)
        qsort(l->again, l->n_again, sizeof *l->again, by_place);
    l->conflicts = what == LIST_CONFLICTS;
    l->lines = what == LIST_LINES;
    if (l->conflicts)
        matters_begin(&l->matters, decisions_json(n, &l->b.merge));
    l->b.rq = rq;
    l->b.after = after;
    l->b.limit = limit;
    l->b.job.run = list_run;
    l->b.job.done = list_done;
    node_start_job(n, &l->b.job);
}

void stream_list(struct node *n, struct http_request *rq, bool pending, uint64_t after,
                 uint64_t limit)
{
    start_list(n, rq, after, limit, pending ? LIST_PENDING : LIST_ALL);
}

void stream_conflicts(struct node *n, struct http_request *rq)
{
    start_list(n, rq, 0, UINT64_MAX, LIST_CONFLICTS);
}

void stream_lines(struct node *n, struct http_request *rq, uint64_t slot)
{
    start_list(n, rq, 0, slot, LIST_LINES);
}
