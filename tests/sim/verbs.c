/* verbs.c - what a line of a script can say, and how often a seed says it.
 *
 * The weights were found by trying: what kills rules (crashes, cuts, freezes) often, the rest now
 * and then. A seed enables only some of the troubles (plan.c), so that each also meets few others.
 */
#include <string.h>

#include "deeds.h"

static uint64_t ms(struct rng *r, uint64_t from, uint64_t to)
{
    return rng_between(r, from, to);
}

static void draw_crash(struct sim *s, struct rng *r, struct args *a)
{
    (void)s;
    a->num[0] = rng_chance(r, 500) ? ms(r, 50, 850) : ms(r, 1000, 25000);
}

static void draw_die(struct sim *s, struct rng *r, struct args *a)
{
    (void)s;
    a->num[0] = rng_between(r, 0, 6);
}

static void draw_freeze(struct sim *s, struct rng *r, struct args *a)
{
    (void)s;
    a->num[0] = ms(r, 500, 25000);
}

/* Seconds, hours, or years. */
static void draw_clock(struct sim *s, struct rng *r, struct args *a)
{
    static const uint64_t most[] = { 10, 300, 300, 86400, 3 * 365 * 86400u };

    (void)s;
    a->num[0] = ms(r, 1, most[rng_between(r, 0, 4)] * 1000);
    a->num[1] = rng_chance(r, 500);
}

static void draw_split(struct sim *s, struct rng *r, struct args *a)
{
    (void)s;
    rng_fill(r, a->set, sizeof a->set);
}

static void draw_tangle(struct sim *s, struct rng *r, struct args *a)
{
    (void)s;
    a->num[0] = rng_between(r, 100, 600);
}

static void draw_join(struct sim *s, struct rng *r, struct args *a)
{
    (void)s;
    a->num[0] = rng_chance(r, 600);
}

static void draw_lead(struct sim *s, struct rng *r, struct args *a)
{
    (void)s;
    a->num[0] = rng_between(r, 0, 15);
}

static void draw_forge(struct sim *s, struct rng *r, struct args *a)
{
    (void)s;
    a->num[0] = rng_between(r, 0, 2);
}

static void draw_lie(struct sim *s, struct rng *r, struct args *a)
{
    (void)s;
    a->num[0] = rng_between(r, 0, 4);
    a->num[1] = rng_between(r, 0, 2);
}

static void draw_decide(struct sim *s, struct rng *r, struct args *a)
{
    (void)s;
    a->num[0] = rng_chance(r, 200);
}

static void draw_server(struct sim *s, struct rng *r, struct args *a)
{
    (void)s;
    a->num[0] = rng_chance(r, 500);
}

const struct verb verbs[] = {
    /* people */
    { "scan", "dn", "a desk records so many", VERB_AT_DESK, deed_scan, 0, NULL },
    { "traffic", "dns", "so many records in so many seconds", 0, deed_traffic, 0, NULL },
    { "confirm", "d", "a lead confirms all uploads that it knows", VERB_AT_DESK, deed_confirm, 0,
      NULL },
    { "done", "d", "a lead settled by hand what they set aside", VERB_AT_DESK, deed_done, 0, NULL },
    { "loaded", "d", "a lead says of some uploads what was loaded, by the system's own report",
      VERB_AT_DESK, deed_loaded, 0, NULL },
    { "release", "d", "a lead sends again some of what is set aside there", VERB_AT_DESK,
      deed_release, 0, NULL },
    { "cards", "d", "a lead says that the new cards exist", VERB_AT_DESK, deed_cards, 0, NULL },
    { "rule", "d|n", "a lead (1: the second) sends and voids some of what waits to be uploaded",
      VERB_AT_DESK, deed_rule, 0, NULL },
    { "press", "d", "a lead asks for an upload", VERB_AT_DESK, deed_press, 0, NULL },
    { "pause", "d", "a lead wants the upload to wait", VERB_AT_DESK | VERB_TROUBLE, deed_pause, 3,
      NULL },
    { "resume", "d", "and to go on", VERB_AT_DESK, deed_resume, 3, NULL },
    { "blocklist", "dn", "a desk takes in a list of so many blocked users", VERB_AT_DESK,
      deed_blocklist, 0, NULL },
    { "stick", "d", "a desk writes what it holds on the branch's one stick", VERB_AT_DESK,
      deed_stick, 0, NULL },
    { "plug", "d|n", "a desk reads that stick; torn behind so many parts", VERB_AT_DESK, deed_plug,
      0, NULL },
    { "override", "d", "a lead signs an override there, if it is allowed", VERB_AT_DESK,
      deed_override, 0, NULL },
    { "join", "dd|n", "at the first's, the second joins; 1: named for a seat", VERB_AT_DESK,
      deed_join, 3, draw_join },
    { "revoke", "dd", "at the first's, the second is revoked", VERB_AT_DESK | VERB_RARE,
      deed_revoke, 3, NULL },
    { "decide", "d|n", "a lead says whether an item in doubt arrived; 1: wrongly", VERB_AT_DESK,
      deed_decide, 5, draw_decide },
    { "rename", "ddn", "at the first's, a lead gives the second a name and a role by the number",
      VERB_AT_DESK | VERB_TROUBLE, deed_rename, 0, draw_lead },
    { "policy", "dn", "a lead publishes a policy by the number", VERB_AT_DESK | VERB_TROUBLE,
      deed_policy, 0, draw_lead },
    { "lead", "dn", "the root makes (0) or ends (1) a second lead key", VERB_AT_DESK | VERB_TROUBLE,
      deed_lead, 0, draw_lead },
    { "forge", "dn", "lies about a receipt: 0 unsigned, 1 in others' names, 2 its own repeated",
      VERB_AT_DESK | VERB_TROUBLE, deed_forge, 4, draw_forge },
    /* machines */
    { "crash", "d|s", "now, back after so long", VERB_TROUBLE, deed_crash, 18, draw_crash },
    { "die", "dn", "in its next batch: 0 uncommitted, k after k - 1 effects", VERB_TROUBLE,
      deed_die, 10, draw_die },
    { "freeze", "ds", "does nothing, then finds all that came", VERB_TROUBLE, deed_freeze, 12,
      draw_freeze },
    { "slow", "ds", "it computes payloads and lists for so much longer", VERB_TROUBLE, deed_slow, 3,
      draw_freeze },
    { "condition", "dn", "its PC fares by the number: GiB free, and problems", VERB_AT_DESK,
      deed_condition, 0, NULL },
    { "clock", "ds|n", "its wall clock is set forward, or (1) back", VERB_TROUBLE, deed_clock, 6,
      draw_clock },
    { "off", "d", "crashes, and stays down", 0, deed_off, 0, NULL },
    { "on", "d", "is turned on again", 0, deed_on, 0, NULL },
    { "crashes", "n", "so many in 100,000 batches", VERB_TROUBLE, deed_crashes, 0, NULL },
    { "wipe", "d", "crashes; keys and roster are all that is left", VERB_TROUBLE | VERB_RARE,
      deed_wipe, 3, NULL },
    { "image", "d", "a copy of its disk is put aside", VERB_TROUBLE, deed_image, 4, NULL },
    { "restore", "d", "crashes; its disk is that copy again", VERB_TROUBLE | VERB_RARE,
      deed_restore, 3, NULL },
    { "regain", "dd", "at the first's, a lead gives the second, which forgot, its vote back",
      VERB_AT_DESK, deed_regain, 0, NULL },
    { "lose", "d", "is gone for ever", VERB_TROUBLE | VERB_RARE, deed_lose, 2, NULL },
    { "newer", "d", "ran a later version: left a record of unknown kind",
      VERB_AT_DESK | VERB_TROUBLE | VERB_RARE, deed_newer, 2, NULL },
    /* network */
    { "network", "nnn", "lost, doubled, late: in 1000 messages", VERB_TROUBLE, deed_network, 0,
      NULL },
    { "cut", "dd", "both ways between two", VERB_TROUBLE, deed_cut, 6, NULL },
    { "deaf", "dd", "the first hears nothing from the second", VERB_TROUBLE, deed_deaf, 8, NULL },
    { "alone", "d", "one from all", VERB_TROUBLE, deed_alone, 8, NULL },
    { "split", "S", "these from the others", VERB_TROUBLE, deed_split, 8, draw_split },
    { "tangle", "n", "so many in 1000 directions, by chance", VERB_TROUBLE, deed_tangle, 6,
      draw_tangle },
    { "whole", "", "nothing is cut", VERB_TROUBLE, deed_whole, 24, NULL },
    /* server and sink */
    { "server", "n", "the watch says up (1) or down (0)", VERB_TROUBLE, deed_server, 5,
      draw_server },
    { "sink", "n", "so many in 1000 deliveries are late, unanswered or said to have failed",
      VERB_TROUBLE, deed_sink, 0, NULL },
    { "loader", "n", "of a drop, eats files at will (0), at once (1) or never (2)", 0, deed_loader,
      0, NULL },
    { "child", "s", "a session that is executed from now on begins after so long", 0, deed_child, 0,
      NULL },
    /* a member that lies */
    { "lie", "dnn", "the liar writes so many records of history n and gives it",
      VERB_AT_DESK | VERB_TROUBLE, deed_lie, 0, draw_lie },
    { "alter", "d", "it hears a block that somebody altered", VERB_AT_DESK | VERB_TROUBLE,
      deed_alter, 0, NULL },
    { "clone", "dd", "a copy of the first one's running feed reaches the second", VERB_TROUBLE,
      deed_clone, 0, NULL },
    /* the test */
    { "figures", "w", "what it cost since the last such line; -: not to be told", 0, deed_figures,
      0, NULL },
    { "heal", "", "troubles end; the branch must settle", 0, deed_heal, 0, NULL },
    { "end", "", "stop here, settled or not", 0, deed_end, 0, NULL },
    { "expect", "c", "wait until it holds; within 30 s, or `within S` seconds", 0, NULL, 0, NULL },
    { "never", "c", "from now on it must not hold", 0, NULL, 0, NULL },
    { 0 }
};

const struct verb *verb_named(const char *name)
{
    for (const struct verb *v = verbs; v->name; v++)
        if (strcmp(v->name, name) == 0)
            return v;
    return NULL;
}
