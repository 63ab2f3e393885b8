/* lookback.c - what earlier uploads told the server of the items of this batch: rule R9, and R3, R5,
 * R11 across a cut.
 *
 * Only what lies above the horizon is read, for that is what every desk can read; and no further
 * back than a day before the first record of the batch: in between the branch worked online, and
 * nothing is known of that here. */
#include <stdlib.h>
#include <string.h>

#include "feeds.h"
#include "mem.h"
#include "merge_int.h"

static bool has_past(const struct merge_feed *f)
{
    return f->from > f->back && f->from > 1;
}

static int by_item_then_time(const void *x, const void *y)
{
    const struct past_event *a = x, *b = y;
    int k = memcmp(a->item, b->item, sizeof a->item);

    if (k != 0)
        return k;
    if (a->e.time_ms != b->e.time_ms)
        return a->e.time_ms < b->e.time_ms ? -1 : 1;
    if (a->e.at.feed != b->e.at.feed)
        return a->e.at.feed < b->e.at.feed ? -1 : 1;
    return a->e.at.seq < b->e.at.seq ? -1 : a->e.at.seq > b->e.at.seq;
}

static enum err add(struct lookback *l, const uint8_t item[16], const struct item_event *e,
                    struct errmsg *msg)
{
    struct past_event *grown = mem_room(l->v, l->n, &l->room, sizeof *grown);

    if (!grown)
        return err_set(msg, ERR_NOMEM, "out of memory");
    l->v = grown;
    memcpy(l->v[l->n].item, item, 16);
    l->v[l->n++].e = *e;
    return ERR_OK;
}

/* The records of one block; *earlier: the blocks before it are within reach, too. */
static enum err read_block(struct lookback *l, const struct survey *s, unsigned feed,
                           const struct block *b, struct record *rec, bool *earlier,
                           struct errmsg *msg)
{
    const struct merge_feed *f = &s->job->feeds[feed];
    struct block_walk w = block_walk(b);
    const uint8_t *p;
    size_t n;

    *earlier = true;
    while ((p = block_next(&w, &n)) != NULL) {
        struct item_event e = { .at = { feed, w.seq } };
        uint8_t item[16];
        enum err err;
        if (w.seq < f->back || w.seq >= f->from)
            continue;
        if ((err = record_decode(p, n, rec, msg)) != ERR_OK)
            return err;
        *earlier = *earlier && rec->at_ms + f->back_correction_ms >= l->from_ms;
        e.time_ms = record_time(rec, f->back_correction_ms);
        e.kind = rec->kind;
        e.due = rec->due;
        if (e.time_ms < l->from_ms || !survey_knows_item(s, e.at, rec, item, e.user))
            continue;
        if ((err = add(l, item, &e, msg)) != ERR_OK)
            return err;
    }
    return ERR_OK;
}

/* Backwards: a feed's clock never goes back. */
static enum err read_feed(struct lookback *l, const struct survey *s, const struct disk *disk,
                          unsigned feed, struct buf *raw, struct record *rec, struct errmsg *msg)
{
    const struct merge_feed *f = &s->job->feeds[feed];
    bool earlier = true;

    for (uint64_t seq = f->from - 1; earlier && seq >= f->back && seq > 0;) {
        struct block b;
        enum err e = feeds_block(disk, f->alias, seq, raw, &b, msg);
        if (e == ERR_OK)
            e = read_block(l, s, feed, &b, rec, &earlier, msg);
        if (e != ERR_OK)
            return e == ERR_MISSING ? err_set(msg, ERR_DISK, "a record of %s is missing", f->desk)
                                    : e;
        seq = b.first - 1;
    }
    return ERR_OK;
}

bool lookback_reaches(struct lookback *l, const struct merge_job *job, const struct disk *disk,
                      int64_t first_ms)
{
    struct record *rec = mem_alloc(sizeof *rec);
    struct buf raw = { 0 };
    bool yes = !rec; /* then reading says that there is no memory */

    l->from_ms = first_ms - LOOKBACK_MS;
    for (unsigned i = 0; i < job->n_feeds && !yes; i++) {
        const struct merge_feed *f = &job->feeds[i];
        if (has_past(f) && feeds_record(disk, f->alias, f->from - 1, &raw, rec, NULL) == ERR_OK)
            yes = rec->at_ms + f->back_correction_ms >= l->from_ms;
    }
    free(rec);
    buf_free(&raw);
    return yes;
}

enum err lookback_read(struct lookback *l, const struct survey *s, const struct disk *disk,
                       struct errmsg *msg)
{
    struct record *rec = mem_alloc(sizeof *rec);
    struct buf raw = { 0 };
    enum err e = rec ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");

    for (unsigned i = 0; i < s->job->n_feeds && e == ERR_OK; i++)
        if (has_past(&s->job->feeds[i]))
            e = read_feed(l, s, disk, i, &raw, rec, msg);
    if (e == ERR_OK && l->n > 0)
        qsort(l->v, l->n, sizeof *l->v, by_item_then_time);
    free(rec);
    buf_free(&raw);
    return e;
}

const struct past_event *lookback_of(const struct lookback *l, const uint8_t item[16], unsigned *n)
{
    unsigned lo = 0, hi = l->n, end;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        if (memcmp(l->v[mid].item, item, 16) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (end = lo; end < l->n && memcmp(l->v[end].item, item, 16) == 0;)
        end++;
    *n = end - lo;
    return *n > 0 ? &l->v[lo] : NULL;
}

void lookback_free(struct lookback *l)
{
    free(l->v);
    memset(l, 0, sizeof *l);
}
