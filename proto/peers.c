/* peers.c - the other desks: where they are, what they say they hold. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#include "core_int.h"

#define HELLO_AGAIN_MS     1000
#define RECONNECT_HEARD_MS 100 /* it has just reached us, so we can reach it */
#define RECONNECT_MIN_MS   500
#define RECONNECT_EACH_MS  25 /* for each peer not reached: a handshake costs both a millisecond */
#define RECONNECT_MAX_MS   5000
#define RECONNECT_EAGER    60 /* for half a minute: a short partition heals within a second */

/* Counted each time. Said once a while, by name: a desk that lies must not fill our log. */
void peer_refuse(struct core *c, struct peer *p, const char *why)
{
    const struct desk *d = roster_find(c->roster, &p->id);

    p->refused++;
    c->refused++;
    if (p->refused_said_ms != 0 && c->now_ms - p->refused_said_ms < REFUSED_SAY_MS)
        return;
    p->refused_said_ms = c->now_ms;
    effects_event(&c->fx, "refused what %s sent, number %llu: %s", d ? d->name : "a desk",
                  (unsigned long long)p->refused, why);
}

void peer_send(struct core *c, const struct peer *p, struct buf *b)
{
    effects_add(&c->fx, EFFECT_SEND, &p->id, 0, b);
}

/* As in the roster: asked for with every message. */
static unsigned cell_of(const struct core *c, const struct desk_id *id)
{
    unsigned n = 2 * ROSTER_DESKS_MAX, at = (id->b[0] | (unsigned)id->b[1] << 8) % n;

    while (c->peer_by_id[at] > 0 && !desk_id_eq(&c->peers[c->peer_by_id[at] - 1].id, id))
        at = (at + 1) % n;
    return at;
}

struct peer *sync_peer(const struct core *c, const struct desk_id *id)
{
    unsigned at = c->peer_by_id[cell_of(c, id)];

    return at > 0 ? &c->peers[at - 1] : NULL;
}

void peer_meta_key(char what, const struct desk_id *id, uint8_t out[1 + DESK_ID_BYTES])
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

    peer_meta_key('M', &p->id, key);
    if (d->get(d->ctx, TABLE_META, key, sizeof key, &b) == ERR_OK) {
        m = mp_over(b.p, b.len);
        mp_get_array(&m);
        p->mark.number = mp_get_u64(&m);
        p->has_mark = mp_get_raw(&m, p->mark.random, MARK_BYTES);
    }
    peer_meta_key('A', &p->id, key);
    if (d->get(d->ctx, TABLE_META, key, sizeof key, &b) == ERR_OK && b.len <= ADDR_TEXT_MAX)
        memcpy(p->address, b.p, b.len);
    buf_free(&b);
}

void peer_connect(struct core *c, struct peer *p)
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
    if (!c->peers && (c->peers = mem_zero(ROSTER_DESKS_MAX, sizeof *c->peers)) == NULL)
        return ERR_NOMEM;
    for (unsigned i = 0; i < roster_desks(c->roster); i++) {
        const struct desk *d = roster_desk(c->roster, i);
        struct peer *p = sync_peer(c, &d->id);
        if (desk_id_eq(&d->id, &c->conf.me->id))
            continue;
        if (p) {
            if (d->state == DESK_REVOKED && p->farewell_ms == 0)
                farewell_begin(c, p);
            continue;
        }
        c->peer_by_id[cell_of(c, &d->id)] = (uint16_t)(c->n_peers + 1);
        p = &c->peers[c->n_peers++];
        memset(p, 0, sizeof *p);
        p->id = d->id;
        p->beat_every_ms = BEAT_MS;
        load_peer(c, p);
        pace_hurry(c); /* to be looked for */
    }
    return ERR_OK;
}

bool peer_is_active(const struct core *c, const struct peer *p)
{
    const struct desk *d = roster_find(c->roster, &p->id);

    return d && d->state == DESK_ACTIVE;
}

bool sync_is_online(const struct core *c, const struct peer *p)
{
    return p->ever_heard && c->now_ms - p->heard_ms < PEER_QUIET_MS && peer_is_active(c, p);
}

/* A retired desk hands over what it has yet. */
bool peer_gives(const struct core *c, const struct peer *p)
{
    const struct desk *d = roster_find(c->roster, &p->id);

    return p->ever_heard && c->now_ms - p->heard_ms < PEER_QUIET_MS && d &&
           d->state != DESK_REVOKED;
}

bool peer_room(struct core *c, struct peer *p)
{
    unsigned n = c->feeds.n;
    uint64_t *have, *sent;

    if (n <= p->n_have)
        return true;
    n = n < 64 ? 64 : 2 * n;
    if ((have = mem_more(p->have, n * sizeof *have)) == NULL)
        return false;
    p->have = have;
    if ((sent = mem_more(p->sent, n * sizeof *sent)) == NULL)
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

void peer_learn_have(struct core *c, struct peer *p, unsigned feed, uint64_t seq)
{
    if (!peer_room(c, p))
        return;
    p->have[feed] = seq;
    if (c->feeds.v[feed].elsewhere < seq)
        c->feeds.v[feed].elsewhere = seq;
    if (p->sent[feed] < seq)
        p->sent[feed] = seq;
}

/* Equal hashes: it holds just what we hold. */
static void learn_vector_hash(struct core *c, struct peer *p)
{
    if (memcmp(p->vector_hash, feeds_hash(&c->feeds), sizeof p->vector_hash) != 0)
        return;
    for (unsigned i = 0; i < c->feeds.n; i++)
        peer_learn_have(c, p, i, c->feeds.v[i].seq);
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
    struct ledger_moment now = { c->now_ms, 0 };
    struct ledger_view v;

    ledger_view(c->ledger, &now, &v);
    for (unsigned i = 0; i < c->n_peers; i++) {
        const struct peer *p = &c->peers[i];
        if (!sync_is_online(c, p))
            continue;
        if (c->now_ms - p->vector_ms > 2 * PEER_QUIET_MS || sync_missing(c, p) > 0)
            return false;
        if (!epoch_eq(&p->standing.epoch, &v.epoch))
            return false; /* it may know what was sent, and is about to tell */
    }
    return true;
}

static void put_addresses(const struct core *c, struct buf *b)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n_peers; i++)
        n += c->peers[i].address[0] != '\0' && peer_is_active(c, &c->peers[i]);
    mp_put_array(b, n);
    for (unsigned i = 0; i < c->n_peers; i++) {
        if (c->peers[i].address[0] == '\0' || !peer_is_active(c, &c->peers[i]))
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

    wire_begin(&b, WIRE_HELLO, 16 + STANDING_FIELDS);
    mp_put_u64(&b, WIRE_VERSION_MIN);
    mp_put_u64(&b, WIRE_VERSION);
    mp_put_str(&b, c->conf.software);
    mp_put_bin(&b, roster_branch(c->roster), BRANCH_ID_BYTES);
    put_mark(&b, &c->mark);
    put_mark(&b, p->has_mark ? &p->mark : &none);
    mp_put_u64(&b, p->term_heard);
    mp_put_bool(&b, c->memory_lost);
    mp_put_bin(&b, roster_hash(c->roster), HASH_BYTES);
    mp_put_bin(&b, feeds_hash(&c->feeds), 16);
    mp_put_u64(&b, ledger_decided(c->ledger));
    mp_put_i64(&b, wall_ms);
    mp_put_str(&b, c->conf.address);
    put_addresses(c, &b);
    ledger_put_standing(c->ledger, &b);
    peer_send(c, p, &b);
    p->hello_ms = c->now_ms;
}

/* What HELLO and BEAT both say: does anything of ours differ from theirs? */
static void compare(struct core *c, struct peer *p, const uint8_t their_roster[HASH_BYTES],
                    uint64_t their_dec)
{
    struct buf b = { 0 };

    if (memcmp(their_roster, roster_hash(c->roster), HASH_BYTES) != 0)
        sync_send_roster_have(c, p);
    if (memcmp(p->vector_hash, feeds_hash(&c->feeds), sizeof p->vector_hash) != 0)
        sync_send_vector(c, p);
    else
        learn_vector_hash(c, p);
    if (ledger_compare(c->ledger, &p->id, &p->standing, &p->evidence_at) &&
        their_dec > ledger_decided(c->ledger)) {
        wire_begin(&b, WIRE_SLOTS_WANT, 1);
        mp_put_u64(&b, ledger_decided(c->ledger) + 1);
        peer_send(c, p, &b);
    }
}

static void keep_address(struct core *c, struct peer *p, const char *claimed, const char *ip)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[1 + DESK_ID_BYTES];
    char full[ADDR_TEXT_MAX];
    bool is_new, first;

    /* A desk bound to every interface does not know which of its addresses we can reach; the
     * one its message came from is right unless there is a translator between. */
    if (claimed[0] == ':' && ip[0] != '\0')
        snprintf(full, sizeof full, strchr(ip, ':') ? "[%.40s]%.20s" : "%.40s%.20s", ip, claimed);
    else
        snprintf(full, sizeof full, "%.63s", claimed);
    is_new = strcmp(full, p->address) != 0;
    first = !p->proven; /* a hint may have said the same, and hints are not stored */
    p->proven = true;
    if (full[0] == ':' || (!is_new && !first))
        return;
    memcpy(p->address, full, sizeof full);
    peer_meta_key('A', &p->id, key);
    d->put(d->ctx, TABLE_META, key, sizeof key, full, strlen(full) + 1);
    if (is_new)
        peer_connect(c, p);
}

void core_hint(struct core *c, const struct desk_id *id, const char *address)
{
    struct peer *p = sync_peer(c, id);

    if (!p || peer_is_revoked(c, p) || address[0] == '\0' || strlen(address) >= ADDR_TEXT_MAX ||
        p->up || (p->proven && p->address[0] != '\0'))
        return;
    if (strcmp(p->address, address) == 0)
        return;
    snprintf(p->address, sizeof p->address, "%s", address);
    peer_connect(c, p);
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

/* An attempt that is made anew too soon is one lost: forty desks that start at once on one PC would
 * keep it busy with nothing else. */
static uint64_t retry_after(const struct core *c, uint64_t least)
{
    uint64_t ms = RECONNECT_EACH_MS * c->n_unreached;

    return ms < least ? least : ms < RECONNECT_MAX_MS ? ms : RECONNECT_MAX_MS;
}

void peer_on_hello(struct core *c, const struct moment *now, struct peer *p, const char *ip,
                   struct mp *m)
{
    uint8_t branch[BRANCH_ID_BYTES], ros[HASH_BYTES];
    struct mark theirs, ours;
    char address[ADDR_TEXT_MAX];
    uint64_t least = mp_get_u64(m), most = mp_get_u64(m), dec, term_heard;
    bool first = !p->ever_heard || c->now_ms - p->heard_ms > PEER_QUIET_MS, lost, tell;

    mp_get_str(m, p->software, sizeof p->software);
    mp_get_raw(m, branch, sizeof branch);
    get_mark(m, &theirs);
    get_mark(m, &ours);
    term_heard = mp_get_u64(m);
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
    tell = mark_take(c, p, &theirs, lost);
    restored_hear(c, &ours, term_heard);
    p->greeted = true;
    mark_confirm(c, p, &ours);
    if (term_heard > ledger_term(c->ledger))
        peer_says_lost(c, p); /* every term was on our disk before we spoke of it */
    keep_address(c, p, address, ip);
    get_addresses(c, m);
    if (!ledger_get_standing(m, &p->standing))
        return;
    if (!p->up && p->connects > 0 && c->now_ms - p->connect_ms > retry_after(c, RECONNECT_HEARD_MS))
        peer_connect(c, p);
    /* It says HELLO again while it lacks our confirmation: an answer may have been lost. */
    if (tell || first || c->now_ms - p->hello_ms >= HELLO_AGAIN_MS)
        send_hello(c, p, now->wall_ms);
    compare(c, p, ros, dec);
}

bool peer_in_peace(const struct core *c)
{
    return watch_answers(&c->watch);
}

static void send_beat(struct core *c, struct peer *p, int64_t wall_ms)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_BEAT, 11 + CLOCK_BEAT_FIELDS + STANDING_FIELDS + BLOCKLIST_VERSION_FIELDS);
    mp_put_bin(&b, feeds_hash(&c->feeds), 16);
    mp_put_bin(&b, roster_hash(c->roster), HASH_BYTES);
    mp_put_u64(&b, ledger_decided(c->ledger));
    mp_put_i64(&b, wall_ms);
    mp_put_i64(&b, p->echo_wall_ms); /* 0: none heard */
    mp_put_u64(&b, p->echo_wall_ms ? c->now_ms - p->echo_boot_ms : 0);
    mp_put_u64(&b, peer_in_peace(c) ? BEAT_PEACE_MS : BEAT_MS);
    mp_put_bin(&b, c->said.hash, WORD_ID_BYTES);
    mp_put_u64(&b, c->past.agrees);
    mp_put_bin(&b, c->past.release.hash, sizeof c->past.release.hash);
    mp_put_u64(&b, c->watch.seen);
    clocks_put_beat(c, &b);
    ledger_put_standing(c->ledger, &b);
    blocklist_put_version(c, &b);
    peer_send(c, p, &b);
}

void peer_on_beat(struct core *c, const struct moment *now, struct peer *p, struct mp *m)
{
    uint8_t ros[HASH_BYTES], words[WORD_ID_BYTES], released[sizeof p->released];
    struct beat_clock clock;
    uint64_t dec, every, agrees, sees;

    mp_get_raw(m, p->vector_hash, sizeof p->vector_hash);
    mp_get_raw(m, ros, sizeof ros);
    dec = mp_get_u64(m);
    clock.wall_ms = mp_get_i64(m);
    clock.echo_ms = mp_get_i64(m);
    clock.held_ms = mp_get_u64(m);
    every = mp_get_u64(m);
    mp_get_raw(m, words, sizeof words);
    agrees = mp_get_u64(m);
    mp_get_raw(m, released, sizeof released);
    sees = mp_get_u64(m);
    if (!clocks_get_beat(m, &clock) || !ledger_get_standing(m, &p->standing))
        return;
    p->beat_every_ms = every < BEAT_MS           ? BEAT_MS
                       : every > BEAT_SLOWEST_MS ? BEAT_SLOWEST_MS
                                                 : every;
    if (p->standing.votes) /* a late HELLO said otherwise; who is lost says so every second */
        p->memory_lost = false;
    clocks_on_beat(c, p, now, &clock);
    compare(c, p, ros, dec);
    p->agrees = agrees;
    memcpy(p->words, words, sizeof words);
    memcpy(p->released, released, sizeof released);
    p->sees = sees <= WATCH_OFFLINE ? (enum watch_state)sees : WATCH_UNKNOWN;
    sightings_note(&c->sightings, c->conf.disk, now->wall_ms, &p->id, p->sees);
    said_compare(c, p, words);
    blocklist_hear_version(c, p, m);
}

void sync_peer_up(struct core *c, const struct moment *now, struct peer *p)
{
    p->up = true;
    p->up_ms = now->boot_ms;
    if (peer_is_revoked(c, p)) {
        farewell_peer_up(c, p);
        return;
    }
    p->vector_sent_ms = p->roster_sent_ms = 0; /* what was sent before went nowhere */
    p->condition_told = false;
    send_hello(c, p, now->wall_ms);
}

/* When its connection is made anew, unless it is heard before. */
static uint64_t connect_at(const struct core *c, const struct peer *p)
{
    uint64_t patience = p->beat_every_ms + PEER_LATE_MS, silent, tried;

    if (p->address[0] == '\0')
        return UINT64_MAX; /* who learns it connects at once */
    if (p->connect_ms == 0)
        return 0;
    silent = p->ever_heard ? p->heard_ms + patience + 1 : 0;
    if (p->up) /* it has taken ours, and is about to make its own */
        tried = p->up_ms + patience + 1;
    else
        tried = p->connect_ms + (p->connects < RECONNECT_EAGER ? retry_after(c, RECONNECT_MIN_MS)
                                                               : RECONNECT_MAX_MS);
    return silent > tried ? silent : tried;
}

/* A retired desk is answered while it is on, and not looked for. */
static bool is_let_be(const struct core *c, const struct peer *p)
{
    return farewell_is_ours(c) || (!peer_is_active(c, p) && !peer_gives(c, p));
}

void peers_count_unreached(struct core *c)
{
    c->n_unreached = 0;
    for (unsigned i = 0; i < c->n_peers; i++)
        c->n_unreached += !c->peers[i].up && peer_is_active(c, &c->peers[i]);
}

void peer_tick(struct core *c, const struct moment *now, struct peer *p, bool beat)
{
    if (peer_is_revoked(c, p))
        farewell_tick(c, p);
    if (is_let_be(c, p))
        return;
    if (c->now_ms >= connect_at(c, p))
        peer_connect(c, p);
    if (p->up && !p->confirms && c->now_ms - p->hello_ms >= HELLO_AGAIN_MS)
        send_hello(c, p, now->wall_ms);
    if (p->up && beat) /* also then: where nobody confirms, both fall due at the same moments */
        send_beat(c, p, now->wall_ms);
    condition_tick(c, p);
}

uint64_t peer_wake_ms(const struct core *c, const struct peer *p)
{
    uint64_t at = is_let_be(c, p) ? UINT64_MAX : connect_at(c, p);

    if (at < UINT64_MAX && p->up && !p->confirms && p->hello_ms + HELLO_AGAIN_MS < at)
        at = p->hello_ms + HELLO_AGAIN_MS;
    return at;
}
