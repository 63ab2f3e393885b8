/* koc.h - what writer, judges and readers of Koha's two forms have to agree on. */
#ifndef TIDEOVER_KOC_H
#define TIDEOVER_KOC_H

#include "format_int.h"

#define KOC_HEADER       "Version=1.0\tGenerator=tideover\tGeneratorVersion=1.0"
#define KOHA_BARCODE_MAX 20 /* the columns of Koha's queue, for cards and items */

struct format_check *koc_check_new(const struct policy *p);
enum err koc_check_add(struct format_check *c, const uint8_t *p, size_t n, struct errmsg *msg);
enum err koc_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg);
void koc_check_free(struct format_check *c);
struct format_reader *koc_read_new(const struct policy *p, const struct format_read *to);
enum err koc_read_add(struct format_reader *r, const uint8_t *p, size_t n, struct errmsg *msg);
enum err koc_read_end(struct format_reader *r, struct errmsg *msg);
void koc_read_free(struct format_reader *r);

struct format_check *koha_json_check_new(const struct policy *p);
enum err koha_json_check_add(struct format_check *c, const uint8_t *p, size_t n,
                             struct errmsg *msg);
enum err koha_json_check_end(struct format_check *c, uint64_t *records, struct errmsg *msg);
void koha_json_check_free(struct format_check *c);
struct format_reader *koha_json_read_new(const struct policy *p, const struct format_read *to);
enum err koha_json_read_add(struct format_reader *r, const uint8_t *p, size_t n,
                            struct errmsg *msg);
enum err koha_json_read_end(struct format_reader *r, struct errmsg *msg);
void koha_json_read_free(struct format_reader *r);

#endif
