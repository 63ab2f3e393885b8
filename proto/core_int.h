/* core_int.h - the core's insides, shared by core.c, core_view.c, recording.c, peers.c and sync.c.
 */
#ifndef TIDEOVER_CORE_INT_H
#define TIDEOVER_CORE_INT_H

#include "core.h"
#include "clocks.h"
#include "fork.h"
#include "hmap.h"
#include "lately.h"
#include "wire.h"
#include "word.h"

struct mark { /* a start of a node: a number that only grows, and a random that tells clones */
    uint64_t number;
    uint8_t random[MARK_BYTES];
};

struct peer {
    struct desk_id id;
    char address[ADDR_TEXT_MAX]; /* proven by a HELLO, or a hint */
    bool proven;
    char software[SOFTWARE_MAX];
    bool ever_heard, up; /* up: our connection to it stands */
    uint64_t heard_ms, hello_ms, connect_ms, up_ms, vector_ms, vector_sent_ms, roster_sent_ms;
    uint64_t beat_every_ms; /* as it says itself */
    uint32_t connects;      /* since it was last heard, for the back-off */
    struct mark mark;       /* the highest it showed, durable here */
    struct mark lost_mark;  /* of the start that it says has lost its memory */
    struct mark spent;      /* to that start of it a decided slot gave the vote back */
    bool has_mark, memory_lost, confirms, says_lost;
    bool greeted;        /* it told what it remembers of this desk */
    uint64_t term_heard; /* the highest that it spoke of as its own */
    uint8_t vector_hash[16];
    uint64_t *have, *sent; /* per feed (by index): durable there; pushed to it */
    unsigned n_have;
    int64_t echo_wall_ms; /* its clock in its last beat, and our boot time then */
    uint64_t echo_boot_ms;
    int64_t ahead_ms; /* its clock minus our boot time, by the best sample */
    bool has_clock;
    uint64_t best_rtt_ms, sample_ms; /* sample_ms: boot time of that */
    struct clock_word *clocks;       /* owned: what it measured, as it said last */
    unsigned n_clocks;
    bool clocks_told;                  /* since we asked */
    uint64_t refused, refused_said_ms; /* how many messages; when the log said so last, 0: never */
    uint64_t agrees;                   /* the horizon it would agree to */
    uint8_t words[WORD_ID_BYTES];      /* the hash of the words that it knows */
    uint8_t released[16];              /* and which released records: their hash */
    enum watch_state sees;             /* how it sees the library's server */
    uint64_t words_sent_ms;
    unsigned words_next; /* where a long set goes on */
    bool searching;      /* asked where our copies of a feed part */
    struct feed_id search_feed;
    uint64_t search_lo, search_ms; /* equal up to here; when asked */
    unsigned silences;             /* searches in a row without an answer */
    uint64_t answers_ms;           /* how many of its searches were answered lately */
    unsigned answers;
    struct standing standing;      /* its ledger, as it said last */
    unsigned evidence_at;          /* how much evidence it was sent */
    uint64_t farewell_ms, told_ms; /* revoked: when we began to tell it so, when we told; 0: not */
    bool let_go;
    struct condition condition; /* of its PC, as it said at condition_ms */
    bool has_condition, condition_told;
    uint64_t condition_ms, condition_told_ms;
    uint64_t mark_ms, newest_ms, older_ms; /* its newest start was first heard, said last; an older
                                              one was said long after that: two PCs have its key */
};

struct blocked_users {
    struct blocklist list, coming; /* in force; being fetched. rows 0: none */
    struct blocklist_draft draft;  /* being imported here; date 0: none */
    uint64_t asked_ms, refused_ms;
    uint8_t refused[BLOCKLIST_ID];
};

/* A decided upload, for as long as there is something to say of it. */
struct past_slot {
    uint64_t slot, set_aside;
    int64_t at_ms; /* the uploader's clock */
    struct desk_id uploader;
    uint8_t intent[HASH_BYTES], aside[ASIDE_HASH_BYTES];
    bool released;              /* it took released records along */
    struct slot_range *unknown; /* owned: its list cannot be computed here */
    unsigned n_unknown;
};

/* Which set-aside records the next upload takes along: release.c. */
struct release {
    struct slot_released *v; /* owned; ordered by record */
    unsigned n, room;
    uint64_t cards;   /* registered up to this upload: they exist in the ILS */
    uint8_t hash[16]; /* zeros: not ready */
    bool ready;
    unsigned words, ops, evidence; /* of what it was computed */
    uint64_t changes, decided;
};

struct past {
    struct past_slot *v; /* uploads only, in order */
    unsigned n, room;
    uint64_t back_to;   /* the horizon: the first slot that stays readable; 0: none is decided */
    uint64_t agrees;    /* how far this desk would let it go now */
    uint64_t agreed;    /* how far it ever said that it would: on the disk before it says so */
    bool gone_is_stale; /* feeds_gone() lags behind it */
    uint64_t known;     /* the lists up to this slot are in the table */
    uint64_t rows[ASIDE_KINDS]; /* of the table, by the last outcome */
    uint64_t changes;           /* of rows */
    uint64_t cards;             /* as the decided uploads say */
    struct release release;
    struct asides list; /* the one that is being written, of list_slot; 0: none */
    uint64_t list_slot;
    unsigned list_at;
    uint64_t ask_ms, look_ms;
    unsigned words_seen;
    unsigned loaded_words, loaded_ops; /* loaded.c: what it looked at */
    uint64_t loaded_known;
    uint64_t
        drop_from; /* rows of slots from here on are of a lost epoch or half written; 0: none */
    struct past_slot *old; /* while an override tells the slots anew */
    unsigned n_old;
    uint64_t noted, note_at; /* answers of uploads up to this one are in the rows; of the next: */
    bool wiping;             /* answers below the horizon go */
    uint8_t wipe_key[DISK_KEY_MAX];
    size_t wipe_len;
    uint64_t wiped_to, wiped_at, wipe_ms; /* back_to and changes as of the last time */
    bool sweep, sweep_at; /* look at all rows for what was said of them; under way */
    uint8_t sweep_key[DISK_KEY_MAX];
    size_t sweep_len;
    struct named { /* by words of one kind; sorted */
        struct record_ref *v;
        unsigned n, room;
    } done, freed, cards_said;
};

struct erasing {
    bool looking; /* from `feed` on there may be something to erase */
    unsigned feed;
    bool owed;       /* erased bytes still stand under keys that are there */
    uint64_t number; /* of the last erased block: an answer to an older one does not count */
    uint64_t forget_ms;
};

struct core {
    struct core_config conf;
    struct effects fx;
    struct roster *roster;
    struct feeds feeds;
    struct ledger *ledger;
    struct ledger_ask ask;
    struct said said;
    unsigned n_forks; /* feeds that are forked */
    bool unsettled;   /* a long tail is still being set aside */
    struct past past;
    struct erasing erase;
    struct mark mark;
    bool memory_lost;
    bool returning; /* a slot gave this start its vote back; once it is ready (restored.c) */
    uint64_t return_term;
    struct desk_id return_to;
    uint64_t heard_number, heard_term; /* the most that others remember of this desk */
    bool confirmed;                    /* this start is known to enough seats */
    bool replaying; /* an override: the decided slots are told anew, half of them is no state */
    bool short_of_memory; /* a cut was not taken in: neither accept nor propose a slot */

    struct peer *peers;
    unsigned n_peers, n_unreached; /* no connection of ours stands, as of this tick */
    uint16_t
        peer_by_id[2 * ROSTER_DESKS_MAX]; /* place + 1, by the id's first bytes, then onwards */

    int own; /* index of the open own feed, -1: none yet */
    struct feed_clock clock;
    struct buf wait; /* records recorded and not sealed */
    uint32_t n_wait;
    uint8_t wait_hash[HASH_BYTES];
    struct hmap keys, old_keys; /* idempotency keys of own records: index into key_refs */
    struct record_ref *key_refs;
    uint64_t n_key_refs;

    struct clocks clocks;
    bool clocks_asking; /* since clocks_ms; asked again at clocks_again_ms */
    uint64_t clocks_ms, clocks_again_ms;
    struct lately lately;
    struct blocked_users blocked;
    struct watch watch;
    struct condition condition; /* of this PC */
    bool condition_known;
    struct sightings sightings;
    uint64_t opened_ms, now_ms, beat_ms, slow_ms, ticked_ms, wake_ms;
    uint64_t refused;
    struct buf lead_key; /* sealed; empty: none kept here */
    uint8_t lead_key_hash[HASH_BYTES];
    uint64_t lead_key_ms; /* when to look again */
    int64_t wall_ms;
};

static inline struct ledger_moment ledger_now(const struct moment *now)
{
    return (struct ledger_moment){ now->boot_ms, now->wall_ms };
}

/* forks.c */
enum err forks_load(struct core *c, struct errmsg *msg); /* after feeds and ledger */
enum err forks_proof(const struct core *c, const struct feed_id *feed, struct buf *raw,
                     struct fork *out);                  /* ERR_MISSING: it is not forked */
void forks_settle(struct core *c);                       /* a slot or the roster moved */
void forks_pin(struct core *c, const struct intent *in); /* the open slot; NULL: decided */
uint64_t forks_counts_to(const struct core *c, const struct feed *f); /* for a fresh slot */
/* How much of a peer's word `seq` is surely our history; hash: of its h(seq), NULL: unknown. */
uint64_t forks_claim(const struct core *c, const struct feed *f, uint64_t seq, const uint8_t *hash);
/* May this block of p's be looked at? Makes room for it. */
bool forks_takes(struct core *c, const struct peer *p, struct feed *f, const struct block *b);
void forks_grown(struct core *c, struct feed *f);
/* A proof as it came, looked at; then taken. */
enum err forks_open_proof(const struct core *c, const uint8_t *p, size_t n, struct fork *k,
                          struct errmsg *msg);
enum err forks_take_proof(struct core *c, const struct fork *k, const uint8_t *p, size_t n);

/* fork_search.c */
void forks_ask_proof(struct core *c, struct peer *p, const struct feed_id *id);
/* A block that does not fit may itself be the other history. Returns whether it proves a fork. */
bool forks_evident(struct core *c, const struct feed *f, const struct fork_run *run);
bool forks_search(struct core *c, struct peer *p, const struct feed *f); /* false: not now */
void forks_send_proof(struct core *c, const struct peer *p, const struct feed *f);
void forks_on_ask(struct core *c, struct peer *p, struct mp *m);
void forks_on_proof(struct core *c, struct peer *p, struct mp *m);

/* core_override.c: what the ledger asks */
void override_replay(void *ctx, bool begins);
enum err override_found(void *ctx, struct intent *in, const struct shown *v, unsigned n);
uint64_t override_held_to(void *ctx);
bool override_reached(void *ctx, const struct desk_id *id);

/* restored.c */
unsigned restored_wanted(void *ctx, struct intent *in);
enum err restored_ok(void *ctx, const struct intent *in, struct errmsg *msg);
void restored_decided(struct core *c, const struct receipt *r, const struct intent *in);
void restored_replay(struct core *c);
void restored_hear(struct core *c, const struct mark *ours, uint64_t term);
void restored_tick(struct core *c);
bool restored_is_ready(const struct core *c); /* this desk, which lost its memory */
bool restored_peer_is_ready(const struct core *c, const struct peer *p);

/* core.c */
enum err core_new_mark(struct core *c); /* one above the last, on the disk */

/* recording.c */
void record_load_keys(struct core *c);

/* core_blocklist.c */
void blocked_free(struct blocked_users *b);
void blocklist_load(struct core *c);
void blocklist_put_version(const struct core *c, struct buf *b);
#define BLOCKLIST_VERSION_FIELDS 3
void blocklist_hear_version(struct core *c, struct peer *p, struct mp *m);
void blocklist_on_ask(struct core *c, struct peer *p, struct mp *m);
void blocklist_on_part(struct core *c, struct peer *p, struct mp *m);
enum err blocklist_allows(const struct core *c, const struct record *r, int64_t now_ms,
                          struct errmsg *msg);

/* core_clocks.c */
struct beat_clock {           /* what a BEAT says of clocks */
    int64_t wall_ms, echo_ms; /* its own; ours as it heard it last (0: never), .. */
    uint64_t held_ms;         /* .. so long ago */
    bool open;                /* it writes a feed: */
    uint8_t name[FEED_NAME_BYTES];
    int64_t feed_ms; /* what that feed's clock shows */
};
#define CLOCK_BEAT_FIELDS 2
void clocks_put_beat(const struct core *c, struct buf *b);
bool clocks_get_beat(struct mp *m, struct beat_clock *out); /* name and feed_ms */
void clocks_on_beat(struct core *c, struct peer *p, const struct moment *now,
                    const struct beat_clock *b);
void clocks_tick(struct core *c, const struct moment *now);
void clocks_on_ask(struct core *c, const struct peer *p);
void clocks_on_words(struct core *c, struct peer *p, struct mp *m);
bool clocks_wait(struct core *c); /* for what the others measured */
/* Of a feed's clock, as this desk measured it; 0: not, or it is not to be believed. */
int64_t clocks_correction(const struct core *c, const struct feed_id *feed);
/* Correction and class of a range that is filled in else. */
void clocks_propose(const struct core *c, const struct feed *f, struct slot_range *r);
/* Once all are filled in: what too many seats measured otherwise is suspect. */
void clocks_settle(const struct core *c, struct intent *in);
enum err clocks_ok(const struct core *c, const struct slot_range *r, struct errmsg *msg);

/* condition.c */
void condition_tick(struct core *c, struct peer *p);
void condition_hear(struct core *c, struct peer *p, struct mp *m);

/* core_lately.c */
void lately_load(struct core *c); /* after the cuts are known */
enum err lately_tell(struct core *c, const struct record *r, enum ask ask, struct told_note *note,
                     struct errmsg *msg);

/* peers.c */
void peer_send(struct core *c, const struct peer *p, struct buf *b);
void peer_refuse(struct core *c, struct peer *p, const char *why); /* a message of it */
bool peer_is_active(const struct core *c, const struct peer *p);
bool peer_gives(const struct core *c, const struct peer *p); /* heard just now, and not revoked */
bool peer_room(struct core *c, struct peer *p);
void peer_learn_have(struct core *c, struct peer *p, unsigned feed, uint64_t seq);
void peer_on_hello(struct core *c, const struct moment *now, struct peer *p, const char *ip,
                   struct mp *m);
bool peer_in_peace(const struct core *c);
void peer_on_beat(struct core *c, const struct moment *now, struct peer *p, struct mp *m);
void peers_count_unreached(struct core *c); /* before a tick of each */
void peer_tick(struct core *c, const struct moment *now, struct peer *p, bool beat);
uint64_t peer_wake_ms(const struct core *c, const struct peer *p); /* beats and conditions aside */
void peer_connect(struct core *c, struct peer *p);
void peer_meta_key(char what, const struct desk_id *id, uint8_t out[1 + DESK_ID_BYTES]);

/* pace.c */
void pace_set(struct core *c);   /* at the end of a tick */
void pace_hurry(struct core *c); /* a tick has something to do now */

/* marks.c */
bool mark_take(struct core *c, struct peer *p, const struct mark *m,
               bool lost); /* true: the peer should hear of what we now remember */
void mark_confirm(struct core *c, struct peer *p,
                  const struct mark *ours);          /* what it remembers of us */
void peer_says_lost(struct core *c, struct peer *p); /* it remembers of us what we do not */
bool peer_is_cloned(const struct core *c, const struct peer *p);
void sync_memory_is_lost(struct core *c);        /* proven, or most others say so; for good */
enum err sync_memory_is_back(struct core *c);    /* nobody's earlier word counts any more */
bool sync_memory_was_lost(const struct disk *d); /* found at an earlier start */
bool sync_mark_confirmed(const struct core *c);

/* farewell.c */
bool peer_is_revoked(const struct core *c, const struct peer *p);
bool farewell_is_ours(const struct core *c); /* we are the revoked desk: be silent */
void farewell_begin(struct core *c, struct peer *p);
void farewell_peer_up(struct core *c, struct peer *p);
void farewell_tick(struct core *c, struct peer *p);

/* leadkey.c */
void leadkey_tick(struct core *c);
void leadkey_on_want(struct core *c, struct peer *p, struct mp *m);
void leadkey_on_key(struct core *c, struct mp *m);

/* sync.c */
void sync_send_vector(struct core *c, struct peer *p);
void sync_send_roster_have(struct core *c, struct peer *p);

/* past.c */
void past_free(struct past *p);
enum err past_load(struct core *c, struct errmsg *msg);
bool past_decided(struct core *c, const struct receipt *r, const struct intent *in);
void past_replay(struct core *c, bool begins); /* an override: the decided slots are told anew */
bool past_can_read(const struct core *c);      /* nothing above the horizon is erased here */
void past_tick(struct core *c);
bool past_is_at_work(const struct core *c); /* the next tick has a piece of it to do */
bool past_is_known(const struct core *c);   /* the lists of all decided uploads are in the table */
/* Has this record no final outcome? slot: of its last one. */
bool past_aside(const struct core *c, const struct record_ref *ref, struct aside *out,
                uint64_t *slot);
bool past_is_unknown(const struct core *c, const struct record_ref *ref, uint64_t *slot);
enum err past_note(struct core *c, uint64_t slot, const struct aside *a);
enum err past_settle_record(struct core *c, const struct record_ref *ref);
/* Its outcomes in uploads from `slot` on never were. */
enum err past_take_back(struct core *c, const struct record_ref *ref, uint64_t slot);
enum err past_count_rows(struct core *c);
uint64_t past_set_aside(const struct core *c);
enum err past_load_number(const struct core *c, const uint8_t *key, size_t n, uint64_t *out);

/* past_said.c */
void past_sweep(struct core *c); /* a piece of the table a tick, after something was said */
void past_hear(struct core *c);  /* a word was said here */

/* past_horizon.c */
enum err past_load_agreed(struct core *c);
void past_learn_agrees(struct core *c); /* now and then */
uint64_t past_wants_horizon(const struct core *c);
enum err past_horizon_ok(const struct core *c, const struct intent *in, struct errmsg *msg);

/* pause.c */
bool core_ask_paused(void *ctx, uint64_t slot); /* of struct ledger_ask */

/* ruling.c */
bool ruling_waits(struct core *c); /* there are some, and too few seats know the same words yet */
/* Those of records under the intent's ranges; without an intent of all that waits. Owned by out. */
enum err ruling_list(const struct core *c, const struct intent *in, struct slot_ruling **out,
                     unsigned *n, struct errmsg *msg);
enum err ruling_ok(const struct core *c, const struct intent *in, bool adopted, struct errmsg *msg);
/* Is a lead's last word on it that it is taken back, as far as is known here? */
bool ruling_voids(const struct core *c, const struct record_ref *ref);

/* release.c */
void release_free(struct release *r);
void release_forget(struct release *r); /* until it is computed anew */
/* Of our own chain: slot numbers are used again after an override, and a lead spoke of the one he saw. */
bool past_speaks_of_ours(const struct core *c, const struct word *w);
void release_refresh(struct core *c); /* after words, rows or leads changed */
bool release_holds(const struct core *c, const struct record_ref *ref); /* in its block, or kept */
bool release_waits(struct core *c); /* not known yet, or the seats do not say the same yet */
enum err release_fill(struct core *c, struct intent *in, struct errmsg *msg);
enum err release_ok(struct core *c, const struct intent *in, bool adopted, struct errmsg *msg);
const struct slot_released *release_of(const struct core *c,
                                       const struct record_ref *ref); /* or NULL */

/* excepted.c */
enum err excepted_load(struct core *c);
void excepted_tick(struct core *c);
bool excepted_identify(const struct core *c, const struct record_ref *ref, uint8_t id[MACHINE_ID]);
void loaded_tick(struct core *c);
bool excepted_are_known(const struct core *c); /* of all decided uploads */

/* erase.c */
void erase_load(struct core *c);
void erase_look(struct core *c); /* there may be something to erase */
enum err erase_owes(struct core *c);
void erase_tick(struct core *c);
bool erase_is_at_work(const struct core *c); /* the next tick has blocks to erase */
void erase_send_floor(struct core *c, const struct peer *p, const struct feed *f);
int erase_on_floor(struct core *c, struct peer *p,
                   struct mp *m); /* index of the feed, -1: not taken */

/* said.c */
unsigned said_send(struct core *c, const struct peer *p, unsigned from); /* returns the next */
void said_compare(struct core *c, struct peer *p, const uint8_t theirs[WORD_ID_BYTES]);
void said_on_word(struct core *c, struct peer *p, struct mp *m);

/* peers.c and sync.c */
enum err sync_peers(struct core *c); /* peers follow the roster */
struct peer *sync_peer(const struct core *c, const struct desk_id *id);
void sync_tick(struct core *c, const struct moment *now);
void sync_message(struct core *c, const struct moment *now, struct peer *p, const char *ip,
                  unsigned type, struct mp *m);
void sync_peer_up(struct core *c, const struct moment *now, struct peer *p);
void sync_send_block(struct core *c, const struct peer *p, const struct feed *f,
                     const struct block *b);
void sync_push(struct core *c, struct feed *f, const struct block *b);
void sync_acknowledge(struct core *c); /* for every feed that moved in this batch */
void sync_send_roster(struct core *c); /* tell everybody that ours changed */
bool sync_is_online(const struct core *c, const struct peer *p);
uint64_t sync_missing(const struct core *c, const struct peer *p);
bool sync_gathered(const struct core *c);
uint64_t sync_have(const struct peer *p, unsigned feed);

#endif
