/* invite.h - the one-time code that brings a new desk into the branch.
 *
 *   code = base32( token 16 | IPv4 4 | port 2 ) | 2 check characters       38 characters
 *
 * The token is the secret. The inviting node's join door uses a CURVE key derived from it, so that
 * typing the code already pins the door, and the joiner proves the token again by a MAC over both
 * its keys. Crockford base32: no I L O U, case and dashes do not matter. */
#ifndef TIDEOVER_INVITE_H
#define TIDEOVER_INVITE_H

#include "ident.h"

#define INVITE_TOKEN_BYTES 16
#define INVITE_CODE_CHARS  38
#define INVITE_CODE_MAX    64 /* with dashes every four characters, and the NUL */

struct invite_code {
    uint8_t token[INVITE_TOKEN_BYTES];
    uint8_t ipv4[4];
    uint16_t port;
};

void invite_code_format(const struct invite_code *c, char out[INVITE_CODE_MAX]);
/* ERR_INVALID: mistyped (length, alphabet, check characters). */
enum err invite_code_parse(const char *text, struct invite_code *out, struct errmsg *msg);

/* The door's CURVE key pair. */
void invite_door_keys(const uint8_t token[INVITE_TOKEN_BYTES], uint8_t pk[KEY_BYTES],
                      uint8_t sk[KEY_BYTES]);
/* Over the joiner's two public keys. */
void invite_mac(const uint8_t token[INVITE_TOKEN_BYTES], const uint8_t sign_pk[KEY_BYTES],
                const uint8_t curve_pk[KEY_BYTES], uint8_t mac[HASH_BYTES]);

#endif
