/* bench.h - what the benchmarks share: clock, samples, one line of JSON per row, a real desk, a
 * client that keeps many connections busy.
 *
 * A row holds the raw samples of every round, ours and theirs in the same order; bench_table.py
 * takes ratios inside each pair. Nothing here passes or fails by the clock. */
#ifndef TIDEOVER_BENCH_H
#define TIDEOVER_BENCH_H

#include <stdio.h>

#include "core.h"
#include "store.h"

#define SAMPLES_MAX 64 /* rounds */

void bench_die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));
uint64_t bench_ns(void);
uint64_t bench_cpu_ns(void); /* of the whole process */

struct samples {
    double v[SAMPLES_MAX];
    unsigned n;
};
void samples_add(struct samples *s, double x);
double samples_median(const struct samples *s);

/* Latencies in microseconds in logarithmic steps of 2 %: bounded, however many there are. */
#define LATENCY_STEPS 1024
struct latency {
    uint64_t count[LATENCY_STEPS], all;
};
void latency_add(struct latency *l, uint64_t ns);
double latency_us(const struct latency *l, double share);

struct row {
    const char *id, *what, *unit;
    const char *against;    /* NULL: a figure without a peer */
    const char *must, *aim; /* as design 12 has them; NULL: none */
    const char *note;
    struct samples ours, theirs;
};
void row_print(const struct row *r);

/* ---- a desk on a real store ---- */
struct bench_desk {
    struct ident me;
    struct store *store;
    struct core *core;
};
#define BENCH_DESKS_MAX 8
/* One founded branch of n desks: their identities and the roster's operations, in memory. */
struct bench_branch {
    unsigned n, n_ops;
    struct ident desk[BENCH_DESKS_MAX];
    struct buf op[BENCH_DESKS_MAX + 2];
};
void branch_found(struct bench_branch *b, unsigned n);
/* Desk i in dir, which must not exist; address as in core_config. */
void desk_open(struct bench_desk *d, const struct bench_branch *b, unsigned i, const char *dir,
               const char *address);
void desk_close(struct bench_desk *d);
struct moment bench_moment(void);

/* A checkout whose numbers follow from i: 14 digits with a check digit, staff and idempotency key
 * as a desk's page sends them. Its bytes in the log: about 130; as a line of JSON: about 200.
 * The i-th record: of each five `back` (0 to 2) are discharges of what was lent before. */
void record_fill(struct record *r, uint64_t i, unsigned back);
size_t record_line(const struct record *r, char *out, size_t room); /* with the newline */

/* ---- many connections, one request under way on each (as redis-benchmark does) ---- */
struct load {
    const char *host;
    uint16_t port;
    /* One request into out; returns its length. */
    size_t (*request)(void *ctx, char *out, size_t room);
    /* Bytes of a whole answer at p, 0 when there is more to come; dies of a bad one. */
    size_t (*answer)(const char *p, size_t n);
    void *ctx;
};
#define LOAD_CONNECTIONS_MAX 64
/* Runs for so many seconds; returns answers per second, and adds latencies (may be NULL). */
double load_run(const struct load *l, unsigned connections, double seconds, struct latency *lat);

/* RPUSH of `size` bytes to the list `bench`; ctx is a struct push. */
struct push {
    size_t size;
};
size_t push_request(void *ctx, char *out, size_t room);
size_t push_answer(const char *p, size_t n);

#endif
