/* join.c - the messages of joining. */
#include "join.h"

#include <string.h>

#include "wire.h"

static const char join_domain[] = "tideover join v1";

/* What the joiner signs: both its public keys. */
static void both_keys(const uint8_t sign_pk[KEY_BYTES], const uint8_t curve_pk[KEY_BYTES],
                      uint8_t both[2 * KEY_BYTES])
{
    memcpy(both, sign_pk, KEY_BYTES);
    memcpy(both + KEY_BYTES, curve_pk, KEY_BYTES);
}

void join_encode(const uint8_t token[INVITE_TOKEN_BYTES], const struct ident *me,
                 const char *address, struct buf *out)
{
    uint8_t mac[HASH_BYTES], both[2 * KEY_BYTES], sig[SIG_BYTES];

    invite_mac(token, me->sign_pk, me->curve_pk, mac);
    both_keys(me->sign_pk, me->curve_pk, both);
    sign_bytes(join_domain, both, sizeof both, me->sign_sk, sig);
    wire_begin(out, WIRE_JOIN, 5);
    mp_put_bin(out, me->sign_pk, KEY_BYTES);
    mp_put_bin(out, me->curve_pk, KEY_BYTES);
    mp_put_bin(out, sig, sizeof sig);
    mp_put_bin(out, mac, sizeof mac);
    mp_put_str(out, address);
}

bool join_decode(const uint8_t *p, size_t n, struct join *out)
{
    struct mp m = mp_over(p, n);
    uint8_t both[2 * KEY_BYTES];

    if (wire_open(&m) != WIRE_JOIN)
        return false;
    mp_get_raw(&m, out->sign_pk, KEY_BYTES);
    mp_get_raw(&m, out->curve_pk, KEY_BYTES);
    mp_get_raw(&m, out->sig, SIG_BYTES);
    mp_get_raw(&m, out->mac, HASH_BYTES);
    mp_get_str(&m, out->address, sizeof out->address);
    both_keys(out->sign_pk, out->curve_pk, both);
    return mp_done(&m) && sign_ok(join_domain, both, sizeof both, out->sign_pk, out->sig);
}

static enum err take_refusal(struct mp *m, struct errmsg *msg)
{
    char why[32], text[200];

    mp_get_str(m, why, sizeof why);
    mp_get_str(m, text, sizeof text);
    if (m->bad || text[0] == '\0')
        return err_set(msg, ERR_PEER, "the other desk's answer does not parse");
    return err_why(msg, ERR_DENIED, why, "code", "%s", text);
}

/* [[desk 16, address str]..]: all of it, before any of it is kept. */
static void take_addresses(struct mp *m, struct buf *out)
{
    const uint8_t *from = m->p;
    uint32_t n = mp_get_array(m);

    for (uint32_t i = 0; i < n && !m->bad; i++) {
        struct desk_id id;
        char address[JOIN_ADDRESS_MAX];
        m->bad |= mp_get_array(m) != 2;
        mp_get_raw(m, id.b, sizeof id.b);
        mp_get_str(m, address, sizeof address);
    }
    if (!m->bad)
        buf_add(out, from, (size_t)(m->p - from));
}

/* [operation bin..], addresses, sealed lead key bin (or empty) */
static enum err take_welcome(struct mp *m, const struct desk_id *me, struct roster *r,
                             struct buf *addresses, struct buf *lead_box, struct errmsg *msg)
{
    uint32_t n = mp_get_array(m);
    const uint8_t *p;
    size_t len = 0;
    bool fresh;

    for (uint32_t i = 0; i < n; i++) {
        p = mp_get_bin(m, &len);
        if (!p || roster_add(r, p, len, &fresh, msg) != ERR_OK)
            return err_set(msg, ERR_PEER, "the other desk sent a roster that does not hold");
    }
    take_addresses(m, addresses);
    p = mp_get_bin(m, &len);
    if (!mp_done(m) || n == 0 || !roster_find(r, me))
        return err_set(msg, ERR_PEER, "the other desk's answer does not parse");
    buf_add(lead_box, p, len);
    return addresses->failed || lead_box->failed ? err_set(msg, ERR_NOMEM, "out of memory")
                                                 : ERR_OK;
}

enum err join_answer_read(const uint8_t *p, size_t n, const struct desk_id *me, struct roster *r,
                          struct buf *addresses, struct buf *lead_box, struct errmsg *msg)
{
    struct mp m = mp_over(p, n);

    switch (wire_open(&m)) {
    case WIRE_WELCOME:
        return take_welcome(&m, me, r, addresses, lead_box, msg);
    case WIRE_JOIN_REFUSED:
        return take_refusal(&m, msg);
    default:
        return err_set(msg, ERR_PEER, "not a tideover desk");
    }
}
