/* cycle.c - what a round came to: sealed and committed, then carried out and answered. STOP, where the disk
 * refuses, and the core that comes after it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "mem.h"
#include "node_int.h"
#include "now.h"

#define REOPEN_EVERY_MS 1000

/* ---- effects ---- */

static void keep_for_self(struct node *n, struct buf *bytes)
{
    if (n->n_self == n->self_room) {
        unsigned room = n->self_room ? 2 * n->self_room : 16;
        struct buf *grown = realloc(n->self, room * sizeof *grown);
        if (!grown)
            return;
        n->self = grown;
        n->self_room = room;
    }
    n->self[n->n_self++] = *bytes;
    memset(bytes, 0, sizeof *bytes);
}

static void connect_to(struct node *n, const struct desk_id *peer, const char *address)
{
    const struct desk *d = roster_find(core_roster(n->core), peer);
    struct errmsg msg = { .text = "" };

    if (d)
        node_log(n, 3, "connecting to %s at %s", d->name, address);
    if (d && net_connect(n->net, peer, d->curve_pk, address, &msg) != ERR_OK)
        node_log(n, 1, "%s: %s", d->name, msg.text);
}

/* Every side effect of the rules is in this switch and nowhere else. */
static void carry_out(struct node *n)
{
    struct effects *fx = core_effects(n->core);
    struct errmsg msg = { .text = "" };
    bool period = false;

    for (unsigned i = 0; i < fx->n; i++) {
        struct effect *e = &fx->v[i];
        switch (e->type) {
        case EFFECT_SEND:
            if (desk_id_eq(&e->to, &n->me.id))
                keep_for_self(n, &e->bytes);
            else
                net_send(n->net, &e->to, e->bytes.p, e->bytes.len);
            break;
        case EFFECT_CONNECT:
            connect_to(n, &e->to, (const char *)e->bytes.p);
            break;
        case EFFECT_DISCONNECT:
            net_disconnect(n->net, &e->to);
            break;
        case EFFECT_BUILD:
            node_log(n, 3, "upload: computing what would be sent");
            upload_build(n, e->number, &e->bytes);
            break;
        case EFFECT_DELIVER:
            node_log(n, 3, "upload: handing over, attempt %llu", (unsigned long long)e->number);
            upload_deliver(n, e->number, e->item, false, &e->bytes);
            break;
        case EFFECT_LOOK:
            node_log(n, 3, "upload: looking what arrived, attempt %llu",
                     (unsigned long long)e->number);
            upload_deliver(n, e->number, e->item, true, &e->bytes);
            break;
        case EFFECT_PERIOD:
            period = true; /* one, however many old slots came at once */
            break;
        case EFFECT_LEAD_KEY:
            keyring_keep(n, &e->bytes);
            break;
        case EFFECT_ASIDE:
            erase_aside(n, e->number);
            break;
        case EFFECT_FORGET:
            erase_forget(n, e->number);
            break;
        case EFFECT_EVENT:
            node_log(n, 2, "%s", (const char *)e->bytes.p);
            break;
        }
    }
    effects_clear(fx);
    if (period && store_period_begin(n->store, &msg) != ERR_OK)
        node_log(n, 1, "no new period: %s", msg.text);
}

/* ---- the core, and what it put on the disk ---- */

static void dice(void *ctx, void *out, size_t len)
{
    (void)ctx;
    randombytes_buf(out, len);
}

/* What was decided without enough memory is not to be believed, as after a failed write. */
static enum err had_memory(struct node *n, struct errmsg *msg)
{
    bool refused = mem_refused() != n->refused;

    n->refused = mem_refused();
    return refused ? err_set(msg, ERR_NOMEM, "this PC has no memory left") : ERR_OK;
}

enum err node_open_core(struct node *n, struct errmsg *msg)
{
    struct core_config c = { .me = &n->me, .disk = store_disk(n->store), .dice = dice };
    char host[CONF_ADDR_MAX];
    uint16_t port = 0;
    struct moment now = node_now();
    enum err e;

    addr_split(n->conf.listen, host, &port);
    if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
        snprintf(c.address, sizeof c.address, ":%u", port);
    else
        snprintf(c.address, sizeof c.address, strchr(host, ':') ? "[%.40s]:%u" : "%.40s:%u", host,
                 port);
    snprintf(c.software, sizeof c.software, "%s", TIDEOVER_VERSION);
    n->refused = mem_refused();
    if ((e = core_open(&c, &now, &n->core, msg)) == ERR_OK &&
        ((e = had_memory(n, msg)) != ERR_OK || /* the start mark, before any connection: */
         (e = store_commit(n->store, msg)) != ERR_OK)) {
        core_close(n->core);
        n->core = NULL;
    }
    if (e == ERR_OK)
        keyring_load(n);
    return e;
}

/* The disk refused: nothing of this round happened. What was acknowledged is safe; the core in
 * memory is not to be believed any more. */
void node_stop_saving(struct node *n, const char *why)
{
    if (!n->stopped)
        node_log(n, 0, "STOP, not saving: %s", why);
    snprintf(n->stop_reason, sizeof n->stop_reason, "%s", why);
    n->stopped = n->doubted = true;
    n->forget.state = FORGET_IDLE; /* begun again by the core that comes */
    n->retry_ms = clock_ms(CLOCK_BOOTTIME) + REOPEN_EVERY_MS;
    effects_clear(core_effects(n->core));
    replies_release(n, false);
}

void node_save_again(struct node *n)
{
    struct errmsg msg = { .text = "" };
    struct core *old = n->core;

    n->retry_ms = clock_ms(CLOCK_BOOTTIME) + REOPEN_EVERY_MS;
    if (n->jobs > 0 || n->again)
        return; /* they read the store */
    if (n->doubted) {
        damage_look_later(n);
        return;
    }
    if (store_reopen(n->store, &msg) != ERR_OK)
        return;
    n->core = NULL;
    if (node_open_core(n, &msg) != ERR_OK) {
        n->core = old;
        snprintf(n->stop_reason, sizeof n->stop_reason, "%s", msg.text);
        return;
    }
    core_close(old);
    n->stopped = false;
    node_log(n, 1, "saving again");
}

static void tell_lease(struct node *n)
{
    struct moment now = node_now();
    struct ledger_view v;

    core_ledger_view(n->core, &now, &v);
    pthread_mutex_lock(&n->lock);
    n->sending = n->stopped ? 0 : v.sending;
    n->sending_until_ms = v.sending_until_ms;
    pthread_mutex_unlock(&n->lock);
    upload_watch(n, &v);
    metrics_watch(&n->metrics, n->core, &v);
    denied_watch(n, &now, &v);
}

/* Nothing is timed that has nothing to write. */
static enum err commit_timed(struct node *n, struct errmsg *msg)
{
    uint64_t began = clock_us(CLOCK_MONOTONIC);
    bool writes = store_batch_is_open(n->store);
    enum err e = store_commit(n->store, msg);

    if (writes && e == ERR_OK)
        metrics_commit(&n->metrics, (double)(clock_us(CLOCK_MONOTONIC) - began) / 1e6);
    return e;
}

void node_cycle(struct node *n)
{
    struct errmsg msg = { .text = "" };

    n->batch_bytes = 0;
    if (n->recorded > 0)
        commit_wait_done(&n->wait, n->recorded);
    n->recorded = 0;
    if (!n->stopped && (core_seal(n->core, &msg) != ERR_OK || had_memory(n, &msg) != ERR_OK ||
                        commit_timed(n, &msg) != ERR_OK)) {
        store_abort(n->store);
        node_stop_saving(n, msg.text);
    } else if (!n->stopped) {
        carry_out(n);
        replies_release(n, true);
    }
    tell_lease(n);
    jobs_start(n);
}
