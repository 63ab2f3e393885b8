/* knock.c - joining a branch: with the code of an invite, at the door of the desk that gave it. */
#include "setup.h"

#include <stdio.h>
#include <string.h>

#include <sodium.h>
#include <zmq.h>

#include "conf.h"
#include "join.h"
#include "keys.h"
#include "now.h"
#include "setup_int.h"
#include "wire.h"

struct knock {
    void *ctx, *sock;
};

static void knock_close(struct knock *k)
{
    if (k->sock)
        zmq_close(k->sock);
    if (k->ctx)
        zmq_ctx_term(k->ctx);
}

static enum err knock_open(struct knock *k, const struct invite_code *code, const char *at,
                           struct errmsg *msg)
{
    uint8_t door_pk[KEY_BYTES], door_sk[KEY_BYTES], pk[KEY_BYTES], sk[KEY_BYTES];
    char endpoint[CONF_ADDR_MAX + 8], host[CONF_ADDR_MAX];
    uint16_t port;
    int zero = 0;
    int64_t max = WIRE_BYTES_MAX * 4; /* a whole roster in one answer */

    if (at && !addr_split(at, host, &port))
        return err_why(msg, ERR_INVALID, "bad_address", "at", "%s is no numeric ADDRESS:PORT", at);
    if (at)
        snprintf(endpoint, sizeof endpoint, "tcp://%s", at);
    else
        snprintf(endpoint, sizeof endpoint, "tcp://%u.%u.%u.%u:%u", code->ipv4[0], code->ipv4[1],
                 code->ipv4[2], code->ipv4[3], code->port);
    invite_door_keys(code->token, door_pk, door_sk);
    sodium_memzero(door_sk, sizeof door_sk);
    crypto_box_keypair(pk, sk);
    k->ctx = zmq_ctx_new();
    k->sock = zmq_socket(k->ctx, ZMQ_DEALER);
    zmq_setsockopt(k->sock, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(k->sock, ZMQ_MAXMSGSIZE, &max, sizeof max);
    zmq_setsockopt(k->sock, ZMQ_CURVE_SERVERKEY, door_pk, KEY_BYTES);
    zmq_setsockopt(k->sock, ZMQ_CURVE_PUBLICKEY, pk, KEY_BYTES);
    zmq_setsockopt(k->sock, ZMQ_CURVE_SECRETKEY, sk, KEY_BYTES);
    sodium_memzero(sk, sizeof sk);
    if (zmq_connect(k->sock, endpoint) != 0)
        return err_set(msg, ERR_OFFLINE, "cannot reach %s: %s", endpoint + 6, zmq_strerror(errno));
    return ERR_OK;
}

static enum err ask_in(struct knock *k, const struct invite_code *code, const struct ident *me,
                       const char *listen, unsigned timeout_ms, struct roster *r,
                       struct buf *addresses, struct buf *lead_box, struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e = ERR_OFFLINE;
    uint64_t until = clock_ms(CLOCK_MONOTONIC) + timeout_ms, now;
    zmq_pollitem_t item = { k->sock, 0, ZMQ_POLLIN, 0 };

    join_encode(code->token, me, listen, &b);
    zmq_send(k->sock, b.p, b.len, ZMQ_DONTWAIT);
    buf_free(&b);
    err_why(msg, ERR_OFFLINE, "no_answer", "code",
            "nobody answers for this code: it may have expired, the inviting desk may have been "
            "restarted, or the network is blocked; make a new one, or give the address with --at");
    while ((now = clock_ms(CLOCK_MONOTONIC)) < until &&
           zmq_poll(&item, 1, (long)(until - now)) > 0) {
        zmq_msg_t in;
        zmq_msg_init(&in);
        if (zmq_msg_recv(&in, k->sock, ZMQ_DONTWAIT) >= 0) {
            e = join_answer_read(zmq_msg_data(&in), zmq_msg_size(&in), &me->id, r, addresses,
                                 lead_box, msg);
            until = 0;
        }
        zmq_msg_close(&in);
    }
    return e;
}

static void advertised(const char *listen, char out[CONF_ADDR_MAX])
{
    char host[CONF_ADDR_MAX];
    uint16_t port;

    out[0] = '\0';
    if (!addr_split(listen, host, &port))
        return;
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        snprintf(out, CONF_ADDR_MAX, ":%u", port);
    else
        snprintf(out, CONF_ADDR_MAX, strchr(host, ':') ? "[%.40s]:%u" : "%.40s:%u", host, port);
}

enum err setup_join(const struct setup_join *in, char *branch, char *desk, char *words,
                    struct errmsg *msg)
{
    struct site s = { .dir = "" };
    struct invite_code code;
    struct knock k = { 0 };
    struct roster *r = roster_new();
    struct buf addresses = { 0 }, lead_box = { 0 };
    uint8_t seed[3 * SEED_BYTES];
    struct ident me;
    char listen[CONF_ADDR_MAX];
    enum err e =
        r ? invite_code_parse(in->code, &code, msg) : err_set(msg, ERR_NOMEM, "out of memory");

    randombytes_buf(seed, sizeof seed);
    ident_from_seed(seed, &me);
    advertised(in->listen ? in->listen : DEFAULT_LISTEN, listen);
    if (e == ERR_OK && (e = setup_check_addresses(in->listen, in->web, msg)) == ERR_OK &&
        (e = site_begin(&s, in->state_dir, msg)) == ERR_OK &&
        (e = knock_open(&k, &code, in->at, msg)) == ERR_OK &&
        (e = ask_in(&k, &code, &me, listen, in->timeout_ms ? in->timeout_ms : 5000, r, &addresses,
                    &lead_box, msg)) == ERR_OK) {
        const struct desk *d = roster_find(r, &me.id);
        snprintf(branch, 16, "%s", roster_code(r));
        snprintf(desk, DESK_NAME_MAX + 1, "%s", d->name);
        key_words(roster_root(r), words);
        if ((e = keys_write_desk(s.dir, seed, msg)) == ERR_OK &&
            (e = setup_write_conf(&s, desk, in->listen, in->web, msg)) == ERR_OK &&
            (e = setup_write_store(&s, &me, r, &addresses, 0, false, msg)) == ERR_OK &&
            lead_box.len > 0)
            e = keys_write_lead(s.dir, lead_box.p, lead_box.len, msg);
        if (e == ERR_OK)
            e = site_commit(&s, msg);
    }
    if (e != ERR_OK)
        site_abort(&s);
    knock_close(&k);
    sodium_memzero(seed, sizeof seed);
    ident_wipe(&me);
    buf_free(&addresses);
    buf_free(&lead_box);
    roster_free(r);
    return e;
}
