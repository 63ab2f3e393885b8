/* queue.c - what is going to happen, soonest first: a heap of small cells, and events used again.
 */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static bool sooner(const struct queued *a, const struct queued *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void push(struct sim *s, uint64_t at_us, struct event *e)
{
    struct queue *q = &s->queue;
    struct queued c = { at_us, q->order++, e };
    unsigned i = q->n;

    q->v = sim_grow(q->v, q->n, &q->room, sizeof *q->v);
    q->n++;
    for (; i > 0 && sooner(&c, &q->v[(i - 1) / 2]); i = (i - 1) / 2)
        q->v[i] = q->v[(i - 1) / 2];
    q->v[i] = c;
}

struct event *sim_put(struct sim *s, uint64_t in_us, enum event_type type, int desk)
{
    struct queue *q = &s->queue;
    struct event *e = q->n_spare > 0 ? q->spare[--q->n_spare] : malloc(sizeof *e);

    if (!e)
        abort();
    *e = (struct event){ .type = type, .desk = desk, .life = desk >= 0 ? s->desk[desk].life : 0 };
    push(s, s->now_us + in_us, e);
    return e;
}

struct event *queue_take(struct sim *s)
{
    struct queue *q = &s->queue;
    struct event *e;
    struct queued last;
    unsigned i = 0;

    if (q->n == 0)
        return NULL;
    e = q->v[0].e;
    s->now_us = q->v[0].at_us;
    last = q->v[--q->n];
    for (;;) {
        unsigned least = 2 * i + 1;
        if (least + 1 < q->n && sooner(&q->v[least + 1], &q->v[least]))
            least++;
        if (least >= q->n || !sooner(&q->v[least], &last))
            break;
        q->v[i] = q->v[least];
        i = least;
    }
    q->v[i] = last;
    return e;
}

void queue_again(struct sim *s, uint64_t in_us, struct event *e)
{
    push(s, s->now_us + in_us, e);
}

void queue_done(struct sim *s, struct event *e)
{
    struct queue *q = &s->queue;

    buf_free(&e->bytes);
    parcel_free(e->parcel);
    if (e->told)
        told_free(e->told);
    free(e->told);
    q->spare = sim_grow(q->spare, q->n_spare, &q->spare_room, sizeof *q->spare);
    q->spare[q->n_spare++] = e;
}

void queue_free(struct sim *s)
{
    struct queue *q = &s->queue;

    while (q->n > 0)
        queue_done(s, q->v[--q->n].e);
    while (q->n_spare > 0)
        free(q->spare[--q->n_spare]);
    free(q->v);
    free(q->spare);
}
