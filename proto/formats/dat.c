/* dat.c - writer of the offline .dat file of Ex Libris Alma, and of Aleph's, which is of its kind.
 *
 * YYYYMMDDhhmm, L (loan) or R (return), the item in a column of fixed width, the user, CRLF. Lines
 * are worked off in the file's order. There is no due date (the server computes it from the time of
 * the loan), no desk and no renewal: that is a loan to the same user. */
#include "format_int.h"

struct dat_state {
    struct local_ticks ticks;
};
_Static_assert(sizeof(struct dat_state) <= FORMAT_STATE_BYTES, "the state must fit");

static bool carries(const struct dat_profile *d, unsigned kind)
{
    return kind == RECORD_CHECKOUT || kind == RECORD_DISCHARGE ||
           (kind == RECORD_RENEW && !d->renewals_by_hand);
}

static unsigned dat_loses(const struct policy *p, const struct format_item *it)
{
    unsigned lost = 1u << LOSS_SECONDS;

    (void)p;
    if (it->due != 0)
        lost |= 1u << LOSS_DUE;
    if (it->rec->kind == RECORD_RENEW)
        lost |= 1u << LOSS_RENEW_AS_OUT;
    return lost;
}

static enum err write(const struct policy *p, const struct dat_profile *d, const char *name,
                      struct format_state *state, const struct format_item *it, struct buf *out,
                      struct errmsg *msg)
{
    struct dat_state *st = (struct dat_state *)state->b;
    struct local_ticks ticks = st->ticks;
    const struct record *rec = it->rec;
    bool loan = rec->kind != RECORD_DISCHARGE;
    struct civil at;

    if (!carries(d, rec->kind))
        return not_carried(it, name, msg);
    civil_from_unix(local_next(&ticks, &p->zone, it->tick_s, 60), 0, &at);
    if (!barcode_is_plain(rec->item))
        return cannot_write(it, "item", name, msg);
    if (loan && !barcode_is_plain(rec->user)) /* a renewal may lack it */
        return cannot_write(it, "user", name, msg);
    if (!ymd_is_valid(civil_ymd(&at)) || civil_ymd(&at) < FIRST_DAY)
        return cannot_write(it, "at", name, msg);
    buf_printf(out, "%08u%02d%02d%c%-*s%s\r\n", (unsigned)civil_ymd(&at), at.hour, at.minute,
               loan ? 'L' : 'R', (int)d->item_width, rec->item, loan ? rec->user : "");
    if (out->failed)
        return err_set(msg, ERR_NOMEM, "no memory for a line");
    st->ticks = ticks;
    return ERR_OK;
}

static bool alma_carries(const struct policy *p, unsigned kind)
{
    return carries(&p->alma, kind);
}

static enum err alma_write(const struct policy *p, struct format_state *st,
                           const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    return write(p, &p->alma, "Alma", st, it, out, msg);
}

const struct format format_alma = {
    .name = "alma",
    .suffix = "dat",
    .tick_s = 60,
    .local_time = true,
    .carries = alma_carries,
    .loses = dat_loses,
    .write = alma_write,
    .check_new = alma_check_new,
    .check_add = dat_check_add,
    .check_end = dat_check_end,
    .check_free = dat_check_free,
    .read_new = alma_read_new,
    .read_add = dat_read_add,
    .read_end = dat_read_end,
    .read_free = dat_read_free,
};

static bool aleph_unverified(const struct policy *p)
{
    return !p->aleph.verified;
}

static bool aleph_carries(const struct policy *p, unsigned kind)
{
    return carries(&p->aleph, kind);
}

/* Its reader parts the columns by blanks, so none may stand in a number. */
static enum err aleph_write(const struct policy *p, struct format_state *st,
                            const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    if (has_blank(it->rec->item))
        return cannot_write(it, "item", "Aleph", msg);
    if (has_blank(it->rec->user))
        return cannot_write(it, "user", "Aleph", msg);
    return write(p, &p->aleph, "Aleph", st, it, out, msg);
}

const struct format format_aleph = {
    .name = "aleph",
    .suffix = "dat",
    .tick_s = 60,
    .local_time = true,
    .unverified = aleph_unverified,
    .carries = aleph_carries,
    .loses = dat_loses,
    .write = aleph_write,
    .check_new = aleph_check_new,
    .check_add = dat_check_add,
    .check_end = dat_check_end,
    .check_free = dat_check_free,
    .read_new = aleph_read_new,
    .read_add = dat_read_add,
    .read_end = dat_read_end,
    .read_free = dat_read_free,
};
