/* zonefile.h - a zone's rule from this PC's zone files, to be written into the policy.
 *
 * The footer of a TZif file (RFC 8536, 3.3) is the POSIX TZ string that day.h computes with. Only
 * init and `policy publish` look here: afterwards the rule travels in the policy. */
#ifndef TIDEOVER_ZONEFILE_H
#define TIDEOVER_ZONEFILE_H

#include <stdbool.h>
#include <stddef.h>

/* "America/New_York" -> "EST5EDT,M3.2.0,M11.1.0". false: no such zone here. */
bool zonefile_rule(const char *name, char *rule, size_t room);
/* This PC's own zone; "UTC" and "UTC0" if it cannot be told. */
void zonefile_local(char *name, size_t name_room, char *rule, size_t rule_room);

#endif
