/* evergreen.h - what an Evergreen server's offline script says, and where our lines stand in it.
 *
 * Evergreen collects uploads in an offline session: one file per workstation, then everything is
 * sorted and executed once, and what was not booked can be read as a list. Pure: text in, verdicts
 * out; node/sinks/evergreen.c does the talking. Byte forms: formats/README.md, "Evergreen". */
#ifndef TIDEOVER_EVERGREEN_H
#define TIDEOVER_EVERGREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "err.h"
#include "record.h"

#define EVERGREEN_DESKS_MAX 256 /* as the roster's desks: each is one file of the session */
#define EVERGREEN_WS_MAX    40  /* a desk's name, and a number where two names clean to one */
#define EVERGREEN_TEXT_MAX  128
/* Results are written through a buffer of 8 KiB that a killed script takes with it. */
#define EVERGREEN_UNWRITTEN_BYTES 8192

/* ---- events: {"ilsevent":"1000","textcode":"LOGIN_FAILED","desc":..,"payload":..} ---- */

enum evergreen_says { /* of a call; of a record see evergreen_answer() */
                      EVERGREEN_DONE,
                      EVERGREEN_LOG_IN,   /* the token is no longer known */
                      EVERGREEN_RUNNING,  /* the session is being executed */
                      EVERGREEN_FINISHED, /* it was executed */
                      EVERGREEN_LOADED,   /* this workstation's file is in the session already */
                      EVERGREEN_NO_SESSION,
                      EVERGREEN_FILES,   /* the server's own folder is in the way */
                      EVERGREEN_REFUSED, /* a right, the org unit, the login: people must look */
};

struct evergreen_event {
    long code;
    char textcode[64];
    char words[ANSWER_WORDS_MAX + 1];     /* textcode, right or reason, description; clean text */
    char payload[EVERGREEN_TEXT_MAX + 1]; /* if it is a text: a session's key */
};

/* One event as the answer of a call. ERR_MALFORMED: anything else. */
enum err evergreen_event(const char *p, size_t n, struct evergreen_event *out);
enum evergreen_says evergreen_says(const struct evergreen_event *ev);
/* The gateway's answer to open-ils.auth.login. ERR_MALFORMED: no such answer; ERR_DENIED: ev says
 * why it was refused. */
enum err evergreen_token(const char *p, size_t n, char token[EVERGREEN_TEXT_MAX + 1],
                         struct evergreen_event *ev);

/* ---- the session, as status tells it ---- */

struct evergreen_desk {
    char ws[EVERGREEN_WS_MAX + 1];
    uint64_t lines;
    bool there; /* set by evergreen_compare() */
};

struct evergreen_status {
    char key[EVERGREEN_TEXT_MAX + 1]; /* of the session that it tells of; "": it does not say */
    char description[EVERGREEN_TEXT_MAX + 1];
    bool started, ended;
    uint64_t done; /* num_complete */
    unsigned n;
    struct {
        char ws[EVERGREEN_TEXT_MAX + 1];
        uint64_t count;
        bool shifted; /* loaded with a time delta: not by us */
    } script[EVERGREEN_DESKS_MAX];
};

/* ERR_MALFORMED: no session's status (it may be an event instead). */
enum err evergreen_status(const char *p, size_t n, struct evergreen_status *out);

enum evergreen_match {
    EVERGREEN_ALL,     /* every desk's file is there, with its lines, and nothing else */
    EVERGREEN_SOME,    /* what is there is right; the desks without `there` are missing */
    EVERGREEN_FOREIGN, /* another count, workstation, delta or description: not to be executed */
};
enum evergreen_match evergreen_compare(const struct evergreen_status *st, const char *description,
                                       struct evergreen_desk *desks, unsigned n);

/* "status_type=sessions": the key of one of that description that has begun, "" if there is none.
 * ERR_MALFORMED: no list. */
enum err evergreen_begun(const char *p, size_t n, const char *description,
                         char key[EVERGREEN_TEXT_MAX + 1]);

/* ---- what was not booked ---- */

/* "status_type=exceptions". id is our own, "" if the command has none; words as of an event.
 * ERR_MALFORMED: not a list. */
enum err evergreen_exceptions(const char *p, size_t n, void *ctx,
                              enum err (*each)(void *ctx, const char *id, enum answer a,
                                               const char *words));

/* ---- our own lines ---- */

struct evergreen_line {
    char id[RECORD_ID_TEXT];
    char desk[RECORD_ID_TEXT]; /* the id's first part */
    int64_t timestamp;
    bool registers;
};
/* ERR_MALFORMED: a line without tideover_id or timestamp. */
enum err evergreen_line(const uint8_t *p, size_t n, struct evergreen_line *out);

/* A desk's name as a path and a shell word, no two alike. ERR_FULL. Which of *n it is: *at. */
enum err evergreen_desk_find(struct evergreen_desk *desks, char (*names)[DESK_NAME_MAX + 1],
                             unsigned *n, const char *desk, unsigned *at);

/* Where a line stands when the session is executed: registrations first, then time; ties keep the
 * order of their file, and between files fall as the server's database likes. */
struct evergreen_place {
    uint64_t id; /* of tideover_id, by evergreen_id() */
    int64_t timestamp;
    uint32_t line; /* in the payload, from 1 */
    uint32_t bytes;
    uint16_t desk;
    bool registers;
    bool told;      /* it is in the list of what was not booked */
    uint8_t answer; /* enum answer, set by evergreen_broken() for those not told; 0: booked */
};
uint64_t evergreen_id(const char *tideover_id);
void evergreen_sort_ids(struct evergreen_place *v, size_t n);
uint32_t evergreen_find(const struct evergreen_place *by_id, size_t n, const char *tideover_id);
/* its line; 0: not ours */
void evergreen_sort(struct evergreen_place *v, size_t n);
/* The script died after `done` lines, which evergreen_sort() put in order: the next one is in
 * doubt, later ones were not done, and of the last ones before it nobody can tell, because their
 * results may have died with the script. */
void evergreen_broken(struct evergreen_place *v, size_t n, uint64_t done);

#endif
