/* format_int.h - what the formats share: Latin-1, and a walk over lines for the validators. */
#ifndef TIDEOVER_FORMAT_INT_H
#define TIDEOVER_FORMAT_INT_H

#include "format.h"

/* Appends s as ISO-8859-1; what that lacks becomes its base letter or '?', counted in *lost.
 * False: not clean UTF-8, or a byte of `forbidden` would stand in it (out is then half written). */
bool latin1_put(struct buf *out, const char *s, const char *forbidden, unsigned *lost);

/* Year later by `years`; 29 February becomes the 28th where it must. */
uint32_t ymd_add_years(uint32_t ymd, unsigned years);

/* A date in digits out of a file; 0 if it is not one. */
uint32_t digits_to_ymd(const char *s, size_t n); /* YYYYMMDD */

/* Chunks to lines. Any split of the bytes gives the same calls, and the first complaint stays. */
#define CHECK_LINE_MAX 4096 /* a registration with every field full stays below */

typedef enum err check_line(struct format_check *c, const char *line, size_t n,
                            struct errmsg *msg); /* without LF; the message without the number */

struct check_lines {
    uint64_t lines;
    size_t len;
    enum err err;
    struct errmsg msg;
    char line[CHECK_LINE_MAX];
};

enum err check_lines_add(struct check_lines *l, struct format_check *c, check_line *judge,
                         const uint8_t *p, size_t n, struct errmsg *msg);
enum err check_lines_end(struct check_lines *l, struct errmsg *msg);
enum err check_lines_fail(struct check_lines *l, const struct errmsg *why, struct errmsg *msg);

/* symphony_check.c, ldflat_check.c: the rows of format.h */
struct format_check *symphony_check_new(const struct policy *p);
enum err symphony_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg);
enum err symphony_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg);
void symphony_check_free(struct format_check *c);

struct format_check *ldflat_check_new(const struct policy *p);
enum err ldflat_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg);
enum err ldflat_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg);
void ldflat_check_free(struct format_check *c);

#endif
