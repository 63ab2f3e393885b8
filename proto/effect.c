/* effect.c - the list of things to do. */
#include "effect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

void effects_add(struct effects *fx, enum effect_type type, const struct desk_id *to,
                 uint64_t number, struct buf *bytes)
{
    struct effect *grown = mem_room(fx->v, fx->n, &fx->room, sizeof *grown), *e;

    if (!grown) {
        if (bytes)
            buf_free(bytes);
        return;
    }
    fx->v = grown;
    e = &fx->v[fx->n++];
    memset(e, 0, sizeof *e);
    e->type = type;
    e->number = number;
    if (to)
        e->to = *to;
    if (bytes) {
        e->bytes = *bytes;
        memset(bytes, 0, sizeof *bytes);
    }
    fx->bytes += sizeof *e + e->bytes.cap;
}

void effects_deliver(struct effects *fx, enum effect_type type, uint64_t number, uint64_t item,
                     struct buf *intent)
{
    unsigned n = fx->n;

    effects_add(fx, type, NULL, number, intent);
    if (fx->n > n)
        fx->v[n].item = item;
}

void effects_event(struct effects *fx, const char *fmt, ...)
{
    char line[256];
    struct buf b = { 0 };
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    buf_add(&b, line, strlen(line) + 1);
    effects_add(fx, EFFECT_EVENT, NULL, 0, &b);
}

size_t effects_waiting(const struct effects *fx, const struct desk_id *to)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < fx->n; i++)
        if (fx->v[i].type == EFFECT_SEND && desk_id_eq(&fx->v[i].to, to))
            bytes += sizeof fx->v[i] + fx->v[i].bytes.cap;
    return bytes;
}

void effects_clear(struct effects *fx)
{
    for (unsigned i = 0; i < fx->n; i++)
        buf_free(&fx->v[i].bytes);
    fx->n = 0;
    fx->bytes = 0;
}

void effects_free(struct effects *fx)
{
    effects_clear(fx);
    free(fx->v);
    memset(fx, 0, sizeof *fx);
}
