/* upload.c - the upload's two jobs: computing the payload's digests, and handing the payload over.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "batch_int.h"

/* ---- EFFECT_BUILD: the payload's digests ---- */

static void build_run(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct export_out nowhere = { .aside = &b->aside };

    batch_export(b, &nowhere);
}

static void build_done(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct node *n = j->node;
    struct moment now = node_now();
    struct slot_aside aside = { .n = b->aside.n };

    asides_hash(&b->aside, aside.hash);
    if (!n->stopped)
        core_built(n->core, &now, b->number, b->result.parts, b->result.n_parts, &aside,
                   b->err == ERR_OK ? NULL : b->msg.text);
    if (n->upload_job == j)
        n->upload_job = NULL;
    batch_free(b);
}

static void could_not_begin(struct node *n, uint64_t number, bool build, const struct errmsg *msg)
{
    n->unbegun.number = number;
    n->unbegun.build = build;
    snprintf(n->unbegun.why, sizeof n->unbegun.why, "%s", msg->text);
}

void upload_say_unbegun(struct node *n)
{
    struct moment now = node_now();

    if (n->unbegun.number == 0 || n->stopped)
        return;
    if (n->unbegun.build)
        core_built(n->core, &now, n->unbegun.number, NULL, 0, &(struct slot_aside){ 0 },
                   n->unbegun.why);
    else
        core_delivered(n->core, &now, n->unbegun.number, DELIVERY_RETRY, n->unbegun.why);
    n->unbegun.number = 0;
}

void upload_build(struct node *n, uint64_t number, const struct buf *draft)
{
    struct errmsg msg = { .text = "" };
    struct intent in;
    struct batch_job *b = NULL;

    if (intent_decode(draft->p, draft->len, &in, &msg) == ERR_OK) {
        b = batch_new(n, &in, &msg);
        intent_free(&in);
    }
    if (!b) {
        could_not_begin(n, number, true, &msg);
        return;
    }
    b->number = number;
    b->job.run = build_run;
    b->job.done = build_done;
    n->upload_job = &b->job;
    node_start_job(n, &b->job);
}

/* ---- EFFECT_DELIVER: the payload itself ---- */

static enum err open_part(struct batch_job *b, unsigned file, struct errmsg *msg)
{
    snprintf(b->part_path[file], sizeof b->part_path[file], "%.4000s/uploads/slot-%llu-%llu.part%u",
             b->job.node->dir, (unsigned long long)b->slot, (unsigned long long)b->number, file);
    if ((b->part[file] = fopen(b->part_path[file], "wb")) == NULL)
        return err_set(msg, ERR_DISK, "cannot write %.200s: %s", b->part_path[file],
                       strerror(errno));
    return ERR_OK;
}

static enum err part_bytes(void *ctx, unsigned file, const uint8_t *p, size_t n, struct errmsg *msg)
{
    struct batch_job *b = ctx;
    enum err e;

    if (!b->part[file] && (e = open_part(b, file, msg)) != ERR_OK)
        return e;
    if (fwrite(p, 1, n, b->part[file]) != n)
        return err_set(msg, errno == ENOSPC ? ERR_FULL : ERR_DISK, "cannot write the batch: %s",
                       strerror(errno));
    return ERR_OK;
}

/* E4: a Symphony log has no place for our record ids, so the manifest stays with us. */
static void manifest_line(void *ctx, const struct merged *m, enum outcome o, unsigned file,
                          uint64_t line, const uint8_t *bytes, size_t n, const char *why)
{
    struct batch_job *b = ctx;
    uint8_t sha[32];
    char id[RECORD_ID_TEXT], hex[65] = "-", name[16] = "users";

    if (file == 1)
        snprintf(name, sizeof name, "log");
    else if (file > 1)
        snprintf(name, sizeof name, "log%u", file);

    merge_id_text(&b->merge.feeds[m->feed], m->seq, id);
    if (o == OUTCOME_SENT) {
        crypto_hash_sha256(sha, bytes, n);
        hex_encode(sha, sizeof sha, hex);
        fprintf(b->manifest, "%s\t%llu\t%s\t%s\n", name, (unsigned long long)line, id, hex);
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

    for (unsigned i = 0; i < BATCH_FILES; i++) {
        if (!b->part[i])
            continue;
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

/* The digest was agreed on before; other bytes here would be a mistake of ours, never to be sent.
 */
static bool is_agreed(const struct batch_job *b)
{
    bool same = b->result.n_parts == b->n_want;

    for (unsigned i = 0; same && i < b->n_want; i++)
        same = memcmp(b->result.parts[i].sha256, b->want[i].sha256, 32) == 0 &&
               b->result.parts[i].bytes == b->want[i].bytes;
    return same;
}

static bool may_send(void *ctx)
{
    const struct batch_job *b = ctx;
    struct node *n = b->job.node;
    struct moment now = node_now();
    bool may;

    pthread_mutex_lock(&n->lock);
    may = b->number == n->sending && now.boot_ms < n->sending_until_ms;
    pthread_mutex_unlock(&n->lock);
    return may;
}

static void hand_over(struct batch_job *b)
{
    struct sink_file *files = calloc(SLOT_PARTS_MAX, sizeof *files);
    struct sink_batch batch = {
        .writer = b->writer, .files = files, .may_send = may_send, .ctx = b
    };

    if (!files) {
        b->delivery = DELIVERY_RETRY;
        snprintf(b->words, sizeof b->words, "out of memory");
        return;
    }
    for (unsigned i = 0; i < b->result.n_parts; i++) {
        struct sink_file *f = &files[batch.n_files];
        if (b->item > 0 && b->item != i + 1)
            continue;
        batch.n_files++;
        export_file_name(&b->merge, &b->result, i, f->name);
        snprintf(f->path, sizeof f->path, "%s", b->part_path[b->part_path[0][0] ? i : i + 1]);
        f->part = b->result.parts[i];
    }
    if (batch.n_files == 0) { /* all of it was voided, held or doubled: nothing to hand over */
        b->delivery = DELIVERY_DONE;
        snprintf(b->words, sizeof b->words, "nothing to hand over");
    } else {
        b->delivery = b->look ? sink_look(b->sink, &batch, b->words)
                              : sink_deliver(b->sink, &batch, b->words);
    }
    free(files);
}

void upload_clean(const struct node *n)
{
    char dir[4096], path[4096 + 300];
    const struct dirent *e;
    DIR *d;

    snprintf(dir, sizeof dir, "%s/uploads", n->dir);
    if ((d = opendir(dir)) == NULL)
        return;
    while ((e = readdir(d)) != NULL) /* plain text that a killed node could not take away */
        if (strstr(e->d_name, ".part")) {
            snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
            unlink(path);
        }
    closedir(d);
}

static void deliver_run(struct job *j)
{
    struct batch_job *b = (struct batch_job *)j;
    struct export_out to = { b, part_bytes, manifest_line, NULL };

    b->delivery = DELIVERY_RETRY;
    if ((b->err = open_files(b, &b->msg)) == ERR_OK) {
        batch_export(b, &to);
        if (b->err == ERR_OK && !flush_files(b))
            b->err = err_set(&b->msg, ERR_DISK, "cannot flush the batch: %s", strerror(errno));
    }
    if (b->err != ERR_OK) {
        snprintf(b->words, sizeof b->words, "%s", b->msg.text);
    } else if (!is_agreed(b)) {
        b->delivery = DELIVERY_STOP;
        snprintf(
            b->words, sizeof b->words,
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

/* A dead uploader and its successor may be writing at one time: never to one name. */
static void name_writer(const struct node *n, uint64_t number, char out[64])
{
    struct core_view v;
    struct moment now = node_now();
    char hex[17];

    core_view(n->core, &now, &v);
    hex_encode(n->me.id.b, 8, hex);
    snprintf(out, 64, "%s-%llu-%llu", hex, (unsigned long long)v.start, (unsigned long long)number);
}

void upload_deliver(struct node *n, uint64_t number, uint64_t item, bool look,
                    const struct buf *intent)
{
    struct errmsg msg = { .text = "" };
    struct intent in;
    struct batch_job *b = NULL;

    if (intent_decode(intent->p, intent->len, &in, &msg) == ERR_OK) {
        if ((b = batch_new(n, &in, &msg)) != NULL) {
            snprintf(b->sink, sizeof b->sink, "%s", in.sink);
            b->item = item;
            b->look = look;
            b->number = number;
            name_writer(n, number, b->writer);
            b->slot = in.slot;
            b->n_want = in.n_parts;
            memcpy(b->want, in.parts, sizeof b->want);
            b->job.run = deliver_run;
            b->job.done = deliver_done;
        }
        intent_free(&in);
    }
    if (!b) {
        could_not_begin(n, number, false, &msg);
        return;
    }
    n->upload_job = &b->job;
    node_start_job(n, &b->job);
}
