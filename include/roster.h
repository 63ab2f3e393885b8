/* roster.h - who belongs to the branch, and under which policy: signed operations, replayed.
 *
 * Every operation names its parent's hash, so that the operations form a tree that grows a second
 * branch only when two leads work apart. ADD, REVOKE, RETIRE, LEAD and LEAD_DROP apply wherever
 * they stand; of SET, POLICY and KEY only those on the branch with more operations that count
 * (then: smaller tip hash) apply, and roster_conflicts() lists the rest for a person. The same set
 * of operations gives the same roster on every desk, in whatever order they arrived. Byte form:
 * proto/PROTOCOL.md, "Roster". */
#ifndef TIDEOVER_ROSTER_H
#define TIDEOVER_ROSTER_H

#include "ident.h"
#include "policy.h"
#include "record.h"

#define ROSTER_DESKS_MAX 256  /* design target 200 desks */
#define ROSTER_OPS_MAX   8192 /* forty years of a change a week at twenty desks */
#define ROSTER_OP_BYTES  (POLICY_TEXT_MAX + 1024)

enum role { ROLE_DESK = 1, ROLE_LEAD = 2, ROLE_ADMIN = 4 }; /* bits */

enum op_type {               /* on the wire and the disk: numbers are for ever */
               OP_FOUND = 1, /* the branch begins: code, root key, first lead; signed by the root */
               OP_LEAD = 2,  /* a further lead key; signed by the root */
               OP_LEAD_DROP =
                   3, /* a lead key ends: what it signed after the named operation is void; root */
               OP_ADD = 4, /* a desk joins; signed by a lead, or by an invite that a lead signed */
               OP_SET = 5, /* a desk's name and roles */
               OP_REVOKE = 7, /* a desk is no longer trusted, its feeds only so far */
               OP_RETIRE = 8, /* a desk leaves in honour: all it wrote counts */
               OP_POLICY = 9, /* the branch's policy */
               OP_ADMIT = 10, /* a feed counts so far although its desk is revoked or forked it */
               OP_KEY = 11,   /* the sealed lead key in use, by its hash; that lead, or the root */
};

struct trusted { /* of a revoked desk: how far a feed counts; a feed not named counts to 0 */
    uint8_t feed[FEED_NAME_BYTES];
    uint64_t seq;
};

enum desk_state { DESK_ACTIVE, DESK_REVOKED, DESK_RETIRED };

struct desk {
    struct desk_id id;
    uint8_t sign_pk[KEY_BYTES], curve_pk[KEY_BYTES];
    char name[DESK_NAME_MAX + 1];   /* for people, as a lead last set it */
    char joined[DESK_NAME_MAX + 1]; /* at its ADD, for ever: in record ids, station map, payloads */
    unsigned roles;
    bool seat; /* a lead named it for a seat in the ledger */
    enum desk_state state;
    unsigned n_trusted; /* when revoked; owned by the roster */
    const struct trusted *trusted;
};

struct invite_power { /* "may add one desk", signed by a lead; its secret key lives in memory only
                       */
    uint8_t invite_pk[KEY_BYTES];
    char name[DESK_NAME_MAX + 1];
    unsigned roles;
    bool seat;
    int64_t expires_ms; /* by the inviting desk's clock, which alone enforces it */
};

struct roster;

struct roster *roster_new(void); /* NULL: out of memory */
void roster_free(struct roster *r);

/* Takes one operation. ERR_OK also for one that is known (*fresh tells). ERR_MISSING: its parent is
 * not here yet. ERR_MALFORMED, ERR_DENIED (signature, or signer without the right), ERR_FULL. */
enum err roster_add(struct roster *r, const uint8_t *op, size_t n, bool *fresh, struct errmsg *msg);

unsigned roster_ops(const struct roster *r);
const uint8_t *roster_op(const struct roster *r, unsigned i, size_t *n); /* borrowed for ever */
const uint8_t *roster_op_hash(const struct roster *r, unsigned i);
const uint8_t *roster_hash(const struct roster *r); /* HASH_BYTES: of the set of operations */
const uint8_t *roster_tip(const struct roster *r);  /* parent for the next operation */

/* The indexes of the operations that lead up to the desk's first revocation, itself included,
 * parents first; at most `room` of the newest. Returns how many; 0: it is not revoked. */
unsigned roster_up_to_revocation(const struct roster *r, const struct desk_id *desk, unsigned *out,
                                 unsigned room);

/* ---- what two leads apart leave to a person ---- */
struct roster_conflict {
    enum op_type type;   /* SET, POLICY, KEY: it lost, and nobody has said the like since; ADD:
                            two active desks with one name */
    struct desk_id desk; /* of SET; of ADD the newer one */
    char name[DESK_NAME_MAX + 1]; /* of SET: what it wanted; of ADD: the name */
    unsigned roles;               /* of SET */
    uint8_t hash[HASH_BYTES];     /* of the operation; of ADD zeros */
};
/* Writes at most `room`; returns how many there are. */
unsigned roster_conflicts(const struct roster *r, struct roster_conflict *out, unsigned room);

/* ---- the operations, for people ---- */
struct roster_entry {
    unsigned type, count; /* type: enum op_type, or of a newer version */
    bool counts, winning, has_desk;
    uint8_t hash[HASH_BYTES];
    uint8_t signer[KEY_BYTES]; /* of an ADD with an invite: the lead who signed that */
    struct desk_id desk;       /* of ADD, SET, REVOKE, RETIRE */
};
void roster_entry(const struct roster *r, unsigned i, struct roster_entry *out);

/* ---- lead keys ---- */
struct roster_lead {
    uint8_t pk[KEY_BYTES];
    bool dropped;
    uint8_t last[HASH_BYTES]; /* dropped: its last operation that counts, or an ancestor's child */
    unsigned signed_ops,
        void_ops;               /* signed by it, or by an invite of its; of them without effect */
    uint8_t newest[HASH_BYTES]; /* its newest operation here; zeros: none */
};
unsigned roster_leads(const struct roster *r); /* all there ever were, oldest first */
void roster_lead(const struct roster *r, unsigned i, struct roster_lead *out);
/* The sealed lead key in use: whose, and the hash of its bytes. False: none was named. */
bool roster_key(const struct roster *r, uint8_t lead_pk[KEY_BYTES], uint8_t hash[HASH_BYTES]);
void sealed_key_hash(const uint8_t *box, size_t n, uint8_t out[HASH_BYTES]);

const uint8_t *roster_branch(const struct roster *r); /* BRANCH_ID_BYTES */
const uint8_t *roster_root(const struct roster *r);   /* root public key */
const char *roster_code(const struct roster *r);

unsigned roster_desks(const struct roster *r); /* all there ever were, oldest first */
const struct desk *roster_desk(const struct roster *r, unsigned i);
const struct desk *roster_find(const struct roster *r, const struct desk_id *id);
/* By name, or by the short id that `peers` shows. NULL: none, or (*many) more than one of that
 * name. */
const struct desk *roster_find_word(const struct roster *r, const char *word, bool *many);
/* The active desk that joined under this name: the name that policies use for ever. NULL: none. */
const struct desk *roster_find_joined(const struct roster *r, const char *name);
/* Of an active desk other than `but` (NULL: none): as it is called or as it joined. */
bool roster_name_taken(const struct roster *r, const char *name, const struct desk_id *but);
const struct desk *roster_find_curve(const struct roster *r, const uint8_t curve_pk[KEY_BYTES]);
unsigned roster_active(const struct roster *r);
uint64_t roster_trusted_to(const struct roster *r,
                           const struct feed_id *feed); /* UINT64_MAX: all */
/* The furthest ADMIT of a feed: up to where, and the hash there. false: none. */
bool roster_admitted(const struct roster *r, const struct feed_id *feed, uint64_t *to,
                     uint8_t hash[HASH_SHORT_BYTES]);
/* Dropped since or not: for what was signed while it was one. */
bool roster_was_lead(const struct roster *r, const uint8_t pk[KEY_BYTES]);
bool roster_is_lead(const struct roster *r, const uint8_t pk[KEY_BYTES]);

/* The seats that the roster asks for: 1 for one or two desks, 3 for three or four, else 5; the
 * oldest desks that a lead named for a seat, never fewer than `now`. Returns how many. */
#define SEATS_MAX 5
unsigned roster_seats_wanted(const struct roster *r, const struct desk_id *now, unsigned n_now,
                             struct desk_id out[SEATS_MAX]);

/* The policy in force, and any earlier one by its hash (BLAKE2b-256 of the text). */
const struct policy *roster_policy(const struct roster *r);
const uint8_t *roster_policy_hash(const struct roster *r);
const struct policy *roster_policy_by_hash(const struct roster *r, const uint8_t hash[HASH_BYTES]);
const char *roster_policy_text(const struct roster *r, size_t *n);

/* ---- making operations; sk is the signer's. out receives the whole operation. ---- */
void op_found(const uint8_t root_sk[SIGN_SK_BYTES], const uint8_t lead_pk[KEY_BYTES],
              const char *code, int64_t now_ms, struct buf *out);
void op_add(const struct roster *r, const struct ident *desk_public, const char *name,
            unsigned roles, bool seat, const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out);
void op_revoke(const struct roster *r, const struct desk_id *desk, const struct trusted *v,
               unsigned n, const char *reason, const uint8_t lead_sk[SIGN_SK_BYTES],
               struct buf *out);
void op_admit(const struct roster *r, const struct feed_id *feed, uint64_t to,
              const uint8_t hash[HASH_SHORT_BYTES], const uint8_t lead_sk[SIGN_SK_BYTES],
              struct buf *out);
void op_policy(const struct roster *r, const char *text, size_t n,
               const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out);
void op_lead(const struct roster *r, const uint8_t lead_pk[KEY_BYTES],
             const uint8_t root_sk[SIGN_SK_BYTES], struct buf *out);
void op_lead_drop(const struct roster *r, const uint8_t lead_pk[KEY_BYTES],
                  const uint8_t last_op[HASH_BYTES], const uint8_t root_sk[SIGN_SK_BYTES],
                  struct buf *out);

void op_set(const struct roster *r, const struct desk_id *desk, const char *name, unsigned roles,
            const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out);
void op_retire(const struct roster *r, const struct desk_id *desk,
               const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out);
void op_key(const struct roster *r, const uint8_t lead_pk[KEY_BYTES],
            const uint8_t sealed_hash[HASH_BYTES], const uint8_t sk[SIGN_SK_BYTES],
            struct buf *out);

/* The lead's signed power, and the ADD made with it. */
void invite_power_sign(const struct roster *r, const struct invite_power *p,
                       const uint8_t lead_sk[SIGN_SK_BYTES], struct buf *out);
void op_add_invited(const struct roster *r, const uint8_t sign_pk[KEY_BYTES],
                    const uint8_t curve_pk[KEY_BYTES], const uint8_t *power, size_t power_len,
                    const uint8_t invite_sk[SIGN_SK_BYTES], struct buf *out);

#endif
