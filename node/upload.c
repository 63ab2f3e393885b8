/* upload.c - the long work of an upload, each as a job with its own snapshot of the store. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "day.h"
#include "keys.h"
#include "node_int.h"
#include "record_json.h"
#include "sink.h"

/* What every job here is made of. */
struct batch_job {
    struct job job; /* first: a job is one */
    struct merge_job merge;
    struct store_reader *reader;
    enum err err;
    struct errmsg msg;
    struct export_result result;
    struct http_request *rq;   /* plan, report, export, list */
    uint64_t number;           /* build, deliver: the effect's */
    char sink[SINK_TEXT_MAX];
    uint64_t term, attempt;
    struct slot_part want[SLOT_PARTS_MAX];
    unsigned n_want;
    enum delivery delivery;
    char words[256];
    FILE *out;                 /* export, list: an unlinked file beside our state */
    FILE *manifest;
    FILE *part[2];
    char part_path[2][4096];
    uint64_t n, after, first_n;
    json_t *lists;             /* report: duplicates and others, by verdict */
    json_t *more;              /* plan, report: fields that the loop's thread knows */
    const char *state_sent;
    uint64_t slot;
};

static bool go_on(void *ctx, uint64_t done, uint64_t total)
{
    struct batch_job *b = ctx;

    atomic_store(&b->job.progress, done);
    atomic_store(&b->job.total, total);
    return store_reader_renew(b->reader) == ERR_OK;
}

static struct batch_job *batch_new(struct node *n, const struct intent *in, struct errmsg *msg)
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

static void batch_free(struct batch_job *b)
{
    for (unsigned i = 0; i < 2; i++) {
        if (b->part[i])
            fclose(b->part[i]);
        if (b->part_path[i][0])
            unlink(b->part_path[i]);
    }
    if (b->out)
        fclose(b->out);
    if (b->manifest)
        fclose(b->manifest);
    merge_job_free(&b->merge);
    json_decref(b->lists);
    json_decref(b->more);
    free(b);
}

static void run_export(struct batch_job *b, const struct export_out *to)
{
    const struct format *f = format_by_name(b->merge.policy.format);

    if (!f) {
        b->err = err_set(&b->msg, ERR_CONFIG, "this version cannot write the format of the policy");
        return;
    }
    if ((b->err = store_reader_open(b->job.node->store, &b->reader, &b->msg)) != ERR_OK)
        return;
    b->err = export_run(&b->merge, store_reader_disk(b->reader), f, go_on, b, to, &b->result,
                        &b->msg);
    store_reader_close(b->reader);
}

static void fail_request(struct node *n, struct batch_job *b, struct http_request *rq,
                         struct errmsg *msg)
{
    api_error(n, rq, b ? b->err : ERR_BUSY, msg);
    if (b)
        batch_free(b);
}

/* ---- EFFECT_BUILD: the payload's digests ---- */

static void build_run(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct export_out nowhere = { 0 };

    run_export(b, &nowhere);
}

static void build_done(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct node *n = j->node;
    struct moment now = node_now();

    if (!n->stopped)
        core_built(n->core, &now, b->number, b->result.parts, b->result.n_parts,
                   b->err == ERR_OK ? NULL : b->msg.text);
    if (n->upload_job == j)
        n->upload_job = NULL;
    batch_free(b);
}

void upload_build(struct node *n, uint64_t number, const struct buf *draft)
{
    struct errmsg msg = { .text = "" };
    struct moment now = node_now();
    struct intent in;
    struct batch_job *b = NULL;

    if (intent_decode(draft->p, draft->len, &in, &msg) == ERR_OK) {
        b = batch_new(n, &in, &msg);
        intent_free(&in);
    }
    if (!b) {
        core_built(n->core, &now, number, NULL, 0, msg.text);
        return;
    }
    b->number = number;
    b->job.run = build_run;
    b->job.done = build_done;
    n->upload_job = &b->job;
    node_start_job(n, &b->job);
}

/* ---- EFFECT_DELIVER: the payload itself ---- */

static enum err part_bytes(void *ctx, unsigned part, const uint8_t *p, size_t n, struct errmsg *msg)
{
    struct batch_job *b = ctx;

    if (fwrite(p, 1, n, b->part[part]) != n)
        return err_set(msg, errno == ENOSPC ? ERR_FULL : ERR_DISK, "cannot write the batch: %s",
                       strerror(errno));
    return ERR_OK;
}

/* E4: a Symphony log has no place for our record ids, so the manifest stays with us. */
static void manifest_line(void *ctx, const struct merged *m, enum outcome o, unsigned part,
                          uint64_t line, const uint8_t *bytes, size_t n, const char *why)
{
    struct batch_job *b = ctx;
    uint8_t sha[32];
    char id[RECORD_ID_TEXT], hex[65] = "-";

    merge_id_text(&b->merge.feeds[m->feed], m->seq, id);
    if (o == OUTCOME_SENT) {
        crypto_hash_sha256(sha, bytes, n);
        hex_encode(sha, sizeof sha, hex);
        fprintf(b->manifest, "%s\t%llu\t%s\t%s\n", part == 0 ? "users" : "log",
                (unsigned long long)line, id, hex);
    } else {
        fprintf(b->manifest, "-\t0\t%s\t%s%s%s%s\n", id,
                o == OUTCOME_NOT_SENT ? verdict_name(m->verdict) : outcome_name(o),
                m->rule[0] ? " " : "", m->rule, why[0] ? " unwritable" : "");
    }
}

static enum err open_files(struct batch_job *b, struct errmsg *msg)
{
    char dir[4096], path[4096 + 64];

    snprintf(dir, sizeof dir, "%s/uploads", b->job.node->dir);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_set(msg, ERR_DISK, "cannot make %s: %s", dir, strerror(errno));
    for (unsigned i = 0; i < 2; i++) {
        snprintf(b->part_path[i], sizeof b->part_path[i], "%.4000s/slot-%llu-%llu.part%u", dir,
                 (unsigned long long)b->slot, (unsigned long long)b->number, i);
        if ((b->part[i] = fopen(b->part_path[i], "wb")) == NULL)
            return err_set(msg, ERR_DISK, "cannot write %.200s: %s", b->part_path[i],
                           strerror(errno));
    }
    snprintf(path, sizeof path, "%s/slot-%06llu.manifest", dir, (unsigned long long)b->slot);
    if ((b->manifest = fopen(path, "wb")) == NULL)
        return err_set(msg, ERR_DISK, "cannot write %.200s: %s", path, strerror(errno));
    fprintf(b->manifest, "# tideover manifest 1\tbranch %s\tslot %llu\tepoch %u\tformat %s\n",
            b->merge.code, (unsigned long long)b->slot, b->merge.epoch, b->merge.policy.format);
    return ERR_OK;
}

static bool flush_files(struct batch_job *b)
{
    bool ok = true;

    for (unsigned i = 0; i < 2; i++) {
        ok = ok && fflush(b->part[i]) == 0 && fsync(fileno(b->part[i])) == 0;
        fclose(b->part[i]);
        b->part[i] = NULL;
    }
    for (unsigned i = 0; i < b->result.n_parts; i++) {
        char hex[65];
        hex_encode(b->result.parts[i].sha256, 32, hex);
        fprintf(b->manifest, "# part %s\tlines %llu\tbytes %llu\tsha256 %s\n",
                b->result.parts[i].suffix, (unsigned long long)b->result.parts[i].lines,
                (unsigned long long)b->result.parts[i].bytes, hex);
    }
    return ok && fflush(b->manifest) == 0 && fsync(fileno(b->manifest)) == 0;
}

/* The digest was agreed on before; other bytes here would be a mistake of ours, never to be sent. */
static bool is_agreed(const struct batch_job *b)
{
    bool same = b->result.n_parts == b->n_want;

    for (unsigned i = 0; same && i < b->n_want; i++)
        same = memcmp(b->result.parts[i].sha256, b->want[i].sha256, 32) == 0 &&
               b->result.parts[i].bytes == b->want[i].bytes;
    return same;
}

static void hand_over(struct batch_job *b)
{
    struct sink_file *files = calloc(SLOT_PARTS_MAX, sizeof *files);
    struct sink_batch batch = { .term = b->term, .attempt = b->attempt, .files = files };

    if (!files) {
        b->delivery = DELIVERY_RETRY;
        snprintf(b->words, sizeof b->words, "out of memory");
        return;
    }
    for (unsigned i = 0; i < b->result.n_parts; i++) {
        struct sink_file *f = &files[batch.n_files++];
        bool users = strcmp(b->result.parts[i].suffix, format_ldflat.suffix) == 0;
        export_file_name(&b->merge, &b->result, i, f->name);
        snprintf(f->path, sizeof f->path, "%s", b->part_path[users ? 0 : 1]);
        f->part = b->result.parts[i];
    }
    if (batch.n_files == 0) { /* all of it was voided, held or doubled: nothing to hand over */
        b->delivery = DELIVERY_DONE;
        snprintf(b->words, sizeof b->words, "nothing to hand over");
    } else {
        b->delivery = sink_deliver(b->sink, &batch, b->words);
    }
    free(files);
}

static void deliver_run(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct export_out to = { b, part_bytes, manifest_line };

    b->delivery = DELIVERY_RETRY;
    if ((b->err = open_files(b, &b->msg)) == ERR_OK) {
        run_export(b, &to);
        if (b->err == ERR_OK && !flush_files(b))
            b->err = err_set(&b->msg, ERR_DISK, "cannot flush the batch: %s", strerror(errno));
    }
    if (b->err != ERR_OK) {
        snprintf(b->words, sizeof b->words, "%s", b->msg.text);
    } else if (!is_agreed(b)) {
        b->delivery = DELIVERY_STOP;
        snprintf(b->words, sizeof b->words,
                 "this desk computes other bytes than were agreed on: nothing was sent. Compare the "
                 "versions of tideover on the desks");
    } else {
        hand_over(b);
    }
}

static void deliver_done(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct node *n = j->node;
    struct moment now = node_now();

    if (!n->stopped)
        core_delivered(n->core, &now, b->number, b->delivery, b->words);
    if (n->upload_job == j)
        n->upload_job = NULL;
    batch_free(b);
}

void upload_deliver(struct node *n, uint64_t number, const struct buf *intent)
{
    struct errmsg msg = { .text = "" };
    struct moment now = node_now();
    struct intent in;
    struct batch_job *b = NULL;

    if (intent_decode(intent->p, intent->len, &in, &msg) == ERR_OK) {
        if ((b = batch_new(n, &in, &msg)) != NULL) {
            snprintf(b->sink, sizeof b->sink, "%s", in.sink);
            b->number = b->attempt = number;
            b->term = in.term;
            b->slot = in.slot;
            b->n_want = in.n_parts;
            memcpy(b->want, in.parts, sizeof b->want);
            b->job.run = deliver_run;
            b->job.done = deliver_done;
        }
        intent_free(&in);
    }
    if (!b) {
        core_delivered(n->core, &now, number, DELIVERY_RETRY, msg.text);
        return;
    }
    n->upload_job = &b->job;
    node_start_job(n, &b->job);
}

/* ---- plan and report ---- */

static void list_anomaly(void *ctx, const struct merged *m, enum outcome o, unsigned part,
                         uint64_t line, const uint8_t *bytes, size_t n, const char *why)
{
    struct batch_job *b = ctx;
    const char *name = o == OUTCOME_NOT_SENT ? verdict_name(m->verdict) : outcome_name(o);
    json_t *list, *entry;
    char id[RECORD_ID_TEXT];

    (void)part;
    (void)line;
    (void)bytes;
    (void)n;
    if (o == OUTCOME_SENT || m->verdict == VERDICT_HELD || m->verdict == VERDICT_VOID)
        return;
    if ((list = json_object_get(b->lists, name)) == NULL) {
        json_object_set_new(b->lists, name, json_array());
        list = json_object_get(b->lists, name);
    }
    if (json_array_size(list) >= 1000)
        return; /* a report is for people; the manifest has them all */
    merge_id_text(&b->merge.feeds[m->feed], m->seq, id);
    entry = json_pack("{s:s, s:s}", "id", id, "rule", m->rule);
    if (m->has_other) {
        merge_id_text(&b->merge.feeds[m->other_feed], m->other_seq, id);
        json_object_set_new(entry, "of", json_string(id));
    }
    if (why[0])
        json_object_set_new(entry, "why", json_string(why));
    json_array_append_new(list, entry);
}

static void plan_run(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct export_out to = { b, NULL, list_anomaly };

    b->lists = json_object();
    run_export(b, &to);
}

static json_t *desks_of(const struct merge_job *m)
{
    json_t *all = json_object(), *out = json_array();
    const char *name;
    json_t *v;

    for (unsigned i = 0; i < m->n_feeds; i++) {
        const struct merge_feed *f = &m->feeds[i];
        json_int_t n = f->to >= f->from ? (json_int_t)(f->to - f->from + 1) : 0;
        json_t *old = json_object_get(all, f->desk);
        if (n > 0)
            json_object_set_new(all, f->desk, json_integer(n + json_integer_value(old)));
    }
    json_object_foreach(all, name, v)
        json_array_append_new(out, json_pack("{s:s, s:I}", "desk", name, "records",
                                             json_integer_value(v)));
    json_decref(all);
    return out;
}

static json_t *counts_json(const struct batch_job *b)
{
    const struct export_result *r = &b->result;
    json_t *o = json_object(), *send = json_object();
    json_int_t voids = (json_int_t)(r->verdicts[VERDICT_VOID] + r->verdicts[VERDICT_IDLE_VOID]);
    char at[36];

    for (unsigned k = RECORD_CHECKOUT; k <= RECORD_INHOUSE; k++)
        json_object_set_new(send, record_kind_name(k), json_integer((json_int_t)r->sent[k]));
    json_object_update_new(
        o, json_pack("{s:i, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:I}", "schema", 1, "slot",
                     (json_int_t)b->merge.slot, "total", (json_int_t)r->records, "send", send,
                     "send_total", (json_int_t)r->outcomes[OUTCOME_SENT], "held",
                     (json_int_t)r->verdicts[VERDICT_HELD], "waits",
                     (json_int_t)r->verdicts[VERDICT_WAITS], "duplicates",
                     (json_int_t)r->verdicts[VERDICT_DUPLICATE], "voided",
                     (json_int_t)r->verdicts[VERDICT_VOIDED]));
    json_object_update_new(
        o, json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:s}", "voids", voids, "late_voids",
                     (json_int_t)r->verdicts[VERDICT_LATE_VOID], "superseded",
                     (json_int_t)r->verdicts[VERDICT_SUPERSEDED], "review",
                     (json_int_t)r->verdicts[VERDICT_REVIEW], "uncarried",
                     (json_int_t)r->outcomes[OUTCOME_UNCARRIED], "unwritable",
                     (json_int_t)r->outcomes[OUTCOME_UNWRITABLE], "behind",
                     (json_int_t)r->outcomes[OUTCOME_BEHIND], "desks", desks_of(&b->merge),
                     "format", b->merge.policy.format));
    if (r->records > 0) {
        rfc3339_format(r->first_ms, 0, at);
        json_object_set_new(o, "first", json_string(at));
        rfc3339_format(r->last_ms, 0, at);
        json_object_set_new(o, "last", json_string(at));
    }
    return o;
}

static void plan_done(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    json_t *o;

    if (b->err != ERR_OK) {
        fail_request(j->node, b, b->rq, &b->msg);
        return;
    }
    o = counts_json(b);
    json_object_set(o, "lists", b->lists);
    json_object_update(o, b->more);
    api_json(b->rq, 200, o);
    batch_free(b);
}

static json_t *missing_desks(const struct node *n)
{
    struct moment now = node_now();
    json_t *all = json_array();

    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view v;
        const struct desk *d;
        core_peer_view(n->core, &now, i, &v);
        d = roster_find(core_roster(n->core), &v.id);
        if (v.state == PEER_REVOKED || (v.state == PEER_ONLINE && v.missing == 0))
            continue;
        json_array_append_new(all, json_pack("{s:s, s:o, s:I}", "desk", d ? d->name : "?",
                                             "last_seen_s",
                                             v.ever_heard
                                                 ? json_integer((json_int_t)v.silent_ms / 1000)
                                                 : json_null(),
                                             "missing", (json_int_t)v.missing));
    }
    return all;
}

void upload_plan(struct node *n, struct http_request *rq)
{
    struct errmsg msg = { .text = "" };
    struct batch_job *b = batch_new(n, NULL, &msg);

    if (!b) {
        fail_request(n, NULL, rq, &msg);
        return;
    }
    b->rq = rq;
    b->more = json_pack("{s:o, s:s}", "missing", missing_desks(n), "sink", b->merge.policy.sink);
    b->job.run = plan_run;
    b->job.done = plan_done;
    node_start_job(n, &b->job);
}

static json_t *receipt_json(const struct node *n, const struct receipt *r, const struct intent *in)
{
    const struct roster *ros = core_roster(n->core);
    const struct desk *d = roster_find(ros, &r->desk);
    json_t *by = json_array(), *parts = json_array();
    char at[36], sha[65] = "";

    for (unsigned i = 0; i < r->n_accepted; i++) {
        const struct desk *seat = roster_find(ros, &r->accepted[i].desk);
        json_array_append_new(by, json_string(seat ? seat->name : "?"));
    }
    for (unsigned i = 0; i < in->n_parts; i++) {
        hex_encode(in->parts[i].sha256, 32, sha);
        json_array_append_new(parts, json_pack("{s:s, s:I, s:I, s:s}", "part", in->parts[i].suffix,
                                               "lines", (json_int_t)in->parts[i].lines, "bytes",
                                               (json_int_t)in->parts[i].bytes, "sha256", sha));
    }
    rfc3339_format(r->at_ms, 0, at);
    return json_pack("{s:s, s:s, s:s, s:o, s:o, s:s, s:I, s:s}", "desk", d ? d->name : "?", "file",
                     r->evidence, "sha256", sha, "accepted_by", by, "parts", parts, "at", at,
                     "term", (json_int_t)r->term, "sink", in->sink);
}

void upload_report(struct node *n, struct http_request *rq, uint64_t slot)
{
    struct errmsg msg = { .text = "" };
    struct buf bytes = { 0 };
    struct receipt r;
    struct intent in = { 0 };
    struct batch_job *b = NULL;
    enum err e = ERR_MISSING;
    uint64_t s = slot ? slot : ledger_decided(core_ledger(n->core));

    for (; s > 0; s--) { /* the newest upload, or just the slot asked for */
        intent_free(&in);
        if ((e = ledger_receipt(core_ledger(n->core), s, &bytes)) != ERR_OK ||
            (e = receipt_decode(bytes.p, bytes.len, &r, &msg)) != ERR_OK ||
            (e = intent_decode(r.intent, r.intent_len, &in, &msg)) != ERR_OK)
            break;
        e = in.type == SLOT_UPLOAD ? ERR_OK : ERR_MISSING;
        if (e == ERR_OK || slot)
            break;
    }
    if (s == 0 || e == ERR_MISSING) {
        e = err_why(&msg, ERR_MISSING, "no_upload", "", "nothing has been uploaded yet");
    } else if (e == ERR_OK && (b = batch_new(n, &in, &msg)) != NULL) {
        b->rq = rq;
        b->more = receipt_json(n, &r, &in);
        b->job.run = plan_run;
        b->job.done = plan_done;
    }
    intent_free(&in);
    buf_free(&bytes);
    if (b)
        node_start_job(n, &b->job);
    else
        api_error(n, rq, e == ERR_OK ? ERR_BUSY : e, &msg);
}

/* ---- export and list: streamed through an unlinked file beside our state ---- */

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

    if (b->err == ERR_OK && fflush(b->out) == 0)
        fd = dup(fileno(b->out));
    if (fd < 0 || (size = lseek(fd, 0, SEEK_END)) < 0 || lseek(fd, 0, SEEK_SET) != 0) {
        if (fd >= 0)
            close(fd);
        if (b->err == ERR_OK)
            b->err = err_set(&b->msg, ERR_DISK, "no room for the answer: %s", strerror(errno));
        fail_request(b->job.node, b, b->rq, &b->msg);
        return;
    }
    http_answer_fd(b->rq, type, fd, (uint64_t)size);
    batch_free(b);
}

static enum err out_bytes(void *ctx, unsigned part, const uint8_t *p, size_t n, struct errmsg *msg)
{
    struct batch_job *b = ctx;

    if (part == 1 && fwrite(p, 1, n, b->out) != n)
        return err_set(msg, ERR_DISK, "no room for the export: %s", strerror(errno));
    return ERR_OK;
}

static void export_job_run(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct export_out to = { b, out_bytes, NULL };

    run_export(b, &to);
}

static void export_job_done(struct job *j)
{
    answer_scratch((struct batch_job *)j, "application/octet-stream");
}

void upload_export(struct node *n, struct http_request *rq, const char *format)
{
    struct errmsg msg = { .text = "" };
    struct batch_job *b;

    if (!format_by_name(format)) {
        err_why(&msg, ERR_INVALID, "unknown_format", "format",
                "this version writes the format symphony");
        api_error(n, rq, ERR_INVALID, &msg);
        return;
    }
    if ((b = batch_new(n, NULL, &msg)) == NULL || (b->out = scratch(n)) == NULL) {
        if (b)
            b->err = err_set(&msg, ERR_DISK, "no room beside the state: %s", strerror(errno));
        fail_request(n, b, rq, &msg);
        return;
    }
    snprintf(b->merge.policy.format, sizeof b->merge.policy.format, "%s", format);
    b->rq = rq;
    b->job.run = export_job_run;
    b->job.done = export_job_done;
    node_start_job(n, &b->job);
}

/* The list is every decided slot in turn and then what is pending, each in merged order. */
struct list_job {
    struct batch_job b; /* first */
    unsigned n_jobs;
    struct merge_job *jobs;
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

static void list_line(void *ctx, const struct merged *m, enum outcome o, unsigned part,
                      uint64_t line, const uint8_t *bytes, size_t n, const char *why)
{
    struct batch_job *b = ctx;
    json_t *e;
    char id[RECORD_ID_TEXT], *text;

    (void)part;
    (void)line;
    (void)bytes;
    (void)n;
    (void)why;
    if (++b->n <= b->after)
        return;
    merge_id_text(&b->merge.feeds[m->feed], m->seq, id);
    e = json_pack("{s:I, s:s, s:s, s:s, s:I}", "n", (json_int_t)b->n, "id", id, "desk",
                  b->merge.feeds[m->feed].desk, "state", list_state(b, m, o), "slot",
                  (json_int_t)b->merge.slot);
    record_to_json(&m->rec, e);
    if (m->rule[0])
        json_object_set_new(e, "rule", json_string(m->rule));
    if (m->has_other) {
        merge_id_text(&b->merge.feeds[m->other_feed], m->other_seq, id);
        json_object_set_new(e, "other", json_string(id));
    }
    if ((text = json_dumps(e, JSON_COMPACT)) != NULL)
        fprintf(b->out, "%s\n", text);
    free(text);
    json_decref(e);
}

static void list_run(struct job *j)
{
    struct list_job *l = (struct list_job *)j;
    struct export_out to = { &l->b, NULL, list_line };

    for (unsigned i = 0; i <= l->n_jobs && l->b.err == ERR_OK; i++) {
        struct merge_job keep = l->b.merge;
        if (i < l->n_jobs)
            l->b.merge = l->jobs[i];
        l->b.state_sent = i < l->n_jobs ? "delivered" : "pending";
        run_export(&l->b, &to);
        l->b.merge = keep;
    }
}

static void list_done(struct job *j)
{
    struct list_job *l = (struct list_job *)j;

    for (unsigned i = 0; i < l->n_jobs; i++)
        merge_job_free(&l->jobs[i]);
    free(l->jobs);
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
        if (in.type == SLOT_UPLOAD &&
            (e = core_merge_job(n->core, &in, &l->jobs[l->n_jobs], msg)) == ERR_OK)
            l->n_jobs++;
        intent_free(&in);
    }
    buf_free(&bytes);
    return e;
}

void upload_list(struct node *n, struct http_request *rq, uint64_t after)
{
    struct errmsg msg = { .text = "" };
    struct list_job *l = calloc(1, sizeof *l);
    uint64_t slots = ledger_decided(core_ledger(n->core));
    enum err e = l ? core_merge_job(n->core, NULL, &l->b.merge, &msg) : ERR_NOMEM;

    if (e == ERR_OK && ((l->jobs = calloc(slots ? slots : 1, sizeof *l->jobs)) == NULL ||
                        (l->b.out = scratch(n)) == NULL))
        e = err_set(&msg, ERR_DISK, "no room for the list: %s", strerror(errno));
    for (uint64_t s = 1; e == ERR_OK && s <= slots; s++)
        e = add_slot(n, l, s, &msg);
    if (e != ERR_OK) {
        for (unsigned i = 0; l && i < l->n_jobs; i++)
            merge_job_free(&l->jobs[i]);
        if (l) {
            free(l->jobs);
            batch_free(&l->b);
        }
        api_error(n, rq, e, &msg);
        return;
    }
    l->b.rq = rq;
    l->b.after = after;
    l->b.job.run = list_run;
    l->b.job.done = list_done;
    node_start_job(n, &l->b.job);
}
