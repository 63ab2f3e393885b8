/* probe_int.h - shared by probe.c, which looks again and again, and probe_ask.c, which asks once.
 */
#ifndef TIDEOVER_PROBE_INT_H
#define TIDEOVER_PROBE_INT_H

#include <stdbool.h>

#include "policy.h"
#include "watch.h"

#define PROBE_LIMIT_MS 5000
#define PROBE_WHY      (WATCH_WHY_MAX / 2) /* room for two in one sentence */

/* Does it answer as such a server does? why: in a few words, if not. expect: text that must stand
 * in a page; "": any. */
bool probe_ask(const char *target, const char *expect, char why[PROBE_WHY]);

#endif
