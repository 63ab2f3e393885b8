/* cuts.c - how far the decided slots took each feed, and the hash they named there. */
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#include "feeds.h"

static unsigned cut_place(const struct feeds *fs, const struct feed_id *id, bool *there)
{
    return feed_place(fs->cuts, fs->n_cuts, sizeof *fs->cuts, id, there);
}

const struct feed_cut *feeds_cut_of(const struct feeds *fs, const struct feed_id *id)
{
    bool there;
    unsigned at = cut_place(fs, id, &there);

    return there ? &fs->cuts[at] : NULL;
}

uint64_t feeds_cut(const struct feeds *fs, const struct feed_id *id)
{
    const struct feed_cut *cut = feeds_cut_of(fs, id);

    return cut ? cut->to : 0;
}

bool feeds_set_cut(struct feeds *fs, const struct feed_id *id, uint64_t to,
                   const uint8_t hash[HASH_SHORT_BYTES])
{
    bool there;
    unsigned at = cut_place(fs, id, &there);

    if (!there) {
        struct feed_cut *grown = mem_room(fs->cuts, fs->n_cuts, &fs->cuts_room, sizeof *grown);
        if (!grown)
            return false;
        fs->cuts = grown;
        memmove(fs->cuts + at + 1, fs->cuts + at, (fs->n_cuts - at) * sizeof *fs->cuts);
        fs->n_cuts++;
        fs->cuts[at] = (struct feed_cut){ .id = *id };
    }
    fs->cuts[at].to = to;
    memcpy(fs->cuts[at].hash, hash, HASH_SHORT_BYTES);
    fs->cuts[at].held = false;
    return true;
}

void feeds_set_clock(struct feeds *fs, const struct slot_range *r)
{
    bool there;
    unsigned at = cut_place(fs, &r->feed, &there);

    if (!there || fs->cuts[at].clock_known || !slot_clock_is_known(r))
        return;
    fs->cuts[at].clock_known = true;
    fs->cuts[at].clock = r->clock;
    fs->cuts[at].correction_ms = r->correction_ms;
}

void feeds_recheck_cut(struct feeds *fs, const struct feed_id *id)
{
    bool there;
    unsigned at = cut_place(fs, id, &there);

    if (there)
        fs->cuts[at].held = false;
}

bool feeds_set_gone(struct feeds *fs, const struct feed_id *id, uint64_t to)
{
    bool there;
    unsigned at = cut_place(fs, id, &there);

    if (there)
        fs->cuts[at].gone = to;
    return there;
}

uint64_t feeds_gone(const struct feeds *fs, const struct feed_id *id)
{
    bool there;
    unsigned at = cut_place(fs, id, &there);

    return there ? fs->cuts[at].gone : 0;
}

bool feeds_holds(const struct feeds *fs, const struct feed_id *id, uint64_t to,
                 const uint8_t hash[HASH_SHORT_BYTES])
{
    const struct feed *f = feeds_find(fs, id);
    uint8_t h[HASH_BYTES];

    return f && f->seq >= to && feeds_hash_at(fs, f, to, h) == ERR_OK &&
           memcmp(h, hash, HASH_SHORT_BYTES) == 0;
}

bool feeds_hold_cuts(struct feeds *fs)
{
    bool all = true;

    for (unsigned i = 0; i < fs->n_cuts; i++) {
        struct feed_cut *cut = &fs->cuts[i];
        cut->held = cut->held || feeds_holds(fs, &cut->id, cut->to, cut->hash);
        all = all && cut->held;
    }
    return all;
}
