/* test_net.c - two desks' sockets in one process: every message that was sent is heard, whatever
 * interrupts the reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net.h"

#define MANY       300 /* libzmq looks for news once in a hundred frames */
#define PATIENCE_S 30

/* ---- signals ---- */

static _Thread_local bool
    signal_comes; /* while libzmq looks at its own descriptor, the next time */
static unsigned interrupted;

/* libzmq's poll(), and ours. */
int poll(struct pollfd *p, nfds_t n, int timeout)
{
    struct timespec t = { timeout / 1000, timeout % 1000 * 1000000L };

    if (signal_comes && n == 1 && timeout == 0) {
        signal_comes = false;
        interrupted++;
        errno = EINTR;
        return -1;
    }
    return ppoll(p, n, timeout < 0 ? NULL : &t, NULL);
}

/* ---- two desks ---- */

static struct side {
    struct ident me;
    struct net *net;
    char address[32];
    bool up;
    unsigned heard, interrupt_every;
} a, b;

static int admit(void *ctx, const uint8_t curve_pk[KEY_BYTES], struct desk_id *who)
{
    (void)ctx;
    *who = b.me.id;
    return memcmp(curve_pk, b.me.curve_pk, KEY_BYTES) == 0 ? 200 : 400;
}

static void message(void *ctx, const struct desk_id *from, const char *ip, const uint8_t *p,
                    size_t n)
{
    struct side *s = ctx;

    (void)ip;
    assert_true(desk_id_eq(from, &b.me.id));
    assert_int_equal(n, 1);
    assert_int_equal(p[0], (uint8_t)s->heard); /* none is lost, none comes before another */
    s->heard++;
    signal_comes |= s->interrupt_every > 0 && s->heard % s->interrupt_every == 0;
}

static void up(void *ctx, const struct desk_id *id)
{
    (void)id;
    ((struct side *)ctx)->up = true;
}

static void down(void *ctx, const struct desk_id *id)
{
    (void)id;
    ((struct side *)ctx)->up = false;
}

static void knock(void *ctx, int door, uint64_t client, const uint8_t *p, size_t n)
{
    (void)ctx, (void)door, (void)client, (void)p, (void)n;
}

static void take_port(struct side *s)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    snprintf(s->address, sizeof s->address, "127.0.0.1:%u", ntohs(at.sin_port));
}

static void open_side(struct side *s, uint8_t first, struct net_events *ev)
{
    uint8_t seed[3 * SEED_BYTES];
    struct errmsg msg;

    memset(s, 0, sizeof *s);
    memset(seed, first, sizeof seed);
    ident_from_seed(seed, &s->me);
    *ev = (struct net_events){ s, admit, message, up, down, knock };
    do
        take_port(s); /* free a moment ago */
    while (net_open(s->address, &s->me, ev, &s->net, &msg) == ERR_EXISTS);
    assert_non_null(s->net);
}

static time_t seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec;
}

static void a_signal_hides_no_message(void **state)
{
    static struct net_events of_a, of_b;
    time_t end = seconds() + PATIENCE_S;
    struct errmsg msg;

    (void)state;
    open_side(&a, 1, &of_a);
    open_side(&b, 2, &of_b);
    assert_int_equal(net_connect(b.net, &a.me.id, a.me.curve_pk, a.address, &msg), ERR_OK);
    while (!b.up && seconds() < end) {
        net_poll(a.net, -1, 10);
        net_poll(b.net, -1, 10);
    }
    assert_true(b.up);
    for (unsigned i = 0; i < MANY; i++)
        assert_true(net_send(b.net, &a.me.id, &(uint8_t){ (uint8_t)i }, 1));
    a.interrupt_every = 40;
    while (a.heard < MANY && seconds() < end)
        net_poll(a.net, -1, 10);
    signal_comes = false;
    assert_int_equal(a.heard, MANY);
    assert_true(interrupted > 0);
    net_close(b.net);
    net_close(a.net);
}

static int init(void **state)
{
    (void)state;
    return sodium_init() < 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_hides_no_message),
    };

    return cmocka_run_group_tests(tests, init, NULL);
}
