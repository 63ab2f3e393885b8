/* env.c - the LMDB environment: opening, tables, the check value, growth, its errors in our words.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <sodium.h>

#include "store_int.h"

#define LOCK_BYTES 16384 /* more than its lock file needs for them */
#define GROW_MIN   (4ull << 20)

/* The numbers are associated data of every value: never change one, never use one twice. */
const struct table_row table_rows[TABLE_COUNT] = {
    [TABLE_META] = { "meta", 1 },
    [TABLE_ROSTER] = { "roster", 2 },
    [TABLE_FEEDS] = { "feeds", 3 },
    [TABLE_BLOCKS] = { "blocks", 4 },
    [TABLE_PAPER] = { "paper", 5 },
    [TABLE_CARDS] = { "cards", 6 },
    [TABLE_VOIDS] = { "voids", 7 },
    [TABLE_SLOTS] = { "slots", 8 },
    [TABLE_EPOCHS] = { "epochs", 9 },
    [TABLE_EVIDENCE] = { "evidence", 10 },
    [TABLE_FORKS] = { "forks", 14 },
    [TABLE_TAILS] = { "tails", 15 },
    [TABLE_WORDS] = { "words", 13 },
    [TABLE_ASIDE] = { "aside", 11 },
    [TABLE_KEPT] = { "kept", 12 },
    [TABLE_ANSWERS] = { "answers", 16 },
    [TABLE_BLOCKLIST] = { "blocklist", 19 },
    [TABLE_CLOCKS] = { "clocks", 26 },
};
_Static_assert(TABLE_COUNT == 18, "a new table needs its row above, and a line in FORMAT.md");

static const char own_name[] = "store";
static char check_key[] = "version", round_key[] = "journal";

/* ---- errors ---- */

enum err err_errno(struct errmsg *msg, int code, const char *doing)
{
    enum err e = code == ENOSPC || code == EDQUOT || code == EFBIG ? ERR_FULL
                 : code == ENOMEM                                  ? ERR_NOMEM
                                                                   : ERR_DISK;

    return err_set(msg, e, "cannot %s: %s", doing,
                   code == ENOSPC ? "the disk is full" : strerror(code));
}

enum err err_lmdb(struct errmsg *msg, int rc, const char *doing)
{
    const char *text;

    switch (rc) {
    case MDB_NOTFOUND:
        return err_set(msg, ERR_MISSING, "cannot %s: there is no such entry", doing);
    case MDB_MAP_FULL:
    case MDB_TXN_FULL:
        return err_set(msg, ERR_FULL, "cannot %s: the store is full and cannot grow", doing);
    case MDB_READERS_FULL:
        return err_set(msg, ERR_BUSY, "cannot %s: too many readers", doing);
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_INVALID:
    case MDB_INCOMPATIBLE:
        return err_why(msg, ERR_DENIED, "damaged", "", "cannot %s: the store is damaged (LMDB %d)",
                       doing, rc);
    case MDB_VERSION_MISMATCH:
        return err_why(msg, ERR_MALFORMED, "newer", "",
                       "cannot %s: the store was made by a newer tideover", doing);
    case MDB_BAD_VALSIZE:
    case MDB_BAD_DBI:
    case EINVAL:
        return err_set(msg, ERR_BUG, "cannot %s: LMDB was called wrongly (%d)", doing, rc);
    }
    if (rc > 0)
        return err_errno(msg, rc, doing);
    text = mdb_strerror(rc);
    return err_set(msg, ERR_DISK, "cannot %s: %s (LMDB %d)", doing, text ? text : "error", rc);
}

/* ---- opening ---- */

/* LMDB maps its lock file and lets it be sparse: on a full disk the first reader in a new page
 * would die of SIGBUS. We are alone (store.c holds the lock), and LMDB fills it in anew. */
enum err env_fill_lock_file(int env_fd, struct errmsg *msg)
{
    static const uint8_t zeros[LOCK_BYTES];
    int fd = openat(env_fd, "lock.mdb", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;
    enum err e = ERR_OK;

    if (fd < 0)
        return err_errno(msg, errno, "make the lock file of the store");
    errno = ENOSPC; /* for a write that stops half way */
    if (fstat(fd, &st) != 0 ||
        (st.st_size < LOCK_BYTES && pwrite(fd, zeros, LOCK_BYTES, 0) != LOCK_BYTES))
        e = err_errno(msg, errno, "fill the lock file of the store");
    close(fd);
    return e;
}

static enum err open_lmdb(struct store *s, struct errmsg *msg)
{
    int rc = mdb_env_create(&s->env), dead;

    if (rc != 0) {
        s->env = NULL;
        return err_lmdb(msg, rc, "open the store");
    }
    if ((rc = mdb_env_set_mapsize(s->env, STORE_MAP_BYTES)) == 0 &&
        (rc = mdb_env_set_maxdbs(s->env, DBS_MAX)) == 0 &&
        (rc = mdb_env_set_maxreaders(s->env, READERS_MAX)) == 0 &&
        (rc = mdb_env_open(s->env, s->env_path, MDB_NOTLS, 0600)) == 0)
        rc = mdb_reader_check(s->env, &dead);
    return rc == 0 ? ERR_OK : err_lmdb(msg, rc, "open the store");
}

enum err env_open(struct store *s, struct errmsg *msg)
{
    int fd = open(s->env_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err e;

    if (fd < 0)
        return err_errno(msg, errno, "open the folder of the store");
    if ((e = env_fill_lock_file(fd, msg)) == ERR_OK && (e = open_lmdb(s, msg)) == ERR_OK &&
        (fsync(fd) != 0 || fsync(s->dir_fd) != 0)) /* LMDB flushes files, never their names */
        e = err_errno(msg, errno, "flush the folder of the store");
    close(fd);
    if (e == ERR_OK)
        env_measure(s);
    else
        env_close(s);
    return e;
}

void env_close(struct store *s)
{
    if (s->env != NULL)
        mdb_env_close(s->env);
    s->env = NULL;
}

/* ---- the check value and the tables ---- */

static bool opens_within(const struct store *s, const MDB_val *v, unsigned *step)
{
    uint8_t key[STORE_KEY_BYTES];
    bool good = false;

    memcpy(key, s->desk_key, sizeof key);
    for (*step = 0; *step <= KEY_STEPS && !good; ++*step) {
        good = seal_check_opens(v->mv_data, v->mv_size, key);
        key_next(key);
    }
    --*step;
    sodium_memzero(key, sizeof key);
    return good;
}

static enum err read_check(struct store *s, MDB_txn *txn, enum check *out, unsigned *step,
                           struct errmsg *msg)
{
    MDB_val k = { sizeof check_key - 1, check_key }, v;
    MDB_stat names;
    MDB_dbi root, own;
    int rc;

    if ((rc = mdb_dbi_open(txn, NULL, 0, &root)) != 0 || (rc = mdb_stat(txn, root, &names)) != 0)
        return err_lmdb(msg, rc, "read the store");
    *out = CHECK_FRESH;
    if (names.ms_entries == 0)
        return ERR_OK;
    *out = CHECK_BAD;
    if ((rc = mdb_dbi_open(txn, own_name, 0, &own)) == 0)
        rc = mdb_get(txn, own, &k, &v);
    if (rc == MDB_NOTFOUND)
        return ERR_OK;
    if (rc != 0)
        return err_lmdb(msg, rc, "read the store");
    if (v.mv_size >= 4 && get_be32(v.mv_data) > STORE_VERSION)
        return err_why(msg, ERR_MALFORMED, "newer", "",
                       "the store was made by a newer tideover (form %u, this one knows %u)",
                       (unsigned)get_be32(v.mv_data), STORE_VERSION);
    if (opens_within(s, &v, step))
        *out = CHECK_GOOD;
    return ERR_OK;
}

enum err env_check(struct store *s, enum check *out, unsigned *step, struct errmsg *msg)
{
    MDB_txn *txn = NULL;
    enum err e;
    int rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &txn);

    if (rc != 0)
        return err_lmdb(msg, rc, "read the store");
    *step = 0;
    e = read_check(s, txn, out, step, msg);
    mdb_txn_abort(txn);
    return e;
}

/* Opened once, in a transaction of their own, so that every later one may use them. */
enum err env_tables(struct store *s, bool fresh, struct errmsg *msg)
{
    uint8_t box[CHECK_LEN];
    MDB_val k = { sizeof check_key - 1, check_key }, v = { sizeof box, box };
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);

    for (unsigned t = 0; t < TABLE_COUNT && rc == 0; t++)
        rc = mdb_dbi_open(txn, table_rows[t].name, MDB_CREATE, &s->dbi[t]);
    if (rc == 0)
        rc = mdb_dbi_open(txn, own_name, MDB_CREATE, &s->own);
    if (rc == 0 && fresh) {
        seal_check_make(box, s->desk_key);
        rc = mdb_put(txn, s->own, &k, &v, 0);
    }
    if (rc == 0) {
        rc = mdb_txn_commit(txn);
        txn = NULL; /* LMDB frees it even when commit fails */
    }
    if (rc != 0) {
        mdb_txn_abort(txn); /* NULL is fine */
        return err_lmdb(msg, rc, "open the tables of the store");
    }
    env_measure(s);
    return ERR_OK;
}

enum err env_check_renew(struct store *s, const uint8_t key[STORE_KEY_BYTES], struct errmsg *msg)
{
    uint8_t box[CHECK_LEN];
    MDB_val k = { sizeof check_key - 1, check_key }, v = { sizeof box, box };
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(s->env, NULL, 0, &txn);

    seal_check_make(box, key);
    if (rc == 0 && (rc = mdb_put(txn, s->own, &k, &v, 0)) == 0) {
        rc = mdb_txn_commit(txn);
        txn = NULL;
    }
    if (rc != 0) {
        mdb_txn_abort(txn);
        return store_fail(s, err_lmdb(&s->failure, rc, "write the store's check value"));
    }
    env_measure(s);
    s->acked_txn = s->last_txn;
    (void)msg;
    return ERR_OK;
}

/* ---- the round of the journal ---- */

int env_get_round(MDB_txn *txn, MDB_dbi own, uint64_t *round)
{
    MDB_val k = { sizeof round_key - 1, round_key }, v;
    int rc = mdb_get(txn, own, &k, &v);

    *round = 0;
    if (rc == 0 && v.mv_size != 8)
        return MDB_CORRUPTED;
    if (rc == 0)
        *round = get_be64(v.mv_data);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int env_put_round(MDB_txn *txn, MDB_dbi own, uint64_t round)
{
    uint8_t number[8];
    MDB_val k = { sizeof round_key - 1, round_key }, v = { sizeof number, number };

    put_be64(number, round);
    return mdb_put(txn, own, &k, &v, 0);
}

/* ---- size ---- */

static uint64_t grow_threshold(uint64_t map)
{
    return map / 5 * 4;
}

void env_measure(struct store *s)
{
    MDB_envinfo info;
    MDB_stat st;

    mdb_env_info(s->env, &info);
    mdb_env_stat(s->env, &st);
    if (s->map_bytes != info.me_mapsize)
        s->grow_at = grow_threshold(info.me_mapsize);
    s->map_bytes = info.me_mapsize;
    s->last_txn = info.me_last_txnid;
    s->used_bytes = ((uint64_t)info.me_last_pgno + 1) * st.ms_psize;
}

uint64_t env_disk_free(const struct store *s)
{
    struct statvfs fs;

    return fstatvfs(s->dir_fd, &fs) == 0 ? (uint64_t)fs.f_bavail * fs.f_frsize : 0;
}

/* Never more than the disk can hold: the map's end must come before the disk's. */
static uint64_t next_size(const struct store *s)
{
    uint64_t map = s->map_bytes, want = map * 2, disk = env_disk_free(s);
    struct stat st;

    if (fstatat(s->dir_fd, "store/data.mdb", &st, 0) != 0 || disk < DISK_RESERVE)
        return 0;
    disk += (uint64_t)st.st_size - DISK_RESERVE;
    if (want > disk)
        want = disk & ~(uint64_t)0xffff; /* whole pages, whatever their size */
    return want >= map + GROW_MIN ? want : 0;
}

enum err env_grow(struct store *s, struct errmsg *msg)
{
    uint64_t size = next_size(s);
    enum err e;
    int rc;

    s->grow_at = s->used_bytes + s->map_bytes / 100; /* refused: not again at every commit */
    if (size == 0)
        return err_set(msg, ERR_FULL, "the disk is too full for the store to grow");
    if (!gate_shut(&s->gate, GROW_PATIENCE_MS))
        return err_set(msg, ERR_FULL, "a reader kept its snapshot and the store could not grow");
    if ((rc = mdb_env_set_mapsize(s->env, size)) != 0) {
        e = store_fail(s, err_lmdb(&s->failure, rc, "grow the store")); /* the map may be gone */
        if (msg != NULL)
            *msg = s->failure;
    } else {
        e = ERR_OK;
        env_measure(s);
    }
    gate_open(&s->gate);
    return e;
}
