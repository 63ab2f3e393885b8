/* clocks.c - rules C1 to C5: the branch's time, the table of measurements, what is made of them. */
#include "clocks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define DRIFT_PCT 4 /* two clocks, each as wrong as a lease allows (LEASE_DRIFT_PCT) */

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int64_t median(const int64_t *v, unsigned n)
{
    int64_t a = v[(n - 1) / 2], b = v[n / 2];

    return a + (b - a) / 2;
}

static int64_t apart(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* C1 */
static bool most_are_near(const int64_t *v, unsigned n, int64_t middle)
{
    unsigned within = 0;

    for (unsigned i = 0; i < n; i++)
        within += apart(v[i], middle) <= CLOCK_APART_MS;
    return within > n / 2;
}

void clocks_branch_time(int64_t *ahead, unsigned n, uint64_t boot_ms, struct branch_time *out)
{
    unsigned nonsense = 0;

    *out = (struct branch_time){ .desks = n };
    if (n == 0)
        return;
    qsort(ahead, n, sizeof *ahead, by_value);
    out->ahead_ms = median(ahead, n);
    out->known = most_are_near(ahead, n, out->ahead_ms);
    if (out->known)
        return;
    while (nonsense < n && ahead[nonsense] + (int64_t)boot_ms < CLOCK_EPOCH_MS) /* C2 */
        nonsense++;
    if (nonsense == 0 || nonsense == n)
        return;
    out->ahead_ms = median(ahead + nonsense, n - nonsense);
    out->known = most_are_near(ahead + nonsense, n - nonsense, out->ahead_ms);
}

/* ---- the table ---- */

static unsigned place_of(const struct clocks *k, const struct feed_id *feed, bool *there)
{
    return feed_place(k->v, k->n, sizeof *k->v, feed, there);
}

const struct clock_row *clocks_find(const struct clocks *k, const struct feed_id *feed)
{
    bool there;
    unsigned at = place_of(k, feed, &there);

    return there ? &k->v[at] : NULL;
}

void clocks_free(struct clocks *k)
{
    free(k->v);
    memset(k, 0, sizeof *k);
}

static struct clock_row *row_of(struct clocks *k, const struct feed_id *feed)
{
    bool there;
    unsigned at = place_of(k, feed, &there);
    struct clock_row *grown;

    if (there)
        return &k->v[at];
    if ((grown = mem_room(k->v, k->n, &k->room, sizeof *grown)) == NULL)
        return NULL;
    k->v = grown;
    memmove(k->v + at + 1, k->v + at, (k->n++ - at) * sizeof *k->v);
    k->v[at] = (struct clock_row){ .feed = *feed };
    return &k->v[at];
}

enum err clocks_load(struct clocks *k, const struct disk *d, struct errmsg *msg)
{
    uint8_t key[DISK_KEY_MAX] = { 0 }, next[sizeof(struct feed_id)] = { 0 };
    struct buf b = { 0 };
    enum err e;
    size_t n;

    while ((e = d->seek(d->ctx, TABLE_CLOCKS, next, sizeof next, 1, key, &n, &b)) == ERR_OK) {
        struct mp m = mp_over(b.p, b.len);
        struct feed_id feed;
        struct clock_row *row;
        memcpy(&feed, key, sizeof feed);
        if ((row = row_of(k, &feed)) == NULL) {
            buf_free(&b);
            return err_set(msg, ERR_NOMEM, "out of memory");
        }
        mp_get_array(&m);
        row->correction_ms = mp_get_i64(&m);
        row->desks = (unsigned)mp_get_u64(&m);
        row->jumped = mp_get_bool(&m);
        if (m.bad) /* sealed by this desk: only a bug writes such a row */
            row->desks = 0;
        memcpy(next, key, sizeof next);
        for (unsigned i = sizeof next; i-- > 0 && ++next[i] == 0;)
            ;
    }
    buf_free(&b);
    return e == ERR_MISSING ? ERR_OK : err_set(msg, e, "the measured clocks cannot be read");
}

/* One that is lost is measured again; the disk's own trouble shows at the commit. */
static void store_row(const struct clock_row *row, const struct disk *d)
{
    struct buf b = { 0 };

    mp_put_array(&b, 3);
    mp_put_i64(&b, row->correction_ms);
    mp_put_u64(&b, row->desks);
    mp_put_bool(&b, row->jumped);
    if (!b.failed)
        d->put(d->ctx, TABLE_CLOCKS, &row->feed, sizeof row->feed, b.p, b.len);
    buf_free(&b);
}

bool clocks_hear(struct clocks *k, const struct disk *d, const struct feed_id *feed,
                 int64_t ahead_ms, uint64_t boot_ms, uint64_t error_ms)
{
    struct clock_row *row = row_of(k, feed);
    uint64_t since;

    if (!row)
        return false;
    since = row->live ? boot_ms - row->heard_ms : 0;
    if (row->live && !row->jumped &&
        apart(ahead_ms, row->ahead_ms) >
            CLOCK_JUMP_MS + (int64_t)error_ms + (int64_t)(since * DRIFT_PCT / 100)) {
        row->jumped = true; /* C5 */
        store_row(row, d);
    }
    row->live = true;
    row->ahead_ms = ahead_ms;
    row->heard_ms = boot_ms;
    return true;
}

void clocks_correct(struct clocks *k, const struct disk *d, const struct branch_time *t, bool lone)
{
    if (!t->known || (t->desks < 2 && !lone)) /* C3 */
        return;
    for (unsigned i = 0; i < k->n; i++) {
        struct clock_row *row = &k->v[i];
        int64_t correction = t->ahead_ms - row->ahead_ms;
        if (!row->live || t->desks < row->desks || /* C4 */
            (t->desks == row->desks && apart(correction, row->correction_ms) <= CLOCK_SHIFT_MS))
            continue;
        row->correction_ms = correction;
        row->desks = t->desks;
        store_row(row, d);
    }
}

/* ---- words ---- */

void clock_word_put(const struct clock_word *w, struct buf *b)
{
    mp_put_array(b, CLOCK_WORD_FIELDS);
    mp_put_bin(b, &w->feed, sizeof w->feed);
    mp_put_i64(b, w->correction_ms);
    mp_put_u64(b, w->desks);
    mp_put_bool(b, w->jumped);
}

bool clock_word_get(struct mp *m, struct clock_word *out)
{
    uint64_t desks;

    if (mp_get_array(m) != CLOCK_WORD_FIELDS)
        m->bad = true;
    mp_get_raw(m, &out->feed, sizeof out->feed);
    out->correction_ms = mp_get_i64(m);
    desks = mp_get_u64(m);
    out->jumped = mp_get_bool(m);
    if (desks == 0 || desks > CLOCK_DESKS_MAX || out->correction_ms > RECORD_TIME_MAX ||
        out->correction_ms < -RECORD_TIME_MAX)
        m->bad = true;
    out->desks = (unsigned)desks;
    return !m->bad;
}

static int by_correction(const void *a, const void *b)
{
    return by_value(&((const struct clock_word *)a)->correction_ms,
                    &((const struct clock_word *)b)->correction_ms);
}

/* The median of those that compared most clocks. */
static int64_t best_correction(const struct clock_word *v, unsigned n)
{
    unsigned most = 0, of = 0, at = 0;
    int64_t low = 0, high = 0;

    for (unsigned i = 0; i < n; i++)
        most = v[i].desks > most ? v[i].desks : most;
    for (unsigned i = 0; i < n; i++)
        of += v[i].desks == most;
    for (unsigned i = 0; i < n; i++) {
        if (v[i].desks != most)
            continue;
        if (at == (of - 1) / 2)
            low = v[i].correction_ms;
        if (at == of / 2)
            high = v[i].correction_ms;
        at++;
    }
    return low + (high - low) / 2;
}

void clocks_judge(struct clock_word *v, unsigned n, int64_t opened_ms, struct slot_range *out)
{
    int64_t correction;
    unsigned agree = 0;
    bool jumped = false;

    out->correction_ms = 0;
    out->clock = opened_ms < CLOCK_EPOCH_MS ? CLOCK_IMPOSSIBLE : CLOCK_SUSPECT;
    if (n == 0)
        return;
    qsort(v, n, sizeof *v, by_correction);
    correction = best_correction(v, n);
    for (unsigned i = 0; i < n; i++) {
        agree += apart(v[i].correction_ms, correction) <= CLOCK_AGREE_MS;
        jumped |= v[i].jumped;
    }
    if (jumped || agree <= n / 2)
        return;
    out->clock = apart(correction, 0) <= CLOCK_RIGHT_MS   ? CLOCK_OK
                 : apart(correction, 0) <= CLOCK_MONTH_MS ? CLOCK_CORRECTED
                                                          : CLOCK_IMPOSSIBLE;
    out->correction_ms = out->clock == CLOCK_OK ? 0 : correction;
}

bool clock_word_denies(const struct clock_word *w, const struct slot_range *r, int64_t tolerance_ms)
{
    return slot_clock_is_known(r) && apart(w->correction_ms, r->correction_ms) > tolerance_ms;
}

/* ---- for people ---- */

const char *clock_class_name(enum clock_class c)
{
    switch (c) {
    case CLOCK_OK:
        return "ok";
    case CLOCK_CORRECTED:
        return "corrected";
    case CLOCK_SUSPECT:
        return "suspect";
    case CLOCK_IMPOSSIBLE:
        return "impossible";
    }
    return "";
}

void clock_words(int64_t ahead_ms, char out[CLOCK_WORDS_MAX])
{
    static const struct {
        int64_t s;
        const char *one, *many;
    } units[] = { { 31557600, "year", "years" },
                  { 86400, "day", "days" },
                  { 3600, "h", "h" },
                  { 60, "min", "min" },
                  { 1, "s", "s" } };
    int64_t s = (apart(ahead_ms, 0) + 500) / 1000;
    unsigned i = 0;

    while (i < 4 && s < 2 * units[i].s)
        i++;
    snprintf(out, CLOCK_WORDS_MAX, "%lld %s %s", (long long)(s / units[i].s),
             s / units[i].s == 1 ? units[i].one : units[i].many, ahead_ms > 0 ? "fast" : "slow");
}
