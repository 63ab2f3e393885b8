/* beacon.c - the beacon's bytes: magic 4, nonce 16, whose 8, port 2, nothing 2, MAC 16. */
#include "beacon.h"

#include <string.h>

#include <sodium.h>

#define AT_NONCE 4
#define AT_WHOSE 20
#define AT_PORT  28
#define AT_MAC   32
#define MAC      (BEACON_BYTES - AT_MAC)

static const uint8_t magic[4] = { 'T', 'O', 'B', '1' };

void beacon_key_of(const uint8_t root_pk[KEY_BYTES], struct beacon_key *out)
{
    static const char what[] = "tideover beacon 1";

    crypto_generichash(out->b, sizeof out->b, (const uint8_t *)what, sizeof what, root_pk,
                       KEY_BYTES);
}

/* Eight bytes that say nothing without the key, and other ones under another nonce. */
static void whose(const struct beacon_key *k, const uint8_t *nonce, const struct desk_id *desk,
                  uint8_t out[AT_PORT - AT_WHOSE])
{
    uint8_t text[BEACON_NONCE + DESK_ID_BYTES], hash[16];

    memcpy(text, nonce, BEACON_NONCE);
    memcpy(text + BEACON_NONCE, desk->b, DESK_ID_BYTES);
    crypto_generichash(hash, sizeof hash, text, sizeof text, k->b, sizeof k->b);
    memcpy(out, hash, AT_PORT - AT_WHOSE);
}

/* The port is under a mask as well: nothing in a beacon is the same twice. */
static uint16_t port_mask(const struct beacon_key *k, const uint8_t *nonce)
{
    uint8_t hash[16];

    crypto_generichash(hash, sizeof hash, nonce, BEACON_NONCE, k->b, sizeof k->b);
    return (uint16_t)(hash[0] << 8 | hash[1]);
}

void beacon_make(const struct beacon_key *k, const struct desk_id *desk, uint16_t port,
                 const uint8_t nonce[BEACON_NONCE], uint8_t out[BEACON_BYTES])
{
    uint16_t hidden = port ^ port_mask(k, nonce);

    memset(out, 0, BEACON_BYTES);
    memcpy(out, magic, sizeof magic);
    memcpy(out + AT_NONCE, nonce, BEACON_NONCE);
    whose(k, nonce, desk, out + AT_WHOSE);
    out[AT_PORT] = (uint8_t)(hidden >> 8);
    out[AT_PORT + 1] = (uint8_t)hidden;
    crypto_generichash(out + AT_MAC, MAC, out, AT_MAC, k->b, sizeof k->b);
}

bool beacon_open(const struct beacon_key *k, const uint8_t *p, size_t n, uint16_t *port)
{
    uint8_t mac[MAC];

    if (n != BEACON_BYTES || memcmp(p, magic, sizeof magic) != 0)
        return false;
    crypto_generichash(mac, MAC, p, AT_MAC, k->b, sizeof k->b);
    if (sodium_memcmp(mac, p + AT_MAC, MAC) != 0)
        return false;
    *port = (uint16_t)((p[AT_PORT] << 8 | p[AT_PORT + 1]) ^ port_mask(k, p + AT_NONCE));
    return *port != 0;
}

bool beacon_is_of(const struct beacon_key *k, const uint8_t p[BEACON_BYTES],
                  const struct desk_id *desk)
{
    uint8_t it[AT_PORT - AT_WHOSE];

    whose(k, p + AT_NONCE, desk, it);
    return sodium_memcmp(it, p + AT_WHOSE, sizeof it) == 0;
}

uint32_t beacon_wait_ms(unsigned sent, bool all_here, uint32_t dice)
{
    uint32_t ms = sent < 3 ? BEACON_FIRST_MS : all_here ? BEACON_TOGETHER_MS : BEACON_SEARCH_MS;

    return ms - ms / 5 + dice % (2 * ms / 5 + 1);
}
