/* ledger.c - the register: who has a seat, what is asked, who handles it. Rules L1 to L10 stand in
 * ledger.h; votes are in election.c, accepting in seat.c, proposing and sending in uploader.c, what
 * is on disk in ledger_disk.c. */
#include "ledger_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

int ledger_seat_of(const struct ledger *l, const struct desk_id *id)
{
    for (unsigned i = 0; i < l->n_seats; i++)
        if (desk_id_eq(&l->seats[i], id))
            return (int)i;
    return -1;
}

bool ledger_is_majority(const struct ledger *l, unsigned bits)
{
    unsigned n = 0;

    for (unsigned i = 0; i < l->n_seats; i++)
        n += bits >> i & 1;
    return n >= l->n_seats / 2 + 1;
}

bool ledger_leads(const struct ledger *l)
{
    return l->state >= LEDGER_GATHER;
}

bool ledger_same_epoch(const struct ledger *l, uint64_t number, const uint8_t *hash)
{
    return number == l->epoch.number && memcmp(hash, l->epoch.hash, HASH_BYTES) == 0;
}

void ledger_first_seat(struct ledger *l)
{
    l->n_seats = roster_desks(l->roster) > 0;
    if (l->n_seats)
        l->seats[0] = roster_desk(l->roster, 0)->id;
}

/* A desk that cannot be heard would only raise the majority: it gets no seat now. */
unsigned ledger_seats_wanted(const struct ledger *l, struct desk_id out[SEATS_MAX])
{
    struct desk_id want[SEATS_MAX];
    unsigned n = roster_seats_wanted(l->roster, l->seats, l->n_seats, want), kept = 0;

    for (unsigned i = 0; i < n; i++)
        if (i < l->n_seats || !l->ask->reached || l->ask->reached(l->ask->ctx, &want[i]))
            out[kept++] = want[i];
    return kept > 0 && kept % 2 == 0 ? kept - 1 : kept;
}

bool ledger_wants_seats(const struct ledger *l)
{
    struct desk_id want[SEATS_MAX];

    return ledger_seats_wanted(l, want) != l->n_seats ||
           (l->ask->restored && l->ask->restored(l->ask->ctx, NULL) > 0);
}

/* Not where the policy's sink is at another desk. */
bool ledger_may_upload(const struct ledger *l)
{
    const struct policy *p = roster_policy(l->roster);

    return !p || handover_is_ours(l, p->sink);
}

/* Has this desk a reason to stand? An open slot must be finished whatever the reason it began. */
bool ledger_has_work(const struct ledger *l)
{
    if (!epochs_caught_up(l))
        return false;
    if (l->vouch_slot == l->dec + 1)
        return true;
    if (l->acc.len > 0)
        return handover_is_ours(l, l->acc_sink);
    return (l->trigger.len > 0 && ledger_may_upload(l)) || l->found_due || ledger_wants_seats(l) ||
           l->ask->wants_horizon(l->ask->ctx) > 0;
}

/* Once a while: a desk that lies must not fill our log. */
void ledger_refuse(struct ledger *l, const struct ledger_moment *now, const char *what,
                   const char *why)
{
    if (l->refused_at != 0 && now->boot_ms - l->refused_at < REFUSED_SAY_MS)
        return;
    l->refused_at = now->boot_ms;
    effects_event(l->fx, "refused %s: %s", what, why);
}

uint64_t ledger_roll(const struct ledger *l, uint64_t from, uint64_t to)
{
    uint64_t r;

    l->ask->dice(l->ask->ctx, &r, sizeof r);
    return from + r % (to - from);
}

void ledger_set_problem(struct ledger *l, const char *words)
{
    snprintf(l->problem, sizeof l->problem, "%s", words ? words : "");
    text_mend(l->problem);
    l->trouble = TROUBLE_NONE;
}

enum err ledger_open(const struct ident *me, const struct roster *roster, const struct disk *disk,
                     struct effects *fx, const struct ledger_ask *ask,
                     const struct ledger_moment *now, struct ledger **out, struct errmsg *msg)
{
    struct ledger *l = mem_zero(1, sizeof *l);
    enum err e;

    if (!l)
        return err_set(msg, ERR_NOMEM, "out of memory");
    l->me = me;
    l->roster = roster;
    l->disk = disk;
    l->fx = fx;
    l->ask = ask;
    if ((e = ledger_load(l, msg)) != ERR_OK) {
        ledger_close(l);
        return e;
    }
    evidence_review(l);
    l->grace_until = now->boot_ms + LEASE_PROMISE_MS; /* L7 */
    l->next_try = now->boot_ms + ledger_roll(l, 500, 1500);
    *out = l;
    return ERR_OK;
}

void ledger_close(struct ledger *l)
{
    if (!l)
        return;
    intent_free(&l->cur);
    buf_free(&l->acc);
    buf_free(&l->trigger);
    buf_free(&l->decision);
    buf_free(&l->adopt);
    buf_free(&l->cur_bytes);
    answering_drop(l);
    tally_rows_free(&l->told);
    free(l->owed);
    free(l->line);
    free(l->shown);
    free(l);
}

void ledger_send(struct ledger *l, const struct desk_id *to, struct buf *b)
{
    effects_add(l->fx, EFFECT_SEND, to, 0, b);
}

void ledger_send_seats(struct ledger *l, const struct buf *b, unsigned except)
{
    for (unsigned i = 0; i < l->n_seats; i++) {
        struct buf copy = { 0 };
        if (except >> i & 1)
            continue;
        buf_add(&copy, b->p, b->len);
        ledger_send(l, &l->seats[i], &copy);
    }
}

void ledger_send_all(struct ledger *l, const struct buf *b)
{
    for (unsigned i = 0; i < roster_desks(l->roster); i++) {
        const struct desk *d = roster_desk(l->roster, i);
        struct buf copy = { 0 };
        if (d->state != DESK_ACTIVE || desk_id_eq(&d->id, &l->me->id))
            continue;
        buf_add(&copy, b->p, b->len);
        ledger_send(l, &d->id, &copy);
    }
}

/* [.., epoch number, epoch hash, term, decided] opens every question and answer of an election. */
void ledger_begin(struct ledger *l, struct buf *b, enum wire_type type, unsigned more,
                  uint64_t term)
{
    wire_begin(b, type, 4 + more);
    epoch_put(b, &l->epoch);
    mp_put_u64(b, term);
    mp_put_u64(b, l->dec);
}

void ledger_send_receipts(struct ledger *l, const struct desk_id *to, uint64_t from)
{
    struct buf r = { 0 };

    for (uint64_t s = from; s <= l->dec && s < from + 16; s++) {
        struct buf b = { 0 };
        if (ledger_receipt(l, s, &r) != ERR_OK)
            break;
        wire_begin(&b, WIRE_RECEIPT, 2);
        mp_put_u64(&b, s);
        mp_put_bin(&b, r.p, r.len);
        ledger_send(l, to, &b);
    }
    buf_free(&r);
}

/* Not for each message that shows a gap: sixteen receipts come in answer, and where the first of
 * them is refused or lost, each of the others would ask for sixteen more. */
void ledger_ask_slots(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from)
{
    struct buf b = { 0 };

    if (now->boot_ms < l->ask_slots_at)
        return;
    l->ask_slots_at = now->boot_ms + LEDGER_RETRY_MS / 2;
    wire_begin(&b, WIRE_SLOTS_WANT, 1);
    mp_put_u64(&b, l->dec + 1);
    ledger_send(l, from, &b);
}

/* Those without an epoch of their own. False: none of them. */
static bool take_timeless(struct ledger *l, const struct ledger_moment *now,
                          const struct desk_id *from, unsigned type, struct mp *m)
{
    uint64_t slot;

    switch (type) {
    case WIRE_RECEIPT:
        seat_on_receipt(l, now, from, m);
        return true;
    case WIRE_SLOTS_WANT:
        slot = mp_get_u64(m);
        if (!m->bad)
            ledger_send_receipts(l, from, slot);
        return true;
    case WIRE_TRIGGER:
        trigger_on_trigger(l, now, m);
        return true;
    case WIRE_OVERRIDE:
        epochs_on_override(l, now, m);
        return true;
    case WIRE_EVIDENCE:
        evidence_on_receipt(l, now, m);
        return true;
    case WIRE_DECISION:
        handover_on_decision(l, now, m);
        return true;
    case WIRE_ANSWERS_ASK:
        answering_on_ask(l, from, m);
        return true;
    case WIRE_ANSWERS:
        answering_on_answers(l, now, from, m);
        return true;
    }
    return false;
}

void ledger_message(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                    unsigned type, struct mp *m)
{
    uint64_t number, term, dec;
    uint8_t hash[HASH_BYTES];

    if (take_timeless(l, now, from, type, m))
        return;
    number = mp_get_u64(m);
    mp_get_raw(m, hash, sizeof hash);
    term = mp_get_u64(m);
    dec = mp_get_u64(m);
    if (m->bad || !ledger_same_epoch(l, number, hash))
        return;
    if (term > l->term + TERM_LEAP_MAX) { /* near the end of the numbers nobody could be elected */
        m->bad = true;
        return;
    }
    switch (type) {
    case WIRE_PREVOTE:
        election_on_prevote(l, now, from, term, dec);
        break;
    case WIRE_PREVOTED:
        election_on_prevoted(l, now, from, term, mp_get_bool(m));
        break;
    case WIRE_VOTE:
        election_on_vote(l, now, from, term, dec);
        break;
    case WIRE_VOTED:
        election_on_voted(l, now, from, term, m);
        break;
    case WIRE_RENEW:
        election_on_renew(l, now, from, term, mp_get_u64(m));
        break;
    case WIRE_RENEWED:
        election_on_renewed(l, from, term, mp_get_u64(m));
        break;
    case WIRE_ACCEPT:
        seat_on_accept(l, now, from, term, dec, m);
        break;
    case WIRE_ACCEPTED:
        uploader_on_accepted(l, now, from, term, m);
        break;
    case WIRE_REFUSED:
        uploader_on_refused(l, from, term, m);
        break;
    case WIRE_RESIGN:
        election_on_resign(l, now, from, term, m);
        break;
    case WIRE_PROGRESS:
        handover_on_progress(l, now, from, term, m);
        break;
    case WIRE_PROGRESSED:
        handover_on_progressed(l, now, from, term, m);
        break;
    }
}

void ledger_tick(struct ledger *l, const struct ledger_moment *now)
{
    const struct desk *me = roster_find(l->roster, &l->me->id);

    if (l->n_seats == 0)
        ledger_first_seat(l); /* the roster came after us */
    handover_spread_decision(l, now);
    answering_tick(l, now);
    pause_tick(l, now);
    switch (l->state) {
    case LEDGER_IDLE:
        evidence_tick(l, now);
        trouble_tick(l, now);
        trigger_tick(l, now);
        if (ledger_has_work(l) && !l->stopped && !l->forgot && me && me->state == DESK_ACTIVE &&
            now->boot_ms >= l->next_try && now->boot_ms >= election_turn(l))
            election_stand(l, now);
        break;
    case LEDGER_PREVOTE:
    case LEDGER_CANDIDATE:
        if (now->boot_ms - l->since >= LEASE_LEFT_MS) {
            if (l->trigger.len > 0 || l->acc.len > 0) /* a change of seats can wait in silence */
                ledger_set_problem(l, "too few seats answer; waiting for a majority");
            l->vouch_slot = 0; /* asked again if it is still wanted */
            election_end(l, now, 0);
        } else if (now->boot_ms >= l->retry_at) {
            election_ask(l, now, l->state == LEDGER_PREVOTE ? WIRE_PREVOTE : WIRE_VOTE,
                         l->state == LEDGER_PREVOTE ? l->term + 1 : l->term);
        }
        break;
    case LEDGER_GATHER:
    case LEDGER_BUILD:
    case LEDGER_FETCH:
    case LEDGER_ACCEPT:
    case LEDGER_QUIET:
    case LEDGER_SEND:
    case LEDGER_STEP:
    case LEDGER_PERSON:
    case LEDGER_PAUSED:
        uploader_tick(l, now);
        break;
    }
}

bool ledger_is_idle(const struct ledger *l)
{
    return l->state == LEDGER_IDLE && l->acc.len == 0 && l->trigger.len == 0 && !l->found_due &&
           l->vouch_slot <= l->dec;
}

void ledger_may_vote(struct ledger *l, bool yes)
{
    l->may_vote = yes;
}

void ledger_has_forgotten(struct ledger *l, bool yes)
{
    l->forgot = yes;
    if (yes)
        trigger_drop(l);
}

void ledger_regain(struct ledger *l, const struct ledger_moment *now, uint64_t term,
                   const struct desk_id *to)
{
    if (term > l->term || (term == l->term && !l->voted)) {
        l->term = term;
        l->voted = true;
        l->voted_for = *to;
        ledger_persist(l);
    }
    l->forgot = false;
    l->grace_until = now->boot_ms + LEASE_PROMISE_MS; /* L7: it may have promised */
}
