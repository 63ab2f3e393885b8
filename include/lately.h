/* lately.h - what the branch did with an item or a card in the last hours, to be told at the scan.
 *
 * In memory only, filled from the records that no upload has taken yet. Barcodes are kept as keyed
 * hashes under a key of this start, so that a dump of it names nobody. Bounded: two generations of
 * LATELY_ROWS; the older one goes when the newer is full.
 *
 * L1 double_scan       the same again at this desk within the policy's double_scan
 * L2 lent_to_another   a checkout, or a renewal that names its user, of what another user has
 * L3 lent_already      a checkout of what this user has
 * L4 lent_just_now     a discharge of what was lent or renewed minutes ago at another desk
 * L5 returned_already  a discharge or renewal of what came back and was not lent since
 * L6 renewed_already   a renewal of what was renewed within the day
 * L7 card_registered   a registration of a card that was registered already
 * L8 card_is_new       a loan to a card that the library's system does not know yet (no question)
 *
 * L9 clocks           times are corrected as the upload corrects them; what another desk's clock dates past
 *                     now, by ten minutes at most, has just happened: it is here
 *
 * L1 to L7 want an answer from whoever records one thing: RECORD_CONFIRMED says it was given. */
#ifndef TIDEOVER_LATELY_H
#define TIDEOVER_LATELY_H

#include "hmap.h"
#include "record.h"

#define LATELY_ROWS       32768              /* items and cards, per generation */
#define LATELY_MS         (24 * 3600 * 1000) /* older is no news */
#define LATELY_MINUTES_MS (10 * 60 * 1000)   /* nobody reads a book in less */
#define LATELY_KEY_BYTES  16                 /* of SipHash-2-4-128 */

struct lately_event {
    struct record_ref ref; /* seq 0: none */
    int64_t at_ms;         /* when it happened, in branch time as far as clocks were compared */
    uint8_t user[8];       /* hash; zeros: none */
    uint8_t kind;
};

struct lately_row {
    struct lately_event last, before; /* by time; the one before counts if the last is voided */
};

struct lately {
    struct lately_rows {
        struct hmap at;
        struct lately_row *v;
        unsigned n, room;
    } now, old;
    uint8_t key[LATELY_KEY_BYTES];
};

enum lately_what {
    LATELY_NOTHING,
    LATELY_DOUBLE_SCAN,
    LATELY_TO_ANOTHER,
    LATELY_LENT,
    LATELY_JUST_NOW,
    LATELY_RETURNED,
    LATELY_RENEWED,
    LATELY_CARD,
    LATELY_NEW_CARD,
};

void lately_free(struct lately *l);
/* In any order, the same one twice is fine; what cannot be kept for want of memory is forgotten. */
void lately_learn(struct lately *l, const struct record_ref *ref, const struct record *r,
                  int64_t correction_ms);
/* Of the item, or of the card that a registration registers; NULL: nothing. Borrowed until the
 * next lately_learn(). */
const struct lately_row *lately_item(const struct lately *l, const struct record *r);
const struct lately_row *lately_card(const struct lately *l, const char *user);
/* correction_ms: of the feed's clock, as measured by now. */
void lately_event_of(const struct lately *l, const struct record_ref *ref, const struct record *r,
                     int64_t correction_ms, struct lately_event *out);
/* L9: then is no earlier than first. */
void lately_not_before(const struct lately_event *first, struct lately_event *then);

/* What a person at the second event has to be told of the first. */
enum lately_what lately_judge(const struct lately_event *first, const struct lately_event *then,
                              uint32_t double_scan_ms);
const char *lately_code(enum lately_what w); /* "lent_to_another" */
/* "the item was lent at KIDS-1 2 minutes ago, to another user: ..." */
void lately_text(enum lately_what w, const char *desk, int64_t ago_ms, char out[256]);

#endif
