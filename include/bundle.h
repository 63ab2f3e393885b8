/* bundle.h - what a desk holds, in a file for a stick: for one whose network is dead.
 *
 * A bundle is what the wire would carry to a desk that has nothing: roster, floors, blocks, proofs
 * of forks, words, overrides, receipts. It goes in parts; each stands alone, is sealed for the
 * desks of the branch and signed by the desk that wrote it, so a torn file is good up to the tear,
 * and what is taken twice changes nothing. Byte form: PROTOCOL.md, "Bundle". */
#ifndef TIDEOVER_BUNDLE_H
#define TIDEOVER_BUNDLE_H

#include "buf.h"
#include "err.h"
#include "record.h"

struct core;   /* core.h */
struct moment; /* core.h */

#define BUNDLE_HEAD "tideover bundle 1\n" /* the file's first line; then be32 length, part */
/* A part closes behind the message that fills it; a receipt, the longest, has a megabyte at most. */
#define BUNDLE_PART_MAX (2u << 20)

struct bundle_at { /* where the next part begins; zeros: the first */
    unsigned stage;
    uint64_t index, seq;
    unsigned parts; /* before it */
};
void bundle_at_text(const struct bundle_at *at, char out[64]);
bool bundle_at_parse(const char *text, struct bundle_at *at);

/* Appends one part to out and moves on; *last: it was the last one. ERR_NOMEM. */
enum err core_bundle(struct core *c, struct bundle_at *at, struct buf *out, bool *last,
                     struct errmsg *msg);

struct bundle_taken {
    struct desk_id from;        /* who wrote it */
    unsigned messages, refused; /* refused: an event says why */
    bool last;
    unsigned
        number; /* from 1: a file with a part cut out of it, or with two in wrong order, shows */
};
/* Takes a part in as if its desk had sent it, but that desk does not count as heard. Seal, commit,
 * then effects, as after core_message(). ERR_MALFORMED; ERR_MISSING: of a desk not known here;
 * ERR_DENIED: of another branch, of a revoked desk, not sealed for this one, or bent; ERR_EXISTS:
 * this desk wrote it itself. */
enum err core_bundle_take(struct core *c, const struct moment *now, const uint8_t *p, size_t n,
                          struct bundle_taken *out, struct errmsg *msg);

#endif
