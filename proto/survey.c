/* survey.c - what is known of records whose verdict is not the plain one: registrations (R6, R7), and one
 * pass in merged order. What was taken back is in survey_void.c, what happened to items in survey_item.c. */
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "mem.h"

#include "format.h"
#include "merge_int.h"

#define NOTED_MAX 512 /* takes much longer than to wake a thread */

struct card { /* a user registered in this log, or earlier and not known to be loaded */
    struct place reg;
    bool this_slot, seen, conflict;
    bool has_twin; /* another card of the same person, by name and birth, at another desk: twin */
    struct place twin;
    bool known; /* the server has it, or has it before it reads this log: nothing waits */
    bool used;  /* by `use`, the first one in merged order */
    struct place use;
    uint64_t use_rank;
    uint8_t content[16];
};

struct arrival { /* a registration of the batch */
    struct place at;
    uint64_t rank;
    unsigned card;
    bool late; /* R9 */
};

static void digest(const struct survey *s, const void *p, size_t n, uint8_t out[16])
{
    crypto_shorthash_siphashx24(out, p, n, s->salt);
}

void survey_text_digest(const struct survey *s, const char *text, uint8_t out[16])
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
    helper_wait(s->job ? s->job->helper : NULL);
    free(s->noted);
    free(s->under_way);
    hmap_free(&s->cards);
    hmap_free(&s->persons);
    hmap_free(&s->found);
    lookback_free(&s->past);
    typed_free(&s->typed);
    runs_free(s->events);
    free(s->minded);
    free(s->arrival);
    free(s->card);
    free(s->finding);
    memset(s, 0, sizeof *s);
}

/* Asked before an index is given out: none may point behind the array, even when memory has run out.
 * False marks the survey as failed. */
static bool has_room(struct survey *s, void **v, unsigned n, unsigned *room, size_t size)
{
    void *grown = mem_room(*v, n, room, size);

    if (grown)
        *v = grown;
    else
        s->failed = true;
    return grown != NULL;
}

struct finding *survey_find(struct survey *s, struct place at)
{
    uint8_t key[16];
    bool fresh;
    uint64_t *v;

    if (!has_room(s, (void **)&s->finding, s->n_findings, &s->findings_room, sizeof *s->finding))
        return NULL;
    place_key(at, key);
    if ((v = hmap_at(&s->found, key, &fresh)) == NULL) {
        s->failed = true;
        return NULL;
    }
    if (fresh) {
        *v = s->n_findings++;
        s->finding[*v] = (struct finding){ .rule = "" };
    }
    return &s->finding[*v];
}

const struct finding *survey_found(const struct survey *s, struct place at)
{
    uint8_t key[16];
    const uint64_t *v;

    place_key(at, key);
    v = hmap_find(&s->found, key);
    return v ? &s->finding[*v] : NULL;
}

void survey_judge(struct survey *s, struct place at, enum verdict verdict, const char *rule,
                  const struct place *other)
{
    struct finding *f = survey_find(s, at);

    if (!f)
        return;
    f->verdict = verdict;
    f->rule = rule;
    f->has_other = other != NULL;
    if (other)
        f->other = *other;
}

bool survey_is_ruled(const struct survey *s, struct place at)
{
    const struct finding *f = survey_found(s, at);

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

bool survey_same_desk(void *ctx, struct place a, struct place b)
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
        if (survey_same_desk(s, first->reg, c->reg))
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
    const struct finding *f = survey_found(s, at);
    uint8_t key[16], content[16];
    struct card *c;
    uint64_t *v;
    bool fresh;

    if ((f && f->verdict == VERDICT_VOIDED) || r->user[0] == '\0')
        return;
    survey_text_digest(s, r->user, key);
    content_digest(s, r, content);
    if (!has_room(s, (void **)&s->card, s->n_cards, &s->cards_room, sizeof *c))
        return;
    if ((v = hmap_at(&s->cards, key, &fresh)) == NULL) {
        s->failed = true;
        return;
    }
    if (fresh) {
        *v = s->n_cards++;
        c = &s->card[*v];
        *c = (struct card){ .reg = at, .this_slot = at.seq >= feed->from };
        memcpy(c->content, content, sizeof content);
    }
    c = &s->card[*v];
    if (fresh)
        find_twin(s, c, r);
    if (memcmp(c->content, content, sizeof content) != 0)
        c->conflict = true;
    c->known |= at.seq <= feed->carded || (again && format_has_users_inside(&s->job->policy));
}

static struct card *card_of(const struct survey *s, const uint8_t user[16])
{
    const uint64_t *v = hmap_find(&s->cards, user);

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
    struct finding *f = survey_find(s, at);

    if (!f || f->rule[0] != '\0')
        return;
    f->rule = "R6";
    f->has_other = true;
    f->other = c->twin;
}

/* Its verdict depends on whether the card was used before it: it is judged at the end. */
static void arrives(struct survey *s, const struct noted *r)
{
    bool late = survey_is_late(s, r->time_ms);
    struct card *c;
    uint8_t user[16];

    survey_text_digest(s, r->user, user);
    if ((c = card_of(s, user)) == NULL) {
        if (late)
            survey_mark_late(s, r->at);
        return;
    }
    if (has_room(s, (void **)&s->arrival, s->n_arrivals, &s->arrivals_room, sizeof *s->arrival))
        s->arrival[s->n_arrivals++] =
            (struct arrival){ r->at, s->rank, (unsigned)(c - s->card), late };
}

/* Used before its registration, which therefore goes first. */
static void pull(struct survey *s, struct card *c)
{
    struct finding *f = survey_find(s, c->use);

    if (!f)
        return;
    f->early = true;
    f->pull = c->reg;
    c->seen = true;
    if ((f = survey_find(s, c->reg)) != NULL)
        f->early = true; /* written already when its own turn comes */
}

static void registration(struct survey *s, struct card *c, struct place at)
{
    if (c->has_twin && !c->conflict && (!c->seen || place_eq(at, c->reg)))
        note_twin(s, at, c);
    if (c->seen && place_eq(at, c->reg))
        return; /* pulled before its first use */
    if (c->conflict) {
        survey_judge(s, at, VERDICT_REVIEW, "R6", NULL);
    } else if (!c->this_slot || c->seen) {
        struct place kept = c->reg;
        survey_judge(s, at, VERDICT_DUPLICATE, "R6", &kept);
    } else {
        c->seen = true;
        c->reg = at;
    }
}

/* Behind all events: the first use of each card is known. */
static void judge_registrations(struct survey *s)
{
    for (unsigned i = 0; i < s->n_arrivals; i++) {
        const struct arrival *a = &s->arrival[i];
        struct card *c = &s->card[a->card];
        if (c->used && !c->seen && c->use_rank < a->rank)
            pull(s, c);
        registration(s, c, a->at);
        if (a->late)
            survey_mark_late(s, a->at);
    }
    for (unsigned i = 0; i < s->n_cards; i++)
        if (s->card[i].used && !s->card[i].seen)
            pull(s, &s->card[i]);
}

const char *survey_new_card(struct survey *s, struct place at, const uint8_t user[16],
                            uint64_t rank)
{
    struct card *c = card_of(s, user);

    if (!c || c->known)
        return NULL;
    if (card_waits(s, c))
        return c->conflict ? "R6" : "R7";
    if (c->this_slot && (!c->used || rank < c->use_rank)) {
        c->used = true;
        c->use = at;
        c->use_rank = rank;
    }
    return NULL;
}

/* ---- R9: what came after its time was uploaded ---- */

bool survey_is_late(const struct survey *s, int64_t time_ms)
{
    return time_ms < s->job->pressed_ms;
}

/* What goes all the same is marked. */
void survey_mark_late(struct survey *s, struct place at)
{
    struct finding *f = survey_find(s, at);

    if (!f)
        return;
    f->late = true;
    if (f->rule[0] == '\0')
        f->rule = "R9";
}

/* ---- the pass ---- */

/* R7: pieces without a barcode wait for their user's card as items do; no other rule knows them. */
static void pieces_event(struct survey *s, const struct noted *r)
{
    const char *waits;
    uint8_t user[16];

    survey_text_digest(s, r->user, user);
    if ((waits = survey_new_card(s, r->at, user, s->rank)) != NULL)
        survey_rule_judge(s, r->at, VERDICT_WAITS, waits, NULL);
}

/* Of a released record a lead has judged. */
bool survey_is_settled(const struct survey *s, struct place at)
{
    const struct finding *f = survey_found(s, at);

    return (f && f->verdict == VERDICT_VOIDED) || released_find(s->job, at);
}

static enum err look_at(struct survey *s, const struct noted *r, struct errmsg *msg)
{
    const struct finding *f = survey_found(s, r->at);

    s->rank++;
    if (survey_is_settled(s, r->at) || (f && f->verdict == VERDICT_REVIEW)) /* R12 */
        return ERR_OK;
    if (r->kind == RECORD_USER) {
        arrives(s, r);
        return ERR_OK;
    }
    if (r->kind != RECORD_VOID && r->item[0] != '\0')
        return survey_event(s, r, msg);
    if (r->kind == RECORD_CHECKOUT)
        pieces_event(s, r);
    if (survey_is_late(s, r->time_ms) && r->kind != RECORD_VOID)
        survey_mark_late(s, r->at);
    return ERR_OK;
}

static void look_at_all(void *arg)
{
    struct survey *s = arg;
    unsigned long refused = mem_refused(); /* on this thread, which may be the helper's */

    for (unsigned i = 0; i < s->n_under_way && s->err == ERR_OK; i++)
        s->err = look_at(s, &s->under_way[i], &s->msg);
    s->failed |= mem_refused() != refused;
}

static enum err wait_for_helper(struct survey *s, struct errmsg *msg)
{
    helper_wait(s->job->helper);
    if (s->err != ERR_OK && msg)
        *msg = s->msg;
    return s->err;
}

static enum err hand_over(struct survey *s, struct errmsg *msg)
{
    enum err e = wait_for_helper(s, msg);
    struct noted *looked_at = s->under_way;

    if (e != ERR_OK)
        return e;
    s->under_way = s->noted;
    s->n_under_way = s->n_noted;
    s->noted = looked_at;
    s->n_noted = 0;
    helper_begin(s->job->helper, look_at_all, s);
    return ERR_OK;
}

enum err survey_record(struct survey *s, struct place at, const struct record *r, int64_t time_ms,
                       struct errmsg *msg)
{
    struct noted *n;

    if (!s->noted && (s->noted = mem_alloc(NOTED_MAX * sizeof *n)) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    n = &s->noted[s->n_noted++];
    n->at = at;
    n->time_ms = time_ms;
    n->raw_ms = record_time(r, 0);
    n->due = r->due;
    n->kind = r->kind;
    memcpy(n->item, r->item, sizeof n->item);
    memcpy(n->user, r->user, sizeof n->user);
    return s->n_noted == NOTED_MAX ? hand_over(s, msg) : ERR_OK;
}

enum err survey_end(struct survey *s, survey_pulse pulse, void *ctx, struct errmsg *msg)
{
    enum err e = hand_over(s, msg);

    if (e == ERR_OK)
        e = wait_for_helper(s, msg);
    if (e == ERR_OK)
        e = survey_events(s, pulse, ctx, msg);
    if (e == ERR_OK)
        judge_registrations(s);
    return e == ERR_OK && s->failed ? err_set(msg, ERR_NOMEM, "out of memory") : e;
}

void survey_verdict(const struct survey *s, struct place at, const struct record *r,
                    struct finding *out)
{
    const struct finding *f = survey_found(s, at);

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
