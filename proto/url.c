/* url.c - URLs of sinks. */
#include "url.h"

#include <string.h>

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

/* The next n bytes of s, all of them of `chars`, into out. */
static bool take(const char *s, size_t n, const char *chars, char *out, size_t room)
{
    if (n == 0 || n >= room || strspn(s, chars) < n)
        return false;
    memcpy(out, s, n);
    out[n] = '\0';
    return true;
}

static bool take_port(const char *s, size_t n, unsigned *port)
{
    char digits[6];

    *port = 0;
    if (!take(s, n, DIGITS, digits, sizeof digits))
        return false;
    for (const char *d = digits; *d != '\0'; d++)
        *port = *port * 10 + (unsigned)(*d - '0');
    return *port >= 1 && *port <= 65535;
}

static enum err take_host(const char *s, size_t n, struct url *u, struct errmsg *msg)
{
    const char *close = *s == '[' ? memchr(s, ']', n) : NULL;
    size_t host = close ? (size_t)(close - s) + 1 : strcspn(s, ":/");
    bool good;

    host = host < n ? host : n;
    if (close)
        good = take(s + 1, host - 2, DIGITS "abcdefABCDEF:.", u->host, sizeof u->host);
    else
        good = take(s, host, LOWER UPPER DIGITS ".-_", u->host, sizeof u->host);
    if (!good)
        return err_set(msg, ERR_CONFIG, "needs the name or address of a host");
    if (host < n && (s[host] != ':' || !take_port(s + host + 1, n - host - 1, &u->port)))
        return err_set(msg, ERR_CONFIG, "the port behind the host must be 1 to 65535");
    return ERR_OK;
}

static bool is_hex(char c)
{
    return c != '\0' && strchr(DIGITS "abcdefABCDEF", c) != NULL;
}

static bool is_path(const char *s)
{
    for (; *s != '\0'; s++)
        if (*s == '%' && !(is_hex(s[1]) && is_hex(s[2])))
            return false;
        else if (!strchr(LOWER UPPER DIGITS "/._~-!$&'()*+,;=:@%", *s))
            return false;
    return true;
}

enum err url_parse(const char *s, struct url *out, struct errmsg *msg)
{
    const char *slashes = strstr(s, "://"), *host, *at;
    struct url u = { .path = "" };
    size_t n;
    enum err e;

    if (!slashes || !take(s, (size_t)(slashes - s), LOWER DIGITS, u.scheme, sizeof u.scheme))
        return err_set(msg, ERR_CONFIG, "needs a form like https://HOST/DIR/");
    host = slashes + 3;
    n = strcspn(host, "/");
    if ((at = memchr(host, '@', n)) != NULL) {
        size_t user = (size_t)(at - host);
        if (memchr(host, ':', user))
            return err_set(msg, ERR_CONFIG,
                           "a password may not stand in it: every desk reads the policy. Put it "
                           "into a credential");
        if (!take(host, user, LOWER UPPER DIGITS "._-", u.user, sizeof u.user))
            return err_set(msg, ERR_CONFIG,
                           "the user's name is made of letters, digits, and . _ -");
        host = at + 1;
        n -= user + 1;
    }
    if ((e = take_host(host, n, &u, msg)) != ERR_OK)
        return e;
    u.path = host + n;
    if (!is_path(u.path))
        return err_set(msg, ERR_CONFIG,
                       "the path has a character that needs to be written as %%XX, or is a query");
    *out = u;
    return ERR_OK;
}

bool url_is_loopback(const struct url *u)
{
    return strcmp(u->host, "localhost") == 0 || strcmp(u->host, "::1") == 0 ||
           (strncmp(u->host, "127.", 4) == 0 && strspn(u->host, DIGITS ".") == strlen(u->host));
}

const char *sink_url(const char *sink)
{
    const char *slashes = strstr(sink, "://"), *s;

    if (!slashes || strncmp(sink, "file:", 5) == 0 || strncmp(sink, "drop:", 5) == 0)
        return NULL;
    for (s = slashes; s > sink && s[-1] != ':'; s--)
        ;
    return s;
}
