/* condition.c - what desks tell each other of the PCs they run on. */
#include "condition.h"

#include <string.h>

#include "core_int.h"

#define CONDITION_AGAIN_MS 60000 /* a lost message is made good after a minute */
#define ROUGHLY            8     /* parts: a change of less than one of them is none */

static bool is_code(const char *s)
{
    size_t n = strlen(s);

    return n > 0 && n < CONDITION_CODE_MAX &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

bool condition_add(struct condition *c, const char *code)
{
    if (c->n == CONDITION_PROBLEMS_MAX || !is_code(code))
        return false;
    memcpy(c->problem[c->n++], code, strlen(code) + 1);
    return true;
}

static bool far_apart(uint64_t a, uint64_t b)
{
    uint64_t less = a < b ? a : b, more = a < b ? b : a;

    return more - less > less / ROUGHLY;
}

bool condition_differs(const struct condition *old, const struct condition *fresh)
{
    if (old->n != fresh->n || far_apart(old->disk_free, fresh->disk_free) ||
        (old->commit_us == 0) != (fresh->commit_us == 0))
        return true;
    for (unsigned i = 0; i < old->n; i++)
        if (strcmp(old->problem[i], fresh->problem[i]) != 0)
            return true;
    return false;
}

void condition_put(const struct condition *c, struct buf *b)
{
    mp_put_u64(b, c->disk_free);
    mp_put_u64(b, c->commit_us);
    mp_put_array(b, c->n);
    for (unsigned i = 0; i < c->n; i++)
        mp_put_str(b, c->problem[i]);
}

void condition_get(struct mp *m, struct condition *out)
{
    uint32_t n;

    memset(out, 0, sizeof *out);
    out->disk_free = mp_get_u64(m);
    out->commit_us = mp_get_u64(m);
    m->bad |= out->disk_free > INT64_MAX || out->commit_us > INT64_MAX; /* JSON has no more */
    n = mp_get_array(m);
    m->bad |= n > CONDITION_PROBLEMS_MAX;
    for (uint32_t i = 0; i < n && !m->bad; i++) {
        char code[CONDITION_CODE_MAX];
        m->bad |= !mp_get_str(m, code, sizeof code) || !condition_add(out, code);
    }
}

/* ---- the desk's own, and the others' ---- */

void core_condition(struct core *c, const struct condition *mine)
{
    if (!c->condition_known || condition_differs(&c->condition, mine)) {
        for (unsigned i = 0; i < c->n_peers; i++)
            c->peers[i].condition_told = false;
        pace_hurry(c);
    }
    c->condition = *mine;
    c->condition_known = true;
}

void condition_tick(struct core *c, struct peer *p)
{
    struct buf b = { 0 };

    if (!c->condition_known || !p->up || !sync_is_online(c, p) ||
        (p->condition_told && c->now_ms - p->condition_told_ms < CONDITION_AGAIN_MS))
        return;
    wire_begin(&b, WIRE_CONDITION, CONDITION_FIELDS);
    condition_put(&c->condition, &b);
    peer_send(c, p, &b);
    p->condition_told = true;
    p->condition_told_ms = c->now_ms;
}

void condition_hear(struct core *c, struct peer *p, struct mp *m)
{
    struct condition heard;

    condition_get(m, &heard);
    if (m->bad)
        return;
    p->condition = heard;
    p->has_condition = true;
    p->condition_ms = c->now_ms;
}
