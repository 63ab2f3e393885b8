/* sip2_link.h - one connection to a SIP2 server, plain or TLS: one message in flight, each with its
 * time limit. What may be repeated and what not is the caller's business (sinks/sip2.c). */
#ifndef TIDEOVER_SIP2_LINK_H
#define TIDEOVER_SIP2_LINK_H

#include "credential.h"
#include "delivery.h"
#include "policy.h"
#include "reach.h"
#include "sip2.h"
#include "url.h"

#define SIP2_PORT 6001 /* where the policy's sink names none; no number was ever registered */

struct sip2_site {
    const struct policy *policy; /* borrowed */
    struct url url;
    unsigned port;
    bool tls;
    char user[CREDENTIAL_LINE_MAX + 1], password[CREDENTIAL_LINE_MAX + 1]; /* "": no login */
    char login[CREDENTIAL_LOGIN_TEXT]; /* the names of their files */
    struct reach reach;
};
/* Where sip2[s]://HOST[:PORT] is, and this desk's secrets for it as the policy names them.
 * ERR_CONFIG says what is missing. Wipe it. */
enum err sip2_site_find(const char *state_dir, const struct policy *p, const char *url,
                        struct sip2_site *out, struct errmsg *msg);

struct sip2_link;
struct sip2_link *sip2_link_new(void);    /* NULL: out of memory */
void sip2_link_free(struct sip2_link *l); /* NULL is fine */
bool sip2_link_is_open(const struct sip2_link *l);

/* Connects, logs in, asks for status and canary (S1). DONE; RETRY or STOP with words. */
enum delivery sip2_link_open(struct sip2_link *l, const struct sip2_site *site, char words[256]);
/* Tells the server that it is the end, if that can be said; then closes. */
void sip2_link_close(struct sip2_link *l, bool politely);
const struct sip2_status *sip2_link_status(const struct sip2_link *l); /* of the last 98 */

enum sip2_got {
    SIP2_GOT_ANSWER,
    SIP2_GOT_UNSENT,  /* the connection was closed before: nothing left. It is closed here, too */
    SIP2_GOT_NOTHING, /* sent, and no answer within its time; closed */
};
struct sip2_answer { /* borrowed until the next call */
    const char *p;
    size_t n;
    unsigned seq;    /* that was sent */
    const char *why; /* of NOTHING: a phrase for people */
};
/* Sends a message that has neither AY nor its end, and waits for the next one that comes. A 98 that
 * nobody asked for is passed over. */
enum sip2_got sip2_link_ask(struct sip2_link *l, const struct buf *message,
                            struct sip2_answer *out);

/* 17 and 63 with their pairing checked. *m is borrowed until the next call. */
enum sip2_got sip2_link_item(struct sip2_link *l, const struct policy *p, const char *item,
                             struct sip2_msg *m);
enum sip2_got sip2_link_patron(struct sip2_link *l, const struct policy *p, const char *user,
                               unsigned from, struct sip2_msg *m);

#endif
