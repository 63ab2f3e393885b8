/* sink.c - the batch on its way. Sinks that take it whole are here: F2 (exclusive create by name;
 * equal is delivered, unequal stops) and F3, which differs in the quiet time only; the others in
 * steps.c.
 *
 * The payload is the real one: export_run() over what is durable at the desk. That every desk makes
 * the same bytes of one intent is itself an invariant. */
#include <stdlib.h>
#include <string.h>

#include "deeds.h"
#include "order.h"

void parcel_free(struct parcel *p)
{
    if (!p)
        return;
    intent_free(&p->intent);
    free(p->line);
    free(p);
}

/* p: receives names, and the lines where the sink answers; NULL: not wanted. */
static bool payload(struct sim *s, int desk, const struct intent *in, struct export_result *r,
                    struct parcel *p, struct asides *aside)
{
    struct order order;
    struct export_out out;
    struct merge_job job;
    struct errmsg msg = { .text = "" };
    enum err e = core_merge_job(s->desk[desk].core, in, &job, &msg);

    if (e != ERR_OK) {
        sim_trace(s, desk, "no payload: %s", msg.text);
        return false;
    }
    out = order_check(&order, s, &job);
    order.lines = p != NULL && sink_answers(in->sink);
    out.aside = aside;
    e = export_run(&job, memdisk_reader(s->desk[desk].disk), format_by_name(job.policy.format),
                   NULL, NULL, &out, r, &msg);
    for (unsigned i = 0; e == ERR_OK && p && i < r->n_parts; i++)
        export_file_name(&job, r, i, p->name[i]);
    order_lines(&order, p);
    if (e == ERR_OK && r->records != in->records)
        sim_fail(s, "payload", "slot %llu counts %llu records, its payload %llu",
                 (unsigned long long)in->slot, (unsigned long long)in->records,
                 (unsigned long long)r->records);
    merge_job_free(&job);
    if (e != ERR_OK)
        sim_fail(s, "payload", "slot %llu cannot be built: %s", (unsigned long long)in->slot,
                 msg.text);
    return e == ERR_OK;
}

void sink_build(struct sim *s, int desk, const struct effect *fx)
{
    struct export_result *r = calloc(1, sizeof *r);
    struct asides aside = { 0 };
    struct intent in;
    struct event *e;

    if (!s->healed && s->sink_fails > 0 && rng_chance(&s->dice, 20)) {
        sim_trace(s, desk, "the answer to a build is lost");
    } else if (intent_decode(fx->bytes.p, fx->bytes.len, &in, NULL) != ERR_OK) {
        sim_fail(s, "payload", "a draft intent that does not parse");
    } else {
        if (payload(s, desk, &in, r, NULL, &aside)) {
            e = sim_put(s,
                        s->desk[desk].slow_us +
                            rng_between(&s->dice, MS, s->healed ? 100 * MS : 3 * SECOND),
                        EV_BUILT, desk);
            e->number = fx->number;
            if ((e->parcel = calloc(1, sizeof *e->parcel)) == NULL)
                abort();
            e->parcel->n_parts = r->n_parts;
            e->parcel->aside.n = aside.n;
            asides_hash(&aside, e->parcel->aside.hash);
            memcpy(e->parcel->parts, r->parts, sizeof e->parcel->parts);
        }
        intent_free(&in);
    }
    asides_free(&aside);
    free(r);
}

/* What every desk computes of every decided upload. */
static bool lacks_released(const struct sim *s, int desk, const struct intent *in)
{
    struct record *rec = malloc(sizeof *rec);
    bool lacks = false;

    for (unsigned i = 0; i < in->n_released && !lacks; i++)
        lacks = core_aside_record(s->desk[desk].core, &in->released[i].ref, rec, NULL) != ERR_OK;
    free(rec);
    return lacks;
}

void sink_aside(struct sim *s, int desk, const struct moment *now, uint64_t slot)
{
    struct export_result *r = calloc(1, sizeof *r);
    struct asides aside = { 0 };
    struct buf bytes = { 0 };
    struct receipt rc;
    struct intent in;

    if (ledger_receipt(core_ledger(s->desk[desk].core), slot, &bytes) == ERR_OK &&
        receipt_decode(bytes.p, bytes.len, &rc, NULL) == ERR_OK &&
        intent_decode(rc.intent, rc.intent_len, &in, NULL) == ERR_OK) {
        if (lacks_released(s, desk, &in)) { /* it heard first that all was settled by hand */
            core_asides(s->desk[desk].core, now, slot, &aside, "a released record is gone");
        } else if (payload(s, desk, &in, r, NULL, &aside)) {
            releases_note(s, slot, &aside);
            core_asides(s->desk[desk].core, now, slot, &aside, NULL);
        }
        intent_free(&in);
    }
    asides_free(&aside);
    buf_free(&bytes);
    free(r);
}

static void check_parts(struct sim *s, const struct parcel *p, const struct export_result *r)
{
    bool same = r->n_parts == p->intent.n_parts;

    for (unsigned i = 0; same && i < r->n_parts; i++)
        same = memcmp(r->parts[i].sha256, p->intent.parts[i].sha256, 32) == 0;
    if (!same)
        sim_fail(s, "payload", "two desks make different bytes of slot %llu",
                 (unsigned long long)p->intent.slot);
}

struct event *sink_answer(struct sim *s, int desk, uint64_t number, uint64_t in_us,
                          enum delivery how)
{
    struct event *e = sim_put(s, in_us, EV_DELIVERED, desk);

    e->number = number;
    e->how = how;
    return e;
}

/* Quick; or late, unanswered, or said to have failed though it arrives in the end. */
void sink_too_late(struct sim *s, int desk, const struct effect *fx)
{
    sim_trace(s, desk, "sends nothing, the lease is over: number %llu",
              (unsigned long long)fx->number);
    sink_answer(s, desk, fx->number, MS, DELIVERY_RETRY);
}

static void note_key(const struct sim *s, int desk, struct parcel *p)
{
    struct moment now = sim_moment(s, desk);
    struct ledger_view v;

    core_ledger_view(s->desk[desk].core, &now, &v);
    memcpy(p->key, v.key, sizeof p->key);
}

/* It says itself when its request is given up. */
static bool session_executes(const struct parcel *p)
{
    return sink_class_of(p->intent.sink) == SINK_SESSION && p->item == SESSION_EXECUTE;
}

void sink_deliver(struct sim *s, int desk, const struct effect *fx)
{
    struct export_result *r = calloc(1, sizeof *r);
    struct parcel *p = calloc(1, sizeof *p);
    unsigned fate = s->healed ? 0 : (unsigned)rng_between(&s->dice, 0, 99);
    bool well = s->healed || !rng_chance(&s->dice, s->sink_fails);
    uint64_t arrive = rng_between(&s->dice, MS, SECOND);
    struct event *e;

    if (intent_decode(fx->bytes.p, fx->bytes.len, &p->intent, NULL) != ERR_OK ||
        !payload(s, desk, &p->intent, r, p, NULL)) {
        sim_fail(s, "payload", "an intent to deliver that cannot be built");
        parcel_free(p);
        free(r);
        return;
    }
    intent_hash(fx->bytes.p, fx->bytes.len, p->hash);
    check_parts(s, p, r);
    free(r);
    if (!well && fate < 25) { /* the folder was not there */
        sink_answer(s, desk, fx->number, arrive, DELIVERY_RETRY);
        parcel_free(p);
        return;
    }
    if (!well && fate >= 40)
        arrive = rng_between(&s->dice, SECOND, 30 * SECOND);
    p->item = fx->item;
    p->look = fx->type == EFFECT_LOOK;
    note_key(s, desk, p);
    if (p->item > 0 && arrive > steps_life_us(s))
        arrive = steps_life_us(s);
    e = sim_put(s, arrive, EV_DELIVER, desk);
    e->parcel = p;
    e->number = fx->number;
    e->answers = well || (fate >= 50 && fate < 85);
    if (!well && fate >= 90 && !session_executes(p))
        sink_answer(s, desk, fx->number, arrive / 2,
                    fx->item > 0 ? DELIVERY_DOUBT
                                 : DELIVERY_RETRY); /* a time limit was too short */
}

static enum delivery create(struct sim *s, const struct parcel *p, unsigned part)
{
    struct sink_file *f;

    for (unsigned i = 0; i < s->n_files; i++) {
        if (strcmp(s->file[i].name, p->name[part]) != 0)
            continue;
        return memcmp(s->file[i].sha256, p->intent.parts[part].sha256, 32) == 0 ? DELIVERY_DONE
                                                                                : DELIVERY_STOP;
    }
    s->file = sim_grow(s->file, s->n_files, &s->files_room, sizeof *s->file);
    f = &s->file[s->n_files++];
    memcpy(f->name, p->name[part], sizeof f->name);
    memcpy(f->sha256, p->intent.parts[part].sha256, 32);
    return DELIVERY_DONE;
}

/* All that is under it is there; the order of slots is looked at. */
void sink_note_arrived(struct sim *s, const struct intent *in)
{
    bool first = in->slot > s->n_at_sink;

    for (unsigned i = 0; first && i < in->n_ranges; i++) {
        const struct slot_range *r = &in->ranges[i];
        struct known_feed *f = check_feed(s, &r->feed);
        if (r->from != f->at_sink + 1)
            sim_fail(s, "I6", "slot %llu brings records %llu.. of a feed sent up to %llu",
                     (unsigned long long)in->slot, (unsigned long long)r->from,
                     (unsigned long long)f->at_sink);
        f->at_sink = r->to;
    }
    if (first)
        s->n_at_sink = in->slot;
}

static enum delivery sink_take(struct sim *s, const struct parcel *p, struct told *told)
{
    const struct intent *in = &p->intent;
    enum delivery how = DELIVERY_DONE;

    for (unsigned i = 0; i < in->n_parts && how == DELIVERY_DONE; i++)
        how = create(s, p, i);
    if (how == DELIVERY_STOP)
        sim_fail(s, "I2", "the sink holds other bytes under the name of slot %llu",
                 (unsigned long long)in->slot);
    if (sink_answers(in->sink))
        steps_plugin(s, p, told);
    if (s->overrides)
        overrides_at_sink(s, steps_upload(p->hash), false);
    else
        sink_note_arrived(s, in);
    return how;
}

void sink_arrive(struct sim *s, struct event *e)
{
    const struct parcel *p = e->parcel;
    struct told *told = calloc(1, sizeof *told);
    enum delivery how = DELIVERY_DONE;
    bool answers = e->answers;

    sim_trace(s, e->desk, "slot %llu reaches the sink", (unsigned long long)p->intent.slot);
    if (sink_class_of(p->intent.sink) == SINK_SESSION)
        answers &= session_arrive(s, e, &how, told);
    else
        how = p->item > 0 ? steps_arrive(s, p, told) : sink_take(s, p, told);
    if (answers && s->desk[e->desk].core && s->desk[e->desk].life == e->life) {
        sink_answer(s, e->desk, e->number, rng_between(&s->dice, MS, 300 * MS), how)->told = told;
        return;
    }
    told_free(told);
    free(told);
}

/* So many in 1000 deliveries: late, unanswered, or said to have failed though they arrive. */
void deed_sink(struct sim *s, const struct args *a)
{
    s->sink_fails = (unsigned)a->num[0];
}
