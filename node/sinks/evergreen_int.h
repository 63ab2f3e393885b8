/* evergreen_int.h - shared by evergreen.c (what is done), evergreen_answers.c (what came of
 * it) and evergreen_call.c (how it is said). */
#ifndef TIDEOVER_EVERGREEN_INT_H
#define TIDEOVER_EVERGREEN_INT_H

#include "evergreen.h"
#include "web_int.h"

#define EVERGREEN_LIMIT_MS 60000 /* of one request, unless the policy says otherwise */

struct evergreen { /* kept between the items of one upload */
    struct web *web;
    char org[16];
    char token[EVERGREEN_TEXT_MAX + 1];
    char description[EVERGREEN_TEXT_MAX + 1]; /* of the session: the batch's name */
    unsigned n_desks;
    struct evergreen_desk desk[EVERGREEN_DESKS_MAX];
    char name[EVERGREEN_DESKS_MAX][DESK_NAME_MAX + 1];
    struct evergreen_place *place; /* line k at k - 1 */
    char fresh[SINK_KEY_MAX];      /* made by us, and nothing was sent to it yet; "": none is */
    bool unsure;                   /* the answer to a load got lost */
    bool renewed;                  /* another session was filled, because one broke */
    uint64_t waits_ms, counted;    /* without a change since; of how many lines done then */
};

/* What is kept, made at the first call; *out is owned by the batch's session. */
enum delivery evergreen_begin(struct sink_batch *b, struct evergreen **out, char words[256]);

void evergreen_end(struct evergreen *e); /* NULL is fine */

struct evergreen_call {
    const char *action, *status_type, *key; /* NULL: not said */
    const struct evergreen_desk *load;      /* whose file goes along; NULL: none */
};
enum evergreen_end {
    EVERGREEN_SAID,  /* an answer of the script, as it stands in a->body */
    EVERGREEN_BROKE, /* the script died before it answered (HTTP 500) */
    EVERGREEN_LOST,  /* it may have been heard, and no answer came */
    EVERGREEN_NOT,   /* it was not heard: RETRY or STOP in *why, with words */
};
/* Logs in where that is needed, also once more when the token has expired. */
enum evergreen_end evergreen_call(struct evergreen *e, struct sink_batch *b,
                                  const struct evergreen_call *call, struct web_answer *a,
                                  enum delivery *why, char words[256]);

/* ---- evergreen.c ---- */
/* An event that is not what was hoped for: STOP, with words. */
enum delivery evergreen_refused(const struct web_answer *a, char words[256]);
/* Of a call that may be repeated without harm and was not answered. */
enum delivery evergreen_again(enum evergreen_end end, enum delivery why);
/* DONE, RETRY, STOP; ABSENT: the server knows no such session. */
enum delivery evergreen_ask_status(struct evergreen *e, struct sink_batch *b,
                                   struct evergreen_status *st, char words[256]);
/* Since the last change, which is now if there was none yet. */
bool evergreen_patience_ends(struct evergreen *e, const struct sink_batch *b);
void evergreen_pause(void); /* between two looks */

/* ---- evergreen_answers.c ---- */
enum delivery evergreen_read(struct evergreen *e, struct sink_batch *b, char words[256]);

#endif
