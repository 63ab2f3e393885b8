/* test_lately.c - what the branch did just now is told at the scan: lately.h, rules L1 to L8. */
#include "../world.h"

#define ANNA  "20000000000006"
#define BOB   "20000000000014"
#define BOOK  "30000000000004"
#define OTHER "30000000000012"

static struct record of(unsigned kind, const char *item, const char *user)
{
    struct record r = { .kind = (uint8_t)kind };

    snprintf(r.item, sizeof r.item, "%s", item);
    snprintf(r.user, sizeof r.user, "%s", user);
    if (kind == RECORD_USER)
        snprintf(r.reg.last, sizeof r.reg.last, "Byron");
    return r;
}

static struct record_ref last; /* of the last record that was taken */

/* The code that the desk is told, "" for none; recorded if it is not refused. */
static const char *scan(struct world *w, unsigned i, struct record r, enum ask ask, enum err *e)
{
    static struct told_note note;
    struct moment now = moment(w, i);
    struct errmsg msg = { .text = "" };
    bool again;

    *e = core_record_telling(w->v[i].core, &now, &r, ask, &note, &last, &again, &msg);
    if (*e == ERR_REFUSED)
        assert_string_equal(msg.why, lately_code(note.what));
    else
        assert_int_equal(*e, ERR_OK);
    if (note.what != LATELY_NOTHING) {
        char name[16];
        snprintf(name, sizeof name, "DESK-%u", node_of(w, &note.other.feed.desk) + 1);
        assert_string_equal(note.desk, name);
    }
    finish(w, i);
    pump(w);
    return lately_code(note.what);
}

static void asked(struct world *w, unsigned i, struct record r, const char *code)
{
    enum err e;

    assert_string_equal(scan(w, i, r, ASK, &e), code);
    assert_int_equal(e, ERR_REFUSED);
}

static void told(struct world *w, unsigned i, struct record r, const char *code)
{
    enum err e;

    assert_string_equal(scan(w, i, r, ASK, &e), code);
    assert_int_equal(e, ERR_OK);
}

static void lent_at_another_desk(void **state)
{
    struct world *w = world_new(2, 2);
    struct record r = of(RECORD_CHECKOUT, BOOK, BOB);
    enum err e;

    (void)state;
    told(w, 0, of(RECORD_CHECKOUT, BOOK, ANNA), "");
    run(w, 120000);
    asked(w, 1, r, "lent_to_another");
    assert_int_equal(held(w, 1), 1); /* nothing was written */
    asked(w, 1, of(RECORD_CHECKOUT, BOOK, ANNA), "lent_already");
    asked(w, 1, of(RECORD_DISCHARGE, BOOK, ""), "lent_just_now");
    asked(w, 1, of(RECORD_RENEW, BOOK, BOB), "lent_to_another");
    told(w, 1, of(RECORD_CHECKOUT, OTHER, BOB), "");
    assert_string_equal(scan(w, 1, r, ASK_NOT, &e), "lent_to_another"); /* a batch is told, only */
    assert_int_equal(held(w, 0), 3);
    r = of(RECORD_CHECKOUT, BOOK, ANNA);
    r.flags |= RECORD_CONFIRMED;
    told(w, 0, r, "lent_to_another");
    assert_int_equal(held(w, 1), 4);
    world_free(w);
}

static void returned_and_renewed(void **state)
{
    struct world *w = world_new(2, 2);

    (void)state;
    told(w, 0, of(RECORD_CHECKOUT, BOOK, ANNA), "");
    run(w, LATELY_MINUTES_MS);
    told(w, 1, of(RECORD_RENEW, BOOK, ANNA), ""); /* no longer minutes ago */
    run(w, 60000);
    asked(w, 0, of(RECORD_RENEW, BOOK, ""), "renewed_already");
    told(w, 1, of(RECORD_DISCHARGE, BOOK, ""), ""); /* the desk itself knows what it did */
    run(w, 60000);
    asked(w, 0, of(RECORD_DISCHARGE, BOOK, ""), "returned_already");
    asked(w, 0, of(RECORD_RENEW, BOOK, ANNA), "returned_already");
    told(w, 0, of(RECORD_CHECKOUT, BOOK, BOB), "");
    world_free(w);
}

/* What a fast desk did a moment ago is told a moment later, and not only once its clock was passed;
 * a slow one's is no older than it is. */
static void clocks_apart(void **state)
{
    static const int64_t apart[] = { 95000, -700000, 4000, 0 };

    (void)state;
    for (unsigned i = 0; i < sizeof apart / sizeof apart[0]; i++) {
        struct world *w = world_new(3, 3);
        w->v[2].wall_step = apart[i];
        run(w, 60000);
        told(w, 2, of(RECORD_CHECKOUT, OTHER, BOB), "");
        run(w, 60000); /* its feed's clock is measured now */
        told(w, 2, of(RECORD_CHECKOUT, BOOK, ANNA), "");
        asked(w, 0, of(RECORD_DISCHARGE, BOOK, ""), "lent_just_now");
        run(w, LATELY_MINUTES_MS + 5000);
        told(w, 0, of(RECORD_DISCHARGE, BOOK, ""), "");
        run(w, 1000);
        asked(w, 2, of(RECORD_DISCHARGE, BOOK, ""), "returned_already");
        world_free(w);
    }
}

static void scanned_twice(void **state)
{
    struct world *w = world_new(1, 2);

    (void)state;
    told(w, 0, of(RECORD_DISCHARGE, BOOK, ""), "");
    w->now_ms += 4999; /* double_scan is 5 s */
    asked(w, 0, of(RECORD_DISCHARGE, BOOK, ""), "double_scan");
    w->now_ms += 1;
    asked(w, 0, of(RECORD_DISCHARGE, BOOK, ""), "returned_already");
    assert_int_equal(held(w, 0), 1);
    world_free(w);
}

static void card_registered_elsewhere(void **state)
{
    struct world *w = world_new(2, 2);

    (void)state;
    told(w, 0, of(RECORD_USER, "", ANNA), "");
    run(w, 20000);
    asked(w, 1, of(RECORD_USER, "", ANNA), "card_registered");
    told(w, 1, of(RECORD_CHECKOUT, BOOK, ANNA), "card_is_new"); /* known here, so it is lent */
    told(w, 1, of(RECORD_CHECKOUT, OTHER, BOB), "");            /* a card nobody knows is fine */
    world_free(w);
}

static void voided_is_not_told(void **state)
{
    struct world *w = world_new(2, 2);
    struct record v = { .kind = RECORD_VOID };

    (void)state;
    told(w, 0, of(RECORD_CHECKOUT, BOOK, ANNA), "");
    run(w, 20000);
    told(w, 0, of(RECORD_DISCHARGE, BOOK, ""), "");
    v.target = last;
    told(w, 0, v, "");
    run(w, 20000);
    asked(w, 1, of(RECORD_CHECKOUT, BOOK, BOB), "lent_to_another"); /* the discharge never was */
    stop(w, 1);
    start(w, 1); /* read again from the disk, in another order */
    asked(w, 1, of(RECORD_CHECKOUT, BOOK, BOB), "lent_to_another");
    world_free(w);
}

static void a_day_old_is_no_news(void **state)
{
    struct world *w = world_new(1, 2);

    (void)state;
    told(w, 0, of(RECORD_CHECKOUT, BOOK, ANNA), "");
    w->now_ms += LATELY_MS;
    told(w, 0, of(RECORD_CHECKOUT, BOOK, BOB), "");
    world_free(w);
}

static void clash_is_told_once_it_arrives(void **state)
{
    struct world *w = world_new(2, 2);
    struct effects *fx;
    bool found = false;
    struct moment now;

    (void)state;
    cut(w, 0, 1, true);
    told(w, 0, of(RECORD_CHECKOUT, BOOK, ANNA), "");
    told(w, 1, of(RECORD_CHECKOUT, BOOK, BOB), "");
    cut(w, 0, 1, false);
    fx = core_effects(w->v[1].core);
    for (unsigned step = 0; step < 400 && !found; step++) {
        w->now_ms += 100;
        now = moment(w, 0);
        core_tick(w->v[0].core, &now);
        finish(w, 0);
        now = moment(w, 1);
        core_tick(w->v[1].core, &now);
        finish(w, 1);
        for (unsigned k = 0; k < w->n_mail; k++) {
            struct letter l = w->mail[k];
            now = moment(w, l.to);
            core_message(w->v[l.to].core, &now, &w->b.desk[l.from].id, "", l.bytes.p, l.bytes.len);
            for (unsigned e = 0; l.to == 1 && e < fx->n; e++)
                found |= fx->v[e].type == EFFECT_EVENT &&
                         memmem(fx->v[e].bytes.p, fx->v[e].bytes.len, "lent_to_another", 15);
            finish(w, l.to);
            buf_free(&l.bytes);
        }
        w->n_mail = 0;
    }
    assert_true(found);
    world_free(w);
}

/* Two generations: what is newer than LATELY_ROWS others is there, and the table has an end. */
static void bounded(void **state)
{
    struct lately l = { .key = { 1 } };
    struct record r = { .kind = RECORD_DISCHARGE };
    struct record_ref ref = { .seq = 0 };

    (void)state;
    for (unsigned i = 0; i < 2 * LATELY_ROWS + 10; i++) {
        snprintf(r.item, sizeof r.item, "%014u", i);
        ref.seq = i + 1;
        lately_learn(&l, &ref, &r, 0);
    }
    assert_int_equal(l.now.n, 10);
    assert_int_equal(l.old.n, LATELY_ROWS);
    snprintf(r.item, sizeof r.item, "%014u", LATELY_ROWS);
    assert_non_null(lately_item(&l, &r));
    snprintf(r.item, sizeof r.item, "%014u", LATELY_ROWS - 1);
    assert_null(lately_item(&l, &r));
    lately_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lent_at_another_desk),
        cmocka_unit_test(returned_and_renewed),
        cmocka_unit_test(clocks_apart),
        cmocka_unit_test(scanned_twice),
        cmocka_unit_test(card_registered_elsewhere),
        cmocka_unit_test(voided_is_not_told),
        cmocka_unit_test(a_day_old_is_no_news),
        cmocka_unit_test(clash_is_told_once_it_arrives),
        cmocka_unit_test(bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
