/* pool_card.c - the passes by card: which registrations are one, which contradict (R6), and which
 * must stand before their card's first use (R7). */
#include "pool_int.h"

#include <string.h>

#include <sodium.h>

static void bloom_places(const uint8_t digest[16], uint64_t at[2])
{
    at[0] = get_be64(digest) % POOL_BLOOM_BITS;
    at[1] = get_be64(digest + 8) % POOL_BLOOM_BITS;
}

void pool_remember_card(struct pool *p, const uint8_t user[16])
{
    uint64_t at[2];

    bloom_places(user, at);
    for (unsigned i = 0; i < 2; i++)
        p->bloom[at[i] / 8] |= (uint8_t)(1u << at[i] % 8);
    p->cards++;
}

/* May be wrong in saying yes, for a card that is sorted out later. */
static bool maybe_new_card(const struct pool *p, const uint8_t digest[16])
{
    uint64_t at[2];

    bloom_places(digest, at);
    return p->cards > 0 && (p->bloom[at[0] / 8] >> at[0] % 8 & 1) != 0 &&
           (p->bloom[at[1] / 8] >> at[1] % 8 & 1) != 0;
}

/* Twice: whether a card has a conflict must be known before the first of its registrations is
 * judged. */
enum err pool_add_card(struct pool *p, const uint8_t *t, size_t n, uint64_t seq, struct errmsg *msg)
{
    struct record bare = { .kind = RECORD_USER };
    struct buf b = { 0 };
    uint8_t head[C_RECORD] = { 0 };
    enum err e = pool_decode(t + T_RECORD, n - T_RECORD, &p->rec, msg);

    if (e != ERR_OK)
        return e;
    memcpy(bare.user, p->rec.user, sizeof bare.user);
    bare.reg = p->rec.reg;
    memcpy(head, t + T_USER, 16);
    put_be64(head + 17, seq);
    if ((e = record_encode(&bare, &b, msg)) == ERR_OK && !b.failed)
        crypto_shorthash_siphashx24(head + C_CONTENT, b.p, b.len, head);
    buf_free(&b);
    memcpy(head + C_FILE, t + 8, 2);
    memcpy(head + C_DESK, t + T_DESK, 2);
    memcpy(head + C_TIME, t, 8);
    if (e == ERR_OK)
        e = runs_add(p->runs[CARDS], head, sizeof head, msg);
    head[16] = 1;
    buf_reset(&p->line);
    buf_add(&p->line, head, sizeof head);
    buf_add(&p->line, t + T_RECORD, n - T_RECORD);
    if (e == ERR_OK && p->line.failed)
        e = err_set(msg, ERR_NOMEM, "out of memory");
    return e == ERR_OK ? runs_add(p->runs[CARDS], p->line.p, p->line.len, msg) : e;
}

/* A use of a card that may have been registered in these files. */
static void note_use(struct pool *p, struct place at, const uint8_t user[16], int64_t time_ms)
{
    uint8_t b[C_RECORD] = { 0 };

    if (!maybe_new_card(p, user))
        return;
    memcpy(b, user, 16);
    b[16] = 1;
    put_be64(b + 17, at.seq);
    put_be16(b + C_FILE, at.feed);
    put_time(b + C_TIME, time_ms);
    if (p->failed == ERR_OK)
        p->failed = runs_add(p->runs[CARD_USES], b, sizeof b, &p->failed_msg);
}

/* A registration on its way out. Key: seq 8, 0 if it stands before the event of that place. */
static enum err add_user(struct pool *p, const uint8_t *c, size_t n, const struct user_fate *f,
                         struct errmsg *msg)
{
    uint8_t head[U_RECORD] = { 0 };

    put_be64(head, f->seq);
    head[8] = !f->early;
    memcpy(head + U_FILE, c + C_FILE, 2);
    memcpy(head + U_DESK, c + C_DESK, 2);
    put_time(head + U_TIME, f->time_ms);
    put_be64(head + U_SEQ, get_be64(c + 17));
    head[U_VERDICT] = (uint8_t)f->verdict;
    head[U_RULE] = pool_rule_number(f->rule);
    head[U_HAS] = f->has_other;
    put_be16(head + U_OTHER_FILE, f->other.feed);
    put_be64(head + U_OTHER_SEQ, f->other.seq);
    head[U_EARLY] = f->early;
    buf_reset(&p->line);
    buf_add(&p->line, head, sizeof head);
    buf_add(&p->line, c + C_RECORD, n - C_RECORD);
    if (p->line.failed)
        return err_set(msg, ERR_NOMEM, "out of memory");
    return runs_add(p->runs[USERS], p->line.p, p->line.len, msg);
}

struct card_group {
    uint8_t card[16], content[16];
    struct place first;
    bool any, conflict;
};

static enum err judge_card(struct pool *p, struct card_group *g, const uint8_t *c, size_t n,
                           struct errmsg *msg)
{
    struct place at = { get_be16(c + C_FILE), get_be64(c + 17) };
    struct user_fate fate = { .seq = at.seq, .time_ms = get_time(c + C_TIME), .rule = "R6" };
    uint64_t *v;
    bool fresh;

    if (c[16] == 0) { /* the first look: is there a conflict? */
        if (!g->any || memcmp(g->card, c, 16) != 0) {
            *g = (struct card_group){ .first = at, .any = true };
            memcpy(g->card, c, 16);
            memcpy(g->content, c + C_CONTENT, 16);
        } else if (!g->conflict && memcmp(g->content, c + C_CONTENT, 16) != 0) {
            g->conflict = true;
            if (p->conflicts.n == POOL_CONFLICTS)
                return err_set(msg, ERR_FULL,
                               "more than %d cards registered twice with different "
                               "data: these files do not belong together",
                               POOL_CONFLICTS);
            if ((v = hmap_at(&p->conflicts, c, &fresh)) == NULL)
                return err_set(msg, ERR_NOMEM, "out of memory");
        }
        return ERR_OK;
    }
    if (g->conflict) {
        fate.verdict = VERDICT_REVIEW;
        return add_user(p, c, n, &fate, msg);
    }
    if (at.seq != g->first.seq) {
        fate.verdict = VERDICT_DUPLICATE;
        fate.has_other = true;
        fate.other = g->first;
        return add_user(p, c, n, &fate, msg);
    }
    buf_reset(&p->line);
    buf_add(&p->line, c, n);
    if (p->line.failed)
        return err_set(msg, ERR_NOMEM, "out of memory");
    p->line.p[16] = 0;
    return runs_add(p->runs[CARD_USES], p->line.p, p->line.len, msg);
}

enum err pool_pass_cards(struct pool *p, struct errmsg *msg)
{
    struct card_group g = { .any = false };
    const uint8_t *c;
    size_t n;
    enum err e = runs_sort(p->runs[CARDS], msg);

    while (e == ERR_OK && (e = runs_next(p->runs[CARDS], &c, &n, msg)) == ERR_OK)
        e = judge_card(p, &g, c, n, msg);
    runs_free(p->runs[CARDS]);
    p->runs[CARDS] = NULL;
    return e == ERR_MISSING ? ERR_OK : e;
}

enum err pool_kept(struct pool *p, const struct item_event *ev)
{
    note_use(p, ev->at, ev->user, ev->time_ms);
    return p->failed;
}

bool pool_card_conflicts(const struct pool *p, const uint8_t user[16])
{
    return p->conflicts.n > 0 && hmap_find(&p->conflicts, user) != NULL;
}

enum err pool_pass_card_uses(struct pool *p, struct errmsg *msg)
{
    struct user_fate fate = { .rule = "" };
    struct buf reg = { 0 }; /* the registration that waits for its card's first use */
    const uint8_t *c;
    size_t n;
    enum err e = runs_sort(p->runs[CARD_USES], msg);

    while (e == ERR_OK && (e = runs_next(p->runs[CARD_USES], &c, &n, msg)) == ERR_OK) {
        struct place at = { get_be16(c + C_FILE), get_be64(c + 17) };
        bool of_reg = reg.len > 0 && memcmp(reg.p, c, 16) == 0;
        if (c[16] == 1 && !of_reg)
            continue; /* the filter was wrong, or its registrations contradict each other */
        if (c[16] == 1 && !fate.early && at.seq < fate.seq) {
            fate.early = true;
            fate.seq = at.seq;
            fate.time_ms = get_time(c + C_TIME);
        }
        if (c[16] == 1) {
            pool_edit_new_card(p, at);
            e = p->failed;
            continue;
        }
        if (reg.len > 0)
            e = add_user(p, reg.p, reg.len, &fate, msg);
        buf_reset(&reg);
        buf_add(&reg, c, n);
        if (e == ERR_OK && reg.failed)
            e = err_set(msg, ERR_NOMEM, "out of memory");
        fate = (struct user_fate){ .seq = at.seq, .time_ms = get_time(c + C_TIME), .rule = "" };
    }
    if (e == ERR_MISSING)
        e = reg.len > 0 ? add_user(p, reg.p, reg.len, &fate, msg) : ERR_OK;
    buf_free(&reg);
    runs_free(p->runs[CARD_USES]);
    p->runs[CARD_USES] = NULL;
    return e;
}
