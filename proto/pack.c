/* pack.c - LZ4 around a message, and off it again. */
#include "pack.h"

#include <lz4.h>

#include "wire.h"

bool message_pack(const uint8_t *p, size_t n, struct buf *out)
{
    size_t room = n - n / 8; /* what does not fit into so much did not pay */
    struct buf lz4 = { 0 };
    int len = 0;

    if (n < PACK_BYTES_MIN || n > WIRE_BYTES_MAX)
        return false;
    if (buf_grow(&lz4, room) != NULL)
        len = LZ4_compress_default((const char *)p, (char *)lz4.p, (int)n, (int)room);
    if (len > 0) {
        wire_begin(out, WIRE_PACKED, 2);
        mp_put_u64(out, n);
        mp_put_bin(out, lz4.p, (size_t)len);
    }
    buf_free(&lz4);
    return len > 0 && !out->failed;
}

bool message_unpack(struct mp *m, struct buf *out)
{
    uint64_t whole = mp_get_u64(m);
    size_t len = 0;
    const uint8_t *lz4 = mp_get_bin(m, &len);
    struct mp inside;

    m->bad |= whole < PACK_BYTES_MIN || whole > WIRE_BYTES_MAX || len > whole;
    if (m->bad || buf_grow(out, whole) == NULL ||
        LZ4_decompress_safe((const char *)lz4, (char *)out->p, (int)len, (int)whole) !=
            (int)whole) {
        m->bad = true;
        return false;
    }
    inside = mp_over(out->p, out->len);
    m->bad = wire_open(&inside) == WIRE_PACKED; /* or a small one could be opened for ever */
    return !m->bad;
}
