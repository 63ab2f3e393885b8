/* word_int.h - the decided upload that a word is about: shared by word.c and confirm.c. */
#ifndef TIDEOVER_WORD_INT_H
#define TIDEOVER_WORD_INT_H

#include "lead_int.h"

struct spoken { /* a decided upload */
    struct buf bytes;
    struct receipt r;
    struct intent in;
    uint8_t hash[HASH_BYTES];
};

/* ERR_MISSING: there is no such upload. spoken_free() in any case. */
enum err spoken_of(const struct node *n, uint64_t slot, struct spoken *s, struct errmsg *msg);
void spoken_free(struct spoken *s);
/* Says DONE of the upload or the records that the body names. */
enum err word_sign_done(struct node *n, struct lead_job *l, json_t **answer);
uint64_t word_slot(const json_t *body); /* its "slot"; 0: none */

#endif
