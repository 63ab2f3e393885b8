/* roster_int.h - the roster's insides, shared by roster.c (the tree), roster_apply.c (what it means),
 * roster_facts.c and roster_view.c (questions), roster_ops.c (making). */
#ifndef TIDEOVER_ROSTER_INT_H
#define TIDEOVER_ROSTER_INT_H

#include "roster.h"

struct op {
    uint8_t *bytes; /* owned */
    size_t n;
    uint8_t hash[HASH_BYTES], parent[HASH_BYTES];
    uint8_t signer[KEY_BYTES];
    uint32_t count; /* operations from FOUND to here, both included */
    uint8_t type;
    bool winning;    /* on the branch that wins */
    bool counts;     /* its signer had the right, and was not dropped before */
    uint32_t weight; /* operations that count from FOUND to here */
    uint32_t before; /* bit k: lead k was dropped, and this is its last one or an ancestor of it */
    int parent_at;   /* index, -1 for FOUND */
    const uint8_t *body; /* inside bytes */
    size_t body_n;
    const uint8_t *power; /* of an ADD made with an invite */
    size_t power_n;
};

#define LEADS_MAX 32 /* bits of op.before */

struct lead {
    uint8_t pk[KEY_BYTES];
    unsigned made_at; /* index of the operation that made it a lead */
    bool dropped;
    uint8_t last[HASH_BYTES]; /* when dropped: its last operation that counts */
};

struct past_policy {
    uint8_t hash[HASH_BYTES];
    struct policy policy;
    const char *text; /* inside the operation */
    size_t n;
};

struct admit {
    struct feed_id feed;
    uint64_t to;
    uint8_t hash[HASH_SHORT_BYTES];
};

struct roster {
    struct op *ops;
    unsigned n_ops, room;
    struct lead leads[LEADS_MAX];
    unsigned n_leads;
    struct desk desks[ROSTER_DESKS_MAX];
    unsigned n_desks;
    uint16_t by_id[2 * ROSTER_DESKS_MAX]; /* place + 1, by the id's first bytes, then onwards */
    struct admit *admits;                 /* one per feed, the furthest */
    unsigned n_admits;
    struct past_policy **policies;
    unsigned n_policies;
    const struct past_policy *policy; /* in force */
    uint8_t branch[BRANCH_ID_BYTES], root[KEY_BYTES], set_hash[HASH_BYTES];
    char code[16];
    unsigned tip;
    bool has_key; /* a sealed lead key is named */
    uint8_t key_pk[KEY_BYTES], key_hash[HASH_BYTES];
};

extern const char roster_op_domain[];

/* Index, or -1. */
int roster_op_index(const struct roster *r, const uint8_t hash[HASH_BYTES]);
struct lead *roster_lead_by_key(struct roster *r, const uint8_t pk[KEY_BYTES]); /* NULL: none */

/* What operations do, told one by one in their order: ADDs that count first, then the others that
 * count, and every POLICY. */
void roster_apply_none(struct roster *r); /* begins */
void roster_apply_add(struct roster *r, unsigned i);
void roster_apply(struct roster *r, const struct op *o);

/* A lead's signed power: form and signature; whether the key is a lead's is the roster's to say. */
bool power_decode(const uint8_t *p, size_t n, struct invite_power *out,
                  uint8_t branch[BRANCH_ID_BYTES], uint8_t lead_pk[KEY_BYTES]);

#endif
