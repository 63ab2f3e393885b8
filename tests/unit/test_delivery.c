/* test_delivery.c - classes of sinks and their steps: the pure rules, and one desk with the only
 * seat that hands over, dies and comes back. */
#include "../branch.h"

#include <sodium.h>

#include "../memdisk.h"
#include "ledger.h"
#include "pause.h"
#include "wire.h"

/* ---- the rules alone ---- */

static void a_sink_has_the_class_of_its_scheme(void **state)
{
    static const struct {
        const char *sink;
        bool queue, yes;
    } settles[] = {
        { "file:/srv/in", true, false },          { "drop:MAIN-1:/in", true, false },
        { "key:https://h/in/", true, false },     { "sip2s://ils", true, true },
        { "evergreen:https://h", true, true },    { "koha:https://h", true, false },
        { "koha:https://h", false, true },        { "koha-plugin:https://h", true, false },
        { "koha-plugin:https://h", false, true },
    };

    (void)state;
    assert_int_equal(sink_class_of("file:/out"), SINK_F2);
    assert_int_equal(sink_class_of("drop:MAIN-1:/out"), SINK_DROP);
    assert_int_equal(sink_class_of("blind:x"), SINK_F0);
    assert_int_equal(sink_class_of("ask:x"), SINK_F1);
    assert_int_equal(sink_class_of("collect:x"), SINK_SESSION);
    assert_int_equal(sink_class_of("key:x"), SINK_F3);
    assert_int_equal(sink_class_of("none"), SINK_NONE);
    assert_int_equal(sink_class_of(""), SINK_NONE);
    assert_int_equal(sink_class_of("sip2s://ils:6002"), SINK_F1);
    assert_int_equal(sink_class_of("koha:https://ils"), SINK_F1);
    assert_int_equal(sink_class_of("koha-plugin:https://ils"), SINK_F3);
    assert_int_equal(sink_class_of("evergreen:https://ils"), SINK_SESSION);
    assert_int_equal(sink_class_of("https://drop/in/"), SINK_F0);
    assert_int_equal(sink_class_of("put:https://drop/in/"), SINK_F2);
    assert_int_equal(sink_class_of("sftp://u@h/in"), SINK_F2);
    assert_int_equal(sink_class_of("ftp://u@h/in"), SINK_NONE);
    assert_true(sink_answers("koha-plugin:https://ils") && sink_answers("sip2://ils:1"));
    for (unsigned i = 0; i < sizeof settles / sizeof settles[0]; i++) {
        struct policy *p = calloc(1, sizeof *p);
        snprintf(p->sink, sizeof p->sink, "%s", settles[i].sink);
        p->koha_service.pending = settles[i].queue;
        assert_int_equal(sink_settles(p), settles[i].yes);
        free(p);
    }
    assert_false(sink_answers("key:https://drop") || sink_answers("none"));
    assert_int_equal(sink_quiet_ms("key:x"), 0);
    assert_int_equal(sink_quiet_ms("file:/x"), 30000);
    assert_int_equal(sink_quiet_ms("drop:A:/x"), 30000);
    assert_int_equal(sink_quiet_ms("ask:x"), 60000);
    assert_false(sink_has_steps(SINK_F3) || sink_has_steps(SINK_F2) || sink_has_steps(SINK_NONE));
    assert_true(sink_has_steps(SINK_F1) && sink_has_steps(SINK_DROP) && sink_has_steps(SINK_F0));
    assert_true(sink_has_steps(SINK_SESSION));
}

static void a_drop_is_at_one_desk_only(void **state)
{
    char desk[DESK_NAME_MAX + 1];
    const char *path = NULL;

    (void)state;
    assert_true(sink_place("drop:MAIN-1:/srv/a:b", desk, &path));
    assert_string_equal(desk, "MAIN-1");
    assert_string_equal(path, "/srv/a:b");
    assert_true(sink_is_at("drop:MAIN-1:/x", "MAIN-1"));
    assert_false(sink_is_at("drop:MAIN-1:/x", "MAIN-2"));
    assert_true(sink_is_at("file:/x", "MAIN-2"));
    assert_false(sink_place("drop::/x", desk, &path));
    assert_false(sink_place("drop:MAIN-1", desk, &path));
    assert_false(sink_place("drop:A-NAME-LONGER-THAN-ANY-DESK-MAY-HAVE-ONE:/x", desk, &path));
    assert_false(sink_place("file:/x", desk, &path));
}

static void items_are_files_or_records_where_each_is_answered(void **state)
{
    const struct slot_part parts[] = { { .lines = 3 }, { .lines = 40 } };

    (void)state;
    assert_int_equal(delivery_items(SINK_F1, parts, 2), 43);
    assert_int_equal(delivery_items(SINK_DROP, parts, 2), 2);
    assert_int_equal(delivery_items(SINK_F0, parts, 0), 0);
    assert_int_equal(delivery_items(SINK_F2, parts, 2), 1);
    assert_int_equal(delivery_items(SINK_SESSION, parts, 2), SESSION_READ);
    assert_int_equal(delivery_items(SINK_SESSION, parts, 0), 0);
}

static void each_item_is_announced_before_it_leaves(void **state)
{
    struct progress at = { 0 }, next;

    (void)state;
    assert_int_equal(delivery_move(SINK_F1, 2, &at, true), MOVE_STORE);
    assert_int_equal(delivery_move(SINK_F1, 2, &at, false), MOVE_STORE); /* adopted step 0 */
    progress_about_to(&at, &next);
    assert_int_equal(next.step, 1);
    assert_int_equal(delivery_move(SINK_F1, 2, &next, true), MOVE_SEND);
    at = next;
    progress_arrived(&at, 2, &next); /* the end of one and the beginning of the next, in one */
    assert_int_equal(next.step, 3);
    assert_int_equal(next.done, 1);
    at = next;
    progress_arrived(&at, 2, &next);
    assert_int_equal(next.step, 4);
    assert_int_equal(delivery_move(SINK_F1, 2, &next, true), MOVE_FINISH);
    assert_int_equal(delivery_move(SINK_F1, 2, &next, false), MOVE_FINISH);
}

static void a_successor_is_quiet_before_an_item_in_doubt(void **state)
{
    struct progress at = { .step = 1 };

    (void)state;
    assert_int_equal(delivery_move(SINK_F1, 1, &at, false), MOVE_QUIET);
    assert_int_equal(delivery_move(SINK_DROP, 1, &at, false), MOVE_QUIET);
    assert_int_equal(delivery_move(SINK_F0, 1, &at, false), MOVE_QUIET);
    at.step = 0;
    assert_int_equal(delivery_move(SINK_F2, 1, &at, false), MOVE_QUIET);
    assert_int_equal(delivery_move(SINK_F2, 1, &at, true), MOVE_SEND);
}

static void a_look_decides_by_class(void **state)
{
    struct progress at = { .step = 5, .done = 2 }, next;

    (void)state;
    assert_int_equal(delivery_after_look(SINK_F1, 9, &at, DELIVERY_DONE, &next), LOOK_STORE);
    assert_int_equal(next.done, 3);
    assert_int_equal(next.doubts, 0);
    assert_int_equal(delivery_after_look(SINK_F1, 9, &at, DELIVERY_ABSENT, &next), LOOK_STORE);
    assert_int_equal(next.step, 7); /* about to send, again */
    assert_int_equal(next.done, 2);
    assert_int_equal(delivery_after_look(SINK_F1, 9, &at, DELIVERY_UNPROVEN, &next), LOOK_STORE);
    assert_int_equal(next.done, 3); /* an exception, never a repeat */
    assert_int_equal(next.doubts, 1);
    assert_int_equal(delivery_after_look(SINK_DROP, 9, &at, DELIVERY_DONE, &next), LOOK_STORE);
    assert_int_equal(delivery_after_look(SINK_DROP, 9, &at, DELIVERY_ABSENT, &next), LOOK_PERSON);
    assert_int_equal(delivery_after_look(SINK_DROP, 9, &at, DELIVERY_UNPROVEN, &next), LOOK_PERSON);
    assert_int_equal(delivery_after_look(SINK_F0, 9, &at, DELIVERY_UNPROVEN, &next), LOOK_PERSON);
    at.doubts = PROGRESS_DOUBTS_MAX;
    assert_int_equal(delivery_after_look(SINK_F1, 99, &at, DELIVERY_UNPROVEN, &next), LOOK_PERSON);
}

static void a_session_in_doubt_is_left_behind_until_it_was_executed(void **state)
{
    struct progress at = { .step = 3, .done = SESSION_CREATE, .key = "17_2_3" }, next;

    (void)state;
    assert_int_equal(delivery_after_look(SINK_SESSION, 4, &at, DELIVERY_DONE, &next), LOOK_STORE);
    assert_int_equal(next.done, SESSION_LOAD);
    assert_string_equal(next.key, "17_2_3");
    assert_int_equal(delivery_after_look(SINK_SESSION, 4, &at, DELIVERY_ABSENT, &next), LOOK_STORE);
    assert_int_equal(next.done, SESSION_CREATE); /* nothing is loaded there: into the same one */
    assert_int_equal(next.step, 5);
    assert_string_equal(next.key, "17_2_3");
    assert_int_equal(delivery_after_look(SINK_SESSION, 4, &at, DELIVERY_UNPROVEN, &next),
                     LOOK_STORE);
    assert_int_equal(next.done, 0); /* half a load: another session */
    assert_int_equal(next.step, 5);
    assert_string_equal(next.key, "");
    at.done = SESSION_LOAD; /* executing */
    assert_int_equal(delivery_after_look(SINK_SESSION, 4, &at, DELIVERY_UNPROVEN, &next),
                     LOOK_PERSON);
    at.done = SESSION_EXECUTE; /* reading harms nobody */
    assert_int_equal(delivery_after_look(SINK_SESSION, 4, &at, DELIVERY_UNPROVEN, &next),
                     LOOK_STORE);
    assert_int_equal(next.done, SESSION_EXECUTE);
    assert_string_equal(next.key, "17_2_3");
}

static void a_decision_ends_one_doubt(void **state)
{
    struct progress at = { .step = 1 }, next;

    (void)state;
    assert_int_equal(progress_decided(&at, 2, true, (const uint8_t *)"word", 4, &next), ERR_OK);
    assert_int_equal(next.step, 2);
    assert_int_equal(next.done, 1);
    assert_int_equal(next.n_decisions, 1);
    assert_int_equal(progress_decided(&at, 2, false, (const uint8_t *)"word", 4, &next), ERR_OK);
    assert_int_equal(next.step, 2);
    assert_int_equal(next.done, 0);
    at.step = 2; /* nothing under way, and the place is gone: only "all arrived" can be said */
    assert_int_equal(progress_decided(&at, 2, false, (const uint8_t *)"", 0, &next), ERR_REFUSED);
    assert_int_equal(progress_decided(&at, 2, true, (const uint8_t *)"", 0, &next), ERR_OK);
    assert_int_equal(next.done, 2);
    at.n_decisions = PROGRESS_DECISIONS_MAX;
    at.step = 9;
    assert_int_equal(progress_decided(&at, 2, true, (const uint8_t *)"last", 4, &next), ERR_OK);
    assert_int_equal(next.n_decisions, PROGRESS_DECISIONS_MAX);
    assert_memory_equal(next.decisions[PROGRESS_DECISIONS_MAX - 1].b, "last", 4);
}

static void progress_comes_back_and_is_bounded(void **state)
{
    struct progress p = { .step = 7, .done = 3, .doubts = 2, .n_answers = 2, .key = "k" }, out;
    struct buf b = { 0 };

    (void)state;
    p.n_decisions = 1;
    p.decisions[0].n = 5;
    memcpy(p.decisions[0].b, "words", 5);
    progress_encode(&p, &b);
    assert_int_equal(progress_decode(b.p, b.len, &out), ERR_OK);
    assert_memory_equal(&p, &out, sizeof p);
    for (size_t n = 0; n < b.len; n++)
        assert_int_not_equal(progress_decode(b.p, n, &out), ERR_OK);
    p.doubts = p.n_answers = UINT64_MAX;
    p.n_decisions = PROGRESS_DECISIONS_MAX;
    for (unsigned i = 0; i < p.n_decisions; i++)
        p.decisions[i].n = DECISION_BYTES_MAX;
    memset(p.key, 'k', sizeof p.key - 1);
    buf_reset(&b);
    progress_encode(&p, &b);
    assert_true(b.len <= PROGRESS_BYTES_MAX);
    assert_int_equal(progress_decode(b.p, b.len, &out), ERR_OK);
    buf_reset(&b);
    mp_put_array(&b, 7);
    for (unsigned i = 0; i < 4; i++)
        mp_put_u64(&b, 1);
    mp_put_bin(&b, p.answers, sizeof p.answers);
    mp_put_array(&b, PROGRESS_DECISIONS_MAX + 1);
    for (unsigned i = 0; i <= PROGRESS_DECISIONS_MAX; i++)
        mp_put_bin(&b, "word", 4);
    mp_put_str(&b, "");
    assert_int_equal(progress_decode(b.p, b.len, &out), ERR_MALFORMED);
    buf_free(&b);
}

/* ---- one desk, one seat ---- */

struct bench {
    struct branch b;
    struct memdisk *disk;
    struct effects fx;
    struct ledger *l;
    struct ledger_ask ask;
    struct ledger_moment now;
    char sink[64];
    /* the newest that was asked for */
    enum effect_type asked; /* 0 (a message): nothing since */
    uint64_t number, item;
    unsigned sends, decided;
    bool paused; /* by a lead at another desk */
};

static enum err ask_holds(void *ctx, const struct intent *in, bool adopted, struct errmsg *msg)
{
    (void)ctx, (void)in, (void)adopted, (void)msg;
    return ERR_OK;
}

static enum err ask_cut(void *ctx, struct intent *in, struct errmsg *msg)
{
    const struct bench *t = ctx;

    (void)msg;
    in->rules = 1;
    snprintf(in->sink, sizeof in->sink, "%s", t->sink);
    in->ranges = calloc(1, sizeof *in->ranges);
    in->n_ranges = 1;
    in->ranges[0].feed.desk = t->b.desk[0].id;
    in->ranges[0].from = 1;
    in->ranges[0].to = in->records = 5;
    return ERR_OK;
}

static bool ask_gathered(void *ctx)
{
    (void)ctx;
    return true;
}

static uint64_t ask_wants_horizon(void *ctx)
{
    (void)ctx;
    return 0;
}

static bool ask_paused(void *ctx, uint64_t slot)
{
    return ((const struct bench *)ctx)->paused && slot == 1;
}

static void ask_decided(void *ctx, const struct receipt *r, const struct intent *in)
{
    (void)r;
    (void)in;
    ((struct bench *)ctx)->decided++;
}

static void ask_dice(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 0, n);
}

static void hand_over_parts(struct bench *t, uint64_t number)
{
    struct slot_part parts[2] = { { .suffix = "flat", .bytes = 9, .lines = 2 },
                                  { .suffix = "log", .bytes = 9, .lines = 3 } };

    memset(parts[1].sha256, 0xAB, sizeof parts[1].sha256);
    ledger_built(t->l, &t->now, number, parts, 2, &(struct slot_aside){ 0 }, NULL);
}

/* What it said, to itself; builds are answered at once. */
static void drain(struct bench *t)
{
    while (t->fx.n > 0) {
        struct effects all = t->fx;
        memset(&t->fx, 0, sizeof t->fx);
        for (unsigned i = 0; i < all.n; i++) {
            const struct effect *e = &all.v[i];
            struct mp m = mp_over(e->bytes.p, e->bytes.len);
            if (e->type == EFFECT_SEND && desk_id_eq(&e->to, &t->b.desk[0].id)) {
                ledger_message(t->l, &t->now, &e->to, wire_open(&m), &m);
                assert_false(m.bad);
            } else if (e->type == EFFECT_BUILD) {
                hand_over_parts(t, e->number);
            } else if (e->type == EFFECT_DELIVER || e->type == EFFECT_LOOK) {
                t->asked = e->type;
                t->number = e->number;
                t->item = e->item;
                t->sends += e->type == EFFECT_DELIVER;
            }
        }
        effects_free(&all);
    }
    memdisk_commit(t->disk, NULL, NULL);
}

static void start(struct bench *t)
{
    assert_int_equal(ledger_open(&t->b.desk[0], t->b.r, memdisk_disk(t->disk), &t->fx, &t->ask,
                                 &t->now, &t->l, NULL),
                     ERR_OK);
    ledger_may_vote(t->l, true);
}

static void pass(struct bench *t, uint64_t ms)
{
    for (uint64_t i = 0; i < ms; i += 100) {
        t->now.boot_ms += 100;
        t->now.wall_ms += 100;
        ledger_tick(t->l, &t->now);
        drain(t);
    }
}

static void crash_and_start(struct bench *t)
{
    ledger_close(t->l);
    effects_clear(&t->fx);
    memdisk_abort(t->disk);
    t->asked = 0;
    start(t);
}

static struct ledger_view view(const struct bench *t)
{
    struct ledger_view v;

    ledger_view(t->l, &t->now, &v);
    return v;
}

/* Pressed, and asked to send the first item. */
static struct bench *bench_new(const char *sink)
{
    struct bench *t = calloc(1, sizeof *t);
    struct buf op = { 0 }, text = { 0 }, word = { 0 };
    struct trigger g = { .slot = 1 };

    branch_new(&t->b, 1, 1);
    t->disk = memdisk_new();
    t->ask = (struct ledger_ask){ .ctx = t,
                                  .holds = ask_holds,
                                  .cut = ask_cut,
                                  .gathered = ask_gathered,
                                  .decided = ask_decided,
                                  .dice = ask_dice,
                                  .wants_horizon = ask_wants_horizon,
                                  .paused = ask_paused };
    t->now = (struct ledger_moment){ 1000000, 1795500000000 };
    snprintf(t->sink, sizeof t->sink, "%s", sink);
    buf_printf(
        &text,
        "[branch]\ncode = MAIN\nzone = America/New_York\nzone_rule = EST5EDT,M3.2.0,M11.1.0\n"
        "[upload]\nsink = %s\n%s[symphony]\ndefault_station = 42\n",
        sink,
        sink_class_of(sink) != SINK_SESSION
            ? ""
            : "format = evergreen\ncredential = ils\n[evergreen]\norg = 4\nregistration = none\n");
    op_policy(t->b.r, (const char *)text.p, text.len, t->b.lead.sign_sk, &op);
    branch_put(&t->b, &op);
    buf_free(&text);
    start(t);
    g.made_ms = t->now.wall_ms;
    memcpy(g.lead_pk, t->b.lead.sign_pk, KEY_BYTES);
    trigger_sign(roster_branch(t->b.r), &g, t->b.lead.sign_sk, &word);
    assert_int_equal(ledger_trigger(t->l, &t->now, word.p, word.len, NULL), ERR_OK);
    buf_free(&word);
    return t;
}

static void bench_free(struct bench *t)
{
    ledger_close(t->l);
    effects_free(&t->fx);
    memdisk_free(t->disk);
    branch_free(&t->b);
    free(t);
}

static void answer(struct bench *t, enum delivery how, const char *words)
{
    t->asked = 0;
    ledger_delivered(t->l, &t->now, t->number, how, words, NULL);
    drain(t);
}

static void make_decision(struct bench *t, bool arrived, const struct ident *lead, struct buf *out)
{
    struct doubt q = view(t).doubt;
    struct decision d = { .slot = q.slot, .step = q.step, .arrived = arrived };

    memcpy(d.intent, q.intent, HASH_BYTES);
    d.made_ms = t->now.wall_ms;
    memcpy(d.lead_pk, lead->sign_pk, KEY_BYTES);
    buf_reset(out);
    decision_sign(roster_branch(t->b.r), &d, lead->sign_sk, out);
}

static enum err decide(struct bench *t, bool arrived, const struct ident *lead)
{
    struct buf word = { 0 };
    enum err e;

    make_decision(t, arrived, lead, &word);
    e = ledger_decide(t->l, &t->now, word.p, word.len, NULL);
    drain(t);
    buf_free(&word);
    return e;
}

static void a_drop_is_sent_file_by_file(void **state)
{
    struct bench *t = bench_new("drop:DESK-1:/pickup");

    (void)state;
    pass(t, 8000);
    assert_int_equal(t->asked, EFFECT_DELIVER);
    assert_int_equal(t->item, 1);
    answer(t, DELIVERY_DONE, "a.flat");
    assert_int_equal(t->asked, EFFECT_DELIVER);
    assert_int_equal(t->item, 2);
    answer(t, DELIVERY_DONE, "a.log");
    assert_int_equal(t->decided, 1);
    assert_int_equal(t->sends, 2);
    bench_free(t);
}

/* Killed with item 1 on its way; back, elected, quiet, asked to look. */
static struct bench *in_doubt(const char *sink)
{
    struct bench *t = bench_new(sink);

    pass(t, 8000);
    assert_int_equal(t->asked, EFFECT_DELIVER);
    crash_and_start(t);
    pass(t, 8000);
    assert_int_equal(view(t).state, LEDGER_QUIET);
    assert_int_equal(t->asked, 0);
    pass(t, sink_quiet_ms(sink));
    assert_int_equal(t->asked, EFFECT_LOOK);
    assert_int_equal(t->item, 1);
    return t;
}

static void a_file_that_is_there_after_a_crash_counts_and_the_next_one_goes(void **state)
{
    struct bench *t = in_doubt("drop:DESK-1:/pickup");

    (void)state;
    answer(t, DELIVERY_DONE, "a.flat");
    assert_int_equal(t->asked, EFFECT_DELIVER);
    assert_int_equal(t->item, 2);
    bench_free(t);
}

static void a_file_that_is_gone_is_never_dropped_again_by_itself(void **state)
{
    struct bench *t = in_doubt("drop:DESK-1:/pickup");

    (void)state;
    answer(t, DELIVERY_UNPROVEN, "a.flat");
    assert_int_equal(view(t).state, LEDGER_PERSON);
    assert_string_equal(view(t).doubt.name, "a.flat");
    assert_int_equal(view(t).doubt.lines, 2);
    pass(t, 3600000);
    assert_int_equal(t->sends, 1);
    assert_int_equal(view(t).state, LEDGER_PERSON);
    bench_free(t);
}

static void a_lead_who_says_no_has_it_sent_once_more(void **state)
{
    struct bench *t = in_doubt("drop:DESK-1:/pickup");
    struct buf old = { 0 };

    (void)state;
    answer(t, DELIVERY_UNPROVEN, "a.flat");
    assert_int_equal(decide(t, true, &t->b.other_lead), ERR_DENIED);
    make_decision(t, false, &t->b.lead, &old);
    assert_int_equal(ledger_decide(t->l, &t->now, old.p, old.len, NULL), ERR_OK);
    drain(t);
    assert_int_equal(t->asked, EFFECT_DELIVER);
    assert_int_equal(t->item, 1);
    /* In doubt again: the word of before does not count a second time. */
    crash_and_start(t);
    pass(t, 40000);
    assert_int_equal(t->asked, EFFECT_LOOK);
    answer(t, DELIVERY_UNPROVEN, "a.flat");
    assert_int_equal(view(t).state, LEDGER_PERSON);
    assert_int_equal(ledger_decide(t->l, &t->now, old.p, old.len, NULL), ERR_REFUSED);
    pass(t, 60000);
    assert_int_equal(t->sends, 2);
    assert_int_equal(decide(t, true, &t->b.lead), ERR_OK);
    assert_int_equal(t->item, 2);
    answer(t, DELIVERY_DONE, "a.log");
    assert_int_equal(t->decided, 1);
    buf_free(&old);
    bench_free(t);
}

static void hear(struct bench *t, unsigned from, struct buf *b)
{
    struct mp m = mp_over(b->p, b->len);

    ledger_message(t->l, &t->now, &t->b.desk[from].id, wire_open(&m), &m);
    buf_free(b);
    drain(t);
}

/* Whoever leads knows best how far it is: else a member that lies keeps every lead's word away. */
static void an_uploader_does_not_believe_others_that_a_word_was_used(void **state)
{
    struct bench *t = in_doubt("drop:DESK-1:/pickup");
    struct buf b = { 0 }, word = { 0 };
    struct progress far = { .step = 99 };
    uint8_t none[32] = { 0 };
    struct doubt q;

    (void)state;
    answer(t, DELIVERY_UNPROVEN, "a.flat");
    pass(t, 3000);
    q = view(t).doubt;
    wire_begin(&b, WIRE_PROGRESS, 13);
    mp_put_u64(&b, 0);
    mp_put_bin(&b, none, sizeof none);
    mp_put_u64(&b, view(t).term + 5);
    mp_put_u64(&b, 0);
    mp_put_u64(&b, q.slot);
    mp_put_bin(&b, q.intent, HASH_BYTES);
    progress_encode_bin(&far, &b);
    mp_put_bool(&b, true);
    mp_put_str(&b, "b.log");
    mp_put_u64(&b, 1);
    mp_put_bin(&b, none, sizeof none);
    mp_put_u64(&b, 0);
    mp_put_array(&b, 0);
    hear(t, 1, &b);
    make_decision(t, false, &t->b.lead, &word);
    wire_begin(&b, WIRE_DECISION, 1);
    mp_put_bin(&b, word.p, word.len);
    hear(t, 1, &b);
    assert_int_equal(t->asked, EFFECT_DELIVER);
    buf_free(&word);
    bench_free(t);
}

static void the_receipt_carries_the_decisions(void **state)
{
    struct bench *t = in_doubt("blind:https://server/");
    struct buf bytes = { 0 };
    struct receipt r;
    struct progress p;
    struct decision d;

    (void)state;
    answer(t, DELIVERY_UNPROVEN, "a.flat");
    assert_int_equal(decide(t, true, &t->b.lead), ERR_OK);
    answer(t, DELIVERY_DONE, "a.log");
    assert_int_equal(ledger_receipt(t->l, 1, &bytes), ERR_OK);
    assert_int_equal(receipt_decode(bytes.p, bytes.len, &r, NULL), ERR_OK);
    assert_string_equal(r.evidence, "a.flat a.log");
    assert_int_equal(progress_decode(r.progress, r.progress_len, &p), ERR_OK);
    assert_int_equal(p.done, 2);
    assert_int_equal(p.n_decisions, 1);
    assert_int_equal(
        decision_open(p.decisions[0].b, p.decisions[0].n, roster_branch(t->b.r), &d, NULL), ERR_OK);
    assert_true(d.arrived);
    assert_int_equal(d.step, 1);
    buf_free(&bytes);
    bench_free(t);
}

static void answer_of(struct bench *t, enum delivery how, enum answer a, const char *words)
{
    struct answer_row r = { .line = t->item, .kind = RECORD_RENEW, .answer = a, .ref.seq = 7 };
    struct told told = { 0 };

    snprintf(r.words, sizeof r.words, "%s", words);
    told_add(&told, &r);
    t->asked = 0;
    ledger_delivered(t->l, &t->now, t->number, how, "", &told);
    drain(t);
    told_free(&told);
}

static void what_nobody_wrote_down_as_in_doubt_waits_for_a_person(void **state)
{
    struct bench *t = in_doubt("ask:https://sip2/");

    (void)state;
    answer(t, DELIVERY_UNPROVEN, "");
    assert_int_equal(view(t).state, LEDGER_PERSON);
    bench_free(t);
}

static void what_cannot_be_probed_is_an_answer_that_the_receipt_stands_for(void **state)
{
    struct bench *t = in_doubt("ask:https://server/");
    struct buf bytes = { 0 };
    struct receipt r;
    struct progress p;
    struct answer_row row;
    uint8_t hash[HASH_BYTES];

    (void)state;
    answer_of(t, DELIVERY_UNPROVEN, ANSWER_DOUBT, "");
    for (unsigned item = 2; item <= 5; item++) {
        assert_int_equal(t->asked, EFFECT_DELIVER);
        assert_int_equal(t->item, item);
        if (item == 4)
            answer_of(t, DELIVERY_DONE, ANSWER_REFUSED, "not yours");
        else
            answer(t, DELIVERY_DONE, "");
    }
    assert_int_equal(t->decided, 1);
    assert_int_equal(ledger_receipt(t->l, 1, &bytes), ERR_OK);
    assert_int_equal(receipt_decode(bytes.p, bytes.len, &r, NULL), ERR_OK);
    assert_int_equal(progress_decode(r.progress, r.progress_len, &p), ERR_OK);
    assert_int_equal(p.doubts, 1);
    assert_int_equal(p.n_answers, 2);
    intent_hash(r.intent, r.intent_len, hash);
    assert_int_equal(ledger_answer(t->l, 1, hash, 1, &row), ERR_OK);
    assert_int_equal(row.answer, ANSWER_DOUBT);
    assert_int_equal(row.line, 1);
    assert_int_equal(ledger_answer(t->l, 1, hash, 2, &row), ERR_OK);
    assert_int_equal(row.line, 4);
    assert_string_equal(row.words, "not yours");
    assert_int_equal(ledger_answer(t->l, 1, hash, 3, &row), ERR_MISSING);
    assert_false(ledger_lacks_answers(t->l, 1));
    buf_free(&bytes);
    bench_free(t);
}

static void a_request_without_an_answer_is_looked_at_after_the_quiet_time(void **state)
{
    struct bench *t = bench_new("ask:https://server/");

    (void)state;
    pass(t, 8000);
    answer(t, DELIVERY_DOUBT, "");
    assert_int_equal(view(t).state, LEDGER_QUIET);
    pass(t, 50000);
    assert_int_equal(t->asked, 0);
    pass(t, 15000);
    assert_int_equal(t->asked, EFFECT_LOOK);
    answer(t, DELIVERY_ABSENT, "");
    assert_int_equal(t->asked, EFFECT_DELIVER);
    assert_int_equal(t->item, 1);
    bench_free(t);
}

static void what_certainly_did_not_leave_is_in_no_doubt_for_a_successor(void **state)
{
    struct bench *t = bench_new("drop:DESK-1:/pickup");

    (void)state;
    pass(t, 8000);
    answer(t, DELIVERY_STOP, "something else is there");
    assert_true(view(t).stopped);
    crash_and_start(t);
    pass(t, 10000);
    assert_int_equal(t->asked, EFFECT_DELIVER); /* no quiet, no look, no person */
    assert_int_equal(t->item, 1);
    bench_free(t);
}

static void told_key(struct bench *t, enum delivery how, const char *key)
{
    struct told told = { 0 };

    snprintf(told.key, sizeof told.key, "%s", key);
    t->asked = 0;
    ledger_delivered(t->l, &t->now, t->number, how, "", &told);
    drain(t);
}

/* Evergreen broke before it executed: the sink has filled another session. */
static void another_session_is_stored_before_it_is_executed(void **state)
{
    struct bench *t = bench_new("evergreen:https://ils");

    (void)state;
    pass(t, 8000);
    assert_int_equal(t->item, SESSION_CREATE);
    told_key(t, DELIVERY_DONE, "1_2_3");
    assert_int_equal(t->item, SESSION_LOAD);
    assert_string_equal(view(t).key, "1_2_3");
    told_key(t, DELIVERY_DONE, "");
    assert_int_equal(t->item, SESSION_EXECUTE);
    told_key(t, DELIVERY_RETRY, "4_5_6");
    assert_int_equal(t->item, SESSION_EXECUTE);
    assert_int_equal(t->asked, EFFECT_DELIVER); /* at once: the wait was the sink's */
    assert_string_equal(view(t).key, "4_5_6");
    crash_and_start(t);
    pass(t, 80000);
    assert_int_equal(t->asked, EFFECT_LOOK);
    assert_string_equal(view(t).key, "4_5_6");
    answer(t, DELIVERY_DONE, "");
    assert_int_equal(t->item, SESSION_READ);
    answer(t, DELIVERY_DONE, "");
    assert_int_equal(t->decided, 1);
    bench_free(t);
}

static void a_sink_that_remembers_keys_is_told_again_at_once(void **state)
{
    struct bench *t = bench_new("key:https://server/");

    (void)state;
    pass(t, 8000);
    assert_int_equal(t->item, 0);
    crash_and_start(t);
    pass(t, 8000);
    assert_int_equal(t->asked, EFFECT_DELIVER);
    assert_int_equal(t->sends, 2);
    answer(t, DELIVERY_DONE, "key");
    assert_int_equal(t->decided, 1);
    bench_free(t);
}

static void nothing_is_handed_over_at_a_second_place(void **state)
{
    struct bench *t = bench_new("drop:DESK-2:/pickup");
    struct buf op = { 0 };

    (void)state; /* DESK-2 was never added: the place does not exist, so a lead's word ends it */
    pass(t, 8000);
    assert_int_equal(t->sends, 0);
    assert_int_equal(view(t).state, LEDGER_PERSON);
    assert_int_equal(decide(t, false, &t->b.lead), ERR_REFUSED);
    op_add(t->b.r, &t->b.desk[1], "DESK-2", ROLE_DESK, false, t->b.lead.sign_sk, &op);
    branch_put(&t->b, &op);
    crash_and_start(t);
    pass(t, 60000);
    assert_int_equal(t->sends, 0);
    assert_int_equal(view(t).state, LEDGER_IDLE);
    assert_non_null(strstr(view(t).problem, "DESK-2 alone can hand over"));
    bench_free(t);
}

static void a_decision_that_fits_nothing_is_refused(void **state)
{
    struct bench *t = bench_new("drop:DESK-1:/pickup");
    struct decision d = { .slot = 1, .step = 1, .arrived = false };
    struct buf word = { 0 };

    (void)state;
    pass(t, 8000);
    d.made_ms = t->now.wall_ms;
    memcpy(d.lead_pk, t->b.lead.sign_pk, KEY_BYTES);
    decision_sign(roster_branch(t->b.r), &d, t->b.lead.sign_sk, &word);
    assert_int_equal(ledger_decide(t->l, &t->now, word.p, word.len, NULL), ERR_MISSING);
    word.p[word.len - 1] ^= 1;
    assert_int_equal(ledger_decide(t->l, &t->now, word.p, word.len, NULL), ERR_DENIED);
    answer(t, DELIVERY_DONE, "a.flat");
    answer(t, DELIVERY_DONE, "a.log");
    word.p[word.len - 1] ^= 1;
    assert_int_equal(ledger_decide(t->l, &t->now, word.p, word.len, NULL), ERR_EXISTS);
    buf_free(&word);
    bench_free(t);
}

/* ---- U3 ---- */

static void a_pause_waits_before_the_next_item_and_stores_nothing_of_it(void **state)
{
    struct bench *t = bench_new("ask:https://server/");

    (void)state;
    pass(t, 10000);
    assert_int_equal(t->item, 1);
    assert_int_equal(ledger_pause(t->l, &t->now, true, NULL), ERR_OK);
    answer(t, DELIVERY_DONE, ""); /* what was begun is finished */
    pass(t, 60000);
    assert_int_equal(view(t).state, LEDGER_PAUSED);
    assert_true(view(t).is_uploader); /* it keeps its lease */
    assert_int_equal(t->asked, 0);
    assert_int_equal(t->sends, 1);
    crash_and_start(t); /* nobody is left who wants it to wait, and nothing is in doubt */
    pass(t, 20000);
    assert_int_equal(t->asked, EFFECT_DELIVER);
    assert_int_equal(t->item, 2);
    bench_free(t);
}

static void a_pause_ends_by_itself_after_an_hour(void **state)
{
    struct bench *t = bench_new("file:/somewhere");

    (void)state;
    assert_int_equal(ledger_pause(t->l, &t->now, true, NULL), ERR_OK);
    pass(t, PAUSE_MS - 60000);
    assert_int_equal(view(t).state, LEDGER_PAUSED);
    assert_int_equal(t->sends, 0);
    pass(t, 120000);
    assert_int_equal(t->sends, 1);
    answer(t, DELIVERY_DONE, "there");
    assert_int_equal(ledger_pause(t->l, &t->now, true, NULL), ERR_MISSING); /* all is done */
    bench_free(t);
}

static void another_lead_s_pause_counts_as_one_s_own(void **state)
{
    struct bench *t = bench_new("file:/somewhere");

    (void)state;
    t->paused = true;
    pass(t, 30000);
    assert_int_equal(view(t).state, LEDGER_PAUSED);
    t->paused = false;
    pass(t, 1000);
    assert_int_equal(t->asked, EFFECT_DELIVER);
    bench_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sink_has_the_class_of_its_scheme),
        cmocka_unit_test(a_drop_is_at_one_desk_only),
        cmocka_unit_test(items_are_files_or_records_where_each_is_answered),
        cmocka_unit_test(each_item_is_announced_before_it_leaves),
        cmocka_unit_test(a_successor_is_quiet_before_an_item_in_doubt),
        cmocka_unit_test(a_look_decides_by_class),
        cmocka_unit_test(a_session_in_doubt_is_left_behind_until_it_was_executed),
        cmocka_unit_test(a_decision_ends_one_doubt),
        cmocka_unit_test(progress_comes_back_and_is_bounded),
        cmocka_unit_test(a_drop_is_sent_file_by_file),
        cmocka_unit_test(a_pause_waits_before_the_next_item_and_stores_nothing_of_it),
        cmocka_unit_test(a_pause_ends_by_itself_after_an_hour),
        cmocka_unit_test(another_lead_s_pause_counts_as_one_s_own),
        cmocka_unit_test(a_file_that_is_there_after_a_crash_counts_and_the_next_one_goes),
        cmocka_unit_test(a_file_that_is_gone_is_never_dropped_again_by_itself),
        cmocka_unit_test(a_lead_who_says_no_has_it_sent_once_more),
        cmocka_unit_test(an_uploader_does_not_believe_others_that_a_word_was_used),
        cmocka_unit_test(the_receipt_carries_the_decisions),
        cmocka_unit_test(what_nobody_wrote_down_as_in_doubt_waits_for_a_person),
        cmocka_unit_test(what_cannot_be_probed_is_an_answer_that_the_receipt_stands_for),
        cmocka_unit_test(a_request_without_an_answer_is_looked_at_after_the_quiet_time),
        cmocka_unit_test(what_certainly_did_not_leave_is_in_no_doubt_for_a_successor),
        cmocka_unit_test(another_session_is_stored_before_it_is_executed),
        cmocka_unit_test(a_sink_that_remembers_keys_is_told_again_at_once),
        cmocka_unit_test(nothing_is_handed_over_at_a_second_place),
        cmocka_unit_test(a_decision_that_fits_nothing_is_refused),
    };

    return sodium_init() < 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
