/* test_store.c - what must survive, what must be noticed, and what must never be written. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../store/store_int.h"

#define MIB (1u << 20)

static const uint8_t desk_key[STORE_KEY_BYTES] = "canary-desk-key-0123456789abcdef";
static const uint8_t other_key[STORE_KEY_BYTES] = "another key";
static uint8_t big[MIB];

/* LMDB calls it through the PLT, so the disk under it can be made to lie. */
static atomic_bool flush_fails;

int fdatasync(int fd)
{
    if (flush_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

/* ---- fixture ---- */

struct fixture {
    char dir[64];
    struct store *s;
    const struct disk *d;
    struct errmsg msg;
    struct buf val;
};

static void open_with(struct fixture *f, const uint8_t *key, enum err want)
{
    f->s = NULL;
    assert_int_equal(store_open(f->dir, key, &f->s, &f->msg), want);
    f->d = f->s ? store_disk(f->s) : NULL;
}

static void shut(struct fixture *f)
{
    store_close(f->s);
    f->s = NULL;
}

static void open_again(struct fixture *f)
{
    shut(f);
    open_with(f, desk_key, ERR_OK);
}

static void path_of(const struct fixture *f, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", f->dir, name);
}

static void remove_tree(const char *dir)
{
    DIR *d = opendir(dir);
    struct dirent *e;
    char path[512];

    while (d != NULL && (e = readdir(d)) != NULL) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (unlink(path) != 0)
            remove_tree(path);
    }
    if (d != NULL)
        closedir(d);
    rmdir(dir);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    if (f == NULL)
        return -1;
    strcpy(f->dir, "/tmp/tideover-store-XXXXXX");
    if (mkdtemp(f->dir) == NULL || store_open(f->dir, desk_key, &f->s, &f->msg) != ERR_OK)
        return -1;
    f->d = store_disk(f->s);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    flush_fails = false;
    store_close(f->s);
    remove_tree(f->dir);
    buf_free(&f->val);
    free(f);
    return 0;
}

/* ---- shorthands: keys are be32 numbers in TABLE_BLOCKS unless said otherwise ---- */

static enum err put(const struct disk *d, uint32_t number, const void *val, size_t len)
{
    uint8_t key[4];

    put_be32(key, number);
    return d->put(d->ctx, TABLE_BLOCKS, key, sizeof key, val, len);
}

static void put_text(struct fixture *f, uint32_t number, const char *text)
{
    assert_int_equal(put(f->d, number, text, strlen(text)), ERR_OK);
}

static void commit(struct fixture *f)
{
    assert_int_equal(store_commit(f->s, &f->msg), ERR_OK);
}

static void settle(struct fixture *f) /* so that snapshots have it */
{
    assert_int_equal(store_settle(f->s, &f->msg), ERR_OK);
}

static enum err get(const struct disk *d, uint32_t number, struct buf *val)
{
    uint8_t key[4];

    put_be32(key, number);
    return d->get(d->ctx, TABLE_BLOCKS, key, sizeof key, val);
}

static void holds(struct fixture *f, const struct disk *d, uint32_t number, const char *text)
{
    assert_int_equal(get(d, number, &f->val), ERR_OK);
    assert_int_equal(f->val.len, strlen(text));
    assert_memory_equal(f->val.p, text, strlen(text));
}

/* The number found from `number` in direction dir, or 0 at the end of the table. */
static uint32_t seek(const struct disk *d, uint32_t number, int dir)
{
    uint8_t key[4], found[DISK_KEY_MAX];
    size_t n = 0;
    enum err e;

    put_be32(key, number);
    e = d->seek(d->ctx, TABLE_BLOCKS, key, sizeof key, dir, found, &n, NULL);
    if (e == ERR_MISSING)
        return 0;
    assert_int_equal(e, ERR_OK);
    assert_int_equal(n, 4);
    return get_be32(found);
}

static enum err verify(struct fixture *f, uint64_t *checked)
{
    struct store_reader *r = NULL;
    enum err e;

    assert_int_equal(store_reader_open(f->s, &r, &f->msg), ERR_OK);
    e = store_verify(r, checked, &f->msg);
    store_reader_close(r);
    return e;
}

/* A raw LMDB environment over a closed store; `table` opened in a write transaction. */
static MDB_txn *raw_open(struct fixture *f, const char *table, MDB_dbi *dbi)
{
    MDB_env *env = NULL;
    MDB_txn *txn = NULL;
    char path[128];

    path_of(f, "store", path);
    assert_int_equal(mdb_env_create(&env), 0);
    assert_int_equal(mdb_env_set_mapsize(env, 256u * MIB), 0);
    assert_int_equal(mdb_env_set_maxdbs(env, 16), 0);
    assert_int_equal(mdb_env_open(env, path, MDB_NOTLS, 0600), 0);
    assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
    assert_int_equal(mdb_dbi_open(txn, table, 0, dbi), 0);
    return txn;
}

static void raw_close(MDB_txn *txn)
{
    MDB_env *env = mdb_txn_env(txn);

    assert_int_equal(mdb_txn_commit(txn), 0);
    mdb_env_close(env);
}

static uint8_t *slurp(const char *path, size_t *n)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    uint8_t *p;

    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &st), 0);
    *n = (size_t)st.st_size;
    p = malloc(*n + 1);
    assert_non_null(p);
    assert_int_equal(fread(p, 1, *n, file), *n);
    fclose(file);
    return p;
}

static void spill(const char *path, const uint8_t *p, size_t n)
{
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    assert_int_equal(fwrite(p, 1, n, file), n);
    fclose(file);
}

static uint8_t *find_bytes(uint8_t *p, size_t n, const void *what, size_t len)
{
    for (size_t i = 0; len <= n && i <= n - len; i++)
        if (memcmp(p + i, what, len) == 0)
            return p + i;
    return NULL;
}

/* ---- durability ---- */

static void a_commit_survives_reopening(void **state)
{
    struct fixture *f = *state;

    put_text(f, 7, "seven");
    assert_int_equal(f->d->put(f->d->ctx, TABLE_PAPER, "k", 1, NULL, 0), ERR_OK);
    commit(f);
    open_again(f);
    holds(f, f->d, 7, "seven");
    assert_int_equal(f->d->get(f->d->ctx, TABLE_PAPER, "k", 1, &f->val), ERR_OK);
    assert_int_equal(f->val.len, 0);
    assert_int_equal(store_reopen(f->s, &f->msg), ERR_OK);
    holds(f, f->d, 7, "seven");
}

static void what_was_not_committed_is_gone(void **state)
{
    struct fixture *f = *state;

    put_text(f, 7, "seven");
    open_again(f);
    assert_int_equal(get(f->d, 7, &f->val), ERR_MISSING);
}

static void abort_forgets_the_batch(void **state)
{
    struct fixture *f = *state;

    put_text(f, 1, "one");
    commit(f);
    put_text(f, 1, "uno");
    put_text(f, 2, "due");
    assert_true(store_batch_is_open(f->s));
    store_abort(f->s);
    assert_false(store_batch_is_open(f->s));
    holds(f, f->d, 1, "one");
    assert_int_equal(get(f->d, 2, &f->val), ERR_MISSING);
    commit(f);
    assert_int_equal(get(f->d, 2, &f->val), ERR_MISSING);
}

static void commit_until_killed(const char *dir, int pipe_fd)
{
    struct store *s = NULL;
    uint32_t i = 0;

    if (store_open(dir, desk_key, &s, NULL) != ERR_OK)
        _exit(1);
    while (get(store_disk(s), i, &(struct buf){ 0 }) == ERR_OK)
        i++; /* the leak dies with the process */
    for (;; i++) {
        if (put(store_disk(s), i, big, 200 + i % 5000) != ERR_OK ||
            store_commit(s, NULL) != ERR_OK || write(pipe_fd, &i, sizeof i) != sizeof i)
            _exit(1);
    }
}

static void a_kill_loses_nothing_acknowledged(void **state)
{
    struct fixture *f = *state;
    uint32_t acked = 0, here;

    shut(f);
    for (int round = 0; round < 10; round++) {
        int ends[2];
        pid_t child;

        assert_int_equal(pipe(ends), 0);
        if ((child = fork()) == 0)
            commit_until_killed(f->dir, ends[1]);
        close(ends[1]);
        for (int i = 0; i < 20 + 7 * round; i++) {
            assert_int_equal(read(ends[0], &here, sizeof here), sizeof here);
            acked = here;
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        while (read(ends[0], &here, sizeof here) == sizeof here)
            acked = here; /* acknowledged too, just not read yet */
        close(ends[0]);
        open_with(f, desk_key, ERR_OK);
        for (uint32_t i = 0; i <= acked; i++) {
            assert_int_equal(get(f->d, i, &f->val), ERR_OK);
            assert_int_equal(f->val.len, 200 + i % 5000);
        }
        shut(f);
    }
}

static void after_a_failed_flush_nothing_goes_on_until_reopen(void **state)
{
    struct fixture *f = *state;
    struct store_reader *r = NULL, *early = NULL;
    struct store_stats st;

    put_text(f, 1, "one");
    commit(f);
    assert_int_equal(store_reader_open(f->s, &early, NULL), ERR_OK);
    put_text(f, 2, "two");
    flush_fails = true;
    assert_int_equal(store_commit(f->s, &f->msg), ERR_DISK);
    flush_fails = false;
    assert_false(store_batch_is_open(f->s));
    assert_int_equal(store_commit(f->s, &f->msg), ERR_DISK);
    assert_int_equal(get(f->d, 1, &f->val), ERR_DISK);
    assert_int_equal(put(f->d, 3, "", 0), ERR_DISK);
    assert_int_equal(store_period_begin(f->s, NULL), ERR_DISK);
    assert_int_equal(store_reader_open(f->s, &r, NULL), ERR_DISK);
    store_stats(f->s, &st);
    assert_int_equal(st.commit_failures, 1);
    holds(f, store_reader_disk(early), 1, "one");
    assert_int_equal(store_reader_renew(early), ERR_DISK);
    assert_int_equal(get(store_reader_disk(early), 1, &f->val), ERR_DISK);

    assert_int_equal(store_reopen(f->s, &f->msg), ERR_OK);
    assert_int_equal(store_reader_renew(early), ERR_OK);
    holds(f, store_reader_disk(early), 1, "one");
    store_reader_close(early);
    holds(f, f->d, 1, "one");
    assert_int_equal(get(f->d, 2, &f->val), ERR_MISSING);
    put_text(f, 2, "two again");
    commit(f);
    holds(f, f->d, 2, "two again");
}

/* ---- reading ---- */

static void seek_finds_neighbours_and_ends(void **state)
{
    struct fixture *f = *state;
    struct store_reader *r = NULL;
    uint8_t key[DISK_KEY_MAX];
    size_t n;

    assert_int_equal(seek(f->d, 5, 1), 0);
    assert_int_equal(seek(f->d, 5, -1), 0);
    put_text(f, 10, "a");
    put_text(f, 20, "b");
    put_text(f, 30, "c");
    commit(f);
    assert_int_equal(store_reader_open(f->s, &r, NULL), ERR_OK);
    for (int i = 0; i < 2; i++) {
        const struct disk *d = i == 0 ? f->d : store_reader_disk(r);
        assert_int_equal(seek(d, 1, 1), 10);
        assert_int_equal(seek(d, 20, 1), 20);
        assert_int_equal(seek(d, 21, 1), 30);
        assert_int_equal(seek(d, 31, 1), 0);
        assert_int_equal(seek(d, UINT32_MAX, -1), 30);
        assert_int_equal(seek(d, 30, -1), 20);
        assert_int_equal(seek(d, 11, -1), 10);
        assert_int_equal(seek(d, 10, -1), 0);
        assert_int_equal(d->seek(d->ctx, TABLE_BLOCKS, "", 0, 1, key, &n, &f->val), ERR_OK);
        assert_int_equal(get_be32(key), 10);
        assert_memory_equal(f->val.p, "a", 1);
        assert_int_equal(d->seek(d->ctx, TABLE_BLOCKS, "", 0, -1, key, &n, NULL), ERR_MISSING);
        assert_int_equal(d->seek(d->ctx, TABLE_SLOTS, "", 0, 1, key, &n, NULL), ERR_MISSING);
        assert_int_equal(d->seek(d->ctx, TABLE_SLOTS, "\xff", 1, -1, key, &n, NULL), ERR_MISSING);
    }
    assert_int_equal(put(store_reader_disk(r), 1, "", 0), ERR_BUG);
    assert_int_equal(store_reader_disk(r)->del(r, TABLE_BLOCKS, "k", 1), ERR_BUG);
    store_reader_close(r);
}

static void reads_see_their_own_batch(void **state)
{
    struct fixture *f = *state;

    put_text(f, 1, "one");
    put_text(f, 2, "two");
    commit(f);
    put_text(f, 2, "zwei");
    put_text(f, 3, "drei");
    assert_int_equal(f->d->del(f->d->ctx, TABLE_BLOCKS, "\0\0\0\1", 4), ERR_OK);
    assert_int_equal(f->d->del(f->d->ctx, TABLE_BLOCKS, "\0\0\0\x9", 4), ERR_OK);
    holds(f, f->d, 2, "zwei");
    holds(f, f->d, 3, "drei");
    assert_int_equal(get(f->d, 1, &f->val), ERR_MISSING);
    assert_int_equal(seek(f->d, 0, 1), 2);
    assert_int_equal(seek(f->d, 9, -1), 3);
    commit(f);
    assert_int_equal(seek(f->d, 0, 1), 2);
    holds(f, f->d, 2, "zwei");
}

static void thirty_two_readers_keep_their_snapshots(void **state)
{
    struct fixture *f = *state;
    struct store_reader *r[32];

    put_text(f, 1, "old");
    commit(f);
    for (int i = 0; i < 32; i++)
        assert_int_equal(store_reader_open(f->s, &r[i], NULL), ERR_OK);
    put_text(f, 1, "new");
    settle(f);
    for (int i = 0; i < 32; i++) {
        holds(f, store_reader_disk(r[i]), 1, "old");
        assert_int_equal(store_reader_renew(r[i]), ERR_OK);
        holds(f, store_reader_disk(r[i]), 1, "new");
    }
    for (int i = 0; i < 32; i++)
        store_reader_close(r[i]);
}

/* ---- bounds ---- */

static void a_batch_is_bounded_and_never_half_written(void **state)
{
    struct fixture *f = *state;

    put_text(f, 100, "before");
    commit(f);
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(put(f->d, i, big, MIB), ERR_OK);
    commit(f);
    for (uint32_t i = 10; i < 14; i++)
        assert_int_equal(put(f->d, i, big, MIB), ERR_OK);
    assert_int_equal(put(f->d, 14, "x", 1), ERR_FULL);
    assert_true(store_batch_is_open(f->s));
    assert_int_equal(put(f->d, 15, "", 0), ERR_FULL);
    assert_int_equal(store_commit(f->s, &f->msg), ERR_FULL);
    assert_int_equal(get(f->d, 100, &f->val), ERR_FULL);
    assert_int_equal(store_reopen(f->s, NULL), ERR_OK);
    holds(f, f->d, 100, "before");
    assert_int_equal(seek(f->d, 99, -1), 3);
}

static void keys_and_values_out_of_bounds_are_our_own_mistake(void **state)
{
    struct fixture *f = *state;
    static uint8_t key[DISK_KEY_MAX + 1];

    assert_int_equal(f->d->put(f->d->ctx, TABLE_META, key, sizeof key, "", 0), ERR_BUG);
    store_abort(f->s);
    assert_int_equal(f->d->put(f->d->ctx, TABLE_META, key, 0, "", 0), ERR_BUG);
    store_abort(f->s);
    assert_int_equal(put(f->d, 1, big, DISK_VALUE_MAX + 1), ERR_BUG);
    store_abort(f->s);
    assert_int_equal(f->d->put(f->d->ctx, TABLE_META, key, DISK_KEY_MAX, "", 0), ERR_OK);
    commit(f);
}

/* ---- growth ---- */

struct reading {
    struct store *s;
    atomic_bool stop;
    unsigned long reads, failures;
};

static void *read_all_the_time(void *arg)
{
    struct reading *w = arg;
    struct store_reader *r = NULL;
    struct buf val = { 0 };

    if (store_reader_open(w->s, &r, NULL) != ERR_OK)
        return NULL;
    while (!w->stop) {
        uint32_t last = seek(store_reader_disk(r), UINT32_MAX, -1);
        for (uint32_t i = 1; i <= last && i <= 8; i++, w->reads++)
            if (get(store_reader_disk(r), i * last / 8 ? i * last / 8 : 1, &val) != ERR_OK ||
                val.len != MIB)
                w->failures++;
        w->failures += store_reader_renew(r) != ERR_OK;
    }
    store_reader_close(r);
    buf_free(&val);
    return NULL;
}

static void the_map_grows_under_readers(void **state)
{
    struct fixture *f = *state;
    struct reading w[3] = { { .s = f->s }, { .s = f->s }, { .s = f->s } };
    pthread_t thread[3];
    struct store_stats st;

    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, read_all_the_time, &w[i]), 0);
    for (uint32_t i = 1; i <= 120; i++) {
        assert_int_equal(put(f->d, i, big, MIB), ERR_OK);
        if (i % 4 == 0)
            commit(f);
        if (i % 40 == 0)
            assert_int_equal(store_period_begin(f->s, NULL), ERR_OK);
    }
    for (int i = 0; i < 3; i++) {
        w[i].stop = true;
        pthread_join(thread[i], NULL);
        assert_int_equal(w[i].failures, 0);
        assert_true(w[i].reads > 0);
    }
    store_stats(f->s, &st);
    assert_int_equal(st.map_bytes, 4ull * STORE_MAP_BYTES);
    assert_true(st.used_bytes > 120ull * MIB);
    assert_int_equal(st.commits, 30);
    open_again(f);
    assert_int_equal(seek(f->d, UINT32_MAX, -1), 120);
}

/* Growing early is switched off, so that the batch itself meets the end of the map. */
static void a_batch_that_meets_the_end_of_the_map_is_kept(void **state)
{
    struct fixture *f = *state;
    uint64_t checked;

    for (uint32_t i = 1; i <= 160; i++) {
        f->s->grow_at = UINT64_MAX;
        assert_int_equal(put(f->d, i, big, MIB - i), ERR_OK);
        if (i % 4 == 0)
            commit(f);
    }
    assert_int_equal(f->s->map_bytes, 4ull * STORE_MAP_BYTES);
    for (uint32_t i = 1; i <= 160; i++) {
        assert_int_equal(get(f->d, i, &f->val), ERR_OK);
        assert_int_equal(f->val.len, MIB - i);
    }
    assert_int_equal(verify(f, &checked), ERR_OK);
    assert_int_equal(checked, 160);
}

static void a_reader_that_stays_makes_the_store_full_not_stuck(void **state)
{
    struct fixture *f = *state;
    struct store_reader *r = NULL;
    uint32_t acked = 0, i = 0;
    enum err e = ERR_OK;

    assert_int_equal(store_reader_open(f->s, &r, NULL), ERR_OK);
    while (e == ERR_OK && i < 80) {
        e = put(f->d, ++i, big, MIB);
        if (e == ERR_OK && (e = store_commit(f->s, &f->msg)) == ERR_OK)
            acked = i;
    }
    assert_int_equal(e, ERR_FULL);
    assert_true(acked > 50);
    assert_int_equal(store_commit(f->s, &f->msg), ERR_FULL);
    assert_int_equal(store_reopen(f->s, &f->msg), ERR_BUSY);
    store_reader_close(r);
    assert_int_equal(store_reopen(f->s, &f->msg), ERR_OK);
    assert_int_equal(seek(f->d, UINT32_MAX, -1), acked);
    assert_int_equal(put(f->d, i, big, MIB), ERR_OK);
    commit(f);
}

static void fill_until_refused(struct fixture *f, uint32_t *acked, enum err *why)
{
    enum err e = ERR_OK;

    for (uint32_t i = 1; e == ERR_OK && i < 4000; i++) {
        e = put(f->d, i, big, 60000);
        if (e == ERR_OK && (e = store_commit(f->s, &f->msg)) == ERR_OK)
            *acked = i;
    }
    *why = e;
}

/* Moves the fixture to a small file system of its own; false: not allowed here. */
static bool on_small_disk(struct fixture *f, const char *size)
{
    shut(f);
    strcat(f->dir, "/small");
    mkdir(f->dir, 0700);
    return mount("tideover", f->dir, "tmpfs", 0, size) == 0;
}

static void leave_small_disk(struct fixture *f)
{
    shut(f);
    umount(f->dir);
    f->dir[strlen(f->dir) - strlen("/small")] = 0;
}

static void check_full_disk(struct fixture *f)
{
    char path[128];
    uint32_t acked = 0;
    uint64_t checked;
    enum err why;
    int fd;

    path_of(f, "filler", path);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    for (int i = 0; i < 8; i++)
        assert_int_equal(write(fd, big, MIB), MIB);
    close(fd);
    open_with(f, desk_key, ERR_OK);
    fill_until_refused(f, &acked, &why);
    assert_int_equal(why, ERR_FULL);
    assert_true(acked > 100);
    assert_int_equal(store_commit(f->s, NULL), why);

    assert_int_equal(store_reopen(f->s, &f->msg), ERR_OK); /* still full: reading goes on */
    assert_int_equal(verify(f, &checked), ERR_OK);
    assert_int_equal(seek(f->d, UINT32_MAX, -1), acked);
    open_again(f);
    assert_int_equal(seek(f->d, UINT32_MAX, -1), acked);

    assert_int_equal(unlink(path), 0);
    put_text(f, acked + 1, "there is room again");
    commit(f);
    open_again(f);
    assert_int_equal(verify(f, &checked), ERR_OK);
    assert_int_equal(checked, acked + 1);
}

static void a_full_disk_keeps_everything_and_recovers(void **state)
{
    struct fixture *f = *state;
    bool mounted = on_small_disk(f, "size=24m");

    if (mounted)
        check_full_disk(f);
    leave_small_disk(f);
    if (!mounted)
        skip();
}

static void check_growth_stops(struct fixture *f)
{
    struct store_stats st;
    uint32_t acked = 0;
    uint64_t checked;
    enum err why;

    open_with(f, desk_key, ERR_OK);
    fill_until_refused(f, &acked, &why);
    assert_int_equal(why, ERR_FULL);
    store_stats(f->s, &st);
    assert_true(st.map_bytes > STORE_MAP_BYTES && st.map_bytes < 110ull * MIB);
    assert_true(st.disk_free_bytes >= 15ull * MIB);
    open_again(f);
    assert_int_equal(verify(f, &checked), ERR_OK);
    assert_int_equal(checked, acked);
}

static void growth_stops_before_the_disk_is_full(void **state)
{
    struct fixture *f = *state;
    bool mounted = on_small_disk(f, "size=110m");

    if (mounted)
        check_growth_stops(f);
    leave_small_disk(f);
    if (!mounted)
        skip();
}

/* ---- damage, theft, other hands ---- */

static void a_flipped_bit_is_reported_and_named(void **state)
{
    struct fixture *f = *state;
    uint8_t key[4] = { 0, 0, 0, 2 }, box[512], *file, *at;
    MDB_val k = { 4, key }, v;
    char path[128];
    uint64_t checked;
    size_t len, n;
    MDB_dbi dbi;
    MDB_txn *txn;

    put_text(f, 1, "one");
    put_text(f, 2, "a value that somebody will bend");
    put_text(f, 3, "three");
    commit(f);
    shut(f);
    txn = raw_open(f, "blocks", &dbi);
    assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
    len = v.mv_size;
    assert_int_equal(len, strlen("a value that somebody will bend") + SEAL_EXTRA);
    memcpy(box, v.mv_data, len);
    raw_close(txn);

    path_of(f, "store/data.mdb", path);
    for (size_t bit = 0; bit < len * 8; bit += 37) {
        file = slurp(path, &n);
        at = find_bytes(file, n, box, len);
        assert_non_null(at);
        at[bit / 8] ^= (uint8_t)(1u << bit % 8);
        spill(path, file, n);
        open_with(f, desk_key, ERR_OK);
        assert_int_equal(get(f->d, 2, &f->val), ERR_DENIED);
        assert_int_equal(f->val.len, 0);
        holds(f, f->d, 1, "one");
        assert_int_equal(verify(f, &checked), ERR_DENIED);
        assert_int_equal(checked, 2);
        assert_non_null(strstr(f->msg.text, "table blocks, key 00000002"));
        shut(f);
        at[bit / 8] ^= (uint8_t)(1u << bit % 8);
        spill(path, file, n);
        free(file);
    }
    open_with(f, desk_key, ERR_OK);
    assert_int_equal(verify(f, &checked), ERR_OK);
}

static void a_value_moved_to_another_key_or_table_does_not_open(void **state)
{
    struct fixture *f = *state;
    uint8_t from[4] = { 0, 0, 0, 1 }, to[4] = { 0, 0, 0, 2 };
    MDB_val k = { 4, from }, moved = { 4, to }, v, copy;
    uint8_t box[256];
    uint64_t checked;
    MDB_dbi dbi, cards;
    MDB_txn *txn;

    put_text(f, 1, "one");
    commit(f);
    shut(f);
    txn = raw_open(f, "blocks", &dbi);
    assert_int_equal(mdb_get(txn, dbi, &k, &v), 0);
    copy = (MDB_val){ v.mv_size, memcpy(box, v.mv_data, v.mv_size) };
    assert_int_equal(mdb_put(txn, dbi, &moved, &copy, 0), 0);
    assert_int_equal(mdb_dbi_open(txn, "cards", 0, &cards), 0);
    assert_int_equal(mdb_put(txn, cards, &k, &copy, 0), 0);
    raw_close(txn);
    open_with(f, desk_key, ERR_OK);
    holds(f, f->d, 1, "one");
    assert_int_equal(get(f->d, 2, &f->val), ERR_DENIED);
    assert_int_equal(f->d->get(f->d->ctx, TABLE_CARDS, from, 4, &f->val), ERR_DENIED);
    assert_int_equal(verify(f, &checked), ERR_DENIED);
    assert_string_equal(f->msg.why, "damaged");
}

static void another_desk_key_is_told_from_damage(void **state)
{
    struct fixture *f = *state;
    uint8_t *file;
    char path[128];
    size_t n;

    put_text(f, 1, "one");
    commit(f);
    shut(f);
    open_with(f, other_key, ERR_DENIED);
    assert_string_equal(f->msg.why, "wrong_key");
    assert_string_equal(f->msg.text, "this store belongs to another desk key");
    path_of(f, "periods", path);
    file = slurp(path, &n);
    file[n - 1] ^= 1;
    spill(path, file, n);
    open_with(f, desk_key, ERR_DENIED);
    assert_string_equal(f->msg.why, "damaged");
    file[n - 1] ^= 1;
    spill(path, file, n);
    free(file);
    open_with(f, desk_key, ERR_OK);
    holds(f, f->d, 1, "one");
    shut(f);
    assert_int_equal(truncate(path, 5), 0);
    open_with(f, desk_key, ERR_DENIED);
    assert_int_equal(unlink(path), 0);
    open_with(f, desk_key, ERR_DENIED);
    assert_non_null(strstr(f->msg.text, "periods is missing"));
    assert_int_equal(access(path, F_OK), -1);
}

static void a_newer_store_is_refused_and_left_unharmed(void **state)
{
    struct fixture *f = *state;
    MDB_val k = { 7, "version" }, v = { 4, "\0\0\0\2" };
    uint8_t *before, *after;
    size_t n, m;
    char path[128];
    MDB_dbi dbi;
    MDB_txn *txn;

    shut(f);
    txn = raw_open(f, "store", &dbi);
    assert_int_equal(mdb_put(txn, dbi, &k, &v, 0), 0);
    raw_close(txn);
    path_of(f, "store/data.mdb", path);
    before = slurp(path, &n);
    open_with(f, other_key, ERR_MALFORMED);
    open_with(f, desk_key, ERR_MALFORMED);
    assert_string_equal(f->msg.why, "newer");
    assert_non_null(strstr(f->msg.text, "made by a newer tideover"));
    after = slurp(path, &m);
    assert_int_equal(n, m);
    assert_memory_equal(before, after, n);
    free(before);
    free(after);
}

static void a_second_open_is_refused(void **state)
{
    struct fixture *f = *state;
    struct store *second = NULL;
    int status;
    pid_t child;

    assert_int_equal(store_open(f->dir, desk_key, &second, &f->msg), ERR_BUSY);
    assert_string_equal(f->msg.text, "another tideover node is using this state directory");
    assert_null(second);
    if ((child = fork()) == 0)
        _exit(store_open(f->dir, desk_key, &second, NULL) == ERR_BUSY ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    put_text(f, 1, "the first goes on");
    commit(f);
    open_again(f);
}

static void only_the_owner_may_read_the_files(void **state)
{
    static const char *const names[] = { "lock", "periods", "store/data.mdb", "store/lock.mdb" };
    struct fixture *f = *state;
    char path[128];
    struct stat st;

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        path_of(f, names[i], path);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    path_of(f, "store", path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void nowhere(struct fixture *f, const void *secret, size_t len)
{
    static const char *const names[] = { "lock", "periods", "store/data.mdb", "store/lock.mdb" };
    char path[128];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint8_t *p;
        size_t n;
        path_of(f, names[i], path);
        p = slurp(path, &n);
        assert_null(find_bytes(p, n, secret, len));
        free(p);
    }
}

static void no_value_and_no_key_ever_stands_in_a_file(void **state)
{
    static const char canary[] = "CANARY-29840001234567";
    struct fixture *f = *state;

    memcpy(big, canary, sizeof canary);
    for (uint32_t i = 0; i < 100; i++)
        put_text(f, i, canary);
    assert_int_equal(put(f->d, 100, big, 20000), ERR_OK);
    commit(f);
    put_text(f, 1, canary);
    store_abort(f->s);
    assert_int_equal(store_period_begin(f->s, NULL), ERR_OK);
    memset(big, 0, sizeof canary);
    nowhere(f, canary, 12);
    nowhere(f, desk_key, 16);
    for (uint32_t i = 0; i < f->s->ring->n; i++)
        nowhere(f, f->s->ring->v[i].key, 16);
}

/* ---- periods ---- */

static void a_period_begins_durably_and_old_values_stay_readable(void **state)
{
    struct fixture *f = *state;
    struct store_reader *r = NULL;
    char path[128], old[128];
    uint8_t *p;
    size_t n;

    put_text(f, 1, "first");
    commit(f);
    assert_int_equal(store_reader_open(f->s, &r, NULL), ERR_OK);
    assert_int_equal(store_period(f->s), 1);
    path_of(f, "periods", path);
    path_of(f, "old", old);
    assert_int_equal(link(path, old), 0);
    assert_int_equal(store_period_begin(f->s, &f->msg), ERR_OK);
    assert_int_equal(store_period(f->s), 2);
    p = slurp(old, &n); /* the old bytes, which a hard link keeps in sight */
    assert_int_equal(n, 9 + 24 + 4 + 36 + 16);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(p[i], 0);
    free(p);
    put_text(f, 2, "second");
    settle(f);
    holds(f, store_reader_disk(r), 1, "first");
    assert_int_equal(store_reader_renew(r), ERR_OK);
    holds(f, store_reader_disk(r), 2, "second");
    store_reader_close(r);
    for (uint32_t i = 3; i <= 20; i++) {
        assert_int_equal(store_period_begin(f->s, NULL), ERR_OK);
        put_text(f, i, "later");
        commit(f);
    }
    open_again(f);
    assert_int_equal(store_period(f->s), 20);
    holds(f, f->d, 1, "first");
    holds(f, f->d, 2, "second");
    holds(f, f->d, 11, "later");
    path_of(f, "periods.new", path);
    assert_int_equal(access(path, F_OK), -1);
}

static void a_leftover_of_a_cut_save_is_removed(void **state)
{
    struct fixture *f = *state;
    char path[128];
    int fd;

    path_of(f, "periods.new", path);
    fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "half", 4), 4);
    close(fd);
    open_again(f);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(store_period(f->s), 1);
}

static void a_first_start_cut_short_is_finished(void **state)
{
    struct fixture *f = *state;
    char path[128];

    shut(f);
    path_of(f, "store/data.mdb", path);
    assert_int_equal(unlink(path), 0);
    open_with(f, desk_key, ERR_OK);
    put_text(f, 1, "one");
    commit(f);
    open_again(f);
    holds(f, f->d, 1, "one");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(a_commit_survives_reopening),
        T(what_was_not_committed_is_gone),
        T(abort_forgets_the_batch),
        T(a_kill_loses_nothing_acknowledged),
        T(after_a_failed_flush_nothing_goes_on_until_reopen),
        T(seek_finds_neighbours_and_ends),
        T(reads_see_their_own_batch),
        T(thirty_two_readers_keep_their_snapshots),
        T(a_batch_is_bounded_and_never_half_written),
        T(keys_and_values_out_of_bounds_are_our_own_mistake),
        T(the_map_grows_under_readers),
        T(a_batch_that_meets_the_end_of_the_map_is_kept),
        T(a_reader_that_stays_makes_the_store_full_not_stuck),
        T(a_full_disk_keeps_everything_and_recovers),
        T(growth_stops_before_the_disk_is_full),
        T(a_flipped_bit_is_reported_and_named),
        T(a_value_moved_to_another_key_or_table_does_not_open),
        T(another_desk_key_is_told_from_damage),
        T(a_newer_store_is_refused_and_left_unharmed),
        T(a_second_open_is_refused),
        T(only_the_owner_may_read_the_files),
        T(no_value_and_no_key_ever_stands_in_a_file),
        T(a_period_begins_durably_and_old_values_stay_readable),
        T(a_leftover_of_a_cut_save_is_removed),
        T(a_first_start_cut_short_is_finished),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]); /* one test by its name, * and ? allowed */
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
