/* koha_session.c - what both ways into Koha need: a session with a login, rows out of the batch. */
#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "koha_int.h"

void koha_end(void *session, size_t size)
{
    struct koha_session *s = session;

    if (!s)
        return;
    web_free(s->web);
    sodium_memzero(s, size);
    free(s);
}

void *koha_begin(struct sink_batch *b, size_t size, uint32_t limit_ms, enum delivery *why,
                 char words[256])
{
    struct koha_session *s = *b->session;

    if (s)
        return s;
    if ((s = calloc(1, size)) == NULL) {
        snprintf(words, 256, "out of memory");
        *why = DELIVERY_RETRY;
        return NULL;
    }
    if (web_find_login(b, b->policy->koha_service.user, &s->login, words))
        s->web = web_new(b, limit_ms, words);
    if (!s->web) {
        koha_end(s, size);
        *why = DELIVERY_STOP;
        return NULL;
    }
    return *b->session = s;
}

enum delivery koha_read_row(const struct sink_batch *b, uint64_t k, struct koha_row *out,
                            char words[256])
{
    struct sink_line line;

    if (b->line(b->ctx, k, &line) != ERR_OK) {
        snprintf(words, 256, "the batch cannot be read");
        return DELIVERY_RETRY;
    }
    if (koha_row(line.bytes, line.n, out) != ERR_OK) {
        snprintf(words, 256,
                 "line %llu of the batch is no row for Koha: is the policy's format koha?",
                 (unsigned long long)k);
        return DELIVERY_STOP;
    }
    return DELIVERY_DONE;
}

void koha_sum_up(const struct sink_batch *b, char words[256])
{
    snprintf(words, 256, "%llu rows %s", (unsigned long long)b->n_lines,
             b->policy->koha_service.pending ? "for Koha's queue" : "told to Koha");
}
