/* net_int.h - shared by net.c (sockets, what comes in by them) and net_door.c (who may come in). */
#ifndef TIDEOVER_NET_INT_H
#define TIDEOVER_NET_INT_H

#include "net.h"

#include <zmq.h>

#include "conf.h"
#include "dial.h"

#define PEERS_MAX   256 /* as the roster */
#define DOORS_MAX   16  /* invites alive at once */
#define CLIENTS_MAX 64  /* knocks that wait for an answer, per node */
#define AT_ONCE_MAX 512 /* messages between two looks at the timers */

struct dealer {
    struct desk_id peer;
    void *sock, *monitor;
    struct net_traffic traffic;
    bool reached, up; /* by this socket: somebody answered; and it is that desk */
    enum net_why why;
    struct dial dial;
};

struct door {
    void *sock;
};

struct client { /* a routing id, kept until its answer */
    uint64_t number;
    size_t n;
    uint8_t id[255];
};

struct net {
    void *ctx, *zap, *router, *router_monitor;
    const struct ident *me;
    const struct net_events *ev;
    char host[CONF_ADDR_MAX];
    uint16_t port;
    struct dealer dealer[PEERS_MAX];
    unsigned n_dealers;
    struct door door[DOORS_MAX];
    struct client client[CLIENTS_MAX];
    uint64_t clients, monitors, refused;
    bool unread; /* something may be left that no descriptor tells of */
};

/* net.c */
void net_set_common(void *sock);
void net_set_server(void *sock, const uint8_t sk[KEY_BYTES], const char *domain);
enum err net_bind(void *sock, const char *host, uint16_t port, struct errmsg *msg);
bool net_take_frame(void *sock, zmq_msg_t *m); /* false: nothing there */
bool net_put_frame(void *sock, const void *p, size_t n, int more);
/* Takes one two-frame message; false: nothing there. Anything of another shape is dropped. */
bool net_receive(void *sock, zmq_msg_t *id, zmq_msg_t *body, bool *good);

/* net_door.c */
bool net_zap_serve(struct net *n); /* one question; false: nobody asks */
/* One knock, for as many answers are kept as there are clients. True: there may be more. */
bool net_door_serve(struct net *n, int door);

#endif
