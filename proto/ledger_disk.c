/* ledger_disk.c - what the ledger keeps on disk: its term, vote and open slot in one value, and the
 * chain of receipts, from which all that was decided is read again. */
#include "ledger_int.h"

#include <string.h>

static const uint8_t ledger_key[] = { 'L' };

void ledger_persist(struct ledger *l)
{
    struct buf b = { 0 };

    mp_put_array(&b, 10);
    mp_put_u64(&b, 1);
    epoch_put(&b, &l->epoch);
    mp_put_u64(&b, l->term);
    mp_put_bin(&b, l->voted_for.b, l->voted ? DESK_ID_BYTES : 0);
    mp_put_u64(&b, l->acc_term);
    mp_put_bin(&b, l->acc.p, l->acc.len);
    mp_put_bin(&b, l->trigger.p, l->trigger.len);
    progress_encode_bin(&l->acc_at, &b);
    mp_put_bin(&b, l->decision.p, l->decision.len);
    l->disk->put(l->disk->ctx, TABLE_META, ledger_key, sizeof ledger_key, b.p, b.len);
    buf_free(&b);
}

static void copy_bin(struct mp *m, struct buf *out)
{
    size_t n = 0;
    const uint8_t *p = mp_get_bin(m, &n);

    buf_reset(out);
    if (p && n > 0)
        buf_add(out, p, n);
}

void ledger_note_accepted(struct ledger *l, const struct intent *in)
{
    memcpy(l->acc_sink, in->sink, sizeof l->acc_sink);
    l->acc_items = in->type != SLOT_UPLOAD
                       ? 0
                       : delivery_items(sink_class_of(in->sink), in->parts, in->n_parts);
}

static enum err load_state(struct ledger *l, struct errmsg *msg)
{
    struct buf b = { 0 };
    struct mp m;
    struct trigger t;
    struct intent in;
    size_t n = 0;
    const uint8_t *p;
    enum err e = l->disk->get(l->disk->ctx, TABLE_META, ledger_key, sizeof ledger_key, &b);

    if (e == ERR_MISSING)
        return ERR_OK;
    if (e != ERR_OK)
        return err_set(msg, e, "the ledger's state cannot be read");
    m = mp_over(b.p, b.len);
    mp_get_array(&m);
    mp_get_u64(&m);
    epoch_get(&m, &l->epoch);
    l->term = mp_get_u64(&m);
    p = mp_get_bin(&m, &n);
    l->voted = n == DESK_ID_BYTES;
    if (l->voted)
        memcpy(l->voted_for.b, p, DESK_ID_BYTES);
    l->acc_term = mp_get_u64(&m);
    copy_bin(&m, &l->acc);
    copy_bin(&m, &l->trigger);
    progress_get(&m, &l->acc_at);
    copy_bin(&m, &l->decision);
    e = mp_done(&m) ? ERR_OK : err_set(msg, ERR_MALFORMED, "the ledger's state does not parse");
    buf_free(&b);
    if (l->trigger.len > 0 &&
        trigger_open(l->trigger.p, l->trigger.len, roster_branch(l->roster), &t, NULL) == ERR_OK)
        l->trigger_slot = t.slot, l->origin = desk_id_eq(&t.desk, &l->me->id);
    if (l->acc.len > 0 && intent_decode(l->acc.p, l->acc.len, &in, NULL) == ERR_OK) {
        ledger_note_accepted(l, &in);
        intent_free(&in);
    }
    return e;
}

/* The consequences of a decided slot, from a receipt that was checked. */
void ledger_take_decision(struct ledger *l, const struct receipt *r, const struct intent *in)
{
    l->dec = in->slot;
    intent_hash(r->intent, r->intent_len, l->dec_hash);
    if (in->type == SLOT_SEATS) {
        l->n_seats = in->n_seats;
        memcpy(l->seats, in->seats, sizeof l->seats);
    } else if (in->type == SLOT_UPLOAD) {
        l->last_upload = in->slot;
    }
    epochs_enter(l);
    answering_owes(l, r, in);
    if (in->type == SLOT_HORIZON)
        answering_forgets(l, in->back_to);
    l->ask->decided(l->ask->ctx, r, in);
}

static enum err load_receipts(struct ledger *l, struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e;

    l->dec = l->last_upload = 0;
    l->n_owed = 0;
    memset(l->dec_hash, 0, sizeof l->dec_hash);
    ledger_first_seat(l);
    epochs_enter(l);
    for (;;) {
        struct receipt r;
        struct intent in;
        if ((e = ledger_receipt(l, l->dec + 1, &b)) != ERR_OK)
            break;
        if ((e = receipt_decode(b.p, b.len, &r, msg)) != ERR_OK ||
            (e = intent_decode(r.intent, r.intent_len, &in, msg)) != ERR_OK)
            break;
        ledger_take_decision(l, &r, &in);
        intent_free(&in);
    }
    buf_free(&b);
    return e == ERR_MISSING ? ERR_OK : e;
}

enum err ledger_load(struct ledger *l, struct errmsg *msg)
{
    enum err e = load_state(l, msg);

    if (e == ERR_OK)
        e = epochs_load(l, msg);
    return e == ERR_OK ? load_receipts(l, msg) : e;
}

enum err ledger_replay(struct ledger *l, struct errmsg *msg)
{
    enum err e;

    if (l->ask->replay)
        l->ask->replay(l->ask->ctx, true);
    e = load_receipts(l, msg);
    if (l->ask->replay)
        l->ask->replay(l->ask->ctx, false);
    return e;
}

enum err ledger_receipt(const struct ledger *l, uint64_t slot, struct buf *out)
{
    uint8_t key[8];

    put_be64(key, slot);
    return l->disk->get(l->disk->ctx, TABLE_SLOTS, key, sizeof key, out);
}

enum err ledger_slot_hash(const struct ledger *l, uint64_t slot, uint8_t hash[HASH_BYTES])
{
    struct buf b = { 0 };
    struct receipt r;
    enum err e = ledger_receipt(l, slot, &b);

    if (e == ERR_OK && (e = receipt_decode(b.p, b.len, &r, NULL)) == ERR_OK)
        intent_hash(r.intent, r.intent_len, hash);
    buf_free(&b);
    return e;
}
