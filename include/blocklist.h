/* blocklist.h - users that may not borrow: a list from the library's system, without their numbers.
 *
 * A row is a keyed hash of the number and a status. The key is drawn for each list and travels in
 * its head, which is signed by the desk that imported it. What that protects, and what not:
 * store/FORMAT.md, "The block list". No I/O here. */
#ifndef TIDEOVER_BLOCKLIST_H
#define TIDEOVER_BLOCKLIST_H

#include "feed.h"
#include "ident.h"
#include "record.h"

#define BLOCKLIST_IDS_MAX   200000 /* ten times the blocked users of a large consortium */
#define BLOCKLIST_ROW       9      /* hash 8, status 1 */
#define BLOCKLIST_PART_ROWS 7000   /* sent and stored at once: 63,000 bytes */
#define BLOCKLIST_ID        16
#define BLOCKLIST_HEAD_MAX  512

enum blocked { /* on the disk and the wire: numbers are for ever */
               BLOCKED_NOT = 0,
               BLOCKED = 1, /* and whatever the list does not say */
               BLOCKED_BARRED = 2,
               BLOCKED_DELINQUENT = 3,
               BLOCKED_LOST = 4,
               BLOCKED_EXPIRED = 5,
               BLOCKED_PENALTIES = 6,
               BLOCKED_KINDS
};
const char *blocked_name(enum blocked b);  /* "barred" */
const char *blocked_words(enum blocked b); /* "this user is barred" */

struct blocklist_head {
    int64_t date_ms, imported_ms; /* when the system made it, and a desk took it in */
    struct desk_id desk;          /* that imported it */
    uint32_t rows, by_status[BLOCKED_KINDS];
    uint8_t key[32], hash[HASH_BYTES]; /* of the rows */
    uint8_t id[BLOCKLIST_ID];
};

struct blocklist {
    struct blocklist_head head;
    struct buf bytes; /* of the head, as signed */
    struct buf rows;  /* ascending */
};
void blocklist_free(struct blocklist *b);
/* Which of two is in force everywhere: by date, then import, then id. */
bool blocklist_is_newer(const struct blocklist_head *a, const struct blocklist_head *than);
enum blocked blocklist_find(const struct blocklist *b, const char *user);
unsigned blocklist_parts(const struct blocklist_head *h);
/* Rows of part k, from 0; borrowed. */
const uint8_t *blocklist_part(const struct blocklist *b, unsigned k, size_t *n);

/* Who claims to have signed a head, whose key is then to be found; false: it does not parse. */
bool blocklist_signer(const uint8_t *p, size_t n, struct desk_id *out);
/* Bytes from anywhere. ERR_MALFORMED; ERR_DENIED: of another branch, or not signed by pk. */
enum err blocklist_head_open(const uint8_t *p, size_t n, const uint8_t branch[BRANCH_ID_BYTES],
                             const uint8_t pk[KEY_BYTES], struct blocklist_head *out,
                             struct errmsg *msg);
/* Are these the rows that the head names, in order? */
bool blocklist_rows_ok(const struct blocklist_head *h, const struct buf *rows);

/* ---- reading a file ---- */

enum blocklist_format { BLOCKLIST_PLAIN, BLOCKLIST_SYMPHONY, BLOCKLIST_EVERGREEN };
bool blocklist_format_by_name(const char *name, enum blocklist_format *out);

struct blocklist_draft {
    enum blocklist_format format;
    int64_t date_ms;
    uint8_t key[32];
    uint64_t lines, bad; /* that are not blank; without a plausible number */
    char line[96];       /* of the piece that ended within one */
    size_t line_len;
    bool long_line;
    struct buf rows; /* hash 8, order be32, status 1 */
};
/* Bytes of the file, in pieces as they come. ERR_FULL, ERR_NOMEM. */
enum err blocklist_read(struct blocklist_draft *d, const char *p, size_t n, struct errmsg *msg);
/* ERR_INVALID: empty, or more than 5 % of the lines are none of such a list. The first line of a
 * number wins. Empties d. */
enum err blocklist_finish(struct blocklist_draft *d, const uint8_t branch[BRANCH_ID_BYTES],
                          const struct ident *me, int64_t now_ms, struct blocklist *out,
                          struct errmsg *msg);
void blocklist_draft_free(struct blocklist_draft *d);

#endif
