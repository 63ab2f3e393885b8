/* sim.h - a whole branch in one process: virtual clock, network, disks, sink. A seed is all.
 *
 * Every step is: one event reaches one desk, its batch is committed (or the desk crashes before, or
 * right after), its effects go out, and the invariants are looked at (check.c). After a while the
 * troubles end ("healed"), and the branch must settle: one set, one chain of receipts, everything
 * at the sink just once. */
#ifndef TIDEOVER_SIM_H
#define TIDEOVER_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../memdisk.h"
#include "core.h"

#define SIM_DESKS_MAX 64
#define MS            UINT64_C(1000) /* the simulator counts microseconds */
#define SECOND        (1000 * MS)

/* ---- dice ---- */
struct rng {
    uint64_t s;
};
uint64_t rng_next(struct rng *r);
uint64_t rng_between(struct rng *r, uint64_t from, uint64_t to); /* both included */
bool rng_chance(struct rng *r, unsigned per_mille);
void rng_fill(struct rng *r, void *out, size_t n);

/* ---- events ---- */
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
    EV_SCAN,      /* somebody records something */
    EV_PRESS,     /* a lead presses */
    EV_CHAOS,
    EV_HEAL,
    EV_JUDGE, /* healed: settled by now? */
};

struct parcel { /* a batch on its way to the sink */
    struct intent intent;
    uint8_t hash[HASH_BYTES];
    char name[SLOT_PARTS_MAX][96];
};

struct event {
    uint64_t at_us, order; /* order breaks ties: first put, first served */
    enum event_type type;
    int desk, from;
    unsigned life; /* of the desk when it was put; other lives do not see it */
    uint64_t number;
    enum delivery how;
    bool answers;          /* EV_DELIVER: the desk hears how it went */
    struct buf bytes;      /* owned */
    struct parcel *parcel; /* owned */
    struct slot_part parts[SLOT_PARTS_MAX];
    unsigned n_parts;
};

/* ---- the world ---- */
struct link { /* the connection that one desk holds to another */
    bool wanted, up;
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
    struct memdisk *disk;
    struct core *core; /* NULL: down */
    struct rng dice;
    unsigned life;
    bool batch_open;
    uint64_t paused_until;
    int ppm; /* how wrong its clock runs */
    uint64_t booted_us;
    uint64_t boot_base_ms;
    int64_t wall_base_ms;
    struct record_ref fresh[256]; /* recorded, not yet acknowledged */
    unsigned n_fresh;
    struct record_ref last; /* the newest acknowledged, for voids */
    struct held *held;
    unsigned n_held, held_room;
    uint64_t held_records;
    /* what its disk says of the ledger */
    uint64_t term, dec;
    bool voted;
    struct desk_id voted_for;
    uint8_t acc_hash[HASH_BYTES];
    bool has_acc;
};

struct known_feed {
    struct feed_id id;
    uint64_t acked; /* a person saw "recorded" up to here */
    uint64_t in_slot, at_sink;
};

struct sink_file {
    char name[96];
    uint8_t sha256[32];
};

struct vote {
    uint64_t term;
    int voter, candidate;
};

struct sim {
    uint64_t seed, now_us, order, steps;
    struct rng dice;
    bool trace, healed, over;
    char failure[400]; /* empty: none */
    unsigned n;        /* desks */
    struct station desk[SIM_DESKS_MAX];
    uint8_t lead_pk[KEY_BYTES], lead_sk[SIGN_SK_BYTES];
    struct event *heap;
    unsigned n_heap, heap_room;
    /* troubles */
    struct link link[SIM_DESKS_MAX][SIM_DESKS_MAX];
    bool cut[SIM_DESKS_MAX][SIM_DESKS_MAX];
    unsigned loss, dup, slow; /* per mille */
    unsigned crash_step;      /* per 100,000 steps, on top of planned crashes */
    uint64_t heal_us, deadline_us, last_press_us;
    /* memory of the invariants */
    struct known_feed *feed;
    unsigned n_feeds, feeds_room;
    uint8_t slot_hash[1024][HASH_BYTES];
    uint64_t n_slots, n_at_sink; /* slots are decided in order: 1..n_slots */
    struct sink_file *file;
    unsigned n_files, files_room;
    struct vote *vote;
    unsigned n_votes, votes_room;
    uint64_t records, crashes, messages, presses, retries;
};

/* Runs one seed; false: an invariant broke, s->failure says which. sim_free() in any case. */
bool sim_run(struct sim *s, uint64_t seed, unsigned desks, bool trace);
void sim_free(struct sim *s);

void sim_fail(struct sim *s, const char *invariant, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void sim_trace(const struct sim *s, int desk, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
struct event *sim_put(struct sim *s, uint64_t in_us, enum event_type type, int desk);
struct moment sim_moment(const struct sim *s, int desk);
int sim_desk_of(const struct sim *s, const struct desk_id *id); /* -1: nobody */
void *sim_grow(void *v, unsigned n, unsigned *room, size_t size);

/* net.c */
void net_send(struct sim *s, int from, int to, struct buf *bytes);
void net_connect(struct sim *s, int from, int to);
bool net_try(struct sim *s, int from, int to, unsigned try_no); /* connected? else again later */
void net_lost(struct sim *s, int from, int to);
void net_desk_died(struct sim *s, int desk);
void net_cut_some(struct sim *s);
void net_heal(struct sim *s);

/* sink.c */
void sink_build(struct sim *s, int desk, const struct effect *e);
void sink_deliver(struct sim *s, int desk, const struct effect *e);
enum delivery sink_take(struct sim *s, const struct parcel *p); /* at the sink */
void parcel_free(struct parcel *p);

/* check.c: the invariants I1 to I9 of PROTOCOL.md, and the promises about records */
struct known_feed *check_feed(struct sim *s, const struct feed_id *id);
void check_durable(struct sim *s, int desk); /* commits the desk's batch, looking at each change */
void check_effect(struct sim *s, int desk, const struct effect *e);
void check_acknowledged(struct sim *s, int desk);
void check_restart(struct sim *s, int desk);
void check_leases(struct sim *s);
bool check_is_settled(const struct sim *s, char why[200]);
void check_end(struct sim *s);

#endif
