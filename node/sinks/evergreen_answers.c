/* evergreen_answers.c - the last item of an offline session: waits until the server is at its end,
 * and asks what was not booked. Changes nothing there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evergreen_int.h"

#define POLLS 10 /* in one go; then the shell shows how far it is, and asks again */

struct reading {
    struct evergreen *e;
    struct sink_batch *b;
    struct evergreen_place *by_id;
    uint64_t told;
    uint64_t nameless, foreign; /* in the list, and no line of ours: without an id, with another */
};

static enum err tell(void *ctx, const char *id, enum answer a, const char *words)
{
    struct reading *r = ctx;
    uint32_t k = evergreen_find(r->by_id, r->b->n_lines, id);

    if (k == 0 && id[0] != '\0')
        r->foreign++;
    else if (k == 0)
        r->nameless++;
    if (k == 0 || a == ANSWER_ACCEPTED || r->e->place[k - 1].told)
        return ERR_OK;
    r->e->place[k - 1].told = true;
    r->told++;
    r->b->answer(r->b->ctx, k, a, words);
    return ERR_OK;
}

/* The places of all lines, to be put in another order; NULL: out of memory. */
static struct evergreen_place *copy_places(const struct reading *r)
{
    size_t bytes = (size_t)r->b->n_lines * sizeof *r->e->place;
    struct evergreen_place *v = malloc(bytes + 1);

    return v ? memcpy(v, r->e->place, bytes) : NULL;
}

/* Who is not in the list counts as booked, so it must be ours: a session of ours has no other
 * lines. */
static enum delivery whose_list(const struct reading *r, char words[256])
{
    if (r->foreign == 0)
        return DELIVERY_DONE;
    snprintf(words, 256, "Evergreen gave the list of another session than %s", r->b->key);
    return DELIVERY_RETRY;
}

static enum delivery read_exceptions(struct reading *r, char words[256])
{
    const struct evergreen_call call = { .action = "status",
                                         .status_type = "exceptions",
                                         .key = r->b->key };
    enum delivery d = DELIVERY_STOP;
    struct evergreen_event ev;
    struct web_answer a;
    enum evergreen_end end = evergreen_call(r->e, r->b, &call, &a, &d, words);

    for (uint64_t k = 0; k < r->b->n_lines; k++)
        r->e->place[k].told = false;
    if (end != EVERGREEN_SAID) {
        d = evergreen_again(end, d);
    } else if ((r->by_id = copy_places(r)) == NULL) {
        d = DELIVERY_RETRY;
    } else {
        evergreen_sort_ids(r->by_id, r->b->n_lines);
        if (evergreen_exceptions((const char *)a.body.p, a.body.len, r, tell) == ERR_OK) {
            d = whose_list(r, words);
        } else if (evergreen_event((const char *)a.body.p, a.body.len, &ev) == ERR_OK &&
                   evergreen_says(&ev) == EVERGREEN_FILES) {
            d = DELIVERY_RETRY; /* they are being moved to the archive, or there are none yet */
            snprintf(words, 256, "Evergreen cannot give its list of what was not booked yet");
        } else {
            d = evergreen_refused(&a, words);
        }
    }
    free(r->by_id);
    web_answer_free(&a);
    return d;
}

static void tell_rest(struct reading *r, const struct evergreen_place *v, const char *words)
{
    for (uint64_t i = 0; i < r->b->n_lines; i++)
        if (v[i].answer != 0) {
            r->b->answer(r->b->ctx, v[i].line, (enum answer)v[i].answer, words);
            r->told++;
        }
}

static enum delivery sum_up(const struct reading *r, const char *how, char words[256])
{
    int n =
        snprintf(words, 256, "session %s %s: %llu lines, %llu of them answered apart", r->b->key,
                 how, (unsigned long long)r->b->n_lines, (unsigned long long)r->told);

    if (r->nameless > 0 && n > 0 && n < 256)
        snprintf(words + n, 256 - (size_t)n, "; %llu answers belong to no line of ours",
                 (unsigned long long)r->nameless);
    return DELIVERY_DONE;
}

/* Nobody will ever tell: each line is an exception, and goes again only by a lead's word. */
static enum delivery all_in_doubt(struct reading *r, const char *how, char words[256])
{
    struct evergreen_place *v = r->e->place;

    for (uint64_t i = 0; i < r->b->n_lines; i++)
        v[i].answer = v[i].told ? 0 : ANSWER_DOUBT;
    tell_rest(r, v, how);
    return sum_up(r, how, words);
}

static enum delivery read_broken(struct reading *r, uint64_t done, char words[256])
{
    struct evergreen_place *v;
    enum delivery d = read_exceptions(r, words);

    if (d == DELIVERY_RETRY && done == 0)
        d = DELIVERY_DONE; /* it died before its first result: there is no list */
    if (d != DELIVERY_DONE)
        return d;
    if ((v = copy_places(r)) == NULL)
        return DELIVERY_RETRY;
    evergreen_sort(v, r->b->n_lines);
    evergreen_broken(v, r->b->n_lines, done);
    tell_rest(r, v, "Evergreen's script died in the middle of the session");
    free(v);
    return sum_up(r, "died in the middle", words);
}

static enum delivery at_work(const struct sink_batch *b, const struct evergreen_status *st,
                             char words[256])
{
    snprintf(words, 256, "Evergreen is at work: %llu of %llu", (unsigned long long)st->done,
             (unsigned long long)b->n_lines);
    return DELIVERY_LATER;
}

static enum delivery read_once(struct reading *r, struct evergreen_status *st, char words[256])
{
    struct evergreen *e = r->e;
    enum delivery d = evergreen_ask_status(e, r->b, st, words);
    bool ends;

    if (d == DELIVERY_ABSENT)
        return all_in_doubt(r, "was cleared away before its answers were read", words);
    if (d != DELIVERY_DONE)
        return d;
    if (st->done != e->counted)
        e->waits_ms = 0;
    e->counted = st->done;
    ends = evergreen_patience_ends(e, r->b);
    if (st->ended) {
        d = read_exceptions(r, words);
        if (d == DELIVERY_DONE)
            return sum_up(r, "is finished", words);
        return d == DELIVERY_RETRY && ends
                   ? all_in_doubt(r, "is finished, and its list of refusals cannot be read", words)
                   : d;
    }
    if (!ends)
        return at_work(r->b, st, words);
    return st->started ? read_broken(r, st->done, words)
                       : all_in_doubt(r, "was to begin, and never did", words);
}

enum delivery evergreen_read(struct evergreen *e, struct sink_batch *b, char words[256])
{
    struct evergreen_status *st = malloc(sizeof *st);
    struct reading r = { .e = e, .b = b };
    enum delivery d = DELIVERY_RETRY;

    for (unsigned i = 0; st && i < POLLS; i++) {
        if ((d = read_once(&r, st, words)) != DELIVERY_LATER)
            break;
        evergreen_pause();
    }
    free(st);
    return d;
}
