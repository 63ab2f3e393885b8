/* fuzz_join.c - what is not from a member: what comes to the join door, what a door answers to somebody
 * who joins, and beacons from the network.
 *
 * Input: one byte, 0 a knock, 1 the same signed anew by the joiner, 2 an answer, 3 a beacon; then the
 * bytes. */
#include "../branch.h"

#include "fuzz.h"

#include "beacon.h"
#include "join.h"
#include "wire.h"

static struct branch *branch(void)
{
    static struct branch b;

    if (b.r == NULL)
        branch_new(&b, 3, 3);
    return &b;
}

static void try_knock(const uint8_t *p, size_t n)
{
    struct join j;

    if (join_decode(p, n, &j))
        must_hold(text_is_clean(j.address) && strlen(j.address) < sizeof j.address);
}

/* JOIN with whatever fields, but the right signature over the two keys. */
static void try_signed(const uint8_t *p, size_t n)
{
    const struct ident *me = &branch()->desk[3];
    uint8_t both[2 * KEY_BYTES], sig[SIG_BYTES];
    struct buf b = { 0 };

    memcpy(both, me->sign_pk, KEY_BYTES);
    memcpy(both + KEY_BYTES, me->curve_pk, KEY_BYTES);
    sign_bytes("tideover join v1", both, sizeof both, me->sign_sk, sig);
    wire_begin(&b, WIRE_JOIN, 5);
    mp_put_bin(&b, me->sign_pk, KEY_BYTES);
    mp_put_bin(&b, me->curve_pk, KEY_BYTES);
    mp_put_bin(&b, sig, sizeof sig);
    buf_add(&b, p, n);
    try_knock(b.p, b.len);
    buf_free(&b);
}

static void try_answer(const uint8_t *p, size_t n)
{
    const struct ident *me = &branch()->desk[0];
    struct roster *r = roster_new();
    struct errmsg msg = { .text = "" };
    struct buf addresses = { 0 }, box = { 0 };

    must_hold(r != NULL);
    if (join_answer_read(p, n, &me->id, r, &addresses, &box, &msg) == ERR_OK) {
        struct mp m = mp_over(addresses.p, addresses.len);
        must_hold(roster_find(r, &me->id) != NULL && text_is_clean(roster_code(r)));
        mp_skip(&m);
        must_hold(mp_done(&m));
    } else {
        must_hold(msg.text[0] != '\0' && text_is_clean(msg.text) && text_is_clean(msg.why));
    }
    buf_free(&addresses);
    buf_free(&box);
    roster_free(r);
}

static void beacon_key(struct beacon_key *k)
{
    beacon_key_of(branch()->root.sign_pk, k);
}

/* Nobody outside the branch makes one: whatever opens is one of ours as it was. */
static void try_beacon(const uint8_t *p, size_t n)
{
    const struct desk_id *id = &branch()->desk[0].id;
    uint8_t nonce[BEACON_NONCE], again[BEACON_BYTES];
    struct beacon_key k;
    uint16_t port = 0;

    beacon_key(&k);
    if (!beacon_open(&k, p, n, &port))
        return;
    must_hold(n == BEACON_BYTES && port != 0);
    memcpy(nonce, p + 4, sizeof nonce);
    beacon_make(&k, id, port, nonce, again);
    must_hold(beacon_is_of(&k, p, id) && memcmp(again, p, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    size_t len = n - (n > 0);
    uint8_t *copy = fuzz_copy(p + (n > 0), len);

    switch (n > 0 ? p[0] % 4 : 0) {
    case 0:
        try_knock(copy, len);
        break;
    case 1:
        try_signed(copy, len);
        break;
    case 2:
        try_answer(copy, len);
        break;
    default:
        try_beacon(copy, len);
    }
    free(copy);
    return 0;
}

static void seed_welcome(void)
{
    const struct branch *b = branch();
    struct buf w = { 0 };

    wire_begin(&w, WIRE_WELCOME, 3);
    mp_put_array(&w, 2); /* FOUND and the ADD of DESK-1 */
    for (unsigned i = 0; i < 2; i++)
        mp_put_bin(&w, b->op[i].p, b->op[i].len);
    mp_put_array(&w, 1);
    mp_put_array(&w, 2);
    mp_put_bin(&w, b->desk[1].id.b, DESK_ID_BYTES);
    mp_put_str(&w, "10.0.0.5:7411");
    mp_put_bin(&w, "sealed", 6);
    fuzz_seed_with(2, w.p, w.len);
    try_answer(w.p, w.len);
    buf_free(&w);
}

static void seed_beacon(void)
{
    uint8_t p[BEACON_BYTES], nonce[BEACON_NONCE] = { 9 };
    struct beacon_key k;
    uint16_t port = 0;

    beacon_key(&k);
    beacon_make(&k, &branch()->desk[0].id, 7411, nonce, p);
    must_hold(beacon_open(&k, p, sizeof p, &port) && port == 7411);
    fuzz_seed_with(3, p, sizeof p);
}

void fuzz_seeds(void)
{
    uint8_t token[INVITE_TOKEN_BYTES] = { 1 }, mac[HASH_BYTES] = { 2 };
    struct buf b = { 0 };
    struct join j;

    join_encode(token, &branch()->desk[3], ":7411", &b);
    must_hold(join_decode(b.p, b.len, &j));
    fuzz_seed_with(0, b.p, b.len);
    buf_reset(&b);
    mp_put_bin(&b, mac, sizeof mac);
    mp_put_str(&b, "10.0.0.5:7411");
    fuzz_seed_with(1, b.p, b.len);
    buf_reset(&b);
    wire_begin(&b, WIRE_JOIN_REFUSED, 2);
    mp_put_str(&b, "used_code");
    mp_put_str(&b, "this code has been used already: ask the lead for a new invite");
    fuzz_seed_with(2, b.p, b.len);
    buf_free(&b);
    seed_welcome();
    seed_beacon();
}
