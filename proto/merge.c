/* merge.c - the k-way walk over feeds and typed times, and the verdict on each record. */
#include "merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feeds.h"
#include "mem.h"
#include "merge_int.h"

#define MORE_SOURCES 2   /* than feeds: typed times, released records */
#define YIELD_EVERY  256 /* records: well under the 200 ms that a reader may hold its snapshot */

const char *verdict_name(enum verdict v)
{
    switch (v) {
    case VERDICT_SEND:
        return "send";
    case VERDICT_DUPLICATE:
        return "duplicate";
    case VERDICT_VOIDED:
        return "voided";
    case VERDICT_VOID:
        return "void";
    case VERDICT_LATE_VOID:
        return "late_void";
    case VERDICT_IDLE_VOID:
        return "idle_void";
    case VERDICT_HELD:
        return "held";
    case VERDICT_WAITS:
        return "waits";
    case VERDICT_SUPERSEDED:
        return "superseded";
    case VERDICT_REVIEW:
        return "review";
    }
    return "";
}

void merge_job_free(struct merge_job *j)
{
    free(j->feeds);
    free(j->released);
    free(j->rulings);
    memset(j, 0, sizeof *j);
}

void merge_id_text(const struct merge_feed *f, uint64_t seq, char out[RECORD_ID_TEXT])
{
    char letter[2] = { f->suffix, '\0' };

    snprintf(out, RECORD_ID_TEXT, "%s/%u%s/%04llu", f->desk, f->number, letter,
             (unsigned long long)seq);
}

/* ---- sources: one per feed for its own clock, one for all typed times ---- */

struct source {
    struct place at;
    int64_t time_ms;
    struct record rec;
    bool bare; /* rec.reg is all zeros */
    struct buf raw;
    struct block block;
    struct block_walk walk;
};

struct merge {
    const struct merge_job *job;
    const struct disk *disk;
    merge_yield yield;
    void *yield_ctx;
    uint64_t done, total;
    struct survey survey;
    struct source *sources; /* [n_feeds] is the typed times', [n_feeds + 1] the released records' */
    struct released_walk released;
    struct source **heap;
    unsigned n_heap;
    uint8_t paper_key[PAPER_KEY]; /* where the typed times continue */
    struct buf paper_raw;
    struct block paper_block;
    unsigned paper_feed; /* whose block paper_raw holds; n_feeds: none */
    bool has_stash;
    struct merged stash; /* a record that waits behind a pulled registration */
    struct record pulled;
};

static bool before(const struct source *a, const struct source *b)
{
    if (a->time_ms != b->time_ms)
        return a->time_ms < b->time_ms;
    if (a->at.feed != b->at.feed)
        return a->at.feed < b->at.feed; /* job.feeds is sorted by feed id: the same everywhere */
    return a->at.seq < b->at.seq;
}

static void sift_down(struct merge *m, unsigned i)
{
    for (;;) {
        unsigned least = i, l = 2 * i + 1, r = l + 1;
        struct source *t;
        if (l < m->n_heap && before(m->heap[l], m->heap[least]))
            least = l;
        if (r < m->n_heap && before(m->heap[r], m->heap[least]))
            least = r;
        if (least == i)
            return;
        t = m->heap[i];
        m->heap[i] = m->heap[least];
        m->heap[least] = t;
        i = least;
    }
}

/* The feed's next record that has no typed time. */
static enum err feed_next(struct merge *m, struct source *s, struct errmsg *msg)
{
    const struct merge_feed *f = &m->job->feeds[s->at.feed];

    for (;;) {
        size_t n;
        const uint8_t *p = block_next(&s->walk, &n);
        enum err e;
        if (!p) {
            uint64_t next = s->block.count ? block_last(&s->block) + 1 : f->from;
            if (next > f->to)
                return ERR_MISSING;
            e = feeds_block(m->disk, f->alias, next, &s->raw, &s->block, msg);
            if (e != ERR_OK)
                return e == ERR_MISSING
                           ? err_set(msg, ERR_DISK, "a record of %s is missing", f->desk)
                           : e;
            s->walk = block_walk(&s->block);
            continue;
        }
        if (s->walk.seq < f->from)
            continue;
        if (s->walk.seq > f->to)
            return ERR_MISSING;
        if ((e = record_decode_next(p, n, &s->rec, &s->bare, msg)) != ERR_OK)
            return e;
        if (s->rec.paper_ms != 0)
            continue;
        s->at.seq = s->walk.seq;
        s->time_ms = record_time(&s->rec, f->correction_ms);
        return ERR_OK;
    }
}

struct merge_feed *merge_feed_of(const struct merge_job *j, const struct feed_id *id)
{
    bool there;
    unsigned at = feed_place(j->feeds, j->n_feeds, sizeof *j->feeds, id, &there);

    return there ? &j->feeds[at] : NULL;
}

bool merge_place_of(const struct merge_job *j, const struct record_ref *ref, struct place *out)
{
    const struct merge_feed *f = merge_feed_of(j, &ref->feed);

    if (f)
        *out = (struct place){ (unsigned)(f - j->feeds), ref->seq };
    return f != NULL;
}

static enum err place_record(struct merge *m, struct place at, struct record *out,
                             struct errmsg *msg)
{
    const struct merge_feed *f = &m->job->feeds[at.feed];
    struct block_walk w;
    const uint8_t *p;
    size_t n;
    enum err e;

    if (m->paper_feed != at.feed || at.seq < m->paper_block.first ||
        at.seq > block_last(&m->paper_block)) {
        m->paper_feed = m->job->n_feeds;
        e = feeds_block(m->disk, f->alias, at.seq, &m->paper_raw, &m->paper_block, msg);
        if (e != ERR_OK)
            return e == ERR_MISSING ? err_set(msg, ERR_DISK, "a record of %s is missing", f->desk)
                                    : e;
        m->paper_feed = at.feed;
    }
    w = block_walk(&m->paper_block);
    while ((p = block_next(&w, &n)) != NULL)
        if (w.seq == at.seq)
            return record_decode(p, n, out, msg);
    return err_set(msg, ERR_DISK, "a record of %s is missing", f->desk);
}

static enum err paper_next(struct merge *m, struct source *s, struct errmsg *msg)
{
    const struct disk *d = m->disk;
    uint8_t key[DISK_KEY_MAX];
    size_t n;

    for (;;) {
        const struct merge_feed *f;
        struct record_ref ref;
        enum err e =
            d->seek(d->ctx, TABLE_PAPER, m->paper_key, sizeof m->paper_key, 1, key, &n, NULL);
        if (e != ERR_OK)
            return e == ERR_MISSING ? e : err_set(msg, e, "the typed times cannot be read");
        memcpy(m->paper_key, key, sizeof m->paper_key);
        for (unsigned i = PAPER_KEY; i-- > 0 && ++m->paper_key[i] == 0;)
            ; /* the next look begins behind this one */
        ref_of_key(key + 8, &ref);
        if ((f = merge_feed_of(m->job, &ref.feed)) == NULL || ref.seq < f->from || ref.seq > f->to)
            continue;
        s->at = (struct place){ (unsigned)(f - m->job->feeds), ref.seq };
        s->time_ms = paper_key_time(key);
        return place_record(m, s->at, &s->rec, msg);
    }
}

static enum err source_next(struct merge *m, struct source *s, struct errmsg *msg)
{
    unsigned i = (unsigned)(s - m->sources);

    return i < m->job->n_feeds    ? feed_next(m, s, msg)
           : i == m->job->n_feeds ? paper_next(m, s, msg)
                                  : released_next(&m->released, &s->at, &s->time_ms, &s->rec, msg);
}

static enum err walk_begin(struct merge *m, struct errmsg *msg)
{
    m->n_heap = 0;
    m->paper_feed = m->job->n_feeds;
    memset(m->paper_key, 0, sizeof m->paper_key);
    m->released.at = 0;
    for (unsigned i = 0; i < m->job->n_feeds + MORE_SOURCES; i++) {
        struct source *s = &m->sources[i];
        enum err e;
        memset(&s->block, 0, sizeof s->block);
        memset(&s->walk, 0, sizeof s->walk);
        s->at.feed = i;
        e = source_next(m, s, msg);
        if (e == ERR_OK)
            m->heap[m->n_heap++] = s;
        else if (e != ERR_MISSING)
            return e;
    }
    for (unsigned i = m->n_heap / 2; i-- > 0;)
        sift_down(m, i);
    return ERR_OK;
}

static enum err ask_whether_to_go_on(void *ctx, struct errmsg *msg)
{
    struct merge *m = ctx;

    return !m->yield || m->yield(m->yield_ctx, m->done, m->total)
               ? ERR_OK
               : err_set(msg, ERR_BUSY, "the merge was given up");
}

static enum err walk_advance(struct merge *m, struct errmsg *msg)
{
    enum err e = source_next(m, m->heap[0], msg);

    if (e == ERR_MISSING) {
        m->heap[0] = m->heap[--m->n_heap];
        e = ERR_OK;
    }
    sift_down(m, 0);
    if (e == ERR_OK && ++m->done % YIELD_EVERY == 0)
        e = ask_whether_to_go_on(m, msg);
    return e;
}

/* ---- the survey's pass ---- */

static enum err survey_voids(struct merge *m, struct errmsg *msg)
{
    const struct disk *d = m->disk;
    uint8_t key[DISK_KEY_MAX] = { 0 }, next[VOID_KEY] = { 0 };
    size_t n;

    for (;;) {
        struct record_ref target, voider;
        enum err e = d->seek(d->ctx, TABLE_VOIDS, next, sizeof next, 1, key, &n, NULL);
        if (e != ERR_OK)
            return e == ERR_MISSING ? ERR_OK : err_set(msg, e, "the voids cannot be read");
        ref_of_key(key, &target);
        ref_of_key(key + REF_KEY, &voider);
        survey_void(&m->survey, &target, &voider);
        memcpy(next, key, sizeof next);
        for (unsigned i = VOID_KEY; i-- > 0 && ++next[i] == 0;)
            ;
    }
}

static enum err survey_cards(struct merge *m, struct errmsg *msg)
{
    const struct disk *d = m->disk;
    uint8_t key[DISK_KEY_MAX] = { 0 }, next[REF_KEY] = { 0 };
    struct record *rec = mem_alloc(sizeof *rec);
    size_t n;
    enum err e = rec ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");

    while (e == ERR_OK) {
        struct record_ref ref;
        struct place at;
        e = d->seek(d->ctx, TABLE_CARDS, next, sizeof next, 1, key, &n, NULL);
        if (e != ERR_OK)
            break;
        ref_of_key(key, &ref);
        if (merge_place_of(m->job, &ref, &at) && ref.seq <= m->job->feeds[at.feed].to &&
            ref.seq >= m->job->feeds[at.feed].back) {
            if ((e = place_record(m, at, rec, msg)) == ERR_OK)
                survey_card(&m->survey, at, rec);
        }
        memcpy(next, key, sizeof next);
        for (unsigned i = REF_KEY; i-- > 0 && ++next[i] == 0;)
            ;
    }
    free(rec);
    return e == ERR_MISSING ? ERR_OK : e;
}

/* The first of the batch's own records; INT64_MAX: none. */
static int64_t first_ms(const struct merge *m)
{
    int64_t first = INT64_MAX;

    for (unsigned i = 0; i < m->n_heap; i++)
        if (m->heap[i] != &m->sources[m->job->n_feeds + 1] && m->heap[i]->time_ms < first)
            first = m->heap[i]->time_ms;
    return first;
}

/* One more pass, for the items, only if earlier uploads are near. */
static enum err look_back(struct merge *m, struct errmsg *msg)
{
    enum err e = walk_begin(m, msg);

    if (e != ERR_OK || first_ms(m) == INT64_MAX ||
        !lookback_reaches(&m->survey.past, m->job, m->disk, first_ms(m)))
        return e;
    m->total += m->job->records;
    while (e == ERR_OK && m->n_heap > 0) {
        survey_mind_item(&m->survey, m->heap[0]->at, &m->heap[0]->rec);
        e = walk_advance(m, msg);
    }
    return e == ERR_OK ? lookback_read(&m->survey.past, &m->survey, m->disk, msg) : e;
}

/* One more pass, only if something was typed from paper: R12. */
static enum err look_at_typed(struct merge *m, struct errmsg *msg)
{
    enum err e = walk_begin(m, msg);
    bool any = false;

    for (unsigned i = 0; i < m->n_heap; i++)
        any |= m->heap[i] == &m->sources[m->job->n_feeds];
    if (e != ERR_OK || !any)
        return e;
    m->total += m->job->records;
    while (e == ERR_OK && m->n_heap > 0) {
        const struct source *s = m->heap[0];
        typed_record(&m->survey, s->at, &s->rec, s->time_ms);
        e = walk_advance(m, msg);
    }
    return e;
}

static enum err run_survey(struct merge *m, struct errmsg *msg)
{
    enum err e;

    m->paper_feed = m->job->n_feeds;
    if ((e = survey_voids(m, msg)) != ERR_OK)
        return e;
    for (unsigned i = 0; i < m->job->n_rulings; i++)
        survey_ruling(&m->survey, &m->job->rulings[i]);
    if ((e = survey_cards(m, msg)) != ERR_OK || (e = look_back(m, msg)) != ERR_OK ||
        (e = look_at_typed(m, msg)) != ERR_OK || (e = walk_begin(m, msg)) != ERR_OK)
        return e;
    while (e == ERR_OK && m->n_heap > 0) {
        const struct source *s = m->heap[0];
        if ((e = survey_record(&m->survey, s->at, &s->rec, s->time_ms, msg)) == ERR_OK)
            e = walk_advance(m, msg);
    }
    return e == ERR_OK ? survey_end(&m->survey, ask_whether_to_go_on, m, msg) : e;
}

/* A full disk stops no upload: then the survey sorts in memory, as if no file had been lent. */
static enum err run_survey_somewhere(struct merge *m, struct errmsg *msg)
{
    enum err e = run_survey(m, msg);

    if (e != ERR_FULL || !m->job->spill)
        return e;
    survey_free(&m->survey);
    m->done = 0;
    m->total = 2 * m->job->records;
    e = survey_init(&m->survey, m->job, NULL, msg);
    return e == ERR_OK ? run_survey(m, msg) : e;
}

enum err merge_open(const struct merge_job *job, const struct disk *disk, merge_yield yield,
                    void *yield_ctx, struct merge **out, struct errmsg *msg)
{
    struct merge *m = mem_zero(1, sizeof *m);
    enum err e;

    if (!m)
        return err_set(msg, ERR_NOMEM, "out of memory");
    m->job = job;
    m->disk = disk;
    m->yield = yield;
    m->yield_ctx = yield_ctx;
    m->total = 2 * job->records;
    m->sources = mem_zero(job->n_feeds + MORE_SOURCES, sizeof *m->sources);
    m->heap = mem_zero(job->n_feeds + MORE_SOURCES, sizeof *m->heap);
    e = survey_init(&m->survey, job, job->spill, msg);
    if (!m->sources || !m->heap)
        e = err_set(msg, ERR_NOMEM, "out of memory");
    else if (e == ERR_OK && (e = released_open(&m->released, job, disk, msg)) == ERR_OK &&
             (e = run_survey_somewhere(m, msg)) == ERR_OK)
        e = walk_begin(m, msg);
    if (e != ERR_OK) {
        merge_close(m);
        return e;
    }
    *out = m;
    return ERR_OK;
}

void merge_close(struct merge *m)
{
    if (!m)
        return;
    for (unsigned i = 0; m->sources && i < m->job->n_feeds + MORE_SOURCES; i++)
        buf_free(&m->sources[i].raw);
    released_close(&m->released);
    survey_free(&m->survey);
    buf_free(&m->paper_raw);
    free(m->sources);
    free(m->heap);
    free(m);
}

static void fill(const struct merge *m, struct place at, const struct record *rec, int64_t time_ms,
                 struct merged *out, struct finding *f)
{
    survey_verdict(&m->survey, at, rec, f);
    out->rec = *rec;
    out->feed = at.feed;
    out->seq = at.seq;
    out->time_ms = time_ms;
    out->verdict = f->verdict;
    out->rule = f->rule;
    out->has_other = f->has_other;
    out->other_feed = f->other.feed;
    out->other_seq = f->other.seq;
    out->due = f->has_due ? f->due : rec->due;
    out->early = f->early && rec->kind == RECORD_USER;
    out->late = f->late;
    out->again = released_find(m->job, at);
}

enum err merge_next(struct merge *m, struct merged *out, struct errmsg *msg)
{
    struct finding f;
    enum err e;

    if (m->has_stash) {
        m->has_stash = false;
        *out = m->stash;
        return ERR_OK;
    }
    for (;;) {
        const struct source *s;
        if (m->n_heap == 0)
            return ERR_MISSING;
        s = m->heap[0];
        fill(m, s->at, &s->rec, s->time_ms, out, &f);
        if ((e = walk_advance(m, msg)) != ERR_OK)
            return e;
        if (out->early)
            continue; /* R7: it stood before its card's first use already */
        if (!f.early)
            return ERR_OK;
        m->stash = *out; /* R7: its registration goes first, at this moment */
        m->has_stash = true;
        if ((e = place_record(m, f.pull, &m->pulled, msg)) == ERR_OK)
            fill(m, f.pull, &m->pulled, m->stash.time_ms, out, &f);
        return e;
    }
}
