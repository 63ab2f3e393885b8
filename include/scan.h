/* scan.h - what came out of a scanner or a keyboard, and what it is (rules D10 to D15).
 *
 * D10 clean     line ends, blanks, an AIM prefix (]A0) and Codabar's start and stop letters go, in
 *               this order and only as far as the number then fits the policy's patterns (D2, D3)
 * D11 layout    a scanner that types US keys into a PC with another layout is understood if the
 *               whole scan then fits, in one way only; the layout is reported
 * D12 halves    a number that is too short is half a scan; two that fit one behind the other are
 *               two scans that ran together; neither is guessed at
 * D13 typed     a typed number may have blanks and nothing else of D10 and D11
 * D14 codes     a scan that begins with '*', which no barcode has, is a control code
 * D15 sentence  each refusal has a code, a field and a sentence that says what it is and what to do
 *
 * Nothing here knows the screen: what a number means there is box.h. */
#ifndef TIDEOVER_SCAN_H
#define TIDEOVER_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "policy.h"

#define SCAN_MAX      128 /* bytes: three barcodes that ran together, with their prefixes */
#define SCAN_TYPED_MS 200 /* a key: slower than any scanner */

enum scan_what { SCAN_USER = 1, SCAN_ITEM, SCAN_EITHER /* both patterns fit */, SCAN_CODE };

enum scan_code { /* of the printed sheet, and of the page's keys */
                 CODE_CHECKOUT = 1,
                 CODE_DISCHARGE,
                 CODE_RENEW,
                 CODE_INHOUSE,
                 CODE_NEWUSER,
                 CODE_NEXT, /* done with this user */
                 CODE_UNDO,
                 CODE_OK,     /* do it all the same */
                 CODE_CANCEL, /* leave it */
                 CODE_DUE,    /* *DUE14, *DUENONE, *DUERULE */
                 CODE_PIECE   /* *PIECES: ask which; *PIECEPAPERBACK: one of that kind */
};
#define SCAN_DUE_NONE 0
#define SCAN_DUE_RULE (DUE_DAYS_MAX + 1)

struct scan {
    enum scan_what what;
    char value[BARCODE_MAX + 1]; /* cleaned; of a code: empty, or the kind of CODE_PIECE */
    enum scan_code code;
    unsigned days;      /* of CODE_DUE: days, SCAN_DUE_NONE or SCAN_DUE_RULE */
    const char *layout; /* D11: the keyboard it was read through, static; NULL: as it came */
    bool typed;
};

/* raw: any bytes. ERR_INVALID with code (empty, too_long, too_short, two_barcodes, check_digit,
 * keyboard, unknown_code, bad_barcode) and sentence; *out is then untouched. */
enum err scan_read(const struct policy *p, const char *raw, size_t n, bool typed, struct scan *out,
                   struct errmsg *msg);

/* A number as people compare it: "2 9999 00000101 6", others in fours. */
#define SCAN_GROUPS_MAX (BARCODE_MAX + BARCODE_MAX / 4 + 1)
void scan_groups(const char *value, char out[SCAN_GROUPS_MAX]);

#endif
