/* merge_int.h - what the verdict on a record owes to the records around it: the rules on one item,
 * and the survey of a whole log. */
#ifndef TIDEOVER_MERGE_INT_H
#define TIDEOVER_MERGE_INT_H

#include "hmap.h"
#include "merge.h"
#include "runs.h"

struct place { /* a record within a job */
    unsigned feed;
    uint64_t seq;
};
/* False: no feed of the job. */
bool merge_place_of(const struct merge_job *j, const struct record_ref *ref, struct place *out);

/* ---- the rules on one item, shared by the branch's log (survey.c) and by files that other
 * programs wrote (pool.c) ---- */

struct item_past {     /* what the log has said of one item so far; zeros to begin */
    struct place last; /* last kept event */
    uint8_t last_user[16];
    int64_t last_ms, last_raw_ms; /* raw: uncorrected */
    uint32_t last_due;
    uint8_t last_kind;
    bool lent, discharged, has_renew, has_pending;
    bool waits;            /* an event of it waits for its card: later ones must not overtake it */
    uint8_t loan_user[16]; /* of the loan that this log opened last */
    struct place loan;
    struct place pending; /* the last discharge. has_pending: after a loan to pending_user, no loan
                             since (R8) */
    uint8_t pending_user[16];
    struct place renew; /* the renewal to be sent of this loan (R11) */
    uint32_t renew_due;
    unsigned looked_back; /* survey.c: so many events of earlier uploads were taken */
};

struct item_event { /* any kind that has an item */
    struct place at;
    int64_t time_ms, raw_ms;
    uint32_t due;
    uint8_t kind;
    uint8_t user[16];  /* digest, also of the empty text */
    uint64_t rank;     /* survey: in merged order */
    const char *waits; /* rule (R6, R7) by which it waits for its card, or NULL */
};

struct item_rules {
    const struct policy *policy;
    void *ctx;
    bool (*same_desk)(void *ctx, struct place a, struct place b);
    /* Overwrites what was judged before; nothing judged is the plain verdict of its kind. */
    void (*judge)(void *ctx, struct place at, enum verdict verdict, const char *rule,
                  const struct place *other);
    void (*later_due)(void *ctx, struct place at, uint32_t due); /* goes out with this one (R3) */
    /* R5: lent while `loan` to somebody else is open, and renewed as `renew` (NULL: it was not). */
    void (*out_twice)(void *ctx, struct place at, struct place loan, const struct place *renew);
};

/* Events of one item in merged order. R3: is it the last one again? Then it is judged and nothing
 * more happens; else take it, unless something else keeps it back. */
bool item_past_repeats(const struct item_rules *r, struct item_past *it,
                       const struct item_event *e);
void item_past_take(const struct item_rules *r, struct item_past *it, const struct item_event *e);

/* ---- what earlier uploads told of the items of this one: lookback.c ---- */

#define LOOKBACK_MS INT64_C(86400000) /* further back the branch worked online, unseen from here */

struct past_event {
    uint8_t item[16]; /* digest */
    struct item_event e;
};

struct lookback {
    struct past_event *v; /* owned; by item, then in merged order */
    unsigned n, room;
    int64_t from_ms;
};

/* ---- the survey ---- */

struct finding { /* of the records whose verdict is not the plain one of their kind */
    enum verdict verdict;
    const char *rule;
    bool has_other, has_due, early;
    bool ruled; /* a lead says that it goes: no rule below R7 judges it any more */
    bool late;  /* R9 */
    struct place other;
    uint32_t due;
    struct place pull; /* early: the registration to be pulled before this record */
};

struct typed_entries { /* typed.c */
    struct hmap items; /* digest -> index + 1 of the item's last entry in v */
    struct typed *v;   /* owned */
    unsigned n, room;
};

struct noted { /* of a record, what its verdict and those around it may depend on */
    struct place at;
    int64_t time_ms, raw_ms;
    uint32_t due;
    uint8_t kind;
    char item[BARCODE_MAX + 1], user[BARCODE_MAX + 1];
};

struct survey {
    const struct merge_job *job;
    uint8_t salt[16];    /* keys the digests of barcodes: they never meet another use */
    struct hmap cards;   /* digest -> index in card[] */
    struct hmap persons; /* name and birth -> index in card[] of the first */
    struct runs *events; /* what happened to items: by item, then in merged order */
    uint8_t *minded;     /* which items this batch has, as a filter; NULL: nobody asks */
    uint64_t rank;       /* of the record under way, in merged order */
    struct item_rules rules;
    struct card *card;
    struct arrival *arrival; /* registrations, in merged order */
    unsigned n_cards, cards_room, n_arrivals, arrivals_room;
    struct hmap found; /* place -> index in finding[] */
    struct finding *finding;
    unsigned n_findings, findings_room;
    struct lookback past;
    struct typed_entries typed;
    bool failed;             /* out of memory: survey_end() says it */
    struct noted *noted;     /* records that nobody has looked at yet */
    struct noted *under_way; /* the helper's until helper_wait(), with all that stands above */
    unsigned n_noted, n_under_way;
    enum err err; /* the first of what it met */
    struct errmsg msg;
};

/* Is anything of earlier uploads near enough to the first record of this one to be read? */
bool lookback_reaches(struct lookback *l, const struct merge_job *job, const struct disk *disk,
                      int64_t first_ms);
/* Once the survey knows the items of this batch, and all voids. */
enum err lookback_read(struct lookback *l, const struct survey *s, const struct disk *disk,
                       struct errmsg *msg);
/* All of one item, n of them; NULL: none. */
const struct past_event *lookback_of(const struct lookback *l, const uint8_t item[16], unsigned *n);
void lookback_free(struct lookback *l);

struct released_at {
    int64_t time_ms;
    unsigned i; /* in job.released */
};

struct released_walk { /* released_walk.c */
    const struct merge_job *job;
    const struct disk *disk;
    struct released_at *v; /* in merged order */
    unsigned at;           /* the next one; 0 begins again */
    struct buf raw;
};
enum err released_open(struct released_walk *w, const struct merge_job *job,
                       const struct disk *disk, struct errmsg *msg);
void released_close(struct released_walk *w);
/* ERR_MISSING behind the last. */
enum err released_next(struct released_walk *w, struct place *at, int64_t *time_ms,
                       struct record *out, struct errmsg *msg);
const struct merge_released *released_find(const struct merge_job *j,
                                           struct place at); /* or NULL */

/* spill: where it may sort; NULL: in memory. */
enum err survey_init(struct survey *s, const struct merge_job *job, const struct spill *spill,
                     struct errmsg *msg);
void survey_free(struct survey *s);
/* First the indexes: all voids and registrations that this job can see ... */
void survey_void(struct survey *s, const struct record_ref *target,
                 const struct record_ref *voider);
void survey_ruling(struct survey *s, const struct merge_ruling *r); /* behind the voids */
void survey_card(struct survey *s, struct place at, const struct record *r);
/* ... if earlier uploads are to be looked back at, the items of all records ... */
void survey_mind_item(struct survey *s, struct place at, const struct record *r);
/* Of a record of an earlier upload: may it be an event of one of those? Fills digests of item and
 * user. */
bool survey_knows_item(const struct survey *s, struct place at, const struct record *r,
                       uint8_t item[16], uint8_t user[16]);
/* ... if some were typed from paper, all records in merged order, for R12 ... */
void typed_record(struct survey *s, struct place at, const struct record *r, int64_t time_ms);
void typed_free(struct typed_entries *t);
bool survey_is_settled(const struct survey *s, struct place at); /* voided, or released by a lead */
/* ... then every record in merged order, and the end. pulse is asked now and then. The job's helper looks
 * at them some hundred later, and until the end nobody else at the survey. */
enum err survey_record(struct survey *s, struct place at, const struct record *r, int64_t time_ms,
                       struct errmsg *msg);
typedef enum err (*survey_pulse)(void *ctx, struct errmsg *msg);
enum err survey_end(struct survey *s, survey_pulse pulse, void *ctx, struct errmsg *msg);
/* The verdict, plain or found. */
void survey_verdict(const struct survey *s, struct place at, const struct record *r,
                    struct finding *out);

/* ---- between survey.c and survey_item.c ---- */

void survey_text_digest(const struct survey *s, const char *text, uint8_t out[16]);
struct finding *survey_find(struct survey *s,
                            struct place at); /* made if absent; NULL: no memory */
const struct finding *survey_found(const struct survey *s, struct place at); /* NULL: none */
void survey_judge(struct survey *s, struct place at, enum verdict verdict, const char *rule,
                  const struct place *other);
/* The same, but for what an earlier upload had, a lead has ruled, or R9 holds for good. */
void survey_rule_judge(void *ctx, struct place at, enum verdict verdict, const char *rule,
                       const struct place *other);
bool survey_is_ruled(const struct survey *s, struct place at);
bool survey_same_desk(void *ctx, struct place a, struct place b);
bool survey_is_late(const struct survey *s, int64_t time_ms); /* R9 */
void survey_mark_late(struct survey *s, struct place at);
/* The rule by which a use of a card waits for it (R6, R7), or NULL. Notes the first use. */
const char *survey_new_card(struct survey *s, struct place at, const uint8_t user[16],
                            uint64_t rank);
/* Notes what happened to an item; survey_events() judges all of it. */
enum err survey_event(struct survey *s, const struct noted *r, struct errmsg *msg);
enum err survey_events(struct survey *s, survey_pulse pulse, void *ctx, struct errmsg *msg);

#endif
