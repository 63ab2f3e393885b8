/* test_sync.c - two or three whole cores on memory disks, joined by a perfect network. */
#include "../world.h"

#include <sodium.h>

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

static unsigned connects; /* of desk 0 */

static bool counts_connects(struct world *w, unsigned i, struct effect *e)
{
    (void)w;
    connects += i == 0 && e->type == EFFECT_CONNECT;
    return false;
}

/* A busy desk takes connections before it makes its own: tearing them down again makes it no faster. */
static void a_connection_that_stands_is_given_time(void **state)
{
    struct world *w = world_new(2, 2);

    (void)state;
    run(w, 2000);
    w->hook = counts_connects;
    w->drop[1][0] = UINT32_MAX; /* not heard, but our connection to it stands */
    connects = 0;
    run(w, 10500);
    assert_in_range(connects, 5, 7); /* every 1.5 s */
    cut(w, 0, 1, true);
    run(w, 2000);
    connects = 0;
    run(w, 10000);
    assert_in_range(connects, 19, 21); /* every 0.5 s: a short partition heals fast */
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
    assert_int_equal(view(w, 1).start, 2002); /* twice confirmed, a thousand each */
    stop(w, 1);
    start(w, 1);
    stop(w, 1); /* nobody confirmed this one */
    start(w, 1);
    assert_int_equal(view(w, 1).start, 2004);
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

static void who_confirmed_the_start_hears_of_the_lost_memory_too(void **state)
{
    struct world *w = world_new(3, 3);
    struct memdisk *old = memdisk_copy(w->v[1].disk);

    (void)state;
    cut(w, 0, 1, true);
    cut(w, 0, 2, true);
    stop(w, 1);
    start(w, 1); /* desk 0 does not hear of this start, nor of its records */
    run(w, 4000);
    lend(w, 1, 2);
    run(w, 1000);
    stop(w, 1);
    memdisk_free(w->v[1].disk);
    w->v[1].disk = old;
    w->v[1].dice = 77;
    cut(w, 0, 1, false);
    start(w, 1); /* new to desk 0: it confirms; desk 2 proves the loss by a block */
    run(w, 10000);
    assert_true(view(w, 1).memory_lost);
    assert_true(peer(w, 2, 1).memory_lost);
    assert_true(peer(w, 0, 1).memory_lost);
    world_free(w);
}

static void a_desk_that_lost_its_memory_gets_the_receipts_again(void **state)
{
    struct world *w = world_new(3, 3);
    uint64_t decided;

    (void)state;
    stop(w, 1);
    start(w, 1); /* so that the others know of a start 2 */
    run(w, 8000);
    lend(w, 0, 2);
    run(w, 1000);
    press(w, 0);
    run(w, 20000);
    decided = ledger_decided(core_ledger(w->v[0].core));
    assert_true(decided >= 1);
    wipe(w, 1);
    assert_int_equal(core_forgot(memdisk_disk(w->v[1].disk)), ERR_OK); /* its store was damaged */
    start(w, 1);
    assert_true(view(w, 1).memory_lost); /* before anybody told it */
    run(w, 5000);
    assert_int_equal(ledger_decided(core_ledger(w->v[1].core)), decided);
    assert_equal_sets(w, 0, 1);
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

    opening_sign(roster_branch(w->b.r), &o, author->sign_sk);
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

static unsigned refusals_said;

static bool count_refusals(struct world *w, unsigned i, struct effect *e)
{
    (void)w, (void)i;
    refusals_said += e->type == EFFECT_EVENT && strncmp((char *)e->bytes.p, "refused", 7) == 0;
    return false;
}

static void a_desk_that_lies_does_not_fill_the_log(void **state)
{
    struct world *w = world_new(2, 2);
    struct buf b = { 0 };

    (void)state;
    refusals_said = 0;
    w->hook = count_refusals;
    wire_begin(&b, WIRE_RECEIPT, 2); /* the ledger has its own word for it */
    mp_put_u64(&b, 1);
    mp_put_bin(&b, "x", 1);
    for (unsigned i = 0; i < 1000; i++) {
        hear(w, 1, 0, "", 0);
        hear(w, 1, 0, b.p, b.len);
    }
    assert_true(peer(w, 0, 1).refused >= 1000);
    assert_int_equal(refusals_said, 2);
    w->now_ms += REFUSED_SAY_MS;
    hear(w, 1, 0, "", 0);
    assert_int_equal(refusals_said, 3);
    buf_free(&b);
    world_free(w);
}

/* Sums over what the peers claim are shown to people and decide what is waited for. */
static void a_claim_that_no_desk_can_keep_is_malformed(void **state)
{
    static const uint64_t claims[] = { FEED_SEQ_MAX + 1, UINT64_C(1) << 62, UINT64_MAX };
    struct world *w = world_new(2, 2);
    struct record_ref ref = lend(w, 0, 1);

    (void)state;
    run(w, 2000);
    for (unsigned i = 0; i < 3; i++) {
        struct buf v = { 0 }, ack = { 0 };
        uint8_t h[HASH_SHORT_BYTES] = { 0 };
        uint64_t refused = peer(w, 0, 1).refused;
        wire_begin(&v, WIRE_VECTOR, 1);
        mp_put_array(&v, 1);
        mp_put_array(&v, 4);
        mp_put_bin(&v, &ref.feed, sizeof ref.feed);
        mp_put_u64(&v, claims[i]);
        mp_put_bin(&v, h, sizeof h);
        mp_put_u64(&v, 0);
        wire_begin(&ack, WIRE_ACK, 1);
        mp_put_array(&ack, 1);
        mp_put_array(&ack, 2);
        mp_put_bin(&ack, &ref.feed, sizeof ref.feed);
        mp_put_u64(&ack, claims[i]);
        hear(w, 1, 0, v.p, v.len);
        hear(w, 1, 0, ack.p, ack.len);
        assert_int_equal(peer(w, 0, 1).refused, refused + 2);
        assert_int_equal(view(w, 0).known, 1);
        buf_free(&v);
        buf_free(&ack);
    }
    world_free(w);
}

static void say_condition(struct world *w, unsigned i, uint64_t disk_free, const char *problem)
{
    struct condition mine = { .disk_free = disk_free, .commit_us = 900 };

    if (problem)
        assert_true(condition_add(&mine, problem));
    core_condition(w->v[i].core, &mine);
}

static void a_desk_knows_how_the_others_pcs_fare(void **state)
{
    struct world *w = world_new(3, 3);

    (void)state;
    run(w, 3000);
    assert_false(peer(w, 0, 1).has_condition);
    say_condition(w, 1, 1000, NULL);
    run(w, 200); /* no minute */
    assert_true(peer(w, 0, 1).has_condition && peer(w, 2, 1).has_condition);
    assert_int_equal(peer(w, 0, 1).condition.disk_free, 1000);
    assert_int_equal(peer(w, 0, 1).condition.n, 0);
    say_condition(w, 1, 990, NULL); /* nearly the same: not worth a message */
    run(w, 5000);
    assert_int_equal(peer(w, 0, 1).condition.disk_free, 1000);
    say_condition(w, 1, 990, "store_damaged");
    run(w, 200);
    assert_string_equal(peer(w, 0, 1).condition.problem[0], "store_damaged");
    assert_int_equal(peer(w, 0, 1).condition.disk_free, 990);
    stop(w, 1);
    run(w, 60000);
    assert_int_equal(peer(w, 0, 1).condition.disk_free, 990); /* what it said last */
    assert_true(peer(w, 0, 1).condition_ms >= 60000);
    world_free(w);
}

static void a_condition_that_was_lost_is_said_again(void **state)
{
    struct world *w = world_new(2, 2);

    (void)state;
    run(w, 3000);
    w->drop[1][0] = 1;
    say_condition(w, 1, 1000, "clock_off");
    run(w, 1000);
    if (w->drop[1][0] == 0 && !peer(w, 0, 1).has_condition)
        run(w, 61000);
    assert_int_equal(peer(w, 0, 1).condition.n, 1);
    world_free(w);
}

static void a_condition_with_words_in_it_is_malformed(void **state)
{
    static const char *const bad[] = { "", "Jane Doe", "29999000001016 ", "x\"y",
                                       "a_code_that_is_longer_than_any_is" };
    struct condition c = { 0 };

    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct buf b = { 0 };
        struct mp m;
        mp_put_u64(&b, 1);
        mp_put_u64(&b, 1);
        mp_put_array(&b, 1);
        mp_put_str(&b, bad[i]);
        m = mp_over(b.p, b.len);
        condition_get(&m, &c);
        assert_true(m.bad);
        buf_free(&b);
    }
    for (unsigned i = 0; i < 2; i++) { /* what would be shown as less than nothing */
        struct buf b = { 0 };
        struct mp m;
        mp_put_u64(&b, i == 0 ? UINT64_MAX : 1);
        mp_put_u64(&b, i == 1 ? UINT64_C(1) << 63 : 1);
        mp_put_array(&b, 0);
        m = mp_over(b.p, b.len);
        condition_get(&m, &c);
        assert_true(m.bad);
        buf_free(&b);
    }
    memset(&c, 0, sizeof c);
    for (unsigned i = 0; i < CONDITION_PROBLEMS_MAX; i++)
        assert_true(condition_add(&c, "x"));
    assert_false(condition_add(&c, "x"));
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
        cmocka_unit_test(a_connection_that_stands_is_given_time),
        cmocka_unit_test(a_third_desk_relays_between_two_that_do_not_meet),
        cmocka_unit_test(a_desk_that_was_off_gets_everything_from_a_desk_that_was_not_the_author),
        cmocka_unit_test(what_was_not_committed_is_not_acknowledged_and_not_there),
        cmocka_unit_test(a_request_repeated_after_a_crash_gets_the_first_ones_place),
        cmocka_unit_test(a_clock_that_is_set_ends_the_feed),
        cmocka_unit_test(a_void_is_for_ones_own_unsent_record_once),
        cmocka_unit_test(a_start_is_confirmed_by_the_others),
        cmocka_unit_test(a_confirmation_that_was_lost_is_asked_for_again),
        cmocka_unit_test(lost_memory_is_noticed_on_both_sides),
        cmocka_unit_test(who_confirmed_the_start_hears_of_the_lost_memory_too),
        cmocka_unit_test(a_desk_that_lost_its_memory_gets_the_receipts_again),
        cmocka_unit_test(one_start_with_two_memories_is_noticed),
        cmocka_unit_test(a_wiped_desk_gets_its_own_records_back_and_begins_a_new_feed),
        cmocka_unit_test(a_hello_of_an_earlier_start_that_comes_late_is_no_lost_memory),
        cmocka_unit_test(an_unknown_kind_is_kept_and_relayed_and_no_slot_passes_it),
        cmocka_unit_test(a_preview_stops_where_the_slot_would),
        cmocka_unit_test(a_block_whose_signature_is_not_the_authors_is_refused),
        cmocka_unit_test(garbage_is_counted_and_changes_nothing),
        cmocka_unit_test(a_desk_that_lies_does_not_fill_the_log),
        cmocka_unit_test(a_claim_that_no_desk_can_keep_is_malformed),
        cmocka_unit_test(a_desk_knows_how_the_others_pcs_fare),
        cmocka_unit_test(a_condition_that_was_lost_is_said_again),
        cmocka_unit_test(a_condition_with_words_in_it_is_malformed),
        cmocka_unit_test(a_message_of_a_type_of_a_newer_version_is_passed_over),
        cmocka_unit_test(a_stranger_is_not_heard),
        cmocka_unit_test(a_desk_that_joins_is_known_everywhere),
        cmocka_unit_test(a_revoked_desk_is_not_heard_and_its_later_records_stay_out_of_slots),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
