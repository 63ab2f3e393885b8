/* seen.c - which barcodes a finished file touched in one tick, for the validators (E2, E3). */
#include "format_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define SEEN_FIRST 64 /* slots of the table in a quiet tick; a power of two */

enum role { /* bits: one barcode may be an item's and a user's */
            ROLE_ITEM = 1,
            ROLE_USES = 2,
            ROLE_REGISTERS = 4
};

struct seen {
    uint8_t roles; /* 0: free slot */
    char barcode[BARCODE_MAX + 1];
};

/* Where it is, or would be. */
static struct seen *find_slot(struct seen *table, size_t slots, const char *barcode)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    size_t at;

    for (const char *s = barcode; *s != 0; s++)
        h = (h ^ (unsigned char)*s) * 1099511628211u;
    at = (size_t)(h ^ h >> 32) & (slots - 1);
    while (table[at].roles != 0 && strcmp(table[at].barcode, barcode) != 0)
        at = (at + 1) & (slots - 1);
    return &table[at];
}

static bool grow(struct seen_set *s)
{
    size_t slots = s->slots > 0 ? s->slots * 2 : SEEN_FIRST;
    struct seen *table = mem_zero(slots, sizeof *table);

    if (table == NULL)
        return false;
    for (size_t i = 0; i < s->slots; i++)
        if (s->v[i].roles != 0)
            *find_slot(table, slots, s->v[i].barcode) = s->v[i];
    free(s->v);
    s->v = table;
    s->slots = slots;
    return true;
}

/* False: it has one of these roles already. */
static bool take(struct seen_set *s, const char *barcode, unsigned role, unsigned excludes)
{
    struct seen *slot = find_slot(s->v, s->slots, barcode);

    if ((slot->roles & excludes) != 0)
        return false;
    if (slot->roles == 0) {
        memcpy(slot->barcode, barcode, strlen(barcode) + 1);
        s->used++;
    }
    slot->roles |= (uint8_t)role;
    return true;
}

void seen_forget(struct seen_set *s)
{
    if (s->slots > SEEN_FIRST && s->used < s->slots / 16) /* a crowded tick left it behind */
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
    if ((s->used + 2) * 2 > s->slots && !grow(s))
        return ERR_NOMEM;
    if (item[0] != 0 && !take(s, item, ROLE_ITEM, ROLE_ITEM))
        return err_set(msg, ERR_MALFORMED, "two events on one item in one %s", tick);
    if (user[0] != 0 && !take(s, user, registers ? ROLE_REGISTERS : ROLE_USES,
                              registers ? ROLE_REGISTERS | ROLE_USES : ROLE_REGISTERS))
        return err_set(msg, ERR_MALFORMED, "a card is registered and used in one %s", tick);
    return ERR_OK;
}
