/* beacon.h - "here I am", for the desks of one branch on one network: 48 bytes over UDP broadcast.
 *
 * A hint where a desk may be found, never trust: a connection is pinned to the desk's key, so a
 * forged or repeated beacon leads to a handshake that fails. It names nobody: all but its first
 * bytes look random and change each time, to everyone outside the branch. No clock is in it: a PC
 * whose clock is years off is found like any other. Pure; sockets are in node/beacon.c. */
#ifndef TIDEOVER_BEACON_H
#define TIDEOVER_BEACON_H

#include "ident.h"
#include "record.h"

#define BEACON_BYTES 48
#define BEACON_PORT  7411 /* UDP, whatever the desks' own TCP port */
#define BEACON_NONCE 16

#define BEACON_FIRST_MS    1000  /* three of them, then .. */
#define BEACON_SEARCH_MS   5000  /* .. while a desk is missing */
#define BEACON_TOGETHER_MS 30000 /* all are here: for those that come */
#define BEACONS_A_SECOND   50    /* taken in at most: the rest is a flood */

struct beacon_key {
    uint8_t b[32];
};
/* Known to whoever has the roster. */
void beacon_key_of(const uint8_t root_pk[KEY_BYTES], struct beacon_key *out);

/* port: where that desk takes connections. nonce: drawn anew for each. */
void beacon_make(const struct beacon_key *k, const struct desk_id *desk, uint16_t port,
                 const uint8_t nonce[BEACON_NONCE], uint8_t out[BEACON_BYTES]);
/* Bytes from anywhere. False: of no desk of this branch's key, or damaged. */
bool beacon_open(const struct beacon_key *k, const uint8_t *p, size_t n, uint16_t *port);
/* Of an opened one: is it this desk's? */
bool beacon_is_of(const struct beacon_key *k, const uint8_t p[BEACON_BYTES],
                  const struct desk_id *desk);
/* How long until the next, after so many; dice: any number, for a fifth up or down. */
uint32_t beacon_wait_ms(unsigned sent, bool all_here, uint32_t dice);

#endif
