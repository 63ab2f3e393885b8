/* format_int.h - what the formats share: Latin-1, and a walk over lines for the validators. */
#ifndef TIDEOVER_FORMAT_INT_H
#define TIDEOVER_FORMAT_INT_H

#include "format.h"
#include "hmap.h"

/* Appends s as ISO-8859-1; what that lacks becomes its base letter or '?', counted in *lost.
 * False: not clean UTF-8, or a byte of `forbidden` would stand in it (out is then half written). */
bool latin1_put(struct buf *out, const char *s, const char *forbidden, unsigned *lost);
bool latin1_lacks(const char *s); /* does it lose a letter? */
/* The other way. False: a control byte, or no room. */
bool latin1_get(const char *s, size_t n, char *out, size_t room);
/* Are there letters in it, and all of them well-formed UTF-8? In ISO-8859-1 they would be another's
 * letters each: which it is nobody can tell. */
bool is_utf_8(const char *s, size_t n);
#define UTF_8_LETTERS "its letters are UTF-8, where this format has ISO-8859-1"

/* Appends s in quotes as a JSON string; ascii: what is above 0x7E as \uXXXX. False: s is not clean
 * text (out is then half written). */
bool json_put_text(struct buf *out, const char *s, bool ascii);

/* Year later by `years`; 29 February becomes the 28th where it must. */
uint32_t ymd_add_years(uint32_t ymd, unsigned years);

uint32_t ymd_add_days(uint32_t ymd, unsigned days);
uint32_t civil_ymd(const struct civil *c);

/* A date in digits out of a file; 0 if it is not one. */
uint32_t digits_to_ymd(const char *s, size_t n);                   /* YYYYMMDD */
bool digits_to_minute(const char *s, size_t n, struct civil *out); /* YYYYMMDDhhmm */
#define FIRST_DAY 19710101 /* nothing happened earlier: a record's time is not negative */
/* May something have happened then, Unix ms? From 1971, where a clock that lost its time begins, to the
 * year 2999. */
bool time_is_good(int64_t ms);
#define TIME_IS_BAD "a time before 1971 or after 2999"

/* What may be a timestamp of Evergreen. */
#define EVERGREEN_SECONDS_MIN 946684800   /* 2000 */
#define EVERGREEN_SECONDS_MAX 32503680000 /* 3000; milliseconds of our days lie far above */

bool copy_barcode(const char *s, size_t n, char out[BARCODE_MAX + 1]); /* false: it is not plain */
void event_time(struct format_event *ev, const struct zone *z, const struct civil *local);

/* Clean, and without blanks where a reader of columns would lose them: at either end, or two. */
bool barcode_is_plain(const char *s);
bool has_blank(const char *s);

/* What write() says of a record that does not fit: ERR_INVALID. */
enum err cannot_write(const struct format_item *it, const char *field, const char *format,
                      struct errmsg *msg);
enum err not_carried(const struct format_item *it, const char *format, struct errmsg *msg);

/* Chunks to lines. Any split of the bytes gives the same calls, and the first complaint stays. */
#define CHECK_LINE_MAX 16384 /* a registration with every field full and escaped stays below */

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

/* ---- for the readers (E11) ---- */
typedef enum err read_line(struct format_reader *r, uint64_t line, const char *text, size_t n,
                           struct errmsg *msg); /* without its end; never empty */

/* Chunks to lines, however they end (LF, CRLF), with or without a byte order mark. Blank lines and
 * those over CHECK_LINE_MAX go to `unknown`, the latter in pieces under one number, so that nothing
 * is dropped and no line costs memory. */
struct read_lines {
    uint64_t lines;
    size_t len;
    bool too_long, had_mark;
    bool
        cut; /* the line under way is the file's last, without an end: perhaps half of one. A reader
                 of lines that do not tell their end by themselves gives it back */
    char line[CHECK_LINE_MAX + 1]; /* and a NUL, for strspn() and its like */
};
#define CUT_LINE "the file ends within this line: perhaps it was cut"
enum err read_lines_add(struct read_lines *l, struct format_reader *r, read_line *take,
                        const struct format_read *to, const uint8_t *p, size_t n,
                        struct errmsg *msg);
enum err read_lines_end(struct read_lines *l, struct format_reader *r, read_line *take,
                        const struct format_read *to, struct errmsg *msg);

/* ---- for the validators of formats with ticks (E2): barcodes of the current tick by role ---- */
struct seen_set {
    struct seen *v; /* open addressing; at most half full */
    size_t slots, used;
};
/* The rule itself: no two events on one item in one tick (E2), and a registration earlier than the
 * first use of its card (E3), here within the tick, for earlier ones are forgotten. item, user: ""
 * if there is none. tick: "second", "minute". ERR_MALFORMED, ERR_NOMEM. */
enum err seen_event(struct seen_set *s, const char *item, const char *user, bool registers,
                    const char *tick, struct errmsg *msg);
void seen_forget(struct seen_set *s); /* the next tick begins */
void seen_free(struct seen_set *s);

/* ---- for validators: record ids, each at most once ---- */
struct id_set {
    struct hmap pages; /* 64 numbers of a feed: 32 bytes */
};
enum err id_set_add(struct id_set *s, const char *id, size_t n, bool *fresh); /* ERR_NOMEM */
void id_set_free(struct id_set *s);

/* ---- for the writers of formats in local time (E10); zeroed before the first line ---- */
struct local_ticks {
    bool any;
    int64_t tick_s;  /* the last line's tick as given */
    int64_t local_s; /* and as written, in local seconds */
};
/* In the repeated autumn hour local time runs back, but what is written must not, and two events on
 * one item must not share a tick (E2): there each tick gets the one after the tick before, until
 * local time has caught up. */
int64_t local_next(struct local_ticks *t, const struct zone *z, int64_t tick_s, uint32_t step_s);

/* symphony_check.c, ldflat_check.c: the rows of format.h */
struct format_check *symphony_check_new(const struct policy *p);
enum err symphony_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg);
enum err symphony_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg);
void symphony_check_free(struct format_check *c);
struct format_reader *symphony_read_new(const struct policy *p, const struct format_read *to);
enum err symphony_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg);
enum err symphony_read_end(struct format_reader *r, struct errmsg *msg);
void symphony_read_free(struct format_reader *r);

struct format_check *ldflat_check_new(const struct policy *p);
enum err ldflat_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg);
enum err ldflat_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg);
void ldflat_check_free(struct format_check *c);
struct format_reader *ldflat_read_new(const struct policy *p, const struct format_read *to);
enum err ldflat_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg);
enum err ldflat_read_end(struct format_reader *r, struct errmsg *msg);
void ldflat_read_free(struct format_reader *r);

/* dat_check.c, dat_read.c, sierra_check.c, sierra_read.c, destiny_check.c, destiny_read.c */
struct format_check *alma_check_new(const struct policy *p);
struct format_check *aleph_check_new(const struct policy *p);
enum err dat_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg);
enum err dat_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg);
void dat_check_free(struct format_check *c);
struct format_reader *alma_read_new(const struct policy *p, const struct format_read *to);
struct format_reader *aleph_read_new(const struct policy *p, const struct format_read *to);
enum err dat_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg);
enum err dat_read_end(struct format_reader *r, struct errmsg *msg);
void dat_read_free(struct format_reader *r);

struct format_check *sierra_check_new(const struct policy *p);
enum err sierra_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg);
enum err sierra_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg);
void sierra_check_free(struct format_check *c);
struct format_reader *sierra_read_new(const struct policy *p, const struct format_read *to);
enum err sierra_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg);
enum err sierra_read_end(struct format_reader *r, struct errmsg *msg);
void sierra_read_free(struct format_reader *r);

struct format_check *destiny_check_new(const struct policy *p);
enum err destiny_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg);
enum err destiny_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg);
void destiny_check_free(struct format_check *c);
struct format_reader *destiny_read_new(const struct policy *p, const struct format_read *to);
enum err destiny_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg);
enum err destiny_read_end(struct format_reader *r, struct errmsg *msg);
void destiny_read_free(struct format_reader *r);

struct format_check *evergreen_check_new(const struct policy *p);
enum err evergreen_check_add(struct format_check *c, const uint8_t *p, size_t n,
                             struct errmsg *msg);
enum err evergreen_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg);
void evergreen_check_free(struct format_check *c);
struct format_reader *evergreen_read_new(const struct policy *p, const struct format_read *to);
enum err evergreen_read_add(struct format_reader *r, const uint8_t *p, size_t n,
                            struct errmsg *msg);
enum err evergreen_read_end(struct format_reader *r, struct errmsg *msg);
void evergreen_read_free(struct format_reader *r);

#endif
