/* liar.c - the member that lies: its sockets, what it hears, its commands.
 *
 *     liar STATE LISTEN DESK_ID:CURVE_KEY@ADDRESS..      ids and keys in hex
 *
 * STATE is the state directory of an enrolled desk whose node does not run. Each line of stdin is a
 * lie, "NAME PEER [NUMBER [NUMBER]]"; when it is said, the name, how many messages that were and
 * how many found no room come back as a line. The branch it learns from the first HELLO that it
 * hears. */
#include "liar.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "keys.h"
#include "pack.h"

#define POLL_MS      50
#define SEND_TRIES   40 /* of 5 ms, then the message is lost, as it may be */
#define WANT_RECORDS 4096

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- sockets ---- */

static int peer_of(const struct liar *l, const struct desk_id *id)
{
    for (unsigned k = 0; k < l->peers; k++)
        if (desk_id_eq(&l->peer[k].id, id))
            return (int)k;
    return -1;
}

static int admit(void *ctx, const uint8_t curve_pk[KEY_BYTES], struct desk_id *who)
{
    struct liar *l = ctx;

    for (unsigned k = 0; k < l->peers; k++)
        if (memcmp(l->peer[k].curve_pk, curve_pk, KEY_BYTES) == 0) {
            *who = l->peer[k].id;
            return 200;
        }
    return 400;
}

static void up(void *ctx, const struct desk_id *id)
{
    struct liar *l = ctx;
    int k = peer_of(l, id);

    if (k >= 0)
        l->peer[k].up = true;
}

static void down(void *ctx, const struct desk_id *id)
{
    struct liar *l = ctx;
    int k = peer_of(l, id);

    if (k >= 0)
        l->peer[k].up = false;
}

/* The liar is linked with --wrap=message_pack: what it packs itself, nobody packs again. */
static bool as_it_is;

bool __real_message_pack(const uint8_t *p, size_t n, struct buf *out);
bool __wrap_message_pack(const uint8_t *p, size_t n, struct buf *out);

bool __wrap_message_pack(const uint8_t *p, size_t n, struct buf *out)
{
    return !as_it_is && __real_message_pack(p, n, out);
}

void say_as_it_is(struct liar *l, unsigned k, struct buf *b)
{
    as_it_is = true;
    say(l, k, b);
    as_it_is = false;
}

void say(struct liar *l, unsigned k, struct buf *b)
{
    bool sent = false;

    for (unsigned i = 0; i < SEND_TRIES && !sent; i++) {
        sent = net_send(l->net, &l->peer[k].id, b->p, b->len);
        if (!sent)
            poll(NULL, 0, 5);
    }
    l->said++;
    l->lost += !sent;
    buf_free(b);
}

/* ---- hearing ---- */

static void keep_bytes(struct buf *to, const uint8_t *p, size_t n)
{
    buf_reset(to);
    buf_add(to, p, n);
}

/* HELLO: the branch, and a form for our own. */
static void hear_hello(struct liar *l, unsigned k, const uint8_t *p, size_t n)
{
    struct mp m = mp_over(p, n);

    wire_open(&m);
    for (unsigned i = 0; i < 3; i++)
        mp_skip(&m);
    if (mp_get_raw(&m, l->branch, sizeof l->branch))
        l->knows_branch = true;
    keep_bytes(&l->peer[k].hello, p, n);
}

/* Whatever they have, it wants: to alter it, and to go on with its own feed where that stands. */
static void hear_vector(struct liar *l, unsigned k, struct mp *m)
{
    uint32_t n = mp_get_array(m);

    for (uint32_t i = 0; i < n && !m->bad; i++) {
        struct feed_id id;
        struct buf b = { 0 };
        mp_get_array(m);
        mp_get_raw(m, &id, sizeof id);
        for (unsigned skip = 0; skip < 3; skip++)
            mp_skip(m);
        wire_begin(&b, WIRE_WANT, 3);
        mp_put_bin(&b, &id, sizeof id);
        mp_put_u64(&b, 1);
        mp_put_u64(&b, WANT_RECORDS);
        say(l, k, &b);
    }
}

static void hear_blocks(struct liar *l, struct mp *m)
{
    size_t opening_n = 0, block_n = 0;
    const uint8_t *opening = mp_get_bin(m, &opening_n);
    uint64_t head = mp_get_u64(m);
    const uint8_t *block = mp_get_bin(m, &block_n);
    struct heard *to;

    if (m->bad)
        return;
    for (unsigned i = 0; i < l->n_heard; i++)
        if (l->heard[i].block.len == block_n && memcmp(l->heard[i].block.p, block, block_n) == 0)
            return;
    if (l->n_heard == HEARD_MAX)
        return;
    to = &l->heard[l->n_heard++];
    to->head = head;
    keep_bytes(&to->opening, opening, opening_n);
    keep_bytes(&to->block, block, block_n);
}

static void message(void *ctx, const struct desk_id *from, const char *ip, const uint8_t *p,
                    size_t n)
{
    struct liar *l = ctx;
    struct mp m = mp_over(p, n);
    struct buf whole = { 0 };
    int k = peer_of(l, from);

    if (k < 0)
        return;
    switch (wire_open(&m)) {
    case WIRE_HELLO:
        hear_hello(l, (unsigned)k, p, n);
        break;
    case WIRE_VECTOR:
        hear_vector(l, (unsigned)k, &m);
        break;
    case WIRE_BLOCKS:
        hear_blocks(l, &m);
        break;
    case WIRE_FORK_ASK:
        answer_fork_ask(l, (unsigned)k);
        break;
    case WIRE_PACKED:
        if (message_unpack(&m, &whole))
            message(ctx, from, ip, whole.p, whole.len);
        buf_free(&whole);
        break;
    }
}

const struct heard *heard_of(const struct liar *l, bool mine)
{
    const struct heard *best = NULL;
    uint64_t highest = 0;

    for (unsigned i = 0; i < l->n_heard; i++) {
        struct block b;
        if (block_decode(l->heard[i].block.p, l->heard[i].block.len, &b, NULL) == ERR_OK &&
            desk_id_eq(&b.feed.desk, &l->me.id) == mine && block_last(&b) > highest) {
            highest = block_last(&b);
            best = &l->heard[i];
        }
    }
    return best;
}

/* ---- commands ---- */

static void command(struct liar *l, const char *line)
{
    char name[24];
    unsigned long long a = 0, b = 0;
    unsigned k;
    int n = sscanf(line, "%23s %u %llu %llu", name, &k, &a, &b);

    l->said = l->lost = 0;
    if (n < 2 || k >= l->peers || !l->knows_branch || !lie(l, name, k, a, b))
        printf("%s not yet\n", n < 1 ? "?" : name);
    else
        printf("%s %llu %llu\n", name, (unsigned long long)l->said, (unsigned long long)l->lost);
}

/* Whole lines of stdin; false: it was closed. */
static bool obey(struct liar *l)
{
    static char text[4096];
    static size_t len;
    ssize_t n = read(STDIN_FILENO, text + len, sizeof text - 1 - len);
    char *line = text, *end;

    if (n <= 0)
        return false;
    len += (size_t)n;
    text[len] = '\0';
    while ((end = strchr(line, '\n')) != NULL) {
        *end = '\0';
        command(l, line);
        line = end + 1;
    }
    fflush(stdout);
    len -= (size_t)(line - text);
    memmove(text, line, len);
    return true;
}

static void live(struct liar *l)
{
    struct pollfd in = { STDIN_FILENO, POLLIN, 0 };
    uint64_t hello_ms = 0;

    for (;;) {
        net_poll(l->net, STDIN_FILENO, POLL_MS);
        if (poll(&in, 1, 0) > 0 && !obey(l))
            return;
        if (now_ms() - hello_ms < 500)
            continue;
        hello_ms = now_ms();
        for (unsigned k = 0; k < l->peers; k++) {
            if (!l->peer[k].up)
                net_connect(l->net, &l->peer[k].id, l->peer[k].curve_pk, l->peer[k].address, NULL);
            else if (l->peer[k].hello.len > 0)
                say_hello(l, k, false);
        }
    }
}

static bool read_peer(struct liar *l, const char *text)
{
    char id[2 * DESK_ID_BYTES + 1], key[2 * KEY_BYTES + 1];
    struct honest *p = &l->peer[l->peers];

    if (l->peers == PEERS_MAX ||
        sscanf(text, "%32[0-9a-f]:%64[0-9a-f]@%63s", id, key, p->address) != 3 ||
        !hex_decode(id, p->id.b, sizeof p->id.b) ||
        !hex_decode(key, p->curve_pk, sizeof p->curve_pk))
        return false;
    l->peers++;
    return true;
}

int main(int argc, char **argv)
{
    static struct liar l;
    const struct net_events events = { &l, admit, message, up, down, NULL };
    struct errmsg msg = { .text = "" };
    bool good = argc > 3 && sodium_init() >= 0;

    for (int i = 3; i < argc && good; i++)
        good = read_peer(&l, argv[i]);
    if (!good) {
        fprintf(stderr, "usage: liar STATE LISTEN DESK_ID:CURVE_KEY@ADDRESS..\n");
        return 64;
    }
    l.listen = argv[2];
    randombytes_buf(l.mark, sizeof l.mark);
    if (keys_read_desk(argv[1], &l.me, &msg) != ERR_OK ||
        net_open(argv[2], &l.me, &events, &l.net, &msg) != ERR_OK) {
        fprintf(stderr, "liar: %s\n", msg.text);
        return 1;
    }
    for (unsigned k = 0; k < l.peers; k++)
        net_connect(l.net, &l.peer[k].id, l.peer[k].curve_pk, l.peer[k].address, NULL);
    live(&l);
    net_close(l.net);
    ident_wipe(&l.me);
    return 0;
}
