/* survey.c - rules R2 to R9, R11, R12 over one pass in merged order; those on one item are in
 * item_past.c. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "mem.h"

#include "format.h"
#include "merge_int.h"
#include "word.h"

struct card { /* a user registered in this log, or earlier and not known to be loaded */
    struct place reg;
    bool this_slot, seen, conflict;
    bool has_twin; /* another card of the same person, by name and birth, at another desk: twin */
    struct place twin;
    bool known; /* the server has it, or has it before it reads this log: nothing waits */
    uint8_t content[16];
};

static void digest(const struct survey *s, const void *p, size_t n, uint8_t out[16])
{
    crypto_shorthash_siphashx24(out, p, n, s->salt);
}

static void text_digest(const struct survey *s, const char *text, uint8_t out[16])
{
    digest(s, text, strlen(text), out);
}

static void place_key(struct place at, uint8_t out[16])
{
    uint64_t raw = (uint64_t)at.feed << 44 ^ at.seq, mixed = raw * UINT64_C(0x9E3779B97F4A7C15);

    mixed ^= mixed >> 32;
    memcpy(out, &mixed, 8);
    memcpy(out + 8, &raw, 8);
}

void survey_free(struct survey *s)
{
    hmap_free(&s->items);
    hmap_free(&s->cards);
    hmap_free(&s->persons);
    hmap_free(&s->found);
    lookback_free(&s->past);
    typed_free(&s->typed);
    free(s->item);
    free(s->card);
    free(s->finding);
    memset(s, 0, sizeof *s);
}

/* One more element at the end of a growing array, zeroed; NULL marks the survey as failed. */
static void *one_more(struct survey *s, void **v, unsigned *n, unsigned *room, size_t size)
{
    void *grown = mem_room(*v, *n, room, size);

    if (!grown) {
        s->failed = true;
        return NULL;
    }
    *v = grown;
    return memset((uint8_t *)*v + (size_t)(*n)++ * size, 0, size);
}

static struct finding *find(struct survey *s, struct place at)
{
    uint8_t key[16];
    bool fresh;
    uint64_t *v;
    struct finding *f;

    place_key(at, key);
    if ((v = hmap_at(&s->found, key, &fresh)) == NULL) {
        s->failed = true;
        return NULL;
    }
    if (!fresh)
        return &s->finding[*v];
    *v = s->n_findings;
    f = one_more(s, (void **)&s->finding, &s->n_findings, &s->findings_room, sizeof *f);
    if (f)
        f->rule = "";
    return f;
}

static const struct finding *found(const struct survey *s, struct place at)
{
    uint8_t key[16];
    const uint64_t *v;

    place_key(at, key);
    v = hmap_find(&s->found, key);
    return v ? &s->finding[*v] : NULL;
}

static void judge(struct survey *s, struct place at, enum verdict verdict, const char *rule,
                  const struct place *other)
{
    struct finding *f = find(s, at);

    if (!f)
        return;
    f->verdict = verdict;
    f->rule = rule;
    f->has_other = other != NULL;
    if (other)
        f->other = *other;
}

/* ---- R2: voids ---- */

/* Of several voids of one record the first by key counts, whatever order they came in. A void
 * counts if it lies under this cut or an earlier one, and only for its own desk's records. */
void survey_void(struct survey *s, const struct record_ref *target, const struct record_ref *voider)
{
    struct place v, t;
    const struct merge_feed *vf, *tf;
    const struct finding *before;

    if (!merge_place_of(s->job, voider, &v) || v.seq > (vf = &s->job->feeds[v.feed])->to)
        return;
    if (!merge_place_of(s->job, target, &t) ||
        !desk_id_eq(&target->feed.desk, &voider->feed.desk)) {
        if (v.seq >= vf->from)
            judge(s, v, VERDICT_IDLE_VOID, "R2", NULL);
        return;
    }
    tf = &s->job->feeds[t.feed];
    before = found(s, t);
    if (before && before->verdict == VERDICT_VOIDED) {
        struct place late = before->other;
        if (v.seq >= vf->from) {
            judge(s, v, VERDICT_IDLE_VOID, "R2", &t);
        } else if (t.seq < tf->from && late.seq >= s->job->feeds[late.feed].from) {
            judge(s, late, VERDICT_IDLE_VOID, "R2", &t); /* an earlier upload had this void */
            judge(s, t, VERDICT_VOIDED, "R2", &v);
        }
        return;
    }
    if (t.seq < tf->from && !released_find(s->job, t)) {
        if (t.seq >= tf->back)
            judge(s, t, VERDICT_VOIDED, "R2", &v); /* no event of its item, whoever looks back */
        if (v.seq >= vf->from)
            judge(s, v, VERDICT_LATE_VOID, "R2", &t);
        return;
    }
    if (t.seq <= tf->to)
        judge(s, t, VERDICT_VOIDED, "R2", &v);
    if (v.seq >= vf->from)
        judge(s, v, VERDICT_VOID, "R2", &t);
}

/* What its own desk took back stays taken back. */
void survey_ruling(struct survey *s, const struct merge_ruling *r)
{
    struct place at = { r->feed, r->seq };
    const struct finding *before = found(s, at);
    struct finding *f;

    if (before && (before->verdict == VERDICT_VOIDED || before->verdict == VERDICT_VOID))
        return;
    if (r->what == WORD_VOID) {
        judge(s, at, VERDICT_VOIDED, "R2", NULL);
    } else if ((f = find(s, at)) != NULL) {
        f->verdict = VERDICT_SEND;
        f->rule = "lead";
        f->ruled = true;
    }
}

static bool is_ruled(const struct survey *s, struct place at)
{
    const struct finding *f = found(s, at);

    return f && f->ruled;
}

/* ---- R6, R7: registrations ---- */

static void content_digest(const struct survey *s, const struct record *r, uint8_t out[16])
{
    struct record bare = { .kind = RECORD_USER };
    struct buf b = { 0 };

    memcpy(bare.user, r->user, sizeof bare.user);
    bare.reg = r->reg;
    record_encode(&bare, &b, NULL);
    digest(s, b.len ? (const void *)b.p : "", b.len, out);
    buf_free(&b);
}

static bool rule_same_desk(void *ctx, struct place a, struct place b)
{
    const struct merge_feed *feeds = ((struct survey *)ctx)->job->feeds;

    return desk_id_eq(&feeds[a.feed].feed.desk, &feeds[b.feed].feed.desk);
}

static void add_folded(struct buf *b, const char *text)
{
    for (; *text; text++)
        buf_add(b, &(char){ *text >= 'A' && *text <= 'Z' ? (char)(*text + 32) : *text }, 1);
    buf_add(b, "", 1);
}

/* A person who registered twice, because the first desk's card was not with him at the second. Only
 * a lead can tell it from twins, so both cards go, and stand in the list. */
static void find_twin(struct survey *s, struct card *c, const struct record *r)
{
    struct buf b = { 0 };
    uint8_t key[16], birth[4];
    uint64_t *v;
    bool fresh;

    if (r->reg.birth == 0 || r->reg.last[0] == '\0')
        return;
    put_be32(birth, r->reg.birth);
    add_folded(&b, r->reg.last);
    add_folded(&b, r->reg.first);
    buf_add(&b, birth, sizeof birth);
    digest(s, b.len ? (const void *)b.p : "", b.len, key);
    buf_wipe(&b);
    if ((v = hmap_at(&s->persons, key, &fresh)) == NULL) {
        s->failed = true;
    } else if (fresh) {
        *v = (uint64_t)(c - s->card);
    } else {
        struct card *first = &s->card[*v];
        if (rule_same_desk(s, first->reg, c->reg))
            return;
        c->has_twin = first->has_twin = true;
        c->twin = first->reg;
        first->twin = c->reg;
    }
}

void survey_card(struct survey *s, struct place at, const struct record *r)
{
    const struct merge_feed *feed = &s->job->feeds[at.feed];
    bool again = released_find(s->job, at) != NULL;
    const struct finding *f = found(s, at);
    uint8_t key[16], content[16];
    struct card *c;
    uint64_t *v;
    bool fresh;

    if (f && f->verdict == VERDICT_VOIDED)
        return;
    text_digest(s, r->user, key);
    content_digest(s, r, content);
    if ((v = hmap_at(&s->cards, key, &fresh)) == NULL) {
        s->failed = true;
        return;
    }
    if (fresh) {
        *v = s->n_cards;
        if ((c = one_more(s, (void **)&s->card, &s->n_cards, &s->cards_room, sizeof *c)) == NULL)
            return;
        c->reg = at;
        c->this_slot = at.seq >= feed->from;
        memcpy(c->content, content, sizeof content);
    }
    c = &s->card[*v];
    if (fresh)
        find_twin(s, c, r);
    if (memcmp(c->content, content, sizeof content) != 0)
        c->conflict = true;
    c->known |= at.seq <= feed->carded || (again && format_has_users_inside(&s->job->policy));
}

static struct card *card_of(const struct survey *s, const char *user)
{
    uint8_t key[16];
    const uint64_t *v;

    if (user[0] == '\0' || s->n_cards == 0)
        return NULL;
    text_digest(s, user, key);
    v = hmap_find(&s->cards, key);
    return v ? &s->card[*v] : NULL;
}

static bool card_waits(const struct survey *s, const struct card *c)
{
    /* In one log the registration simply stands first. Elsewhere it travels by another way, and
     * nobody has said yet that it arrived. */
    return c->conflict || !format_has_users_inside(&s->job->policy);
}

static bool place_eq(struct place a, struct place b)
{
    return a.feed == b.feed && a.seq == b.seq;
}

static void note_twin(struct survey *s, struct place at, const struct card *c)
{
    struct finding *f = find(s, at);

    if (!f || f->rule[0] != '\0')
        return;
    f->rule = "R6";
    f->has_other = true;
    f->other = c->twin;
}

static void registration(struct survey *s, struct place at, const struct record *r)
{
    struct card *c = card_of(s, r->user);

    if (c && c->has_twin && !c->conflict && (!c->seen || place_eq(at, c->reg)))
        note_twin(s, at, c);
    if (!c || (c->seen && place_eq(at, c->reg)))
        return; /* not a new card any more, or pulled before its first use */
    if (c->conflict) {
        judge(s, at, VERDICT_REVIEW, "R6", NULL);
    } else if (!c->this_slot || c->seen) {
        struct place kept = c->reg;
        judge(s, at, VERDICT_DUPLICATE, "R6", &kept);
    } else {
        c->seen = true;
        c->reg = at;
    }
}

/* The rule by which the record waits for its new card, or NULL. */
static const char *new_card(struct survey *s, struct place at, const struct record *r)
{
    struct card *c = card_of(s, r->user);
    struct finding *f;

    if (!c || c->known)
        return NULL;
    if (card_waits(s, c))
        return c->conflict ? "R6" : "R7";
    if (c->this_slot && !c->seen && (f = find(s, at)) != NULL) { /* used before its registration */
        f->early = true;
        f->pull = c->reg;
        c->seen = true;
        if ((f = find(s, c->reg)) != NULL)
            f->early = true; /* written already when its own turn comes */
    }
    return NULL;
}

/* ---- R3 to R5, R8, R11: events of one item ---- */

/* What an earlier upload had is as it is. */
static bool is_past(const struct survey *s, struct place at)
{
    return at.seq < s->job->feeds[at.feed].from;
}

/* R9: such a return is never sent by itself, whatever follows it. */
static bool is_held_for_good(const struct survey *s, struct place at)
{
    const struct finding *f = found(s, at);

    return f && f->verdict == VERDICT_HELD && strcmp(f->rule, "R9") == 0;
}

static void rule_judge(void *ctx, struct place at, enum verdict verdict, const char *rule,
                       const struct place *other)
{
    if (!is_past(ctx, at) && !is_ruled(ctx, at) && !is_held_for_good(ctx, at))
        judge(ctx, at, verdict, rule, other);
}

/* R5: both desks told the truth, so nobody but a lead knows who has the item. Until he says, the
 * later loan goes, and the earlier one with its renewal waits for him. */
static void rule_out_twice(void *ctx, struct place at, struct place loan, const struct place *renew)
{
    const struct finding *f;

    if (is_ruled(ctx, loan))
        return; /* both go, and the server decides */
    rule_judge(ctx, loan, VERDICT_REVIEW, "R5", &at);
    if (renew)
        rule_judge(ctx, *renew, VERDICT_REVIEW, "R5", &at);
    if (!(f = found(ctx, at)) || f->verdict != VERDICT_WAITS) /* R7: it goes once its card exists */
        rule_judge(ctx, at, VERDICT_SEND, "R5", &loan);
}

static void rule_later_due(void *ctx, struct place at, uint32_t due)
{
    struct finding *f = is_past(ctx, at) ? NULL : find(ctx, at);

    if (!f)
        return;
    f->has_due = true;
    f->due = due;
}

void survey_init(struct survey *s, const struct merge_job *job)
{
    memset(s, 0, sizeof *s);
    s->job = job;
    s->rules = (struct item_rules){ .policy = &job->policy,
                                    .ctx = s,
                                    .same_desk = rule_same_desk,
                                    .judge = rule_judge,
                                    .later_due = rule_later_due,
                                    .out_twice = rule_out_twice };
    memcpy(s->salt, job->branch, sizeof s->salt);
}

static struct item_past *item_of(struct survey *s, const char *barcode)
{
    uint8_t key[16];
    bool fresh;
    uint64_t *v;

    text_digest(s, barcode, key);
    if ((v = hmap_at(&s->items, key, &fresh)) == NULL) {
        s->failed = true;
        return NULL;
    }
    if (!fresh)
        return &s->item[*v];
    *v = s->n_items;
    return one_more(s, (void **)&s->item, &s->n_items, &s->items_room, sizeof(struct item_past));
}

/* ---- R9: what came after its time was uploaded ---- */

void survey_mind_item(struct survey *s, struct place at, const struct record *r)
{
    if (r->item[0] != '\0' && r->kind != RECORD_VOID && !released_find(s->job, at))
        item_of(s, r->item);
}

bool survey_knows_item(const struct survey *s, struct place at, const struct record *r,
                       uint8_t item[16], uint8_t user[16])
{
    const struct finding *f;

    if (r->item[0] == '\0' || r->kind == RECORD_VOID || r->kind == RECORD_USER)
        return false;
    text_digest(s, r->item, item);
    text_digest(s, r->user, user);
    return hmap_find(&s->items, item) && !((f = found(s, at)) && f->verdict == VERDICT_VOIDED);
}

static bool is_late(const struct survey *s, int64_t time_ms)
{
    return time_ms < s->job->pressed_ms;
}

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
    bool late = is_late(s, e->time_ms);

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
    uint32_t window = rule_same_desk(s, p->at, e->at) ? s->job->policy.double_scan_ms
                                                      : s->job->policy.same_event_ms;

    if (p->kind != e->kind || memcmp(p->user, e->user, 16) != 0 ||
        p->time_ms - e->time_ms > (int64_t)window)
        return false;
    rule_judge(s, e->at, VERDICT_DUPLICATE, "R3", &p->at);
    return !is_ruled(s, e->at);
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
        rule_judge(s, e->at, VERDICT_REVIEW, "R9", &since[i].e.at);
        return !is_ruled(s, e->at);
    }
    if (e->kind == RECORD_DISCHARGE)
        rule_judge(s, e->at, VERDICT_HELD, "R9", i < n ? &since[i].e.at : NULL);
    return false;
}

/* What goes all the same is marked. */
static void mark_late(struct survey *s, struct place at)
{
    struct finding *f = find(s, at);

    if (!f)
        return;
    f->late = true;
    if (f->rule[0] == '\0')
        f->rule = "R9";
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

static void item_event(struct survey *s, struct place at, const struct record *r, int64_t time_ms)
{
    struct item_event e = { .at = at,
                            .time_ms = time_ms,
                            .raw_ms = record_time(r, 0),
                            .due = r->due,
                            .kind = r->kind };
    struct item_past *it = item_of(s, r->item);
    const struct past_event *since;
    uint8_t item[16];
    unsigned n;

    if (!it)
        return;
    text_digest(s, r->item, item);
    text_digest(s, r->user, e.user);
    since = recall(s, it, item, &e, &n);
    if (item_past_repeats(&s->rules, it, &e)) /* R3 */
        return;
    if (is_late(s, time_ms) && came_too_late(s, &e, since, n))
        return;
    note_order(s, it, &e);
    e.waits = new_card(s, at, r);
    item_past_take(&s->rules, it, &e);
}

/* R7: pieces without a barcode wait for their user's card as items do; no other rule knows them. */
static void pieces_event(struct survey *s, struct place at, const struct record *r)
{
    const char *waits = new_card(s, at, r);

    if (waits)
        rule_judge(s, at, VERDICT_WAITS, waits, NULL);
}

/* Of a released record a lead has judged. */
bool survey_is_settled(const struct survey *s, struct place at)
{
    const struct finding *f = found(s, at);

    return (f && f->verdict == VERDICT_VOIDED) || released_find(s->job, at);
}

void survey_record(struct survey *s, struct place at, const struct record *r, int64_t time_ms)
{
    const struct finding *f = found(s, at);

    if (survey_is_settled(s, at) || (f && f->verdict == VERDICT_REVIEW)) /* R12 */
        return;
    if (r->kind == RECORD_USER)
        registration(s, at, r);
    else if (r->kind != RECORD_VOID && r->item[0] != '\0')
        item_event(s, at, r, time_ms);
    else if (r->kind == RECORD_CHECKOUT)
        pieces_event(s, at, r);
    if (is_late(s, time_ms) && r->kind != RECORD_VOID)
        mark_late(s, at);
}

void survey_verdict(const struct survey *s, struct place at, const struct record *r,
                    struct finding *out)
{
    const struct finding *f = found(s, at);

    memset(out, 0, sizeof *out);
    out->rule = "";
    if (f)
        *out = *f;
    if (out->rule[0] != '\0' || released_find(s->job, at))
        return;
    if (r->kind == RECORD_DISCHARGE && s->job->policy.discharges == DISCHARGES_HOLD) {
        out->verdict = VERDICT_HELD;
        out->rule = "R8";
    } else if (r->kind == RECORD_VOID) {
        out->verdict = VERDICT_IDLE_VOID;
        out->rule = "R2";
    }
}
