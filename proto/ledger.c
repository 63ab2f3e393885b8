/* ledger.c - the register: what is on disk, what is asked, who handles it. Rules L1 to L9 stand in
 * ledger.h; votes are in election.c, accepting in seat.c, proposing and sending in uploader.c. */
#include "ledger_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

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

static const uint8_t ledger_key[] = { 'L' };

void ledger_persist(struct ledger *l)
{
    struct buf b = { 0 };

    mp_put_array(&b, 10);
    mp_put_u64(&b, 1);
    mp_put_u64(&b, l->epoch.number);
    mp_put_bin(&b, l->epoch.hash, HASH_BYTES);
    mp_put_u64(&b, l->term);
    mp_put_bin(&b, l->voted_for.b, l->voted ? DESK_ID_BYTES : 0);
    mp_put_u64(&b, l->acc_term);
    mp_put_bin(&b, l->acc.p, l->acc.len);
    mp_put_bin(&b, l->trigger.p, l->trigger.len);
    progress_encode_bin(&l->acc_at, &b);
    mp_put_bin(&b, l->decision.p, l->decision.len);
    l->disk->put(l->disk->ctx, TABLE_META, ledger_key, sizeof ledger_key, b.p, b.len);
    buf_free(&b);
}

static void copy_bin(struct mp *m, struct buf *out)
{
    size_t n = 0;
    const uint8_t *p = mp_get_bin(m, &n);

    buf_reset(out);
    if (p && n > 0)
        buf_add(out, p, n);
}

void ledger_note_accepted(struct ledger *l, const struct intent *in)
{
    memcpy(l->acc_sink, in->sink, sizeof l->acc_sink);
    l->acc_items = in->type != SLOT_UPLOAD
                       ? 0
                       : delivery_items(sink_class_of(in->sink), in->parts, in->n_parts);
}

static enum err load_state(struct ledger *l, struct errmsg *msg)
{
    struct buf b = { 0 };
    struct mp m;
    struct trigger t;
    struct intent in;
    size_t n = 0;
    const uint8_t *p;
    enum err e = l->disk->get(l->disk->ctx, TABLE_META, ledger_key, sizeof ledger_key, &b);

    if (e == ERR_MISSING)
        return ERR_OK;
    if (e != ERR_OK)
        return err_set(msg, e, "the ledger's state cannot be read");
    m = mp_over(b.p, b.len);
    mp_get_array(&m);
    mp_get_u64(&m);
    l->epoch.number = (uint32_t)mp_get_u64(&m);
    mp_get_raw(&m, l->epoch.hash, HASH_BYTES);
    l->term = mp_get_u64(&m);
    p = mp_get_bin(&m, &n);
    l->voted = n == DESK_ID_BYTES;
    if (l->voted)
        memcpy(l->voted_for.b, p, DESK_ID_BYTES);
    l->acc_term = mp_get_u64(&m);
    copy_bin(&m, &l->acc);
    copy_bin(&m, &l->trigger);
    progress_get(&m, &l->acc_at);
    copy_bin(&m, &l->decision);
    e = mp_done(&m) ? ERR_OK : err_set(msg, ERR_MALFORMED, "the ledger's state does not parse");
    buf_free(&b);
    if (l->trigger.len > 0 &&
        trigger_open(l->trigger.p, l->trigger.len, roster_branch(l->roster), &t, NULL) == ERR_OK)
        l->trigger_slot = t.slot, l->origin = desk_id_eq(&t.desk, &l->me->id);
    if (l->acc.len > 0 && intent_decode(l->acc.p, l->acc.len, &in, NULL) == ERR_OK) {
        ledger_note_accepted(l, &in);
        intent_free(&in);
    }
    return e;
}

/* The consequences of a decided slot, from a receipt that was checked. */
void ledger_take_decision(struct ledger *l, const struct receipt *r, const struct intent *in)
{
    l->dec = in->slot;
    intent_hash(r->intent, r->intent_len, l->dec_hash);
    if (in->type == SLOT_SEATS) {
        l->n_seats = in->n_seats;
        memcpy(l->seats, in->seats, sizeof l->seats);
    } else if (in->type == SLOT_UPLOAD) {
        l->last_upload = in->slot;
    }
    epochs_enter(l);
    answering_owes(l, r, in);
    if (in->type == SLOT_HORIZON)
        answering_forgets(l, in->back_to);
    l->ask->decided(l->ask->ctx, r, in);
}

static void first_seat(struct ledger *l)
{
    l->n_seats = roster_desks(l->roster) > 0;
    if (l->n_seats)
        l->seats[0] = roster_desk(l->roster, 0)->id;
}

static enum err load_receipts(struct ledger *l, struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e;

    l->dec = l->last_upload = 0;
    l->n_owed = 0;
    memset(l->dec_hash, 0, sizeof l->dec_hash);
    first_seat(l);
    epochs_enter(l);
    for (;;) {
        struct receipt r;
        struct intent in;
        if ((e = ledger_receipt(l, l->dec + 1, &b)) != ERR_OK)
            break;
        if ((e = receipt_decode(b.p, b.len, &r, msg)) != ERR_OK ||
            (e = intent_decode(r.intent, r.intent_len, &in, msg)) != ERR_OK)
            break;
        ledger_take_decision(l, &r, &in);
        intent_free(&in);
    }
    buf_free(&b);
    return e == ERR_MISSING ? ERR_OK : e;
}

enum err ledger_replay(struct ledger *l, struct errmsg *msg)
{
    enum err e;

    if (l->ask->replay)
        l->ask->replay(l->ask->ctx, true);
    e = load_receipts(l, msg);
    if (l->ask->replay)
        l->ask->replay(l->ask->ctx, false);
    return e;
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
    if ((e = load_state(l, msg)) != ERR_OK || (e = epochs_load(l, msg)) != ERR_OK ||
        (e = load_receipts(l, msg)) != ERR_OK) {
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
    mp_put_u64(b, l->epoch.number);
    mp_put_bin(b, l->epoch.hash, HASH_BYTES);
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

void ledger_drop_trigger(struct ledger *l)
{
    if (l->trigger.len == 0)
        return;
    buf_reset(&l->trigger);
    l->origin = false;
    ledger_persist(l);
}

/* A desk that was away when an upload turned out empty must not begin one days later. */
bool ledger_is_stale(int64_t made_ms, const struct ledger_moment *now)
{
    return now->wall_ms - made_ms > TRIGGER_LIFE_MS || made_ms - now->wall_ms > TRIGGER_LIFE_MS;
}

static void forget_stale_trigger(struct ledger *l, const struct ledger_moment *now)
{
    struct trigger t;

    if (l->trigger.len > 0 && l->acc.len == 0 &&
        (trigger_open(l->trigger.p, l->trigger.len, roster_branch(l->roster), &t, NULL) != ERR_OK ||
         ledger_is_stale(t.made_ms, now)))
        ledger_drop_trigger(l);
}

/* Where the upload is another desk's work, that desk finds out alone that nothing is left to send.
 */
static void forget_idle_trigger(struct ledger *l, const struct ledger_moment *now)
{
    struct intent in = { 0 };
    bool over;

    if (l->trigger.len == 0 || l->acc.len > 0 || ledger_may_upload(l) || now->boot_ms < l->look_at)
        return;
    l->look_at = now->boot_ms + 4 * LEDGER_RETRY_MS;
    over = now->boot_ms >= l->idle_from; /* that desk may know less of what is released */
    if ((over || l->ask->gathered(l->ask->ctx)) && l->ask->cut(l->ask->ctx, &in, NULL) == ERR_OK &&
        (over ? in.n_ranges == 0 : intent_sends_nothing(&in)))
        ledger_drop_trigger(l);
    intent_free(&in);
}

static enum err take_trigger(struct ledger *l, const struct ledger_moment *now, const uint8_t *p,
                             size_t n, bool here, struct errmsg *msg)
{
    struct trigger t;
    struct buf copy = { 0 };
    enum err e = trigger_open(p, n, roster_branch(l->roster), &t, msg);
    bool fresh;

    if (e != ERR_OK)
        return e;
    if (l->forgot)
        return err_set(
            msg, ERR_REFUSED,
            "this desk lost its memory and has no say in uploads: press at another desk");
    if (!roster_is_lead(l->roster, t.lead_pk))
        return err_set(msg, ERR_DENIED, "the key that signed this is not a lead's");
    if (ledger_is_stale(t.made_ms, now))
        return err_set(msg, ERR_REFUSED, "a lead's word of more than an hour ago: ask again");
    if (!ledger_same_epoch(l, t.epoch.number, t.epoch.hash) || t.slot <= l->last_upload)
        return err_set(msg, ERR_EXISTS, "slot %llu is decided already", (unsigned long long)t.slot);
    if (!here && trouble_was_stopped(l, p, n))
        return ERR_OK; /* said again by a desk that does not know yet */
    fresh = l->trigger.len == 0;
    l->stopped = false;
    ledger_set_problem(l, "");
    if (fresh || here) {
        buf_add(&copy, p, n);
        buf_free(&l->trigger);
        l->trigger = copy;
        l->trigger_slot = t.slot;
        l->idle_from = now->boot_ms + GATHER_MAX_MS;
        l->origin = here;
        ledger_persist(l);
    }
    if (l->state == LEDGER_IDLE && (here || (fresh && handover_is_only_ours(l))))
        l->next_try = now->boot_ms;
    else if (fresh && l->state == LEDGER_IDLE && ledger_may_upload(l) &&
             /* repetitions put nothing off, or nobody stands */
             l->next_try < now->boot_ms + LEASE_PROMISE_MS)
        l->next_try = now->boot_ms + LEASE_PROMISE_MS + ledger_roll(l, 500, 1500);
    return ERR_OK;
}

static void spread_trigger(struct ledger *l)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_TRIGGER, 1);
    mp_put_bin(&b, l->trigger.p, l->trigger.len);
    ledger_send_all(l, &b);
    buf_free(&b);
}

enum err ledger_trigger(struct ledger *l, const struct ledger_moment *now, const uint8_t *p,
                        size_t n, struct errmsg *msg)
{
    enum err e = take_trigger(l, now, p, n, true, msg);

    if (e == ERR_OK)
        spread_trigger(l);
    return e;
}

/* Those without an epoch of their own. False: none of them. */
static bool take_timeless(struct ledger *l, const struct ledger_moment *now,
                          const struct desk_id *from, unsigned type, struct mp *m)
{
    uint64_t slot;
    size_t n = 0;
    const uint8_t *p;

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
        p = mp_get_bin(m, &n);
        if (!m->bad)
            take_trigger(l, now, p, n, false, NULL);
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
        first_seat(l); /* the roster came after us */
    handover_spread_decision(l, now);
    answering_tick(l, now);
    pause_tick(l, now);
    switch (l->state) {
    case LEDGER_IDLE:
        evidence_tick(l, now);
        trouble_tick(l, now);
        if (now->boot_ms >= l->next_try)
            forget_stale_trigger(l, now);
        forget_idle_trigger(l, now);
        if (l->origin && now->boot_ms >= l->retry_at) {
            spread_trigger(l);
            l->retry_at = now->boot_ms + 4 * LEDGER_RETRY_MS;
        }
        if (ledger_has_work(l) && !l->stopped && !l->forgot && me && me->state == DESK_ACTIVE &&
            now->boot_ms >= l->next_try &&
            (now->boot_ms >= l->promise_until || desk_id_eq(&l->promised_to, &l->me->id)))
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

void ledger_may_vote(struct ledger *l, bool yes)
{
    l->may_vote = yes;
}

void ledger_has_forgotten(struct ledger *l, bool yes)
{
    l->forgot = yes;
    if (yes)
        ledger_drop_trigger(l);
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

enum err ledger_slot_hash(const struct ledger *l, uint64_t slot, uint8_t hash[HASH_BYTES])
{
    struct buf b = { 0 };
    struct receipt r;
    enum err e = ledger_receipt(l, slot, &b);

    if (e == ERR_OK && (e = receipt_decode(b.p, b.len, &r, NULL)) == ERR_OK)
        intent_hash(r.intent, r.intent_len, hash);
    buf_free(&b);
    return e;
}

enum err ledger_receipt(const struct ledger *l, uint64_t slot, struct buf *out)
{
    uint8_t key[8];

    put_be64(key, slot);
    return l->disk->get(l->disk->ctx, TABLE_SLOTS, key, sizeof key, out);
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
