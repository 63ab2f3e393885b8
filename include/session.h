/* session.h - who works at this desk now, and which due date they chose (rules B7 and B8).
 *
 * B7 kept     the staff name stays until it is changed, over restarts; each record that names no
 *             staff gets it. A change of staff touches nothing else, open user and held scans stay
 * B8 midnight a due date chosen for the session is forgotten at the branch's midnight, however it
 *             was chosen; from then on the policy's rule decides again (D8)
 *
 * What the upload says of the desk (library, user access, station) is the policy's, the same
 * whoever sits there. The text is an INI file of the desk's state directory. */
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
    uint32_t chosen; /* the branch's day when due was */
};

enum err session_parse(const char *text, size_t n, struct session *out, struct errmsg *msg);
void session_text(const struct session *s, struct buf *out);

/* "": nobody. ERR_INVALID: not clean, too long. */
enum err session_set_staff(struct session *s, const char *staff, struct errmsg *msg);
/* "rule", or as due_parse(): "none", "14d", "2026-12-07". *s is as it was on failure. */
enum err session_set_due(struct session *s, const struct policy *p, const char *due, uint32_t today,
                         struct errmsg *msg);
/* B8: what is in force today. */
enum session_due session_due_today(const struct session *s, uint32_t today);
/* B7 and B8, to a record before core_record(). */
void session_apply(const struct session *s, const struct policy *p, int64_t now_ms,
                   struct record *r);

#endif
