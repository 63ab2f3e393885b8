/* worklist.h - the HOLD-CHECK worklist: discharges that are held, and what is to be done (R8).
 *
 * W1 waits  held, in no upload yet: it may not be entered by hand before the loans of its item have
 *           gone, or the item comes back first and is lent afterwards, for ever
 * W2 due    held, and its upload is decided: entered by hand and said to be done, or released
 * W3 goes   between two loans of its item to different users: it is sent with the next upload
 *
 * A discharge that was released, voided, settled or that is a duplicate stands on no list. */
#ifndef TIDEOVER_WORKLIST_H
#define TIDEOVER_WORKLIST_H

#include "aside.h"
#include "merge.h"

enum worklist { WORKLIST_NOT, WORKLIST_WAITS, WORKLIST_DUE, WORKLIST_GOES };

enum worklist worklist_of_merged(const struct merged *m); /* of what waits to be uploaded */
enum worklist worklist_of_aside(enum aside_what what, bool released);
const char *worklist_name(enum worklist w);      /* "waits", "due", "goes" */
const char *worklist_next_step(enum worklist w); /* a sentence without its full stop */

#endif
