/* sightings.h - when the library's server went away and came back, as each desk saw it: for the
 * report after an outage. Kept on the disk, the newest 256. Never personal data. */
#ifndef TIDEOVER_SIGHTINGS_H
#define TIDEOVER_SIGHTINGS_H

#include "disk.h"
#include "record.h"
#include "watch.h"

#define SIGHTINGS_MAX 256 /* a year of outages; a flapping line loses the oldest */

struct sighting {
    int64_t at_ms; /* the clock of the desk that keeps this, when it saw or heard it */
    struct desk_id desk;
    enum watch_state state; /* ONLINE, BACKUP or OFFLINE */
};

struct sightings {
    unsigned n; /* oldest first */
    struct sighting v[SIGHTINGS_MAX];
};

/* Bytes that do not parse are no sightings: nothing hangs on them. */
void sightings_load(struct sightings *s, const struct disk *d);
/* Notes a change, and puts it on the disk; what a desk saw before already is none. */
void sightings_note(struct sightings *s, const struct disk *d, int64_t at_ms,
                    const struct desk_id *desk, enum watch_state state);

#endif
