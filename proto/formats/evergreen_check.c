/* evergreen_check.c - the judge of a finished pending.xacts (E5): knows the file, not the writer.
 *
 * One malformed line blocks the server's offline session for every desk: the load says SUCCESS, the
 * execution dies, and the session cannot be mended. So nothing passes here that is not plainly
 * right. */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "mem.h"

struct format_check {
    struct check_lines lines;
    struct evergreen_profile profile;
    struct zone zone;
    struct id_set ids;
    struct seen_set seen; /* in the current second */
    int64_t last_s;
    bool any;
};

enum value {
    V_SECONDS,
    V_TYPE,
    V_ZERO,
    V_BARCODE,
    V_TIME,
    V_DUE,
    V_COUNT,
    V_ONE,
    V_NUMBER,
    V_USER,
    V_ID
};

struct key {
    const char *name;
    enum value value;
    const char *required, *optional; /* of which types, by their letters */
};

/* Types by letter: o checkout, p checkout of pieces without a barcode, r renew, i checkin, h
 * in_house_use, u register. */
static const struct key keys[] = {
    { "timestamp", V_SECONDS, "oprihu", "" }, { "type", V_TYPE, "oprihu", "" },
    { "delta", V_ZERO, "oprihu", "" },        { "patron_barcode", V_BARCODE, "op", "r" },
    { "barcode", V_BARCODE, "orih", "" },     { "noncat", V_ONE, "p", "" },
    { "noncat_type", V_NUMBER, "p", "" },     { "noncat_count", V_COUNT, "p", "" },
    { "checkout_time", V_TIME, "opr", "" },   { "due_date", V_DUE, "", "or" },
    { "backdate", V_TIME, "i", "" },          { "count", V_COUNT, "h", "" },
    { "use_time", V_TIME, "h", "" },          { "user", V_USER, "u", "" },
    { "tideover_id", V_ID, "oprihu", "" },
};

static char letter_of(const char *type)
{
    static const char *const types[] = { "ocheckout", "rrenew", "icheckin", "hin_house_use",
                                         "uregister" };

    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
        if (type != NULL && strcmp(types[i] + 1, type) == 0)
            return types[i][0];
    return 0;
}

/* ---- single values ---- */

static bool is_text(const json_t *v)
{
    return json_is_string(v) && json_string_length(v) > 0 &&
           json_string_length(v) <= REG_TEXT_MAX && text_is_clean(json_string_value(v));
}

static bool is_barcode(const json_t *v)
{
    return is_text(v) && barcode_is_clean(json_string_value(v));
}

static bool is_id(const json_t *v) /* of a profile, an org unit, a kind of identification */
{
    return json_is_integer(v) && json_integer_value(v) > 0 && json_integer_value(v) <= INT32_MAX;
}

/* YYYY-MM-DDTHH:MM:SS and an offset in full: the server makes midnight of much else. */
static bool read_time(const json_t *v, int64_t *unix_s)
{
    int64_t ms;
    int off;

    if (!json_is_string(v) || json_string_length(v) != 25 ||
        rfc3339_parse(json_string_value(v), &ms, &off, NULL) != ERR_OK)
        return false;
    *unix_s = ms / 1000;
    return true;
}

/* ---- a registration ---- */

static const char *judge_address(const json_t *a)
{
    static const char *const names[] = { "street1", "city",  "country", "post_code",
                                         "street2", "state", "county",  "address_type" };
    const unsigned required = 4, all = sizeof names / sizeof names[0];
    const char *name;
    json_t *v;

    if (!json_is_object(a))
        return "an address that is no object";
    for (unsigned i = 0; i < required; i++)
        if (!is_text(json_object_get(a, names[i])))
            return "an address without street1, city, country or post_code";
    json_object_foreach((json_t *)a, name, v)
    {
        unsigned i = 0;
        while (i < all && strcmp(names[i], name) != 0)
            i++;
        if (strcmp(name, "id") == 0 ? !json_is_integer(v) : i == all || !is_text(v))
            return "an address with a field that the server does not know";
    }
    return NULL;
}

static const char *judge_field(const struct format_check *c, const char *name, const json_t *v)
{
    static const char *const texts[] = { "family_name", "first_given_name", "email", "day_phone" };
    uint32_t day;

    if (strcmp(name, "profile") == 0 || strcmp(name, "home_ou") == 0 ||
        strcmp(name, "ident_type") == 0)
        return is_id(v) ? NULL : "a number of profile, home_ou or ident_type that is none";
    if (strcmp(name, "card") == 0)
        return json_object_size(v) == 1 && is_barcode(json_object_get(v, "barcode"))
                   ? NULL
                   : "a card without its barcode";
    if (strcmp(name, "dob") == 0)
        return json_is_string(v) && ymd_parse(json_string_value(v), &day, NULL) == ERR_OK &&
                       day <= ymd_at(&c->zone, c->last_s * 1000)
                   ? NULL
                   : "a dob that is no past date";
    if (strcmp(name, "passwd") == 0)
        return c->profile.write_pin && is_text(v) ? NULL : "a PIN, which the policy does not send";
    if (strcmp(name, "billing_address") == 0 || strcmp(name, "mailing_address") == 0)
        return judge_address(v);
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (strcmp(texts[i], name) == 0)
            return is_text(v) ? NULL : "a name, email or day_phone that is empty or no text";
    return "a user with a field that the server does not know";
}

static const char *judge_user(const struct format_check *c, const json_t *user)
{
    static const char *const required[] = { "card",    "family_name", "first_given_name",
                                            "profile", "home_ou",     "ident_type" };
    const json_t *billing = json_object_get(user, "billing_address");
    const json_t *mailing = json_object_get(user, "mailing_address");
    const char *name, *why = NULL;
    json_t *v;

    for (unsigned i = 0; i < sizeof required / sizeof required[0]; i++)
        if (json_object_get(user, required[i]) == NULL)
            return "a user without card, names, profile, home_ou or ident_type";
    if (billing == NULL && mailing == NULL)
        return "a user without an address";
    json_object_foreach((json_t *)user, name, v)
    {
        if (why == NULL)
            why = judge_field(c, name, v);
    }
    if (why == NULL && billing != NULL && mailing != NULL &&
        json_equal(json_object_get(billing, "id"), json_object_get(mailing, "id")))
        why = "two addresses with one id, of which the server drops one";
    return why;
}

/* ---- one line ---- */

static const char *judge_value(struct format_check *c, enum value value, const json_t *v)
{
    int64_t s;

    switch (value) {
    case V_SECONDS:
    case V_TYPE: /* both judged before the others */
        return NULL;
    case V_ZERO:
        return json_is_integer(v) && json_integer_value(v) == 0 ? NULL : "a delta that is not 0";
    case V_BARCODE:
        return is_barcode(v) ? NULL : "a barcode that is none, or not in quotes";
    case V_TIME:
        return read_time(v, &s) && s == c->last_s
                   ? NULL
                   : "a time that is none in full, or not the timestamp's";
    case V_DUE:
        return read_time(v, &s) && s >= c->last_s
                   ? NULL
                   : "a due date that is no time in full, or before the event";
    case V_COUNT:
        return json_is_integer(v) && json_integer_value(v) >= 1 && json_integer_value(v) <= 99
                   ? NULL
                   : "a count outside 1 to 99";
    case V_ONE:
        return json_is_integer(v) && json_integer_value(v) == 1 ? NULL : "a noncat that is not 1";
    case V_NUMBER:
        return is_id(v) ? NULL : "a noncat_type that is no number of a type";
    case V_USER:
        return judge_user(c, v);
    case V_ID:
        return is_text(v) ? NULL : "a tideover_id that is empty or no text";
    }
    return NULL;
}

static const char *judge_keys(struct format_check *c, const json_t *o, char type)
{
    const unsigned all = sizeof keys / sizeof keys[0];
    const char *name, *why = NULL;
    json_t *v;

    for (unsigned i = 0; i < all; i++)
        if (strchr(keys[i].required, type) != NULL && json_object_get(o, keys[i].name) == NULL)
            return "a line that lacks a key of its type";
    json_object_foreach((json_t *)o, name, v)
    {
        unsigned i = 0;
        while (i < all && strcmp(keys[i].name, name) != 0)
            i++;
        if (why == NULL && (i == all || (strchr(keys[i].required, type) == NULL &&
                                         strchr(keys[i].optional, type) == NULL)))
            why = "a line with a key that is not of its type";
        if (why == NULL)
            why = judge_value(c, keys[i].value, v);
    }
    return why;
}

static enum err judge_time(struct format_check *c, const json_t *o, struct errmsg *msg)
{
    const json_t *v = json_object_get(o, "timestamp");
    int64_t s = json_is_integer(v) ? json_integer_value(v) : 0;

    if (s < EVERGREEN_SECONDS_MIN || s >= EVERGREEN_SECONDS_MAX)
        return err_set(msg, ERR_MALFORMED, "the timestamp is no whole number of seconds");
    if (c->any && s < c->last_s)
        return err_set(msg, ERR_MALFORMED, "the timestamp runs back");
    if (!c->any || s != c->last_s)
        seen_forget(&c->seen);
    c->any = true;
    c->last_s = s;
    return ERR_OK;
}

static const char *text_at(const json_t *o, const char *name)
{
    const char *s = json_string_value(json_object_get(o, name));

    return s != NULL ? s : "";
}

static enum err judge_object(struct format_check *c, const json_t *o, struct errmsg *msg)
{
    char type = letter_of(json_string_value(json_object_get(o, "type")));
    const char *why, *id = text_at(o, "tideover_id");
    const json_t *card = json_object_get(json_object_get(o, "user"), "card");
    bool fresh = false;
    enum err e;

    if (type == 'o' && json_object_get(o, "noncat") != NULL)
        type = 'p';
    if (type == 0)
        return err_set(msg, ERR_MALFORMED, "a type that the server does not know");
    if ((e = judge_time(c, o, msg)) != ERR_OK)
        return e;
    if (type == 'u' && !c->profile.registration)
        return err_set(msg, ERR_MALFORMED, "a registration, which the policy does not send");
    if ((why = judge_keys(c, o, type)) != NULL)
        return err_set(msg, ERR_MALFORMED, "%s", why);
    if ((e = id_set_add(&c->ids, id, strlen(id), &fresh)) != ERR_OK)
        return e;
    if (!fresh)
        return err_set(msg, ERR_MALFORMED, "the tideover_id %.70s is there twice", id);
    return seen_event(&c->seen, text_at(o, "barcode"),
                      type == 'u' ? text_at(card, "barcode") : text_at(o, "patron_barcode"),
                      type == 'u', "second", msg);
}

static enum err check_one(struct format_check *c, const char *line, size_t n, struct errmsg *msg)
{
    json_error_t error;
    json_t *o;
    enum err e;

    for (size_t i = 0; i < n; i++)
        if (line[i] < 0x20 || line[i] > 0x7e)
            return err_set(msg, ERR_MALFORMED, "byte %zu is not plain ASCII", i + 1);
    if (n < 2 || line[0] != '{' || line[n - 1] != '}')
        return err_set(msg, ERR_MALFORMED, "not one JSON object");
    o = json_loadb(line, n, JSON_REJECT_DUPLICATES, &error);
    if (o == NULL)
        return json_error_code(&error) == json_error_out_of_memory
                   ? ERR_NOMEM
                   : err_set(msg, ERR_MALFORMED, "not JSON");
    e = judge_object(c, o, msg);
    json_decref(o);
    return e;
}

struct format_check *evergreen_check_new(const struct policy *p)
{
    struct format_check *c = mem_zero(1, sizeof *c);

    if (c != NULL) {
        c->profile = p->evergreen;
        c->zone = p->zone;
    }
    return c;
}

enum err evergreen_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg)
{
    return check_lines_add(&c->lines, c, check_one, p, n, msg);
}

enum err evergreen_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg)
{
    enum err e = check_lines_end(&c->lines, msg);

    *records = e == ERR_OK ? c->lines.lines : 0;
    return e;
}

void evergreen_check_free(struct format_check *c)
{
    if (c != NULL) {
        seen_free(&c->seen);
        id_set_free(&c->ids);
    }
    free(c);
}
