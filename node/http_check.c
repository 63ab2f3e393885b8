/* http_check.c - the security checklist of the local API, README "Security".
 *
 * The Host check is what stops DNS rebinding, and it must not lean on Sec-Fetch-*: such requests
 * carry none. A page on another port of 127.0.0.1 is "same-site" to a browser, so that word is
 * refused as well. */
#include "http_int.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NONCE_MIN 16
#define NONCE_MAX 32

static const struct refusal_row rows[] = {
    [REFUSAL_NONE] = { 200, 0, "ok", "all is well" },
    [REFUSAL_TARGET] = { 400, 65, "bad_target", "the request's address is not clean" },
    [REFUSAL_LONG] = { 414, 65, "too_long", "the request's address is too long" },
    [REFUSAL_HOST] = { 421, 77, "wrong_host", "this address is not served here" },
    [REFUSAL_METHOD] = { 405, 64, "wrong_method", "only GET and POST are served" },
    [REFUSAL_ORIGIN] = { 403, 77, "wrong_origin", "requests of other pages are refused" },
    [REFUSAL_SITE] = { 403, 77, "wrong_site", "requests of other sites are refused" },
    [REFUSAL_TOKEN] = { 401, 77, "no_token",
                        "a token of this node's run directory is needed, or a page opened "
                        "by tideover open" },
    [REFUSAL_RATE] = { 429, 75, "too_fast", "too many changes in one second" },
    [REFUSAL_BODY] = { 400, 65, "bad_body", "the request's body is not clean" },
    [REFUSAL_TYPE] = { 415, 65, "wrong_type",
                       "a POST must be application/json or application/x-ndjson" },
    [REFUSAL_LARGE] = { 413, 65, "too_large", "a request's body has at most 65536 bytes" },
    [REFUSAL_NONCE] = { 400, 64, "bad_nonce", "the nonce must be 32 to 64 hexadecimal digits" },
    [REFUSAL_PAGE] = { 404, 1, "no_such_page", "there is no such page" },
    [REFUSAL_CLOSING] = { 503, 69, "closing", "the node is stopping" },
};

const struct refusal_row *refusal_row(enum refusal r)
{
    return &rows[(unsigned)r < sizeof rows / sizeof rows[0] ? r : REFUSAL_TARGET];
}

void hosts_fill(char hosts[HTTP_HOSTS][HTTP_HOST_BYTES], uint16_t port)
{
    static const char *const names[HTTP_HOSTS] = { "127.0.0.1", "localhost", "[::1]" };

    for (unsigned i = 0; i < HTTP_HOSTS; i++)
        snprintf(hosts[i], HTTP_HOST_BYTES, "%s:%u", names[i], port);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_printable(int c)
{
    return c > 0x20 && c < 0x7f;
}

enum refusal target_split(const char *raw, struct http_request *rq)
{
    size_t n = 0, n_query;

    if (*raw != '/')
        return REFUSAL_TARGET; /* "http://elsewhere/": we are nobody's proxy */
    for (; *raw != 0 && *raw != '?'; raw++) {
        int c = (unsigned char)*raw;

        if (c == '%') {
            int high = hex_digit(raw[1]), low = high < 0 ? -1 : hex_digit(raw[2]);
            if (low < 0)
                return REFUSAL_TARGET;
            c = high * 16 + low;
            raw += 2;
        }
        if (!is_printable(c))
            return REFUSAL_TARGET;
        if (n + 1 >= sizeof rq->path)
            return REFUSAL_LONG;
        rq->path[n++] = (char)c;
    }
    rq->path[n] = 0;
    if (*raw == '?')
        raw++;
    n_query = strlen(raw);
    if (n_query >= sizeof rq->query)
        return REFUSAL_LONG;
    for (size_t i = 0; i < n_query; i++)
        if (!is_printable((unsigned char)raw[i]))
            return REFUSAL_TARGET;
    memcpy(rq->query, raw, n_query + 1);
    return REFUSAL_NONE;
}

/* The headers that decide, and how often each came: a lookup by name returns the first only. */
struct seen {
    struct {
        const char *name, *value;
        unsigned times;
    } v[9];
};
enum {
    SEEN_HOST,
    SEEN_ORIGIN,
    SEEN_SITE,
    SEEN_TOKEN,
    SEEN_TYPE,
    SEEN_LENGTH,
    SEEN_CODING,
    SEEN_COOKIE,
    SEEN_PAGE_TOKEN
};

static enum MHD_Result see_header(void *cls, enum MHD_ValueKind kind, const char *key,
                                  const char *value)
{
    struct seen *s = cls;

    (void)kind;
    for (unsigned i = 0; i < sizeof s->v / sizeof s->v[0]; i++) {
        if (strcasecmp(key, s->v[i].name) == 0) {
            s->v[i].value = value != NULL ? value : "";
            s->v[i].times++;
        }
    }
    return MHD_YES;
}

static bool host_is_ours(const struct seen *s, const char hosts[HTTP_HOSTS][HTTP_HOST_BYTES])
{
    if (s->v[SEEN_HOST].times != 1)
        return false;
    for (unsigned i = 0; i < HTTP_HOSTS; i++)
        if (strcmp(s->v[SEEN_HOST].value, hosts[i]) == 0)
            return true;
    return false;
}

/* Scripts send none; a browser's must be the very address it came to. */
static bool origin_is_ours(const struct seen *s)
{
    const char *origin = s->v[SEEN_ORIGIN].value;

    if (s->v[SEEN_ORIGIN].times == 0)
        return true;
    return s->v[SEEN_ORIGIN].times == 1 && strncmp(origin, "http://", 7) == 0 &&
           strcmp(origin + 7, s->v[SEEN_HOST].value) == 0;
}

static bool site_is_ours(const struct seen *s)
{
    const char *site = s->v[SEEN_SITE].value;

    if (s->v[SEEN_SITE].times == 0)
        return true;
    return s->v[SEEN_SITE].times == 1 &&
           (strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0);
}

static bool type_is_json(const struct seen *s)
{
    static const char *const types[] = { "application/json", "application/x-ndjson" };
    const char *type = s->v[SEEN_TYPE].value;
    size_t n;

    if (s->v[SEEN_TYPE].times != 1)
        return false;
    n = strcspn(type, "; ");
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strlen(types[i]) == n && strncasecmp(type, types[i], n) == 0)
            return true;
    return false;
}

/* Both tokens are always compared, each in constant time. */
static enum http_right right_of(const struct seen *s, const struct http_config *keys)
{
    uint8_t token[HTTP_TOKEN_BYTES];
    const char *value = s->v[SEEN_TOKEN].value;
    size_t n = 0;
    bool good, is_desk, is_ctl;

    if (s->v[SEEN_TOKEN].times != 1 || strncasecmp(value, "Bearer ", 7) != 0)
        return HTTP_NOBODY;
    good = strlen(value + 7) == 2 * sizeof token &&
           sodium_hex2bin(token, sizeof token, value + 7, 2 * sizeof token, NULL, &n, NULL) == 0 &&
           n == sizeof token;
    is_desk = good && sodium_memcmp(token, keys->desk_token, sizeof token) == 0;
    is_ctl = good && sodium_memcmp(token, keys->ctl_token, sizeof token) == 0;
    sodium_memzero(token, sizeof token);
    return is_ctl ? HTTP_CTL : is_desk ? HTTP_DESK : HTTP_NOBODY;
}

/* Announced as longer than we take; a chunked body is counted as it comes. */
static bool length_is_large(const struct seen *s)
{
    const char *d = s->v[SEEN_LENGTH].times == 0 ? "" : s->v[SEEN_LENGTH].value;
    uint64_t n = 0;

    for (; *d >= '0' && *d <= '9' && n <= HTTP_BODY_MAX; d++)
        n = n * 10 + (uint64_t)(*d - '0');
    return n > HTTP_BODY_MAX;
}

static bool has_body(const struct seen *s)
{
    return s->v[SEEN_CODING].times > 0 ||
           (s->v[SEEN_LENGTH].times > 0 && strcmp(s->v[SEEN_LENGTH].value, "0") != 0);
}

bool path_is_open(const char *path)
{
    return strcmp(path, "/healthz") == 0 || strcmp(path, "/api/v1/proof") == 0;
}

bool path_is_page(const char *path)
{
    return page_find(path) != NULL || strncmp(path, "/pages/", 7) == 0;
}

bool path_is_entry(const char *path)
{
    return strcmp(path, "/api/v1/session") == 0;
}

static bool secret_of(const char *hex, size_t digits, uint8_t out[KEEPER_SECRET_BYTES])
{
    size_t n = 0;

    return digits == 2 * KEEPER_SECRET_BYTES &&
           sodium_hex2bin(out, KEEPER_SECRET_BYTES, hex, digits, NULL, &n, NULL) == 0 &&
           n == KEEPER_SECRET_BYTES;
}

/* Of "a=1; tideover_K7QD-2M=...; b=2": a browser sends what every port of this PC ever set. */
static bool cookie_of(const struct seen *s, const char *name, uint8_t out[KEEPER_SECRET_BYTES])
{
    const char *p = s->v[SEEN_COOKIE].value;
    size_t n = strlen(name);

    while (s->v[SEEN_COOKIE].times == 1 && *p != 0) {
        size_t len = strcspn(p, "; ");

        if (len > n && strncmp(p, name, n) == 0 && p[n] == '=')
            return secret_of(p + n + 1, len - n - 1, out);
        p += len;
        p += strspn(p, "; ");
    }
    return false;
}

/* A page's requests. A browser always says where a request comes from: one that does not is none.
 */
static enum refusal check_page(const struct seen *s, struct page_keeper *g, bool post,
                               struct http_request *rq)
{
    struct page_keys k = { .has_cookie = false };
    enum refusal r = REFUSAL_NONE;
    const char *token = s->v[SEEN_PAGE_TOKEN].value;

    if (g != NULL)
        k.has_cookie = cookie_of(s, g->cookie_name, k.cookie);
    k.has_token = s->v[SEEN_PAGE_TOKEN].times == 1 && secret_of(token, strlen(token), k.token);
    if (path_is_entry(rq->path) && !post)
        k.has_token = false; /* it is what is asked for */
    else if (!k.has_token)
        k.has_cookie = false;
    if (k.has_cookie && post && s->v[SEEN_ORIGIN].times == 0)
        r = REFUSAL_ORIGIN;
    else if (k.has_cookie && !post && strcmp(s->v[SEEN_SITE].value, "same-origin") != 0)
        r = REFUSAL_SITE;
    else if (k.has_cookie && !page_judge(g, &k, post, rq))
        r = REFUSAL_RATE;
    else if (rq->right == HTTP_NOBODY)
        r = REFUSAL_TOKEN;
    sodium_memzero(&k, sizeof k);
    return r;
}

/* Who asks: a token, a page, or nobody where nobody has to be known. */
static enum refusal check_right(const struct seen *s, const struct http_config *keys,
                                struct page_keeper *g, bool post, struct http_request *rq)
{
    bool open = path_is_open(rq->path) || path_is_page(rq->path);

    rq->right = right_of(s, keys);
    if (open)
        return post ? REFUSAL_METHOD : REFUSAL_NONE;
    if (!post && strcmp(rq->path, "/metrics") == 0)
        return REFUSAL_NONE;             /* what the node answers, to whoever asks */
    if (path_is_entry(rq->path) && post) /* only a page trades a code */
        return s->v[SEEN_ORIGIN].times == 1 ? REFUSAL_NONE : REFUSAL_ORIGIN;
    if (rq->right != HTTP_NOBODY && !path_is_entry(rq->path))
        return REFUSAL_NONE;
    if (s->v[SEEN_TOKEN].times > 0)
        return REFUSAL_TOKEN; /* a wrong token is not mended by a cookie */
    return check_page(s, g, post, rq);
}

enum refusal request_check(struct MHD_Connection *c, const char *method,
                           const char hosts[HTTP_HOSTS][HTTP_HOST_BYTES],
                           const struct http_config *keys, struct page_keeper *g,
                           struct http_request *rq)
{
    struct seen s = { .v = { [SEEN_HOST] = { "Host", "", 0 },
                             [SEEN_ORIGIN] = { "Origin", "", 0 },
                             [SEEN_SITE] = { "Sec-Fetch-Site", "", 0 },
                             [SEEN_TOKEN] = { "Authorization", "", 0 },
                             [SEEN_TYPE] = { "Content-Type", "", 0 },
                             [SEEN_LENGTH] = { "Content-Length", "", 0 },
                             [SEEN_CODING] = { "Transfer-Encoding", "", 0 },
                             [SEEN_COOKIE] = { "Cookie", "", 0 },
                             [SEEN_PAGE_TOKEN] = { "X-Tideover-Token", "", 0 } } };
    enum refusal r;
    bool post = strcmp(method, "POST") == 0;

    MHD_get_connection_values(c, MHD_HEADER_KIND, see_header, &s);
    if (!host_is_ours(&s, hosts))
        return REFUSAL_HOST;
    if (!post && strcmp(method, "GET") != 0)
        return REFUSAL_METHOD;
    memcpy(rq->method, method, strlen(method) + 1);
    if (!origin_is_ours(&s))
        return REFUSAL_ORIGIN;
    if (!site_is_ours(&s))
        return REFUSAL_SITE;
    if ((r = check_right(&s, keys, g, post, rq)) != REFUSAL_NONE)
        return r;
    if (s.v[SEEN_LENGTH].times > 1 || (s.v[SEEN_LENGTH].times > 0 && s.v[SEEN_CODING].times > 0))
        return REFUSAL_BODY; /* two opinions on where the body ends */
    if (!post && has_body(&s))
        return REFUSAL_BODY;
    if (post && !type_is_json(&s))
        return REFUSAL_TYPE;
    return length_is_large(&s) ? REFUSAL_LARGE : REFUSAL_NONE;
}

static void proof_hex(const uint8_t token[HTTP_TOKEN_BYTES], const uint8_t *nonce, size_t n,
                      char out[2 * 32 + 1])
{
    uint8_t proof[32];

    crypto_generichash(proof, sizeof proof, nonce, n, token, HTTP_TOKEN_BYTES);
    sodium_bin2hex(out, 2 * sizeof proof + 1, proof, sizeof proof);
}

enum refusal proof_answer(const struct http_config *keys, const char *query, struct buf *out)
{
    uint8_t nonce[NONCE_MAX];
    char desk[65], ctl[65];
    size_t n = 0, digits;

    if (strncmp(query, "nonce=", 6) != 0)
        return REFUSAL_NONCE;
    digits = strlen(query + 6);
    if (digits > 2 * NONCE_MAX ||
        sodium_hex2bin(nonce, sizeof nonce, query + 6, digits, NULL, &n, NULL) != 0 ||
        2 * n != digits || n < NONCE_MIN)
        return REFUSAL_NONCE;
    proof_hex(keys->desk_token, nonce, n, desk);
    proof_hex(keys->ctl_token, nonce, n, ctl);
    buf_printf(out, "{\"schema\":1,\"desk\":\"%s\",\"ctl\":\"%s\"}", desk, ctl);
    return REFUSAL_NONE;
}
