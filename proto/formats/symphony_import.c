/* symphony_import.c - importer of logs that WorkFlows, a server's history or we wrote (E11).
 *
 * What is no transaction of ours (look-up halves, holds, bills), has no time, or was cut, goes on
 * verbatim as unknown; replies of a server are skipped. Nothing is guessed. */
#include "format_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

struct format_reader {
    struct read_lines lines;
    struct format_read to;
    struct zone zone;
    struct symphony_profile profile;
    int64_t last_s; /* the last event's moment: tells the two runs of the autumn hour apart */
    bool reg_used;  /* ev.rec.reg holds something */
    struct format_event ev;
    char desk[DESK_NAME_MAX + 1];
    struct symphony_seen seen;
};

/* ---- fields ---- */

struct value {
    const char *p; /* NULL: not there */
    size_t n;
};

static struct value field(const struct symphony_line *l, const char *code)
{
    for (unsigned i = 0; i < l->n_fields; i++)
        if (memcmp(l->field[i].code, code, 2) == 0)
            return (struct value){ l->field[i].value, l->field[i].len };
    return (struct value){ NULL, 0 };
}

/* "" if absent. False: it is there and cannot be a barcode. */
static bool take_barcode(const struct symphony_line *l, const char *code, char out[BARCODE_MAX + 1])
{
    struct value v = field(l, code);

    while (v.n > 0 && v.p[0] == ' ')
        v.p++, v.n--;
    while (v.n > 0 && v.p[v.n - 1] == ' ')
        v.n--;
    out[0] = 0;
    if (v.p == NULL)
        return true;
    if (v.n == 0 || v.n > BARCODE_MAX)
        return false;
    memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return barcode_is_clean(out);
}

/* ISO-8859-1, but UTF-8 in a file that begins with a byte order mark. */
static bool take_text(const struct format_reader *r, const struct symphony_line *l,
                      const char *code, char *out, size_t room)
{
    struct value v = field(l, code);

    out[0] = 0;
    if (v.p == NULL)
        return true;
    if (!r->lines.had_mark)
        return latin1_get(v.p, v.n, out, room);
    if (v.n >= room)
        return false;
    memcpy(out, v.p, v.n);
    out[v.n] = 0;
    return text_is_clean(out);
}

static bool take_number(struct value *v, size_t most, unsigned *out)
{
    size_t n = 0;

    for (*out = 0; n < v->n && n < most && v->p[n] >= '0' && v->p[n] <= '9'; n++)
        *out = *out * 10 + (unsigned)(v->p[n] - '0');
    v->p += n;
    v->n -= n;
    return n > 0;
}

static bool take_byte(struct value *v, char c)
{
    if (v->n == 0 || v->p[0] != c)
        return false;
    v->p++;
    v->n--;
    return true;
}

/* M/D/YYYY with or without zeros, and perhaps ,H:MM. */
static bool take_moment(struct value v, struct civil *out, bool *has_time)
{
    unsigned m, d, y, h = 0, min = 0;

    if (!take_number(&v, 2, &m) || !take_byte(&v, '/') || !take_number(&v, 2, &d) ||
        !take_byte(&v, '/') || !take_number(&v, 4, &y) ||
        !ymd_is_valid(y * 10000 + m * 100 + d)) /* at most 9999 * 10000 + 9999 */
        return false;
    *has_time = take_byte(&v, ',');
    if (*has_time && (!take_number(&v, 2, &h) || !take_byte(&v, ':') || !take_number(&v, 2, &min)))
        return false;
    *out = (struct civil){ (int)y, (int)m, (int)d, (int)h, (int)min, 0 };
    return v.n == 0 && h < 24 && min < 60;
}

static bool is_word(struct value v, const char *word)
{
    return v.n == strlen(word) && memcmp(v.p, word, v.n) == 0;
}

static bool is_same(struct value a, struct value b)
{
    return b.p != NULL && a.n == b.n && memcmp(a.p, b.p, a.n) == 0;
}

static uint32_t ymd_of(const struct civil *c)
{
    return (uint32_t)(c->year * 10000 + c->month * 100 + c->day);
}

/* ---- the moment ---- */

static bool read_stamp(const char *s, struct civil *out)
{
    int part[7];

    for (unsigned i = 0; i < 7; i++)
        part[i] = (s[2 * i] - '0') * 10 + s[2 * i + 1] - '0';
    *out = (struct civil){ part[0] * 100 + part[1], part[2], part[3], part[4], part[5], part[6] };
    return ymd_is_valid(ymd_of(out)) && out->hour < 24 && out->minute < 60 && out->second < 60;
}

/* Station: four digits of form E; of form D what stands there, without a kind behind digits. */
static void take_desk(struct format_reader *r, const char *text, const struct symphony_line *l)
{
    size_t end = 0, n;

    r->desk[0] = 0;
    if (l->header_form == 0)
        return;
    while (text[end] != '^')
        end++;
    n = end - 15;
    while (n > 0 && text[15 + n - 1] == ' ')
        n--;
    if (n > 1 && strchr("RFI", text[15 + n - 1]) != NULL && text[15 + n - 2] >= '0' &&
        text[15 + n - 2] <= '9')
        n--;
    if (n >= sizeof r->desk)
        return; /* no station has such a name */
    memcpy(r->desk, text + 15, n);
    r->desk[n] = 0;
    if (!text_is_clean(r->desk))
        r->desk[0] = 0;
}

/* NULL, or why there is no moment. A date of return before the stamp's day was set by hand: the
 * true day; without a time its end, for until then the item was out. */
static const char *take_time(struct format_reader *r, const struct symphony_line *l,
                             struct civil *day)
{
    struct record *rec = &r->ev.rec;
    struct value co = rec->kind == RECORD_DISCHARGE ? field(l, "CO") : (struct value){ NULL, 0 };
    struct civil back;
    bool has_time = false;
    int offset_s = 0;

    if (co.p != NULL && is_word(co, "TODAY"))
        co.p = NULL;
    if (co.p != NULL && !take_moment(co, &back, &has_time))
        return "CO is no date";
    if (l->header_form == 0) {
        if (co.p == NULL || !has_time)
            return "nothing says when it happened: a line without a stamp";
        *day = back;
        rec->at_ms = zone_unix_after_s(&r->zone, &back, r->last_s, &offset_s) * 1000;
    } else if (!read_stamp(l->stamp, day)) {
        return "the stamp is no time";
    } else {
        rec->at_ms = zone_unix_after_s(&r->zone, day, r->last_s, &offset_s) * 1000;
        if (co.p != NULL && ymd_of(&back) < ymd_of(day)) {
            if (!has_time)
                back.hour = 23, back.minute = 59;
            rec->paper_ms = zone_unix_s(&r->zone, &back, NULL) * 1000;
        }
    }
    rec->utc_off_min = offset_s / 60;
    return time_is_good(rec->at_ms) && (rec->paper_ms == 0 || time_is_good(rec->paper_ms))
               ? NULL
               : TIME_IS_BAD;
}

/* ---- what happened ---- */

/* What our writer says of every due date, or the day's end. */
static bool is_usual_time(const struct format_reader *r, const struct civil *due)
{
    const char *t = r->profile.due_time;
    int usual =
        t[0] != 0 ? (t[0] - '0') * 600 + (t[1] - '0') * 60 + (t[3] - '0') * 10 + t[4] - '0' : 0;
    int minute = due->hour * 60 + due->minute;

    return minute == usual || minute == 23 * 60 + 59;
}

static const char *take_due(struct format_reader *r, const struct symphony_line *l,
                            const struct civil *day)
{
    struct record *rec = &r->ev.rec;
    struct value v = field(l, "CF");
    struct civil due;
    bool has_time;

    if (v.p == NULL)
        v = field(l, "WH");
    if (v.p == NULL)
        return NULL;
    if (is_word(v, "TODAY")) {
        rec->due = ymd_of(day);
        return NULL;
    }
    if (is_word(v, "NEVER"))
        return "due NEVER: no other format can say it";
    if (!take_moment(v, &due, &has_time))
        return "the due date is no date";
    if (has_time && !is_usual_time(r, &due))
        r->ev.left_out |= LEFT_DUE_TIME;
    rec->due = ymd_of(&due);
    return NULL;
}

static const char *take_loan(struct format_reader *r, const struct symphony_line *l,
                             const struct civil *day)
{
    struct record *rec = &r->ev.rec;

    if (!take_barcode(l, "NQ", rec->item) || rec->item[0] == 0)
        return "NQ is missing, or no barcode";
    if (rec->kind != RECORD_DISCHARGE && !take_barcode(l, "UO", rec->user))
        return "UO is no barcode";
    if (rec->kind == RECORD_CHECKOUT && rec->user[0] == 0)
        return "UO is missing";
    return rec->kind == RECORD_DISCHARGE ? NULL : take_due(r, l, day);
}

static const char *take_user(struct format_reader *r, const struct symphony_line *l)
{
    struct registration *g = &r->ev.rec.reg;
    struct value birth = field(l, "UZ");
    char middle[REG_TEXT_MAX + 1];
    struct civil day;
    size_t first;
    bool has_time;

    r->reg_used = true;
    if (!take_barcode(l, "UO", r->ev.rec.user) || r->ev.rec.user[0] == 0)
        return "UO is missing, or no barcode";
    if (!take_text(r, l, "uF", g->first, sizeof g->first) ||
        !take_text(r, l, "uM", middle, sizeof middle))
        return "uF or uM is too long, or no text";
    if (!take_text(r, l, "uL", g->last, sizeof g->last) || g->last[0] == 0)
        return "uL is missing, too long, or no text";
    if (!take_text(r, l, "PE", g->type, sizeof g->type) ||
        !take_text(r, l, "Uf", g->pin, sizeof g->pin))
        return "PE or Uf is too long, or no text";
    first = strlen(g->first);
    if (first + 1 + strlen(middle) > REG_TEXT_MAX)
        return "uF and uM are too long together";
    if (middle[0] != 0)
        snprintf(g->first + first, sizeof g->first - first, "%s%s", first > 0 ? " " : "", middle);
    if (birth.p == NULL)
        return NULL;
    if (!take_moment(birth, &day, &has_time))
        return "UZ is no date";
    g->birth = ymd_of(&day);
    return NULL;
}

/* Codes of overrides: master first. */
#define OVERRIDES "OMOLOCOIOSOROKOaOcOdOeOb"

static bool is_one_of(const char *codes, const char *code)
{
    for (; *codes != 0; codes += 2)
        if (memcmp(codes, code, 2) == 0)
            return true;
    return false;
}

/* A new card's fields that our writer fills by the policy. */
static bool is_as_the_policy_says(const struct format_reader *r, const struct symphony_line *l,
                                  const char *code, struct value v)
{
    const struct symphony_profile *s = &r->profile;
    struct civil granted, expires;
    bool has_time;

    if (memcmp(code, "UM", 2) == 0) /* the station's */
        return is_same(v, field(l, "FE"));
    if (memcmp(code, "UQ", 2) != 0)
        return is_word(v, memcmp(code, "Ib", 2) == 0   ? s->user_language
                          : memcmp(code, "P7", 2) == 0 ? s->user_hist_rule
                                                       : s->user_environment);
    if (s->user_years == 0)
        return is_word(v, "NEVER");
    return take_moment(field(l, "UD"), &granted, &has_time) &&
           take_moment(v, &expires, &has_time) &&
           ymd_of(&expires) == ymd_add_years(ymd_of(&granted), s->user_years);
}

/* What no record has a place for, and the writer does not say by itself. Of look-ups and of the
 * session there is no loss. */
static bool has_more(const struct format_reader *r, const struct symphony_line *l)
{
    static const char always[] = "FFFEFcFWdCIQISFDFbFvrsjzYPC0jl" OVERRIDES;
    bool user = r->ev.rec.kind == RECORD_USER;

    for (unsigned i = 0; i < l->n_fields; i++) {
        const char *code = l->field[i].code;
        struct value v = { l->field[i].value, l->field[i].len };
        bool known =
            is_one_of(always, code) ||
            is_one_of(user ? "UOuFuMuLuVPEUfUZUD" : "NQUOCFWHCO", code) ||
            (user && is_one_of("UMUQIbUVUXP7", code) && is_as_the_policy_says(r, l, code, v));
        if (!known && v.n > 0)
            return true;
    }
    return false;
}

static void see(struct value v, char *first, size_t room, bool *differs)
{
    if (v.p == NULL || v.n == 0 || v.n >= room)
        return;
    if (first[0] == 0)
        memcpy(first, v.p, v.n);
    else if (strlen(first) != v.n || memcmp(first, v.p, v.n) != 0)
        *differs = true;
}

static void see_station(struct symphony_seen *s, const struct symphony_line *l)
{
    see(field(l, "FE"), s->library, sizeof s->library, &s->library_differs);
    see(field(l, "FF"), s->user_access, sizeof s->user_access, &s->user_access_differs);
    see(field(l, "FW"), s->staff_login, sizeof s->staff_login, &s->staff_login_differs);
    see(field(l, "Fc"), s->clearance, sizeof s->clearance, &s->clearance_differs);
    see(field(l, "dC"), s->client, sizeof s->client, &s->client_differs);
}

static uint8_t kind_of(const char *command)
{
    static const struct {
        char command[3];
        uint8_t kind;
    } known[] = { { "CV", RECORD_CHECKOUT },
                  { "EV", RECORD_DISCHARGE },
                  { "RV", RECORD_RENEW },
                  { "JY", RECORD_USER } };

    for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(command, known[i].command) == 0)
            return known[i].kind;
    return 0;
}

static void clear_event(struct format_reader *r, uint64_t number)
{
    memset(&r->ev.rec, 0, offsetof(struct record, reg));
    r->ev.left_out = 0;
    if (r->reg_used)
        memset(&r->ev.rec.reg, 0, sizeof r->ev.rec.reg);
    r->reg_used = false;
    r->ev.line = number;
    r->ev.desk = r->desk;
}

/* NULL: ev is an event; else why it is none. */
static const char *take_event(struct format_reader *r, const char *text, size_t n,
                              const struct symphony_line *l)
{
    struct record *rec = &r->ev.rec;
    struct civil day;
    const char *why;

    if (!r->lines.had_mark && is_utf_8(text, n))
        return UTF_8_LETTERS;
    if (!l->trailer_ok && text[n - 1] != 'O')
        return "the length at its end is not the line's: cut, or changed by hand";
    if (l->header_form == 'E' && text[19] != 'R')
        return "the header says that it is a reply, the line is a request";
    if ((rec->kind = kind_of(l->command)) == 0)
        return "no transaction that is known here";
    take_desk(r, text, l);
    if ((why = take_time(r, l, &day)) != NULL)
        return why;
    for (unsigned i = 0; i < l->n_fields; i++)
        if (is_one_of(OVERRIDES, l->field[i].code))
            rec->flags |= RECORD_OVERRIDE;
    if (has_more(r, l))
        r->ev.left_out |= LEFT_FIELDS;
    return rec->kind == RECORD_USER ? take_user(r, l) : take_loan(r, l, &day);
}

static bool is_reply(const char *text, size_t n)
{
    const char *caret = memchr(text, '^', n);

    return caret != NULL && caret + 1 < text + n && caret[1] == '@';
}

static enum err take_line(struct format_reader *r, uint64_t number, const char *text, size_t n,
                          struct errmsg *msg)
{
    struct symphony_line l;
    struct errmsg bad;
    const char *why;

    if (is_reply(text, n)) {
        if (r->to.skipped != NULL)
            r->to.skipped(r->to.ctx, number);
        return ERR_OK;
    }
    if (symphony_parse(text, n, &l, &bad) != ERR_OK)
        return r->to.unknown(r->to.ctx, number, (const uint8_t *)text, n, bad.text, msg);
    clear_event(r, number);
    if ((why = take_event(r, text, n, &l)) != NULL)
        return r->to.unknown(r->to.ctx, number, (const uint8_t *)text, n, why, msg);
    r->last_s = r->ev.rec.at_ms / 1000;
    see_station(&r->seen, &l);
    return r->to.event(r->to.ctx, &r->ev, msg);
}

void symphony_read_seen(const struct format_reader *r, struct symphony_seen *out)
{
    *out = r->seen;
}

struct format_reader *symphony_read_new(const struct policy *p, const struct format_read *to)
{
    struct format_reader *r = mem_zero(1, sizeof *r);

    if (r == NULL)
        return NULL;
    r->to = *to;
    r->zone = p->zone;
    r->profile = p->symphony;
    r->last_s = INT64_MIN;
    return r;
}

enum err symphony_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return read_lines_add(&r->lines, r, take_line, &r->to, p, n, msg);
}

enum err symphony_read_end(struct format_reader *r, struct errmsg *msg)
{
    return read_lines_end(&r->lines, r, take_line, &r->to, msg);
}

void symphony_read_free(struct format_reader *r)
{
    free(r);
}
