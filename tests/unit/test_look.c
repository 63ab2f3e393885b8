/* test_look.c - no damage of the store goes unseen and changes what is read; the spare roster. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "../branch.h"
#include "../../store/store_int.h"
#include "spare.h"

#define FLIPS 1000
#define PAGE  4096

enum fate { SEEN, HARMLESS, UNSEEN, BROKEN };

static const uint8_t desk_key[STORE_KEY_BYTES] = "canary-desk-key-0123456789abcdef";

static char dir[64], data[96];
static off_t size;
static uint8_t digest[32]; /* of all that the sound store holds */

/* ---- the store: all that a search finds ---- */

static void digest_of(const struct disk *d, uint8_t out[32])
{
    crypto_generichash_state st;
    struct buf val = { 0 };

    crypto_generichash_init(&st, NULL, 0, 32);
    for (unsigned t = 0; t < TABLE_COUNT; t++) {
        uint8_t key[DISK_KEY_MAX + 1];
        size_t n = 1;
        key[0] = 0;
        while (d->seek(d->ctx, (enum table)t, key, n, 1, key, &n, &val) == ERR_OK) {
            crypto_generichash_update(&st, key, n);
            crypto_generichash_update(&st, val.p, val.len);
            key[n++] = 0; /* the next one behind it */
        }
    }
    crypto_generichash_final(&st, out, 32);
    buf_free(&val);
}

/* Many commits, values of a few bytes to many pages, some of them taken back: free pages, too. */
static void fill(struct store *s)
{
    const struct disk *d = store_disk(s);
    static uint8_t value[20000];

    for (uint32_t i = 0; i < 240; i++) {
        uint8_t key[12] = { 0 };
        put_be32(key, 1 + i / 20);
        put_be32(key + 8, i);
        randombytes_buf(value, sizeof value);
        assert_int_equal(d->put(d->ctx, TABLE_BLOCKS, key, 12, value, i % 17 ? 300 : 20000),
                         ERR_OK);
        put_be32(key, i);
        assert_int_equal(d->put(d->ctx, (enum table)(i % 4), key, 4, value, 60), ERR_OK);
        if (i % 5 == 4)
            assert_int_equal(
                d->del(d->ctx, (enum table)((i - 3) % 4), (put_be32(key, i - 3), key), 4), ERR_OK);
        if (i % 3 == 0)
            assert_int_equal(store_commit(s, NULL), ERR_OK);
    }
    assert_int_equal(store_commit(s, NULL), ERR_OK);
    digest_of(d, digest);
}

static int set_up(void **state)
{
    struct store *s = NULL;
    struct stat st;

    (void)state;
    strcpy(dir, "/tmp/tideover-look-XXXXXX");
    if (mkdtemp(dir) == NULL || store_open(dir, desk_key, &s, NULL) != ERR_OK)
        return -1;
    fill(s);
    store_close(s);
    snprintf(data, sizeof data, "%s/store/data.mdb", dir);
    if (stat(data, &st) != 0)
        return -1;
    size = st.st_size;
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "store/data.mdb", "store/lock.mdb", "store/journal",
                                         "store",          "periods",        "lock",
                                         "roster" };
    char path[128];

    (void)state;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        if (unlink(path) != 0)
            rmdir(path);
    }
    return rmdir(dir);
}

/* ---- looking, in a process that may die of it ---- */

static enum fate look_and_read(void)
{
    struct store *s = NULL;
    uint8_t now[32];
    uint64_t values;

    if (store_look(dir, desk_key, &values, NULL) != ERR_OK)
        return SEEN;
    if (store_open(dir, desk_key, &s, NULL) != ERR_OK)
        return UNSEEN;
    digest_of(store_disk(s), now);
    store_close(s);
    return memcmp(now, digest, sizeof now) == 0 ? HARMLESS : UNSEEN;
}

static enum fate fate_of_the_store(void)
{
    int st = 0;
    pid_t pid = fork();

    if (pid == 0) {
        static const int deaths[] = { SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL };
        struct rlimit none = { 0, 0 };
        for (unsigned i = 0; i < sizeof deaths / sizeof deaths[0]; i++)
            signal(deaths[i], SIG_DFL); /* cmocka's would go on with the tests, here */
        setrlimit(RLIMIT_CORE, &none);
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(BROKEN);
        alarm(20);
        _exit(10 + look_and_read());
    }
    if (pid < 0 || waitpid(pid, &st, 0) != pid || (WIFSIGNALED(st) && WTERMSIG(st) == SIGALRM))
        return BROKEN;
    if (WIFSIGNALED(st) || WEXITSTATUS(st) < 10) /* a sanitizer's last word is its exit code */
        return SEEN;
    return (enum fate)(WEXITSTATUS(st) - 10);
}

static void flip(off_t at, uint8_t mask)
{
    int fd = open(data, O_RDWR);
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= mask;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void a_sound_store_is_sound(void **state)
{
    uint64_t values = 0;

    (void)state;
    assert_int_equal(store_look(dir, desk_key, &values, NULL), ERR_OK);
    assert_true(values > 300);
    assert_int_equal(fate_of_the_store(), HARMLESS);
}

static void no_bent_bit_goes_unseen_and_changes_what_is_read(void **state)
{
    unsigned seen = 0;
    const char *seed = getenv("TIDEOVER_SEED");
    uint64_t dice = seed ? strtoull(seed, NULL, 10) : 1;

    (void)state;
    for (unsigned i = 0; i < FLIPS; i++) {
        enum fate fate;
        off_t at;
        uint8_t mask;
        dice = dice * 6364136223846793005u + 1442695040888963407u;
        mask = (uint8_t)(1 << (dice >> 60 & 7));
        at = i % 4 == 0
                 ? (off_t)(dice >> 33 & 1) * PAGE + (off_t)(dice >> 34) % 160 /* a meta page */
                 : (off_t)((dice >> 20) % (uint64_t)size);
        flip(at, mask);
        fate = fate_of_the_store();
        flip(at, mask);
        if (fate != SEEN && fate != HARMLESS)
            fail_msg("seed %s: bit %#x of byte %lld: %s", seed ? seed : "1", mask, (long long)at,
                     fate == UNSEEN ? "not seen, and other values are read" : "no end");
        seen += fate == SEEN;
    }
    assert_true(seen > FLIPS / 10);
}

static void a_cut_file_is_seen_whatever_is_left(void **state)
{
    static uint8_t whole[64 << 20];
    int fd = open(data, O_RDONLY);

    (void)state;
    assert_true(size <= (off_t)sizeof whole && pread(fd, whole, (size_t)size, 0) == size);
    close(fd);
    for (off_t left = 0; left < size; left = left * 3 + 5) {
        enum fate fate;
        assert_int_equal(truncate(data, left), 0);
        fate = fate_of_the_store();
        fd = open(data, O_WRONLY | O_TRUNC);
        assert_true(pwrite(fd, whole, (size_t)size, 0) == size);
        close(fd);
        assert_int_equal(fate, SEEN);
    }
}

static void another_key_is_no_damage(void **state)
{
    static const uint8_t other[STORE_KEY_BYTES] = "another key";
    struct errmsg msg = { .text = "" };
    uint64_t values;

    (void)state;
    assert_int_equal(store_look(dir, other, &values, &msg), ERR_DENIED);
    assert_string_equal(msg.why, "wrong_key");
}

/* ---- the spare roster ---- */

static void the_spare_roster_comes_back_whole_or_not_at_all(void **state)
{
    struct branch b;
    struct spare s;
    struct buf addresses = { 0 };
    char path[96];
    struct stat st;

    (void)state;
    branch_new(&b, 3, 3);
    mp_put_array(&addresses, 1);
    mp_put_array(&addresses, 2);
    mp_put_bin(&addresses, b.desk[1].id.b, DESK_ID_BYTES);
    mp_put_str(&addresses, "10.0.0.5:7411");
    assert_int_equal(spare_read(dir, &b.desk[0], &s, NULL), ERR_NOFILE);
    assert_int_equal(spare_write(dir, &b.desk[0], b.r, &addresses, NULL), ERR_OK);
    assert_int_equal(spare_read(dir, &b.desk[0], &s, NULL), ERR_OK);
    assert_memory_equal(roster_hash(s.roster), roster_hash(b.r), HASH_BYTES);
    assert_int_equal(s.addresses.len, addresses.len);
    assert_memory_equal(s.addresses.p, addresses.p, addresses.len);
    spare_free(&s);
    assert_int_equal(spare_read(dir, &b.desk[1], &s, NULL), ERR_DENIED);

    snprintf(path, sizeof path, "%s/roster", dir);
    assert_int_equal(stat(path, &st), 0);
    snprintf(data, sizeof data, "%s", path);
    for (off_t at = 0; at < st.st_size; at += 7) {
        flip(at, 0x40);
        assert_int_equal(spare_read(dir, &b.desk[0], &s, NULL), ERR_DENIED);
        flip(at, 0x40);
    }
    assert_int_equal(truncate(path, st.st_size - 1), 0);
    assert_int_equal(spare_read(dir, &b.desk[0], &s, NULL), ERR_DENIED);
    buf_free(&addresses);
    branch_free(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_store_is_sound),
        cmocka_unit_test(no_bent_bit_goes_unseen_and_changes_what_is_read),
        cmocka_unit_test(a_cut_file_is_seen_whatever_is_left),
        cmocka_unit_test(another_key_is_no_damage),
        cmocka_unit_test(the_spare_roster_comes_back_whole_or_not_at_all),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
