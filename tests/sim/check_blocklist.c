/* check_blocklist.c - B1: block lists imported at desks that were apart end as one on all of them.
 * B2: a desk's list is never replaced by an older one, unless its desk was revoked. */
#include <stdio.h>
#include <string.h>

#include "deeds.h"

#define LATE_MS 900000 /* any healthy desk's clock is less far off */

/* Dates repeat, as those of nightly files do. */
void deed_blocklist(struct sim *s, const struct args *a)
{
    struct station *d = &s->desk[a->desk[0]];
    struct moment now = sim_moment(s, a->desk[0]);
    int64_t date = WALL_START_MS + (int64_t)(s->now_us / MS) / 20000 * 20000 - LATE_MS;
    struct errmsg msg = { .text = "" };
    char text[32];
    enum err e = core_blocklist_begin(d->core, &now, BLOCKLIST_PLAIN, date, &msg);

    for (uint64_t i = 0; i < a->num[0] && e == ERR_OK; i++) { /* nobody who borrows here */
        snprintf(text, sizeof text, "9%09llu\n",
                 (unsigned long long)rng_between(&s->dice, 0, 999999999));
        e = core_blocklist_lines(d->core, text, strlen(text), &msg);
    }
    if (e == ERR_OK)
        e = core_blocklist_end(d->core, &now, &msg);
    sim_trace(s, a->desk[0], "takes in a block list: %s", e == ERR_OK ? "in force" : msg.text);
}

static bool is_from_the_branch(const struct sim *s, int desk, const struct blocklist_head *h)
{
    const struct desk *d = roster_find(core_roster(s->desk[desk].core), &h->desk);

    return d && d->state != DESK_REVOKED;
}

/* What only a revoked desk said may be known to some. */
static const struct blocklist_head *list_of(const struct sim *s, int desk)
{
    const struct blocklist_head *h = core_blocklist(s->desk[desk].core);

    return h && is_from_the_branch(s, desk, h) ? h : NULL;
}

static bool settled(const struct sim *s, char why[200])
{
    int first = -1;

    for (int i = 0; i < (int)s->n; i++) {
        const struct blocklist_head *mine, *other;
        if (!sim_counts(s, i) || !s->desk[i].core)
            continue;
        if (first < 0)
            first = i;
        mine = list_of(s, i);
        other = list_of(s, first);
        if (!mine == !other && (!mine || memcmp(mine->id, other->id, sizeof mine->id) == 0))
            continue;
        snprintf(why, 200, "B1: %s and %s have different block lists", s->desk[i].name,
                 s->desk[first].name);
        return false;
    }
    return true;
}

/* The disk still holds the list from before: what replaces its head must be newer. */
static void durable(struct sim *s, int desk, enum table t, const uint8_t *key, size_t n,
                    const uint8_t *val, size_t len)
{
    const struct disk *d = memdisk_reader(s->desk[desk].disk);
    const struct roster *r = s->desk[desk].core ? core_roster(s->desk[desk].core) : NULL;
    struct blocklist_head was, is;
    struct desk_id by_was, by_is;
    struct buf before = { 0 };
    const struct desk *a, *b;

    if (t != TABLE_BLOCKLIST || !val || !r || n != 4 || get_be32(key) != 0 ||
        d->get(d->ctx, t, key, n, &before) != ERR_OK)
        return;
    if (blocklist_signer(before.p, before.len, &by_was) && blocklist_signer(val, len, &by_is) &&
        (a = roster_find(r, &by_was)) != NULL && (b = roster_find(r, &by_is)) != NULL &&
        a->state != DESK_REVOKED &&
        blocklist_head_open(before.p, before.len, roster_branch(r), a->sign_pk, &was, NULL) ==
            ERR_OK &&
        blocklist_head_open(val, len, roster_branch(r), b->sign_pk, &is, NULL) == ERR_OK &&
        memcmp(was.id, is.id, sizeof was.id) != 0 && !blocklist_is_newer(&is, &was))
        sim_fail(s, "B2", "%s takes an older block list for a newer one", s->desk[desk].name);
    buf_free(&before);
}

const struct check check_blocklist = { .name = "blocklist",
                                       .durable = durable,
                                       .settled = settled };
