/* id_set.c - record ids that were seen: a bit each, for numbers of a feed are dense. */
#include "format_int.h"

#include <string.h>

#include <sodium.h>

enum err id_set_add(struct id_set *s, const char *id, size_t n, bool *fresh)
{
    size_t digits = 0;
    uint64_t number = 0, *word;
    uint8_t key[16], page[8];
    crypto_generichash_state h;
    bool made;

    while (digits < n && digits < 18 && id[n - digits - 1] >= '0' && id[n - digits - 1] <= '9')
        digits++;
    for (size_t i = n - digits; i < n; i++)
        number = number * 10 + (uint64_t)(id[i] - '0');
    put_be64(page, number / 64);
    crypto_generichash_init(&h, NULL, 0, sizeof key);
    crypto_generichash_update(&h, page, sizeof page);
    crypto_generichash_update(&h, (const uint8_t *)id, n - digits);
    crypto_generichash_final(&h, key, sizeof key);
    if ((word = hmap_at(&s->pages, key, &made)) == NULL)
        return ERR_NOMEM;
    *fresh = !(*word >> number % 64 & 1);
    *word |= UINT64_C(1) << number % 64;
    return ERR_OK;
}

void id_set_free(struct id_set *s)
{
    hmap_free(&s->pages);
}
