/* main.c - sim: seeds or scripts; stops at the first that breaks an invariant and says how to see
 * it again. The default is what a glance needs; CI runs more (CMakeLists.txt). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "sim.h"

extern bool crypto_is_real;

static const char usage[] =
    "usage: sim [--seeds A-B | --seed N | --script FILE]\n"
    "  --desks N   that many in every branch, instead of what the seed says\n"
    "  --jobs N    in N processes\n"
    "  --all       go on after a failure, and count\n"
    "  --trace     every step in words\n"
    "  --print     the script that the seed draws, without running it\n"
    "  --shrink    the shortest script that still breaks the same invariant\n"
    "  --want X..  look for a seed that breaks one of these invariants; pass others over\n"
    "  --dice A-B  a script with each of these dice, not with its own\n"
    "  --figures N,..  what branches of so many desks cost: time, messages, bytes\n"
    "  --real      with libsodium's signatures, not hashes in their place\n";

struct options {
    uint64_t from, to;
    unsigned desks, jobs;
    const char *file, *figures;
    const char *want; /* names with blanks between; NULL: any */
    uint64_t dice, dice_to;
    bool many_dice; /* else the script's own */
    bool trace, all, print, shrink;
};

struct tally {
    struct counts sum;
    uint64_t seeds, broken;
};

static bool read_flag(const char *s, struct options *o)
{
    bool *flag = strcmp(s, "--trace") == 0    ? &o->trace
                 : strcmp(s, "--all") == 0    ? &o->all
                 : strcmp(s, "--print") == 0  ? &o->print
                 : strcmp(s, "--shrink") == 0 ? &o->shrink
                 : strcmp(s, "--real") == 0   ? &crypto_is_real
                                              : NULL;

    if (flag)
        *flag = true;
    return flag != NULL;
}

static bool read_options(int argc, char **argv, struct options *o)
{
    unsigned long long a, b;

    for (int i = 1; i < argc; i++) {
        const char *next = i + 1 < argc ? argv[i + 1] : "";
        if (read_flag(argv[i], o))
            continue;
        if (strcmp(argv[i], "--seed") == 0 && sscanf(next, "%llu", &a) == 1)
            o->from = o->to = a;
        else if (strcmp(argv[i], "--seeds") == 0 && sscanf(next, "%llu-%llu", &a, &b) == 2)
            o->from = a, o->to = b;
        else if (strcmp(argv[i], "--desks") == 0 && sscanf(next, "%u", &o->desks) == 1)
            ;
        else if (strcmp(argv[i], "--jobs") == 0 && sscanf(next, "%u", &o->jobs) == 1)
            ;
        else if (strcmp(argv[i], "--script") == 0 && *next)
            o->file = next;
        else if (strcmp(argv[i], "--want") == 0 && *next)
            o->want = next;
        else if (strcmp(argv[i], "--dice") == 0 && sscanf(next, "%llu-%llu", &a, &b) == 2 && a <= b)
            o->dice = a, o->dice_to = b, o->many_dice = true;
        else if (strcmp(argv[i], "--figures") == 0 && *next)
            o->figures = next;
        else
            return false;
        i++;
    }
    return o->desks <= SIM_STATIONS_MAX && o->from <= o->to && o->jobs >= 1 && o->jobs <= 16;
}

static void add(struct tally *t, const struct counts *c)
{
    t->sum.steps += c->steps;
    t->sum.messages += c->messages;
    t->sum.records += c->records;
    t->sum.crashes += c->crashes;
    t->sum.troubles += c->troubles;
    t->sum.presses += c->presses;
    t->sum.overrides += c->overrides;
    t->sum.doubled += c->doubled;
    t->sum.regains += c->regains;
    t->sum.slots += c->slots;
    t->sum.us += c->us;
}

/* The name of an invariant is the first word of a failure. */
static bool is_wanted(const struct options *o, const char *failure)
{
    size_t n = strcspn(failure, " ");

    for (const char *p = o->want; p && *p != '\0'; p += strspn(p, " ")) {
        size_t len = strcspn(p, " ");
        if (len == n && strncmp(p, failure, n) == 0)
            return true;
        p += len;
    }
    return !o->want;
}

static void run_seed(const struct options *o, uint64_t seed, struct sim *s, struct tally *t)
{
    struct script sc;

    plan_draw(seed, o->desks, &sc);
    t->seeds++;
    if (o->print) {
        script_print(&sc);
    } else if (!sim_run(s, &sc, o->trace) && is_wanted(o, s->failure)) {
        t->broken++;
        printf("seed %llu: %s\n  again: tests/sim/run --seed %llu%s --trace   (or --shrink)\n",
               (unsigned long long)seed, s->failure, (unsigned long long)seed,
               o->desks ? " --desks .." : "");
        if (o->shrink) {
            s->failure[strcspn(s->failure, " ")] = '\0';
            shrink(&sc, s->failure);
            script_print(&sc);
        }
        fflush(stdout);
    }
    if (!o->print) {
        add(t, &s->count);
        sim_free(s);
    }
    script_free(&sc);
}

/* Every jobs-th seed. */
static void run_share(const struct options *o, unsigned share, struct tally *t)
{
    struct sim *s = malloc(sizeof *s);

    if (!s)
        abort();
    for (uint64_t seed = o->from + share; seed <= o->to && (o->all || t->broken == 0);
         seed += o->jobs)
        run_seed(o, seed, s, t);
    free(s);
}

static void run_shares(const struct options *o, struct tally *t)
{
    int ends[16][2];

    for (unsigned i = 0; i < o->jobs; i++) {
        struct tally mine = { 0 };
        fflush(stdout);
        if (pipe(ends[i]) != 0)
            abort();
        if (fork() != 0) {
            close(ends[i][1]);
            continue;
        }
        run_share(o, i, &mine);
        fflush(stdout);
        _exit(write(ends[i][1], &mine, sizeof mine) == (ssize_t)sizeof mine ? 0 : 1);
    }
    for (unsigned i = 0; i < o->jobs; i++) {
        struct tally his;
        int status;
        if (read(ends[i][0], &his, sizeof his) == (ssize_t)sizeof his) {
            add(t, &his.sum);
            t->seeds += his.seeds;
            t->broken += his.broken;
        } else {
            printf("a share of the seeds died\n");
            t->broken++;
        }
        close(ends[i][0]);
        wait(&status);
    }
}

static int run_seeds(const struct options *o)
{
    struct tally t = { 0 };
    struct timespec a, b;

    clock_gettime(CLOCK_MONOTONIC, &a);
    if (o->jobs > 1)
        run_shares(o, &t);
    else
        run_share(o, 0, &t);
    clock_gettime(CLOCK_MONOTONIC, &b);
    if (!o->print)
        printf("%llu seeds (%llu-%llu), %llu broken: %llu steps, %llu messages, %llu troubles, "
               "%llu crashes, %llu presses, %llu overrides (%llu records twice), %llu votes given "
               "back, %llu slots, %llu "
               "records, %.1f virtual hours in "
               "%.1f s\n",
               (unsigned long long)t.seeds, (unsigned long long)o->from, (unsigned long long)o->to,
               (unsigned long long)t.broken, (unsigned long long)t.sum.steps,
               (unsigned long long)t.sum.messages, (unsigned long long)t.sum.troubles,
               (unsigned long long)t.sum.crashes, (unsigned long long)t.sum.presses,
               (unsigned long long)t.sum.overrides, (unsigned long long)t.sum.doubled,
               (unsigned long long)t.sum.regains, (unsigned long long)t.sum.slots,
               (unsigned long long)t.sum.records, (double)t.sum.us / (double)SECOND / 3600,
               (double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) / 1e9);
    return t.broken > 0;
}

static char *read_file(const char *name)
{
    static char text[65536];
    FILE *f = fopen(name, "r");
    size_t n;

    if (!f)
        return NULL;
    n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

/* One line, whatever the dice: they are told only where several were asked for. */
static bool run_script_once(const struct options *o, struct script *sc)
{
    struct sim *s = malloc(sizeof *s);
    bool ok;

    if (!s)
        abort();
    if ((ok = sim_run(s, sc, o->trace)) && !o->many_dice)
        printf("%s: as it should be\n", o->file);
    else if (!ok && o->many_dice)
        printf("%s: dice %llu: %s\n", o->file, (unsigned long long)sc->setup.dice, s->failure);
    else if (!ok)
        printf("%s: %s\n", o->file, s->failure);
    if (!ok && o->shrink) {
        s->failure[strcspn(s->failure, " ")] = '\0';
        shrink(sc, s->failure);
        script_print(sc);
    }
    sim_free(s);
    free(s);
    return ok;
}

static int run_script(const struct options *o)
{
    const char *text = read_file(o->file);
    struct script sc = { 0 };
    char why[200] = "cannot be read";
    unsigned broken = 0;

    if (!text || !script_read(&sc, text, why)) {
        printf("%s: %s\n", o->file, why);
        script_free(&sc);
        return 2;
    }
    if (!o->many_dice)
        broken = !run_script_once(o, &sc);
    for (uint64_t dice = o->dice; o->many_dice && dice <= o->dice_to; dice++) {
        sc.setup.dice = dice;
        broken += !run_script_once(o, &sc);
    }
    if (o->many_dice)
        printf("%s: %llu dice, %u broken\n", o->file,
               (unsigned long long)(o->dice_to - o->dice + 1), broken);
    script_free(&sc);
    return broken > 0;
}

static int run_figures(const char *sizes)
{
    struct sim *s = malloc(sizeof *s);
    int failed = s ? 0 : 1;

    for (char *p = (char *)(uintptr_t)sizes; s && *p && !failed; p += *p == ',') {
        unsigned desks = (unsigned)strtoul(p, &p, 10);
        struct script sc = { 0 };
        char why[200] = "2 to 256 desks";
        if (desks < 2 || desks > SIM_STATIONS_MAX || !figures_script(desks, &sc, why)) {
            printf("%u desks: %s\n", desks, why);
            failed = 64;
        } else {
            failed = !sim_run(s, &sc, false);
            if (failed)
                printf("%u desks: %s\n", desks, s->failure);
            sim_free(s);
        }
        script_free(&sc);
        fflush(stdout);
    }
    free(s);
    return failed;
}

int main(int argc, char **argv)
{
    struct options o = { .from = 1, .to = 300, .jobs = 1 };

    if (sodium_init() < 0 || !read_options(argc, argv, &o)) {
        fputs(usage, stderr);
        return 64;
    }
    if (o.figures)
        return run_figures(o.figures);
    return o.file ? run_script(&o) : run_seeds(&o);
}
