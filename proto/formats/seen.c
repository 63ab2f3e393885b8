/* seen.c - which barcodes a finished file touched in one tick, for the validators (E2, E3). */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define SEEN_FIRST 64 /* slots of the table in a quiet tick; a power of two */

struct seen {
    char role; /* the format's own letter; 0: free slot */
    char barcode[BARCODE_MAX + 1];
};

static struct seen *find_slot(struct seen *table, size_t slots, char role, const char *barcode)
{
    uint64_t h = 14695981039346656037u ^ (unsigned char)role; /* FNV-1a */
    size_t at;

    for (const char *s = barcode; *s != 0; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    at = (size_t)(h ^ h >> 32) & (slots - 1);
    while (table[at].role != 0 &&
           (table[at].role != role || strcmp(table[at].barcode, barcode) != 0))
        at = (at + 1) & (slots - 1);
    return &table[at];
}

static bool has(const struct seen_set *s, char role, const char *barcode)
{
    return s->slots > 0 && find_slot(s->v, s->slots, role, barcode)->role != 0;
}

static bool grow(struct seen_set *s)
{
    size_t slots = s->slots > 0 ? s->slots * 2 : SEEN_FIRST;
    struct seen *table = mem_zero(slots, sizeof *table);

    if (table == NULL)
        return false;
    for (size_t i = 0; i < s->slots; i++)
        if (s->v[i].role != 0)
            *find_slot(table, slots, s->v[i].role, s->v[i].barcode) = s->v[i];
    free(s->v);
    s->v = table;
    s->slots = slots;
    return true;
}

static enum err add(struct seen_set *s, char role, const char *barcode)
{
    struct seen *slot;

    if (s->used * 2 >= s->slots && !grow(s))
        return ERR_NOMEM;
    slot = find_slot(s->v, s->slots, role, barcode);
    if (slot->role == 0) {
        slot->role = role;
        memcpy(slot->barcode, barcode, strlen(barcode) + 1);
        s->used++;
    }
    return ERR_OK;
}

void seen_forget(struct seen_set *s)
{
    if (s->slots > SEEN_FIRST)
        seen_free(s);
    else if (s->v != NULL)
        memset(s->v, 0, s->slots * sizeof *s->v);
    s->used = 0;
}

void seen_free(struct seen_set *s)
{
    free(s->v);
    *s = (struct seen_set){ 0 };
}

enum err seen_event(struct seen_set *s, const char *item, const char *user, bool registers,
                    const char *tick, struct errmsg *msg)
{
    enum err e = ERR_OK;

    if (item[0] != 0 && has(s, 'i', item))
        return err_set(msg, ERR_MALFORMED, "two events on one item in one %s", tick);
    if (user[0] != 0 && (has(s, 'r', user) || (registers && has(s, 'u', user))))
        return err_set(msg, ERR_MALFORMED, "a card is registered and used in one %s", tick);
    if (item[0] != 0)
        e = add(s, 'i', item);
    if (e == ERR_OK && user[0] != 0)
        e = add(s, registers ? 'r' : 'u', user);
    return e;
}
