/* feeds.h - every feed this desk knows: how far it holds it, and the blocks behind it.
 *
 * A feed gets a small local number, its alias, that only keys on this desk's own disk use. Blocks
 * lie under (alias, last sequence), so that the block that holds sequence n is the first one at or
 * after n. No I/O of its own: everything goes through the lent disk. */
#ifndef TIDEOVER_FEEDS_H
#define TIDEOVER_FEEDS_H

#include "disk.h"
#include "feed.h"
#include "roster.h"
#include "slot.h"

#define FEEDS_MAX      65536
#define FEEDS_DESK_MAX 8192 /* a start a day for 22 years; one liar does not fill the table */

struct feed {
    struct opening opening;
    uint32_t alias;
    uint64_t seq;             /* held up to here (or erased, below base), durable after the batch */
    uint64_t stored;          /* the chain on the disk; beyond seq only when forked: forks.c */
    uint8_t hash[HASH_BYTES]; /* h(seq) */
    uint64_t base;            /* blocks up to here are erased; 0: none */
    uint8_t base_hash[HASH_BYTES]; /* h(base) */
    struct floor {                 /* the newest signed head of which the records are not needed */
        uint64_t seq; /* at least base: above it while a peer's floor was taken and what is
                         held below is not erased yet */
        uint8_t hash[HASH_BYTES], sig[SIG_BYTES];
    } floor;
    uint64_t unknown_from; /* first record of a kind this version does not know; 0 = none */
    char suffix;           /* 'b', 'c' .. if an older feed of that name has the same number */
    bool forked;           /* its desk signed two histories: a proof lies in TABLE_FORKS */
    uint64_t fork_at;      /* the last record that they share */
    uint64_t pin_to;       /* an open slot goes so far; 0: none */
    uint8_t pin_hash[HASH_SHORT_BYTES]; /* by this history */
    /* sync's notes */
    uint64_t elsewhere; /* the most that a peer ever said to have */
    int want_peer;      /* whom we asked for more; -1 nobody */
    uint64_t want_to, want_since_ms;
    bool moved; /* new records in this batch: acknowledge */
};

struct feeds {
    const struct disk *disk;
    const struct roster *roster; /* whose desks share a name; NULL: every desk has its own */
    const uint8_t *branch;
    struct feed *v; /* by alias: v[i].alias == i + 1 */
    unsigned n, room;
    uint32_t *by_id; /* indexes of v, sorted by feed id */
    struct feed_cut {
        struct feed_id id;
        uint64_t to;
        uint8_t hash[HASH_SHORT_BYTES]; /* of h(to), as the slot named it */
        uint64_t gone;                  /* how far below the horizon */
        bool held;                      /* looked at once: just these records are here */
        bool clock_known; /* an upload corrected its clock: every later one says the same */
        enum clock_class clock;
        int64_t correction_ms;
    } * cuts; /* how far slots went, also of feeds that are not here yet; sorted by id */
    unsigned n_cuts, cuts_room;
    /* NULL, or told of every record that is appended and whose kind is known. */
    void (*heard)(void *ctx, const struct record_ref *ref, const struct record *r);
    void *heard_ctx;
    uint64_t records; /* held, all feeds, with those that are erased */
    uint64_t erased;  /* of them */
    bool hash_is_stale;
    uint8_t hash[16]; /* of the whole vector */
};

enum err feeds_load(struct feeds *fs, const struct disk *disk,
                    const uint8_t branch[BRANCH_ID_BYTES], const struct roster *roster,
                    struct errmsg *msg);
void feeds_free(struct feeds *fs);

struct feed *feeds_find(const struct feeds *fs, const struct feed_id *id); /* NULL: unknown */
int feeds_index(const struct feeds *fs, const struct feed_id *id);         /* -1: unknown */

/* A feed's opening arrives with its first block. ERR_FULL; ERR_OK if known already. */
enum err feeds_open(struct feeds *fs, const struct opening *o, struct feed **out,
                    struct errmsg *msg);

/* Another opening for a feed of which nothing is stored: it had two. */
enum err feeds_reopen(struct feeds *fs, struct feed *f, const struct opening *o);

/* Appends a block that continues the feed: its records from known_bytes on (see block_check), h is
 * the hash at its end. Also keeps the indexes of typed times, registrations and voids. */
enum err feeds_append(struct feeds *fs, struct feed *f, const struct block *b, size_t known_bytes,
                      const uint8_t h[HASH_BYTES], struct errmsg *msg);

/* tails.c: takes the blocks that end beyond `to` out of the feed and keeps them in TABLE_TAILS.
 * ERR_BUSY: only the newest part for now, call again after the commit. */
enum err feeds_cut_back(struct feeds *fs, struct feed *f, uint64_t to);
/* What counts as held: from 0 to as far as is stored. */
void feeds_set_level(struct feeds *fs, struct feed *f, uint64_t seq);

/* Reads the stored block that holds `seq`; b borrows *raw. */
enum err feeds_block(const struct disk *disk, uint32_t alias, uint64_t seq, struct buf *raw,
                     struct block *b, struct errmsg *msg);
/* Gathers stored blocks from `from` on into one that ends at a signed head, within the block
 * limits; out_records backs b. ERR_MISSING: nothing there. */
enum err feeds_range(const struct disk *disk, uint32_t alias, uint64_t from, uint64_t to,
                     struct buf *scratch, struct buf *out_records, struct block *b,
                     struct errmsg *msg);
/* One record by its place. ERR_MISSING. */
enum err feeds_record(const struct disk *disk, uint32_t alias, uint64_t seq, struct buf *scratch,
                      struct record *out, struct errmsg *msg);

/* h(seq), seq from 0 to as far as the feed is held. Reads at most two blocks. */
enum err feeds_hash_at(const struct feeds *fs, const struct feed *f, uint64_t seq,
                       uint8_t h[HASH_BYTES]);

/* ---- erasing (erase.c decides) ---- */

/* The block with the lowest sequences that is still here. ERR_MISSING: none. */
enum err feeds_first_block(const struct feeds *fs, const struct feed *f, struct buf *raw,
                           struct block *b, struct errmsg *msg);
/* Takes that block away, with what the indexes say of its records (of voids they keep it: keys say
 * nothing of people, and a void takes back whatever the order). */
enum err feeds_erase_block(struct feeds *fs, struct feed *f, const struct block *b,
                           struct errmsg *msg);
/* What lies between base and floor was never here, or is not any more. */
enum err feeds_close_gap(struct feeds *fs, struct feed *f, struct errmsg *msg);
/* A peer's: the feed is held at least up to there from now on. The caller checked the signature. */
enum err feeds_take_floor(struct feeds *fs, struct feed *f, const struct floor *floor,
                          struct errmsg *msg);

/* How far a feed lies under the horizon: what every desk may erase. */
bool feeds_set_gone(struct feeds *fs, const struct feed_id *id, uint64_t to); /* false: no cut */
uint64_t feeds_gone(const struct feeds *fs, const struct feed_id *id);
enum err feeds_load_floor(struct feeds *fs, struct feed *f, struct buf *raw, struct errmsg *msg);

uint64_t feeds_cut(const struct feeds *fs, const struct feed_id *id); /* 0: nothing was sent */
const struct feed_cut *feeds_cut_of(const struct feeds *fs, const struct feed_id *id);
void feeds_set_clock(struct feeds *fs, const struct slot_range *r); /* behind feeds_set_cut */
void feeds_recheck_cut(struct feeds *fs, const struct feed_id *id); /* blocks went away */
bool feeds_set_cut(struct feeds *fs, const struct feed_id *id, uint64_t to,
                   const uint8_t hash[HASH_SHORT_BYTES]); /* false: no memory */
/* Are the records up to `to` here, and the very ones that lead to this hash? */
bool feeds_holds(const struct feeds *fs, const struct feed_id *id, uint64_t to,
                 const uint8_t hash[HASH_SHORT_BYTES]);
bool feeds_hold_cuts(struct feeds *fs);      /* the same for everything that slots decided */
const uint8_t *feeds_hash(struct feeds *fs); /* 16 bytes; equal hash: equal sets of records */

/* "KIDS-1/3/0042"; and back. Name by the roster; ERR_MISSING if no such record is held here. */
void feeds_id_text(const struct feed *f, const struct roster *r, uint64_t seq,
                   char out[RECORD_ID_TEXT]);
enum err feeds_id_parse(const struct feeds *fs, const struct roster *r, const char *text,
                        struct record_ref *out, struct errmsg *msg);

/* Keys, for whoever walks the tables. */
#define PAPER_KEY (8 + sizeof(struct feed_id) + 8)
#define REF_KEY   (sizeof(struct feed_id) + 8)
void ref_key(const struct record_ref *ref, uint8_t out[REF_KEY]);
void ref_of_key(const uint8_t key[REF_KEY], struct record_ref *out);
void paper_key(int64_t time_ms, const struct record_ref *ref, uint8_t out[PAPER_KEY]);
int64_t paper_key_time(const uint8_t key[PAPER_KEY]);
#define VOID_KEY (2 * REF_KEY)
/* Who voided this record: the first by key order, whatever the order of arrival. ERR_MISSING. */
enum err feeds_void_of(const struct disk *disk, const struct record_ref *target,
                       struct record_ref *voider);

#endif
