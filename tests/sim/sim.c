/* sim.c - the clock, the desks and their troubles. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_US       (100 * MS)
#define BATCH_MAX_US  (10 * MS)
#define WALL_START_MS INT64_C(1795500000000) /* in November 2026 */
#define SETTLE_US     (1500 * SECOND)        /* two answers lost, GATHER_MAX, quiet, elections */

/* ---- dice: splitmix64 ---- */

uint64_t rng_next(struct rng *r)
{
    uint64_t z = r->s += UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

uint64_t rng_between(struct rng *r, uint64_t from, uint64_t to)
{
    return from + rng_next(r) % (to - from + 1);
}

bool rng_chance(struct rng *r, unsigned per_mille)
{
    return rng_next(r) % 1000 < per_mille;
}

void rng_fill(struct rng *r, void *out, size_t n)
{
    uint8_t *p = out;

    for (size_t i = 0; i < n; i += 8) {
        uint64_t v = rng_next(r);
        memcpy(p + i, &v, n - i < 8 ? n - i : 8);
    }
}

static void desk_dice(void *ctx, void *out, size_t n)
{
    rng_fill(ctx, out, n);
}

/* ---- small things ---- */

void *sim_grow(void *v, unsigned n, unsigned *room, size_t size)
{
    if (n < *room)
        return v;
    *room = *room ? 2 * *room : 32;
    if ((v = realloc(v, *room * size)) == NULL)
        abort();
    return v;
}

void sim_fail(struct sim *s, const char *invariant, const char *fmt, ...)
{
    char what[300];
    va_list ap;

    if (s->failure[0] != '\0')
        return; /* the first one is the cause */
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    snprintf(s->failure, sizeof s->failure, "%s at %llu.%03llu s: %s", invariant,
             (unsigned long long)(s->now_us / SECOND), (unsigned long long)(s->now_us / MS % 1000),
             what);
    s->over = true;
}

void sim_trace(const struct sim *s, int desk, const char *fmt, ...)
{
    va_list ap;

    if (!s->trace)
        return;
    printf("%5llu.%03llu %-8s ", (unsigned long long)(s->now_us / SECOND),
           (unsigned long long)(s->now_us / MS % 1000), desk >= 0 ? s->desk[desk].name : "");
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}

struct moment sim_moment(const struct sim *s, int desk)
{
    const struct station *d = &s->desk[desk];
    int64_t up = (int64_t)(s->now_us - d->booted_us), all = (int64_t)s->now_us;

    return (struct moment){ d->boot_base_ms + (uint64_t)(up + up / 1000000 * d->ppm) / 1000,
                            d->wall_base_ms + (all + all / 1000000 * d->ppm) / 1000, -300 };
}

int sim_desk_of(const struct sim *s, const struct desk_id *id)
{
    for (unsigned i = 0; i < s->n; i++)
        if (desk_id_eq(&s->desk[i].me.id, id))
            return (int)i;
    return -1;
}

/* ---- the heap of events ---- */

static bool sooner(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

static void swap(struct event *a, struct event *b)
{
    struct event t = *a;

    *a = *b;
    *b = t;
}

/* The event is put at once; what the caller fills in afterwards does not move it. */
struct event *sim_put(struct sim *s, uint64_t in_us, enum event_type type, int desk)
{
    unsigned i = s->n_heap;

    s->heap = sim_grow(s->heap, s->n_heap, &s->heap_room, sizeof *s->heap);
    s->n_heap++;
    s->heap[i] = (struct event){ .at_us = s->now_us + in_us,
                                 .order = s->order++,
                                 .type = type,
                                 .desk = desk,
                                 .life = desk >= 0 ? s->desk[desk].life : 0 };
    for (; i > 0 && sooner(&s->heap[i], &s->heap[(i - 1) / 2]); i = (i - 1) / 2)
        swap(&s->heap[i], &s->heap[(i - 1) / 2]);
    return &s->heap[i];
}

static struct event take(struct sim *s)
{
    struct event first = s->heap[0];
    unsigned i = 0;

    s->heap[0] = s->heap[--s->n_heap];
    for (;;) {
        unsigned least = i, l = 2 * i + 1, r = l + 1;
        if (l < s->n_heap && sooner(&s->heap[l], &s->heap[least]))
            least = l;
        if (r < s->n_heap && sooner(&s->heap[r], &s->heap[least]))
            least = r;
        if (least == i)
            return first;
        swap(&s->heap[i], &s->heap[least]);
        i = least;
    }
}

static void event_free(struct event *e)
{
    buf_free(&e->bytes);
    parcel_free(e->parcel);
}

/* ---- a desk's life ---- */

static void carry_out(struct sim *s, int desk);

static void crash(struct sim *s, int desk, const char *when)
{
    struct station *d = &s->desk[desk];
    bool quick = rng_chance(&s->dice, 500);

    sim_trace(s, desk, "crashes %s", when);
    s->crashes++;
    memdisk_abort(d->disk);
    core_close(d->core);
    d->core = NULL;
    d->n_fresh = 0;
    d->batch_open = false;
    d->paused_until = 0;
    net_desk_died(s, desk);
    sim_put(s, rng_between(&s->dice, 50 * MS, quick ? 800 * MS : 25 * SECOND), EV_RESTART, desk);
}

/* After half of the crashes the PC starts anew too, and counts its boot time from nothing. */
static void start(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    struct core_config conf = { .me = &d->me,
                                .disk = memdisk_disk(d->disk),
                                .dice = desk_dice,
                                .dice_ctx = &d->dice,
                                .software = "sim" };
    struct errmsg msg = { .text = "" };
    struct moment now;

    if (d->life++ == 0 || rng_chance(&s->dice, 500)) {
        d->booted_us = s->now_us;
        d->boot_base_ms = rng_between(&s->dice, 1000, 1000000);
    }
    now = sim_moment(s, desk);
    snprintf(conf.address, sizeof conf.address, "10.0.0.%d:7411", desk + 1);
    if (core_open(&conf, &now, &d->core, &msg) != ERR_OK) {
        sim_fail(s, "start", "%s does not start: %s", d->name, msg.text);
        return;
    }
    check_durable(s, desk);
    check_restart(s, desk);
    sim_trace(s, desk, "starts, life %u", d->life);
    for (unsigned i = 0; i < s->n; i++) {
        char address[ADDR_TEXT_MAX];
        snprintf(address, sizeof address, "10.0.0.%u:7411", i + 1);
        core_hint(d->core, &s->desk[i].me.id, address);
    }
    carry_out(s, desk);
    sim_put(s, rng_between(&s->dice, 0, TICK_US), EV_TICK, desk);
}

static void carry_out(struct sim *s, int desk)
{
    struct effects *fx = core_effects(s->desk[desk].core);

    for (unsigned i = 0; i < fx->n && !s->over; i++) {
        struct effect *e = &fx->v[i];
        int to = sim_desk_of(s, &e->to);
        check_effect(s, desk, e);
        switch (e->type) {
        case EFFECT_SEND:
            if (to >= 0)
                net_send(s, desk, to, &e->bytes);
            break;
        case EFFECT_CONNECT:
            if (to >= 0)
                net_connect(s, desk, to);
            break;
        case EFFECT_DISCONNECT:
            break;
        case EFFECT_BUILD:
            sink_build(s, desk, e);
            break;
        case EFFECT_DELIVER:
            sim_trace(s, desk, "delivers, number %llu", (unsigned long long)e->number);
            sink_deliver(s, desk, e);
            break;
        case EFFECT_PERIOD: /* sealing is below the model */
            break;
        case EFFECT_EVENT:
            sim_trace(s, desk, "- %s", (const char *)e->bytes.p);
            break;
        }
    }
    effects_clear(fx);
}

/* The end of a batch: seal, commit, effects; a crash may come between any two. */
static void finish(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    struct errmsg msg = { .text = "" };
    unsigned fate = s->healed ? 100000 : (unsigned)rng_between(&s->dice, 0, 99999);

    d->batch_open = false;
    if (fate < s->crash_step) {
        crash(s, desk, "before the commit");
        return;
    }
    if (core_seal(d->core, &msg) != ERR_OK)
        sim_fail(s, "seal", "%s: %s", d->name, msg.text);
    check_durable(s, desk);
    if (fate < 2 * s->crash_step) {
        crash(s, desk, "after the commit");
        return;
    }
    check_acknowledged(s, desk);
    carry_out(s, desk);
}

/* Some batches stay open for the next events to join. */
static void after_event(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];

    if (!d->batch_open && rng_chance(&s->dice, 150)) {
        d->batch_open = true;
        sim_put(s, rng_between(&s->dice, 0, BATCH_MAX_US), EV_COMMIT, desk);
    } else if (!d->batch_open) {
        finish(s, desk);
    }
}

/* ---- people ---- */

static void barcode(char first, uint64_t number, char out[BARCODE_MAX + 1])
{
    unsigned sum = 0;

    snprintf(out, BARCODE_MAX + 1, "%c%012llu", first,
             (unsigned long long)(number % UINT64_C(1000000000000)));
    for (unsigned i = 0; i < 13; i++) {
        unsigned v = (unsigned)(out[i] - '0') * (i % 2 == 0 ? 2 : 1);
        sum += v > 9 ? v - 9 : v;
    }
    out[13] = (char)('0' + (10 - sum % 10) % 10);
    out[14] = '\0';
}

static void draw_record(struct sim *s, int desk, struct record *r)
{
    static const uint8_t kinds[] = { RECORD_CHECKOUT, RECORD_CHECKOUT, RECORD_DISCHARGE,
                                     RECORD_RENEW,    RECORD_USER,     RECORD_INHOUSE,
                                     RECORD_VOID };
    struct moment now = sim_moment(s, desk);

    memset(r, 0, sizeof *r);
    r->kind = kinds[rng_between(&s->dice, 0, sizeof kinds - 1)];
    rng_fill(&s->dice, r->key, sizeof r->key);
    if (r->kind == RECORD_VOID && s->desk[desk].last.seq > 0) {
        r->target = s->desk[desk].last;
        return;
    }
    if (r->kind == RECORD_VOID)
        r->kind = RECORD_CHECKOUT;
    if (r->kind != RECORD_USER) /* few items, so that they meet again */
        barcode('3', rng_between(&s->dice, 1, 12), r->item);
    if (r->kind == RECORD_CHECKOUT || r->kind == RECORD_RENEW || r->kind == RECORD_USER)
        barcode('2', rng_between(&s->dice, 1, 6), r->user);
    if (r->kind == RECORD_USER)
        snprintf(r->reg.last, sizeof r->reg.last, "Reader");
    r->count = r->kind == RECORD_INHOUSE;
    if (rng_chance(&s->dice, 100))
        r->paper_ms = now.wall_ms - (int64_t)rng_between(&s->dice, 60000, 3600000);
}

/* Returns whether the batch has something to commit. */
static bool scan(struct sim *s, int desk)
{
    struct station *d = &s->desk[desk];
    struct moment now = sim_moment(s, desk);
    unsigned n = rng_chance(&s->dice, 100) ? (unsigned)rng_between(&s->dice, 2, 12) : 1;
    struct record *r = malloc(sizeof *r);
    struct errmsg msg = { .text = "" };
    bool again = false;

    for (unsigned i = 0; i < n && d->n_fresh < 256; i++) {
        enum err e;
        draw_record(s, desk, r);
        e = core_record(d->core, &now, r, &d->fresh[d->n_fresh], &again, &msg);
        if (e == ERR_OK && !again)
            d->n_fresh++;
        else if (e != ERR_OK && r->kind != RECORD_VOID)
            sim_fail(s, "scan", "%s refuses a %s: %s", d->name, record_kind_name(r->kind),
                     msg.text);
    }
    free(r);
    return true;
}

static void press(struct sim *s, int desk)
{
    struct moment now = sim_moment(s, desk);
    struct trigger t;
    struct buf b = { 0 };
    struct errmsg msg = { .text = "" };
    uint8_t stranger_pk[KEY_BYTES], stranger_sk[SIGN_SK_BYTES];

    core_draft_trigger(s->desk[desk].core, &now, &t);
    memcpy(t.lead_pk, s->lead_pk, KEY_BYTES);
    trigger_sign(roster_branch(core_roster(s->desk[desk].core)), &t, s->lead_sk, &b);
    s->presses++;
    if (core_trigger(s->desk[desk].core, &now, b.p, b.len, &msg) != ERR_OK)
        sim_trace(s, desk, "press refused: %s", msg.text);
    else
        sim_trace(s, desk, "a lead presses for slot %llu", (unsigned long long)t.slot);
    buf_reset(&b);
    if (rng_chance(&s->dice, 200)) { /* somebody without the key tries too */
        struct ident other = s->desk[desk].me;
        memcpy(stranger_pk, other.sign_pk, KEY_BYTES);
        memcpy(stranger_sk, other.sign_sk, SIGN_SK_BYTES);
        memcpy(t.lead_pk, stranger_pk, KEY_BYTES);
        trigger_sign(roster_branch(core_roster(s->desk[desk].core)), &t, stranger_sk, &b);
        if (core_trigger(s->desk[desk].core, &now, b.p, b.len, &msg) == ERR_OK)
            sim_fail(s, "I3", "a trigger that no lead signed was taken");
    }
    buf_free(&b);
}

/* ---- troubles ---- */

static int any_desk(struct sim *s)
{
    return (int)rng_between(&s->dice, 0, s->n - 1);
}

static void chaos(struct sim *s)
{
    unsigned what = (unsigned)rng_between(&s->dice, 0, 99);
    int desk = any_desk(s);

    if (s->healed)
        return;
    sim_put(s, rng_between(&s->dice, 300 * MS, 4 * SECOND), EV_CHAOS, -1);
    if (what < 18 && s->desk[desk].core) {
        crash(s, desk, "by itself");
    } else if (what < 45) {
        net_cut_some(s);
    } else if (what < 65) {
        net_heal(s);
        sim_trace(s, -1, "the network is whole");
    } else if (what < 75) {
        s->desk[desk].paused_until = s->now_us + rng_between(&s->dice, 500 * MS, 25 * SECOND);
        sim_trace(s, desk, "freezes");
    } else if (what < 80) {
        s->desk[desk].wall_base_ms += (int64_t)rng_between(&s->dice, 0, 600000) - 300000;
        sim_trace(s, desk, "its clock is set");
    }
}

static void heal(struct sim *s)
{
    sim_trace(s, -1, "healed");
    s->healed = true;
    s->deadline_us = s->now_us + SETTLE_US;
    net_heal(s);
    for (unsigned i = 0; i < s->n; i++)
        s->desk[i].paused_until = 0;
    sim_put(s, 5 * SECOND, EV_JUDGE, -1);
}

static void judge(struct sim *s)
{
    char why[200] = "";
    bool late = s->now_us > s->deadline_us;

    if (s->n_heap == 0 || check_is_settled(s, why)) {
        check_end(s);
        s->over = true;
        return;
    }
    if (late) {
        sim_fail(s, "settle", "%s", why);
        return;
    }
    if (s->now_us - s->last_press_us > 20 * SECOND) {
        int desk = any_desk(s);
        s->last_press_us = s->now_us;
        sim_put(s, 0, EV_PRESS, desk);
    }
    sim_put(s, SECOND, EV_JUDGE, -1);
}

/* ---- steps ---- */

static bool to_desk(struct sim *s, struct event *e)
{
    struct station *d = &s->desk[e->desk];
    struct moment now = sim_moment(s, e->desk);

    switch (e->type) {
    case EV_TICK:
        core_tick(d->core, &now);
        sim_put(s, TICK_US, EV_TICK, e->desk);
        return true;
    case EV_MESSAGE:
        if (e->from != e->desk && s->cut[e->from][e->desk])
            return false;
        core_message(d->core, &now, &s->desk[e->from].me.id, "", e->bytes.p, e->bytes.len);
        return true;
    case EV_LINK:
        if (!net_try(s, e->desk, e->from, (unsigned)e->number))
            return false;
        core_peer_up(d->core, &now, &s->desk[e->from].me.id);
        return true;
    case EV_LINK_LOST:
        if (!s->link[e->desk][e->from].up)
            return false;
        net_lost(s, e->desk, e->from);
        core_peer_down(d->core, &s->desk[e->from].me.id);
        return true;
    case EV_BUILT:
        core_built(d->core, &now, e->number, e->parts, e->n_parts, 0, NULL);
        return true;
    case EV_DELIVERED:
        core_delivered(d->core, &now, e->number, e->how, "sim");
        return true;
    case EV_SCAN:
        return scan(s, e->desk);
    case EV_PRESS:
        press(s, e->desk);
        return true;
    case EV_COMMIT:
    case EV_RESTART:
    case EV_DELIVER:
    case EV_CHAOS:
    case EV_HEAL:
    case EV_JUDGE:
        break;
    }
    return false;
}

static void at_sink(struct sim *s, const struct event *e)
{
    enum delivery how = sink_take(s, e->parcel);

    sim_trace(s, e->desk, "slot %llu reaches the sink", (unsigned long long)e->parcel->intent.slot);
    if (e->answers && s->desk[e->desk].core && s->desk[e->desk].life == e->life) {
        struct event *back = sim_put(s, rng_between(&s->dice, MS, 300 * MS), EV_DELIVERED, e->desk);
        back->number = e->number;
        back->how = how;
    }
}

static bool meets_this_life(const struct sim *s, const struct event *e)
{
    const struct station *d = &s->desk[e->desk];

    if (!d->core)
        return false;
    return d->life == e->life || e->type == EV_MESSAGE || e->type == EV_SCAN || e->type == EV_PRESS;
}

static void step(struct sim *s, struct event *e)
{
    struct station *d = e->desk >= 0 ? &s->desk[e->desk] : NULL;

    switch (e->type) {
    case EV_CHAOS:
        chaos(s);
        return;
    case EV_HEAL:
        heal(s);
        return;
    case EV_JUDGE:
        judge(s);
        return;
    case EV_RESTART:
        start(s, e->desk);
        return;
    case EV_DELIVER:
        at_sink(s, e);
        return;
    case EV_COMMIT:
        if (d->core && d->life == e->life && d->batch_open)
            finish(s, e->desk);
        return;
    case EV_TICK:
    case EV_MESSAGE:
    case EV_LINK:
    case EV_LINK_LOST:
    case EV_BUILT:
    case EV_DELIVERED:
    case EV_SCAN:
    case EV_PRESS:
        break;
    }
    if (!meets_this_life(s, e))
        return;
    if (d->paused_until > s->now_us) { /* frozen: it finds all of this when it wakes */
        struct event *later = sim_put(s, d->paused_until - s->now_us, e->type, e->desk);
        uint64_t at = later->at_us, order = later->order;
        *later = *e;
        later->at_us = at;
        later->order = order;
        memset(&e->bytes, 0, sizeof e->bytes);
        e->parcel = NULL;
        return;
    }
    if (to_desk(s, e) && !s->over)
        after_event(s, e->desk);
}

/* ---- the beginning ---- */

static void put_op(struct sim *s, struct roster *r, struct buf *op)
{
    struct errmsg msg = { .text = "" };
    uint8_t key[4];
    bool fresh;

    put_be32(key, roster_ops(r));
    if (roster_add(r, op->p, op->len, &fresh, &msg) != ERR_OK || !fresh)
        sim_fail(s, "found", "%s", msg.text);
    for (unsigned i = 0; i < s->n; i++) {
        const struct disk *d = memdisk_disk(s->desk[i].disk);
        d->put(d->ctx, TABLE_ROSTER, key, sizeof key, op->p, op->len);
    }
    buf_reset(op);
}

static void put_policy(struct sim *s, struct roster *r, struct buf *op)
{
    static const unsigned quiet_s[] = { 0, 2, 30 };
    struct buf text = { 0 };

    buf_printf(&text,
               "[branch]\ncode = MAIN\nzone = America/New_York\n"
               "zone_rule = EST5EDT,M3.2.0,M11.1.0\n"
               "[merge]\ndischarges = %s\n"
               "[upload]\nsink = file:/drop\nquiet = %us\n"
               "[symphony]\ndefault_station = 42\n",
               rng_chance(&s->dice, 500) ? "hold" : "export", quiet_s[rng_between(&s->dice, 0, 2)]);
    op_policy(r, (const char *)text.p, text.len, s->lead_sk, op);
    put_op(s, r, op);
    buf_free(&text);
}

/* Real operations, the same on every disk. The first desks are named for seats, sometimes fewer
 * than a full set. */
static void found_branch(struct sim *s)
{
    struct roster *r = roster_new();
    struct buf op = { 0 };
    uint8_t root_seed[3 * SEED_BYTES], lead_seed[3 * SEED_BYTES];
    struct ident root, lead;
    unsigned seats = rng_chance(&s->dice, 850) ? s->n : 1;

    rng_fill(&s->dice, root_seed, sizeof root_seed);
    rng_fill(&s->dice, lead_seed, sizeof lead_seed);
    ident_from_seed(root_seed, &root);
    ident_from_seed(lead_seed, &lead);
    memcpy(s->lead_pk, lead.sign_pk, KEY_BYTES);
    memcpy(s->lead_sk, lead.sign_sk, SIGN_SK_BYTES);
    op_found(root.sign_sk, s->lead_pk, "MAIN", WALL_START_MS, &op);
    put_op(s, r, &op);
    for (unsigned i = 0; i < s->n && !s->over; i++) {
        op_add(r, &s->desk[i].me, s->desk[i].name, ROLE_DESK, i < seats, s->lead_sk, &op);
        put_op(s, r, &op);
    }
    put_policy(s, r, &op);
    for (unsigned i = 0; i < s->n; i++)
        memdisk_commit(s->desk[i].disk, NULL, NULL);
    buf_free(&op);
    roster_free(r);
}

static void make_desk(struct sim *s, unsigned i)
{
    struct station *d = &s->desk[i];
    uint8_t seed[3 * SEED_BYTES];

    rng_fill(&s->dice, seed, sizeof seed);
    ident_from_seed(seed, &d->me);
    snprintf(d->name, sizeof d->name, "DESK-%u", i + 1);
    d->disk = memdisk_new();
    d->dice.s = rng_next(&s->dice);
    d->ppm = rng_chance(&s->dice, 500) ? (rng_chance(&s->dice, 500) ? 20000 : -20000)
                                       : (int)rng_between(&s->dice, 0, 40000) - 20000;
    d->wall_base_ms = WALL_START_MS + (int64_t)rng_between(&s->dice, 0, 1200000) - 600000;
}

static void plan(struct sim *s)
{
    uint64_t scans = rng_between(&s->dice, 10, 25) * s->n;
    unsigned presses = (unsigned)rng_between(&s->dice, 2, 8);

    s->loss = (unsigned)rng_between(&s->dice, 0, 2) * 60;
    s->dup = (unsigned)rng_between(&s->dice, 0, 60);
    s->slow = (unsigned)rng_between(&s->dice, 0, 120);
    s->crash_step = rng_chance(&s->dice, 700) ? (unsigned)rng_between(&s->dice, 5, 60) : 0;
    s->heal_us = rng_between(&s->dice, 40, 110) * SECOND;
    for (uint64_t i = 0; i < scans; i++)
        sim_put(s, rng_between(&s->dice, 0, s->heal_us), EV_SCAN, any_desk(s));
    for (unsigned i = 0; i < presses; i++) {
        uint64_t at = rng_between(&s->dice, 2 * SECOND, s->heal_us);
        int desk = any_desk(s);
        sim_put(s, at, EV_PRESS, desk);
        if (rng_chance(&s->dice, 300)) /* impatient */
            sim_put(s, at + rng_between(&s->dice, 0, 2 * SECOND), EV_PRESS, desk);
        if (rng_chance(&s->dice, 300)) /* and somebody else at the same time */
            sim_put(s, at + rng_between(&s->dice, 0, SECOND), EV_PRESS, any_desk(s));
    }
    if (rng_chance(&s->dice, 900))
        sim_put(s, rng_between(&s->dice, 0, 5 * SECOND), EV_CHAOS, -1);
    sim_put(s, s->heal_us, EV_HEAL, -1);
}

bool sim_run(struct sim *s, uint64_t seed, unsigned desks, bool trace)
{
    memset(s, 0, sizeof *s);
    s->seed = s->dice.s = seed;
    s->n = desks;
    s->trace = trace;
    for (unsigned i = 0; i < desks; i++)
        make_desk(s, i);
    found_branch(s);
    for (unsigned i = 0; i < desks; i++)
        sim_put(s, rng_between(&s->dice, 0, SECOND), EV_RESTART, (int)i);
    plan(s);
    while (!s->over && s->n_heap > 0) {
        struct event e = take(s);
        s->now_us = e.at_us;
        s->steps++;
        step(s, &e);
        event_free(&e);
        check_leases(s);
    }
    return s->failure[0] == '\0';
}

void sim_free(struct sim *s)
{
    for (unsigned i = 0; i < s->n; i++) {
        core_close(s->desk[i].core);
        memdisk_free(s->desk[i].disk);
        free(s->desk[i].held);
    }
    for (unsigned i = 0; i < s->n_heap; i++)
        event_free(&s->heap[i]);
    free(s->heap);
    free(s->feed);
    free(s->file);
    free(s->vote);
}
