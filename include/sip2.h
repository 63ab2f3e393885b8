/* sip2.h - 3M SIP 2.00: messages to and from a library system, and what an answer means.
 *
 * Pure: who connects, waits and repeats is node/sinks/sip2.c. A message is a two-digit command,
 * fixed fields without names, then variable fields "XX" value "|" in any order, perhaps AY, a digit
 * of sequence, AZ and four digits of checksum, then CR. SIP2 has no way to say "this is a repeat":
 * so every answer must be paired with its question, and what has none is looked at, never sent
 * again blindly. Rules by number: proto/PROTOCOL.md, "SIP2". */
#ifndef TIDEOVER_SIP2_H
#define TIDEOVER_SIP2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "buf.h"
#include "day.h"
#include "delivery.h"
#include "err.h"
#include "record.h"

#define SIP2_VALUE_MAX  255   /* bytes of a variable field that all servers take */
#define SIP2_ANSWER_MAX 65536 /* a patron with hundreds of loans, and room */
#define SIP2_DATE       18    /* YYYYMMDD, four blanks, HHMMSS */
#define SIP2_PAGE       50    /* loans of a patron that are asked for at a time */

/* ---- writing ---- */

/* Local time by the branch's zone. A zone letter is lost or refused by nearly every server. */
void sip2_date(const struct zone *z, int64_t unix_s, char out[SIP2_DATE + 1]);

void sip2_put_login(struct buf *b, const char *user, const char *password, const char *location);
void sip2_put_status(struct buf *b, char status); /* '0' fine, '2' about to shut down */
void sip2_put_item(struct buf *b, const char *date, const char *institution, const char *item);
/* 63 for the loans from..to of a patron. */
void sip2_put_patron(struct buf *b, const char *language, const char *date, const char *institution,
                     const char *user, unsigned from, unsigned to);

struct sip2_loan { /* of 11, 09 and 29; all borrowed */
    bool no_block;
    const char *date;               /* when it happened; of a discharge: when it is told */
    const char *other_date;         /* when it is due (NULL: blanks); of 09: when it came back */
    const char *location;           /* AP of 09 */
    const char *institution, *user; /* user: not of 09 */
    const char *item;
};
/* One message without error detection. ERR_INVALID: not a kind that SIP2 has. */
enum err sip2_put_loan(struct buf *b, unsigned kind, const struct sip2_loan *l);

/* Ends the message that begins at `from` with AY, AZ and CR. */
void sip2_seal(struct buf *b, size_t from, unsigned seq);

/* ---- reading ---- */

enum sip2_sum { SIP2_SUM_NONE, SIP2_SUM_GOOD, SIP2_SUM_BAD };

struct sip2_msg { /* borrowed from the bytes that were parsed */
    char code[3];
    const char *fixed; /* as many bytes as the code's layout has */
    const char *body;  /* variable fields */
    size_t n_body;
    int seq; /* -1: none */
    enum sip2_sum sum;
};
struct sip2_field {
    char code[3];
    const char *value;
    size_t n;
};

/* One message without CR and LF, a question or an answer. Any bytes may stand in values.
 * ERR_MALFORMED: not a message that is known here. */
enum err sip2_parse(const char *p, size_t n, struct sip2_msg *out, struct errmsg *msg);
/* The next variable field; *at begins at 0. */
bool sip2_next(const struct sip2_msg *m, size_t *at, struct sip2_field *out);
bool sip2_find(const struct sip2_msg *m, const char *code, struct sip2_field *out); /* the first */
bool sip2_is(const struct sip2_msg *m, const char *code, const char *value);

/* ---- the server's 98 ---- */

struct sip2_status {
    bool online, checkin, checkout, renewal, offline;
    unsigned timeout_ds; /* tenths of a second; 999: unknown */
    char version[5];
    char date[SIP2_DATE + 1];
    char supports[17]; /* BX, Y or N, shorter where the server says less */
};
bool sip2_read_status(const struct sip2_msg *m, struct sip2_status *out);
/* DONE: it may be told; RETRY: not now; STOP: the site must change something. words: which. */
enum delivery sip2_check_status(const struct sip2_status *s, char words[256]);
bool sip2_supports(const struct sip2_status *s, unsigned place); /* of BX; true if it is not said */
#define SIP2_CLOCK_WARN_S 120                                    /* further off is said to people */
/* The server's clock minus ours, in seconds; false: its date cannot be read. */
bool sip2_clock_off(const struct sip2_status *s, const struct zone *z, int64_t unix_s,
                    int64_t *off_s);
/* How long to wait for an answer: the longer of 5 s, the server's own limit and three times the
 * slowest answer of late; 60 s at most. */
uint32_t sip2_limit_ms(const struct sip2_status *s, uint32_t slowest_ms);

/* ---- what was asked, and what the answer to it means ---- */

struct sip2_ask { /* of a line of the payload */
    unsigned kind;
    char item[BARCODE_MAX + 1];
    char user[BARCODE_MAX + 1]; /* of a discharge "": the message names none */
    char institution[SIP2_VALUE_MAX + 1];
    uint32_t due; /* yyyymmdd; 0: not said */
};
enum err sip2_ask_of(const char *line, size_t n, struct sip2_ask *out, struct errmsg *msg);

enum sip2_next {
    SIP2_TOLD, /* answer and words are final */
    SIP2_FEE,  /* refused for a fee: once more with BO=Y, if the policy says so; else as told */
    SIP2_ITEM, /* refused a discharge: the item tells whether there was anything to do */
    SIP2_LOST, /* not the answer to this question: it may have been booked */
};
struct sip2_told {
    enum sip2_next next;
    enum answer answer;
    char words[ANSWER_WORDS_MAX + 1]; /* the system's own, as clean UTF-8; of LOST: what came */
};
/* seq: the digit that was sent. again: sent once more after a look proved nothing (then "this
 * patron already had it" is what was wanted). */
void sip2_judge(const struct sip2_ask *ask, unsigned seq, bool again, const char *p, size_t n,
                struct sip2_told *out);
/* Does it answer 17 or 63 about this item or user? */
bool sip2_pairs(const struct sip2_msg *m, const char *code, unsigned seq, const char *field,
                const char *value);
/* AF of all of them, at most n - 1 bytes of clean UTF-8. */
void sip2_words(const struct sip2_msg *m, char *out, size_t n);
/* Due dates are for people: the first eight digits, if they make a day; 0: cannot tell. */
uint32_t sip2_due(const struct sip2_msg *m);

/* ---- looking at what is in doubt ---- */

enum sip2_place {               /* of an item, by circulation status */
                  SIP2_UNKNOWN, /* the server does not know the barcode */
                  SIP2_OUT,     /* on loan */
                  SIP2_IN,      /* certainly not on loan */
                  SIP2_UNCLEAR, /* lost, recalled, other: a loan may stand behind it */
};
enum sip2_place sip2_place_of(const struct sip2_msg *item);

struct sip2_seen { /* what the look found so far */
    enum sip2_place place;
    uint32_t due; /* of 18; 0: cannot tell */
    bool has_it;  /* the patron's list of loans names the item's barcode */
};
/* Would the patron's list say more than the item alone? */
bool sip2_wants_patron(const struct sip2_ask *ask, const struct sip2_seen *seen);
/* DONE (with told), ABSENT: send it, or UNPROVEN: never again. */
enum delivery sip2_after_look(const struct sip2_ask *ask, const struct sip2_seen *seen,
                              struct sip2_told *out);
/* Adds a page of the patron's loans; true: there may be another page behind it. */
bool sip2_see_page(const struct sip2_ask *ask, const struct sip2_msg *patron,
                   struct sip2_seen *seen);

/* ---- what a session remembers ---- */

#define SIP2_POISON  3  /* failures of one record, with a live server between them */
#define SIP2_REFUSED 20 /* the first so many all refused: wrong AO, AP or form of barcodes */

struct sip2_tally {
    uint64_t item;   /* that failed last */
    unsigned failed; /* how often */
    bool lived;      /* the server answered about another item since */
    uint64_t first;  /* item that was told first, 0: none */
    unsigned refused;
    bool other; /* something was not refused, or the stop was said */
};
void sip2_tally_failed(struct sip2_tally *t, uint64_t item);
void sip2_tally_lives(struct sip2_tally *t);
bool sip2_tally_is_poison(const struct sip2_tally *t, uint64_t item);
void sip2_tally_told(struct sip2_tally *t, uint64_t item, enum answer a);
bool sip2_tally_stops(const struct sip2_tally *t);

#endif
