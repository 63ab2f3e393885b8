/* branch.c - founding: real operations, the same on every member's disk. */
#include <stdio.h>
#include <string.h>

#include "sim.h"

#define WALL_START_MS INT64_C(1795500000000) /* in November 2026 */

static void put_op(struct sim *s, struct roster *r, struct buf *op)
{
    struct errmsg msg = { .text = "" };
    uint8_t key[4];
    bool fresh;

    put_be32(key, roster_ops(r));
    if (roster_add(r, op->p, op->len, &fresh, &msg) != ERR_OK || !fresh)
        sim_fail(s, "found", "%s", msg.text);
    for (unsigned i = 0; i < s->n; i++) {
        const struct disk *d = memdisk_disk(s->desk[i].disk);
        if (s->desk[i].member)
            d->put(d->ctx, TABLE_ROSTER, key, sizeof key, op->p, op->len);
    }
    buf_reset(op);
}

static void put_policy(struct sim *s, struct roster *r, struct buf *op)
{
    static const char *const sinks[] = { "file:/drop",
                                         "key:https://server/",
                                         "ask:https://server/",
                                         "drop:DESK-1:/drop",
                                         "blind:https://mail/",
                                         "tell:https://server/",
                                         "collect:https://server/" };
    const struct setup *o = &s->script->setup;
    struct buf text = { 0 };

    buf_printf(&text,
               "[branch]\ncode = MAIN\nzone = America/New_York\n"
               "zone_rule = EST5EDT,M3.2.0,M11.1.0\n"
               "[merge]\ndischarges = %s\n"
               "[upload]\nsink = %s\nquiet = %us\n"
               "[keep]\nafter_upload = 0\n"
               "[symphony]\ndefault_station = 42\nother_libraries = LIB-0, LIB-1, LIB-2, LIB-3\n"
               "other_user_accesses = STAFF\nother_stations = 1, 2, 3, 4\n",
               o->hold ? "hold" : "export", sinks[o->sink], (unsigned)o->quiet);
    op_policy(r, (const char *)text.p, text.len, s->lead_sk, op);
    put_op(s, r, op);
    buf_free(&text);
}

void branch_found(struct sim *s)
{
    struct roster *r = roster_new();
    struct buf op = { 0 };
    uint8_t root_seed[3 * SEED_BYTES], lead_seed[3 * SEED_BYTES];
    struct ident root, lead;

    rng_fill(&s->dice, root_seed, sizeof root_seed);
    rng_fill(&s->dice, lead_seed, sizeof lead_seed);
    ident_from_seed(root_seed, &root);
    ident_from_seed(lead_seed, &lead);
    memcpy(s->root_sk, root.sign_sk, SIGN_SK_BYTES);
    lead_seed[0] ^= 1;
    ident_from_seed(lead_seed, &s->second);
    memcpy(s->lead_pk, lead.sign_pk, KEY_BYTES);
    memcpy(s->lead_sk, lead.sign_sk, SIGN_SK_BYTES);
    op_found(root.sign_sk, s->lead_pk, "MAIN", WALL_START_MS, &op);
    put_op(s, r, &op);
    for (unsigned i = 0; i < s->n && !s->over; i++) {
        if (!s->desk[i].member)
            continue;
        op_add(r, &s->desk[i].me, s->desk[i].name, i < 2 ? ROLE_DESK | ROLE_LEAD : ROLE_DESK,
               i < s->script->setup.seats, s->lead_sk, &op);
        put_op(s, r, &op);
    }
    if (liar_ident(s)) {
        op_add(r, liar_ident(s), "LIAR", ROLE_DESK, false, s->lead_sk, &op);
        put_op(s, r, &op);
    }
    put_policy(s, r, &op);
    for (unsigned i = 0; i < s->n; i++)
        memdisk_commit(s->desk[i].disk, NULL, NULL);
    buf_free(&op);
    roster_free(r);
}
