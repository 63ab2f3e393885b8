/* keeper.h - who may use the local pages: login codes, sessions, PINs, limits. Pure: the time and
 * the secrets are given.
 *
 *   token file --code--> page --session--> what the desk token may --PIN--> what the ctl token may
 *
 * A session is two secrets: the cookie, which a browser also sends for a page on another port of
 * this PC, and the token, which only the page that entered knows. Both are needed. Everything here
 * ends with the program; sessions outlive its crash, so that a page goes on. Rules and numbers:
 * node/API.md, "Pages". */
#ifndef TIDEOVER_KEEPER_H
#define TIDEOVER_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

#define KEEPER_CODE_BYTES    16
#define KEEPER_SECRET_BYTES  32
#define KEEPER_CODES         8
#define KEEPER_CODE_MS       60000 /* from `tideover open` to the page */
#define KEEPER_SESSIONS      16    /* windows of one PC; the one unused for longest goes */
#define KEEPER_SESSION_MS    (12 * 3600000ull) /* a working day */
#define KEEPER_LIFT_MS       600000            /* without a person's touch; then the PIN again */
#define KEEPER_CHANGES_S     20    /* a second and session; a scanner at its fastest sends five */
#define KEEPER_POLLS         4     /* of one session at once */
#define KEEPER_POLLS_ALL     12    /* of all: connections must be left for everything else */
#define KEEPER_PIN_FREE      5     /* wrong ones without a wait */
#define KEEPER_PIN_WAIT_MS   30000 /* after that many; doubled by each further one */
#define KEEPER_PIN_WAIT_MOST 900000

enum keeper_page { KEEPER_DESK, KEEPER_LEAD, KEEPER_ADMIN, KEEPER_PAGES };
const char *keeper_page_name(enum keeper_page p); /* "desk" */
bool keeper_page_by_name(const char *name, enum keeper_page *out);

struct keeper_session {
    uint64_t id; /* never used twice; 0: free */
    uint8_t cookie[KEEPER_SECRET_BYTES], token[KEEPER_SECRET_BYTES];
    uint64_t began_ms, used_ms, lifted_ms; /* lifted_ms: last touch under the PIN; 0: not lifted */
    uint64_t second_ms;                    /* when its second began, and the changes in it */
    unsigned changes, polls;
};

struct keeper {
    struct {
        bool live;
        uint8_t code[KEEPER_CODE_BYTES];
        uint64_t until_ms;
    } code[KEEPER_CODES];
    struct keeper_session session[KEEPER_SESSIONS];
    struct {
        unsigned wrong;
        uint64_t until_ms; /* no try before */
    } pin[KEEPER_PAGES];
    uint64_t last_id;
    unsigned polls;
};

/* A code for one entry. The oldest goes when there are too many. */
void keeper_add_code(struct keeper *g, uint64_t now_ms, const uint8_t code[KEEPER_CODE_BYTES]);
/* Trades it for a session with these secrets. 0: no such code, used, or too old. */
uint64_t keeper_enter(struct keeper *g, uint64_t now_ms, const uint8_t code[KEEPER_CODE_BYTES],
                      const uint8_t cookie[KEEPER_SECRET_BYTES],
                      const uint8_t token[KEEPER_SECRET_BYTES]);
/* Whose secrets these are; token NULL: by the cookie alone. 0: nobody's. */
uint64_t keeper_who(struct keeper *g, uint64_t now_ms, const uint8_t cookie[KEEPER_SECRET_BYTES],
                    const uint8_t *token);
const uint8_t *keeper_token(const struct keeper *g, uint64_t id); /* NULL: ended */
void keeper_leave(struct keeper *g, uint64_t id);

/* What a program that was killed left behind: sessions, not what a PIN had lifted. wall_ms: the
 * PC's clock, because the other one may have begun anew. Bytes that are not ours: no session. */
void keeper_write(const struct keeper *g, uint64_t now_ms, int64_t wall_ms, struct buf *out);
void keeper_read(struct keeper *g, uint64_t now_ms, int64_t wall_ms, const uint8_t *p, size_t n);
#define KEEPER_SESSION_BYTES (2 * KEEPER_SECRET_BYTES + 8)

/* Counts one change. False: too many in this second. */
bool keeper_change(struct keeper *g, uint64_t now_ms, uint64_t id);
bool keeper_poll_begin(struct keeper *g, uint64_t id); /* id 0: by a token */
void keeper_poll_end(struct keeper *g, uint64_t id);

/* A PIN lifts a session until nobody touched it for KEEPER_LIFT_MS. Reading is no touch: pages read
 * by themselves. */
void keeper_lift(struct keeper *g, uint64_t now_ms, uint64_t id);
void keeper_touch(struct keeper *g, uint64_t now_ms, uint64_t id);
void keeper_lower(struct keeper *g, uint64_t id);
bool keeper_is_lifted(const struct keeper *g, uint64_t now_ms, uint64_t id);

/* Milliseconds until the page's PIN may be tried; 0: now. The wait holds for all sessions. */
uint64_t keeper_pin_wait(const struct keeper *g, uint64_t now_ms, enum keeper_page page);
void keeper_pin_tried(struct keeper *g, uint64_t now_ms, enum keeper_page page, bool right);

#endif
