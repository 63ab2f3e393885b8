/* matters.h - what a lead is to look at before an upload: rows of records, those that speak of one
 * thing under one number. */
#ifndef TIDEOVER_MATTERS_H
#define TIDEOVER_MATTERS_H

#include <jansson.h>
#include <stdio.h>

struct matters {
    json_t *rows;      /* owned; in merged order */
    json_t *decisions; /* owned; of decisions_json() */
    json_t *by_id;     /* owned; row number */
};

void matters_begin(struct matters *m, json_t *decisions); /* takes them */
void matters_add(struct matters *m, json_t *row); /* takes it: id, state, rule, other, late */
/* A line each, with `matter` (from 1), `kind` and, where a lead spoke, `decided`; `overruled` are
 * words on the same record that do not stand. */
void matters_write(struct matters *m, FILE *out);
void matters_free(struct matters *m);

#endif
