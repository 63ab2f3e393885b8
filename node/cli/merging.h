/* merging.h - what the files of `tideover merge` share: inputs, outputs, counts, words. */
#ifndef TIDEOVER_MERGING_H
#define TIDEOVER_MERGING_H

#include "cli_int.h"

#include "export.h"
#include "policy.h"
#include "pool.h"

#define MERGE_LOOK 2 /* exit code: merged, and something in the report needs a person's look */

/* What is odd about a line that was read, by number: the bits of enum left_out, then times. */
enum { ODD_DUE_TIME, ODD_FIELDS, ODD_FUTURE, ODD_BACK, MERGE_ODDITIES };

struct merge_input {
    char *path; /* without its offset */
    const struct format *format;
    int64_t offset_ms;
    int fd;
    uint64_t bytes, lines, events, unknown, skipped, untimed;
    uint64_t kinds[RECORD_KIND_LAST + 1];
    int64_t first_ms, last_ms, written_ms; /* of its events; when the file was changed last */
    uint8_t sha256[32];
    int same_as; /* an earlier input with the same bytes; -1: none */
    uint64_t duplicates, conflicts, overrides, pins;
    int64_t before_ms; /* of the event before */
    struct merge_oddity {
        uint64_t lines, first; /* first: number of the first of them */
    } odd[MERGE_ODDITIES];
    struct symphony_seen seen;
};

struct merge_file { /* one that is made */
    struct target target;
    char *path;
    FILE *to;
    bool kept;
};

enum { MERGE_OUT, MERGE_USERS, MERGE_UNKNOWN, MERGE_REPORT, MERGE_MORE }; /* and further parts */
#define MERGE_FILES (MERGE_MORE + SLOT_PARTS_MAX)

struct merging {
    const struct cli *c;
    const struct format *to; /* NULL: only clocks are measured */
    struct policy policy;
    char zone_from[64]; /* "of this PC", "as given", "of the policy" */
    bool has_policy;    /* --policy was given */
    struct merge_input in[POOL_FILES_MAX];
    unsigned n_in;
    int64_t offsets[POOL_FILES_MAX];
    const char *tmp_dir;
    struct merge_tmp {
        const struct merging *m;
        int fd; /* -1: not needed yet */
        uint64_t bytes;
    } tmp[POOL_SPILLS];
    struct pool *pool;
    struct merge_file file[MERGE_FILES];
    bool unknown_open; /* the file of unknown lines ends within one */
    FILE *details;     /* of the report, until its head is known */
    struct progress progress;
    uint64_t bytes_done, bytes_all, began_ms;
    struct export_result result;
    uint64_t lines_noted, twice, cards_by_hand, new_card_loans;
    char why[256]; /* of the record that could not be written */
};

/* merge_input.c: all return 0 or an exit code after the complaint. */
int merge_inputs_open(struct merging *m);
int merge_inputs_read(struct merging *m);
void merge_inputs_close(struct merging *m);
bool merge_go_on(void *ctx, uint64_t done, uint64_t total); /* a merge_yield */
int merge_stopped(const struct merging *m, enum err e, const struct errmsg *msg);

/* merge_policy.c */
int merge_policy(struct merging *m);   /* before reading */
int merge_stations(struct merging *m); /* after it: what the files say of their stations */

/* merge_output.c */
int merge_out_open(struct merging *m);
int merge_out_write(struct merging *m);
int merge_out_keep(struct merging *m);
void merge_out_close(struct merging *m);
FILE *merge_stream(struct merging *m, unsigned which); /* NULL after the complaint */
void merge_tmp_lend(struct merging *m, struct spill out[POOL_SPILLS]);
void merge_tmp_close(struct merging *m);

/* merge_report.c */
bool merge_is_clean(const struct merging *m);
void merge_note_unknown(struct merging *m, const struct merge_input *in, uint64_t line,
                        const char *why);
const char *merge_odd_words(unsigned odd, uint64_t lines);
void merge_note_record(struct merging *m, const struct pooled *p, enum outcome o);
int merge_report(struct merging *m);
json_t *merge_json(const struct merging *m); /* merge_json.c; owned by the caller */
void merge_say(struct merging *m);           /* on stdout, as text or JSON */

#endif
