/* merge_int.h - the survey: what the verdict on a record owes to records after it. */
#ifndef TIDEOVER_MERGE_INT_H
#define TIDEOVER_MERGE_INT_H

#include "hmap.h"
#include "merge.h"

struct place { /* a record within a job */
    unsigned feed;
    uint64_t seq;
};

struct finding { /* of the records whose verdict is not the plain one of their kind */
    enum verdict verdict;
    const char *rule;
    bool has_other, has_due, early;
    struct place other;
    uint32_t due;
    struct place pull; /* early: the registration to be pulled before this record */
};

struct survey {
    const struct merge_job *job;
    uint8_t salt[16];         /* keys the digests of barcodes: they never meet another use */
    struct hmap items, cards; /* digest -> index in item[], card[] */
    struct item *item;
    struct card *card;
    unsigned n_items, items_room, n_cards, cards_room;
    struct hmap found; /* place -> index in finding[] */
    struct finding *finding;
    unsigned n_findings, findings_room;
    bool failed; /* out of memory */
};

void survey_init(struct survey *s, const struct merge_job *job);
void survey_free(struct survey *s);
/* First the indexes: all voids and registrations that this job can see ... */
void survey_void(struct survey *s, const struct record_ref *target,
                 const struct record_ref *voider);
void survey_card(struct survey *s, struct place at, const struct record *r, bool this_slot);
/* ... then every record in merged order. */
void survey_record(struct survey *s, struct place at, const struct record *r, int64_t time_ms);
/* The verdict, plain or found. */
void survey_verdict(const struct survey *s, struct place at, const struct record *r,
                    struct finding *out);

#endif
