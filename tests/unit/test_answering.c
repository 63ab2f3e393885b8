/* test_answering.c - answers get round whole branches: long lists, a dead uploader's, a liar's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../world.h"

#define MANY 20000

static unsigned rows_told;          /* by the next delivery; each telling has words of its own */
static const char *voice = "first"; /* in them */
static unsigned liar = NODES, lies; /* whose ANSWERS are bent on their way, and how many were */
static struct record_ref refused_ref;
static bool alone_then; /* from the next delivery on nobody hears the uploader */

static void tell(struct told *t, unsigned n)
{
    for (unsigned k = 1; k <= n; k++) {
        struct answer_row r = { .line = k, .kind = RECORD_CHECKOUT, .answer = ANSWER_DEVIATING };
        r.ref.seq = k;
        if (k == 1 && refused_ref.seq > 0) {
            r.ref = refused_ref;
            r.answer = ANSWER_REFUSED;
        }
        snprintf(r.words, sizeof r.words, "%s, line %u", voice, k);
        told_add(t, &r);
    }
}

static bool hook(struct world *w, unsigned i, struct effect *e)
{
    struct moment now = moment(w, i);
    struct told t = { 0 };

    if (e->type == EFFECT_SEND && i == liar && wire_type_of(&e->bytes) == WIRE_ANSWERS) {
        e->bytes.p[e->bytes.len - 3] ^= 1;
        lies++;
        return false;
    }
    if (e->type != EFFECT_DELIVER)
        return false;
    tell(&t, rows_told);
    for (unsigned k = 0; alone_then && k < w->n; k++)
        if (k != i)
            cut(w, i, k, true);
    alone_then = false;
    buf_free(&w->slot);
    w->slot = e->bytes;
    memset(&e->bytes, 0, sizeof e->bytes);
    w->delivered++;
    core_delivered(w->v[i].core, &now, e->number, DELIVERY_DONE, "x", &t);
    told_free(&t);
    return true;
}

static struct world *ready(unsigned told)
{
    struct world *w = world_new(3, 3);

    rows_told = told;
    voice = "first";
    liar = NODES;
    lies = 0;
    memset(&refused_ref, 0, sizeof refused_ref);
    w->hook = hook;
    run(w, 20000); /* three seats */
    return w;
}

/* The n-th answer to the newest upload, as that desk has it; "" if it has not. */
static const char *words(const struct world *w, unsigned i, uint64_t n)
{
    const struct core *c = w->v[i].core;
    static struct answer_row row;
    uint8_t intent[HASH_BYTES];
    struct progress p;

    if (!core_answers_of(c, ledger_decided(core_ledger(c)), intent, &p) ||
        ledger_answer(core_ledger(c), ledger_decided(core_ledger(c)), intent, n, &row) != ERR_OK)
        return "";
    return row.words;
}

static bool has_all(const struct world *w, unsigned i, unsigned n)
{
    const struct ledger *l = core_ledger(w->v[i].core);
    uint8_t intent[HASH_BYTES];
    struct progress p;

    return core_answers_of(w->v[i].core, ledger_decided(l), intent, &p) && p.n_answers == n &&
           !ledger_lacks_answers(l, ledger_decided(l));
}

static void a_list_longer_than_a_batch_and_a_message_reaches_every_desk(void **state)
{
    struct world *w = ready(MANY);
    char last[40];

    (void)state;
    lend(w, 0, 3);
    run(w, 2000);
    press(w, 0);
    run(w, 30000);
    snprintf(last, sizeof last, "first, line %u", MANY);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(has_all(w, i, MANY));
        assert_string_equal(words(w, i, 1), "first, line 1");
        assert_string_equal(words(w, i, MANY), last);
    }
    assert_int_equal(w->delivered, 1);
    world_free(w);
}

/* Told to one desk that dies before a seat hears of it; the successor is told something else. */
static void a_dead_uploaders_answers_give_way_to_those_that_count(void **state)
{
    struct world *w = ready(40);

    (void)state;
    lend(w, 0, 3);
    run(w, 2000);
    press(w, 0);
    alone_then = true;
    for (unsigned k = 0; k < 100 && w->delivered == 0; k++)
        run(w, 100);
    assert_int_equal(w->delivered, 1);
    run(w, 1000);
    assert_int_equal(ledger_decided(core_ledger(w->v[1].core)), 1);
    stop(w, 0);
    voice = "second";
    rows_told = 30;
    run(w, 60000);
    assert_int_equal(w->delivered, 2);
    cut(w, 0, 1, false);
    cut(w, 0, 2, false);
    start(w, 0);
    run(w, 20000);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(has_all(w, i, 30));
        assert_string_equal(words(w, i, 30), "second, line 30");
    }
    world_free(w);
}

/* DESK-3 was away; the desk it asks first lies. */
static void answers_that_do_not_lead_to_the_hash_are_not_kept(void **state)
{
    struct world *w = ready(25);

    (void)state;
    lend(w, 0, 3);
    run(w, 2000);
    stop(w, 2);
    press(w, 0);
    run(w, 30000);
    assert_true(has_all(w, 0, 25) && has_all(w, 1, 25));
    liar = 0;
    start(w, 2);
    run(w, 20000);
    assert_true(lies > 0);
    assert_true(has_all(w, 2, 25));
    assert_string_equal(words(w, 2, 25), "first, line 25");
    world_free(w);
}

static void what_was_refused_is_set_aside_on_every_desk_until_it_is_done(void **state)
{
    struct world *w = ready(2);
    struct aside_view v;

    (void)state;
    refused_ref = lend(w, 0, 1);
    run(w, 2000);
    press(w, 1);
    run(w, 30000);
    for (unsigned i = 0; i < 3; i++) {
        assert_true(core_aside_of(w->v[i].core, &refused_ref, &v));
        assert_int_equal(v.what, ASIDE_REFUSED);
        assert_int_equal(core_aside_count(w->v[i].core, ASIDE_REFUSED), 1);
        assert_int_equal(view(w, i).set_aside, 1);
        stop(w, i);
        start(w, i);
    }
    run(w, 20000);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(core_aside_count(w->v[i].core, ASIDE_REFUSED), 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_longer_than_a_batch_and_a_message_reaches_every_desk),
        cmocka_unit_test(a_dead_uploaders_answers_give_way_to_those_that_count),
        cmocka_unit_test(answers_that_do_not_lead_to_the_hash_are_not_kept),
        cmocka_unit_test(what_was_refused_is_set_aside_on_every_desk_until_it_is_done),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
