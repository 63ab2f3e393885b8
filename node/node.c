/* node.c - a node: what it opens, what comes in, the loop, what it closes. */
#include "node.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "keys.h"
#include "node_int.h"
#include "now.h"
#include "spare.h"
#include "wire.h"

#define ROUND_MS       100          /* between two looks at what wakes nobody */
#define BATCH_BYTES    (256 * 1024) /* taken in, then commit: well under the store's batch limit */
#define HINT_EVERY_MS  3000
#define SPARE_EVERY_MS 2000
#define SPARE_AGAIN_MS 60000

/* ---- clocks ---- */

struct moment node_now(void)
{
    struct moment m = { clock_ms(CLOCK_BOOTTIME), (int64_t)clock_ms(CLOCK_REALTIME), 0 };
    time_t t = (time_t)(m.wall_ms / 1000);
    struct tm local;

    if (localtime_r(&t, &local))
        m.utc_off_min = (int)(local.tm_gmtoff / 60);
    return m;
}

/* ---- the network's events ---- */

static int on_admit(void *ctx, const uint8_t curve_pk[KEY_BYTES], struct desk_id *who)
{
    struct node *n = ctx;
    int verdict = n->core ? core_admits(n->core, curve_pk, who) : 300;

    if (verdict == 400 && !n->stopped) {
        struct moment now = node_now();
        core_knocked(n->core, &now, who);
    }
    return verdict;
}

static void on_message(void *ctx, const struct desk_id *from, const char *ip, const uint8_t *p,
                       size_t len)
{
    struct node *n = ctx;
    struct moment now;

    if (n->stopped)
        return;
    now = node_now();
    core_message(n->core, &now, from, ip, p, len);
    if ((n->batch_bytes += len) >= BATCH_BYTES)
        node_cycle(n);
}

static void on_up(void *ctx, const struct desk_id *peer)
{
    struct node *n = ctx;
    struct moment now = node_now();

    if (n->core)
        core_peer_up(n->core, &now, peer);
}

static void on_down(void *ctx, const struct desk_id *peer)
{
    struct node *n = ctx;

    if (n->core)
        core_peer_down(n->core, peer);
}

static void on_knock(void *ctx, int door, uint64_t client, const uint8_t *p, size_t len)
{
    struct node *n = ctx;

    if (!n->stopped)
        invite_knock(n, door, client, p, len);
}

/* ---- requests, from libmicrohttpd's thread ---- */

static void on_request(void *ctx, struct http_request *rq)
{
    struct node *n = ctx;

    rq->next = NULL;
    pthread_mutex_lock(&n->lock);
    *n->requests_end = rq;
    n->requests_end = &rq->next;
    pthread_mutex_unlock(&n->lock);
    node_wake(n);
}

static struct http_request *take_requests(struct node *n)
{
    struct http_request *all;

    pthread_mutex_lock(&n->lock);
    all = n->requests;
    n->requests = NULL;
    n->requests_end = &n->requests;
    pthread_mutex_unlock(&n->lock);
    return all;
}

/* ---- the loop ---- */

static void watch_server(struct node *n)
{
    const struct policy *p = roster_policy(core_roster(n->core));
    const uint8_t *hash = roster_policy_hash(core_roster(n->core));
    struct moment now = node_now();
    struct watch_check check;

    if (p && memcmp(hash, n->probe_policy, HASH_BYTES) != 0) {
        memcpy(n->probe_policy, hash, HASH_BYTES);
        probe_stop(n->probe);
        if ((n->probe = probe_start(p, n->dir)) == NULL)
            core_server(n->core, &now, NULL);
    }
    if (n->probe && probe_fetch(n->probe, &check))
        core_server(n->core, &now, &check);
}

static void serve_self(struct node *n)
{
    struct buf *all = n->self;
    unsigned count = n->n_self;
    struct moment now = node_now();

    n->self = NULL;
    n->n_self = n->self_room = 0;
    for (unsigned i = 0; i < count; i++) {
        core_message(n->core, &now, &n->me.id, "", all[i].p, all[i].len);
        buf_free(&all[i]);
    }
    free(all);
}

static void serve_requests(struct node *n)
{
    struct http_request *all = take_requests(n);

    while (all) {
        struct http_request *rq = all;
        size_t size = rq->body_len;
        all = rq->next;
        api_handle(n, rq);
        if ((n->batch_bytes += size) >= BATCH_BYTES)
            node_cycle(n);
    }
}

/* Those who recorded together a moment ago are about to do so again: one flush for all of them. */
static void await_company(struct node *n)
{
    struct pollfd p = { n->wake_fd, POLLIN, 0 };
    uint64_t began = clock_us(CLOCK_MONOTONIC), drained;
    unsigned us;

    while ((us = commit_wait_us(&n->wait, n->recorded,
                                (unsigned)(clock_us(CLOCK_MONOTONIC) - began))) > 0 &&
           ppoll(&p, 1, &(struct timespec){ 0, us * 1000L }, NULL) > 0 &&
           read(n->wake_fd, &drained, sizeof drained) > 0) {
        jobs_finish(
            n); /* it may have been one of them that woke us: nobody wakes us again for it */
        serve_requests(n);
    }
}

/* [peers] known names addresses, not desks: each is tried with each desk that has none that works;
 * a wrong pair fails in the handshake, which is pinned to the desk's key. */
static void hint_known(struct node *n, const struct moment *now)
{
    if (n->conf.n_known == 0 || now->boot_ms < n->hint_ms)
        return;
    n->hint_ms = now->boot_ms + HINT_EVERY_MS;
    for (unsigned i = 0; i < core_peers(n->core); i++) {
        struct peer_view v;
        core_peer_view(n->core, now, i, &v);
        if (v.state != PEER_ONLINE)
            core_hint(n->core, &v.id, n->conf.known[(n->hints + i) % n->conf.n_known]);
    }
    n->hints++;
}

/* The file `roster` follows what it is a copy of. */
static void keep_spare(struct node *n, const struct moment *now)
{
    const struct roster *r = core_roster(n->core);
    struct buf addresses = { 0 };
    struct errmsg msg = { .text = "" };

    if (now->boot_ms < n->spare_ms)
        return;
    n->spare_ms = now->boot_ms + SPARE_EVERY_MS;
    core_addresses(n->core, &addresses);
    if (memcmp(roster_hash(r), n->spare_hash, HASH_BYTES) == 0 &&
        addresses.len == n->spare_addresses.len &&
        memcmp(addresses.p, n->spare_addresses.p, addresses.len) == 0) {
        buf_free(&addresses);
        return;
    }
    if (spare_write(n->dir, &n->me, r, &addresses, &msg) != ERR_OK) {
        node_log(n, 1, "no spare copy of the roster: %s", msg.text);
        n->spare_ms = now->boot_ms + SPARE_AGAIN_MS;
        buf_free(&addresses);
        return;
    }
    memcpy(n->spare_hash, roster_hash(r), HASH_BYTES);
    buf_free(&n->spare_addresses);
    n->spare_addresses = addresses;
}

/* At rest the loop sleeps as long as the core does, but nobody waits longer for a second copy than was
 * said. */
int node_patience(const struct node *n, uint64_t now_ms)
{
    uint64_t next_ms, until_ms = replies_until(n);

    if (n->n_self > 0 && !n->stopped)
        return 0;
    if (n->stopped || changes_awaited(n) || n->forget.state != FORGET_IDLE)
        return ROUND_MS;
    next_ms = core_next_tick(n->core);
    if (until_ms < next_ms)
        next_ms = until_ms;
    return next_ms > now_ms ? (int)(next_ms - now_ms) : 0;
}

void node_round(struct node *n)
{
    struct moment now;
    uint64_t drained;

    net_poll(n->net, n->wake_fd, node_patience(n, clock_ms(CLOCK_BOOTTIME)));
    if (read(n->wake_fd, &drained, sizeof drained) < 0 && errno != EAGAIN && errno != EINTR)
        node_log(n, 0, "eventfd: %s", strerror(errno));
    now = node_now();
    if (n->stopped && now.boot_ms >= n->retry_ms)
        node_save_again(n);
    if (!n->stopped) {
        serve_self(n);
        if (now.boot_ms >= core_next_tick(n->core)) {
            watch_server(n);
            core_tick(n->core, &now);
            invite_tick(n, &now);
            practice_watch(n, &now);
            condition_look(n, &now);
            hint_known(n, &now);
            beacon_round(n, &now);
            keep_spare(n, &now);
        }
    }
    if (store_is_doubtful(n->store)) /* a value did not open */
        damage_look_later(n);
    jobs_finish(n);
    upload_say_unbegun(n);
    serve_requests(n);
    await_company(n);
    node_cycle(n);
    events_round(n, &now);
    changes_round(n, &now);
    if (!n->stopped && n->forget.state != FORGET_IDLE) {
        erase_round(n);
        node_cycle(n);
    }
}

/* ---- start and stop ---- */

enum err node_open(struct node *n, struct errmsg *msg)
{
    struct http_config hc = { .listen = n->conf.web, .handler = on_request, .ctx = n };
    char cookie_name[40];
    struct buf sessions = { 0 };
    enum err e;

    n->net_events = (struct net_events){ n, on_admit, on_message, on_up, on_down, on_knock };
    session_load(n);
    practice_load(n);
    if ((e = conf_read(n->dir, &n->conf, msg)) != ERR_OK ||
        (e = keys_read_desk(n->dir, &n->me, msg)) != ERR_OK ||
        (e = damage_judge(n, msg)) != ERR_OK ||
        (e = store_open(n->dir, n->me.store_key, &n->store, msg)) != ERR_OK ||
        (e = erase_desk_key(n, msg)) != ERR_OK || (e = damage_refill(n, msg)) != ERR_OK ||
        (e = net_open(n->conf.listen, &n->me, &n->net_events, &n->net, msg)) != ERR_OK ||
        (e = node_open_core(n, msg)) != ERR_OK || (e = changes_open(n, msg)) != ERR_OK ||
        (e = events_open(n, msg)) != ERR_OK)
        return e;
    entry_cookie_name(n, cookie_name);
    hc.cookie_name = cookie_name;
    n->runs = true;
    n->beacon = beacon_start(n);
    if ((e = tokens_make(n, &hc, msg)) != ERR_OK)
        return e;
    entry_sessions(n, &sessions);
    hc.sessions = sessions.p;
    hc.sessions_len = sessions.len;
    hc.wall_ms = node_now().wall_ms;
    e = http_open(&hc, &n->http, msg);
    buf_wipe(&sessions);
    sodium_memzero(&hc.ctl_token, sizeof hc.ctl_token);
    sodium_memzero(&hc.desk_token, sizeof hc.desk_token);
    return e;
}

static void say_goodbye(struct node *n)
{
    for (unsigned i = 0; n->core && i < core_peers(n->core); i++) {
        struct buf b = { 0 };
        struct peer_view v;
        struct moment now = node_now();
        core_peer_view(n->core, &now, i, &v);
        wire_begin(&b, WIRE_BYE, 0);
        net_send(n->net, &v.id, b.p, b.len);
        buf_free(&b);
    }
}

/* Else they are another node's, or stay as after a crash: the next start then takes all the time it needs
 * to look through a store that is in doubt. */
static void remove_tokens(const struct node *n)
{
    if (n->runs && !n->again && !n->doubted && !n->unlooked)
        tokens_remove(n);
}

/* A server that does not answer may take minutes, and nothing of its answer would be kept: that
 * send is in doubt, as after a crash, and looked at by whoever goes on. All that was acknowledged
 * is on the disk. */
static void leave_work_behind(struct node *n)
{
    node_log(n, 2,
             "not waiting for work that goes on; the next start, or another desk, takes it up");
    if (n->core)
        say_goodbye(n);
    net_close(n->net);
    remove_tokens(n);
    fflush(NULL);
    _exit(0); /* its threads still read the store: nothing may be taken from under them */
}

void node_close(struct node *n)
{
    struct http_request *rq;

    upload_end(n);
    buf_free(&n->bundle);
    if (!jobs_have_ended(n))
        leave_work_behind(n);
    for (rq = take_requests(n); rq;) {
        struct http_request *next = rq->next;
        http_answer(rq, 503, "application/json", NULL);
        rq = next;
    }
    replies_end(n);
    if (n->net && n->core)
        say_goodbye(n);
    changes_close(n);
    events_close(n);
    http_close(n->http);
    probe_stop(n->probe);
    beacon_stop(n->beacon);
    net_close(n->net);
    core_close(n->core);
    store_close(n->store);
    remove_tokens(n);
    for (unsigned i = 0; i < INVITES_MAX; i++) {
        buf_free(&n->invite[i].power);
        buf_free(&n->invite[i].lead_box);
    }
    sodium_memzero(n->invite, sizeof n->invite);
    buf_free(&n->spare_addresses);
    ident_wipe(&n->me);
}
