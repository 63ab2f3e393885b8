/* evergreen_lines.c - our own lines of a session: whose they are, and in which order the server
 * takes them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>
#include <sodium.h>

#include "evergreen.h"

/* Length of "KIDS-1" in "KIDS-1/3/0042"; 0: no id. */
static size_t desk_part(const char *id)
{
    const char *last = strrchr(id, '/');
    size_t n = last ? (size_t)(last - id) : 0;

    while (n > 0 && id[n - 1] != '/')
        n--;
    return n > 0 ? n - 1 : 0;
}

enum err evergreen_line(const uint8_t *p, size_t n, struct evergreen_line *out)
{
    json_t *j = json_loadb((const char *)p, n, JSON_REJECT_DUPLICATES, NULL);
    const char *id = json_string_value(json_object_get(j, "tideover_id"));
    const char *type = json_string_value(json_object_get(j, "type"));
    const json_t *t = json_object_get(j, "timestamp");
    size_t desk = desk_part(id ? id : "");
    enum err e = ERR_MALFORMED;

    memset(out, 0, sizeof *out);
    if (desk > 0 && strlen(id) < sizeof out->id && type && json_is_integer(t)) {
        memcpy(out->id, id, strlen(id));
        memcpy(out->desk, id, desk);
        out->timestamp = json_integer_value(t);
        out->registers = strcmp(type, "register") == 0;
        e = ERR_OK;
    }
    json_decref(j);
    return e;
}

/* ---- desks ---- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

static bool is_taken(const struct evergreen_desk *desks, unsigned n, const char *ws)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(desks[i].ws, ws) == 0)
            return true;
    return false;
}

enum err evergreen_desk_find(struct evergreen_desk *desks, char (*names)[DESK_NAME_MAX + 1],
                             unsigned *n, const char *desk, unsigned *at)
{
    struct evergreen_desk *d = &desks[*n];
    size_t len = strlen(desk);

    for (*at = 0; *at < *n; ++*at)
        if (strcmp(names[*at], desk) == 0)
            return ERR_OK;
    if (*n == EVERGREEN_DESKS_MAX || len > DESK_NAME_MAX)
        return ERR_FULL;
    memcpy(names[*n], desk, len + 1);
    memset(d, 0, sizeof *d);
    for (size_t i = 0; i < len; i++)
        d->ws[i] = is_plain(desk[i]) ? desk[i] : '_';
    if (d->ws[0] == '.' || d->ws[0] == '-') /* no hidden file, no option of a command */
        d->ws[0] = '_';
    for (unsigned k = 2; is_taken(desks, *n, d->ws); k++)
        snprintf(d->ws + len, sizeof d->ws - len, "-%u", k);
    ++*n;
    return ERR_OK;
}

/* ---- order ---- */

uint64_t evergreen_id(const char *tideover_id)
{
    uint8_t h[crypto_generichash_BYTES_MIN];

    crypto_generichash(h, sizeof h, (const uint8_t *)tideover_id, strlen(tideover_id), NULL, 0);
    return get_be64(h);
}

static int by_id(const void *a, const void *b)
{
    const struct evergreen_place *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

void evergreen_sort_ids(struct evergreen_place *v, size_t n)
{
    qsort(v, n, sizeof *v, by_id);
}

uint32_t evergreen_find(const struct evergreen_place *sorted, size_t n, const char *tideover_id)
{
    struct evergreen_place want = { .id = evergreen_id(tideover_id) };
    const struct evergreen_place *at = bsearch(&want, sorted, n, sizeof want, by_id);

    return at ? at->line : 0;
}

static int by_turn(const void *a, const void *b)
{
    const struct evergreen_place *x = a, *y = b;

    if (x->registers != y->registers)
        return x->registers ? -1 : 1;
    if (x->timestamp != y->timestamp)
        return x->timestamp < y->timestamp ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

void evergreen_sort(struct evergreen_place *v, size_t n)
{
    qsort(v, n, sizeof *v, by_turn);
}

static bool tie(const struct evergreen_place *a, const struct evergreen_place *b)
{
    return a->registers == b->registers && a->timestamp == b->timestamp;
}

/* Lines from `from` to `to` (not included) may be anywhere among their ties of other desks. */
static void widen(const struct evergreen_place *v, size_t n, size_t *from, size_t *to)
{
    while (*from > 0 && tie(&v[*from - 1], &v[*from]))
        --*from;
    while (*to < n && tie(&v[*to], &v[*to - 1]))
        ++*to;
}

void evergreen_broken(struct evergreen_place *v, size_t n, uint64_t done)
{
    size_t at = done < n ? (size_t)done : n, from = at, to = at < n ? at + 1 : n;
    uint32_t unwritten = 0;

    /* A result holds its line, so a buffer holds at most as many lines. It is written out after the
     * last line, before that is counted. */
    while (done < n && from > 0 && unwritten < EVERGREEN_UNWRITTEN_BYTES)
        unwritten += v[--from].bytes;
    if (from < to)
        widen(v, n, &from, &to);
    for (size_t i = 0; i < n; i++)
        v[i].answer = i < from ? 0 : i < to ? ANSWER_DOUBT : ANSWER_HELD;
    for (size_t i = 0; i < n; i++)
        if (v[i].told)
            v[i].answer = 0;
}
