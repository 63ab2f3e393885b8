/* format.h - one row per format that an ILS reads, and the common way to fill a batch.
 *
 * A format turns merged records into bytes, one record at a time, and reads its own bytes back with
 * a strict validator that shares no code path with the writer (rule E5). The common part
 * (proto/export.c) does order, ticks (E2, E3), parts, counts, digests and the manifest, so that
 * adding a format is one file in proto/formats/ and one row of the table in format.c. */
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
};

#define FORMAT_STATE_BYTES 16384 /* station counters of one log; a format's own struct must fit */

/* What a writer keeps between lines, zeroed before the first. */
struct format_state {
    _Alignas(16) uint8_t b[FORMAT_STATE_BYTES];
};

struct format_check; /* a validator's state, opaque, heap */

struct format {
    const char *name;   /* "symphony", "ldflat" */
    const char *suffix; /* of the file: "log", "flat" */
    uint32_t tick_s;    /* no two events on one item within it (E2) */
    bool (*carries)(const struct policy *p, unsigned kind);
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
};

const struct format *format_by_name(const char *name); /* NULL: no such format */

extern const struct format format_symphony; /* transaction log; registrations as JY by policy */
extern const struct format format_ldflat;   /* LDUSER flat user file: registrations only */

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

#endif
