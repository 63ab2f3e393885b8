/* pause.h - a lead asks the uploader to wait before its next step.
 *
 * U1 A pause is a desk's wish about one slot, said in HELLO and BEAT while it lasts. Nothing of it is
 *    stored: it ends when that desk takes it back, stops, or cannot be heard, when the slot is
 *    decided, and after an hour.
 * U2 It counts if that desk is a lead's or an admin's, whoever is the uploader: a successor hears
 *    the same wish.
 * U3 A paused uploader keeps its lease and begins no step: nothing is stored as "about to be sent",
 *    so that nothing is in doubt if it dies meanwhile. What was begun is finished first. A sink
 *    without steps waits before the batch, or before it is tried again.
 * Hence a pause only puts off: no order, content or count of what is sent depends on it. */
#ifndef TIDEOVER_PAUSE_H
#define TIDEOVER_PAUSE_H

#include "ledger.h"

struct core;
struct moment;

#define PAUSE_MS 3600000 /* one that was forgotten holds nobody up for ever */

/* At this desk. ERR_DENIED: it is no lead's (yes only); ERR_MISSING: no upload is under way. */
enum err core_pause(struct core *c, const struct moment *now, bool yes, struct errmsg *msg);
/* The desks that want the slot under way to wait, this one included, at most max; 0: it goes on. */
unsigned core_paused_by(const struct core *c, struct desk_id *out, unsigned max);

enum err ledger_pause(struct ledger *l, const struct ledger_moment *now, bool yes,
                      struct errmsg *msg);

#endif
