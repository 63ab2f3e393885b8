/* store_int.h - what the files of store/ share: the handle, the keys, the gate, the sealing. */
#ifndef TIDEOVER_STORE_INT_H
#define TIDEOVER_STORE_INT_H

#include <lmdb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store.h"

#define STORE_VERSION    1             /* of all the files together; see FORMAT.md */
#define BATCH_BYTES_MAX  (4u << 20)    /* values of one batch: four of the largest */
#define BATCH_PUTS_MAX   32768u        /* far below LMDB's 131,071 dirty pages, at 3 a put */
#define DISK_RESERVE     (16ull << 20) /* left for logs and exports when the map grows */
#define RENEW_MS         100           /* twice as often as the header asks of readers */
#define GROW_PATIENCE_MS 400           /* two renewals: who has not renewed by then does not */
#define SHUT_PATIENCE_MS 2000          /* for a reopen, which nothing can do without */

/* ---- the sealing of values (seal.c) ---- */

#define SEAL_NONCE 24
#define SEAL_TAG   16
#define SEAL_EXTRA (4 + SEAL_NONCE + SEAL_TAG)
#define CHECK_TEXT "tideover"
#define CHECK_LEN  (4 + SEAL_NONCE + 8 + SEAL_TAG)

/* Where a value stands; all of it is associated data. */
struct place {
    uint8_t table; /* the number in FORMAT.md, not the enum's */
    const void *key;
    size_t n;
};

/* out has len + SEAL_EXTRA bytes. */
void seal_value(uint8_t *out, uint32_t period, const uint8_t key[STORE_KEY_BYTES],
                const struct place *at, const void *val, size_t len);
/* out has n - SEAL_EXTRA bytes; false: damaged, moved, or another key. */
bool seal_unseal(uint8_t *out, const uint8_t key[STORE_KEY_BYTES], const struct place *at,
                 const uint8_t *box, size_t n);

/* The one value under the desk key itself: it tells a wrong key from damage. */
void seal_check_make(uint8_t out[CHECK_LEN], const uint8_t desk_key[STORE_KEY_BYTES]);
bool seal_check_opens(const uint8_t *box, size_t n, const uint8_t desk_key[STORE_KEY_BYTES]);

/* ---- period keys (periods.c) ---- */

/* Never changed once made: a reader keeps the one of its snapshot. In locked memory. */
struct ring {
    unsigned refs; /* under store.mutex */
    uint32_t n;    /* at least 1 */
    struct period {
        uint32_t number; /* rising; the last one is current */
        uint8_t key[STORE_KEY_BYTES];
    } v[];
};

struct ring *ring_with_fresh(const struct ring *old); /* old may be NULL; NULL: no memory or room */
struct ring *ring_after(const struct ring *old, uint32_t upto); /* without those up to `upto` */
void ring_free(struct ring *r);                                 /* wipes; NULL is fine */
const uint8_t *ring_key(const struct ring *r, uint32_t number); /* NULL: no such period */

/* ERR_NOFILE; ERR_DENIED: does not open with this key; ERR_MALFORMED: a newer one. */
enum err periods_load(int dir_fd, const uint8_t desk_key[STORE_KEY_BYTES], struct ring **out,
                      struct errmsg *msg);
enum err periods_save(int dir_fd, const uint8_t desk_key[STORE_KEY_BYTES], const struct ring *r,
                      struct errmsg *msg);
void periods_drop_leftover(int dir_fd); /* of a crash while saving */

/* ---- the gate (gate.c): nobody may read while the map moves ----
 *
 * Not a pthread rwlock: glibc's lets a stream of readers starve the writer, must be released by
 * the thread that took it, and would hang the node for ever behind one reader that broke its word.
 */
struct gate {
    pthread_mutex_t mutex; /* also guards store.ring and its counts */
    pthread_cond_t moved;
    unsigned inside;
    bool shut;
};

bool gate_init(struct gate *g);
void gate_destroy(struct gate *g);
void gate_enter(struct gate *g);
void gate_leave(struct gate *g);
bool gate_shut(struct gate *g, unsigned patience_ms); /* false: somebody stayed, it is open again */
void gate_open(struct gate *g);
uint64_t gate_now_ms(void); /* monotonic */

/* ---- the journal (journal.c): commits since LMDB was last written ---- */

#define JOURNAL_BYTES (1 << 20)
#define JOURNAL_BLOCK 4096

struct journal {
    int fd;
    uint64_t round; /* which number in LMDB it belongs to */
    uint32_t n;     /* entries of this round, and where the next one begins */
    size_t at;
    uint8_t hash[32]; /* of the last of them */
};

/* fresh: made anew, and flushed. Else ERR_DENIED ("damaged") when it is missing or cut. */
enum err journal_open(struct journal *j, const char *env_path, bool fresh, struct errmsg *msg);
void journal_close(struct journal *j);
void journal_begin(struct journal *j, uint64_t round); /* no entry of it is there */
bool journal_has_room(const struct journal *j, size_t n);
enum err journal_add(struct journal *j, const uint8_t *ops, size_t n,
                     struct errmsg *msg); /* durable */
void journal_cut(const struct journal *j);
/* Reading: the whole file, then entry by entry from journal_begin() on. ERR_MISSING: that was the
 * last one. ERR_DENIED ("damaged"): one is bent that is not the last. */
enum err journal_load(const struct journal *j, struct buf *all, struct errmsg *msg);
enum err journal_next(struct journal *j, const struct buf *all, const uint8_t **ops, size_t *n,
                      struct errmsg *msg);

/* ---- the handle ---- */

struct store {
    char *env_path;
    int dir_fd, lock_fd;
    uint8_t *desk_key; /* locked memory */
    struct gate gate;
    struct ring *ring; /* swapped by the writer under gate.mutex */
    MDB_env *env;      /* NULL only while failed; changes only behind a shut gate */
    MDB_dbi own, dbi[TABLE_COUNT];

    uint32_t forget_upto; /* the periods that go; where the search for values under them goes on */
    unsigned forget_table;
    size_t forget_len;
    uint8_t forget_key[DISK_KEY_MAX];

    MDB_txn *batch;   /* since LMDB was last written: what the journal has, and the open batch */
    struct buf log;   /* the same once more: a full map is left, grown and refilled from it */
    size_t log_acked; /* so much of the log is in the journal */
    struct journal journal;
    size_t batch_bytes; /* of the open batch alone */
    uint32_t batch_puts;
    uint32_t txn_puts;  /* of all in the transaction */
    bool settle_next;   /* the next commit has to show that LMDB can be written */
    enum err batch_err; /* a refused put or del: nothing of this batch may become durable */

    atomic_bool unopened, looked; /* a value did not open; that was told */
    atomic_int failed;            /* enum err, sticky until store_reopen() */
    struct errmsg failure;        /* its sentence; the writer's */
    size_t last_txn;              /* id of the newest commit in the file, as last measured */
    size_t acked_txn;             /* the same when a commit was last acknowledged */
    uint64_t acked_round;         /* and of the journal, with so many entries */
    uint32_t acked_entries;
    uint64_t grow_at; /* used bytes from which the map should be larger */
    atomic_uint_fast64_t map_bytes, used_bytes, commits, commit_failures;
    struct disk disk;
};

enum err store_new(const uint8_t desk_key[STORE_KEY_BYTES], struct store **out, struct errmsg *msg);
enum err store_open_dir(struct store *s, const char *dir, struct errmsg *msg);
/* With the desk key or one a few erasures later; *step says how many. Errors as periods_load(). */
enum err store_load_periods(struct store *s, unsigned *step, struct errmsg *msg);
enum err store_fail(struct store *s, enum err code); /* from now on everything fails with it */
void store_swap_ring(struct store *s,
                     struct ring *fresh); /* readers keep theirs until they renew */
void batch_init(struct store *s);         /* the writer's disk */
void batch_leave(struct store *s);        /* all of the transaction; batch_recover() has it again */
void batch_close(struct store *s);
/* Takes up again what only the journal has: all of it after a start; in a process that goes on,
 * exactly what it acknowledged (ERR_DENIED: less is there). Writes nothing that counts. */
enum err batch_recover(struct store *s, bool goes_on, struct errmsg *msg);

/* One put or del, as it stands in the log and in the journal. Points into their bytes. */
struct op {
    enum table table;
    const uint8_t *key, *box; /* box: the sealed value */
    size_t n, len;
    bool del;
};
/* Moves p behind it; false: it does not parse. */
bool op_get(const uint8_t **p, const uint8_t *end, struct op *op);

/* ---- LMDB (env.c) ---- */

#define TABLE_NAME_MAX 16
struct table_row {
    char name[TABLE_NAME_MAX];
    uint8_t number;
};
extern const struct table_row table_rows[TABLE_COUNT];

enum err err_lmdb(struct errmsg *msg, int rc, const char *doing);
enum err err_errno(struct errmsg *msg, int code, const char *doing);
#define DBS_MAX     24             /* LMDB looks names up one by one: few */
#define READERS_MAX 126            /* LMDB's own default */
#define STORE_FRESH "data.mdb.new" /* compact.c: a smaller copy, until it is whole */
enum err env_fill_lock_file(int env_fd, struct errmsg *msg);
enum err env_open(struct store *s, struct errmsg *msg);
void env_close(struct store *s);
void env_measure(struct store *s);
uint64_t env_disk_free(const struct store *s);
/* No transaction of the writer may be open. Sets grow_at in any case. */
enum err env_grow(struct store *s, struct errmsg *msg);

enum check { CHECK_FRESH, CHECK_GOOD, CHECK_BAD };
/* Looks at the store's own check value and writes nothing: does it open with the desk key, or one
 * up to KEY_STEPS erasures later (*step)? ERR_MALFORMED: a newer store. */
enum err env_check(struct store *s, enum check *out, unsigned *step, struct errmsg *msg);
enum err env_tables(struct store *s, bool fresh, struct errmsg *msg);
/* The round of the journal, in the table `store`; 0: none yet. Return what LMDB says. */
int env_get_round(MDB_txn *txn, MDB_dbi own, uint64_t *round);
int env_put_round(MDB_txn *txn, MDB_dbi own, uint64_t round);
/* The check value under another desk key, durable on return. */
enum err env_check_renew(struct store *s, const uint8_t key[STORE_KEY_BYTES], struct errmsg *msg);

/* ---- forgetting (forget.c) ---- */

#define KEY_STEPS 16 /* erasures that a desk key may lag behind its store */
void key_next(uint8_t key[STORE_KEY_BYTES]);

/* ---- reading inside one transaction (view.c) ---- */

enum find { FIND_FROM, FIND_AFTER, FIND_BEFORE };

struct view {
    struct store *s;
    const struct ring *ring;
    MDB_txn *txn;                    /* NULL: no snapshot */
    MDB_cursor *cursor[TABLE_COUNT]; /* opened when first needed */
};

enum err view_get(struct view *v, enum table t, const void *key, size_t n, struct buf *val);
enum err view_seek(struct view *v, enum table t, const void *key, size_t n, enum find how,
                   uint8_t *key_out, size_t *key_len, struct buf *val);
void view_close_cursors(struct view *v);

#endif
