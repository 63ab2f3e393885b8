/* check_answers.c - what a sink said of single records: with each step that speaks of it, on every
 * desk in the end, and just what the sink said.
 *
 * A2: no desk's disk has a step whose answers it lacks. A3: healed, every desk that has a receipt
 * has its answers. A4: they are the sink's own: a record that it refused is said to be refused, and
 * no other; one of which nobody can tell is in doubt, whatever became of it. */
#include <stdio.h>
#include <string.h>

#include "ledger_int.h"
#include "sim.h"

/* [1, epoch 2, term, vote, term, intent, trigger, progress, decision] */
static void durable(struct sim *s, int desk, enum table t, const uint8_t *key, size_t n,
                    const uint8_t *val, size_t len)
{
    struct station *d = &s->desk[desk];
    struct mp m = mp_over(val, len);
    const uint8_t *acc;
    size_t acc_n = 0;

    d->acc_moved |= t == TABLE_ANSWERS;
    if (t != TABLE_META || n != 1 || key[0] != 'L' || !val)
        return;
    mp_get_array(&m);
    for (unsigned i = 0; i < 6; i++)
        mp_skip(&m);
    acc = mp_get_bin(&m, &acc_n);
    mp_skip(&m);
    if (!progress_get(&m, &d->acc_at) || acc_n == 0)
        memset(&d->acc_at, 0, sizeof d->acc_at);
    else
        intent_hash(acc, acc_n, d->acc_intent);
    d->acc_moved = true;
}

static void committed(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    const struct disk *disk = memdisk_reader(d->disk);
    struct tally t;

    if (!d->acc_moved || d->acc_at.n_answers == 0)
        return;
    d->acc_moved = false;
    tally_open(disk, d->dec + 1, d->acc_intent, &t);
    if (!tally_has(disk, &t, &d->acc_at))
        sim_fail(s, "A2", "%s has step %llu of slot %llu on its disk, not its %llu answers",
                 d->name, (unsigned long long)d->acc_at.step, (unsigned long long)d->dec + 1,
                 (unsigned long long)d->acc_at.n_answers);
}

/* Of a decided upload with answers that nobody erased yet. */
static bool upload_at(const struct sim *s, int desk, uint64_t slot, struct intent *in,
                      struct progress *p, uint8_t hash[HASH_BYTES])
{
    const struct core *c = s->desk[desk].core;
    struct moment now = sim_moment(s, desk);
    struct core_view v;
    struct buf b = { 0 };
    struct receipt r;
    bool yes = false;

    core_view(c, &now, &v);
    if (slot >= v.back_to && ledger_receipt(core_ledger(c), slot, &b) == ERR_OK &&
        receipt_decode(b.p, b.len, &r, NULL) == ERR_OK && r.progress_len > 0 &&
        progress_decode(r.progress, r.progress_len, p) == ERR_OK && p->n_answers > 0) {
        intent_hash(r.intent, r.intent_len, hash);
        yes = intent_decode(r.intent, r.intent_len, in, NULL) == ERR_OK;
    }
    buf_free(&b);
    return yes;
}

/* The only seat kept them, and its disk is lost (seed 92789), or it was revoked (8251). */
static bool went_with_a_disk(const struct sim *s, uint64_t slot)
{
    bool lost = false;

    for (unsigned i = 0; i < s->n; i++) {
        const struct station *d = &s->desk[i];
        lost |= d->gone || d->forgot || d->revoked;
        if (d->core && sim_counts(s, (int)i) && ledger_decided(core_ledger(d->core)) >= slot &&
            !ledger_lacks_answers(core_ledger(d->core), slot))
            return false;
    }
    return lost;
}

static bool settled(const struct sim *s, char why[200])
{
    for (unsigned i = 0; i < s->n; i++) {
        const struct core *c = s->desk[i].core;
        if (!c || !sim_counts(s, (int)i))
            continue;
        for (uint64_t slot = 1; slot <= ledger_decided(core_ledger(c)); slot++)
            if (ledger_lacks_answers(core_ledger(c), slot) && !went_with_a_disk(s, slot)) {
                snprintf(why, 200, "%s lacks answers to slot %llu", s->desk[i].name,
                         (unsigned long long)slot);
                return false;
            }
    }
    return true;
}

static const struct item *item_at(const struct sim *s, uint64_t upload, uint64_t number)
{
    for (unsigned i = 0; i < s->n_items; i++)
        if (s->item[i].upload == upload && s->item[i].number == number)
            return &s->item[i];
    return NULL;
}

static void check_row(struct sim *s, uint64_t slot, uint64_t upload, const struct answer_row *r,
                      enum sink_class c, const char *key)
{
    const struct item *i = item_at(s, upload, r->line);
    bool fits = i && i->judged && i->verdict == r->answer;
    bool whole = !sink_has_steps(c);

    if (c == SINK_SESSION)
        fits |= session_fits(s, key, r->line, r->answer);
    else if (r->answer == ANSWER_DOUBT)
        fits = i && !whole && r->line % 3 == 0;
    else if (r->answer == ANSWER_ALREADY && whole)
        fits = i && i->verdict != ANSWER_REFUSED;
    if (!fits)
        sim_fail(s, "A4", "slot %llu: line %llu is said to be %s, and the sink says %s",
                 (unsigned long long)slot, (unsigned long long)r->line, answer_name(r->answer),
                 i && i->judged ? answer_name(i->verdict) : "nothing");
}

static void check_slot(struct sim *s, int desk, uint64_t slot, const struct intent *in,
                       const struct progress *p, const uint8_t hash[HASH_BYTES])
{
    const struct ledger *l = core_ledger(s->desk[desk].core);
    const struct disk *disk = memdisk_reader(s->desk[desk].disk);
    uint64_t refused = 0, refused_there = 0;
    struct answer_row r;
    struct tally t;

    tally_open(disk, slot, hash, &t);
    if (!tally_has(disk, &t, p) && went_with_a_disk(s, slot))
        return;
    if (!tally_has(disk, &t, p))
        sim_fail(s, "A3", "%s lacks answers to slot %llu", s->desk[desk].name,
                 (unsigned long long)slot);
    for (uint64_t k = 1; k <= p->n_answers; k++) {
        if (ledger_answer(l, slot, hash, k, &r) != ERR_OK) {
            sim_fail(s, "A3", "%s cannot read answer %llu to slot %llu", s->desk[desk].name,
                     (unsigned long long)k, (unsigned long long)slot);
            return;
        }
        check_row(s, slot, steps_upload(hash), &r, sink_class_of(in->sink), p->key);
        refused +=
            r.answer == ANSWER_REFUSED || r.answer == ANSWER_DOUBT || r.answer == ANSWER_HELD;
    }
    for (unsigned i = 0; i < s->n_items; i++)
        refused_there += s->item[i].upload == steps_upload(hash) && s->item[i].judged &&
                         s->item[i].verdict == ANSWER_REFUSED;
    if (refused < refused_there)
        sim_fail(s, "A4", "slot %llu: the sink refused %llu records, %s knows of %llu",
                 (unsigned long long)slot, (unsigned long long)refused_there, s->desk[desk].name,
                 (unsigned long long)refused);
}

static void end(struct sim *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        const struct core *c = s->desk[i].core;
        if (!c || !sim_counts(s, (int)i))
            continue;
        for (uint64_t slot = 1; slot <= ledger_decided(core_ledger(c)); slot++) {
            struct intent in;
            struct progress p;
            uint8_t hash[HASH_BYTES];
            if (!upload_at(s, (int)i, slot, &in, &p, hash))
                continue;
            check_slot(s, (int)i, slot, &in, &p, hash);
            intent_free(&in);
        }
    }
}

const struct check check_answers = {
    .name = "answers", .durable = durable, .committed = committed, .settled = settled, .end = end
};
