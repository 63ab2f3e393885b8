/* own_read.c - our own formats read: one value, one row, and the judgement of a whole file. */
#include "own.h"

#include <string.h>

#include <sodium.h>

static bool no(const char **why, const char *what)
{
    *why = what;
    return false;
}

static bool take_time(struct own_row *row, const char *name, const char *value, const char **why)
{
    int64_t ms;
    int off;

    if (rfc3339_parse(value, &ms, &off, NULL) != ERR_OK)
        return no(why, "a time looks like 2026-11-23T09:12:04-05:00, with seconds and zone");
    if (strcmp(name, "recorded") == 0) { /* by a clock that may have lost its time */
        row->has_recorded = true;
        row->recorded_ms = ms;
        row->recorded_off_min = off;
        return (ms >= 0 && ms <= RECORD_TIME_MAX) || no(why, "a time before 1970");
    }
    if (!time_is_good(ms))
        return no(why, TIME_IS_BAD);
    if (strcmp(name, "moved_from") == 0) {
        row->moved_from_ms = ms;
        return true;
    }
    row->at_ms = ms;
    row->at_off_min = off;
    return true;
}

static bool take_flag(struct own_row *row, unsigned column, const char *value, const char **why)
{
    if (strcmp(value, "yes") != 0)
        return no(why, "a flag is yes, or nothing");
    row->rec.flags |= own_flag(column);
    row->from_paper |= own_flag(column) == 0;
    return true;
}

static bool take_key(struct own_row *row, const char *value, const char **why)
{
    size_t n;

    if (strlen(value) != 2 * RECORD_KEY_BYTES || value[strspn(value, "0123456789abcdef")] != 0 ||
        sodium_hex2bin(row->rec.key, sizeof row->rec.key, value, strlen(value), NULL, &n, NULL) !=
            0)
        return no(why, "a key has 32 hex digits");
    return true;
}

/* From 1 to most; 0: it is none. */
static unsigned number_of(const char *value, unsigned most)
{
    unsigned v = 0;

    for (const char *d = value; *d != 0; d++) {
        if (*d < '0' || *d > '9' || v > most)
            return 0;
        v = v * 10 + (unsigned)(*d - '0');
    }
    return v <= most ? v : 0;
}

bool own_take(struct own_row *row, unsigned column, const char *value, size_t n, const char **why)
{
    const struct own_column *c = &own_columns[column];
    char text[REG_TEXT_MAX + 1];
    uint32_t day;

    if (n == 0 || n >= sizeof text || memchr(value, 0, n) != NULL)
        return no(why, n == 0 ? "an empty value" : "a value that is too long, or no text");
    memcpy(text, value, n);
    text[n] = 0;
    if (!text_is_clean(text))
        return no(why, "a value with a control character, or not in UTF-8");
    if (c->type != OWN_DAY && c->room > 0 && n >= c->room)
        return no(why, "a value that is too long");
    switch (c->type) {
    case OWN_OP:
        row->rec.kind = (uint8_t)record_kind_by_name(text, n);
        return own_carries(NULL, row->rec.kind)
                   ? true
                   : no(why, "the op is none of checkout, discharge, renew, user, inhouse");
    case OWN_TIME:
        return take_time(row, c->name, text, why);
    case OWN_DAY:
        if (ymd_parse(text, &day, NULL) != ERR_OK)
            return no(why, "a date looks like 2026-12-07, and must exist");
        memcpy((char *)row + c->offset, &day, sizeof day);
        return true;
    case OWN_NUMBER:
        row->rec.count = (uint8_t)number_of(text, 99);
        return row->rec.count > 0 || no(why, "a count is 1 to 99");
    case OWN_STATION:
        row->rec.station = number_of(text, STATION_MAX);
        return row->rec.station > 0 || no(why, "a station is 1 to 9999");
    case OWN_FLAG:
        return take_flag(row, column, text, why);
    case OWN_KEY:
        return take_key(row, text, why);
    case OWN_BARCODE:
        if (!barcode_is_clean(text))
            return no(why, "a barcode with a character that no barcode has");
        break;
    case OWN_ID:
    case OWN_DESK:
    case OWN_TEXT:
        break;
    }
    memcpy((char *)row + c->offset, text, n + 1);
    return true;
}

/* When it happened, before E2 gave it another second. */
static int64_t own_time(const struct own_row *row)
{
    return row->moved_from_ms != 0 ? row->moved_from_ms : row->at_ms;
}

bool own_complete(struct own_row *row, const char **why)
{
    const struct record *r = &row->rec;

    if (r->kind == 0)
        return no(why, "op is missing");
    if (row->at_ms == 0)
        return no(why, "at is missing");
    if (r->item[0] == 0 && r->kind != RECORD_USER && !own_has_pieces(r))
        return no(why, "item is missing");
    if (r->user[0] == 0 && (r->kind == RECORD_CHECKOUT || r->kind == RECORD_USER))
        return no(why, "user is missing");
    if ((r->piece_kind[0] != 0 || r->piece_label[0] != 0) && !own_has_pieces(r))
        return no(why, "a kind or label is of a checkout without item");
    if ((r->kind == RECORD_INHOUSE || own_has_pieces(r)) && r->count == 0)
        return no(why, "count is missing");
    if (r->kind == RECORD_USER && r->reg.last[0] == 0)
        return no(why, "last is missing: a registration needs a family name");
    row->rec.at_ms = row->has_recorded ? row->recorded_ms : row->at_ms;
    row->rec.utc_off_min = row->has_recorded ? row->recorded_off_min : row->at_off_min;
    row->rec.paper_ms = row->from_paper ? own_time(row) : 0;
    return true;
}

enum err own_event(const struct format_read *to, uint64_t line, const struct own_row *row,
                   struct errmsg *msg)
{
    struct format_event ev = {
        .rec = row->rec, .time_ms = own_time(row), .line = line, .desk = row->desk
    };

    return to->event(to->ctx, &ev, msg);
}

enum err own_judge(struct own_judge *j, struct errmsg *msg)
{
    const struct own_row *row = &j->row;
    const struct record *r = &row->rec;
    const char *item = r->kind == RECORD_USER ? "" : r->item;

    if (r->reg.pin[0] != 0 && !j->pin)
        return err_set(msg, ERR_MALFORMED, "a PIN, which the policy does not send");
    if (row->id[0] == 0 || !row->has_recorded)
        return err_set(msg, ERR_MALFORMED, "%s is missing", row->id[0] == 0 ? "id" : "recorded");
    if (r->due != 0 && r->due < ymd_at(&j->zone, row->at_ms))
        return err_set(msg, ERR_MALFORMED, "the due date is before the event");
    if (j->any && row->at_ms < j->at_ms)
        return err_set(msg, ERR_MALFORMED, "the time runs back");
    if (!j->any || row->at_ms / 1000 != j->at_ms / 1000)
        seen_forget(&j->seen);
    j->any = true;
    j->at_ms = row->at_ms;
    return seen_event(&j->seen, item, r->user, r->kind == RECORD_USER, "second", msg);
}
