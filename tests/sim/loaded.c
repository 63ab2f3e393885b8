/* loaded.c - what a lead says of the system's own load report, at good and bad moments, at desks that
 * are apart. Row of verbs.c.
 *
 * S3 In the end all desks that know what they can know say the same of each upload: how many of its
 * lines are loaded or refused, and which records are set aside as not loaded. */
#include <stdio.h>
#include <string.h>

#include "deeds.h"

/* Some records of an upload that this desk holds, at random. */
static unsigned some_of(struct sim *s, int desk, uint64_t slot, const struct intent *in,
                        struct buf *refs)
{
    unsigned n = 0;

    for (unsigned i = 0; i < in->n_ranges; i++)
        for (uint64_t seq = in->ranges[i].from; seq <= in->ranges[i].to && n < 40; seq++) {
            struct record_ref ref = { in->ranges[i].feed, seq };
            struct word_ref of;
            if (!rng_chance(&s->dice, 200) ||
                core_sent_ref(s->desk[desk].core, slot, &ref, &of, NULL) != ERR_OK)
                continue;
            if (rng_chance(&s->dice, 100))
                of.id[0] ^= 1; /* of another record, under this one's place: it must mean nothing */
            word_put_ref(refs, &of);
            n++;
        }
    return n;
}

static void say(struct sim *s, int desk, uint64_t slot, const struct intent *in,
                const uint8_t hash[HASH_BYTES])
{
    struct core *c = s->desk[desk].core;
    struct moment now = sim_moment(s, desk);
    unsigned what = (unsigned)rng_between(&s->dice, 0, 2);
    struct word w = { .kind = what == 0 ? WORD_NOT_LOADED : WORD_LOADED, .slot = slot };
    struct buf refs = { 0 }, b = { 0 };

    w.at_ms = now.wall_ms;
    memcpy(w.key, s->lead_pk, KEY_BYTES);
    memcpy(w.intent, hash, HASH_BYTES);
    if (what < 2 && (w.n_refs = some_of(s, desk, slot, in, &refs)) == 0)
        return;
    if (what == 0)
        snprintf(w.text, sizeof w.text, "no such user");
    word_sign(roster_branch(core_roster(c)), &w, &refs, s->lead_sk, &b);
    if (core_say(c, &now, b.p, b.len, NULL) == ERR_OK)
        sim_trace(s, desk, "a lead says that %s%u records of upload %llu were %sloaded",
                  w.n_refs == 0 ? "all, " : "", w.n_refs, (unsigned long long)slot,
                  what == 0 ? "not " : "");
    buf_free(&refs);
    buf_free(&b);
}

void deed_loaded(struct sim *s, const struct args *a)
{
    const struct ledger *l = core_ledger(s->desk[a->desk[0]].core);
    struct buf b = { 0 };

    for (uint64_t slot = 1; slot <= ledger_decided(l); slot++) {
        struct receipt r;
        struct intent in;
        uint8_t hash[HASH_BYTES];
        if (ledger_receipt(l, slot, &b) != ERR_OK ||
            receipt_decode(b.p, b.len, &r, NULL) != ERR_OK ||
            intent_decode(r.intent, r.intent_len, &in, NULL) != ERR_OK)
            break;
        intent_hash(r.intent, r.intent_len, hash);
        if (in.type == SLOT_UPLOAD && rng_chance(&s->dice, 600))
            say(s, a->desk[0], slot, &in, hash);
        intent_free(&in);
    }
    buf_free(&b);
}

static uint64_t sum_of(const struct core *c)
{
    uint64_t sum = 0;

    for (uint64_t slot = 1; slot <= ledger_decided(core_ledger(c)); slot++) {
        struct loaded_view v;
        if (core_loaded(c, slot, &v))
            sum =
                (sum ^ (v.named << 20 | v.refused << 1 | v.settled)) * UINT64_C(0x9E3779B97F4A7C15);
    }
    return sum;
}

static bool settled(const struct sim *s, char why[200])
{
    const struct core *first = NULL;

    for (int i = 0; i < (int)s->n; i++) {
        const struct core *c = s->desk[i].core;
        if (!c || !sim_counts(s, i))
            continue;
        if (ledger_decided(core_ledger(c)) != s->n_slots)
            return true; /* too few seats; others wait for the receipts */
        if (first && sum_of(c) != sum_of(first)) {
            snprintf(why, 200, "S3: %s says something else than another desk of what was loaded",
                     s->desk[i].name);
            return false;
        }
        first = c;
    }
    return true;
}

const struct check check_loaded = { .name = "loaded", .settled = settled };
