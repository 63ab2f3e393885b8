/* disk.h - the ordered tables that the rules read and write, without saying where they lie.
 *
 * The shell lends a `struct disk` over LMDB (store/), the simulator one over memory. All puts and
 * dels made while the core handles a batch of events become durable together or not at all, and
 * nothing the core sent in that batch leaves before they are: "persist before you answer" holds by
 * construction. Keys are fixed-width big-endian and never carry a barcode (keys are not sealed). */
#ifndef TIDEOVER_DISK_H
#define TIDEOVER_DISK_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

enum table {
    TABLE_META,   /* 1 byte what, then at most 16 bytes          -> see store/FORMAT.md */
    TABLE_ROSTER, /* arrival number be32                         -> signed operation */
    TABLE_FEEDS,  /* alias be32                                  -> opening of the feed */
    TABLE_BLOCKS, /* alias be32, last seq be64                   -> block */
    TABLE_PAPER,  /* time be64, feed 24, seq be64              -> nothing: records typed from paper
                   */
    TABLE_CARDS,  /* feed 24, seq be64                         -> nothing: registrations */
    TABLE_VOIDS,  /* target (feed 24, seq be64), void (same)    -> nothing */
    TABLE_SLOTS,  /* slot be64                                   -> receipt, its intent inside */
    TABLE_EPOCHS, /* number be32, hash 32                    -> certificate of an override */
    TABLE_EVIDENCE, /* number be32, hash 32, slot be64         -> receipt of a lost epoch */
    TABLE_WORDS,    /* id of the word 16                           -> signed word */
    TABLE_FORKS,    /* feed 24                                     -> fork proof */
    TABLE_TAILS,   /* feed 24, last seq be64, hash 32             -> block of a history that lost */
    TABLE_ASIDE,   /* feed 24, seq be64                         -> slot, why, machine id */
    TABLE_KEPT,    /* feed 24, seq be64                         -> h before it, record */
    TABLE_ANSWERS, /* slot be64, intent hash 8, number be64   -> h up to it, answer */
    TABLE_BLOCKLIST, /* part be32: 0 the head, then rows       -> see store/FORMAT.md */
    TABLE_CLOCKS,    /* feed 24                                    -> correction, as measured */
    TABLE_COUNT
};

#define DISK_KEY_MAX   64
#define DISK_VALUE_MAX (1 << 20)

struct disk {
    void *ctx;
    /* ERR_MISSING if absent. The value replaces what is in *val. */
    enum err (*get)(void *ctx, enum table t, const void *key, size_t n, struct buf *val);
    /* First key >= the given one (dir > 0) or last key < it (dir < 0). key_out has DISK_KEY_MAX
     * bytes; val may be NULL. ERR_MISSING at the end of the table. */
    enum err (*seek)(void *ctx, enum table t, const void *key, size_t n, int dir, uint8_t *key_out,
                     size_t *key_len, struct buf *val);
    enum err (*put)(void *ctx, enum table t, const void *key, size_t n, const void *val,
                    size_t len);
    enum err (*del)(void *ctx, enum table t, const void *key, size_t n);
};

#endif
