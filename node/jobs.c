/* jobs.c - work on threads of its own: begun after a round's commit, ended on the loop's thread. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "node_int.h"
#include "now.h"

#define STOP_PATIENCE_MS 600

void node_wake(struct node *n)
{
    uint64_t one = 1;

    while (write(n->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

static void *run_job(void *arg)
{
    struct job *j = arg;
    struct node *n = j->node;

    j->run(j);
    pthread_mutex_lock(&n->lock);
    j->next = n->finished;
    n->finished = j;
    pthread_mutex_unlock(&n->lock);
    node_wake(n);
    return NULL;
}

/* Its snapshot must hold what the core counted when the job was made: not before the commit. */
void node_start_job(struct node *n, struct job *j)
{
    j->node = n;
    n->jobs++;
    j->next = n->jobs_to_start;
    n->jobs_to_start = j;
}

static void start_job(struct job *j)
{
    pthread_t thread;
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, 1 << 20);
    if (pthread_create(&thread, &attr, run_job, j) != 0)
        run_job(j); /* slow, but done */
    pthread_attr_destroy(&attr);
}

void jobs_finish(struct node *n)
{
    struct job *all;

    pthread_mutex_lock(&n->lock);
    all = n->finished;
    n->finished = NULL;
    pthread_mutex_unlock(&n->lock);
    while (all) {
        struct job *j = all;
        all = j->next;
        n->jobs--;
        j->done(j);
    }
}

/* What they read is a snapshot of LMDB, not of its journal; also while it is stopped for another
 * reason than the disk. */
void jobs_start(struct node *n)
{
    struct errmsg msg = { .text = "" };
    bool read = false;

    for (const struct job *j = n->jobs_to_start; j; j = j->next)
        read |= !j->apart;
    if (read && store_settle(n->store, &msg) != ERR_OK && !n->stopped)
        node_stop_saving(n, msg.text);
    while (n->jobs_to_start) {
        struct job *j = n->jobs_to_start;
        n->jobs_to_start = j->next;
        start_job(j);
    }
}

/* They hold snapshots of the store and answer requests. False: one is still at work. To begin anew
 * takes all of them, but no stop waits for that. */
bool jobs_have_ended(struct node *n)
{
    uint64_t until = clock_ms(CLOCK_BOOTTIME) + STOP_PATIENCE_MS;

    while (n->jobs > 0 && ((n->again && !node_stops()) || clock_ms(CLOCK_BOOTTIME) < until)) {
        struct pollfd p = { n->wake_fd, POLLIN, 0 };
        uint64_t drained;
        jobs_start(n);
        poll(&p, 1, 100);
        if (read(n->wake_fd, &drained, sizeof drained) < 0 && errno != EAGAIN)
            break;
        jobs_finish(n);
    }
    return n->jobs == 0;
}
