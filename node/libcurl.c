/* libcurl.c - libcurl's functions, each found in the library at the first use of any. */
#include "libcurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <curl/curl.h>

#define SONAME "libcurl.so.4"

#define FUNCTIONS(X)                                                                               \
    X(easy_cleanup)                                                                                \
    X(easy_getinfo)                                                                                \
    X(easy_init)                                                                                   \
    X(easy_perform)                                                                                \
    X(easy_recv)                                                                                   \
    X(easy_reset)                                                                                  \
    X(easy_send)                                                                                   \
    X(easy_setopt)                                                                                 \
    X(easy_strerror)                                                                               \
    X(global_init)                                                                                 \
    X(mime_addpart)                                                                                \
    X(mime_data)                                                                                   \
    X(mime_data_cb)                                                                                \
    X(mime_filename)                                                                               \
    X(mime_free)                                                                                   \
    X(mime_init)                                                                                   \
    X(mime_name)                                                                                   \
    X(mime_type)                                                                                   \
    X(slist_append)                                                                                \
    X(slist_free_all)

#define NUMBER(name) AT_##name,
#define NAME(name)   "curl_" #name,
enum { FUNCTIONS(NUMBER) N_FUNCTIONS };
static const char *const names[] = { FUNCTIONS(NAME) };

typedef void function(void);
static function *found[N_FUNCTIONS];
static const char *missing; /* NULL: it is there */
static pthread_once_t once = PTHREAD_ONCE_INIT;

#define THEIR(name) ((__typeof__(&curl_##name))found[AT_##name])

static void load(void)
{
    void *library = dlopen(SONAME, RTLD_NOW | RTLD_LOCAL);

    missing = SONAME " cannot be loaded on this PC, and nothing can be asked or sent without it";
    for (unsigned i = 0; i < N_FUNCTIONS; i++) {
        void *at = library ? dlsym(library, names[i]) : NULL;
        if (!at)
            return;
        memcpy(&found[i], &at, sizeof at); /* POSIX has it; C knows no cast for it */
    }
    missing = THEIR(global_init)(CURL_GLOBAL_DEFAULT) == CURLE_OK ? NULL : "libcurl does not start";
}

const char *libcurl_why(void)
{
    return missing ? missing : "out of memory";
}

CURL *curl_easy_init(void)
{
    pthread_once(&once, load);
    return missing ? NULL : THEIR(easy_init)();
}

const char *curl_easy_strerror(CURLcode rc) /* also of a handle that was not to be had */
{
    return missing ? missing : THEIR(easy_strerror)(rc);
}

/* The rest is called with something of the library in hand. */

void curl_easy_cleanup(CURL *c)
{
    if (c)
        THEIR(easy_cleanup)(c);
}

void curl_easy_reset(CURL *c)
{
    THEIR(easy_reset)(c);
}

CURLcode curl_easy_perform(CURL *c)
{
    return THEIR(easy_perform)(c);
}

CURLcode curl_easy_send(CURL *c, const void *p, size_t n, size_t *sent)
{
    return THEIR(easy_send)(c, p, n, sent);
}

CURLcode curl_easy_recv(CURL *c, void *p, size_t n, size_t *got)
{
    return THEIR(easy_recv)(c, p, n, got);
}

#undef curl_easy_setopt /* they are macros, too, that check the types */
#undef curl_easy_getinfo

/* An option's number tells the type of its value. */
CURLcode curl_easy_setopt(CURL *c, CURLoption option, ...)
{
    CURLcode rc;
    va_list v;

    va_start(v, option);
    if (option < CURLOPTTYPE_OBJECTPOINT)
        rc = THEIR(easy_setopt)(c, option, va_arg(v, long));
    else if (option < CURLOPTTYPE_FUNCTIONPOINT)
        rc = THEIR(easy_setopt)(c, option, va_arg(v, void *));
    else if (option < CURLOPTTYPE_OFF_T)
        rc = THEIR(easy_setopt)(c, option, va_arg(v, function *));
    else
        rc = THEIR(easy_setopt)(c, option, va_arg(v, curl_off_t));
    va_end(v);
    return rc;
}

CURLcode curl_easy_getinfo(CURL *c, CURLINFO info, ...)
{
    CURLcode rc;
    va_list v;

    va_start(v, info);
    rc = THEIR(easy_getinfo)(c, info, va_arg(v, void *));
    va_end(v);
    return rc;
}

struct curl_slist *curl_slist_append(struct curl_slist *list, const char *text)
{
    return THEIR(slist_append)(list, text);
}

void curl_slist_free_all(struct curl_slist *list)
{
    if (list)
        THEIR(slist_free_all)(list);
}

curl_mime *curl_mime_init(CURL *c)
{
    return THEIR(mime_init)(c);
}

curl_mimepart *curl_mime_addpart(curl_mime *m)
{
    return THEIR(mime_addpart)(m);
}

CURLcode curl_mime_name(curl_mimepart *part, const char *name)
{
    return THEIR(mime_name)(part, name);
}

CURLcode curl_mime_data(curl_mimepart *part, const char *data, size_t n)
{
    return THEIR(mime_data)(part, data, n);
}

CURLcode curl_mime_data_cb(curl_mimepart *part, curl_off_t n, curl_read_callback read,
                           curl_seek_callback seek, curl_free_callback end, void *ctx)
{
    return THEIR(mime_data_cb)(part, n, read, seek, end, ctx);
}

CURLcode curl_mime_filename(curl_mimepart *part, const char *name)
{
    return THEIR(mime_filename)(part, name);
}

CURLcode curl_mime_type(curl_mimepart *part, const char *type)
{
    return THEIR(mime_type)(part, type);
}

void curl_mime_free(curl_mime *m)
{
    if (m)
        THEIR(mime_free)(m);
}
