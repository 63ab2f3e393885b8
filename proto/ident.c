/* ident.c - keys and the names derived from them. */
#include "ident.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "mem.h"
#include "words.h"

void hash_parts(const char *domain, const struct part *v, unsigned n, uint8_t *out, size_t n_out)
{
    crypto_generichash_state st;
    uint8_t len[8];

    crypto_generichash_init(&st, NULL, 0, n_out);
    crypto_generichash_update(&st, (const uint8_t *)domain, strlen(domain) + 1);
    for (unsigned i = 0; i < n; i++) {
        put_be64(len, v[i].n);
        crypto_generichash_update(&st, len, sizeof len);
        crypto_generichash_update(&st, v[i].p, v[i].n);
    }
    crypto_generichash_final(&st, out, n_out);
}

void desk_id_of(const uint8_t sign_pk[KEY_BYTES], struct desk_id *out)
{
    hash_parts("tideover desk v1", &(struct part){ sign_pk, KEY_BYTES }, 1, out->b, DESK_ID_BYTES);
}

void branch_id_of(const uint8_t root_pk[KEY_BYTES], uint8_t out[BRANCH_ID_BYTES])
{
    hash_parts("tideover branch v1", &(struct part){ root_pk, KEY_BYTES }, 1, out, BRANCH_ID_BYTES);
}

void ident_from_seed(const uint8_t seed[3 * SEED_BYTES], struct ident *out)
{
    crypto_sign_seed_keypair(out->sign_pk, out->sign_sk, seed);
    memcpy(out->curve_sk, seed + SEED_BYTES, KEY_BYTES);
    crypto_scalarmult_base(out->curve_pk, out->curve_sk);
    memcpy(out->store_key, seed + 2 * SEED_BYTES, KEY_BYTES);
    desk_id_of(out->sign_pk, &out->id);
}

void ident_wipe(struct ident *id)
{
    sodium_memzero(id, sizeof *id);
}

/* Ed25519ph-like: the signature is over the hash of domain and bytes, so that no signature made for
 * one purpose is ever valid for another. */
static void digest(const char *domain, const void *p, size_t n, uint8_t out[HASH_BYTES])
{
    hash_parts(domain, &(struct part){ p, n }, 1, out, HASH_BYTES);
}

void sign_bytes(const char *domain, const void *p, size_t n, const uint8_t sk[SIGN_SK_BYTES],
                uint8_t sig[SIG_BYTES])
{
    uint8_t h[HASH_BYTES];

    digest(domain, p, n, h);
    crypto_sign_detached(sig, NULL, h, sizeof h, sk);
}

bool sign_ok(const char *domain, const void *p, size_t n, const uint8_t pk[KEY_BYTES],
             const uint8_t sig[SIG_BYTES])
{
    uint8_t h[HASH_BYTES];

    digest(domain, p, n, h);
    return crypto_sign_verify_detached(sig, h, sizeof h, pk) == 0;
}

void signed_put(const char *domain, struct buf *inner, const uint8_t sk[SIGN_SK_BYTES],
                struct buf *out)
{
    uint8_t sig[SIG_BYTES];

    sign_bytes(domain, inner->p, inner->len, sk, sig);
    mp_put_array(out, 2);
    mp_put_bin(out, inner->p, inner->len);
    mp_put_bin(out, sig, sizeof sig);
    out->failed |= inner->failed;
    buf_free(inner);
}

const uint8_t *signed_get(const uint8_t *p, size_t n, size_t *len, uint8_t sig[SIG_BYTES])
{
    struct mp m = mp_over(p, n);
    const uint8_t *inner;

    if (mp_get_array(&m) != 2)
        return NULL;
    inner = mp_get_bin(&m, len);
    mp_get_raw(&m, sig, SIG_BYTES);
    return mp_done(&m) ? inner : NULL;
}

static const char base32_digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

size_t base32_encode(const uint8_t *p, size_t n, char *out, size_t room)
{
    size_t need = (n * 8 + 4) / 5, o = 0;
    unsigned bits = 0, have = 0;

    if (room < need + 1)
        return 0;
    for (size_t i = 0; i < n; i++) {
        bits = bits << 8 | p[i];
        for (have += 8; have >= 5; have -= 5)
            out[o++] = base32_digits[bits >> (have - 5) & 31];
        bits &= 31;
    }
    if (have > 0)
        out[o++] = base32_digits[bits << (5 - have) & 31];
    out[o] = '\0';
    return o;
}

static int base32_value(char c)
{
    const char *at;

    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'I' || c == 'L')
        c = '1';
    if (c == 'O')
        c = '0';
    at = c ? strchr(base32_digits, c) : NULL;
    return at ? (int)(at - base32_digits) : -1;
}

size_t base32_decode(const char *s, uint8_t *out, size_t room)
{
    unsigned bits = 0, have = 0;
    size_t o = 0;

    for (; *s; s++) {
        int v;

        if (*s == '-' || *s == ' ')
            continue;
        if ((v = base32_value(*s)) < 0)
            return 0;
        bits = (bits << 5 | (unsigned)v) & 0xfff;
        have += 5;
        if (have >= 8) {
            if (o == room)
                return 0;
            have -= 8;
            out[o++] = (uint8_t)(bits >> have);
        }
    }
    return have < 5 && (bits & ((1u << have) - 1)) == 0 ? o : 0; /* only padding, all zero */
}

bool desk_name_ok(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");

    return n > 0 && n <= DESK_NAME_MAX && name[n] == '\0';
}

void desk_id_short(const struct desk_id *id, char out[8])
{
    char all[16];

    base32_encode(id->b, 5, all, sizeof all);
    memcpy(out, all, 4);
    out[4] = '-';
    memcpy(out + 5, all + 4, 2);
    out[7] = '\0';
}

static void words_from(uint64_t bits, unsigned n, char out[64])
{
    out[0] = '\0';
    for (unsigned i = 0; i < n; i++, bits >>= 10) {
        if (i > 0)
            strcat(out, " ");
        strcat(out, words_list[bits & 1023]); /* six words of 7 letters and 5 blanks: 47 bytes */
    }
}

void key_words(const uint8_t pk[KEY_BYTES], char out[64])
{
    uint8_t h[16];

    hash_parts("tideover words v1", &(struct part){ pk, KEY_BYTES }, 1, h, sizeof h);
    words_from(get_be64(h), 4, out);
}

void passphrase_words(const uint8_t random[8], char out[64])
{
    words_from(get_be64(random), 6, out);
}

void hex_encode(const uint8_t *p, size_t n, char *out)
{
    sodium_bin2hex(out, 2 * n + 1, p, n);
}

bool hex_decode(const char *s, uint8_t *out, size_t n)
{
    size_t got = 0;

    return strlen(s) == 2 * n && sodium_hex2bin(out, n, s, 2 * n, NULL, &got, NULL) == 0 &&
           got == n;
}

#define KEYBOX_SALT  crypto_pwhash_SALTBYTES
#define KEYBOX_NONCE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define KEYBOX_TAG   crypto_aead_xchacha20poly1305_ietf_ABYTES
#define KEYBOX_OPS   crypto_pwhash_OPSLIMIT_MODERATE
#define KEYBOX_MEM   crypto_pwhash_MEMLIMIT_MODERATE /* 256 MiB, about a second */

static const char keybox_domain[] = "tideover keybox v1";

enum err passbox_seal(const char *domain, const void *p, size_t n, const char *passphrase,
                      const uint8_t random[KEYBOX_RANDOM], struct buf *out, struct errmsg *msg)
{
    uint8_t key[KEY_BYTES], *box = mem_alloc(n + KEYBOX_TAG);

    _Static_assert(KEYBOX_SALT + KEYBOX_NONCE == KEYBOX_RANDOM, "salt and nonce");
    if (!box || crypto_pwhash(key, sizeof key, passphrase, strlen(passphrase), random, KEYBOX_OPS,
                              KEYBOX_MEM, crypto_pwhash_ALG_ARGON2ID13) != 0) {
        free(box);
        return err_set(msg, ERR_NOMEM, "the passphrase check needs 256 MiB of free memory");
    }
    crypto_aead_xchacha20poly1305_ietf_encrypt(box, NULL, p, n, (const uint8_t *)domain,
                                               strlen(domain) + 1, NULL, random + KEYBOX_SALT, key);
    sodium_memzero(key, sizeof key);
    mp_put_array(out, 5);
    mp_put_u64(out, 1);
    mp_put_u64(out, KEYBOX_OPS);
    mp_put_u64(out, KEYBOX_MEM);
    mp_put_bin(out, random, KEYBOX_RANDOM);
    mp_put_bin(out, box, n + KEYBOX_TAG);
    free(box);
    return out->failed ? err_set(msg, ERR_NOMEM, "out of memory") : ERR_OK;
}

enum err passbox_open(const char *domain, const uint8_t *p, size_t n, const char *passphrase,
                      struct buf *plain, struct errmsg *msg)
{
    struct mp m = mp_over(p, n);
    uint8_t random[KEYBOX_RANDOM], key[KEY_BYTES], *to;
    const uint8_t *box;
    size_t len = 0;
    uint64_t ops, mem;
    int rc;

    if (mp_get_array(&m) != 5 || mp_get_u64(&m) != 1)
        return err_set(msg, ERR_MALFORMED, "the sealed file is damaged or of a newer version");
    ops = mp_get_u64(&m);
    mem = mp_get_u64(&m);
    mp_get_raw(&m, random, sizeof random);
    box = mp_get_bin(&m, &len);
    if (!mp_done(&m) || len < KEYBOX_TAG || ops > 4 * KEYBOX_OPS || mem > 4 * KEYBOX_MEM)
        return err_set(msg, ERR_MALFORMED, "the sealed file is damaged");
    if ((to = buf_grow(plain, len - KEYBOX_TAG)) == NULL ||
        crypto_pwhash(key, sizeof key, passphrase, strlen(passphrase), random, ops, (size_t)mem,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return err_set(msg, ERR_NOMEM, "the passphrase check needs 256 MiB of free memory");
    rc = crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL, box, len,
                                                    (const uint8_t *)domain, strlen(domain) + 1,
                                                    random + KEYBOX_SALT, key);
    sodium_memzero(key, sizeof key);
    return rc == 0 ? ERR_OK
                   : err_why(msg, ERR_DENIED, "wrong_passphrase", "passphrase",
                             "that is not the passphrase");
}

enum err keybox_seal(const uint8_t seed[SEED_BYTES], const char *passphrase,
                     const uint8_t random[KEYBOX_RANDOM], struct buf *out, struct errmsg *msg)
{
    return passbox_seal(keybox_domain, seed, SEED_BYTES, passphrase, random, out, msg);
}

enum err keybox_open(const uint8_t *p, size_t n, const char *passphrase, uint8_t seed[SEED_BYTES],
                     struct errmsg *msg)
{
    struct buf plain = { 0 };
    enum err e = passbox_open(keybox_domain, p, n, passphrase, &plain, msg);

    if (e == ERR_DENIED)
        err_why(msg, ERR_DENIED, "wrong_passphrase", "passphrase",
                "that is not the lead passphrase");
    if (e == ERR_OK && plain.len != SEED_BYTES)
        e = err_set(msg, ERR_MALFORMED, "the key file is damaged");
    if (e == ERR_OK)
        memcpy(seed, plain.p, SEED_BYTES);
    buf_wipe(&plain);
    return e;
}
