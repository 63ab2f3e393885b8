/* past_rows.c - the table of set-aside records: a row each, with the record's outcomes in one
 * upload after another, newest first. An override may take the newest ones back. */
#include <stdlib.h>
#include <string.h>

#include "core_int.h"

/* The oldest are forgotten then: nobody releases a record so often, and no override goes so far. */
#define OUTCOMES_MAX 16

struct row {
    uint8_t id[MACHINE_ID];
    unsigned n;
    struct {
        uint64_t slot;
        enum aside_what what;
    } v[OUTCOMES_MAX];
};

static bool decode(const uint8_t *p, size_t len, struct row *out)
{
    struct mp m = mp_over(p, len);
    uint32_t n;

    mp_get_array(&m);
    mp_get_raw(&m, out->id, MACHINE_ID);
    n = mp_get_array(&m);
    if (n == 0 || n > OUTCOMES_MAX)
        m.bad = true;
    for (out->n = 0; out->n < n && !m.bad; out->n++) {
        mp_get_array(&m);
        out->v[out->n].slot = mp_get_u64(&m);
        out->v[out->n].what = (enum aside_what)(mp_get_u64(&m) % ASIDE_KINDS);
    }
    return !m.bad;
}

static bool load(const struct core *c, const struct record_ref *ref, struct row *out)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[REF_KEY];
    struct buf b = { 0 };
    bool there;

    ref_key(ref, key);
    there = d->get(d->ctx, TABLE_ASIDE, key, sizeof key, &b) == ERR_OK && decode(b.p, b.len, out);
    buf_free(&b);
    return there;
}

static enum err save(struct core *c, const struct record_ref *ref, const struct row *row)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[REF_KEY];
    struct buf b = { 0 };
    enum err e;

    c->past.rows[row->v[0].what]++;
    c->past.changes++;
    ref_key(ref, key);
    mp_put_array(&b, 2);
    mp_put_bin(&b, row->id, MACHINE_ID);
    mp_put_array(&b, row->n);
    for (unsigned i = 0; i < row->n; i++) {
        mp_put_array(&b, 2);
        mp_put_u64(&b, row->v[i].slot);
        mp_put_u64(&b, row->v[i].what);
    }
    e = d->put(d->ctx, TABLE_ASIDE, key, sizeof key, b.p, b.len);
    buf_free(&b);
    return e;
}

enum err past_count_rows(struct core *c)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[DISK_KEY_MAX], next[REF_KEY + 1] = { 0 };
    struct buf b = { 0 };
    struct row row;
    size_t n = REF_KEY, len;
    enum err e;

    memset(c->past.rows, 0, sizeof c->past.rows);
    while ((e = d->seek(d->ctx, TABLE_ASIDE, next, n, 1, key, &len, &b)) == ERR_OK) {
        c->past.rows[decode(b.p, b.len, &row) ? row.v[0].what : ASIDE_UNKNOWN]++;
        memcpy(next, key, REF_KEY);
        n = REF_KEY + 1; /* the same and a zero: the next key */
    }
    buf_free(&b);
    return e == ERR_MISSING ? ERR_OK : e;
}

bool past_aside(const struct core *c, const struct record_ref *ref, struct aside *out,
                uint64_t *slot)
{
    struct row row;

    if (!load(c, ref, &row))
        return false;
    *out = (struct aside){ .ref = *ref, .what = row.v[0].what };
    memcpy(out->id, row.id, MACHINE_ID);
    *slot = row.v[0].slot;
    return true;
}

enum err past_note(struct core *c, uint64_t slot, const struct aside *a)
{
    struct row row = { .n = 0 };

    if (load(c, &a->ref, &row))
        c->past.rows[row.v[0].what]--;
    memcpy(row.id, a->id, MACHINE_ID);
    if (row.n == 0 || row.v[0].slot != slot) {
        if (row.n < OUTCOMES_MAX)
            row.n++;
        memmove(&row.v[1], &row.v[0], (row.n - 1) * sizeof row.v[0]);
    }
    row.v[0].slot = slot;
    row.v[0].what = a->what;
    return save(c, &a->ref, &row);
}

/* A record has its final outcome: its row goes, and what was kept of it when the rest was erased.
 */
enum err past_settle_record(struct core *c, const struct record_ref *ref)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[REF_KEY];
    struct buf b = { 0 };
    struct row row;
    enum err e;

    if (load(c, ref, &row))
        c->past.rows[row.v[0].what]--;
    c->past.changes++;
    ref_key(ref, key);
    e = d->del(d->ctx, TABLE_ASIDE, key, sizeof key);
    if (e == ERR_OK && d->get(d->ctx, TABLE_KEPT, key, sizeof key, &b) == ERR_OK &&
        (e = d->del(d->ctx, TABLE_KEPT, key, sizeof key)) == ERR_OK)
        e = erase_owes(c);
    buf_free(&b);
    return e;
}

enum err past_take_back(struct core *c, const struct record_ref *ref, uint64_t slot)
{
    struct row row;
    unsigned gone = 0;

    if (!load(c, ref, &row) || row.v[0].slot < slot)
        return ERR_OK;
    while (gone < row.n && row.v[gone].slot >= slot)
        gone++;
    if (gone == row.n)
        return past_settle_record(c, ref);
    c->past.rows[row.v[0].what]--;
    row.n -= gone;
    memmove(&row.v[0], &row.v[gone], row.n * sizeof row.v[0]);
    return save(c, ref, &row);
}

uint64_t past_set_aside(const struct core *c)
{
    uint64_t n = 0;

    for (unsigned w = 0; w < ASIDE_KINDS; w++)
        n += w == ASIDE_AGAIN ? 0 : c->past.rows[w];
    for (unsigned i = 0; i < c->past.n; i++) /* told by the uploader, not computed here yet */
        if (c->past.v[i].slot > c->past.known && c->past.v[i].slot != c->past.list_slot)
            n += c->past.v[i].set_aside;
    return n;
}

bool core_aside_next(const struct core *c, struct record_ref *at, struct aside_view *out)
{
    const struct disk *d = c->conf.disk;
    uint8_t from[REF_KEY], key[DISK_KEY_MAX];
    struct buf b = { 0 };
    struct row row;
    size_t len;
    bool found = false;

    while (!found) {
        ref_key(at, from);
        if (d->seek(d->ctx, TABLE_ASIDE, from, sizeof from, 1, key, &len, &b) != ERR_OK)
            break;
        ref_of_key(key, at);
        found = decode(b.p, b.len, &row) && row.v[0].what != ASIDE_AGAIN;
        if (found) {
            *out = (struct aside_view){ *at, row.v[0].slot, row.v[0].what, { 0 }, false };
            memcpy(out->id, row.id, MACHINE_ID);
            out->released = release_of(c, at) != NULL;
        }
        at->seq++; /* the next look begins behind this one */
    }
    buf_free(&b);
    return found;
}

bool core_aside_of(const struct core *c, const struct record_ref *ref, struct aside_view *out)
{
    struct record_ref at = *ref;

    return core_aside_next(c, &at, out) && ref_cmp(&out->ref, ref) == 0;
}

uint64_t core_aside_count(const struct core *c, enum aside_what what)
{
    return c->past.rows[what];
}

enum err core_aside_record(const struct core *c, const struct record_ref *ref, struct record *out,
                           struct errmsg *msg)
{
    const struct feed *f = feeds_find(&c->feeds, &ref->feed);
    const struct disk *d = c->conf.disk;
    uint8_t key[REF_KEY], before[HASH_BYTES];
    struct buf b = { 0 };
    enum err e;

    ref_key(ref, key);
    if ((e = d->get(d->ctx, TABLE_KEPT, key, sizeof key, &b)) == ERR_OK) {
        struct mp m = mp_over(b.p, b.len);
        size_t n = 0;
        const uint8_t *p;
        mp_get_array(&m);
        mp_get_raw(&m, before, sizeof before);
        p = mp_get_bin(&m, &n);
        e = m.bad ? ERR_DISK : record_decode(p, n, out, msg);
    } else if (e == ERR_MISSING && f) {
        e = feeds_record(d, f->alias, ref->seq, &b, out, msg);
    }
    buf_free(&b);
    return e;
}
