/* core_lately.c - tells who records something what the branch did a moment ago. */
#include <stdio.h>
#include <string.h>

#include <sodium.h>

#include "core_int.h"

#define LATELY_READ_MAX 65536 /* records read at a start, the newest of each feed */

/* Records of a desk that is trusted, that no upload took, and that neither desk nor lead voided. */
static bool counts(const struct core *c, const struct record_ref *ref)
{
    const struct feed *f = feeds_find(&c->feeds, &ref->feed);
    struct record_ref voider;

    return f != NULL && (!f->forked || ref->seq <= f->seq) &&
           ref->seq > feeds_cut(&c->feeds, &ref->feed) &&
           ref->seq <= roster_trusted_to(c->roster, &ref->feed) &&
           feeds_void_of(c->conf.disk, ref, &voider) == ERR_MISSING && !ruling_voids(c, ref);
}

static const struct lately_event *newest(const struct core *c, const struct lately_row *row)
{
    if (!row)
        return NULL;
    if (counts(c, &row->last.ref))
        return &row->last;
    return row->before.ref.seq > 0 && counts(c, &row->before.ref) ? &row->before : NULL;
}

static void fill(const struct core *c, enum lately_what what, const struct lately_event *first,
                 const struct lately_event *then, struct told_note *out)
{
    const struct desk *d = roster_find(c->roster, &first->ref.feed.desk);

    out->what = what;
    out->other = first->ref;
    out->at_ms = first->at_ms;
    snprintf(out->desk, sizeof out->desk, "%s", d ? d->name : "?");
    lately_text(what, out->desk, then->at_ms - first->at_ms, out->text);
}

static void look(const struct core *c, const struct record *r, struct told_note *out)
{
    const struct policy *p = roster_policy(c->roster);
    struct record_ref mine = { .feed.desk = c->conf.me->id };
    struct lately_event then;
    const struct lately_event *first;
    enum lately_what what = LATELY_NOTHING;

    memset(out, 0, sizeof *out);
    if (c->own >= 0)
        mine.feed = c->feeds.v[c->own].opening.id;
    lately_event_of(&c->lately, &mine, r, clocks_correction(c, &mine.feed), &then);
    first = newest(c, lately_item(&c->lately, r));
    if (first) {
        lately_not_before(first, &then);
        what = lately_judge(first, &then, p->double_scan_ms);
    }
    if (what == LATELY_NOTHING) {
        first = newest(c, lately_card(&c->lately, r->user));
        if (first) {
            lately_not_before(first, &then);
            what = lately_judge(first, &then, p->double_scan_ms);
        }
    }
    if (what != LATELY_NOTHING)
        fill(c, what, first, &then, out);
}

enum err lately_tell(struct core *c, const struct record *r, enum ask ask, struct told_note *note,
                     struct errmsg *msg)
{
    enum err e;

    look(c, r, note);
    if (note->what != LATELY_NOTHING && c->n_wait > 0) { /* a void may wait among them */
        if ((e = core_seal(c, msg)) != ERR_OK)
            return e;
        look(c, r, note);
    }
    if (ask == ASK_NOT || note->what == LATELY_NOTHING || note->what == LATELY_NEW_CARD ||
        (r->flags & RECORD_CONFIRMED))
        return ERR_OK;
    return err_why(msg, ERR_REFUSED, lately_code(note->what),
                   note->what == LATELY_CARD ? "user" : "item", "%s", note->text);
}

/* Somebody else's record arrived that tells of an item just handled here: the slip is out, so the
 * desk hears of it at once and the review shows it later. */
static void look_back(struct core *c, const struct record_ref *ref, const struct record *r)
{
    const struct policy *p = roster_policy(c->roster);
    const struct lately_row *row = lately_item(&c->lately, r);
    struct lately_event e;
    const struct lately_event *mine;
    char a[RECORD_ID_TEXT], b[RECORD_ID_TEXT];
    enum lately_what what;

    if (!p || (mine = newest(c, row)) == NULL ||
        !desk_id_eq(&mine->ref.feed.desk, &c->conf.me->id) ||
        c->wall_ms - mine->at_ms > LATELY_MINUTES_MS)
        return;
    lately_event_of(&c->lately, ref, r, clocks_correction(c, &ref->feed), &e);
    what = e.at_ms < mine->at_ms ? lately_judge(&e, mine, 0) : lately_judge(mine, &e, 0);
    if (what == LATELY_NOTHING)
        return;
    core_id_text(c, &mine->ref, a);
    core_id_text(c, ref, b);
    effects_event(&c->fx, "%s: %s here and %s there are about the same item", lately_code(what), a,
                  b);
}

static void heard(void *ctx, const struct record_ref *ref, const struct record *r)
{
    struct core *c = ctx;

    if (!desk_id_eq(&ref->feed.desk, &c->conf.me->id))
        look_back(c, ref, r);
    lately_learn(&c->lately, ref, r, clocks_correction(c, &ref->feed));
}

/* The key of this start: nobody else can make it. */
static void make_key(struct core *c)
{
    const struct part parts[] = { { c->conf.me->sign_sk, sizeof c->conf.me->sign_sk },
                                  { c->mark.random, sizeof c->mark.random } };

    hash_parts("tideover lately v1", parts, 2, c->lately.key, sizeof c->lately.key);
}

void lately_load(struct core *c)
{
    struct buf raw = { 0 };
    uint64_t read = 0;

    make_key(c);
    for (unsigned i = c->feeds.n; i-- > 0 && read < LATELY_READ_MAX;) {
        const struct feed *f = &c->feeds.v[i];
        uint64_t cut = feeds_cut(&c->feeds, &f->opening.id);
        struct record_ref ref = { f->opening.id, 0 };
        struct block b;
        bool old = false;
        for (uint64_t seq = f->seq; seq > cut && !old && read < LATELY_READ_MAX;
             seq = b.first - 1) {
            struct block_walk w;
            const uint8_t *p;
            size_t n;
            if (feeds_block(c->conf.disk, f->alias, seq, &raw, &b, NULL) != ERR_OK)
                break;
            w = block_walk(&b);
            while ((p = block_next(&w, &n)) != NULL) {
                struct record r;
                ref.seq = w.seq;
                read++;
                if (record_decode(p, n, &r, NULL) != ERR_OK)
                    continue;
                old |= r.at_ms < c->wall_ms - LATELY_MS;
                lately_learn(&c->lately, &ref, &r, clocks_correction(c, &ref.feed));
            }
        }
    }
    buf_free(&raw);
    c->feeds.heard = heard;
    c->feeds.heard_ctx = c;
}
