/* excepted.c - what the library's system did not book is set aside like what was never sent: a row
 * in the same table, kept when the rest is erased, open until a lead settles it or sends it again.
 *
 * The rows of a decided upload's answers are walked once all of them are here, after its list. Past
 * the horizon an answer stays only as long as its record is open. */
#include <string.h>

#include "core_int.h"
#include "ledger_int.h"

#define ROWS_AT_ONCE  500
#define WIPE_EVERY_MS 1000

static const uint8_t noted_key[] = { 'Y' };

enum aside_what excepted_what(enum answer a)
{
    switch (a) {
    case ANSWER_REFUSED:
        return ASIDE_REFUSED;
    case ANSWER_QUARANTINED:
        return ASIDE_QUARANTINED;
    case ANSWER_HELD:
        return ASIDE_KEPT_BACK;
    case ANSWER_DOUBT:
        return ASIDE_DOUBT;
    case ANSWER_ACCEPTED:
    case ANSWER_DEVIATING:
    case ANSWER_ALREADY:
        break;
    }
    return ASIDE_NONE;
}

static enum err set_noted(struct core *c, uint64_t slot)
{
    const struct disk *d = c->conf.disk;
    uint8_t value[8];

    c->past.noted = slot;
    c->past.note_at = 0;
    put_be64(value, slot);
    return d->put(d->ctx, TABLE_META, noted_key, sizeof noted_key, value, sizeof value);
}

enum err excepted_load(struct core *c)
{
    const struct disk *d = c->conf.disk;
    struct buf b = { 0 };
    enum err e = d->get(d->ctx, TABLE_META, noted_key, sizeof noted_key, &b);

    if (e == ERR_OK && b.len == 8)
        c->past.noted = get_be64(b.p);
    buf_free(&b);
    return e == ERR_MISSING ? ERR_OK : e;
}

/* An override may have taken back what was noted: its rows go with the others of their slot. */
static uint64_t noted(const struct core *c)
{
    return c->past.noted < c->past.known ? c->past.noted : c->past.known;
}

bool excepted_are_known(const struct core *c)
{
    return c->past.n == 0 || noted(c) >= c->past.v[c->past.n - 1].slot;
}

bool core_answers_of(const struct core *c, uint64_t slot, uint8_t intent[HASH_BYTES],
                     struct progress *p)
{
    struct buf b = { 0 };
    struct receipt r;
    bool yes = ledger_receipt(c->ledger, slot, &b) == ERR_OK &&
               receipt_decode(b.p, b.len, &r, NULL) == ERR_OK;

    memset(p, 0, sizeof *p);
    if (yes) {
        intent_hash(r.intent, r.intent_len, intent);
        if (r.progress_len > 0 && progress_decode(r.progress, r.progress_len, p) != ERR_OK)
            memset(p, 0, sizeof *p);
    }
    buf_free(&b);
    return yes;
}

static bool is_here(const struct core *c, const struct feed *f, uint64_t seq)
{
    struct buf raw = { 0 };
    struct block b;
    bool yes = feeds_block(c->conf.disk, f->alias, seq, &raw, &b, NULL) == ERR_OK;

    buf_wipe(&raw);
    return yes;
}

bool excepted_identify(const struct core *c, const struct record_ref *ref, uint8_t id[MACHINE_ID])
{
    const struct feed *f = feeds_find(&c->feeds, &ref->feed);
    struct aside before;
    uint8_t h[HASH_BYTES];
    uint64_t slot;

    if (past_aside(c, ref, &before, &slot)) { /* it went again: its block may be gone */
        memcpy(id, before.id, MACHINE_ID);
        return true;
    }
    /* Of a record at the floor the hash is known, and nothing else (seed 120893). */
    if (!f || !is_here(c, f, ref->seq) || feeds_hash_at(&c->feeds, f, ref->seq, h) != ERR_OK)
        return false;
    record_machine_id(roster_branch(c->roster), &ref->feed, ref->seq, h, id);
    return true;
}

/* It comes yet: the receipt and its answers were quicker (seed 137531). */
static bool is_on_its_way(const struct core *c, const struct record_ref *ref)
{
    const struct feed *f = feeds_find(&c->feeds, &ref->feed);

    return !f || (ref->seq > f->seq && !f->forked);
}

/* A record that this desk does not hold (any more) has no place in the table: the answer itself
 * still names it. */
static enum err note(struct core *c, uint64_t slot, const struct answer_row *r)
{
    struct aside a = { .ref = r->ref, .what = excepted_what(r->answer) }, newer;
    uint64_t last;

    if (a.what == ASIDE_NONE || !excepted_identify(c, &r->ref, a.id))
        return ERR_OK;
    if (past_aside(c, &r->ref, &newer, &last) && last > slot)
        return ERR_OK; /* it went again before the answers of this upload came here (seed 5938) */
    return past_note(c, slot, &a);
}

/* Some rows of one upload; false: it is done with. waits: for records that come yet. */
static bool note_some(struct core *c, uint64_t slot, bool waits)
{
    uint8_t intent[HASH_BYTES];
    struct progress p;
    uint64_t end = c->past.note_at + ROWS_AT_ONCE;
    struct answer_row r;

    if (!core_answers_of(c, slot, intent, &p))
        return true; /* asked again */
    for (; c->past.note_at < p.n_answers && c->past.note_at < end; c->past.note_at++) {
        if (ledger_answer(c->ledger, slot, intent, c->past.note_at + 1, &r) != ERR_OK)
            continue;
        if (waits && is_on_its_way(c, &r.ref))
            break;
        if (note(c, slot, &r) != ERR_OK)
            return true; /* the batch is lost, and the core with it */
    }
    memset(&r, 0, sizeof r);
    return c->past.note_at < p.n_answers;
}

static void note_next(struct core *c)
{
    uint64_t after = noted(c);

    if (c->past.noted > after)
        c->past.note_at = 0;
    for (unsigned i = 0; i < c->past.n; i++) {
        uint64_t slot = c->past.v[i].slot;
        if (slot <= after)
            continue;
        if (slot > c->past.known ||
            (ledger_lacks_answers(c->ledger, slot) && slot >= c->past.back_to) ||
            note_some(c, slot, c->past.v[i].n_unknown == 0))
            return;
        set_noted(c, slot);
        c->past.sweep = true; /* a lead may have settled some before they came here */
        return;
    }
}

/* ---- under the horizon ---- */

static bool is_open(const struct core *c, uint64_t slot, const struct answer_row *r)
{
    struct aside a;
    uint64_t last;

    return excepted_what(r->answer) != ASIDE_NONE && past_aside(c, &r->ref, &a, &last) &&
           last == slot && a.what == excepted_what(r->answer);
}

static void wipe_some(struct core *c)
{
    const struct disk *d = c->conf.disk;
    struct past *p = &c->past;
    uint8_t key[DISK_KEY_MAX];
    struct answer_row r;
    struct buf b = { 0 };
    size_t len;

    for (unsigned i = 0; p->wiping && i < ROWS_AT_ONCE; i++) {
        p->wiping =
            d->seek(d->ctx, TABLE_ANSWERS, p->wipe_key, p->wipe_len, 1, key, &len, &b) == ERR_OK &&
            len == ANSWER_KEY && get_be64(key) < p->back_to;
        if (!p->wiping)
            break;
        memcpy(p->wipe_key, key, ANSWER_KEY);
        p->wipe_key[ANSWER_KEY] = 0;
        p->wipe_len = ANSWER_KEY + 1;
        if (b.len > HASH_BYTES &&
            answer_row_decode(b.p + HASH_BYTES, b.len - HASH_BYTES, &r) == ERR_OK &&
            is_open(c, get_be64(key), &r))
            continue;
        if (d->del(d->ctx, TABLE_ANSWERS, key, len) != ERR_OK || erase_owes(c) != ERR_OK)
            break;
    }
    buf_wipe(&b);
}

void excepted_tick(struct core *c)
{
    struct past *p = &c->past;

    if (p->drop_from == 0 && p->list_slot == 0 && !p->sweep_at)
        note_next(c);
    if (p->wiping) {
        wipe_some(c);
    } else if (excepted_are_known(c) && p->back_to > 1 && c->now_ms >= p->wipe_ms &&
               (p->wiped_to != p->back_to || p->wiped_at != p->changes)) {
        p->wiping = true;
        p->wiped_to = p->back_to;
        p->wiped_at = p->changes;
        p->wipe_ms = c->now_ms + WIPE_EVERY_MS;
        memset(p->wipe_key, 0, sizeof p->wipe_key);
        p->wipe_len = ANSWER_KEY;
    }
}
