/* pool_int.h - the pool's inside: what its passes hand to each other. */
#ifndef TIDEOVER_POOL_INT_H
#define TIDEOVER_POOL_INT_H

#include "hmap.h"
#include "merge_int.h"
#include "pool.h"

enum { BY_TIME, BY_ITEM, EDITS, CARDS, CARD_USES, USERS };

#define POOL_BLOOM_BITS (1u << 20) /* 1 in 200 is wrong with 40,000 new cards */

struct user_fate { /* where a registration goes, and why */
    uint64_t seq;
    int64_t time_ms;
    enum verdict verdict;
    const char *rule;
    bool early, has_other;
    struct place other;
};

/* BY_TIME: time 8, file 2, line 8 | desk 2, kind 1, due 4, item 16, user 16, same 8 | record. */
enum { T_DESK = 18, T_KIND = 20, T_DUE = 21, T_ITEM = 25, T_USER = 41, T_SAME = 57, T_RECORD = 65 };

/* BY_ITEM: item 16, seq 8 | time 8, file 2, desk 2, kind 1, due 4, user 16, same 8. */
enum {
    I_TIME = 24,
    I_FILE = 32,
    I_DESK = 34,
    I_KIND = 36,
    I_DUE = 37,
    I_USER = 41,
    I_SAME = 57,
    ITEM_BYTES = 65
};

/* CARDS, CARD_USES: card 16, which look 1, seq 8 | file 2, desk 2, time 8, content 16 | record. */
enum { C_FILE = 25, C_DESK = 27, C_TIME = 29, C_CONTENT = 37, C_RECORD = 53 };

/* USERS: seq 8, before or at it 1 | file 2, desk 2, time 8, own seq 8, verdict .. | record. */
enum {
    U_FILE = 9,
    U_DESK = 11,
    U_TIME = 13,
    U_SEQ = 21,
    U_VERDICT = 29,
    U_RULE,
    U_HAS,
    U_EARLY,
    U_OTHER_FILE,
    U_OTHER_SEQ = 35,
    U_RECORD = 43
};

struct pool_head { /* of a stream; p NULL: at its end */
    const uint8_t *p;
    size_t n;
};

struct pool_samples { /* of two files' clocks */
    uint64_t shared;
    int32_t ms[POOL_SAMPLES];
};

struct pool {
    struct pool_job job;
    struct runs *runs[POOL_SPILLS];
    struct item_rules rules;
    uint64_t events, done, cards, n_edits, rank;
    struct desk_name {
        char name[DESK_NAME_MAX + 1];
    } * desk;
    unsigned n_desks, last_desk;
    struct walk *walk;     /* pool_item.c, during its pass */
    struct hmap conflicts; /* cards with an R6 conflict */
    struct buf line;
    struct record rec;
    struct pool_head event, edit, user;
    enum err failed; /* in a rule's callback */
    struct errmsg failed_msg;
    struct pool_samples *clock[POOL_FILES_MAX * POOL_FILES_MAX]; /* [a * MAX + b], a < b */
    uint8_t bloom[POOL_BLOOM_BITS / 8]; /* of cards registered in these files */
};

/* ---- bytes of entries ---- */

#define POOL_LINE_BITS 30

static inline void put_be16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline unsigned get_be16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static inline void put_time(uint8_t *p, int64_t ms)
{
    put_be64(p, (uint64_t)ms ^ UINT64_C(1) << 63); /* in memcmp order */
}

static inline int64_t get_time(const uint8_t *p)
{
    return (int64_t)(get_be64(p) ^ UINT64_C(1) << 63);
}

/* Where an event stands: its rank by time, and, for people, its line. */
static inline uint64_t place_seq(uint64_t rank, uint64_t line)
{
    return rank << POOL_LINE_BITS | line;
}

static inline uint64_t line_of(uint64_t seq)
{
    return seq & (POOL_LINES_MAX - 1);
}

/* ---- between the files ---- */

enum err pool_pulse(struct pool *p, struct errmsg *msg);
void pool_edit_verdict(void *ctx, struct place at, enum verdict v, const char *rule,
                       const struct place *other);
void pool_edit_due(void *ctx, struct place at, uint32_t due);
void pool_edit_twice(void *ctx, struct place at, struct place loan, const struct place *renew);
void pool_edit_new_card(struct pool *p, struct place at);
enum err pool_decode(const uint8_t *b, size_t n, struct record *out, struct errmsg *msg);
uint8_t pool_rule_number(const char *rule);

/* pool_card.c */
void pool_remember_card(struct pool *p, const uint8_t user[16]);
enum err pool_add_card(struct pool *p, const uint8_t *t, size_t n, uint64_t seq,
                       struct errmsg *msg);
enum err pool_pass_cards(struct pool *p, struct errmsg *msg);     /* R6 */
enum err pool_pass_card_uses(struct pool *p, struct errmsg *msg); /* R7 */
enum err pool_kept(struct pool *p, const struct item_event *ev);
bool pool_card_conflicts(const struct pool *p, const uint8_t user[16]);

/* pool_item.c */
struct item_rules pool_rules(struct pool *p);
enum err pool_pass_items(struct pool *p, struct errmsg *msg);

#endif
