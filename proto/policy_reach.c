/* policy_reach.c - where the policy says the ILS is: the probe and the sink, how they are reached,
 * and what two keys together can get wrong there. */
#include "policy_int.h"

#include <string.h>

#include "delivery.h"
#include "url.h"

static const char letters_and_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/* Letters, digits, and those of `more`. */
static bool is_made_of(const char *s, const char *more)
{
    while (*s != 0 && (strchr(letters_and_digits, *s) || strchr(more, *s)))
        s++;
    return *s == 0;
}

/* HOST:PORT at the end of s, both there. */
static bool is_host_port(const char *s)
{
    const char *colon = strrchr(s, ':');
    unsigned port = 0;

    if (colon == NULL || colon == s || colon[1] == 0 || strlen(colon + 1) > 5 ||
        strcspn(s, " /@") != strlen(s))
        return false;
    for (const char *d = colon + 1; *d != 0; d++) {
        if (*d < '0' || *d > '9')
            return false;
        port = port * 10 + (unsigned)(*d - '0');
    }
    return port >= 1 && port <= 65535;
}

static bool is_url(const char *s)
{
    size_t n = strncmp(s, "http://", 7) == 0 ? 7 : strncmp(s, "https://", 8) == 0 ? 8 : 0;

    return n > 0 && s[n] != 0 && s[n] != '/' && strpbrk(s, " \"<>") == NULL;
}

enum err policy_read_probe(const struct ini_key *row, const char *key, const char *value,
                           void *into, struct errmsg *msg)
{
    if (strcmp(value, "none") != 0 && !is_url(value) &&
        !(strncmp(value, "evergreen:", 10) == 0 && is_url(value + 10)) &&
        !(strncmp(value, "koha:", 5) == 0 && is_url(value + 5)) &&
        !(strncmp(value, "tcp:", 4) == 0 && is_host_port(value + 4)) &&
        !(strncmp(value, "sip2://", 7) == 0 && is_host_port(value + 7)) &&
        !(strncmp(value, "sip2s://", 8) == 0 && is_host_port(value + 8)))
        return err_set(msg, ERR_CONFIG,
                       "must be tcp:HOST:PORT, http(s)://HOST/..., evergreen:https://HOST, "
                       "koha:https://HOST, sip2(s)://HOST:PORT or none");
    return ini_text(row, key, value, into, msg);
}

static bool is_absolute(const char *dir)
{
    bool drive =
        ((dir[0] >= 'A' && dir[0] <= 'Z') || (dir[0] >= 'a' && dir[0] <= 'z')) && dir[1] == ':';

    return drive ? dir[2] == '/' || dir[2] == '\\' : dir[0] == '/';
}

/* Forms that name a host. */
static enum err read_sink_url(const struct ini_key *row, const char *key, const char *value,
                              void *into, struct errmsg *msg)
{
    const char *text = sink_url(value);
    bool sftp, web;
    struct url u;
    enum err e;

    if (text == NULL)
        return err_set(msg, ERR_CONFIG, "needs a form like https://HOST/DIR/");
    if ((e = url_parse(text, &u, msg)) != ERR_OK)
        return e;
    sftp = strcmp(u.scheme, "sftp") == 0;
    web = strcmp(u.scheme, "https") == 0 || strcmp(u.scheme, "http") == 0;
    if (text != value && !web)
        return err_set(msg, ERR_CONFIG,
                       "needs https:// behind the word, like put:https://HOST/in/");
    if (sftp == (*u.user == 0))
        return err_set(msg, ERR_CONFIG,
                       "sftp: needs the user's name in front of the host, like "
                       "sftp://tideover@ils.example.org/incoming; others must not have one");
    if (sftp && (strlen(u.path) < 2 || strpbrk(u.path, "%!$&'()*;:@") != NULL))
        return err_set(msg, ERR_CONFIG,
                       "sftp: needs a directory, of letters, digits, / . _ - ~ + , =");
    return ini_text(row, key, value, into, msg);
}

enum err policy_read_sink(const struct ini_key *row, const char *key, const char *value, void *into,
                          struct errmsg *msg)
{
    enum sink_class c = sink_class_of(value);
    char desk[DESK_NAME_MAX + 1];
    const char *path = value;

    if (strcmp(value, "none") != 0 && c == SINK_NONE)
        return err_set(
            msg, ERR_CONFIG,
            "this version knows file:DIR, drop:DESK:DIR, sftp://, https://, put:https://, "
            "key:https://, sip2://, sip2s://, koha:https://, koha-plugin:https://, "
            "evergreen:https://, and none");
    if (strcmp(value, "none") != 0 && strncmp(value, "file:", 5) != 0 && c != SINK_DROP)
        return read_sink_url(row, key, value, into, msg);
    if (strncmp(value, "file:", 5) == 0 && !is_absolute(value + strlen("file:")))
        return err_set(msg, ERR_CONFIG,
                       "file: needs an absolute directory, like file:/srv/tideover/out");
    if (c == SINK_DROP && (!sink_place(value, desk, &path) || !is_absolute(path)))
        return err_set(msg, ERR_CONFIG,
                       "drop: needs a desk and an absolute directory there, like "
                       "drop:MAIN-1:/srv/pickup");
    return ini_text(row, key, value, into, msg);
}

/* Of a file in the desk's own place for secrets (credential.h). */
enum err policy_read_file_name(const struct ini_key *row, const char *key, const char *value,
                               void *into, struct errmsg *msg)
{
    if (!is_made_of(value, "_-"))
        return err_set(msg, ERR_CONFIG,
                       "must be the name of a credential: letters, digits, _ and -; what it "
                       "holds is set on each desk with tideover credential set");
    return ini_text(row, key, value, into, msg);
}

enum err policy_read_host_key(const struct ini_key *row, const char *key, const char *value,
                              void *into, struct errmsg *msg)
{
    if (strncmp(value, "SHA256:", 7) != 0 || strlen(value) != 7 + 43 ||
        !is_made_of(value + 7, "+/"))
        return err_set(msg, ERR_CONFIG,
                       "must be SHA256: and 43 letters, as ssh-keygen -lf prints it for the "
                       "server's ECDSA host key");
    return ini_text(row, key, value, into, msg);
}

enum err policy_read_proxy(const struct ini_key *row, const char *key, const char *value,
                           void *into, struct errmsg *msg)
{
    struct url u;

    if (strcmp(value, "none") != 0 &&
        (url_parse(value, &u, msg) != ERR_OK || strcmp(u.scheme, "http") != 0 || u.port == 0 ||
         *u.user != 0 || *u.path != 0))
        return err_set(msg, ERR_CONFIG, "must be http://HOST:PORT or none");
    return ini_text(row, key, value, into, msg);
}

/* Beside nothing of ours, and no path. */
enum err policy_read_loaders_name(const struct ini_key *row, const char *key, const char *value,
                                  void *into, struct errmsg *msg)
{
    if (value[0] == '.' || !is_made_of(value, "._-"))
        return err_set(msg, ERR_CONFIG,
                       "is the name of one file, of letters, digits, \".\", \"_\" and \"-\"");
    return ini_text(row, key, value, into, msg);
}

/* A probe by SIP2 sends a password. */
static bool probe_is_open(const struct policy *p, const char *probe)
{
    struct url u;

    return strncmp(probe, "sip2://", 7) == 0 && p->sip2.login && !p->access.insecure &&
           url_parse(probe, &u, NULL) == ERR_OK && !url_is_loopback(&u);
}

/* A name that does not tell one batch from the next is safe only where each file is taken away
 * before the next one comes, and a person is asked in doubt. */
static enum err check_file_name(const struct policy *p, struct errmsg *msg)
{
    if (p->symphony.file_name[0] == 0 || strcmp(p->format, "symphony") != 0 ||
        strcmp(p->sink, "none") == 0)
        return ERR_OK;
    if (sink_class_of(p->sink) != SINK_DROP)
        return err_set(msg, ERR_CONFIG,
                       "file_name in [symphony] needs a sink that a loader empties: "
                       "drop:DESK:/folder");
    if (p->symphony.registration == REGISTRATION_FLAT)
        return err_set(msg, ERR_CONFIG,
                       "file_name in [symphony] is the one file of an upload: registration must be "
                       "jy or none, a user file may not lie beside it");
    return ERR_OK;
}

/* What only two keys together can get wrong. */
static enum err check_access(const struct policy *p, struct errmsg *msg)
{
    const char *text = sink_url(p->sink), *pins;
    bool clear;
    struct url u;

    if (probe_is_open(p, p->probe) || probe_is_open(p, p->probe_backup))
        return err_set(msg, ERR_CONFIG,
                       "the probe in [server] would send its password for everybody to read: use "
                       "sip2s://, or say insecure = yes in [upload]");
    if (text == NULL || url_parse(text, &u, NULL) != ERR_OK)
        return ERR_OK;
    clear =
        (strcmp(u.scheme, "http") == 0 || strcmp(u.scheme, "sip2") == 0) && !url_is_loopback(&u);
    if (clear && !p->access.insecure)
        return err_set(msg, ERR_CONFIG,
                       "the sink in [upload] is not encrypted, and everybody on the way could read "
                       "who borrows what: use %s://, or say insecure = yes",
                       strcmp(u.scheme, "http") == 0 ? "https" : "sip2s");
    pins = p->symphony.write_pin    ? "symphony"
           : p->evergreen.write_pin ? "evergreen"
           : p->csv_pin             ? "csv"
           : p->ndjson_pin          ? "ndjson"
                                    : NULL;
    if (clear && pins != NULL)
        return err_set(msg, ERR_CONFIG,
                       "write_pin = yes in [%s], but the sink in [upload] is not encrypted: PINs "
                       "never leave that way",
                       pins);
    if (strcmp(u.scheme, "sftp") == 0 && p->access.host_key_sha256[0] == 0)
        return err_set(msg, ERR_CONFIG,
                       "an sftp: sink needs host_key_sha256 in [upload], as ssh-keygen -lf prints "
                       "it for the server's ECDSA host key");
    if (strcmp(u.scheme, "sftp") == 0 && p->access.credential[0] == 0)
        return err_set(msg, ERR_CONFIG, "an sftp: sink needs a credential in [upload]");
    return ERR_OK;
}

/* Sinks that know what stands in a line. */
static enum err check_lines(const struct policy *p, struct errmsg *msg)
{
    const struct {
        const char *scheme, *format;
        bool logs_in;
    } speaks[] = {
        { "evergreen:", "evergreen", true }, { "koha:", "koha", true },
        { "koha-plugin:", "koha", true },    { "sip2:", "sip2", p->sip2.login },
        { "sip2s:", "sip2", p->sip2.login },
    };

    for (size_t i = 0; i < sizeof speaks / sizeof speaks[0]; i++) {
        if (strncmp(p->sink, speaks[i].scheme, strlen(speaks[i].scheme)) != 0)
            continue;
        if (strcmp(p->format, speaks[i].format) != 0)
            return err_set(msg, ERR_CONFIG, "a sink %s needs format = %s in [upload]",
                           speaks[i].scheme, speaks[i].format);
        if (speaks[i].logs_in && p->access.credential[0] == 0)
            return err_set(msg, ERR_CONFIG, "a sink %s needs a credential in [upload]",
                           speaks[i].scheme);
    }
    if (strncmp(p->sink, "evergreen:", 10) == 0 && p->evergreen_service.org == 0)
        return err_set(msg, ERR_CONFIG,
                       "a sink evergreen: needs org in [evergreen]: the number of the org unit");
    return ERR_OK;
}

enum err policy_check_reach(const struct policy *p, struct errmsg *msg)
{
    enum err e = check_file_name(p, msg);

    if (e == ERR_OK)
        e = check_access(p, msg);
    return e == ERR_OK ? check_lines(p, msg) : e;
}
