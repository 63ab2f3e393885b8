/* put.c - answers to an upload over HTTP, judged. */
#include "put.h"

#include <stdarg.h>
#include <stdio.h>

static enum delivery say(char words[PUT_WORDS], enum delivery d, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static enum delivery say(char words[PUT_WORDS], enum delivery d, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(words, PUT_WORDS, fmt, ap);
    va_end(ap);
    return d;
}

/* It may have taken it: harmless where a repetition is, else a matter of doubt. */
static enum delivery perhaps(enum put_promise p, const char *what, char words[PUT_WORDS])
{
    if (p == PUT_NOTHING)
        return say(words, DELIVERY_DOUBT, "%s: nobody can tell yet whether it took the file", what);
    return say(words, DELIVERY_RETRY, "%s. It is sent again by itself, which does no harm", what);
}

/* Answers after which nothing was taken, and which a moment may change. */
static const char *passing(enum put_promise p, unsigned status)
{
    switch (status) {
    case 408:
        return "the server waited too long for the file";
    case 423:
        return "the server has the name locked";
    case 425:
    case 429:
        return "the server wants to be asked less often";
    case 507:
        return "the server's disk is full, or its quota is used up";
    case 409:
        return p == PUT_KEYED ? "the server is still at work on the same file" : NULL;
    default:
        return NULL;
    }
}

static enum delivery refused(unsigned status, char words[PUT_WORDS])
{
    if (status >= 300 && status < 400)
        return say(words, DELIVERY_STOP,
                   "the server sends elsewhere (HTTP %u), which is not followed: publish a policy "
                   "whose sink is the address that it really has",
                   status);
    if (status == 401 || status == 403)
        return say(words, DELIVERY_DENIED,
                   "the server refuses the login (HTTP %u): put the credential or its rights "
                   "right, then run the upload again",
                   status);
    if (status == 407)
        return say(words, DELIVERY_STOP,
                   "the policy's proxy wants a login (HTTP 407), which is not supported: let this "
                   "desk through without one, then run the upload again");
    if (status == 404 || status == 405 || status == 409 || status == 410 || status == 501)
        return say(words, DELIVERY_STOP,
                   "the server takes no files there (HTTP %u): is the policy's sink right, and the "
                   "service switched on?",
                   status);
    if (status == 413)
        return say(words, DELIVERY_STOP,
                   "the file is too large for the server (HTTP 413): let it take larger ones");
    if (status == 422)
        return say(words, DELIVERY_STOP,
                   "the server knows this upload's key with other content (HTTP 422): look there "
                   "what it has, before anything is sent again");
    return say(words, DELIVERY_STOP, "the server refuses the file (HTTP %u): look at its log",
               status);
}

static enum delivery judge_status(enum put_promise p, unsigned status, bool *compare,
                                  char words[PUT_WORDS])
{
    char what[64];
    const char *why;

    if (status == 200 || status == 201 || status == 204) {
        words[0] = '\0';
        return DELIVERY_DONE;
    }
    if (status == 412) {
        *compare = true;
        return say(words, DELIVERY_RETRY, "a file of that name is there already");
    }
    if ((why = passing(p, status)) != NULL)
        return say(words, DELIVERY_RETRY, "%s (HTTP %u): it is tried again by itself", why, status);
    /* 202: "later, perhaps"; 303: "done, I think; look over there" */
    if (status < 300 || status == 303)
        return perhaps(p, "the server does not say that it has the file", words);
    if (status >= 500 && status != 501 && status != 505) {
        snprintf(what, sizeof what, "the server failed (HTTP %u)", status);
        return perhaps(p, what, words);
    }
    return refused(status, words);
}

enum delivery put_judge(enum put_promise p, const struct put_answer *a, bool *compare,
                        char words[PUT_WORDS])
{
    const char *detail = a->detail[0] != '\0' ? a->detail : "no answer";

    *compare = false;
    switch (a->end) {
    case PUT_NOT_SENT:
        return say(words, DELIVERY_RETRY,
                   "the server cannot be reached: %s. It is tried again by itself", detail);
    case PUT_BARRED:
        return say(words, DELIVERY_STOP,
                   "no safe connection to the server: %s. Put that right, then run the upload "
                   "again",
                   detail);
    case PUT_LOST:
        return perhaps(p, detail, words);
    case PUT_ANSWERED:
        break;
    }
    return judge_status(p, a->status, compare, words);
}

enum put_there put_there_of(unsigned status, bool equal)
{
    if (status == 200)
        return equal ? THERE_EQUAL : THERE_OTHER;
    if (status == 404 || status == 410)
        return THERE_NOT;
    return status == 408 || status == 429 || (status >= 500 && status != 501) ? THERE_UNKNOWN
                                                                              : THERE_UNREADABLE;
}

static enum delivery other(const char *name, char words[PUT_WORDS])
{
    return say(words, DELIVERY_STOP,
               "%.100s is there with other content: nothing was overwritten. Compare it, move it "
               "away, then run the upload again",
               name);
}

enum delivery put_compared(enum put_promise p, enum put_there there, const char *name,
                           char words[PUT_WORDS])
{
    switch (there) {
    case THERE_EQUAL:
        words[0] = '\0';
        return DELIVERY_DONE;
    case THERE_OTHER:
        return other(name, words);
    case THERE_UNKNOWN:
        return perhaps(p, "the server has a file of that name, and does not answer when it is read",
                       words);
    case THERE_NOT:
    case THERE_UNREADABLE:
        break;
    }
    if (p == PUT_NOTHING)
        return perhaps(p, "the server has a file of that name, and does not let it be read", words);
    return say(words, DELIVERY_STOP,
               "the server has %.80s already and does not let it be read: let this credential read "
               "it (GET), or compare it there by hand; then run the upload again",
               name);
}

enum delivery put_read_back(enum put_there there, const char *name, char words[PUT_WORDS])
{
    switch (there) {
    case THERE_EQUAL:
        words[0] = '\0';
        return DELIVERY_DONE;
    case THERE_OTHER:
        return say(words, DELIVERY_STOP,
                   "the server said that it has %.80s, but what it has is something else: look "
                   "there, move it away, then run the upload again",
                   name);
    case THERE_UNKNOWN:
        return say(words, DELIVERY_RETRY,
                   "the server took the file, and does not answer when it is read back. It is "
                   "looked at again by itself");
    case THERE_NOT:
    case THERE_UNREADABLE:
        break;
    }
    return say(words, DELIVERY_STOP,
               "the server took %.80s, but it cannot be read back: files must stay there, readable "
               "by this credential, or the sink must be https: without put: in front",
               name);
}

enum delivery put_looked(enum put_there there, const char *name, char words[PUT_WORDS])
{
    switch (there) {
    case THERE_EQUAL:
        return say(words, DELIVERY_DONE, "%s", name);
    case THERE_OTHER:
        return other(name, words);
    case THERE_UNKNOWN:
        return say(words, DELIVERY_RETRY,
                   "the server does not answer, so that nobody can look whether %.80s is there. "
                   "It is tried again by itself",
                   name);
    case THERE_NOT: /* loaded and taken away, or never there */
    case THERE_UNREADABLE:
        break;
    }
    return say(words, DELIVERY_UNPROVEN, "%s", name);
}
