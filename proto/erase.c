/* erase.c - what lies under the horizon goes, block by block; what is still open stays.
 *
 * Each block goes in one batch with the new floor and with what must be kept of it, so that a crash
 * leaves either all of it or just that. When all are gone the shell drops the keys. */
#include <string.h>

#include "core_int.h"

#define BLOCKS_AT_ONCE  32 /* in one batch: about a megabyte */
#define FORGET_AGAIN_MS 60000

static const uint8_t owed_key[] = { 'Z' };

void erase_look(struct core *c)
{
    c->erase.feed = 0;
    c->erase.looking = true;
}

/* The keys under which erased bytes stood are still there: kept on disk until they are gone. */
enum err erase_owes(struct core *c)
{
    const struct disk *d = c->conf.disk;
    uint8_t value[8];

    c->erase.owed = true;
    c->erase.number++;
    c->erase.forget_ms = 0;
    put_be64(value, c->erase.number);
    return d->put(d->ctx, TABLE_META, owed_key, sizeof owed_key, value, sizeof value);
}

void erase_load(struct core *c)
{
    const struct disk *d = c->conf.disk;
    struct buf b = { 0 };

    c->erase.owed = d->get(d->ctx, TABLE_META, owed_key, sizeof owed_key, &b) == ERR_OK;
    if (c->erase.owed && b.len == 8)
        c->erase.number = get_be64(b.p);
    buf_free(&b);
    erase_look(c);
}

static enum err keep(struct core *c, const struct record_ref *ref, const uint8_t before[HASH_BYTES],
                     const uint8_t *p, size_t n)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[REF_KEY];
    struct buf b = { 0 };
    enum err e;

    ref_key(ref, key);
    mp_put_array(&b, 2);
    mp_put_bin(&b, before, HASH_BYTES);
    mp_put_bin(&b, p, n);
    e = d->put(d->ctx, TABLE_KEPT, key, sizeof key, b.p, b.len);
    buf_free(&b);
    return e;
}

static bool must_stay(struct core *c, const struct record_ref *ref, const uint8_t h[HASH_BYTES])
{
    struct aside a;
    uint64_t slot;

    if (past_aside(c, ref, &a, &slot))
        return true;
    if (!past_is_unknown(c, ref, &slot))
        return false;
    a = (struct aside){ .ref = *ref, .what = ASIDE_UNKNOWN };
    record_machine_id(roster_branch(c->roster), &ref->feed, ref->seq, h, a.id);
    return past_note(c, slot, &a) == ERR_OK;
}

static enum err erase_block(struct core *c, struct feed *f, const struct block *b)
{
    struct record_ref ref = { f->opening.id, 0 };
    struct block_walk w = block_walk(b);
    uint8_t before[HASH_BYTES], h[HASH_BYTES];
    const uint8_t *p;
    size_t n;
    enum err e = ERR_OK;

    memcpy(h, f->base_hash, HASH_BYTES); /* the first block there is begins behind base */
    while (e == ERR_OK && (p = block_next(&w, &n)) != NULL) {
        memcpy(before, h, HASH_BYTES);
        feed_next_hash(h, p, n);
        ref.seq = w.seq;
        if (must_stay(c, &ref, h))
            e = keep(c, &ref, before, p, n);
    }
    if (e == ERR_OK)
        e = feeds_erase_block(&c->feeds, f, b, NULL);
    return e == ERR_OK ? erase_owes(c) : e;
}

/* False: it is done with. */
static bool erase_first(struct core *c, struct feed *f, struct buf *raw)
{
    uint64_t gone = feeds_gone(&c->feeds, &f->opening.id);
    struct block b;
    enum err e;

    if (f->base >= gone)
        return false;
    e = feeds_first_block(&c->feeds, f, raw, &b, NULL);
    if (e == ERR_MISSING || (e == ERR_OK && b.first > f->floor.seq && f->floor.seq > f->base))
        /* what lay between was erased before it came here; a block behind it may have to go, too */
        return feeds_close_gap(&c->feeds, f, NULL) == ERR_OK && e == ERR_OK;
    return e == ERR_OK && block_last(&b) <= gone && erase_block(c, f, &b) == ERR_OK;
}

bool erase_is_at_work(const struct core *c)
{
    return c->erase.looking && past_is_known(c) && !c->past.gone_is_stale && !c->past.sweep &&
           !c->past.sweep_at;
}

void erase_tick(struct core *c)
{
    struct buf raw = { 0 };
    unsigned left = BLOCKS_AT_ONCE;

    if (erase_is_at_work(c)) {
        while (left > 0 && c->erase.feed < c->feeds.n) {
            if (erase_first(c, &c->feeds.v[c->erase.feed], &raw))
                left--;
            else
                c->erase.feed++;
        }
        c->erase.looking = c->erase.feed < c->feeds.n;
    }
    buf_free(&raw);
    if (c->erase.owed && !c->erase.looking && c->now_ms >= c->erase.forget_ms) {
        effects_add(&c->fx, EFFECT_FORGET, NULL, c->erase.number, NULL);
        c->erase.forget_ms = c->now_ms + FORGET_AGAIN_MS;
    }
}

void core_forgotten(struct core *c, uint64_t number)
{
    const struct disk *d = c->conf.disk;

    if (!c->erase.owed || number != c->erase.number)
        return; /* more was erased meanwhile: once more */
    c->erase.owed = false;
    d->del(d->ctx, TABLE_META, owed_key, sizeof owed_key);
    effects_event(&c->fx, "erased for good: what lay under upload %llu",
                  (unsigned long long)c->past.back_to);
}

/* ---- floors between desks ---- */

void erase_send_floor(struct core *c, const struct peer *p, const struct feed *f)
{
    struct buf b = { 0 }, opening = { 0 };

    opening_encode(&f->opening, &opening);
    wire_begin(&b, WIRE_FLOOR, 4);
    mp_put_bin(&b, opening.p, opening.len);
    mp_put_u64(&b, f->floor.seq);
    mp_put_bin(&b, f->floor.hash, HASH_BYTES);
    mp_put_bin(&b, f->floor.sig, SIG_BYTES);
    buf_free(&opening);
    peer_send(c, p, &b);
}

/* Taken only if our own receipts put all of it under the horizon: then a majority agreed that
 * nobody needs to read it any more. The author's signature proves opening and head. */
int erase_on_floor(struct core *c, struct peer *p, struct mp *m)
{
    size_t n = 0;
    const uint8_t *bytes = mp_get_bin(m, &n);
    const struct desk *author;
    struct floor floor;
    struct opening o;
    struct feed *f;

    floor.seq = mp_get_u64(m);
    mp_get_raw(m, floor.hash, HASH_BYTES);
    mp_get_raw(m, floor.sig, SIG_BYTES);
    if (m->bad || !opening_decode(bytes, n, &o) || floor.seq == 0 ||
        (author = roster_find(c->roster, &o.id.desk)) == NULL ||
        !opening_ok(roster_branch(c->roster), &o, author->sign_pk) ||
        !head_ok(roster_branch(c->roster), &o.id, floor.seq, floor.hash, author->sign_pk,
                 floor.sig)) {
        m->bad = true;
        return -1;
    }
    if (floor.seq > feeds_gone(&c->feeds, &o.id) || c->past.gone_is_stale)
        return -1; /* our receipts are behind: asked for again when they have come */
    if ((f = feeds_find(&c->feeds, &o.id)) == NULL && feeds_open(&c->feeds, &o, &f, NULL) != ERR_OK)
        return -1;
    if (f->seq >= floor.seq)
        return -1;
    if (desk_id_eq(&o.id.desk, &c->conf.me->id))
        sync_memory_is_lost(c); /* our own signature beyond what our disk knows */
    if (feeds_take_floor(&c->feeds, f, &floor, NULL) != ERR_OK)
        return -1;
    if (peer_room(c, p) && sync_have(p, f->alias - 1) < floor.seq)
        peer_learn_have(c, p, f->alias - 1, floor.seq);
    erase_look(c);
    return (int)f->alias - 1;
}
