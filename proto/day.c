/* day.c - calendars, the branch's local time by a POSIX TZ rule, RFC 3339. */
#include "day.h"

#include <stdio.h>
#include <string.h>

#define DAY_S    86400
#define UNIX_MAX 1000000000000 /* the year 31688: no sum below overflows an int */

/* ---- days and years ---- */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int month_days(int year, int month)
{
    static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

/* Days since 1970-01-01. Years begin in March here, so that 29 February is the last day. */
static int64_t days_from_civil(int year, int month, int day)
{
    int64_t y = (int64_t)year - (month <= 2);
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t yoe = y - era * 400;
    int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t days, struct civil *out)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;

    out->day = (int)(doy - (153 * mp + 2) / 5 + 1);
    out->month = (int)(mp < 10 ? mp + 3 : mp - 9);
    out->year = (int)(yoe + era * 400 + (out->month <= 2));
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

void civil_from_unix(int64_t unix_s, int offset_s, struct civil *out)
{
    int64_t local, days;
    int rest;

    if (unix_s > UNIX_MAX)
        unix_s = UNIX_MAX;
    if (unix_s < -UNIX_MAX)
        unix_s = -UNIX_MAX;
    local = unix_s + offset_s;
    days = floor_div(local, DAY_S);
    rest = (int)(local - days * DAY_S);
    civil_from_days(days, out);
    out->hour = rest / 3600;
    out->minute = rest / 60 % 60;
    out->second = rest % 60;
}

int64_t civil_to_unix(const struct civil *c, int offset_s)
{
    return days_from_civil(c->year, c->month, c->day) * DAY_S + c->hour * 3600 + c->minute * 60 +
           c->second - offset_s;
}

/* ---- the rule ---- */

struct rule_text { /* what is left to read; `bad` is the first complaint */
    const char *p;
    const char *bad;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool skip_byte(struct rule_text *t, char c)
{
    if (*t->p != c)
        return false;
    t->p++;
    return true;
}

static void complain(struct rule_text *t, const char *what)
{
    if (t->bad == NULL)
        t->bad = what;
}

static int read_number(struct rule_text *t, int min, int max, const char *what)
{
    int v = 0;

    if (!is_digit(*t->p))
        complain(t, what);
    while (is_digit(*t->p) && v <= max)
        v = v * 10 + (*t->p++ - '0');
    if (v < min || v > max)
        complain(t, what);
    return v;
}

static void read_name(struct rule_text *t)
{
    const char *from;
    bool quoted = skip_byte(t, '<');

    from = t->p;
    while (is_alpha(*t->p) || (quoted && (is_digit(*t->p) || *t->p == '+' || *t->p == '-')))
        t->p++;
    if (t->p - from < 3)
        complain(t, "a zone needs a name of three letters or more, like EST or <-03>");
    if (quoted && !skip_byte(t, '>'))
        complain(t, "a name that begins with < ends with >");
}

/* [+-]hh[:mm[:ss]] in seconds. */
static int read_time(struct rule_text *t, int hours_max, const char *what)
{
    int sign = 1, s;

    if (skip_byte(t, '-'))
        sign = -1;
    else
        skip_byte(t, '+');
    s = read_number(t, 0, hours_max, what) * 3600;
    if (skip_byte(t, ':')) {
        s += read_number(t, 0, 59, what) * 60;
        if (skip_byte(t, ':'))
            s += read_number(t, 0, 59, what);
    }
    return sign * s;
}

static void read_change(struct rule_text *t, struct zone_change *c)
{
    const char *what = "a change is Mm.w.d, Jn or n, perhaps with /time";

    if (!skip_byte(t, ',')) {
        complain(t, "after the summer time's name come two changes, like ,M3.2.0,M11.1.0");
        return;
    }
    if (skip_byte(t, 'M')) {
        c->form = 'M';
        c->month = read_number(t, 1, 12, what);
        if (!skip_byte(t, '.'))
            complain(t, what);
        c->week = read_number(t, 1, 5, what);
        if (!skip_byte(t, '.'))
            complain(t, what);
        c->day = read_number(t, 0, 6, what);
    } else if (skip_byte(t, 'J')) {
        c->form = 'J';
        c->day = read_number(t, 1, 365, what);
    } else {
        c->form = 'D';
        c->day = read_number(t, 0, 365, what);
    }
    c->time_s = 2 * 3600;
    if (skip_byte(t, '/')) /* a week either way: RFC 8536, 3.3.1 */
        c->time_s = read_time(t, 167, "a change's time is at most 167 hours");
}

enum err zone_parse(const char *rule, struct zone *out, struct errmsg *msg)
{
    const char *offset = "an offset is hours west of Greenwich, at most 24, perhaps with :mm";
    struct rule_text t = { rule, NULL };
    struct zone z = { 0 };

    if (strlen(rule) > ZONE_RULE_MAX)
        return err_set(msg, ERR_INVALID, "a zone rule has at most %d bytes", ZONE_RULE_MAX);
    read_name(&t);
    z.std_off_s = z.dst_off_s = -read_time(&t, 24, offset); /* POSIX counts westward */
    if (t.bad == NULL && *t.p != 0) {
        z.has_dst = true;
        read_name(&t);
        z.dst_off_s = *t.p == ',' || *t.p == 0 ? z.std_off_s + 3600 : -read_time(&t, 24, offset);
        read_change(&t, &z.to_dst);
        read_change(&t, &z.to_std);
        if (*t.p != 0)
            complain(&t, "something follows the second change");
    }
    if (t.bad != NULL)
        return err_set(msg, ERR_INVALID, "zone rule \"%s\": %s", rule, t.bad);
    *out = z;
    return ERR_OK;
}

static int64_t change_days(const struct zone_change *c, int year)
{
    int64_t first = days_from_civil(year, c->form == 'M' ? c->month : 1, 1);
    int64_t weekday = first + 4 - floor_div(first + 4, 7) * 7; /* 1970-01-01 was a Thursday */
    int64_t day;

    if (c->form == 'D')
        return first + c->day;
    if (c->form == 'J')
        return first + c->day - 1 + (c->day >= 60 && is_leap(year));
    day = (c->day - weekday + 7) % 7 + (c->week - 1) * 7;
    if (day >= month_days(year, c->month)) /* week 5 is the last one */
        day -= 7;
    return first + day;
}

int zone_offset_s(const struct zone *z, int64_t unix_s)
{
    int64_t last = INT64_MIN;
    int offset = z->std_off_s;
    struct civil c;

    if (!z->has_dst)
        return offset;
    civil_from_unix(unix_s, z->std_off_s, &c);
    /* The change before this moment; times of a week either way can put it in a year beside. Where
     * both fall on one moment summer time goes on: that is how rules spell "all year". */
    for (int year = c.year - 1; year <= c.year + 1; year++) {
        int64_t std = change_days(&z->to_std, year) * DAY_S + z->to_std.time_s - z->dst_off_s;
        int64_t dst = change_days(&z->to_dst, year) * DAY_S + z->to_dst.time_s - z->std_off_s;

        if (std <= unix_s && std > last) {
            last = std;
            offset = z->std_off_s;
        }
        if (dst <= unix_s && dst >= last) {
            last = dst;
            offset = z->dst_off_s;
        }
    }
    return offset;
}

int64_t zone_unix_s(const struct zone *z, const struct civil *local, int *offset_s)
{
    int offset = z->std_off_s;
    int64_t dst = civil_to_unix(local, z->dst_off_s), std = civil_to_unix(local, z->std_off_s);
    bool is_dst = z->has_dst && zone_offset_s(z, dst) == z->dst_off_s;

    if (is_dst && (zone_offset_s(z, std) != z->std_off_s || dst < std))
        offset = z->dst_off_s;
    if (offset_s != NULL)
        *offset_s = offset;
    return civil_to_unix(local, offset);
}

int64_t zone_unix_after_s(const struct zone *z, const struct civil *local, int64_t last_s,
                          int *offset_s)
{
    int64_t s = zone_unix_s(z, local, offset_s), again = civil_to_unix(local, z->std_off_s);

    if (s >= last_s || again <= s || again < last_s || zone_offset_s(z, again) != z->std_off_s)
        return s;
    if (offset_s != NULL)
        *offset_s = z->std_off_s;
    return again;
}

/* ---- dates as numbers ---- */

bool ymd_is_valid(uint32_t ymd)
{
    unsigned year = ymd / 10000, month = ymd / 100 % 100, day = ymd % 100;

    return year >= 1900 && year <= 2999 && month >= 1 && month <= 12 && day >= 1 &&
           day <= (unsigned)month_days((int)year, (int)month);
}

uint32_t ymd_at(const struct zone *z, int64_t unix_ms)
{
    int64_t unix_s = floor_div(unix_ms, 1000);
    struct civil c;

    civil_from_unix(unix_s, zone_offset_s(z, unix_s), &c);
    return (uint32_t)(c.year * 10000 + c.month * 100 + c.day);
}

/* n digits at *s, which moves behind them; -1 if there are fewer. */
static int read_digits(const char **s, unsigned n)
{
    int v = 0;

    for (; n > 0; n--, (*s)++) {
        if (!is_digit(**s))
            return -1;
        v = v * 10 + (**s - '0');
    }
    return v;
}

static bool read_byte(const char **s, char c)
{
    if (**s != c)
        return false;
    (*s)++;
    return true;
}

static bool read_ymd(const char **s, uint32_t *out)
{
    int year, month, day;

    if ((year = read_digits(s, 4)) < 0 || !read_byte(s, '-') || (month = read_digits(s, 2)) < 0 ||
        !read_byte(s, '-') || (day = read_digits(s, 2)) < 0)
        return false;
    *out = (uint32_t)(year * 10000 + month * 100 + day);
    return ymd_is_valid(*out);
}

enum err ymd_parse(const char *s, uint32_t *out, struct errmsg *msg)
{
    uint32_t ymd;

    if (!read_ymd(&s, &ymd) || *s != 0)
        return err_set(msg, ERR_INVALID, "a date looks like 2026-12-07 and must exist");
    *out = ymd;
    return ERR_OK;
}

static bool read_clock(const char **s, struct civil *c, int *ms)
{
    int scale = 100;

    if ((c->hour = read_digits(s, 2)) < 0 || c->hour > 23 || !read_byte(s, ':') ||
        (c->minute = read_digits(s, 2)) < 0 || c->minute > 59 || !read_byte(s, ':') ||
        (c->second = read_digits(s, 2)) < 0 || c->second > 59)
        return false;
    *ms = 0;
    if (!read_byte(s, '.'))
        return true;
    if (!is_digit(**s))
        return false;
    for (; is_digit(**s); (*s)++, scale /= 10)
        *ms += (**s - '0') * scale;
    return true;
}

static bool read_offset(const char **s, int *minutes)
{
    int sign = **s == '-' ? -1 : 1, h, m;

    *minutes = 0;
    if (read_byte(s, 'Z') || read_byte(s, 'z'))
        return true;
    if (!read_byte(s, '+') && !read_byte(s, '-'))
        return false;
    if ((h = read_digits(s, 2)) < 0 || h > 23 || !read_byte(s, ':') ||
        (m = read_digits(s, 2)) < 0 || m > 59)
        return false;
    *minutes = sign * (h * 60 + m);
    return true;
}

enum err rfc3339_parse(const char *s, int64_t *unix_ms, int *offset_min, struct errmsg *msg)
{
    struct civil c = { 0 };
    uint32_t ymd;
    int ms, minutes;

    if (!read_ymd(&s, &ymd) || (!read_byte(&s, 'T') && !read_byte(&s, 't')) ||
        !read_clock(&s, &c, &ms) || !read_offset(&s, &minutes) || *s != 0)
        return err_set(msg, ERR_INVALID,
                       "a time looks like 2026-11-23T09:12:04-05:00, with seconds and zone");
    c.year = (int)(ymd / 10000);
    c.month = (int)(ymd / 100 % 100);
    c.day = (int)(ymd % 100);
    *unix_ms = civil_to_unix(&c, minutes * 60) * 1000 + ms;
    *offset_min = minutes;
    return ERR_OK;
}

static bool read_hour_and_minute(const char *at, struct civil *c)
{
    return (c->hour = read_digits(&at, 2)) >= 0 && c->hour <= 23 && read_byte(&at, ':') &&
           (c->minute = read_digits(&at, 2)) >= 0 && c->minute <= 59 && *at == 0;
}

enum err paper_time_parse(const struct zone *z, int64_t now_ms, const char *s, int64_t *unix_ms,
                          struct errmsg *msg)
{
    uint32_t ymd = z != NULL ? ymd_at(z, now_ms) : 0;
    struct civil c = { 0 };
    const char *at = s;
    int off;

    if (z == NULL ||
        (!read_hour_and_minute(s, &c) &&
         !(read_ymd(&at, &ymd) && read_byte(&at, ' ') && read_hour_and_minute(at, &c)))) {
        if (rfc3339_parse(s, unix_ms, &off, NULL) == ERR_OK)
            return ERR_OK;
        return err_set(msg, ERR_INVALID,
                       "a time looks like 09:12 or 2026-11-23 09:12, by the library's clock, or "
                       "2026-11-23T09:12:04-05:00");
    }
    c.year = (int)(ymd / 10000);
    c.month = (int)(ymd / 100 % 100);
    c.day = (int)(ymd % 100);
    *unix_ms = zone_unix_s(z, &c, NULL) * 1000;
    return ERR_OK;
}

void ymd_format(uint32_t ymd, char out[11])
{
    snprintf(out, 11, "%04u-%02u-%02u", (unsigned)(ymd / 10000 % 10000),
             (unsigned)(ymd / 100 % 100), (unsigned)(ymd % 100));
}

void rfc3339_format(int64_t unix_ms, int offset_min, char out[36])
{
    int east = offset_min < 0 ? -offset_min : offset_min;
    struct civil c;

    civil_from_unix(floor_div(unix_ms, 1000), offset_min * 60, &c);
    snprintf(out, 36, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", c.year, c.month, c.day, c.hour,
             c.minute, c.second, offset_min < 0 ? '-' : '+', east / 60 % 100, east % 60);
}

void rfc3339_at(const struct zone *z, int64_t unix_ms, char out[36])
{
    int64_t unix_s = floor_div(unix_ms, 1000);

    rfc3339_format(unix_s * 1000, z != NULL ? zone_offset_s(z, unix_s) / 60 : 0, out);
}
