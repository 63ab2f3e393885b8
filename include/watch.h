/* watch.h - is the library's server there? One desk's eyes, with patience, and what they mean.
 *
 *   UNKNOWN ── first good check ──▶ ONLINE ◀──── back_after good ──── OFFLINE
 *      │                              │  primary fails offline_after times
 *      │                              ├──▶ BACKUP   if the other address answers
 *      └── offline_after failures ────┴──▶ OFFLINE  if it does not
 *
 *   BACK: the server answers, and the branch holds records that it does not know yet. Desks go on
 *   recording here ("upload first") until these are delivered, or a lead says that the desks may
 *   work online before (word.h, WORD_ONLINE): or loans are charged to people who brought the item
 *   back meanwhile.
 *
 * Pure; who asks the server, and how, is node/probe.c. */
#ifndef TIDEOVER_WATCH_H
#define TIDEOVER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define WATCH_WHY_MAX 120 /* a sentence about the last failure; never personal data */

enum watch_state { /* in BEAT: numbers are for ever */
                   WATCH_UNKNOWN = 0,
                   WATCH_ONLINE = 1,
                   WATCH_BACKUP = 2,
                   WATCH_OFFLINE = 3,
                   WATCH_BACK = 4,
                   WATCH_LAST = WATCH_BACK
};
const char *watch_state_name(enum watch_state s); /* "unknown", "online", "backup" .. */

struct watch_check { /* one look */
    bool primary;
    bool backup; /* looked at only where the primary failed; false: none, or it failed */
    char why[WATCH_WHY_MAX]; /* of the primary's failure, then the backup's; "" if all is well */
};

struct watch {
    enum watch_state seen; /* UNKNOWN, ONLINE, BACKUP or OFFLINE */
    unsigned good, bad;    /* checks of the primary in a row, of one kind */
    unsigned backup_good, backup_bad;
    uint64_t since_ms;   /* boot time of the last change of `seen` */
    uint64_t checked_ms; /* of the last check; 0: none yet */
    uint64_t checks, failures;
    char why[WATCH_WHY_MAX]; /* why it is not ONLINE; "" if it is */
};

/* Takes one look in; true if `seen` changed. */
bool watch_take(struct watch *w, unsigned offline_after, unsigned back_after,
                const struct watch_check *check, uint64_t boot_ms);
/* What the desk shows. waits: the branch holds records the server does not know; released: a lead
 * lets the desks work online before these are uploaded. */
enum watch_state watch_shown(const struct watch *w, bool waits, bool released);
bool watch_answers(const struct watch *w); /* ONLINE or BACKUP */

#endif
