/* helper.h - a second pair of hands for long pure work, lent by the shell as runs.h's spill is.
 *
 * The rules know no threads. They give the helper one piece of work at a time, whose memory is the
 * helper's until wait() returns: what comes out is the same with a helper and, at the same calls, by
 * oneself. */
#ifndef TIDEOVER_HELPER_H
#define TIDEOVER_HELPER_H

struct helper {
    void *ctx;
    /* Starts work(arg) and returns. Only after wait(). */
    void (*begin)(void *ctx, void (*work)(void *arg), void *arg);
    void (*wait)(void *ctx); /* until it is done; nothing begun is fine */
};

/* The same with NULL for a helper: the work is done when begin returns. */
static inline void helper_begin(const struct helper *h, void (*work)(void *arg), void *arg)
{
    if (h)
        h->begin(h->ctx, work, arg);
    else
        work(arg);
}

static inline void helper_wait(const struct helper *h)
{
    if (h)
        h->wait(h->ctx);
}

#endif
