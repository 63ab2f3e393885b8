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
/* False: nothing is so old that the format's loader may leave it out. first_ms: of the oldest record. */
bool format_age_words(const struct policy *p, int64_t first_ms, int64_t now_ms,
                      char out[LOSS_SENTENCE_MAX]);

#endif
