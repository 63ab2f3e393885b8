/* sip2_test.h - what this SIP2 server really does: its texts promise more than servers keep. */
#ifndef TIDEOVER_SIP2_TEST_H
#define TIDEOVER_SIP2_TEST_H

#include <jansson.h>
#include <stdbool.h>

#include "buf.h"
#include "err.h"
#include "policy.h"

struct sip2_report {
    json_t *facts;    /* no barcode in it */
    struct buf words; /* whole sentences, each with its line end; which keys of [sip2] to change */
    bool broke_off;   /* the test loan did; "problem" in facts and words say why */
    char path[4400];  /* where the facts are kept: DIR/servers/HOST-PORT.json */
};

/* Talks to the server of the policy's sink, with the credentials in state_dir. item not NULL: lends
 * it to user for eleven days, looks, and takes it back; nothing is lent unless the item is seen to
 * be there and the user to be known. ERR_CONFIG: a person must change something; ERR_DENIED:
 * the login is refused; ERR_OFFLINE: not now. sip2_report_free() in any case. */
enum err sip2_test(const char *state_dir, const struct policy *p, const char *item,
                   const char *user, struct sip2_report *out, struct errmsg *msg);
void sip2_report_free(struct sip2_report *r);

#endif
