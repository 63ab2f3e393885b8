/* loaded.c - a file that was handed over is loaded later, by the system's own report: what a lead
 * says of that report closes what was "not confirmed yet", and makes a refused line an exception.
 *
 * Rows of refused records come and go with words and receipts alone, so that all desks have the same
 * whatever came first: a record is set aside as not loaded if a word says so of the upload that had
 * it last, and no DONE names it. */
#include <stdlib.h>
#include <string.h>

#include "core_int.h"
#include "mem.h"

static bool decided_intent(const struct core *c, uint64_t slot, struct intent *in,
                           uint8_t hash[HASH_BYTES])
{
    struct buf b = { 0 };
    struct receipt r;
    bool yes = ledger_receipt(c->ledger, slot, &b) == ERR_OK &&
               receipt_decode(b.p, b.len, &r, NULL) == ERR_OK &&
               intent_decode(r.intent, r.intent_len, in, NULL) == ERR_OK;

    if (yes)
        intent_hash(r.intent, r.intent_len, hash);
    buf_free(&b);
    return yes;
}

static bool speaks_of(const struct core *c, unsigned i, uint64_t slot,
                      const uint8_t intent[HASH_BYTES], struct word *w)
{
    return said_word(&c->said, i, w) && (w->kind == WORD_LOADED || w->kind == WORD_NOT_LOADED) &&
           w->slot == slot && memcmp(w->intent, intent, HASH_BYTES) == 0 &&
           roster_is_lead(c->roster, w->key);
}

static int by_ref(const void *x, const void *y)
{
    return ref_cmp(x, y);
}

/* Distinct records that words of this upload name; UINT64_MAX: no memory. */
static uint64_t count_named(const struct core *c, uint64_t slot, const uint8_t intent[HASH_BYTES],
                            uint64_t *all)
{
    struct record_ref *v = mem_alloc((*all + 1) * sizeof *v);
    uint64_t n = 0, distinct = 0;
    struct word w;

    for (unsigned i = 0; v && i < c->said.n; i++) {
        struct word_walk walk;
        struct word_ref r;
        if (!speaks_of(c, i, slot, intent, &w))
            continue;
        for (walk = word_refs(&w); n < *all && word_ref_next(&walk, &r);)
            v[n++] = r.ref;
    }
    if (n > 0)
        qsort(v, n, sizeof *v, by_ref);
    for (uint64_t i = 0; i < n; i++)
        distinct += i == 0 || ref_cmp(&v[i - 1], &v[i]) != 0;
    free(v);
    return v ? distinct : UINT64_MAX;
}

bool core_loaded(const struct core *c, uint64_t slot, struct loaded_view *out)
{
    uint8_t hash[HASH_BYTES];
    struct intent in;
    uint64_t refs = 0;
    bool all = false;
    struct word w;

    memset(out, 0, sizeof *out);
    if (!decided_intent(c, slot, &in, hash))
        return false;
    for (unsigned i = 0; i < in.n_parts; i++)
        out->lines += in.parts[i].lines;
    out->answers = sink_answers(in.sink);
    if (in.type != SLOT_UPLOAD) {
        intent_free(&in);
        return false;
    }
    intent_free(&in);
    for (unsigned i = 0; i < c->said.n; i++) {
        if (!speaks_of(c, i, slot, hash, &w))
            continue;
        all |= w.kind == WORD_LOADED && w.n_refs == 0;
        refs += w.n_refs;
        out->refused += w.kind == WORD_NOT_LOADED ? w.n_refs : 0;
        if (w.at_ms > out->at_ms)
            out->at_ms = w.at_ms;
        memcpy(out->lead, w.key, KEY_BYTES);
    }
    out->named = refs > 0 ? count_named(c, slot, hash, &refs) : 0;
    if (all || out->answers)
        out->named = out->lines;
    out->settled = out->named >= out->lines;
    return true;
}

bool core_loaded_says(const struct core *c, unsigned i, uint64_t slot, struct word *w)
{
    uint8_t hash[HASH_BYTES];
    struct intent in;

    if (!said_word(&c->said, i, w) || (w->kind != WORD_LOADED && w->kind != WORD_NOT_LOADED) ||
        w->slot != slot || !decided_intent(c, slot, &in, hash))
        return false;
    intent_free(&in);
    return speaks_of(c, i, slot, hash, w);
}

/* ---- rows of what was refused ---- */

static bool had_it(const struct intent *in, const struct record_ref *ref)
{
    for (unsigned i = 0; i < in->n_ranges; i++)
        if (feed_id_eq(&in->ranges[i].feed, &ref->feed))
            return ref->seq >= in->ranges[i].from && ref->seq <= in->ranges[i].to;
    return false;
}

static bool was_released(const struct intent *in, const struct record_ref *ref)
{
    for (unsigned i = 0; i < in->n_released; i++)
        if (ref_cmp(&in->released[i].ref, ref) == 0)
            return true;
    return false;
}

static bool is_done(const struct core *c, const struct record_ref *ref)
{
    struct word w;

    for (unsigned i = 0; i < c->said.n; i++) {
        struct word_walk walk;
        struct word_ref r;
        if (!said_word(&c->said, i, &w) || w.kind != WORD_DONE || !roster_is_lead(c->roster, w.key))
            continue;
        for (walk = word_refs(&w); word_ref_next(&walk, &r);)
            if (ref_cmp(&r.ref, ref) == 0)
                return true;
    }
    return false;
}

static enum err note(struct core *c, const struct intent *in, const struct word_ref *said)
{
    struct aside a = { .ref = said->ref, .what = ASIDE_NOT_LOADED }, old;
    uint8_t id[MACHINE_ID];
    uint64_t slot;

    if (!had_it(in, &said->ref) && !was_released(in, &said->ref))
        return ERR_OK;
    if (past_aside(c, &said->ref, &old, &slot)) {
        if (slot != in->slot || old.what != ASIDE_AGAIN ||
            memcmp(old.id, said->id, MACHINE_ID) != 0)
            return ERR_OK; /* it went again since, or was never sent */
    } else if (!excepted_identify(c, &said->ref, id) || memcmp(id, said->id, MACHINE_ID) != 0) {
        return ERR_OK;
    }
    if (is_done(c, &said->ref))
        return ERR_OK;
    memcpy(a.id, said->id, MACHINE_ID);
    return past_note(c, in->slot, &a);
}

static enum err note_word(struct core *c, const struct word *w)
{
    struct intent in = { .slot = 0 };
    uint8_t hash[HASH_BYTES];
    struct word_walk walk;
    struct word_ref r;
    enum err e = ERR_OK;

    if (!decided_intent(c, w->slot, &in, hash))
        return ERR_OK;
    if (in.type == SLOT_UPLOAD && memcmp(hash, w->intent, HASH_BYTES) == 0)
        for (walk = word_refs(w); e == ERR_OK && word_ref_next(&walk, &r);)
            e = note(c, &in, &r);
    intent_free(&in);
    return e;
}

/* Looks at all such words again whenever a word, a lead or a list is new. */
void loaded_tick(struct core *c)
{
    struct past *p = &c->past;
    struct word w;

    if (!core_asides_known(c) || !past_can_read(c) || p->sweep || p->sweep_at ||
        (p->loaded_words == c->said.n && p->loaded_ops == roster_ops(c->roster) &&
         p->loaded_known == p->known))
        return;
    for (unsigned i = 0; i < c->said.n; i++)
        if (said_word(&c->said, i, &w) && w.kind == WORD_NOT_LOADED && w.slot <= p->known &&
            w.slot >= p->back_to && roster_is_lead(c->roster, w.key) && note_word(c, &w) != ERR_OK)
            return; /* the batch is lost, and the core with it */
    p->loaded_words = c->said.n;
    p->loaded_ops = roster_ops(c->roster);
    p->loaded_known = p->known;
}

enum err core_sent_ref(const struct core *c, uint64_t slot, const struct record_ref *ref,
                       struct word_ref *out, struct errmsg *msg)
{
    struct intent in = { .slot = 0 };
    uint8_t hash[HASH_BYTES];
    bool had = decided_intent(c, slot, &in, hash) && (had_it(&in, ref) || was_released(&in, ref));

    intent_free(&in);
    if (!had)
        return err_why(msg, ERR_INVALID, "other_upload", "ids",
                       "a record that is not in upload %llu", (unsigned long long)slot);
    out->ref = *ref;
    if (!excepted_identify(c, ref, out->id))
        return err_why(msg, ERR_MISSING, "erased", "ids",
                       "a record that is not here any more: it was confirmed, and kept as long as "
                       "the policy says");
    return ERR_OK;
}
