/* core.c - the desk as a whole: opening, events, recording, questions. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_int.h"
#include "desk.h"

/* ---- opening ---- */

static const uint8_t mark_key[] = { 'S' };

static enum err next_mark(struct core *c, struct errmsg *msg)
{
    const struct disk *d = c->conf.disk;
    struct buf b = { 0 };
    struct mp m;
    enum err e = d->get(d->ctx, TABLE_META, mark_key, sizeof mark_key, &b);

    if (e != ERR_OK && e != ERR_MISSING)
        return err_set(msg, e, "the start mark cannot be read");
    if (e == ERR_OK) {
        m = mp_over(b.p, b.len);
        mp_get_array(&m);
        c->mark.number = mp_get_u64(&m);
    }
    c->mark.number++;
    c->conf.dice(c->conf.dice_ctx, c->mark.random, MARK_BYTES);
    buf_reset(&b);
    mp_put_array(&b, 2);
    mp_put_u64(&b, c->mark.number);
    mp_put_bin(&b, c->mark.random, MARK_BYTES);
    e = d->put(d->ctx, TABLE_META, mark_key, sizeof mark_key, b.p, b.len);
    buf_free(&b);
    return e == ERR_OK ? ERR_OK : err_set(msg, e, "the start mark cannot be written");
}

static enum err load_roster(struct core *c, struct errmsg *msg)
{
    const struct disk *d = c->conf.disk;
    struct buf b = { 0 };
    enum err e = ERR_OK;
    bool fresh;

    for (uint32_t i = 0; e == ERR_OK; i++) {
        uint8_t key[4];
        put_be32(key, i);
        if ((e = d->get(d->ctx, TABLE_ROSTER, key, sizeof key, &b)) == ERR_OK)
            e = roster_add(c->roster, b.p, b.len, &fresh, msg);
    }
    buf_free(&b);
    if (e == ERR_MISSING && roster_ops(c->roster) == 0)
        return err_set(msg, ERR_MISSING, "this desk belongs to no branch yet: run init or join");
    return e == ERR_MISSING ? ERR_OK : e;
}

/* ---- idempotency keys ---- */

#define KEYS_KEPT 32768 /* per generation: a day of a busy desk many times over */

static void key_learn(struct core *c, const uint8_t key[RECORD_KEY_BYTES],
                      const struct record_ref *ref)
{
    uint64_t *at;
    bool fresh;

    if (c->keys.n >= KEYS_KEPT) {
        hmap_free(&c->old_keys);
        c->old_keys = c->keys;
        memset(&c->keys, 0, sizeof c->keys);
    }
    if (c->n_key_refs == c->key_refs_room) {
        unsigned room = c->key_refs_room ? 2 * c->key_refs_room : 1024;
        struct record_ref *grown = realloc(c->key_refs, room * sizeof *grown);
        if (!grown)
            return;
        c->key_refs = grown;
        c->key_refs_room = room;
    }
    if ((at = hmap_at(&c->keys, key, &fresh)) != NULL) {
        *at = c->n_key_refs;
        c->key_refs[c->n_key_refs++] = *ref;
    }
}

static bool key_known(const struct core *c, const uint8_t key[RECORD_KEY_BYTES],
                      struct record_ref *ref)
{
    const uint64_t *at = hmap_find(&c->keys, key);

    if (!at)
        at = hmap_find(&c->old_keys, key);
    if (at)
        *ref = c->key_refs[*at];
    return at != NULL;
}

static bool key_is_set(const uint8_t key[RECORD_KEY_BYTES])
{
    static const uint8_t none[RECORD_KEY_BYTES];

    return memcmp(key, none, sizeof none) != 0;
}

/* The newest own feeds, so that a client may repeat a request across a crash of the node. */
static void load_keys(struct core *c)
{
    struct buf raw = { 0 };
    uint64_t read = 0;

    for (unsigned i = c->feeds.n; i-- > 0 && read < KEYS_KEPT;) {
        const struct feed *f = &c->feeds.v[i];
        struct record_ref ref = { f->opening.id, 0 };
        struct block b;
        if (!desk_id_eq(&f->opening.id.desk, &c->conf.me->id))
            continue;
        for (uint64_t seq = f->seq; seq > 0 && read < KEYS_KEPT; seq = b.first - 1) {
            struct block_walk w;
            const uint8_t *p;
            size_t n;
            if (feeds_block(c->conf.disk, f->alias, seq, &raw, &b, NULL) != ERR_OK)
                break;
            w = block_walk(&b);
            while ((p = block_next(&w, &n)) != NULL) {
                struct record rec;
                ref.seq = w.seq;
                if (record_decode(p, n, &rec, NULL) == ERR_OK && key_is_set(rec.key))
                    key_learn(c, rec.key, &ref);
                read++;
            }
        }
    }
    buf_free(&raw);
}

/* ---- what the ledger asks ---- */

static enum err range_ok(const struct core *c, const struct slot_range *r, bool adopted,
                         struct errmsg *msg)
{
    const struct feed *f = feeds_find(&c->feeds, &r->feed);

    if (!f || f->seq < r->to)
        return err_set(msg, ERR_REFUSED, "this desk does not hold all records yet");
    if (r->from != feeds_cut(&c->feeds, &r->feed) + 1)
        return err_set(msg, ERR_REFUSED, "a range that does not continue the last slot");
    if (f->unknown_from > 0 && r->to >= f->unknown_from)
        return err_set(msg, ERR_REFUSED, "a record of a kind that this version does not know: "
                                         "update tideover on this desk");
    if (!adopted && r->to > roster_trusted_to(c->roster, &r->feed))
        return err_set(msg, ERR_REFUSED, "records of a revoked desk");
    return ERR_OK;
}

static enum err ask_holds(void *ctx, const struct intent *in, bool adopted, struct errmsg *msg)
{
    const struct core *c = ctx;
    uint64_t records = 0;

    for (unsigned i = 0; i < in->n_ranges; i++) {
        enum err e = range_ok(c, &in->ranges[i], adopted, msg);
        if (e != ERR_OK)
            return e;
        records += in->ranges[i].to - in->ranges[i].from + 1;
    }
    if (records != in->records || records == 0)
        return err_set(msg, ERR_REFUSED, "an intent that miscounts its records");
    return ERR_OK;
}

static enum err ask_cut(void *ctx, struct intent *in, struct errmsg *msg)
{
    const struct core *c = ctx;
    const struct policy *p = roster_policy(c->roster);

    if (!p)
        return err_set(msg, ERR_CONFIG, "this version cannot read the branch's policy: "
                                        "update tideover on this desk");
    if (strcmp(p->sink, "none") == 0 || p->sink[0] == '\0')
        return err_set(msg, ERR_CONFIG, "the policy names no place to upload to: set [upload] sink "
                                        "and publish it with: tideover policy publish FILE");
    in->rules = p->rules;
    snprintf(in->sink, sizeof in->sink, "%s", p->sink);
    if ((in->ranges = calloc(c->feeds.n ? c->feeds.n : 1, sizeof *in->ranges)) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    for (unsigned i = 0; i < c->feeds.n && in->n_ranges < SLOT_RANGES_MAX; i++) {
        const struct feed *f = &c->feeds.v[c->feeds.by_id[i]];
        struct slot_range *r = &in->ranges[in->n_ranges];
        uint64_t trusted = roster_trusted_to(c->roster, &f->opening.id);
        r->feed = f->opening.id;
        r->from = feeds_cut(&c->feeds, &r->feed) + 1;
        r->to = f->seq < trusted ? f->seq : trusted;
        if (f->unknown_from > 0 && r->to >= f->unknown_from)
            r->to = f->unknown_from - 1;
        if (r->to < r->from)
            continue;
        in->records += r->to - r->from + 1;
        in->n_ranges++;
    }
    return ERR_OK;
}

static bool ask_gathered(void *ctx)
{
    return sync_gathered(ctx);
}

static void ask_decided(void *ctx, const struct intent *in)
{
    struct core *c = ctx;

    for (unsigned i = 0; i < in->n_ranges; i++)
        feeds_set_cut(&c->feeds, &in->ranges[i].feed, in->ranges[i].to);
    c->slot_records += in->records;
}

static void ask_dice(void *ctx, void *out, size_t n)
{
    struct core *c = ctx;

    c->conf.dice(c->conf.dice_ctx, out, n);
}

static struct ledger_moment ledger_now(const struct moment *now)
{
    return (struct ledger_moment){ now->boot_ms, now->wall_ms };
}

enum err core_open(const struct core_config *conf, const struct moment *now, struct core **out,
                   struct errmsg *msg)
{
    struct core *c = calloc(1, sizeof *c);
    struct ledger_moment lnow = ledger_now(now);
    enum err e;

    if (!c || (c->roster = roster_new()) == NULL) {
        free(c);
        return err_set(msg, ERR_NOMEM, "out of memory");
    }
    c->conf = *conf;
    c->own = -1;
    c->now_ms = now->boot_ms;
    c->server_since_ms = now->boot_ms;
    c->ask = (struct ledger_ask){ c, ask_holds, ask_cut, ask_gathered, ask_decided, ask_dice };
    if ((e = load_roster(c, msg)) != ERR_OK ||
        (e = feeds_load(&c->feeds, conf->disk, roster_branch(c->roster), msg)) != ERR_OK ||
        (e = ledger_open(conf->me, c->roster, conf->disk, &c->fx, &c->ask, &lnow, &c->ledger,
                         msg)) != ERR_OK ||
        (e = next_mark(c, msg)) != ERR_OK || (e = sync_peers(c)) != ERR_OK) {
        core_close(c);
        return e;
    }
    load_keys(c);
    *out = c;
    return ERR_OK;
}

void core_close(struct core *c)
{
    if (!c)
        return;
    ledger_close(c->ledger);
    feeds_free(&c->feeds);
    roster_free(c->roster);
    for (unsigned i = 0; i < c->n_peers; i++) {
        free(c->peers[i].have);
        free(c->peers[i].sent);
    }
    free(c->peers);
    buf_free(&c->wait);
    hmap_free(&c->keys);
    hmap_free(&c->old_keys);
    free(c->key_refs);
    effects_free(&c->fx);
    free(c);
}

struct effects *core_effects(struct core *c)
{
    return &c->fx;
}

/* ---- events ---- */

void core_tick(struct core *c, const struct moment *now)
{
    struct ledger_moment lnow = ledger_now(now);

    c->now_ms = now->boot_ms;
    ledger_may_vote(c->ledger, sync_mark_confirmed(c));
    sync_tick(c, now);
    ledger_tick(c->ledger, &lnow);
}

void core_message(struct core *c, const struct moment *now, const struct desk_id *from,
                  const char *ip, const uint8_t *p, size_t n)
{
    struct ledger_moment lnow = ledger_now(now);
    const struct desk *d = roster_find(c->roster, from);
    struct peer *peer = sync_peer(c, from);
    struct mp m = mp_over(p, n);
    unsigned type = n <= WIRE_BYTES_MAX ? wire_open(&m) : 0;
    bool self = desk_id_eq(from, &c->conf.me->id);

    c->now_ms = now->boot_ms;
    /* A revoked desk's connection is not cut by its revocation: look at every message. */
    if (!d || d->state == DESK_REVOKED || (!peer && !self) || type == 0) {
        c->refused++;
        if (peer)
            peer->refused++;
        return;
    }
    if (wire_is_ledger(type)) {
        if (self || !peer->memory_lost)
            ledger_message(c->ledger, &lnow, from, type, &m);
        if (peer) {
            peer->ever_heard = true;
            peer->heard_ms = now->boot_ms;
        }
    } else if (peer) {
        sync_message(c, now, peer, ip, type, &m);
        ledger_may_vote(c->ledger, sync_mark_confirmed(c));
    }
    if (m.bad) {
        c->refused++;
        if (peer)
            peer->refused++;
    }
}

void core_peer_up(struct core *c, const struct moment *now, const struct desk_id *id)
{
    struct peer *p = sync_peer(c, id);

    c->now_ms = now->boot_ms;
    if (p)
        sync_peer_up(c, now, p);
}

void core_peer_down(struct core *c, const struct desk_id *id)
{
    struct peer *p = sync_peer(c, id);

    if (p)
        p->up = false;
}

void core_server(struct core *c, bool known, bool up)
{
    if (c->server_known == known && c->server_up == up)
        return;
    c->server_known = known;
    c->server_up = up;
    c->server_since_ms = c->now_ms;
    effects_event(&c->fx, "server %s", !known ? "not watched" : up ? "reachable" : "unreachable");
}

enum err core_roster_add(struct core *c, const struct moment *now, const uint8_t *op, size_t n,
                         struct errmsg *msg)
{
    const struct disk *d = c->conf.disk;
    uint8_t key[4];
    bool fresh;
    enum err e = roster_add(c->roster, op, n, &fresh, msg);

    c->now_ms = now->boot_ms;
    if (e != ERR_OK || !fresh)
        return e;
    put_be32(key, roster_ops(c->roster) - 1);
    if ((e = d->put(d->ctx, TABLE_ROSTER, key, sizeof key, op, n)) != ERR_OK)
        return err_set(msg, e, "the roster cannot be written");
    if ((e = sync_peers(c)) != ERR_OK)
        return err_set(msg, e, "out of memory");
    sync_send_roster(c);
    return ERR_OK;
}

enum err core_trigger(struct core *c, const struct moment *now, const uint8_t *p, size_t n,
                      struct errmsg *msg)
{
    struct ledger_moment lnow = ledger_now(now);

    return ledger_trigger(c->ledger, &lnow, p, n, msg);
}

void core_built(struct core *c, const struct moment *now, uint64_t number,
                const struct slot_part *parts, unsigned n_parts, const char *failure)
{
    struct ledger_moment lnow = ledger_now(now);

    ledger_built(c->ledger, &lnow, number, parts, n_parts, failure);
}

void core_delivered(struct core *c, const struct moment *now, uint64_t number, enum delivery how,
                    const char *words)
{
    struct ledger_moment lnow = ledger_now(now);

    ledger_delivered(c->ledger, &lnow, number, how, words);
}

/* ---- recording ---- */

static enum err open_own_feed(struct core *c, const struct moment *now, struct errmsg *msg)
{
    struct opening o = { .id.desk = c->conf.me->id, .at_ms = now->wall_ms };
    struct feed *f;
    enum err e;

    c->conf.dice(c->conf.dice_ctx, o.id.name, FEED_NAME_BYTES);
    for (unsigned i = 0; i < c->feeds.n; i++) {
        const struct feed *mine = &c->feeds.v[i];
        if (!desk_id_eq(&mine->opening.id.desk, &c->conf.me->id) ||
            mine->opening.number < o.number)
            continue;
        o.number = mine->opening.number;
        o.prev = mine->opening.id;
        o.prev_seq = mine->seq;
        memcpy(o.prev_hash, mine->hash, HASH_BYTES);
    }
    o.number++;
    if ((e = feeds_open(&c->feeds, &o, &f, msg)) != ERR_OK)
        return e;
    c->own = (int)f->alias - 1;
    c->clock = (struct feed_clock){ now->wall_ms, now->boot_ms };
    memcpy(c->wait_hash, f->hash, HASH_BYTES);
    return ERR_OK;
}

/* Rule: the same desk, not twice, and not once it is on its way to the server (R2). */
static enum err check_void(struct core *c, const struct record *r, struct errmsg *msg)
{
    const struct feed *f = feeds_find(&c->feeds, &r->target.feed);
    struct record_ref voider;
    struct record target;
    struct buf raw = { 0 };
    char id[RECORD_ID_TEXT];
    enum err e;

    if (!f || feeds_record(c->conf.disk, f->alias, r->target.seq, &raw, &target, msg) != ERR_OK) {
        buf_free(&raw);
        return err_why(msg, ERR_MISSING, "no_such_record", "id", "there is no such record here");
    }
    buf_free(&raw);
    core_id_text(c, &r->target, id);
    if (!desk_id_eq(&r->target.feed.desk, &c->conf.me->id))
        return err_why(msg, ERR_REFUSED, "other_desk", "id",
                       "%s was recorded at another desk: void it there", id);
    if (target.kind == RECORD_VOID)
        return err_why(msg, ERR_REFUSED, "is_void", "id",
                       "%s is itself a void: record the transaction anew instead", id);
    e = feeds_void_of(c->conf.disk, &r->target, &voider);
    if (e == ERR_OK)
        return err_why(msg, ERR_REFUSED, "voided_before", "id", "%s is voided already", id);
    if (r->target.seq <= feeds_cut(&c->feeds, &r->target.feed) ||
        ledger_covers(c->ledger, &r->target.feed, r->target.seq))
        return err_why(msg, ERR_REFUSED, "uploaded_before", "id",
                       "%s is uploaded already: undo it in the library's system", id);
    return e == ERR_MISSING ? ERR_OK : err_set(msg, e, "the void cannot be checked");
}

static enum err own_clock(struct core *c, const struct moment *now, int64_t *at_ms,
                          struct errmsg *msg)
{
    enum err e;

    if (c->own >= 0 && feed_clock_now(&c->clock, now->boot_ms, now->wall_ms, at_ms))
        return ERR_OK;
    if ((e = core_seal(c, msg)) != ERR_OK || (e = open_own_feed(c, now, msg)) != ERR_OK)
        return e;
    *at_ms = now->wall_ms;
    return ERR_OK;
}

enum err core_record(struct core *c, const struct moment *now, struct record *r,
                     struct record_ref *out, bool *again, struct errmsg *msg)
{
    const struct policy *p = roster_policy(c->roster);
    const struct desk *me = roster_find(c->roster, &c->conf.me->id);
    struct buf bytes = { 0 };
    struct feed *f;
    enum err e;

    *again = key_is_set(r->key) && key_known(c, r->key, out);
    if (*again)
        return ERR_OK;
    if (!me || me->state != DESK_ACTIVE)
        return err_why(msg, ERR_DENIED, "revoked", "", "this desk was taken out of the branch");
    if (!p)
        return err_why(msg, ERR_CONFIG, "policy", "",
                       "this version cannot read the branch's policy: update tideover");
    if ((e = own_clock(c, now, &r->at_ms, msg)) != ERR_OK)
        return e;
    r->utc_off_min = now->utc_off_min;
    if ((e = desk_check(p, r, r->at_ms, msg)) != ERR_OK)
        return e;
    if (r->kind == RECORD_VOID &&
        ((e = core_seal(c, msg)) != ERR_OK || (e = check_void(c, r, msg)) != ERR_OK))
        return e; /* sealed first, so that the record just made can be found */
    if ((e = record_encode(r, &bytes, msg)) == ERR_OK &&
        (c->n_wait == BLOCK_RECORDS_MAX || c->wait.len + bytes.len + 8 > BLOCK_BYTES_MAX))
        e = core_seal(c, msg);
    if (e == ERR_OK) {
        f = &c->feeds.v[c->own];
        mp_put_bin(&c->wait, bytes.p, bytes.len);
        feed_next_hash(c->wait_hash, bytes.p, bytes.len);
        c->n_wait++;
        out->feed = f->opening.id;
        out->seq = f->seq + c->n_wait;
        if (key_is_set(r->key))
            key_learn(c, r->key, out);
        if (c->wait.failed)
            e = err_set(msg, ERR_NOMEM, "out of memory");
    }
    buf_free(&bytes);
    return e;
}

enum err core_seal(struct core *c, struct errmsg *msg)
{
    enum err e = ERR_OK;

    if (c->n_wait > 0) {
        struct feed *f = &c->feeds.v[c->own];
        struct block b = { .feed = f->opening.id, .first = f->seq + 1, .count = c->n_wait,
                           .records = c->wait.p, .len = c->wait.len };
        memcpy(b.hash, c->wait_hash, HASH_BYTES);
        head_sign(roster_branch(c->roster), &b.feed, block_last(&b), b.hash, c->conf.me->sign_sk,
                  b.sig);
        if ((e = feeds_append(&c->feeds, f, &b, 0, b.hash, msg)) == ERR_OK)
            sync_push(c, f, &b);
        c->n_wait = 0;
        buf_reset(&c->wait);
    }
    sync_acknowledge(c);
    return e;
}

/* ---- questions ---- */

const struct roster *core_roster(const struct core *c)
{
    return c->roster;
}

const struct feeds *core_feeds(const struct core *c)
{
    return &c->feeds;
}

const struct ledger *core_ledger(const struct core *c)
{
    return c->ledger;
}

const struct ident *core_me(const struct core *c)
{
    return c->conf.me;
}

void core_ledger_view(const struct core *c, const struct moment *now, struct ledger_view *out)
{
    struct ledger_moment lnow = ledger_now(now);

    ledger_view(c->ledger, &lnow, out);
}

int core_admits(const struct core *c, const uint8_t curve_pk[KEY_BYTES], struct desk_id *who)
{
    const struct desk *d = roster_find_curve(c->roster, curve_pk);

    if (!d)
        return 300;
    *who = d->id;
    return d->state == DESK_REVOKED ? 400 : 200;
}

const char *peer_state_name(enum peer_state s)
{
    switch (s) {
    case PEER_ONLINE:
        return "online";
    case PEER_QUIET:
        return "quiet";
    case PEER_UNREACHABLE:
        return "unreachable";
    case PEER_REVOKED:
        return "revoked";
    }
    return "";
}

unsigned core_peers(const struct core *c)
{
    return c->n_peers;
}

void core_peer_view(const struct core *c, const struct moment *now, unsigned i,
                    struct peer_view *out)
{
    const struct peer *p = &c->peers[i];
    const struct desk *d = roster_find(c->roster, &p->id);

    memset(out, 0, sizeof *out);
    out->id = p->id;
    out->ever_heard = p->ever_heard;
    out->silent_ms = p->ever_heard ? now->boot_ms - p->heard_ms : 0;
    out->state = d && d->state == DESK_REVOKED           ? PEER_REVOKED
                 : !p->ever_heard                        ? PEER_UNREACHABLE
                 : out->silent_ms < PEER_QUIET_MS        ? PEER_ONLINE
                 : out->silent_ms < PEER_AWAY_MS         ? PEER_QUIET
                                                         : PEER_UNREACHABLE;
    out->inbound_only = out->state == PEER_ONLINE && !p->up;
    out->memory_lost = p->memory_lost;
    out->has_clock = p->has_clock;
    out->clock_ms = p->clock_ms;
    out->missing = sync_missing(c, p);
    for (unsigned k = 0; k < c->feeds.n; k++)
        if (sync_have(p, k) < c->feeds.v[k].seq)
            out->behind += c->feeds.v[k].seq - sync_have(p, k);
    snprintf(out->address, sizeof out->address, "%s", p->address);
    snprintf(out->software, sizeof out->software, "%s", p->software);
    out->refused = p->refused;
}

static uint64_t elsewhere(const struct core *c, unsigned feed)
{
    uint64_t best = 0;

    for (unsigned i = 0; i < c->n_peers; i++)
        if (!c->peers[i].memory_lost && sync_have(&c->peers[i], feed) > best)
            best = sync_have(&c->peers[i], feed);
    return best;
}

void core_view(const struct core *c, const struct moment *now, struct core_view *out)
{
    const struct desk *me = roster_find(c->roster, &c->conf.me->id);

    (void)now;
    memset(out, 0, sizeof *out);
    out->start = c->mark.number;
    out->held = c->feeds.records;
    for (unsigned i = 0; i < c->feeds.n; i++) {
        const struct feed *f = &c->feeds.v[i];
        uint64_t best = elsewhere(c, i);
        out->known += best > f->seq ? best : f->seq;
        if (desk_id_eq(&f->opening.id.desk, &c->conf.me->id)) {
            out->local += f->seq;
            out->replicated += best < f->seq ? best : f->seq;
        }
        if (f->seq > feeds_cut(&c->feeds, &f->opening.id))
            out->pending += f->seq - feeds_cut(&c->feeds, &f->opening.id);
    }
    out->memory_lost = c->memory_lost;
    out->revoked = !me || me->state != DESK_ACTIVE;
    out->contested = roster_contested(c->roster);
    out->mark_confirmed = sync_mark_confirmed(c);
    out->server_known = c->server_known;
    out->server_up = c->server_up;
    out->server_since_ms = c->server_since_ms;
    out->refused = c->refused;
}

unsigned core_copies(const struct core *c, const struct record_ref *ref)
{
    int at = feeds_index(&c->feeds, &ref->feed);
    unsigned n = 0;

    if (at < 0)
        return 0;
    n = c->feeds.v[at].seq >= ref->seq && !c->memory_lost;
    for (unsigned i = 0; i < c->n_peers; i++)
        n += !c->peers[i].memory_lost && sync_have(&c->peers[i], (unsigned)at) >= ref->seq;
    return n;
}

void core_id_text(const struct core *c, const struct record_ref *ref, char out[RECORD_ID_TEXT])
{
    const struct feed *f = feeds_find(&c->feeds, &ref->feed);

    if (f)
        feeds_id_text(f, c->roster, ref->seq, out);
    else
        snprintf(out, RECORD_ID_TEXT, "?");
}

enum err core_id_parse(const struct core *c, const char *text, struct record_ref *out,
                       struct errmsg *msg)
{
    return feeds_id_parse(&c->feeds, c->roster, text, out, msg);
}

static void fill_feed(const struct core *c, const struct feed *f, struct merge_feed *out)
{
    const struct desk *d = roster_find(c->roster, &f->opening.id.desk);

    out->feed = f->opening.id;
    out->alias = f->alias;
    out->number = f->opening.number;
    out->suffix = f->suffix;
    snprintf(out->desk, sizeof out->desk, "%s", d ? d->name : "?");
}

static struct merge_feed *job_feed(struct merge_job *j, const struct feed_id *id)
{
    unsigned lo = 0, hi = j->n_feeds;

    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;
        int cmp = feed_id_cmp(&j->feeds[mid].feed, id);
        if (cmp == 0)
            return &j->feeds[mid];
        if (cmp < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

/* What went before slot `slot` of each feed, told by the receipts: a report of an old slot must see
 * the branch as that slot saw it. */
static enum err cuts_before(const struct core *c, uint64_t slot, struct merge_job *j,
                            struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e = ERR_OK;

    for (uint64_t s = 1; s < slot && e == ERR_OK; s++) {
        struct receipt r;
        struct intent in;
        if ((e = ledger_receipt(c->ledger, s, &b)) != ERR_OK ||
            (e = receipt_decode(b.p, b.len, &r, msg)) != ERR_OK ||
            (e = intent_decode(r.intent, r.intent_len, &in, msg)) != ERR_OK)
            break;
        for (unsigned i = 0; i < in.n_ranges; i++) {
            struct merge_feed *f = job_feed(j, &in.ranges[i].feed);
            if (f)
                f->from = in.ranges[i].to + 1;
        }
        intent_free(&in);
    }
    buf_free(&b);
    return e;
}

static enum err fill_ranges(const struct core *c, const struct intent *in, struct merge_job *j,
                            struct errmsg *msg)
{
    uint64_t slot = in ? in->slot : ledger_decided(c->ledger) + 1;
    enum err e = cuts_before(c, slot, j, msg);

    for (unsigned i = 0; i < j->n_feeds; i++) {
        struct merge_feed *f = &j->feeds[i];
        uint64_t trusted = roster_trusted_to(c->roster, &f->feed);
        uint64_t held = feeds_find(&c->feeds, &f->feed)->seq;
        f->to = in ? f->from - 1 : held < trusted ? held : trusted;
    }
    for (unsigned i = 0; e == ERR_OK && in && i < in->n_ranges; i++) {
        struct merge_feed *f = job_feed(j, &in->ranges[i].feed);
        if (!f || in->ranges[i].from != f->from ||
            feeds_find(&c->feeds, &f->feed)->seq < in->ranges[i].to)
            return err_set(msg, ERR_BUSY, "not every record of slot %llu is here yet",
                           (unsigned long long)slot);
        f->to = in->ranges[i].to;
        f->correction_ms = in->ranges[i].correction_ms;
    }
    for (unsigned i = 0; i < j->n_feeds; i++)
        if (j->feeds[i].to >= j->feeds[i].from)
            j->records += j->feeds[i].to - j->feeds[i].from + 1;
    return e;
}

enum err core_merge_job(const struct core *c, const struct intent *in, struct merge_job *out,
                        struct errmsg *msg)
{
    const struct policy *p = in ? roster_policy_by_hash(c->roster, in->policy)
                                : roster_policy(c->roster);
    enum err e;

    memset(out, 0, sizeof *out);
    if (!p)
        return err_set(msg, ERR_CONFIG, "this version cannot read the branch's policy");
    if ((out->feeds = calloc(c->feeds.n ? c->feeds.n : 1, sizeof *out->feeds)) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    out->policy = *p;
    memcpy(out->branch, roster_branch(c->roster), sizeof out->branch);
    snprintf(out->code, sizeof out->code, "%s", roster_code(c->roster));
    out->slot = in ? in->slot : ledger_decided(c->ledger) + 1;
    out->epoch = in ? in->epoch.number : 0;
    for (unsigned i = 0; i < c->feeds.n; i++) {
        fill_feed(c, &c->feeds.v[c->feeds.by_id[i]], &out->feeds[i]);
        out->feeds[i].from = 1;
    }
    out->n_feeds = c->feeds.n;
    if ((e = fill_ranges(c, in, out, msg)) != ERR_OK)
        merge_job_free(out);
    return e;
}

void core_draft_trigger(const struct core *c, const struct moment *now, struct trigger *out)
{
    struct ledger_view v;
    struct ledger_moment lnow = ledger_now(now);

    ledger_view(c->ledger, &lnow, &v);
    memset(out, 0, sizeof *out);
    out->epoch = v.epoch;
    out->slot = v.slot;
    out->made_ms = now->wall_ms;
    out->desk = c->conf.me->id;
}

enum err core_trusted_now(const struct core *c, const struct desk_id *desk, struct trusted **v,
                          unsigned *n, uint64_t *records)
{
    *n = 0;
    *records = 0;
    if ((*v = calloc(c->feeds.n ? c->feeds.n : 1, sizeof **v)) == NULL)
        return ERR_NOMEM;
    for (unsigned i = 0; i < c->feeds.n; i++) {
        const struct feed *f = &c->feeds.v[i];
        if (!desk_id_eq(&f->opening.id.desk, desk) || f->seq == 0)
            continue;
        memcpy((*v)[*n].feed, f->opening.id.name, FEED_NAME_BYTES);
        (*v)[(*n)++].seq = f->seq;
        *records += f->seq;
    }
    return ERR_OK;
}
