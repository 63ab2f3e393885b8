/* format_file.h - a whole file and a format's validator, its reader, its golden; what both benches
 * of formats stand on. */
#ifndef FORMAT_FILE_H
#define FORMAT_FILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"

#ifndef GOLDEN_DIR
#define GOLDEN_DIR "tests/golden"
#endif

#define FILE_BRANCH                                                                                \
    "[branch]\ncode = MAIN\nzone = America/New_York\nzone_rule = EST5EDT,M3.2.0,M11.1.0\n"

/* more: further sections behind the branch's. */
static inline void file_policy(struct policy *out, const char *more)
{
    struct buf text = { 0 };
    struct errmsg msg = { .text = "" };

    buf_text(&text, FILE_BRANCH);
    buf_text(&text, more);
    if (policy_parse((const char *)text.p, text.len, out, &msg) != ERR_OK)
        fail_msg("%s", msg.text);
    buf_free(&text);
}

/* Judged in pieces of that size; on refusal the message says why. */
static inline enum err file_judge(const struct format *f, const struct policy *p, const void *text,
                                  size_t n, size_t piece, uint64_t *records, struct errmsg *msg)
{
    struct format_check *c = f->check_new(p);
    enum err e = ERR_OK;

    memset(msg, 0, sizeof *msg);
    assert_non_null(c);
    for (size_t at = 0; e == ERR_OK && at < n; at += piece)
        e = f->check_add(c, (const uint8_t *)text + at, n - at < piece ? n - at : piece, msg);
    if (e == ERR_OK)
        e = f->check_end(c, records, msg);
    f->check_free(c);
    return e;
}

static inline enum err file_read(const struct format *f, const struct policy *p,
                                 const struct format_read *to, const void *text, size_t n,
                                 size_t piece, struct errmsg *msg)
{
    struct format_reader *r = f->read_new(p, to);
    enum err e = ERR_OK;

    assert_non_null(r);
    for (size_t at = 0; e == ERR_OK && at < n; at += piece)
        e = f->read_add(r, (const uint8_t *)text + at, n - at < piece ? n - at : piece, msg);
    if (e == ERR_OK)
        e = f->read_end(r, msg);
    f->read_free(r);
    return e;
}

static inline void file_is_golden(const struct buf *out, const char *name)
{
    char path[512], *wanted = calloc(1, 65536);
    FILE *f;
    size_t n;

    snprintf(path, sizeof path, GOLDEN_DIR "/%s", name);
    f = fopen(path, "rb");
    assert_non_null(f);
    n = fread(wanted, 1, 65536, f);
    fclose(f);
    if (out->len != n || memcmp(out->p, wanted, n) != 0)
        fail_msg("%s:\n%.*s", name, (int)out->len, (char *)out->p);
    free(wanted);
}

#endif
