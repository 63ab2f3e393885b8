/* bench_mesh.c - whole desks in one process: one on a real store, those that send to it in memory. */
#include "bench_mesh.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "pack.h"

#define MEET_STEPS 200 /* of 100 ms */

static void dice(void *ctx, void *out, size_t n)
{
    (void)ctx;
    randombytes_buf(out, n);
}

static struct moment now_of(const struct mesh *m)
{
    struct moment now = bench_moment();

    now.boot_ms += m->ahead_ms;
    now.wall_ms += (int64_t)(m->ahead_ms + m->step_ms);
    return now;
}

static void open_in_memory(struct mesh *m, unsigned i)
{
    struct core_config c = { .me = &m->b.desk[i], .dice = dice, .software = "bench" };
    struct moment now = now_of(m);
    struct errmsg msg = { .text = "" };

    m->disk[i] = memdisk_new();
    c.disk = memdisk_disk(m->disk[i]);
    snprintf(c.address, sizeof c.address, "127.0.0.1:%u", i + 1);
    for (unsigned k = 0; k < m->b.n_ops; k++) {
        uint8_t key[4] = { 0, 0, 0, (uint8_t)k };
        c.disk->put(c.disk->ctx, TABLE_ROSTER, key, sizeof key, m->b.op[k].p, m->b.op[k].len);
    }
    memdisk_commit(m->disk[i], NULL, NULL);
    if (core_open(&c, &now, &m->core[i], &msg) != ERR_OK)
        bench_die("core: %s", msg.text);
    memdisk_commit(m->disk[i], NULL, NULL);
}

static void commit(struct mesh *m, unsigned i)
{
    struct errmsg msg = { .text = "" };

    if (core_seal(m->core[i], &msg) != ERR_OK)
        bench_die("seal: %s", msg.text);
    if (i > 0)
        memdisk_commit(m->disk[i], NULL, NULL);
    else if (store_commit(m->first.store, &msg) != ERR_OK)
        bench_die("commit: %s", msg.text);
}

/* As the node sends it: packed where that pays. */
static void post(struct mesh *m, unsigned from, unsigned to, struct buf *bytes)
{
    struct letter *l = &m->mail[m->n_mail++];
    struct buf packed = { 0 };

    if (m->n_mail == MAIL_MAX)
        bench_die("the mesh does not come to rest");
    if (message_pack(bytes->p, bytes->len, &packed)) {
        buf_free(bytes);
        *bytes = packed;
    }
    m->letters++;
    m->bytes += bytes->len;
    l->from = from;
    l->to = to;
    l->bytes = *bytes;
    memset(bytes, 0, sizeof *bytes);
}

/* What the core wants done after its commit. Only what comes from or goes to desk 0 is carried. */
static void carry_out(struct mesh *m, unsigned i)
{
    struct effects *fx = core_effects(m->core[i]), todo = *fx;
    struct moment now = now_of(m);

    memset(fx, 0, sizeof *fx);
    for (unsigned k = 0; k < todo.n; k++) {
        struct effect *e = &todo.v[k];
        unsigned to = 0;
        while (to < m->n && !desk_id_eq(&m->b.desk[to].id, &e->to))
            to++;
        if (to >= m->n || (to > 0 && i > 0 && to != i))
            continue;
        if (e->type == EFFECT_SEND)
            post(m, i, to, &e->bytes);
        else if (e->type == EFFECT_CONNECT)
            core_peer_up(m->core[i], &now, &m->b.desk[to].id);
    }
    effects_free(&todo);
    if (fx->n > 0)
        carry_out(m, i);
}

void mesh_finish(struct mesh *m, unsigned i)
{
    commit(m, i);
    carry_out(m, i);
}

bool mesh_take(struct mesh *m, struct letter *out)
{
    if (m->n_taken == m->n_mail) {
        m->n_taken = m->n_mail = 0;
        return false;
    }
    *out = m->mail[m->n_taken++];
    return true;
}

void mesh_hear(struct mesh *m, const struct letter *l)
{
    struct moment now = now_of(m);

    core_message(m->core[l->to], &now, &m->b.desk[l->from].id, "", l->bytes.p, l->bytes.len);
}

void mesh_settle(struct mesh *m)
{
    struct letter l;

    while (mesh_take(m, &l)) {
        mesh_hear(m, &l);
        mesh_finish(m, l.to);
        buf_free(&l.bytes);
    }
}

void mesh_tick(struct mesh *m, uint64_t ms)
{
    m->ahead_ms += ms;
    for (unsigned i = 0; i < m->n; i++) {
        struct moment now = now_of(m);
        core_tick(m->core[i], &now);
        mesh_finish(m, i);
    }
    mesh_settle(m);
}

static bool has_met(const struct mesh *m)
{
    struct moment now = now_of(m);

    for (unsigned i = 0; i < core_peers(m->core[0]); i++) {
        struct peer_view p;
        core_peer_view(m->core[0], &now, i, &p);
        if (p.state != PEER_ONLINE)
            return false;
    }
    return true;
}

static void introduce(struct mesh *m, unsigned i)
{
    for (unsigned k = 0; k < m->n; k++) {
        char address[32];
        snprintf(address, sizeof address, "127.0.0.1:%u", k + 1);
        if (k != i)
            core_hint(m->core[i], &m->b.desk[k].id, address);
    }
}

void mesh_open(struct mesh *m, unsigned n, const char *dir)
{
    unsigned steps = 0;

    memset(m, 0, sizeof *m);
    m->n = n;
    branch_found(&m->b, n);
    desk_open(&m->first, &m->b, 0, dir, "127.0.0.1:1");
    m->core[0] = m->first.core;
    for (unsigned i = 1; i < n; i++)
        open_in_memory(m, i);
    for (unsigned i = 0; i < n; i++)
        introduce(m, i);
    do {
        if (steps++ == MEET_STEPS)
            bench_die("the desks do not meet");
        mesh_tick(m, 100);
    } while (!has_met(m));
}

void mesh_forget(struct mesh *m)
{
    for (unsigned i = 1; i < m->n; i++) {
        core_close(m->core[i]);
        memdisk_free(m->disk[i]);
    }
    m->n = 1;
}

void mesh_close(struct mesh *m)
{
    mesh_forget(m);
    desk_close(&m->first);
}

void mesh_record(struct mesh *m, unsigned i, unsigned count)
{
    struct moment now = now_of(m);
    struct errmsg msg = { .text = "" };
    struct record_ref ref;
    struct record r;
    bool again;

    while (count-- > 0) {
        record_fill(&r, ++m->recorded, 0);
        if (core_record(m->core[i], &now, &r, &ref, &again, &msg) != ERR_OK || again)
            bench_die("record: %s", msg.text);
    }
    mesh_finish(m, i);
}

uint64_t mesh_held(const struct mesh *m)
{
    struct moment now = now_of(m);
    struct core_view v;

    core_view(m->core[0], &now, &v);
    return v.held;
}
