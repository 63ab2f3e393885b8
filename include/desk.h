/* desk.h - what may be recorded: checked in the second of the scan, the same for every way in.
 *
 * D1 kinds      each kind has its fields, and no others
 * D2 patterns   user and item numbers match the policy's patterns
 * D3 digit      and carry a right check digit, if the policy says so
 * D4 slot       a user card where an item belongs, or the reverse, is named as such
 * D5 due        a day that exists, today or later by the branch's calendar; never for a discharge
 * D6 paper      a typed time lies in the past by this desk's clock, and not before 2000
 * D7 text       well-formed, bounded, nothing that an ILS cannot carry
 * D16 pieces    a checkout of things without a barcode has no item, but one of the policy's kinds, 1
 *               to 99 pieces and perhaps a label
 * D17 place     library, user access and station are the policy's, or chosen of what it allows
 *
 * D8 and D9, due dates: due.h. D10 to D15, what a scanner typed: scan.h. */
#ifndef TIDEOVER_DESK_H
#define TIDEOVER_DESK_H

#include "policy.h"
#include "record.h"

/* In struct record's due, until the record is made: as the policy says (D8). */
#define DUE_BY_RULE UINT32_MAX
/* The day that is promised takes its place; of other kinds than checkout and renew: none. */
void desk_settle_due(const struct policy *p, struct record *r, int64_t now_ms);

/* D17, for the desk of that name (as it joined). */
enum err desk_check_place(const struct policy *p, const char *desk, const struct record *r,
                          struct errmsg *msg);
/* Does it name a number that is made up for practice (P5)? */
bool desk_is_practice(const struct policy *p, const struct record *r);

/* D6; paper_ms 0: not from paper. */
enum err desk_check_paper(int64_t paper_ms, int64_t now_ms, struct errmsg *msg);

/* now_ms by this desk's feed clock. ERR_INVALID or ERR_REFUSED with code and field. */
enum err desk_check(const struct policy *p, const struct record *r, int64_t now_ms,
                    struct errmsg *msg);

#endif
