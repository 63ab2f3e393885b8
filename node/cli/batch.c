/* batch.c - `tideover record --batch`: lines in, answers out, each once its record is safe.
 *
 * A request takes whatever lines are there now, so that one typed line is answered at once and a
 * thousand piped ones share commits. Answers come in the order of the lines. */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lines.h"

#define REQUEST_MAX 61440 /* of lines; the API takes 65536 bytes */
#define READ_BYTES  65536

struct batch {
    const struct cli *c;
    struct client *cl;
    int fd;
    struct lines lines;
    struct buf request;
    uint64_t waiting; /* lines in the request */
    uint64_t answered, refused;
    uint64_t read_bytes, file_bytes; /* file_bytes 0: a pipe */
    struct progress progress;
};

static void answer_ourselves(struct batch *b, const char *code, const char *message)
{
    printf("{\"ok\":false,\"error\":{\"code\":\"%s\",\"message\":\"%s\"}}\n", code, message);
    b->answered++;
    b->refused++;
}

static int went_away(const struct batch *b, const struct errmsg *msg)
{
    bool not_sent = strcmp(msg->why, "no_node") == 0;

    return cli_fail(b->c, err_exit(ERR_OFFLINE), msg->why,
                    "%s; %llu lines were answered, the %llu after them %s", msg->text,
                    (unsigned long long)b->answered, (unsigned long long)b->waiting,
                    not_sent ? "were not sent" : "may be recorded or not");
}

/* As the node writes nearly all of them (api.c, record_batch); the others are parsed. */
static bool is_recorded(const char *s, size_t n)
{
    static const char plain[] = "{\"ok\":true,";
    json_t *o;
    bool ok;

    if (n >= sizeof plain - 1 && memcmp(s, plain, sizeof plain - 1) == 0)
        return true;
    o = json_loadb(s, n, 0, NULL);
    ok = j_is(o, "ok");
    json_decref(o);
    return ok;
}

/* Prints the answers and counts the refused; they must be as many as the lines. */
static int print_answers(struct batch *b, const struct reply *r)
{
    const char *s = (const char *)r->body.p, *end = s + r->body.len;
    uint64_t got = 0;

    while (s < end) {
        const char *lf = memchr(s, '\n', (size_t)(end - s));
        size_t n = lf != NULL ? (size_t)(lf - s) : (size_t)(end - s);

        if (n > 0) {
            b->refused += !is_recorded(s, n);
            fwrite(s, 1, n, stdout);
            putchar('\n');
            got++;
        }
        s += n + 1;
    }
    b->answered += got;
    if (fflush(stdout) != 0)
        return err_exit(ERR_DISK); /* cli_main() says why */
    if (got != b->waiting)
        return cli_fail(b->c, err_exit(ERR_PEER), "peer", "%llu lines were sent, %llu answered",
                        (unsigned long long)b->waiting, (unsigned long long)got);
    return 0;
}

static int send_request(struct batch *b)
{
    struct request rq = { .path = "/api/v1/records/batch",
                          .type = "application/x-ndjson",
                          .body = b->request.p,
                          .body_len = b->request.len };
    struct errmsg msg = { .text = "" };
    struct reply r;
    enum err e;
    int rc;

    if (b->waiting == 0)
        return 0;
    e = client_send(b->cl, &rq, &r, &msg);
    if (e == ERR_OFFLINE)
        return went_away(b, &msg);
    if (e != ERR_OK)
        return cli_err(b->c, e, &msg);
    rc = r.status == 200 ? print_answers(b, &r)
                         : cli_refused(b->c, r.status, (const char *)r.body.p, r.body.len);
    reply_free(&r);
    b->waiting = 0;
    buf_reset(&b->request);
    return rc;
}

static int out_of_memory(const struct batch *b)
{
    return cli_fail(b->c, err_exit(ERR_NOMEM), "nomem", "out of memory");
}

/* Moves complete lines into the request, and sends it when it is full. */
static int take_lines(struct batch *b)
{
    const char *line;
    size_t n;
    int rc = 0;

    while (rc == 0) {
        enum line_kind kind = lines_next(&b->lines, &line, &n);

        if (kind == LINE_NONE)
            return 0;
        if (kind != LINE_GOOD) { /* its answer comes after those before it */
            rc = send_request(b);
            if (rc == 0 && kind == LINE_TOO_LONG)
                answer_ourselves(b, "too_long", "the line is longer than 8192 bytes");
            else if (rc == 0)
                answer_ourselves(b, "malformed", "the line holds a zero byte");
            continue;
        }
        if (b->request.len + n + 1 > REQUEST_MAX)
            rc = send_request(b);
        buf_add(&b->request, line, n);
        buf_add(&b->request, "\n", 1);
        b->waiting++;
        if (b->request.failed)
            return out_of_memory(b);
    }
    return rc;
}

/* Whether a read would not wait. */
static bool more_is_there(const struct batch *b)
{
    struct pollfd p = { .fd = b->fd, .events = POLLIN };

    return !b->lines.ended && poll(&p, 1, 0) > 0;
}

static int read_some(struct batch *b)
{
    char bytes[READ_BYTES];
    ssize_t n;

    do {
        n = read(b->fd, bytes, sizeof bytes);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return cli_fail(b->c, err_exit(ERR_NOFILE), "nofile", "cannot read the lines: %s",
                        strerror(errno));
    if (n == 0)
        lines_end(&b->lines);
    else if (!lines_feed(&b->lines, bytes, (size_t)n))
        return out_of_memory(b);
    b->read_bytes += (uint64_t)n;
    return 0;
}

static void show(struct batch *b)
{
    char text[96];

    if (term_out())
        return; /* the answers themselves are the progress */
    snprintf(text, sizeof text, "%s, %llu answered, %llu refused",
             b->file_bytes != 0 ? "bytes read" : "recording", (unsigned long long)b->answered,
             (unsigned long long)b->refused);
    progress_show(&b->progress, text, b->file_bytes != 0 ? b->read_bytes : 0, b->file_bytes);
}

static int run(struct batch *b)
{
    int rc = 0;

    while (rc == 0 && !lines_done(&b->lines)) {
        rc = read_some(b);
        if (rc == 0)
            rc = take_lines(b);
        if (rc == 0 && !more_is_there(b)) {
            rc = send_request(b);
            if (fflush(stdout) != 0 && rc == 0)
                rc = err_exit(ERR_DISK);
        }
        show(b);
    }
    return rc;
}

int batch_run(const struct cli *cli, const char *path)
{
    struct cli plain = *cli; /* stdout is for answers: no error object may stand among them */
    const struct cli *c = &plain;
    struct batch b = { .c = c, .fd = STDIN_FILENO };
    struct stat st;
    int rc;

    plain.json = false;
    if (strcmp(path, "-") != 0)
        b.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (b.fd < 0)
        return cli_fail(c, err_exit(errno == ENOENT ? ERR_NOFILE : ERR_DENIED), "nofile",
                        "cannot read %s: %s", path, strerror(errno));
    if (fstat(b.fd, &st) == 0 && S_ISREG(st.st_mode))
        b.file_bytes = (uint64_t)st.st_size;
    rc = cli_connect(c, &b.cl);
    progress_begin(c, &b.progress);
    if (rc == 0)
        rc = run(&b);
    progress_end(&b.progress);
    if (rc == 0 && b.refused > 0) {
        cli_note(c, "tideover: %llu of %llu lines were refused\n", (unsigned long long)b.refused,
                 (unsigned long long)b.answered);
        rc = err_exit(ERR_INVALID);
    }
    if (b.fd != STDIN_FILENO)
        close(b.fd);
    lines_free(&b.lines);
    buf_wipe(&b.request);
    client_close(b.cl);
    return rc;
}
