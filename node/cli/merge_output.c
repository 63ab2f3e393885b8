/* merge_output.c - what a merge makes: temporary files that have no name, and files that are whole
 * under theirs or not there. */
#include "helper_thread.h"
#include "merging.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- temporary files: unlinked at once, so that nothing of them outlives the program ---- */

static enum err tmp_open(struct merge_tmp *t, struct errmsg *msg)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s/.tideover-merge-XXXXXX", t->m->tmp_dir) >= (int)sizeof path)
        return err_set(msg, ERR_INVALID, "the directory's name is too long");
    t->fd = mkostemp(path, O_CLOEXEC); /* mode 0600 */
    if (t->fd < 0)
        return err_set(msg, ERR_DISK, "cannot make a temporary file in %s: %s", t->m->tmp_dir,
                       strerror(errno));
    unlink(path);
    return ERR_OK;
}

static enum err tmp_append(void *ctx, const void *p, size_t n, struct errmsg *msg)
{
    struct merge_tmp *t = ctx;
    const uint8_t *b = p;
    enum err e = t->fd < 0 ? tmp_open(t, msg) : ERR_OK;

    while (e == ERR_OK && n > 0) {
        ssize_t done = pwrite(t->fd, b, n, (off_t)t->bytes);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return err_set(msg, errno == ENOSPC ? ERR_FULL : ERR_DISK,
                           "no room for temporary files in %s (%s): --tmp names another directory",
                           t->m->tmp_dir, strerror(errno));
        t->bytes += (uint64_t)done;
        b += done;
        n -= (size_t)done;
    }
    return e;
}

static enum err tmp_read(void *ctx, uint64_t at, void *p, size_t n, struct errmsg *msg)
{
    const struct merge_tmp *t = ctx;
    uint8_t *b = p;

    while (n > 0) {
        ssize_t got = pread(t->fd, b, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return err_set(msg, ERR_DISK, "a temporary file cannot be read: %s",
                           got < 0 ? strerror(errno) : "it is too short");
        b += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return ERR_OK;
}

void merge_tmp_lend(struct merging *m, struct spill out[POOL_SPILLS])
{
    for (unsigned i = 0; i < POOL_SPILLS; i++) {
        m->tmp[i] = (struct merge_tmp){ .m = m, .fd = -1 };
        out[i] = (struct spill){ &m->tmp[i], tmp_append, tmp_read };
    }
}

void merge_tmp_close(struct merging *m)
{
    for (unsigned i = 0; i < POOL_SPILLS; i++)
        if (m->tmp[i].m != NULL && m->tmp[i].fd >= 0)
            close(m->tmp[i].fd);
}

/* ---- files ---- */

/* "week.txt" goes on as "week.2.txt": a loader may go by the end. */
static void name_part(const char *out, unsigned number, char *path, size_t room)
{
    const char *slash = strrchr(out, '/'), *name = slash != NULL ? slash + 1 : out;
    const char *dot = strrchr(name, '.'),
               *end = dot != NULL && dot > name ? dot : name + strlen(name);

    snprintf(path, room, "%.*s.%u%s", (int)(end - out), out, number, end);
}

static int open_file(struct merging *m, unsigned which)
{
    static const char *const suffix[] = { "", ".users", ".unknown", ".report" };
    struct merge_file *f = &m->file[which];
    const char *out = m->c->value[OPT_OUT];
    size_t room = strlen(out) + 16;
    int rc, fd;

    if ((f->path = malloc(room)) == NULL)
        return cli_fail(m->c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    if (which < MERGE_MORE)
        snprintf(f->path, room, "%s%s", out, suffix[which]);
    else
        name_part(out, which - MERGE_MORE + 2, f->path, room);
    f->target = (struct target){ .path = f->path, .fd = -1 };
    if ((rc = target_open(m->c, &f->target)) != 0)
        return rc;
    fd = dup(f->target.fd);
    f->to = fd >= 0 ? fdopen(fd, "w") : NULL;
    return f->to != NULL ? 0 : cli_fail(m->c, err_exit(ERR_NOMEM), "nomem", "out of memory");
}

FILE *merge_stream(struct merging *m, unsigned which)
{
    struct merge_file *f = &m->file[which];

    if (f->to == NULL && (f->path != NULL || open_file(m, which) != 0))
        return NULL;
    return f->to;
}

int merge_out_open(struct merging *m)
{
    struct merge_tmp t = { .m = m, .fd = -1 };
    struct errmsg msg;
    enum err e;
    int rc;

    if (strcmp(m->c->value[OPT_OUT], "-") == 0)
        return cli_usage(m->c, "--out needs a file: reports and unknown lines stand beside it");
    if ((rc = open_file(m, MERGE_OUT)) != 0 || (rc = open_file(m, MERGE_REPORT)) != 0)
        return rc;
    if ((e = tmp_open(&t, &msg)) != ERR_OK)
        return cli_err(m->c, e, &msg);
    m->details = fdopen(t.fd, "w+");
    return m->details != NULL ? 0 : cli_fail(m->c, err_exit(ERR_NOMEM), "nomem", "out of memory");
}

/* ---- the merged log ---- */

/* Files of the export: 0 of users, 1 and on of the log. */
static enum err on_bytes(void *ctx, unsigned file, const uint8_t *p, size_t n, struct errmsg *msg)
{
    struct merging *m = ctx;
    unsigned which = file == 0 ? MERGE_USERS : file == 1 ? MERGE_OUT : MERGE_MORE + file - 2;
    FILE *to = merge_stream(m, which);

    if (to == NULL || fwrite(p, 1, n, to) != n)
        return err_set(msg, errno == ENOSPC ? ERR_FULL : ERR_DISK, "cannot write %s: %s",
                       m->file[which].path != NULL ? m->file[which].path : "the log",
                       strerror(errno));
    return ERR_OK;
}

static void on_record(void *ctx, const struct merged *r, enum outcome o, unsigned file,
                      uint64_t line, const uint8_t *bytes, size_t n, const char *why)
{
    struct merging *m = ctx;

    (void)r;
    (void)o;
    (void)file;
    (void)line;
    (void)bytes;
    (void)n;
    snprintf(m->why, sizeof m->why, "%s", why);
}

static enum err write_all(struct merging *m, struct export *x, struct errmsg *msg)
{
    struct pooled *p = malloc(sizeof *p);
    enum err e = p != NULL ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");

    while (e == ERR_OK && (e = pool_next(m->pool, p, msg)) == ERR_OK) {
        char id[RECORD_ID_TEXT], hex[9];
        enum outcome o;
        sodium_bin2hex(hex, sizeof hex, m->in[p->m.feed].sha256, 4);
        snprintf(id, sizeof id, "%s/1/%04llu", hex, (unsigned long long)p->m.seq);
        if ((e = export_add(x, &p->m, id, p->desk, &o, msg)) == ERR_OK)
            merge_note_record(m, p, o);
    }
    free(p);
    return e == ERR_MISSING ? ERR_OK : e;
}

int merge_out_write(struct merging *m)
{
    static const uint8_t salt[16] = "tideover merge";
    struct helper_thread thread;
    struct export_out to = { .ctx = m, .bytes = on_bytes, .record = on_record };
    struct errmsg msg = { .text = "" };
    struct export *x = NULL;
    enum err e = export_open(&m->policy, salt, m->to, &to, helper_thread_init(&thread), &m->result,
                             &x, &msg);

    if (e == ERR_OK)
        e = write_all(m, x, &msg);
    if (e == ERR_OK)
        e = export_end(x, &msg);
    export_free(x);
    helper_thread_close(&thread);
    return e == ERR_OK ? 0 : merge_stopped(m, e, &msg);
}

static int finish(struct merging *m, struct merge_file *f)
{
    bool bad = ferror(f->to) != 0;

    bad |= fclose(f->to) != 0;
    f->to = NULL;
    if (bad)
        return cli_fail(m->c, err_exit(errno == ENOSPC ? ERR_FULL : ERR_DISK), "disk",
                        "cannot write %s: %s", f->path, strerror(errno));
    return 0;
}

/* The log comes last: where it stands, the rest does. */
int merge_out_keep(struct merging *m)
{
    bool empty =
        m->result.n_parts == 0 || (m->result.n_parts == 1 && m->file[MERGE_USERS].path != NULL);
    int rc = 0;

    for (unsigned i = 0; i < MERGE_FILES && rc == 0; i++)
        if (m->file[i].to != NULL)
            rc = finish(m, &m->file[i]);
    for (unsigned i = MERGE_FILES; i-- > 0 && rc == 0;)
        if (m->file[i].path != NULL && (i != MERGE_OUT || !empty)) {
            rc = target_keep(m->c, &m->file[i].target);
            m->file[i].kept = rc == 0;
        }
    for (unsigned i = 0; i < MERGE_FILES && rc != 0; i++)
        if (m->file[i].kept)
            unlink(m->file[i].path); /* all or none */
    return rc;
}

void merge_out_close(struct merging *m)
{
    for (unsigned i = 0; i < MERGE_FILES; i++) {
        if (m->file[i].to != NULL)
            fclose(m->file[i].to);
        if (m->file[i].path != NULL)
            target_close(&m->file[i].target);
        free(m->file[i].path);
    }
    if (m->details != NULL)
        fclose(m->details);
}
