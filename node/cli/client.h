/* client.h - one HTTP client on libcurl, for one node, on loopback. */
#ifndef TIDEOVER_CLIENT_H
#define TIDEOVER_CLIENT_H

#include "cli_int.h"

struct reply {
    unsigned status;
    struct buf body;    /* with a NUL behind its length */
    struct buf summary; /* X-Tideover-Summary of an export; NUL as well */
};
void reply_free(struct reply *r);

/* Finds the node by DIR/run, proves that it is the node that wrote the token, and keeps the token.
 * ERR_OFFLINE: none runs there; ERR_DENIED: this user may not read a token. */
enum err client_open(const char *state_dir, const struct cli *cli, struct client **out,
                     struct errmsg *msg);
void client_close(struct client *cl); /* NULL is fine */

struct request {
    const char *path; /* "/api/v1/status?..." */
    const char *type; /* NULL: GET */
    const void *body;
    size_t body_len;
    const char *waiting; /* see cli_call() */
    int to_fd;           /* 0: into reply.body; else a 200's bytes go to this file */
};
/* Transport only: any HTTP status is ERR_OK. ERR_OFFLINE: nobody there, or it went away. */
enum err client_send(struct client *cl, const struct request *rq, struct reply *out,
                     struct errmsg *msg);

#endif
