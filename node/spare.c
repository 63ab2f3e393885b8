/* spare.c - the file `roster`: what a desk must know when its store is gone. */
#include "spare.h"

#include <sodium.h>
#include <string.h>

#include "core.h"
#include "keys.h"

#define FILE_NAME "roster"
#define MAGIC     "TIDEROST\1" /* the last byte is the form */
#define HEAD      9            /* in clear, and associated data */
#define NONCE     crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG       crypto_aead_xchacha20poly1305_ietf_ABYTES
#define FILE_MAX  (256u << 20) /* more than the largest roster (roster.h) */

/* Not the desk key of the store: that one moves on with each erasure, and nothing here is erased.
 */
static void spare_key(const struct ident *me, uint8_t key[HASH_BYTES])
{
    struct part secret = { me->curve_sk, KEY_BYTES };

    hash_parts("tideover spare v1", &secret, 1, key, HASH_BYTES);
}

static void put_inner(const struct roster *r, const struct buf *addresses, struct buf *out)
{
    mp_put_array(out, 2);
    mp_put_array(out, roster_ops(r));
    for (unsigned i = 0; i < roster_ops(r); i++) {
        size_t n;
        const uint8_t *op = roster_op(r, i, &n);
        mp_put_bin(out, op, n);
    }
    buf_add(out, addresses->p, addresses->len);
}

enum err spare_write(const char *dir, const struct ident *me, const struct roster *r,
                     const struct buf *addresses, struct errmsg *msg)
{
    struct buf file = { 0 }, inner = { 0 };
    uint8_t key[HASH_BYTES], *box;
    enum err e = ERR_NOMEM;

    put_inner(r, addresses, &inner);
    buf_add(&file, MAGIC, HEAD);
    box = inner.failed ? NULL : buf_grow(&file, NONCE + inner.len + TAG);
    if (box != NULL) {
        spare_key(me, key);
        randombytes_buf(box, NONCE);
        crypto_aead_xchacha20poly1305_ietf_encrypt(box + NONCE, NULL, inner.p, inner.len, file.p,
                                                   HEAD, NULL, box, key);
        sodium_memzero(key, sizeof key);
        e = small_file_write(dir, FILE_NAME, file.p, file.len, 0600, msg);
    }
    buf_free(&inner);
    buf_free(&file);
    return e;
}

static enum err parse(struct mp m, struct spare *out, struct errmsg *msg)
{
    const uint8_t *addresses;
    uint32_t n;

    if ((out->roster = roster_new()) == NULL)
        return ERR_NOMEM;
    if (mp_get_array(&m) != 2)
        m.bad = true;
    n = mp_get_array(&m);
    for (uint32_t i = 0; i < n && !m.bad; i++) {
        size_t len;
        const uint8_t *op = mp_get_bin(&m, &len);
        bool fresh;
        m.bad = m.bad || roster_add(out->roster, op, len, &fresh, msg) != ERR_OK;
    }
    addresses = m.p;
    mp_skip(&m);
    if (!mp_done(&m) || n == 0)
        return err_set(msg, ERR_DENIED, "the file " FILE_NAME " makes no sense");
    buf_add(&out->addresses, addresses, (size_t)(m.end - addresses));
    return out->addresses.failed ? ERR_NOMEM : ERR_OK;
}

enum err spare_read(const char *dir, const struct ident *me, struct spare *out, struct errmsg *msg)
{
    struct buf file = { 0 };
    uint8_t key[HASH_BYTES], *box;
    size_t n;
    enum err e = small_file_read(dir, FILE_NAME, FILE_MAX, &file, msg);

    *out = (struct spare){ 0 };
    if (e != ERR_OK)
        goto out;
    e = err_set(msg, ERR_DENIED, "the file " FILE_NAME " is damaged, or of another desk");
    if (file.len < HEAD + NONCE + TAG || memcmp(file.p, MAGIC, HEAD) != 0)
        goto out;
    box = file.p + HEAD + NONCE;
    n = file.len - HEAD - NONCE;
    spare_key(me, key);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(box, NULL, NULL, box, n, file.p, HEAD,
                                                   file.p + HEAD, key) == 0)
        e = parse(mp_over(box, n - TAG), out, msg);
    sodium_memzero(key, sizeof key);
    if (e != ERR_OK)
        spare_free(out);
out:
    buf_free(&file);
    return e;
}

void spare_free(struct spare *s)
{
    roster_free(s->roster);
    buf_free(&s->addresses);
    s->roster = NULL;
}

enum err spare_put(const struct disk *d, const struct roster *r, const struct buf *addresses)
{
    struct mp m = mp_over(addresses->p, addresses->len);
    enum err e = ERR_OK;
    uint32_t n;

    for (unsigned i = 0; e == ERR_OK && i < roster_ops(r); i++) {
        uint8_t key[4];
        size_t len;
        const uint8_t *op = roster_op(r, i, &len);
        put_be32(key, i);
        e = d->put(d->ctx, TABLE_ROSTER, key, sizeof key, op, len);
    }
    n = addresses->len ? mp_get_array(&m) : 0;
    for (uint32_t i = 0; e == ERR_OK && i < n; i++) {
        uint8_t key[1 + DESK_ID_BYTES] = { 'A' };
        char address[ADDR_TEXT_MAX];
        mp_get_array(&m);
        mp_get_raw(&m, key + 1, DESK_ID_BYTES);
        mp_get_str(&m, address, sizeof address);
        if (!m.bad)
            e = d->put(d->ctx, TABLE_META, key, sizeof key, address, strlen(address) + 1);
    }
    return e;
}
