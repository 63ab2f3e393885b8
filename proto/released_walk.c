/* released_walk.c - the released records of a job, in merged order: one more source of the merge.
 *
 * Each is read twice, for its time and for its turn, so that no more than one is in memory. What
 * was erased around it lies in TABLE_KEPT. */
#include <stdlib.h>

#include "feeds.h"
#include "mem.h"
#include "merge_int.h"

static enum err read_one(const struct released_walk *w, const struct merge_released *r,
                         struct buf *raw, struct record *out, struct errmsg *msg)
{
    const struct merge_feed *f = &w->job->feeds[r->feed];
    const struct record_ref ref = { f->feed, r->seq };
    const struct disk *d = w->disk;
    uint8_t key[REF_KEY];
    enum err e;

    ref_key(&ref, key);
    if ((e = d->get(d->ctx, TABLE_KEPT, key, sizeof key, raw)) == ERR_OK) {
        struct mp m = mp_over(raw->p, raw->len);
        uint8_t before[HASH_BYTES];
        size_t n = 0;
        const uint8_t *p;
        mp_get_array(&m);
        mp_get_raw(&m, before, sizeof before);
        p = mp_get_bin(&m, &n);
        return m.bad ? err_set(msg, ERR_DISK, "a record that was kept does not parse")
                     : record_decode(p, n, out, msg);
    }
    if (e == ERR_MISSING)
        e = feeds_record(d, f->alias, r->seq, raw, out, msg);
    return e == ERR_MISSING
               ? err_set(msg, ERR_DISK, "a released record of %s is not here any more", f->desk)
               : e;
}

static int by_time(const void *x, const void *y)
{
    const struct released_at *a = x, *b = y;

    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms ? -1 : 1;
    return a->i < b->i ? -1 : a->i > b->i; /* job.released is sorted by feed and sequence */
}

enum err released_open(struct released_walk *w, const struct merge_job *job,
                       const struct disk *disk, struct errmsg *msg)
{
    struct record *rec;
    enum err e = ERR_OK;

    w->job = job;
    w->disk = disk;
    if (job->n_released == 0)
        return ERR_OK;
    rec = mem_alloc(sizeof *rec);
    if (!rec || (w->v = mem_zero(job->n_released, sizeof *w->v)) == NULL)
        e = err_set(msg, ERR_NOMEM, "out of memory");
    for (unsigned i = 0; i < job->n_released && e == ERR_OK; i++) {
        const struct merge_released *r = &job->released[i];
        if ((e = read_one(w, r, &w->raw, rec, msg)) == ERR_OK)
            w->v[i] =
                (struct released_at){ record_time(rec, job->feeds[r->feed].correction_ms), i };
    }
    free(rec);
    if (e == ERR_OK)
        qsort(w->v, job->n_released, sizeof *w->v, by_time);
    return e;
}

enum err released_next(struct released_walk *w, struct place *at, int64_t *time_ms,
                       struct record *out, struct errmsg *msg)
{
    const struct merge_released *r;

    if (w->at == w->job->n_released)
        return ERR_MISSING;
    r = &w->job->released[w->v[w->at].i];
    *at = (struct place){ r->feed, r->seq };
    *time_ms = w->v[w->at++].time_ms;
    return read_one(w, r, &w->raw, out, msg);
}

void released_close(struct released_walk *w)
{
    free(w->v);
    buf_free(&w->raw);
}

const struct merge_released *released_find(const struct merge_job *j, struct place at)
{
    unsigned lo = 0, hi = j->n_released;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        const struct merge_released *r = &j->released[mid];
        if (r->feed == at.feed && r->seq == at.seq)
            return r;
        if (r->feed < at.feed || (r->feed == at.feed && r->seq < at.seq))
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}
