/* ledger.c - the consensus register and its lease. Rules L1 to L9 stand in ledger.h. */
#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

struct ledger {
    const struct ident *me;
    const struct roster *roster;
    const struct disk *disk;
    struct effects *fx;
    const struct ledger_ask *ask;

    /* on disk before any answer leaves (one META value) */
    struct epoch epoch;
    uint64_t term;
    bool voted;
    struct desk_id voted_for; /* in `term` */
    uint64_t acc_term;
    struct buf acc;           /* accepted intent of slot dec + 1; empty: none */
    struct buf trigger;       /* a lead's, not yet satisfied; empty: none */

    /* what the receipts say */
    uint64_t dec, last_upload;
    uint8_t dec_hash[HASH_BYTES];
    unsigned n_seats;
    struct desk_id seats[SEATS_MAX];

    /* gone with a restart */
    enum ledger_state state;
    uint64_t trigger_slot;
    uint64_t grace_until, promise_until, heard_leader;
    struct desk_id promised_to;
    bool may_vote, stopped, origin;
    uint64_t next_try, asked_at, retry_at, lease_until, renew_at, since, quiet_until;
    unsigned yes;               /* bit per seat, for the question under way */
    uint64_t best_acc_term;
    struct buf adopt;           /* best accepted intent among the votes */
    struct accepted voucher;    /* who accepted it, in best_acc_term */
    uint64_t renew_id, renew_sent;
    unsigned renew_yes;
    struct intent cur;          /* what is proposed */
    struct buf cur_bytes;
    uint8_t cur_hash[HASH_BYTES];
    bool adopted, delivering;
    unsigned acc_yes;
    struct accepted accepted[SEATS_MAX];
    uint64_t number;            /* of the last build or delivery asked for */
    char problem[256];
};

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
        return "gathering";
    case LEDGER_ACCEPT:
        return "agreed";
    case LEDGER_QUIET:
    case LEDGER_SEND:
        return "sending";
    }
    return "idle";
}

/* ---- small questions ---- */

static int seat_of(const struct ledger *l, const struct desk_id *id)
{
    for (unsigned i = 0; i < l->n_seats; i++)
        if (desk_id_eq(&l->seats[i], id))
            return (int)i;
    return -1;
}

static bool is_majority(const struct ledger *l, unsigned bits)
{
    unsigned n = 0;

    for (unsigned i = 0; i < l->n_seats; i++)
        n += bits >> i & 1;
    return n >= l->n_seats / 2 + 1;
}

static bool leads(const struct ledger *l)
{
    return l->state >= LEDGER_GATHER;
}

static bool same_epoch(const struct ledger *l, uint64_t number, const uint8_t *hash)
{
    return number == l->epoch.number && memcmp(hash, l->epoch.hash, HASH_BYTES) == 0;
}

static unsigned seats_wanted(const struct ledger *l, struct desk_id out[SEATS_MAX])
{
    return roster_seats_wanted(l->roster, l->seats, l->n_seats, out);
}

static bool wants_seats(const struct ledger *l)
{
    struct desk_id want[SEATS_MAX];

    return seats_wanted(l, want) != l->n_seats;
}

/* Has this desk a reason to stand? An open slot must be finished whatever the reason it began. */
static bool has_work(const struct ledger *l)
{
    return l->acc.len > 0 || l->trigger.len > 0 || wants_seats(l);
}

static uint64_t roll(const struct ledger *l, uint64_t from, uint64_t to)
{
    uint64_t r;

    l->ask->dice(l->ask->ctx, &r, sizeof r);
    return from + r % (to - from);
}

static void set_problem(struct ledger *l, const char *words)
{
    snprintf(l->problem, sizeof l->problem, "%s", words ? words : "");
}

/* ---- disk ---- */

static const uint8_t ledger_key[] = { 'L' };

static void persist(struct ledger *l)
{
    struct buf b = { 0 };

    mp_put_array(&b, 8);
    mp_put_u64(&b, 1);
    mp_put_u64(&b, l->epoch.number);
    mp_put_bin(&b, l->epoch.hash, HASH_BYTES);
    mp_put_u64(&b, l->term);
    mp_put_bin(&b, l->voted_for.b, l->voted ? DESK_ID_BYTES : 0);
    mp_put_u64(&b, l->acc_term);
    mp_put_bin(&b, l->acc.p, l->acc.len);
    mp_put_bin(&b, l->trigger.p, l->trigger.len);
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

static enum err load_state(struct ledger *l, struct errmsg *msg)
{
    struct buf b = { 0 };
    struct mp m;
    struct trigger t;
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
    e = mp_done(&m) ? ERR_OK : err_set(msg, ERR_MALFORMED, "the ledger's state does not parse");
    buf_free(&b);
    if (l->trigger.len > 0 &&
        trigger_open(l->trigger.p, l->trigger.len, roster_branch(l->roster), &t, NULL) == ERR_OK)
        l->trigger_slot = t.slot;
    return e;
}

/* The consequences of a decided slot, from a receipt that was checked. */
static void take_decision(struct ledger *l, const struct receipt *r, const struct intent *in)
{
    l->dec = in->slot;
    intent_hash(r->intent, r->intent_len, l->dec_hash);
    if (in->type == SLOT_SEATS) {
        l->n_seats = in->n_seats;
        memcpy(l->seats, in->seats, sizeof l->seats);
    } else {
        l->last_upload = in->slot;
    }
    l->ask->decided(l->ask->ctx, in);
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

    first_seat(l);
    for (;;) {
        struct receipt r;
        struct intent in;
        if ((e = ledger_receipt(l, l->dec + 1, &b)) != ERR_OK)
            break;
        if ((e = receipt_decode(b.p, b.len, &r, msg)) != ERR_OK ||
            (e = intent_decode(r.intent, r.intent_len, &in, msg)) != ERR_OK)
            break;
        take_decision(l, &r, &in);
        intent_free(&in);
    }
    buf_free(&b);
    return e == ERR_MISSING ? ERR_OK : e;
}

enum err ledger_open(const struct ident *me, const struct roster *roster, const struct disk *disk,
                     struct effects *fx, const struct ledger_ask *ask,
                     const struct ledger_moment *now, struct ledger **out, struct errmsg *msg)
{
    struct ledger *l = calloc(1, sizeof *l);
    enum err e;

    if (!l)
        return err_set(msg, ERR_NOMEM, "out of memory");
    l->me = me;
    l->roster = roster;
    l->disk = disk;
    l->fx = fx;
    l->ask = ask;
    if ((e = load_receipts(l, msg)) != ERR_OK || (e = load_state(l, msg)) != ERR_OK) {
        ledger_close(l);
        return e;
    }
    l->grace_until = now->boot_ms + LEASE_PROMISE_MS; /* L7 */
    l->next_try = now->boot_ms + roll(l, 500, 1500);
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
    buf_free(&l->adopt);
    buf_free(&l->cur_bytes);
    free(l);
}

/* ---- sending ---- */

static void send_to(struct ledger *l, const struct desk_id *to, struct buf *b)
{
    effects_add(l->fx, EFFECT_SEND, to, 0, b);
}

static void send_to_seats(struct ledger *l, const struct buf *b, unsigned except)
{
    for (unsigned i = 0; i < l->n_seats; i++) {
        struct buf copy = { 0 };
        if (except >> i & 1)
            continue;
        buf_add(&copy, b->p, b->len);
        send_to(l, &l->seats[i], &copy);
    }
}

static void send_to_all(struct ledger *l, const struct buf *b)
{
    for (unsigned i = 0; i < roster_desks(l->roster); i++) {
        const struct desk *d = roster_desk(l->roster, i);
        struct buf copy = { 0 };
        if (d->state != DESK_ACTIVE || desk_id_eq(&d->id, &l->me->id))
            continue;
        buf_add(&copy, b->p, b->len);
        send_to(l, &d->id, &copy);
    }
}

/* [.., epoch number, epoch hash, term, decided] opens every question and answer of an election. */
static void begin(struct ledger *l, struct buf *b, enum wire_type type, unsigned more,
                  uint64_t term)
{
    wire_begin(b, type, 4 + more);
    mp_put_u64(b, l->epoch.number);
    mp_put_bin(b, l->epoch.hash, HASH_BYTES);
    mp_put_u64(b, term);
    mp_put_u64(b, l->dec);
}

static void send_receipts(struct ledger *l, const struct desk_id *to, uint64_t from)
{
    struct buf r = { 0 };

    for (uint64_t s = from; s <= l->dec && s < from + 16; s++) {
        struct buf b = { 0 };
        if (ledger_receipt(l, s, &r) != ERR_OK)
            break;
        wire_begin(&b, WIRE_RECEIPT, 2);
        mp_put_u64(&b, s);
        mp_put_bin(&b, r.p, r.len);
        send_to(l, to, &b);
    }
    buf_free(&r);
}

static void ask_for_slots(struct ledger *l, const struct desk_id *from)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_SLOTS_WANT, 1);
    mp_put_u64(&b, l->dec + 1);
    send_to(l, from, &b);
}

/* ---- standing ---- */

static void to_idle(struct ledger *l, const struct ledger_moment *now, uint64_t wait_ms)
{
    l->state = LEDGER_IDLE;
    l->adopted = l->delivering = false;
    l->number++; /* answers to what was asked for before mean nothing now */
    l->next_try = now->boot_ms + wait_ms + roll(l, 500, 1500);
}

static void ask_seats(struct ledger *l, const struct ledger_moment *now, enum wire_type type,
                      uint64_t term)
{
    struct buf b = { 0 };

    begin(l, &b, type, 0, term);
    send_to_seats(l, &b, l->yes);
    buf_free(&b);
    l->retry_at = now->boot_ms + LEDGER_RETRY_MS;
}

static void stand(struct ledger *l, const struct ledger_moment *now)
{
    l->state = LEDGER_PREVOTE;
    l->yes = 0;
    l->since = now->boot_ms;
    ask_seats(l, now, WIRE_PREVOTE, l->term + 1);
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
    persist(l);
    ask_seats(l, now, WIRE_VOTE, l->term);
}

/* Only ever towards a higher term; leadership and candidacy of the old one end here. */
static void enter_term(struct ledger *l, const struct ledger_moment *now, uint64_t term,
                       const struct desk_id *leader)
{
    if (term > l->term && l->state != LEDGER_IDLE && !desk_id_eq(leader, &l->me->id))
        to_idle(l, now, LEASE_PROMISE_MS);
    l->term = term;
    l->voted = true;
    l->voted_for = *leader;
    persist(l);
}

static void promise(struct ledger *l, const struct ledger_moment *now, const struct desk_id *to)
{
    l->promise_until = now->boot_ms + LEASE_PROMISE_MS;
    l->promised_to = *to;
    l->heard_leader = now->boot_ms;
}

static bool would_vote(const struct ledger *l, const struct ledger_moment *now,
                       const struct desk_id *for_whom, uint64_t their_dec)
{
    if (seat_of(l, &l->me->id) < 0 || !l->may_vote || now->boot_ms < l->grace_until)
        return false; /* L7 */
    if (now->boot_ms < l->promise_until && !desk_id_eq(for_whom, &l->promised_to))
        return false; /* L2 */
    return their_dec >= l->dec;
}

static void on_prevote(struct ledger *l, const struct ledger_moment *now,
                       const struct desk_id *from, uint64_t term, uint64_t dec)
{
    struct buf b = { 0 };

    if (dec < l->dec)
        send_receipts(l, from, dec + 1);
    if (dec > l->dec)
        ask_for_slots(l, from);
    begin(l, &b, WIRE_PREVOTED, 1, l->term);
    mp_put_bool(&b, term > l->term && would_vote(l, now, from, dec));
    send_to(l, from, &b);
}

static void on_prevoted(struct ledger *l, const struct ledger_moment *now,
                        const struct desk_id *from, uint64_t term, bool yes)
{
    int seat = seat_of(l, from);

    if (l->state != LEDGER_PREVOTE || seat < 0)
        return;
    if (term > l->term) { /* the next attempt must be above what any seat has seen */
        l->term = term;
        l->voted = false;
        persist(l);
        to_idle(l, now, 0);
        return;
    }
    if (yes)
        l->yes |= 1u << seat;
    if (is_majority(l, l->yes))
        become_candidate(l, now);
}

static void sign_accepted(const struct ledger *l, const uint8_t *acc, size_t n, uint64_t slot,
                          uint64_t term, uint8_t sig[SIG_BYTES])
{
    uint8_t hash[HASH_BYTES];

    intent_hash(acc, n, hash);
    accepted_sign(roster_branch(l->roster), slot, term, hash, l->me->sign_sk, sig);
}

/* Did this seat accept this intent in that term? */
static bool vouches(const struct ledger *l, const struct accepted *a, const uint8_t *p, size_t n,
                    uint64_t slot, uint64_t term)
{
    const struct desk *d = roster_find(l->roster, &a->desk);
    uint8_t hash[HASH_BYTES];

    intent_hash(p, n, hash);
    return d && seat_of(l, &a->desk) >= 0 &&
           accepted_ok(roster_branch(l->roster), slot, term, hash, d->sign_pk, a->sig);
}

static void on_vote(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                    uint64_t term, uint64_t dec)
{
    struct buf b = { 0 };
    uint8_t sig[SIG_BYTES] = { 0 };
    bool again = term == l->term && l->voted && desk_id_eq(&l->voted_for, from);
    bool own = term == l->term && !l->voted && desk_id_eq(from, &l->me->id);
    bool yes = (term > l->term || again || own) && would_vote(l, now, from, dec);

    if (dec < l->dec)
        send_receipts(l, from, dec + 1);
    if (yes) {
        enter_term(l, now, term, from); /* L1: on disk before the answer leaves */
        promise(l, now, from);
    }
    if (l->acc.len > 0)
        sign_accepted(l, l->acc.p, l->acc.len, l->dec + 1, l->acc_term, sig);
    begin(l, &b, WIRE_VOTED, 4, l->term);
    mp_put_bool(&b, yes);
    mp_put_u64(&b, l->acc_term);
    mp_put_bin(&b, l->acc.p, l->acc.len);
    mp_put_bin(&b, sig, sizeof sig);
    send_to(l, from, &b);
}

static void lead_begins(struct ledger *l, const struct ledger_moment *now);

static void on_voted(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                     uint64_t term, struct mp *m)
{
    bool yes = mp_get_bool(m);
    uint64_t acc_term = mp_get_u64(m);
    size_t n = 0;
    const uint8_t *acc = mp_get_bin(m, &n);
    struct accepted by = { .desk = *from };
    struct intent in;
    int seat = seat_of(l, from);

    mp_get_raw(m, by.sig, sizeof by.sig);
    if (m->bad || l->state != LEDGER_CANDIDATE || seat < 0 || !yes || term != l->term)
        return;
    /* L5: what a seat accepted for this slot must be finished, not replaced. */
    if (n > 0 && acc_term >= l->best_acc_term && intent_decode(acc, n, &in, NULL) == ERR_OK) {
        if (in.slot == l->dec + 1 && vouches(l, &by, acc, n, in.slot, acc_term)) {
            l->best_acc_term = acc_term;
            l->voucher = by;
            buf_reset(&l->adopt);
            buf_add(&l->adopt, acc, n);
        }
        intent_free(&in);
    }
    l->yes |= 1u << seat;
    if (is_majority(l, l->yes))
        lead_begins(l, now);
}

/* ---- leading ---- */

static void send_renew(struct ledger *l, const struct ledger_moment *now)
{
    struct buf b = { 0 };

    l->renew_id++;
    l->renew_yes = 0;
    l->renew_sent = now->boot_ms;
    l->renew_at = now->boot_ms + LEASE_RENEW_MS;
    begin(l, &b, WIRE_RENEW, 1, l->term);
    mp_put_u64(&b, l->renew_id);
    send_to_seats(l, &b, 0);
    buf_free(&b);
}

static void on_renew(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                     uint64_t term, uint64_t id)
{
    struct buf b = { 0 };

    if (!l->may_vote || term < l->term ||
        (term == l->term && l->voted && !desk_id_eq(&l->voted_for, from)))
        return;
    if (term > l->term || !l->voted)
        enter_term(l, now, term, from);
    promise(l, now, from);
    begin(l, &b, WIRE_RENEWED, 1, term);
    mp_put_u64(&b, id);
    send_to(l, from, &b);
}

static void on_renewed(struct ledger *l, const struct desk_id *from, uint64_t term, uint64_t id)
{
    int seat = seat_of(l, from);

    if (!leads(l) || term != l->term || id != l->renew_id || seat < 0)
        return;
    l->renew_yes |= 1u << seat;
    if (is_majority(l, l->renew_yes) && l->renew_sent + LEASE_OWN_MS > l->lease_until)
        l->lease_until = l->renew_sent + LEASE_OWN_MS; /* from the sending of the question */
}

static void resign(struct ledger *l, const struct ledger_moment *now, uint64_t wait_ms)
{
    struct buf b = { 0 };

    begin(l, &b, WIRE_RESIGN, 0, l->term);
    send_to_all(l, &b);
    buf_free(&b);
    if (desk_id_eq(&l->promised_to, &l->me->id))
        l->promise_until = 0;
    to_idle(l, now, wait_ms);
}

static void drop_trigger(struct ledger *l)
{
    if (l->trigger.len == 0)
        return;
    buf_reset(&l->trigger);
    l->origin = false;
    persist(l);
}

static void send_accept(struct ledger *l, const struct ledger_moment *now)
{
    struct buf b = { 0 };

    begin(l, &b, WIRE_ACCEPT, 4, l->term);
    mp_put_bin(&b, l->cur_bytes.p, l->cur_bytes.len);
    mp_put_bin(&b, l->voucher.desk.b, l->adopted ? DESK_ID_BYTES : 0);
    mp_put_u64(&b, l->adopted ? l->best_acc_term : 0);
    mp_put_bin(&b, l->voucher.sig, l->adopted ? SIG_BYTES : 0);
    send_to_seats(l, &b, l->acc_yes);
    buf_free(&b);
    l->retry_at = now->boot_ms + LEDGER_RETRY_MS;
}

static void propose(struct ledger *l, const struct ledger_moment *now)
{
    l->state = LEDGER_ACCEPT;
    l->since = now->boot_ms;
    l->acc_yes = 0;
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
    l->cur.n_seats = seats_wanted(l, l->cur.seats);
    encode_current(l);
    propose(l, now);
}

static void build(struct ledger *l, const struct ledger_moment *now)
{
    struct errmsg msg = { .text = "" };
    struct buf draft = { 0 };

    fill_intent(l, SLOT_UPLOAD);
    if (l->ask->cut(l->ask->ctx, &l->cur, &msg) != ERR_OK) {
        set_problem(l, msg.text);
        l->stopped = true;
        drop_trigger(l); /* a person was told; pressing again tries again */
        resign(l, now, LEASE_MS);
        return;
    }
    if (l->cur.n_ranges == 0) { /* nothing new since the last slot */
        drop_trigger(l);
        resign(l, now, 0);
        return;
    }
    buf_add(&l->cur.trigger, l->trigger.p, l->trigger.len);
    l->state = LEDGER_BUILD;
    l->since = now->boot_ms;
    intent_encode(&l->cur, &draft);
    effects_add(l->fx, EFFECT_BUILD, NULL, ++l->number, &draft);
}

/* What an uploader does first, and again after each slot. */
static void next_work(struct ledger *l, const struct ledger_moment *now)
{
    l->adopted = false;
    l->since = now->boot_ms;
    if (l->adopt.len > 0) { /* L5 */
        intent_free(&l->cur);
        if (intent_decode(l->adopt.p, l->adopt.len, &l->cur, NULL) == ERR_OK) {
            buf_reset(&l->cur_bytes);
            buf_add(&l->cur_bytes, l->adopt.p, l->adopt.len);
            l->adopted = true;
            propose(l, now);
            return;
        }
    }
    if (wants_seats(l))
        propose_seats(l, now);
    else if (l->trigger.len > 0)
        l->state = LEDGER_GATHER;
    else
        resign(l, now, 0);
}

static void lead_begins(struct ledger *l, const struct ledger_moment *now)
{
    l->lease_until = l->asked_at + LEASE_OWN_MS;
    l->renew_yes = 0;
    l->quiet_until = 0;
    set_problem(l, "");
    l->state = LEDGER_GATHER;
    effects_event(l->fx, "elected uploader for slot %llu, term %llu",
                  (unsigned long long)l->dec + 1, (unsigned long long)l->term);
    send_renew(l, now);
    next_work(l, now);
}

/* ---- accepting ---- */

static enum err check_upload(const struct ledger *l, const struct intent *in, bool adopted,
                             struct errmsg *msg)
{
    struct trigger t;
    enum err e;

    if (in->rules == 0 || in->rules > POLICY_RULES || !roster_policy_by_hash(l->roster, in->policy))
        return err_set(msg, ERR_REFUSED, "rules or a policy that this desk does not know");
    if ((e = trigger_open(in->trigger.p, in->trigger.len, roster_branch(l->roster), &t, msg)))
        return e;
    if ((!adopted && !roster_is_lead(l->roster, t.lead_pk)) || t.slot > in->slot ||
        t.slot <= l->last_upload)
        return err_set(msg, ERR_DENIED, "no lead asked for this upload");
    return l->ask->holds(l->ask->ctx, in, adopted, msg); /* L3 */
}

/* Not compared with what this desk would propose: the roster may have grown since, and an accepted
 * intent must stay acceptable. Every added seat is one that a lead named; none is taken away. */
static enum err check_seats(const struct ledger *l, const struct intent *in, struct errmsg *msg)
{
    bool ok = in->n_seats > l->n_seats && in->n_seats % 2 == 1 && in->n_ranges == 0 &&
              memcmp(in->seats, l->seats, l->n_seats * sizeof in->seats[0]) == 0;

    for (unsigned i = l->n_seats; ok && i < in->n_seats; i++) {
        const struct desk *d = roster_find(l->roster, &in->seats[i]);
        ok = d && d->seat;
        for (unsigned k = 0; k < i; k++)
            ok = ok && !desk_id_eq(&in->seats[k], &in->seats[i]);
    }
    return ok ? ERR_OK : err_set(msg, ERR_REFUSED, "seats that the roster here does not ask for");
}

static enum err check_intent(const struct ledger *l, const struct intent *in, bool adopted,
                             struct errmsg *msg)
{
    if (memcmp(in->branch, roster_branch(l->roster), BRANCH_ID_BYTES) != 0 ||
        !same_epoch(l, in->epoch.number, in->epoch.hash))
        return err_set(msg, ERR_DENIED, "an intent of another branch or epoch");
    if (in->slot != l->dec + 1 || memcmp(in->prev, l->dec_hash, HASH_BYTES) != 0)
        return err_set(msg, ERR_REFUSED, "an intent that does not follow the last receipt"); /* L6 */
    return in->type == SLOT_SEATS ? check_seats(l, in, msg)
                                  : check_upload(l, in, adopted, msg);
}

static void answer_accepted(struct ledger *l, const struct desk_id *to, const uint8_t *acc,
                            size_t n, uint64_t slot, uint64_t term)
{
    uint8_t sig[SIG_BYTES];
    struct buf b = { 0 };

    sign_accepted(l, acc, n, slot, term, sig);
    begin(l, &b, WIRE_ACCEPTED, 2, term);
    mp_put_u64(&b, slot);
    mp_put_bin(&b, sig, sizeof sig);
    send_to(l, to, &b);
}

/* An intent that some seat accepted before is finished as it is, though the roster may have changed
 * since; a proposer's word for that is not enough. */
static bool is_adopted(const struct ledger *l, const struct intent *in, const uint8_t *p, size_t n,
                       uint64_t term, struct mp *m)
{
    struct accepted by;
    size_t desk_n = 0, sig_n = 0;
    const uint8_t *desk = mp_get_bin(m, &desk_n), *sig;
    uint64_t acc_term = mp_get_u64(m);

    sig = mp_get_bin(m, &sig_n);
    if (l->acc.len == n && memcmp(l->acc.p, p, n) == 0)
        return true;
    if (m->bad || desk_n != DESK_ID_BYTES || sig_n != SIG_BYTES || acc_term >= term)
        return false;
    memcpy(by.desk.b, desk, desk_n);
    memcpy(by.sig, sig, sig_n);
    return vouches(l, &by, p, n, in->slot, acc_term);
}

static void on_accept(struct ledger *l, const struct ledger_moment *now,
                      const struct desk_id *from, uint64_t term, uint64_t their_dec, struct mp *m)
{
    size_t n = 0;
    const uint8_t *p = mp_get_bin(m, &n);
    struct intent in;
    struct errmsg msg = { .text = "" };
    enum err e;

    if (m->bad || seat_of(l, &l->me->id) < 0 || !l->may_vote || term < l->term ||
        (term == l->term && l->voted && !desk_id_eq(&l->voted_for, from)))
        return;
    if (their_dec > l->dec) {
        ask_for_slots(l, from);
        return;
    }
    if (intent_decode(p, n, &in, &msg) != ERR_OK)
        return;
    if (term > l->term || !l->voted)
        enter_term(l, now, term, from);
    promise(l, now, from);
    if ((e = check_intent(l, &in, is_adopted(l, &in, p, n, term, m), &msg)) == ERR_OK) {
        struct buf copy = { 0 };
        buf_add(&copy, p, n);
        buf_free(&l->acc);
        l->acc = copy;
        l->acc_term = term;
        persist(l);
        answer_accepted(l, from, l->acc.p, l->acc.len, in.slot, term);
    } else {
        struct buf b = { 0 };
        begin(l, &b, WIRE_REFUSED, 2, term);
        mp_put_u64(&b, in.slot);
        mp_put_str(&b, msg.text);
        send_to(l, from, &b);
    }
    intent_free(&in);
}

static void deliver(struct ledger *l, const struct ledger_moment *now)
{
    struct buf copy = { 0 };
    struct errmsg msg = { .text = "" };

    if (l->lease_until < now->boot_ms + LEASE_LEFT_MS)
        return; /* the next renewal brings us back here */
    if (l->ask->holds(l->ask->ctx, &l->cur, l->adopted, &msg) != ERR_OK) {
        set_problem(l, msg.text); /* a majority holds all of an adopted cut; we are catching up */
        l->retry_at = now->boot_ms + LEDGER_RETRY_MS;
        return;
    }
    l->delivering = true;
    l->since = now->boot_ms;
    buf_add(&copy, l->cur_bytes.p, l->cur_bytes.len);
    effects_add(l->fx, EFFECT_DELIVER, NULL, ++l->number, &copy);
}

static void write_receipt(struct ledger *l, const struct ledger_moment *now, const char *evidence);

static void send_or_wait(struct ledger *l, const struct ledger_moment *now)
{
    const struct policy *p = roster_policy_by_hash(l->roster, l->cur.policy);

    if (l->cur.type == SLOT_SEATS) {
        write_receipt(l, now, "");
        return;
    }
    l->state = LEDGER_SEND;
    l->delivering = false;
    if (l->adopted) { /* what a dead uploader sent may still be on its way */
        l->state = LEDGER_QUIET;
        l->quiet_until = now->boot_ms + (p ? p->quiet_ms : 30000);
        return;
    }
    deliver(l, now);
}

static void on_accepted(struct ledger *l, const struct ledger_moment *now,
                        const struct desk_id *from, uint64_t term, struct mp *m)
{
    uint64_t slot = mp_get_u64(m);
    uint8_t sig[SIG_BYTES];
    int seat = seat_of(l, from);
    const struct desk *d = roster_find(l->roster, from);

    mp_get_raw(m, sig, sizeof sig);
    if (m->bad || l->state != LEDGER_ACCEPT || term != l->term || slot != l->cur.slot || seat < 0 ||
        !d || !accepted_ok(roster_branch(l->roster), slot, term, l->cur_hash, d->sign_pk, sig))
        return;
    l->acc_yes |= 1u << seat;
    l->accepted[seat].desk = *from;
    memcpy(l->accepted[seat].sig, sig, SIG_BYTES);
    if (is_majority(l, l->acc_yes)) { /* L4 */
        set_problem(l, "");
        send_or_wait(l, now);
    }
}

static void on_refused(struct ledger *l, const struct desk_id *from, uint64_t term, struct mp *m)
{
    uint64_t slot = mp_get_u64(m);
    char words[160];
    const struct desk *d = roster_find(l->roster, from);

    mp_get_str(m, words, sizeof words);
    if (!m->bad && l->state == LEDGER_ACCEPT && term == l->term && slot == l->cur.slot && d)
        snprintf(l->problem, sizeof l->problem, "%s cannot accept yet: %s", d->name, words);
}

/* ---- receipts ---- */

static void settle(struct ledger *l, const struct ledger_moment *now, const uint8_t *bytes,
                   size_t n, const struct receipt *r, const struct intent *in)
{
    uint8_t key[8];

    put_be64(key, in->slot);
    l->disk->put(l->disk->ctx, TABLE_SLOTS, key, sizeof key, bytes, n);
    take_decision(l, r, in);
    buf_reset(&l->acc); /* an intent of a decided slot: a register, not a log */
    buf_reset(&l->adopt);
    l->acc_term = 0;
    l->stopped = false;
    if (l->trigger.len > 0 && in->type == SLOT_UPLOAD && l->trigger_slot <= in->slot) {
        buf_reset(&l->trigger);
        l->origin = false;
    }
    persist(l);
    if (in->type == SLOT_UPLOAD)
        effects_add(l->fx, EFFECT_PERIOD, NULL, in->slot, NULL);
    effects_event(l->fx, in->type == SLOT_SEATS ? "slot %llu decided: %u seats"
                                                : "slot %llu delivered: %u ranges",
                  (unsigned long long)in->slot,
                  in->type == SLOT_SEATS ? in->n_seats : in->n_ranges);
    l->next_try = now->boot_ms + roll(l, 200, 700);
}

static void send_receipt_to_all(struct ledger *l, uint64_t slot, const struct buf *receipt)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_RECEIPT, 2);
    mp_put_u64(&b, slot);
    mp_put_bin(&b, receipt->p, receipt->len);
    send_to_all(l, &b);
    buf_free(&b);
}

static void write_receipt(struct ledger *l, const struct ledger_moment *now, const char *evidence)
{
    struct receipt r = { .intent = l->cur_bytes.p, .intent_len = l->cur_bytes.len,
                         .term = l->term, .desk = l->me->id, .at_ms = now->wall_ms };
    struct buf b = { 0 };
    bool seats = l->cur.type == SLOT_SEATS;

    for (unsigned i = 0; i < l->n_seats; i++)
        if (l->acc_yes >> i & 1)
            r.accepted[r.n_accepted++] = l->accepted[i];
    snprintf(r.evidence, sizeof r.evidence, "%s", evidence);
    receipt_encode(&r, l->me->sign_sk, &b);
    settle(l, now, b.p, b.len, &r, &l->cur);
    send_receipt_to_all(l, l->cur.slot, &b);
    buf_free(&b);
    if (seats)
        resign(l, now, 0); /* L9: votes of the old seats elect nobody under the new ones */
    else
        next_work(l, now);
}

static void on_receipt(struct ledger *l, const struct ledger_moment *now,
                       const struct desk_id *from, struct mp *m)
{
    uint64_t slot = mp_get_u64(m);
    size_t n = 0;
    const uint8_t *p = mp_get_bin(m, &n);
    struct receipt r;
    struct intent in;
    struct errmsg msg = { .text = "" };

    if (m->bad || slot <= l->dec)
        return;
    if (slot > l->dec + 1) {
        ask_for_slots(l, from);
        return;
    }
    if (receipt_open(p, n, l->roster, l->seats, l->n_seats, &r, &msg) != ERR_OK) { /* L8 */
        effects_event(l->fx, "refused a receipt for slot %llu: %s", (unsigned long long)slot,
                      msg.text);
        return;
    }
    if (intent_decode(r.intent, r.intent_len, &in, NULL) != ERR_OK)
        return;
    if (in.slot == slot && memcmp(in.prev, l->dec_hash, HASH_BYTES) == 0 &&
        same_epoch(l, in.epoch.number, in.epoch.hash)) {
        settle(l, now, p, n, &r, &in);
        if (l->state != LEDGER_IDLE)
            to_idle(l, now, 0); /* somebody else finished what we stood for */
    }
    intent_free(&in);
}

static void on_resign(struct ledger *l, const struct ledger_moment *now,
                      const struct desk_id *from, uint64_t term)
{
    if (term >= l->term && desk_id_eq(&l->promised_to, from))
        l->promise_until = 0;
    if (l->state == LEDGER_IDLE && has_work(l))
        l->next_try = now->boot_ms + roll(l, 100, 600);
}

/* ---- the lead's word ---- */

static enum err take_trigger(struct ledger *l, const struct ledger_moment *now, const uint8_t *p,
                             size_t n, bool here, struct errmsg *msg)
{
    struct trigger t;
    struct buf copy = { 0 };
    enum err e = trigger_open(p, n, roster_branch(l->roster), &t, msg);

    if (e != ERR_OK)
        return e;
    if (!roster_is_lead(l->roster, t.lead_pk))
        return err_set(msg, ERR_DENIED, "the key that signed this is not a lead's");
    if (!same_epoch(l, t.epoch.number, t.epoch.hash) || t.slot <= l->last_upload)
        return err_set(msg, ERR_EXISTS, "slot %llu is decided already", (unsigned long long)t.slot);
    l->stopped = false;
    set_problem(l, "");
    if (l->trigger.len == 0 || here) {
        buf_add(&copy, p, n);
        buf_free(&l->trigger);
        l->trigger = copy;
        l->trigger_slot = t.slot;
        l->origin = here;
        persist(l);
    }
    if (l->state == LEDGER_IDLE && here)
        l->next_try = now->boot_ms;
    else if (l->state == LEDGER_IDLE && l->next_try < now->boot_ms + LEASE_PROMISE_MS)
        l->next_try = now->boot_ms + LEASE_PROMISE_MS + roll(l, 500, 1500);
    return ERR_OK;
}

static void spread_trigger(struct ledger *l)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_TRIGGER, 1);
    mp_put_bin(&b, l->trigger.p, l->trigger.len);
    send_to_all(l, &b);
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

/* ---- events ---- */

void ledger_message(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                    unsigned type, struct mp *m)
{
    uint64_t number, term, dec;
    uint8_t hash[HASH_BYTES];
    size_t n = 0;
    const uint8_t *p;

    switch (type) { /* those without an epoch of their own */
    case WIRE_RECEIPT:
        on_receipt(l, now, from, m);
        return;
    case WIRE_SLOTS_WANT:
        number = mp_get_u64(m);
        if (!m->bad)
            send_receipts(l, from, number);
        return;
    case WIRE_TRIGGER:
        p = mp_get_bin(m, &n);
        if (!m->bad)
            take_trigger(l, now, p, n, false, NULL);
        return;
    }
    number = mp_get_u64(m);
    mp_get_raw(m, hash, sizeof hash);
    term = mp_get_u64(m);
    dec = mp_get_u64(m);
    if (m->bad || !same_epoch(l, number, hash))
        return;
    switch (type) {
    case WIRE_PREVOTE:
        on_prevote(l, now, from, term, dec);
        break;
    case WIRE_PREVOTED:
        on_prevoted(l, now, from, term, mp_get_bool(m));
        break;
    case WIRE_VOTE:
        on_vote(l, now, from, term, dec);
        break;
    case WIRE_VOTED:
        on_voted(l, now, from, term, m);
        break;
    case WIRE_RENEW:
        on_renew(l, now, from, term, mp_get_u64(m));
        break;
    case WIRE_RENEWED:
        on_renewed(l, from, term, mp_get_u64(m));
        break;
    case WIRE_ACCEPT:
        on_accept(l, now, from, term, dec, m);
        break;
    case WIRE_ACCEPTED:
        on_accepted(l, now, from, term, m);
        break;
    case WIRE_REFUSED:
        on_refused(l, from, term, m);
        break;
    case WIRE_RESIGN:
        on_resign(l, now, from, term);
        break;
    }
}

/* Effects may be dropped like messages. Whoever is elected next finds the accepted intent, waits
 * `quiet`, and delivers it again. */
static void check_overdue(struct ledger *l, const struct ledger_moment *now)
{
    if (now->boot_ms - l->since < LEDGER_ANSWER_MS)
        return;
    set_problem(l, "the upload gave no answer for ten minutes: it is begun anew");
    resign(l, now, 0);
}

static void tick_leader(struct ledger *l, const struct ledger_moment *now)
{
    if (now->boot_ms >= l->lease_until) {
        effects_event(l->fx, "lease over in term %llu", (unsigned long long)l->term);
        to_idle(l, now, LEASE_PROMISE_MS);
        return;
    }
    if (now->boot_ms >= l->renew_at)
        send_renew(l, now);
    switch (l->state) {
    case LEDGER_GATHER:
        if (l->ask->gathered(l->ask->ctx) || now->boot_ms - l->since >= GATHER_MAX_MS)
            build(l, now);
        break;
    case LEDGER_ACCEPT:
        if (now->boot_ms - l->since >= GATHER_MAX_MS)
            resign(l, now, LEASE_MS); /* the problem stays on the screen; another may do better */
        else if (now->boot_ms >= l->retry_at)
            send_accept(l, now);
        break;
    case LEDGER_QUIET:
        if (now->boot_ms >= l->quiet_until) {
            l->state = LEDGER_SEND;
            deliver(l, now);
        }
        break;
    case LEDGER_SEND:
        if (l->delivering)
            check_overdue(l, now);
        else if (now->boot_ms >= l->retry_at)
            deliver(l, now);
        break;
    case LEDGER_BUILD:
        check_overdue(l, now);
        break;
    case LEDGER_IDLE:
    case LEDGER_PREVOTE:
    case LEDGER_CANDIDATE:
        break;
    }
}

void ledger_tick(struct ledger *l, const struct ledger_moment *now)
{
    const struct desk *me = roster_find(l->roster, &l->me->id);

    if (l->n_seats == 0)
        first_seat(l); /* the roster came after us */
    switch (l->state) {
    case LEDGER_IDLE:
        if (l->origin && now->boot_ms >= l->retry_at) {
            spread_trigger(l);
            l->retry_at = now->boot_ms + 4 * LEDGER_RETRY_MS;
        }
        if (has_work(l) && !l->stopped && me && me->state == DESK_ACTIVE &&
            now->boot_ms >= l->next_try &&
            (now->boot_ms >= l->promise_until || desk_id_eq(&l->promised_to, &l->me->id)))
            stand(l, now);
        break;
    case LEDGER_PREVOTE:
    case LEDGER_CANDIDATE:
        if (now->boot_ms - l->since >= LEASE_LEFT_MS) {
            if (l->trigger.len > 0 || l->acc.len > 0) /* a change of seats can wait in silence */
                set_problem(l, "too few seats answer; waiting for a majority");
            to_idle(l, now, 0);
        } else if (now->boot_ms >= l->retry_at) {
            ask_seats(l, now, l->state == LEDGER_PREVOTE ? WIRE_PREVOTE : WIRE_VOTE,
                      l->state == LEDGER_PREVOTE ? l->term + 1 : l->term);
        }
        break;
    case LEDGER_GATHER:
    case LEDGER_BUILD:
    case LEDGER_ACCEPT:
    case LEDGER_QUIET:
    case LEDGER_SEND:
        tick_leader(l, now);
        break;
    }
}

void ledger_may_vote(struct ledger *l, bool yes)
{
    l->may_vote = yes;
}

void ledger_built(struct ledger *l, const struct ledger_moment *now, uint64_t number,
                  const struct slot_part *parts, unsigned n_parts, uint64_t set_aside,
                  const char *failure)
{
    if (l->state != LEDGER_BUILD || number != l->number)
        return; /* the answer to a build we gave up on */
    if (failure) {
        set_problem(l, failure);
        l->stopped = true;
        drop_trigger(l);
        resign(l, now, LEASE_MS);
        return;
    }
    l->cur.n_parts = n_parts;
    l->cur.set_aside = set_aside;
    if (n_parts > 0) /* a batch of which nothing is sent has none */
        memcpy(l->cur.parts, parts, n_parts * sizeof *parts);
    encode_current(l);
    propose(l, now);
}

void ledger_delivered(struct ledger *l, const struct ledger_moment *now, uint64_t number,
                      enum delivery how, const char *words)
{
    if (l->state != LEDGER_SEND || number != l->number || now->boot_ms >= l->lease_until)
        return; /* after the term it is evidence, not a receipt */
    l->delivering = false;
    switch (how) {
    case DELIVERY_DONE:
        set_problem(l, "");
        write_receipt(l, now, words);
        break;
    case DELIVERY_RETRY:
        set_problem(l, words);
        l->retry_at = now->boot_ms + LEASE_MS;
        break;
    case DELIVERY_STOP:
        set_problem(l, words);
        l->stopped = true;
        drop_trigger(l);
        resign(l, now, LEASE_MS);
        break;
    }
}

/* ---- questions ---- */

void ledger_view(const struct ledger *l, const struct ledger_moment *now, struct ledger_view *out)
{
    memset(out, 0, sizeof *out);
    out->state = l->state;
    out->slot = l->dec + 1;
    out->term = l->term;
    out->open = l->acc.len > 0;
    out->triggered = l->trigger.len > 0;
    out->is_uploader = leads(l) && now->boot_ms < l->lease_until;
    out->may_vote = l->may_vote && now->boot_ms >= l->grace_until;
    out->stopped = l->stopped;
    out->has_uploader = out->is_uploader || now->boot_ms < l->promise_until;
    out->uploader = out->is_uploader ? l->me->id : l->promised_to;
    out->n_seats = l->n_seats;
    memcpy(out->seats, l->seats, sizeof out->seats);
    out->epoch = l->epoch;
    memcpy(out->problem, l->problem, sizeof out->problem);
}

uint64_t ledger_decided(const struct ledger *l)
{
    return l->dec;
}

bool ledger_is_seat(const struct ledger *l, const struct desk_id *id)
{
    return seat_of(l, id) >= 0;
}

bool ledger_covers(const struct ledger *l, const struct feed_id *feed, uint64_t seq)
{
    struct intent in;
    bool yes = false;

    if (l->acc.len == 0 || intent_decode(l->acc.p, l->acc.len, &in, NULL) != ERR_OK)
        return false;
    for (unsigned i = 0; i < in.n_ranges; i++)
        yes |= feed_id_eq(&in.ranges[i].feed, feed) && seq >= in.ranges[i].from &&
               seq <= in.ranges[i].to;
    intent_free(&in);
    return yes;
}

enum err ledger_receipt(const struct ledger *l, uint64_t slot, struct buf *out)
{
    uint8_t key[8];

    put_be64(key, slot);
    return l->disk->get(l->disk->ctx, TABLE_SLOTS, key, sizeof key, out);
}
