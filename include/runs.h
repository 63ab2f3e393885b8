/* runs.h - sorts more than memory holds: sorted runs in a file that the caller lends.
 *
 * Entries are bytes that begin with a key of fixed length, compared as memcmp() does; equal keys
 * stay in the order in which they came. What fits the budget never touches the file, and a run that
 * goes on where the last one ended becomes part of it, so that input in order is one run. */
#ifndef TIDEOVER_RUNS_H
#define TIDEOVER_RUNS_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define RUNS_ENTRY_MAX 8192 /* a record of 4,096 bytes and what stands around it */

struct spill { /* a file of our own, from its beginning */
    void *ctx;
    enum err (*append)(void *ctx, const void *p, size_t n, struct errmsg *msg);
    enum err (*read)(void *ctx, uint64_t at, void *p, size_t n, struct errmsg *msg); /* all of it */
};

struct runs;
/* key_bytes: 8 at least. budget: bytes of memory for entries. NULL: out of memory. */
struct runs *runs_new(size_t key_bytes, size_t budget, const struct spill *spill);
void runs_free(struct runs *r); /* NULL is fine */
/* ERR_NOMEM, and what the spill says; an entry shorter than its key or above RUNS_ENTRY_MAX is
 * ERR_BUG. */
enum err runs_add(struct runs *r, const void *p, size_t n, struct errmsg *msg);

/* After the last entry. May be called again: the reading begins anew. */
enum err runs_sort(struct runs *r, struct errmsg *msg);
/* The next in order, borrowed until the next call; ERR_MISSING behind the last. */
enum err runs_next(struct runs *r, const uint8_t **p, size_t *n, struct errmsg *msg);

#endif
