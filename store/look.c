/* look.c - is this store what was written? Looked through as a whole, in one snapshot, read only.
 *
 * The seals find every value that changed. What they cannot find is a value that is gone, that is
 * there and not found (a bent key in a branch page), or that will be overwritten: so LMDB's own
 * counts are compared, every key is searched for, too, and the list of free pages must be one. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "store_int.h"

#define META_VERSION_AT 20  /* in a meta page: header 16, magic 4, version 4, address 8, size 8, */
#define META_TXN_AT     144 /* two trees of 48, last page 8, commit 8 */
#define META_TRIES      100
#define JOURNAL_TRIES   20
#define LOOK_TRIES      5
#define LMDB_VERSION    1
#define FREE_DBI        0
#define FIRST_PAGE      2 /* behind the two meta pages */

static enum err damaged(struct errmsg *msg, const char *what, const char *where)
{
    return err_why(msg, ERR_DENIED, "damaged", "", "the store is damaged: %s%s", what, where);
}

/* ---- opening ---- */

/* Both meta pages of another version: a newer LMDB wrote it. One alone: a bent bit. */
static bool is_newer(int env_fd)
{
    uint32_t version[2] = { 0, 0 };
    int fd = openat(env_fd, "data.mdb", O_RDONLY | O_CLOEXEC);
    bool whole = fd >= 0;

    for (int i = 0; whole && i < 2; i++)
        whole = pread(fd, &version[i], 4, META_VERSION_AT + i * sysconf(_SC_PAGESIZE)) == 4;
    if (fd >= 0)
        close(fd);
    return whole && version[0] == version[1] && version[0] > LMDB_VERSION;
}

static bool read_commit(int fd, int page, uint64_t *out)
{
    return pread(fd, out, 8, META_TXN_AT + page * sysconf(_SC_PAGESIZE)) == 8;
}

/* Commits are numbered, and written into the two meta pages by turns: the even ones into the first.
 * A bent number would show an older state, whole in itself, as the newest. Somebody may be writing:
 * what does not fit is read again. */
static bool commits_follow(int env_fd)
{
    struct timespec moment = { 0, 1000000 };
    int fd = openat(env_fd, "data.mdb", O_RDONLY | O_CLOEXEC);
    bool good = false;

    for (int k = 0; fd >= 0 && !good && k < META_TRIES; k++) {
        uint64_t even = 0, odd = 0, again = 1;
        good = read_commit(fd, 0, &even) && read_commit(fd, 1, &odd) &&
               read_commit(fd, 0, &again) && again == even && even % 2 == 0 &&
               (odd == even + 1 || odd + 1 == even || odd + even == 0);
        if (!good)
            nanosleep(&moment, NULL);
    }
    if (fd >= 0)
        close(fd);
    return good;
}

/* What says nothing about the file's bytes. */
static bool is_refusal(int rc)
{
    return rc == ENOSPC || rc == EDQUOT || rc == EROFS || rc == EACCES || rc == EPERM ||
           rc == EMFILE || rc == ENFILE || rc == EAGAIN;
}

static enum err open_env(struct store *s, int env_fd, struct errmsg *msg)
{
    enum err e = env_fill_lock_file(env_fd, msg);
    int rc;

    if (e != ERR_OK)
        return e;
    if ((rc = mdb_env_create(&s->env)) != 0) {
        s->env = NULL;
        return err_lmdb(msg, rc, "look through the store");
    }
    if ((rc = mdb_env_set_mapsize(s->env, STORE_MAP_BYTES)) == 0 &&
        (rc = mdb_env_set_maxdbs(s->env, DBS_MAX)) == 0 &&
        (rc = mdb_env_set_maxreaders(s->env, READERS_MAX)) == 0)
        rc = mdb_env_open(s->env, s->env_path, MDB_NOTLS | MDB_RDONLY, 0600);
    if (rc == 0)
        return commits_follow(env_fd) ? ERR_OK
                                      : damaged(msg, "its two newest commits do not follow", "");
    if (rc == ENOENT) /* no file, or one without a byte */
        return err_set(msg, ERR_MISSING, "there is no store yet");
    if (is_refusal(rc) || (rc == MDB_VERSION_MISMATCH && is_newer(env_fd)))
        return err_lmdb(msg, rc, "look through the store");
    return damaged(msg, "LMDB cannot open it", "");
}

/* ---- LMDB's own books ---- */

/* Two cursors of one tree: one walks, the other searches. (mdb_get() will not do: the list of free
 * pages is none of the user's.) */
struct walk {
    MDB_cursor *step, *search;
};

static void walk_end(struct walk *w)
{
    if (w->step != NULL)
        mdb_cursor_close(w->step);
    if (w->search != NULL)
        mdb_cursor_close(w->search);
    *w = (struct walk){ NULL, NULL };
}

static bool walk_begin(struct walk *w, MDB_txn *txn, MDB_dbi dbi)
{
    *w = (struct walk){ NULL, NULL };
    if (mdb_cursor_open(txn, dbi, &w->step) == 0 && mdb_cursor_open(txn, dbi, &w->search) == 0)
        return true;
    walk_end(w);
    return false;
}

static bool is_found(struct walk *w, const MDB_val *k, const MDB_val *v)
{
    MDB_val key = *k, found;

    return mdb_cursor_get(w->search, &key, &found, MDB_SET) == 0 && found.mv_data == v->mv_data;
}

/* Each entry: of which commit; how many pages, then their numbers, falling. No page is free twice.
 */
static enum err look_at_free(struct walk *w, size_t pages, uint8_t *seen, struct errmsg *msg)
{
    static const char what[] = "its list of free pages makes no sense";
    size_t commit = 0;
    MDB_val k, v;
    int rc;

    while ((rc = mdb_cursor_get(w->step, &k, &v, MDB_NEXT)) == 0) {
        const uint8_t *p = v.mv_data;
        size_t n = 0, page, before = commit, last = pages;
        if (v.mv_size < sizeof n || k.mv_size != sizeof commit)
            return damaged(msg, what, "");
        memcpy(&n, p, sizeof n);
        memcpy(&commit, k.mv_data, sizeof commit);
        if (commit <= before || n > v.mv_size / sizeof n - 1 || !is_found(w, &k, &v))
            return damaged(msg, what, "");
        for (size_t i = 1; i <= n; i++) {
            memcpy(&page, p + i * sizeof page, sizeof page);
            if (page < FIRST_PAGE || page >= last || (seen[page / 8] >> page % 8 & 1))
                return damaged(msg, what, "");
            seen[page / 8] |= (uint8_t)(1 << page % 8);
            last = page;
        }
    }
    return rc == MDB_NOTFOUND ? ERR_OK : damaged(msg, what, "");
}

static enum err look_free(MDB_env *env, MDB_txn *txn, struct errmsg *msg)
{
    MDB_envinfo info;
    struct walk w;
    uint8_t *seen;
    enum err e;

    mdb_env_info(env, &info);
    if ((seen = calloc(info.me_last_pgno / 8 + 1, 1)) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    if (!walk_begin(&w, txn, FREE_DBI))
        e = damaged(msg, "LMDB cannot read it", "");
    else
        e = look_at_free(&w, info.me_last_pgno + 1, seen, msg);
    walk_end(&w);
    free(seen);
    return e;
}

/* ---- the tables ---- */

static bool is_after(const MDB_val *k, const uint8_t *last, size_t n)
{
    int order = memcmp(k->mv_data, last, k->mv_size < n ? k->mv_size : n);

    return order > 0 || (order == 0 && k->mv_size > n);
}

static bool opens(const struct store *s, const struct place *at, const MDB_val *v, struct buf *val)
{
    const uint8_t *key;
    uint8_t *out;

    buf_reset(val);
    return v->mv_size >= SEAL_EXTRA && v->mv_size <= DISK_VALUE_MAX + SEAL_EXTRA &&
           (key = ring_key(s->ring, get_be32(v->mv_data))) != NULL &&
           (out = buf_grow(val, v->mv_size)) != NULL &&
           seal_unseal(out, key, at, v->mv_data, v->mv_size);
}

static enum err look_values(const struct store *s, struct walk *w, enum table t, uint64_t *n,
                            struct buf *val, struct errmsg *msg)
{
    uint8_t last[DISK_KEY_MAX];
    size_t last_len = 0;
    MDB_val k, v;
    int rc;

    while ((rc = mdb_cursor_get(w->step, &k, &v, MDB_NEXT)) == 0) {
        struct place at = { table_rows[t].number, k.mv_data, k.mv_size };
        if (k.mv_size == 0 || k.mv_size > sizeof last || !is_after(&k, last, last_len) ||
            !is_found(w, &k, &v))
            return damaged(msg, "keys out of order in table ", table_rows[t].name);
        memcpy(last, k.mv_data, last_len = k.mv_size);
        if (!opens(s, &at, &v, val))
            return damaged(msg, "a value does not open in table ", table_rows[t].name);
        ++*n;
    }
    return rc == MDB_NOTFOUND ? ERR_OK
                              : damaged(msg, "LMDB stumbles in table ", table_rows[t].name);
}

static enum err look_table(const struct store *s, MDB_txn *txn, enum table t, uint64_t *values,
                           struct errmsg *msg)
{
    struct buf val = { 0 };
    struct walk w;
    MDB_stat st;
    MDB_dbi dbi;
    uint64_t n = 0;
    enum err e;
    int rc = mdb_dbi_open(txn, table_rows[t].name, 0, &dbi);

    if (rc == MDB_NOTFOUND && t > TABLE_SLOTS) /* younger than this store */
        return ERR_OK;
    if (rc != 0 || mdb_stat(txn, dbi, &st) != 0 || !walk_begin(&w, txn, dbi))
        return damaged(msg, "LMDB does not find table ", table_rows[t].name);
    e = look_values(s, &w, t, &n, &val, msg);
    if (e == ERR_OK && n != st.ms_entries)
        e = damaged(msg, "values are missing in table ", table_rows[t].name);
    *values += n;
    walk_end(&w);
    buf_wipe(&val);
    return e;
}

/* ---- the journal: commits that LMDB does not have yet ---- */

static enum err look_ops(const struct store *s, const uint8_t *p, const uint8_t *end,
                         uint64_t *values, struct buf *val, struct errmsg *msg)
{
    uint32_t newest = s->ring->v[s->ring->n - 1].number;

    for (struct op op; p < end; ++*values) {
        if (!op_get(&p, end, &op))
            return damaged(msg, "an entry of its journal does not parse", "");
        if (op.del || (op.len >= 4 && get_be32(op.box) > newest)) /* a period that began since */
            continue;
        if (!opens(s, &(struct place){ table_rows[op.table].number, op.key, op.n },
                   &(MDB_val){ op.len, (void *)op.box }, val))
            return damaged(msg, "a value of its journal does not open", "");
    }
    return ERR_OK;
}

static enum err read_round(struct store *s, uint64_t *round, struct errmsg *msg)
{
    MDB_txn *txn = NULL;
    MDB_dbi own;
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

    if (rc == MDB_MAP_RESIZED && (rc = mdb_env_set_mapsize(s->env, 0)) == 0) /* the writer's grew */
        rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);
    if (rc == 0 && (rc = mdb_dbi_open(txn, "store", 0, &own)) == 0)
        rc = env_get_round(txn, own, round);
    mdb_txn_abort(txn);
    return rc == 0 ? ERR_OK : damaged(msg, "the round of its journal cannot be read", "");
}

static enum err look_entries(struct store *s, uint64_t *values, struct errmsg *msg)
{
    struct buf all = { 0 }, val = { 0 };
    const uint8_t *ops;
    uint64_t round = 0;
    size_t n;
    enum err e = read_round(s, &round, msg);

    if (e != ERR_OK || round == 0)
        return e;
    journal_begin(&s->journal, round);
    if ((e = journal_open(&s->journal, s->env_path, false, msg)) == ERR_OK)
        e = journal_load(&s->journal, &all, msg);
    while (e == ERR_OK && (e = journal_next(&s->journal, &all, &ops, &n, msg)) == ERR_OK)
        e = look_ops(s, ops, ops + n, values, &val, msg);
    buf_free(&all);
    buf_wipe(&val);
    return e == ERR_MISSING ? ERR_OK : e;
}

/* Somebody may be writing: what does not fit is read again. */
static enum err look_journal(struct store *s, uint64_t *values, struct errmsg *msg)
{
    struct timespec moment = { 0, 1000000 };
    enum err e = look_entries(s, values, msg);

    for (int k = 0; k < JOURNAL_TRIES && e == ERR_DENIED; k++) {
        nanosleep(&moment, NULL);
        e = look_entries(s, values, msg);
    }
    return e;
}

static enum err look_all(struct store *s, uint64_t *values, struct errmsg *msg)
{
    MDB_txn *txn = NULL;
    enum err e;

    if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn) != 0)
        return damaged(msg, "LMDB cannot read it", "");
    e = look_free(s->env, txn, msg);
    for (unsigned t = 0; t < TABLE_COUNT && e == ERR_OK; t++)
        e = look_table(s, txn, (enum table)t, values, msg);
    mdb_txn_abort(txn);
    return e == ERR_OK ? look_journal(s, values, msg) : e;
}

/* As store_open() judges (store.c, unlock). */
static enum err look_keys(struct store *s, struct errmsg *msg)
{
    unsigned check_step, step;
    enum check check;
    enum err e, had;

    if ((e = env_check(s, &check, &check_step, msg)) != ERR_OK)
        return e == ERR_MALFORMED ? e : damaged(msg, "LMDB cannot read it", "");
    had = store_load_periods(s, &step, msg);
    if (had != ERR_OK && had != ERR_NOFILE && had != ERR_DENIED)
        return had;
    switch (check) {
    case CHECK_FRESH:
        return had == ERR_DENIED ? damaged(msg, "it is empty, and periods does not open", "")
                                 : err_set(msg, ERR_MISSING, "there is no store yet");
    case CHECK_BAD:
        return had == ERR_OK ? damaged(msg, "its check value does not open", "")
                             : err_why(msg, ERR_DENIED, "wrong_key", "",
                                       "this store belongs to another desk key");
    case CHECK_GOOD:
        break;
    }
    return had == ERR_OK ? ERR_OK : damaged(msg, "the file periods is gone, or does not open", "");
}

bool store_periods_open(const char *dir, const uint8_t desk_key[STORE_KEY_BYTES])
{
    struct store *s = NULL;
    unsigned step;
    enum err e;

    if (store_new(desk_key, &s, NULL) != ERR_OK)
        return false;
    if ((e = store_open_dir(s, dir, NULL)) == ERR_OK)
        e = store_load_periods(s, &step, NULL);
    store_close(s);
    return e == ERR_OK || e == ERR_NOFILE;
}

/* What changes while somebody writes: the newest commit, and the file of the keys. */
struct moving {
    size_t commit;
    ino_t periods;
};

static struct moving moving_now(const struct store *s)
{
    struct moving now = { 0, 0 };
    MDB_envinfo info;
    struct stat st;

    if (s->env != NULL && mdb_env_info(s->env, &info) == 0)
        now.commit = info.me_last_txnid;
    if (fstatat(s->dir_fd, "periods", &st, 0) == 0)
        now.periods = st.st_ino;
    return now;
}

static enum err look_once(const char *dir, const uint8_t desk_key[STORE_KEY_BYTES],
                          uint64_t *values, bool *moved, struct errmsg *msg)
{
    struct store *s = NULL;
    struct moving before, after;
    enum err e = store_new(desk_key, &s, msg);
    int env_fd = -1;

    *values = 0;
    *moved = false;
    if (e != ERR_OK)
        return e;
    if ((e = store_open_dir(s, dir, msg)) == ERR_OK &&
        (env_fd = open(s->env_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        e = errno == ENOENT ? err_set(msg, ERR_MISSING, "there is no store yet")
                            : err_errno(msg, errno, "open the folder of the store");
    if (e == ERR_OK && (e = open_env(s, env_fd, msg)) == ERR_OK) {
        before = moving_now(s);
        if ((e = look_keys(s, msg)) == ERR_OK)
            e = look_all(s, values, msg);
        after = moving_now(s);
        *moved = before.commit != after.commit || before.periods != after.periods;
    }
    if (env_fd >= 0)
        close(env_fd);
    store_close(s);
    return e;
}

/* Over a node that goes on writing: its keys, its map and its journal may be others than a moment
 * before. What moved is not called damaged before it was looked at again. */
enum err store_look(const char *dir, const uint8_t desk_key[STORE_KEY_BYTES], uint64_t *values,
                    struct errmsg *msg)
{
    bool moved;
    enum err e = look_once(dir, desk_key, values, &moved, msg);

    for (int k = 0; k < LOOK_TRIES && e == ERR_DENIED && moved; k++)
        e = look_once(dir, desk_key, values, &moved, msg);
    return e;
}
