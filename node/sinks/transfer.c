/* transfer.c - libcurl, set up so that nothing goes astray. */
#include "transfer_int.h"

#include "libcurl.h"
#include "now.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define QUIET_LEAST_MS 1000
#define QUIET_MS       30000
#define SLOWEST        100L /* bytes/s: who gives or takes less hangs, a byte at a time */

/* ---- called by libcurl ---- */

/* At least once a second, whatever happens. */
static int watch_progress(void *ctx, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                          curl_off_t up)
{
    struct transfer *t = ctx;
    uint64_t now = clock_ms(CLOCK_BOOTTIME);

    (void)down_total, (void)up_total;
    if (down + up != t->moved) {
        t->moved = down + up;
        t->moved_ms = now;
    }
    if (now - t->moved_ms > t->quiet_ms)
        t->gave_up = TRANSFER_STALLED;
    else if (t->sending && !t->b->may_send(t->b->ctx))
        t->gave_up = TRANSFER_TOO_LATE;
    return t->gave_up != TRANSFER_WENT_ON;
}

static size_t give_bytes(char *p, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    size_t got = fread(p, 1, size * n, t->from);

    return got == 0 && ferror(t->from) ? CURL_READFUNC_ABORT : got;
}

static int give_from(void *ctx, curl_off_t offset, int origin)
{
    struct transfer *t = ctx;

    return fseeko(t->from, offset, origin) == 0 ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static size_t take_bytes(char *p, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;

    if (t->in.bytes + size * n > t->in.most)
        return 0;
    t->in.bytes += size * n;
    crypto_hash_sha256_update(&t->in.sha, (const uint8_t *)p, size * n);
    return size * n;
}

/* ---- setting up ---- */

enum delivery transfer_begin(struct transfer *t, struct sink_batch *b, char words[256])
{
    uint32_t quiet = policy_quiet_ms(b->policy, QUIET_MS);
    struct errmsg msg = { .text = "" };

    memset(t, 0, sizeof *t);
    t->b = b;
    t->quiet_ms = quiet == 0 ? QUIET_MS : quiet < QUIET_LEAST_MS ? QUIET_LEAST_MS : quiet;
    if (url_parse(b->target, &t->to, &msg) != ERR_OK) {
        snprintf(words, 256, "the sink %.200s", msg.text);
        return DELIVERY_STOP;
    }
    if (reach_find(b->home, b->policy, &t->reach, &msg) != ERR_OK) {
        snprintf(words, 256, "%.255s", msg.text);
        return DELIVERY_RETRY; /* another desk may have it */
    }
    if ((t->curl = curl_easy_init()) == NULL) {
        snprintf(words, 256, "%s", libcurl_why());
        return DELIVERY_RETRY;
    }
    return DELIVERY_DONE;
}

void transfer_free(struct transfer *t)
{
    curl_easy_cleanup(t->curl); /* NULL is fine */
    if (t->from)
        fclose(t->from);
    t->from = NULL;
    t->curl = NULL;
}

void transfer_reset(struct transfer *t)
{
    CURL *c = t->curl;

    curl_easy_reset(c); /* of options; connections stay */
    reach_set(c, &t->reach);
    reach_set_patience(c, &t->quiet_ms);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->detail);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, SLOWEST);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)(t->quiet_ms / 1000) + 1);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, watch_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, t);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
    t->in.bytes = t->in.most = 0;
    t->sending = false;
}

bool transfer_aim(struct transfer *t, const char *name)
{
    size_t n = strlen(t->to.path);
    bool v6 = strchr(t->to.host, ':') != NULL;
    char url[POLICY_TEXT_VALUE + 200], port[8] = "";
    int k;

    while (n > 0 && t->to.path[n - 1] == '/')
        n--;
    if (t->to.port > 0)
        snprintf(port, sizeof port, ":%u", t->to.port);
    k = snprintf(url, sizeof url, "%s://%s%s%s%s%.*s/%s", t->to.scheme, v6 ? "[" : "", t->to.host,
                 v6 ? "]" : "", port, (int)n, t->to.path, name);
    return k > 0 && (size_t)k < sizeof url &&
           curl_easy_setopt(t->curl, CURLOPT_URL, url) == CURLE_OK;
}

CURLcode transfer_run(struct transfer *t)
{
    t->detail[0] = '\0';
    t->gave_up = TRANSFER_WENT_ON;
    t->moved = 0;
    t->moved_ms = clock_ms(CLOCK_BOOTTIME);
    return curl_easy_perform(t->curl);
}

void transfer_why(const struct transfer *t, CURLcode rc, char out[160])
{
    const char *why = t->detail[0] != '\0' ? t->detail : curl_easy_strerror(rc);

    if (t->gave_up == TRANSFER_STALLED)
        why = "the server stopped answering";
    else if (t->gave_up == TRANSFER_TOO_LATE)
        why = "the lease ended while the file was on its way";
    snprintf(out, 160, "%.159s", why);
    text_mend(out);
    for (size_t n = strlen(out); n > 0 && (out[n - 1] == '.' || out[n - 1] == ' '); n--)
        out[n - 1] = '\0';
}

bool transfer_send_file(struct transfer *t, const struct sink_file *f)
{
    CURL *c = t->curl;
    int fd;

    if (t->from)
        fclose(t->from);
    fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 0);
    if ((t->from = fd < 0 ? NULL : fdopen(fd, "rb")) == NULL) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    rewind(t->from);
    t->sending = true;
    curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(c, CURLOPT_READFUNCTION, give_bytes);
    curl_easy_setopt(c, CURLOPT_READDATA, t);
    curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, give_from);
    curl_easy_setopt(c, CURLOPT_SEEKDATA, t);
    curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)f->part.bytes);
    return true;
}

void transfer_read(struct transfer *t, const struct sink_file *f)
{
    crypto_hash_sha256_init(&t->in.sha);
    t->in.bytes = 0;
    t->in.most = f->part.bytes;
}

bool transfer_is_equal(struct transfer *t, const struct sink_file *f)
{
    uint8_t sha[32];

    crypto_hash_sha256_final(&t->in.sha, sha);
    return t->in.bytes == f->part.bytes && memcmp(sha, f->part.sha256, sizeof sha) == 0;
}
