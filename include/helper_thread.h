/* helper_thread.h - the helper that a node lends to its long work: one thread, made at the first piece. */
#ifndef TIDEOVER_HELPER_THREAD_H
#define TIDEOVER_HELPER_THREAD_H

#include <pthread.h>
#include <stdbool.h>

#include "helper.h"

struct helper_thread {
    struct helper lent;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t moved;
    void (*work)(void *arg); /* NULL: none under way */
    void *arg;
    bool runs, ends;
};

/* What to lend, from one thread, until it is closed. Without a thread to be had the work is done by whoever
 * begins it. */
const struct helper *helper_thread_init(struct helper_thread *h);
void helper_thread_close(struct helper_thread *h); /* waits for the work under way */

#endif
