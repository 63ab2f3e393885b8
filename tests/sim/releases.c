/* releases.c - leads send set-aside records again, at good and at bad moments; and what must hold.
 * Rows of verbs.c.
 *
 * S1 A record goes again only after a lead's word for it, as it was set aside, and once for each.
 * S2 In the end all desks that can know it know the same records as set aside, for the same reason.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deeds.h"

struct releases {
    struct outcome_of { /* of a record in an upload */
        struct record_ref ref;
        uint64_t slot;
        enum aside_what what;
    } * aside, *said, *went; /* as computed; as leads said; as decided */
    unsigned n_aside, aside_room, n_said, said_room, n_went, went_room;
    uint64_t cards;         /* a lead said that those registered up to here exist */
    uint64_t listed, slots; /* looked at so far */
};

static struct releases *known(struct sim *s)
{
    if (!s->releases && (s->releases = calloc(1, sizeof *s->releases)) == NULL)
        abort();
    return s->releases;
}

void releases_free(struct sim *s)
{
    if (!s->releases)
        return;
    free(s->releases->aside);
    free(s->releases->said);
    free(s->releases->went);
    free(s->releases);
}

static const struct outcome_of *find(const struct outcome_of *v, unsigned n,
                                     const struct record_ref *ref, uint64_t slot)
{
    for (unsigned i = 0; i < n; i++)
        if (v[i].slot == slot && ref_cmp(&v[i].ref, ref) == 0)
            return &v[i];
    return NULL;
}

#define PUT(r, list, value)                                                                        \
    do {                                                                                           \
        (r)->list = sim_grow((r)->list, (r)->n_##list, &(r)->list##_room, sizeof *(r)->list);      \
        (r)->list[(r)->n_##list++] = (value);                                                      \
    } while (0)

/* ---- people ---- */

static void say(struct sim *s, int desk, const struct word *what, const struct buf *refs)
{
    struct core *c = s->desk[desk].core;
    struct moment now = sim_moment(s, desk);
    struct word w = *what;
    struct errmsg msg = { .text = "" };
    struct buf b = { 0 };

    w.at_ms = now.wall_ms;
    memcpy(w.key, s->lead_pk, KEY_BYTES);
    word_sign(roster_branch(core_roster(c)), &w, refs, s->lead_sk, &b);
    if (core_say(c, &now, b.p, b.len, &msg) != ERR_OK)
        sim_trace(s, desk, "a word refused: %s", msg.text);
    buf_free(&b);
}

static void release(struct sim *s, int desk, const struct aside_view *v, uint64_t slot)
{
    struct word w = { .kind = WORD_RELEASE, .slot = slot, .n_refs = 1 };
    struct word_ref r = { .ref = v->ref };
    struct buf refs = { 0 };

    memcpy(r.id, v->id, MACHINE_ID);
    word_put_ref(&refs, &r);
    say(s, desk, &w, &refs);
    buf_free(&refs);
}

/* Some of what is open there; now and then by a word that is wrong, and must mean nothing. */
void deed_release(struct sim *s, const struct args *a)
{
    int desk = a->desk[0];
    struct record_ref at = { .seq = 0 };
    struct aside_view v;
    unsigned said = 0;

    while (said < 20 && core_aside_next(s->desk[desk].core, &at, &v)) {
        if (rng_chance(&s->dice, 500))
            continue;
        said++;
        if (rng_chance(&s->dice, 150)) {
            struct aside_view wrong = v;
            uint64_t slot = v.slot > 1 ? v.slot - 1 : 2;
            if (rng_chance(&s->dice, 500)) {
                wrong.ref.seq++; /* another record under this one's id */
                slot = v.slot;
            } else if (slot > v.slot) { /* too early: right once that slot sets it aside again */
                PUT(known(s), said, ((struct outcome_of){ v.ref, slot, v.what }));
            }
            release(s, desk, &wrong, slot);
            continue;
        }
        PUT(known(s), said, ((struct outcome_of){ v.ref, v.slot, v.what }));
        release(s, desk, &v, v.slot);
    }
    sim_trace(s, desk, "a lead releases %u records", said);
}

void deed_cards(struct sim *s, const struct args *a)
{
    const struct core *c = s->desk[a->desk[0]].core;
    struct word w = { .kind = WORD_CARDS, .slot = ledger_decided(core_ledger(c)) };
    struct progress p;
    uint64_t slot = w.slot;

    if (slot == 0 || !core_answers_of(c, slot, w.intent, &p))
        return;
    if (known(s)->cards < slot)
        known(s)->cards = slot;
    say(s, a->desk[0], &w, NULL);
    sim_trace(s, a->desk[0], "a lead says that cards exist up to %llu", (unsigned long long)slot);
}

/* ---- what must hold ---- */

/* A desk computed what a decided upload set aside. */
void releases_note(struct sim *s, uint64_t slot, const struct asides *list)
{
    struct releases *r = known(s);

    if (slot <= r->listed)
        return;
    r->listed = slot;
    for (unsigned i = 0; i < list->n; i++)
        PUT(r, aside, ((struct outcome_of){ list->v[i].ref, slot, list->v[i].what }));
}

/* Those are told by the sink: check_answers.c looks at them. */
static bool is_exception(unsigned what)
{
    return what == ASIDE_REFUSED || what == ASIDE_QUARANTINED || what == ASIDE_KEPT_BACK ||
           what == ASIDE_DOUBT || what == ASIDE_NOT_LOADED;
}

static void goes(struct sim *s, const struct intent *in, const struct slot_released *v)
{
    struct releases *r = known(s);
    const struct outcome_of *was = find(r->aside, r->n_aside, &v->ref, v->slot);

    if (!find(r->said, r->n_said, &v->ref, v->slot) &&
        (v->what != ASIDE_WAITS || v->slot > r->cards))
        sim_fail(s, "S1", "slot %llu takes record %llu of slot %llu along, without a lead's word",
                 (unsigned long long)in->slot, (unsigned long long)v->ref.seq,
                 (unsigned long long)v->slot);
    if (s->overrides)
        return; /* what was taken back may go again */
    if (!is_exception(v->what) && (!was || was->what != v->what))
        sim_fail(s, "S1", "slot %llu takes record %llu along, which slot %llu did not set aside so",
                 (unsigned long long)in->slot, (unsigned long long)v->ref.seq,
                 (unsigned long long)v->slot);
    if (find(r->went, r->n_went, &v->ref, v->slot))
        sim_fail(s, "S1", "record %llu of slot %llu goes twice, for one word",
                 (unsigned long long)v->ref.seq, (unsigned long long)v->slot);
    PUT(r, went, ((struct outcome_of){ v->ref, v->slot, (enum aside_what)v->what }));
}

static void durable(struct sim *s, int desk, enum table t, const uint8_t *key, size_t n,
                    const uint8_t *val, size_t len)
{
    struct receipt r;
    struct intent in;

    (void)desk;
    if (t != TABLE_SLOTS || !val || n != 8 || get_be64(key) <= known(s)->slots ||
        receipt_decode(val, len, &r, NULL) != ERR_OK ||
        intent_decode(r.intent, r.intent_len, &in, NULL) != ERR_OK)
        return;
    known(s)->slots = in.slot;
    for (unsigned i = 0; i < in.n_released; i++)
        goes(s, &in, &in.released[i]);
    intent_free(&in);
}

static bool knows_all(const struct core *c)
{
    for (unsigned i = 0; i < core_past(c); i++) {
        struct past_view v;
        core_past_view(c, i, &v);
        if (v.unknown)
            return false;
    }
    return core_aside_count(c, ASIDE_UNKNOWN) == 0;
}

/* What the ILS said of a record that others erased before it came here is no row (seed 155697). */
static bool some_was_erased(const struct sim *s)
{
    struct core_view v;

    for (int i = 0; i < (int)s->n; i++) {
        struct moment now = sim_moment(s, i);
        if (!s->desk[i].core || !sim_counts(s, i))
            continue;
        core_view(s->desk[i].core, &now, &v);
        if (v.back_to > 1)
            return true;
    }
    return false;
}

/* One number for all that is open there; with what the ILS answered, or without. */
static uint64_t open_sum(const struct core *c, bool answers)
{
    struct record_ref at = { .seq = 0 };
    struct aside_view v;
    uint64_t sum = 0;

    while (core_aside_next(c, &at, &v)) {
        uint64_t id;
        if (is_exception(v.what) && !answers)
            continue; /* a desk that is told of the upload late may never get its answers */
        memcpy(&id, v.id, sizeof id);
        sum += (id ^ (v.slot << 8 | v.what)) * UINT64_C(0x9E3779B97F4A7C15);
    }
    return sum;
}

static bool settled(const struct sim *s, char why[200])
{
    const struct core *first = NULL;
    bool answers = !some_was_erased(s);
    uint64_t sum = 0;

    if (s->overrides || check_is_stuck(s)) /* found slots pass over what they set aside; what an
                                              open slot sends is let go when it is decided */
        return true;
    for (int i = 0; i < (int)s->n; i++) {
        const struct core *c = s->desk[i].core;
        if (!c || !sim_counts(s, i) || s->desk[i].forgot || !knows_all(c))
            continue;
        if (ledger_decided(core_ledger(c)) != s->n_slots)
            return true; /* too few seats; others wait for the receipts */
        if (first && open_sum(c, answers) != sum) {
            snprintf(why, 200, "S2: %s knows other records as set aside than another desk",
                     s->desk[i].name);
            return false;
        }
        first = c;
        sum = open_sum(c, answers);
    }
    return true;
}

const struct check check_releases = { .name = "releases", .durable = durable, .settled = settled };
