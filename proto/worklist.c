/* worklist.c - rules W1 to W3. */
#include "worklist.h"

#include <string.h>

enum worklist worklist_of_merged(const struct merged *m)
{
    if (m->rec.kind != RECORD_DISCHARGE || m->again != NULL || strcmp(m->rule, "R8") != 0)
        return WORKLIST_NOT;
    return m->verdict == VERDICT_HELD   ? WORKLIST_WAITS
           : m->verdict == VERDICT_SEND ? WORKLIST_GOES
                                        : WORKLIST_NOT;
}

enum worklist worklist_of_aside(enum aside_what what, bool released)
{
    return what == ASIDE_HELD && !released ? WORKLIST_DUE : WORKLIST_NOT;
}

const char *worklist_name(enum worklist w)
{
    switch (w) {
    case WORKLIST_WAITS:
        return "waits";
    case WORKLIST_DUE:
        return "due";
    case WORKLIST_GOES:
        return "goes";
    case WORKLIST_NOT:
        break;
    }
    return "";
}

const char *worklist_next_step(enum worklist w)
{
    switch (w) {
    case WORKLIST_WAITS:
        return "leave the item on the HOLD-CHECK shelf until the upload is done: its loan has to "
               "reach the ILS first";
    case WORKLIST_DUE:
        return "if the item is here, discharge it in the ILS and see to its hold; then, or if it "
               "was lent again since, say \"worklist done\"; or send it with \"upload release\"";
    case WORKLIST_GOES:
        return "nothing to do: it is sent with the upload, because another user has the item now";
    case WORKLIST_NOT:
        break;
    }
    return "";
}
