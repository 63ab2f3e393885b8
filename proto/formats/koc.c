/* koc.c - Koha's offline circulation: the .koc file, and the body that its plugin takes.
 *
 * Both know a loan and a return, and no more: a renewal is a loan to the same patron, which needs
 * the patron; registrations and in-house uses are not carried. The version in the header is that of
 * this form, not of tideover: the same batch must be the same bytes on every desk (E6). */
#include "format_int.h"

#include <string.h>

#include "koc.h"

/* ---- what both can say ---- */

static bool koha_carries(const struct policy *p, unsigned kind)
{
    (void)p;
    return kind >= RECORD_CHECKOUT && kind <= RECORD_RENEW;
}

static unsigned koha_loses(const struct policy *p, const struct format_item *it)
{
    unsigned lost = it->due != 0 ? 1u << LOSS_DUE : 0;

    if (!koha_carries(p, it->rec->kind))
        return 1u << LOSS_KIND;
    return lost | (it->rec->kind == RECORD_RENEW ? 1u << LOSS_RENEW_AS_OUT : 0);
}

static bool fits(const char *barcode)
{
    return barcode_is_clean(barcode) && strlen(barcode) <= KOHA_BARCODE_MAX;
}

static enum err refuse(const struct policy *p, const struct format_item *it, struct errmsg *msg)
{
    const struct record *r = it->rec;
    const char *bad = !ymd_is_valid(ymd_at(&p->zone, it->tick_s * 1000)) ? "at"
                      : !fits(r->item)                                   ? "item"
                      : r->kind != RECORD_DISCHARGE && !fits(r->user)    ? "user"
                                                                         : NULL;

    if (!koha_carries(p, r->kind))
        return err_why(msg, ERR_INVALID, "not_carried", "kind",
                       "%s: Koha's files have no line for "
                       "%s",
                       it->id, record_kind_name(r->kind));
    if (bad == NULL)
        return ERR_OK;
    return err_why(msg, ERR_INVALID, "bad_field", bad,
                   "%s: %s is missing, or has more than %d characters, and cannot be written for "
                   "Koha",
                   it->id, bad, KOHA_BARCODE_MAX);
}

/* ---- .koc ---- */

struct koc_state {
    struct local_ticks ticks;
    int64_t local_s; /* of the last line .. */
    int ms;          /* .. and its milliseconds, which never run back within it */
};

static enum err koc_begin(const struct policy *p, struct format_state *st, struct buf *out,
                          struct errmsg *msg)
{
    (void)p, (void)st;
    buf_text(out, KOC_HEADER "\n");
    return out->failed ? err_set(msg, ERR_NOMEM, "no memory for a line") : ERR_OK;
}

static enum err koc_write(const struct policy *p, struct format_state *state,
                          const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    struct koc_state *st = (struct koc_state *)state->b;
    const struct record *r = it->rec;
    int64_t s, ms = it->time_ms - it->tick_s * 1000;
    struct civil c;
    enum err e = refuse(p, it, msg);

    if (e != ERR_OK)
        return e;
    s = local_next(&st->ticks, &p->zone, it->tick_s, 1);
    if (ms < 0 || ms > 999)
        ms = 0; /* E2 gave it another second */
    if (s == st->local_s && ms < st->ms)
        ms = st->ms;
    st->local_s = s;
    st->ms = (int)ms;
    civil_from_unix(s, 0, &c);
    buf_printf(out, "%04d-%02d-%02d %02d:%02d:%02d %03d\t", c.year, c.month, c.day, c.hour,
               c.minute, c.second, (int)ms);
    if (r->kind == RECORD_DISCHARGE)
        buf_printf(out, "return\t%s\n", r->item);
    else
        buf_printf(out, "issue\t%s\t%s\n", r->user, r->item);
    return out->failed ? err_set(msg, ERR_NOMEM, "no memory for a line") : ERR_OK;
}

const struct format format_koha = {
    .name = "koha",
    .suffix = "koc",
    .tick_s = 1,
    .local_time = true,
    .carries = koha_carries,
    .loses = koha_loses,
    .begin = koc_begin,
    .write = koc_write,
    .check_new = koc_check_new,
    .check_add = koc_check_add,
    .check_end = koc_check_end,
    .check_free = koc_check_free,
    .read_new = koc_read_new,
    .read_add = koc_read_add,
    .read_end = koc_read_end,
    .read_free = koc_read_free,
};

/* ---- the plugin's body ---- */

struct json_state {
    bool any; /* rows are parted by commas */
};

static enum err json_begin(const struct policy *p, struct format_state *st, struct buf *out,
                           struct errmsg *msg)
{
    (void)st;
    buf_text(out, "{\"branchcode\":");
    json_put_text(out, p->koha_service.branchcode, true);
    buf_printf(out, ",\"pending\":%s,\"transactions\":[",
               p->koha_service.pending ? "true" : "false");
    return out->failed ? err_set(msg, ERR_NOMEM, "no memory for a line") : ERR_OK;
}

static enum err json_write(const struct policy *p, struct format_state *state,
                           const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    struct json_state *st = (struct json_state *)state->b;
    const struct record *r = it->rec;
    struct civil c;
    enum err e = refuse(p, it, msg);

    if (e != ERR_OK)
        return e;
    civil_from_unix(it->tick_s, 0, &c);
    buf_printf(out, "%s\n {\"timestamp\":\"%04d-%02d-%02dT%02d:%02d:%02dZ\",\"action\":\"%s\"",
               st->any ? "," : "", c.year, c.month, c.day, c.hour, c.minute, c.second,
               r->kind == RECORD_DISCHARGE ? "return" : "issue");
    st->any = true;
    if (r->kind != RECORD_DISCHARGE)
        buf_printf(out, ",\"cardnumber\":\"%s\"", r->user);
    buf_printf(out, ",\"barcode\":\"%s\"}", r->item);
    return out->failed ? err_set(msg, ERR_NOMEM, "no memory for a line") : ERR_OK;
}

static enum err json_finish(const struct policy *p, struct format_state *st, struct buf *out,
                            struct errmsg *msg)
{
    (void)p, (void)st;
    buf_text(out, "]}\n");
    return out->failed ? err_set(msg, ERR_NOMEM, "no memory for a line") : ERR_OK;
}

const struct format format_koha_json = {
    .name = "koha-json",
    .suffix = "json",
    .tick_s = 1,
    .carries = koha_carries,
    .loses = koha_loses,
    .begin = json_begin,
    .finish = json_finish,
    .write = json_write,
    .check_new = koha_json_check_new,
    .check_add = koha_json_check_add,
    .check_end = koha_json_check_end,
    .check_free = koha_json_check_free,
    .read_new = koha_json_read_new,
    .read_add = koha_json_read_add,
    .read_end = koha_json_read_end,
    .read_free = koha_json_read_free,
};
