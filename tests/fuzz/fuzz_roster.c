/* fuzz_roster.c - operations as a malicious lead, desk or invite would sign them.
 *
 * Input: steps of [type and signer, parent, length be16, body]. Whatever is taken in, the roster
 * must be the same whoever told us first, and every name in it must be text. */
#include "../branch.h"

#include "fuzz.h"

#include "roster_int.h"

#define STEPS_MAX 12

static struct branch *branch(void)
{
    static struct branch b;

    if (b.r == NULL)
        branch_new(&b, 3, 3);
    return &b;
}

static struct roster *fresh_roster(void)
{
    const struct branch *b = branch();
    struct roster *r = roster_new();
    bool fresh;

    must_hold(r != NULL);
    for (unsigned i = 0; i < b->n_ops; i++)
        must_hold(roster_add(r, b->op[i].p, b->op[i].len, &fresh, NULL) == ERR_OK);
    return r;
}

static const struct ident *signer(unsigned how)
{
    const struct branch *b = branch();

    switch (how >> 4 & 3) {
    case 0:
    case 1:
        return &b->lead;
    case 2:
        return &b->root;
    default:
        return &b->desk[0];
    }
}

static void sign_op(const struct roster *r, unsigned how, unsigned parent, const uint8_t *body,
                    size_t n, struct buf *out)
{
    const struct ident *by = signer(how);
    struct buf inner = { 0 };
    uint8_t sig[SIG_BYTES];
    unsigned at = parent % roster_ops(r);

    mp_put_array(&inner, 8);
    mp_put_u64(&inner, 1);
    mp_put_bin(&inner, roster_branch(r), BRANCH_ID_BYTES);
    mp_put_bin(&inner, roster_op_hash(r, at), HASH_BYTES);
    mp_put_u64(&inner, r->ops[at].count + 1);
    mp_put_u64(&inner, how & 15);
    mp_put_bin(&inner, by->sign_pk, KEY_BYTES);
    mp_put_bin(&inner, "", 0);
    mp_put_bin(&inner, body, n);
    sign_bytes(roster_op_domain, inner.p, inner.len, by->sign_sk, sig);
    mp_put_array(out, 2);
    mp_put_bin(out, inner.p, inner.len);
    mp_put_bin(out, sig, sizeof sig);
    buf_free(&inner);
}

static void look_at(const struct roster *r)
{
    must_hold(roster_desks(r) <= ROSTER_DESKS_MAX && roster_ops(r) <= ROSTER_OPS_MAX);
    for (unsigned i = 0; i < roster_desks(r); i++) {
        const struct desk *d = roster_desk(r, i);
        must_hold(text_is_clean(d->name));
        must_hold(roster_find(r, &d->id) == d);
        for (unsigned k = 0; k < d->n_trusted; k++)
            must_hold(d->trusted != NULL);
    }
}

/* The same operations, the other way round as far as parents allow. */
static void same_in_another_order(const struct roster *r)
{
    struct roster *other = fresh_roster();
    bool fresh, moved = true;

    while (moved && roster_ops(other) < roster_ops(r)) {
        moved = false;
        for (unsigned i = roster_ops(r); i-- > 0;) {
            size_t n;
            const uint8_t *op = roster_op(r, i, &n);
            moved |= roster_add(other, op, n, &fresh, NULL) == ERR_OK && fresh;
        }
    }
    must_hold(roster_ops(other) == roster_ops(r));
    must_hold(memcmp(roster_hash(other), roster_hash(r), HASH_BYTES) == 0);
    must_hold(memcmp(roster_tip(other), roster_tip(r), HASH_BYTES) == 0);
    must_hold(roster_conflicts(other, NULL, 0) == roster_conflicts(r, NULL, 0));
    must_hold(roster_desks(other) == roster_desks(r));
    must_hold((roster_policy(other) != NULL) == (roster_policy(r) != NULL));
    for (unsigned i = 0; i < roster_desks(r); i++) {
        const struct desk *a = roster_desk(r, i), *b = roster_desk(other, i);
        must_hold(desk_id_eq(&a->id, &b->id) && strcmp(a->name, b->name) == 0);
        must_hold(a->state == b->state && a->roles == b->roles && a->n_trusted == b->n_trusted);
    }
    roster_free(other);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct roster *r = fresh_roster();
    struct fuzz_in in = { p, n };
    uint8_t *copy = fuzz_copy(p, n);
    bool fresh;

    (void)roster_add(r, copy, n, &fresh, NULL); /* as it is, and as the one operation it may be */
    for (unsigned i = 0; i < STEPS_MAX && in.n > 4; i++) {
        unsigned how = fuzz_byte(&in), parent = fuzz_byte(&in);
        size_t len = fuzz_be16(&in);
        const uint8_t *body = fuzz_take(&in, &len);
        struct buf op = { 0 };
        sign_op(r, how, parent, body, len, &op);
        (void)roster_add(r, op.p, op.len, &fresh, NULL);
        buf_free(&op);
    }
    look_at(r);
    same_in_another_order(r);
    roster_free(r);
    free(copy);
    return 0;
}

/* A step for the body of a real operation. */
static void step_of(const struct buf *op, unsigned how, struct buf *out)
{
    struct mp m = mp_over(op->p, op->len), in;
    const uint8_t *inner, *body;
    size_t n = 0, len = 0;
    uint8_t head[4];

    mp_get_array(&m);
    inner = mp_get_bin(&m, &n);
    in = mp_over(inner, n);
    mp_get_array(&in);
    for (unsigned i = 0; i < 7; i++)
        mp_skip(&in);
    body = mp_get_bin(&in, &len);
    must_hold(!in.bad && len < 65536);
    head[0] = (uint8_t)how;
    head[1] = (uint8_t)(branch()->n_ops - 1);
    head[2] = (uint8_t)(len >> 8);
    head[3] = (uint8_t)len;
    buf_add(out, head, sizeof head);
    buf_add(out, body, len);
}

void fuzz_seeds(void)
{
    const struct branch *b = branch();
    struct trusted v[2] = { { { 1 }, 5 }, { { 2 }, UINT64_MAX } };
    struct buf op = { 0 }, steps = { 0 };

    for (unsigned i = 0; i < b->n_ops; i++)
        fuzz_seed(b->op[i].p, b->op[i].len);
    op_add(b->r, &b->desk[4], "DESK-5", ROLE_DESK | ROLE_LEAD, true, b->lead.sign_sk, &op);
    step_of(&op, OP_ADD, &steps);
    buf_reset(&op);
    op_revoke(b->r, &b->desk[1].id, v, 2, "stolen", b->lead.sign_sk, &op);
    step_of(&op, OP_REVOKE, &steps);
    buf_reset(&op);
    op_lead(b->r, b->other_lead.sign_pk, b->root.sign_sk, &op);
    step_of(&op, 0x20 | OP_LEAD, &steps);
    buf_reset(&op);
    op_lead_drop(b->r, b->lead.sign_pk, roster_tip(b->r), b->root.sign_sk, &op);
    step_of(&op, 0x20 | OP_LEAD_DROP, &steps);
    buf_reset(&op);
    op_policy(b->r, "[branch]\ncode = MAIN\n", 21, b->lead.sign_sk, &op);
    step_of(&op, OP_POLICY, &steps);
    buf_free(&op);
    fuzz_seed_buf(&steps);
    /* SET: desk 16, name, roles; RETIRE: desk 16 */
    mp_put_array(&op, 3);
    mp_put_bin(&op, b->desk[1].id.b, DESK_ID_BYTES);
    mp_put_str(&op, "OTHER");
    mp_put_u64(&op, ROLE_DESK);
    buf_add(&steps, (uint8_t[]){ OP_SET, 4, 0, (uint8_t)op.len }, 4);
    buf_add(&steps, op.p, op.len);
    buf_reset(&op);
    mp_put_array(&op, 1);
    mp_put_bin(&op, b->desk[2].id.b, DESK_ID_BYTES);
    buf_add(&steps, (uint8_t[]){ OP_RETIRE, 5, 0, (uint8_t)op.len }, 4);
    buf_add(&steps, op.p, op.len);
    buf_free(&op);
    fuzz_seed_buf(&steps);
}
