/* http.h - the node's local door: HTTP/1.1 on loopback, libmicrohttpd behind it.
 *
 * http.c owns sockets, limits, Host/Origin/token checks and hands clean requests to one handler in
 * libmicrohttpd's thread; the handler passes them on and returns at once. The request stays
 * suspended until http_answer(), from any thread, and never after http_close(). Rules: README,
 * "Local API". */
#ifndef TIDEOVER_HTTP_H
#define TIDEOVER_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

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
    void *priv;                /* http.c's own */
    struct http_request *next; /* for the receiver's queue */
};

struct http;

struct http_config {
    const char *listen; /* "127.0.0.1:7412"; anything but loopback is refused */
    uint8_t desk_token[HTTP_TOKEN_BYTES], ctl_token[HTTP_TOKEN_BYTES];
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

uint64_t http_requests(const struct http *h); /* since start, for metrics */
uint64_t http_refused(const struct http *h);

#endif
