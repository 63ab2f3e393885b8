/* policy_due.c - the policy's sections [due] and [closed]. */
#include "policy_int.h"

#include <string.h>

static enum err read_default(struct due_policy *d, const char *value, struct errmsg *msg)
{
    if (d->has_default)
        return err_set(msg, ERR_CONFIG, "the default is there twice");
    d->has_default = true;
    return due_days_parse(value, &d->days, msg);
}

/* "7, 14, 21": takes one number off the front, to the comma or the end. NULL: not one. */
static const char *take_days(const char *s, unsigned *out)
{
    unsigned v = 0;
    const char *begin;

    s += strspn(s, " ");
    for (begin = s; *s >= '0' && *s <= '9' && v <= DUE_DAYS_MAX; s++)
        v = v * 10 + (unsigned)(*s - '0');
    if (s == begin || v < 1 || v > DUE_DAYS_MAX)
        return NULL;
    *out = v;
    s += strspn(s, " ");
    return *s == ',' ? s + 1 : *s == 0 ? s : NULL;
}

static enum err read_presets(struct due_policy *d, const char *value, struct errmsg *msg)
{
    const char *s = value;

    if (d->n_presets > 0)
        return err_set(msg, ERR_CONFIG, "the presets are there twice");
    do {
        if (d->n_presets == DUE_PRESETS)
            return err_set(msg, ERR_CONFIG, "there is room for %d presets", DUE_PRESETS);
        if ((s = take_days(s, &d->preset[d->n_presets])) == NULL)
            return err_set(msg, ERR_CONFIG, "must be numbers of days, like 7, 14, 21, 28");
        d->n_presets++;
    } while (*s != 0);
    return ERR_OK;
}

enum err policy_read_due(const struct ini_key *row, const char *key, const char *value, void *into,
                         struct errmsg *msg)
{
    struct due_policy *d = &((struct policy *)into)->due;

    (void)row;
    _Static_assert(sizeof d->rule[0].prefix == BARCODE_MAX + 1, "a prefix of a barcode");
    if (strcmp(key, "default") == 0)
        return read_default(d, value, msg);
    if (strcmp(key, "presets") == 0)
        return read_presets(d, value, msg);
    if (!barcode_is_clean(key))
        return err_set(msg, ERR_CONFIG,
                       "a rule begins with how the item's number begins, like 3999 = 21d, or a "
                       "kind of things without a barcode; or default, or presets");
    for (unsigned i = 0; i < d->n_rules; i++)
        if (strcmp(d->rule[i].prefix, key) == 0)
            return err_set(msg, ERR_CONFIG, "the rule is there twice");
    if (d->n_rules == DUE_RULES)
        return err_set(msg, ERR_CONFIG, "there is room for %d rules", DUE_RULES);
    memcpy(d->rule[d->n_rules].prefix, key, strlen(key) + 1);
    return due_days_parse(value, &d->rule[d->n_rules++].days, msg);
}

static enum err read_weekdays(struct due_policy *d, const char *value, struct errmsg *msg)
{
    static const char *const names[] = { "sun", "mon", "tue", "wed", "thu", "fri", "sat" };
    const char *s = value;
    unsigned closed = 0;

    while (*s != 0) {
        unsigned i = 0;

        s += strspn(s, " ,");
        if (*s == 0)
            break;
        while (i < 7 && strncmp(s, names[i], 3) != 0)
            i++;
        if (i == 7 || (s[3] != 0 && s[3] != ',' && s[3] != ' '))
            return err_set(msg, ERR_CONFIG, "must be weekdays, like sat, sun");
        closed += !d->closed_weekday[i];
        d->closed_weekday[i] = true;
        s += 3;
    }
    return closed < 7 ? ERR_OK
                      : err_set(msg, ERR_CONFIG, "a library that never opens lends nothing");
}

/* "2026-12-25" or, for every year, "12-25". */
static bool read_day(const char *s, uint32_t *out)
{
    char full[11] = "2024-"; /* a leap year: 02-29 is a day */

    if (strlen(s) != 5)
        return ymd_parse(s, out, NULL) == ERR_OK;
    memcpy(full + 5, s, 6);
    if (ymd_parse(full, out, NULL) != ERR_OK)
        return false;
    *out %= 10000;
    return true;
}

enum err policy_read_closed(const struct ini_key *row, const char *key, const char *value,
                            void *into, struct errmsg *msg)
{
    struct due_policy *d = &((struct policy *)into)->due;
    struct closed_day day = { .name = "" };

    (void)row;
    if (strcmp(key, "weekdays") == 0)
        return read_weekdays(d, value, msg);
    if (!read_day(key, &day.ymd))
        return err_set(msg, ERR_CONFIG,
                       "must be weekdays = sat, sun, or a day and its name: 2026-12-24 = Christmas "
                       "Eve, or 12-25 = Christmas for every year");
    if (*value == 0 || strlen(value) > CLOSED_NAME_MAX || !text_is_clean(value))
        return err_set(msg, ERR_CONFIG, "the day needs a name of at most %d bytes",
                       CLOSED_NAME_MAX);
    for (unsigned i = 0; i < d->n_closed; i++)
        if (d->closed[i].ymd == day.ymd)
            return err_set(msg, ERR_CONFIG, "the day is there twice");
    if (d->n_closed == CLOSED_DAYS_MAX)
        return err_set(msg, ERR_CONFIG, "there is room for %d days", CLOSED_DAYS_MAX);
    memcpy(day.name, value, strlen(value) + 1);
    d->closed[d->n_closed++] = day;
    return ERR_OK;
}

void policy_derive_due(struct due_policy *d)
{
    static const unsigned usual[] = { 7, 14, 21, 28 };

    if (d->n_presets > 0)
        return;
    memcpy(d->preset, usual, sizeof usual);
    d->n_presets = sizeof usual / sizeof usual[0];
}
