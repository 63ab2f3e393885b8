/* merge_input.c - the files that are merged: named, recognised, read once from end to end. */
#include "merging.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK      65536
#define OFFSET_MAX (366 * 86400)  /* s: a PC whose clock lost its year */
#define ZONES_MS   (26 * 3600000) /* the widest that two zones are apart */
#define AUTUMN_MS  (2 * 3600000)  /* more than any zone's clock goes back */

/* "LOG@+90s", "LOG@-1h30m": what is behind the last @, if it is an offset. */
static bool split_offset(char *path, int64_t *ms)
{
    char *at = strrchr(path, '@'), *s = at, *end;
    int64_t total = 0, sign;

    *ms = 0;
    if (at == NULL || (at[1] != '+' && at[1] != '-'))
        return true;
    sign = at[1] == '-' ? -1 : 1;
    for (s += 2; *s != 0; s = end + 1) {
        unsigned long v;
        if (*s < '0' || *s > '9')
            return false;
        v = strtoul(s, &end, 10);
        if (v > OFFSET_MAX || *end == 0 || strchr("smhd", *end) == NULL)
            return false;
        total += (int64_t)v * (*end == 's' ? 1 : *end == 'm' ? 60 : *end == 'h' ? 3600 : 86400);
    }
    if (s == at + 2 || total > OFFSET_MAX)
        return false;
    *at = 0;
    *ms = sign * total * 1000;
    return true;
}

static int open_one(struct merging *m, struct merge_input *in, const char *given)
{
    struct stat st;

    in->same_as = -1;
    in->fd = -1;
    if ((in->path = strdup(given)) == NULL)
        return cli_fail(m->c, err_exit(ERR_NOMEM), "nomem", "out of memory");
    if (access(given, F_OK) != 0 && !split_offset(in->path, &in->offset_ms))
        return cli_usage(m->c, "%s: a clock's offset looks like @+90s or @-1h30m", given);
    in->fd = open(in->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* no wait for a pipe */
    if (in->fd < 0)
        return cli_fail(m->c, err_exit(errno == ENOENT ? ERR_NOFILE : ERR_DENIED), "no_file",
                        "cannot read %s: %s", in->path, strerror(errno));
    if (fstat(in->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return cli_fail(m->c, err_exit(ERR_INVALID), "no_file",
                        "%s is no file; merge reads files only", in->path);
    in->bytes = (uint64_t)st.st_size;
    in->written_ms = (int64_t)st.st_mtime * 1000;
    m->bytes_all += in->bytes;
    return 0;
}

static ssize_t read_some(int fd, uint8_t *p, size_t n)
{
    ssize_t got;

    do
        got = read(fd, p, n);
    while (got < 0 && errno == EINTR && !interrupted());
    return got;
}

/* ---- twice the same file (R1) ---- */

static int digest_of(const struct merging *m, struct merge_input *in)
{
    crypto_hash_sha256_state state;
    uint8_t b[CHUNK];
    ssize_t n;

    crypto_hash_sha256_init(&state);
    while ((n = read_some(in->fd, b, sizeof b)) > 0 && !interrupted())
        crypto_hash_sha256_update(&state, b, (unsigned long long)n);
    crypto_hash_sha256_final(&state, in->sha256);
    if (n < 0 || lseek(in->fd, 0, SEEK_SET) != 0)
        return cli_fail(m->c, err_exit(ERR_DISK), "disk", "cannot read %s: %s", in->path,
                        strerror(errno));
    return 0;
}

/* Only files of one length can be the same. */
static int find_twins(struct merging *m)
{
    for (unsigned i = 1; i < m->n_in; i++)
        for (unsigned k = 0; k < i && m->in[i].same_as < 0; k++) {
            struct merge_input *a = &m->in[k], *b = &m->in[i];
            int rc;
            if (a->bytes != b->bytes || a->same_as >= 0)
                continue;
            if ((rc = digest_of(m, a)) != 0 || (rc = digest_of(m, b)) != 0)
                return rc;
            if (memcmp(a->sha256, b->sha256, sizeof a->sha256) != 0)
                continue;
            if (m->c->value[OPT_AGAIN] == NULL) {
                b->same_as = (int)k;
                m->bytes_all -= b->bytes;
                cli_note(m->c, "%s is the same file as %s: left out (--again takes it)", b->path,
                         a->path);
            }
        }
    return 0;
}

/* ---- which format is it? ---- */

struct claim {
    uint64_t events, unknown;
};

static enum err claim_event(void *ctx, const struct format_event *ev, struct errmsg *msg)
{
    (void)ev;
    (void)msg;
    ((struct claim *)ctx)->events++;
    return ERR_OK;
}

static enum err claim_unknown(void *ctx, uint64_t line, const uint8_t *p, size_t n, const char *why,
                              struct errmsg *msg)
{
    (void)line;
    (void)p;
    (void)msg;
    ((struct claim *)ctx)->unknown += n > 0 && why != NULL;
    return ERR_OK;
}

static uint64_t claim_of(const struct merging *m, const struct format *f, const uint8_t *p,
                         size_t n)
{
    struct claim c = { 0, 0 };
    struct format_read to = { .ctx = &c, .event = claim_event, .unknown = claim_unknown };
    struct format_reader *r = f->read_new != NULL ? f->read_new(&m->policy, &to) : NULL;
    struct errmsg msg;
    enum err e;

    if (r == NULL)
        return 0;
    if ((e = f->read_add(r, p, n, &msg)) == ERR_OK)
        e = f->read_end(r, &msg);
    f->read_free(r);
    return e == ERR_OK && c.events >= c.unknown ? c.events : 0;
}

/* The one that explains the file's beginning; two that explain it alike are no answer. */
static int recognise(struct merging *m, struct merge_input *in)
{
    uint8_t b[CHUNK];
    ssize_t n = read_some(in->fd, b, sizeof b);
    uint64_t best = 0, second = 0;
    const struct format *other = NULL, *f;

    while (n == (ssize_t)sizeof b && n > 1 && b[n - 1] != '\n')
        n--; /* not half a line */
    for (unsigned i = 0; n > 0 && (f = format_at(i)) != NULL; i++) {
        uint64_t v = claim_of(m, f, b, (size_t)n);
        if (v > best) {
            second = best;
            other = in->format;
            best = v;
            in->format = f;
        } else if (v > second) {
            second = v;
            other = f;
        }
    }
    if (n < 0 || lseek(in->fd, 0, SEEK_SET) != 0)
        return cli_fail(m->c, err_exit(ERR_DISK), "disk", "cannot read %s: %s", in->path,
                        strerror(errno));
    if (best > 0 && best == second)
        return cli_fail(m->c, err_exit(ERR_INVALID), "unknown_format",
                        "%s could be %s or %s: say which with --from", in->path, other->name,
                        in->format->name);
    if (best == 0)
        return cli_fail(m->c, err_exit(ERR_INVALID), "unknown_format",
                        "%s is in no format that is known here%s", in->path,
                        n == 0 ? ": it is empty" : "; say which with --from");
    return 0;
}

int merge_inputs_open(struct merging *m)
{
    const char *from = m->c->value[OPT_FROM];
    const struct format *f = from != NULL ? format_by_name(from) : NULL;
    char names[FORMAT_NAMES_MAX];
    int rc = 0;

    if (m->c->argc > POOL_FILES_MAX)
        return cli_usage(m->c, "at most %d files at a time", POOL_FILES_MAX);
    if (f != NULL && f->read_new == NULL)
        return cli_usage(m->c,
                         "%s is a talk with a server, not a file that a desk writes: merge the "
                         "files of the desks",
                         from);
    if (from != NULL && f == NULL)
        return cli_usage(m->c, "no format \"%s\" can be read; there are %s", from,
                         format_names(false, names));
    for (int i = 0; i < m->c->argc && rc == 0; i++) {
        m->n_in++;
        rc = open_one(m, &m->in[i], m->c->argv[i]);
        m->in[i].format = f;
        m->offsets[i] = m->in[i].offset_ms;
    }
    if (rc == 0)
        rc = find_twins(m);
    for (unsigned i = 0; i < m->n_in && rc == 0; i++)
        if (m->in[i].format == NULL && m->in[i].same_as < 0)
            rc = recognise(m, &m->in[i]);
    return rc;
}

void merge_inputs_close(struct merging *m)
{
    for (unsigned i = 0; i < m->n_in; i++) {
        if (m->in[i].fd >= 0)
            close(m->in[i].fd);
        free(m->in[i].path);
    }
}

/* ---- reading ---- */

struct reading {
    struct merging *m;
    struct merge_input *in;
    unsigned number;
};

/* No file has an event from after it was written; and what a desk writes goes on in time, but for the
 * hour that comes twice. */
static void note_oddities(struct merge_input *in, const struct format_event *ev, int64_t ms)
{
    unsigned odd = ev->left_out;

    if (ms - in->offset_ms > in->written_ms + ZONES_MS)
        odd |= 1u << ODD_FUTURE;
    if (ev->rec.kind != RECORD_USER && ev->rec.paper_ms == 0) {
        if (ms < in->before_ms - AUTUMN_MS)
            odd |= 1u << ODD_BACK;
        in->before_ms = ms;
    }
    for (unsigned i = 0; i < MERGE_ODDITIES; i++)
        if ((odd >> i & 1) != 0 && in->odd[i].lines++ == 0)
            in->odd[i].first = ev->line;
}

static enum err on_event(void *ctx, const struct format_event *ev, struct errmsg *msg)
{
    struct reading *r = ctx;
    struct merge_input *in = r->in;
    struct format_event dated;
    bool timeless = ev->rec.at_ms == 0 && ev->time_ms == 0;
    int64_t ms;

    if (timeless && ev->rec.kind != RECORD_USER)
        return err_set(msg, ERR_INVALID,
                       "line %llu: the format says no times, so that nothing can be put in order "
                       "with other files",
                       (unsigned long long)ev->line);
    if (timeless) { /* a flat user file: the day it was written */
        dated = *ev;
        dated.rec.at_ms = in->written_ms;
        in->untimed++;
        ev = &dated;
    }
    ms = pool_time(r->m->pool, r->number, ev);
    if (in->events == 0 || ms < in->first_ms)
        in->first_ms = ms;
    if (in->events == 0 || ms > in->last_ms)
        in->last_ms = ms;
    in->events++;
    if (ev->line > in->lines)
        in->lines = ev->line;
    if (ev->rec.kind <= RECORD_KIND_LAST)
        in->kinds[ev->rec.kind]++;
    in->overrides += (ev->rec.flags & RECORD_OVERRIDE) != 0;
    in->pins += ev->rec.reg.pin[0] != 0;
    note_oddities(in, ev, ms);
    return pool_event(r->m->pool, r->number, ev, msg);
}

/* The line end of the last unknown line. */
static bool end_unknown(struct merging *m)
{
    bool open = m->unknown_open;

    m->unknown_open = false;
    return !open || putc('\n', m->file[MERGE_UNKNOWN].to) != EOF;
}

static enum err unknown_failed(struct errmsg *msg)
{
    return err_set(msg, errno == ENOSPC ? ERR_FULL : ERR_DISK, "cannot write the unknown lines: %s",
                   strerror(errno));
}

static enum err on_unknown(void *ctx, uint64_t line, const uint8_t *p, size_t n, const char *why,
                           struct errmsg *msg)
{
    struct reading *r = ctx;
    struct merging *m = r->m;
    FILE *to;

    if (line > r->in->lines)
        r->in->lines = line;
    if (n == 0)
        return ERR_OK; /* an empty line says nothing */
    r->in->unknown += why != NULL;
    if (m->to == NULL)
        return ERR_OK;
    if (why != NULL && !end_unknown(m)) /* else more of the line before */
        return unknown_failed(msg);
    to = merge_stream(m, MERGE_UNKNOWN);
    if (to == NULL || fwrite(p, 1, n, to) != n)
        return unknown_failed(msg);
    m->unknown_open = true;
    if (why != NULL)
        merge_note_unknown(m, r->in, line, why);
    return ERR_OK;
}

static void on_skipped(void *ctx, uint64_t line)
{
    struct reading *r = ctx;

    r->in->skipped++;
    if (line > r->in->lines)
        r->in->lines = line;
}

static void show_reading(struct merging *m)
{
    uint64_t ms = now_ms() - m->began_ms, mb = 1000 * 1000;
    char what[96];

    snprintf(what, sizeof what, "MB read, %.0f MB/s, %.0f s left",
             (double)m->bytes_done / 1000 / (double)(ms + 1),
             (double)(m->bytes_all - m->bytes_done) * (double)ms / 1000 /
                 (double)(m->bytes_done + 1));
    progress_show(&m->progress, what, m->bytes_done / mb, m->bytes_all / mb + 1);
}

int merge_stopped(const struct merging *m, enum err e, const struct errmsg *msg)
{
    if (interrupted())
        return cli_fail(m->c, err_exit(ERR_BUSY), "interrupted", "stopped; nothing was written");
    return cli_err(m->c, e, msg);
}

static int read_one(struct merging *m, unsigned i)
{
    struct reading r = { m, &m->in[i], i };
    struct merge_input *in = r.in;
    struct format_read to = { &r, on_event, on_unknown, on_skipped };
    struct format_reader *reader = in->format->read_new(&m->policy, &to);
    struct errmsg msg = { .text = "" }, told;
    crypto_hash_sha256_state state;
    uint8_t b[CHUNK];
    ssize_t n = 0;
    enum err e = reader != NULL ? ERR_OK : err_set(&msg, ERR_NOMEM, "out of memory");

    crypto_hash_sha256_init(&state);
    while (e == ERR_OK && !interrupted() && (n = read_some(in->fd, b, sizeof b)) > 0) {
        crypto_hash_sha256_update(&state, b, (unsigned long long)n);
        e = in->format->read_add(reader, b, (size_t)n, &msg);
        m->bytes_done += (uint64_t)n;
        show_reading(m);
    }
    crypto_hash_sha256_final(&state, in->sha256);
    if (e == ERR_OK && n < 0)
        e = err_set(&msg, ERR_DISK, "%s", strerror(errno));
    if (e == ERR_OK && !interrupted())
        e = in->format->read_end(reader, &msg);
    if (e == ERR_OK && !end_unknown(m))
        e = unknown_failed(&msg);
    if (reader != NULL && in->format == &format_symphony)
        symphony_read_seen(reader, &in->seen);
    if (reader != NULL)
        in->format->read_free(reader);
    if (e == ERR_OK && !interrupted())
        return 0;
    told = msg;
    err_set(&told, e, "%s, read as %s: %s", in->path, in->format->name, msg.text);
    return merge_stopped(m, e, &told);
}

int merge_inputs_read(struct merging *m)
{
    int rc = 0;

    m->began_ms = now_ms();
    for (unsigned i = 0; i < m->n_in && rc == 0; i++)
        if (m->in[i].same_as < 0)
            rc = read_one(m, i);
    return rc;
}

/* Three looks at every event: by time, by item, and on the way out. */
bool merge_go_on(void *ctx, uint64_t done, uint64_t total)
{
    struct merging *m = ctx;

    progress_show(&m->progress, "thousand steps, sorting and comparing", done / 1000,
                  total * 3 / 4 / 1000 + 1);
    return !interrupted();
}
