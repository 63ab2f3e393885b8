/* roster.c - the tree of signed operations: which of them count, and which branch wins. */
#include "roster_int.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "mem.h"

struct roster *roster_new(void)
{
    return mem_zero(1, sizeof(struct roster));
}

void roster_free(struct roster *r)
{
    if (!r)
        return;
    for (unsigned i = 0; i < r->n_ops; i++)
        free(r->ops[i].bytes);
    roster_apply_none(r);
    for (unsigned i = 0; i < r->n_policies; i++)
        free(r->policies[i]);
    free(r->policies);
    free(r->admits);
    free(r->ops);
    free(r);
}

/* ---- bytes ---- */

static enum err op_parse(const uint8_t *p, size_t n, struct op *o, uint8_t branch[BRANCH_ID_BYTES],
                         struct errmsg *msg)
{
    uint8_t sig[SIG_BYTES];
    size_t inner_n = 0;
    const uint8_t *inner = n <= ROSTER_OP_BYTES ? signed_get(p, n, &inner_n, sig) : NULL;
    struct mp in = mp_over(inner, inner_n);
    uint64_t count, type;

    if (!inner)
        return err_set(msg, ERR_MALFORMED, "not an operation of the roster");
    if (mp_get_array(&in) != 8 || mp_get_u64(&in) != 1)
        return err_set(msg, ERR_MALFORMED, "an operation of a newer version");
    mp_get_raw(&in, branch, BRANCH_ID_BYTES);
    mp_get_raw(&in, o->parent, HASH_BYTES);
    count = mp_get_u64(&in);
    type = mp_get_u64(&in);
    mp_get_raw(&in, o->signer, KEY_BYTES);
    o->power = mp_get_bin(&in, &o->power_n);
    o->body = mp_get_bin(&in, &o->body_n);
    if (!mp_done(&in) || count == 0 || count > ROSTER_OPS_MAX || type > 255)
        return err_set(msg, ERR_MALFORMED, "an operation that does not parse");
    o->count = (uint32_t)count;
    o->type = (uint8_t)type;
    if (!sign_ok(roster_op_domain, inner, inner_n, o->signer, sig))
        return err_set(msg, ERR_DENIED, "an operation whose signature is not right");
    hash_parts(roster_op_domain, &(struct part){ p, n }, 1, o->hash, HASH_BYTES);
    return ERR_OK;
}

/* ---- meaning ---- */

int roster_op_index(const struct roster *r, const uint8_t hash[HASH_BYTES])
{
    for (unsigned i = r->n_ops; i-- > 0;) /* most look-ups are for the newest */
        if (memcmp(r->ops[i].hash, hash, HASH_BYTES) == 0)
            return (int)i;
    return -1;
}

/* May this key sign operation i as a lead? A dropped lead only up to its last good one. */
static bool lead_signs(const struct roster *r, const uint8_t pk[KEY_BYTES], int i)
{
    for (unsigned k = 0; k < r->n_leads; k++)
        if (memcmp(r->leads[k].pk, pk, KEY_BYTES) == 0)
            return !r->leads[k].dropped || (r->ops[i].before >> k & 1) != 0;
    return false;
}

struct lead *roster_lead_by_key(struct roster *r, const uint8_t pk[KEY_BYTES])
{
    for (unsigned k = 0; k < r->n_leads; k++)
        if (memcmp(r->leads[k].pk, pk, KEY_BYTES) == 0)
            return &r->leads[k];
    return NULL;
}

static void learn_lead(struct roster *r, unsigned i)
{
    struct op *o = &r->ops[i];
    struct mp m = mp_over(o->body, o->body_n);
    uint8_t pk[KEY_BYTES];

    mp_get_array(&m);
    if (o->type == OP_FOUND)
        mp_skip(&m);
    if (!mp_get_raw(&m, pk, sizeof pk) || r->n_leads == LEADS_MAX || roster_lead_by_key(r, pk))
        return;
    memcpy(r->leads[r->n_leads].pk, pk, KEY_BYTES);
    r->leads[r->n_leads].made_at = i;
    r->leads[r->n_leads++].dropped = false;
}

static void learn_drop(struct roster *r, const struct op *o)
{
    struct mp m = mp_over(o->body, o->body_n);
    uint8_t pk[KEY_BYTES], last[HASH_BYTES];
    struct lead *l;

    mp_get_array(&m);
    mp_get_raw(&m, pk, sizeof pk);
    mp_get_raw(&m, last, sizeof last);
    if (m.bad || (l = roster_lead_by_key(r, pk)) == NULL)
        return;
    l->dropped = true;
    memcpy(l->last, last, HASH_BYTES);
}

static void learn_leads(struct roster *r, const unsigned *order)
{
    r->n_leads = 0;
    for (unsigned i = 0; i < r->n_ops; i++) {
        r->ops[i].before = 0;
        if (r->ops[order[i]].type == OP_FOUND || r->ops[order[i]].type == OP_LEAD)
            learn_lead(r, order[i]);
    }
    for (unsigned i = 0; i < r->n_ops; i++)
        if (r->ops[order[i]].type == OP_LEAD_DROP)
            learn_drop(r, &r->ops[order[i]]);
    for (unsigned k = 0; k < r->n_leads; k++)
        if (r->leads[k].dropped)
            for (int i = roster_op_index(r, r->leads[k].last); i >= 0; i = r->ops[i].parent_at)
                r->ops[i].before |= UINT32_C(1) << k;
}

/* Had its signer the right? Of an invite: the lead who signed its power, when it was used. */
static bool op_counts(const struct roster *r, unsigned i)
{
    const struct op *o = &r->ops[i];
    struct invite_power power;
    uint8_t branch[BRANCH_ID_BYTES], lead[KEY_BYTES];

    if (memcmp(o->signer, r->root, KEY_BYTES) == 0)
        return o->type <= OP_LEAD_DROP || o->type == OP_KEY;
    if (o->power_n == 0)
        return lead_signs(r, o->signer, (int)i);
    return power_decode(o->power, o->power_n, &power, branch, lead) &&
           memcmp(branch, r->branch, BRANCH_ID_BYTES) == 0 && lead_signs(r, lead, o->parent_at);
}

/* What a dropped lead signs afterwards has no weight either: whoever stole a key cannot make his
 * branch win by its length. */
static void learn_tip(struct roster *r)
{
    unsigned best = 0;

    for (unsigned i = 0; i < r->n_ops; i++) { /* parents come before their children */
        struct op *o = &r->ops[i];
        const struct op *b = &r->ops[best];
        o->counts = op_counts(r, i);
        o->weight = o->counts + (o->parent_at >= 0 ? r->ops[o->parent_at].weight : 0);
        o->winning = false;
        if (o->counts && (o->weight > b->weight ||
                          (o->weight == b->weight && memcmp(o->hash, b->hash, HASH_BYTES) < 0)))
            best = i;
    }
    r->tip = best;
    for (int i = (int)best; i >= 0; i = r->ops[i].parent_at)
        r->ops[i].winning = true;
}

static int by_place(const void *a, const void *b, void *ops)
{
    const struct op *x = &((const struct op *)ops)[*(const unsigned *)a];
    const struct op *y = &((const struct op *)ops)[*(const unsigned *)b];

    if (x->count != y->count)
        return x->count < y->count ? -1 : 1;
    return memcmp(x->hash, y->hash, HASH_BYTES);
}

/* Insertion sort: the list is nearly in order, and qsort_r is not POSIX. */
static void sort_ops(unsigned *v, unsigned n, struct op *ops)
{
    for (unsigned i = 1; i < n; i++)
        for (unsigned k = i; k > 0 && by_place(&v[k - 1], &v[k], ops) > 0; k--) {
            unsigned t = v[k];
            v[k] = v[k - 1];
            v[k - 1] = t;
        }
}

/* The state is recomputed from all operations in one fixed order: operations are rare, and a
 * function of the set cannot depend on who told us first. */
static bool recompute(struct roster *r)
{
    unsigned *order = mem_alloc(r->n_ops * sizeof *order);
    uint8_t all[HASH_BYTES] = { 0 };

    if (!order)
        return false;
    roster_apply_none(r);
    for (unsigned i = 0; i < r->n_ops; i++) {
        order[i] = i;
        for (unsigned k = 0; k < HASH_BYTES; k++)
            all[k] ^= r->ops[i].hash[k];
    }
    hash_parts("tideover roster set v1", &(struct part){ all, sizeof all }, 1, r->set_hash,
               HASH_BYTES);
    sort_ops(order, r->n_ops, r->ops);
    learn_leads(r, order);
    learn_tip(r);
    for (unsigned k = 0; k < r->n_ops; k++)
        if (r->ops[order[k]].type == OP_ADD && r->ops[order[k]].counts)
            roster_apply_add(r, order[k]);
    for (unsigned k = 0; k < r->n_ops; k++)
        if (r->ops[order[k]].counts || r->ops[order[k]].type == OP_POLICY)
            roster_apply(r, &r->ops[order[k]]);
    free(order);
    return true;
}

static enum err found(struct roster *r, const struct op *o, const uint8_t branch[BRANCH_ID_BYTES],
                      struct errmsg *msg)
{
    struct mp m = mp_over(o->body, o->body_n);
    uint8_t zero[HASH_BYTES] = { 0 }, lead[KEY_BYTES];
    char code[16];

    mp_get_array(&m);
    mp_get_str(&m, code, sizeof code);
    mp_get_raw(&m, lead, sizeof lead);
    mp_get_i64(&m);
    branch_id_of(o->signer, r->branch);
    if (!mp_done(&m) || o->type != OP_FOUND || o->count != 1 ||
        memcmp(o->parent, zero, HASH_BYTES) != 0 || memcmp(branch, r->branch, BRANCH_ID_BYTES) != 0)
        return err_set(msg, ERR_DENIED, "the roster does not begin with a founding");
    memcpy(r->root, o->signer, KEY_BYTES);
    memcpy(r->code, code, sizeof code);
    return ERR_OK;
}

bool roster_was_lead(const struct roster *r, const uint8_t pk[KEY_BYTES])
{
    for (unsigned i = 0; i < r->n_leads; i++)
        if (memcmp(r->leads[i].pk, pk, KEY_BYTES) == 0)
            return true;
    return false;
}

/* Signature right, but is this key anybody here? (What it may do is decided in recompute: a lead
 * may be dropped later and its operation still be part of the tree.) */
static bool signer_is_known(const struct roster *r, const struct op *o)
{
    struct invite_power power;
    uint8_t branch[BRANCH_ID_BYTES], lead[KEY_BYTES];

    if (memcmp(o->signer, r->root, KEY_BYTES) == 0)
        return o->type == OP_LEAD || o->type == OP_LEAD_DROP || o->type == OP_KEY;
    if (o->type == OP_LEAD || o->type == OP_LEAD_DROP)
        return false;
    if (o->power_n > 0)
        return o->type == OP_ADD && power_decode(o->power, o->power_n, &power, branch, lead) &&
               memcmp(power.invite_pk, o->signer, KEY_BYTES) == 0 &&
               memcmp(branch, r->branch, BRANCH_ID_BYTES) == 0 && roster_was_lead(r, lead);
    return roster_was_lead(r, o->signer);
}

static enum err check_place(struct roster *r, struct op *o, const uint8_t branch[BRANCH_ID_BYTES],
                            struct errmsg *msg)
{
    if (r->n_ops == 0) {
        o->parent_at = -1;
        return found(r, o, branch, msg);
    }
    if (memcmp(branch, r->branch, BRANCH_ID_BYTES) != 0 || o->type == OP_FOUND)
        return err_set(msg, ERR_DENIED, "an operation of another branch");
    if ((o->parent_at = roster_op_index(r, o->parent)) < 0)
        return err_set(msg, ERR_MISSING, "an operation whose parent is not here yet");
    if (o->count != r->ops[o->parent_at].count + 1)
        return err_set(msg, ERR_MALFORMED, "an operation with a wrong count");
    if (!signer_is_known(r, o))
        return err_set(msg, ERR_DENIED, "an operation that no lead of this branch signed");
    return ERR_OK;
}

enum err roster_add(struct roster *r, const uint8_t *op, size_t n, bool *fresh, struct errmsg *msg)
{
    struct op o = { 0 }, *grown;
    uint8_t branch[BRANCH_ID_BYTES], *copy;
    enum err e;

    *fresh = false;
    if ((copy = mem_alloc(n ? n : 1)) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    memcpy(copy, op, n);
    if ((e = op_parse(copy, n, &o, branch, msg)) != ERR_OK)
        goto out;
    if (r->n_ops > 0 && roster_op_index(r, o.hash) >= 0)
        goto out; /* known */
    if ((e = check_place(r, &o, branch, msg)) != ERR_OK)
        goto out;
    if (r->n_ops == ROSTER_OPS_MAX) {
        e = err_set(msg, ERR_FULL, "the roster holds %d operations", ROSTER_OPS_MAX);
        goto out;
    }
    if ((grown = mem_room(r->ops, r->n_ops, &r->room, sizeof *grown)) == NULL) {
        e = err_set(msg, ERR_NOMEM, "out of memory");
        goto out;
    }
    r->ops = grown;
    o.bytes = copy;
    o.n = n;
    r->ops[r->n_ops++] = o;
    copy = NULL;
    *fresh = true;
    if (!recompute(r))
        e = err_set(msg, ERR_NOMEM, "out of memory");
out:
    free(copy);
    return e;
}
