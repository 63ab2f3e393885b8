/* answering.c - answers get round: a desk that lacks some of an intent's asks whoever may hold
 * them, and believes none that do not lead to the hash it was told of: rules A1 to A4.
 *
 * What was fetched stays in memory until it is whole and proven; then it goes to the disk together
 * with the step that it belongs to, so that no vote ever speaks of answers that are not there. */
#include <string.h>

#include "mem.h"

#include "ledger_int.h"

#define ASK_AGAIN_MS 500
#define ASK_LATER_MS 5000 /* once everybody was asked */
#define POINTS_MAX   48
#define POINT_BYTES  8
#define ROWS_MOST    1000000 /* of one upload; no outage is so long */

/* ---- asking ---- */

static void ask(struct ledger *l, const struct ledger_moment *now)
{
    struct fetch *f = &l->fetch;
    struct tally t;
    uint8_t hash[HASH_BYTES];
    struct buf b = { 0 }, points = { 0 };
    uint32_t n = 0;

    tally_open(l->disk, f->slot, f->intent, &t);
    for (uint64_t back = 0; f->rows.n == 0 && n < POINTS_MAX && back < t.n; n++) {
        if (!tally_hash(l->disk, &t, t.n - back, hash))
            break;
        mp_put_array(&points, 2);
        mp_put_u64(&points, t.n - back);
        mp_put_bin(&points, hash, POINT_BYTES);
        back = back < 4 ? back + 1 : 2 * back;
    }
    wire_begin(&b, WIRE_ANSWERS_ASK, 5);
    mp_put_u64(&b, f->slot);
    mp_put_bin(&b, f->intent, HASH_BYTES);
    mp_put_u64(&b, f->n);
    mp_put_u64(&b, f->rows.n == 0 ? 0 : f->rows.base + f->rows.n + 1);
    mp_put_array(&b, n);
    buf_add(&b, points.p, points.len);
    buf_free(&points);
    ledger_send(l, &f->from, &b);
    f->again_at = now->boot_ms + ASK_AGAIN_MS;
}

static void begin_anew(struct fetch *f)
{
    tally_rows_free(&f->rows);
    f->proven = false;
}

void answering_drop(struct ledger *l)
{
    begin_anew(&l->fetch);
    memset(&l->fetch, 0, sizeof l->fetch);
}

static void fetch(struct ledger *l, const struct ledger_moment *now, uint64_t slot,
                  const uint8_t intent[HASH_BYTES], const struct progress *p,
                  const struct desk_id *from)
{
    struct fetch *f = &l->fetch;

    if (f->on && f->slot == slot && f->n == p->n_answers &&
        memcmp(f->intent, intent, HASH_BYTES) == 0 && memcmp(f->hash, p->answers, HASH_BYTES) == 0)
        return; /* under way */
    if (p->n_answers > ROWS_MOST)
        return;
    answering_drop(l);
    f->on = true;
    f->slot = slot;
    memcpy(f->intent, intent, HASH_BYTES);
    f->n = p->n_answers;
    memcpy(f->hash, p->answers, HASH_BYTES);
    f->from = *from;
    ask(l, now);
}

bool answering_holds(struct ledger *l, const struct ledger_moment *now, uint64_t slot,
                     const uint8_t intent[HASH_BYTES], const struct progress *p,
                     const struct desk_id *from)
{
    struct fetch *f = &l->fetch;
    struct tally t;

    tally_open(l->disk, slot, intent, &t);
    if (tally_has(l->disk, &t, p))
        return true;
    fetch(l, now, slot, intent, p, from);
    if (!f->on || !f->proven || f->slot != slot || !tally_write(l->disk, &t, &f->rows))
        return false;
    answering_drop(l);
    return true;
}

bool answering_reaches(struct ledger *l, const struct ledger_moment *now, uint64_t slot,
                       const uint8_t intent[HASH_BYTES], const struct progress *p,
                       const struct desk_id *from)
{
    struct tally t;

    tally_open(l->disk, slot, intent, &t);
    if (tally_has(l->disk, &t, p))
        return true;
    fetch(l, now, slot, intent, p, from);
    return l->fetch.on && l->fetch.proven && l->fetch.slot == slot;
}

void answering_bring(struct ledger *l, uint64_t slot, const uint8_t intent[HASH_BYTES],
                     const struct progress *p, struct mp *m)
{
    struct tally_rows r = { .base = mp_get_u64(m) };
    uint32_t n = mp_get_array(m);
    uint8_t hash[HASH_BYTES];
    struct tally t;

    if (m->bad || n == 0 || r.base + n != p->n_answers)
        return;
    tally_open(l->disk, slot, intent, &t);
    if (!tally_has(l->disk, &t, p) && tally_hash(l->disk, &t, r.base, hash) &&
        tally_rows_take(&r, hash, m, n, n) && memcmp(hash, p->answers, HASH_BYTES) == 0)
        tally_write(l->disk, &t, &r); /* few: they came in one message beside their step */
    tally_rows_free(&r);
}

/* The next desk that can be heard, in the roster's order. */
static bool ask_another(struct ledger *l)
{
    struct fetch *f = &l->fetch;

    for (unsigned tries = roster_desks(l->roster); tries > 0; tries--) {
        const struct desk *d = roster_desk(l->roster, f->turn++ % roster_desks(l->roster));
        if (d->state != DESK_REVOKED && !desk_id_eq(&d->id, &l->me->id) &&
            (!l->ask->reached || l->ask->reached(l->ask->ctx, &d->id))) {
            f->from = d->id;
            return true;
        }
    }
    return false;
}

/* ---- what a receipt names and this desk lacks ---- */

void answering_owes(struct ledger *l, const struct receipt *r, const struct intent *in)
{
    struct owed *grown, o = { .slot = in->slot, .uploader = r->desk };
    struct tally t;
    struct progress p;

    if (in->type != SLOT_UPLOAD || r->progress_len == 0 ||
        progress_decode(r->progress, r->progress_len, &p) != ERR_OK || p.n_answers == 0)
        return;
    intent_hash(r->intent, r->intent_len, o.intent);
    tally_open(l->disk, o.slot, o.intent, &t);
    if (tally_has(l->disk, &t, &p))
        return;
    o.n = p.n_answers;
    memcpy(o.hash, p.answers, HASH_BYTES);
    if ((grown = mem_more(l->owed, (l->n_owed + 1) * sizeof *grown)) == NULL)
        return; /* counted: the round is forgotten */
    l->owed = grown;
    l->owed[l->n_owed++] = o;
}

static bool settle_owed(struct ledger *l, const struct ledger_moment *now)
{
    const struct owed *o = &l->owed[0];
    struct progress p = { .n_answers = o->n };

    memcpy(p.answers, o->hash, HASH_BYTES);
    if (!answering_holds(l, now, o->slot, o->intent, &p, &o->uploader))
        return false;
    memmove(l->owed, l->owed + 1, --l->n_owed * sizeof *l->owed);
    return true;
}

/* One that cannot be had now lets the others go first. */
static void put_back(struct ledger *l)
{
    struct owed first = l->owed[0];

    memmove(l->owed, l->owed + 1, (l->n_owed - 1) * sizeof *l->owed);
    l->owed[l->n_owed - 1] = first;
    answering_drop(l);
}

bool answering_lacks(const struct ledger *l, uint64_t slot)
{
    for (unsigned i = 0; i < l->n_owed; i++)
        if (l->owed[i].slot == slot)
            return true;
    return false;
}

void answering_forgets(struct ledger *l, uint64_t below)
{
    for (unsigned i = 0; i < l->n_owed;)
        if (l->owed[i].slot < below)
            memmove(l->owed + i, l->owed + i + 1, (--l->n_owed - i) * sizeof *l->owed);
        else
            i++;
}

void answering_tick(struct ledger *l, const struct ledger_moment *now)
{
    struct fetch *f = &l->fetch;
    bool open = f->on && f->slot > l->dec;

    if (f->on && f->slot <= l->dec && !answering_lacks(l, f->slot))
        answering_drop(l);
    if (!open && l->n_owed > 0 && now->boot_ms >= l->owed_at)
        settle_owed(l, now);
    if (!f->on || f->proven || now->boot_ms < f->again_at)
        return;
    begin_anew(f);
    if (++f->silences > roster_desks(l->roster)) { /* nobody has them, or nobody says so now */
        l->owed_at = now->boot_ms + ASK_LATER_MS;
        if (open)
            answering_drop(l); /* asked for again if it is still wanted */
        else
            put_back(l);
    } else if (ask_another(l)) {
        ask(l, now);
    } else {
        f->again_at = now->boot_ms + ASK_AGAIN_MS;
    }
}

/* ---- answering ---- */

static uint64_t common_point(const struct ledger *l, const struct tally *t, struct mp *m,
                             uint64_t want)
{
    uint32_t n = mp_get_array(m);
    uint64_t best = 0;

    for (uint32_t i = 0; i < n && i < POINTS_MAX && !m->bad; i++) {
        uint8_t theirs[POINT_BYTES], ours[HASH_BYTES];
        uint64_t k;
        if (mp_get_array(m) != 2)
            m->bad = true;
        k = mp_get_u64(m);
        mp_get_raw(m, theirs, sizeof theirs);
        if (!m->bad && k > best && k <= want && tally_hash(l->disk, t, k, ours) &&
            memcmp(theirs, ours, sizeof theirs) == 0)
            best = k;
    }
    return best;
}

void answering_on_ask(struct ledger *l, const struct desk_id *from, struct mp *m)
{
    uint64_t slot = mp_get_u64(m), want, first;
    uint8_t intent[HASH_BYTES];
    struct tally t;
    struct buf b = { 0 }, rows = { 0 }, row = { 0 };
    uint32_t n = 0;

    mp_get_raw(m, intent, sizeof intent);
    want = mp_get_u64(m);
    first = mp_get_u64(m);
    if (m->bad)
        return;
    tally_open(l->disk, slot, intent, &t);
    if (t.n < want)
        return;
    if (first == 0)
        first = common_point(l, &t, m, want) + 1;
    while (!m->bad && first + n <= want && rows.len < ANSWERS_AT_ONCE &&
           tally_row(l->disk, &t, first + n, &row) == ERR_OK) {
        mp_put_bin(&rows, row.p + HASH_BYTES, row.len - HASH_BYTES);
        n++;
    }
    if (!m->bad && n > 0) {
        wire_begin(&b, WIRE_ANSWERS, 4);
        mp_put_u64(&b, slot);
        mp_put_bin(&b, intent, sizeof intent);
        mp_put_u64(&b, first);
        mp_put_array(&b, n);
        buf_add(&b, rows.p, rows.len);
        ledger_send(l, from, &b);
    }
    buf_wipe(&row);
    buf_wipe(&rows);
}

/* Where the rows go on: the base of the first of them is ours, the others follow in memory. */
static bool goes_on(struct ledger *l, uint64_t first)
{
    struct fetch *f = &l->fetch;
    struct tally t;

    if (f->rows.n > 0)
        return first == f->rows.base + f->rows.n + 1;
    tally_open(l->disk, f->slot, f->intent, &t);
    f->rows.base = first - 1;
    return tally_hash(l->disk, &t, f->rows.base, f->at);
}

void answering_on_answers(struct ledger *l, const struct ledger_moment *now,
                          const struct desk_id *from, struct mp *m)
{
    struct fetch *f = &l->fetch;
    uint64_t slot = mp_get_u64(m), first;
    uint8_t intent[HASH_BYTES];
    uint32_t n;

    mp_get_raw(m, intent, sizeof intent);
    first = mp_get_u64(m);
    n = mp_get_array(m);
    if (m->bad || !f->on || f->proven || slot != f->slot || !desk_id_eq(from, &f->from) ||
        memcmp(intent, f->intent, HASH_BYTES) != 0 || first == 0 || first > f->n)
        return;
    if (!goes_on(l, first))
        return;
    if (!tally_rows_take(&f->rows, f->at, m, n, f->n - f->rows.base)) {
        m->bad = true;
        begin_anew(f);
    } else if (f->rows.base + f->rows.n < f->n) {
        ask(l, now);
    } else if (memcmp(f->at, f->hash, HASH_BYTES) == 0) {
        f->proven = true;
    } else {
        ledger_refuse(l, now, "answers", "they are not what was agreed on");
        begin_anew(f); /* somebody else may know better */
    }
}
