/* session.h - who works at this desk now, and which due date they chose (rules B7, B8, B10, B11).
 *
 * B7 kept     the staff name stays until it is changed, over restarts; each record that names no
 *             staff gets it. A change of staff touches nothing else, open user and held scans stay
 * B8 midnight a due date chosen for the session is forgotten at the branch's midnight, however it
 *             was chosen; from then on the policy's rule decides again (D8)
 * B10 place   library, user access and station as the upload names them are the policy's; what it
 *             lets a desk choose instead (D17) is kept over restarts, and stands in each record.
 *             What a later policy does not allow any more counts no more
 * B11 list    not to ask the block list is chosen for a day, and forgotten as a due date is; each
 *             record of it says so
 *
 * The text is an INI file of the desk's state directory. */
#ifndef TIDEOVER_SESSION_H
#define TIDEOVER_SESSION_H

#include "policy.h"

#define SESSION_TEXT_MAX 1024

enum session_due { SESSION_RULE /* the policy's */, SESSION_NONE, SESSION_DAYS, SESSION_DATE };

struct session {
    char staff[STAFF_MAX + 1];
    unsigned due; /* enum session_due */
    unsigned days;
    uint32_t date;
    uint32_t chosen;               /* the branch's day when due was */
    char library[LIBRARY_MAX + 1]; /* "", 0: the policy's */
    char user_access[USER_ACCESS_MAX + 1];
    unsigned station;
    uint32_t unchecked; /* the day for which the block list is not asked; 0: it is */
};

/* ERR_CONFIG names what is wrong; *out is then of no use. */
enum err session_parse(const char *text, size_t n, struct session *out, struct errmsg *msg);
void session_text(const struct session *s, struct buf *out);

/* "": nobody. ERR_INVALID: not clean, too long. */
enum err session_set_staff(struct session *s, const char *staff, struct errmsg *msg);
/* "rule", or as due_parse(): "none", "14d", "2026-12-07". *s is as it was on failure. */
enum err session_set_due(struct session *s, const struct policy *p, const char *due, uint32_t today,
                         struct errmsg *msg);
/* "": the policy's. field: "library", "user_access" or "station"; desk as it joined. ERR_INVALID.
 */
enum err session_set_place(struct session *s, const struct policy *p, const char *desk,
                           const char *field, const char *value, struct errmsg *msg);
/* B10: what later policies took away is left out. */
void session_settle_place(struct session *s, const struct policy *p, const char *desk);
/* B8: what is in force today. */
enum session_due session_due_today(const struct session *s, uint32_t today);
/* All of it, to a record before core_record(); desk as it joined. */
void session_apply(const struct session *s, const struct policy *p, const char *desk,
                   int64_t now_ms, struct record *r);

#endif
