/* test_forks.c - a desk that signs two histories of one feed, and what the others do about it. */
#include "../world.h"

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

static void desks_with_two_histories_never_agree_on_a_slot(void **state)
{
    struct world *w = world_new(3, 4);
    struct forger a, b;
    struct buf block = { 0 };

    (void)state;
    forger_begin(&a, w, LIAR);
    b = a;
    for (unsigned i = 0; i < 3; i++)
        for (unsigned k = 0; k < 3; k++)
            w->cut[i][k] = i != k;
    forger_write(&a, 3, 1, &block);
    give(w, LIAR, 0, &a, &block);
    forger_write(&b, 3, 2, &block); /* as long, with other items */
    give(w, LIAR, 1, &b, &block);
    give(w, LIAR, 2, &b, &block);
    assert_int_equal(held(w, 0), 3);
    assert_int_equal(held(w, 1), 3);
    assert_true(feeds_holds(core_feeds(w->v[0].core), &a.o.id, 3, a.h));
    assert_false(feeds_holds(core_feeds(w->v[1].core), &a.o.id, 3, a.h));
    for (unsigned i = 0; i < 3; i++)
        for (unsigned k = 0; k < 3; k++)
            w->cut[i][k] = false;
    run(w, 6000);
    press(w, 1);
    run(w, 30000);
    assert_int_equal(w->delivered, 1);
    assert_int_equal(uploaded_to(w, &a.o.id), 3);
    {
        struct feeds *fs = (struct feeds *)(uintptr_t)core_feeds(w->v[0].core);
        assert_int_equal(feeds_cut(fs, &a.o.id), 3);
        assert_false(feeds_hold_cuts(fs)); /* decided over the history it does not have */
    }
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
        cmocka_unit_test(desks_with_two_histories_never_agree_on_a_slot),
        cmocka_unit_test(the_hash_inside_a_block_is_that_of_its_prefix),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
