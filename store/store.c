/* store.c - opening and closing: who may, with which key, and what stands in which file. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_int.h"

/* ---- the state directory ---- */

static enum err take_lock(int dir_fd, int *lock_fd, struct errmsg *msg)
{
    *lock_fd = openat(dir_fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (*lock_fd < 0)
        return err_errno(msg, errno, "make the lock of the state directory");
    if (flock(*lock_fd, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    if (errno == EWOULDBLOCK)
        return err_why(msg, ERR_BUSY, "in_use", "",
                       "another tideover node is using this state directory");
    return err_errno(msg, errno, "lock the state directory");
}

enum err store_lock(const char *dir, int *lock_fd, struct errmsg *msg)
{
    int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err e;

    if (dir_fd < 0)
        return err_errno(msg, errno, "open the state directory");
    e = take_lock(dir_fd, lock_fd, msg);
    close(dir_fd);
    if (e != ERR_OK && *lock_fd >= 0)
        close(*lock_fd);
    return e;
}

void store_unlock(int lock_fd)
{
    flock(lock_fd, LOCK_UN); /* a forked child may still hold the descriptor */
    close(lock_fd);
}

enum err store_open_dir(struct store *s, const char *dir, struct errmsg *msg)
{
    char *full;
    size_t n;

    s->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return err_errno(msg, errno, "open the state directory");
    if ((full = realpath(dir, NULL)) == NULL) /* a daemon may leave its working directory */
        return err_errno(msg, errno, "find the state directory");
    n = strlen(full) + sizeof "/store";
    if ((s->env_path = malloc(n)) != NULL)
        snprintf(s->env_path, n, "%s/store", full);
    free(full);
    return s->env_path ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");
}

static enum err make_folder(struct store *s, struct errmsg *msg)
{
    if (mkdirat(s->dir_fd, "store", 0700) != 0 && errno != EEXIST)
        return err_errno(msg, errno, "make the folder of the store");
    unlinkat(s->dir_fd, "store/" STORE_FRESH, 0); /* of a copy that was cut short */
    return ERR_OK;
}

/* ---- the keys ---- */

static enum err first_period(struct store *s, struct errmsg *msg)
{
    if ((s->ring = ring_with_fresh(NULL)) == NULL)
        return err_set(msg, ERR_NOMEM, "no memory for the period keys");
    return periods_save(s->dir_fd, s->desk_key, s->ring, msg);
}

static enum err other_key(struct errmsg *msg)
{
    return err_why(msg, ERR_DENIED, "wrong_key", "", "this store belongs to another desk key");
}

static enum err damaged(struct errmsg *msg, const char *what)
{
    return err_why(msg, ERR_DENIED, "damaged", "", "%s", what);
}

/* With the desk key, or with one a few erasures later, which it then becomes: erasing was cut short
 * before the desk's key file was written. */
enum err store_load_periods(struct store *s, unsigned *step, struct errmsg *msg)
{
    uint8_t key[STORE_KEY_BYTES];
    enum err e = ERR_DENIED;

    memcpy(key, s->desk_key, sizeof key);
    for (*step = 0; *step <= KEY_STEPS && e == ERR_DENIED; ++*step) {
        if ((e = periods_load(s->dir_fd, key, &s->ring, msg)) == ERR_OK)
            break;
        key_next(key);
    }
    if (e == ERR_OK)
        memcpy(s->desk_key, key, sizeof key);
    sodium_memzero(key, sizeof key);
    return e;
}

/* Two things open with the desk key: periods and the check value. If neither does, it is the
 * wrong key; if one does, the other is damaged. Nothing is written before that is known. */
static enum err unlock(struct store *s, struct errmsg *msg)
{
    unsigned check_step, step;
    enum check check;
    enum err had, e;

    if ((e = env_check(s, &check, &check_step, msg)) != ERR_OK)
        return e;
    had = store_load_periods(s, &step, msg);
    if (had != ERR_OK && had != ERR_NOFILE && had != ERR_DENIED)
        return had;
    switch (check) {
    case CHECK_FRESH: /* with periods: a first start that was cut short */
        if (had == ERR_DENIED)
            return other_key(msg);
        break;
    case CHECK_GOOD:
        if (had == ERR_NOFILE)
            return damaged(msg, "the file periods is missing: without it the store cannot be read");
        if (had == ERR_DENIED)
            return damaged(msg, "the file periods is damaged: without it the store cannot be read");
        break;
    case CHECK_BAD:
        return had == ERR_OK ? damaged(msg, "the store is damaged: its check value does not open")
                             : other_key(msg);
    }
    periods_drop_leftover(s->dir_fd);
    if (had == ERR_NOFILE && (e = first_period(s, msg)) != ERR_OK)
        return e;
    if ((e = env_tables(s, check == CHECK_FRESH, msg)) != ERR_OK)
        return e;
    return check == CHECK_GOOD && check_step != step ? env_check_renew(s, s->desk_key, msg)
                                                     : ERR_OK;
}

/* ---- open, close, reopen ---- */

/* LMDB opens a large file with a map that just holds it. */
static void grow_early(struct store *s)
{
    if (s->used_bytes > s->grow_at)
        env_grow(s, NULL); /* refused: batches are refused when the map is full */
}

enum err store_new(const uint8_t desk_key[STORE_KEY_BYTES], struct store **out, struct errmsg *msg)
{
    struct store *s;

    if (sodium_init() < 0)
        return err_set(msg, ERR_BUG, "libsodium does not start");
    if ((s = calloc(1, sizeof *s)) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    s->dir_fd = s->lock_fd = s->journal.fd = -1;
    batch_init(s);
    if (!gate_init(&s->gate)) {
        free(s);
        return err_set(msg, ERR_NOMEM, "out of memory");
    }
    if ((s->desk_key = sodium_malloc(STORE_KEY_BYTES)) == NULL) {
        store_close(s);
        return err_set(msg, ERR_NOMEM, "no memory for the desk key");
    }
    memcpy(s->desk_key, desk_key, STORE_KEY_BYTES);
    *out = s;
    return ERR_OK;
}

enum err store_open(const char *dir, const uint8_t desk_key[STORE_KEY_BYTES], struct store **out,
                    struct errmsg *msg)
{
    struct store *s = NULL;
    enum err e = store_new(desk_key, &s, msg);

    if (e != ERR_OK)
        return e;
    if ((e = store_open_dir(s, dir, msg)) != ERR_OK ||
        (e = take_lock(s->dir_fd, &s->lock_fd, msg)) != ERR_OK ||
        (e = make_folder(s, msg)) != ERR_OK || (e = env_open(s, msg)) != ERR_OK ||
        (e = unlock(s, msg)) != ERR_OK) {
        store_close(s);
        return e;
    }
    s->acked_txn = s->last_txn;
    grow_early(s);
    if ((e = batch_recover(s, false, msg)) != ERR_OK) {
        store_fail(s, e); /* half of the journal is not written */
        store_close(s);
        return e;
    }
    *out = s;
    return ERR_OK;
}

void store_close(struct store *s)
{
    if (s == NULL)
        return;
    assert(s->gate.inside == 0); /* readers are closed first */
    batch_close(s);
    env_close(s);
    ring_free(s->ring);
    sodium_free(s->desk_key);
    if (s->lock_fd >= 0)
        store_unlock(s->lock_fd);
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    free(s->env_path);
    gate_destroy(&s->gate);
    free(s);
}

static enum err open_again(struct store *s, struct errmsg *msg)
{
    enum check check;
    unsigned step;
    enum err e;

    batch_leave(s); /* also when nothing failed: LMDB may not be closed under a transaction */
    env_close(s);
    if ((e = env_open(s, msg)) != ERR_OK || (e = env_check(s, &check, &step, msg)) != ERR_OK)
        return e;
    if (check != CHECK_GOOD)
        return damaged(msg, "the store is damaged: its check value does not open");
    if (s->last_txn < s->acked_txn)
        return damaged(msg, "the disk lost what it had acknowledged");
    return env_tables(s, false, msg);
}

enum err store_reopen(struct store *s, struct errmsg *msg)
{
    enum err e;

    store_abort(s);
    if (!gate_shut(&s->gate, SHUT_PATIENCE_MS))
        return err_set(msg, ERR_BUSY, "a reader keeps its snapshot of the store");
    if ((e = open_again(s, msg)) == ERR_OK) {
        s->failed = ERR_OK;
    } else {
        env_close(s);
        if (!s->failed) {
            err_set(&s->failure, e, "the store could not be opened again");
            store_fail(s, e);
        }
    }
    gate_open(&s->gate);
    if (e != ERR_OK)
        return e;
    grow_early(s);
    if ((e = batch_recover(s, true, &s->failure)) != ERR_OK) {
        store_fail(s, e);
        if (msg != NULL)
            *msg = s->failure;
    }
    return e;
}

/* ---- periods ---- */

void store_swap_ring(struct store *s, struct ring *fresh)
{
    struct ring *old = s->ring;
    bool last;

    pthread_mutex_lock(&s->gate.mutex);
    s->ring = fresh;
    last = --old->refs == 0;
    pthread_mutex_unlock(&s->gate.mutex);
    if (last)
        ring_free(old);
}

enum err store_period_begin(struct store *s, struct errmsg *msg)
{
    struct ring *fresh, *old = s->ring;
    enum err e;

    if (s->failed) {
        if (msg != NULL)
            *msg = s->failure;
        return (enum err)s->failed;
    }
    if ((fresh = ring_with_fresh(old)) == NULL)
        return err_set(msg, ERR_NOMEM, "no room for another period key");
    if ((e = periods_save(s->dir_fd, s->desk_key, fresh, msg)) != ERR_OK) {
        ring_free(fresh);
        return e;
    }
    store_swap_ring(s, fresh);
    return ERR_OK;
}

uint32_t store_period(const struct store *s)
{
    return s->ring->v[s->ring->n - 1].number;
}

bool store_is_doubtful(struct store *s)
{
    return s->unopened && !atomic_exchange(&s->looked, true);
}

/* ---- numbers, for any thread ---- */

void store_stats(struct store *s, struct store_stats *out)
{
    *out = (struct store_stats){
        .map_bytes = s->map_bytes,
        .used_bytes = s->used_bytes,
        .disk_free_bytes = env_disk_free(s),
        .commits = s->commits,
        .commit_failures = s->commit_failures,
    };
}
