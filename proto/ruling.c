/* ruling.c - what leads ruled of records that no upload has yet: it goes whatever the rules say, or
 * it is taken back.
 *
 * The intent names the rulings that it used, so the payload stays a function of the intent. Of two
 * on one record the later stands, by (time, id of the word), the same on every desk. */
#include <stdlib.h>
#include <string.h>

#include "core_int.h"
#include "mem.h"

struct ruled {
    struct slot_ruling r;
    int64_t at_ms;
};

struct ruled_list {
    struct ruled *v;
    unsigned n, room;
};

/* Is it here, with the history that the word speaks of? Inner hashes are computed, not stored. */
static bool is_here(const struct core *c, const struct word_ref *r)
{
    const struct feed *f = feeds_find(&c->feeds, &r->ref.feed);
    uint8_t h[HASH_BYTES], id[MACHINE_ID];

    if (!f || r->ref.seq > f->seq || feeds_hash_at(&c->feeds, f, r->ref.seq, h) != ERR_OK)
        return false;
    record_machine_id(roster_branch(c->roster), &r->ref.feed, r->ref.seq, h, id);
    return memcmp(id, r->id, MACHINE_ID) == 0;
}

static bool is_under(const struct intent *in, const struct record_ref *ref)
{
    for (unsigned i = 0; i < in->n_ranges; i++)
        if (feed_id_eq(&in->ranges[i].feed, &ref->feed))
            return ref->seq >= in->ranges[i].from && ref->seq <= in->ranges[i].to;
    return false;
}

static bool add(struct ruled_list *l, const struct ruled *one)
{
    struct ruled *grown = mem_room(l->v, l->n, &l->room, sizeof *grown);

    if (!grown)
        return false;
    l->v = grown;
    l->v[l->n++] = *one;
    return true;
}

enum ruled_which { RULED_PENDING, RULED_DECIDED };

static bool add_word(const struct core *c, enum ruled_which which, const struct intent *in,
                     unsigned i, const struct word *w, struct ruled_list *l)
{
    struct word_walk walk = word_refs(w);
    struct word_ref said;

    while (word_ref_next(&walk, &said)) {
        struct ruled one = { .r = { .ref = said.ref, .what = (uint8_t)w->kind },
                             .at_ms = w->at_ms };
        if ((which == RULED_PENDING && said.ref.seq <= feeds_cut(&c->feeds, &said.ref.feed)) ||
            (in && !is_under(in, &said.ref)) || !is_here(c, &said))
            continue;
        memcpy(one.r.word, c->said.v[i].id, SLOT_WORD_ID);
        if (!add(l, &one))
            return false;
    }
    return true;
}

static int by_ref_then_time(const void *x, const void *y)
{
    const struct ruled *a = x, *b = y;
    int k = ref_cmp(&a->r.ref, &b->r.ref);

    return k != 0                 ? k
           : a->at_ms != b->at_ms ? (a->at_ms < b->at_ms ? -1 : 1)
                                  : memcmp(a->r.word, b->r.word, SLOT_WORD_ID);
}

/* The last of each record; of too many the first records. */
static enum err take_last(struct ruled_list *l, struct slot_ruling **out, unsigned *n)
{
    if (l->n == 0)
        return ERR_OK;
    qsort(l->v, l->n, sizeof *l->v, by_ref_then_time);
    if ((*out = mem_alloc(l->n * sizeof **out)) == NULL)
        return ERR_NOMEM;
    for (unsigned i = 0; i < l->n && *n < SLOT_RULINGS_MAX; i++)
        if (i + 1 == l->n || ref_cmp(&l->v[i].r.ref, &l->v[i + 1].r.ref) != 0)
            (*out)[(*n)++] = l->v[i].r;
    return ERR_OK;
}

static enum err list_of(const struct core *c, enum ruled_which which, const struct intent *in,
                        struct slot_ruling **out, unsigned *n, struct errmsg *msg)
{
    struct ruled_list l = { .n = 0 };
    enum err e = ERR_OK;
    struct word w;

    *out = NULL;
    *n = 0;
    for (unsigned i = 0; i < c->said.n && e == ERR_OK; i++)
        if (said_word(&c->said, i, &w) && word_rules(w.kind) && roster_is_lead(c->roster, w.key) &&
            !add_word(c, which, in, i, &w, &l))
            e = ERR_NOMEM;
    if (e == ERR_OK)
        e = take_last(&l, out, n);
    free(l.v);
    return e == ERR_OK ? e : err_set(msg, e, "out of memory");
}

enum err ruling_list(const struct core *c, const struct intent *in, struct slot_ruling **out,
                     unsigned *n, struct errmsg *msg)
{
    return list_of(c, RULED_PENDING, in, out, n, msg);
}

static bool intent_says(const struct intent *in, const struct slot_ruling *r)
{
    for (unsigned i = 0; i < in->n_rulings; i++)
        if (ref_cmp(&in->rulings[i].ref, &r->ref) == 0)
            return in->rulings[i].what == r->what;
    return false;
}

enum err core_late_rulings(const struct core *c, const struct intent *in, struct slot_ruling **out,
                           unsigned *n, struct errmsg *msg)
{
    enum err e = list_of(c, RULED_DECIDED, in, out, n, msg);
    unsigned all = *n;

    *n = 0;
    for (unsigned i = 0; i < all; i++)
        if (!intent_says(in, &(*out)[i]))
            (*out)[(*n)++] = (*out)[i];
    return e;
}

enum word_kind core_ruled(const struct core *c, const struct record_ref *ref, int64_t *at_ms)
{
    struct ruled last = { .r = { .what = 0 } };
    struct word w;

    for (unsigned i = 0; i < c->said.n; i++) {
        struct word_walk walk;
        struct word_ref said;
        if (!said_word(&c->said, i, &w) || !word_rules(w.kind) || !roster_is_lead(c->roster, w.key))
            continue;
        for (walk = word_refs(&w); word_ref_next(&walk, &said);) {
            struct ruled one = { .r = { .ref = said.ref, .what = (uint8_t)w.kind },
                                 .at_ms = w.at_ms };
            memcpy(one.r.word, c->said.v[i].id, SLOT_WORD_ID);
            if (ref_cmp(&said.ref, ref) == 0 && is_here(c, &said) &&
                (last.r.what == 0 || by_ref_then_time(&last, &one) < 0))
                last = one;
        }
    }
    *at_ms = last.at_ms;
    return (enum word_kind)last.r.what;
}

int64_t core_rule_at(const struct core *c, const struct moment *now, const struct record_ref *ref)
{
    int64_t at_ms;

    if (core_ruled(c, ref, &at_ms) == 0 || at_ms < now->wall_ms)
        return now->wall_ms;
    return at_ms < INT64_MAX ? at_ms + 1 : at_ms; /* a word's time is whatever its lead signed */
}

/* A word that a majority of seats does not know would be refused by them. */
bool ruling_waits(struct core *c)
{
    struct ledger_moment now = { c->now_ms, c->wall_ms };
    struct slot_ruling *v = NULL;
    struct ledger_view view;
    unsigned n = 0, yes = 0;
    enum err e = ruling_list(c, NULL, &v, &n, NULL);

    free(v);
    if (e != ERR_OK || n == 0)
        return e != ERR_OK;
    ledger_view(c->ledger, &now, &view);
    for (unsigned i = 0; i < view.n_seats; i++) {
        const struct peer *p = sync_peer(c, &view.seats[i]);
        yes += desk_id_eq(&view.seats[i], &c->conf.me->id) ||
               (p && sync_is_online(c, p) && memcmp(p->words, c->said.hash, sizeof p->words) == 0);
    }
    return yes <= view.n_seats / 2;
}

/* Did a lead say this here? */
static bool was_said(const struct core *c, const struct slot_ruling *r)
{
    for (unsigned i = 0; i < c->said.n; i++) {
        struct word_walk walk;
        struct word_ref said;
        struct word w;
        if (memcmp(c->said.v[i].id, r->word, SLOT_WORD_ID) != 0)
            continue;
        if (!said_word(&c->said, i, &w) || w.kind != (enum word_kind)r->what ||
            !roster_is_lead(c->roster, w.key))
            return false;
        for (walk = word_refs(&w); word_ref_next(&walk, &said);)
            if (ref_cmp(&said.ref, &r->ref) == 0)
                return is_here(c, &said);
        return false;
    }
    return false;
}

/* A ruling that was said since is no reason to refuse: which came first nobody can tell, and the
 * slot would stay open. */
enum err ruling_ok(const struct core *c, const struct intent *in, bool adopted, struct errmsg *msg)
{
    for (unsigned i = 0; i < in->n_rulings; i++) {
        if (!is_under(in, &in->rulings[i].ref))
            return err_set(msg, ERR_REFUSED, "a ruling on a record that is not in the upload");
        if (!adopted && !was_said(c, &in->rulings[i]))
            return err_set(msg, ERR_REFUSED, "a ruling that no lead said here");
    }
    return ERR_OK;
}

static bool names(const struct word *w, const struct record_ref *ref, struct word_ref *said)
{
    struct word_walk walk = word_refs(w);

    while (word_ref_next(&walk, said))
        if (ref_cmp(&said->ref, ref) == 0)
            return true;
    return false;
}

bool ruling_voids(const struct core *c, const struct record_ref *ref)
{
    struct ruled last = { .at_ms = 0 };
    struct word_ref said;
    struct word w;

    for (unsigned i = 0; i < c->said.n; i++) {
        struct ruled one = { .r.ref = *ref };
        if (!said_word(&c->said, i, &w) || !word_rules(w.kind) || !names(&w, ref, &said) ||
            !roster_is_lead(c->roster, w.key) || !is_here(c, &said))
            continue;
        one.r.what = (uint8_t)w.kind;
        one.at_ms = w.at_ms;
        memcpy(one.r.word, c->said.v[i].id, SLOT_WORD_ID);
        if (last.r.what == 0 || by_ref_then_time(&one, &last) > 0)
            last = one;
    }
    return last.r.what == WORD_VOID;
}

enum err core_rule_ref(const struct core *c, const struct record_ref *ref, struct word_ref *out,
                       struct errmsg *msg)
{
    const struct feed *f = feeds_find(&c->feeds, &ref->feed);
    uint8_t h[HASH_BYTES];

    if (ref->seq <= feeds_cut(&c->feeds, &ref->feed))
        return err_why(msg, ERR_REFUSED, "uploaded", "ids",
                       "it is in an upload already: undo it in the library's system, or, if it "
                       "was not sent, see \"tideover upload aside\"");
    if (!f || ref->seq > f->seq || feeds_hash_at(&c->feeds, f, ref->seq, h) != ERR_OK)
        return err_why(msg, ERR_MISSING, "not_here", "ids", "this desk does not hold that record");
    out->ref = *ref;
    record_machine_id(roster_branch(c->roster), &ref->feed, ref->seq, h, out->id);
    return ERR_OK;
}

enum err core_may_rule(const struct core *c, const struct record_ref *ref, struct word_ref *out,
                       struct errmsg *msg)
{
    if (ledger_covers(c->ledger, &ref->feed, ref->seq))
        return err_why(msg, ERR_REFUSED, "uploaded", "ids",
                       "it is in an upload that is under way: once that is over see \"tideover "
                       "upload report\", and undo it in the library's system if it was sent");
    return core_rule_ref(c, ref, out, msg);
}
