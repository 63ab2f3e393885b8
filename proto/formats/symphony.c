/* symphony.c - writer of SirsiDynix Symphony's transaction log, one line a record.
 *
 * Fields and order as SirsiDynix API transactions are known to have; what is not sure is a key of
 * the profile here. Fields are written in the order of the functions below, and in no other. */
#include "format_int.h"

#include <string.h>

#include "desk.h"

struct symphony_state {
    struct local_ticks ticks;
    uint8_t seq[10000]; /* last number written, by station */
    size_t usual_bytes; /* 0: not made yet */
    char usual[160];    /* the station's fields of a record that says no other place: nearly all */
};
_Static_assert(sizeof(struct symphony_state) <= FORMAT_STATE_BYTES, "the state must fit");

struct line { /* one line in the making */
    const struct symphony_profile *s;
    struct symphony_state *st;
    const struct format_item *it;
    const struct record *rec;
    struct civil at; /* the stamp */
    struct buf *out;
    bool glue;       /* the first field follows the command without a caret */
    const char *bad; /* field that cannot be written */
};

static bool symphony_carries(const struct policy *p, unsigned kind)
{
    switch (kind) {
    case RECORD_CHECKOUT:
    case RECORD_DISCHARGE:
    case RECORD_RENEW:
        return true;
    case RECORD_USER:
        return p->symphony.registration == REGISTRATION_JY;
    default: /* in-house use has no known command; kinds of a newer version come here too */
        return false;
    }
}

static void put_code(struct line *l, const char code[2])
{
    if (!l->glue)
        buf_add(l->out, "^", 1);
    l->glue = false;
    buf_add(l->out, code, 2);
}

static void put_text(struct line *l, const char *code, const char *value, const char *name)
{
    unsigned lost = 0;

    put_code(l, code);
    if (!latin1_put(l->out, value, "^", &lost))
        l->bad = name;
}

static void put_barcode(struct line *l, const char *code, const char *value, const char *name)
{
    if (!barcode_is_clean(value))
        l->bad = name;
    put_code(l, code);
    buf_text(l->out, value);
}

/* Month, day, year. By hand, as all of a line: a merge prints millions. */
static void put_day(struct line *l, uint32_t ymd, unsigned width)
{
    buf_number(l->out, ymd / 100 % 100, width);
    buf_text(l->out, "/");
    buf_number(l->out, ymd % 100, width);
    buf_text(l->out, "/");
    buf_number(l->out, ymd / 10000, width * 2);
}

/* M/D/YYYY, as everywhere but in the due date. */
static void put_date(struct line *l, const char *code, uint32_t ymd)
{
    put_code(l, code);
    put_day(l, ymd, 1);
}

static uint32_t today(const struct line *l)
{
    return (uint32_t)(l->at.year * 10000 + l->at.month * 100 + l->at.day);
}

static void put_due(struct line *l)
{
    uint32_t due = l->it->due;

    if (due == 0)
        return;
    if (!ymd_is_valid(due) || due < today(l))
        l->bad = "due";
    put_code(l, l->s->due_code);
    put_day(l, due, 2);
    if (l->s->due_time[0] != 0)
        buf_printf(l->out, ",%s", l->s->due_time);
}

static void put_station_fields(struct line *l)
{
    const char *access = l->rec->user_access, *library = l->rec->library;
    bool is_usual = access[0] == 0 && library[0] == 0;
    size_t from = l->out->len, n;

    if (is_usual && l->st->usual_bytes > 0) {
        buf_add(l->out, l->st->usual, l->st->usual_bytes);
        l->glue = false;
        return;
    }
    put_text(l, "FF", access[0] ? access : l->s->user_access, "user_access");
    put_text(l, "FE", library[0] ? library : l->s->library, "library");
    put_text(l, "Fc", l->s->clearance, "clearance");
    put_text(l, "FW", l->s->staff_login, "staff_login");
    n = l->out->len - from;
    if (is_usual && l->bad == NULL && !l->out->failed && n <= sizeof l->st->usual) {
        memcpy(l->st->usual, l->out->p + from, n);
        l->st->usual_bytes = n;
    }
}

static void put_loan(struct line *l)
{
    put_station_fields(l);
    put_barcode(l, "NQ", l->rec->item, "item");
    if (l->rec->kind == RECORD_CHECKOUT || l->rec->user[0] != 0)
        put_barcode(l, "UO", l->rec->user, "user");
    put_due(l);
    put_text(l, "dC", l->s->client, "client");
}

static void put_discharge(struct line *l)
{
    put_station_fields(l);
    put_barcode(l, "NQ", l->rec->item, "item");
    put_date(l, "CO", today(l));
    buf_text(l->out, ",");
    buf_number(l->out, (unsigned)l->at.hour, 1);
    buf_text(l->out, ":");
    buf_number(l->out, (unsigned)l->at.minute, 2);
    put_text(l, "dC", l->s->client, "client");
}

static void put_user(struct line *l)
{
    const struct registration *r = &l->rec->reg;

    put_station_fields(l);
    put_barcode(l, "UO", l->rec->user, "user");
    if (r->first[0] != 0)
        put_text(l, "uF", r->first, "first");
    if (r->last[0] == 0)
        l->bad = "last";
    put_text(l, "uL", r->last, "last");
    put_text(l, "uV", "0", "");
    put_text(l, "UM", l->s->library, "library");
    put_text(l, "PE", r->type[0] != 0 ? r->type : l->s->user_profile, "type");
    if (l->s->write_pin && r->pin[0] != 0)
        put_text(l, "Uf", r->pin, "pin");
    if (r->birth != 0 && (!ymd_is_valid(r->birth) || r->birth > today(l)))
        l->bad = "birth";
    if (r->birth != 0)
        put_date(l, "UZ", r->birth);
    put_date(l, "UD", today(l));
    if (l->s->user_years == 0)
        put_text(l, "UQ", "NEVER", "");
    else
        put_date(l, "UQ", ymd_add_years(today(l), l->s->user_years));
    put_text(l, "Ib", l->s->user_language, "user_language");
    put_text(l, "UV", l->s->user_environment, "user_environment");
    put_text(l, "UX", l->s->user_environment, "user_environment");
    put_text(l, "P7", l->s->user_hist_rule, "user_hist_rule");
}

/* EYYYYMMDDhhmmss, station, R. */
static void put_header(struct line *l, unsigned station)
{
    const struct civil *at = &l->at;

    buf_text(l->out, "E");
    buf_number(l->out, today(l), 8);
    buf_number(l->out, (unsigned)(at->hour * 10000 + at->minute * 100 + at->second), 6);
    buf_number(l->out, station, 4);
    buf_text(l->out, "R ");
}

static void put_line(struct line *l, unsigned station, unsigned seq)
{
    static const char *const commands[] = {
        [RECORD_CHECKOUT] = "CV",
        [RECORD_DISCHARGE] = "EV",
        [RECORD_RENEW] = "RV",
        [RECORD_USER] = "JY",
    };
    size_t from;

    if (l->s->header)
        put_header(l, station);
    from = l->out->len;
    buf_text(l->out, "^S");
    buf_number(l->out, seq, 2);
    buf_text(l->out, commands[l->rec->kind]);
    l->glue = true;
    if (l->rec->kind == RECORD_USER)
        put_user(l);
    else if (l->rec->kind == RECORD_DISCHARGE)
        put_discharge(l);
    else
        put_loan(l);
    buf_text(l->out, "^^O");
    if (l->s->trailer)
        buf_number(l->out, l->out->len - from, 5);
    buf_text(l->out, l->s->crlf ? "\r\n" : "\n");
}

static enum err symphony_write(const struct policy *p, struct format_state *state,
                               const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    struct symphony_state *st = (struct symphony_state *)state->b;
    struct line l = { .s = &p->symphony, .st = st, .it = it, .rec = it->rec, .out = out };
    unsigned station = it->rec->station ? it->rec->station : policy_station(p, it->desk);
    size_t len = out->len;
    struct local_ticks before = st->ticks;
    uint8_t seq;

    if (!symphony_carries(p, it->rec->kind))
        return err_why(msg, ERR_INVALID, "not_carried", "kind", "%s: Symphony has no line for %s",
                       it->id, record_kind_name(it->rec->kind));
    if (station == 0 || station > 9999)
        return err_why(msg, ERR_CONFIG, "no_station", "desk",
                       "desk %s has no station number: add it to [stations], publish the policy "
                       "and run the upload again",
                       it->desk);
    civil_from_unix(local_next(&st->ticks, &p->zone, it->tick_s, 1), 0, &l.at);
    if (!ymd_is_valid(today(&l)))
        l.bad = "at";
    if (desk_check_place(p, it->desk, it->rec, NULL) != ERR_OK) /* the policy is another since */
        l.bad = "place";
    seq = (uint8_t)(st->seq[station] % 99 + 1);
    put_line(&l, station, seq);
    if (!out->failed && l.bad == NULL) {
        st->seq[station] = seq;
        return ERR_OK;
    }
    if (len < out->len)
        out->len = len;
    st->ticks = before;
    if (out->failed)
        return err_set(msg, ERR_NOMEM, "no memory for a line");
    return err_why(msg, ERR_INVALID, "bad_field", l.bad, "%s: %s cannot be written to Symphony",
                   it->id, l.bad);
}

static bool symphony_unverified(const struct policy *p)
{
    return !p->symphony.verified;
}

static const char *symphony_desk_lacks(const struct policy *p, const char *desk)
{
    return policy_station(p, desk) == 0 ? "a station number: add it to [stations]" : NULL;
}

static unsigned symphony_loses(const struct policy *p, const struct format_item *it)
{
    const struct registration *r = &it->rec->reg;
    unsigned lost = 0;

    if (it->rec->kind != RECORD_USER)
        return 0;
    if (latin1_lacks(r->first) || latin1_lacks(r->last) || latin1_lacks(r->type))
        lost |= 1u << LOSS_TEXT;
    if (r->email[0] || r->street[0] || r->city[0] || r->postcode[0] || r->phone[0] || r->note[0] ||
        r->guardian[0] || (r->pin[0] && !p->symphony.write_pin))
        lost |= 1u << LOSS_USER_FIELDS;
    return lost;
}

static const struct format *symphony_users(const struct policy *p)
{
    return p->symphony.registration == REGISTRATION_FLAT ? &format_ldflat : NULL;
}

const struct format format_symphony = {
    .name = "symphony",
    .suffix = "log",
    .tick_s = 1,
    .local_time = true,
    .load_days = 6, /* Loadstand handles the week before */
    .unverified = symphony_unverified,
    .carries = symphony_carries,
    .places = true,
    .desk_lacks = symphony_desk_lacks,
    .loses = symphony_loses,
    .users = symphony_users,
    .write = symphony_write,
    .check_new = symphony_check_new,
    .check_add = symphony_check_add,
    .check_end = symphony_check_end,
    .check_free = symphony_check_free,
    .read_new = symphony_read_new,
    .read_add = symphony_read_add,
    .read_end = symphony_read_end,
    .read_free = symphony_read_free,
};
