/* dial.c - what the system says of an address. */
#include "dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "now.h"

#define WAIT_MS  3000 /* a PC that is off answers nothing: that is an answer, too */
#define AGAIN_MS 10000

void dial_close(struct dial *d)
{
    if (d->fd > 0)
        close(d->fd);
    d->fd = 0;
}

static void end(struct dial *d, int err)
{
    dial_close(d);
    d->err = err;
}

static void begin(struct dial *d, const char *address)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
    char host[CONF_ADDR_MAX];
    uint16_t port;
    bool six;
    int fd;

    if (!addr_split(address, host, &port))
        return;
    six = inet_pton(AF_INET6, host, &v6.sin6_addr) == 1;
    if (!six && inet_pton(AF_INET, host, &v4.sin_addr) != 1)
        return;
    v4.sin_port = v6.sin6_port = htons(port);
    fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    d->fd = fd;
    if ((six ? connect(fd, (struct sockaddr *)&v6, sizeof v6)
             : connect(fd, (struct sockaddr *)&v4, sizeof v4)) == 0)
        end(d, 0);
    else if (errno != EINPROGRESS)
        end(d, errno);
}

void dial_look(struct dial *d, const char *address)
{
    struct pollfd p = { d->fd, POLLOUT, 0 };
    uint64_t now_ms = clock_ms(CLOCK_MONOTONIC);
    socklen_t n = sizeof(int);
    int err = 0;

    if (d->fd > 0) {
        if (poll(&p, 1, 0) > 0)
            end(d, getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &err, &n) == 0 ? err : errno);
        else if (now_ms - d->began_ms >= WAIT_MS)
            end(d, ETIMEDOUT);
    } else if (d->began_ms == 0 || now_ms - d->began_ms >= AGAIN_MS) {
        d->began_ms = now_ms;
        begin(d, address);
    }
}
