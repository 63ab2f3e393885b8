/* fuzz_pack.c - packed messages: a bounded length whatever the bytes say, and every message comes
 * back as it was. The first byte picks: an LZ4 block of a member's own making, or a message. */
#include "fuzz.h"

#include "pack.h"
#include "wire.h"

static bool opens(const uint8_t *p, size_t n, struct buf *out)
{
    struct mp m = mp_over(p, n);

    return wire_open(&m) == WIRE_PACKED && message_unpack(&m, out);
}

static void hostile(const uint8_t *p, size_t n, size_t whole)
{
    struct buf msg = { 0 }, out = { 0 };
    uint8_t *copy;

    wire_begin(&msg, WIRE_PACKED, 2);
    mp_put_u64(&msg, whole);
    mp_put_bin(&msg, p, n);
    copy = fuzz_copy(msg.p, msg.len);
    if (opens(copy, msg.len, &out))
        must_hold(out.len == whole && whole <= WIRE_BYTES_MAX);
    free(copy);
    buf_free(&msg);
    buf_free(&out);
}

static void honest(const uint8_t *p, size_t n)
{
    struct buf packed = { 0 }, out = { 0 };

    if (message_pack(p, n, &packed)) {
        must_hold(packed.len < n);
        struct mp m = mp_over(p, n);
        must_hold(opens(packed.p, packed.len, &out) != (wire_open(&m) == WIRE_PACKED));
        must_hold(out.len == n && memcmp(out.p, p, n) == 0);
    }
    buf_free(&packed);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct fuzz_in in = { p, n };
    unsigned what = fuzz_byte(&in);
    struct buf out = { 0 };

    if (what % 4 == 0) {
        size_t whole = (size_t)fuzz_be16(&in) << (fuzz_byte(&in) % 8);
        hostile(in.p, in.n, whole);
    } else if (what % 4 == 1) {
        uint8_t *copy = fuzz_copy(in.p, in.n);
        (void)opens(copy, in.n, &out);
        must_hold(out.len <= WIRE_BYTES_MAX);
        free(copy);
    } else {
        honest(in.p, in.n);
    }
    buf_free(&out);
    return 0;
}

void fuzz_seeds(void)
{
    uint8_t message[2048];
    struct buf packed = { 0 };

    for (size_t i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i % 37 + i / 300);
    fuzz_seed_with(2, message, sizeof message);
    must_hold(message_pack(message, sizeof message, &packed));
    fuzz_seed_with(1, packed.p, packed.len);
    fuzz_seed("\0\x0a\x0f\0\x1fx\1\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0\x50xxxxx", 26);
    buf_free(&packed);
}
