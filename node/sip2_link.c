/* sip2_link.c - a connection to a SIP2 server over libcurl's CONNECT_ONLY, which gives us names,
 * IPv6, time limits and verified TLS without another library. */
#include "sip2_link.h"

#include "sink.h"
#include "now.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECT_MS 5000
#define LOGIN_MS   5000  /* the kernel accepts for a full server that never answers */
#define QUIET_MS   60000 /* of the sink's class, where the policy says nothing */
#define IDLE_MS    30000 /* then a 99 first: many servers close what is silent for a minute */
#define SLOWEST    64    /* answers among which the slowest is looked for */

struct sip2_link {
    CURL *curl;        /* NULL: closed */
    uint32_t quiet_ms; /* a successor's wait */
    unsigned seq;
    size_t n, taken; /* bytes in `in`, and of the message that was handed out */
    uint64_t used_ms;
    uint32_t took_ms[SLOWEST];
    unsigned n_took;
    struct sip2_status status;
    char in[SIP2_ANSWER_MAX];
};

struct sip2_link *sip2_link_new(void)
{
    return calloc(1, sizeof(struct sip2_link));
}

static void drop(struct sip2_link *l)
{
    curl_easy_cleanup(l->curl);
    l->curl = NULL;
    l->n = l->taken = 0;
}

void sip2_link_free(struct sip2_link *l)
{
    if (l)
        drop(l);
    free(l);
}

bool sip2_link_is_open(const struct sip2_link *l)
{
    return l->curl != NULL;
}

const struct sip2_status *sip2_link_status(const struct sip2_link *l)
{
    return &l->status;
}

static uint32_t limit_ms(const struct sip2_link *l)
{
    uint32_t slowest = 0;

    for (unsigned i = 0; i < SLOWEST; i++)
        if (l->took_ms[i] > slowest)
            slowest = l->took_ms[i];
    return sip2_limit_ms(&l->status, slowest);
}

/* ---- bytes ---- */

static bool wait_for(const struct sip2_link *l, short events, uint64_t until_ms)
{
    curl_socket_t fd = CURL_SOCKET_BAD;
    struct pollfd p = { .events = events };
    int rc;

    if (curl_easy_getinfo(l->curl, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd < 0)
        return false;
    p.fd = fd;
    do {
        uint64_t now = clock_ms(CLOCK_MONOTONIC);
        rc = now < until_ms ? poll(&p, 1, (int)(until_ms - now)) : 0;
    } while (rc < 0 && errno == EINTR);
    return rc > 0;
}

/* *any: bytes may have left. */
static bool send_all(struct sip2_link *l, const struct buf *b, uint64_t until_ms, bool *any)
{
    size_t done = 0, n;

    *any = false;
    while (done < b->len) {
        CURLcode rc = curl_easy_send(l->curl, b->p + done, b->len - done, &n);
        if (rc == CURLE_AGAIN) {
            if (!wait_for(l, POLLOUT, until_ms))
                return false;
            continue;
        }
        if (rc != CURLE_OK)
            return false;
        done += n;
        *any = true;
    }
    return true;
}

/* Reads what is there. False: the other side closed, or sent more than any answer has. */
static bool read_some(struct sip2_link *l, bool *none)
{
    size_t n = 0;
    CURLcode rc;

    *none = false;
    if (l->n == sizeof l->in)
        return false;
    rc = curl_easy_recv(l->curl, l->in + l->n, sizeof l->in - l->n, &n);
    *none = rc == CURLE_AGAIN;
    if (rc == CURLE_OK)
        l->n += n;
    return *none || (rc == CURLE_OK && n > 0);
}

/* The next message that is there as a whole: ends with CR or, as some have it, with LF. */
static bool take_message(struct sip2_link *l, struct sip2_answer *out)
{
    memmove(l->in, l->in + l->taken, l->n - l->taken);
    l->n -= l->taken;
    l->taken = 0;
    for (size_t i = 0, from = 0; i < l->n; i++) {
        if (l->in[i] != '\r' && l->in[i] != '\n')
            continue;
        if (i > from) {
            out->p = l->in + from;
            out->n = i - from;
            l->taken = i + 1;
            return true;
        }
        l->taken = from = i + 1; /* the second of CR LF */
    }
    return false;
}

static bool is_status(const struct sip2_answer *a)
{
    return a->n >= 2 && memcmp(a->p, "98", 2) == 0;
}

/* A status may come unasked, in front of the answer or in its place: then the time limit ends it.
 */
static bool wait_message(struct sip2_link *l, bool status, uint64_t until_ms,
                         struct sip2_answer *out)
{
    for (;;) {
        bool none;
        while (take_message(l, out))
            if (status || !is_status(out))
                return true;
        if (!read_some(l, &none)) {
            out->why = "the server closed the connection";
            return false;
        }
        if (none ? !wait_for(l, POLLIN, until_ms)
                 : clock_ms(CLOCK_MONOTONIC) >= until_ms) { /* or it says 98 for ever */
            out->why = "the server did not answer in time";
            return false;
        }
    }
}

/* Whatever lies there before a question is no answer to it. False: closed meanwhile, or talking of
 * something else. */
static bool is_quiet(struct sip2_link *l)
{
    struct sip2_answer a;
    bool none = false;

    while (!none)
        if (!read_some(l, &none))
            return false;
    while (take_message(l, &a))
        if (!is_status(&a))
            return false;
    return l->n == l->taken;
}

static enum sip2_got ask_within(struct sip2_link *l, const struct buf *message, uint32_t limit,
                                struct sip2_answer *out)
{
    bool status = message->len > 1 && memcmp(message->p, "99", 2) == 0, any, done;
    uint64_t begun = clock_ms(CLOCK_MONOTONIC);
    struct buf b = { 0 };

    memset(out, 0, sizeof *out);
    out->seq = l->seq;
    l->seq = (l->seq + 1) % 10;
    buf_add(&b, message->p, message->len);
    sip2_seal(&b, 0, out->seq);
    if (b.failed || message->failed || !l->curl || !is_quiet(l)) {
        buf_wipe(&b);
        drop(l);
        return SIP2_GOT_UNSENT;
    }
    done = send_all(l, &b, begun + limit, &any);
    buf_wipe(&b); /* may hold the password */
    if (done && wait_message(l, status, begun + limit, out)) {
        l->used_ms = clock_ms(CLOCK_MONOTONIC);
        l->took_ms[l->n_took++ % SLOWEST] = (uint32_t)(l->used_ms - begun);
        return SIP2_GOT_ANSWER;
    }
    drop(l);
    if (!out->why)
        out->why = "the connection broke while sending";
    return done || any ? SIP2_GOT_NOTHING : SIP2_GOT_UNSENT;
}

static bool ask_status(struct sip2_link *l, uint32_t limit)
{
    struct buf b = { 0 };
    struct sip2_answer a;
    struct sip2_msg m;
    enum sip2_got got;

    sip2_put_status(&b, '0');
    got = ask_within(l, &b, limit, &a);
    buf_free(&b);
    if (got == SIP2_GOT_ANSWER && sip2_parse(a.p, a.n, &m, NULL) == ERR_OK &&
        sip2_pairs(&m, "98", a.seq, NULL, NULL) && sip2_read_status(&m, &l->status))
        return true;
    drop(l);
    return false;
}

enum sip2_got sip2_link_ask(struct sip2_link *l, const struct buf *message, struct sip2_answer *out)
{
    memset(out, 0, sizeof *out);
    if (!l->curl || (clock_ms(CLOCK_MONOTONIC) - l->used_ms >= IDLE_MS && !ask_status(l, LOGIN_MS)))
        return SIP2_GOT_UNSENT;
    return ask_within(l, message, limit_ms(l), out);
}

/* ---- questions that change nothing ---- */

static enum sip2_got ask_about(struct sip2_link *l, struct buf *b, const char *code,
                               const char *field, const char *value, struct sip2_msg *m)
{
    struct sip2_answer a;
    enum sip2_got got = sip2_link_ask(l, b, &a);

    buf_free(b);
    if (got == SIP2_GOT_ANSWER &&
        (sip2_parse(a.p, a.n, m, NULL) != ERR_OK || !sip2_pairs(m, code, a.seq, field, value))) {
        drop(l);
        return SIP2_GOT_NOTHING;
    }
    return got;
}

enum sip2_got sip2_link_item(struct sip2_link *l, const struct policy *p, const char *item,
                             struct sip2_msg *m)
{
    char date[SIP2_DATE + 1];
    struct buf b = { 0 };

    sip2_date(&p->zone, time(NULL), date);
    sip2_put_item(&b, date, p->sip2.institution, item);
    return ask_about(l, &b, "18", "AB", item, m);
}

enum sip2_got sip2_link_patron(struct sip2_link *l, const struct policy *p, const char *user,
                               unsigned from, struct sip2_msg *m)
{
    char date[SIP2_DATE + 1];
    struct buf b = { 0 };

    sip2_date(&p->zone, time(NULL), date);
    sip2_put_patron(&b, p->sip2.language, date, p->sip2.institution, user, from,
                    from + SIP2_PAGE - 1);
    return ask_about(l, &b, "64", "AA", user, m);
}

/* ---- opening and closing ---- */

enum err sip2_site_find(const char *state_dir, const struct policy *p, const char *url,
                        struct sip2_site *out, struct errmsg *msg)
{
    const char *name = p->access.credential;
    enum err e;

    memset(out, 0, sizeof *out);
    out->policy = p;
    if ((e = url_parse(url, &out->url, msg)) != ERR_OK)
        return e;
    out->port = out->url.port != 0 ? out->url.port : SIP2_PORT;
    out->tls = strcmp(out->url.scheme, "sip2s") == 0;
    if (p->sip2.login)
        snprintf(out->user, sizeof out->user, "%s", p->sip2.user);
    if (p->sip2.login && out->user[0] == '\0')
        e = credential_read(state_dir, name, "user", out->user, msg);
    if (e == ERR_OK && p->sip2.login)
        e = credential_read(state_dir, name, "password", out->password, msg);
    credential_login(state_dir, p, out->login);
    return e == ERR_OK ? reach_find(state_dir, p, &out->reach, msg) : e;
}

static CURLcode connect_to(struct sip2_link *l, const struct sip2_site *s,
                           char detail[CURL_ERROR_SIZE])
{
    char url[600];
    bool v6 = strchr(s->url.host, ':') != NULL;
    CURLcode rc;

    if ((l->curl = curl_easy_init()) == NULL)
        return CURLE_OUT_OF_MEMORY;
    snprintf(url, sizeof url, "%s://%s%.255s%s:%u", s->tls ? "https" : "http", v6 ? "[" : "",
             s->url.host, v6 ? "]" : "", s->port);
    reach_set(l->curl, &s->reach);
    /* What the kernel still holds is gone when a successor looks. */
    l->quiet_ms = policy_quiet_ms(s->policy, QUIET_MS);
    if (l->quiet_ms == 0) /* to the kernel that would be its own quarter of an hour */
        l->quiet_ms = QUIET_MS;
    reach_set_patience(l->curl, &l->quiet_ms);
    curl_easy_setopt(l->curl, CURLOPT_URL, url);
    curl_easy_setopt(l->curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(l->curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(l->curl, CURLOPT_HTTPPROXYTUNNEL, 1L);
    curl_easy_setopt(l->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(l->curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(l->curl, CURLOPT_SSL_ENABLE_ALPN, 0L);
    rc = curl_easy_perform(l->curl);
    curl_easy_setopt(l->curl, CURLOPT_ERRORBUFFER, NULL); /* it is the caller's */
    return rc;
}

static enum delivery could_not_connect(const struct sip2_site *s, CURLcode rc, const char *detail,
                                       char words[256])
{
    if (reach_is_barred(rc)) { /* the reason first: the watch shows no more than that */
        snprintf(words, 256,
                 "%.100s: no safe connection to the SIP2 server, nothing was sent. If it is the "
                 "right server, put its CA's certificate into [upload] ca, or have its own renewed",
                 detail[0] != '\0' ? detail : curl_easy_strerror(rc));
        text_mend(words);
        return DELIVERY_STOP;
    }
    snprintf(words, 256, "the SIP2 server %.100s port %u cannot be reached: %s", s->url.host,
             s->port, curl_easy_strerror(rc));
    return DELIVERY_RETRY;
}

static enum delivery log_in(struct sip2_link *l, const struct sip2_site *s, char words[256])
{
    struct buf b = { 0 };
    struct sip2_answer a;
    struct sip2_msg m;
    enum sip2_got got;

    sip2_put_login(&b, s->user, s->password, s->policy->sip2.location);
    got = ask_within(l, &b, LOGIN_MS, &a);
    buf_wipe(&b);
    if (got != SIP2_GOT_ANSWER || sip2_parse(a.p, a.n, &m, NULL) != ERR_OK ||
        !sip2_pairs(&m, "94", a.seq, NULL, NULL)) {
        snprintf(words, 256,
                 "the SIP2 server took the connection and does not answer the login: it may be "
                 "full, or still starting");
        return DELIVERY_RETRY;
    }
    if (m.fixed[0] == '1')
        return DELIVERY_DONE;
    return sink_denied(s->login, "the SIP2 server", "", words); /* many lock one that fails again */
}

/* A 98 may come from a file; an item that is known shows a library system behind it. */
static enum delivery ask_canary(struct sip2_link *l, const struct sip2_site *s, char words[256])
{
    struct sip2_msg m;

    if (s->policy->sip2.canary[0] == '\0')
        return DELIVERY_DONE;
    if (sip2_link_item(l, s->policy, s->policy->sip2.canary, &m) != SIP2_GOT_ANSWER) {
        snprintf(words, 256, "the SIP2 server answers, but not about the canary item of [sip2]");
        return DELIVERY_RETRY;
    }
    if (sip2_place_of(&m) != SIP2_UNKNOWN)
        return DELIVERY_DONE;
    snprintf(words, 256,
             "the SIP2 server does not know the canary item of [sip2]: the library system behind "
             "it may be down, or that item is not there any more");
    return DELIVERY_RETRY;
}

enum delivery sip2_link_open(struct sip2_link *l, const struct sip2_site *site, char words[256])
{
    enum delivery d = DELIVERY_DONE;
    char detail[CURL_ERROR_SIZE] = "";
    CURLcode rc;

    drop(l);
    words[0] = '\0';
    memset(&l->status, 0, sizeof l->status);
    l->status.timeout_ds = 999;
    l->seq = 0;
    l->used_ms = clock_ms(CLOCK_MONOTONIC);
    if ((rc = connect_to(l, site, detail)) != CURLE_OK)
        d = could_not_connect(site, rc, detail, words);
    if (d == DELIVERY_DONE && site->user[0] != '\0')
        d = log_in(l, site, words);
    if (d == DELIVERY_DONE && !ask_status(l, LOGIN_MS)) {
        snprintf(words, 256, "the SIP2 server does not say how it is (99)");
        d = DELIVERY_RETRY;
    }
    if (d == DELIVERY_DONE)
        d = sip2_check_status(&l->status, words);
    if (d == DELIVERY_DONE)
        d = ask_canary(l, site, words);
    if (d != DELIVERY_DONE)
        drop(l);
    return d;
}

void sip2_link_close(struct sip2_link *l, bool politely)
{
    struct buf b = { 0 };
    struct sip2_answer a;

    if (l->curl && politely) {
        sip2_put_status(&b, '2');
        (void)ask_within(l, &b, 1000, &a);
        buf_free(&b);
    }
    drop(l);
}
