/* helper_thread.c - one thread that waits for work. */
#include "helper_thread.h"

#include <string.h>

#define STACK_BYTES (256 << 10)

static void *run(void *arg)
{
    struct helper_thread *h = arg;

    pthread_mutex_lock(&h->lock);
    for (;;) {
        while (!h->work && !h->ends)
            pthread_cond_wait(&h->moved, &h->lock);
        if (!h->work)
            break;
        pthread_mutex_unlock(&h->lock);
        h->work(h->arg);
        pthread_mutex_lock(&h->lock);
        h->work = NULL;
        pthread_cond_signal(&h->moved);
    }
    pthread_mutex_unlock(&h->lock);
    return NULL;
}

static bool start(struct helper_thread *h)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    h->runs = pthread_create(&h->thread, &attr, run, h) == 0;
    pthread_attr_destroy(&attr);
    return h->runs;
}

static void begin(void *ctx, void (*work)(void *arg), void *arg)
{
    struct helper_thread *h = ctx;

    if (!h->runs && !start(h)) {
        work(arg);
        return;
    }
    pthread_mutex_lock(&h->lock);
    h->work = work;
    h->arg = arg;
    pthread_cond_signal(&h->moved);
    pthread_mutex_unlock(&h->lock);
}

static void wait_for_it(void *ctx)
{
    struct helper_thread *h = ctx;

    pthread_mutex_lock(&h->lock);
    while (h->work)
        pthread_cond_wait(&h->moved, &h->lock);
    pthread_mutex_unlock(&h->lock);
}

const struct helper *helper_thread_init(struct helper_thread *h)
{
    memset(h, 0, sizeof *h);
    pthread_mutex_init(&h->lock, NULL);
    pthread_cond_init(&h->moved, NULL);
    h->lent = (struct helper){ h, begin, wait_for_it };
    return &h->lent;
}

void helper_thread_close(struct helper_thread *h)
{
    wait_for_it(h);
    pthread_mutex_lock(&h->lock);
    h->ends = true;
    pthread_cond_signal(&h->moved);
    pthread_mutex_unlock(&h->lock);
    if (h->runs)
        pthread_join(h->thread, NULL);
    pthread_mutex_destroy(&h->lock);
    pthread_cond_destroy(&h->moved);
}
