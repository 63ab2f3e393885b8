/* claims.c - what the liar says of anything but feeds and votes: packed messages that are bombs, words
 * and overrides of no lead, block lists, floors, conditions and clocks that are none. */
#include "liar.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <lz4.h>
#include <sodium.h>

#include "blocklist.h"
#include "clocks.h"
#include "override.h"
#include "word.h"

static int64_t wall_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000;
}

/* ---- packed messages ---- */

static void say_packed(struct liar *l, unsigned k, const struct buf *inside, uint64_t whole,
                       size_t cut)
{
    struct buf lz4 = { 0 }, msg = { 0 };
    int room = LZ4_compressBound((int)inside->len), n = 0;
    uint8_t *to = buf_grow(&lz4, (size_t)room);

    if (to)
        n = LZ4_compress_default((const char *)inside->p, (char *)to, (int)inside->len, room);
    wire_begin(&msg, WIRE_PACKED, 2);
    mp_put_u64(&msg, whole);
    mp_put_bin(&msg, lz4.p, (size_t)n > cut ? (size_t)n - cut : 0);
    say_as_it_is(l, k, &msg);
    buf_free(&lz4);
}

/* 25,000 feeds of an honest desk that nobody began: a megabyte, packed a tenth of it. */
static void many_feeds(const struct liar *l, struct buf *out)
{
    struct feed_id id = { .desk = l->peer[0].id };
    uint8_t h[HASH_SHORT_BYTES] = { 0 };

    wire_begin(out, WIRE_VECTOR, 1);
    mp_put_array(out, 25000);
    for (unsigned i = 0; i < 25000; i++) {
        put_be32(id.name, i);
        mp_put_array(out, 4);
        mp_put_bin(out, &id, sizeof id);
        mp_put_u64(out, 9);
        mp_put_bin(out, h, sizeof h);
        mp_put_u64(out, 0);
    }
}

/* A bomb of one byte, one that parses, another length than it has, cut off, noise, one in the other. */
bool lie_packed(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    static const uint64_t lengths[] = { 0, 511, 512, WIRE_BYTES_MAX + 1, 1ull << 32, UINT64_MAX };
    struct buf zeros = { 0 }, feeds = { 0 }, noise = { 0 }, nested = { 0 }, lz4 = { 0 };

    (void)a, (void)b;
    memset(buf_grow(&zeros, WIRE_BYTES_MAX), 0xdf, WIRE_BYTES_MAX);
    randombytes_buf(buf_grow(&noise, 2000), 2000);
    many_feeds(l, &feeds);
    say_packed(l, k, &zeros, WIRE_BYTES_MAX, 0);
    say_packed(l, k, &feeds, feeds.len, 0);
    for (unsigned i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        say_packed(l, k, &feeds, lengths[i], 0);
    say_packed(l, k, &feeds, feeds.len, 100);
    say_packed(l, k, &noise, noise.len, 0);
    wire_begin(&nested, WIRE_PACKED, 2);
    mp_put_u64(&nested, noise.len);
    mp_put_bin(&nested, noise.p, noise.len);
    say_packed(l, k, &nested, nested.len, 0);
    wire_begin(&lz4, WIRE_PACKED, 2); /* no LZ4 at all */
    mp_put_u64(&lz4, 4096);
    mp_put_bin(&lz4, noise.p, noise.len);
    say_as_it_is(l, k, &lz4);
    buf_free(&zeros);
    buf_free(&feeds);
    buf_free(&noise);
    buf_free(&nested);
    return l->knows_branch;
}

/* ---- what only a lead may say ---- */

static bool some_record(const struct liar *l, struct record_ref *ref)
{
    const struct heard *h = heard_of(l, false);
    struct block x;

    if (!h || block_decode(h->block.p, h->block.len, &x, NULL) != ERR_OK)
        return false;
    *ref = (struct record_ref){ x.feed, x.first };
    return true;
}

/* Every kind, by the liar's own key, then with one bit of the signature another. */
bool lie_words(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    struct word_ref ref = { .id = { 1 } };

    (void)a, (void)b;
    if (!some_record(l, &ref.ref))
        return false;
    for (unsigned kind = 0; kind < 14; kind++) {
        struct word w = {
            .kind = (enum word_kind)kind, .at_ms = wall_ms(), .slot = 1, .n_refs = 1
        };
        struct buf refs = { 0 }, bytes = { 0 }, msg = { 0 };
        memcpy(w.key, l->me.sign_pk, KEY_BYTES);
        word_put_ref(&refs, &ref);
        word_sign(l->branch, &w, &refs, l->me.sign_sk, &bytes);
        wire_begin(&msg, WIRE_WORD, 1);
        mp_put_array(&msg, 2);
        mp_put_bin(&msg, bytes.p, bytes.len);
        bytes.p[bytes.len - 1] ^= 1;
        mp_put_bin(&msg, bytes.p, bytes.len);
        say(l, k, &msg);
        buf_free(&refs);
        buf_free(&bytes);
    }
    return true;
}

/* "Too few seats are left: now it is me alone." Every length of the chain, and evidence of it. */
bool lie_overrides(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    struct override o = { .epoch.number = 1, .n_seats = 1, .n_missing = 1, .reason = "all burnt" };
    struct buf cert = { 0 };

    (void)a, (void)b;
    o.desk = o.seats[0] = l->me.id;
    o.missing[0] = l->peer[k].id;
    o.made_ms = wall_ms();
    memcpy(o.lead_pk, l->me.sign_pk, KEY_BYTES);
    override_sign(l->branch, &o, l->me.sign_sk, &cert);
    for (unsigned n = 0; n < 80; n += 13) {
        struct buf msg = { 0 };
        wire_begin(&msg, WIRE_OVERRIDE, 1);
        mp_put_array(&msg, n);
        for (unsigned i = 0; i < n; i++)
            mp_put_bin(&msg, cert.p, cert.len);
        say(l, k, &msg);
        wire_begin(&msg, WIRE_EVIDENCE, 4);
        epoch_put(&msg, &(struct epoch){ .number = n });
        mp_put_u64(&msg, n);
        mp_put_bin(&msg, cert.p, cert.len);
        say(l, k, &msg);
    }
    buf_free(&cert);
    return l->knows_branch;
}

/* ---- block lists ---- */

static void say_part(struct liar *l, unsigned k, const uint8_t id[BLOCKLIST_ID], uint64_t part,
                     const struct buf *bytes)
{
    struct buf msg = { 0 };

    wire_begin(&msg, WIRE_BLOCKLIST, 3);
    mp_put_bin(&msg, id, BLOCKLIST_ID);
    mp_put_u64(&msg, part);
    mp_put_bin(&msg, bytes->p, bytes->len);
    say(l, k, &msg);
}

/* A head that nobody signed; a head of its own, but other rows, too many, out of turn. */
bool lie_blocklists(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    struct blocklist_draft d = { .date_ms = wall_ms() - 60000 };
    struct blocklist list = { .rows = { 0 } };
    struct buf bent = { 0 };
    char text[64];

    (void)a, (void)b;
    randombytes_buf(d.key, sizeof d.key);
    snprintf(text, sizeof text, "29999000001016\n2999%010u\n", randombytes_uniform(1000000));
    if (!l->knows_branch || blocklist_read(&d, text, strlen(text), NULL) != ERR_OK ||
        blocklist_finish(&d, l->branch, &l->me, wall_ms(), &list, NULL) != ERR_OK)
        return false;
    buf_add(&bent, list.bytes.p, list.bytes.len);
    bent.p[bent.len - 1] ^= 1;
    say_part(l, k, list.head.id, 0, &bent);
    say_part(l, k, list.head.id, 1, &list.rows);
    say_part(l, k, list.head.id, UINT64_MAX, &list.rows);
    say_part(l, k, list.head.id, 0, &list.bytes);
    list.rows.p[list.rows.len - 2] ^= 1;
    say_part(l, k, list.head.id, 1, &list.rows);
    buf_free(&bent);
    blocklist_free(&list);
    return true;
}

/* ---- the rest ---- */

static void say_floor(struct liar *l, unsigned k, const struct record_ref *ref)
{
    struct opening o = { .id = ref->feed, .number = 1, .at_ms = wall_ms() };
    struct buf opening = { 0 }, msg = { 0 };
    uint8_t h[HASH_BYTES] = { 1 }, sig[SIG_BYTES];

    opening_sign(l->branch, &o, l->me.sign_sk);
    head_sign(l->branch, &o.id, 1000, h, l->me.sign_sk, sig);
    opening_encode(&o, &opening);
    wire_begin(&msg, WIRE_FLOOR, 4);
    mp_put_bin(&msg, opening.p, opening.len);
    mp_put_u64(&msg, 1000);
    mp_put_bin(&msg, h, sizeof h);
    mp_put_bin(&msg, sig, sizeof sig);
    say(l, k, &msg);
    buf_free(&opening);
}

static void say_clocks(struct liar *l, unsigned k, const struct record_ref *ref, uint32_t n)
{
    struct clock_word w = { ref->feed, INT64_MIN, 255, true };
    struct buf msg = { 0 };

    wire_begin(&msg, WIRE_CLOCKS, 1);
    mp_put_array(&msg, n);
    for (uint32_t i = 0; i < n && i < 4; i++)
        clock_word_put(&w, &msg); /* one feed twice, or fewer than were announced */
    say(l, k, &msg);
}

static void say_condition(struct liar *l, unsigned k, uint32_t n, const char *code)
{
    struct buf msg = { 0 };

    wire_begin(&msg, WIRE_CONDITION, 3);
    mp_put_u64(&msg, UINT64_MAX);
    mp_put_u64(&msg, UINT64_MAX);
    mp_put_array(&msg, n);
    for (uint32_t i = 0; i < n && i < 1000; i++)
        mp_put_str(&msg, code);
    say(l, k, &msg);
}

/* "That is erased", "your clock is wrong", "my disk is fine", answers that nobody asked for. */
bool lie_claims(struct liar *l, unsigned k, uint64_t a, uint64_t b)
{
    static const enum wire_type types[] = { WIRE_ANSWERS_ASK, WIRE_ANSWERS,      WIRE_PROGRESS,
                                            WIRE_PROGRESSED,  WIRE_DECISION,     WIRE_KEY_WANT,
                                            WIRE_KEY,         WIRE_BLOCKLIST_ASK };
    uint8_t noise[HASH_BYTES];
    struct record_ref ref;

    (void)a, (void)b;
    if (!some_record(l, &ref))
        return false;
    say_floor(l, k, &ref);
    say_clocks(l, k, &ref, 2);
    say_clocks(l, k, &ref, UINT32_MAX);
    say_condition(l, k, 1, "A sentence about 29999000001016");
    say_condition(l, k, 1000, "disk_full");
    say_condition(l, k, UINT32_MAX, "disk_full");
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct buf msg = { 0 };
        randombytes_buf(noise, sizeof noise);
        wire_begin(&msg, types[i], 5);
        mp_put_u64(&msg, 1);
        mp_put_bin(&msg, noise, sizeof noise);
        mp_put_u64(&msg, UINT64_MAX);
        mp_put_u64(&msg, UINT64_MAX - 1);
        mp_put_array(&msg, 0);
        say(l, k, &msg);
    }
    return true;
}
