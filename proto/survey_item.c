/* survey_item.c - what happened to each item: R3 to R5, R8, R9, R11. The pass in merged order only notes
 * every event; sorted by item they are judged one item after the other, so that a log of any length needs
 * the memory of one. The rules themselves are in item_past.c. */
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "merge_int.h"

#define SORT_BYTES  (4u << 20)
#define PULSE_EVERY 256
#define MINDED_BITS (1u << 20)

/* An event in runs.h: item 16, rank 8 | feed 4, seq 8, time 8, uncorrected time 8, due 4, kind 1,
 * user 16. */
enum {
    E_RANK = 16,
    E_FEED = 24,
    E_SEQ = 28,
    E_TIME = 36,
    E_RAW = 44,
    E_DUE = 52,
    E_KIND = 56,
    E_USER = 57,
    E_BYTES = 73
};
#define E_KEY 24

/* ---- what the rules of item_past.c say ---- */

/* What an earlier upload had is as it is. */
static bool is_past(const struct survey *s, struct place at)
{
    return at.seq < s->job->feeds[at.feed].from;
}

/* R9: such a return is never sent by itself, whatever follows it. */
static bool is_held_for_good(const struct survey *s, struct place at)
{
    const struct finding *f = survey_found(s, at);

    return f && f->verdict == VERDICT_HELD && strcmp(f->rule, "R9") == 0;
}

void survey_rule_judge(void *ctx, struct place at, enum verdict verdict, const char *rule,
                       const struct place *other)
{
    if (!is_past(ctx, at) && !survey_is_ruled(ctx, at) && !is_held_for_good(ctx, at))
        survey_judge(ctx, at, verdict, rule, other);
}

/* R5: both desks told the truth, so nobody but a lead knows who has the item. Until he says, the
 * later loan goes, and the earlier one with its renewal waits for him. */
static void rule_out_twice(void *ctx, struct place at, struct place loan, const struct place *renew)
{
    const struct finding *f;

    if (survey_is_ruled(ctx, loan))
        return; /* both go, and the server decides */
    survey_rule_judge(ctx, loan, VERDICT_REVIEW, "R5", &at);
    if (renew)
        survey_rule_judge(ctx, *renew, VERDICT_REVIEW, "R5", &at);
    if (!(f = survey_found(ctx, at)) ||
        f->verdict != VERDICT_WAITS) /* R7: it goes once its card exists */
        survey_rule_judge(ctx, at, VERDICT_SEND, "R5", &loan);
}

static void rule_later_due(void *ctx, struct place at, uint32_t due)
{
    struct finding *f = is_past(ctx, at) ? NULL : survey_find(ctx, at);

    if (!f)
        return;
    f->has_due = true;
    f->due = due;
}

/* ---- R9: what came after its time was uploaded ---- */

static bool is_before(const struct item_event *a, const struct item_event *b)
{
    return a->time_ms != b->time_ms   ? a->time_ms < b->time_ms
           : a->at.feed != b->at.feed ? a->at.feed < b->at.feed
                                      : a->at.seq < b->at.seq;
}

/* Takes in what earlier uploads told of the item before this event: of a late one before its time,
 * of any other all. Returns what they told since then, *n of it. */
static const struct past_event *recall(struct survey *s, struct item_past *it,
                                       const uint8_t item[16], const struct item_event *e,
                                       unsigned *n)
{
    const struct past_event *p = lookback_of(&s->past, item, n);
    bool late = survey_is_late(s, e->time_ms);

    while (it->looked_back < *n && (!late || is_before(&p[it->looked_back].e, e))) {
        const struct item_event *old = &p[it->looked_back++].e;
        if (e->time_ms - old->time_ms <= LOOKBACK_MS && !item_past_repeats(&s->rules, it, old))
            item_past_take(&s->rules, it, old);
    }
    *n -= it->looked_back;
    return *n > 0 ? p + it->looked_back : NULL;
}

/* R3 the other way round: the same event at another desk, later by its clock, was sent already. */
static bool was_sent_since(struct survey *s, const struct item_event *e, const struct item_event *p)
{
    uint32_t window = survey_same_desk(s, p->at, e->at) ? s->job->policy.double_scan_ms
                                                        : s->job->policy.same_event_ms;

    if (p->kind != e->kind || memcmp(p->user, e->user, 16) != 0 ||
        p->time_ms - e->time_ms > (int64_t)window)
        return false;
    survey_rule_judge(s, e->at, VERDICT_DUPLICATE, "R3", &p->at);
    return !survey_is_ruled(s, e->at);
}

/* Does it end here? The server knows what came after it: a loan of then would take the item from
 * whoever has it now. */
static bool came_too_late(struct survey *s, const struct item_event *e,
                          const struct past_event *since, unsigned n)
{
    unsigned i = 0;

    if (n > 0 && was_sent_since(s, e, &since->e))
        return true;
    while (i < n && since[i].e.kind == RECORD_INHOUSE)
        i++;
    if (i < n && (e->kind == RECORD_CHECKOUT || e->kind == RECORD_RENEW)) {
        survey_rule_judge(s, e->at, VERDICT_REVIEW, "R9", &since[i].e.at);
        return !survey_is_ruled(s, e->at);
    }
    if (e->kind == RECORD_DISCHARGE)
        survey_rule_judge(s, e->at, VERDICT_HELD, "R9", i < n ? &since[i].e.at : NULL);
    return false;
}

static int64_t size_of(int64_t ms)
{
    return ms < 0 ? -ms : ms;
}

/* By the clocks as they were the two stood the other way round: said of the one that was more wrong. */
static void note_order(struct survey *s, const struct item_past *it, const struct item_event *e)
{
    struct merge_feed *now = &s->job->feeds[e->at.feed], *then = &s->job->feeds[it->last.feed];

    if (it->last_kind == 0 || now == then || e->raw_ms >= it->last_raw_ms)
        return;
    if (size_of(now->correction_ms) > size_of(then->correction_ms))
        now->reordered++;
    else
        then->reordered++;
}

static void judge_event(struct survey *s, struct item_past *it, const uint8_t item[16],
                        struct item_event *e)
{
    unsigned n;
    const struct past_event *since = recall(s, it, item, e, &n);

    if (item_past_repeats(&s->rules, it, e)) /* R3 */
        return;
    if (survey_is_late(s, e->time_ms) && came_too_late(s, e, since, n))
        return;
    note_order(s, it, e);
    e->waits = survey_new_card(s, e->at, e->user, e->rank);
    item_past_take(&s->rules, it, e);
}

/* ---- noting events, and reading them by item ---- */

static enum err no_file(void *ctx, const void *p, size_t n, struct errmsg *msg)
{
    (void)ctx;
    (void)p;
    (void)n;
    return err_set(msg, ERR_NOMEM, "out of memory");
}

enum err survey_init(struct survey *s, const struct merge_job *job, const struct spill *spill,
                     struct errmsg *msg)
{
    static const struct spill nowhere = { .append = no_file };

    memset(s, 0, sizeof *s);
    s->job = job;
    s->rules = (struct item_rules){ .policy = &job->policy,
                                    .ctx = s,
                                    .same_desk = survey_same_desk,
                                    .judge = survey_rule_judge,
                                    .later_due = rule_later_due,
                                    .out_twice = rule_out_twice };
    memcpy(s->salt, job->branch, sizeof s->salt);
    s->events = spill ? runs_new(E_KEY, SORT_BYTES, spill) : runs_new(E_KEY, UINT32_MAX, &nowhere);
    return s->events ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");
}

enum err survey_event(struct survey *s, const struct noted *r, struct errmsg *msg)
{
    uint8_t b[E_BYTES];

    survey_text_digest(s, r->item, b);
    put_be64(b + E_RANK, s->rank);
    put_be32(b + E_FEED, r->at.feed);
    put_be64(b + E_SEQ, r->at.seq);
    put_be64(b + E_TIME, (uint64_t)r->time_ms);
    put_be64(b + E_RAW, (uint64_t)r->raw_ms);
    put_be32(b + E_DUE, r->due);
    b[E_KIND] = r->kind;
    survey_text_digest(s, r->user, b + E_USER);
    return runs_add(s->events, b, sizeof b, msg);
}

static void read_event(const uint8_t *b, struct item_event *e)
{
    *e = (struct item_event){ .at = { get_be32(b + E_FEED), get_be64(b + E_SEQ) },
                              .rank = get_be64(b + E_RANK),
                              .time_ms = (int64_t)get_be64(b + E_TIME),
                              .raw_ms = (int64_t)get_be64(b + E_RAW),
                              .due = get_be32(b + E_DUE),
                              .kind = b[E_KIND] };
    memcpy(e->user, b + E_USER, sizeof e->user);
}

enum err survey_events(struct survey *s, survey_pulse pulse, void *ctx, struct errmsg *msg)
{
    struct item_past it = { .last_kind = 0 };
    uint8_t item[16] = { 0 };
    uint64_t done = 0;
    const uint8_t *b;
    size_t n;
    enum err e = runs_sort(s->events, msg);

    while (e == ERR_OK && (e = runs_next(s->events, &b, &n, msg)) == ERR_OK) {
        struct item_event ev;
        if (done++ == 0 || memcmp(item, b, sizeof item) != 0) {
            memset(&it, 0, sizeof it);
            memcpy(item, b, sizeof item);
        }
        read_event(b, &ev);
        judge_event(s, &it, item, &ev);
        if (survey_is_late(s, ev.time_ms))
            survey_mark_late(s, ev.at);
        if (done % PULSE_EVERY == 0)
            e = pulse(ctx, msg);
    }
    runs_free(s->events);
    s->events = NULL;
    return e == ERR_MISSING ? ERR_OK : e;
}

/* ---- which items the batch has, for whoever looks back at earlier uploads ---- */

static void minded_bits(const uint8_t item[16], uint64_t at[2])
{
    at[0] = get_be64(item) % MINDED_BITS;
    at[1] = get_be64(item + 8) % MINDED_BITS;
}

void survey_mind_item(struct survey *s, struct place at, const struct record *r)
{
    uint8_t item[16];
    uint64_t bit[2];

    if (r->item[0] == '\0' || r->kind == RECORD_VOID || released_find(s->job, at))
        return;
    if (!s->minded && !(s->minded = mem_zero(MINDED_BITS / 8, 1))) {
        s->failed = true;
        return;
    }
    survey_text_digest(s, r->item, item);
    minded_bits(item, bit);
    for (unsigned i = 0; i < 2; i++)
        s->minded[bit[i] / 8] |= (uint8_t)(1u << bit[i] % 8);
}

bool survey_knows_item(const struct survey *s, struct place at, const struct record *r,
                       uint8_t item[16], uint8_t user[16])
{
    const struct finding *f;
    uint64_t bit[2];

    if (!s->minded || r->item[0] == '\0' || r->kind == RECORD_VOID || r->kind == RECORD_USER)
        return false;
    survey_text_digest(s, r->item, item);
    survey_text_digest(s, r->user, user);
    minded_bits(item, bit);
    return (s->minded[bit[0] / 8] >> bit[0] % 8 & 1) != 0 &&
           (s->minded[bit[1] / 8] >> bit[1] % 8 & 1) != 0 &&
           !((f = survey_found(s, at)) && f->verdict == VERDICT_VOIDED);
}
