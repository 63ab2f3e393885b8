/* evergreen.c - an offline session at an Evergreen server, in four items (class session).
 *
 * Create gives a key; load puts one file per desk into the session; execute books all of it, once;
 * read waits for the end and asks what was not booked. Only execute changes anything: all before it
 * may be repeated, and a session that is not as it should be is left behind and another one filled.
 * Execute is never repeated while the server may be about to begin, for its "yes" means only that a
 * process was started. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aside_int.h"
#include "evergreen_int.h"
#include "now.h"

#define SETTLE_MAX 60000 /* a script that broke is given so long to turn out to be at work */

void evergreen_pause(void)
{
    struct timespec t = { 0, 200 * 1000000 };

    nanosleep(&t, NULL);
}

/* Since the last change, which is now if there was none yet. */
bool evergreen_patience_ends(struct evergreen *e, const struct sink_batch *b)
{
    if (e->waits_ms == 0)
        e->waits_ms = clock_ms(CLOCK_BOOTTIME);
    return clock_ms(CLOCK_BOOTTIME) - e->waits_ms >= b->policy->evergreen_service.patience_ms;
}

/* An event that is not what was hoped for. */
enum delivery evergreen_refused(const struct web_answer *a, char words[256])
{
    struct evergreen_event ev;

    if (evergreen_event((const char *)a->body.p, a->body.len, &ev) != ERR_OK) {
        snprintf(words, 256,
                 "there is no Evergreen offline service at the policy's sink: what it "
                 "answers is no event");
        return DELIVERY_STOP;
    }
    snprintf(words, 256,
             "Evergreen refuses: %.150s. Put that right there, then run the upload again",
             ev.words);
    return DELIVERY_STOP;
}

/* What may be repeated without harm. */
enum delivery evergreen_again(enum evergreen_end end, enum delivery why)
{
    return end == EVERGREEN_NOT ? why : DELIVERY_RETRY;
}

/* ---- create ---- */

static bool is_key(const char *s)
{
    size_t n = strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.");

    return n > 0 && s[n] == '\0' && n < SINK_KEY_MAX;
}

static enum delivery create(struct evergreen *e, struct sink_batch *b, char words[256])
{
    const struct evergreen_call call = { .action = "create" };
    enum delivery d = DELIVERY_STOP;
    struct evergreen_event ev;
    struct web_answer a;
    enum evergreen_end end = evergreen_call(e, b, &call, &a, &d, words);

    if (end != EVERGREEN_SAID) {
        d = evergreen_again(end, d);
    } else if (evergreen_event((const char *)a.body.p, a.body.len, &ev) == ERR_OK &&
               evergreen_says(&ev) == EVERGREEN_DONE && is_key(ev.payload)) {
        snprintf(b->key, sizeof b->key, "%s", ev.payload);
        snprintf(e->fresh, sizeof e->fresh, "%s", ev.payload);
        words[0] = '\0'; /* the receipt's evidence is short */
        d = DELIVERY_DONE;
    } else {
        d = evergreen_refused(&a, words);
    }
    web_answer_free(&a);
    return d;
}

/* ---- status ---- */

/* DONE, RETRY, STOP; ABSENT: the server knows no such session. */
enum delivery evergreen_ask_status(struct evergreen *e, struct sink_batch *b,
                                   struct evergreen_status *st, char words[256])
{
    const struct evergreen_call call = { .action = "status",
                                         .status_type = "scripts",
                                         .key = b->key };
    enum delivery d = DELIVERY_STOP;
    struct evergreen_event ev;
    struct web_answer a;
    enum evergreen_end end = evergreen_call(e, b, &call, &a, &d, words);
    const char *p = (const char *)a.body.p;

    if (end != EVERGREEN_SAID) {
        d = evergreen_again(end, d);
    } else if (evergreen_status(p, a.body.len, st) == ERR_OK) {
        d = st->key[0] == '\0' || strcmp(st->key, b->key) == 0 ? DELIVERY_DONE : DELIVERY_RETRY;
        if (d != DELIVERY_DONE)
            snprintf(words, 256, "Evergreen told of another session than %s: it is asked again",
                     b->key);
    } else if (evergreen_event(p, a.body.len, &ev) == ERR_OK &&
               evergreen_says(&ev) == EVERGREEN_NO_SESSION) {
        snprintf(words, 256,
                 "Evergreen no longer knows session %s: ask who runs it what became of it", b->key);
        d = DELIVERY_ABSENT;
    } else {
        d = evergreen_refused(&a, words);
    }
    web_answer_free(&a);
    return d;
}

/* Has any session of this batch begun, whoever filled it? An uploader that was thought dead, or
 * whose seats were lost in an override, may have executed one that nobody here knows. DONE: yes,
 * and the key is its; ABSENT: none has. */
static enum delivery ask_begun(struct evergreen *e, struct sink_batch *b, char words[256])
{
    const struct evergreen_call call = { .action = "status", .status_type = "sessions" };
    char key[EVERGREEN_TEXT_MAX + 1];
    enum delivery d = DELIVERY_STOP;
    struct web_answer a;
    enum evergreen_end end = evergreen_call(e, b, &call, &a, &d, words);

    if (end != EVERGREEN_SAID) {
        d = evergreen_again(end, d);
    } else if (evergreen_begun((const char *)a.body.p, a.body.len, e->description, key) != ERR_OK) {
        d = evergreen_refused(&a, words);
    } else if (is_key(key)) {
        snprintf(b->key, sizeof b->key, "%s", key);
        words[0] = '\0';
        d = DELIVERY_DONE;
    } else {
        d = DELIVERY_ABSENT;
    }
    web_answer_free(&a);
    return d;
}

/* ---- load ---- */

/* A file that broke off may lie there uncounted, and a second one would be appended to it: then
 * each of its lines is booked twice, though the count is right. So no file is ever loaded again
 * into a session that may have seen it. */
static enum delivery load_desk(struct evergreen *e, struct sink_batch *b,
                               const struct evergreen_desk *desk, char words[256])
{
    const struct evergreen_call call = { .action = "load", .key = b->key, .load = desk };
    enum delivery d = DELIVERY_STOP;
    struct evergreen_event ev;
    struct web_answer a;
    enum evergreen_end end;

    if (!b->may_send(b->ctx))
        return sink_too_late(words);
    end = evergreen_call(e, b, &call, &a, &d, words);
    if (end == EVERGREEN_LOST || end == EVERGREEN_BROKE) {
        e->unsure = true; /* its count will tell */
        d = DELIVERY_DONE;
    } else if (end == EVERGREEN_SAID) {
        d = evergreen_event((const char *)a.body.p, a.body.len, &ev) == ERR_OK &&
                    evergreen_says(&ev) == EVERGREEN_DONE
                ? DELIVERY_DONE
                : evergreen_refused(&a, words);
    }
    web_answer_free(&a);
    return d;
}

static enum delivery load_all(struct evergreen *e, struct sink_batch *b, char words[256])
{
    enum delivery d = DELIVERY_DONE;

    e->fresh[0] = '\0';
    e->unsure = false;
    for (unsigned i = 0; i < e->n_desks && d == DELIVERY_DONE; i++)
        d = load_desk(e, b, &e->desk[i], words);
    return d;
}

/* DONE: in the session of the key is each desk's file, with its count, and nothing else.
 * UNPROVEN: it is not, and cannot be brought there. */
static enum delivery fill(struct evergreen *e, struct sink_batch *b, struct evergreen_status *st,
                          char words[256])
{
    enum delivery d = DELIVERY_DONE;

    if (strcmp(e->fresh, b->key) == 0)
        d = load_all(e, b, words);
    if (d == DELIVERY_DONE)
        d = evergreen_ask_status(e, b, st, words);
    if (d == DELIVERY_ABSENT)
        return DELIVERY_UNPROVEN;
    if (d != DELIVERY_DONE)
        return d;
    if (st->started || evergreen_compare(st, e->description, e->desk, e->n_desks) != EVERGREEN_ALL)
        return DELIVERY_UNPROVEN;
    words[0] = '\0';
    return DELIVERY_DONE;
}

/* Nothing was booked in the session of the key: another one takes its place. */
static enum delivery fill_another(struct evergreen *e, struct sink_batch *b,
                                  struct evergreen_status *st, char words[256])
{
    enum delivery d = create(e, b, words);

    if (d == DELIVERY_DONE)
        d = fill(e, b, st, words);
    if (d != DELIVERY_UNPROVEN)
        return d;
    if (e->unsure) {
        snprintf(words, 256, "Evergreen did not take all files. It is tried again by itself");
        return DELIVERY_RETRY;
    }
    snprintf(words, 256,
             "Evergreen counts other lines than were sent: nothing was booked. Ask who runs it to "
             "look at its offline folder, then run the upload again");
    return DELIVERY_STOP;
}

static enum delivery load(struct evergreen *e, struct sink_batch *b, char words[256])
{
    struct evergreen_status *st = malloc(sizeof *st);
    enum delivery d = DELIVERY_RETRY;

    if (!st)
        return d;
    d = fill(e, b, st, words);
    if (d == DELIVERY_UNPROVEN)
        d = fill_another(e, b, st, words);
    free(st);
    return d;
}

/* ---- execute ---- */

/* It broke, so it started nothing; unless it did so just before, which shows in a moment. */
static enum delivery after_break(struct evergreen *e, struct sink_batch *b,
                                 struct evergreen_status *st, char words[256])
{
    uint64_t settle = b->policy->evergreen_service.patience_ms / 10,
             from = clock_ms(CLOCK_BOOTTIME);
    enum delivery d;

    if (settle > SETTLE_MAX)
        settle = SETTLE_MAX;
    do {
        evergreen_pause();
        if ((d = ask_begun(e, b, words)) == DELIVERY_DONE)
            return d;
    } while (clock_ms(CLOCK_BOOTTIME) - from < settle);
    if (d != DELIVERY_ABSENT)
        return DELIVERY_DOUBT;
    if (e->renewed) {
        snprintf(words, 256,
                 "Evergreen's offline script breaks when it is to execute the session: nothing "
                 "was booked. Ask who runs it to look at its log, then run the upload again");
        return DELIVERY_STOP;
    }
    e->renewed = true;
    if ((d = fill_another(e, b, st, words)) != DELIVERY_DONE)
        return d;
    snprintf(words, 256, "Evergreen broke before it booked anything: another session is filled");
    return DELIVERY_RETRY;
}

static enum delivery execute_now(struct evergreen *e, struct sink_batch *b,
                                 struct evergreen_status *st, char words[256])
{
    const struct evergreen_call call = { .action = "execute", .key = b->key };
    enum delivery d = DELIVERY_STOP;
    struct evergreen_event ev;
    struct web_answer a;
    enum evergreen_end end;

    if (!b->may_send(b->ctx))
        return sink_too_late(words);
    end = evergreen_call(e, b, &call, &a, &d, words);
    if (end == EVERGREEN_BROKE)
        d = after_break(e, b, st, words);
    else if (end == EVERGREEN_LOST)
        d = DELIVERY_DOUBT;
    else if (end == EVERGREEN_SAID &&
             evergreen_event((const char *)a.body.p, a.body.len, &ev) != ERR_OK)
        d = DELIVERY_DOUBT;
    else if (end == EVERGREEN_SAID)
        d = evergreen_says(&ev) == EVERGREEN_DONE || evergreen_says(&ev) == EVERGREEN_RUNNING ||
                    evergreen_says(&ev) == EVERGREEN_FINISHED
                ? DELIVERY_DONE
                : evergreen_refused(&a, words);
    web_answer_free(&a);
    return d;
}

/* The last look before all of it is booked. */
static enum delivery check_and_execute(struct evergreen *e, struct sink_batch *b,
                                       struct evergreen_status *st, char words[256])
{
    enum delivery d = ask_begun(e, b, words);

    if (d != DELIVERY_ABSENT)
        return d;
    d = evergreen_ask_status(e, b, st, words);
    if (d == DELIVERY_ABSENT)
        return DELIVERY_DOUBT; /* cleared away, executed or not: only a person can find out */
    if (d != DELIVERY_DONE)
        return d;
    if (evergreen_compare(st, e->description, e->desk, e->n_desks) == EVERGREEN_ALL)
        return execute_now(e, b, st, words);
    d = fill_another(e, b, st, words);
    return d == DELIVERY_DONE ? DELIVERY_RETRY : d; /* its key is stored first */
}

static enum delivery execute(struct evergreen *e, struct sink_batch *b, char words[256])
{
    struct evergreen_status *st = malloc(sizeof *st);
    enum delivery d = DELIVERY_RETRY;

    e->waits_ms = 0;
    if (st)
        d = check_and_execute(e, b, st, words);
    free(st);
    return d;
}

/* ---- items and looks ---- */

enum delivery sink_evergreen_deliver(struct sink_batch *b, char words[256])
{
    struct evergreen *e;
    enum delivery d = evergreen_begin(b, &e, words);

    if (d != DELIVERY_DONE)
        return d;
    switch (b->item) {
    case SESSION_CREATE:
        return create(e, b, words);
    case SESSION_LOAD:
        return load(e, b, words);
    case SESSION_EXECUTE:
        return execute(e, b, words);
    default:
        return evergreen_read(e, b, words);
    }
}

static enum delivery look_executed(struct evergreen *e, struct sink_batch *b, char words[256])
{
    enum delivery d = ask_begun(e, b, words);

    if (d != DELIVERY_ABSENT)
        return d;
    if (evergreen_patience_ends(e, b)) {
        snprintf(words, 256, "execution of session %s at Evergreen", b->key);
        return DELIVERY_UNPROVEN;
    }
    snprintf(words, 256, "Evergreen may be about to execute session %s: it is watched for a while",
             b->key);
    return DELIVERY_LATER;
}

/* All but execute may simply be done again. */
enum delivery sink_evergreen_look(struct sink_batch *b, char words[256])
{
    struct evergreen *e;
    enum delivery d = evergreen_begin(b, &e, words);

    if (d != DELIVERY_DONE)
        return d;
    snprintf(words, 256, "session %s", b->key);
    return b->item == SESSION_EXECUTE ? look_executed(e, b, words) : DELIVERY_ABSENT;
}

void sink_evergreen_end(void *session)
{
    evergreen_end(session);
}
