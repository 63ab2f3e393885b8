/* http_listen.c - our own listening socket, so that nothing but loopback is ever bound. */
#include "http_int.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "conf.h"

static bool is_loopback(const char *host)
{
    return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0;
}

static int bind_loopback(const char *host, uint16_t port)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET,
                              .sin_port = htons(port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6,
                               .sin6_port = htons(port),
                               .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    bool six = strcmp(host, "::1") == 0;
    int fd = socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, rc;

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on); /* on Linux: over TIME_WAIT only */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* accepted sockets inherit it */
    if (six)
        rc = bind(fd, (struct sockaddr *)&v6, sizeof v6);
    else
        rc = bind(fd, (struct sockaddr *)&v4, sizeof v4);
    if (rc == 0)
        rc = listen(fd, SOMAXCONN); /* who finds no room waits in turn; else the kernel drops him */
    if (rc != 0) {
        int saved = errno;
        close(fd);
        errno = saved;
        return -1;
    }
    return fd;
}

enum err http_listen(const char *listen_on, int *fd, uint16_t *port, struct errmsg *msg)
{
    char host[CONF_ADDR_MAX];

    if (!addr_split(listen_on, host, port) || !is_loopback(host))
        return err_set(msg, ERR_CONFIG,
                       "[web] listen must be 127.0.0.1:PORT or [::1]:PORT, not \"%s\"", listen_on);
    *fd = bind_loopback(host, *port);
    if (*fd >= 0)
        return ERR_OK;
    if (errno == EADDRINUSE)
        return err_set(msg, ERR_EXISTS,
                       "port %u of %s is taken by another program; choose another one with "
                       "\"listen\" in [web] of tideover.conf",
                       *port, host);
    if (errno == EACCES)
        return err_set(msg, ERR_DENIED,
                       "port %u needs rights that this user lacks; choose one above 1023 with "
                       "\"listen\" in [web] of tideover.conf",
                       *port);
    return err_set(msg, ERR_CONFIG, "cannot listen on %s: %s", listen_on, strerror(errno));
}
