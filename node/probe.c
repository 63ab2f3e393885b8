/* probe.c - looks at the library's server again and again: the primary address, and the backup
 * where that fails. A thread of its own, because a dead host answers nothing for seconds. What the
 * looks mean is watch.c's to say. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "credential.h"
#include "node_int.h"
#include "probe_int.h"

struct probe {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, orphan;                 /* orphan: nobody waits, the thread frees */
    char target[2][POLICY_TEXT_VALUE]; /* primary, backup ("" = none) */
    char expect[POLICY_TEXT_VALUE];
    uint32_t every_ms;
    struct policy policy; /* how to come there, and to log in */
    char dir[4096];       /* where this desk's secrets lie */
    struct { /* a refused login is not tried again by itself, for many servers lock one that fails
              */
        bool on;
        uint8_t stamp[CREDENTIAL_STAMP_BYTES]; /* of the secrets that were refused */
        char why[PROBE_WHY];
    } denied[2];
    bool again; /* a lead says so; under lock */
    struct watch_check last;
    bool fresh; /* last was not fetched yet */
};

/* A fifth up or down, so that a branch's desks do not knock in step. */
static bool pause_between(struct probe *p)
{
    uint32_t ms = p->every_ms - p->every_ms / 5 + randombytes_uniform(p->every_ms / 5 * 2 + 1);
    struct timespec t;
    bool stop;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&p->lock);
    while (!p->stop && pthread_cond_timedwait(&p->wake, &p->lock, &t) == 0)
        continue;
    stop = p->stop;
    pthread_mutex_unlock(&p->lock);
    return !stop;
}

/* As the sinks come there; looked for each time, for the certificates may come after the policy. */
static bool ask_page(const struct probe *p, unsigned i, char why[PROBE_WHY])
{
    struct reach reach;

    if (reach_find(p->dir, &p->policy, &reach, NULL) == ERR_OK)
        return probe_ask(p->target[i], &reach, p->expect, why);
    snprintf(why, PROBE_WHY, "this desk cannot use the credential %.20s.ca", p->policy.access.ca);
    return false;
}

static bool ask(struct probe *p, unsigned i, char why[PROBE_WHY])
{
    uint8_t stamp[CREDENTIAL_STAMP_BYTES];
    bool there;

    if (!probe_is_sip2(p->target[i]))
        return ask_page(p, i, why);
    credential_stamp(p->dir, &p->policy, stamp);
    if (p->denied[i].on && memcmp(stamp, p->denied[i].stamp, sizeof stamp) == 0) {
        snprintf(why, PROBE_WHY, "%s", p->denied[i].why);
        return false;
    }
    there = probe_sip2(p->target[i], &p->policy, p->dir, &p->denied[i].on, why);
    memcpy(p->denied[i].stamp, stamp, sizeof stamp);
    snprintf(p->denied[i].why, PROBE_WHY, "%s", why);
    return there;
}

static void forget_denials(struct probe *p)
{
    pthread_mutex_lock(&p->lock);
    if (p->again)
        p->denied[0].on = p->denied[1].on = false;
    p->again = false;
    pthread_mutex_unlock(&p->lock);
}

static struct watch_check look(struct probe *p)
{
    struct watch_check c = { .primary = false };
    char why[PROBE_WHY], second[PROBE_WHY];

    c.primary = ask(p, 0, why);
    if (c.primary)
        return c;
    if (p->target[1][0] == '\0') {
        snprintf(c.why, sizeof c.why, "%s", why);
        return c;
    }
    c.backup = ask(p, 1, second);
    snprintf(c.why, sizeof c.why, "%s%s%s", why, c.backup ? "" : "; backup: ", second);
    return c;
}

static void probe_free(struct probe *p)
{
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->wake);
    free(p);
}

static void *watch(void *arg)
{
    struct probe *p = arg;
    bool orphan;

    do {
        struct watch_check c;
        forget_denials(p);
        c = look(p);
        pthread_mutex_lock(&p->lock);
        p->last = c;
        p->fresh = true;
        pthread_mutex_unlock(&p->lock);
    } while (pause_between(p));
    pthread_mutex_lock(&p->lock);
    orphan = p->orphan;
    pthread_mutex_unlock(&p->lock);
    if (orphan)
        probe_free(p);
    return NULL;
}

bool probe_fetch(struct probe *p, struct watch_check *out)
{
    bool fresh;

    pthread_mutex_lock(&p->lock);
    if ((fresh = p->fresh) == true)
        *out = p->last;
    p->fresh = false;
    pthread_mutex_unlock(&p->lock);
    return fresh;
}

struct probe *probe_start(const struct policy *policy, const char *state_dir)
{
    struct probe *p;
    pthread_condattr_t clock;

    if (policy->probe[0] == '\0' || strcmp(policy->probe, "none") == 0 ||
        (p = calloc(1, sizeof *p)) == NULL)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&p->wake, &clock);
    pthread_condattr_destroy(&clock);
    snprintf(p->target[0], sizeof p->target[0], "%s", policy->probe);
    if (strcmp(policy->probe_backup, "none") != 0)
        snprintf(p->target[1], sizeof p->target[1], "%s", policy->probe_backup);
    snprintf(p->expect, sizeof p->expect, "%s", policy->probe_expect);
    p->every_ms = policy->probe_every_ms;
    p->policy = *policy;
    snprintf(p->dir, sizeof p->dir, "%s", state_dir);
    if (pthread_create(&p->thread, NULL, watch, p) != 0) {
        probe_free(p);
        return NULL;
    }
    return p;
}

void probe_log_in_again(struct probe *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    p->again = true;
    pthread_mutex_unlock(&p->lock);
}

void probe_stop(struct probe *p)
{
    if (!p)
        return;
    pthread_detach(p->thread); /* it may hang in a connect for seconds: the loop must not */
    pthread_mutex_lock(&p->lock);
    p->stop = p->orphan = true;
    pthread_cond_signal(&p->wake);
    pthread_mutex_unlock(&p->lock);
}
