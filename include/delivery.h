/* delivery.h - how a batch is handed over so that a repetition does no harm, by class of sink.
 *
 * A sink that remembers what it got may be told twice; one that swallows must not be. For the
 * latter a batch goes item by item, and before an item leaves, "about to send" (an odd step) is
 * stored by a majority of seats, as "nothing is under way" (an even step) is afterwards. So a
 * successor knows which one item is in doubt:
 *
 *   even ── about to send ──▶ odd ── sent ──▶ even, or the next item's odd
 *                              │ the uploader died, or the answer got lost
 *                              ▼
 *                   quiet, then a look: there: done; F1 proven absent: again; F1 unproven:
 * answered "in doubt", never again; F0: a lead decides, by a signed word that names the step, and
 * so counts once
 *
 * Pure: who stores, sends and looks is the ledger's business (handover.c). Byte forms:
 * proto/PROTOCOL.md, "Delivery". */
#ifndef TIDEOVER_DELIVERY_H
#define TIDEOVER_DELIVERY_H

#include "answers.h"
#include "policy.h"
#include "slot.h"

enum sink_class {
    SINK_NONE,    /* no sink, or a scheme that this version does not know */
    SINK_F3,      /* remembers keys for ever */
    SINK_F2,      /* exclusive create; what was created stays */
    SINK_F1,      /* told record by record, and can be asked what it has */
    SINK_DROP,    /* F0 with a look: a file that a loader takes away */
    SINK_F0,      /* swallows */
    SINK_SESSION, /* a session there, in four items: create, load, execute, read the answers */
};
enum sink_class sink_class_of(const char *sink); /* by its scheme: the table is in delivery.c */
/* Does it matter how often an item arrives? Then each step is stored first. */
bool sink_has_steps(enum sink_class c);
/* How long a request can be on its way: a successor's wait before its first look. The policy may
 * say otherwise; all but the drop have a time limit of the same length on their connection. */
uint32_t sink_quiet_ms(const char *sink);
/* Does it say of single records what became of them? */
bool sink_answers(const char *sink);
/* Does the receipt of an upload under this policy say what became of each of its records? Then it
 * is settled with it. Koha's queue only says that they wait there. */
bool sink_settles(const struct policy *p);
/* The one desk that may touch a drop:DESK:/path, and the path; false: another class or no name. */
bool sink_place(const char *sink, char desk[DESK_NAME_MAX + 1], const char **path);
/* May the desk of this name hand over to that sink? */
bool sink_is_at(const char *sink, const char *desk);

/* Items of a batch: files; where each record is told, records; of a session its four acts; 1 where
 * it goes whole. 0: nothing to hand over. */
enum { SESSION_CREATE = 1, SESSION_LOAD, SESSION_EXECUTE, SESSION_READ };
uint64_t delivery_items(enum sink_class c, const struct slot_part *parts, unsigned n);

/* ---- how far a batch is ---- */

#define PROGRESS_DOUBTS_MAX    32  /* each cost a quiet time; then a person is asked */
#define PROGRESS_DECISIONS_MAX 4   /* the last ones: evidence for the receipt */
#define DECISION_BYTES_MAX     320 /* all fields at their longest: 264 */
#define PROGRESS_BYTES_MAX     2048

struct decision_bytes { /* as a lead signed it */
    uint16_t n;
    uint8_t b[DECISION_BYTES_MAX];
};

struct progress {
    uint64_t step;      /* odd: item done + 1 may be on its way; even: none is. Only grows */
    uint64_t done;      /* items that are settled: arrived, or answered ANSWER_DOUBT */
    uint64_t doubts;    /* items that no look could prove either way */
    uint64_t n_answers; /* what was said so far (answers.h); with a step's majority */
    uint8_t answers[HASH_BYTES]; /* h(n_answers); zeros while none */
    char key[SINK_KEY_MAX];      /* what the last item left for the next: a session's key */
    unsigned n_decisions;
    struct decision_bytes decisions[PROGRESS_DECISIONS_MAX];
};

void progress_encode(const struct progress *p, struct buf *out);
enum err progress_decode(const uint8_t *p, size_t n, struct progress *out);
void progress_encode_bin(const struct progress *p, struct buf *out); /* as a bin in a message */
bool progress_get(struct mp *m, struct progress *out);               /* from such a bin */

enum delivery_move {
    MOVE_FINISH, /* write the receipt */
    MOVE_STORE,  /* have the next odd step stored */
    MOVE_SEND,   /* item done + 1, or the whole batch where there are no steps */
    MOVE_QUIET,  /* somebody else may have sent: wait, then look (or, without steps, send) */
};
/* mine: this uploader itself had `at` stored, in this term, and has not sent since. */
enum delivery_move delivery_move(enum sink_class c, uint64_t items, const struct progress *at,
                                 bool mine);

/* What a sink answers to a send or a look. */
enum delivery {
    DELIVERY_DONE,     /* arrived, now or earlier, with equal content */
    DELIVERY_RETRY,    /* certainly not handed over: try again. Of a look: could not look */
    DELIVERY_STOP,     /* certainly not handed over; a person must look, the words say at what */
    DELIVERY_DENIED,   /* as STOP: the login is refused, and more tries may lock it */
    DELIVERY_DOUBT,    /* a send without an answer: it may have arrived */
    DELIVERY_ABSENT,   /* a look: proven not there */
    DELIVERY_UNPROVEN, /* a look: nobody can tell */
    DELIVERY_LATER,    /* the server is at work on it: ask again in a moment */
};

enum look_move { LOOK_STORE, LOOK_PERSON };
/* After a look at the item in doubt (DONE, ABSENT or UNPROVEN): either *next is to be stored, or a
 * person is to be asked. */
enum look_move delivery_after_look(enum sink_class c, uint64_t items, const struct progress *at,
                                   enum delivery found, struct progress *next);
/* Item done + 1 arrived: on to the next item at once, or to the end. A look at a session that
 * cannot be trusted before it was executed begins another one: done is 0 again. */
void progress_arrived(const struct progress *at, uint64_t items, struct progress *next);
/* Item done + 1 certainly did not leave: nothing is under way. */
void progress_nothing_left(const struct progress *at, struct progress *next);
/* The next item's "about to send". */
void progress_about_to(const struct progress *at, struct progress *next);

/* ---- a lead's word on an item in doubt ---- */

struct decision {
    struct epoch epoch;
    uint64_t slot;
    uint8_t intent[HASH_BYTES]; /* intent_hash: of this content and no other */
    uint64_t step;              /* in doubt; the step moves on, so the word counts once */
    bool arrived;
    int64_t made_ms;
    struct desk_id desk; /* where the lead said it */
    uint8_t lead_pk[KEY_BYTES];
};

void decision_sign(const uint8_t branch[BRANCH_ID_BYTES], const struct decision *d,
                   const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out);
/* Form, branch, signature; whether the key is a lead's is the roster's to say. */
enum err decision_open(const uint8_t *p, size_t n, const uint8_t branch[BRANCH_ID_BYTES],
                       struct decision *out, struct errmsg *msg);
/* The doubt ends as the lead says. Of an even step (the place is gone) only "all arrived" makes
 * sense: ERR_REFUSED. */
enum err progress_decided(const struct progress *at, uint64_t items, bool arrived,
                          const uint8_t *bytes, size_t n, struct progress *next);

#endif
