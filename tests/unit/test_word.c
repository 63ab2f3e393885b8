/* test_word.c - what is said of uploads: signed, taken once, spread, and worth only so much. */
#include "../world.h"

#include <sodium.h>

#include "word.h"

static uint8_t intent[HASH_BYTES] = "the intent of slot 1";

/* One upload by the first desk; its slot, and `intent` is its content. */
static uint64_t uploaded(struct world *w)
{
    struct buf b = { 0 };
    struct receipt r;
    uint64_t slot;

    lend(w, 0, 3);
    run(w, 8000);
    press(w, 0);
    for (unsigned i = 0; i < 100 && w->delivered == 0; i++)
        run(w, 500);
    run(w, 3000);
    assert_int_equal(w->delivered, 1);
    slot = ledger_decided(core_ledger(w->v[0].core));
    assert_int_equal(ledger_receipt(core_ledger(w->v[0].core), slot, &b), ERR_OK);
    assert_int_equal(receipt_decode(b.p, b.len, &r, NULL), ERR_OK);
    intent_hash(r.intent, r.intent_len, intent);
    buf_free(&b);
    return slot;
}

static void confirm_bytes(const struct world *w, const uint8_t *sk, uint64_t slot, int64_t at,
                          struct buf *out)
{
    struct word word = { .kind = WORD_CONFIRM, .slot = slot, .at_ms = at };

    memcpy(word.intent, intent, sizeof intent);
    crypto_sign_ed25519_sk_to_pk(word.key, sk);
    buf_reset(out);
    word_sign(roster_branch(w->b.r), &word, NULL, sk, out);
}

static void a_word_reads_back_and_a_bent_one_is_refused(void **state)
{
    struct world *w = world_new(1, 1);
    struct word in = { .kind = WORD_DONE, .slot = 7, .at_ms = 1795500000000 }, out;
    struct word_ref ref = { { { { { 1 } }, { 2 } }, 3 }, { 4 } }, back;
    struct word_walk walk;
    struct buf refs = { 0 }, b = { 0 };

    (void)state;
    word_put_ref(&refs, &ref);
    ref.ref.seq = 4;
    word_put_ref(&refs, &ref);
    in.n_refs = 2;
    memcpy(in.key, w->b.lead.sign_pk, KEY_BYTES);
    word_sign(roster_branch(w->b.r), &in, &refs, w->b.lead.sign_sk, &b);
    assert_int_equal(word_open(b.p, b.len, roster_branch(w->b.r), &out, NULL), ERR_OK);
    assert_int_equal(out.kind, WORD_DONE);
    assert_int_equal(out.slot, 7);
    assert_int_equal(out.at_ms, 1795500000000);
    walk = word_refs(&out);
    assert_true(word_ref_next(&walk, &back));
    assert_int_equal(back.ref.seq, 3);
    assert_int_equal(back.id[0], 4);
    assert_true(word_ref_next(&walk, &back));
    assert_int_equal(back.ref.seq, 4);
    assert_false(word_ref_next(&walk, &back));
    for (size_t i = 0; i < b.len; i++) {
        b.p[i] ^= 1;
        assert_int_not_equal(word_open(b.p, b.len, roster_branch(w->b.r), &out, NULL), ERR_OK);
        b.p[i] ^= 1;
        assert_int_not_equal(word_open(b.p, i, roster_branch(w->b.r), &out, NULL), ERR_OK);
    }
    buf_free(&refs);
    buf_free(&b);
    world_free(w);
}

static void what_was_not_loaded_is_named_with_the_systems_words(void **state)
{
    struct world *w = world_new(1, 1);
    struct word in = { .kind = WORD_NOT_LOADED, .slot = 7, .text = "user is barred" }, out;
    struct word_ref ref = { { { { { 1 } }, { 2 } }, 3 }, { 4 } }, back;
    struct word_walk walk;
    struct buf refs = { 0 }, b = { 0 };

    (void)state;
    memcpy(in.key, w->b.lead.sign_pk, KEY_BYTES);
    word_sign(roster_branch(w->b.r), &in, NULL, w->b.lead.sign_sk, &b);
    assert_int_equal(word_open(b.p, b.len, roster_branch(w->b.r), &out, NULL), ERR_MALFORMED);
    word_put_ref(&refs, &ref);
    in.n_refs = 1;
    buf_reset(&b);
    word_sign(roster_branch(w->b.r), &in, &refs, w->b.lead.sign_sk, &b);
    assert_int_equal(word_open(b.p, b.len, roster_branch(w->b.r), &out, NULL), ERR_OK);
    assert_string_equal(out.text, "user is barred");
    walk = word_refs(&out);
    assert_true(word_ref_next(&walk, &back));
    assert_int_equal(back.ref.seq, 3);
    assert_false(word_ref_next(&walk, &back));
    buf_free(&refs);
    buf_free(&b);
    world_free(w);
}

static void a_systems_words_lose_the_numbers_of_cards_and_items(void **state)
{
    static const char *const pairs[][2] = {
        { "", "" },
        { "user 21234000000011 is barred", "user # is barred" },
        { "24500", "#" },
        { "message 2450: D1234 of 12345", "message 2450: D1234 of #" },
        { "caf\xc3\xa9 1 22 333 4444 55555", "caf\xc3\xa9 1 22 333 4444 #" }
    };
    char text[WORD_TEXT_MAX + 1];

    (void)state;
    for (unsigned i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        strcpy(text, pairs[i][0]);
        text_hide_numbers(text);
        assert_string_equal(text, pairs[i][1]);
    }
}

static void a_word_reaches_all_and_outlives_a_restart(void **state)
{
    struct world *w = world_new(3, 3);
    struct moment now;
    struct buf b = { 0 };

    (void)state;
    cut(w, 0, 2, true); /* the third hears of it from the second alone */
    run(w, 1000);
    now = moment(w, 0);
    confirm_bytes(w, w->b.lead.sign_sk, 1, 5000, &b);
    assert_int_equal(core_say(w->v[0].core, &now, b.p, b.len, NULL), ERR_OK);
    assert_int_equal(core_say(w->v[0].core, &now, b.p, b.len, NULL), ERR_OK); /* once */
    run(w, 8000);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(core_said(w->v[i].core)->n, 1);
        assert_int_equal(said_confirmed(core_said(w->v[i].core), 1, intent, &w->b.desk[0].id, NULL),
                         5000);
    }
    stop(w, 2);
    start(w, 2);
    assert_int_equal(core_said(w->v[2].core)->n, 1);
    assert_memory_equal(core_said(w->v[2].core)->hash, core_said(w->v[0].core)->hash,
                        WORD_ID_BYTES);
    buf_free(&b);
    world_free(w);
}

static void only_a_second_voice_confirms(void **state)
{
    struct world *w = world_new(3, 3);
    struct core *c = w->v[0].core;
    const struct desk_id *uploader = &w->b.desk[0].id;
    uint64_t slot = uploaded(w);
    struct moment now = moment(w, 0);
    struct ident stranger;
    struct buf b = { 0 };

    (void)state;
    branch_ident(77, &stranger);
    confirm_bytes(w, stranger.sign_sk, slot, 10, &b);
    assert_int_equal(core_say(c, &now, b.p, b.len, NULL), ERR_MISSING);
    confirm_bytes(w, w->b.desk[0].sign_sk, slot, 20, &b);
    assert_int_equal(core_say(c, &now, b.p, b.len, NULL), ERR_OK);
    confirm_bytes(w, w->b.desk[0].sign_sk, slot, 21, &b);
    assert_int_equal(core_say(c, &now, b.p, b.len, NULL), ERR_DENIED);
    assert_int_equal(said_confirmed(core_said(c), slot, intent, uploader, NULL), 0);
    assert_int_equal(said_confirmed(core_said(c), slot, intent, &w->b.desk[1].id, NULL), 20);
    confirm_bytes(w, w->b.desk[2].sign_sk, slot, 30, &b);
    assert_int_equal(core_say(c, &now, b.p, b.len, NULL), ERR_OK);
    assert_int_equal(said_confirmed(core_said(c), slot, intent, uploader, NULL), 30);
    assert_int_equal(said_confirmed(core_said(c), slot + 1, intent, uploader, NULL), 0);
    assert_int_equal(
        said_confirmed(core_said(c), slot, (const uint8_t[HASH_BYTES]){ 1 }, uploader, NULL), 0);
    buf_free(&b);
    world_free(w);
}

static void hear_word(struct world *w, unsigned from, unsigned to, const struct buf *word)
{
    struct buf msg = { 0 };

    wire_begin(&msg, WIRE_WORD, 1);
    mp_put_array(&msg, 1);
    mp_put_bin(&msg, word->p, word->len);
    hear(w, from, to, msg.p, msg.len);
    buf_free(&msg);
}

static void a_desk_that_makes_contents_up_cannot_fill_the_table(void **state)
{
    struct world *w = world_new(3, 3);
    uint64_t slot = uploaded(w);
    struct buf b = { 0 };
    uint8_t right[HASH_BYTES];

    (void)state;
    memcpy(right, intent, sizeof right);
    for (unsigned i = 0; i < 200; i++) {
        intent[i % HASH_BYTES] ^= (uint8_t)(1 + i);
        confirm_bytes(w, w->b.desk[1].sign_sk, i % 2 ? slot : slot + 1 + i, 1000 + i, &b);
        hear_word(w, 1, 0, &b);
    }
    assert_int_equal(core_said(w->v[0].core)->n, 0);
    memcpy(intent, right, sizeof right);
    confirm_bytes(w, w->b.desk[1].sign_sk, slot, 5000, &b);
    hear_word(w, 1, 0, &b);
    assert_int_equal(core_said(w->v[0].core)->n, 1);
    run(w, 5000);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(core_said(w->v[i].core)->n, 1);
    buf_free(&b);
    world_free(w);
}

static void a_word_on_an_upload_that_is_not_known_yet_comes_again(void **state)
{
    struct world *w = world_new(3, 3);
    struct buf b = { 0 };
    struct moment now;
    uint64_t slot;

    (void)state;
    run(w, 8000);
    stop(w, 2);
    slot = uploaded(w);
    now = moment(w, 1);
    confirm_bytes(w, w->b.desk[1].sign_sk, slot, 5000, &b);
    assert_int_equal(core_say(w->v[1].core, &now, b.p, b.len, NULL), ERR_OK);
    finish(w, 1);
    start(w, 2);
    hear_word(w, 1, 2, &b); /* before any receipt */
    assert_int_equal(core_said(w->v[2].core)->n, 0);
    run(w, 15000);
    assert_int_equal(ledger_decided(core_ledger(w->v[2].core)), slot);
    assert_int_equal(core_said(w->v[2].core)->n, 1);
    assert_int_equal(peer(w, 2, 1).refused, 0);
    buf_free(&b);
    world_free(w);
}

static void a_desk_may_not_say_what_only_a_lead_may(void **state)
{
    struct world *w = world_new(2, 2);
    struct word word = { .kind = WORD_DONE, .slot = 1 };
    struct moment now = moment(w, 0);
    struct buf b = { 0 };

    (void)state;
    memcpy(word.key, w->b.desk[1].sign_pk, KEY_BYTES);
    word_sign(roster_branch(w->b.r), &word, NULL, w->b.desk[1].sign_sk, &b);
    assert_int_equal(core_say(w->v[0].core, &now, b.p, b.len, NULL), ERR_MISSING);
    assert_int_equal(core_said(w->v[0].core)->n, 0);
    buf_free(&b);
    world_free(w);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_reads_back_and_a_bent_one_is_refused),
        cmocka_unit_test(what_was_not_loaded_is_named_with_the_systems_words),
        cmocka_unit_test(a_systems_words_lose_the_numbers_of_cards_and_items),
        cmocka_unit_test(a_word_reaches_all_and_outlives_a_restart),
        cmocka_unit_test(only_a_second_voice_confirms),
        cmocka_unit_test(a_desk_that_makes_contents_up_cannot_fill_the_table),
        cmocka_unit_test(a_word_on_an_upload_that_is_not_known_yet_comes_again),
        cmocka_unit_test(a_desk_may_not_say_what_only_a_lead_may),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("word", tests, NULL, NULL);
}
