/* newer.c - for a while a desk ran a later version, and left records of a kind that nobody here
 * knows. A row of verbs.c. */
#include <string.h>

#include "deeds.h"

#define KIND_OF_TOMORROW 99

static void put_record(struct buf *records, uint8_t h[HASH_BYTES], unsigned kind, int64_t at_ms)
{
    struct buf r = { 0 };

    mp_put_map(&r, 4);
    mp_put_u64(&r, 1);
    mp_put_u64(&r, kind);
    mp_put_u64(&r, 2);
    mp_put_i64(&r, at_ms);
    mp_put_u64(&r, 4);
    mp_put_str(&r, "30000000000011");
    mp_put_u64(&r, 5);
    mp_put_str(&r, "20000000000011");
    mp_put_bin(records, r.p, r.len);
    feed_next_hash(h, r.p, r.len);
    buf_free(&r);
}

/* A feed of its own: two records that all know, one that none does, one behind it. */
static void write_feed(struct sim *s, int desk, struct feeds *fs, const struct roster *roster)
{
    const struct station *d = &s->desk[desk];
    struct opening o = { .id.desk = d->me.id, .number = 1000 + d->life };
    struct buf records = { 0 };
    struct block b = { .first = 1, .count = 4 };
    struct feed *f = NULL;
    uint8_t h[HASH_BYTES];

    o.at_ms = sim_moment(s, desk).wall_ms;
    rng_fill(&s->dice, o.id.name, sizeof o.id.name);
    opening_sign(roster_branch(roster), &o, d->me.sign_sk);
    feed_h0(roster_branch(roster), &o, h);
    put_record(&records, h, RECORD_CHECKOUT, o.at_ms);
    put_record(&records, h, RECORD_CHECKOUT, o.at_ms + 1000);
    put_record(&records, h, KIND_OF_TOMORROW, o.at_ms + 2000);
    put_record(&records, h, RECORD_CHECKOUT, o.at_ms + 3000);
    b.feed = o.id;
    b.records = records.p;
    b.len = records.len;
    memcpy(b.hash, h, sizeof h);
    head_sign(roster_branch(roster), &o.id, 4, h, d->me.sign_sk, b.sig);
    if (feeds_open(fs, &o, &f, NULL) != ERR_OK || feeds_append(fs, f, &b, 0, h, NULL) != ERR_OK)
        sim_fail(s, "newer", "%s cannot keep a record of a later version", d->name);
    check_feed(s, &o.id)->unknown_from = 3;
    check_feed(s, &o.id)->acked = d->revoked ? 0 : 4; /* as check_records.c counts (seed 38178) */
    buf_free(&records);
}

void deed_newer(struct sim *s, const struct args *a)
{
    struct station *d = &s->desk[a->desk[0]];
    const struct roster *roster = core_roster(d->core);
    struct feeds fs = { 0 };

    station_finish(s, a->desk[0]);
    if (!d->core || s->over)
        return; /* it died over it */
    if (feeds_load(&fs, memdisk_disk(d->disk), roster_branch(roster), roster, NULL) == ERR_OK)
        write_feed(s, a->desk[0], &fs, roster);
    feeds_free(&fs);
    memdisk_commit(d->disk, NULL, NULL);
    station_crash(s, a->desk[0], SECOND, "and ran a later version for a while");
}
