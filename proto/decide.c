/* decide.c - how far a hand-over is, as the seats keep it; and what a lead says of an item in
 * doubt. */
#include "ledger_int.h"

#include <stdio.h>
#include <string.h>

#define ANNOUNCE_MS HANDOVER_ANNOUNCE_MS
#define HEARD_MS    (3 * ANNOUNCE_MS)

void handover_wait_words(const struct doubt *d, char out[256])
{
    snprintf(out, 256,
             "%s%snobody can tell whether it arrived. Look there, then say so as a lead: "
             "tideover upload decide --slot %llu --arrived yes (or no)",
             d->name, d->name[0] ? ": " : "", (unsigned long long)d->slot);
}

/* ---- the seat's half ---- */

/* D6. What one seat stored all the others must be able to store, or the upload never ends. */
bool handover_decisions_are_right(const struct ledger *l, const struct progress *p, uint64_t slot,
                                  const uint8_t intent[HASH_BYTES])
{
    for (unsigned i = 0; i < p->n_decisions; i++) {
        struct decision d;
        if (decision_open(p->decisions[i].b, p->decisions[i].n, roster_branch(l->roster), &d,
                          NULL) != ERR_OK ||
            !roster_was_lead(l->roster, d.lead_pk) || d.slot != slot || d.step >= p->step ||
            memcmp(d.intent, intent, HASH_BYTES) != 0)
            return false;
    }
    return true;
}

static void seat_on_progress(struct ledger *l, const struct ledger_moment *now,
                             const struct desk_id *from, uint64_t term, uint64_t slot,
                             const uint8_t hash[HASH_BYTES], const struct progress *p, struct mp *m)
{
    uint8_t own[HASH_BYTES];
    struct buf b = { 0 };

    if (ledger_seat_of(l, &l->me->id) < 0 || !l->may_vote || term != l->term || !l->voted ||
        !desk_id_eq(&l->voted_for, from) || l->acc.len == 0 || l->acc_term != term ||
        slot != l->dec + 1 || p->step < l->acc_at.step)
        return;
    intent_hash(l->acc.p, l->acc.len, own);
    if (memcmp(own, hash, HASH_BYTES) != 0 || !handover_decisions_are_right(l, p, slot, hash))
        return;
    answering_bring(l, slot, hash, p, m);
    if (m->bad || !answering_holds(l, now, slot, hash, p, from))
        return; /* A2; the question is repeated */
    if (p->step > l->acc_at.step) {
        l->acc_at = *p;
        ledger_persist(l);
    }
    ledger_begin(l, &b, WIRE_PROGRESSED, 2, term);
    mp_put_u64(&b, slot);
    mp_put_u64(&b, p->step);
    ledger_send(l, from, &b);
}

static void drop_decision(struct ledger *l)
{
    l->decision_origin = false;
    if (l->decision.len == 0)
        return;
    buf_reset(&l->decision);
    ledger_persist(l);
}

static void forget_used_decision(struct ledger *l, uint64_t slot, uint64_t step)
{
    struct decision d;

    if (l->decision.len > 0 && (decision_open(l->decision.p, l->decision.len,
                                              roster_branch(l->roster), &d, NULL) != ERR_OK ||
                                (d.slot == slot && d.step < step)))
        drop_decision(l);
}

void handover_on_progress(struct ledger *l, const struct ledger_moment *now,
                          const struct desk_id *from, uint64_t term, struct mp *m)
{
    struct doubt d = { .slot = mp_get_u64(m) };
    struct progress p;

    mp_get_raw(m, d.intent, HASH_BYTES);
    progress_get(m, &p);
    d.waits = mp_get_bool(m);
    mp_get_str(m, d.name, sizeof d.name);
    d.lines = mp_get_u64(m);
    mp_get_raw(m, d.sha256, sizeof d.sha256);
    if (m->bad || term < l->term)
        return;
    d.step = p.step;
    d.item = p.done + 1;
    /* Whoever leads knows best, and a member that lies shall keep no lead's word from it. */
    if (d.slot == l->dec + 1 && (!ledger_leads(l) || desk_id_eq(from, &l->me->id))) {
        if (l->trouble == TROUBLE_WAITS && p.done > l->acc_at.done && l->state == LEDGER_IDLE)
            ledger_set_problem(l, ""); /* it gets on */
        l->heard = d;
        l->heard_at = now->boot_ms;
        forget_used_decision(l, d.slot, d.step);
    }
    seat_on_progress(l, now, from, term, d.slot, d.intent, &p, m);
}

/* ---- the lead's word ---- */

/* Used once: the step that it names is over then. */
void handover_use_decision(struct ledger *l, const struct ledger_moment *now)
{
    struct decision d;
    struct progress next;

    if (l->decision.len == 0 ||
        decision_open(l->decision.p, l->decision.len, roster_branch(l->roster), &d, NULL) != ERR_OK)
        return;
    if (d.slot != l->cur.slot || memcmp(d.intent, l->cur_hash, HASH_BYTES) != 0 ||
        d.step != l->at.step)
        return;
    if (progress_decided(&l->at, handover_items(l), d.arrived, l->decision.p, l->decision.len,
                         &next) != ERR_OK) {
        drop_decision(l);
        return;
    }
    ledger_set_problem(l, "");
    if (d.arrived)
        handover_add_evidence(l, l->doubt.name);
    effects_event(l->fx, "slot %llu, step %llu: a lead says that it %s", (unsigned long long)d.slot,
                  (unsigned long long)d.step, d.arrived ? "arrived" : "did not arrive");
    handover_store(l, now, &next);
    drop_decision(l);
}

static enum err check_decision(const struct ledger *l, const struct ledger_moment *now,
                               const uint8_t *p, size_t n, struct decision *d, struct errmsg *msg)
{
    enum err e = decision_open(p, n, roster_branch(l->roster), d, msg);

    if (e != ERR_OK)
        return e;
    if (!roster_is_lead(l->roster, d->lead_pk))
        return err_set(msg, ERR_DENIED, "the key that signed this is not a lead's");
    if (trigger_is_stale(d->made_ms, now))
        return err_set(msg, ERR_REFUSED, "a lead's word of more than an hour ago: say it again");
    if (!ledger_same_epoch(l, d->epoch.number, d->epoch.hash) || d->slot <= l->dec)
        return err_set(msg, ERR_EXISTS, "slot %llu is decided already",
                       (unsigned long long)d->slot);
    return ERR_OK;
}

static void keep_decision(struct ledger *l, const uint8_t *p, size_t n, bool here)
{
    struct buf copy = { 0 };

    if (l->decision.len == n && memcmp(l->decision.p, p, n) == 0)
        return;
    buf_add(&copy, p, n);
    buf_free(&l->decision);
    l->decision = copy;
    l->decision_origin = here;
    ledger_persist(l);
}

void handover_spread_decision(struct ledger *l, const struct ledger_moment *now)
{
    struct buf b = { 0 };

    if (!l->decision_origin || now->boot_ms < l->decision_at)
        return;
    wire_begin(&b, WIRE_DECISION, 1);
    mp_put_bin(&b, l->decision.p, l->decision.len);
    ledger_send_all(l, &b);
    buf_free(&b);
    l->decision_at = now->boot_ms + ANNOUNCE_MS;
}

static struct doubt current_doubt(const struct ledger *l, const struct ledger_moment *now)
{
    struct doubt none = { 0 };

    if (l->state == LEDGER_PERSON)
        return l->doubt;
    return l->heard.waits && l->heard.slot == l->dec + 1 && now->boot_ms - l->heard_at < HEARD_MS
               ? l->heard
               : none;
}

enum err ledger_decide(struct ledger *l, const struct ledger_moment *now, const uint8_t *p,
                       size_t n, struct errmsg *msg)
{
    struct doubt doubt = current_doubt(l, now);
    struct decision d;
    enum err e = check_decision(l, now, p, n, &d, msg);

    if (e != ERR_OK)
        return e;
    if (!doubt.waits)
        return err_set(msg, ERR_MISSING, "nothing waits for a lead's decision");
    if (d.slot != doubt.slot || d.step != doubt.step ||
        memcmp(d.intent, doubt.intent, HASH_BYTES) != 0)
        return err_set(msg, ERR_REFUSED, "something else is in doubt now: look again");
    if (d.step % 2 == 0 && !d.arrived)
        return err_set(
            msg, ERR_REFUSED,
            "the desk that hands over is revoked, so nothing more can be sent there: load "
            "the batch by hand, then say that it arrived");
    keep_decision(l, p, n, true);
    l->decision_at = now->boot_ms;
    handover_spread_decision(l, now);
    if (l->state == LEDGER_PERSON)
        handover_use_decision(l, now);
    return ERR_OK;
}

void handover_on_decision(struct ledger *l, const struct ledger_moment *now, struct mp *m)
{
    struct decision d;
    size_t n = 0;
    const uint8_t *p = mp_get_bin(m, &n);

    if (m->bad || check_decision(l, now, p, n, &d, NULL) != ERR_OK || d.slot != l->dec + 1)
        return;
    if (l->heard.slot == d.slot && l->heard.step > d.step)
        return; /* used before */
    keep_decision(l, p, n, false);
    if (l->state == LEDGER_PERSON)
        handover_use_decision(l, now);
}

void handover_view(const struct ledger *l, const struct ledger_moment *now, struct ledger_view *out)
{
    const struct policy *p = roster_policy(l->roster);
    const char *sink = l->acc.len > 0 ? l->acc_sink : l->trigger.len > 0 && p ? p->sink : "", *path;
    char name[DESK_NAME_MAX + 1];

    out->doubt = current_doubt(l, now);
    if (out->problem[0] != '\0')
        return;
    if (out->doubt.waits)
        handover_wait_words(&out->doubt, out->problem);
    else if (l->state == LEDGER_IDLE && now->boot_ms >= l->promise_until &&
             !handover_is_ours(l, sink) && sink_place(sink, name, &path))
        snprintf(
            out->problem, sizeof out->problem,
            "%s alone can hand over the upload (the policy's sink is there): it waits for that "
            "desk to be on",
            name);
}
