/* decisions.c - who ruled on records of a batch, what and when; voids of what was never sent. */
#include "decisions.h"

#include <stdlib.h>
#include <string.h>

#include "aside.h"
#include "day.h"

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

json_t *decisions_json(const struct node *n, const struct merge_job *m)
{
    json_t *all = json_array();

    for (unsigned i = 0; i < m->n_rulings && json_array_size(all) < DECISIONS_LISTED; i++) {
        const struct merge_ruling *r = &m->rulings[i];
        if (r->seq < m->feeds[r->feed].from)
            continue; /* an earlier upload's */
        char id[RECORD_ID_TEXT];
        merge_id_text(&m->feeds[r->feed], r->seq, id);
        json_array_append_new(all, decision_json(n, &m->policy.zone, id, r->what, r->word));
    }
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
