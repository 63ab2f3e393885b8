/* backup.h - what makes a PC this desk: its identity and its place in the branch; never records,
 * which come back from the other desks, and never the key of the store, which a new disk makes
 * anew. Byte form: store/FORMAT.md, "Backup". Sealed by a passphrase of its own (ident.h, passbox).
 */
#ifndef TIDEOVER_BACKUP_H
#define TIDEOVER_BACKUP_H

#include "roster.h"

#define BACKUP_DOMAIN    "tideover backup v1"
#define BACKUP_HEAD      "tideover backup 1\n" /* the file's first line; the sealed bytes follow */
#define BACKUP_BYTES_MAX (64u << 20)

struct backup {
    uint8_t sign_seed[SEED_BYTES], curve_sk[KEY_BYTES];
    uint64_t start;        /* number of the node's start that made it */
    struct roster *roster; /* owned */
    struct buf addresses;  /* as in WELCOME: array of [desk, address] */
    struct buf lead_key;   /* sealed as it was; empty: not on that desk */
    struct buf conf;       /* tideover.conf */
};

/* roster, addresses, lead_key and conf of b are read; the identity is me's. */
void backup_encode(const struct ident *me, const struct backup *b, struct buf *out);
/* ERR_MALFORMED; ERR_DENIED: the desk was revoked or retired before. *out is to be freed in any
 * case. */
enum err backup_decode(const uint8_t *p, size_t n, struct backup *out, struct errmsg *msg);
void backup_free(struct backup *b); /* wipes */

#endif
