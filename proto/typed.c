/* typed.c - rule R12: what was typed from paper stands where its true time puts it, but not across
 * what another desk did with the item between that moment and the typing, without a lead. What was
 * itself typed from paper is crossed by nothing: two sheets have their times and nothing else to go
 * by, and a branch that wrote a whole morning would have a lead decide on hundreds.
 *
 * A pass of its own, only over batches with typed entries, because whether one crosses is known
 * behind it, and one that waits for a lead must open or end no loan for the events in between. */
#include <stdlib.h>

#include <sodium.h>
#include <string.h>

#include "mem.h"
#include "merge_int.h"

struct typed { /* an entry whose typing was not reached yet, of one item: a chain */
    struct place at;
    int64_t time_ms, typed_ms;
    uint8_t user[16];
    uint8_t kind;
    bool crosses;
    unsigned next; /* of the same item, index + 1; 0: none */
};

void typed_free(struct typed_entries *t)
{
    hmap_free(&t->items);
    free(t->v);
    memset(t, 0, sizeof *t);
}

static void digest(const struct survey *s, const char *text, uint8_t out[16])
{
    crypto_shorthash_siphashx24(out, (const uint8_t *)text, strlen(text), s->salt);
}

/* An in-house use says nothing of where the item is. */
static bool moves(const struct record *r)
{
    return r->item[0] != '\0' &&
           (r->kind == RECORD_CHECKOUT || r->kind == RECORD_DISCHARGE || r->kind == RECORD_RENEW);
}

/* R3 says that they are one. */
static bool is_same_event(const struct survey *s, const struct typed *t, const struct record *r,
                          const uint8_t user[16], int64_t time_ms)
{
    return t->kind == r->kind && memcmp(t->user, user, 16) == 0 &&
           time_ms - t->time_ms <= (int64_t)s->job->policy.same_event_ms;
}

static void look(struct survey *s, unsigned first, struct place at, const struct record *r,
                 const uint8_t user[16], int64_t time_ms)
{
    for (unsigned i = first; i > 0; i = s->typed.v[i - 1].next) {
        struct typed *t = &s->typed.v[i - 1];
        if (t->crosses || time_ms >= t->typed_ms || s->rules.same_desk(s, t->at, at) ||
            is_same_event(s, t, r, user, time_ms))
            continue;
        t->crosses = true;
        s->rules.judge(s, t->at, VERDICT_REVIEW, "R12", &at);
    }
}

static bool add(struct typed_entries *l, const struct typed *one)
{
    struct typed *grown = mem_room(l->v, l->n, &l->room, sizeof *grown);

    if (!grown)
        return false;
    l->v = grown;
    l->v[l->n++] = *one;
    return true;
}

void typed_record(struct survey *s, struct place at, const struct record *r, int64_t time_ms)
{
    struct typed one = { .at = at, .time_ms = time_ms, .kind = r->kind };
    uint8_t item[16];
    uint64_t *first;
    bool fresh;

    if (!moves(r) || survey_is_settled(s, at))
        return;
    digest(s, r->item, item);
    digest(s, r->user, one.user);
    first = hmap_find(&s->typed.items, item);
    if (first && r->paper_ms == 0)
        look(s, (unsigned)*first, at, r, one.user, time_ms);
    if (r->paper_ms == 0)
        return;
    one.typed_ms = r->at_ms + s->job->feeds[at.feed].correction_ms;
    one.next = first ? (unsigned)*first : 0;
    if ((first = hmap_at(&s->typed.items, item, &fresh)) == NULL || !add(&s->typed, &one))
        s->failed = true;
    else
        *first = s->typed.n;
}
