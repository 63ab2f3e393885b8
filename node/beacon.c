/* beacon.c - beacons out and in: one UDP socket, looked at on each tick. */
#include "beacon.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sodium.h>

#include "node_int.h"

struct beacon {
    int fd;
    struct beacon_key key;
    uint16_t port; /* of our desk's own connections */
    unsigned sent, taken;
    uint64_t next_ms, second_ms; /* when to send; the second in which `taken` were taken */
};

/* Several nodes of one PC may listen there: a broadcast reaches each. */
static int open_socket(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(BEACON_PORT) };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on) == 0 &&
        bind(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

struct beacon *beacon_start(struct node *n)
{
    char host[CONF_ADDR_MAX];
    struct beacon *b;
    uint16_t port;

    if (!n->conf.discovery || !addr_split(n->conf.listen, host, &port) ||
        strncmp(host, "127.", 4) == 0 || strchr(host, ':'))
        return NULL; /* this PC alone, or IPv6, which has no broadcast */
    if ((b = calloc(1, sizeof *b)) == NULL)
        return NULL;
    if ((b->fd = open_socket()) < 0) {
        node_log(n, 1, "desks are not looked for on the local network: UDP port %d: %s",
                 BEACON_PORT, strerror(errno));
        free(b);
        return NULL;
    }
    b->port = port;
    beacon_key_of(roster_root(core_roster(n->core)), &b->key);
    return b;
}

void beacon_stop(struct beacon *b)
{
    if (b == NULL)
        return;
    close(b->fd);
    sodium_memzero(b, sizeof *b);
    free(b);
}

/* Where there is no route 255.255.255.255 fails; each interface's own broadcast address works. */
static void send_everywhere(struct beacon *b, const uint8_t bytes[BEACON_BYTES])
{
    struct ifaddrs *all, *i;

    if (getifaddrs(&all) != 0)
        return;
    for (i = all; i; i = i->ifa_next) {
        struct sockaddr_in to;
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || !(i->ifa_flags & IFF_UP) ||
            !(i->ifa_flags & IFF_BROADCAST) || !i->ifa_broadaddr)
            continue;
        memcpy(&to, i->ifa_broadaddr, sizeof to);
        to.sin_port = htons(BEACON_PORT);
        sendto(b->fd, bytes, BEACON_BYTES, 0, (struct sockaddr *)&to, sizeof to);
    }
    freeifaddrs(all);
}

static void take(struct node *n, const uint8_t *p, size_t len, const struct sockaddr_in *from)
{
    struct beacon *b = n->beacon;
    char ip[INET_ADDRSTRLEN], address[ADDR_TEXT_MAX];
    uint16_t port;

    if (!beacon_open(&b->key, p, len, &port) || !inet_ntop(AF_INET, &from->sin_addr, ip, sizeof ip))
        return;
    snprintf(address, sizeof address, "%s:%u", ip, port);
    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct moment now = node_now();
        struct peer_view v;
        core_peer_view(n->core, &now, i, &v);
        if (beacon_is_of(&b->key, p, &v.id) && v.state != PEER_ONLINE)
            core_hint(n->core, &v.id, address);
    }
}

static bool all_are_here(const struct node *n, const struct moment *now)
{
    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view v;
        core_peer_view(n->core, now, i, &v);
        if (v.state == PEER_QUIET || v.state == PEER_UNREACHABLE)
            return false;
    }
    return true;
}

void beacon_round(struct node *n, const struct moment *now)
{
    struct beacon *b = n->beacon;
    uint8_t bytes[BEACON_BYTES + 1], nonce[BEACON_NONCE];
    struct sockaddr_in from;
    socklen_t room = sizeof from;
    ssize_t got;

    if (b == NULL)
        return;
    if (now->boot_ms - b->second_ms >= 1000) {
        b->second_ms = now->boot_ms;
        b->taken = 0;
    }
    while (b->taken < BEACONS_A_SECOND &&
           (got = recvfrom(b->fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &room)) >= 0) {
        b->taken++;
        take(n, bytes, (size_t)got, &from);
        room = sizeof from;
    }
    if (now->boot_ms < b->next_ms)
        return;
    b->next_ms =
        now->boot_ms + beacon_wait_ms(b->sent++, all_are_here(n, now), randombytes_random());
    randombytes_buf(nonce, sizeof nonce);
    beacon_make(&b->key, &n->me.id, b->port, nonce, bytes);
    send_everywhere(b, bytes);
}
