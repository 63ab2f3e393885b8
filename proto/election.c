/* election.c - standing, voting, the lease: rules L1, L2, L7. */
#include "ledger_int.h"

#include <string.h>

#define TURN_MS 100 /* long against a question and its answer, short against a lease */

void election_end(struct ledger *l, const struct ledger_moment *now, uint64_t wait_ms)
{
    l->state = LEDGER_IDLE;
    l->adopted = l->delivering = false;
    l->number++; /* answers to what was asked for before mean nothing now */
    l->next_try = now->boot_ms + wait_ms + ledger_roll(l, 500, 1500);
}

void election_ask(struct ledger *l, const struct ledger_moment *now, enum wire_type type,
                  uint64_t term)
{
    struct buf b = { 0 };

    ledger_begin(l, &b, type, 0, term);
    ledger_send_seats(l, &b, l->yes);
    buf_free(&b);
    l->retry_at = now->boot_ms + LEDGER_RETRY_MS;
}

void election_stand(struct ledger *l, const struct ledger_moment *now)
{
    l->state = LEDGER_PREVOTE;
    l->yes = 0;
    l->since = now->boot_ms;
    election_ask(l, now, WIRE_PREVOTE, l->term + 1);
}

static void become_candidate(struct ledger *l, const struct ledger_moment *now)
{
    l->state = LEDGER_CANDIDATE;
    l->term++;
    l->voted = false;
    l->yes = 0;
    l->since = l->asked_at = now->boot_ms;
    l->best_acc_term = 0;
    buf_reset(&l->adopt);
    memset(&l->adopt_at, 0, sizeof l->adopt_at);
    ledger_persist(l);
    election_ask(l, now, WIRE_VOTE, l->term);
}

/* Only ever towards a higher term; leadership and candidacy of the old one end here. */
void election_enter_term(struct ledger *l, const struct ledger_moment *now, uint64_t term,
                         const struct desk_id *leader)
{
    if (term > l->term && l->state != LEDGER_IDLE && !desk_id_eq(leader, &l->me->id))
        election_end(l, now, LEASE_PROMISE_MS);
    l->term = term;
    l->voted = true;
    l->voted_for = *leader;
    ledger_persist(l);
}

void election_promise(struct ledger *l, const struct ledger_moment *now, const struct desk_id *to)
{
    l->promise_until = now->boot_ms + LEASE_PROMISE_MS;
    l->promised_to = *to;
    l->heard_leader = now->boot_ms;
    l->origin_until = 0; /* from here on the promise says who waits */
}

/* Seats promise at the same moment. They stand one after the other, so that the next one has all votes
 * before the one behind it asks for them. */
uint64_t election_turn(const struct ledger *l)
{
    int me = ledger_seat_of(l, &l->me->id), led = ledger_seat_of(l, &l->promised_to);
    uint64_t turn;

    if (l->promise_until == 0 || me < 0 || me == led)
        return l->origin_until;
    turn = l->promise_until + TURN_MS / 2 +
           TURN_MS * (unsigned)((me - led - 1 + (int)l->n_seats) % (int)l->n_seats);
    return turn > l->origin_until ? turn : l->origin_until;
}

static bool would_vote(const struct ledger *l, const struct ledger_moment *now,
                       const struct desk_id *for_whom, uint64_t their_dec)
{
    if (ledger_seat_of(l, &l->me->id) < 0 || !l->may_vote || now->boot_ms < l->grace_until ||
        !epochs_caught_up(l))
        return false; /* L7, O2 */
    if (now->boot_ms < l->promise_until && !desk_id_eq(for_whom, &l->promised_to))
        return false; /* L2 */
    return their_dec >= l->dec;
}

void election_on_prevote(struct ledger *l, const struct ledger_moment *now,
                         const struct desk_id *from, uint64_t term, uint64_t dec)
{
    struct buf b = { 0 };

    if (dec < l->dec)
        ledger_send_receipts(l, from, dec + 1);
    if (dec > l->dec)
        ledger_ask_slots(l, now, from);
    ledger_begin(l, &b, WIRE_PREVOTED, 1, l->term);
    mp_put_bool(&b, term > l->term && would_vote(l, now, from, dec));
    ledger_send(l, from, &b);
}

void election_on_prevoted(struct ledger *l, const struct ledger_moment *now,
                          const struct desk_id *from, uint64_t term, bool yes)
{
    int seat = ledger_seat_of(l, from);

    if (l->state != LEDGER_PREVOTE || seat < 0)
        return;
    if (term > l->term) { /* the next attempt must be above what any seat has seen */
        l->term = term;
        l->voted = false;
        ledger_persist(l);
        election_end(l, now, 0);
        return;
    }
    if (yes)
        l->yes |= 1u << seat;
    if (ledger_is_majority(l, l->yes))
        become_candidate(l, now);
}

void election_on_vote(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                      uint64_t term, uint64_t dec)
{
    struct buf b = { 0 };
    uint8_t sig[SIG_BYTES] = { 0 };
    bool again = term == l->term && l->voted && desk_id_eq(&l->voted_for, from);
    bool own = term == l->term && !l->voted && desk_id_eq(from, &l->me->id);
    bool yes = (term > l->term || again || own) && would_vote(l, now, from, dec);

    if (dec < l->dec)
        ledger_send_receipts(l, from, dec + 1);
    if (yes) {
        election_enter_term(l, now, term, from); /* L1: on disk before the answer leaves */
        election_promise(l, now, from);
    }
    if (l->acc.len > 0)
        seat_sign_accepted(l, l->acc.p, l->acc.len, l->dec + 1, l->acc_term, sig);
    ledger_begin(l, &b, WIRE_VOTED, 5, l->term);
    mp_put_bool(&b, yes);
    mp_put_u64(&b, l->acc_term);
    mp_put_bin(&b, l->acc.p, l->acc.len);
    mp_put_bin(&b, sig, sizeof sig);
    progress_encode_bin(&l->acc_at, &b);
    ledger_send(l, from, &b);
}

void election_on_voted(struct ledger *l, const struct ledger_moment *now,
                       const struct desk_id *from, uint64_t term, struct mp *m)
{
    bool yes = mp_get_bool(m);
    uint64_t acc_term = mp_get_u64(m);
    size_t n = 0;
    const uint8_t *acc = mp_get_bin(m, &n);
    struct accepted by = { .desk = *from };
    struct progress at;
    struct intent in;
    int seat = ledger_seat_of(l, from);

    mp_get_raw(m, by.sig, sizeof by.sig);
    progress_get(m, &at);
    if (m->bad || l->state != LEDGER_CANDIDATE || seat < 0 || !yes || term != l->term)
        return;
    /* L5: what a seat accepted for this slot must be finished, not replaced. */
    if (n > 0 && acc_term >= l->best_acc_term) {
        bool good = intent_decode(acc, n, &in, NULL) == ERR_OK;
        bool open = good && in.slot == l->dec + 1;
        uint8_t hash[HASH_BYTES];
        if (good)
            intent_free(&in);
        intent_hash(acc, n, hash);
        if (!good || (open && (!seat_vouches(l, &by, acc, n, l->dec + 1, acc_term) ||
                               !handover_decisions_are_right(l, &at, l->dec + 1, hash))))
            return; /* a vote with something that we cannot finish is none */
        if (open && at.n_answers > 0 && now->boot_ms < l->vain_until &&
            desk_id_eq(from, &l->vain_from))
            return; /* nor is one with answers that nobody could show just now */
        if (open &&
            (l->adopt.len == 0 || acc_term > l->best_acc_term || at.step > l->adopt_at.step)) {
            l->adopt_at =
                at; /* in one term the steps are one uploader's: the highest is the last */
            l->adopted_from = *from;
        }
        if (open && (acc_term > l->best_acc_term || l->adopt.len == 0 ||
                     !desk_id_eq(from, &l->me->id))) { /* others may vouch for it, we may not */
            l->best_acc_term = acc_term;
            l->voucher = by;
            buf_reset(&l->adopt);
            buf_add(&l->adopt, acc, n);
            if (l->adopt.failed)
                return;
        }
    }
    l->yes |= 1u << seat;
    if (ledger_is_majority(l, l->yes) && (l->vouch_slot != l->dec + 1 || l->adopt.len > 0))
        uploader_begin(l, now);
}

void election_renew(struct ledger *l, const struct ledger_moment *now)
{
    struct buf b = { 0 };

    l->renew_id++;
    l->renew_yes = 0;
    l->renew_sent = now->boot_ms;
    l->renew_at = now->boot_ms + LEASE_RENEW_MS;
    ledger_begin(l, &b, WIRE_RENEW, 1, l->term);
    mp_put_u64(&b, l->renew_id);
    ledger_send_seats(l, &b, 0);
    buf_free(&b);
}

void election_on_renew(struct ledger *l, const struct ledger_moment *now,
                       const struct desk_id *from, uint64_t term, uint64_t id)
{
    struct buf b = { 0 };

    if (!l->may_vote || !epochs_caught_up(l) || term < l->term ||
        (term == l->term && l->voted && !desk_id_eq(&l->voted_for, from)))
        return;
    if (term > l->term || !l->voted)
        election_enter_term(l, now, term, from);
    election_promise(l, now, from);
    ledger_begin(l, &b, WIRE_RENEWED, 1, term);
    mp_put_u64(&b, id);
    ledger_send(l, from, &b);
}

void election_on_renewed(struct ledger *l, const struct desk_id *from, uint64_t term, uint64_t id)
{
    int seat = ledger_seat_of(l, from);

    if (!ledger_leads(l) || term != l->term || id != l->renew_id || seat < 0)
        return;
    l->renew_yes |= 1u << seat;
    if (ledger_is_majority(l, l->renew_yes) && l->renew_sent + LEASE_OWN_MS > l->lease_until)
        l->lease_until = l->renew_sent + LEASE_OWN_MS; /* from the sending of the question */
}

void election_resign(struct ledger *l, const struct ledger_moment *now, uint64_t wait_ms)
{
    struct buf b = { 0 };

    ledger_begin(l, &b, WIRE_RESIGN, 2, l->term);
    trouble_put(l, &b);
    ledger_send_all(l, &b);
    buf_free(&b);
    if (desk_id_eq(&l->promised_to, &l->me->id))
        l->promise_until = 0;
    l->trouble_until = now->boot_ms + TROUBLE_LIFE_MS;
    election_end(l, now, wait_ms);
}

void election_on_resign(struct ledger *l, const struct ledger_moment *now,
                        const struct desk_id *from, uint64_t term, struct mp *m)
{
    if (term >= l->term)
        trouble_on_resign(l, now, from, m);
    if (m->bad)
        return;
    if (term >= l->term && desk_id_eq(&l->promised_to, from))
        l->promise_until = 0;
    if (term >= l->term)
        trigger_on_resign(l, now);
    if (l->state == LEDGER_IDLE && ledger_has_work(l))
        l->next_try = now->boot_ms + ledger_roll(l, 100, 600);
}
