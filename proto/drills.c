/* drills.c - the drills of the last days, and their bytes (store/FORMAT.md, file `practice`). */
#include <string.h>

#include "practice.h"

#define DAY_MS        INT64_C(86400000)
#define SCAN_AGAIN_MS INT64_C(3600000)
#define VERSION       1
#define DRILL_FIELDS  (4 + PRACTICE_STEPS)

void drills_add(struct drills *d, const struct drill *one)
{
    if (d->n == DRILLS_MAX) {
        d->n--;
        memmove(d->v, d->v + 1, d->n * sizeof d->v[0]);
    }
    d->v[d->n++] = *one;
    if (one->step == PRACTICE_READY)
        d->last_ms = one->at_ms + one->took_ms;
}

/* A clock that was set back must not keep a name for ever: of the future goes, too. */
bool drills_forget(struct drills *d, int64_t wall_ms, unsigned keep_days)
{
    unsigned kept = 0, before = d->n;

    for (unsigned i = 0; i < d->n; i++)
        if (wall_ms - d->v[i].at_ms < keep_days * DAY_MS && d->v[i].at_ms - wall_ms < DAY_MS)
            d->v[kept++] = d->v[i];
    memset(d->v + kept, 0, (before - kept) * sizeof d->v[0]);
    d->n = kept;
    return kept < before;
}

bool drills_scanned(struct drills *d, int64_t wall_ms)
{
    int64_t since = wall_ms - d->scan_ms;

    if (d->scan_ms != 0 && since >= 0 && since < SCAN_AGAIN_MS)
        return false;
    d->scan_ms = wall_ms;
    return true;
}

void drills_write(const struct drills *d, struct buf *out)
{
    mp_put_array(out, 4);
    mp_put_u64(out, VERSION);
    mp_put_i64(out, d->last_ms);
    mp_put_i64(out, d->scan_ms);
    mp_put_array(out, d->n);
    for (unsigned i = 0; i < d->n; i++) {
        const struct drill *v = &d->v[i];
        mp_put_array(out, DRILL_FIELDS);
        mp_put_str(out, v->staff);
        mp_put_i64(out, v->at_ms);
        mp_put_u64(out, v->took_ms);
        mp_put_u64(out, v->step);
        for (unsigned k = 0; k < PRACTICE_STEPS; k++)
            mp_put_u64(out, v->mistakes[k]);
    }
}

static uint64_t number_up_to(struct mp *m, uint64_t limit)
{
    uint64_t v = mp_get_u64(m);

    m->bad |= v > limit;
    return m->bad ? 0 : v;
}

enum err drills_read(const uint8_t *p, size_t n, struct drills *out, struct errmsg *msg)
{
    struct mp m = mp_over(p, n);
    uint32_t count;

    memset(out, 0, sizeof *out);
    m.bad = n > DRILLS_BYTES || mp_get_array(&m) != 4 || mp_get_u64(&m) != VERSION;
    out->last_ms = mp_get_i64(&m);
    out->scan_ms = mp_get_i64(&m);
    count = mp_get_array(&m);
    m.bad |= count > DRILLS_MAX;
    for (uint32_t i = 0; i < count && !m.bad; i++) {
        struct drill *v = &out->v[out->n++];
        m.bad = mp_get_array(&m) != DRILL_FIELDS;
        mp_get_str(&m, v->staff, sizeof v->staff);
        v->at_ms = mp_get_i64(&m);
        v->took_ms = (uint32_t)number_up_to(&m, UINT32_MAX);
        v->step = (uint8_t)number_up_to(&m, PRACTICE_READY);
        for (unsigned k = 0; k < PRACTICE_STEPS; k++)
            v->mistakes[k] = (uint16_t)number_up_to(&m, UINT16_MAX);
    }
    if (mp_done(&m))
        return ERR_OK;
    memset(out, 0, sizeof *out);
    return err_set(msg, ERR_MALFORMED, "the file of the drills does not parse");
}
