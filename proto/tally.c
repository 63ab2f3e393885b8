/* tally.c - the answers to one intent that lie on this desk: rows 1 to n, without a gap, each with
 * the hash of the chain up to it. So where a chain ends and what it is, is one look; rows go from
 * the end and come at the end only. */
#include <string.h>

#include "ledger_int.h"

static void row_key(const struct tally *t, uint64_t n, uint8_t key[ANSWER_KEY])
{
    put_be64(key, t->slot);
    memcpy(key + 8, t->intent, ANSWER_KEY - 16);
    put_be64(key + ANSWER_KEY - 8, n);
}

void tally_open(const struct disk *d, uint64_t slot, const uint8_t intent[HASH_BYTES],
                struct tally *t)
{
    uint8_t end[ANSWER_KEY], last[DISK_KEY_MAX];
    size_t len;
    struct buf b = { 0 };

    memset(t, 0, sizeof *t);
    t->slot = slot;
    memcpy(t->intent, intent, HASH_BYTES);
    answers_begin(intent, t->hash);
    row_key(t, UINT64_MAX, end);
    if (d->seek(d->ctx, TABLE_ANSWERS, end, sizeof end, -1, last, &len, &b) == ERR_OK &&
        len == ANSWER_KEY && memcmp(last, end, ANSWER_KEY - 8) == 0 && b.len > HASH_BYTES) {
        t->n = get_be64(last + ANSWER_KEY - 8);
        memcpy(t->hash, b.p, HASH_BYTES);
    }
    buf_wipe(&b);
}

enum err tally_row(const struct disk *d, const struct tally *t, uint64_t n, struct buf *row)
{
    uint8_t key[ANSWER_KEY];
    enum err e;

    row_key(t, n, key);
    if ((e = d->get(d->ctx, TABLE_ANSWERS, key, sizeof key, row)) != ERR_OK)
        return e;
    return row->len > HASH_BYTES ? ERR_OK : ERR_MALFORMED;
}

bool tally_hash(const struct disk *d, const struct tally *t, uint64_t n, uint8_t hash[HASH_BYTES])
{
    struct buf b = { 0 };
    bool there = n <= t->n;

    if (n == 0) {
        answers_begin(t->intent, hash);
        return true;
    }
    if (there && (there = tally_row(d, t, n, &b) == ERR_OK))
        memcpy(hash, b.p, HASH_BYTES);
    buf_wipe(&b);
    return there;
}

bool tally_has(const struct disk *d, const struct tally *t, const struct progress *p)
{
    uint8_t hash[HASH_BYTES];

    return p->n_answers == 0 ||
           (tally_hash(d, t, p->n_answers, hash) && memcmp(hash, p->answers, HASH_BYTES) == 0);
}

static void tally_cut(const struct disk *d, struct tally *t, uint64_t to, unsigned *budget)
{
    uint8_t key[ANSWER_KEY];

    for (; t->n > to && *budget > 0; t->n--, --*budget) {
        row_key(t, t->n, key);
        if (d->del(d->ctx, TABLE_ANSWERS, key, sizeof key) != ERR_OK)
            break;
    }
    if (!tally_hash(d, t, t->n, t->hash))
        answers_begin(t->intent, t->hash); /* the disk refuses: so does the commit */
}

static void tally_add(const struct disk *d, struct tally *t, const uint8_t *p, size_t n)
{
    uint8_t key[ANSWER_KEY];
    struct buf b = { 0 };

    answers_chain(t->hash, p, n);
    t->n++;
    row_key(t, t->n, key);
    buf_add(&b, t->hash, HASH_BYTES);
    buf_add(&b, p, n);
    d->put(d->ctx, TABLE_ANSWERS, key, sizeof key, b.p, b.len);
    buf_wipe(&b);
}

bool tally_write(const struct disk *d, struct tally *t, struct tally_rows *r)
{
    unsigned budget = TALLY_AT_ONCE;

    if (t->n > r->base + r->written)
        tally_cut(d, t, r->base + r->written, &budget);
    while (budget > 0 && r->written < r->n) {
        struct mp m = mp_over(r->rows.p + r->at, r->rows.len - r->at);
        size_t len = 0;
        const uint8_t *p = mp_get_bin(&m, &len);
        if (m.bad)
            return false; /* they were looked at before they came here */
        tally_add(d, t, p, len);
        r->at = (size_t)(m.p - r->rows.p);
        r->written++;
        budget--;
    }
    return r->written == r->n && t->n == r->base + r->n;
}

/* ---- rows on their way ---- */

void tally_rows_free(struct tally_rows *r)
{
    buf_wipe(&r->rows);
    memset(r, 0, sizeof *r);
}

bool tally_rows_take(struct tally_rows *r, uint8_t hash[HASH_BYTES], struct mp *m, uint32_t n,
                     uint64_t most)
{
    for (uint32_t i = 0; i < n; i++) {
        size_t len = 0;
        const uint8_t *p = mp_get_bin(m, &len);
        struct answer_row row;
        bool fine = !m->bad && r->n < most && answer_row_decode(p, len, &row) == ERR_OK;
        sodium_memzero(&row, sizeof row);
        if (!fine)
            return false;
        answers_chain(hash, p, len);
        mp_put_bin(&r->rows, p, len);
        r->n++;
    }
    return !r->rows.failed;
}
