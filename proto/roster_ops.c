/* roster_ops.c - making the signed operations of the roster, and the power behind an invite. */
#include "roster_int.h"

#include <sodium.h>

const char roster_op_domain[] = "tideover roster v1";
static const char power_domain[] = "tideover invite power v1";

bool power_decode(const uint8_t *p, size_t n, struct invite_power *out,
                  uint8_t branch[BRANCH_ID_BYTES], uint8_t lead_pk[KEY_BYTES])
{
    uint8_t sig[SIG_BYTES];
    size_t inner_n = 0;
    const uint8_t *inner = signed_get(p, n, &inner_n, sig);
    struct mp in = mp_over(inner, inner_n);

    if (!inner || mp_get_array(&in) != 7)
        return false;
    mp_get_raw(&in, branch, BRANCH_ID_BYTES);
    mp_get_raw(&in, lead_pk, KEY_BYTES);
    mp_get_raw(&in, out->invite_pk, KEY_BYTES);
    mp_get_str(&in, out->name, sizeof out->name);
    out->roles = (unsigned)mp_get_u64(&in);
    out->seat = mp_get_bool(&in);
    out->expires_ms = mp_get_i64(&in);
    return mp_done(&in) && sign_ok(power_domain, inner, inner_n, lead_pk, sig);
}

/* op = [ bin inner, bin signature ]; inner = [1, branch, parent, count, type, signer, power, body]
 */
static void op_wrap(const uint8_t branch[BRANCH_ID_BYTES], const uint8_t parent[HASH_BYTES],
                    uint32_t count, unsigned type, const uint8_t *power, size_t power_n,
                    const struct buf *body, const uint8_t sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf inner = { 0 };
    uint8_t pk[KEY_BYTES];

    crypto_sign_ed25519_sk_to_pk(pk, sk);
    mp_put_array(&inner, 8);
    mp_put_u64(&inner, 1);
    mp_put_bin(&inner, branch, BRANCH_ID_BYTES);
    mp_put_bin(&inner, parent, HASH_BYTES);
    mp_put_u64(&inner, count);
    mp_put_u64(&inner, type);
    mp_put_bin(&inner, pk, KEY_BYTES);
    mp_put_bin(&inner, power, power_n);
    mp_put_bin(&inner, body->p, body->len);
    signed_put(roster_op_domain, &inner, sk, out);
}

static void op_next(const struct roster *r, unsigned type, const uint8_t *power, size_t power_n,
                    struct buf *body, const uint8_t sk[SIGN_SK_BYTES], struct buf *out)
{
    const struct op *tip = &r->ops[r->tip];

    op_wrap(r->branch, tip->hash, tip->count + 1, type, power, power_n, body, sk, out);
    buf_free(body);
}

void op_found(const uint8_t root_sk[SIGN_SK_BYTES], const uint8_t lead_pk[KEY_BYTES],
              const char *code, int64_t now_ms, struct buf *out)
{
    uint8_t zero[HASH_BYTES] = { 0 }, branch[BRANCH_ID_BYTES], root_pk[KEY_BYTES];
    struct buf body = { 0 };

    crypto_sign_ed25519_sk_to_pk(root_pk, root_sk);
    branch_id_of(root_pk, branch);
    mp_put_array(&body, 3);
    mp_put_str(&body, code);
    mp_put_bin(&body, lead_pk, KEY_BYTES);
    mp_put_i64(&body, now_ms);
    op_wrap(branch, zero, 1, OP_FOUND, NULL, 0, &body, root_sk, out);
    buf_free(&body);
}

static void add_body(const uint8_t sign_pk[KEY_BYTES], const uint8_t curve_pk[KEY_BYTES],
                     const char *name, unsigned roles, bool seat, struct buf *body)
{
    mp_put_array(body, 5);
    mp_put_bin(body, sign_pk, KEY_BYTES);
    mp_put_bin(body, curve_pk, KEY_BYTES);
    mp_put_str(body, name);
    mp_put_u64(body, roles);
    mp_put_bool(body, seat);
}

void op_add(const struct roster *r, const struct ident *desk_public, const char *name,
            unsigned roles, bool seat, const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf body = { 0 };

    add_body(desk_public->sign_pk, desk_public->curve_pk, name, roles, seat, &body);
    op_next(r, OP_ADD, NULL, 0, &body, lead_sk, out);
}

void op_revoke(const struct roster *r, const struct desk_id *desk, const struct trusted *v,
               unsigned n, const char *reason, const uint8_t lead_sk[SIGN_SK_BYTES],
               struct buf *out)
{
    struct buf body = { 0 };

    mp_put_array(&body, 3);
    mp_put_bin(&body, desk->b, DESK_ID_BYTES);
    mp_put_array(&body, n);
    for (unsigned i = 0; i < n; i++) {
        mp_put_array(&body, 2);
        mp_put_bin(&body, v[i].feed, FEED_NAME_BYTES);
        mp_put_u64(&body, v[i].seq);
    }
    mp_put_str(&body, reason);
    op_next(r, OP_REVOKE, NULL, 0, &body, lead_sk, out);
}

void op_admit(const struct roster *r, const struct feed_id *feed, uint64_t to,
              const uint8_t hash[HASH_SHORT_BYTES], const uint8_t lead_sk[SIGN_SK_BYTES],
              struct buf *out)
{
    struct buf body = { 0 };

    mp_put_array(&body, 3);
    mp_put_bin(&body, feed, sizeof *feed);
    mp_put_u64(&body, to);
    mp_put_bin(&body, hash, HASH_SHORT_BYTES);
    op_next(r, OP_ADMIT, NULL, 0, &body, lead_sk, out);
}

void op_policy(const struct roster *r, const char *text, size_t n,
               const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf body = { 0 };

    mp_put_array(&body, 1);
    mp_put_bin(&body, text, n);
    op_next(r, OP_POLICY, NULL, 0, &body, lead_sk, out);
}

void op_lead(const struct roster *r, const uint8_t lead_pk[KEY_BYTES],
             const uint8_t root_sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf body = { 0 };

    mp_put_array(&body, 1);
    mp_put_bin(&body, lead_pk, KEY_BYTES);
    op_next(r, OP_LEAD, NULL, 0, &body, root_sk, out);
}

void op_lead_drop(const struct roster *r, const uint8_t lead_pk[KEY_BYTES],
                  const uint8_t last_op[HASH_BYTES], const uint8_t root_sk[SIGN_SK_BYTES],
                  struct buf *out)
{
    struct buf body = { 0 };

    mp_put_array(&body, 2);
    mp_put_bin(&body, lead_pk, KEY_BYTES);
    mp_put_bin(&body, last_op, HASH_BYTES);
    op_next(r, OP_LEAD_DROP, NULL, 0, &body, root_sk, out);
}

void op_set(const struct roster *r, const struct desk_id *desk, const char *name, unsigned roles,
            const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf body = { 0 };

    mp_put_array(&body, 3);
    mp_put_bin(&body, desk->b, DESK_ID_BYTES);
    mp_put_str(&body, name);
    mp_put_u64(&body, roles);
    op_next(r, OP_SET, NULL, 0, &body, lead_sk, out);
}

void op_retire(const struct roster *r, const struct desk_id *desk,
               const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf body = { 0 };

    mp_put_array(&body, 1);
    mp_put_bin(&body, desk->b, DESK_ID_BYTES);
    op_next(r, OP_RETIRE, NULL, 0, &body, lead_sk, out);
}

void op_key(const struct roster *r, const uint8_t lead_pk[KEY_BYTES],
            const uint8_t sealed_hash[HASH_BYTES], const uint8_t sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf body = { 0 };

    mp_put_array(&body, 2);
    mp_put_bin(&body, lead_pk, KEY_BYTES);
    mp_put_bin(&body, sealed_hash, HASH_BYTES);
    op_next(r, OP_KEY, NULL, 0, &body, sk, out);
}

void sealed_key_hash(const uint8_t *box, size_t n, uint8_t out[HASH_BYTES])
{
    hash_parts("tideover sealed key v1", &(struct part){ box, n }, 1, out, HASH_BYTES);
}

void invite_power_sign(const struct roster *r, const struct invite_power *p,
                       const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out)
{
    struct buf inner = { 0 };
    uint8_t lead_pk[KEY_BYTES];

    crypto_sign_ed25519_sk_to_pk(lead_pk, lead_sk);
    mp_put_array(&inner, 7);
    mp_put_bin(&inner, r->branch, BRANCH_ID_BYTES);
    mp_put_bin(&inner, lead_pk, KEY_BYTES);
    mp_put_bin(&inner, p->invite_pk, KEY_BYTES);
    mp_put_str(&inner, p->name);
    mp_put_u64(&inner, p->roles);
    mp_put_bool(&inner, p->seat);
    mp_put_i64(&inner, p->expires_ms);
    signed_put(power_domain, &inner, lead_sk, out);
}

void op_add_invited(const struct roster *r, const uint8_t sign_pk[KEY_BYTES],
                    const uint8_t curve_pk[KEY_BYTES], const uint8_t *power, size_t power_len,
                    const uint8_t invite_sk[SIGN_SK_BYTES], struct buf *out)
{
    struct invite_power p = { 0 };
    uint8_t branch[BRANCH_ID_BYTES], lead[KEY_BYTES];
    struct buf body = { 0 };

    power_decode(power, power_len, &p, branch, lead);
    add_body(sign_pk, curve_pk, p.name, p.roles, p.seat, &body);
    op_next(r, OP_ADD, power, power_len, &body, invite_sk, out);
}
