/* session.c - rules B7 and B8. */
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

void session_apply(const struct session *s, const struct policy *p, int64_t now_ms,
                   struct record *r)
{
    uint32_t today = ymd_at(&p->zone, now_ms);

    if (r->staff[0] == 0)
        memcpy(r->staff, s->staff, sizeof r->staff);
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
