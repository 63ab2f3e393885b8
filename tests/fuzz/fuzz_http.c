/* fuzz_http.c - what a program on this PC, or a page in its browser, may say to the local API.
 *
 * Input: one byte, then: 0 a request: method and target, headers, one a line; 1 a body of JSON;
 * 2 lines as `tideover record --batch` reads them, cut into chunks; 3 a query. */
#include "fuzz.h"

#include "../branch.h"
#include "../memdisk.h"

#include "cli/lines.h"
#include "core.h"
#include "http_int.h"
#include "query.h"
#include "record_json.h"

/* ---- a request: libmicrohttpd hands headers over, so here the input does ---- */

static char *headers; /* what is left of the input */

int __wrap_MHD_get_connection_values(struct MHD_Connection *c, enum MHD_ValueKind kind,
                                     MHD_KeyValueIterator see, void *ctx);

int __wrap_MHD_get_connection_values(struct MHD_Connection *c, enum MHD_ValueKind kind,
                                     MHD_KeyValueIterator see, void *ctx)
{
    int n = 0;

    (void)c;
    for (char *line = strtok(headers, "\n"); line != NULL; line = strtok(NULL, "\n"), n++) {
        char *colon = strchr(line, ':');
        if (colon != NULL)
            *colon = '\0';
        see(ctx, kind, line, colon == NULL ? NULL : colon[1] == ' ' ? colon + 2 : colon + 1);
    }
    return n;
}

static void try_request(char *text)
{
    struct http_config keys = { .listen = "127.0.0.1:7412" };
    struct http_request *rq = calloc(1, sizeof *rq);
    char hosts[HTTP_HOSTS][HTTP_HOST_BYTES], *target, *end = strchr(text, '\n');
    struct buf out = { 0 };

    memset(keys.desk_token, 1, sizeof keys.desk_token);
    memset(keys.ctl_token, 2, sizeof keys.ctl_token);
    hosts_fill(hosts, 7412);
    headers = end ? end + 1 : text + strlen(text);
    if (end)
        *end = '\0';
    target = strchr(text, ' ');
    if (target)
        *target++ = '\0';
    must_hold(rq != NULL);
    if (target && target_split(target, rq) == REFUSAL_NONE) {
        must_hold(strlen(rq->path) < sizeof rq->path && rq->path[0] == '/');
        if (request_check(NULL, text, (const char(*)[HTTP_HOST_BYTES])hosts, &keys, NULL, rq) ==
            REFUSAL_NONE) {
            must_hold(strcmp(rq->method, "GET") == 0 || strcmp(rq->method, "POST") == 0);
            must_hold(rq->right != HTTP_NOBODY || path_is_open(rq->path) ||
                      path_is_page(rq->path) || path_is_entry(rq->path));
        }
        (void)proof_answer(&keys, rq->query, &out);
    }
    buf_free(&out);
    free(rq);
}

/* ---- bodies ---- */

static void dice(void *ctx, void *out, size_t n)
{
    (void)ctx;
    memset(out, 3, n);
}

static const struct core *desk(void)
{
    static struct branch b;
    static struct core *c;
    struct moment now = { 1000, 1795500000000, 0 };
    struct core_config conf = { .me = &b.desk[0], .dice = dice, .software = "1", .address = ":1" };
    struct memdisk *m;

    if (c != NULL)
        return c;
    branch_new(&b, 2, 1);
    m = memdisk_new();
    conf.disk = memdisk_disk(m);
    for (unsigned i = 0; i < b.n_ops; i++) {
        uint8_t key[4];
        put_be32(key, i);
        conf.disk->put(conf.disk->ctx, TABLE_ROSTER, key, sizeof key, b.op[i].p, b.op[i].len);
    }
    must_hold(core_open(&conf, &now, &c, NULL) == ERR_OK);
    memdisk_commit(m, NULL, NULL);
    return c;
}

/* What is answered must be JSON: jansson makes none of text that is no UTF-8. */
static void must_be_json(const char *text)
{
    json_t *j = json_string(text);

    must_hold(j != NULL);
    json_decref(j);
}

/* The quick reader of plain bodies and the real one: one verdict, one record. */
static void try_both_readers(const char *p, size_t n)
{
    struct errmsg quick = { .text = "" }, real = { .text = "" };
    struct record *r = calloc(2, sizeof *r);
    json_t *o = json_object_of(p, n, &real);
    enum err e = o ? record_of_json(desk(), o, &r[1], &real) : ERR_INVALID;

    must_hold(r != NULL && record_of_text(desk(), p, n, &r[0], &quick) == e);
    must_hold(strcmp(quick.text, real.text) == 0 && strcmp(quick.why, real.why) == 0);
    must_hold(e != ERR_OK || memcmp(&r[0], &r[1], sizeof r[0]) == 0);
    json_decref(o);
    free(r);
}

static void try_body(const char *p, size_t n)
{
    struct errmsg msg = { .text = "" };
    json_t *o = json_object_of(p, n, &msg), *back;
    struct record *r = calloc(1, sizeof *r);

    must_hold(r != NULL);
    if (o == NULL || record_of_json(desk(), o, r, &msg) != ERR_OK) {
        must_hold(msg.text[0] != '\0');
        must_be_json(msg.text);
        must_be_json(msg.field);
    } else {
        back = json_object();
        record_to_json(r, NULL, back);
        json_decref(back);
    }
    json_decref(o);
    free(r);
    try_both_readers(p, n);
}

static void try_lines(const uint8_t *p, size_t n)
{
    size_t chunk = n > 0 ? 1 + p[0] % 64 : 1, len;
    struct lines l = { .at = 0 };
    const char *line;
    enum line_kind kind;

    for (size_t at = 1; at < n; at += chunk) {
        must_hold(lines_feed(&l, p + at, n - at < chunk ? n - at : chunk));
        while ((kind = lines_next(&l, &line, &len)) != LINE_NONE)
            if (kind == LINE_GOOD)
                must_hold(len <= LINE_BYTES_MAX && memchr(line, '\n', len) == NULL);
        must_hold(l.bytes.len - l.at <= LINE_BYTES_MAX + 64);
    }
    lines_end(&l);
    while ((kind = lines_next(&l, &line, &len)) != LINE_NONE)
        if (kind == LINE_GOOD)
            try_body(line, len);
    must_hold(lines_done(&l));
    lines_free(&l);
}

static void try_query(const char *query)
{
    char out[32];

    (void)query_number(query, "after", 0);
    query_text(query, "format", out, sizeof out);
    must_hold(strlen(out) < sizeof out);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    size_t len = n - (n > 0);
    char *text = fuzz_text(p + (n > 0), len);

    switch (n > 0 ? p[0] % 4 : 0) {
    case 0:
        try_request(text);
        break;
    case 1:
        try_body(text, len);
        break;
    case 2:
        try_lines((const uint8_t *)text, len);
        break;
    default:
        try_query(text);
    }
    free(text);
    return 0;
}

static void seed_text(uint8_t what, const char *text)
{
    fuzz_seed_with(what, text, strlen(text));
}

void fuzz_seeds(void)
{
    seed_text(0, "GET /api/v1/status?a=b HTTP\nHost: 127.0.0.1:7412\nAuthorization: Bearer "
                 "0101010101010101010101010101010101010101010101010101010101010101");
    seed_text(0, "POST /api/v1/records\nHost: localhost:7412\nContent-Type: application/json\n"
                 "Content-Length: 65536\nOrigin: http://localhost:7412\nSec-Fetch-Site: "
                 "same-origin\nAuthorization: Bearer "
                 "0202020202020202020202020202020202020202020202020202020202020202");
    seed_text(0, "GET /api/v1/proof?nonce=00112233445566778899aabbccddeeff\nHost: [::1]:7412\n");
    seed_text(0, "GET /%2e%2E/%00\nHost: evil\nTransfer-Encoding: chunked\n");
    seed_text(1, "{\"op\":\"checkout\",\"user\":\"20000000000018\",\"item\":\"30000000000011\","
                 "\"due\":\"2026-12-07\",\"typed\":true,\"key\":"
                 "\"00112233445566778899aabbccddeeff\"}");
    seed_text(1, "{\"op\":\"user\",\"user\":\"2\",\"first\":\"Zo\\u00eb\",\"birth\":\"2010-12-31\","
                 "\"at\":\"2026-11-23T09:12:04-05:00\",\"count\":3}");
    seed_text(1, "{\"op\":\"void\",\"id\":\"DESK-1/1/0001\"}");
    seed_text(1, "{\"a\":[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]}");
    seed_text(1, "{\"\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3"
                 "\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9"
                 "x\xc3\xa9\":1}"); /* a name whose cut falls into a character */
    seed_text(2, " {\"op\":\"discharge\",\"item\":\"3\"}\r\n\n  \n{\"op\":\"renew\"}\nx");
    seed_text(3, "after=12&limit=18446744073709551616&format=symphony&format");
}
