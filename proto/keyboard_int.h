/* keyboard_int.h - keyboards through which a scan may have come. */
#ifndef TIDEOVER_KEYBOARD_INT_H
#define TIDEOVER_KEYBOARD_INT_H

#include <stdbool.h>
#include <stddef.h>

/* What s was if it came through the i-th layout; out is NUL-terminated, cut to room. The layout's
 * name; "": s has none of its characters, out is of no use; NULL: there is no such layout. */
const char *keyboard_read(unsigned i, const char *s, char *out, size_t room);

#endif
