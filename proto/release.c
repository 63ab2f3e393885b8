/* release.c - which set-aside records the next upload takes along, on a lead's word.
 *
 * Every desk computes the same set from the same words and the same rows, so a seat can look up
 * what is proposed instead of believing it. A record goes once for each word: the word names the
 * upload of its last outcome, and once it has another one the word means nothing any more. */
#include <stdlib.h>
#include <string.h>

#include "core_int.h"
#include "ledger_int.h"
#include "mem.h"

void release_free(struct release *r)
{
    free(r->v);
    memset(r, 0, sizeof *r);
}

void release_forget(struct release *r)
{
    r->n = 0;
    r->ready = false;
    memset(r->hash, 0, sizeof r->hash);
}

static bool is_kept(const struct core *c, const struct record_ref *ref)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[REF_KEY];
    struct buf b = { 0 };
    bool yes;

    ref_key(ref, key);
    yes = d->get(d->ctx, TABLE_KEPT, key, sizeof key, &b) == ERR_OK;
    buf_free(&b);
    return yes;
}

/* Above the floor all is here; between it and what is erased there may be a gap. */
bool release_holds(const struct core *c, const struct record_ref *ref)
{
    const struct feed *f = feeds_find(&c->feeds, &ref->feed);
    struct buf raw = { 0 };
    struct block b;
    bool here;

    if (!f || ref->seq > f->seq)
        return false;
    if (ref->seq > f->floor.seq)
        return true;
    here = is_kept(c, ref) || (ref->seq > f->base && feeds_block(c->conf.disk, f->alias, ref->seq,
                                                                 &raw, &b, NULL) == ERR_OK);
    buf_free(&raw);
    return here;
}

static bool add(struct release *r, const struct aside *a, uint64_t slot)
{
    struct slot_released *grown = mem_room(r->v, r->n, &r->room, sizeof *grown);

    if (!grown)
        return false;
    r->v = grown;
    r->v[r->n] = (struct slot_released){ .ref = a->ref, .slot = slot, .what = (uint8_t)a->what };
    memcpy(r->v[r->n++].id, a->id, MACHINE_ID);
    return true;
}

/* Named one by one. */
static bool add_named(struct core *c, const struct word *w)
{
    struct word_walk walk = word_refs(w);
    struct word_ref said;

    while (word_ref_next(&walk, &said)) {
        struct aside a;
        uint64_t slot;
        if (past_aside(c, &said.ref, &a, &slot) && slot == w->slot &&
            memcmp(a.id, said.id, MACHINE_ID) == 0 && aside_may_go_again(a.what) &&
            release_holds(c, &said.ref) && !add(&c->past.release, &a, slot))
            return false;
    }
    return true;
}

/* All that waited for a card which the ILS knows now. */
static bool add_waiting(struct core *c)
{
    struct record_ref at = { .seq = 0 };
    struct aside_view v;

    if (c->past.release.cards == 0 || c->past.rows[ASIDE_WAITS] == 0)
        return true;
    while (core_aside_next(c, &at, &v)) {
        struct aside a = { .ref = v.ref, .what = v.what };
        memcpy(a.id, v.id, MACHINE_ID);
        if (v.what == ASIDE_WAITS && v.slot <= c->past.release.cards && release_holds(c, &v.ref) &&
            !add(&c->past.release, &a, v.slot))
            return false;
    }
    return true;
}

static int by_ref(const void *x, const void *y)
{
    const struct slot_released *a = x, *b = y;

    return ref_cmp(&a->ref, &b->ref);
}

static void drop_doubles(struct release *r)
{
    unsigned kept = 0;

    if (r->n > 0)
        qsort(r->v, r->n, sizeof *r->v, by_ref);
    for (unsigned i = 0; i < r->n; i++)
        if (kept == 0 || ref_cmp(&r->v[kept - 1].ref, &r->v[i].ref) != 0)
            r->v[kept++] = r->v[i];
    r->n = kept;
}

/* It went with an upload that an override took back. Its row speaks of the upload before again, and so
 * does the lead's word; but it went (O4). */
static void drop_sent(void *ctx, const struct slot_released *sent)
{
    struct release *r = ctx;
    struct slot_released *v = r->n > 0 ? bsearch(sent, r->v, r->n, sizeof *r->v, by_ref) : NULL;

    if (!v || v->slot != sent->slot || memcmp(v->id, sent->id, MACHINE_ID) != 0)
        return;
    r->n--;
    memmove(v, v + 1, (size_t)(r->v + r->n - v) * sizeof *v);
}

static bool hash_set(struct release *r)
{
    struct buf b = { 0 };
    bool ok;

    mp_put_u64(&b, r->cards);
    for (unsigned i = 0; i < r->n; i++) {
        ref_put(&b, &r->v[i].ref);
        mp_put_u64(&b, r->v[i].slot);
        mp_put_u64(&b, r->v[i].what);
        mp_put_bin(&b, r->v[i].id, MACHINE_ID);
    }
    if ((ok = !b.failed))
        hash_parts("tideover released v1", &(struct part){ b.p, b.len }, 1, r->hash,
                   sizeof r->hash);
    buf_free(&b);
    return ok;
}

static bool gather(struct core *c)
{
    struct release *r = &c->past.release;
    uint64_t decided = ledger_decided(c->ledger);
    struct word w;

    for (unsigned i = 0; i < c->said.n; i++) {
        if (!said_word(&c->said, i, &w) || !roster_is_lead(c->roster, w.key) || w.slot > decided)
            continue;
        if (w.kind == WORD_CARDS && w.slot > r->cards && past_speaks_of_ours(c, &w))
            r->cards = w.slot;
        if (w.kind == WORD_RELEASE && !add_named(c, &w))
            return false;
    }
    return add_waiting(c);
}

/* Not while the rows are behind the receipts or the words: then nothing is released here. */
void release_refresh(struct core *c)
{
    struct release *r = &c->past.release;
    bool settled = past_is_known(c) && !c->past.sweep && !c->past.sweep_at &&
                   c->past.drop_from == 0 && c->past.list_slot == 0 &&
                   c->past.words_seen == c->said.n;

    if (r->ready && settled && r->words == c->said.n && r->ops == roster_ops(c->roster) &&
        r->changes == c->past.changes && r->decided == ledger_decided(c->ledger) &&
        r->evidence == c->ledger->n_evidence)
        return;
    release_forget(r);
    r->cards = c->past.cards;
    r->words = c->said.n;
    r->ops = roster_ops(c->roster);
    r->changes = c->past.changes;
    r->decided = ledger_decided(c->ledger);
    r->evidence = c->ledger->n_evidence;
    r->ready = settled && gather(c);
    drop_doubles(r);
    if (r->n > 0)
        evidence_released(c->ledger, drop_sent, r);
    if (!r->ready || !hash_set(r))
        release_forget(r);
}

const struct slot_released *release_of(const struct core *c, const struct record_ref *ref)
{
    const struct release *r = &c->past.release;
    struct slot_released key = { .ref = *ref };

    return r->n > 0 ? bsearch(&key, r->v, r->n, sizeof *r->v, by_ref) : NULL;
}

/* What a majority of seats would not accept must not be proposed: the slot could not be closed. */
static bool is_agreed(const struct core *c)
{
    const struct release *r = &c->past.release;
    struct ledger_moment now = { c->now_ms, c->wall_ms };
    struct ledger_view v;
    unsigned yes = 0;

    if (!r->ready)
        return false;
    ledger_view(c->ledger, &now, &v);
    for (unsigned i = 0; i < v.n_seats; i++) {
        const struct peer *p = sync_peer(c, &v.seats[i]);
        yes += desk_id_eq(&v.seats[i], &c->conf.me->id) ||
               (p && sync_is_online(c, p) && memcmp(p->released, r->hash, sizeof r->hash) == 0);
    }
    return yes > v.n_seats / 2;
}

bool release_waits(struct core *c)
{
    release_refresh(c);
    return !c->past.release.ready ||
           ((c->past.release.n > 0 || c->past.release.cards > c->past.cards) && !is_agreed(c));
}

enum err release_fill(struct core *c, struct intent *in, struct errmsg *msg)
{
    const struct release *r = &c->past.release;

    release_refresh(c);
    in->cards = c->past.cards;
    if (!is_agreed(c))
        return ERR_OK;
    in->cards = r->cards;
    if (r->n == 0)
        return ERR_OK;
    in->n_released = r->n < SLOT_RELEASED_MAX ? r->n : SLOT_RELEASED_MAX;
    if ((in->released = mem_alloc(in->n_released * sizeof *in->released)) == NULL) {
        in->n_released = 0;
        return err_set(msg, ERR_NOMEM, "out of memory");
    }
    memcpy(in->released, r->v, in->n_released * sizeof *in->released);
    in->records += in->n_released;
    return ERR_OK;
}

static bool is_same(const struct slot_released *a, const struct slot_released *b)
{
    return b && a->slot == b->slot && a->what == b->what && memcmp(a->id, b->id, MACHINE_ID) == 0;
}

/* An adopted intent may rest on words that a lead took back since: it is finished as it is, by
 * whoever holds its records. */
enum err release_ok(struct core *c, const struct intent *in, bool adopted, struct errmsg *msg)
{
    release_refresh(c);
    if (!adopted && (in->cards < c->past.cards || in->cards > c->past.release.cards))
        return err_set(msg, ERR_REFUSED, "no lead said here that those cards exist");
    for (unsigned i = 0; i < in->n_released; i++) {
        const struct slot_released *r = &in->released[i];
        if (!release_holds(c, &r->ref))
            return err_set(msg, ERR_REFUSED, "this desk does not hold a released record");
        if (!adopted && !is_same(r, release_of(c, &r->ref)))
            return err_set(
                msg, ERR_REFUSED,
                "a released record that no lead released here, or that went again since");
    }
    return ERR_OK;
}
