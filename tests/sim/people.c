/* people.c - what people do: recording, pressing. Rows of verbs.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deeds.h"
#include "pause.h"

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

/* Some sessions work for another library or station; by the record's own key. */
static void draw_place(struct record *r)
{
    if (r->key[0] % 8 == 0)
        snprintf(r->library, sizeof r->library, "LIB-%u", r->key[1] % 4u);
    if (r->key[0] % 8 < 2)
        r->station = 1 + r->key[2] % 4u;
    if (r->key[0] % 16 == 3)
        snprintf(r->user_access, sizeof r->user_access, "STAFF");
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
    draw_place(r);
    if (rng_chance(&s->dice, 100))
        r->paper_ms = now.wall_ms - (int64_t)rng_between(&s->dice, 60000, 3600000);
}

static void note_happened(struct sim *s, const struct record_ref *ref, int64_t paper_ms)
{
    s->happened = sim_grow(s->happened, s->n_happened, &s->happened_room, sizeof *s->happened);
    s->happened[s->n_happened++] =
        (struct happened){ *ref, WALL_START_MS + (int64_t)(s->now_us / MS), paper_ms };
}

void people_scan(struct sim *s, int desk, unsigned n)
{
    struct station *d = &s->desk[desk];
    struct moment now = sim_moment(s, desk);
    struct record *r = malloc(sizeof *r);
    struct errmsg msg = { .text = "" };
    bool again = false;

    for (unsigned i = 0; i < n && d->n_fresh < sizeof d->fresh / sizeof d->fresh[0];) {
        int64_t paper_ms;
        enum err e;
        draw_record(s, desk, r);
        paper_ms = r->paper_ms;
        e = core_record(d->core, &now, r, &d->fresh[d->n_fresh], &again, &msg);
        if (e != ERR_OK && r->kind == RECORD_VOID)
            continue; /* too late for that one: something else */
        i++;
        if (e == ERR_OK && !again && (paper_ms != 0 || s->script->setup.steady))
            note_happened(s, &d->fresh[d->n_fresh], paper_ms);
        if (e == ERR_OK && !again)
            d->n_fresh++;
        else if (e != ERR_OK && !d->revoked)
            sim_fail(s, "scan", "%s refuses a %s: %s", d->name, record_kind_name(r->kind),
                     msg.text);
    }
    free(r);
}

void deed_scan(struct sim *s, const struct args *a)
{
    sim_trace(s, a->desk[0], "records %llu", (unsigned long long)a->num[0]);
    people_scan(s, a->desk[0], (unsigned)a->num[0]);
}

/* So many records in so many seconds, at random moments, now and then several at once. */
void deed_traffic(struct sim *s, const struct args *a)
{
    for (uint64_t i = 0; i < a->num[0]; i++) {
        struct event *e = sim_put(s, rng_between(&s->dice, 0, a->num[1]) * MS, EV_SCAN, a->desk[0]);
        e->number = rng_chance(&s->dice, 100) ? rng_between(&s->dice, 2, 12) : 1;
    }
}

static void stranger_presses(struct sim *s, int desk, struct trigger *t)
{
    struct moment now = sim_moment(s, desk);
    const struct ident *other = &s->desk[desk].me;
    struct buf b = { 0 };

    memcpy(t->lead_pk, other->sign_pk, KEY_BYTES);
    trigger_sign(roster_branch(core_roster(s->desk[desk].core)), t, other->sign_sk, &b);
    if (core_trigger(s->desk[desk].core, &now, b.p, b.len, NULL) == ERR_OK)
        sim_fail(s, "I3", "a trigger that no lead signed was taken");
    buf_free(&b);
}

/* No lead of a real branch can be sure that an upload is under way when he says so. */
static void pause(struct sim *s, int desk, bool yes)
{
    struct moment now = sim_moment(s, desk);
    enum err e = core_pause(s->desk[desk].core, &now, yes, NULL);

    sim_trace(s, desk, "a lead says %s%s", yes ? "pause" : "resume",
              e == ERR_OK ? "" : ": refused");
}

void deed_pause(struct sim *s, const struct args *a)
{
    pause(s, a->desk[0], true);
}

void deed_resume(struct sim *s, const struct args *a)
{
    pause(s, a->desk[0], false);
}

void deed_press(struct sim *s, const struct args *a)
{
    int desk = a->desk[0];
    struct moment now = sim_moment(s, desk);
    struct trigger t;
    struct buf b = { 0 };
    struct errmsg msg = { .text = "" };

    core_draft_trigger(s->desk[desk].core, &now, &t);
    memcpy(t.lead_pk, s->lead_pk, KEY_BYTES);
    trigger_sign(roster_branch(core_roster(s->desk[desk].core)), &t, s->lead_sk, &b);
    s->count.presses++;
    if (core_trigger(s->desk[desk].core, &now, b.p, b.len, &msg) != ERR_OK)
        sim_trace(s, desk, "press refused: %s", msg.text);
    else
        sim_trace(s, desk, "a lead presses for slot %llu", (unsigned long long)t.slot);
    buf_free(&b);
    if (rng_chance(&s->dice, 200)) /* somebody without the key tries too */
        stranger_presses(s, desk, &t);
}
