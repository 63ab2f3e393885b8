/* lead_int.h - a request that a lead signs: shared by lead.c, invite.c, desks.c and keyring.c. */
#ifndef TIDEOVER_LEAD_INT_H
#define TIDEOVER_LEAD_INT_H

#include "node_int.h"
#include "policy_check.h"

struct lead_job {
    struct job job; /* first */
    struct http_request *rq;
    json_t *body;
    unsigned needs;
    char passphrase[256], next[256];
    struct buf sealed;              /* the lead key: as kept here, then as sealed by `next` */
    uint8_t sk[SIGN_SK_BYTES];      /* of the lead key */
    uint8_t root_sk[SIGN_SK_BYTES]; /* only with LEAD_ROOT */
    char remark[POLICY_REMARK_MAX]; /* of LEAD_FOLDER */
    enum err err;
    struct errmsg msg;
    enum err (*sign)(struct node *n, struct lead_job *l, json_t **answer);
};

enum lead_needs {                      /* what the body must bring, bits */
                  LEAD_PASSPHRASE = 1, /* "passphrase" opens the lead key kept here */
                  LEAD_NEXT =
                      2, /* "new" is to seal it from now on; with LEAD_ROOT a new lead key */
                  LEAD_ROOT = 4,   /* "root", the branch's root key */
                  LEAD_FOLDER = 8, /* "text" is a policy: its folder is looked at */
};
void lead_start_with(struct node *n, struct http_request *rq, json_t *body, unsigned needs,
                     enum err (*sign)(struct node *n, struct lead_job *l, json_t **answer));

/* Opens the lead key with the passphrase of the body on a thread of its own, then calls sign on the
 * loop's thread, answers after the commit, and wipes. Takes body. */
void lead_start(struct node *n, struct http_request *rq, json_t *body,
                enum err (*sign)(struct node *n, struct lead_job *l, json_t **answer));
const char *lead_text(const struct lead_job *l, const char *name); /* of the body; "" if absent */
/* The desk that the body's "desk" names, by name or short id; NULL and l->msg: none. */
const struct desk *lead_desk(struct node *n, struct lead_job *l);
/* Names of those with the role lead or admin. others: but for this one. */
json_t *lead_desks_json(const struct node *n, bool others);
/* ERR_DENIED, and where to go: nothing can be signed with the lead key here. */
enum err lead_is_here(const struct node *n, struct errmsg *msg);
/* word.c: dates, signs and says a word of this key; not before w->at_ms. */
enum err word_say(struct node *n, struct word *w, const struct buf *refs,
                  const uint8_t sk[SIGN_SK_BYTES], struct errmsg *msg);
/* Adds one operation to the roster and frees it. */
enum err lead_add(struct node *n, struct lead_job *l, struct buf *op);
void lead_tell_seats(const struct node *n, const struct desk_id *gone,
                     json_t *answer); /* desks.c */
/* keyring.c: certifies and puts in use the new key in l->sk, l->sealed; gives this desk the role
 * for it. drop: all other lead keys end with what is here now. */
enum err keyring_renew(struct node *n, struct lead_job *l, bool drop);

#endif
