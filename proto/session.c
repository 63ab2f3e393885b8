/* session.c - rules B7, B8, B10, B11. */
#include "session.h"

#include <string.h>

#include "desk.h"
#include "ini_int.h"

static const char *const due_words[] = { "rule", "none", "days", "date", NULL };

static enum err read_staff(const struct ini_key *row, const char *key, const char *value,
                           void *into, struct errmsg *msg)
{
    (void)row, (void)key;
    return session_set_staff(into, value, msg);
}

static enum err read_day(const struct ini_key *row, const char *key, const char *value, void *into,
                         struct errmsg *msg)
{
    (void)key;
    return ymd_parse(value, (uint32_t *)((char *)into + row->offset), msg);
}

#define PLACE(member) offsetof(struct session, member), sizeof((struct session *)0)->member

static const struct ini_key keys[] = {
    { "session", "staff", read_staff, PLACE(staff), 0, 0, NULL },
    { "session", "due", ini_word, PLACE(due), 0, 0, due_words },
    { "session", "days", ini_unsigned, PLACE(days), 1, DUE_DAYS_MAX, NULL },
    { "session", "date", read_day, PLACE(date), 0, 0, NULL },
    { "session", "chosen", read_day, PLACE(chosen), 0, 0, NULL },
    { "session", "library", ini_text, PLACE(library), 1, 0, NULL },
    { "session", "user_access", ini_text, PLACE(user_access), 1, 0, NULL },
    { "session", "station", ini_unsigned, PLACE(station), 1, STATION_MAX, NULL },
    { "session", "unchecked", read_day, PLACE(unchecked), 0, 0, NULL },
};

enum err session_parse(const char *text, size_t n, struct session *out, struct errmsg *msg)
{
    struct session s = { .staff = "" };
    enum err e;

    if (n > SESSION_TEXT_MAX)
        return err_set(msg, ERR_CONFIG, "a session has at most %d bytes", SESSION_TEXT_MAX);
    e = ini_read("session", text, n, keys, sizeof keys / sizeof keys[0], &s, msg);
    if (e != ERR_OK)
        return e;
    if ((s.due == SESSION_DAYS && s.days == 0) || (s.due == SESSION_DATE && s.date == 0))
        return err_set(msg, ERR_CONFIG, "session: a due date without its day");
    *out = s;
    return ERR_OK;
}

static void put_day(struct buf *out, const char *key, uint32_t ymd)
{
    char day[11];

    if (ymd == 0)
        return;
    ymd_format(ymd, day);
    buf_printf(out, "%s = %s\n", key, day);
}

void session_text(const struct session *s, struct buf *out)
{
    buf_text(out, "[session]\n");
    if (s->staff[0])
        buf_printf(out, "staff = %s\n", s->staff);
    buf_printf(out, "due = %s\n", due_words[s->due]);
    if (s->due == SESSION_DAYS)
        buf_printf(out, "days = %u\n", s->days);
    if (s->due == SESSION_DATE)
        put_day(out, "date", s->date);
    put_day(out, "chosen", s->chosen);
    if (s->library[0])
        buf_printf(out, "library = %s\n", s->library);
    if (s->user_access[0])
        buf_printf(out, "user_access = %s\n", s->user_access);
    if (s->station)
        buf_printf(out, "station = %u\n", s->station);
    put_day(out, "unchecked", s->unchecked);
}

/* Of digits alone; more than there are stations: no such one. */
static unsigned station_of(const char *s)
{
    unsigned v = 0;

    for (; *s >= '0' && *s <= '9' && v <= STATION_MAX; s++)
        v = v * 10 + (unsigned)(*s - '0');
    return *s == 0 ? v : STATION_MAX + 1;
}

enum err session_set_place(struct session *s, const struct policy *p, const char *desk,
                           const char *field, const char *value, struct errmsg *msg)
{
    struct session next = *s;
    struct record r = { .kind = RECORD_CHECKOUT };
    bool library = strcmp(field, "library") == 0, access = strcmp(field, "user_access") == 0;
    char *into = library ? next.library : next.user_access;
    size_t room = library ? sizeof next.library : sizeof next.user_access;
    enum err e;

    if (!library && !access)
        next.station = station_of(value);
    else if (strlen(value) >= room)
        return err_why(msg, ERR_INVALID, "too_long", field, "%s is longer than %zu bytes", field,
                       room - 1);
    else
        memcpy(into, value, strlen(value) + 1);
    memcpy(r.library, next.library, sizeof r.library);
    memcpy(r.user_access, next.user_access, sizeof r.user_access);
    r.station = next.station;
    if ((e = desk_check_place(p, desk, &r, msg)) == ERR_OK)
        *s = next;
    return e;
}

void session_settle_place(struct session *s, const struct policy *p, const char *desk)
{
    if (!policy_has_library(p, s->library))
        s->library[0] = 0;
    if (!policy_has_user_access(p, s->user_access))
        s->user_access[0] = 0;
    if (!policy_has_station(p, desk, s->station))
        s->station = 0;
}

enum err session_set_staff(struct session *s, const char *staff, struct errmsg *msg)
{
    size_t n = strlen(staff);

    if (n > STAFF_MAX)
        return err_why(msg, ERR_INVALID, "too_long", "staff", "a staff name has at most %d bytes",
                       STAFF_MAX);
    if (!text_is_clean(staff) || (n > 0 && (staff[0] == ' ' || staff[n - 1] == ' ')))
        return err_why(msg, ERR_INVALID, "bad_text", "staff",
                       "the staff name is not clean text: no blanks at its ends, no control "
                       "characters");
    memcpy(s->staff, staff, n + 1);
    return ERR_OK;
}

enum err session_set_due(struct session *s, const struct policy *p, const char *due, uint32_t today,
                         struct errmsg *msg)
{
    struct session next = *s;
    enum err e;

    next.days = 0;
    next.date = 0;
    next.chosen = today;
    if (strcmp(due, "rule") == 0) {
        next.due = SESSION_RULE;
    } else if (strcmp(due, "none") == 0) {
        next.due = SESSION_NONE;
    } else if (strcmp(due, "blank") != 0 && due_days_parse(due, &next.days, NULL) == ERR_OK) {
        next.due = SESSION_DAYS;
    } else {
        if ((e = due_parse(&p->due, due, today, &next.date, msg)) != ERR_OK)
            return e;
        next.due = SESSION_DATE;
    }
    *s = next;
    return ERR_OK;
}

enum session_due session_due_today(const struct session *s, uint32_t today)
{
    return s->chosen == today ? (enum session_due)s->due : SESSION_RULE;
}

static void apply_place(const struct session *s, const struct policy *p, const char *desk,
                        struct record *r)
{
    struct session now = *s;

    session_settle_place(&now, p, desk);
    if (r->library[0] == 0)
        memcpy(r->library, now.library, sizeof r->library);
    if (r->user_access[0] == 0)
        memcpy(r->user_access, now.user_access, sizeof r->user_access);
    if (r->station == 0)
        r->station = now.station;
}

void session_apply(const struct session *s, const struct policy *p, const char *desk,
                   int64_t now_ms, struct record *r)
{
    uint32_t today = ymd_at(&p->zone, now_ms);

    if (r->staff[0] == 0)
        memcpy(r->staff, s->staff, sizeof r->staff);
    if (r->kind != RECORD_VOID)
        apply_place(s, p, desk, r);
    if (s->unchecked == today && (r->kind == RECORD_CHECKOUT || r->kind == RECORD_RENEW))
        r->flags |= RECORD_UNCHECKED;
    if (r->due != DUE_BY_RULE || (r->kind != RECORD_CHECKOUT && r->kind != RECORD_RENEW))
        return;
    switch (session_due_today(s, today)) {
    case SESSION_RULE:
        break;
    case SESSION_NONE:
        r->due = 0;
        break;
    case SESSION_DAYS:
        r->due = due_after_days(&p->due, ymd_at(&p->zone, r->paper_ms ? r->paper_ms : now_ms),
                                s->days, today);
        break;
    case SESSION_DATE:
        r->due = s->date;
        break;
    }
}
