/* credential.h - passwords, tokens and keys for the library's systems: one small file for each.
 *
 * The policy says only their name. Looked for as NAME or NAME.KIND in $CREDENTIALS_DIRECTORY (as
 * systemd's LoadCredential= gives them), then in DIR/credentials of the state directory DIR, where
 * `tideover credential set` puts them. Kinds in use:
 *   none      a bearer token (https:, put:, key:)
 *   user      a login name        password  its password
 *   key       a private SSH key   ca        certificates that are trusted instead of the system's
 * A file that others may read is refused, for then it is no secret; so is a link, and one that
 * others may write. */
#ifndef TIDEOVER_CREDENTIAL_H
#define TIDEOVER_CREDENTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define CREDENTIAL_NAME_MAX  48    /* NAME.KIND; a file name everywhere */
#define CREDENTIAL_LINE_MAX  511   /* of a one-line secret, without its line end */
#define CREDENTIAL_BYTES_MAX 65536 /* of a key or a bundle of certificates */

bool credential_name_is_valid(const char *s); /* letters, digits, . _ -; no dot in front */

/* Where it lies, once it is known to be safe. kind may be NULL or "". ERR_MISSING: nowhere.
 * ERR_CONFIG: there, but open to others, a link, empty. Messages name the file, never its content.
 */
enum err credential_find(const char *state_dir, const char *name, const char *kind, char path[4096],
                         struct errmsg *msg);
/* One line without its line end; wipe it. Also ERR_CONFIG: several lines, too long, a NUL. */
enum err credential_read(const char *state_dir, const char *name, const char *kind,
                         char out[CREDENTIAL_LINE_MAX + 1], struct errmsg *msg);
/* Into DIR/credentials, 0600, whole or not at all; what lay there under this name is replaced.
 * Belongs to the owner of DIR. ERR_INVALID: not what its kind must be. ERR_DISK. */
enum err credential_set(const char *state_dir, const char *name, const char *kind, const void *p,
                        size_t n, struct errmsg *msg);
/* Each file of both places, in no order; problem: "" or why it cannot be used. ERR_DISK. */
typedef void credential_each_fn(void *ctx, const char *file, bool from_systemd,
                                const char *problem);
enum err credential_each(const char *state_dir, credential_each_fn *each, void *ctx,
                         struct errmsg *msg);

/* What this desk lacks to hand over to the policy's sink, before it is needed; "" if nothing. Says
 * nothing of what the secrets are worth. */
struct policy;
void credential_lacks(const char *state_dir, const struct policy *p, char words[256]);

#define CREDENTIAL_LOGIN_TEXT 128
/* The files whose content the policy's sink is logged in with here: "ils.user and ils.password";
 * "" if the policy names no credential. */
void credential_login(const char *state_dir, const struct policy *p,
                      char out[CREDENTIAL_LOGIN_TEXT]);
/* Another one as soon as one of these files is written anew, appears or goes. */
#define CREDENTIAL_STAMP_BYTES 16
void credential_stamp(const char *state_dir, const struct policy *p,
                      uint8_t out[CREDENTIAL_STAMP_BYTES]);

/* Is `kind`, or what stands behind the name's dot, one of user, password, key and ca? A token has
 * none. ERR_INVALID: the message says which ones the sink can use ("": no sink is known). */
enum err credential_check_kind(const char *name, const char *kind, const char *sink,
                               struct errmsg *msg);

#endif
