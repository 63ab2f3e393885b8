/* check_erase.c - E1, E2, E3: nothing is erased before its time, what is open lives on, and who says
 * that all is erased has erased it. And the words that allow it: rows of verbs.c. */
#include <string.h>

#include "deeds.h"
#include "feeds.h"

/* ---- people ---- */

static void say(struct sim *s, int desk, enum word_kind kind, uint64_t slot,
                const uint8_t intent[HASH_BYTES])
{
    struct core *c = s->desk[desk].core;
    struct moment now = sim_moment(s, desk);
    struct word w = { .kind = kind, .slot = slot, .at_ms = now.wall_ms };
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };

    memcpy(w.key, s->lead_pk, KEY_BYTES);
    memcpy(w.intent, intent, HASH_BYTES);
    word_sign(roster_branch(core_roster(c)), &w, NULL, s->lead_sk, &b);
    if (core_say(c, &now, b.p, b.len, &msg) != ERR_OK)
        sim_trace(s, desk, "a word refused: %s", msg.text);
    buf_free(&b);
}

/* What a lead confirms may go from now on, at any desk. */
static void allow(struct sim *s, const struct intent *in)
{
    for (unsigned i = 0; i < in->n_ranges; i++) {
        struct known_feed *f = check_feed(s, &in->ranges[i].feed);
        if (f->confirmed < in->ranges[i].to)
            f->confirmed = in->ranges[i].to;
    }
}

static void for_uploads(struct sim *s, int desk, enum word_kind kind)
{
    const struct ledger *l = core_ledger(s->desk[desk].core);
    struct buf b = { 0 };

    for (uint64_t slot = 1; slot <= ledger_decided(l); slot++) {
        struct receipt r;
        struct intent in;
        uint8_t hash[HASH_BYTES];
        if (ledger_receipt(l, slot, &b) != ERR_OK ||
            receipt_decode(b.p, b.len, &r, NULL) != ERR_OK ||
            intent_decode(r.intent, r.intent_len, &in, NULL) != ERR_OK)
            break;
        if (in.type == SLOT_UPLOAD && kind == WORD_CONFIRM)
            allow(s, &in);
        intent_hash(r.intent, r.intent_len, hash);
        if (in.type == SLOT_UPLOAD)
            say(s, desk, kind, slot, hash);
        intent_free(&in);
    }
    buf_free(&b);
}

void deed_confirm(struct sim *s, const struct args *a)
{
    for_uploads(s, a->desk[0], WORD_CONFIRM);
    sim_trace(s, a->desk[0], "a lead confirms what was uploaded");
}

void deed_done(struct sim *s, const struct args *a)
{
    for_uploads(s, a->desk[0], WORD_DONE);
    sim_trace(s, a->desk[0], "a lead settled by hand what was set aside");
}

bool check_erased_at(const struct sim *s, int desk)
{
    return s->desk[desk].core && core_feeds(s->desk[desk].core)->erased > 0;
}

/* ---- what must hold ---- */

static void durable(struct sim *s, int desk, enum table t, const uint8_t *key, size_t n,
                    const uint8_t *val, size_t len)
{
    const struct feeds *fs = s->desk[desk].core ? core_feeds(s->desk[desk].core) : NULL;
    const struct feed *f;
    uint64_t last;

    (void)len;
    if (t != TABLE_BLOCKS || val || n != 12 || !fs || get_be32(key) == 0 || get_be32(key) > fs->n)
        return;
    f = &fs->v[get_be32(key) - 1];
    last = get_be64(key + 4);
    if (f->base < last)
        return; /* a tail of a fork is put elsewhere */
    s->desk[desk].erased_now = true;
    if (check_feed(s, &f->opening.id)->confirmed < last)
        sim_fail(s, "E1", "%s erases record %llu, and nobody confirmed its upload",
                 s->desk[desk].name, (unsigned long long)last);
}

/* Of a feed that ends under the horizon nothing is left. */
static void judge_slot(struct sim *s, int desk, uint64_t slot)
{
    const struct core *c = s->desk[desk].core;
    struct buf b = { 0 };
    struct receipt r;
    struct intent in;

    if (ledger_receipt(core_ledger(c), slot, &b) == ERR_OK &&
        receipt_decode(b.p, b.len, &r, NULL) == ERR_OK &&
        intent_decode(r.intent, r.intent_len, &in, NULL) == ERR_OK) {
        for (unsigned i = 0; i < in.n_ranges; i++) {
            const struct feed *f = feeds_find(core_feeds(c), &in.ranges[i].feed);
            if (f && f->base < f->seq && f->seq <= in.ranges[i].to)
                sim_fail(s, "E3", "%s says that upload %llu is erased, and has record %llu of it",
                         s->desk[desk].name, (unsigned long long)slot, (unsigned long long)f->seq);
        }
        intent_free(&in);
    }
    buf_free(&b);
}

static void check_said_erased(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    struct moment now = sim_moment(s, desk);
    uint64_t decided = ledger_decided(core_ledger(d->core));
    struct core_view v;

    if (decided == d->erased_judged)
        return;
    core_view(d->core, &now, &v);
    if (v.erase_owed)
        return;
    d->erased_judged = decided;
    for (uint64_t slot = 1; slot < v.back_to; slot++)
        judge_slot(s, desk, slot);
}

/* Every record without a final outcome is still readable, in its block or kept aside. */
static void committed(struct sim *s, int desk)
{
    const struct disk *d = memdisk_reader(s->desk[desk].disk);
    uint8_t key[DISK_KEY_MAX], next[REF_KEY + 1] = { 0 };
    size_t n = REF_KEY, len;
    struct buf val = { 0 };

    if (s->desk[desk].core)
        check_said_erased(s, desk);
    if (!s->desk[desk].erased_now || !s->desk[desk].core)
        return;
    s->desk[desk].erased_now = false;
    while (d->seek(d->ctx, TABLE_ASIDE, next, n, 1, key, &len, NULL) == ERR_OK) {
        struct record_ref ref;
        const struct feed *f;
        ref_of_key(key, &ref);
        f = feeds_find(core_feeds(s->desk[desk].core), &ref.feed);
        if ((!f || ref.seq <= f->base) && d->get(d->ctx, TABLE_KEPT, key, REF_KEY, &val) != ERR_OK)
            sim_fail(s, "E2", "%s erased record %llu, which has no final outcome",
                     s->desk[desk].name, (unsigned long long)ref.seq);
        memcpy(next, key, REF_KEY);
        n = REF_KEY + 1;
    }
    buf_free(&val);
}

const struct check check_erase = { .name = "erase", .durable = durable, .committed = committed };
