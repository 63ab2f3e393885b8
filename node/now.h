/* now.h - this PC's clocks as numbers: CLOCK_REALTIME is Unix time and may be set, CLOCK_MONOTONIC
 * only goes forward, CLOCK_BOOTTIME does so through a suspend, too. */
#ifndef TIDEOVER_NOW_H
#define TIDEOVER_NOW_H

#include <stdint.h>
#include <time.h>

uint64_t clock_ms(clockid_t id);
uint64_t clock_us(clockid_t id);

#endif
