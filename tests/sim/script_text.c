/* script_text.c - scripts as text: strict to read, and a drawn one is printed the same way.
 *
 *     desks 3                         first the setup, a word and a number a line
 *     at 2 scan DESK-1 5              seconds since the start
 *     at 4 press DESK-1
 *     + 0.5 freeze DESK-2 20          after the line before was done
 *     at 4 when sending: die uploader 1
 *     expect decided 1 within 60      not timed: after the line before
 *     at 90 heal
 *
 * Desks are DESK-1.., `uploader` (who leads at that moment) and `any`. # begins a remark. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static const struct field {
    const char *name;
    size_t at;
    uint64_t least, most;
} fields[] = {
    { "desks", offsetof(struct setup, desks), 1, SIM_STATIONS_MAX },
    { "spare", offsetof(struct setup, spare), 0, SIM_STATIONS_MAX / 2 },
    { "seats", offsetof(struct setup, seats), 1, SIM_STATIONS_MAX },
    { "quiet", offsetof(struct setup, quiet), 0, 600 },
    { "hold", offsetof(struct setup, hold), 0, 1 },
    { "liar", offsetof(struct setup, liar), 0, 1 },
    { "sink", offsetof(struct setup, sink), 0, 6 },
    { "dice", offsetof(struct setup, dice), 0, UINT64_MAX },
    { "steady", offsetof(struct setup, steady), 0, 1 },
    { "loose", offsetof(struct setup, loose), 0, 1 },
};

static const struct field *field_named(const char *name)
{
    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strcmp(fields[i].name, name) == 0)
            return &fields[i];
    return NULL;
}

static uint64_t *field_of(struct setup *o, const struct field *f)
{
    return (uint64_t *)(void *)((char *)o + f->at);
}

/* ---- words of one line ---- */

struct words {
    char *v[48];
    unsigned n, at;
    const struct script *sc;
    char *why; /* 160 bytes */
};

static const char *peek(const struct words *w)
{
    return w->at < w->n ? w->v[w->at] : NULL;
}

static bool complain(struct words *w, const char *what, const char *word)
{
    snprintf(w->why, 160, "%s%s%.60s", what, word ? ": " : "", word ? word : "");
    return false;
}

static bool read_number(const char *s, uint64_t *out)
{
    char *end;

    if (*s < '0' || *s > '9')
        return false;
    *out = strtoull(s, &end, 10);
    return *end == '\0';
}

/* "12.5" seconds, to the millisecond. */
static bool read_seconds(const char *s, uint64_t *out_ms)
{
    unsigned long long whole;
    char fraction[4] = "000";
    int used = 0;

    if (*s < '0' || *s > '9' || sscanf(s, "%12llu%n", &whole, &used) != 1)
        return false;
    s += used;
    if (*s == '.') {
        size_t n = strspn(s + 1, "0123456789");
        if (n == 0 || n > 3)
            return false;
        memcpy(fraction, s + 1, n);
        s += 1 + n;
    }
    *out_ms = whole * 1000 + strtoull(fraction, NULL, 10);
    return *s == '\0';
}

static bool read_desk(const struct words *w, const char *s, int *out)
{
    const struct setup *o = &w->sc->setup;
    unsigned n;
    int used = 0;

    if (strcmp(s, "uploader") == 0)
        *out = DESK_UPLOADER;
    else if (strcmp(s, "any") == 0)
        *out = DESK_ANY;
    else if (sscanf(s, "DESK-%u%n", &n, &used) == 1 && s[used] == '\0' && n >= 1 &&
             n <= o->desks + o->spare)
        *out = (int)n - 1;
    else
        return false;
    return true;
}

static bool read_arg(struct words *w, char kind, struct args *a, unsigned *desks, unsigned *nums)
{
    const char *s = peek(w);
    int desk;

    if (!s)
        return false;
    switch (kind) {
    case 'd':
        if (!read_desk(w, s, &a->desk[*desks]))
            return false;
        ++*desks;
        break;
    case 'n':
        if (!read_number(s, &a->num[*nums]))
            return false;
        ++*nums;
        break;
    case 's':
        if (!read_seconds(s, &a->num[*nums]))
            return false;
        ++*nums;
        break;
    case 'w':
        snprintf(a->word, sizeof a->word, "%s", s);
        break;
    case 'S':
        for (; (s = peek(w)) != NULL; w->at++) {
            if (!read_desk(w, s, &desk) || desk < 0)
                return false;
            a->set[desk / 8] |= (uint8_t)(1u << desk % 8);
        }
        return true;
    }
    w->at++;
    return true;
}

/* Letters before the bar must be there; behind it, what fits. */
static bool read_args(struct words *w, const char *format, struct args *a)
{
    unsigned desks = 0, nums = 0;
    bool must = true;

    *a = (struct args){ .desk = { DESK_NONE, DESK_NONE } };
    for (const char *f = format; *f != '\0'; f++) {
        if (*f == '|')
            must = false;
        else if (!read_arg(w, *f, a, &desks, &nums) && must)
            return complain(w,
                            *f == 'd' || *f == 'S' ? "a desk is wanted here"
                            : *f == 's'            ? "seconds are wanted here"
                            : *f == 'n'            ? "a number is wanted here"
                                                   : "a word is wanted here",
                            peek(w));
    }
    return true;
}

static bool read_cond(struct words *w, struct cond *c)
{
    const char *s = peek(w);

    if (!s || (c->kind = cond_named(s)) == NULL)
        return complain(w, "no such condition", s);
    w->at++;
    return read_args(w, c->kind->format, &c->args);
}

/* ---- lines ---- */

static bool read_when(struct words *w, struct line *l)
{
    const char *s = peek(w);

    if (!s || strcmp(s, "when") != 0)
        return true;
    w->at++;
    if (!read_cond(w, &l->when))
        return false;
    if (!(s = peek(w)) || strcmp(s, ":") != 0)
        return complain(w, "a colon is wanted behind the condition", s);
    w->at++;
    return true;
}

static bool read_time(struct words *w, struct line *l)
{
    const char *s = peek(w);
    bool at = strcmp(s, "at") == 0, plus = strcmp(s, "+") == 0;

    l->follows = !at;
    if (!at && !plus)
        return true;
    w->at++;
    if (!(s = peek(w)) || !read_seconds(s, &l->at_ms))
        return complain(w, "seconds are wanted here", s);
    w->at++;
    return true;
}

static bool read_expect(struct words *w, struct line *l)
{
    const char *s;

    if (!read_cond(w, &l->expect))
        return false;
    l->args.num[0] = 30000;
    if ((s = peek(w)) == NULL || strcmp(s, "within") != 0)
        return true;
    w->at++;
    if (!(s = peek(w)) || !read_seconds(s, &l->args.num[0]))
        return complain(w, "seconds are wanted here", s);
    w->at++;
    return true;
}

static bool read_line(struct words *w, struct line *l)
{
    const char *s;

    if (!read_time(w, l) || !read_when(w, l))
        return false;
    if (!(s = peek(w)) || (l->verb = verb_named(s)) == NULL)
        return complain(w, "no such verb", s);
    w->at++;
    if (l->verb->format[0] == 'c' ? !read_expect(w, l) : !read_args(w, l->verb->format, &l->args))
        return false;
    return peek(w) ? complain(w, "not understood", peek(w)) : true;
}

static bool read_setup(struct words *w, const struct field *f, struct setup *o)
{
    uint64_t *at = field_of(o, f);

    if (w->n != 2 || !read_number(w->v[1], at) || *at < f->least || *at > f->most)
        return complain(w, "a number that fits is wanted behind", f->name);
    return true;
}

/* Blanks part words; a colon is a word. */
static void split_words(char *line, struct words *w)
{
    w->n = w->at = 0;
    line[strcspn(line, "#")] = '\0';
    for (char *p = strtok(line, " \t\r"); p && w->n + 2 < 48; p = strtok(NULL, " \t\r")) {
        size_t n = strlen(p);
        w->v[w->n++] = p;
        if (n > 1 && p[n - 1] == ':') {
            p[n - 1] = '\0';
            w->v[w->n++] = ":";
        }
    }
}

static struct line *new_line(struct script *sc)
{
    sc->v = sim_grow(sc->v, sc->n, &sc->room, sizeof *sc->v);
    sc->v[sc->n] = (struct line){ .args = { .desk = { DESK_NONE, DESK_NONE } } };
    return &sc->v[sc->n++];
}

struct line *script_add(struct script *sc, const char *verb, uint64_t at_ms)
{
    struct line *l = new_line(sc);

    l->number = sc->n;
    l->verb = verb_named(verb);
    l->at_ms = at_ms;
    return l;
}

static bool read_one(struct script *sc, char *text, unsigned number, char why[200])
{
    char what[160] = "";
    struct words w = { .sc = sc, .why = what };
    const struct field *f;
    bool ok;

    split_words(text, &w);
    if (w.n == 0)
        return true;
    if ((f = field_named(w.v[0])) != NULL) {
        ok = sc->n == 0 ? read_setup(&w, f, &sc->setup)
                        : complain(&w, "the setup comes before all else", f->name);
    } else {
        struct line *l = new_line(sc);
        l->number = number;
        ok = read_line(&w, l);
    }
    if (!ok)
        snprintf(why, 200, "line %u: %s", number, what);
    return ok;
}

bool script_read(struct script *sc, const char *text, char why[200])
{
    unsigned number = 1;
    bool ok = true, ends = false;

    *sc = (struct script){ .setup = { .desks = 3, .seats = SIM_STATIONS_MAX, .dice = 1 } };
    while (ok && *text != '\0') {
        size_t n = strcspn(text, "\n");
        char line[512];
        if (n >= sizeof line) {
            snprintf(why, 200, "line %u: too long", number);
            return false;
        }
        memcpy(line, text, n);
        line[n] = '\0';
        ok = read_one(sc, line, number, why);
        text += n + (text[n] == '\n');
        number++;
    }
    for (unsigned i = 0; i < sc->n; i++)
        ends |= strcmp(sc->v[i].verb ? sc->v[i].verb->name : "", "heal") == 0 ||
                strcmp(sc->v[i].verb ? sc->v[i].verb->name : "", "end") == 0;
    if (ok && !ends) {
        snprintf(why, 200, "line %u: there is neither `heal` nor `end`", number);
        return false;
    }
    return ok;
}

void script_free(struct script *sc)
{
    free(sc->v);
    *sc = (struct script){ 0 };
}

/* ---- printing ---- */

static void print_seconds(uint64_t ms)
{
    if (ms % 1000 == 0)
        printf(" %llu", (unsigned long long)(ms / 1000));
    else
        printf(" %llu.%03llu", (unsigned long long)(ms / 1000), (unsigned long long)(ms % 1000));
}

static void print_desk(int desk)
{
    if (desk == DESK_UPLOADER || desk == DESK_ANY)
        printf(" %s", desk == DESK_ANY ? "any" : "uploader");
    else if (desk >= 0)
        printf(" DESK-%d", desk + 1);
}

static void print_args(const char *format, const struct args *a, const struct setup *o)
{
    unsigned desks = 0, nums = 0;

    for (const char *f = format; *f != '\0'; f++) {
        if (*f == 'd')
            print_desk(a->desk[desks++]);
        else if (*f == 'n')
            printf(" %llu", (unsigned long long)a->num[nums++]);
        else if (*f == 's')
            print_seconds(a->num[nums++]);
        else if (*f == 'w')
            printf(" %s", a->word);
        for (unsigned i = 0; *f == 'S' && i < o->desks + o->spare; i++)
            if (a->set[i / 8] >> i % 8 & 1)
                print_desk((int)i);
    }
}

static void print_cond(const struct cond *c, const struct setup *o)
{
    printf("%s", c->kind->name);
    print_args(c->kind->format, &c->args, o);
}

void script_print(const struct script *sc)
{
    struct setup o = sc->setup;

    for (unsigned i = 0; i < sizeof fields / sizeof fields[0]; i++)
        printf("%s %llu\n", fields[i].name, (unsigned long long)*field_of(&o, &fields[i]));
    for (unsigned i = 0; i < sc->n; i++) {
        const struct line *l = &sc->v[i];
        printf("%s", l->follows ? "+" : "at");
        print_seconds(l->at_ms);
        if (l->when.kind) {
            printf(" when ");
            print_cond(&l->when, &o);
            printf(":");
        }
        printf(" %s", l->verb->name);
        if (l->expect.kind) {
            printf(" ");
            print_cond(&l->expect, &o);
            if (strcmp(l->verb->name, "expect") == 0) {
                printf(" within");
                print_seconds(l->args.num[0]);
            }
        } else {
            print_args(l->verb->format, &l->args, &o);
        }
        printf("\n");
    }
}
