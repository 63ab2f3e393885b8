/* own.c - our own formats: one table of columns, a record as texts, and back. */
#include "own.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>

#define TEXT(column, type, member)                                                                 \
    {                                                                                              \
        column, type, offsetof(struct own_row, member), sizeof(((struct own_row *)0)->member)      \
    }
#define OTHER(column, type)                                                                        \
    {                                                                                              \
        column, type, 0, 0                                                                         \
    }

/* Names as in the local API. The order is that of the CSV and of the keys of a JSON line. */
const struct own_column own_columns[OWN_COLUMNS] = {
    TEXT("id", OWN_ID, id),
    OTHER("op", OWN_OP),
    OTHER("at", OWN_TIME), /* corrected: what an ILS is told */
    TEXT("desk", OWN_DESK, desk),
    TEXT("item", OWN_BARCODE, rec.item),
    TEXT("user", OWN_BARCODE, rec.user),
    TEXT("due", OWN_DAY, rec.due),
    OTHER("count", OWN_NUMBER),
    TEXT("kind", OWN_TEXT, rec.piece_kind), /* of pieces without a barcode: then no item */
    TEXT("label", OWN_TEXT, rec.piece_label),
    TEXT("staff", OWN_TEXT, rec.staff),
    OTHER("typed", OWN_FLAG),
    OTHER("override", OWN_FLAG),
    OTHER("confirmed", OWN_FLAG),  /* told what the branch did just now, the desk meant it */
    OTHER("unchecked", OWN_FLAG),  /* the block list was not asked */
    OTHER("from_paper", OWN_FLAG), /* `at` was typed from paper */
    OTHER("recorded", OWN_TIME),   /* the desk's own clock, uncorrected */
    OTHER("moved_from", OWN_TIME), /* corrected time, where E2 gave `at` another second */
    TEXT("first", OWN_TEXT, rec.reg.first),
    TEXT("last", OWN_TEXT, rec.reg.last),
    TEXT("birth", OWN_DAY, rec.reg.birth),
    TEXT("street", OWN_TEXT, rec.reg.street),
    TEXT("city", OWN_TEXT, rec.reg.city),
    TEXT("postcode", OWN_TEXT, rec.reg.postcode),
    TEXT("phone", OWN_TEXT, rec.reg.phone),
    TEXT("email", OWN_TEXT, rec.reg.email),
    TEXT("type", OWN_TEXT, rec.reg.type),
    TEXT("guardian", OWN_TEXT, rec.reg.guardian),
    TEXT("note", OWN_TEXT, rec.reg.note),
    TEXT("pin", OWN_TEXT, rec.reg.pin),
    TEXT("library", OWN_TEXT, rec.library), /* as the desk's session chose, if it did */
    TEXT("user_access", OWN_TEXT, rec.user_access),
    OTHER("station", OWN_STATION),
    OTHER("key", OWN_KEY), /* the caller's idempotency key */
};

int own_column_by_name(const char *name, size_t n)
{
    for (int i = 0; i < OWN_COLUMNS; i++)
        if (strlen(own_columns[i].name) == n && memcmp(own_columns[i].name, name, n) == 0)
            return i;
    return -1;
}

static bool is(unsigned column, const char *name)
{
    return strcmp(own_columns[column].name, name) == 0;
}

/* ---- written ---- */

bool own_carries(const struct policy *p, unsigned kind)
{
    (void)p;
    return kind >= RECORD_CHECKOUT && kind <= RECORD_INHOUSE;
}

/* RFC 3339 with milliseconds; "" if the year is none that every reader takes. */
static void put_time(int64_t ms, int offset_min, char out[36])
{
    int64_t s = ms / 1000 - (ms % 1000 < 0);
    struct civil c;
    char plain[36];

    if (offset_min <= -24 * 60 || offset_min >= 24 * 60)
        offset_min = 0;
    civil_from_unix(s, offset_min * 60, &c);
    out[0] = 0;
    if (c.year < 1900 || c.year > 2999)
        return;
    rfc3339_format(ms, offset_min, plain);
    snprintf(out, 36, "%.19s.%03d%.6s", plain, (int)(ms - s * 1000), plain + 19);
}

unsigned own_flag(unsigned column)
{
    return is(column, "typed")       ? RECORD_TYPED
           : is(column, "override")  ? RECORD_OVERRIDE
           : is(column, "confirmed") ? RECORD_CONFIRMED
           : is(column, "unchecked") ? RECORD_UNCHECKED
                                     : 0;
}

static const char *flag(bool set)
{
    return set ? "yes" : "";
}

/* What the desk did at `at`, by E2 in whole seconds where that was moved. */
static void fill_times(const struct policy *p, const struct format_item *it, struct own_state *st,
                       struct own_values *o)
{
    int64_t at = it->tick_s * 1000, own = it->time_ms;

    if (own >= at && own < at + 1000)
        at = own;
    if (st->any && at < st->at_ms)
        at = st->at_ms;
    st->any = true;
    st->at_ms = at;
    put_time(at, zone_offset_s(&p->zone, at / 1000) / 60, o->at);
    put_time(it->rec->at_ms, it->rec->utc_off_min, o->recorded);
    if (at != own)
        put_time(own, zone_offset_s(&p->zone, own / 1000) / 60, o->moved_from);
}

static bool has_key(const struct record *r)
{
    return !sodium_is_zero(r->key, sizeof r->key);
}

static const char *text_of(const struct own_values *o, const struct format_item *it, unsigned c)
{
    const struct record *r = it->rec;

    switch (own_columns[c].type) {
    case OWN_ID:
        return it->id;
    case OWN_DESK:
        return it->desk;
    case OWN_OP:
        return record_kind_name(r->kind);
    case OWN_TIME:
        return is(c, "at") ? o->at : is(c, "recorded") ? o->recorded : o->moved_from;
    case OWN_BARCODE:
    case OWN_TEXT:
        return (const char *)r + own_columns[c].offset - offsetof(struct own_row, rec);
    case OWN_DAY:
        return is(c, "due") ? o->due : o->birth;
    case OWN_NUMBER:
        return o->count;
    case OWN_STATION:
        return o->station;
    case OWN_FLAG:
        return is(c, "from_paper") ? flag(r->paper_ms != 0) : flag(r->flags & own_flag(c));
    case OWN_KEY:
        return o->key;
    }
    return "";
}

/* Does the value stand for what the column says? */
static bool fits(unsigned c, const char *value)
{
    if (own_columns[c].type == OWN_BARCODE)
        return value[0] == 0 || barcode_is_clean(value);
    return text_is_clean(value);
}

bool own_has_pieces(const struct record *r)
{
    return r->kind == RECORD_CHECKOUT && r->item[0] == 0 && r->piece_kind[0] != 0;
}

bool own_pieces(const struct policy *p, const struct record *r)
{
    (void)p;
    return own_has_pieces(r);
}

static const char *missing(const struct record *r)
{
    bool pieces = own_has_pieces(r), item = r->kind != RECORD_USER && !pieces;
    bool user = r->kind == RECORD_CHECKOUT || r->kind == RECORD_USER;

    return item && r->item[0] == 0                                                    ? "item"
           : user && r->user[0] == 0                                                  ? "user"
           : (r->kind == RECORD_INHOUSE || pieces) && (r->count < 1 || r->count > 99) ? "count"
           : r->kind == RECORD_USER && r->reg.last[0] == 0                            ? "last"
                                                                                      : NULL;
}

enum err own_fill(const struct policy *p, bool write_pin, const struct format_item *it,
                  struct own_state *st, struct own_values *out, struct errmsg *msg)
{
    const struct record *r = it->rec;
    struct own_state before = *st;
    const char *bad;

    if (!own_carries(p, r->kind))
        return err_why(msg, ERR_INVALID, "not_carried", "kind", "%s: a void is not exported",
                       it->id);
    memset(out, 0, sizeof *out);
    fill_times(p, it, st, out);
    if (it->due != 0)
        ymd_format(it->due, out->due);
    if (r->reg.birth != 0)
        ymd_format(r->reg.birth, out->birth);
    if (r->count != 0)
        snprintf(out->count, sizeof out->count, "%u", r->count);
    if (r->station != 0)
        snprintf(out->station, sizeof out->station, "%u", r->station);
    if (has_key(r))
        sodium_bin2hex(out->key, sizeof out->key, r->key, sizeof r->key);
    bad = it->id[0] == 0                                          ? "id"
          : out->at[0] == 0                                       ? "at"
          : out->recorded[0] == 0                                 ? "recorded"
          : it->due != 0 && !ymd_is_valid(it->due)                ? "due"
          : it->due != 0 && it->due < ymd_at(&p->zone, st->at_ms) ? "due"
          : r->reg.birth != 0 && !ymd_is_valid(r->reg.birth)      ? "birth"
                                                                  : missing(r);
    for (unsigned c = 0; c < OWN_COLUMNS; c++) {
        out->v[c] = is(c, "pin") && !write_pin ? "" : text_of(out, it, c);
        if (bad == NULL && !fits(c, out->v[c]))
            bad = own_columns[c].name;
    }
    if (bad == NULL)
        return ERR_OK;
    *st = before;
    return err_why(msg, ERR_INVALID, "bad_field", bad, "%s: %s cannot be written", it->id, bad);
}
