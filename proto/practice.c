/* practice.c - rules P1 to P6. */
#include "practice.h"

#include <stdio.h>
#include <string.h>

#include "desk.h"

/* ---- begin and end ---- */

static void begin_drill(struct practice *p, const struct practice_moment *now)
{
    char staff[STAFF_MAX + 1];

    memcpy(staff, p->drill.staff, sizeof staff);
    memset(&p->drill, 0, sizeof p->drill);
    memcpy(p->drill.staff, staff, sizeof staff);
    p->drill.at_ms = now->wall_ms;
    p->drill_ms = now->boot_ms;
}

enum err practice_begin(struct practice *p, const struct practice_moment *now,
                        enum watch_state server, const char *staff, uint32_t number,
                        struct errmsg *msg)
{
    if (server == WATCH_OFFLINE || server == WATCH_BACK)
        return err_why(msg, ERR_REFUSED, "outage", "",
                       server == WATCH_OFFLINE
                           ? "the library's server is away: this is no practice, record for real"
                           : "what was recorded in the outage waits for its upload: practise once "
                             "that is done");
    memset(p, 0, sizeof *p);
    p->on = true;
    p->number = number;
    p->began_ms = now->boot_ms;
    snprintf(p->drill.staff, sizeof p->drill.staff, "%s", staff);
    begin_drill(p, now);
    return ERR_OK;
}

void practice_again(struct practice *p, const struct practice_moment *now)
{
    begin_drill(p, now);
}

unsigned drill_mistakes(const struct drill *d)
{
    unsigned n = 0;

    for (unsigned i = 0; i < PRACTICE_STEPS; i++)
        n += d->mistakes[i];
    return n;
}

bool practice_end(struct practice *p, const struct practice_moment *now, enum practice_end why,
                  struct drill *kept)
{
    bool unfinished = p->on && p->drill.step < PRACTICE_READY &&
                      (p->drill.step > PRACTICE_CARD || drill_mistakes(&p->drill) > 0);

    p->on = false;
    p->ended = why;
    if (unfinished) {
        p->drill.took_ms = (uint32_t)(now->boot_ms - p->drill_ms);
        *kept = p->drill;
    }
    return unfinished;
}

enum practice_end practice_due(const struct practice *p, uint64_t boot_ms, enum watch_state server)
{
    if (!p->on)
        return PRACTICE_GOES_ON;
    if (server == WATCH_OFFLINE || server == WATCH_BACK)
        return PRACTICE_OUTAGE;
    return boot_ms - p->began_ms >= PRACTICE_MS ? PRACTICE_HOUR : PRACTICE_GOES_ON;
}

/* ---- P6 ---- */

void practice_settle(struct practice *p, const struct box *b)
{
    unsigned step = p->drill.step;

    if ((step == PRACTICE_ITEM || step == PRACTICE_SECOND || step == PRACTICE_UNDO) &&
        b->user[0] == 0)
        p->drill.step = PRACTICE_CARD;
    else if (step == PRACTICE_UNDO && b->item[0] == 0 && !b->piece)
        p->drill.step = PRACTICE_SECOND;
    else if ((step == PRACTICE_WRONG || step == PRACTICE_RETURN) && b->mode != RECORD_DISCHARGE)
        p->drill.step = PRACTICE_MODE;
}

static bool leads_on(unsigned step, const struct box *after, enum err e, const char *why,
                     const struct box_answer *a)
{
    switch ((enum practice_step)step) {
    case PRACTICE_CARD:
        return e == ERR_OK && a->act == BOX_OPENED && after->mode == RECORD_CHECKOUT;
    case PRACTICE_ITEM:
    case PRACTICE_SECOND:
        return e == ERR_OK && a->act == BOX_RECORD && a->kind == RECORD_CHECKOUT;
    case PRACTICE_UNDO:
        return e == ERR_OK && a->act == BOX_UNDO;
    case PRACTICE_MODE:
        return e == ERR_OK && a->act == BOX_MODE && after->mode == RECORD_DISCHARGE;
    case PRACTICE_WRONG:
        return e != ERR_OK && strcmp(why, "wrong_slot") == 0;
    case PRACTICE_RETURN:
        return e == ERR_OK && a->act == BOX_RECORD && a->kind == RECORD_DISCHARGE;
    case PRACTICE_READY:
        break;
    }
    return false;
}

/* A question, a due date, a change of mode: seen every day, and nothing was done wrongly yet. */
static bool hurts_nothing(enum err e, const struct box_answer *a)
{
    if (e != ERR_OK)
        return e == ERR_FULL;
    switch (a->act) {
    case BOX_ASKS:
    case BOX_HELD:
    case BOX_DUE:
    case BOX_MODE:
        return true;
    case BOX_NOTHING: /* *OK and *CANCEL; but a card or item scanned twice has a number */
        return a->value[0] == 0;
    case BOX_OPENED:
    case BOX_NEXT:
    case BOX_RECORD:
    case BOX_FORM:
    case BOX_PIECES:
    case BOX_UNDO:
        break;
    }
    return false;
}

bool practice_judge(struct practice *p, uint64_t boot_ms, const struct box *after, enum err e,
                    const char *why, const struct box_answer *a)
{
    struct drill *d = &p->drill;

    if (d->step >= PRACTICE_READY)
        return false; /* ready: whatever else is tried is free */
    if (leads_on(d->step, after, e, why, a)) {
        d->step++;
    } else {
        if (!hurts_nothing(e, a) && d->mistakes[d->step] < UINT16_MAX)
            d->mistakes[d->step]++;
        practice_settle(p, after);
    }
    if (d->step == PRACTICE_READY)
        d->took_ms = (uint32_t)(boot_ms - p->drill_ms);
    return d->step == PRACTICE_READY;
}

enum err practice_record(struct practice *p, const struct policy *policy, const struct session *s,
                         const char *desk, int64_t wall_ms, struct record *r,
                         char id[RECORD_ID_TEXT], struct errmsg *msg)
{
    enum err e;

    r->at_ms = wall_ms;
    session_apply(s, policy, desk, wall_ms, r);
    desk_settle_due(policy, r, wall_ms);
    if ((e = desk_check(policy, r, wall_ms, msg)) == ERR_OK)
        snprintf(id, RECORD_ID_TEXT, "PRACTICE/%u", ++p->records);
    return e;
}

/* ---- what to do next ---- */

static const struct {
    const char *name, *key, *sentence;
} steps[PRACTICE_STEPS + 1] = {
    [PRACTICE_CARD] = { "card", "practice_card", "scan the user card" },
    [PRACTICE_ITEM] = { "item", "practice_item", "scan an item: it is lent to this user" },
    [PRACTICE_SECOND] = { "second", "practice_second", "scan a second item for the same user" },
    [PRACTICE_UNDO] = { "undo", "practice_undo", "take the last one back: F9, or scan *UNDO" },
    [PRACTICE_MODE] = { "mode", "practice_mode", "go to Discharge: F3, or scan *DISCHARGE" },
    [PRACTICE_WRONG] = { "wrong", "practice_wrong",
                         "scan the user card here, on purpose: the desk has to refuse it" },
    [PRACTICE_RETURN] = { "return", "practice_return", "scan the first item: it comes back" },
    [PRACTICE_READY] = { "ready", "practice_ready", "you are ready" },
};

static bool must_change_mode(const struct practice *p, const struct box *b)
{
    return b && p->drill.step <= PRACTICE_UNDO && b->mode != RECORD_CHECKOUT;
}

const char *practice_key(const struct practice *p, const struct box *b)
{
    return must_change_mode(p, b) ? "practice_checkout" : steps[p->drill.step].key;
}

const char *practice_sentence(const struct practice *p, const struct box *b)
{
    return must_change_mode(p, b) ? "go to Checkout: F2, or scan *CHECKOUT"
                                  : steps[p->drill.step].sentence;
}

const char *practice_shown(const struct practice *p, const struct box *b,
                           const struct policy *policy)
{
    if (must_change_mode(p, b))
        return "*CHECKOUT";
    switch ((enum practice_step)p->drill.step) {
    case PRACTICE_CARD:
    case PRACTICE_WRONG:
        return policy->practice_user;
    case PRACTICE_ITEM:
    case PRACTICE_RETURN:
        return policy->practice_item[0];
    case PRACTICE_SECOND:
        return policy->practice_item[1];
    case PRACTICE_UNDO:
        return "*UNDO";
    case PRACTICE_MODE:
        return "*DISCHARGE";
    case PRACTICE_READY:
        break;
    }
    return "";
}

const char *practice_step_name(unsigned step)
{
    return step <= PRACTICE_STEPS ? steps[step].name : "";
}

const char *practice_end_name(enum practice_end e)
{
    static const char *const names[] = { "", "off", "outage", "hour" };

    return names[e];
}
