/* forger.c - a desk with a valid certificate that lies: a receipt for what nobody accepted. Rows of
 * verbs.c. */
#include <stdlib.h>
#include <string.h>

#include "deeds.h"
#include "wire.h"

/* All it holds that is in no slot yet. */
static void fill_ranges(const struct feeds *fs, struct intent *in)
{
    if ((in->ranges = calloc(fs->n + 1, sizeof *in->ranges)) == NULL)
        abort();
    for (unsigned i = 0; i < fs->n; i++) {
        const struct feed *f = &fs->v[fs->by_id[i]];
        uint64_t from = feeds_cut(fs, &f->opening.id) + 1;
        struct slot_range *r = &in->ranges[in->n_ranges];
        if (f->seq < from)
            continue;
        r->feed = f->opening.id;
        r->from = from;
        r->to = f->seq;
        memcpy(r->hash, f->hash, sizeof r->hash);
        in->records += r->to - r->from + 1;
        in->n_ranges++;
    }
}

static void last_intent_hash(const struct ledger *l, uint8_t out[HASH_BYTES])
{
    struct buf b = { 0 };
    struct receipt r;

    memset(out, 0, HASH_BYTES);
    if (ledger_decided(l) > 0 && ledger_receipt(l, ledger_decided(l), &b) == ERR_OK &&
        receipt_decode(b.p, b.len, &r, NULL) == ERR_OK)
        intent_hash(r.intent, r.intent_len, out);
    buf_free(&b);
}

static void forged_intent(const struct sim *s, int desk, struct buf *out)
{
    const struct station *d = &s->desk[desk];
    const struct roster *roster = core_roster(d->core);
    const struct policy *policy = roster_policy(roster);
    struct intent in = { .epoch = d->view.epoch,
                         .slot = d->view.slot,
                         .term = d->view.term + 1,
                         .desk = d->me.id,
                         .type = SLOT_UPLOAD,
                         .rules = policy->rules };

    memcpy(in.branch, roster_branch(roster), BRANCH_ID_BYTES);
    memcpy(in.policy, roster_policy_hash(roster), HASH_BYTES);
    memcpy(in.sink, policy->sink, sizeof in.sink);
    last_intent_hash(core_ledger(d->core), in.prev);
    fill_ranges(core_feeds(d->core), &in);
    intent_encode(&in, out);
    intent_free(&in);
}

/* Its own ACCEPTED it can sign, and under the others' names too, or repeat itself. */
static void forged_receipt(const struct sim *s, int desk, uint64_t how, struct buf *out)
{
    const struct station *d = &s->desk[desk];
    struct buf intent = { 0 };
    struct receipt r = { .term = d->view.term + 1, .desk = d->me.id };
    uint8_t hash[HASH_BYTES];

    forged_intent(s, desk, &intent);
    intent_hash(intent.p, intent.len, hash);
    r.intent = intent.p;
    r.intent_len = intent.len;
    for (unsigned i = 0; i < d->view.n_seats && how > 0; i++) {
        struct accepted *a = &r.accepted[r.n_accepted++];
        a->desk = how == 1 ? d->view.seats[i] : d->me.id;
        accepted_sign(roster_branch(core_roster(d->core)), d->view.slot, r.term, hash,
                      d->me.sign_sk, a->sig);
    }
    receipt_encode(&r, d->me.sign_sk, out);
    buf_free(&intent);
}

/* 0: without signatures, 1: with its own under all names, 2: with its own again and again. */
void deed_forge(struct sim *s, const struct args *a)
{
    int desk = a->desk[0];
    struct buf receipt = { 0 }, b = { 0 };

    if (s->desk[desk].view.n_seats < 2)
        return; /* one seat may decide what it likes */
    forged_receipt(s, desk, a->num[0], &receipt);
    wire_begin(&b, WIRE_RECEIPT, 2);
    mp_put_u64(&b, s->desk[desk].view.slot);
    mp_put_bin(&b, receipt.p, receipt.len);
    sim_trace(s, desk, "forges a receipt for slot %llu",
              (unsigned long long)s->desk[desk].view.slot);
    for (int i = 0; i < (int)s->n; i++)
        if (i != desk)
            net_send(s, desk, i, &b);
    buf_free(&receipt);
    buf_free(&b);
}
