/* matters.c - the rows of a review, sorted by what they speak of. */
#include "matters.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

enum kind {
    DECIDED,
    LATE,
    PAPER,
    HELD_BETWEEN,
    PERSON_TWICE,
    CARD_TWICE,
    RENEW_AFTER_RETURN,
    OUT_TWICE
};

static const char *const kind_names[] = {
    "decided",  "late", "paper", "held_between", "person_twice", "card_twice", "renew_after_return",
    "out_twice"
};

static const char *text(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));

    return s ? s : "";
}

static enum kind kind_of(const json_t *row)
{
    const char *rule = text(row, "rule");

    if (strcmp(rule, "R5") == 0)
        return OUT_TWICE;
    if (strcmp(rule, "R11") == 0)
        return RENEW_AFTER_RETURN;
    if (strcmp(rule, "R6") == 0)
        return strcmp(text(row, "state"), "review") == 0 ? CARD_TWICE : PERSON_TWICE;
    if (strcmp(rule, "R8") == 0)
        return HELD_BETWEEN;
    if (strcmp(rule, "R12") == 0)
        return PAPER;
    return json_is_true(json_object_get(row, "late")) ? LATE : DECIDED;
}

void matters_begin(struct matters *m, json_t *decisions)
{
    m->rows = json_array();
    m->by_id = json_object();
    m->decisions = decisions;
}

void matters_add(struct matters *m, json_t *row)
{
    json_object_set_new(m->by_id, text(row, "id"),
                        json_integer((json_int_t)json_array_size(m->rows)));
    json_array_append_new(m->rows, row);
}

struct group {               /* of the row with that number */
    unsigned up, next, last; /* towards its first row; the next row of the matter, 0: none */
    enum kind kind;          /* the first row's is the matter's: the strongest of all */
};

static unsigned first_of(struct group *g, unsigned i)
{
    while (g[i].up != i)
        i = g[i].up = g[g[i].up].up;
    return i;
}

static bool is_registration(const json_t *row)
{
    return strcmp(text(row, "op"), "user") == 0;
}

/* What a row has in common with others of its matter that it does not name: of one desk all that
 * only came late; registrations of one card; what leads said of one item. */
static const char *common(const json_t *row, enum kind kind, char key[80])
{
    if (kind == LATE)
        snprintf(key, 80, "late %.64s", text(row, "desk"));
    else if (kind == CARD_TWICE || (kind == DECIDED && is_registration(row)))
        snprintf(key, 80, "card %.64s", text(row, "user"));
    else if (kind == DECIDED && *text(row, "item") != '\0')
        snprintf(key, 80, "item %.64s", text(row, "item"));
    else
        return NULL;
    return key;
}

/* Rows that name each other, or have something in common, are one matter. */
static void join(const struct matters *m, struct group *g, unsigned n)
{
    json_t *first = json_object();
    char room[80];

    for (unsigned i = 0; i < n; i++) {
        const json_t *row = json_array_get(m->rows, i);
        const json_t *other = json_object_get(m->by_id, text(row, "other"));
        const char *key = common(row, g[i].kind, room);
        if (!other && key && !(other = json_object_get(first, key)))
            json_object_set_new(first, key, json_integer(i));
        if (other) {
            unsigned a = first_of(g, i), b = first_of(g, (unsigned)json_integer_value(other));
            g[a > b ? a : b].up = a > b ? b : a;
        }
    }
    json_decref(first);
}

static void chain(struct group *g, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        unsigned first = first_of(g, i);
        if (g[i].kind > g[first].kind)
            g[first].kind = g[i].kind;
        if (i != first)
            g[g[first].last].next = i;
        g[first].last = i;
    }
}

/* The word that stands, and those that do not: both are listed. */
static void decide(const struct matters *m)
{
    const json_t *d, *at;
    size_t i;

    json_array_foreach(m->decisions, i, d)
    {
        json_t *row, *said;
        if ((at = json_object_get(m->by_id, text(d, "id"))) == NULL)
            continue;
        row = json_array_get(m->rows, (size_t)json_integer_value(at));
        said = json_pack("{s:s, s:s, s:s}", "say", text(d, "say"), "at", text(d, "at"), "lead",
                         text(d, "lead"));
        if (*text(d, "is") == '\0') {
            json_object_set_new(row, "decided", said);
            continue;
        }
        if (json_object_get(row, "overruled") == NULL)
            json_object_set_new(row, "overruled", json_array());
        json_array_append_new(json_object_get(row, "overruled"), said);
    }
}

static void print_row(json_t *row, unsigned number, enum kind kind, FILE *out)
{
    char *line;

    json_object_set_new(row, "matter", json_integer(number));
    json_object_set_new(row, "kind", json_string(kind_names[kind]));
    if ((line = json_dumps(row, JSON_COMPACT)) != NULL)
        fprintf(out, "%s\n", line);
    free(line);
}

void matters_write(struct matters *m, FILE *out)
{
    unsigned n = (unsigned)json_array_size(m->rows), number = 0;
    struct group *g = mem_zero(n + 1, sizeof *g);

    for (unsigned i = 0; g && i < n; i++)
        g[i] = (struct group){ .up = i, .kind = kind_of(json_array_get(m->rows, i)) };
    decide(m);
    if (g) {
        join(m, g, n);
        chain(g, n);
    }
    for (unsigned i = 0; g && i < n; i++) {
        if (g[i].up != i)
            continue;
        print_row(json_array_get(m->rows, i), ++number, g[i].kind, out);
        for (unsigned k = g[i].next; k != 0; k = g[k].next)
            print_row(json_array_get(m->rows, k), number, g[i].kind, out);
    }
    free(g);
}

void matters_free(struct matters *m)
{
    json_decref(m->rows);
    json_decref(m->by_id);
    json_decref(m->decisions);
    memset(m, 0, sizeof *m);
}
