/* setup.h - what happens to a state directory before a node runs on it: founding, joining and
 * restoring.
 *
 * All make the whole directory beside its final name and rename it into place, so that a refused
 * code, a full disk or Ctrl-C changes nothing. */
#ifndef TIDEOVER_SETUP_H
#define TIDEOVER_SETUP_H

#include "err.h"
#include "record.h"

#define SETUP_WORDS 128 /* room for four words or a passphrase of six */

struct setup_init {
    const char *state_dir;
    const char *branch, *desk; /* code [A-Z0-9_-]{1,15}, name */
    const char *listen, *web;  /* "ADDR:PORT"; NULL: 0.0.0.0:7411, 127.0.0.1:7412 */
    const char *policy_text;   /* NULL: the default policy */
    const char *passphrase;    /* NULL: make one */
};

/* ERR_EXISTS if the directory holds a desk already. words: of the root key; passphrase_out: as
 * given, or the six words made; both SETUP_WORDS long. */
enum err setup_init(const struct setup_init *in, char *words, char *passphrase_out,
                    struct errmsg *msg);

struct setup_join {
    const char *state_dir, *code;
    const char *at;           /* NULL: the address in the code */
    const char *listen, *web; /* as above */
    unsigned timeout_ms;
};

/* ERR_INVALID mistyped, ERR_DENIED used or expired, ERR_OFFLINE nobody answers there, ERR_EXISTS.
 * branch has 16, desk DESK_NAME_MAX + 1, words SETUP_WORDS bytes. */
enum err setup_join(const struct setup_join *in, char *branch, char *desk, char *words,
                    struct errmsg *msg);

struct setup_restore {
    const char *state_dir;
    const uint8_t *backup; /* the file's bytes */
    size_t backup_len;
    const char *passphrase;
    const char *listen, *web; /* NULL: as in the backup */
};

/* Of a backup (backup.h). ERR_INVALID: no backup; ERR_DENIED: wrong passphrase, or the desk is no
 * longer in the branch; ERR_EXISTS. branch, desk and words as above. */
enum err setup_restore(const struct setup_restore *in, char *branch, char *desk, char *words,
                       struct errmsg *msg);

#endif
