/* item_past.c - rules R3 to R5, R8, R11: what the log has said of one item, event by event. */
#include "merge_int.h"

#include <string.h>

static bool same_event(const struct item_rules *r, const struct item_past *it,
                       const struct item_event *e)
{
    uint32_t window;

    if (it->last_kind != e->kind || memcmp(it->last_user, e->user, 16) != 0)
        return false;
    window = r->same_desk(r->ctx, it->last, e->at) ? r->policy->double_scan_ms
                                                   : r->policy->same_event_ms;
    /* What an earlier upload told may be ahead of this one: another desk's clock. */
    return e->time_ms - it->last_ms <= (int64_t)window &&
           it->last_ms - e->time_ms <= (int64_t)window;
}

bool item_past_repeats(const struct item_rules *r, struct item_past *it, const struct item_event *e)
{
    if (!same_event(r, it, e))
        return false;
    r->judge(r->ctx, e->at, VERDICT_DUPLICATE, "R3", &it->last);
    if (e->due > it->last_due) { /* of two promises the later one stands */
        it->last_due = e->due;
        if (e->kind == RECORD_RENEW)
            it->renew_due = e->due;
        r->later_due(r->ctx, it->last, e->due);
    }
    return true;
}

static void renewal(const struct item_rules *r, struct item_past *it, const struct item_event *e)
{
    if (it->discharged) {
        r->judge(r->ctx, e->at, VERDICT_REVIEW, "R11", &it->pending);
    } else if (!it->has_renew) {
        it->has_renew = true;
        it->renew = e->at;
        it->renew_due = e->due;
    } else if (e->due > it->renew_due) { /* its own duplicates keep pointing at it */
        r->judge(r->ctx, it->renew, VERDICT_SUPERSEDED, "R11", &e->at);
        it->renew = e->at;
        it->renew_due = e->due;
    } else {
        r->judge(r->ctx, e->at, VERDICT_SUPERSEDED, "R11", &it->renew);
    }
}

static void loan(const struct item_rules *r, struct item_past *it, const struct item_event *e)
{
    if (it->lent && memcmp(it->loan_user, e->user, 16) != 0)
        r->out_twice(r->ctx, e->at, it->loan, it->has_renew ? &it->renew : NULL);
    if (it->has_pending && memcmp(it->pending_user, e->user, 16) != 0 &&
        r->policy->discharges == DISCHARGES_HOLD)
        r->judge(r->ctx, it->pending, it->waits ? VERDICT_WAITS : VERDICT_SEND,
                 it->waits ? "R7" : "R8", NULL);
    memcpy(it->loan_user, e->user, 16);
    it->loan = e->at;
    it->lent = true;
    it->discharged = it->has_renew = it->has_pending = false;
}

static void discharge(struct item_past *it, const struct item_event *e)
{
    it->has_pending = it->lent;
    it->pending = e->at;
    memcpy(it->pending_user, it->loan_user, 16);
    it->lent = it->has_renew = false;
    it->discharged = true;
}

/* R6, R7: what waits for its card goes later, so whatever follows on its item must wait, too, or the
 * ILS sees them the wrong way round: a loan after the return of the same book. A held discharge does
 * not go at all; an in-house use leaves the loan as it is. */
static void wait(const struct item_rules *r, const struct item_past *it, const struct item_event *e)
{
    bool follows = it->waits && e->kind != RECORD_INHOUSE &&
                   !(e->kind == RECORD_DISCHARGE && r->policy->discharges == DISCHARGES_HOLD);

    if (e->waits || follows)
        r->judge(r->ctx, e->at, VERDICT_WAITS, e->waits ? e->waits : "R7", NULL);
}

void item_past_take(const struct item_rules *r, struct item_past *it, const struct item_event *e)
{
    wait(r, it, e);
    switch (e->kind) {
    case RECORD_CHECKOUT:
        loan(r, it, e);
        break;
    case RECORD_DISCHARGE:
        discharge(it, e);
        break;
    case RECORD_RENEW:
        renewal(r, it, e);
        break;
    } /* an in-house use leaves the loan as it is */
    it->waits |= e->waits != NULL;
    it->last = e->at;
    it->last_kind = e->kind;
    it->last_ms = e->time_ms;
    it->last_raw_ms = e->raw_ms;
    it->last_due = e->due;
    memcpy(it->last_user, e->user, 16);
}
