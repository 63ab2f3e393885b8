/* plain_json.h - the object that nearly every request to record is, read in place, without a heap.
 *
 * Plain: one flat object of at most 32 fields, no name twice; names and texts of printable ASCII
 * without a backslash; whole numbers of at most nine digits, true, false. Whatever else is left to
 * the real parser, which also says what is wrong with it; what both read they read alike. */
#ifndef TIDEOVER_PLAIN_JSON_H
#define TIDEOVER_PLAIN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PLAIN_FIELDS_MAX 32
#define PLAIN_BYTES_MAX  1024

struct plain_field {
    const char *name, *text; /* text: of a PLAIN_TEXT */
    enum plain_type { PLAIN_TEXT, PLAIN_NUMBER, PLAIN_TRUTH, PLAIN_NEITHER } type;
    int64_t number; /* of a truth 0 or 1 */
};

struct plain_json {
    unsigned n;
    struct plain_field v[PLAIN_FIELDS_MAX]; /* point into bytes */
    char bytes[PLAIN_BYTES_MAX];
};

bool plain_json_read(const char *p, size_t n, struct plain_json *out); /* false: not plain */

#endif
