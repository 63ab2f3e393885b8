/* sticks.c - what a desk holds is carried to another one in a file, at any moment: while an upload is
 * agreed on, sent, decided; old sticks, the same one twice, torn ones. Nothing is asked of it beyond
 * what must hold in any case, and
 *
 * T1 A file of a desk that is not revoked, known here, is taken; no message of it is refused that the
 *    wire would have taken: only a branch with a liar may refuse some.
 * T2 Behind a whole file its reader holds at least what it held before. */
#include <stdlib.h>
#include <string.h>

#include "bundle.h"
#include "deeds.h"

#define PARTS_MAX 64

struct stick {
    struct buf part[PARTS_MAX];
    unsigned n;
    int from;
};

void sticks_free(struct sim *s)
{
    for (unsigned i = 0; s->stick && i < PARTS_MAX; i++)
        buf_free(&s->stick->part[i]);
    free(s->stick);
    s->stick = NULL;
}

/* Writes the one stick of the branch anew. */
void deed_stick(struct sim *s, const struct args *a)
{
    struct bundle_at at = { 0 };
    bool last = false;

    sticks_free(s);
    if ((s->stick = calloc(1, sizeof *s->stick)) == NULL)
        abort();
    s->stick->from = a->desk[0];
    while (!last && s->stick->n < PARTS_MAX)
        if (core_bundle(s->desk[a->desk[0]].core, &at, &s->stick->part[s->stick->n++], &last,
                        NULL) != ERR_OK)
            sim_fail(s, "T1", "%s cannot write what it holds", s->desk[a->desk[0]].name);
    sim_trace(s, a->desk[0], "writes what it holds on a stick: %u parts", s->stick->n);
}

static uint64_t held(struct sim *s, int desk, const struct moment *now)
{
    struct core_view v;

    core_view(s->desk[desk].core, now, &v);
    return v.held;
}

static bool may_refuse(const struct sim *s, int desk)
{
    const struct desk *d =
        roster_find(core_roster(s->desk[desk].core), &s->desk[s->stick->from].me.id);

    return desk == s->stick->from || !d || d->state == DESK_REVOKED;
}

/* num[0]: torn behind so many parts; 0: whole. */
void deed_plug(struct sim *s, const struct args *a)
{
    int desk = a->desk[0];
    struct moment now = sim_moment(s, desk);
    uint64_t before = held(s, desk, &now);
    struct bundle_taken t = { .refused = 0 };
    unsigned refused = 0, n = 0;
    enum err e = ERR_OK;

    if (!s->stick)
        return;
    for (; e == ERR_OK && n < s->stick->n && (a->num[0] == 0 || n < a->num[0]); n++) {
        struct errmsg msg = { .text = "" };
        e = core_bundle_take(s->desk[desk].core, &now, s->stick->part[n].p, s->stick->part[n].len,
                             &t, &msg);
        refused += t.refused;
        if (e != ERR_OK && !may_refuse(s, desk) && e != ERR_DENIED)
            sim_fail(s, "T1", "%s does not take part %u of a stick: %s", s->desk[desk].name, n + 1,
                     msg.text);
    }
    if (held(s, desk, &now) < before)
        sim_fail(s, "T2", "%s held more before it read a stick", s->desk[desk].name);
    if (refused > 0 && !s->liar)
        sim_fail(s, "T1", "%s refuses %u messages of an honest stick", s->desk[desk].name, refused);
    sim_trace(s, desk, "reads %u parts of a stick%s", n, e == ERR_OK ? "" : ", and refuses it");
}
