/* check_liar.c - F1: no two slots, and no one slot, hold two histories of a feed. F2: in the end
 * all desks know the same forks. F3: no honest desk is taken for a liar. */
#include <string.h>

#include "liar.h"

static bool is_of(const struct history *h, const struct slot_range *r)
{
    return r->to <= h->seq && memcmp(h->h[r->to], r->hash, sizeof r->hash) == 0;
}

static void look_at(struct sim *s, const struct slot_range *r)
{
    struct liar *l = s->liar;
    unsigned whole = 0;

    if (l->n_cuts == LIAR_POINTS)
        return;
    l->cut[l->n_cuts++] = *r;
    for (unsigned k = 0; k < LIAR_HISTORIES; k++) {
        const struct history *h = &l->history[k];
        bool all = true;
        for (unsigned i = 0; i < l->n_cuts; i++)
            all = all && is_of(h, &l->cut[i]);
        whole += all;
    }
    if (whole == 0)
        sim_fail(s, "F1", "slots up to %llu hold two histories of one feed",
                 (unsigned long long)r->to);
}

static void durable(struct sim *s, int desk, enum table t, const uint8_t *key, size_t n,
                    const uint8_t *val, size_t len)
{
    struct receipt r;
    struct intent in;

    (void)desk;
    if (!s->liar || !s->liar->began || t != TABLE_SLOTS || n != 8 || !val ||
        get_be64(key) <= s->liar->looked_at)
        return;
    s->liar->looked_at = get_be64(key);
    if (receipt_decode(val, len, &r, NULL) != ERR_OK ||
        intent_decode(r.intent, r.intent_len, &in, NULL) != ERR_OK)
        return;
    for (unsigned i = 0; i < in.n_ranges; i++)
        if (feed_id_eq(&in.ranges[i].feed, &s->liar->opening.id))
            look_at(s, &in.ranges[i]);
    intent_free(&in);
}

/* The vectors are equal, forks included (G3); here the proofs themselves. */
static void end(struct sim *s)
{
    uint8_t key[DISK_KEY_MAX];
    size_t n;

    for (unsigned i = 0; i < s->n; i++) {
        const struct feeds *fs = s->desk[i].core ? core_feeds(s->desk[i].core) : NULL;
        for (unsigned k = 0; fs && k < fs->n; k++) {
            const struct disk *d = memdisk_reader(s->desk[i].disk);
            const struct feed_id *id = &fs->v[k].opening.id;
            bool proof = d->seek(d->ctx, TABLE_FORKS, id, sizeof *id, 1, key, &n, NULL) == ERR_OK &&
                         memcmp(key, id, sizeof *id) == 0;
            if (proof != fs->v[k].forked)
                sim_fail(s, "F2", "%s %s of a fork", s->desk[i].name,
                         proof ? "forgot to think" : "has no proof");
            if (proof && s->liar && !desk_id_eq(&id->desk, &s->liar->me.id))
                sim_fail(s, "F3", "%s takes an honest desk for a liar", s->desk[i].name);
        }
    }
}

const struct check check_liar = { .name = "liar", .durable = durable, .end = end };
