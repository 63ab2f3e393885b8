/* err.h - what went wrong, in a form that says what to do next.
 *
 * The code decides what the caller does and which exit code a person's shell sees; the message
 * says what happened in one plain sentence. `why` and `field` are the stable words of the local
 * API ("wrong_slot", "item"): scripts match those, never the sentence. Nobody prints below node/.
 */
#ifndef TIDEOVER_ERR_H
#define TIDEOVER_ERR_H

/* name, default text, exit code (sysexits.h where one fits; see node/MANUAL.md, "Exit codes") */
#define ERR_MAP(X)                                                                                 \
    X(ERR_BUG, "a mistake in tideover itself", 70)                                                 \
    X(ERR_NOMEM, "out of memory", 70)                                                              \
    X(ERR_DISK, "the disk refused", 74)                                                            \
    X(ERR_MALFORMED, "the bytes do not parse", 65)                                                 \
    X(ERR_INVALID, "the data is not valid", 65)                                                    \
    X(ERR_REFUSED, "a rule forbids it", 65)                                                        \
    X(ERR_FULL, "no room left", 74)                                                                \
    X(ERR_MISSING, "there is no such thing", 1)                                                    \
    X(ERR_NOFILE, "the file is missing", 66)                                                       \
    X(ERR_EXISTS, "it exists already", 73)                                                         \
    X(ERR_DENIED, "not allowed", 77)                                                               \
    X(ERR_CONFIG, "the configuration is wrong", 78)                                                \
    X(ERR_PEER, "the other desk broke the protocol", 76)                                           \
    X(ERR_OFFLINE, "the other side does not answer", 69)                                           \
    X(ERR_BUSY, "try again later", 75)                                                             \
    X(ERR_USAGE, "the command line is wrong", 64)

#define ERR_NAME(name, text, exit_code) name,
enum err { ERR_OK = 0, ERR_MAP(ERR_NAME) };
#undef ERR_NAME

struct errmsg {
    char text[256]; /* one sentence for people, no barcode or name of a person in it unless they
                       typed it in this very request */
    char why[32];   /* stable code for the API; empty: err_word() of the code stands for it */
    char field[16]; /* the field at fault, or empty */
};

/* Fill msg (NULL is fine) and hand the code back, so that a failure is one line:
 * return err_set(msg, ERR_FULL, "the peer table holds %d desks", PEERS_MAX); */
enum err err_set(struct errmsg *msg, enum err code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with the API's stable code and the field at fault ("" if none). */
enum err err_why(struct errmsg *msg, enum err code, const char *why, const char *field,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

const char *err_text(enum err code); /* the default sentence; never NULL */
const char *err_word(enum err code); /* "disk", "refused": the fallback API code; never NULL */
int err_exit(enum err code);         /* 0 for ERR_OK, else the exit code of the table */

#endif
