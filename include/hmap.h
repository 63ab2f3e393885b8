/* hmap.h - a growing hash table from 16 bytes to a number. Keys are digests or random, so that
 * their first bytes are the hash. */
#ifndef TIDEOVER_HMAP_H
#define TIDEOVER_HMAP_H

#include <stdbool.h>
#include <stdint.h>

struct hmap {
    struct hmap_cell {
        uint8_t key[16];
        uint64_t value;
        bool used;
    } * v;
    uint32_t n, room; /* room is 0 or a power of two */
};

void hmap_free(struct hmap *h);
void hmap_clear(struct hmap *h); /* keeps memory for about as many, and no more */
uint64_t *hmap_find(const struct hmap *h, const uint8_t key[16]); /* NULL: not there */
/* The value's place, made (as 0) if absent; NULL: out of memory. Valid until the next call. */
uint64_t *hmap_at(struct hmap *h, const uint8_t key[16], bool *fresh);

#endif
