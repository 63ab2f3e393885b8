/* credential_check.c - does this desk have the secrets that the policy names? Told while the server
 * is still away, not when the upload fails. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "credential.h"
#include "policy.h"
#include "url.h"

struct search {
    const char *name;
    bool found;
    char problem[256]; /* of one that is there */
};

/* Sinks that log in with name and password: the name that stands in the policy, "" if none does.
 * NULL: another sink. */
static const char *user_in_policy(const struct policy *p)
{
    const struct {
        const char *scheme, *user;
    } logs_in[] = { { "sip2:", p->sip2.login ? p->sip2.user : NULL },
                    { "sip2s:", p->sip2.login ? p->sip2.user : NULL },
                    { "evergreen:", p->evergreen_service.user },
                    { "koha:", p->koha_service.user },
                    { "koha-plugin:", p->koha_service.user } };

    for (size_t i = 0; i < sizeof logs_in / sizeof logs_in[0]; i++)
        if (strncmp(p->sink, logs_in[i].scheme, strlen(logs_in[i].scheme)) == 0)
            return logs_in[i].user;
    return NULL;
}

static bool lacks_one(const char *state_dir, const char *name, const char *kind, char words[256])
{
    struct errmsg msg = { .text = "" };
    char path[4096];
    enum err e = credential_find(state_dir, name, kind, path, &msg);

    if (e == ERR_MISSING)
        snprintf(words, 256,
                 "this desk has no credential %s.%s, without which it cannot upload: put it there "
                 "with tideover credential set %s %s",
                 name, kind, name, kind);
    else if (e != ERR_OK)
        snprintf(words, 256, "%s", msg.text);
    return e != ERR_OK;
}

/* NAME, or NAME.KIND of some kind: which one it must be is the sink's business. */
static void compare(void *ctx, const char *file, bool from_systemd, const char *problem)
{
    struct search *s = ctx;
    size_t n = strlen(s->name);

    (void)from_systemd;
    if (strncmp(file, s->name, n) != 0 || (file[n] != '\0' && file[n] != '.') ||
        strcmp(file + n, ".ca") == 0)
        return;
    s->found = true;
    if (*problem != '\0')
        snprintf(s->problem, sizeof s->problem, "%s", problem);
}

void credential_lacks(const char *state_dir, const struct policy *p, char words[256])
{
    struct search s = { .name = p->access.credential };
    const char *user = user_in_policy(p);
    struct errmsg msg = { .text = "" };
    char path[4096];

    words[0] = '\0';
    if (sink_url(p->sink) == NULL)
        return;
    if (p->access.ca[0] != '\0' &&
        credential_find(state_dir, p->access.ca, "ca", path, &msg) != ERR_OK) {
        snprintf(words, 256, "%s", msg.text);
        return;
    }
    if (s.name[0] == '\0')
        return;
    if (user != NULL && ((*user == 0 && lacks_one(state_dir, s.name, "user", words)) ||
                         lacks_one(state_dir, s.name, "password", words)))
        return;
    if (credential_each(state_dir, compare, &s, &msg) != ERR_OK)
        snprintf(words, 256, "%s", msg.text);
    else if (!s.found)
        snprintf(words, 256,
                 "this desk has no credential %s, without which it cannot upload: put it there "
                 "with tideover credential set %s",
                 s.name, s.name);
    else
        snprintf(words, 256, "%s", s.problem);
}

/* ---- which they are ---- */

static const struct {
    const char *scheme, *kinds;
} uses[] = {
    { "sftp:", "key or password" },
    { "https:", "user, password or ca, or none of them for a token" },
    { "http:", "user or password, or none of them for a token" },
    { "put:", "user, password or ca, or none of them for a token" },
    { "key:", "user, password or ca, or none of them for a token" },
    { "sip2:", "user or password" },
    { "sip2s:", "user, password or ca" },
    { "evergreen:", "user, password or ca" },
    { "koha:", "user, password or ca" },
    { "koha-plugin:", "user, password or ca" },
};

static const char *kinds_of(const char *sink)
{
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++)
        if (strncmp(sink, uses[i].scheme, strlen(uses[i].scheme)) == 0)
            return uses[i].kinds;
    return "";
}

static const char *const kinds[] = { "", "user", "password", "key", "ca" };
#define KINDS (sizeof kinds / sizeof kinds[0])

enum err credential_check_kind(const char *name, const char *kind, const char *sink,
                               struct errmsg *msg)
{
    const char *dot = strrchr(name, '.'), *k = kind ? kind : dot ? dot + 1 : "";

    for (size_t i = 0; i < KINDS; i++)
        if (strcmp(k, kinds[i]) == 0)
            return ERR_OK;
    if (kinds_of(sink)[0] == '\0')
        return err_why(msg, ERR_INVALID, "unknown_kind", "",
                       "a credential is of the kind user, password, key or ca, or a token without "
                       "a kind; not \"%.40s\"",
                       k);
    return err_why(msg, ERR_INVALID, "unknown_kind", "",
                   "there is no credential of the kind \"%.40s\": the policy's sink uses %s", k,
                   kinds_of(sink));
}

static bool is_here(const char *state_dir, const char *name, const char *kind)
{
    char path[4096];

    return credential_find(state_dir, name, kind, path, NULL) == ERR_OK;
}

void credential_login(const char *state_dir, const struct policy *p,
                      char out[CREDENTIAL_LOGIN_TEXT])
{
    const char *name = p->access.credential, *user = user_in_policy(p);

    if (name[0] == '\0')
        snprintf(out, CREDENTIAL_LOGIN_TEXT, "%s", "");
    else if (user != NULL && *user != '\0')
        snprintf(out, CREDENTIAL_LOGIN_TEXT, "%s.password", name);
    else if (strncmp(p->sink, "sftp:", 5) == 0)
        snprintf(out, CREDENTIAL_LOGIN_TEXT, "%s.%s", name,
                 is_here(state_dir, name, "key") ? "key" : "password");
    else if (user != NULL || is_here(state_dir, name, "user"))
        snprintf(out, CREDENTIAL_LOGIN_TEXT, "%s.user and %s.password", name, name);
    else
        snprintf(out, CREDENTIAL_LOGIN_TEXT, "%s", name);
}

void credential_stamp(const char *state_dir, const struct policy *p,
                      uint8_t out[CREDENTIAL_STAMP_BYTES])
{
    crypto_generichash_state st;

    crypto_generichash_init(&st, NULL, 0, CREDENTIAL_STAMP_BYTES);
    for (size_t i = 0; i < KINDS; i++) {
        bool is_ca = strcmp(kinds[i], "ca") == 0;
        const char *name = is_ca ? p->access.ca : p->access.credential;
        char path[4096];
        struct stat file;
        int64_t what[5] = { (int64_t)i };

        if (name[0] != '\0' && credential_find(state_dir, name, kinds[i], path, NULL) == ERR_OK &&
            stat(path, &file) == 0) {
            what[1] = (int64_t)file.st_ino;
            what[2] = (int64_t)file.st_size;
            what[3] = (int64_t)file.st_mtim.tv_sec;
            what[4] = (int64_t)file.st_mtim.tv_nsec;
        }
        crypto_generichash_update(&st, (const uint8_t *)what, sizeof what);
    }
    crypto_generichash_final(&st, out, CREDENTIAL_STAMP_BYTES);
}
