/* put.h - what an answer to an upload over HTTP means (RFC 9110): arrived, to be sent again, a
 * person's business, or in doubt. For node/sinks/http.c and sftp.c, which do the sending.
 *
 * What a lost answer means depends on what the site declared of its server, by the word in front of
 * the URL. A server that promises nothing may have taken whatever it did not refuse. */
#ifndef TIDEOVER_PUT_H
#define TIDEOVER_PUT_H

#include <stdbool.h>

#include "delivery.h"

#define PUT_WORDS 256

enum put_promise {
    PUT_NOTHING,   /* https:     a name that is given twice may be loaded twice */
    PUT_EXCLUSIVE, /* put:https: keeps If-None-Match: *, and lets what it has be read back */
    PUT_KEYED,     /* key:https: knows an Idempotency-Key again, for ever */
};

enum put_end {
    PUT_NOT_SENT, /* not a byte of the request left */
    PUT_BARRED,   /* the same, and trying again is of no use: its certificate, say */
    PUT_LOST,     /* all or part of it left, and no answer came */
    PUT_ANSWERED, /* with `status` */
};

struct put_answer {
    enum put_end end;
    unsigned status;
    char detail[160]; /* why there is no answer, for people; "" if unknown */
};

/* DENIED: the caller says better which credential it is. *compare: read back what stands under the
 * name, then ask put_compared(). words: empty if it is done, else what happened and what to do; no
 * personal data. */
enum delivery put_judge(enum put_promise p, const struct put_answer *a, bool *compare,
                        char words[PUT_WORDS]);

enum put_there {
    THERE_EQUAL,      /* byte for byte */
    THERE_OTHER,      /* something else stands under the name */
    THERE_NOT,        /* nothing does */
    THERE_UNREADABLE, /* the server does not let us read */
    THERE_UNKNOWN,    /* it did not answer */
};
/* Status of a GET that ended well; what 200 holds was compared by the caller. */
enum put_there put_there_of(unsigned status, bool equal);
/* The server said that the name is taken. */
enum delivery put_compared(enum put_promise p, enum put_there there, const char *name,
                           char words[PUT_WORDS]);
/* An exclusive server said that it took it: does it have it? */
enum delivery put_read_back(enum put_there there, const char *name, char words[PUT_WORDS]);
/* A look at what is in doubt: DONE, STOP, RETRY or UNPROVEN. words: the name, or what to do. */
enum delivery put_looked(enum put_there there, const char *name, char words[PUT_WORDS]);

#endif
