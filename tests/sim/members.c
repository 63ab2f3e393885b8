/* members.c - desks that join and are revoked in mid-outage. Rows of verbs.c. */
#include <stdlib.h>

#include "deeds.h"

static bool add_op(struct sim *s, int desk, struct buf *op, const char *what)
{
    struct moment now = sim_moment(s, desk);
    struct errmsg msg = { .text = "" };
    bool ok = core_roster_add(s->desk[desk].core, &now, op->p, op->len, &msg) == ERR_OK;

    if (!ok)
        sim_trace(s, desk, "%s refused: %s", what, msg.text);
    buf_free(op);
    return ok;
}

/* The new disk gets the roster that the inviting desk knows. */
static void copy_roster(struct sim *s, int from, int to)
{
    const struct roster *r = core_roster(s->desk[from].core);
    const struct disk *d = memdisk_disk(s->desk[to].disk);
    uint8_t key[4];

    for (unsigned i = 0; i < roster_ops(r); i++) {
        size_t n;
        const uint8_t *op = roster_op(r, i, &n);
        put_be32(key, i);
        d->put(d->ctx, TABLE_ROSTER, key, sizeof key, op, n);
    }
    memdisk_commit(s->desk[to].disk, NULL, NULL);
}

/* At the first desk's, the second joins; with 1 it is named for a seat. */
void deed_join(struct sim *s, const struct args *a)
{
    struct station *at = &s->desk[a->desk[0]], *d = &s->desk[a->desk[1]];
    struct buf op = { 0 };

    if (d->member || at->revoked)
        return;
    op_add(core_roster(at->core), &d->me, d->name, ROLE_DESK, a->num[0] != 0, s->lead_sk, &op);
    if (!add_op(s, a->desk[0], &op, "joining"))
        return;
    checks_commit(s, a->desk[0]); /* the new desk hears WELCOME after the commit */
    d->member = true;
    copy_roster(s, a->desk[0], a->desk[1]);
    sim_trace(s, a->desk[1], "joins at %s", at->name);
    sim_put(s, SECOND, EV_RESTART, a->desk[1]);
}

/* Desks that forgot, among themselves, have lost the branch like the last one that loses its disk (disks.c): nobody
 * can tell them what was decided (seed 7473). */
static bool anybody_remembers_beside(const struct sim *s, int desk)
{
    for (int i = 0; i < (int)s->n; i++)
        if (i != desk && sim_counts(s, i) && !s->desk[i].forgot)
            return true;
    return false;
}

/* At the first desk's, the second is revoked, trusted as far as the first holds it. */
void deed_revoke(struct sim *s, const struct args *a)
{
    struct station *at = &s->desk[a->desk[0]], *d = &s->desk[a->desk[1]];
    struct trusted *v = NULL;
    struct buf op = { 0 };
    uint64_t records;
    unsigned n;

    if (!d->member || d->revoked || at->revoked || !anybody_remembers_beside(s, a->desk[1]) ||
        core_trusted_now(at->core, &d->me.id, &v, &n, &records) != ERR_OK)
        return;
    op_revoke(core_roster(at->core), &d->me.id, v, n, "stolen", s->lead_sk, &op);
    free(v);
    if (!add_op(s, a->desk[0], &op, "revoking"))
        return;
    checks_commit(s, a->desk[0]);
    d->revoked = true;
    s->revoked++;
    sim_trace(s, a->desk[1], "is revoked at %s", at->name);
    check_disk_lost(s, a->desk[1]);
}

static bool anybody_knows(const struct sim *s, int desk)
{
    for (int i = 0; i < (int)s->n; i++)
        if (i != desk && sim_counts(s, i) &&
            (!s->desk[i].core || roster_find(core_roster(s->desk[i].core), &s->desk[desk].me.id)))
            return true; /* or may know: it is down */
    return false;
}

void members_strand(struct sim *s)
{
    for (int i = (int)s->script->setup.desks; i < (int)s->n; i++)
        if (sim_counts(s, i) && !anybody_knows(s, i)) {
            sim_trace(s, i, "is known to nobody");
            s->desk[i].gone = true;
            check_disk_lost(s, i);
        }
}
