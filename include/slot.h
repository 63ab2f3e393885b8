/* slot.h - the n-th decision of the branch: its intent, who accepted it, its receipt.
 *
 * A slot is an upload, a change of seats, or what a lost epoch is known to have delivered. Its
 * intent fixes the content before a byte leaves; its receipt, with the ACCEPTED signatures of a
 * majority of seats, fixes the outcome and lets slot n+1 begin. Byte forms: proto/PROTOCOL.md,
 * "Ledger". */
#ifndef TIDEOVER_SLOT_H
#define TIDEOVER_SLOT_H

#include "ident.h"
#include "policy.h"
#include "record.h"
#include "roster.h"

#define SLOT_PARTS_MAX 64 /* users and log; formats without dates need a file per day */
/* Feeds of a year of twenty desks that restart daily, in one slot; more go in the next. So many,
 * all fields at their longest, still fit a message and a value of the store. */
#define SLOT_RANGES_MAX  8192
#define INTENT_RANGE_MAX 65 /* bytes of one, on the wire */
/* Set-aside records that go again in one slot; more wait for the next. Ranges and these, all at
 * their longest, fit together. */
#define SLOT_RELEASED_MAX   4096
#define INTENT_RELEASED_MAX 66 /* bytes of one, on the wire */
#define SINK_TEXT_MAX       POLICY_TEXT_VALUE

/* What leads ruled of records under the ranges. Fits with the two above. */
#define SLOT_RULINGS_MAX  2048
#define INTENT_RULING_MAX 58 /* bytes of one, on the wire */
#define SLOT_WORD_ID      16

enum slot_type {
    SLOT_UPLOAD = 1,
    SLOT_SEATS = 2,
    SLOT_FOUND = 3,   /* delivered in an epoch that was lost, as receipts show: never again */
    SLOT_HORIZON = 4, /* which uploads nobody needs to read any more */
};

#define SLOT_ASIDE_BYTES 16
#define SLOT_WORD_MAX    1024 /* bytes of a word in an intent */

enum clock_class { CLOCK_OK, CLOCK_CORRECTED, CLOCK_SUSPECT, CLOCK_IMPOSSIBLE };

struct epoch { /* an override begins the next; of two with one number the smaller hash goes on */
    uint32_t number;
    uint8_t hash[HASH_BYTES];
};

struct slot_range { /* records from..to of one feed, both included, and the feed's one correction */
    struct feed_id feed;
    uint64_t from, to;
    uint8_t hash[HASH_SHORT_BYTES]; /* of h(to): desks with two histories of a feed never agree */
    int64_t correction_ms;
    enum clock_class clock;
};

/* Else a later upload may know better: suspect, or nobody measured it. */
static inline bool slot_clock_is_known(const struct slot_range *r)
{
    return r->clock != CLOCK_SUSPECT && (r->clock != CLOCK_IMPOSSIBLE || r->correction_ms != 0);
}

struct slot_released { /* set aside by an earlier upload; a lead's word sends it again */
    struct record_ref ref;
    uint64_t slot; /* of its last outcome */
    uint8_t what;  /* that outcome: enum aside_what */
    uint8_t id[MACHINE_ID];
};

struct slot_ruling { /* a lead's word on a record of these ranges */
    struct record_ref ref;
    uint8_t what;               /* enum word_kind: SEND or VOID */
    uint8_t word[SLOT_WORD_ID]; /* who said it, and when */
};

struct slot_part { /* one file of the payload */
    char suffix[8];
    uint32_t day; /* yyyymmdd in its name: of the last record, in the batch or, where each day has
                     its own file, in the file */
    uint64_t bytes, lines;
    uint8_t sha256[32];
};

struct slot_aside { /* of a payload: what has no final outcome, see aside.h */
    uint64_t n;
    uint8_t hash[SLOT_ASIDE_BYTES];
};

/* A lead's word that slot `slot` (or the first upload after it) may be sent. */
struct trigger {
    struct epoch epoch;
    uint64_t slot;
    int64_t made_ms;
    struct desk_id desk; /* where the lead pressed */
    uint8_t lead_pk[KEY_BYTES];
};

struct intent {
    uint8_t branch[BRANCH_ID_BYTES];
    struct epoch epoch;
    uint64_t slot, term;
    uint8_t prev[HASH_BYTES]; /* intent_hash of the slot before; zeros for slot 1 */
    struct desk_id desk;      /* who proposed it */
    enum slot_type type;
    unsigned n_seats; /* SLOT_SEATS: the seats from the next slot on */
    struct desk_id seats[SEATS_MAX];
    uint8_t policy[HASH_BYTES];
    unsigned rules;
    char sink[SINK_TEXT_MAX];
    unsigned n_ranges;
    struct slot_range *ranges; /* owned: intent_free */
    unsigned n_released;
    struct slot_released *released; /* owned; ordered by record. SLOT_UPLOAD only */
    unsigned n_rulings;
    struct slot_ruling *rulings; /* owned; ordered by record. SLOT_UPLOAD only */
    uint64_t cards;     /* SLOT_UPLOAD: cards registered up to this slot exist in the ILS, as a lead
                           said; 0: nothing was said */
    uint64_t records;   /* under the cut, and released */
    uint64_t set_aside; /* of them without a final outcome: held, waiting, for review */
    uint8_t aside[SLOT_ASIDE_BYTES]; /* asides_hash() of the list; zeros: none */
    uint64_t back_to; /* SLOT_HORIZON: the first slot that stays readable. SLOT_UPLOAD: the horizon
                         in force: nothing of earlier slots decides what is sent */
    unsigned n_parts;
    struct slot_part parts[SLOT_PARTS_MAX];
    struct buf trigger; /* owned; signed bytes of SLOT_UPLOAD's trigger */
    unsigned n_restored;
    struct buf restored; /* owned; SLOT_SEATS: so many words of leads, each a msgpack bin, that give
                            desks their vote back (word.h, WORD_RESTORE) */
};

/* Two fields of a message: number, hash 32. */
void epoch_put(struct buf *b, const struct epoch *e);
void epoch_get(struct mp *m, struct epoch *e);

void intent_encode(const struct intent *in, struct buf *out);
/* Bytes from anywhere; what is named twice, out of order or too often is refused. ERR_MALFORMED:
 * then there is nothing to free. */
enum err intent_decode(const uint8_t *p, size_t n, struct intent *out, struct errmsg *msg);
void intent_free(struct intent *in);
bool intent_sends_nothing(const struct intent *in); /* neither ranges nor released records */
void intent_hash(const uint8_t *p, size_t n, uint8_t out[HASH_BYTES]);

void trigger_sign(const uint8_t branch[BRANCH_ID_BYTES], const struct trigger *t,
                  const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out);
/* Checks form, branch and signature; whether the key is a lead's is the roster's to say.
 * ERR_MALFORMED, ERR_DENIED. */
enum err trigger_open(const uint8_t *p, size_t n, const uint8_t branch[BRANCH_ID_BYTES],
                      struct trigger *out, struct errmsg *msg);

/* A seat's word that it accepted, in that term, the intent with that hash. */
void accepted_sign(const uint8_t branch[BRANCH_ID_BYTES], uint64_t slot, uint64_t term,
                   const uint8_t hash[HASH_BYTES], const uint8_t sk[SIGN_SK_BYTES],
                   uint8_t sig[SIG_BYTES]);
bool accepted_ok(const uint8_t branch[BRANCH_ID_BYTES], uint64_t slot, uint64_t term,
                 const uint8_t hash[HASH_BYTES], const uint8_t pk[KEY_BYTES],
                 const uint8_t sig[SIG_BYTES]);

struct accepted {
    struct desk_id desk;
    uint8_t sig[SIG_BYTES];
};

struct receipt {
    const uint8_t *intent; /* borrowed */
    size_t intent_len;
    uint64_t term;       /* in which it was accepted and sent; may be later than the intent's */
    struct desk_id desk; /* the uploader */
    int64_t at_ms;       /* the uploader's clock */
    unsigned n_accepted;
    struct accepted accepted[SEATS_MAX];
    char evidence[256];      /* the sink's words: file name, answer; never personal data */
    const uint8_t *progress; /* borrowed: the last steps (delivery.h); empty for a sink without */
    size_t progress_len;
};

void receipt_encode(const struct receipt *r, const uint8_t sk[SIGN_SK_BYTES], struct buf *out);
/* Form, uploader's signature, and ACCEPTED of a majority of the given seats. ERR_DENIED says which
 * of them is missing; ERR_MALFORMED. out borrows p. */
enum err receipt_open(const uint8_t *p, size_t n, const struct roster *roster,
                      const struct desk_id *seats, unsigned n_seats, struct receipt *out,
                      struct errmsg *msg);
/* Form only: for one that was checked when it was stored. */
enum err receipt_decode(const uint8_t *p, size_t n, struct receipt *out, struct errmsg *msg);

#endif
