/* paper.h - a report before it is text or a page: sections of sentences and tables.
 *
 * {"title", "sections": [{"title", "lines": [str..], "head": [str..], "rows": [[str..]..]}..]} */
#ifndef TIDEOVER_PAPER_H
#define TIDEOVER_PAPER_H

#include <jansson.h>
#include <stdio.h>

/* facts: what cmd_report() gathers and --json prints, barcodes shortened already. New;
 * json_decref(). */
json_t *paper_of(const json_t *facts);
void paper_text(const json_t *paper, FILE *to);
void paper_html(const json_t *paper, FILE *to); /* one page; nothing from outside, all escaped */

#endif
