/* ledger_int.h - the ledger's insides, shared by the files that play its parts. */
#ifndef TIDEOVER_LEDGER_INT_H
#define TIDEOVER_LEDGER_INT_H

#include <sodium.h>

#include "ledger.h"
#include "mem.h"
#include "wire.h"

/* ---- tally.c: answers to one intent that lie here ---- */
#define ANSWER_KEY      24   /* slot be64, first 8 bytes of the intent's hash, number be64 */
#define TALLY_AT_ONCE   8000 /* rows in one batch of the disk */
#define ANSWERS_AT_ONCE (128u << 10) /* bytes of rows in one message */
#define BRING_BYTES     (16u << 10)  /* of those that go beside their step */

struct tally {
    uint64_t slot;
    uint8_t intent[HASH_BYTES];
    uint64_t n;               /* rows 1 to n are there */
    uint8_t hash[HASH_BYTES]; /* of the chain up to n */
};
struct tally_rows { /* on their way to the disk: rows base + 1 and on, each a msgpack bin */
    uint64_t base, n, written;
    size_t at; /* of the first that is not written */
    struct buf rows;
};
void tally_open(const struct disk *d, uint64_t slot, const uint8_t intent[HASH_BYTES],
                struct tally *t);
/* The stored form: h 32, then the row. */
enum err tally_row(const struct disk *d, const struct tally *t, uint64_t n, struct buf *row);
bool tally_hash(const struct disk *d, const struct tally *t, uint64_t n, uint8_t hash[HASH_BYTES]);
/* Are the answers there that this progress names? More may be. */
bool tally_has(const struct disk *d, const struct tally *t, const struct progress *p);
/* Puts so many as a batch may hold, in place of what lay behind base; true: all are there. */
bool tally_write(const struct disk *d, struct tally *t, struct tally_rows *r);
void tally_rows_free(struct tally_rows *r);
/* Takes n rows from a message, at most `most` in all, and goes on with the hash. False: not rows.
 */
bool tally_rows_take(struct tally_rows *r, uint8_t hash[HASH_BYTES], struct mp *m, uint32_t n,
                     uint64_t most);

struct fetch { /* answers that are asked for: of one intent at a time, from one desk at a time */
    bool on, proven; /* proven: all are here and lead to the hash; not yet on the disk */
    uint64_t slot, n;
    uint8_t intent[HASH_BYTES], hash[HASH_BYTES], at[HASH_BYTES];
    struct tally_rows rows;
    struct desk_id from;
    uint64_t again_at;
    unsigned turn, silences;
};
struct owed { /* a decided upload of which some are lacking here */
    uint64_t slot, n;
    uint8_t intent[HASH_BYTES], hash[HASH_BYTES];
    struct desk_id uploader;
};

struct ledger {
    const struct ident *me;
    const struct roster *roster;
    const struct disk *disk;
    struct effects *fx;
    const struct ledger_ask *ask;

    /* on disk before any answer leaves (one META value) */
    struct epoch epoch;
    uint64_t term;
    bool voted;
    struct desk_id voted_for; /* in `term` */
    uint64_t acc_term;
    struct buf acc;         /* accepted intent of slot dec + 1; empty: none */
    struct progress acc_at; /* how far its hand-over is, as the uploader of acc_term said */
    struct buf trigger;     /* a lead's, not yet satisfied; empty: none */
    struct buf decision;    /* a lead's, not yet used; empty: none */

    /* what the receipts say */
    uint64_t dec, last_upload;
    uint8_t dec_hash[HASH_BYTES];
    unsigned n_seats;
    struct desk_id seats[SEATS_MAX];

    /* the overrides, and what lost epochs left (epochs.c, evidence.c) */
    struct override *line; /* certificates from the first to the one in force; owned */
    unsigned n_line;
    unsigned n_evidence;
    uint8_t evidence_hash[16];
    struct shown *shown; /* sorted by feed; owned */
    unsigned n_shown, shown_room;
    bool blind; /* no memory or no room for it: no fresh upload */
    bool found_due;
    uint64_t found_at; /* when it is looked at again */
    uint64_t doubled;

    /* gone with a restart */
    enum ledger_state state;
    uint64_t trigger_slot;
    char acc_sink[SINK_TEXT_MAX]; /* of the accepted intent; empty for a change of seats */
    uint64_t acc_items;           /* that it hands over; 0: of a change of seats */
    bool decision_origin;
    uint64_t decision_at;
    struct doubt heard; /* what the uploader says that a person must decide */
    uint64_t heard_at;
    uint64_t grace_until, promise_until, heard_leader;
    struct desk_id promised_to;
    bool may_vote, forgot, stopped, origin;
    uint8_t stopped_word[HASH_BYTES]; /* of the trigger that led to where it stopped */
    uint64_t vouch_slot;   /* somebody proposes for it what it alone accepted: we shall vouch */
    uint64_t look_at;      /* whether a trigger has become idle */
    bool resigned;         /* an uploader did, perhaps for that */
    uint64_t idle_from;    /* then also if not all is gathered here */
    uint64_t ask_slots_at; /* not before */
    uint64_t origin_until; /* the desk where a lead's word was said stands first */
    uint64_t next_try, asked_at, retry_at, lease_until, renew_at, since, quiet_until;
    uint64_t refused_at; /* when the log said so last, 0: never */
    unsigned yes;        /* bit per seat, for the question under way */
    uint64_t best_acc_term;
    struct buf adopt; /* best accepted intent among the votes */
    struct progress adopt_at;
    struct accepted voucher; /* who accepted it, in best_acc_term */
    uint64_t renew_id, renew_sent;
    unsigned renew_yes;
    struct intent cur; /* what is proposed */
    struct buf cur_bytes;
    uint8_t cur_hash[HASH_BYTES];
    bool adopted, delivering;
    struct progress at, put; /* stored by a majority in this term; being stored */
    bool mine, looking;      /* `at` is ours and not sent since; the answer due is a look's */
    unsigned put_yes;
    enum { THEN_GO_ON, THEN_DOUBT, THEN_RESIGN, THEN_STOP } then; /* once `put` is stored */
    char evidence[256];
    struct fetch fetch;
    struct owed *owed; /* owned */
    unsigned n_owed;
    uint64_t owed_at;            /* when the next is asked for */
    struct tally_rows told;      /* what the sink said, until it is on the disk */
    struct desk_id adopted_from; /* whose vote told `adopt_at` */
    struct desk_id vain_from;    /* whose answers nobody could show, */
    uint64_t vain_until;         /* so that its vote is none before then */
    uint64_t fetched;            /* rows that were there when it was looked at last */
    struct doubt doubt;
    unsigned tries; /* to hand over, since elected */
    unsigned acc_yes;
    bool acc_no; /* a seat refuses */
    struct accepted accepted[SEATS_MAX];
    uint64_t number;                  /* of the last build or delivery asked for */
    uint64_t pause_slot, pause_until; /* U1: what a lead wants here; slot 0: nothing */
    char problem[256];
    enum ledger_trouble trouble;
    uint64_t trouble_until; /* where nobody says it again */
};

/* ---- pause.c ---- */
uint64_t pause_slot(const struct ledger *l); /* that a lead here wants to wait; 0: none */
bool pause_is_on(const struct ledger *l);    /* U2: by anybody */
void pause_tick(struct ledger *l, const struct ledger_moment *now);

/* ---- ledger.c ---- */
int ledger_seat_of(const struct ledger *l, const struct desk_id *id);
bool ledger_is_majority(const struct ledger *l, unsigned bits);
bool ledger_leads(const struct ledger *l);
bool ledger_same_epoch(const struct ledger *l, uint64_t number, const uint8_t *hash);
unsigned ledger_seats_wanted(const struct ledger *l, struct desk_id out[SEATS_MAX]);
bool ledger_wants_seats(const struct ledger *l);
bool ledger_may_upload(const struct ledger *l);
bool ledger_has_work(const struct ledger *l);
void ledger_refuse(struct ledger *l, const struct ledger_moment *now, const char *what,
                   const char *why);
uint64_t ledger_roll(const struct ledger *l, uint64_t from, uint64_t to);
void ledger_set_problem(struct ledger *l, const char *words);
void ledger_send(struct ledger *l, const struct desk_id *to, struct buf *b);
void ledger_send_seats(struct ledger *l, const struct buf *b, unsigned except);
void ledger_send_all(struct ledger *l, const struct buf *b);
void ledger_begin(struct ledger *l, struct buf *b, enum wire_type type, unsigned more,
                  uint64_t term);
void ledger_send_receipts(struct ledger *l, const struct desk_id *to, uint64_t from);
void ledger_ask_slots(struct ledger *l, const struct ledger_moment *now,
                      const struct desk_id *from);
void ledger_first_seat(struct ledger *l); /* until a slot says otherwise: the founder's */

/* ---- ledger_disk.c ---- */
enum err ledger_load(struct ledger *l, struct errmsg *msg);
enum err ledger_replay(struct ledger *l, struct errmsg *msg); /* all receipts, from the first */
void ledger_persist(struct ledger *l);
void ledger_note_accepted(struct ledger *l, const struct intent *in);
void ledger_take_decision(struct ledger *l, const struct receipt *r, const struct intent *in);
enum err ledger_slot_hash(const struct ledger *l, uint64_t slot, uint8_t hash[HASH_BYTES]);

/* ---- trigger.c ---- */
void trigger_on_resign(struct ledger *l, const struct ledger_moment *now);
void trigger_drop(struct ledger *l);
bool trigger_is_stale(int64_t made_ms, const struct ledger_moment *now);
void trigger_on_trigger(struct ledger *l, const struct ledger_moment *now, struct mp *m);
void trigger_tick(struct ledger *l, const struct ledger_moment *now); /* while idle */

/* ---- epochs.c ---- */
#define EPOCH_KEY    (4 + HASH_BYTES)
#define EVIDENCE_KEY (EPOCH_KEY + 8)
enum err epochs_load(struct ledger *l, struct errmsg *msg);
enum err epochs_line(const struct ledger *l, const struct epoch *tip, struct override **line,
                     unsigned *n);
unsigned epochs_at(const struct override *line, unsigned n, uint64_t slot);
struct epoch epochs_epoch(const struct override *line, unsigned k);
bool epochs_caught_up(const struct ledger *l);
void epochs_enter(struct ledger *l);
bool epochs_fit(const struct ledger *l, const struct intent *in);
bool epochs_base_is(const struct ledger *l, uint64_t slot, const uint8_t hash[HASH_BYTES]);
void epochs_send(struct ledger *l, const struct desk_id *to, const struct epoch *tip);
void epochs_on_override(struct ledger *l, const struct ledger_moment *now, struct mp *m);

/* ---- evidence.c ---- */
#define EVIDENCE_MAX 4096 /* receipts; a branch that loses so many epochs has other troubles */
void evidence_store(struct ledger *l, const struct epoch *e, uint64_t slot, const uint8_t *p,
                    size_t n);
void evidence_review(struct ledger *l); /* after the chain changed */
uint64_t evidence_shown(const struct ledger *l, const struct feed_id *feed);
/* The records that uploads of lost epochs took along on a lead's word. */
void evidence_released(const struct ledger *l,
                       void (*each)(void *ctx, const struct slot_released *sent), void *ctx);
void evidence_send(struct ledger *l, const struct desk_id *to, unsigned *cursor);
void evidence_on_receipt(struct ledger *l, const struct ledger_moment *now, struct mp *m);
bool evidence_fill(const struct ledger *l, struct intent *in);
void evidence_tick(struct ledger *l, const struct ledger_moment *now);
void evidence_count_doubled(struct ledger *l);

/* ---- election.c ---- */
void election_end(struct ledger *l, const struct ledger_moment *now, uint64_t wait_ms);
void election_ask(struct ledger *l, const struct ledger_moment *now, enum wire_type type,
                  uint64_t term);
uint64_t election_turn(const struct ledger *l); /* when this desk may stand */
void election_stand(struct ledger *l, const struct ledger_moment *now);
void election_enter_term(struct ledger *l, const struct ledger_moment *now, uint64_t term,
                         const struct desk_id *leader);
void election_promise(struct ledger *l, const struct ledger_moment *now, const struct desk_id *to);
void election_on_prevote(struct ledger *l, const struct ledger_moment *now,
                         const struct desk_id *from, uint64_t term, uint64_t dec);
void election_on_prevoted(struct ledger *l, const struct ledger_moment *now,
                          const struct desk_id *from, uint64_t term, bool yes);
void election_on_vote(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                      uint64_t term, uint64_t dec);
void election_on_voted(struct ledger *l, const struct ledger_moment *now,
                       const struct desk_id *from, uint64_t term, struct mp *m);
void election_renew(struct ledger *l, const struct ledger_moment *now);
void election_on_renew(struct ledger *l, const struct ledger_moment *now,
                       const struct desk_id *from, uint64_t term, uint64_t id);
void election_on_renewed(struct ledger *l, const struct desk_id *from, uint64_t term, uint64_t id);
void election_resign(struct ledger *l, const struct ledger_moment *now, uint64_t wait_ms);
void election_on_resign(struct ledger *l, const struct ledger_moment *now,
                        const struct desk_id *from, uint64_t term, struct mp *m);

/* ---- seat.c ---- */
void seat_sign_accepted(const struct ledger *l, const uint8_t *acc, size_t n, uint64_t slot,
                        uint64_t term, uint8_t sig[SIG_BYTES]);
bool seat_vouches(const struct ledger *l, const struct accepted *a, const uint8_t *p, size_t n,
                  uint64_t slot, uint64_t term);
void seat_on_accept(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                    uint64_t term, uint64_t their_dec, struct mp *m);
void seat_forget(struct ledger *l); /* what it accepted; to be persisted */
void seat_settle(struct ledger *l, const struct ledger_moment *now, const uint8_t *bytes, size_t n,
                 const struct receipt *r, const struct intent *in);
void seat_on_receipt(struct ledger *l, const struct ledger_moment *now, const struct desk_id *from,
                     struct mp *m);

/* ---- trouble.c ---- */
#define TROUBLE_LIFE_MS 90000 /* longer than a desk tries before it lets another one try */
void trouble_set(struct ledger *l, enum ledger_trouble trouble, const char *words);
void trouble_begin_anew(struct ledger *l);
void trouble_stop(struct ledger *l, const struct ledger_moment *now);            /* resigns */
bool trouble_was_stopped(const struct ledger *l, const uint8_t *word, size_t n); /* a trigger */
void trouble_put(const struct ledger *l, struct buf *b);
void trouble_on_resign(struct ledger *l, const struct ledger_moment *now,
                       const struct desk_id *from, struct mp *m);
void trouble_tick(struct ledger *l, const struct ledger_moment *now); /* while idle */
void trouble_view(const struct ledger *l, const struct ledger_moment *now, struct ledger_view *out);

/* ---- handover.c ---- */
#define HANDOVER_ANNOUNCE_MS 2000 /* how often it is said that a lead must decide */
uint64_t handover_items(const struct ledger *l);
void handover_store(struct ledger *l, const struct ledger_moment *now, const struct progress *next);
void handover_add_evidence(struct ledger *l, const char *words);
bool handover_is_only_ours(const struct ledger *l); /* the policy's sink is here and nowhere else */
bool handover_is_ours(const struct ledger *l, const char *sink);
void handover_begin(struct ledger *l, const struct ledger_moment *now);
void handover_tick(struct ledger *l, const struct ledger_moment *now);
void handover_on_progressed(struct ledger *l, const struct ledger_moment *now,
                            const struct desk_id *from, uint64_t term, struct mp *m);

/* ---- answering.c ---- */
/* Does this desk hold the answers that p names, on the disk? What was fetched is put there now. If
 * not: they are asked for, first of `from`. */
bool answering_holds(struct ledger *l, const struct ledger_moment *now, uint64_t slot,
                     const uint8_t intent[HASH_BYTES], const struct progress *p,
                     const struct desk_id *from);
/* The same, but in memory is enough. */
bool answering_reaches(struct ledger *l, const struct ledger_moment *now, uint64_t slot,
                       const uint8_t intent[HASH_BYTES], const struct progress *p,
                       const struct desk_id *from);
/* Those that stand beside their step in a message: [number before the first, rows]. */
void answering_bring(struct ledger *l, uint64_t slot, const uint8_t intent[HASH_BYTES],
                     const struct progress *p, struct mp *m);
void answering_owes(struct ledger *l, const struct receipt *r, const struct intent *in);
bool answering_lacks(const struct ledger *l, uint64_t slot); /* a decided one */
void answering_forgets(struct ledger *l, uint64_t below);    /* the horizon */
void answering_drop(struct ledger *l);
void answering_tick(struct ledger *l, const struct ledger_moment *now);
void answering_on_ask(struct ledger *l, const struct desk_id *from, struct mp *m);
void answering_on_answers(struct ledger *l, const struct ledger_moment *now,
                          const struct desk_id *from, struct mp *m);

/* ---- decide.c ---- */
bool handover_decisions_are_right(const struct ledger *l, const struct progress *p, uint64_t slot,
                                  const uint8_t intent[HASH_BYTES]);
void handover_wait_words(const struct doubt *d, char out[256]);
void handover_use_decision(struct ledger *l, const struct ledger_moment *now);
void handover_on_progress(struct ledger *l, const struct ledger_moment *now,
                          const struct desk_id *from, uint64_t term, struct mp *m);
void handover_on_decision(struct ledger *l, const struct ledger_moment *now, struct mp *m);
void handover_spread_decision(struct ledger *l, const struct ledger_moment *now);
void handover_view(const struct ledger *l, const struct ledger_moment *now,
                   struct ledger_view *out);

/* ---- uploader.c ---- */
void uploader_write_receipt(struct ledger *l, const struct ledger_moment *now,
                            const char *evidence);
void uploader_check_overdue(struct ledger *l, const struct ledger_moment *now);
void uploader_begin(struct ledger *l, const struct ledger_moment *now);
void uploader_on_accepted(struct ledger *l, const struct ledger_moment *now,
                          const struct desk_id *from, uint64_t term, struct mp *m);
void uploader_on_refused(struct ledger *l, const struct desk_id *from, uint64_t term, struct mp *m);
void uploader_tick(struct ledger *l, const struct ledger_moment *now);

#endif
