/* next.c - a desk of the next version, as far as the others see it: it calls itself 0.2.0, announces
 * wire version 2 beside 1, says a field more in every message than this version knows, and now and
 * then a message of a type that it does not know. Linked with --wrap in front of the real program. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "core.h"
#include "net.h"
#include "node.h"
#include "wire.h"

#define NEW_TYPE 120 /* of no message yet */

enum err __real_core_open(const struct core_config *c, const struct moment *now, struct core **out,
                          struct errmsg *msg);
enum err __wrap_core_open(const struct core_config *c, const struct moment *now, struct core **out,
                          struct errmsg *msg);
bool __real_net_send(struct net *n, const struct desk_id *peer, const uint8_t *p, size_t len);
bool __wrap_net_send(struct net *n, const struct desk_id *peer, const uint8_t *p, size_t len);

enum err __wrap_core_open(const struct core_config *c, const struct moment *now, struct core **out,
                          struct errmsg *msg)
{
    struct core_config next = *c;

    snprintf(next.software, sizeof next.software, "0.2.0");
    return __real_core_open(&next, now, out, msg);
}

bool __wrap_net_send(struct net *n, const struct desk_id *peer, const uint8_t *p, size_t len)
{
    static unsigned sent;
    struct buf b = { 0 };
    struct mp m = mp_over(p, len);
    uint32_t fields = mp_get_array(&m);
    size_t head;
    bool good;

    mp_put_array(&b, fields + 1);
    head = b.len;
    buf_add(&b, m.p, (size_t)(p + len - m.p));
    mp_put_str(&b, "of the next version");
    if (b.p[head + 1] == WIRE_HELLO) /* version, type, lowest, highest: a byte each */
        b.p[head + 3] = WIRE_VERSION + 1;
    good = __real_net_send(n, peer, b.p, b.len);
    if (good && ++sent % 7 == 0) {
        buf_reset(&b);
        mp_put_array(&b, 3);
        mp_put_u64(&b, WIRE_VERSION);
        mp_put_u64(&b, NEW_TYPE);
        mp_put_str(&b, "a question that nobody understands yet");
        __real_net_send(n, peer, b.p, b.len);
    }
    buf_free(&b);
    return good;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    return cli_main(argc, argv, node_main);
}
