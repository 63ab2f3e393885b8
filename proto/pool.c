/* pool.c - four sorted passes: by time (places are given), by card, by item (verdicts), by time. */
#include "pool.h"

#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "mem.h"
#include "merge_int.h"
#include "pool_int.h"

#define YIELD_EVERY 4096

static const size_t budgets[POOL_SPILLS] = {
    [BY_TIME] = 3u << 20, [BY_ITEM] = 3u << 20,   [EDITS] = 1u << 20,
    [CARDS] = 1u << 20,   [CARD_USES] = 1u << 20, [USERS] = 1u << 20
};
static const size_t key_bytes[POOL_SPILLS] = {
    [BY_TIME] = 18, [BY_ITEM] = 24, [EDITS] = 16, [CARDS] = 25, [CARD_USES] = 25, [USERS] = 9
};

enum err pool_new(const struct pool_job *job, struct pool **out, struct errmsg *msg)
{
    struct pool *p = mem_zero(1, sizeof *p);

    if (!p)
        return err_set(msg, ERR_NOMEM, "out of memory");
    p->job = *job;
    p->rules = pool_rules(p);
    for (unsigned i = 0; i < POOL_SPILLS; i++)
        if (!(p->runs[i] = runs_new(key_bytes[i], budgets[i], &job->spill[i]))) {
            pool_free(p);
            return err_set(msg, ERR_NOMEM, "out of memory");
        }
    *out = p;
    return ERR_OK;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    for (unsigned i = 0; i < POOL_SPILLS; i++)
        runs_free(p->runs[i]);
    for (unsigned i = 0; i < POOL_FILES_MAX * POOL_FILES_MAX; i++)
        free(p->clock[i]);
    hmap_free(&p->conflicts);
    buf_free(&p->line);
    free(p->desk);
    free(p);
}

enum err pool_pulse(struct pool *p, struct errmsg *msg)
{
    if (++p->done % YIELD_EVERY == 0 && p->job.yield &&
        !p->job.yield(p->job.yield_ctx, p->done, 4 * p->events))
        return err_set(msg, ERR_BUSY, "the merge was given up");
    return ERR_OK;
}

static void digest(const char *text, uint8_t out[16])
{
    static const uint8_t salt[16] = "tideover merge"; /* the same files give the same bytes */

    crypto_shorthash_siphashx24(out, (const uint8_t *)text, strlen(text), salt);
}

/* ---- taking events ---- */

static enum err desk_index(struct pool *p, const char *name, unsigned *out, struct errmsg *msg)
{
    for (unsigned i = p->last_desk; i < p->n_desks; i++)
        if (strcmp(p->desk[i].name, name) == 0) {
            *out = p->last_desk = i;
            return ERR_OK;
        }
    for (unsigned i = 0; i < p->last_desk; i++)
        if (strcmp(p->desk[i].name, name) == 0) {
            *out = p->last_desk = i;
            return ERR_OK;
        }
    if (p->n_desks == POOL_DESKS_MAX)
        return err_set(msg, ERR_FULL, "more than %d stations in these files", POOL_DESKS_MAX);
    if (!p->desk && !(p->desk = mem_zero(POOL_DESKS_MAX, sizeof *p->desk)))
        return err_set(msg, ERR_NOMEM, "out of memory");
    memcpy(p->desk[p->n_desks].name, name, strlen(name) + 1);
    *out = p->last_desk = p->n_desks++;
    return ERR_OK;
}

unsigned pool_desks(const struct pool *p)
{
    return p->n_desks;
}

const char *pool_desk(const struct pool *p, unsigned i)
{
    return p->desk[i].name;
}

int64_t pool_time(const struct pool *p, unsigned file, const struct format_event *ev)
{
    struct record when = { .at_ms = ev->time_ms };

    if (ev->time_ms == 0 || ev->rec.paper_ms != 0)
        return record_time(&ev->rec, p->job.offset_ms[file]);
    return record_time(&when, p->job.offset_ms[file]);
}

enum err pool_event(struct pool *p, unsigned file, const struct format_event *ev,
                    struct errmsg *msg)
{
    static const uint8_t salt[16] = "the same event";
    uint8_t head[T_RECORD] = { 0 };
    unsigned desk = 0;
    enum err e;

    if (ev->line >= POOL_LINES_MAX)
        return err_set(msg, ERR_FULL, "a file has more than %llu lines: split it",
                       (unsigned long long)POOL_LINES_MAX - 1);
    if ((e = desk_index(p, ev->desk, &desk, msg)) != ERR_OK)
        return e;
    put_time(head, pool_time(p, file, ev));
    put_be16(head + 8, file);
    put_be64(head + 10, ev->line);
    put_be16(head + T_DESK, desk);
    head[T_KIND] = ev->rec.item[0] == 0 && ev->rec.kind != RECORD_USER ? 0 : ev->rec.kind;
    put_be32(head + T_DUE, ev->rec.due);
    digest(ev->rec.item, head + T_ITEM);
    digest(ev->rec.user, head + T_USER);
    if (ev->rec.kind == RECORD_USER)
        pool_remember_card(p, head + T_USER);
    buf_reset(&p->line);
    buf_add(&p->line, head, sizeof head);
    if ((e = record_encode(&ev->rec, &p->line, msg)) != ERR_OK)
        return e;
    if (p->line.failed)
        return err_set(msg, ERR_NOMEM, "out of memory");
    /* Time, station and content alike: in two files it is one event that was copied (R1). */
    crypto_shorthash_siphash24(head, p->line.p + T_DESK, p->line.len - T_DESK, salt);
    memcpy(p->line.p + T_SAME, head, 8);
    p->events++;
    return runs_add(p->runs[BY_TIME], p->line.p, p->line.len, msg);
}

/* ---- pass 1: by time. Ranks; what concerns an item, and what a card ---- */

static enum err add_item(struct pool *p, const uint8_t *t, uint64_t seq, struct errmsg *msg)
{
    uint8_t b[ITEM_BYTES];

    memcpy(b, t + T_ITEM, 16);
    put_be64(b + 16, seq);
    memcpy(b + I_TIME, t, 8);
    memcpy(b + I_FILE, t + 8, 2);
    memcpy(b + I_DESK, t + T_DESK, 2);
    b[I_KIND] = t[T_KIND];
    memcpy(b + I_DUE, t + T_DUE, 4);
    memcpy(b + I_USER, t + T_USER, 16);
    memcpy(b + I_SAME, t + T_SAME, 8);
    return runs_add(p->runs[BY_ITEM], b, sizeof b, msg);
}

enum err pool_decode(const uint8_t *b, size_t n, struct record *out, struct errmsg *msg)
{
    return record_decode(b, n, out, msg) == ERR_OK
               ? ERR_OK
               : err_set(msg, ERR_DISK, "a temporary file is not what was written to it");
}

static enum err pass_by_time(struct pool *p, struct errmsg *msg)
{
    const uint8_t *t;
    uint64_t rank = 0;
    size_t n;
    enum err e = runs_sort(p->runs[BY_TIME], msg);

    while (e == ERR_OK && (e = runs_next(p->runs[BY_TIME], &t, &n, msg)) == ERR_OK) {
        uint64_t seq = place_seq(++rank, get_be64(t + 10));
        if (t[T_KIND] == RECORD_USER)
            e = pool_add_card(p, t, n, seq, msg);
        else if (t[T_KIND] != 0 && t[T_KIND] != RECORD_VOID)
            e = add_item(p, t, seq, msg);
        if (e == ERR_OK)
            e = pool_pulse(p, msg);
    }
    return e == ERR_MISSING ? ERR_OK : e;
}

/* ---- verdicts on places, applied when the log is walked for the last time ---- */

/* EDITS: seq 8, number 8 | what 1, verdict 1, rule 1, has_other 1, file 2, seq 8, due 4. */
enum { E_WHAT = 16, E_VERDICT, E_RULE, E_HAS, E_FILE, E_SEQ = 22, E_DUE = 30, EDIT_BYTES = 34 };
enum { EDIT_VERDICT, EDIT_DUE, EDIT_TWICE, EDIT_NEW_CARD };

static const char *const rules[] = { "", "R1", "R3", "R6", "R7", "R8", "R11" };

uint8_t pool_rule_number(const char *rule)
{
    for (uint8_t i = 1; i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(rules[i], rule) == 0)
            return i;
    return 0;
}

static void edit(struct pool *p, struct place at, uint8_t what, enum verdict v, const char *rule,
                 const struct place *other, uint32_t due)
{
    uint8_t b[EDIT_BYTES] = { 0 };

    put_be64(b, at.seq);
    put_be64(b + 8, ++p->n_edits);
    b[E_WHAT] = what;
    b[E_VERDICT] = (uint8_t)v;
    b[E_RULE] = pool_rule_number(rule);
    if (other) {
        b[E_HAS] = 1;
        put_be16(b + E_FILE, other->feed);
        put_be64(b + E_SEQ, other->seq);
    }
    put_be32(b + E_DUE, due);
    if (p->failed == ERR_OK)
        p->failed = runs_add(p->runs[EDITS], b, sizeof b, &p->failed_msg);
}

void pool_edit_verdict(void *ctx, struct place at, enum verdict v, const char *rule,
                       const struct place *other)
{
    edit(ctx, at, EDIT_VERDICT, v, rule, other, 0);
}

void pool_edit_due(void *ctx, struct place at, uint32_t due)
{
    edit(ctx, at, EDIT_DUE, VERDICT_SEND, "", NULL, due);
}

void pool_edit_twice(void *ctx, struct place at, struct place loan, const struct place *renew)
{
    (void)renew; /* without a lead all of it is written, and listed */
    edit(ctx, at, EDIT_TWICE, VERDICT_SEND, "", &loan, 0);
}

void pool_edit_new_card(struct pool *p, struct place at)
{
    edit(p, at, EDIT_NEW_CARD, VERDICT_SEND, "", NULL, 0);
}

/* The head of a stream of the last walk. */
static enum err advance(struct runs *r, struct pool_head *h, struct errmsg *msg)
{
    enum err e = runs_next(r, &h->p, &h->n, msg);

    if (e == ERR_MISSING)
        h->p = NULL;
    return e == ERR_MISSING ? ERR_OK : e;
}

enum err pool_judge(struct pool *p, struct errmsg *msg)
{
    enum err e;

    if ((e = pass_by_time(p, msg)) != ERR_OK || (e = pool_pass_cards(p, msg)) != ERR_OK ||
        (e = pool_pass_items(p, msg)) != ERR_OK || (e = pool_pass_card_uses(p, msg)) != ERR_OK)
        return e;
    if (p->failed != ERR_OK)
        return err_set(msg, p->failed, "%s", p->failed_msg.text);
    if ((e = runs_sort(p->runs[EDITS], msg)) != ERR_OK ||
        (e = runs_sort(p->runs[USERS], msg)) != ERR_OK ||
        (e = runs_sort(p->runs[BY_TIME], msg)) != ERR_OK ||
        (e = advance(p->runs[EDITS], &p->edit, msg)) != ERR_OK ||
        (e = advance(p->runs[USERS], &p->user, msg)) != ERR_OK)
        return e;
    p->rank = 0;
    return advance(p->runs[BY_TIME], &p->event, msg);
}

/* ---- pass 4: the merged log ---- */

static void apply_edit(const uint8_t *b, struct pooled *out)
{
    switch (b[E_WHAT]) {
    case EDIT_VERDICT:
        out->m.verdict = (enum verdict)b[E_VERDICT];
        out->m.rule = rules[b[E_RULE]];
        out->m.has_other = b[E_HAS] != 0;
        out->m.other_feed = get_be16(b + E_FILE);
        out->m.other_seq = line_of(get_be64(b + E_SEQ));
        break;
    case EDIT_DUE:
        out->m.due = get_be32(b + E_DUE);
        break;
    case EDIT_TWICE:
        out->out_twice = true;
        out->twice_feed = get_be16(b + E_FILE);
        out->twice_seq = line_of(get_be64(b + E_SEQ));
        break;
    case EDIT_NEW_CARD:
        out->new_card = true;
        break;
    }
}

static enum err next_user(struct pool *p, struct pooled *out, struct errmsg *msg)
{
    const uint8_t *u = p->user.p;
    enum err e = pool_decode(u + U_RECORD, p->user.n - U_RECORD, &out->m.rec, msg);

    out->m.feed = get_be16(u + U_FILE);
    out->m.seq = line_of(get_be64(u + U_SEQ));
    out->m.time_ms = get_time(u + U_TIME);
    out->m.verdict = (enum verdict)u[U_VERDICT];
    out->m.rule = rules[u[U_RULE]];
    out->m.has_other = u[U_HAS] != 0;
    out->m.other_feed = get_be16(u + U_OTHER_FILE);
    out->m.other_seq = line_of(get_be64(u + U_OTHER_SEQ));
    out->m.early = u[U_EARLY] != 0;
    out->desk = p->desk[get_be16(u + U_DESK)].name;
    return e == ERR_OK ? advance(p->runs[USERS], &p->user, msg) : e;
}

static enum err next_event(struct pool *p, uint64_t seq, struct pooled *out, struct errmsg *msg)
{
    const uint8_t *t = p->event.p;
    enum err e = pool_decode(t + T_RECORD, p->event.n - T_RECORD, &out->m.rec, msg);

    out->m.feed = get_be16(t + 8);
    out->m.seq = line_of(seq);
    out->m.time_ms = get_time(t);
    out->m.due = out->m.rec.due;
    out->desk = p->desk[get_be16(t + T_DESK)].name;
    if (out->m.rec.kind == RECORD_VOID) { /* no file says of what */
        out->m.verdict = VERDICT_IDLE_VOID;
        out->m.rule = "R2";
    }
    while (e == ERR_OK && p->edit.p && get_be64(p->edit.p) == seq) {
        apply_edit(p->edit.p, out);
        e = advance(p->runs[EDITS], &p->edit, msg);
    }
    if (out->m.rule[0] == 0 && out->m.rec.kind == RECORD_DISCHARGE &&
        p->job.policy->discharges == DISCHARGES_HOLD) {
        out->m.verdict = VERDICT_HELD;
        out->m.rule = "R8";
    }
    p->rank++;
    return e == ERR_OK ? advance(p->runs[BY_TIME], &p->event, msg) : e;
}

/* Registrations come from their own stream, each at its place or before its card's first use; in
 * the stream of events they only hold their place. */
enum err pool_next(struct pool *p, struct pooled *out, struct errmsg *msg)
{
    enum err e = pool_pulse(p, msg);

    out->m.rule = "";
    out->m.verdict = VERDICT_SEND;
    out->m.has_other = out->m.early = out->out_twice = out->new_card = false;
    out->m.other_feed = 0;
    out->m.other_seq = 0;
    out->m.due = 0;
    while (e == ERR_OK) {
        const uint8_t *t = p->event.p, *u = p->user.p;
        bool holds_place = t && t[T_KIND] == RECORD_USER;
        uint64_t seq = t ? place_seq(p->rank + 1, get_be64(t + 10)) : UINT64_MAX;
        if (u && (get_be64(u) < seq || (get_be64(u) == seq && (u[8] == 0 || holds_place))))
            return next_user(p, out, msg);
        if (!t)
            return ERR_MISSING;
        if (!holds_place)
            return next_event(p, seq, out, msg);
        p->rank++;
        e = advance(p->runs[BY_TIME], &p->event, msg);
    }
    return e;
}
