/* gate.c - the only way from this desk's people into the core: a test looks that nobody else calls
 * core_record. */
#include "node_int.h"

enum err gate_record(struct node *n, const struct moment *now, struct record *r, enum ask ask,
                     struct told_note *note, struct record_ref *out, bool *again,
                     struct errmsg *msg)
{
    if (n->practice.on) /* P2 */
        return err_why(msg, ERR_REFUSED, "practice", "",
                       "practice is on at this desk, and nothing is recorded: end it first "
                       "(tideover practice off)");
    return core_record_telling(n->core, now, r, ask, note, out, again, msg);
}
