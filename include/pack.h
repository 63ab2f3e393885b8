/* pack.h - messages between desks, made smaller where that pays: LZ4 inside a PACKED message.
 *
 * Whoever sends packs, after the rules and before the encryption; the rules open what comes, once they
 * know its sender. Layout, what it saves, and what a length may tell: proto/PROTOCOL.md, "Packed
 * messages". */
#ifndef TIDEOVER_PACK_H
#define TIDEOVER_PACK_H

#include "buf.h"

#define PACK_BYTES_MIN 512 /* a few scans, an ACK, a BEAT: nothing repeats in them */

/* The whole message to be sent in place of this one, into the empty out. False: as it is; saves less
 * than an eighth, or no memory for the try. */
bool message_pack(const uint8_t *p, size_t n, struct buf *out);

/* m stands at the first field of a PACKED message; the one inside into the empty out. False and m->bad:
 * hostile bytes, another packed one inside, or no memory. Never more than WIRE_BYTES_MAX. */
bool message_unpack(struct mp *m, struct buf *out);

#endif
