/* mp.c - msgpack: out through msgpack-c, in by a cursor of our own, which looks at every count and
 * length before it believes it. */
#include "buf.h"

#include <msgpack/pack.h>
#include <string.h>

/* ---- msgpack out ---- */

static int write_buf(void *data, const char *p, size_t n)
{
    struct buf *b = data;

    buf_add(b, p, n);
    return b->failed ? -1 : 0;
}

static msgpack_packer packer(struct buf *b)
{
    msgpack_packer pk;

    msgpack_packer_init(&pk, b, write_buf);
    return pk;
}

void mp_put_array(struct buf *b, uint32_t n)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_array(&pk, n);
}

void mp_put_map(struct buf *b, uint32_t n)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_map(&pk, n);
}

void mp_put_u64(struct buf *b, uint64_t v)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_uint64(&pk, v);
}

void mp_put_i64(struct buf *b, int64_t v)
{
    msgpack_packer pk = packer(b);
    msgpack_pack_int64(&pk, v);
}

void mp_put_bool(struct buf *b, bool v)
{
    msgpack_packer pk = packer(b);

    if (v)
        msgpack_pack_true(&pk);
    else
        msgpack_pack_false(&pk);
}

/* msgpack-c writes a length modulo 2^32 without a word. */
static bool length_fits(struct buf *b, size_t n)
{
    if (n > UINT32_MAX)
        b->failed = true;
    return !b->failed;
}

void mp_put_bin(struct buf *b, const void *p, size_t n)
{
    msgpack_packer pk = packer(b);

    if (length_fits(b, n) && msgpack_pack_bin(&pk, n) == 0)
        buf_add(b, p, n);
}

void mp_put_str(struct buf *b, const char *s)
{
    msgpack_packer pk = packer(b);
    size_t n = strlen(s);

    if (length_fits(b, n) && msgpack_pack_str(&pk, n) == 0)
        buf_add(b, s, n);
}

/* ---- msgpack in ---- */

struct mp mp_over(const void *p, size_t n)
{
    const uint8_t *at = p;

    return (struct mp){ .p = at, .end = at != NULL ? at + n : NULL }; /* NULL: nothing to read */
}

static size_t left(const struct mp *m)
{
    return m->bad ? 0 : (size_t)(m->end - m->p);
}

static uint64_t fail(struct mp *m)
{
    m->bad = true;
    return 0;
}

/* The next n bytes (1, 2, 4, 8) as a big-endian number. */
static uint64_t take_be(struct mp *m, size_t n)
{
    uint64_t v = 0;

    if (left(m) < n)
        return fail(m);
    for (size_t i = 0; i < n; i++)
        v = v << 8 | *m->p++;
    return v;
}

static const uint8_t *take(struct mp *m, uint64_t n)
{
    const uint8_t *at = m->p;

    if (m->bad || n > left(m)) {
        fail(m);
        return NULL;
    }
    m->p += n;
    return at;
}

static uint32_t take_count(struct mp *m, size_t width, unsigned per_element)
{
    uint64_t n = take_be(m, width);

    if (n * per_element > left(m))
        return (uint32_t)fail(m);
    return (uint32_t)n;
}

static uint32_t small_count(struct mp *m, unsigned n, unsigned per_element)
{
    return n * per_element > left(m) ? (uint32_t)fail(m) : n;
}

uint32_t mp_get_array(struct mp *m)
{
    uint8_t c = (uint8_t)take_be(m, 1);

    if (!m->bad && (c & 0xf0) == 0x90)
        return small_count(m, c & 0x0f, 1);
    if (!m->bad && (c == 0xdc || c == 0xdd))
        return take_count(m, c == 0xdc ? 2 : 4, 1);
    return (uint32_t)fail(m);
}

uint32_t mp_get_map(struct mp *m)
{
    uint8_t c = (uint8_t)take_be(m, 1);

    if (!m->bad && (c & 0xf0) == 0x80)
        return small_count(m, c & 0x0f, 2);
    if (!m->bad && (c == 0xde || c == 0xdf))
        return take_count(m, c == 0xde ? 2 : 4, 2);
    return (uint32_t)fail(m);
}

/* Any integer: *negative tells how to read the 64 bits. */
static uint64_t take_int(struct mp *m, bool *negative)
{
    uint8_t c = (uint8_t)take_be(m, 1);
    uint64_t v;
    size_t width;

    *negative = false;
    if (m->bad)
        return 0;
    if (c <= 0x7f)
        return c;
    if (c >= 0xe0) {
        *negative = true;
        return UINT64_MAX << 8 | c;
    }
    if (c >= 0xcc && c <= 0xcf)
        return take_be(m, (size_t)1 << (c - 0xcc));
    if (c < 0xd0 || c > 0xd3)
        return fail(m);
    width = (size_t)1 << (c - 0xd0);
    v = take_be(m, width);
    if (width < 8 && (v >> (width * 8 - 1)) != 0)
        v |= UINT64_MAX << (width * 8);
    *negative = v >> 63 != 0;
    return v;
}

uint64_t mp_get_u64(struct mp *m)
{
    bool negative;
    uint64_t v = take_int(m, &negative);

    return negative ? fail(m) : v;
}

int64_t mp_get_i64(struct mp *m)
{
    bool negative;
    uint64_t v = take_int(m, &negative);

    if (negative)
        return -(int64_t)(UINT64_MAX - v) - 1;
    return v > INT64_MAX ? (int64_t)fail(m) : (int64_t)v;
}

bool mp_get_bool(struct mp *m)
{
    uint8_t c = (uint8_t)take_be(m, 1);

    if (m->bad || (c != 0xc2 && c != 0xc3))
        return fail(m) != 0;
    return c == 0xc3;
}

const uint8_t *mp_get_bin(struct mp *m, size_t *n)
{
    uint8_t c = (uint8_t)take_be(m, 1);
    const uint8_t *at;
    uint64_t len;

    *n = 0;
    if (m->bad || c < 0xc4 || c > 0xc6) {
        fail(m);
        return NULL;
    }
    len = take_be(m, (size_t)1 << (c - 0xc4));
    at = take(m, len);
    *n = at != NULL ? (size_t)len : 0;
    return at;
}

bool mp_get_raw(struct mp *m, void *out, size_t n)
{
    size_t len;
    const uint8_t *at = mp_get_bin(m, &len);

    if (at == NULL || len != n) {
        memset(out, 0, n);
        return fail(m) != 0;
    }
    memcpy(out, at, n);
    return true;
}

static const uint8_t *take_str(struct mp *m, size_t *n)
{
    uint8_t c = (uint8_t)take_be(m, 1);

    if (!m->bad && (c & 0xe0) == 0xa0)
        *n = c & 0x1f;
    else if (!m->bad && c >= 0xd9 && c <= 0xdb)
        *n = (size_t)take_be(m, (size_t)1 << (c - 0xd9));
    else
        fail(m);
    return m->bad ? NULL : take(m, *n);
}

bool mp_get_str(struct mp *m, char *out, size_t room)
{
    size_t n = 0;
    const uint8_t *at = take_str(m, &n);

    if (at != NULL && n < room) {
        memcpy(out, at, n);
        out[n] = 0;
        if (text_plain(out) == n || (memchr(at, 0, n) == NULL && text_is_clean(out)))
            return true;
    }
    if (room > 0)
        out[0] = 0;
    return fail(m) != 0;
}

/* What follows the first byte c: payload bytes in *bytes, elements in the return value. */
static uint32_t skip_shape(struct mp *m, uint8_t c, uint64_t *bytes)
{
    *bytes = 0;
    if (c <= 0x7f || c >= 0xe0 || c == 0xc0 || c == 0xc2 || c == 0xc3)
        return 0;
    if (c <= 0x8f)
        return small_count(m, c & 0x0f, 2) * 2;
    if (c <= 0x9f)
        return small_count(m, c & 0x0f, 1);
    if (c <= 0xbf)
        *bytes = c & 0x1f;
    else if (c >= 0xc4 && c <= 0xc6)
        *bytes = take_be(m, (size_t)1 << (c - 0xc4));
    else if (c >= 0xc7 && c <= 0xc9)
        *bytes = take_be(m, (size_t)1 << (c - 0xc7)) + 1; /* and the type byte */
    else if (c == 0xca || c == 0xcb)
        *bytes = c == 0xca ? 4 : 8;
    else if (c >= 0xcc && c <= 0xd3)
        *bytes = (uint64_t)1 << ((c - 0xcc) & 3);
    else if (c >= 0xd4 && c <= 0xd8)
        *bytes = ((uint64_t)1 << (c - 0xd4)) + 1;
    else if (c >= 0xd9 && c <= 0xdb)
        *bytes = take_be(m, (size_t)1 << (c - 0xd9));
    else if (c == 0xdc || c == 0xdd)
        return take_count(m, c == 0xdc ? 2 : 4, 1);
    else if (c == 0xde || c == 0xdf)
        return take_count(m, c == 0xde ? 2 : 4, 2) * 2;
    else
        fail(m); /* 0xc1 is never used */
    return 0;
}

/* `open[d]` elements are still to come at depth d; every element costs a byte, so this ends. */
void mp_skip(struct mp *m)
{
    uint32_t open[MP_DEPTH_MAX + 1] = { 1 };
    unsigned depth = 0;

    while (!m->bad) {
        uint64_t bytes;
        uint32_t inside;

        while (open[depth] == 0) {
            if (depth == 0)
                return;
            depth--;
        }
        open[depth]--;
        inside = skip_shape(m, (uint8_t)take_be(m, 1), &bytes);
        if (m->bad)
            return;
        take(m, bytes);
        if (inside == 0)
            continue;
        if (depth == MP_DEPTH_MAX) {
            fail(m);
            return;
        }
        open[++depth] = inside;
    }
}

bool mp_done(const struct mp *m)
{
    return !m->bad && m->p == m->end;
}

/* ---- keys ---- */
