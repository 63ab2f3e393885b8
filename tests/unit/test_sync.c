/* test_sync.c - two or three whole cores on memory disks, joined by a perfect network. */
#include "../branch.h"

#include <sodium.h>

#include "../memdisk.h"
#include "core.h"
#include "wire.h"

#define NODES 4

struct letter {
    unsigned from, to;
    struct buf bytes;
};

struct node {
    struct memdisk *disk;
    struct core *core; /* NULL: off */
    uint64_t dice;
    int64_t wall_step;
    bool disconnected[NODES];
};

struct world {
    struct branch b;
    unsigned n; /* desks that have a node; the roster may name more */
    struct node v[NODES];
    bool cut[NODES][NODES];
    bool wants[NODES][NODES], up[NODES][NODES]; /* the connection that one holds to another */
    unsigned drop[NODES][NODES];                /* so many next letters are lost */
    uint64_t now_ms;
    struct letter *mail;
    unsigned n_mail, mail_room;
    struct buf last_hello[NODES][NODES];
    struct buf slot; /* the newest intent that was handed to the sink */
    unsigned delivered;
};

static void dice(void *ctx, void *out, size_t n)
{
    uint64_t *s = ctx;
    uint8_t *p = out;

    for (size_t i = 0; i < n; i++) {
        *s = *s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        p[i] = (uint8_t)(*s >> 56);
    }
}

static struct moment moment(const struct world *w, unsigned i)
{
    return (struct moment){ w->now_ms, 1795500000000 + (int64_t)w->now_ms + w->v[i].wall_step,
                            -300 };
}

static void try_connect(struct world *w, unsigned i, unsigned to)
{
    struct moment now = moment(w, i);

    if (!w->wants[i][to] || w->up[i][to] || !w->v[i].core || !w->v[to].core || w->cut[i][to])
        return;
    w->up[i][to] = true;
    core_peer_up(w->v[i].core, &now, &w->b.desk[to].id);
}

static unsigned wire_type_of(const struct buf *b)
{
    struct mp m = mp_over(b->p, b->len);

    return wire_open(&m);
}

static void post(struct world *w, unsigned from, unsigned to, struct buf *bytes)
{
    if (w->n_mail == w->mail_room) {
        w->mail_room = w->mail_room ? 2 * w->mail_room : 64;
        w->mail = realloc(w->mail, w->mail_room * sizeof *w->mail);
    }
    w->mail[w->n_mail++] = (struct letter){ from, to, *bytes };
    memset(bytes, 0, sizeof *bytes);
}

static unsigned node_of(const struct world *w, const struct desk_id *id)
{
    for (unsigned i = 0; i < NODES; i++)
        if (desk_id_eq(&w->b.desk[i].id, id))
            return i;
    return NODES;
}

/* Nothing is really built here: the payload is tested elsewhere. */
static void carry_out(struct world *w, unsigned i, struct effect *e)
{
    unsigned to = node_of(w, &e->to);
    struct moment now = moment(w, i);

    switch (e->type) {
    case EFFECT_SEND:
        if (to < w->n && (to == i || w->up[i][to]))
            post(w, i, to, &e->bytes);
        break;
    case EFFECT_CONNECT:
        if (to < w->n) {
            w->wants[i][to] = true;
            w->up[i][to] = false;
            try_connect(w, i, to);
        }
        break;
    case EFFECT_DISCONNECT:
        w->v[i].disconnected[to] = true;
        break;
    case EFFECT_BUILD:
        core_built(w->v[i].core, &now, e->number, NULL, 0, 0, NULL);
        break;
    case EFFECT_DELIVER:
        buf_free(&w->slot);
        w->slot = e->bytes;
        memset(&e->bytes, 0, sizeof e->bytes);
        w->delivered++;
        core_delivered(w->v[i].core, &now, e->number, DELIVERY_DONE, "x");
        break;
    case EFFECT_PERIOD:
    case EFFECT_EVENT:
        break;
    }
}

static void finish(struct world *w, unsigned i)
{
    struct effects *fx = core_effects(w->v[i].core);

    do { /* answers to effects make further effects */
        struct effects now;
        assert_int_equal(core_seal(w->v[i].core, NULL), ERR_OK);
        memdisk_commit(w->v[i].disk, NULL, NULL);
        now = *fx;
        memset(fx, 0, sizeof *fx);
        for (unsigned k = 0; k < now.n; k++)
            carry_out(w, i, &now.v[k]);
        effects_free(&now);
    } while (fx->n > 0);
}

static void hear(struct world *w, unsigned from, unsigned to, const void *p, size_t n)
{
    struct moment now = moment(w, to);

    core_message(w->v[to].core, &now, &w->b.desk[from].id, "", p, n);
    finish(w, to);
}

static void pump(struct world *w)
{
    for (unsigned i = 0; i < w->n_mail; i++) {
        struct letter l = w->mail[i];
        if (wire_type_of(&l.bytes) == WIRE_HELLO) {
            buf_reset(&w->last_hello[l.from][l.to]);
            buf_add(&w->last_hello[l.from][l.to], l.bytes.p, l.bytes.len);
        }
        if (w->drop[l.from][l.to] > 0)
            w->drop[l.from][l.to]--;
        else if (w->v[l.to].core && !w->cut[l.from][l.to])
            hear(w, l.from, l.to, l.bytes.p, l.bytes.len);
        buf_free(&l.bytes);
    }
    w->n_mail = 0;
}

static void run(struct world *w, uint64_t ms)
{
    for (uint64_t end = w->now_ms + ms; w->now_ms < end;) {
        w->now_ms += 100;
        for (unsigned i = 0; i < w->n; i++) {
            struct moment now = moment(w, i);
            if (!w->v[i].core)
                continue;
            for (unsigned k = 0; k < w->n; k++)
                try_connect(w, i, k);
            core_tick(w->v[i].core, &now);
            finish(w, i);
        }
        pump(w);
    }
}

static void put_roster(struct world *w, struct memdisk *m)
{
    const struct disk *d = memdisk_disk(m);

    for (unsigned i = 0; i < w->b.n_ops; i++) {
        uint8_t key[4];
        put_be32(key, i);
        d->put(d->ctx, TABLE_ROSTER, key, sizeof key, w->b.op[i].p, w->b.op[i].len);
    }
    memdisk_commit(m, NULL, NULL);
}

static void start(struct world *w, unsigned i)
{
    struct core_config conf = { .me = &w->b.desk[i],
                                .disk = memdisk_disk(w->v[i].disk),
                                .dice = dice,
                                .dice_ctx = &w->v[i].dice,
                                .software = "test" };
    struct moment now = moment(w, i);

    snprintf(conf.address, sizeof conf.address, "10.0.0.%u:1", i);
    assert_int_equal(core_open(&conf, &now, &w->v[i].core, NULL), ERR_OK);
    for (unsigned k = 0; k < NODES; k++) {
        char address[ADDR_TEXT_MAX];
        snprintf(address, sizeof address, "10.0.0.%u:1", k);
        core_hint(w->v[i].core, &w->b.desk[k].id, address);
    }
    finish(w, i);
}

static void stop(struct world *w, unsigned i)
{
    memdisk_abort(w->v[i].disk);
    core_close(w->v[i].core);
    w->v[i].core = NULL;
    for (unsigned k = 0; k < w->n; k++) {
        w->wants[i][k] = w->up[i][k] = false;
        if (w->up[k][i] && w->v[k].core)
            core_peer_down(w->v[k].core, &w->b.desk[i].id);
        w->up[k][i] = false;
    }
}

static void wipe(struct world *w, unsigned i)
{
    if (w->v[i].core)
        stop(w, i);
    memdisk_free(w->v[i].disk);
    w->v[i].disk = memdisk_new();
    put_roster(w, w->v[i].disk);
}

/* n nodes of a branch that names `desks`; connected and heard of when this returns. */
static struct world *world_new(unsigned n, unsigned desks)
{
    struct world *w = calloc(1, sizeof *w);

    branch_new(&w->b, desks, desks);
    w->n = n;
    w->now_ms = 10000;
    for (unsigned i = 0; i < n; i++) {
        w->v[i].dice = i + 1;
        w->v[i].disk = memdisk_new();
        put_roster(w, w->v[i].disk);
    }
    for (unsigned i = 0; i < n; i++)
        start(w, i);
    run(w, 3000);
    return w;
}

static void world_free(struct world *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        core_close(w->v[i].core);
        memdisk_free(w->v[i].disk);
    }
    for (unsigned i = 0; i < w->n_mail; i++)
        buf_free(&w->mail[i].bytes);
    for (unsigned i = 0; i < NODES; i++)
        for (unsigned k = 0; k < NODES; k++)
            buf_free(&w->last_hello[i][k]);
    free(w->mail);
    buf_free(&w->slot);
    branch_free(&w->b);
    free(w);
}

static void cut(struct world *w, unsigned a, unsigned b, bool yes)
{
    w->cut[a][b] = w->cut[b][a] = yes;
}

/* ---- people ---- */

static struct record checkout(void)
{
    struct record r = { .kind = RECORD_CHECKOUT };

    snprintf(r.item, sizeof r.item, "30000000000004");
    snprintf(r.user, sizeof r.user, "20000000000006");
    return r;
}

static enum err enter(struct world *w, unsigned i, struct record *r, struct record_ref *out)
{
    struct moment now = moment(w, i);
    struct errmsg msg = { .text = "" };
    bool again;
    enum err e = core_record(w->v[i].core, &now, r, out, &again, &msg);

    return e;
}

static struct record_ref lend(struct world *w, unsigned i, unsigned times)
{
    struct record_ref ref;

    for (unsigned k = 0; k < times; k++) {
        struct record r = checkout();
        assert_int_equal(enter(w, i, &r, &ref), ERR_OK);
        if (k % 300 == 299)
            finish(w, i);
    }
    finish(w, i);
    return ref;
}

static uint64_t held(const struct world *w, unsigned i)
{
    return core_feeds(w->v[i].core)->records;
}

static void assert_equal_sets(const struct world *w, unsigned a, unsigned b)
{
    struct feeds *x = (struct feeds *)(uintptr_t)core_feeds(w->v[a].core);
    struct feeds *y = (struct feeds *)(uintptr_t)core_feeds(w->v[b].core);

    assert_memory_equal(feeds_hash(x), feeds_hash(y), 16);
}

static struct core_view view(const struct world *w, unsigned i)
{
    struct moment now = moment(w, i);
    struct core_view v;

    core_view(w->v[i].core, &now, &v);
    return v;
}

static struct peer_view peer(const struct world *w, unsigned at, unsigned of)
{
    struct moment now = moment(w, at);
    struct peer_view v;

    for (unsigned i = 0; i < core_peers(w->v[at].core); i++) {
        core_peer_view(w->v[at].core, &now, i, &v);
        if (desk_id_eq(&v.id, &w->b.desk[of].id))
            return v;
    }
    fail_msg("no such peer");
    return v;
}

static void press(struct world *w, unsigned i)
{
    struct moment now = moment(w, i);
    struct trigger t;
    struct buf b = { 0 };

    core_draft_trigger(w->v[i].core, &now, &t);
    memcpy(t.lead_pk, w->b.lead.sign_pk, KEY_BYTES);
    trigger_sign(roster_branch(w->b.r), &t, w->b.lead.sign_sk, &b);
    assert_int_equal(core_trigger(w->v[i].core, &now, b.p, b.len, NULL), ERR_OK);
    finish(w, i);
    buf_free(&b);
}

/* How far the newest upload went in a feed; 0: it has none of it. */
static uint64_t uploaded_to(const struct world *w, const struct feed_id *feed)
{
    struct intent in;
    uint64_t to = 0;

    assert_int_equal(intent_decode(w->slot.p, w->slot.len, &in, NULL), ERR_OK);
    for (unsigned i = 0; i < in.n_ranges; i++)
        if (feed_id_eq(&in.ranges[i].feed, feed))
            to = in.ranges[i].to;
    intent_free(&in);
    return to;
}

/* ---- pushing and catching up ---- */

static void a_record_is_pushed_with_its_commit_and_acknowledged(void **state)
{
    struct world *w = world_new(3, 3);
    struct record_ref ref = lend(w, 0, 1);

    (void)state;
    assert_int_equal(core_copies(w->v[0].core, &ref), 1);
    pump(w); /* no tick, no time */
    assert_int_equal(held(w, 1), 1);
    assert_int_equal(held(w, 2), 1);
    assert_int_equal(core_copies(w->v[0].core, &ref), 3);
    assert_int_equal(core_copies(w->v[1].core, &ref), 3);
    assert_int_equal(view(w, 0).replicated, 1);
    world_free(w);
}

static void what_was_missed_is_fetched_by_range(void **state)
{
    struct world *w = world_new(2, 2);

    (void)state;
    cut(w, 0, 1, true);
    lend(w, 0, 2000);
    run(w, 8000);
    assert_int_equal(held(w, 1), 0);
    assert_int_equal(peer(w, 0, 1).state, PEER_QUIET);
    cut(w, 0, 1, false);
    run(w, 6000);
    assert_int_equal(held(w, 1), 2000);
    assert_equal_sets(w, 0, 1);
    assert_int_equal(peer(w, 0, 1).behind, 0);
    world_free(w);
}

static void a_lost_push_is_made_good(void **state)
{
    struct world *w = world_new(2, 2);

    (void)state;
    w->drop[0][1] = 1;
    lend(w, 0, 1);
    pump(w);
    assert_int_equal(held(w, 1), 0);
    lend(w, 0, 1); /* does not continue what the other has */
    run(w, 2500);
    assert_int_equal(held(w, 1), 2);
    assert_equal_sets(w, 0, 1);
    world_free(w);
}

static void a_third_desk_relays_between_two_that_do_not_meet(void **state)
{
    struct world *w = world_new(3, 3);
    struct record_ref ref;

    (void)state;
    cut(w, 0, 2, true);
    ref = lend(w, 0, 5);
    run(w, 5000);
    assert_int_equal(held(w, 2), 5);
    assert_int_equal(core_copies(w->v[2].core, &ref), 2); /* it hears nothing of the author */
    assert_int_equal(core_copies(w->v[1].core, &ref), 3);
    world_free(w);
}

static void a_desk_that_was_off_gets_everything_from_a_desk_that_was_not_the_author(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    stop(w, 2);
    lend(w, 0, 700);
    run(w, 2000);
    stop(w, 0);
    start(w, 2);
    run(w, 4000);
    assert_int_equal(held(w, 2), 700);
    assert_equal_sets(w, 1, 2);
    world_free(w);
}

static void what_was_not_committed_is_not_acknowledged_and_not_there(void **state)
{
    struct world *w = world_new(2, 2);
    struct record r = checkout();
    struct record_ref ref;

    (void)state;
    lend(w, 0, 1);
    pump(w);
    assert_int_equal(enter(w, 0, &r, &ref), ERR_OK);
    stop(w, 0); /* before its commit */
    start(w, 0);
    run(w, 3000);
    assert_int_equal(held(w, 0), 1);
    lend(w, 0, 1);
    run(w, 1000);
    assert_int_equal(core_feeds(w->v[0].core)->n, 2); /* every start begins a feed */
    assert_equal_sets(w, 0, 1);
    world_free(w);
}

static void a_request_repeated_after_a_crash_gets_the_first_ones_place(void **state)
{
    struct world *w = world_new(1, 1);
    struct record r = checkout();
    struct record_ref one, two;
    struct moment now;
    bool again = false;

    (void)state;
    memset(r.key, 7, sizeof r.key);
    assert_int_equal(enter(w, 0, &r, &one), ERR_OK);
    finish(w, 0);
    stop(w, 0);
    start(w, 0);
    now = moment(w, 0);
    assert_int_equal(core_record(w->v[0].core, &now, &r, &two, &again, NULL), ERR_OK);
    assert_true(again);
    assert_memory_equal(&one, &two, sizeof one);
    assert_int_equal(held(w, 0), 1);
    world_free(w);
}

static void a_clock_that_is_set_ends_the_feed(void **state)
{
    struct world *w = world_new(1, 1);
    struct record_ref one, two;

    (void)state;
    one = lend(w, 0, 1);
    w->v[0].wall_step = 2500;
    two = lend(w, 0, 1);
    assert_false(feed_id_eq(&one.feed, &two.feed));
    assert_int_equal(two.seq, 1);
    w->v[0].wall_step = 1000; /* back, but by less than a step */
    one = lend(w, 0, 1);
    assert_true(feed_id_eq(&one.feed, &two.feed));
    world_free(w);
}

static void a_void_is_for_ones_own_unsent_record_once(void **state)
{
    struct world *w = world_new(2, 2);
    struct record v = { .kind = RECORD_VOID };
    struct record_ref out;

    (void)state;
    v.target = lend(w, 0, 1);
    run(w, 1000);
    assert_int_equal(enter(w, 1, &v, &out), ERR_REFUSED);
    assert_int_equal(enter(w, 0, &v, &out), ERR_OK);
    assert_int_equal(enter(w, 0, &v, &out), ERR_REFUSED);
    finish(w, 0);
    v.target = lend(w, 0, 1);
    press(w, 0);
    run(w, 20000);
    assert_int_equal(w->delivered, 1);
    assert_int_equal(enter(w, 0, &v, &out), ERR_REFUSED);
    world_free(w);
}

/* ---- start marks ---- */

static void a_start_is_confirmed_by_the_others(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_true(view(w, i).mark_confirmed);
    stop(w, 1);
    start(w, 1);
    assert_false(view(w, 1).mark_confirmed);
    run(w, 4000);
    assert_true(view(w, 1).mark_confirmed);
    assert_int_equal(view(w, 1).start, 2);
    assert_false(view(w, 1).memory_lost);
    world_free(w);
}

static void a_confirmation_that_was_lost_is_asked_for_again(void **state)
{
    struct world *w = world_new(2, 2);

    (void)state;
    stop(w, 0);
    run(w, 500);
    w->drop[1][0] = 3;
    start(w, 0);
    run(w, 6000);
    assert_true(view(w, 0).mark_confirmed);
    world_free(w);
}

static void lost_memory_is_noticed_on_both_sides(void **state)
{
    struct world *w = world_new(3, 3);
    struct moment now;
    struct ledger_view l;
    struct record_ref ref;

    (void)state;
    stop(w, 1);
    start(w, 1);
    run(w, 4000); /* the others remember start 2 */
    ref = lend(w, 0, 1);
    run(w, 1000);
    assert_int_equal(core_copies(w->v[0].core, &ref), 3);
    wipe(w, 1);
    start(w, 1); /* its start 1 */
    run(w, 10000);
    assert_true(view(w, 1).memory_lost);
    assert_false(view(w, 1).mark_confirmed);
    now = moment(w, 1);
    core_ledger_view(w->v[1].core, &now, &l);
    assert_false(l.may_vote);
    assert_true(peer(w, 0, 1).memory_lost);
    assert_true(peer(w, 2, 1).memory_lost);
    assert_int_equal(held(w, 1), 1);                      /* it has the record again ... */
    assert_int_equal(core_copies(w->v[0].core, &ref), 2); /* ... which does not count */
    assert_false(view(w, 0).memory_lost);
    world_free(w);
}

static void one_start_with_two_memories_is_noticed(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    wipe(w, 1); /* also start 1, with another random: as from an image */
    w->v[1].dice = 77;
    start(w, 1);
    run(w, 10000);
    assert_true(view(w, 1).memory_lost);
    assert_true(peer(w, 0, 1).memory_lost);
    world_free(w);
}

static void a_wiped_desk_gets_its_own_records_back_and_begins_a_new_feed(void **state)
{
    struct world *w = world_new(2, 2);
    struct record_ref before = lend(w, 1, 3), after;

    (void)state;
    run(w, 1000);
    wipe(w, 1);
    start(w, 1);
    run(w, 8000);
    assert_int_equal(held(w, 1), 3);
    after = lend(w, 1, 1);
    assert_false(feed_id_eq(&before.feed, &after.feed));
    run(w, 3000);
    assert_int_equal(held(w, 0), 4);
    assert_equal_sets(w, 0, 1);
    world_free(w);
}

static void a_hello_of_an_earlier_start_that_comes_late_is_no_lost_memory(void **state)
{
    struct world *w = world_new(2, 2);
    struct buf late = { 0 };

    (void)state;
    buf_add(&late, w->last_hello[1][0].p, w->last_hello[1][0].len);
    assert_true(late.len > 0);
    stop(w, 1);
    start(w, 1);
    run(w, 5000);
    hear(w, 1, 0, late.p, late.len);
    run(w, 5000);
    assert_false(peer(w, 0, 1).memory_lost);
    assert_false(view(w, 1).memory_lost);
    assert_true(view(w, 0).mark_confirmed);
    assert_true(view(w, 1).mark_confirmed);
    buf_free(&late);
    world_free(w);
}

/* ---- what another version or an attacker sends ---- */

/* A block of DESK-4's, who has no node here, with records of the given kinds. */
static struct feed_id foreign_block(struct world *w, unsigned to, const uint8_t *kinds, unsigned n)
{
    const struct ident *author = &w->b.desk[3];
    struct opening o = { .id.desk = author->id, .id.name = "foreign", .number = 1, .at_ms = 1 };
    struct block b = { .feed = o.id, .first = 1, .count = n };
    struct buf records = { 0 }, opening = { 0 }, block = { 0 }, msg = { 0 };

    feed_h0(roster_branch(w->b.r), &o, b.hash);
    for (unsigned i = 0; i < n; i++) {
        struct record r = checkout();
        struct buf bytes = { 0 };
        r.kind = kinds[i];
        r.at_ms = 1795500000000;
        record_encode(&r, &bytes, NULL);
        feed_next_hash(b.hash, bytes.p, bytes.len);
        mp_put_bin(&records, bytes.p, bytes.len);
        buf_free(&bytes);
    }
    b.records = records.p;
    b.len = records.len;
    head_sign(roster_branch(w->b.r), &b.feed, n, b.hash, author->sign_sk, b.sig);
    opening_encode(&o, &opening);
    block_encode(&b, &block);
    wire_begin(&msg, WIRE_BLOCKS, 3);
    mp_put_bin(&msg, opening.p, opening.len);
    mp_put_u64(&msg, n);
    mp_put_bin(&msg, block.p, block.len);
    hear(w, 3, to, msg.p, msg.len);
    buf_free(&records);
    buf_free(&opening);
    buf_free(&block);
    buf_free(&msg);
    return o.id;
}

static void an_unknown_kind_is_kept_and_relayed_and_no_slot_passes_it(void **state)
{
    static const uint8_t kinds[] = { RECORD_CHECKOUT, 99, RECORD_CHECKOUT };
    struct world *w = world_new(3, 4);
    struct feed_id feed = foreign_block(w, 0, kinds, 3);
    struct record_ref mine;

    (void)state;
    assert_int_equal(held(w, 0), 3);
    run(w, 4000);
    assert_int_equal(held(w, 1), 3);
    assert_int_equal(held(w, 2), 3);
    mine = lend(w, 1, 2);
    press(w, 1);
    run(w, 40000);
    assert_int_equal(w->delivered, 1);
    assert_int_equal(uploaded_to(w, &feed), 1);
    assert_int_equal(uploaded_to(w, &mine.feed), 2);
    assert_int_equal(view(w, 0).pending, 2); /* and is still counted as not uploaded */
    world_free(w);
}

static void a_preview_stops_where_the_slot_would(void **state)
{
    static const uint8_t kinds[] = { RECORD_CHECKOUT, 99, RECORD_CHECKOUT };
    struct world *w = world_new(1, 4);
    struct merge_job job;

    (void)state;
    foreign_block(w, 0, kinds, 3);
    assert_int_equal(core_merge_job(w->v[0].core, NULL, &job, NULL), ERR_OK);
    assert_int_equal(job.records, 1);
    merge_job_free(&job);
    world_free(w);
}

static void a_block_whose_signature_is_not_the_authors_is_refused(void **state)
{
    static const uint8_t kinds[] = { RECORD_CHECKOUT };
    struct world *w = world_new(1, 4);
    struct ident true_author = w->b.desk[3];

    (void)state;
    memcpy(w->b.desk[3].sign_sk, w->b.desk[2].sign_sk, SIGN_SK_BYTES);
    foreign_block(w, 0, kinds, 1);
    assert_int_equal(held(w, 0), 0);
    assert_int_equal(view(w, 0).refused, 1);
    w->b.desk[3] = true_author;
    world_free(w);
}

static void garbage_is_counted_and_changes_nothing(void **state)
{
    struct world *w = world_new(2, 2);
    uint8_t before[16], roster[HASH_BYTES], junk[200];
    uint64_t seed = 5, refused = view(w, 0).refused;
    unsigned sent = 0;

    (void)state;
    lend(w, 0, 3);
    run(w, 1000);
    memcpy(before, feeds_hash((struct feeds *)(uintptr_t)core_feeds(w->v[0].core)), 16);
    memcpy(roster, roster_hash(core_roster(w->v[0].core)), HASH_BYTES);
    for (unsigned i = 0; i < 3000; i++) {
        struct buf b = { 0 };
        static const uint8_t types[] = { 1,  2,  3,  4,  5,  6,  7,  8,  32, 33, 34,
                                         35, 36, 37, 38, 39, 40, 41, 42, 43, 44 };
        size_t n;
        dice(&seed, junk, sizeof junk);
        n = junk[0] % 150;
        if (i % 2 == 0) { /* a good head, then anything but an array, a number or an empty bin */
            wire_begin(&b, types[i / 2 % sizeof types], 9);
            mp_put_bool(&b, true);
        }
        buf_add(&b, junk + 1, n);
        if (i % 2 == 1 && n > 0)
            b.p[0] = 0xc1; /* never used by msgpack */
        hear(w, 1, 0, b.p, b.len);
        sent++;
        buf_free(&b);
    }
    assert_int_equal(view(w, 0).refused - refused, sent);
    assert_memory_equal(before, feeds_hash((struct feeds *)(uintptr_t)core_feeds(w->v[0].core)),
                        16);
    assert_memory_equal(roster, roster_hash(core_roster(w->v[0].core)), HASH_BYTES);
    assert_int_equal(ledger_decided(core_ledger(w->v[0].core)), 0);
    run(w, 5000);
    lend(w, 1, 1);
    run(w, 3000);
    assert_equal_sets(w, 0, 1);
    world_free(w);
}

static void a_message_of_a_type_of_a_newer_version_is_passed_over(void **state)
{
    struct world *w = world_new(2, 2);
    struct buf b = { 0 };
    uint64_t refused = view(w, 0).refused;

    (void)state;
    wire_begin(&b, (enum wire_type)200, 1);
    mp_put_u64(&b, 1);
    hear(w, 1, 0, b.p, b.len);
    assert_int_equal(view(w, 0).refused, refused);
    buf_free(&b);
    world_free(w);
}

static void a_stranger_is_not_heard(void **state)
{
    struct world *w = world_new(2, 2);
    uint64_t refused = view(w, 0).refused;

    (void)state;
    hear(w, 3, 0, w->last_hello[1][0].p, w->last_hello[1][0].len);
    assert_int_equal(view(w, 0).refused, refused + 1);
    world_free(w);
}

/* ---- the roster while the branch runs ---- */

static void spread(struct world *w, unsigned at, struct buf *op)
{
    struct moment now = moment(w, at);
    bool fresh;

    assert_int_equal(core_roster_add(w->v[at].core, &now, op->p, op->len, NULL), ERR_OK);
    finish(w, at);
    assert_int_equal(roster_add(w->b.r, op->p, op->len, &fresh, NULL), ERR_OK);
    buf_free(op);
    run(w, 2000);
}

static void a_desk_that_joins_is_known_everywhere(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    for (unsigned i = 3; i < 8; i++) {
        struct buf op = { 0 };
        char name[16];
        snprintf(name, sizeof name, "NEW-%u", i);
        op_add(w->b.r, &w->b.desk[i], name, ROLE_DESK, false, w->b.lead.sign_sk, &op);
        spread(w, i % 3, &op);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct desk_id id;
        assert_int_equal(core_peers(w->v[i].core), 7);
        assert_int_equal(core_admits(w->v[i].core, w->b.desk[7].curve_pk, &id), 200);
        assert_memory_equal(roster_hash(core_roster(w->v[i].core)), roster_hash(w->b.r), 32);
    }
    stop(w, 1);
    start(w, 1);
    assert_int_equal(core_peers(w->v[1].core), 7); /* it was stored */
    world_free(w);
}

static void a_revoked_desk_is_not_heard_and_its_later_records_stay_out_of_slots(void **state)
{
    struct world *w = world_new(3, 3);
    struct record_ref ref = lend(w, 2, 3), mine;
    struct trusted *v;
    unsigned n;
    uint64_t records, refused;
    struct desk_id id;
    struct buf op = { 0 };

    (void)state;
    run(w, 1000);
    assert_int_equal(core_trusted_now(w->v[0].core, &w->b.desk[2].id, &v, &n, &records), ERR_OK);
    assert_int_equal(records, 3);
    cut(w, 0, 2, true); /* the news does not reach DESK-3, and DESK-2 gets more of it */
    cut(w, 0, 1, true);
    lend(w, 2, 2);
    pump(w);
    assert_int_equal(held(w, 1), 5);
    cut(w, 0, 1, false);
    cut(w, 1, 2, true);
    op_revoke(w->b.r, &w->b.desk[2].id, v, n, "stolen", w->b.lead.sign_sk, &op);
    spread(w, 0, &op);
    free(v);
    run(w, 5000);
    assert_int_equal(core_admits(w->v[1].core, w->b.desk[2].curve_pk, &id), 400);
    assert_true(w->v[1].disconnected[2]);
    assert_int_equal(peer(w, 0, 2).state, PEER_REVOKED);
    assert_int_equal(core_copies(w->v[0].core, &ref), 2); /* a stolen copy is none */
    assert_int_equal(held(w, 0), 5); /* stored and spread by DESK-2 all the same */
    cut(w, 1, 2, false);
    refused = view(w, 1).refused;
    lend(w, 2, 1);
    run(w, 3000);
    assert_true(view(w, 1).refused > refused);
    assert_int_equal(held(w, 1), 5); /* what it says itself is not heard */
    mine = lend(w, 0, 2);
    press(w, 0);
    run(w, 40000);
    assert_int_equal(w->delivered, 1);
    assert_int_equal(uploaded_to(w, &ref.feed), 3);
    assert_int_equal(uploaded_to(w, &mine.feed), 2);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_is_pushed_with_its_commit_and_acknowledged),
        cmocka_unit_test(what_was_missed_is_fetched_by_range),
        cmocka_unit_test(a_lost_push_is_made_good),
        cmocka_unit_test(a_third_desk_relays_between_two_that_do_not_meet),
        cmocka_unit_test(a_desk_that_was_off_gets_everything_from_a_desk_that_was_not_the_author),
        cmocka_unit_test(what_was_not_committed_is_not_acknowledged_and_not_there),
        cmocka_unit_test(a_request_repeated_after_a_crash_gets_the_first_ones_place),
        cmocka_unit_test(a_clock_that_is_set_ends_the_feed),
        cmocka_unit_test(a_void_is_for_ones_own_unsent_record_once),
        cmocka_unit_test(a_start_is_confirmed_by_the_others),
        cmocka_unit_test(a_confirmation_that_was_lost_is_asked_for_again),
        cmocka_unit_test(lost_memory_is_noticed_on_both_sides),
        cmocka_unit_test(one_start_with_two_memories_is_noticed),
        cmocka_unit_test(a_wiped_desk_gets_its_own_records_back_and_begins_a_new_feed),
        cmocka_unit_test(a_hello_of_an_earlier_start_that_comes_late_is_no_lost_memory),
        cmocka_unit_test(an_unknown_kind_is_kept_and_relayed_and_no_slot_passes_it),
        cmocka_unit_test(a_preview_stops_where_the_slot_would),
        cmocka_unit_test(a_block_whose_signature_is_not_the_authors_is_refused),
        cmocka_unit_test(garbage_is_counted_and_changes_nothing),
        cmocka_unit_test(a_message_of_a_type_of_a_newer_version_is_passed_over),
        cmocka_unit_test(a_stranger_is_not_heard),
        cmocka_unit_test(a_desk_that_joins_is_known_everywhere),
        cmocka_unit_test(a_revoked_desk_is_not_heard_and_its_later_records_stay_out_of_slots),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
