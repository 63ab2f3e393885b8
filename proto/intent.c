/* intent.c - bytes of an intent: what a slot contains. Whoever builds it again gets the same bytes.
 */
#include "slot.h"

#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "mem.h"
#include "word.h"

_Static_assert(SLOT_RANGES_MAX *INTENT_RANGE_MAX + SLOT_RELEASED_MAX * INTENT_RELEASED_MAX +
                       SLOT_RULINGS_MAX * INTENT_RULING_MAX + 20480 <
                   DISK_VALUE_MAX,
               "a receipt is stored");

#define INTENT_FIELDS 24 /* counted by test_slot */

/* Room for the rows of a list that may have so many; *n is how many there are. */
static void *get_list(struct mp *m, uint32_t max, size_t row_bytes, uint32_t *n)
{
    void *rows = NULL;

    *n = mp_get_array(m);
    if (!m->bad && *n > 0 && *n <= max)
        rows = mem_zero(*n, row_bytes);
    if (*n > 0 && !rows) {
        m->bad = true;
        *n = 0;
    }
    return rows;
}

static void put_seats(struct buf *b, const struct intent *in)
{
    mp_put_array(b, in->n_seats);
    for (unsigned i = 0; i < in->n_seats; i++)
        mp_put_bin(b, in->seats[i].b, DESK_ID_BYTES);
}

static void get_seats(struct mp *m, struct intent *out)
{
    uint32_t n = mp_get_array(m);

    if (n > SEATS_MAX)
        m->bad = true;
    for (; out->n_seats < n && !m->bad; out->n_seats++)
        mp_get_raw(m, out->seats[out->n_seats].b, DESK_ID_BYTES);
}

static void put_ranges(struct buf *b, const struct intent *in)
{
    mp_put_array(b, in->n_ranges);
    for (unsigned i = 0; i < in->n_ranges; i++) {
        const struct slot_range *r = &in->ranges[i];
        mp_put_array(b, 6);
        mp_put_bin(b, &r->feed, sizeof r->feed);
        mp_put_u64(b, r->from);
        mp_put_u64(b, r->to);
        mp_put_bin(b, r->hash, sizeof r->hash);
        mp_put_i64(b, r->correction_ms);
        mp_put_u64(b, r->clock);
    }
}

static bool range_is_good(const struct slot_range *r, uint64_t class)
{
    return class <= CLOCK_IMPOSSIBLE && r->from > 0 && r->to >= r->from &&
           r->to <= UINT64_MAX / 2 && r->correction_ms <= INT64_MAX / 4 &&
           r->correction_ms >= INT64_MIN / 4;
}

static void get_ranges(struct mp *m, struct intent *out)
{
    uint32_t n;

    out->ranges = get_list(m, SLOT_RANGES_MAX, sizeof *out->ranges, &n);
    for (; out->n_ranges < n && !m->bad; out->n_ranges++) {
        struct slot_range *r = &out->ranges[out->n_ranges];
        uint64_t class;
        if (mp_get_array(m) != 6)
            m->bad = true;
        mp_get_raw(m, &r->feed, sizeof r->feed);
        r->from = mp_get_u64(m);
        r->to = mp_get_u64(m);
        mp_get_raw(m, r->hash, sizeof r->hash);
        r->correction_ms = mp_get_i64(m);
        class = mp_get_u64(m);
        r->clock = (enum clock_class) class;
        if (!range_is_good(r, class) ||
            (out->n_ranges > 0 && feed_id_cmp(&r[-1].feed, &r->feed) >= 0))
            m->bad = true; /* sorted, so that no feed stands in it twice */
    }
}

static void put_parts(struct buf *b, const struct intent *in)
{
    mp_put_array(b, in->n_parts);
    for (unsigned i = 0; i < in->n_parts; i++) {
        const struct slot_part *p = &in->parts[i];
        mp_put_array(b, 5);
        mp_put_str(b, p->suffix);
        mp_put_u64(b, p->day);
        mp_put_u64(b, p->bytes);
        mp_put_u64(b, p->lines);
        mp_put_bin(b, p->sha256, 32);
    }
}

static void get_parts(struct mp *m, struct intent *out)
{
    uint32_t n = mp_get_array(m);

    if (n > SLOT_PARTS_MAX)
        m->bad = true;
    for (; out->n_parts < n && !m->bad; out->n_parts++) {
        struct slot_part *p = &out->parts[out->n_parts];
        uint64_t day;
        if (mp_get_array(m) != 5)
            m->bad = true;
        mp_get_str(m, p->suffix, sizeof p->suffix);
        if ((day = mp_get_u64(m)) > 99991231)
            m->bad = true;
        p->day = (uint32_t)day;
        p->bytes = mp_get_u64(m);
        p->lines = mp_get_u64(m);
        mp_get_raw(m, p->sha256, 32);
    }
}

static void put_rulings(struct buf *b, const struct intent *in)
{
    mp_put_array(b, in->n_rulings);
    for (unsigned i = 0; i < in->n_rulings; i++) {
        const struct slot_ruling *r = &in->rulings[i];
        mp_put_array(b, 4);
        ref_put(b, &r->ref);
        mp_put_u64(b, r->what);
        mp_put_bin(b, r->word, sizeof r->word);
    }
}

static void get_rulings(struct mp *m, struct intent *out)
{
    uint32_t n;

    out->rulings =
        get_list(m, out->type == SLOT_UPLOAD ? SLOT_RULINGS_MAX : 0, sizeof *out->rulings, &n);
    for (; out->n_rulings < n && !m->bad; out->n_rulings++) {
        struct slot_ruling *r = &out->rulings[out->n_rulings];
        uint64_t what;
        if (mp_get_array(m) != 4)
            m->bad = true;
        ref_get(m, &r->ref);
        what = mp_get_u64(m);
        mp_get_raw(m, r->word, sizeof r->word);
        if ((what != WORD_SEND && what != WORD_VOID) ||
            (out->n_rulings > 0 && ref_cmp(&r[-1].ref, &r->ref) >= 0))
            m->bad = true; /* sorted, so that no record stands in it twice */
        r->what = (uint8_t)what;
    }
}

static void put_released(struct buf *b, const struct intent *in)
{
    mp_put_array(b, in->n_released);
    for (unsigned i = 0; i < in->n_released; i++) {
        const struct slot_released *r = &in->released[i];
        mp_put_array(b, 5);
        ref_put(b, &r->ref);
        mp_put_u64(b, r->slot);
        mp_put_u64(b, r->what);
        mp_put_bin(b, r->id, sizeof r->id);
    }
}

static void get_released(struct mp *m, struct intent *out)
{
    uint32_t n;

    out->released =
        get_list(m, out->type == SLOT_UPLOAD ? SLOT_RELEASED_MAX : 0, sizeof *out->released, &n);
    for (; out->n_released < n && !m->bad; out->n_released++) {
        struct slot_released *r = &out->released[out->n_released];
        uint64_t what;
        if (mp_get_array(m) != 5)
            m->bad = true;
        ref_get(m, &r->ref);
        r->slot = mp_get_u64(m);
        what = mp_get_u64(m);
        mp_get_raw(m, r->id, sizeof r->id);
        if (r->slot == 0 || r->slot >= out->slot || what == 0 || what > UINT8_MAX ||
            (out->n_released > 0 && ref_cmp(&r[-1].ref, &r->ref) >= 0))
            m->bad = true; /* sorted, so that no record stands in it twice */
        r->what = (uint8_t)what;
    }
}

static void get_restored(struct mp *m, struct intent *out)
{
    uint32_t n = mp_get_array(m);

    if (n > SEATS_MAX || (n > 0 && out->type != SLOT_SEATS))
        m->bad = true;
    for (; out->n_restored < n && !m->bad; out->n_restored++) {
        size_t len = 0;
        const uint8_t *word = mp_get_bin(m, &len);
        if (m->bad || len > SLOT_WORD_MAX)
            m->bad = true;
        else
            mp_put_bin(&out->restored, word, len);
    }
}

void intent_encode(const struct intent *in, struct buf *out)
{
    mp_put_array(out, INTENT_FIELDS);
    mp_put_u64(out, 1);
    mp_put_bin(out, in->branch, BRANCH_ID_BYTES);
    epoch_put(out, &in->epoch);
    mp_put_u64(out, in->slot);
    mp_put_bin(out, in->prev, HASH_BYTES);
    mp_put_u64(out, in->term);
    mp_put_bin(out, in->desk.b, DESK_ID_BYTES);
    mp_put_u64(out, in->type);
    put_seats(out, in);
    mp_put_bin(out, in->policy, HASH_BYTES);
    mp_put_u64(out, in->rules);
    mp_put_str(out, in->sink);
    put_ranges(out, in);
    mp_put_u64(out, in->records);
    mp_put_u64(out, in->set_aside);
    mp_put_bin(out, in->aside, sizeof in->aside);
    mp_put_u64(out, in->back_to);
    put_parts(out, in);
    put_rulings(out, in);
    put_released(out, in);
    mp_put_u64(out, in->cards);
    mp_put_bin(out, in->trigger.p, in->trigger.len);
    mp_put_array(out, in->n_restored);
    buf_add(out, in->restored.p, in->restored.len);
}

enum err intent_decode(const uint8_t *p, size_t n, struct intent *out, struct errmsg *msg)
{
    struct mp m = mp_over(p, n);
    const uint8_t *trigger;
    size_t trigger_n = 0;
    uint64_t type;

    memset(out, 0, sizeof *out);
    if (mp_get_array(&m) != INTENT_FIELDS || mp_get_u64(&m) != 1)
        return err_set(msg, ERR_MALFORMED, "not an intent of this version");
    mp_get_raw(&m, out->branch, BRANCH_ID_BYTES);
    epoch_get(&m, &out->epoch);
    out->slot = mp_get_u64(&m);
    mp_get_raw(&m, out->prev, HASH_BYTES);
    out->term = mp_get_u64(&m);
    mp_get_raw(&m, out->desk.b, DESK_ID_BYTES);
    type = mp_get_u64(&m);
    if (type < SLOT_UPLOAD || type > SLOT_HORIZON)
        m.bad = true;
    out->type = (enum slot_type)type;
    get_seats(&m, out);
    mp_get_raw(&m, out->policy, HASH_BYTES);
    out->rules = (unsigned)mp_get_u64(&m);
    mp_get_str(&m, out->sink, sizeof out->sink);
    get_ranges(&m, out);
    out->records = mp_get_u64(&m);
    out->set_aside = mp_get_u64(&m);
    mp_get_raw(&m, out->aside, sizeof out->aside);
    out->back_to = mp_get_u64(&m);
    get_parts(&m, out);
    get_rulings(&m, out);
    get_released(&m, out);
    out->cards = mp_get_u64(&m);
    if (out->cards >= out->slot && out->cards != 0)
        m.bad = true;
    trigger = mp_get_bin(&m, &trigger_n);
    get_restored(&m, out);
    if (mp_done(&m))
        buf_add(&out->trigger, trigger, trigger_n);
    if (!mp_done(&m) || out->trigger.failed || out->restored.failed || out->slot == 0) {
        intent_free(out);
        return err_set(msg, ERR_MALFORMED, "an intent that does not parse");
    }
    return ERR_OK;
}

void intent_free(struct intent *in)
{
    free(in->ranges);
    free(in->released);
    free(in->rulings);
    in->ranges = NULL;
    in->released = NULL;
    in->rulings = NULL;
    in->n_ranges = in->n_released = in->n_rulings = 0;
    buf_free(&in->trigger);
    buf_free(&in->restored);
    in->n_restored = 0;
}

bool intent_sends_nothing(const struct intent *in)
{
    return in->n_ranges == 0 && in->n_released == 0;
}

void intent_hash(const uint8_t *p, size_t n, uint8_t out[HASH_BYTES])
{
    hash_parts("tideover intent v1", &(struct part){ p, n }, 1, out, HASH_BYTES);
}
