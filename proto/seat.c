/* seat.c - what a seat accepts, and the receipts that everybody takes: rules L3, L6, L8, L9. */
#include "ledger_int.h"

#include <string.h>

void seat_sign_accepted(const struct ledger *l, const uint8_t *acc, size_t n, uint64_t slot,
                        uint64_t term, uint8_t sig[SIG_BYTES])
{
    uint8_t hash[HASH_BYTES];

    intent_hash(acc, n, hash);
    accepted_sign(roster_branch(l->roster), slot, term, hash, l->me->sign_sk, sig);
}

/* Did this seat accept this intent in that term? */
bool seat_vouches(const struct ledger *l, const struct accepted *a, const uint8_t *p, size_t n,
                  uint64_t slot, uint64_t term)
{
    const struct desk *d = roster_find(l->roster, &a->desk);
    uint8_t hash[HASH_BYTES];

    intent_hash(p, n, hash);
    return d && ledger_seat_of(l, &a->desk) >= 0 &&
           accepted_ok(roster_branch(l->roster), slot, term, hash, d->sign_pk, a->sig);
}

/* O4: a fresh upload must leave out what some lost epoch delivered. */
static bool was_delivered(const struct ledger *l, const struct intent *in)
{
    bool yes = l->blind;

    for (unsigned i = 0; i < in->n_ranges && l->n_shown > 0; i++)
        yes |= evidence_shown(l, &in->ranges[i].feed) >= in->ranges[i].from;
    return yes;
}

static enum err check_upload(const struct ledger *l, const struct intent *in, bool adopted,
                             struct errmsg *msg)
{
    const struct policy *policy = roster_policy_by_hash(l->roster, in->policy);
    struct trigger t;
    enum err e;

    if (in->rules == 0 || in->rules > POLICY_RULES || !policy)
        return err_set(msg, ERR_REFUSED, "rules or a policy that this desk does not know");
    if (strcmp(in->sink, policy->sink) != 0)
        return err_set(msg, ERR_REFUSED, "another place to upload to than the policy's");
    if ((e = trigger_open(in->trigger.p, in->trigger.len, roster_branch(l->roster), &t, msg)))
        return e;
    if (!roster_was_lead(l->roster, t.lead_pk) ||
        (!adopted && !roster_is_lead(l->roster, t.lead_pk)) || t.slot > in->slot ||
        t.slot <= l->last_upload || !epoch_eq(&t.epoch, &in->epoch))
        return err_set(msg, ERR_DENIED, "no lead asked for this upload");
    if (!adopted && was_delivered(l, in))
        return err_set(msg, ERR_REFUSED, "a lost epoch delivered some of these records already");
    return l->ask->holds(l->ask->ctx, in, adopted, msg); /* L3 */
}

/* O4: only what receipts that lie here show. */
static enum err check_found(const struct ledger *l, const struct intent *in, struct errmsg *msg)
{
    for (unsigned i = 0; i < in->n_ranges; i++)
        if (evidence_shown(l, &in->ranges[i].feed) < in->ranges[i].to)
            return err_set(msg, ERR_REFUSED,
                           "no receipt here shows that these records were delivered");
    return l->ask->holds(l->ask->ctx, in, true, msg);
}

/* Not compared with what this desk would propose: the roster may have grown since, and an accepted
 * intent must stay acceptable. Every added seat is one that a lead named; none is taken away. */
static enum err check_seats(const struct ledger *l, const struct intent *in, struct errmsg *msg)
{
    bool more = in->n_seats > l->n_seats && in->n_seats % 2 == 1;
    bool same = in->n_seats == l->n_seats && in->n_restored > 0;
    bool ok = (more || same) && intent_sends_nothing(in) &&
              memcmp(in->seats, l->seats, l->n_seats * sizeof in->seats[0]) == 0;

    for (unsigned i = l->n_seats; ok && i < in->n_seats; i++) {
        const struct desk *d = roster_find(l->roster, &in->seats[i]);
        ok = d && d->seat;
        for (unsigned k = 0; k < i; k++)
            ok = ok && !desk_id_eq(&in->seats[k], &in->seats[i]);
    }
    if (!ok)
        return err_set(msg, ERR_REFUSED, "seats that the roster here does not ask for");
    return in->n_restored > 0 && l->ask->restored_ok ? l->ask->restored_ok(l->ask->ctx, in, msg)
                                                     : ERR_OK;
}

static enum err check_intent(const struct ledger *l, const struct intent *in, bool adopted,
                             struct errmsg *msg)
{
    if (memcmp(in->branch, roster_branch(l->roster), BRANCH_ID_BYTES) != 0 || !epochs_fit(l, in))
        return err_set(msg, ERR_DENIED, "an intent of another branch or epoch");
    if (in->slot != l->dec + 1 || memcmp(in->prev, l->dec_hash, HASH_BYTES) != 0)
        return err_set(msg, ERR_REFUSED,
                       "an intent that does not follow the last receipt"); /* L6 */
    switch (in->type) {
    case SLOT_SEATS:
        return check_seats(l, in, msg);
    case SLOT_FOUND:
        return check_found(l, in, msg);
    case SLOT_HORIZON: /* L10; a proposer's or voucher's word is never enough to erase */
        return intent_sends_nothing(in) ? l->ask->horizon_ok(l->ask->ctx, in, msg)
                                        : err_set(msg, ERR_REFUSED, "a horizon that sends records");
    case SLOT_UPLOAD:
        break;
    }
    return check_upload(l, in, adopted, msg);
}

static void answer_accepted(struct ledger *l, const struct desk_id *to, const uint8_t *acc,
                            size_t n, uint64_t slot, uint64_t term)
{
    uint8_t sig[SIG_BYTES];
    struct buf b = { 0 };

    seat_sign_accepted(l, acc, n, slot, term, sig);
    ledger_begin(l, &b, WIRE_ACCEPTED, 2, term);
    mp_put_u64(&b, slot);
    mp_put_bin(&b, sig, sizeof sig);
    ledger_send(l, to, &b);
}

struct proposal { /* what an ACCEPT brings */
    const uint8_t *p;
    size_t n;
    uint64_t acc_term; /* in which its voucher accepted it */
    struct accepted by;
    bool vouched; /* a voucher came with it; not looked at yet */
    struct progress at;
};

static bool get_proposal(struct mp *m, struct proposal *out)
{
    size_t desk_n = 0, sig_n = 0;
    const uint8_t *desk, *sig;

    out->p = mp_get_bin(m, &out->n);
    desk = mp_get_bin(m, &desk_n);
    out->acc_term = mp_get_u64(m);
    sig = mp_get_bin(m, &sig_n);
    progress_get(m, &out->at);
    if (m->bad)
        return false;
    out->vouched = desk_n == DESK_ID_BYTES && sig_n == SIG_BYTES;
    if (out->vouched) {
        memcpy(out->by.desk.b, desk, desk_n);
        memcpy(out->by.sig, sig, sig_n);
    }
    return true;
}

static bool is_what_we_accepted(const struct ledger *l, const struct proposal *a)
{
    return l->acc.len > 0 && l->acc.len == a->n && memcmp(l->acc.p, a->p, a->n) == 0;
}

/* An intent that some seat accepted before is finished as it is, though the roster may have changed
 * since; a proposer's word for that is not enough: this seat remembers it, or another seat signed.
 */
static bool is_adopted(const struct ledger *l, const struct desk_id *from, const struct intent *in,
                       const struct proposal *a, uint64_t term)
{
    return is_what_we_accepted(l, a) ||
           (a->vouched && a->acc_term < term && !desk_id_eq(&a->by.desk, from) &&
            seat_vouches(l, &a->by, a->p, a->n, in->slot, a->acc_term));
}

/* A proposer's word that it accepted this before proves nothing; a vote that says so does. Where it
 * alone did, and alone can upload, another seat must stand, adopt it and so vouch for it. */
static bool wants_a_voucher(const struct ledger *l, const struct desk_id *from,
                            const struct intent *in, const struct proposal *a, uint64_t term)
{
    return a->vouched && a->acc_term < term && desk_id_eq(&a->by.desk, from) &&
           in->slot == l->dec + 1 && seat_vouches(l, &a->by, a->p, a->n, in->slot, a->acc_term);
}

static enum err check_progress(const struct ledger *l, const struct intent *in,
                               const struct proposal *a, struct errmsg *msg)
{
    uint8_t hash[HASH_BYTES];

    intent_hash(a->p, a->n, hash);
    return handover_decisions_are_right(l, &a->at, in->slot, hash)
               ? ERR_OK
               : err_set(msg, ERR_DENIED, "a decision on the upload that no lead signed");
}

/* A2: they go to the disk in one commit with the step. */
static bool holds_answers(struct ledger *l, const struct ledger_moment *now,
                          const struct desk_id *from, const struct intent *in,
                          const struct proposal *a)
{
    uint8_t hash[HASH_BYTES];

    intent_hash(a->p, a->n, hash);
    return answering_holds(l, now, in->slot, hash, &a->at, from);
}

static void take_proposal(struct ledger *l, const struct intent *in, const struct proposal *a,
                          uint64_t term)
{
    struct buf copy = { 0 };

    if (term == l->acc_term && l->acc_at.step > a->at.step)
        return; /* the question again, late: it has gone on since */
    buf_add(&copy, a->p, a->n);
    buf_free(&l->acc);
    l->acc = copy;
    l->acc_term = term;
    l->acc_at = a->at;
    ledger_note_accepted(l, in);
    ledger_persist(l);
}

void seat_on_accept(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                    uint64_t term, uint64_t their_dec, struct mp *m)
{
    struct proposal a;
    struct intent in;
    struct errmsg msg = { .text = "" };
    enum err e;

    if (!get_proposal(m, &a) || ledger_seat_of(l, &l->me->id) < 0 || !l->may_vote ||
        !epochs_caught_up(l) || term < l->term ||
        (term == l->term && l->voted && !desk_id_eq(&l->voted_for, from)))
        return;
    if (their_dec > l->dec) {
        ledger_ask_slots(l, now, from);
        return;
    }
    if (intent_decode(a.p, a.n, &in, &msg) != ERR_OK)
        return;
    if (term == l->acc_term && l->acc.len > 0 &&
        !is_what_we_accepted(l, &a)) { /* one content per slot and term */
        intent_free(&in);
        return;
    }
    if (term > l->term || !l->voted)
        election_enter_term(l, now, term, from);
    election_promise(l, now, from);
    if ((e = check_intent(l, &in, is_adopted(l, from, &in, &a, term), &msg)) == ERR_OK &&
        (e = check_progress(l, &in, &a, &msg)) == ERR_OK) {
        if (holds_answers(l, now, from, &in, &a)) { /* else it is asked again */
            take_proposal(l, &in, &a, term);
            answer_accepted(l, from, l->acc.p, l->acc.len, in.slot, term);
        }
    } else {
        struct buf b = { 0 };
        if (wants_a_voucher(l, from, &in, &a, term))
            l->vouch_slot = in.slot;
        ledger_begin(l, &b, WIRE_REFUSED, 2, term);
        mp_put_u64(&b, in.slot);
        mp_put_str(&b, msg.text);
        ledger_send(l, from, &b);
    }
    intent_free(&in);
}

void seat_forget(struct ledger *l)
{
    buf_reset(&l->acc);
    l->acc_sink[0] = '\0';
    l->acc_term = 0;
    memset(&l->acc_at, 0, sizeof l->acc_at);
}

void seat_settle(struct ledger *l, const struct ledger_moment *now, const uint8_t *bytes, size_t n,
                 const struct receipt *r, const struct intent *in)
{
    uint8_t key[8];

    put_be64(key, in->slot);
    l->disk->put(l->disk->ctx, TABLE_SLOTS, key, sizeof key, bytes, n);
    ledger_take_decision(l, r, in);
    seat_forget(l); /* a register, not a log */
    buf_reset(&l->adopt);
    buf_reset(&l->decision);
    l->heard.waits = false;
    l->stopped = false;
    ledger_set_problem(l, "");
    if (l->trigger.len > 0 && in->type == SLOT_UPLOAD && l->trigger_slot <= in->slot) {
        buf_reset(&l->trigger);
        l->origin = false;
    }
    ledger_persist(l);
    if (in->type == SLOT_UPLOAD)
        effects_add(l->fx, EFFECT_PERIOD, NULL, in->slot, NULL);
    effects_event(l->fx,
                  in->type == SLOT_SEATS     ? "slot %llu decided: %llu seats"
                  : in->type == SLOT_FOUND   ? "slot %llu passes over %llu ranges of a lost epoch"
                  : in->type == SLOT_HORIZON ? "slot %llu decided: what lies under upload "
                                               "%llu is erased"
                                             : "slot %llu delivered: %llu ranges",
                  (unsigned long long)in->slot,
                  in->type == SLOT_SEATS     ? (unsigned long long)in->n_seats
                  : in->type == SLOT_HORIZON ? (unsigned long long)in->back_to
                                             : (unsigned long long)in->n_ranges);
    l->found_at = 0;
    evidence_count_doubled(l);
    l->next_try = now->boot_ms + ledger_roll(l, 200, 700);
}

static bool is_foreign(const struct ledger *l, const uint8_t *p, size_t n)
{
    struct receipt r;
    struct intent in;
    bool fits = true;

    if (receipt_decode(p, n, &r, NULL) == ERR_OK &&
        intent_decode(r.intent, r.intent_len, &in, NULL) == ERR_OK) {
        fits = epochs_fit(l, &in);
        intent_free(&in);
    }
    return !fits;
}

void seat_on_receipt(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                     struct mp *m)
{
    uint64_t slot = mp_get_u64(m);
    size_t n = 0;
    const uint8_t *p = mp_get_bin(m, &n);
    uint8_t hash[HASH_BYTES];
    struct receipt r;
    struct intent in;
    struct errmsg msg = { .text = "" };

    if (m->bad || slot <= l->dec)
        return;
    if (slot > l->dec + 1) {
        ledger_ask_slots(l, now, from);
        return;
    }
    if (is_foreign(l, p, n))
        return; /* O1: of another epoch; it may come as evidence */
    if (receipt_open(p, n, l->roster, l->seats, l->n_seats, &r, &msg) != ERR_OK) { /* L8 */
        ledger_refuse(l, now, "a receipt", msg.text);
        return;
    }
    if (intent_decode(r.intent, r.intent_len, &in, NULL) != ERR_OK)
        return;
    intent_hash(r.intent, r.intent_len, hash);
    if (in.slot == slot && memcmp(in.prev, l->dec_hash, HASH_BYTES) == 0 &&
        epochs_base_is(l, slot, hash)) {
        seat_settle(l, now, p, n, &r, &in);
        if (l->state != LEDGER_IDLE)
            election_end(l, now, 0); /* somebody else finished what we stood for */
    }
    intent_free(&in);
}
