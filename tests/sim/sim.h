/* sim.h - a whole branch in one process: virtual clock, network, disks, sink. A seed is all.
 *
 * A seed draws a script (plan.c): who does what when, and what goes wrong; a script runs
 * (script.c). Every step is: one event reaches one desk, its batch is committed (or the desk
 * crashes before, or after, or between two effects), its effects go out, and the invariants are
 * looked at (checks.c). With the line `heal` the troubles end, and the branch must settle: one set,
 * one chain of receipts, everything at the sink just once.
 *
 * To add something: a trouble or deed is a row of verbs.c, what a line can wait for a row of
 * conds.c, what must hold a row of checks.c, and its code a file of its own. */
#ifndef TIDEOVER_SIM_H
#define TIDEOVER_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../memdisk.h"
#include "core.h"

#define SIM_STATIONS_MAX 256
#define MS               UINT64_C(1000) /* the simulator counts microseconds */
#define WALL_START_MS    INT64_C(1795500000000)
#define SECOND           (1000 * MS)

struct sim;

/* ---- dice.c: splitmix64 ---- */
struct rng {
    uint64_t s;
};
uint64_t rng_next(struct rng *r);
uint64_t rng_between(struct rng *r, uint64_t from, uint64_t to); /* both included */
bool rng_chance(struct rng *r, unsigned per_mille);
void rng_fill(struct rng *r, void *out, size_t n);

/* ---- queue.c: what is going to happen ---- */
enum event_type {
    EV_TICK,      /* the desk's timer */
    EV_COMMIT,    /* the end of a batch that was left open */
    EV_MESSAGE,   /* bytes from `from` reach `desk` */
    EV_LINK,      /* `desk` tries to connect to `from` */
    EV_LINK_LOST, /* `desk` sees its connection to `from` break */
    EV_RESTART,
    EV_BUILT,     /* answer to EFFECT_BUILD */
    EV_DELIVER,   /* the parcel reaches the sink */
    EV_DELIVERED, /* answer to EFFECT_DELIVER */
    EV_EXECUTE,   /* a request to execute a session reaches its server */
    EV_BEGIN,     /* which sets about it */
    EV_ASIDE,     /* answer to EFFECT_ASIDE, computed now */
    EV_FORGOTTEN, /* answer to EFFECT_FORGET */
    EV_SCAN,      /* somebody records something */
    EV_LINE,      /* line `number` of the script */
    EV_LATE,      /* line `number` expected something by now */
    EV_JUDGE,     /* healed: settled by now? */
};

struct parcel { /* a batch on its way to the sink, or what came of building one */
    struct intent intent;
    uint8_t hash[HASH_BYTES];
    char name[SLOT_PARTS_MAX][96];
    struct slot_part parts[SLOT_PARTS_MAX];
    unsigned n_parts;
    struct slot_aside aside;
    uint64_t item;          /* the one that is meant; 0: all */
    bool look;              /* only a question */
    char key[SINK_KEY_MAX]; /* of the session that is meant */
    struct sent_line { /* of a sink that answers: the lines in the order of the payload; owned */
        struct record_ref ref;
        unsigned kind;
    } * line;
    uint64_t n_lines;
};

struct event {
    enum event_type type;
    int desk, from;
    unsigned life; /* of the desk when it was put; other lives do not see it */
    uint64_t number;
    enum delivery how;
    struct told *told;     /* EV_DELIVERED: of single records; owned */
    bool answers;          /* EV_DELIVER: the desk hears how it went */
    struct buf bytes;      /* owned */
    struct parcel *parcel; /* owned */
};

struct queue {
    struct queued {
        uint64_t at_us, order; /* order breaks ties: first put, first served */
        struct event *e;
    } * v;
    unsigned n, room;
    uint64_t order;
    struct event **spare;
    unsigned n_spare, spare_room;
};
/* Fill in what it returns at once: it is borrowed until the next event is taken. */
struct event *sim_put(struct sim *s, uint64_t in_us, enum event_type type, int desk);
struct event *queue_take(struct sim *s); /* moves the clock; NULL: nothing will ever happen */
void queue_again(struct sim *s, uint64_t in_us, struct event *e); /* takes e back */
void queue_done(struct sim *s, struct event *e);
void queue_free(struct sim *s);

/* ---- script.c: who does what when ---- */
enum { DESK_NONE = -1, DESK_UPLOADER = -2, DESK_ANY = -3 };

struct args { /* as the verb's or condition's format says */
    int desk[2];
    uint64_t num[4]; /* seconds are kept in ms */
    uint8_t set[SIM_STATIONS_MAX / 8];
    char word[24];
};

struct cond_kind { /* a row of conds.c */
    const char *name, *format, *what;
    bool (*holds)(struct sim *s, const struct args *a);
};
struct cond {
    const struct cond_kind *kind; /* NULL: none */
    struct args args;
};

enum {
    VERB_AT_DESK = 1, /* needs the desk up; a frozen one does it when it wakes */
    VERB_TROUBLE = 2, /* none of it after `heal` */
    VERB_RARE = 4,    /* once in a run, and in few runs: it may end the branch's luck */
};
struct verb {                  /* a row of verbs.c */
    const char *name, *format; /* d desk, n number, s seconds, S desks, w word, c condition; | from
                                  here on optional */
    const char *what;
    unsigned flags;
    void (*run)(struct sim *s, const struct args *a);
    unsigned weight; /* how often a seed draws it among its troubles; 0: never */
    void (*draw)(struct sim *s, struct rng *dice, struct args *a); /* NULL: no arguments */
};

struct line {
    unsigned number; /* in its text */
    bool follows;    /* "+ 0.5": counted from the line before having been done */
    uint64_t at_ms;
    struct cond when;
    const struct verb *verb;
    struct args args;
    struct cond expect; /* of expect and never */
    bool done;
};

struct setup { /* a script's first lines: "desks 3" */
    uint64_t desks;
    uint64_t spare; /* further PCs that may join */
    uint64_t seats; /* so many of the desks are named for seats */
    uint64_t quiet; /* the policy's, seconds */
    uint64_t hold;  /* discharges: 1 hold, 0 export */
    uint64_t liar;  /* 1: a further member has a key, no node, and lies */
    uint64_t
        sink; /* scheme: 0 file, 1 key, 2 ask, 3 drop (at DESK-1), 4 blind, 5 tell, 6 collect */
    uint64_t
        steady; /* 1: all clocks are right to 400 ms and run alike, but for what "clock" sets */
    uint64_t dice;
    uint64_t loose; /* drawn: what cannot be done now is passed over, not an error */
};

struct script {
    struct setup setup;
    struct line *v;
    unsigned n, room;
};
bool script_read(struct script *sc, const char *text, char why[200]); /* why: "line 4: ..." */
void script_print(const struct script *sc);
struct line *script_add(struct script *sc, const char *verb, uint64_t at_ms);
void script_free(struct script *sc);
void script_start(struct sim *s);
void script_event(struct sim *s, const struct event *e);
void script_step(struct sim *s); /* is something that a line waits for there? */
bool script_is_done(const struct sim *s, char why[200]);

extern const struct verb verbs[];           /* ends with an empty row */
extern const struct cond_kind cond_kinds[]; /* likewise */
const struct verb *verb_named(const char *name);
const struct cond_kind *cond_named(const char *name);
bool cond_holds(struct sim *s, const struct cond *c);

/* plan.c: the script that a seed draws. desks 0: the dice say */
void plan_draw(uint64_t seed, unsigned desks, struct script *out);

/* ---- the world ---- */
struct link { /* the connection that one desk holds to another */
    bool wanted, up, cut;
    unsigned try_no;    /* a new request makes tries under way void */
    unsigned peer_life; /* it breaks when the other side dies */
};

struct held { /* how far a desk durably held a feed */
    struct feed_id feed;
    uint64_t seq;
};

struct station { /* a desk of the branch, as a machine */
    char name[DESK_NAME_MAX + 1];
    struct ident me;
    struct memdisk *disk, *image; /* image: an old copy, NULL: none */
    uint64_t image_term;
    unsigned image_life, confirmed_life;
    struct core *core; /* NULL: down */
    struct rng dice;
    unsigned life;
    bool member; /* of the branch, or a PC that may join */
    bool off;    /* stays down until somebody turns it on */
    bool gone;   /* burnt or stolen: nobody can */
    bool revoked;
    bool forgot;            /* its disk was wiped or set back. A drawn script lets it crash no more:
                      * alone and often enough, that is the hole of PROTOCOL.md, "Start marks" */
    bool erased_now;        /* blocks went in the batch that was just committed */
    uint64_t erased_judged; /* E3 was looked at when so many slots were decided */
    bool batch_open;
    uint64_t paused_until;
    uint64_t slow_us;       /* so much longer it computes payloads and lists */
    struct condition fares; /* as its shell saw last */
    bool fares_known;
    int crash_at; /* its next batch: -1 whole, 0 not committed, k: k - 1 effects get out */
    int ppm;      /* how wrong its clock runs */
    uint64_t booted_us;
    uint64_t boot_base_ms;
    int64_t wall_base_ms;
    struct record_ref fresh[256]; /* recorded, not yet acknowledged */
    unsigned n_fresh;
    struct record_ref last;  /* the newest acknowledged, for voids */
    struct ledger_view view; /* as it was at its last step */
    /* what check_*.c know of it */
    struct held *held;
    unsigned n_held, held_room;
    uint64_t held_records;
    uint64_t term, dec; /* what its disk says of the ledger */
    bool voted;
    struct desk_id voted_for;
    uint8_t acc_hash[HASH_BYTES]; /* what it accepted last, though the disk may be gone */
    bool has_acc;
    struct progress acc_at; /* as its disk says */
    uint8_t acc_intent[HASH_BYTES];
    bool acc_moved; /* in the batch that was just committed */
    uint64_t acc_slot, dec_ever;
    unsigned ops;             /* roster operations at its last commit */
    unsigned votes_forgotten; /* that it gave before it forgot */
    bool knows_lost;          /* it knows that it forgot */
    bool new_memory;          /* what was known of its disk is void: it starts from another one */
};

struct known_feed {
    struct feed_id id;
    uint64_t acked;     /* a person saw "recorded" up to here */
    uint64_t confirmed; /* a lead said that uploads up to here arrived */
    uint64_t in_slot, at_sink;
    uint64_t unknown_from; /* of a kind that nobody knows: no slot goes so far; 0: none */
};

struct
    happened { /* a record, when it was made, and the time that somebody typed from paper, if so */
    struct record_ref ref;
    int64_t true_ms, paper_ms;
};

struct sink_file {
    char name[96];
    uint8_t sha256[32];
};

struct item { /* of a sink with steps */
    uint64_t upload, number;
    unsigned times;   /* it arrived */
    unsigned allowed; /* repetitions, by a person's wrong word */
    bool there;       /* a drop's file that no loader has eaten */
    bool given_up;    /* a person said wrongly that it arrived */
    bool judged;      /* a sink that answers has made up its mind about this record: */
    enum answer verdict;
};

struct vote {
    uint64_t term;
    int voter, candidate;
};

struct sent { /* the delivery that began last */
    uint64_t slot, term;
    int desk;
    uint64_t at_us;
    bool answered;
};

struct counts {
    uint64_t steps, messages, bytes, records, crashes, troubles, presses, slots, overrides, regains,
        doubled, us;
};

struct sim {
    const struct script *script;
    struct line *line; /* a copy of the script's, with what was done */
    unsigned n_lines;
    uint64_t now_us;
    struct rng dice;
    bool trace, healed, over;
    char failure[400]; /* empty: none */
    unsigned n;        /* stations: desks and spare PCs */
    struct station *desk;
    uint16_t by_id[4 * SIM_STATIONS_MAX]; /* place + 1, by the id's first bytes, then onwards */
    uint8_t lead_pk[KEY_BYTES], lead_sk[SIGN_SK_BYTES], root_sk[SIGN_SK_BYTES];
    struct ident second; /* a further lead, if the root makes it one */
    struct queue queue;
    unsigned *armed, n_armed; /* lines that wait for a condition */
    /* troubles */
    struct link *links;           /* n * n: net_link() */
    unsigned loss, dup, slow;     /* per mille */
    unsigned crash_step;          /* per 100,000 steps */
    unsigned sink_fails;          /* per mille of the deliveries */
    unsigned loader;              /* of a drop: 0 eats at will, 1 at once, 2 never */
    bool server_known, server_up; /* as the desks' watch says */
    unsigned revoked;             /* desks */
    uint64_t deadline_us, last_press_us;
    /* memory of the invariants */
    struct known_feed *feed;
    unsigned n_feeds, feeds_room;
    uint8_t slot_hash[1024][HASH_BYTES];
    uint64_t slot_term[1024];    /* the highest in which a receipt was written */
    uint64_t n_slots, n_at_sink; /* slots are decided in order: 1..n_slots */
    struct sink_file *file;
    unsigned n_files, files_room;
    struct happened *happened;
    unsigned n_happened, happened_room;
    struct sent last_sent;
    struct item *item;
    unsigned n_items, items_room;
    struct sessions *sessions; /* session.c; NULL: none so far */
    uint64_t child_us;         /* so long until one that is executed begins; 0: as it comes */
    uint64_t tellings; /* each has words of its own, so that two desks that were told differ */
    struct vote *vote;
    unsigned n_votes, votes_room;
    struct releases *releases;    /* releases.c; NULL: none so far */
    struct rulings *rulings;      /* rulings.c; NULL: none so far */
    struct stick *stick;          /* sticks.c; NULL: none is written */
    struct overrides *overrides;  /* NULL: the script has none, and all invariants are strict */
    struct counts count, figures; /* figures: at the last line of that name */
    struct liar *liar;            /* liar.c; NULL: everybody is honest */
};

/* Runs a script; false: an invariant broke, s->failure says which. sim_free() in any case. */
bool sim_run(struct sim *s, const struct script *script, bool trace);
void sim_free(struct sim *s);

void sim_fail(struct sim *s, const char *invariant, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void sim_trace(const struct sim *s, int desk, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct moment sim_moment(const struct sim *s, int desk);
int sim_desk_of(const struct sim *s, const struct desk_id *id); /* -1: nobody */
int sim_any_desk(struct sim *s);                                /* a member, up or not */
bool sim_counts(const struct sim *s, int desk); /* of the branch, neither revoked nor gone */
int sim_first(const struct sim *s);             /* the first of those; -1: none */
int sim_uploader(const struct sim *s);          /* -1: nobody */
void *sim_grow(void *v, unsigned n, unsigned *room, size_t size);

/* branch.c: founding, with real operations */
void branch_found(struct sim *s);

/* station.c: a desk's life */
void station_make(struct sim *s, unsigned i);
void station_look(struct sim *s, int desk); /* it looks at the server */
void station_start(struct sim *s, int desk);
void station_note_confirmed(struct sim *s, int desk);
void station_crash(struct sim *s, int desk, uint64_t back_in_us, const char *when);
void station_finish(struct sim *s, int desk); /* the end of a batch */
void station_after_event(struct sim *s, int desk);

/* members.c: who joined at a desk that was lost before anybody else heard of it is out again */
void members_strand(struct sim *s);

/* condition.c */
void condition_say(struct sim *s, int desk);

/* people.c */
void people_scan(struct sim *s, int desk, unsigned n);

/* net.c */
static inline struct link *net_link(const struct sim *s, int from, int to)
{
    return &s->links[(unsigned)from * s->n + (unsigned)to];
}
void net_send(struct sim *s, int from, int to, struct buf *bytes);
void net_connect(struct sim *s, int from, int to);
bool net_try(struct sim *s, int from, int to, unsigned try_no); /* connected? else again later */
void net_lost(struct sim *s, int from, int to);
void net_desk_died(struct sim *s, int desk);
void net_heal(struct sim *s);

/* figures.c */
bool figures_met(struct sim *s, const struct args *a);
bool figures_same(struct sim *s, const struct args *a);
bool figures_script(unsigned desks, struct script *sc, char why[200]);

/* liar.c */
void liar_make(struct sim *s);
void liar_free(struct sim *s);
const struct ident *liar_ident(const struct sim *s); /* NULL: none */

/* words.c: a message in words, for the trace */
void words_of_message(const struct sim *s, const struct buf *bytes, char out[160]);

/* sink.c */
void sink_build(struct sim *s, int desk, const struct effect *e);
void sink_aside(struct sim *s, int desk, const struct moment *now, uint64_t slot);
void sink_deliver(struct sim *s, int desk, const struct effect *e);
void sink_too_late(struct sim *s, int desk, const struct effect *e); /* and answers so */
void sink_note_arrived(struct sim *s, const struct intent *in);
void sink_arrive(struct sim *s, struct event *e); /* EV_DELIVER */
struct event *sink_answer(struct sim *s, int desk, uint64_t number, uint64_t in_us,
                          enum delivery how);
void parcel_free(struct parcel *p);

/* releases.c */
void releases_note(struct sim *s, uint64_t slot, const struct asides *list);
void releases_free(struct sim *s);

/* rulings.c */
void rulings_free(struct sim *s);

/* sticks.c */
void sticks_free(struct sim *s);

/* overrides.c */
void overrides_begin(struct sim *s);
void overrides_free(struct sim *s);
void overrides_at_sink(struct sim *s, uint64_t upload, bool twice);

/* steps.c */
uint64_t steps_life_us(const struct sim *s);
uint64_t steps_upload(const uint8_t intent[HASH_BYTES]); /* two epochs may use one slot number */
enum delivery steps_arrive(struct sim *s, const struct parcel *p, struct told *told);
void steps_plugin(struct sim *s, const struct parcel *p, struct told *told);
struct item *steps_item(struct sim *s, uint64_t upload, uint64_t number);
void steps_judge(struct sim *s, struct item *i);
void steps_tell(struct sim *s, const struct parcel *p, uint64_t line, enum answer a,
                struct told *told);
void steps_settled(struct sim *s, const struct intent *in, const struct receipt *r);

/* session.c */
/* False: nothing is to be answered yet. */
bool session_arrive(struct sim *s, struct event *e, enum delivery *how, struct told *told);
void session_event(struct sim *s, const struct event *e); /* EV_EXECUTE, EV_BEGIN */
bool session_waits_for_child(const struct sim *s);
bool session_is_executed(const struct sim *s, uint64_t upload);
void session_allow_again(struct sim *s, uint64_t upload);
/* May the line be in doubt or held, by what became of the session? */
bool session_fits(const struct sim *s, const char *key, uint64_t line, enum answer a);
void sessions_free(struct sim *s);

/* ---- what must hold: PROTOCOL.md, "Ledger" ---- */
struct check { /* a row of checks.c; every function may be NULL */
    const char *name;
    /* One change of the desk's disk, as it becomes durable; val NULL: deleted. */
    void (*durable)(struct sim *s, int desk, enum table t, const uint8_t *key, size_t n,
                    const uint8_t *val, size_t len);
    void (*committed)(struct sim *s, int desk); /* the whole batch is durable */
    void (*effect)(struct sim *s, int desk, const struct effect *e); /* about to be carried out */
    void (*started)(struct sim *s, int desk);
    void (*step)(struct sim *s, int desk); /* desk took part in it; its view is fresh */
    bool (*settled)(const struct sim *s, char why[200]);
    void (*end)(struct sim *s); /* healed and settled */
};
extern const struct check *const checks[]; /* ends with NULL */

void checks_commit(struct sim *s, int desk); /* commits the desk's batch, looking at each change */
void checks_effect(struct sim *s, int desk, const struct effect *e);
void checks_started(struct sim *s, int desk);
void checks_step(struct sim *s, int desk);
bool checks_settled(const struct sim *s, char why[200]);
void checks_end(struct sim *s);

/* check_records.c */
struct known_feed *check_feed(struct sim *s, const struct feed_id *id);
void check_acknowledged(struct sim *s, int desk);
void check_disk_lost(struct sim *s, int desk); /* what only it held may be lost */
uint64_t check_behind_unknown(const struct sim *s, const struct core *c); /* records that wait */
/* check_quorum.c: too many seats are gone or forgot: only people can go on from there */
bool check_is_stuck(const struct sim *s);
/* check_ledger.c: one intent for a slot, wherever it is called decided or delivered */
void check_one_intent(struct sim *s, uint64_t slot, const uint8_t hash[HASH_BYTES],
                      const char *where);

/* shrink.c: leaves lines out while it still fails by the same invariant */
void shrink(struct script *sc, const char *invariant);

#endif
