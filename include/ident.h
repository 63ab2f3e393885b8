/* ident.h - who a desk is: its keys, the names derived from them, words that people compare.
 *
 * A desk has an Ed25519 key to sign (its identity) and a separate X25519 key for CURVE (libzmq,
 * RFC 26/CurveZMQ), plus a key that wraps its store. None of them ever leaves the desk. */
#ifndef TIDEOVER_IDENT_H
#define TIDEOVER_IDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "record.h"

#define KEY_BYTES        32 /* Ed25519 and X25519 public keys, X25519 secret, store key */
#define SIGN_SK_BYTES    64
#define SIG_BYTES        64
#define HASH_BYTES       32
#define HASH_SHORT_BYTES 8  /* of an h: enough to tell two honest histories apart */
#define BRANCH_ID_BYTES  16 /* BLAKE2b-128 of the branch root's public key */
#define SEED_BYTES       32

struct ident {
    struct desk_id id;
    uint8_t sign_pk[KEY_BYTES], sign_sk[SIGN_SK_BYTES];
    uint8_t curve_pk[KEY_BYTES], curve_sk[KEY_BYTES];
    uint8_t store_key[KEY_BYTES];
};

/* From 96 random bytes: signing seed, CURVE secret, store key. */
void ident_from_seed(const uint8_t seed[3 * SEED_BYTES], struct ident *out);
void ident_wipe(struct ident *id);

void desk_id_of(const uint8_t sign_pk[KEY_BYTES], struct desk_id *out);
void branch_id_of(const uint8_t root_pk[KEY_BYTES], uint8_t out[BRANCH_ID_BYTES]);

/* BLAKE2b of a domain string and the parts, each part's length mixed in first. n_out 16 or 32. */
struct part {
    const void *p;
    size_t n;
};
void hash_parts(const char *domain, const struct part *v, unsigned n, uint8_t *out, size_t n_out);

/* Ed25519 over domain and bytes. */
void sign_bytes(const char *domain, const void *p, size_t n, const uint8_t sk[SIGN_SK_BYTES],
                uint8_t sig[SIG_BYTES]);
bool sign_ok(const char *domain, const void *p, size_t n, const uint8_t pk[KEY_BYTES],
             const uint8_t sig[SIG_BYTES]);
/* Signed(domain; inner) = [bin inner, bin signature 64]: the shape of everything signed on its own.
 * signed_put takes inner over, and out fails with it. signed_get gives the inner bytes (borrowed)
 * and the signature, to be checked with sign_ok(); NULL: not of that shape. */
void signed_put(const char *domain, struct buf *inner, const uint8_t sk[SIGN_SK_BYTES],
                struct buf *out);
const uint8_t *signed_get(const uint8_t *p, size_t n, size_t *len, uint8_t sig[SIG_BYTES]);

/* 1 to DESK_NAME_MAX letters, digits, - or _. */
bool desk_name_ok(const char *name);
/* "K7QD-2M": the first 30 bits of the id in Crockford base32; for people, not unique for ever. */
void desk_id_short(const struct desk_id *id, char out[8]);
/* Four words of a key, "river candle seven north"; out has 64 bytes. 40 bits of BLAKE2b. */
void key_words(const uint8_t pk[KEY_BYTES], char out[64]);
/* Six words from 8 random bytes (60 bits); out has 64 bytes. */
void passphrase_words(const uint8_t random[8], char out[64]);

/* Crockford base32 (https://www.crockford.com/base32.html): no I L O U; reading maps I L to 1 and
 * O to 0, ignores case and '-'. Returns characters or bytes, 0 if the input does not fit. */
size_t base32_encode(const uint8_t *p, size_t n, char *out, size_t room);
size_t base32_decode(const char *s, uint8_t *out, size_t room);

void hex_encode(const uint8_t *p, size_t n, char *out); /* 2n + 1 bytes */
bool hex_decode(const char *s, uint8_t *out, size_t n); /* exactly 2n digits */

/* Bytes sealed by a passphrase (Argon2id, RFC 9106; libsodium's MODERATE limits, stored with the
 * box); domain says what they are. The caller gives salt and nonce: 16 + 24 random bytes. plain is
 * to be wiped, also on failure. ERR_DENIED: wrong passphrase, or bytes that were bent. */
#define KEYBOX_RANDOM 40
enum err passbox_seal(const char *domain, const void *p, size_t n, const char *passphrase,
                      const uint8_t random[KEYBOX_RANDOM], struct buf *out, struct errmsg *msg);
enum err passbox_open(const char *domain, const uint8_t *p, size_t n, const char *passphrase,
                      struct buf *plain, struct errmsg *msg);
/* The same for a lead key's seed. */
enum err keybox_seal(const uint8_t seed[SEED_BYTES], const char *passphrase,
                     const uint8_t random[KEYBOX_RANDOM], struct buf *out, struct errmsg *msg);
enum err keybox_open(const uint8_t *p, size_t n, const char *passphrase, uint8_t seed[SEED_BYTES],
                     struct errmsg *msg);

#endif
