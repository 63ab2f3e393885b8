/* url.h - where a sink over the network is: the few forms that the policy may name, taken apart.
 *
 * Strict, because what is written here goes to every desk: no password, no query, no fragment, no
 * escape but %XX. Source of the forms: RFC 3986, and what libcurl reads. */
#ifndef TIDEOVER_URL_H
#define TIDEOVER_URL_H

#include <stdbool.h>

#include "err.h"

#define URL_HOST_MAX 255

struct url {
    char scheme[12];             /* "https", "sftp", "sip2s" .. */
    char user[64];               /* "" if none */
    char host[URL_HOST_MAX + 1]; /* a name or an address; IPv6 without its brackets */
    unsigned port;               /* 0: the scheme's own */
    const char *path;            /* within the text; begins with '/', or is empty */
};

/* ERR_CONFIG with what is wrong, without the text itself. out->path lives as long as s. */
enum err url_parse(const char *s, struct url *out, struct errmsg *msg);
/* This PC itself: what is sent there crosses no wire. */
bool url_is_loopback(const struct url *u);

/* The URL within a sink of the policy, behind a word like "put:" or "koha-plugin:"; NULL: the sink
 * is no URL. */
const char *sink_url(const char *sink);

#endif
