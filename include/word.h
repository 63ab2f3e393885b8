/* word.h - what people and desks say about uploads that are decided: signed, spread to all, kept.
 *
 * A word is said once and means the same on every desk, in whatever order words arrive. Byte form:
 * proto/PROTOCOL.md, "Words". */
#ifndef TIDEOVER_WORD_H
#define TIDEOVER_WORD_H

#include "disk.h"
#include "ident.h"
#include "roster.h"

#define WORD_ID_BYTES  16
#define WORD_REFS_MAX  256         /* records that one word names; more take more words */
#define WORD_BYTES_MAX (32u << 10) /* bounds one of them on the wire and the disk */
#define WORD_TEXT_MAX  199
#define WORDS_MAX      16384 /* a word a day for forty years */

enum word_kind {                   /* on the wire and the disk: numbers are for ever */
                 WORD_RELEASE = 1, /* these set-aside records go into the next upload; a lead's */
                 WORD_DONE = 2,    /* settled by hand: nothing is open any more; a lead's */
                 WORD_CONFIRM = 3, /* the upload did arrive: a second voice beside the uploader's */
                 WORD_RESTORE = 4, /* this desk that lost its memory gets its vote back; a lead's */
                 WORD_ONLINE = 5,  /* desks may work online before upload `slot`; a lead's */
                 WORD_CARDS =
                     6, /* the cards registered up to that upload exist in the ILS; a lead's */
                 WORD_SEND = 7, /* these records, not uploaded yet, go, whatever R3, R5, R8 and R11
                                   say; a lead's. ruling.c */
                 WORD_VOID = 8, /* these, not uploaded yet, are taken back (R2); a lead's */
                 WORD_LOADED = 9, /* these records of that upload were loaded, by the system's own
                                     report; none named: all that was sent; a lead's. loaded.c */
                 WORD_NOT_LOADED = 10, /* these were not, and `text` is what it said; a lead's */
};

struct word_ref {
    struct record_ref ref;
    uint8_t id[MACHINE_ID]; /* RELEASE, SEND, VOID: proves the record to a desk that has its word
                               alone */
};

struct word {
    enum word_kind kind;
    int64_t at_ms;              /* the clock of the desk where it was said */
    uint8_t key[KEY_BYTES];     /* who says it: a lead, or (CONFIRM) a desk */
    uint64_t slot;              /* the upload that it speaks of */
    uint8_t intent[HASH_BYTES]; /* CONFIRM: which content arrived; else zeros */
    unsigned n_refs;     /* DONE: none means everything of that slot. RESTORE: one, which names the
                            desk (of the feed; its number is 0) and its start (seq, id) */
    const uint8_t *refs; /* borrowed msgpack; word_ref_next() */
    size_t refs_len;
    char text[WORD_TEXT_MAX + 1]; /* NOT_LOADED */
};

bool word_rules(enum word_kind kind); /* SEND, VOID: of records that no upload has yet */

struct word_walk {
    struct mp m;
    unsigned left;
};
struct word_walk word_refs(const struct word *w);
bool word_ref_next(struct word_walk *walk, struct word_ref *out);

/* refs: n_refs of them, appended with word_put_ref(); sk is the signer's, w->key its public half.
 */
void word_put_ref(struct buf *refs, const struct word_ref *r);
void word_sign(const uint8_t branch[BRANCH_ID_BYTES], const struct word *w, const struct buf *refs,
               const uint8_t sk[SIGN_SK_BYTES], struct buf *out);
/* Form, bounds, branch and signature; whether the signer may is said_take()'s. w borrows p.
 * ERR_MALFORMED, ERR_DENIED. */
enum err word_open(const uint8_t *p, size_t n, const uint8_t branch[BRANCH_ID_BYTES],
                   struct word *w, struct errmsg *msg);
void word_id(const uint8_t *p, size_t n, uint8_t out[WORD_ID_BYTES]);

/* ---- all words that this desk knows ---- */

struct said {
    const struct disk *disk;
    const struct roster *roster;
    struct said_word {
        uint8_t id[WORD_ID_BYTES];
        struct buf bytes; /* owned */
    } * v;                /* in order of arrival */
    unsigned n, room;
    uint8_t hash[WORD_ID_BYTES]; /* XOR of the ids: equal hash, equal words */
    const struct ledger *ledger; /* what a desk may confirm; NULL: anything. Borrowed */
};

enum err said_load(struct said *s, const struct disk *disk, const struct roster *roster,
                   struct errmsg *msg);
void said_free(struct said *s);
/* ERR_OK also for one that is known (*fresh tells). ERR_MISSING: signed by nobody known here, or
 * a desk's on an upload that is not (roster or ledger may be behind: it comes again). ERR_MALFORMED,
 * ERR_DENIED, ERR_FULL. */
enum err said_take(struct said *s, const uint8_t *p, size_t n, bool *fresh, struct errmsg *msg);
/* The i-th word, parsed. */
bool said_word(const struct said *s, unsigned i, struct word *out);
/* When the upload was confirmed by a lead, or by a desk other than its uploader, both still
 * trusted; the earliest such word. 0: not yet. by (may be NULL) receives who said it. */
int64_t said_confirmed(const struct said *s, uint64_t slot, const uint8_t intent[HASH_BYTES],
                       const struct desk_id *uploader, uint8_t by[KEY_BYTES]);
/* May the desks work online before that upload, by a lead's word? */
bool said_online(const struct said *s, uint64_t slot);

#endif
