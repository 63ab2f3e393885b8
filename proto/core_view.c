/* core_view.c - what a desk can say about itself, its peers and its records. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"

#include "core_int.h"

const struct roster *core_roster(const struct core *c)
{
    return c->roster;
}

const struct feeds *core_feeds(const struct core *c)
{
    return &c->feeds;
}

const struct ledger *core_ledger(const struct core *c)
{
    return c->ledger;
}

void core_ledger_view(const struct core *c, const struct moment *now, struct ledger_view *out)
{
    struct ledger_moment lnow = ledger_now(now);

    ledger_view(c->ledger, &lnow, out);
}

int core_admits(const struct core *c, const uint8_t curve_pk[KEY_BYTES], struct desk_id *who)
{
    const struct desk *d = roster_find_curve(c->roster, curve_pk);

    if (!d)
        return 300;
    *who = d->id;
    return d->state == DESK_REVOKED ? 400 : 200;
}

const char *peer_state_name(enum peer_state s)
{
    switch (s) {
    case PEER_ONLINE:
        return "online";
    case PEER_QUIET:
        return "quiet";
    case PEER_UNREACHABLE:
        return "unreachable";
    case PEER_REVOKED:
        return "revoked";
    case PEER_RETIRED:
        return "retired";
    }
    return "";
}

unsigned core_peers(const struct core *c)
{
    return c->n_peers;
}

void core_peer_view(const struct core *c, const struct moment *now, unsigned i,
                    struct peer_view *out)
{
    const struct peer *p = &c->peers[i];
    const struct desk *d = roster_find(c->roster, &p->id);

    memset(out, 0, sizeof *out);
    out->id = p->id;
    out->ever_heard = p->ever_heard;
    out->silent_ms = p->ever_heard ? now->boot_ms - p->heard_ms : 0;
    out->state = d && d->state == DESK_REVOKED    ? PEER_REVOKED
                 : d && d->state == DESK_RETIRED  ? PEER_RETIRED
                 : !p->ever_heard                 ? PEER_UNREACHABLE
                 : out->silent_ms < PEER_QUIET_MS ? PEER_ONLINE
                 : out->silent_ms < PEER_AWAY_MS  ? PEER_QUIET
                                                  : PEER_UNREACHABLE;
    out->inbound_only = out->state == PEER_ONLINE && !p->up;
    out->memory_lost = p->memory_lost;
    out->restorable = restored_peer_is_ready(c, p);
    out->cloned = peer_is_cloned(c, p);
    out->has_clock = p->has_clock;
    out->sees = out->state == PEER_ONLINE ? p->sees : WATCH_UNKNOWN;
    out->clock_ms = p->ahead_ms + (int64_t)now->boot_ms - now->wall_ms;
    out->missing = sync_missing(c, p);
    for (unsigned k = 0; k < c->feeds.n; k++)
        if (sync_have(p, k) < c->feeds.v[k].seq)
            out->behind += c->feeds.v[k].seq - sync_have(p, k);
    snprintf(out->address, sizeof out->address, "%s", p->address);
    snprintf(out->software, sizeof out->software, "%s", p->software);
    out->refused = p->refused;
    out->has_condition = p->has_condition;
    out->condition = p->condition;
    out->condition_ms = p->has_condition ? now->boot_ms - p->condition_ms : 0;
}

/* The copies of a desk that lost its memory, or that was revoked, keep nothing safe. */
static bool copies_count(const struct core *c, const struct peer *p)
{
    const struct desk *d = roster_find(c->roster, &p->id);

    return !p->memory_lost && d && d->state != DESK_REVOKED;
}

static uint64_t elsewhere(const struct core *c, unsigned feed)
{
    uint64_t best = 0;

    for (unsigned i = 0; i < c->n_peers; i++)
        if (copies_count(c, &c->peers[i]) && sync_have(&c->peers[i], feed) > best)
            best = sync_have(&c->peers[i], feed);
    return best;
}

static void weigh(const struct core *c, const struct feed *f, struct core_view *out)
{
    uint64_t cut = feeds_cut(&c->feeds, &f->opening.id), may = f->seq;
    uint64_t trusted = roster_trusted_to(c->roster, &f->opening.id);

    if (may > trusted)
        may = trusted < cut ? cut : trusted;
    if (may > cut)
        out->pending += may - cut;
    out->quarantined += f->stored > may ? f->stored - may : 0;
}

void core_view(const struct core *c, const struct moment *now, struct core_view *out)
{
    const struct desk *me = roster_find(c->roster, &c->conf.me->id);

    (void)now;
    memset(out, 0, sizeof *out);
    out->start = c->mark.number;
    out->held = c->feeds.records - c->feeds.erased;
    for (unsigned i = 0; i < c->feeds.n; i++) {
        const struct feed *f = &c->feeds.v[i];
        uint64_t best = elsewhere(c, i);
        out->known += (best > f->seq ? best : f->seq) - f->base;
        if (desk_id_eq(&f->opening.id.desk, &c->conf.me->id)) {
            out->local += f->seq - f->base;
            out->replicated += best < f->base ? 0 : (best < f->seq ? best : f->seq) - f->base;
        }
        weigh(c, f, out);
    }
    out->set_aside = past_set_aside(c);
    out->released = c->past.release.n;
    out->back_to = c->past.back_to;
    out->erase_owed = c->erase.owed || c->erase.looking || c->past.gone_is_stale;
    for (unsigned i = 0; i < c->past.n; i++)
        out->kept_due += c->past.v[i].slot >= c->past.back_to &&
                         said_confirmed(&c->said, c->past.v[i].slot, c->past.v[i].intent,
                                        &c->past.v[i].uploader, NULL) == 0;
    out->memory_lost = c->memory_lost;
    out->restorable = c->memory_lost && restored_is_ready(c);
    out->revoked = !me || me->state == DESK_REVOKED;
    out->retired = me && me->state == DESK_RETIRED;
    out->contested = roster_conflicts(c->roster, NULL, 0) > 0;
    out->mark_confirmed = c->confirmed && !c->memory_lost;
    out->watch = c->watch;
    out->server = watch_shown(&c->watch, out->pending > 0,
                              said_online(&c->said, ledger_decided(c->ledger) + 1));
    out->refused = c->refused;
}

unsigned core_copies(const struct core *c, const struct record_ref *ref)
{
    int at = feeds_index(&c->feeds, &ref->feed);
    unsigned n = 0;

    if (at < 0)
        return 0;
    n = c->feeds.v[at].seq >= ref->seq && !c->memory_lost;
    for (unsigned i = 0; i < c->n_peers; i++)
        n += copies_count(c, &c->peers[i]) && sync_have(&c->peers[i], (unsigned)at) >= ref->seq;
    return n;
}

void core_id_text(const struct core *c, const struct record_ref *ref, char out[RECORD_ID_TEXT])
{
    const struct feed *f = feeds_find(&c->feeds, &ref->feed);

    if (f)
        feeds_id_text(f, c->roster, ref->seq, out);
    else
        snprintf(out, RECORD_ID_TEXT, "?");
}

enum err core_id_parse(const struct core *c, const char *text, struct record_ref *out,
                       struct errmsg *msg)
{
    return feeds_id_parse(&c->feeds, c->roster, text, out, msg);
}

static void fill_feed(const struct core *c, const struct feed *f, struct merge_feed *out)
{
    const struct desk *d = roster_find(c->roster, &f->opening.id.desk);

    out->feed = f->opening.id;
    out->alias = f->alias;
    out->number = f->opening.number;
    out->suffix = f->suffix;
    out->opened_ms = f->opening.at_ms;
    out->base = f->floor.seq;
    if (f->floor.seq > 0)
        memcpy(out->base_hash, f->floor.hash, HASH_BYTES);
    else
        feed_h0(roster_branch(c->roster), &f->opening, out->base_hash);
    snprintf(out->desk, sizeof out->desk, "%s", d ? d->joined : "?");
}

static void set_clock(struct merge_feed *f, const struct slot_range *r)
{
    f->correction_ms = r->correction_ms;
    f->clock = r->clock;
    f->clock_known = slot_clock_is_known(r);
}

/* As it would be if the upload began now. */
static void clock_now(const struct core *c, const struct feed *here, struct merge_feed *f)
{
    struct slot_range r = { .feed = f->feed };

    clocks_propose(c, here, &r);
    set_clock(f, &r);
}

/* Of the desk's newest feed in that upload, if there is one. */
static int64_t correction_of(const struct intent *in, const struct desk_id *desk,
                             struct merge_job *j)
{
    int64_t correction = 0, opened = -1;

    for (unsigned i = 0; i < in->n_ranges; i++) {
        const struct slot_range *r = &in->ranges[i];
        const struct merge_feed *f =
            desk_id_eq(&r->feed.desk, desk) ? merge_feed_of(j, &r->feed) : NULL;
        if (f && f->opened_ms > opened) {
            opened = f->opened_ms;
            correction = r->correction_ms;
        }
    }
    return correction;
}

/* R9: when a lead asked for it. The clock of his desk was within an hour of the others'; it is
 * corrected as its records are. */
static void note_pressed(const struct core *c, const struct intent *in, struct merge_job *j)
{
    struct trigger t;
    int64_t pressed_ms;

    if (trigger_open(in->trigger.p, in->trigger.len, roster_branch(c->roster), &t, NULL) != ERR_OK)
        return;
    pressed_ms = t.made_ms + correction_of(in, &t.desk, j);
    if (pressed_ms > j->pressed_ms)
        j->pressed_ms = pressed_ms;
}

static bool more_rulings(struct merge_job *j, unsigned n)
{
    struct merge_ruling *grown =
        n > 0 ? mem_more(j->rulings, (j->n_rulings + (size_t)n) * sizeof *grown) : NULL;

    if (grown)
        j->rulings = grown;
    return grown || n == 0;
}

/* What a lead took back was not sent: nothing that comes later is a twin of it or contradicts it. */
static enum err note_taken_back(const struct intent *in, struct merge_job *j, struct errmsg *msg)
{
    if (!more_rulings(j, in->n_rulings))
        return err_set(msg, ERR_NOMEM, "out of memory");
    for (unsigned i = 0; i < in->n_rulings; i++) {
        const struct slot_ruling *r = &in->rulings[i];
        const struct merge_feed *f = r->what == WORD_VOID ? merge_feed_of(j, &r->ref.feed) : NULL;
        if (f)
            j->rulings[j->n_rulings++] =
                (struct merge_ruling){ (unsigned)(f - j->feeds), r->ref.seq, r->what, { 0 } };
    }
    return ERR_OK;
}

/* What went before slot `slot` of each feed, told by the receipts: a report of an old slot must see
 * the branch as that slot saw it. */
static enum err cuts_before(const struct core *c, uint64_t slot, uint64_t back_to, uint64_t cards,
                            struct merge_job *j, struct errmsg *msg)
{
    struct buf b = { 0 };
    enum err e = ERR_OK;

    for (uint64_t s = 1; s < slot && e == ERR_OK; s++) {
        struct receipt r;
        struct intent in;
        if ((e = ledger_receipt(c->ledger, s, &b)) != ERR_OK ||
            (e = receipt_decode(b.p, b.len, &r, msg)) != ERR_OK ||
            (e = intent_decode(r.intent, r.intent_len, &in, msg)) != ERR_OK)
            break;
        if (in.type == SLOT_UPLOAD && s >= back_to)
            note_pressed(c, &in, j);
        if (in.type == SLOT_UPLOAD && s >= back_to)
            e = note_taken_back(&in, j, msg);
        for (unsigned i = 0; i < in.n_ranges; i++) {
            struct merge_feed *f = merge_feed_of(j, &in.ranges[i].feed);
            if (f)
                f->from = in.ranges[i].to + 1;
            if (f)
                f->back_correction_ms = in.ranges[i].correction_ms;
            if (f && s < back_to)
                f->back = in.ranges[i].to + 1;
            if (f && s <= cards)
                f->carded = in.ranges[i].to;
            if (f && in.type == SLOT_UPLOAD && !f->clock_known)
                set_clock(f, &in.ranges[i]);
        }
        intent_free(&in);
    }
    buf_free(&b);
    return e;
}

/* In a payload the letter of a feed may only depend on what every desk knows alike: feeds of this
 * slot and of earlier ones. */
static void letter_by_slot(struct merge_job *j)
{
    for (unsigned i = 0; i < j->n_feeds; i++) {
        struct merge_feed *f = &j->feeds[i];
        unsigned older = 0;
        for (unsigned k = 0; k < j->n_feeds; k++) {
            const struct merge_feed *g = &j->feeds[k];
            bool counts = g->from > 1 || g->to >= g->from;
            if (k != i && counts && g->number == f->number && strcmp(g->desk, f->desk) == 0 &&
                (g->opened_ms < f->opened_ms || (g->opened_ms == f->opened_ms && k < i)))
                older++;
        }
        f->suffix = older == 0 ? 0 : (char)('a' + (older < 25 ? older : 25));
    }
}

static enum err fill_ranges(const struct core *c, const struct intent *in, struct merge_job *j,
                            struct errmsg *msg)
{
    uint64_t slot = in ? in->slot : ledger_decided(c->ledger) + 1;
    enum err e = cuts_before(c, slot, in ? in->back_to : c->past.back_to,
                             in ? in->cards : c->past.release.cards, j, msg);

    for (unsigned i = 0; i < j->n_feeds; i++) {
        struct merge_feed *f = &j->feeds[i];
        uint64_t trusted = roster_trusted_to(c->roster, &f->feed);
        const struct feed *here = feeds_find(&c->feeds, &f->feed);
        uint64_t held = here->unknown_from > 0 ? here->unknown_from - 1 : here->seq;
        f->to = in ? f->from - 1 : held < trusted ? held : trusted;
        if (!in && f->to >= f->from)
            clock_now(c, here, f);
    }
    for (unsigned i = 0; e == ERR_OK && in && i < in->n_ranges; i++) {
        struct merge_feed *f = merge_feed_of(j, &in->ranges[i].feed);
        if (f && f->base >= in->ranges[i].from)
            return err_why(
                msg, ERR_MISSING, "erased", "slot",
                "the records of upload %llu are erased: it was confirmed and kept as long "
                "as the policy says",
                (unsigned long long)slot);
        if (!f || in->ranges[i].from != f->from ||
            !feeds_holds(&c->feeds, &f->feed, in->ranges[i].to, in->ranges[i].hash))
            return err_set(msg, ERR_BUSY, "not every record of slot %llu is here yet",
                           (unsigned long long)slot);
        f->to = in->ranges[i].to;
        set_clock(f, &in->ranges[i]);
    }
    for (unsigned i = 0; i < j->n_feeds; i++) /* a report of long ago looks back less far now */
        if (j->feeds[i].back <= j->feeds[i].base)
            j->feeds[i].back = j->feeds[i].base + 1;
    for (unsigned i = 0; i < j->n_feeds; i++) /* only to look at: who sends or agrees holds them */
        if (feeds_find(&c->feeds, &j->feeds[i].feed)->seq + 1 < j->feeds[i].from)
            j->feeds[i].back = j->feeds[i].from;
    if (in)
        letter_by_slot(j);
    for (unsigned i = 0; i < j->n_feeds; i++)
        if (j->feeds[i].to >= j->feeds[i].from)
            j->records += j->feeds[i].to - j->feeds[i].from + 1;
    return e;
}

/* Those of the intent, or what would go now. */
static enum err fill_released(const struct core *c, const struct intent *in, struct merge_job *j,
                              struct errmsg *msg)
{
    const struct slot_released *v = in ? in->released : c->past.release.v;
    unsigned n = in ? in->n_released : c->past.release.n;

    if (n > SLOT_RELEASED_MAX)
        n = SLOT_RELEASED_MAX;
    if (n > 0 && (j->released = mem_zero(n, sizeof *j->released)) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    for (unsigned i = 0; i < n; i++) {
        const struct merge_feed *f = merge_feed_of(j, &v[i].ref.feed);
        struct merge_released *r = &j->released[j->n_released];
        if (!f)
            return err_set(msg, ERR_BUSY, "a released record is not here yet");
        *r = (struct merge_released){ .feed = (unsigned)(f - j->feeds),
                                      .seq = v[i].ref.seq,
                                      .slot = v[i].slot,
                                      .what = v[i].what };
        memcpy(r->id, v[i].id, MACHINE_ID);
        j->n_released++;
    }
    j->records += n;
    return ERR_OK;
}

static enum err fill_rulings(const struct core *c, const struct intent *in, struct merge_job *j,
                             struct errmsg *msg)
{
    struct slot_ruling *pending = NULL;
    unsigned n = in ? in->n_rulings : 0;
    enum err e = in ? ERR_OK : ruling_list(c, NULL, &pending, &n, msg);
    const struct slot_ruling *v = in ? in->rulings : pending;

    if (e == ERR_OK && !more_rulings(j, n))
        e = err_set(msg, ERR_NOMEM, "out of memory");
    for (unsigned i = 0; e == ERR_OK && i < n; i++) {
        const struct merge_feed *f = merge_feed_of(j, &v[i].ref.feed);
        struct merge_ruling *r = &j->rulings[j->n_rulings];
        if (!f)
            continue;
        *r = (struct merge_ruling){ (unsigned)(f - j->feeds), v[i].ref.seq, v[i].what, { 0 } };
        memcpy(r->word, v[i].word, sizeof r->word);
        j->n_rulings++;
    }
    free(pending);
    return e;
}

enum err core_merge_job(const struct core *c, const struct intent *in, struct merge_job *out,
                        struct errmsg *msg)
{
    const struct policy *p =
        in ? roster_policy_by_hash(c->roster, in->policy) : roster_policy(c->roster);
    enum err e;

    memset(out, 0, sizeof *out);
    if (!p)
        return err_set(msg, ERR_CONFIG, "this version cannot read the branch's policy");
    if ((out->feeds = mem_zero(c->feeds.n ? c->feeds.n : 1, sizeof *out->feeds)) == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    out->policy = *p;
    memcpy(out->branch, roster_branch(c->roster), sizeof out->branch);
    snprintf(out->code, sizeof out->code, "%s", roster_code(c->roster));
    out->slot = in ? in->slot : ledger_decided(c->ledger) + 1;
    out->epoch = in ? in->epoch.number : 0;
    for (unsigned i = 0; i < c->feeds.n; i++) {
        fill_feed(c, &c->feeds.v[c->feeds.by_id[i]], &out->feeds[i]);
        out->feeds[i].from = out->feeds[i].back = 1;
    }
    out->n_feeds = c->feeds.n;
    if ((e = fill_ranges(c, in, out, msg)) != ERR_OK ||
        (e = fill_released(c, in, out, msg)) != ERR_OK ||
        (e = fill_rulings(c, in, out, msg)) != ERR_OK)
        merge_job_free(out);
    return e;
}

bool core_draft_decision(const struct core *c, const struct moment *now, bool arrived,
                         struct decision *out)
{
    struct ledger_view v;

    memset(out, 0, sizeof *out);
    core_ledger_view(c, now, &v);
    out->epoch = v.epoch;
    out->slot = v.doubt.slot;
    memcpy(out->intent, v.doubt.intent, HASH_BYTES);
    out->step = v.doubt.step;
    out->arrived = arrived;
    out->made_ms = now->wall_ms;
    out->desk = c->conf.me->id;
    return v.doubt.waits;
}

void core_draft_trigger(const struct core *c, const struct moment *now, struct trigger *out)
{
    struct ledger_view v;
    struct ledger_moment lnow = ledger_now(now);

    ledger_view(c->ledger, &lnow, &v);
    memset(out, 0, sizeof *out);
    out->epoch = v.epoch;
    out->slot = v.slot;
    out->made_ms = now->wall_ms;
    out->desk = c->conf.me->id;
}

enum err core_trusted_now(const struct core *c, const struct desk_id *desk, struct trusted **v,
                          unsigned *n, uint64_t *records)
{
    *n = 0;
    *records = 0;
    if ((*v = mem_zero(c->feeds.n ? c->feeds.n : 1, sizeof **v)) == NULL)
        return ERR_NOMEM;
    for (unsigned i = 0; i < c->feeds.n; i++) {
        const struct feed *f = &c->feeds.v[i];
        if (!desk_id_eq(&f->opening.id.desk, desk) || f->seq == 0)
            continue;
        *records += f->seq;
        if (f->seq <= feeds_cut(&c->feeds, &f->opening.id))
            continue; /* all of it is decided: nothing is left to trust */
        memcpy((*v)[*n].feed, f->opening.id.name, FEED_NAME_BYTES);
        (*v)[(*n)++].seq = f->seq;
    }
    return ERR_OK;
}
