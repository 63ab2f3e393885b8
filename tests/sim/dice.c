/* dice.c - splitmix64 (Steele, Lea, Flood, OOPSLA 2014): the same rolls for the same seed. */
#include <string.h>

#include "sim.h"

uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->s += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint64_t rng_between(struct rng *r, uint64_t from, uint64_t to)
{
    return from + rng_next(r) % (to - from + 1);
}

bool rng_chance(struct rng *r, unsigned per_mille)
{
    return rng_next(r) % 1000 < per_mille;
}

void rng_fill(struct rng *r, void *out, size_t n)
{
    uint8_t *p = out;

    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = rng_next(r);
        memcpy(p + i, &v, n - i < 8 ? n - i : 8);
    }
}
