/* world.h - two or three whole cores on memory disks, joined by a perfect network, for unit tests.
 */
#ifndef TIDEOVER_WORLD_H
#define TIDEOVER_WORLD_H

#include "branch.h"
#include "core.h"
#include "memdisk.h"
#include "wire.h"

#define NODES 4

struct letter {
    unsigned from, to;
    struct buf bytes;
};

struct node {
    struct memdisk *disk;
    struct core *core; /* NULL: off */
    uint64_t dice;
    int64_t wall_step;
    bool disconnected[NODES];
    unsigned
        lead_keys; /* sealed lead keys that it was told to keep, and the last one's first byte */
    uint8_t lead_key;
};

struct world {
    struct branch b;
    unsigned n; /* desks that have a node; the roster may name more */
    struct node v[NODES];
    bool cut[NODES][NODES];
    bool wants[NODES][NODES], up[NODES][NODES]; /* the connection that one holds to another */
    unsigned drop[NODES][NODES];                /* so many next letters are lost */
    uint64_t now_ms;
    struct letter *mail;
    unsigned n_mail, mail_room;
    struct buf last_hello[NODES][NODES];
    struct buf slot; /* the newest intent that was handed to the sink */
    unsigned delivered;
    bool (*hook)(struct world *w, unsigned i, struct effect *e); /* NULL, or: it took care of e */
};

static inline void dice(void *ctx, void *out, size_t n)
{
    uint64_t *s = ctx;
    uint8_t *p = out;

    for (size_t i = 0; i < n; i++) {
        *s = *s * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        p[i] = (uint8_t)(*s >> 56);
    }
}

static inline struct moment moment(const struct world *w, unsigned i)
{
    return (struct moment){ w->now_ms, 1795500000000 + (int64_t)w->now_ms + w->v[i].wall_step,
                            -300 };
}

static inline void try_connect(struct world *w, unsigned i, unsigned to)
{
    struct moment now = moment(w, i);

    if (!w->wants[i][to] || w->up[i][to] || !w->v[i].core || !w->v[to].core || w->cut[i][to])
        return;
    w->up[i][to] = true;
    core_peer_up(w->v[i].core, &now, &w->b.desk[to].id);
}

static inline unsigned wire_type_of(const struct buf *b)
{
    struct mp m = mp_over(b->p, b->len);

    return wire_open(&m);
}

static inline void post(struct world *w, unsigned from, unsigned to, struct buf *bytes)
{
    if (w->n_mail == w->mail_room) {
        w->mail_room = w->mail_room ? 2 * w->mail_room : 64;
        w->mail = realloc(w->mail, w->mail_room * sizeof *w->mail);
    }
    w->mail[w->n_mail++] = (struct letter){ from, to, *bytes };
    memset(bytes, 0, sizeof *bytes);
}

static inline unsigned node_of(const struct world *w, const struct desk_id *id)
{
    for (unsigned i = 0; i < NODES; i++)
        if (desk_id_eq(&w->b.desk[i].id, id))
            return i;
    return NODES;
}

/* Nothing is really built here: the payload is tested elsewhere. */
static inline void carry_out(struct world *w, unsigned i, struct effect *e)
{
    unsigned to = node_of(w, &e->to);
    struct moment now = moment(w, i);

    if (w->hook && w->hook(w, i, e))
        return;
    switch (e->type) {
    case EFFECT_SEND:
        if (to < w->n && (to == i || w->up[i][to]))
            post(w, i, to, &e->bytes);
        break;
    case EFFECT_CONNECT:
        if (to < w->n) {
            w->wants[i][to] = true;
            w->up[i][to] = false;
            try_connect(w, i, to);
        }
        break;
    case EFFECT_DISCONNECT:
        w->v[i].disconnected[to] = true;
        break;
    case EFFECT_BUILD:
        core_built(w->v[i].core, &now, e->number, NULL, 0, &(struct slot_aside){ 0 }, NULL);
        break;
    case EFFECT_DELIVER:
        buf_free(&w->slot);
        w->slot = e->bytes;
        memset(&e->bytes, 0, sizeof e->bytes);
        w->delivered++;
        core_delivered(w->v[i].core, &now, e->number, DELIVERY_DONE, "x", NULL);
        break;
    case EFFECT_LEAD_KEY:
        w->v[i].lead_keys++;
        w->v[i].lead_key = e->bytes.len > 0 ? e->bytes.p[0] : 0;
        break;
    case EFFECT_LOOK:
    case EFFECT_ASIDE:
    case EFFECT_FORGET:
    case EFFECT_PERIOD:
    case EFFECT_EVENT:
        break;
    }
}

static inline void finish(struct world *w, unsigned i)
{
    struct effects *fx = core_effects(w->v[i].core);

    do { /* answers to effects make further effects */
        struct effects now;
        assert_int_equal(core_seal(w->v[i].core, NULL), ERR_OK);
        memdisk_commit(w->v[i].disk, NULL, NULL);
        now = *fx;
        memset(fx, 0, sizeof *fx);
        for (unsigned k = 0; k < now.n; k++)
            carry_out(w, i, &now.v[k]);
        effects_free(&now);
    } while (fx->n > 0);
}

static inline void hear(struct world *w, unsigned from, unsigned to, const void *p, size_t n)
{
    struct moment now = moment(w, to);

    core_message(w->v[to].core, &now, &w->b.desk[from].id, "", p, n);
    finish(w, to);
}

static inline void pump(struct world *w)
{
    for (unsigned i = 0; i < w->n_mail; i++) {
        struct letter l = w->mail[i];
        if (wire_type_of(&l.bytes) == WIRE_HELLO) {
            buf_reset(&w->last_hello[l.from][l.to]);
            buf_add(&w->last_hello[l.from][l.to], l.bytes.p, l.bytes.len);
        }
        if (w->drop[l.from][l.to] > 0)
            w->drop[l.from][l.to]--;
        else if (w->v[l.to].core && !w->cut[l.from][l.to])
            hear(w, l.from, l.to, l.bytes.p, l.bytes.len);
        buf_free(&l.bytes);
    }
    w->n_mail = 0;
}

static inline void run(struct world *w, uint64_t ms)
{
    for (uint64_t end = w->now_ms + ms; w->now_ms < end;) {
        w->now_ms += 100;
        for (unsigned i = 0; i < w->n; i++) {
            struct moment now = moment(w, i);
            if (!w->v[i].core)
                continue;
            for (unsigned k = 0; k < w->n; k++)
                try_connect(w, i, k);
            if (now.boot_ms >= core_next_tick(w->v[i].core))
                core_tick(w->v[i].core, &now);
            finish(w, i);
        }
        pump(w);
    }
}

static inline void put_roster(struct world *w, struct memdisk *m)
{
    const struct disk *d = memdisk_disk(m);

    for (unsigned i = 0; i < w->b.n_ops; i++) {
        uint8_t key[4];
        put_be32(key, i);
        d->put(d->ctx, TABLE_ROSTER, key, sizeof key, w->b.op[i].p, w->b.op[i].len);
    }
    memdisk_commit(m, NULL, NULL);
}

static inline void start(struct world *w, unsigned i)
{
    struct core_config conf = { .me = &w->b.desk[i],
                                .disk = memdisk_disk(w->v[i].disk),
                                .dice = dice,
                                .dice_ctx = &w->v[i].dice,
                                .software = "test" };
    struct moment now = moment(w, i);

    snprintf(conf.address, sizeof conf.address, "10.0.0.%u:1", i);
    assert_int_equal(core_open(&conf, &now, &w->v[i].core, NULL), ERR_OK);
    for (unsigned k = 0; k < NODES; k++) {
        char address[ADDR_TEXT_MAX];
        snprintf(address, sizeof address, "10.0.0.%u:1", k);
        core_hint(w->v[i].core, &w->b.desk[k].id, address);
    }
    finish(w, i);
}

static inline void stop(struct world *w, unsigned i)
{
    memdisk_abort(w->v[i].disk);
    core_close(w->v[i].core);
    w->v[i].core = NULL;
    for (unsigned k = 0; k < w->n; k++) {
        w->wants[i][k] = w->up[i][k] = false;
        if (w->up[k][i] && w->v[k].core)
            core_peer_down(w->v[k].core, &w->b.desk[i].id);
        w->up[k][i] = false;
    }
}

static inline void wipe(struct world *w, unsigned i)
{
    if (w->v[i].core)
        stop(w, i);
    memdisk_free(w->v[i].disk);
    w->v[i].disk = memdisk_new();
    put_roster(w, w->v[i].disk);
}

/* n nodes of a branch that names `desks`; connected and heard of when this returns. */
static inline struct world *world_new(unsigned n, unsigned desks)
{
    struct world *w = calloc(1, sizeof *w);

    branch_new(&w->b, desks, desks);
    w->n = n;
    w->now_ms = 10000;
    for (unsigned i = 0; i < n; i++) {
        w->v[i].dice = i + 1;
        w->v[i].disk = memdisk_new();
        put_roster(w, w->v[i].disk);
    }
    for (unsigned i = 0; i < n; i++)
        start(w, i);
    run(w, 3000);
    return w;
}

static inline void world_free(struct world *w)
{
    for (unsigned i = 0; i < w->n; i++) {
        core_close(w->v[i].core);
        memdisk_free(w->v[i].disk);
    }
    for (unsigned i = 0; i < w->n_mail; i++)
        buf_free(&w->mail[i].bytes);
    for (unsigned i = 0; i < NODES; i++)
        for (unsigned k = 0; k < NODES; k++)
            buf_free(&w->last_hello[i][k]);
    free(w->mail);
    buf_free(&w->slot);
    branch_free(&w->b);
    free(w);
}

static inline void cut(struct world *w, unsigned a, unsigned b, bool yes)
{
    w->cut[a][b] = w->cut[b][a] = yes;
}

/* ---- people ---- */

static inline struct record checkout(void)
{
    struct record r = { .kind = RECORD_CHECKOUT };

    snprintf(r.item, sizeof r.item, "30000000000004");
    snprintf(r.user, sizeof r.user, "20000000000006");
    return r;
}

static inline enum err enter(struct world *w, unsigned i, struct record *r, struct record_ref *out)
{
    struct moment now = moment(w, i);
    struct errmsg msg = { .text = "" };
    bool again;
    enum err e = core_record(w->v[i].core, &now, r, out, &again, &msg);

    return e;
}

static inline struct record_ref lend(struct world *w, unsigned i, unsigned times)
{
    struct record_ref ref;

    for (unsigned k = 0; k < times; k++) {
        struct record r = checkout();
        assert_int_equal(enter(w, i, &r, &ref), ERR_OK);
        if (k % 300 == 299)
            finish(w, i);
    }
    finish(w, i);
    return ref;
}

static inline uint64_t held(const struct world *w, unsigned i)
{
    return core_feeds(w->v[i].core)->records;
}

static inline void assert_equal_sets(const struct world *w, unsigned a, unsigned b)
{
    struct feeds *x = (struct feeds *)(uintptr_t)core_feeds(w->v[a].core);
    struct feeds *y = (struct feeds *)(uintptr_t)core_feeds(w->v[b].core);

    assert_memory_equal(feeds_hash(x), feeds_hash(y), 16);
}

static inline struct core_view view(const struct world *w, unsigned i)
{
    struct moment now = moment(w, i);
    struct core_view v;

    core_view(w->v[i].core, &now, &v);
    return v;
}

static inline struct peer_view peer(const struct world *w, unsigned at, unsigned of)
{
    struct moment now = moment(w, at);
    struct peer_view v;

    for (unsigned i = 0; i < core_peers(w->v[at].core); i++) {
        core_peer_view(w->v[at].core, &now, i, &v);
        if (desk_id_eq(&v.id, &w->b.desk[of].id))
            return v;
    }
    fail_msg("no such peer");
    return v;
}

static inline void press(struct world *w, unsigned i)
{
    struct moment now = moment(w, i);
    struct trigger t;
    struct buf b = { 0 };

    core_draft_trigger(w->v[i].core, &now, &t);
    memcpy(t.lead_pk, w->b.lead.sign_pk, KEY_BYTES);
    trigger_sign(roster_branch(w->b.r), &t, w->b.lead.sign_sk, &b);
    assert_int_equal(core_trigger(w->v[i].core, &now, b.p, b.len, NULL), ERR_OK);
    finish(w, i);
    buf_free(&b);
}

/* How far the newest upload went in a feed; 0: it has none of it. */
static inline uint64_t uploaded_to(const struct world *w, const struct feed_id *feed)
{
    struct intent in;
    uint64_t to = 0;

    assert_int_equal(intent_decode(w->slot.p, w->slot.len, &in, NULL), ERR_OK);
    for (unsigned i = 0; i < in.n_ranges; i++)
        if (feed_id_eq(&in.ranges[i].feed, feed))
            to = in.ranges[i].to;
    intent_free(&in);
    return to;
}

#endif
