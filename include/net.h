/* net.h - ZeroMQ with CURVE: one bound ROUTER that only receives, one DEALER per peer that only
 * sends.
 *
 * Who sent a message is the User-Id that our ZAP handler gave to its CURVE key, read from the
 * message itself; routing ids are claims and not used. ZeroMQ may lose messages: see sync. All
 * calls from one thread. The options and why each: proto/PROTOCOL.md, "Sockets". */
#ifndef TIDEOVER_NET_H
#define TIDEOVER_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "ident.h"

struct net;

struct net_events {
    void *ctx;
    /* RFC 27 status for a client key: 200 (who is filled), 300 try again, 400 never. */
    int (*admit)(void *ctx, const uint8_t curve_pk[KEY_BYTES], struct desk_id *who);
    void (*message)(void *ctx, const struct desk_id *from, const char *ip, const uint8_t *p,
                    size_t n);
    void (*up)(void *ctx, const struct desk_id *peer); /* handshake with it is done */
    void (*down)(void *ctx, const struct desk_id *peer);
    /* Somebody at a join door; answer with net_door_answer() and the same client. */
    void (*knock)(void *ctx, int door, uint64_t client, const uint8_t *p, size_t n);
};

/* listen "0.0.0.0:7411". ERR_EXISTS: the port is taken. me and events are borrowed. */
enum err net_open(const char *listen, const struct ident *me, const struct net_events *events,
                  struct net **out, struct errmsg *msg);
void net_close(struct net *n);

/* (Re)makes the connection to a peer; address numeric "10.0.0.5:7411". */
enum err net_connect(struct net *n, const struct desk_id *peer, const uint8_t curve_pk[KEY_BYTES],
                     const char *address, struct errmsg *msg);
void net_disconnect(struct net *n, const struct desk_id *peer);
/* false: not connected, or its queue is full; the message is gone, which is no error. */
bool net_send(struct net *n, const struct desk_id *peer, const uint8_t *p, size_t len);

/* Waits for traffic, the wake descriptor, or the time; then calls the events. Messages are handled
 * in one go up to a bound, so that timers keep their time under a flood. */
void net_poll(struct net *n, int wake_fd, int timeout_ms);

/* A join door: its own ROUTER on a port of its own (returned), any client key, the given server
 * key. Returns its number, or -1 with msg. */
int net_door_open(struct net *n, const uint8_t curve_sk[KEY_BYTES], uint16_t *port,
                  struct errmsg *msg);
void net_door_answer(struct net *n, int door, uint64_t client, const uint8_t *p, size_t len);
void net_door_close(struct net *n, int door);

/* Why the connection to a peer does not come about, as it was last seen; err: errno, of NO_ANSWER,
 * 0 while that is not known. */
enum net_why {
    NET_FINE,         /* it stands, or was not tried yet */
    NET_NO_ANSWER,    /* nobody takes a connection at that address */
    NET_OTHER_KEY,    /* somebody does, and is not that desk */
    NET_NOT_ADMITTED, /* it is that desk, and does not know us (yet) */
};
enum net_why net_why(const struct net *n, const struct desk_id *peer, int *err);

struct net_traffic { /* bytes of messages as packed, not yet encrypted, since the start */
    uint64_t sent, received;
};
struct net_traffic net_traffic(const struct net *n, const struct desk_id *peer);
uint64_t net_refused(const struct net *n); /* handshakes with keys that are not on the roster */

#endif
