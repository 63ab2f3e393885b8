/* sync.c - telling the other desks what there is, and getting what is missing.
 *
 * The transport may lose, repeat or delay anything; truth is the vector (how far each feed is
 * held), the block (proven by its author's signature) and the acknowledgement after a commit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#include "core_int.h"

#define WANT_RECORDS        4096 /* asked for at once: eight full blocks, about a megabyte */
#define WANT_STALL_MS       3000 /* then another peer is asked */
#define WANT_LOOK_MS        500  /* between looks for stalled requests */
#define PUSH_AHEAD          8192 /* records pushed and not acknowledged: bounds a slow peer's queue */
#define VECTOR_FEEDS        8192 /* 40 bytes each: a third of a message's limit */
#define VECTOR_AGAIN_MS     300
#define ROSTER_ANSWER_BYTES (1u << 20) /* of operations; a branch has a tenth of it in years */

static void send_vector_part(struct core *c, struct peer *p, unsigned from, unsigned to)
{
    struct buf b = { 0 };
    unsigned n = 0;

    for (unsigned i = from; i < to; i++)
        n += c->feeds.v[i].seq > 0 || c->feeds.v[i].forked;
    wire_begin(&b, WIRE_VECTOR, 1);
    mp_put_array(&b, n);
    for (unsigned i = from; i < to; i++) {
        const struct feed *f = &c->feeds.v[i];
        if (f->seq == 0 && !f->forked)
            continue;
        mp_put_array(&b, 4);
        mp_put_bin(&b, &f->opening.id, sizeof f->opening.id);
        mp_put_u64(&b, f->seq);
        mp_put_bin(&b, f->hash, HASH_SHORT_BYTES);
        mp_put_u64(&b, f->forked ? f->fork_at + 1 : 0);
    }
    peer_send(c, p, &b);
}

/* In parts that stay well below the size limit; each is of use alone. */
void sync_send_vector(struct core *c, struct peer *p)
{
    unsigned from = 0;

    if (p->vector_sent_ms != 0 && c->now_ms - p->vector_sent_ms < VECTOR_AGAIN_MS)
        return;
    do {
        unsigned to = from + VECTOR_FEEDS < c->feeds.n ? from + VECTOR_FEEDS : c->feeds.n;
        send_vector_part(c, p, from, to);
        from = to;
    } while (from < c->feeds.n);
    p->vector_sent_ms = c->now_ms;
}

void sync_send_roster_have(struct core *c, struct peer *p)
{
    struct buf b = { 0 };

    if (p->roster_sent_ms != 0 && c->now_ms - p->roster_sent_ms < VECTOR_AGAIN_MS)
        return;
    wire_begin(&b, WIRE_ROSTER_HAVE, 1);
    mp_put_array(&b, roster_ops(c->roster));
    for (unsigned i = 0; i < roster_ops(c->roster); i++)
        mp_put_bin(&b, roster_op_hash(c->roster, i), HASH_BYTES);
    peer_send(c, p, &b);
    p->roster_sent_ms = c->now_ms;
}

static void send_want(struct core *c, struct peer *p, const struct feed_id *id, uint64_t from,
                      uint64_t to)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_WANT, 3);
    mp_put_bin(&b, id, sizeof *id);
    mp_put_u64(&b, from);
    mp_put_u64(&b, to);
    peer_send(c, p, &b);
}

/* One request per feed under way, to somebody who has more; another is asked when it stalls. */
static void want_more(struct core *c, unsigned i)
{
    struct feed *f = &c->feeds.v[i];
    int best = -1;

    if (f->want_peer >= 0 && c->now_ms - f->want_since_ms < WANT_STALL_MS &&
        (f->seq < f->want_to || sync_have(&c->peers[f->want_peer], i) <= f->seq))
        return;
    if (f->elsewhere <= f->seq) { /* nobody ever said to have more */
        f->want_peer = -1;
        return;
    }
    for (unsigned k = 0; k < c->n_peers; k++) {
        const struct peer *p = &c->peers[k];
        if (sync_have(p, i) <= f->seq || !peer_gives(c, p))
            continue;
        if (best < 0 || best == f->want_peer ||
            ((int)k != f->want_peer && sync_have(p, i) > sync_have(&c->peers[best], i)))
            best = (int)k;
    }
    f->want_peer = best;
    if (best < 0)
        return;
    f->want_to = sync_have(&c->peers[best], i);
    if (f->want_to > f->seq + WANT_RECORDS)
        f->want_to = f->seq + WANT_RECORDS;
    f->want_since_ms = c->now_ms;
    send_want(c, &c->peers[best], &f->opening.id, f->seq + 1, f->want_to);
}

struct vector_entry {
    struct feed_id id;
    uint64_t seq;
    uint8_t hash[HASH_SHORT_BYTES];
    uint64_t fork; /* 0: none known, else 1 + the last record before it parts */
};

static bool get_entry(struct mp *m, struct vector_entry *v)
{
    if (mp_get_array(m) != 4)
        m->bad = true;
    mp_get_raw(m, &v->id, sizeof v->id);
    v->seq = mp_get_u64(m);
    mp_get_raw(m, v->hash, sizeof v->hash);
    v->fork = mp_get_u64(m);
    m->bad = m->bad || v->seq > FEED_SEQ_MAX || v->fork > FEED_SEQ_MAX;
    return !m->bad;
}

static void meet_stranger(struct core *c, struct peer *p, const struct vector_entry *v)
{
    if (!roster_find(c->roster, &v->id.desk))
        return;
    if (v->seq > 0)
        send_want(c, p, &v->id, 1, WANT_RECORDS);
    else
        forks_ask_proof(c, p, &v->id); /* nothing of it counts, and that must be known too */
}

/* Returns whether it lacks something of this feed that we have. */
static bool meet_feed(struct core *c, struct peer *p, const struct vector_entry *v, unsigned at)
{
    struct feed *f = &c->feeds.v[at];
    uint64_t fork = f->forked ? f->fork_at + 1 : 0, seq = forks_claim(c, f, v->seq, v->hash);

    if (v->fork > 0 && (fork == 0 || v->fork < fork))
        forks_ask_proof(c, p, &v->id);
    else if (v->seq == f->seq && v->fork == fork && v->seq > 0 &&
             memcmp(v->hash, f->hash, sizeof v->hash) != 0) {
        forks_search(c, p, f); /* its copies of this feed are not ours */
        return false;
    }
    if (v->seq == f->seq && seq > 0 && memcmp(v->hash, f->hash, sizeof v->hash) != 0)
        return fork > 0 && v->fork != fork;
    peer_learn_have(c, p, at, seq);
    p->sent[at] = seq; /* what else was pushed did not arrive */
    want_more(c, at);
    return v->seq < f->seq || (fork > 0 && (v->fork == 0 || v->fork > fork));
}

static void on_vector(struct core *c, struct peer *p, struct mp *m)
{
    uint32_t n = mp_get_array(m);
    bool theirs_is_older = false;

    if (m->bad || !peer_room(c, p))
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct vector_entry v;
        int at;
        if (!get_entry(m, &v))
            return;
        at = feeds_index(&c->feeds, &v.id);
        if (desk_id_eq(&v.id.desk, &c->conf.me->id) && (at < 0 || !c->feeds.v[at].forked) &&
            v.seq > (at < 0 ? 0 : c->feeds.v[at].stored))
            peer_says_lost(c, p); /* every record of ours was on our disk before it left */
        if (at < 0)
            meet_stranger(c, p, &v);
        else
            theirs_is_older |= meet_feed(c, p, &v, (unsigned)at);
    }
    p->vector_ms = c->now_ms;
    if (theirs_is_older)
        sync_send_vector(c, p);
}

void sync_send_block(struct core *c, const struct peer *p, const struct feed *f,
                     const struct block *b)
{
    struct buf msg = { 0 }, opening = { 0 }, block = { 0 };

    if (b->first == 1)
        opening_encode(&f->opening, &opening);
    block_encode(b, &block);
    wire_begin(&msg, WIRE_BLOCKS, 3);
    mp_put_bin(&msg, opening.p, opening.len);
    mp_put_u64(&msg, f->seq > block_last(b) ? f->seq : block_last(b));
    mp_put_bin(&msg, block.p, block.len);
    buf_free(&opening);
    buf_free(&block);
    peer_send(c, p, &msg);
}

static void on_want(struct core *c, struct peer *p, struct mp *m)
{
    struct buf raw = { 0 }, records = { 0 };
    struct feed_id id;
    struct block b;
    uint64_t from, to;
    int at;

    mp_get_raw(m, &id, sizeof id);
    from = mp_get_u64(m);
    to = mp_get_u64(m);
    if (m->bad || from == 0 || to < from || (at = feeds_index(&c->feeds, &id)) < 0)
        return;
    if (to - from >= WANT_RECORDS)
        to = from + WANT_RECORDS - 1;
    if (from <= c->feeds.v[at].floor.seq) { /* once it is taken, the rest is asked for */
        erase_send_floor(c, p, &c->feeds.v[at]);
        return;
    }
    while (from <= to && feeds_range(c->conf.disk, c->feeds.v[at].alias, from, to, &raw, &records,
                                     &b, NULL) == ERR_OK) {
        sync_send_block(c, p, &c->feeds.v[at], &b);
        from = block_last(&b) + 1;
    }
    if (peer_room(c, p) && p->sent[at] < from - 1)
        p->sent[at] = from - 1;
    buf_free(&raw);
    buf_free(&records);
}

static bool take_block(struct core *c, struct peer *p, struct feed *f, const struct fork_run *run)
{
    const struct block *b = &run->block;
    const struct desk *author = roster_find(c->roster, &f->opening.id.desk);
    uint8_t h[HASH_BYTES];
    size_t known;
    struct errmsg msg = { .text = "" };

    if (!forks_takes(c, p, f, b))
        return false;
    memcpy(h, f->hash, sizeof h);
    if (!author || block_check(b, roster_branch(c->roster), author->sign_pk, f->seq, h, &known,
                               &msg) != ERR_OK) {
        /* It may hold another history in good faith: it shows that, or it lied. */
        if (forks_evident(c, f, run) || forks_search(c, p, f) ||
            (p->searching && feed_id_eq(&p->search_feed, &f->opening.id)))
            return false;
        peer_refuse(c, p, msg.text);
        return false;
    }
    if (desk_id_eq(&f->opening.id.desk, &c->conf.me->id) && !f->forked)
        sync_memory_is_lost(c); /* our own signature under what our disk does not know: a proof */
    if (feeds_append(&c->feeds, f, b, known, h, NULL) != ERR_OK)
        return false;
    forks_grown(c, f);
    return true;
}

/* A feed begins here only with its author's signature over its opening, and with its first block. A
 * forged one would shut the real feed out for ever. */
static struct feed *open_proven(struct core *c, struct peer *p, const struct opening *o,
                                const struct block *b)
{
    const struct desk *author = roster_find(c->roster, &o->id.desk);
    struct feed *f = NULL;
    uint8_t h[HASH_BYTES];
    size_t known;

    feed_h0(roster_branch(c->roster), o, h);
    if (!author || !opening_ok(roster_branch(c->roster), o, author->sign_pk) ||
        block_check(b, roster_branch(c->roster), author->sign_pk, 0, h, &known, NULL)) {
        peer_refuse(c, p, "a feed that its desk did not sign");
        return NULL;
    }
    if ((f = feeds_find(&c->feeds, &o->id)) != NULL)
        return feeds_reopen(&c->feeds, f, o) == ERR_OK ? f : NULL;
    return feeds_open(&c->feeds, o, &f, NULL) == ERR_OK ? f : NULL;
}

static void on_blocks(struct core *c, struct peer *p, struct mp *m)
{
    size_t opening_n = 0, block_n = 0;
    const uint8_t *opening = mp_get_bin(m, &opening_n);
    uint64_t head = mp_get_u64(m);
    const uint8_t *block = mp_get_bin(m, &block_n);
    struct fork_run run = {
        .opening = opening, .opening_n = opening_n, .bytes = block, .n = block_n
    };
    struct opening o;
    struct block b;
    struct feed *f;
    unsigned i;

    if (m->bad || block_decode(block, block_n, &b, NULL) != ERR_OK || head > FEED_SEQ_MAX) {
        m->bad = true;
        return;
    }
    /* Of a fork with two openings none of whose records count, the opening may change too. */
    if ((f = feeds_find(&c->feeds, &b.feed)) == NULL || (f->forked && f->stored == 0)) {
        if (b.first != 1 || !opening_decode(opening, opening_n, &o) ||
            !feed_id_eq(&o.id, &b.feed)) {
            if (roster_find(c->roster, &b.feed.desk))
                send_want(c, p, &b.feed, 1, WANT_RECORDS);
            return;
        }
        if ((f = open_proven(c, p, &o, &b)) == NULL)
            return;
    }
    i = f->alias - 1;
    head = forks_claim(c, f, head, NULL);
    if (sync_have(p, i) < head)
        peer_learn_have(c, p, i, head);
    run.block = b;
    run.opening_n = b.first == 1 ? opening_n : 0;
    if (block_last(&b) <= f->seq) {
        if (block_last(&b) == f->seq && memcmp(b.hash, f->hash, HASH_BYTES) != 0)
            forks_evident(c, f, &run);
        f->moved = true; /* a repetition: say again how far we are */
        return;
    }
    if (b.first <= f->seq + 1)
        take_block(c, p, f, &run);
    want_more(c, i);
}

static void on_ack(struct core *c, struct peer *p, struct mp *m)
{
    uint32_t n = mp_get_array(m);

    for (uint32_t i = 0; i < n && !m->bad; i++) {
        struct feed_id id;
        uint64_t seq;
        int at;
        if (mp_get_array(m) != 2)
            m->bad = true;
        mp_get_raw(m, &id, sizeof id);
        seq = mp_get_u64(m);
        m->bad |= seq > FEED_SEQ_MAX;
        if (m->bad || (at = feeds_index(&c->feeds, &id)) < 0)
            continue;
        seq = forks_claim(c, &c->feeds.v[at], seq, NULL);
        if (sync_have(p, (unsigned)at) < seq)
            peer_learn_have(c, p, (unsigned)at, seq);
    }
}

static int by_hash(const void *a, const void *b)
{
    return memcmp(a, b, HASH_BYTES);
}

/* One at a time, as ours are in order: parents come before children. The rest of many is told when
 * the peer has asked again. */
static void send_lacking(struct core *c, struct peer *p, const uint8_t *theirs, uint32_t n)
{
    size_t sent = 0;

    for (unsigned i = 0; i < roster_ops(c->roster) && sent < ROSTER_ANSWER_BYTES; i++) {
        struct buf b = { 0 };
        size_t len;
        const uint8_t *op = roster_op(c->roster, i, &len);
        if (bsearch(roster_op_hash(c->roster, i), theirs, n, HASH_BYTES, by_hash))
            continue;
        wire_begin(&b, WIRE_ROSTER_OPS, 1);
        mp_put_bin(&b, op, len);
        peer_send(c, p, &b);
        sent += len;
    }
}

static void on_roster_have(struct core *c, struct peer *p, struct mp *m)
{
    uint32_t n = mp_get_array(m);
    uint8_t *theirs = n <= ROSTER_OPS_MAX ? mem_alloc((n + 1) * HASH_BYTES) : NULL;
    unsigned known = 0;

    m->bad |= n > ROSTER_OPS_MAX;
    for (uint32_t i = 0; theirs && i < n; i++)
        mp_get_raw(m, theirs + i * HASH_BYTES, HASH_BYTES);
    if (theirs && !m->bad) {
        qsort(theirs, n, HASH_BYTES, by_hash);
        for (unsigned i = 0; i < roster_ops(c->roster); i++)
            known += bsearch(roster_op_hash(c->roster, i), theirs, n, HASH_BYTES, by_hash) != NULL;
        send_lacking(c, p, theirs, n);
        if (known < n)
            sync_send_roster_have(c, p);
    }
    free(theirs);
}

static void on_roster_ops(struct core *c, const struct moment *now, struct peer *p, struct mp *m)
{
    size_t n = 0;
    const uint8_t *op = mp_get_bin(m, &n);
    struct errmsg msg = { .text = "" };
    enum err e;

    if (m->bad)
        return;
    e = core_roster_add(c, now, op, n, &msg);
    if (e != ERR_OK && e != ERR_MISSING)
        peer_refuse(c, p, msg.text);
}

void sync_send_roster(struct core *c)
{
    for (unsigned i = 0; i < c->n_peers; i++)
        if (peer_is_active(c, &c->peers[i]))
            sync_send_roster_have(c,
                                  &c->peers[i]); /* what comes within 300 ms, the next beat tells */
}

void sync_push(struct core *c, struct feed *f, const struct block *b)
{
    unsigned i = f->alias - 1;

    for (unsigned k = 0; k < c->n_peers; k++) {
        struct peer *p = &c->peers[k];
        if (!p->up || !sync_is_online(c, p) || !peer_room(c, p) || p->sent[i] + 1 < b->first ||
            block_last(b) > p->have[i] + PUSH_AHEAD)
            continue; /* it asks for what it misses when it sees our vector */
        sync_send_block(c, p, f, b);
        p->sent[i] = block_last(b);
    }
}

void sync_acknowledge(struct core *c)
{
    struct buf b = { 0 }, body = { 0 };
    unsigned n = 0;

    for (unsigned i = 0; i < c->feeds.n; i++) {
        struct feed *f = &c->feeds.v[i];
        if (!f->moved)
            continue;
        f->moved = false;
        if (desk_id_eq(&f->opening.id.desk, &c->conf.me->id) && (int)i == c->own)
            continue; /* the push says it */
        mp_put_array(&body, 2);
        mp_put_bin(&body, &f->opening.id, sizeof f->opening.id);
        mp_put_u64(&body, f->seq);
        n++;
    }
    for (unsigned k = 0; n > 0 && k < c->n_peers; k++) {
        if (!c->peers[k].up)
            continue;
        wire_begin(&b, WIRE_ACK, 1);
        mp_put_array(&b, n);
        buf_add(&b, body.p, body.len);
        peer_send(c, &c->peers[k], &b);
    }
    buf_free(&body);
}

/* Who is there, and the records. False: something else. */
static bool take_records(struct core *c, const struct moment *now, struct peer *p, const char *ip,
                         unsigned type, struct mp *m)
{
    int feed;

    switch (type) {
    case WIRE_HELLO:
        peer_on_hello(c, now, p, ip, m);
        return true;
    case WIRE_BEAT:
        peer_on_beat(c, now, p, m);
        return true;
    case WIRE_VECTOR:
        on_vector(c, p, m);
        return true;
    case WIRE_WANT:
        on_want(c, p, m);
        return true;
    case WIRE_BLOCKS:
        on_blocks(c, p, m);
        return true;
    case WIRE_ACK:
        on_ack(c, p, m);
        return true;
    case WIRE_FLOOR:
        if ((feed = erase_on_floor(c, p, m)) >= 0)
            want_more(c, (unsigned)feed);
        return true;
    case WIRE_FORK_ASK:
        forks_on_ask(c, p, m);
        return true;
    case WIRE_FORK_PROOF:
        forks_on_proof(c, p, m);
        return true;
    }
    return false;
}

/* What everybody must know beside the records. A type of a newer version is passed over. */
static void take_common(struct core *c, const struct moment *now, struct peer *p, unsigned type,
                        struct mp *m)
{
    switch (type) {
    case WIRE_ROSTER_HAVE:
        on_roster_have(c, p, m);
        break;
    case WIRE_ROSTER_OPS:
        on_roster_ops(c, now, p, m);
        break;
    case WIRE_WORD:
        said_on_word(c, p, m);
        break;
    case WIRE_KEY_WANT:
        leadkey_on_want(c, p, m);
        break;
    case WIRE_KEY:
        leadkey_on_key(c, m);
        break;
    case WIRE_BLOCKLIST_ASK:
        blocklist_on_ask(c, p, m);
        break;
    case WIRE_BLOCKLIST:
        blocklist_on_part(c, p, m);
        break;
    case WIRE_CLOCKS_ASK:
        clocks_on_ask(c, p);
        break;
    case WIRE_CLOCKS:
        clocks_on_words(c, p, m);
        break;
    case WIRE_CONDITION:
        condition_hear(c, p, m);
        break;
    }
}

void sync_message(struct core *c, const struct moment *now, struct peer *p, const char *ip,
                  unsigned type, struct mp *m)
{
    if (!take_records(c, now, p, ip, type, m))
        take_common(c, now, p, type, m);
    p->ever_heard = type != WIRE_BYE;
    p->heard_ms = now->boot_ms;
    p->connects = p->up ? 0 : p->connects;
}

void sync_tick(struct core *c, const struct moment *now)
{
    bool beat = c->now_ms >= c->beat_ms;

    if (beat)
        c->beat_ms = c->now_ms + (peer_in_peace(c) ? BEAT_PEACE_MS : BEAT_MS);
    if (beat)
        clocks_tick(c, now);
    peers_count_unreached(c);
    for (unsigned i = 0; i < c->n_peers; i++)
        peer_tick(c, now, &c->peers[i], beat);
    if (c->now_ms < c->slow_ms)
        return;
    c->slow_ms = c->now_ms + WANT_LOOK_MS;
    if (c->unsettled)
        forks_settle(c);
    for (unsigned i = 0; i < c->feeds.n; i++)
        want_more(c, i);
}
