/* lines.h - bytes as they come, lines as they are complete. Pure: reads and prints nothing. */
#ifndef TIDEOVER_LINES_H
#define TIDEOVER_LINES_H

#include "buf.h"

#define LINE_BYTES_MAX 8192 /* a registration with every field full, escaped, stays below */

enum line_kind {
    LINE_NONE, /* the rest has not come yet */
    LINE_GOOD,
    LINE_TOO_LONG, /* all of it is passed over */
    LINE_NOT_TEXT, /* holds a NUL, which no request may carry */
};

struct lines {
    struct buf bytes; /* what came and is not taken */
    size_t at;        /* the next line begins here */
    bool skipping;    /* inside a line that is too long */
    bool ended;
};

void lines_free(struct lines *l);
bool lines_feed(struct lines *l, const void *p, size_t n); /* false: out of memory */
void lines_end(struct lines *l); /* no more bytes: a last line needs no line feed */

/* The next line without its line feed (and carriage return); empty ones are passed over. Borrowed
 * until the next lines_feed(). */
enum line_kind lines_next(struct lines *l, const char **line, size_t *n);
bool lines_done(const struct lines *l); /* ended, and nothing is left */

#endif
