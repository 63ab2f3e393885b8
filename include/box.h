/* box.h - the scan box of a desk: one box takes everything (rules B1 to B6, B9).
 *
 * B1 slot    a number is what its pattern says; where both fit, what the mode waits for. A user
 *            card where an item belongs, or the reverse, is refused by name and changes nothing
 * B2 user    a user card while a user is open closes that user and opens the next; the same card
 *            again changes nothing. Another mode closes the user, but between checkout and renew
 * B3 again   the item just recorded, scanned once more, is one scan: nothing is recorded
 * B4 asks    a question waits for *OK or *CANCEL; scans meanwhile are held, in order, not lost
 * B5 doubt   asked about are a typed number that no check digit protects, shown in groups, and
 *            what the branch did with the item a moment ago (lately.h)
 * B6 codes   modes, next user, undo and due dates are codes (D14): the printed sheet does it all
 * B9 pieces  things without a barcode are lent by their kind's code, one for each scan of it, or by
 * a form (*PIECES) with kind, count and label; a user must be open in Checkout
 *
 * A box is plain memory of whoever shows it: the node keeps none between two scans, so that its
 * restart closes no user, and two pages do not disturb each other. */
#ifndef TIDEOVER_BOX_H
#define TIDEOVER_BOX_H

#include "scan.h"

#define BOX_HELD_MAX 8 /* scans during one question; then even a queue looks up */

struct box_held {
    char text[SCAN_MAX + 1];
    bool typed;
};

struct box {
    uint8_t mode;               /* enum record_kind: what an item means; USER: a new card */
    char user[BARCODE_MAX + 1]; /* open, or empty */
    char item[BARCODE_MAX + 1]; /* recorded last for this user in this mode (B3) */
    unsigned count;             /* records of this user */
    bool piece;                 /* the last of them had no barcode (B9) */
    char asks[BARCODE_MAX + 1]; /* B4: the number in question, or empty */
    bool asks_typed;            /* it was typed */
    bool asks_branch;           /* about what the branch did: box_doubt() */
    unsigned n_held;
    struct box_held held[BOX_HELD_MAX];
};

enum box_act {
    BOX_NOTHING = 1, /* B2, B3, or a code that changes nothing */
    BOX_MODE,
    BOX_OPENED, /* user */
    BOX_NEXT,   /* the user was closed */
    BOX_RECORD, /* kind, user, item: try it, then box_recorded() */
    BOX_FORM,   /* user: fields of a new card are to be filled in */
    BOX_UNDO,   /* void the last record of this desk */
    BOX_DUE,    /* days */
    BOX_ASKS,   /* B4; value is the number */
    BOX_HELD,
    BOX_PIECES /* user: kind, count and label are to be filled in */
};

struct box_answer {
    enum box_act act;
    uint8_t kind; /* BOX_RECORD */
    bool typed;
    bool confirmed; /* BOX_RECORD: *OK was said to what the branch did (RECORD_CONFIRMED) */
    char user[BARCODE_MAX + 1], item[BARCODE_MAX + 1];
    char piece_kind[PIECE_KIND_MAX + 1]; /* BOX_RECORD: of one piece; item is empty */
    char value[BARCODE_MAX + 1];         /* the number as it was understood; empty: a code */
    char closed[BARCODE_MAX + 1];        /* the user whose slip is due, or empty */
    unsigned closed_count;
    unsigned days;      /* BOX_DUE, as in struct scan */
    const char *layout; /* as in struct scan */
};

void box_init(struct box *b); /* checkout, no user */
/* One scan. ERR_INVALID: refused with code and sentence, the box is as it was. ERR_FULL: no more
 * scans are held. */
enum err box_take(struct box *b, const struct policy *p, const char *raw, size_t n, bool typed,
                  struct box_answer *out, struct errmsg *msg);
/* The next held scan, once nothing is asked any more. False: there is none. *e as of box_take(). */
bool box_take_held(struct box *b, const struct policy *p, struct box_answer *out, enum err *e,
                   struct errmsg *msg);
/* The record of a BOX_RECORD waits for an answer: core_record_telling(). */
void box_doubt(struct box *b, const struct box_answer *a);
void box_recorded(struct box *b, const struct box_answer *a); /* a BOX_RECORD is durable */
const char *box_act_name(enum box_act act);

#endif
