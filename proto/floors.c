/* floors.c - where a feed begins once its first blocks are erased: a signed head that stays. */
#include <string.h>

#include "feeds.h"

static void floor_key(const struct feed *f, uint8_t key[5])
{
    key[0] = 'E';
    put_be32(key + 1, f->alias);
}

static enum err put_floor(const struct feeds *fs, const struct feed *f, struct errmsg *msg)
{
    uint8_t key[5];
    struct buf b = { 0 };
    enum err e;

    floor_key(f, key);
    mp_put_array(&b, 5);
    mp_put_u64(&b, f->floor.seq);
    mp_put_bin(&b, f->floor.hash, HASH_BYTES);
    mp_put_bin(&b, f->floor.sig, SIG_BYTES);
    mp_put_u64(&b, f->base);
    mp_put_bin(&b, f->base_hash, HASH_BYTES);
    e = fs->disk->put(fs->disk->ctx, TABLE_META, key, sizeof key, b.p, b.len);
    buf_free(&b);
    return e == ERR_OK ? e : err_set(msg, e, "a floor cannot be stored");
}

enum err feeds_load_floor(struct feeds *fs, struct feed *f, struct buf *raw, struct errmsg *msg)
{
    uint8_t key[5];
    struct mp m;
    enum err e;

    floor_key(f, key);
    e = fs->disk->get(fs->disk->ctx, TABLE_META, key, sizeof key, raw);
    if (e == ERR_MISSING)
        return ERR_OK;
    if (e != ERR_OK)
        return err_set(msg, e, "a floor cannot be read");
    m = mp_over(raw->p, raw->len);
    if (mp_get_array(&m) != 5)
        m.bad = true;
    f->floor.seq = mp_get_u64(&m);
    mp_get_raw(&m, f->floor.hash, HASH_BYTES);
    mp_get_raw(&m, f->floor.sig, SIG_BYTES);
    f->base = mp_get_u64(&m);
    mp_get_raw(&m, f->base_hash, HASH_BYTES);
    fs->erased += f->base;
    return mp_done(&m) ? ERR_OK : err_set(msg, ERR_MALFORMED, "a floor does not parse");
}

enum err feeds_first_block(const struct feeds *fs, const struct feed *f, struct buf *raw,
                           struct block *b, struct errmsg *msg)
{
    uint8_t key[12] = { 0 }, found[DISK_KEY_MAX];
    size_t n;
    enum err e;

    put_be32(key, f->alias);
    e = fs->disk->seek(fs->disk->ctx, TABLE_BLOCKS, key, sizeof key, 1, found, &n, raw);
    if (e == ERR_MISSING || (e == ERR_OK && (n != 12 || get_be32(found) != f->alias)))
        return ERR_MISSING;
    if (e != ERR_OK)
        return err_set(msg, e, "a block cannot be read");
    return block_decode(raw->p, raw->len, b, msg);
}

static void move_base(struct feeds *fs, struct feed *f, uint64_t seq, const uint8_t h[HASH_BYTES])
{
    fs->erased += seq - f->base;
    f->base = seq;
    memcpy(f->base_hash, h, HASH_BYTES);
}

static enum err forget_record(const struct feeds *fs, const struct record_ref *ref,
                              const uint8_t *p, size_t n)
{
    const struct disk *d = fs->disk;
    struct record rec;
    uint8_t paper[PAPER_KEY], mine[REF_KEY];
    enum err e = ERR_OK;

    if (record_decode(p, n, &rec, NULL) != ERR_OK)
        return ERR_OK;
    if (rec.paper_ms != 0) {
        paper_key(rec.paper_ms, ref, paper);
        e = d->del(d->ctx, TABLE_PAPER, paper, sizeof paper);
    }
    if (e == ERR_OK && rec.kind == RECORD_USER) {
        ref_key(ref, mine);
        e = d->del(d->ctx, TABLE_CARDS, mine, sizeof mine);
    }
    return e;
}

enum err feeds_erase_block(struct feeds *fs, struct feed *f, const struct block *b,
                           struct errmsg *msg)
{
    const struct disk *d = fs->disk;
    struct record_ref ref = { f->opening.id, 0 };
    struct block_walk w = block_walk(b);
    uint8_t key[12];
    const uint8_t *p;
    size_t n;
    enum err e = ERR_OK;

    while (e == ERR_OK && (p = block_next(&w, &n)) != NULL) {
        ref.seq = w.seq;
        e = forget_record(fs, &ref, p, n);
    }
    put_be32(key, f->alias);
    put_be64(key + 4, block_last(b));
    if (e == ERR_OK)
        e = d->del(d->ctx, TABLE_BLOCKS, key, sizeof key);
    if (e != ERR_OK)
        return err_set(msg, e, "a block cannot be erased: %s", err_text(e));
    move_base(fs, f, block_last(b), b->hash);
    if (f->floor.seq < f->base) {
        f->floor.seq = f->base;
        memcpy(f->floor.hash, b->hash, HASH_BYTES);
        memcpy(f->floor.sig, b->sig, SIG_BYTES);
    }
    return put_floor(fs, f, msg);
}

enum err feeds_close_gap(struct feeds *fs, struct feed *f, struct errmsg *msg)
{
    if (f->base == f->floor.seq)
        return ERR_OK;
    move_base(fs, f, f->floor.seq, f->floor.hash);
    return put_floor(fs, f, msg);
}

enum err feeds_take_floor(struct feeds *fs, struct feed *f, const struct floor *floor,
                          struct errmsg *msg)
{
    f->floor = *floor;
    if (f->seq < floor->seq) {
        fs->records += floor->seq - f->seq;
        f->seq = floor->seq;
        f->stored = f->stored < floor->seq ? floor->seq : f->stored;
        memcpy(f->hash, floor->hash, HASH_BYTES);
        f->moved = true;
        fs->hash_is_stale = true;
    }
    return put_floor(fs, f, msg);
}
