/* test_http.c - the local door, driven with raw sockets: who is refused, and how; how a request
 * waits for its answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "http.h"

#define CTL         "Authorization: Bearer " CTL_HEX "\r\n"
#define CTL_HEX     "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define DESK        "Authorization: Bearer " DESK_HEX "\r\n"
#define DESK_HEX    "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define JSON        "Content-Type: application/json\r\n"
#define PARALLEL    30
#define CONNECTIONS 32 /* node/API.md */

/* A door, and a node behind it: one thread that answers, in order, what the door hands over. */
struct door {
    struct http *http;
    uint16_t port;
    pthread_t node;
    pthread_mutex_t lock;
    pthread_cond_t come;
    struct http_request *first, **last;
    bool stop, hold; /* hold: leave them unanswered */
    unsigned held;
};

static void take(void *ctx, struct http_request *rq)
{
    struct door *d = ctx;

    pthread_mutex_lock(&d->lock);
    rq->next = NULL;
    *d->last = rq;
    d->last = &rq->next;
    d->held++;
    pthread_cond_signal(&d->come);
    pthread_mutex_unlock(&d->lock);
}

/* Says what it was given: "POST /x?q right=2 body=5:hello". */
static void answer(struct door *d, struct http_request *rq)
{
    struct buf b = { 0 };

    if (strcmp(rq->path, "/api/v1/session") == 0 && strcmp(rq->method, "POST") == 0) {
        bool in = http_keeper_enter(d->http, (const char *)rq->body, rq);
        char token[2 * KEEPER_SECRET_BYTES + 1] = "";

        http_keeper_token(d->http, rq->session, token);
        buf_text(&b, token);
        http_answer(rq, in ? 200 : 403, "text/plain", &b);
        return;
    }

    if (strcmp(rq->path, "/api/v1/file") == 0) {
        int fd = open("/proc/self/exe", O_RDONLY);
        http_answer_fd(rq, "application/octet-stream", fd, 70000);
        return;
    }
    if (strcmp(rq->path, "/api/v1/empty") == 0) {
        http_answer(rq, 202, "application/json", NULL);
        return;
    }
    buf_printf(&b, "%s %s?%s right=%d body=%zu:%s", rq->method, rq->path, rq->query, (int)rq->right,
               rq->body_len, rq->body != NULL ? (const char *)rq->body : "");
    http_answer(rq, 200, "text/plain", &b);
    assert_null(b.p);
}

static void *node(void *ctx)
{
    struct door *d = ctx;

    pthread_mutex_lock(&d->lock);
    for (;;) {
        struct http_request *rq = d->hold ? NULL : d->first;

        if (rq == NULL && d->stop)
            break;
        if (rq == NULL) {
            pthread_cond_wait(&d->come, &d->lock);
            continue;
        }
        d->first = rq->next;
        if (d->first == NULL)
            d->last = &d->first;
        pthread_mutex_unlock(&d->lock);
        answer(d, rq);
        pthread_mutex_lock(&d->lock);
    }
    pthread_mutex_unlock(&d->lock);
    return NULL;
}

static uint16_t free_port(void)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    close(fd);
    return ntohs(a.sin_port);
}

static int open_door(void **state)
{
    struct door *d = calloc(1, sizeof *d);
    struct http_config c = { .handler = take, .ctx = d };
    struct errmsg msg;
    char listen_on[32];

    assert_true(sodium_init() >= 0);
    c.cookie_name = "tideover_K7QD-2M";
    memset(c.ctl_token, 0xcc, sizeof c.ctl_token);
    memset(c.desk_token, 0xdd, sizeof c.desk_token);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->come, NULL);
    d->last = &d->first;
    d->port = free_port();
    snprintf(listen_on, sizeof listen_on, "127.0.0.1:%u", d->port);
    c.listen = listen_on;
    assert_int_equal(http_open(&c, &d->http, &msg), ERR_OK);
    assert_int_equal(pthread_create(&d->node, NULL, node, d), 0);
    *state = d;
    return 0;
}

static int close_door(void **state)
{
    struct door *d = *state;

    pthread_mutex_lock(&d->lock);
    d->stop = true;
    pthread_cond_signal(&d->come);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->node, NULL);
    http_close(d->http);
    pthread_cond_destroy(&d->come);
    pthread_mutex_destroy(&d->lock);
    free(d);
    return 0;
}

/* ---- raw HTTP ---- */

static int dial(const struct door *d)
{
    struct sockaddr_in a = { .sin_family = AF_INET,
                             .sin_port = htons(d->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct timeval patience = { 10, 0 };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static void say(int fd, const void *p, size_t n)
{
    while (n > 0) {
        ssize_t k = send(fd, p, n, MSG_NOSIGNAL);
        if (k <= 0)
            return;
        p = (const char *)p + k;
        n -= (size_t)k;
    }
}

static size_t content_length(const char *text)
{
    const char *h = strstr(text, "Content-Length: ");

    return h != NULL ? strtoul(h + 16, NULL, 10) : 0;
}

/* One response: its text in `out`; returns the status, 0 if the connection ended. */
static unsigned hear(int fd, struct buf *out)
{
    char *body = NULL;
    size_t head = 0;

    buf_reset(out);
    for (;;) {
        char bytes[4096];
        ssize_t n = recv(fd, bytes, body == NULL ? 1 : sizeof bytes, 0);

        if (n <= 0)
            return 0;
        buf_add(out, bytes, (size_t)n);
        buf_add(out, "", 1);
        out->len--;
        body = head == 0 ? strstr((char *)out->p, "\r\n\r\n") : (char *)out->p;
        if (body == NULL)
            continue;
        if (head == 0)
            head = (size_t)(body + 4 - (char *)out->p);
        if (out->len >= head + content_length((char *)out->p))
            return (unsigned)strtoul((char *)out->p + 9, NULL, 10);
    }
}

static const char *body_of(const struct buf *b)
{
    return strstr((const char *)b->p, "\r\n\r\n") + 4;
}

/* Sends head with "%P" replaced by the port, and the body. */
static void tell_on(const struct door *d, int fd, const char *head, const char *body, size_t n)
{
    struct buf b = { 0 };

    for (const char *s = head; *s != 0; s++) {
        if (s[0] == '%' && s[1] == 'P') {
            buf_printf(&b, "%u", d->port);
            s++;
        } else {
            buf_add(&b, s, 1);
        }
    }
    buf_add(&b, body, n);
    say(fd, b.p, b.len);
    buf_free(&b);
}

/* The same; returns the status. */
static unsigned ask_on(const struct door *d, int fd, const char *head, const char *body, size_t n,
                       struct buf *out)
{
    tell_on(d, fd, head, body, n);
    return hear(fd, out);
}

static unsigned ask(const struct door *d, const char *head, const char *body, struct buf *out)
{
    int fd = dial(d);
    unsigned status = ask_on(d, fd, head, body, strlen(body), out);

    close(fd);
    return status;
}

#define HOST "Host: 127.0.0.1:%P\r\n"
#define END  "\r\n"

static const char healthz[] = "GET /healthz HTTP/1.1\r\n" HOST END;

/* ---- the table of refusals ---- */

static const struct {
    unsigned status;
    const char *code; /* "": none of ours */
    const char *head;
} table[] = {
    { 200, "", "GET /healthz HTTP/1.1\r\n" HOST END },
    { 200, "", "GET /healthz HTTP/1.1\r\nHost: localhost:%P\r\n" END },
    { 200, "", "GET /healthz HTTP/1.1\r\nHost: [::1]:%P\r\n" END },
    { 200, "", "GET /healthz HTTP/1.0\r\n" HOST END },
    { 421, "wrong_host", "GET /healthz HTTP/1.1\r\nHost: evil.test:%P\r\n" END },
    { 421, "wrong_host", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" END },
    { 421, "wrong_host", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:1\r\n" END },
    { 421, "wrong_host", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:%P.evil.test\r\n" END },
    { 421, "wrong_host", "GET /healthz HTTP/1.1\r\n" HOST HOST END },
    { 421, "wrong_host", "GET /healthz HTTP/1.1\r\n" HOST "Host: evil.test\r\n" END },
    { 421, "wrong_host", "GET /healthz HTTP/1.0\r\n" END },
    { 421, "wrong_host", "GET /healthz HTTP/1.1\r\n" END },
    { 421, "wrong_host", "OPTIONS /api/v1/status HTTP/1.1\r\nHost: evil.test\r\n" END },
    { 405, "wrong_method", "OPTIONS /api/v1/status HTTP/1.1\r\n" HOST CTL END },
    { 405, "wrong_method", "DELETE /api/v1/status HTTP/1.1\r\n" HOST CTL END },
    { 405, "wrong_method", "PUT /api/v1/status HTTP/1.1\r\n" HOST CTL "Content-Length: 0\r\n" END },
    { 405, "wrong_method", "POST /healthz HTTP/1.1\r\n" HOST JSON "Content-Length: 0\r\n" END },
    { 401, "no_token", "GET /api/v1/status HTTP/1.1\r\n" HOST END },
    { 200, "", "GET / HTTP/1.1\r\n" HOST END },
    { 404, "no_such_page", "GET /pages/none.js HTTP/1.1\r\n" HOST END },
    { 401, "no_token", "GET /healthz/ HTTP/1.1\r\n" HOST END },
    { 401, "no_token", "GET /api/v1/status HTTP/1.1\r\n" HOST "Authorization: Bearer \r\n" END },
    { 401, "no_token", "GET /api/v1/status HTTP/1.1\r\n" HOST "Authorization: Basic Og==\r\n" END },
    { 401, "no_token",
      "GET /api/v1/status HTTP/1.1\r\n" HOST "Authorization: Bearer " CTL_HEX "cc\r\n" END },
    { 401, "no_token",
      "GET /api/v1/status HTTP/1.1\r\n" HOST "Authorization: Bearer eecccccccccccc"
      "cccccccccccccccccccccccccccccccccccccccccccccccccc\r\n" END },
    { 401, "no_token", "GET /api/v1/status HTTP/1.1\r\n" HOST CTL DESK END },
    { 200, "", "GET /api/v1/status HTTP/1.1\r\n" HOST CTL END },
    { 200, "", "GET /api/v1/status HTTP/1.1\r\n" HOST DESK END },
    { 200, "",
      "GET /api/v1/status HTTP/1.1\r\n" HOST CTL "Origin: http://127.0.0.1:%P\r\n"
      "Sec-Fetch-Site: same-origin\r\n" END },
    { 200, "", "GET /api/v1/status HTTP/1.1\r\n" HOST CTL "Sec-Fetch-Site: none\r\n" END },
    { 403, "wrong_origin",
      "POST /api/v1/records HTTP/1.1\r\n" HOST CTL JSON
      "Content-Length: 0\r\nOrigin: http://127.0.0.1:1\r\n" END },
    { 403, "wrong_origin",
      "POST /api/v1/records HTTP/1.1\r\n" HOST CTL JSON
      "Content-Length: 0\r\nOrigin: https://127.0.0.1:%P\r\n" END },
    { 403, "wrong_origin",
      "POST /api/v1/records HTTP/1.1\r\n" HOST CTL JSON
      "Content-Length: 0\r\nOrigin: null\r\n" END },
    { 403, "wrong_origin",
      "POST /api/v1/records HTTP/1.1\r\n" HOST CTL JSON
      "Content-Length: 0\r\nOrigin: http://127.0.0.1:%P\r\nOrigin: http://evil.test\r\n" END },
    { 403, "wrong_site",
      "POST /api/v1/records HTTP/1.1\r\n" HOST CTL JSON
      "Content-Length: 0\r\nSec-Fetch-Site: same-site\r\n" END },
    { 403, "wrong_site",
      "GET /api/v1/status HTTP/1.1\r\n" HOST CTL "Sec-Fetch-Site: cross-site\r\n" END },
    { 415, "wrong_type", "POST /api/v1/records HTTP/1.1\r\n" HOST CTL "Content-Length: 0\r\n" END },
    { 415, "wrong_type",
      "POST /api/v1/records HTTP/1.1\r\n" HOST CTL
      "Content-Type: text/plain\r\nContent-Length: 0\r\n" END },
    { 415, "wrong_type",
      "POST /api/v1/records HTTP/1.1\r\n" HOST CTL
      "Content-Type: application/jsonx\r\nContent-Length: 0\r\n" END },
    { 200, "", "POST /api/v1/records HTTP/1.1\r\n" HOST CTL JSON "Content-Length: 0\r\n" END },
    { 200, "",
      "POST /api/v1/records HTTP/1.1\r\n" HOST CTL
      "Content-Type: application/json; charset=utf-8\r\nContent-Length: 0\r\n" END },
    { 200, "",
      "POST /api/v1/records HTTP/1.1\r\n" HOST CTL
      "Content-Type: application/x-ndjson\r\nContent-Length: 0\r\n" END },
    { 413, "too_large",
      "POST /api/v1/records HTTP/1.1\r\n" HOST CTL JSON "Content-Length: 99999999999\r\n" END },
    { 413, "too_large",
      "POST /api/v1/records HTTP/1.1\r\n" HOST CTL JSON
      "Content-Length: 65537\r\nExpect: 100-continue\r\n" END },
    { 400, "bad_body",
      "GET /api/v1/status HTTP/1.1\r\n" HOST CTL "Content-Length: 2\r\n" END "{}" },
    { 400, "bad_target", "GET /api/v1/sta%00tus HTTP/1.1\r\n" HOST CTL END },
    { 400, "bad_target", "GET /api/v1/sta%0atus HTTP/1.1\r\n" HOST CTL END },
    { 400, "bad_target", "GET /api/v1/sta%7ftus HTTP/1.1\r\n" HOST CTL END },
    { 400, "bad_target", "GET /api/v1/sta%2 HTTP/1.1\r\n" HOST CTL END },
    { 400, "bad_target", "GET /api/v1/sta%zz HTTP/1.1\r\n" HOST CTL END },
    { 400, "bad_target", "GET /api/v1/status?a=\x01 HTTP/1.1\r\n" HOST CTL END },
    { 400, "bad_target", "GET http://evil.test/ HTTP/1.1\r\n" HOST CTL END },
    { 400, "bad_target", "GET * HTTP/1.1\r\n" HOST CTL END },
    { 200, "", "GET /api/v1/stat%75s HTTP/1.1\r\n" HOST CTL END },
    { 400, "bad_nonce", "GET /api/v1/proof HTTP/1.1\r\n" HOST END },
    { 400, "bad_nonce", "GET /api/v1/proof?nonce=00112233 HTTP/1.1\r\n" HOST END },
    { 400, "bad_nonce",
      "GET /api/v1/proof?nonce=00112233445566778899aabbccddeefg HTTP/1.1\r\n" HOST END },
};

static void every_line_of_the_table_gets_its_answer(void **state)
{
    const struct door *d = *state;
    struct buf b = { 0 };

    for (unsigned i = 0; i < sizeof table / sizeof table[0]; i++) {
        unsigned status = ask(d, table[i].head, "", &b);
        char code[64];

        snprintf(code, sizeof code, "\"code\":\"%s\"", table[i].code);
        if (status != table[i].status ||
            (table[i].code[0] != 0 && strstr(body_of(&b), code) == NULL))
            fail_msg("line %u, %.60s: %u %s", i, table[i].head, status,
                     status != 0 ? body_of(&b) : "");
    }
    buf_free(&b);
}

/* The same, as a page asks that came in: %C is its cookie, %T its token. */
#define COOKIE "Cookie: other=1; tideover_K7QD-2M=%C\r\n"
#define TOKEN  "X-Tideover-Token: %T\r\n"
#define OURS   "Origin: http://127.0.0.1:%P\r\n"
#define SAME   "Sec-Fetch-Site: same-origin\r\n"
#define GET    "GET /api/v1/status HTTP/1.1\r\n" HOST
#define POST   "POST /api/v1/records HTTP/1.1\r\n" HOST "Content-Length: 0\r\n"

static const struct {
    unsigned status;
    const char *code, *head;
} page_table[] = {
    { 200, "", GET COOKIE TOKEN SAME END },
    { 200, "", POST JSON COOKIE TOKEN OURS SAME END },
    { 200, "", POST JSON COOKIE TOKEN OURS END },
    { 401, "no_token", GET COOKIE SAME END },
    { 401, "no_token", GET TOKEN SAME END },
    { 401, "no_token", GET COOKIE COOKIE TOKEN SAME END },
    { 401, "no_token", GET COOKIE TOKEN TOKEN SAME END },
    { 401, "no_token", GET "Cookie: tideover_K7QD-2M=%T\r\n" TOKEN SAME END },
    { 401, "no_token", GET "Cookie: tideover_R5HD-8W=%C\r\n" TOKEN SAME END },
    { 401, "no_token", GET COOKIE "X-Tideover-Token: %C\r\n" SAME END },
    { 401, "no_token", GET COOKIE TOKEN SAME "Authorization: Bearer " CTL_HEX "cc\r\n" END },
    { 403, "wrong_site", GET COOKIE TOKEN END }, /* every browser says where from */
    { 403, "wrong_site", GET COOKIE TOKEN "Sec-Fetch-Site: none\r\n" END },
    { 403, "wrong_site", GET COOKIE TOKEN "Sec-Fetch-Site: same-site\r\n" END },
    { 403, "wrong_origin", POST JSON COOKIE TOKEN SAME END },
    { 403, "wrong_origin", POST JSON COOKIE TOKEN SAME "Origin: http://127.0.0.1:1\r\n" END },
    { 403, "wrong_origin", POST JSON COOKIE TOKEN SAME "Origin: http://localhost:%P\r\n" END },
    { 403, "wrong_origin", POST JSON COOKIE TOKEN SAME "Origin: null\r\n" END },
    { 403, "wrong_site", POST JSON COOKIE TOKEN OURS "Sec-Fetch-Site: same-site\r\n" END },
    { 415, "wrong_type", POST "Content-Type: text/plain\r\n" COOKIE TOKEN OURS SAME END },
    { 421, "wrong_host",
      "GET /api/v1/status HTTP/1.1\r\nHost: evil.test:%P\r\n" COOKIE TOKEN SAME END },
    { 405, "wrong_method", "OPTIONS /api/v1/records HTTP/1.1\r\n" HOST COOKIE TOKEN SAME END },
    { 405, "wrong_method", "POST /desk HTTP/1.1\r\n" HOST JSON COOKIE TOKEN OURS END },
    { 403, "wrong_origin",
      "POST /api/v1/session HTTP/1.1\r\n" HOST JSON "Content-Length: 0\r\n" SAME END },
};

#define ENTER "POST /api/v1/session HTTP/1.1\r\n" HOST OURS JSON "Content-Length: 32\r\n" END

/* A code is traded, once; the cookie and token come out. */
static void come_in(struct door *d, char cookie[65], char token[65])
{
    char code[2 * KEEPER_CODE_BYTES + 1];
    struct buf b = { 0 };
    const char *at;

    http_keeper_code(d->http, code);
    assert_int_equal(ask(d, ENTER, code, &b), 200);
    at = strstr((char *)b.p, "Set-Cookie: tideover_K7QD-2M=");
    assert_non_null(at);
    snprintf(cookie, 65, "%.64s", at + 29);
    assert_non_null(strstr(at, "; HttpOnly; SameSite=Strict; Path=/\r\n"));
    snprintf(token, 65, "%.64s", body_of(&b));
    assert_int_equal(ask(d, ENTER, code, &b), 403);
    buf_free(&b);
}

static void every_line_of_the_pages_table_gets_its_answer(void **state)
{
    struct door *d = *state;
    char cookie[65], token[65];
    struct buf b = { 0 }, head = { 0 };

    come_in(d, cookie, token);
    for (unsigned i = 0; i < sizeof page_table / sizeof page_table[0]; i++) {
        unsigned status;
        char code[64];

        buf_reset(&head);
        for (const char *s = page_table[i].head; *s != 0; s++)
            if (s[0] == '%' && (s[1] == 'C' || s[1] == 'T'))
                buf_text(&head, *++s == 'C' ? cookie : token);
            else
                buf_add(&head, s, 1);
        buf_add(&head, "", 1);
        status = ask(d, (char *)head.p, "", &b);
        snprintf(code, sizeof code, "\"code\":\"%s\"", page_table[i].code);
        if (status != page_table[i].status ||
            (page_table[i].code[0] != 0 && strstr(body_of(&b), code) == NULL))
            fail_msg("line %u, %.300s: %u %s", i, (char *)head.p, status,
                     status != 0 ? body_of(&b) : "");
        else if (status == 200) /* as the desk token, until a PIN */
            assert_non_null(strstr(body_of(&b), "right=1"));
    }
    buf_free(&b);
    buf_free(&head);
}

static void connections_have_a_limit(void **state)
{
    const struct door *d = *state;
    int fd[CONNECTIONS], more[2];
    struct buf b = { 0 };
    char byte;

    for (unsigned i = 0; i < CONNECTIONS; i++) {
        fd[i] = dial(d);
        assert_int_equal(ask_on(d, fd[i], healthz, "", 0, &b), 200);
    }
    for (unsigned i = 0; i < 2; i++) {
        more[i] = dial(d);
        tell_on(d, more[i], healthz, "", 0);
    }
    close(fd[0]); /* one waits no more, the other does */
    assert_int_equal(hear(more[0], &b), 200);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ask_on(d, fd[1], healthz, "", 0, &b), 200);
    assert_int_equal(recv(more[1], &byte, 1, MSG_DONTWAIT), -1);
    for (unsigned i = 1; i < CONNECTIONS; i++)
        close(fd[i]);
    assert_int_equal(hear(more[1], &b), 200);
    close(more[0]);
    close(more[1]);
    buf_free(&b);
}

/* The end of each comes together with its last bytes: they waited while there was no room. */
static void callers_that_left_in_the_middle_of_a_request_hold_up_nobody(void **state)
{
    const struct door *d = *state;
    static const char half[30000];
    int fd[CONNECTIONS], more;
    struct buf b = { 0 };

    for (unsigned i = 0; i < CONNECTIONS; i++) {
        fd[i] = dial(d);
        assert_int_equal(ask_on(d, fd[i], healthz, "", 0, &b), 200);
    }
    for (unsigned i = 0; i < 4 * CONNECTIONS; i++) {
        more = dial(d);
        tell_on(d, more,
                "POST /api/v1/records HTTP/1.1\r\n" HOST CTL JSON "Content-Length: 60000\r\n" END,
                half, sizeof half);
        close(more);
    }
    more = dial(d);
    tell_on(d, more, healthz, "", 0);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        close(fd[i]);
    assert_int_equal(hear(more, &b), 200); /* in less than anybody's patience: see dial() */
    close(more);
    buf_free(&b);
}

static void every_answer_carries_the_security_headers(void **state)
{
    static const char *const heads[] = {
        "GET /healthz HTTP/1.1\r\n" HOST END,
        "GET /api/v1/status HTTP/1.1\r\n" HOST CTL END,
        "GET /api/v1/file HTTP/1.1\r\n" HOST CTL END,
        "GET /desk HTTP/1.1\r\n" HOST END,
        "GET /pages/desk.js HTTP/1.1\r\n" HOST END,
        "GET /pages/none.js HTTP/1.1\r\n" HOST END,
        "GET /api/v1/status HTTP/1.1\r\n" HOST END,
        "OPTIONS /api/v1/status HTTP/1.1\r\n" HOST CTL END,
        ("GET /healthz HTTP/1.1\r\nHost: evil.test\r\n" END),
    };
    static const char *const wanted[] = {
        "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'\r\n",
        "X-Content-Type-Options: nosniff\r\n",
        "Referrer-Policy: no-referrer\r\n",
        "Cross-Origin-Resource-Policy: same-origin",
        "Cross-Origin-Opener-Policy: same-origin\r\n",
        "Cache-Control: no-store\r\n",
        "Content-Type: ",
    };
    struct buf b = { 0 };

    for (unsigned i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        assert_true(ask(*state, heads[i], "", &b) > 0);
        for (unsigned k = 0; k < sizeof wanted / sizeof wanted[0]; k++)
            assert_non_null(strstr((char *)b.p, wanted[k]));
        assert_null(strstr((char *)b.p, "Access-Control"));
    }
    buf_free(&b);
}

static void the_handler_gets_clean_requests_and_the_right_of_their_token(void **state)
{
    struct buf b = { 0 };

    assert_int_equal(ask(*state, "GET /api/v1/stat%75s?a=%41&b HTTP/1.1\r\n" HOST DESK END, "", &b),
                     200);
    assert_string_equal(body_of(&b), "GET /api/v1/status?a=%41&b right=1 body=0:");
    assert_int_equal(
        ask(*state, "POST /api/v1/records HTTP/1.1\r\n" HOST CTL JSON "Content-Length: 7\r\n" END,
            "{\"a\":1}", &b),
        200);
    assert_string_equal(body_of(&b), "POST /api/v1/records? right=2 body=7:{\"a\":1}");
    buf_free(&b);
}

static void health_says_one_thing_only(void **state)
{
    struct buf b = { 0 };

    assert_int_equal(ask(*state, "GET /healthz HTTP/1.1\r\n" HOST END, "", &b), 200);
    assert_string_equal(body_of(&b), "{\"status\":\"ok\"}");
    buf_free(&b);
}

static void the_proof_is_the_nonce_under_each_token(void **state)
{
    uint8_t nonce[16], token[32], proof[32];
    char hex[65], wanted[256];
    struct buf b = { 0 };
    size_t n;

    sodium_hex2bin(nonce, sizeof nonce, "00112233445566778899aabbccddeeff", 32, NULL, &n, NULL);
    assert_int_equal(ask(*state,
                         "GET /api/v1/proof?nonce=00112233445566778899aabbccddeeff HTTP/1.1"
                         "\r\n" HOST END,
                         "", &b),
                     200);
    memset(token, 0xdd, sizeof token);
    crypto_generichash(proof, 32, nonce, 16, token, 32);
    sodium_bin2hex(hex, sizeof hex, proof, 32);
    snprintf(wanted, sizeof wanted, "\"desk\":\"%s\"", hex);
    assert_non_null(strstr(body_of(&b), wanted));
    memset(token, 0xcc, sizeof token);
    crypto_generichash(proof, 32, nonce, 16, token, 32);
    sodium_bin2hex(hex, sizeof hex, proof, 32);
    snprintf(wanted, sizeof wanted, "\"ctl\":\"%s\"", hex);
    assert_non_null(strstr(body_of(&b), wanted));
    buf_free(&b);
}

static void a_connection_serves_many_requests_refused_ones_too(void **state)
{
    const struct door *d = *state;
    struct buf b = { 0 };
    int fd = dial(d);

    for (int i = 0; i < 20; i++) {
        assert_int_equal(ask_on(d, fd, "GET /api/v1/status HTTP/1.1\r\n" HOST CTL END, "", 0, &b),
                         200);
        assert_int_equal(ask_on(d, fd,
                                "POST /api/v1/x HTTP/1.1\r\n" HOST JSON "Content-Length: 5\r\n" END,
                                "hello", 5, &b),
                         401);
        assert_int_equal(
            ask_on(d, fd, "POST /api/v1/x HTTP/1.1\r\n" HOST CTL JSON "Content-Length: 5\r\n" END,
                   "hello", 5, &b),
            200);
        assert_string_equal(body_of(&b), "POST /api/v1/x? right=2 body=5:hello");
    }
    close(fd);
    buf_free(&b);
}

static void a_body_of_64_kib_is_taken_and_one_byte_more_is_not(void **state)
{
    const struct door *d = *state;
    char *body = malloc(HTTP_BODY_MAX + 1);
    struct buf b = { 0 };
    int fd = dial(d);

    memset(body, 'x', HTTP_BODY_MAX + 1);
    assert_int_equal(
        ask_on(d, fd, "POST /api/v1/x HTTP/1.1\r\n" HOST CTL JSON "Content-Length: 65536\r\n" END,
               body, HTTP_BODY_MAX, &b),
        200);
    assert_non_null(strstr(body_of(&b), "body=65536:xxx"));
    assert_int_equal(
        ask_on(d, fd, "POST /api/v1/x HTTP/1.1\r\n" HOST CTL JSON "Content-Length: 65537\r\n" END,
               body, HTTP_BODY_MAX + 1, &b),
        413);
    assert_int_equal(ask_on(d, fd, "GET /healthz HTTP/1.1\r\n" HOST END, "", 0, &b), 200);
    close(fd);
    free(body);
    buf_free(&b);
}

static void a_chunked_body_is_counted_as_it_comes(void **state)
{
    const struct door *d = *state;
    struct buf body = { 0 }, b = { 0 };

    buf_text(&body, "5\r\nhello\r\n0\r\n\r\n");
    buf_add(&body, "", 1);
    assert_int_equal(
        ask(d, "POST /api/v1/x HTTP/1.1\r\n" HOST CTL JSON "Transfer-Encoding: chunked\r\n" END,
            (char *)body.p, &b),
        200);
    assert_non_null(strstr(body_of(&b), "body=5:hello"));
    buf_reset(&body);
    for (int i = 0; i < 80; i++) {
        buf_text(&body, "400\r\n");
        memset(buf_grow(&body, 1024), 'x', 1024);
        buf_text(&body, "\r\n");
    }
    buf_text(&body, "0\r\n\r\n");
    buf_add(&body, "", 1);
    assert_int_equal(
        ask(d, "POST /api/v1/x HTTP/1.1\r\n" HOST CTL JSON "Transfer-Encoding: chunked\r\n" END,
            (char *)body.p, &b),
        413);
    buf_free(&body);
    buf_free(&b);
}

static void an_endless_refused_body_is_cut_off(void **state)
{
    static const char chunk[] = "1000\r\n";
    const struct door *d = *state;
    struct timeval patience = { 10, 0 };
    char bytes[4096];
    int fd = dial(d);
    bool cut = false;

    memset(bytes, 'x', sizeof bytes);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    snprintf(bytes, sizeof bytes,
             "POST /api/v1/x HTTP/1.1\r\nHost: evil.test\r\n"
             "Transfer-Encoding: chunked\r\n\r\n");
    say(fd, bytes, strlen(bytes));
    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; i < 16384 && !cut; i++)
        cut = send(fd, chunk, 6, MSG_NOSIGNAL) != 6 ||
              send(fd, bytes, sizeof bytes, MSG_NOSIGNAL) != (ssize_t)sizeof bytes ||
              send(fd, "\r\n", 2, MSG_NOSIGNAL) != 2;
    assert_true(cut);
    close(fd);
}

static void a_zero_byte_in_the_body_or_target_reaches_nobody(void **state)
{
    const struct door *d = *state;
    struct buf b = { 0 };
    int fd = dial(d);
    char raw[256];
    int n;
    unsigned status;

    assert_int_equal(ask_on(d, fd,
                            "POST /api/v1/x HTTP/1.1\r\n" HOST CTL JSON "Content-Length: 5\r\n" END,
                            "he\0lo", 5, &b),
                     400);
    close(fd);
    fd = dial(d);
    n = snprintf(raw, sizeof raw,
                 "GET /api/v1/statusZ/../x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n" CTL "\r\n", d->port);
    *strchr(raw, 'Z') = 0;
    say(fd, raw, (size_t)n);
    status = hear(fd, &b);
    if (status == 200) /* libmicrohttpd ends the text there: nothing behind it is believed */
        assert_string_equal(body_of(&b), "GET /api/v1/status? right=2 body=0:");
    else
        assert_true(status == 0 || status == 400);
    close(fd);
    buf_free(&b);
}

static void long_targets_and_headers_are_refused(void **state)
{
    struct buf head = { 0 }, b = { 0 };

    buf_text(&head, "GET /");
    memset(buf_grow(&head, 200), 'a', 200);
    buf_text(&head, " HTTP/1.1\r\n" HOST CTL END);
    buf_add(&head, "", 1);
    assert_int_equal(ask(*state, (char *)head.p, "", &b), 414);
    buf_reset(&head);
    buf_text(&head, "GET /healthz HTTP/1.1\r\n" HOST "X-Long: ");
    memset(buf_grow(&head, 16384), 'a', 16384);
    buf_text(&head, "\r\n" END);
    buf_add(&head, "", 1);
    assert_int_not_equal(ask(*state, (char *)head.p, "", &b), 200); /* 431, or just cut */
    buf_free(&head);
    buf_free(&b);
}

static void a_file_is_streamed_from_its_start(void **state)
{
    struct buf b = { 0 };
    char first[4];
    FILE *f = fopen("/proc/self/exe", "rb");

    assert_int_equal(fread(first, 1, 4, f), 4);
    fclose(f);
    assert_int_equal(ask(*state, "GET /api/v1/file HTTP/1.1\r\n" HOST CTL END, "", &b), 200);
    assert_int_equal(content_length((char *)b.p), 70000);
    assert_memory_equal(body_of(&b), first, 4);
    buf_free(&b);
}

static void an_answer_may_be_empty(void **state)
{
    struct buf b = { 0 };

    assert_int_equal(ask(*state, "GET /api/v1/empty HTTP/1.1\r\n" HOST CTL END, "", &b), 202);
    assert_string_equal(body_of(&b), "");
    buf_free(&b);
}

struct caller {
    const struct door *d;
    unsigned number, good;
};

static void *call_many(void *ctx)
{
    struct caller *c = ctx;
    char head[256], body[32], wanted[64];
    struct buf b = { 0 };
    int fd = dial(c->d);

    for (unsigned i = 0; i < 20; i++) {
        int n = snprintf(body, sizeof body, "%u-%u", c->number, i);
        snprintf(head, sizeof head,
                 "POST /api/v1/x HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n" CTL JSON
                 "Content-Length: %d\r\n\r\n",
                 c->d->port, n);
        snprintf(wanted, sizeof wanted, "body=%d:%s", n, body);
        if (ask_on(c->d, fd, head, body, (size_t)n, &b) == 200 &&
            strstr(body_of(&b), wanted) != NULL)
            c->good++;
    }
    close(fd);
    buf_free(&b);
    return NULL;
}

static void thirty_callers_at_once_get_each_their_own_answers(void **state)
{
    struct door *d = *state;
    pthread_t threads[PARALLEL];
    struct caller callers[PARALLEL];

    for (unsigned i = 0; i < PARALLEL; i++) {
        callers[i] = (struct caller){ d, i, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, call_many, &callers[i]), 0);
    }
    for (unsigned i = 0; i < PARALLEL; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].good, 20);
    }
    assert_true(http_requests(d->http) >= PARALLEL * 20);
    assert_int_equal(http_refused(d->http), 0);
}

static void wait_for_held(struct door *d, unsigned n)
{
    struct timespec pause = { 0, 1000000 };

    for (int i = 0; i < 10000; i++) {
        unsigned held;
        pthread_mutex_lock(&d->lock);
        held = d->held;
        pthread_mutex_unlock(&d->lock);
        if (held >= n)
            return;
        nanosleep(&pause, NULL);
    }
    fail_msg("the handler was not called");
}

static void a_suspended_request_does_not_hold_up_others(void **state)
{
    struct door *d = *state;
    struct buf b = { 0 };
    int slow = dial(d);
    char head[256];

    pthread_mutex_lock(&d->lock);
    d->hold = true;
    pthread_mutex_unlock(&d->lock);
    snprintf(head, sizeof head, "GET /api/v1/slow HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n" CTL "\r\n",
             d->port);
    say(slow, head, strlen(head));
    wait_for_held(d, 1);
    assert_int_equal(ask(d, "GET /healthz HTTP/1.1\r\n" HOST END, "", &b), 200);
    pthread_mutex_lock(&d->lock);
    d->hold = false;
    pthread_cond_signal(&d->come);
    pthread_mutex_unlock(&d->lock);
    assert_int_equal(hear(slow, &b), 200);
    assert_string_equal(body_of(&b), "GET /api/v1/slow? right=2 body=0:");
    close(slow);
    buf_free(&b);
}

static void an_answer_to_a_caller_that_left_harms_nobody(void **state)
{
    struct door *d = *state;
    struct buf b = { 0 };
    char head[256];

    pthread_mutex_lock(&d->lock);
    d->hold = true;
    pthread_mutex_unlock(&d->lock);
    snprintf(head, sizeof head, "GET /api/v1/slow HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n" CTL "\r\n",
             d->port);
    for (unsigned i = 0; i < 8; i++) {
        int fd = dial(d);
        say(fd, head, strlen(head));
        wait_for_held(d, i + 1);
        close(fd);
    }
    pthread_mutex_lock(&d->lock);
    d->hold = false;
    pthread_cond_signal(&d->come);
    pthread_mutex_unlock(&d->lock);
    assert_int_equal(ask(d, "GET /api/v1/status HTTP/1.1\r\n" HOST CTL END, "", &b), 200);
    buf_free(&b);
}

static void closing_answers_what_is_open_with_503(void **state)
{
    struct door *d = *state;
    struct buf b = { 0 };
    int fd = dial(d);
    char head[256];

    pthread_mutex_lock(&d->lock);
    d->hold = true;
    pthread_mutex_unlock(&d->lock);
    snprintf(head, sizeof head, "GET /api/v1/slow HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n" CTL "\r\n",
             d->port);
    say(fd, head, strlen(head));
    wait_for_held(d, 1);
    pthread_mutex_lock(&d->lock);
    d->stop = true; /* the node is gone and answers nothing any more */
    d->first = NULL;
    pthread_cond_signal(&d->come);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->node, NULL);
    http_close(d->http);
    assert_int_equal(hear(fd, &b), 503);
    assert_non_null(strstr(body_of(&b), "\"code\":\"closing\""));
    close(fd);
    buf_free(&b);
    pthread_cond_destroy(&d->come);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static void only_loopback_and_a_free_port_will_do(void **state)
{
    static const char *const bad[] = { "0.0.0.0:7412", "10.0.0.1:7412",
                                       "[::]:7412",    "localhost:7412",
                                       "127.0.0.1",    "127.0.0.1:0",
                                       ":7412",        "" };
    struct door *d = *state;
    struct http_config c = { .handler = take };
    struct http *h = NULL;
    struct errmsg msg;
    char taken[32], number[8];

    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        c.listen = bad[i];
        assert_int_equal(http_open(&c, &h, &msg), ERR_CONFIG);
        assert_non_null(strstr(msg.text, "127.0.0.1:PORT"));
    }
    snprintf(taken, sizeof taken, "127.0.0.1:%u", d->port);
    snprintf(number, sizeof number, "%u", d->port);
    c.listen = taken;
    assert_int_equal(http_open(&c, &h, &msg), ERR_EXISTS);
    assert_non_null(strstr(msg.text, number));
    assert_null(h);
    http_close(NULL);
}

static void refusals_are_counted(void **state)
{
    struct door *d = *state;
    struct buf b = { 0 };

    ask(d, "GET /healthz HTTP/1.1\r\n" HOST END, "", &b);
    ask(d, "GET /healthz HTTP/1.1\r\nHost: evil.test\r\n" END, "", &b);
    ask(d, "GET /api/v1/status HTTP/1.1\r\n" HOST END, "", &b);
    assert_int_equal(http_requests(d->http), 3);
    assert_int_equal(http_refused(d->http), 2);
    buf_free(&b);
}

#define WITH_DOOR(test) cmocka_unit_test_setup_teardown(test, open_door, close_door)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_DOOR(every_line_of_the_table_gets_its_answer),
        WITH_DOOR(every_line_of_the_pages_table_gets_its_answer),
        WITH_DOOR(connections_have_a_limit),
        WITH_DOOR(callers_that_left_in_the_middle_of_a_request_hold_up_nobody),
        WITH_DOOR(every_answer_carries_the_security_headers),
        WITH_DOOR(the_handler_gets_clean_requests_and_the_right_of_their_token),
        WITH_DOOR(health_says_one_thing_only),
        WITH_DOOR(the_proof_is_the_nonce_under_each_token),
        WITH_DOOR(a_connection_serves_many_requests_refused_ones_too),
        WITH_DOOR(a_body_of_64_kib_is_taken_and_one_byte_more_is_not),
        WITH_DOOR(a_chunked_body_is_counted_as_it_comes),
        WITH_DOOR(an_endless_refused_body_is_cut_off),
        WITH_DOOR(a_zero_byte_in_the_body_or_target_reaches_nobody),
        WITH_DOOR(long_targets_and_headers_are_refused),
        WITH_DOOR(a_file_is_streamed_from_its_start),
        WITH_DOOR(an_answer_may_be_empty),
        WITH_DOOR(thirty_callers_at_once_get_each_their_own_answers),
        WITH_DOOR(a_suspended_request_does_not_hold_up_others),
        WITH_DOOR(an_answer_to_a_caller_that_left_harms_nobody),
        cmocka_unit_test_setup(closing_answers_what_is_open_with_503, open_door),
        WITH_DOOR(only_loopback_and_a_free_port_will_do),
        WITH_DOOR(refusals_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
