/* due.h - when an item is due: the policy's rules, the same at every desk (rules D8 and D9).
 *
 * D8 rule    a checkout or renewal without a date gets the one of [due]: the longest prefix of the
 *            item's number that has a row, or the row of its kind if it has no barcode; else the
 *            default. "blank" leaves it to the ILS
 * D9 closed  a date by rule or by days falls on the next open day, and never before today; a date
 *            given by hand stays as it is, and a closed day is said
 *
 * What was promised on the slip is what is uploaded: the date is worked out once, when the record
 * is made, and stands in it. */
#ifndef TIDEOVER_DUE_H
#define TIDEOVER_DUE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define DUE_RULES       64
#define DUE_PRESETS     8
#define DUE_DAYS_MAX    3650 /* a loan of ten years is a mistake */
#define CLOSED_DAYS_MAX 96   /* a year of school holidays, and the next one's */
#define CLOSED_NAME_MAX 40

struct due_rule {
    char prefix[33]; /* of an item's number; or a kind of things without a barcode, whole */
    unsigned days;   /* 0: blank */
};

struct closed_day {
    uint32_t ymd; /* year 0: every year */
    char name[CLOSED_NAME_MAX + 1];
};

struct due_policy { /* [due] and [closed] of the policy */
    bool has_default;
    unsigned days; /* the default; 0: blank */
    unsigned n_rules, n_presets, n_closed;
    struct due_rule rule[DUE_RULES];
    unsigned preset[DUE_PRESETS]; /* days, as on the page's buttons; default 7, 14, 21, 28 */
    bool closed_weekday[7];       /* from Sunday */
    struct closed_day closed[CLOSED_DAYS_MAX];
};

/* yyyymmdd so many days later. ymd is valid. */
uint32_t ymd_after(uint32_t ymd, unsigned days);
unsigned ymd_weekday(uint32_t ymd); /* 0: Sunday */

/* why (NULL is fine): borrowed name of the holiday or weekday, if it is closed. */
bool due_day_is_closed(const struct due_policy *p, uint32_t ymd, const char **why);
/* That day, or the next open one. */
uint32_t due_open_day(const struct due_policy *p, uint32_t ymd);
/* D9: so many days after `from`, open, and not before today. */
uint32_t due_after_days(const struct due_policy *p, uint32_t from, unsigned days, uint32_t today);
/* D8: of an item, or of a thing of that kind without a barcode, lent on `from`; 0: blank. */
uint32_t due_by_rule(const struct due_policy *p, const char *item, uint32_t from, uint32_t today);
uint32_t due_by_kind(const struct due_policy *p, const char *kind, uint32_t from, uint32_t today);

/* A word for a due date: "2026-12-07", "14d", "none". *out 0: none. ERR_INVALID with the reason. */
enum err due_parse(const struct due_policy *p, const char *text, uint32_t today, uint32_t *out,
                   struct errmsg *msg);
/* D9, for a date by hand: a sentence if it is a closed day, else "". */
void due_warning(const struct due_policy *p, uint32_t due, char out[256]);

/* "21d", "blank": 0. ERR_CONFIG. */
enum err due_days_parse(const char *text, unsigned *out, struct errmsg *msg);

#endif
