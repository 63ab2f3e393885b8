/* past_said.c - what leads said since of the records that decided uploads left behind: what is
 * settled by hand leaves the table, what went again is let go. */
#include <stdlib.h>
#include <string.h>

#include "core_int.h"
#include "ledger_int.h"
#include "mem.h"

#define ROWS_AT_ONCE 2048 /* in one batch */

static int by_ref(const void *x, const void *y)
{
    return ref_cmp(x, y);
}

bool past_speaks_of_ours(const struct core *c, const struct word *w)
{
    uint8_t hash[HASH_BYTES];

    return ledger_slot_hash(c->ledger, w->slot, hash) == ERR_OK &&
           memcmp(hash, w->intent, HASH_BYTES) == 0;
}

/* All records that leads' words of this kind name; of words that name none their slot, under a feed
 * of zeros. */
static bool gather(struct core *c, enum word_kind kind, struct named *out)
{
    struct word w;

    out->n = 0;
    for (unsigned i = 0; i < c->said.n; i++) {
        struct word_walk walk;
        struct record_ref *grown;
        struct word_ref r;
        if (!said_word(&c->said, i, &w) || w.kind != kind || !roster_is_lead(c->roster, w.key) ||
            (w.n_refs == 0 && !past_speaks_of_ours(c, &w)))
            continue;
        walk = word_refs(&w);
        memset(&r, 0, sizeof r);
        r.ref.seq = w.slot;
        do {
            if (w.n_refs > 0 && !word_ref_next(&walk, &r))
                break;
            if ((grown = mem_room(out->v, out->n, &out->room, sizeof *grown)) == NULL)
                return false;
            out->v = grown;
            out->v[out->n++] = r.ref;
        } while (w.n_refs > 0);
    }
    if (out->n > 0)
        qsort(out->v, out->n, sizeof *out->v, by_ref);
    return true;
}

static bool names(const struct named *v, const struct record_ref *ref)
{
    return v->n > 0 && bsearch(ref, v->v, v->n, sizeof *v->v, by_ref) != NULL;
}

/* Of a whole upload it says nothing of what its load report refused, which may have come later. */
static bool is_done(const struct past *p, const struct record_ref *ref, uint64_t slot,
                    enum aside_what what)
{
    if (what == ASIDE_NOT_LOADED)
        return names(&p->done, ref);
    return names(&p->done, ref) || names(&p->done, &(struct record_ref){ .seq = slot });
}

/* Desks that had not heard that it is settled may agree to send it all the same: it is let go like
 * what was sent. */
static bool may_go_elsewhere(const struct past *p, const struct record_ref *ref,
                             enum aside_what what)
{
    return names(&p->freed, ref) || (what == ASIDE_WAITS && p->cards_said.n > 0);
}

static enum err settle_done(struct core *c, const struct record_ref *ref, struct aside *a)
{
    if (!may_go_elsewhere(&c->past, ref, a->what))
        return past_settle_record(c, ref);
    a->what = ASIDE_AGAIN;
    return past_note(c, ledger_decided(c->ledger) + 1, a);
}

/* A successor may have to build the open upload again. It is looked at anew once that is decided.
 */
static bool is_open(const struct core *c, const struct record_ref *ref)
{
    struct intent in;
    bool yes = false;

    if (!ledger_open_intent(c->ledger, &in))
        return false;
    for (unsigned i = 0; i < in.n_released && !yes; i++)
        yes = ref_cmp(&in.released[i].ref, ref) == 0;
    intent_free(&in);
    return yes;
}

static void sweep_some(struct core *c)
{
    const struct disk *d = c->conf.disk;
    struct past *p = &c->past;
    uint8_t key[DISK_KEY_MAX];
    size_t len;

    if (p->sweep) {
        p->sweep = false;
        p->sweep_at = gather(c, WORD_DONE, &p->done) && gather(c, WORD_RELEASE, &p->freed) &&
                      gather(c, WORD_CARDS, &p->cards_said) &&
                      (p->done.n > 0 || p->drop_from > 0 || p->rows[ASIDE_AGAIN] > 0);
        memset(p->sweep_key, 0, sizeof p->sweep_key);
        p->sweep_len = REF_KEY;
    }
    for (unsigned i = 0; p->sweep_at && i < ROWS_AT_ONCE; i++) {
        struct record_ref ref;
        struct aside a;
        uint64_t slot;
        if (d->seek(d->ctx, TABLE_ASIDE, p->sweep_key, p->sweep_len, 1, key, &len, NULL) !=
            ERR_OK) {
            p->sweep_at = false;
            if (!p->sweep)
                p->drop_from = 0;
            return;
        }
        memcpy(p->sweep_key, key, REF_KEY);
        p->sweep_key[REF_KEY] = 0;
        p->sweep_len = REF_KEY + 1;
        ref_of_key(key, &ref);
        if (!past_aside(c, &ref, &a, &slot))
            continue;
        if (p->drop_from > 0 && slot >= p->drop_from)
            past_take_back(c, &ref, p->drop_from);
        else if (a.what == ASIDE_AGAIN && slot < p->back_to)
            past_settle_record(c, &ref);
        else if (a.what != ASIDE_AGAIN && is_done(p, &ref, slot, a.what) && !is_open(c, &ref))
            settle_done(c, &ref, &a);
    }
}

void past_sweep(struct core *c)
{
    if (c->said.n != c->past.words_seen) {
        c->past.words_seen = c->said.n;
        c->past.sweep = true;
    }
    if (c->past.sweep || c->past.sweep_at)
        sweep_some(c);
}

/* Only DONE changes rows; who released something wants to see it at once. */
void past_hear(struct core *c)
{
    struct word w;

    if (c->past.words_seen + 1 == c->said.n && said_word(&c->said, c->said.n - 1, &w) &&
        w.kind != WORD_DONE)
        c->past.words_seen = c->said.n;
    release_refresh(c);
}
