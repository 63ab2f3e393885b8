/* export.h - a batch as files: ticks, parts, digests, validation, manifest.
 *
 * The payload of a slot is a pure function of its job (ranges, corrections, policy) and the
 * records: the same bytes on every desk, so that a successor can finish what another began. Rules
 * E1 to E10: proto/PROTOCOL.md, "Payload". */
#ifndef TIDEOVER_EXPORT_H
#define TIDEOVER_EXPORT_H

#include "format.h"
#include "merge.h"
#include "slot.h"

enum outcome { /* of one record in a batch */
               OUTCOME_SENT,
               OUTCOME_NOT_SENT,   /* its verdict says why */
               OUTCOME_UNCARRIED,  /* the format has no way to say it (in-house use in a Symphony
                                      log) */
               OUTCOME_UNWRITABLE, /* a value the format cannot hold: an exception (E5) */
               OUTCOME_BEHIND,     /* waits behind an unwritable record of its item (E5) */
};
const char *outcome_name(enum outcome o);

struct export_out {
    void *ctx;
    /* The next bytes of a file: 0 of users, 1 and on of the log; NULL: digests only. They are not
     * judged yet: all of it is good when the export ends with ERR_OK. */
    enum err (*bytes)(void *ctx, unsigned file, const uint8_t *p, size_t n, struct errmsg *msg);
    /* Every record in merged order. line: its number among the records of its file, from 1, 0 if
     * not sent. why: of an unwritable one. NULL: not wanted. */
    void (*record)(void *ctx, const struct merged *m, enum outcome o, unsigned file, uint64_t line,
                   const uint8_t *bytes, size_t n, const char *why);
    struct asides *aside; /* receives what has no final outcome; NULL: not wanted */
};

struct export_result {
    uint64_t records; /* all under the cut */
    uint64_t verdicts[VERDICT_COUNT];
    uint64_t outcomes[OUTCOME_BEHIND + 1];
    uint64_t sent[RECORD_KIND_LAST + 1]; /* by kind */
    int64_t first_ms, last_ms;           /* of all records but voids, corrected; 0: none */
    uint64_t by_hand;  /* registrations that the format does not carry: to be made by hand */
    uint64_t released; /* of the records: sent again on a lead's word */
    uint64_t late;     /* their time was uploaded before they came (R9) */
    uint64_t typed;    /* of the records: with a true time typed from paper */
    uint64_t moved;    /* lines whose tick was shifted (E2) */
    uint64_t uncarried[RECORD_KIND_LAST + 1]; /* by kind: of outcome UNCARRIED */
    uint64_t lost[LOSS_COUNT];                /* records that lose something, by what (format.h) */
    unsigned n_parts;                         /* files with at least one record */
    struct slot_part parts[SLOT_PARTS_MAX];
};

/* Files in the order in which the server must read them: users before the log. The number of a file
 * in `bytes` and `record` is its index in parts where a users file has records, else one more. */
enum err export_run(const struct merge_job *job, const struct disk *disk,
                    const struct format *format, merge_yield yield, void *yield_ctx,
                    const struct export_out *to, struct export_result *out, struct errmsg *msg);

/* The same one by one, for merged records of any source. policy, to, helper and result stay the
 * caller's and must outlive it; salt keys digests of barcodes. helper (NULL: nobody) judges and digests
 * what is written, while more is written. After export_end() the result is complete. */
struct export;
enum err export_open(const struct policy *policy, const uint8_t salt[16],
                     const struct format *format, const struct export_out *to,
                     const struct helper *helper, struct export_result *result, struct export **out,
                     struct errmsg *msg);
/* In merged order; id and desk as struct format_item has them. */
enum err export_add(struct export *x, const struct merged *m, const char *id, const char *desk,
                    enum outcome *outcome, struct errmsg *msg);
enum err export_end(struct export *x, struct errmsg *msg);
void export_free(struct export *x); /* NULL is fine */

/* "MAIN-20261123-e0-s000001-1a2b3c4d.log": library, the part's day, epoch, slot, digest; or as the
 * format of the part wants it. A function of the intent and its policy. */
void export_part_name(const struct policy *p, const char *code, uint32_t epoch, uint64_t slot,
                      const struct slot_part *part, char out[FORMAT_NAME_MAX]);
void export_file_name(const struct merge_job *job, const struct export_result *r, unsigned part,
                      char out[FORMAT_NAME_MAX]);

#endif
