/* web_int.h - one request to a web service, and what is known once it ended: for evergreen.c,
 * koha.c, koha_plugin.c.
 *
 * Each request has a connection of its own. On one that is kept, libcurl sends a request again by
 * itself when the other side closed without a byte of answer; but this other side may have booked
 * it. */
#ifndef TIDEOVER_WEB_INT_H
#define TIDEOVER_WEB_INT_H

#include <curl/curl.h>

#include "buf.h"
#include "credential.h"
#include "sink.h"

#define WEB_ANSWER_MAX (64u << 20) /* a list of all that was refused, of a large upload */

struct web;

enum web_end {
    WEB_ANSWERED, /* status and body are there, whole */
    WEB_NOT_SENT, /* not a byte of the request left */
    WEB_BARRED,   /* the same, and trying again is of no use: the certificate, the address */
    WEB_LOST,     /* it left, or part of it, and no whole answer came */
};

struct web_request {
    const char *path;        /* behind the base */
    const struct buf *form;  /* POST: a form, or NULL */
    const struct buf *json;  /* POST: JSON, or NULL */
    curl_mime *mime;         /* POST: a form with a file, or NULL; its repetition does no harm */
    const char *user, *pass; /* Basic, or NULL */
    const char *bearer;      /* or NULL */
    const char *csrf;        /* or NULL */
};

struct web_answer {
    long status;
    struct buf body; /* NUL behind it */
    char csrf[512];  /* response header Csrf-Token; "" if none came */
    char words[200]; /* of a request without an answer: what happened, for people */
};

struct web_login {
    char user[CREDENTIAL_LINE_MAX + 1], pass[CREDENTIAL_LINE_MAX + 1];
};

/* The address of the batch's sink, as its policy says how to come there. http:// to this PC alone,
 * or where the policy says that this is meant. limit_ms: of one request, answer included; the
 * policy's quiet time may make it shorter. NULL:
 * words say why; only a person can help. */
struct web *web_new(const struct sink_batch *b, uint32_t limit_ms, char words[256]);
/* A user's name from the policy, or else, as the password, from the credential. Wipe it. */
bool web_find_login(const struct sink_batch *b, const char *user, struct web_login *out,
                    char words[256]);
void web_free(struct web *w); /* NULL is fine; forgets cookies */
curl_mime *web_mime(struct web *w);

void web_form_add(struct buf *form, const char *key, const char *value);

/* a is filled anew; web_answer_free() wipes it. */
enum web_end web_send(struct web *w, const struct web_request *rq, struct web_answer *a);
void web_answer_free(struct web_answer *a);
/* A request that may be repeated, or was not sent, ended without the answer that was hoped for:
 * RETRY, STOP or DENIED, with words. what: "Evergreen". */
enum delivery web_failed(const struct web *w, const struct web_answer *a, enum web_end end,
                         const char *what, char words[256]);
/* The same of an answer that says it in its own way. detail: " (LOGIN_FAILED)". */
enum delivery web_denied(const struct web *w, const char *what, const char *detail,
                         char words[256]);

#endif
