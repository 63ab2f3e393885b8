/* test_compact.c - a store's file is made smaller, and nothing of it is lost, whenever that ends.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "buf.h"
#include "store.h"

#define VALUES 240
#define BYTES  50000 /* of a value: 12 MB in all, of which an eighth stays */
#define KILLS  30

static const uint8_t desk_key[STORE_KEY_BYTES] = "canary-desk-key-0123456789abcdef";

static char dir[64], data[96], fresh[96];
static uint8_t digest[32]; /* of all that the store holds */
static uint8_t *loose;     /* its file, before it is made smaller */
static size_t size;

static void digest_of(const struct disk *d, uint8_t out[32])
{
    crypto_generichash_state st;
    struct buf val = { 0 };
    uint8_t key[DISK_KEY_MAX + 1] = { 0 };
    size_t n = 1;

    crypto_generichash_init(&st, NULL, 0, 32);
    while (d->seek(d->ctx, TABLE_BLOCKS, key, n, 1, key, &n, &val) == ERR_OK) {
        crypto_generichash_update(&st, key, n);
        crypto_generichash_update(&st, val.p, val.len);
        key[n++] = 0; /* the next one behind it */
    }
    crypto_generichash_final(&st, out, 32);
    buf_free(&val);
}

static void fill(struct store *s)
{
    const struct disk *d = store_disk(s);
    static uint8_t value[BYTES];
    uint8_t key[12] = { 0 };

    for (uint32_t i = 0; i < VALUES; i++) {
        put_be32(key, i);
        randombytes_buf(value, sizeof value);
        assert_int_equal(d->put(d->ctx, TABLE_BLOCKS, key, 12, value, BYTES), ERR_OK);
        if (i % 40 == 39)
            assert_int_equal(store_commit(s, NULL), ERR_OK);
    }
    for (uint32_t i = 0; i < VALUES; i++) {
        put_be32(key, i);
        if (i % 8 > 0)
            assert_int_equal(d->del(d->ctx, TABLE_BLOCKS, key, 12), ERR_OK);
    }
    assert_int_equal(store_commit(s, NULL), ERR_OK);
    digest_of(d, digest);
}

static int set_up(void **state)
{
    struct store *s = NULL;
    struct stat st;
    int fd;

    (void)state;
    strcpy(dir, "/tmp/tideover-compact-XXXXXX");
    if (mkdtemp(dir) == NULL || store_open(dir, desk_key, &s, NULL) != ERR_OK)
        return -1;
    fill(s);
    store_close(s);
    snprintf(data, sizeof data, "%s/store/data.mdb", dir);
    snprintf(fresh, sizeof fresh, "%s/store/data.mdb.new", dir);
    if ((fd = open(data, O_RDONLY)) < 0 || fstat(fd, &st) != 0)
        return -1;
    size = (size_t)st.st_size;
    loose = malloc(size);
    if (loose == NULL || read(fd, loose, size) != (ssize_t)size)
        return -1;
    close(fd);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "store/data.mdb", "store/lock.mdb", "store/journal",
                                         "store",          "periods",        "lock" };
    char path[128];

    (void)state;
    free(loose);
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (unlink(path) != 0)
            rmdir(path);
    }
    return rmdir(dir);
}

static void begin_anew(void)
{
    int fd = open(data, O_WRONLY | O_TRUNC);

    assert_true(fd >= 0 && write(fd, loose, size) == (ssize_t)size);
    close(fd);
}

/* Sound, with all that was in it, and nothing left beside it. */
static size_t check(void)
{
    struct store *s = NULL;
    struct stat st;
    uint64_t values;
    uint8_t now[32];

    assert_int_equal(store_look(dir, desk_key, &values, NULL), ERR_OK);
    assert_int_equal(stat(data, &st), 0);
    assert_int_equal(store_open(dir, desk_key, &s, NULL), ERR_OK);
    digest_of(store_disk(s), now);
    store_close(s);
    assert_memory_equal(now, digest, sizeof now);
    assert_int_equal(access(fresh, F_OK), -1);
    return (size_t)st.st_size;
}

static void a_loose_store_becomes_small_and_goes_on(void **state)
{
    struct store *s = NULL;
    uint64_t before = 0, after = 0;
    uint8_t key[12] = { 0 };
    struct buf val = { 0 };
    const struct disk *d;

    (void)state;
    begin_anew();
    assert_true(store_is_loose(dir));
    assert_int_equal(store_compact(dir, &before, &after, NULL), ERR_OK);
    assert_int_equal(before, size);
    assert_true(after > size / 10 && after < size / 4);
    assert_int_equal(check(), after);
    assert_false(store_is_loose(dir));

    assert_int_equal(store_open(dir, desk_key, &s, NULL), ERR_OK);
    d = store_disk(s);
    assert_int_equal(d->put(d->ctx, TABLE_BLOCKS, key, 12, "more", 4), ERR_OK);
    assert_int_equal(store_commit(s, NULL), ERR_OK);
    store_close(s);
    assert_int_equal(store_open(dir, desk_key, &s, NULL), ERR_OK);
    d = store_disk(s);
    assert_int_equal(d->get(d->ctx, TABLE_BLOCKS, key, 12, &val), ERR_OK);
    assert_memory_equal(val.p, "more", 4);
    store_close(s);
    buf_free(&val);
}

#define PAGE    4096
#define FLAGS   10 /* in a page of LMDB: number 8, pad 2, flags 2, end of the list of entries 2 */
#define LIST    12
#define IS_LEAF 2
#define HEADER  16

static bool drops_an_entry;

/* The first table's page says one entry less; LMDB's count of them stays. */
static void drop_an_entry(int fd)
{
    uint16_t flags, list;
    char link[32], name[256];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n = readlink(link, name, sizeof name - 1);
    name[n > 0 ? n : 0] = '\0';
    if (!strstr(name, "data.mdb.new"))
        return; /* in a journal any page can look like a list */
    for (off_t at = 2 * PAGE; pread(fd, &flags, 2, at + FLAGS) == 2; at += PAGE)
        if (flags == IS_LEAF && pread(fd, &list, 2, at + LIST) == 2 && list > HEADER + 2) {
            list -= 2;
            assert_int_equal(pwrite(fd, &list, 2, at + LIST), 2);
            drops_an_entry = false;
            return;
        }
}

int fsync(int fd)
{
    if (drops_an_entry)
        drop_an_entry(fd);
    return (int)syscall(SYS_fsync, fd);
}

static void a_copy_that_has_not_all_of_it_is_not_taken(void **state)
{
    uint64_t before, after;

    (void)state;
    begin_anew();
    drops_an_entry = true;
    assert_int_equal(store_compact(dir, &before, &after, NULL), ERR_BUG);
    assert_false(drops_an_entry);
    assert_int_equal(check(), size);
}

static pid_t compact_elsewhere(rlim_t most)
{
    uint64_t before, after;
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit limit = { most, most };
        signal(SIGXFSZ, SIG_IGN);
        if (most != 0)
            setrlimit(RLIMIT_FSIZE, &limit);
        _exit(store_compact(dir, &before, &after, NULL) == ERR_OK ? 0 : 1);
    }
    assert_true(pid > 0);
    return pid;
}

static uint64_t us_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void killed_at_any_moment_it_leaves_a_whole_store(void **state)
{
    uint64_t began, takes;
    unsigned killed = 0;
    int st = 0;
    pid_t pid;

    (void)state;
    begin_anew();
    began = us_now();
    pid = compact_elsewhere(0);
    assert_true(waitpid(pid, &st, 0) == pid && st == 0);
    takes = us_now() - began;
    for (unsigned i = 0; i < KILLS; i++) {
        struct timespec moment = { 0, (long)(takes % 900000 * i / KILLS * 1000) };
        size_t left;
        begin_anew();
        pid = compact_elsewhere(0);
        nanosleep(&moment, NULL);
        kill(pid, SIGKILL);
        assert_int_equal(waitpid(pid, &st, 0), pid);
        killed += WIFSIGNALED(st);
        left = check();
        assert_true(left == size || left < size / 4);
    }
    assert_true(killed > KILLS / 10);
}

static void a_full_disk_leaves_it_as_it_was(void **state)
{
    int st = 0;
    pid_t pid;

    (void)state;
    begin_anew();
    pid = compact_elsewhere(1 << 20);
    assert_true(waitpid(pid, &st, 0) == pid && WIFEXITED(st) && WEXITSTATUS(st) == 1);
    assert_int_equal(access(fresh, F_OK), -1);
    assert_int_equal(check(), size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_at_any_moment_it_leaves_a_whole_store),
        cmocka_unit_test(a_copy_that_has_not_all_of_it_is_not_taken),
        cmocka_unit_test(a_full_disk_leaves_it_as_it_was),
        cmocka_unit_test(a_loose_store_becomes_small_and_goes_on),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
