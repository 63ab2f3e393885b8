/* core.h - everything a desk decides: events in, effects out.
 *
 * The core is the whole protocol behind one handle: roster, feeds, sync, start marks, ledger. It
 * reads and writes through a lent disk, and appends what it wants done to a list of effects. The
 * caller handles a batch of events, commits the disk, and only then carries out the effects. If the
 * commit fails, or mem_refused() (mem.h) has grown since the last commit, it throws both away and
 * opens a new core over what the disk still holds.
 *
 * node/loop.c drives one over LMDB and ZeroMQ; tests/sim drives hundreds over memory. */
#ifndef TIDEOVER_CORE_H
#define TIDEOVER_CORE_H

#include "aside.h"
#include "blocklist.h"
#include "condition.h"
#include "disk.h"
#include "effect.h"
#include "feeds.h"
#include "ident.h"
#include "lately.h"
#include "ledger.h"
#include "merge.h"
#include "roster.h"
#include "sightings.h"
#include "watch.h"
#include "word.h"

#define ADDR_TEXT_MAX 64 /* "255.255.255.255:65535", "[v6]:port" */
#define MARK_BYTES    16
#define SOFTWARE_MAX  24

#define ANSWER_BYTES_MAX (32u << 20) /* that wait for one desk in a batch of events */

#define BEAT_MS         1000 /* while the server is down or a slot is open */
#define BEAT_PEACE_MS   2000
#define BEAT_SLOWEST_MS 30000 /* what a peer may announce at most */
#define PEER_QUIET_MS   3000
#define PEER_AWAY_MS    10000
#define PEER_LATE_MS    500 /* a beat so late: its connection is made anew */

struct core;

struct moment {
    uint64_t boot_ms; /* CLOCK_BOOTTIME */
    int64_t wall_ms;  /* CLOCK_REALTIME */
    int utc_off_min;  /* of this PC, for display in records */
};

struct core_config {
    const struct ident *me;                       /* borrowed for the core's life */
    const struct disk *disk;                      /* borrowed */
    void (*dice)(void *ctx, void *out, size_t n); /* cryptographic random bytes */
    void *dice_ctx;
    char address[ADDR_TEXT_MAX]; /* where peers reach us: "10.0.0.5:7411" or ":7411" */
    char software[SOFTWARE_MAX]; /* "1.0.0" */
};

/* Loads all; draws and puts the start mark (commit before connecting). The roster must be there
 * (setup.h put it). ERR_MISSING: this disk belongs to no branch yet. */
enum err core_open(const struct core_config *c, const struct moment *now, struct core **out,
                   struct errmsg *msg);
void core_close(struct core *c);
/* Puts on a fresh disk, before it is opened, that this desk had another one and lost it: no vote,
 * and its copies do not count (PROTOCOL.md, "Start marks"). Commit. */
enum err core_forgot(const struct disk *d);

struct effects *core_effects(struct core *c); /* what is to be done; clear after doing it */

/* ---- events ---- */
void core_tick(struct core *c, const struct moment *now);
/* When core_tick() is wanted next (boot time): 100 ms after the last one while anything goes on;
 * else as a beat is due, ours or a peer's. Any event may bring it forward: ask again. */
uint64_t core_next_tick(const struct core *c);
/* ip: numeric address the message came from, "" if unknown. */
void core_message(struct core *c, const struct moment *now, const struct desk_id *from,
                  const char *ip, const uint8_t *p, size_t n);
void core_peer_up(struct core *c, const struct moment *now, const struct desk_id *peer);
void core_peer_down(struct core *c, const struct desk_id *peer);
/* The transport refused a desk that is revoked: it is told so, in a connection of ours. */
void core_knocked(struct core *c, const struct moment *now, const struct desk_id *peer);
/* One look at the library's server; NULL: it is not watched (any more). */
void core_server(struct core *c, const struct moment *now, const struct watch_check *check);
/* A hint where a desk may be found (configuration, beacon); it never replaces a proven address. */
void core_hint(struct core *c, const struct desk_id *peer, const char *address);
/* How this PC fares: told to the others when it changed, and now and then. */
void core_condition(struct core *c, const struct condition *mine);

/* Records one thing. The record is checked (desk.h), dated, chained and waits for core_seal().
 * r->key repeats: the first record's place comes back, *again is set and nothing is written. */
enum err core_record(struct core *c, const struct moment *now, struct record *r,
                     struct record_ref *out, bool *again, struct errmsg *msg);
/* The same, and looks what the branch did a moment ago (lately.h). ASK: what wants an answer and
 * has none (RECORD_CONFIRMED) is ERR_REFUSED with the rule's code, and nothing is written. */
enum ask { ASK, ASK_NOT };
struct told_note {
    enum lately_what what; /* LATELY_NOTHING: there is nothing to tell */
    struct record_ref other;
    char desk[DESK_NAME_MAX + 1];
    int64_t at_ms;
    char text[256];
};
enum err core_record_telling(struct core *c, const struct moment *now, struct record *r,
                             enum ask ask, struct told_note *note, struct record_ref *out,
                             bool *again, struct errmsg *msg);
/* Signs what waits, puts it on the disk and pushes it to the peers. Call once before the commit. */
enum err core_seal(struct core *c, struct errmsg *msg);

/* A block list, in three steps: the last one replaces the one in force, if it is newer. */
enum err core_blocklist_begin(struct core *c, const struct moment *now,
                              enum blocklist_format format, int64_t date_ms, struct errmsg *msg);
enum err core_blocklist_lines(struct core *c, const char *p, size_t n, struct errmsg *msg);
enum err core_blocklist_end(struct core *c, const struct moment *now, struct errmsg *msg);
const struct blocklist_head *core_blocklist(const struct core *c); /* NULL: none */
enum blocked core_blocked(const struct core *c, const char *user);

enum err core_roster_add(struct core *c, const struct moment *now, const uint8_t *op, size_t n,
                         struct errmsg *msg);
/* The sealed lead key that this PC keeps: at the start, or (fresh) made here just now; then an
 * effect asks to keep it once the operation that names it is durable. */
void core_lead_key(struct core *c, const uint8_t *sealed, size_t n, bool fresh);
enum err core_trigger(struct core *c, const struct moment *now, const uint8_t *p, size_t n,
                      struct errmsg *msg);
/* A word, signed here (word.h): kept, and sent to all. Errors as of said_take(). */
enum err core_say(struct core *c, const struct moment *now, const uint8_t *word, size_t n,
                  struct errmsg *msg);
/* The word that gives a desk that lost its memory its vote back, to be signed by a lead and said:
 * all but key and time, and the one record reference that it needs. ERR_REFUSED, ERR_BUSY say why
 * not (not_lost, cloned, revoked, no_majority; not_heard, catching_up). */
enum err core_draft_restore(const struct core *c, const struct desk_id *id, struct word *w,
                            struct buf *refs, struct errmsg *msg);
enum err core_decide(struct core *c, const struct moment *now, const uint8_t *p, size_t n,
                     struct errmsg *msg); /* a lead's word on what is in doubt: delivery.h */
void core_built(struct core *c, const struct moment *now, uint64_t number,
                const struct slot_part *parts, unsigned n_parts, const struct slot_aside *aside,
                const char *failure);
/* Answers to EFFECT_ASIDE (list is emptied) and EFFECT_FORGET. */
void core_asides(struct core *c, const struct moment *now, uint64_t slot, struct asides *list,
                 const char *failure);
void core_forgotten(struct core *c, uint64_t number);
void core_delivered(struct core *c, const struct moment *now, uint64_t number, enum delivery how,
                    const char *words, const struct told *told); /* NULL: nothing */
/* The secrets for the sink are other ones than those that were refused. */
void core_login_changed(struct core *c, const struct moment *now);

/* ---- questions ---- */
const struct roster *core_roster(const struct core *c);
const struct feeds *core_feeds(const struct core *c);
const struct ledger *core_ledger(const struct core *c);
const struct sightings *core_sightings(const struct core *c);
const struct said *core_said(const struct core *c);
void core_ledger_view(const struct core *c, const struct moment *now, struct ledger_view *out);

/* 200 known, 300 unknown (may come back once the roster says so), 400 revoked: RFC 27. */
int core_admits(const struct core *c, const uint8_t curve_pk[KEY_BYTES], struct desk_id *who);

enum peer_state { PEER_ONLINE, PEER_QUIET, PEER_UNREACHABLE, PEER_REVOKED, PEER_RETIRED };
const char *peer_state_name(enum peer_state s);
struct peer_view {
    struct desk_id id;
    enum peer_state state;
    bool ever_heard, inbound_only, memory_lost, cloned, has_clock;
    bool restorable;          /* it lost its memory, and a lead can give it its vote back now */
    uint64_t silent_ms;       /* since it was last heard */
    enum watch_state sees;    /* how it sees the library's server: UNKNOWN to OFFLINE */
    uint64_t behind, missing; /* records it lacks of ours; we lack of what it has */
    int64_t clock_ms;         /* its clock minus ours */
    char address[ADDR_TEXT_MAX], software[SOFTWARE_MAX];
    uint64_t refused; /* messages of it that broke the protocol */
    bool has_condition;
    struct condition condition; /* of its PC, as it said last, .. */
    uint64_t condition_ms;      /* .. so long ago */
};
unsigned core_peers(const struct core *c);
void core_peer_view(const struct core *c, const struct moment *now, unsigned i,
                    struct peer_view *out);

struct core_view {
    uint64_t start;              /* number of this start */
    uint64_t local, held, known; /* own records; records here; union known to this screen */
    uint64_t replicated;         /* own records that are also on another desk */
    uint64_t pending;            /* held and in no decided slot, and may be in the next */
    uint64_t quarantined; /* held, and in no slot until a lead admits them: of revoked desks, or
                             behind a fork */
    uint64_t back_to;     /* the first slot that is not erased; at most 1: none is */
    bool erase_owed;      /* something below is still here, or under keys that are there */
    uint64_t kept_due;    /* uploads that are not confirmed yet */
    uint64_t set_aside;   /* in decided slots, without a final outcome: held, waiting, review */
    uint64_t released;    /* of them, that go with the next upload on a lead's word */
    bool memory_lost;     /* peers remember more of us than we do */
    bool restorable;      /* and a lead can give this desk its vote back now */
    bool revoked, retired;
    bool contested; /* two leads worked apart: roster_conflicts() */
    bool mark_confirmed;
    struct watch watch;      /* the library's server, as this desk sees it */
    enum watch_state server; /* and as it shows it: with BACK */
    uint64_t refused;        /* messages refused, all peers and strangers */
};
/* The decided uploads, oldest first, and what becomes of their records. */
struct past_view {
    uint64_t slot;
    int64_t at_ms, confirmed_ms; /* 0: not confirmed */
    int64_t due_ms;              /* when they may be erased; 0: not before it is confirmed */
    bool erased;                 /* below the horizon: gone, or going */
    bool unknown;                /* what it set aside could not be computed here: all is kept */
};
unsigned core_past(const struct core *c);
void core_past_view(const struct core *c, unsigned i, struct past_view *out);

void core_view(const struct core *c, const struct moment *now, struct core_view *out);

/* This PC's clock, beside those of the desks heard in the last minutes (clocks.h). */
struct clock_view {
    bool known;       /* else too few are heard, or they are too far apart */
    unsigned desks;   /* compared, this one included */
    int64_t ahead_ms; /* of the branch's time */
    bool impossible;  /* a wrong date, not a clock that is off */
};
void core_clock(const struct core *c, const struct moment *now, struct clock_view *out);

/* What was set aside and is open, in the order of the records. */
struct aside_view {
    struct record_ref ref;
    uint64_t slot; /* of its last outcome */
    enum aside_what what;
    uint8_t id[MACHINE_ID];
    bool released; /* a lead said that it goes with the next upload */
};
/* The first one at or behind *at, which is then moved on; begin with zeros. */
bool core_aside_next(const struct core *c, struct record_ref *at, struct aside_view *out);
bool core_asides_known(const struct core *c); /* of all decided uploads; else in a moment */
bool core_aside_of(const struct core *c, const struct record_ref *ref,
                   struct aside_view *out); /* false: it is not open */
uint64_t core_aside_count(const struct core *c, enum aside_what what);
/* ERR_MISSING: it is not here. */
enum err core_aside_record(const struct core *c, const struct record_ref *ref, struct record *out,
                           struct errmsg *msg);

/* What the system's own load report said of an upload, by leads' words. */
struct loaded_view {
    uint64_t lines; /* that were sent */
    uint64_t named; /* of them loaded or refused; all: the sink told, or a lead said so */
    uint64_t refused;
    bool answers;  /* the sink told of each record */
    bool settled;  /* nothing of it waits for a report any more */
    int64_t at_ms; /* of the newest word; 0: none */
    uint8_t lead[KEY_BYTES];
};
bool core_loaded(const struct core *c, uint64_t slot, struct loaded_view *out); /* false: none */
/* The i-th word, if it is a lead's, of that upload's load. */
bool core_loaded_says(const struct core *c, unsigned i, uint64_t slot, struct word *w);

/* Names a record of that upload. ERR_INVALID: it is in another; ERR_MISSING: erased. */
enum err core_sent_ref(const struct core *c, uint64_t slot, const struct record_ref *ref,
                       struct word_ref *out, struct errmsg *msg);

/* Names a record that no upload has yet, for a lead's SEND or VOID. ERR_REFUSED: it is in one;
 * ERR_MISSING: not here. */
enum err core_rule_ref(const struct core *c, const struct record_ref *ref, struct word_ref *out,
                       struct errmsg *msg);
/* The same for a lead at this desk: ERR_REFUSED, too, while an upload that has it is under way, as
 * far as this desk knows. */
enum err core_may_rule(const struct core *c, const struct record_ref *ref, struct word_ref *out,
                       struct errmsg *msg);
/* What leads said of records of a decided upload that its intent does not know: it came too late.
 * *out: owned by the caller. */
enum err core_late_rulings(const struct core *c, const struct intent *in, struct slot_ruling **out,
                           unsigned *n, struct errmsg *msg);
/* SEND or VOID: which one stands on a record here, and of when it is; 0: none. */
enum word_kind core_ruled(const struct core *c, const struct record_ref *ref, int64_t *at_ms);
/* The time that a word has to bear, so that it stands over all that its lead could see: his PC's
 * clock may be slower than that of whoever spoke before. */
int64_t core_rule_at(const struct core *c, const struct moment *now, const struct record_ref *ref);

/* Another sealed lead key is in use than the one kept here: not to be opened any more. */
bool core_lead_key_is_old(const struct core *c);
const uint8_t *core_lead_key_sealed(const struct core *c, size_t *n); /* borrowed; n 0: none */

/* What is held and counts for nothing until a lead admits it. */
struct quarantined {
    struct feed_id feed;
    uint64_t from, to;
    uint8_t hash[HASH_SHORT_BYTES]; /* at `to`: which history */
    bool forked;                    /* else its desk is revoked */
    bool here;                      /* all of it; else the beginning of it, as the proof shows */
};
/* Of the i-th feed: fills at most 3, returns how many. */
#define QUARANTINED_MAX 3
unsigned core_quarantined(const struct core *c, unsigned i,
                          struct quarantined out[QUARANTINED_MAX]);
/* h(to) of a feed as it lies on this desk, counted or not. ERR_MISSING. */
enum err core_history_at(const struct core *c, const struct feed_id *feed, uint64_t to,
                         uint8_t hash[HASH_SHORT_BYTES]);

/* A desk's own records that no upload has yet: here, and anywhere as far as this desk was told. */
struct desk_held {
    uint64_t held, known;
    bool self, ever_heard;
    uint64_t silent_ms; /* since it was last heard */
    bool complete; /* nothing of it can be missing: it told just now what it holds, or it records no
                      more */
};
void core_desk_held(const struct core *c, const struct moment *now, const struct desk_id *id,
                    struct desk_held *out);

unsigned core_copies(const struct core *c, const struct record_ref *ref); /* desks that hold it */
void core_id_text(const struct core *c, const struct record_ref *ref, char out[RECORD_ID_TEXT]);
enum err core_id_parse(const struct core *c, const char *text, struct record_ref *out,
                       struct errmsg *msg);

/* The job of a merge over a draft or decided intent, or (in == NULL) over all that is pending; a
 * copy that another thread may use with its own view of the disk. merge_job_free(). */
enum err core_merge_job(const struct core *c, const struct intent *in, struct merge_job *out,
                        struct errmsg *msg);

/* The trigger for the next upload slot, to be signed by a lead. */
void core_draft_trigger(const struct core *c, const struct moment *now, struct trigger *out);
/* ---- answers ---- */

/* What the receipt of a decided upload says of its answers, for ledger_answer(); false: no such
 * upload. */
bool core_answers_of(const struct core *c, uint64_t slot, uint8_t intent[HASH_BYTES],
                     struct progress *p);
enum aside_what excepted_what(enum answer a); /* as which it is set aside; ASIDE_NONE: it is not */

/* ---- overrides ---- */

#define OVERRIDE_AWAY_MS 10000 /* a seat silent for less may be back in a moment */
#define OVERRIDE_LOOK_MS 15000 /* after its start a desk has not looked for the others yet */

struct override_plan {
    struct override draft; /* reason and lead key are left to fill in */
    unsigned n_reached;    /* ourselves included */
    struct desk_id reached[ROSTER_DESKS_MAX];
    unsigned n_old; /* the seats in force */
    struct desk_id old[SEATS_MAX];
    bool open;           /* an upload is agreed on here and not known to be delivered */
    uint64_t may_double; /* records that a desk not reached may be sending at this moment */
    uint64_t behind;     /* O5: decided uploads that stay behind, */
    uint64_t unlisted;   /* and records that they set aside, which no list has afterwards */
};
/* What an override would mean now. ERR_REFUSED: it is not needed, or not from here, with the
 * reason in words; the plan is filled in all the same. */
enum err core_override_plan(const struct core *c, const struct moment *now,
                            struct override_plan *out, struct errmsg *msg);
/* A lead signed one. Errors of ledger_override(). */
enum err core_override(struct core *c, const struct moment *now, const uint8_t *p, size_t n,
                       struct errmsg *msg);

/* The word on what waits for a lead, to be signed; false: nothing does. */
bool core_draft_decision(const struct core *c, const struct moment *now, bool arrived,
                         struct decision *out);
/* How far a desk's feeds are held here: what a revocation trusts. v is freed by the caller. */
enum err core_trusted_now(const struct core *c, const struct desk_id *desk, struct trusted **v,
                          unsigned *n, uint64_t *records);
/* Addresses of all desks, for a desk that joins: array of [id, address]. */
void core_addresses(const struct core *c, struct buf *out);

#endif
