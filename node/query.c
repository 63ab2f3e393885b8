/* query.c - the values of a request's query. */
#include "query.h"

#include <stdlib.h>
#include <string.h>

/* Behind the "=" of the first of that name, or NULL. */
static const char *value_of(const char *query, const char *name)
{
    size_t n = strlen(name);

    for (const char *p = query; p && *p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL)
        if (strncmp(p, name, n) == 0 && p[n] == '=')
            return p + n + 1;
    return NULL;
}

uint64_t query_number(const char *query, const char *name, uint64_t otherwise)
{
    const char *value = value_of(query, name);

    return value ? strtoull(value, NULL, 10) : otherwise;
}

void query_text(const char *query, const char *name, char *out, size_t room)
{
    const char *value = value_of(query, name);
    size_t n = value ? strcspn(value, "&") : 0;

    if (n >= room)
        n = room - 1;
    if (n > 0)
        memcpy(out, value, n);
    out[n] = '\0';
}
