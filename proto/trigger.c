/* trigger.c - a lead's word that begins an upload: kept until its slot is decided, spread to all,
 * forgotten when it is old or nothing is left to send. Its bytes are in slot.c. */
#include "ledger_int.h"

void trigger_drop(struct ledger *l)
{
    if (l->trigger.len == 0)
        return;
    buf_reset(&l->trigger);
    l->origin = false;
    ledger_persist(l);
}

/* A desk that was away when an upload turned out empty must not begin one days later. */
bool trigger_is_stale(int64_t made_ms, const struct ledger_moment *now)
{
    return now->wall_ms - made_ms > TRIGGER_LIFE_MS || made_ms - now->wall_ms > TRIGGER_LIFE_MS;
}

static void forget_stale(struct ledger *l, const struct ledger_moment *now)
{
    struct trigger t;

    if (l->trigger.len > 0 && l->acc.len == 0 &&
        (trigger_open(l->trigger.p, l->trigger.len, roster_branch(l->roster), &t, NULL) != ERR_OK ||
         trigger_is_stale(t.made_ms, now)))
        trigger_drop(l);
}

/* Nothing is left to send: where the upload is another desk's work each desk finds that out alone; else
 * an uploader found it first (it resigned), and who agrees need not stand for it again, one desk after the other. */
static void forget_idle(struct ledger *l, const struct ledger_moment *now)
{
    struct intent in = { 0 };
    bool over, resigned = l->resigned;

    if (l->trigger.len == 0 || l->acc.len > 0 || now->boot_ms < l->look_at ||
        (ledger_may_upload(l) && !resigned))
        return;
    l->resigned = false;
    l->look_at = now->boot_ms + 4 * LEDGER_RETRY_MS;
    /* That desk may know less of what is released. Who may upload knows better than any RESIGN. */
    over = now->boot_ms >= l->idle_from && !ledger_may_upload(l);
    if ((over || l->ask->gathered(l->ask->ctx)) && l->ask->cut(l->ask->ctx, &in, NULL) == ERR_OK &&
        (over ? in.n_ranges == 0 : intent_sends_nothing(&in)))
        trigger_drop(l);
    intent_free(&in);
}

static enum err take(struct ledger *l, const struct ledger_moment *now, const uint8_t *p, size_t n,
                     bool here, struct errmsg *msg)
{
    struct trigger t;
    struct buf copy = { 0 };
    enum err e = trigger_open(p, n, roster_branch(l->roster), &t, msg);
    bool fresh;

    if (e != ERR_OK)
        return e;
    if (l->forgot)
        return err_set(
            msg, ERR_REFUSED,
            "this desk lost its memory and has no say in uploads: press at another desk");
    if (!roster_is_lead(l->roster, t.lead_pk))
        return err_set(msg, ERR_DENIED, "the key that signed this is not a lead's");
    if (trigger_is_stale(t.made_ms, now))
        return err_set(msg, ERR_REFUSED, "a lead's word of more than an hour ago: ask again");
    if (!ledger_same_epoch(l, t.epoch.number, t.epoch.hash) || t.slot <= l->last_upload)
        return err_set(msg, ERR_EXISTS, "slot %llu is decided already", (unsigned long long)t.slot);
    if (!here && trouble_was_stopped(l, p, n))
        return ERR_OK; /* said again by a desk that does not know yet */
    fresh = l->trigger.len == 0;
    l->stopped = false;
    ledger_set_problem(l, "");
    if (fresh || here) {
        buf_add(&copy, p, n);
        buf_free(&l->trigger);
        l->trigger = copy;
        l->trigger_slot = t.slot;
        l->idle_from = now->boot_ms + GATHER_MAX_MS;
        l->origin = here;
        ledger_persist(l);
    }
    if (l->state == LEDGER_IDLE && (here || (fresh && handover_is_only_ours(l)))) {
        l->next_try = now->boot_ms;
        l->origin_until = 0; /* of an earlier word, said elsewhere */
    } else if (fresh && l->state == LEDGER_IDLE && ledger_may_upload(l) &&
               now->boot_ms >= l->promise_until && /* else somebody stood already */
               now->boot_ms >=
                   l->origin_until) { /* repetitions put nothing off, or nobody stands */
        l->origin_until = now->boot_ms + LEASE_PROMISE_MS + ledger_roll(l, 500, 1500);
    }
    return ERR_OK;
}

static void spread(struct ledger *l)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_TRIGGER, 1);
    mp_put_bin(&b, l->trigger.p, l->trigger.len);
    ledger_send_all(l, &b);
    buf_free(&b);
}

/* While idle: an old word is forgotten; the desk where it was said says it again. */
void trigger_tick(struct ledger *l, const struct ledger_moment *now)
{
    if (now->boot_ms >= l->next_try)
        forget_stale(l, now);
    forget_idle(l, now);
    if (l->origin && now->boot_ms >= l->retry_at) {
        spread(l);
        l->retry_at = now->boot_ms + 4 * LEDGER_RETRY_MS;
    }
}

/* Before this desk would stand itself. */
void trigger_on_resign(struct ledger *l, const struct ledger_moment *now)
{
    l->resigned = true;
    l->look_at = now->boot_ms;
}

void trigger_on_trigger(struct ledger *l, const struct ledger_moment *now, struct mp *m)
{
    size_t n = 0;
    const uint8_t *p = mp_get_bin(m, &n);

    if (!m->bad)
        take(l, now, p, n, false, NULL);
}

enum err ledger_trigger(struct ledger *l, const struct ledger_moment *now, const uint8_t *p,
                        size_t n, struct errmsg *msg)
{
    enum err e = take(l, now, p, n, true, msg);

    if (e == ERR_OK)
        spread(l);
    return e;
}
