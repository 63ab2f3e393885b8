/* spare.h - the file `roster`: what a desk must know when its store is gone.
 *
 * The roster and the addresses of the other desks, beside LMDB, sealed with a key of this desk
 * (that is its checksum, too). With it a desk whose store was damaged still knows whom to ask for
 * its records. Byte form: store/FORMAT.md. */
#ifndef TIDEOVER_SPARE_H
#define TIDEOVER_SPARE_H

#include "disk.h"
#include "ident.h"
#include "roster.h"

struct spare {
    struct roster *roster;
    struct buf addresses; /* as core_addresses() */
};

/* Durable on return. ERR_DISK, ERR_FULL. */
enum err spare_write(const char *dir, const struct ident *me, const struct roster *r,
                     const struct buf *addresses, struct errmsg *msg);
/* ERR_NOFILE; ERR_DENIED: damaged, or of another desk. */
enum err spare_read(const char *dir, const struct ident *me, struct spare *out, struct errmsg *msg);
void spare_free(struct spare *s);

/* On a fresh disk, as the core will read it; the caller commits. */
enum err spare_put(const struct disk *d, const struct roster *r, const struct buf *addresses);

#endif
