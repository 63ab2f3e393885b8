/* sierra.c - writer of the offline file of Sierra and Millennium, whose name begins with rdy.
 *
 *   o:yymmddhhmm:b<item>:b<user>:<due yymmddhhmm>:<statistics group>     checkout and renewal
 *   i:yymmddhhmm:b<item>:::<statistics group>                            check-in
 *
 * Whether a loan without a due date is taken is not known, so each gets one: the desk's, else that
 * of the policy's rule. */
#include "format_int.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SHORT_FIRST 20000101 /* two digits of the year */
#define SHORT_LAST  20991231

struct sierra_state {
    struct local_ticks ticks;
};
_Static_assert(sizeof(struct sierra_state) <= FORMAT_STATE_BYTES, "the state must fit");

static bool sierra_carries(const struct policy *p, unsigned kind)
{
    (void)p;
    return kind == RECORD_CHECKOUT || kind == RECORD_DISCHARGE || kind == RECORD_RENEW;
}

static enum err sierra_needs(const struct policy *p, struct errmsg *msg)
{
    if (p->sierra.due_days == 0)
        return err_set(msg, ERR_CONFIG,
                       "the policy needs \"due_days\" in [sierra]: Sierra takes no loan without a "
                       "due date, and a desk may give none");
    return ERR_OK;
}

static const char *sierra_desk_lacks(const struct policy *p, const char *desk)
{
    return policy_group(p, desk) == 0 ? "a statistics group: add it to [groups]" : NULL;
}

static unsigned sierra_loses(const struct policy *p, const struct format_item *it)
{
    unsigned lost = 1u << LOSS_SECONDS;

    (void)p;
    if (it->rec->kind != RECORD_DISCHARGE && it->due == 0)
        lost |= 1u << LOSS_DUE_RULE;
    if (it->rec->kind == RECORD_RENEW)
        lost |= 1u << LOSS_RENEW_AS_OUT;
    return lost;
}

static unsigned short_day(uint32_t ymd)
{
    return ymd % 1000000;
}

/* Is a loan at that minute due later, and does the year fit two digits? */
static bool due_is_good(uint32_t due, const char *time, const struct civil *at)
{
    int minute =
        (time[0] - '0') * 600 + (time[1] - '0') * 60 + (time[3] - '0') * 10 + time[4] - '0';
    uint32_t today = civil_ymd(at);

    return ymd_is_valid(due) && due <= SHORT_LAST &&
           (due > today || (due == today && minute >= at->hour * 60 + at->minute));
}

static enum err sierra_write(const struct policy *p, struct format_state *state,
                             const struct format_item *it, struct buf *out, struct errmsg *msg)
{
    struct sierra_state *st = (struct sierra_state *)state->b;
    struct local_ticks ticks = st->ticks;
    const struct record *rec = it->rec;
    const struct sierra_profile *s = &p->sierra;
    bool loan = rec->kind != RECORD_DISCHARGE;
    struct civil at;
    uint32_t today, due;

    if (!sierra_carries(p, rec->kind))
        return not_carried(it, "Sierra", msg);
    if (policy_group(p, it->desk) == 0)
        return err_why(msg, ERR_CONFIG, "no_group", "desk",
                       "desk %s has no statistics group: add it to [groups], publish the policy "
                       "and run the upload again",
                       it->desk);
    if (it->due == 0 && loan && sierra_needs(p, msg) != ERR_OK)
        return ERR_CONFIG;
    civil_from_unix(local_next(&ticks, &p->zone, it->tick_s, 60), 0, &at);
    today = civil_ymd(&at);
    if (today < SHORT_FIRST || today > SHORT_LAST)
        return cannot_write(it, "at", "Sierra", msg);
    if (!barcode_is_plain(rec->item))
        return cannot_write(it, "item", "Sierra", msg);
    if (loan && !barcode_is_plain(rec->user)) /* a renewal may lack it */
        return cannot_write(it, "user", "Sierra", msg);
    due = it->due != 0 ? it->due : ymd_add_days(today, s->due_days);
    if (loan && !due_is_good(due, s->due_time, &at))
        return cannot_write(it, "due", "Sierra", msg);
    buf_printf(out, "%c:%06u%02d%02d:b%s:", loan ? 'o' : 'i', short_day(today), at.hour, at.minute,
               rec->item);
    if (loan)
        buf_printf(out, "b%s:%06u%.2s%.2s", rec->user, short_day(due), s->due_time,
                   s->due_time + 3);
    else
        buf_text(out, ":");
    buf_printf(out, ":%u%s", policy_group(p, it->desk), s->crlf ? "\r\n" : "\n");
    if (out->failed)
        return err_set(msg, ERR_NOMEM, "no memory for a line");
    st->ticks = ticks;
    return ERR_OK;
}

/* "rdy20261123MAINe0s0000011a2b3c4d": the loader wants rdy, then letters and digits alone. */
static void sierra_file_name(const struct format_name *n, char out[FORMAT_NAME_MAX])
{
    char library[40];
    size_t k = 0;

    for (const char *s = n->library; *s != 0 && k + 1 < sizeof library; s++)
        if (isalnum((unsigned char)*s))
            library[k++] = *s;
    library[k] = 0;
    snprintf(out, FORMAT_NAME_MAX, "rdy%u%se%us%06llu%s", n->day, library, n->epoch,
             (unsigned long long)n->slot, n->hash);
}

static const char *sierra_misnamed(const char *name)
{
    size_t n = 3;

    if (strncmp(name, "rdy", 3) != 0 || name[3] == 0)
        n = 0;
    while (n > 0 && isalnum((unsigned char)name[n]))
        n++;
    return n > 3 && name[n] == 0 ? NULL : "rdy, then letters and digits alone, as rdy20261123main";
}

const struct format format_sierra = {
    .name = "sierra",
    .suffix = "rdy",
    .file_name = sierra_file_name,
    .misnamed = sierra_misnamed,
    .tick_s = 60,
    .local_time = true,
    .needs = sierra_needs,
    .carries = sierra_carries,
    .desk_lacks = sierra_desk_lacks,
    .loses = sierra_loses,
    .write = sierra_write,
    .check_new = sierra_check_new,
    .check_add = sierra_check_add,
    .check_end = sierra_check_end,
    .check_free = sierra_check_free,
    .read_new = sierra_read_new,
    .read_add = sierra_read_add,
    .read_end = sierra_read_end,
    .read_free = sierra_read_free,
};
