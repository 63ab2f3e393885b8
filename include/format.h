/* format.h - one row per format that an ILS reads, and the common way to fill a batch.
 *
 * A format turns merged records into bytes, one record at a time, and reads its own bytes back with
 * a strict validator that shares no code path with the writer (rule E5). The common part
 * (proto/export.c) does order, ticks (E2, E3), parts, counts, digests and the manifest, so that
 * adding a format is one file in proto/formats/ and one row of the table FORMATS. */
#ifndef TIDEOVER_FORMAT_H
#define TIDEOVER_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "err.h"
#include "policy.h"
#include "record.h"

struct format_item { /* borrowed for the call */
    const struct record *rec;
    const char *id;   /* "KIDS-1/3/0042" */
    const char *desk; /* name of the desk that recorded it */
    int64_t tick_s;   /* Unix seconds: moment to write, already corrected and spread by E2 */
    uint32_t due;     /* yyyymmdd to write, may differ from rec->due (R3); 0 = none */
    int64_t time_ms;  /* Unix ms: the moment itself, corrected but not spread */
};

#define FORMAT_STATE_BYTES 16384 /* station counters of one log; a format's own struct must fit */

/* What a writer keeps between lines, zeroed before the first. */
struct format_state {
    _Alignas(16) uint8_t b[FORMAT_STATE_BYTES];
};

struct format_check;  /* a validator's state, opaque, heap */
struct format_reader; /* an importer's state, opaque, heap */

/* ---- what a format cannot say (rows of the loss table in proto/formats/README.md) ---- */
enum loss {
    LOSS_KIND,     /* the record itself: nothing of it can be written */
    LOSS_DUE,      /* the due date */
    LOSS_DUE_RULE, /* a due date where the desk gave none: the policy's rule, not the server's */
    LOSS_DUE_TIME, /* its time of day, or only by an unverified field */
    LOSS_SECONDS,  /* when it happened, finer than a minute */
    LOSS_DAY,      /* when it happened: typed by a person at the upload */
    LOSS_TIME,     /* when it happened, but for the day */
    LOSS_RENEW_AS_OUT, /* a renewal, written as a checkout to the same user */
    LOSS_USER_FIELDS,  /* of a registration: addresses, expiry, some fields */
    LOSS_PLACE,        /* library, user access or station that the desk's session chose */
    LOSS_HOUR, /* the hour that comes twice: its second time stands behind the first (E10) */
    LOSS_TEXT, /* letters that the format's alphabet lacks */
    LOSS_COUNT
};
const char *loss_name(enum loss l); /* for programs: "due", "seconds" .. */
#define LOSS_SENTENCE_MAX 160
/* "alma cannot carry due dates: 12 records" */
const char *loss_sentence(const char *format, enum loss l, uint64_t records,
                          char out[LOSS_SENTENCE_MAX]);

/* ---- reading files that other programs wrote (rule E11) ---- */
enum left_out { /* what a line says and a record has no place for, a bit each */
                LEFT_DUE_TIME = 1 << 0, /* a due date ends at another time than its day's end */
                LEFT_FIELDS = 1 << 1,   /* fields that are not kept, or are set by the policy */
};
struct format_event {  /* borrowed for the call */
    struct record rec; /* at_ms in UTC by the policy's zone; utc_off_min set; no target. at_ms and
                          time_ms 0: the format says no time, the file's order is all there is */
    int64_t time_ms;   /* Unix ms: when it happened, where rec.at_ms is a clock that was corrected
                          since; 0: as record_time() says */
    unsigned left_out; /* enum left_out */
    uint64_t line;     /* in the file, from 1 */
    const char *desk;  /* station or workstation as the file names it; "" if it does not */
};
struct format_read {
    void *ctx;
    enum err (*event)(void *ctx, const struct format_event *ev, struct errmsg *msg);
    /* A line that no variant of the format explains: verbatim, without its line end, and why. One that
     * is longer than any comes in pieces: why is NULL for what goes on where the call before ended. */
    enum err (*unknown)(void *ctx, uint64_t line, const uint8_t *p, size_t n, const char *why,
                        struct errmsg *msg);
    /* A line that is known and says nothing that happened: a server's reply. NULL: not wanted. */
    void (*skipped)(void *ctx, uint64_t line);
};

struct format_name {                     /* what a file's name may be made of (E7) */
    const char *library, *suffix, *hash; /* hash: first 8 hex digits of its SHA-256 */
    uint32_t day, epoch;
    uint64_t slot;
};
#define FORMAT_NAME_MAX 96

struct format {
    const char *name;   /* "symphony", "ldflat" */
    const char *suffix; /* of the file: "log", "flat" */
    /* A name of its own form, for servers that want one; NULL:
     * LIBRARY-DAY-eEPOCH-sSLOT-HASH.SUFFIX.
     */
    void (*file_name)(const struct format_name *n, char out[FORMAT_NAME_MAX]);
    /* What a file's name has to be for its loader, where somebody else gives it; NULL here or from the
     * call: any is fine. */
    const char *(*misnamed)(const char *name);
    uint32_t tick_s; /* no two events on one item within it (E2) */
    /* What it cannot do without in the policy; NULL: nothing. ERR_CONFIG says which key. */
    enum err (*needs)(const struct policy *p, struct errmsg *msg);
    /* Is its form a guess that nobody at this site has compared with a real file? NULL: it is not.
     */
    bool (*unverified)(const struct policy *p);
    bool (*carries)(const struct policy *p, unsigned kind);
    /* Can it say this checkout of pieces without a barcode? NULL: none. What it cannot say is entered
     * by hand. */
    bool (*pieces)(const struct policy *p, const struct record *r);
    bool local_time; /* without its zone: of the autumn hour that comes twice there is one (E10) */
    unsigned load_days; /* its loader may leave out what is older; 0: it does not */
    bool places;        /* carries the library, user access and station of a record (D17) */
    /* What this desk lacks in the policy, as "a station number: add it to [stations]"; NULL:
     * nothing. NULL here: no desk lacks anything. */
    const char *(*desk_lacks)(const struct policy *p, const char *desk);
    /* The format of registrations that go into a file of their own, read before this one; NULL
     * here or from the call: none do. */
    const struct format *(*users)(const struct policy *p);
    /* Bytes before the first and after the last record of a file; NULL: none. */
    enum err (*begin)(const struct policy *p, struct format_state *st, struct buf *out,
                      struct errmsg *msg);
    enum err (*finish)(const struct policy *p, struct format_state *st, struct buf *out,
                       struct errmsg *msg);
    /* Must a new file begin before this record (st has the ones before)? NULL: all in one file. The
     * state is zeroed for a new file. */
    bool (*splits)(const struct policy *p, const struct format_state *st,
                   const struct format_item *it);
    /* Bit set, 1 << enum loss, of what this record loses; LOSS_KIND alone if it is not carried.
     * NULL: nothing is ever lost. */
    unsigned (*loses)(const struct policy *p, const struct format_item *it);
    /* Appends the record's bytes. ERR_INVALID: this record cannot be written, msg says why and for
     * whom nothing was appended; it becomes an exception and later ones of its item wait (E5).
     * ERR_CONFIG: the policy lacks something; the whole batch stops before anything is agreed. */
    enum err (*write)(const struct policy *p, struct format_state *st, const struct format_item *it,
                      struct buf *out, struct errmsg *msg);
    /* Validator: any split of the file into chunks gives the same verdict. check_end also says how
     * many records were found. ERR_MALFORMED names the line and what is wrong with it. */
    struct format_check *(*check_new)(const struct policy *p); /* NULL: out of memory */
    enum err (*check_add)(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg);
    enum err (*check_end)(struct format_check *c, uint64_t *records, struct errmsg *msg);
    void (*check_free)(struct format_check *c); /* NULL is fine */
    /* Importer: wider than the writer, any split into chunks gives the same events. Of the policy
     * only zone and the format's own section matter. NULL read_new: cannot be read. ERR_MALFORMED
     * only for a file that is another thing altogether; else unknown lines are handed on. */
    struct format_reader *(*read_new)(const struct policy *p, const struct format_read *to);
    enum err (*read_add)(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg);
    enum err (*read_end)(struct format_reader *r, struct errmsg *msg);
    void (*read_free)(struct format_reader *r);
};

const struct format *format_by_name(const char *name); /* NULL: no such format */
const struct format *format_at(unsigned i);            /* all rows in turn; NULL behind the last */
/* Their names with commas, for people; only those that carry loans, or all. Borrowed from out. */
#define FORMAT_NAMES_MAX 200
const char *format_names(bool loans, char out[FORMAT_NAMES_MAX]);
/* Do registrations stand in the same file as the rest (R7: then nothing has to wait for them)? */
bool format_has_users_inside(const struct policy *p);

/* The table: one row each, in the order in which they are named to people. format_NAME is in a file of
 * proto/formats. */
#define FORMATS(X)                                                                                 \
    X(symphony)  /* SirsiDynix Symphony's transaction log; registrations as JY by policy */        \
    X(ldflat)    /* its flat user file: registrations only */                                      \
    X(alma)      /* Ex Libris Alma's .dat */                                                       \
    X(aleph)     /* Aleph's, of the same kind; its widths are a guess */                           \
    X(sierra)    /* rdy file of Sierra and Millennium */                                           \
    X(destiny)   /* Follett Destiny's text file: codes and barcodes, no times */                   \
    X(sip2)      /* a SIP2 message per line, for the sink sip2: */                                 \
    X(evergreen) /* pending.xacts: one JSON object per line */                                     \
    X(koha)      /* .koc of Koha's offline circulation */                                          \
    X(koha_json) /* the body that Koha's plugin takes */                                           \
    X(csv)       /* our own, for spreadsheets */                                                   \
    X(ndjson)    /* our own, for programs */
#define FORMAT_DECLARED(name) extern const struct format format_##name;
FORMATS(FORMAT_DECLARED)

/* ---- strict reader of Symphony lines, for importers and checks (rule E11 comes with them) ---- */
struct symphony_line {
    char header_form; /* 'E', 'D' or 0 for none */
    char stamp[15];
    unsigned station, seq;
    char command[3];
    unsigned n_fields;
    struct {
        char code[3];
        const char *value; /* borrowed from the line, not NUL-terminated */
        size_t len;
    } field[48];
    bool trailer_ok; /* present and equal to the counted length */
};
/* One line without its EOL. ERR_MALFORMED says at which byte. */
enum err symphony_parse(const char *line, size_t n, struct symphony_line *out, struct errmsg *msg);

/* What a log says of the stations that wrote it: the fields that a profile would have to repeat.
 * The first value seen; *_differs: there was another. From a reader of format_symphony only. */
struct symphony_seen {
    char library[16], user_access[32], staff_login[32], clearance[16], client[4];
    bool library_differs, user_access_differs, staff_login_differs, clearance_differs,
        client_differs;
};
void symphony_read_seen(const struct format_reader *r, struct symphony_seen *out);

#endif
