/* net.c - a bad network: every message may be lost, late, doubled, out of order, or cut one way. */
#include "sim.h"

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

void net_send(struct sim *s, int from, int to, struct buf *bytes)
{
    struct link *l = &s->link[from][to];

    s->messages++;
    if (from == to) {
        fly(s, from, to, bytes, 1);
        return;
    }
    if (!l->up)
        return;
    if (l->peer_life != s->desk[to].life || !s->desk[to].core) { /* nobody is at the other end */
        struct event *e = sim_put(s, rng_between(&s->dice, 100, 50 * MS), EV_LINK_LOST, from);
        e->from = to;
        return;
    }
    if (s->cut[from][to]) { /* TCP may still bring it, much later */
        if (rng_chance(&s->dice, 200))
            fly(s, from, to, bytes, rng_between(&s->dice, SECOND, 20 * SECOND));
        return;
    }
    if (!s->healed && rng_chance(&s->dice, s->loss))
        return;
    fly(s, from, to, bytes, delay(s));
    if (!s->healed && rng_chance(&s->dice, s->dup))
        fly(s, from, to, bytes, delay(s));
}

void net_connect(struct sim *s, int from, int to)
{
    struct link *l = &s->link[from][to];
    struct event *e;

    l->wanted = true;
    l->up = false;
    l->try_no++;
    e = sim_put(s, rng_between(&s->dice, 300, 20 * MS), EV_LINK, from);
    e->from = to;
    e->number = l->try_no;
}

bool net_try(struct sim *s, int from, int to, unsigned try_no)
{
    struct link *l = &s->link[from][to];
    struct event *e;

    if (!l->wanted || l->up || try_no != l->try_no)
        return false;
    if (s->desk[to].core && !s->cut[from][to] && !s->cut[to][from]) {
        l->up = true;
        l->peer_life = s->desk[to].life;
        return true;
    }
    e = sim_put(s, rng_between(&s->dice, 50 * MS, 500 * MS), EV_LINK, from);
    e->from = to;
    e->number = l->try_no;
    return false;
}

void net_lost(struct sim *s, int from, int to)
{
    if (s->link[from][to].up)
        net_connect(s, from, to); /* libzmq does so by itself */
}

void net_desk_died(struct sim *s, int desk)
{
    for (int i = 0; i < (int)s->n; i++) {
        s->link[desk][i] = (struct link){ .try_no = s->link[desk][i].try_no + 1 };
        if (i != desk && s->link[i][desk].up && rng_chance(&s->dice, 700)) { /* a reset is seen */
            struct event *e = sim_put(s, rng_between(&s->dice, 100, 300 * MS), EV_LINK_LOST, i);
            e->from = desk;
        }
    }
}

/* Two sides, one desk alone, one direction of one pair, or a few random directions. */
void net_cut_some(struct sim *s)
{
    unsigned how = (unsigned)rng_between(&s->dice, 0, 4);
    int a = (int)rng_between(&s->dice, 0, s->n - 1), b = (int)rng_between(&s->dice, 0, s->n - 1);
    uint64_t side = rng_next(&s->dice);

    for (int i = 0; i < (int)s->n; i++)
        for (int k = 0; k < (int)s->n; k++) {
            bool cut = i != k && (how == 0   ? (side >> i & 1) != (side >> k & 1)
                                  : how == 1 ? i == a || k == a
                                  : how == 2 ? i == a && k == b
                                  : how == 3 ? rng_chance(&s->dice, 300)
                                             : s->cut[i][k] || (i == a && k == b));
            s->cut[i][k] = cut;
            if (cut)
                sim_trace(s, i, "cut off from desk %d", k);
        }
}

void net_heal(struct sim *s)
{
    for (unsigned i = 0; i < s->n; i++)
        for (unsigned k = 0; k < s->n; k++)
            s->cut[i][k] = false;
}
