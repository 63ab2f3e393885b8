/* compact.c - a store's file made smaller, at a start, when most of it is free.
 *
 * LMDB uses free pages again and never gives them back. What is in use is copied into a file beside
 * it, flushed, compared, and renamed over it: a process that dies, or a power cut, at any moment
 * leaves the one or the other, each whole. LMDB trusts its file, so this is for a store that was
 * looked through (look.c), and for a process of its own that may die of it (node/damage.c). */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store_int.h"

#define WORTH_BYTES (1ull << 20) /* smaller files may stay as they are */
#define FREE_DBI    0

struct files {
    int dir_fd; /* of `store/` */
    char fresh[4200];
    MDB_env *old, *copy;
};

static enum err open_read_only(const char *path, unsigned flags, MDB_env **out, struct errmsg *msg)
{
    int rc = mdb_env_create(out);

    if (rc != 0)
        *out = NULL;
    else if ((rc = mdb_env_set_maxdbs(*out, DBS_MAX)) == 0)
        rc = mdb_env_open(*out, path, MDB_NOTLS | MDB_RDONLY | flags, 0600);
    return rc == 0 ? ERR_OK : err_lmdb(msg, rc, "open the store to make it smaller");
}

static enum err files_open(struct files *f, const char *dir, struct errmsg *msg)
{
    char path[4200];

    *f = (struct files){ .dir_fd = -1 };
    snprintf(path, sizeof path, "%s/store", dir);
    snprintf(f->fresh, sizeof f->fresh, "%s/store/" STORE_FRESH, dir);
    if ((f->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
        return err_errno(msg, errno, "open the folder of the store");
    return open_read_only(path, 0, &f->old, msg);
}

static void files_close(struct files *f)
{
    if (f->copy != NULL)
        mdb_env_close(f->copy);
    if (f->old != NULL)
        mdb_env_close(f->old);
    if (f->dir_fd >= 0)
        close(f->dir_fd);
}

/* ---- is it worth it? ---- */

static uint64_t free_pages(MDB_txn *txn)
{
    MDB_cursor *c = NULL;
    MDB_val k, v;
    uint64_t n = 0;

    if (mdb_cursor_open(txn, FREE_DBI, &c) != 0)
        return 0;
    while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0) {
        size_t count = 0;
        if (v.mv_size >= sizeof count)
            memcpy(&count, v.mv_data, sizeof count);
        n += count;
    }
    mdb_cursor_close(c);
    return n;
}

static bool is_loose(MDB_env *env)
{
    MDB_envinfo info;
    MDB_stat st;
    MDB_txn *txn = NULL;
    uint64_t pages, idle;

    mdb_env_info(env, &info);
    mdb_env_stat(env, &st);
    pages = (uint64_t)info.me_last_pgno + 1;
    if (pages * st.ms_psize < WORTH_BYTES || mdb_txn_begin(env, NULL, MDB_RDONLY, &txn) != 0)
        return false;
    idle = free_pages(txn);
    mdb_txn_abort(txn);
    return idle > pages / 2;
}

bool store_is_loose(const char *dir)
{
    struct files f;
    bool loose = files_open(&f, dir, NULL) == ERR_OK && is_loose(f.old);

    files_close(&f);
    return loose;
}

/* ---- the copy ---- */

static enum err write_copy(struct files *f, struct errmsg *msg)
{
    int fd = openat(f->dir_fd, STORE_FRESH, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc;
    enum err e = ERR_OK;

    if (fd < 0)
        return err_errno(msg, errno, "make the smaller file of the store");
    if ((rc = mdb_env_copyfd2(f->old, fd, MDB_CP_COMPACT)) != 0)
        e = err_lmdb(msg, rc, "copy the store");
    else if (fsync(fd) != 0)
        e = err_errno(msg, errno, "flush the smaller file of the store");
    close(fd);
    return e;
}

/* LMDB's own count is copied with the table: what can be found is counted. */
static bool has(MDB_txn *txn, MDB_dbi dbi, size_t entries)
{
    MDB_cursor *c = NULL;
    MDB_val k, v;
    size_t n = 0;

    if (mdb_cursor_open(txn, dbi, &c) != 0)
        return false;
    while (mdb_cursor_get(c, &k, &v, MDB_NEXT) == 0)
        n++;
    mdb_cursor_close(c);
    return n == entries;
}

/* Every table by name, with as many entries. */
static bool same_tables(MDB_txn *a, MDB_txn *b)
{
    MDB_cursor *c = NULL;
    MDB_dbi root_a, root_b;
    MDB_stat st_a, st_b;
    MDB_val name, v;
    bool same = mdb_dbi_open(a, NULL, 0, &root_a) == 0 && mdb_dbi_open(b, NULL, 0, &root_b) == 0 &&
                mdb_stat(a, root_a, &st_a) == 0 && mdb_stat(b, root_b, &st_b) == 0 &&
                st_a.ms_entries == st_b.ms_entries && mdb_cursor_open(a, root_a, &c) == 0;

    while (same && mdb_cursor_get(c, &name, &v, MDB_NEXT_NODUP) == 0) {
        char text[TABLE_NAME_MAX + 1] = "";
        MDB_dbi in_a, in_b;
        memcpy(text, name.mv_data, name.mv_size < TABLE_NAME_MAX ? name.mv_size : TABLE_NAME_MAX);
        same = mdb_dbi_open(a, text, 0, &in_a) == 0 && mdb_dbi_open(b, text, 0, &in_b) == 0 &&
               mdb_stat(a, in_a, &st_a) == 0 && mdb_stat(b, in_b, &st_b) == 0 &&
               st_a.ms_entries == st_b.ms_entries && has(b, in_b, st_a.ms_entries);
    }
    if (c != NULL)
        mdb_cursor_close(c);
    return same;
}

static enum err compare(struct files *f, struct errmsg *msg)
{
    MDB_txn *a = NULL, *b = NULL;
    enum err e = open_read_only(f->fresh, MDB_NOSUBDIR | MDB_NOLOCK, &f->copy, msg);

    if (e != ERR_OK)
        return e;
    if (mdb_txn_begin(f->old, NULL, MDB_RDONLY, &a) != 0 ||
        mdb_txn_begin(f->copy, NULL, MDB_RDONLY, &b) != 0 || !same_tables(a, b))
        e = err_set(msg, ERR_BUG, "the smaller copy of the store has not all of it");
    mdb_txn_abort(a);
    mdb_txn_abort(b);
    return e;
}

static uint64_t size_of(const struct files *f, const char *name)
{
    struct stat st;

    return fstatat(f->dir_fd, name, &st, 0) == 0 ? (uint64_t)st.st_size : 0;
}

enum err store_compact(const char *dir, uint64_t *before, uint64_t *after, struct errmsg *msg)
{
    struct files f;
    enum err e = files_open(&f, dir, msg);

    if (e != ERR_OK) {
        files_close(&f);
        return e;
    }
    unlinkat(f.dir_fd, STORE_FRESH, 0); /* of one that was cut short */
    *before = size_of(&f, "data.mdb");
    if ((e = write_copy(&f, msg)) == ERR_OK && (e = compare(&f, msg)) == ERR_OK) {
        *after = size_of(&f, STORE_FRESH);
        if (renameat(f.dir_fd, STORE_FRESH, f.dir_fd, "data.mdb") != 0 || fsync(f.dir_fd) != 0)
            e = err_errno(msg, errno, "put the smaller file of the store into place");
    }
    if (e != ERR_OK)
        unlinkat(f.dir_fd, STORE_FRESH, 0);
    files_close(&f);
    return e;
}
