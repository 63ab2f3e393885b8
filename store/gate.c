/* gate.c - readers walk in and out; the writer waits until the house is empty, but not for ever. */
#include <errno.h>
#include <time.h>

#include "store_int.h"

uint64_t gate_now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool gate_init(struct gate *g)
{
    pthread_condattr_t attr;
    bool ok;

    if (pthread_condattr_init(&attr) != 0)
        return false;
    ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
         pthread_cond_init(&g->moved, &attr) == 0;
    pthread_condattr_destroy(&attr);
    if (ok && pthread_mutex_init(&g->mutex, NULL) != 0) {
        pthread_cond_destroy(&g->moved);
        ok = false;
    }
    return ok;
}

void gate_destroy(struct gate *g)
{
    pthread_mutex_destroy(&g->mutex);
    pthread_cond_destroy(&g->moved);
}

void gate_enter(struct gate *g)
{
    pthread_mutex_lock(&g->mutex);
    while (g->shut)
        pthread_cond_wait(&g->moved, &g->mutex);
    g->inside++;
    pthread_mutex_unlock(&g->mutex);
}

void gate_leave(struct gate *g)
{
    pthread_mutex_lock(&g->mutex);
    if (--g->inside == 0)
        pthread_cond_broadcast(&g->moved);
    pthread_mutex_unlock(&g->mutex);
}

bool gate_shut(struct gate *g, unsigned patience_ms)
{
    uint64_t until_ms = gate_now_ms() + patience_ms;
    struct timespec until = { (time_t)(until_ms / 1000), (long)(until_ms % 1000) * 1000000 };
    int rc = 0;
    bool empty;

    pthread_mutex_lock(&g->mutex);
    g->shut = true;
    while (g->inside > 0 && rc != ETIMEDOUT)
        rc = pthread_cond_timedwait(&g->moved, &g->mutex, &until);
    empty = g->inside == 0;
    if (!empty) {
        g->shut = false;
        pthread_cond_broadcast(&g->moved);
    }
    pthread_mutex_unlock(&g->mutex);
    return empty;
}

void gate_open(struct gate *g)
{
    pthread_mutex_lock(&g->mutex);
    g->shut = false;
    pthread_cond_broadcast(&g->moved);
    pthread_mutex_unlock(&g->mutex);
}
