/* handover.c - the batch leaves: sending, looking, waiting, step by step as delivery.h says. */
#include "ledger_int.h"

#include <stdio.h>
#include <string.h>

static enum sink_class class_of(const struct ledger *l)
{
    return sink_class_of(l->cur.sink);
}

uint64_t handover_items(const struct ledger *l)
{
    return delivery_items(class_of(l), l->cur.parts, l->cur.n_parts);
}

/* ---- where ---- */

/* The one desk that may touch a drop is gone for good: then a lead's word is all there is. */
static bool place_is_gone(const struct ledger *l, const char *sink)
{
    char name[DESK_NAME_MAX + 1];
    const char *path;

    return sink_place(sink, name, &path) && !roster_find_joined(l->roster, name);
}

static bool place_is_here(const struct ledger *l, const char *sink)
{
    const struct desk *me = roster_find(l->roster, &l->me->id);

    return me && sink_is_at(sink, me->joined);
}

bool handover_is_ours(const struct ledger *l, const char *sink)
{
    return place_is_here(l, sink) || place_is_gone(l, sink);
}

bool handover_is_only_ours(const struct ledger *l)
{
    const struct policy *p = roster_policy(l->roster);

    return p && sink_class_of(p->sink) == SINK_DROP && place_is_here(l, p->sink);
}

/* ---- one step ---- */

/* The answers that are new with this step, if they are few; more are asked for. */
static void put_told(const struct ledger *l, struct buf *b, bool wanted)
{
    const struct tally_rows *r = &l->told;
    bool goes = wanted && r->n > 0 && r->rows.len <= BRING_BYTES;

    mp_put_u64(b, goes ? r->base : 0);
    mp_put_array(b, goes ? (uint32_t)r->n : 0);
    if (goes)
        buf_add(b, r->rows.p, r->rows.len);
}

/* PROGRESS: to the seats it is a question; to all, while a person is waited for, news. */
static void say_progress(struct ledger *l, const struct progress *p, bool to_all)
{
    struct buf b = { 0 };

    ledger_begin(l, &b, WIRE_PROGRESS, 9, l->term);
    mp_put_u64(&b, l->cur.slot);
    mp_put_bin(&b, l->cur_hash, HASH_BYTES);
    progress_encode_bin(p, &b);
    mp_put_bool(&b, l->state == LEDGER_PERSON);
    mp_put_str(&b, l->doubt.name);
    mp_put_u64(&b, l->doubt.lines);
    mp_put_bin(&b, l->doubt.sha256, sizeof l->doubt.sha256);
    put_told(l, &b, !to_all);
    if (to_all)
        ledger_send_all(l, &b);
    else
        ledger_send_seats(l, &b, l->put_yes);
    buf_free(&b);
}

/* A1: what the sink told is on this disk before any seat hears of the step. */
static bool told_is_written(struct ledger *l)
{
    struct tally t;

    if (l->told.written == l->told.n)
        return true;
    tally_open(l->disk, l->cur.slot, l->cur_hash, &t);
    return tally_write(l->disk, &t, &l->told);
}

static void put_step(struct ledger *l, const struct ledger_moment *now, const struct progress *next)
{
    l->put = *next;
    l->put_yes = 0;
    l->state = LEDGER_STEP;
    l->since = now->boot_ms;
    l->retry_at = now->boot_ms + LEDGER_RETRY_MS;
    if (told_is_written(l))
        say_progress(l, &l->put, false);
}

void handover_store(struct ledger *l, const struct ledger_moment *now, const struct progress *next)
{
    tally_rows_free(&l->told);
    put_step(l, now, next);
}

/* The step, and what was said of the records of its item. */
static void store_told(struct ledger *l, const struct ledger_moment *now, struct progress *next,
                       const struct told *told)
{
    struct mp m = mp_over(told ? told->rows.p : NULL, told ? told->rows.len : 0);

    tally_rows_free(&l->told);
    if (told && told->n > 0) {
        l->told.base = l->at.n_answers;
        if (l->at.n_answers == 0)
            answers_begin(l->cur_hash, next->answers);
        tally_rows_take(&l->told, next->answers, &m, told->n, told->n);
        next->n_answers += l->told.n;
    }
    put_step(l, now, next);
}

/* Sends, or looks at, item done + 1; without steps: the whole batch. */
static void deliver(struct ledger *l, const struct ledger_moment *now)
{
    struct buf copy = { 0 };
    struct errmsg msg = { .text = "" };

    if (!sink_has_steps(class_of(l)) && pause_is_on(l)) { /* U3 */
        l->state = LEDGER_PAUSED;
        return;
    }

    if (l->lease_until < now->boot_ms + LEASE_LEFT_MS)
        return; /* the next renewal brings us back here */
    if (l->ask->holds(l->ask->ctx, &l->cur, true, &msg) != ERR_OK) {
        ledger_set_problem(
            l, msg.text); /* a majority holds all of an adopted cut; we are catching up */
        l->retry_at = now->boot_ms + LEDGER_RETRY_MS;
        return;
    }
    l->delivering = true;
    l->since = now->boot_ms;
    buf_add(&copy, l->cur_bytes.p, l->cur_bytes.len);
    effects_deliver(l->fx, l->looking ? EFFECT_LOOK : EFFECT_DELIVER, ++l->number,
                    sink_has_steps(class_of(l)) ? l->at.done + 1 : 0, &copy);
}

static void send_or_look(struct ledger *l, const struct ledger_moment *now, bool look)
{
    l->state = LEDGER_SEND;
    l->looking = look;
    l->delivering = false;
    l->retry_at = now->boot_ms;
    deliver(l, now);
}

static void be_quiet(struct ledger *l, const struct ledger_moment *now)
{
    const struct policy *p = roster_policy_by_hash(l->roster, l->cur.policy);
    uint64_t quiet = sink_quiet_ms(l->cur.sink);

    if (p)
        quiet = policy_quiet_ms(p, (uint32_t)quiet);
    l->state = LEDGER_QUIET; /* what a dead uploader sent may still be on its way */
    l->quiet_until = now->boot_ms + quiet + quiet * 2 * LEASE_DRIFT_PCT / 100;
}

void handover_add_evidence(struct ledger *l, const char *words)
{
    size_t n = strlen(l->evidence);

    snprintf(l->evidence + n, sizeof l->evidence - n, "%s%s", n > 0 && words[0] ? " " : "", words);
}

/* ---- a person ---- */

/* The file of that item, as people can find it again. */
static void fill_doubt(struct ledger *l, const char *name)
{
    uint64_t item = l->at.done;
    const struct slot_part *part = l->cur.n_parts > 0 ? &l->cur.parts[0] : NULL;

    if (class_of(l) != SINK_F1 && item < l->cur.n_parts)
        part = &l->cur.parts[item];
    memset(&l->doubt, 0, sizeof l->doubt);
    l->doubt.waits = true;
    l->doubt.slot = l->cur.slot;
    l->doubt.step = l->at.step;
    l->doubt.item = item + 1;
    memcpy(l->doubt.intent, l->cur_hash, HASH_BYTES);
    snprintf(l->doubt.name, sizeof l->doubt.name, "%s", name);
    if (part) {
        l->doubt.lines = part->lines;
        memcpy(l->doubt.sha256, part->sha256, sizeof l->doubt.sha256);
    }
}

static void wait_for_person(struct ledger *l, const struct ledger_moment *now, const char *name)
{
    l->state = LEDGER_PERSON;
    fill_doubt(l, name);
    handover_wait_words(&l->doubt, l->problem);
    effects_event(l->fx, "slot %llu, step %llu: waits for a lead's decision",
                  (unsigned long long)l->cur.slot, (unsigned long long)l->at.step);
    l->retry_at = now->boot_ms;
}

/* ---- the uploader's way ---- */

static void go_on(struct ledger *l, const struct ledger_moment *now)
{
    enum delivery_move move = delivery_move(class_of(l), handover_items(l), &l->at, l->mine);
    struct progress next;

    if (move != MOVE_FINISH && !place_is_here(l, l->cur.sink) &&
        !place_is_gone(l, l->cur.sink)) { /* never at a second place */
        election_resign(l, now, 2 * LEASE_PROMISE_MS);
        return;
    }
    switch (move) {
    case MOVE_FINISH:
        uploader_write_receipt(l, now,
                               l->evidence[0]   ? l->evidence
                               : l->at.done > 0 ? "handed over in an earlier term"
                                                : "nothing to hand over");
        break;
    case MOVE_STORE:
        if (!place_is_here(l, l->cur.sink)) {
            wait_for_person(l, now, "");
            break;
        }
        if (pause_is_on(l)) { /* U3 */
            l->state = LEDGER_PAUSED;
            break;
        }
        progress_about_to(&l->at, &next);
        handover_store(l, now, &next);
        break;
    case MOVE_SEND:
        send_or_look(l, now, false);
        break;
    case MOVE_QUIET:
        be_quiet(l, now);
        break;
    }
}

void handover_begin(struct ledger *l, const struct ledger_moment *now)
{
    struct progress next;

    if (l->cur.type != SLOT_UPLOAD) { /* nothing is to be handed over */
        uploader_write_receipt(l, now, "");
        return;
    }
    l->mine = !l->adopted;
    if (l->adopted && !ledger_same_epoch(l, l->cur.epoch.number, l->cur.epoch.hash) &&
        delivery_move(class_of(l), handover_items(l), &l->at, false) == MOVE_STORE) {
        /* The lost seats may know of a step that these do not: the next item is in doubt (D8). */
        progress_about_to(&l->at, &next);
        l->then = THEN_DOUBT;
        handover_store(l, now, &next);
        return;
    }
    go_on(l, now);
}

static void quiet_is_over(struct ledger *l, const struct ledger_moment *now)
{
    if (!sink_has_steps(class_of(l)))
        send_or_look(l, now, false); /* the same name or key again */
    else if (place_is_here(l, l->cur.sink))
        send_or_look(l, now, true);
    else
        wait_for_person(l, now, "");
}

/* What certainly did not leave must not look, to a successor, as if it might have. */
static void give_up(struct ledger *l, const struct ledger_moment *now, bool person)
{
    struct progress next;

    l->then = person ? THEN_STOP : THEN_RESIGN;
    if (!l->looking && l->at.step % 2 == 1) {
        progress_nothing_left(&l->at, &next);
        handover_store(l, now, &next);
    } else if (person) {
        trouble_stop(l, now);
    } else {
        election_resign(l, now, 2 * LEASE_PROMISE_MS);
    }
}

static bool has_key(const struct told *told)
{
    return told && told->key[0] != '\0';
}

static void take_key(struct progress *next, const struct told *told)
{
    if (has_key(told))
        memcpy(next->key, told->key, sizeof next->key);
}

/* D10. The item goes to another session than was stored: nothing may be done there before a
 * majority knows of it. */
static void store_key(struct ledger *l, const struct ledger_moment *now, const struct told *told)
{
    struct progress next;

    progress_nothing_left(&l->at, &next);
    take_key(&next, told);
    handover_store(l, now, &next);
}

static void sent(struct ledger *l, const struct ledger_moment *now, const char *words,
                 const struct told *told)
{
    struct progress next;

    ledger_set_problem(l, "");
    handover_add_evidence(l, words);
    if (!sink_has_steps(class_of(l)) && (!told || told->n == 0)) {
        uploader_write_receipt(l, now, l->evidence);
        return;
    }
    /* U3: a pause announces no next item. */
    progress_arrived(&l->at, pause_is_on(l) ? l->at.done + 1 : handover_items(l), &next);
    take_key(&next, told);
    store_told(l, now, &next, told);
}

static void looked(struct ledger *l, const struct ledger_moment *now, enum delivery found,
                   const char *words, const struct told *told)
{
    struct progress next;

    if (class_of(l) == SINK_F1 && found == DELIVERY_UNPROVEN && (!told || told->n == 0)) {
        wait_for_person(l, now, words); /* nobody wrote down that it is in doubt */
        return;
    }
    switch (delivery_after_look(class_of(l), handover_items(l), &l->at, found, &next)) {
    case LOOK_STORE:
        ledger_set_problem(l, "");
        if (found == DELIVERY_DONE) {
            handover_add_evidence(l, words);
            take_key(&next, told);
        }
        if (next.done > l->at.done) /* settled, as there or as in doubt */
            store_told(l, now, &next, told);
        else
            handover_store(l, now, &next);
        break;
    case LOOK_PERSON:
        wait_for_person(l, now, words);
        break;
    }
}

void ledger_delivered(struct ledger *l, const struct ledger_moment *now, uint64_t number,
                      enum delivery how, const char *words, const struct told *told)
{
    if (l->state != LEDGER_SEND || !l->delivering || number != l->number ||
        now->boot_ms >= l->lease_until)
        return; /* after the term it is evidence, not a receipt */
    l->delivering = false;
    switch (how) {
    case DELIVERY_DONE:
        if (l->looking)
            looked(l, now, how, words, told);
        else
            sent(l, now, words, told);
        break;
    case DELIVERY_ABSENT:
    case DELIVERY_UNPROVEN:
    case DELIVERY_DOUBT:
        if (l->looking) {
            looked(l, now, how == DELIVERY_ABSENT ? how : DELIVERY_UNPROVEN, words, told);
        } else {
            l->mine = false;
            be_quiet(l, now);
        }
        break;
    case DELIVERY_LATER:
        ledger_set_problem(l, words);
        l->retry_at = now->boot_ms + LEASE_MS;
        break;
    case DELIVERY_RETRY:
        trouble_set(l, TROUBLE_WAITS, words);
        l->retry_at = now->boot_ms + LEASE_MS;
        if (++l->tries >= DELIVERY_TRIES)
            give_up(l, now, false);
        else if (has_key(told) && !l->looking)
            store_key(l, now, told);
        break;
    case DELIVERY_STOP:
    case DELIVERY_DENIED:
        trouble_set(l, how == DELIVERY_DENIED ? TROUBLE_DENIED : TROUBLE_NONE, words);
        give_up(l, now, true);
        break;
    }
}

void handover_tick(struct ledger *l, const struct ledger_moment *now)
{
    switch (l->state) {
    case LEDGER_QUIET:
        if (now->boot_ms >= l->quiet_until)
            quiet_is_over(l, now);
        break;
    case LEDGER_SEND:
        if (l->delivering)
            uploader_check_overdue(l, now);
        else if (now->boot_ms >= l->retry_at)
            deliver(l, now);
        break;
    case LEDGER_STEP:
        if (now->boot_ms - l->since >= GATHER_MAX_MS && l->then == THEN_STOP)
            trouble_stop(l, now);
        else if (now->boot_ms - l->since >= GATHER_MAX_MS)
            election_resign(l, now, LEASE_MS);
        else if (now->boot_ms >= l->retry_at && told_is_written(l)) {
            say_progress(l, &l->put, false);
            l->retry_at = now->boot_ms + LEDGER_RETRY_MS;
        }
        break;
    case LEDGER_PERSON:
        if (now->boot_ms >= l->retry_at) {
            say_progress(l, &l->at, true);
            l->retry_at = now->boot_ms + HANDOVER_ANNOUNCE_MS;
        }
        handover_use_decision(l, now);
        break;
    case LEDGER_PAUSED:
        if (pause_is_on(l))
            break;
        if (sink_has_steps(class_of(l)))
            go_on(l, now);
        else
            send_or_look(l, now, false);
        break;
    default: /* the uploader's other states are uploader.c's */
        break;
    }
}

void handover_on_progressed(struct ledger *l, const struct ledger_moment *now,
                            const struct desk_id *from, uint64_t term, struct mp *m)
{
    uint64_t slot = mp_get_u64(m), step = mp_get_u64(m);
    int seat = ledger_seat_of(l, from);

    if (m->bad || l->state != LEDGER_STEP || term != l->term || slot != l->cur.slot ||
        step != l->put.step || seat < 0 || now->boot_ms >= l->lease_until)
        return; /* heard after a pause: who leads now may have finished */
    l->put_yes |= 1u << seat;
    if (!ledger_is_majority(l, l->put_yes))
        return;
    l->at = l->put;
    l->mine = l->then != THEN_DOUBT;
    switch (l->then) {
    case THEN_DOUBT:
        l->then = THEN_GO_ON;
        go_on(l, now);
        break;
    case THEN_GO_ON:
        go_on(l, now);
        break;
    case THEN_RESIGN:
        election_resign(l, now, 2 * LEASE_PROMISE_MS);
        break;
    case THEN_STOP:
        trouble_stop(l, now);
        break;
    }
}
