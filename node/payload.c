/* payload.c - the files of one upload: written, indexed, looked up line by line. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "losses.h"
#include "payload_int.h"

/* ---- writing ---- */

/* Plain text of users and items: without a name, so that no copy of the state directory has it, and
 * nothing of it is left when the process dies. */
static enum err open_one(const struct payload *p, FILE **f, struct errmsg *msg)
{
    char path[4096];
    int fd;

    snprintf(path, sizeof path, "%.3900s/uploads/.part-XXXXXX", p->batch->job.node->dir);
    if ((fd = mkostemp(path, O_CLOEXEC)) < 0) /* mode 0600 */
        return err_set(msg, errno == ENOSPC ? ERR_FULL : ERR_DISK, "cannot write %.120s: %s", path,
                       strerror(errno));
    unlink(path);
    if ((*f = fdopen(fd, "w+b")) != NULL)
        return ERR_OK;
    close(fd);
    return err_set(msg, ERR_NOMEM, "out of memory");
}

static enum err disk_says(struct errmsg *msg)
{
    return err_set(msg, errno == ENOSPC ? ERR_FULL : ERR_DISK, "cannot write the batch: %s",
                   strerror(errno));
}

static enum err file_bytes(void *ctx, unsigned file, const uint8_t *bytes, size_t n,
                           struct errmsg *msg)
{
    struct payload *p = ctx;
    enum err e;

    if (!p->file[file] && (e = open_one(p, &p->file[file], msg)) != ERR_OK)
        return e;
    if (fwrite(bytes, 1, n, p->file[file]) != n)
        return disk_says(msg);
    p->at[file] += n;
    return ERR_OK;
}

/* E4: most formats have no place for our record ids, so the manifest stays with us. */
static void manifest_line(struct payload *p, const struct merged *m, enum outcome o, unsigned file,
                          uint64_t line, const uint8_t *bytes, size_t n, const char *why)
{
    uint8_t sha[32];
    char id[RECORD_ID_TEXT], hex[65] = "-", name[16] = "users";

    if (file == 1)
        snprintf(name, sizeof name, "log");
    else if (file > 1)
        snprintf(name, sizeof name, "log%u", file);
    merge_id_text(&p->batch->merge.feeds[m->feed], m->seq, id);
    if (o == OUTCOME_SENT) {
        crypto_hash_sha256(sha, bytes, n);
        hex_encode(sha, sizeof sha, hex);
        fprintf(p->manifest, "%s\t%llu\t%s\t%s\n", name, (unsigned long long)line, id, hex);
    } else {
        fprintf(p->manifest, "-\t0\t%s\t%s%s%s%s\n", id,
                o == OUTCOME_NOT_SENT ? verdict_name(m->verdict) : outcome_name(o),
                m->rule[0] ? " " : "", m->rule, why[0] ? " unwritable" : "");
    }
}

static void one_record(void *ctx, const struct merged *m, enum outcome o, unsigned file,
                       uint64_t line, const uint8_t *bytes, size_t n, const char *why)
{
    struct payload *p = ctx;
    const struct merge_job *job = &p->batch->merge;
    struct payload_line l = { .n = (uint32_t)n, .file = (uint8_t)file };
    unsigned part = file > 0;

    manifest_line(p, m, o, file, line, bytes, n, why);
    if (o != OUTCOME_SENT)
        return;
    l.offset = p->at[file] - n;
    l.kind = (uint8_t)m->rec.kind;
    l.ref = (struct record_ref){ job->feeds[m->feed].feed, m->seq };
    holds_digest(job->branch, 'i', m->rec.item, l.item);
    holds_digest(job->branch, 'c', m->rec.user, l.user);
    fwrite(&l, sizeof l, 1, p->index[part]); /* looked at once, with ferror(), at the end */
    p->lines[part]++;
}

static enum err open_files(struct payload *p, struct errmsg *msg)
{
    const struct node *n = p->batch->job.node;
    char path[4096], words[LOSS_SENTENCE_MAX];
    enum err e;

    snprintf(path, sizeof path, "%.3900s/uploads", n->dir);
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return err_set(msg, ERR_DISK, "cannot make %.120s: %s", path, strerror(errno));
    snprintf(path, sizeof path, "%.3900s/uploads/slot-%06llu.manifest", n->dir,
             (unsigned long long)p->slot);
    if ((p->manifest = fopen(path, "wb")) == NULL)
        return err_set(msg, ERR_DISK, "cannot write %.120s: %s", path, strerror(errno));
    for (unsigned i = 0; i < 2; i++)
        if ((e = open_one(p, &p->index[i], msg)) != ERR_OK)
            return e;
    fprintf(p->manifest, "# tideover manifest 1\tbranch %s\tslot %llu\tepoch %u\tformat %s%s\n",
            p->batch->merge.code, (unsigned long long)p->slot, p->batch->merge.epoch,
            p->batch->merge.policy.format,
            format_unverified_words(&p->batch->merge.policy, words) ? "\tunverified" : "");
    return ERR_OK;
}

static bool flushed(FILE *f)
{
    return !f || (fflush(f) == 0 && !ferror(f) && fsync(fileno(f)) == 0);
}

static enum err flush_files(struct payload *p, struct errmsg *msg)
{
    const struct export_result *r = &p->batch->result;
    bool ok = true;

    for (unsigned i = 0; i < r->n_parts; i++) {
        char hex[65];
        hex_encode(r->parts[i].sha256, 32, hex);
        fprintf(p->manifest, "# part %s\tlines %llu\tbytes %llu\tsha256 %s\n", r->parts[i].suffix,
                (unsigned long long)r->parts[i].lines, (unsigned long long)r->parts[i].bytes, hex);
    }
    for (unsigned l = 0; l < LOSS_COUNT; l++)
        if (r->lost[l] > 0)
            fprintf(p->manifest, "# loss %s\trecords %llu\n", loss_name(l),
                    (unsigned long long)r->lost[l]);
    for (unsigned i = 0; i < PAYLOAD_FILES; i++)
        ok = ok && flushed(p->file[i]);
    for (unsigned i = 0; i < 2; i++)
        ok = ok && fflush(p->index[i]) == 0 && !ferror(p->index[i]);
    ok = ok && flushed(p->manifest);
    return ok ? ERR_OK : disk_says(msg);
}

/* The digest was agreed on before; other bytes here would be a mistake of ours, never to be sent.
 */
static bool is_agreed(const struct payload *p)
{
    const struct export_result *r = &p->batch->result;
    bool same = r->n_parts == p->n_want;

    for (unsigned i = 0; same && i < p->n_want; i++)
        same = memcmp(r->parts[i].sha256, p->want[i].sha256, 32) == 0 &&
               r->parts[i].bytes == p->want[i].bytes;
    return same;
}

static void name_files(struct payload *p)
{
    const struct export_result *r = &p->batch->result;

    for (unsigned i = 0; i < r->n_parts; i++) {
        export_file_name(&p->batch->merge, r, i, p->out[i].name);
        p->out[i].fd = fileno(p->file[p->file[0] ? i : i + 1]);
        p->out[i].part = r->parts[i];
    }
}

enum err payload_build(struct payload *p, struct errmsg *msg)
{
    struct export_out to = { .ctx = p, .bytes = file_bytes, .record = one_record };
    enum err e = open_files(p, msg);

    if (e != ERR_OK)
        return e;
    batch_export(p->batch, &to);
    if (p->batch->err != ERR_OK)
        return err_set(msg, p->batch->err, "%s", p->batch->msg.text);
    if ((e = flush_files(p, msg)) != ERR_OK)
        return e;
    fclose(p->manifest);
    p->manifest = NULL;
    if (!is_agreed(p))
        return err_set(msg, ERR_BUG,
                       "this desk computes other bytes than were agreed on: nothing was sent. "
                       "Compare the versions of tideover on the desks");
    name_files(p);
    p->built = true;
    return ERR_OK;
}

/* ---- reading ---- */

uint64_t payload_lines(const struct payload *p)
{
    return p->lines[0] + p->lines[1];
}

enum err payload_line(const struct payload *p, uint64_t k, struct payload_line *out)
{
    bool users = k <= p->lines[0];
    uint64_t row = (users ? k : k - p->lines[0]) - 1;

    if (k == 0 || k > payload_lines(p))
        return ERR_MISSING;
    return pread(fileno(p->index[!users]), out, sizeof *out, (off_t)(row * sizeof *out)) ==
                   (ssize_t)sizeof *out
               ? ERR_OK
               : ERR_DISK;
}

enum err payload_bytes(struct payload *p, const struct payload_line *l, const uint8_t **bytes)
{
    buf_reset(&p->line);
    if (!buf_grow(&p->line, l->n))
        return ERR_NOMEM;
    *bytes = p->line.p;
    return pread(fileno(p->file[l->file]), p->line.p, l->n, (off_t)l->offset) == (ssize_t)l->n
               ? ERR_OK
               : ERR_DISK;
}

unsigned payload_part(const struct payload *p, unsigned file)
{
    return p->file[0] ? file : file - 1;
}

/* ---- beginning and end ---- */

struct payload *payload_new(struct node *n, const struct intent *in, const uint8_t hash[HASH_BYTES],
                            struct errmsg *msg)
{
    struct payload *p = calloc(1, sizeof *p);
    char hex[9];

    if (!p || (p->holds = holds_new()) == NULL) {
        err_set(msg, ERR_NOMEM, "out of memory");
    } else if ((p->batch = batch_new(n, in, msg)) != NULL) {
        memcpy(p->intent, hash, HASH_BYTES);
        p->slot = in->slot;
        snprintf(p->sink, sizeof p->sink, "%s", in->sink);
        hex_encode(hash, 4, hex);
        snprintf(p->name, sizeof p->name, "%s-e%u-s%06llu-%s", p->batch->merge.code,
                 in->epoch.number, (unsigned long long)in->slot, hex);
        p->n_want = in->n_parts;
        memcpy(p->want, in->parts, sizeof p->want);
        return p;
    }
    payload_free(p);
    return NULL;
}

/* What is left of it is one descriptor: to let go of a gigabyte that has no name takes its time. */
static void close_file(struct payload *p, FILE **f)
{
    int fd = *f ? fcntl(fileno(*f), F_DUPFD_CLOEXEC, 0) : -1;

    if (fd >= 0)
        p->left[p->n_left++] = fd;
    if (*f)
        fclose(*f);
    *f = NULL;
}

void payload_close(struct payload *p)
{
    for (unsigned i = 0; i < PAYLOAD_FILES; i++)
        close_file(p, &p->file[i]);
    for (unsigned i = 0; i < 2; i++)
        close_file(p, &p->index[i]);
    if (p->manifest)
        fclose(p->manifest);
    p->manifest = NULL;
}

void payload_remove(struct payload *p)
{
    while (p->n_left > 0)
        close(p->left[--p->n_left]);
}

void payload_free(struct payload *p)
{
    if (!p)
        return;
    payload_close(p);
    payload_remove(p);
    if (p->batch)
        batch_free(p->batch);
    holds_free(p->holds);
    buf_wipe(&p->line);
    free(p);
}
