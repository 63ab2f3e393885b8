/* net.c - sockets, their options, ZAP. */
#include "net.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "conf.h"
#include "dial.h"
#include "pack.h"
#include "wire.h"

#define ZAP_ENFORCE_DOMAIN 93  /* draft macro, honoured by Debian's 4.3.4: fail closed */
#define PEERS_MAX          256 /* as the roster */
#define DOORS_MAX          16  /* invites alive at once */
#define CLIENTS_MAX        64  /* knocks that wait for an answer, per node */
#define AT_ONCE_MAX        512 /* messages between two looks at the timers */
#define DOOR_PORTS         64  /* tried above the node's own port */

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

static void set_int(void *sock, int option, int value)
{
    zmq_setsockopt(sock, option, &value, sizeof value);
}

static void set_common(void *sock)
{
    int64_t max = WIRE_BYTES_MAX;

    zmq_setsockopt(sock, ZMQ_MAXMSGSIZE, &max, sizeof max); /* default: unlimited */
    set_int(sock, ZMQ_LINGER, 0);
    set_int(sock, ZMQ_HANDSHAKE_IVL, 3000); /* default lets idle strangers hold slots for 30 s */
    set_int(sock, ZMQ_BACKLOG, 512);
    /* No ZMQ_HEARTBEAT_*: libzmq 4.3.4 aborts the process when a paused peer wakes up under load
     * (zeromq/libzmq#3937, #4767). Our own beats do that work. */
}

static void set_curve_server(void *sock, const uint8_t sk[KEY_BYTES], const char *domain)
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
static bool take_frame(void *sock, zmq_msg_t *m)
{
    int rc;

    do
        rc = zmq_msg_recv(m, sock, ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc >= 0;
}

static bool put_frame(void *sock, const void *p, size_t n, int more)
{
    int rc;

    do
        rc = zmq_send(sock, p, n, more | ZMQ_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    return rc >= 0;
}

/* Takes one two-frame message; false: nothing there. Anything of another shape is dropped. */
static bool receive(void *sock, zmq_msg_t *id, zmq_msg_t *body, bool *good)
{
    int more;

    *good = false;
    if (!take_frame(sock, id))
        return false;
    more = zmq_msg_more(id);
    if (more && take_frame(sock, body)) {
        more = zmq_msg_more(body);
        *good = !more;
    }
    while (more) {
        zmq_msg_t rest;
        zmq_msg_init(&rest);
        more = take_frame(sock, &rest) && zmq_msg_more(&rest);
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
    if (monitor && receive(monitor, &head, &where, &good) && zmq_msg_size(&head) >= sizeof event)
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

static enum err bind_to(void *sock, const char *host, uint16_t port, struct errmsg *msg)
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
        set_common(n->router);
        set_curve_server(n->router, me->curve_sk, "branch");
        n->router_monitor =
            watch(n, n->router,
                  ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL);
        e = bind_to(n->router, n->host, n->port, msg);
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
    set_common(sock);
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
    sent = put_frame(d->sock, p, len, 0);
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

/* ---- ZAP (RFC 27) ---- */

#define ZAP_FRAMES 7 /* version, request, domain, address, routing id, mechanism, CURVE key */

static void zap_answer(struct net *n, zmq_msg_t *request, const char *status, const char *user)
{
    const char *text = status[0] == '2' ? "OK" : "";

    put_frame(n->zap, "1.0", 3, ZMQ_SNDMORE);
    put_frame(n->zap, zmq_msg_data(request), zmq_msg_size(request), ZMQ_SNDMORE);
    put_frame(n->zap, status, 3, ZMQ_SNDMORE);
    put_frame(n->zap, text, strlen(text), ZMQ_SNDMORE);
    put_frame(n->zap, user, strlen(user), ZMQ_SNDMORE);
    put_frame(n->zap, "", 0, 0);
}

static bool frame_is(zmq_msg_t *m, const char *text)
{
    return zmq_msg_size(m) == strlen(text) && memcmp(zmq_msg_data(m), text, strlen(text)) == 0;
}

static void zap_decide(struct net *n, zmq_msg_t f[ZAP_FRAMES], unsigned frames)
{
    struct desk_id who;
    char user[2 * DESK_ID_BYTES + 1] = "";
    int status = 400;

    if (frames == ZAP_FRAMES && frame_is(&f[5], "CURVE") && zmq_msg_size(&f[6]) == KEY_BYTES) {
        if (frame_is(&f[2], "door"))
            status = 200; /* the door's own key, derived from the invite, was the test */
        else if (frame_is(&f[2], "branch"))
            status = n->ev->admit(n->ev->ctx, zmq_msg_data(&f[6]), &who);
        if (status == 200 && frame_is(&f[2], "branch"))
            hex_encode(who.b, sizeof who.b, user);
    }
    if (status != 200)
        n->refused++;
    /* 300 is tried again by the client, 400 stops it for ever: a desk that was enrolled a second
     * ago elsewhere must get in once the roster arrives. */
    zap_answer(n, &f[1], status == 200 ? "200" : status == 300 ? "300" : "400", user);
}

/* False: nobody asks. */
static bool zap_serve(struct net *n)
{
    zmq_msg_t f[ZAP_FRAMES];
    unsigned frames = 0;
    int more = 1;

    for (unsigned i = 0; i < ZAP_FRAMES; i++)
        zmq_msg_init(&f[i]);
    while (more) {
        zmq_msg_t spill, *m = frames < ZAP_FRAMES ? &f[frames] : &spill;
        if (m == &spill)
            zmq_msg_init(&spill);
        if (!take_frame(n->zap, m))
            break;
        more = zmq_msg_more(m);
        frames++;
        if (m == &spill)
            zmq_msg_close(&spill);
    }
    if (frames > 0)
        zap_decide(n, f, frames);
    for (unsigned i = 0; i < ZAP_FRAMES; i++)
        zmq_msg_close(&f[i]);
    return frames > 0;
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
        got = receive(n->router, &id, &body, &good);
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

/* One knock, for as many answers are kept as there are clients. True: there may be more. */
static bool door_serve(struct net *n, int door)
{
    zmq_msg_t id, body;
    bool good, got;

    zmq_msg_init(&id);
    zmq_msg_init(&body);
    got = n->door[door].sock && receive(n->door[door].sock, &id, &body, &good);
    if (got && good && zmq_msg_size(&id) <= sizeof n->client[0].id) {
        struct client *c = &n->client[++n->clients % CLIENTS_MAX];
        c->number = n->clients;
        c->n = zmq_msg_size(&id);
        memcpy(c->id, zmq_msg_data(&id), c->n);
        n->ev->knock(n->ev->ctx, door, c->number, zmq_msg_data(&body), zmq_msg_size(&body));
    }
    zmq_msg_close(&id);
    zmq_msg_close(&body);
    return got;
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
    while (p[ZAP].revents && zap_serve(n)) /* a handshake takes its asker longer than us */
        ;
    while (p[STRANGERS].revents && next_event(n->router_monitor) != 0)
        n->refused++; /* not even a handshake: garbage, or a stranger's client */
    for (int i = 0; i < DOORS_MAX; i++)
        n->unread |= door_serve(n, i); /* always: they are seldom there */
    for (unsigned i = 0; i < dealers; i++)
        if (p[DEALERS + i].revents)
            dealer_events(n, &n->dealer[i]);
    if (p[ROUTER].revents || unread)
        n->unread |= router_serve(n);
}

/* ---- join doors ---- */

int net_door_open(struct net *n, const uint8_t curve_sk[KEY_BYTES], uint16_t *port,
                  struct errmsg *msg)
{
    int door = 0;
    enum err e = ERR_EXISTS;

    while (door < DOORS_MAX && n->door[door].sock)
        door++;
    if (door == DOORS_MAX) {
        err_set(msg, ERR_FULL, "%d invites are open already: let one expire", DOORS_MAX);
        return -1;
    }
    if ((n->door[door].sock = zmq_socket(n->ctx, ZMQ_ROUTER)) == NULL) {
        err_set(msg, ERR_FULL, "no socket left: %s", zmq_strerror(errno));
        return -1;
    }
    set_common(n->door[door].sock);
    set_curve_server(n->door[door].sock, curve_sk, "door");
    for (unsigned i = 1; e != ERR_OK && i <= DOOR_PORTS; i++) {
        *port = (uint16_t)(n->port + i);
        e = bind_to(n->door[door].sock, n->host, *port, msg);
    }
    if (e == ERR_OK)
        return door;
    net_door_close(n, door);
    return -1;
}

void net_door_answer(struct net *n, int door, uint64_t client, const uint8_t *p, size_t len)
{
    struct client *c = &n->client[client % CLIENTS_MAX];

    if (c->number != client || !n->door[door].sock ||
        !put_frame(n->door[door].sock, c->id, c->n, ZMQ_SNDMORE))
        return;
    put_frame(n->door[door].sock, p, len, 0);
    n->unread = true; /* to send may have taken what told of another knock */
}

void net_door_close(struct net *n, int door)
{
    if (n->door[door].sock)
        zmq_close(n->door[door].sock);
    n->door[door].sock = NULL;
}

uint64_t net_refused(const struct net *n)
{
    return n->refused;
}
