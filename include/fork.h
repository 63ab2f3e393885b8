/* fork.h - the proof that a desk signed two histories of one of its feeds.
 *
 * Two runs of records begin at the same place, and each ends at a head that the desk signed; they
 * part in between. Nobody but the desk (or whoever has its key: a cloned disk) can make one, and
 * everybody can check it without holding the feed. Byte form: proto/PROTOCOL.md, "Forks". */
#ifndef TIDEOVER_FORK_H
#define TIDEOVER_FORK_H

#include "feed.h"

#define FORK_BYTES_MAX (2 * (BLOCK_BYTES_MAX + 1024)) /* two runs of a block's size */

struct fork_run {
    const uint8_t *opening; /* of a run that begins at 1, else empty; borrowed, like the block */
    size_t opening_n;
    const uint8_t *bytes; /* of the block */
    size_t n;
    struct block block;
};

struct fork {
    struct feed_id feed;
    uint8_t before[HASH_BYTES]; /* h before both runs; zeros when they begin at 1 */
    struct fork_run run[2];
    uint64_t at; /* the last record that both histories share; 0: none */
};

void fork_encode(const struct fork *f, struct buf *out);
/* Bounds and form only; f borrows p. ERR_MALFORMED. */
enum err fork_decode(const uint8_t *p, size_t n, struct fork *f, struct errmsg *msg);
/* Both signatures right, and two histories: fills f->at and each block's hash at its end. ERR_PEER:
 * it proves nothing. */
enum err fork_check(struct fork *f, const uint8_t branch[BRANCH_ID_BYTES],
                    const uint8_t pk[KEY_BYTES], struct errmsg *msg);

#endif
