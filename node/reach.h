/* reach.h - the way from this desk to the library's systems, as the policy's [upload] has it: one
 * set of options for whatever libcurl does for us, sinks and probes alike.
 *
 * Whoever answers is always checked (TLS 1.2 and later), by the certificates of `ca` alone where
 * the policy names one; nothing goes through a proxy of the environment, nor elsewhere by
 * redirection. */
#ifndef TIDEOVER_REACH_H
#define TIDEOVER_REACH_H

#include <curl/curl.h>

#include "err.h"
#include "policy.h"

#define REACH_CONNECT_MS 10000

struct reach {
    char ca[4096];   /* file of the only certificates that are trusted; "": the system's */
    char proxy[128]; /* "": none */
};

/* ERR_MISSING, ERR_CONFIG: this desk lacks the file of certificates; the message names it. */
enum err reach_find(const char *state_dir, const struct policy *p, struct reach *out,
                    struct errmsg *msg);
/* Into a handle without options. r must stay until its last request. */
void reach_set(CURL *c, const struct reach *r);
/* A wire on which nothing is acknowledged is given up after *ms, which must stay, too. */
void reach_set_patience(CURL *c, const uint32_t *ms);

/* Not a byte left, and trying again is of no use: the certificate, the address. */
bool reach_is_barred(CURLcode rc);
/* Did a byte of ours leave in the request that ended? libcurl counts the bytes of "CONNECT" to a
 * proxy as well: in a tunnel that was never built nothing of ours was sent. */
bool reach_has_left(CURL *c, const char *scheme, const struct reach *r);

#endif
