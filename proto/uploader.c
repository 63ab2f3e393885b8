/* uploader.c - the elected desk: adopt or propose, and the receipt: L4, L5. Between the two:
 * handover.c. */
#include "ledger_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void send_accept(struct ledger *l, const struct ledger_moment *now)
{
    struct buf b = { 0 };

    ledger_begin(l, &b, WIRE_ACCEPT, 5, l->term);
    mp_put_bin(&b, l->cur_bytes.p, l->cur_bytes.len);
    mp_put_bin(&b, l->voucher.desk.b, l->adopted ? DESK_ID_BYTES : 0);
    mp_put_u64(&b, l->adopted ? l->best_acc_term : 0);
    mp_put_bin(&b, l->voucher.sig, l->adopted ? SIG_BYTES : 0);
    progress_encode_bin(&l->at, &b);
    ledger_send_seats(l, &b, l->acc_yes);
    buf_free(&b);
    l->retry_at = now->boot_ms + LEDGER_RETRY_MS;
}

static void propose(struct ledger *l, const struct ledger_moment *now)
{
    l->state = LEDGER_ACCEPT;
    l->since = now->boot_ms;
    l->acc_yes = 0;
    l->acc_no = false;
    memset(l->accepted, 0, sizeof l->accepted);
    intent_hash(l->cur_bytes.p, l->cur_bytes.len, l->cur_hash);
    send_accept(l, now);
}

static void fill_intent(struct ledger *l, enum slot_type type)
{
    intent_free(&l->cur);
    memset(&l->cur, 0, sizeof l->cur);
    memcpy(l->cur.branch, roster_branch(l->roster), BRANCH_ID_BYTES);
    l->cur.epoch = l->epoch;
    l->cur.slot = l->dec + 1;
    l->cur.term = l->term;
    memcpy(l->cur.prev, l->dec_hash, HASH_BYTES);
    l->cur.desk = l->me->id;
    l->cur.type = type;
    memcpy(l->cur.policy, roster_policy_hash(l->roster), HASH_BYTES);
}

static void encode_current(struct ledger *l)
{
    buf_reset(&l->cur_bytes);
    intent_encode(&l->cur, &l->cur_bytes);
}

static void propose_seats(struct ledger *l, const struct ledger_moment *now)
{
    fill_intent(l, SLOT_SEATS);
    l->cur.n_seats = ledger_seats_wanted(l, l->cur.seats);
    if (l->ask->restored)
        l->ask->restored(l->ask->ctx, &l->cur);
    encode_current(l);
    propose(l, now);
}

/* O4: before anything fresh is sent. */
static bool propose_found(struct ledger *l, const struct ledger_moment *now)
{
    fill_intent(l, SLOT_FOUND);
    if (!evidence_fill(l, &l->cur))
        return false;
    encode_current(l);
    propose(l, now);
    return true;
}

static void propose_horizon(struct ledger *l, const struct ledger_moment *now, uint64_t back_to)
{
    fill_intent(l, SLOT_HORIZON);
    l->cur.back_to = back_to;
    encode_current(l);
    propose(l, now);
}

static void build(struct ledger *l, const struct ledger_moment *now)
{
    struct errmsg msg = { .text = "" };
    struct buf draft = { 0 };

    if (propose_found(l, now))
        return; /* evidence came while we gathered */

    fill_intent(l, SLOT_UPLOAD);
    if (l->ask->cut(l->ask->ctx, &l->cur, &msg) != ERR_OK) {
        ledger_set_problem(l, msg.text);
        trouble_stop(l, now);
        return;
    }
    if (intent_sends_nothing(&l->cur)) { /* nothing new since the last slot */
        trigger_drop(l);
        election_resign(l, now, 0);
        return;
    }
    buf_add(&l->cur.trigger, l->trigger.p, l->trigger.len);
    l->state = LEDGER_BUILD;
    l->since = now->boot_ms;
    intent_encode(&l->cur, &draft);
    effects_add(l->fx, EFFECT_BUILD, NULL, ++l->number, &draft);
}

/* A2: a seat that is asked to accept a step must be able to get its answers from here. */
static void fetch_or_propose(struct ledger *l, const struct ledger_moment *now)
{
    if (answering_reaches(l, now, l->cur.slot, l->cur_hash, &l->at, &l->adopted_from)) {
        propose(l, now);
        return;
    }
    if (l->state != LEDGER_FETCH || l->fetch.rows.n != l->fetched) {
        l->since = now->boot_ms;
        l->fetched = l->fetch.rows.n;
    }
    l->state = LEDGER_FETCH;
    if (now->boot_ms - l->since < LEDGER_FETCH_MS)
        return;
    ledger_set_problem(l, "no desk that is on can show what the server answered so far");
    l->vain_from = l->adopted_from;
    l->vain_until = now->boot_ms + LEDGER_VAIN_MS;
    election_resign(l, now, 0);
}

/* A desk that an override left without a seat may know of more steps than the seats that are left, or of others: what it
 * accepted once goes on from there, or its step is forgotten, for the answers to both lie in one chain (A2, seed 2480).
 * Not the intent itself: should the seats be lost, too, it is finished under that name. */
static void compare_own(struct ledger *l)
{
    uint8_t own[HASH_BYTES];

    if (ledger_seat_of(l, &l->me->id) >= 0 || l->acc.len == 0)
        return;
    intent_hash(l->acc.p, l->acc.len, own);
    if (memcmp(own, l->cur_hash, HASH_BYTES) != 0)
        return;
    if (l->acc_at.step > l->at.step) {
        l->at = l->acc_at;
    } else if (l->acc_at.step > 0) {
        memset(&l->acc_at, 0, sizeof l->acc_at);
        ledger_persist(l);
    }
}

/* What an uploader does first, and again after each slot. */
static void next_work(struct ledger *l, const struct ledger_moment *now)
{
    uint64_t back_to;

    l->adopted = false;
    l->since = now->boot_ms;
    memset(&l->at, 0, sizeof l->at);
    l->evidence[0] = '\0';
    l->then = THEN_GO_ON;
    if (l->adopt.len > 0) { /* L5 */
        intent_free(&l->cur);
        if (intent_decode(l->adopt.p, l->adopt.len, &l->cur, NULL) == ERR_OK) {
            buf_reset(&l->cur_bytes);
            buf_add(&l->cur_bytes, l->adopt.p, l->adopt.len);
            l->adopted = true;
            l->at = l->adopt_at;
            intent_hash(l->cur_bytes.p, l->cur_bytes.len, l->cur_hash);
            compare_own(l);
            fetch_or_propose(l, now);
            return;
        }
    }
    if (ledger_wants_seats(l))
        propose_seats(l, now);
    else if (propose_found(l, now))
        return;
    else if (l->trigger.len > 0 && ledger_may_upload(l))
        l->state = LEDGER_GATHER;
    else if ((back_to = l->ask->wants_horizon(l->ask->ctx)) > 0)
        propose_horizon(l, now, back_to);
    else
        election_resign(l, now, 0);
}

void uploader_begin(struct ledger *l, const struct ledger_moment *now)
{
    l->lease_until = l->asked_at + LEASE_OWN_MS;
    l->renew_yes = 0;
    l->quiet_until = l->vouch_slot = 0;
    l->tries = 0;
    trouble_begin_anew(l);
    l->state = LEDGER_GATHER;
    effects_event(l->fx, "elected uploader for slot %llu, term %llu",
                  (unsigned long long)l->dec + 1, (unsigned long long)l->term);
    election_renew(l, now);
    next_work(l, now);
}

/* L4. A seat's own answers go to the disk with its own ACCEPTED. */
static void begin_if_agreed(struct ledger *l, const struct ledger_moment *now)
{
    int own = ledger_seat_of(l, &l->me->id);

    if (!ledger_is_majority(l, l->acc_yes) ||
        (own >= 0 && l->at.n_answers > 0 && !(l->acc_yes >> own & 1)) ||
        !answering_holds(l, now, l->cur.slot, l->cur_hash, &l->at, &l->adopted_from))
        return;
    trouble_begin_anew(l);
    handover_begin(l, now);
}

void uploader_on_accepted(struct ledger *l, const struct ledger_moment *now,
                          const struct desk_id *from, uint64_t term, struct mp *m)
{
    uint64_t slot = mp_get_u64(m);
    uint8_t sig[SIG_BYTES];
    int seat = ledger_seat_of(l, from);
    const struct desk *d = roster_find(l->roster, from);

    mp_get_raw(m, sig, sizeof sig);
    if (m->bad || l->state != LEDGER_ACCEPT || term != l->term || slot != l->cur.slot || seat < 0 ||
        !d || now->boot_ms >= l->lease_until ||
        !accepted_ok(roster_branch(l->roster), slot, term, l->cur_hash, d->sign_pk, sig))
        return;
    l->acc_yes |= 1u << seat;
    l->accepted[seat].desk = *from;
    memcpy(l->accepted[seat].sig, sig, SIG_BYTES);
    begin_if_agreed(l, now);
}

void uploader_on_refused(struct ledger *l, const struct desk_id *from, uint64_t term, struct mp *m)
{
    uint64_t slot = mp_get_u64(m);
    char words[160];
    const struct desk *d = roster_find(l->roster, from);

    mp_get_str(m, words, sizeof words);
    if (m->bad || l->state != LEDGER_ACCEPT || term != l->term || slot != l->cur.slot || !d)
        return;
    snprintf(l->problem, sizeof l->problem, "%s cannot accept yet: %s", d->name, words);
    l->acc_no |= ledger_seat_of(l, from) >= 0;
}

static void send_receipt_to_all(struct ledger *l, uint64_t slot, const struct buf *receipt)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_RECEIPT, 2);
    mp_put_u64(&b, slot);
    mp_put_bin(&b, receipt->p, receipt->len);
    ledger_send_all(l, &b);
    buf_free(&b);
}

void uploader_write_receipt(struct ledger *l, const struct ledger_moment *now, const char *evidence)
{
    struct receipt r = { .intent = l->cur_bytes.p,
                         .intent_len = l->cur_bytes.len,
                         .term = l->term,
                         .desk = l->me->id,
                         .at_ms = now->wall_ms };
    struct buf b = { 0 }, progress = { 0 };
    bool seats = l->cur.type == SLOT_SEATS;

    for (unsigned i = 0; i < l->n_seats; i++)
        if (l->acc_yes >> i & 1)
            r.accepted[r.n_accepted++] = l->accepted[i];
    snprintf(r.evidence, sizeof r.evidence, "%s", evidence);
    if (l->at.step > 0)
        progress_encode(&l->at, &progress);
    r.progress = progress.p;
    r.progress_len = progress.len;
    receipt_encode(&r, l->me->sign_sk, &b);
    seat_settle(l, now, b.p, b.len, &r, &l->cur);
    buf_free(&progress); /* r borrows it */
    send_receipt_to_all(l, l->cur.slot, &b);
    buf_free(&b);
    if (seats)
        election_resign(l, now, 0); /* L9: votes of the old seats elect nobody under the new ones */
    else
        next_work(l, now);
}

/* Effects may be dropped like messages. Whoever is elected next finds the accepted intent, waits
 * `quiet`, and delivers it again. */
void uploader_check_overdue(struct ledger *l, const struct ledger_moment *now)
{
    if (now->boot_ms - l->since < LEDGER_ANSWER_MS)
        return;
    ledger_set_problem(l, "the upload gave no answer for ten minutes: it is begun anew");
    election_resign(l, now, 0);
}

void uploader_tick(struct ledger *l, const struct ledger_moment *now)
{
    if (now->boot_ms >= l->lease_until) {
        effects_event(l->fx, "lease over in term %llu", (unsigned long long)l->term);
        election_end(l, now, LEASE_PROMISE_MS);
        return;
    }
    if (now->boot_ms >= l->renew_at)
        election_renew(l, now);
    switch (l->state) {
    case LEDGER_GATHER:
        if (l->ask->gathered(l->ask->ctx) || now->boot_ms - l->since >= GATHER_MAX_MS)
            build(l, now);
        break;
    case LEDGER_ACCEPT:
        if (now->boot_ms - l->since >= (l->acc_no ? REFUSED_MAX_MS : GATHER_MAX_MS))
            election_resign(l, now,
                            LEASE_MS); /* the problem stays on the screen; another may do better */
        else if (now->boot_ms >= l->retry_at) {
            send_accept(l, now);
            begin_if_agreed(l, now);
        }
        break;
    case LEDGER_FETCH:
        fetch_or_propose(l, now);
        break;
    case LEDGER_QUIET:
    case LEDGER_SEND:
    case LEDGER_STEP:
    case LEDGER_PERSON:
    case LEDGER_PAUSED:
        handover_tick(l, now);
        break;
    case LEDGER_BUILD:
        uploader_check_overdue(l, now);
        break;
    case LEDGER_IDLE:
    case LEDGER_PREVOTE:
    case LEDGER_CANDIDATE:
        break;
    }
}

void ledger_built(struct ledger *l, const struct ledger_moment *now, uint64_t number,
                  const struct slot_part *parts, unsigned n_parts, const struct slot_aside *aside,
                  const char *failure)
{
    if (l->state != LEDGER_BUILD || number != l->number)
        return; /* the answer to a build we gave up on */
    if (failure) {
        ledger_set_problem(l, failure);
        trouble_stop(l, now);
        return;
    }
    l->cur.n_parts = n_parts;
    l->cur.set_aside = aside->n;
    memcpy(l->cur.aside, aside->hash, sizeof l->cur.aside);
    if (n_parts > 0) /* a batch of which nothing is sent has none */
        memcpy(l->cur.parts, parts, n_parts * sizeof *parts);
    encode_current(l);
    propose(l, now);
}
