/* net.c - sockets, their options, and what comes in by them. */
#include "net_int.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"
#include "wire.h"

#define ZAP_ENFORCE_DOMAIN 93 /* draft macro, honoured by Debian's 4.3.4: fail closed */

static void set_int(void *sock, int option, int value)
{
    zmq_setsockopt(sock, option, &value, sizeof value);
}

void net_set_common(void *sock)
{
    int64_t max = WIRE_BYTES_MAX;

    zmq_setsockopt(sock, ZMQ_MAXMSGSIZE, &max, sizeof max); /* default: unlimited */
    set_int(sock, ZMQ_LINGER, 0);
    set_int(sock, ZMQ_HANDSHAKE_IVL, 3000); /* default lets idle strangers hold slots for 30 s */
    set_int(sock, ZMQ_BACKLOG, 512);
    /* No ZMQ_HEARTBEAT_*: libzmq 4.3.4 aborts the process when a paused peer wakes up under load
     * (zeromq/libzmq#3937, #4767). Our own beats do that work. */
}

void net_set_server(void *sock, const uint8_t sk[KEY_BYTES], const char *domain)
{
    set_int(sock, ZMQ_CURVE_SERVER, 1);
    zmq_setsockopt(sock, ZMQ_CURVE_SECRETKEY, sk, KEY_BYTES);
    zmq_setsockopt(sock, ZMQ_ZAP_DOMAIN, domain, strlen(domain));
    set_int(sock, ZAP_ENFORCE_DOMAIN, 1);   /* without it a missing handler lets everybody in */
    set_int(sock, ZMQ_RCVHWM, AT_ONCE_MAX); /* a member that floods waits in its own TCP window */
}

/* ---- frames ---- */

/* libzmq looks at its own descriptor now and then, and what a signal breaks off there is no end: the
 * rest of a message would go astray, and what was not read before no descriptor tells of again. */
bool net_take_frame(void *sock, zmq_msg_t *m)
{
    int rc;

    do
        rc = zmq_msg_recv(m, sock, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc >= 0;
}

bool net_put_frame(void *sock, const void *p, size_t n, int more)
{
    int rc;

    do
        rc = zmq_send(sock, p, n, more | ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc >= 0;
}

bool net_receive(void *sock, zmq_msg_t *id, zmq_msg_t *body, bool *good)
{
    int more;

    *good = false;
    if (!net_take_frame(sock, id))
        return false;
    more = zmq_msg_more(id);
    if (more && net_take_frame(sock, body)) {
        more = zmq_msg_more(body);
        *good = !more;
    }
    while (more) {
        zmq_msg_t rest;
        zmq_msg_init(&rest);
        more = net_take_frame(sock, &rest) && zmq_msg_more(&rest);
        zmq_msg_close(&rest);
    }
    return true;
}

/* The next event of a monitor; 0: none waits. */
static unsigned next_event(void *monitor)
{
    zmq_msg_t head, where;
    uint16_t event = 0;
    bool good;

    zmq_msg_init(&head);
    zmq_msg_init(&where);
    if (monitor && net_receive(monitor, &head, &where, &good) &&
        zmq_msg_size(&head) >= sizeof event)
        memcpy(&event, zmq_msg_data(&head), sizeof event);
    zmq_msg_close(&head);
    zmq_msg_close(&where);
    return event;
}

/* The socket's events on a socket of their own; NULL: none left. */
static void *watch(struct net *n, void *sock, int events)
{
    char name[48];
    void *monitor;

    snprintf(name, sizeof name, "inproc://monitor-%llu", (unsigned long long)++n->monitors);
    if (zmq_socket_monitor(sock, name, events) != 0 ||
        (monitor = zmq_socket(n->ctx, ZMQ_PAIR)) == NULL)
        return NULL;
    set_int(monitor, ZMQ_LINGER, 0);
    if (zmq_connect(monitor, name) != 0) {
        zmq_close(monitor);
        return NULL;
    }
    next_event(monitor); /* once found empty, its descriptor tells of what comes */
    return monitor;
}

/* ---- opening ---- */

enum err net_bind(void *sock, const char *host, uint16_t port, struct errmsg *msg)
{
    char endpoint[CONF_ADDR_MAX + 32];

    snprintf(endpoint, sizeof endpoint, strchr(host, ':') ? "tcp://[%s]:%u" : "tcp://%s:%u", host,
             port);
    set_int(sock, ZMQ_IPV6, strchr(host, ':') != NULL);
    if (zmq_bind(sock, endpoint) == 0)
        return ERR_OK;
    if (errno == EADDRINUSE)
        return err_why(
            msg, ERR_EXISTS, "port_taken", "",
            "port %u is taken: does another node run here? Change [peers] listen in tideover.conf",
            port);
    return err_set(msg, ERR_CONFIG, "cannot listen on %s:%u: %s", host, port, zmq_strerror(errno));
}

enum err net_open(const char *listen, const struct ident *me, const struct net_events *events,
                  struct net **out, struct errmsg *msg)
{
    struct net *n = calloc(1, sizeof *n);
    enum err e;

    if (!n)
        return err_set(msg, ERR_NOMEM, "out of memory");
    n->me = me;
    n->ev = events;
    if (!addr_split(listen, n->host, &n->port)) {
        free(n);
        return err_set(msg, ERR_CONFIG, "%s is no numeric ADDRESS:PORT", listen);
    }
    n->ctx = zmq_ctx_new();
    zmq_ctx_set(n->ctx, ZMQ_MAX_SOCKETS, 4096);
    n->zap = zmq_socket(n->ctx, ZMQ_REP);
    n->router = zmq_socket(n->ctx, ZMQ_ROUTER);
    if (!n->zap || !n->router || zmq_bind(n->zap, "inproc://zeromq.zap.01") != 0) {
        e = err_set(msg, ERR_BUG, "ZeroMQ does not start: %s", zmq_strerror(errno));
    } else {
        net_set_common(n->router);
        net_set_server(n->router, me->curve_sk, "branch");
        n->router_monitor =
            watch(n, n->router,
                  ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL);
        e = net_bind(n->router, n->host, n->port, msg);
    }
    if (e != ERR_OK) {
        net_close(n);
        return e;
    }
    *out = n;
    return ERR_OK;
}

static void close_dealer(struct dealer *d)
{
    if (d->sock) {
        zmq_socket_monitor(d->sock, NULL, 0);
        zmq_close(d->sock);
    }
    if (d->monitor)
        zmq_close(d->monitor);
    d->sock = d->monitor = NULL;
    d->reached = d->up = false;
}

void net_close(struct net *n)
{
    if (!n)
        return;
    for (unsigned i = 0; i < n->n_dealers; i++) {
        close_dealer(&n->dealer[i]);
        dial_close(&n->dealer[i].dial);
    }
    for (int i = 0; i < DOORS_MAX; i++)
        net_door_close(n, i);
    if (n->router) {
        zmq_socket_monitor(n->router, NULL, 0);
        zmq_close(n->router);
    }
    if (n->router_monitor)
        zmq_close(n->router_monitor);
    if (n->zap)
        zmq_close(n->zap);
    zmq_ctx_term(n->ctx);
    free(n);
}

/* ---- peers ---- */

static struct dealer *dealer_of(struct net *n, const struct desk_id *peer)
{
    for (unsigned i = 0; i < n->n_dealers; i++)
        if (desk_id_eq(&n->dealer[i].peer, peer))
            return &n->dealer[i];
    return NULL;
}

static void set_dealer(struct net *n, void *sock, const uint8_t server_pk[KEY_BYTES])
{
    net_set_common(sock);
    zmq_setsockopt(sock, ZMQ_CURVE_SERVERKEY, server_pk, KEY_BYTES);
    zmq_setsockopt(sock, ZMQ_CURVE_PUBLICKEY, n->me->curve_pk, KEY_BYTES);
    zmq_setsockopt(sock, ZMQ_CURVE_SECRETKEY, n->me->curve_sk, KEY_BYTES);
    set_int(sock, ZMQ_SNDHWM, 1000);
    set_int(sock, ZMQ_IMMEDIATE, 1); /* nothing is queued for the absent */
    set_int(sock, ZMQ_SNDTIMEO, 0);
    set_int(sock, ZMQ_TCP_MAXRT, 2000);
    set_int(sock, ZMQ_CONNECT_TIMEOUT, 1000);
    set_int(sock, ZMQ_RECONNECT_IVL, 50);
    set_int(sock, ZMQ_RECONNECT_IVL_MAX, 2000);
}

enum err net_connect(struct net *n, const struct desk_id *peer, const uint8_t curve_pk[KEY_BYTES],
                     const char *address, struct errmsg *msg)
{
    struct dealer *d = dealer_of(n, peer);
    char endpoint[CONF_ADDR_MAX + 8], host[CONF_ADDR_MAX];
    uint16_t port;

    if (!addr_split(address, host, &port))
        return err_set(msg, ERR_INVALID, "%s is no numeric ADDRESS:PORT", address);
    if (!d) {
        if (n->n_dealers == PEERS_MAX)
            return err_set(msg, ERR_FULL, "more than %d desks", PEERS_MAX);
        d = &n->dealer[n->n_dealers++];
        memset(d, 0, sizeof *d);
        d->peer = *peer;
    }
    if (d->sock && !d->reached)
        dial_look(&d->dial, address);
    close_dealer(d);
    if ((d->sock = zmq_socket(n->ctx, ZMQ_DEALER)) == NULL)
        return err_set(msg, ERR_FULL, "no socket left: %s", zmq_strerror(errno));
    set_dealer(n, d->sock, curve_pk);
    set_int(d->sock, ZMQ_IPV6, strchr(host, ':') != NULL);
    snprintf(endpoint, sizeof endpoint, "tcp://%s", address);
    d->monitor =
        watch(n, d->sock,
              ZMQ_EVENT_CONNECTED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED |
                  ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_CLOSED);
    if (!d->monitor || zmq_connect(d->sock, endpoint) != 0) {
        close_dealer(d);
        return err_set(msg, ERR_OFFLINE, "cannot connect to %s: %s", address, zmq_strerror(errno));
    }
    return ERR_OK;
}

void net_disconnect(struct net *n, const struct desk_id *peer)
{
    struct dealer *d = dealer_of(n, peer);

    if (d)
        close_dealer(d);
}

bool net_send(struct net *n, const struct desk_id *peer, const uint8_t *p, size_t len)
{
    struct dealer *d = dealer_of(n, peer);
    struct buf packed = { 0 };
    bool sent;

    if (!d || !d->sock)
        return false;
    if (message_pack(p, len, &packed)) {
        p = packed.p;
        len = packed.len;
    }
    sent = net_put_frame(d->sock, p, len, 0);
    d->traffic.sent += sent ? len : 0;
    buf_free(&packed);
    return sent;
}

struct net_traffic net_traffic(const struct net *n, const struct desk_id *peer)
{
    const struct dealer *d = dealer_of((struct net *)n, peer);

    return d ? d->traffic : (struct net_traffic){ 0 };
}

enum net_why net_why(const struct net *n, const struct desk_id *peer, int *err)
{
    const struct dealer *d = dealer_of((struct net *)n, peer);

    *err = d ? d->dial.err : 0;
    return !d || d->up ? NET_FINE : d->why;
}

/* ---- receiving ---- */

static void count_received(struct net *n, const struct desk_id *from, size_t len)
{
    struct dealer *d = dealer_of(n, from);

    if (d)
        d->traffic.received += len;
}

/* True: there may be more. */
static bool router_serve(struct net *n)
{
    for (unsigned i = 0; i < AT_ONCE_MAX; i++) {
        zmq_msg_t id, body;
        struct desk_id from;
        const char *user, *ip;
        bool good, got;

        zmq_msg_init(&id);
        zmq_msg_init(&body);
        got = net_receive(n->router, &id, &body, &good);
        if (got && good) {
            /* from the payload frame: the id frame has lost it by now in 4.3.4 */
            user = zmq_msg_gets(&body, "User-Id");
            ip = zmq_msg_gets(&body, "Peer-Address");
            if (user && hex_decode(user, from.b, sizeof from.b)) {
                count_received(n, &from, zmq_msg_size(&body));
                n->ev->message(n->ev->ctx, &from, ip ? ip : "", zmq_msg_data(&body),
                               zmq_msg_size(&body));
            }
        }
        zmq_msg_close(&id);
        zmq_msg_close(&body);
        if (!got)
            return false;
    }
    return true;
}

static void dealer_events(struct net *n, struct dealer *d)
{
    unsigned event;

    while ((event = next_event(d->monitor)) != 0) {
        if (event == ZMQ_EVENT_CONNECTED) {
            d->reached = true;
            continue;
        }
        if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
            d->reached = d->up = true;
            d->why = NET_FINE;
            n->ev->up(n->ev->ctx, &d->peer);
            continue;
        }
        if (!d->up)
            d->why = event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH   ? NET_NOT_ADMITTED
                     : d->reached && d->why != NET_NOT_ADMITTED ? NET_OTHER_KEY
                     : d->reached                               ? d->why
                                                                : NET_NO_ANSWER;
        d->up = false;
        n->ev->down(n->ev->ctx, &d->peer);
    }
}

static struct pollfd readable(void *sock)
{
    struct pollfd p = { -1, POLLIN, 0 }; /* poll() passes over it */
    size_t n = sizeof p.fd;

    if (sock)
        zmq_getsockopt(sock, ZMQ_FD, &p.fd, &n);
    return p;
}

/* A socket's descriptor tells once that something came: what it tells of is read until there is
 * nothing left, or `unread` says so. zmq_poll() would spare us that, but asks each socket twice, by
 * system calls that were most of what an idle desk did. */
void net_poll(struct net *n, int wake_fd, int timeout_ms)
{
    enum { WAKE, ZAP, ROUTER, STRANGERS, DOORS, DEALERS = DOORS + DOORS_MAX };
    struct pollfd p[DEALERS + PEERS_MAX];
    unsigned dealers = n->n_dealers;
    bool unread = n->unread;

    p[WAKE] = (struct pollfd){ wake_fd, POLLIN, 0 };
    p[ZAP] = readable(n->zap);
    p[ROUTER] = readable(n->router);
    p[STRANGERS] = readable(n->router_monitor);
    for (int i = 0; i < DOORS_MAX; i++)
        p[DOORS + i] = readable(n->door[i].sock);
    for (unsigned i = 0; i < dealers; i++)
        p[DEALERS + i] = readable(n->dealer[i].monitor);
    poll(p, DEALERS + dealers, unread ? 0 : timeout_ms); /* fails: nobody is readable */
    n->unread = false;
    while (p[ZAP].revents && net_zap_serve(n)) /* a handshake takes its asker longer than us */
        ;
    while (p[STRANGERS].revents && next_event(n->router_monitor) != 0)
        n->refused++; /* not even a handshake: garbage, or a stranger's client */
    for (int i = 0; i < DOORS_MAX; i++)
        n->unread |= net_door_serve(n, i); /* always: they are seldom there */
    for (unsigned i = 0; i < dealers; i++)
        if (p[DEALERS + i].revents)
            dealer_events(n, &n->dealer[i]);
    if (p[ROUTER].revents || unread)
        n->unread |= router_serve(n);
}

uint64_t net_refused(const struct net *n)
{
    return n->refused;
}
