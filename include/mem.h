/* mem.h - the rules' memory, and whether there was always enough.
 *
 * A rule that gets no memory tells its caller where it can; but a message half built, a record not
 * seen or an effect dropped must not become a decision. So every refusal is counted, per thread:
 * whoever runs the rules compares the count before the commit, and if it has grown, forgets the
 * round (core.h says how) as if the disk had refused it. */
#ifndef TIDEOVER_MEM_H
#define TIDEOVER_MEM_H

#include <stddef.h>

/* As malloc, calloc and realloc; free() gives back. NULL: refused, and counted. */
void *mem_alloc(size_t bytes);
void *mem_zero(size_t n, size_t size);
void *mem_more(void *p, size_t bytes);
/* Room behind the n rows of a growing array: v, or where it moved to, *room rows long. NULL: refused
 * and counted, v is as it was. */
void *mem_room(void *v, unsigned n, unsigned *room, size_t row_bytes);

unsigned long mem_refused(void); /* on this thread, since it began */

#endif
