/* memdisk.h - a struct disk over ordered tables in memory, with a batch that a crash forgets.
 *
 * What is put or deleted is seen at once through memdisk_disk(), and only after memdisk_commit()
 * through memdisk_reader(): a crash is memdisk_abort(). Shared by the simulator and unit tests. */
#ifndef TIDEOVER_MEMDISK_H
#define TIDEOVER_MEMDISK_H

#include "disk.h"

struct memdisk;

/* One change, as it becomes durable; val is NULL for a deletion. The old value is still there. */
typedef void (*memdisk_watch)(void *ctx, enum table t, const uint8_t *key, size_t n,
                              const uint8_t *val, size_t len);

struct memdisk *memdisk_new(void); /* aborts the test when out of memory: never NULL */
void memdisk_free(struct memdisk *m);
const struct disk *memdisk_disk(struct memdisk *m);   /* the writer: sees its own batch */
const struct disk *memdisk_reader(struct memdisk *m); /* sees what is durable, refuses to write */
void memdisk_commit(struct memdisk *m, memdisk_watch watch, void *ctx); /* watch: NULL is fine */
void memdisk_abort(struct memdisk *m);
struct memdisk *memdisk_copy(const struct memdisk *m);   /* of what is durable: an image */
void memdisk_keep_only(struct memdisk *m, enum table t); /* all other tables are empty then */
/* The k-th put or del from now fails with ERR_DISK, and all after it until the abort; 0: none. */
void memdisk_fail_at(struct memdisk *m, unsigned k);

#endif
