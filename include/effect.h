/* effect.h - what the rules want done, in order; the shell does it after the commit.
 *
 * The rules never send or write a file themselves: they append effects. The shell (node/) and the
 * simulator (tests/sim) carry them out once everything the same step put on disk is durable. */
#ifndef TIDEOVER_EFFECT_H
#define TIDEOVER_EFFECT_H

#include "buf.h"
#include "record.h"

enum effect_type {
    EFFECT_SEND,       /* bytes to desk `to` (to oneself too: it comes back as a message) */
    EFFECT_CONNECT,    /* make the connection to `to` anew, at the address in bytes */
    EFFECT_DISCONNECT, /* `to` is revoked: close */
    EFFECT_BUILD,      /* compute the payload of the draft intent in bytes; answer with `number` */
    EFFECT_DELIVER,    /* hand `item` (0: all) of the intent in bytes to its sink, if at that very
                        * moment the ledger's view still allows it (D9); answer with `number` */
    EFFECT_LOOK,       /* ask the sink whether that item is there; answer with `number` */
    EFFECT_PERIOD,     /* an upload was decided: what comes now is sealed under a new key */
    EFFECT_LEAD_KEY,   /* keep the sealed lead key in bytes; none: remove the one kept */
    EFFECT_ASIDE,      /* compute what the decided upload in `number` set aside; answer with it */
    EFFECT_FORGET, /* blocks were erased: drop the keys they stood under; answer with `number` */
    EFFECT_EVENT,  /* one line for the event log, in bytes; never personal data */
};

struct effect {
    enum effect_type type;
    struct desk_id to;
    uint64_t number;
    uint64_t item;    /* from 1, in the order of the payload */
    struct buf bytes; /* owned by the list */
};

struct effects {
    struct effect *v;
    unsigned n, room;
    size_t bytes; /* memory of all that waits in it */
};

/* bytes is moved (and emptied); NULL: none. Out of memory drops the effect: every one of them is
 * repeated by its machine's timer, as a lost message is. */
void effects_add(struct effects *fx, enum effect_type type, const struct desk_id *to,
                 uint64_t number, struct buf *bytes);
void effects_deliver(struct effects *fx, enum effect_type type, uint64_t number, uint64_t item,
                     struct buf *intent); /* EFFECT_DELIVER, EFFECT_LOOK */
#define REFUSED_SAY_MS 10000 /* between two events about what one desk sends and we refuse */
void effects_event(struct effects *fx, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t effects_waiting(const struct effects *fx, const struct desk_id *to); /* bytes for a desk */
void effects_clear(struct effects *fx); /* after carrying them out */
void effects_free(struct effects *fx);

#endif
