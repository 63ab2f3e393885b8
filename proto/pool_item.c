/* pool_item.c - the pass by item: the rules of item_past.c, copies in two files, their clocks. */
#include "pool_int.h"

#include <stdlib.h>
#include <string.h>

#include "mem.h"

#define TWINS_MAX   32    /* events of one item in one moment: more are no branch's */
#define SAMPLES_MIN 5     /* fewer prove nothing */
#define SPREAD_MS   20000 /* wider, they are no shift of a clock */

struct twin { /* an event of the moment under way */
    uint64_t same;
    struct place at;
    unsigned taken_by; /* the file, + 1, that has its copy */
};

struct walk { /* of one item's events */
    uint8_t item[16];
    bool any;
    struct item_past past;
    struct item_event last; /* whatever became of it */
    struct twin twin[TWINS_MAX];
    unsigned n_twins;
    int64_t twins_ms;
    unsigned last_desk, desk; /* stations of past.last and of the event under way */
};

/* In one file the stations that it names tell, between files the files do. */
static bool same_desk(void *ctx, struct place a, struct place b)
{
    const struct walk *w = ((struct pool *)ctx)->walk;

    return a.feed == b.feed && w->last_desk == w->desk;
}

struct item_rules pool_rules(struct pool *p)
{
    return (struct item_rules){ .policy = p->job.policy,
                                .ctx = p,
                                .same_desk = same_desk,
                                .judge = pool_edit_verdict,
                                .later_due = pool_edit_due,
                                .out_twice = pool_edit_twice };
}

/* R1: the same in every respect, in another file that has not matched it yet. */
static bool is_copy(struct walk *w, const struct item_event *e, uint64_t same, struct place *other)
{
    if (w->n_twins > 0 && w->twins_ms != e->time_ms)
        w->n_twins = 0;
    w->twins_ms = e->time_ms;
    for (unsigned i = 0; i < w->n_twins; i++) {
        struct twin *t = &w->twin[i];
        if (t->same == same && t->at.feed != e->at.feed && t->taken_by != e->at.feed + 1) {
            t->taken_by = e->at.feed + 1;
            *other = t->at;
            return true;
        }
    }
    if (w->n_twins < TWINS_MAX)
        w->twin[w->n_twins++] = (struct twin){ same, e->at, 0 };
    return false;
}

/* Two files that recorded one event tell how far their clocks are apart. */
static enum err sample(struct pool *p, const struct item_event *a, const struct item_event *b,
                       struct errmsg *msg)
{
    unsigned lo = a->at.feed < b->at.feed ? a->at.feed : b->at.feed;
    unsigned hi = a->at.feed < b->at.feed ? b->at.feed : a->at.feed;
    int64_t ahead = b->time_ms - a->time_ms;
    struct pool_samples **s = &p->clock[lo * POOL_FILES_MAX + hi];

    if (lo == hi || a->kind != b->kind || memcmp(a->user, b->user, 16) != 0 ||
        ahead > POOL_SAMPLE_MS)
        return ERR_OK;
    if (!*s && !(*s = mem_zero(1, sizeof **s)))
        return err_set(msg, ERR_NOMEM, "out of memory");
    (*s)->ms[(*s)->shared++ % POOL_SAMPLES] = (int32_t)(a->at.feed == lo ? ahead : -ahead);
    return ERR_OK;
}

static enum err one(struct pool *p, const uint8_t *b, struct errmsg *msg)
{
    struct walk *w = p->walk;
    struct item_event e = { .at = { (unsigned)b[I_FILE] << 8 | b[I_FILE + 1], get_be64(b + 16) },
                            .time_ms = (int64_t)(get_be64(b + I_TIME) ^ UINT64_C(1) << 63),
                            .due = get_be32(b + I_DUE),
                            .kind = b[I_KIND] };
    struct place other;
    enum err err = ERR_OK;

    memcpy(e.user, b + I_USER, 16);
    if (!w->any || memcmp(w->item, b, 16) != 0) {
        memset(w, 0, sizeof *w);
        w->any = true;
        memcpy(w->item, b, 16);
    } else if ((err = sample(p, &w->last, &e, msg)) != ERR_OK) {
        return err;
    }
    w->last = e;
    w->desk = (unsigned)b[I_DESK] << 8 | b[I_DESK + 1];
    if (is_copy(w, &e, get_be64(b + I_SAME), &other)) {
        pool_edit_verdict(p, e.at, VERDICT_DUPLICATE, "R1", &other);
    } else if (item_past_repeats(&p->rules, &w->past, &e)) { /* R3 */
    } else {
        e.waits = pool_card_conflicts(p, e.user) ? "R6" : NULL;
        item_past_take(&p->rules, &w->past, &e);
        w->last_desk = w->desk;
        err = e.waits ? ERR_OK : pool_kept(p, &e);
    }
    return err != ERR_OK || p->failed != ERR_OK
               ? err_set(msg, p->failed != ERR_OK ? p->failed : err, "%s", p->failed_msg.text)
               : pool_pulse(p, msg);
}

enum err pool_pass_items(struct pool *p, struct errmsg *msg)
{
    const uint8_t *b;
    size_t n;
    enum err e = runs_sort(p->runs[BY_ITEM], msg);

    if (e == ERR_OK && !(p->walk = mem_zero(1, sizeof *p->walk)))
        e = err_set(msg, ERR_NOMEM, "out of memory");
    while (e == ERR_OK && (e = runs_next(p->runs[BY_ITEM], &b, &n, msg)) == ERR_OK)
        e = one(p, b, msg);
    free(p->walk);
    p->walk = NULL;
    runs_free(p->runs[BY_ITEM]);
    p->runs[BY_ITEM] = NULL;
    return e == ERR_MISSING ? ERR_OK : e;
}

static int by_ms(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;

    return (x > y) - (x < y);
}

bool pool_clock(const struct pool *p, unsigned a, unsigned b, struct pool_clock *out)
{
    const struct pool_samples *s = p->clock[(a < b ? a : b) * POOL_FILES_MAX + (a < b ? b : a)];
    int32_t ms[POOL_SAMPLES];
    unsigned n;

    memset(out, 0, sizeof *out);
    if (!s)
        return false;
    n = s->shared < POOL_SAMPLES ? (unsigned)s->shared : POOL_SAMPLES;
    memcpy(ms, s->ms, n * sizeof *ms);
    qsort(ms, n, sizeof *ms, by_ms);
    out->shared = s->shared;
    out->median_ms = a < b ? ms[n / 2] : -ms[n / 2];
    out->spread_ms = ms[n - 1 - n / 4] - ms[n / 4];
    return n >= SAMPLES_MIN && out->spread_ms <= SPREAD_MS;
}
