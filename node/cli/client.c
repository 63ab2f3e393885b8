/* client.c - finding the node, proving that it is ours, asking it. */
#include "client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http.h"
#include "libcurl.h"

#define CONNECT_MS  10000  /* where nobody listens that is said at once */
#define ANSWER_MS   30000  /* what is answered at once */
#define WORK_MS     600000 /* what the node has to work on */
#define REPLY_MAX   (64u << 20)
#define NONCE_BYTES 16
#define ADDRESS_MAX 64

struct client {
    CURL *curl;
    const struct cli *cli;
    char state[4096];
    char address[ADDRESS_MAX];
    char authorization[32 + 2 * HTTP_TOKEN_BYTES]; /* "Authorization: Bearer ..." */
};

void reply_free(struct reply *r)
{
    buf_wipe(&r->body); /* may hold an invite's code */
    buf_free(&r->summary);
}

/* ---- the run directory ---- */

static enum err no_node(const struct client *cl, struct errmsg *msg)
{
    char path[4200];

    snprintf(path, sizeof path, "%s/tideover.conf", cl->state);
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return err_why(msg, ERR_OFFLINE, "no_node", "",
                       "no node runs on %s, and there is no desk "
                       "there yet: tideover init, or tideover join",
                       cl->state);
    if (strcmp(cl->state, SYSTEM_STATE) == 0)
        return err_why(msg, ERR_OFFLINE, "no_node", "",
                       "no node runs on %s; start it with: systemctl start tideover", cl->state);
    return err_why(msg, ERR_OFFLINE, "no_node", "",
                   "no node runs on %s; start it with: tideover --state %s node", cl->state,
                   cl->state);
}

/* The service keeps what staff may read in a place of its own (node/tokens.c). */
static int open_for_staff(const struct client *cl, const char *name)
{
    char path[256];

    if (strcmp(cl->state, SYSTEM_STATE) != 0) {
        errno = EACCES;
        return -1;
    }
    snprintf(path, sizeof path, SYSTEM_RUN "/%s", name);
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* First line of DIR/run/NAME. */
static enum err read_run(const struct client *cl, const char *name, char *out, size_t room,
                         struct errmsg *msg)
{
    char path[4200];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "%s/run/%s", cl->state, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && strcmp(name, "ctl.token") != 0)
        fd = open_for_staff(cl, name);
    if (fd < 0 && (errno == EACCES || errno == EPERM) && strcmp(cl->state, SYSTEM_STATE) == 0)
        return err_set(msg, ERR_DENIED,
                       "this user may not ask the node; desk staff may once an admin says: adduser "
                       "USER tideover-desk (then log in again)");
    if (fd < 0 && (errno == EACCES || errno == EPERM))
        return err_set(msg, ERR_DENIED, "this user may not read %s", path);
    if (fd < 0)
        return no_node(cl, msg);
    n = read(fd, out, room - 1);
    close(fd);
    if (n <= 0)
        return no_node(cl, msg);
    out[n] = 0;
    out[strcspn(out, " \r\n")] = 0;
    return ERR_OK;
}

/* ---- one request ---- */

struct transfer {
    struct client *cl;
    const struct request *rq;
    struct reply *reply;
    struct progress progress;
    size_t given; /* of the body */
    bool disk_failed;
    int disk_errno;
};

static size_t take_bytes(char *p, size_t one, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    long status = 0;

    (void)one;
    curl_easy_getinfo(t->cl->curl, CURLINFO_RESPONSE_CODE, &status);
    if (t->rq->to_fd != 0 && status == 200) {
        for (size_t done = 0; done < n;) {
            ssize_t wrote = write(t->rq->to_fd, p + done, n - done);
            if (wrote < 0 && errno == EINTR)
                continue;
            if (wrote <= 0) {
                t->disk_failed = true;
                t->disk_errno = errno;
                return 0;
            }
            done += (size_t)wrote;
        }
        return n;
    }
    if (t->reply->body.len + n > REPLY_MAX)
        return 0;
    buf_add(&t->reply->body, p, n);
    return t->reply->body.failed ? 0 : n;
}

/* libcurl repeats a POST by itself if a kept connection ends before the answer, and the node may
 * have recorded it. A body that cannot be rewound forbids that: CURLE_SEND_FAIL_REWIND. */
static size_t give_bytes(char *p, size_t one, size_t room, void *ctx)
{
    struct transfer *t = ctx;
    size_t n = t->rq->body_len - t->given;

    (void)one;
    if (n > room)
        n = room;
    if (n > 0)
        memcpy(p, (const char *)t->rq->body + t->given, n);
    t->given += n;
    return n;
}

static size_t take_header(char *p, size_t one, size_t n, void *ctx)
{
    static const char name[] = "X-Tideover-Summary:";
    struct transfer *t = ctx;
    size_t k = sizeof name - 1, end = n;

    (void)one;
    if (n > k && strncasecmp(p, name, k) == 0 && n < 16384) {
        while (k < end && p[k] == ' ')
            k++;
        while (end > k && (p[end - 1] == '\r' || p[end - 1] == '\n'))
            end--;
        buf_reset(&t->reply->summary);
        buf_add(&t->reply->summary, p + k, end - k);
    }
    return n;
}

static int tick(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    struct transfer *t = ctx;

    (void)a, (void)b, (void)c, (void)d;
    if (t->rq->waiting != NULL)
        progress_show(&t->progress, t->rq->waiting, 0, 0);
    return 0;
}

static enum err transport_error(const struct transfer *t, CURLcode rc, struct errmsg *msg)
{
    switch ((int)rc) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_URL_MALFORMAT:
        if (t->given == 0)
            return no_node(t->cl, msg);
        break; /* a kept connection ended under the body, and nobody answers a new one */
    case CURLE_OPERATION_TIMEDOUT:
        return err_why(msg, ERR_OFFLINE, "timeout", "", "the node on %s does not answer",
                       t->cl->state);
    case CURLE_OUT_OF_MEMORY:
        return err_set(msg, ERR_NOMEM, "out of memory");
    case CURLE_WRITE_ERROR:
        if (t->disk_failed)
            return err_set(msg, ERR_DISK, "cannot write the file: %s", strerror(t->disk_errno));
        return err_set(msg, ERR_PEER, "the node's answer is too large");
    default:
        break;
    }
    return err_why(msg, ERR_OFFLINE, "gone", "", "the node on %s went away before it answered",
                   t->cl->state);
}

static struct curl_slist *headers_of(const struct client *cl, const struct request *rq)
{
    char type[64];
    struct curl_slist *list = curl_slist_append(NULL, "Expect:"), *more;

    if (list != NULL && cl->authorization[0] != 0) {
        more = curl_slist_append(list, cl->authorization);
        if (more == NULL)
            goto fail;
        list = more;
    }
    if (list != NULL && rq->type != NULL) {
        snprintf(type, sizeof type, "Content-Type: %s", rq->type);
        more = curl_slist_append(list, type);
        if (more == NULL)
            goto fail;
        list = more;
    }
    return list;
fail:
    curl_slist_free_all(list);
    return NULL;
}

static void free_headers(struct curl_slist *list)
{
    for (struct curl_slist *l = list; l != NULL; l = l->next)
        sodium_memzero(l->data, strlen(l->data)); /* one of them is the token */
    curl_slist_free_all(list);
}

/* The environment's proxies are for the world outside, never for this PC's own node. */
static void set_up(CURL *curl, struct transfer *t, const char *url, struct curl_slist *headers)
{
    const struct request *rq = t->rq;

    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(rq->waiting != NULL ? WORK_MS : ANSWER_MS));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, tick);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    if (rq->type != NULL) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_READFUNCTION, give_bytes);
        curl_easy_setopt(curl, CURLOPT_READDATA, t);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)rq->body_len);
    }
}

enum err client_send(struct client *cl, const struct request *rq, struct reply *out,
                     struct errmsg *msg)
{
    struct transfer t = { .cl = cl, .rq = rq, .reply = out };
    struct curl_slist *headers = headers_of(cl, rq);
    char url[1024];
    long status = 0;
    CURLcode rc;

    *out = (struct reply){ 0 };
    if (headers == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    snprintf(url, sizeof url, "http://%s%s", cl->address, rq->path);
    progress_begin(cl->cli, &t.progress);
    set_up(cl->curl, &t, url, headers);
    rc = curl_easy_perform(cl->curl);
    curl_easy_getinfo(cl->curl, CURLINFO_RESPONSE_CODE, &status);
    progress_end(&t.progress);
    free_headers(headers);
    if (rc == CURLE_OK) {
        buf_add(&out->body, "", 1);
        buf_add(&out->summary, "", 1);
        if (out->body.failed || out->summary.failed)
            rc = CURLE_OUT_OF_MEMORY;
    }
    if (rc != CURLE_OK) {
        enum err e = transport_error(&t, rc, msg);
        reply_free(out);
        return e;
    }
    out->body.len--;
    out->summary.len--;
    out->status = (unsigned)status;
    return ERR_OK;
}

/* ---- the proof: another program may sit on the port of a node that ended ---- */

static bool proof_is_right(const struct reply *r, const char *which, const char *wanted)
{
    json_t *o = json_loadb((const char *)r->body.p, r->body.len, 0, NULL);
    const char *given = j_text(o, which, "");
    bool right = r->status == 200 && strlen(given) == strlen(wanted) &&
                 sodium_memcmp(given, wanted, strlen(wanted)) == 0;

    json_decref(o);
    return right;
}

static enum err ask_proof(struct client *cl, const char *which,
                          const uint8_t token[HTTP_TOKEN_BYTES], struct errmsg *msg)
{
    uint8_t nonce[NONCE_BYTES], proof[32];
    char path[128], nonce_hex[2 * NONCE_BYTES + 1], wanted[2 * sizeof proof + 1];
    struct reply r;
    enum err e;

    randombytes_buf(nonce, sizeof nonce);
    sodium_bin2hex(nonce_hex, sizeof nonce_hex, nonce, sizeof nonce);
    crypto_generichash(proof, sizeof proof, nonce, sizeof nonce, token, HTTP_TOKEN_BYTES);
    sodium_bin2hex(wanted, sizeof wanted, proof, sizeof proof);
    snprintf(path, sizeof path, "/api/v1/proof?nonce=%s", nonce_hex);
    e = client_send(cl, &(struct request){ .path = path }, &r, msg);
    if (e != ERR_OK)
        return e;
    if (!proof_is_right(&r, which, wanted))
        e = err_why(msg, ERR_OFFLINE, "stranger", "",
                    "another program answers on %s, not the node "
                    "of %s; nothing was sent to it",
                    cl->address, cl->state);
    reply_free(&r);
    return e;
}

static enum err read_token(const struct client *cl, const char *name,
                           uint8_t token[HTTP_TOKEN_BYTES], struct errmsg *msg)
{
    char hex[2 * HTTP_TOKEN_BYTES + 2];
    size_t n = 0;
    enum err e = read_run(cl, name, hex, sizeof hex, msg);

    if (e == ERR_OK &&
        (sodium_hex2bin(token, HTTP_TOKEN_BYTES, hex, strlen(hex), NULL, &n, NULL) != 0 ||
         n != HTTP_TOKEN_BYTES))
        e = no_node(cl, msg); /* half-written: the node is just starting, or died at it */
    sodium_memzero(hex, sizeof hex);
    return e;
}

/* The stronger token if we may read it, and the proof that goes with it. */
static enum err authenticate(struct client *cl, struct errmsg *msg)
{
    uint8_t token[HTTP_TOKEN_BYTES];
    char hex[2 * HTTP_TOKEN_BYTES + 1];
    const char *which = "ctl";
    enum err e = read_token(cl, "ctl.token", token, msg);

    if (e == ERR_DENIED) {
        which = "desk";
        e = read_token(cl, "desk.token", token, msg);
    }
    if (e == ERR_OK)
        e = ask_proof(cl, which, token, msg);
    if (e == ERR_OK) {
        sodium_bin2hex(hex, sizeof hex, token, sizeof token);
        snprintf(cl->authorization, sizeof cl->authorization, "Authorization: Bearer %s", hex);
        sodium_memzero(hex, sizeof hex);
    }
    sodium_memzero(token, sizeof token);
    return e;
}

enum err client_open(const char *state_dir, const struct cli *cli, struct client **out,
                     struct errmsg *msg)
{
    struct client *cl = calloc(1, sizeof *cl);
    enum err e = ERR_OK;

    if (cl == NULL)
        return err_set(msg, ERR_NOMEM, "out of memory");
    cl->cli = cli;
    if (snprintf(cl->state, sizeof cl->state, "%s", state_dir) >= (int)sizeof cl->state)
        e = err_set(msg, ERR_USAGE, "the state directory's name is too long");
    if (e == ERR_OK && (sodium_init() < 0 || (cl->curl = curl_easy_init()) == NULL))
        e = err_set(msg, ERR_NOMEM, "%s", libcurl_why());
    if (e == ERR_OK)
        e = read_run(cl, "web", cl->address, sizeof cl->address, msg);
    if (e == ERR_OK)
        e = authenticate(cl, msg);
    if (e != ERR_OK) {
        client_close(cl);
        return e;
    }
    *out = cl;
    return ERR_OK;
}

void client_close(struct client *cl)
{
    if (cl == NULL)
        return;
    if (cl->curl != NULL)
        curl_easy_cleanup(cl->curl);
    sodium_memzero(cl, sizeof *cl);
    free(cl);
}
