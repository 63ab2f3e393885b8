/* sip2.c - sink of a SIP2 server (class F1): one record, one message, one answer.
 *
 * Nothing here is sent twice without a look between, and a discharge or renewal never: rules S1 to
 * S10 in proto/PROTOCOL.md, "SIP2"; what answers and looks mean is proto/sip2_judge.c. Before this
 * is called for a record, a majority of seats knows that it is about to be sent. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sodium.h>

#include "aside_int.h"
#include "hmap.h"
#include "sip2_link.h"

#define OPENINGS 4 /* tries in one call: 0.1, 0.2, 0.4 s apart; then the ledger's own pauses */

struct session {
    struct sip2_link *link;
    struct sip2_tally tally;
    uint64_t looked;     /* line that was looked for last: a send of it is one more */
    bool named;          /* the receipt has where it went */
    struct hmap loans;   /* item: line of its last loan or renewal so far, 0 once it is back */
    uint64_t followed;   /* lines that are in it */
    int64_t clock_off_s; /* the server's minus ours at the last opening; 0 too if it has none */
};

static struct session *session_of(struct sink_batch *b)
{
    struct session *s = *b->session;

    if (s || (s = calloc(1, sizeof *s)) == NULL)
        return s;
    if ((s->link = sip2_link_new()) == NULL) {
        free(s);
        return NULL;
    }
    return *b->session = s;
}

void sink_sip2_end(void *session)
{
    struct session *s = session;

    sip2_link_close(s->link, true);
    sip2_link_free(s->link);
    hmap_free(&s->loans);
    free(s);
}

static enum delivery no_memory(char words[256])
{
    snprintf(words, 256, "out of memory");
    return DELIVERY_RETRY;
}

/* ---- coming to the server ---- */

static enum delivery open_once(struct sink_batch *b, struct session *s, char words[256])
{
    struct sip2_site site;
    struct errmsg msg = { .text = "" };
    enum err e = sip2_site_find(b->home, b->policy, b->target, &site, &msg);
    enum delivery d;

    if (e == ERR_OK) {
        d = sip2_link_open(s->link, &site, words);
    } else {
        snprintf(words, 256, "%s", msg.text);
        d = e == ERR_NOMEM ? DELIVERY_RETRY : DELIVERY_STOP;
    }
    sodium_memzero(&site, sizeof site);
    return d;
}

static enum delivery open_link(struct sink_batch *b, struct session *s, char words[256])
{
    enum delivery d = DELIVERY_RETRY;

    for (unsigned i = 0; i < OPENINGS && d == DELIVERY_RETRY; i++) {
        struct timespec pause = { 0, 100000000L << (i > 0 ? i - 1 : 0) };
        if (i > 0)
            nanosleep(&pause, NULL);
        d = open_once(b, s, words);
    }
    if (d != DELIVERY_DONE)
        return d;
    sip2_tally_lives(&s->tally);
    if (!sip2_clock_off(sip2_link_status(s->link), &b->policy->zone, time(NULL), &s->clock_off_s))
        s->clock_off_s = 0;
    return d;
}

/* ---- who has the item, as this batch tells it ---- */

static void item_key(const struct sip2_ask *ask, uint8_t key[16])
{
    crypto_generichash(key, 16, (const uint8_t *)ask->item, strlen(ask->item), NULL, 0);
}

static enum err read_ask(const struct sink_batch *b, uint64_t k, struct sip2_ask *out)
{
    struct sink_line line;
    enum err e = b->line(b->ctx, k, &line);

    return e == ERR_OK ? sip2_ask_of((const char *)line.bytes, line.n, out, NULL) : e;
}

static bool follow(const struct sink_batch *b, struct session *s, uint64_t k)
{
    uint8_t key[16];
    struct sip2_ask ask;
    uint64_t *loan;
    bool fresh;

    if (read_ask(b, k, &ask) != ERR_OK)
        return false;
    item_key(&ask, key);
    if ((loan = hmap_at(&s->loans, key, &fresh)) == NULL)
        return false;
    *loan = ask.kind == RECORD_DISCHARGE ? 0 : k;
    return true;
}

/* A return names no user; the loan before it does. So an answer that names another one is noticed.
 * What cannot be found out is simply not compared. */
static void find_holder(const struct sink_batch *b, struct session *s, uint64_t k,
                        struct sip2_ask *ask)
{
    struct sip2_ask before;
    const uint64_t *loan;
    uint8_t key[16];

    while (s->followed + 1 < k && follow(b, s, s->followed + 1))
        s->followed++;
    item_key(ask, key);
    loan = hmap_find(&s->loans, key);
    if (loan && *loan > 0 && read_ask(b, *loan, &before) == ERR_OK)
        memcpy(ask->user, before.user, sizeof ask->user);
}

/* ---- one record ---- */

struct telling {
    struct sink_batch *b;
    struct session *s;
    uint64_t k;
    struct sip2_ask ask;
    struct buf message;
};

static enum delivery begin(struct telling *t, struct sink_batch *b, char words[256])
{
    struct sink_line line;
    struct errmsg msg = { .text = "" };

    memset(t, 0, sizeof *t);
    words[0] = '\0';
    t->b = b;
    t->k = b->item;
    if ((t->s = session_of(b)) == NULL)
        return no_memory(words);
    if (b->line(b->ctx, t->k, &line) != ERR_OK) {
        snprintf(words, 256, "cannot read line %llu of the batch", (unsigned long long)t->k);
        return DELIVERY_RETRY;
    }
    if (sip2_ask_of((const char *)line.bytes, line.n, &t->ask, &msg) != ERR_OK) {
        snprintf(words, 256, "line %llu: %s. Set the policy's format to sip2",
                 (unsigned long long)t->k, msg.text);
        return DELIVERY_STOP;
    }
    buf_add(&t->message, line.bytes, line.n > 0 ? line.n - 1 : 0);
    if (t->ask.kind == RECORD_DISCHARGE)
        find_holder(b, t->s, t->k, &t->ask);
    return t->message.failed ? no_memory(words) : DELIVERY_DONE;
}

/* The receipt's evidence, said once: where it went, and whether that clock can be trusted. */
static void name_server(const struct telling *t, char words[256])
{
    int64_t off = t->s->clock_off_s, min = (off < 0 ? -off : off) / 60;
    int n = snprintf(words, 256, "told record by record to %.150s", t->b->target);

    if (off > SIP2_CLOCK_WARN_S || off < -SIP2_CLOCK_WARN_S)
        snprintf(words + n, 256 - (size_t)n, ", whose clock is %lld min %s this desk's",
                 (long long)min, off < 0 ? "behind" : "ahead of");
}

static enum delivery told(struct telling *t, enum answer a, const char *what, char words[256])
{
    struct sink_batch *b = t->b;

    sip2_tally_told(&t->s->tally, t->k, a);
    if (a != ANSWER_HELD && a != ANSWER_QUARANTINED)
        sip2_tally_lives(&t->s->tally);
    b->answer(b->ctx, t->k, a, what);
    words[0] = '\0';
    if (!t->s->named)
        name_server(t, words);
    t->s->named = true;
    return DELIVERY_DONE;
}

static enum delivery set_aside(struct telling *t, char words[256])
{
    return told(t, ANSWER_QUARANTINED,
                "the server failed at this record three times and went on with others", words);
}

/* Refused as a discharge: was there anything to do? The words are the server's, in any language. */
static void ask_where(struct telling *t, struct sip2_told *said)
{
    struct sip2_msg m;

    if (sip2_link_item(t->s->link, t->b->policy, t->ask.item, &m) != SIP2_GOT_ANSWER)
        return; /* refused it is */
    if (sip2_place_of(&m) == SIP2_IN)
        said->answer = ANSWER_ALREADY;
}

static enum sip2_got send_once(struct telling *t, const struct buf *message, struct sip2_told *said,
                               char words[256])
{
    struct sip2_answer a;
    enum sip2_got got = sip2_link_ask(t->s->link, message, &a);

    if (got == SIP2_GOT_ANSWER) {
        sip2_judge(&t->ask, a.seq, t->s->looked == t->k, a.p, a.n, said);
        if (said->next == SIP2_LOST)
            snprintf(words, 256, "%s", said->words);
    } else if (got == SIP2_GOT_NOTHING) {
        said->next = SIP2_LOST;
        snprintf(words, 256, "%s", a.why);
    }
    return got;
}

/* The connection may have gone while nobody looked: then nothing left, and a new one is opened. */
static enum delivery send_it(struct telling *t, const struct buf *message, struct sip2_told *said,
                             char words[256])
{
    for (unsigned i = 0; i < 2; i++) {
        enum delivery d = DELIVERY_DONE;
        if (!sip2_link_is_open(t->s->link))
            d = open_link(t->b, t->s, words);
        if (d == DELIVERY_DONE && !t->b->may_send(t->b->ctx))
            d = sink_too_late(words);
        if (d != DELIVERY_DONE)
            return d;
        if (send_once(t, message, said, words) != SIP2_GOT_UNSENT)
            return DELIVERY_DONE;
    }
    snprintf(words, 256, "the SIP2 server closes each connection before it can be used");
    return DELIVERY_RETRY;
}

/* BO=Y: a fee was told to the user at the desk, or would have been. */
static enum delivery acknowledge_fee(struct telling *t, struct sip2_told *said, char words[256])
{
    for (size_t i = 0; i + 4 <= t->message.len; i++)
        if (memcmp(t->message.p + i, "|BON", 4) == 0)
            t->message.p[i + 3] = 'Y';
    return send_it(t, &t->message, said, words);
}

static enum delivery tell(struct telling *t, char words[256])
{
    struct sip2_told said = { .next = SIP2_LOST };
    enum delivery d = send_it(t, &t->message, &said, words);

    if (d == DELIVERY_DONE && said.next == SIP2_FEE && t->b->policy->sip2.fee_ack &&
        (d = acknowledge_fee(t, &said, words)) != DELIVERY_DONE)
        return d;
    if (d != DELIVERY_DONE)
        return d;
    if (said.next == SIP2_LOST) {
        sip2_tally_failed(&t->s->tally, t->k);
        sip2_link_close(t->s->link, false); /* a late answer must not meet the next question */
        return DELIVERY_DOUBT;
    }
    if (said.next == SIP2_ITEM)
        ask_where(t, &said);
    return told(t, said.answer, said.words, words);
}

enum delivery sink_sip2_deliver(struct sink_batch *b, char words[256])
{
    struct telling t;
    enum delivery d = begin(&t, b, words);

    if (d == DELIVERY_DONE && sip2_tally_stops(&t.s->tally)) {
        snprintf(words, 256,
                 "the server refused the first %d records, all of them: look at their reasons "
                 "(tideover upload exceptions); institution and location in [sip2] may be wrong. "
                 "Run the upload again to go on behind them",
                 SIP2_REFUSED);
        d = DELIVERY_STOP;
    }
    if (d == DELIVERY_DONE && b->behind(b->ctx, t.k)) {
        d = told(&t, ANSWER_HELD, "", words);
    } else if (d == DELIVERY_DONE) {
        if (!sip2_link_is_open(t.s->link))
            d = open_link(b, t.s, words);
        if (d == DELIVERY_DONE)
            d = sip2_tally_is_poison(&t.s->tally, t.k) ? set_aside(&t, words) : tell(&t, words);
    }
    buf_free(&t.message);
    return d;
}

/* ---- in doubt ---- */

/* False: could not look. */
static bool see(struct telling *t, struct sip2_seen *seen)
{
    const struct policy *p = t->b->policy;
    struct sip2_msg m;
    unsigned from = 1;

    memset(seen, 0, sizeof *seen);
    if (sip2_link_item(t->s->link, p, t->ask.item, &m) != SIP2_GOT_ANSWER)
        return false;
    seen->place = sip2_place_of(&m);
    seen->due = sip2_due(&m);
    if (p->sip2.au_usable == AU_NO || !sip2_wants_patron(&t->ask, seen))
        return true;
    do { /* a server that knows no pages says the same each time: bounded */
        if (sip2_link_patron(t->s->link, p, t->ask.user, from, &m) != SIP2_GOT_ANSWER)
            return false;
        from += SIP2_PAGE;
    } while (sip2_see_page(&t->ask, &m, seen) && from < 20 * SIP2_PAGE);
    return true;
}

static enum delivery look_at(struct telling *t, char words[256])
{
    struct sip2_seen seen;
    struct sip2_told said;
    enum delivery d;

    if (!see(t, &seen)) {
        sip2_tally_failed(&t->s->tally, t->k);
        sip2_link_close(t->s->link, false);
        snprintf(words, 256, "the SIP2 server does not say where the item in doubt is");
        return DELIVERY_RETRY;
    }
    d = sip2_after_look(&t->ask, &seen, &said);
    t->s->looked = t->k;
    if (d == DELIVERY_DONE)
        return told(t, said.answer, said.words, words);
    if (d == DELIVERY_ABSENT && sip2_tally_is_poison(&t->s->tally, t->k))
        return set_aside(t, words);
    snprintf(words, 256, "%s", said.words);
    return d;
}

enum delivery sink_sip2_look(struct sink_batch *b, char words[256])
{
    struct telling t;
    enum delivery d = begin(&t, b, words);

    if (d == DELIVERY_DONE) {
        sip2_link_close(t.s->link, false);
        d = open_link(b, t.s, words);
        if (d == DELIVERY_DONE)
            d = sip2_tally_is_poison(&t.s->tally, t.k) && t.s->looked != t.k ? set_aside(&t, words)
                                                                             : look_at(&t, words);
    }
    buf_free(&t.message);
    return d;
}
