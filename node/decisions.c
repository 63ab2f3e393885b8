/* decisions.c - who ruled on records of a batch, what and when; voids of what was never sent. */
#include "decisions.h"

#include <stdlib.h>
#include <string.h>

#include "aside.h"
#include "day.h"

/* The ruling that stands on that record in this batch. */
static const struct merge_ruling *standing(const struct merge_job *m, unsigned feed, uint64_t seq)
{
    for (unsigned i = 0; i < m->n_rulings; i++)
        if (m->rulings[i].feed == feed && m->rulings[i].seq == seq)
            return &m->rulings[i];
    return NULL;
}

static bool find_word(const struct said *said, const uint8_t id[SLOT_WORD_ID], struct word *out)
{
    for (unsigned i = 0; i < said->n; i++)
        if (memcmp(said->v[i].id, id, SLOT_WORD_ID) == 0)
            return said_word(said, i, out);
    return false;
}

static json_t *decision_json(const struct node *n, const struct zone *zone, const char *id,
                             unsigned what, const uint8_t word[SLOT_WORD_ID])
{
    char by[64] = "", at[36] = "";
    struct word w;

    if (find_word(core_said(n->core), word, &w)) {
        key_words(w.key, by);
        rfc3339_at(zone, w.at_ms, at);
    }
    return json_pack("{s:s, s:s, s:s, s:s}", "id", id, "say", what == WORD_VOID ? "void" : "send",
                     "at", at, "lead", by);
}

json_t *decisions_late_json(const struct node *n, const struct zone *zone,
                            const struct slot_ruling *late, unsigned many)
{
    json_t *all = json_array();
    char id[RECORD_ID_TEXT];

    for (unsigned i = 0; i < many && json_array_size(all) < DECISIONS_LISTED; i++) {
        if (late[i].what == 0)
            continue;
        core_id_text(n->core, &late[i].ref, id);
        json_array_append_new(all, decision_json(n, zone, id, late[i].what, late[i].word));
    }
    return all;
}

struct decision_row {
    struct record_ref ref;
    struct word w;
    const char *is; /* NULL: it stands */
};

struct decision_rows {
    struct decision_row *v;
    size_t n;
};

static bool add(struct decision_rows *rows, const struct record_ref *ref, const struct word *w,
                const char *is)
{
    struct decision_row *grown =
        rows->n % 64 == 0 ? realloc(rows->v, (rows->n + 64) * sizeof *grown) : rows->v;

    if (!grown)
        return false;
    rows->v = grown;
    rows->v[rows->n++] = (struct decision_row){ *ref, *w, is };
    return true;
}

/* The same on every desk, whatever it heard first. */
static int by_record(const void *x, const void *y)
{
    const struct decision_row *a = x, *b = y;
    int k = ref_cmp(&a->ref, &b->ref);

    return k != 0 ? k : a->w.at_ms != b->w.at_ms ? (a->w.at_ms < b->w.at_ms ? -1 : 1) : 0;
}

/* A lead's word on a record of the batch: it stands, or another one does. */
static bool add_word(struct decision_rows *rows, const struct merge_job *m, const struct word *w,
                     const uint8_t id[WORD_ID_BYTES])
{
    struct word_walk walk;
    struct word_ref ref;
    bool ok = true;

    for (walk = word_refs(w); word_ref_next(&walk, &ref) && ok;) {
        const struct merge_feed *f = merge_feed_of(m, &ref.ref.feed);
        const struct merge_ruling *r;
        if (!f || ref.ref.seq < f->from || ref.ref.seq > f->to)
            continue; /* an earlier upload's, or a later one's */
        if ((r = standing(m, (unsigned)(f - m->feeds), ref.ref.seq)) != NULL)
            ok =
                add(rows, &ref.ref, w, memcmp(r->word, id, SLOT_WORD_ID) == 0 ? NULL : "overruled");
    }
    return ok;
}

static json_t *row_json(const struct merge_job *m, const struct decision_row *r)
{
    char id[RECORD_ID_TEXT], by[64], at[36];
    json_t *o;

    merge_id_text(merge_feed_of(m, &r->ref.feed), r->ref.seq, id);
    key_words(r->w.key, by);
    rfc3339_at(&m->policy.zone, r->w.at_ms, at);
    o = json_pack("{s:s, s:s, s:s, s:s}", "id", id, "say", r->w.kind == WORD_VOID ? "void" : "send",
                  "at", at, "lead", by);
    if (r->is != NULL)
        json_object_set_new(o, "is", json_string(r->is));
    return o;
}

json_t *decisions_json(const struct node *n, const struct merge_job *m)
{
    const struct said *said = core_said(n->core);
    struct decision_rows rows = { .n = 0 };
    json_t *all = json_array();
    struct word w;

    for (unsigned i = 0; i < said->n; i++)
        if (said_word(said, i, &w) && word_rules(w.kind) &&
            roster_was_lead(core_roster(n->core), w.key) && !add_word(&rows, m, &w, said->v[i].id))
            break;
    if (rows.n > 0)
        qsort(rows.v, rows.n, sizeof *rows.v, by_record);
    for (size_t i = 0; i < rows.n && i < DECISIONS_LISTED; i++)
        json_array_append_new(all, row_json(m, &rows.v[i]));
    free(rows.v);
    return all;
}

/* ---- voids of records that were never sent ---- */

static int by_ref(const void *x, const void *y)
{
    return ref_cmp(x, y);
}

bool unsent_load(const struct node *n, struct unsent *u)
{
    struct record_ref at = { .seq = 0 };
    struct aside_view v;
    unsigned room = 0;

    while (core_aside_next(n->core, &at, &v)) {
        if (v.what == ASIDE_LATE_VOID || v.what == ASIDE_DOUBT || v.what == ASIDE_UNKNOWN)
            continue; /* those were, or nobody knows */
        if (u->n == room) {
            struct record_ref *grown = realloc(u->v, (room = room ? 2 * room : 64) * sizeof *u->v);
            if (!grown)
                return false;
            u->v = grown;
        }
        u->v[u->n++] = v.ref;
    }
    if (u->n > 0)
        qsort(u->v, u->n, sizeof *u->v, by_ref);
    return true;
}

bool unsent_has(const struct unsent *u, const struct record_ref *ref)
{
    return u->n > 0 && bsearch(ref, u->v, u->n, sizeof *u->v, by_ref) != NULL;
}
