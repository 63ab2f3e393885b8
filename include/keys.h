/* keys.h - the key files of a state directory, all 0600.
 *
 *   desk.key         this desk's identity; whoever can read it can act as this desk
 *   lead.key         the lead key, sealed by the lead passphrase; only on desks with role lead or
 *                    admin
 *   lead.key.next    a new one that takes its place once the roster that names it is durable
 *   root-key-backup  the branch root key in plain; to be moved off this PC, it outranks every lead
 *
 * Byte forms: store/FORMAT.md, "Key files". */
#ifndef TIDEOVER_KEYS_H
#define TIDEOVER_KEYS_H

#include "buf.h"
#include "err.h"
#include "ident.h"

enum err keys_write_desk(const char *dir, const uint8_t seed[3 * SEED_BYTES], struct errmsg *msg);
/* ERR_NOFILE: no desk lives there; ERR_DENIED: not ours to read; ERR_MALFORMED. */
enum err keys_read_desk(const char *dir, struct ident *out, struct errmsg *msg);

/* The store's key alone is another one now; the old file's bytes are overwritten. */
enum err keys_replace_store_key(const char *dir, const uint8_t key[KEY_BYTES], struct errmsg *msg);

enum err keys_write_lead(const char *dir, const uint8_t *box, size_t n, struct errmsg *msg);
/* The sealed bytes of LEAD_KEY or LEAD_KEY_NEXT. ERR_NOFILE: not on this desk. */
#define LEAD_KEY      "lead.key"
#define LEAD_KEY_NEXT "lead.key.next"
enum err keys_read_lead(const char *dir, const char *name, struct buf *out, struct errmsg *msg);
void keys_remove(const char *dir, const char *name); /* absent is fine */

enum err keys_write_root(const char *dir, const uint8_t seed[SEED_BYTES], struct errmsg *msg);
bool keys_root_is_here(const char *dir);

/* Whole small files: written aside, flushed, renamed; the directory is flushed too. */
enum err small_file_write(const char *dir, const char *name, const void *p, size_t n, unsigned mode,
                          struct errmsg *msg);
/* ERR_NOFILE, ERR_DENIED, ERR_DISK; ERR_MALFORMED: longer than max. */
enum err small_file_read(const char *dir, const char *name, size_t max, struct buf *out,
                         struct errmsg *msg);

#endif
