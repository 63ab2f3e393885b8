/* aside.c - the list of what a batch left without a final outcome. */
#include "aside.h"

#include <stdlib.h>
#include <string.h>

#include "feeds.h"
#include "mem.h"

const char *aside_name(enum aside_what w)
{
    switch (w) {
    case ASIDE_NONE:
        return "";
    case ASIDE_HELD:
        return "held";
    case ASIDE_WAITS:
        return "waits";
    case ASIDE_REVIEW:
        return "review";
    case ASIDE_LATE_VOID:
        return "late_void";
    case ASIDE_UNWRITABLE:
        return "unwritable";
    case ASIDE_BEHIND:
        return "behind";
    case ASIDE_BY_HAND:
        return "by_hand";
    case ASIDE_REFUSED:
        return "refused";
    case ASIDE_QUARANTINED:
        return "quarantined";
    case ASIDE_KEPT_BACK:
        return "kept_back";
    case ASIDE_DOUBT:
        return "in_doubt";
    case ASIDE_NOT_LOADED:
        return "not_loaded";
    case ASIDE_AGAIN:
        return "again";
    case ASIDE_UNKNOWN:
        return "unknown";
    }
    return "";
}

enum aside_what aside_by_name(const char *name)
{
    for (unsigned w = ASIDE_HELD; w < ASIDE_KINDS; w++)
        if (strcmp(aside_name((enum aside_what)w), name) == 0 && name[0])
            return (enum aside_what)w;
    return ASIDE_NONE;
}

const char *aside_next_step(enum aside_what w)
{
    switch (w) {
    case ASIDE_HELD:
        return "look whether the item is here; then enter it in the ILS and say \"upload done\", "
               "or "
               "send it with \"upload release\"";
    case ASIDE_WAITS:
        return "once the new cards are in the ILS say \"upload cards\": then it goes with the next "
               "upload";
    case ASIDE_REVIEW:
        return "look which is right: send that with \"upload release\", and say \"upload done\" of "
               "the others";
    case ASIDE_LATE_VOID:
        return "undo the transaction in the ILS, then say \"upload done\"";
    case ASIDE_UNWRITABLE:
        return "enter it in the ILS by hand, then say \"upload done\"";
    case ASIDE_BEHIND:
        return "enter the unwritable record before it by hand, then send this one with \"upload "
               "release\"";
    case ASIDE_BY_HAND:
        return "register this card in the ILS by hand, then say \"upload done\"; what waits for it "
               "goes with \"upload cards\"";
    case ASIDE_REFUSED:
    case ASIDE_QUARANTINED:
    case ASIDE_KEPT_BACK:
    case ASIDE_DOUBT:
        return "see \"upload exceptions\" for what the ILS said and what to do";
    case ASIDE_NOT_LOADED:
        return "enter it in the ILS by hand, then say \"upload done\"; or mend what the ILS said, "
               "and "
               "send it again with \"upload release\"";
    case ASIDE_UNKNOWN:
        return "ask on another desk: this one was away too long to know";
    case ASIDE_AGAIN:
    case ASIDE_NONE:
        break;
    }
    return "";
}

bool aside_may_go_again(enum aside_what w)
{
    switch (w) {
    case ASIDE_HELD:
    case ASIDE_WAITS:
    case ASIDE_REVIEW:
    case ASIDE_UNWRITABLE:
    case ASIDE_BEHIND:
    case ASIDE_BY_HAND:
    case ASIDE_REFUSED:
    case ASIDE_QUARANTINED:
    case ASIDE_KEPT_BACK:
    case ASIDE_DOUBT:
    case ASIDE_NOT_LOADED:
        return true;
    case ASIDE_LATE_VOID: /* there is nothing to send: undone in the ILS, by hand */
    case ASIDE_AGAIN:
    case ASIDE_UNKNOWN:
    case ASIDE_NONE:
        break;
    }
    return false;
}

void asides_free(struct asides *a)
{
    free(a->v);
    memset(a, 0, sizeof *a);
}

static enum aside_what what_of(const struct merged *m, enum outcome o)
{
    switch (o) {
    case OUTCOME_SENT:
        return ASIDE_NONE;
    case OUTCOME_UNCARRIED: /* an in-house use is lost; a card must not be */
        return m->rec.kind == RECORD_USER ? ASIDE_BY_HAND : ASIDE_NONE;
    case OUTCOME_UNWRITABLE:
        return ASIDE_UNWRITABLE;
    case OUTCOME_BEHIND:
        return ASIDE_BEHIND;
    case OUTCOME_NOT_SENT:
        break;
    }
    switch (m->verdict) {
    case VERDICT_HELD:
        return ASIDE_HELD;
    case VERDICT_WAITS:
        return ASIDE_WAITS;
    case VERDICT_REVIEW:
        return ASIDE_REVIEW;
    case VERDICT_LATE_VOID:
        return ASIDE_LATE_VOID;
    case VERDICT_SEND:
    case VERDICT_DUPLICATE:
    case VERDICT_VOIDED:
    case VERDICT_VOID:
    case VERDICT_IDLE_VOID:
    case VERDICT_SUPERSEDED:
        break;
    }
    return ASIDE_NONE;
}

void asides_note(struct asides *a, const struct merge_job *job, const struct merged *m,
                 enum outcome o)
{
    enum aside_what what = what_of(m, o);
    struct aside *grown;

    if (what == ASIDE_NONE || a->failed)
        return;
    if ((grown = mem_room(a->v, a->n, &a->room, sizeof *grown)) == NULL) {
        a->failed = true;
        return;
    }
    a->v = grown;
    a->v[a->n] = (struct aside){ .ref = { job->feeds[m->feed].feed, m->seq }, .what = what };
    if (m->again)
        memcpy(a->v[a->n].id, m->again->id, MACHINE_ID);
    a->v[a->n++].known = m->again != NULL;
}

static int by_place(const void *x, const void *y)
{
    const struct aside *a = x, *b = y;

    return ref_cmp(&a->ref, &b->ref);
}

/* Stands in a feed's chain behind record w.seq, with h over it. */
struct chain {
    const struct merge_feed *f;
    struct buf raw;
    struct block block;
    struct block_walk walk;
    uint8_t h[HASH_BYTES];
};

static enum err chain_block(struct chain *c, const struct disk *disk, uint64_t seq,
                            struct errmsg *msg)
{
    enum err e = feeds_block(disk, c->f->alias, seq, &c->raw, &c->block, msg);
    uint64_t first = c->block.first;

    if (e == ERR_OK && first == c->f->base + 1) {
        memcpy(c->h, c->f->base_hash, HASH_BYTES);
    } else if (e == ERR_OK) { /* the block before ends where this one begins */
        struct block before;
        if ((e = feeds_block(disk, c->f->alias, first - 1, &c->raw, &before, msg)) == ERR_OK) {
            memcpy(c->h, before.hash, HASH_BYTES);
            e = feeds_block(disk, c->f->alias, seq, &c->raw, &c->block, msg);
        }
    }
    c->walk = block_walk(&c->block);
    return e;
}

static enum err identify(struct chain *c, const struct merge_job *job, const struct disk *disk,
                         struct aside *a, struct errmsg *msg)
{
    const struct merge_feed *f = merge_feed_of(job, &a->ref.feed);
    const uint8_t *p;
    size_t n;
    enum err e;

    if (!f)
        return err_set(msg, ERR_BUG, "a feed that is not in the batch");
    if (f != c->f || c->block.count == 0 || a->ref.seq > block_last(&c->block)) {
        c->f = f;
        if ((e = chain_block(c, disk, a->ref.seq, msg)) != ERR_OK)
            return e == ERR_MISSING ? err_set(msg, ERR_DISK, "a record of %s is missing", f->desk)
                                    : e;
    }
    while ((p = block_next(&c->walk, &n)) != NULL) {
        feed_next_hash(c->h, p, n);
        if (c->walk.seq == a->ref.seq) {
            record_machine_id(job->branch, &a->ref.feed, a->ref.seq, c->h, a->id);
            return ERR_OK;
        }
    }
    return err_set(msg, ERR_DISK, "a record of %s is missing", f->desk);
}

enum err asides_finish(struct asides *a, const struct merge_job *job, const struct disk *disk,
                       struct errmsg *msg)
{
    struct chain c = { .f = NULL };
    enum err e = a->failed ? err_set(msg, ERR_NOMEM, "out of memory") : ERR_OK;

    if (a->n > 0)
        qsort(a->v, a->n, sizeof *a->v, by_place);
    for (unsigned i = 0; i < a->n && e == ERR_OK; i++)
        if (!a->v[i].known)
            e = identify(&c, job, disk, &a->v[i], msg);
    buf_free(&c.raw);
    return e;
}

void asides_hash(const struct asides *a, uint8_t out[ASIDE_HASH_BYTES])
{
    struct buf b = { 0 };

    memset(out, 0, ASIDE_HASH_BYTES);
    for (unsigned i = 0; i < a->n; i++) {
        uint8_t seq[8], what = (uint8_t)a->v[i].what;
        put_be64(seq, a->v[i].ref.seq);
        buf_add(&b, &a->v[i].ref.feed, sizeof a->v[i].ref.feed);
        buf_add(&b, seq, sizeof seq);
        buf_add(&b, &what, 1);
        buf_add(&b, a->v[i].id, MACHINE_ID);
    }
    if (a->n > 0 && !b.failed)
        hash_parts("tideover aside v1", &(struct part){ b.p, b.len }, 1, out, ASIDE_HASH_BYTES);
    buf_free(&b);
}
