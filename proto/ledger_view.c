/* ledger_view.c - what others may know of the ledger: its state in words, the open slot, receipts
 * and answers. */
#include "ledger_int.h"

#include <string.h>

const char *ledger_state_name(enum ledger_state s)
{
    switch (s) {
    case LEDGER_IDLE:
        return "idle";
    case LEDGER_PREVOTE:
    case LEDGER_CANDIDATE:
        return "electing";
    case LEDGER_GATHER:
    case LEDGER_BUILD:
    case LEDGER_FETCH:
        return "gathering";
    case LEDGER_ACCEPT:
        return "agreed";
    case LEDGER_QUIET:
    case LEDGER_SEND:
    case LEDGER_STEP:
        return "sending";
    case LEDGER_PERSON:
        return "deciding";
    case LEDGER_PAUSED:
        return "paused";
    }
    return "idle";
}

void ledger_view(const struct ledger *l, const struct ledger_moment *now, struct ledger_view *out)
{
    memset(out, 0, sizeof *out);
    out->state = l->state;
    out->slot = l->dec + 1;
    out->term = l->term;
    out->open = l->acc.len > 0;
    out->triggered = l->trigger.len > 0;
    out->is_uploader = ledger_leads(l) && now->boot_ms < l->lease_until;
    if (l->state == LEDGER_SEND && l->delivering && !l->looking) {
        out->sending = l->number;
        out->sending_until_ms = l->lease_until;
    }
    if (ledger_leads(l)) {
        memcpy(out->key, l->at.key, sizeof out->key);
        out->answers = l->at.n_answers;
    }
    out->may_vote = l->may_vote && now->boot_ms >= l->grace_until;
    out->stopped = l->stopped;
    out->has_uploader = out->is_uploader || now->boot_ms < l->promise_until;
    out->uploader = out->is_uploader ? l->me->id : l->promised_to;
    out->n_seats = l->n_seats;
    memcpy(out->seats, l->seats, sizeof out->seats);
    out->epoch = l->epoch;
    out->behind = !epochs_caught_up(l);
    out->base = l->n_line > 0 ? l->line[l->n_line - 1].base : 0;
    out->evidence = l->n_evidence;
    out->doubled = l->doubled;
    out->acc_term = l->acc.len > 0 ? l->acc_term : 0;
    out->items = l->acc.len > 0 ? l->acc_items : 0;
    out->done = out->items == 0 ? 0 : ledger_leads(l) ? l->at.done : l->acc_at.done;
    memcpy(out->problem, l->problem, sizeof out->problem);
    trouble_view(l, now, out);
    handover_view(l, now, out);
}

uint64_t ledger_term(const struct ledger *l)
{
    return l->term;
}

uint64_t ledger_decided(const struct ledger *l)
{
    return l->dec;
}

bool ledger_is_seat(const struct ledger *l, const struct desk_id *id)
{
    return ledger_seat_of(l, id) >= 0;
}

bool ledger_open_intent(const struct ledger *l, struct intent *out)
{
    return l->acc.len > 0 && intent_decode(l->acc.p, l->acc.len, out, NULL) == ERR_OK;
}

bool ledger_covers(const struct ledger *l, const struct feed_id *feed, uint64_t seq)
{
    struct intent in;
    bool yes = false;

    if (!ledger_open_intent(l, &in))
        return false;
    for (unsigned i = 0; i < in.n_ranges; i++)
        yes |= feed_id_eq(&in.ranges[i].feed, feed) && seq >= in.ranges[i].from &&
               seq <= in.ranges[i].to;
    intent_free(&in);
    return yes;
}

enum err ledger_answer(const struct ledger *l, uint64_t slot, const uint8_t intent[HASH_BYTES],
                       uint64_t n, struct answer_row *out)
{
    struct tally t = { .slot = slot };
    struct buf b = { 0 };
    enum err e;

    memcpy(t.intent, intent, HASH_BYTES);
    if ((e = tally_row(l->disk, &t, n, &b)) == ERR_OK)
        e = answer_row_decode(b.p + HASH_BYTES, b.len - HASH_BYTES, out);
    buf_wipe(&b);
    return e;
}

bool ledger_lacks_answers(const struct ledger *l, uint64_t slot)
{
    return answering_lacks(l, slot);
}

const char *ledger_upload_word(const struct ledger_view *v)
{
    if (v->doubt.waits)
        return ledger_state_name(LEDGER_PERSON);
    if (v->stopped && v->state == LEDGER_IDLE)
        return "failed";
    if (v->trouble == TROUBLE_WAITS)
        return "waiting";
    if (v->state == LEDGER_PREVOTE || v->state == LEDGER_CANDIDATE)
        return v->open && v->has_uploader ? "agreed" : "gathering";
    if (v->state != LEDGER_IDLE)
        return ledger_state_name(v->state);
    if (v->items > 0 && v->has_uploader) /* as its uploader tells this seat */
        return ledger_state_name(LEDGER_SEND);
    if (!v->open && !v->triggered)
        return "idle";
    return v->open && v->has_uploader ? "agreed" : "gathering";
}
