/* branch.h - a founded branch for unit tests: keys from small numbers, operations to replay. */
#ifndef TIDEOVER_BRANCH_H
#define TIDEOVER_BRANCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "roster.h"

#define BRANCH_OPS 64

struct branch {
    struct ident root, lead, other_lead, desk[8];
    struct roster *r;
    struct buf op[BRANCH_OPS]; /* in the order in which they were made */
    unsigned n_ops;
};

static inline void branch_ident(unsigned n, struct ident *out)
{
    uint8_t seed[3 * SEED_BYTES];

    for (unsigned i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)(n * 7 + i);
    ident_from_seed(seed, out);
}

/* Takes op over and adds it to b->r, where it must be welcome. */
static inline void branch_put(struct branch *b, struct buf *op)
{
    struct errmsg msg = { .text = "" };
    bool fresh = false;

    if (roster_add(b->r, op->p, op->len, &fresh, &msg) != ERR_OK || !fresh)
        fail_msg("operation refused: %s", msg.text);
    assert_true(b->n_ops < BRANCH_OPS);
    b->op[b->n_ops++] = *op;
    memset(op, 0, sizeof *op);
}

static inline void branch_policy_text(const char *extra, struct buf *out)
{
    buf_printf(out,
               "[branch]\ncode = MAIN\nzone = America/New_York\n"
               "zone_rule = EST5EDT,M3.2.0,M11.1.0\n"
               "[upload]\nsink = file:/drop\nquiet = 2s\n"
               "[symphony]\ndefault_station = 42\n%s",
               extra);
}

/* Founds MAIN with n desks DESK-1.. (the first `seats` of them named for a seat) and a policy. */
static inline void branch_new(struct branch *b, unsigned n, unsigned seats)
{
    struct buf op = { 0 }, text = { 0 };

    memset(b, 0, sizeof *b);
    b->r = roster_new();
    branch_ident(100, &b->root);
    branch_ident(101, &b->lead);
    branch_ident(102, &b->other_lead);
    op_found(b->root.sign_sk, b->lead.sign_pk, "MAIN", 1795500000000, &op);
    branch_put(b, &op);
    for (unsigned i = 0; i < 8; i++)
        branch_ident(i + 1, &b->desk[i]);
    for (unsigned i = 0; i < n; i++) {
        char name[DESK_NAME_MAX + 1];
        snprintf(name, sizeof name, "DESK-%u", i + 1);
        op_add(b->r, &b->desk[i], name, ROLE_DESK, i < seats, b->lead.sign_sk, &op);
        branch_put(b, &op);
    }
    branch_policy_text("", &text);
    op_policy(b->r, (const char *)text.p, text.len, b->lead.sign_sk, &op);
    branch_put(b, &op);
    buf_free(&text);
}

static inline void branch_free(struct branch *b)
{
    for (unsigned i = 0; i < b->n_ops; i++)
        buf_free(&b->op[i]);
    roster_free(b->r);
}

#endif
