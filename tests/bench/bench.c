/* bench.c - clock, samples, rows, the connections' client. */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void bench_die(const char *fmt, ...)
{
    va_list ap;

    fputs("bench: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t read_clock(clockid_t id)
{
    struct timespec t;

    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t bench_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_ns(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* ---- samples ---- */

void samples_add(struct samples *s, double x)
{
    if (s->n < SAMPLES_MAX)
        s->v[s->n++] = x;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double samples_median(const struct samples *s)
{
    struct samples c = *s;

    if (c.n == 0)
        return NAN;
    qsort(c.v, c.n, sizeof c.v[0], by_size);
    return (c.v[(c.n - 1) / 2] + c.v[c.n / 2]) / 2;
}

void latency_add(struct latency *l, uint64_t ns)
{
    double us = (double)ns / 1000;
    int step = us < 1 ? 0 : (int)(log(us) / log(1.02));

    l->count[step < LATENCY_STEPS ? step : LATENCY_STEPS - 1]++;
    l->all++;
}

double latency_us(const struct latency *l, double share)
{
    uint64_t seen = 0;

    for (unsigned i = 0; i < LATENCY_STEPS; i++)
        if ((double)(seen += l->count[i]) >= share * (double)l->all && l->all > 0)
            return pow(1.02, i);
    return NAN;
}

/* ---- rows ---- */

static void put_text(const char *name, const char *s)
{
    if (!s)
        return;
    printf(",\"%s\":\"", name);
    for (; *s; s++)
        printf(*s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
    putchar('"');
}

static void put_samples(const char *name, const struct samples *s)
{
    printf(",\"%s\":[", name);
    for (unsigned i = 0; i < s->n; i++)
        printf("%s%.6g", i ? "," : "", s->v[i]);
    putchar(']');
}

void row_print(const struct row *r)
{
    printf("{\"id\":\"%s\"", r->id);
    put_text("what", r->what);
    put_text("unit", r->unit);
    put_text("against", r->against);
    put_text("must", r->must);
    put_text("aim", r->aim);
    put_text("note", r->note);
    put_samples("ours", &r->ours);
    put_samples("theirs", &r->theirs);
    puts("}");
    fflush(stdout);
}

/* ---- connections ---- */

struct connection {
    int fd;
    size_t len;
    uint64_t sent_ns;
    char in[8192];
};

static int connect_to(const char *host, uint16_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

    if (fd < 0 || inet_pton(AF_INET, host, &a.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        bench_die("connect to %s:%u: %s", host, port, strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void send_one(const struct load *l, struct connection *c)
{
    char out[4096];
    size_t n = l->request(l->ctx, out, sizeof out);

    c->len = 0;
    c->sent_ns = bench_ns();
    /* The socket blocks, and a request is smaller than its buffer. */
    if (send(c->fd, out, n, MSG_NOSIGNAL) != (ssize_t)n)
        bench_die("send: %s", strerror(errno));
}

/* True once a whole answer is there. */
static bool receive_some(const struct load *l, struct connection *c)
{
    ssize_t n = recv(c->fd, c->in + c->len, sizeof c->in - c->len, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0)
        bench_die("the server on port %u closed the connection", l->port);
    c->len += (size_t)n;
    return l->answer(c->in, c->len) == c->len;
}

double load_run(const struct load *l, unsigned connections, double seconds, struct latency *lat)
{
    static struct connection c[LOAD_CONNECTIONS_MAX];
    struct epoll_event ev[LOAD_CONNECTIONS_MAX];
    int ep = epoll_create1(EPOLL_CLOEXEC);
    unsigned busy = connections;
    uint64_t start, end, now, done = 0;

    for (unsigned i = 0; i < connections; i++) {
        struct epoll_event e = { .events = EPOLLIN, .data.u32 = i };
        c[i].fd = connect_to(l->host, l->port);
        epoll_ctl(ep, EPOLL_CTL_ADD, c[i].fd, &e);
    }
    start = now = bench_ns();
    end = start + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < connections; i++)
        send_one(l, &c[i]);
    while (busy > 0) {
        int n = epoll_wait(ep, ev, LOAD_CONNECTIONS_MAX, 10000);
        if (n == 0)
            bench_die("no answer on port %u for ten seconds", l->port);
        for (int i = 0; i < n; i++) {
            struct connection *k = &c[ev[i].data.u32];
            if (!receive_some(l, k))
                continue;
            now = bench_ns();
            done++;
            if (lat)
                latency_add(lat, now - k->sent_ns);
            if (now < end)
                send_one(l, k);
            else
                busy--;
        }
    }
    for (unsigned i = 0; i < connections; i++)
        close(c[i].fd);
    close(ep);
    return (double)done * 1e9 / (double)(now - start);
}

/* ---- RESP ---- */

size_t push_request(void *ctx, char *out, size_t room)
{
    const struct push *p = ctx;
    int n = snprintf(out, room, "*3\r\n$5\r\nRPUSH\r\n$5\r\nbench\r\n$%zu\r\n", p->size);

    for (size_t i = 0; i < p->size; i++)
        out[n++] = (char)('!' + (i * 131 + 17) % 90);
    out[n++] = '\r';
    out[n++] = '\n';
    return (size_t)n;
}

size_t push_answer(const char *p, size_t n)
{
    if (n > 0 && p[0] != ':')
        bench_die("redis: %.*s", (int)n, p);
    return n > 2 && p[n - 1] == '\n' ? n : 0;
}
