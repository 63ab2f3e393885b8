/* payload_int.h - the files of one upload on this desk, and where each line of them stands.
 *
 * Built once, on the thread of the first delivery, and kept for as long as this desk hands the
 * upload over: item 10,000 of it costs what item 1 does. Plain text, in files without a name, gone
 * with the process at the latest. One job at a time uses it; the loop's thread touches it between jobs. */
#ifndef TIDEOVER_PAYLOAD_INT_H
#define TIDEOVER_PAYLOAD_INT_H

#include "batch_int.h"

#define PAYLOAD_FILES (SLOT_PARTS_MAX + 1)

struct payload_line {
    uint64_t offset;
    uint32_t n;
    uint8_t file; /* by its number: 0 users, 1 and on the log */
    uint8_t kind;
    struct record_ref ref;
    uint8_t item[HOLD_DIGEST], user[HOLD_DIGEST];
};

struct payload {
    struct batch_job *batch; /* what was merged and counted; owned */
    uint8_t intent[HASH_BYTES];
    uint64_t slot;
    char sink[SINK_TEXT_MAX], name[96];
    bool built, busy;
    uint64_t seen;                         /* answers of the ledger's that the holds know */
    bool stale;                            /* the holds know answers that do not count */
    struct slot_part want[SLOT_PARTS_MAX]; /* as agreed on */
    unsigned n_want;
    FILE *file[PAYLOAD_FILES], *index[2], *manifest; /* index: of users, of the log */
    int left[PAYLOAD_FILES + 2]; /* of files that are closed: payload_remove() */
    unsigned n_left;
    uint64_t at[PAYLOAD_FILES], lines[2];
    struct sink_file out[SLOT_PARTS_MAX];
    struct holds *holds;
    void *session;   /* the sink's */
    struct buf line; /* the one read last */
};

struct payload *payload_new(struct node *n, const struct intent *in, const uint8_t hash[HASH_BYTES],
                            struct errmsg *msg);
void payload_free(struct payload *p);  /* removes the files; NULL is fine */
void payload_close(struct payload *p); /* nothing of it is read any more */
/* Then; on any thread, without a malloc or free, so that the thread gets no heap of its own. */
void payload_remove(struct payload *p);
/* On a job's thread: writes the files, the index and the manifest. ERR_BUG: other bytes than were
 * agreed on. */
enum err payload_build(struct payload *p, struct errmsg *msg);
uint64_t payload_lines(const struct payload *p);
/* The k-th line, from 1, users before the log. ERR_MISSING, ERR_DISK. */
enum err payload_line(const struct payload *p, uint64_t k, struct payload_line *out);
/* Its bytes; borrowed until the next call. */
enum err payload_bytes(struct payload *p, const struct payload_line *l, const uint8_t **bytes);
unsigned payload_part(const struct payload *p, unsigned file); /* index among the batch's files */

#endif
