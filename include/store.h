/* store.h - what this desk still knows after the power comes back.
 *
 * One LMDB environment, one process, one writer, full sync always; in front of it a journal, so
 * that a small commit costs one flush. Every value is sealed with XChaCha20-Poly1305 under the
 * current period key, table and key as associated data, so that a flipped bit or a moved value is
 * an error and never data. Period keys lie beside LMDB in `periods`, wrapped by the desk key. Byte
 * form: store/FORMAT.md. */
#ifndef TIDEOVER_STORE_H
#define TIDEOVER_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"
#include "err.h"

#define STORE_KEY_BYTES 32
#define STORE_MAP_BYTES (64u << 20) /* first map size; doubles at 80 % use */

struct store;

/* dir must exist; `dir/store/` and `dir/periods` are made when absent (and their directories
 * flushed). desk_key is copied; wipe yours. ERR_DISK, ERR_DENIED (a store of another desk key, or
 * damaged: the message says which), ERR_MALFORMED (a newer store). On failure *out is untouched. */
enum err store_open(const char *dir, const uint8_t desk_key[STORE_KEY_BYTES], struct store **out,
                    struct errmsg *msg);
void store_close(struct store *s); /* aborts an open batch; NULL is fine */

/* The lock of a state directory alone, for whoever judges its store before anybody opens it.
 * ERR_BUSY: a node runs there. */
enum err store_lock(const char *dir, int *lock_fd, struct errmsg *msg);
void store_unlock(int lock_fd);

/* Looks through a whole store, without writing: every page that leads to a value, every seal, the
 * counts, the list of free pages. LMDB trusts its file and ends the process over a damaged one
 * (abort, SIGSEGV, SIGBUS): call it in a process of its own, whose death says "damaged"
 * (node/damage.c). ERR_MISSING: nothing was ever stored there. ERR_DENIED: damaged, or (why
 * "wrong_key") of another desk key. ERR_MALFORMED: of a newer tideover. Others: it could not be
 * looked at. *values counts what was read. */
enum err store_look(const char *dir, const uint8_t desk_key[STORE_KEY_BYTES], uint64_t *values,
                    struct errmsg *msg);

/* Of a store that was looked through, is sound, and that nobody has open: is most of its file, of
 * 1 MiB or more, free? */
bool store_is_loose(const char *dir);
/* Then writes what is in use into a new file and puts that into the place of the old one; killed or
 * cut off at any moment it leaves the one or the other. Sizes in bytes. In a process of its own, as
 * store_look(); on failure the store is as it was. */
enum err store_compact(const char *dir, uint64_t *before, uint64_t *after, struct errmsg *msg);

/* Once true after a value did not open that was there: look through the store. Any thread. */
bool store_is_doubtful(struct store *s);

/* Does `periods` open with this desk key, or is there none? */
bool store_periods_open(const char *dir, const uint8_t desk_key[STORE_KEY_BYTES]);

/* The writer's view. puts and dels open a batch by themselves; reads see the batch. One thread. */
const struct disk *store_disk(struct store *s);

/* Durable once it returns ERR_OK; no open batch is ERR_OK too. After any failure the batch is
 * gone and every later call fails with the same code until store_reopen() succeeds: pages are
 * marked clean after a failed fsync, so nothing may be believed (Rebello et al., ATC 2020). */
enum err store_commit(struct store *s, struct errmsg *msg);
/* The same, and from now on snapshots have it: LMDB itself is written, not only the journal. */
enum err store_settle(struct store *s, struct errmsg *msg);
void store_abort(struct store *s); /* forget the open batch */
bool store_batch_is_open(const struct store *s);
enum err store_reopen(struct store *s, struct errmsg *msg);

/* A snapshot for another thread: a read-only disk (put and del fail with ERR_BUG). It has all that
 * was there at the last store_settle(), perhaps more. It must be renewed at least every 200 ms of
 * work, or free pages pile up and the map cannot grow. After a renewal it sees newer data. */
struct store_reader;
enum err store_reader_open(struct store *s, struct store_reader **out, struct errmsg *msg);
void store_reader_close(struct store_reader *r);
const struct disk *store_reader_disk(struct store_reader *r);
enum err store_reader_renew(struct store_reader *r);

/* A new period begins: later values are sealed under a fresh key. Durable on return. */
enum err store_period_begin(struct store *s, struct errmsg *msg);
uint32_t store_period(const struct store *s);

/* Erasing for good, once the caller has deleted what must go and committed that. Begin: a new
 * period. Step: puts about `bytes` of what is left under older periods into the open batch, sealed
 * anew; the caller commits, and goes on until *done. End: the older keys go (ERR_BUSY while a value
 * stands under one of them: go on with steps), and with them the desk key that sealed them:
 * store_desk_key() is then another one, which the caller writes where it keeps it. Old copies of
 * the store's files do not open with it. A process killed at any moment loses nothing; store_open()
 * takes a desk key that lags behind, and the caller begins again. */
enum err store_forget_begin(struct store *s, struct errmsg *msg);
enum err store_forget_step(struct store *s, size_t bytes, bool *done, struct errmsg *msg);
enum err store_forget_end(struct store *s, struct errmsg *msg);
const uint8_t *store_desk_key(const struct store *s); /* borrowed; STORE_KEY_BYTES */

/* Reads every value of every table and checks its seal. ERR_DENIED names the first bad one;
 * *checked counts values (also on failure). For a reader thread. */
enum err store_verify(struct store_reader *r, uint64_t *checked, struct errmsg *msg);

struct store_stats {
    uint64_t map_bytes, used_bytes, disk_free_bytes, commits, commit_failures;
};
void store_stats(struct store *s, struct store_stats *out);

#endif
