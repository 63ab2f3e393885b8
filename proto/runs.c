/* runs.c - an external merge sort. */
#include "runs.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "mem.h"

#define FAN          128   /* runs that are merged at once: 2 MiB of buffers */
#define SOURCE_BYTES 16384 /* holds any entry */
#define FIRST_BYTES  65536
_Static_assert(SOURCE_BYTES >= 2 + RUNS_ENTRY_MAX, "an entry must fit");

struct ref {       /* an entry in memory */
    uint64_t head; /* the key's first bytes: they decide nearly always */
    uint32_t at;
};

struct run {
    uint64_t from, to; /* in the file */
};

struct source {
    struct run left;
    size_t at, len; /* of the bytes in the buffer */
    uint64_t head;
    uint8_t b[SOURCE_BYTES];
};

struct runs {
    size_t key, budget;
    struct spill spill;
    uint64_t count, file_bytes;
    uint8_t *mem; /* entries: two bytes of length, then themselves */
    size_t used, room;
    struct ref *refs, *spare;
    size_t n_refs, refs_room, next_ref;
    struct run *run;
    unsigned n_runs, runs_room;
    uint8_t last[64]; /* the last run's greatest key */
    struct source **source;
    unsigned *heap; /* of sources */
    unsigned n_sources, n_heap;
    bool taken; /* the entry on top was handed out */
    uint8_t *out;
    size_t out_len;
};

struct runs *runs_new(size_t key_bytes, size_t budget, const struct spill *spill)
{
    struct runs *r = mem_zero(1, sizeof *r);

    if (!r)
        return NULL;
    r->key = key_bytes;
    r->budget = budget;
    r->spill = *spill;
    return r;
}

static void free_sources(struct runs *r)
{
    for (unsigned i = 0; i < r->n_sources; i++)
        free(r->source[i]);
    free(r->source);
    free(r->heap);
    r->source = NULL;
    r->heap = NULL;
    r->n_sources = r->n_heap = 0;
    r->taken = false;
}

static void free_memory(struct runs *r)
{
    free(r->mem);
    free(r->refs);
    free(r->spare);
    r->mem = NULL;
    r->refs = r->spare = NULL;
    r->used = r->room = r->n_refs = r->refs_room = 0;
}

void runs_free(struct runs *r)
{
    if (!r)
        return;
    free_sources(r);
    free_memory(r);
    free(r->run);
    free(r->out);
    free(r);
}

static enum err no_memory(struct errmsg *msg)
{
    return err_set(msg, ERR_NOMEM, "out of memory");
}

static size_t length_at(const uint8_t *p)
{
    return (size_t)p[0] << 8 | p[1];
}

/* ---- sorting what is in memory ---- */

static bool after(const struct runs *r, const struct ref *a, const struct ref *b)
{
    if (a->head != b->head)
        return a->head > b->head;
    return memcmp(r->mem + a->at + 2 + 8, r->mem + b->at + 2 + 8, r->key - 8) > 0;
}

/* Stable, and quick over what is in order already. */
static void sort_refs(struct runs *r, size_t from, size_t to)
{
    size_t mid = from + (to - from) / 2, left = from, right = mid, n = 0;

    if (to - from < 2)
        return;
    sort_refs(r, from, mid);
    sort_refs(r, mid, to);
    if (!after(r, &r->refs[mid - 1], &r->refs[mid]))
        return;
    while (left < mid && right < to)
        r->spare[n++] =
            after(r, &r->refs[left], &r->refs[right]) ? r->refs[right++] : r->refs[left++];
    while (left < mid)
        r->spare[n++] = r->refs[left++];
    memcpy(r->refs + from, r->spare, n * sizeof *r->refs); /* the rest of the right stands */
}

static enum err sort_memory(struct runs *r, struct errmsg *msg)
{
    if (r->n_refs == 0)
        return ERR_OK;
    if (!r->spare && !(r->spare = mem_alloc(r->refs_room * sizeof *r->spare)))
        return no_memory(msg);
    sort_refs(r, 0, r->n_refs);
    return ERR_OK;
}

/* ---- the file ---- */

static enum err flush(struct runs *r, struct errmsg *msg)
{
    enum err e = r->spill.append(r->spill.ctx, r->out, r->out_len, msg);

    r->file_bytes += r->out_len;
    r->out_len = 0;
    return e;
}

/* p: the length and the entry. */
static enum err put(struct runs *r, const uint8_t *p, struct errmsg *msg)
{
    size_t n = 2 + length_at(p);
    enum err e = ERR_OK;

    if (!r->out && !(r->out = mem_alloc(FIRST_BYTES)))
        return no_memory(msg);
    if (r->out_len + n > FIRST_BYTES)
        e = flush(r, msg);
    memcpy(r->out + r->out_len, p, n);
    r->out_len += n;
    return e;
}

static enum err add_run(struct runs *r, struct run run, struct errmsg *msg)
{
    struct run *grown = mem_room(r->run, r->n_runs, &r->runs_room, sizeof *grown);

    if (!grown)
        return no_memory(msg);
    r->run = grown;
    r->run[r->n_runs++] = run;
    return ERR_OK;
}

static enum err spill_memory(struct runs *r, struct errmsg *msg)
{
    uint64_t from = r->file_bytes;
    enum err e = sort_memory(r, msg);

    if (r->n_refs == 0 || e != ERR_OK)
        return e;
    for (size_t i = 0; i < r->n_refs && e == ERR_OK; i++)
        e = put(r, r->mem + r->refs[i].at, msg);
    if (e == ERR_OK)
        e = flush(r, msg);
    if (e != ERR_OK)
        return e;
    if (r->n_runs > 0 && memcmp(r->mem + r->refs[0].at + 2, r->last, r->key) >= 0)
        r->run[r->n_runs - 1].to = r->file_bytes;
    else
        e = add_run(r, (struct run){ from, r->file_bytes }, msg);
    memcpy(r->last, r->mem + r->refs[r->n_refs - 1].at + 2, r->key);
    r->used = r->n_refs = 0;
    return e;
}

/* ---- adding ---- */

static bool make_room(struct runs *r, size_t n)
{
    if (r->used + n > r->room) {
        size_t more = r->room ? 2 * r->room : FIRST_BYTES;
        uint8_t *grown = mem_more(r->mem, more);
        if (!grown)
            return false;
        r->mem = grown;
        r->room = more;
    }
    if (r->n_refs == r->refs_room) {
        size_t more = r->refs_room ? 2 * r->refs_room : 1024;
        struct ref *grown = mem_more(r->refs, more * sizeof *grown);
        if (!grown)
            return false;
        r->refs = grown;
        r->refs_room = more;
        free(r->spare); /* is made as large when it is needed */
        r->spare = NULL;
    }
    return true;
}

enum err runs_add(struct runs *r, const void *p, size_t n, struct errmsg *msg)
{
    enum err e;

    if (n < r->key || n > RUNS_ENTRY_MAX || r->key < 8 || r->key > sizeof r->last)
        return err_set(msg, ERR_BUG, "an entry of %zu bytes cannot be sorted", n);
    if (r->used + 2 + n + (r->n_refs + 1) * 2 * sizeof(struct ref) > r->budget &&
        (e = spill_memory(r, msg)) != ERR_OK)
        return e;
    if (!make_room(r, 2 + n))
        return no_memory(msg);
    r->refs[r->n_refs++] = (struct ref){ get_be64(p), (uint32_t)r->used };
    r->mem[r->used] = (uint8_t)(n >> 8);
    r->mem[r->used + 1] = (uint8_t)n;
    memcpy(r->mem + r->used + 2, p, n);
    r->used += 2 + n;
    r->count++;
    return ERR_OK;
}

/* ---- merging ---- */

static const uint8_t *entry_of(const struct source *s)
{
    return s->b + s->at;
}

static bool before(const struct runs *r, unsigned a, unsigned b)
{
    const struct source *sa = r->source[a], *sb = r->source[b];
    int c;

    if (sa->head != sb->head)
        return sa->head < sb->head;
    c = memcmp(entry_of(sa) + 2, entry_of(sb) + 2, r->key);
    return c != 0 ? c < 0 : a < b; /* runs are in the order in which they came */
}

static void sift_down(struct runs *r, unsigned i)
{
    for (;;) {
        unsigned least = i, left = 2 * i + 1, right = left + 1, t;
        if (left < r->n_heap && before(r, r->heap[left], r->heap[least]))
            least = left;
        if (right < r->n_heap && before(r, r->heap[right], r->heap[least]))
            least = right;
        if (least == i)
            return;
        t = r->heap[i];
        r->heap[i] = r->heap[least];
        r->heap[least] = t;
        i = least;
    }
}

/* Makes a whole entry stand at s->at. ERR_MISSING: the run is at its end. */
static enum err look(struct runs *r, struct source *s, struct errmsg *msg)
{
    size_t have = s->len - s->at, more;
    enum err e;

    if (have < 2 || have < 2 + length_at(s->b + s->at)) {
        if (have == 0 && s->left.from == s->left.to)
            return ERR_MISSING;
        memmove(s->b, s->b + s->at, have);
        more = s->left.to - s->left.from < sizeof s->b - have ? (size_t)(s->left.to - s->left.from)
                                                              : sizeof s->b - have;
        if ((e = r->spill.read(r->spill.ctx, s->left.from, s->b + have, more, msg)) != ERR_OK)
            return e;
        s->left.from += more;
        s->at = 0;
        s->len = have + more;
    }
    s->head = get_be64(s->b + s->at + 2);
    return ERR_OK;
}

static enum err open_sources(struct runs *r, const struct run *run, unsigned n, struct errmsg *msg)
{
    free_sources(r);
    r->source = mem_zero(n, sizeof *r->source);
    r->heap = mem_zero(n, sizeof *r->heap);
    if (!r->source || !r->heap)
        return no_memory(msg);
    for (unsigned i = 0; i < n; i++) {
        struct source *s = r->source[i] = mem_alloc(sizeof *s);
        enum err e;
        if (!s)
            return no_memory(msg);
        r->n_sources++;
        s->left = run[i];
        s->at = s->len = 0;
        if ((e = look(r, s, msg)) != ERR_OK)
            return e == ERR_MISSING ? err_set(msg, ERR_BUG, "an empty run") : e;
        r->heap[r->n_heap++] = i;
    }
    for (unsigned i = r->n_heap / 2; i-- > 0;)
        sift_down(r, i);
    return ERR_OK;
}

/* The length and the entry that comes next. */
static enum err merge_next_entry(struct runs *r, const uint8_t **p, struct errmsg *msg)
{
    if (r->taken) {
        struct source *s = r->source[r->heap[0]];
        enum err e;
        s->at += 2 + length_at(entry_of(s));
        if ((e = look(r, s, msg)) == ERR_MISSING)
            r->heap[0] = r->heap[--r->n_heap];
        else if (e != ERR_OK)
            return e;
        sift_down(r, 0);
    }
    r->taken = r->n_heap > 0;
    if (!r->taken)
        return ERR_MISSING;
    *p = entry_of(r->source[r->heap[0]]);
    return ERR_OK;
}

/* Neighbours become one run each, in their order, until few enough are left. */
static enum err merge_runs(struct runs *r, struct errmsg *msg)
{
    unsigned kept = 0, n;

    for (unsigned i = 0; i < r->n_runs; i += n) {
        uint64_t from = r->file_bytes;
        const uint8_t *p;
        enum err e;
        n = r->n_runs - i < FAN ? r->n_runs - i : FAN;
        e = open_sources(r, r->run + i, n, msg);
        while (e == ERR_OK && (e = merge_next_entry(r, &p, msg)) == ERR_OK)
            e = put(r, p, msg);
        if (e == ERR_MISSING)
            e = flush(r, msg);
        if (e != ERR_OK)
            return e;
        r->run[kept++] = (struct run){ from, r->file_bytes };
    }
    r->n_runs = kept;
    return ERR_OK;
}

enum err runs_sort(struct runs *r, struct errmsg *msg)
{
    enum err e = ERR_OK;

    r->next_ref = 0;
    if (r->n_runs == 0)
        return sort_memory(r, msg);
    if ((e = spill_memory(r, msg)) != ERR_OK)
        return e;
    free_memory(r);
    while (e == ERR_OK && r->n_runs > FAN)
        e = merge_runs(r, msg);
    return e == ERR_OK ? open_sources(r, r->run, r->n_runs, msg) : e;
}

enum err runs_next(struct runs *r, const uint8_t **p, size_t *n, struct errmsg *msg)
{
    const uint8_t *entry = NULL;
    enum err e = ERR_OK;

    if (r->n_runs > 0)
        e = merge_next_entry(r, &entry, msg);
    else if (r->next_ref < r->n_refs)
        entry = r->mem + r->refs[r->next_ref++].at;
    else
        e = ERR_MISSING;
    if (e != ERR_OK)
        return e;
    *n = length_at(entry);
    *p = entry + 2;
    return ERR_OK;
}
