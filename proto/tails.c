/* tails.c - a feed's end that lost: taken out of the blocks and their indexes, and kept aside.
 *
 * A tail lies under (feed, last sequence, hash), as blocks: nothing that a desk ever acknowledged
 * is thrown away because somebody signed two histories. */
#include <string.h>

#include "feeds.h"

#define STEP_BYTES   (512 * 1024) /* of blocks in one batch; a feed of years has many */
#define STEP_RECORDS 4096         /* three changes each at most */

#define TAIL_KEY (sizeof(struct feed_id) + 8 + HASH_BYTES)

static void tail_key(const struct feed_id *id, uint64_t last, const uint8_t h[HASH_BYTES],
                     uint8_t out[TAIL_KEY])
{
    memcpy(out, id, sizeof *id);
    put_be64(out + sizeof *id, last);
    memcpy(out + sizeof *id + 8, h, HASH_BYTES);
}

static enum err unindex(struct feeds *fs, const struct block *b)
{
    const struct disk *d = fs->disk;
    struct block_walk w = block_walk(b);
    const uint8_t *p;
    size_t n;
    enum err e = ERR_OK;

    while (e == ERR_OK && (p = block_next(&w, &n)) != NULL) {
        struct record_ref ref = { b->feed, w.seq };
        uint8_t mine[REF_KEY], key[VOID_KEY];
        struct record rec;
        if (record_decode(p, n, &rec, NULL) != ERR_OK)
            continue;
        ref_key(&ref, mine);
        if (rec.paper_ms != 0) {
            paper_key(rec.paper_ms, &ref, key);
            e = d->del(d->ctx, TABLE_PAPER, key, PAPER_KEY);
        }
        if (e == ERR_OK && rec.kind == RECORD_USER)
            e = d->del(d->ctx, TABLE_CARDS, mine, sizeof mine);
        if (e == ERR_OK && rec.kind == RECORD_VOID) {
            ref_key(&rec.target, key);
            memcpy(key + REF_KEY, mine, REF_KEY);
            e = d->del(d->ctx, TABLE_VOIDS, key, sizeof key);
        }
    }
    return e == ERR_MISSING ? ERR_OK : e;
}

static enum err set_aside(struct feeds *fs, const uint8_t key[12], const struct block *b,
                          const struct buf *raw)
{
    const struct disk *d = fs->disk;
    uint8_t tail[TAIL_KEY];
    enum err e;

    tail_key(&b->feed, block_last(b), b->hash, tail);
    if ((e = unindex(fs, b)) != ERR_OK ||
        (e = d->put(d->ctx, TABLE_TAILS, tail, sizeof tail, raw->p, raw->len)) != ERR_OK)
        return e;
    return d->del(d->ctx, TABLE_BLOCKS, key, 12);
}

static enum err forget_unknown(struct feeds *fs, struct feed *f)
{
    uint8_t key[5] = { 'U' };

    if (f->unknown_from <= f->stored)
        return ERR_OK;
    f->unknown_from = 0;
    put_be32(key + 1, f->alias);
    return fs->disk->del(fs->disk->ctx, TABLE_META, key, sizeof key);
}

void feeds_set_level(struct feeds *fs, struct feed *f, uint64_t seq)
{
    uint8_t h[HASH_BYTES];

    if (seq == f->seq || feeds_hash_at(fs, f, seq, h) != ERR_OK)
        return;
    fs->records = fs->records - f->seq + seq;
    f->seq = seq;
    memcpy(f->hash, h, HASH_BYTES);
    fs->hash_is_stale = true;
}

enum err feeds_cut_back(struct feeds *fs, struct feed *f, uint64_t to)
{
    struct buf raw = { 0 };
    uint8_t key[12], found[DISK_KEY_MAX];
    size_t n, bytes = 0, records = 0;
    struct block b = { 0 };
    enum err e = ERR_OK;

    while (e == ERR_OK && f->stored > to) {
        if (bytes > STEP_BYTES || records > STEP_RECORDS) {
            e = ERR_BUSY;
            break;
        }
        put_be32(key, f->alias);
        put_be64(key + 4, f->stored);
        if ((e = fs->disk->get(fs->disk->ctx, TABLE_BLOCKS, key, sizeof key, &raw)) != ERR_OK ||
            (e = block_decode(raw.p, raw.len, &b, NULL)) != ERR_OK ||
            (e = set_aside(fs, key, &b, &raw)) != ERR_OK)
            break;
        bytes += raw.len;
        records += b.count;
        f->stored = 0;
        put_be64(key + 4, block_last(&b));
        if (fs->disk->seek(fs->disk->ctx, TABLE_BLOCKS, key, sizeof key, -1, found, &n, NULL) ==
                ERR_OK &&
            n == 12 && get_be32(found) == f->alias)
            f->stored = get_be64(found + 4);
    }
    buf_free(&raw);
    feeds_recheck_cut(fs, &f->opening.id);
    if (f->seq > f->stored)
        feeds_set_level(fs, f, f->stored);
    return forget_unknown(fs, f) == ERR_OK ? e : ERR_DISK;
}
