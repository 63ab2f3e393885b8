/* answer.c - what a library's system answers, in words. */
#include "answer.h"

#include <stdio.h>

#include "record.h"

const char *answer_name(enum answer a)
{
    static const char *const names[] = { "unknown", "accepted",    "deviating", "already",
                                         "refused", "quarantined", "held",      "in_doubt" };

    return (unsigned)a <= ANSWER_LAST ? names[a] : names[0];
}

bool answer_is_exception(enum answer a)
{
    return a == ANSWER_REFUSED || a == ANSWER_QUARANTINED || a == ANSWER_HELD || a == ANSWER_DOUBT;
}

static const struct {
    const char *what, *done, *by_hand;
} kinds[] = {
    [0] = { "the record", "booked", "enter it in the ILS" },
    [RECORD_CHECKOUT] = { "the loan", "booked", "check the item out in the ILS" },
    [RECORD_DISCHARGE] = { "the return", "booked", "check the item in in the ILS" },
    [RECORD_RENEW] = { "the renewal", "booked", "renew the loan in the ILS" },
    [RECORD_USER] = { "the new card", "registered", "register the card in the ILS" },
    [RECORD_INHOUSE] = { "the in-house use", "counted", "count it in the ILS" },
};

static unsigned row_of(unsigned kind)
{
    return kind < sizeof kinds / sizeof kinds[0] && kinds[kind].what ? kind : 0;
}

void answer_sentence(enum answer a, unsigned kind, char out[200])
{
    const char *what = kinds[row_of(kind)].what, *done = kinds[row_of(kind)].done;

    switch (a) {
    case ANSWER_ACCEPTED:
        snprintf(out, 200, "%s is %s", what, done);
        return;
    case ANSWER_DEVIATING:
        snprintf(out, 200, "%s is %s, but otherwise than it was sent", what, done);
        return;
    case ANSWER_ALREADY:
        snprintf(out, 200, "%s was %s before, or there was nothing to do", what, done);
        return;
    case ANSWER_REFUSED:
        snprintf(out, 200, "the ILS refused it: %s is not %s", what, done);
        return;
    case ANSWER_QUARANTINED:
        snprintf(out, 200, "the ILS breaks off each time it is sent this: %s is not %s", what,
                 done);
        return;
    case ANSWER_HELD:
        snprintf(out, 200,
                 "not sent, because a record before it of the same item or card failed: %s is not "
                 "%s",
                 what, done);
        return;
    case ANSWER_DOUBT:
        snprintf(out, 200, "sent once, and no answer came: nobody can tell whether %s is %s", what,
                 done);
        return;
    }
    out[0] = '\0';
}

void answer_next_step(enum answer a, unsigned kind, char out[200])
{
    const char *by_hand = kinds[row_of(kind)].by_hand, *done = kinds[row_of(kind)].done;

    switch (a) {
    case ANSWER_ACCEPTED:
    case ANSWER_ALREADY:
        out[0] = '\0';
        return;
    case ANSWER_DEVIATING:
        snprintf(out, 200, "compare due date and user in the ILS; tell the user if they differ");
        return;
    case ANSWER_REFUSED:
    case ANSWER_QUARANTINED:
        snprintf(out, 200,
                 "mend what the ILS says, then %s and say \"upload done\", or send it again with "
                 "\"upload release\"",
                 by_hand);
        return;
    case ANSWER_HELD:
        snprintf(
            out, 200,
            "settle the record before it first, then send this one with \"upload release\", or "
            "%s and say \"upload done\"",
            by_hand);
        return;
    case ANSWER_DOUBT:
        snprintf(out, 200, "look in the ILS whether it is %s; if not, %s; then say \"upload done\"",
                 done, by_hand);
        return;
    }
    out[0] = '\0';
}
