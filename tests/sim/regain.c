/* regain.c - a lead gives a desk that forgot its vote back, and what must hold of it then. Row of
 * verbs.c.
 *
 * R1 a desk that knew that it forgot counts again only by a decided slot that names it. */
#include <stdlib.h>
#include <string.h>

#include "deeds.h"

void deed_regain(struct sim *s, const struct args *a)
{
    int at = a->desk[0], whose = a->desk[1];
    struct moment now = sim_moment(s, at);
    struct core *c = s->desk[at].core;
    struct errmsg msg = { .text = "" };
    struct buf refs = { 0 }, bytes = { 0 };
    struct word w;

    if (core_draft_restore(c, &s->desk[whose].me.id, &w, &refs, &msg) == ERR_OK) {
        w.at_ms = now.wall_ms;
        memcpy(w.key, s->lead_pk, KEY_BYTES);
        word_sign(roster_branch(core_roster(c)), &w, &refs, s->lead_sk, &bytes);
        if (core_say(c, &now, bytes.p, bytes.len, &msg) == ERR_OK)
            sim_trace(s, at, "a lead gives %s its vote back", s->desk[whose].name);
    }
    if (msg.text[0] != '\0')
        sim_trace(s, at, "no vote for %s: %s", s->desk[whose].name, msg.text);
    buf_free(&refs);
    buf_free(&bytes);
}

static bool names(const struct core *c, const struct intent *in, const struct desk_id *id)
{
    struct mp m = mp_over(in->restored.p, in->restored.len);

    for (unsigned i = 0; i < in->n_restored; i++) {
        size_t n = 0;
        const uint8_t *p = mp_get_bin(&m, &n);
        struct word w;
        struct word_walk walk;
        struct word_ref r;
        if (word_open(p, n, roster_branch(core_roster(c)), &w, NULL) != ERR_OK)
            return false;
        walk = word_refs(&w);
        if (w.kind == WORD_RESTORE && word_ref_next(&walk, &r) && desk_id_eq(&r.ref.feed.desk, id))
            return true;
    }
    return false;
}

static bool some_slot_names(const struct sim *s, int desk)
{
    const struct core *c = s->desk[desk].core;
    struct buf b = { 0 };
    bool yes = false;

    for (uint64_t slot = 1; !yes && slot <= ledger_decided(core_ledger(c)); slot++) {
        struct receipt r;
        struct intent in;
        if (ledger_receipt(core_ledger(c), slot, &b) != ERR_OK ||
            receipt_decode(b.p, b.len, &r, NULL) != ERR_OK ||
            intent_decode(r.intent, r.intent_len, &in, NULL) != ERR_OK)
            break;
        yes = names(c, &in, &s->desk[desk].me.id);
        intent_free(&in);
    }
    buf_free(&b);
    return yes;
}

static void committed(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    struct moment now = sim_moment(s, desk);
    struct core_view v;

    if (!d->forgot || !d->core)
        return;
    core_view(d->core, &now, &v);
    if (!v.memory_lost && d->knows_lost) {
        if (!some_slot_names(s, desk))
            sim_fail(s, "R1", "%s forgot, and counts again by no slot", d->name);
        d->forgot = false;
        d->votes_forgotten = 0;
        s->count.regains++;
    }
    d->knows_lost = v.memory_lost;
}

const struct check check_regain = { .name = "regain", .committed = committed };
