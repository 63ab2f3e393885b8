/* due.c - rules D8 and D9. */
#include "due.h"

#include <stdio.h>
#include <string.h>

#include "day.h"

#define DAY_S 86400

static const char *const weekdays[] = { "Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday" };

static int64_t day_number(uint32_t ymd)
{
    struct civil c = { .year = (int)(ymd / 10000),
                       .month = (int)(ymd / 100 % 100),
                       .day = (int)(ymd % 100) };

    return civil_to_unix(&c, 0) / DAY_S;
}

uint32_t ymd_after(uint32_t ymd, unsigned days)
{
    struct civil c;

    civil_from_unix((day_number(ymd) + days) * DAY_S, 0, &c);
    return (uint32_t)c.year * 10000 + (uint32_t)c.month * 100 + (uint32_t)c.day;
}

unsigned ymd_weekday(uint32_t ymd)
{
    return (unsigned)(((day_number(ymd) + 4) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
}

bool due_day_is_closed(const struct due_policy *p, uint32_t ymd, const char **why)
{
    for (unsigned i = 0; i < p->n_closed; i++)
        if (p->closed[i].ymd == ymd || p->closed[i].ymd == ymd % 10000) {
            if (why)
                *why = p->closed[i].name;
            return true;
        }
    if (why)
        *why = weekdays[ymd_weekday(ymd)];
    return p->closed_weekday[ymd_weekday(ymd)];
}

/* A year and a week without an open day: the calendar is of no use, the date stays. */
uint32_t due_open_day(const struct due_policy *p, uint32_t ymd)
{
    for (unsigned n = 0; n < 373; n++)
        if (!due_day_is_closed(p, ymd_after(ymd, n), NULL))
            return ymd_after(ymd, n);
    return ymd;
}

uint32_t due_after_days(const struct due_policy *p, uint32_t from, unsigned days, uint32_t today)
{
    uint32_t due = ymd_after(from, days);

    return due_open_day(p, due < today ? today : due);
}

uint32_t due_by_rule(const struct due_policy *p, const char *item, uint32_t from, uint32_t today)
{
    unsigned days = p->days;
    size_t longest = 0;

    for (unsigned i = 0; i < p->n_rules; i++) {
        size_t n = strlen(p->rule[i].prefix);

        if (n > longest && strncmp(item, p->rule[i].prefix, n) == 0) {
            longest = n;
            days = p->rule[i].days;
        }
    }
    return days == 0 ? 0 : due_after_days(p, from, days, today);
}

uint32_t due_by_kind(const struct due_policy *p, const char *kind, uint32_t from, uint32_t today)
{
    unsigned days = p->days;

    for (unsigned i = 0; i < p->n_rules; i++)
        if (strcmp(p->rule[i].prefix, kind) == 0)
            days = p->rule[i].days;
    return days == 0 ? 0 : due_after_days(p, from, days, today);
}

enum err due_days_parse(const char *text, unsigned *out, struct errmsg *msg)
{
    unsigned days = 0;
    const char *s = text;

    if (strcmp(text, "blank") == 0) {
        *out = 0;
        return ERR_OK;
    }
    for (; *s >= '0' && *s <= '9' && days <= DUE_DAYS_MAX; s++)
        days = days * 10 + (unsigned)(*s - '0');
    if (s == text || strcmp(s, "d") != 0 || days < 1 || days > DUE_DAYS_MAX)
        return err_set(msg, ERR_CONFIG, "must be days from 1d to %dd, or blank", DUE_DAYS_MAX);
    *out = days;
    return ERR_OK;
}

enum err due_parse(const struct due_policy *p, const char *text, uint32_t today, uint32_t *out,
                   struct errmsg *msg)
{
    struct errmsg inner = { .text = "" };
    char day[11];
    unsigned days = 0;
    uint32_t due;

    if (strcmp(text, "none") == 0) {
        *out = 0;
        return ERR_OK;
    }
    if (strcmp(text, "blank") != 0 && due_days_parse(text, &days, NULL) == ERR_OK) {
        *out = due_after_days(p, today, days, today);
        return ERR_OK;
    }
    if (ymd_parse(text, &due, &inner) != ERR_OK)
        return err_why(msg, ERR_INVALID, "bad_due", "due",
                       "a due date is a day like 2026-12-07, days like 14d, or none");
    if (due < today) {
        ymd_format(due, day);
        return err_why(msg, ERR_INVALID, "due_in_past", "due",
                       "the due date %s is in the past: choose a later day", day);
    }
    *out = due;
    return ERR_OK;
}

void due_warning(const struct due_policy *p, uint32_t due, char out[256])
{
    const char *why;
    char day[11], open[11];

    out[0] = 0;
    if (due == 0 || !due_day_is_closed(p, due, &why))
        return;
    ymd_format(due, day);
    ymd_format(due_open_day(p, due), open);
    snprintf(out, 256, "the library is closed on %s (%s); it opens on %s", day, why, open);
}
