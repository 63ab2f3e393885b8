/* query.h - the values of a request's query, as they stand there: nothing is decoded. */
#ifndef TIDEOVER_QUERY_H
#define TIDEOVER_QUERY_H

#include <stddef.h>
#include <stdint.h>

/* "after=12&limit=5": the number of `name`, or `otherwise` if it is not there. */
uint64_t query_number(const char *query, const char *name, uint64_t otherwise);
/* Cut to room, NUL-terminated; empty if it is not there. */
void query_text(const char *query, const char *name, char *out, size_t room);

#endif
