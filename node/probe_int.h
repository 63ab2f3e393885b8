/* probe_int.h - shared by probe.c, which looks again and again, and probe_ask.c, which asks once.
 */
#ifndef TIDEOVER_PROBE_INT_H
#define TIDEOVER_PROBE_INT_H

#include <stdbool.h>

#include "policy.h"
#include "reach.h"
#include "watch.h"

#define PROBE_LIMIT_MS 5000
#define PROBE_WHY      (WATCH_WHY_MAX / 2) /* room for two in one sentence */

/* Does it answer as such a server does, by that way? why: in a few words, if not. expect: text that
 * must stand in a page; "": any. */
bool probe_ask(const char *target, const struct reach *reach, const char *expect,
               char why[PROBE_WHY]);

/* sip2://HOST:PORT, sip2s://..: logs in as [sip2] says. *denied: the login is refused; asking again
 * may lock it. */
bool probe_is_sip2(const char *target);
bool probe_sip2(const char *target, const struct policy *p, const char *state_dir, bool *denied,
                char why[PROBE_WHY]);

#endif
