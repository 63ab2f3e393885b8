/* disks.c - disks that are wiped, set back to an image, or gone with their desk. Rows of verbs.c.
 */
#include <stdlib.h>
#include <string.h>

#include "deeds.h"

/* A vote for itself that left with no other desk's knowledge did nothing (seed 76384). */
static void forget_votes(struct sim *s, int desk, uint64_t known_to)
{
    for (unsigned i = 0; i < s->n_votes; i++) {
        struct vote *v = &s->vote[i];
        if (v->voter != desk || v->term <= known_to)
            continue;
        if (v->candidate == desk)
            v->voter = -1;
        else
            s->desk[desk].votes_forgotten++;
    }
}

/* The last desk of a branch that loses its disk has lost the branch: nobody can tell it what was
 * decided (seeds 35697, 80993). */
static bool is_last(const struct sim *s, int desk)
{
    for (int i = 0; i < (int)s->n; i++)
        if (i != desk && sim_counts(s, i))
            return false;
    return true;
}

/* From now on another disk is what the desk remembers. */
static void forget(struct sim *s, int desk, struct memdisk *disk, const char *how)
{
    struct station *d = &s->desk[desk];

    if (d->core)
        station_crash(s, desk, 2 * SECOND, how);
    forget_votes(s, desk, disk ? d->image_term : 0);
    if (disk) {
        memdisk_free(d->disk);
        d->disk = disk;
    } else {
        memdisk_keep_only(d->disk, TABLE_ROSTER);
    }
    d->forgot = d->new_memory = true;
    d->knows_lost = false;
    d->term = d->dec = 0;
    d->voted = d->has_acc = false;
    d->last.seq = 0;
    check_disk_lost(s, desk);
}

/* A new disk in the old PC: its keys and the roster come from a backup, its records from nowhere.
 */
void deed_wipe(struct sim *s, const struct args *a)
{
    if (s->desk[a->desk[0]].member && !s->desk[a->desk[0]].gone && !is_last(s, a->desk[0]))
        forget(s, a->desk[0], NULL, "and its disk is wiped");
}

void deed_image(struct sim *s, const struct args *a)
{
    struct station *d = &s->desk[a->desk[0]];

    memdisk_free(d->image);
    d->image = memdisk_copy(d->disk);
    d->image_term = d->term;
    d->image_life = d->life;
    sim_trace(s, a->desk[0], "an image of its disk is taken");
}

/* Nobody may notice an image of the very start that the others remember last: whether it runs still, or starts that
 * nobody heard of came behind it (seed 22284; PROTOCOL.md, "Start marks"). */
void deed_restore(struct sim *s, const struct args *a)
{
    struct station *d = &s->desk[a->desk[0]];

    station_note_confirmed(s, a->desk[0]);
    if (d->image && !d->gone && !is_last(s, a->desk[0]) &&
        ((d->image_life < d->life && d->image_life != d->confirmed_life) ||
         !s->script->setup.loose))
        forget(s, a->desk[0], memdisk_copy(d->image), "and its disk is set back");
}

/* Burnt or stolen: nobody turns it on again. */
void deed_lose(struct sim *s, const struct args *a)
{
    struct station *d = &s->desk[a->desk[0]];

    if (!d->member)
        return;
    d->off = d->gone = true;
    if (d->core)
        station_crash(s, a->desk[0], 0, "for ever");
    check_disk_lost(s, a->desk[0]);
}
