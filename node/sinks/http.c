/* http.c - each file of a batch is PUT under its own name, over HTTPS (put.h: what answers mean).
 *
 * Each request has a connection of its own: on one that is kept, libcurl sends a request again by
 * itself when the other side closes without a byte of answer, and that side may have taken it. */
#include <string.h>

#include "credential.h"
#include "transfer_int.h"

#define ANSWER_MAX 65536 /* bytes of an answer's text, of which none is of use to us */

/* A bearer token, or Basic where a user's name lies there. */
struct login {
    char user[CREDENTIAL_LINE_MAX + 1], secret[CREDENTIAL_LINE_MAX + 1];
};

static enum delivery find_login(const struct sink_batch *b, struct login *l, char words[256])
{
    struct errmsg msg = { .text = "" };
    enum err e;

    memset(l, 0, sizeof *l);
    if (b->policy->access.credential[0] == '\0')
        return DELIVERY_DONE;
    e = b->secret(b->ctx, "user", l->user, &msg);
    if (e == ERR_OK)
        e = b->secret(b->ctx, "password", l->secret, &msg);
    else if (e == ERR_MISSING)
        e = b->secret(b->ctx, "", l->secret, &msg);
    if (e == ERR_OK)
        return DELIVERY_DONE;
    sodium_memzero(l, sizeof *l);
    snprintf(words, 256, "%.255s", msg.text);
    return DELIVERY_RETRY; /* another desk may have it */
}

static void set_login(CURL *c, const struct login *l)
{
    if (l->user[0] != '\0') {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        curl_easy_setopt(c, CURLOPT_USERNAME, l->user);
        curl_easy_setopt(c, CURLOPT_PASSWORD, l->secret);
    } else if (l->secret[0] != '\0') {
        curl_easy_setopt(c, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        curl_easy_setopt(c, CURLOPT_XOAUTH2_BEARER, l->secret);
    }
}

static bool set_common(struct transfer *t, const struct login *l, const char *name)
{
    CURL *c = t->curl;

    transfer_reset(t);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
    set_login(c, l);
    return transfer_aim(t, name);
}

/* ---- sending ---- */

static struct curl_slist *add(struct curl_slist *all, const char *header)
{
    struct curl_slist *more = curl_slist_append(all, header);

    if (!more)
        curl_slist_free_all(all);
    return more;
}

/* The key is the same for the same content of the same slot, whoever sends it. */
static struct curl_slist *headers(const struct sink_file *f)
{
    char digest[sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL)], hex[65];
    char key[300], content[100];
    struct curl_slist *all;

    hex_encode(f->part.sha256, 32, hex);
    sodium_bin2base64(digest, sizeof digest, f->part.sha256, 32, sodium_base64_VARIANT_ORIGINAL);
    snprintf(key, sizeof key, "Idempotency-Key: \"%s.%s\"", f->name, hex);
    snprintf(content, sizeof content, "Content-Digest: sha-256=:%s:", digest); /* RFC 9530 */
    all = curl_slist_append(NULL, "Expect:"); /* no waiting for a "go on" */
    all = all ? add(all, "Content-Type: application/octet-stream") : NULL;
    all = all ? add(all, "If-None-Match: *") : NULL;
    all = all ? add(all, content) : NULL;
    return all ? add(all, key) : NULL;
}

/* What a server says about itself is of no use here, but it may say a lot. */
static size_t drop_answer(char *p, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;

    (void)p;
    t->in.bytes += size * n;
    return t->in.bytes <= ANSWER_MAX ? size * n : 0;
}

static void how_it_ended(struct transfer *t, CURLcode rc, struct put_answer *a)
{
    long status = 0;

    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    a->status = (unsigned)status;
    transfer_why(t, rc, a->detail);
    if (rc == CURLE_OK || (rc == CURLE_WRITE_ERROR && t->in.bytes > ANSWER_MAX))
        a->end = PUT_ANSWERED;
    else if (reach_has_left(t->curl, t->to.scheme, &t->reach))
        a->end = PUT_LOST;
    else
        a->end = reach_is_barred(rc) ? PUT_BARRED : PUT_NOT_SENT;
}

static void send_file(struct transfer *t, const struct login *l, const struct sink_file *f,
                      struct put_answer *a)
{
    struct curl_slist *all = headers(f);

    memset(a, 0, sizeof *a);
    a->end = PUT_NOT_SENT;
    if (!all || !set_common(t, l, f->name) || !transfer_send_file(t, f)) {
        snprintf(a->detail, sizeof a->detail, "this desk could not begin (%s)", f->name);
    } else {
        curl_easy_setopt(t->curl, CURLOPT_HTTPHEADER, all);
        curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, drop_answer);
        how_it_ended(t, transfer_run(t), a);
    }
    transfer_reset(t); /* before the headers go */
    curl_slist_free_all(all);
}

/* ---- looking ---- */

static enum put_there look_for(struct transfer *t, const struct login *l, const struct sink_file *f)
{
    long status = 0;
    CURLcode rc;

    if (!set_common(t, l, f->name))
        return THERE_UNKNOWN;
    curl_easy_setopt(t->curl, CURLOPT_HTTPGET, 1L);
    transfer_read(t, f);
    rc = transfer_run(t);
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &status);
    if (rc == CURLE_WRITE_ERROR && status == 200) /* longer than ours */
        return THERE_OTHER;
    if (rc != CURLE_OK && !(rc == CURLE_WRITE_ERROR && status >= 300))
        return THERE_UNKNOWN;
    return put_there_of((unsigned)status, status == 200 && transfer_is_equal(t, f));
}

/* ---- the sinks ---- */

static enum delivery denied(const struct transfer *t, unsigned status, char words[256])
{
    char login[CREDENTIAL_LOGIN_TEXT], detail[20];

    credential_login(t->b->home, t->b->policy, login);
    snprintf(detail, sizeof detail, " (HTTP %u)", status);
    return sink_denied(login, "the server", detail, words);
}

static enum delivery put_one(struct transfer *t, const struct login *l, enum put_promise p,
                             const struct sink_file *f, char words[256])
{
    struct put_answer a;
    bool compare;
    enum delivery d;

    send_file(t, l, f, &a);
    d = put_judge(p, &a, &compare, words);
    if (d == DELIVERY_DENIED)
        return denied(t, a.status, words);
    if (compare)
        return put_compared(p, look_for(t, l, f), f->name, words);
    if (d == DELIVERY_DONE && p == PUT_EXCLUSIVE)
        return put_read_back(look_for(t, l, f), f->name, words);
    return d;
}

struct visit { /* one to the server, for all files */
    struct transfer t;
    struct login l;
};

static enum delivery visit_begin(struct visit *v, struct sink_batch *b, char words[256])
{
    enum delivery d = transfer_begin(&v->t, b, words);

    memset(&v->l, 0, sizeof v->l);
    return d == DELIVERY_DONE ? find_login(b, &v->l, words) : d;
}

static void visit_end(struct visit *v)
{
    transfer_free(&v->t);
    sodium_memzero(&v->l, sizeof v->l);
}

static enum delivery put_all(struct sink_batch *b, enum put_promise p, char words[256])
{
    struct visit v;
    enum delivery d = visit_begin(&v, b, words);

    for (unsigned i = 0; i < b->n_files && d == DELIVERY_DONE; i++)
        d = b->may_send(b->ctx) ? put_one(&v.t, &v.l, p, &b->files[i], words)
                                : sink_too_late(words);
    if (d == DELIVERY_DONE)
        sink_say_names(b, words);
    visit_end(&v);
    return d;
}

enum delivery sink_https_deliver(struct sink_batch *b, char words[256])
{
    return put_all(b, PUT_NOTHING, words);
}

enum delivery sink_put_deliver(struct sink_batch *b, char words[256])
{
    return put_all(b, PUT_EXCLUSIVE, words);
}

enum delivery sink_key_deliver(struct sink_batch *b, char words[256])
{
    return put_all(b, PUT_KEYED, words);
}

enum delivery sink_https_look(struct sink_batch *b, char words[256])
{
    struct visit v;
    enum delivery d = visit_begin(&v, b, words);

    for (unsigned i = 0; i < b->n_files && d == DELIVERY_DONE; i++)
        d = put_looked(look_for(&v.t, &v.l, &b->files[i]), b->files[i].name, words);
    visit_end(&v);
    return d;
}

enum put_there sink_http_check(struct sink_batch *b, unsigned i, char words[256])
{
    enum put_there there = THERE_UNKNOWN;
    struct visit v;

    if (visit_begin(&v, b, words) == DELIVERY_DONE)
        there = look_for(&v.t, &v.l, &b->files[i]);
    visit_end(&v);
    return there;
}
