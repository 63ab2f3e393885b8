/* bundle.c - the messages of the wire in a file. What goes in is what a desk that has nothing would
 * be sent, made by the same functions; what comes out goes the way of every message. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "bundle.h"
#include "core_int.h"
#include "ledger_int.h"
#include "mem.h"
#include "slot.h"

#define PART_FULL    (192u << 10) /* a few blocks: small enough for one answer of the local API */
#define KEY_BOX      (crypto_secretbox_KEYBYTES + crypto_secretbox_MACBYTES)
#define MESSAGES_MAX 65536

static const char domain[] = "tideover bundle v1";

/* Each proves itself by what stands before it: evidence by the receipts below it, words by what was decided. */
enum stage {
    STAGE_ROSTER,
    STAGE_FEEDS,
    STAGE_OVERRIDES,
    STAGE_RECEIPTS,
    STAGE_EVIDENCE,
    STAGE_WORDS,
    STAGE_END
};

void bundle_at_text(const struct bundle_at *at, char out[64])
{
    snprintf(out, 64, "%u.%llu.%llu.%u", at->stage, (unsigned long long)at->index,
             (unsigned long long)at->seq, at->parts);
}

bool bundle_at_parse(const char *text, struct bundle_at *at)
{
    unsigned long long index, seq;
    char rest;

    *at = (struct bundle_at){ 0 };
    if (*text == '\0')
        return true;
    if (strlen(text) > 60 ||
        sscanf(text, "%u.%llu.%llu.%u%c", &at->stage, &index, &seq, &at->parts, &rest) != 4)
        return false;
    at->index = index;
    at->seq = seq;
    return at->stage < STAGE_END;
}

/* ---- writing ---- */

static void next_stage(struct bundle_at *at)
{
    *at = (struct bundle_at){ .stage = at->stage + 1, .parts = at->parts };
}

static void give_op(struct core *c, const struct peer *nobody, struct bundle_at *at)
{
    struct buf b = { 0 };
    size_t n;
    const uint8_t *op;

    if (at->index >= roster_ops(c->roster)) {
        next_stage(at);
        return;
    }
    op = roster_op(c->roster, (unsigned)at->index++, &n);
    wire_begin(&b, WIRE_ROSTER_OPS, 1);
    mp_put_bin(&b, op, n);
    peer_send(c, nobody, &b);
}

/* Of a feed: its proof of a fork, its floor, then block by block. */
static void give_feed(struct core *c, const struct peer *nobody, struct bundle_at *at)
{
    struct buf raw = { 0 }, records = { 0 };
    const struct feed *f;
    struct block b;

    if (at->index >= c->feeds.n) {
        next_stage(at);
        return;
    }
    f = &c->feeds.v[at->index];
    if (at->seq == 0 && f->forked)
        forks_send_proof(c, nobody, f);
    if (at->seq < f->floor.seq) {
        erase_send_floor(c, nobody, f);
        at->seq = f->floor.seq;
    }
    if (at->seq < f->stored && feeds_range(c->conf.disk, f->alias, at->seq + 1, f->stored, &raw,
                                           &records, &b, NULL) == ERR_OK) {
        sync_send_block(c, nobody, f, &b);
        at->seq = block_last(&b);
    } else {
        at->seq = f->stored;
    }
    if (at->seq >= f->stored) {
        at->index++;
        at->seq = 0;
    }
    buf_free(&raw);
    buf_free(&records);
}

static void give_words(struct core *c, const struct peer *nobody, struct bundle_at *at)
{
    if (at->index < c->said.n)
        at->index = said_send(c, nobody, (unsigned)at->index);
    if (at->index >= c->said.n)
        next_stage(at);
}

/* Those of the chain in force. */
static void give_overrides(struct core *c, const struct peer *nobody, struct bundle_at *at)
{
    if (c->ledger->epoch.number > 0)
        epochs_send(c->ledger, &nobody->id, &c->ledger->epoch);
    next_stage(at);
}

/* What lost epochs had decided. */
static void give_evidence(struct core *c, const struct peer *nobody, struct bundle_at *at)
{
    struct ledger *l = c->ledger;
    unsigned cursor = (unsigned)at->index;

    if (cursor < l->n_evidence)
        evidence_send(l, &nobody->id, &cursor);
    if (cursor <= at->index || cursor >= l->n_evidence)
        next_stage(at);
    else
        at->index = cursor;
}

static void give_receipt(struct core *c, const struct peer *nobody, struct bundle_at *at)
{
    struct buf r = { 0 }, b = { 0 };

    if (++at->index > ledger_decided(c->ledger)) {
        next_stage(at);
        return;
    }
    if (ledger_receipt(c->ledger, at->index, &r) == ERR_OK) {
        wire_begin(&b, WIRE_RECEIPT, 2);
        mp_put_u64(&b, at->index);
        mp_put_bin(&b, r.p, r.len);
        peer_send(c, nobody, &b);
    }
    buf_free(&r);
}

static void give(struct core *c, struct bundle_at *at)
{
    struct peer nobody = { .address = "" };

    switch ((enum stage)at->stage) {
    case STAGE_ROSTER:
        give_op(c, &nobody, at);
        break;
    case STAGE_FEEDS:
        give_feed(c, &nobody, at);
        break;
    case STAGE_OVERRIDES:
        give_overrides(c, &nobody, at);
        break;
    case STAGE_RECEIPTS:
        give_receipt(c, &nobody, at);
        break;
    case STAGE_EVIDENCE:
        give_evidence(c, &nobody, at);
        break;
    case STAGE_WORDS:
        give_words(c, &nobody, at);
        break;
    case STAGE_END:
        break;
    }
}

/* The functions of the wire append effects: here they are letters to nobody, taken out again. */
static bool gather(struct core *c, struct bundle_at *at, struct buf *body)
{
    struct effects was = c->fx;
    struct buf list = { 0 };
    unsigned n = 0;

    memset(&c->fx, 0, sizeof c->fx);
    while (at->stage != STAGE_END && list.len < PART_FULL && n < MESSAGES_MAX / 2) {
        give(c, at);
        for (unsigned i = 0; i < c->fx.n; i++, n++)
            mp_put_bin(&list, c->fx.v[i].bytes.p, c->fx.v[i].bytes.len);
        effects_clear(&c->fx);
    }
    effects_free(&c->fx);
    c->fx = was;
    mp_put_array(body, 3);
    mp_put_bool(body, at->stage == STAGE_END);
    mp_put_u64(body, ++at->parts);
    mp_put_array(body, n);
    buf_add(body, list.p, list.len);
    body->failed = body->failed || list.failed;
    buf_wipe(&list);
    return !body->failed;
}

/* A key for this part alone, in a box for each desk: which box is whose, only its desk finds out.
 */
static void put_keys(const struct core *c, const uint8_t key[32], const uint8_t esk[32],
                     struct buf *inner)
{
    static const uint8_t nonce[crypto_secretbox_NONCEBYTES]; /* a shared key seals one thing */
    unsigned n = 0;

    for (unsigned i = 0; i < roster_desks(c->roster); i++)
        n += roster_desk(c->roster, i)->state != DESK_REVOKED;
    mp_put_array(inner, n);
    for (unsigned i = 0; i < roster_desks(c->roster); i++) {
        const struct desk *d = roster_desk(c->roster, i);
        uint8_t shared[crypto_box_BEFORENMBYTES], box[KEY_BOX] = { 0 };
        if (d->state == DESK_REVOKED)
            continue;
        if (crypto_box_beforenm(shared, d->curve_pk, esk) == 0)
            crypto_secretbox_easy(box, key, 32, nonce, shared);
        mp_put_bin(inner, box, sizeof box);
        sodium_memzero(shared, sizeof shared);
    }
}

/* inner = [1, branch, desk, one-time public key, [box..], sealed body] */
static void seal(const struct core *c, const struct buf *body, struct buf *out)
{
    static const uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
    uint8_t random[64], epk[32], esk[32];
    struct buf inner = { 0 }, sealed = { 0 };
    uint8_t *at = buf_grow(&sealed, body->len + crypto_aead_xchacha20poly1305_ietf_ABYTES);

    c->conf.dice(c->conf.dice_ctx, random, sizeof random);
    crypto_box_seed_keypair(epk, esk, random + 32);
    if (at)
        crypto_aead_xchacha20poly1305_ietf_encrypt(at, NULL, body->p, body->len,
                                                   roster_branch(c->roster), BRANCH_ID_BYTES, NULL,
                                                   nonce, random);
    mp_put_array(&inner, 6);
    mp_put_u64(&inner, 1);
    mp_put_bin(&inner, roster_branch(c->roster), BRANCH_ID_BYTES);
    mp_put_bin(&inner, c->conf.me->id.b, DESK_ID_BYTES);
    mp_put_bin(&inner, epk, sizeof epk);
    put_keys(c, random, esk, &inner);
    mp_put_bin(&inner, sealed.p, sealed.len);
    out->failed = out->failed || inner.failed || sealed.failed;
    signed_put(domain, &inner, c->conf.me->sign_sk, out);
    buf_free(&sealed);
    sodium_memzero(random, sizeof random);
    sodium_memzero(esk, sizeof esk);
}

enum err core_bundle(struct core *c, struct bundle_at *at, struct buf *out, bool *last,
                     struct errmsg *msg)
{
    struct buf body = { 0 };

    if (gather(c, at, &body))
        seal(c, &body, out);
    else
        out->failed = true;
    buf_wipe(&body);
    *last = at->stage == STAGE_END;
    return out->failed ? err_set(msg, ERR_NOMEM, "out of memory") : ERR_OK;
}

/* ---- reading ---- */

/* The box that this desk's key opens. */
static bool get_key(const struct core *c, struct mp *m, const uint8_t epk[32], uint8_t key[32])
{
    static const uint8_t nonce[crypto_secretbox_NONCEBYTES];
    uint8_t shared[crypto_box_BEFORENMBYTES];
    uint32_t n = mp_get_array(m);
    bool found = false;

    if (m->bad || n > ROSTER_DESKS_MAX || crypto_box_beforenm(shared, epk, c->conf.me->curve_sk)) {
        m->bad = true;
        return false;
    }
    for (uint32_t i = 0; i < n && !m->bad; i++) {
        uint8_t box[KEY_BOX];
        if (mp_get_raw(m, box, sizeof box) && !found)
            found = crypto_secretbox_open_easy(key, box, sizeof box, nonce, shared) == 0;
    }
    sodium_memzero(shared, sizeof shared);
    return found;
}

static enum err author_of(const struct core *c, const struct desk_id *id, const struct desk **out,
                          struct errmsg *msg)
{
    if (desk_id_eq(id, &c->conf.me->id))
        return err_why(msg, ERR_EXISTS, "own_bundle", "",
                       "this desk wrote that file itself: import it on another desk");
    if ((*out = roster_find(c->roster, id)) == NULL)
        return err_why(msg, ERR_MISSING, "unknown_desk", "",
                       "written by a desk that this one does not know yet: connect this desk to "
                       "another one first");
    if ((*out)->state == DESK_REVOKED)
        return err_why(msg, ERR_DENIED, "revoked", "",
                       "written by %s, which is revoked: nothing of it is taken", (*out)->name);
    return ERR_OK;
}

/* Verifies and opens; body is to be wiped. */
static enum err unseal(const struct core *c, const uint8_t *p, size_t n, struct desk_id *from,
                       struct buf *body, struct errmsg *msg)
{
    static const uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];
    uint8_t sig[SIG_BYTES], branch[BRANCH_ID_BYTES], epk[32], key[32] = { 0 };
    size_t len = 0, boxed = 0;
    const uint8_t *inner = n <= BUNDLE_PART_MAX ? signed_get(p, n, &len, sig) : NULL, *box;
    const struct desk *author = NULL;
    struct mp m = mp_over(inner, len);
    bool ours, opened;
    uint8_t *at;
    enum err e;

    if (!inner || mp_get_array(&m) != 6 || mp_get_u64(&m) != 1)
        return err_set(msg, ERR_MALFORMED, "not a bundle that this version can read");
    mp_get_raw(&m, branch, sizeof branch);
    mp_get_raw(&m, from->b, DESK_ID_BYTES);
    mp_get_raw(&m, epk, sizeof epk);
    if (m.bad)
        return err_set(msg, ERR_MALFORMED, "a bundle that does not parse");
    if (memcmp(branch, roster_branch(c->roster), sizeof branch) != 0)
        return err_why(msg, ERR_DENIED, "other_branch", "", "this file is of another branch");
    if ((e = author_of(c, from, &author, msg)) != ERR_OK)
        return e;
    if (!sign_ok(domain, inner, len, author->sign_pk, sig))
        return err_why(msg, ERR_DENIED, "bent", "",
                       "%s did not sign these bytes: the file is damaged or forged", author->name);
    ours = get_key(c, &m, epk, key);
    box = mp_get_bin(&m, &boxed);
    if (!mp_done(&m) || boxed < crypto_aead_xchacha20poly1305_ietf_ABYTES)
        return err_set(msg, ERR_MALFORMED, "a bundle that does not parse");
    if (!ours)
        return err_why(msg, ERR_DENIED, "not_for_us", "",
                       "%s did not know this desk when it wrote that file: import it on another "
                       "desk",
                       author->name);
    at = buf_grow(body, boxed - crypto_aead_xchacha20poly1305_ietf_ABYTES);
    opened = at && crypto_aead_xchacha20poly1305_ietf_decrypt(at, NULL, NULL, box, boxed, branch,
                                                              sizeof branch, nonce, key) == 0;
    sodium_memzero(key, sizeof key);
    if (!opened)
        return err_set(msg, at ? ERR_MALFORMED : ERR_NOMEM,
                       at ? "a bundle that does not open" : "out of memory");
    return ERR_OK;
}

/* What proves itself, whoever brings it. */
static bool may_travel(unsigned type)
{
    return type == WIRE_ROSTER_OPS || type == WIRE_FLOOR || type == WIRE_BLOCKS ||
           type == WIRE_FORK_PROOF || type == WIRE_WORD || type == WIRE_OVERRIDE ||
           type == WIRE_EVIDENCE || type == WIRE_RECEIPT;
}

/* A file is no sign of life. */
static void take_message(struct core *c, const struct moment *now, const struct desk_id *from,
                         const uint8_t *p, size_t n)
{
    struct peer *peer = sync_peer(c, from);
    bool ever_heard = peer && peer->ever_heard;
    uint64_t heard_ms = peer ? peer->heard_ms : 0;
    uint32_t connects = peer ? peer->connects : 0;

    core_message(c, now, from, "", p, n);
    if (!peer)
        return;
    peer->ever_heard = ever_heard;
    peer->heard_ms = heard_ms;
    peer->connects = connects;
}

enum err core_bundle_take(struct core *c, const struct moment *now, const uint8_t *p, size_t n,
                          struct bundle_taken *out, struct errmsg *msg)
{
    struct buf body = { 0 };
    uint64_t refused = c->refused;
    enum err e;
    struct mp m;
    uint32_t count;

    memset(out, 0, sizeof *out);
    if ((e = unseal(c, p, n, &out->from, &body, msg)) != ERR_OK)
        goto out;
    m = mp_over(body.p, body.len);
    if (mp_get_array(&m) != 3)
        m.bad = true;
    out->last = mp_get_bool(&m);
    out->number = (unsigned)mp_get_u64(&m);
    count = mp_get_array(&m);
    for (uint32_t i = 0; i < count && i < MESSAGES_MAX && !m.bad; i++) {
        size_t len = 0;
        const uint8_t *message = mp_get_bin(&m, &len);
        struct mp look = mp_over(message, len);
        if (m.bad)
            break;
        if (!may_travel(wire_open(&look)))
            continue; /* of a newer version: it comes by the network, or not */
        out->messages++;
        take_message(c, now, &out->from, message, len);
    }
    out->refused = (unsigned)(c->refused - refused);
    if (!mp_done(&m))
        e = err_set(msg, ERR_MALFORMED, "a bundle whose messages do not parse");
out:
    buf_wipe(&body);
    return e;
}
