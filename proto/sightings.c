/* sightings.c - one small row, written only when some desk sees the server otherwise than before.
 */
#include "sightings.h"

#include <string.h>

static const uint8_t row[] = { 'O' };

void sightings_load(struct sightings *s, const struct disk *d)
{
    struct buf b = { 0 };
    struct mp m;
    uint32_t n;

    s->n = 0;
    if (d->get(d->ctx, TABLE_META, row, sizeof row, &b) == ERR_OK) {
        m = mp_over(b.p, b.len);
        n = mp_get_array(&m);
        for (uint32_t i = 0; i < n && s->n < SIGHTINGS_MAX && !m.bad; i++) {
            struct sighting *v = &s->v[s->n];
            uint64_t state;
            if (mp_get_array(&m) != 3)
                break;
            v->at_ms = mp_get_i64(&m);
            mp_get_raw(&m, v->desk.b, DESK_ID_BYTES);
            state = mp_get_u64(&m);
            v->state = (enum watch_state)state;
            s->n += !m.bad && state >= WATCH_ONLINE && state <= WATCH_OFFLINE;
        }
    }
    buf_free(&b);
}

static enum watch_state last_of(const struct sightings *s, const struct desk_id *desk)
{
    for (unsigned i = s->n; i > 0; i--)
        if (desk_id_eq(&s->v[i - 1].desk, desk))
            return s->v[i - 1].state;
    return WATCH_UNKNOWN;
}

void sightings_note(struct sightings *s, const struct disk *d, int64_t at_ms,
                    const struct desk_id *desk, enum watch_state state)
{
    struct buf b = { 0 };

    if (state == WATCH_UNKNOWN || state > WATCH_OFFLINE || last_of(s, desk) == state)
        return;
    if (s->n == SIGHTINGS_MAX)
        memmove(s->v, s->v + 1, --s->n * sizeof *s->v);
    s->v[s->n++] = (struct sighting){ at_ms, *desk, state };
    mp_put_array(&b, s->n);
    for (unsigned i = 0; i < s->n; i++) {
        mp_put_array(&b, 3);
        mp_put_i64(&b, s->v[i].at_ms);
        mp_put_bin(&b, s->v[i].desk.b, DESK_ID_BYTES);
        mp_put_u64(&b, s->v[i].state);
    }
    if (!b.failed) /* a report may lack a line; the disk's own trouble shows at the commit */
        d->put(d->ctx, TABLE_META, row, sizeof row, b.p, b.len);
    buf_free(&b);
}
