/* past.c - what decided uploads left behind: which records have no final outcome. */
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#include "core_int.h"

#define ASK_AGAIN_MS 10000 /* an answer to EFFECT_ASIDE may be lost */
#define ROWS_AT_ONCE 2048  /* of a long list, in one batch */

static const uint8_t known_key[] = { 'B' };

static void free_slots(struct past_slot *v, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        free(v[i].unknown);
    free(v);
}

void past_free(struct past *p)
{
    free_slots(p->v, p->n);
    free_slots(p->old, p->n_old);
    asides_free(&p->list);
    free(p->done.v);
    free(p->freed.v);
    free(p->cards_said.v);
    release_free(&p->release);
    memset(p, 0, sizeof *p);
}

/* ---- decided slots ---- */

static enum err set_known(struct core *c, uint64_t slot)
{
    const struct disk *d = c->conf.disk;
    uint8_t value[8];

    put_be64(value, slot);
    c->past.known = slot;
    c->past.ask_ms = 0;   /* the next list at once */
    c->past.sweep = true; /* something may have been said of them already */
    erase_look(c);
    return d->put(d->ctx, TABLE_META, known_key, sizeof known_key, value, sizeof value);
}

/* False: no memory; then nothing is erased or released here. */
bool past_decided(struct core *c, const struct receipt *r, const struct intent *in)
{
    struct past *p = &c->past;
    struct past_slot *s, *grown;

    if (in->type == SLOT_HORIZON) {
        p->back_to = in->back_to;
        p->gone_is_stale = true;
        p->sweep = true; /* what was sent again under it need not be readable any more */
        return true;
    }
    if (in->type != SLOT_UPLOAD)
        return true;
    if ((grown = mem_room(p->v, p->n, &p->room, sizeof *grown)) == NULL)
        return false;
    p->v = grown;
    s = &p->v[p->n++];
    memset(s, 0, sizeof *s);
    s->slot = in->slot;
    s->at_ms = r->at_ms;
    s->uploader = r->desk;
    s->set_aside = in->set_aside;
    s->released = in->n_released > 0;
    p->cards = in->cards;
    release_forget(&p->release); /* what it took along has another outcome now */
    memcpy(s->aside, in->aside, sizeof s->aside);
    intent_hash(r->intent, r->intent_len, s->intent);
    return true;
}

static bool same_slot(const struct past_slot *a, const struct past_slot *b)
{
    return a->slot == b->slot && memcmp(a->intent, b->intent, HASH_BYTES) == 0;
}

/* What both chains have stays known; rows of what an override took back go. */
void past_replay(struct core *c, bool begins)
{
    struct past *p = &c->past;
    unsigned same = 0;

    if (begins) {
        p->old = p->v;
        p->n_old = p->n;
        p->v = NULL;
        p->n = p->room = 0;
        p->back_to = p->cards = 0;
        return;
    }
    for (; same < p->n && same < p->n_old && same_slot(&p->v[same], &p->old[same]); same++) {
        p->v[same].unknown = p->old[same].unknown;
        p->v[same].n_unknown = p->old[same].n_unknown;
        p->old[same].unknown = NULL;
    }
    if (same < p->n_old && p->known >= p->old[same].slot) {
        p->drop_from = p->old[same].slot;
        set_known(c, same > 0 ? p->v[same - 1].slot : 0);
    }
    asides_free(&p->list);
    p->list_slot = 0;
    free_slots(p->old, p->n_old);
    p->old = NULL;
    p->n_old = 0;
    p->gone_is_stale = true;
}

bool past_can_read(const struct core *c)
{
    for (unsigned i = 0; i < c->feeds.n; i++)
        if (c->feeds.v[i].floor.seq > feeds_gone(&c->feeds, &c->feeds.v[i].opening.id))
            return false;
    return !c->past.gone_is_stale;
}

static enum err intent_of_slot(const struct core *c, uint64_t slot, struct intent *in)
{
    struct buf b = { 0 };
    struct receipt r;
    enum err e = ledger_receipt(c->ledger, slot, &b);

    if (e == ERR_OK && (e = receipt_decode(b.p, b.len, &r, NULL)) == ERR_OK)
        e = intent_decode(r.intent, r.intent_len, in, NULL);
    buf_free(&b);
    return e;
}

/* How far each feed lies under the horizon. */
static void refresh_gone(struct core *c)
{
    for (uint64_t s = 1; s < c->past.back_to; s++) {
        struct intent in;
        if (intent_of_slot(c, s, &in) != ERR_OK)
            return; /* tried again at the next tick */
        for (unsigned i = 0; i < in.n_ranges; i++)
            feeds_set_gone(&c->feeds, &in.ranges[i].feed, in.ranges[i].to);
        intent_free(&in);
    }
    c->past.gone_is_stale = false;
    erase_look(c);
}

/* ---- computing the list of each decided upload ---- */

static struct past_slot *slot_at(struct core *c, uint64_t slot)
{
    for (unsigned i = 0; i < c->past.n; i++)
        if (c->past.v[i].slot == slot)
            return &c->past.v[i];
    return NULL;
}

static struct past_slot *first_unknown(struct core *c)
{
    for (unsigned i = 0; i < c->past.n; i++)
        if (c->past.v[i].slot > c->past.known)
            return &c->past.v[i];
    return NULL;
}

bool past_is_known(const struct core *c)
{
    return c->past.n == 0 ||
           (c->past.v[c->past.n - 1].slot <= c->past.known && excepted_are_known(c));
}

static void unknown_key(uint64_t slot, uint8_t key[9])
{
    key[0] = known_key[0];
    put_be64(key + 1, slot);
}

static int by_place(const void *x, const void *y)
{
    const struct record_ref *ref = x;
    const struct aside *a = y;

    return ref_cmp(ref, &a->ref);
}

/* Released records have another outcome now: what the list says of them (it is in the table), else
 * `what`. */
static enum err note_released(struct core *c, const struct intent *in, enum aside_what what,
                              const struct asides *list)
{
    enum err e = ERR_OK;

    for (unsigned i = 0; i < in->n_released && e == ERR_OK; i++) {
        const struct slot_released *r = &in->released[i];
        struct aside a = { .ref = r->ref, .what = what };
        memcpy(a.id, r->id, MACHINE_ID);
        if (!release_holds(c, &r->ref))
            continue; /* erased before this desk came back: there is nothing to keep */
        if (!list || list->n == 0 || !bsearch(&r->ref, list->v, list->n, sizeof *list->v, by_place))
            e = past_note(c, in->slot, &a);
    }
    return e;
}

/* The list is in the table; what went again and is not in it was sent, and stays readable. */
static enum err list_is_known(struct core *c, const struct past_slot *s, const struct asides *list)
{
    struct intent in;
    enum err e = ERR_OK;

    if (s->released && (e = intent_of_slot(c, s->slot, &in)) == ERR_OK) {
        e = note_released(c, &in, ASIDE_AGAIN, list);
        intent_free(&in);
    }
    return e == ERR_OK ? set_known(c, s->slot) : e;
}

/* Records of a slot whose list cannot be computed here any more stay, all of them. */
static enum err give_up(struct core *c, struct past_slot *s, const char *why)
{
    const struct disk *d = c->conf.disk;
    struct intent in;
    uint8_t key[9];

    effects_event(&c->fx, "what upload %llu set aside is not known here (%s): its records are kept",
                  (unsigned long long)s->slot, why);
    if (intent_of_slot(c, s->slot, &in) != ERR_OK)
        return ERR_OK; /* asked again */
    s->unknown = in.ranges;
    s->n_unknown = in.n_ranges;
    in.ranges = NULL;
    note_released(c, &in, ASIDE_UNKNOWN, NULL);
    intent_free(&in);
    unknown_key(s->slot, key);
    d->put(d->ctx, TABLE_META, key, sizeof key, "", 0);
    return set_known(c, s->slot);
}

static void load_unknown(struct core *c)
{
    const struct disk *d = c->conf.disk;
    struct buf b = { 0 };

    for (unsigned i = 0; i < c->past.n; i++) {
        struct past_slot *s = &c->past.v[i];
        struct intent in;
        uint8_t key[9];
        unknown_key(s->slot, key);
        if (s->slot > c->past.known || d->get(d->ctx, TABLE_META, key, sizeof key, &b) != ERR_OK ||
            intent_of_slot(c, s->slot, &in) != ERR_OK)
            continue;
        s->unknown = in.ranges;
        s->n_unknown = in.n_ranges;
        in.ranges = NULL;
        intent_free(&in);
    }
    buf_free(&b);
}

enum err past_load_number(const struct core *c, const uint8_t *key, size_t n, uint64_t *out)
{
    const struct disk *d = c->conf.disk;
    struct buf b = { 0 };
    enum err e = d->get(d->ctx, TABLE_META, key, n, &b);

    if (e == ERR_OK && b.len == 8)
        *out = get_be64(b.p);
    buf_free(&b);
    return e == ERR_MISSING ? ERR_OK : e;
}

enum err past_load(struct core *c, struct errmsg *msg)
{
    enum err e = past_load_number(c, known_key, sizeof known_key, &c->past.known);

    if (e == ERR_OK)
        e = past_load_agreed(c);
    if (e == ERR_OK)
        e = excepted_load(c);
    if (e == ERR_OK)
        e = past_count_rows(c);
    load_unknown(c);
    c->past.drop_from = c->past.known + 1; /* a list that was being written when the node died */
    c->past.sweep = c->past.gone_is_stale = true;
    return e == ERR_OK ? ERR_OK : err_set(msg, e, "what was set aside cannot be read");
}

bool past_is_unknown(const struct core *c, const struct record_ref *ref, uint64_t *slot)
{
    for (unsigned i = 0; i < c->past.n; i++) {
        const struct past_slot *s = &c->past.v[i];
        for (unsigned k = 0; k < s->n_unknown; k++)
            if (feed_id_eq(&s->unknown[k].feed, &ref->feed) && ref->seq >= s->unknown[k].from &&
                ref->seq <= s->unknown[k].to) {
                *slot = s->slot;
                return true;
            }
    }
    return false;
}

void core_asides(struct core *c, const struct moment *now, uint64_t slot, struct asides *list,
                 const char *failure)
{
    struct past_slot *s = slot_at(c, slot);
    uint8_t hash[ASIDE_HASH_BYTES];

    c->now_ms = now->boot_ms;
    if (!s || s != first_unknown(c) || c->past.list_slot == slot)
        return; /* an answer that came twice */
    if (failure) {
        give_up(c, s, failure);
        return;
    }
    asides_hash(list, hash);
    if (list->n != s->set_aside || memcmp(hash, s->aside, sizeof hash) != 0) {
        give_up(c, s, "it is not what the uploader computed");
        return;
    }
    asides_free(&c->past.list);
    c->past.list = *list;
    memset(list, 0, sizeof *list);
    c->past.list_slot = slot;
    c->past.list_at = 0;
}

static void put_some_rows(struct core *c)
{
    struct past *p = &c->past;
    unsigned end = p->list_at + ROWS_AT_ONCE;

    for (; p->list_at < p->list.n && p->list_at < end; p->list_at++)
        if (past_note(c, p->list_slot, &p->list.v[p->list_at]) != ERR_OK)
            return; /* the batch is lost, and the core with it */
    if (p->list_at < p->list.n || list_is_known(c, slot_at(c, p->list_slot), &p->list) != ERR_OK)
        return;
    asides_free(&p->list);
    p->list_slot = 0;
}

static bool holds_slot(const struct core *c, const struct intent *in)
{
    for (unsigned i = 0; i < in->n_ranges; i++)
        if (!feeds_holds(&c->feeds, &in->ranges[i].feed, in->ranges[i].to, in->ranges[i].hash))
            return false;
    return true;
}

static bool is_erased(const struct core *c, const struct intent *in)
{
    for (unsigned i = 0; i < in->n_ranges; i++) {
        const struct feed *f = feeds_find(&c->feeds, &in->ranges[i].feed);
        if (f && f->floor.seq >= in->ranges[i].from)
            return true;
    }
    return false;
}

static void ask_for_list(struct core *c)
{
    struct past_slot *s = first_unknown(c);
    struct intent in;

    if (!s || c->past.list_slot != 0 || c->now_ms < c->past.ask_ms ||
        intent_of_slot(c, s->slot, &in) != ERR_OK)
        return;
    c->past.ask_ms = c->now_ms + ASK_AGAIN_MS;
    if (s->set_aside == 0) /* nothing to find, so nothing to compute */
        list_is_known(c, s, NULL);
    else if (is_erased(c, &in)) /* others erased it before this desk came back */
        give_up(c, s, "a part of it is erased");
    else if (holds_slot(c, &in) && feeds_hold_cuts(&c->feeds)) /* R9 reads earlier ones, too */
        effects_add(&c->fx, EFFECT_ASIDE, NULL, s->slot, NULL);
    else
        c->past.ask_ms = c->now_ms + 500; /* its records are on their way */
    if (past_is_known(c) || c->past.known >= s->slot)
        c->past.ask_ms = 0;
    intent_free(&in);
}

bool core_asides_known(const struct core *c)
{
    return past_is_known(c) && c->past.list_slot == 0 && c->past.drop_from == 0;
}

void past_tick(struct core *c)
{
    if (c->past.gone_is_stale)
        refresh_gone(c);
    if (c->past.drop_from > 0 && !c->past.sweep_at)
        c->past.sweep = true;
    else if (c->past.drop_from == 0 && c->past.list_slot != 0)
        put_some_rows(c);
    else if (c->past.drop_from == 0)
        ask_for_list(c);
    excepted_tick(c);
    past_sweep(c);
    loaded_tick(c);
    if (c->now_ms >= c->past.look_ms) {
        c->past.look_ms = c->now_ms + 1000;
        past_learn_agrees(c);
    }
    release_refresh(c);
}

bool past_is_at_work(const struct core *c)
{
    const struct past *p = &c->past;

    return p->gone_is_stale || p->sweep || p->sweep_at || p->drop_from > 0 || p->list_slot != 0 ||
           p->note_at > 0 || p->wiping;
}
