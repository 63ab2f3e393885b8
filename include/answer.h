/* answer.h - what the library's system said about one record of an upload.
 *
 * Given per record by sinks that are told record by record (SIP2, Koha) or that give a list at the
 * end (Evergreen). Everything but ACCEPTED and ALREADY needs a person's eye; all but ACCEPTED,
 * ALREADY and DEVIATING is an exception, open until a lead marks it done or sends it again. */
#ifndef TIDEOVER_ANSWER_H
#define TIDEOVER_ANSWER_H

#include <stdbool.h>

#define ANSWER_WORDS_MAX 200 /* bytes of UTF-8 of the system's own words that are kept */

enum answer {                         /* on the wire and the disk: numbers are for ever */
              ANSWER_ACCEPTED = 1,    /* booked as sent; never told record by record */
              ANSWER_DEVIATING = 2,   /* booked, but otherwise: another due date, a renewal .. */
              ANSWER_ALREADY = 3,     /* was booked before, or there was nothing to do */
              ANSWER_REFUSED = 4,     /* not booked; the system said why */
              ANSWER_QUARANTINED = 5, /* breaks the system's connection each time: set aside */
              ANSWER_HELD = 6,        /* not sent: an earlier record of its item was set aside */
              ANSWER_DOUBT = 7,       /* sent once; nobody can tell whether it was booked */
              ANSWER_LAST = ANSWER_DOUBT
};
const char *answer_name(enum answer a);  /* "accepted" .. ; "unknown" */
bool answer_is_exception(enum answer a); /* a person must do something */
/* For people, by kind (enum record_kind) of the record: what it means, and what to do; sentences
 * without their full stop. */
void answer_sentence(enum answer a, unsigned kind, char out[200]);
void answer_next_step(enum answer a, unsigned kind, char out[200]);

#endif
