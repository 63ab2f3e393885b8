/* export.c - from merged records to the files of a batch. */
#include "export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "aside.h"
#include "hmap.h"
#include "mem.h"

const char *outcome_name(enum outcome o)
{
    switch (o) {
    case OUTCOME_SENT:
        return "sent";
    case OUTCOME_NOT_SENT:
        return "not_sent";
    case OUTCOME_UNCARRIED:
        return "uncarried";
    case OUTCOME_UNWRITABLE:
        return "unwritable";
    case OUTCOME_BEHIND:
        return "behind";
    }
    return "";
}

struct part_state {
    const struct format *format; /* NULL: not used */
    struct format_state *st;
    struct format_check *check;
    crypto_hash_sha256_state sha;
    uint64_t bytes, lines;
};

struct export
{
    const struct merge_job *job;
    const struct export_out *to;
    struct export_result *r;
    struct part_state part[2]; /* users, log */
    struct hmap tick_items; /* items and new cards that have a line in the current tick (E2, E3) */
    struct hmap behind;     /* items and new cards that wait behind an unwritable record (E5) */
    int64_t tick;
    bool any_tick;
    struct buf line;
};

static void digest(const struct export *x, char kind, const char *text, uint8_t out[16])
{
    uint8_t both[1 + BARCODE_MAX];
    size_t n = strlen(text);

    both[0] = (uint8_t)kind;
    memcpy(both + 1, text, n);
    crypto_shorthash_siphashx24(out, both, n + 1, x->job->branch);
}

static bool holds(const struct export *x, const struct hmap *h, char kind, const char *text)
{
    uint8_t key[16];

    if (text[0] == '\0')
        return false;
    digest(x, kind, text, key);
    return hmap_find(h, key) != NULL;
}

static void mark(const struct export *x, struct hmap *h, char kind, const char *text)
{
    uint8_t key[16];
    bool fresh;

    if (text[0] == '\0')
        return;
    digest(x, kind, text, key);
    hmap_at(h, key, &fresh);
}

/* E2, E3: ticks never run back, no two events on one item share one, and a new card is used at the
 * earliest in the tick after its registration. */
static int64_t take_tick(struct export *x, const struct merged *m, uint32_t tick_s)
{
    int64_t s = m->time_ms >= 0 ? m->time_ms / 1000 : -((-m->time_ms + 999) / 1000);
    int64_t own = s / (int64_t)tick_s, tick = x->any_tick && own < x->tick ? x->tick : own;

    if (!x->any_tick || tick != x->tick)
        hmap_clear(&x->tick_items);
    x->tick = tick;
    x->any_tick = true;
    if (holds(x, &x->tick_items, 'i', m->rec.item) ||
        (m->rec.kind != RECORD_USER && holds(x, &x->tick_items, 'c', m->rec.user))) {
        hmap_clear(&x->tick_items);
        x->tick++;
    }
    x->r->moved += x->tick != own;
    mark(x, &x->tick_items, 'i', m->rec.item);
    if (m->rec.kind == RECORD_USER)
        mark(x, &x->tick_items, 'c', m->rec.user);
    return x->tick * (int64_t)tick_s;
}

static enum err emit(struct export *x, unsigned part, const uint8_t *p, size_t n,
                     struct errmsg *msg)
{
    struct part_state *ps = &x->part[part];
    enum err e = ps->format->check_add(ps->check, p, n, msg); /* E5 */

    if (e != ERR_OK)
        return e;
    crypto_hash_sha256_update(&ps->sha, p, n);
    ps->bytes += n;
    ps->lines++;
    return x->to->bytes ? x->to->bytes(x->to->ctx, part, p, n, msg) : ERR_OK;
}

static enum outcome route(const struct export *x, const struct merged *m, unsigned *part)
{
    if (m->verdict != VERDICT_SEND)
        return OUTCOME_NOT_SENT;
    for (*part = 0; *part < 2; ++*part)
        if (x->part[*part].format && x->part[*part].format->carries(&x->job->policy, m->rec.kind))
            break;
    if (*part == 2)
        return OUTCOME_UNCARRIED;
    return holds(x, &x->behind, 'i', m->rec.item) || holds(x, &x->behind, 'c', m->rec.user)
               ? OUTCOME_BEHIND
               : OUTCOME_SENT;
}

/* When the batch's day was. A void says when somebody noticed, not when something happened. */
static void take_time(struct export_result *r, const struct merged *m)
{
    if (m->rec.kind == RECORD_VOID)
        return;
    if (r->first_ms == 0 || m->time_ms < r->first_ms)
        r->first_ms = m->time_ms;
    if (m->time_ms > r->last_ms)
        r->last_ms = m->time_ms;
}

static enum err one(struct export *x, const struct merged *m, struct errmsg *msg)
{
    struct export_result *r = x->r;
    char id[RECORD_ID_TEXT];
    struct errmsg why = { .text = "" };
    unsigned part = 0;
    enum outcome o = route(x, m, &part);
    enum err e = ERR_OK;

    take_time(r, m);
    r->records++;
    r->verdicts[m->verdict]++;
    buf_reset(&x->line);
    if (o == OUTCOME_SENT) {
        struct part_state *ps = &x->part[part];
        const struct merge_feed *f = &x->job->feeds[m->feed];
        struct format_item it = { .rec = &m->rec, .id = id, .desk = f->desk, .due = m->due };
        merge_id_text(f, m->seq, id);
        it.tick_s = part == 0 ? m->time_ms / 1000 : take_tick(x, m, ps->format->tick_s);
        e = ps->format->write(&x->job->policy, ps->st, &it, &x->line, &why);
        if (e == ERR_INVALID) {
            o = OUTCOME_UNWRITABLE;
            mark(x, &x->behind, 'i', m->rec.item);
            if (m->rec.kind == RECORD_USER)
                mark(x, &x->behind, 'c', m->rec.user);
            e = ERR_OK;
        } else if (e == ERR_OK) {
            e = x->line.failed ? err_set(msg, ERR_NOMEM, "out of memory")
                               : emit(x, part, x->line.p, x->line.len, msg);
            r->sent[m->rec.kind]++;
        } else {
            return err_set(msg, e, "%s", why.text);
        }
    }
    r->outcomes[o]++;
    if (x->to->aside)
        asides_note(x->to->aside, x->job, m, o);
    if (e == ERR_OK && x->to->record)
        x->to->record(x->to->ctx, m, o, part, o == OUTCOME_SENT ? x->part[part].lines : 0,
                      x->line.p, x->line.len, why.text);
    return e;
}

static enum err open_part(struct export *x, unsigned i, const struct format *f, struct errmsg *msg)
{
    struct part_state *p = &x->part[i];

    p->format = f;
    p->st = mem_zero(1, sizeof *p->st);
    p->check = f->check_new(&x->job->policy);
    crypto_hash_sha256_init(&p->sha);
    return p->st && p->check ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");
}

static enum err close_part(struct export *x, unsigned i, struct errmsg *msg)
{
    struct part_state *p = &x->part[i];
    struct slot_part *out = &x->r->parts[x->r->n_parts];
    uint64_t records = 0;
    enum err e;

    if (!p->format || p->lines == 0)
        return ERR_OK;
    if ((e = p->format->check_end(p->check, &records, msg)) != ERR_OK)
        return e;
    if (records != p->lines)
        return err_set(msg, ERR_BUG, "the validator of %s counts %llu records, %llu were written",
                       p->format->name, (unsigned long long)records, (unsigned long long)p->lines);
    snprintf(out->suffix, sizeof out->suffix, "%s", p->format->suffix);
    out->bytes = p->bytes;
    out->lines = p->lines;
    crypto_hash_sha256_final(&p->sha, out->sha256);
    x->r->n_parts++;
    return ERR_OK;
}

enum err export_run(const struct merge_job *job, const struct disk *disk,
                    const struct format *format, merge_yield yield, void *yield_ctx,
                    const struct export_out *to, struct export_result *out, struct errmsg *msg)
{
    struct export x = { .job = job, .to = to, .r = out };
    struct merge *m = NULL;
    unsigned long refused = mem_refused();
    struct merged *item = mem_alloc(sizeof *item);
    enum err e = item ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");

    memset(out, 0, sizeof *out);
    if (e == ERR_OK && job->policy.symphony.registration == REGISTRATION_FLAT)
        e = open_part(&x, 0, &format_ldflat, msg);
    if (e == ERR_OK)
        e = open_part(&x, 1, format, msg);
    if (e == ERR_OK)
        e = merge_open(job, disk, yield, yield_ctx, &m, msg);
    while (e == ERR_OK && (e = merge_next(m, item, msg)) == ERR_OK)
        e = one(&x, item, msg);
    if (e == ERR_MISSING)
        e = ERR_OK;
    if (e == ERR_OK && to->aside)
        e = asides_finish(to->aside, job, disk, msg);
    for (unsigned i = 0; i < 2; i++) {
        if (e == ERR_OK)
            e = close_part(&x, i, msg);
        if (x.part[i].format)
            x.part[i].format->check_free(x.part[i].check);
        free(x.part[i].st);
    }
    merge_close(m);
    free(item);
    hmap_free(&x.tick_items);
    hmap_free(&x.behind);
    buf_free(&x.line);
    if (e == ERR_OK && mem_refused() != refused) /* half a payload must have no digest */
        e = err_set(msg, ERR_NOMEM, "out of memory");
    return e;
}

uint64_t export_set_aside(const struct export_result *r)
{
    return r->verdicts[VERDICT_HELD] + r->verdicts[VERDICT_WAITS] + r->verdicts[VERDICT_REVIEW] +
           r->verdicts[VERDICT_LATE_VOID] + r->outcomes[OUTCOME_UNWRITABLE] +
           r->outcomes[OUTCOME_BEHIND];
}

void export_file_name(const struct merge_job *job, const struct export_result *r, unsigned part,
                      char out[96])
{
    char hex[9];
    const char *lib = job->policy.symphony.library[0] ? job->policy.symphony.library : job->code;

    sodium_bin2hex(hex, sizeof hex, r->parts[part].sha256, 4);
    snprintf(out, 96, "%s-%u-e%u-s%06llu-%s.%s", lib, ymd_at(&job->policy.zone, r->last_ms),
             job->epoch, (unsigned long long)job->slot, hex, r->parts[part].suffix);
}
