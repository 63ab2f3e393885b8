/* day.h - dates and the branch's local time, without the machine's time zone.
 *
 * The uploaded bytes must be the same on every desk, so no local zone file or locale may touch
 * them: the policy carries the zone's rule as a POSIX TZ string (IEEE Std 1003.1, 8.3; the footer
 * of a TZif file, RFC 8536 3.3), and this module computes with it. */
#ifndef TIDEOVER_DAY_H
#define TIDEOVER_DAY_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct zone {                 /* by value; zone_parse fills it */
    int std_off_s, dst_off_s; /* seconds east of UTC */
    bool has_dst;
    struct zone_change {
        char form; /* 'M' month.week.day, 'J' day 1-365 without 29 Feb, 'D' day 0-365 */
        int month, week, day;
        int time_s; /* local seconds after midnight, may be negative or above a day */
    } to_dst, to_std;
};

#define ZONE_RULE_MAX 64 /* longest in tzdata 2024 is 46 */

/* "EST5EDT,M3.2.0,M11.1.0", "<-03>3", "UTC0". ERR_INVALID with the reason. */
enum err zone_parse(const char *rule, struct zone *out, struct errmsg *msg);
int zone_offset_s(const struct zone *z, int64_t unix_s); /* seconds east of UTC at that moment */

struct civil {
    int year, month, day, hour, minute, second;
};
void civil_from_unix(int64_t unix_s, int offset_s, struct civil *out); /* proleptic Gregorian */
int64_t civil_to_unix(const struct civil *c, int offset_s);

/* Local time to Unix seconds: the earlier moment of an hour that comes twice; a time that the
 * spring change skips is taken as standard time. *offset_s (NULL is fine): seconds east of UTC
 * there. */
int64_t zone_unix_s(const struct zone *z, const struct civil *local, int *offset_s);
/* The same in a log that goes on: where that would run back behind last_s, but the second run of
 * the autumn hour would not, it is the second run. */
int64_t zone_unix_after_s(const struct zone *z, const struct civil *local, int64_t last_s,
                          int *offset_s);

bool ymd_is_valid(uint32_t ymd);                        /* 20261207: a day that exists, 1900-2999 */
uint32_t ymd_at(const struct zone *z, int64_t unix_ms); /* the branch's date then */

/* "2026-12-07" -> 20261207; "2026-11-23T09:12:04-05:00" (or Z) -> Unix ms and offset in minutes.
 * Seconds and zone are required (RFC 3339). ERR_INVALID otherwise. */
enum err ymd_parse(const char *s, uint32_t *out, struct errmsg *msg);
enum err rfc3339_parse(const char *s, int64_t *unix_ms, int *offset_min, struct errmsg *msg);
/* As people write on paper: "09:12" of today, or "2026-11-23 09:12", on the clock of that zone (NULL:
 * none is known), or as rfc3339_parse has it. */
enum err paper_time_parse(const struct zone *z, int64_t now_ms, const char *s, int64_t *unix_ms,
                          struct errmsg *msg);
void ymd_format(uint32_t ymd, char out[11]);                        /* "2026-12-07" */
void rfc3339_format(int64_t unix_ms, int offset_min, char out[36]); /* with the offset */
/* In the branch's time, to the second; NULL: UTC. */
void rfc3339_at(const struct zone *z, int64_t unix_ms, char out[36]);

#endif
