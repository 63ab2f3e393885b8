/* bench_feeds.c - what two desks at rest tell each other about thousands of feeds.
 *
 *   bench_feeds [-n FEEDS]
 *
 * A desk begins a feed at each start and at each step of its clock: 8,000 are five years of a branch. At
 * rest its beats carry one hash over all of them, so that a minute costs as many bytes as with one feed. */
#include "bench_mesh.h"

#include <stdlib.h>
#include <unistd.h>

#define STEP_MS   3000 /* of a wall clock: a feed ends (clock.h) */
#define MINUTE_MS 60000
#define TICK_MS   100
#define SETTLE    100 /* ticks */

static uint64_t held_of(const struct mesh *m, unsigned i)
{
    struct moment now = bench_moment();
    struct core_view v;

    core_view(m->core[i], &now, &v);
    return v.held;
}

/* One record in a feed of its own. */
static void one_feed(struct mesh *m)
{
    m->step_ms += STEP_MS;
    mesh_record(m, 1, 1);
    mesh_settle(m);
}

static void until_equal(struct mesh *m)
{
    for (unsigned i = 0; i < SETTLE || mesh_held(m) != held_of(m, 1); i++) {
        if (i > 100 * SETTLE)
            bench_die("the desks do not come to hold the same");
        mesh_tick(m, TICK_MS);
    }
}

/* Bytes that both send in a minute in which nothing happens. */
static double minute(struct mesh *m, unsigned *letters)
{
    uint64_t bytes = m->bytes, n = m->letters;

    for (unsigned ms = 0; ms < MINUTE_MS; ms += TICK_MS)
        mesh_tick(m, TICK_MS);
    *letters = (unsigned)(m->letters - n);
    return (double)(m->bytes - bytes);
}

int main(int argc, char **argv)
{
    static struct mesh m;
    struct row r = { .id = "feeds",
                     .unit = "bytes",
                     .against = "the same two with one feed",
                     .must = "one hash",
                     .aim = "<= 1.0" };
    unsigned feeds = 8000, before, after;
    char dir[] = "/dev/shm/bench-feeds-XXXXXX", path[64], what[96], note[96];
    double few;
    int c;

    while ((c = getopt(argc, argv, "n:")) != -1) {
        if (c != 'n')
            return 2;
        feeds = (unsigned)atoi(optarg);
    }
    if (!mkdtemp(dir))
        bench_die("no directory in /dev/shm");
    snprintf(path, sizeof path, "%s/desk", dir);
    mesh_open(&m, 2, path);
    one_feed(&m);
    until_equal(&m);
    few = minute(&m, &before);
    for (unsigned i = 1; i < feeds; i++)
        one_feed(&m);
    until_equal(&m);
    samples_add(&r.ours, minute(&m, &after));
    samples_add(&r.theirs, few);
    snprintf(what, sizeof what, "two desks at rest for a minute, that hold %u feeds", feeds);
    snprintf(note, sizeof note, "lower is better; %u messages, with one feed %u", after, before);
    r.what = what;
    r.note = note;
    row_print(&r);
    mesh_close(&m);
    snprintf(path, sizeof path, "rm -rf %s", dir);
    return system(path) == 0 ? 0 : 1;
}
