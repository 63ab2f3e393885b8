/* epochs.c - the chain of overrides at this desk: in which epoch a slot is decided, and taking in a
 * chain that wins. Rules O1 to O4 stand in ledger.h; evidence of lost epochs is in evidence.c.
 *
 * A chain of certificates C1..Cn cuts the slots: slot s is decided in the epoch of the last
 * certificate whose base is below s (epoch 0 if there is none). A later certificate may have a
 * lower base than an earlier one, when nobody who was reached had the earlier one's. */
#include "ledger_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define ROLL_BACK_BYTES (3u << 20) /* of receipts: below what the store takes in one batch */

/* ---- the chain ---- */

static void epoch_key(const struct epoch *e, uint8_t key[EPOCH_KEY])
{
    put_be32(key, e->number);
    memcpy(key + 4, e->hash, HASH_BYTES);
}

/* Reads the chain that ends at `tip`, first certificate first. ERR_MISSING: a link is not here. */
enum err epochs_line(const struct ledger *l, const struct epoch *tip, struct override **line,
                     unsigned *n)
{
    struct override *v = tip->number ? mem_zero(tip->number, sizeof *v) : NULL;
    struct epoch at = *tip;
    struct buf b = { 0 };
    enum err e = tip->number > 0 && !v ? ERR_NOMEM : ERR_OK;

    while (e == ERR_OK && at.number > 0) {
        struct override *o = &v[at.number - 1];
        uint8_t key[EPOCH_KEY];
        epoch_key(&at, key);
        if ((e = l->disk->get(l->disk->ctx, TABLE_EPOCHS, key, sizeof key, &b)) != ERR_OK ||
            (e = override_open(b.p, b.len, roster_branch(l->roster), o, NULL)) != ERR_OK)
            break;
        at.number--;
        memcpy(at.hash, o->prev, HASH_BYTES);
    }
    buf_free(&b);
    if (e != ERR_OK) {
        free(v);
        return e;
    }
    *line = v;
    *n = tip->number;
    return ERR_OK;
}

/* 0: epoch 0; k: that of line[k - 1]. */
unsigned epochs_at(const struct override *line, unsigned n, uint64_t slot)
{
    while (n > 0 && line[n - 1].base >= slot)
        n--;
    return n;
}

struct epoch epochs_epoch(const struct override *line, unsigned k)
{
    return k > 0 ? line[k - 1].epoch : (struct epoch){ 0 };
}

struct epoch ledger_epoch_at(const struct ledger *l, uint64_t slot)
{
    return epochs_epoch(l->line, epochs_at(l->line, l->n_line, slot));
}

/* O2: while slots below the newest base are missing here, this desk decides nothing. */
bool epochs_caught_up(const struct ledger *l)
{
    return epochs_at(l->line, l->n_line, l->dec + 1) == l->n_line;
}

/* Behind the base of a certificate its seats decide. */
void epochs_enter(struct ledger *l)
{
    unsigned k = epochs_at(l->line, l->n_line, l->dec + 1);

    if (k == 0 || k == epochs_at(l->line, l->n_line, l->dec))
        return;
    l->n_seats = l->line[k - 1].n_seats;
    memcpy(l->seats, l->line[k - 1].seats, sizeof l->seats);
}

/* An upload that was open when the override came is finished under its own name, in the epoch in
 * which it was proposed: so its repetition at the sink is harmless (O3). */
bool epochs_fit(const struct ledger *l, const struct intent *in)
{
    unsigned k = epochs_at(l->line, l->n_line, in->slot);
    struct epoch e = epochs_epoch(l->line, k);

    return epoch_eq(&in->epoch, &e) ||
           (k > 0 && in->type == SLOT_UPLOAD && in->slot == l->line[k - 1].base + 1 &&
            in->epoch.number <= e.number);
}

/* A receipt at a base must be the one that the certificate means. */
bool epochs_base_is(const struct ledger *l, uint64_t slot, const uint8_t hash[HASH_BYTES])
{
    unsigned k = epochs_at(l->line, l->n_line, slot + 1);

    return k == epochs_at(l->line, l->n_line, slot) ||
           memcmp(l->line[k - 1].base_hash, hash, HASH_BYTES) == 0;
}

bool ledger_was_missing(const struct ledger *l, const struct desk_id *id)
{
    const struct override *o = l->n_line > 0 ? &l->line[l->n_line - 1] : NULL;

    for (unsigned i = 0; o && i < o->n_missing; i++)
        if (desk_id_eq(&o->missing[i], id))
            return true;
    return false;
}

enum err epochs_load(struct ledger *l, struct errmsg *msg)
{
    enum err e = epochs_line(l, &l->epoch, &l->line, &l->n_line);

    return e == ERR_OK ? e : err_set(msg, e, "the certificates of overrides cannot be read");
}

/* ---- adopting ---- */

/* The last own slot that the other chain keeps: below every base where the two chains differ. */
static uint64_t common_slots(struct ledger *l, const struct override *line, unsigned n)
{
    unsigned p = 0;
    uint64_t keep = l->dec;
    uint8_t hash[HASH_BYTES] = { 0 };

    while (p < n && p < l->n_line && epoch_eq(&line[p].epoch, &l->line[p].epoch))
        p++;
    for (unsigned i = p; i < l->n_line; i++)
        keep = l->line[i].base < keep ? l->line[i].base : keep;
    for (unsigned i = p; i < n; i++)
        keep = line[i].base < keep ? line[i].base : keep;
    if (keep > 0 && ledger_slot_hash(l, keep, hash) != ERR_OK)
        return keep;
    for (unsigned i = p; i < n; i++)
        if (keep > 0 && line[i].base == keep && memcmp(line[i].base_hash, hash, HASH_BYTES) != 0)
            return keep - 1; /* ours is not the one that the lead saw */
    return keep;
}

static bool can_set_aside(const struct ledger *l, uint64_t keep)
{
    struct buf b = { 0 };
    size_t bytes = 0;

    for (uint64_t s = keep + 1; s <= l->dec; s++)
        if (ledger_receipt(l, s, &b) == ERR_OK)
            bytes += b.len;
    buf_free(&b);
    return bytes <= ROLL_BACK_BYTES && l->n_evidence + (l->dec - keep) <= EVIDENCE_MAX;
}

/* What our own chain decided above the common part becomes evidence. */
static void roll_back(struct ledger *l, uint64_t keep)
{
    struct buf b = { 0 };

    for (uint64_t s = keep + 1; s <= l->dec; s++) {
        struct epoch e = ledger_epoch_at(l, s);
        uint8_t key[8];
        put_be64(key, s);
        if (ledger_receipt(l, s, &b) == ERR_OK)
            evidence_store(l, &e, s, b.p, b.len);
        l->disk->del(l->disk->ctx, TABLE_SLOTS, key, sizeof key);
    }
    buf_free(&b);
}

/* O3: an upload accepted for the slot behind the base may have been sent: it stays. */
static void review_accepted(struct ledger *l)
{
    struct intent in;
    bool stays = false;

    if (l->acc.len > 0 && intent_decode(l->acc.p, l->acc.len, &in, NULL) == ERR_OK) {
        stays = in.type == SLOT_UPLOAD && in.slot == l->dec + 1 && epochs_caught_up(l) &&
                memcmp(in.prev, l->dec_hash, HASH_BYTES) == 0 && epochs_fit(l, &in);
        if (stays) /* names its records to the feeds once more; we held them when we accepted */
            l->ask->holds(l->ask->ctx, &in, true, NULL);
        intent_free(&in);
    }
    if (!stays)
        seat_forget(l);
}

/* Takes line over. Its certificates are on the disk. */
static enum err adopt(struct ledger *l, const struct ledger_moment *now, struct override *line,
                      unsigned n, struct errmsg *msg)
{
    uint64_t keep = common_slots(l, line, n), before = l->dec;
    enum err e;

    if (!can_set_aside(l, keep)) {
        free(line);
        ledger_set_problem(l, "an override takes back more uploads than this desk can set aside, "
                              "so it takes no part in it. Once the others hold its records, "
                              "retire it and join this PC anew");
        return err_set(msg, ERR_FULL, "too many slots would be taken back at once");
    }
    roll_back(l, keep);
    free(l->line);
    l->line = line;
    l->n_line = n;
    l->epoch = line[n - 1].epoch;
    if (l->state != LEDGER_IDLE)
        election_end(l, now, 0);
    l->next_try = now->boot_ms + ledger_roll(l, 500, 1500);
    buf_reset(&l->trigger); /* a lead's word for a slot of the lost epoch */
    buf_reset(&l->decision);
    l->decision_origin = false;
    buf_reset(&l->adopt);
    l->origin = l->stopped = false;
    ledger_set_problem(l, "");
    if ((e = ledger_replay(l, msg)) != ERR_OK)
        return e;
    review_accepted(l);
    ledger_persist(l);
    evidence_review(l);
    effects_event(l->fx,
                  "override %u is in force: slot %llu is the last that counts, %u seats; "
                  "%llu slots of a lost epoch set aside",
                  l->epoch.number, (unsigned long long)line[n - 1].base, l->n_seats,
                  (unsigned long long)(before - keep));
    return ERR_OK;
}

/* ---- taking in ---- */

/* Each names the one before; every key is or was a lead's; every seat is a desk that we know. */
static enum err check_link(const struct ledger *l, const struct override *o,
                           const struct epoch *before, struct errmsg *msg)
{
    if (o->epoch.number != before->number + 1 || memcmp(o->prev, before->hash, HASH_BYTES) != 0)
        return err_set(msg, ERR_MALFORMED, "overrides that do not follow one another");
    if (!roster_was_lead(l->roster, o->lead_pk))
        return err_set(msg, ERR_DENIED, "an override that no lead signed");
    for (unsigned i = 0; i < o->n_seats; i++)
        if (!roster_find(l->roster, &o->seats[i]))
            return err_set(msg, ERR_MISSING, "an override that names a desk unknown here");
    return ERR_OK;
}

/* An answer under way is worth waiting for: with a receipt the others will know what was sent. The
 * lease bounds that, for no other desk renews it. */
static bool is_handing_over(const struct ledger *l)
{
    return l->state == LEDGER_SEND && l->delivering;
}

/* The whole chain, from the first; certificates are kept even if it loses: they prove who had the
 * seats, when a receipt of that epoch turns up. */
static enum err take_chain(struct ledger *l, const struct ledger_moment *now, struct mp *m,
                           struct errmsg *msg)
{
    uint32_t n = mp_get_array(m);
    struct override *line = n > 0 && n <= OVERRIDES_MAX ? mem_zero(n, sizeof *line) : NULL;
    struct mp again = *m;
    struct epoch before = { 0 };
    enum err e = line ? ERR_OK : err_set(msg, ERR_MALFORMED, "no chain of overrides");

    for (uint32_t i = 0; i < n && e == ERR_OK; i++) {
        size_t len = 0;
        const uint8_t *p = mp_get_bin(m, &len);
        e = m->bad ? ERR_MALFORMED : override_open(p, len, roster_branch(l->roster), &line[i], msg);
        if (e == ERR_OK)
            e = check_link(l, &line[i], &before, msg);
        before = line[i].epoch;
    }
    for (uint32_t i = 0; i < n && e == ERR_OK; i++) {
        size_t len = 0;
        const uint8_t *p = mp_get_bin(&again, &len);
        uint8_t key[EPOCH_KEY];
        epoch_key(&line[i].epoch, key);
        e = l->disk->put(l->disk->ctx, TABLE_EPOCHS, key, sizeof key, p, len);
    }
    if (e == ERR_OK && epoch_wins(&before, &l->epoch) && !is_handing_over(l))
        return adopt(l, now, line, n, msg);
    free(line);
    return e;
}

static void put_chain(struct ledger *l, const struct epoch *tip, const struct buf *fresh,
                      struct buf *out)
{
    struct override *line = NULL;
    struct buf b = { 0 };
    unsigned n = 0;

    if (epochs_line(l, tip, &line, &n) != ERR_OK)
        n = 0;
    mp_put_array(out, n + (fresh ? 1 : 0));
    for (unsigned i = 0; i < n; i++) {
        uint8_t key[EPOCH_KEY];
        epoch_key(&line[i].epoch, key);
        if (l->disk->get(l->disk->ctx, TABLE_EPOCHS, key, sizeof key, &b) == ERR_OK)
            mp_put_bin(out, b.p, b.len);
    }
    if (fresh)
        mp_put_bin(out, fresh->p, fresh->len);
    free(line);
    buf_free(&b);
}

/* to NULL: everybody. */
void epochs_send(struct ledger *l, const struct desk_id *to, const struct epoch *tip)
{
    struct buf b = { 0 };

    wire_begin(&b, WIRE_OVERRIDE, 1);
    put_chain(l, tip, NULL, &b);
    if (to)
        ledger_send(l, to, &b);
    else
        ledger_send_all(l, &b);
    buf_free(&b);
}

void epochs_on_override(struct ledger *l, const struct ledger_moment *now, struct mp *m)
{
    struct errmsg msg = { .text = "" };
    enum err e = take_chain(l, now, m, &msg);

    if (e != ERR_OK && e != ERR_MISSING)
        ledger_refuse(l, now, "an override", msg.text);
}

/* ---- a lead signed one here ---- */

enum err ledger_override(struct ledger *l, const struct ledger_moment *now, const uint8_t *p,
                         size_t n, struct errmsg *msg)
{
    struct buf b = { 0 }, fresh = { 0 };
    struct override o, at = { .base = 0 };
    struct mp m;
    enum err e = override_open(p, n, roster_branch(l->roster), &o, msg);

    if (e != ERR_OK)
        return e;
    ledger_draft_override(l, &at);
    if (!roster_is_lead(l->roster, o.lead_pk))
        return err_set(msg, ERR_DENIED, "the key that signed this is not a lead's");
    if (is_handing_over(l))
        return err_set(msg, ERR_BUSY, "this desk is handing over an upload: wait for the answer");
    if (o.epoch.number != l->epoch.number + 1 || memcmp(o.prev, l->epoch.hash, HASH_BYTES) != 0 ||
        o.base != at.base || memcmp(o.base_hash, at.base_hash, HASH_BYTES) != 0)
        return err_set(msg, ERR_EXISTS,
                       "an upload or an override was decided meanwhile: look again");
    buf_add(&fresh, p, n);
    put_chain(l, &l->epoch, &fresh, &b);
    m = mp_over(b.p, b.len);
    e = b.failed ? ERR_NOMEM : take_chain(l, now, &m, msg);
    if (e == ERR_OK)
        epochs_send(l, NULL, &l->epoch);
    buf_free(&b);
    buf_free(&fresh);
    return e;
}

/* O5: an upload of which nobody who is reached holds all records would stop all further ones, for
 * they are judged by what went before. So it stays behind, as evidence. */
void ledger_draft_override(const struct ledger *l, struct override *o)
{
    uint64_t base = l->ask->held_to ? l->ask->held_to(l->ask->ctx) : l->dec;

    o->epoch.number = l->epoch.number + 1;
    memcpy(o->prev, l->epoch.hash, HASH_BYTES);
    o->base = l->dec;
    memcpy(o->base_hash, l->dec_hash, HASH_BYTES);
    if (base >= l->dec)
        return;
    memset(o->base_hash, 0, HASH_BYTES);
    if (base == 0 || ledger_slot_hash(l, base, o->base_hash) == ERR_OK)
        o->base = base;
    else
        memcpy(o->base_hash, l->dec_hash, HASH_BYTES);
}

/* ---- what two desks tell each other in HELLO and BEAT ---- */

void ledger_put_standing(const struct ledger *l, struct buf *b)
{
    epoch_put(b, &l->epoch);
    mp_put_bin(b, l->evidence_hash, sizeof l->evidence_hash);
    mp_put_u64(b, l->acc.len > 0 ? l->acc_term : 0);
    mp_put_bool(b, l->may_vote);
    mp_put_u64(b, pause_slot(l));
}

bool ledger_get_standing(struct mp *m, struct standing *out)
{
    memset(out, 0, sizeof *out);
    epoch_get(m, &out->epoch);
    mp_get_raw(m, out->evidence, sizeof out->evidence);
    out->acc_term = mp_get_u64(m);
    out->votes = mp_get_bool(m);
    out->pause = mp_get_u64(m);
    return !m->bad;
}

/* Whose epoch wins gives it to the other; in one epoch, evidence. True: slots may be compared. */
bool ledger_compare(struct ledger *l, const struct desk_id *peer, const struct standing *theirs,
                    unsigned *cursor)
{
    if (epoch_wins(&l->epoch, &theirs->epoch))
        epochs_send(l, peer, &l->epoch);
    if (!epoch_eq(&l->epoch, &theirs->epoch))
        return false;
    if (memcmp(theirs->evidence, l->evidence_hash, sizeof l->evidence_hash) != 0)
        evidence_send(l, peer, cursor);
    return true;
}
