/* ini_int.h - INI text by a table of keys, over libinih. For policy.c and node/conf.c.
 *
 * Comments stand on lines of their own (# or ;). Unknown sections and keys, keys that come twice,
 * control bytes, bytes that are not UTF-8 and lines over INI_LINE_MAX are errors that name the
 * line. libinih's switches are process-wide: ini_read() sets them at its first call, so make that
 * one before there is a second thread. */
#ifndef TIDEOVER_INI_INT_H
#define TIDEOVER_INI_INT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

#define INI_LINE_MAX 4000 /* libinih splits longer lines silently; its buffer is 4096 */
#define INI_KEYS_MAX 128  /* rows of one table */

struct ini_key;

/* Puts value into its place in `into`. The message needs neither line nor key: ini_read() adds
 * them. key is the name in the file, of interest to rows named "*" only. */
typedef enum err ini_parser(const struct ini_key *row, const char *key, const char *value,
                            void *into, struct errmsg *msg);

struct ini_key {
    const char *section, *key; /* key "*": every name; its parser refuses one that comes twice */
    ini_parser *parse;
    size_t offset, room;      /* the place in `into`, and its size */
    uint64_t min, max;        /* number, ms or bytes; of a text: its length (max 0: up to room) */
    const char *const *words; /* ini_word: NULL-terminated, their places are the values */
};

/* name_for_messages: "tideover.conf" gives "tideover.conf:12: ...", NULL gives "line 12: ...".
 * Keys that the text leaves out leave `into` alone. ERR_CONFIG, ERR_NOMEM. */
enum err ini_read(const char *name_for_messages, const char *text, size_t n,
                  const struct ini_key *keys, unsigned n_keys, void *into, struct errmsg *msg);

ini_parser ini_text;     /* char[room] */
ini_parser ini_yes_no;   /* bool */
ini_parser ini_unsigned; /* unsigned */
ini_parser ini_ms;       /* uint32_t: 500ms, 5s, 30m, 2h, 30d */
ini_parser ini_word;     /* bool or an enum, by room */

/* "did you mean": how many letters to add, drop or change to come from a to b. */
unsigned edit_distance(const char *a, const char *b);

#endif
