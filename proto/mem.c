/* mem.c - malloc, with a count of what was refused. */
#include "mem.h"

#include <stdlib.h>

static _Thread_local unsigned long refused;

static void *counted(void *p)
{
    refused += p == NULL;
    return p;
}

void *mem_alloc(size_t bytes)
{
    return counted(malloc(bytes ? bytes : 1));
}

void *mem_zero(size_t n, size_t size)
{
    return counted(calloc(n ? n : 1, size ? size : 1));
}

void *mem_more(void *p, size_t bytes)
{
    return counted(realloc(p, bytes ? bytes : 1));
}

void *mem_room(void *v, unsigned n, unsigned *room, size_t row_bytes)
{
    unsigned more = *room ? 2 * *room : 32;

    if (n < *room)
        return v;
    if ((v = mem_more(v, more * row_bytes)) != NULL)
        *room = more;
    return v;
}

unsigned long mem_refused(void)
{
    return refused;
}
