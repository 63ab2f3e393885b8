/* liar.h - what the liar signed, so that the checks can tell its histories apart. */
#ifndef TIDEOVER_SIM_LIAR_H
#define TIDEOVER_SIM_LIAR_H

#include "sim.h"

#define LIAR_HISTORIES 3
#define LIAR_RECORDS   1000
#define LIAR_BLOCKS    64
#define LIAR_POINTS    64

struct history {
    bool began;
    uint64_t seq;
    uint8_t h[LIAR_RECORDS + 1][HASH_BYTES];
    struct buf block[LIAR_BLOCKS];
    unsigned n_blocks;
};

struct liar {
    struct ident me;
    bool began;
    struct opening opening;
    struct history history[LIAR_HISTORIES];
    /* check_liar.c: where slots cut its feed */
    struct slot_range cut[LIAR_POINTS];
    unsigned n_cuts;
    uint64_t looked_at; /* slots */
};

#endif
