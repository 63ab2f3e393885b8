/* quarantine.c - what waits for a lead: records of revoked desks, and ends of forked feeds. */
#include <string.h>

#include "core_int.h"

static bool own_history(const struct core *c, const struct feed *f, uint64_t to,
                        const uint8_t hash[HASH_BYTES])
{
    uint8_t h[HASH_BYTES];

    return f->stored >= to && feeds_hash_at(&c->feeds, f, to, h) == ERR_OK &&
           memcmp(h, hash, sizeof h) == 0;
}

static bool fill(const struct core *c, const struct feed *f, uint64_t from, uint64_t to,
                 struct quarantined *out)
{
    uint8_t h[HASH_BYTES];

    if (to < from || feeds_hash_at(&c->feeds, f, to, h) != ERR_OK)
        return false;
    *out = (struct quarantined){
        .feed = f->opening.id, .from = from, .to = to, .forked = f->forked, .here = true
    };
    memcpy(out->hash, h, sizeof out->hash);
    return true;
}

/* The two runs of the proof, those that are not in our own blocks. */
static unsigned other_histories(const struct core *c, const struct feed *f, struct quarantined *out)
{
    struct buf raw = { 0 };
    struct fork k;
    unsigned n = 0;

    if (forks_proof(c, &f->opening.id, &raw, &k) == ERR_OK)
        for (unsigned i = 0; i < 2; i++) {
            const struct block *b = &k.run[i].block;
            if (own_history(c, f, block_last(b), b->hash))
                continue;
            out[n] = (struct quarantined){
                .feed = f->opening.id, .from = k.at + 1, .to = block_last(b), .forked = true
            };
            memcpy(out[n].hash, b->hash, sizeof out[n].hash);
            n++;
        }
    buf_free(&raw);
    return n;
}

unsigned core_quarantined(const struct core *c, unsigned i, struct quarantined out[QUARANTINED_MAX])
{
    const struct feed *f = &c->feeds.v[i];
    uint64_t trusted = roster_trusted_to(c->roster, &f->opening.id);
    uint64_t cut = feeds_cut(&c->feeds, &f->opening.id);
    uint64_t may = f->seq < trusted ? f->seq : trusted > cut ? trusted : cut;
    unsigned n = fill(c, f, may + 1, f->stored, &out[0]);

    return f->forked ? n + other_histories(c, f, out + n) : n;
}

enum err core_history_at(const struct core *c, const struct feed_id *feed, uint64_t to,
                         uint8_t hash[HASH_SHORT_BYTES])
{
    const struct feed *f = feeds_find(&c->feeds, feed);
    uint8_t h[HASH_BYTES];

    if (!f || to == 0 || to > f->stored || feeds_hash_at(&c->feeds, f, to, h) != ERR_OK)
        return ERR_MISSING;
    memcpy(hash, h, HASH_SHORT_BYTES);
    return ERR_OK;
}
