/* now.c - this PC's clocks as numbers. */
#include "now.h"

uint64_t clock_us(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t clock_ms(clockid_t id)
{
    return clock_us(id) / 1000;
}
