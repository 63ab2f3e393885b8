/* shrink.c - the shortest list of lines that still breaks the same invariant (delta debugging,
 * Zeller & Hildebrandt 2002): halves first, then quarters, down to single lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

static bool still_fails(const struct script *sc, const char *invariant)
{
    struct sim *s = malloc(sizeof *s);
    size_t n = strlen(invariant);
    bool fails;

    if (!s)
        abort();
    fails =
        !sim_run(s, sc, false) && strncmp(s->failure, invariant, n) == 0 && s->failure[n] == ' ';
    sim_free(s);
    free(s);
    return fails;
}

/* Without lines from..from+n-1, but never without `heal` or `end`. Returns lines taken out. */
static unsigned without(const struct script *sc, unsigned from, unsigned n, struct script *out)
{
    unsigned taken = 0;

    *out = (struct script){ .setup = sc->setup };
    for (unsigned i = 0; i < sc->n; i++) {
        if (i >= from && i < from + n && strcmp(sc->v[i].verb->name, "heal") != 0 &&
            strcmp(sc->v[i].verb->name, "end") != 0) {
            taken++;
            continue;
        }
        out->v = sim_grow(out->v, out->n, &out->room, sizeof *out->v);
        out->v[out->n++] = sc->v[i];
    }
    return taken;
}

static bool take_out(struct script *sc, unsigned n, const char *invariant)
{
    bool any = false;

    for (unsigned from = 0; from < sc->n;) {
        struct script less;
        if (without(sc, from, n, &less) > 0 && still_fails(&less, invariant)) {
            script_free(sc);
            *sc = less;
            any = true;
        } else {
            script_free(&less);
            from += n;
        }
    }
    return any;
}

static bool speaks_of(const struct script *sc, int desk)
{
    for (unsigned i = 0; i < sc->n; i++)
        for (unsigned k = 0; k < 2; k++)
            if (sc->v[i].args.desk[k] == desk || sc->v[i].when.args.desk[k] == desk)
                return true;
    return false;
}

/* The last desks, as long as no line needs them. */
static void fewer_desks(struct script *sc, const char *invariant)
{
    while (sc->setup.desks > 1 && sc->setup.spare == 0 &&
           !speaks_of(sc, (int)sc->setup.desks - 1)) {
        sc->setup.desks--;
        if (still_fails(sc, invariant))
            continue;
        sc->setup.desks++;
        return;
    }
}

void shrink(struct script *sc, const char *invariant)
{
    bool any = true;

    for (unsigned n = (sc->n + 1) / 2; n > 1; n = (n + 1) / 2)
        take_out(sc, n, invariant);
    while (any) {
        any = take_out(sc, 1, invariant);
        fewer_desks(sc, invariant);
    }
}
