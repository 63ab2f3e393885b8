/* probe.c - the server watch: is the ILS there? Several failures to say no, several successes to
 * say yes again. A thread of its own, because a dead host answers nothing for seconds. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <curl/curl.h>

#include "node_int.h"

#define PROBE_EVERY_MS 1000
#define PROBE_LIMIT_MS 3000

struct probe {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, orphan;                 /* orphan: nobody waits, the thread frees */
    char target[2][POLICY_TEXT_VALUE]; /* primary, backup ("" = none) */
    unsigned offline_after, back_after;
    atomic_int *verdict;
};

static bool connects(const struct addrinfo *a)
{
    struct pollfd p;
    int rc, why = 0;
    socklen_t n = sizeof why;

    p.fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    p.events = POLLOUT;
    if (p.fd < 0)
        return false;
    rc = connect(p.fd, a->ai_addr, a->ai_addrlen);
    if (rc != 0 && errno == EINPROGRESS && poll(&p, 1, PROBE_LIMIT_MS) == 1 &&
        getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &why, &n) == 0)
        rc = why == 0 ? 0 : -1;
    close(p.fd);
    return rc == 0;
}

static bool tcp_answers(const char *host_port)
{
    char host[POLICY_TEXT_VALUE], *port;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
    bool ok = false;

    snprintf(host, sizeof host, "%s", host_port);
    if ((port = strrchr(host, ':')) == NULL)
        return false;
    *port++ = '\0';
    if (getaddrinfo(host, port, &hints, &all) != 0)
        return false;
    for (struct addrinfo *a = all; a && !ok; a = a->ai_next)
        ok = connects(a);
    freeaddrinfo(all);
    return ok;
}

static size_t drop(char *p, size_t size, size_t n, void *ctx)
{
    (void)p;
    (void)ctx;
    return size * n;
}

static bool http_answers(const char *url)
{
    CURL *c = curl_easy_init();
    long status = 0;
    bool ok;

    if (!c)
        return false;
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)PROBE_LIMIT_MS);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, drop);
    ok = curl_easy_perform(c) == CURLE_OK &&
         curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK && status >= 200 &&
         status < 400;
    curl_easy_cleanup(c);
    return ok;
}

static bool answers(const char *target)
{
    if (strncmp(target, "tcp:", 4) == 0)
        return tcp_answers(target + 4);
    return target[0] != '\0' && http_answers(target);
}

static bool pause_for(struct probe *p, unsigned ms)
{
    struct timespec t;
    bool stop;

    clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec += ms / 1000;
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&p->lock);
    if (!p->stop)
        pthread_cond_timedwait(&p->wake, &p->lock, &t);
    stop = p->stop;
    pthread_mutex_unlock(&p->lock);
    return !stop;
}

/* Under the lock: once told to stop, the verdict may belong to another probe. */
static bool say(struct probe *p, int verdict)
{
    bool go_on;

    pthread_mutex_lock(&p->lock);
    go_on = !p->stop;
    if (go_on)
        atomic_store(p->verdict, verdict);
    pthread_mutex_unlock(&p->lock);
    return go_on;
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
    unsigned good = 0, bad = 0;
    int was = -1;
    bool first = true, orphan;

    do {
        bool ok = answers(p->target[0]) || answers(p->target[1]);
        int now = was;
        good = ok ? good + 1 : 0;
        bad = ok ? 0 : bad + 1;
        if (ok && (first || good >= p->back_after))
            now = 1;
        else if (!ok && bad >= p->offline_after)
            now = 0;
        first = false;
        if (now != was && !say(p, now))
            break;
        was = now;
    } while (pause_for(p, PROBE_EVERY_MS));
    pthread_mutex_lock(&p->lock);
    orphan = p->orphan;
    pthread_mutex_unlock(&p->lock);
    if (orphan)
        probe_free(p);
    return NULL;
}

struct probe *probe_start(const struct policy *policy, atomic_int *verdict)
{
    struct probe *p;

    atomic_store(verdict, -1);
    if (policy->probe[0] == '\0' || strcmp(policy->probe, "none") == 0)
        return NULL;
    if ((p = calloc(1, sizeof *p)) == NULL)
        return NULL;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    snprintf(p->target[0], sizeof p->target[0], "%s", policy->probe);
    if (strcmp(policy->probe_backup, "none") != 0)
        snprintf(p->target[1], sizeof p->target[1], "%s", policy->probe_backup);
    p->offline_after = policy->offline_after;
    p->back_after = policy->back_after;
    p->verdict = verdict;
    if (pthread_create(&p->thread, NULL, watch, p) != 0) {
        free(p);
        return NULL;
    }
    return p;
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
