/* koha_plugin.c - Koha's plugin for offline circulation: batches with one result per row (class
 * F3).
 *
 * The plugin remembers what it processed and skips it, so the whole is simply sent again after
 * anything went wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aside_int.h"
#include "koha_int.h"

#define BATCH    "/api/v1/contrib/offlinecirc/transactions"
#define TOKEN    "/api/v1/oauth/token"
#define LIMIT_MS 300000 /* as the plugin's makers ask for */
#define ROWS_MAX 200    /* of one request: minutes at the slowest */
#define TURN_S   30

struct verdict {
    enum answer answer;
    char words[ANSWER_WORDS_MAX + 1];
};

struct koha_plugin {
    struct koha_session s;
    char token[2048];        /* "": none yet */
    struct verdict *verdict; /* of each line, from 0 */
    uint64_t done;           /* lines that have one */
};

void sink_koha_plugin_end(void *session)
{
    struct koha_plugin *k = session;

    if (k)
        free(k->verdict); /* Koha's words of rows name nobody that the payload does not */
    koha_end(k, sizeof *k);
}

static enum delivery get_token(struct koha_plugin *k, char words[256])
{
    struct buf form = { 0 };
    struct web_request rq = { .path = TOKEN, .form = &form };
    struct web_answer a;
    enum delivery d = DELIVERY_DONE;
    enum web_end end;

    web_form_add(&form, "grant_type", "client_credentials");
    web_form_add(&form, "client_id", k->s.login.user);
    web_form_add(&form, "client_secret", k->s.login.pass);
    end = web_send(k->s.web, &rq, &a);
    buf_wipe(&form);
    if (end != WEB_ANSWERED || a.status != 200) {
        d = web_failed(k->s.web, &a, end, "Koha", words);
    } else if (koha_token((const char *)a.body.p, a.body.len, k->token, sizeof k->token) !=
               ERR_OK) {
        snprintf(words, 256, "Koha gave no access token: is its OAuth turned on?");
        d = DELIVERY_STOP;
    }
    web_answer_free(&a);
    return d;
}

/* ---- rows ---- */

struct results {
    struct verdict *of; /* of the request's first row */
    bool queues;        /* is that what the policy wants? */
};

static void take_result(void *ctx, size_t i, enum koha_says says, enum answer a, const char *words)
{
    const struct results *r = ctx;

    if (a == ANSWER_ACCEPTED && (says == KOHA_QUEUED) != r->queues)
        a = ANSWER_DEVIATING;
    r->of[i].answer = a;
    snprintf(r->of[i].words, sizeof r->of[i].words, "%s", words);
}

static enum delivery write_rows(struct sink_batch *b, uint64_t from, uint64_t to, struct buf *json,
                                char words[256])
{
    const struct koha_service *s = &b->policy->koha_service;
    struct koha_row row;

    koha_batch_begin(json, s->branchcode, s->pending);
    for (uint64_t k = from; k <= to; k++) {
        enum delivery d = koha_read_row(b, k, &row, words);
        if (d != DELIVERY_DONE)
            return d;
        koha_batch_row(json, &row, &b->policy->zone, k == from);
    }
    koha_batch_end(json);
    if (!json->failed)
        return DELIVERY_DONE;
    snprintf(words, 256, "out of memory");
    return DELIVERY_RETRY;
}

static enum web_end send_rows(struct koha_plugin *k, const struct policy *p, const struct buf *json,
                              struct web_answer *a)
{
    struct web_request rq = { .path = BATCH, .json = json };

    if (p->koha_service.oauth) {
        rq.bearer = k->token;
    } else {
        rq.user = k->s.login.user;
        rq.pass = k->s.login.pass;
    }
    return web_send(k->s.web, &rq, a);
}

static enum delivery deliver_rows(struct koha_plugin *k, struct sink_batch *b, uint64_t from,
                                  uint64_t to, struct verdict *v, char words[256])
{
    bool oauth = b->policy->koha_service.oauth;
    struct results into = { v, b->policy->koha_service.pending };
    struct buf json = { 0 };
    struct web_answer a = { 0 };
    enum web_end end = WEB_NOT_SENT;
    enum delivery d = write_rows(b, from, to, &json, words);

    for (unsigned i = 0; i < 2 && d == DELIVERY_DONE; i++) {
        if (oauth && k->token[0] == '\0' && (d = get_token(k, words)) != DELIVERY_DONE)
            break;
        if (!b->may_send(b->ctx)) {
            d = sink_too_late(words);
            break;
        }
        web_answer_free(&a);
        end = send_rows(k, b->policy, &json, &a);
        if (end != WEB_ANSWERED || a.status != 401 || !oauth)
            break;
        k->token[0] = '\0'; /* expired */
    }
    if (d == DELIVERY_DONE && (end != WEB_ANSWERED || a.status != 200)) {
        d = web_failed(k->s.web, &a, end, "Koha's plugin", words);
    } else if (d == DELIVERY_DONE && koha_results((const char *)a.body.p, a.body.len, to - from + 1,
                                                  &into, take_result) != ERR_OK) {
        snprintf(words, 256,
                 "Koha's plugin gave not one result for each row: sent once more, "
                 "which does no harm");
        d = DELIVERY_RETRY;
    }
    web_answer_free(&a);
    buf_wipe(&json);
    return d;
}

/* For half a minute at most; then the shell shows how far it is, and comes back. */
static enum delivery deliver_some(struct koha_plugin *k, struct sink_batch *b, char words[256])
{
    struct timespec from, now;
    enum delivery d = DELIVERY_DONE;

    clock_gettime(CLOCK_BOOTTIME, &from);
    while (d == DELIVERY_DONE && k->done < b->n_lines) {
        uint64_t to = k->done + ROWS_MAX < b->n_lines ? k->done + ROWS_MAX : b->n_lines;
        clock_gettime(CLOCK_BOOTTIME, &now);
        if (now.tv_sec - from.tv_sec >= TURN_S) {
            snprintf(words, 256, "Koha has taken %llu of %llu rows", (unsigned long long)k->done,
                     (unsigned long long)b->n_lines);
            return DELIVERY_LATER;
        }
        if ((d = deliver_rows(k, b, k->done + 1, to, k->verdict + k->done, words)) == DELIVERY_DONE)
            k->done = to;
    }
    return d;
}

/* Told at the end, for what is told counts only once all are done. */
enum delivery sink_koha_plugin_deliver(struct sink_batch *b, char words[256])
{
    enum delivery d;
    struct koha_plugin *k = koha_begin(b, sizeof *k, LIMIT_MS, &d, words);

    if (!k)
        return d;
    if (!k->verdict && (k->verdict = calloc(b->n_lines + 1, sizeof *k->verdict)) == NULL) {
        snprintf(words, 256, "out of memory");
        return DELIVERY_RETRY;
    }
    if ((d = deliver_some(k, b, words)) != DELIVERY_DONE)
        return d;
    for (uint64_t i = 0; i < b->n_lines; i++)
        if (k->verdict[i].answer != ANSWER_ACCEPTED)
            b->answer(b->ctx, i + 1, k->verdict[i].answer, k->verdict[i].words);
    koha_sum_up(b, words);
    return DELIVERY_DONE;
}
