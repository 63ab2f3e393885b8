/* koha_int.h - shared by the two ways into Koha: koha.c, koha_plugin.c. */
#ifndef TIDEOVER_KOHA_INT_H
#define TIDEOVER_KOHA_INT_H

#include "koha.h"
#include "web_int.h"

struct koha_session { /* what each session begins with */
    struct web *web;
    struct web_login login;
};

/* The batch's session of `size` bytes, zeros behind its beginning when it is made. NULL: *why and
 * words say what is the matter. limit_ms: of one request. */
void *koha_begin(struct sink_batch *b, size_t size, uint32_t limit_ms, enum delivery *why,
                 char words[256]);
void koha_end(void *session, size_t size); /* wipes it; NULL is fine */

/* Line k of the batch, from 1. */
enum delivery koha_read_row(const struct sink_batch *b, uint64_t k, struct koha_row *out,
                            char words[256]);
/* The receipt's evidence. */
void koha_sum_up(const struct sink_batch *b, char words[256]);

#endif
