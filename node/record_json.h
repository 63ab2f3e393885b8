/* record_json.h - a record as JSON: the batch line, the page's request, the list's line. */
#ifndef TIDEOVER_RECORD_JSON_H
#define TIDEOVER_RECORD_JSON_H

#include <jansson.h>

#include "core.h"

/* Bounded before jansson sees it: depth 16, no duplicates. NULL with msg: not one JSON object. */
json_t *json_object_of(const char *p, size_t n, struct errmsg *msg);

/* Fills a record from an object; a void's target is looked up by its number. Unknown fields are
 * errors, so that a misspelt "due" never becomes no due date. */
enum err record_of_json(const struct core *c, const json_t *o, struct record *out,
                        struct errmsg *msg);
/* The same of its bytes: most are plain (plain_json.h), and cost a fifth so. */
enum err record_of_text(const struct core *c, const char *p, size_t n, struct record *out,
                        struct errmsg *msg);
/* `at`, as people write it on paper (day.h), into paper_ms. */
enum err record_take_at(const struct core *c, const char *value, struct record *out,
                        struct errmsg *msg);
/* Of a record from paper: from_paper, and its time as at. Of others nothing. */
void record_put_paper(const struct record *r, const struct zone *zone, json_t *o);
/* Puts op, item, user, due, at and so on of a record into an object. */
void record_to_json(const struct record *r, const struct zone *zone, json_t *o);

#endif
