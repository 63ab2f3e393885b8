/* destiny.c - writer of the text file of Follett Destiny: codes and barcodes, one a line.
 *
 *   %C123H, user, item, item ..   checkouts; the code stands before each user
 *   %C127L, item, item ..         check-ins
 *
 * There is no time in it: somebody types the day at the upload. So each day has a file of its own,
 * and a name with its day. Renewals, registrations and in-house uses have no code. */
#include "format_int.h"

#include <string.h>

struct destiny_state {
    uint32_t day;               /* of the last record; 0: none yet */
    bool in;                    /* the last code was %C127L */
    char user[BARCODE_MAX + 1]; /* of the last %C123H */
};
_Static_assert(sizeof(struct destiny_state) <= FORMAT_STATE_BYTES, "the state must fit");

static bool destiny_carries(const struct policy *p, unsigned kind)
{
    (void)p;
    return kind == RECORD_CHECKOUT || kind == RECORD_DISCHARGE;
}

static unsigned destiny_loses(const struct policy *p, const struct format_item *it)
{
    (void)p;
    return 1u << LOSS_DAY | (it->due != 0 ? 1u << LOSS_DUE : 0u);
}

/* Where local time runs back over midnight the day does not. */
static bool destiny_splits(const struct policy *p, const struct format_state *state,
                           const struct format_item *it)
{
    const struct destiny_state *st = (const struct destiny_state *)state->b;

    return st->day != 0 && ymd_at(&p->zone, it->tick_s * 1000) > st->day;
}

/* A line that begins with % is a code, and one within a number looks like a line that was cut. */
static bool is_writable(const char *barcode)
{
    return barcode_is_plain(barcode) && barcode[0] != '%' && !strstr(barcode, "%C1");
}

static enum err destiny_write(const struct policy *p, struct format_state *state,
                              const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    struct destiny_state *st = (struct destiny_state *)state->b;
    const struct record *rec = it->rec;
    bool in = rec->kind == RECORD_DISCHARGE;
    const char *eol = p->destiny.lf ? "\n" : "\r\n";

    if (!destiny_carries(p, rec->kind))
        return not_carried(it, "Destiny", msg);
    if (!is_writable(rec->item))
        return cannot_write(it, "item", "Destiny", msg);
    if (!in && !is_writable(rec->user))
        return cannot_write(it, "user", "Destiny", msg);
    if (in && (st->day == 0 || !st->in))
        buf_printf(out, "%%C127L%s", eol);
    if (!in && (st->day == 0 || st->in || strcmp(st->user, rec->user) != 0))
        buf_printf(out, "%%C123H%s%s%s", eol, rec->user, eol);
    buf_printf(out, "%s%s", rec->item, eol);
    if (out->failed)
        return err_set(msg, ERR_NOMEM, "no memory for a line");
    st->day = ymd_at(&p->zone, it->tick_s * 1000);
    st->in = in;
    memcpy(st->user, rec->user, sizeof st->user);
    return ERR_OK;
}

static const char *destiny_misnamed(const char *name)
{
    size_t n = strlen(name);

    return n > 4 && strcmp(name + n - 4, ".txt") == 0 ? NULL : "a name that ends in .txt";
}

const struct format format_destiny = {
    .name = "destiny",
    .suffix = "txt",
    .misnamed = destiny_misnamed,
    .tick_s = 1,
    .carries = destiny_carries,
    .splits = destiny_splits,
    .loses = destiny_loses,
    .write = destiny_write,
    .check_new = destiny_check_new,
    .check_add = destiny_check_add,
    .check_end = destiny_check_end,
    .check_free = destiny_check_free,
    .read_new = destiny_read_new,
    .read_add = destiny_read_add,
    .read_end = destiny_read_end,
    .read_free = destiny_read_free,
};
