/* invite.c - writing and reading invite codes. */
#include "invite.h"

#include <string.h>

#include <sodium.h>

#define RAW_BYTES (INVITE_TOKEN_BYTES + 4 + 2)
#define RAW_CHARS 36

static void check_chars(const uint8_t raw[RAW_BYTES], char out[3])
{
    uint8_t h[16], two[2];
    char all[8];

    hash_parts("tideover invite check v1", &(struct part){ raw, RAW_BYTES }, 1, h, sizeof h);
    two[0] = h[0];
    two[1] = h[1] & 0xc0; /* ten bits: two characters */
    base32_encode(two, sizeof two, all, sizeof all);
    memcpy(out, all, 2);
    out[2] = '\0';
}

void invite_code_format(const struct invite_code *c, char out[INVITE_CODE_MAX])
{
    uint8_t raw[RAW_BYTES];
    char plain[INVITE_CODE_MAX];
    size_t o = 0;

    memcpy(raw, c->token, sizeof c->token);
    memcpy(raw + 16, c->ipv4, 4);
    raw[20] = (uint8_t)(c->port >> 8);
    raw[21] = (uint8_t)c->port;
    base32_encode(raw, sizeof raw, plain, sizeof plain);
    check_chars(raw, plain + RAW_CHARS);
    for (size_t i = 0; plain[i]; i++) {
        if (i > 0 && i % 4 == 0)
            out[o++] = '-';
        out[o++] = plain[i];
    }
    out[o] = '\0';
    sodium_memzero(raw, sizeof raw);
    sodium_memzero(plain, sizeof plain);
}

/* Upper case, I and L as 1, O as 0: what a person may have written for it. */
static char canonical(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    return c == 'I' || c == 'L' ? '1' : c == 'O' ? '0' : c;
}

enum err invite_code_parse(const char *text, struct invite_code *out, struct errmsg *msg)
{
    char plain[INVITE_CODE_CHARS + 1] = "", check[3];
    uint8_t raw[RAW_BYTES + 1];
    size_t n = 0;

    for (; *text; text++) {
        if (*text == '-' || *text == ' ')
            continue;
        if (n == INVITE_CODE_CHARS)
            return err_why(msg, ERR_INVALID, "mistyped_code", "code",
                           "an invite code has %d characters, this one more: type or scan it again",
                           INVITE_CODE_CHARS);
        plain[n++] = canonical(*text);
    }
    if (n < INVITE_CODE_CHARS)
        return err_why(msg, ERR_INVALID, "mistyped_code", "code",
                       "an invite code has %d characters, this one %zu: type or scan it again",
                       INVITE_CODE_CHARS, n);
    memcpy(check, plain + RAW_CHARS, sizeof check);
    plain[RAW_CHARS] = '\0';
    if (base32_decode(plain, raw, sizeof raw) == RAW_BYTES)
        check_chars(raw, plain);
    if (memcmp(plain, check, 2) != 0)
        return err_why(msg, ERR_INVALID, "mistyped_code", "code",
                       "the invite code is mistyped: type or scan it again");
    memcpy(out->token, raw, sizeof out->token);
    memcpy(out->ipv4, raw + 16, 4);
    out->port = (uint16_t)(raw[20] << 8 | raw[21]);
    sodium_memzero(raw, sizeof raw);
    sodium_memzero(plain, sizeof plain);
    return ERR_OK;
}

void invite_door_keys(const uint8_t token[INVITE_TOKEN_BYTES], uint8_t pk[KEY_BYTES],
                      uint8_t sk[KEY_BYTES])
{
    hash_parts("tideover invite door v1", &(struct part){ token, INVITE_TOKEN_BYTES }, 1, sk,
               KEY_BYTES);
    crypto_scalarmult_base(pk, sk);
}

void invite_mac(const uint8_t token[INVITE_TOKEN_BYTES], const uint8_t sign_pk[KEY_BYTES],
                const uint8_t curve_pk[KEY_BYTES], uint8_t mac[HASH_BYTES])
{
    hash_parts("tideover join v1",
               (struct part[]){
                   { token, INVITE_TOKEN_BYTES }, { sign_pk, KEY_BYTES }, { curve_pk, KEY_BYTES } },
               3, mac, HASH_BYTES);
}
