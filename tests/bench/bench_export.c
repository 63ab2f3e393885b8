/* bench_export.c - one merged log out of five encrypted feeds, and the memory that it takes.
 *
 *   bench_export -d DIR [-n ENTRIES] [-r ROUNDS] [-a]
 *
 * -a: alone, in one thread.
 *
 * Ours: a desk's store with the feeds of five desks, read, judged and written as a Symphony log, as an
 * upload does it. Against five LMDB tables of sealed lines of 200 bytes, each with its time and id as its
 * key: five cursors, the least is opened and written. That one knows no rules, no format and no items. */
#include "bench_mesh.h"

#include <errno.h>
#include <lmdb.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "export.h"
#include "helper_thread.h"
#include "spill_file.h"

#define DESKS       5
#define GROUP       64
#define LINE_BYTES  200
#define TIME_AND_ID 24
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define SEALED      (NONCE_BYTES + LINE_BYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define LOOK_US     5000

/* ---- the memory of this process ---- */

/* KiB that are its own: not the mapped pages of a store, which the kernel takes back when it likes. */
static unsigned long own_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    unsigned long kib = 0;

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "RssAnon: %lu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

struct watch_memory {
    pthread_t thread;
    atomic_bool end;
    unsigned long most;
};

static void *look(void *arg)
{
    struct watch_memory *w = arg;

    while (!atomic_load(&w->end)) {
        unsigned long now = own_kib();
        w->most = now > w->most ? now : w->most;
        usleep(LOOK_US);
    }
    return NULL;
}

/* ---- ours ---- */

static void fill_store(struct mesh *m, uint64_t entries)
{
    while (m->recorded < entries) {
        mesh_record(m, 1 + (unsigned)(m->recorded / GROUP % DESKS), GROUP);
        mesh_settle(m);
        if (m->recorded % (GROUP * 16) == 0)
            mesh_tick(m, 2000); /* 500 records a second */
    }
    if (mesh_held(m) != m->recorded)
        bench_die("%llu of %llu records arrived", (unsigned long long)mesh_held(m),
                  (unsigned long long)m->recorded);
}

static enum err keep_bytes(void *ctx, unsigned file, const uint8_t *p, size_t n, struct errmsg *msg)
{
    (void)file;
    return fwrite(p, 1, n, ctx) == n ? ERR_OK : err_set(msg, ERR_DISK, "%s", strerror(errno));
}

static bool go_on(void *ctx, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    return store_reader_renew(ctx) == ERR_OK;
}

static FILE *output(const char *dir)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/merged", dir);
    if (!(f = fopen(path, "w")))
        bench_die("%s: %s", path, strerror(errno));
    return f;
}

/* Seconds. */
static double ours_once(struct mesh *m, const char *dir, bool alone, unsigned long *most_kib)
{
    struct watch_memory w = { .most = 0 };
    struct export_out to = { .ctx = output(dir), .bytes = keep_bytes };
    struct export_result result;
    struct errmsg msg = { .text = "" };
    struct store_reader *reader;
    struct helper_thread helper;
    struct spill_file spill;
    struct merge_job job;
    unsigned long before;
    uint64_t began;

    if (core_merge_job(m->core[0], NULL, &job, &msg) != ERR_OK ||
        store_settle(m->first.store, &msg) != ERR_OK ||
        store_reader_open(m->first.store, &reader, &msg) != ERR_OK)
        bench_die("%s", msg.text);
    job.spill = spill_file_init(&spill, dir);
    job.policy.discharges = DISCHARGES_EXPORT;
    job.policy.symphony.default_station = 42;
    malloc_trim(0); /* what the filling left behind */
    before = own_kib();
    atomic_init(&w.end, false);
    pthread_create(&w.thread, NULL, look, &w);
    began = bench_ns();
    if (!alone)
        job.helper = helper_thread_init(&helper);
    if (export_run(&job, store_reader_disk(reader), format_by_name("symphony"), go_on, reader, &to,
                   &result, &msg) != ERR_OK ||
        fclose(to.ctx) != 0)
        bench_die("merge: %s", msg.text);
    if (!alone)
        helper_thread_close(&helper);
    began = bench_ns() - began;
    atomic_store(&w.end, true);
    pthread_join(w.thread, NULL);
    if (result.outcomes[OUTCOME_SENT] != m->recorded)
        bench_die("%llu of %llu records stand in the log",
                  (unsigned long long)result.outcomes[OUTCOME_SENT],
                  (unsigned long long)m->recorded);
    *most_kib = w.most > before ? w.most - before : 0;
    store_reader_close(reader);
    merge_job_free(&job);
    spill_file_close(&spill);
    return (double)began / 1e9;
}

/* ---- the bare cursors ---- */

struct bare {
    MDB_env *env;
    MDB_dbi dbi[DESKS];
    uint8_t key[32];
};

static void check(int rc, const char *what)
{
    if (rc != 0)
        bench_die("lmdb, %s: %s", what, mdb_strerror(rc));
}

static void bare_line(uint64_t i, uint8_t key[TIME_AND_ID], char line[LINE_BYTES + 1])
{
    int n;

    put_be64(key, UINT64_C(1700000000000) + i * 17);
    put_be64(key + 8, i * UINT64_C(0x9e3779b97f4a7c15));
    put_be64(key + 16, ~i * UINT64_C(0xbf58476d1ce4e5b9));
    n = snprintf(line, LINE_BYTES + 1, "%013llu\t%016llx\t%c\t3%013llu\t2%013llu\t20260131\t",
                 (unsigned long long)(UINT64_C(1700000000000) + i * 17), (unsigned long long)i,
                 "OIR"[i % 3], (unsigned long long)i, (unsigned long long)i / 5);
    memset(line + n, 'a' + (int)(i % 26), (size_t)(LINE_BYTES - 1 - n));
    line[LINE_BYTES - 1] = '\n';
}

static void bare_fill(struct bare *b, const char *dir, uint64_t entries)
{
    char path[4096], line[LINE_BYTES + 1], name[8];
    MDB_txn *txn;

    snprintf(path, sizeof path, "%s/bare", dir);
    if (mkdir(path, 0700) != 0)
        bench_die("%s: %s", path, strerror(errno));
    randombytes_buf(b->key, sizeof b->key);
    check(mdb_env_create(&b->env), "create");
    check(mdb_env_set_mapsize(b->env, (size_t)16 << 30), "map");
    check(mdb_env_set_maxdbs(b->env, DESKS), "tables");
    check(mdb_env_open(b->env, path, MDB_NOSYNC, 0600), "open");
    check(mdb_txn_begin(b->env, NULL, 0, &txn), "begin");
    for (unsigned d = 0; d < DESKS; d++) {
        snprintf(name, sizeof name, "%u", d);
        check(mdb_dbi_open(txn, name, MDB_CREATE, &b->dbi[d]), "table");
    }
    for (uint64_t i = 0; i < entries; i++) {
        uint8_t key[TIME_AND_ID], value[SEALED];
        MDB_val k = { sizeof key, key }, v = { sizeof value, value };
        unsigned long long n;
        bare_line(i, key, line);
        randombytes_buf(value, NONCE_BYTES);
        crypto_aead_xchacha20poly1305_ietf_encrypt(value + NONCE_BYTES, &n, (uint8_t *)line,
                                                   LINE_BYTES, key, sizeof key, NULL, value,
                                                   b->key);
        check(mdb_put(txn, b->dbi[i % DESKS], &k, &v, MDB_APPEND), "put");
    }
    check(mdb_txn_commit(txn), "commit");
}

static double bare_once(const struct bare *b, const char *dir, uint64_t entries)
{
    uint64_t began = bench_ns(), out = 0;
    uint8_t last[TIME_AND_ID] = { 0 }, line[LINE_BYTES];
    MDB_cursor *c[DESKS];
    MDB_val k[DESKS], v[DESKS];
    bool live[DESKS];
    FILE *f = output(dir);
    MDB_txn *txn;

    check(mdb_txn_begin(b->env, NULL, MDB_RDONLY, &txn), "begin");
    for (unsigned i = 0; i < DESKS; i++) {
        check(mdb_cursor_open(txn, b->dbi[i], &c[i]), "cursor");
        live[i] = mdb_cursor_get(c[i], &k[i], &v[i], MDB_FIRST) == 0;
    }
    for (;;) {
        unsigned least = DESKS;
        for (unsigned i = 0; i < DESKS; i++)
            if (live[i] &&
                (least == DESKS || memcmp(k[i].mv_data, k[least].mv_data, TIME_AND_ID) < 0))
                least = i;
        if (least == DESKS)
            break;
        if (memcmp(last, k[least].mv_data, sizeof last) != 0) {
            const uint8_t *p = v[least].mv_data;
            unsigned long long n;
            memcpy(last, k[least].mv_data, sizeof last);
            if (crypto_aead_xchacha20poly1305_ietf_decrypt(line, &n, NULL, p + NONCE_BYTES,
                                                           v[least].mv_size - NONCE_BYTES, last,
                                                           sizeof last, p, b->key) != 0 ||
                fwrite(line, 1, n, f) != n)
                bench_die("a bare line does not open, or the disk is full");
            out++;
        }
        live[least] = mdb_cursor_get(c[least], &k[least], &v[least], MDB_NEXT) == 0;
    }
    mdb_txn_abort(txn);
    if (fclose(f) != 0 || out != entries)
        bench_die("%llu bare lines", (unsigned long long)out);
    return (double)(bench_ns() - began) / 1e9;
}

/* ---- rounds ---- */

static void measure(struct mesh *m, struct bare *b, const char *dir, unsigned rounds, bool alone)
{
    char id[32], memory_id[32], what[96], note[160];
    double millions = (double)m->recorded / 1e6;
    struct row r = { .id = id,
                     .what = what,
                     .unit = "s",
                     .against = "five cursors, the least is opened and written",
                     .note = note,
                     .must = "<= 1.6",
                     .aim = "<= 0.7" };
    struct row own = { .id = memory_id,
                       .what = "memory of its own that the same takes",
                       .unit = "MiB",
                       .must = "ours <= 24",
                       .aim = "ours <= 8",
                       .note = "without the mapped pages of the store" };

    snprintf(id, sizeof id, "merge-branch-%gM", millions);
    snprintf(memory_id, sizeof memory_id, "merge-branch-%gM-memory", millions);
    snprintf(what, sizeof what, "merged log from five encrypted feeds, %g million entries",
             millions);
    for (unsigned i = 0; i < rounds; i++) {
        unsigned long kib;
        if (i % 2 == 1)
            samples_add(&r.theirs, bare_once(b, dir, m->recorded));
        samples_add(&r.ours, ours_once(m, dir, alone, &kib));
        samples_add(&own.ours, (double)kib / 1024);
        if (i % 2 == 0)
            samples_add(&r.theirs, bare_once(b, dir, m->recorded));
    }
    snprintf(note, sizeof note, "lower is better; ours %.1f us an entry, rules and format included",
             samples_median(&r.ours) / millions);
    row_print(&r);
    row_print(&own);
}

int main(int argc, char **argv)
{
    static struct mesh m;
    static struct bare b;
    const char *dir = NULL;
    uint64_t entries = 1000000;
    unsigned rounds = 3;
    bool alone = false;
    char path[4096];
    int c;

    while ((c = getopt(argc, argv, "d:n:r:a")) != -1)
        switch (c) {
        case 'd':
            dir = optarg;
            break;
        case 'n':
            entries = strtoull(optarg, NULL, 10);
            break;
        case 'r':
            rounds = (unsigned)atoi(optarg);
            break;
        case 'a':
            alone = true;
            break;
        default:
            return 2;
        }
    if (!dir)
        bench_die("-d DIR is missing");
    snprintf(path, sizeof path, "%s/desk", dir);
    mesh_open(&m, 1 + DESKS, path);
    fill_store(&m, entries);
    mesh_forget(&m);
    bare_fill(&b, dir, m.recorded);
    measure(&m, &b, dir, rounds, alone);
    mesh_close(&m);
    mdb_env_close(b.env);
    return 0;
}
