/* sync.c - telling the other desks what there is, and getting what is missing.
 *
 * The transport may lose, repeat or delay anything; truth is the vector (how far each feed is held),
 * the block (proven by its author's signature) and the acknowledgement after a commit. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_int.h"

#define WANT_RECORDS   4096 /* asked for at once: eight full blocks, about a megabyte */
#define WANT_STALL_MS  3000 /* then another peer is asked */
#define PUSH_AHEAD     8192 /* records pushed and not acknowledged: bounds a slow peer's queue */
#define HELLO_AGAIN_MS 1000
#define VECTOR_AGAIN_MS 300
#define RECONNECT_MIN_MS 500
#define RECONNECT_MAX_MS 5000

static void send_peer(struct core *c, const struct peer *p, struct buf *b)
{
    effects_add(&c->fx, EFFECT_SEND, &p->id, 0, b);
}

/* ---- peers ---- */

struct peer *sync_peer(const struct core *c, const struct desk_id *id)
{
    for (unsigned i = 0; i < c->n_peers; i++)
        if (desk_id_eq(&c->peers[i].id, id))
            return &c->peers[i];
    return NULL;
}

static void meta_key(char what, const struct desk_id *id, uint8_t out[1 + DESK_ID_BYTES])
{
    out[0] = (uint8_t)what;
    memcpy(out + 1, id->b, DESK_ID_BYTES);
}

static void load_peer(struct core *c, struct peer *p)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[1 + DESK_ID_BYTES];
    struct buf b = { 0 };
    struct mp m;

    meta_key('M', &p->id, key);
    if (d->get(d->ctx, TABLE_META, key, sizeof key, &b) == ERR_OK) {
        m = mp_over(b.p, b.len);
        mp_get_array(&m);
        p->mark.number = mp_get_u64(&m);
        p->has_mark = mp_get_raw(&m, p->mark.random, MARK_BYTES);
    }
    meta_key('A', &p->id, key);
    if (d->get(d->ctx, TABLE_META, key, sizeof key, &b) == ERR_OK && b.len <= ADDR_TEXT_MAX)
        memcpy(p->address, b.p, b.len);
    buf_free(&b);
}

static void connect_peer(struct core *c, struct peer *p)
{
    struct buf b = { 0 };

    if (p->address[0] == '\0')
        return;
    buf_add(&b, p->address, strlen(p->address) + 1);
    effects_add(&c->fx, EFFECT_CONNECT, &p->id, 0, &b);
    p->connect_ms = c->now_ms;
    p->connects++;
    p->up = false;
    if (p->n_have > 0) /* what was in the old connection's queue is lost */
        memcpy(p->sent, p->have, p->n_have * sizeof *p->sent);
}

enum err sync_peers(struct core *c)
{
    /* In one piece for good: callers hold pointers into it while the roster grows. */
    if (!c->peers && (c->peers = calloc(ROSTER_DESKS_MAX, sizeof *c->peers)) == NULL)
        return ERR_NOMEM;
    for (unsigned i = 0; i < roster_desks(c->roster); i++) {
        const struct desk *d = roster_desk(c->roster, i);
        struct peer *p = sync_peer(c, &d->id);
        if (desk_id_eq(&d->id, &c->conf.me->id))
            continue;
        if (p) {
            if (d->state == DESK_REVOKED)
                effects_add(&c->fx, EFFECT_DISCONNECT, &p->id, 0, NULL);
            continue;
        }
        p = &c->peers[c->n_peers++];
        memset(p, 0, sizeof *p);
        p->id = d->id;
        p->beat_every_ms = BEAT_MS;
        load_peer(c, p);
    }
    return ERR_OK;
}

static bool is_active(const struct core *c, const struct peer *p)
{
    const struct desk *d = roster_find(c->roster, &p->id);

    return d && d->state == DESK_ACTIVE;
}

bool sync_is_online(const struct core *c, const struct peer *p)
{
    return p->ever_heard && c->now_ms - p->heard_ms < PEER_QUIET_MS && is_active(c, p);
}

static bool room_for_feeds(struct core *c, struct peer *p)
{
    unsigned n = c->feeds.n;
    uint64_t *have, *sent;

    if (n <= p->n_have)
        return true;
    n = n < 64 ? 64 : 2 * n;
    if ((have = realloc(p->have, n * sizeof *have)) == NULL)
        return false;
    p->have = have;
    if ((sent = realloc(p->sent, n * sizeof *sent)) == NULL)
        return false;
    p->sent = sent;
    memset(have + p->n_have, 0, (n - p->n_have) * sizeof *have);
    memset(sent + p->n_have, 0, (n - p->n_have) * sizeof *sent);
    p->n_have = n;
    return true;
}

uint64_t sync_have(const struct peer *p, unsigned feed)
{
    return feed < p->n_have ? p->have[feed] : 0;
}

static void learn_have(struct core *c, struct peer *p, unsigned feed, uint64_t seq)
{
    if (!room_for_feeds(c, p))
        return;
    p->have[feed] = seq;
    if (p->sent[feed] < seq)
        p->sent[feed] = seq;
}

/* Equal hashes: it holds just what we hold. */
static void learn_vector_hash(struct core *c, struct peer *p)
{
    if (memcmp(p->vector_hash, feeds_hash(&c->feeds), sizeof p->vector_hash) != 0)
        return;
    for (unsigned i = 0; i < c->feeds.n; i++)
        learn_have(c, p, i, c->feeds.v[i].seq);
    p->vector_ms = c->now_ms;
}

uint64_t sync_missing(const struct core *c, const struct peer *p)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < c->feeds.n; i++)
        if (sync_have(p, i) > c->feeds.v[i].seq)
            n += sync_have(p, i) - c->feeds.v[i].seq;
    return n;
}

bool sync_gathered(const struct core *c)
{
    for (unsigned i = 0; i < c->n_peers; i++) {
        const struct peer *p = &c->peers[i];
        if (!sync_is_online(c, p))
            continue;
        if (c->now_ms - p->vector_ms > 2 * PEER_QUIET_MS || sync_missing(c, p) > 0)
            return false;
    }
    return true;
}

/* ---- start marks (PROTOCOL.md, "Start marks") ---- */

/* A majority of seats, the desk itself not counted, must remember this very start: two such
 * majorities, before and after a lost memory, have a desk in common that notices. */
bool sync_mark_confirmed(const struct core *c)
{
    struct ledger_view v;
    unsigned seats = 0, others = 0, need;
    struct ledger_moment now = { c->now_ms, 0 };

    if (c->memory_lost)
        return false;
    ledger_view(c->ledger, &now, &v);
    for (unsigned i = 0; i < c->n_peers; i++) {
        const struct peer *p = &c->peers[i];
        if (!p->confirms || p->memory_lost || !is_active(c, p))
            continue;
        others++;
        seats += ledger_is_seat(c->ledger, &p->id);
    }
    if (roster_active(c->roster) <= 1)
        return true; /* nobody else is there to remember */
    need = v.n_seats / 2 + 1;
    return v.n_seats <= 1 ? others >= 1 : seats >= (need < v.n_seats ? need : v.n_seats - 1);
}

static void remember_mark(struct core *c, struct peer *p, const struct mark *m)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[1 + DESK_ID_BYTES];
    struct buf b = { 0 };

    p->mark = *m;
    p->has_mark = true;
    p->memory_lost = false;
    meta_key('M', &p->id, key);
    mp_put_array(&b, 2);
    mp_put_u64(&b, m->number);
    mp_put_bin(&b, m->random, MARK_BYTES);
    d->put(d->ctx, TABLE_META, key, sizeof key, b.p, b.len);
    buf_free(&b);
}

/* Returns whether the peer should hear of what we now remember. An older mark than we remember may
 * be a message of an earlier start that comes late, so the desk itself judges, by what we tell it,
 * and says `lost` from then on. */
static bool take_mark(struct core *c, struct peer *p, const struct mark *m, bool lost)
{
    bool same = p->has_mark && m->number == p->mark.number &&
                memcmp(m->random, p->mark.random, MARK_BYTES) == 0;
    bool newer = !p->has_mark || m->number > p->mark.number;

    if (newer)
        remember_mark(c, p, m);
    if (lost && !p->memory_lost)
        effects_event(&c->fx, "a desk started with memory we have seen the end of: its copies and "
                              "its vote do not count");
    if (lost || same)
        p->memory_lost = lost;
    return !same;
}

static const uint8_t lost_key[] = { 'F' };

bool sync_memory_was_lost(const struct disk *d)
{
    struct buf b = { 0 };
    enum err e = d->get(d->ctx, TABLE_META, lost_key, sizeof lost_key, &b);

    buf_free(&b);
    return e == ERR_OK;
}

static void take_confirmation(struct core *c, struct peer *p, const struct mark *ours)
{
    const struct disk *d = c->conf.disk;

    if (ours->number == 0)
        return;
    p->confirms = ours->number == c->mark.number &&
                  memcmp(ours->random, c->mark.random, MARK_BYTES) == 0;
    if (ours->number > c->mark.number || (ours->number == c->mark.number && !p->confirms)) {
        if (!c->memory_lost)
            effects_event(&c->fx, "other desks remember a later start of this desk: its disk was "
                                  "restored or cloned; it has no vote until a lead restores it");
        c->memory_lost = true;
        d->put(d->ctx, TABLE_META, lost_key, sizeof lost_key, "", 0); /* restarts do not heal it */
    }
}

/* ---- HELLO and BEAT ---- */

static void put_addresses(const struct core *c, struct buf *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n_peers; i++)
        n += c->peers[i].address[0] != '\0' && is_active(c, &c->peers[i]);
    mp_put_array(b, n);
    for (unsigned i = 0; i < c->n_peers; i++) {
        if (c->peers[i].address[0] == '\0' || !is_active(c, &c->peers[i]))
            continue;
        mp_put_array(b, 2);
        mp_put_bin(b, c->peers[i].id.b, DESK_ID_BYTES);
        mp_put_str(b, c->peers[i].address);
    }
}

void core_addresses(const struct core *c, struct buf *out)
{
    put_addresses(c, out);
}

static void put_mark(struct buf *b, const struct mark *m)
{
    mp_put_u64(b, m->number);
    mp_put_bin(b, m->random, MARK_BYTES);
}

static void get_mark(struct mp *m, struct mark *out)
{
    out->number = mp_get_u64(m);
    mp_get_raw(m, out->random, MARK_BYTES);
}

static void send_hello(struct core *c, struct peer *p, int64_t wall_ms)
{
    struct buf b = { 0 };
    struct mark none = { 0 };

    wire_begin(&b, WIRE_HELLO, 15);
    mp_put_u64(&b, WIRE_VERSION_MIN);
    mp_put_u64(&b, WIRE_VERSION);
    mp_put_str(&b, c->conf.software);
    mp_put_bin(&b, roster_branch(c->roster), BRANCH_ID_BYTES);
    put_mark(&b, &c->mark);
    put_mark(&b, p->has_mark ? &p->mark : &none);
    mp_put_bool(&b, c->memory_lost);
    mp_put_bin(&b, roster_hash(c->roster), HASH_BYTES);
    mp_put_bin(&b, feeds_hash(&c->feeds), 16);
    mp_put_u64(&b, ledger_decided(c->ledger));
    mp_put_i64(&b, wall_ms);
    mp_put_str(&b, c->conf.address);
    put_addresses(c, &b);
    send_peer(c, p, &b);
    p->hello_ms = c->now_ms;
}

static void send_vector(struct core *c, struct peer *p)
{
    struct buf b = { 0 };
    unsigned n = 0;

    if (p->vector_sent_ms != 0 && c->now_ms - p->vector_sent_ms < VECTOR_AGAIN_MS)
        return;
    for (unsigned i = 0; i < c->feeds.n; i++)
        n += c->feeds.v[i].seq > 0;
    wire_begin(&b, WIRE_VECTOR, 1);
    mp_put_array(&b, n);
    for (unsigned i = 0; i < c->feeds.n; i++) {
        const struct feed *f = &c->feeds.v[i];
        if (f->seq == 0)
            continue;
        mp_put_array(&b, 3);
        mp_put_bin(&b, &f->opening.id, sizeof f->opening.id);
        mp_put_u64(&b, f->seq);
        mp_put_bin(&b, f->hash, 8);
    }
    send_peer(c, p, &b);
    p->vector_sent_ms = c->now_ms;
}

static void send_roster_have(struct core *c, struct peer *p)
{
    struct buf b = { 0 };

    if (p->roster_sent_ms != 0 && c->now_ms - p->roster_sent_ms < VECTOR_AGAIN_MS)
        return;
    wire_begin(&b, WIRE_ROSTER_HAVE, 1);
    mp_put_array(&b, roster_ops(c->roster));
    for (unsigned i = 0; i < roster_ops(c->roster); i++)
        mp_put_bin(&b, roster_op_hash(c->roster, i), HASH_BYTES);
    send_peer(c, p, &b);
    p->roster_sent_ms = c->now_ms;
}

/* What HELLO and BEAT both say: does anything of ours differ from theirs? */
static void compare(struct core *c, struct peer *p, const uint8_t their_roster[HASH_BYTES],
                    uint64_t their_dec)
{
    struct buf b = { 0 };

    if (memcmp(their_roster, roster_hash(c->roster), HASH_BYTES) != 0)
        send_roster_have(c, p);
    if (memcmp(p->vector_hash, feeds_hash(&c->feeds), sizeof p->vector_hash) != 0)
        send_vector(c, p);
    else
        learn_vector_hash(c, p);
    if (their_dec > ledger_decided(c->ledger)) {
        wire_begin(&b, WIRE_SLOTS_WANT, 1);
        mp_put_u64(&b, ledger_decided(c->ledger) + 1);
        send_peer(c, p, &b);
    }
}

static void keep_address(struct core *c, struct peer *p, const char *claimed, const char *ip)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[1 + DESK_ID_BYTES];
    char full[ADDR_TEXT_MAX];

    /* A desk bound to every interface does not know which of its addresses we can reach; the
     * one its message came from is right unless there is a translator between. */
    if (claimed[0] == ':' && ip[0] != '\0')
        snprintf(full, sizeof full, strchr(ip, ':') ? "[%.40s]%.20s" : "%.40s%.20s", ip, claimed);
    else
        snprintf(full, sizeof full, "%.63s", claimed);
    p->proven = true;
    if (full[0] == ':' || strcmp(full, p->address) == 0)
        return;
    memcpy(p->address, full, sizeof full);
    meta_key('A', &p->id, key);
    d->put(d->ctx, TABLE_META, key, sizeof key, full, strlen(full) + 1);
    connect_peer(c, p);
}

void core_hint(struct core *c, const struct desk_id *id, const char *address)
{
    struct peer *p = sync_peer(c, id);

    if (!p || address[0] == '\0' || strlen(address) >= ADDR_TEXT_MAX || p->up ||
        (p->proven && p->address[0] != '\0'))
        return;
    if (strcmp(p->address, address) == 0)
        return;
    snprintf(p->address, sizeof p->address, "%s", address);
    connect_peer(c, p);
}

static void get_addresses(struct core *c, struct mp *m)
{
    uint32_t n = mp_get_array(m);

    for (uint32_t i = 0; i < n && !m->bad; i++) {
        struct desk_id id;
        char address[ADDR_TEXT_MAX];
        if (mp_get_array(m) != 2)
            m->bad = true;
        mp_get_raw(m, id.b, sizeof id.b);
        mp_get_str(m, address, sizeof address);
        if (!m->bad)
            core_hint(c, &id, address);
    }
}

static void on_hello(struct core *c, const struct moment *now, struct peer *p, const char *ip,
                     struct mp *m)
{
    uint8_t branch[BRANCH_ID_BYTES], ros[HASH_BYTES];
    struct mark theirs, ours;
    char address[ADDR_TEXT_MAX];
    uint64_t least = mp_get_u64(m), most = mp_get_u64(m), dec;
    bool first = !p->ever_heard || c->now_ms - p->heard_ms > PEER_QUIET_MS, lost, tell;

    mp_get_str(m, p->software, sizeof p->software);
    mp_get_raw(m, branch, sizeof branch);
    get_mark(m, &theirs);
    get_mark(m, &ours);
    lost = mp_get_bool(m);
    mp_get_raw(m, ros, sizeof ros);
    mp_get_raw(m, p->vector_hash, sizeof p->vector_hash);
    dec = mp_get_u64(m);
    mp_get_i64(m);
    mp_get_str(m, address, sizeof address);
    if (m->bad || least > WIRE_VERSION || most < WIRE_VERSION_MIN ||
        memcmp(branch, roster_branch(c->roster), BRANCH_ID_BYTES) != 0) {
        m->bad = true;
        return;
    }
    if (p->mark.number != theirs.number && p->n_have > 0) /* a new start: ask, do not assume */
        memcpy(p->sent, p->have, p->n_have * sizeof *p->sent);
    tell = take_mark(c, p, &theirs, lost);
    take_confirmation(c, p, &ours);
    keep_address(c, p, address, ip);
    get_addresses(c, m);
    if (!p->up && p->connects > 0 && c->now_ms - p->connect_ms > RECONNECT_MIN_MS)
        connect_peer(c, p);
    /* It says HELLO again while it lacks our confirmation: an answer may have been lost. */
    if (tell || first || c->now_ms - p->hello_ms >= HELLO_AGAIN_MS)
        send_hello(c, p, now->wall_ms);
    compare(c, p, ros, dec);
}

static bool in_peace(const struct core *c)
{
    return c->server_known && c->server_up;
}

static void send_beat(struct core *c, struct peer *p, int64_t wall_ms)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_BEAT, 7);
    mp_put_bin(&b, feeds_hash(&c->feeds), 16);
    mp_put_bin(&b, roster_hash(c->roster), HASH_BYTES);
    mp_put_u64(&b, ledger_decided(c->ledger));
    mp_put_i64(&b, wall_ms);
    mp_put_i64(&b, p->echo_wall_ms); /* 0: none heard */
    mp_put_u64(&b, p->echo_wall_ms ? c->now_ms - p->echo_boot_ms : 0);
    mp_put_u64(&b, in_peace(c) ? BEAT_PEACE_MS : BEAT_MS);
    send_peer(c, p, &b);
}

/* Round trip as in NTP: they say our clock back, and how long they held it. The quickest of the
 * recent ones is the best; it slowly loses its lead. */
static void take_clock(struct peer *p, const struct moment *now, int64_t their_wall,
                       int64_t echo, uint64_t held)
{
    int64_t rtt = now->wall_ms - echo - (int64_t)held;

    p->echo_wall_ms = their_wall;
    p->echo_boot_ms = now->boot_ms;
    if (echo == 0 || rtt < 0 || rtt > 60000)
        return;
    if (p->has_clock && (uint64_t)rtt > p->best_rtt_ms) {
        p->best_rtt_ms += 1 + p->best_rtt_ms / 8;
        return;
    }
    p->clock_ms = their_wall + rtt / 2 - now->wall_ms;
    p->best_rtt_ms = (uint64_t)rtt;
    p->has_clock = true;
}

static void on_beat(struct core *c, const struct moment *now, struct peer *p, struct mp *m)
{
    uint8_t ros[HASH_BYTES];
    int64_t wall, echo;
    uint64_t dec, held, every;

    mp_get_raw(m, p->vector_hash, sizeof p->vector_hash);
    mp_get_raw(m, ros, sizeof ros);
    dec = mp_get_u64(m);
    wall = mp_get_i64(m);
    echo = mp_get_i64(m);
    held = mp_get_u64(m);
    every = mp_get_u64(m);
    if (m->bad)
        return;
    p->beat_every_ms = every < BEAT_MS ? BEAT_MS : every > BEAT_SLOWEST_MS ? BEAT_SLOWEST_MS : every;
    take_clock(p, now, wall, echo, held);
    compare(c, p, ros, dec);
}

/* ---- the vector and what is missing ---- */

static void send_want(struct core *c, struct peer *p, const struct feed_id *id, uint64_t from,
                      uint64_t to)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_WANT, 3);
    mp_put_bin(&b, id, sizeof *id);
    mp_put_u64(&b, from);
    mp_put_u64(&b, to);
    send_peer(c, p, &b);
}

/* One request per feed under way, to somebody who has more; another is asked when it stalls. */
static void want_more(struct core *c, unsigned i)
{
    struct feed *f = &c->feeds.v[i];
    int best = -1;

    if (f->want_peer >= 0 && c->now_ms - f->want_since_ms < WANT_STALL_MS &&
        (f->seq < f->want_to || sync_have(&c->peers[f->want_peer], i) <= f->seq))
        return;
    for (unsigned k = 0; k < c->n_peers; k++) {
        const struct peer *p = &c->peers[k];
        if (sync_have(p, i) <= f->seq || !sync_is_online(c, p))
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

static void on_vector(struct core *c, struct peer *p, struct mp *m)
{
    uint32_t n = mp_get_array(m);
    bool theirs_is_older = false;

    if (m->bad || !room_for_feeds(c, p))
        return;
    for (uint32_t i = 0; i < n; i++) {
        struct feed_id id;
        uint8_t hash[8];
        uint64_t seq;
        int at;
        if (mp_get_array(m) != 3)
            m->bad = true;
        mp_get_raw(m, &id, sizeof id);
        seq = mp_get_u64(m);
        mp_get_raw(m, hash, sizeof hash);
        if (m->bad || seq > UINT64_MAX / 2)
            return;
        if ((at = feeds_index(&c->feeds, &id)) < 0) {
            if (roster_find(c->roster, &id.desk))
                send_want(c, p, &id, 1, WANT_RECORDS);
            continue;
        }
        if (seq == c->feeds.v[at].seq && memcmp(hash, c->feeds.v[at].hash, 8) != 0) {
            effects_event(&c->fx, "two histories of one feed: a desk was cloned or lies");
            continue; /* its copies of this feed are not ours */
        }
        learn_have(c, p, (unsigned)at, seq);
        p->sent[at] = seq; /* what else was pushed did not arrive */
        want_more(c, (unsigned)at);
        theirs_is_older |= seq < c->feeds.v[at].seq;
    }
    p->vector_ms = c->now_ms;
    if (theirs_is_older)
        send_vector(c, p);
}

static void send_block(struct core *c, const struct peer *p, const struct feed *f,
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
    send_peer(c, p, &msg);
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
    if (m->bad || from == 0 || (at = feeds_index(&c->feeds, &id)) < 0)
        return;
    if (to > from + WANT_RECORDS)
        to = from + WANT_RECORDS;
    while (from <= to && feeds_range(c->conf.disk, c->feeds.v[at].alias, from, to, &raw, &records,
                                     &b, NULL) == ERR_OK) {
        send_block(c, p, &c->feeds.v[at], &b);
        from = block_last(&b) + 1;
    }
    if (room_for_feeds(c, p) && p->sent[at] < from - 1)
        p->sent[at] = from - 1;
    buf_free(&raw);
    buf_free(&records);
}

static bool take_block(struct core *c, struct peer *p, struct feed *f, const struct block *b)
{
    const struct desk *author = roster_find(c->roster, &f->opening.id.desk);
    uint8_t h[HASH_BYTES];
    size_t known;
    struct errmsg msg = { .text = "" };

    memcpy(h, f->hash, sizeof h);
    if (!author || block_check(b, roster_branch(c->roster), author->sign_pk, f->seq, h, &known,
                               &msg) != ERR_OK) {
        effects_event(&c->fx, "refused a block: %s", msg.text);
        p->refused++;
        c->refused++;
        return false;
    }
    return feeds_append(&c->feeds, f, b, known, h, NULL) == ERR_OK;
}

/* A feed begins here only with its author's signature: the head over its first block covers h(0),
 * and that covers the opening. A forged one would shut the real feed out for ever. */
static struct feed *open_proven(struct core *c, struct peer *p, const struct opening *o,
                                const struct block *b)
{
    const struct desk *author = roster_find(c->roster, &o->id.desk);
    struct feed *f = NULL;
    uint8_t h[HASH_BYTES];
    size_t known;

    feed_h0(roster_branch(c->roster), o, h);
    if (!author || block_check(b, roster_branch(c->roster), author->sign_pk, 0, h, &known, NULL)) {
        p->refused++;
        c->refused++;
        return NULL;
    }
    return feeds_open(&c->feeds, o, &f, NULL) == ERR_OK ? f : NULL;
}

static void on_blocks(struct core *c, struct peer *p, struct mp *m)
{
    size_t opening_n = 0, block_n = 0;
    const uint8_t *opening = mp_get_bin(m, &opening_n);
    uint64_t head = mp_get_u64(m);
    const uint8_t *block = mp_get_bin(m, &block_n);
    struct opening o;
    struct block b;
    struct feed *f;
    unsigned i;

    if (m->bad || block_decode(block, block_n, &b, NULL) != ERR_OK || head > UINT64_MAX / 2) {
        m->bad = true;
        return;
    }
    if ((f = feeds_find(&c->feeds, &b.feed)) == NULL) {
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
    if (sync_have(p, i) < head)
        learn_have(c, p, i, head);
    if (block_last(&b) <= f->seq) {
        f->moved = true; /* a repetition: say again how far we are */
        return;
    }
    if (b.first <= f->seq + 1)
        take_block(c, p, f, &b);
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
        if (m->bad || (at = feeds_index(&c->feeds, &id)) < 0 || seq > UINT64_MAX / 2)
            continue;
        if (sync_have(p, (unsigned)at) < seq)
            learn_have(c, p, (unsigned)at, seq);
    }
}

/* ---- the roster ---- */

static void on_roster_have(struct core *c, struct peer *p, struct mp *m)
{
    uint32_t n = mp_get_array(m);
    const uint8_t *first = m->p;
    struct buf b = { 0 };
    unsigned lacking = 0;
    bool more_there = false;

    for (uint32_t i = 0; i < n; i++) {
        uint8_t h[HASH_BYTES];
        if (!mp_get_raw(m, h, sizeof h))
            return;
        more_there |= !roster_has_op(c->roster, h);
    }
    for (unsigned i = 0; i < roster_ops(c->roster); i++) {
        struct mp again = mp_over(first, (size_t)(m->p - first));
        bool theirs = false;
        uint8_t h[HASH_BYTES];
        size_t len;
        const uint8_t *op = roster_op(c->roster, i, &len);
        for (uint32_t k = 0; k < n && !theirs; k++)
            theirs = mp_get_raw(&again, h, sizeof h) &&
                     memcmp(h, roster_op_hash(c->roster, i), HASH_BYTES) == 0;
        if (theirs)
            continue;
        wire_begin(&b, WIRE_ROSTER_OPS, 1); /* one at a time: parents come before children */
        mp_put_bin(&b, op, len);
        send_peer(c, p, &b);
        lacking++;
    }
    if (more_there)
        send_roster_have(c, p);
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
    if (e != ERR_OK && e != ERR_MISSING) {
        p->refused++;
        c->refused++;
        effects_event(&c->fx, "refused a roster operation: %s", msg.text);
    }
}

void sync_send_roster(struct core *c)
{
    for (unsigned i = 0; i < c->n_peers; i++)
        if (is_active(c, &c->peers[i]))
            send_roster_have(c, &c->peers[i]); /* what comes within 300 ms, the next beat tells */
}

/* ---- pushing and acknowledging ---- */

void sync_push(struct core *c, struct feed *f, const struct block *b)
{
    unsigned i = f->alias - 1;

    for (unsigned k = 0; k < c->n_peers; k++) {
        struct peer *p = &c->peers[k];
        if (!p->up || !sync_is_online(c, p) || !room_for_feeds(c, p) ||
            p->sent[i] + 1 < b->first || block_last(b) > p->have[i] + PUSH_AHEAD)
            continue; /* it asks for what it misses when it sees our vector */
        send_block(c, p, f, b);
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
        send_peer(c, &c->peers[k], &b);
    }
    buf_free(&body);
}

/* ---- events ---- */

void sync_peer_up(struct core *c, const struct moment *now, struct peer *p)
{
    p->up = true;
    send_hello(c, p, now->wall_ms);
}

void sync_message(struct core *c, const struct moment *now, struct peer *p, const char *ip,
                  unsigned type, struct mp *m)
{
    switch (type) {
    case WIRE_HELLO:
        on_hello(c, now, p, ip, m);
        break;
    case WIRE_BEAT:
        on_beat(c, now, p, m);
        break;
    case WIRE_VECTOR:
        on_vector(c, p, m);
        break;
    case WIRE_WANT:
        on_want(c, p, m);
        break;
    case WIRE_BLOCKS:
        on_blocks(c, p, m);
        break;
    case WIRE_ACK:
        on_ack(c, p, m);
        break;
    case WIRE_ROSTER_HAVE:
        on_roster_have(c, p, m);
        break;
    case WIRE_ROSTER_OPS:
        on_roster_ops(c, now, p, m);
        break;
    case WIRE_BYE:
        p->ever_heard = false;
        break;
    } /* a type of a newer version is passed over */
    p->ever_heard = type != WIRE_BYE;
    p->heard_ms = now->boot_ms;
    p->connects = p->up ? 0 : p->connects;
}

static void tick_peer(struct core *c, const struct moment *now, struct peer *p, bool beat)
{
    uint64_t back_off = RECONNECT_MIN_MS << (p->connects < 4 ? p->connects : 4);
    bool silent = !p->ever_heard ||
                  c->now_ms - p->heard_ms > p->beat_every_ms + PEER_LATE_MS;

    if (!is_active(c, p))
        return;
    if (back_off > RECONNECT_MAX_MS)
        back_off = RECONNECT_MAX_MS;
    if ((silent || p->connect_ms == 0) &&
        (p->connect_ms == 0 || c->now_ms - p->connect_ms >= back_off))
        connect_peer(c, p);
    if (p->up && !p->confirms && c->now_ms - p->hello_ms >= HELLO_AGAIN_MS)
        send_hello(c, p, now->wall_ms);
    else if (p->up && beat)
        send_beat(c, p, now->wall_ms);
}

void sync_tick(struct core *c, const struct moment *now)
{
    bool beat = c->now_ms >= c->beat_ms;

    if (beat)
        c->beat_ms = c->now_ms + (in_peace(c) ? BEAT_PEACE_MS : BEAT_MS);
    for (unsigned i = 0; i < c->n_peers; i++)
        tick_peer(c, now, &c->peers[i], beat);
    if (c->now_ms < c->slow_ms)
        return;
    c->slow_ms = c->now_ms + RECONNECT_MIN_MS;
    for (unsigned i = 0; i < c->feeds.n; i++)
        want_more(c, i);
}
