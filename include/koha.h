/* koha.h - rows for Koha's offline circulation service and plugin, and what these answer.
 *
 * Both are told rows of the format koha (.koc). Pure: text in, verdicts out; node/sinks/koha*.c do
 * the talking. Byte forms: formats/README.md, "Koha". */
#ifndef TIDEOVER_KOHA_H
#define TIDEOVER_KOHA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "buf.h"
#include "day.h"
#include "err.h"
#include "record.h"

struct koha_row {
    struct civil at;            /* local time */
    bool issue;                 /* else a return */
    char card[BARCODE_MAX + 1]; /* of an issue */
    char item[BARCODE_MAX + 1];
};
/* One row, with or without its line end. ERR_MALFORMED: another action, or no row. */
enum err koha_row(const uint8_t *p, size_t n, struct koha_row *out);
/* "2026-11-23T14:05:00Z", or "2026-11-23 09:05:00" as it stands there. */
void koha_time(const struct koha_row *r, const struct zone *z, bool utc, char out[24]);

/* ---- service.pl: one form per row, one short text as its answer ---- */

enum koha_says {
    KOHA_ANSWERED, /* the row: see answer */
    KOHA_QUEUED,   /* the row waits in Koha for its staff */
    KOHA_STOP,     /* login or right: nothing was done, nor will be */
    KOHA_UNKNOWN,  /* nobody can tell whether anything was done */
};
/* A body with HTTP status 200. Only exact words count: failures come with 200, too. */
enum koha_says koha_body(const char *p, size_t n, bool issue, enum answer *answer);

/* ---- the plugin: a batch as JSON, one result per row ---- */

/* The object's text, without line ends; rows are appended one by one. */
void koha_batch_begin(struct buf *b, const char *branchcode, bool pending);
void koha_batch_row(struct buf *b, const struct koha_row *r, const struct zone *z, bool first);
void koha_batch_end(struct buf *b);
/* {"results":[{"status":..,"message":..},..]}. ERR_MALFORMED: no such list, or of another length:
 * nothing was told to each. A status that is not known is taken for doubt. */
enum err koha_results(const char *p, size_t n, size_t rows, void *ctx,
                      void (*each)(void *ctx, size_t i, enum koha_says s, enum answer a,
                                   const char *words));
/* {"access_token":..} ERR_MALFORMED. */
enum err koha_token(const char *p, size_t n, char *token, size_t room);

#endif
