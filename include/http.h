/* http.h - the node's local door: HTTP/1.1 on loopback, libmicrohttpd behind it.
 *
 * http.c owns sockets, limits, Host/Origin/token checks and hands clean requests to one handler in
 * libmicrohttpd's thread; the handler passes them on and returns at once. The request stays
 * suspended until http_answer(), from any thread, and never after http_close(). Rules: node/
 * API.md. */
#ifndef TIDEOVER_HTTP_H
#define TIDEOVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "keeper.h"

#define HTTP_BODY_MAX    65536 /* one request's body */
#define HTTP_TOKEN_BYTES 32

enum http_right { HTTP_NOBODY, HTTP_DESK, HTTP_CTL }; /* which token came with the request */

struct http_request {
    char method[8];  /* "GET", "POST" */
    char path[128];  /* "/api/v1/status", decoded, clean */
    char query[256]; /* raw, without '?' */
    uint8_t *body;   /* NUL-terminated; NULL if none */
    size_t body_len;
    enum http_right right;
    uint64_t session;          /* of a page, keeper.h; 0: none, a token came instead */
    char set_cookie[192];      /* if not empty, http_answer() sends it along */
    void *priv;                /* http.c's own */
    struct http_request *next; /* for the receiver's queue */
};

struct http;

struct http_config {
    const char *listen; /* "127.0.0.1:7412"; anything but loopback is refused */
    uint8_t desk_token[HTTP_TOKEN_BYTES], ctl_token[HTTP_TOKEN_BYTES];
    const char *cookie_name; /* of this desk: browsers keep one jar for all ports */
    const uint8_t *sessions; /* that a crash left, as http_keeper_write() made them */
    size_t sessions_len;
    int64_t wall_ms; /* now, for them */
    void (*handler)(void *ctx, struct http_request *rq);
    void *ctx;
};

/* ERR_CONFIG (not loopback, malformed), ERR_EXISTS (port taken), both with a next step. */
enum err http_open(const struct http_config *c, struct http **out, struct errmsg *msg);
void http_close(struct http *h); /* answers what is still open with 503; NULL is fine */

/* Exactly once per request; the request is gone afterwards. body is moved and reset (NULL: empty).
 * type e.g. "application/json". */
void http_answer(struct http_request *rq, unsigned status, const char *type, struct buf *body);
/* Streams an open file from its start and closes it. */
void http_answer_fd(struct http_request *rq, const char *type, int fd, uint64_t size);

/* Of the pages; each as in keeper.h, with the time now, from any thread. http_keeper.c */
void http_keeper_code(struct http *h, char code[2 * KEEPER_CODE_BYTES + 1]);
/* Fills rq's session and cookie. False: no such code. */
bool http_keeper_enter(struct http *h, const char *code, struct http_request *rq);
bool http_keeper_token(struct http *h, uint64_t session, char token[2 * KEEPER_SECRET_BYTES + 1]);
void http_keeper_leave(struct http *h, uint64_t session);
void http_keeper_write(struct http *h, int64_t wall_ms, struct buf *out); /* wipe it */
bool http_keeper_poll_begin(struct http *h, uint64_t session);
void http_keeper_poll_end(struct http *h, uint64_t session);
void http_keeper_lift(struct http *h, uint64_t session);
void http_keeper_lower(struct http *h, uint64_t session);
bool http_keeper_is_lifted(struct http *h, uint64_t session);
uint64_t http_keeper_pin_wait(struct http *h, enum keeper_page page);
void http_keeper_pin_tried(struct http *h, enum keeper_page page, bool right);

uint64_t http_requests(const struct http *h); /* since start, for metrics */
uint64_t http_refused(const struct http *h);

#endif
