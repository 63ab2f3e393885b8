/* test_bundle.c - what a desk holds goes by hand to another one: sealed, checked, any number of
 * times, and a piece of it is as good as it is long. */
#include "../world.h"

#include <sodium.h>

#include "bundle.h"

#define PARTS_MAX 16

struct parts {
    struct buf v[PARTS_MAX];
    unsigned n;
};

static void export(struct world *w, unsigned i, struct parts *p)
{
    struct bundle_at at = { 0 };
    char text[64];
    bool last = false;

    p->n = 0;
    while (!last) {
        assert_true(p->n < PARTS_MAX);
        assert_int_equal(core_bundle(w->v[i].core, &at, &p->v[p->n++], &last, NULL), ERR_OK);
        assert_true(p->v[p->n - 1].len <= BUNDLE_PART_MAX);
        bundle_at_text(&at, text); /* as the API does between two parts */
        assert_true(last || bundle_at_parse(text, &at));
    }
    assert_int_equal(core_effects(w->v[i].core)->n, 0); /* nothing goes out by the network */
}

static enum err take(struct world *w, unsigned i, const struct buf *part, struct bundle_taken *t)
{
    struct moment now = moment(w, i);
    enum err e = core_bundle_take(w->v[i].core, &now, part->p, part->len, t, NULL);

    finish(w, i);
    return e;
}

static void import(struct world *w, unsigned i, const struct parts *p)
{
    struct bundle_taken t;

    for (unsigned k = 0; k < p->n; k++) {
        assert_int_equal(take(w, i, &p->v[k], &t), ERR_OK);
        assert_int_equal(t.refused, 0);
        assert_true(t.last == (k + 1 == p->n));
        assert_int_equal(t.number, k + 1);
    }
}

static void parts_free(struct parts *p)
{
    for (unsigned i = 0; i < PARTS_MAX; i++)
        buf_free(&p->v[i]);
}

static void alone(struct world *w, unsigned i)
{
    for (unsigned k = 0; k < w->n; k++)
        if (k != i)
            cut(w, i, k, true);
}

static void a_lonely_desk_hands_over_by_stick_and_the_others_pass_it_on(void **state)
{
    struct world *w = world_new(3, 3);
    struct parts p = { .n = 0 };

    (void)state;
    alone(w, 2);
    run(w, 5000);
    lend(w, 2, 9000);
    export(w, 2, &p);
    assert_true(p.n > 1);
    import(w, 0, &p);
    assert_int_equal(held(w, 0), 9000);
    assert_equal_sets(w, 0, 2);
    assert_int_not_equal(peer(w, 0, 2).state, PEER_ONLINE); /* a file is no sign of life */
    run(w, 5000);
    assert_equal_sets(w, 1, 2);
    import(w, 0, &p); /* twice is once */
    import(w, 1, &p);
    assert_int_equal(held(w, 0), 9000);
    assert_equal_sets(w, 0, 2);
    parts_free(&p);
    world_free(w);
}

static void a_fresh_disk_learns_roster_words_and_receipts(void **state)
{
    struct world *w = world_new(3, 3);
    struct word word = { .kind = WORD_CONFIRM, .slot = 1, .at_ms = 5000 };
    struct buf b = { 0 };
    struct parts p = { .n = 0 };
    struct moment now = moment(w, 0);
    struct trigger t;

    (void)state;
    lend(w, 0, 20);
    run(w, 2000);
    alone(w, 2);
    core_draft_trigger(w->v[0].core, &now, &t);
    memcpy(t.lead_pk, w->b.lead.sign_pk, KEY_BYTES);
    trigger_sign(roster_branch(w->b.r), &t, w->b.lead.sign_sk, &b);
    assert_int_equal(core_trigger(w->v[0].core, &now, b.p, b.len, NULL), ERR_OK);
    run(w, 30000);
    memcpy(word.key, w->b.lead.sign_pk, KEY_BYTES);
    buf_reset(&b);
    word_sign(roster_branch(w->b.r), &word, NULL, w->b.lead.sign_sk, &b);
    assert_int_equal(core_say(w->v[0].core, &now, b.p, b.len, NULL), ERR_OK);
    finish(w, 0);
    assert_true(ledger_decided(core_ledger(w->v[0].core)) > 0);
    assert_true(ledger_decided(core_ledger(w->v[2].core)) <
                ledger_decided(core_ledger(w->v[0].core)));
    export(w, 0, &p);
    import(w, 2, &p);
    assert_int_equal(ledger_decided(core_ledger(w->v[2].core)),
                     ledger_decided(core_ledger(w->v[0].core)));
    assert_int_equal(core_said(w->v[2].core)->n, 1);
    buf_free(&b);
    parts_free(&p);
    world_free(w);
}

static void a_part_alone_is_good_and_a_later_one_waits_for_what_is_before_it(void **state)
{
    struct world *w = world_new(2, 3);
    struct parts p = { .n = 0 };
    struct bundle_taken t;

    (void)state;
    alone(w, 1);
    run(w, 5000);
    lend(w, 1, 9000);
    export(w, 1, &p);
    assert_int_equal(take(w, 0, &p.v[p.n - 1], &t), ERR_OK); /* its feed does not begin here */
    assert_int_equal(held(w, 0), 0);
    assert_int_equal(take(w, 0, &p.v[0], &t), ERR_OK);
    assert_false(t.last);
    assert_true(held(w, 0) > 0 && held(w, 0) < 9000);
    import(w, 0, &p);
    assert_int_equal(held(w, 0), 9000);
    parts_free(&p);
    world_free(w);
}

static void a_bent_byte_is_refused_and_changes_nothing(void **state)
{
    struct world *w = world_new(2, 2);
    struct parts p = { .n = 0 };
    struct bundle_taken t;

    (void)state;
    alone(w, 1);
    run(w, 5000);
    lend(w, 1, 3);
    export(w, 1, &p);
    assert_int_equal(p.n, 1);
    for (size_t i = 0; i < p.v[0].len; i += 7) {
        struct buf torn = { .p = p.v[0].p, .len = i };
        p.v[0].p[i] ^= 1;
        assert_int_not_equal(take(w, 0, &p.v[0], &t), ERR_OK);
        p.v[0].p[i] ^= 1;
        assert_int_equal(take(w, 0, &torn, &t), ERR_MALFORMED);
    }
    assert_int_equal(held(w, 0), 0);
    import(w, 0, &p);
    assert_int_equal(held(w, 0), 3);
    parts_free(&p);
    world_free(w);
}

static void only_desks_of_the_branch_open_it_and_no_barcode_is_seen(void **state)
{
    struct world *w = world_new(2, 2);
    struct parts p = { .n = 0 };
    struct bundle_taken t;
    struct ident other;
    struct core_config conf = { .me = &other, .dice = dice, .dice_ctx = &w->v[0].dice };
    struct moment now = moment(w, 0);
    struct core *c = NULL;
    struct memdisk *disk = memdisk_new();

    (void)state;
    lend(w, 1, 3);
    export(w, 1, &p);
    for (size_t i = 0; i + 14 <= p.v[0].len; i++)
        assert_true(memcmp(p.v[0].p + i, "30000000000004", 14) != 0 &&
                    memcmp(p.v[0].p + i, "20000000000006", 14) != 0);
    put_roster(w, disk); /* somebody who has the roster and another key */
    other = w->b.desk[0];
    memset(other.curve_sk, 7, sizeof other.curve_sk);
    conf.disk = memdisk_disk(disk);
    assert_int_equal(core_open(&conf, &now, &c, NULL), ERR_OK);
    assert_int_equal(core_bundle_take(c, &now, p.v[0].p, p.v[0].len, &t, NULL), ERR_DENIED);
    core_close(c);
    memdisk_free(disk);
    assert_int_equal(take(w, 1, &p.v[0], &t), ERR_EXISTS); /* its own */
    parts_free(&p);
    world_free(w);
}

static void a_revoked_desk_s_file_is_refused(void **state)
{
    struct world *w = world_new(2, 3);
    struct parts p = { .n = 0 };
    struct bundle_taken t;
    struct trusted *v;
    struct buf op = { 0 };
    struct moment now;
    unsigned n;
    uint64_t records;

    (void)state;
    alone(w, 1);
    lend(w, 1, 3);
    export(w, 1, &p);
    now = moment(w, 0);
    assert_int_equal(core_trusted_now(w->v[0].core, &w->b.desk[1].id, &v, &n, &records), ERR_OK);
    op_revoke(core_roster(w->v[0].core), &w->b.desk[1].id, v, n, "stolen", w->b.lead.sign_sk, &op);
    free(v);
    assert_int_equal(core_roster_add(w->v[0].core, &now, op.p, op.len, NULL), ERR_OK);
    finish(w, 0);
    assert_int_equal(take(w, 0, &p.v[0], &t), ERR_DENIED);
    assert_int_equal(held(w, 0), 0);
    buf_free(&op);
    parts_free(&p);
    world_free(w);
}

static void places_are_read_back_and_no_others(void **state)
{
    static const char *const bad[] = { "1",       "1.2",     "1.2.3",  "1.2.3.4.5",
                                       "9.0.0.0", "a.b.c.d", "6.0.0.0" };
    struct bundle_at at;

    (void)state;
    assert_true(bundle_at_parse("1.2.3.4", &at));
    assert_int_equal(at.stage, 1);
    assert_int_equal(at.index, 2);
    assert_int_equal(at.seq, 3);
    assert_int_equal(at.parts, 4);
    assert_true(bundle_at_parse("", &at));
    for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(bundle_at_parse(bad[i], &at));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lonely_desk_hands_over_by_stick_and_the_others_pass_it_on),
        cmocka_unit_test(a_fresh_disk_learns_roster_words_and_receipts),
        cmocka_unit_test(a_part_alone_is_good_and_a_later_one_waits_for_what_is_before_it),
        cmocka_unit_test(a_bent_byte_is_refused_and_changes_nothing),
        cmocka_unit_test(only_desks_of_the_branch_open_it_and_no_barcode_is_seen),
        cmocka_unit_test(a_revoked_desk_s_file_is_refused),
        cmocka_unit_test(places_are_read_back_and_no_others),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
