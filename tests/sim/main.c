/* main.c - sim [--seeds A-B | --seed N [--trace]] [--desks N] [--all]
 *
 * Stops at the first seed that breaks an invariant and says how to see it again; --all goes on and
 * counts. The default is what CI runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "sim.h"

struct options {
    uint64_t from, to;
    unsigned desks;
    bool trace, all;
};

static bool read_options(int argc, char **argv, struct options *o)
{
    unsigned long long a, b;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--trace") == 0)
            o->trace = true;
        else if (strcmp(argv[i], "--all") == 0)
            o->all = true;
        else if (i + 1 == argc)
            return false;
        else if (strcmp(argv[i], "--seed") == 0 && sscanf(argv[i + 1], "%llu", &a) == 1)
            o->from = o->to = a, i++;
        else if (strcmp(argv[i], "--seeds") == 0 && sscanf(argv[i + 1], "%llu-%llu", &a, &b) == 2)
            o->from = a, o->to = b, i++;
        else if (strcmp(argv[i], "--desks") == 0 && sscanf(argv[i + 1], "%u", &o->desks) == 1)
            i++;
        else
            return false;
    }
    return o->desks >= 1 && o->desks <= SIM_DESKS_MAX && o->from <= o->to;
}

int main(int argc, char **argv)
{
    struct options o = { .from = 1, .to = 300, .desks = 3 };
    struct sim *s = malloc(sizeof *s);
    uint64_t steps = 0, slots = 0, records = 0, crashes = 0, messages = 0, presses = 0, us = 0;
    unsigned broken = 0;
    clock_t began = clock();

    if (!s || sodium_init() < 0 || !read_options(argc, argv, &o)) {
        fprintf(stderr, "usage: sim [--seeds A-B | --seed N [--trace]] [--desks N] [--all]\n");
        return 64;
    }
    for (uint64_t seed = o.from; seed <= o.to && (o.all || broken == 0); seed++) {
        if (!sim_run(s, seed, o.desks, o.trace)) {
            broken++;
            printf("seed %llu: %s\n  again: sim --seed %llu --desks %u --trace\n",
                   (unsigned long long)seed, s->failure, (unsigned long long)seed, o.desks);
        }
        steps += s->steps;
        slots += s->n_slots;
        records += s->records;
        crashes += s->crashes;
        messages += s->messages;
        presses += s->presses;
        us += s->now_us;
        sim_free(s);
    }
    free(s);
    printf("seeds %llu-%llu, %u desks: %u broken; %llu steps, %llu messages, %llu crashes, "
           "%llu presses, %llu slots, %llu records, %.1f virtual hours in %.1f s\n",
           (unsigned long long)o.from, (unsigned long long)o.to, o.desks, broken,
           (unsigned long long)steps, (unsigned long long)messages, (unsigned long long)crashes,
           (unsigned long long)presses, (unsigned long long)slots, (unsigned long long)records,
           (double)us / (double)SECOND / 3600, (double)(clock() - began) / CLOCKS_PER_SEC);
    return broken > 0;
}
