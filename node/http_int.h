/* http_int.h - what http.c and http_check.c share: who may be answered at all. */
#ifndef TIDEOVER_HTTP_INT_H
#define TIDEOVER_HTTP_INT_H

#include <microhttpd.h>
#include <pthread.h>

#include "http.h"
#include "pages.h"

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
               REFUSAL_RATE, /* a page that changes more than a person can */
               REFUSAL_BODY, /* a GET with a body, a POST whose body holds a NUL */
               REFUSAL_TYPE,
               REFUSAL_LARGE,
               REFUSAL_NONCE,
               REFUSAL_PAGE,    /* no such file */
               REFUSAL_CLOSING, /* the node is stopping */
};

struct refusal_row {
    unsigned status;
    int exit_code;
    const char *code, *message;
};
const struct refusal_row *refusal_row(enum refusal r); /* never NULL */

#define HTTP_CONNECTIONS_MAX 32 /* a page, a few scripts, and room */

/* A listening socket of ours on loopback. ERR_CONFIG, ERR_EXISTS, ERR_DENIED. */
enum err http_listen(const char *listen_on, int *fd, uint16_t *port, struct errmsg *msg);

/* The request's own address, in the three forms a browser or script may use. */
void hosts_fill(char hosts[HTTP_HOSTS][HTTP_HOST_BYTES], uint16_t port);

/* Fills path and query from the raw target of the request line. */
enum refusal target_split(const char *raw, struct http_request *rq);

/* The keeper, asked from libmicrohttpd's thread and from the loop. http_keeper.c */
struct page_keeper {
    pthread_mutex_t lock;
    struct keeper keeper;
    char cookie_name[40];
};

/* Everything that can be said once the headers are there; fills rq->method and rq->right. */
enum refusal request_check(struct MHD_Connection *c, const char *method,
                           const char hosts[HTTP_HOSTS][HTTP_HOST_BYTES],
                           const struct http_config *keys, struct page_keeper *g,
                           struct http_request *rq);

/* What is answered without a token. */
bool path_is_open(const char *path);
bool path_is_page(const char *path);  /* pages and what they are made of: nothing secret in them */
bool path_is_entry(const char *path); /* where a code becomes a session */

/* A page's two secrets, as they came. */
struct page_keys {
    bool has_cookie, has_token;
    uint8_t cookie[KEEPER_SECRET_BYTES], token[KEEPER_SECRET_BYTES];
};
/* Whose they are: fills session and right. False: too many changes. */
bool page_judge(struct page_keeper *g, const struct page_keys *k, bool is_change,
                struct http_request *rq);
void page_keeper_open(struct page_keeper *g, const struct http_config *c);
void page_keeper_close(struct page_keeper *g);
struct page_keeper *http_keeper_of(struct http *h);

/* Answers GET /api/v1/proof: 16 to 32 bytes of hex in the query's nonce. */
enum refusal proof_answer(const struct http_config *keys, const char *query, struct buf *out);

#endif
