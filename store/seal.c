/* seal.c - values under XChaCha20-Poly1305: secrecy, and the checksum that LMDB lacks.
 *
 * The nonce is random and never a counter: a desk restored from an image would repeat one. */
#include <sodium.h>
#include <string.h>

#include "store_int.h"

_Static_assert(SEAL_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
_Static_assert(SEAL_TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(STORE_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key");

static size_t associate(uint8_t ad[2 + DISK_KEY_MAX], const struct place *at)
{
    ad[0] = STORE_VERSION;
    ad[1] = at->table;
    memcpy(ad + 2, at->key, at->n);
    return 2 + at->n;
}

void seal_value(uint8_t *out, uint32_t period, const uint8_t key[STORE_KEY_BYTES],
                const struct place *at, const void *val, size_t len)
{
    uint8_t ad[2 + DISK_KEY_MAX], *nonce = out + 4;
    size_t ad_len = associate(ad, at);

    put_be32(out, period);
    randombytes_buf(nonce, SEAL_NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(nonce + SEAL_NONCE, NULL, val, len, ad, ad_len, NULL,
                                               nonce, key);
}

bool seal_unseal(uint8_t *out, const uint8_t key[STORE_KEY_BYTES], const struct place *at,
                 const uint8_t *box, size_t n)
{
    uint8_t ad[2 + DISK_KEY_MAX];
    const uint8_t *nonce = box + 4;
    size_t ad_len;

    if (n < SEAL_EXTRA || at->n > DISK_KEY_MAX)
        return false;
    ad_len = associate(ad, at);
    return crypto_aead_xchacha20poly1305_ietf_decrypt(out, NULL, NULL, nonce + SEAL_NONCE,
                                                      n - 4 - SEAL_NONCE, ad, ad_len, nonce,
                                                      key) == 0;
}

/* Its version stands in clear in front, so that a newer store is known as one without its key. */
void seal_check_make(uint8_t out[CHECK_LEN], const uint8_t desk_key[STORE_KEY_BYTES])
{
    put_be32(out, STORE_VERSION);
    randombytes_buf(out + 4, SEAL_NONCE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + 4 + SEAL_NONCE, NULL,
                                               (const uint8_t *)CHECK_TEXT, strlen(CHECK_TEXT), out,
                                               4, NULL, out + 4, desk_key);
}

bool seal_check_opens(const uint8_t *box, size_t n, const uint8_t desk_key[STORE_KEY_BYTES])
{
    uint8_t text[8];

    return n == CHECK_LEN &&
           crypto_aead_xchacha20poly1305_ietf_decrypt(text, NULL, NULL, box + 4 + SEAL_NONCE,
                                                      n - 4 - SEAL_NONCE, box, 4, box + 4,
                                                      desk_key) == 0 &&
           memcmp(text, CHECK_TEXT, sizeof text) == 0;
}
