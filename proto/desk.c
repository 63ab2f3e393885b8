/* desk.c - rules D1 to D7. */
#include "desk.h"

#include <string.h>

/* In practice a pattern speaks of one kind of card only; then the other kind can be recognised. */
static enum err check_number(const struct policy *p, bool user, const char *value,
                             struct errmsg *msg)
{
    const char *field = user ? "user" : "item";
    const char *what = user ? "a user card" : "an item number";
    const char *else_what = user ? "an item number" : "a user card";

    if (value[0] == '\0')
        return err_why(msg, ERR_INVALID, "missing_field", field, "%s is missing: scan %s", field,
                       what);
    if (!barcode_is_clean(value))
        return err_why(msg, ERR_INVALID, "bad_barcode", field,
                       "%s holds a character that no barcode has: scan it again", field);
    if (!pattern_matches(user ? p->user_pattern : p->item_pattern, value)) { /* D2, D4 */
        if (pattern_matches(user ? p->item_pattern : p->user_pattern, value))
            return err_why(msg, ERR_INVALID, "wrong_slot", field, "that is %s, not %s: %s; scan %s",
                           else_what, what, value, what);
        return err_why(msg, ERR_INVALID, "bad_barcode", field,
                       "that is not a whole %s: %s has %zu characters; scan it again",
                       user ? "user number" : "item number", value, strlen(value));
    }
    if ((user ? p->user_digit : p->item_digit) != DIGIT_NONE && !mod10_is_valid(value)) /* D3 */
        return err_why(
            msg, ERR_INVALID, "check_digit", field,
            "the check digit of %s is wrong: scan it again, or compare it digit by digit", value);
    return ERR_OK;
}

void desk_settle_due(const struct policy *p, struct record *r, int64_t now_ms)
{
    uint32_t from = ymd_at(&p->zone, record_time(r, 0)), today = ymd_at(&p->zone, now_ms);

    if (r->due != DUE_BY_RULE)
        return;
    if (r->kind != RECORD_CHECKOUT && r->kind != RECORD_RENEW)
        r->due = 0;
    else
        r->due = r->piece_kind[0] ? due_by_kind(&p->due, r->piece_kind, from, today)
                                  : due_by_rule(&p->due, r->item, from, today);
}

static bool is_same(const char *made_up, const char *value)
{
    return made_up[0] != 0 && strcmp(made_up, value) == 0;
}

bool desk_is_practice(const struct policy *p, const struct record *r)
{
    return is_same(p->practice_user, r->user) || is_same(p->practice_item[0], r->item) ||
           is_same(p->practice_item[1], r->item);
}

static enum err check_due(const struct policy *p, const struct record *r, int64_t now_ms,
                          struct errmsg *msg)
{
    char day[11];

    if (r->due == 0)
        return ERR_OK;
    if (!ymd_is_valid(r->due))
        return err_why(msg, ERR_INVALID, "bad_due", "due",
                       "the due date is not a day that exists: choose one, like 2026-12-07");
    if (r->due < ymd_at(&p->zone, record_time(r, 0) < now_ms ? record_time(r, 0) : now_ms)) {
        ymd_format(r->due, day);
        return err_why(msg, ERR_INVALID, "due_in_past", "due",
                       "the due date %s is in the past: choose a later day", day);
    }
    return ERR_OK;
}

static enum err check_extra(const struct record *r, bool user, bool item, bool due,
                            struct errmsg *msg)
{
    const char *field = !user && r->user[0]   ? "user"
                        : !item && r->item[0] ? "item"
                        : !due && r->due      ? "due"
                                              : NULL;

    if (field)
        return err_why(msg, ERR_INVALID, "extra_field", field, "a %s has no %s: leave it out",
                       record_kind_name(r->kind), field);
    return ERR_OK;
}

static enum err check_registration(const struct policy *p, const struct record *r,
                                   struct errmsg *msg)
{
    const struct registration *g = &r->reg;
    const char *texts[] = { g->first,    g->last,  g->email,    g->street, g->city, g->note,
                            g->guardian, g->phone, g->postcode, g->type,   g->pin,  r->staff };
    enum err e = check_number(p, true, r->user, msg);

    if (e != ERR_OK)
        return e;
    if (g->last[0] == '\0')
        return err_why(msg, ERR_INVALID, "missing_field", "last",
                       "the family name is missing: the library's system needs one");
    if (g->birth != 0 && !ymd_is_valid(g->birth))
        return err_why(msg, ERR_INVALID, "bad_birth", "birth",
                       "the birth date is not a day that exists; write it as 1988-07-14");
    for (unsigned i = 0; i < sizeof texts / sizeof texts[0]; i++) /* D7 */
        if (!text_is_clean(texts[i]))
            return err_why(msg, ERR_INVALID, "bad_text", "",
                           "a field holds a control character or broken UTF-8: type it anew");
    return ERR_OK;
}

static enum err check_pieces(const struct policy *p, const struct record *r, struct errmsg *msg)
{
    const struct piece_kind *k = policy_piece(p, r->piece_kind);

    if (r->kind != RECORD_CHECKOUT || r->piece_kind[0] == 0)
        return err_why(msg, ERR_INVALID, "extra_field", r->piece_kind[0] ? "kind" : "label",
                       r->kind == RECORD_CHECKOUT ? "a label is of pieces without a barcode: say "
                                                    "their kind"
                                                  : "only a checkout can be of pieces without a "
                                                    "barcode");
    if (r->item[0] != 0)
        return err_why(msg, ERR_INVALID, "extra_field", "item",
                       "pieces without a barcode have no item number");
    if (k == NULL || strcmp(k->name, r->piece_kind) != 0)
        return err_why(msg, ERR_INVALID, "unknown_kind", "kind",
                       "%s is no kind of this library ([scan] no_barcode_kinds of the policy)",
                       r->piece_kind);
    if (r->count < 1 || r->count > 99)
        return err_why(msg, ERR_INVALID, "bad_count", "count",
                       "the count is 1 to 99: type it anew");
    return text_is_clean(r->piece_label) ? ERR_OK
                                         : err_why(msg, ERR_INVALID, "bad_text", "label",
                                                   "the label is not clean text: type it anew");
}

static bool has_pieces(const struct record *r)
{
    return r->piece_kind[0] != 0 || r->piece_label[0] != 0;
}

enum err desk_check_place(const struct policy *p, const char *desk, const struct record *r,
                          struct errmsg *msg)
{
    const char *field = !policy_has_library(p, r->library)           ? "library"
                        : !policy_has_user_access(p, r->user_access) ? "user_access"
                        : !policy_has_station(p, desk, r->station)   ? "station"
                                                                     : NULL;

    if (field == NULL)
        return ERR_OK;
    return err_why(msg, ERR_INVALID, "bad_place", field,
                   "the branch's policy does not let this desk choose that %s ([symphony] "
                   "other_libraries, other_user_accesses, other_stations)",
                   strcmp(field, "user_access") == 0 ? "user access" : field);
}

#define YEAR_2000_MS INT64_C(946684800000)

enum err desk_check_paper(int64_t paper_ms, int64_t now_ms, struct errmsg *msg)
{
    if (paper_ms == 0 || (paper_ms <= now_ms && paper_ms >= YEAR_2000_MS))
        return ERR_OK;
    return err_why(
        msg, ERR_INVALID, "bad_at", "at",
        "the typed time is in the future by this PC's clock, or before 2000: write when it "
        "happened, like 2026-11-23 09:12");
}

enum err desk_check(const struct policy *p, const struct record *r, int64_t now_ms,
                    struct errmsg *msg)
{
    enum err e = desk_check_paper(r->paper_ms, now_ms, msg);

    if (e != ERR_OK)
        return e;
    if (!text_is_clean(r->staff))
        return err_why(msg, ERR_INVALID, "bad_text", "staff",
                       "the staff name is not clean text: type it anew");
    if (has_pieces(r) && (e = check_pieces(p, r, msg)) != ERR_OK) /* D16 */
        return e;
    switch (r->kind) { /* D1 */
    case RECORD_CHECKOUT:
    case RECORD_RENEW:
        if (r->kind == RECORD_CHECKOUT || r->user[0] != '\0')
            e = check_number(p, true, r->user, msg);
        if (e == ERR_OK && r->piece_kind[0] == 0)
            e = check_number(p, false, r->item, msg);
        return e == ERR_OK ? check_due(p, r, now_ms, msg) : e; /* D5 */
    case RECORD_DISCHARGE:
        e = check_extra(r, false, true, false, msg);
        return e == ERR_OK ? check_number(p, false, r->item, msg) : e;
    case RECORD_INHOUSE:
        if ((e = check_extra(r, false, true, false, msg)) != ERR_OK)
            return e;
        if (r->count < 1 || r->count > 99)
            return err_why(msg, ERR_INVALID, "bad_count", "count",
                           "the count is 1 to 99: type it anew");
        return check_number(p, false, r->item, msg);
    case RECORD_USER:
        e = check_extra(r, true, false, false, msg);
        return e == ERR_OK ? check_registration(p, r, msg) : e;
    case RECORD_VOID:
        return check_extra(r, false, false, false, msg);
    }
    return err_why(msg, ERR_INVALID, "unknown_op", "op",
                   "that is not one of checkout, discharge, renew, user, inhouse");
}
