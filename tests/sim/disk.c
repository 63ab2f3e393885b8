/* disk.c - sorted arrays per table, and a second such array for the batch that is open. */
#include <stdlib.h>
#include <string.h>

#include "../memdisk.h"

struct cell {
    uint8_t key[DISK_KEY_MAX];
    size_t n;
    uint8_t *val; /* owned; NULL in a batch: deleted */
    size_t len;
};

struct shelf {
    struct cell *v;
    unsigned n, room;
};

struct memdisk {
    struct shelf base[TABLE_COUNT], batch[TABLE_COUNT];
    struct disk writer, reader;
    unsigned fail_at;
    bool failing;
};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

static int key_cmp(const struct cell *c, const void *key, size_t n)
{
    int d = memcmp(c->key, key, c->n < n ? c->n : n);

    return d != 0 ? d : c->n < n ? -1 : c->n > n;
}

/* Index of the first cell >= key. */
static unsigned lower(const struct shelf *s, const void *key, size_t n)
{
    unsigned lo = 0, hi = s->n;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (key_cmp(&s->v[mid], key, n) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static struct cell *find(const struct shelf *s, const void *key, size_t n)
{
    unsigned at = lower(s, key, n);

    return at < s->n && key_cmp(&s->v[at], key, n) == 0 ? &s->v[at] : NULL;
}

static void set(struct shelf *s, const void *key, size_t n, const void *val, size_t len)
{
    unsigned at = lower(s, key, n);

    if (at == s->n || key_cmp(&s->v[at], key, n) != 0) {
        if (s->n == s->room) {
            s->room = s->room ? 2 * s->room : 16;
            s->v = must(realloc(s->v, s->room * sizeof *s->v));
        }
        memmove(s->v + at + 1, s->v + at, (s->n - at) * sizeof *s->v);
        s->n++;
        memset(&s->v[at], 0, sizeof s->v[at]);
        memcpy(s->v[at].key, key, n);
        s->v[at].n = n;
    }
    free(s->v[at].val);
    s->v[at].val = NULL;
    s->v[at].len = len;
    if (val) {
        s->v[at].val = must(malloc(len ? len : 1));
        if (len > 0)
            memcpy(s->v[at].val, val, len);
    }
}

static void unset(struct shelf *s, const void *key, size_t n)
{
    unsigned at = lower(s, key, n);

    if (at == s->n || key_cmp(&s->v[at], key, n) != 0)
        return;
    free(s->v[at].val);
    memmove(s->v + at, s->v + at + 1, (s->n - at - 1) * sizeof *s->v);
    s->n--;
}

static void empty(struct shelf *s)
{
    for (unsigned i = 0; i < s->n; i++)
        free(s->v[i].val);
    s->n = 0;
}

static enum err give(const struct cell *c, struct buf *val)
{
    if (!c || !c->val)
        return ERR_MISSING;
    if (val) {
        buf_reset(val);
        buf_add(val, c->val, c->len);
    }
    return ERR_OK;
}

static enum err reader_get(void *ctx, enum table t, const void *key, size_t n, struct buf *val)
{
    struct memdisk *m = ctx;

    return give(find(&m->base[t], key, n), val);
}

static enum err writer_get(void *ctx, enum table t, const void *key, size_t n, struct buf *val)
{
    struct memdisk *m = ctx;
    const struct cell *c = find(&m->batch[t], key, n);

    return c ? give(c, val) : reader_get(ctx, t, key, n, val);
}

static const struct cell *step(const struct shelf *s, const void *key, size_t n, int dir)
{
    unsigned at = lower(s, key, n);

    if (dir > 0)
        return at < s->n ? &s->v[at] : NULL;
    return at > 0 ? &s->v[at - 1] : NULL;
}

static enum err found(const struct cell *c, uint8_t *key_out, size_t *key_len, struct buf *val)
{
    if (!c)
        return ERR_MISSING;
    memcpy(key_out, c->key, c->n);
    *key_len = c->n;
    return give(c, val);
}

static enum err reader_seek(void *ctx, enum table t, const void *key, size_t n, int dir,
                            uint8_t *key_out, size_t *key_len, struct buf *val)
{
    struct memdisk *m = ctx;

    return found(step(&m->base[t], key, n, dir), key_out, key_len, val);
}

/* The nearer of the two shelves; a deletion in the batch hides its twin below and is stepped over.
 * Past a deleted key forwards means its successor: the same bytes and a zero. */
static enum err writer_seek(void *ctx, enum table t, const void *key, size_t n, int dir,
                            uint8_t *key_out, size_t *key_len, struct buf *val)
{
    struct memdisk *m = ctx;
    uint8_t at[DISK_KEY_MAX + 1];

    memcpy(at, key, n);
    for (;;) {
        const struct cell *a = step(&m->batch[t], at, n, dir), *b = step(&m->base[t], at, n, dir);
        const struct cell *c = !a        ? b
                               : !b      ? a
                               : dir > 0 ? (key_cmp(a, b->key, b->n) <= 0 ? a : b)
                                         : (key_cmp(a, b->key, b->n) >= 0 ? a : b);
        if (!c || c->val)
            return found(c, key_out, key_len, val);
        memcpy(at, c->key, c->n);
        n = c->n;
        if (dir > 0)
            at[n++] = 0;
    }
}

static enum err writer_change(struct memdisk *m, enum table t, const void *key, size_t n,
                              const void *val, size_t len)
{
    if (n == 0 || n > DISK_KEY_MAX || len > DISK_VALUE_MAX)
        return ERR_BUG;
    if (m->failing || (m->fail_at > 0 && --m->fail_at == 0)) {
        m->failing = true;
        return ERR_DISK;
    }
    set(&m->batch[t], key, n, val, len);
    return ERR_OK;
}

static enum err writer_put(void *ctx, enum table t, const void *key, size_t n, const void *val,
                           size_t len)
{
    return writer_change(ctx, t, key, n, val ? val : "", len);
}

static enum err writer_del(void *ctx, enum table t, const void *key, size_t n)
{
    return writer_change(ctx, t, key, n, NULL, 0);
}

static enum err reader_put(void *ctx, enum table t, const void *key, size_t n, const void *val,
                           size_t len)
{
    (void)ctx, (void)t, (void)key, (void)n, (void)val, (void)len;
    return ERR_BUG;
}

static enum err reader_del(void *ctx, enum table t, const void *key, size_t n)
{
    return reader_put(ctx, t, key, n, NULL, 0);
}

struct memdisk *memdisk_new(void)
{
    struct memdisk *m = must(calloc(1, sizeof *m));

    m->writer = (struct disk){ m, writer_get, writer_seek, writer_put, writer_del };
    m->reader = (struct disk){ m, reader_get, reader_seek, reader_put, reader_del };
    return m;
}

void memdisk_free(struct memdisk *m)
{
    if (!m)
        return;
    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        empty(&m->base[t]);
        empty(&m->batch[t]);
        free(m->base[t].v);
        free(m->batch[t].v);
    }
    free(m);
}

const struct disk *memdisk_disk(struct memdisk *m)
{
    return &m->writer;
}

const struct disk *memdisk_reader(struct memdisk *m)
{
    return &m->reader;
}

void memdisk_commit(struct memdisk *m, memdisk_watch watch, void *ctx)
{
    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        for (unsigned i = 0; i < m->batch[t].n; i++) {
            const struct cell *c = &m->batch[t].v[i];
            if (watch)
                watch(ctx, (enum table)t, c->key, c->n, c->val, c->len);
            if (c->val)
                set(&m->base[t], c->key, c->n, c->val, c->len);
            else
                unset(&m->base[t], c->key, c->n);
        }
        empty(&m->batch[t]);
    }
}

void memdisk_abort(struct memdisk *m)
{
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        empty(&m->batch[t]);
    m->fail_at = 0;
    m->failing = false;
}

void memdisk_fail_at(struct memdisk *m, unsigned k)
{
    m->fail_at = k;
}

struct memdisk *memdisk_copy(const struct memdisk *m)
{
    struct memdisk *copy = memdisk_new();

    for (unsigned t = 0; t < TABLE_COUNT; t++)
        for (unsigned i = 0; i < m->base[t].n; i++) {
            const struct cell *c = &m->base[t].v[i];
            set(&copy->base[t], c->key, c->n, c->val, c->len);
        }
    return copy;
}

void memdisk_keep_only(struct memdisk *m, enum table keep)
{
    memdisk_abort(m);
    for (unsigned t = 0; t < TABLE_COUNT; t++)
        if (t != (unsigned)keep)
            empty(&m->base[t]);
}
