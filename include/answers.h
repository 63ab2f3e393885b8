/* answers.h - the bytes of what was said about the records of one upload, numbered from 1 in the
 * order in which it was said, and chained, so that one hash stands for all of them.
 *
 * Only what differs from "accepted" is told. A row says nothing of when, so that two desks that
 * were told the same keep the same bytes. Byte forms: proto/PROTOCOL.md, "Answers". */
#ifndef TIDEOVER_ANSWERS_H
#define TIDEOVER_ANSWERS_H

#include "answer.h"
#include "buf.h"
#include "ident.h"
#include "record.h"

#define SINK_KEY_MAX       64  /* what one item of a batch leaves for the next, with its NUL */
#define ANSWER_BYTES_LIMIT 256 /* of one row: 200 of words, all other fields at their longest */

struct answer_row {
    uint64_t line; /* in the payload, from 1 */
    struct record_ref ref;
    unsigned kind; /* enum record_kind */
    enum answer answer;
    char words[ANSWER_WORDS_MAX + 1]; /* the system's own; may hold names */
};

void answer_row_encode(const struct answer_row *r, struct buf *out);
/* Bytes from anywhere; ERR_MALFORMED. */
enum err answer_row_decode(const uint8_t *p, size_t n, struct answer_row *out);

/* h(0), and h(n) from h(n - 1) and the bytes of row n. */
void answers_begin(const uint8_t intent[HASH_BYTES], uint8_t h[HASH_BYTES]);
void answers_chain(uint8_t h[HASH_BYTES], const uint8_t *p, size_t n);

/* ---- what a sink brings back beside its verdict ---- */

struct told {
    unsigned n;
    struct buf rows;        /* n of them, each as a msgpack bin; owned */
    char key[SINK_KEY_MAX]; /* for the items that follow; empty: as it was */
};
/* Words are cut to ANSWER_WORDS_MAX at a character, and cleaned. */
void told_add(struct told *t, const struct answer_row *r);
void told_free(struct told *t); /* wiped: words may hold names */

/* ---- which lines must wait because of it ---- */

#define HOLD_DIGEST 16

struct holds;                  /* items and cards that are held */
struct holds *holds_new(void); /* NULL: out of memory */
void holds_free(struct holds *h);
/* Of a line's item (what: 'i') or card ('c'): barcodes stay out of memory. Zeros: it has none. */
void holds_digest(const uint8_t branch[BRANCH_ID_BYTES], char what, const char *barcode,
                  uint8_t out[HOLD_DIGEST]);
bool answer_holds(unsigned kind, enum answer a); /* may holds_tell() change anything? */
/* A line was answered so. Holds the later ones of its item if it was quarantined or held, and those
 * of the card if it is a registration that is not known to be booked. A plain refusal of a loan or
 * a return holds nothing: what came after it is true all the same. */
void holds_tell(struct holds *h, unsigned kind, const uint8_t item[HOLD_DIGEST],
                const uint8_t user[HOLD_DIGEST], enum answer a);
bool holds_line(const struct holds *h, const uint8_t item[HOLD_DIGEST],
                const uint8_t user[HOLD_DIGEST]);

#endif
