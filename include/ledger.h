/* ledger.h - who uploads, and what: a one-slot consensus register with a lease. No I/O.
 *
 *                      trigger, open slot or seats to change
 *      IDLE ────────────────────────────────────────────────▶ PREVOTE
 *       ▲  lease over, higher term, nothing left                 │ majority would vote
 *       │                                                        ▼
 *       ├──────────────────────────────────────────────────  CANDIDATE
 *       │                                                        │ majority voted (term on disk)
 *       │      adopted an accepted intent ┌──────────────────────┤
 *       │                                 │                      ▼
 *       │                                 │   GATHER ─▶ BUILD (payload's digest)
 *       │                                 ▼                │
 *       ├────────────────────────────── ACCEPT ◀───────────┘
 *       │                                 │ majority of seats holds every record and stored it
 *       │                        adopted: │ QUIET (what the dead uploader sent must have landed)
 *       │                                 ▼
 *       └─ receipt ◀──────────────────── SEND ◀─▶ STEP (sinks with steps: delivery.h)
 *                                         │
 *                                         ├─▶ PERSON (a lead decides what is in doubt)
 *                                         └─▶ PAUSED (a lead wants it to wait)
 *
 * L1 A seat votes once per term, and it is on disk before the answer leaves.
 * L2 A seat under promise refuses without touching its term. Promise > lease by twice the drift.
 * L3 A seat accepts an intent only if it durably holds every record under the cut, knows its kinds,
 *    rules and policy, and the ranges continue the last slot.
 * L4 Nothing is sent before a majority of seats accepted it in the sender's term.
 * L5 A new uploader adopts, unchanged, the accepted intent of the highest term for the open slot.
 * L6 Slot n+1 is proposed and accepted only after the receipt of slot n.
 * L7 After a restart a seat is silent for one promise, and until a majority of seats remembers its
 *    start mark.
 * L8 A receipt carries the ACCEPTED of a majority and the uploader's signature; else it is refused.
 * L9 A change of seats is itself a slot, decided by the old seats. So is giving a desk that lost
 *    its memory its vote back, on a lead's word.
 * L10 So is the horizon: what lies under it nobody reads any more, and everybody may erase. A seat
 *    agrees only to what is confirmed by a second voice and kept long enough by its own clock.
 *
 * Where too few seats can be reached, a lead's override begins another epoch (override.h):
 * O1 Of two epochs the higher number wins, of two with one number the smaller hash; nothing of
 *    another epoch is answered.
 * O2 A desk that lacks slots below the base of the epoch in force neither votes nor accepts.
 * O3 Taking in an override takes back the own slots above what both chains have in common: their
 *    receipts become evidence. An upload accepted for the slot behind the base stays, and is
 *    finished under the name of the epoch in which it was proposed.
 * O4 What evidence shows was delivered is not sent again: a FOUND slot passes over it first.
 * O5 Decided uploads stay behind, as evidence, from the first on of which nobody who is reached
 *    holds all records: no upload may be judged without what went before it. */
#ifndef TIDEOVER_LEDGER_H
#define TIDEOVER_LEDGER_H

#include "delivery.h"
#include "disk.h"
#include "effect.h"
#include "override.h"
#include "roster.h"
#include "slot.h"

#define LEASE_MS         5000 /* long against a LAN round trip, short against a person's patience */
#define LEASE_DRIFT_PCT  2    /* clocks may run apart by so much */
#define LEASE_OWN_MS     (LEASE_MS - LEASE_MS * 2 * LEASE_DRIFT_PCT / 100)
#define LEASE_PROMISE_MS (LEASE_MS + LEASE_MS * 2 * LEASE_DRIFT_PCT / 100)
#define LEASE_LEFT_MS    2000 /* a request goes out only with so much left */
#define LEASE_RENEW_MS   1000
#define GATHER_MAX_MS    60000      /* then without the desks that are still behind: they go late */
#define REFUSED_MAX_MS   10000      /* that a seat refuses; then another desk may do better */
#define TRIGGER_LIFE_MS  3600000    /* a lead's word; then it must be said again */
#define TERM_LEAP_MAX    (1u << 20) /* no honest desk is a million elections ahead */
#define DELIVERY_TRIES   6          /* half a minute, then another desk may do better */
#define LEDGER_RETRY_MS  500        /* unanswered questions are asked again */
#define LEDGER_FETCH_MS  10000  /* without any answer, then whose vote told of them is doubted.. */
#define LEDGER_VAIN_MS   30000  /* .. for so long */
#define LEDGER_ANSWER_MS 600000 /* a build or delivery without an answer is then done anew */

enum ledger_state {
    LEDGER_IDLE,
    LEDGER_PREVOTE,
    LEDGER_CANDIDATE,
    LEDGER_GATHER,
    LEDGER_BUILD,
    LEDGER_FETCH, /* the answers of an adopted step */
    LEDGER_ACCEPT,
    LEDGER_QUIET,
    LEDGER_SEND,   /* or looking */
    LEDGER_STEP,   /* how far it is is being stored by a majority */
    LEDGER_PERSON, /* nobody can tell whether it arrived */
    LEDGER_PAUSED, /* a lead wants it to wait before the next step: pause.h */
};
const char *ledger_state_name(enum ledger_state s); /* the lead's words: "gathering", "sending" */

struct shown { /* receipts of lost epochs show that a feed was delivered so far */
    struct feed_id feed;
    uint64_t to;
    uint8_t hash[HASH_SHORT_BYTES]; /* of h(to) */
};

/* What the ledger asks of the rest of the core; all answer at once. */
struct ledger_ask {
    void *ctx;
    /* Does this desk durably hold these records, of known kinds, continuing the last slot? A fresh
     * intent must also keep to what revoked desks are trusted for; an adopted one may have been
     * sent before the revocation, so it is finished as it is. */
    enum err (*holds)(void *ctx, const struct intent *in, bool adopted, struct errmsg *msg);
    /* Fills ranges, records, policy, rules, sink of an intent over all that may go now. */
    enum err (*cut)(void *ctx, struct intent *in, struct errmsg *msg);
    /* Is every desk that can be heard caught up with here, and the reverse? */
    bool (*gathered)(void *ctx);
    /* A slot was decided: its ranges are final. */
    void (*decided)(void *ctx, const struct receipt *r, const struct intent *in);
    void (*dice)(void *ctx, void *out, size_t n);
    /* An override took slots back: between these two calls all that are left are told anew. */
    void (*replay)(void *ctx, bool begins);
    /* Fills the ranges of what lies above the cuts, is held here, and was shown to be delivered. */
    enum err (*found)(void *ctx, struct intent *in, const struct shown *v, unsigned n);
    /* Can this desk be heard? Who cannot gets no seat. */
    bool (*reached)(void *ctx, const struct desk_id *id);
    /* L10: the horizon that a majority of seats would agree to now, 0: none new. */
    uint64_t (*wants_horizon)(void *ctx);
    enum err (*horizon_ok)(void *ctx, const struct intent *in, struct errmsg *msg);
    /* L9: how many desks a lead wants to have their vote back, which can have it now; put into the
     * intent, unless that is NULL. NULL: none ever. */
    unsigned (*restored)(void *ctx, struct intent *in);
    enum err (*restored_ok)(void *ctx, const struct intent *in, struct errmsg *msg);
    /* U2: does a lead at another desk want that slot to wait? NULL: never. */
    bool (*paused)(void *ctx, uint64_t slot);
    /* O5: the last decided slot up to which all that was uploaded is held here. NULL: all is. */
    uint64_t (*held_to)(void *ctx);
};

struct ledger;

struct ledger_moment {
    uint64_t boot_ms; /* CLOCK_BOOTTIME: counts through suspend */
    int64_t wall_ms;
};

/* Reads terms, votes, the open slot and the chain of receipts from disk. Everything is borrowed. */
enum err ledger_open(const struct ident *me, const struct roster *roster, const struct disk *disk,
                     struct effects *fx, const struct ledger_ask *ask,
                     const struct ledger_moment *now, struct ledger **out, struct errmsg *msg);
void ledger_close(struct ledger *l);

void ledger_tick(struct ledger *l, const struct ledger_moment *now);
/* A message whose wire type is the ledger's; m stands behind the type. from is authenticated. */
void ledger_message(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                    unsigned type, struct mp *m);
/* L7's second half, told by whoever compares start marks. */
/* No upload, no election, and nothing known that wants one: nothing here has a hurry. */
bool ledger_is_idle(const struct ledger *l);

void ledger_may_vote(struct ledger *l, bool yes);
/* This desk lost its memory: nobody would elect it, so it neither stands nor keeps a trigger, which
 * it could only repeat. */
void ledger_has_forgotten(struct ledger *l, bool yes);
/* A lead gave it its vote back. All that it forgot was of earlier slots; its vote of `term`, and of
 * all terms before, counts as given to `to`. */
void ledger_regain(struct ledger *l, const struct ledger_moment *now, uint64_t term,
                   const struct desk_id *to);

/* A lead pressed. ERR_DENIED, ERR_MALFORMED, ERR_EXISTS (that slot is decided). */
enum err ledger_trigger(struct ledger *l, const struct ledger_moment *now, const uint8_t *p,
                        size_t n, struct errmsg *msg);
/* A lead's word on what is in doubt. ERR_MISSING: nothing is; ERR_REFUSED: something else is. */
enum err ledger_decide(struct ledger *l, const struct ledger_moment *now, const uint8_t *p,
                       size_t n, struct errmsg *msg);
/* Answers to EFFECT_BUILD, EFFECT_DELIVER and EFFECT_LOOK. */
void ledger_built(struct ledger *l, const struct ledger_moment *now, uint64_t number,
                  const struct slot_part *parts, unsigned n_parts, const struct slot_aside *aside,
                  const char *failure);
void ledger_delivered(struct ledger *l, const struct ledger_moment *now, uint64_t number,
                      enum delivery how, const char *words,
                      const struct told *told); /* NULL: nothing */

/* What a lead is to decide: the item of which nobody can tell whether it arrived. */
struct doubt {
    bool waits;
    uint64_t slot, step, item;
    uint8_t intent[HASH_BYTES];
    char name[96]; /* of the file; empty: of no single one */
    uint64_t lines;
    uint8_t sha256[32];
};

/* Of the problem that is shown, if it is the sink's. */
enum ledger_trouble {
    TROUBLE_NONE,
    TROUBLE_WAITS,  /* it could not be told, and is tried again */
    TROUBLE_DENIED, /* it refuses the login: stopped at every desk, until a lead says it again or
                       the credential is another (ledger_login_changed) */
};

struct ledger_view {
    enum ledger_state state;
    uint64_t slot; /* the next to be decided */
    uint64_t term;
    bool open;      /* an intent of that slot is accepted here */
    bool triggered; /* a lead asked for an upload that is not decided */
    bool is_uploader;
    bool may_vote;
    bool stopped; /* needs a person: problem says why */
    bool has_uploader;
    struct desk_id uploader; /* as far as this desk knows */
    unsigned n_seats;
    struct desk_id seats[SEATS_MAX];
    struct epoch epoch;
    bool behind;       /* slots below the base of the override in force are not here yet (O2) */
    uint64_t base;     /* of that override */
    unsigned evidence; /* receipts of lost epochs */
    uint64_t doubled;  /* records that two epochs sent: ledger_overlaps() names them */
    uint64_t acc_term; /* of the open intent; 0: none */
    uint64_t sending;  /* number of the delivery under way; 0: none */
    uint64_t sending_until_ms; /* boot time: it may begin before, not after (D9) */
    char key[SINK_KEY_MAX];    /* what the items handed over left for the next */
    uint64_t answers;          /* told so far: ledger_answer() */
    uint64_t done, items;      /* of the open upload, handed over and in all; items 0: none open */
    struct doubt doubt;
    enum ledger_trouble trouble;
    uint64_t next_try_ms; /* until this desk tries again; 0: it does, or does not know */
    char problem[256];    /* why it waits or failed; empty if it does not */
};
void ledger_view(const struct ledger *l, const struct ledger_moment *now, struct ledger_view *out);
/* What a lead is told: idle, gathering, agreed, sending, paused, waiting, deciding, failed. Idle:
 * nothing is under way, whether delivered or not. */
const char *ledger_upload_word(const struct ledger_view *v);
/* This desk's secrets for the sink are not those that were refused. */
void ledger_login_changed(struct ledger *l, const struct ledger_moment *now);
uint64_t ledger_term(const struct ledger *l);    /* on disk before any message speaks of it */
uint64_t ledger_decided(const struct ledger *l); /* last decided slot, 0 = none */
bool ledger_is_seat(const struct ledger *l, const struct desk_id *id);
/* What this seat accepted for the open slot; false: nothing. intent_free(). */
bool ledger_open_intent(const struct ledger *l, struct intent *out);
/* Does that cover this record? Then it is too late for a void. */
bool ledger_covers(const struct ledger *l, const struct feed_id *feed, uint64_t seq);

/* ---- overrides ---- */

/* Number, chain and base of the next override; the rest is the caller's. */
void ledger_draft_override(const struct ledger *l, struct override *o);
/* A lead signed one here. ERR_DENIED, ERR_MALFORMED, ERR_EXISTS (something was decided since). */
enum err ledger_override(struct ledger *l, const struct ledger_moment *now, const uint8_t *p,
                         size_t n, struct errmsg *msg);
/* In which this desk's chain has that slot decided. */
struct epoch ledger_epoch_at(const struct ledger *l, uint64_t slot);
/* Named as not reached by the override in force. */
bool ledger_was_missing(const struct ledger *l, const struct desk_id *id);

struct sent_in { /* an upload, in whatever epoch it was decided */
    uint32_t epoch;
    uint64_t slot;
};
struct overlap { /* records from..to of a feed stood in two uploads */
    struct feed_id feed;
    uint64_t from, to;
    struct sent_in first, again;
};
/* Tells each; returns the number of records. Reads receipts: not for every tick. */
uint64_t ledger_overlaps(const struct ledger *l, void (*each)(void *ctx, const struct overlap *o),
                         void *ctx);

/* What HELLO and BEAT say of the ledger. */
struct standing {
    struct epoch epoch;
    uint8_t evidence[16]; /* XOR over what it keeps: equal means the same */
    uint64_t acc_term;    /* of the upload that it accepted and that is not decided; 0: none */
    bool votes;
    uint64_t pause; /* the slot that a lead there wants to wait; 0: none */
};
#define STANDING_FIELDS 6
void ledger_put_standing(const struct ledger *l, struct buf *b);
bool ledger_get_standing(struct mp *m, struct standing *out);
/* Sends the peer what it lacks; cursor is the caller's, per peer, and begins at 0. True: it is in
 * our epoch, so that slot numbers may be compared. */
bool ledger_compare(struct ledger *l, const struct desk_id *peer, const struct standing *theirs,
                    unsigned *cursor);

/* The n-th answer to that intent, from 1; wipe it. ERR_MISSING: not here. */
enum err ledger_answer(const struct ledger *l, uint64_t slot, const uint8_t intent[HASH_BYTES],
                       uint64_t n, struct answer_row *out);
/* Are answers to this decided upload still on their way to this desk? */
bool ledger_lacks_answers(const struct ledger *l, uint64_t slot);

/* The receipt of a slot as stored; ERR_MISSING. */
enum err ledger_receipt(const struct ledger *l, uint64_t slot, struct buf *out);
/* Was this the content of that slot, in our chain or in an epoch that was lost? */
bool ledger_was_decided(const struct ledger *l, uint64_t slot, const uint8_t intent[HASH_BYTES]);

#endif
