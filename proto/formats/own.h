/* own.h - the columns that our two own formats have in common: csv and ndjson lose nothing. */
#ifndef TIDEOVER_OWN_H
#define TIDEOVER_OWN_H

#include "format_int.h"

#define OWN_COLUMNS 34

enum own_type {
    OWN_ID,      /* of the record, for people: "KIDS-1/3/0042" */
    OWN_DESK,    /* name of the desk */
    OWN_OP,      /* checkout, discharge, renew, user, inhouse */
    OWN_TIME,    /* RFC 3339 with seconds; written with milliseconds */
    OWN_BARCODE, /* of a user, of an item */
    OWN_TEXT,
    OWN_DAY,     /* 2026-12-07 */
    OWN_NUMBER,  /* 1 to 99 */
    OWN_STATION, /* 1 to 9999 */
    OWN_FLAG,    /* CSV: yes or nothing; JSON: true or nothing */
    OWN_KEY      /* 32 hex digits */
};

struct own_column {
    const char *name;
    enum own_type type;
    size_t offset, room; /* place in struct own_row of what is text or a day; else 0 */
};
extern const struct own_column own_columns[OWN_COLUMNS];
unsigned own_flag(unsigned column); /* enum record_flag; 0: it says something else */
int own_column_by_name(const char *name, size_t n); /* -1: no such column */

/* ---- written ---- */

struct own_state { /* of a writer */
    bool any;
    int64_t at_ms; /* of the last line: it never runs back */
};
struct own_values {             /* texts by column, "" where there is none; borrowed from .. */
    const char *v[OWN_COLUMNS]; /* .. the record and from here */
    char at[36], recorded[36], moved_from[36], due[11], birth[11], count[4], station[12], key[33];
};
bool own_carries(const struct policy *p, unsigned kind);
bool own_has_pieces(const struct record *r); /* a checkout of things without a barcode */
bool own_pieces(const struct policy *p, const struct record *r); /* the row of format.h */
/* ERR_INVALID: a value that cannot be written, as format.h says of write(). */
enum err own_fill(const struct policy *p, bool write_pin, const struct format_item *it,
                  struct own_state *st, struct own_values *out, struct errmsg *msg);

/* ---- read ---- */

struct own_row {
    struct record rec;
    int64_t at_ms, recorded_ms, moved_from_ms; /* as the columns say; 0: not there */
    int recorded_off_min, at_off_min;
    char id[RECORD_ID_TEXT], desk[DESK_NAME_MAX + 1];
    bool has_recorded, from_paper; /* the desk's clock may be at 0 */
};
/* One value that is not empty, n bytes without NUL. False: *why says what is wrong with it. */
bool own_take(struct own_row *row, unsigned column, const char *value, size_t n, const char **why);
/* Is all there that its op needs? Once, after the last value. */
bool own_complete(struct own_row *row, const char **why);
/* Of a reader: a whole row goes on as what happened. */
enum err own_event(const struct format_read *to, uint64_t line, const struct own_row *row,
                   struct errmsg *msg);

/* A validator's judgement of a row that own_take() and own_complete() took: all that our writer
 * always writes is there, times do not run back, E2 and E3, and no PIN that the policy keeps. */
struct own_judge {
    struct zone zone;
    bool pin;           /* may be there */
    struct own_row row; /* to be judged */
    struct seen_set seen;
    bool any;
    int64_t at_ms;
};
enum err own_judge(struct own_judge *j, struct errmsg *msg);

#endif
