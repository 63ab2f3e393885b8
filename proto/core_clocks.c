/* core_clocks.c - measures the clocks of the branch, and fixes one correction per feed in an intent.
 *
 * A beat says which feed its desk writes now, and what that feed's clock shows. Before a cut the
 * uploader asks the others what they measured; a seat refuses what contradicts its own. Once an
 * upload corrected a feed, every later one says the same. */
#include <stdlib.h>
#include <string.h>

#include "core_int.h"
#include "mem.h"

#define WAIT_MS        3000 /* for the others' answers */
#define AGAIN_MS       500
#define FRESH_MS       30000  /* so long an answer is good enough */
#define HEARD_MS       300000 /* a clock measured longer ago says nothing of now */
#define SAMPLE_HELD_MS 60000

/* ---- measuring ---- */

void clocks_put_beat(const struct core *c, struct buf *b)
{
    bool open = c->own >= 0;

    mp_put_bin(b, open ? c->feeds.v[c->own].opening.id.name : NULL, open ? FEED_NAME_BYTES : 0);
    mp_put_i64(b, open ? c->clock.wall_ms + (int64_t)(c->now_ms - c->clock.boot_ms) : 0);
}

bool clocks_get_beat(struct mp *m, struct beat_clock *out)
{
    size_t n = 0;
    const uint8_t *name = mp_get_bin(m, &n);

    out->feed_ms = mp_get_i64(m);
    out->open = n == FEED_NAME_BYTES;
    if (m->bad || (n != 0 && !out->open) || out->feed_ms < 0 || out->feed_ms > RECORD_TIME_MAX)
        m->bad = true;
    else if (out->open)
        memcpy(out->name, name, n);
    return !m->bad;
}

static int64_t distance(int64_t a, int64_t b)
{
    return a > b ? a - b : b - a;
}

/* Round trip as in NTP: they say our clock back, and how long they held it. The quickest of the
 * recent samples is the best; it slowly loses its lead. One that its round trip does not explain
 * shows that their clock was set. */
static void take_sample(struct peer *p, const struct moment *now, const struct beat_clock *b)
{
    int64_t rtt = now->wall_ms - b->echo_ms - (int64_t)b->held_ms;
    int64_t ahead = b->wall_ms + rtt / 2 - (int64_t)now->boot_ms;

    if (b->echo_ms == 0 || rtt < 0 || rtt > SAMPLE_HELD_MS)
        return;
    if (p->has_clock && (uint64_t)rtt > p->best_rtt_ms &&
        distance(ahead, p->ahead_ms) <= (rtt + (int64_t)p->best_rtt_ms) / 2 + 1) {
        p->best_rtt_ms += 1 + p->best_rtt_ms / 8;
        return;
    }
    p->ahead_ms = ahead;
    p->best_rtt_ms = (uint64_t)rtt;
    p->sample_ms = now->boot_ms;
    p->has_clock = true;
}

void clocks_on_beat(struct core *c, struct peer *p, const struct moment *now,
                    const struct beat_clock *b)
{
    struct feed_id feed = { .desk = p->id };

    if (b->wall_ms < 0 || b->wall_ms > RECORD_TIME_MAX || b->echo_ms < 0 ||
        b->echo_ms > RECORD_TIME_MAX || b->held_ms > SAMPLE_HELD_MS)
        return; /* no clock says that */
    p->echo_wall_ms = b->wall_ms;
    p->echo_boot_ms = now->boot_ms;
    take_sample(p, now, b);
    memcpy(feed.name, b->name, sizeof feed.name);
    if (p->has_clock && b->open && feeds_find(&c->feeds, &feed)) /* they bound the table */
        clocks_hear(&c->clocks, c->conf.disk, &feed, p->ahead_ms + b->feed_ms - b->wall_ms,
                    now->boot_ms, p->best_rtt_ms);
}

static bool is_lone(const struct core *c)
{
    return roster_active(c->roster) <= 1;
}

static void branch_time(const struct core *c, const struct moment *now, struct branch_time *out)
{
    int64_t ahead[CLOCK_DESKS_MAX];
    unsigned n = 0;

    ahead[n++] = now->wall_ms - (int64_t)now->boot_ms;
    for (unsigned i = 0; i < c->n_peers; i++) {
        const struct peer *p = &c->peers[i];
        if (p->has_clock && peer_is_active(c, p) && now->boot_ms - p->sample_ms < HEARD_MS)
            ahead[n++] = p->ahead_ms;
    }
    clocks_branch_time(ahead, n, now->boot_ms, out);
}

void clocks_tick(struct core *c, const struct moment *now)
{
    struct branch_time t;

    if (c->own >= 0)
        clocks_hear(&c->clocks, c->conf.disk, &c->feeds.v[c->own].opening.id,
                    c->clock.wall_ms - (int64_t)c->clock.boot_ms, now->boot_ms, 0);
    branch_time(c, now, &t);
    clocks_correct(&c->clocks, c->conf.disk, &t, is_lone(c));
}

void core_clock(const struct core *c, const struct moment *now, struct clock_view *out)
{
    struct branch_time t;

    branch_time(c, now, &t);
    *out = (struct clock_view){ .known = t.known && t.desks > 1, .desks = t.desks };
    out->impossible = now->wall_ms < CLOCK_EPOCH_MS;
    if (out->known) {
        out->ahead_ms = now->wall_ms - (int64_t)now->boot_ms - t.ahead_ms;
        out->impossible |= distance(out->ahead_ms, 0) > CLOCK_MONTH_MS;
    }
}

/* ---- asking ---- */

static bool is_pending(const struct core *c, const struct feed_id *id)
{
    const struct feed *f = feeds_find(&c->feeds, id);

    return f && f->stored > feeds_cut(&c->feeds, id);
}

void clocks_on_ask(struct core *c, const struct peer *p)
{
    struct buf rows = { 0 }, b = { 0 };
    unsigned n = 0;

    for (unsigned i = 0; i < c->clocks.n && n < SLOT_RANGES_MAX; i++) {
        const struct clock_row *row = &c->clocks.v[i];
        struct clock_word w = { row->feed, row->correction_ms, row->desks, row->jumped };
        if (row->desks == 0 || !is_pending(c, &row->feed))
            continue;
        clock_word_put(&w, &rows);
        n++;
    }
    wire_begin(&b, WIRE_CLOCKS, 1);
    mp_put_array(&b, n);
    buf_add(&b, rows.p, rows.len);
    buf_free(&rows);
    peer_send(c, p, &b);
}

void clocks_on_words(struct core *c, struct peer *p, struct mp *m)
{
    uint32_t n = mp_get_array(m);
    struct clock_word *v;

    (void)c;
    if (m->bad || n > SLOT_RANGES_MAX || (v = mem_zero(n ? n : 1, sizeof *v)) == NULL) {
        m->bad |= n > SLOT_RANGES_MAX;
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        if (!clock_word_get(m, &v[i]) || (i > 0 && feed_id_cmp(&v[i - 1].feed, &v[i].feed) >= 0)) {
            m->bad = true; /* in order, so that no feed is spoken of twice */
            free(v);
            return;
        }
    free(p->clocks);
    p->clocks = v;
    p->n_clocks = n;
    p->clocks_told = true;
}

bool clocks_wait(struct core *c)
{
    bool waits = false;
    struct moment now = { c->now_ms, c->wall_ms, 0 };

    if (!c->clocks_asking || c->now_ms - c->clocks_ms >= FRESH_MS) {
        clocks_tick(c, &now); /* what was recorded since the last beat, too */
        c->clocks_asking = true;
        c->clocks_ms = c->clocks_again_ms = c->now_ms;
        for (unsigned i = 0; i < c->n_peers; i++)
            c->peers[i].clocks_told = false;
    }
    if (c->now_ms - c->clocks_ms >= WAIT_MS)
        return false; /* the silent ones may refuse what they know better */
    for (unsigned i = 0; i < c->n_peers; i++) {
        const struct peer *p = &c->peers[i];
        if (p->clocks_told || !sync_is_online(c, p))
            continue;
        waits = true;
        if (c->now_ms >= c->clocks_again_ms) {
            struct buf b = { 0 };
            wire_begin(&b, WIRE_CLOCKS_ASK, 0);
            peer_send(c, p, &b);
        }
    }
    if (c->now_ms >= c->clocks_again_ms)
        c->clocks_again_ms = c->now_ms + AGAIN_MS;
    return waits;
}

/* ---- proposing and judging ---- */

static bool own_word(const struct core *c, const struct feed_id *feed, struct clock_word *out)
{
    const struct clock_row *row = clocks_find(&c->clocks, feed);

    if (!row || row->desks == 0)
        return false;
    *out = (struct clock_word){ row->feed, row->correction_ms, row->desks, row->jumped };
    return true;
}

int64_t clocks_correction(const struct core *c, const struct feed_id *feed)
{
    struct clock_word w;

    return own_word(c, feed, &w) && !w.jumped ? w.correction_ms : 0;
}

static bool word_of(const struct core *c, const struct peer *p, const struct feed_id *feed,
                    struct clock_word *out)
{
    bool there;
    unsigned at = feed_place(p->clocks, p->n_clocks, sizeof *p->clocks, feed, &there);

    if (!there || peer_is_revoked(c, p))
        return false;
    *out = p->clocks[at];
    return true;
}

void clocks_propose(const struct core *c, const struct feed *f, struct slot_range *r)
{
    const struct feed_cut *cut = feeds_cut_of(&c->feeds, &r->feed);
    struct clock_word v[CLOCK_DESKS_MAX];
    unsigned n = 0;

    if (cut && cut->clock_known) {
        r->correction_ms = cut->correction_ms;
        r->clock = cut->clock;
        return;
    }
    if (own_word(c, &r->feed, &v[n]))
        n++;
    for (unsigned i = 0; i < c->n_peers; i++)
        if (word_of(c, &c->peers[i], &r->feed, &v[n]))
            n++;
    clocks_judge(v, f->forked ? 0 : n, f->opening.at_ms, r);
}

/* By what it said, or by our own row. */
static bool denies(const struct core *c, const struct desk_id *seat, const struct slot_range *r)
{
    const struct feed_cut *cut = feeds_cut_of(&c->feeds, &r->feed);
    const struct peer *p = sync_peer(c, seat);
    struct clock_word w;
    bool spoke = desk_id_eq(seat, &c->conf.me->id) ? own_word(c, &r->feed, &w)
                                                   : p && word_of(c, p, &r->feed, &w);

    return spoke && !w.jumped && !(cut && cut->clock_known) &&
           clock_word_denies(&w, r, CLOCK_REFUSE_MS - CLOCK_RIGHT_MS);
}

static bool denies_any(const struct core *c, const struct desk_id *seat, const struct intent *in)
{
    for (unsigned i = 0; i < in->n_ranges; i++)
        if (denies(c, seat, &in->ranges[i]))
            return true;
    return false;
}

/* One range that it measured otherwise, and a seat refuses them all. */
void clocks_settle(const struct core *c, struct intent *in)
{
    struct ledger_moment now = { c->now_ms, c->wall_ms };
    struct ledger_view view;
    unsigned yes = 0, no = 0;

    ledger_view(c->ledger, &now, &view);
    for (unsigned i = 0; i < view.n_seats; i++) {
        const struct peer *p = sync_peer(c, &view.seats[i]);
        if (!desk_id_eq(&view.seats[i], &c->conf.me->id) && !(p && sync_is_online(c, p)))
            continue;
        denies_any(c, &view.seats[i], in) ? no++ : yes++;
    }
    if (no == 0 || yes > view.n_seats / 2)
        return;
    for (unsigned i = 0; i < in->n_ranges; i++) {
        struct slot_range *r = &in->ranges[i];
        for (unsigned k = 0; k < view.n_seats; k++)
            if (denies(c, &view.seats[k], r))
                clocks_judge(NULL, 0, feeds_find(&c->feeds, &r->feed)->opening.at_ms, r);
    }
}

enum err clocks_ok(const struct core *c, const struct slot_range *r, struct errmsg *msg)
{
    const struct feed_cut *cut = feeds_cut_of(&c->feeds, &r->feed);
    struct clock_word mine;

    if (r->correction_ms > RECORD_TIME_MAX || r->correction_ms < -RECORD_TIME_MAX ||
        (r->correction_ms != 0 && (r->clock == CLOCK_OK || r->clock == CLOCK_SUSPECT)))
        return err_set(msg, ERR_REFUSED, "a correction of a clock that says nothing");
    if (cut && cut->clock_known)
        return r->correction_ms == cut->correction_ms && r->clock == cut->clock
                   ? ERR_OK
                   : err_set(msg, ERR_REFUSED,
                             "another correction of a clock than in the upload before");
    if (own_word(c, &r->feed, &mine) && !mine.jumped &&
        clock_word_denies(&mine, r, CLOCK_REFUSE_MS))
        return err_set(msg, ERR_REFUSED, "this desk measured another clock: %lld s, not %lld s",
                       (long long)mine.correction_ms / 1000, (long long)r->correction_ms / 1000);
    return ERR_OK;
}
