/* liar.c - a member of the branch without a node: it has a key, and says what it likes.
 *
 * It signs up to three histories of one feed and gives each desk the one that the script says; it
 * alters what others wrote. It never answers, as a liar may. Rows of verbs.c. */
#include <stdlib.h>
#include <string.h>

#include "deeds.h"
#include "liar.h"
#include "wire.h"

void liar_make(struct sim *s)
{
    uint8_t seed[3 * SEED_BYTES];
    struct liar *l = calloc(1, sizeof *l);

    if (!l)
        abort();
    rng_fill(&s->dice, seed, sizeof seed);
    ident_from_seed(seed, &l->me);
    s->liar = l;
}

const struct ident *liar_ident(const struct sim *s)
{
    return s->liar ? &s->liar->me : NULL;
}

void liar_free(struct sim *s)
{
    for (unsigned k = 0; s->liar && k < LIAR_HISTORIES; k++)
        for (unsigned i = 0; i < s->liar->history[k].n_blocks; i++)
            buf_free(&s->liar->history[k].block[i]);
    free(s->liar);
    s->liar = NULL;
}

static void begin(struct sim *s, const uint8_t *branch)
{
    struct liar *l = s->liar;

    l->opening = (struct opening){ .id.desk = l->me.id, .number = 1, .at_ms = 1795500000000 };
    memset(l->opening.id.name, 0x11, FEED_NAME_BYTES);
    opening_sign(branch, &l->opening, l->me.sign_sk);
    for (unsigned k = 0; k < LIAR_HISTORIES; k++)
        feed_h0(branch, &l->opening, l->history[k].h[0]);
    l->began = true;
    (void)s;
}

/* The others part from the first one where it stands when they are first needed. */
static struct history *history(struct liar *l, unsigned k)
{
    struct history *h = &l->history[k % LIAR_HISTORIES], *first = &l->history[0];

    if (h->began || h == first)
        return h;
    *h = *first;
    for (unsigned i = 0; i < h->n_blocks; i++) {
        h->block[i] = (struct buf){ 0 };
        buf_add(&h->block[i], first->block[i].p, first->block[i].len);
    }
    h->began = true;
    return h;
}

static void write_block(struct sim *s, struct history *h, const uint8_t *branch, unsigned n)
{
    struct liar *l = s->liar;
    struct buf records = { 0 };
    struct block b = { .feed = l->opening.id, .first = h->seq + 1, .count = n };

    if (h->n_blocks == LIAR_BLOCKS || h->seq + n > LIAR_RECORDS)
        return;
    for (unsigned i = 0; i < n; i++) {
        struct record r = { .kind = RECORD_CHECKOUT, .at_ms = 1795500000000 + (int64_t)h->seq };
        struct buf one = { 0 };
        memcpy(r.item, "30000000000004", 15);
        memcpy(r.user, "20000000000006", 15);
        rng_fill(&s->dice, r.key, sizeof r.key);
        record_encode(&r, &one, NULL);
        mp_put_bin(&records, one.p, one.len);
        memcpy(h->h[h->seq + 1], h->h[h->seq], HASH_BYTES);
        feed_next_hash(h->h[++h->seq], one.p, one.len);
        buf_free(&one);
    }
    b.records = records.p;
    b.len = records.len;
    memcpy(b.hash, h->h[h->seq], HASH_BYTES);
    head_sign(branch, &b.feed, h->seq, b.hash, l->me.sign_sk, b.sig);
    block_encode(&b, &h->block[h->n_blocks++]);
    buf_free(&records);
}

static void give(struct sim *s, int desk, const struct opening *o, uint64_t head,
                 const struct buf *block)
{
    struct moment now = sim_moment(s, desk);
    struct buf msg = { 0 }, opening = { 0 };

    opening_encode(o, &opening);
    wire_begin(&msg, WIRE_BLOCKS, 3);
    mp_put_bin(&msg, opening.p, opening.len);
    mp_put_u64(&msg, head);
    mp_put_bin(&msg, block->p, block->len);
    core_message(s->desk[desk].core, &now, &s->liar->me.id, "", msg.p, msg.len);
    buf_free(&msg);
    buf_free(&opening);
}

void deed_lie(struct sim *s, const struct args *a)
{
    struct history *h;
    const uint8_t *branch = roster_branch(core_roster(s->desk[a->desk[0]].core));

    if (!s->liar)
        return;
    if (!s->liar->began)
        begin(s, branch);
    h = history(s->liar, (unsigned)a->num[1]);
    write_block(s, h, branch, (unsigned)a->num[0] % 400);
    sim_trace(s, a->desk[0], "hears %llu records of history %llu", (unsigned long long)h->seq,
              (unsigned long long)a->num[1]);
    for (unsigned i = 0; i < h->n_blocks; i++)
        give(s, a->desk[0], &s->liar->opening, h->seq, &h->block[i]);
}

/* Some block of somebody's, with one byte of a record another. */
void deed_alter(struct sim *s, const struct args *a)
{
    int from = sim_any_desk(s);
    const struct feeds *fs = s->desk[from].core ? core_feeds(s->desk[from].core) : NULL;
    const struct feed *f;
    struct buf raw = { 0 }, bytes = { 0 };
    struct block b;

    if (!s->liar || !fs || fs->n == 0)
        return;
    f = &fs->v[rng_between(&s->dice, 0, fs->n - 1)];
    if (f->seq > 0 && feeds_block(memdisk_reader(s->desk[from].disk), f->alias,
                                  rng_between(&s->dice, 1, f->seq), &raw, &b, NULL) == ERR_OK) {
        raw.p[(size_t)(b.records - raw.p) + rng_between(&s->dice, 3, b.len - 1)] ^= 1;
        block_encode(&b, &bytes);
        sim_trace(s, a->desk[0], "hears an altered block");
        give(s, a->desk[0], &f->opening, block_last(&b), &bytes);
    }
    buf_free(&raw);
    buf_free(&bytes);
}

/* A copy of the running desk goes on with its open feed, and gives it to the other one. */
void deed_clone(struct sim *s, const struct args *a)
{
    const struct station *d = &s->desk[a->desk[0]];
    struct feed_id id = d->last.feed;
    const struct feed *f = d->core ? feeds_find(core_feeds(d->core), &id) : NULL;
    struct record r = { .kind = RECORD_CHECKOUT, .at_ms = 1795500000000 };
    struct buf one = { 0 }, records = { 0 }, bytes = { 0 };
    struct block b = { .feed = id, .count = 1 };

    if (!f || !s->liar || !s->desk[a->desk[1]].core)
        return;
    memcpy(r.item, "30000000000004", 15);
    memcpy(r.user, "20000000000006", 15);
    record_encode(&r, &one, NULL);
    mp_put_bin(&records, one.p, one.len);
    memcpy(b.hash, f->hash, HASH_BYTES);
    feed_next_hash(b.hash, one.p, one.len);
    b.first = f->seq + 1;
    b.records = records.p;
    b.len = records.len;
    head_sign(roster_branch(core_roster(d->core)), &id, b.first, b.hash, d->me.sign_sk, b.sig);
    block_encode(&b, &bytes);
    sim_trace(s, a->desk[1], "hears a clone of %s", d->name);
    give(s, a->desk[1], &f->opening, b.first, &bytes);
    station_after_event(s, a->desk[1]);
    buf_free(&one);
    buf_free(&records);
    buf_free(&bytes);
}
