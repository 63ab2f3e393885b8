/* zonefile.h - a zone's rule out of this PC's time zone data, for the policy.
 *
 * Payload bytes must not depend on a desk's zone files, so the rule is looked up once, when the
 * policy is published, and travels with it. */
#ifndef TIDEOVER_ZONEFILE_H
#define TIDEOVER_ZONEFILE_H

#include "buf.h"
#include "day.h"
#include "err.h"

#define ZONEFILE_DIR "/usr/share/zoneinfo"

/* "America/New_York" -> "EST5EDT,M3.2.0,M11.1.0": the footer of dir/NAME (RFC 8536, 3.3). */
enum err zonefile_rule(const char *dir, const char *name, char out[ZONE_RULE_MAX + 1],
                       struct errmsg *msg);

/* Copies a policy's text; if [branch] has zone but no zone_rule, a second [branch] with it follows
 * at the end, so that messages about lines still fit the file. NUL behind its length. */
enum err zonefile_complete(const char *dir, const char *text, size_t n, struct buf *out,
                           struct errmsg *msg);

#endif
