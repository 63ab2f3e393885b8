/* bench_record.c - a durable record in process: the real path from core_record() to the commit.
 *
 *   bench_record -d DIR [-r ROUNDS] [-t SECONDS] [-p REDIS_PORT]
 *
 * record-1   one client, one record a commit, against LMDB with one put of 250 bytes a commit.
 * record-32  32 threads, each waits for its own record; a writer takes what waits, as node.c does.
 *            Against Redis with appendfsync always, 32 connections, RPUSH of 250 bytes; and against
 *            LMDB with the same writer and clients. Without -p only the latter. */
#include "bench.h"

#include <errno.h>
#include <lmdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commit_wait.h"

#define VALUE_BYTES 250
#define CLIENTS     32
#define TICK_MS     100 /* as node.c */

/* ---- the two that keep records ---- */

/* add: one record into the open batch; commit: everything added becomes durable. */
struct keeper {
    void (*add)(struct keeper *k);
    void (*commit)(struct keeper *k);
};

struct ours {
    struct keeper keeper;
    struct bench_desk desk;
    uint64_t i, ticked_ms;
};

struct bare {
    struct keeper keeper;
    MDB_env *env;
    MDB_dbi dbi;
    MDB_txn *txn;
    uint64_t i;
};

static void ours_add(struct keeper *k)
{
    struct ours *o = (struct ours *)k;
    struct moment now = bench_moment();
    struct errmsg msg = { .text = "" };
    struct record_ref ref;
    struct record r;
    bool again;

    record_fill(&r, ++o->i, 0);
    if (core_record(o->desk.core, &now, &r, &ref, &again, &msg) != ERR_OK || again)
        bench_die("record: %s", msg.text);
}

static void ours_commit(struct keeper *k)
{
    struct ours *o = (struct ours *)k;
    struct moment now = bench_moment();
    struct errmsg msg = { .text = "" };

    if (now.boot_ms - o->ticked_ms >= TICK_MS) {
        o->ticked_ms = now.boot_ms;
        core_tick(o->desk.core, &now);
    }
    if (core_seal(o->desk.core, &msg) != ERR_OK || store_commit(o->desk.store, &msg) != ERR_OK)
        bench_die("commit: %s", msg.text);
    effects_clear(core_effects(o->desk.core));
}

static void ours_open(struct ours *o, const char *dir)
{
    static struct bench_branch b;
    char path[4096];

    memset(o, 0, sizeof *o);
    o->keeper = (struct keeper){ ours_add, ours_commit };
    snprintf(path, sizeof path, "%s/desk", dir);
    branch_found(&b, 1);
    desk_open(&o->desk, &b, 0, path, "127.0.0.1:1");
}

static void bare_check(int rc, const char *what)
{
    if (rc != 0)
        bench_die("lmdb, %s: %s", what, mdb_strerror(rc));
}

static void bare_add(struct keeper *k)
{
    static uint8_t value[VALUE_BYTES];
    struct bare *b = (struct bare *)k;
    uint8_t key[8];
    MDB_val mk = { sizeof key, key }, mv = { sizeof value, value };

    if (!b->txn)
        bare_check(mdb_txn_begin(b->env, NULL, 0, &b->txn), "begin");
    put_be64(key, ++b->i);
    memcpy(value, key, sizeof key);
    bare_check(mdb_put(b->txn, b->dbi, &mk, &mv, 0), "put");
}

static void bare_commit(struct keeper *k)
{
    struct bare *b = (struct bare *)k;

    if (b->txn)
        bare_check(mdb_txn_commit(b->txn), "commit");
    b->txn = NULL;
}

static void bare_open(struct bare *b, const char *dir)
{
    char path[4096];

    memset(b, 0, sizeof *b);
    b->keeper = (struct keeper){ bare_add, bare_commit };
    snprintf(path, sizeof path, "%s/bare", dir);
    if (mkdir(path, 0700) != 0)
        bench_die("%s: %s", path, strerror(errno));
    bare_check(mdb_env_create(&b->env), "create");
    bare_check(mdb_env_set_mapsize(b->env, (size_t)1 << 30), "map");
    bare_check(mdb_env_open(b->env, path, 0, 0600), "open");
    bare_check(mdb_txn_begin(b->env, NULL, 0, &b->txn), "begin");
    bare_check(mdb_dbi_open(b->txn, NULL, 0, &b->dbi), "table");
    bare_commit(&b->keeper);
}

/* ---- one client ---- */

static double one_slice(struct keeper *k, double seconds, struct latency *lat)
{
    uint64_t start = bench_ns(), end = start + (uint64_t)(seconds * 1e9), now = start, done = 0;

    while (now < end) {
        uint64_t before = now;
        k->add(k);
        k->commit(k);
        now = bench_ns();
        latency_add(lat, now - before);
        done++;
    }
    return (double)done * 1e9 / (double)(now - start);
}

/* ---- 32 clients ---- */

struct request {
    sem_t answered;
    struct request *next;
};

struct line { /* node.c's queue: a list under a mutex, and an eventfd that wakes the loop */
    pthread_mutex_t lock;
    struct request *first, **end;
    int wake_fd;
    bool stop;
    unsigned live; /* clients that still ask */
    struct commit_wait wait;
    uint64_t commits;
};

struct client {
    struct line *line;
    struct latency lat;
    uint64_t done;
    pthread_t thread;
};

static void *client_run(void *arg)
{
    struct client *c = arg;
    struct request r;
    uint64_t one = 1;
    bool stop = false;

    sem_init(&r.answered, 0, 0);
    while (!stop) {
        uint64_t before = bench_ns();
        r.next = NULL;
        pthread_mutex_lock(&c->line->lock);
        *c->line->end = &r;
        c->line->end = &r.next;
        pthread_mutex_unlock(&c->line->lock);
        if (write(c->line->wake_fd, &one, sizeof one) < 0)
            bench_die("eventfd: %s", strerror(errno));
        while (sem_wait(&r.answered) != 0)
            ;
        latency_add(&c->lat, bench_ns() - before);
        c->done++;
        pthread_mutex_lock(&c->line->lock);
        stop = c->line->stop;
        c->line->live -= stop;
        pthread_mutex_unlock(&c->line->lock);
    }
    sem_destroy(&r.answered);
    return NULL;
}

static struct request *take_all(struct line *l, bool stop, unsigned *live)
{
    struct request *all;

    pthread_mutex_lock(&l->lock);
    all = l->first;
    l->first = NULL;
    l->end = &l->first;
    l->stop = stop;
    *live = l->live;
    pthread_mutex_unlock(&l->lock);
    return all;
}

static bool woken(struct line *l, unsigned us)
{
    struct timespec t = { us / 1000000, us % 1000000 * 1000 };
    struct pollfd p = { l->wake_fd, POLLIN, 0 };
    uint64_t drained;

    if (ppoll(&p, 1, &t, NULL) <= 0)
        return false;
    if (read(l->wake_fd, &drained, sizeof drained) < 0)
        bench_die("eventfd: %s", strerror(errno));
    return true;
}

/* One round of the loop; false once no client is left. Ours and bare LMDB wait for company alike.
 */
static bool writer_round(struct keeper *k, struct line *l, bool stop)
{
    struct request *all = NULL, **end = &all;
    unsigned n = 0, live, wait;
    uint64_t began;

    woken(l, stop ? 1000 : TICK_MS * 1000);
    began = bench_ns();
    do {
        *end = take_all(l, stop, &live);
        for (; *end; end = &(*end)->next, n++)
            k->add(k);
        wait = commit_wait_us(&l->wait, n, (unsigned)((bench_ns() - began) / 1000));
    } while (wait > 0 && woken(l, wait));
    if (n == 0)
        return live > 0;
    commit_wait_done(&l->wait, n);
    k->commit(k);
    l->commits++;
    while (all) { /* r is the client's again once it is answered */
        struct request *r = all;
        all = r->next;
        sem_post(&r->answered);
    }
    return true;
}

static double many_slice(struct keeper *k, double seconds, struct latency *lat, uint64_t *commits)
{
    static struct client c[CLIENTS];
    struct line l = { .lock = PTHREAD_MUTEX_INITIALIZER, .live = CLIENTS };
    uint64_t start = bench_ns(), end = start + (uint64_t)(seconds * 1e9), done = 0;

    l.end = &l.first;
    if ((l.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0)
        bench_die("eventfd: %s", strerror(errno));
    for (unsigned i = 0; i < CLIENTS; i++) {
        memset(&c[i], 0, sizeof c[i]);
        c[i].line = &l;
        if (pthread_create(&c[i].thread, NULL, client_run, &c[i]) != 0)
            bench_die("no thread");
    }
    while (bench_ns() < end)
        writer_round(k, &l, false);
    while (writer_round(k, &l, true))
        ;
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(c[i].thread, NULL);
        done += c[i].done;
        for (unsigned s = 0; s < LATENCY_STEPS; s++)
            lat->count[s] += c[i].lat.count[s];
        lat->all += c[i].lat.all;
    }
    *commits += l.commits;
    close(l.wake_fd);
    return (double)done * 1e9 / (double)(bench_ns() - start);
}

/* ---- rounds ---- */

struct setting {
    const char *dir;
    unsigned rounds;
    double seconds;
    uint16_t redis;
};

static void measure_one(const struct setting *s, struct ours *o, struct bare *b)
{
    static struct latency lat, bare_lat;
    struct row r = { .id = "record-1",
                     .what = "one durable record, 1 client",
                     .unit = "records/s",
                     .against = "LMDB, one put of 250 B a commit",
                     .must = ">= 0.85",
                     .aim = ">= 1.6" };
    char note[160];

    for (unsigned i = 0; i < s->rounds; i++) { /* A B, then B A: a drift falls on both */
        if (i % 2 == 0)
            samples_add(&r.ours, one_slice(&o->keeper, s->seconds, &lat));
        samples_add(&r.theirs, one_slice(&b->keeper, s->seconds, &bare_lat));
        if (i % 2 == 1)
            samples_add(&r.ours, one_slice(&o->keeper, s->seconds, &lat));
    }
    snprintf(note, sizeof note, "p50 %.0f us, p99 %.0f us; LMDB p50 %.0f us, p99 %.0f us",
             latency_us(&lat, 0.5), latency_us(&lat, 0.99), latency_us(&bare_lat, 0.5),
             latency_us(&bare_lat, 0.99));
    r.note = note;
    row_print(&r);
}

static void measure_many(const struct setting *s, struct ours *o, struct bare *b)
{
    static struct latency lat, bare_lat, redis_lat;
    struct push push = { VALUE_BYTES };
    struct load redis = { "127.0.0.1", s->redis, push_request, push_answer, &push };
    struct row r = { .id = "record-32",
                     .what = "32 clients, each waits for its own record",
                     .unit = "records/s",
                     .against = "Redis AOF always, 32 connections, RPUSH 250 B",
                     .must = ">= 1.3",
                     .aim = ">= 2" };
    struct row q = { .id = "record-32-lmdb",
                     .what = "the same",
                     .unit = "records/s",
                     .against = "LMDB, put of 250 B, same group commit" };
    uint64_t commits = 0, bare_commits = 0;
    char note[200], bare_note[100];

    for (unsigned i = 0; i < s->rounds; i++)
        for (unsigned turn = 0; turn < 3; turn++) /* each is first, second and last as often */
            switch ((i + turn) % 3) {
            case 0:
                samples_add(&r.ours, many_slice(&o->keeper, s->seconds, &lat, &commits));
                break;
            case 1:
                if (s->redis)
                    samples_add(&r.theirs, load_run(&redis, CLIENTS, s->seconds, &redis_lat));
                break;
            case 2:
                samples_add(&q.theirs,
                            many_slice(&b->keeper, s->seconds, &bare_lat, &bare_commits));
                break;
            }
    q.ours = r.ours;
    snprintf(note, sizeof note,
             "%.1f records a commit; p50 %.0f us, p99 %.0f us; Redis p50 %.0f us",
             (double)lat.all / (double)commits, latency_us(&lat, 0.5), latency_us(&lat, 0.99),
             latency_us(&redis_lat, 0.5));
    snprintf(bare_note, sizeof bare_note, "LMDB: %.1f records a commit, p50 %.0f us",
             (double)bare_lat.all / (double)bare_commits, latency_us(&bare_lat, 0.5));
    r.note = note;
    q.note = bare_note;
    if (s->redis)
        row_print(&r);
    row_print(&q);
}

/* What one record costs this process besides the disk. */
static void measure_cpu(const struct setting *s, struct ours *o, struct bare *b)
{
    static struct latency lat;
    struct row r = { .id = "record-cpu",
                     .what = "CPU of one durable record (with its flush)",
                     .unit = "us",
                     .against = "LMDB, one put a commit",
                     .note = "lower is better; CPU of the process, not time waited for the disk" };
    struct keeper *k[2] = { &o->keeper, &b->keeper };
    struct samples *to[2] = { &r.ours, &r.theirs };

    for (unsigned i = 0; i < s->rounds; i++)
        for (unsigned m = 0; m < 2; m++) {
            uint64_t before = bench_cpu_ns(), all = lat.all;
            one_slice(k[m], s->seconds / 2, &lat);
            samples_add(to[m], (double)(bench_cpu_ns() - before) / 1000 / (double)(lat.all - all));
        }
    row_print(&r);
}

int main(int argc, char **argv)
{
    struct setting s = { .dir = NULL, .rounds = 9, .seconds = 0.5 };
    static struct ours o;
    static struct bare b;
    int c;

    while ((c = getopt(argc, argv, "d:r:t:p:")) != -1)
        switch (c) {
        case 'd':
            s.dir = optarg;
            break;
        case 'r':
            s.rounds = (unsigned)atoi(optarg);
            break;
        case 't':
            s.seconds = atof(optarg);
            break;
        case 'p':
            s.redis = (uint16_t)atoi(optarg);
            break;
        default:
            return 2;
        }
    if (!s.dir)
        bench_die("-d DIR is missing");
    ours_open(&o, s.dir);
    bare_open(&b, s.dir);
    one_slice(&o.keeper, 0.2, &(struct latency){ { 0 }, 0 }); /* both files grow a little first */
    one_slice(&b.keeper, 0.2, &(struct latency){ { 0 }, 0 });
    measure_one(&s, &o, &b);
    measure_cpu(&s, &o, &b);
    measure_many(&s, &o, &b);
    desk_close(&o.desk);
    mdb_env_close(b.env);
    return 0;
}
