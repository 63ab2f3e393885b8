/* join.h - the three messages of joining: who knocks, and what the door answers. No I/O.
 *
 * Byte forms: proto/PROTOCOL.md, "Joining". */
#ifndef TIDEOVER_JOIN_H
#define TIDEOVER_JOIN_H

#include "invite.h"
#include "roster.h"

#define JOIN_ADDRESS_MAX 64 /* as a desk advertises itself: "10.0.0.5:7411", ":7411" */

struct join {
    uint8_t sign_pk[KEY_BYTES], curve_pk[KEY_BYTES], sig[SIG_BYTES];
    uint8_t mac[HASH_BYTES]; /* invite_mac(): to be compared with the token's */
    char address[JOIN_ADDRESS_MAX];
};

void join_encode(const uint8_t token[INVITE_TOKEN_BYTES], const struct ident *me,
                 const char *address, struct buf *out);
/* False: not a JOIN, or not signed by the key that it names. */
bool join_decode(const uint8_t *p, size_t n, struct join *out);

/* Reads WELCOME into an empty roster, the addresses (as they came) and the sealed lead key (or
 * nothing); of JOIN_REFUSED: ERR_DENIED with its code and sentence. ERR_PEER: neither, or a roster
 * that does not hold, or one without `me`. */
enum err join_answer_read(const uint8_t *p, size_t n, const struct desk_id *me, struct roster *r,
                          struct buf *addresses, struct buf *lead_box, struct errmsg *msg);

#endif
