/* web.c - requests to web services by libcurl. */
#include "web_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "libcurl.h"
#include "reach.h"
#include "url.h"

#define FILE_MS 480000 /* below the time after which the ledger begins anew */
#define SLOWEST 100L   /* bytes/s: who takes less hangs */

struct web {
    CURL *curl;
    char base[POLICY_TEXT_VALUE];
    struct reach reach;
    uint32_t limit_ms;
    char login[CREDENTIAL_LOGIN_TEXT];
};

static enum err may_go_there(const char *text, const struct sink_access *access, struct errmsg *msg)
{
    struct url u;
    enum err e = url_parse(text, &u, msg);

    if (e == ERR_OK && strcmp(u.scheme, "https") != 0 && !url_is_loopback(&u) && !access->insecure)
        return err_set(msg, ERR_CONFIG,
                       "the policy's sink begins with http://: a password would cross the network "
                       "in the open. Publish a policy with https://");
    return e;
}

struct web *web_new(const struct sink_batch *b, uint32_t limit_ms, char words[256])
{
    const struct sink_access *access = &b->policy->access;
    struct errmsg msg = { .text = "" };
    struct web *w = calloc(1, sizeof *w);
    size_t n = strlen(b->target);

    if (!w || may_go_there(b->target, access, &msg) != ERR_OK || n >= sizeof w->base ||
        reach_find(b->home, b->policy, &w->reach, &msg) != ERR_OK ||
        (w->curl = curl_easy_init()) == NULL) {
        free(w);
        snprintf(words, 256, "%s", msg.text[0] != '\0' ? msg.text : libcurl_why());
        return NULL;
    }
    while (n > 0 && b->target[n - 1] == '/')
        n--;
    memcpy(w->base, b->target, n);
    credential_login(b->home, b->policy, w->login);
    w->limit_ms = policy_quiet_ms(b->policy, limit_ms); /* what a successor waits for */
    if (w->limit_ms == 0 || w->limit_ms > limit_ms)
        w->limit_ms = limit_ms;
    return w;
}

bool web_find_login(const struct sink_batch *b, const char *user, struct web_login *out,
                    char words[256])
{
    struct errmsg msg = { .text = "the policy names no credential for its sink" };
    bool ok = b->policy->access.credential[0] != '\0';

    if (user[0] != '\0')
        snprintf(out->user, sizeof out->user, "%s", user);
    else
        ok = ok && b->secret(b->ctx, "user", out->user, &msg) == ERR_OK;
    ok = ok && b->secret(b->ctx, "password", out->pass, &msg) == ERR_OK;
    if (!ok) {
        sodium_memzero(out, sizeof *out);
        snprintf(words, 256, "%s", msg.text);
    }
    return ok;
}

void web_free(struct web *w)
{
    if (!w)
        return;
    curl_easy_cleanup(w->curl);
    free(w);
}

curl_mime *web_mime(struct web *w)
{
    return curl_mime_init(w->curl);
}

void web_form_add(struct buf *form, const char *key, const char *value)
{
    static const char hex[] = "0123456789ABCDEF", plain[] = "-._~";

    buf_printf(form, "%s%s=", form->len > 0 ? "&" : "", key);
    for (const unsigned char *s = (const unsigned char *)value; *s != 0; s++) {
        char out[3] = { '%', hex[*s >> 4], hex[*s & 15] };
        bool same = (*s >= '0' && *s <= '9') || (*s >= 'A' && *s <= 'Z') ||
                    (*s >= 'a' && *s <= 'z') || strchr(plain, *s);
        buf_add(form, same ? (const char *)s : out, same ? 1 : 3);
    }
}

void web_answer_free(struct web_answer *a)
{
    buf_wipe(&a->body);
    memset(a->csrf, 0, sizeof a->csrf);
}

static size_t take_body(char *p, size_t size, size_t n, void *ctx)
{
    struct web_answer *a = ctx;

    if (a->body.len + size * n > WEB_ANSWER_MAX)
        return 0;
    buf_add(&a->body, p, size * n);
    return a->body.failed ? 0 : size * n;
}

static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
    static const char name[] = "csrf-token:";
    struct web_answer *a = ctx;
    size_t len = size * n, k = sizeof name - 1;

    if (len > k && strncasecmp(p, name, k) == 0) {
        while (k < len && p[k] == ' ')
            k++;
        while (len > k && (p[len - 1] == '\r' || p[len - 1] == '\n' || p[len - 1] == ' '))
            len--;
        if (len - k < sizeof a->csrf) {
            memcpy(a->csrf, p + k, len - k);
            a->csrf[len - k] = '\0';
        }
    }
    return size * n;
}

static void set_common(struct web *w, const char *url, struct web_answer *a)
{
    CURL *c = w->curl;

    curl_easy_reset(c); /* of options; cookies stay */
    reach_set(c, &w->reach);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(c, CURLOPT_COOKIEFILE, ""); /* keeps cookies, in memory */
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)w->limit_ms);
    /* A server that vanished is noticed in the time after which a successor believes that nothing
     * is on its way any more. */
    reach_set_patience(c, &w->limit_ms);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, a);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, a);
}

static struct curl_slist *headers(const struct web_request *rq)
{
    struct curl_slist *all = curl_slist_append(NULL, "Expect:"); /* no waiting for a "go on" */
    char csrf[600];

    if (rq->json)
        all = curl_slist_append(all, "Content-Type: application/json");
    if (rq->csrf && rq->csrf[0]) {
        snprintf(csrf, sizeof csrf, "CSRF-TOKEN: %s", rq->csrf);
        all = curl_slist_append(all, csrf);
    }
    return all;
}

/* A file may take its time over a slow line as long as it moves: what must not be under way when a
 * successor looks is never one. */
static void set_file(const struct web *w, curl_mime *mime)
{
    curl_easy_setopt(w->curl, CURLOPT_MIMEPOST, mime);
    curl_easy_setopt(w->curl, CURLOPT_TIMEOUT_MS, (long)FILE_MS);
    curl_easy_setopt(w->curl, CURLOPT_LOW_SPEED_LIMIT, SLOWEST);
    curl_easy_setopt(w->curl, CURLOPT_LOW_SPEED_TIME, (long)(w->limit_ms / 1000) + 1);
}

static void set_request(struct web *w, const struct web_request *rq)
{
    const struct buf *body = rq->json ? rq->json : rq->form;
    CURL *c = w->curl;

    if (rq->mime) {
        set_file(w, rq->mime);
    } else if (body) {
        curl_easy_setopt(c, CURLOPT_POST, 1L);
        curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
        curl_easy_setopt(c, CURLOPT_POSTFIELDS, body->len > 0 ? (const char *)body->p : "");
    }
    if (rq->user) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(c, CURLOPT_USERNAME, rq->user);
        curl_easy_setopt(c, CURLOPT_PASSWORD, rq->pass);
    } else if (rq->bearer) {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, rq->bearer);
    }
}

static enum web_end how_it_ended(const struct web *w, CURLcode rc, const char *detail,
                                 struct web_answer *a)
{
    CURL *c = w->curl;

    curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &a->status);
    if (rc == CURLE_OK)
        return WEB_ANSWERED;
    snprintf(a->words, sizeof a->words, "%s", *detail ? detail : curl_easy_strerror(rc));
    if (reach_has_left(c, w->base, &w->reach))
        return WEB_LOST;
    return reach_is_barred(rc) ? WEB_BARRED : WEB_NOT_SENT;
}

enum web_end web_send(struct web *w, const struct web_request *rq, struct web_answer *a)
{
    char url[POLICY_TEXT_VALUE + 256], detail[CURL_ERROR_SIZE] = "";
    struct curl_slist *head = headers(rq);
    enum web_end end;
    CURLcode rc;

    memset(a, 0, sizeof *a);
    snprintf(url, sizeof url, "%s%s", w->base, rq->path);
    set_common(w, url, a);
    set_request(w, rq);
    curl_easy_setopt(w->curl, CURLOPT_HTTPHEADER, head);
    curl_easy_setopt(w->curl, CURLOPT_ERRORBUFFER, detail);
    rc = head ? curl_easy_perform(w->curl) : CURLE_OUT_OF_MEMORY;
    end = how_it_ended(w, rc, detail, a);
    if (end == WEB_ANSWERED) {
        buf_add(&a->body, "", 1); /* so that it is a text */
        if (a->body.failed)
            end = WEB_LOST;
        else
            a->body.len--;
    }
    curl_easy_reset(w->curl); /* nothing of this request, or its password, is left in it */
    curl_slist_free_all(head);
    return end;
}

enum delivery web_denied(const struct web *w, const char *what, const char *detail, char words[256])
{
    return sink_denied(w->login, what, detail, words);
}

enum delivery web_failed(const struct web *w, const struct web_answer *a, enum web_end end,
                         const char *what, char words[256])
{
    char detail[20];

    switch (end) {
    case WEB_NOT_SENT:
    case WEB_LOST:
        snprintf(words, 256, "%s does not answer: %.120s. It is tried again by itself", what,
                 a->words);
        return DELIVERY_RETRY;
    case WEB_BARRED:
        snprintf(words, 256,
                 "no safe connection to %s: %.100s. Put that right, then run the upload again",
                 what, a->words);
        return DELIVERY_STOP;
    case WEB_ANSWERED:
        break;
    }
    if (a->status >= 500 || a->status == 408 || a->status == 429) {
        snprintf(words, 256, "%s is not ready (HTTP %ld). It is tried again by itself", what,
                 a->status);
        return DELIVERY_RETRY;
    }
    if (a->status == 401 || a->status == 403) {
        snprintf(detail, sizeof detail, " (HTTP %ld)", a->status);
        return web_denied(w, what, detail, words);
    }
    if (a->status >= 300 && a->status < 400)
        snprintf(words, 256,
                 "%s sends elsewhere (HTTP %ld), which is not followed: give the policy's sink "
                 "the address that it really has",
                 what, a->status);
    else if (a->status == 404 || a->status == 405)
        snprintf(words, 256,
                 "there is no such service at the policy's sink (HTTP %ld): is %s's address "
                 "right, and the service installed?",
                 a->status, what);
    else
        snprintf(words, 256, "%s answers something that is no answer (HTTP %ld): look at its log",
                 what, a->status);
    return DELIVERY_STOP;
}
