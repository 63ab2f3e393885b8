/* core.c - the desk as a whole: opening, events, recording, questions. */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core_int.h"
#include "desk.h"
#include "mem.h"
#include "pack.h"

/* ---- opening ---- */

static const uint8_t mark_key[] = { 'S' };

/* Once the others confirmed a start it is numbered so far on, and they hear of it, that a wiped
 * disk, which counts by ones while it is alone, does not catch up with what they remember. */
#define MARK_LEAP 1000

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
    buf_free(&b);
    e = core_new_mark(c);
    return e == ERR_OK ? ERR_OK : err_set(msg, e, "the start mark cannot be written");
}

enum err core_new_mark(struct core *c)
{
    const struct disk *d = c->conf.disk;
    struct buf b = { 0 };
    enum err e;

    c->mark.number++;
    c->conf.dice(c->conf.dice_ctx, c->mark.random, MARK_BYTES);
    mp_put_array(&b, 2);
    mp_put_u64(&b, c->mark.number);
    mp_put_bin(&b, c->mark.random, MARK_BYTES);
    e = d->put(d->ctx, TABLE_META, mark_key, sizeof mark_key, b.p, b.len);
    buf_free(&b);
    return e;
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

/* ---- what the ledger asks ---- */

static enum err range_ok(const struct core *c, const struct slot_range *r, bool adopted,
                         struct errmsg *msg)
{
    const struct feed *f = feeds_find(&c->feeds, &r->feed);

    if (!f || f->seq < r->to)
        return err_set(msg, ERR_REFUSED, "this desk does not hold all records yet");
    if (!feeds_holds(&c->feeds, &r->feed, r->to, r->hash))
        return err_set(msg, ERR_REFUSED, "this desk holds another history of a feed");
    if (r->from != feeds_cut(&c->feeds, &r->feed) + 1)
        return err_set(msg, ERR_REFUSED, "a range that does not continue the last slot");
    if (f->unknown_from > 0 && r->to >= f->unknown_from)
        return err_set(msg, ERR_REFUSED,
                       "a record of a kind that this version does not know: "
                       "update tideover on this desk");
    if (!adopted && r->to > roster_trusted_to(c->roster, &r->feed))
        return err_set(msg, ERR_REFUSED, "records of a revoked desk");
    return ERR_OK;
}

/* The payload looks back at earlier slots (voids, registrations), so they must be here too. */
static bool holds_what_went_before(struct core *c)
{
    return !c->short_of_memory && feeds_hold_cuts(&c->feeds);
}

static enum err ask_holds(void *ctx, const struct intent *in, bool adopted, struct errmsg *msg)
{
    struct core *c = ctx;
    uint64_t records = 0;

    if (adopted) /* agreed on before: its history is the branch's, as far as it goes */
        forks_pin(c, in);
    if (!holds_what_went_before(c))
        return err_set(msg, ERR_REFUSED,
                       "this desk does not hold all records of earlier uploads yet");
    if (!past_can_read(c))
        return err_set(msg, ERR_REFUSED, "this desk has erased what the branch still reads");
    if (in->back_to != c->past.back_to)
        return err_set(msg, ERR_REFUSED,
                       "an upload that looks back to another slot than the branch "
                       "agreed on");
    for (unsigned i = 0; i < in->n_ranges; i++) {
        enum err e = range_ok(c, &in->ranges[i], adopted, msg);
        if (e == ERR_OK && !adopted && in->type == SLOT_UPLOAD)
            e = clocks_ok(c, &in->ranges[i], msg);
        if (e != ERR_OK)
            return e;
        records += in->ranges[i].to - in->ranges[i].from + 1;
    }
    if (records + in->n_released != in->records || in->records == 0)
        return err_set(msg, ERR_REFUSED, "an intent that miscounts its records");
    if (in->type == SLOT_UPLOAD) {
        enum err e = release_ok(c, in, adopted, msg);
        if (e == ERR_OK)
            e = ruling_ok(c, in, adopted, msg);
        if (e != ERR_OK)
            return e;
    }
    forks_pin(c, in);
    return ERR_OK;
}

static enum err ask_cut(void *ctx, struct intent *in, struct errmsg *msg)
{
    struct core *c = ctx;
    enum err e;
    const struct policy *p = roster_policy(c->roster);

    if (!holds_what_went_before(c))
        return err_set(msg, ERR_BUSY,
                       "this desk does not hold all records of earlier uploads yet: "
                       "try again in a moment");
    if (!past_can_read(c))
        return err_set(msg, ERR_BUSY, "this desk has erased what the branch still reads");
    if (!p)
        return err_set(msg, ERR_CONFIG,
                       "this version cannot read the branch's policy: "
                       "update tideover on this desk");
    if (strcmp(p->sink, "none") == 0 || p->sink[0] == '\0')
        return err_set(msg, ERR_CONFIG,
                       "the policy names no place to upload to: set [upload] sink "
                       "and publish it with: tideover policy publish FILE");
    in->rules = p->rules;
    in->back_to = c->past.back_to;
    snprintf(in->sink, sizeof in->sink, "%s", p->sink);
    if ((in->ranges = mem_zero(c->feeds.n ? c->feeds.n : 1, sizeof *in->ranges)) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    for (unsigned i = 0; i < c->feeds.n && in->n_ranges < SLOT_RANGES_MAX; i++) {
        const struct feed *f = &c->feeds.v[c->feeds.by_id[i]];
        struct slot_range *r = &in->ranges[in->n_ranges];
        uint64_t trusted = roster_trusted_to(c->roster, &f->opening.id);
        uint8_t h[HASH_BYTES];
        r->feed = f->opening.id;
        r->from = feeds_cut(&c->feeds, &r->feed) + 1;
        r->to = forks_counts_to(c, f);
        if (r->to > trusted)
            r->to = trusted;
        if (f->unknown_from > 0 && r->to >= f->unknown_from)
            r->to = f->unknown_from - 1;
        if (r->to < r->from)
            continue;
        if (feeds_hash_at(&c->feeds, f, r->to, h) != ERR_OK)
            return err_set(msg, ERR_DISK, "a block cannot be read");
        memcpy(r->hash, h, sizeof r->hash);
        clocks_propose(c, f, r);
        in->records += r->to - r->from + 1;
        in->n_ranges++;
    }
    clocks_settle(c, in);
    e = ruling_list(c, in, &in->rulings, &in->n_rulings, msg);
    return e == ERR_OK ? release_fill(c, in, msg) : e;
}

static bool ask_gathered(void *ctx)
{
    return sync_gathered(ctx) && !release_waits(ctx) && !ruling_waits(ctx) && !clocks_wait(ctx);
}

static uint64_t ask_wants_horizon(void *ctx)
{
    return past_wants_horizon(ctx);
}

static enum err ask_horizon_ok(void *ctx, const struct intent *in, struct errmsg *msg)
{
    return past_horizon_ok(ctx, in, msg);
}

static void ask_decided(void *ctx, const struct receipt *rc, const struct intent *in)
{
    struct core *c = ctx;

    for (unsigned i = 0; i < in->n_ranges; i++) {
        const struct slot_range *r = &in->ranges[i];
        c->short_of_memory |= !feeds_set_cut(&c->feeds, &r->feed, r->to, r->hash);
        if (in->type == SLOT_UPLOAD)
            feeds_set_clock(&c->feeds, r);
    }
    c->short_of_memory |= !past_decided(c, rc, in);
    restored_decided(c, rc, in);
    if (!c->replaying)
        forks_pin(c, NULL);
}

static void ask_dice(void *ctx, void *out, size_t n)
{
    struct core *c = ctx;

    c->conf.dice(c->conf.dice_ctx, out, n);
}

enum err core_open(const struct core_config *conf, const struct moment *now, struct core **out,
                   struct errmsg *msg)
{
    struct core *c = mem_zero(1, sizeof *c);
    struct ledger_moment lnow = ledger_now(now);
    enum err e;

    if (!c || (c->roster = roster_new()) == NULL) {
        free(c);
        return err_set(msg, ERR_NOMEM, "out of memory");
    }
    c->conf = *conf;
    c->own = -1;
    c->now_ms = c->opened_ms = now->boot_ms;
    c->wall_ms = now->wall_ms;
    c->watch.since_ms = now->boot_ms;
    c->ask = (struct ledger_ask){ c,
                                  ask_holds,
                                  ask_cut,
                                  ask_gathered,
                                  ask_decided,
                                  ask_dice,
                                  override_replay,
                                  override_found,
                                  override_reached,
                                  ask_wants_horizon,
                                  ask_horizon_ok,
                                  restored_wanted,
                                  restored_ok,
                                  core_ask_paused,
                                  override_held_to };
    if ((e = load_roster(c, msg)) != ERR_OK ||
        (e = feeds_load(&c->feeds, conf->disk, roster_branch(c->roster), c->roster, msg)) !=
            ERR_OK ||
        (e = said_load(&c->said, conf->disk, c->roster, msg)) != ERR_OK ||
        (e = sync_peers(c)) != ERR_OK ||
        (e = ledger_open(conf->me, c->roster, conf->disk, &c->fx, &c->ask, &lnow, &c->ledger,
                         msg)) != ERR_OK ||
        (e = forks_load(c, msg)) != ERR_OK || (e = past_load(c, msg)) != ERR_OK ||
        (e = clocks_load(&c->clocks, conf->disk, msg)) != ERR_OK ||
        (e = next_mark(c, msg)) != ERR_OK) {
        core_close(c);
        return e;
    }
    c->said.ledger = c->ledger;
    c->memory_lost = sync_memory_was_lost(conf->disk);
    sightings_load(&c->sightings, conf->disk);
    record_load_keys(c);
    erase_load(c);
    lately_load(c);
    blocklist_load(c);
    *out = c;
    return ERR_OK;
}

void core_close(struct core *c)
{
    if (!c)
        return;
    ledger_close(c->ledger);
    feeds_free(&c->feeds);
    said_free(&c->said);
    past_free(&c->past);
    roster_free(c->roster);
    for (unsigned i = 0; i < c->n_peers; i++) {
        free(c->peers[i].have);
        free(c->peers[i].sent);
        free(c->peers[i].clocks);
    }
    free(c->peers);
    buf_free(&c->wait);
    buf_wipe(&c->lead_key);
    hmap_free(&c->keys);
    hmap_free(&c->old_keys);
    clocks_free(&c->clocks);
    lately_free(&c->lately);
    blocked_free(&c->blocked);
    free(c->key_refs);
    effects_free(&c->fx);
    free(c);
}

const struct sightings *core_sightings(const struct core *c)
{
    return &c->sightings;
}

struct effects *core_effects(struct core *c)
{
    return &c->fx;
}

/* ---- events ---- */

static void leap(struct core *c)
{
    struct mark was = c->mark;

    if (c->n_peers == 0)
        return;
    c->mark.number += MARK_LEAP - 1;
    if (core_new_mark(c) != ERR_OK) {
        c->mark = was; /* no harm: it stays as near as it is */
        return;
    }
    for (unsigned i = 0; i < c->n_peers; i++)
        c->peers[i].confirms = false; /* until they say that they know: HELLO again */
}

/* A start is confirmed once; that a confirming desk is lost or revoked later takes nothing back,
 * for this desk's own memory has been whole since. */
static void weigh_vote(struct core *c)
{
    restored_tick(c);
    if (!c->confirmed && sync_mark_confirmed(c)) {
        c->confirmed = true;
        leap(c);
    }
    ledger_may_vote(c->ledger, c->confirmed && !c->memory_lost);
    ledger_has_forgotten(c->ledger, c->memory_lost);
}

void core_tick(struct core *c, const struct moment *now)
{
    struct ledger_moment lnow = ledger_now(now);

    c->now_ms = now->boot_ms;
    c->wall_ms = now->wall_ms;
    weigh_vote(c);
    sync_tick(c, now);
    leadkey_tick(c);
    past_tick(c);
    erase_tick(c);
    ledger_tick(c->ledger, &lnow);
    pace_set(c);
}

/* A question before an election speaks of a term that nobody has entered yet. */
static void hear_term(struct peer *p, unsigned type, struct mp m)
{
    uint8_t hash[HASH_BYTES];
    uint64_t term;

    if (type == WIRE_PREVOTE || type == WIRE_RECEIPT || type == WIRE_SLOTS_WANT ||
        type == WIRE_TRIGGER || type == WIRE_OVERRIDE || type == WIRE_EVIDENCE ||
        type == WIRE_DECISION || type == WIRE_ANSWERS_ASK || type == WIRE_ANSWERS)
        return;
    mp_get_u64(&m);
    mp_get_raw(&m, hash, sizeof hash);
    term = mp_get_u64(&m);
    if (!m.bad && term > p->term_heard)
        p->term_heard = term;
}

/* A desk that lost its memory has no say in the ledger, but must learn what was decided, and what
 * others signed is true from its mouth too. */
static bool is_proven(unsigned type)
{
    return type == WIRE_SLOTS_WANT || type == WIRE_RECEIPT || type == WIRE_TRIGGER ||
           type == WIRE_OVERRIDE || type == WIRE_EVIDENCE || type == WIRE_DECISION ||
           type == WIRE_ANSWERS_ASK || type == WIRE_ANSWERS;
}

/* Small questions have large answers, which wait for the commit: past this a desk's next messages
 * of the batch are lost, as any may be on its way. One that catches up asks for less at a time. */
static bool answers_fit(const struct core *c, const struct desk_id *to)
{
    return c->fx.bytes < ANSWER_BYTES_MAX || effects_waiting(&c->fx, to) < ANSWER_BYTES_MAX;
}

static void open_packed(struct core *c, const struct moment *now, const struct desk_id *from,
                        const char *ip, struct mp *m)
{
    struct buf whole = { 0 };

    if (message_unpack(m, &whole))
        core_message(c, now, from, ip, whole.p, whole.len);
    buf_free(&whole);
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
    if (peer && !answers_fit(c, from))
        return;
    c->wall_ms = now->wall_ms;
    /* A revoked desk's connection is not cut by its revocation: look at every message. */
    if (!d || d->state == DESK_REVOKED || (!peer && !self) || type == 0) {
        if (peer)
            peer_refuse(c, peer, type == 0 ? "no message of ours" : "it is revoked");
        else
            c->refused++;
        if (d && d->state == DESK_REVOKED)
            core_knocked(c, now, from);
        return;
    }
    if (type == WIRE_PACKED) {
        open_packed(c, now, from, ip, &m);
    } else if (wire_is_ledger(type)) {
        if (peer)
            hear_term(peer, type, m);
        if (self || !peer->memory_lost || is_proven(type))
            ledger_message(c->ledger, &lnow, from, type, &m);
        if (peer) {
            peer->ever_heard = true;
            peer->heard_ms = now->boot_ms;
        }
    } else if (peer) {
        sync_message(c, now, peer, ip, type, &m);
        weigh_vote(c);
    }
    if (m.bad && peer)
        peer_refuse(c, peer, "a message that does not parse");
    else if (m.bad)
        c->refused++;
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

void core_server(struct core *c, const struct moment *now, const struct watch_check *check)
{
    const struct policy *p = roster_policy(c->roster);

    c->now_ms = now->boot_ms;
    if (!check || !p) {
        if (c->watch.seen != WATCH_UNKNOWN)
            effects_event(&c->fx, "server not watched");
        c->watch = (struct watch){ .since_ms = now->boot_ms };
    } else if (watch_take(&c->watch, p->offline_after, p->back_after, check, now->boot_ms)) {
        effects_event(&c->fx, "server %s%s%s", watch_state_name(c->watch.seen),
                      c->watch.why[0] ? ": " : "", c->watch.why);
        c->beat_ms = 0; /* the others hear it at once */
        sightings_note(&c->sightings, c->conf.disk, now->wall_ms, &c->conf.me->id, c->watch.seen);
    }
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
    forks_settle(c); /* a lead may have admitted a history */
    sync_send_roster(c);
    return ERR_OK;
}

enum err core_trigger(struct core *c, const struct moment *now, const uint8_t *p, size_t n,
                      struct errmsg *msg)
{
    struct ledger_moment lnow = ledger_now(now);

    return ledger_trigger(c->ledger, &lnow, p, n, msg);
}

enum err core_decide(struct core *c, const struct moment *now, const uint8_t *p, size_t n,
                     struct errmsg *msg)
{
    struct ledger_moment lnow = ledger_now(now);

    return ledger_decide(c->ledger, &lnow, p, n, msg);
}

void core_built(struct core *c, const struct moment *now, uint64_t number,
                const struct slot_part *parts, unsigned n_parts, const struct slot_aside *aside,
                const char *failure)
{
    struct ledger_moment lnow = ledger_now(now);

    ledger_built(c->ledger, &lnow, number, parts, n_parts, aside, failure);
}

void core_delivered(struct core *c, const struct moment *now, uint64_t number, enum delivery how,
                    const char *words, const struct told *told)
{
    struct ledger_moment lnow = ledger_now(now);

    ledger_delivered(c->ledger, &lnow, number, how, words, told);
}

void core_login_changed(struct core *c, const struct moment *now)
{
    struct ledger_moment lnow = ledger_now(now);

    ledger_login_changed(c->ledger, &lnow);
}
