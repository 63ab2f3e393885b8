/* override.h - a lead's certificate that begins a new epoch when too few seats can be reached.
 *
 * A certificate names the last decided slot that still counts (its base), the seats from the next
 * slot on, and the desks that were not reached. Certificates form a chain by the hash of the one
 * before; an epoch is (number, H32 of its certificate). Of two epochs the higher number wins, of
 * two with one number the smaller hash. No I/O. Byte form: proto/PROTOCOL.md, "Override". */
#ifndef TIDEOVER_OVERRIDE_H
#define TIDEOVER_OVERRIDE_H

#include "slot.h"

#define OVERRIDES_MAX         64  /* in the life of a branch; a chain of them fits one message */
#define OVERRIDE_REASON_BYTES 200 /* with the NUL */
#define OVERRIDE_BYTES_MAX    8192

struct override {
    struct epoch epoch;       /* its number, and the hash of the certificate itself */
    uint8_t prev[HASH_BYTES]; /* of the epoch before; zeros: epoch 0 */
    uint64_t base;            /* last slot that counts, 0: none */
    uint8_t base_hash[HASH_BYTES];
    unsigned n_seats;
    struct desk_id seats[SEATS_MAX];
    unsigned n_missing; /* desks that the lead's desk did not reach */
    struct desk_id missing[ROSTER_DESKS_MAX];
    char reason[OVERRIDE_REASON_BYTES];
    int64_t made_ms;
    struct desk_id desk; /* where the lead signed */
    uint8_t lead_pk[KEY_BYTES];
};

void override_sign(const uint8_t branch[BRANCH_ID_BYTES], const struct override *o,
                   const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out);
/* Form, branch, seats (odd, distinct) and signature; fills epoch.hash. Whether the key is or was a
 * lead's is the roster's to say. ERR_MALFORMED, ERR_DENIED. */
enum err override_open(const uint8_t *p, size_t n, const uint8_t branch[BRANCH_ID_BYTES],
                       struct override *out, struct errmsg *msg);

bool epoch_eq(const struct epoch *a, const struct epoch *b);
bool epoch_wins(const struct epoch *a, const struct epoch *b); /* a over b; false if equal */

#endif
