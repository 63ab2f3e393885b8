/* losses.h - what a format leaves out, in words: of a batch that is planned, sent or merged. */
#ifndef TIDEOVER_LOSSES_H
#define TIDEOVER_LOSSES_H

#include <jansson.h>

#include "export.h"
#include "policy.h"

/* [{loss, records, message}..] */
json_t *losses_json(const struct policy *p, const struct export_result *r);
/* False: the policy's format is no guess, or the site compared it. */
bool format_unverified_words(const struct policy *p, char out[LOSS_SENTENCE_MAX]);

#endif
