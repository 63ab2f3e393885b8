/* net.c - a bad network: every message may be lost, late, doubled, out of order, or cut one way. */
#include <string.h>

#include "deeds.h"
#include "pack.h"

static uint64_t delay(struct sim *s)
{
    unsigned r = (unsigned)rng_between(&s->dice, 0, 999);

    if (s->healed || r >= s->slow)
        return rng_between(&s->dice, 100, 8 * MS);
    if (r >= s->slow / 4)
        return rng_between(&s->dice, 10 * MS, 500 * MS);
    return rng_between(&s->dice, 500 * MS, 20 * SECOND);
}

static void fly(struct sim *s, int from, int to, const struct buf *bytes, uint64_t in_us)
{
    struct event *e = sim_put(s, in_us, EV_MESSAGE, to);

    e->from = from;
    buf_add(&e->bytes, bytes->p, bytes->len);
}

static void trace_message(const struct sim *s, int from, int to, const struct buf *bytes,
                          const char *fate)
{
    char words[160];

    if (!s->trace)
        return;
    words_of_message(s, bytes, words);
    if (words[0] != '\0')
        sim_trace(s, from, "-> %s %s%s", s->desk[to].name, words, fate);
}

/* Between desks: as it travels, packed or not. */
static void travel(struct sim *s, int from, int to, const struct buf *bytes,
                   const struct buf *packed)
{
    struct link *l = net_link(s, from, to);

    s->count.bytes += packed->len;
    if (l->peer_life != s->desk[to].life || !s->desk[to].core) { /* nobody is at the other end */
        struct event *e = sim_put(s, rng_between(&s->dice, 100, 50 * MS), EV_LINK_LOST, from);
        e->from = to;
        return;
    }
    if (l->cut) { /* TCP may still bring it, much later */
        trace_message(s, from, to, bytes, ", cut");
        if (rng_chance(&s->dice, 200))
            fly(s, from, to, packed, rng_between(&s->dice, SECOND, 20 * SECOND));
        return;
    }
    if (!s->healed && rng_chance(&s->dice, s->loss)) {
        trace_message(s, from, to, bytes, ", lost");
        return;
    }
    trace_message(s, from, to, bytes, "");
    fly(s, from, to, packed, delay(s));
    if (!s->healed && rng_chance(&s->dice, s->dup))
        fly(s, from, to, packed, delay(s));
}

void net_send(struct sim *s, int from, int to, struct buf *bytes)
{
    struct buf packed = { 0 };

    s->count.messages++;
    if (from == to)
        fly(s, from, to, bytes, 1);
    else if (net_link(s, from, to)->up)
        travel(s, from, to, bytes, message_pack(bytes->p, bytes->len, &packed) ? &packed : bytes);
    buf_free(&packed);
}

static void try_later(struct sim *s, int from, int to, uint64_t in_us)
{
    struct event *e = sim_put(s, in_us, EV_LINK, from);

    e->from = to;
    e->number = net_link(s, from, to)->try_no;
}

void net_connect(struct sim *s, int from, int to)
{
    struct link *l = net_link(s, from, to);

    l->wanted = true;
    l->up = false;
    l->try_no++;
    try_later(s, from, to, rng_between(&s->dice, 300, 20 * MS));
}

bool net_try(struct sim *s, int from, int to, unsigned try_no)
{
    struct link *l = net_link(s, from, to);

    if (!l->wanted || l->up || try_no != l->try_no)
        return false;
    if (s->desk[to].core && !l->cut && !net_link(s, to, from)->cut) {
        l->up = true;
        l->peer_life = s->desk[to].life;
        return true;
    }
    try_later(s, from, to, rng_between(&s->dice, 50 * MS, 500 * MS));
    return false;
}

void net_lost(struct sim *s, int from, int to)
{
    if (net_link(s, from, to)->up)
        net_connect(s, from, to); /* libzmq does so by itself */
}

void net_desk_died(struct sim *s, int desk)
{
    for (int i = 0; i < (int)s->n; i++) {
        struct link *mine = net_link(s, desk, i);
        mine->wanted = mine->up = false;
        mine->try_no++;
        if (i != desk && net_link(s, i, desk)->up && rng_chance(&s->dice, 700)) { /* a reset */
            struct event *e = sim_put(s, rng_between(&s->dice, 100, 300 * MS), EV_LINK_LOST, i);
            e->from = desk;
        }
    }
}

void net_heal(struct sim *s)
{
    for (unsigned i = 0; i < s->n * s->n; i++)
        s->links[i].cut = false;
}

/* ---- rows of verbs.c ---- */

void deed_network(struct sim *s, const struct args *a)
{
    s->loss = (unsigned)a->num[0];
    s->dup = (unsigned)a->num[1];
    s->slow = (unsigned)a->num[2];
}

void deed_cut(struct sim *s, const struct args *a)
{
    net_link(s, a->desk[0], a->desk[1])->cut = net_link(s, a->desk[1], a->desk[0])->cut = true;
    sim_trace(s, a->desk[0], "and %s are cut off from each other", s->desk[a->desk[1]].name);
}

void deed_deaf(struct sim *s, const struct args *a)
{
    net_link(s, a->desk[1], a->desk[0])->cut = true;
    sim_trace(s, a->desk[0], "hears no more from %s", s->desk[a->desk[1]].name);
}

/* Two sides; whoever is in the set is on one of them. */
static void split(struct sim *s, const uint8_t *set)
{
    for (unsigned i = 0; i < s->n; i++)
        for (unsigned k = 0; k < s->n; k++)
            net_link(s, (int)i, (int)k)->cut =
                (set[i / 8] >> i % 8 & 1) != (set[k / 8] >> k % 8 & 1);
}

void deed_alone(struct sim *s, const struct args *a)
{
    uint8_t set[SIM_STATIONS_MAX / 8] = { 0 };

    set[a->desk[0] / 8] = (uint8_t)(1u << a->desk[0] % 8);
    split(s, set);
    sim_trace(s, a->desk[0], "is alone");
}

void deed_split(struct sim *s, const struct args *a)
{
    split(s, a->set);
    sim_trace(s, -1, "the network is in two parts");
}

void deed_tangle(struct sim *s, const struct args *a)
{
    for (unsigned i = 0; i < s->n * s->n; i++)
        s->links[i].cut = i / s->n != i % s->n && rng_chance(&s->dice, (unsigned)a->num[0]);
    sim_trace(s, -1, "%llu in 1000 directions are cut", (unsigned long long)a->num[0]);
}

void deed_whole(struct sim *s, const struct args *a)
{
    (void)a;
    net_heal(s);
    sim_trace(s, -1, "the network is whole");
}
