/* format.c - the table of formats, and what their files share. */
#include "format_int.h"

#include <stdio.h>
#include <string.h>

#define FORMAT_ROW(name) &format_##name,
static const struct format *const formats[] = { FORMATS(FORMAT_ROW) };

const struct format *format_by_name(const char *name)
{
    for (unsigned i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    return NULL;
}

const struct format *format_at(unsigned i)
{
    return i < sizeof formats / sizeof formats[0] ? formats[i] : NULL;
}

const char *format_names(bool loans, char out[FORMAT_NAMES_MAX])
{
    static const struct policy none;
    size_t n = 0;

    out[0] = 0;
    for (unsigned i = 0; i < sizeof formats / sizeof formats[0]; i++)
        if (!loans || formats[i]->carries(&none, RECORD_CHECKOUT))
            n += (size_t)snprintf(out + n, FORMAT_NAMES_MAX - n, "%s%s", n > 0 ? ", " : "",
                                  formats[i]->name);
    return out;
}

bool format_has_users_inside(const struct policy *p)
{
    const struct format *f = format_by_name(p->format);

    return f && f->carries(p, RECORD_USER);
}

static const struct {
    const char *name, *says; /* what the sentence says between format and count */
} losses[LOSS_COUNT] = {
    [LOSS_KIND] = { "kind", "has no line for them at all" },
    [LOSS_DUE] = { "due", "cannot carry due dates" },
    [LOSS_DUE_RULE] = { "due_rule",
                        "needs due dates; where a desk gave none, the policy's rule did" },
    [LOSS_DUE_TIME] = { "due_time", "cannot carry times of day of due dates" },
    [LOSS_SECONDS] = { "seconds", "cannot carry seconds" },
    [LOSS_DAY] = { "day", "cannot carry times: somebody types the day at the upload" },
    [LOSS_TIME] = { "time", "carries the day of a registration, not its time" },
    [LOSS_RENEW_AS_OUT] = { "renew_as_out",
                            "has no renewals: they are checkouts to the same user" },
    [LOSS_USER_FIELDS] = { "user_fields", "cannot carry all fields of a registration" },
    [LOSS_PLACE] = { "place", "cannot carry the library, user access or station of the session" },
    [LOSS_HOUR] = { "hour",
                    "has one hour for the two of autumn: the second stands behind the first" },
    [LOSS_TEXT] = { "text", "lacks letters: base letters or ? stand for them" },
};

const char *loss_name(enum loss l)
{
    return (unsigned)l < LOSS_COUNT ? losses[l].name : "";
}

const char *loss_sentence(const char *format, enum loss l, uint64_t records,
                          char out[LOSS_SENTENCE_MAX])
{
    snprintf(out, LOSS_SENTENCE_MAX, "%s %s: %llu record%s", format,
             (unsigned)l < LOSS_COUNT ? losses[l].says : "", (unsigned long long)records,
             records == 1 ? "" : "s");
    return out;
}

bool barcode_is_plain(const char *s)
{
    return barcode_is_clean(s) && s[0] != ' ' && s[strlen(s) - 1] != ' ' && !strstr(s, "  ");
}

bool has_blank(const char *s)
{
    return strchr(s, ' ') != NULL;
}

enum err cannot_write(const struct format_item *it, const char *field, const char *format,
                      struct errmsg *msg)
{
    return err_why(msg, ERR_INVALID, "bad_field", field, "%s: %s cannot be written to %s", it->id,
                   field, format);
}

enum err not_carried(const struct format_item *it, const char *format, struct errmsg *msg)
{
    return err_why(msg, ERR_INVALID, "not_carried", "kind", "%s: %s has no line for %s", it->id,
                   format, record_kind_name(it->rec->kind));
}

uint32_t ymd_add_days(uint32_t ymd, unsigned days)
{
    struct civil c = { .year = (int)(ymd / 10000),
                       .month = (int)(ymd / 100 % 100),
                       .day = (int)(ymd % 100) };

    civil_from_unix(civil_to_unix(&c, 0) + (int64_t)days * 86400, 0, &c);
    return civil_ymd(&c);
}

uint32_t civil_ymd(const struct civil *c)
{
    return (uint32_t)(c->year * 10000 + c->month * 100 + c->day);
}

bool digits_to_minute(const char *s, size_t n, struct civil *out)
{
    uint32_t day = digits_to_ymd(s, 8);

    if (n != 12 || day < FIRST_DAY || s[8] < '0' || s[8] > '2' || s[9] < '0' || s[9] > '9' ||
        (s[8] == '2' && s[9] > '3') || s[10] < '0' || s[10] > '5' || s[11] < '0' || s[11] > '9')
        return false;
    *out = (struct civil){ .year = (int)(day / 10000),
                           .month = (int)(day / 100 % 100),
                           .day = (int)(day % 100),
                           .hour = (s[8] - '0') * 10 + s[9] - '0',
                           .minute = (s[10] - '0') * 10 + s[11] - '0' };
    return true;
}

bool time_is_good(int64_t ms)
{
    return ms >= INT64_C(31449600) * 1000 && ms < EVERGREEN_SECONDS_MAX * 1000;
}

bool copy_barcode(const char *s, size_t n, char out[BARCODE_MAX + 1])
{
    out[0] = 0; /* half a number is none */
    if (n > BARCODE_MAX)
        return false;
    memcpy(out, s, n);
    out[n] = 0;
    if (strlen(out) == n && barcode_is_plain(out))
        return true;
    out[0] = 0;
    return false;
}

void event_time(struct format_event *ev, const struct zone *z, const struct civil *local)
{
    int offset_s;

    ev->rec.at_ms = zone_unix_s(z, local, &offset_s) * 1000;
    ev->rec.utc_off_min = offset_s / 60;
}

uint32_t ymd_add_years(uint32_t ymd, unsigned years)
{
    uint32_t later = ymd + years * 10000;

    return ymd_is_valid(later) ? later : later - 1;
}

uint32_t digits_to_ymd(const char *s, size_t n)
{
    uint32_t v = 0;

    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return 0;
        v = v * 10 + (uint32_t)(s[i] - '0');
    }
    return n == 8 && ymd_is_valid(v) ? v : 0;
}

int64_t local_next(struct local_ticks *t, const struct zone *z, int64_t tick_s, uint32_t step_s)
{
    int64_t local;

    if (t->any && tick_s == t->tick_s)
        return t->local_s;
    local = tick_s + zone_offset_s(z, tick_s);
    if (!t->any || local > t->local_s)
        t->local_s = local;
    else
        t->local_s += step_s;
    t->any = true;
    t->tick_s = tick_s;
    return t->local_s;
}

enum err check_lines_fail(struct check_lines *l, const struct errmsg *why, struct errmsg *msg)
{
    if (l->err == ERR_OK)
        l->err = err_set(&l->msg, ERR_MALFORMED, "line %llu: %s", (unsigned long long)l->lines,
                         why->text);
    if (msg != NULL)
        *msg = l->msg;
    return l->err;
}

static void judge_line(struct check_lines *l, struct format_check *c, check_line *judge,
                       const char *line, size_t n)
{
    struct errmsg why = { .text = "" };
    enum err e = judge(c, line, n, &why);

    if (e == ERR_NOMEM)
        l->err = err_set(&l->msg, e, "no memory to check the file");
    else if (e != ERR_OK)
        check_lines_fail(l, &why, NULL);
    l->len = 0;
}

/* A line that came in pieces. False: it is too long. */
static bool keep_piece(struct check_lines *l, const uint8_t *p, size_t n)
{
    if (n > sizeof l->line - l->len)
        return false;
    memcpy(l->line + l->len, p, n);
    l->len += n;
    return true;
}

enum err check_lines_add(struct check_lines *l, struct format_check *c, check_line *judge,
                         const uint8_t *p, size_t n, struct errmsg *msg)
{
    const uint8_t *stop = p + n;

    while (p < stop && l->err == ERR_OK) {
        const uint8_t *lf = memchr(p, '\n', (size_t)(stop - p));
        size_t piece = (size_t)((lf ? lf : stop) - p);

        l->lines += l->len == 0;
        if (l->len == 0 && lf && piece <= sizeof l->line) {
            judge_line(l, c, judge, (const char *)p, piece);
        } else if (!keep_piece(l, p, piece)) {
            struct errmsg why;
            err_set(&why, ERR_MALFORMED, "longer than %d bytes", CHECK_LINE_MAX);
            check_lines_fail(l, &why, NULL);
        } else if (lf) {
            judge_line(l, c, judge, l->line, l->len);
        }
        p += piece + (lf != NULL);
    }
    if (l->err != ERR_OK && msg != NULL)
        *msg = l->msg;
    return l->err;
}

enum err check_lines_end(struct check_lines *l, struct errmsg *msg)
{
    struct errmsg why;

    if (l->err == ERR_OK && l->len > 0) {
        err_set(&why, ERR_MALFORMED, "the file ends in the middle of it");
        return check_lines_fail(l, &why, msg);
    }
    if (l->err != ERR_OK && msg != NULL)
        *msg = l->msg;
    return l->err;
}
