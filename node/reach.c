/* reach.c - libcurl, set up so that nothing goes astray. */
#include "reach.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "credential.h"

#define UNSENT_BYTES 65536

enum err reach_find(const char *state_dir, const struct policy *p, struct reach *out,
                    struct errmsg *msg)
{
    memset(out, 0, sizeof *out);
    if (strcmp(p->access.proxy, "none") != 0)
        snprintf(out->proxy, sizeof out->proxy, "%s", p->access.proxy);
    return p->access.ca[0] == '\0' ? ERR_OK
                                   : credential_find(state_dir, p->access.ca, "ca", out->ca, msg);
}

void reach_set(CURL *c, const struct reach *r)
{
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)REACH_CONNECT_MS);
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_PROXY, r->proxy);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "tideover/" TIDEOVER_VERSION);
    if (r->ca[0] != '\0') {
        curl_easy_setopt(c, CURLOPT_CAINFO, r->ca);
        curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
    }
}

/* Little waits in the kernel, or over a slow line a file seems to be sent long before it is, and
 * its answer to be late. */
static int watch_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
    unsigned ms = *(const uint32_t *)ctx;
    int unsent = UNSENT_BYTES;

    (void)purpose;
    return setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms) == 0 &&
                   setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) == 0
               ? CURL_SOCKOPT_OK
               : CURL_SOCKOPT_ERROR;
}

void reach_set_patience(CURL *c, const uint32_t *ms)
{
    curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, watch_socket);
    curl_easy_setopt(c, CURLOPT_SOCKOPTDATA, ms);
}

bool reach_is_barred(CURLcode rc)
{
    return rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE ||
           rc == CURLE_SSL_ISSUER_ERROR || rc == CURLE_UNSUPPORTED_PROTOCOL ||
           rc == CURLE_URL_MALFORMAT;
}

bool reach_has_left(CURL *c, const char *scheme, const struct reach *r)
{
    bool tunnel = r->proxy[0] != '\0' && strncmp(scheme, "https", 5) == 0;
    curl_off_t began = 0;
    long sent = 0;

    curl_easy_getinfo(c, CURLINFO_REQUEST_SIZE, &sent);
    curl_easy_getinfo(c, CURLINFO_PRETRANSFER_TIME_T, &began);
    return sent > 0 && (!tunnel || began > 0);
}
