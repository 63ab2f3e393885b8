/* fuzz_msgpack.c - the cursor of mp.c against msgpack-c, over whatever bytes.
 *
 * msgpack-c's unpacker reserves memory for as many elements as five bytes announce; the cursor
 * compares with what is left first. So it goes first here too, and what it takes msgpack-c must
 * take alike. */
#include "fuzz.h"

#include <msgpack.h>

/* Reads every object by what its first byte says, and must never leave the input. */
static void read_by_getters(const uint8_t *p, size_t n)
{
    struct mp m = mp_over(p, n);
    char text[64];
    uint8_t raw[16];

    while (!m.bad && m.p < m.end) {
        const uint8_t *before = m.p;
        uint8_t c = *m.p;
        size_t len = 0;

        if (c == 0xc2 || c == 0xc3)
            mp_get_bool(&m);
        else if (c <= 0x7f || (c >= 0xcc && c <= 0xcf))
            mp_get_u64(&m);
        else if (c >= 0xe0 || (c >= 0xd0 && c <= 0xd3))
            mp_get_i64(&m);
        else if ((c & 0xe0) == 0xa0 || (c >= 0xd9 && c <= 0xdb))
            mp_get_str(&m, text, sizeof text);
        else if (c == 0xc4)
            mp_get_raw(&m, raw, sizeof raw);
        else if (c == 0xc5 || c == 0xc6)
            must_hold(mp_get_bin(&m, &len) != NULL || (m.bad && len == 0));
        else if ((c & 0xf0) == 0x90 || c == 0xdc || c == 0xdd)
            must_hold(mp_get_array(&m) <= (size_t)(m.end - m.p));
        else if ((c & 0xf0) == 0x80 || c == 0xde || c == 0xdf)
            must_hold(2 * (uint64_t)mp_get_map(&m) <= (uint64_t)(m.end - m.p));
        else
            mp_skip(&m);
        must_hold(m.p <= m.end && (m.bad || m.p > before));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    uint8_t *copy = fuzz_copy(p, n);
    struct mp m = mp_over(copy, n);
    msgpack_unpacked theirs;
    size_t off = 0;

    mp_skip(&m);
    if (!m.bad && n > 0) {
        msgpack_unpacked_init(&theirs);
        must_hold(msgpack_unpack_next(&theirs, (const char *)copy, n, &off) >= 0);
        must_hold(off == (size_t)(m.p - copy));
        msgpack_unpacked_destroy(&theirs);
    }
    read_by_getters(copy, n);
    free(copy);
    return 0;
}

void fuzz_seeds(void)
{
    uint8_t nested[31 * 5];
    struct buf b = { 0 };

    fuzz_seed("\xdd\xff\xff\xff\xff", 5);     /* an array of 4 G elements: 1 GB of msgpack-c */
    fuzz_seed("\xdf\xff\xff\xff\xff", 5);     /* a map of as many pairs */
    fuzz_seed("\xdd\x0f\xff\xff\xff\xc0", 6); /* one element is there */
    fuzz_seed("\xc6\xff\xff\xff\xff", 5);
    fuzz_seed("\xdb\xff\xff\xff\xff", 5);
    fuzz_seed("\xc9\xff\xff\xff\xff\x00", 6);
    for (unsigned i = 0; i < sizeof nested; i++)
        nested[i] = (uint8_t[]){ 0xdd, 0x01, 0xff, 0xff, 0xff }[i % 5]; /* 16 GB there */
    fuzz_seed(nested, sizeof nested);
    memset(nested, 0x91, sizeof nested); /* deeper than anything of ours */
    fuzz_seed(nested, sizeof nested);
    mp_put_array(&b, 5);
    mp_put_u64(&b, UINT64_MAX);
    mp_put_i64(&b, INT64_MIN);
    mp_put_str(&b, "text \xc3\xa9");
    mp_put_bool(&b, true);
    mp_put_map(&b, 2);
    mp_put_u64(&b, 1);
    mp_put_bin(&b, nested, 16);
    mp_put_u64(&b, 300);
    mp_put_array(&b, 0);
    fuzz_seed_buf(&b);
}
