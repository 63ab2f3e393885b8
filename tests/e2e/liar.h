/* liar.h - a member of the branch with a valid certificate and no node: it speaks the real protocol
 * over real sockets, and lies. liar.c hears and answers, lies.c makes what it says. */
#ifndef TIDEOVER_E2E_LIAR_H
#define TIDEOVER_E2E_LIAR_H

#include "feed.h"
#include "net.h"
#include "wire.h"

#define PEERS_MAX 4
#define HEARD_MAX 256 /* blocks that the honest desks sent, to alter and to repeat */
#define HISTORIES 2

struct honest {
    struct desk_id id;
    uint8_t curve_pk[KEY_BYTES];
    char address[64];
    bool up;
    struct buf hello; /* its last one */
};

struct heard {
    struct buf opening, block; /* opening: empty unless the block begins at 1 */
    uint64_t head;
};

/* One of the continuations of the liar's own feed. */
struct history {
    bool began;
    uint64_t seq;
    uint8_t h[HASH_BYTES];
    struct buf last; /* its last block */
};

struct liar {
    struct ident me;
    const char *listen;
    struct net *net;
    struct honest peer[PEERS_MAX];
    unsigned peers;
    bool knows_branch;
    uint8_t branch[BRANCH_ID_BYTES];
    uint8_t mark[16]; /* of the one start that this process is */
    struct heard heard[HEARD_MAX];
    unsigned n_heard;
    struct history history[HISTORIES];
    unsigned asked; /* FORK_ASKs heard: each is answered another way */
    uint64_t said, lost;
};

/* Sends b to the k-th honest desk, and frees it; as it is: not packed, whatever that would save. */
void say(struct liar *l, unsigned k, struct buf *b);
void say_as_it_is(struct liar *l, unsigned k, struct buf *b);

/* The block whose feed is (or is not) the liar's with the highest sequence, or NULL. */
const struct heard *heard_of(const struct liar *l, bool mine);

void say_hello(struct liar *l, unsigned k, bool wrong_addresses);
void say_block(struct liar *l, unsigned k, const struct opening *o, uint64_t head,
               const struct buf *block);
void answer_fork_ask(struct liar *l, unsigned k);

/* claims.c: lies about anything but feeds and votes. */
bool lie_packed(struct liar *l, unsigned k, uint64_t a, uint64_t b);
bool lie_words(struct liar *l, unsigned k, uint64_t a, uint64_t b);
bool lie_blocklists(struct liar *l, unsigned k, uint64_t a, uint64_t b);
bool lie_overrides(struct liar *l, unsigned k, uint64_t a, uint64_t b);
bool lie_claims(struct liar *l, unsigned k, uint64_t a, uint64_t b);

/* A verb of stdin: "NAME PEER [NUMBER [NUMBER]]"; false: there is nothing yet to lie about. */
bool lie(struct liar *l, const char *name, unsigned k, uint64_t a, uint64_t b);

#endif
