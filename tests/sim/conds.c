/* conds.c - what a line of a script can wait for, expect, or forbid. */
#include <string.h>

#include "deeds.h"

/* Of that desk, or of any if none is named. */
static bool any_view(struct sim *s, int desk, bool (*holds)(const struct ledger_view *v))
{
    for (int i = 0; i < (int)s->n; i++)
        if ((desk == DESK_NONE || desk == i) && s->desk[i].core && holds(&s->desk[i].view))
            return true;
    return false;
}

static bool view_leads(const struct ledger_view *v)
{
    return v->is_uploader;
}

static bool view_open(const struct ledger_view *v)
{
    return v->open;
}

static bool view_gathering(const struct ledger_view *v)
{
    return v->is_uploader && v->state == LEDGER_GATHER;
}

static bool view_building(const struct ledger_view *v)
{
    return v->is_uploader && v->state == LEDGER_BUILD;
}

static bool view_proposing(const struct ledger_view *v)
{
    return v->is_uploader && v->state == LEDGER_ACCEPT;
}

static bool view_sending(const struct ledger_view *v)
{
    return v->is_uploader && v->state == LEDGER_SEND;
}

static bool view_quiet(const struct ledger_view *v)
{
    return v->is_uploader && v->state == LEDGER_QUIET;
}

static bool leads(struct sim *s, const struct args *a)
{
    return any_view(s, a->desk[0], view_leads);
}

static bool is_open(struct sim *s, const struct args *a)
{
    return any_view(s, a->desk[0], view_open);
}

static bool gathering(struct sim *s, const struct args *a)
{
    return any_view(s, a->desk[0], view_gathering);
}

static bool building(struct sim *s, const struct args *a)
{
    return any_view(s, a->desk[0], view_building);
}

static bool proposing(struct sim *s, const struct args *a)
{
    return any_view(s, a->desk[0], view_proposing);
}

static bool sending(struct sim *s, const struct args *a)
{
    return any_view(s, a->desk[0], view_sending);
}

static bool view_paused(const struct ledger_view *v)
{
    return v->is_uploader && v->state == LEDGER_PAUSED;
}

static bool paused(struct sim *s, const struct args *a)
{
    return any_view(s, a->desk[0], view_paused);
}

static bool view_in_doubt(const struct ledger_view *v)
{
    return v->doubt.waits;
}

static bool in_doubt(struct sim *s, const struct args *a)
{
    return any_view(s, a->desk[0], view_in_doubt);
}

static bool quiet(struct sim *s, const struct args *a)
{
    return any_view(s, a->desk[0], view_quiet);
}

/* By that desk, or by any. */
static bool decided(struct sim *s, const struct args *a)
{
    uint64_t most = 0;

    if (a->desk[0] >= 0)
        return s->desk[a->desk[0]].dec >= a->num[0];
    for (unsigned i = 0; i < s->n; i++)
        most = s->desk[i].dec > most ? s->desk[i].dec : most;
    return most >= a->num[0];
}

static bool at_sink(struct sim *s, const struct args *a)
{
    return s->n_at_sink >= a->num[0];
}

static bool dropped(struct sim *s, const struct args *a)
{
    (void)a;
    for (unsigned i = 0; i < s->n_items; i++)
        if (s->item[i].there)
            return true;
    return false;
}

static bool accepted(struct sim *s, const struct args *a)
{
    const struct station *d = &s->desk[a->desk[0]];

    return d->has_acc && d->acc_slot == a->num[0];
}

static bool seats(struct sim *s, const struct args *a)
{
    return s->desk[a->desk[0]].core && s->desk[a->desk[0]].view.n_seats == a->num[0];
}

static bool may_vote(struct sim *s, const struct args *a)
{
    return s->desk[a->desk[0]].core && s->desk[a->desk[0]].view.may_vote;
}

static bool lost(struct sim *s, const struct args *a)
{
    struct moment now = sim_moment(s, a->desk[0]);
    struct core_view v;

    if (!s->desk[a->desk[0]].core)
        return false;
    core_view(s->desk[a->desk[0]].core, &now, &v);
    return v.memory_lost;
}

static bool holds(struct sim *s, const struct args *a)
{
    return s->desk[a->desk[0]].held_records >= a->num[0];
}

static bool is_down(struct sim *s, const struct args *a)
{
    return !s->desk[a->desk[0]].core;
}

static bool forked(struct sim *s, const struct args *a)
{
    const struct core *c = s->desk[a->desk[0]].core;
    const struct feeds *fs = c ? core_feeds(c) : NULL;

    for (unsigned i = 0; fs && i < fs->n; i++)
        if (fs->v[i].forked)
            return true;
    return false;
}

static bool executing(struct sim *s, const struct args *a)
{
    (void)a;
    return session_waits_for_child(s);
}

static bool erased(struct sim *s, const struct args *a)
{
    return check_erased_at(s, a->desk[0]);
}

const struct cond_kind cond_kinds[] = {
    { "leads", "|d", "it is the uploader", leads },
    { "open", "|d", "it accepted an intent that is not decided", is_open },
    { "gathering", "|d", "as uploader it waits for records", gathering },
    { "building", "|d", "as uploader it computes what is to be sent", building },
    { "proposing", "|d", "as uploader it asks the seats to accept", proposing },
    { "quiet", "|d", "as uploader it waits for what another sent", quiet },
    { "sending", "|d", "as uploader it hands over", sending },
    { "paused", "|d", "as uploader it waits because a lead wants it to", paused },
    { "in-doubt", "|d", "as far as it knows a lead must decide", in_doubt },
    { "decided", "n|d", "slot n, by it or anybody", decided },
    { "at-sink", "n", "slot n arrived", at_sink },
    { "dropped", "", "a file lies in the folder of the drop", dropped },
    { "accepted", "dn", "the desk accepted an intent of slot n", accepted },
    { "seats", "dn", "so many seats are in force there", seats },
    { "may-vote", "d", "its start is known to enough seats", may_vote },
    { "lost", "d", "it knows that it lost its memory", lost },
    { "holds", "dn", "at least so many records there", holds },
    { "forked", "d", "it has the proof that a feed has two histories", forked },
    { "erased", "d", "records are erased there", erased },
    { "executing", "", "a session is executed and has not begun", executing },
    { "down", "d", "crashed or off", is_down },
    { "met", "", "every desk sees every other", figures_met },
    { "same", "n", "every desk holds as many records as every other, n at least", figures_same },
    { 0 }
};

const struct cond_kind *cond_named(const char *name)
{
    for (const struct cond_kind *k = cond_kinds; k->name; k++)
        if (strcmp(k->name, name) == 0)
            return k;
    return NULL;
}
