/* koha.c - Koha's offline circulation service, told row by row (class F1 whose look proves
 * nothing).
 *
 * Strictly in order, one row in flight. A row whose answer got lost is an exception and is never
 * sent again, for a repeated issue is a renewal; before the next row leaves, the server must have
 * shown that it answers. */
#include <stdio.h>
#include <string.h>

#include "aside_int.h"
#include "koha_int.h"

#define SERVICE     "/cgi-bin/koha/offline_circ/service.pl"
#define LOGIN       "/cgi-bin/koha/svc/authentication"
#define LIMIT_MS    60000
#define STRANGE_MAX 3 /* answers in a row that are none: it would go on like that */

struct koha {
    struct koha_session s;
    bool ready;     /* it answered, and let us in */
    char csrf[512]; /* from 24.05 on; "": none wanted */
    unsigned strange;
};

void sink_koha_end(void *session)
{
    koha_end(session, sizeof(struct koha));
}

/* Before 24.05 the first pair is read, from then on the second; the first also names whose row it
 * is in the queue. */
static void add_login(const struct koha *k, struct buf *form)
{
    web_form_add(form, "userid", k->s.login.user);
    web_form_add(form, "password", k->s.login.pass);
    web_form_add(form, "login_userid", k->s.login.user);
    web_form_add(form, "login_password", k->s.login.pass);
}

/* A token against forged pages, and the cookie that it belongs to; where the server gives none, it
 * wants none. Does nothing there, and shows that it answers. */
static enum delivery get_ready(struct koha *k, char words[256])
{
    struct web_request rq = { .path = LOGIN };
    struct buf form = { 0 };
    struct web_answer a;
    enum delivery d = DELIVERY_DONE;
    enum web_end end = web_send(k->s.web, &rq, &a);

    if (end == WEB_ANSWERED && a.status == 200 && a.csrf[0] != '\0') {
        memcpy(k->csrf, a.csrf, sizeof k->csrf);
        web_answer_free(&a);
        add_login(k, &form);
        rq.form = &form;
        rq.csrf = k->csrf;
        end = web_send(k->s.web, &rq, &a);
        if (a.csrf[0] != '\0')
            memcpy(k->csrf, a.csrf, sizeof k->csrf);
    }
    if (end != WEB_ANSWERED || a.status != 200)
        d = web_failed(k->s.web, &a, end, "Koha", words);
    k->ready = d == DELIVERY_DONE;
    web_answer_free(&a);
    buf_wipe(&form);
    return d;
}

static enum web_end send_row(struct koha *k, const struct policy *p, const struct koha_row *r,
                             struct web_answer *a)
{
    struct buf form = { 0 };
    struct web_request rq = { .path = SERVICE, .form = &form, .csrf = k->csrf };
    enum web_end end;
    char at[24];

    koha_time(r, &p->zone, !p->koha_service.local_time, at);
    add_login(k, &form);
    web_form_add(&form, "branchcode", p->koha_service.branchcode);
    web_form_add(&form, "pending", p->koha_service.pending ? "true" : "false");
    web_form_add(&form, "action", r->issue ? "issue" : "return");
    web_form_add(&form, "timestamp", at);
    web_form_add(&form, "barcode", r->item);
    if (r->issue)
        web_form_add(&form, "cardnumber", r->card);
    end = form.failed ? WEB_NOT_SENT : web_send(k->s.web, &rq, a);
    buf_wipe(&form);
    return end;
}

static enum delivery in_doubt(struct koha *k, const char *why, char words[256])
{
    k->ready = false;
    snprintf(words, 256, "Koha gave no answer to row (%.120s)", why);
    return DELIVERY_DOUBT;
}

/* Something answers that is not Koha's offline service: no more rows go there. */
static enum delivery stop_strange(struct koha *k, char words[256])
{
    k->strange = STRANGE_MAX - 1; /* the next run tries one row */
    snprintf(words, 256,
             "the sink gives answers that Koha's offline service never gives: is its address "
             "right? The last rows are listed as in doubt");
    return DELIVERY_STOP;
}

static enum delivery judge(struct koha *k, struct sink_batch *b, const struct koha_row *r,
                           const struct web_answer *a, char words[256])
{
    bool queues = b->policy->koha_service.pending;
    char said[ANSWER_WORDS_MAX + 1];
    enum answer answer;
    enum koha_says says = koha_body((const char *)a->body.p, a->body.len, r->issue, &answer);

    snprintf(said, sizeof said, "%s",
             a->body.len > 0 ? (const char *)a->body.p : "the action word is not known");
    text_mend(said);
    words[0] = '\0';
    switch (says) {
    case KOHA_UNKNOWN:
        k->strange++;
        return in_doubt(k, "its answer is none that Koha's offline service gives", words);
    case KOHA_STOP:
        k->ready = false; /* wrong, or without the right to circulate */
        return web_denied(k->s.web, "Koha", "", words);
    case KOHA_ANSWERED:
    case KOHA_QUEUED:
        break;
    }
    k->strange = 0;
    if (answer == ANSWER_ACCEPTED && (says == KOHA_QUEUED) != queues)
        answer = ANSWER_DEVIATING; /* booked where it was to wait, or the other way round */
    if (answer != ANSWER_ACCEPTED)
        b->answer(b->ctx, b->item, answer, said);
    return DELIVERY_DONE;
}

static enum delivery deliver_row(struct koha *k, struct sink_batch *b, const struct koha_row *r,
                                 char words[256])
{
    struct web_answer a = { 0 };
    enum delivery d;
    enum web_end end;

    if (k->strange >= STRANGE_MAX)
        return stop_strange(k, words);
    for (unsigned i = 0; i < 2; i++) {
        if (!k->ready && (d = get_ready(k, words)) != DELIVERY_DONE)
            return d;
        if (!b->may_send(b->ctx))
            return sink_too_late(words);
        end = send_row(k, b->policy, r, &a);
        if (end != WEB_ANSWERED || a.status != 403 || i > 0)
            break;
        k->ready = false; /* the token has grown old: nothing was done */
        web_answer_free(&a);
    }
    if (end == WEB_LOST)
        d = in_doubt(k, a.words, words);
    else if (end == WEB_ANSWERED && a.status >= 500)
        d = in_doubt(k, "an error of the server", words);
    else if (end == WEB_ANSWERED && a.status == 200)
        d = judge(k, b, r, &a, words);
    else
        d = web_failed(k->s.web, &a, end, "Koha", words);
    k->ready = k->ready && d == DELIVERY_DONE;
    web_answer_free(&a);
    return d;
}

/* The receipt's evidence is short: once for all. */
static void sum_up(const struct sink_batch *b, char words[256])
{
    words[0] = '\0';
    if (b->item == b->n_lines)
        koha_sum_up(b, words);
}

enum delivery sink_koha_deliver(struct sink_batch *b, char words[256])
{
    struct koha_row row;
    enum delivery d;
    struct koha *k = koha_begin(b, sizeof *k, LIMIT_MS, &d, words);

    if (!k)
        return d;
    if (b->behind(b->ctx, b->item)) {
        b->answer(b->ctx, b->item, ANSWER_HELD, "");
        sum_up(b, words);
        return DELIVERY_DONE;
    }
    if ((d = koha_read_row(b, b->item, &row, words)) != DELIVERY_DONE)
        return d;
    if ((d = deliver_row(k, b, &row, words)) == DELIVERY_DONE)
        sum_up(b, words);
    return d;
}

/* The queue can be read by people alone, and a row that was booked leaves no trace of its own. */
enum delivery sink_koha_look(struct sink_batch *b, char words[256])
{
    (void)b;
    snprintf(words, 256, "nobody can ask Koha about a single row");
    return DELIVERY_UNPROVEN;
}
