/* steps.c - sinks that take a batch item by item: what arrived how often, what a look shows, what a
 * lead says. They execute without answering, late, or not at all; a drop's loader eats at will.
 *
 * D1: nothing arrives twice, and nothing is missing in the end, but by a person's wrong word, or as
 * an exception that the receipt names. */
#include <stdio.h>
#include <string.h>

#include "deeds.h"
#include "delivery.h"

uint64_t steps_upload(const uint8_t intent[HASH_BYTES])
{
    return get_be64(intent);
}

struct item *steps_item(struct sim *s, uint64_t upload, uint64_t number)
{
    for (unsigned i = s->n_items; i-- > 0;)
        if (s->item[i].upload == upload && s->item[i].number == number)
            return &s->item[i];
    s->item = sim_grow(s->item, s->n_items, &s->items_room, sizeof *s->item);
    s->item[s->n_items] = (struct item){ .upload = upload, .number = number };
    return &s->item[s->n_items++];
}

static enum sink_class class_of(const struct intent *in)
{
    return sink_class_of(in->sink);
}

/* A request lives no longer than the quiet time: that is what it is for. */
uint64_t steps_life_us(const struct sim *s)
{
    return s->script->setup.quiet > 0 ? s->script->setup.quiet * SECOND : MS;
}

/* The loader is as quick or slow as it likes, or as the script says. */
static void maybe_eat(struct sim *s, struct item *i)
{
    if (i->there && (s->loader == 0 ? rng_chance(&s->dice, 500) : s->loader == 1))
        i->there = false;
}

void deed_loader(struct sim *s, const struct args *a)
{
    s->loader = a->num[0] % 3;
}

/* A sink that answers has one mind about a record, however often it is asked. */
void steps_judge(struct sim *s, struct item *i)
{
    unsigned u = (unsigned)rng_between(&s->dice, 0, 99);

    if (!i->judged)
        i->verdict = u < 15   ? ANSWER_REFUSED
                     : u < 25 ? ANSWER_DEVIATING
                     : u < 32 ? ANSWER_ALREADY
                              : ANSWER_ACCEPTED;
    i->judged = true;
}

void steps_tell(struct sim *s, const struct parcel *p, uint64_t line, enum answer a,
                struct told *told)
{
    struct answer_row r = { .line = line, .answer = a };

    if (a == ANSWER_ACCEPTED || line > p->n_lines)
        return;
    r.ref = p->line[line - 1].ref;
    r.kind = p->line[line - 1].kind;
    snprintf(r.words, sizeof r.words, "line %llu, telling %llu", (unsigned long long)line,
             (unsigned long long)++s->tellings);
    told_add(told, &r);
}

/* It remembers what it did, and says so; what it refused it refuses again. */
void steps_plugin(struct sim *s, const struct parcel *p, struct told *told)
{
    for (uint64_t line = 1; line <= p->n_lines; line++) {
        struct item *i = steps_item(s, steps_upload(p->hash), line);
        bool again = i->judged && i->verdict != ANSWER_REFUSED;
        steps_judge(s, i);
        i->times += !again && i->verdict != ANSWER_REFUSED;
        steps_tell(s, p, line, again ? ANSWER_ALREADY : i->verdict, told);
    }
}

static enum delivery take(struct sim *s, const struct parcel *p, struct told *told)
{
    struct item *i = steps_item(s, steps_upload(p->hash), p->item);

    if (sink_answers(p->intent.sink)) {
        steps_judge(s, i);
        steps_tell(s, p, p->item, i->verdict, told);
        if (i->verdict == ANSWER_REFUSED)
            return DELIVERY_DONE;
    }

    maybe_eat(s, i);
    if (class_of(&p->intent) == SINK_DROP && i->there)
        return DELIVERY_DONE; /* the name is taken, by equal content */
    i->there = true;
    i->times++;
    if (s->overrides)
        overrides_at_sink(s, i->upload, i->times > 1);
    else if (i->times > 1 + i->allowed)
        sim_fail(s, "D1", "item %llu of slot %llu reaches the sink %u times",
                 (unsigned long long)p->item, (unsigned long long)p->intent.slot, i->times);
    return DELIVERY_DONE;
}

/* Of every third record no probe can tell: discharges and renewals. */
static enum delivery look(struct sim *s, const struct parcel *p, struct told *told)
{
    struct item *i = steps_item(s, steps_upload(p->hash), p->item);

    switch (class_of(&p->intent)) {
    case SINK_F1:
        if (p->item % 3 == 0) {
            steps_tell(s, p, p->item, ANSWER_DOUBT, told);
            return DELIVERY_UNPROVEN;
        }
        if (i->times == 0)
            return DELIVERY_ABSENT;
        steps_tell(s, p, p->item, i->verdict, told);
        return DELIVERY_DONE;
    case SINK_DROP:
        maybe_eat(s, i);
        return i->there ? DELIVERY_DONE : DELIVERY_UNPROVEN;
    case SINK_F0:
    case SINK_SESSION:
    case SINK_F2:
    case SINK_F3:
    case SINK_NONE:
        break;
    }
    return DELIVERY_UNPROVEN;
}

enum delivery steps_arrive(struct sim *s, const struct parcel *p, struct told *told)
{
    return p->look ? look(s, p, told) : take(s, p, told);
}

/* The first receipt of a slot: each of its items arrived, or somebody answers for it. */
void steps_settled(struct sim *s, const struct intent *in, const struct receipt *r)
{
    bool session = class_of(in) == SINK_SESSION; /* then what matters is each of its lines */
    uint64_t items = delivery_items(session ? SINK_F1 : class_of(in), in->parts, in->n_parts);
    struct progress p = { 0 };
    uint8_t hash[HASH_BYTES];

    intent_hash(r->intent, r->intent_len, hash);
    if (!sink_has_steps(class_of(in)))
        return;
    if (r->progress_len > 0 && progress_decode(r->progress, r->progress_len, &p) != ERR_OK)
        sim_fail(s, "D1", "the receipt of slot %llu has no progress", (unsigned long long)in->slot);
    for (uint64_t n = 1; n <= items; n++) {
        const struct item *i = steps_item(s, steps_upload(hash), n);
        bool unsaid = session ? session_fits(s, p.key, n, ANSWER_DOUBT) ||
                                    session_fits(s, p.key, n, ANSWER_HELD)
                              : n % 3 == 0;
        bool told = p.n_answers > 0 && (i->verdict == ANSWER_REFUSED || unsaid);
        if (i->times == 0 && !i->given_up && !told) /* which, check_answers.c asks */
            sim_fail(s, "D1", "slot %llu is settled and its item %llu never arrived",
                     (unsigned long long)in->slot, (unsigned long long)n);
    }
    sink_note_arrived(s, in);
}

static enum sink_class class_at(const struct sim *s, int desk)
{
    const struct policy *p = roster_policy(core_roster(s->desk[desk].core));

    return p ? sink_class_of(p->sink) : SINK_NONE;
}

/* A lead looks, and says what he saw; or (1) the contrary. */
void deed_decide(struct sim *s, const struct args *a)
{
    int desk = a->desk[0];
    struct moment now = sim_moment(s, desk);
    const struct core *c = s->desk[desk].core;
    struct ledger_view v;
    struct decision d;
    struct item *i;
    struct buf b = { 0 };
    struct errmsg msg = { .text = "" };
    bool truth, session;
    uint64_t upload;

    if (!core_draft_decision(c, &now, false, &d))
        return;
    core_ledger_view(c, &now, &v);
    session = class_at(s, desk) == SINK_SESSION;
    upload = steps_upload(d.intent);
    i = session ? NULL : steps_item(s, upload, v.doubt.item);
    truth = session ? session_is_executed(s, upload) : i->times > 0;
    d.arrived =
        a->num[0] == 1 && !s->overrides ? !truth : truth; /* what an override doubles is counted */
    memcpy(d.lead_pk, s->lead_pk, KEY_BYTES);
    decision_sign(roster_branch(core_roster(c)), &d, s->lead_sk, &b);
    if (core_decide(s->desk[desk].core, &now, b.p, b.len, &msg) == ERR_OK) {
        if (session && !d.arrived && truth)
            session_allow_again(s, upload);
        if (!session) {
            i->allowed += !d.arrived && truth;
            i->given_up |= d.arrived && !truth;
        }
        sim_trace(s, desk, "a lead says that item %llu of slot %llu %s",
                  (unsigned long long)v.doubt.item, (unsigned long long)d.slot,
                  d.arrived ? "arrived" : "did not arrive");
    } else {
        sim_trace(s, desk, "decision refused: %s", msg.text);
    }
    buf_free(&b);
}
