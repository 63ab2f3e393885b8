/* probe_ask.c - one question to the library's server, by kind; each answers in seconds at most.
 *
 * A connection alone proves little (a full or half-dead server accepts and says nothing), so all
 * kinds but tcp: wait for an answer that only the system itself gives. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "libcurl.h"
#include "probe_int.h"

/* ---- tcp:HOST:PORT ---- */

static int connects(const struct addrinfo *a)
{
    struct pollfd p;
    int rc, why = 0;
    socklen_t n = sizeof why;

    p.fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, a->ai_protocol);
    p.events = POLLOUT;
    if (p.fd < 0)
        return errno;
    rc = connect(p.fd, a->ai_addr, a->ai_addrlen) == 0 ? 0 : errno;
    if (rc == EINPROGRESS) {
        rc = ETIMEDOUT;
        if (poll(&p, 1, PROBE_LIMIT_MS) == 1 &&
            getsockopt(p.fd, SOL_SOCKET, SO_ERROR, &why, &n) == 0)
            rc = why;
    }
    close(p.fd);
    return rc;
}

static bool ask_tcp(const char *host_port, const struct reach *reach, const char *expect,
                    char why[PROBE_WHY])
{
    char host[POLICY_TEXT_VALUE], *port;
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
    int rc = ETIMEDOUT, found;

    (void)reach, (void)expect;
    snprintf(host, sizeof host, "%s", host_port);
    if ((port = strrchr(host, ':')) == NULL) {
        snprintf(why, PROBE_WHY, "no port in the address");
        return false;
    }
    *port++ = '\0';
    if ((found = getaddrinfo(host, port, &hints, &all)) != 0) {
        snprintf(why, PROBE_WHY, "its name is not found: %s", gai_strerror(found));
        return false;
    }
    for (struct addrinfo *a = all; a && rc != 0; a = a->ai_next)
        rc = connects(a);
    freeaddrinfo(all);
    if (rc != 0)
        snprintf(why, PROBE_WHY, "%s",
                 rc == ETIMEDOUT ? "it does not answer in time" : strerror(rc));
    return rc == 0;
}

/* ---- http(s):// ---- */

struct page { /* the beginning of the answer, where `expect` is looked for */
    char text[65536];
    size_t n;
};

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    struct page *page = ctx;
    size_t room = sizeof page->text - 1 - page->n, some = size * n < room ? size * n : room;

    memcpy(page->text + page->n, p, some);
    page->n += some;
    return size * n;
}

static bool judge_page(CURLcode rc, long status, const struct page *page, const char *expect,
                       char why[PROBE_WHY])
{
    if (rc != CURLE_OK)
        snprintf(why, PROBE_WHY, "%s",
                 rc == CURLE_OPERATION_TIMEDOUT ? "it does not answer in time"
                                                : curl_easy_strerror(rc));
    else if (status < 200 || status > 399)
        snprintf(why, PROBE_WHY, "it answers %ld", status);
    else if (expect[0] && !memmem(page->text, page->n, expect, strlen(expect)))
        snprintf(why, PROBE_WHY, "its answer is not the one that is expected");
    else
        return true;
    return false;
}

static bool ask_http(const char *url, const struct reach *reach, const char *expect,
                     char why[PROBE_WHY])
{
    CURL *c = curl_easy_init();
    struct page *page = calloc(1, sizeof *page);
    long status = 0;
    bool ok = false;
    CURLcode rc;

    if (c && page) {
        reach_set(c, reach);
        curl_easy_setopt(c, CURLOPT_URL, url);
        curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
        curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)PROBE_LIMIT_MS);
        curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
        curl_easy_setopt(c, CURLOPT_WRITEDATA, page);
        rc = curl_easy_perform(c);
        curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
        ok = judge_page(rc, status, page, expect, why);
    } else {
        snprintf(why, PROBE_WHY, "%s", libcurl_why());
    }
    curl_easy_cleanup(c);
    free(page);
    return ok;
}

/* ---- evergreen:URL, koha:URL: the base address, asked as formats these systems' own way ---- */

static bool ask_evergreen(const char *base, const struct reach *reach, const char *expect,
                          char why[PROBE_WHY])
{
    char url[2 * POLICY_TEXT_VALUE];

    (void)expect; /* the router hands the word to the login service, which says it back */
    snprintf(url, sizeof url,
             "%s/osrf-gateway-v1?service=open-ils.auth&method=opensrf.system.echo&param=%%22up%%22",
             base);
    return ask_http(url, reach, "\"up\"", why);
}

static bool ask_koha(const char *base, const struct reach *reach, const char *expect,
                     char why[PROBE_WHY])
{
    char url[2 * POLICY_TEXT_VALUE];

    snprintf(url, sizeof url, "%s/cgi-bin/koha/svc/authentication", base);
    return ask_http(url, reach, expect[0] ? expect : "<status>", why);
}

bool probe_ask(const char *target, const struct reach *reach, const char *expect,
               char why[PROBE_WHY])
{
    static const struct {
        const char *scheme;
        size_t skip;
        bool (*ask)(const char *target, const struct reach *reach, const char *expect,
                    char why[PROBE_WHY]);
    } kinds[] = {
        { "tcp:", 4, ask_tcp },
        { "http", 0, ask_http },
        { "evergreen:", 10, ask_evergreen },
        { "koha:", 5, ask_koha },
    };

    why[0] = '\0';
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strncmp(target, kinds[i].scheme, strlen(kinds[i].scheme)) == 0)
            return kinds[i].ask(target + kinds[i].skip, reach, expect, why);
    snprintf(why, PROBE_WHY, "this version knows no such address");
    return false;
}
