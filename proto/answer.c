/* answer.c - names of what a library's system answers. */
#include "answer.h"

const char *answer_name(enum answer a)
{
    static const char *const names[] = { "unknown", "accepted",    "deviating", "already",
                                         "refused", "quarantined", "held",      "in_doubt" };

    return (unsigned)a <= ANSWER_LAST ? names[a] : names[0];
}
