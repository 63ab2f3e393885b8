/* record.h - one thing that happened at a desk, and its bytes.
 *
 * A record is a msgpack map from small integers to values (table in proto/record.c; the wire and
 * the disk both follow it). Its bytes are made once, by the desk that wrote it, and never encoded
 * again: hashes and signatures are over the bytes. Unknown tags are skipped, unknown kinds decode
 * as themselves and are kept and relayed. Barcodes are text of bounded length, never numbers. */
#ifndef TIDEOVER_RECORD_H
#define TIDEOVER_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"

#define DESK_ID_BYTES    16 /* BLAKE2b-128 of the desk's signing key */
#define FEED_NAME_BYTES  8  /* random, drawn anew at every start of the node */
#define DESK_NAME_MAX    24 /* fits a slip and a table column */
#define BARCODE_MAX      32 /* the local API's limit; 14 in nearly every library */
#define STAFF_MAX        40
#define LIBRARY_MAX      15 /* a code of the policy, as the next one */
#define USER_ACCESS_MAX  31
#define STATION_MAX      9999
#define PIECE_KIND_MAX   16   /* "paperback": a word of the policy */
#define PIECE_LABEL_MAX  60   /* bytes of UTF-8: what somebody may want to know of the pieces */
#define REG_TEXT_MAX     200  /* names and addresses, in bytes of UTF-8 */
#define RECORD_BYTES_MAX 4096 /* a registration with every field full stays below */
#define RECORD_KEY_BYTES 16
#define RECORD_ID_TEXT   (DESK_NAME_MAX + 40) /* "KIDS-1/3b/0042" and its NUL */

struct desk_id {
    uint8_t b[DESK_ID_BYTES];
};

struct feed_id {
    struct desk_id desk;
    uint8_t name[FEED_NAME_BYTES];
};

/* A place in the branch's log: stable for ever. */
#define MACHINE_ID 16 /* bytes of record_machine_id(): it covers the record's bytes */

struct record_ref {
    struct feed_id feed;
    uint64_t seq; /* from 1, without gaps */
};

enum record_kind { /* on the wire and the disk: numbers are for ever */
                   RECORD_CHECKOUT = 1,
                   RECORD_DISCHARGE = 2,
                   RECORD_RENEW = 3,
                   RECORD_USER = 4, /* registration of a new user */
                   RECORD_INHOUSE = 5,
                   RECORD_VOID = 6, /* takes back `target` */
                   RECORD_KIND_LAST = RECORD_VOID
};

enum record_flag {
    RECORD_TYPED = 1 << 0,    /* typed by hand, not scanned */
    RECORD_OVERRIDE = 1 << 1, /* a lead overrode a refusal */
    /* 1 << 2 is free: practice makes no records (R10, practice.h) */
    RECORD_CONFIRMED = 1 << 3, /* the desk was told what the branch did just now, and meant it */
    RECORD_UNCHECKED = 1 << 4, /* the block list was not asked, as the session says */
};

struct registration {
    char first[REG_TEXT_MAX + 1], last[REG_TEXT_MAX + 1];
    char email[REG_TEXT_MAX + 1], street[REG_TEXT_MAX + 1], city[REG_TEXT_MAX + 1];
    char note[REG_TEXT_MAX + 1], guardian[REG_TEXT_MAX + 1];
    char phone[41], postcode[21], type[41], pin[17];
    uint32_t birth; /* yyyymmdd, 0 = not given */
};

struct record {
    uint8_t kind;        /* enum record_kind, or a number this version does not know */
    uint8_t count;       /* in-house uses of the item, or pieces without a barcode, 1-99; else 0 */
    uint32_t flags;      /* enum record_flag */
    uint32_t due;        /* yyyymmdd in the branch's zone; 0 = the server decides */
    int64_t at_ms;       /* the feed's clock when it was recorded, Unix ms UTC */
    int64_t paper_ms;    /* true time typed from paper; 0 = none */
    int32_t utc_off_min; /* the desk's offset from UTC then, for display only */
    char item[BARCODE_MAX + 1];
    char user[BARCODE_MAX + 1];
    char staff[STAFF_MAX + 1];
    char piece_kind[PIECE_KIND_MAX + 1]; /* of a checkout of things without a barcode: no item */
    char piece_label[PIECE_LABEL_MAX + 1];
    char library[LIBRARY_MAX + 1]; /* as chosen in the session, of what the policy allows; "", 0: */
    char user_access[USER_ACCESS_MAX + 1]; /* .. the policy's own */
    uint32_t station;
    struct record_ref target;      /* of a void */
    uint8_t key[RECORD_KEY_BYTES]; /* the caller's idempotency key; zeros = none */
    struct registration reg;       /* of RECORD_USER; stays the last: record_decode_next() */
};

#define RECORD_TIME_MAX INT64_C(253402300799999) /* ms: the end of the year 9999 */
/* When it happened, by what the desk knew: paper_ms if typed, else at_ms + correction_ms, kept
 * between 1970 and RECORD_TIME_MAX. */
int64_t record_time(const struct record *r, int64_t correction_ms);

/* Appends the bytes. ERR_INVALID if a field is over its limit, ERR_NOMEM. */
enum err record_encode(const struct record *r, struct buf *out, struct errmsg *msg);

/* Bytes from anywhere. ERR_MALFORMED says which field. A kind above RECORD_KIND_LAST is fine and
 * only `kind` (and what of the known tags is there) is filled. */
enum err record_decode(const uint8_t *p, size_t n, struct record *out, struct errmsg *msg);
/* The same for whoever reads many into one place. *bare: out->reg is all zeros, and need not be cleared;
 * afterwards, whether it still is. It is most of a record, and most have none. */
enum err record_decode_next(const uint8_t *p, size_t n, struct record *out, bool *bare,
                            struct errmsg *msg);

const char *record_kind_name(unsigned kind);              /* "checkout" ... ; "unknown" */
unsigned record_kind_by_name(const char *name, size_t n); /* 0 = no such kind */

bool desk_id_eq(const struct desk_id *a, const struct desk_id *b);
bool feed_id_eq(const struct feed_id *a, const struct feed_id *b);
int feed_id_cmp(const struct feed_id *a, const struct feed_id *b); /* memcmp order */
/* Where the feed stands, or would stand, among n rows that each begin with a feed's id and are
 * sorted by it. */
unsigned feed_place(const void *rows, unsigned n, size_t row_bytes, const struct feed_id *id,
                    bool *there);
int ref_cmp(const struct record_ref *a, const struct record_ref *b); /* by feed and sequence */
/* Two fields of a message: feed 24, sequence. ref_get fails m where the sequence is none. */
void ref_put(struct buf *b, const struct record_ref *r);
void ref_get(struct mp *m, struct record_ref *r);

/* [0-9A-Za-z .$/+%-], 1 to BARCODE_MAX. */
bool barcode_is_clean(const char *s);

#endif
