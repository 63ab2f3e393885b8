/* recording.c - this desk's own feed: what the staff do becomes records, once each. */
#include <stdlib.h>
#include <string.h>

#include "core_int.h"
#include "desk.h"
#include "mem.h"

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
    if (!c->key_refs && (c->key_refs = mem_zero(2 * KEYS_KEPT, sizeof *c->key_refs)) == NULL)
        return;
    if ((at = hmap_at(&c->keys, key, &fresh)) != NULL) {
        *at = c->n_key_refs++ % (2 * KEYS_KEPT); /* two generations: no living place is reused */
        c->key_refs[*at] = *ref;
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
void record_load_keys(struct core *c)
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

/* ---- recording ---- */

static enum err open_own_feed(struct core *c, const struct moment *now, struct errmsg *msg)
{
    struct opening o = { .id.desk = c->conf.me->id, .at_ms = now->wall_ms };
    struct feed *f;
    enum err e;

    c->conf.dice(c->conf.dice_ctx, o.id.name, FEED_NAME_BYTES);
    for (unsigned i = 0; i < c->feeds.n; i++) {
        const struct feed *mine = &c->feeds.v[i];
        if (!desk_id_eq(&mine->opening.id.desk, &c->conf.me->id) || mine->opening.number < o.number)
            continue;
        o.number = mine->opening.number;
        o.prev = mine->opening.id;
        o.prev_seq = mine->seq;
        memcpy(o.prev_hash, mine->hash, HASH_BYTES);
    }
    o.number++;
    opening_sign(roster_branch(c->roster), &o, c->conf.me->sign_sk);
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
        return err_why(
            msg, ERR_REFUSED, "other_desk", "id",
            "%s was recorded at another desk: void it there, or a lead does it here with "
            "tideover conflicts void %s",
            id, id);
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

/* What was made of a request that is repeated: its answer promises the same due date again. */
static void recall(struct core *c, const struct record_ref *ref, struct record *r)
{
    const struct feed *f = feeds_find(&c->feeds, &ref->feed);
    struct buf raw = { 0 };
    struct record made;

    r->due = 0;                                                 /* it is erased */
    if (f && ref->seq > f->seq && core_seal(c, NULL) != ERR_OK) /* it waits for its block still */
        return;
    if (f && feeds_record(c->conf.disk, f->alias, ref->seq, &raw, &made, NULL) == ERR_OK)
        r->due = made.due;
    buf_wipe(&raw);
}

static enum err may_record(const struct record *r, const struct desk *me, const struct policy *p,
                           struct errmsg *msg)
{
    if (!me || me->state == DESK_REVOKED)
        return err_why(msg, ERR_DENIED, "revoked", "",
                       "this desk was revoked: it is no longer part of the branch");
    if (me->state == DESK_RETIRED)
        return err_why(msg, ERR_DENIED, "retired", "", "this desk was retired: use another one");
    if (!p)
        return err_why(msg, ERR_CONFIG, "policy", "",
                       "this version cannot read the branch's policy: update tideover");
    if (desk_is_practice(p, r))
        return err_why(msg, ERR_REFUSED, "practice_number", r->item[0] ? "item" : "user",
                       "that is a number for practice: it is never recorded");
    return ERR_OK;
}

static enum err check(struct core *c, const struct moment *now, const struct record *r,
                      const struct desk *me, const struct policy *p, struct errmsg *msg)
{
    enum err e;

    if ((e = desk_check(p, r, r->at_ms, msg)) != ERR_OK ||
        (e = desk_check_place(p, me->joined, r, msg)) != ERR_OK ||
        (e = blocklist_allows(c, r, now->wall_ms, msg)) != ERR_OK || r->kind != RECORD_VOID)
        return e;
    if ((e = core_seal(c, msg)) != ERR_OK) /* so that the record just made can be found */
        return e;
    return check_void(c, r, msg);
}

/* Behind those that wait for their block. */
static enum err append(struct core *c, const struct record *r, struct record_ref *out,
                       struct errmsg *msg)
{
    struct buf bytes = { 0 };
    const struct feed *f;
    size_t before;
    enum err e = record_encode(r, &bytes, msg);

    if (e == ERR_OK &&
        (c->n_wait == BLOCK_RECORDS_MAX || c->wait.len + bytes.len + 8 > BLOCK_BYTES_MAX))
        e = core_seal(c, msg);
    if (e != ERR_OK)
        goto out;
    before = c->wait.len;
    mp_put_bin(&c->wait, bytes.p, bytes.len);
    if (c->wait.failed) { /* as if it had never been there */
        c->wait.len = before;
        c->wait.failed = false;
        e = err_set(msg, ERR_NOMEM, "out of memory");
        goto out;
    }
    feed_next_hash(c->wait_hash, bytes.p, bytes.len);
    c->n_wait++;
    f = &c->feeds.v[c->own];
    *out = (struct record_ref){ f->opening.id, f->seq + c->n_wait };
out:
    buf_free(&bytes);
    return e;
}

enum err core_record_telling(struct core *c, const struct moment *now, struct record *r,
                             enum ask ask, struct told_note *note, struct record_ref *out,
                             bool *again, struct errmsg *msg)
{
    const struct policy *p = roster_policy(c->roster);
    const struct desk *me = roster_find(c->roster, &c->conf.me->id);
    enum err e;

    if (note)
        memset(note, 0, sizeof *note);
    *again = key_is_set(r->key) && key_known(c, r->key, out);
    if (*again) {
        recall(c, out, r);
        return ERR_OK;
    }
    if ((e = may_record(r, me, p, msg)) != ERR_OK ||
        (e = own_clock(c, now, &r->at_ms, msg)) != ERR_OK)
        return e;
    r->utc_off_min = now->utc_off_min;
    desk_settle_due(p, r, r->at_ms);
    if ((e = check(c, now, r, me, p, msg)) != ERR_OK)
        return e;
    if (note && (e = lately_tell(c, r, ask, note, msg)) != ERR_OK)
        return e;
    if ((e = append(c, r, out, msg)) != ERR_OK)
        return e;
    lately_learn(&c->lately, out, r, clocks_correction(c, &out->feed));
    if (key_is_set(r->key))
        key_learn(c, r->key, out);
    return ERR_OK;
}

enum err core_record(struct core *c, const struct moment *now, struct record *r,
                     struct record_ref *out, bool *again, struct errmsg *msg)
{
    return core_record_telling(c, now, r, ASK_NOT, NULL, out, again, msg);
}

enum err core_seal(struct core *c, struct errmsg *msg)
{
    enum err e = ERR_OK;

    if (c->n_wait > 0) {
        struct feed *f = &c->feeds.v[c->own];
        struct block b = { .feed = f->opening.id,
                           .first = f->seq + 1,
                           .count = c->n_wait,
                           .records = c->wait.p,
                           .len = c->wait.len };
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
