/* http_int.h - what http.c and http_check.c share: who may be answered at all. */
#ifndef TIDEOVER_HTTP_INT_H
#define TIDEOVER_HTTP_INT_H

#include <microhttpd.h>

#include "http.h"

#define HTTP_HOSTS      3
#define HTTP_HOST_BYTES 24 /* "127.0.0.1:65535" and its NUL */

enum refusal { /* in the order in which they are looked for */
               REFUSAL_NONE,
               REFUSAL_TARGET, /* request line: bad escape, control byte, absolute form */
               REFUSAL_LONG,   /* path or query over its limit */
               REFUSAL_HOST,   /* DNS rebinding stops here */
               REFUSAL_METHOD,
               REFUSAL_ORIGIN,
               REFUSAL_SITE,
               REFUSAL_TOKEN,
               REFUSAL_BODY, /* a GET with a body, a POST whose body holds a NUL */
               REFUSAL_TYPE,
               REFUSAL_LARGE,
               REFUSAL_NONCE,
               REFUSAL_CLOSING, /* the node is stopping */
};

struct refusal_row {
    unsigned status;
    int exit_code;
    const char *code, *message;
};
const struct refusal_row *refusal_row(enum refusal r); /* never NULL */

#define HTTP_CONNECTIONS_MAX 64 /* a page, a few scripts, and room */

/* A listening socket of ours on loopback. ERR_CONFIG, ERR_EXISTS, ERR_DENIED. */
enum err http_listen(const char *listen_on, int *fd, uint16_t *port, struct errmsg *msg);

/* The request's own address, in the three forms a browser or script may use. */
void hosts_fill(char hosts[HTTP_HOSTS][HTTP_HOST_BYTES], uint16_t port);

/* Fills path and query from the raw target of the request line. */
enum refusal target_split(const char *raw, struct http_request *rq);

/* Everything that can be said once the headers are there; fills rq->method and rq->right. */
enum refusal request_check(struct MHD_Connection *c, const char *method,
                           const char hosts[HTTP_HOSTS][HTTP_HOST_BYTES],
                           const struct http_config *keys, struct http_request *rq);

/* What is answered without a token. */
bool path_is_open(const char *path);

/* Answers GET /api/v1/proof: 16 to 32 bytes of hex in the query's nonce. */
enum refusal proof_answer(const struct http_config *keys, const char *query, struct buf *out);

#endif
