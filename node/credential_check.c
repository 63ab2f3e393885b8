/* credential_check.c - does this desk have the secrets that the policy names? Told while the server
 * is still away, not when the upload fails. */
#include <stdio.h>
#include <string.h>

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
