/* test_journal.c - what was committed by one flush is there, once, and no older thing is. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../store/store_int.h"

static const uint8_t desk_key[STORE_KEY_BYTES] = "canary-desk-key-0123456789abcdef";

static char dir[64], path[96];

/* ---- the disk ---- */

static bool flush_fails;
static unsigned flushes;

int fdatasync(int fd)
{
    flushes++;
    if (flush_fails) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, fd);
}

static int set_up(void **state)
{
    (void)state;
    flush_fails = false;
    strcpy(dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/tideover-journal-XXXXXX"
                                              : "/tmp/tideover-journal-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/store/journal", dir);
    return 0;
}

static int tear_down(void **state)
{
    static const char *const names[] = { "store/data.mdb", "store/lock.mdb", "store/journal",
                                         "store",          "periods",        "lock" };
    char name[128];

    (void)state;
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++) {
        snprintf(name, sizeof name, "%s/%s", dir, names[i]);
        if (unlink(name) != 0)
            rmdir(name);
    }
    return rmdir(dir);
}

static struct store *open_store(void)
{
    struct store *s = NULL;

    assert_int_equal(store_open(dir, desk_key, &s, NULL), ERR_OK);
    return s;
}

static void put(struct store *s, uint32_t number, uint32_t value, size_t len)
{
    static uint8_t bytes[DISK_VALUE_MAX];
    const struct disk *d = store_disk(s);
    uint8_t key[4];

    put_be32(key, number);
    put_be32(bytes, value);
    assert_int_equal(d->put(d->ctx, TABLE_BLOCKS, key, sizeof key, bytes, len), ERR_OK);
}

/* 0: it is not there. */
static uint32_t get(struct store *s, uint32_t number)
{
    const struct disk *d = store_disk(s);
    struct buf val = { 0 };
    uint8_t key[4];
    uint32_t value = 0;

    put_be32(key, number);
    if (d->get(d->ctx, TABLE_BLOCKS, key, sizeof key, &val) == ERR_OK)
        value = get_be32(val.p);
    buf_free(&val);
    return value;
}

static void commit(struct store *s, uint32_t number, uint32_t value)
{
    put(s, number, value, 100);
    assert_int_equal(store_commit(s, NULL), ERR_OK);
}

/* In a process that dies without closing anything. */
static void and_die(void (*work)(struct store *s))
{
    int st = 0;
    pid_t pid = fork();

    if (pid == 0) {
        work(open_store());
        _exit(7);
    }
    assert_true(pid > 0 && waitpid(pid, &st, 0) == pid);
    assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 7);
}

static void flip(off_t at)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static void is_damaged(void)
{
    struct errmsg msg = { .text = "" };
    struct store *s = NULL;
    uint64_t values;

    assert_int_equal(store_look(dir, desk_key, &values, &msg), ERR_DENIED);
    assert_string_equal(msg.why, "damaged");
    msg.why[0] = '\0';
    assert_int_equal(store_open(dir, desk_key, &s, &msg), ERR_DENIED);
    assert_string_equal(msg.why, "damaged");
    assert_null(s);
}

static void is_sound(void)
{
    uint64_t values;

    assert_int_equal(store_look(dir, desk_key, &values, NULL), ERR_OK);
}

/* ---- what a commit costs, and keeps ---- */

static void a_small_commit_is_flushed_once(void **state)
{
    struct store *s = open_store();

    (void)state;
    commit(s, 1,
           1); /* the first one of a process goes to LMDB: it shows that this can be written */
    flushes = 0;
    for (uint32_t i = 0; i < 20; i++)
        commit(s, 2, i + 1);
    assert_int_equal(flushes, 20);
    put(s, 3, 3, 200000);
    assert_int_equal(store_commit(s, NULL), ERR_OK);
    assert_int_equal(flushes, 21); /* to LMDB, which flushes its meta page by O_DSYNC */
    assert_int_equal(store_commit(s, NULL), ERR_OK);
    assert_int_equal(flushes, 21); /* nothing to write */
    store_close(s);
}

static void two_thousand_commits(struct store *s)
{
    const struct disk *d = store_disk(s);
    uint8_t key[4];

    for (uint32_t i = 1; i <= 2000; i++) {
        put_be32(key, i - 5);
        if (i % 10 == 0 && d->del(d->ctx, TABLE_BLOCKS, key, sizeof key) != ERR_OK)
            _exit(1);
        put(s, i, i, 100 + i % 3 * 4000);
        if (store_commit(s, NULL) != ERR_OK)
            _exit(1);
    }
}

static void a_death_loses_nothing_and_brings_nothing_back(void **state)
{
    struct store *s;

    (void)state;
    and_die(two_thousand_commits);
    is_sound();
    s = open_store();
    for (uint32_t i = 1; i <= 2000; i++)
        assert_int_equal(get(s, i), i % 10 == 5 ? 0 : i);
    store_close(s);
}

static void keys_and_commits(struct store *s)
{
    uint64_t end = gate_now_ms() + 700;

    for (uint32_t i = 0; gate_now_ms() < end; i++)
        if (store_period_begin(s, NULL) != ERR_OK ||
            (put(s, i % 50, i, 20000), store_commit(s, NULL)) != ERR_OK)
            _exit(1);
}

/* A node whose store is in doubt goes on writing; what moves under the look is no damage. */
static void what_is_written_while_it_is_looked_at_is_sound(void **state)
{
    int st = 0;
    pid_t pid;

    (void)state;
    store_close(open_store());
    if ((pid = fork()) == 0) {
        keys_and_commits(open_store());
        _exit(7);
    }
    while (waitpid(pid, &st, WNOHANG) == 0)
        is_sound();
    assert_true(WIFEXITED(st) && WEXITSTATUS(st) == 7);
}

static void older_rounds(struct store *s)
{
    for (uint32_t i = 1; i <= 100; i++)
        commit(s, 1, i);
    if (store_settle(s, NULL) != ERR_OK)
        _exit(1);
    commit(s, 1, 1000); /* over the first entry of the round before; the others still stand there */
    commit(s, 1, 1001);
}

static void entries_of_older_rounds_are_not_taken(void **state)
{
    struct store *s;

    (void)state;
    and_die(older_rounds);
    is_sound();
    s = open_store();
    assert_int_equal(get(s, 1), 1001);
    store_close(s);
}

static void a_snapshot_has_what_was_settled(void **state)
{
    struct store *s = open_store();
    struct store_reader *r = NULL;
    const struct disk *d;
    struct buf val = { 0 };
    uint8_t key[4] = { 0, 0, 0, 1 };

    (void)state;
    commit(s, 1, 1);
    commit(s, 1, 2);
    assert_int_equal(store_settle(s, NULL), ERR_OK);
    assert_int_equal(store_reader_open(s, &r, NULL), ERR_OK);
    d = store_reader_disk(r);
    assert_int_equal(d->get(d->ctx, TABLE_BLOCKS, key, sizeof key, &val), ERR_OK);
    assert_int_equal(get_be32(val.p), 2);
    buf_free(&val);
    store_reader_close(r);
    store_close(s);
}

static void an_aborted_batch_leaves_the_ones_before(void **state)
{
    struct store *s = open_store();

    (void)state;
    commit(s, 1, 1);
    commit(s, 2, 2);
    put(s, 2, 3, 100);
    put(s, 3, 3, 100);
    store_abort(s);
    assert_int_equal(get(s, 2), 2);
    assert_int_equal(get(s, 3), 0);
    commit(s, 4, 4);
    store_close(s);
    s = open_store();
    for (uint32_t i = 1; i <= 4; i++)
        assert_int_equal(get(s, i), i == 3 ? 0 : i);
    store_close(s);
}

/* ---- a disk that fails ---- */

static void fail_and_die(struct store *s)
{
    commit(s, 1, 1);
    commit(s, 2, 2);
    put(s, 3, 3, 100);
    flush_fails = true;
    if (store_commit(s, NULL) != ERR_DISK)
        _exit(1);
    flush_fails = false;
    if (store_reopen(s, NULL) != ERR_OK || get(s, 2) != 2 || get(s, 3) != 0)
        _exit(1);
}

static void what_was_refused_is_not_there_after_a_death_either(void **state)
{
    struct store *s;

    (void)state;
    and_die(fail_and_die);
    s = open_store();
    assert_int_equal(get(s, 2), 2);
    assert_int_equal(get(s, 3), 0);
    store_close(s);
}

static void a_journal_that_lost_what_was_acknowledged_is_damage(void **state)
{
    struct store *s = open_store();
    struct errmsg msg = { .text = "" };

    (void)state;
    commit(s, 1, 1);
    commit(s, 2, 2);
    commit(s, 3, 3);
    put(s, 4, 4, 100);
    flush_fails = true;
    assert_int_equal(store_commit(s, NULL), ERR_DISK);
    flush_fails = false;
    flip(JOURNAL_BLOCK + 60); /* the last one acknowledged */
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(store_reopen(s, &msg), ERR_DENIED);
        assert_string_equal(msg.why, "damaged");
    }
    flip(JOURNAL_BLOCK + 60);
    assert_int_equal(store_reopen(s, &msg), ERR_OK);
    assert_int_equal(get(s, 3), 3);
    assert_int_equal(get(s, 4), 0);
    store_close(s);
}

/* As `node --look` has it open. It says when, and stays until it is killed. */
static pid_t look_on(void)
{
    int says[2];
    char byte;
    pid_t pid;

    assert_int_equal(pipe(says), 0);
    if ((pid = fork()) == 0) {
        MDB_env *env = NULL;
        char folder[96];
        alarm(60);
        snprintf(folder, sizeof folder, "%s/store", dir);
        if (mdb_env_create(&env) == 0 && mdb_env_open(env, folder, MDB_RDONLY, 0600) == 0 &&
            write(says[1], "", 1) == 1)
            pause();
        _exit(1);
    }
    close(says[1]);
    assert_int_equal(read(says[0], &byte, 1), 1);
    close(says[0]);
    return pid;
}

/* A node that ran out of memory does that. LMDB's lock is free again, or the next put hangs. */
static void a_store_that_did_not_fail_is_opened_again_as_it_was(void **state)
{
    struct store *s = open_store();
    pid_t other = look_on();
    size_t len;

    (void)state;
    alarm(30);
    commit(s, 1, 1);
    commit(s, 2, 2);
    commit(s, 3, 3);
    len = s->log.len;
    assert_int_equal(store_reopen(s, NULL), ERR_OK);
    assert_int_equal(s->log.len, len); /* not twice */
    assert_int_equal(get(s, 3), 3);
    commit(s, 4, 4);
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    store_close(s);
    alarm(0);
    s = open_store();
    for (uint32_t i = 1; i <= 4; i++)
        assert_int_equal(get(s, i), i);
    store_close(s);
}

static void a_commit_of_lmdb_that_may_be_lost_yet_leaves_the_journal(void **state)
{
    struct store *s = open_store();
    uint8_t head[8];
    int fd;

    (void)state;
    for (uint32_t i = 1; i <= 3; i++)
        commit(s, i, i);
    assert_int_equal(store_settle(s, NULL), ERR_OK);
    s->acked_round--; /* as if LMDB had refused, and was there all the same */
    s->acked_entries = 2;
    assert_int_equal(store_reopen(s, NULL), ERR_OK);
    fd = open(path, O_RDONLY);
    assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
    close(fd);
    assert_memory_equal(head, "TIDEJRNL", sizeof head);
    assert_int_equal(get(s, 3), 3);
    store_close(s);
}

/* ---- damage ---- */

static void five_commits(struct store *s)
{
    for (uint32_t i = 1; i <= 6; i++) /* the first one is in LMDB */
        commit(s, i, i);
}

static void an_entry_that_does_not_fit_is_damage_but_the_last_may_be_torn(void **state)
{
    struct store *s;

    (void)state;
    and_die(five_commits);
    for (off_t k = 0; k < 4; k++)
        for (off_t at = 0; at < 200; at += 37) {
            flip(k * JOURNAL_BLOCK + at);
            is_damaged();
            flip(k * JOURNAL_BLOCK + at);
        }
    is_sound();
    flip(4 * JOURNAL_BLOCK + 70);
    is_sound(); /* as if the power had gone while it was written */
    s = open_store();
    assert_int_equal(get(s, 5), 5);
    assert_int_equal(get(s, 6), 0);
    store_close(s);
}

static void a_journal_that_is_gone_or_cut_is_damage(void **state)
{
    struct store *s;

    (void)state;
    and_die(five_commits);
    assert_int_equal(truncate(path, JOURNAL_BYTES - 1), 0);
    is_damaged();
    assert_int_equal(truncate(path, JOURNAL_BYTES), 0);
    is_sound();
    s = open_store();
    commit(s, 7, 7);
    store_close(s);
    assert_int_equal(unlink(path), 0);
    is_damaged();
}

static void a_store_that_fell_behind_its_journal_is_damage(void **state)
{
    static uint8_t whole[JOURNAL_BYTES];
    struct store *s;
    int fd;

    (void)state;
    and_die(five_commits);
    fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, whole, sizeof whole, 0), sizeof whole);
    put_be64(whole + 8, get_be64(whole + 8) + 1);
    assert_int_equal(pwrite(fd, whole, sizeof whole, 0), sizeof whole);
    is_damaged();
    put_be64(whole + 8, get_be64(whole + 8) - 1);
    assert_int_equal(pwrite(fd, whole, sizeof whole, 0), sizeof whole);
    close(fd);
    s = open_store();
    assert_int_equal(get(s, 6), 6);
    store_close(s);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_small_commit_is_flushed_once),
        T(a_death_loses_nothing_and_brings_nothing_back),
        T(what_is_written_while_it_is_looked_at_is_sound),
        T(entries_of_older_rounds_are_not_taken),
        T(a_snapshot_has_what_was_settled),
        T(an_aborted_batch_leaves_the_ones_before),
        T(what_was_refused_is_not_there_after_a_death_either),
        T(a_journal_that_lost_what_was_acknowledged_is_damage),
        T(a_store_that_did_not_fail_is_opened_again_as_it_was),
        T(a_commit_of_lmdb_that_may_be_lost_yet_leaves_the_journal),
        T(an_entry_that_does_not_fit_is_damage_but_the_last_may_be_torn),
        T(a_journal_that_is_gone_or_cut_is_damage),
        T(a_store_that_fell_behind_its_journal_is_damage),
    };

    return cmocka_run_group_tests_name("journal", tests, NULL, NULL);
}
