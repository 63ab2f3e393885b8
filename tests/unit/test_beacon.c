/* Beacons: whose they are is known inside the branch, and to nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "beacon.h"

static struct beacon_key key_of(uint8_t root)
{
    uint8_t pk[KEY_BYTES];
    struct beacon_key k;

    memset(pk, root, sizeof pk);
    beacon_key_of(pk, &k);
    return k;
}

static void make(uint8_t root, uint8_t desk, uint8_t nonce, uint8_t out[BEACON_BYTES])
{
    struct beacon_key k = key_of(root);
    struct desk_id id = { { desk } };
    uint8_t n[BEACON_NONCE] = { nonce };

    beacon_make(&k, &id, 7411, n, out);
}

static void a_desk_of_the_branch_is_recognised(void **state)
{
    struct beacon_key k = key_of(1);
    struct desk_id a = { { 7 } }, b = { { 8 } };
    uint8_t p[BEACON_BYTES];
    uint16_t port = 0;

    (void)state;
    make(1, 7, 3, p);
    assert_true(beacon_open(&k, p, sizeof p, &port));
    assert_int_equal(port, 7411);
    assert_true(beacon_is_of(&k, p, &a));
    assert_false(beacon_is_of(&k, p, &b));
}

static void every_changed_bit_and_length_is_refused(void **state)
{
    struct beacon_key k = key_of(1), other = key_of(2);
    uint8_t p[BEACON_BYTES + 1] = { 0 };
    uint16_t port;

    (void)state;
    make(1, 7, 3, p);
    for (unsigned bit = 0; bit < 8 * BEACON_BYTES; bit++) {
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(beacon_open(&k, p, BEACON_BYTES, &port));
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t n = 0; n <= sizeof p; n++)
        assert_int_equal(beacon_open(&k, p, n, &port), n == BEACON_BYTES);
    assert_false(beacon_open(&other, p, BEACON_BYTES, &port));
}

static void two_beacons_of_one_desk_share_nothing_but_the_magic(void **state)
{
    uint8_t p[BEACON_BYTES], q[BEACON_BYTES];
    unsigned same = 0;

    (void)state;
    make(1, 7, 3, p);
    make(1, 7, 4, q);
    assert_memory_not_equal(p + 20, q + 20, 8);  /* whose */
    assert_memory_not_equal(p + 28, q + 28, 2);  /* the port */
    assert_memory_not_equal(p + 32, q + 32, 16); /* the MAC */
    for (unsigned i = 32; i < BEACON_BYTES; i++)
        same += p[i] == q[i];
    assert_true(same < 4);
}

static void they_come_soon_then_seldom(void **state)
{
    (void)state;
    for (uint32_t dice = 0; dice < 100000; dice += 997) {
        assert_in_range(beacon_wait_ms(0, false, dice), 800, 1200);
        assert_in_range(beacon_wait_ms(2, true, dice), 800, 1200);
        assert_in_range(beacon_wait_ms(3, false, dice), 4000, 6000);
        assert_in_range(beacon_wait_ms(1000000, true, dice), 24000, 36000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_desk_of_the_branch_is_recognised),
        cmocka_unit_test(every_changed_bit_and_length_is_refused),
        cmocka_unit_test(two_beacons_of_one_desk_share_nothing_but_the_magic),
        cmocka_unit_test(they_come_soon_then_seldom),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
