/* plan.c - the script that a seed draws: how big the branch, what people do, what goes wrong.
 *
 * Each seed enables some troubles only ("swarm testing", Groce et al., ISSTA 2012): what needs many
 * crashes and no partitions is then met as well as what needs both. */
#include <string.h>

#include "sim.h"

struct plan {
    struct rng dice;
    struct script *sc;
    uint64_t end_ms;
    unsigned desks;
    bool overrides; /* a lead overrides: who forges receipts is left to other seeds, for a desk that
                       an override made the only seat can */
    bool rare;      /* who is gone, revoked or forgot, too */
    bool forgot;    /* one disk was wiped or set back: two such at once no rule can mend */
};

static int any(struct plan *p)
{
    return (int)rng_between(&p->dice, 0, p->desks - 1);
}

static struct line *line(struct plan *p, const char *verb, uint64_t at_ms)
{
    return script_add(p->sc, verb, at_ms);
}

/* Most branches are small; a few of any size the design speaks of. */
static unsigned draw_desks(struct rng *r)
{
    unsigned u = (unsigned)rng_between(r, 0, 999);

    return u < 300   ? 3
           : u < 450 ? 2
           : u < 500 ? 4
           : u < 800 ? 5
           : u < 960 ? (unsigned)rng_between(r, 6, 7)
           : u < 997 ? (unsigned)rng_between(r, 8, 12)
                     : (unsigned)rng_between(r, 13, 40);
}

/* By dice of its own. */
static uint64_t draw_sink(uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x73696e6b) };
    unsigned u = (unsigned)rng_between(&r, 0, 99);

    return u < 35 ? 0 : u < 45 ? 6 : u < 50 ? 1 : u < 68 ? 2 : u < 82 ? 3 : u < 90 ? 4 : 5;
}

static void setup(struct plan *p, uint64_t seed)
{
    static const uint8_t quiet_s[] = { 0, 2, 30 };
    struct setup *o = &p->sc->setup;

    *o = (struct setup){ .desks = p->desks, .dice = seed, .loose = 1 };
    o->seats = rng_chance(&p->dice, 850) ? p->desks : 1;
    o->quiet = quiet_s[rng_between(&p->dice, 0, 2)];
    o->hold = rng_chance(&p->dice, 500);
    o->liar = p->desks > 2 && seed % 5 != 0 && rng_chance(&p->dice, 300);
    o->sink = draw_sink(seed);
    o->spare = rng_chance(&p->dice, 250) ? rng_between(&p->dice, 1, 3) : 0;
}

static void people(struct plan *p)
{
    unsigned presses = (unsigned)rng_between(&p->dice, 2, 8);

    for (unsigned i = 0; i < p->desks; i++) {
        struct line *l = line(p, "traffic", 0);
        l->args.desk[0] = (int)i;
        l->args.num[0] = rng_between(&p->dice, 5, p->desks > 7 ? 10 : 25);
        l->args.num[1] = p->end_ms;
    }
    for (unsigned i = 0; i < presses; i++) {
        uint64_t at = rng_between(&p->dice, 2000, p->end_ms);
        int desk = any(p);
        line(p, "press", at)->args.desk[0] = desk;
        if (rng_chance(&p->dice, 300)) /* impatient */
            line(p, "press", at + rng_between(&p->dice, 0, 2000))->args.desk[0] = desk;
        if (rng_chance(&p->dice, 300)) /* and somebody else at the same time */
            line(p, "press", at + rng_between(&p->dice, 0, 1000))->args.desk[0] = any(p);
    }
}

static void weather(struct plan *p)
{
    struct line *l = line(p, "network", 0);

    l->args.num[0] = rng_between(&p->dice, 0, 2) * 60;
    l->args.num[1] = rng_between(&p->dice, 0, 60);
    l->args.num[2] = rng_between(&p->dice, 0, 120);
    if (rng_chance(&p->dice, 700))
        line(p, "crashes", 0)->args.num[0] = rng_between(&p->dice, 10, 120);
    if (rng_chance(&p->dice, 800))
        line(p, "sink", 0)->args.num[0] = rng_between(&p->dice, 50, 600);
}

/* Not among the troubles that a seed enables: a liar that seldom lies is none. */
static void lies(struct plan *p)
{
    unsigned n = (unsigned)rng_between(&p->dice, 5, 25);

    for (unsigned i = 0; i < n; i++) {
        const struct verb *v = verb_named(rng_chance(&p->dice, 800) ? "lie" : "alter");
        struct line *l = line(p, v->name, rng_between(&p->dice, 1000, p->end_ms));
        l->args.desk[0] = any(p);
        if (v->draw)
            v->draw(NULL, &p->dice, &l->args);
    }
}

static const struct verb *draw_trouble(struct plan *p, uint64_t enabled, unsigned total)
{
    unsigned u = (unsigned)rng_between(&p->dice, 0, total - 1);
    unsigned i = 0;

    for (const struct verb *v = verbs; v->name; v++, i++) {
        if (!(enabled >> i & 1) || (v->flags & VERB_RARE))
            continue;
        if (u < v->weight)
            return v;
        u -= v->weight;
    }
    return NULL;
}

static void trouble(struct plan *p, const struct verb *v, uint64_t at_ms, const char *when)
{
    struct line *l = line(p, v->name, at_ms);
    const struct setup *o = &p->sc->setup;
    unsigned desks = 0;

    for (const char *f = v->format; *f != '\0'; f++)
        if (*f == 'd')
            l->args.desk[desks++] = any(p);
    if (desks == 2 && p->desks > 1)
        l->args.desk[1] =
            (l->args.desk[0] + (int)rng_between(&p->dice, 1, p->desks - 1)) % (int)p->desks;
    if (strcmp(v->name, "join") == 0)
        l->args.desk[1] = (int)(o->desks + rng_between(&p->dice, 0, o->spare - 1));
    if (v->draw)
        v->draw(NULL, &p->dice, &l->args);
    if (!when)
        return;
    l->when.kind = cond_named(when);
    l->when.args = (struct args){ .desk = { DESK_NONE, DESK_NONE }, .num = { 1 } };
    if (desks > 0 && rng_chance(&p->dice, 700))
        l->args.desk[0] = DESK_UPLOADER;
}

/* The worst moments: an upload is under way. */
static const char *moment(struct plan *p)
{
    static const char *const moments[] = { "gathering", "proposing", "sending", "open", "quiet" };

    return moments[rng_between(&p->dice, 0, 4)];
}

static bool is_enabled(struct plan *p, const struct verb *v)
{
    bool forgets = strcmp(v->name, "wipe") == 0 || strcmp(v->name, "restore") == 0;
    bool takes = forgets || strcmp(v->name, "lose") == 0 || strcmp(v->name, "revoke") == 0;

    if (takes && p->sc->setup.sink == 3) /* the one desk at the drop: nothing goes without it */
        return false;
    if (strcmp(v->name, "decide") == 0)
        return p->sc->setup.sink == 3 || p->sc->setup.sink == 4 || p->sc->setup.sink == 6;
    if (v->weight == 0 || (p->overrides && strcmp(v->name, "forge") == 0) ||
        (!p->rare && v->flags & VERB_RARE) ||
        (strcmp(v->name, "join") == 0 && p->sc->setup.spare == 0) || (forgets && p->forgot))
        return false;
    if (forgets && rng_chance(&p->dice, 80))
        return p->forgot = true;
    if (forgets)
        return false;
    return strcmp(v->name, "whole") == 0 || rng_chance(&p->dice, v->flags & VERB_RARE ? 80 : 600);
}

static void troubles(struct plan *p)
{
    uint64_t enabled = 0, bit = 1;
    unsigned total = 0;

    for (const struct verb *v = verbs; v->name; v++, bit <<= 1)
        if (is_enabled(p, v)) {
            enabled |= bit;
            total += v->flags & VERB_RARE ? 0 : v->weight;
            if (v->flags & VERB_RARE)
                trouble(p, v, rng_between(&p->dice, 5000, p->end_ms),
                        rng_chance(&p->dice, 500) ? moment(p) : NULL);
        }
    for (uint64_t at = rng_between(&p->dice, 0, 5000); at < p->end_ms;
         at += rng_between(&p->dice, 300, 4000))
        trouble(p, draw_trouble(p, enabled, total), at,
                rng_chance(&p->dice, 200) ? moment(p) : NULL);
}

/* The branch is torn, leads override on either side, people press, and it is whole again. Dice of
 * its own: other seeds do not change with it. */
static void overrides(struct plan *p, uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x6f766572) };
    unsigned times = (unsigned)rng_between(&r, 1, 2);

    for (unsigned i = 0; i < times; i++) {
        uint64_t at = rng_between(&r, 20000, p->end_ms - 40000);
        rng_fill(&r, line(p, "split", at)->args.set, SIM_STATIONS_MAX / 8);
        for (unsigned k = 0; k < 5; k++) {
            uint64_t then = at + rng_between(&r, 11000, 30000);
            line(p, "override", then)->args.desk[0] = (int)rng_between(&r, 0, p->desks - 1);
        }
        for (unsigned k = 0; k < 4; k++) {
            uint64_t then = at + rng_between(&r, 1000, 38000);
            line(p, "press", then)->args.desk[0] = (int)rng_between(&r, 0, p->desks - 1);
        }
        line(p, "whole", at + rng_between(&r, 25000, 40000));
    }
}

/* Leads confirm uploads at any moment, and settle by hand. Dice of its own. */
static void erasings(struct plan *p, uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x6572617365) };
    unsigned times = (unsigned)rng_between(&r, 2, 6);

    for (unsigned i = 0; i < times; i++) {
        uint64_t at = rng_between(&r, 20000, p->end_ms);
        line(p, rng_chance(&r, 800) ? "confirm" : "done", at)->args.desk[0] =
            (int)rng_between(&r, 0, p->desks - 1);
    }
}

/* Leads send again what was set aside, and press: also with nothing else to send. Dice of its own.
 */
static void releases(struct plan *p, uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x72656c65617365) };
    unsigned times = (unsigned)rng_between(&r, 2, 6);

    for (unsigned i = 0; i < times; i++) {
        uint64_t at = rng_between(&r, 15000, p->end_ms);
        line(p, rng_chance(&r, 800) ? "release" : "cards", at)->args.desk[0] =
            (int)rng_between(&r, 0, p->desks - 1);
        if (rng_chance(&r, 700))
            line(p, "press", at + rng_between(&r, 0, 8000))->args.desk[0] =
                (int)rng_between(&r, 0, p->desks - 1);
    }
}

/* Leads rule on what waits, at several desks, and press; also at the worst moments. Dice of its own. */
static void rulings(struct plan *p, uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x72756c696e67) };
    unsigned times = (unsigned)rng_between(&r, 3, 10);

    if (rng_chance(&r, 400))
        line(p, "lead", rng_between(&r, 1000, 10000))->args.desk[0] =
            (int)rng_between(&r, 0, p->desks - 1);
    for (unsigned i = 0; i < times; i++) {
        struct line *l = line(p, "rule", rng_between(&r, 5000, p->end_ms));
        l->args.desk[0] = (int)rng_between(&r, 0, p->desks - 1);
        l->args.num[0] = rng_between(&r, 0, 1);
        if (rng_chance(&r, 400)) { /* while somebody gathers, or the seats are being asked */
            l->when.kind = cond_named(rng_chance(&r, 500) ? "gathering" : "proposing");
            l->when.args = (struct args){ .desk = { DESK_NONE, DESK_NONE }, .num = { 1 } };
        } else if (rng_chance(&r, 400)) {
            line(p, "press", l->at_ms + rng_between(&r, 0, 3000))->args.desk[0] =
                (int)rng_between(&r, 0, p->desks - 1);
        }
    }
}

/* Desks take in block lists, apart and at once. Dice of its own. */
static void blocklists(struct plan *p, uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x626c6f636b) };
    unsigned times = (unsigned)rng_between(&r, 1, 5);

    for (unsigned i = 0; i < times; i++)
        line(p, "blocklist", rng_between(&r, 2000, p->end_ms))->args =
            (struct args){ .desk = { (int)rng_between(&r, 0, p->desks - 1) },
                           .num = { rng_between(&r, 1, 40) } };
}

/* Leads work apart: names, policies, a second lead key and its end, with the branch torn between.
 * Dice of its own. */
static void leads_apart(struct plan *p, uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x6c65616473) };
    unsigned times = (unsigned)rng_between(&r, 3, 10);
    uint64_t at = rng_between(&r, 8000, p->end_ms - 20000), whole;
    static const char *const what[] = { "rename", "rename", "policy", "lead" };

    rng_fill(&r, line(p, "split", at)->args.set, SIM_STATIONS_MAX / 8);
    for (unsigned i = 0; i < times; i++) {
        const char *verb = what[rng_between(&r, 0, 3)];
        struct line *l = line(p, verb, at + rng_between(&r, 0, 20000));
        l->args.desk[0] = (int)rng_between(&r, 0, p->desks - 1);
        if (strcmp(verb, "rename") == 0)
            l->args.desk[1] = (int)rng_between(&r, 0, p->desks - 1);
        l->args.num[0] = rng_between(&r, 0, 15);
        if (rng_chance(&r, 300)) /* under the policy of one side, at the worst moment */
            line(p, "press", l->at_ms + rng_between(&r, 0, 5000))->args.desk[0] = l->args.desk[0];
    }
    whole = at + rng_between(&r, 5000, 25000);
    line(p, "whole", whole);
}

/* Somebody presses just when that is most unwelcome: while others gather, propose, hand over or wait.
 * Dice of its own. */
static void worst_moments(struct plan *p, uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x776f727374) };
    unsigned times = (unsigned)rng_between(&r, 2, 8);
    static const char *const moments[] = { "gathering", "building", "proposing", "sending",
                                           "quiet",     "open",     "leads",     "in-doubt" };

    for (unsigned i = 0; i < times; i++) {
        struct line *l = line(p, "press", rng_between(&r, 1000, p->end_ms - 5000));
        l->args.desk[0] = (int)rng_between(&r, 0, p->desks - 1);
        l->when.kind = cond_named(moments[rng_between(&r, 0, 7)]);
        l->when.args = (struct args){ .desk = { DESK_NONE, DESK_NONE }, .num = { 1 } };
    }
}

/* PCs fare well and badly. Dice of its own. */
static void conditions(struct plan *p, uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x636f6e64) };
    unsigned times = (unsigned)rng_between(&r, 1, 12);

    for (unsigned i = 0; i < times; i++)
        line(p, "condition", rng_between(&r, 2000, p->end_ms))->args =
            (struct args){ .desk = { (int)rng_between(&r, 0, p->desks - 1) },
                           .num = { rng_between(&r, 1, 99) } };
}

/* Leads type in what the system's load reports say. Dice of its own. */
static void load_reports(struct plan *p, uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x6c6f6164) };
    unsigned times = (unsigned)rng_between(&r, 1, 5);

    for (unsigned i = 0; i < times; i++)
        line(p, "loaded", rng_between(&r, 20000, p->end_ms))->args.desk[0] =
            (int)rng_between(&r, 0, p->desks - 1);
}

/* Sticks are written and read, at several desks; some twice, some torn, some old. Dice of its own. */
static void sticks(struct plan *p, uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x737469636b) };
    unsigned times = (unsigned)rng_between(&r, 2, 5);

    for (unsigned i = 0; i < times; i++) {
        uint64_t at = rng_between(&r, 5000, p->end_ms);
        unsigned reads = (unsigned)rng_between(&r, 1, 3);
        line(p, "stick", at)->args.desk[0] = (int)rng_between(&r, 0, p->desks - 1);
        for (unsigned k = 0; k < reads; k++)
            line(p, "plug", at + rng_between(&r, 0, 20000))->args =
                (struct args){ .desk = { (int)rng_between(&r, 0, p->desks - 1) },
                               .num = { rng_chance(&r, 200) } };
    }
}

static int who_forgets(const struct plan *p, uint64_t *at_ms)
{
    const struct verb *wipe = verb_named("wipe"), *restore = verb_named("restore");

    for (unsigned i = 0; i < p->sc->n; i++) {
        const struct line *l = &p->sc->v[i];
        *at_ms = l->at_ms;
        if (l->verb == wipe || l->verb == restore)
            return l->args.desk[0];
    }
    return DESK_NONE;
}

/* A lead gives the desk that forgot its vote back, at good and at bad moments, and more goes on.
 * Dice of its own. */
static void regains(struct plan *p, uint64_t seed)
{
    struct rng r = { seed ^ UINT64_C(0x72656761696e) };
    uint64_t from = 0;
    int whose = who_forgets(p, &from);

    if (whose < 0 || rng_chance(&r, 300))
        return;
    p->end_ms += 50000;
    for (unsigned i = 0; i < 10; i++) {
        struct line *l = line(p, "regain", rng_between(&r, from, p->end_ms));
        l->args.desk[0] = (int)rng_between(&r, 0, p->desks - 1);
        l->args.desk[1] = whose;
    }
    for (unsigned i = 0; i < 5; i++) {
        line(p, "press", rng_between(&r, from, p->end_ms))->args.desk[0] =
            (int)rng_between(&r, 0, p->desks - 1);
        line(p, "scan", rng_between(&r, from, p->end_ms))->args =
            (struct args){ .desk = { (int)rng_between(&r, 0, p->desks - 1) }, .num = { 3 } };
    }
    for (unsigned i = p->desks > 1 && rng_chance(&r, 500) ? 3 : 0; i > 0; i--) {
        struct line *l = line(p, "crash", rng_between(&r, from, p->end_ms));
        l->args.desk[0] = (whose + (int)rng_between(&r, 1, p->desks - 1)) % (int)p->desks;
        l->args.num[0] = rng_between(&r, 50, 8000);
    }
}

void plan_draw(uint64_t seed, unsigned desks, struct script *out)
{
    struct plan p = { .dice = { seed ^ UINT64_C(0x706c616e) }, .sc = out };

    *out = (struct script){ 0 };
    p.desks = draw_desks(&p.dice);
    p.desks = desks > 0 ? desks : p.desks;
    p.end_ms = rng_between(&p.dice, 40000, p.desks > 12 ? 60000 : 110000);
    if ((p.overrides = seed % 5 == 0 && p.desks > 1))
        p.end_ms += 50000;
    p.rare = !p.overrides || seed % 10 == 0;
    setup(&p, seed);
    people(&p);
    weather(&p);
    if (rng_chance(&p.dice, 900))
        troubles(&p);
    if (p.overrides)
        overrides(&p, seed);
    if (out->setup.liar)
        lies(&p);
    if (seed % 3 == 1 && !p.overrides)
        releases(&p, seed);
    if (seed % 4 == 1 && !p.overrides && !out->setup.liar)
        erasings(&p, seed);
    if (seed % 6 == 4)
        blocklists(&p, seed);
    if (seed % 4 == 2 && !p.overrides)
        rulings(&p, seed);
    if (seed % 8 == 3)
        leads_apart(&p, seed);
    if (seed % 7 == 5)
        worst_moments(&p, seed);
    if (seed % 9 == 4)
        conditions(&p, seed);
    if (seed % 5 == 2)
        load_reports(&p, seed);
    if (seed % 5 == 3)
        sticks(&p, seed);
    if (p.forgot)
        regains(&p, seed);
    line(&p, "heal", p.end_ms);
}
