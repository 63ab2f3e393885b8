/* wire.h - the messages between desks: one msgpack array, [version, type, ...].
 *
 * Layouts: proto/PROTOCOL.md. The sender is the CURVE key that the transport authenticated, never
 * a field of the message. A message of unknown type, or with fields behind those known here, is
 * passed over, so that a newer desk may say more. */
#ifndef TIDEOVER_WIRE_H
#define TIDEOVER_WIRE_H

#include "buf.h"

#define WIRE_VERSION     1
#define WIRE_VERSION_MIN 1
#define WIRE_BYTES_MAX   ((1 << 20) + 65536) /* also ZMQ_MAXMSGSIZE; vectors go in parts */

enum wire_type { /* numbers are for ever */
                 WIRE_HELLO = 1,
                 WIRE_BEAT = 2,
                 WIRE_VECTOR = 3,
                 WIRE_WANT = 4,
                 WIRE_BLOCKS = 5,
                 WIRE_ACK = 6,
                 WIRE_ROSTER_HAVE = 7,
                 WIRE_ROSTER_OPS = 8,
                 WIRE_BYE = 9,
                 WIRE_FORK_ASK = 10,
                 WIRE_FORK_PROOF = 11,
                 WIRE_FLOOR = 12, /* answers a WANT of what is erased */
                 WIRE_KEY_WANT = 13,
                 WIRE_KEY = 14,
                 /* the ledger's */
                 WIRE_PREVOTE = 32,
                 WIRE_PREVOTED = 33,
                 WIRE_VOTE = 34,
                 WIRE_VOTED = 35,
                 WIRE_RENEW = 36,
                 WIRE_RENEWED = 37,
                 WIRE_ACCEPT = 38,
                 WIRE_ACCEPTED = 39,
                 WIRE_REFUSED = 40,
                 WIRE_RECEIPT = 41,
                 WIRE_SLOTS_WANT = 42,
                 WIRE_TRIGGER = 43,
                 WIRE_RESIGN = 44,
                 WIRE_OVERRIDE = 45,
                 WIRE_EVIDENCE = 46,
                 WIRE_PROGRESS = 47,
                 WIRE_PROGRESSED = 48,
                 WIRE_DECISION = 49,
                 WIRE_WORD = 50, /* what people say of decided slots: the sync's */
                 WIRE_ANSWERS_ASK = 51,
                 WIRE_ANSWERS = 52,
                 WIRE_BLOCKLIST_ASK = 55,
                 WIRE_BLOCKLIST = 56,
                 WIRE_CLOCKS_ASK = 57,
                 WIRE_CLOCKS = 58,
                 WIRE_CONDITION = 59,
                 WIRE_PACKED = 61, /* another one, smaller: pack.h */
                 /* joining, on its own socket */
                 WIRE_JOIN = 64,
                 WIRE_WELCOME = 65,
                 WIRE_JOIN_REFUSED = 66,
};

static inline bool wire_is_ledger(unsigned type)
{
    return (type >= WIRE_PREVOTE && type <= WIRE_DECISION) || type == WIRE_ANSWERS_ASK ||
           type == WIRE_ANSWERS;
}

/* Opens a message of n fields behind the type. */
static inline void wire_begin(struct buf *b, enum wire_type type, unsigned fields)
{
    mp_put_array(b, 2 + fields);
    mp_put_u64(b, WIRE_VERSION);
    mp_put_u64(b, type);
}

/* Reads the head; m then stands at the first field. 0: not one of ours. */
static inline unsigned wire_open(struct mp *m)
{
    uint32_t n = mp_get_array(m);
    uint64_t version = mp_get_u64(m), type = mp_get_u64(m);

    return m->bad || n < 2 || version < WIRE_VERSION_MIN || type > 255 ? 0 : (unsigned)type;
}

#endif
