/* test_forget.c - what is erased in the store stays erased, whoever keeps old copies of its files;
 * what must stay stays, at whatever system call the process dies. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
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

static const uint8_t desk_key[STORE_KEY_BYTES] = "a desk key to be replaced";

/* The k-th of these calls is the process's last; 0: none. LMDB calls them through the PLT. */
static unsigned die_at;

static void maybe_die(void)
{
    if (die_at > 0 && --die_at == 0)
        _exit(99);
}

int fdatasync(int fd)
{
    maybe_die();
    return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    maybe_die();
    return (int)syscall(SYS_fsync, fd);
}

int renameat(int a, const char *from, int b, const char *to)
{
    maybe_die();
    return (int)syscall(SYS_renameat2, a, from, b, to, 0);
}

/* ---- fixture ---- */

struct fixture {
    char dir[64], copy[72];
    struct buf val;
};

static void copy_tree(const char *from, const char *to)
{
    char line[300];

    snprintf(line, sizeof line, "rm -rf %s && cp -a %s %s", to, from, to);
    assert_int_equal(system(line), 0);
}

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    strcpy(f->dir, "/tmp/tideover-forget-XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    snprintf(f->copy, sizeof f->copy, "%s.copy", f->dir);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    char line[300];

    snprintf(line, sizeof line, "rm -rf %s %s", f->dir, f->copy);
    if (system(line) != 0)
        return -1;
    buf_free(&f->val);
    free(f);
    return 0;
}

static struct store *open_ok(const char *dir, const uint8_t *key)
{
    struct store *s = NULL;
    struct errmsg msg = { .text = "" };

    if (store_open(dir, key, &s, &msg) != ERR_OK)
        fail_msg("%s: %s", dir, msg.text);
    return s;
}

static void put(struct store *s, enum table t, uint32_t number, const char *text)
{
    const struct disk *d = store_disk(s);
    uint8_t key[4];

    put_be32(key, number);
    assert_int_equal(d->put(d->ctx, t, key, sizeof key, text, strlen(text)), ERR_OK);
}

static void del(struct store *s, enum table t, uint32_t number)
{
    const struct disk *d = store_disk(s);
    uint8_t key[4];

    put_be32(key, number);
    assert_int_equal(d->del(d->ctx, t, key, sizeof key), ERR_OK);
}

static void holds(struct store *s, enum table t, uint32_t number, const char *text)
{
    const struct disk *d = store_disk(s);
    struct buf val = { 0 };
    uint8_t key[4];

    put_be32(key, number);
    if (text == NULL) {
        assert_int_equal(d->get(d->ctx, t, key, sizeof key, &val), ERR_MISSING);
    } else {
        assert_int_equal(d->get(d->ctx, t, key, sizeof key, &val), ERR_OK);
        assert_int_equal(val.len, strlen(text));
        assert_memory_equal(val.p, text, val.len);
    }
    buf_free(&val);
}

static void commit(struct store *s)
{
    assert_int_equal(store_commit(s, NULL), ERR_OK);
}

/* 40 values over three periods in two tables; the odd ones of TABLE_BLOCKS are to go. */
static struct store *filled(const char *dir)
{
    struct store *s = open_ok(dir, desk_key);

    for (uint32_t i = 0; i < 40; i++) {
        put(s, i % 4 == 0 ? TABLE_SLOTS : TABLE_BLOCKS, i, i % 2 ? "canary" : "stays");
        commit(s);
        if (i % 15 == 14)
            assert_int_equal(store_period_begin(s, NULL), ERR_OK);
    }
    return s;
}

static void check_what_stays(struct store *s)
{
    for (uint32_t i = 0; i < 40; i += 2)
        holds(s, i % 4 == 0 ? TABLE_SLOTS : TABLE_BLOCKS, i, "stays");
}

static void delete_canaries(struct store *s)
{
    for (uint32_t i = 1; i < 40; i += 2)
        del(s, TABLE_BLOCKS, i);
    commit(s);
}

static enum err forget(struct store *s)
{
    struct errmsg msg = { .text = "" };
    enum err e = store_forget_begin(s, &msg);
    bool done = false;

    while (e == ERR_OK && !done) {
        e = store_forget_step(s, 100, &done, &msg);
        if (e == ERR_OK)
            e = store_commit(s, &msg);
    }
    return e == ERR_OK ? store_forget_end(s, &msg) : e;
}

/* ---- tests ---- */

static void an_old_copy_does_not_open_with_the_new_desk_key(void **state)
{
    struct fixture *f = *state;
    struct store *s = filled(f->dir), *old = NULL;
    uint8_t today[STORE_KEY_BYTES];
    struct errmsg msg = { .text = "" };

    store_close(s);
    copy_tree(f->dir, f->copy);
    s = open_ok(f->dir, desk_key);
    delete_canaries(s);
    assert_int_equal(forget(s), ERR_OK);
    check_what_stays(s);
    memcpy(today, store_desk_key(s), sizeof today);
    assert_memory_not_equal(today, desk_key, sizeof today);
    store_close(s);
    assert_int_equal(store_open(f->copy, today, &old, &msg), ERR_DENIED);
    assert_non_null(strstr(msg.text, "another desk key"));
    s = open_ok(f->dir, today);
    check_what_stays(s);
    holds(s, TABLE_BLOCKS, 1, NULL);
    store_close(s);
}

/* Today's data file beside yesterday's keys, and the reverse: neither yields what was erased. */
static void old_keys_and_the_old_data_file_do_not_meet_under_todays_key(void **state)
{
    struct fixture *f = *state;
    struct store *s = filled(f->dir), *mixed = NULL;
    uint8_t today[STORE_KEY_BYTES];
    struct errmsg msg = { .text = "" };
    char line[300];

    store_close(s);
    copy_tree(f->dir, f->copy);
    s = open_ok(f->dir, desk_key);
    delete_canaries(s);
    assert_int_equal(forget(s), ERR_OK);
    memcpy(today, store_desk_key(s), sizeof today);
    store_close(s);
    snprintf(line, sizeof line, "cp %s/periods %s/periods", f->dir, f->copy);
    assert_int_equal(system(line), 0);
    assert_int_equal(store_open(f->copy, today, &mixed, &msg), ERR_DENIED);
    assert_null(mixed);
}

static void no_key_goes_while_a_value_stands_under_it(void **state)
{
    struct fixture *f = *state;
    struct store *s = filled(f->dir);
    struct errmsg msg = { .text = "" };
    bool done;

    assert_int_equal(store_forget_begin(s, NULL), ERR_OK);
    assert_int_equal(store_forget_end(s, &msg), ERR_BUSY);
    assert_non_null(strstr(msg.text, "still stands under an old key"));
    assert_int_equal(store_forget_step(s, 1, &done, NULL), ERR_OK);
    assert_false(done);
    store_abort(s); /* as a refused commit does: the step was for nothing */
    do {
        assert_int_equal(store_forget_step(s, 300, &done, NULL), ERR_OK);
        commit(s);
    } while (!done);
    if (store_forget_end(s, NULL) == ERR_BUSY) { /* the aborted one: found by looking */
        do {
            assert_int_equal(store_forget_step(s, 300, &done, NULL), ERR_OK);
            commit(s);
        } while (!done);
        assert_int_equal(store_forget_end(s, NULL), ERR_OK);
    } else {
        fail_msg("the aborted step was not missed");
    }
    check_what_stays(s);
    holds(s, TABLE_BLOCKS, 1, "canary"); /* nobody deleted it */
    store_close(s);
}

static void what_is_written_meanwhile_stays(void **state)
{
    struct fixture *f = *state;
    struct store *s = filled(f->dir);
    bool done = false;

    assert_int_equal(store_forget_begin(s, NULL), ERR_OK);
    for (uint32_t i = 100; !done; i++) {
        assert_int_equal(store_forget_step(s, 100, &done, NULL), ERR_OK);
        put(s, TABLE_BLOCKS, i % 2 ? i : i - 98, "meanwhile"); /* new ones, and old ones changed */
        commit(s);
    }
    assert_int_equal(store_forget_end(s, NULL), ERR_OK);
    store_close(s);
    s = open_ok(f->dir, desk_key);
    holds(s, TABLE_BLOCKS, 101, "meanwhile");
    holds(s, TABLE_BLOCKS, 2, "meanwhile");
    holds(s, TABLE_SLOTS, 0, "stays");
    store_close(s);
}

static void a_reader_from_before_reads_on_and_then_sees_the_new(void **state)
{
    struct fixture *f = *state;
    struct store *s = filled(f->dir);
    struct store_reader *r = NULL;
    const struct disk *d;
    uint8_t key[4] = { 0, 0, 0, 1 };

    assert_int_equal(store_settle(s, NULL), ERR_OK);
    assert_int_equal(store_reader_open(s, &r, NULL), ERR_OK);
    d = store_reader_disk(r);
    delete_canaries(s);
    assert_int_equal(forget(s), ERR_OK);
    assert_int_equal(d->get(d->ctx, TABLE_BLOCKS, key, sizeof key, &f->val), ERR_OK);
    assert_int_equal(store_reader_renew(r), ERR_OK);
    assert_int_equal(d->get(d->ctx, TABLE_BLOCKS, key, sizeof key, &f->val), ERR_MISSING);
    store_reader_close(r);
    store_close(s);
}

/* Returns whether the child got to its end. */
static bool forget_until(const char *dir, unsigned k)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct store *s = NULL;
        if (store_open(dir, desk_key, &s, NULL) != ERR_OK)
            _exit(1);
        die_at = k;
        _exit(forget(s) == ERR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 99);
    return WEXITSTATUS(status) == 0;
}

static void a_death_at_any_call_loses_nothing_and_the_next_try_finishes(void **state)
{
    struct fixture *f = *state;
    struct store *s = filled(f->dir);
    bool whole = false;
    unsigned k = 0;

    delete_canaries(s);
    store_close(s);
    for (k = 1; !whole; k++) {
        uint8_t key[STORE_KEY_BYTES];
        assert_true(k < 500);
        copy_tree(f->dir, f->copy);
        whole = forget_until(f->copy, k);
        s = open_ok(f->copy, desk_key); /* the key file was not written yet */
        check_what_stays(s);
        assert_int_equal(forget(s), ERR_OK);
        memcpy(key, store_desk_key(s), sizeof key);
        store_close(s);
        s = open_ok(f->copy, key);
        check_what_stays(s);
        holds(s, TABLE_BLOCKS, 1, NULL);
        store_close(s);
    }
    assert_true(k > 8); /* it did die at many places */
}

static void a_desk_key_may_lag_a_few_erasures_behind(void **state)
{
    struct fixture *f = *state;
    struct store *s = filled(f->dir);
    struct errmsg msg = { .text = "" };

    for (unsigned i = 0; i < KEY_STEPS; i++)
        assert_int_equal(forget(s), ERR_OK);
    store_close(s);
    s = open_ok(f->dir, desk_key);
    check_what_stays(s);
    assert_int_equal(forget(s), ERR_OK);
    store_close(s);
    s = NULL;
    assert_int_equal(store_open(f->dir, desk_key, &s, &msg), ERR_DENIED);
}

int main(int argc, char **argv)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(an_old_copy_does_not_open_with_the_new_desk_key),
        T(old_keys_and_the_old_data_file_do_not_meet_under_todays_key),
        T(no_key_goes_while_a_value_stands_under_it),
        T(what_is_written_meanwhile_stays),
        T(a_reader_from_before_reads_on_and_then_sees_the_new),
        T(a_death_at_any_call_loses_nothing_and_the_next_try_finishes),
        T(a_desk_key_may_lag_a_few_erasures_behind),
    };

    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests_name("forget", tests, NULL, NULL);
}
