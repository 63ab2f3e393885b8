/* sip2_judge.c - what an answer means, and what a look at something in doubt proves. */
#include <stdio.h>
#include <string.h>

#include "sip2.h"

/* ---- what was asked ---- */

static bool copy(const struct sip2_msg *m, const char *code, char *out, size_t room)
{
    struct sip2_field f;

    out[0] = '\0';
    if (!sip2_find(m, code, &f) || f.n >= room)
        return false;
    memcpy(out, f.value, f.n);
    out[f.n] = '\0';
    return true;
}

static uint32_t day_of(const char *date)
{
    uint32_t ymd = 0;

    for (unsigned i = 0; i < 8; i++) {
        if (date[i] < '0' || date[i] > '9')
            return 0;
        ymd = ymd * 10 + (uint32_t)(date[i] - '0');
    }
    return ymd_is_valid(ymd) ? ymd : 0;
}

enum err sip2_ask_of(const char *line, size_t n, struct sip2_ask *out, struct errmsg *msg)
{
    struct sip2_msg m;
    enum err e;

    memset(out, 0, sizeof *out);
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        n--;
    if ((e = sip2_parse(line, n, &m, msg)) != ERR_OK)
        return e;
    out->kind = strcmp(m.code, "11") == 0   ? RECORD_CHECKOUT
                : strcmp(m.code, "09") == 0 ? RECORD_DISCHARGE
                : strcmp(m.code, "29") == 0 ? RECORD_RENEW
                                            : 0;
    if (out->kind == 0 || !copy(&m, "AB", out->item, sizeof out->item) ||
        !copy(&m, "AO", out->institution, sizeof out->institution) ||
        (out->kind != RECORD_DISCHARGE && !copy(&m, "AA", out->user, sizeof out->user)))
        return err_set(msg, ERR_MALFORMED, "not a line of a SIP2 batch");
    if (out->kind != RECORD_DISCHARGE)
        out->due = day_of(m.fixed + 20);
    return ERR_OK;
}

/* ---- answers ---- */

static void say(struct sip2_told *t, enum answer a, const char *what)
{
    char theirs[ANSWER_WORDS_MAX + 1];

    memcpy(theirs, t->words, sizeof theirs);
    t->answer = a;
    snprintf(t->words, sizeof t->words, "%s%s%s", what, theirs[0] ? ": " : "", theirs);
    text_mend(t->words);
}

static void lost(struct sip2_told *t, const char *why)
{
    t->next = SIP2_LOST;
    t->answer = ANSWER_DOUBT;
    snprintf(t->words, sizeof t->words, "%s", why);
}

/* S3: code, checksum, sequence, item, and user all fit, or it answers another question. */
static const char *why_not_ours(const struct sip2_ask *ask, unsigned seq, const struct sip2_msg *m)
{
    const char *code = ask->kind == RECORD_CHECKOUT    ? "12"
                       : ask->kind == RECORD_DISCHARGE ? "10"
                                                       : "30";

    if (strcmp(m->code, "96") == 0)
        return "the server asked for the message again (96)";
    if (strcmp(m->code, "98") == 0)
        return "the server sent its status instead of an answer (98)";
    if (strcmp(m->code, code) != 0)
        return "the server answered another question";
    if (m->sum == SIP2_SUM_BAD)
        return "the answer's checksum is wrong";
    if (m->seq >= 0 && m->seq != (int)(seq % 10))
        return "the answer has another sequence number";
    if (!sip2_is(m, "AB", ask->item))
        return "the answer is about another item";
    if (ask->kind != RECORD_DISCHARGE && !sip2_is(m, "AA", ask->user))
        return "the answer is about another user";
    return NULL;
}

static bool has_fee(const struct sip2_msg *m)
{
    struct sip2_field f;

    if (sip2_find(m, "BV", &f))
        for (size_t i = 0; i < f.n; i++)
            if (f.value[i] >= '1' && f.value[i] <= '9')
                return true;
    return sip2_find(m, "BT", &f) && f.n > 0 && !sip2_find(m, "BV", &f);
}

/* True, and words: the server's day is another than the one that the user was told. */
static bool is_other_day(const struct sip2_ask *ask, uint32_t due, struct sip2_told *t)
{
    char what[80], theirs[11], ours[11];

    if (ask->due == 0 || due == 0 || due == ask->due)
        return false;
    ymd_format(due, theirs);
    ymd_format(ask->due, ours);
    snprintf(what, sizeof what, "due %s there, the user was told %s", theirs, ours);
    say(t, ANSWER_DEVIATING, what);
    return true;
}

static void judge_booked(const struct sip2_ask *ask, bool again, const struct sip2_msg *m,
                         struct sip2_told *t)
{
    struct sip2_field f;

    t->answer = ANSWER_ACCEPTED;
    if (ask->kind != RECORD_DISCHARGE && is_other_day(ask, sip2_due(m), t))
        return;
    if (ask->kind == RECORD_CHECKOUT && m->fixed[1] == 'Y' && !again) {
        say(t, ANSWER_DEVIATING, "booked as a renewal, the user already had it");
    } else if (ask->kind == RECORD_DISCHARGE && ask->user[0] != '\0' && sip2_find(m, "AA", &f) &&
               f.n > 0 && !sip2_is(m, "AA", ask->user)) {
        say(t, ANSWER_DEVIATING, "it was out to another user");
    } else if (sip2_find(m, "AO", &f) && f.n > 0 && !sip2_is(m, "AO", ask->institution)) {
        say(t, ANSWER_DEVIATING, "booked by another institution");
    }
}

static void judge_refused(const struct sip2_ask *ask, bool again, const struct sip2_msg *m,
                          struct sip2_told *t)
{
    t->answer = ANSWER_REFUSED;
    if (ask->kind == RECORD_CHECKOUT && m->fixed[1] == 'Y') /* "already yours" */
        t->answer = again ? ANSWER_ACCEPTED : ANSWER_ALREADY;
    else if (sip2_is(m, "BL", "N"))
        say(t, ANSWER_REFUSED, "unknown user");
    else if (ask->kind == RECORD_DISCHARGE)
        t->next = SIP2_ITEM;
    else if (has_fee(m))
        t->next = SIP2_FEE;
}

void sip2_judge(const struct sip2_ask *ask, unsigned seq, bool again, const char *p, size_t n,
                struct sip2_told *out)
{
    struct sip2_msg m;
    const char *why;

    memset(out, 0, sizeof *out);
    if (sip2_parse(p, n, &m, NULL) != ERR_OK) {
        lost(out, "the server sent something that is no SIP2 answer");
        return;
    }
    if ((why = why_not_ours(ask, seq, &m)) != NULL) {
        lost(out, why);
        return;
    }
    if (m.fixed[0] != '0' && m.fixed[0] != '1') {
        lost(out, "the answer says neither yes nor no");
        return;
    }
    sip2_words(&m, out->words, sizeof out->words);
    if (m.fixed[0] == '1')
        judge_booked(ask, again, &m, out);
    else
        judge_refused(ask, again, &m, out);
}

/* ---- looks ---- */

enum sip2_place sip2_place_of(const struct sip2_msg *item)
{
    struct sip2_field title;
    unsigned status = 0;

    for (unsigned i = 0; i < 2; i++) {
        if (item->fixed[i] < '0' || item->fixed[i] > '9')
            return SIP2_UNCLEAR;
        status = status * 10 + (unsigned)(item->fixed[i] - '0');
    }
    switch (status) {
    case 1:
        return sip2_find(item, "AJ", &title) && title.n > 0 ? SIP2_UNCLEAR : SIP2_UNKNOWN;
    case 4:
    case 5:
        return SIP2_OUT;
    case 3:  /* available */
    case 6:  /* in process */
    case 8:  /* on the hold shelf */
    case 9:  /* to be reshelved */
    case 10: /* in transit */
        return SIP2_IN;
    default: /* recalled, claimed returned, lost, missing: it may still be on loan */
        return SIP2_UNCLEAR;
    }
}

bool sip2_wants_patron(const struct sip2_ask *ask, const struct sip2_seen *seen)
{
    if (seen->place != SIP2_OUT && seen->place != SIP2_UNCLEAR)
        return false;
    return ask->kind == RECORD_CHECKOUT ||
           (ask->kind == RECORD_RENEW && ask->due != 0 && seen->due == ask->due);
}

bool sip2_see_page(const struct sip2_ask *ask, const struct sip2_msg *patron,
                   struct sip2_seen *seen)
{
    struct sip2_field f;
    unsigned loans = 0;

    for (size_t at = 0; sip2_next(patron, &at, &f);) {
        if (memcmp(f.code, "AU", 2) != 0)
            continue;
        loans++;
        seen->has_it |= f.n == strlen(ask->item) && memcmp(f.value, ask->item, f.n) == 0;
    }
    return !seen->has_it && loans >= SIP2_PAGE;
}

/* S6: only what the server shows to be so is proof. AU may hold titles or numbers of the system's
 * own; then it shows nothing, and a checkout is sent again (with renewal policy N that is
 * harmless), a renewal never. */
enum delivery sip2_after_look(const struct sip2_ask *ask, const struct sip2_seen *seen,
                              struct sip2_told *out)
{
    bool done = false;

    memset(out, 0, sizeof *out);
    out->answer = ANSWER_ACCEPTED;
    if (seen->place == SIP2_UNKNOWN) {
        out->answer = ANSWER_REFUSED;
        snprintf(out->words, sizeof out->words, "the server does not know the item");
        return DELIVERY_DONE;
    }
    switch (ask->kind) {
    case RECORD_DISCHARGE:
        done = seen->place == SIP2_IN;
        break;
    case RECORD_CHECKOUT:
        if (!seen->has_it)
            return DELIVERY_ABSENT;
        done = true;
        (void)is_other_day(ask, seen->due, out);
        break;
    case RECORD_RENEW:
        done = seen->has_it && ask->due != 0 && seen->due == ask->due;
        break;
    }
    if (done)
        return DELIVERY_DONE;
    out->answer = ANSWER_DOUBT;
    snprintf(out->words, sizeof out->words,
             "the answer was lost, and the server does not show whether it was booked");
    return DELIVERY_UNPROVEN;
}

/* ---- what a session remembers ---- */

void sip2_tally_failed(struct sip2_tally *t, uint64_t item)
{
    if (t->item != item) {
        t->item = item;
        t->failed = 0;
        t->lived = true;
    }
    t->failed += t->lived; /* a server that is down fails every record: that says nothing of one */
    t->lived = false;
}

void sip2_tally_lives(struct sip2_tally *t)
{
    t->lived = true;
}

bool sip2_tally_is_poison(const struct sip2_tally *t, uint64_t item)
{
    return t->item == item && t->failed >= SIP2_POISON && t->lived;
}

void sip2_tally_told(struct sip2_tally *t, uint64_t item, enum answer a)
{
    if (t->first == 0)
        t->first = item;
    if (a == ANSWER_REFUSED)
        t->refused++;
    else if (a != ANSWER_HELD)
        t->other = true;
}

bool sip2_tally_stops(const struct sip2_tally *t)
{
    return t->first == 1 && !t->other && t->refused >= SIP2_REFUSED;
}
