/* messages.h - one message of each kind that passes between desks: what fuzz_core.c changes.
 *
 * Most kinds are heard in a short life of the branch; the others, of which an ordinary day has none,
 * are made here by the encoders of the program. A kind that is neither heard nor made ends the target,
 * and one that is_between_desks() does not know is a warning of the compiler. */
#ifndef TIDEOVER_FUZZ_MESSAGES_H
#define TIDEOVER_FUZZ_MESSAGES_H

#include "../world.h"

#include "answers.h"
#include "blocklist.h"
#include "clocks.h"
#include "condition.h"
#include "delivery.h"
#include "fork.h"
#include "override.h"
#include "pack.h"
#include "word.h"

/* Between members; what passes at the join door is fuzz_join.c's. */
static inline bool is_between_desks(unsigned type)
{
    switch ((enum wire_type)type) {
    case WIRE_HELLO:
    case WIRE_BEAT:
    case WIRE_VECTOR:
    case WIRE_WANT:
    case WIRE_BLOCKS:
    case WIRE_ACK:
    case WIRE_ROSTER_HAVE:
    case WIRE_ROSTER_OPS:
    case WIRE_BYE:
    case WIRE_FORK_ASK:
    case WIRE_FORK_PROOF:
    case WIRE_FLOOR:
    case WIRE_KEY_WANT:
    case WIRE_KEY:
    case WIRE_PREVOTE:
    case WIRE_PREVOTED:
    case WIRE_VOTE:
    case WIRE_VOTED:
    case WIRE_RENEW:
    case WIRE_RENEWED:
    case WIRE_ACCEPT:
    case WIRE_ACCEPTED:
    case WIRE_REFUSED:
    case WIRE_RECEIPT:
    case WIRE_SLOTS_WANT:
    case WIRE_TRIGGER:
    case WIRE_RESIGN:
    case WIRE_OVERRIDE:
    case WIRE_EVIDENCE:
    case WIRE_PROGRESS:
    case WIRE_PROGRESSED:
    case WIRE_DECISION:
    case WIRE_WORD:
    case WIRE_ANSWERS_ASK:
    case WIRE_ANSWERS:
    case WIRE_BLOCKLIST_ASK:
    case WIRE_BLOCKLIST:
    case WIRE_CLOCKS_ASK:
    case WIRE_CLOCKS:
    case WIRE_CONDITION:
    case WIRE_PACKED:
        return true;
    case WIRE_JOIN:
    case WIRE_WELCOME:
    case WIRE_JOIN_REFUSED:
        break;
    }
    return false;
}

struct maker { /* who makes them, and of what */
    const struct branch *b;
    const struct ident *me;     /* the liar */
    const struct ident *author; /* an honest desk, and a feed of it */
    const struct feed *feed;
    struct buf intent, receipt; /* of the branch's first upload */
    void (*keep)(const struct buf *msg);
};

static inline void made(const struct maker *k, struct buf *msg)
{
    k->keep(msg);
    buf_free(msg);
}

/* As ledger_begin(): epoch, term, slots decided. */
static inline void begin_ledger(struct buf *b, enum wire_type type, unsigned more)
{
    struct epoch e = { .number = 0 };

    wire_begin(b, type, 4 + more);
    epoch_put(b, &e);
    mp_put_u64(b, 2);
    mp_put_u64(b, 1);
}

/* ---- what is asked ---- */

static inline void make_questions(const struct maker *k)
{
    struct buf msg = { 0 };

    wire_begin(&msg, WIRE_WANT, 3);
    mp_put_bin(&msg, &k->feed->opening.id, sizeof k->feed->opening.id);
    mp_put_u64(&msg, 1);
    mp_put_u64(&msg, k->feed->seq);
    made(k, &msg);
    wire_begin(&msg, WIRE_ROSTER_HAVE, 1);
    mp_put_array(&msg, 1);
    mp_put_bin(&msg, roster_op_hash(k->b->r, 0), HASH_BYTES);
    made(k, &msg);
    wire_begin(&msg, WIRE_ROSTER_OPS, 1);
    mp_put_bin(&msg, k->b->op[1].p, k->b->op[1].len);
    made(k, &msg);
    wire_begin(&msg, WIRE_SLOTS_WANT, 1);
    mp_put_u64(&msg, 1);
    made(k, &msg);
}

/* ---- feeds ---- */

/* A run of one record from the beginning of the liar's own feed; n tells the histories apart. */
static inline void make_run(const struct maker *k, const struct opening *o, uint8_t n,
                            struct buf *records, struct buf *out)
{
    const uint8_t r[] = { 0x81, 0x01, n };
    struct block b = { .feed = o->id, .first = 1, .count = 1 };

    feed_h0(roster_branch(k->b->r), o, b.hash);
    feed_next_hash(b.hash, r, sizeof r);
    mp_put_bin(records, r, sizeof r);
    b.records = records->p;
    b.len = records->len;
    head_sign(roster_branch(k->b->r), &b.feed, 1, b.hash, k->me->sign_sk, b.sig);
    block_encode(&b, out);
}

static inline void make_fork(const struct maker *k)
{
    struct opening o = { .id = { k->me->id, { 0xf0 } }, .number = 1, .at_ms = 1795500000000 };
    struct buf opening = { 0 }, records[2] = { { 0 } }, run[2] = { { 0 } }, msg = { 0 };
    struct buf proof = { 0 };
    struct fork f = { .feed = o.id };
    uint8_t point[HASH_SHORT_BYTES] = { 5 };

    opening_sign(roster_branch(k->b->r), &o, k->me->sign_sk);
    opening_encode(&o, &opening);
    for (uint8_t i = 0; i < 2; i++) {
        make_run(k, &o, (uint8_t)(1 + i), &records[i], &run[i]);
        f.run[i] = (struct fork_run){
            .opening = opening.p, .opening_n = opening.len, .bytes = run[i].p, .n = run[i].len
        };
    }
    fork_encode(&f, &proof);
    wire_begin(&msg, WIRE_FORK_PROOF, 3);
    mp_put_bin(&msg, proof.p, proof.len);
    mp_put_bin(&msg, opening.p, opening.len);
    mp_put_bin(&msg, run[0].p, run[0].len);
    made(k, &msg);
    wire_begin(&msg, WIRE_FORK_ASK, 3);
    mp_put_bin(&msg, &k->feed->opening.id, sizeof o.id);
    mp_put_u64(&msg, 0);
    mp_put_array(&msg, 1);
    mp_put_array(&msg, 2);
    mp_put_u64(&msg, 2);
    mp_put_bin(&msg, point, sizeof point);
    made(k, &msg);
    for (unsigned i = 0; i < 2; i++) {
        buf_free(&records[i]);
        buf_free(&run[i]);
    }
    buf_free(&opening);
    buf_free(&proof);
}

static inline void make_floor(const struct maker *k)
{
    const struct feed *f = k->feed;
    struct buf opening = { 0 }, msg = { 0 };
    uint8_t sig[SIG_BYTES];

    head_sign(roster_branch(k->b->r), &f->opening.id, f->seq, f->hash, k->author->sign_sk, sig);
    opening_encode(&f->opening, &opening);
    wire_begin(&msg, WIRE_FLOOR, 4);
    mp_put_bin(&msg, opening.p, opening.len);
    mp_put_u64(&msg, f->seq);
    mp_put_bin(&msg, f->hash, HASH_BYTES);
    mp_put_bin(&msg, sig, sizeof sig);
    made(k, &msg);
    buf_free(&opening);
}

/* ---- the ledger ---- */

static inline void make_override(const struct maker *k)
{
    struct override o = { .epoch.number = 1, .n_seats = 1, .n_missing = 1, .reason = "a fire" };
    struct buf cert = { 0 }, msg = { 0 };

    o.desk = o.seats[0] = k->b->desk[0].id;
    o.missing[0] = k->b->desk[1].id;
    o.made_ms = 1795500000000;
    memcpy(o.lead_pk, k->me->sign_pk, KEY_BYTES); /* no lead: signed all the same */
    override_sign(roster_branch(k->b->r), &o, k->me->sign_sk, &cert);
    wire_begin(&msg, WIRE_OVERRIDE, 1);
    mp_put_array(&msg, 1);
    mp_put_bin(&msg, cert.p, cert.len);
    made(k, &msg);
    wire_begin(&msg, WIRE_EVIDENCE, 4);
    epoch_put(&msg, &(struct epoch){ .number = 0 });
    mp_put_u64(&msg, 1);
    mp_put_bin(&msg, k->receipt.p, k->receipt.len);
    made(k, &msg);
    buf_free(&cert);
}

static inline void put_answer(const struct maker *k, struct buf *b)
{
    struct answer_row row = { .line = 1,
                              .ref = { k->feed->opening.id, 1 },
                              .kind = RECORD_CHECKOUT,
                              .answer = ANSWER_REFUSED,
                              .words = "not today" };
    struct buf bytes = { 0 };

    answer_row_encode(&row, &bytes);
    mp_put_bin(b, bytes.p, bytes.len);
    buf_free(&bytes);
}

static inline void make_delivery(const struct maker *k)
{
    struct progress p = { .step = 1, .n_answers = 1 };
    struct decision d = { .slot = 2, .step = 1, .arrived = true, .made_ms = 1795500000000 };
    struct buf msg = { 0 }, bytes = { 0 };
    uint8_t zeros[HASH_BYTES] = { 0 }, hash[HASH_BYTES];

    intent_hash(k->intent.p, k->intent.len, hash);
    begin_ledger(&msg, WIRE_PROGRESS, 9);
    mp_put_u64(&msg, 2);
    mp_put_bin(&msg, hash, sizeof hash);
    progress_encode_bin(&p, &msg);
    mp_put_bool(&msg, false);
    mp_put_str(&msg, "MAIN.log");
    mp_put_u64(&msg, 9);
    mp_put_bin(&msg, zeros, sizeof zeros);
    mp_put_u64(&msg, 0);
    mp_put_array(&msg, 1);
    put_answer(k, &msg);
    made(k, &msg);
    begin_ledger(&msg, WIRE_PROGRESSED, 2);
    mp_put_u64(&msg, 2);
    mp_put_u64(&msg, 1);
    made(k, &msg);
    d.desk = k->me->id;
    memcpy(d.intent, hash, sizeof hash);
    memcpy(d.lead_pk, k->me->sign_pk, KEY_BYTES);
    decision_sign(roster_branch(k->b->r), &d, k->me->sign_sk, &bytes);
    wire_begin(&msg, WIRE_DECISION, 1);
    mp_put_bin(&msg, bytes.p, bytes.len);
    made(k, &msg);
    wire_begin(&msg, WIRE_ANSWERS_ASK, 5);
    mp_put_u64(&msg, 1);
    mp_put_bin(&msg, hash, sizeof hash);
    mp_put_u64(&msg, 1);
    mp_put_u64(&msg, 0);
    mp_put_array(&msg, 1);
    mp_put_array(&msg, 2);
    mp_put_u64(&msg, 1);
    mp_put_bin(&msg, zeros, 8);
    made(k, &msg);
    wire_begin(&msg, WIRE_ANSWERS, 4);
    mp_put_u64(&msg, 1);
    mp_put_bin(&msg, hash, sizeof hash);
    mp_put_u64(&msg, 1);
    mp_put_array(&msg, 1);
    put_answer(k, &msg);
    made(k, &msg);
    begin_ledger(&msg, WIRE_REFUSED, 2);
    mp_put_u64(&msg, 2);
    mp_put_str(&msg, "a record is missing here");
    made(k, &msg);
    begin_ledger(&msg, WIRE_RESIGN, 2);
    mp_put_u64(&msg, 1);
    mp_put_str(&msg, "the folder is away");
    made(k, &msg);
    buf_free(&bytes);
}

/* ---- what people say, and what PCs do ---- */

static inline void make_word(const struct maker *k)
{
    struct word w = { .kind = WORD_CONFIRM, .at_ms = 1795500000000, .slot = 1, .n_refs = 1 };
    struct word_ref ref = { .ref = { k->feed->opening.id, 1 }, .id = { 9 } };
    struct buf refs = { 0 }, bytes = { 0 }, msg = { 0 };

    memcpy(w.key, k->me->sign_pk, KEY_BYTES); /* which it may: the second voice of a desk */
    intent_hash(k->intent.p, k->intent.len, w.intent);
    wire_begin(&msg, WIRE_WORD, 1);
    mp_put_array(&msg, 2);
    w.n_refs = 0;
    word_sign(roster_branch(k->b->r), &w, NULL, k->me->sign_sk, &bytes);
    mp_put_bin(&msg, bytes.p, bytes.len);
    w.kind = WORD_RELEASE;
    w.n_refs = 1;
    word_put_ref(&refs, &ref);
    buf_reset(&bytes);
    word_sign(roster_branch(k->b->r), &w, &refs, k->me->sign_sk, &bytes);
    mp_put_bin(&msg, bytes.p, bytes.len);
    made(k, &msg);
    buf_free(&refs);
    buf_free(&bytes);
}

static inline void make_blocklist(const struct maker *k)
{
    struct blocklist_draft d = { .date_ms = 1795400000000, .key = { 3 } };
    struct blocklist list = { .rows = { 0 } };
    struct buf msg = { 0 };

    must_hold(blocklist_read(&d, "20000000000006\n20000000000014|LOST\n", 35, NULL) == ERR_OK);
    must_hold(blocklist_finish(&d, roster_branch(k->b->r), k->me, 1795500000000, &list, NULL) ==
              ERR_OK);
    for (unsigned part = 0; part < 2; part++) {
        wire_begin(&msg, WIRE_BLOCKLIST_ASK, 2);
        mp_put_bin(&msg, list.head.id, BLOCKLIST_ID);
        mp_put_u64(&msg, part);
        made(k, &msg);
        wire_begin(&msg, WIRE_BLOCKLIST, 3);
        mp_put_bin(&msg, list.head.id, BLOCKLIST_ID);
        mp_put_u64(&msg, part);
        if (part == 0)
            mp_put_bin(&msg, list.bytes.p, list.bytes.len);
        else
            mp_put_bin(&msg, list.rows.p, list.rows.len);
        made(k, &msg);
    }
    blocklist_free(&list);
}

static inline void make_others(const struct maker *k)
{
    struct clock_word w = { k->feed->opening.id, 95000, 2, true };
    struct condition c = { .disk_free = 1ull << 33, .commit_us = 1500 };
    uint8_t hash[HASH_BYTES] = { 4 };
    struct buf msg = { 0 };

    wire_begin(&msg, WIRE_BYE, 0);
    made(k, &msg);
    wire_begin(&msg, WIRE_KEY_WANT, 1);
    mp_put_bin(&msg, hash, sizeof hash);
    made(k, &msg);
    wire_begin(&msg, WIRE_KEY, 1);
    mp_put_bin(&msg, hash, sizeof hash);
    made(k, &msg);
    wire_begin(&msg, WIRE_CLOCKS_ASK, 0);
    made(k, &msg);
    wire_begin(&msg, WIRE_CLOCKS, 1);
    mp_put_array(&msg, 1);
    clock_word_put(&w, &msg);
    made(k, &msg);
    must_hold(condition_add(&c, "not_saving"));
    wire_begin(&msg, WIRE_CONDITION, CONDITION_FIELDS);
    condition_put(&c, &msg);
    made(k, &msg);
}

/* A hundred feeds of nobody, packed. */
static inline void make_packed(const struct maker *k)
{
    struct buf whole = { 0 }, msg = { 0 };
    struct feed_id id = { .desk = k->me->id };
    uint8_t h[HASH_SHORT_BYTES] = { 1 };

    wire_begin(&whole, WIRE_VECTOR, 1);
    mp_put_array(&whole, 100);
    for (unsigned i = 0; i < 100; i++) {
        put_be32(id.name, i);
        mp_put_array(&whole, 4);
        mp_put_bin(&whole, &id, sizeof id);
        mp_put_u64(&whole, 7);
        mp_put_bin(&whole, h, sizeof h);
        mp_put_u64(&whole, 0);
    }
    must_hold(message_pack(whole.p, whole.len, &msg));
    made(k, &msg);
    buf_free(&whole);
}

static inline void make_messages(const struct maker *k)
{
    make_questions(k);
    make_fork(k);
    make_floor(k);
    make_override(k);
    make_delivery(k);
    make_word(k);
    make_blocklist(k);
    make_others(k);
    make_packed(k);
}

#endif
