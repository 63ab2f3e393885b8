/* rulings.c - leads send and void records that no upload has yet, apart from each other, against
 * each other, and while an upload is being agreed on; and what must hold. Rows of verbs.c.
 *
 * V1 A payload keeps to the rulings of its intent: what is voided is never sent, what is sent goes.
 * V2 Who proposes names, of the words that it knew, the last one on each record: it ignores none.
 * V3 No seat accepts a fresh intent with a ruling whose word it does not hold.
 * V4 What a lead says stands, at the desk where it is said, over all that was said before, whoever's
 *    clock is fast. */
#include <stdlib.h>
#include <string.h>

#include "deeds.h"
#include "export.h"

struct said_ruling {
    struct record_ref ref;
    enum word_kind what;
    int64_t at_ms;
    uint8_t id[WORD_ID_BYTES], key[KEY_BYTES];
    uint8_t now[SIM_STATIONS_MAX / 8], before[SIM_STATIONS_MAX / 8]; /* desks that hold it; that
                                                        did so before their last batch */
};

struct rulings {
    struct said_ruling *v;
    unsigned n, room;
    unsigned seen[SIM_STATIONS_MAX]; /* words at each desk, at its last commit */
    bool fresh[SIM_STATIONS_MAX];    /* some of them only since then */
};

static struct rulings *known(struct sim *s)
{
    if (!s->rulings && (s->rulings = calloc(1, sizeof *s->rulings)) == NULL)
        abort();
    return s->rulings;
}

void rulings_free(struct sim *s)
{
    if (s->rulings)
        free(s->rulings->v);
    free(s->rulings);
}

static bool has(const uint8_t *set, int desk)
{
    return set[desk / 8] >> desk % 8 & 1;
}

static void put(uint8_t *set, int desk)
{
    set[desk / 8] |= (uint8_t)(1u << desk % 8);
}

static bool holds(const struct core *c, const uint8_t id[WORD_ID_BYTES])
{
    const struct said *said = core_said(c);

    for (unsigned i = 0; i < said->n; i++)
        if (memcmp(said->v[i].id, id, WORD_ID_BYTES) == 0)
            return true;
    return false;
}

/* ---- people ---- */

static void say(struct sim *s, int desk, const struct record_ref *ref, enum word_kind what,
                const uint8_t pk[KEY_BYTES], const uint8_t sk[SIGN_SK_BYTES])
{
    struct core *c = s->desk[desk].core;
    struct moment now = sim_moment(s, desk);
    struct rulings *r = known(s);
    struct word w = { .kind = what, .slot = ledger_decided(core_ledger(c)) + 1, .n_refs = 1 };
    struct word_ref of;
    struct buf refs = { 0 }, b = { 0 };
    int64_t at_ms = core_rule_at(c, &now, ref), stands_ms;
    struct said_ruling one = { .ref = *ref, .what = what, .at_ms = at_ms };

    if (core_rule_ref(c, ref, &of, NULL) != ERR_OK)
        return; /* decided meanwhile */
    w.at_ms = at_ms;
    memcpy(w.key, pk, KEY_BYTES);
    memcpy(one.key, pk, KEY_BYTES);
    word_put_ref(&refs, &of);
    word_sign(roster_branch(core_roster(c)), &w, &refs, sk, &b);
    word_id(b.p, b.len, one.id);
    if (core_say(c, &now, b.p, b.len, NULL) == ERR_OK) {
        r->v = sim_grow(r->v, r->n, &r->room, sizeof *r->v);
        r->v[r->n++] = one;
        sim_trace(s, desk, "a lead %s record %llu", what == WORD_VOID ? "voids" : "sends",
                  (unsigned long long)ref->seq);
        if (core_ruled(c, ref, &stands_ms) != what || stands_ms != at_ms)
            sim_fail(s, "V4", "a lead's word on record %llu does not stand where it was said",
                     (unsigned long long)ref->seq);
    }
    buf_free(&refs);
    buf_free(&b);
}

/* What a lead looks at first, and now and then anything else. */
static bool looks_at(struct sim *s, const struct merged *m)
{
    bool conflict = m->verdict == VERDICT_REVIEW || m->late || strcmp(m->rule, "R5") == 0 ||
                    strcmp(m->rule, "lead") == 0;

    return m->rec.kind != RECORD_VOID && rng_chance(&s->dice, conflict ? 600 : 60);
}

/* At a desk a lead goes through what waits to be uploaded; with an odd number the second one does,
 * if there is one. */
void deed_rule(struct sim *s, const struct args *a)
{
    int desk = a->desk[0];
    struct core *c = s->desk[desk].core;
    bool second = a->num[0] % 2 == 1 && roster_is_lead(core_roster(c), s->second.sign_pk);
    struct merged *m = malloc(sizeof *m);
    struct merge_job job;
    struct merge *merge = NULL;

    if (core_merge_job(c, NULL, &job, NULL) == ERR_OK) {
        if (merge_open(&job, memdisk_reader(s->desk[desk].disk), NULL, NULL, &merge, NULL) ==
            ERR_OK)
            while (merge_next(merge, m, NULL) == ERR_OK) {
                struct record_ref ref = { job.feeds[m->feed].feed, m->seq };
                bool send = m->rec.kind != RECORD_USER && rng_chance(&s->dice, 500);
                if (!m->again && looks_at(s, m))
                    say(s, desk, &ref, send ? WORD_SEND : WORD_VOID,
                        second ? s->second.sign_pk : s->lead_pk,
                        second ? s->second.sign_sk : s->lead_sk);
            }
        merge_close(merge);
        merge_job_free(&job);
    }
    free(m);
}

/* ---- V1 ---- */

void rulings_look(struct sim *s, const struct merge_job *job, const struct merged *m,
                  enum outcome o)
{
    for (unsigned i = 0; i < job->n_rulings; i++) {
        const struct merge_ruling *r = &job->rulings[i];
        if (r->feed != m->feed || r->seq != m->seq || m->again)
            continue; /* again: the word that it goes once more is the later one (seed 6082) */
        if (r->what == WORD_VOID && o != OUTCOME_NOT_SENT)
            sim_fail(s, "V1", "slot %llu sends record %llu, which a lead voided",
                     (unsigned long long)job->slot, (unsigned long long)m->seq);
        if (r->what == WORD_SEND && m->verdict != VERDICT_SEND && m->verdict != VERDICT_VOIDED &&
            m->verdict != VERDICT_WAITS)
            sim_fail(s, "V1", "slot %llu keeps record %llu back (%s), which a lead sends",
                     (unsigned long long)job->slot, (unsigned long long)m->seq,
                     verdict_name(m->verdict));
    }
}

/* ---- V2 ---- */

static bool is_later(const struct said_ruling *a, const struct said_ruling *b)
{
    return a->at_ms != b->at_ms ? a->at_ms > b->at_ms : memcmp(a->id, b->id, WORD_ID_BYTES) > 0;
}

static const struct slot_ruling *named(const struct intent *in, const struct record_ref *ref)
{
    for (unsigned i = 0; i < in->n_rulings; i++)
        if (ref_cmp(&in->rulings[i].ref, ref) == 0)
            return &in->rulings[i];
    return NULL;
}

static bool is_under(const struct intent *in, const struct record_ref *ref)
{
    for (unsigned i = 0; i < in->n_ranges; i++)
        if (feed_id_eq(&in->ranges[i].feed, &ref->feed))
            return ref->seq >= in->ranges[i].from && ref->seq <= in->ranges[i].to;
    return false;
}

/* It knew this word when it looked. That another one counts must be because it is later. */
static void proposes(struct sim *s, const struct intent *in, const struct said_ruling *w)
{
    const struct slot_ruling *r = named(in, &w->ref);
    const struct said_ruling *used = NULL;

    for (unsigned i = 0; r && i < s->rulings->n; i++)
        if (memcmp(s->rulings->v[i].id, r->word, WORD_ID_BYTES) == 0)
            used = &s->rulings->v[i];
    if (!used || used->what != (enum word_kind)r->what || is_later(w, used))
        sim_fail(s, "V2", "slot %llu is proposed %s a lead's word on record %llu",
                 (unsigned long long)in->slot, r ? "with an earlier word than" : "without",
                 (unsigned long long)w->ref.seq);
}

static void effect(struct sim *s, int desk, const struct effect *e)
{
    const struct core *c = s->desk[desk].core;
    struct intent in;

    if (e->type != EFFECT_BUILD || !s->rulings ||
        intent_decode(e->bytes.p, e->bytes.len, &in, NULL) != ERR_OK)
        return;
    for (unsigned i = 0; i < s->rulings->n; i++) {
        const struct said_ruling *w = &s->rulings->v[i];
        const struct feed *f = feeds_find(core_feeds(c), &w->ref.feed);
        if (has(w->before, desk) && f && !f->forked && is_under(&in, &w->ref) &&
            roster_is_lead(core_roster(c), w->key))
            proposes(s, &in, w);
    }
    intent_free(&in);
}

/* ---- V3, and who holds what ---- */

static void durable(struct sim *s, int desk, enum table t, const uint8_t *key, size_t n,
                    const uint8_t *val, size_t len)
{
    struct mp m = mp_over(val, len);
    uint8_t skip[HASH_BYTES];
    const uint8_t *acc;
    uint64_t term;
    struct intent in;
    size_t acc_n = 0;

    if (t != TABLE_META || !val || n != 1 || key[0] != 'L' || !s->rulings)
        return;
    mp_get_array(&m);
    mp_get_u64(&m);
    mp_get_u64(&m);
    mp_get_raw(&m, skip, sizeof skip);
    mp_get_u64(&m);
    mp_get_bin(&m, &acc_n);
    term = mp_get_u64(&m);
    acc = mp_get_bin(&m, &acc_n);
    if (m.bad || acc_n == 0 || intent_decode(acc, acc_n, &in, NULL) != ERR_OK)
        return;
    for (unsigned i = 0; in.term == term && i < in.n_rulings; i++)
        if (!holds(s->desk[desk].core, in.rulings[i].word))
            sim_fail(s, "V3", "%s accepts slot %llu with a ruling that nobody said there",
                     s->desk[desk].name, (unsigned long long)in.slot);
    intent_free(&in);
}

static void committed(struct sim *s, int desk)
{
    struct rulings *r = s->rulings;
    unsigned n = core_said(s->desk[desk].core)->n;

    if (!r || (n == r->seen[desk] && !r->fresh[desk]))
        return;
    r->seen[desk] = n;
    r->fresh[desk] = false;
    for (unsigned i = 0; i < r->n; i++) {
        struct said_ruling *w = &r->v[i];
        if (has(w->now, desk)) {
            put(w->before, desk);
        } else if (holds(s->desk[desk].core, w->id)) {
            put(w->now, desk);
            r->fresh[desk] = true;
        }
    }
}

static void started(struct sim *s, int desk)
{
    for (unsigned i = 0; s->rulings && i < s->rulings->n && s->desk[desk].new_memory; i++) {
        s->rulings->v[i].now[desk / 8] &= (uint8_t) ~(1u << desk % 8);
        s->rulings->v[i].before[desk / 8] &= (uint8_t) ~(1u << desk % 8);
        s->rulings->seen[desk] = 0;
    }
}

const struct check check_rulings = { .name = "rulings",
                                     .durable = durable,
                                     .committed = committed,
                                     .effect = effect,
                                     .started = started };
