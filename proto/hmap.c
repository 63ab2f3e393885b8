/* hmap.c - open addressing, linear probing, at most three quarters full. */
#include "hmap.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define FIRST_ROOM 64

void hmap_free(struct hmap *h)
{
    free(h->v);
    memset(h, 0, sizeof *h);
}

void hmap_clear(struct hmap *h)
{
    if (h->room > FIRST_ROOM && h->n < h->room / 16)
        hmap_free(h);
    else if (h->n > 0)
        memset(h->v, 0, h->room * sizeof *h->v);
    h->n = 0;
}

static struct hmap_cell *probe(const struct hmap *h, const uint8_t key[16])
{
    uint64_t at;

    memcpy(&at, key, sizeof at);
    for (;; at++) {
        struct hmap_cell *c = &h->v[at & (h->room - 1)];
        if (!c->used || memcmp(c->key, key, 16) == 0)
            return c;
    }
}

uint64_t *hmap_find(const struct hmap *h, const uint8_t key[16])
{
    struct hmap_cell *c = h->room ? probe(h, key) : NULL;

    return c && c->used ? &c->value : NULL;
}

static bool grow(struct hmap *h)
{
    struct hmap bigger = { .room = h->room ? 2 * h->room : FIRST_ROOM };

    if ((bigger.v = mem_zero(bigger.room, sizeof *bigger.v)) == NULL)
        return false;
    for (uint32_t i = 0; i < h->room; i++)
        if (h->v[i].used)
            *probe(&bigger, h->v[i].key) = h->v[i];
    bigger.n = h->n;
    free(h->v);
    *h = bigger;
    return true;
}

uint64_t *hmap_at(struct hmap *h, const uint8_t key[16], bool *fresh)
{
    struct hmap_cell *c;

    if (4 * (uint64_t)(h->n + 1) > 3 * (uint64_t)h->room && !grow(h))
        return NULL;
    c = probe(h, key);
    *fresh = !c->used;
    if (!c->used) {
        memcpy(c->key, key, 16);
        c->used = true;
        h->n++;
    }
    return &c->value;
}
