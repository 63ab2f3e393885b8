/* evergreen.c - writer of Evergreen's offline transactions (pending.xacts): one JSON object per
 * line, pure ASCII.
 *
 * All times are branch-corrected and carry their offset, and delta is 0: the server's own delta
 * would move the sort key alone and leave checkout_time, backdate and use_time behind. Every line
 * carries our record id under a key of ours, because a failed registration comes back from the
 * server without its barcode. Keys are written in the order of the functions below, and no other.
 */
#include "format_int.h"

#include <string.h>

struct line { /* one line in the making */
    const struct policy *p;
    const struct format_item *it;
    struct buf *out;
    const char *bad; /* field that cannot be written */
};

static bool evergreen_carries(const struct policy *p, unsigned kind)
{
    return (kind >= RECORD_CHECKOUT && kind <= RECORD_RENEW) || kind == RECORD_INHOUSE ||
           (kind == RECORD_USER && p->evergreen.registration);
}

static enum err evergreen_needs(const struct policy *p, struct errmsg *msg)
{
    const struct evergreen_profile *g = &p->evergreen;
    const char *missing = g->profile == 0      ? "profile"
                          : g->home_ou == 0    ? "home_ou"
                          : g->ident_type == 0 ? "ident_type"
                          : g->country[0] == 0 ? "country"
                                               : NULL;

    if (!g->registration || missing == NULL)
        return ERR_OK;
    return err_set(msg, ERR_CONFIG,
                   "the format evergreen needs \"%s\" in [evergreen], or registration = none",
                   missing);
}

/* Number of the permission group: by the card's type, else the policy's. */
static unsigned profile_of(const struct evergreen_profile *g, const char *type, bool *known)
{
    *known = true;
    for (unsigned i = 0; i < g->n_types; i++)
        if (strcmp(g->type[i].name, type) == 0)
            return g->type[i].profile;
    *known = type[0] == 0;
    return g->profile;
}

/* ---- one line ---- */

static void put_text(struct line *l, const char *key, const char *value, const char *name)
{
    buf_printf(l->out, ",\"%s\":", key);
    if (value[0] == 0 || !json_put_text(l->out, value, true))
        l->bad = name;
}

static void put_barcode(struct line *l, const char *key, const char *value, const char *name)
{
    if (!barcode_is_clean(value))
        l->bad = name;
    buf_printf(l->out, ",\"%s\":\"%s\"", key, value);
}

static void put_time(struct line *l, const char *key, int64_t unix_s)
{
    char text[36];

    rfc3339_format(unix_s * 1000, zone_offset_s(&l->p->zone, unix_s) / 60, text);
    buf_printf(l->out, ",\"%s\":\"%s\"", key, text);
}

/* The last second of the day in the branch's zone, whose offset is that of the evening. */
static int64_t end_of_day(const struct zone *z, uint32_t ymd)
{
    struct civil c = { (int)(ymd / 10000), (int)(ymd / 100 % 100), (int)(ymd % 100), 23, 59, 59 };
    int64_t s = civil_to_unix(&c, z->std_off_s);

    return civil_to_unix(&c, zone_offset_s(z, civil_to_unix(&c, zone_offset_s(z, s))));
}

static bool evergreen_pieces(const struct policy *p, const struct record *r)
{
    const struct piece_kind *k = policy_piece(p, r->piece_kind);

    return k != NULL && k->noncat > 0;
}

/* In the place of the barcode. */
static void put_pieces(struct line *l)
{
    const struct record *r = l->it->rec;
    const struct piece_kind *k = policy_piece(l->p, r->piece_kind);

    if (k == NULL || k->noncat == 0)
        l->bad = "kind";
    if (r->count < 1 || r->count > 99)
        l->bad = "count";
    buf_printf(l->out, ",\"noncat\":1,\"noncat_type\":%u,\"noncat_count\":%u",
               k != NULL ? k->noncat : 0, r->count);
}

static void put_loan(struct line *l)
{
    const struct record *r = l->it->rec;
    bool pieces = r->kind == RECORD_CHECKOUT && r->piece_kind[0] != 0;

    if (r->kind == RECORD_CHECKOUT || r->user[0] != 0)
        put_barcode(l, "patron_barcode", r->user, "user");
    if (pieces)
        put_pieces(l);
    else
        put_barcode(l, "barcode", r->item, "item");
    put_time(l, "checkout_time", l->it->tick_s);
    if (l->it->due == 0 || pieces) /* the type has a duration of its own there, and no other */
        return;
    if (!ymd_is_valid(l->it->due) || end_of_day(&l->p->zone, l->it->due) < l->it->tick_s)
        l->bad = "due";
    else
        put_time(l, "due_date", end_of_day(&l->p->zone, l->it->due));
}

/* "Rivermouth, OH": a desk types both in one field, and Evergreen has two. */
static size_t city_without_state(const char *city)
{
    const char *comma = strrchr(city, ',');
    const char *state = comma != NULL ? comma + 1 + strspn(comma + 1, " ") : "";

    return comma != NULL && comma > city && strlen(state) == 2 &&
                   strspn(state, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 2
               ? (size_t)(comma - city)
               : strlen(city);
}

static void put_address(struct line *l)
{
    const struct registration *r = &l->it->rec->reg;
    char city[sizeof r->city];
    size_t n = city_without_state(r->city);

    memcpy(city, r->city, n);
    city[n] = 0;
    buf_text(l->out, ",\"billing_address\":{\"id\":-1");
    put_text(l, "street1", r->street, "street");
    put_text(l, "city", city, "city");
    if (r->city[n] != 0)
        put_text(l, "state", r->city + strlen(r->city) - 2, "city");
    put_text(l, "country", l->p->evergreen.country, "country");
    put_text(l, "post_code", r->postcode, "postcode");
    buf_text(l->out, "}");
}

static void put_user(struct line *l)
{
    const struct evergreen_profile *g = &l->p->evergreen;
    const struct record *r = l->it->rec;
    char birth[11];
    bool known;

    if (!barcode_is_clean(r->user))
        l->bad = "user";
    buf_printf(l->out, ",\"user\":{\"card\":{\"barcode\":\"%s\"}", r->user);
    put_text(l, "family_name", r->reg.last, "last");
    put_text(l, "first_given_name", r->reg.first, "first");
    buf_printf(l->out, ",\"profile\":%u,\"home_ou\":%u,\"ident_type\":%u",
               profile_of(g, r->reg.type, &known), g->home_ou, g->ident_type);
    if (g->write_pin && r->reg.pin[0] != 0)
        put_text(l, "passwd", r->reg.pin, "pin");
    if (r->reg.birth != 0) {
        if (!ymd_is_valid(r->reg.birth) || r->reg.birth > ymd_at(&l->p->zone, l->it->tick_s * 1000))
            l->bad = "birth";
        ymd_format(r->reg.birth, birth);
        put_text(l, "dob", birth, "birth");
    }
    if (r->reg.email[0] != 0)
        put_text(l, "email", r->reg.email, "email");
    if (r->reg.phone[0] != 0)
        put_text(l, "day_phone", r->reg.phone, "phone");
    put_address(l);
    buf_text(l->out, "}");
}

static void put_line(struct line *l)
{
    static const char *const types[] = {
        [RECORD_CHECKOUT] = "checkout", [RECORD_DISCHARGE] = "checkin",    [RECORD_RENEW] = "renew",
        [RECORD_USER] = "register",     [RECORD_INHOUSE] = "in_house_use",
    };
    const struct record *r = l->it->rec;

    buf_printf(l->out, "{\"timestamp\":%lld,\"type\":\"%s\",\"delta\":0", (long long)l->it->tick_s,
               types[r->kind]);
    if (r->kind == RECORD_USER) {
        put_user(l);
    } else if (r->kind == RECORD_DISCHARGE) {
        put_barcode(l, "barcode", r->item, "item");
        put_time(l, "backdate", l->it->tick_s);
    } else if (r->kind == RECORD_INHOUSE) {
        put_barcode(l, "barcode", r->item, "item");
        if (r->count < 1 || r->count > 99)
            l->bad = "count";
        buf_printf(l->out, ",\"count\":%u", r->count);
        put_time(l, "use_time", l->it->tick_s);
    } else {
        put_loan(l);
    }
    put_text(l, "tideover_id", l->it->id, "id");
    buf_text(l->out, "}\n");
}

static enum err evergreen_write(const struct policy *p, struct format_state *st,
                                const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    struct line l = { .p = p, .it = it, .out = out };
    size_t len = out->len;

    (void)st; /* nothing is kept between lines */
    if (!evergreen_carries(p, it->rec->kind))
        return err_why(msg, ERR_INVALID, "not_carried", "kind", "%s: Evergreen has no line for %s",
                       it->id, record_kind_name(it->rec->kind));
    if (!ymd_is_valid(ymd_at(&p->zone, it->tick_s * 1000)) || it->tick_s < EVERGREEN_SECONDS_MIN ||
        it->tick_s >= EVERGREEN_SECONDS_MAX)
        l.bad = "at";
    put_line(&l);
    if (!out->failed && l.bad == NULL)
        return ERR_OK;
    if (len < out->len)
        out->len = len;
    if (out->failed)
        return err_set(msg, ERR_NOMEM, "no memory for a line");
    return err_why(msg, ERR_INVALID, "bad_field", l.bad,
                   "%s: %s is missing, or cannot be written "
                   "to Evergreen",
                   it->id, l.bad);
}

static unsigned evergreen_loses(const struct policy *p, const struct format_item *it)
{
    const struct registration *r = &it->rec->reg;
    bool known;

    if (!evergreen_carries(p, it->rec->kind))
        return 1u << LOSS_KIND;
    if (it->rec->piece_kind[0] != 0 && it->due != 0)
        return 1u << LOSS_DUE;
    if (it->rec->kind != RECORD_USER)
        return 0;
    (void)profile_of(&p->evergreen, r->type, &known);
    return !known || r->note[0] || r->guardian[0] || (r->pin[0] && !p->evergreen.write_pin)
               ? 1u << LOSS_USER_FIELDS
               : 0;
}

const struct format format_evergreen = {
    .name = "evergreen",
    .suffix = "xacts",
    .tick_s = 1,
    .needs = evergreen_needs,
    .carries = evergreen_carries,
    .pieces = evergreen_pieces,
    .loses = evergreen_loses,
    .write = evergreen_write,
    .check_new = evergreen_check_new,
    .check_add = evergreen_check_add,
    .check_end = evergreen_check_end,
    .check_free = evergreen_check_free,
    .read_new = evergreen_read_new,
    .read_add = evergreen_read_add,
    .read_end = evergreen_read_end,
    .read_free = evergreen_read_free,
};
