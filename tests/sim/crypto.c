/* crypto.c - signatures that cost a hundredth: they stand before libsodium's when this is linked.
 *
 * Four fifths of a run would go into Ed25519. Here a signature is a hash over public key and
 * message; the simulator's desks sign with keys they have and never forge, so that a signature
 * still says who signed what. `sim --real` asks libsodium after all. */
#include <string.h>

#include <sodium.h>

#include "sim.h"

bool crypto_is_real;

static void seal(uint8_t sig[SIG_BYTES], const uint8_t *m, size_t n, const uint8_t pk[KEY_BYTES])
{
    crypto_generichash(sig, SIG_BYTES, m, n, pk, KEY_BYTES);
}

int crypto_sign_detached(unsigned char *sig, unsigned long long *sig_len, const unsigned char *m,
                         unsigned long long n, const unsigned char *sk)
{
    if (crypto_is_real)
        return crypto_sign_ed25519_detached(sig, sig_len, m, n, sk);
    seal(sig, m, (size_t)n, sk + SEED_BYTES); /* the public key lies behind the seed */
    if (sig_len)
        *sig_len = SIG_BYTES;
    return 0;
}

int crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                                unsigned long long n, const unsigned char *pk)
{
    uint8_t right[SIG_BYTES];

    if (crypto_is_real)
        return crypto_sign_ed25519_verify_detached(sig, m, n, pk);
    seal(right, m, (size_t)n, pk);
    return memcmp(sig, right, sizeof right) == 0 ? 0 : -1;
}

int crypto_sign_seed_keypair(unsigned char *pk, unsigned char *sk, const unsigned char *seed)
{
    if (crypto_is_real)
        return crypto_sign_ed25519_seed_keypair(pk, sk, seed);
    crypto_generichash(pk, KEY_BYTES, seed, SEED_BYTES, NULL, 0);
    memcpy(sk, seed, SEED_BYTES);
    memcpy(sk + SEED_BYTES, pk, KEY_BYTES);
    return 0;
}

int crypto_scalarmult_base(unsigned char *q,
                           const unsigned char *n) /* for CURVE; not spoken here */
{
    if (crypto_is_real)
        return crypto_scalarmult_curve25519_base(q, n);
    crypto_generichash(q, KEY_BYTES, n, KEY_BYTES, NULL, 0);
    return 0;
}
