/* format_line.h - one format, line by line: what a line is written as, and how a text is judged. */
#ifndef FORMAT_LINE_H
#define FORMAT_LINE_H

#include <stdlib.h>

#include "format.h"

struct bench {
    struct policy p;
    struct format_state st;
    struct buf out;
    struct errmsg msg;
    struct record rec; /* of the next line */
};

/* For a cmocka setup: the test's state is a bench with that policy. */
static inline int bench_set_up(void **state, const char *policy)
{
    struct bench *b = calloc(1, sizeof *b);

    *state = b;
    return b && policy_parse(policy, strlen(policy), &b->p, NULL) == ERR_OK ? 0 : -1;
}

static inline int tear_down(void **state)
{
    struct bench *b = *state;

    buf_free(&b->out);
    free(b);
    return 0;
}

static inline enum err bench_judge(struct bench *b, const struct format *f, const void *text,
                                   size_t n, uint64_t *records)
{
    struct format_check *c = f->check_new(&b->p);
    enum err e;

    assert_non_null(c);
    e = f->check_add(c, text, n, &b->msg);
    if (e == ERR_OK)
        e = f->check_end(c, records, &b->msg);
    f->check_free(c);
    return e;
}

#endif
