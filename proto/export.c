/* export.c - from merged records to the files of a batch. */
#include "export.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "aside.h"
#include "formats/format_int.h"
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

#define JUDGED_BYTES 65536 /* at once: much longer than it takes to wake a thread */

struct part_state {
    const struct format *format; /* NULL: not used */
    struct format_state *st;
    uint64_t bytes, lines;
    uint32_t day;       /* of the last record, where each day has a file */
    struct buf written; /* and not handed over yet */
    struct judge {      /* of what was handed over; the helper's until helper_wait() */
        const struct format *format;
        struct format_check *check;
        crypto_hash_sha256_state sha;
        struct buf bytes;
        enum err err; /* the first complaint */
        struct errmsg msg;
    } judge;
};

struct export
{
    const struct policy *policy;
    uint8_t salt[16]; /* keys the digests of barcodes: they never meet another use */
    const struct export_out *to;
    const struct helper *helper;
    struct export_result *r;
    struct part_state part[2];             /* users, log */
    struct slot_part done[SLOT_PARTS_MAX]; /* files of the log that are finished */
    unsigned n_done;
    struct hmap tick_items; /* items that have a line in the current tick (E2) .. */
    struct hmap tick_cards; /* .. and new cards (E3) */
    struct hmap behind;     /* items and new cards that wait behind an unwritable record (E5) */
    int64_t tick;
    bool any_tick;
    struct local_ticks local; /* of the log, as its format reckons */
    unsigned long refused;    /* memory, before the first record */
    struct buf line;
};

static void digest(const struct export *x, char kind, const char *text, uint8_t out[16])
{
    uint8_t both[1 + BARCODE_MAX];
    size_t n = strlen(text);

    both[0] = (uint8_t)kind;
    memcpy(both + 1, text, n);
    crypto_shorthash_siphashx24(out, both, n + 1, x->salt);
}

static bool holds(const struct export *x, const struct hmap *h, char kind, const char *text)
{
    uint8_t key[16];

    if (h->n == 0 || text[0] == '\0')
        return false;
    digest(x, kind, text, key);
    return hmap_find(h, key) != NULL;
}

/* False: it was there. */
static bool mark(const struct export *x, struct hmap *h, char kind, const char *text)
{
    uint8_t key[16];
    bool fresh = true;

    if (text[0] == '\0')
        return true;
    digest(x, kind, text, key);
    hmap_at(h, key, &fresh);
    return fresh;
}

static void next_tick(struct export *x, int64_t tick)
{
    x->tick = tick;
    x->any_tick = true;
    hmap_clear(&x->tick_items);
    hmap_clear(&x->tick_cards);
}

/* E2, E3: ticks never run back, no two events on one item share one, and a new card is used at the
 * earliest in the tick after its registration. */
static int64_t take_tick(struct export *x, const struct merged *m, uint32_t tick_s)
{
    int64_t s = m->time_ms >= 0 ? m->time_ms / 1000 : -((-m->time_ms + 999) / 1000);
    int64_t own = s / (int64_t)tick_s, tick = x->any_tick && own < x->tick ? x->tick : own;

    if (!x->any_tick || tick != x->tick)
        next_tick(x, tick);
    if (!mark(x, &x->tick_items, 'i', m->rec.item) ||
        (m->rec.kind != RECORD_USER && holds(x, &x->tick_cards, 'c', m->rec.user))) {
        next_tick(x, x->tick + 1);
        mark(x, &x->tick_items, 'i', m->rec.item);
    }
    x->r->moved += x->tick != own;
    if (m->rec.kind == RECORD_USER)
        mark(x, &x->tick_cards, 'c', m->rec.user);
    return x->tick * (int64_t)tick_s;
}

/* Number of the file that is being written: 0 of users, 1 and on of the log. */
static unsigned file_of(const struct export *x, unsigned part)
{
    return part == 0 ? 0 : 1 + x->n_done;
}

static void judge(void *arg) /* E5 */
{
    struct judge *j = arg;
    unsigned long refused = mem_refused(); /* on this thread, which may be the helper's */

    if (j->err == ERR_OK)
        j->err = j->format->check_add(j->check, j->bytes.p, j->bytes.len, &j->msg);
    if (j->err == ERR_OK && mem_refused() != refused)
        j->err = err_set(&j->msg, ERR_NOMEM, "out of memory");
    if (j->err == ERR_OK)
        crypto_hash_sha256_update(&j->sha, j->bytes.p, j->bytes.len);
}

static enum err verdict_so_far(struct export *x, const struct part_state *ps, struct errmsg *msg)
{
    helper_wait(x->helper);
    if (ps->judge.err != ERR_OK && msg)
        *msg = ps->judge.msg;
    return ps->judge.err;
}

/* The complaint, if any, comes with the next piece: the same one, helped or not. */
static enum err hand_over(struct export *x, struct part_state *ps, struct errmsg *msg)
{
    enum err e = verdict_so_far(x, ps, msg);
    struct buf judged = ps->judge.bytes;

    if (e != ERR_OK)
        return e;
    ps->judge.bytes = ps->written;
    ps->written = judged;
    buf_reset(&ps->written);
    helper_begin(x->helper, judge, &ps->judge);
    return ERR_OK;
}

static enum err put(struct export *x, unsigned part, const struct buf *b, struct errmsg *msg)
{
    struct part_state *ps = &x->part[part];
    enum err e = ERR_OK;

    if (ps->written.len + b->len > JUDGED_BYTES && (e = hand_over(x, ps, msg)) != ERR_OK)
        return e;
    buf_add(&ps->written, b->p, b->len);
    if (b->failed || ps->written.failed)
        return err_set(msg, ERR_NOMEM, "out of memory");
    ps->bytes += b->len;
    return x->to->bytes ? x->to->bytes(x->to->ctx, file_of(x, part), b->p, b->len, msg) : ERR_OK;
}

/* What a format writes around its records. */
static enum err frame(struct export *x, unsigned part,
                      enum err (*what)(const struct policy *p, struct format_state *st,
                                       struct buf *out, struct errmsg *msg),
                      struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e = ERR_OK;

    if (what && (e = what(x->policy, x->part[part].st, &b, msg)) == ERR_OK)
        e = put(x, part, &b, msg);
    buf_free(&b);
    return e;
}

static void drop_part(struct export *x, struct part_state *p)
{
    helper_wait(x->helper);
    if (p->format)
        p->format->check_free(p->judge.check);
    buf_free(&p->judge.bytes);
    buf_free(&p->written);
    free(p->st);
    memset(p, 0, sizeof *p);
}

static enum err open_part(struct export *x, unsigned i, const struct format *f, struct errmsg *msg)
{
    struct part_state *p = &x->part[i];

    p->format = p->judge.format = f;
    p->st = mem_zero(1, sizeof *p->st);
    p->judge.check = f->check_new(x->policy);
    crypto_hash_sha256_init(&p->judge.sha);
    return p->st && p->judge.check ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");
}

static enum err close_part(struct export *x, unsigned i, struct slot_part *out, struct errmsg *msg)
{
    struct part_state *p = &x->part[i];
    uint64_t records = 0;
    enum err e;

    if ((e = frame(x, i, p->format->finish, msg)) != ERR_OK ||
        (e = hand_over(x, p, msg)) != ERR_OK || (e = verdict_so_far(x, p, msg)) != ERR_OK ||
        (e = p->format->check_end(p->judge.check, &records, msg)) != ERR_OK)
        return e;
    if (records != p->lines)
        return err_set(msg, ERR_BUG, "the validator of %s counts %llu records, %llu were written",
                       p->format->name, (unsigned long long)records, (unsigned long long)p->lines);
    snprintf(out->suffix, sizeof out->suffix, "%s", p->format->suffix);
    out->bytes = p->bytes;
    out->lines = p->lines;
    out->day = p->day;
    crypto_hash_sha256_final(&p->judge.sha, out->sha256);
    return ERR_OK;
}

/* A format without dates begins a file per day. */
static enum err split(struct export *x, const struct format_item *it, struct errmsg *msg)
{
    const struct format *f = x->part[1].format;
    enum err e;

    if (!f->splits || x->part[1].lines == 0 || !f->splits(x->policy, x->part[1].st, it))
        return ERR_OK;
    if (x->n_done == SLOT_PARTS_MAX - 2)
        return err_set(msg, ERR_CONFIG,
                       "%s needs a file per day, and an upload has at most %d: upload in parts",
                       f->name, SLOT_PARTS_MAX - 1);
    if ((e = close_part(x, 1, &x->done[x->n_done], msg)) != ERR_OK)
        return e;
    x->n_done++;
    drop_part(x, &x->part[1]);
    return open_part(x, 1, f, msg);
}

static enum outcome route(const struct export *x, const struct merged *m, unsigned *part)
{
    if (m->verdict != VERDICT_SEND)
        return OUTCOME_NOT_SENT;
    for (*part = 0; *part < 2; ++*part)
        if (x->part[*part].format && x->part[*part].format->carries(x->policy, m->rec.kind))
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

/* Pieces without a barcode, to a format that has no way to say them. */
static enum err pieces_by_hand(const struct export *x, const struct format *f,
                               const struct format_item *it, struct errmsg *why)
{
    if (it->rec->piece_kind[0] == 0 || (f->pieces && f->pieces(x->policy, it->rec)))
        return ERR_OK;
    return err_why(why, ERR_INVALID, "no_pieces", "kind",
                   f->pieces ? "%s: the policy has no number for this kind of pieces (%s) in "
                               "[noncat]"
                             : "%s: pieces without a barcode (%s) cannot be said to this system",
                   it->id, it->rec->piece_kind);
}

/* Is another time written than the library's clock showed (E10)? */
static bool is_held_back(struct export *x, const struct format *f, int64_t tick_s)
{
    const struct zone *z = &x->policy->zone;

    return f->local_time &&
           local_next(&x->local, z, tick_s, f->tick_s) != tick_s + zone_offset_s(z, tick_s);
}

/* ERR_INVALID: this one record cannot be written. */
static enum err write_one(struct export *x, const struct merged *m, const char *id,
                          const char *desk, unsigned part, struct errmsg *why, struct errmsg *msg)
{
    struct part_state *ps = &x->part[part];
    struct format_item it = {
        .rec = &m->rec, .id = id, .desk = desk, .due = m->due, .time_ms = m->time_ms
    };
    enum err e = pieces_by_hand(x, ps->format, &it, why);

    if (e != ERR_OK)
        return e;
    it.tick_s = part == 0 ? m->time_ms / 1000 : take_tick(x, m, ps->format->tick_s);
    if (part == 1 && (e = split(x, &it, msg)) != ERR_OK)
        return e;
    if ((e = ps->format->write(x->policy, ps->st, &it, &x->line, why)) != ERR_OK)
        return e == ERR_INVALID ? e : err_set(msg, e, "%s", why->text);
    if (ps->lines == 0 && (e = frame(x, part, ps->format->begin, msg)) != ERR_OK)
        return e;
    if ((e = put(x, part, &x->line, msg)) != ERR_OK)
        return e == ERR_INVALID ? err_set(msg, ERR_BUG, "%s", msg->text) : e;
    ps->lines++;
    if (ps->format->splits)
        ps->day = ymd_at(&x->policy->zone, it.tick_s * 1000);
    x->r->sent[m->rec.kind]++;
    x->r->lost[LOSS_PLACE] += !ps->format->places && (m->rec.library[0] != 0 ||
                                                      m->rec.user_access[0] != 0 || m->rec.station);
    x->r->lost[LOSS_HOUR] += is_held_back(x, ps->format, it.tick_s);
    if (ps->format->loses)
        for (unsigned lost = ps->format->loses(x->policy, &it), l = 0; l < LOSS_COUNT; l++)
            x->r->lost[l] += lost >> l & 1;
    return ERR_OK;
}

enum err export_add(struct export *x, const struct merged *m, const char *id, const char *desk,
                    enum outcome *outcome, struct errmsg *msg)
{
    struct export_result *r = x->r;
    struct errmsg why = { .text = "" };
    unsigned part = 0;
    enum outcome o = route(x, m, &part);
    enum err e = ERR_OK;

    take_time(r, m);
    r->records++;
    r->verdicts[m->verdict]++;
    r->lost[LOSS_KIND] += o == OUTCOME_UNCARRIED;
    if (m->rec.kind <= RECORD_KIND_LAST)
        r->uncarried[m->rec.kind] += o == OUTCOME_UNCARRIED;
    r->by_hand += o == OUTCOME_UNCARRIED && m->rec.kind == RECORD_USER;
    r->released += m->again != NULL;
    r->late += m->late;
    r->typed += m->rec.paper_ms != 0;
    buf_reset(&x->line);
    if (o == OUTCOME_SENT && (e = write_one(x, m, id, desk, part, &why, msg)) == ERR_INVALID) {
        o = OUTCOME_UNWRITABLE;
        buf_reset(&x->line);
        if (m->rec.kind == RECORD_USER)
            mark(x, &x->behind, 'c', m->rec.user);
        e = ERR_OK;
    }
    if (o == OUTCOME_UNWRITABLE || o == OUTCOME_BEHIND) /* what follows must not overtake it */
        mark(x, &x->behind, 'i', m->rec.item);
    if (e != ERR_OK)
        return e;
    r->outcomes[o]++;
    *outcome = o;
    if (x->to->record)
        x->to->record(x->to->ctx, m, o, file_of(x, part),
                      o == OUTCOME_SENT ? x->part[part].lines : 0, x->line.p, x->line.len,
                      why.text);
    return ERR_OK;
}

enum err export_open(const struct policy *policy, const uint8_t salt[16],
                     const struct format *format, const struct export_out *to,
                     const struct helper *helper, struct export_result *result, struct export **out,
                     struct errmsg *msg)
{
    struct export *x = mem_zero(1, sizeof *x);
    enum err e = x ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");

    memset(result, 0, sizeof *result);
    if (!x)
        return e;
    x->policy = policy;
    memcpy(x->salt, salt, sizeof x->salt);
    x->to = to;
    x->helper = helper;
    x->r = result;
    x->refused = mem_refused();
    if (format->users && format->users(policy))
        e = open_part(x, 0, format->users(policy), msg);
    if (e == ERR_OK)
        e = open_part(x, 1, format, msg);
    if (e == ERR_OK)
        *out = x;
    else
        export_free(x);
    return e;
}

void export_free(struct export *x)
{
    if (!x)
        return;
    drop_part(x, &x->part[0]);
    drop_part(x, &x->part[1]);
    hmap_free(&x->tick_items);
    hmap_free(&x->tick_cards);
    hmap_free(&x->behind);
    buf_free(&x->line);
    free(x);
}

/* Users stand first: they must be read first. */
enum err export_end(struct export *x, struct errmsg *msg)
{
    struct export_result *r = x->r;
    enum err e;

    if (x->part[0].lines > 0) {
        if ((e = close_part(x, 0, &r->parts[0], msg)) != ERR_OK)
            return e;
        r->n_parts = 1;
    }
    for (unsigned i = 0; i < x->n_done; i++)
        r->parts[r->n_parts++] = x->done[i];
    if (x->part[1].lines > 0) {
        if ((e = close_part(x, 1, &r->parts[r->n_parts], msg)) != ERR_OK)
            return e;
        r->n_parts++;
    }
    for (unsigned i = 0; i < r->n_parts; i++)
        if (r->parts[i].day == 0) /* it has no day of its own */
            r->parts[i].day = ymd_at(&x->policy->zone, r->last_ms);
    if (mem_refused() != x->refused) /* half a payload must have no digest */
        return err_set(msg, ERR_NOMEM, "out of memory");
    return ERR_OK;
}

static enum err export_merged(struct export *x, const struct merge_job *job, const struct merged *m,
                              struct errmsg *msg)
{
    const struct merge_feed *f = &job->feeds[m->feed];
    char id[RECORD_ID_TEXT];
    enum outcome o;
    enum err e;

    merge_id_text(f, m->seq, id);
    e = export_add(x, m, id, f->desk, &o, msg);
    if (e == ERR_OK && x->to->aside)
        asides_note(x->to->aside, job, m, o);
    return e;
}

enum err export_run(const struct merge_job *job, const struct disk *disk,
                    const struct format *format, merge_yield yield, void *yield_ctx,
                    const struct export_out *to, struct export_result *out, struct errmsg *msg)
{
    struct export *x = NULL;
    struct merge *m = NULL;
    struct merged *item = mem_alloc(sizeof *item);
    enum err e = item ? ERR_OK : err_set(msg, ERR_NOMEM, "out of memory");

    if (e == ERR_OK)
        e = export_open(&job->policy, job->branch, format, to, job->helper, out, &x, msg);
    if (e == ERR_OK)
        e = merge_open(job, disk, yield, yield_ctx, &m, msg);
    while (e == ERR_OK && (e = merge_next(m, item, msg)) == ERR_OK)
        e = export_merged(x, job, item, msg);
    if (e == ERR_MISSING)
        e = ERR_OK;
    if (e == ERR_OK && to->aside)
        e = asides_finish(to->aside, job, disk, msg);
    if (e == ERR_OK)
        e = export_end(x, msg);
    export_free(x);
    merge_close(m);
    free(item);
    return e;
}

static const struct format *format_of_part(const struct policy *p, const char *suffix)
{
    const struct format *f = format_by_name(p->format);

    if (f && strcmp(f->suffix, suffix) != 0)
        f = f->users ? f->users(p) : NULL;
    return f;
}

void export_part_name(const struct policy *p, const char *code, uint32_t epoch, uint64_t slot,
                      const struct slot_part *part, char out[FORMAT_NAME_MAX])
{
    const struct format *f = format_of_part(p, part->suffix);
    char hex[9];
    struct format_name n = { .library = code,
                             .suffix = part->suffix,
                             .hash = hex,
                             .day = part->day,
                             .epoch = epoch,
                             .slot = slot };

    if (strcmp(p->format, "symphony") == 0 && p->symphony.library[0])
        n.library = p->symphony.library;
    sodium_bin2hex(hex, sizeof hex, part->sha256, 4);
    if (f == &format_symphony && p->symphony.file_name[0])
        snprintf(out, FORMAT_NAME_MAX, "%s", p->symphony.file_name);
    else if (f && f->file_name)
        f->file_name(&n, out);
    else
        snprintf(out, FORMAT_NAME_MAX, "%s-%08u-e%u-s%06llu-%s.%s", n.library, n.day, n.epoch,
                 (unsigned long long)n.slot, n.hash, n.suffix);
}

void export_file_name(const struct merge_job *job, const struct export_result *r, unsigned part,
                      char out[FORMAT_NAME_MAX])
{
    export_part_name(&job->policy, job->code, job->epoch, job->slot, &r->parts[part], out);
}
