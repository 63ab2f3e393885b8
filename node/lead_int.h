/* lead_int.h - a request that a lead signs: shared by lead.c and invite.c. */
#ifndef TIDEOVER_LEAD_INT_H
#define TIDEOVER_LEAD_INT_H

#include "node_int.h"

struct lead_job {
    struct job job; /* first */
    struct http_request *rq;
    json_t *body;
    char passphrase[256];
    uint8_t sk[SIGN_SK_BYTES];
    enum err err;
    struct errmsg msg;
    enum err (*sign)(struct node *n, struct lead_job *l, json_t **answer);
};

/* Opens the lead key with the passphrase of the body on a thread of its own, then calls sign on the
 * loop's thread, answers after the commit, and wipes. Takes body. */
void lead_start(struct node *n, struct http_request *rq, json_t *body,
                enum err (*sign)(struct node *n, struct lead_job *l, json_t **answer));
const char *lead_text(const struct lead_job *l, const char *name); /* of the body; "" if absent */
/* The desk that the body's "desk" names, by name or short id; NULL and l->msg: none. */
const struct desk *lead_desk(struct node *n, struct lead_job *l);

#endif
