/* evergreen_read.c - reader of Evergreen's offline transactions, from its web client, its older
 * staff client or us (E11): wider than what we write, and nothing guessed. */
#include "format_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "mem.h"

struct format_reader {
    struct read_lines lines;
    struct format_read to;
    struct zone zone;
    struct evergreen_profile profile;
    unsigned n_pieces;
    struct piece_kind piece[POLICY_PIECES];
    struct record rec;
    unsigned left_out; /* of the line under way */
    char desk[DESK_NAME_MAX + 1];
};

/* What a record has a place for; state and street2 become part of others. */
static const char *const line_keys[] = {
    "timestamp",   "type",          "delta",       "patron_barcode",
    "barcode",     "checkout_time", "due_date",    "backdate",
    "count",       "use_time",      "user",        "noncat",
    "noncat_type", "noncat_count",  "tideover_id", NULL
};
static const char *const user_keys[] = {
    "card",    "family_name", "first_given_name", "profile",
    "home_ou", "ident_type",  "passwd",           "dob",
    "email",   "day_phone",   "billing_address",  "mailing_address",
    NULL
};
static const char *const card_keys[] = { "barcode", NULL };
static const char *const address_keys[] = { "id",    "street1", "street2",   "city",
                                            "state", "country", "post_code", NULL };

/* Has it a key that is none of these, and says something? */
static bool has_more(const json_t *o, const char *const *keys)
{
    const char *name;
    json_t *v;

    json_object_foreach((json_t *)o, name, v)
    {
        unsigned i = 0;
        while (keys[i] != NULL && strcmp(keys[i], name) != 0)
            i++;
        if (keys[i] == NULL && !json_is_null(v) && !json_is_false(v) &&
            !(json_is_string(v) && json_string_length(v) == 0))
            return true;
    }
    return false;
}

static bool no(const char **why, const char *what)
{
    *why = what;
    return false;
}

/* ---- values ---- */

/* Text, "" if it is absent, null or empty. False: no text, unclean, or longer than its place. */
static bool take_text(const json_t *o, const char *name, char *into, size_t room, const char **why)
{
    const json_t *v = json_object_get(o, name);
    const char *s = json_string_value(v);

    into[0] = 0;
    if (v == NULL || json_is_null(v))
        return true;
    if (s == NULL)
        return no(why, json_is_number(v) ? "a number where text in quotes belongs"
                                         : "a value of the wrong type");
    if (strlen(s) >= room || json_string_length(v) != strlen(s) || !text_is_clean(s))
        return no(why, "a value that is too long, or has a control character");
    memcpy(into, s, strlen(s) + 1);
    return true;
}

static bool take_barcode(const json_t *o, const char *name, char into[BARCODE_MAX + 1],
                         const char **why)
{
    return take_text(o, name, into, BARCODE_MAX + 1, why) &&
           (into[0] == 0 || barcode_is_clean(into) ||
            no(why, "a barcode with a character that no barcode has"));
}

/* A whole number, also in quotes; -1 if it is absent. */
static bool take_number(const json_t *o, const char *name, int64_t *out, const char **why)
{
    const json_t *v = json_object_get(o, name);
    const char *s = json_string_value(v);

    *out = -1;
    if (v == NULL || json_is_null(v) || (s != NULL && s[0] == 0))
        return true;
    if (json_is_integer(v) && json_integer_value(v) >= 0) {
        *out = json_integer_value(v);
        return true;
    }
    if (s == NULL || strlen(s) > 15 || s[strspn(s, "0123456789")] != 0)
        return no(why, "a number that is none");
    *out = strtoll(s, NULL, 10);
    return true;
}

/* ---- times, in all forms that the server takes rightly ---- */

static bool digits(const char **s, unsigned n, int *out)
{
    *out = 0;
    for (; n > 0; n--, ++*s) {
        if (**s < '0' || **s > '9')
            return false;
        *out = *out * 10 + (**s - '0');
    }
    return true;
}

static bool skip(const char **s, char c)
{
    if (**s != c)
        return false;
    ++*s;
    return true;
}

static bool read_offset(const struct format_reader *r, const char *s, const struct civil *c,
                        int64_t *unix_s)
{
    int h = 0, m = 0, sign = *s == '-' ? -1 : 1;

    if (*s == 0) { /* none: the branch's own */
        int64_t guess = civil_to_unix(c, r->zone.std_off_s);
        guess = civil_to_unix(c, zone_offset_s(&r->zone, guess));
        *unix_s = civil_to_unix(c, zone_offset_s(&r->zone, guess));
        return true;
    }
    if (!skip(&s, 'Z')) {
        if ((!skip(&s, '-') && !skip(&s, '+')) || !digits(&s, 2, &h) || h > 23)
            return false;
        skip(&s, ':');
        if (*s != 0 && (!digits(&s, 2, &m) || m > 59))
            return false;
    }
    *unix_s = civil_to_unix(c, sign * (h * 3600 + m * 60));
    return *s == 0;
}

struct moment {
    bool is_there, has_clock;
    uint32_t day; /* as written */
    int64_t unix_s;
};

static bool read_moment(const struct format_reader *r, const char *s, struct moment *out)
{
    struct civil c = { 0 };
    bool dashes;

    if (!digits(&s, 4, &c.year))
        return false;
    dashes = skip(&s, '-');
    if (!digits(&s, 2, &c.month) || (dashes && !skip(&s, '-')) || !digits(&s, 2, &c.day))
        return false;
    out->is_there = true;
    out->day = (uint32_t)(c.year * 10000 + c.month * 100 + c.day);
    if (!ymd_is_valid(out->day))
        return false;
    if (*s == 0)
        return true;
    if ((!skip(&s, 'T') && !skip(&s, ' ')) || !digits(&s, 2, &c.hour) || !skip(&s, ':') ||
        !digits(&s, 2, &c.minute) || !skip(&s, ':') || !digits(&s, 2, &c.second) || c.hour > 23 ||
        c.minute > 59 || c.second > 59)
        return false;
    if (skip(&s, '.'))
        s += strspn(s, "0123456789");
    s += strspn(s, " ");
    out->has_clock = true;
    return read_offset(r, s, &c, &out->unix_s);
}

static bool take_moment(const struct format_reader *r, const json_t *o, const char *name,
                        struct moment *out, const char **why)
{
    char text[64];

    memset(out, 0, sizeof *out);
    if (name == NULL)
        return true;
    if (!take_text(o, name, text, sizeof text, why))
        return false;
    return text[0] == 0 || read_moment(r, text, out) ||
           no(why, "a time that is none, or has no seconds");
}

/* timestamp is the moment. What else (NULL: nothing) says when it happened may say another one, if
 * it is exact: then somebody typed it. */
static bool take_when(struct format_reader *r, const json_t *o, const char *name, const char **why)
{
    struct moment m;
    int64_t stamp;

    if (!take_number(o, "timestamp", &stamp, why) || !take_moment(r, o, name, &m, why))
        return false;
    if (stamp > INT64_C(32503680000))
        return no(why, "a timestamp that is no number of seconds: of milliseconds?");
    if (stamp < 0 && !m.has_clock)
        return no(why, "neither a timestamp nor a time");
    if (stamp < 0)
        stamp = m.unix_s;
    if (!time_is_good(stamp * 1000) || (m.has_clock && !time_is_good(m.unix_s * 1000)))
        return no(why, TIME_IS_BAD);
    r->rec.at_ms = stamp * 1000;
    r->rec.utc_off_min = zone_offset_s(&r->zone, stamp) / 60;
    if (m.has_clock && m.unix_s != stamp)
        r->rec.paper_ms = m.unix_s * 1000;
    if (m.is_there && !m.has_clock && m.day != ymd_at(&r->zone, stamp * 1000))
        return no(why, "dated to another day without a time: enter it by hand");
    return true;
}

/* ---- the types ---- */

static bool is_noncat(const json_t *o)
{
    const json_t *v = json_object_get(o, "noncat");

    return json_is_true(v) || json_integer_value(v) != 0 ||
           (json_object_get(o, "noncat_type") != NULL && json_object_get(o, "barcode") == NULL);
}

static bool take_pieces(struct format_reader *r, const json_t *o, const char **why)
{
    int64_t type, n;

    if (!take_number(o, "noncat_type", &type, why) || !take_number(o, "noncat_count", &n, why))
        return false;
    if (n == 0 || n > 99)
        return no(why, "a noncat_count outside 1 to 99");
    r->rec.count = n < 0 ? 1 : (uint8_t)n;
    for (unsigned i = 0; i < r->n_pieces && type > 0; i++)
        if (r->piece[i].noncat == (uint64_t)type) {
            memcpy(r->rec.piece_kind, r->piece[i].name, sizeof r->piece[i].name);
            return true;
        }
    return no(why, "uncatalogued pieces of a type that [noncat] of the policy does not name: enter "
                   "them by hand");
}

static bool is_days_end(const struct zone *z, int64_t unix_s)
{
    struct civil c;

    civil_from_unix(unix_s, zone_offset_s(z, unix_s), &c);
    return c.hour == 23 && c.minute == 59;
}

static bool take_loan(struct format_reader *r, const json_t *o, const char **why)
{
    struct moment due;

    if (r->rec.kind == RECORD_CHECKOUT && is_noncat(o) && !take_pieces(r, o, why))
        return false;
    if (!take_barcode(o, "patron_barcode", r->rec.user, why) ||
        !take_when(r, o, "checkout_time", why) || !take_moment(r, o, "due_date", &due, why))
        return false;
    if (r->rec.user[0] == 0 && r->rec.kind == RECORD_CHECKOUT)
        return no(why, "a checkout without patron_barcode");
    if (due.is_there)
        r->rec.due = due.has_clock ? ymd_at(&r->zone, due.unix_s * 1000) : due.day;
    if (due.has_clock && !is_days_end(&r->zone, due.unix_s))
        r->left_out |= LEFT_DUE_TIME;
    return true;
}

static bool take_use(struct format_reader *r, const json_t *o, const char **why)
{
    int64_t n;

    if (!take_number(o, "count", &n, why) || !take_when(r, o, "use_time", why))
        return false;
    if (n == 0 || n > 99)
        return no(why, "a count outside 1 to 99");
    r->rec.count = n < 0 ? 1 : (uint8_t)n;
    return true;
}

/* "12 Mill Lane" and "Flat 2" become one field; so do city and state. */
static bool join(char *into, size_t room, const char *more, const char **why)
{
    size_t n = strlen(into);

    if (more[0] == 0)
        return true;
    if (n + 2 + strlen(more) >= room)
        return no(why, "an address that is too long");
    snprintf(into + n, room - n, "%s%s", n > 0 ? ", " : "", more);
    return true;
}

static bool take_address(struct registration *g, const json_t *a, const char **why)
{
    char street2[REG_TEXT_MAX + 1], state[REG_TEXT_MAX + 1];

    return take_text(a, "street1", g->street, sizeof g->street, why) &&
           take_text(a, "street2", street2, sizeof street2, why) &&
           take_text(a, "city", g->city, sizeof g->city, why) &&
           take_text(a, "state", state, sizeof state, why) &&
           take_text(a, "post_code", g->postcode, sizeof g->postcode, why) &&
           join(g->street, sizeof g->street, street2, why) &&
           join(g->city, sizeof g->city, state, why);
}

/* The policy's own group says nothing; another one becomes its type, or its number. */
static bool take_profile(struct format_reader *r, const json_t *user, const char **why)
{
    const struct evergreen_profile *g = &r->profile;
    int64_t n;

    if (!take_number(user, "profile", &n, why))
        return false;
    if (n < 0 || (uint64_t)n == g->profile)
        return true;
    for (unsigned i = 0; i < g->n_types; i++) {
        if (g->type[i].profile == (uint64_t)n) {
            memcpy(r->rec.reg.type, g->type[i].name, sizeof g->type[i].name);
            return true;
        }
    }
    snprintf(r->rec.reg.type, sizeof r->rec.reg.type, "%lld", (long long)n);
    return true;
}

/* Another number than the policy's, which our writer would put there? */
static bool is_foreign(const json_t *user, const char *name, unsigned of_policy)
{
    const json_t *v = json_object_get(user, name);

    return of_policy != 0 && json_is_integer(v) && json_integer_value(v) != of_policy;
}

/* One address is kept. */
static bool user_has_more(const struct format_reader *r, const json_t *user)
{
    const json_t *billing = json_object_get(user, "billing_address");
    const json_t *mailing = json_object_get(user, "mailing_address");
    const json_t *kept = billing != NULL ? billing : mailing;
    const char *country = json_string_value(json_object_get(kept, "country"));

    return (billing != NULL && mailing != NULL && !json_equal(billing, mailing)) ||
           has_more(user, user_keys) || has_more(json_object_get(user, "card"), card_keys) ||
           has_more(kept, address_keys) || is_foreign(user, "home_ou", r->profile.home_ou) ||
           is_foreign(user, "ident_type", r->profile.ident_type) ||
           (r->profile.country[0] != 0 && country != NULL &&
            strcmp(country, r->profile.country) != 0);
}

static bool take_user(struct format_reader *r, const json_t *o, const char **why)
{
    const json_t *user = json_object_get(o, "user"), *a = json_object_get(user, "billing_address");
    struct registration *g = &r->rec.reg;
    struct moment birth;

    if (!take_barcode(json_object_get(user, "card"), "barcode", r->rec.user, why) ||
        !take_text(user, "family_name", g->last, sizeof g->last, why) ||
        !take_text(user, "first_given_name", g->first, sizeof g->first, why) ||
        !take_text(user, "passwd", g->pin, sizeof g->pin, why) ||
        !take_text(user, "email", g->email, sizeof g->email, why) ||
        !take_text(user, "day_phone", g->phone, sizeof g->phone, why) ||
        !take_moment(r, user, "dob", &birth, why) || !take_profile(r, user, why) ||
        !take_address(g, a != NULL ? a : json_object_get(user, "mailing_address"), why) ||
        !take_when(r, o, NULL, why))
        return false;
    if (r->rec.user[0] == 0 || g->last[0] == 0)
        return no(why, "a registration without its card or its family_name");
    g->birth = birth.is_there ? birth.day : 0;
    if (user_has_more(r, user))
        r->left_out |= LEFT_FIELDS;
    return true;
}

static bool take_object(struct format_reader *r, const json_t *o, const char **why)
{
    const char *type = json_string_value(json_object_get(o, "type"));
    char id[RECORD_ID_TEXT];

    memset(&r->rec, 0, sizeof r->rec);
    r->left_out = has_more(o, line_keys) ? LEFT_FIELDS : 0;
    if (!take_text(o, "tideover_id", id, sizeof id, why))
        return false;
    snprintf(r->desk, sizeof r->desk, "%.*s", (int)(strchr(id, '/') ? strcspn(id, "/") : 0), id);
    if (type == NULL)
        return no(why, "a line without its type");
    if (strcmp(type, "register") == 0) {
        r->rec.kind = RECORD_USER;
        return take_user(r, o, why);
    }
    r->rec.kind = strcmp(type, "checkout") == 0       ? RECORD_CHECKOUT
                  : strcmp(type, "renew") == 0        ? RECORD_RENEW
                  : strcmp(type, "checkin") == 0      ? RECORD_DISCHARGE
                  : strcmp(type, "in_house_use") == 0 ? RECORD_INHOUSE
                                                      : 0;
    if (r->rec.kind == 0)
        return no(why, "a type that is not known");
    if (!take_barcode(o, "barcode", r->rec.item, why))
        return false;
    if (r->rec.kind == RECORD_CHECKOUT || r->rec.kind == RECORD_RENEW) {
        if (!take_loan(r, o, why))
            return false;
    } else if (!(r->rec.kind == RECORD_INHOUSE ? take_use(r, o, why)
                                               : take_when(r, o, "backdate", why))) {
        return false;
    }
    if (r->rec.piece_kind[0] != 0)
        return r->rec.item[0] == 0 || no(why, "pieces that have a barcode");
    return r->rec.item[0] != 0 || no(why, "a line without its barcode");
}

static enum err read_one(struct format_reader *r, uint64_t number, const char *line, size_t n,
                         struct errmsg *msg)
{
    json_error_t error;
    json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
    const char *why = o == NULL ? "not JSON, or cut" : "JSON, but not an object";
    struct format_event ev = { .line = number, .desk = r->desk };
    bool good;

    if (o == NULL && json_error_code(&error) == json_error_out_of_memory)
        return err_set(msg, ERR_NOMEM, "no memory to read a line");
    good = json_is_object(o) && take_object(r, o, &why);
    json_decref(o);
    if (!good)
        return r->to.unknown(r->to.ctx, number, (const uint8_t *)line, n, why, msg);
    ev.rec = r->rec;
    ev.left_out = r->left_out;
    return r->to.event(r->to.ctx, &ev, msg);
}

struct format_reader *evergreen_read_new(const struct policy *p, const struct format_read *to)
{
    struct format_reader *r = mem_zero(1, sizeof *r);

    if (r != NULL) {
        r->to = *to;
        r->zone = p->zone;
        r->profile = p->evergreen;
        r->n_pieces = p->n_pieces;
        memcpy(r->piece, p->piece, sizeof r->piece);
    }
    return r;
}

enum err evergreen_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return read_lines_add(&r->lines, r, read_one, &r->to, p, n, msg);
}

enum err evergreen_read_end(struct format_reader *r, struct errmsg *msg)
{
    return read_lines_end(&r->lines, r, read_one, &r->to, msg);
}

void evergreen_read_free(struct format_reader *r)
{
    free(r);
}
