/* test_ledger.c - one ledger, driven by hand through messages: rules L1 to L9 of ledger.h.
 *
 * The ledger under test is DESK-1's. Unless said otherwise DESK-1 to DESK-3 hold the seats (slot 1
 * changed to them), and slot 2 is next. */
#include "../branch.h"

#include <sodium.h>

#include "../memdisk.h"
#include "ledger.h"
#include "wire.h"

enum { ME, B, C, D }; /* indexes of desks */

struct bench {
    struct branch b;
    struct memdisk *disk;
    struct effects fx, out; /* what the ledger said; all of it but what went to itself */
    struct ledger *l;
    struct ledger_ask ask;
    struct ledger_moment now;
    enum err holds;
    bool gathered, nothing_new, adopted; /* adopted: as the last question said */
    unsigned decided;
    struct progress vote_at;        /* what those who vote say of the accepted intent's progress */
    uint64_t horizon;               /* that a majority would agree to */
    uint8_t seats_hash[HASH_BYTES]; /* of slot 1 */
};

/* ---- what the rest of the core would say ---- */

static enum err ask_holds(void *ctx, const struct intent *in, bool adopted, struct errmsg *msg)
{
    struct bench *t = ctx;

    (void)in;
    t->adopted = adopted;
    return t->holds == ERR_OK ? ERR_OK : err_set(msg, t->holds, "not all records are here");
}

static enum err ask_cut(void *ctx, struct intent *in, struct errmsg *msg)
{
    const struct bench *t = ctx;

    (void)msg;
    in->rules = 1;
    snprintf(in->sink, sizeof in->sink, "file:/drop");
    in->ranges = calloc(1, sizeof *in->ranges);
    if (t->nothing_new)
        return ERR_OK;
    in->n_ranges = 1;
    in->ranges[0].feed.desk = t->b.desk[ME].id;
    in->ranges[0].from = 1;
    in->ranges[0].to = in->records = 5;
    return ERR_OK;
}

static bool ask_gathered(void *ctx)
{
    return ((const struct bench *)ctx)->gathered;
}

static uint64_t ask_wants_horizon(void *ctx)
{
    return ((const struct bench *)ctx)->horizon;
}

static enum err ask_horizon_ok(void *ctx, const struct intent *in, struct errmsg *msg)
{
    const struct bench *t = ctx;

    return in->back_to == t->horizon ? ERR_OK : err_set(msg, ERR_REFUSED, "not yet");
}

static void ask_decided(void *ctx, const struct receipt *r, const struct intent *in)
{
    (void)r;
    if (in->type == SLOT_HORIZON)
        ((struct bench *)ctx)->horizon = 0;
    ((struct bench *)ctx)->decided++;
}

static void ask_dice(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 0, n);
}

/* ---- driving ---- */

static void hear(struct bench *t, unsigned from, const struct buf *b)
{
    struct mp m = mp_over(b->p, b->len);
    unsigned type = wire_open(&m);

    assert_true(wire_is_ledger(type));
    ledger_message(t->l, &t->now, &t->b.desk[from].id, type, &m);
}

static void effects_keep(struct effects *out, struct effect *e)
{
    effects_add(out, e->type, &e->to, e->number, &e->bytes);
    out->v[out->n - 1].item = e->item;
}

/* Brings the desk's messages to itself, keeps the rest in t->out. */
static void drain(struct bench *t)
{
    while (t->fx.n > 0) {
        struct effects now = t->fx;
        memset(&t->fx, 0, sizeof t->fx);
        for (unsigned i = 0; i < now.n; i++) {
            struct effect *e = &now.v[i];
            if (e->type == EFFECT_SEND && desk_id_eq(&e->to, &t->b.desk[ME].id))
                hear(t, ME, &e->bytes);
            else
                effects_keep(&t->out, e);
        }
        effects_free(&now);
    }
}

static void tick(struct bench *t, uint64_t later_ms)
{
    t->now.boot_ms += later_ms;
    t->now.wall_ms += (int64_t)later_ms;
    ledger_tick(t->l, &t->now);
    drain(t);
}

static void say(struct bench *t, unsigned from, struct buf *b)
{
    hear(t, from, b);
    buf_free(b);
    drain(t);
}

static void forget(struct bench *t)
{
    effects_clear(&t->out);
}

/* The newest message of this type to a desk, opened at its first field; false: none. */
static bool sent(const struct bench *t, enum wire_type type, unsigned to, struct mp *m)
{
    for (unsigned i = t->out.n; i-- > 0;) {
        const struct effect *e = &t->out.v[i];
        if (e->type != EFFECT_SEND || !desk_id_eq(&e->to, &t->b.desk[to].id))
            continue;
        *m = mp_over(e->bytes.p, e->bytes.len);
        if (wire_open(m) == type)
            return true;
    }
    return false;
}

static const struct effect *wanted(const struct bench *t, enum effect_type type)
{
    for (unsigned i = t->out.n; i-- > 0;)
        if (t->out.v[i].type == type)
            return &t->out.v[i];
    return NULL;
}

static struct ledger_view view(const struct bench *t)
{
    struct ledger_view v;

    ledger_view(t->l, &t->now, &v);
    return v;
}

static struct buf question(enum wire_type type, unsigned more, uint64_t term, uint64_t dec)
{
    struct buf b = { 0 };
    uint8_t epoch[HASH_BYTES] = { 0 };

    wire_begin(&b, type, 4 + more);
    mp_put_u64(&b, 0);
    mp_put_bin(&b, epoch, sizeof epoch);
    mp_put_u64(&b, term);
    mp_put_u64(&b, dec);
    return b;
}

static void past_head(struct mp *m)
{
    for (unsigned i = 0; i < 4; i++)
        mp_skip(m);
}

/* DESK-n asks for a vote; what did we answer? */
static bool votes_for(struct bench *t, unsigned who, uint64_t term)
{
    struct buf b = question(WIRE_VOTE, 0, term, view(t).slot - 1);
    struct mp m;

    forget(t);
    say(t, who, &b);
    if (!sent(t, WIRE_VOTED, who, &m))
        return false;
    past_head(&m);
    return mp_get_bool(&m);
}

static void resigns(struct bench *t, unsigned from, uint64_t term, enum ledger_trouble trouble,
                    const char *words)
{
    struct buf b = question(WIRE_RESIGN, 2, term, view(t).slot - 1);

    mp_put_u64(&b, trouble);
    mp_put_str(&b, words);
    say(t, from, &b);
}

static void answer_prevote(struct bench *t, unsigned from, bool yes)
{
    struct buf b = question(WIRE_PREVOTED, 1, view(t).term, view(t).slot - 1);

    mp_put_bool(&b, yes);
    say(t, from, &b);
}

static void answer_vote(struct bench *t, unsigned from, uint64_t acc_term, const struct buf *acc)
{
    struct buf b = question(WIRE_VOTED, 5, view(t).term, view(t).slot - 1);
    uint8_t hash[HASH_BYTES], sig[SIG_BYTES] = { 0 };

    if (acc) {
        intent_hash(acc->p, acc->len, hash);
        accepted_sign(roster_branch(t->b.r), view(t).slot, acc_term, hash, t->b.desk[from].sign_sk,
                      sig);
    }
    mp_put_bool(&b, true);
    mp_put_u64(&b, acc_term);
    mp_put_bin(&b, acc ? acc->p : NULL, acc ? acc->len : 0);
    mp_put_bin(&b, sig, sizeof sig);
    progress_encode_bin(&t->vote_at, &b);
    say(t, from, &b);
}

static void answer_renewal(struct bench *t, unsigned from)
{
    struct buf b = question(WIRE_RENEWED, 1, view(t).term, view(t).slot - 1);
    struct mp m;

    assert_true(sent(t, WIRE_RENEW, from, &m));
    past_head(&m);
    mp_put_u64(&b, mp_get_u64(&m));
    say(t, from, &b);
}

static void proposal(const struct bench *t, unsigned to, struct buf *intent)
{
    struct mp m;
    size_t n = 0;
    const uint8_t *p;

    assert_true(sent(t, WIRE_ACCEPT, to, &m));
    past_head(&m);
    p = mp_get_bin(&m, &n);
    buf_reset(intent);
    buf_add(intent, p, n);
}

static void answer_accept(struct bench *t, unsigned from, const struct buf *intent)
{
    struct buf b = question(WIRE_ACCEPTED, 2, view(t).term, view(t).slot - 1);
    uint8_t hash[HASH_BYTES], sig[SIG_BYTES];

    intent_hash(intent->p, intent->len, hash);
    accepted_sign(roster_branch(t->b.r), view(t).slot, view(t).term, hash, t->b.desk[from].sign_sk,
                  sig);
    mp_put_u64(&b, view(t).slot);
    mp_put_bin(&b, sig, sizeof sig);
    say(t, from, &b);
}

static void make_trigger(const struct bench *t, uint64_t slot, const struct ident *lead,
                         struct buf *out)
{
    struct trigger g = { .slot = slot, .made_ms = t->now.wall_ms, .desk = t->b.desk[ME].id };

    memcpy(g.lead_pk, lead->sign_pk, KEY_BYTES);
    trigger_sign(roster_branch(t->b.r), &g, lead->sign_sk, out);
}

static enum err press(struct bench *t, uint64_t slot, const struct ident *lead)
{
    struct buf b = { 0 };
    enum err e;

    make_trigger(t, slot, lead, &b);
    e = ledger_trigger(t->l, &t->now, b.p, b.len, NULL);
    buf_free(&b);
    drain(t);
    return e;
}

/* An intent for a slot as another uploader would make it. */
static void make_intent(const struct bench *t, uint64_t slot, uint64_t term, uint64_t to,
                        const struct ident *lead, struct buf *out)
{
    struct intent in = {
        .slot = slot, .term = term, .type = SLOT_UPLOAD, .rules = 1, .n_ranges = 1, .records = to
    };

    memcpy(in.branch, roster_branch(t->b.r), BRANCH_ID_BYTES);
    memcpy(in.prev, t->seats_hash, HASH_BYTES);
    in.desk = t->b.desk[B].id;
    memcpy(in.policy, roster_policy_hash(t->b.r), HASH_BYTES);
    snprintf(in.sink, sizeof in.sink, "file:/drop");
    in.ranges = calloc(1, sizeof *in.ranges);
    in.ranges[0].feed.desk = t->b.desk[B].id;
    in.ranges[0].from = 1;
    in.ranges[0].to = to;
    make_trigger(t, slot, lead, &in.trigger);
    buf_reset(out);
    intent_encode(&in, out);
    intent_free(&in);
}

/* DESK-n, as uploader of `term`, proposes; true: we accepted. */
static bool accepts(struct bench *t, unsigned from, uint64_t term, const struct buf *intent)
{
    struct buf b = question(WIRE_ACCEPT, 5, term, view(t).slot - 1);
    struct mp m;

    forget(t);
    mp_put_bin(&b, intent->p, intent->len);
    mp_put_bin(&b, "", 0); /* nobody vouches: a fresh one */
    mp_put_u64(&b, 0);
    mp_put_bin(&b, "", 0);
    progress_encode_bin(&t->vote_at, &b);
    say(t, from, &b);
    return sent(t, WIRE_ACCEPTED, from, &m);
}

static void make_receipt(const struct bench *t, const struct buf *intent, uint64_t slot,
                         uint64_t term, const unsigned *who, unsigned n, struct buf *out)
{
    struct receipt r = { .intent = intent->p,
                         .intent_len = intent->len,
                         .term = term,
                         .desk = t->b.desk[B].id,
                         .n_accepted = n };
    uint8_t hash[HASH_BYTES];

    intent_hash(intent->p, intent->len, hash);
    for (unsigned i = 0; i < n; i++) {
        r.accepted[i].desk = t->b.desk[who[i]].id;
        accepted_sign(roster_branch(t->b.r), slot, term, hash, t->b.desk[who[i]].sign_sk,
                      r.accepted[i].sig);
    }
    receipt_encode(&r, t->b.desk[B].sign_sk, out);
}

static void hear_receipt(struct bench *t, uint64_t slot, const struct buf *receipt)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_RECEIPT, 2);
    mp_put_u64(&b, slot);
    mp_put_bin(&b, receipt->p, receipt->len);
    say(t, B, &b);
}

/* ---- beginning and end ---- */

static void start(struct bench *t)
{
    assert_int_equal(ledger_open(&t->b.desk[ME], t->b.r, memdisk_disk(t->disk), &t->fx, &t->ask,
                                 &t->now, &t->l, NULL),
                     ERR_OK);
    ledger_may_vote(t->l, true);
}

static void seat_three(struct bench *t)
{
    const struct disk *d = memdisk_disk(t->disk);
    struct intent in = { .slot = 1, .term = 1, .type = SLOT_SEATS, .n_seats = 3 };
    struct buf bytes = { 0 }, receipt = { 0 };
    const unsigned who[] = { ME };
    uint8_t key[8];

    memcpy(in.branch, roster_branch(t->b.r), BRANCH_ID_BYTES);
    for (unsigned i = 0; i < 3; i++)
        in.seats[i] = t->b.desk[i].id;
    intent_encode(&in, &bytes);
    intent_hash(bytes.p, bytes.len, t->seats_hash);
    make_receipt(t, &bytes, 1, 1, who, 1, &receipt);
    put_be64(key, 1);
    d->put(d->ctx, TABLE_SLOTS, key, sizeof key, receipt.p, receipt.len);
    memdisk_commit(t->disk, NULL, NULL);
    buf_free(&bytes);
    buf_free(&receipt);
}

/* Grace is over when this returns, if seats > 0; else it is a fresh start before any slot. */
static struct bench *bench_new(unsigned seats)
{
    struct bench *t = calloc(1, sizeof *t);

    branch_new(&t->b, 3, 3);
    t->disk = memdisk_new();
    t->ask =
        (struct ledger_ask){ t,    ask_holds, ask_cut, ask_gathered,      ask_decided,    ask_dice,
                             NULL, NULL,      NULL,    ask_wants_horizon, ask_horizon_ok, NULL,
                             NULL, NULL,      NULL };
    t->now = (struct ledger_moment){ 1000000, 1795500000000 };
    t->gathered = true;
    if (seats == 3)
        seat_three(t);
    start(t);
    t->now.boot_ms += LEASE_PROMISE_MS;
    return t;
}

static void bench_free(struct bench *t)
{
    ledger_close(t->l);
    effects_free(&t->fx);
    effects_free(&t->out);
    memdisk_free(t->disk);
    branch_free(&t->b);
    free(t);
}

static void crash_and_start(struct bench *t)
{
    ledger_close(t->l);
    effects_clear(&t->fx);
    effects_clear(&t->out);
    memdisk_abort(t->disk);
    start(t);
}

static void stand(struct bench *t)
{
    tick(t, 2000);
    assert_int_equal(view(t).state, LEDGER_PREVOTE);
    answer_prevote(t, B, true);
    assert_int_equal(view(t).state, LEDGER_CANDIDATE);
}

/* Elected by ourselves and B, and the batch is built; B has the proposal. */
static void propose(struct bench *t, struct buf *intent)
{
    const struct effect *e;

    assert_int_equal(press(t, 2, &t->b.lead), ERR_OK);
    stand(t);
    answer_vote(t, B, 0, NULL);
    assert_true(view(t).is_uploader);
    tick(t, 100);
    assert_int_equal(view(t).state, LEDGER_BUILD);
    e = wanted(t, EFFECT_BUILD);
    assert_non_null(e);
    ledger_built(t->l, &t->now, e->number, NULL, 0, &(struct slot_aside){ 0 }, NULL);
    drain(t);
    assert_int_equal(view(t).state, LEDGER_ACCEPT);
    proposal(t, B, intent);
}

static void keep_lease(struct bench *t, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += LEASE_RENEW_MS) {
        tick(t, LEASE_RENEW_MS);
        answer_renewal(t, B);
    }
}

/* ---- L1, L2, L7: votes ---- */

static void L1_a_seat_votes_once_per_term(void **state)
{
    struct bench *t = bench_new(3);

    (void)state;
    assert_true(votes_for(t, B, 5));
    assert_true(votes_for(t, B, 5)); /* the answer was lost: the same again */
    t->now.boot_ms += LEASE_PROMISE_MS;
    assert_false(votes_for(t, C, 5));
    assert_false(votes_for(t, C, 4));
    assert_true(votes_for(t, C, 6));
    bench_free(t);
}

static void L1_the_vote_is_on_disk_before_its_answer_leaves(void **state)
{
    struct bench *t = bench_new(3);

    (void)state;
    assert_true(votes_for(t, B, 5));
    memdisk_commit(t->disk, NULL, NULL); /* what the shell does before it sends */
    crash_and_start(t);
    t->now.boot_ms += LEASE_PROMISE_MS;
    assert_int_equal(view(t).term, 5);
    assert_false(votes_for(t, C, 5));
    assert_true(votes_for(t, B, 5));
    bench_free(t);
}

static void L1_only_seats_vote(void **state)
{
    struct bench *t = bench_new(1); /* DESK-1 alone holds the seat */

    (void)state;
    assert_true(votes_for(t, C, 5)); /* and anybody may ask */
    bench_free(t);
    t = bench_new(3);
    t->b.desk[ME].id = t->b.desk[D].id;
    assert_false(votes_for(t, C, 5));
    bench_free(t);
}

static void L2_under_promise_a_seat_refuses_and_keeps_its_term(void **state)
{
    struct bench *t = bench_new(3);

    (void)state;
    assert_true(votes_for(t, B, 5));
    t->now.boot_ms += LEASE_PROMISE_MS - 1;
    assert_false(votes_for(t, C, 9));
    assert_int_equal(view(t).term, 5);
    t->now.boot_ms += 1;
    assert_true(votes_for(t, C, 9));
    bench_free(t);
}

static void L2_a_promise_outlasts_the_lease_on_the_worst_clocks(void **state)
{
    (void)state;
    /* both clocks off by the drift, apart from each other: true time, times ten */
    assert_true(LEASE_OWN_MS * 1000 / (100 - LEASE_DRIFT_PCT) <
                LEASE_PROMISE_MS * 1000 / (100 + LEASE_DRIFT_PCT));
}

static void L2_resigning_ends_the_promise_but_not_one_of_a_later_term(void **state)
{
    struct bench *t = bench_new(3);

    (void)state;
    assert_true(votes_for(t, B, 5));
    resigns(t, B, 5, TROUBLE_NONE, "");
    assert_true(votes_for(t, B, 6));
    resigns(t, B, 5, TROUBLE_NONE, ""); /* late */
    assert_false(votes_for(t, C, 7));
    bench_free(t);
}

static void L7_after_a_start_a_seat_is_silent_for_one_promise(void **state)
{
    struct bench *t = bench_new(3);

    (void)state;
    crash_and_start(t);
    assert_false(votes_for(t, B, 5));
    t->now.boot_ms += LEASE_PROMISE_MS - 1;
    assert_false(votes_for(t, B, 5));
    assert_int_equal(view(t).term, 0);
    t->now.boot_ms += 1;
    assert_true(votes_for(t, B, 5));
    bench_free(t);
}

static void L7_a_seat_without_a_confirmed_mark_neither_votes_nor_accepts(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &intent);
    ledger_may_vote(t->l, false);
    assert_false(votes_for(t, B, 5));
    assert_false(accepts(t, B, 5, &intent));
    ledger_may_vote(t->l, true);
    assert_true(votes_for(t, B, 5));
    assert_true(accepts(t, B, 5, &intent));
    buf_free(&intent);
    bench_free(t);
}

static void a_seat_does_not_vote_for_who_knows_fewer_receipts(void **state)
{
    struct bench *t = bench_new(3);
    struct buf b = question(WIRE_VOTE, 0, 5, 0);
    struct mp m;

    (void)state;
    say(t, B, &b);
    assert_true(sent(t, WIRE_VOTED, B, &m));
    past_head(&m);
    assert_false(mp_get_bool(&m));
    assert_true(sent(t, WIRE_RECEIPT, B, &m)); /* but helps it */
    bench_free(t);
}

/* ---- L3, L6: accepting ---- */

static void L3_a_seat_accepts_only_what_it_durably_holds(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };
    struct mp m;

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &intent);
    t->holds = ERR_REFUSED;
    assert_false(accepts(t, B, 5, &intent));
    assert_true(sent(t, WIRE_REFUSED, B, &m));
    assert_false(view(t).open);
    t->holds = ERR_OK;
    assert_true(accepts(t, B, 5, &intent));
    assert_true(view(t).open);
    memdisk_commit(t->disk, NULL, NULL);
    crash_and_start(t);
    assert_true(view(t).open);
    buf_free(&intent);
    bench_free(t);
}

static void assert_refuses(struct bench *t, struct intent *in)
{
    struct buf bytes = { 0 };

    intent_encode(in, &bytes);
    assert_false(accepts(t, B, 5, &bytes));
    assert_false(view(t).open);
    buf_free(&bytes);
}

static void L3_rules_policy_epoch_branch_and_lead_must_be_known(void **state)
{
    struct bench *t = bench_new(3);
    struct buf bytes = { 0 };
    struct intent in, keep;

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &bytes);
    assert_int_equal(intent_decode(bytes.p, bytes.len, &in, NULL), ERR_OK);
    keep = in;
    in.rules = POLICY_RULES + 1;
    assert_refuses(t, &in);
    in = keep;
    in.policy[0] ^= 1;
    assert_refuses(t, &in);
    in = keep;
    in.epoch.number = 1;
    assert_refuses(t, &in);
    in = keep;
    in.branch[0] ^= 1;
    assert_refuses(t, &in);
    in = keep;
    intent_free(&in);
    make_intent(t, 2, 5, 3, &t->b.other_lead, &bytes); /* not a lead of this branch */
    assert_false(accepts(t, B, 5, &bytes));
    buf_free(&bytes);
    bench_free(t);
}

static void L6_a_seat_accepts_the_next_slot_only_and_only_behind_its_last(void **state)
{
    struct bench *t = bench_new(3);
    struct buf bytes = { 0 };
    struct intent in;

    (void)state;
    make_intent(t, 3, 5, 3, &t->b.lead, &bytes);
    assert_false(accepts(t, B, 5, &bytes));
    make_intent(t, 1, 5, 3, &t->b.lead, &bytes);
    assert_false(accepts(t, B, 5, &bytes));
    make_intent(t, 2, 5, 3, &t->b.lead, &bytes);
    assert_int_equal(intent_decode(bytes.p, bytes.len, &in, NULL), ERR_OK);
    in.prev[0] ^= 1;
    assert_refuses(t, &in);
    intent_free(&in);
    assert_true(accepts(t, B, 5, &bytes));
    buf_free(&bytes);
    bench_free(t);
}

static void an_uploader_of_an_older_term_is_not_heard(void **state)
{
    struct bench *t = bench_new(3);
    struct buf bytes = { 0 };

    (void)state;
    assert_true(votes_for(t, C, 6));
    make_intent(t, 2, 5, 3, &t->b.lead, &bytes);
    assert_false(accepts(t, B, 5, &bytes));
    assert_false(accepts(t, B, 6, &bytes)); /* the vote of term 6 was C's */
    assert_true(accepts(t, C, 6, &bytes));
    buf_free(&bytes);
    bench_free(t);
}

/* ---- L4, L5: sending ---- */

static void L4_nothing_is_sent_before_a_majority_accepted(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };

    (void)state;
    propose(t, &intent); /* our own seat accepted */
    assert_null(wanted(t, EFFECT_DELIVER));
    answer_accept(t, D, &intent); /* no seat */
    assert_null(wanted(t, EFFECT_DELIVER));
    answer_accept(t, C, &intent);
    assert_non_null(wanted(t, EFFECT_DELIVER));
    assert_int_equal(view(t).state, LEDGER_SEND);
    buf_free(&intent);
    bench_free(t);
}

static void L4_an_acceptance_of_other_bytes_does_not_count(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };

    (void)state;
    propose(t, &intent);
    intent.p[intent.len - 1] ^= 1;
    answer_accept(t, B, &intent);
    assert_null(wanted(t, EFFECT_DELIVER));
    buf_free(&intent);
    bench_free(t);
}

static void L4_no_request_goes_out_at_the_end_of_a_lease(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };

    (void)state;
    propose(t, &intent);
    t->now.boot_ms += LEASE_OWN_MS - LEASE_LEFT_MS;
    answer_accept(t, B, &intent);
    assert_null(wanted(t, EFFECT_DELIVER));
    tick(t, 1); /* asks for a longer lease */
    answer_renewal(t, B);
    tick(t, 1);
    assert_non_null(wanted(t, EFFECT_DELIVER));
    buf_free(&intent);
    bench_free(t);
}

static void L5_a_new_uploader_proposes_the_accepted_intent_unchanged_and_waits(void **state)
{
    struct bench *t = bench_new(3);
    struct buf low = { 0 }, high = { 0 }, ours = { 0 };

    (void)state;
    make_intent(t, 2, 2, 3, &t->b.lead, &low);
    make_intent(t, 2, 4, 5, &t->b.lead, &high);
    assert_true(accepts(t, C, 2, &low));
    t->now.boot_ms += LEASE_PROMISE_MS;
    stand(t); /* an open slot is reason enough */
    answer_vote(t, B, 4, &high);
    assert_true(view(t).is_uploader);
    proposal(t, B, &ours);
    assert_int_equal(ours.len, high.len);
    assert_memory_equal(ours.p, high.p, ours.len); /* the higher term's, not our own seat's */
    answer_accept(t, B, &ours);
    assert_int_equal(view(t).state, LEDGER_QUIET);
    keep_lease(t, 1000);
    assert_null(wanted(t, EFFECT_DELIVER)); /* the policy says 2 s, clocks may differ by 4 % */
    keep_lease(t, 1000);
    assert_null(wanted(t, EFFECT_DELIVER));
    keep_lease(t, 100);
    assert_non_null(wanted(t, EFFECT_DELIVER));
    buf_free(&low);
    buf_free(&high);
    buf_free(&ours);
    bench_free(t);
}

static void L5_a_proposers_word_that_an_intent_is_old_is_not_enough(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 }, b;
    uint8_t hash[HASH_BYTES], sig[SIG_BYTES];

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &intent);
    t->holds = ERR_REFUSED;
    assert_false(accepts(t, B, 7, &intent)); /* "of term 5", says the proposer of term 7 */
    assert_false(t->adopted);
    intent_hash(intent.p, intent.len, hash);
    accepted_sign(roster_branch(t->b.r), 2, 5, hash, t->b.desk[C].sign_sk, sig);
    for (unsigned forged = 0; forged < 2; forged++) {
        sig[0] ^= forged ? 1 : 0;
        b = question(WIRE_ACCEPT, 5, 7, 1);
        mp_put_bin(&b, intent.p, intent.len);
        mp_put_bin(&b, t->b.desk[C].id.b, DESK_ID_BYTES);
        mp_put_u64(&b, 5);
        mp_put_bin(&b, sig, sizeof sig);
        progress_encode_bin(&t->vote_at, &b);
        say(t, B, &b);
        assert_int_equal(t->adopted, !forged); /* seat C's signature of term 5 is */
    }
    buf_free(&intent);
    bench_free(t);
}

static void L5_a_proposer_cannot_vouch_for_itself(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 }, b;
    uint8_t hash[HASH_BYTES], sig[SIG_BYTES];

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &intent);
    intent_hash(intent.p, intent.len, hash);
    accepted_sign(roster_branch(t->b.r), 2, 5, hash, t->b.desk[B].sign_sk, sig);
    b = question(WIRE_ACCEPT, 5, 7, 1);
    mp_put_bin(&b, intent.p, intent.len);
    mp_put_bin(&b, t->b.desk[B].id.b, DESK_ID_BYTES);
    mp_put_u64(&b, 5);
    mp_put_bin(&b, sig, sizeof sig);
    progress_encode_bin(&t->vote_at, &b);
    say(t, B, &b);
    assert_false(t->adopted);
    buf_free(&intent);
    bench_free(t);
}

static void L3_one_term_and_slot_have_one_content(void **state)
{
    struct bench *t = bench_new(3);
    struct buf one = { 0 }, other = { 0 };

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &one);
    make_intent(t, 2, 5, 4, &t->b.lead, &other);
    assert_true(accepts(t, B, 5, &one));
    assert_false(accepts(t, B, 5, &other));
    assert_true(accepts(t, B, 5, &one)); /* a repetition is answered again */
    buf_free(&one);
    buf_free(&other);
    bench_free(t);
}

static void L3_another_sink_than_the_policys_is_refused(void **state)
{
    struct bench *t = bench_new(3);
    struct buf bytes = { 0 };
    struct intent in;

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &bytes);
    assert_int_equal(intent_decode(bytes.p, bytes.len, &in, NULL), ERR_OK);
    snprintf(in.sink, sizeof in.sink, "file:/somewhere/else");
    assert_refuses(t, &in);
    intent_free(&in);
    buf_free(&bytes);
    bench_free(t);
}

static void L2_a_leap_to_the_end_of_the_terms_is_refused(void **state)
{
    struct bench *t = bench_new(3);
    struct buf b = question(WIRE_RENEW, 1, UINT64_MAX, 1);

    (void)state;
    mp_put_u64(&b, 1);
    say(t, B, &b);
    assert_true(view(t).term < 100);
    bench_free(t);
}

static void a_leads_word_of_yesterday_begins_nothing(void **state)
{
    struct bench *t = bench_new(3);
    struct buf b = { 0 };

    (void)state;
    make_trigger(t, 2, &t->b.lead, &b);
    t->now.wall_ms += TRIGGER_LIFE_MS + 1000;
    assert_int_equal(ledger_trigger(t->l, &t->now, b.p, b.len, NULL), ERR_REFUSED);
    buf_free(&b);
    bench_free(t);
}

static void L5_an_intent_of_a_slot_decided_meanwhile_is_not_adopted(void **state)
{
    struct bench *t = bench_new(3);
    struct buf old = { 0 };
    struct mp m;

    (void)state;
    make_intent(t, 1, 3, 3, &t->b.lead, &old);
    assert_int_equal(press(t, 2, &t->b.lead), ERR_OK);
    stand(t);
    answer_vote(t, B, 3, &old);
    assert_int_equal(view(t).state, LEDGER_GATHER);
    assert_false(sent(t, WIRE_ACCEPT, B, &m));
    buf_free(&old);
    bench_free(t);
}

/* ---- L8: receipts ---- */

static void L8_a_delivered_slot_gets_a_receipt_that_others_can_check(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 }, stored = { 0 };
    struct desk_id seats[3];
    struct receipt r;
    const uint8_t *p;
    size_t n;
    struct mp m;

    (void)state;
    propose(t, &intent);
    answer_accept(t, B, &intent);
    ledger_delivered(t->l, &t->now, wanted(t, EFFECT_DELIVER)->number, DELIVERY_DONE, "x.log",
                     NULL);
    drain(t);
    assert_int_equal(ledger_decided(t->l), 2);
    assert_int_equal(t->decided, 2); /* slot 1 when it was read, slot 2 now */
    assert_false(view(t).triggered);
    assert_false(view(t).open);
    for (unsigned i = 0; i < 3; i++)
        seats[i] = t->b.desk[i].id;
    assert_true(sent(t, WIRE_RECEIPT, C, &m));
    assert_int_equal(mp_get_u64(&m), 2);
    p = mp_get_bin(&m, &n);
    assert_int_equal(receipt_open(p, n, t->b.r, seats, 3, &r, NULL), ERR_OK);
    assert_string_equal(r.evidence, "x.log");
    memdisk_commit(t->disk, NULL, NULL);
    crash_and_start(t);
    assert_int_equal(ledger_decided(t->l), 2);
    assert_int_equal(ledger_receipt(t->l, 2, &stored), ERR_OK);
    assert_int_equal(ledger_receipt(t->l, 3, &stored), ERR_MISSING);
    buf_free(&stored);
    buf_free(&intent);
    bench_free(t);
}

static void L8_a_receipt_without_a_majority_is_refused(void **state)
{
    static const unsigned one[] = { B }, no_seat[] = { B, D }, two[] = { B, C };
    struct bench *t = bench_new(3);
    struct buf intent = { 0 }, receipt = { 0 };

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &intent);
    make_receipt(t, &intent, 2, 5, one, 1, &receipt);
    hear_receipt(t, 2, &receipt);
    assert_int_equal(ledger_decided(t->l), 1);
    buf_reset(&receipt);
    make_receipt(t, &intent, 2, 5, no_seat, 2, &receipt);
    hear_receipt(t, 2, &receipt);
    assert_int_equal(ledger_decided(t->l), 1);
    buf_reset(&receipt);
    make_receipt(t, &intent, 2, 5, two, 2, &receipt);
    hear_receipt(t, 2, &receipt);
    assert_int_equal(ledger_decided(t->l), 2);
    hear_receipt(t, 2, &receipt); /* once more changes nothing */
    assert_int_equal(ledger_decided(t->l), 2);
    buf_free(&intent);
    buf_free(&receipt);
    bench_free(t);
}

static void L8_a_receipt_out_of_turn_is_asked_for_from_the_beginning(void **state)
{
    static const unsigned two[] = { B, C };
    struct bench *t = bench_new(3);
    struct buf intent = { 0 }, receipt = { 0 };
    struct mp m;

    (void)state;
    make_intent(t, 4, 5, 3, &t->b.lead, &intent);
    make_receipt(t, &intent, 4, 5, two, 2, &receipt);
    hear_receipt(t, 4, &receipt);
    assert_int_equal(ledger_decided(t->l), 1);
    assert_true(sent(t, WIRE_SLOTS_WANT, B, &m));
    assert_int_equal(mp_get_u64(&m), 2);
    effects_clear(&t->out);
    hear_receipt(t, 4, &receipt); /* sixteen come at once: they do not ask for sixteen more each */
    assert_false(sent(t, WIRE_SLOTS_WANT, B, &m));
    t->now.boot_ms += LEDGER_RETRY_MS;
    hear_receipt(t, 4, &receipt);
    assert_true(sent(t, WIRE_SLOTS_WANT, B, &m));
    buf_free(&intent);
    buf_free(&receipt);
    bench_free(t);
}

static void an_answer_after_the_lease_is_no_receipt(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };

    (void)state;
    propose(t, &intent);
    answer_accept(t, B, &intent);
    t->now.boot_ms += LEASE_MS;
    ledger_delivered(t->l, &t->now, wanted(t, EFFECT_DELIVER)->number, DELIVERY_DONE, "x.log",
                     NULL);
    drain(t);
    assert_int_equal(ledger_decided(t->l), 1);
    tick(t, 1);
    assert_int_equal(view(t).state, LEDGER_IDLE);
    buf_free(&intent);
    bench_free(t);
}

static void an_answer_to_an_earlier_attempt_is_not_heard(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };
    uint64_t first;

    (void)state;
    propose(t, &intent);
    answer_accept(t, B, &intent);
    first = wanted(t, EFFECT_DELIVER)->number;
    ledger_delivered(t->l, &t->now, first, DELIVERY_RETRY, "no such folder", NULL);
    assert_string_equal(view(t).problem, "no such folder");
    keep_lease(t, LEASE_MS + LEASE_RENEW_MS);
    assert_int_not_equal(wanted(t, EFFECT_DELIVER)->number, first);
    ledger_delivered(t->l, &t->now, first, DELIVERY_DONE, "x.log", NULL);
    assert_int_equal(ledger_decided(t->l), 1);
    buf_free(&intent);
    bench_free(t);
}

static void a_lost_answer_does_not_hold_the_branch_for_ever(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };

    (void)state;
    propose(t, &intent);
    answer_accept(t, B, &intent);
    keep_lease(t, LEDGER_ANSWER_MS - LEASE_RENEW_MS);
    assert_int_equal(view(t).state, LEDGER_SEND);
    tick(t, LEASE_RENEW_MS);
    assert_int_equal(view(t).state, LEDGER_IDLE);
    assert_true(view(t).open); /* and finished by whoever is elected next */
    buf_free(&intent);
    bench_free(t);
}

static void a_sink_that_stops_needs_a_person_who_presses_again(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };

    (void)state;
    propose(t, &intent);
    answer_accept(t, B, &intent);
    ledger_delivered(t->l, &t->now, wanted(t, EFFECT_DELIVER)->number, DELIVERY_STOP, "unequal",
                     NULL);
    drain(t);
    assert_true(view(t).stopped);
    assert_string_equal(view(t).problem, "unequal");
    tick(t, 60000);
    assert_int_equal(view(t).state, LEDGER_IDLE);
    assert_int_equal(press(t, 2, &t->b.lead), ERR_OK);
    tick(t, 2000);
    assert_int_equal(view(t).state, LEDGER_PREVOTE);
    buf_free(&intent);
    bench_free(t);
}

static void hear_trigger(struct bench *t, unsigned from, const struct buf *word)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_TRIGGER, 1);
    mp_put_bin(&b, word->p, word->len);
    say(t, from, &b);
}

/* Whoever was pressed says it again and again, until he knows. */
static void the_word_of_an_upload_that_stopped_does_not_begin_it_again(void **state)
{
    struct bench *t = bench_new(3);
    struct buf word = { 0 }, next = { 0 };

    (void)state;
    make_trigger(t, 2, &t->b.lead, &word);
    hear_trigger(t, C, &word);
    tick(t, LEASE_PROMISE_MS);
    stand(t);
    answer_vote(t, B, 0, NULL);
    tick(t, 100);
    ledger_built(t->l, &t->now, wanted(t, EFFECT_BUILD)->number, NULL, 0, &(struct slot_aside){ 0 },
                 "the disk is full");
    drain(t);
    assert_true(view(t).stopped);
    hear_trigger(t, C, &word);
    assert_true(view(t).stopped);
    assert_string_equal(view(t).problem, "the disk is full");
    t->now.wall_ms++;
    make_trigger(t, 2, &t->b.lead, &next);
    hear_trigger(t, C, &next);
    assert_false(view(t).stopped);
    buf_free(&word);
    buf_free(&next);
    bench_free(t);
}

static void assert_word(const struct bench *t, const char *word)
{
    struct ledger_view v = view(t);

    assert_string_equal(ledger_upload_word(&v), word);
}

static void deliver_says(struct bench *t, enum delivery how, const char *words)
{
    ledger_delivered(t->l, &t->now, wanted(t, EFFECT_DELIVER)->number, how, words, NULL);
    drain(t);
}

static void a_refused_login_stops_and_is_told_to_every_desk(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };
    char words[64];
    struct mp m;

    (void)state;
    propose(t, &intent);
    answer_accept(t, B, &intent);
    deliver_says(t, DELIVERY_DENIED, "no such user");
    assert_true(view(t).stopped);
    assert_int_equal(view(t).trouble, TROUBLE_DENIED);
    assert_word(t, "failed");
    for (unsigned to = B; to <= C; to++) {
        assert_true(sent(t, WIRE_RESIGN, to, &m));
        past_head(&m);
        assert_int_equal(mp_get_u64(&m), TROUBLE_DENIED);
        mp_get_str(&m, words, sizeof words);
        assert_string_equal(words, "no such user");
    }
    tick(t, 60000);
    assert_int_equal(view(t).state, LEDGER_IDLE);
    ledger_login_changed(t->l, &t->now); /* another password lies here now */
    tick(t, 100);
    assert_int_equal(view(t).state, LEDGER_PREVOTE);
    buf_free(&intent);
    bench_free(t);
}

static void a_login_that_is_refused_at_another_desk_is_not_tried_here(void **state)
{
    struct bench *t = bench_new(3);

    (void)state;
    assert_int_equal(press(t, 2, &t->b.lead), ERR_OK);
    assert_true(votes_for(t, B, 5));
    resigns(t, C, 5, TROUBLE_DENIED, "a lie"); /* not who led us */
    assert_false(view(t).stopped);
    resigns(t, B, 5, TROUBLE_DENIED, "no such user");
    assert_true(view(t).stopped);
    assert_string_equal(view(t).problem, "DESK-2: no such user");
    tick(t, 60000);
    assert_int_equal(view(t).state, LEDGER_IDLE);
    assert_false(view(t).triggered); /* and nobody else is woken with it */
    assert_int_equal(press(t, 2, &t->b.lead), ERR_OK);
    tick(t, 2000);
    assert_int_equal(view(t).state, LEDGER_PREVOTE);
    bench_free(t);
}

/* One calm word from the first try in vain to the one that succeeds, here and at other desks. */
static void a_server_that_does_not_answer_is_waited_for(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };

    (void)state;
    propose(t, &intent);
    answer_accept(t, B, &intent);
    assert_word(t, "sending");
    for (unsigned i = 0; i < DELIVERY_TRIES; i++) {
        deliver_says(t, DELIVERY_RETRY, "connection refused");
        assert_word(t, "waiting");
        assert_true(view(t).next_try_ms > 0);
        keep_lease(t, i + 1 < DELIVERY_TRIES ? LEASE_MS + LEASE_RENEW_MS : 0);
        assert_word(t, "waiting");
    }
    assert_int_equal(view(t).state, LEDGER_IDLE); /* another desk may do better */
    assert_string_equal(view(t).problem, "connection refused");
    while (view(t).state == LEDGER_IDLE) {
        tick(t, 100);
        assert_word(t, "waiting");
    }
    answer_prevote(t, B, true);
    assert_word(t, "waiting");
    answer_vote(t, B, view(t).acc_term, &intent);
    assert_true(view(t).is_uploader);
    assert_word(t, "waiting");
    buf_free(&intent);
    bench_free(t);
}

static void that_another_desk_waits_for_the_server_is_known_here_until_it_does_not(void **state)
{
    struct bench *t = bench_new(3);

    (void)state;
    assert_true(votes_for(t, B, 5));
    resigns(t, B, 5, TROUBLE_WAITS, "connection refused");
    assert_word(t, "waiting");
    tick(t, 60000);
    assert_word(t, "waiting");
    tick(t, 60000);
    assert_word(t, "idle");
    assert_string_equal(view(t).problem, "");
    bench_free(t);
}

/* ---- the lead's word ---- */

static void without_a_leads_word_nobody_stands(void **state)
{
    struct bench *t = bench_new(3);

    (void)state;
    tick(t, 60000);
    assert_int_equal(view(t).state, LEDGER_IDLE);
    assert_int_equal(press(t, 2, &t->b.other_lead), ERR_DENIED);
    tick(t, 60000);
    assert_int_equal(view(t).state, LEDGER_IDLE);
    bench_free(t);
}

static void a_press_is_remembered_over_a_restart(void **state)
{
    struct bench *t = bench_new(3);

    (void)state;
    assert_int_equal(press(t, 2, &t->b.lead), ERR_OK);
    memdisk_commit(t->disk, NULL, NULL);
    crash_and_start(t);
    assert_true(view(t).triggered);
    tick(t, 60000);
    assert_int_equal(view(t).state, LEDGER_PREVOTE);
    bench_free(t);
}

static void a_press_for_a_decided_slot_is_answered_as_such(void **state)
{
    static const unsigned two[] = { B, C };
    struct bench *t = bench_new(3);
    struct buf intent = { 0 }, receipt = { 0 };

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &intent);
    make_receipt(t, &intent, 2, 5, two, 2, &receipt);
    hear_receipt(t, 2, &receipt);
    assert_int_equal(press(t, 2, &t->b.lead), ERR_EXISTS);
    assert_int_equal(press(t, 3, &t->b.lead), ERR_OK);
    buf_free(&intent);
    buf_free(&receipt);
    bench_free(t);
}

static void a_press_with_nothing_new_ends_quietly(void **state)
{
    struct bench *t = bench_new(3);

    (void)state;
    t->nothing_new = true;
    assert_int_equal(press(t, 2, &t->b.lead), ERR_OK);
    stand(t);
    answer_vote(t, B, 0, NULL);
    tick(t, 100);
    assert_int_equal(view(t).state, LEDGER_IDLE);
    assert_false(view(t).triggered);
    bench_free(t);
}

/* ---- standing ---- */

static void a_candidate_without_a_majority_gives_up_and_tries_again(void **state)
{
    struct bench *t = bench_new(3);

    (void)state;
    assert_int_equal(press(t, 2, &t->b.lead), ERR_OK);
    tick(t, 1000);
    assert_int_equal(view(t).state, LEDGER_PREVOTE);
    tick(t, LEASE_LEFT_MS);
    assert_int_equal(view(t).state, LEDGER_IDLE);
    assert_int_equal(view(t).term, 0); /* asking whether it may stand costs no term */
    tick(t, 1500);
    assert_int_equal(view(t).state, LEDGER_PREVOTE);
    bench_free(t);
}

static void an_uploader_without_answers_loses_its_lease(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };

    (void)state;
    propose(t, &intent);
    tick(t, LEASE_OWN_MS - 101); /* it began with the question, before propose()'s last tick */
    assert_true(view(t).is_uploader);
    tick(t, 1);
    assert_false(view(t).is_uploader);
    assert_int_equal(view(t).state, LEDGER_IDLE);
    buf_free(&intent);
    bench_free(t);
}

static void a_lease_counts_from_the_question_not_from_the_answer(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };

    (void)state;
    propose(t, &intent);
    tick(t, LEASE_RENEW_MS); /* asked now ... */
    t->now.boot_ms += 3000;
    answer_renewal(t, B); /* ... answered late */
    t->now.boot_ms += LEASE_OWN_MS - 3000 - 1;
    assert_true(view(t).is_uploader);
    t->now.boot_ms += 1;
    assert_false(view(t).is_uploader);
    buf_free(&intent);
    bench_free(t);
}

static void a_question_of_another_epoch_is_not_heard(void **state)
{
    struct bench *t = bench_new(3);
    struct buf b = { 0 };
    uint8_t epoch[HASH_BYTES] = { 1 };
    struct mp m;

    (void)state;
    wire_begin(&b, WIRE_VOTE, 4);
    mp_put_u64(&b, 1);
    mp_put_bin(&b, epoch, sizeof epoch);
    mp_put_u64(&b, 5);
    mp_put_u64(&b, 1);
    say(t, B, &b);
    assert_false(sent(t, WIRE_VOTED, B, &m));
    bench_free(t);
}

/* ---- L9: seats ---- */

static void L9_a_change_of_seats_is_a_slot_decided_by_the_old_seats(void **state)
{
    struct bench *t = bench_new(1);

    (void)state;
    assert_int_equal(view(t).n_seats, 1);
    tick(t, 2000); /* the roster names three; alone in the old seats, we decide at once */
    assert_int_equal(ledger_decided(t->l), 1);
    assert_int_equal(view(t).n_seats, 3);
    assert_true(ledger_is_seat(t->l, &t->b.desk[C].id));
    assert_int_equal(view(t).state, LEDGER_IDLE); /* the old seats elect nobody any more */
    assert_true(view(t).slot == 2);
    memdisk_commit(t->disk, NULL, NULL);
    crash_and_start(t);
    assert_int_equal(view(t).n_seats, 3);
    bench_free(t);
}

static void L9_seats_that_no_lead_named_or_with_records_are_refused(void **state)
{
    struct bench *t = bench_new(1);
    struct intent in = { .slot = 1, .term = 5, .type = SLOT_SEATS, .n_seats = 3 };
    struct buf good = { 0 };

    (void)state;
    memcpy(in.branch, roster_branch(t->b.r), BRANCH_ID_BYTES);
    in.seats[0] = t->b.desk[ME].id;
    in.seats[1] = t->b.desk[B].id;
    in.seats[2] = t->b.desk[D].id; /* not in the roster */
    assert_refuses(t, &in);
    in.seats[2] = in.seats[1];
    assert_refuses(t, &in);
    in.seats[2] = t->b.desk[C].id;
    in.seats[0] = t->b.desk[C].id; /* throws the old seat out */
    assert_refuses(t, &in);
    in.seats[0] = t->b.desk[ME].id;
    in.n_seats = 2;
    assert_refuses(t, &in);
    in.n_seats = 3;
    in.n_ranges = 1; /* would hide records from every later slot */
    in.ranges = calloc(1, sizeof *in.ranges);
    in.ranges[0].from = in.ranges[0].to = 1;
    assert_refuses(t, &in);
    in.n_ranges = 0;
    intent_encode(&in, &good);
    assert_true(accepts(t, B, 5, &good));
    intent_free(&in);
    buf_free(&good);
    bench_free(t);
}

static void cut_off_messages_change_nothing(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 }, b = question(WIRE_ACCEPT, 5, 5, 1);

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &intent);
    mp_put_bin(&b, intent.p, intent.len);
    mp_put_bin(&b, "", 0);
    mp_put_u64(&b, 0);
    mp_put_bin(&b, "", 0);
    progress_encode_bin(&t->vote_at, &b);
    for (size_t n = 3; n < b.len; n++) {
        struct mp m = mp_over(b.p, n);
        if (wire_open(&m) == WIRE_ACCEPT)
            ledger_message(t->l, &t->now, &t->b.desk[B].id, WIRE_ACCEPT, &m);
        assert_true(m.bad);
        assert_int_equal(t->fx.n, 0);
        assert_int_equal(view(t).term, 0);
    }
    buf_free(&b);
    buf_free(&intent);
    bench_free(t);
}

/* ---- steps of a hand-over, as a seat keeps them ---- */

/* DESK-n, as uploader of `term`, asks to have a step stored; true: it is. */
static bool stores(struct bench *t, unsigned from, uint64_t term, const struct buf *intent,
                   uint64_t step)
{
    struct buf b = question(WIRE_PROGRESS, 9, term, view(t).slot - 1);
    struct progress at = { .step = step };
    uint8_t hash[HASH_BYTES], sha[32] = { 0 };
    struct mp m;

    forget(t);
    intent_hash(intent->p, intent->len, hash);
    mp_put_u64(&b, view(t).slot);
    mp_put_bin(&b, hash, sizeof hash);
    progress_encode_bin(&at, &b);
    mp_put_bool(&b, false);
    mp_put_str(&b, "");
    mp_put_u64(&b, 0);
    mp_put_bin(&b, sha, sizeof sha);
    mp_put_u64(&b, 0);
    mp_put_array(&b, 0);
    say(t, from, &b);
    return sent(t, WIRE_PROGRESSED, from, &m);
}

/* What a vote of ours says of the open slot. */
static uint64_t step_in_vote(struct bench *t, unsigned who, uint64_t term)
{
    struct progress at;
    struct mp m;

    assert_true(votes_for(t, who, term));
    assert_true(sent(t, WIRE_VOTED, who, &m));
    past_head(&m);
    for (unsigned i = 0; i < 4; i++)
        mp_skip(&m);
    assert_true(progress_get(&m, &at));
    return at.step;
}

static void D2_a_seat_keeps_steps_of_the_uploader_it_voted_for_and_no_other(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 }, other = { 0 };

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &intent);
    make_intent(t, 2, 5, 4, &t->b.lead, &other);
    assert_true(votes_for(t, B, 5));
    assert_false(stores(t, B, 5, &intent, 1)); /* not accepted yet */
    assert_true(accepts(t, B, 5, &intent));
    assert_true(stores(t, B, 5, &intent, 1));
    assert_true(stores(t, B, 5, &intent, 1)); /* asked again */
    assert_false(stores(t, C, 5, &intent, 3));
    assert_false(stores(t, B, 4, &intent, 3));
    assert_false(stores(t, B, 6, &intent, 3));
    assert_false(stores(t, B, 5, &other, 3));
    assert_true(stores(t, B, 5, &intent, 3));
    assert_false(stores(t, B, 5, &intent, 1)); /* late: it never goes back */
    assert_true(accepts(t, B, 5, &intent));    /* a late ACCEPT does not take it back either */
    memdisk_commit(t->disk, NULL, NULL);
    crash_and_start(t);
    t->now.boot_ms += 2 * LEASE_PROMISE_MS;
    assert_int_equal(step_in_vote(t, C, 6), 3);
    buf_free(&intent);
    buf_free(&other);
    bench_free(t);
}

static void D3_a_new_uploader_takes_the_highest_step_of_the_highest_term(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };
    struct progress at;
    struct mp m;

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &intent);
    assert_true(votes_for(t, B, 5));
    assert_true(accepts(t, B, 5, &intent));
    assert_true(stores(t, B, 5, &intent, 3)); /* we know of step 3 */
    t->now.boot_ms += 2 * LEASE_PROMISE_MS;
    stand(t);
    t->vote_at.step = 5; /* B of step 5 */
    answer_vote(t, B, 5, &intent);
    assert_true(sent(t, WIRE_ACCEPT, C, &m));
    past_head(&m);
    for (unsigned i = 0; i < 4; i++)
        mp_skip(&m);
    assert_true(progress_get(&m, &at));
    assert_int_equal(at.step, 5);
    buf_free(&intent);
    bench_free(t);
}

/* A decision on step 1 of this intent, signed by `by`. */
static void put_decision(struct bench *t, const struct buf *intent, const struct ident *by,
                         struct progress *at)
{
    struct decision d = { .slot = 2, .step = 1, .arrived = true };
    struct buf b = { 0 };

    intent_hash(intent->p, intent->len, d.intent);
    memcpy(d.lead_pk, by->sign_pk, KEY_BYTES);
    decision_sign(roster_branch(t->b.r), &d, by->sign_sk, &b);
    memset(at, 0, sizeof *at);
    at->step = 2;
    at->done = at->n_decisions = 1;
    at->decisions[0].n = (uint16_t)b.len;
    memcpy(at->decisions[0].b, b.p, b.len);
    buf_free(&b);
}

/* Once stored by the seats it would be refused with every further step, for ever. */
static void D6_a_decision_that_no_lead_signed_is_neither_adopted_nor_accepted(void **state)
{
    struct bench *t = bench_new(3);
    struct buf intent = { 0 };

    (void)state;
    make_intent(t, 2, 5, 3, &t->b.lead, &intent);
    put_decision(t, &intent, &t->b.other_lead, &t->vote_at);
    assert_false(accepts(t, B, 5, &intent));
    put_decision(t, &intent, &t->b.lead, &t->vote_at);
    assert_true(accepts(t, B, 5, &intent));
    t->now.boot_ms += 2 * LEASE_PROMISE_MS;
    stand(t);
    put_decision(t, &intent, &t->b.other_lead, &t->vote_at);
    answer_vote(t, B, 5, &intent);
    assert_int_equal(view(t).state, LEDGER_CANDIDATE);
    put_decision(t, &intent, &t->b.lead, &t->vote_at);
    answer_vote(t, B, 5, &intent);
    assert_int_equal(view(t).state, LEDGER_ACCEPT);
    buf_free(&intent);
    bench_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(D2_a_seat_keeps_steps_of_the_uploader_it_voted_for_and_no_other),
        cmocka_unit_test(D3_a_new_uploader_takes_the_highest_step_of_the_highest_term),
        cmocka_unit_test(D6_a_decision_that_no_lead_signed_is_neither_adopted_nor_accepted),
        cmocka_unit_test(L1_a_seat_votes_once_per_term),
        cmocka_unit_test(L1_the_vote_is_on_disk_before_its_answer_leaves),
        cmocka_unit_test(L1_only_seats_vote),
        cmocka_unit_test(L2_under_promise_a_seat_refuses_and_keeps_its_term),
        cmocka_unit_test(L2_a_promise_outlasts_the_lease_on_the_worst_clocks),
        cmocka_unit_test(L2_resigning_ends_the_promise_but_not_one_of_a_later_term),
        cmocka_unit_test(L7_after_a_start_a_seat_is_silent_for_one_promise),
        cmocka_unit_test(L7_a_seat_without_a_confirmed_mark_neither_votes_nor_accepts),
        cmocka_unit_test(a_seat_does_not_vote_for_who_knows_fewer_receipts),
        cmocka_unit_test(L3_a_seat_accepts_only_what_it_durably_holds),
        cmocka_unit_test(L3_rules_policy_epoch_branch_and_lead_must_be_known),
        cmocka_unit_test(L6_a_seat_accepts_the_next_slot_only_and_only_behind_its_last),
        cmocka_unit_test(an_uploader_of_an_older_term_is_not_heard),
        cmocka_unit_test(L4_nothing_is_sent_before_a_majority_accepted),
        cmocka_unit_test(L4_an_acceptance_of_other_bytes_does_not_count),
        cmocka_unit_test(L4_no_request_goes_out_at_the_end_of_a_lease),
        cmocka_unit_test(L5_a_new_uploader_proposes_the_accepted_intent_unchanged_and_waits),
        cmocka_unit_test(L5_a_proposers_word_that_an_intent_is_old_is_not_enough),
        cmocka_unit_test(L5_a_proposer_cannot_vouch_for_itself),
        cmocka_unit_test(L3_one_term_and_slot_have_one_content),
        cmocka_unit_test(L3_another_sink_than_the_policys_is_refused),
        cmocka_unit_test(L2_a_leap_to_the_end_of_the_terms_is_refused),
        cmocka_unit_test(a_leads_word_of_yesterday_begins_nothing),
        cmocka_unit_test(L5_an_intent_of_a_slot_decided_meanwhile_is_not_adopted),
        cmocka_unit_test(L8_a_delivered_slot_gets_a_receipt_that_others_can_check),
        cmocka_unit_test(L8_a_receipt_without_a_majority_is_refused),
        cmocka_unit_test(L8_a_receipt_out_of_turn_is_asked_for_from_the_beginning),
        cmocka_unit_test(an_answer_after_the_lease_is_no_receipt),
        cmocka_unit_test(an_answer_to_an_earlier_attempt_is_not_heard),
        cmocka_unit_test(a_lost_answer_does_not_hold_the_branch_for_ever),
        cmocka_unit_test(a_sink_that_stops_needs_a_person_who_presses_again),
        cmocka_unit_test(the_word_of_an_upload_that_stopped_does_not_begin_it_again),
        cmocka_unit_test(a_refused_login_stops_and_is_told_to_every_desk),
        cmocka_unit_test(a_login_that_is_refused_at_another_desk_is_not_tried_here),
        cmocka_unit_test(a_server_that_does_not_answer_is_waited_for),
        cmocka_unit_test(that_another_desk_waits_for_the_server_is_known_here_until_it_does_not),
        cmocka_unit_test(without_a_leads_word_nobody_stands),
        cmocka_unit_test(a_press_is_remembered_over_a_restart),
        cmocka_unit_test(a_press_for_a_decided_slot_is_answered_as_such),
        cmocka_unit_test(a_press_with_nothing_new_ends_quietly),
        cmocka_unit_test(a_candidate_without_a_majority_gives_up_and_tries_again),
        cmocka_unit_test(an_uploader_without_answers_loses_its_lease),
        cmocka_unit_test(a_lease_counts_from_the_question_not_from_the_answer),
        cmocka_unit_test(a_question_of_another_epoch_is_not_heard),
        cmocka_unit_test(L9_a_change_of_seats_is_a_slot_decided_by_the_old_seats),
        cmocka_unit_test(L9_seats_that_no_lead_named_or_with_records_are_refused),
        cmocka_unit_test(cut_off_messages_change_nothing),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
