/* test_forks.c - a desk that signs two histories of one feed, and what the others do about it. */
#include "../world.h"
#include "fork.h"

#include <sodium.h>

/* ---- a desk that lies: it has a key of the branch, and no node ---- */

struct forger {
    const struct ident *me;
    const uint8_t *branch;
    struct opening o;
    uint64_t seq;
    uint8_t h[HASH_BYTES];
};

static void forger_begin(struct forger *f, const struct world *w, unsigned desk)
{
    memset(f, 0, sizeof *f);
    f->me = &w->b.desk[desk];
    f->branch = roster_branch(w->b.r);
    f->o = (struct opening){ .id.desk = f->me->id, .number = 1, .at_ms = 1795500000000 };
    memset(f->o.id.name, 0x77, FEED_NAME_BYTES);
    opening_sign(f->branch, &f->o, f->me->sign_sk);
    feed_h0(f->branch, &f->o, f->h);
}

/* Goes on with n records for items that `seed` picks, and makes them one signed block. */
static void forger_write(struct forger *f, unsigned n, unsigned seed, struct buf *block)
{
    struct buf records = { 0 };
    struct block b = { .feed = f->o.id, .first = f->seq + 1, .count = n };

    for (unsigned i = 0; i < n; i++) {
        struct record r = { .kind = RECORD_CHECKOUT, .at_ms = 1795500000000 + (int64_t)f->seq };
        struct buf one = { 0 };
        snprintf(r.item, sizeof r.item, "3%08u%05u", seed, (unsigned)f->seq);
        snprintf(r.user, sizeof r.user, "20000000000006");
        assert_int_equal(record_encode(&r, &one, NULL), ERR_OK);
        mp_put_bin(&records, one.p, one.len);
        feed_next_hash(f->h, one.p, one.len);
        f->seq++;
        buf_free(&one);
    }
    b.records = records.p;
    b.len = records.len;
    memcpy(b.hash, f->h, HASH_BYTES);
    head_sign(f->branch, &b.feed, f->seq, f->h, f->me->sign_sk, b.sig);
    buf_reset(block);
    block_encode(&b, block);
    buf_free(&records);
}

/* As desk `from` says it: not its author's hand, but its author's signature. */
static void give(struct world *w, unsigned from, unsigned to, const struct forger *f,
                 const struct buf *block)
{
    struct buf msg = { 0 }, opening = { 0 };

    opening_encode(&f->o, &opening);
    wire_begin(&msg, WIRE_BLOCKS, 3);
    mp_put_bin(&msg, opening.p, opening.len);
    mp_put_u64(&msg, f->seq);
    mp_put_bin(&msg, block->p, block->len);
    hear(w, from, to, msg.p, msg.len);
    buf_free(&msg);
    buf_free(&opening);
}

enum { LIAR = 3 };

/* ---- the hash in a range ---- */

static void part_all(struct world *w, bool yes)
{
    for (unsigned i = 0; i < w->n; i++)
        for (unsigned k = 0; k < w->n; k++)
            w->cut[i][k] = yes && i != k;
}

/* The same `common` records everywhere, then `more` others at desk 0 than at the rest. Nobody hears
 * of it yet. */
static struct forger two_histories(struct world *w, unsigned common, unsigned more0, unsigned more1,
                                   struct forger *other)
{
    struct forger a;
    struct buf block = { 0 };

    part_all(w, true);
    forger_begin(&a, w, LIAR);
    for (unsigned left = common; left > 0;) {
        unsigned n = left < 400 ? left : 400;
        forger_write(&a, n, 0, &block);
        for (unsigned i = 0; i < w->n; i++)
            give(w, LIAR, i, &a, &block);
        left -= n;
    }
    *other = a;
    for (unsigned done = 0; done < more0; done++) {
        forger_write(&a, 1, 1, &block);
        give(w, LIAR, 0, &a, &block);
    }
    for (unsigned done = 0; done < more1;) {
        unsigned n = more1 - done < 300 ? more1 - done : 300;
        forger_write(other, n, 2, &block);
        for (unsigned i = 1; i < w->n; i++)
            give(w, LIAR, i, other, &block);
        done += n;
    }
    buf_free(&block);
    return a;
}

static const struct feed *copy_of(const struct world *w, unsigned i, const struct forger *f)
{
    const struct feed *copy = feeds_find(core_feeds(w->v[i].core), &f->o.id);

    assert_non_null(copy);
    return copy;
}

static void assert_forked(const struct world *w, const struct forger *f, uint64_t at, uint64_t seq)
{
    for (unsigned i = 0; i < w->n; i++) {
        const struct feed *copy = copy_of(w, i, f);
        assert_true(copy->forked);
        assert_int_equal(copy->fork_at, at);
        assert_int_equal(copy->seq, seq);
        assert_equal_sets(w, 0, i);
    }
}

static unsigned tails_at(const struct world *w, unsigned i)
{
    const struct disk *d = memdisk_disk(w->v[i].disk);
    uint8_t key[DISK_KEY_MAX] = { 0 };
    size_t n = 1;
    unsigned tails = 0;

    while (d->seek(d->ctx, TABLE_TAILS, key, n, 1, key, &n, NULL) == ERR_OK) {
        tails++;
        key[n - 1]++; /* the next one */
    }
    return tails;
}

static void admit(struct world *w, unsigned i, const struct forger *f)
{
    struct moment now = moment(w, i);
    struct buf op = { 0 };

    op_admit(core_roster(w->v[i].core), &f->o.id, f->seq, f->h, w->b.lead.sign_sk, &op);
    assert_int_equal(core_roster_add(w->v[i].core, &now, op.p, op.len, NULL), ERR_OK);
    finish(w, i);
    buf_free(&op);
}

static uint64_t refused_by_all(const struct world *w)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < w->n; i++)
        n += view(w, i).refused;
    return n;
}

/* ---- finding it ---- */

static void equally_long_histories_are_found_proven_and_frozen_everywhere(void **state)
{
    struct world *w = world_new(3, 4);
    struct forger b, a = two_histories(w, 3, 2, 2, &b);

    (void)state;
    assert_int_equal(held(w, 0), 5);
    part_all(w, false);
    run(w, 8000);
    assert_forked(w, &a, 3, 3);
    assert_int_equal(copy_of(w, 0, &a)->stored, 5); /* either tail is still there */
    assert_int_equal(copy_of(w, 1, &a)->stored, 5);
    assert_int_equal(refused_by_all(w), 0); /* they told the truth about a liar */
    press(w, 1);
    run(w, 30000);
    assert_int_equal(w->delivered, 1);
    assert_int_equal(uploaded_to(w, &a.o.id), 3);
    world_free(w);
}

static void histories_of_different_length_are_found_when_a_block_does_not_fit(void **state)
{
    struct world *w = world_new(3, 4);
    struct forger b, a = two_histories(w, 7, 2, 30, &b);

    (void)state;
    part_all(w, false);
    run(w, 10000);
    assert_forked(w, &a, 7, 7);
    assert_int_equal(refused_by_all(w), 0);
    world_free(w);
}

static void a_fork_deep_in_a_long_feed_is_found(void **state)
{
    struct world *w = world_new(2, 4);
    struct forger b, a = two_histories(w, 1201, 2500, 4000, &b);

    (void)state;
    part_all(w, false);
    run(w, 20000);
    assert_forked(w, &a, 1201, 1201);
    world_free(w);
}

static void a_fork_from_the_first_record_leaves_nothing(void **state)
{
    struct world *w = world_new(3, 4);
    struct forger b, a = two_histories(w, 0, 2, 3, &b);

    (void)state;
    part_all(w, false);
    run(w, 10000);
    assert_forked(w, &a, 0, 0);
    assert_int_equal(held(w, 0), 0);
    world_free(w);
}

static void two_openings_of_one_feed_are_a_fork(void **state)
{
    struct world *w = world_new(2, 4);
    struct forger a, b;
    struct buf block = { 0 };

    (void)state;
    part_all(w, true);
    forger_begin(&a, w, LIAR);
    b = a;
    b.o.number = 9;
    opening_sign(b.branch, &b.o, b.me->sign_sk);
    feed_h0(b.branch, &b.o, b.h);
    forger_write(&a, 2, 1, &block);
    give(w, LIAR, 0, &a, &block);
    forger_write(&b, 2, 1, &block); /* the same records under another opening */
    give(w, LIAR, 1, &b, &block);
    part_all(w, false);
    run(w, 8000);
    assert_forked(w, &a, 0, 0);
    buf_free(&block);
    world_free(w);
}

static void a_desk_that_never_saw_the_feed_learns_that_it_is_forked(void **state)
{
    struct world *w = world_new(3, 4);
    struct forger b, a = two_histories(w, 0, 2, 2, &b);

    (void)state;
    wipe(w, 2);
    start(w, 2);
    w->cut[0][1] = w->cut[1][0] = false;
    run(w, 8000);
    part_all(w, false);
    run(w, 8000);
    assert_forked(w, &a, 0, 0);
    world_free(w);
}

static void a_restart_forgets_no_fork(void **state)
{
    struct world *w = world_new(2, 4);
    struct forger b, a = two_histories(w, 3, 2, 2, &b);

    (void)state;
    part_all(w, false);
    run(w, 8000);
    stop(w, 0);
    start(w, 0);
    assert_int_equal(copy_of(w, 0, &a)->seq, 3);
    run(w, 8000);
    assert_forked(w, &a, 3, 3);
    world_free(w);
}

/* ---- what was decided ---- */

static void desks_with_two_histories_never_agree_on_a_slot(void **state)
{
    struct world *w = world_new(3, 4);
    struct forger b, a = two_histories(w, 0, 3, 3, &b);

    (void)state;
    assert_true(feeds_holds(core_feeds(w->v[0].core), &a.o.id, 3, a.h));
    assert_false(feeds_holds(core_feeds(w->v[1].core), &a.o.id, 3, a.h));
    assert_true(feeds_holds(core_feeds(w->v[1].core), &a.o.id, 3, b.h));
    world_free(w);
}

static void what_was_uploaded_is_the_branchs_history(void **state)
{
    struct world *w = world_new(3, 4);
    struct forger b, a;

    (void)state;
    run(w, 20000); /* three seats */
    a = two_histories(w, 3, 4, 2, &b);
    w->cut[1][2] = w->cut[2][1] = false;
    run(w, 12000);
    press(w, 1);
    run(w, 30000);
    assert_int_equal(w->delivered, 1);
    assert_int_equal(uploaded_to(w, &a.o.id), 5); /* nobody could know */
    part_all(w, false);
    run(w, 20000);
    assert_forked(w, &a, 3, 5);
    for (unsigned i = 0; i < 3; i++)
        assert_true(feeds_holds(core_feeds(w->v[i].core), &a.o.id, 5, b.h));
    assert_int_equal(tails_at(w, 0), 4); /* what the first desk held instead */
    assert_true(feeds_hold_cuts((struct feeds *)(uintptr_t)core_feeds(w->v[0].core)));
    lend(w, 0, 1);
    run(w, 3000);
    press(w, 0); /* it may upload again */
    run(w, 30000);
    assert_int_equal(w->delivered, 2);
    world_free(w);
}

/* ---- a lead decides ---- */

static void a_lead_admits_a_tail_and_every_desk_gets_it(void **state)
{
    struct world *w = world_new(3, 4);
    struct forger b, a = two_histories(w, 3, 4, 900, &b);

    (void)state;
    part_all(w, false);
    run(w, 10000);
    assert_forked(w, &a, 3, 3);
    {
        struct quarantined q[QUARANTINED_MAX];
        unsigned at = (unsigned)feeds_index(core_feeds(w->v[0].core), &a.o.id);
        assert_int_equal(core_quarantined(w->v[0].core, at, q), 2);
        assert_true(q[0].here && q[0].forked && !q[1].here);
        assert_int_equal(q[0].from, 4);
        assert_int_equal(q[0].to, 7);
        assert_memory_equal(q[0].hash, a.h, sizeof q[0].hash);
        assert_int_equal(q[1].from, 4);
    }
    admit(w, 2, &a); /* which only the first desk holds */
    run(w, 10000);
    assert_forked(w, &a, 3, 7);
    for (unsigned i = 0; i < 3; i++)
        assert_true(feeds_holds(core_feeds(w->v[i].core), &a.o.id, 7, a.h));
    assert_true(tails_at(w, 1) > 0);
    press(w, 1);
    run(w, 30000);
    assert_int_equal(w->delivered, 1);
    assert_int_equal(uploaded_to(w, &a.o.id), 7);
    world_free(w);
}

static void admitting_the_other_tail_after_one_was_uploaded_changes_nothing(void **state)
{
    struct world *w = world_new(3, 4);
    struct forger b, a = two_histories(w, 3, 4, 20, &b);

    (void)state;
    part_all(w, false);
    run(w, 10000);
    admit(w, 0, &a);
    run(w, 10000);
    press(w, 1);
    run(w, 30000);
    assert_int_equal(uploaded_to(w, &a.o.id), 7);
    admit(w, 0, &b);
    run(w, 20000);
    assert_forked(w, &a, 3, 7);
    assert_true(feeds_hold_cuts((struct feeds *)(uintptr_t)core_feeds(w->v[1].core)));
    world_free(w);
}

static void records_of_a_revoked_desk_wait_for_a_lead(void **state)
{
    struct world *w = world_new(3, 4);
    struct forger a;
    struct buf block = { 0 }, op = { 0 };
    struct moment now = moment(w, 0);
    struct trusted trusted = { .seq = 2 };

    (void)state;
    forger_begin(&a, w, LIAR);
    memcpy(trusted.feed, a.o.id.name, FEED_NAME_BYTES);
    forger_write(&a, 2, 1, &block);
    give(w, LIAR, 0, &a, &block);
    op_revoke(core_roster(w->v[0].core), &w->b.desk[LIAR].id, &trusted, 1, "stolen",
              w->b.lead.sign_sk, &op);
    assert_int_equal(core_roster_add(w->v[0].core, &now, op.p, op.len, NULL), ERR_OK);
    finish(w, 0);
    buf_free(&op);
    run(w, 4000);
    forger_write(&a, 3, 1, &block);
    give(w, 1, 0, &a, &block); /* by somebody who had it */
    run(w, 4000);
    assert_int_equal(held(w, 2), 5); /* stored and spread */
    press(w, 1);
    run(w, 30000);
    assert_int_equal(uploaded_to(w, &a.o.id), 2);
    assert_int_equal(view(w, 0).quarantined, 3);
    assert_int_equal(view(w, 0).pending, 0);
    admit(w, 2, &a);
    run(w, 4000);
    assert_int_equal(view(w, 0).quarantined, 0);
    press(w, 0);
    run(w, 30000);
    assert_int_equal(w->delivered, 2);
    assert_int_equal(uploaded_to(w, &a.o.id), 5);
    buf_free(&block);
    world_free(w);
}

/* ---- the author, and those who lie about it ---- */

static void the_author_of_a_forked_feed_goes_on_in_a_new_one_and_has_no_vote(void **state)
{
    struct world *w = world_new(3, 3);
    struct record_ref mine = lend(w, 0, 3), next;
    struct forger clone = { .me = &w->b.desk[0], .branch = roster_branch(w->b.r) };
    struct buf block = { 0 };

    (void)state;
    run(w, 1000);
    part_all(w, true);
    clone.o = feeds_find(core_feeds(w->v[0].core), &mine.feed)->opening;
    clone.seq = 3;
    memcpy(clone.h, feeds_find(core_feeds(w->v[0].core), &mine.feed)->hash, HASH_BYTES);
    forger_write(&clone, 1, 1, &block); /* a copy of the running PC goes on elsewhere */
    give(w, 2, 1, &clone, &block);
    mine = lend(w, 0, 1);
    part_all(w, false);
    run(w, 10000);
    assert_true(feeds_find(core_feeds(w->v[0].core), &mine.feed)->forked);
    assert_true(view(w, 0).memory_lost);
    next = lend(w, 0, 1);
    assert_false(feed_id_eq(&mine.feed, &next.feed));
    run(w, 3000);
    assert_equal_sets(w, 0, 1);
    assert_equal_sets(w, 0, 2);
    buf_free(&block);
    world_free(w);
}

static void a_proof_that_proves_nothing_is_refused_and_counted(void **state)
{
    struct world *w = world_new(2, 4);
    struct forger a;
    struct buf one = { 0 }, opening = { 0 }, proof = { 0 }, msg = { 0 };
    struct fork k = { .feed = { { { 0 } } } };
    struct ident thief = w->b.desk[2];

    (void)state;
    for (unsigned how = 0; how < 3; how++) {
        uint64_t before = view(w, 0).refused;
        struct buf two = { 0 };
        forger_begin(&a, w, LIAR);
        a.o.id.name[0] = (uint8_t)how;
        opening_sign(a.branch, &a.o, a.me->sign_sk);
        feed_h0(a.branch, &a.o, a.h);
        opening_encode(&a.o, &opening);
        forger_write(&a, 2, 1, &one);
        if (how == 1) { /* signed by somebody else */
            a.seq = 0;
            a.me = &thief;
            feed_h0(a.branch, &a.o, a.h);
            forger_write(&a, 2, 2, &two);
        } else if (how == 2) { /* the same history, longer */
            a.seq = 0;
            feed_h0(a.branch, &a.o, a.h);
            forger_write(&a, 3, 1, &two);
        } else { /* twice the same */
            buf_add(&two, one.p, one.len);
        }
        k.feed = a.o.id;
        k.run[0] = (struct fork_run){
            .opening = opening.p, .opening_n = opening.len, .bytes = one.p, .n = one.len
        };
        k.run[1] = k.run[0];
        k.run[1].bytes = two.p;
        k.run[1].n = two.len;
        fork_encode(&k, &proof);
        wire_begin(&msg, WIRE_FORK_PROOF, 3);
        mp_put_bin(&msg, proof.p, proof.len);
        mp_put_bin(&msg, NULL, 0);
        mp_put_bin(&msg, NULL, 0);
        hear(w, 1, 0, msg.p, msg.len);
        assert_int_equal(view(w, 0).refused, before + 1);
        assert_int_equal(core_feeds(w->v[0].core)->n, 0);
        buf_reset(&msg);
        buf_reset(&proof);
        buf_reset(&opening);
        buf_free(&two);
    }
    buf_free(&one);
    buf_free(&opening);
    buf_free(&proof);
    buf_free(&msg);
    world_free(w);
}

static void a_desk_that_alters_blocks_is_named(void **state)
{
    struct world *w = world_new(2, 4);
    struct forger a;
    struct buf block = { 0 };

    (void)state;
    forger_begin(&a, w, LIAR);
    forger_write(&a, 2, 1, &block);
    give(w, LIAR, 0, &a, &block);
    run(w, 3000);
    forger_write(&a, 2, 1, &block);
    block.p[block.len - 100 - 66] ^= 1; /* in the records, far before hash and signature */
    give(w, 1, 0, &a, &block);
    run(w, 3000);
    assert_int_equal(peer(w, 0, 1).refused, 1); /* asked, it had no other history to show */
    assert_int_equal(held(w, 0), 2);
    buf_free(&block);
    world_free(w);
}

/* One desk gets a block per record, the other the same records in two blocks. */
static void the_hash_inside_a_block_is_that_of_its_prefix(void **state)
{
    struct world *w = world_new(2, 4);
    struct forger one, many;
    struct buf block = { 0 };
    uint8_t want[8][HASH_BYTES], h[HASH_BYTES];

    (void)state;
    cut(w, 0, 1, true);
    forger_begin(&one, w, LIAR);
    many = one;
    memcpy(want[0], one.h, HASH_BYTES);
    for (unsigned i = 1; i <= 7; i++) {
        forger_write(&one, 1, 1, &block);
        memcpy(want[i], one.h, HASH_BYTES);
        give(w, LIAR, 0, &one, &block);
    }
    forger_write(&many, 4, 1, &block);
    give(w, LIAR, 1, &many, &block);
    forger_write(&many, 3, 1, &block);
    give(w, LIAR, 1, &many, &block);
    for (unsigned k = 0; k < 2; k++) {
        const struct feeds *fs = core_feeds(w->v[k].core);
        const struct feed *f = feeds_find(fs, &one.o.id);
        assert_non_null(f);
        for (unsigned i = 0; i <= 7; i++) {
            assert_int_equal(feeds_hash_at(fs, f, i, h), ERR_OK);
            assert_memory_equal(h, want[i], HASH_BYTES);
        }
    }
    buf_free(&block);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equally_long_histories_are_found_proven_and_frozen_everywhere),
        cmocka_unit_test(histories_of_different_length_are_found_when_a_block_does_not_fit),
        cmocka_unit_test(a_fork_deep_in_a_long_feed_is_found),
        cmocka_unit_test(a_fork_from_the_first_record_leaves_nothing),
        cmocka_unit_test(two_openings_of_one_feed_are_a_fork),
        cmocka_unit_test(a_desk_that_never_saw_the_feed_learns_that_it_is_forked),
        cmocka_unit_test(a_restart_forgets_no_fork),
        cmocka_unit_test(desks_with_two_histories_never_agree_on_a_slot),
        cmocka_unit_test(what_was_uploaded_is_the_branchs_history),
        cmocka_unit_test(a_lead_admits_a_tail_and_every_desk_gets_it),
        cmocka_unit_test(admitting_the_other_tail_after_one_was_uploaded_changes_nothing),
        cmocka_unit_test(records_of_a_revoked_desk_wait_for_a_lead),
        cmocka_unit_test(the_author_of_a_forked_feed_goes_on_in_a_new_one_and_has_no_vote),
        cmocka_unit_test(a_proof_that_proves_nothing_is_refused_and_counted),
        cmocka_unit_test(a_desk_that_alters_blocks_is_named),
        cmocka_unit_test(the_hash_inside_a_block_is_that_of_its_prefix),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
