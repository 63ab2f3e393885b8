/* test_override.c - overrides: certificates, and whole desks that are parted and meet again.
 *
 * The desks are real cores over memory; messages between desks that are not parted arrive at once.
 * DESK-1 to DESK-3 hold the seats. */
#include "../branch.h"

#include <sodium.h>

#include "../memdisk.h"
#include "core.h"
#include "ledger_int.h"
#include "wire.h"
#include "word.h"

#define DESKS 5

struct sending { /* what reached the sink */
    uint8_t hash[HASH_BYTES];
    uint32_t epoch;
    uint64_t slot, records;
    unsigned desk;
};

struct world {
    struct branch b;
    struct memdisk *disk[DESKS];
    struct core *core[DESKS]; /* NULL: off */
    bool cut[DESKS][DESKS];
    bool sink_is_mute; /* what arrives there is not answered */
    struct moment now;
    struct sending sent[16];
    unsigned n_sent, items;
    uint64_t dice;
};

static void dice(void *ctx, void *out, size_t n)
{
    struct world *w = ctx;
    uint8_t *p = out;

    for (size_t i = 0; i < n; i++) {
        w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
        p[i] = (uint8_t)(w->dice >> 56);
    }
}

/* ---- the network and the sink ---- */

static int desk_of(const struct world *w, const struct desk_id *id)
{
    for (int i = 0; i < DESKS; i++)
        if (desk_id_eq(&w->b.desk[i].id, id))
            return i;
    return -1;
}

static void deliver(struct world *w, unsigned i, const struct effect *e)
{
    struct sending *s = &w->sent[w->n_sent++];
    struct intent in;

    assert_true(w->n_sent <= 16);
    assert_int_equal(intent_decode(e->bytes.p, e->bytes.len, &in, NULL), ERR_OK);
    intent_hash(e->bytes.p, e->bytes.len, s->hash);
    s->epoch = in.epoch.number;
    s->slot = in.slot;
    s->records = in.records;
    s->desk = i;
    intent_free(&in);
    if (!w->sink_is_mute)
        core_delivered(w->core[i], &w->now, e->number, DELIVERY_DONE, "sink", NULL);
}

static void carry_out(struct world *w, unsigned i)
{
    struct effects fx;
    struct errmsg msg = { .text = "" };

    assert_int_equal(core_seal(w->core[i], &msg), ERR_OK);
    memdisk_commit(w->disk[i], NULL, NULL);
    fx = *core_effects(w->core[i]);
    memset(core_effects(w->core[i]), 0, sizeof fx);
    for (unsigned k = 0; k < fx.n; k++) {
        struct effect *e = &fx.v[k];
        int to = desk_of(w, &e->to);
        bool open = to >= 0 && w->core[to] && !w->cut[i][to];
        struct slot_part part = { .suffix = "log", .bytes = 1, .lines = 1 };
        if (e->type == EFFECT_SEND && open) {
            core_message(w->core[to], &w->now, &w->b.desk[i].id, "", e->bytes.p, e->bytes.len);
            carry_out(w, (unsigned)to);
        } else if (e->type == EFFECT_CONNECT && open && to != (int)i) {
            core_peer_up(w->core[i], &w->now, &e->to);
        } else if (e->type == EFFECT_BUILD) {
            core_built(w->core[i], &w->now, e->number, &part, 1, &(struct slot_aside){ 0 }, NULL);
        } else if (e->type == EFFECT_DELIVER) {
            deliver(w, i, e);
        }
    }
    effects_free(&fx);
    if (core_effects(w->core[i])->n > 0)
        carry_out(w, i);
}

static void pass(struct world *w, unsigned seconds)
{
    for (unsigned t = 0; t < 10 * seconds; t++) {
        w->now.boot_ms += 100;
        w->now.wall_ms += 100;
        for (unsigned i = 0; i < DESKS; i++)
            if (w->core[i]) {
                core_tick(w->core[i], &w->now);
                carry_out(w, i);
            }
    }
}

static void start(struct world *w, unsigned i)
{
    struct core_config conf = { .me = &w->b.desk[i],
                                .disk = memdisk_disk(w->disk[i]),
                                .dice = dice,
                                .dice_ctx = w,
                                .software = "test" };
    struct errmsg msg = { .text = "" };

    snprintf(conf.address, sizeof conf.address, "10.0.0.%u:7411", i + 1);
    if (core_open(&conf, &w->now, &w->core[i], &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    for (unsigned k = 0; k < DESKS; k++) {
        char address[ADDR_TEXT_MAX];
        snprintf(address, sizeof address, "10.0.0.%u:7411", k + 1);
        core_hint(w->core[i], &w->b.desk[k].id, address);
    }
    carry_out(w, i);
}

static void stop(struct world *w, unsigned i)
{
    core_close(w->core[i]);
    w->core[i] = NULL;
}

/* Desks in `side` hear each other and nobody else; the rest likewise. */
static void part(struct world *w, unsigned side)
{
    for (unsigned i = 0; i < DESKS; i++)
        for (unsigned k = 0; k < DESKS; k++)
            w->cut[i][k] = (side >> i & 1) != (side >> k & 1);
}

/* ---- people ---- */

static struct ledger_view view(const struct world *w, unsigned i)
{
    struct ledger_view v;

    core_ledger_view(w->core[i], &w->now, &v);
    return v;
}

static uint64_t pending(const struct world *w, unsigned i)
{
    struct core_view v;

    core_view(w->core[i], &w->now, &v);
    return v.pending;
}

static void barcode(unsigned n, char out[BARCODE_MAX + 1])
{
    unsigned sum = 0;

    snprintf(out, BARCODE_MAX + 1, "3%012u", n);
    for (unsigned i = 0; i < 13; i++) {
        unsigned v = (unsigned)(out[i] - '0') * (i % 2 == 0 ? 2 : 1);
        sum += v > 9 ? v - 9 : v;
    }
    out[13] = (char)('0' + (10 - sum % 10) % 10);
    out[14] = '\0';
}

static void scan(struct world *w, unsigned i)
{
    struct record r = { .kind = RECORD_INHOUSE, .count = 1 };
    struct record_ref ref;
    struct errmsg msg = { .text = "" };
    bool again;

    barcode(++w->items, r.item);
    put_be32(r.key, w->items);
    if (core_record(w->core[i], &w->now, &r, &ref, &again, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    carry_out(w, i);
}

static void press(struct world *w, unsigned i)
{
    struct trigger t;
    struct buf b = { 0 };
    struct errmsg msg = { .text = "" };

    core_draft_trigger(w->core[i], &w->now, &t);
    memcpy(t.lead_pk, w->b.lead.sign_pk, KEY_BYTES);
    trigger_sign(roster_branch(w->b.r), &t, w->b.lead.sign_sk, &b);
    if (core_trigger(w->core[i], &w->now, b.p, b.len, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    buf_free(&b);
    carry_out(w, i);
}

static enum err plan(const struct world *w, unsigned i, struct override_plan *p, struct errmsg *msg)
{
    return core_override_plan(w->core[i], &w->now, p, msg);
}

static void sign(const struct world *w, const struct ident *lead, struct override *o,
                 struct buf *out)
{
    snprintf(o->reason, sizeof o->reason, "two PCs burnt");
    memcpy(o->lead_pk, lead->sign_pk, KEY_BYTES);
    override_sign(roster_branch(w->b.r), o, lead->sign_sk, out);
}

static uint64_t override(struct world *w, unsigned i)
{
    struct override_plan *p = malloc(sizeof *p);
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };
    uint64_t may_double;

    if (plan(w, i, p, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    sign(w, &w->b.lead, &p->draft, &b);
    if (core_override(w->core[i], &w->now, b.p, b.len, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    carry_out(w, i);
    may_double = p->may_double;
    buf_free(&b);
    free(p);
    return may_double;
}

/* Everybody connected and fit to vote. */
static struct world *world_of(unsigned seats, uint64_t seed)
{
    struct world *w = calloc(1, sizeof *w);

    w->dice = seed;
    branch_new(&w->b, DESKS, seats);
    w->now = (struct moment){ 1000000, 1795500000000, 0 };
    for (unsigned i = 0; i < DESKS; i++) {
        const struct disk *d;
        w->disk[i] = memdisk_new();
        d = memdisk_disk(w->disk[i]);
        for (uint32_t k = 0; k < w->b.n_ops; k++) {
            uint8_t key[4];
            put_be32(key, k);
            d->put(d->ctx, TABLE_ROSTER, key, sizeof key, w->b.op[k].p, w->b.op[k].len);
        }
        memdisk_commit(w->disk[i], NULL, NULL);
        start(w, i);
    }
    pass(w, 30);
    for (unsigned i = 0; i < DESKS; i++)
        assert_int_equal(view(w, i).n_seats, seats);
    return w;
}

static struct world *world_new(void)
{
    return world_of(3, 0);
}

static void world_free(struct world *w)
{
    for (unsigned i = 0; i < DESKS; i++) {
        core_close(w->core[i]);
        memdisk_free(w->disk[i]);
    }
    branch_free(&w->b);
    free(w);
}

static void assert_one_epoch(const struct world *w, uint32_t number)
{
    struct ledger_view first = view(w, 0);

    for (unsigned i = 0; i < DESKS; i++) {
        struct ledger_view v = view(w, i);
        assert_int_equal(v.epoch.number, number);
        assert_true(epoch_eq(&v.epoch, &first.epoch));
        assert_int_equal(v.slot, first.slot);
        assert_int_equal(v.evidence, first.evidence);
        assert_int_equal(v.doubled, first.doubled);
        assert_int_equal(pending(w, i), 0);
        assert_false(v.behind);
    }
}

struct listed {
    struct overlap v[8];
    unsigned n;
};

static void list(void *ctx, const struct overlap *o)
{
    struct listed *l = ctx;

    assert_true(l->n < 8);
    l->v[l->n++] = *o;
}

/* ---- certificates ---- */

static void a_certificate_comes_back_as_it_was_signed_and_a_bent_one_is_refused(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct override o = { .epoch.number = 2, .base = 7, .n_seats = 3, .n_missing = 2 }, back;
    struct buf b = { 0 };
    struct errmsg msg;

    (void)state;
    branch_new(&w->b, DESKS, 3);
    memset(o.prev, 0x11, sizeof o.prev);
    memset(o.base_hash, 0x22, sizeof o.base_hash);
    for (unsigned i = 0; i < 3; i++)
        o.seats[i] = w->b.desk[i].id;
    for (unsigned i = 0; i < 2; i++)
        o.missing[i] = w->b.desk[3 + i].id;
    o.made_ms = 1795500000000;
    o.desk = w->b.desk[0].id;
    sign(w, &w->b.lead, &o, &b);
    assert_int_equal(override_open(b.p, b.len, roster_branch(w->b.r), &back, &msg), ERR_OK);
    memcpy(o.epoch.hash, back.epoch.hash, HASH_BYTES);
    assert_memory_equal(&o, &back, sizeof o);
    for (size_t i = 0; i < b.len; i++) {
        b.p[i] ^= 1;
        assert_int_not_equal(override_open(b.p, b.len, roster_branch(w->b.r), &back, &msg), ERR_OK);
        b.p[i] ^= 1;
    }
    for (size_t n = 0; n < b.len; n++)
        assert_int_not_equal(override_open(b.p, n, roster_branch(w->b.r), &back, &msg), ERR_OK);
    buf_free(&b);
    branch_free(&w->b);
    free(w);
}

static void seats_must_be_odd_and_distinct(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct override o = { .epoch.number = 1, .n_seats = 2 }, back;
    struct buf b = { 0 };

    (void)state;
    branch_new(&w->b, DESKS, 3);
    for (unsigned i = 0; i < 3; i++)
        o.seats[i] = w->b.desk[i].id;
    sign(w, &w->b.lead, &o, &b);
    assert_int_equal(override_open(b.p, b.len, roster_branch(w->b.r), &back, NULL), ERR_MALFORMED);
    buf_reset(&b);
    o.n_seats = 3;
    o.seats[2] = o.seats[0];
    sign(w, &w->b.lead, &o, &b);
    assert_int_equal(override_open(b.p, b.len, roster_branch(w->b.r), &back, NULL), ERR_MALFORMED);
    buf_free(&b);
    branch_free(&w->b);
    free(w);
}

static void the_higher_number_wins_and_of_one_number_the_smaller_hash(void **state)
{
    struct epoch zero = { 0 }, one = { .number = 1, .hash = { 5 } },
                 less = { .number = 1, .hash = { 4 } }, two = { .number = 2, .hash = { 9 } };

    (void)state;
    assert_true(epoch_wins(&one, &zero));
    assert_true(epoch_wins(&less, &one));
    assert_true(epoch_wins(&two, &less));
    assert_false(epoch_wins(&one, &less));
    assert_false(epoch_wins(&one, &one));
}

/* ---- the plan ---- */

static void while_a_majority_of_seats_is_on_there_is_no_override(void **state)
{
    struct world *w = world_new();
    struct override_plan *p = malloc(sizeof *p);
    struct errmsg msg = { .text = "" };

    (void)state;
    stop(w, 1);
    pass(w, 20);
    assert_int_equal(plan(w, 0, p, &msg), ERR_REFUSED);
    assert_string_equal(msg.why, "not_needed");
    stop(w, 2);
    pass(w, 5);
    assert_int_equal(plan(w, 0, p, &msg), ERR_REFUSED); /* silent for 5 s: it may come back */
    pass(w, 15);
    assert_int_equal(plan(w, 0, p, &msg), ERR_OK);
    free(p);
    world_free(w);
}

static void the_plan_names_who_is_there_who_is_not_and_the_risk(void **state)
{
    struct world *w = world_new();
    struct override_plan *p = malloc(sizeof *p);
    struct errmsg msg = { .text = "" };

    (void)state;
    scan(w, 0);
    scan(w, 3);
    pass(w, 5);
    stop(w, 0);
    stop(w, 1);
    pass(w, 20);
    scan(w, 4);
    pass(w, 2);
    assert_int_equal(plan(w, 4, p, &msg), ERR_OK);
    assert_int_equal(p->n_reached, 3);
    assert_int_equal(p->draft.n_missing, 2);
    assert_true(desk_id_eq(&p->draft.missing[0], &w->b.desk[0].id));
    assert_int_equal(p->draft.n_seats, 3);
    assert_true(desk_id_eq(&p->draft.seats[0], &w->b.desk[2].id)); /* the old seat comes first */
    assert_int_equal(p->draft.base, view(w, 4).slot - 1);
    assert_int_equal(p->may_double, 3);
    free(p);
    world_free(w);
}

static void a_desk_that_has_just_started_does_not_know_yet_who_is_there(void **state)
{
    struct world *w = world_new();
    struct override_plan *p = malloc(sizeof *p);
    struct errmsg msg = { .text = "" };

    (void)state;
    stop(w, 0);
    stop(w, 1);
    stop(w, 3);
    pass(w, 20);
    stop(w, 3 - 1);
    start(w, 2);
    assert_int_equal(plan(w, 2, p, &msg), ERR_BUSY);
    assert_string_equal(msg.why, "just_started");
    free(p);
    world_free(w);
}

static void only_a_lead_who_still_is_one_may_sign(void **state)
{
    struct world *w = world_new();
    struct override_plan *p = malloc(sizeof *p);
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };

    (void)state;
    part(w, 0x03);
    pass(w, 20);
    assert_int_equal(plan(w, 4, p, &msg), ERR_OK);
    sign(w, &w->b.other_lead, &p->draft, &b);
    assert_int_equal(core_override(w->core[4], &w->now, b.p, b.len, &msg), ERR_DENIED);
    buf_reset(&b);
    p->draft.base++;
    sign(w, &w->b.lead, &p->draft, &b);
    assert_int_equal(core_override(w->core[4], &w->now, b.p, b.len, &msg), ERR_EXISTS);
    assert_int_equal(view(w, 4).epoch.number, 0);
    buf_free(&b);
    free(p);
    world_free(w);
}

/* ---- going on without the others ---- */

static void two_seats_gone_for_good_the_rest_uploads_by_override(void **state)
{
    struct world *w = world_new();

    (void)state;
    for (unsigned i = 0; i < DESKS; i++)
        scan(w, i);
    pass(w, 5);
    stop(w, 0);
    stop(w, 1);
    pass(w, 20);
    override(w, 3);
    pass(w, 10);
    press(w, 3);
    pass(w, 20);
    assert_int_equal(w->n_sent, 1);
    assert_int_equal(w->sent[0].epoch, 1);
    assert_int_equal(w->sent[0].records, 5);
    start(w, 0);
    start(w, 1);
    pass(w, 30);
    assert_one_epoch(w, 1);
    assert_int_equal(view(w, 0).doubled, 0);
    assert_int_equal(view(w, 0).n_seats, 5); /* who came back was given a seat again */
    world_free(w);
}

static void the_last_desk_of_all_can_go_on_alone_even_after_a_restart(void **state)
{
    struct world *w = world_new();

    (void)state;
    scan(w, 4);
    for (unsigned i = 0; i < 4; i++)
        stop(w, i);
    pass(w, 20);
    stop(w, 4);
    start(w, 4); /* nobody remembers this start */
    pass(w, 20);
    override(w, 4);
    pass(w, 10);
    press(w, 4);
    pass(w, 20);
    assert_int_equal(w->n_sent, 1);
    assert_int_equal(pending(w, 4), 0);
    world_free(w);
}

static void a_desk_that_was_restarted_is_still_in_the_epoch(void **state)
{
    struct world *w = world_new();
    struct epoch before;

    (void)state;
    part(w, 0x03);
    pass(w, 20);
    override(w, 3);
    pass(w, 5);
    before = view(w, 4).epoch;
    assert_int_equal(before.number, 1);
    stop(w, 4);
    start(w, 4);
    assert_int_equal(view(w, 4).epoch.number, 1);
    assert_memory_equal(view(w, 4).epoch.hash, before.hash, HASH_BYTES);
    assert_int_equal(view(w, 4).n_seats, 3);
    assert_true(desk_id_eq(&view(w, 4).seats[0], &w->b.desk[2].id));
    world_free(w);
}

/* DESK-1 and DESK-2, which are left of five seats, both accepted an upload, and one of them gets the seat. If the
 * other one carries on with it, it must still know of it: should the seat burn, too, it goes on under that name. */
static bool a_desk_without_a_seat_carries_on(uint64_t seed)
{
    struct world *w = world_of(5, seed);
    unsigned other;
    bool it_did;

    w->sink_is_mute = true;
    scan(w, 0);
    pass(w, 5);
    press(w, 0);
    pass(w, 10);
    assert_int_equal(w->n_sent, 1);
    for (unsigned i = 2; i < DESKS; i++)
        stop(w, i);
    pass(w, 30);
    override(w, 0);
    other = desk_id_eq(&view(w, 0).seats[0], &w->b.desk[0].id);
    for (unsigned n = 0; n < 60 && w->n_sent < 2; n++)
        pass(w, 1);
    it_did = w->n_sent == 2 && w->sent[1].desk == other;
    assert_true(view(w, other).open);
    assert_true(view(w, other).acc_term > 0);
    world_free(w);
    return it_did;
}

static void who_has_no_seat_does_not_forget_what_it_carries_on_with(void **state)
{
    bool any = false;

    (void)state;
    for (uint64_t seed = 0; seed < 12 && !any; seed++)
        any = a_desk_without_a_seat_carries_on(seed);
    assert_true(any);
}

/* ---- those who turn out to be alive ---- */

/* DESK-1 and DESK-2 upload on their side, the others by override on theirs. Before the parting
 * there are two records, one more is made on each side after it. */
static struct world *both_sides_upload_in(struct world *w, bool press_here)
{
    scan(w, 0);
    scan(w, 3);
    pass(w, 5);
    part(w, 0x03);
    pass(w, 20);
    assert_int_equal(override(w, 3), 2);
    pass(w, 10);
    scan(w, 0);
    scan(w, 4);
    pass(w, 2);
    press(w, 0);
    pass(w, 20);
    if (press_here) {
        press(w, 4);
        pass(w, 20);
    }
    return w;
}

static struct world *both_sides_upload(bool press_here)
{
    return both_sides_upload_in(world_new(), press_here);
}

static void what_a_lost_epoch_delivered_is_not_sent_again(void **state)
{
    struct world *w = both_sides_upload(false);

    (void)state;
    assert_int_equal(w->n_sent, 1);
    assert_int_equal(w->sent[0].records, 3);
    part(w, 0);
    pass(w, 30);
    press(w, 2);
    pass(w, 30);
    assert_int_equal(w->n_sent, 2);
    assert_int_equal(w->sent[1].epoch, 1);
    assert_int_equal(w->sent[1].records, 1); /* only the one that was made on this side */
    assert_one_epoch(w, 1);
    assert_int_equal(view(w, 0).evidence, 1);
    assert_int_equal(view(w, 0).doubled, 0);
    world_free(w);
}

static void slot_hash(const struct world *w, uint64_t slot, uint8_t hash[HASH_BYTES])
{
    struct buf b = { 0 };
    struct receipt r;

    assert_int_equal(ledger_receipt(core_ledger(w->core[0]), slot, &b), ERR_OK);
    assert_int_equal(receipt_decode(b.p, b.len, &r, NULL), ERR_OK);
    intent_hash(r.intent, r.intent_len, hash);
    buf_free(&b);
}

/* An upload, confirmed and long ago: the branch agrees that nobody looks back at it. */
static void let_an_upload_be_erased(struct world *w)
{
    uint64_t slot = view(w, 0).slot;
    struct word word = { .kind = WORD_CONFIRM, .slot = slot, .at_ms = w->now.wall_ms };
    struct buf bytes = { 0 };

    scan(w, 1);
    pass(w, 5);
    press(w, 1);
    pass(w, 20);
    assert_int_equal(view(w, 0).slot, slot + 1);
    memcpy(word.key, w->b.lead.sign_pk, KEY_BYTES);
    slot_hash(w, slot, word.intent);
    word_sign(roster_branch(w->b.r), &word, NULL, w->b.lead.sign_sk, &bytes);
    assert_int_equal(core_say(w->core[0], &w->now, bytes.p, bytes.len, NULL), ERR_OK);
    carry_out(w, 0);
    buf_free(&bytes);
    pass(w, 10);
    w->now.wall_ms += INT64_C(40) * 86400000;
    pass(w, 30);
    assert_int_equal(view(w, 0).slot, slot + 2);
}

static void after_something_was_erased_a_lost_epoch_is_passed_over_too(void **state)
{
    struct world *w = world_new();

    (void)state;
    let_an_upload_be_erased(w);
    both_sides_upload_in(w, false);
    part(w, 0);
    pass(w, 30);
    press(w, 2);
    pass(w, 60);
    assert_int_equal(w->n_sent, 3);
    assert_int_equal(w->sent[2].epoch, 1);
    assert_int_equal(w->sent[2].records, 1);
    assert_one_epoch(w, 1);
    world_free(w);
}

static void what_both_epochs_sent_is_listed_record_by_record(void **state)
{
    struct world *w = both_sides_upload(true);
    struct listed l = { .n = 0 };

    (void)state;
    assert_int_equal(w->n_sent, 2);
    assert_int_equal(w->sent[1].records, 3);
    part(w, 0);
    pass(w, 60);
    assert_one_epoch(w, 1);
    for (unsigned i = 0; i < DESKS; i++) {
        memset(&l, 0, sizeof l);
        assert_int_equal(ledger_overlaps(core_ledger(w->core[i]), list, &l), 2);
        assert_int_equal(l.n, 2);
        for (unsigned k = 0; k < 2; k++) {
            assert_int_equal(l.v[k].from, 1);
            assert_int_equal(l.v[k].to, 1);
            assert_int_equal(l.v[k].first.epoch + l.v[k].again.epoch, 1);
            assert_int_equal(l.v[k].first.slot, l.v[k].again.slot);
        }
    }
    world_free(w);
}

static void two_overrides_of_one_number_end_in_one_epoch(void **state)
{
    struct world *w = world_new();
    struct epoch a, b;

    (void)state;
    for (unsigned i = 0; i < DESKS; i++)
        scan(w, i);
    pass(w, 5);
    stop(w, 0);
    part(w, 0x0a); /* DESK-2 and DESK-4; DESK-3 and DESK-5 */
    pass(w, 20);
    override(w, 1);
    override(w, 2);
    pass(w, 10);
    a = view(w, 3).epoch;
    b = view(w, 4).epoch;
    assert_int_equal(a.number, 1);
    assert_int_equal(b.number, 1);
    assert_false(epoch_eq(&a, &b));
    press(w, 1);
    press(w, 2);
    pass(w, 20);
    assert_int_equal(w->n_sent, 2);
    part(w, 0);
    start(w, 0);
    pass(w, 60);
    assert_one_epoch(w, 1);
    a = epoch_wins(&a, &b) ? a : b;
    assert_memory_equal(view(w, 0).epoch.hash, a.hash, HASH_BYTES);
    assert_int_equal(view(w, 0).doubled, 5);
    assert_int_equal(w->n_sent, 2);
    world_free(w);
}

/* As if earlier overrides had taken back as much. */
static void set_evidence(struct world *w, unsigned i, unsigned n)
{
    ((struct ledger *)(uintptr_t)core_ledger(w->core[i]))->n_evidence = n;
}

static void a_desk_takes_no_part_in_an_override_that_sets_aside_more_than_it_keeps(void **state)
{
    struct world *w = both_sides_upload(false);

    (void)state;
    set_evidence(w, 0, EVIDENCE_MAX);
    set_evidence(w, 1, EVIDENCE_MAX - 1);
    part(w, 0);
    pass(w, 10);
    assert_int_equal(view(w, 0).epoch.number, 0);
    assert_non_null(strstr(view(w, 0).problem, "than this desk can set aside"));
    assert_int_equal(view(w, 1).epoch.number, 1);
    world_free(w);
}

static void evidence_that_it_cannot_keep_makes_a_desk_agree_to_no_further_upload(void **state)
{
    struct world *w = both_sides_upload(false);

    (void)state;
    set_evidence(w, 2, EVIDENCE_MAX);
    part(w, 0);
    pass(w, 10);
    assert_int_equal(view(w, 0).evidence, 1);
    assert_int_equal(view(w, 2).evidence, EVIDENCE_MAX);
    assert_non_null(strstr(view(w, 2).problem, "a record might be sent twice"));
    assert_true(((const struct ledger *)core_ledger(w->core[2]))->blind);
    world_free(w);
}

static void an_upload_that_was_agreed_on_is_finished_under_its_own_name(void **state)
{
    struct world *w = world_new();

    (void)state;
    scan(w, 0);
    pass(w, 5);
    w->sink_is_mute = true;
    press(w, 2);
    for (unsigned i = 0; i < 30 && w->n_sent == 0; i++)
        pass(w, 1);
    assert_int_equal(w->n_sent, 1);
    assert_int_equal(w->sent[0].desk, 2);
    stop(w, 1);
    stop(w, 2); /* DESK-1 alone is left of those that accepted it */
    w->sink_is_mute = false;
    pass(w, 20);
    override(w, 4);
    pass(w, 60);
    assert_int_equal(w->n_sent, 2);
    assert_int_equal(w->sent[1].epoch, 0);
    assert_memory_equal(w->sent[0].hash, w->sent[1].hash, HASH_BYTES);
    assert_int_equal(pending(w, 4), 0);
    assert_int_equal(view(w, 4).epoch.number, 1);
    world_free(w);
}

static void a_second_override_follows_the_first(void **state)
{
    struct world *w = world_new();

    (void)state;
    scan(w, 4);
    pass(w, 5);
    stop(w, 0);
    stop(w, 1);
    pass(w, 20);
    override(w, 2);
    pass(w, 10);
    stop(w, 2);
    stop(w, 3);
    pass(w, 20);
    override(w, 4);
    pass(w, 10);
    press(w, 4);
    pass(w, 20);
    assert_int_equal(w->n_sent, 1);
    assert_int_equal(w->sent[0].epoch, 2);
    for (unsigned i = 0; i < 4; i++)
        start(w, i);
    pass(w, 60);
    assert_one_epoch(w, 2);
    world_free(w);
}

static void evidence_without_the_signatures_of_that_epochs_seats_is_refused(void **state)
{
    struct world *w = both_sides_upload(false);
    struct buf b = { 0 }, receipt = { 0 };
    struct receipt r;
    uint64_t slot = view(w, 0).slot - 1;

    (void)state;
    assert_int_equal(ledger_receipt(core_ledger(w->core[0]), slot, &receipt), ERR_OK);
    assert_int_equal(receipt_decode(receipt.p, receipt.len, &r, NULL), ERR_OK);
    r.n_accepted = 1;
    r.desk = w->b.desk[0].id;
    for (unsigned bent = 0; bent < 2; bent++) {
        struct buf made = { 0 };
        if (bent == 0)
            receipt_encode(&r, w->b.desk[0].sign_sk, &made);
        else
            buf_add(&made, receipt.p, receipt.len);
        buf_reset(&b);
        wire_begin(&b, WIRE_EVIDENCE, 4);
        mp_put_u64(&b, 0);
        mp_put_bin(&b, (uint8_t[HASH_BYTES]){ 0 }, HASH_BYTES);
        mp_put_u64(&b, slot);
        mp_put_bin(&b, made.p, made.len);
        core_message(w->core[4], &w->now, &w->b.desk[3].id, "", b.p, b.len);
        carry_out(w, 4);
        assert_int_equal(view(w, 4).evidence, bent); /* the true one is taken */
        buf_free(&made);
    }
    buf_free(&b);
    buf_free(&receipt);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_comes_back_as_it_was_signed_and_a_bent_one_is_refused),
        cmocka_unit_test(seats_must_be_odd_and_distinct),
        cmocka_unit_test(the_higher_number_wins_and_of_one_number_the_smaller_hash),
        cmocka_unit_test(while_a_majority_of_seats_is_on_there_is_no_override),
        cmocka_unit_test(the_plan_names_who_is_there_who_is_not_and_the_risk),
        cmocka_unit_test(a_desk_that_has_just_started_does_not_know_yet_who_is_there),
        cmocka_unit_test(only_a_lead_who_still_is_one_may_sign),
        cmocka_unit_test(two_seats_gone_for_good_the_rest_uploads_by_override),
        cmocka_unit_test(the_last_desk_of_all_can_go_on_alone_even_after_a_restart),
        cmocka_unit_test(a_desk_that_was_restarted_is_still_in_the_epoch),
        cmocka_unit_test(who_has_no_seat_does_not_forget_what_it_carries_on_with),
        cmocka_unit_test(what_a_lost_epoch_delivered_is_not_sent_again),
        cmocka_unit_test(after_something_was_erased_a_lost_epoch_is_passed_over_too),
        cmocka_unit_test(what_both_epochs_sent_is_listed_record_by_record),
        cmocka_unit_test(two_overrides_of_one_number_end_in_one_epoch),
        cmocka_unit_test(a_desk_takes_no_part_in_an_override_that_sets_aside_more_than_it_keeps),
        cmocka_unit_test(evidence_that_it_cannot_keep_makes_a_desk_agree_to_no_further_upload),
        cmocka_unit_test(an_upload_that_was_agreed_on_is_finished_under_its_own_name),
        cmocka_unit_test(a_second_override_follows_the_first),
        cmocka_unit_test(evidence_without_the_signatures_of_that_epochs_seats_is_refused),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
