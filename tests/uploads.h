/* uploads.h - for unit tests of what becomes of uploads: a world whose payloads are the real ones.
 */
#ifndef TIDEOVER_UPLOADS_H
#define TIDEOVER_UPLOADS_H

#include "world.h"

#include <sodium.h>

#include "export.h"

#define DAY INT64_C(86400000)

static unsigned forgets; /* EFFECT_FORGETs seen, all desks */
static struct buf built; /* what was built last, all its files one after the other */

static inline enum err built_bytes(void *ctx, unsigned file, const uint8_t *p, size_t n,
                                   struct errmsg *msg)
{
    (void)ctx;
    (void)file;
    (void)msg;
    buf_add(&built, p, n);
    return ERR_OK;
}

/* How often it stands in what was built last. */
static inline unsigned built_with(const char *needle)
{
    unsigned n = 0;
    size_t len = strlen(needle);

    for (size_t i = 0; i + len <= built.len; i++)
        n += memcmp(built.p + i, needle, len) == 0;
    return n;
}

/* The real payload, and the real list of what it sets aside. */
static inline bool real_work(struct world *w, unsigned i, struct effect *e)
{
    struct export_result *r;
    struct asides list = { 0 };
    struct export_out to = { .aside = &list };
    struct slot_aside aside;
    struct moment now = moment(w, i);
    struct merge_job job;
    struct buf bytes = { 0 };
    struct receipt rc;
    struct intent in;

    if (e->type == EFFECT_FORGET) {
        forgets++;
        core_forgotten(w->v[i].core, e->number);
        return true;
    }
    if (e->type != EFFECT_BUILD && e->type != EFFECT_ASIDE)
        return false;
    if (e->type == EFFECT_BUILD) {
        assert_int_equal(intent_decode(e->bytes.p, e->bytes.len, &in, NULL), ERR_OK);
    } else {
        assert_int_equal(ledger_receipt(core_ledger(w->v[i].core), e->number, &bytes), ERR_OK);
        assert_int_equal(receipt_decode(bytes.p, bytes.len, &rc, NULL), ERR_OK);
        assert_int_equal(intent_decode(rc.intent, rc.intent_len, &in, NULL), ERR_OK);
    }
    if (e->type == EFFECT_BUILD) {
        buf_reset(&built);
        to.bytes = built_bytes;
    }
    r = calloc(1, sizeof *r);
    assert_int_equal(core_merge_job(w->v[i].core, &in, &job, NULL), ERR_OK);
    assert_int_equal(export_run(&job, memdisk_reader(w->v[i].disk),
                                format_by_name(job.policy.format), NULL, NULL, &to, r, NULL),
                     ERR_OK);
    aside.n = list.n;
    asides_hash(&list, aside.hash);
    if (e->type == EFFECT_BUILD)
        core_built(w->v[i].core, &now, e->number, r->parts, r->n_parts, &aside, NULL);
    else
        core_asides(w->v[i].core, &now, e->number, &list, NULL);
    merge_job_free(&job);
    asides_free(&list);
    intent_free(&in);
    buf_free(&bytes);
    free(r);
    return true;
}

static inline struct world *branch_of(unsigned n)
{
    struct world *w = world_new(n, n);

    forgets = 0;
    w->hook = real_work;
    return w;
}

static inline void barcode(char first, unsigned n, char out[BARCODE_MAX + 1])
{
    unsigned sum = 0;

    snprintf(out, BARCODE_MAX + 1, "%c%012u", first, n);
    for (unsigned i = 0; i < 13; i++) {
        unsigned v = (unsigned)(out[i] - '0') * (i % 2 == 0 ? 2 : 1);
        sum += v > 9 ? v - 9 : v;
    }
    out[13] = (char)('0' + (10 - sum % 10) % 10);
    out[14] = '\0';
}

/* A loan of item n; every third a discharge, which the policy holds. */
static inline struct record_ref record_nth(struct world *w, unsigned desk, unsigned n)
{
    struct record r = { .kind = n % 3 == 2 ? RECORD_DISCHARGE : RECORD_CHECKOUT };
    struct record_ref ref;

    barcode('3', n, r.item);
    if (r.kind == RECORD_CHECKOUT)
        barcode('2', n, r.user);
    assert_int_equal(enter(w, desk, &r, &ref), ERR_OK);
    finish(w, desk);
    return ref;
}

static inline void upload(struct world *w, unsigned desk)
{
    unsigned before = w->delivered;

    press(w, desk);
    for (unsigned i = 0; i < 100 && w->delivered == before; i++)
        run(w, 500);
    assert_int_equal(w->delivered, before + 1);
    run(w, 3000);
}

/* refs: n of them, appended with word_put_ref(); NULL: none. */
static inline void say_of(struct world *w, unsigned desk, enum word_kind kind, uint64_t slot,
                          const struct buf *refs, unsigned n)
{
    struct moment now = moment(w, desk);
    struct word word = { .kind = kind, .slot = slot, .at_ms = now.wall_ms, .n_refs = n };
    struct buf b = { 0 }, bytes = { 0 };
    struct receipt r;

    memcpy(word.key, w->b.lead.sign_pk, KEY_BYTES);
    if (kind == WORD_CONFIRM || kind == WORD_CARDS || (kind == WORD_DONE && n == 0)) {
        assert_int_equal(ledger_receipt(core_ledger(w->v[desk].core), slot, &b), ERR_OK);
        assert_int_equal(receipt_decode(b.p, b.len, &r, NULL), ERR_OK);
        intent_hash(r.intent, r.intent_len, word.intent);
    }
    word_sign(roster_branch(w->b.r), &word, refs, w->b.lead.sign_sk, &bytes);
    assert_int_equal(core_say(w->v[desk].core, &now, bytes.p, bytes.len, NULL), ERR_OK);
    finish(w, desk);
    buf_free(&b);
    buf_free(&bytes);
}

static inline void say(struct world *w, unsigned desk, enum word_kind kind, uint64_t slot)
{
    say_of(w, desk, kind, slot, NULL, 0);
}

static inline void days(struct world *w, int n)
{
    for (unsigned i = 0; i < w->n; i++)
        w->v[i].wall_step += n * DAY;
    run(w, 15000); /* elections, the horizon, erasing */
}

/* Twelve seconds in which the disk of a desk without others fails from the k-th write on. If it
 * came to that, the batch is thrown away and the core with it, as the node does, and it starts anew
 * on a good disk. */
static inline bool dies_at_write(struct world *w, unsigned k)
{
    const struct disk *d = memdisk_disk(w->v[0].disk);
    uint8_t probe[] = { 'x' };

    memdisk_fail_at(w->v[0].disk, k);
    for (unsigned i = 0; i < 60; i++) {
        struct moment now;
        w->now_ms += 200;
        now = moment(w, 0);
        core_tick(w->v[0].core, &now);
        if (d->del(d->ctx, TABLE_META, probe, 1) != ERR_OK) {
            stop(w, 0);
            start(w, 0);
            memdisk_fail_at(w->v[0].disk, 0);
            return true;
        }
        finish(w, 0);
        pump(w);
    }
    return false;
}

static inline unsigned rows(struct world *w, unsigned desk, enum table t)
{
    const struct disk *d = memdisk_reader(w->v[desk].disk);
    uint8_t key[DISK_KEY_MAX], next[DISK_KEY_MAX + 1] = { 0 };
    size_t n = 1, len;
    unsigned count = 0;

    while (d->seek(d->ctx, t, next, n, 1, key, &len, NULL) == ERR_OK) {
        count++;
        memcpy(next, key, len);
        next[len] = 0;
        n = len + 1;
    }
    return count;
}

/* No value on this disk has these bytes. */
static inline bool is_nowhere(struct world *w, unsigned desk, const char *needle)
{
    const struct disk *d = memdisk_reader(w->v[desk].disk);
    struct buf val = { 0 };
    bool found = false;

    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        uint8_t key[DISK_KEY_MAX], next[DISK_KEY_MAX + 1] = { 0 };
        size_t n = 1, len;
        while (d->seek(d->ctx, (enum table)t, next, n, 1, key, &len, &val) == ERR_OK) {
            for (size_t i = 0; i + strlen(needle) <= val.len; i++)
                found |= memcmp(val.p + i, needle, strlen(needle)) == 0;
            memcpy(next, key, len);
            next[len] = 0;
            n = len + 1;
        }
    }
    buf_free(&val);
    return !found;
}

#endif
