/* http.c - the local door on libmicrohttpd: one thread, requests suspended while the node works on
 * them.
 *
 * It polls: with epoll, 0.9.75 waits for edges, and of a caller who leaves in the middle of a
 * request it never sees the end that came with the last bytes; 32 of them, and nobody got in for
 * half a minute.
 *
 * A request is an exchange from its request line (open_exchange) to its last byte (end_exchange).
 * A refused request's body is read and thrown away before the refusal is sent: closing a socket
 * with unread bytes would reset it, and the caller would never see why. */
#include "http.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http_int.h"

#define IDLE_S       30        /* between two requests */
#define PATIENCE_S   5         /* between two bytes of one: its caller is on this PC */
#define MEMORY_BYTES 16384     /* of one connection: 8 KiB of headers, and libmicrohttpd's own */
#define DRAIN_MAX    (1 << 20) /* of a refused body; past it the connection is cut */
#define CLOSE_WAIT_S 2         /* for the last answers to leave */

struct exchange {
    struct http_request rq;
    struct http *h;
    struct MHD_Connection *connection;
    struct exchange *before, *after; /* in http.given */
    struct buf body;
    size_t drained;
    enum refusal refusal;
    bool judged;
    bool given;    /* to the handler: suspended, in http.given */
    bool answered; /* under http.lock */
    struct MHD_Response *response;
    unsigned status;
};

struct http {
    struct MHD_Daemon *daemon;
    struct http_config config;
    char hosts[HTTP_HOSTS][HTTP_HOST_BYTES];
    pthread_mutex_t lock;
    pthread_cond_t gone;    /* an exchange left `given` */
    struct exchange *given; /* all that the handler has, or whose answer is leaving */
    bool closing;
    atomic_uint_fast64_t requests, refused;
    struct page_keeper keeper;
};

static const struct {
    const char *name, *value;
} always[] = {
    { "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
      "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'" },
    { "X-Content-Type-Options", "nosniff" },
    { "Referrer-Policy", "no-referrer" },
    { "Cross-Origin-Resource-Policy", "same-origin" },
    { "Cross-Origin-Opener-Policy", "same-origin" },
    { "Cache-Control", "no-store" },
};

/* ---- answers ---- */

static struct MHD_Response *with_headers(struct MHD_Response *r, const char *type)
{
    enum MHD_Result ok = MHD_YES;

    if (r == NULL)
        return NULL;
    for (unsigned i = 0; i < sizeof always / sizeof always[0] && ok == MHD_YES; i++)
        ok = MHD_add_response_header(r, always[i].name, always[i].value);
    if (ok == MHD_YES)
        ok = MHD_add_response_header(r, "Content-Type", type);
    if (ok == MHD_YES)
        return r;
    MHD_destroy_response(r);
    return NULL;
}

/* Takes the buffer's bytes. NULL: out of memory. */
static struct MHD_Response *response_of(struct buf *body, const char *type)
{
    struct MHD_Response *r;

    if (body == NULL || body->len == 0 || body->failed) {
        if (body != NULL)
            buf_free(body);
        return with_headers(MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT), type);
    }
    r = MHD_create_response_from_buffer(body->len, body->p, MHD_RESPMEM_MUST_FREE);
    if (r == NULL)
        free(body->p);
    *body = (struct buf){ 0 };
    return with_headers(r, type);
}

static struct MHD_Response *refusal_response(enum refusal refusal)
{
    const struct refusal_row *row = refusal_row(refusal);
    struct MHD_Response *r;
    struct buf b = { 0 };
    enum MHD_Result ok = MHD_YES;

    buf_printf(&b, "{\"schema\":1,\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"exit\":%d}}",
               row->code, row->message, row->exit_code);
    r = response_of(&b, "application/json");
    if (r != NULL && row->status == 401)
        ok = MHD_add_response_header(r, "WWW-Authenticate", "Bearer");
    if (r != NULL && row->status == 405)
        ok = MHD_add_response_header(r, "Allow", "GET, POST");
    if (ok == MHD_YES)
        return r;
    MHD_destroy_response(r);
    return NULL;
}

/* Hands the response to libmicrohttpd; MHD_NO closes the connection, all that is left to do when
 * memory is out. */
static enum MHD_Result queue(struct MHD_Connection *c, unsigned status, struct MHD_Response *r)
{
    enum MHD_Result ok;

    if (r == NULL)
        return MHD_NO;
    ok = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return ok;
}

static enum MHD_Result refuse(struct exchange *x, enum refusal why)
{
    atomic_fetch_add(&x->h->refused, 1);
    return queue(x->connection, refusal_row(why)->status, refusal_response(why));
}

/* ---- an exchange's life, in libmicrohttpd's thread ---- */

static void set_patience(struct MHD_Connection *c, unsigned seconds)
{
    MHD_set_connection_option(c, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

static void *open_exchange(void *cls, const char *uri, struct MHD_Connection *c)
{
    struct exchange *x = calloc(1, sizeof *x);

    if (x == NULL)
        return NULL;
    x->h = cls;
    x->connection = c;
    x->rq.priv = x;
    x->refusal = target_split(uri, &x->rq);
    atomic_fetch_add(&x->h->requests, 1);
    set_patience(c, PATIENCE_S);
    return x;
}

static void end_exchange(void *cls, struct MHD_Connection *c, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    struct http *h = cls;
    struct exchange *x = *con_cls;

    (void)c, (void)code;
    *con_cls = NULL;
    if (x == NULL)
        return;
    if (x->given) {
        pthread_mutex_lock(&h->lock);
        if (x->before != NULL)
            x->before->after = x->after;
        else
            h->given = x->after;
        if (x->after != NULL)
            x->after->before = x->before;
        pthread_cond_broadcast(&h->gone);
        pthread_mutex_unlock(&h->lock);
    }
    if (x->response != NULL)
        MHD_destroy_response(x->response); /* the peer left before it could be queued */
    buf_wipe(&x->body);                    /* may hold a passphrase */
    sodium_memzero(x->rq.set_cookie, sizeof x->rq.set_cookie);
    free(x);
}

/* A caller that waits for "100 Continue", or announces more than is worth draining, hears at once.
 */
static bool body_stays_away(const struct exchange *x)
{
    const char *length =
        MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Content-Length");

    return MHD_lookup_connection_value(x->connection, MHD_HEADER_KIND, "Expect") != NULL ||
           (length != NULL && strtoull(length, NULL, 10) > DRAIN_MAX);
}

static enum MHD_Result judge(struct exchange *x, const char *method)
{
    enum refusal r =
        request_check(x->connection, method, (const char(*)[HTTP_HOST_BYTES])x->h->hosts,
                      &x->h->config, &x->h->keeper, &x->rq);

    /* A foreign Host is told nothing but that. */
    if (r == REFUSAL_HOST || x->refusal == REFUSAL_NONE)
        x->refusal = r;
    x->judged = true;
    return x->refusal != REFUSAL_NONE && body_stays_away(x) ? refuse(x, x->refusal) : MHD_YES;
}

static enum MHD_Result take_body(struct exchange *x, const char *p, size_t *n)
{
    if (x->refusal == REFUSAL_NONE && *n > HTTP_BODY_MAX - x->body.len)
        x->refusal = REFUSAL_LARGE;
    if (x->refusal == REFUSAL_NONE) {
        buf_add(&x->body, p, *n);
        if (x->body.failed)
            return MHD_NO;
    } else {
        x->drained += *n;
    }
    *n = 0;
    return x->drained > DRAIN_MAX ? MHD_NO : MHD_YES;
}

/* Suspends first: the handler's answer may come before it returns. */
static enum MHD_Result give(struct exchange *x)
{
    struct http *h = x->h;

    pthread_mutex_lock(&h->lock);
    if (h->closing) {
        pthread_mutex_unlock(&h->lock);
        return refuse(x, REFUSAL_CLOSING);
    }
    x->given = true;
    x->after = h->given;
    if (x->after != NULL)
        x->after->before = x;
    h->given = x;
    pthread_mutex_unlock(&h->lock);
    MHD_suspend_connection(x->connection);
    h->config.handler(h->config.ctx, &x->rq);
    return MHD_YES;
}

static enum MHD_Result answer_page(struct exchange *x)
{
    const struct page_file *f = page_find(x->rq.path);

    if (f == NULL)
        return refuse(x, REFUSAL_PAGE);
    return queue(x->connection, 200,
                 with_headers(MHD_create_response_from_buffer(f->size, (void *)(uintptr_t)f->bytes,
                                                              MHD_RESPMEM_PERSISTENT),
                              f->type));
}

static enum MHD_Result answer_open_path(struct exchange *x)
{
    struct buf b = { 0 };
    enum refusal r = REFUSAL_NONE;

    if (strcmp(x->rq.path, "/healthz") == 0)
        buf_text(&b, "{\"status\":\"ok\"}");
    else
        r = proof_answer(&x->h->config, x->rq.query, &b);
    return r != REFUSAL_NONE ? refuse(x, r)
                             : queue(x->connection, 200, response_of(&b, "application/json"));
}

static enum MHD_Result whole_request(struct exchange *x)
{
    set_patience(x->connection, IDLE_S);
    if (x->refusal != REFUSAL_NONE)
        return refuse(x, x->refusal);
    if (x->body.len > 0 && memchr(x->body.p, 0, x->body.len) != NULL)
        return refuse(x, REFUSAL_BODY);
    if (path_is_page(x->rq.path))
        return answer_page(x);
    if (path_is_open(x->rq.path))
        return answer_open_path(x);
    if (x->body.len > 0) {
        x->rq.body_len = x->body.len;
        buf_add(&x->body, "", 1);
        if (x->body.failed)
            return MHD_NO;
        x->rq.body = x->body.p;
    }
    return give(x);
}

static enum MHD_Result take_request(void *cls, struct MHD_Connection *c, const char *url,
                                    const char *method, const char *version, const char *upload,
                                    size_t *upload_size, void **con_cls)
{
    struct exchange *x = *con_cls;

    (void)cls, (void)c, (void)url, (void)version;
    if (x == NULL)
        return MHD_NO;
    if (!x->judged)
        return judge(x, method);
    if (*upload_size > 0)
        return take_body(x, upload, upload_size);
    if (x->given) { /* resumed by http_answer() */
        struct MHD_Response *r = x->response;
        x->response = NULL;
        return queue(x->connection, x->status, r);
    }
    return whole_request(x);
}

/* ---- opening and closing ---- */

/* Signals are the main thread's: libmicrohttpd's thread is started with all of them blocked. */
static struct MHD_Daemon *start_daemon(struct http *h, int fd)
{
    struct MHD_Daemon *d;
    sigset_t all, saved;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &saved);
    d = MHD_start_daemon(MHD_USE_POLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                         take_request, h, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                         (unsigned)PATIENCE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                         (size_t)MEMORY_BYTES, MHD_OPTION_URI_LOG_CALLBACK, open_exchange, h,
                         MHD_OPTION_NOTIFY_COMPLETED, end_exchange, h, MHD_OPTION_END);
    pthread_sigmask(SIG_SETMASK, &saved, NULL);
    return d;
}

static void free_http(struct http *h)
{
    pthread_cond_destroy(&h->gone);
    pthread_mutex_destroy(&h->lock);
    page_keeper_close(&h->keeper);
    sodium_memzero(h, sizeof *h);
    free(h);
}

enum err http_open(const struct http_config *c, struct http **out, struct errmsg *msg)
{
    uint16_t port = 0;
    struct http *h;
    int fd = -1;
    enum err e = http_listen(c->listen, &fd, &port, msg);

    if (e != ERR_OK)
        return e;
    h = calloc(1, sizeof *h);
    if (h == NULL) {
        close(fd);
        return err_set(msg, ERR_NOMEM, "no memory for the local API");
    }
    h->config = *c;
    h->config.listen = NULL; /* the caller's text may go */
    h->config.cookie_name = NULL;
    h->config.sessions = NULL;
    hosts_fill(h->hosts, port);
    page_keeper_open(&h->keeper, c);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->gone, NULL);
    h->daemon = start_daemon(h, fd);
    if (h->daemon == NULL) {
        close(fd);
        free_http(h);
        return err_set(msg, ERR_NOMEM, "the local API does not start: %s", strerror(errno));
    }
    *out = h;
    return ERR_OK;
}

/* First of two answers wins: http_close() may be as fast as the node. */
static void answer(struct exchange *x, unsigned status, struct MHD_Response *r)
{
    struct http *h = x->h;
    struct MHD_Connection *c = x->connection;
    bool late;

    pthread_mutex_lock(&h->lock);
    late = x->answered;
    if (!late) {
        x->answered = true;
        x->status = status;
        x->response = r;
    }
    pthread_mutex_unlock(&h->lock);
    if (!late)
        MHD_resume_connection(c); /* x may be gone from here on */
    else if (r != NULL)
        MHD_destroy_response(r);
}

static struct exchange *unanswered(struct http *h)
{
    struct exchange *x;

    pthread_mutex_lock(&h->lock);
    for (x = h->given; x != NULL && x->answered; x = x->after)
        ;
    pthread_mutex_unlock(&h->lock);
    return x;
}

void http_close(struct http *h)
{
    struct timespec until;
    struct exchange *x;
    MHD_socket fd;

    if (h == NULL)
        return;
    fd = MHD_quiesce_daemon(h->daemon);
    pthread_mutex_lock(&h->lock);
    h->closing = true;
    pthread_mutex_unlock(&h->lock);
    while ((x = unanswered(h)) != NULL)
        answer(x, refusal_row(REFUSAL_CLOSING)->status, refusal_response(REFUSAL_CLOSING));
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_WAIT_S;
    pthread_mutex_lock(&h->lock);
    while (h->given != NULL && pthread_cond_timedwait(&h->gone, &h->lock, &until) == 0)
        ;
    pthread_mutex_unlock(&h->lock);
    MHD_stop_daemon(h->daemon);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
    free_http(h);
}

void http_answer(struct http_request *rq, unsigned status, const char *type, struct buf *body)
{
    bool failed = body != NULL && body->failed;
    struct MHD_Response *r = response_of(body, type);

    if (r != NULL && rq->set_cookie[0] != 0 &&
        MHD_add_response_header(r, "Set-Cookie", rq->set_cookie) != MHD_YES)
        failed = true; /* an answer without it: the page asks for a new code */
    answer(rq->priv, failed ? 500 : status, r);
}

void http_answer_fd(struct http_request *rq, const char *type, int fd, uint64_t size)
{
    struct MHD_Response *r = MHD_create_response_from_fd64(size, fd);

    if (r == NULL)
        close(fd);
    answer(rq->priv, 200, with_headers(r, type));
}

struct page_keeper *http_keeper_of(struct http *h)
{
    return &h->keeper;
}

uint64_t http_requests(const struct http *h)
{
    return atomic_load(&h->requests);
}

uint64_t http_refused(const struct http *h)
{
    return atomic_load(&h->refused);
}
