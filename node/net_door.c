/* net_door.c - who may come in: libzmq's questions at each handshake, and the doors of open invites. */
#include "net_int.h"

#include <errno.h>
#include <string.h>

#define DOOR_PORTS 64 /* tried above the node's own port */

/* ---- ZAP (RFC 27) ---- */

#define ZAP_FRAMES 7 /* version, request, domain, address, routing id, mechanism, CURVE key */

static void zap_answer(struct net *n, zmq_msg_t *request, const char *status, const char *user)
{
    const char *text = status[0] == '2' ? "OK" : "";

    net_put_frame(n->zap, "1.0", 3, ZMQ_SNDMORE);
    net_put_frame(n->zap, zmq_msg_data(request), zmq_msg_size(request), ZMQ_SNDMORE);
    net_put_frame(n->zap, status, 3, ZMQ_SNDMORE);
    net_put_frame(n->zap, text, strlen(text), ZMQ_SNDMORE);
    net_put_frame(n->zap, user, strlen(user), ZMQ_SNDMORE);
    net_put_frame(n->zap, "", 0, 0);
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

bool net_zap_serve(struct net *n)
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
        if (!net_take_frame(n->zap, m))
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
    net_set_common(n->door[door].sock);
    net_set_server(n->door[door].sock, curve_sk, "door");
    for (unsigned i = 1; e != ERR_OK && i <= DOOR_PORTS; i++) {
        *port = (uint16_t)(n->port + i);
        e = net_bind(n->door[door].sock, n->host, *port, msg);
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
        !net_put_frame(n->door[door].sock, c->id, c->n, ZMQ_SNDMORE))
        return;
    net_put_frame(n->door[door].sock, p, len, 0);
    n->unread = true; /* to send may have taken what told of another knock */
}

void net_door_close(struct net *n, int door)
{
    if (n->door[door].sock)
        zmq_close(n->door[door].sock);
    n->door[door].sock = NULL;
}

bool net_door_serve(struct net *n, int door)
{
    zmq_msg_t id, body;
    bool good, got;

    zmq_msg_init(&id);
    zmq_msg_init(&body);
    got = n->door[door].sock && net_receive(n->door[door].sock, &id, &body, &good);
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
